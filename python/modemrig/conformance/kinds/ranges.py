"""Facts about ranges: the smallest and the largest number a parameter takes, and the ones beyond.

Ends of a range that are enumerated as well are facts of ``values``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Literal

from modemrig.conformance.answer import Blocked
from modemrig.conformance.document import CLIENT_PARAMS, Command, Document, Param, Variant
from modemrig.conformance.facts import Fact
from modemrig.conformance.kinds.kind import Breakage, difference
from modemrig.conformance.kinds.lines import Refused, Taken, written_params
from modemrig.conformance.probe import Probe
from modemrig.conformance.samples import STANDS_IN, ready, sample, written


def ends(document: Document, end: Literal["min", "max"], step: int) -> Iterator[tuple[Command, Variant, Param, int]]:
    """Every range of the document, with the number that lies ``step`` beside an end and is not enumerated."""
    for command, variant, param in written_params(document, "int"):
        limit = param.min if end == "min" else param.max
        if limit is not None and param.name not in CLIENT_PARAMS and str(limit + step) not in param.values:
            yield command, variant, param, limit + step


def with_unit(value: int, param: Param) -> str:
    """``60 s``"""
    return f"{value} {param.unit}" if param.unit else str(value)


def moved(facts: list[Fact], end: Literal["min", "max"], by: int) -> str:
    """A difference: this end of every range lies ``by`` away from the fact's value."""
    return difference(
        {("commands", fact.subject, "params", fact.about["param"], end): fact.about["value"] + by for fact in facts}
    )


def unusual(document: Document, facts: Iterator[Fact]) -> list[Fact]:
    """Facts about numbers that are not the usual ones in the lines of other facts, too."""
    commands = {command.name: command for command in document.commands}
    return [
        fact for fact in facts if sample(commands[fact.subject].params[fact.about["param"]]) != str(fact.about["value"])
    ]


class Minimum(Taken):
    """The smallest documented number is taken."""

    name = "minimum"
    title = "The smallest documented value is taken."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant, param, value in ends(document, "min", 0):
            yield self.fact(
                document,
                command,
                variant,
                (param.name, self.name),
                statement=f"{param.name} of {command.name} may be as small as {with_unit(value, param)}",
                about=written(command, variant, {param.name: str(value)}) | {"param": param.name, "value": value},
            )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        facts = [fact for fact in unusual(document, self.facts(document)) if fact.about["param"] not in COMMON]
        yield Breakage("every smallest value is one larger", frozenset(f.id for f in facts), moved(facts, "min", 1))


class Maximum(Taken):
    """The largest documented number is taken."""

    name = "maximum"
    title = "The largest documented value is taken."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant, param, value in ends(document, "max", 0):
            yield self.fact(
                document,
                command,
                variant,
                (param.name, self.name),
                statement=f"{param.name} of {command.name} may be as large as {with_unit(value, param)}",
                about=written(command, variant, {param.name: str(value)}) | {"param": param.name, "value": value},
            )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        facts = unusual(document, self.facts(document))
        yield Breakage("every largest value is one smaller", frozenset(f.id for f in facts), moved(facts, "max", -1))


class Below(Refused):
    """A number below the smallest is refused."""

    name = "below"
    title = "One below the smallest documented value is refused."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant, param, value in ends(document, "min", -1):
            yield self.fact(
                document,
                command,
                variant,
                (param.name, self.name),
                statement=f"{param.name} of {command.name} cannot be as small as {with_unit(value, param)}",
                about=written(command, variant, {param.name: str(value)}) | {"param": param.name, "value": value},
            )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        facts = [
            fact
            for fact in self.facts(document)
            if fact.about["param"] not in LOOKED_AT and fact.about["typed"] is None  # an input of no length has no end
        ]
        # What is one value of two ways of writing is so in both.
        moves = {(fact.subject, fact.about["param"]) for fact in facts}
        fails = frozenset(f.id for f in self.facts(document) if (f.subject, f.about["param"]) in moves)
        yield Breakage("one below every smallest value is taken", fails, moved(facts, "min", 0))


class Above(Refused):
    """A number above the largest is refused."""

    name = "above"
    title = "One above the largest documented value is refused."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant, param, value in ends(document, "max", 1):
            yield self.fact(
                document,
                command,
                variant,
                (param.name, self.name),
                statement=f"{param.name} of {command.name} cannot be as large as {with_unit(value, param)}",
                about=written(command, variant, {param.name: str(value)}) | {"param": param.name, "value": value},
            )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        facts = [fact for fact in self.facts(document) if fact.about["param"] not in LOOKED_AT]
        yield Breakage("one above every largest value is taken", frozenset(f.id for f in facts), moved(facts, "max", 0))


class LargestClient(Taken):
    """The last client answers as well as the first."""

    name = "last-client"
    title = "The largest documented number of a client is taken."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant, param in written_params(document, "int"):
            if param.name in CLIENT_PARAMS and param.max:
                yield self.fact(
                    document,
                    command,
                    variant,
                    (param.name, self.name),
                    statement=f"{command.name} is taken for client {param.max}",
                    about=written(command, variant) | {"param": param.name, "client": param.max},
                )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        facts = list(self.facts(document))
        # A client that cannot be opened cannot be connected either, and one that cannot be closed stays open: step by step.
        steps = {
            "there is a client less": [fact for fact in facts if STANDS_IN[fact.subject] == "idle"],
            "one client cannot be connected": [fact for fact in facts if fact.subject == "AT+QMTCONN"],
            "one client cannot unsubscribe": [fact for fact in facts if fact.subject == "AT+QMTUNS"],
        }
        for title, chosen in steps.items():
            if chosen:
                last = {
                    ("commands", fact.subject, "params", fact.about["param"], "max"): fact.about["client"] - 1
                    for fact in chosen
                }
                yield Breakage(title, frozenset(fact.id for fact in chosen), difference(last))


class UnknownClient(Refused):
    """There is no client beyond the last."""

    name = "unknown-client"
    title = "A client with a number above the largest does not exist."

    def check(self, probe: Probe, fact: Fact) -> None:
        command = probe.document.command(fact.about["command"])
        assert command is not None
        # Where there is such a client, it is refused for nothing but its number. Clients of AT+CMQTT… share one service.
        client = fact.about["value"] if probe.document.is_qmt else 0
        with contextlib.suppress(Blocked):
            ready(probe, command, command.variant(fact.about["variant"]), client)
        probe.moved()
        self.refused(probe, self.ask_now(probe, fact))

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant, param in written_params(document, "int"):
            if param.name in CLIENT_PARAMS and param.max is not None:
                value = param.max + 1
                yield self.fact(
                    document,
                    command,
                    variant,
                    (param.name, self.name),
                    statement=f"{command.name} is refused for client {value}: there is none",
                    about=written(command, variant, {param.name: str(value)}) | {"param": param.name, "value": value},
                )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        facts = list(self.facts(document))
        fails = frozenset(fact.id for fact in facts)
        if document.is_qmt:
            differs = difference({("clients",): document.clients + 1}) + moved(facts, "max", 0)
            yield Breakage("there is a client more", fails, differs, also=("note/the-test-form-prints-a-second",))
            return
        # One client more of AT+CMQTT… would be in no state for most commands, and show itself in every read form.
        lines = sorted(
            {fact.about["line"].partition(str(fact.about["value"]))[0] + str(fact.about["value"]) for fact in facts}
        )
        taken = tuple(f"reworded:from=ERROR,to=OK,line='{line}'" for line in lines)
        yield Breakage("a number above that of the last client is answered OK", fails, faults=taken)


COMMON = ("pkt_timeout", "retry_times", "recv_id", "msgid", "port", "pub_timeout", "req_length", "qos")
"""Parameters whose smallest value other facts use."""
LOOKED_AT = ("port", "msgid", "qos")
"""Parameters that a virtual module cannot take beyond their range, whatever its document says."""
