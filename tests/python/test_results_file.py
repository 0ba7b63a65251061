"""Results files: the schema for others, the classes for ourselves, and what is said of a file that is none."""

from __future__ import annotations

import copy
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from made_results import made_results
from modemrig.conformance.report import ResultsError, load_results, read_results, results

SCHEMA: dict[str, Any] = json.loads(Path(results.__file__).with_name("results.schema.json").read_bytes())
SMALL = made_results(facts=60)


def changed(path: str, value: Any) -> dict[str, Any]:
    """The small run with one value replaced, or removed if it is ``...``; ``results.0.verdict`` is a path."""
    made = copy.deepcopy(SMALL)
    *way, last = [int(word) if word.isdecimal() else word for word in path.split(".")]
    place: Any = made
    for word in way:
        place = place[word]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return made


def where(**wanted: Any) -> int:
    """The number of a result, by what it is."""
    return next(n for n, row in enumerate(SMALL["results"]) if all(row[key] == value for key, value in wanted.items()))


def test_the_schema_is_one_and_a_run_fits_it():
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(made_results(facts=500, attempts=2))


@pytest.mark.parametrize("name", ["document", "slot", "fact", "unchecked", "result", "exchange"])
def test_schema_and_classes_have_the_same_keys(name: str):
    made = getattr(results, name.capitalize())
    shape = SCHEMA["$defs"].get(name) or SCHEMA["$defs"]["fact"]["properties"]["unchecked"]["anyOf"][1]
    assert [field.name for field in fields(made)] == shape["required"] == list(shape["properties"])
    assert {field.name for field in fields(results.Results)} == set(SCHEMA["required"]) == set(SCHEMA["properties"])


def test_what_is_read_is_what_was_written():
    read = read_results(SMALL)
    raw = SMALL["results"][7]
    row = read.results[7]
    assert (row.fact, row.slot, row.verdict) == (raw["fact"], raw["slot"], raw["verdict"])
    assert [list(line) for line in row.transcript] == raw["transcript"]
    assert [exchange.response_s for exchange in row.exchanges] == [each["response_s"] for each in raw["exchanges"]]
    assert read.fact[row.fact].statement == next(f["statement"] for f in SMALL["facts"] if f["id"] == row.fact)
    assert read.documents["sim7028"].version == "1.03"


def test_keys_of_a_later_modemrig_are_passed_over():
    made = changed("results.0.mood", "bright")
    Draft202012Validator(SCHEMA).validate(made)
    assert read_results(made) == read_results(SMALL)


BROKEN = [
    ("rig", ..., "key 'rig' is missing"),
    (
        "facts.3.basis",
        "guessed",
        "key 'facts[3].basis' must be one of 'documented', 'inherited', 'decided', not \"guessed\"",
    ),
    ("slots.0.imei", 86, "key 'slots[0].imei' must be a text, not 86"),
    ("results.2.transcript.0.1", "up", "key 'results[2].transcript[0][1]' must be one of 'tx', 'rx', not \"up\""),
    ("results.2.transcript.0", [1.0, "tx"], "key 'results[2].transcript[0]' must be a row of 3, not [1.0, \"tx\"]"),
    ("results.2.exchanges.0.response_s", True, "key 'results[2].exchanges[0].response_s' must be a number, not true"),
    ("results.2.attempt", 1.5, "key 'results[2].attempt' must be a whole number, not 1.5"),
    ("documents.sim7028.title", ..., "key 'documents['sim7028'].title' is missing"),
    ("results", {}, "key 'results' must be a list, not {}"),
    ("kinds", [], "key 'kinds' must be an object, not []"),
]


@pytest.mark.parametrize(("path", "value", "message"), BROKEN)
def test_a_broken_key_is_named_and_the_schema_refuses_it_too(path: str, value: Any, message: str):
    made = changed(path, value)
    with pytest.raises(ResultsError) as caught:
        read_results(made)
    assert caught.value.message == message
    assert not Draft202012Validator(SCHEMA).is_valid(made)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("results.0.fact", "nowhere/1/x", "key 'results[0].fact' is 'nowhere/1/x', which is not in 'facts'"),
        ("results.0.slot", "slot-99", "key 'results[0].slot' is 'slot-99', which is not in 'slots'"),
        ("facts.0.kind", "mood", "key 'facts[0].kind' is 'mood', which is not in 'kinds'"),
        ("facts.0.document", "diary", "key 'facts[0].document' is 'diary', which is not in 'documents'"),
        ("slots.1.name", SMALL["slots"][0]["name"], "key 'slots[1].name': 'lte_standard_a' stands twice"),
        ("facts.1.id", SMALL["facts"][0]["id"], f"key 'facts[1].id': {SMALL['facts'][0]['id']!r} stands twice"),
    ],
)
def test_what_does_not_fit_together_is_named(path: str, value: Any, message: str):
    with pytest.raises(ResultsError) as caught:
        read_results(changed(path, value))
    assert caught.value.message == message


def test_nothing_decided_is_held_against_a_module():
    number = where(verdict="as_expected")
    with pytest.raises(ResultsError, match=r"verdict' is 'differs', but the basis of '.*' is '(decided|inherited)'"):
        read_results(changed(f"results.{number}.verdict", "differs"))


def test_a_result_stands_once_and_only_for_a_fact_that_is_checked():
    with pytest.raises(ResultsError, match="stands twice"):
        read_results({**SMALL, "results": [*SMALL["results"], SMALL["results"][0]]})
    fact = next(n for n, fact in enumerate(SMALL["facts"]) if fact["id"] == SMALL["results"][0]["fact"])
    with pytest.raises(ResultsError, match=r"key 'results\[0\]\.fact': '.*' is an unchecked fact"):
        read_results(changed(f"facts.{fact}.unchecked", {"reason": "advice", "why": "It is advice."}))


def test_a_newer_version_says_so_before_any_key():
    with pytest.raises(ResultsError) as caught:
        read_results({"format": "modemrig-conformance", "version": 2, "modemrig": "9.1.0"})
    assert str(caught.value) == (
        "written in version 2 of the format by modemrig 9.1.0; this one reads 1; read it with that modemrig or a later one"
    )


@pytest.mark.parametrize("version", ["1", 0, None, True, 1.0])
def test_a_version_is_a_number_from_1(version: Any):
    with pytest.raises(ResultsError, match="key 'version' is "):
        read_results({**SMALL, "version": version})


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"\xff\xfe", b"[]", b"{}", b'{"format": "other"}', b"3", b"NaN", b"[" * 99_999]
)
def test_a_file_of_something_else_is_no_results_file(tmp_path: Path, content: bytes):
    file = tmp_path / "x.json"
    file.write_bytes(content)
    with pytest.raises(ResultsError, match=r"x\.json: not a results file") as caught:
        load_results(file)
    assert caught.value.remedy == "write one with 'modemrig conformance --report DIR'"


def test_the_folder_of_a_report_is_as_good_as_its_file(tmp_path: Path):
    (tmp_path / "results.json").write_text(json.dumps(SMALL), encoding="utf-8")
    assert load_results(tmp_path) == load_results(tmp_path / "results.json") == read_results(SMALL)
    with pytest.raises(FileNotFoundError):
        load_results(tmp_path / "elsewhere.json")
