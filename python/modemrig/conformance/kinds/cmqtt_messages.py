"""Facts about the URCs of an AT+CMQTT… module: the lines of a message that arrived, and of a connection that is lost."""

from __future__ import annotations

from collections.abc import Iterator

from modemrig.conformance.answer import Differs
from modemrig.conformance.document import Document
from modemrig.conformance.kinds.behaviour import Table
from modemrig.conformance.kinds.cmqtt import Block, Service, ServiceKind
from modemrig.conformance.kinds.kind import Breakage
from modemrig.conformance.samples import MIXED, small

LONG = bytes(range(32, 127)) * 43
"""4085 bytes: more than a part of any module, and no byte that a line could end with."""
TOPIC_LENGTH = 137
"""Of every topic here but the longest: no other check uses such topics, so that a module can be broken for these alone."""
MESSAGES = Table("cmqtt")

START, TOPIC, PAYLOAD, END = "+CMQTTRXSTART", "+CMQTTRXTOPIC", "+CMQTTRXPAYLOAD", "+CMQTTRXEND"


def _named(service: Service, name: str = "") -> str:
    return service.topic(f"message/{name}").ljust(TOPIC_LENGTH, "~")


def _receive(service: Service, payload: bytes, qos: int = 0) -> Block:
    return service.receive(payload, _named(service), qos)


def _is(what: str, expected: object, observed: object) -> None:
    if expected != observed:
        raise Differs(f"{what} {expected!r}", f"{what} {observed!r}")


@MESSAGES(
    "+CMQTTCONNLOST", "shape", "a connection that the broker ends is reported with the client and a cause of 1 to 3"
)
def _lost(service: Service) -> None:
    service.reach("connected")
    # What is said behind such a line can be told apart.
    service.probe.ask(small("AT", MIXED))
    client, cause = service.lose().partition(":")[2].split(",")
    _is("client", 0, int(client))
    if not 1 <= int(cause) <= 3:
        raise Differs("a cause of 1 to 3", cause)


@MESSAGES("+CMQTTCONNLOST", "not-on-request", "a connection that AT+CMQTTDISC ends is not reported as lost")
def _not_lost(service: Service) -> None:
    probe = service.reach("connected")
    service.done("AT+CMQTTDISC=0,60")
    probe.stays_silent(0.3)


@MESSAGES(START, "order", "a message comes as +CMQTTRXSTART, topic, payload and +CMQTTRXEND")
def _order(service: Service) -> None:
    _is("order", ("START", "TOPIC", "PAYLOAD", "END"), _receive(service, b"short").names)


@MESSAGES(START, "announces-lengths", "+CMQTTRXSTART says the lengths of topic and payload")
def _lengths(service: Service) -> None:
    block = _receive(service, b"123456789")
    _is("lengths", (TOPIC_LENGTH, 9), block.announced)


@MESSAGES(START, "client", "the URCs of a message name the client")
def _client(service: Service) -> None:
    _is("client", 0, _receive(service, b"short").client)


@MESSAGES(TOPIC, "content", "the part of +CMQTTRXTOPIC is the topic")
def _topic(service: Service) -> None:
    block = _receive(service, b"short")
    _is("topic", _named(service), b"".join(block.topic).decode("utf-8", "replace"))


@MESSAGES(TOPIC, "longest", "a topic of the greatest length comes whole; its parts add up to topic_total_len")
def _longest_topic(service: Service) -> None:
    longest = _most(service, START, "topic_total_len")
    topic = service.topic("message/").ljust(longest, "t")
    block = service.receive(b"short", topic)
    _is("parts", block.announced[0], sum(map(len, block.topic)))
    _is("topic", topic, b"".join(block.topic).decode("utf-8", "replace"))


@MESSAGES(PAYLOAD, "content", "the part of +CMQTTRXPAYLOAD is the payload")
def _payload(service: Service) -> None:
    _is("payload", b"123456789", b"".join(_receive(service, b"123456789").payload))


@MESSAGES(PAYLOAD, "any-bytes", "a payload comes as it is, line ends and all; only its length says where it ends")
def _bytes(service: Service) -> None:
    payload = b'\r\n+CMQTTRXEND: 0\r\n\r\nOK\r\n"\x00\x1a\xff\r\n'
    _is("payload", payload, b"".join(_receive(service, payload).payload))


@MESSAGES(PAYLOAD, "parts-add-up", "the parts of a long payload add up to payload_total_len")
def _parts(service: Service) -> None:
    block = _receive(service, LONG)
    _is("length", len(LONG), block.announced[1])
    _is("sum of the parts", len(LONG), sum(map(len, block.payload)))


@MESSAGES(PAYLOAD, "long-content", "the parts of a long payload, one behind the other, are the payload")
def _long(service: Service) -> None:
    _is("payload", LONG, b"".join(_receive(service, LONG).payload))


@MESSAGES(PAYLOAD, "part-size", "a part of a payload has at most 1500 bytes", basis="decided")
def _part(service: Service) -> None:
    _is("longest part", 1500, max(map(len, _receive(service, LONG).payload)))


@MESSAGES(PAYLOAD, "longest", "a payload of the greatest length comes whole")
def _longest_payload(service: Service) -> None:
    longest = _most(service, START, "payload_total_len")
    payload = (LONG * (longest // len(LONG) + 1))[:longest]
    _is("payload", payload, b"".join(_receive(service, payload, qos=1).payload))


@MESSAGES(PAYLOAD, "empty", "an empty payload has no +CMQTTRXPAYLOAD", basis="decided")
def _empty(service: Service) -> None:
    block = _receive(service, b"")
    _is("order", ("START", "TOPIC", "END"), block.names)
    _is("length", 0, block.announced[1])


def _quality(qos: int) -> None:
    @MESSAGES(START, f"quality-{qos}", f"a message of quality of service {qos} comes once")
    def _(service: Service) -> None:
        probe = service.reach("connected")
        first, last = _named(service, "first"), _named(service, "last")
        service.subscribe(first)
        service.subscribe(last)
        probe.peer.publish(first, b"once", qos)
        probe.peer.publish(last, b"last", qos)
        _is("topics", [first.encode(), last.encode()], [b"".join(block.topic) for block in service.blocks(2)])


for _qos in (0, 1, 2):
    _quality(_qos)


@MESSAGES(
    END, "not-mixed", "the lines of one message are complete before those of the next begin, in the order of the broker"
)
def _not_mixed(service: Service) -> None:
    probe = service.reach("connected")
    topic = _named(service)
    service.subscribe(topic)
    payloads = [bytes([48 + number]) * 1700 for number in range(5)]
    for payload in payloads:
        probe.peer.publish(topic, payload)
    blocks: list[Block] = service.blocks(len(payloads))
    _is("payloads", payloads, [b"".join(block.payload) for block in blocks])


@MESSAGES(START, "not-subscribed", "nothing comes of a topic that the client has unsubscribed from")
def _not_subscribed(service: Service) -> None:
    probe = service.reach("connected")
    gone, there = _named(service, "gone"), _named(service, "there")
    service.subscribe(gone)
    service.subscribe(there)
    service.unsubscribe(gone)
    probe.peer.publish(gone, b"gone", 1)
    probe.peer.publish(there, b"there", 1)
    _is("topics", [there.encode()], [b"".join(block.topic) for block in service.blocks(1)])


def _most(service: Service, urc: str, param: str) -> int:
    found = next(each for each in service.probe.document.urcs if each.name == urc).params[param].max
    assert found is not None
    return found


class ServiceMessage(ServiceKind):
    """What comes unasked."""

    name = "service-urc"
    title = "The URCs of the MQTT service come whole, in the printed shape and order, and their lengths add up."
    rows = MESSAGES

    def breakages(self, document: Document) -> Iterator[Breakage]:
        def longest(urc: str) -> frozenset[str]:
            return frozenset(
                fact.id for fact in self.facts(document) if fact.subject == urc and fact.about["word"] == "longest"
            )

        parts, topics = longest(PAYLOAD), longest(TOPIC)
        yield Breakage(
            "a full part of a payload says that it is one byte shorter",
            self.ids(document, "parts-add-up", "long-content", "part-size", "not-mixed", "any-bytes") | parts,
            faults=(f"reworded:from='{PAYLOAD}: 0,1500',to='{PAYLOAD}: 0,1499'",),
        )
        yield Breakage(
            "the longest message is dropped",
            topics | parts,
            f'[urcs."{START}".params]\ntopic_total_len.max = 1023\npayload_total_len.max = 10239\n',
        )
        silent = self.ids(document, "shape", "not-on-request")
        yield Breakage(
            "the length of a topic is one too small",
            self.ids(document) - silent - topics,
            faults=(f"reworded:from='{TOPIC}: 0,{TOPIC_LENGTH}',to='{TOPIC}: 0,{TOPIC_LENGTH - 1}'",),
        )
        yield Breakage(
            "the first line of a message names another client",
            self.ids(document, "client"),
            faults=(f"reworded:from='{START}: 0,{TOPIC_LENGTH},',to='{START}: 1,{TOPIC_LENGTH},'",),
        )
        yield Breakage(
            "another client's connection is lost",
            self.ids(document, "shape"),
            faults=(f"reworded:from='+CMQTTCONNLOST: 0',to='+CMQTTCONNLOST: 9',line={MIXED}",),
        )
        yield Breakage(
            "the first line of a message announces another length",
            self.ids(document, "announces-lengths"),
            faults=(f"reworded:from='{START}: 0,{TOPIC_LENGTH},9',to='{START}: 0,{TOPIC_LENGTH},8'",),
        )
