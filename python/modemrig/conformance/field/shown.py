"""The matrix as it is printed: a line for each cell that ends, and at the end the table, quirk by quirk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from modemrig import _native, families
from modemrig.conformance.field.cell import Cell, Outcome
from modemrig.hil.departures import told
from modemrig.reference import dialects

MOST_SHOWN = 12
"""Of what is wrong with a cell."""
HEAD = f"{'quirk or profile':41} {'document':21} session examples  facts: documented changed blocked  what the host saw"


def progress(outcome: Outcome, number: int, of: int) -> Iterator[str]:
    """A cell has ended."""
    cell = outcome.cell
    part = f" {cell.part + 1}/{cell.parts}" if cell.parts > 1 else ""
    mark = "BAD" if outcome.wrong else "ok "
    yield f"[{number:3}/{of}] {mark} {_name(cell) + part:36} {cell.dialect:21} {outcome.duration_s:6.1f} s"
    for text in outcome.wrong[:MOST_SHOWN]:
        yield f"      WRONG  {text}"
    if len(outcome.wrong) > MOST_SHOWN:
        yield f"      … and {len(outcome.wrong) - MOST_SHOWN} more"


def table(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """The matrix, in the order of quirks and profiles; the shares of a slow module are one row."""
    rows: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in sorted(outcomes, key=_place):
        rows.setdefault((outcome.cell.name, outcome.cell.dialect), []).append(outcome)
    yield HEAD
    for shares in rows.values():
        yield from _row(shares)


def _row(shares: list[Outcome]) -> Iterator[str]:
    cell, rules = shares[0].cell, shares[0].rules
    bad = "  NOT AS IT MUST BE" if any(share.wrong for share in shares) else ""
    ended = list(dict.fromkeys(text.partition(":")[0] for share in shares for text in share.session))
    skipped = len({name for share in shares for name in share.skipped})
    examples = f"{sum(share.examples for share in shares)}" + (f" (-{skipped})" if skipped else "")
    numbers = [sum(len(share.differing) for share in shares), sum(len(share.blocked) for share in shares)]
    documented = sum(share.as_documented for share in shares)
    saw: Counter[str] = Counter()
    for share in shares:
        saw.update(share.saw)
    seen = ", ".join(f"{what.replace('_', ' ')} {count}" for what, count in saw.items())
    name = _name(cell) + (f" ({', '.join(rules)})" if rules and not cell.is_profile else "")
    session = f"{len(ended)} end" if ended else "ok"
    yield (
        f"{name:41} {cell.dialect:21} {session:7} {examples:>8} {documented:18} {numbers[0]:7} {numbers[1]:7}  {seen}{bad}"
    ).rstrip()
    if ended:
        yield f"    ends as it must: {', '.join(ended)}"
    if departures := [each for share in shares for each in share.departures]:
        yield f"    examples: {told(departures)}"


def _name(cell: Cell) -> str:
    return cell.name or "(as documented)"


def _place(outcome: Outcome) -> tuple[int, int, int, int]:
    """Documents first, quirks as they stand in their table, then profiles."""
    cell = outcome.cell
    names = list(families.profiles()) if cell.is_profile else ["", *(row[0] for row in _native.quirks())]
    return int(cell.is_profile), names.index(cell.name), dialects().index(cell.dialect), cell.part
