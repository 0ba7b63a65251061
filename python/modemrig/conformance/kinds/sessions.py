"""Facts about what a broker keeps for a client, seen from a second one: retained messages, subscriptions, sessions."""

from __future__ import annotations

from collections.abc import Iterator

from modemrig.conformance.answer import Differs
from modemrig.conformance.document import Document
from modemrig.conformance.kinds.behaviour import CONTROL, PUBLISH, Behaviour, Behaviours
from modemrig.conformance.kinds.kind import Breakage
from modemrig.conformance.kinds.qmt_client import SOON_S, Client, next_at_peer, want
from modemrig.conformance.probe import Probe
from modemrig.hil.peer import Peer
from modemrig.hil.wire import Line


def _retained(probe: Probe, retain: int) -> bytes | None:
    """What a peer gets that subscribes after the message was published."""
    topic = probe.topic(f"retained/{probe.msgid()}")
    try:
        Client(probe).published(topic, b"kept?", 1, retain)
        probe.peer.subscribe([topic])
        return next_at_peer(probe, topic, None if retain else SOON_S)
    finally:
        probe.peer.publish(topic, b"", retain=True)


def _kept(probe: Probe) -> None:
    want("message for a later subscriber", b"kept?", _retained(probe, 1))


def _not_kept(probe: Probe) -> None:
    want("message for a later subscriber", None, _retained(probe, 0))


class Retained(Behaviours):
    """Messages that the broker keeps."""

    name = "retained"
    title = "A message is kept for later subscribers exactly where the publish says so."

    rows = (
        Behaviour(PUBLISH, "kept", "with retain 1 a later subscriber gets the message", _kept),
        Behaviour(PUBLISH, "not-kept", "with retain 0 a later subscriber gets nothing", _not_kept),
    )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        fault = "packet_changed:field=publish.retain,value={},topic=conformance/retained"
        yield from self.broken(document, "nothing is kept", "kept", faults=(fault.format(0),))
        yield from self.broken(document, "everything is kept", "not-kept", faults=(fault.format(1),))


# -- subscriptions -----------------------------------------------------------------------------------------------------


def _granted(probe: Probe, *qualities: int) -> None:
    client = Client(probe)
    topics = [(probe.topic(f"subscription/{place}"), qos) for place, qos in enumerate(qualities)]
    answer = client.subscribe(*topics)
    want("granted", tuple(map(str, qualities)), Line.parse(answer.late).fields[3:])


def _granted_each(probe: Probe) -> None:
    for qos in range(3):
        _granted(probe, qos)


def _granted_all(probe: Probe) -> None:
    _granted(probe, 2, 0, 1)


def _delivered(probe: Probe) -> None:
    client, topic = Client(probe), probe.topic("subscription/one")
    client.subscribed(topic)
    probe.peer.publish(topic, b"hello", 1)
    client.message(topic)


def _several(probe: Probe) -> None:
    client = Client(probe)
    topics = [probe.topic(f"subscription/several/{n}") for n in range(3)]
    client.subscribed(*topics)
    for topic in topics:
        probe.peer.publish(topic, b"hello", 1)
        client.message(topic)


def _ended(probe: Probe) -> None:
    client, topic = Client(probe), probe.topic("subscription/ended")
    client.subscribed(topic)
    client.unsubscribed(topic)
    start = probe.now()
    probe.peer.publish(topic, b"hello", 1)
    probe.stays_silent(SOON_S, start)


def _ended_several(probe: Probe) -> None:
    """Those that were named; another stays."""
    client = Client(probe)
    topics = [probe.topic(f"subscription/ended/{n}") for n in range(3)]
    client.subscribed(*topics)
    client.unsubscribed(*topics[:2])
    for topic in topics:
        probe.peer.publish(topic, b"hello", 1)
    client.message(topics[2])
    probe.stays_silent(SOON_S, probe.now())
    if got := [line for topic in topics[:2] for line in client.messages(topic)]:
        raise Differs("no message of the topics that were given up", "\n".join(got))


def _highest(probe: Probe) -> None:
    """A subscription of QoS 0 gets a message of QoS 1 without identifier."""
    client, topic = Client(probe), probe.topic("subscription/qos-0")
    client.subscribed((topic, 0))
    probe.peer.publish(topic, b"hello", 1)
    want("msgid", "0", Line.parse(client.message(topic)).fields[1])


class Subscription(Behaviours):
    """What subscribing and unsubscribing do."""

    name = "subscription"
    title = "Messages come while a topic is subscribed to, and the granted quality of service is told."

    rows = (
        Behaviour("AT+QMTSUB", "granted", "the result says the granted QoS", _granted_each),
        Behaviour(
            "AT+QMTSUB", "granted-several", "the result says the granted QoS of each topic in order", _granted_all
        ),
        Behaviour("AT+QMTSUB", "delivered", "messages of the topic come", _delivered),
        Behaviour("AT+QMTSUB", "several", "messages of each of several topics come", _several),
        Behaviour("AT+QMTSUB", "highest", "a message comes with no more than the QoS that was wanted", _highest),
        Behaviour("AT+QMTUNS", "ended", "messages of the topic come no longer", _ended),
        Behaviour("AT+QMTUNS", "several-ended", "several topics are given up, and no other", _ended_several),
    )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        topic = "conformance/subscription"
        yield from self.broken(
            document,
            *("SUBSCRIBE asks for QoS 0 always", "granted", "granted-several"),
            faults=(f"packet_changed:field=subscribe.qos,value=0,topic={topic}",),
        )
        yield from self.broken(
            document,
            *("messages do not arrive", "delivered", "several", "highest", "several-ended"),
            faults=(f"packet_lost:kind=publish,direction=in,topic={topic}",),
        )
        yield from self.broken(
            document,
            *("another topic is given up", "ended", "several-ended"),
            faults=(f"packet_changed:field=unsubscribe.topic,value=other,topic={topic}/ended",),
        )


# -- sessions ----------------------------------------------------------------------------------------------------------


def _after_absence(probe: Probe, clean: int) -> tuple[Client, str]:
    """A client that subscribed, left and came back; with a topic on which a message was published since."""
    client = Client(probe, state="idle")
    probe.peer.forget([], [client.name])
    client.cfg("session", clean)
    client = Client(probe)
    topic = probe.topic(f"session/{clean}")
    client.subscribed(topic)
    probe.accept("AT+QMTDISC=0")
    client = Client(probe)
    probe.peer.publish(topic, b"still there?", 1)
    return client, topic


def _survives(probe: Probe) -> None:
    client, topic = _after_absence(probe, 0)
    client.message(topic)


def _ends(probe: Probe) -> None:
    client, topic = _after_absence(probe, 1)
    start = probe.now()
    probe.stays_silent(SOON_S, start)
    if got := client.messages(topic):
        raise Differs("no message", "\n".join(got))


def _clean(probe: Probe, clean: int) -> None:
    from modemrig.conformance.kinds.wire import connect_packet

    want("clean session", bool(clean), connect_packet(probe, "session", clean)["clean_session"])


def _clean_0(probe: Probe) -> None:
    _clean(probe, 0)


def _clean_1(probe: Probe) -> None:
    _clean(probe, 1)


def _queued(probe: Probe) -> None:
    client = Client(probe, state="idle")
    probe.peer.forget([], [client.name])
    client.cfg("session", 0)
    client = Client(probe)
    topic = probe.topic("session/queued")
    client.subscribed(topic)
    probe.accept("AT+QMTDISC=0")
    probe.peer.publish(topic, b"meanwhile", 1)
    client = Client(probe)
    client.message(topic)


def _second(probe: Probe) -> None:
    """A second client with the same id: the server ends the first one's connection."""
    client = Client(probe)
    probe.moved()
    with Peer(probe.broker, client.name):
        probe.await_line(rf"\+QMTSTAT: {client.index},\d+")


class Session(Behaviours):
    """What the broker keeps for a client that left."""

    name = "session"
    title = "Subscriptions outlive a connection exactly where clean_session is 0."

    rows = (
        Behaviour("AT+QMTCFG", "survives", "with clean_session 0 subscriptions are still there", _survives,
                  key="session"),
        Behaviour("AT+QMTCFG", "ends", "with clean_session 1 subscriptions are gone", _ends, key="session"),
        Behaviour("AT+QMTCFG", "flag-0", "with clean_session 0 CONNECT asks for a stored session", _clean_0,
                  needs=CONTROL, key="session"),
        Behaviour("AT+QMTCFG", "flag-1", "with clean_session 1 CONNECT asks for a clean session", _clean_1,
                  needs=CONTROL, key="session"),
        Behaviour("AT+QMTCFG", "queued", "with clean_session 0 messages of the absence come", _queued, "decided",
                  key="session"),
        Behaviour("AT+QMTCONN", "same-id", "a second client with the same client id ends the first", _second),
    )  # fmt: skip

    def breakages(self, document: Document) -> Iterator[Breakage]:
        yield from self.broken(
            *(document, "every session is clean", "survives", "flag-0", "queued"), quirks=("session_forgotten",)
        )
        yield from self.broken(
            *(document, "no session is clean", "ends", "flag-1"),
            faults=("packet_changed:field=connect.clean_session,value=0",),
        )
