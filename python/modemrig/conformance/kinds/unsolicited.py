"""Facts about the form of each line that a module of AT+QMT… writes unasked.

Which code stands in +QMTSTAT is a matter of the codes; here it is the form of the line alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from modemrig.conformance.answer import Differs
from modemrig.conformance.document import Document
from modemrig.conformance.kinds.behaviour import CLOCK, CONTROL, Behaviour, Behaviours
from modemrig.conformance.kinds.kind import Breakage
from modemrig.conformance.kinds.qmt_client import Client, want
from modemrig.conformance.probe import Probe
from modemrig.hil.wire import Line

TOPIC = "urc"
PAYLOAD = b"hello"


def has(urc: str, *shape: str) -> Callable[[Document], bool]:
    """The condition of a row: the document has a URC of this shape."""

    def is_in(document: Document) -> bool:
        found = next((each for each in document.urcs if each.name == urc), None)
        return found is not None and any(tuple(each[1:]) == shape for each in found.shapes)

    return is_in


def followed(document: Document) -> bool:
    """Whether the document says that +QMTCLOSE follows a heartbeat that went unanswered."""
    heartbeat = document.setting("qmtping")
    return heartbeat is not None and "+QMTCLOSE" in heartbeat.title


def fields(line: str, name: str, count: int) -> tuple[str, ...]:
    """The fields of a line, if it is of this name and has so many."""
    parsed = Line.parse(line)
    if parsed.name != name or len(parsed.fields) != count:
        raise Differs(f"{name} with {count} fields", line)
    return parsed.fields


def _receive(probe: Probe, *settings: int, qos: int = 0) -> tuple[Client, str]:
    """A client that gets a message; with the topic of it."""
    client = Client(probe, state="idle")
    if settings:
        client.cfg("recv/mode", *settings)
    client = Client(probe)
    topic = probe.topic(TOPIC)
    client.subscribed((topic, qos))
    probe.peer.publish(topic, PAYLOAD, qos)
    return client, topic


def _direct(probe: Probe) -> None:
    can_choose = probe.document.setting("recv/mode") is not None
    _, topic = _receive(probe, *((0, 0) if can_choose else ()))
    line = probe.await_line(rf'\+QMTRECV: 0,.*"{topic}".*')
    want("fields", ("0", "0", topic, PAYLOAD.decode()), fields(line, "+QMTRECV", 4))


def _length(probe: Probe) -> None:
    _, topic = _receive(probe, 0, 1)
    line = probe.await_line(rf'\+QMTRECV: 0,.*"{topic}".*')
    want("fields", ("0", "0", topic, "5", PAYLOAD.decode()), fields(line, "+QMTRECV", 5))


def _told(probe: Probe, with_length: int) -> list[str]:
    """What is said of two stored messages."""
    index = min(4, probe.document.clients - 1)
    client = Client(probe, index, state="idle")
    client.cfg("recv/mode", 1, with_length)
    client = Client(probe, index)
    topic = probe.topic(TOPIC)
    client.subscribed((topic, 0))
    lines = []
    for _ in range(2):
        start = probe.now()
        probe.peer.publish(topic, PAYLOAD)
        lines.append(probe.await_line(rf"\+QMTRECV: {index},.*", since=start))
    return lines


def _stored(probe: Probe) -> None:
    for number, line in enumerate(_told(probe, 0)):
        want("fields behind the client", (str(number),), fields(line, "+QMTRECV", 2)[1:])


def _stored_length(probe: Probe) -> None:
    for number, line in enumerate(_told(probe, 1)):
        want("fields behind the client", (str(number), "5"), fields(line, "+QMTRECV", 3)[1:])


def _msgid(probe: Probe) -> None:
    """A message of QoS 1 comes with the identifier of its packet, which is not 0."""
    _, topic = _receive(probe, qos=1)
    number = Line.parse(probe.await_line(rf'\+QMTRECV: 0,.*"{topic}".*')).fields[1]
    if not number.isdecimal() or not 0 < int(number) < 65536:
        raise Differs("a msgid of 1 to 65535", number)


def _quoted(probe: Probe) -> None:
    _, topic = _receive(probe)
    line = probe.await_line(rf'\+QMTRECV: 0,.*"{topic}".*')
    if not line.endswith('"hello"'):
        raise Differs('a payload in quotation marks: "hello"', line)


def _stat(probe: Probe) -> None:
    client = Client(probe, own(probe))
    client.cut()
    got = fields(probe.await_line(r"\+QMTSTAT: .*"), "+QMTSTAT", 2)
    if got[0] != str(client.index) or not got[1].isdecimal():
        raise Differs(f"+QMTSTAT: {client.index},<err_code>", ",".join(got))


def _is_closed(probe: Probe) -> None:
    """A closed client prints no line."""
    answer = probe.ask("AT+QMTCONN?")
    if any(line.startswith("+QMTCONN") for line in answer.lines):
        raise Differs("OK", answer.shown())


def _stat_closed(probe: Probe) -> None:
    Client(probe).cut()
    probe.await_line(r"\+QMTSTAT: .*")
    _is_closed(probe)


def own(probe: Probe) -> int:
    """A client of these checks, where there are several."""
    return min(3, probe.document.clients - 1)


def _heartbeat(probe: Probe) -> Client:
    """A client whose heartbeats go unanswered."""
    client = Client(probe, own(probe), state="idle")
    client.cfg("keepalive", 20)
    client.cfg("qmtping", 10)
    probe.bench_broker.lose("PINGRESP", client_id=client.name)
    client = Client(probe, own(probe))
    probe.moved()
    return client


def _ping(probe: Probe) -> None:
    try:
        _heartbeat(probe)
        line = probe.await_line(r"\+QMTPING: .*", probe.seconds(60) + 5)
    finally:
        probe.bench_broker.behave()
    want("fields", (str(own(probe)), "1"), fields(line, "+QMTPING", 2))


def _ping_closed(probe: Probe) -> None:
    try:
        _heartbeat(probe)
        probe.await_line(r"\+QMTPING: .*", probe.seconds(60) + 5)
    finally:
        probe.bench_broker.behave()
    _is_closed(probe)


def _ping_close(probe: Probe) -> None:
    try:
        _heartbeat(probe)
        line = probe.await_line(r"\+QMTCLOSE: .*", probe.seconds(60) + 5)
    finally:
        probe.bench_broker.behave()
    want("fields", (str(own(probe)), "0"), fields(line, "+QMTCLOSE", 2))


class UrcShape(Behaviours):
    """Each form of each URC."""

    name = "urc"
    title = "Each unsolicited line has the documented form."

    rows = (
        Behaviour(
            "+QMTRECV",
            "direct",
            "a message comes as client, msgid, topic and payload; msgid is 0 for QoS 0",
            _direct,
            only=has("+QMTRECV", "msgid", "topic", "payload"),
        ),
        Behaviour(
            "+QMTRECV",
            "direct-length",
            "with msg_len_enable 1 the payload's length stands in front of it",
            _length,
            only=has("+QMTRECV", "msgid", "topic", "payload_len", "payload"),
        ),
        Behaviour(
            "+QMTRECV",
            "stored",
            "of a stored message the line says client and recv_id",
            _stored,
            only=has("+QMTRECV", "recv_id"),
        ),
        Behaviour(
            "+QMTRECV",
            "stored-length",
            "with msg_len_enable 1 it says the payload's length, too",
            _stored_length,
            only=has("+QMTRECV", "recv_id", "payload_len"),
        ),
        Behaviour("+QMTRECV", "msgid", "a message of QoS 1 comes with a msgid that is not 0", _msgid),
        Behaviour("+QMTRECV", "quoted", "the payload stands in quotation marks", _quoted, "decided"),
        Behaviour("+QMTSTAT", "lost", "a lost connection is told with client and code", _stat, needs=CONTROL),
        Behaviour("+QMTSTAT", "closed", "behind +QMTSTAT the client is closed", _stat_closed, needs=CONTROL),
        Behaviour("+QMTPING", "failed", "an unanswered heartbeat is told with client and 1", _ping, needs=CLOCK),
        Behaviour("+QMTPING", "closed", "behind +QMTPING the client is closed", _ping_closed, needs=CLOCK),
        Behaviour(
            "+QMTPING",
            "followed",
            "+QMTCLOSE tells that the unanswered client is closed",
            _ping_close,
            needs=CLOCK,
            only=followed,
        ),
    )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        topic = f"conformance/{TOPIC}"
        yield from self.broken(
            document,
            *("a received message has a field more", "direct", "direct-length"),
            faults=(f"reworded:from='{topic}\"',to='{topic}\",7'",),
        )
        yield from self.broken(
            document,
            *("a received message of QoS 1 comes without its msgid", "msgid"),
            faults=(f"packet_changed:field=publish.qos,value=0,direction=in,topic={topic}",),
        )
        yield from self.broken(
            document,
            *("the payload comes without quotation marks", "quoted"),
            faults=(f"reworded:from='{topic}\",\"hello\"',to='{topic}\",hello'",),
        )
        if document.clients > 1:
            yield from self.broken(
                document,
                *("of a stored message one field more is said", "stored", "stored-length"),
                faults=("reworded:from='+QMTRECV: 4,1',to='+QMTRECV: 4,1,9'",),
            )
            yield from self.broken(
                document,
                *("a lost connection is told with a field more", "lost"),
                faults=("reworded:from='+QMTSTAT: 3,',to='+QMTSTAT: 3,7,'",),
            )
            yield from self.broken(
                document,
                *("an unanswered heartbeat is told with a field more", "failed"),
                faults=("reworded:from='+QMTPING: 3,',to='+QMTPING: 3,7,'",),
            )
        yield from self.broken(
            document,
            *("+QMTCLOSE does not follow +QMTPING", "followed"),
            differs='[urcs."+QMTPING"]\nfollowed_by = []\n',
        )
