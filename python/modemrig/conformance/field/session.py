"""A host program on a module that departs from its document: one session through the typed interface, step by step.

Every step has exactly one outcome, and every message comes once. Not here: which modules (``matrix``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from modemrig.errors import ModemrigError
from modemrig.events import LateResult
from modemrig.hil.bench import SlotBench
from modemrig.hil.peer import Peer
from modemrig.modem import Modem

WITHIN_S = 15.0
ROUNDS = 2
"""What a first session leaves behind meets the second."""
AWKWARD = b'{"a": "b, c"}\r\nOK\r\n> \r\n+QMTSTAT: 0,1\r\n'
"""A payload that imitates the module."""
PLAIN = b"from another device"
TOPIC = "field/session"
QUERIES = (("AT+CGSN", "imei"), ("AT+CGMM", "model"))
"""Questions whose answers differ: who gets the wrong one is out of step."""


class Failed(Exception):
    """A step came to an end that it must not have."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a step ended."""

    step: str
    """``subscribe``"""
    error: str | None
    """What was raised: ``NoAnswer: …``; ``None`` where nothing was."""


def play(place: SlotBench, modem: Modem, peer: Peer) -> Iterator[Ended]:
    """Play it; a step that fails ends its round.

    Args:
        place: where the module sits.
        modem: the module, open, with nothing going on.
        peer: another device on the same broker.
    """
    for number in range(ROUNDS):
        steps = _Steps(place, modem, peer, f"{place.prefix}{TOPIC}/{number}")
        for name, step in steps.all():
            error = _outcome(step)
            yield Ended(name, error)
            if error is not None:
                _outcome(steps.give_up)
                break
    yield Ended("in step", _outcome(lambda: in_step(modem)))


def in_step(modem: Modem) -> None:
    """Every question gets its own answer.

    Raises:
        Failed: one got another's.
    """
    for line, what in QUERIES * 2:
        said, wanted = modem.command(line).lines, getattr(modem.identity, what)
        if said != (wanted,):
            raise Failed(f"{line} was answered {said!r}, not {wanted!r}")


def _outcome(step: Callable[[], object]) -> str | None:
    try:
        step()
    except (ModemrigError, Failed, AssertionError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return None


class _Steps:
    def __init__(self, place: SlotBench, modem: Modem, peer: Peer, topic: str) -> None:
        self._broker = place.broker
        self._client = modem.client(0)
        self._client_id = f"{place.prefix}field"
        self._peer = peer
        self._topic = topic

    def all(self) -> list[tuple[str, Callable[[], object]]]:
        """The steps, in order."""
        return [
            ("configure", lambda: self._client.configure(clean_session=True)),
            ("open", lambda: self._client.open(self._broker.host, self._broker.port, timeout_s=WITHIN_S)),
            ("connect", self._connect),
            ("subscribe", lambda: self._client.subscribe({self._topic: 2}, timeout_s=WITHIN_S)),
            ("publish QoS 0", lambda: self._publish(b"at most once", 0)),
            ("publish QoS 1", lambda: self._publish(b"at least once", 1)),
            ("publish QoS 2", lambda: self._publish(AWKWARD, 2)),
            ("publish three at once", self._publish_at_once),
            ("receive", self._receive),
            ("unsubscribe", lambda: self._client.unsubscribe([self._topic], timeout_s=WITHIN_S)),
            ("disconnect", lambda: self._client.disconnect(timeout_s=WITHIN_S)),
            ("close", lambda: self._client.close(timeout_s=WITHIN_S)),
        ]

    def give_up(self) -> None:
        """Leave nothing to the next round."""
        self._client.close(timeout_s=WITHIN_S)

    def _connect(self) -> None:
        self._peer.subscribe([self._topic])
        self._peer.drain()
        self._client.connect(self._client_id, self._broker.user, self._broker.password, timeout_s=WITHIN_S)

    def _publish(self, payload: bytes, qos: int) -> None:
        """It arrives at the other device, and at this one, once each."""
        receipt = self._client.publish(self._topic, payload, qos, timeout_s=WITHIN_S)
        first = receipt.wait(WITHIN_S)
        _one_outcome(first, receipt.wait(WITHIN_S))
        self._peer.expect(self._topic, payload, f"QoS {qos}")
        self._expect([payload])

    def _publish_at_once(self) -> None:
        payloads = [b"%d of three" % number for number in (1, 2, 3)]
        receipts = [self._client.publish(self._topic, payload, 1, timeout_s=WITHIN_S) for payload in payloads]
        for receipt in receipts:
            receipt.wait(WITHIN_S)
        self._expect(payloads)

    def _receive(self) -> None:
        self._peer.publish(self._topic, PLAIN, 1)
        self._expect([PLAIN])

    def _expect(self, payloads: list[bytes]) -> None:
        """These come, and no other; in any order, as messages of several qualities of service do."""
        came: list[bytes] = []
        for message in self._client.messages(WITHIN_S):
            if message.topic != self._topic:
                raise Failed(f"a message of topic {message.topic!r}")
            came.append(message.payload)
            if len(came) == len(payloads):
                break
        if sorted(came) != sorted(payloads):
            raise Failed(f"sent {payloads!r}, received {came!r}")


def _one_outcome(first: LateResult, again: LateResult) -> None:
    if first != again:
        raise Failed(f"a publish had two outcomes, {first!r} and {again!r}")
