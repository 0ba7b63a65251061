"""Facts about messages that a module stores for its host: how many, where, and how they are read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modemrig.conformance.answer import Differs
from modemrig.conformance.document import Document
from modemrig.conformance.kinds.behaviour import Behaviour, Behaviours
from modemrig.conformance.kinds.kind import Breakage
from modemrig.conformance.kinds.qmt_client import SOON_S, Client, has_store, patience, want
from modemrig.conformance.probe import Probe
from modemrig.hil.wire import Line

TOPIC = "buffer"


def _storing(probe: Probe, index: int = 0) -> Client:
    """A client that stores its messages, and listens to one topic."""
    client = Client(probe, index, state="idle")
    client.cfg("recv/mode", 1, 0)
    client = Client(probe, index)
    client.subscribed((probe.topic(TOPIC), 0))
    return client


def _store(probe: Probe, *numbers: int) -> None:
    """Messages with these numbers arrive and are told of, one after the other."""
    for number in numbers:
        start = probe.now()
        probe.peer.publish(probe.topic(TOPIC), b"%d" % number)
        probe.await_line(r"\+QMTRECV: 0,\d+(,\d+)*", within_s=patience(probe), since=start)


def _slots(probe: Probe) -> int:
    return probe.document.limits["slots"]


def flags(probe: Probe, index: int = 0) -> str:
    """What AT+QMTRECV? says of a client: ``1,0,0,0,0``."""
    answer = probe.ask("AT+QMTRECV?")
    for line in answer.lines:
        parsed = Line.parse(line)
        if parsed.name == "+QMTRECV" and parsed.fields[0] == str(index):
            return ",".join(parsed.fields[1:])
    raise Differs(f"+QMTRECV: {index},…", answer.shown())


def _expect_flags(probe: Probe, *full: int) -> None:
    want("slots", ",".join(str(int(n in full)) for n in range(_slots(probe))), flags(probe))


def _payloads(probe: Probe, line: str) -> list[str]:
    answer = probe.ask(line)
    if answer.final != "OK":
        raise Differs("OK", answer.shown())
    return [Line.parse(each).fields[-1] for each in answer.lines if each.startswith("+QMTRECV:")]


def _each_slot(probe: Probe) -> None:
    _storing(probe)
    _store(probe, *range(_slots(probe)))
    told = [line for line in probe.heard() if re.fullmatch(r"\+QMTRECV: 0,\d+", line)]
    want("recv_id", [str(n) for n in range(_slots(probe))], sorted(Line.parse(line).fields[1] for line in told))


def _flags_full(probe: Probe) -> None:
    _storing(probe)
    _store(probe, *range(_slots(probe)))
    _expect_flags(probe, *range(_slots(probe)))


def _flags_empty(probe: Probe) -> None:
    _storing(probe)
    _expect_flags(probe)


def _flags_one(probe: Probe) -> None:
    _storing(probe)
    _store(probe, 0)
    want("stored messages", 1, flags(probe).count("1"))


def _read_one(probe: Probe) -> None:
    _storing(probe)
    with probe.given():
        _store(probe, 0, 1, 2)
    want("payloads", ["1"], _payloads(probe, "AT+QMTRECV=0,1"))


def _read_all(probe: Probe) -> None:
    _storing(probe)
    with probe.given():
        _store(probe, 0, 1, 2)
    want("payloads", ["0", "1", "2"], sorted(_payloads(probe, "AT+QMTRECV=0")))


def _in_order(probe: Probe) -> None:
    _storing(probe)
    with probe.given():
        _store(probe, 0, 1, 2)
    want("payloads", ["0", "1", "2"], _payloads(probe, "AT+QMTRECV=0"))


def _sixth(probe: Probe) -> None:
    _storing(probe)
    with probe.given():
        _store(probe, *range(_slots(probe)))
    start = probe.now()
    probe.peer.publish(probe.topic(TOPIC), b"one too many")
    probe.stays_silent(SOON_S, start)


def _dropped(probe: Probe) -> None:
    _storing(probe)
    with probe.given():
        _store(probe, *range(_slots(probe)))
    start = probe.now()
    probe.peer.publish(probe.topic(TOPIC), b"one too many")
    with probe.given():
        probe.stays_silent(SOON_S, start)
    want("payloads", [str(n) for n in range(_slots(probe))], _payloads(probe, "AT+QMTRECV=0"))


def _freed_one(probe: Probe) -> None:
    _storing(probe)
    _store(probe, 0, 1)
    probe.accept("AT+QMTRECV=0,0")
    _expect_flags(probe, 1)


def _freed_all(probe: Probe) -> None:
    _storing(probe)
    _store(probe, 0, 1)
    probe.accept("AT+QMTRECV=0")
    _expect_flags(probe)


def _lowest(probe: Probe) -> None:
    _storing(probe)
    with probe.given():
        _store(probe, 0, 1)
        probe.accept("AT+QMTRECV=0,0")
        _store(probe, 2)
    want("payloads", ["2"], _payloads(probe, "AT+QMTRECV=0,0"))


def _free_again(probe: Probe) -> None:
    """A slot that was read takes a message again."""
    _storing(probe)
    with probe.given():
        _store(probe, *range(_slots(probe)))
        probe.accept("AT+QMTRECV=0")
    _store(probe, 7)
    want("payloads", ["7"], _payloads(probe, "AT+QMTRECV=0"))


def _emptied(probe: Probe) -> None:
    client = _storing(probe)
    _store(probe, 0)
    probe.accept(f"AT+QMTCLOSE={client.index}")
    Client(probe)
    _expect_flags(probe)


class Buffer(Behaviours):
    """The store for received messages."""

    name = "buffer"
    title = "Messages are stored in slots, told of, and read from there."

    rows = tuple(
        Behaviour(subject, word, statement, check, basis, only=has_store)  # type: ignore[arg-type]
        for subject, word, statement, check, basis in (
            ("+QMTRECV", "slots", "each stored message is told with a recv_id of its own, from 0 on", _each_slot,
             "documented"),
            ("AT+QMTRECV", "full", "AT+QMTRECV? says 1 of every slot when all hold a message", _flags_full,
             "documented"),
            ("AT+QMTRECV", "none", "AT+QMTRECV? says 0 of every slot when none holds a message", _flags_empty,
             "documented"),
            ("AT+QMTRECV", "one", "AT+QMTRECV? says 1 of one slot when one holds a message", _flags_one, "documented"),
            ("AT+QMTRECV", "read-one", "AT+QMTRECV=n,recv_id reads that message alone", _read_one, "documented"),
            ("AT+QMTRECV", "read-all", "AT+QMTRECV=n reads every stored message", _read_all, "documented"),
            ("AT+QMTRECV", "in-order", "AT+QMTRECV=n reads them by their slots", _in_order, "decided"),
            ("+QMTRECV", "sixth", "a message without room is not told of", _sixth, "documented"),
            ("AT+QMTRECV", "dropped", "a message without room takes no other's place", _dropped, "decided"),
            ("AT+QMTRECV", "freed-one", "a message that was read is no longer stored", _freed_one, "decided"),
            ("AT+QMTRECV", "freed-all", "messages that were read together are no longer stored", _freed_all,
             "decided"),
            ("AT+QMTRECV", "lowest", "a message takes the lowest slot that is free", _lowest, "decided"),
            ("AT+QMTRECV", "again", "slots that were read take messages again", _free_again, "documented"),
            ("AT+QMTRECV", "emptied", "the slots are emptied when the connection ends", _emptied, "decided"),
        )
    )  # fmt: skip

    def breakages(self, document: Document) -> Iterator[Breakage]:
        slots = document.limits.get("slots", 0)
        yield from self.broken(
            *(document, "a slot that was read stays full", "freed-one", "freed-all", "lowest", "again"),
            quirks=("slots_kept",),
        )
        yield from self.broken(
            *(document, "there is a slot less", "slots", "full"), differs=f"[limits]\nslots = {slots - 1}\n"
        )
        yield from self.broken(*(document, "there is a slot more", "sixth"), differs=f"[limits]\nslots = {slots + 1}\n")
        yield from self.broken(
            document,
            *(
                "stored messages are not those that came",
                "read-one",
                "read-all",
                "in-order",
                "dropped",
                "lowest",
                "again",
            ),
            faults=(f"packet_changed:field=publish.payload,value=9,direction=in,topic=conformance/{TOPIC}",),
        )
