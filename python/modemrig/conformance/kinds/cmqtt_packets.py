"""Facts about what a connected AT+CMQTT… module sends: seen in the bench broker's record, or by another client."""

from __future__ import annotations

from collections.abc import Iterator

from modemrig.conformance.document import Document
from modemrig.conformance.kinds.cases import Table
from modemrig.conformance.kinds.cmqtt import Service, ServiceKind
from modemrig.conformance.kinds.kind import Breakage
from modemrig.conformance.probe import HEARD_WITHIN_S, Differs

SEEN = ("sim", "broker_control")
"""Packets are seen in the bench broker's record."""

PACKETS = Table("cmqtt")

# -- PUBLISH ---------------------------------------------------------------------------------------------------------------


@PACKETS("AT+CMQTTTOPIC", "published", "the topic entered is the one published to", needs=SEEN)
def _topic(service: Service) -> None:
    service.reach("connected")
    service.publish(service.topic())
    service.carries("PUBLISH", topic=service.topic())


@PACKETS("AT+CMQTTTOPIC", "longest", "a topic of the greatest length arrives whole at another client")
def _longest_topic(service: Service) -> None:
    probe = service.reach("connected")
    topic = service.topic("t").ljust(service.longest("AT+CMQTTTOPIC"), "t")
    probe.peer.subscribe([topic])
    service.publish(topic, b"12345", 1)
    service.arrives(topic, b"12345")


@PACKETS("AT+CMQTTPAYLOAD", "published", "the payload entered arrives at another client")
def _payload(service: Service) -> None:
    probe = service.reach("connected")
    probe.peer.subscribe([service.topic()])
    service.publish(service.topic(), b"any text \xc3\xa4", 1)
    service.arrives(service.topic(), b"any text \xc3\xa4")


@PACKETS("AT+CMQTTPAYLOAD", "longest", "a payload of the greatest length arrives whole at another client")
def _longest_payload(service: Service) -> None:
    probe = service.reach("connected")
    payload = (b"0123456789abcdef" * 1000)[: service.longest("AT+CMQTTPAYLOAD")]
    probe.peer.subscribe([service.topic()])
    service.publish(service.topic(), payload, 1)
    service.arrives(service.topic(), payload)


def _quality(qos: int) -> None:
    @PACKETS("AT+CMQTTPUB", f"quality-{qos}", f"qos {qos} is that of PUBLISH", needs=SEEN)
    def _(service: Service) -> None:
        service.reach("connected")
        service.publish(service.topic(), b"12345", qos)
        service.carries("PUBLISH", qos=qos)

    @PACKETS(
        "AT+CMQTTSUB", f"quality-{qos}", f"qos {qos} is the one that SUBSCRIBE asks for, with the topic", needs=SEEN
    )
    def _(service: Service) -> None:
        service.reach("connected")
        service.subscribe(service.topic(), qos)
        service.carries("SUBSCRIBE", filters=[(service.topic(), qos)])


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
        try:
            service.publish(service.topic(), b"12345", 1, retained, dup)
            service.carries("PUBLISH", retain=retained == 1, dup=dup == 1)
        finally:
            if retained:
                service.probe.peer.publish(service.topic(), b"", 1, retain=True)


for _retained, _dup in ((0, 0), (1, 0), (0, 1)):
    _flags(_retained, _dup)


@PACKETS("AT+CMQTTPUB", "flags-left-out", "without retained and dup neither flag is set", needs=SEEN)
def _no_flags(service: Service) -> None:
    service.reach("connected")
    service.publish(service.topic(), b"12345", 1)
    service.carries("PUBLISH", retain=False, dup=False)


@PACKETS("AT+CMQTTPUB", "kept", "a retained message reaches a client that subscribes later")
def _kept(service: Service) -> None:
    probe = service.reach("connected")
    topic = service.topic("kept")
    try:
        service.publish(topic, b"kept", 1, 1)
        probe.peer.subscribe([topic])
        service.arrives(topic, b"kept")
    finally:
        probe.peer.publish(topic, b"", 1, retain=True)


@PACKETS("AT+CMQTTPUB", "not-kept", "a message that is not retained does not reach a client that subscribes later")
def _not_kept(service: Service) -> None:
    probe = service.reach("connected")
    early, late = service.topic("early"), service.topic("late")
    service.publish(early, b"early", 1, 0)
    probe.peer.subscribe([early, late])
    probe.peer.publish(late, b"late", 1)
    got = probe.peer.received.get(timeout=HEARD_WITHIN_S)
    if got[0] != late:
        raise Differs("nothing of before", got[0])


# -- subscriptions, and the end --------------------------------------------------------------------------------------------


@PACKETS("AT+CMQTTUNSUB", "sent", "the topic typed is the one that UNSUBSCRIBE names", needs=SEEN)
def _unsubscribe(service: Service) -> None:
    service.reach("connected")
    service.subscribe(service.topic())
    service.unsubscribe(service.topic())
    service.carries("UNSUBSCRIBE", filters=[service.topic()])


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
    service.enter("AT+CMQTTSUBTOPIC", service.topic(), 1)
    service.done("AT+CMQTTSUB=0")
    service.carries("SUBSCRIBE", filters=[(service.topic(), 1)])


@PACKETS("AT+CMQTTUNSUBTOPIC", "unsubscribed", "AT+CMQTTUNSUB=0,<dup> unsubscribes from the staged topic", needs=SEEN)
def _staged_unsubscribe(service: Service) -> None:
    service.reach("connected")
    service.subscribe(service.topic())
    service.enter("AT+CMQTTUNSUBTOPIC", service.topic())
    service.done("AT+CMQTTUNSUB=0,1")
    service.carries("UNSUBSCRIBE", filters=[service.topic()])


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
        service.receive(b"12345", qos=qos)
        service.packet(kind)


_acknowledged(1, "PUBACK")
_acknowledged(2, "PUBCOMP")


class ServicePacket(ServiceKind):
    """What goes out."""

    name = "service-packet"
    title = "What the MQTT service is told goes to the broker: flags, topics, payloads, qualities of service."
    table = PACKETS

    def breakages(self, document: Document) -> Iterator[Breakage]:
        return iter(())
