"""Kinds about the behaviour of AT+CMQTT… modules: which facts they make, who says so, and that their checks can fail.

The whole proof is ``modemrig conformance --self-test``; here are its parts, a few of them on broken modules.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import modemrig
from modemrig.conformance.answer import Differs
from modemrig.conformance.collect import Learned
from modemrig.conformance.document import load
from modemrig.conformance.facts import Fact, facts_of
from modemrig.conformance.held import HeldSlot
from modemrig.conformance.kinds import KINDS
from modemrig.conformance.kinds.cmqtt import Block, parse
from modemrig.conformance.kinds.note import Said
from modemrig.conformance.kinds.notes import NOTES
from modemrig.hil.bench import Bench
from modemrig.rig import VIRTUAL, Rig, Slot

CMQTT = [dialect for dialect in modemrig.dialects() if not load(dialect).is_qmt]
QMT = [dialect for dialect in modemrig.dialects() if load(dialect).is_qmt]
KINDS_HERE = sorted({name for name in KINDS if name.startswith("service-")} | {"line-limit"})


def of_kind(dialect: str, kind: str) -> list[Fact]:
    return [fact for fact in facts_of(dialect) if fact.kind == kind]


@pytest.mark.parametrize("kind", KINDS_HERE)
@pytest.mark.parametrize("dialect", CMQTT)
def test_the_family_has_facts_of_the_kind_each_in_a_section(dialect: str, kind: str) -> None:
    facts = of_kind(dialect, kind)
    assert facts
    assert all(fact.section[0].isdigit() or fact.section.startswith("decision") for fact in facts)


@pytest.mark.parametrize("kind", KINDS_HERE)
@pytest.mark.parametrize("dialect", QMT)
def test_the_other_family_has_none(dialect: str, kind: str) -> None:
    assert not of_kind(dialect, kind)


@pytest.mark.parametrize("kind", KINDS_HERE)
@pytest.mark.parametrize("dialect", CMQTT)
def test_something_breaks_the_kind_and_what_breaks_are_facts_of_it(dialect: str, kind: str) -> None:
    checked = {fact.id for fact in of_kind(dialect, kind) if fact.unchecked is None}
    breakages = list(KINDS[kind].breakages(load(dialect)))
    assert breakages
    for breakage in breakages:
        assert breakage.fails, breakage.title
        assert breakage.fails <= checked, breakage.title
        assert breakage.differs or breakage.faults or breakage.quirks


@pytest.mark.parametrize("dialect", CMQTT)
def test_every_note_has_a_row_and_what_other_facts_say_they_say(dialect: str) -> None:
    ids = [fact.id for fact in facts_of(dialect)]
    for command in load(dialect).commands:
        for note in command.notes:
            row = NOTES[note]
            if isinstance(row, Said):
                for words in row.by:
                    assert any(name.endswith(f"/{words}") for name in ids), (note, words)


@pytest.mark.parametrize(
    ("end", "basis"),
    [
        ("CMQTTSTART/execute/refused-while-started", "documented"),
        ("CMQTTPUB/write/refused-while-stopped", "documented"),
        ("CMQTTPUB/write/refused-while-acquired", "decided"),
        ("CMQTTSSLCFG/write/refused-while-connected", "decided"),
        ("CMQTTSUBTOPIC/write/answer", "decided"),
        ("CMQTTTOPIC/forgotten", "documented"),
        ("CMQTTPUB/forgets-when-refused", "decided"),
        ("CMQTTRXPAYLOAD/parts-add-up", "documented"),
        ("CMQTTRXPAYLOAD/part-size", "decided"),
        ("CMQTTCONNECT/failure-orders", "documented"),
        ("CMQTTCONNECT/fails-behind-ok", "decided"),
    ],
)
def test_only_what_the_document_says_is_documented(end: str, basis: str) -> None:
    [fact] = [fact for fact in facts_of("sim7028") if fact.id.endswith(f"/{end}")]
    assert fact.basis == basis


def test_lines_have_exactly_the_documented_length() -> None:
    limits = load("sim7028").limits
    lines = {
        fact.id.rpartition("/")[2]: fact.about["line"].removeprefix("AT") for fact in of_kind("sim7028", "line-limit")
    }
    assert len(lines["most-characters"]) == limits["line_len"]
    assert len(lines["too-many-characters"]) == limits["line_len"] + 1
    assert (
        max(lines[word].count(";") + 1 for word in ("most-characters", "too-many-characters"))
        <= limits["line_commands"]
    )
    assert lines["most-commands"].count(";") + 1 == limits["line_commands"]
    assert len(lines["too-many-commands"]) <= limits["line_len"], "it is the number that is one too many"


# -------------------------------------------------------------------------------------------------- blocks of messages

HEADS = b"\r\n+CMQTTRXSTART: 0,3,%d\r\n+CMQTTRXTOPIC: 0,3\r\na/b\r\n"


def test_a_block_is_read_by_its_lengths_whatever_is_in_it() -> None:
    payload = b"\r\n+CMQTTRXEND: 0\r\n"
    data = HEADS % len(payload) + b"+CMQTTRXPAYLOAD: 0,%d\r\n%s\r\n+CMQTTRXEND: 0\r\n" % (len(payload), payload)
    assert parse(b"\r\nOK\r\n" + data) == [
        Block(0, (3, len(payload)), ("START", "TOPIC", "PAYLOAD", "END"), (b"a/b",), (payload,))
    ]


def test_a_block_that_is_not_complete_is_none_yet() -> None:
    data = HEADS % 2 + b"+CMQTTRXPAYLOAD: 0,2\r\nhi\r\n+CMQTTRXEND: 0\r\n"
    for end in range(len(data) - 1):
        assert parse(data[:end]) == [], data[:end]


def test_a_part_that_is_longer_than_its_line_says_is_a_difference() -> None:
    data = HEADS % 2 + b"+CMQTTRXPAYLOAD: 0,1\r\nhi\r\n+CMQTTRXEND: 0\r\n"
    with pytest.raises(Differs):
        parse(data)


# ------------------------------------------------------------------------------------------------------- broken modules


def verdicts(dialect: str, kind: str, folder: Path, **broken: Any) -> dict[str, str]:
    """The verdicts on a module's facts of a kind."""
    bench = Bench(Rig("test", (Slot("broken", VIRTUAL + dialect, **broken),), speed=10.0), str(folder))
    held = HeldSlot(bench.slots[0], Learned(dialect, None), offline=False, patience=False)
    try:
        facts = [fact for fact in of_kind(dialect, kind) if fact.unchecked is None]
        return {fact.id: held.check(fact).verdict for fact in facts}
    finally:
        held.close()
        bench.stop()


@pytest.mark.parametrize("kind", ["line-limit", "service-error", "service-memory", "service-result", "service-state"])
@pytest.mark.parametrize("dialect", CMQTT)
def test_exactly_the_broken_facts_are_noticed(dialect: str, kind: str, tmp_path: Path) -> None:
    breakage = next(iter(KINDS[kind].breakages(load(dialect))))
    found = verdicts(
        *(dialect, kind, tmp_path),
        differs=breakage.differs or None,
        faults=breakage.faults,
        quirks=breakage.quirks,
    )
    assert {name for name, verdict in found.items() if verdict in ("differs", "otherwise")} == breakage.fails


@pytest.mark.parametrize("kind", ["service-urc", "service-packet"])
@pytest.mark.parametrize("dialect", CMQTT)
def test_a_module_as_documented_conforms(dialect: str, kind: str, tmp_path: Path) -> None:
    assert set(verdicts(dialect, kind, tmp_path).values()) == {"conforms", "as_expected"}
