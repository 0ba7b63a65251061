"""Facts about what a payload may hold, how long it may be, and that it arrives as it was, both ways.

Seen at another client of the broker. Where input ends is another theme (``prompts``).
"""

from __future__ import annotations

from collections.abc import Iterator

from modemrig.conformance.answer import Differs
from modemrig.conformance.document import Document
from modemrig.conformance.kinds.behaviour import PUBLISH, Behaviour, Behaviours
from modemrig.conformance.kinds.kind import Breakage
from modemrig.conformance.kinds.qmt_client import Client, arrives, counted, patience, want
from modemrig.conformance.probe import Probe
from modemrig.hil.wire import Line

TOPIC = "payload"
EVERY_BYTE = bytes(range(256))


def _listening(probe: Probe) -> tuple[Client, str]:
    topic = probe.topic(TOPIC)
    probe.peer.subscribe([topic])
    return Client(probe), topic


def _longest(probe: Probe) -> None:
    client, topic = _listening(probe)
    payload = (b"0123456789" * 1000)[: probe.document.limits["payload_len"]]
    probe.accept(client.publish_line(topic, len(payload)), payload)
    arrives(probe, topic, payload)


def _too_long(probe: Probe) -> None:
    client = Client(probe)
    length = probe.document.limits["payload_len"] + 1
    probe.refuse(client.publish_line(probe.topic(TOPIC), length), b"x" * length)


def _empty(probe: Probe) -> None:
    client = Client(probe)
    probe.refuse(client.publish_line(probe.topic(TOPIC), 0), b"")


def _bytes(probe: Probe) -> None:
    client, topic = _listening(probe)
    probe.accept(client.publish_line(topic, len(EVERY_BYTE)), EVERY_BYTE)
    arrives(probe, topic, EVERY_BYTE)


def _received(probe: Probe, topic: str, payload: bytes) -> None:
    """The payload comes, raw, in quotation marks or without."""
    start = probe.now()
    probe.peer.publish(topic, payload)
    needle = f'"{topic}",'.encode()
    deadline = start + patience(probe)
    while probe.now() < deadline:
        received = b"".join(entry.data for entry in probe.modem.transcript(start) if entry.direction == "rx")
        if payload in received[received.find(needle) + len(needle) :] and needle in received:
            return
        next(probe.modem.events(timeout_s=0.02), None)
    raise Differs(repr(payload), repr(received))


def _received_bytes(probe: Probe) -> None:
    client, topic = Client(probe), probe.topic(TOPIC)
    client.subscribed((topic, 0))
    _received(probe, topic, b'\x01\r\n\x7f\x80\xff "quoted" \'\r\nOK\r\n')


def _received_length(probe: Probe) -> None:
    """The length counts bytes of the payload, not characters, and no quotation marks."""
    client = Client(probe, state="idle")
    client.cfg("recv/mode", 0, 1)
    client, topic = Client(probe), probe.topic(TOPIC)
    client.subscribed((topic, 0))
    probe.peer.publish(topic, "grün".encode())
    want("payload_len", "5", Line.parse(client.message(topic)).fields[3])


def _received_long(probe: Probe) -> None:
    client, topic = Client(probe), probe.topic(TOPIC)
    client.subscribed((topic, 0))
    _received(probe, topic, b"y" * probe.document.limits["payload_len"])


def _typed_hex(probe: Probe, key: str, *values: int) -> None:
    client = Client(probe, state="idle")
    client.cfg(key, *values)
    client, topic = _listening(probe)
    # The length counts bytes, each typed as two digits (decision 34); a host that counts so is the only one asked.
    probe.ask(client.publish_line(topic, 5), b"48656C6c6f", exact=True)
    arrives(probe, topic, b"Hello")


def _send_mode(probe: Probe) -> None:
    _typed_hex(probe, "send/mode", 1)


def _dataformat_send(probe: Probe) -> None:
    _typed_hex(probe, "dataformat", 1, 0)


def _wrong_digits(probe: Probe) -> None:
    client = Client(probe, state="idle")
    client.cfg("send/mode", 1)
    client, topic = _listening(probe)
    answer = probe.ask(client.publish_line(topic, 2), b"4z61", exact=True)
    if not answer.is_refused:
        raise Differs(">\nERROR", answer.shown())


def _last_writer(probe: Probe) -> None:
    client = Client(probe, state="idle")
    client.cfg("send/mode", 1)
    client.cfg("dataformat", 0, 0)
    answer = probe.ask('AT+QMTCFG="send/mode",0')
    probe.expect(answer, ['+QMTCFG: "send/mode",0', "OK"])


def _text_mode(probe: Probe) -> None:
    client = Client(probe, state="idle")
    client.cfg("send/mode", 0)
    client, topic = _listening(probe)
    client.published(topic, b"48656C6c6f")
    arrives(probe, topic, b"48656C6c6f")


def _hex_received(probe: Probe) -> None:
    client = Client(probe, state="idle")
    client.cfg("dataformat", 0, 1)
    client, topic = Client(probe), probe.topic(TOPIC)
    client.subscribed((topic, 0))
    probe.peer.publish(topic, b"\x00Az\xff")
    want("payload", "00417AFF", Line.parse(client.message(topic)).fields[-1].upper())


def _text_received(probe: Probe) -> None:
    client = Client(probe, state="idle")
    client.cfg("dataformat", 0, 0)
    client, topic = Client(probe), probe.topic(TOPIC)
    client.subscribed((topic, 0))
    probe.peer.publish(topic, b"Az")
    want("payload", "Az", Line.parse(client.message(topic)).fields[-1])


def _ranged(document: Document) -> bool:
    """Whether the document prints the range of a length: then that is a value, and stands with the values."""
    return _range(document) is not None


def _range(document: Document) -> int | None:
    from modemrig.conformance.kinds.behaviour import publisher

    command = publisher(document)
    variant = counted(document)
    assert command is not None
    assert variant.payload_length is not None
    return command.params[variant.payload_length].max


def _unranged(document: Document) -> bool:
    return not _ranged(document)


class Payload(Behaviours):
    """What a payload may hold, and how long it may be."""

    name = "payload"
    title = "A payload arrives as it was sent, up to the documented length."

    rows = (
        Behaviour(PUBLISH, "longest", "a message of the greatest documented length arrives whole", _longest),
        Behaviour(PUBLISH, "too-long", "a length beyond the greatest is refused", _too_long, "decided", only=_unranged),
        Behaviour(PUBLISH, "empty", "a length of 0 is refused", _empty, "decided", only=_unranged),
        Behaviour(PUBLISH, "bytes", "every value of a byte arrives as it was typed", _bytes),
        Behaviour("+QMTRECV", "any-bytes", "what a message holds is written as it is", _received_bytes, "decided"),
        Behaviour(
            "+QMTRECV",
            "long",
            "a received message as long as one that is sent is written whole",
            _received_long,
            "decided",
        ),
        Behaviour("AT+QMTCFG", "length", "payload_len counts the payload's bytes", _received_length, key="recv/mode"),
        Behaviour("AT+QMTCFG", "hex", "with send_mode 1 hexadecimal digits are typed", _send_mode, key="send/mode"),
        Behaviour("AT+QMTCFG", "text", "with send_mode 0 what is typed is sent", _text_mode, key="send/mode"),
        Behaviour(
            "AT+QMTCFG",
            "no-digits",
            "what is no hexadecimal digit is refused",
            _wrong_digits,
            "decided",
            key="send/mode",
        ),
        Behaviour(
            "AT+QMTCFG",
            "hex-sent",
            "with send_mode 1 hexadecimal digits are typed",
            _dataformat_send,
            key="dataformat",
        ),
        Behaviour(
            "AT+QMTCFG",
            "hex-received",
            "with recv_mode 1 payloads come as hexadecimal digits",
            _hex_received,
            key="dataformat",
        ),
        Behaviour(
            "AT+QMTCFG",
            "text-received",
            "with recv_mode 0 payloads come as they are",
            _text_received,
            key="dataformat",
        ),
        Behaviour(
            "AT+QMTCFG",
            "last-writer",
            "send_mode is one setting: the last writer wins",
            _last_writer,
            "decided",
            (),
            "dataformat",
        ),
    )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        topic = f"conformance/{TOPIC}"
        yield from self.broken(
            document,
            "other bytes are sent than were typed",
            *("longest", "bytes", "hex", "text", "hex-sent"),
            faults=(f"packet_changed:field=publish.payload,value=wrong,topic={topic}",),
        )
        yield from self.broken(
            document,
            "other bytes are written than arrived",
            *("any-bytes", "long", "hex-received", "text-received"),
            faults=(f"packet_changed:field=publish.payload,value=wrong,direction=in,topic={topic}",),
        )
        yield from self.broken(
            document,
            *("the length of a message is one less", "length"),
            faults=(f"reworded:from='{topic}\",5,',to='{topic}\",4,'",),
        )
        yield from self.broken(
            document,
            *("one byte more is taken", "too-long"),
            differs=f"[limits]\npayload_len = {document.limits['payload_len'] + 1}\n",
        )
