"""Facts about time: a request that is acknowledged is answered within the documented maximum.

The maximum is computed from the settings that hold; decision 28: never below one ``pkt_timeout``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from modemrig.conformance.answer import Answer, Blocked, Differs
from modemrig.conformance.document import Command, Document
from modemrig.conformance.facts import Fact, fact_id
from modemrig.conformance.kinds.kind import Breakage, Kind
from modemrig.conformance.kinds.qmt_client import Client
from modemrig.conformance.probe import Probe
from modemrig.conformance.samples import small

SAMPLES = 3
"""How often each command is timed."""
TOPIC = "response-time"


def _cfg(probe: Probe) -> list[Answer]:
    probe.reach("idle")
    return [probe.ask(line) for line in ('AT+QMTCFG="keepalive",0,59', 'AT+QMTCFG="keepalive",0', "AT+QMTCFG=?")]


def _open(probe: Probe) -> list[Answer]:
    answers = []
    for _ in range(SAMPLES):
        probe.reach("idle")
        answers.append(probe.ask(probe.fill('AT+QMTOPEN={client},"{host}",{port}')))
    return answers


def _close(probe: Probe) -> list[Answer]:
    answers = []
    for _ in range(SAMPLES):
        probe.reach("opened")
        answers.append(probe.ask(small("AT+QMTCLOSE=0")))
    return answers


def _conn(probe: Probe) -> list[Answer]:
    answers = []
    for _ in range(SAMPLES):
        probe.reach("opened")
        answers.append(probe.ask(probe.fill(f'AT+QMTCONN={{client}},"{{client_id}}-{TOPIC[:8]}"{{login}}')))
    return answers


def _disc(probe: Probe) -> list[Answer]:
    answers = []
    for _ in range(SAMPLES):
        probe.reach("connected")
        answers.append(probe.ask(small("AT+QMTDISC=0")))
    return answers


def _sub(probe: Probe) -> list[Answer]:
    client = Client(probe)
    return [client.subscribe((probe.topic(TOPIC), qos)) for qos in range(SAMPLES)]


def _uns(probe: Probe) -> list[Answer]:
    client = Client(probe)
    client.subscribed(probe.topic(TOPIC))
    return [client.unsubscribe(probe.topic(TOPIC)) for _ in range(SAMPLES)]


def _pub(probe: Probe) -> list[Answer]:
    client = Client(probe)
    return [client.publish(probe.topic(TOPIC), qos=qos) for qos in range(SAMPLES)]


def _token(probe: Probe) -> list[Answer]:
    """A server whose name is not found: whatever comes of it comes in time."""
    line = 'AT+QMTTENAUTH="PRODUCT","device","PRODUCT@device","c2VjcmV0",1,"http://modemrig.invalid/"'
    return [probe.ask(line) for _ in range(SAMPLES)]


TIMED: dict[str, Callable[[Probe], list[Answer]]] = {
    "AT+QMTCFG": _cfg,
    "AT+QMTOPEN": _open,
    "AT+QMTCLOSE": _close,
    "AT+QMTCONN": _conn,
    "AT+QMTDISC": _disc,
    "AT+QMTSUB": _sub,
    "AT+QMTUNS": _uns,
    "AT+QMTPUB": _pub,
    "AT+QMTPUBEX": _pub,
    "AT+QMTTENAUTH": _token,
}
"""Requests of each command."""

WHATEVER_COMES = ("AT+QMTTENAUTH",)
"""Commands whose requests fail here, and must do so in time."""


def maximum_s(document: Document, command: Command, settings: dict[str, int]) -> float:
    """The documented maximum with these settings, in seconds."""
    most = command.max_response
    assert most is not None
    if most.get("formula") is None:
        return float(most["ms"]) / 1000
    product = 1.0
    for name in most["formula"].split("*"):
        product *= settings[name]
    return max(product, float(settings["pkt_timeout"]))


def settings_of(probe: Probe) -> dict[str, int]:
    """The settings of client 0 that a formula may name."""
    answer = probe.ask('AT+QMTCFG="timeout",0')
    variant = probe.document.setting("timeout")
    values = next((line for line in answer.lines if line.startswith("+QMTCFG:")), "").split(",")[1:]
    if variant is None or variant.query is None or len(values) != len(variant.query):
        raise Blocked(f"{answer.sent} was answered {answer.shown()!r}")
    return dict(zip(variant.query, map(int, values), strict=True))


class ResponseTime(Kind):
    """A command is answered within the documented maximum."""

    name = "response-time"
    title = "An acknowledged request is answered within the documented maximum."

    def facts(self, document: Document) -> Iterator[Fact]:
        if not document.is_qmt:
            return
        for command in document.commands:
            if command.max_response is not None and command.name in TIMED:
                most = command.max_response
                words = f"{most['ms'] / 1000:g} s" if most.get("formula") is None else f"{most['formula']} seconds"
                yield Fact(
                    fact_id(document.id, command.section, command.short, self.name),
                    self.name,
                    command.name,
                    f"{command.name} is answered within {words}",
                    command.basis,
                    ("true_speed",) if command.short == "QMTCFG" else ("sim", "true_speed"),
                )

    def check(self, probe: Probe, fact: Fact) -> None:
        command = probe.document.command(fact.subject)
        assert command is not None
        # The shortest maximum a setting makes, where no network is in between: what is too late is found out sooner.
        formula = command.max_response is not None and command.max_response.get("formula") is not None
        if formula and probe.place.slot.is_virtual:
            Client(probe, state="idle").cfg("timeout", 1, 1, 0)
        most = maximum_s(probe.document, command, settings_of(probe))
        for answer in TIMED[command.name](probe):
            is_acknowledged = answer.max_response_s is not None or command.name in WHATEVER_COMES
            if answer.final != "OK" or not is_acknowledged:
                raise Blocked(f"{answer.sent} was answered {answer.shown()!r}")
            if answer.response_s > most:
                raise Differs(f"within {most:g} s", f"{answer.response_s:.3f} s for {answer.sent}")

    def breakages(self, document: Document) -> Iterator[Breakage]:
        """Only where a maximum is short: nobody waits two minutes for a module that is too late."""
        facts = {fact.subject: fact.id for fact in self.facts(document) if fact.unchecked is None}
        late = {"AT+QMTCFG": (400, 'keepalive",0,59'), "AT+QMTCONN": (1300, f"-{TOPIC[:8]}")}
        for command in document.commands:
            if command.name in facts and command.short in ("QMTSUB", "QMTUNS", "QMTPUB", "QMTPUBEX"):
                late[command.name] = (1300, f"conformance/{TOPIC}")
            most = command.max_response
            if command.name in facts and command.short in ("QMTCLOSE", "QMTDISC") and most and most["ms"] == 300:
                late[command.name] = (400, small(command.name))
        for name, (ms, text) in late.items():
            if name in facts:
                yield Breakage(
                    f"{name} is answered too late",
                    frozenset({facts[name]}),
                    faults=(f"late_answer:ms={ms},command={name},line='{text}',count=1",),
                )
