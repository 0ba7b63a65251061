"""Runs of the suite on rigs that are not as usual: ports that were there before, slots that are out, workers, failures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import modemrig

pytest_plugins = ["pytester"]

SUITE = """
def test_answers(slot):
    assert slot.modem.command("AT").final == "OK"
"""

RIG = """\
[rig]
name = "r"
broker = {{ host = "{host}", port = {port}, tls_port = {tls_port}, ca = "ca.pem" }}
[[slot]]
name = "slot-1"
port = "{first}"
[[slot]]
name = "slot-2"
port = "{second}"
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(test_suite=SUITE)
    return pytester


def write_rig(folder: Path, broker: modemrig.BenchBroker, first: str, second: str) -> None:
    (folder / "ca.pem").write_text(broker.ca_pem)
    text = RIG.format(host=broker.host, port=broker.port, tls_port=broker.tls_port, first=first, second=second)
    (folder / "rig.toml").write_text(text)


@contextmanager
def two_modules(folder: Path) -> Iterator[tuple[str, str]]:
    """Two modules the suite does not make, and a rig file that knows no more of them than their ports."""
    with (
        modemrig.BenchBroker() as broker,
        modemrig.VirtualModule("ecx00u_egx00u", broker=broker, seed=1) as first,
        modemrig.VirtualModule("sim7028", broker=broker, seed=2) as second,
    ):
        write_rig(folder, broker, first.path, second.path)
        yield first.path, second.path


def test_ports_that_were_there_before_run_the_same_examples_and_are_left_as_found(pytester: pytest.Pytester) -> None:
    asked = ['AT+QMTCFG="recv/mode",0', 'AT+QMTCFG="aliauth",0', 'AT+QMTCFG="ssl",0', 'AT+QSSLCFG="seclevel",2']
    with two_modules(pytester.path) as (first, second):
        with modemrig.open(first) as modem:
            before = [modem.command(line).lines for line in asked]
        words = ("--pyargs", "modemrig.hil", "--rig", "rig.toml", "-k", "test_example or test_identity", "-rs")
        result = pytester.runpytest_subprocess(*words)
        examples = sum(len(modemrig.catalogue(dialect)["examples"]) for dialect in ("ecx00u_egx00u", "sim7028"))
        # The rig file names no client_cert and client_key: 5.2 here and 4.4 there show a certificate of the module.
        result.assert_outcomes(passed=examples - 2 + 4, skipped=2)
        result.stdout.fnmatch_lines(["*the rig names no ca, client_cert and client_key*"])
        with modemrig.open(first) as modem:
            assert [modem.command(line).lines for line in asked] == before
            assert modem.files() == []
        with modemrig.open(second) as modem:
            assert modem.files() == []


def test_a_slot_that_is_not_there_fails_once_and_leaves_the_others_alone(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_more="def test_more(slot): slot.modem")
    with modemrig.BenchBroker() as broker:
        write_rig(suite.path, broker, "/dev/there-is-no-such-port", "virtual:sim7028")
        result = suite.runpytest_subprocess("--rig", "rig.toml", "-rs")
    result.assert_outcomes(passed=2, errors=1, skipped=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*slot slot-1 is out: /dev/there-is-no-such-port: there is no such port*"])


def test_workers_never_share_a_port(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    lines = ["import os, pytest", "@pytest.mark.parametrize('n', range(6))", "def test_who(slot, n):"]
    lines += ["    assert slot.modem.command('AT').final == 'OK'", "    slot.note('worker', os.getpid())"]
    pytester.makepyfile("\n".join(lines))
    with two_modules(pytester.path):
        words = ("--rig", "rig.toml", "-n", "2", "--junitxml=r.xml", "-o", "junit_family=xunit1")
        pytester.runpytest_subprocess(*words).assert_outcomes(passed=12)
    text = (pytester.path / "r.xml").read_text(encoding="utf-8")
    pairs = re.findall(r'name="slot" value="(.*?)".*?name="worker" value="(.*?)"', text, re.DOTALL)
    assert len(pairs) == 12
    assert len(set(pairs)) == 2, "a slot was used by two workers"


def test_workers_of_other_projects_are_scheduled_as_ever(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist", reason="pytest-xdist is not installed")
    pytester.makepyfile("def test_nothing(): pass")
    pytester.makeconftest(
        "def pytest_xdist_node_collection_finished(node):\n"
        "    sched = node.config.pluginmanager.get_plugin('dsession').sched\n"
        "    print('scheduler:', type(sched).__name__)\n"
    )
    result = pytester.runpytest_subprocess("-n", "1", "-s")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*scheduler: LoadScheduling*"])


def test_a_broker_that_is_not_there_ends_the_run_with_one_line(suite: pytest.Pytester) -> None:
    with modemrig.BenchBroker() as broker:
        port = broker.port
    result = suite.runpytest_subprocess("--broker", f"127.0.0.1:{port}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*this machine does not reach 127.0.0.1:{port}: Connection refused*"])


def test_a_broker_that_refuses_the_rig_ends_the_run_and_the_password_stays_secret(suite: pytest.Pytester) -> None:
    with modemrig.BenchBroker() as broker:
        broker.set_users({"bob": "right"})
        rig = f'broker = {{ host = "{broker.host}", port = {broker.port}, user = "bob", password_env = "PW" }}'
        (suite.path / "rig.toml").write_text(f'[rig]\n{rig}\n[[slot]]\nname = "s"\nport = "virtual:sim7028"\n')
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PW", "wr0ng-s3cret")
            result = suite.runpytest_subprocess("--rig", "rig.toml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*does not accept this machine as a client*"])
    assert "wr0ng-s3cret" not in result.stdout.str() + result.stderr.str()


def test_without_mosquitto_the_run_says_how_to_get_it(suite: pytest.Pytester) -> None:
    suite.makeconftest("import modemrig.hil.brokers as brokers\nbrokers.find_mosquitto = lambda: None\n")
    result = suite.runpytest_subprocess("--broker", "mosquitto")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*no program mosquitto here; install it*"])


def test_a_step_that_fails_shows_both_sides_and_the_transcript(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        other="import modemrig.hil.bench as bench\n"
        "def other(dialect, real=bench.catalogue):\n"
        "    document = real(dialect)\n"
        "    document['examples'][0]['steps'][3]['expect'][1] = '+QMTOPEN: 0,3'\n"
        "    return document\n"
        "bench.catalogue = other\n"
    )
    words = ("-p", "other", "--pyargs", "modemrig.hil", "--rig", "virtual:ecx00u_egx00u", "-k", "5.1")
    result = pytester.runpytest_subprocess(*words)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "step 4 of 16; transcript: rig-log/ecx00u_egx00u/*.jsonl",
            '*sent  AT+QMTOPEN=0,"127.0.0.1",*',
            "*expected*received*",
            "*OK*OK*",
            "*≠ +QMTOPEN: 0,3*+QMTOPEN: 0,0*",
        ]
    )
