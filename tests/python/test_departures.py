"""Examples on modules that depart from their documents: what is tolerated where, and what is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from modemrig.hil.departures import FORMS, LINES, Tolerance, told

pytest_plugins = ["pytester"]

PUBLISH = 'AT+QMTPUBEX=0,0,0,0,"t",1'
CONN = 'AT+QMTCONN=0,"me"'
PUBLISHED = [">", "OK", "+QMTPUBEX: 0,0,0"]

UNDONE = [
    ("F1", PUBLISH, PUBLISHED, [">", "+QMTPUBEX: 0,0,0", "OK"]),
    ("F1", PUBLISH, PUBLISHED, [">", "+QMTPUBEX: 0,0,0"]),
    ("F1", "AT+CMQTTSTART", ["OK", "+CMQTTSTART: 0"], ["+CMQTTSTART: 0", "OK"]),
    ("F2", CONN, ["OK", "+QMTCONN: 0,2"], ["OK", "+QMTCONN: 0,2", "ERROR"]),
    ("F12", CONN, ["OK", "+QMTCONN: 0,0,0"], ["OK", "+QMTCONN: 0,0"]),
    ("F13", PUBLISH, PUBLISHED, [">", "OK", "+QMTPUB: 0,0,0"]),
    ("F13", "AT+CMQTTSUB=0,1,1", [">", "OK", "+CMQTTSUB: 0,0"], [">", "OK", "+CMQTTSUBTOPIC: 0,0"]),
    ("F14", "AT+QMTOPEN=9", ["ERROR"], ["+CME ERROR: 53"]),
    ("F14", "AT+QMTOPEN=9", ["+CME ERROR: 53"], ["ERROR"]),
    ("F14", "AT", ["OK"], ["0"]),
    ("F18", "AT+QMTCLOSE=0", ["OK", "+QMTCLOSE: 0,0"], ["ERROR"]),
    ("F18", "AT+QMTCLOSE=0", ["OK", "+QMTCLOSE: 0,0"], ["OK"]),
    ("F20", "AT+CMQTTSTART", ["OK", "+CMQTTSTART: 0"], ["+CMQTTSTART: 23", "ERROR"]),
    ("F21", "AT+QIACT=1", ["OK"], ["ERROR"]),
    ("kin", "AT+CMQTTDISC?", ["+CMQTTDISC: 0,1", "OK"], ["+CMQTTDISC: 0,1", "+CMQTTDISC: 1,1", "OK"]),
    ("F21", 'AT+QMTCFG="recv/mode",0,0,1', ["OK"], ["ERROR"]),
]


@pytest.mark.parametrize(("rule", "sent", "expected", "got"), UNDONE)
def test_a_departure_is_undone_by_its_own_rule_and_by_no_other(
    rule: str, sent: str, expected: list[str], got: list[str]
) -> None:
    rules = {departure.rule for departure in LINES}
    lines, undone = Tolerance([rule]).undo(sent, expected, got)
    assert lines == expected
    assert [departure.rule for departure in undone] == [rule]
    # A missing OK behind a close is one of F1 in name, and that of F18 alone where no result came either.
    lines, undone = Tolerance(rules - {rule}).undo(sent, expected, got)
    assert lines != expected
    assert Tolerance().undo(sent, expected, got) == (got, [])


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (b"\r\n>\r\n\r\nOK\r\n", "prompt on a line of its own"),
        (b"\r\n>\r\nOK\r\n", "prompt without a blank"),
        (b"\r\n>hello\r\nOK\r\n", "prompt without a blank"),
    ],
)
def test_a_prompt_is_told_from_what_follows_it(written: bytes, words: str) -> None:
    assert [form.words for form in Tolerance(["F8"]).forms(written)] == [words]


def test_every_row_is_proven() -> None:
    undone = {each.words for rule, *row in UNDONE for each in Tolerance([rule]).undo(*row)[1]}
    assert undone == {departure.words for departure in LINES}


def test_several_departures_in_one_exchange() -> None:
    lines, undone = Tolerance(["F1", "F13"]).undo(PUBLISH, PUBLISHED, [">", "+QMTPUB: 0,0,0", "OK"])
    assert lines == PUBLISHED
    assert {departure.rule for departure in undone} == {"F1", "F13"}


@pytest.mark.parametrize(
    ("sent", "expected", "got"),
    [
        (PUBLISH, PUBLISHED, [">", "OK"]),
        (PUBLISH, PUBLISHED, [">", "OK", "+QMTPUBEX: 0,0,1"]),
        (PUBLISH, PUBLISHED, ["ERROR"]),
        (PUBLISH, PUBLISHED, []),
        (CONN, ["OK", "+QMTCONN: 0,0,0"], ["OK", "+QMTCONN: 0,1"]),
        ("AT+QMTOPEN?", ["OK"], []),
        ("AT+QIACT=1", ["OK"], ["ERROR", "ERROR"]),
        ("AT+QMTCLOSE=0", ["OK", "+QMTCLOSE: 0,0"], ["OK", "+QMTCLOSE: 0,-1"]),
    ],
)
def test_what_no_rule_speaks_of_is_tolerated_nowhere(sent: str, expected: list[str], got: list[str]) -> None:
    every = Tolerance(f"F{number}" for number in range(1, 25))
    assert every.undo(sent, expected, got)[0] != expected


def test_answers_after_which_one_asks_again() -> None:
    every = Tolerance(["F17", "F20"])
    assert every.not_yet('AT+QMTOPEN=0,"h",1', ["OK", "+QMTOPEN: 0,2"]) is not None
    assert every.not_yet("AT+CMQTTTOPIC=0,1", ["+CMQTTTOPIC: 0,14", "ERROR"]) is not None
    assert every.not_yet('AT+QMTOPEN=0,"h",1', ["OK", "+QMTOPEN: 0,3"]) is None
    assert Tolerance().not_yet('AT+QMTOPEN=0,"h",1', ["OK", "+QMTOPEN: 0,2"]) is None


@pytest.mark.parametrize(
    ("rule", "written"),
    [
        ("F8", b"\r\n>\r\n"),
        ("F8", b"\r\n>"),
        ("F10", b'\r\n+QMTRECV:0,0,"t","x"\r\n'),
        ("F10", b'\r\n+QMTRECV: 0,0,"t",1\r\nx\r\n'),
        ("F10", b'\r\n+QMTRECV: 0,0,"t",x\r\n'),
        ("F10", b"\r\n+QMTRECV: 0,2\r\n"),
        ("F15", b"\r\n+CMQTTRXSTART: 0,1,1\r\n\r\n+CMQTTRXTOPIC: 0,1\r\n"),
    ],
)
def test_forms_are_noticed_where_they_are_known(rule: str, written: bytes) -> None:
    assert {form.rule for form in Tolerance([rule]).forms(written)} == {rule}
    assert Tolerance(form.rule for form in FORMS if form.rule != rule).forms(written) == []


def test_the_documented_forms_are_no_departure() -> None:
    every = Tolerance(form.rule for form in FORMS)
    for written in (b"\r\n> ", b'\r\n+QMTRECV: 0,0,"t","x"\r\n', b'\r\n+QMTRECV: 0,0,"t",1,"x"\r\n'):
        assert every.forms(written) == []


def test_departures_are_told_with_how_often() -> None:
    assert told(["a (F1)", "b (F8)", "a (F1)"]) == "a (F1) in 2 steps, b (F8) in 1 step"


RIG = """\
[rig]
name = "r"
[[slot]]
name = "quirky"
port = "virtual:sim7028"
quirks = ["prompt_on_own_line"]
[[slot]]
name = "plain"
port = "virtual:sim7028"
"""


def test_a_run_tells_what_departed_from_the_document(pytester: pytest.Pytester) -> None:
    (pytester.path / "rig.toml").write_text(RIG)
    words = ("--pyargs", "modemrig.hil", "--rig", "rig.toml", "-k", "test_example and 4.1", "--junitxml=r.xml")
    result = pytester.runpytest_subprocess(*words, "-o", "junit_family=xunit1")
    result.assert_outcomes(passed=2)
    result.stdout.re_match_lines(
        [r"quirky: departing from the document: prompt on a line of its own \(F8\) in \d+ steps"]
    )
    result.stdout.no_re_match_line(r"plain: departing.*")
    assert 'name="departs" value="prompt on a line of its own (F8)"' in Path(pytester.path / "r.xml").read_text()
