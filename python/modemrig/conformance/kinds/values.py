"""Facts about values: those that are enumerated, one that is not, another type, a key that is not there, letter case."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from modemrig.conformance.document import CLIENT_PARAMS, Document
from modemrig.conformance.facts import Fact
from modemrig.conformance.kinds.kind import Breakage, difference
from modemrig.conformance.kinds.lines import Refused, Taken, is_told_apart, ways, written_params
from modemrig.conformance.kinds.texts import BEGINNINGS
from modemrig.conformance.probe import Probe
from modemrig.conformance.samples import STANDS_IN, written


class Value(Taken):
    """Every enumerated value is taken."""

    name = "value"
    title = "Each enumerated value is taken."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant in ways(document):
            for name in variant.params:
                param = command.params[name]
                for value, meaning in param.values.items():
                    wire = param.wire(value)
                    yield self.fact(
                        document,
                        command,
                        variant,
                        (name, f"{self.name}-{value}"),
                        statement=f"{name} of {command.name} may be {wire}: {meaning}",
                        about=written(command, variant, APART | {name: wire}) | {"param": name, "value": value},
                    )

    def check(self, probe: Probe, fact: Fact) -> None:
        try:
            super().check(probe, fact)
        finally:
            if fact.about["param"] in ("retain", "retained") and fact.about["value"] == "1":
                probe.peer.forget([probe.topic("sample")], [])

    def breakages(self, document: Document) -> Iterator[Breakage]:
        broken: set[str] = set()
        entries: dict[tuple[str, ...], object] = {}
        for fact in filter(partial(is_told_apart, document), self.facts(document)):
            param, path = fact.about["param"], ("commands", fact.subject)
            # Values that no other fact uses: that a packet is repeated before anything was lost, and these two together.
            if (param, fact.about["value"]) == ("timeout_notice", "1"):
                together = [f"{param}=1", *(f"{name}={value}" for name, value in APART.items())]
                entries[(*path, "variants", fact.about["variant"], "forbid")] = [together]
            elif (param, fact.about["value"]) == ("dup", "1") and fact.subject in ("AT+CMQTTSUB", "AT+CMQTTUNSUB"):
                entries[(*path, "params", param, "values", "remove")] = ["1"]
            else:
                continue
            broken.add(fact.id)
        yield Breakage("an enumerated value is refused", frozenset(broken), difference(entries))


APART = {"pkt_timeout": "59"}
"""Values beside the one that is checked, where they can be given, that no other fact gives."""


class UnknownValue(Refused):
    """A number that is not enumerated is refused."""

    name = "unknown-value"
    title = "A value that is not enumerated is refused."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant, param in written_params(document, "int"):
            if param.values and param.min is None and param.max is None:
                value = max(map(int, param.values)) + 1
                yield self.fact(
                    document,
                    command,
                    variant,
                    (param.name, self.name),
                    statement=f"{param.name} of {command.name} cannot be {value}",
                    about=written(command, variant, {param.name: str(value)}) | {"param": param.name, "value": value},
                )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        facts = list(filter(partial(is_told_apart, document), self.facts(document)))
        further = {
            ("commands", fact.subject, "params", fact.about["param"], "values", str(fact.about["value"])): "more"
            for fact in facts
        }
        yield Breakage("one value more is taken", frozenset(fact.id for fact in facts), difference(further))


class WrongType(Refused):
    """Text is no number; what is documented as text stands in quotation marks."""

    name = "wrong-type"
    title = "Text in place of a number, and bare text in place of a quoted one, is refused."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant in ways(document):
            for name in variant.params:
                param = command.params[name]
                if param.type == "int":
                    wire, words, basis = '"text"', "cannot be text", variant.basis
                elif not param.is_bare:
                    # That its quotation marks are needed is printed, not said.
                    wire, words, basis = (
                        f"{BEGINNINGS.get(name, '')}bare",
                        "cannot stand without quotation marks",
                        "decided",
                    )
                else:
                    continue
                yield self.fact(
                    document,
                    command,
                    variant,
                    (name, self.name),
                    statement=f"{name} of {command.name} {words}",
                    basis=basis,
                    about=written(command, variant, {name: wire}) | {"param": name},
                )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        # Such a module takes text for the number 1.
        facts = []
        for fact in self.facts(document):
            command = document.command(fact.subject)
            assert command is not None
            param = command.params[fact.about["param"]]
            is_lost = param.name in CLIENT_PARAMS and STANDS_IN[command.name] != "idle"  # that client is not there
            if param.type == "string" or (param.allows(1) and not is_lost):
                facts.append(fact)
        yield Breakage("types do not count", frozenset(fact.id for fact in facts), quirks=("bare_text_taken",))


class UnknownKey(Refused):
    """A setting that does not exist is refused."""

    name = "unknown-key"
    title = "A key that is not documented is refused."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command in document.commands:
            keyed = next((variant for variant in command.variants if variant.is_keyed), None)
            if keyed is not None:
                about = written(command, keyed)
                yield self.fact(
                    document,
                    command,
                    keyed,
                    (self.name,),
                    statement=f"{command.name} has no setting {KEY}",
                    about=about | {"line": about["line"].replace(f'"{keyed.key}"', f'"{KEY}"')},
                )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        facts = list(self.facts(document))
        entries: dict[tuple[str, ...], object] = {}
        for fact in facts:
            command = document.command(fact.subject)
            like = None if command is None else command.variant(fact.about["variant"])
            assert like is not None
            path = ("commands", fact.subject, "variants", KEY)
            entries |= {(*path, "key"): KEY, (*path, "params"): like.params, (*path, "counts"): like.counts}
            entries[(*path, "required")] = like.required
        yield Breakage("there is a setting more", frozenset(fact.id for fact in facts), difference(entries))


KEY = "modemrig"
"""A setting that no document has."""


class LetterCase(Taken):
    """Commands and keys may be written in either case."""

    name = "letter-case"
    title = "Names of commands and keys may be written in small letters or capitals."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant in ways(document):
            about = written(command, variant)
            if variant is command.variants[0]:
                line = about["line"].replace(command.name, command.name.lower(), 1)
                yield self.fact(
                    document,
                    command,
                    variant,
                    ("name", self.name),
                    statement=f"{command.name} may be written in small letters",
                    basis="decided",
                    about=about | {"line": line},
                )
            if variant.is_keyed:
                line = about["line"].replace(f'"{variant.key}"', f'"{variant.key.swapcase()}"', 1)
                yield self.fact(
                    document,
                    command,
                    variant,
                    ("key", self.name),
                    statement=f'"{variant.key}" of {command.name} may be written in capitals',
                    basis="decided",
                    about=about | {"line": line},
                )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        names = frozenset(fact.id for fact in self.facts(document) if "/name/" in fact.id)
        yield Breakage("names of commands must be in capitals", names, quirks=("upper_case_only",))
