"""``modemrig compare`` on results files made here: what counts as worse, what only changed, which slots go together."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from conftest import Command
from made_results import HOSTILE, made_results
from modemrig.conformance.compare import Comparison, compare
from modemrig.conformance.compare.page import render
from modemrig.conformance.compare.terminal import SHOWN, lines
from modemrig.conformance.report import read_results
from modemrig.errors import CallerError

RAW = made_results(facts=1400, good=True)
SLOT = "lte_standard_a"


def checks(raw: dict[str, Any], basis: str, verdict: str, slot: str = SLOT) -> list[dict[str, Any]]:
    """Results of facts of this basis with this verdict."""
    of = {fact["id"] for fact in raw["facts"] if fact["basis"] == basis}
    return [row for row in raw["results"] if row["fact"] in of and row["slot"] == slot and row["verdict"] == verdict]


def changed(b: dict[str, Any], a: dict[str, Any] = RAW, **choice: str) -> Comparison:
    return compare(read_results(a), read_results(b), **choice)


@pytest.fixture
def b() -> dict[str, Any]:
    """The same run once more, to be changed."""
    return copy.deepcopy(RAW)


def told(comparison: Comparison) -> str:
    return "\n".join(lines(comparison, colour=False))


# ------------------------------------------------------------------------------------------------------------ verdicts


def test_equal_runs_did_not_get_worse(b: dict[str, Any]):
    comparison = changed(b)
    assert not comparison.got_worse
    assert (comparison.verdicts, comparison.answers, comparison.new, comparison.gone) == ((), (), (), ())
    assert sum(comparison.compared.values()) == len(RAW["results"])
    assert told(comparison).splitlines()[-1].startswith("Nothing got worse; 0 better, 0 otherwise, 0 answers changed")


@pytest.mark.parametrize("verdict", ["differs", "blocked"])
def test_a_documented_fact_that_conformed_and_now_does_not_is_worse(b: dict[str, Any], verdict: str):
    row = checks(b, "documented", "conforms")[0]
    row |= {"verdict": verdict, "expected": "OK", "observed": "ERROR", "reason": "the port is gone"}
    comparison = changed(b)
    (change,) = comparison.worse
    assert (change.fact.id, change.pair.after.name, change.verdicts) == (row["fact"], SLOT, ("conforms", verdict))
    assert comparison.got_worse
    assert row["fact"] in told(comparison)
    assert ("observed  ERROR" if verdict == "differs" else "the port is gone") in told(comparison)
    back = changed(RAW, b)
    assert not back.got_worse
    assert [each.fact.id for each in back.better] == [row["fact"]]


@pytest.mark.parametrize("basis", ["inherited", "decided"])
@pytest.mark.parametrize("verdict", ["otherwise", "blocked", "skipped"])
def test_what_no_document_says_is_never_worse(b: dict[str, Any], basis: str, verdict: str):
    row = checks(b, basis, "as_expected")[0]
    row |= {"verdict": verdict, "reason": "why"}
    comparison = changed(b)
    assert not comparison.got_worse
    assert [each.verdicts for each in comparison.otherwise] == [("as_expected", verdict)]


@pytest.mark.parametrize(
    ("before", "after"), [("conforms", "skipped"), ("skipped", "conforms"), ("skipped", "differs")]
)
def test_a_check_that_is_made_in_one_run_only_is_a_change_and_no_more(b: dict[str, Any], before: str, after: str):
    a = copy.deepcopy(RAW)
    fact = checks(RAW, "documented", "conforms")[0]["fact"]
    for raw, verdict in ((a, before), (b, after)):
        next(row for row in raw["results"] if (row["fact"], row["slot"]) == (fact, SLOT))["verdict"] = verdict
    comparison = changed(b, a)
    assert not comparison.got_worse
    assert [(each.fact.id, each.verdicts) for each in comparison.otherwise] == [(fact, (before, after))]


def test_of_repeated_checks_the_gravest_counts(b: dict[str, Any]):
    a = copy.deepcopy(RAW)
    row = checks(b, "documented", "conforms")[0]
    for raw, verdicts in ((a, ("conforms", "conforms")), (b, ("conforms", "differs"))):
        one = next(each for each in raw["results"] if (each["fact"], each["slot"]) == (row["fact"], SLOT))
        raw["results"].append({**one, "attempt": 2, "verdict": verdicts[1], "expected": "OK", "observed": "ERROR"})
    comparison = changed(b, a)
    assert [each.fact.id for each in comparison.worse] == [row["fact"]]
    assert "conforms → differs in 1 of 2 attempts" in told(comparison)


def test_a_fact_that_became_unchecked_is_a_change(b: dict[str, Any]):
    row = checks(b, "documented", "conforms")[0]
    fact = next(fact for fact in b["facts"] if fact["id"] == row["fact"])
    fact["unchecked"] = {"reason": "advice", "why": "It says so."}
    b["results"] = [each for each in b["results"] if each["fact"] != row["fact"]]
    comparison = changed(b)
    assert ("conforms", "unchecked") in [each.verdicts for each in comparison.otherwise]
    assert not comparison.got_worse


def test_facts_that_only_one_run_selected_are_counted_and_not_changes(b: dict[str, Any]):
    gone = [row["fact"] for row in b["results"] if row["slot"] == SLOT][:7]
    b["results"] = [row for row in b["results"] if row["fact"] not in gone]
    comparison = changed(b)
    assert comparison.verdicts == ()
    assert comparison.only_a[comparison.pairs[0]] == 7
    assert f"{SLOT}: 7 facts were checked in the first run only." in comparison.notes


def test_a_slot_that_fell_silent_is_worse(b: dict[str, Any]):
    b["slots"][0] |= {"dialect": None, "trouble": "no answer to AT"}
    b["results"] = [row for row in b["results"] if row["slot"] != SLOT]
    comparison = changed(b)
    assert [pair.name for pair in comparison.lost] == [SLOT]
    assert comparison.got_worse
    assert f"{SLOT}: in trouble, and was not: no answer to AT" in told(comparison)
    assert "no answer to AT" in render(comparison)


# ------------------------------------------------------------------------------------------------------ answers, facts


def test_an_answer_that_changed_is_shown_once_with_every_check_that_saw_it(b: dict[str, Any]):
    a = copy.deepcopy(RAW)
    rows = checks(RAW, "documented", "conforms")[:3]
    for raw, answer in ((a, ["+CSQ: 20,0", "OK"]), (b, ["+CSQ: 31,0", "OK"])):
        for row in raw["results"]:
            if row["slot"] == SLOT and row["fact"] in [each["fact"] for each in rows]:
                said = {"sent": "AT+CSQ", "typed": None, "answer": answer, "response_s": 0.001, "max_response_s": 0.3}
                row["exchanges"] = [said, *row["exchanges"]]
    (change,) = changed(b, a).answers
    assert (change.sent, change.before, change.after) == ("AT+CSQ", ("+CSQ: 20,0", "OK"), ("+CSQ: 31,0", "OK"))
    assert {fact.id for fact in change.facts} == {row["fact"] for row in rows}
    assert not changed(b, a).got_worse


def test_lines_are_compared_with_the_same_line_where_one_run_sent_more(b: dict[str, Any]):
    row = next(row for row in checks(b, "documented", "conforms") if row["exchanges"])
    more = {"sent": "AT+QMTSTAT?", "typed": None, "answer": ["OK"], "response_s": 0.001, "max_response_s": None}
    row["exchanges"][-1]["answer"] = ["+CME ERROR: 50"]
    row["exchanges"].insert(0, more)
    (change,) = changed(b).answers
    assert change.after == ("+CME ERROR: 50",)


def test_a_line_that_was_repeated_until_the_module_answered_is_one_line(b: dict[str, Any]):
    a = copy.deepcopy(RAW)
    fact = checks(RAW, "documented", "conforms")[0]["fact"]
    said = {"sent": "AT", "typed": None, "answer": ["OK"], "response_s": 0.001, "max_response_s": 0.3}
    silent = {**said, "answer": [], "max_response_s": None}
    for raw, exchanges in ((a, [silent, said]), (b, [silent, silent, silent, said])):
        next(row for row in raw["results"] if (row["fact"], row["slot"]) == (fact, SLOT))["exchanges"] = exchanges
    assert changed(b, a).answers == ()
    next(row for row in b["results"] if (row["fact"], row["slot"]) == (fact, SLOT))["exchanges"] = [silent, silent]
    assert [(change.before, change.after) for change in changed(b, a).answers] == [(("OK",), ())]
    assert "now       (no answer)" in told(changed(b, a))


def test_a_module_s_own_number_and_firmware_are_no_changed_answer(b: dict[str, Any]):
    a = copy.deepcopy(RAW)
    fact = checks(RAW, "documented", "conforms")[0]["fact"]
    for raw, imei in ((a, "860000000000001"), (b, "860000000000002")):
        raw["slots"][0] |= {"imei": imei, "firmware": f"F{imei}"}
        row = next(row for row in raw["results"] if (row["fact"], row["slot"]) == (fact, SLOT))
        said = [imei, f"+QGMR: F{imei}", "OK"]
        row["exchanges"] = [
            {"sent": "AT+CGSN", "typed": None, "answer": said, "response_s": 0.001, "max_response_s": None}
        ]
    assert changed(b, a).answers == ()


def test_an_answer_that_wavers_already_is_left_out_and_counted():
    a = made_results(facts=600, good=True, attempts=2)
    fact = checks(a, "documented", "conforms")[0]["fact"]
    for number, row in enumerate(row for row in a["results"] if (row["fact"], row["slot"]) == (fact, SLOT)):
        answer = [f'+CCLK: "26/11/21,10:00:0{number}+00"', "OK"]
        row["exchanges"] = [
            {"sent": "AT+CCLK?", "typed": None, "answer": answer, "response_s": 0.001, "max_response_s": None}
        ]
    b = copy.deepcopy(a)
    for row in b["results"]:
        if (row["fact"], row["slot"]) == (fact, SLOT):
            row["exchanges"][0]["answer"] = ['+CCLK: "26/11/21,11:00:00+00"', "OK"]
    comparison = changed(b, a)
    assert comparison.answers == ()
    assert comparison.volatile == 1
    # The other way round the first run was steady, and the second wavers: that is news.
    assert [change.sent for change in changed(a, b).answers] == ["AT+CCLK?"]


def test_facts_new_gone_and_reworded_are_named(b: dict[str, Any]):
    gone, reworded = b["facts"][0], b["facts"][1]
    b["facts"][0] = {**gone, "id": f"{gone['document']}/9.9/NEW"}
    b["facts"][1] = {**reworded, "statement": "pkt_timeout may be 80 s"}
    b["results"] = [row for row in b["results"] if row["fact"] != gone["id"]]
    comparison = changed(b)
    assert [fact.id for fact in comparison.new] == [f"{gone['document']}/9.9/NEW"]
    assert [fact.id for fact in comparison.gone] == [gone["id"]]
    assert [(each.before.statement, each.after.statement) for each in comparison.reworded] == [
        (reworded["statement"], "pkt_timeout may be 80 s")
    ]
    assert not comparison.got_worse


# --------------------------------------------------------------------------------------------------------------- times


def test_a_command_that_became_slower_is_worse_and_a_quicker_one_is_not(b: dict[str, Any]):
    for row in b["results"]:
        if row["slot"] == SLOT:
            for each in row["exchanges"]:
                each["response_s"] += 0.05 * each["sent"].startswith("AT+QMTOPEN=")
    comparison = changed(b)
    assert {timing.command for timing in comparison.slower} == {"AT+QMTOPEN"}
    assert {timing.pair.name for timing in comparison.slower} == {SLOT}
    assert comparison.got_worse
    back = changed(RAW, b)
    assert {timing.command for timing in back.quicker} == {"AT+QMTOPEN"}
    assert not back.got_worse


def test_a_command_that_exceeds_its_maximum_says_so(b: dict[str, Any]):
    for row in b["results"]:
        for each in row["exchanges"]:
            if each["sent"].startswith("AT+QMTOPEN=") and each["max_response_s"] == 75.0:
                each["response_s"] = 80.0
    comparison = changed(b)
    assert all(timing.is_beyond_maximum for timing in comparison.slower)
    assert "documented maximum 75 s, exceeded " in told(comparison)


def test_a_refused_line_and_an_acknowledged_one_are_no_pair_of_times(b: dict[str, Any]):
    for row in b["results"]:
        for each in row["exchanges"]:
            if each["sent"].startswith("AT+QMTOPEN="):
                each |= {"answer": ["ERROR"], "max_response_s": None, "response_s": 9.0}
    assert "AT+QMTOPEN" not in {timing.command for timing in changed(b).slower}


@pytest.mark.parametrize(
    ("sent", "answer", "slower"), [("AT+X=1", "OK", 1), ("AT+X=1", "ERROR", 0), ("AT+Y=1", "OK", 0)]
)
def test_without_a_maximum_the_same_answer_of_a_command_is_timed(
    b: dict[str, Any], sent: str, answer: str, slower: int
):
    a = copy.deepcopy(RAW)
    rows = {row["fact"] for row in checks(RAW, "documented", "conforms")[:40]}
    for raw, said, took in ((a, "OK", 0.001), (b, answer, 9.0)):
        next(fact for fact in raw["facts"] if fact["id"] == min(rows))["subject"] = "AT+X"
        for row in raw["results"]:
            if row["slot"] == SLOT and row["fact"] in rows:
                line = {"sent": sent, "typed": None, "answer": [said], "response_s": took, "max_response_s": None}
                row["exchanges"] = [line]
    assert len(changed(b, a).slower) == slower


def test_times_of_clocks_of_another_speed_are_not_compared(b: dict[str, Any]):
    b["speed"] = 60.0
    comparison = changed(b)
    assert comparison.times == ()
    assert any("response times are not compared" in note for note in comparison.notes)
    assert "None are compared." in render(comparison)


# --------------------------------------------------------------------------------------------------------------- slots


def renamed(raw: dict[str, Any], old: str, new: str, imei: str | None = None) -> None:
    for slot in raw["slots"]:
        if slot["name"] == old:
            slot |= {"name": new, "imei": imei or slot["imei"]}
    for row in raw["results"]:
        if row["slot"] == old:
            row["slot"] = new


def how(comparison: Comparison) -> dict[str, str]:
    return {pair.name: pair.by for pair in comparison.pairs}


def test_slots_pair_by_name_then_by_imei_then_as_the_only_ones_of_a_document(b: dict[str, Any]):
    renamed(b, "slot-6", "moved")
    renamed(b, "sim7028", "other", imei="000000000000000")
    found = how(changed(b))
    assert found.pop("slot-6 → moved") == "IMEI"
    assert found.pop("sim7028 → other") == "document"
    assert set(found.values()) == {"name"}


def test_slots_without_a_counterpart_are_named(b: dict[str, Any]):
    renamed(b, "slot-6", "moved", imei="000000000000000")  # one of two of its document: nothing says which it is
    comparison = changed(b)
    assert [slot.name for slot in comparison.unpaired_a] == ["slot-6"]
    assert [slot.name for slot in comparison.unpaired_b] == ["moved"]
    assert "slot-6 (lte_standard_a) has no counterpart: it is in the first run only." in comparison.notes


def test_two_slots_of_one_run_can_be_chosen():
    comparison = changed(RAW, slot_a=SLOT, slot_b="slot-6")
    assert how(comparison) == {f"{SLOT} → slot-6": "choice"}
    assert comparison.compared[comparison.pairs[0]] > 100


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"slot_a": "nix"}, "A has no slot 'nix'"),
        ({"slot_a": SLOT, "slot_b": "sim7028"}, "was held against"),
    ],
)
def test_slots_that_do_not_go_together_are_refused(choice: dict[str, str], said: str):
    with pytest.raises(CallerError, match=said):
        changed(RAW, **choice)


def test_runs_without_a_common_fact_are_refused(b: dict[str, Any]):
    b["results"] = []
    with pytest.raises(CallerError, match="no fact was checked in both runs"):
        changed(b)


# ----------------------------------------------------------------------------------------------- words, page, exit code


def test_long_lists_are_cut_at_the_terminal_and_whole_on_the_page(b: dict[str, Any]):
    rows = checks(b, "documented", "conforms")[: SHOWN + 5]
    for row in rows:
        row |= {"verdict": "differs", "expected": "OK", "observed": "ERROR"}
    comparison = changed(b)
    assert "… 5 more; --html FILE shows all" in told(comparison)
    assert all(row["fact"] in render(comparison) for row in rows)


def test_what_a_module_said_is_text_everywhere(b: dict[str, Any]):
    row = next(row for row in checks(b, "documented", "conforms") if row["exchanges"])
    row |= {"verdict": "differs", "expected": "OK", "observed": HOSTILE}
    row["exchanges"][0]["answer"] = [HOSTILE]
    b["slots"][0]["firmware"] = HOSTILE
    comparison = changed(b)
    page = render(comparison)
    assert "<script" not in page
    assert "</td></span>" not in page
    assert "\x1b" not in page
    assert "\x1b" not in told(comparison)


def test_colour_says_nothing_that_words_do_not(b: dict[str, Any]):
    checks(b, "documented", "conforms")[0]["verdict"] = "differs"
    comparison = changed(b)
    plain, coloured = list(lines(comparison, colour=False)), list(lines(comparison, colour=True))
    assert plain != coloured
    for code in ("\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[1m", "\x1b[1;31m", "\x1b[m"):
        coloured = [line.replace(code, "") for line in coloured]
    assert plain == coloured


def test_the_exit_code_is_that_of_diff(command: Command, tmp_path: Path, b: dict[str, Any]):
    checks(b, "documented", "conforms")[0] |= {"verdict": "differs", "expected": "OK", "observed": "ERROR"}
    (tmp_path / "a").mkdir()
    (tmp_path / "a/results.json").write_text(json.dumps(RAW))
    (tmp_path / "b.json").write_text(json.dumps(b))
    (tmp_path / "broken.json").write_text('{"format": "modemrig-conformance", "version": 1}')
    same, worse, better = (
        command("compare", "a", "a"),
        command("compare", "a", "b.json"),
        command("compare", "b.json", "a"),
    )
    assert [done.returncode for done in (same, worse, better)] == [0, 1, 0]
    assert "1 fact got worse" in worse.stdout
    for words in (("a", "broken.json"), ("a", "nix.json"), ("a",), ("a", "b.json", "--slot-a", "nix")):
        done = command("compare", *words)
        assert done.returncode == 2, words
        assert done.stdout == ""
        assert done.stderr.strip()
    assert command("compare", "a", "b.json", "--html", "no/such/folder/x.html").returncode == 2


def test_the_page_stands_alone(command: Command, tmp_path: Path):
    (tmp_path / "a.json").write_text(json.dumps(RAW))
    done = command("compare", "a.json", "a.json", "--html", "x.html")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "page: x.html")
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert "Nothing got worse" in page
    for address in ('src="', 'href="http', "url(", "@import", "<script"):
        assert address not in page
