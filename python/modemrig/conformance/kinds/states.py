"""Facts about the states of a client of AT+QMT…: which commands are refused in which, and what the read forms say there.

That AT+QMTOPEN answers 'in use' on an open client is a code and stands with the codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Literal

from modemrig.conformance.answer import Blocked, Differs
from modemrig.conformance.document import Document
from modemrig.conformance.facts import Fact, Unchecked, fact_id
from modemrig.conformance.kinds.behaviour import CONTROL, Behaviour, Behaviours, unseen
from modemrig.conformance.kinds.kind import Breakage, Kind
from modemrig.conformance.kinds.qmt_client import SOON_S, Client, has_several, has_store
from modemrig.conformance.ladder import State
from modemrig.conformance.probe import Probe
from modemrig.conformance.samples import line, typed
from modemrig.conformance.verdict import Basis
from modemrig.hil.wire import same

Where = Literal["idle", "opened", "connected", "disconnected"]

WORDS: dict[Where, str] = {
    "idle": "while nothing is open",
    "opened": "before AT+QMTCONN",
    "connected": "while it is connected",
    "disconnected": "after AT+QMTDISC",
}

REFUSED: dict[str, dict[Where, Basis]] = {
    "AT+QMTCLOSE": {"idle": "decided"},
    "AT+QMTCONN": {"idle": "decided", "connected": "decided", "disconnected": "decided"},
    "AT+QMTDISC": {"idle": "decided", "opened": "decided", "disconnected": "decided"},
    "AT+QMTSUB": {"idle": "decided", "opened": "decided", "disconnected": "decided"},
    "AT+QMTUNS": {"idle": "decided", "opened": "decided", "disconnected": "decided"},
    "AT+QMTPUB": {"idle": "decided", "opened": "decided", "disconnected": "decided"},
    "AT+QMTPUBEX": {"idle": "decided", "opened": "decided", "disconnected": "decided"},
    # The section prints it: without an MQTT connection the write form answers ERROR.
    "AT+QMTRECV": {"idle": "documented", "opened": "documented", "disconnected": "documented"},
}
"""Commands, and the states in which a module refuses them (decisions 17 to 22), with who says so."""


def bring(probe: Probe, where: Where, client: int = 0) -> None:
    """Bring a client to a state that is no rung of the ladder, too."""
    probe.reach("connected" if where == "disconnected" else where, client)
    if where == "disconnected":
        answer = probe.ask(f"AT+QMTDISC={client}")
        if answer.final != "OK":
            raise Blocked(f"{answer.sent} was answered {answer.shown()!r}")


class StateError(Kind):
    """A command in a state that forbids it is refused."""

    name = "state-error"
    title = "A command is refused in a state that forbids it."

    def facts(self, document: Document) -> Iterator[Fact]:
        if not document.is_qmt:
            return
        for command in document.commands:
            for where, basis in REFUSED.get(command.name, {}).items():
                for variant in command.variants:
                    keyed = variant.is_keyed or len(command.variants) > 1
                    yield Fact(
                        fact_id(
                            document.id,
                            variant.section,
                            command.short,
                            *([variant.key] if keyed else []),
                            self.name,
                            where,
                        ),
                        self.name,
                        command.name,
                        f"{command.name}{f' ({variant.key})' if keyed else ''} is refused {WORDS[where]}",
                        basis,
                        () if where == "idle" else ("sim",),
                        about={"variant": variant.key, "where": where},
                    )

    def check(self, probe: Probe, fact: Fact) -> None:
        command = probe.document.command(fact.subject)
        assert command is not None
        variant = command.variant(fact.about["variant"])
        assert variant is not None
        bring(probe, fact.about["where"])
        probe.refuse(probe.fill(line(command, variant)), typed(variant))

    def breakages(self, document: Document) -> Iterator[Breakage]:
        facts = frozenset(fact.id for fact in self.facts(document))
        if facts:
            yield Breakage("what the state forbids is refused late", facts, quirks=("state_errors_late",))


# -- what the read forms say -------------------------------------------------------------------------------------------


def says(probe: Probe, question: str, *lines: str) -> None:
    """The read form prints these lines and OK; the order of clients does not count."""
    answer = probe.ask(question)
    expected = [*lines, "OK"]
    if len(answer.lines) != len(expected) or not all(any(same(e, got) for got in answer.lines) for e in expected):
        raise Differs("\n".join(expected), answer.shown())


def opened_line(probe: Probe, client: int = 0) -> str:
    """What AT+QMTOPEN? says of a client that the probe opened."""
    return probe.fill('+QMTOPEN: {client},"{host}",{port}', client)


def own(probe: Probe) -> int:
    """A client of these checks, where there are several: what others rest on stays unbroken when its lines are."""
    return min(2, probe.document.clients - 1)


def _open_line(probe: Probe, index: int) -> str:
    return probe.fill('AT+QMTOPEN={client},"{host}",{port}', index)


def _open_idle(probe: Probe) -> None:
    probe.settle()
    says(probe, "AT+QMTOPEN?")


def _open_at(probe: Probe, state: State) -> None:
    probe.settle()
    probe.reach(state, own(probe))
    says(probe, "AT+QMTOPEN?", opened_line(probe, own(probe)))


def _open_closed(probe: Probe) -> None:
    probe.reach("connected")
    probe.accept("AT+QMTCLOSE=0")
    says(probe, "AT+QMTOPEN?")


def _open_two(probe: Probe) -> None:
    probe.settle()
    probe.reach("opened", own(probe))
    probe.reach("opened", own(probe) + 1)
    says(probe, "AT+QMTOPEN?", opened_line(probe, own(probe)), opened_line(probe, own(probe) + 1))


def _again(probe: Probe, line: str) -> None:
    probe.reach("connected")
    probe.accept(line)
    opened = probe.ask(_open_line(probe, 0))
    if "+QMTOPEN: 0,0" not in opened.lines:
        raise Differs("OK\n+QMTOPEN: 0,0", opened.shown())


def _conn_idle(probe: Probe) -> None:
    probe.settle()
    says(probe, "AT+QMTCONN?")


def _conn_at(probe: Probe, state: State, number: int) -> None:
    probe.settle()
    probe.reach(state, own(probe))
    says(probe, "AT+QMTCONN?", f"+QMTCONN: {own(probe)},{number}")


def _conn_connecting(probe: Probe) -> None:
    probe.settle()
    client = Client(probe, own(probe), state="opened")
    probe.bench_broker.lose("CONNACK", client_id=client.name)
    try:
        probe.ask(probe.fill('AT+QMTCONN={client},"{client_id}"', client.index), timeout_s=SOON_S)
        says(probe, "AT+QMTCONN?", f"+QMTCONN: {client.index},2")
    finally:
        probe.bench_broker.behave()


def _conn_disconnected(probe: Probe) -> None:
    bring(probe, "disconnected")
    says(probe, "AT+QMTCONN?")


def _recv_unconnected(probe: Probe) -> None:
    probe.reach("opened")
    says(probe, "AT+QMTRECV?")


def _set_while_open(probe: Probe) -> None:
    probe.reach("opened")
    probe.accept('AT+QMTCFG="keepalive",0,60')


def _set_basis(document: Document) -> Basis:
    """Most documents print that settings may be changed while there is no MQTT connection."""
    settings = document.command("AT+QMTCFG")
    assert settings is not None
    return "documented" if any("only while no MQTT connection" in note for note in settings.notes) else "decided"


class StateLine(Behaviours):
    """What the read forms print in each state, and where a client stands behind a command."""

    name = "state"
    title = "A client is in the state its commands lead to, and the read forms say so."

    rows = (
        Behaviour("AT+QMTOPEN", "idle", "AT+QMTOPEN? prints no line for a closed client", _open_idle, "decided", ()),
        Behaviour(
            "AT+QMTOPEN",
            "opened",
            "AT+QMTOPEN? prints host and port of an open client",
            partial(_open_at, state="opened"),
        ),
        Behaviour(
            "AT+QMTOPEN",
            "connected",
            "AT+QMTOPEN? prints a connected client too",
            partial(_open_at, state="connected"),
            "decided",
        ),
        Behaviour("AT+QMTCLOSE", "closed", "behind AT+QMTCLOSE, AT+QMTOPEN? prints no line", _open_closed, "decided"),
        Behaviour(
            "AT+QMTCLOSE",
            "again",
            "behind AT+QMTCLOSE the client can be opened again",
            partial(_again, line="AT+QMTCLOSE=0"),
        ),
        Behaviour(
            "AT+QMTDISC",
            "again",
            "behind AT+QMTDISC the client can be opened again",
            partial(_again, line="AT+QMTDISC=0"),
            "decided",
        ),
        Behaviour(
            "AT+QMTOPEN",
            "two",
            "AT+QMTOPEN? prints a line for each open client",
            _open_two,
            "decided",
            only=has_several,
        ),
        Behaviour("AT+QMTCONN", "idle", "AT+QMTCONN? prints no line for a closed client", _conn_idle, "decided", ()),
        Behaviour(
            "AT+QMTCONN",
            "initialising",
            "AT+QMTCONN? says 1 before AT+QMTCONN",
            partial(_conn_at, state="opened", number=1),
            "decided",
        ),
        Behaviour(
            "AT+QMTCONN",
            "connecting",
            "AT+QMTCONN? says 2 while CONNACK is awaited",
            _conn_connecting,
            needs=CONTROL,
        ),
        Behaviour(
            "AT+QMTCONN",
            "connected",
            "AT+QMTCONN? says 3 while the client is connected",
            partial(_conn_at, state="connected", number=3),
        ),
        Behaviour(
            "AT+QMTCONN",
            "disconnecting",
            "AT+QMTCONN? says 4 while the client disconnects",
            unseen,
            unchecked=Unchecked("unseen", "It lasts as long as a packet takes to leave; a query in between is chance."),
        ),
        Behaviour(
            "AT+QMTDISC",
            "disconnected",
            "behind AT+QMTDISC, AT+QMTCONN? prints no line",
            _conn_disconnected,
            basis="decided",
        ),
        Behaviour(
            "AT+QMTRECV",
            "unconnected",
            "AT+QMTRECV? answers OK alone without a connection",
            _recv_unconnected,
            only=has_store,
        ),
        Behaviour("AT+QMTCFG", "open", "settings may be changed before AT+QMTCONN", _set_while_open, _set_basis),
    )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        if not document.is_qmt:
            return
        index = min(2, document.clients - 1)
        words = ("initialising", "connecting", "connected")
        yield Breakage(
            "AT+QMTCONN? says another state",
            frozenset(name for name in self.ids(document, *words) if "/QMTCONN/" in name),
            faults=(f"reworded:from='+QMTCONN: {index},',to='+QMTCONN: {index},9',line=AT+QMTCONN?",),
        )
        yield Breakage(
            "AT+QMTOPEN? says another host",
            frozenset(name for name in self.ids(document, "opened", "connected", "two") if "/QMTOPEN/" in name),
            faults=(f"reworded:from='+QMTOPEN: {index},\"',to='+QMTOPEN: {index},\"not.',line=AT+QMTOPEN?",),
        )
