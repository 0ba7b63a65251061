"""Facts about the forms of a command: test, read, and what they answer; and other spellings of its name.

What the read forms of AT+QMT… say in each state is a fact of ``states``.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator

from modemrig.conformance.document import Document
from modemrig.conformance.facts import Fact, fact_id
from modemrig.conformance.kinds.kind import Breakage, Kind, difference
from modemrig.conformance.kinds.lines import Taken
from modemrig.conformance.ladder import State
from modemrig.conformance.probe import Probe
from modemrig.conformance.samples import written
from modemrig.hil.wire import same


class TestForm(Kind):
    """``AT+QMTOPEN=?`` answers as printed."""

    name = "test-form"
    title = "The test form answers literally as the document prints it."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command in document.commands:
            if "test" in command.forms:
                yield Fact(
                    fact_id(document.id, command.section, command.short, self.name),
                    self.name,
                    command.name,
                    f"{command.name}=? answers literally as printed",
                    command.basis,
                    about={"line": f"{command.name}=?", "expected": [*command.test_reply, "OK"]},
                )

    def check(self, probe: Probe, fact: Fact) -> None:
        probe.expect(probe.ask(fact.about["line"]), fact.about["expected"], operator.eq)

    def breakages(self, document: Document) -> Iterator[Breakage]:
        facts = list(self.facts(document))
        other = {("commands", fact.subject, "test_reply"): [f"{fact.subject[2:]}: (7)"] for fact in facts}
        yield Breakage("every test form prints something else", frozenset(fact.id for fact in facts), difference(other))


READS: dict[tuple[str, State], tuple[str, ...]] = {
    ("AT+CMQTTACCQ", "acquired"): ('+CMQTTACCQ: {client},"{client_id}",0',),
    ("AT+CMQTTREL", "acquired"): (),
    ("AT+CMQTTCONNECT", "acquired"): ("+CMQTTCONNECT: {client}",),
    ("AT+CMQTTCONNECT", "connected"): ('+CMQTTCONNECT: {client},"tcp://{host}:{port}",60,1{login}',),
    ("AT+CMQTTDISC", "acquired"): ("+CMQTTDISC: {client},1",),
    ("AT+CMQTTDISC", "connected"): ("+CMQTTDISC: {client},0",),
    ("AT+CMQTTSUB", "connected"): ("+CMQTTSUB:",),
}
"""What a read form answers before ``OK``, by command and state; those of settings are facts of ``settings``."""


class ReadForm(Kind):
    """``AT+CMQTTDISC?`` answers with the state of the connection."""

    name = "read-form"
    title = "The read form answers what the document prints for the state."

    def facts(self, document: Document) -> Iterator[Fact]:
        for (name, state), lines in READS.items():
            command = document.command(name)
            if command is not None and "read" in command.forms:
                yield Fact(
                    fact_id(document.id, command.section, command.short, f"{state}-{self.name}"),
                    self.name,
                    command.name,
                    f"{name}? answers {' and '.join(line.partition(':')[0] for line in lines) or 'OK alone'}, {state}",
                    command.basis,
                    needs=("sim",),
                    about={"line": f"{name}?", "state": state, "expected": [*lines, "OK"]},
                )

    def check(self, probe: Probe, fact: Fact) -> None:
        probe.reach(fact.about["state"])
        expected = [probe.fill(line) for line in fact.about["expected"]]
        probe.expect(probe.ask(fact.about["line"]), expected, same)

    def breakages(self, document: Document) -> Iterator[Breakage]:
        # The one whose answer no other fact looks at.
        if facts := [fact for fact in self.facts(document) if fact.subject == "AT+CMQTTREL"]:
            line = {("commands", fact.subject, "read_reply"): [["client_index"]] for fact in facts}
            title = "a read form answers with a line where there is none"
            said = ("CMQTTREL/read-form-says-nothing", "CMQTTREL/acquired-read-form")
            yield Breakage(title, frozenset(fact.id for fact in facts), difference(line), also=said)


class Spelling(Taken):
    """A name that the document prints in two ways is known in both."""

    name = "also-spelling"
    title = "Another spelling that the document prints is known, too."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command in document.commands:
            for other in command.also:
                about = written(command, command.variants[0])
                yield self.fact(
                    document,
                    command,
                    command.variants[0],
                    (other.removeprefix("AT+"), self.name),
                    statement=f"{command.name} is known as {other}, too",
                    about=about | {"line": about["line"].replace(command.name, other, 1)},
                )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        if facts := list(self.facts(document)):
            none: dict[tuple[str, ...], object] = {("commands", fact.subject, "also"): [] for fact in facts}
            fails, said = (
                frozenset(fact.id for fact in facts),
                tuple(f"and-as-{fact.subject.lower()}" for fact in facts),
            )
            yield Breakage("a command has one name", fails, difference(none), also=said)
