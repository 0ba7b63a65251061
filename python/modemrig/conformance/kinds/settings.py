"""Facts about settings: what a query shows, what is kept and what is lost, and when they may be changed.

Not here: what they are after power-up (``defaults``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from modemrig.conformance.answer import Answer, Blocked, Differs
from modemrig.conformance.document import CLIENT_PARAMS, Command, Document, Param, Variant
from modemrig.conformance.facts import Fact, fact_id
from modemrig.conformance.kinds.kind import Breakage, Kind, difference
from modemrig.conformance.kinds.lines import is_wrong, ways
from modemrig.conformance.ladder import State
from modemrig.conformance.probe import Probe
from modemrig.conformance.samples import STANDS_IN, line, typed
from modemrig.conformance.verdict import Basis
from modemrig.hil.wire import Line, same

READ_IN: dict[str, State] = {"AT+CMQTTACCQ": "acquired"}
"""The state in which a value is read, where it is not the one in which it is written."""
SHOW_SETTINGS = (
    *("CMQTTSSLCFG/forgotten-when-connecting-fails", "CMQTTSSLCFG/forgotten-with-disconnection"),
    *("CMQTTSSLCFG/before-acquiring", "CMQTTCFG/forgotten", "CMQTTCFG/kept", "acquired-read-form"),
)
"""What looks at settings through the read form."""


def reading(command: Command, variant: Variant) -> tuple[str, tuple[str, ...]] | None:
    """How values are asked for, and the names of the fields that come; ``None`` where they cannot be."""
    if variant.query is not None and variant.is_keyed:
        return f'{command.name}="{variant.key}",{{client}}', ("key", *variant.query)
    own = {name for name in variant.params if name not in CLIENT_PARAMS}
    shape = next((shape for shape in command.read_reply if own & set(shape)), None)
    return None if shape is None else (f"{command.name}?", shape)


def settings(document: Document) -> Iterator[tuple[Command, Variant, tuple[str, tuple[str, ...]]]]:
    """Every setting that can be read back."""
    for command, variant in ways(document):
        how = reading(command, variant)
        if how is not None and (variant.is_keyed or command.name.endswith("CFG")):
            yield command, variant, how


def other(param: Param) -> str:
    """A value that the module takes and that is not the default, as it stands on the wire."""
    if param.type == "string":
        return param.wire("other")
    if param.values and param.min is None:
        return next(value for value in reversed(list(param.values)) if value != param.default)
    low, high = param.min or 0, param.max if param.max is not None else 100
    return str(next(value for value in (low + 2, high) if low <= value <= high and str(value) != param.default))


def others(command: Command, variant: Variant) -> dict[str, str]:
    """Such values for every parameter but the client."""
    names = [name for name in variant.params if name not in CLIENT_PARAMS and name != variant.payload_length]
    return {name: other(command.params[name]) for name in names} | (
        {variant.payload_length: "5"} if variant.payload_length else {}
    )


def needs_of(command: Command) -> tuple[str, ...]:
    """Of a fact about a setting."""
    return () if STANDS_IN[command.name] == "idle" else ("sim",)


class Setting(Kind):
    """A kind whose facts are about a setting, whole."""

    statement: ClassVar[str]

    def setting(
        self, document: Document, command: Command, variant: Variant, basis: Basis, needs: tuple[str, ...] = ()
    ) -> Fact:
        """A fact about a setting."""
        how = reading(command, variant)
        assert how is not None
        values = others(command, variant)
        subject = f'"{variant.key}" of {command.name}' if variant.is_keyed else command.name
        return Fact(
            fact_id(document.id, variant.section, command.short, variant.key, self.name),
            self.name,
            command.name,
            self.statement.format(subject),
            basis,
            needs=tuple(dict.fromkeys((*needs_of(command), *needs))),
            about={
                "command": command.name,
                "variant": variant.key,
                "values": values,
                "line": line(command, variant, values, count=len(variant.params)),
                "typed": typed(variant, values, count=len(variant.params)),
                "query": how[0],
                "fields": how[1],
            },
        )

    @staticmethod
    def put(probe: Probe, fact: Fact) -> None:
        """Write other values than the defaults.

        Raises:
            Blocked: they are not taken.
        """
        answer = probe.ask(probe.fill(fact.about["line"]), fact.about["typed"])
        if answer.final != "OK":
            raise Blocked(f"{answer.sent} was answered {answer.shown()!r}")

    @staticmethod
    def shown(probe: Probe, fact: Fact) -> dict[str, str]:
        """The values that are read back, by name."""
        return by_name(probe.ask(probe.fill(fact.about["query"])), fact.about["fields"])


def by_name(answer: Answer, names: tuple[str, ...]) -> dict[str, str]:
    """The fields of the information response.

    Raises:
        Differs: there is none.
    """
    information = [each for each in answer.lines if each.startswith("+")]
    if answer.final != "OK" or not information:
        raise Differs("a line with the values, and OK", answer.shown())
    return dict(zip(names, Line.parse(information[0]).fields, strict=False))


def bare(values: dict[str, str]) -> dict[str, str]:
    """Values without their quotation marks."""
    return {name: value.strip('"') for name, value in values.items()}


class Query(Setting):
    """A query shows every value that was set, in the documented order."""

    name = "query"
    title = "The query shows the values that were set, in the documented shape."
    statement = "asked for {}, the module shows the values that were set"

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant, _ in settings(document):
            yield self.setting(document, command, variant, variant.basis)

    def check(self, probe: Probe, fact: Fact) -> None:
        probe.reach(STANDS_IN[fact.subject])
        self.put(probe, fact)
        values = fact.about["values"] | {"key": f'"{fact.about["variant"]}"'}
        fields = [
            "0" if name in CLIENT_PARAMS else values.get(name, f"<{name}>")  # any, where it cannot be set
            for name in fact.about["fields"]
        ]
        expected = [f"{fact.subject[2:]}: {','.join(fields)}", "OK"]
        probe.expect(probe.ask(probe.fill(fact.about["query"])), expected, same)

    def breakages(self, document: Document) -> Iterator[Breakage]:
        broken: set[str] = set()
        entries: dict[tuple[str, ...], object] = {}
        for fact in self.facts(document):
            command = document.command(fact.subject)
            variant = None if command is None else command.variant(fact.about["variant"])
            assert variant is not None
            if variant.query is not None:
                path = ("commands", fact.subject, "variants", variant.key, "query")
                entries[path] = [*variant.query, variant.query[-1]]
                broken.add(fact.id)
        if broken:
            title = "a query shows its last value twice"
            yield Breakage(title, frozenset(broken), difference(entries), also=("payload/last-writer",))
        else:
            yield Breakage(
                "a read form shows its last value twice",
                frozenset(fact.id for fact in self.facts(document)),
                difference(
                    {
                        ("commands", fact.subject, "read_reply"): [[*fact.about["fields"], fact.about["fields"][-1]]]
                        for fact in self.facts(document)
                    }
                ),
                also=SHOW_SETTINGS,
            )


class Kept(Setting):
    """A parameter that is left out keeps its value."""

    name = "left-out"
    title = "A parameter that is left out keeps its value."
    statement = "a parameter of {} that is left out keeps its value"

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant, _ in settings(document):
            if len([count for count in variant.counts if min(variant.counts) < count < max(variant.counts)]) and (
                not variant.counts_when
            ):
                said = any("left out keeps" in note for note in command.notes)
                yield self.setting(document, command, variant, variant.basis if said else "decided")

    def check(self, probe: Probe, fact: Fact) -> None:
        command = probe.document.command(fact.subject)
        assert command is not None
        variant = command.variant(fact.about["variant"])
        assert variant is not None
        probe.reach(STANDS_IN[fact.subject])
        self.put(probe, fact)
        count = sorted(variant.counts)[1]
        usual = line(command, variant, {}, count=count)
        answer = probe.ask(probe.fill(usual))
        if answer.final != "OK":
            raise Blocked(f"{answer.sent} was answered {answer.shown()!r}")
        expected = bare({name: fact.about["values"][name] for name in variant.params[count:]})
        observed = self.shown(probe, fact)
        if any(observed.get(name) != value for name, value in expected.items()):
            raise Differs(str(expected), str(observed))

    def breakages(self, document: Document) -> Iterator[Breakage]:
        if facts := list(self.facts(document)):
            title = "what is left out goes back to its default"
            yield Breakage(title, frozenset(fact.id for fact in facts), quirks=("left_out_is_default",))


class Locked(Setting):
    """While a client is connected its settings cannot be changed."""

    name = "locked"
    title = "Settings cannot be changed while the client is connected."
    statement = "{} cannot be changed while the client is connected"

    def facts(self, document: Document) -> Iterator[Fact]:
        command = document.command("AT+QMTCFG")
        if command is not None:
            said = next((note for note in command.notes if "only while no MQTT connection exists" in note), None)
            for variant in command.variants:
                excepted = said is None or f"not say so for {variant.key}" in said
                yield self.setting(document, command, variant, "decided" if excepted else variant.basis, ("sim",))

    def check(self, probe: Probe, fact: Fact) -> None:
        probe.reach("connected")
        before = self.shown(probe, fact)
        answer = probe.ask(probe.fill(fact.about["line"]), fact.about["typed"])
        if not (answer.is_refused or is_wrong(probe.document, answer)):
            raise Differs("ERROR", answer.shown())
        if self.shown(probe, fact) != before:
            raise Differs(str(before), str(self.shown(probe, fact)))

    def breakages(self, document: Document) -> Iterator[Breakage]:
        if facts := list(self.facts(document)):
            title = "settings may be changed at any time"
            yield Breakage(title, frozenset(fact.id for fact in facts), quirks=("settings_unlocked",))


class Outlasting(Setting):
    """A setting outlasts its connection."""

    name = "outlasts-close"
    title = "Settings outlast AT+QMTCLOSE."
    statement = "{} outlasts AT+QMTCLOSE"

    def facts(self, document: Document) -> Iterator[Fact]:
        command = document.command("AT+QMTCFG")
        if command is not None:
            for variant in command.variants:
                if "ssl_enable" not in variant.params and "cid" not in variant.params:
                    yield self.setting(document, command, variant, "decided", ("sim",))

    def check(self, probe: Probe, fact: Fact) -> None:
        probe.reach("idle")
        self.put(probe, fact)
        before = self.shown(probe, fact)
        probe.reach("opened")
        answer = probe.ask(probe.fill("AT+QMTCLOSE={client}"))
        if answer.final != "OK":
            raise Blocked(f"{answer.sent} was answered {answer.shown()!r}")
        if (now := self.shown(probe, fact)) != before:
            raise Differs(str(before), str(now))

    def breakages(self, document: Document) -> Iterator[Breakage]:
        if facts := list(self.facts(document)):
            title = "AT+QMTCLOSE forgets the settings"
            yield Breakage(title, frozenset(fact.id for fact in facts), quirks=("settings_forgotten",))


class NotSaved(Setting):
    """Nothing is saved over power-down."""

    name = "not-saved"
    title = "Settings are not saved over power-down."
    statement = "{} is not saved over power-down"

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant, _ in settings(document):
            if any("nothing is saved over power-down" in note for note in command.notes):
                yield self.setting(document, command, variant, variant.basis, ("power", "time"))

    def check(self, probe: Probe, fact: Fact) -> None:
        probe.power_cycle()  # what was never set can be shown in fewer words than what was set back
        probe.power_cycle()  # what was never set is shown otherwise than what was put back
        probe.reach(STANDS_IN[fact.subject])
        before = self.shown(probe, fact)
        self.put(probe, fact)
        probe.power_cycle()
        if (now := self.shown(probe, fact)) != before:
            raise Differs(str(before), str(now))

    def breakages(self, document: Document) -> Iterator[Breakage]:
        if facts := list(self.facts(document)):
            title = "settings are saved"
            yield Breakage(title, frozenset(fact.id for fact in facts), quirks=("settings_saved",))
