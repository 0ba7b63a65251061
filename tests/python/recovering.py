"""What the tests of recovery share: a virtual module of a family, its broker, and the host on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

import modemrig
from modemrig import RecoveryPlan

FAMILIES = ("lte_standard_a", "bc35g_bc28", "sim7028")
QUICK = RecoveryPlan(
    port_s=5, input_s=1, resync_s=2, close_s=10, restart_s=2, power_s=20, pause_s=0.05, longest_pause_s=0.2
)
"""For modules that answer at once or never."""
SOON_S = 20.0


class World:
    """A virtual module, its broker, and the host on it."""

    def __init__(self, dialect: str, stack: ExitStack, **options: object) -> None:
        self.dialect = dialect
        self.broker = stack.enter_context(modemrig.BenchBroker())
        self.module = stack.enter_context(
            modemrig.VirtualModule(dialect, broker=self.broker, **options)  # type: ignore[arg-type]
        )
        self.modem = stack.enter_context(modemrig.open(self.module.path))

    def session(self, plan: RecoveryPlan | bool = QUICK) -> modemrig.Session:
        return self.modem.client(0).session("broker.lab", 1883, "slot-1", recover=plan)

    def connects(self) -> list[str]:
        return [packet["client_id"] for packet in self.broker.record() if packet.kind == "CONNECT"]

    def arrived(self, topic: str) -> list[bytes]:
        """What the module published there, by the broker's record."""
        packets = [packet for packet in self.broker.record() if packet.kind == "PUBLISH" and packet.direction == "in"]
        return [packet["payload"] for packet in packets if packet["topic"] == topic]


def names(recovery: modemrig.Recovery) -> list[tuple[str, str]]:
    return [(step.name, step.outcome) for step in recovery.steps]


def first(messages: Iterator[modemrig.Message]) -> modemrig.Message:
    for message in messages:
        return message
    raise AssertionError("no message came")


def until(what: Callable[[], bool]) -> None:
    """Waits, bounded, until something is so."""
    waited = threading.Event()
    for _ in range(int(SOON_S / 0.01)):
        if what():
            return
        waited.wait(0.01)
    raise AssertionError("it never came to be")


def stuck(world: World) -> None:
    """The module waits for the rest of a payload."""
    line = '+QMTPUBEX=0,1,1,0,"t",30' if world.dialect == "lte_standard_a" else '+QMTPUB=0,1,1,0,"t",30'
    if world.dialect == "sim7028":
        line = "+CMQTTPAYLOAD=0,30"
    with pytest.raises(modemrig.NoAnswer):
        world.modem.command(line, b"short", exact=True, timeout_s=0.3)
