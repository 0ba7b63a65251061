"""Parts of a run of the conformance suite by themselves: sections, slots held, sharing between workers, progress, cost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import modemrig
from modemrig.conformance.collect import Learned, Row, is_in
from modemrig.conformance.coverage import as_text, coverage
from modemrig.conformance.data_cost import is_for_real, network_bytes
from modemrig.conformance.facts import Fact, Unchecked, facts_of
from modemrig.conformance.held import HeldSlot
from modemrig.conformance.judge import Result
from modemrig.conformance.outcome import failure_text, tell
from modemrig.conformance.progress import Progress
from modemrig.conformance.schedule import AHEAD, Shares, SlotScheduling
from modemrig.hil.bench import Bench
from modemrig.rig import load_rig
from modemrig.transcripts import cover
from modemrig.virtual import Traffic

FACT = Fact("lte_standard_a/3.3.1/QMTCFG/timeout/retry_times/maximum", "maximum", "AT+QMTCFG", "retry_times may be 10")


def result(verdict: Any, **words: Any) -> Result:
    given = {"reason": None, "expected": None, "observed": None, "transcript": ()} | words
    return Result(
        FACT,
        "s",
        1,
        verdict,
        given["reason"],
        given["expected"],
        given["observed"],
        0.0,
        0.0,
        0,
        (),
        given["transcript"],
    )


# ------------------------------------------------------------------------------------------------------------ selection


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ([], True),
        (["3.3.1"], True),
        (["3.3"], True),
        (["3"], True),
        (["3.3.10"], False),
        (["3.3.1.1"], False),
        (["lte_standard_a/3.3"], True),
        (["sim7028/3.3"], False),
        (["9", "3.3.1"], True),
    ],
)
def test_a_section_is_matched_by_whole_numbers(sections: list[str], expected: bool) -> None:
    assert is_in(FACT, sections) == expected


def test_a_later_attempt_is_another_test() -> None:
    assert [Row("s", FACT, attempt).id for attempt in (1, 2)] == [f"{FACT.id}-s", f"{FACT.id}-s-attempt-2"]


# ---------------------------------------------------------------------------------------------------------- slots, held


def test_a_module_that_falls_silent_is_told_once_and_its_port_is_given_back() -> None:
    bench = Bench(load_rig("virtual:bc35g_bc28"), "unused")
    try:
        place = bench.slots[0]
        held = HeldSlot(place, Learned("bc35g_bc28", None), offline=False, patience=False)
        named = {fact.id: fact for fact in facts_of("bc35g_bc28")}
        facts = [named[f"bc35g_bc28/{name}/test-form"] for name in ("3.2.5/QMTCONN", "3.2.1/QMTCFG", "3.2.7/QMTSUB")]
        assert held.check(facts[0]).verdict == "conforms"
        assert held.identity is not None
        assert place.module is not None
        place.module.inject("no_answer")
        assert held.check(facts[1]).verdict == "differs"
        assert "fell silent" in (held.trouble or "")
        place.module.clear()
        rest = held.check(facts[2])
        assert (rest.verdict, rest.reason) == ("skipped", "slot bc35g_bc28 is out")
        with modemrig.open(place.port, dialect="bc35g_bc28") as modem:
            assert modem.command("AT").ok
    finally:
        bench.stop()


def test_the_twin_of_a_slot_has_fast_clocks_and_the_same_module() -> None:
    bench = Bench(load_rig("virtual"), "unused")
    try:
        held = HeldSlot(bench.slots[4], Learned("sim7028", None), offline=False, patience=False)
        probe = held._opened()
        twin = probe.hurried()
        assert (probe.speed, twin.speed) == (1.0, 60.0)
        assert twin.modem.identity == probe.modem.identity
        assert twin.broker.port != probe.broker.port
        held.close()
    finally:
        bench.stop()


# -------------------------------------------------------------------------------------------------------------- workers


class Node:
    """A worker, as far as a scheduler sees one."""

    def __init__(self, spec: object) -> None:
        self.gateway = SimpleNamespace(spec=spec)
        self.told: list[int] = []
        self.shutting_down = False

    def send_runtest_some(self, indices: list[int]) -> None:
        assert not self.shutting_down
        self.told += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def ready(counts: list[int]) -> tuple[SlotScheduling, list[Node]]:
    scheduling = SlotScheduling(len(counts))
    nodes = [Node(object()) for _ in counts]
    for node in nodes:
        scheduling.add_node(node)
    for node, count in zip(nodes, counts, strict=True):
        assert not scheduling.collection_is_completed
        scheduling.add_node_collection(node, [f"t{number}" for number in range(count)])
    assert scheduling.collection_is_completed
    scheduling.schedule()
    return scheduling, nodes


def test_a_worker_runs_all_it_collected_in_order_and_no_more_than_it_was_sent() -> None:
    scheduling, (long, short, none) = ready([100, 3, 0])
    assert len(long.told) == AHEAD
    assert (short.told, short.shutting_down) == ([0, 1, 2], True)
    assert (none.told, none.shutting_down) == ([], True)
    for number in range(100):
        assert not scheduling.tests_finished
        assert long.told[number] == number
        scheduling.mark_test_complete(long, number)
    assert long.shutting_down
    for number in range(3):
        scheduling.mark_test_complete(short, number)
    assert scheduling.tests_finished
    assert [scheduling.remove_node(node) for node in (long, short, none)] == [None, None, None]


def test_a_worker_that_is_told_to_end_gets_no_more() -> None:
    scheduling, (node,) = ready([100])
    node.shutdown()
    for number in range(AHEAD):
        scheduling.mark_test_complete(node, number)
    assert len(node.told) == AHEAD
    assert scheduling.remove_node(node) is None, "it ran what it was sent: it did not crash"


def test_what_a_dead_worker_had_still_to_do_goes_to_the_one_in_its_place() -> None:
    scheduling, (dead, other) = ready([20, 20])
    for number in range(5):
        scheduling.mark_test_complete(dead, number)
    assert scheduling.remove_node(dead) == "t5"
    new = Node(dead.gateway.spec)
    scheduling.add_node(new)
    scheduling.add_node_collection(new, [f"t{number}" for number in range(20)])
    for number in range(6, 20):
        scheduling.mark_test_complete(new, number)
    assert new.told == list(range(6, 20))
    assert other.told[0] == 0


def test_slots_are_shared_among_workers_and_a_successor_gets_the_same() -> None:
    shares = Shares(["a", "b", "c", "d", "e"], 2)
    first, second = Node(object()), Node(object())
    assert (shares.of(first), shares.of(second)) == (["a", "c", "e"], ["b", "d"])
    assert shares.of(Node(second.gateway.spec)) == ["b", "d"]


# ------------------------------------------------------------------------------------------------------- what is shown


def test_a_failure_shows_both_sides_and_the_end_of_what_was_said() -> None:
    talk = tuple((number / 10, "tx", f"AT+N{number}\r") for number in range(30))
    text = failure_text(result("differs", expected="+QMTCFG: 1\nOK", observed="ERROR", transcript=talk))
    assert text.splitlines()[:6] == [
        FACT.id,
        "  fact      retry_times may be 10",
        "  document  LTE Standard(A) Series MQTT Application Note, version 1.4, section 3.3.1",
        "  expected  +QMTCFG: 1",
        "            OK",
        "  observed  ERROR",
    ]
    assert "… 18 before" in text
    assert r"AT+N29\r" in text
    assert "AT+N17" not in text


@pytest.mark.parametrize("verdict", ["conforms", "as_expected", "otherwise"])
def test_what_is_no_documented_difference_passes(verdict: str) -> None:
    tell(result(verdict))


@pytest.mark.parametrize("verdict", ["differs", "blocked"])
def test_a_difference_and_a_blocked_check_fail(verdict: str) -> None:
    with pytest.raises(pytest.fail.Exception):
        tell(result(verdict, reason="no network"))


def test_a_skipped_check_says_why() -> None:
    with pytest.raises(pytest.skip.Exception, match="no TLS"):
        tell(result("skipped", reason="the rig's broker has no TLS port"))


class Terminal:
    """What progress writes to."""

    def __init__(self, isatty: bool) -> None:
        self.isatty = isatty
        self._tw = SimpleNamespace(fullwidth=80)
        self.text = ""

    def write(self, text: str, flush: bool = False) -> None:
        self.text += text

    def write_line(self, text: str) -> None:
        self.text += text + "\n"


def shown(terminal: Terminal, count: int) -> str:
    progress = Progress(terminal, ["a", "b"], is_verbose=False)
    for number in range(count):
        progress.expect("ab"[number % 2])
    for number in range(count):
        progress.add("ab"[number % 2], FACT, "differs" if number == 0 else "conforms")
    progress.close()
    return terminal.text


def test_away_from_a_terminal_there_is_a_line_for_every_tenth() -> None:
    lines = shown(Terminal(isatty=False), 4000).splitlines()
    assert len(lines) == 10
    assert lines[0].startswith(" 10 %  400 of 4000 facts, 1 differ")
    assert lines[-1].startswith("100 %  4000 of 4000 facts")


def test_on_a_terminal_each_slot_has_a_line_that_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "24")
    text = shown(Terminal(isatty=True), 4000)
    assert text.count("\n") < 2 * 200, "drawn ten times a second, not for every fact"
    *_, a, b = text.split("\n")[:-1]
    assert "2000/2000  1 differ" in a
    assert "2000/2000" in b
    assert max(len(line.rpartition("K")[2]) for line in text.split("\n")) < 80


# -------------------------------------------------------------------------------------------------- coverage and cost


def test_coverage_names_every_fact_that_is_not_checked() -> None:
    for dialect in modemrig.dialects():
        text = "\n".join(as_text([coverage(dialect)]))
        for fact in facts_of(dialect):
            if fact.unchecked is not None:
                assert fact.id in text
                assert fact.unchecked.why in text


def test_a_documented_fact_that_nobody_checks_costs_coverage(monkeypatch: pytest.MonkeyPatch) -> None:
    from modemrig.conformance import coverage as module

    loose = Fact("sim7028/1/x/a", "maximum", "x", "a", unchecked=Unchecked("unseen", "Nothing shows."))
    decided = Fact("sim7028/1/x/b", "maximum", "x", "b", "decided", unchecked=Unchecked("unseen", "Nothing shows."))
    checked = Fact("sim7028/1/x/c", "maximum", "x", "c")
    monkeypatch.setattr(module, "facts_of", lambda _: (loose, decided, checked))
    counted = coverage.__wrapped__("sim7028")
    assert (counted.facts, counted.documented, counted.checked, counted.percent) == (3, 2, 1, 50.0)


def test_a_segment_costs_its_headers_and_an_acknowledgement() -> None:
    before = Traffic(1, 1, 10, 1, 10)
    assert network_bytes(before, before) == 0
    assert network_bytes(before, Traffic(1, 2, 30, 1, 10)) == 20 + 2 * 40
    assert network_bytes(before, Traffic(2, 1, 10, 1, 10)) == 320


@pytest.mark.parametrize(
    ("needs", "patience", "expected"),
    [
        ((), False, True),
        (("sim", "tls"), False, True),
        (("sim", "time"), False, False),
        (("sim", "time"), True, True),
        (("broker_control",), True, False),
        (("fault:no_answer",), True, False),
    ],
)
def test_what_a_real_rig_cannot_check_costs_nothing(needs: tuple[str, ...], patience: bool, expected: bool) -> None:
    fact = Fact("sim7028/1/x", "maximum", "x", "a", needs=needs)
    assert is_for_real(fact, patience=patience) == expected


def test_bytes_that_are_no_text_are_shown_and_secrets_beside_them_covered() -> None:
    shown = cover('a\udcffb\nAT+QMTCONN=0,"me","user","s3cret\udcfe"').splitlines()
    assert shown[0] == r"a\xffb"
    assert "s3cret" not in shown[1]
    assert cover("plain ü") == "plain ü"
