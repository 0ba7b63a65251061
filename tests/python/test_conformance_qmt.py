"""Kinds about the behaviour of AT+QMT… modules: which facts they make, who says so, and that their checks can fail.

The whole proof is ``modemrig conformance --self-test``; here are its parts, a few of them on broken modules.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import modemrig
from modemrig.conformance.collect import Learned
from modemrig.conformance.document import load
from modemrig.conformance.facts import Fact, facts_of
from modemrig.conformance.held import HeldSlot
from modemrig.conformance.kinds import KINDS
from modemrig.conformance.kinds.kind import Breakage
from modemrig.conformance.kinds.note import Said
from modemrig.conformance.kinds.notes import NOTES
from modemrig.conformance.kinds.timing import maximum_s
from modemrig.hil.bench import Bench
from modemrig.rig import VIRTUAL, Rig, Slot

QMT = [dialect for dialect in modemrig.dialects() if load(dialect).is_qmt]
EVERYWHERE = (
    *("state-error", "state", "result", "urc", "response-time", "prompt", "input", "payload", "window", "wire"),
    *("subscription", "retained", "session", "will", "retransmission", "keep-alive"),
)
"""Kinds with facts in every document of the family."""
WHERE_SEVERAL = ("buffer", "clients")
"""Kinds with facts where a module has several clients, and stores messages."""


def of_kind(dialect: str, kind: str) -> list[Fact]:
    return [fact for fact in facts_of(dialect) if fact.kind == kind]


@pytest.mark.parametrize("kind", EVERYWHERE)
@pytest.mark.parametrize("dialect", QMT)
def test_every_document_of_the_family_has_facts_of_the_kind(dialect: str, kind: str) -> None:
    facts = of_kind(dialect, kind)
    assert facts
    assert all(fact.section[0].isdigit() for fact in facts), "each stands in a section of the document"


@pytest.mark.parametrize("kind", [*EVERYWHERE, *WHERE_SEVERAL])
def test_the_other_family_has_none(kind: str) -> None:
    assert not of_kind("sim7028", kind)


@pytest.mark.parametrize("kind", WHERE_SEVERAL)
@pytest.mark.parametrize("dialect", QMT)
def test_several_clients_and_their_store_are_facts_only_where_they_are(dialect: str, kind: str) -> None:
    assert bool(of_kind(dialect, kind)) == (load(dialect).clients > 1)


@pytest.mark.parametrize("kind", [*EVERYWHERE, *WHERE_SEVERAL])
@pytest.mark.parametrize("dialect", QMT)
def test_something_breaks_the_kind_and_what_breaks_are_facts_of_it(dialect: str, kind: str) -> None:
    checked = {fact.id for fact in of_kind(dialect, kind) if fact.unchecked is None}
    breakages = list(KINDS[kind].breakages(load(dialect)))
    assert bool(breakages) == bool(checked)
    for breakage in breakages:
        assert breakage.fails
        assert breakage.fails <= checked, breakage.title
        assert breakage.differs or breakage.faults or breakage.quirks


@pytest.mark.parametrize("dialect", QMT)
def test_every_note_has_a_row_and_what_other_facts_say_they_say(dialect: str) -> None:
    ids = [fact.id for fact in facts_of(dialect)]
    for command in load(dialect).commands:
        for note in command.notes:
            row = NOTES[note]
            if isinstance(row, Said):
                for words in row.by:
                    assert any(name.endswith(f"/{words}") or f"/{words}/" in name for name in ids), (note, words)


@pytest.mark.parametrize(
    ("dialect", "end", "basis"),
    [
        ("ecx00u_egx00u", "QMTCFG/edit-timeout/input/given-up", "documented"),
        ("lte_standard_a", "QMTCFG/edit-timeout/input/given-up", "inherited"),
        ("lte_standard_a", "QMTPUBEX/window/beyond", "documented"),
        ("bc35g_bc28", "QMTPUB/window/beyond", "decided"),
        ("bc35g_bc28", "QMTUNS/result/without-value", "documented"),
        ("ecx00u_egx00u", "QMTUNS/result/without-value", "decided"),
        ("lte_standard_a", "QMTRECV/state-error/opened", "documented"),
        ("lte_standard_a", "QMTSUB/state-error/opened", "decided"),
        ("lte_standard_a", "QMTPUBEX/prompt/form", "decided"),
    ],
)
def test_only_what_a_document_says_is_documented(dialect: str, end: str, basis: str) -> None:
    [fact] = [fact for fact in facts_of(dialect) if fact.id.endswith(end)]
    assert fact.basis == basis


@pytest.mark.parametrize("dialect", QMT)
def test_every_longest_response_is_measured(dialect: str) -> None:
    limited = {command.name for command in load(dialect).commands if command.max_response is not None}
    assert {fact.subject for fact in of_kind(dialect, "response-time")} == limited


@pytest.mark.parametrize(
    ("command", "settings", "seconds"),
    [
        ("AT+QMTCFG", {}, 0.3),
        ("AT+QMTOPEN", {}, 120.0),
        ("AT+QMTCONN", {"pkt_timeout": 7, "retry_times": 2}, 7.0),
        ("AT+QMTSUB", {"pkt_timeout": 7, "retry_times": 2}, 14.0),
        # Without repetitions the formula gives no time at all; one packet time-out it is then.
        ("AT+QMTSUB", {"pkt_timeout": 7, "retry_times": 0}, 7.0),
    ],
)
def test_the_longest_response_follows_from_the_settings(command: str, settings: dict[str, int], seconds: float) -> None:
    document = load("lte_standard_a")
    found = document.command(command)
    assert found is not None
    assert maximum_s(document, found, settings) == seconds


# ------------------------------------------------------------------------------------------------------- broken modules


def verdicts(dialect: str, kind: str, folder: Path, **broken: Any) -> dict[str, str]:
    """The verdicts on a module's facts of a kind, by the ends of their ids."""
    bench = Bench(Rig("test", (Slot("broken", VIRTUAL + dialect, **broken),), speed=10.0), str(folder))
    held = HeldSlot(bench.slots[0], Learned(dialect, None), offline=False, patience=False)
    try:
        facts = [fact for fact in of_kind(dialect, kind) if fact.unchecked is None]
        return {fact.id: held.check(fact).verdict for fact in facts}
    finally:
        held.close()
        bench.stop()


@pytest.mark.parametrize(
    ("dialect", "kind"),
    [
        ("bc35g_bc28", "state-error"),
        ("ecx00u_egx00u", "prompt"),
        ("lte_standard_a", "buffer"),
        ("bc35g_bc28", "retained"),
    ],
)
def test_exactly_the_broken_facts_are_noticed(dialect: str, kind: str, tmp_path: Path) -> None:
    breakage: Breakage = next(iter(KINDS[kind].breakages(load(dialect))))
    found = verdicts(
        *(dialect, kind, tmp_path),
        differs=breakage.differs or None,
        faults=breakage.faults,
        quirks=breakage.quirks,
    )
    assert {name for name, verdict in found.items() if verdict in ("differs", "otherwise")} == breakage.fails


@pytest.mark.parametrize(("dialect", "kind"), [("bc35g_bc28", "input"), ("ecx00u_egx00u", "will")])
def test_a_module_as_documented_conforms(dialect: str, kind: str, tmp_path: Path) -> None:
    assert set(verdicts(dialect, kind, tmp_path).values()) == {"conforms", "as_expected"}
