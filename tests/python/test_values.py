"""Result types: frozen, comparable, picklable, one line each."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

import modemrig
from modemrig.events import _ReplyFacts

LATE = ("open", "QMTOPEN", 0, None, 0, (), 0.25)
REPLY = modemrig.Reply(
    _ReplyFacts("AT+QMTOPEN=0", (), "OK", LATE, ("OK", "+QMTOPEN: 0,0"), 0.3, 0.25, 120.0, None)  # type: ignore[arg-type]
)
VALUES = [
    modemrig.Message(0, "a/b", b"\x00\xff", 7, 1.5, "quotes"),
    modemrig.Identity("Quectel", "EC200U", "R01", "860000000000000", "ecx00u_egx00u"),
    modemrig.LateResult(*LATE),
    modemrig.Event("lost", {"client": 0, "code": 1}, 2.5),
    modemrig.LostConnection(0, "+QMTSTAT", 1, "closed by the peer", "open again", 2.5),
    modemrig.TranscriptEntry(0.1, "tx", b"AT\r"),
    modemrig.Statistics(commands=3),
    modemrig.FileEntry("ca.pem", 1200),
    modemrig.AttachStep("sim", "READY", 0.2),
    modemrig.PortInfo("/dev/ttyUSB2", "Quectel", "2c7c:0901", None, (), None),
    modemrig.PortReport("/dev/ttyUSB2", "silent", None, None),
    modemrig.Will("a/gone", b"bye", qos=1),
    modemrig.Tls(ca="PEM"),
    REPLY,
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
class TestValue:
    def test_survives_pickling_and_copying(self, value: object):
        assert pickle.loads(pickle.dumps(value)) == value
        assert copy.deepcopy(value) == value

    def test_shows_itself_in_one_line(self, value: object):
        assert repr(value).startswith(type(value).__name__ + "(")
        assert "\n" not in repr(value)

    def test_is_hashable_and_equals_only_its_like(self, value: object):
        assert hash(value) == hash(pickle.loads(pickle.dumps(value)))
        assert value != object()

    def test_is_frozen(self, value: object):
        name = next(name for name in dir(value) if not name.startswith("_") and not callable(getattr(value, name)))
        with pytest.raises((dataclasses.FrozenInstanceError, AttributeError)):
            setattr(value, name, None)


def test_messages_differ_by_payload():
    assert modemrig.Message(0, "t", b"a") != modemrig.Message(0, "t", b"b")


def test_a_long_payload_is_cut_in_the_repr():
    shown = repr(modemrig.Message(0, "t", b"x" * 5000))
    assert "5000 bytes" in shown
    assert len(shown) < 120


def test_a_message_can_be_matched():
    match modemrig.Message(2, "a", b"b"):
        case modemrig.Message(2, topic, payload):
            assert (topic, payload) == ("a", b"b")
        case _:
            raise AssertionError


def test_an_unknown_delimiter_is_refused():
    with pytest.raises(ValueError, match="delimiter"):
        modemrig.Message(0, "t", b"", delimiter="guess")


def test_a_key_is_not_shown():
    assert "SECRET" not in repr(modemrig.Tls(client_key="SECRET"))


def test_a_reply_without_an_error_returns_itself():
    assert REPLY.raise_for_status() is REPLY
    assert REPLY.result == modemrig.LateResult(*LATE)
