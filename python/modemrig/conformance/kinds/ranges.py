"""Facts about values: the smallest and the largest number a parameter takes, and the ones beyond."""

from __future__ import annotations

from collections.abc import Iterator

from modemrig.conformance.document import CLIENT_PARAMS, Command, Document, Param, Variant
from modemrig.conformance.facts import Fact, fact_id
from modemrig.conformance.kinds.kind import Breakage, Kind, difference
from modemrig.conformance.probe import Probe
from modemrig.conformance.samples import line, ready, typed


def numbers(document: Document) -> Iterator[tuple[Command, Variant, Param]]:
    """Every number that a command takes, once for each way of writing it."""
    for command in document.commands:
        for variant in command.variants:
            for name in variant.params:
                if command.params[name].type == "int":
                    yield command, variant, command.params[name]


class Maximum(Kind):
    """The largest documented number is taken."""

    name = "maximum"
    title = "The largest documented value is taken."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant, param in numbers(document):
            if param.max is not None and param.name not in CLIENT_PARAMS:
                values = {param.name: str(param.max)}
                count = max(variant.params.index(param.name) + 1, variant.required)
                count = next((each for each in sorted(variant.counts) if each >= count), count)
                yield Fact(
                    fact_id(document.id, variant.section, command.short, variant.key, param.name, self.name),
                    self.name,
                    command.name,
                    f"{param.name} of {command.name} may be {param.max}{' ' + param.unit if param.unit else ''}",
                    variant.basis,
                    needs=(),
                    about={
                        "command": command.name,
                        "variant": variant.key,
                        "param": param.name,
                        "value": param.max,
                        "line": line(command, variant, values, count=count),
                        "typed": typed(variant, values, count=count),
                    },
                )

    def check(self, probe: Probe, fact: Fact) -> None:
        command = probe.document.command(fact.about["command"])
        assert command is not None
        ready(probe, command, command.variant(fact.about["variant"]))
        probe.accept(probe.fill(fact.about["line"]), fact.about["typed"])

    def breakages(self, document: Document) -> Iterator[Breakage]:
        facts = list(self.facts(document))
        smaller = {
            ("commands", fact.subject, "params", fact.about["param"], "max"): fact.about["value"] - 1 for fact in facts
        }
        yield Breakage("every largest value is one smaller", frozenset(fact.id for fact in facts), difference(smaller))
