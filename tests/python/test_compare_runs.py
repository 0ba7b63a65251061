"""Two firmwares, compared: two virtual modules, each taken through the suite by the command that a user types."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Command
from modemrig.conformance.compare import Comparison, compare
from modemrig.conformance.report import load_results

SELECTED = "QMTOPEN/ or QMTCONN/ or keep_alive_time/maximum"
"""Facts of three parts of the document: enough for every sort of change, and some seconds."""
LARGEST = "lte_standard_a/3.3.1/QMTCFG/keepalive/keep_alive_time/maximum"
SMALL_LETTERS = "lte_standard_a/3.3.4/QMTCONN/write/name/letter-case"
LATE_S = 0.15
OLD = """
[rig]
name = "bench"
[[slot]]
name = "slot-1"
port = "virtual:lte_standard_a"
identity = { revision = "EC200AR01A01M08" }
"""
NEW = (
    OLD.replace("A01M08", "A02M01")
    + f"""
differs = 'commands."AT+QMTCFG".params.keep_alive_time.max = 3599'
quirks = ["upper_case_only"]
faults = ["late_answer:ms={LATE_S * 1000:g},command=AT+QMTCONN"]
"""
)

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three reports: the old firmware, the old one again, and the new one."""
    folder = tmp_path_factory.mktemp("runs")
    for name, rig, code in (("old", OLD, 0), ("again", OLD, 0), ("new", NEW, 1)):
        (folder / f"{name}.toml").write_text(rig)
        words = [sys.executable, "-m", "modemrig", "conformance", "--rig", f"{name}.toml", "--report", name]
        done = subprocess.run(
            [*words, "-k", SELECTED],
            cwd=folder,
            env=Command.environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, done.stdout[-4000:] + done.stderr[-2000:]
    return folder


@pytest.fixture(scope="module")
def changes(runs: Path) -> Comparison:
    return compare(load_results(runs / "old"), load_results(runs / "new"))


def test_a_fact_that_the_new_firmware_breaks_is_the_only_one_that_got_worse(changes: Comparison):
    assert [change.fact.id for change in changes.worse] == [LARGEST]
    assert changes.better == ()


def test_what_no_document_says_changed_and_is_not_worse(changes: Comparison):
    assert SMALL_LETTERS in [change.fact.id for change in changes.otherwise]
    assert {change.verdicts for change in changes.otherwise} == {("as_expected", "otherwise")}


def test_the_answers_behind_it_are_shown(changes: Comparison):
    found = {change.sent: (change.before, change.after) for change in changes.answers}
    assert found['AT+QMTCFG="keepalive",0,3600'] == (("OK",), ("ERROR",))
    assert {sent for sent in found if sent.startswith("AT")} == {'AT+QMTCFG="keepalive",0,3600'}
    assert any(sent.startswith("at+qmtconn=") for sent in found)


def test_the_command_that_became_slower_is_the_only_one(changes: Comparison):
    assert {timing.command for timing in changes.slower} == {"AT+QMTCONN"}
    assert all(LATE_S * 0.5 < timing.pairs.moved_s < LATE_S * 3 for timing in changes.slower)
    assert changes.quicker == ()


def test_a_module_compared_with_itself_did_not_change(runs: Path):
    comparison = compare(load_results(runs / "old"), load_results(runs / "again"))
    assert not comparison.got_worse
    assert (comparison.verdicts, comparison.answers, comparison.quicker) == ((), (), ())
    assert comparison.notes == ()


def test_the_command_says_so_and_its_exit_code_too(command: Command, runs: Path, tmp_path: Path):
    worse = command("compare", f"{runs}/old/results.json", f"{runs}/new/results.json", "--html", "x.html")
    assert worse.returncode == 1, worse.stderr
    assert "EC200A EC200AR01A01M08  →  EC200A EC200AR01A02M01" in worse.stdout
    assert f"{LARGEST}  conforms → differs" in worse.stdout
    assert "1 fact got worse, 1 command slower; 0 better" in worse.stdout
    assert LARGEST in (tmp_path / "x.html").read_text(encoding="utf-8")
    assert command("compare", str(runs / "old"), str(runs / "again")).returncode == 0
    back = command("compare", str(runs / "new"), str(runs / "old"))
    assert back.returncode == 0
    assert "0 worse" not in back.stdout
    assert "Nothing got worse; 1 better" in back.stdout
