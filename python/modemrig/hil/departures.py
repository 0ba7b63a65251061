"""What modules in the field do beside their documents, where a worked example shows it: when a step that went otherwise is the
printed one all the same, and what that is called. The rules F1 to F24 are those of ``docs/field.md``.

A slot tolerates the rules of its profile and its quirks, and no other: a documented slot tolerates none. A departure is a row
of a table: lines of an exchange (``LINES``), answers after which one asks again (``AGAIN``), forms of the bytes that say the
same (``FORMS``). Not here: the walk itself (``walk``), which quirks there are (``src/virtual_module``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from modemrig.hil.wire import Line, same

NOTED = "departs"
"""The name of a departure among the properties of a test; its value is ``Departure.shown``."""
KIN = "kin"
"""Beside F1 to F24: what a profile has more of than its document, clients above all."""
ERRORS = re.compile(r"ERROR|\+CM[ES] ERROR: .*")
OTHER_NAMES = {"+QMTPUBEX": "+QMTPUB", "+CMQTTSUB": "+CMQTTSUBTOPIC", "+CMQTTUNSUB": "+CMQTTUNSUBTOPIC"}
"""Results, and what some firmware calls them."""
NUMERIC = {"0": "OK", "4": "ERROR"}
"""Result codes with ATV0."""
LEFT_OVER = re.compile(r"\+CMQTTSTART: 23|\+CMQTTACCQ: \d,19|\+CMQTTSTOP: (9|19|21)|\+CMQTTREL: \d,20")
"""What is still so from before, and harmless where one starts afresh or ends."""

Lines = list[str]


@dataclass(frozen=True, slots=True)
class Departure:
    """A way in which a module departs from its document."""

    rule: str
    """``F1``, or ``KIN``"""
    words: str
    """For people: ``result before OK``."""

    @property
    def shown(self) -> str:
        """``result before OK (F1)``"""
        return f"{self.words} ({self.rule})"


@dataclass(frozen=True, slots=True)
class InLines(Departure):
    """A departure in the lines of an exchange."""

    undo: Callable[[str, Lines, Lines], Lines]
    """Of the line sent, the expected lines, and those that came: these as the document prints them, or as they are."""


@dataclass(frozen=True, slots=True)
class AskAgain(Departure):
    """An answer that means: not yet."""

    sent: re.Pattern[str]
    answer: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class InBytes(Departure):
    """A form that is read like the printed one."""

    pattern: re.Pattern[bytes]
    """In what the module wrote during a step."""


# --------------------------------------------------------------------------------------------- undone, one at a time


def _in_figures(_sent: str, expected: Lines, got: Lines) -> Lines:
    return [NUMERIC.get(line, line) if line not in expected else line for line in got]


def _refused_otherwise(_sent: str, expected: Lines, got: Lines) -> Lines:
    """An error by number, by name or bare: it refuses, whichever of them is printed."""
    printed = next((line for line in expected if ERRORS.fullmatch(line)), None)
    return got if printed is None else [printed if ERRORS.fullmatch(line) else line for line in got]


def _under_another_name(_sent: str, expected: Lines, got: Lines) -> Lines:
    names = {OTHER_NAMES[name]: name for line in expected if (name := Line.parse(line).name) in OTHER_NAMES}
    return [line.replace(name, names[name], 1) if (name := Line.parse(line).name) in names else line for line in got]


def _without_return_code(_sent: str, expected: Lines, got: Lines) -> Lines:
    def whole(line: str) -> str:
        short = Line.parse(line)
        if short.name == "+QMTCONN" and len(short.fields) == 2:
            for full in map(Line.parse, expected):
                if full.name == short.name and full.fields[:2] == short.fields and len(full.fields) == 3:
                    return f"{line},{full.fields[2]}"
        return line

    return [whole(line) for line in got]


def _error_too(_sent: str, expected: Lines, got: Lines) -> Lines:
    """A failure printed as ``OK`` and result, that came as result and ``ERROR``."""
    if any(ERRORS.fullmatch(line) for line in expected):
        return got
    rest = [line for line in got if not ERRORS.fullmatch(line)]
    return rest if _has_result(expected, rest) else got


def _without_ok(_sent: str, expected: Lines, got: Lines) -> Lines:
    """Only where a result came: that one completes the request."""
    if "OK" in got or "OK" not in expected or any(map(ERRORS.fullmatch, got)) or not _has_result(expected, got):
        return got
    return _with_ok_where_printed(expected, got)


def _result_first(_sent: str, expected: Lines, got: Lines) -> Lines:
    if "OK" not in got or "OK" not in expected or not _has_result(expected, got):
        return got
    rest = list(got)
    rest.remove("OK")
    return _with_ok_where_printed(expected, rest)


def _freed(sent: str, expected: Lines, got: Lines) -> Lines:
    """The client is gone since it disconnected: closing it says ``ERROR``, or ``OK`` and no result."""
    closes = sent.startswith("AT+QMTCLOSE=") and any(line.startswith("+QMTCLOSE:") for line in expected)
    return expected if closes and (got == ["OK"] or list(map(bool, map(ERRORS.fullmatch, got))) == [True]) else got


def _is_so_already(sent: str, expected: Lines, got: Lines) -> Lines:
    """``AT+QIACT`` of a context that is active."""
    is_error = len(got) == 1 and ERRORS.fullmatch(got[0])
    return expected if sent.startswith("AT+QIACT=") and expected == ["OK"] and is_error else got


def _length_refused(sent: str, expected: Lines, got: Lines) -> Lines:
    """Firmware without the length of messages."""
    is_error = len(got) == 1 and ERRORS.fullmatch(got[0])
    return expected if sent.startswith('AT+QMTCFG="recv/mode",') and expected == ["OK"] and is_error else got


def _left_over(_sent: str, expected: Lines, got: Lines) -> Lines:
    return expected if any(map(LEFT_OVER.fullmatch, got)) and "OK" in expected else got


def _of_one_client(sent: str, expected: Lines, got: Lines) -> Lines:
    """The document's module has one client, this one more: a read form has a line for each."""
    printed = {(line.name, line.fields[0]) for line in map(Line.parse, expected) if line.name and line.fields}
    names = {name for name, _ in printed}

    def is_of_another(text: str) -> bool:
        line = Line.parse(text)
        return bool(line.fields) and line.name in names and (line.name, line.fields[0]) not in printed

    return [line for line in got if not is_of_another(line)] if sent.endswith("?") else got


def _has_result(expected: Lines, got: Lines) -> bool:
    """Whether what is printed behind ``OK`` came."""
    behind = expected[expected.index("OK") + 1 :] if "OK" in expected else []
    return bool(behind) and all(any(same(line, other) for other in got) for line in behind)


def _with_ok_where_printed(expected: Lines, rest: Lines) -> Lines:
    at = expected.index("OK")
    return [*rest[:at], "OK", *rest[at:]]


LENGTH_REFUSED = Departure("F21", "length of messages refused")

LINES = (
    InLines("F14", "results in figures", _in_figures),
    InLines("F14", "errors told otherwise", _refused_otherwise),
    InLines("F13", "result under another name", _under_another_name),
    InLines("F12", "+QMTCONN without return code", _without_return_code),
    InLines("F18", "client freed by DISC", _freed),
    InLines("F20", "left over from before", _left_over),
    InLines("F21", "ERROR for a context that is active", _is_so_already),
    InLines(LENGTH_REFUSED.rule, LENGTH_REFUSED.words, _length_refused),
    InLines("F2", "ERROR beside the result", _error_too),
    InLines("F1", "no OK", _without_ok),
    InLines("F1", "result before OK", _result_first),
    InLines(KIN, "a line for each client", _of_one_client),
)
"""In the order in which they are undone; each is undone only while the lines still differ."""

AGAIN = (
    AskAgain("F17", "client still closing", re.compile(r"AT\+QMTOPEN=.*"), re.compile(r"\+QMTOPEN: ?\d,2")),
    AskAgain("F20", "busy until acknowledged", re.compile(r"AT\+CMQTT.*"), re.compile(r"\+CMQTT\w+: ?\d,14")),
)

FORMS = (
    InBytes("F8", "prompt on a line of its own", re.compile(rb"\r\n> ?\r\n(?=\r\n|\Z)")),
    InBytes("F8", "prompt without a blank", re.compile(rb"\r\n>(?=\Z|[^ \r]|\r\n[^\r])")),
    InBytes("F10", "no blank behind +QMTRECV:", re.compile(rb"\+QMTRECV:(?! )")),
    InBytes("F10", "payload on a line of its own", re.compile(rb'\+QMTRECV: ?\d+,\d+,"[^"]*",\d+\r\n')),
    InBytes("F10", "payload without quotation marks", re.compile(rb'\+QMTRECV: ?\d+,\d+,"[^"]*",(\d+,)?[^"\d\r]')),
    InBytes("F10", "number of the stored message only", re.compile(rb"\+QMTRECV: ?\d+,\d+\r\n")),
    InBytes("F15", "blank lines in a received block", re.compile(rb"\r\n\r\n\+CMQTTRX(TOPIC|PAYLOAD|END)")),
)

MESSAGE_FIRST = Departure("F3", "message before the result")
LATE = Departure("F23", "result later than documented")
STALE = Departure("F5", "OK or result nobody waits for")
STAT = Departure("F6", "+QMTSTAT where none is printed")
PAYLOAD_ECHOED = Departure("F9", "payload echoed")
WITH_LENGTH = Departure("F10", "message with its length")
WITHOUT_LENGTH = Departure("F10", "message without its length")
IN_HEX = Departure("F10", "payload in hexadecimal digits")


class Tolerance:
    """What the module in a slot may do otherwise."""

    def __init__(self, rules: Iterable[str] = ()) -> None:
        self.rules = frozenset(rules)
        """The rules it is known to go by."""

    def __contains__(self, departure: Departure | str) -> bool:
        return (departure if isinstance(departure, str) else departure.rule) in self.rules

    def __bool__(self) -> bool:
        return bool(self.rules)

    def undo(self, sent: str, expected: Lines, got: Lines) -> tuple[Lines, list[Departure]]:
        """The lines that came as the document prints them, as far as the rules go, and what had to be undone for that."""
        undone: list[Departure] = []
        for departure in LINES:
            if departure in self and not alike(expected, got):
                lines = departure.undo(sent, expected, got)
                undone += [departure] * (lines != got)
                got = lines
        return got, undone

    def not_yet(self, sent: str, got: Iterable[str]) -> Departure | None:
        """Why one asks again, where the answer means that."""
        lines = list(got)
        matching = (each for each in AGAIN if each in self and each.sent.fullmatch(sent))
        return next((each for each in matching if any(map(each.answer.fullmatch, lines))), None)

    def forms(self, written: bytes, *, of: Iterable[InBytes] = FORMS) -> list[Departure]:
        """Forms in what the module wrote."""
        return [form for form in of if form in self and form.pattern.search(written)]


def alike(expected: Lines, got: Lines) -> bool:
    """Whether every line came, in this order and no other."""
    return len(expected) == len(got) and all(map(same, expected, got))


def told(departures: Iterable[str]) -> str:
    """How often each was seen, for people: ``result before OK (F1) in 12 steps, payload echoed (F9) in 1 step``."""
    counts = Counter(departures)
    return ", ".join(f"{shown} in {count} {'step' if count == 1 else 'steps'}" for shown, count in counts.most_common())
