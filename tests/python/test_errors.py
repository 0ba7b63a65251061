"""Errors are sorted by whose fault it is and carry their facts."""

from __future__ import annotations

import pickle

import pytest

import modemrig
from modemrig import errors

CLASSES = [getattr(errors, name) for name in errors.__all__]
FACTS = {
    "awaited": "+QMTOPEN",
    "waited_s": 1.5,
    "code": 4,
    "meaning": "the name could not be resolved",
    "remedy": "check the name",
    "source": "ECx00U 3.3.2",
    "last_lines": ("> AT+QMTOPEN=0", "< OK"),
    "port": "/dev/ttyUSB2",
}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_an_error_survives_pickling_with_its_facts(kind: type[modemrig.ModemrigError]):
    again = pickle.loads(pickle.dumps(kind("it failed", **FACTS)))
    assert type(again) is kind
    assert {name: getattr(again, name) for name in FACTS} == FACTS
    assert str(again) == str(kind("it failed", **FACTS))


def test_the_sentence_holds_what_is_known():
    error = modemrig.OpenFailed("QMTOPEN failed", **FACTS)
    expected = (
        "QMTOPEN failed; awaited +QMTOPEN for 1.500 s; the name could not be resolved; check the name "
        "(ECx00U 3.3.2) [/dev/ttyUSB2]"
    )
    assert str(error) == expected
    assert str(modemrig.OpenFailed("only this")) == "only this"


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (modemrig.BadValue, "caller"),
        (modemrig.CommandRefused, "module"),
        (modemrig.BrokerRefused, "network"),
        (modemrig.PortGone, "link"),
        (modemrig.Bug, "bug"),
    ],
)
def test_the_class_says_whose_fault_it_is(kind: type[modemrig.ModemrigError], fault: str):
    assert kind("x").fault == fault


def test_builtin_siblings_are_caught_too():
    assert issubclass(modemrig.BadValue, ValueError)
    assert issubclass(modemrig.NoAnswer, TimeoutError)


def test_an_error_of_the_core_carries_its_facts():
    with pytest.raises(modemrig.Unsupported, match="there is no dialect") as caught:
        modemrig.catalogue("nix")
    assert caught.value.remedy is not None
    assert "ecx00u_egx00u" in caught.value.remedy


def test_a_missing_port_is_named():
    with pytest.raises(modemrig.PortMissing) as caught:
        modemrig.open("/dev/tty-not-there")
    assert caught.value.port == "/dev/tty-not-there"
    assert caught.value.fault == "link"


def test_a_negative_time_is_a_value_error():
    with pytest.raises(ValueError, match="timeout_s"):
        modemrig.identify("/dev/tty-not-there", timeout_s=-1)
