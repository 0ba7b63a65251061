"""What a module answered to one line, and what a check makes of it: as it should be, different, or not to be judged.

Values and the two ways to end a check; nothing is asked here. ``probe`` makes answers, kinds and ``judge`` look at them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ERRORS = re.compile(r"ERROR|\+CM[ES] ERROR: .*")
"""Final result codes that refuse a command."""


class Differs(Exception):
    """The module is not as the fact says."""

    def __init__(self, expected: str, observed: str) -> None:
        super().__init__(f"expected {expected!r}, observed {observed!r}")
        self.expected = expected
        self.observed = observed


class Blocked(Exception):
    """The module could not be brought to where the fact shows; in words."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a module answered to one line."""

    sent: str
    """Secrets covered."""
    typed: bytes | None
    """What was typed at the prompt."""
    lines: tuple[str, ...]
    """Every line of the exchange in wire order: ``>`` for a prompt, information, final result, late result."""
    response_s: float
    """From the first byte written to the line that completed the command."""
    max_response_s: float | None
    """The documented maximum, where there is one and the request was acknowledged (decision 28)."""
    was_given_up: bool
    """Whether nothing, or not all, came within the documented maximum and a margin."""

    @property
    def final(self) -> str:
        """``OK``, ``ERROR``, ``+CME ERROR: 50``; empty where none came."""
        return next((line for line in self.lines if line == "OK" or ERRORS.fullmatch(line)), "")

    @property
    def is_refused(self) -> bool:
        """Whether the final result code refuses the command."""
        return ERRORS.fullmatch(self.final) is not None

    @property
    def late(self) -> str:
        """The late result, the line behind (or before) ``OK``; empty where none came."""
        return next((line for line in reversed(self.lines) if line.startswith("+") and not ERRORS.fullmatch(line)), "")

    def shown(self) -> str:
        """Its lines, for people."""
        text = "\n".join(self.lines)
        return f"{text}\n(no more within {self.response_s:.1f} s)".lstrip() if self.was_given_up else text


MOST_SAID = 3
"""So many of the lines that would do are named."""
_PLAIN = (
    (r"\[1-9\]\\d\*|\\d\+", "<number>"),
    (r"\(,\.\*\)\?", ""),
    (r"\[\^,\]\*|\.\*", "…"),
    (r" \?", " "),
    (r"\\(.)", r"\1"),
)


def plainly(pattern: str) -> str:
    """What a pattern of lines says, for people: ``+QMTOPEN: 0,4``, ``+QMTRECV: 0,<number>,"t",…``."""
    lines = []
    for line in pattern.split("|"):
        for found, said in _PLAIN:
            line = re.sub(found, said, line)
        lines.append(re.sub(r", +", ",", line))
    more = " or its like" if len(lines) > MOST_SAID else ""
    return " or ".join(lines[:MOST_SAID]) + more
