"""Two kinds of check that many facts share: a line is taken, or it is refused. Made from ``samples.written``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from modemrig.conformance.answer import Answer, Differs
from modemrig.conformance.document import Command, Document, Param, Variant
from modemrig.conformance.facts import Fact, fact_id
from modemrig.conformance.kinds.kind import Kind
from modemrig.conformance.probe import Probe
from modemrig.conformance.samples import STANDS_IN, TYPED_LENGTH, ready
from modemrig.errors import BadValue

WRONG = ("wrong parameter", "invalid parameter", "length out of range")
"""What a late result may say in place of ``ERROR`` where a value is not allowed."""
REACHES_OUT = ("AT+QMTOPEN", "AT+QMTTENAUTH", "AT+CMQTTSTART")
"""Commands that an idle module takes and that need its network."""


class Lines(Kind):
    """A kind whose facts are about one line; ``about`` is what ``samples.written`` returns."""

    within_s: ClassVar[float | None] = None
    """How long the answer may take; ``None``: what the document says."""

    def fact(
        self, document: Document, command: Command, variant: Variant, words: tuple[str, ...], **more: object
    ) -> Fact:
        """A fact about a line of this command.

        Args:
            document: whose fact.
            command: the command.
            variant: the way it is written.
            words: the last words of its id.
            more: the other fields of the fact; ``about`` among them.
        """
        about = more["about"]
        assert isinstance(about, dict)
        more.setdefault("basis", variant.basis)
        return Fact(
            fact_id(document.id, variant.section, command.short, variant.key, *words),
            self.name,
            command.name,
            needs=self.needs(command),
            **more,  # type: ignore[arg-type]
        )

    def needs(self, command: Command) -> tuple[str, ...]:
        """What the state needs in which the command is taken."""
        return () if STANDS_IN[command.name] == "idle" else ("sim",)

    def ask(self, probe: Probe, fact: Fact) -> Answer:
        """Write the line where the module takes such lines."""
        command = probe.document.command(fact.about["command"])
        assert command is not None
        ready(probe, command, command.variant(fact.about["variant"]), fact.about.get("client", 0))
        return self.ask_now(probe, fact)

    def ask_now(self, probe: Probe, fact: Fact) -> Answer:
        """Write the line."""
        client = fact.about.get("client", 0)
        line, typed = probe.fill(fact.about["line"], client), fact.about["typed"]
        try:
            return probe.ask(line, typed, self.within_s)
        except BadValue:
            # Of a damaged line the host may think otherwise whether a prompt comes; nothing was written.
            return probe.ask(line, b"x" * TYPED_LENGTH if typed is None else None, self.within_s)


class Taken(Lines):
    """The line is taken."""

    def needs(self, command: Command) -> tuple[str, ...]:
        """A line that is taken may need the network itself."""
        return ("sim",) if command.name in REACHES_OUT else super().needs(command)

    def check(self, probe: Probe, fact: Fact) -> None:
        answer = self.ask(probe, fact)
        # The documents of SIMCom let ERROR come beside a result of the network.
        is_taken = answer.final == "OK" or (answer.is_refused and answer.late.startswith("+CMQTTCONNECT"))
        is_port_0 = fact.about.get("param") == "port" and fact.about.get("value") == 0  # which nobody can dial
        if not is_taken or (is_wrong(probe.document, answer) and not is_port_0):
            raise Differs("OK", answer.shown())


class Refused(Lines):
    """The line is refused, without a prompt."""

    within_s = 5.0
    """A refusal is no work; a module that takes the line may wait for what cannot come."""

    def check(self, probe: Probe, fact: Fact) -> None:
        self.refused(probe, self.ask(probe, fact))

    @staticmethod
    def refused(probe: Probe, answer: Answer) -> None:
        """The answer refuses a line.

        Raises:
            Differs: it does not.
        """
        if not (answer.is_refused or is_wrong(probe.document, answer)) or ">" in answer.lines:
            raise Differs("ERROR", answer.shown())


def is_wrong(document: Document, answer: Answer) -> bool:
    """Whether the late result says that a value is not allowed."""
    codes = [*document.codes, *(code for command in document.commands for code in command.codes)]
    name, _, fields = answer.late.partition(":")
    return any(
        code.meaning in WRONG
        and code.code == fields.rpartition(",")[2].strip()
        and (code.table.startswith(f"AT{name} ") or code.table == "CMQTT err")
        for code in codes
    )


def is_told_apart(document: Document, fact: Fact) -> bool:
    """Whether the way of writing a fact is about can be told from those before it by its number of parameters."""
    command = document.command(fact.subject)
    assert command is not None
    variant = command.variant(fact.about["variant"])
    assert variant is not None
    before = command.variants[: command.variants.index(variant)]
    return variant.is_keyed or not any(set(each.counts) & set(variant.counts) for each in before)


def ways(document: Document) -> Iterator[tuple[Command, Variant]]:
    """Every way of writing every command."""
    for command in document.commands:
        for variant in command.variants:
            yield command, variant


def written_params(document: Document, type_: str) -> Iterator[tuple[Command, Variant, Param]]:
    """Every parameter of a type that a command takes, once for each way of writing it."""
    for command, variant in ways(document):
        for name in variant.params:
            if command.params[name].type == type_:
                yield command, variant, command.params[name]
