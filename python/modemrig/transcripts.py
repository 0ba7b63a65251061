"""What happened in a transcript, event by event.

A transcript is JSON Lines: a header object, then ``{"t": seconds, "dir": "tx" or "rx", "data": "bytes as latin-1 text"}``.
Events are dictionaries in the vocabulary of ``modemrig decode --json``: ``{"e": "open", "client": 0, "code": 0}``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from modemrig import _native

__all__ = ["decode", "decode_line"]


def decode(transcript: str | os.PathLike[str] | Iterable[str]) -> Iterator[dict[str, Any]]:
    """Iterate over the events of a transcript.

    Args:
        transcript: the path of a file, or its lines.

    Raises:
        BadValue: the file is no transcript; names the line.
        OSError: it cannot be read.
    """
    if isinstance(transcript, (str, os.PathLike)):
        text = Path(transcript).read_text(encoding="utf-8")
    else:
        text = "\n".join(line.rstrip("\r\n") for line in transcript)
    return (json.loads(event) for event in _native.decode(text))


def decode_line(dialect: str, text: str) -> dict[str, Any]:
    """The event that a single line of a module amounts to: ``decode_line("sim7028", "+CMQTTSTART: 0")``.

    Raises:
        Unsupported: there is no such dialect.
    """
    event: dict[str, Any] = json.loads(_native.decode_line(dialect, text))
    return event
