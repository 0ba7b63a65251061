"""What the host side makes of each fault: a session that works or exactly one error, in bounded time, and never a hang."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import modemrig
from modemrig import _native

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


def session(modem: modemrig.Modem) -> modemrig.ModemrigError | None:
    """A message with QoS 1 to the broker and back; the error that ended it, if one did."""
    try:
        with modem.client(0).session("broker.lab", 1883, "me", timeout_s=STEP_S) as session:
            session.subscribe({"t": 1}, timeout_s=STEP_S)
            session.publish("t", b"x", qos=1, timeout_s=STEP_S).wait(timeout_s=STEP_S)
            arrived = next(session.messages(timeout_s=STEP_S), None)
            # What is announced by a line that a fault has spoiled is lost, and never another message.
            assert arrived is None or arrived.payload == b"x"
    except modemrig.ModemrigError as error:
        return error
    return None


def outcome(dialect: str, fault: str) -> tuple[str, float, str]:
    """How a session under a fault ends, and how long that takes; behind it, without the fault, a session works again."""
    with (
        modemrig.BenchBroker() as broker,
        modemrig.VirtualModule(dialect, broker=broker, speed=20) as module,
        modemrig.open(module.path) as modem,
    ):
        module.inject(fault)
        begin = time.monotonic()
        error = session(modem)
        took = time.monotonic() - begin
        assert not isinstance(error, (modemrig.Bug, modemrig.CallerError)), (fault, error)
        module.clear()
        # The first attempts may find what the fault left: a client that is open, a module that starts.
        begin = time.monotonic()
        while (left := session(modem)) is not None:
            assert time.monotonic() - begin < BOUND_S, (fault, left)
            with contextlib.suppress(modemrig.ModemrigError):
                modem.client(0).close(timeout_s=STEP_S)
    return fault.partition(":")[0], took, type(error).__name__


HARMLESS = {
    "late_answer",
    "split_answer",
    "urc_in_answer",
    "echo_garbage",
    "ack_late",
    "clock_wrong",
    "file_system_full",
}
"""A session without TLS may come through these, if only late; every other fault must be reported."""


@pytest.mark.parametrize("dialect", modemrig.dialects())
def test_a_session_under_a_fault_ends_with_one_error_or_none_and_the_module_can_be_used_again(dialect: str):
    with ThreadPoolExecutor(len(FAULTS)) as pool:
        outcomes = list(pool.map(lambda fault: outcome(dialect, fault), FAULTS))
    print(*outcomes, sep="\n")
    assert [row for row in outcomes if row[1] > BOUND_S] == []
    unhurt = {fault for fault, _, error in outcomes if error == "NoneType"}
    assert unhurt <= HARMLESS
