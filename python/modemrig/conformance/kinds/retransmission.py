"""Facts about packets that are not acknowledged: how often, when and how they are sent again, and what the host is told.

At a bench broker that keeps acknowledgements back, on clocks that run faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from modemrig.broker import RecordedPacket
from modemrig.conformance.answer import Answer, Differs
from modemrig.conformance.document import Document
from modemrig.conformance.kinds.behaviour import CLOCK, PUBLISH, Behaviour, Behaviours
from modemrig.conformance.kinds.kind import Breakage
from modemrig.conformance.kinds.qmt_client import Client, want
from modemrig.conformance.probe import Probe
from modemrig.conformance.verdict import Basis
from modemrig.hil.wire import Line

TOPIC = "retransmission"
RETRIES = 2


@dataclass(frozen=True)
class Request:
    """A request that waits for an acknowledgement."""

    command: str
    packet: str
    acknowledgement: str
    ask: Callable[[Client], Answer]


def _publish(client: Client) -> Answer:
    return client.publish(client.probe.topic(TOPIC), qos=1)


def _subscribe(client: Client) -> Answer:
    return client.subscribe((client.probe.topic(TOPIC), 1))


def _unsubscribe(client: Client) -> Answer:
    return client.unsubscribe(client.probe.topic(TOPIC))


def _release(client: Client) -> Answer:
    return client.publish(client.probe.topic(TOPIC), qos=2)


REQUESTS = (
    Request(PUBLISH, "PUBLISH", "PUBACK", _publish),
    Request("AT+QMTSUB", "SUBSCRIBE", "SUBACK", _subscribe),
    Request("AT+QMTUNS", "UNSUBSCRIBE", "UNSUBACK", _unsubscribe),
)
RELEASE = Request(PUBLISH, "PUBREL", "PUBCOMP", _release)


def unacknowledged(
    probe: Probe,
    request: Request,
    *,
    timeout: int = 12,
    retries: int = RETRIES,
    notice: int = 0,
    times: int | None = None,
) -> tuple[Answer, list[RecordedPacket]]:
    """What becomes of a request whose acknowledgement the broker keeps back: the answer, and the packets."""
    client = Client(probe, state="idle")
    client.cfg("timeout", timeout, retries, notice)
    client = Client(probe)
    probe.bench_broker.lose(request.acknowledgement, client_id=client.name, times=times)
    client.watch()
    try:
        answer = request.ask(client)
    finally:
        probe.bench_broker.behave()
    return answer, client.packets(request.packet)


def _notices(answer: Answer) -> list[str]:
    """The counts of the lines with result 1."""
    fields = [Line.parse(line).fields for line in answer.lines if line.startswith("+")]
    return [each[3] if len(each) > 3 else "" for each in fields if len(each) > 2 and each[2] == "1"]


def _count(probe: Probe, request: Request) -> None:
    answer, packets = unacknowledged(probe, request)
    if len(packets) != RETRIES + 1:
        raise Differs(f"{RETRIES + 1} {request.packet}", f"{len(packets)} {request.packet}\n{answer.shown()}")


def _given_up(probe: Probe, request: Request) -> None:
    """The last line has result 2 and no value."""
    answer, _ = unacknowledged(probe, request)
    late = Line.parse(answer.late)
    if answer.was_given_up or late.fields[2:] != ("2",):
        raise Differs(f"OK\n{late.name or '+…'}: 0,<msgid>,2", answer.shown())


def _told(probe: Probe, request: Request) -> None:
    answer, _ = unacknowledged(probe, request, notice=1)
    want("counts of the lines with result 1", [str(n + 1) for n in range(RETRIES)], _notices(answer))


def _untold(probe: Probe, request: Request) -> None:
    answer, _ = unacknowledged(probe, request, notice=0)
    want("lines with result 1", [], _notices(answer))


def _late(probe: Probe, request: Request) -> None:
    """The first acknowledgement is lost; the second completes the request."""
    answer, packets = unacknowledged(probe, request, times=1)
    fields = Line.parse(answer.late).fields
    if fields[2:3] != ("0",) or len(packets) != 2:
        raise Differs("result 0 behind two packets", f"{answer.shown()}\nbehind {len(packets)}")


def _same(probe: Probe, request: Request) -> None:
    """What is sent again is what was sent."""
    answer, packets = unacknowledged(probe, request)
    if not packets:
        raise Differs(f"a {request.packet}", answer.shown())
    first = {name: value for name, value in packets[0].fields.items() if name != "dup"}
    for packet in packets[1:]:
        want(request.packet, first, {name: value for name, value in packet.fields.items() if name != "dup"})


def _dup(probe: Probe) -> None:
    _, packets = unacknowledged(probe, REQUESTS[0])
    want("DUP", [False] + [True] * RETRIES, [packet["dup"] for packet in packets])


def _spaced(probe: Probe) -> None:
    _, packets = unacknowledged(probe, REQUESTS[0], timeout=30, retries=1)
    want("PUBLISH", 2, len(packets))
    gap, meant = packets[1].time - packets[0].time, probe.seconds(30)
    # The broker notes times of this computer; what is late by itself may be later on a busy one.
    if not 0.8 * meant <= gap <= 2 * meant + 0.5:
        raise Differs(f"{meant:.2f} s between them", f"{gap:.2f} s")


def _never(probe: Probe) -> None:
    answer, packets = unacknowledged(probe, REQUESTS[0], retries=0)
    want("PUBLISH", 1, len(packets))
    want("result", ("2",), Line.parse(answer.late).fields[2:])


def _still_there(probe: Probe) -> None:
    unacknowledged(probe, REQUESTS[0])
    Client(probe, state=None).works()


def _room(probe: Probe) -> None:
    """Messages that were given up need no room of the window."""
    client = Client(probe, state="idle")
    client.cfg("timeout", 6, 0, 0)
    client = Client(probe)
    probe.bench_broker.lose("PUBACK", client_id=client.name)
    try:
        for _ in range(probe.document.limits["window"] + 1):
            answer = _publish(client)
            if answer.final != "OK":
                raise Differs(">\nOK", answer.shown())
    finally:
        probe.bench_broker.behave()


def _rows(word: str, statement: str, check: Callable[..., None], basis: Basis) -> tuple[Behaviour, ...]:
    return tuple(
        Behaviour(request.command, word, statement.format(request), partial(check, request=request), basis, CLOCK)
        for request in REQUESTS
    )


class Retransmission(Behaviours):
    """Packets without acknowledgement."""

    name = "retransmission"
    title = "What is not acknowledged is sent again as the settings say, and given up in the end."

    rows = (
        *_rows(
            "count", "a {0.packet} without {0.acknowledgement} is sent again retry_times times", _count, "documented"
        ),
        *_rows(
            "given-up", "without {0.acknowledgement} the result is 2 in the end, without value", _given_up, "documented"
        ),
        *_rows("notice", "with timeout_notice 1 each repetition is told, with its count", _told, "documented"),
        *_rows("silent", "with timeout_notice 0 repetitions are not told", _untold, "documented"),
        *_rows("late", "a repetition that is acknowledged has result 0", _late, "documented"),
        *_rows("same", "what is sent again is what was sent", _same, "decided"),
        Behaviour(
            PUBLISH,
            "release",
            "a PUBREL without PUBCOMP is sent again retry_times times",
            partial(_count, request=RELEASE),
            "decided",
            CLOCK,
        ),
        Behaviour(PUBLISH, "duplicate", "a PUBLISH sent again has DUP set, the first has not", _dup, "decided", CLOCK),
        Behaviour(PUBLISH, "spaced", "a packet waits pkt_timeout for its acknowledgement", _spaced, needs=CLOCK),
        Behaviour(PUBLISH, "never", "with retry_times 0 a packet is sent once, and given up", _never, needs=CLOCK),
        Behaviour(
            PUBLISH, "connected", "a packet given up leaves the client connected", _still_there, "decided", CLOCK
        ),
        Behaviour(PUBLISH, "room", "messages that were given up are no longer in flight", _room, "decided", CLOCK),
    )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        yield from self.broken(
            *(document, "a packet is sent again once less", "count", "notice", "release", "duplicate", "spaced"),
            quirks=("resends_once_less",),
        )
        yield from self.broken(document, "repetitions are always told", "silent", quirks=("notice_always",))
        yield from self.broken(
            document,
            *("what is sent again has no DUP", "duplicate"),
            faults=(f"packet_changed:field=publish.dup,value=0,topic=conformance/{TOPIC}",),
        )
