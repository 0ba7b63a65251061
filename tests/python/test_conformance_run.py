"""Runs of ``modemrig conformance`` as a user starts them: what is chosen, what is said, what is written, how it ends."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import modemrig
from conftest import Command
from modemrig.conformance.facts import facts_of
from modemrig.conformance.report import Results, load_results

SMALLER = """differs = '''commands."AT+QMTCFG".params.retry_times.max = 9'''"""
RETRIES = "QMTCFG/timeout/retry_times/maximum"


def virtual_rig(folder: Path, *slots: str) -> None:
    """A rig file; each slot is its name, its dialect, and further lines."""
    rows = []
    for slot in slots:
        name, dialect, *more = slot.split("\n")
        rows += ["[[slot]]", f'name = "{name}"', f'port = "virtual:{dialect}"', *more]
    (folder / "rig.toml").write_text("\n".join(rows))


@pytest.fixture
def broker() -> Iterator[modemrig.BenchBroker]:
    with modemrig.BenchBroker() as broker:
        yield broker


@pytest.fixture
def real(tmp_path: Path, broker: modemrig.BenchBroker) -> Iterator[modemrig.VirtualModule]:
    """A module that the suite did not make: as good as a real one. Its rig file is ``real.toml``."""
    with modemrig.VirtualModule("lte_standard_a", broker=broker, tcp=True) as module:
        (tmp_path / "real.toml").write_text(
            f'[rig]\nbroker = {{ host = "{broker.host}", port = {broker.port} }}\n'
            f'[[slot]]\nname = "bench-1"\nport = "{module.path}"\n'
        )
        yield module


def verdicts(results: Results, slot: str | None = None) -> Counter[str]:
    return Counter(result.verdict for result in results.results if slot in (None, result.slot))


# ------------------------------------------------------------------------------------------------------------ selection


def test_a_section_holds_itself_and_what_is_below_it_and_no_other(command: Command, tmp_path: Path) -> None:
    said = command("conformance", "--rig", "virtual:sim7028", "--section", "3.2.1", "--report", "out")
    assert said.returncode == 0, said.stdout
    results = load_results(tmp_path / "out")
    wanted = {fact.id for fact in facts_of("sim7028") if fact.section == "3.2.1" and fact.unchecked is None}
    assert wanted
    assert {result.fact for result in results.results} == wanted
    # Facts that were not chosen are in the file all the same: nobody takes them for gone.
    assert {fact.id for fact in results.facts} == {fact.id for fact in facts_of("sim7028")}
    assert results.selection["section"] == ["3.2.1"]


def test_slots_run_in_parallel_and_come_together_in_one_file(command: Command, tmp_path: Path) -> None:
    slots = ("--slot", "lte_standard_a", "--slot", "bc35g_bc28")
    said = command("conformance", *slots, "-k", RETRIES, "--repeat", "2", "--report", "out")
    assert said.returncode == 0, said.stdout
    results = load_results(tmp_path / "out")
    rows = sorted((result.slot, result.attempt, result.verdict) for result in results.results)
    assert rows == [(slot, attempt, "conforms") for slot in ("bc35g_bc28", "lte_standard_a") for attempt in (1, 2)], (
        said.stdout
    )
    assert [slot.name for slot in results.slots] == ["lte_standard_a", "bc35g_bc28"]
    assert all(slot.firmware and slot.imei for slot in results.slots)


def test_one_worker_runs_slot_after_slot(command: Command, tmp_path: Path) -> None:
    slots = ("--slot", "lte_standard_a", "--slot", "bc35g_bc28")
    said = command("conformance", *slots, "-j", "1", "-k", RETRIES, "--report", "out")
    assert said.returncode == 0, said.stdout
    assert verdicts(load_results(tmp_path / "out")) == {"conforms": 2}


def test_a_fact_is_a_test_with_a_name_that_pytest_takes(command: Command) -> None:
    fact = next(fact for fact in facts_of("bc35g_bc28") if fact.id.endswith(RETRIES))
    said = command("conformance", "--rig", "virtual:bc35g_bc28", "--", "-v", "-k", f"test_fact[{fact.id}-bc35g_bc28]")
    assert said.returncode == 0, said.stdout
    assert f"test_fact[{fact.id}-bc35g_bc28] CONFORMS" in said.stdout


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["--rig", "virtual:sim7028", "--section", "9.9"], 5, "no tests ran"),
        (["--rig", "virtual:sim7028", "--slot", "nobody"], 4, "--slot nobody: the rig has sim7028"),
        (["--rig", "virtual:sim7028", "--broker", "127.0.0.1:1"], 4, "no broker for the rig"),
        (["--rig", "nobody.toml"], 1, "nobody.toml: No such file"),
        (["--frobnicate"], 2, "words for pytest stand behind --: modemrig conformance -- --frobnicate"),
        (["--json"], 2, "--json goes with --coverage"),
    ],
)
def test_what_makes_no_sense_ends_with_one_line(command: Command, words: list[str], code: int, text: str) -> None:
    said = command("conformance", *words)
    assert said.returncode == code, said.stdout + said.stderr
    assert text in said.stdout + said.stderr
    assert "Traceback" not in said.stdout + said.stderr


# ------------------------------------------------------------------------------------------------------------- verdicts


def test_a_module_that_differs_fails_with_fact_document_and_both_answers(command: Command, tmp_path: Path) -> None:
    virtual_rig(tmp_path, f"broken\nlte_standard_a\n{SMALLER}", "whole\nlte_standard_a")
    said = command("conformance", "--rig", "rig.toml", "-k", RETRIES, "--report", "out", "--", "--junitxml=result.xml")
    assert said.returncode == 1, said.stdout
    for text in (
        "LTE Standard(A) Series MQTT Application Note, version 1.4, section 3.3.1",
        "expected  OK",
        "observed  ERROR",
        "retry_times of AT+QMTCFG may be as large as 10",
        "out/report.html",
    ):
        assert text in said.stdout
    assert len(said.stdout.splitlines()) < 70, "a difference is told in a few lines"
    results = load_results(tmp_path / "out")
    assert verdicts(results, "broken")["differs"] >= 1
    assert set(verdicts(results, "whole")) == {"conforms"}
    assert (tmp_path / "out" / "report.html").stat().st_size > 10_000

    cases = ET.parse(tmp_path / "result.xml").findall(".//testcase")
    broken = next(case for case in cases if case.find("failure") is not None)
    properties = [(each.attrib["name"], each.attrib["value"]) for each in broken.findall("./properties/property")]
    told = dict(properties)
    assert told["fact"].endswith(RETRIES)
    assert (told["section"], told["document"]) == ("3.3.1", "lte_standard_a")
    assert (told["kind"], told["basis"], told["verdict"]) == ("maximum", "documented", "differs")
    assert (told["slot"], told["attempt"]) == ("broken", "1")
    assert told["module"].endswith("EC200A")
    assert told["firmware"]
    assert len(told["imei"]) == 15
    assert int(told["data_bytes"]) >= 0
    whole = next(case for case in cases if case.find("failure") is None)
    timed = [each.attrib["value"].split() for each in whole.iter("property") if each.attrib["name"] == "response"]
    assert any(
        command == "AT+QMTCFG" and float(spent) < float(most) for command, spent, *rest in timed for most in rest
    )


def test_what_only_we_decided_is_told_and_fails_nothing(command: Command, tmp_path: Path) -> None:
    virtual_rig(tmp_path, "s\nsim7028\n" + """differs = '''commands."AT+CMQTTSUBTOPIC".params.qos.max = 1'''""")
    said = command("conformance", "--rig", "rig.toml", "-k", "CMQTTSUBTOPIC/write/qos/maximum", "--report", "out")
    assert said.returncode == 0, said.stdout
    assert "1 observed otherwise" in said.stdout
    assert verdicts(load_results(tmp_path / "out")) == {"otherwise": 1}


def test_fail_fast_ends_every_slot_at_the_first_difference(command: Command, tmp_path: Path) -> None:
    virtual_rig(tmp_path, f"broken\nlte_standard_a\n{SMALLER}", "whole\nbc35g_bc28")
    said = command("conformance", "--rig", "rig.toml", "-k", "maximum", "--fail-fast", "--report", "out")
    assert said.returncode == 1, said.stdout
    found = load_results(tmp_path / "out")
    assert verdicts(found)["differs"] == 1
    last = [result for result in found.results if result.slot == "broken"][-1]
    assert (last.fact, last.verdict) == (f"lte_standard_a/3.3.1/{RETRIES}", "differs")
    chosen = [fact for fact in facts_of("lte_standard_a") if fact.kind == "maximum"]
    assert sum(verdicts(found, "broken").values()) < len(chosen)


def test_a_slot_that_is_not_there_is_told_once_and_the_others_go_on(command: Command, tmp_path: Path) -> None:
    (tmp_path / "rig.toml").write_text(
        '[rig]\nbroker = "127.0.0.1:1"\n'
        '[[slot]]\nname = "known"\nport = "/dev/there-is-no-such-port"\ndialect = "bc35g_bc28"\n'
        '[[slot]]\nname = "unknown"\nport = "/dev/there-is-no-such-port-either"\n'
        '[[slot]]\nname = "there"\nport = "virtual:bc35g_bc28"\n'
    )
    said = command("conformance", "--rig", "rig.toml", "--offline", "-k", "maximum or unknown-", "--report", "out")
    assert said.returncode == 1, said.stdout
    results = load_results(tmp_path / "out")
    known = verdicts(results, "known")
    assert known["blocked"] == 1
    assert set(known) == {"blocked", "skipped"}
    assert verdicts(results, "there")["conforms"] >= 10
    trouble = {slot.name: slot.trouble for slot in results.slots}
    assert trouble["there"] is None
    assert "there-is-no-such-port" in (trouble["known"] or "")
    assert "there-is-no-such-port-either" in (trouble["unknown"] or "")


# ----------------------------------------------------------------------------------------------------------- real ports


def test_a_real_module_skips_what_only_a_virtual_one_can_and_is_left_as_found(
    command: Command, tmp_path: Path, real: modemrig.VirtualModule
) -> None:
    asked = ['AT+QMTCFG="timeout",0', 'AT+QMTCFG="will",0', 'AT+QMTCFG="keepalive",0', "AT+QMTOPEN?", "AT+QMTCONN?"]
    with modemrig.open(real.path) as modem:
        assert modem.command('AT+QMTCFG="timeout",0,7,2,1').ok  # what was found is no default
        before = [modem.command(line).lines for line in asked]
    words = ("--rig", "real.toml", "--section", "3.3.1", "--section", "3.3.3", "--section", "3.3.4", "--report", "out")
    said = command("conformance", *words)
    assert said.returncode == 0, said.stdout
    found = load_results(tmp_path / "out")
    assert verdicts(found)["conforms"] > 100
    skipped = [result for result in found.results if result.verdict == "skipped"]
    for result in skipped:
        assert result.reason
        assert found.fact[result.fact].needs
    able = {"sim", "true_speed"}
    lacking = {fact.id for fact in found.facts if set(fact.needs) - able and fact.unchecked is None}
    assert {result.fact for result in skipped} == lacking & {result.fact for result in found.results}
    counted = {result.data_bytes for result in found.results if result.verdict != "skipped"}
    assert counted == {None}, "nobody counts what a real module sends"
    with modemrig.open(real.path) as modem:
        assert [modem.command(line).lines for line in asked] == before
        assert modem.files() == []


def test_offline_nothing_reaches_the_network(
    command: Command, tmp_path: Path, real: modemrig.VirtualModule, broker: modemrig.BenchBroker
) -> None:
    said = command("conformance", "--rig", "real.toml", "--offline", "--report", "out")
    assert said.returncode == 0, said.stdout
    found = load_results(tmp_path / "out")
    assert verdicts(found)["conforms"] > 100
    for result in found.results:
        if "sim" in found.fact[result.fact].needs:
            assert result.verdict == "skipped", result.fact
    assert broker.record() == []
    assert real.traffic.connections == 0


def test_ctrl_c_leaves_a_module_as_found_and_writes_what_there_is(
    command: Command, tmp_path: Path, real: modemrig.VirtualModule, broker: modemrig.BenchBroker
) -> None:
    running = command.start("conformance", "--rig", "real.toml", "--section", "3.3", "--report", "out")
    until = time.monotonic() + 30
    while len(broker.record()) < 40 and time.monotonic() < until:
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(0.02)
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=30)
    assert running.returncode == 2, said
    with modemrig.open(real.path) as modem:
        assert modem.command("AT+QMTOPEN?").lines == ()
        assert modem.command('AT+QMTCFG="timeout",0').lines == ('+QMTCFG: "timeout",5,3,0',)
    found = load_results(tmp_path / "out")
    assert found.results
    assert {fact.id for fact in facts_of("lte_standard_a")} == {fact.id for fact in found.facts}


# ----------------------------------------------------------------------------------------------- coverage, data, format


@pytest.mark.parametrize("dialect", modemrig.dialects())
def test_of_what_a_document_says_at_least_95_percent_is_checked(command: Command, dialect: str) -> None:
    said = command("conformance", "--coverage", dialect, "--json")
    assert said.returncode == 0, said.stderr
    (row,) = json.loads(said.stdout)
    assert row["document"] == dialect
    assert row["documented"] <= row["facts"]
    assert (
        row["documented_checked"] + sum(each["basis"] == "documented" for each in row["unchecked"]) == row["documented"]
    )
    assert row["percent"] >= 95, row["unchecked"]
    assert all(each["why"].endswith(".") or " " in each["why"] for each in row["unchecked"])


def test_coverage_is_of_the_rigs_documents_and_touches_no_rig(command: Command, tmp_path: Path) -> None:
    (tmp_path / "rig.toml").write_text(
        '[rig]\nbroker = "192.0.2.1:1883"\n[[slot]]\nname = "s"\nport = "/dev/nobody"\ndialect = "sim7028"\n'
    )
    said = command("conformance", "--coverage", "--rig", "rig.toml")
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("sim7028: SIM7028 Series MQTT(S) Application Note")
    assert "%" in said.stdout


def test_data_of_a_run_is_counted_and_printed_for_what_was_chosen(command: Command) -> None:
    said = command(
        "conformance", "--data", "--rig", "virtual:lte_standard_a", "-k", "QMTSUB/write/client_idx/last-client"
    )
    assert said.returncode == 0, said.stdout
    total = next(line.split() for line in said.stdout.splitlines() if line.startswith("in all, with TLS"))
    assert 0.3 < float(total[-1]) < 10, said.stdout  # opening, CONNECT, SUBSCRIBE, and the headers around them


def test_the_file_holds_what_a_run_found(command: Command, tmp_path: Path) -> None:
    said = command("conformance", "--rig", "virtual:bc35g_bc28", "-k", "QMTCONN/test-form", "--report", "out")
    assert said.returncode == 0, said.stdout
    raw: dict[str, Any] = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert (raw["format"], raw["version"], raw["modemrig"]) == ("modemrig-conformance", 1, modemrig.__version__)
    (result,) = raw["results"]
    assert result["exchanges"][-1]["sent"] == "AT+QMTCONN=?"
    assert result["exchanges"][-1]["answer"][-1] == "OK"
    assert "AT+QMTCONN=?\r" in "".join(data for _, direction, data in result["transcript"] if direction == "tx")
    assert result["started_s"] >= 0
    assert raw["documents"]["bc35g_bc28"]["version"] == "1.0"


def test_a_secret_that_was_on_the_module_is_in_no_file(
    command: Command, tmp_path: Path, real: modemrig.VirtualModule
) -> None:
    device = 'AT+QMTCFG="aliauth",0'
    with modemrig.open(real.path) as modem:
        assert modem.command(f'{device},"product","device","fdc2c0ffee"').ok
    said = command("conformance", "--rig", "real.toml", "-k", "aliauth", "--report", "out", "--", "--junitxml=out.xml")
    assert said.returncode == 0, said.stdout
    with modemrig.open(real.path) as modem:
        assert modem.command(device).lines == ('+QMTCFG: "aliauth","product","device","fdc2c0ffee"',)
    asked = load_results(tmp_path / "out").results
    assert any("product" in str(result.exchanges) for result in asked), "the run has asked for what was there"
    for file in (tmp_path / "out" / "results.json", tmp_path / "out" / "report.html", tmp_path / "out.xml"):
        assert "fdc2c0ffee" not in file.read_text(encoding="utf-8"), file.name
    assert "fdc2c0ffee" not in said.stdout
