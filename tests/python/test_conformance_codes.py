"""Facts about codes, worked examples, TLS and cloud platforms: that there are such, what they say, and that they can fail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import modemrig
from modemrig.conformance.document import load
from modemrig.conformance.facts import Fact
from modemrig.conformance.judge import judge
from modemrig.conformance.kinds import KINDS
from modemrig.conformance.kinds.codes import WAYS, pattern, rows
from modemrig.conformance.probe import Probe
from modemrig.hil.bench import Bench
from modemrig.rig import VIRTUAL, Rig, Slot

DIALECTS = modemrig.dialects()


def facts(kind: str, dialect: str) -> list[Fact]:
    """The facts of a kind in a document."""
    return list(KINDS[kind].facts(load(dialect)))


def judged(folder: Path, dialect: str, kind: str, ending: str, faults: tuple[str, ...] = ()) -> str:
    """The verdict on the fact whose id ends so."""
    (fact,) = (each for each in facts(kind, dialect) if each.id.endswith(ending))
    bench = Bench(Rig("codes", (Slot("slot", VIRTUAL + dialect, faults=faults),)), str(folder))
    probe = Probe(bench.slots[0])
    try:
        return judge(probe, fact).verdict
    finally:
        probe.close()
        bench.stop()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_code_of_every_document_is_a_fact_or_its_table_is_elsewhere(dialect: str) -> None:
    document = load(dialect)
    made = [fact.id for fact in facts("code", dialect)]
    elsewhere = {fact.id for fact in facts("code", dialect) if fact.unchecked and fact.unchecked.reason == "elsewhere"}
    for row in rows(document):
        start = "/".join((dialect, row.section, *(word.replace(" ", "-") for word in row.words)))
        found = [each for each in made if each == f"{start}/{row.code}" or each.startswith(f"{start}/{row.code}/")]
        assert found or start in elsewhere, row


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_way_of_the_catalogue_is_known_or_leads_where_another_does(dialect: str) -> None:
    """A reachable code is checked by one way at least."""
    document = load(dialect)
    for (table, code), ways in document.ways.items():
        assert any(name in WAYS for name in ways), (table, code)


def test_a_code_is_looked_for_where_it_stands() -> None:
    document = load("lte_standard_a")
    patterns = {(row.table, row.code): pattern(document, row) for row in rows(document)}
    cases = [
        (("AT+QMTOPEN result", "-1"), "+QMTOPEN: 0,-1", "+QMTOPEN: 0,1"),
        (("AT+QMTCONN ret_code", "4"), "+QMTCONN: 0,0,4", "+QMTCONN: 0,4"),
        (("AT+QMTSUB result", "1"), "+QMTSUB: 0,7,1,2", "+QMTSUB: 0,1,0,1"),
        (("QMTSTAT err_code", "3"), "+QMTSTAT: 0,3", "+QMTSTAT: 0,33"),
        (("+QMTPING result", "1"), "+QMTPING: 0,1", "+QMTPING: 1,1"),
    ]
    for key, line, other in cases:
        assert re.fullmatch(patterns[key], line), (key, patterns[key])
        assert not re.fullmatch(patterns[key], other), (key, patterns[key])


@pytest.mark.parametrize(
    ("dialect", "ending", "fault"),
    [
        ("lte_standard_a", "QMTOPEN/result/4/unresolved", "reworded:from='+QMTOPEN: 0,4',to='+QMTOPEN: 0,5'"),
        ("sim7028", "err/25/unresolved", "reworded:from='+CMQTTCONNECT: 0,25',to='+CMQTTCONNECT: 0,3'"),
    ],
)
def test_another_code_is_noticed(tmp_path: Path, dialect: str, ending: str, fault: str) -> None:
    assert judged(tmp_path, dialect, "code", ending) == "conforms"
    assert judged(tmp_path, dialect, "code", ending, (fault,)) == "differs"


def test_a_way_that_only_a_decision_links_to_its_code_is_never_held_against_a_module(tmp_path: Path) -> None:
    fault = "reworded:from='+QMTOPEN: 0,5',to='+QMTOPEN: 0,-1'"
    assert judged(tmp_path, "lte_standard_a", "code", "QMTOPEN/result/5/refused", (fault,)) == "otherwise"


def unlike() -> Iterator[tuple[str, str, str, str]]:
    """Kind, dialect, fact, and what breaks it."""
    yield "example", "bc35g_bc28", "/6.1", "reworded:from='+QMTSUB: 0,1,0,2',to='+QMTSUB: 0,1,0,1'"
    yield "tls", "lte_standard_a", "tls/secured", "reworded:from='+QMTCONN: 0,0,0',to='+QMTCONN: 0,0,3'"
    yield "cloud", "lte_standard_a", "aliauth/cloud/accepted", "reworded:from='+QMTCONN: 0,0,0',to='+QMTCONN: 0,0,4'"


@pytest.mark.parametrize(("kind", "dialect", "ending", "fault"), list(unlike()))
def test_other_kinds_of_scenes_can_fail(tmp_path: Path, kind: str, dialect: str, ending: str, fault: str) -> None:
    assert judged(tmp_path, dialect, kind, ending) == "conforms"
    assert judged(tmp_path, dialect, kind, ending, (fault,)) == "differs"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_worked_example_is_a_fact(dialect: str) -> None:
    assert len(facts("example", dialect)) == len(modemrig.catalogue(dialect)["examples"])
