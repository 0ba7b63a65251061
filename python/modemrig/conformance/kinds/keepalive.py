"""Facts about the keep-alive: PINGREQ after a time of silence, and none where the time is 0. On clocks that run faster."""

from __future__ import annotations

from collections.abc import Iterator

from modemrig.conformance.answer import Differs
from modemrig.conformance.document import Document
from modemrig.conformance.kinds.behaviour import CLOCK, Behaviour, Behaviours
from modemrig.conformance.kinds.kind import Breakage
from modemrig.conformance.kinds.qmt_client import Client, want
from modemrig.conformance.probe import Probe
from modemrig.conformance.verdict import Basis

SILENCE_S = 30
"""Keep-alive time of the checks, as documented."""


def _silent(probe: Probe, keepalive_s: int) -> Client:
    client = Client(probe, state="idle")
    client.cfg("keepalive", keepalive_s)
    client = Client(probe, state="opened")
    client.watch()
    probe.reach("connected")
    return client


def _pings(probe: Probe) -> None:
    """The server drops the client after one and a half times as long; PINGREQ must be there before."""
    _silent(probe, SILENCE_S).await_packets(1, "PINGREQ", within_s=probe.seconds(1.5 * SILENCE_S) + 1)


def _not_before(probe: Probe) -> None:
    client = _silent(probe, SILENCE_S)
    with probe.given():
        ping = client.await_packets(1, "PINGREQ", within_s=probe.seconds(1.5 * SILENCE_S) + 1)[0]
    since = ping.time - client.packets("CONNECT")[0].time
    if since < 0.8 * probe.seconds(SILENCE_S):
        raise Differs(f"PINGREQ after {probe.seconds(SILENCE_S):.2f} s", f"after {since:.2f} s")


def _again(probe: Probe) -> None:
    _silent(probe, SILENCE_S).await_packets(2, "PINGREQ", within_s=probe.seconds(3 * SILENCE_S) + 1)


def _stays(probe: Probe) -> None:
    client = _silent(probe, SILENCE_S)
    probe.stays_silent(probe.seconds(3 * SILENCE_S))
    client.works()


def _never(probe: Probe) -> None:
    client = _silent(probe, 0)
    probe.stays_silent(probe.seconds(3 * SILENCE_S))
    want("PINGREQ", 0, len(client.packets("PINGREQ")))


def _reported(probe: Probe) -> None:
    """From PINGREQ, which nobody answers, to the line that says so."""
    client = Client(probe, state="idle")
    client.cfg("keepalive", SILENCE_S)
    client.cfg("qmtping", 30)
    probe.bench_broker.lose("PINGRESP", client_id=client.name)
    probe.moved()
    try:
        client = Client(probe, state="opened")
        client.watch()
        probe.reach("connected")
        with probe.given():
            client.await_packets(1, "PINGREQ", within_s=probe.seconds(1.5 * SILENCE_S) + 1)
        start = probe.now()
        probe.await_line(r"\+QMT(PING|CLOSE|STAT): .*", probe.seconds(30) * 1.5 + 1, since=start)
    finally:
        probe.bench_broker.behave()


def _reported_basis(document: Document) -> Basis:
    """One document says that it is the longest time until the report; the others call it an interval."""
    setting = document.setting("qmtping")
    return "documented" if setting is not None and "Longest time" in setting.title else "decided"


class KeepAlive(Behaviours):
    """PINGREQ."""

    name = "keep-alive"
    title = "The module keeps its connection alive, as often as the setting says."

    rows = tuple(
        Behaviour("AT+QMTCFG", word, statement, check, basis, CLOCK, key)  # type: ignore[arg-type]
        for word, statement, check, basis, key in (
            ("ping", "PINGREQ is sent before the server would drop the client", _pings, "documented", "keepalive"),
            ("not-before", "PINGREQ is sent after keep_alive_time of silence", _not_before, "decided", "keepalive"),
            ("again", "PINGREQ is sent again and again", _again, "documented", "keepalive"),
            ("connected", "an idle client stays connected", _stays, "documented", "keepalive"),
            ("never", "with keep_alive_time 0 nothing is sent", _never, "decided", "keepalive"),
            ("reported", "an unanswered PINGREQ is told within qmtping_interval", _reported, _reported_basis,
             "qmtping"),
        )
    )  # fmt: skip

    def breakages(self, document: Document) -> Iterator[Breakage]:
        yield from self.broken(
            *(document, "PINGREQ does not arrive", "ping", "again", "connected"),
            faults=("packet_lost:kind=pingreq",),
            also=("err_code/2/no-pong",),  # a broker that is not asked ends the connection itself
        )
