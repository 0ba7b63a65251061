"""Facts about codes: each code of each table comes when its cause is there, by every way that a rig can go.

Codes, meanings and causes are the catalogue's (``causes.toml``); the ways are in ``codes_qmt`` and ``codes_cmqtt``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from modemrig.conformance.document import CLIENT_PARAMS, Document
from modemrig.conformance.facts import Fact, Unchecked, fact_id
from modemrig.conformance.kinds import codes_cmqtt, codes_qmt
from modemrig.conformance.kinds.codes_scene import Scene
from modemrig.conformance.kinds.kind import Breakage, Kind
from modemrig.conformance.probe import Probe

WAYS = {**codes_qmt.WAYS, **codes_cmqtt.WAYS}
MARK = {"qmt": "codes", "cmqtt": ",67"}
"""What only command lines of these ways have; a broken module knows them by it."""
EVERYWHERE, NOWHERE = "", "nowhere"
MARKS = {
    **dict.fromkeys(
        (
            *("open_given_up", "open_unanswered", "open_without_certificate", "open_without_tls", "open_without_pdp"),
            *("open_refused", "open_without_network", "disc_unsent", "stat_disconnect"),
        ),
        EVERYWHERE,
    ),
    **dict.fromkeys(("open_done", "open_twice", "open_connected", "close_done", "disc_done"), NOWHERE),
    **dict.fromkeys(("sim_start", "sim_connected_release", "sim_unacquired", "sim_unreleased"), NOWHERE),
    "sim_used": "codes",
    "cme_network": "CGATT=1",
    "cme_unknown": "CODES",
}
"""Ways whose last line has nothing of its own: nobody else sees the code, or others do and it is left alone."""


@dataclass(frozen=True, slots=True)
class Row:
    """A code, with where it stands."""

    table: str
    code: str
    meaning: str
    section: str

    @property
    def subject(self) -> str:
        """``AT+QMTOPEN``, ``+QMTSTAT``; the name of a table that belongs to no command."""
        name, param = self.table.split(" ", 1)
        return name if name.startswith(("AT", "+")) else f"+{name}" if param in ("err_code", "cause") else self.table

    @property
    def words(self) -> tuple[str, str]:
        """Where it stands, for ids: ``QMTOPEN``, ``result``."""
        name, param = self.table.split(" ", 1)
        return name.removeprefix("AT").removeprefix("+"), param


def rows(document: Document) -> Iterator[Row]:
    """Every code of a document."""
    for each in (*document.codes, *(code for command in document.commands for code in command.codes)):
        yield Row(each.table, each.code, each.meaning, each.section)
    for urc in document.urcs:
        for param in urc.params.values():
            for code, meaning in param.values.items():
                if (f"{urc.name} {param.name}", code) in document.ways:
                    yield Row(f"{urc.name} {param.name}", code, meaning, urc.section)


def foreign_tables(document: Document) -> dict[str, tuple[Row, str]]:
    """Tables that are copied from another document and of which nothing here says a word: the first row and the reason."""
    found: dict[str, tuple[Row, str]] = {}
    for table in {row.table for row in rows(document)}:
        of_table = [row for row in rows(document) if row.table == table]
        reasons = {document.unreachable.get((row.table, row.code)) for row in of_table}
        if len(of_table) > 1 and len(reasons) == 1 and (why := reasons.pop()) is not None:
            found[table] = of_table[0], why
    return found


def pattern(document: Document, row: Row) -> str:
    """A regular expression for the lines that carry a code."""
    name, param = row.table.split(" ", 1)
    if name == "CME":
        return rf"\+CME ERROR: ?{row.code}"
    lines = (_line(line.removeprefix("AT"), shape, param, row.code) for line, shape in carriers(document, row))
    return "|".join(dict.fromkeys(lines))


def carriers(document: Document, row: Row) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The results and URCs that carry codes of a table: names and shapes."""
    name, param = row.table.split(" ", 1)
    for command in document.commands:
        if name in (command.name, "CMQTT"):
            yield from ((command.name, shape) for shape in (*command.result, *command.refusal) if param in shape)
    for urc in document.urcs:
        if urc.name.removeprefix("+") == name.removeprefix("+"):
            yield from ((urc.name, shape) for shape in urc.shapes if param in shape)


def _line(name: str, shape: tuple[str, ...], param: str, code: str) -> str:
    known = {**dict.fromkeys(CLIENT_PARAMS, "0"), param: code}
    more = "(,.*)?" if shape[-1] == param else ""  # a value may follow, which is another fact
    return rf"{re.escape(name)}: ?" + ", ?".join(known.get(field, "[^,]*") for field in shape) + more


class Codes(Kind):
    """Every code, by its cause."""

    name = "code"
    title = "Each result code and error code comes when its cause is there."

    def facts(self, document: Document) -> Iterator[Fact]:
        foreign = foreign_tables(document)
        for table, (row, why) in foreign.items():
            number, statement = fact_id(document.id, row.section, *row.words), f"{table} has numbers of its own"
            yield Fact(number, self.name, row.subject, statement, unchecked=Unchecked("elsewhere", why))
        for row in rows(document):
            if row.table in foreign:
                continue
            where = (document.id, row.section, *row.words, row.code)
            quoted = f"{' '.join(row.words)} {row.code} says that {row.meaning}"
            ways = [
                name
                for name in document.ways.get((row.table, row.code), ())
                if name in WAYS and WAYS[name].only(document)
            ]
            reason = document.unreachable.get((row.table, row.code))
            if reason is not None or not ways:
                unchecked = Unchecked("unreachable", reason or "no rig leads there, only a simulation does")
                yield Fact(fact_id(*where), self.name, row.subject, quoted, unchecked=unchecked)
            for name in ways:
                way = WAYS[name]
                yield Fact(
                    fact_id(*where, name.partition("_")[2].replace("_", "-")),
                    self.name,
                    row.subject,
                    f"{quoted}: {way.said}",
                    way.basis,
                    needs=way.needs,
                    about={"way": name, "pattern": pattern(document, row), "row": row},
                )

    def check(self, probe: Probe, fact: Fact) -> None:
        way = WAYS[fact.about["way"]]
        probe.reach("idle")
        with contextlib.ExitStack() as owned:
            scene = Scene(probe, owned)
            way.script(scene)
            probe.await_line(fact.about["pattern"], scene.soon_s + probe.seconds(way.timer_s), scene.since)

    def breakages(self, document: Document) -> Iterator[Breakage]:
        facts = [fact for fact in self.facts(document) if fact.unchecked is None]
        broken = {fact.id: fact.about for fact in facts if _mark(document, fact) != NOWHERE}
        rewords = {
            (text, _mark(document, fact))
            for fact in facts
            if fact.id in broken
            for text in _texts(document, fact.about["row"])
        }
        # The longest first: a short one is the beginning of a long one.
        faults = tuple(
            f"reworded:from='{text}',to='{text}9'" + (f",line='{mark}'" if mark else "")
            for text, mark in sorted(rewords, key=lambda each: (-len(each[0]), each))
        )
        yield Breakage("every code is another", frozenset(broken), faults=faults)


def _mark(document: Document, fact: Fact) -> str:
    return MARKS.get(fact.about["way"], MARK[document.family])


def _texts(document: Document, row: Row) -> Iterator[str]:
    """How the lines begin that carry a code, as a virtual module writes them."""
    name, param = row.table.split(" ", 1)
    if name == "CME":
        yield f"+CME ERROR: {row.code}"
    elif name == "CMQTT":
        yield f": 0,{row.code}"
    else:
        for line, shape in carriers(document, row):
            for message in ("0", "1") if "msgid" in shape else ("0",):
                values = {**dict.fromkeys(CLIENT_PARAMS, "0"), "msgid": message, "result": "0", param: row.code}
                fields = shape[: shape.index(param) + 1]
                yield f"{line.removeprefix('AT')}: " + ",".join(values[field] for field in fields)
