"""Facts about time on an AT+CMQTT… module: documented maxima, keep-alive, and how long it waits for the server."""

from __future__ import annotations

import time
from collections.abc import Iterator

from modemrig.conformance.answer import Blocked, Differs
from modemrig.conformance.document import Document
from modemrig.conformance.facts import Fact, Unchecked, fact_id
from modemrig.conformance.kinds.behaviour import Table
from modemrig.conformance.kinds.cmqtt import Service, ServiceKind
from modemrig.conformance.kinds.kind import Breakage, Kind
from modemrig.conformance.probe import HEARD_WITHIN_S, Probe
from modemrig.conformance.samples import line, ready, small, typed

SEEN = ("sim", "broker_control", "time")
EARLY = 0.65
"""Not before this part of a documented time: below it a clock counts as wrong, not as coarse."""
LATE_MS = 500
"""A broken module is so much later than it may be: less than the host waits beyond."""
SLACK_S = 2.0
"""How much later than documented something may be seen, beside what the machine in between takes."""


class ServiceResponse(Kind):
    """Documented maximum response times."""

    name = "service-response"
    title = "A command of the MQTT service is answered, late result included, within the documented maximum."

    def facts(self, document: Document) -> Iterator[Fact]:
        if document.is_qmt:
            return
        for command in document.commands:
            if command.max_response is not None:
                variant = command.variants[0]
                yield Fact(
                    fact_id(document.id, command.section, command.short, "response-time"),
                    self.name,
                    command.name,
                    f"{command.name} is answered, late result included, within {command.max_response['ms'] / 1000:g} s",
                    command.basis,
                    needs=("sim", "true_speed"),
                    about={
                        "line": line(command, variant),
                        "typed": typed(variant),
                        "within_s": command.max_response["ms"] / 1000,
                    },
                )

    def check(self, probe: Probe, fact: Fact) -> None:
        command = probe.document.command(fact.subject)
        assert command is not None
        ready(probe, command)
        probe.moved()
        answer = probe.ask(small(probe.fill(fact.about["line"])), fact.about["typed"])
        if answer.was_given_up or answer.response_s > fact.about["within_s"]:
            raise Differs(f"at most {fact.about['within_s']:g} s", f"{answer.response_s:.3f} s\n{answer.shown()}")

    def breakages(self, document: Document) -> Iterator[Breakage]:
        facts = list(self.facts(document))
        if facts:
            late = round(max(fact.about["within_s"] for fact in facts) * 1000) + LATE_MS
            ids = frozenset(fact.id for fact in facts)
            faults = tuple(f"late_answer:ms={late},line={small(fact.subject)}" for fact in facts)
            yield Breakage("answers come too late", ids, faults=faults)


TIMES = Table("cmqtt")


def _takes(service: Service, documented_s: float, line: str, payload: bytes | None = None) -> None:
    """The command fails, and not before its time."""
    expected = service.probe.seconds(documented_s)
    started = time.monotonic()
    answer = service.probe.ask(line, payload, timeout_s=expected + HEARD_WITHIN_S)
    took = time.monotonic() - started
    if answer.is_refused and not answer.late:
        raise Blocked(f"{answer.sent} was answered {answer.shown()!r}")
    if answer.late.endswith(",0") or answer.was_given_up or not EARLY * expected <= took <= expected + SLACK_S:
        raise Differs(f"a failure after {documented_s:g} s", f"{took * service.probe.speed:.1f} s\n{answer.shown()}")


def _pub_timeout(seconds: int) -> None:
    @TIMES(
        "AT+CMQTTPUB",
        f"pub-timeout-{seconds}",
        f"AT+CMQTTPUB fails when the server has not answered for pub_timeout, {seconds} s",
        needs=SEEN,
    )
    def _(service: Service) -> None:
        probe = service.reach("connected")
        service.enter("AT+CMQTTTOPIC", service.topic())
        service.enter("AT+CMQTTPAYLOAD", b"12345")
        try:
            probe.bench_broker.lose("PUBACK", client_id=probe.client_id())
            _takes(service, seconds, f"AT+CMQTTPUB=0,1,{seconds}")
        finally:
            probe.bench_broker.behave()


for _seconds in (60, 90):
    _pub_timeout(_seconds)


def _optimeout(command: str, acknowledgement: str) -> None:
    @TIMES(
        command,
        "optimeout",
        f"{command} fails when the server has not answered for optimeout",
        needs=SEEN,
    )
    def _(service: Service) -> None:
        probe = service.reach("acquired")
        service.given('AT+CMQTTCFG="optimeout",0,60')
        topic = service.topic().encode()
        connect = probe.fill('AT+CMQTTCONNECT=0,"tcp://{host}:{port}",3600,1{login}')
        try:
            if command == "AT+CMQTTCONNECT":
                probe.bench_broker.lose(acknowledgement, client_id=probe.client_id())
                _takes(service, 60, connect)
                return
            service.done(connect)
            probe.bench_broker.lose(acknowledgement, client_id=probe.client_id())
            _takes(service, 60, f"{command}=0,{len(topic)},1", topic)
        finally:
            probe.bench_broker.behave()


_optimeout("AT+CMQTTSUB", "SUBACK")
_optimeout("AT+CMQTTUNSUB", "UNSUBACK")
_optimeout("AT+CMQTTCONNECT", "CONNACK")


@TIMES("AT+CMQTTCFG", "optimeout-default", "without AT+CMQTTCFG optimeout is 120 s", needs=SEEN)
def _default(service: Service) -> None:
    probe = service.reach("acquired")
    service.done(probe.fill('AT+CMQTTCONNECT=0,"tcp://{host}:{port}",3600,1{login}'))
    topic = service.topic().encode()
    try:
        probe.bench_broker.lose("SUBACK", client_id=probe.client_id())
        _takes(service, 120, f"AT+CMQTTSUB=0,{len(topic)},1", topic)
    finally:
        probe.bench_broker.behave()


@TIMES("AT+CMQTTCONNECT", "keep-alive", "after keepalive_time without a message the client sends PINGREQ", needs=SEEN)
def _keepalive(service: Service) -> None:
    probe = service.probe
    expected = probe.seconds(60)
    probe.reach("acquired")
    # From before CONNECT to behind PINGREQ: a busy computer makes that longer, never shorter.
    began = time.monotonic()
    service.join(keepalive=60)
    service.packet("PINGREQ", within_s=expected + HEARD_WITHIN_S)
    took = time.monotonic() - began
    if not EARLY * expected <= took <= expected + SLACK_S:
        raise Differs("PINGREQ after 60 s", f"after {took * probe.speed:.1f} s")


@TIMES(
    "AT+CMQTTCONNECT", "keep-alive-again", "the client goes on sending PINGREQ, one for each keepalive_time", needs=SEEN
)
def _keepalive_again(service: Service) -> None:
    probe = service.probe
    expected = probe.seconds(60)
    service.join(keepalive=60)
    service.packet("PINGREQ", 2, within_s=2 * expected + HEARD_WITHIN_S)
    first, second = (row.time for row in service.packets("PINGREQ")[:2])
    if not EARLY * expected <= second - first <= expected + SLACK_S:
        raise Differs("PINGREQ after 60 s", f"after {(second - first) * probe.speed:.1f} s")


@TIMES(
    "AT+CMQTTCONNECT",
    "unanswered-keep-alive",
    "a PINGREQ that nobody answers ends in +CMQTTCONNLOST",
    basis="decided",
    needs=SEEN,
)
def _unanswered(service: Service) -> None:
    probe = service.reach("acquired")
    service.given('AT+CMQTTCFG="optimeout",0,60')
    began = time.monotonic()
    service.done(probe.fill('AT+CMQTTCONNECT=0,"tcp://{host}:{port}",60,1{login}'))
    try:
        probe.bench_broker.lose("PINGRESP", client_id=probe.client_id())
        probe.await_line(r"\+CMQTTCONNLOST: ?\d+,\d+", within_s=probe.seconds(120) + HEARD_WITHIN_S)
        took = time.monotonic() - began
        if took < EARLY * probe.seconds(120):
            raise Differs("+CMQTTCONNLOST after keep-alive and optimeout, 120 s", f"after {took * probe.speed:.1f} s")
    finally:
        probe.bench_broker.behave()
        probe.moved()


TIMES.unchecked(
    "AT+CMQTTDISC",
    "timeout",
    "AT+CMQTTDISC gives up after timeout",
    Unchecked(
        "unseen",
        "DISCONNECT has no answer: where two bytes more can be written it ends at once.",
    ),
)


class ServiceTime(ServiceKind):
    """Timers."""

    name = "service-time"
    title = "Timers of the MQTT service run as long as documented: keep-alive, and the wait for the server's answer."
    rows = TIMES

    def breakages(self, document: Document) -> Iterator[Breakage]:
        yield Breakage("every timer runs out after half its time", self.ids(document), quirks=("timers_early",))
