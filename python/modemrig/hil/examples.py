"""A worked example, made ready for a slot: its cloud host becomes the rig's broker, its certificates those in use, and
where slots share a broker its client ids and topics get a prefix, all lengths recomputed (decisions 13 to 16)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from modemrig.clouds import Alibaba, Aws, Device
from modemrig.hil.brokers import RigBroker
from modemrig.hil.wire import Line, arguments

CLIENT_ID_AT = {"AT+QMTCONN": 1, "AT+CMQTTACCQ": 1}
"""Commands that name a client id, and which argument it is."""
TOPICS_FROM = {"AT+QMTSUB": 2, "AT+QMTUNS": 2, "AT+QMTPUB": 4, "AT+QMTPUBEX": 4}
"""Commands that name topics, and the first argument that may be one."""
TOPIC_TYPED = ("AT+CMQTTTOPIC", "AT+CMQTTSUB", "AT+CMQTTUNSUB", "AT+CMQTTUNSUBTOPIC", "AT+CMQTTWILLTOPIC")
"""Commands whose typed input is a topic."""
CERTIFICATES = {"ca_cert": "ca", "client_cert": "client_cert", "client_key": "client_key"}
"""What a payload source is called among a broker's files."""
CERTIFICATE_KEYS = {"cacert": "ca", "clientcert": "client_cert", "clientkey": "client_key"}
"""The same by the keys of AT+CSSLCFG."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message the module must report."""

    client: int
    topic: str
    payload: bytes
    msgid: int | None
    """0 for QoS 0; any other was chosen by the broker and does not count."""
    has_length: bool
    """Whether the line announces the payload's length."""


@dataclass(slots=True)
class Step:
    """One step, ready to run."""

    send: str | None
    expect: list[str]
    """Lines of the exchange, in order."""
    received: list[Received]
    payload: bytes | None = None
    peer: tuple[str, bytes, int] | None = None
    """Topic, payload and QoS of what the other device publishes first."""
    published: tuple[str, bytes] | None = None
    """What must arrive at the other device."""


@dataclass(slots=True)
class Plan:
    """An example, ready to run on a slot."""

    setup: str
    steps: list[Step] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)
    client_ids: list[str] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    """Files that must be on the module before the first step."""
    needs_tls: bool = False
    is_mutual: bool = False

    @property
    def files(self) -> list[str]:
        """Files it puts on the module, beforehand and in its steps."""
        typed = [step.send.split('"')[1] for step in self.steps if step.send and step.send.startswith("AT+QFUPL=")]
        return list(dict.fromkeys([*self.uploads, *typed]))


def cloud_device(example: dict[str, Any]) -> Device | None:
    """The device of a cloud platform that an example tells its module of."""
    for line in _sent(example):
        name, words = arguments(line)
        key, *fields = (word.strip('"') for word in [*words, ""])
        if name == "AT+QMTCFG" and key == "aliauth":
            return Alibaba(*fields[1:4])
    return Aws() if is_mutual(example) and any(".amazonaws.com" in line for line in _sent(example)) else None


def uses_tls(example: dict[str, Any]) -> bool:
    """Whether an example connects with TLS."""
    return any(":8883" in line or ",8883" in line for line in _sent(example))


def is_mutual(example: dict[str, Any]) -> bool:
    """Whether the module shows a certificate of its own."""
    return any(re.search(r'"(seclevel|authmode)",\d+,2', line) for line in _sent(example))


def prepare(
    example: dict[str, Any],
    document: dict[str, Any],
    broker: RigBroker,
    tls_port: int | None,
    prefix: str,
    apn: str | None,
) -> Plan:
    """Make an example ready."""
    return _Preparation(example, document, broker, tls_port, prefix, apn).plan()


def upload_checksum(content: bytes) -> str:
    """16-bit XOR of big-endian byte pairs, as AT+QFUPL prints it."""
    padded = content + b"\0" * (len(content) % 2)
    value = 0
    for pair in zip(padded[::2], padded[1::2], strict=True):
        value ^= pair[0] << 8 | pair[1]
    return f"{value:x}"


def _sent(example: dict[str, Any]) -> Iterator[str]:
    return (step["send"] for step in example["steps"] if "send" in step)


class _Preparation:
    def __init__(
        self,
        example: dict[str, Any],
        document: dict[str, Any],
        broker: RigBroker,
        tls_port: int | None,
        prefix: str,
        apn: str | None,
    ) -> None:
        self.example = example
        self.broker = broker
        self.ports = {1883: broker.port, 8883: tls_port}
        self.prefix = prefix
        self.apn = apn
        self.commands = {
            command["name"]: command for command in [*document["commands"], *document.get("surroundings", [])]
        }
        self.names = {topic: self.prefixed(topic) for topic in self.topics_as_printed()}
        self.client_ids = {client_id: prefix + client_id for client_id in self.client_ids_as_printed()}

    def plan(self) -> Plan:
        plan = Plan(
            self.example.get("setup", "idle"), needs_tls=uses_tls(self.example), is_mutual=is_mutual(self.example)
        )
        plan.topics = list(self.names.values())
        plan.client_ids = list(self.client_ids.values())
        topic, payload = "", b""
        for printed in self.example["steps"]:
            step = self.step(printed)
            name, words = arguments(step.send or "")
            if plan.setup == "certificates" and name == "AT+CSSLCFG" and words[0].strip('"') in CERTIFICATE_KEYS:
                content = getattr(self.broker, CERTIFICATE_KEYS[words[0].strip('"')])
                plan.uploads[words[2].strip('"')] = content or b""
            if name in ("AT+QMTPUB", "AT+QMTPUBEX") and step.payload is not None:
                step.published = (words[4].strip('"'), step.payload)
            elif name == "AT+CMQTTTOPIC" and step.payload is not None:
                topic = step.payload.decode()
            elif name == "AT+CMQTTPAYLOAD" and step.payload is not None:
                payload = step.payload
            elif name == "AT+CMQTTPUB" and words and topic:
                step.published = (topic, payload)
            plan.steps.append(step)
        return plan

    def topics_as_printed(self) -> list[str]:
        topics = []
        for step in self.example["steps"]:
            name, words = arguments(step.get("send", ""))
            if name in TOPICS_FROM:
                topics += [word.strip('"') for word in words[TOPICS_FROM[name] :] if word.startswith('"')]
            if name in TOPIC_TYPED and "payload" in step:
                topics.append(step["payload"])
            if "peer" in step:
                topics.append(step["peer"]["publish"]["topic"])
        return list(dict.fromkeys(topics))

    def client_ids_as_printed(self) -> list[str]:
        found = []
        for line in _sent(self.example):
            name, words = arguments(line)
            if name in CLIENT_ID_AT and len(words) > CLIENT_ID_AT[name]:
                found.append(words[CLIENT_ID_AT[name]].strip('"'))
        return list(dict.fromkeys(found))

    def prefixed(self, topic: str) -> str:
        """With the slot's prefix; behind the first level where that begins with a dollar sign, which has a meaning."""
        if topic.startswith("$") and "/" in topic:
            first, rest = topic.split("/", 1)
            return f"{first}/{self.prefix}{rest}"
        return self.prefix + topic

    def step(self, printed: dict[str, Any]) -> Step:
        lines, received = self.expected([self.line(line) for line in printed.get("expect", [])])
        step = Step(None, lines, received)
        if "peer" in printed:
            publish = printed["peer"]["publish"]
            step.peer = (self.names[publish["topic"]], publish["payload"].encode(), publish.get("qos", 0))
        if "send" in printed:
            step.send = self.line(printed["send"])
            step.payload = self.payload(step, printed)
        return step

    def payload(self, step: Step, printed: dict[str, Any]) -> bytes | None:
        """What is typed, and the lengths that follow from it."""
        assert step.send is not None
        name, words = arguments(step.send)
        source = printed.get("payload_source")
        if source in CERTIFICATES:
            content: bytes = getattr(self.broker, CERTIFICATES[source]) or b""
            words[1] = str(len(content))
            step.expect = [
                f"+QFUPL: {len(content)},{upload_checksum(content)}" if line.startswith("+QFUPL:") else line
                for line in step.expect
            ]
        elif "payload" in printed:
            text = printed["payload"]
            content = (self.names.get(text, text) if name in TOPIC_TYPED else text).encode()
            position = self.length_position(name, len(words))
            if position is not None:
                words[position] = str(len(content))
        else:
            return None
        step.send = f"{name}={','.join(words)}"
        return content

    def length_position(self, name: str, count: int) -> int | None:
        """Which argument announces how much is typed."""
        for variant in self.commands[name]["variants"]:
            length = variant.get("payload_length")
            if length is not None and count in variant["counts"]:
                return int(variant["params"].index(length))
        return None

    def line(self, text: str) -> str:
        """A line with names, hosts and ports of this rig."""
        for names in (self.names, self.client_ids):
            for printed, used in names.items():
                text = text.replace(f'"{printed}"', f'"{used}"')
        host = self.broker.host
        text = re.sub(
            r'^((?:AT)?\+QMTOPEN(?:=|: )\d+,)"[^"]*",(1883|8883)$',
            lambda m: f'{m[1]}"{host}",{self.ports[int(m[2])]}',
            text,
        )
        text = re.sub(r'"tcp://[^":]+:(1883|8883)"', lambda m: f'"tcp://{host}:{self.ports[int(m[1])]}"', text)
        if self.broker.user is not None and re.match(
            r'(AT\+QMTCONN=\d+,"[^"]*"|(AT\+CMQTTCONNECT=|\+CMQTTCONNECT: )\d+,"[^"]*",\d+,\d)$', text
        ):
            text += f',"{self.broker.user}","{self.broker.password or ""}"'
        if self.apn is not None and text.startswith("AT+CGDCONT="):
            text = text.replace('"apn"', f'"{self.apn}"')
        return text

    def expected(self, lines: list[str]) -> tuple[list[str], list[Received]]:
        """Lines of the exchange, and messages among them."""
        plain: list[str] = []
        received: list[Received] = []
        rest = iter(lines)
        for line in rest:
            parsed = Line.parse(line)
            if parsed.name == "+QMTRECV" and len(parsed.fields) >= 4:
                client, msgid, topic, *_, payload = parsed.fields
                has_length = len(parsed.fields) == 5
                if has_length:
                    assert int(parsed.fields[3]) == len(payload.encode()), f"the document's length is wrong: {line}"
                known = 0 if msgid == "0" else None
                received.append(Received(int(client), topic, payload.encode(), known, has_length))
            elif parsed.name == "+CMQTTRXSTART":
                received.append(self.block(int(parsed.fields[0]), rest))
            else:
                plain.append(line)
        return plain, received

    def block(self, client: int, rest: Iterator[str]) -> Received:
        """The lines between +CMQTTRXSTART and +CMQTTRXEND."""
        topic, payload, part = "", "", ""
        for line in rest:
            name = Line.parse(line).name
            if name == "+CMQTTRXEND":
                break
            if name in ("+CMQTTRXTOPIC", "+CMQTTRXPAYLOAD"):
                part = name
            elif part == "+CMQTTRXTOPIC":
                topic += line
            else:
                payload += line
        return Received(client, self.names.get(topic, topic), payload.encode(), None, True)
