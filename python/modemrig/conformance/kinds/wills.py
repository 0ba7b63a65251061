"""Facts about the will: when the broker publishes it, and what it holds, however it was entered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from modemrig.conformance.answer import Blocked
from modemrig.conformance.document import Document
from modemrig.conformance.kinds.behaviour import BROKER, CONTROL, Behaviour, Behaviours
from modemrig.conformance.kinds.kind import Breakage
from modemrig.conformance.kinds.qmt_client import SOON_S, Client, arrives, next_at_peer, want
from modemrig.conformance.kinds.wire import connect_packet
from modemrig.conformance.probe import Probe

TOPIC = "will"
BINARY = b'\x00\r\n"\x1a\xff'


def _with_will(probe: Probe, qos: int = 0, retain: int = 0, typed: bytes | None = None) -> Client:
    """A connected client with a will, and the peer listening to its topic."""
    client, topic = Client(probe, state="idle"), probe.topic(TOPIC)
    probe.peer.subscribe([topic])
    if typed is None:
        client.cfg("will", 1, qos, retain, f'"{topic}"', '"gone"')
    else:
        line = f'AT+QMTCFG="willex",0,1,{qos},{retain},"{topic}",{len(typed)}'
        if probe.ask(line, typed).final != "OK":
            raise Blocked(f"{line} was refused")
    return Client(probe)


def _lost(probe: Probe) -> None:
    _with_will(probe).cut()
    arrives(probe, probe.topic(TOPIC), b"gone")


def _closed(probe: Probe) -> None:
    _with_will(probe)
    probe.accept("AT+QMTCLOSE=0")
    arrives(probe, probe.topic(TOPIC), b"gone")


def _parted(probe: Probe) -> None:
    _with_will(probe)
    probe.accept("AT+QMTDISC=0")
    want("will", None, next_at_peer(probe, probe.topic(TOPIC), SOON_S))


def _kept(probe: Probe) -> None:
    topic = probe.topic(f"{TOPIC}/kept/{probe.msgid()}")
    client = Client(probe, state="idle")
    client.cfg("will", 1, 0, 1, f'"{topic}"', '"gone"')
    client = Client(probe)
    try:
        probe.accept("AT+QMTCLOSE=0")
        probe.peer.subscribe([topic])
        arrives(probe, topic, b"gone")
    finally:
        probe.peer.publish(topic, b"", retain=True)


def _typed(probe: Probe) -> None:
    _with_will(probe, typed=BINARY)
    probe.accept("AT+QMTCLOSE=0")
    arrives(probe, probe.topic(TOPIC), BINARY)


def _packet(probe: Probe, field: str, expected: object, qos: int = 0, retain: int = 0) -> None:
    topic = probe.topic(TOPIC)
    packet = connect_packet(probe, "will", 1, qos, retain, f'"{topic}"', '"gone"')
    want(field.replace("_", " "), topic if expected is None else expected, packet.get(field))


def _typed_packet(probe: Probe, field: str, expected: object) -> None:
    topic = probe.topic(TOPIC)
    if probe.ask(f'AT+QMTCFG="willex",0,1,2,1,"{topic}",6', BINARY).final != "OK":
        raise Blocked("willex was refused")
    packet = connect_packet(probe)
    want(field.replace("_", " "), topic if expected is None else expected, packet.get(field))


def _none(probe: Probe) -> None:
    want("will", None, connect_packet(probe, "will", 0).get("will_topic"))


def _row(key: str, word: str, statement: str, check: Callable[[Probe], None]) -> Behaviour:
    return Behaviour("AT+QMTCFG", word, statement, check, needs=CONTROL, key=key)


class WillOfAClient(Behaviours):
    """The will of a client."""

    name = "will"
    title = "The broker publishes the will of a lost client, as it was entered."

    rows = (
        _row("will", "lost", "the will of a lost client is published", _lost),
        Behaviour("AT+QMTCFG", "closed", "AT+QMTCLOSE without AT+QMTDISC publishes it", _closed, "decided", key="will"),
        Behaviour("AT+QMTCFG", "parted", "AT+QMTDISC does not publish it", _parted, key="will"),
        Behaviour("AT+QMTCFG", "kept", "with will_retain 1 a later subscriber gets it", _kept, key="will"),
        _row("will", "none", "with will_fg 0 there is no will", _none),
        _row(
            "will", "topic", "CONNECT holds the topic of the will", partial(_packet, field="will_topic", expected=None)
        ),
        _row(
            "will",
            "message",
            "CONNECT holds the message of the will",
            partial(_packet, field="will_payload", expected=b"gone"),
        ),
        *(
            _row(
                "will",
                f"qos-{qos}",
                f"with will_qos {qos} the will has QoS {qos}",
                partial(_packet, field="will_qos", expected=qos, qos=qos),
            )
            for qos in range(3)
        ),
        *(
            _row(
                "will",
                f"retain-{retain}",
                f"with will_retain {retain} the will is {'' if retain else 'not '}kept",
                partial(_packet, field="will_retain", expected=bool(retain), retain=retain),
            )
            for retain in range(2)
        ),
        Behaviour(
            "AT+QMTCFG",
            "bytes",
            "a will typed at the prompt is published with any bytes",
            _typed,
            "documented",
            BROKER,
            "willex",
        ),
        _row(
            "willex",
            "topic",
            "CONNECT holds the topic of a will with a typed message",
            partial(_typed_packet, field="will_topic", expected=None),
        ),
        _row("willex", "qos", "CONNECT holds its QoS", partial(_typed_packet, field="will_qos", expected=2)),
        _row(
            "willex",
            "retain",
            "CONNECT holds its retain flag",
            partial(_typed_packet, field="will_retain", expected=True),
        ),
    )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        yield from self.broken(
            document,
            "the will is forgotten",
            *("lost", "closed", "kept", "topic", "message", "qos-0", "qos-1", "qos-2", "retain-0", "retain-1", "bytes"),
            *("qos", "retain"),
            quirks=("will_forgotten",),
        )
