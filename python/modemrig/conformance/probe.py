"""A slot while facts are checked: asks the module, compares, brings it to a state, and puts back what a check changed.

One probe lives as long as the run; the port stays open. What a check leaves behind (states, settings, faults) is cleaned up
by ``finish``, so that no check depends on the one before it. Not here: what is asked (``kinds``), verdicts (``judge``).

Longer than 400 lines: it is the vocabulary of all checks, one short method a word, in the order in which a check uses them.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import modemrig
from modemrig.broker import BenchBroker
from modemrig.conformance.answer import Answer, Blocked, Differs, plainly
from modemrig.conformance.as_found import AsFound
from modemrig.conformance.document import Document, load
from modemrig.conformance.ladder import LADDERS, MOVES, State
from modemrig.errors import NoAnswer
from modemrig.events import TranscriptEntry
from modemrig.hil.bench import SlotBench
from modemrig.hil.brokers import RigBroker
from modemrig.hil.departures import Tolerance
from modemrig.hil.peer import Peer
from modemrig.hil.states import ASK_AGAIN_AFTER_S
from modemrig.hil.wire import fields_of, same
from modemrig.modem import Modem
from modemrig.transcripts import cover
from modemrig.virtual import VirtualModule

OPEN_WITHIN_S = 15.0
READ_WITHIN_S = 2.0
"""A read form answers at once; the maximum of its command is that of connecting."""
HEARD_WITHIN_S = 10.0
"""How long what the broker sends may take to show as a line, beside what the document says."""


class Probe:
    """A slot while facts are checked."""

    def __init__(
        self, place: SlotBench, *, offline: bool = False, patience: bool = False, twin: SlotBench | None = None
    ) -> None:
        """Open nothing yet.

        Args:
            place: the slot, of a bench that is running.
            offline: do nothing that needs the network.
            patience: wait for a real module's timers of minutes.
            twin: the same slot with clocks that run faster, where there can be one.
        """
        self.place = place
        self.offline = offline
        self.patience = patience
        self.document: Document = load(place.dialect)
        self._twin_place = twin
        self._twin: Probe | None = None
        self._modem: Modem | None = None
        self._peer: Peer | None = None
        self._states: dict[int, State] = {}
        self._settings = AsFound(self.document, self._exchange)
        self._moved = False
        self._is_given = 0
        self._msgid = 0
        self._since = 0.0
        self.exchanges: list[Answer] = []
        """What the present check asked."""
        self.departures: list[str] = []
        """What departed from the document in the present check, and was tolerated."""
        self._stack = contextlib.ExitStack()

    # -- what is there -------------------------------------------------------------------------------------------------

    @property
    def modem(self) -> Modem:
        """The module, open."""
        if self._modem is None:
            self._modem = modemrig.open(
                self.place.port, baud=self.place.slot.baud, dialect=self.place.dialect, timeout_s=OPEN_WITHIN_S
            )
            if self.place.slot.apn is not None and not self.offline:
                self._modem.attach(self.place.slot.apn)
            self.settle()
        return self._modem

    @property
    def broker(self) -> RigBroker:
        """The rig's broker."""
        return self.place.broker

    @property
    def bench_broker(self) -> BenchBroker:
        """The bench broker; for checks that need ``broker_control``."""
        assert self.broker.bench is not None, "the fact does not say that it needs broker_control"
        return self.broker.bench

    @property
    def module(self) -> VirtualModule:
        """The virtual module; for checks that need ``power``, ``conditions`` or a fault."""
        assert self.place.module is not None, "the fact does not say what it needs"
        return self.place.module

    @property
    def tolerance(self) -> Tolerance:
        """What the module may do otherwise, where that is not what a check is about: on the way to a state, and in examples."""
        return self.place.tolerance

    @property
    def speed(self) -> float:
        """How much faster than documented the timers of this slot run."""
        return self.place.bench.rig.speed if self.place.slot.is_virtual else 1.0

    def seconds(self, documented_s: float) -> float:
        """How long a documented time takes here."""
        return documented_s / self.speed

    def lacks(self, need: str) -> bool:
        """Whether the rig lacks what a check needs."""
        if need == "sim":
            return self.offline
        if need == "tls":
            return self.broker.tls_port is None
        if need == "certificates":
            return not self.broker.has_certificates
        if need == "broker_control":
            return self.broker.bench is None
        if need == "time":
            return self._twin_place is None and self.speed == 1.0 and not self.patience
        if need == "true_speed":
            return self.speed != 1.0
        return self.place.module is None

    def hurried(self) -> Probe:
        """The same slot with faster clocks; a real module with patience is its own."""
        if self._twin_place is None:
            return self
        if self._twin is None:
            self._twin = Probe(self._twin_place, offline=self.offline)
        return self._twin

    # -- asking --------------------------------------------------------------------------------------------------------

    def ask(
        self, line: str, payload: bytes | None = None, timeout_s: float | None = None, *, exact: bool = False
    ) -> Answer:
        """Write a command line, and what is typed at its prompt; returns what came, also if that is not all.

        A setting that it changes is put back behind the check.

        Args:
            line: the command line.
            payload: what is typed.
            timeout_s: by default what the document says.
            exact: type it as it is, shorter or longer than announced, and without the Ctrl-Z that would end it.
        """
        self._settings.note(line)
        had_moved = self._moved
        self._moved = had_moved or line.upper().startswith(MOVES)
        answer = self._exchange(line, payload, timeout_s, exact=exact)
        if answer.is_refused and not answer.late:
            self._moved = had_moved  # nothing has happened
        return answer

    def expect(
        self, answer: Answer, expected: Sequence[str], alike: Callable[[str, str], bool] = same
    ) -> tuple[str, ...]:
        """The answer's lines, if they are these, in this order; ``<name>`` in an expected line stands for any value.

        Raises:
            Differs: they are not.
        """
        lines = answer.lines
        if self._is_given:
            lines = tuple(self.tolerance.undo(answer.sent, list(expected), list(lines))[0])
        if len(lines) == len(expected) and all(map(alike, expected, lines)) and not answer.was_given_up:
            return lines
        raise Differs("\n".join(expected), answer.shown())

    def accept(self, line: str, payload: bytes | None = None) -> Answer:
        """A line that the module takes: ``OK``, whatever becomes of the request.

        Raises:
            Differs: it is refused, or not answered.
        """
        answer = self.ask(line, payload)
        if answer.final != "OK":
            raise Differs("OK", answer.shown())
        return answer

    def refuse(self, line: str, payload: bytes | None = None) -> Answer:
        """A line that the module refuses: ``ERROR`` or its like, no prompt, and nothing happens.

        Raises:
            Differs: it is taken, or not answered.
        """
        answer = self.ask(line, payload)
        if not answer.is_refused or ">" in answer.lines:
            raise Differs("ERROR", answer.shown())
        return answer

    @contextlib.contextmanager
    def given(self) -> Iterator[None]:
        """What a check rests on but its fact does not say: a difference in here is another fact's, and blocks this one.

        Raises:
            Blocked: in place of ``Differs``.
        """
        self._is_given += 1  # what the slot tolerates is no hindrance here
        try:
            yield
        except Differs as difference:
            wanted, seen = difference.expected, difference.observed
            raise Blocked(f"what it rests on is not so: expected {wanted!r}, observed {seen!r}") from difference
        finally:
            self._is_given -= 1

    # -- listening -----------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds since the port was opened, the time of transcripts."""
        return self.modem.clock_s

    @property
    def since(self) -> float:
        """When the check began, by ``now``."""
        return self._since

    def heard(self, since: float | None = None) -> list[str]:
        """The lines the module wrote since then, by default since the check began; a line not ended yet is not among them."""
        start = self._since if since is None else since
        text = b"".join(entry.data for entry in self.modem.transcript(start) if entry.direction == "rx")
        return [line for line in text.decode("utf-8", "surrogateescape").split("\r\n")[:-1] if line]

    def await_line(self, pattern: str, within_s: float = HEARD_WITHIN_S, since: float | None = None) -> str:
        """The first line that matches whole, as soon as it came.

        Args:
            pattern: a regular expression.
            within_s: how long to wait.
            since: from when on lines count; by default from the beginning of the check.

        Raises:
            Differs: none came in time.
        """
        deadline = time.monotonic() + within_s
        wanted = re.compile(pattern, re.DOTALL)
        while True:
            unasked = self.modem.events(timeout_s=0.02)  # from before the look, so that nothing comes in between
            lines = self.heard(since)
            for line in lines:
                if wanted.fullmatch(line):
                    return line
            if time.monotonic() > deadline:
                raise Differs(f"{plainly(pattern)} within {within_s:.3g} s", "\n".join(lines) or "nothing")
            next(unasked, None)

    def stays_silent(self, for_s: float, since: float | None = None) -> None:
        """Nothing comes unasked for so long.

        Raises:
            Differs: something did.
        """
        start = self.now() if since is None else since
        deadline = time.monotonic() + for_s
        while (left := deadline - time.monotonic()) > 0:
            next(self.modem.events(timeout_s=left), None)
            if lines := self.heard(start):
                raise Differs("nothing", "\n".join(lines))

    # -- states and settings -------------------------------------------------------------------------------------------

    def reach(self, state: State, client: int = 0) -> None:
        """Bring a client to a state, by the shortest way from where it is.

        Raises:
            Blocked: a step was not answered as it must be.
        """
        ladder = LADDERS[self.document.family]
        names: list[State] = ["idle", *(rung.state for rung in ladder)]
        if self._moved or names.index(self._state(client)) > names.index(state):
            self.settle()
        for rung in ladder[names.index(self._state(client)) : names.index(state)]:
            words = self.words(client)
            line = rung.line.format(**words)
            wanted = [line.format(**words) for line in rung.answer]
            answer, lines = self._climb(line, wanted)
            # The order of OK and result is a fact of its own, not a condition of every other.
            if len(wanted) != len(lines) or not all(any(same(e, got) for got in lines) for e in wanted):
                self._moved = True
                raise Blocked(f"cannot reach {state!r}: {answer.sent} was answered {answer.shown()!r}")
            self._states[client] = rung.state

    def _climb(self, line: str, wanted: list[str]) -> tuple[Answer, list[str]]:
        """An answer, and its lines as far as what the slot tolerates makes them the documented ones."""
        deadline = time.monotonic() + HEARD_WITHIN_S
        while True:
            answer = self._exchange(line)
            if self.tolerance.not_yet(line, answer.lines) is None or time.monotonic() > deadline:
                return answer, self.tolerance.undo(line, wanted, list(answer.lines))[0]
            next(self.modem.events(timeout_s=ASK_AGAIN_AFTER_S), None)

    def _state(self, client: int) -> State:
        """Where a client is; what is started for one of them is started for all."""
        started: State = "started" if not self.document.is_qmt and self._states else "idle"
        return self._states.get(client, started)

    def settle(self) -> None:
        """Close whatever is open. What is closed already says ERROR, and that is fine."""
        self._moved = False
        self._states.clear()
        if self.document.is_qmt:
            for line in self._exchange("AT+QMTOPEN?", timeout_s=READ_WITHIN_S).lines:
                if line.startswith("+QMTOPEN:"):
                    client = fields_of(line)[0]
                    self._exchange(f"AT+QMTDISC={client}")
                    # Where DISC frees the client (F18) nothing may answer its close.
                    if "F18" not in self.tolerance or self._is_open(client):
                        self._exchange(f"AT+QMTCLOSE={client}")
        else:
            # A module may have more clients than its document.
            for index in range(len(self.modem.clients)):
                self._exchange(f"AT+CMQTTDISC={index},120")
                self._exchange(f"AT+CMQTTREL={index}")
            self._exchange("AT+CMQTTSTOP")

    def _is_open(self, client: str) -> bool:
        lines = self._exchange("AT+QMTOPEN?", timeout_s=READ_WITHIN_S).lines
        return any(line.startswith("+QMTOPEN:") and fields_of(line)[0] == client for line in lines)

    def power_cycle(self) -> None:
        """Switch the virtual module off and on; returns when it answers again, as it is after power-up.

        Raises:
            Blocked: it does not come back.
        """
        self.module.power_cycle()
        deadline = time.monotonic() + HEARD_WITHIN_S
        while self._exchange("AT", timeout_s=0.1).final != "OK":
            if time.monotonic() > deadline:
                raise Blocked("the module does not answer after power-up")
        self._states.clear()
        self._moved = False

    def moved(self) -> None:
        """Something else than a command changed the state of a client: the broker did, or the power."""
        self._moved = True

    def words(self, client: int = 0) -> dict[str, Any]:
        """What stands for this rig in a template: where the broker is, who logs in, a topic, a fresh packet identifier."""
        broker = self.broker
        login = "" if broker.user is None else f',"{broker.user}","{broker.password or ""}"'
        return {
            "client": client,
            "host": broker.host,
            "port": broker.port,
            "client_id": self.client_id(client),
            "login": login,
            "topic": self.topic("sample"),
            "topic_len": len(self.topic("sample")),
            "msgid": self.msgid(),
        }

    def fill(self, template: str, client: int = 0) -> str:
        """A line of ``samples`` with the words of this rig."""
        return template.format(**self.words(client))

    def msgid(self) -> int:
        """A packet identifier that was not used lately."""
        self._msgid = self._msgid % 60_000 + 1
        return self._msgid

    def client_id(self, client: int = 0) -> str:
        """The client id the probe connects with."""
        return f"{self.place.prefix}c{client}"

    def topic(self, name: str) -> str:
        """A topic nobody else uses."""
        return f"{self.place.prefix}conformance/{name}"

    # -- the far side --------------------------------------------------------------------------------------------------

    @property
    def peer(self) -> Peer:
        """Another device on the same broker, connected; what it has received before is forgotten when a check begins."""
        if self._peer is None:
            self._peer = self._stack.enter_context(Peer(self.broker, f"{self.place.peer_id}-conformance"))
        return self._peer

    @contextlib.contextmanager
    def fault(self, text: str) -> Iterator[None]:
        """Have something go wrong with the virtual module meanwhile: ``ack_lost:kind=puback,count=1``."""
        name = text.partition(":")[0]
        self.module.inject(text)
        try:
            yield
        finally:
            self.module.clear(name)

    # -- around a check ------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A check begins."""
        self.exchanges.clear()
        self.departures.clear()
        self._since = self.modem.clock_s
        if self._peer is not None:
            self._peer.drain()

    def finish(self, *, went_well: bool) -> tuple[TranscriptEntry, ...]:
        """A check ends: put back what it changed; returns the transcript of all of it.

        Raises:
            ModemrigError: the module is gone.
        """
        if self._moved or self._settings.are_changed or not went_well:
            self.settle()
        self._settings.put_back()
        return tuple(self.modem.transcript(self._since))

    def close(self) -> None:
        """Leave the module as it was found."""
        with contextlib.ExitStack() as owned:
            owned.enter_context(self._stack)
            if self._modem is not None:
                owned.callback(self._modem.close)
            if self._twin is not None:
                owned.callback(self._twin.close)
            if self._modem is not None and not self._modem.closed:
                self.finish(went_well=False)  # also what a check changed that Ctrl-C ended

    def _exchange(
        self, line: str, payload: bytes | None = None, timeout_s: float | None = None, *, exact: bool = False
    ) -> Answer:
        started = time.monotonic()
        start = self.modem.clock_s
        try:
            reply = self.modem.command(line, payload, timeout_s=timeout_s, exact=exact)
        except NoAnswer:
            # What there is of an answer; the port is in step again.
            lines = tuple(each for each in self.heard(start) if each not in ("", line))
            answer = Answer(cover(line), payload, lines, time.monotonic() - started, None, True)
        else:
            maximum = reply.max_response_s if reply.ok else None
            answer = Answer(reply.line, payload, reply.exchanged, reply.response_s, maximum, False)
        self.exchanges.append(answer)
        return answer
