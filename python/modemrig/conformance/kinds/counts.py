"""Facts about how many parameters there may be, and which of their values exclude each other."""

from __future__ import annotations

from collections.abc import Iterator

from modemrig.conformance.document import Command, Document, Variant
from modemrig.conformance.facts import Fact
from modemrig.conformance.kinds.kind import Breakage, difference
from modemrig.conformance.kinds.lines import Refused, Taken, ways
from modemrig.conformance.samples import sample, written


def counts(command: Command, variant: Variant) -> set[int]:
    """How many parameters are documented; ways without a key cannot be told apart but by their number."""
    if variant.is_keyed:
        return set(variant.counts)
    return {count for each in command.variants if not each.is_keyed for count in each.counts}


def distinct(document: Document) -> Iterator[tuple[Command, Variant]]:
    """Every way of writing a command; of those that only differ by their number of parameters, the longest."""
    for command in document.commands:
        plain = [variant for variant in command.variants if not variant.is_keyed]
        if plain and plain[0].params:
            yield command, max(plain, key=lambda variant: len(variant.params))
        for variant in command.variants:
            if variant.is_keyed:
                yield command, variant


def named(variant: Variant) -> str:
    """``"timeout" of``, for a setting."""
    return f'"{variant.key}" of ' if variant.is_keyed else ""


class Count(Taken):
    """Every documented number of parameters is taken."""

    name = "count"
    title = "Each documented number of parameters is taken."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant in ways(document):
            for count in variant.counts:
                values = self._values(variant, count)
                yield self.fact(
                    document,
                    command,
                    variant,
                    (f"{self.name}-{count}",),
                    statement=f"{named(variant)}{command.name} takes {count} parameters",
                    about=written(command, variant, values, count=count) | {"count": count},
                )
            if variant.repeat:
                count = len(variant.params) + len(variant.repeat)
                values = {}
                about = written(command, variant, values, count=len(variant.params))
                more = ",".join(sample(command.params[name]) for name in variant.repeat)
                line = f"{about['line']},{more.replace('{topic}', '{topic}/2')}"
                yield self.fact(
                    document,
                    command,
                    variant,
                    (f"{self.name}-{count}",),
                    statement=f"{command.name} takes {', '.join(variant.repeat)} more than once",
                    about=about | {"line": line, "count": count},
                )

    @staticmethod
    def _values(variant: Variant, count: int) -> dict[str, str]:
        """Values that go with so many parameters."""
        values = {"ssl_enable": "1"} if "ssl_enable" in variant.params[:count] else {}
        for condition, allowed in variant.counts_when.items():
            name, _, value = condition.partition("=")
            if count in allowed and count != min(variant.counts):
                values[name] = value
        return values

    def breakages(self, document: Document) -> Iterator[Breakage]:
        broken: set[str] = set()
        entries: dict[tuple[str, ...], object] = {}
        for fact in self.facts(document):
            variant, count = the_way(document, fact), fact.about["count"]
            if not min(variant.counts) < count < max(variant.counts):
                continue
            path = ("commands", fact.subject, "variants", variant.key)
            # Numbers that no other fact uses: a user name alone, and TLS without a context.
            if variant.params[count - 1] in ("username", "user_name"):
                entries[(*path, "counts")] = [each for each in variant.counts if each != count]
                broken.add(fact.id)
            elif variant.params[count - 1] == "ssl_enable":
                entries[(*path, "counts_when", "ssl_enable=1")] = [max(variant.counts)]
                broken.add(fact.id)
        yield Breakage("parameters that may be left out must be given", frozenset(broken), difference(entries))


class TooFew(Refused):
    """A parameter less than the least is refused."""

    name = "too-few"
    title = "One parameter less than the least is refused."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant in distinct(document):
            count = min(counts(command, variant)) - 1
            if count >= (0 if variant.is_keyed else 1):
                yield self.fact(
                    document,
                    command,
                    variant,
                    (self.name,),
                    statement=f"{named(variant)}{command.name} is refused with {count} parameters",
                    about=written(command, variant, count=count) | {"count": count},
                )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        facts = [fact for fact in self.facts(document) if fact.subject in DISPENSABLE]
        yield Breakage("one parameter less will do", frozenset(f.id for f in facts), widened(document, facts))


DISPENSABLE = ("AT+QMTPUBEX", "AT+QMTTENAUTH", "AT+CMQTTACCQ", "AT+CMQTTPUB")
"""Commands that a virtual module can carry out without their last parameter, if its document lets it."""


class TooMany(Refused):
    """A parameter more than the most is refused."""

    name = "too-many"
    title = "One parameter more than the most is refused."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant in distinct(document):
            count = max(counts(command, variant)) + 1
            if len(variant.repeat) == 1:
                continue  # one more is one more topic
            about = written(command, variant, count=count - 1)
            yield self.fact(
                document,
                command,
                variant,
                (self.name,),
                statement=f"{named(variant)}{command.name} is refused with {count} parameters",
                about=about | {"line": f"{about['line']},1", "count": count},
            )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        # A group that may be repeated has no end at which one more could stand.
        facts = [fact for fact in self.facts(document) if not the_way(document, fact).repeat]
        entries: dict[tuple[str, ...], object] = {}
        for fact in facts:
            variant = the_way(document, fact)
            path = ("commands", fact.subject, "variants", variant.key)
            for condition, allowed in variant.counts_when.items():
                if max(variant.counts) in allowed:
                    entries[(*path, "counts_when", condition)] = [*allowed, fact.about["count"]]
            entries[(*path[:2], "params", "surplus")] = {"title": "Not documented.", "type": "int"}
            entries[(*path, "params")] = [*variant.params, "surplus"]
            entries[(*path, "counts")] = [*variant.counts, fact.about["count"]]
        yield Breakage("one parameter more will do", frozenset(fact.id for fact in facts), difference(entries))


class Between(Refused):
    """A number of parameters between two documented ones is refused."""

    name = "between"
    title = "A number of parameters between two documented ones is refused."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant in distinct(document):
            documented = counts(command, variant)
            for count in range(min(documented) + 1, max(documented)):
                if count not in documented:
                    yield self.fact(
                        document,
                        command,
                        variant,
                        (f"{self.name}-{count}",),
                        statement=f"{named(variant)}{command.name} is refused with {count} parameters",
                        # Brackets around a group are printed; that it stands or falls whole is said of the will alone.
                        basis=variant.basis if variant.counts_when else "decided",
                        about=written(command, variant, count=count) | {"count": count},
                    )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        if facts := list(self.facts(document)):
            yield Breakage("any number will do", frozenset(f.id for f in facts), widened(document, facts))


class CountWhen(Refused):
    """A value that decides how many parameters there are is refused with another number of them."""

    name = "count-when"
    title = "Where a value decides how many parameters there are, another documented number is refused."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant in ways(document):
            for condition, allowed in variant.counts_when.items():
                name, _, value = condition.partition("=")
                for count in variant.counts:
                    if count not in allowed and count > variant.params.index(name):
                        yield self.fact(
                            document,
                            command,
                            variant,
                            (condition, f"{self.name}-{count}"),
                            statement=f"{named(variant)}{command.name} is refused with {count} parameters where {condition}",
                            about=written(command, variant, {name: value}, count=count)
                            | {"condition": condition, "count": count},
                        )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        if facts := list(self.facts(document)):
            entries = {
                ("commands", fact.subject, "variants", fact.about["variant"], "counts_when", fact.about["condition"]): [
                    *the_way(document, fact).counts_when[fact.about["condition"]],
                    fact.about["count"],
                ]
                for fact in facts
            }
            yield Breakage("a will may be half", frozenset(fact.id for fact in facts), difference(entries))


class Forbidden(Refused):
    """Values that exclude each other are refused together."""

    name = "forbidden"
    title = "Values that exclude each other are refused."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant in ways(document):
            for combination in variant.forbid:
                values = dict(each.split("=", 1) for each in combination)
                yield self.fact(
                    document,
                    command,
                    variant,
                    ("-".join(combination), self.name),
                    statement=f"{command.name} is refused with {' and '.join(combination)}",
                    about=written(command, variant, values),
                )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        if facts := list(self.facts(document)):
            places = dict.fromkeys((fact.subject, fact.about["variant"]) for fact in facts)
            nothing: dict[tuple[str, ...], object] = {
                ("commands", name, "variants", key, "forbid"): [] for name, key in places
            }
            yield Breakage(
                "values do not exclude each other", frozenset(fact.id for fact in facts), difference(nothing)
            )


def the_way(document: Document, fact: Fact) -> Variant:
    """The way of writing that a fact is about."""
    command = document.command(fact.subject)
    variant = None if command is None else command.variant(fact.about["variant"])
    assert variant is not None
    return variant


def widened(document: Document, facts: list[Fact]) -> str:
    """A difference: these numbers of parameters are taken as well."""
    entries: dict[tuple[str, ...], object] = {}
    for fact in facts:
        variant = the_way(document, fact)
        further = {each.about["count"] for each in facts if the_way(document, each) is variant}
        path = ("commands", fact.subject, "variants", variant.key)
        entries[(*path, "counts")] = sorted({*variant.counts, *further})
        for condition, allowed in variant.counts_when.items():
            if not condition.endswith("=0"):
                entries[(*path, "counts_when", condition)] = sorted({*allowed, *further})
    return difference(entries)
