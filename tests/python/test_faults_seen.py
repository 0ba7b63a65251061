"""What the host side makes of each fault: a session that works or exactly one error, in bounded time, and never a hang."""

from __future__ import annotations

import contextlib
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import modemrig
from modemrig import _native
from modemrig.hil.brokers import find_mosquitto, start_broker

STEP_S = 1.0
"""What a step may take; the documented times are minutes."""

BOUND_S = 20.0
"""A session has six steps; giving one up, and closing, take their own time."""


def parameters(params: list[tuple[str, str, str, str | None]]) -> str:
    """Of a fault: late, but not too late for a step; and again and again."""
    names = {name for name, *_ in params}
    wanted = {"ms": "300", "count": "1000000"}
    return ",".join(f"{name}={value}" for name, value in wanted.items() if name in names)


FAULTS = [f"{name}:{words}".rstrip(":") for name, _, params in _native.faults() for words in [parameters(params)]]


def session(modem: modemrig.Modem, name: str) -> modemrig.ModemrigError | None:
    """A message with QoS 1 to the broker and back; the error that ended it, if one did."""
    try:
        with modem.client(0).session("broker.lab", 1883, name, timeout_s=STEP_S) as session:
            session.subscribe({name: 1}, timeout_s=STEP_S)
            session.publish(name, b"x", qos=1, timeout_s=STEP_S).wait(timeout_s=STEP_S)
            arrived = next(session.messages(timeout_s=STEP_S), None)
            # What is announced by a line that a fault has spoiled is lost, and never another message.
            assert arrived is None or arrived.payload == b"x"
    except modemrig.ModemrigError as error:
        return error
    return None


def outcome(dialect: str, fault: str, broker: str) -> tuple[str, float, str]:
    """How a session under a fault ends, and how long that takes; behind it, without the fault, a session works again."""
    # The broker tells the clients apart by it.
    name = re.sub(r"\W", "-", fault)
    with (
        modemrig.VirtualModule(dialect, broker=broker, speed=40) as module,
        modemrig.open(module.path) as modem,
    ):
        module.inject(fault)
        begin = time.monotonic()
        error = session(modem, name)
        took = time.monotonic() - begin
        assert not isinstance(error, (modemrig.Bug, modemrig.CallerError)), (fault, error)
        module.clear()
        # The first attempts may find what the fault left: a client that is open, a module that starts.
        begin = time.monotonic()
        while (left := session(modem, name)) is not None:
            assert time.monotonic() - begin < BOUND_S, (fault, left)
            with contextlib.suppress(modemrig.ModemrigError):
                modem.client(0).close(timeout_s=STEP_S)
    return fault, took, type(error).__name__


def outcomes(dialect: str, faults: list[str], wanted: str, folder: Path) -> list[tuple[str, float, str]]:
    """All at once: most of the time is waited."""
    with start_broker(wanted, folder) as broker, ThreadPoolExecutor(len(faults)) as pool:
        found = list(pool.map(lambda fault: outcome(dialect, fault, f"{broker.host}:{broker.port}"), faults))
    print(*found, sep="\n")
    return found


HARMLESS = {
    "late_answer",
    "split_answer",
    "urc_in_answer",
    "echo_garbage",
    "doubled",
    "reordered",
    "packet_changed",
    "ack_late",
    "clock_wrong",
    "file_system_full",
}
"""A session without TLS may come through these, if only late or with a message that the broker keeps; every other fault must
be reported."""


@pytest.mark.parametrize("dialect", modemrig.dialects())
def test_a_session_under_a_fault_ends_with_one_error_or_none_and_the_module_can_be_used_again(
    dialect: str, tmp_path: Path
):
    found = outcomes(dialect, FAULTS, "bench", tmp_path)
    assert [row for row in found if row[1] > BOUND_S] == []
    assert {fault.partition(":")[0] for fault, _, error in found if error == "NoneType"} <= HARMLESS


@pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")
@pytest.mark.parametrize("dialect", ["ecx00u_egx00u", "sim7028"])
def test_faults_of_mqtt_do_the_same_with_a_broker_by_other_authors(dialect: str, tmp_path: Path):
    faults = [
        *(f"ack_lost:kind={kind}" for kind in ("connack", "puback", "suback")),
        "ack_doubled:kind=connack",
        "ack_doubled:kind=puback",
        "broker_refuses:code=5",
        *(f"broker_closes:at={at}" for at in ("connect", "subscribe", "publish")),
        *(f"link_cut:after=30,direction=out,how={how}" for how in ("reset", "close", "silence")),
    ]
    ends = [[row[::2] for row in outcomes(dialect, faults, broker, tmp_path)] for broker in ("bench", "mosquitto")]
    assert ends[0] == ends[1]
