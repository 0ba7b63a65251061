"""How far a run is: on a terminal a line for each slot that moves, elsewhere a line for every tenth."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from modemrig.conformance.facts import Fact
from modemrig.conformance.verdict import BAD, Verdict

REDRAWN_EVERY_S = 0.1
BAR = 20
"""Characters of a bar."""


@dataclass(slots=True)
class _Slot:
    total: int = 0
    done: int = 0
    bad: int = 0
    at: str = ""


class Progress:
    """Shows how far each slot is."""

    def __init__(self, reporter: Any, slots: list[str], is_verbose: bool) -> None:
        """Show nothing where pytest prints a line for each fact anyway."""
        self._reporter = reporter
        self._slots = {name: _Slot() for name in slots}
        self._is_silent = is_verbose
        self._is_live = bool(reporter.isatty) and len(slots) < _height()
        self._drawn = 0
        self._drawn_at = 0.0
        self._tenths = 0
        self._begun = time.monotonic()

    def expect(self, slot: str) -> None:
        """Another fact will be checked there."""
        self._slots[slot].total += 1

    def add(self, slot: str, fact: Fact, verdict: Verdict) -> None:
        """A fact was checked."""
        seen = self._slots[slot]
        seen.done += 1
        seen.bad += verdict in BAD
        seen.at = f"{fact.section} {fact.subject}"
        if self._is_silent:
            return
        if self._is_live:
            if time.monotonic() - self._drawn_at >= REDRAWN_EVERY_S:
                self._draw()
        else:
            self._tell_tenth()

    def close(self) -> None:
        """The run is over."""
        if self._is_live and self._drawn:
            self._draw()

    def _draw(self) -> None:
        width = self._reporter._tw.fullwidth
        names = max(map(len, self._slots))
        numbers = max(len(str(slot.total)) for slot in self._slots.values())
        lines = [f"\x1b[{self._drawn}A"] if self._drawn else []
        for name, slot in self._slots.items():
            filled = BAR * slot.done // max(1, slot.total)
            bar = "█" * filled + "░" * (BAR - filled)
            differ = f"{slot.bad} differ" if slot.bad else ""
            at = slot.at if slot.done < slot.total else ""
            line = f"{name:{names}}  {bar}  {slot.done:{numbers}}/{slot.total:{numbers}}  {differ:10}  {at}"
            lines.append(f"\r\x1b[2K{line[: width - 1].rstrip()}\n")
        self._reporter.write("".join(lines), flush=True)
        self._drawn, self._drawn_at = len(self._slots), time.monotonic()

    def _tell_tenth(self) -> None:
        done, total, bad = (
            sum(getattr(slot, name) for slot in self._slots.values()) for name in ("done", "total", "bad")
        )
        tenths = 10 * done // max(1, total)
        if tenths > self._tenths:
            self._tenths = tenths
            passed = f"{time.monotonic() - self._begun:.0f} s"
            self._reporter.write_line(f"{tenths * 10:3} %  {done} of {total} facts, {bad} differ or blocked, {passed}")


def _height() -> int:
    import shutil

    return shutil.get_terminal_size().lines
