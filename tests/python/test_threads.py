"""Handles in many threads; closing wakes everyone; Ctrl-C ends every wait; nothing is left running."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import modemrig

FOR_EVER_S = 50.0


def waits(modem: modemrig.Modem) -> dict[str, Callable[[], Any]]:
    """Every kind of wait that nothing ends by itself."""
    client = modem.client(0)
    return {
        "messages": lambda: next(client.messages(FOR_EVER_S)),
        "events": lambda: next(modem.events(FOR_EVER_S)),  # type: ignore[call-overload]
        "connection_lost": lambda: client.connection_lost(FOR_EVER_S),
    }


@pytest.mark.parametrize("name", ["messages", "events", "connection_lost"])
def test_close_wakes_a_blocked_wait(modem: modemrig.Modem, name: str):
    wait = waits(modem)[name]
    waiting = threading.Event()
    raised: list[BaseException] = []

    def work() -> None:
        waiting.set()
        try:
            wait()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    waiting.wait(10)
    modem.close()
    thread.join(10)
    assert not thread.is_alive()
    assert [type(error) for error in raised] == [modemrig.PortClosed]


@pytest.mark.parametrize("name", ["messages", "events", "connection_lost"])
def test_ctrl_c_ends_a_wait(modem: modemrig.Modem, name: str):
    wait = waits(modem)[name]
    with KeyboardInterruptSoon(), pytest.raises(KeyboardInterrupt):
        wait()
    assert modem.command("+CSQ").ok, "the port still works"


def test_ctrl_c_ends_a_command_and_its_late_answer_reaches_nobody(modem: modemrig.Modem):
    # A name that the module dials for a long time: nothing listens, and nothing refuses.
    with KeyboardInterruptSoon(), pytest.raises(KeyboardInterrupt):
        modem.client(0).messages(FOR_EVER_S).__next__()
    for _ in range(3):
        assert modem.command("+CSQ").lines[0].startswith("+CSQ: ")


class KeyboardInterruptSoon:
    """Sends SIGINT to this process once, from another thread, as a terminal does."""

    def __enter__(self) -> None:
        self.timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        self.timer.start()

    def __exit__(self, *_: object) -> None:
        self.timer.join(10)


def test_one_port_serves_many_threads(modem: modemrig.Modem):
    def ask(_: int) -> str:
        return modem.command("+CSQ").lines[0]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(200)))
    assert {answer.split(":")[0] for answer in answers} == {"+CSQ"}


def test_two_clients_publish_from_two_threads(modem: modemrig.Modem):
    def talk(index: int) -> list[bytes]:
        topic = f"t/{index}"
        with modem.client(index).session(modem.broker.host, modem.broker.port, f"client-{index}") as session:
            session.subscribe({topic: 1})
            for receipt in session.publish_many([(topic, f"{index}-{number}", 1) for number in range(10)]):
                receipt.wait(20)
            messages = session.messages(20)
            return [next(messages).payload for _ in range(10)]

    with ThreadPoolExecutor(2) as pool:
        received = list(pool.map(talk, [0, 1]))
    assert received == [[f"{index}-{number}".encode() for number in range(10)] for index in (0, 1)]


def test_close_is_idempotent_and_later_calls_say_so(modem: modemrig.Modem):
    modem.close()
    modem.close()
    assert modem.closed
    with pytest.raises(modemrig.PortClosed):
        modem.command("+CSQ")


def test_nothing_is_left_after_close():
    def open_and_close() -> None:
        with modemrig.open("virtual:ecx00u_egx00u") as modem:
            modem.command("+CSQ")

    open_and_close()
    threads, files = own_threads(), open_files()
    for _ in range(5):
        open_and_close()
    assert own_threads() == threads
    assert open_files() == files


def own_threads() -> int:
    """Threads of this process, those of the core included."""
    return len(list(Path("/proc/self/task").iterdir()))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_dropping_a_modem_without_closing_it_leaves_no_thread():
    with modemrig.open("virtual:ecx00u_egx00u"):
        pass
    before = own_threads()
    modem = modemrig.open("virtual:ecx00u_egx00u")
    assert own_threads() > before
    del modem
    assert own_threads() == before


def test_a_stopped_module_is_a_port_that_is_gone():
    with modemrig.VirtualModule("ecx00u_egx00u") as module, modemrig.open(module.path) as modem:
        module.stop()
        with pytest.raises(modemrig.PortGone) as caught:
            modem.command("+CSQ")
        assert caught.value.port == module.path


def test_log_records_of_the_core_reach_logging(caplog: pytest.LogCaptureFixture):
    with caplog.at_level("DEBUG", logger="modemrig"), modemrig.open("virtual:ecx00u_egx00u") as modem:
        modem.command("+CSQ")
    assert {record.name.split(".")[0] for record in caplog.records} == {"modemrig"}
