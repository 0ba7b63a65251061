"""What happened in a transcript, event by event.

A transcript is JSON Lines: a header object, then ``{"t": seconds, "dir": "tx" or "rx", "data": "bytes as latin-1 text"}``.
Events are dictionaries in the vocabulary of ``modemrig decode --json``.

>>> import modemrig
>>> modemrig.decode_line("ecx00u_egx00u", "+QMTOPEN: 0,0")
{'e': 'open', 'client': 0, 'code': 0}
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from modemrig import _native
from modemrig.errors import Unsupported

__all__ = ["cover", "decode", "decode_line"]


def cover(text: str) -> str:
    """Command lines or answers with each byte of a secret covered by ``*``; for whatever people read or a file keeps."""
    # Bytes of a line that are no UTF-8 are lone surrogates here; people see which bytes they were.
    shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "\n".join(_native.cover(line) for line in shown.split("\n"))


def decode(transcript: str | os.PathLike[str] | Iterable[str]) -> Iterator[dict[str, Any]]:
    """Iterate over the events of a transcript.

    Args:
        transcript: the path of a file, or its lines.

    Raises:
        BadValue: the file is no transcript; names the line.
        OSError: it cannot be read.
    """
    return (json.loads(event) for event in decode_texts(transcript))


def decode_texts(transcript: str | os.PathLike[str] | Iterable[str]) -> Iterator[str]:
    """The same events as JSON text."""
    if isinstance(transcript, (str, os.PathLike)):
        with Path(transcript).open("rb"):
            pass  # so that the error is Python's own, with the file's name
        return _native.Decoder.of_file(os.fspath(transcript))
    return _native.Decoder.of_text("transcript", "\n".join(line.rstrip("\r\n") for line in transcript))


def decode_line(dialect: str, text: str) -> dict[str, Any]:
    """The event that a line of a module amounts to when no command is pending.

    Bytes of the line are written as latin-1 text. A line that says nothing is ``{"e": "ignored"}``.

    Raises:
        Unsupported: there is no such dialect.
    """
    if dialect not in _native.dialects():
        raise Unsupported(f"there is no dialect {dialect!r}", remedy=f"known are {', '.join(_native.dialects())}")
    for event in _native.decode_line(text.encode("latin-1")):
        decoded: dict[str, Any] = json.loads(event)
        return decoded
    return {"e": "ignored"}
