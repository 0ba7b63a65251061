"""Facts about the forms of a command: test, read, and what they answer."""

from __future__ import annotations

import operator
from collections.abc import Iterator

from modemrig.conformance.document import Document
from modemrig.conformance.facts import Fact, fact_id
from modemrig.conformance.kinds.kind import Breakage, Kind, difference
from modemrig.conformance.probe import Probe


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
