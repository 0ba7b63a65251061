"""Facts about what a module sends to its broker because a command or a setting says so; seen in the bench broker's record."""

from __future__ import annotations

from collections.abc import Iterator

from modemrig.conformance.document import Document
from modemrig.conformance.kinds.behaviour import CONTROL, PUBLISH, Behaviour, Behaviours
from modemrig.conformance.kinds.kind import Breakage
from modemrig.conformance.kinds.qmt_client import Client, want
from modemrig.conformance.probe import Probe

TOPIC = "wire"


def connect_packet(probe: Probe, key: str | None = None, *values: object, words: str = "") -> dict[str, object]:
    """The CONNECT that a client sends with this setting, and with these words behind its client id."""
    client = Client(probe, state="idle")
    if key is not None:
        client.cfg(key, *values)
    client = Client(probe, state="opened")
    client.watch()
    probe.ask(probe.fill('AT+QMTCONN={client},"{client_id}"') + (words or probe.fill("{login}")))
    return dict(client.await_packets(1, "CONNECT")[0].fields)


def _level(probe: Probe, level: int) -> None:
    want("protocol level", level, connect_packet(probe, "version", level)["level"])


def _level_3(probe: Probe) -> None:
    _level(probe, 3)


def _level_4(probe: Probe) -> None:
    _level(probe, 4)


def _keepalive(probe: Probe) -> None:
    want("keep-alive time", 77, connect_packet(probe, "keepalive", 77)["keep_alive"])


def _keepalive_0(probe: Probe) -> None:
    want("keep-alive time", 0, connect_packet(probe, "keepalive", 0)["keep_alive"])


def _client_id(probe: Probe) -> None:
    want("client id", probe.client_id(), connect_packet(probe)["client_id"])


def _username(probe: Probe) -> None:
    want("user name", "somebody", connect_packet(probe, words=',"somebody","a password"')["username"])


def _nobody(probe: Probe) -> None:
    packet = connect_packet(probe)
    if not probe.broker.user:
        want("user name and password", (None, False), (packet["username"], packet["has_password"]))


def _password(probe: Probe) -> None:
    """The broker lets in who knows the password, and nobody else."""
    client = Client(probe, state="opened")
    probe.bench_broker.set_users({"somebody": "a password"})
    try:
        answer = probe.ask(f'AT+QMTCONN=0,"{client.name}","somebody","a password"')
        want("result", "+QMTCONN: 0,0,0", answer.late)
    finally:
        probe.bench_broker.set_users(None)


def _disconnect(probe: Probe) -> None:
    client = Client(probe)
    client.watch()
    probe.accept("AT+QMTDISC=0")
    client.await_packets(1, "DISCONNECT")


def _no_disconnect(probe: Probe) -> None:
    """The connection ends without it; that it has ended is seen by the broker."""
    client = Client(probe)
    client.watch()
    probe.accept("AT+QMTCLOSE=0")
    want("DISCONNECT", 0, len(client.packets("DISCONNECT")))


def _published(probe: Probe, qos: int, retain: int = 0) -> dict[str, object]:
    client, number = Client(probe), probe.msgid() if qos else 0
    client.watch()
    client.publish(probe.topic(TOPIC), b"hello", qos, retain, number)
    packet = client.await_packets(1, "PUBLISH", topic=probe.topic(TOPIC))[0]
    if retain:
        probe.bench_broker.publish(probe.topic(TOPIC), b"", 0, True)
    return {**packet.fields, "number": number}


def _qos(probe: Probe, qos: int) -> None:
    want("QoS", qos, _published(probe, qos)["qos"])


def _qos_0(probe: Probe) -> None:
    _qos(probe, 0)


def _qos_1(probe: Probe) -> None:
    _qos(probe, 1)


def _qos_2(probe: Probe) -> None:
    """PUBREL follows, too."""
    client, number = Client(probe), probe.msgid()
    client.watch()
    client.publish(probe.topic(TOPIC), b"hello", 2, 0, number)
    want("QoS", 2, client.await_packets(1, "PUBLISH", topic=probe.topic(TOPIC))[0]["qos"])
    want("packet identifier of PUBREL", number, client.await_packets(1, "PUBREL")[0]["id"])


def _msgid(probe: Probe) -> None:
    packet = _published(probe, 1)
    want("packet identifier", packet["number"], packet["id"])


def _retain_0(probe: Probe) -> None:
    want("retain", False, _published(probe, 0, 0)["retain"])


def _retain_1(probe: Probe) -> None:
    want("retain", True, _published(probe, 0, 1)["retain"])


def _subscribe(probe: Probe) -> None:
    client, number = Client(probe), probe.msgid()
    client.watch()
    topics = [(probe.topic(f"{TOPIC}/{qos}"), qos) for qos in range(3)]
    client.subscribe(*topics, msgid=number)
    packet = client.await_packets(1, "SUBSCRIBE")[0]
    want("topics with QoS", topics, [tuple(each) for each in packet["filters"]])
    want("packet identifier", number, packet["id"])


def _unsubscribe(probe: Probe) -> None:
    client = Client(probe)
    topics = [probe.topic(f"{TOPIC}/{n}") for n in range(2)]
    client.watch()
    client.unsubscribe(*topics)
    want("topics", topics, list(client.await_packets(1, "UNSUBSCRIBE")[0]["filters"]))


def _acknowledged(probe: Probe, qos: int, kind: str) -> None:
    client, topic = Client(probe), probe.topic(f"{TOPIC}/in")
    client.subscribed((topic, qos))
    client.watch()
    probe.peer.publish(topic, b"hello", qos)
    client.message(topic)
    client.await_packets(1, kind)


def _puback(probe: Probe) -> None:
    _acknowledged(probe, 1, "PUBACK")


def _pubcomp(probe: Probe) -> None:
    _acknowledged(probe, 2, "PUBCOMP")


def _any_msgid(probe: Probe) -> None:
    """QoS 0 has no identifier on the wire; one that is given is repeated in the result (decision 30)."""
    client = Client(probe)
    answer = client.publish(probe.topic(TOPIC), qos=0, msgid=7)
    if answer.final != "OK" or not answer.late.endswith(": 0,7,0"):
        want("answer", ">\nOK\n+…: 0,7,0", answer.shown())


class OnTheWire(Behaviours):
    """What commands and settings put into packets."""

    name = "wire"
    title = "The packets hold what commands and settings say."

    rows = tuple(
        Behaviour(subject, word, statement, check, basis, CONTROL, key)  # type: ignore[arg-type]
        for subject, key, word, statement, check, basis in (
            ("AT+QMTCFG", "version", "level-3", "with vsn 3 CONNECT says MQTT 3.1", _level_3, "documented"),
            ("AT+QMTCFG", "version", "level-4", "with vsn 4 CONNECT says MQTT 3.1.1", _level_4, "documented"),
            ("AT+QMTCFG", "keepalive", "time", "CONNECT says the keep-alive time", _keepalive, "documented"),
            ("AT+QMTCFG", "keepalive", "never", "with a keep-alive time of 0 CONNECT says 0", _keepalive_0,
             "documented"),
            ("AT+QMTCONN", "", "client-id", "CONNECT holds the client id", _client_id, "documented"),
            ("AT+QMTCONN", "", "user-name", "CONNECT holds the user name", _username, "documented"),
            ("AT+QMTCONN", "", "password", "CONNECT holds the password", _password, "documented"),
            ("AT+QMTCONN", "", "nobody", "without user name and password CONNECT holds none", _nobody, "decided"),
            ("AT+QMTDISC", "", "disconnect", "AT+QMTDISC sends DISCONNECT", _disconnect, "documented"),
            ("AT+QMTCLOSE", "", "no-disconnect", "AT+QMTCLOSE sends no DISCONNECT", _no_disconnect, "decided"),
            (PUBLISH, "", "qos-0", "PUBLISH has QoS 0 where it was said", _qos_0, "documented"),
            (PUBLISH, "", "qos-1", "PUBLISH has QoS 1 where it was said", _qos_1, "documented"),
            (PUBLISH, "", "qos-2", "PUBLISH has QoS 2 where it was said, and PUBREL follows", _qos_2, "documented"),
            (PUBLISH, "", "msgid", "PUBLISH has the packet identifier that was said", _msgid, "documented"),
            (PUBLISH, "", "msgid-qos-0", "a msgid said for QoS 0 is repeated in the result", _any_msgid, "decided"),
            (PUBLISH, "", "retain-0", "with retain 0 PUBLISH does not ask to be kept", _retain_0, "documented"),
            (PUBLISH, "", "retain-1", "with retain 1 PUBLISH asks to be kept", _retain_1, "documented"),
            ("AT+QMTSUB", "", "topics", "SUBSCRIBE holds msgid and every topic with its QoS", _subscribe,
             "documented"),
            ("AT+QMTUNS", "", "given-up", "UNSUBSCRIBE holds every topic", _unsubscribe, "documented"),
            ("+QMTRECV", "", "puback", "a message of QoS 1 is acknowledged", _puback, "decided"),
            ("+QMTRECV", "", "pubcomp", "a message of QoS 2 is acknowledged to the end", _pubcomp, "decided"),
        )
    )  # fmt: skip

    def breakages(self, document: Document) -> Iterator[Breakage]:
        topic = f"conformance/{TOPIC}"
        for title, words, fault in (
            ("CONNECT says MQTT 3.1 always", ("level-4",), "packet_changed:field=connect.level,value=3,topic=c0"),
            ("CONNECT says another keep-alive time", ("time", "never"),
             "packet_changed:field=connect.keep_alive,value=600"),
            ("PUBLISH asks to be kept always", ("retain-0",),
             f"packet_changed:field=publish.retain,value=1,topic={topic}"),
            ("PUBLISH never asks to be kept", ("retain-1",),
             f"packet_changed:field=publish.retain,value=0,topic={topic}"),
            ("SUBSCRIBE asks for QoS 0 always", ("topics", "puback", "pubcomp"),
             f"packet_changed:field=subscribe.qos,value=0,topic={topic}"),
            ("UNSUBSCRIBE holds another topic", ("given-up",),
             f"packet_changed:field=unsubscribe.topic,value=other,topic={topic}"),
            ("the msgid of QoS 0 is lost", ("msgid-qos-0",), f"reworded:from=': 0,7,0',to=': 0,0,0',line={topic}"),
        ):  # fmt: skip
            yield from self.broken(document, title, *words, faults=(fault,))
