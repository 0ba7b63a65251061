"""The summary behind a run: a line for every slot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from modemrig.hil.departures import NOTED, told


@dataclass(slots=True)
class SlotSummary:
    """What is known of a slot when the run is over."""

    facts: dict[str, str] = field(default_factory=dict)
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    slowest: tuple[float, str] = (-1.0, "nothing was timed")
    """Share of the documented maximum, and the answer in words."""
    departures: list[str] = field(default_factory=list)
    """Of each step in which the module departed from its document, and the suite did not mind."""

    def add(self, report: Any) -> None:
        """Count a report in."""
        if report.when == "call" and report.passed:
            self.passed += 1
        elif report.failed:
            self.failed += 1
        elif report.skipped:
            self.skipped += 1
        for name, value in report.user_properties:
            if name == NOTED:
                if report.when == "call":
                    self.departures.append(str(value))
                continue
            if name != "response":
                self.facts[name] = str(value)
                continue
            command, seconds, *maximum = str(value).split()
            share = float(seconds) / float(maximum[0]) if maximum else 0.0
            limit = f"of {float(maximum[0]):g} s" if maximum else "(no maximum documented)"
            self.slowest = max(self.slowest, (share, f"{command} {_duration(float(seconds))} {limit}"))


def write_summary(reporter: Any, reports: list[Any]) -> None:
    """Print identity, verdicts and the slowest answer of every slot."""
    slots: dict[str, SlotSummary] = {}
    for report in reports:
        properties = dict(report.user_properties)
        if "slot" in properties:
            slots.setdefault(str(properties["slot"]), SlotSummary()).add(report)
    reporter.section("slots")
    about = ["dialect", "module", "firmware", "IMEI"]
    rows = [["slot", *about, "passed", "failed", "skipped", "slowest answer, against its maximum"]]
    for name, slot in slots.items():
        facts = [slot.facts.get(fact.lower(), "?") for fact in about]
        counts = [str(count) for count in (slot.passed, slot.failed, slot.skipped)]
        rows.append([name, *facts, *counts, slot.slowest[1]])
    if all(row[0] == row[1] for row in rows[1:]):  # the slots of a virtual rig are named after their dialects
        _drop(rows, "dialect")
    if not any(slot.skipped for slot in slots.values()):
        _drop(rows, "skipped")
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    good = [slot.passed > 0 and slot.failed == 0 for slot in slots.values()]
    for row, markup in zip(rows, [{"bold": True}, *({"green" if fine else "red": True} for fine in good)], strict=True):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        reporter.write_line(line, **markup)
    for name, slot in slots.items():
        if slot.departures:
            reporter.write_line(f"{name}: departing from the document: {told(slot.departures)}")


def _drop(rows: list[list[str]], column: str) -> None:
    at = rows[0].index(column)
    rows[:] = [[*row[:at], *row[at + 1 :]] for row in rows]


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
