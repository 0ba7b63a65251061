"""The catalogue of one document with names and types, for the kinds that make facts of it. No behaviour but look-ups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from modemrig.conformance.verdict import Basis
from modemrig.reference import catalogue

CLIENT_PARAMS = ("client_idx", "tcp_connectid", "client_index", "session_id", "index")
"""What the documents call the number of a client."""


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a command or a URC."""

    name: str
    type: Literal["int", "string"]
    title: str
    min: int | None
    max: int | None
    values: Mapping[str, str]
    """Enumerated values and what they mean."""
    default: str | None
    """After power-up, as written on the wire without quotation marks."""
    default_basis: Basis
    unit: str | None
    min_len: int | None
    max_len: int | None
    is_secret: bool
    is_bare: bool
    """Text that is written without quotation marks."""

    def wire(self, value: int | str) -> str:
        """A value as it stands in a command line."""
        return f'"{value}"' if self.type == "string" and not self.is_bare else str(value)

    def allows(self, value: int) -> bool:
        """Whether the document gives this number a meaning."""
        if str(value) in self.values:
            return True
        if self.min is None and self.max is None:
            return not self.values
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of writing a command."""

    key: str
    """``version`` of ``AT+QMTCFG="version",…``; where none is written, the name of the way."""
    is_keyed: bool
    """Whether the key is written."""
    title: str
    params: tuple[str, ...]
    required: int
    counts: tuple[int, ...]
    """How many parameters there may be, the key not counted."""
    repeat: tuple[str, ...]
    """The trailing group that may be repeated."""
    query: tuple[str, ...] | None
    """What the query answers behind the key."""
    counts_when: Mapping[str, tuple[int, ...]]
    forbid: tuple[tuple[str, ...], ...]
    payload_length: str | None
    """The parameter that announces how much is typed."""
    ends_with_ctrl_z: bool
    section: str
    basis: Basis


@dataclass(frozen=True, slots=True)
class Code:
    """A code and what it means."""

    table: str
    """``AT+QMTOPEN result``, ``+QMTPING result`` or the name of a table of codes, as in ``causes.toml``."""
    code: str
    """A number, or a range of reserved ones: ``9-255``."""
    meaning: str
    section: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command."""

    name: str
    """``AT+QMTCFG``"""
    title: str
    forms: tuple[str, ...]
    """Of ``test``, ``read``, ``write``, ``execute``."""
    max_response: Mapping[str, Any] | None
    """``ms``, or ``formula`` (in seconds, of settings) with ``default_ms``."""
    has_prompt: bool
    section: str
    basis: Basis
    also: tuple[str, ...]
    test_reply: tuple[str, ...]
    read_reply: tuple[tuple[str, ...], ...]
    reply: tuple[tuple[str, ...], ...]
    result: tuple[tuple[str, ...], ...]
    refusal: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    variants: tuple[Variant, ...]
    params: Mapping[str, Param]
    codes: tuple[Code, ...]

    @property
    def short(self) -> str:
        """``QMTCFG``"""
        return self.name.removeprefix("AT+")

    def variant(self, key: str) -> Variant | None:
        """The way with this key."""
        return next((variant for variant in self.variants if variant.key == key), None)


@dataclass(frozen=True, slots=True)
class Urc:
    """An unsolicited result code."""

    name: str
    """``+QMTSTAT``"""
    title: str
    shapes: tuple[tuple[str, ...], ...]
    section: str
    params: Mapping[str, Param]


@dataclass(frozen=True, slots=True)
class Document:
    """A document, whole."""

    id: str
    title: str
    version: str
    date: str
    family: Literal["qmt", "cmqtt"]
    clients: int
    limits: Mapping[str, int]
    commands: tuple[Command, ...]
    urcs: tuple[Urc, ...]
    codes: tuple[Code, ...]
    """Tables of codes that belong to no single command."""
    unreachable: Mapping[tuple[str, str], str]
    """Table and code of what nothing leads to, with the reason."""
    ways: Mapping[tuple[str, str], tuple[str, ...]]
    """Table and code of what a cause leads to, with the ways there."""
    examples: tuple[Mapping[str, Any], ...]

    @property
    def is_qmt(self) -> bool:
        """Whether the module speaks ``AT+QMT…``; else ``AT+CMQTT…``."""
        return self.family == "qmt"

    def command(self, name: str) -> Command | None:
        """``AT+QMTCFG`` or ``QMTCFG``."""
        return next((command for command in self.commands if name in (command.name, command.short)), None)

    def setting(self, key: str) -> Variant | None:
        """The way of ``AT+QMTCFG`` with this key."""
        command = self.command("AT+QMTCFG")
        return None if command is None else command.variant(key)


@cache
def load(dialect: str) -> Document:
    """Read a document.

    Raises:
        Unsupported: there is no such dialect.
    """
    source = catalogue(dialect)
    about = source["document"]
    return Document(
        id=dialect,
        title=about["title"],
        version=about.get("version", ""),
        date=about.get("date", ""),
        family=source["family"],
        clients=source["clients"],
        limits=source["limits"],
        commands=tuple(_command(row) for row in source["commands"]),
        urcs=tuple(
            Urc(row["name"], row["title"], _shapes(row["shapes"]), row["source"], _params(row))
            for row in source["urcs"]
        ),
        codes=tuple(
            Code(row["table"], str(row["code"]), row["meaning"], _section_of(row["table"], source))
            for row in source["error_codes"]
        ),
        unreachable={
            (row["table"], str(row["code"])): row["unreachable"]
            for row in source["virtual_codes"]
            if "unreachable" in row
        },
        ways={(row["table"], str(row["code"])): tuple(row["ways"]) for row in source["virtual_codes"] if "ways" in row},
        examples=tuple(source["examples"]),
    )


def _section_of(table: str, source: Mapping[str, Any]) -> str:
    """Tables of codes stand where the URC does that carries them; the others behind the commands."""
    urc = next((row for row in source["urcs"] if table.startswith(row["name"].removeprefix("+"))), None)
    return str(urc["source"]) if urc else "codes"


def _command(row: Mapping[str, Any]) -> Command:
    basis: Basis = row["basis"]
    return Command(
        name=row["name"],
        title=row["title"],
        forms=tuple(row["forms"]),
        max_response=row["max_response"],
        has_prompt=row["prompt"],
        section=row["source"],
        basis=basis,
        also=tuple(row.get("also", ())),
        test_reply=tuple(row.get("test_reply", ())),
        read_reply=_shapes(row.get("read_reply", ())),
        reply=_shapes(row.get("reply", ())),
        result=_shapes(row.get("result_shapes", ())),
        refusal=_shapes(row.get("refusal_shapes", ())),
        notes=tuple(row.get("notes", ())),
        variants=tuple(_variant(each, row["source"], basis) for each in row["variants"]),
        params=_params(row),
        codes=tuple(
            Code(f"{row['name']} {each['param']}", str(each["code"]), each["meaning"], row["source"])
            for each in row["results"]
        ),
    )


def _variant(row: Mapping[str, Any], section: str, basis: Basis) -> Variant:
    return Variant(
        key=row["key"],
        is_keyed=row.get("keyed", True),
        title=row.get("title", ""),
        params=tuple(row["params"]),
        required=row["required"],
        counts=tuple(row["counts"]),
        repeat=tuple(row.get("repeat", ())),
        query=None if row.get("query") is None else tuple(row["query"]),
        counts_when={key: tuple(counts) for key, counts in row.get("counts_when", {}).items()},
        forbid=_shapes(row.get("forbid", ())),
        payload_length=row.get("payload_length"),
        ends_with_ctrl_z=row.get("payload_until_ctrl_z", False),
        section=row.get("source", section),
        basis=row.get("basis", basis),
    )


def _params(row: Mapping[str, Any]) -> dict[str, Param]:
    return {each["name"]: _param(each) for each in row.get("params", ())}


def _param(row: Mapping[str, Any]) -> Param:
    source = row.get("default_source", "documented")
    basis: Basis = source if source in ("inherited", "decided") else "documented"
    default = row.get("default")
    return Param(
        name=row["name"],
        type=row["type"],
        title=row.get("title", ""),
        min=row.get("min"),
        max=row.get("max"),
        values=row.get("values", {}),
        default=None if default is None else str(default),
        default_basis=basis,
        unit=row.get("unit"),
        min_len=row.get("min_len"),
        max_len=row.get("max_len"),
        is_secret=row.get("secret", False),
        is_bare=row.get("bare", False),
    )


def _shapes(rows: Any) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(row) for row in rows)
