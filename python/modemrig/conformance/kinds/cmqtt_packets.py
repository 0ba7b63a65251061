"""Facts about what a connected AT+CMQTT… module sends: seen in the bench broker's record, or by another client."""

from __future__ import annotations

from collections.abc import Iterator

from modemrig.conformance.answer import Differs
from modemrig.conformance.document import Document
from modemrig.conformance.kinds.behaviour import Table
from modemrig.conformance.kinds.cmqtt import Service, ServiceKind
from modemrig.conformance.kinds.kind import Breakage
from modemrig.conformance.probe import HEARD_WITHIN_S

SEEN = ("sim", "broker_control")
"""Packets are seen in the bench broker's record."""

PACKETS = Table("cmqtt")
TOPICS = "packet/"
"""How topics of this file begin: a module can be broken for these alone."""

# -- PUBLISH ---------------------------------------------------------------------------------------------------------------


@PACKETS("AT+CMQTTTOPIC", "published", "the topic entered is the one published to", needs=SEEN)
def _topic(service: Service) -> None:
    service.reach("connected")
    topic = service.topic("packet/topic")
    service.publish(topic)
    service.carries("PUBLISH", topic=topic)


@PACKETS("AT+CMQTTTOPIC", "longest", "a topic of the greatest length arrives whole at another client")
def _longest_topic(service: Service) -> None:
    probe = service.reach("connected")
    topic = service.topic("packet/topic").ljust(service.longest("AT+CMQTTTOPIC"), "t")
    probe.peer.subscribe([topic])
    service.publish(topic, b"12345", 1)
    service.arrives(topic, b"12345")


@PACKETS("AT+CMQTTPAYLOAD", "published", "the payload entered arrives at another client")
def _payload(service: Service) -> None:
    probe = service.reach("connected")
    topic, payload = service.topic("packet/payload"), b"any text \xc3\xa4"
    probe.peer.subscribe([topic])
    service.publish(topic, payload, 1)
    service.arrives(topic, payload)


@PACKETS("AT+CMQTTPAYLOAD", "longest", "a payload of the greatest length arrives whole at another client")
def _longest_payload(service: Service) -> None:
    probe = service.reach("connected")
    payload = (b"0123456789abcdef" * 1000)[: service.longest("AT+CMQTTPAYLOAD")]
    topic = service.topic("packet/payload")
    probe.peer.subscribe([topic])
    service.publish(topic, payload, 1)
    service.arrives(topic, payload)


def _quality(qos: int) -> None:
    @PACKETS("AT+CMQTTPUB", f"quality-{qos}", f"qos {qos} is that of PUBLISH", needs=SEEN)
    def _(service: Service) -> None:
        service.reach("connected")
        service.enter("AT+CMQTTTOPIC", service.topic("packet/quality"))
        service.enter("AT+CMQTTPAYLOAD", b"12345")
        # The packet counts; with another quality its answer may be another, too.
        service.given(f"AT+CMQTTPUB=0,{qos},60")
        service.carries("PUBLISH", qos=qos)

    @PACKETS(
        "AT+CMQTTSUB", f"quality-{qos}", f"qos {qos} is the one that SUBSCRIBE asks for, with the topic", needs=SEEN
    )
    def _(service: Service) -> None:
        service.reach("connected")
        topic = service.topic("packet/wanted")
        service.subscribe(topic, qos)
        service.carries("SUBSCRIBE", filters=[(topic, qos)])


for _qos in (0, 1, 2):
    _quality(_qos)


def _flags(retained: int, dup: int) -> None:
    @PACKETS(
        "AT+CMQTTPUB",
        f"retained-{retained}-dup-{dup}",
        f"retained {retained} and dup {dup} are the flags of PUBLISH",
        needs=SEEN,
    )
    def _(service: Service) -> None:
        service.reach("connected")
        topic = service.topic("packet/flags")
        try:
            service.publish(topic, b"12345", 1, retained, dup)
            service.carries("PUBLISH", retain=retained == 1, dup=dup == 1)
        finally:
            service.probe.peer.publish(topic, b"", 1, retain=True)


for _retained, _dup in ((0, 0), (1, 0), (0, 1)):
    _flags(_retained, _dup)


@PACKETS("AT+CMQTTPUB", "flags-left-out", "without retained and dup neither flag is set", needs=SEEN)
def _no_flags(service: Service) -> None:
    service.reach("connected")
    topic = service.topic("packet/flags")
    try:
        service.publish(topic, b"12345", 1)
        service.carries("PUBLISH", retain=False, dup=False)
    finally:
        service.probe.peer.publish(topic, b"", 1, retain=True)


@PACKETS("AT+CMQTTPUB", "kept", "a retained message reaches a client that subscribes later")
def _kept(service: Service) -> None:
    probe = service.reach("connected")
    topic = service.topic("packet/kept")
    try:
        service.publish(topic, b"kept", 1, 1)
        probe.peer.subscribe([topic])
        service.arrives(topic, b"kept")
    finally:
        probe.peer.publish(topic, b"", 1, retain=True)


@PACKETS("AT+CMQTTPUB", "not-kept", "a message that is not retained does not reach a client that subscribes later")
def _not_kept(service: Service) -> None:
    probe = service.reach("connected")
    early, late = service.topic("packet/early"), service.topic("packet/late")
    try:
        service.publish(early, b"early", 1, 0)
        probe.peer.subscribe([early, late])
        probe.peer.publish(late, b"late", 1)
        got = probe.peer.received.get(timeout=HEARD_WITHIN_S)
        if got[0] != late:
            raise Differs("nothing of before", got[0])
    finally:
        probe.peer.publish(early, b"", 1, retain=True)


# -- subscriptions, and the end --------------------------------------------------------------------------------------------


@PACKETS("AT+CMQTTUNSUB", "sent", "the topic typed is the one that UNSUBSCRIBE names", needs=SEEN)
def _unsubscribe(service: Service) -> None:
    service.reach("connected")
    topic = service.topic("packet/unwanted")
    service.subscribe(topic)
    service.unsubscribe(topic)
    service.carries("UNSUBSCRIBE", filters=[topic])


@PACKETS(
    "AT+CMQTTSUB", "nothing-staged", "the short form with nothing staged sends nothing", basis="decided", needs=SEEN
)
def _nothing_staged(service: Service) -> None:
    service.reach("connected")
    service.done("AT+CMQTTSUB=0")
    if packets := service.packets("SUBSCRIBE"):
        raise Differs("no SUBSCRIBE", str(packets[0]))


@PACKETS("AT+CMQTTSUBTOPIC", "subscribed", "AT+CMQTTSUB=0 subscribes to the staged topic", basis="decided", needs=SEEN)
def _staged(service: Service) -> None:
    service.reach("connected")
    topic = service.topic("packet/wanted")
    service.enter("AT+CMQTTSUBTOPIC", topic, 1)
    service.done("AT+CMQTTSUB=0")
    service.carries("SUBSCRIBE", filters=[(topic, 1)])


@PACKETS("AT+CMQTTUNSUBTOPIC", "unsubscribed", "AT+CMQTTUNSUB=0,<dup> unsubscribes from the staged topic", needs=SEEN)
def _staged_unsubscribe(service: Service) -> None:
    service.reach("connected")
    topic = service.topic("packet/unwanted")
    service.subscribe(topic)
    service.enter("AT+CMQTTUNSUBTOPIC", topic)
    service.done("AT+CMQTTUNSUB=0,1")
    service.carries("UNSUBSCRIBE", filters=[topic])


@PACKETS("AT+CMQTTDISC", "sent", "AT+CMQTTDISC says good-bye: it sends DISCONNECT", needs=SEEN)
def _disconnect(service: Service) -> None:
    service.reach("connected")
    service.done("AT+CMQTTDISC=0,60")
    service.packet("DISCONNECT")


def _acknowledged(qos: int, kind: str) -> None:
    @PACKETS(
        "+CMQTTRXSTART",
        f"acknowledged-{qos}",
        f"quality {qos} is acknowledged with {kind}",
        basis="decided",
        needs=SEEN,
    )
    def _(service: Service) -> None:
        service.receive(b"12345", service.topic("packet/received"), qos)
        service.packet(kind)


_acknowledged(1, "PUBACK")
_acknowledged(2, "PUBCOMP")


class ServicePacket(ServiceKind):
    """What goes out."""

    name = "service-packet"
    title = "What the MQTT service is told goes to the broker: flags, topics, payloads, qualities of service."
    rows = PACKETS

    def breakages(self, document: Document) -> Iterator[Breakage]:
        for title, faults in BROKEN.items():
            keys = {key for keys in faults.values() for key in keys}
            fails = frozenset(
                fact.id for fact in self.facts(document) if f"{fact.subject} {fact.about['word']}" in keys
            )
            yield Breakage(title, fails, faults=tuple(faults))


def _changed(field: str, value: object, topic: str) -> str:
    return f"packet_changed:field={field},value={value},topic={TOPICS}{topic}"


_FLAGS = "AT+CMQTTPUB flags-left-out"
_PLAIN, _KEPT, _AGAIN = (f"AT+CMQTTPUB retained-{retained}-dup-{dup}" for retained, dup in ((0, 0), (1, 0), (0, 1)))
_PAYLOADS = ("AT+CMQTTPAYLOAD published", "AT+CMQTTPAYLOAD longest")
_WANTED = tuple(f"AT+CMQTTSUB quality-{qos}" for qos in (1, 2))
_STAGED = "AT+CMQTTSUBTOPIC subscribed"
BROKEN: dict[str, dict[str, tuple[str, ...]]] = {
    "messages go elsewhere, and say nothing of repetitions": {
        _changed("publish.topic", "elsewhere", "topic"): ("AT+CMQTTTOPIC published", "AT+CMQTTTOPIC longest"),
        _changed("publish.topic", "elsewhere", "payload"): _PAYLOADS,
        _changed("publish.dup", 0, "flags"): (_AGAIN,),
        _changed("subscribe.topic", "elsewhere", "wanted"): ("AT+CMQTTSUB quality-0", *_WANTED, _STAGED),
    },
    "payloads, qualities and topics are others than were asked for": {
        _changed("publish.payload", "x", "payload"): _PAYLOADS,
        _changed("publish.qos", 0, "quality"): ("AT+CMQTTPUB quality-1", "AT+CMQTTPUB quality-2"),
        _changed("subscribe.qos", 0, "wanted"): (*_WANTED, _STAGED),
        _changed("unsubscribe.topic", "elsewhere", "unwanted"): (
            "AT+CMQTTUNSUB sent",
            "AT+CMQTTUNSUBTOPIC unsubscribed",
        ),
    },
    "every message is retained": {
        _changed("publish.retain", 1, "flags"): (_PLAIN, _AGAIN, _FLAGS),
        _changed("publish.retain", 1, "early"): ("AT+CMQTTPUB not-kept",),
    },
    "no message is retained, and every one says it is a repetition": {
        _changed("publish.retain", 0, "flags"): (_KEPT,),
        _changed("publish.retain", 0, "kept"): ("AT+CMQTTPUB kept",),
        _changed("publish.dup", 1, "flags"): (_PLAIN, _KEPT, _FLAGS),
    },
    "no good-bye, and messages are not acknowledged": {
        "packet_lost:kind=disconnect": ("AT+CMQTTDISC sent",),
        "ack_lost:kind=puback,direction=out": ("+CMQTTRXSTART acknowledged-1",),
        "ack_lost:kind=pubcomp,direction=out": ("+CMQTTRXSTART acknowledged-2",),
    },
}
"""What each broken module does to which packets, and the facts that notice."""
