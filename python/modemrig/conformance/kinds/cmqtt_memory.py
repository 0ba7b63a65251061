"""Facts about what an AT+CMQTT… module keeps and what it forgets: what was typed, and settings."""

from __future__ import annotations

from collections.abc import Iterator

from modemrig.conformance.answer import Differs
from modemrig.conformance.document import Document
from modemrig.conformance.kinds.behaviour import Table
from modemrig.conformance.kinds.cmqtt import NOWHERE, Service, ServiceKind
from modemrig.conformance.kinds.kind import Breakage

SEEN = ("sim", "broker_control")
"""Packets are seen in the bench broker's record."""
MEMORY = Table("cmqtt")


@MEMORY("AT+CMQTTTOPIC", "forgotten", "after AT+CMQTTPUB the topic is forgotten: the next AT+CMQTTPUB is refused")
def _topic(service: Service) -> None:
    probe = service.reach("connected")
    service.publish(service.topic())
    probe.refuse("AT+CMQTTPUB=0,0,60")


@MEMORY(
    "AT+CMQTTPAYLOAD", "forgotten", "after AT+CMQTTPUB the payload is forgotten: it does not go out with the next topic"
)
def _payload(service: Service) -> None:
    probe = service.reach("connected")
    topic = service.topic()
    probe.peer.subscribe([topic])
    service.publish(topic, b"12345", 1)
    service.arrives(topic, b"12345")
    service.enter("AT+CMQTTTOPIC", topic)
    answer = probe.ask("AT+CMQTTPUB=0,1,60")
    if answer.final == "OK":
        service.arrives(topic, b"")


@MEMORY(
    "AT+CMQTTPUB", "empty-message", "AT+CMQTTPUB with a topic and no payload sends an empty message", basis="decided"
)
def _empty(service: Service) -> None:
    probe = service.reach("connected")
    topic = service.topic("memory/case")
    probe.peer.subscribe([topic])
    service.enter("AT+CMQTTTOPIC", topic)
    service.done("AT+CMQTTPUB=0,1,60")
    service.arrives(topic, b"")


@MEMORY("AT+CMQTTPUB", "forgets-when-refused", "a refused AT+CMQTTPUB forgets topic and payload, too", basis="decided")
def _refused(service: Service) -> None:
    probe = service.reach("acquired")
    service.enter("AT+CMQTTTOPIC", service.topic())
    service.enter("AT+CMQTTPAYLOAD", b"12345")
    probe.refuse("AT+CMQTTPUB=0,0,60")
    service.done(probe.fill('AT+CMQTTCONNECT=0,"tcp://{host}:{port}",60,1{login}'))
    probe.refuse("AT+CMQTTPUB=0,0,60")


@MEMORY(
    "AT+CMQTTTOPIC", "last-counts", "of two topics entered one after the other the last is published", basis="decided"
)
def _last(service: Service) -> None:
    probe = service.reach("connected")
    first, last = service.topic("memory/first"), service.topic("memory/last")
    probe.peer.subscribe([first, last])
    service.enter("AT+CMQTTTOPIC", first)
    service.publish(last, b"12345", 1)
    got = probe.peer.received.get(timeout=10.0)
    if got != (last, b"12345"):
        raise Differs(last, got[0])


@MEMORY(
    "AT+CMQTTTOPIC", "before-connection", "topic and payload may be entered before the client connects", basis="decided"
)
def _before(service: Service) -> None:
    probe = service.reach("acquired")
    topic = service.topic("memory/case")
    probe.peer.subscribe([topic])
    service.enter("AT+CMQTTTOPIC", topic)
    service.enter("AT+CMQTTPAYLOAD", b"early")
    service.done(probe.fill('AT+CMQTTCONNECT=0,"tcp://{host}:{port}",60,1{login}'))
    service.done("AT+CMQTTPUB=0,1,60")
    service.arrives(topic, b"early")


@MEMORY(
    "AT+CMQTTSSLCFG",
    "forgotten-when-connecting-fails",
    "a connection that fails forgets the TLS context: it is 0 again",
)
def _context_failed(service: Service) -> None:
    probe = service.reach("acquired")
    service.given("AT+CMQTTSSLCFG=0,1")
    service.says("AT+CMQTTSSLCFG", "+CMQTTSSLCFG: 0,1")
    probe.ask(f'AT+CMQTTCONNECT=0,"{NOWHERE}",60,1')
    service.says("AT+CMQTTSSLCFG", "+CMQTTSSLCFG: 0,0")


@MEMORY("AT+CMQTTSSLCFG", "forgotten-with-disconnection", "AT+CMQTTDISC forgets the TLS context: it is 0 again")
def _context_disconnected(service: Service) -> None:
    probe = service.reach("acquired")
    service.given("AT+CMQTTSSLCFG=0,1")
    service.done(probe.fill('AT+CMQTTCONNECT=0,"tcp://{host}:{port}",60,1{login}'))
    service.done("AT+CMQTTDISC=0,60")
    service.says("AT+CMQTTSSLCFG", "+CMQTTSSLCFG: 0,0")


@MEMORY("AT+CMQTTSSLCFG", "before-acquiring", "the TLS context may be chosen as soon as the service is started")
def _context_early(service: Service) -> None:
    service.reach("started")
    service.given("AT+CMQTTSSLCFG=0,1")
    service.says("AT+CMQTTSSLCFG", "+CMQTTSSLCFG: 0,1")


@MEMORY("AT+CMQTTCFG", "forgotten", "AT+CMQTTREL forgets the settings of AT+CMQTTCFG: they are 1 and 120 again")
def _settings(service: Service) -> None:
    probe = service.reach("acquired")
    service.given('AT+CMQTTCFG="checkUTF8",0,0')
    service.given('AT+CMQTTCFG="optimeout",0,24')
    service.says("AT+CMQTTCFG", "+CMQTTCFG: 0,0,24")
    service.given("AT+CMQTTREL=0")
    service.given(probe.fill('AT+CMQTTACCQ=0,"{client_id}"'))
    service.says("AT+CMQTTCFG", "+CMQTTCFG: 0,1,120")


@MEMORY("AT+CMQTTCFG", "kept", "AT+CMQTTDISC keeps the settings of AT+CMQTTCFG", basis="decided")
def _settings_kept(service: Service) -> None:
    probe = service.reach("acquired")
    service.given('AT+CMQTTCFG="optimeout",0,24')
    service.done(probe.fill('AT+CMQTTCONNECT=0,"tcp://{host}:{port}",60,1{login}'))
    service.done("AT+CMQTTDISC=0,60")
    service.says("AT+CMQTTCFG", "+CMQTTCFG: 0,1,24")


@MEMORY("AT+CMQTTREL", "forgets-will", "AT+CMQTTREL forgets the will", basis="decided", needs=SEEN)
def _will(service: Service) -> None:
    probe = service.reach("acquired")
    service.enter("AT+CMQTTWILLTOPIC", service.topic("will"))
    service.enter("AT+CMQTTWILLMSG", b"gone", 1)
    service.given("AT+CMQTTREL=0")
    service.given(probe.fill('AT+CMQTTACCQ=0,"{client_id}"'))
    service.done(probe.fill('AT+CMQTTCONNECT=0,"tcp://{host}:{port}",60,1{login}'))
    if "will_topic" in service.packet("CONNECT").fields:
        raise Differs("CONNECT without a will", str(service.packet("CONNECT").fields))


@MEMORY(
    "AT+CMQTTSUB",
    "forgotten",
    "AT+CMQTTSUB forgets the topic: the short form sends nothing afterwards",
    needs=SEEN,
)
def _subscription(service: Service) -> None:
    probe = service.reach("connected")
    service.subscribe(service.topic())
    probe.ask("AT+CMQTTSUB=0")
    if len(packets := service.packets("SUBSCRIBE")) != 1:
        raise Differs("one SUBSCRIBE", f"{len(packets)}")


@MEMORY("AT+CMQTTUNSUB", "forgotten", "AT+CMQTTUNSUB forgets the topic: the next one asks for its own", needs=SEEN)
def _unsubscription(service: Service) -> None:
    probe = service.reach("connected")
    first, second = service.topic("first"), service.topic("other")
    service.enter("AT+CMQTTUNSUBTOPIC", first)
    service.done("AT+CMQTTUNSUB=0,1")
    probe.expect(probe.ask(f"AT+CMQTTUNSUB=0,{len(second)}", second.encode()), [">", "OK", "+CMQTTUNSUB: 0,0"])
    service.carries("UNSUBSCRIBE", filters=[second])


@MEMORY(
    "AT+CMQTTSUBTOPIC",
    "used-once",
    "a staged topic is subscribed to once",
    basis="decided",
    needs=SEEN,
)
def _staged(service: Service) -> None:
    probe = service.reach("connected")
    service.enter("AT+CMQTTSUBTOPIC", service.topic(), 1)
    service.done("AT+CMQTTSUB=0")
    probe.ask("AT+CMQTTSUB=0")
    if len(packets := service.packets("SUBSCRIBE")) != 1:
        raise Differs("one SUBSCRIBE", f"{len(packets)}")


class ServiceMemory(ServiceKind):
    """What is kept and what is forgotten."""

    name = "service-memory"
    title = (
        "The MQTT service forgets what was typed, and its settings, when the document says, and keeps them till then."
    )
    rows = MEMORY

    def breakages(self, document: Document) -> Iterator[Breakage]:
        forgets = ("forgotten", "forgets-when-refused", "forgets-will", "used-once")
        contexts = ("forgotten-when-connecting-fails", "forgotten-with-disconnection")
        plain = {
            fact.id
            for fact in self.facts(document)
            if (fact.subject, fact.about["word"]) == ("AT+CMQTTSUB", "forgotten")
        }
        yield Breakage(
            "nothing is forgotten",
            self.ids(document, *forgets, *contexts) - plain,
            quirks=("nothing_forgotten",),
        )
        typed = self.ids(document, "empty-message", "last-counts", "before-connection")
        changed = "packet_changed:field=publish.payload,value=x,topic=memory/"
        yield Breakage("another payload goes out than was entered", typed, faults=(changed,))
        kept = "reworded:from='0,1,24',to='0,1,120',line=at+CMQTTCFG?"
        yield Breakage("a setting is shown as its default", self.ids(document, "kept"), faults=(kept,))
        chosen = "reworded:from='+CMQTTSSLCFG: 0,1',to='+CMQTTSSLCFG: 0,0',line=at+CMQTTSSLCFG?"
        fails = self.ids(document, "before-acquiring", contexts[0])
        yield Breakage("the choice of a TLS context is not shown", fails, faults=(chosen,))
