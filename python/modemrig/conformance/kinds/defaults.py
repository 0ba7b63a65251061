"""Facts about defaults: what a value is after power-up, as a query or a packet shows it."""

from __future__ import annotations

from collections.abc import Iterator

from modemrig.conformance.answer import Differs
from modemrig.conformance.document import Command, Document, Variant
from modemrig.conformance.facts import Fact, Unchecked, fact_id
from modemrig.conformance.kinds.kind import Breakage, Kind, difference
from modemrig.conformance.kinds.lines import ways
from modemrig.conformance.kinds.settings import READ_IN, by_name, needs_of, reading
from modemrig.conformance.probe import Probe
from modemrig.conformance.samples import STANDS_IN, line, ready

SHOW_DEFAULTS = (
    *("CMQTTSSLCFG/forgotten-when-connecting-fails", "CMQTTSSLCFG/forgotten-with-disconnection"),
    *("CMQTTSSLCFG/left-out", "tls/context", "err/32/unusable", "err/33/certificate"),
)
"""What shows that the TLS context is the default one again, or uses it."""
IN_PACKET = {"AT+CMQTTPUB": {"retained": ("PUBLISH", "retain"), "dup": ("PUBLISH", "dup")}}
"""Defaults that only a packet shows: command, parameter, packet and its field."""
NOT_TOLD = {
    "AT+CMQTTDISC timeout": "A disconnection that takes no time ends alike with any limit.",
    "AT+CMQTTSUB dup": "MQTT 3.1.1 has no such flag in a SUBSCRIBE.",
    "AT+CMQTTUNSUB dup": "MQTT 3.1.1 has no such flag in an UNSUBSCRIBE.",
}
"""Defaults that nothing shows."""
NEVER_LEFT_OUT = "It must always be given."
SILENT = ("keep_alive_time", "ssl_ctx_index")
"""Settings whose defaults can differ without anything else being otherwise."""


class Default(Kind):
    """A value after power-up."""

    name = "default"
    title = "Defaults after power-up."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant in ways(document):
            how = reading(command, variant)
            for name in dict.fromkeys((*variant.params, *(variant.query or ()))):
                param = command.params[name]
                if param.default is None:
                    continue
                hidden = self._why_hidden(command, variant, name)
                can_be_left_out = command.name.endswith("CFG") or name in variant.params[min(variant.counts) :]
                seen = how is not None and name in how[1] and hidden is None and can_be_left_out
                in_packet = name in IN_PACKET.get(command.name, {})
                if in_packet:
                    needs: tuple[str, ...] = ("sim", "broker_control")
                else:
                    needs = ("power", "time", *needs_of(command)) if seen else ()
                yield Fact(
                    fact_id(document.id, variant.section, command.short, variant.key, name, self.name),
                    self.name,
                    command.name,
                    f"{name} of {command.name} is {param.default} unless it is said otherwise",
                    param.default_basis,
                    needs=needs,
                    unchecked=None if seen or in_packet else Unchecked("unseen", hidden or NEVER_LEFT_OUT),
                    about={
                        "param": name,
                        "value": param.default,
                        "query": how[0] if how else "",
                        "fields": how[1] if how else (),
                    },
                )

    @staticmethod
    def _why_hidden(command: Command, variant: Variant, name: str) -> str | None:
        """Why a value cannot be seen after power-up: another one hides it, or it goes nowhere."""
        for condition, allowed in variant.counts_when.items():
            decides, _, value = condition.partition("=")
            if command.params[decides].default == value and name in variant.params[max(allowed) :]:
                return f"It is not shown while {decides} is {value}, and must be given with any other."
        return NOT_TOLD.get(f"{command.name} {name}")

    def check(self, probe: Probe, fact: Fact) -> None:
        name, value = fact.about["param"], fact.about["value"]
        if name in IN_PACKET.get(fact.subject, {}):
            return self._check_packet(probe, fact)
        probe.power_cycle()
        probe.reach(READ_IN.get(fact.subject, STANDS_IN[fact.subject]))
        answer = probe.ask(probe.fill(fact.about["query"]))
        if by_name(answer, fact.about["fields"]).get(name) != value:
            raise Differs(f"{name} {value}", answer.shown())
        return None

    def _check_packet(self, probe: Probe, fact: Fact) -> None:
        command = probe.document.command(fact.subject)
        assert command is not None
        ready(probe, command, command.variants[0])
        probe.accept(probe.fill(line(command, command.variants[0])))
        kind, field = IN_PACKET[fact.subject][fact.about["param"]]
        packets = [
            packet
            for packet in probe.bench_broker.record()
            if packet.kind == kind and packet.direction == "in" and packet.client_id == probe.client_id()
        ]
        if not packets or int(packets[-1][field]) != int(fact.about["value"]):
            raise Differs(f"{kind} with {field} {fact.about['value']}", str(packets[-1:]))

    def breakages(self, document: Document) -> Iterator[Breakage]:
        facts = [fact for fact in self.facts(document) if fact.unchecked is None]
        chosen = [fact for fact in facts if fact.about["param"] in SILENT]
        entries: dict[tuple[str, ...], object] = {
            ("commands", fact.subject, "params", fact.about["param"], "default"): str(int(fact.about["value"]) + 1)
            for fact in chosen
        }
        if chosen:
            yield Breakage(
                "a default is another", frozenset(fact.id for fact in chosen), difference(entries), also=SHOW_DEFAULTS
            )
