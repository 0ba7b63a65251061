"""Facts about forms and values: that a document has them, with the right basis, and that a broken module is found out."""

from __future__ import annotations

from pathlib import Path

import pytest

import modemrig
from modemrig.conformance.collect import Learned
from modemrig.conformance.document import load
from modemrig.conformance.facts import Fact, facts_of
from modemrig.conformance.held import HeldSlot
from modemrig.conformance.kinds import KINDS
from modemrig.hil.bench import Bench
from modemrig.rig import Rig, Slot

LTE = "lte_standard_a"


def fact(name: str) -> Fact:
    return next(each for each in facts_of(name.partition("/")[0]) if each.id == name)


@pytest.mark.parametrize("dialect", modemrig.dialects())
@pytest.mark.parametrize(
    "kind", ["test-form", "minimum", "maximum", "below", "above", "value", "wrong-type", "count", "default"]
)
def test_every_document_has_facts_of_the_kind_and_modules_that_break_them(kind: str, dialect: str) -> None:
    document = load(dialect)
    facts = {each.id for each in KINDS[kind].facts(document)}
    broken = [breakage.fails for breakage in KINDS[kind].breakages(document)]
    assert facts
    assert broken
    assert all(fails and fails <= facts for fails in broken)


def test_ends_of_a_range_become_four_facts() -> None:
    place = f"{LTE}/3.3.1/QMTCFG/timeout/pkt_timeout"
    lines = {end: fact(f"{place}/{end}").about["line"] for end in ("minimum", "maximum", "below", "above")}
    assert lines == {
        "minimum": 'AT+QMTCFG="timeout",{client},1,3,0',
        "maximum": 'AT+QMTCFG="timeout",{client},60,3,0',
        "below": 'AT+QMTCFG="timeout",{client},0,3,0',
        "above": 'AT+QMTCFG="timeout",{client},61,3,0',
    }


def test_what_only_we_say_is_not_held_against_a_module() -> None:
    assert fact(f"{LTE}/3.3.1/QMTCFG/version/locked").basis == "documented"
    assert fact(f"{LTE}/3.3.1/QMTCFG/willex/locked").basis == "decided"
    assert fact("bc35g_bc28/3.2.1/QMTCFG/version/tcp_connectid/wrong-type").basis == "documented"
    assert fact(f"{LTE}/3.3.1/QMTCFG/version/vsn/default").basis == "inherited"
    assert all(each.basis == "decided" for each in facts_of(LTE) if each.kind == "letter-case")


def test_a_combination_that_is_forbidden_is_not_sent_by_chance() -> None:
    line = fact(f"{LTE}/3.3.8/QMTPUBEX/write/msgid/minimum").about["line"]
    assert line.startswith("AT+QMTPUBEX={client},0,0,")


def test_a_module_that_takes_one_more_is_found_out_and_no_other_fact_suffers(tmp_path: Path) -> None:
    above = fact(f"{LTE}/3.3.1/QMTCFG/qmtping/qmtping_interval/above")
    default = fact(f"{LTE}/3.3.1/QMTCFG/qmtping/qmtping_interval/default")
    differs = 'commands."AT+QMTCFG".params.qmtping_interval.max = 61'
    bench = Bench(Rig("test", (Slot("slot", f"virtual:{LTE}", differs=differs),)), str(tmp_path))
    held = HeldSlot(bench.slots[0], Learned(LTE, None), offline=False, patience=False)
    try:
        result = held.check(above)
        assert (result.verdict, result.expected, result.observed) == ("differs", "ERROR", "OK")
        assert held.check(default).verdict == "conforms"
    finally:
        held.close()
        bench.stop()
