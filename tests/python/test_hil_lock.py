"""One test at a time on a port, between threads, processes and names of the same device."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import modemrig
from modemrig.hil.lock import exclusive

HOLDER = """
import sys
from modemrig.hil.lock import exclusive
with exclusive(sys.argv[1], "test_of_another"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(port: str) -> Iterator[subprocess.Popen[str]]:
    """Another process holds the port."""
    words = [sys.executable, "-c", HOLDER, port]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def take(port: str, wait_s: float) -> None:
    with exclusive(port, "mine", wait_s=wait_s):
        pass


def test_who_holds_a_port_is_named(tmp_path: Path) -> None:
    port = str(tmp_path / "port")
    with held(port) as process, pytest.raises(modemrig.PortBusy) as caught:
        take(port, 0.1)
    assert f"in use by process {process.pid} of " in str(caught.value)
    assert ": test_of_another; waited 0.1 s" in str(caught.value)


def test_a_holder_that_dies_holds_no_longer(tmp_path: Path) -> None:
    port = str(tmp_path / "port")
    with held(port) as process:
        process.kill()
        process.wait()
        take(port, 10)


def test_the_next_one_waits(tmp_path: Path) -> None:
    port = str(tmp_path / "port")
    order = []

    def second() -> None:
        take(port, 20)
        order.append("second")

    thread = threading.Thread(target=second)
    with exclusive(port, "first"):
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        order.append("first")
    thread.join(20)
    assert order == ["first", "second"]


def test_every_name_of_a_device_is_the_same_device(tmp_path: Path) -> None:
    (tmp_path / "ttyUSB2").touch()
    (tmp_path / "by-path").symlink_to(tmp_path / "ttyUSB2")
    with exclusive(str(tmp_path / "ttyUSB2"), "one"):
        with pytest.raises(modemrig.PortBusy, match="process"):
            take(str(tmp_path / "by-path"), 0.05)
        take(str(tmp_path / "ttyUSB3"), 0.05)
