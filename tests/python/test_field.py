"""The matrix of the field: a host bears what modules do beside their documents, and the matrix sees it where one does not."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

import pytest

import modemrig
from modemrig import _native
from modemrig.conformance.cells import holding
from modemrig.conformance.facts import Fact
from modemrig.conformance.field import declared, matrix, shown
from modemrig.conformance.field.cell import Cell, Outcome
from modemrig.conformance.field.declared import Changes, DeclarationError
from modemrig.conformance.field.matrix import check, judge_fact, judge_host, judge_session, never_seen
from modemrig.conformance.field.session import Ended, Failed, in_step, play
from modemrig.conformance.judge import Result, not_checked

FACT = Fact("sim7028/3.2.1/CMQTTSTART/execute/answer", "result", "AT+CMQTTSTART", "it is answered so")
FEW = (
    "leftovers",
    "msgid_restarts",
    "ok_missing",
    "payload_echoed",
    "recv_index_only",
    "stat_after_open",
    "bg95",
    "sim7600",
)
"""Of the quirks and profiles; the matrix has all of them."""
CELLS = [cell for cell in matrix.matrix(None, everywhere=False) if cell.name in FEW]


@pytest.mark.parametrize("cell", CELLS, ids=[f"{cell.name}-{cell.dialect}" for cell in CELLS])
def test_a_session_goes_well(cell: Cell) -> None:
    outcome = Outcome(cell, ())
    with holding(cell.slot, cell.dialect) as held:
        modem = held.probe.modem
        judge_session(outcome, cell.changes(), list(play(held.place, modem, held.probe.peer)))
        if not cell.changes().session:
            assert outcome.steps == 25, "two rounds of twelve steps, and the question whether all is in step"
        assert modem.statistics.damaged == 0 or cell.changes().is_damaged
    assert outcome.wrong == []


def test_a_tls_connection_that_takes_long_is_waited_for() -> None:
    quirk = "slow_tls:ms=3000"
    with (
        modemrig.BenchBroker() as broker,
        modemrig.VirtualModule("lte_standard_a", broker=broker, quirks=[quirk]) as module,
        modemrig.open(module.path) as modem,
    ):
        started = time.monotonic()
        with modem.client(0).session(
            broker.host, broker.tls_port or 0, "me", tls=modemrig.Tls(ca=broker.ca_pem)
        ) as session:
            assert session.state == "connected"
        assert time.monotonic() - started > 3.0


# -------------------------------------------------------------------------------------------- does the matrix see it?


def result(verdict: Any, reason: str | None = None) -> Result:
    return replace(not_checked(FACT, "field", 1, verdict, reason or ""), expected="OK", observed="ERROR")


def outcome_of(name: str = "result_before_ok") -> Outcome:
    return Outcome(Cell(name, "sim7028", (name,)), ("F1",))


@pytest.mark.parametrize("verdict", ["differs", "otherwise", "blocked"])
def test_a_difference_that_nobody_declared_is_wrong(verdict: str) -> None:
    outcome = outcome_of()
    judge_fact(outcome, Changes(differs=("*/3.2.2/*",), blocked=("*/3.2.2/*",)), FACT, result(verdict))
    assert len(outcome.wrong) == 1
    assert FACT.id in outcome.wrong[0]
    declared_one = outcome_of()
    judge_fact(declared_one, Changes(differs=("*/3.2.1/*",), blocked=("*/3.2.1/*",)), FACT, result(verdict))
    assert declared_one.wrong == []


def test_a_difference_is_no_excuse_for_a_fact_that_cannot_be_judged() -> None:
    outcome = outcome_of()
    judge_fact(outcome, Changes(differs=("*/3.2.1/*",)), FACT, result("blocked", "nobody answers"))
    assert outcome.wrong == [f"blocked {FACT.id}: nobody answers"]


def test_a_step_that_fails_is_wrong_and_one_that_is_declared_to_fail_must() -> None:
    ended = [Ended("open", None), Ended("connect", "NoAnswer: nothing came")]
    outcome = outcome_of()
    judge_session(outcome, Changes(), ended)
    assert outcome.wrong == ["session, connect: NoAnswer: nothing came"]
    outcome = outcome_of()
    judge_session(outcome, Changes(session=(("connect", "NoAnswer"), ("open", "OpenFailed"))), ended)
    assert outcome.wrong == ["session, open: declared to fail, and went well"]
    outcome = outcome_of()
    judge_session(outcome, Changes(session=(("connect", "OpenFailed"),)), ended)
    assert outcome.wrong == ["session, connect: NoAnswer: nothing came"]


def test_a_host_out_of_step_is_noticed() -> None:
    class Confused:
        """A host that gives every question the answer of another."""

        identity = modemrig.Identity("Quectel", "EC200U", "R1", "860066586075350", "ecx00u_egx00u")

        def command(self, line: str) -> Any:
            return argparse.Namespace(lines=("EC200U",))

    modem: Any = Confused()
    with pytest.raises(Failed, match="AT\\+CGSN was answered"):
        in_step(modem)


def test_damage_is_wrong_where_none_is_declared_and_must_be_seen_where_it_is() -> None:
    outcome = outcome_of()
    outcome.saw["damaged"] = 2
    judge_host(outcome, Changes())
    assert outcome.wrong == ["2 lines were damaged, on a module that damages none"]
    outcome = outcome_of()
    judge_host(outcome, Changes(is_damaged=True))
    assert outcome.wrong == ["declared to damage lines, and the host saw none"]


def test_a_module_that_departs_undeclared_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declared, "_read", lambda: {"quirk": {}, "profile": {}})
    cell = Cell("result_before_ok", "sim7028", ("result_before_ok",))
    outcome = check(cell, sections=("3.2.1",))
    assert any("CMQTTSTART" in text for text in outcome.wrong)
    assert outcome.session == []
    allowed = {"result_before_ok": {"why": "it is so", "differs": ["*/3.2.1/*", "*/9.9.9/*", "bc35g_bc28/*"]}}
    monkeypatch.setattr(declared, "_read", lambda: {"quirk": allowed, "profile": {}})
    outcome = check(cell, sections=("3.2.1",))
    assert outcome.wrong == []
    assert outcome.differing
    # Of documents that were not run nothing is known.
    assert list(never_seen([outcome])) == ["result_before_ok: differs */9.9.9/*"]


def test_a_module_that_does_not_answer_is_a_host_error() -> None:
    class Silent(Cell):
        @property
        def slot(self) -> Any:
            return replace(super().slot, faults=("no_answer",))

    outcome = check(Silent("", "sim7028"), sections=("3.2.1",))
    assert outcome.wrong


@pytest.mark.parametrize(
    ("row", "message"),
    [({"differs": ["*"]}, "why"), ({"why": "so", "difers": ["*"]}, "difers"), ({"blocked": ["*"], "why": ""}, "why")],
)
def test_a_declaration_says_why_and_nothing_unknown(
    row: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(declared, "_read", lambda: {"quirk": {"gap": row}, "profile": {}})
    with pytest.raises(DeclarationError, match=message):
        declared.of_quirk("gap", "sim7028")


def test_what_the_file_declares_is_of_quirks_and_profiles_that_there_are() -> None:
    names = declared.names()
    assert names["quirk"] <= {row[0] for row in _native.quirks()}
    assert names["profile"] <= set(modemrig.profiles())


def test_the_table_has_a_row_for_each_quirk_in_its_order_and_the_shares_of_a_slow_one_together():
    ended = [
        Outcome(Cell("bg95", "lte_standard_a", is_profile=True), ("F8",), examples=2, as_documented=700),
        Outcome(Cell("gap", "sim7028", ("gap:ms=600",), part=1, parts=2), ("F23",), examples=8, as_documented=180),
        Outcome(Cell("", "sim7028"), (), examples=20, as_documented=558),
        Outcome(
            Cell("gap", "sim7028", ("gap:ms=600",), parts=2), ("F23",), examples=5, as_documented=190, saw={"stale": 1}
        ),
        Outcome(
            Cell("msgid_restarts", "lte_standard_a"), ("F21",), session=["subscribe: ModuleRestarted"], wrong=["no"]
        ),
    ]
    rows = list(shown.table(ended))[1:]
    assert [row.split()[0] for row in rows] == ["(as", "gap", "msgid_restarts", "ends", "bg95"]
    assert rows[1].split() == ["gap", "(F23)", "sim7028", "ok", "13", "370", "0", "0", "stale", "1"]
    assert rows[2].endswith("NOT AS IT MUST BE")
    assert rows[3].endswith("subscribe")
