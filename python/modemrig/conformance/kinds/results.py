"""Facts about what a command of AT+QMT… answers when all goes well: prompt, OK and late result, in order and form.

What a code means stands with the codes; notices of packets sent again with the retransmission.
"""

from __future__ import annotations

from collections.abc import Iterator

from modemrig.conformance.answer import Differs
from modemrig.conformance.document import Document
from modemrig.conformance.kinds.behaviour import PUBLISH, Behaviour, Behaviours
from modemrig.conformance.kinds.kind import Breakage
from modemrig.conformance.kinds.qmt_client import Client
from modemrig.conformance.probe import Probe
from modemrig.conformance.samples import small
from modemrig.conformance.verdict import Basis
from modemrig.hil.wire import Line


def _open(probe: Probe) -> None:
    probe.reach("idle")
    probe.expect(probe.ask(small(probe.fill('AT+QMTOPEN={client},"{host}",{port}'))), ["OK", "+QMTOPEN: 0,0"])


def _conn(probe: Probe) -> None:
    probe.reach("opened")
    line = 'AT+QMTCONN={client},"{client_id}"{login}'
    probe.expect(probe.ask(small(probe.fill(line))), ["OK", "+QMTCONN: 0,0,0"])


def _disc(probe: Probe) -> None:
    probe.reach("connected")
    probe.expect(probe.ask(small("AT+QMTDISC=0")), ["OK", "+QMTDISC: 0,0"])


def _close(probe: Probe) -> None:
    probe.reach("opened")
    probe.expect(probe.ask(small("AT+QMTCLOSE=0")), ["OK", "+QMTCLOSE: 0,0"])


def _sub(probe: Probe) -> None:
    client, number = Client(probe), probe.msgid()
    answer = client.subscribe((probe.topic("result"), 1), msgid=number)
    probe.expect(answer, ["OK", f"+QMTSUB: 0,{number},0,1"])


def _uns(probe: Probe) -> None:
    """Without a value; one per topic, as one reading of the documents has it, is fine, too."""
    client, topic, number = Client(probe), probe.topic("result"), probe.msgid()
    client.subscribed(topic)
    answer = probe.ask(f'AT+QMTUNS=0,{number},"{topic}"')
    got = Line.parse(answer.late)
    if answer.lines[:1] != ("OK",) or got.name != "+QMTUNS" or got.fields[:3] != ("0", str(number), "0"):
        raise Differs(f"OK\n+QMTUNS: 0,{number},0", answer.shown())


def _uns_bare(probe: Probe) -> None:
    client, topic = Client(probe), probe.topic("result")
    client.subscribed(topic)
    probe.expect(client.unsubscribe(topic), ["OK", "+QMTUNS: 0,<msgid>,0"])


def _pub(probe: Probe, qos: int) -> None:
    client, number = Client(probe), probe.msgid() if qos else 0
    answer = client.publish(probe.topic("result"), qos=qos, msgid=number)
    name = answer.sent.partition("=")[0].removeprefix("AT")
    probe.expect(answer, [">", "OK", f"{name}: 0,{number},0"])


def _pub_0(probe: Probe) -> None:
    _pub(probe, 0)


def _pub_1(probe: Probe) -> None:
    _pub(probe, 1)


def _pub_2(probe: Probe) -> None:
    _pub(probe, 2)


def _pub_variable(probe: Probe) -> None:
    client, number = Client(probe), probe.msgid()
    answer = probe.ask(client.publish_line(probe.topic("result"), None, 1, msgid=number), b"hello")
    probe.expect(answer, [">", "OK", f"+QMTPUB: 0,{number},0"])


def _willex(probe: Probe) -> None:
    probe.reach("idle")
    answer = probe.ask(f'AT+QMTCFG="willex",0,1,0,0,"{probe.topic("result-will")}",5', b"hello")
    probe.expect(answer, [">", "OK"])


def _recv_empty(probe: Probe) -> None:
    Client(probe)
    probe.expect(probe.ask("AT+QMTRECV=0"), ["OK"])


def _recv(probe: Probe, *, with_length: bool) -> None:
    client, topic = Client(probe, state="idle"), probe.topic("result")
    client.cfg("recv/mode", 1, int(with_length))
    client = Client(probe)
    client.subscribed((topic, 0))
    probe.peer.publish(topic, b"hello")
    probe.await_line(r"\+QMTRECV: 0,\d(,\d+)?")
    length = "5," if with_length else ""
    probe.expect(probe.ask("AT+QMTRECV=0"), [f'+QMTRECV: 0,0,"{topic}",{length}"hello"', "OK"])


def _recv_bare(probe: Probe) -> None:
    _recv(probe, with_length=False)


def _recv_length(probe: Probe) -> None:
    _recv(probe, with_length=True)


def _uns_basis(document: Document) -> Basis:
    """One document prints the form without a value alone; the others let a value follow."""
    command = document.command("AT+QMTUNS")
    assert command is not None
    return "decided" if any("value" in shape for shape in command.result) else "documented"


class Result(Behaviours):
    """Prompt, OK and late result of a request that goes well."""

    name = "result"
    title = "A request that goes well is answered in the documented order and form."

    rows = (
        Behaviour("AT+QMTOPEN", "success", "AT+QMTOPEN answers OK, then its result", _open),
        Behaviour("AT+QMTCLOSE", "success", "AT+QMTCLOSE answers OK, then its result", _close),
        Behaviour("AT+QMTCONN", "success", "AT+QMTCONN answers OK, then its result with the server's code", _conn),
        Behaviour("AT+QMTDISC", "success", "AT+QMTDISC answers OK, then its result", _disc),
        Behaviour("AT+QMTSUB", "success", "AT+QMTSUB answers OK, then its result with the granted QoS", _sub),
        Behaviour("AT+QMTUNS", "success", "AT+QMTUNS answers OK, then its result", _uns),
        Behaviour("AT+QMTUNS", "without-value", "the result of AT+QMTUNS carries no value", _uns_bare, _uns_basis),
        Behaviour(PUBLISH, "qos-0", "a message of QoS 0 is answered with >, OK, and result 0 for msgid 0", _pub_0),
        Behaviour(PUBLISH, "qos-1", "a message of QoS 1 is answered with >, OK, and result 0 without value", _pub_1),
        Behaviour(PUBLISH, "qos-2", "a message of QoS 2 is answered with >, OK, and result 0 without value", _pub_2),
        Behaviour(
            PUBLISH,
            "variable",
            "a message without a length said is answered with >, OK, and result 0",
            _pub_variable,
            key="variable",
        ),
        Behaviour("AT+QMTCFG", "success", "willex answers >, then OK", _willex, "documented", (), "willex"),
        Behaviour("AT+QMTRECV", "empty", "AT+QMTRECV=n answers OK alone where nothing is stored", _recv_empty),
        Behaviour("AT+QMTRECV", "message", "AT+QMTRECV=n prints msgid, topic and payload", _recv_bare),
        Behaviour(
            "AT+QMTRECV", "message-length", "with msg_len_enable 1 it prints the payload's length, too", _recv_length
        ),
    )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        yield from self.broken(
            document,
            "the result of a request comes before OK",
            *("success", "without-value", "qos-0", "qos-1", "qos-2", "variable"),
            subjects=("AT+QMTSUB", "AT+QMTUNS", "AT+QMTPUB", "AT+QMTPUBEX"),
            faults=("reordered:line=conformance/result",),
        )
        for command in ("AT+QMTOPEN", "AT+QMTCLOSE", "AT+QMTCONN", "AT+QMTDISC"):
            yield from self.broken(
                *(document, f"the result of {command} comes before OK", "success"),
                subjects=(command,),
                faults=(f"reordered:line={small(command)}",),
            )
        yield from self.broken(
            *(document, "a will message is refused", "success"),
            subjects=("AT+QMTCFG",),
            faults=("reworded:from=OK,to=ERROR,line=conformance/result-will",),
        )
        yield from self.broken(
            *(document, "a stored message is printed with another topic", "message", "message-length"),
            faults=("reworded:from=conformance/result,to=conformance/other,command=AT+QMTRECV",),
        )
