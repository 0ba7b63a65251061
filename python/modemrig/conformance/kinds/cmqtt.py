"""A module with AT+CMQTT… while its facts are checked: the service, its one client, and what others saw of it.

Steps for the tables of ``cmqtt_*``; no facts. Driven by ``behaviour``.
"""

from __future__ import annotations

import queue
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from modemrig.broker import RecordedPacket
from modemrig.conformance.answer import Answer, Blocked, Differs
from modemrig.conformance.kinds.behaviour import Behaviours
from modemrig.conformance.ladder import State
from modemrig.conformance.probe import HEARD_WITHIN_S, Probe
from modemrig.conformance.samples import small
from modemrig.hil.peer import Peer
from modemrig.hil.wire import same

NOWHERE = "tcp://no-such-name.invalid:1883"
"""An address that no module can reach: the name is reserved, so that nobody resolves it (RFC 2606)."""
HEAD = re.compile(rb"\+CMQTTRX(START|TOPIC|PAYLOAD|END): ?([\d, ]+)\r\n")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Block:
    """The URCs of one message."""

    client: int
    announced: tuple[int, int]
    """Lengths of topic and payload, as ``+CMQTTRXSTART`` says them."""
    names: tuple[str, ...]
    """``START``, ``TOPIC``, … in the order in which they came."""
    topic: tuple[bytes, ...]
    """Its parts."""
    payload: tuple[bytes, ...]
    """Its parts."""


class Service:
    """The MQTT service of the module at a probe."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.client_id = probe.client_id(0)
        """With which the client connects."""
        self.mark = 0 if probe.broker.bench is None else len(probe.broker.bench.record())
        """How many packets the bench broker had seen when the check began."""

    # -- states --------------------------------------------------------------------------------------------------------

    def reach(self, state: State) -> Probe:
        """Bring the module to a state; returns the probe."""
        self.probe.reach(state)
        return self.probe

    def connect(
        self,
        address: str | None = None,
        *,
        keepalive: int = 60,
        clean: int = 1,
        login: str | None = None,
        acquire: str | None = None,
    ) -> Answer:
        """Connect an acquired client, and say how it went.

        Args:
            address: ``tcp://host:port``; by default the broker's.
            keepalive: seconds.
            clean: whether the session begins clean.
            login: ``,"user","password"``; by default that of the rig.
            acquire: acquire the client with this line; by default as the probe does.
        """
        if acquire is None:
            self.probe.reach("acquired")
        else:
            self.probe.reach("started")
            self.given(acquire)
        words = self.probe.words()
        address = address or f"tcp://{words['host']}:{words['port']}"
        login = words["login"] if login is None else login
        return self.probe.ask(f'AT+CMQTTCONNECT=0,"{address}",{keepalive},{clean}{login}')

    def join(
        self, *, keepalive: int = 60, clean: int = 1, login: str | None = None, acquire: str | None = None
    ) -> None:
        """Connect to the broker.

        Raises:
            Blocked: it did not.
        """
        answer = self.connect(keepalive=keepalive, clean=clean, login=login, acquire=acquire)
        if not same("+CMQTTCONNECT: 0,0", answer.late):
            raise Blocked(f"{answer.sent} was answered {answer.shown()!r}")

    def named(self, suffix: str) -> str:
        """The line that acquires a client whose id ends so: a module can be broken for such clients alone."""
        self.client_id += suffix
        return f'AT+CMQTTACCQ=0,"{self.client_id}"'

    def lose(self) -> str:
        """Have the broker end the connection: somebody else comes with the same client id. Returns the URC."""
        since = self.probe.now()
        self.probe.moved()
        with Peer(self.probe.broker, self.probe.client_id(0)):
            return self.probe.await_line(r"\+CMQTTCONNLOST: ?\d+,\d+", since=since)

    # -- commands ------------------------------------------------------------------------------------------------------

    def topic(self, name: str = "case") -> str:
        """A topic of this check."""
        return self.probe.topic(name)

    def enter(self, command: str, content: bytes | str, *more: int) -> Answer:
        """Type at the prompt of a command; further parameters follow the length.

        Raises:
            Blocked: it is not taken.
        """
        data = content.encode() if isinstance(content, str) else content
        with self.probe.given():
            return self.probe.accept(",".join([f"{command}=0", str(len(data)), *map(str, more)]), data)

    def given(self, line: str) -> Answer:
        """A command that must be taken for the check to go on.

        Raises:
            Blocked: it is refused.
        """
        with self.probe.given():
            return self.probe.accept(line)

    def done(self, line: str, payload: bytes | None = None) -> Answer:
        """A command that must go well for the check to go on.

        Raises:
            Blocked: its late result says otherwise.
        """
        with self.probe.given():
            return self.succeeds(line, payload)

    def succeeds(self, line: str, payload: bytes | None = None) -> Answer:
        """A command whose late result says that it went well.

        Raises:
            Differs: it says otherwise.
        """
        answer = self.probe.ask(line, payload)
        wanted = f"{re.split('[=?]', line)[0][2:]}: 0,0"
        if answer.final != "OK" or not same(wanted, answer.late):
            raise Differs(f"OK\n{wanted}", answer.shown())
        return answer

    def publish(self, topic: str, payload: bytes = b"12345", qos: int = 0, *flags: int) -> Answer:
        """Enter a message and publish it; flags are ``retained`` and ``dup``."""
        self.enter("AT+CMQTTTOPIC", topic)
        self.enter("AT+CMQTTPAYLOAD", payload)
        return self.done(",".join([f"AT+CMQTTPUB=0,{qos},60", *map(str, flags)]))

    def subscribe(self, topic: str, qos: int = 2) -> Answer:
        """Subscribe at the prompt."""
        return self.done(f"AT+CMQTTSUB=0,{len(topic)},{qos}", topic.encode())

    def unsubscribe(self, topic: str) -> Answer:
        """Unsubscribe at the prompt."""
        return self.done(f"AT+CMQTTUNSUB=0,{len(topic)},0", topic.encode())

    def read(self, command: str) -> list[str]:
        """What a read form says, without the final result.

        Raises:
            Differs: it is refused.
        """
        answer = self.probe.ask(small(f"{command}?"))
        if answer.final != "OK":
            raise Differs("OK", answer.shown())
        return [line for line in answer.lines if line != "OK"]

    def says(self, command: str, *expected: str) -> None:
        """The read form prints these lines and ``OK``.

        Raises:
            Differs: it does not.
        """
        self.probe.expect(self.probe.ask(small(f"{command}?")), [*expected, "OK"])

    def longest(self, name: str) -> int:
        """The greatest length that the prompt of a command takes."""
        command = self.probe.document.command(name)
        assert command is not None
        length = command.variants[0].payload_length
        assert length is not None
        return command.params[length].max or 0

    # -- the far side --------------------------------------------------------------------------------------------------

    def packets(self, kind: str, direction: str = "in") -> list[RecordedPacket]:
        """What crossed the bench broker's wire since the check began, of this client."""
        rows = self.probe.bench_broker.record()[self.mark :]
        return [row for row in rows if (row.kind, row.direction, row.client_id) == (kind, direction, self.client_id)]

    def packet(self, kind: str, count: int = 1, within_s: float = HEARD_WITHIN_S) -> RecordedPacket:
        """The newest of so many packets from the module, as soon as they are there.

        Raises:
            Differs: they did not come in time.
        """
        found = self.until(lambda: (rows := self.packets(kind)) and len(rows) >= count and rows, within_s)
        if not found:
            raise Differs(f"{kind} at the broker", "\n".join(str(row) for row in self.packets(kind)) or "none")
        return found[-1]

    def carries(self, kind: str, **fields: object) -> None:
        """The newest packet of a kind has these fields.

        Raises:
            Differs: it has others.
        """
        packet = self.packet(kind)
        shown = {name: packet.fields.get(name) for name in fields}
        if shown != fields:
            raise Differs(f"{kind} {fields}", f"{kind} {shown}")

    def arrives(self, topic: str, payload: bytes) -> None:
        """The peer, which subscribed before, gets this and nothing else on the topic.

        Raises:
            Differs: it does not.
        """
        deadline = time.monotonic() + HEARD_WITHIN_S
        while True:
            try:
                got = self.probe.peer.received.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise Differs(f"{topic} {payload!r} at another client", "nothing") from None
            if got[0] == topic:
                if got[1] != payload:
                    raise Differs(f"{topic} {payload!r}", f"{topic} {got[1]!r}")
                return

    def until(self, look: Callable[[], Found], within_s: float) -> Found:
        """What ``look`` finds, as soon as it is something, or when the time is over."""
        deadline = time.monotonic() + within_s
        while not (found := look()) and time.monotonic() < deadline:
            next(self.probe.modem.events(timeout_s=0.01), None)
        return found

    # -- messages ------------------------------------------------------------------------------------------------------

    def blocks(self, count: int = 1, within_s: float = HEARD_WITHIN_S) -> list[Block]:
        """The messages that the module announced since the check began, as soon as there are so many.

        Raises:
            Differs: fewer came in time, or their lines do not fit together.
        """
        began = self.probe._since

        def look() -> list[Block] | None:
            entries = self.probe.modem.transcript(began)
            found = parse(b"".join(entry.data for entry in entries if entry.direction == "rx"))
            return found if len(found) >= count else None

        found = self.until(look, within_s)
        if found is None:
            raise Differs(f"{count} messages, +CMQTTRXSTART to +CMQTTRXEND", "\n".join(self.probe.heard()) or "nothing")
        return found

    def receive(self, payload: bytes, topic: str, qos: int = 0) -> Block:
        """Subscribe, have the peer publish, and return what the module says of it."""
        self.reach("connected")
        self.subscribe(topic)
        self.probe.peer.publish(topic, payload, qos)
        return self.blocks()[0]


def parse(data: bytes) -> list[Block]:
    """The complete blocks in what a module wrote; a part is as long as its line says, whatever is in it.

    Raises:
        Differs: a line says another length than its part has.
    """
    blocks: list[Block] = []
    at = 0
    while (start := HEAD.search(data, at)) is not None:
        at = start.end()
        if start[1] != b"START":
            continue
        client, *announced = (int(field) for field in start[2].split(b","))
        names = ["START"]
        topic: list[bytes] = []
        payload: list[bytes] = []
        while (head := HEAD.match(rest := data[at:].lstrip(b"\r\n"))) is not None:
            at = len(data) - len(rest)
            fields = [int(field) for field in head[2].split(b",")]
            names.append(head[1].decode())
            at += head.end()
            if head[1] == b"END":
                blocks.append(Block(client, (announced[0], announced[1]), tuple(names), tuple(topic), tuple(payload)))
                break
            length = fields[1]
            (topic if head[1] == b"TOPIC" else payload).append(data[at : at + length])
            at += length
        else:
            if b"\r\n" in rest:
                raise Differs("a part as long as its line says, then the next", repr(data[start.start() :][:600]))
    return blocks


class ServiceKind(Behaviours):
    """A kind whose checks take a ``Service``."""

    is_in_ids = False

    def side(self, probe: Probe) -> Service:
        return Service(probe)
