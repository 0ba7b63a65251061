"""Facts about several clients in one module: what is done to one does not touch another, and all can work at once."""

from __future__ import annotations

from collections.abc import Iterator

from modemrig.conformance.answer import Differs
from modemrig.conformance.document import Document
from modemrig.conformance.kinds.behaviour import CONTROL, Behaviour, Behaviours
from modemrig.conformance.kinds.buffers import flags
from modemrig.conformance.kinds.kind import Breakage
from modemrig.conformance.kinds.qmt_client import SOON_S, Client, arrives, has_several, want
from modemrig.conformance.kinds.window import in_flight
from modemrig.conformance.probe import Probe

TOPIC = "clients"


def _all(probe: Probe) -> list[Client]:
    return [Client(probe, index) for index in range(probe.document.clients)]


def _last(probe: Probe) -> int:
    return probe.document.clients - 1


def _together(probe: Probe) -> None:
    for client in _all(probe):
        client.works()


def _publishing(probe: Probe) -> None:
    topic = probe.topic(TOPIC)
    probe.peer.subscribe([topic])
    for client in _all(probe):
        client.publish(topic, b"from %d" % client.index)
        arrives(probe, topic, b"from %d" % client.index)


def _messages(probe: Probe) -> None:
    """A message for one client comes under its number, and once."""
    clients = _all(probe)
    for client in clients:
        client.subscribed((probe.topic(f"{TOPIC}/{client.index}"), 0))
    for client in reversed(clients):
        probe.peer.publish(probe.topic(f"{TOPIC}/{client.index}"), b"hello")
    for client in clients:
        client.message(probe.topic(f"{TOPIC}/{client.index}"))
    probe.stays_silent(SOON_S)
    for client in clients:
        want("lines with its topic", 1, len(client.messages(probe.topic(f"{TOPIC}/{client.index}"))))


def _settings(probe: Probe) -> None:
    probe.reach("idle")
    others = [index for index in range(probe.document.clients) if index != 2]
    before = [probe.ask(f'AT+QMTCFG="keepalive",{index}').lines for index in others]
    probe.accept('AT+QMTCFG="keepalive",2,77')
    after = [probe.ask(f'AT+QMTCFG="keepalive",{index}').lines for index in others]
    want("settings of the others", before, after)


def _closed(probe: Probe) -> None:
    first, other = Client(probe), Client(probe, _last(probe))
    probe.accept(f"AT+QMTCLOSE={other.index}")
    first.works()


def _parted(probe: Probe) -> None:
    first, other = Client(probe), Client(probe, _last(probe))
    probe.accept(f"AT+QMTDISC={other.index}")
    first.works()


def _cut(probe: Probe) -> None:
    first, other = Client(probe), Client(probe, _last(probe))
    other.cut()
    probe.await_line(rf"\+QMTSTAT: {other.index},\d+")
    first.works()


def _window(probe: Probe) -> None:
    first, other = Client(probe), Client(probe, _last(probe))
    with in_flight(first, probe.document.limits["window"]):
        probe.accept(other.publish_line(probe.topic(TOPIC), 5, 1), b"hello")


def _same_msgid(probe: Probe) -> None:
    first, other, number = Client(probe), Client(probe, _last(probe)), probe.msgid()
    with in_flight(first, 1, first=number):
        probe.accept(other.publish_line(probe.topic(TOPIC), 5, 1, msgid=number), b"hello")


def _stores(probe: Probe) -> None:
    """A client stores, the other does not; what one stored is not the other's."""
    other = Client(probe, _last(probe), state="idle")
    other.cfg("recv/mode", 1, 0)
    first = Client(probe)
    other = Client(probe, other.index)
    topic = probe.topic(f"{TOPIC}/stored")
    other.subscribed((topic, 0))
    probe.peer.publish(topic, b"hello")
    probe.await_line(rf"\+QMTRECV: {other.index},0")
    want("slots of the other client", "0,0,0,0,0", flags(probe, first.index))
    answer = probe.ask(f"AT+QMTRECV={first.index}")
    if answer.lines != ("OK",):
        raise Differs("OK", answer.shown())


class Clients(Behaviours):
    """Several clients in one module."""

    name = "clients"
    title = "Clients are independent of each other, and work at the same time."

    rows = (
        Behaviour("AT+QMTCONN", "together", "all clients can be connected at the same time", _together, only=has_several),
        Behaviour("AT+QMTCONN", "publishing", "every client can publish while all are connected", _publishing,
                  only=has_several),
        Behaviour("+QMTRECV", "messages", "a message comes under the number of the client it is for", _messages,
                  only=has_several),
        Behaviour("AT+QMTCFG", "settings", "a setting of one client is not another's", _settings, needs=(),
                  only=has_several),
        Behaviour("AT+QMTCLOSE", "closed", "closing one client leaves another connected", _closed, only=has_several),
        Behaviour("AT+QMTDISC", "parted", "disconnecting one client leaves another connected", _parted,
                  only=has_several),
        Behaviour("+QMTSTAT", "lost", "losing one client's connection leaves another connected", _cut, needs=CONTROL,
                  only=has_several),
        Behaviour("AT+QMTPUBEX", "window", "a full window of one client is not another's", _window, "decided", CONTROL,
                  only=has_several),
        Behaviour("AT+QMTPUBEX", "msgid", "two clients may use the same msgid at the same time", _same_msgid,
                  "decided", CONTROL, only=has_several),
        Behaviour("AT+QMTRECV", "stored", "what one client stored is not another's", _stores, only=has_several),
    )  # fmt: skip

    def breakages(self, document: Document) -> Iterator[Breakage]:
        yield from self.broken(
            document,
            *("what a client publishes is changed", "publishing"),
            faults=(f"packet_changed:field=publish.payload,value=wrong,topic=conformance/{TOPIC}",),
        )
        yield from self.broken(
            document,
            *("messages for one client come as another's", "messages"),
            faults=(f"reworded:from='+QMTRECV: 3,0,\"conformance/{TOPIC}',to='+QMTRECV: 2,0,\"conformance/{TOPIC}'",),
        )
        yield from self.broken(document, "settings are shared", "settings", quirks=("settings_shared",))
