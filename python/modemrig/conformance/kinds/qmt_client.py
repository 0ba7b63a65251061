"""One client of a module of AT+QMT… commands, as the checks of behaviour use it: publish, subscribe, receive, watch packets.

What a check is not about must have gone well: where it did not, the check is blocked and nothing is held against the module.
"""

from __future__ import annotations

import re
import time
from typing import Any

from modemrig.broker import RecordedPacket
from modemrig.conformance.answer import Answer, Blocked, Differs
from modemrig.conformance.document import Document, Variant
from modemrig.conformance.kinds.behaviour import publisher
from modemrig.conformance.ladder import State
from modemrig.conformance.probe import HEARD_WITHIN_S, Probe
from modemrig.hil.wire import Line

NEAR_S = 3.0
"""How long what comes from the broker may take to a virtual module, which has no network in between."""
SOON_S = 0.3
"""What has not come so long after what would have brought it does not come: longer than any answer of the module's own."""


def counted(document: Document) -> Variant:
    """The way of publishing whose length is said beforehand."""
    command = publisher(document)
    assert command is not None
    return next(variant for variant in command.variants if variant.payload_length is not None)


def has_store(document: Document) -> bool:
    """Whether a module can store messages."""
    return document.command("AT+QMTRECV") is not None


def has_several(document: Document) -> bool:
    """Whether a module has more than one client."""
    return document.clients > 1


class Client:
    """A client of the module in a slot."""

    def __init__(self, probe: Probe, index: int = 0, state: State | None = "connected") -> None:
        """Bring it to a state, unless that is the caller's business."""
        self.probe = probe
        self.index = index
        self._mark = 0
        if state is not None:
            probe.reach(state, index)

    @property
    def name(self) -> str:
        """Its client id."""
        return self.probe.client_id(self.index)

    def cfg(self, key: str, *values: object) -> None:
        """Change a setting; the probe puts it back."""
        line = ",".join([f'AT+QMTCFG="{key}"', str(self.index), *map(str, values)])
        answer = self.probe.ask(line)
        if answer.final != "OK":
            raise Blocked(f"{line} was answered {answer.shown()!r}")

    def publish_line(
        self, topic: str, length: int | None, qos: int = 0, retain: int = 0, msgid: int | None = None
    ) -> str:
        """The command line; without a length the one whose input Ctrl-Z ends."""
        command = publisher(self.probe.document)
        assert command is not None
        number = msgid if msgid is not None else self.probe.msgid() if qos else 0
        words = [self.index, number, qos, retain, f'"{topic}"', *([] if length is None else [length])]
        return f"{command.name}={','.join(map(str, words))}"

    def publish(
        self,
        topic: str,
        payload: bytes = b"hello",
        qos: int = 0,
        retain: int = 0,
        msgid: int | None = None,
        timeout_s: float | None = None,
    ) -> Answer:
        """Publish; whatever comes of it."""
        return self.probe.ask(self.publish_line(topic, len(payload), qos, retain, msgid), payload, timeout_s)

    def published(self, topic: str, payload: bytes = b"hello", qos: int = 0, retain: int = 0) -> Answer:
        """Publish, successfully."""
        return self._done(self.publish(topic, payload, qos, retain))

    def subscribe(self, *topics: str | tuple[str, int], msgid: int | None = None) -> Answer:
        """Subscribe; whatever comes of it."""
        pairs = [topic if isinstance(topic, tuple) else (topic, 1) for topic in topics]
        words = [self.index, self.probe.msgid() if msgid is None else msgid]
        text = ",".join([*map(str, words), *(f'"{topic}",{qos}' for topic, qos in pairs)])
        return self.probe.ask(f"AT+QMTSUB={text}")

    def subscribed(self, *topics: str | tuple[str, int]) -> Answer:
        """Subscribe, successfully."""
        return self._done(self.subscribe(*topics))

    def unsubscribe(self, *topics: str) -> Answer:
        """Unsubscribe; whatever comes of it."""
        text = ",".join([str(self.index), str(self.probe.msgid()), *(f'"{topic}"' for topic in topics)])
        return self.probe.ask(f"AT+QMTUNS={text}")

    def unsubscribed(self, *topics: str) -> Answer:
        """Unsubscribe, successfully."""
        return self._done(self.unsubscribe(*topics))

    def _done(self, answer: Answer) -> Answer:
        fields = Line.parse(answer.late).fields
        if answer.final != "OK" or len(fields) < 3 or fields[2] != "0":
            raise Blocked(f"{answer.sent} was answered {answer.shown()!r}")
        return answer

    def works(self) -> None:
        """It is connected: it publishes.

        Raises:
            Differs: it does not.
        """
        answer = self.publish(self.probe.topic("works"))
        if answer.final != "OK":
            raise Differs(f"client {self.index} is connected", answer.shown())

    def cut(self) -> None:
        """End its connection as a broken network does."""
        self.probe.moved()
        self.probe.bench_broker.cut(self.name)

    def message(self, topic: str) -> str:
        """The URC with a message of this topic.

        Raises:
            Differs: it did not come.
        """
        pattern = rf'\+QMTRECV: {self.index},\d+,"{re.escape(topic)}",.*'
        return self.probe.await_line(pattern, patience(self.probe))

    def messages(self, topic: str) -> list[str]:
        """The URCs with messages of this topic so far, of whatever client."""
        return [line for line in self.probe.heard() if line.startswith("+QMTRECV:") and f'"{topic}"' in line]

    # -- packets, where the bench broker notes them --------------------------------------------------------------------

    def watch(self) -> None:
        """Packets count from now on."""
        self._mark = len(self.probe.bench_broker.record())

    def packets(self, kind: str, direction: str = "in", **fields: Any) -> list[RecordedPacket]:
        """The packets of this client since ``watch`` that hold these values."""
        return [
            packet
            for packet in self.probe.bench_broker.record()[self._mark :]
            if packet.client_id == self.name
            and packet.kind == kind
            and packet.direction == direction
            and all(packet.fields.get(name) == value for name, value in fields.items())
        ]

    def await_packets(
        self, count: int, kind: str, direction: str = "in", within_s: float | None = None, **fields: Any
    ) -> list[RecordedPacket]:
        """So many packets, as soon as they are there.

        Raises:
            Differs: there were fewer in time.
        """
        within_s = patience(self.probe) if within_s is None else within_s
        deadline = time.monotonic() + within_s
        while len(found := self.packets(kind, direction, **fields)) < count:
            if time.monotonic() > deadline:
                raise Differs(f"{count} {kind}", f"{len(found)} {kind} within {within_s:g} s")
            next(self.probe.modem.events(timeout_s=0.02), None)
        return found


def want(name: str, expected: Any, observed: Any) -> None:
    """Two values that must be the same.

    Raises:
        Differs: they are not.
    """
    if expected != observed:
        raise Differs(f"{name}: {expected}", f"{name}: {observed}")


def patience(probe: Probe) -> float:
    """How long to wait for what the broker sends."""
    return NEAR_S if probe.place.slot.is_virtual else HEARD_WITHIN_S


def arrives(probe: Probe, topic: str, payload: bytes) -> None:
    """Exactly this arrives at the peer, which has subscribed to the topic.

    Raises:
        Differs: it does not; with what arrived instead.
    """
    got = next_at_peer(probe, topic)
    if got != payload:
        raise Differs(repr(payload), "nothing" if got is None else repr(got))


def next_at_peer(probe: Probe, topic: str, within_s: float | None = None) -> bytes | None:
    """The next message of this topic at the peer; ``None`` where none came in time."""
    import queue

    deadline = time.monotonic() + (patience(probe) if within_s is None else within_s)
    while (left := deadline - time.monotonic()) > 0:
        try:
            name, payload = probe.peer.received.get(timeout=left)
        except queue.Empty:
            return None
        if name == topic:
            return payload
    return None
