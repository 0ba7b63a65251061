"""What is printed behind a run: a line for every slot, what was skipped and why, and every difference."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from modemrig.conformance.coverage import coverage
from modemrig.conformance.gather import Gathered

LISTED = 60
"""So many differences get a line; the report has all."""
WORDS = {
    "conforms": "conforms",
    "differs": "differs",
    "as_expected": "as expected",
    "otherwise": "otherwise",
    "blocked": "blocked",
    "skipped": "skipped",
}
"""Verdicts, as columns."""


def write_summary(reporter: Any, gathered: Gathered, written: Path | None) -> None:
    """Print identity, verdicts and the slowest answer of every slot, then what is not as it should be."""
    by_slot: dict[str, list[dict[str, Any]]] = {name: [] for name in gathered.slots}
    for result in gathered.results:
        by_slot[result["slot"]].append(result)
    by_slot = {name: results for name, results in by_slot.items() if results or gathered.slots[name]["trouble"]}
    reporter.section("slots")
    for line, markup in _table(gathered, by_slot):
        reporter.write_line(line, **markup)
    skipped = Counter(result["reason"] for result in gathered.results if result["verdict"] == "skipped")
    for reason, count in skipped.most_common():
        reporter.write_line(f"skipped {count}: {reason}")
    for verdict, colour in (("differs", "red"), ("blocked", "red"), ("otherwise", "yellow")):
        _list(reporter, gathered, verdict, colour)
    if written is not None:
        reporter.write_line(f"report: {written}")


def _table(gathered: Gathered, by_slot: dict[str, list[dict[str, Any]]]) -> Iterable[tuple[str, dict[str, bool]]]:
    counts = {name: Counter(result["verdict"] for result in results) for name, results in by_slot.items()}
    columns = [verdict for verdict in WORDS if any(count[verdict] for count in counts.values())]
    about = ["dialect", "model", "firmware", "imei"]
    if all(name == gathered.slots[name]["dialect"] for name in by_slot):
        about.remove("dialect")  # the slots of a virtual rig are named after their dialects
    rows = [["slot", *about, *(WORDS[each] for each in columns), "coverage", "slowest answer, against its maximum"]]
    for name in by_slot:
        slot = gathered.slots[name]
        covered = f"{coverage(slot['dialect']).percent:.1f} %" if slot["dialect"] else "?"
        numbers = [str(counts[name][verdict]) for verdict in columns]
        rows.append([name, *(slot[key] or "?" for key in about), *numbers, covered, _slowest(by_slot[name])])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        yield line, {"bold": True} if number == 0 else {_colour(counts[row[0]], gathered.slots[row[0]]): True}


def _colour(count: Counter[str], slot: dict[str, Any]) -> str:
    if slot["trouble"] or count["differs"] or count["blocked"]:
        return "red"
    return "green" if count["conforms"] + count["as_expected"] else "yellow"


def _slowest(results: list[dict[str, Any]]) -> str:
    timed = [
        (exchange["response_s"] / exchange["max_response_s"], exchange)
        for result in results
        for exchange in result["exchanges"]
        if exchange["max_response_s"]
    ]
    if not timed:
        return "nothing was timed"
    exchange = max(timed, key=lambda each: each[0])[1]
    command = re.split(r"[=?]", exchange["sent"], maxsplit=1)[0]
    seconds = exchange["response_s"]
    shown = f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
    return f"{command} {shown} of {exchange['max_response_s']:g} s"


def _list(reporter: Any, gathered: Gathered, verdict: str, colour: str) -> None:
    attempts = gathered.about["selection"]["repeat"]
    found = Counter((result["slot"], result["fact"]) for result in gathered.results if result["verdict"] == verdict)
    if not found:
        return
    reasons = {(each["slot"], each["fact"]): each["reason"] for each in gathered.results if each["verdict"] == verdict}
    reporter.section({"differs": "differences", "blocked": "blocked", "otherwise": "observed otherwise"}[verdict])
    for (slot, fact), times in list(found.items())[:LISTED]:
        often = f" ({times} of {attempts} attempts)" if attempts > 1 else ""
        said = reasons[slot, fact] or (gathered.facts[fact].statement if fact in gathered.facts else "")
        reporter.write_line(f"{slot}  {fact}{often}: {said.splitlines()[0] if said else ''}", **{colour: True})
    if len(found) > LISTED:
        reporter.write_line(f"… and {len(found) - LISTED} more; --report DIR has all of them")
