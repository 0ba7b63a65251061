"""The notes of AT+QMT… documents, sentence by sentence: most say what other facts say, and are none of their own."""

from __future__ import annotations

from modemrig.conformance.answer import Differs
from modemrig.conformance.facts import Unchecked
from modemrig.conformance.kinds.note import Broken, Checked, Row, Said
from modemrig.conformance.kinds.qmt_client import Client
from modemrig.conformance.kinds.window import in_flight
from modemrig.conformance.probe import Probe
from modemrig.conformance.samples import small

WILLEX_QUERY = "The answer to the query of willex is printed without OK; the module sends it."
MISPRINT = "The section prints AT+QMTCCLOSE throughout, a misprint: the module answers that with ERROR."
TOKEN = "AT+QMTTENAUTH"


def _gone(probe: Probe) -> None:
    """Nothing is left behind a loss of power. That settings are not is a fact of each of them."""
    probe.reach("connected")
    probe.power_cycle()
    answer = probe.ask("AT+QMTOPEN?")
    if answer.lines != ("OK",):
        raise Differs("OK", answer.shown())


def _misprint(probe: Probe) -> None:
    probe.refuse("AT+QMTCCLOSE=0")


def _id_of_another(probe: Probe) -> None:
    client, number = Client(probe), probe.msgid()
    with probe.given(), in_flight(client, 1, first=number):
        answer = client.subscribe((probe.topic("note"), 0), msgid=number)
    if not answer.is_refused:
        raise Differs("ERROR", answer.shown())


def _willex_query(probe: Probe) -> None:
    answer = probe.ask(small('AT+QMTCFG="willex",0'))
    if answer.final != "OK":
        raise Differs("OK", answer.shown())


def _positional(probe: Probe) -> None:
    probe.accept('AT+QMTCFG="timeout",0,20,7')
    probe.expect(probe.ask('AT+QMTCFG="timeout",0'), ['+QMTCFG: "timeout",20,7,<timeout_notice>', "OK"])


def _spellings(probe: Probe) -> None:
    command = probe.document.command(TOKEN)
    assert command is not None
    for name in (command.name, *command.also):
        start = probe.now()
        answer = probe.ask(f"{name}=?")
        # A line of another name than the command's is none of its own to the host.
        if answer.final != "OK" or not any(line.startswith("+QMTTENAUTH:") for line in probe.heard(start)):
            raise Differs("+QMTTENAUTH: …\nOK", answer.shown())


def _unopened(probe: Probe) -> None:
    """The request is taken; that its host is not found is another fact."""
    probe.reach("idle")
    probe.accept(f'{TOKEN}="PRODUCT","device","PRODUCT@device","c2VjcmV0",1,"http://modemrig.invalid/"')


FLIGHT = Checked(_id_of_another, ("sim", "broker_control"), "decided")
LONGEST = Said(("payload/longest", "input/surplus"))
WINDOW = Said(("window/further", "window/beyond"))
TIME = Said(("response-time",))

NOTES: dict[str, Row] = {
    "Counts at once; nothing is saved over power-down.": Checked(_gone, ("sim", "power")),
    "Settings can be changed only while no MQTT connection exists; the document does not say so for willex.": Said(
        ("locked",)
    ),
    "A parameter that is left out keeps its value; leaving out all of them asks for the present ones.": Said(
        ("query", "left-out")
    ),
    "A will needs will_qos, will_retain, topic and message exactly when will_fg is 1.": Said(
        ("will_fg=0/count-when-6", "will_fg=1/count-when-2")
    ),
    "clean_session 0 helps only with a server that stores sessions.": Unchecked("elsewhere", "It is about the server."),
    "Of a will message longer than will_len, typed after willex, the first will_len bytes count.": Said(
        ("willex/input/surplus",)
    ),
    "In SSL mode ssl_ctx_idx must be given; AT+QSSLCFG holds version, ciphers, security level, the three files and "
    "whether the clock counts.": Unchecked("elsewhere", "AT+QSSLCFG has a document of its own."),
    "Which kinds of SSL authentication work depends on the model; so does how much of MQTT it supports, for want of "
    "flash memory.": Unchecked("elsewhere", "It compares models; one module shows nothing of it."),
    "A message must be sent whole before its time is over.": Unchecked("advice", "It tells how to choose the time."),
    "With aliauth set, user name and password may be left out of AT+QMTCONN.": Said(("aliauth",)),
    "send_mode of send/mode and of dataformat is one setting; the last writer wins.": Said(("payload/last-writer",)),
    "How long it takes depends on the network.": TIME,
    "How long it takes depends on the network; the printed 15 s do not follow from the printed defaults, the formula "
    "counts.": TIME,
    MISPRINT: Checked(_misprint, (), "decided"),
    "A second client with the same client id makes the server drop the first before it accepts the second.": Said(
        ("session/same-id",)
    ),
    "msgid must differ from that of every packet still in flight; it need not go up by one.": FLIGHT,
    "msgid must differ from that of every packet still in flight; it usually goes up by one.": FLIGHT,
    "Further messages may be published as soon as OK came; more than five unacknowledged ones are answered with "
    "ERROR.": WINDOW,
    "Further messages may be published as soon as OK came; at most five may be unacknowledged.": WINDOW,
    "At most 1500 bytes are taken at a time; bytes beyond length are thrown away.": LONGEST,
    "At most 1500 bytes are taken at a time; of more than length bytes the first length are sent.": LONGEST,
    "Without an MQTT connection the read form answers OK alone, the write form ERROR.": Said(
        ("state/unconnected", "state-error/opened")
    ),
    "Without recv_id every stored message is read.": Said(("buffer/read-all",)),
    WILLEX_QUERY: Checked(_willex_query, (), "decided"),
    "The document prints no state in which settings may not be changed.": Unchecked(
        "unseen", "It says what the document leaves open."
    ),
    "The values of timeout are positional: the second is always retry_times.": Checked(_positional, (), "decided"),
    "Printed as AT+QMTENAUTH and as AT+QMTTENAUTH; the reply has the longer name.": Checked(_spellings, ()),
    "The client need not be open: the password is fetched over HTTP.": Checked(_unopened),
    "Without a length Ctrl-Z sends and Esc cancels; at 1024 bytes the message is sent by itself, and bytes beyond are "
    "ignored.": Said(("input/ctrl-z", "input/esc", "input/full", "input/beyond")),
}

BROKEN = (
    Broken("the query of willex ends with ERROR", (WILLEX_QUERY,), ("reworded:from=OK,to=ERROR,line=at+QMTCFG",)),
    Broken("a misprint is taken", (MISPRINT,), ("reworded:from=ERROR,to=OK,line=AT+QMTCCLOSE",)),
)
