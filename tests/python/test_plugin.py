"""The pytest plugin: slots as fixtures, stable ids, options, and nothing where no test asks for a slot."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

SUITE = """
def test_answers(slot):
    assert slot.modem.command("AT").final == "OK"
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(test_suite=SUITE)
    return pytester


def test_a_slot_is_a_fixture_and_its_name_is_in_the_id(suite: pytest.Pytester) -> None:
    result = suite.runpytest_subprocess("--rig", "virtual:sim7028", "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*test_answers?sim7028-sim7028?*PASSED*"])


def test_the_summary_names_slot_module_and_verdicts(suite: pytest.Pytester) -> None:
    suite.makefile(
        ".toml",
        rig='[rig]\nname = "r"\n[[slot]]\nname = "left"\nport = "virtual:sim7028"\n'
        '[[slot]]\nname = "right"\nport = "virtual:bc35g_bc28"\n',
    )
    result = suite.runpytest_subprocess("--rig", "rig.toml")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["slot*dialect*module*IMEI*passed*failed*", "left*sim7028*1*0*", "right*bc35g_bc28*1*0*"]
    )


def test_one_slot_can_be_chosen(suite: pytest.Pytester) -> None:
    result = suite.runpytest_subprocess("--slot", "sim7028")
    result.assert_outcomes(passed=1)


def test_an_unknown_slot_is_refused_with_those_there_are(suite: pytest.Pytester) -> None:
    result = suite.runpytest_subprocess("--slot", "nosuch")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--slot nosuch: the rig has *sim7028*"])


def test_a_wrong_rig_file_ends_the_run_with_its_line(suite: pytest.Pytester) -> None:
    suite.makefile(".toml", rig='[[slot]]\nname = "s"\nport = "virtual:sim7028"\ncolour = 1\n')
    result = suite.runpytest_subprocess("--rig", "rig.toml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*rig.toml, line 4, slot.colour: unknown key*"])


def test_the_environment_is_a_twin_of_the_option(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEMRIG_RIG", "virtual:bc35g_bc28")
    suite.runpytest_subprocess("-v").stdout.fnmatch_lines(["*test_answers?bc35g_bc28-bc35g_bc28?*"])


def test_the_wrong_module_in_a_slot_is_said(suite: pytest.Pytester) -> None:
    with_other = (
        "import modemrig\n"
        "def test_wrong(request):\n"
        "    with modemrig.VirtualModule('sim7028', broker='127.0.0.1:1', imei='864300000000009') as module:\n"
        "        from modemrig.hil.bench import Bench\n"
        "        from modemrig.rig import BrokerAddress, Rig, Slot\n"
        "        slot = Slot('left', module.path, 'sim7028', imei='490154203237518')\n"
        "        place = Bench(Rig('r', (slot,), BrokerAddress('127.0.0.1')), 'log').slots[0]\n"
        "        place.use(request.node)\n"
        "        try:\n"
        "            place.modem\n"
        "        finally:\n"
        "            place.leave()\n"
    )
    suite.makepyfile(test_suite=with_other)
    result = suite.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*slot left: the rig says IMEI 490154203237518, the module in it says 864300000000009*"]
    )


def test_no_rig_is_read_where_no_test_asks_for_a_slot(pytester: pytest.Pytester) -> None:
    lines = ["import sys", "def test_nothing():"]
    lines += [f"    assert {name!r} not in sys.modules" for name in ("modemrig._native", "modemrig.rig")]
    pytester.makepyfile("\n".join(lines))
    result = pytester.runpytest_subprocess("--rig", "there/is/no/such/file")
    result.assert_outcomes(passed=1)
    assert "slots" not in result.stdout.str()


def test_properties_reach_junit(suite: pytest.Pytester) -> None:
    suite.runpytest_subprocess("--rig", "virtual:sim7028", "--junitxml=result.xml", "-o", "junit_family=xunit1")
    text = (suite.path / "result.xml").read_text(encoding="utf-8")
    for name in ("slot", "dialect", "imei", "firmware", "transcript"):
        assert f'<property name="{name}"' in text


def test_the_slot_ends_the_id_whatever_else_a_test_takes(pytester: pytest.Pytester) -> None:
    lines = ["import pytest", "@pytest.mark.parametrize('n', [1, 2])", "def test_two(slot, n): pass"]
    pytester.makepyfile("\n".join(lines))
    result = pytester.runpytest_subprocess("--rig", "virtual:sim7028", "--collect-only", "-q")
    result.stdout.fnmatch_lines(["*test_two?1-sim7028-sim7028?", "*test_two?2-sim7028-sim7028?"])


@pytest.mark.parametrize("where", ["ini", "environment"])
def test_slots_can_be_chosen_there_too(where: str, suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    if where == "ini":
        suite.makeini("[pytest]\nslot = sim7028 bc35g_bc28\n")
    else:
        monkeypatch.setenv("MODEMRIG_SLOT", "sim7028 bc35g_bc28")
    suite.runpytest_subprocess().assert_outcomes(passed=2)
