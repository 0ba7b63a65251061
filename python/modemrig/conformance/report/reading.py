"""From JSON to classes: a reader for a type, made of the type itself. Knows no class of a results file (``results``)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from modemrig.errors import CallerError

__all__ = ["Reader", "ResultsError", "reader"]


class ResultsError(CallerError):
    """A file holds no results that can be read; the message names the file and the key."""


Reader = Callable[[Any, str], Any]
"""Takes a value of the JSON and where it stands in the file (``results[3].slot``, for the message)."""

_PLAIN: dict[Any, tuple[tuple[type, ...], str]] = {
    str: ((str,), "a text"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
}


def reader(wanted: Any) -> Reader:
    """Make the reader of a type: a dataclass, a named tuple, or what their fields are made of.

    A reader raises :class:`ResultsError` for a key that is missing or of another type, and passes over keys it does not know.
    """
    if wanted is Any:
        return lambda value, _at: value
    if wanted in _PLAIN:
        return _plain(*_PLAIN[wanted])
    if get_origin(wanted) is Literal:
        return _literal(get_args(wanted))
    if get_origin(wanted) is UnionType:
        (inner,) = (part for part in get_args(wanted) if part is not NoneType)
        read = reader(inner)
        return lambda value, at: None if value is None else read(value, at)
    if get_origin(wanted) is tuple:
        return _list(reader(get_args(wanted)[0]))
    if get_origin(wanted) is Mapping:
        return _mapping(reader(get_args(wanted)[1]))
    hints = get_type_hints(wanted)
    if is_dataclass(wanted):
        return _object(wanted, {each.name: reader(hints[each.name]) for each in fields(wanted)})
    return _row(wanted, [reader(hint) for hint in hints.values()])


def _plain(types: tuple[type, ...], called: str) -> Reader:
    def read(value: Any, at: str) -> Any:
        if not isinstance(value, types) or isinstance(value, bool):
            raise _wrong(at, called, value)
        return value

    return read


def _literal(words: tuple[Any, ...]) -> Reader:
    def read(value: Any, at: str) -> Any:
        if value not in words:
            raise _wrong(at, f"one of {', '.join(map(repr, words))}", value)
        return value

    return read


def _list(item: Reader) -> Reader:
    def read(value: Any, at: str) -> Any:
        if not isinstance(value, (list, tuple)):
            raise _wrong(at, "a list", value)
        return tuple([item(each, f"{at}[{number}]") for number, each in enumerate(value)])

    return read


def _mapping(item: Reader) -> Reader:
    def read(value: Any, at: str) -> Any:
        if not isinstance(value, Mapping):
            raise _wrong(at, "an object", value)
        return {key: item(each, f"{at}[{key!r}]") for key, each in value.items()}

    return read


def _object(made: Any, keys: dict[str, Reader]) -> Reader:
    def read(value: Any, at: str) -> Any:
        if not isinstance(value, Mapping):
            raise _wrong(at, "an object", value)
        prefix = f"{at}." if at else ""
        for key in keys:
            if key not in value:
                raise ResultsError(f"key '{prefix}{key}' is missing")
        return made(**{key: each(value[key], prefix + key) for key, each in keys.items()})

    return read


def _row(made: Any, cells: list[Reader]) -> Reader:
    def read(value: Any, at: str) -> Any:
        if not isinstance(value, (list, tuple)) or len(value) != len(cells):
            raise _wrong(at, f"a row of {len(cells)}", value)
        return made(
            *[cell(each, f"{at}[{number}]") for number, (cell, each) in enumerate(zip(cells, value, strict=True))]
        )

    return read


def _wrong(at: str, called: str, value: Any) -> ResultsError:
    shown = json.dumps(value, default=repr)
    return ResultsError(f"key '{at}' must be {called}, not {shown if len(shown) <= 60 else shown[:57] + '...'}")
