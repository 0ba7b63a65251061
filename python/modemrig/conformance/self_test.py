"""Can the suite fail? It runs on broken virtual modules; exactly the facts that each one breaks must be found, and no other.

Every kind says how modules break its facts (``Kind.breakages``); a cell of the matrix is one such module and all facts of its
document. Not here: how a module is broken (``src/virtual_module``), what the facts are (``kinds``). Driven by
``modemrig conformance --self-test``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from modemrig.conformance.cells import SPEED, each, holding
from modemrig.conformance.collect import is_in
from modemrig.conformance.document import load
from modemrig.conformance.facts import facts_of
from modemrig.conformance.kinds import KINDS
from modemrig.conformance.kinds.kind import Breakage
from modemrig.reference import dialects
from modemrig.rig import VIRTUAL, Slot

MOST_SHOWN = 20
"""Of facts that failed and should not have; a module that is broken too much fails a thousand."""
UNBROKEN = Breakage("nothing is broken", frozenset())


@dataclass(frozen=True, slots=True)
class Cell:
    """A kind, a document, and a way to break it."""

    kind: str
    dialect: str
    number: int
    """Which of the kind's ways; -1 is the module with nothing broken."""

    def breakage(self) -> Breakage:
        """What is broken."""
        if self.number < 0:
            return UNBROKEN
        return list(KINDS[self.kind].breakages(load(self.dialect)))[self.number]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a cell showed."""

    cell: Cell
    title: str
    broken: int
    """Facts that had to fail."""
    missed: tuple[str, ...]
    """Those of them that did not."""
    others: tuple[str, ...]
    """Facts that differ and should not, each with what was seen."""
    blocked: int
    """Facts that could not be judged or differ as well, because they rest on what is broken, or repeat it."""
    facts: int
    """Facts that were checked."""
    duration_s: float

    @property
    def is_good(self) -> bool:
        """Whether the suite noticed what is broken, and nothing else; of a module with nothing broken it judges everything."""
        return not self.missed and not self.others and (self.blocked == 0 or self.broken > 0)


def run(options: argparse.Namespace) -> int:
    """Run the matrix and print it; returns 0 if every cell is as it must be, else 1."""
    chosen = [
        slot.removeprefix(VIRTUAL) for slot in [options.rig or "virtual"] if slot.startswith(VIRTUAL)
    ] or dialects()
    kinds = [kind for kind in KINDS if options.k is None or options.k in kind]
    cells = list(matrix(chosen, kinds, everywhere=options.everywhere))
    without = sorted(untested(kinds))
    print(f"self-test: {len(cells)} broken modules, {len(kinds)} kinds, {len(chosen)} documents", flush=True)
    started = time.monotonic()
    good, failed = 0, without != []
    broken: set[str] = set()
    work = partial(check, sections=tuple(options.section))
    for number, outcome in enumerate(each(work, cells, options.j), 1):
        good += outcome.is_good
        failed = failed or not outcome.is_good
        broken |= set(outcome.cell.breakage().fails) - set(outcome.missed)
        print("\n".join(_shown(outcome, number, len(cells))), flush=True)
        if failed and options.fail_fast:
            break
    for kind in without:
        print(f"NOTHING BREAKS {kind}: its checks prove nothing")
    facts = sum(fact.unchecked is None for dialect in chosen for fact in facts_of(dialect))
    took = time.monotonic() - started
    print(f"{good} of {len(cells)} modules failed exactly the facts that are broken in them, in {took:.0f} s")
    print(f"{len(broken)} of {facts} facts were seen failing")
    return 1 if failed else 0


def matrix(chosen: list[str], kinds: list[str], *, everywhere: bool) -> Iterator[Cell]:
    """The cells, the longest first: each document unbroken, then every way to break a kind, in one document or in all."""
    for dialect in chosen:
        yield Cell("", dialect, -1)
    for place, kind in enumerate(kinds):
        # The documents take turns, so that each of them is broken somewhere.
        turn = [*chosen[place % len(chosen) :], *chosen[: place % len(chosen)]]
        seen: set[tuple[str, str]] = set()
        for dialect in turn:
            document = load(dialect)
            for number, breakage in enumerate(KINDS[kind].breakages(document)):
                # The same words in two families are two ways.
                if not breakage.fails:
                    continue  # of another family
                if everywhere or (document.family, breakage.title) not in seen:
                    seen.add((document.family, breakage.title))
                    yield Cell(kind, dialect, number)


def untested(kinds: list[str]) -> Iterator[str]:
    """Kinds that have facts in a family of documents, and no way to break one in any of them."""
    for kind in kinds:
        documents = [load(dialect) for dialect in dialects()]
        for family in sorted({document.family for document in documents}):
            of_family = [document for document in documents if document.family == family]
            has_facts = any(fact.unchecked is None for document in of_family for fact in KINDS[kind].facts(document))
            if has_facts and not any(True for document in of_family for _ in KINDS[kind].breakages(document)):
                yield f"{kind} of {family} documents"


def check(cell: Cell, sections: tuple[str, ...] = ()) -> Outcome:
    """Run every fact of a document on one broken module."""
    breakage = cell.breakage()
    facts = [fact for fact in facts_of(cell.dialect) if fact.unchecked is None and is_in(fact, list(sections))]
    checked = {fact.id for fact in facts}
    needs_true_times = any("true_speed" in fact.needs for fact in facts if fact.id in breakage.fails)
    slot = Slot(
        "broken",
        VIRTUAL + cell.dialect,
        differs=breakage.differs or None,
        quirks=breakage.quirks,
        faults=breakage.faults,
    )
    started = time.monotonic()
    noticed: set[str] = set()
    others: list[str] = []
    blocked = 0
    with holding(slot, cell.dialect, 1.0 if needs_true_times else SPEED) as held:
        for fact in facts:
            result = held.check(fact)
            is_meant = fact.id in breakage.fails
            goes_along = KINDS[fact.kind].repeats or fact.id.endswith(breakage.also)
            if result.verdict in ("differs", "otherwise"):
                noticed.add(fact.id)
                if not is_meant and not goes_along:
                    others.append(f"{fact.id}: expected {result.expected!r}, observed {result.observed!r}")
            blocked += result.verdict == "blocked" or (fact.id in noticed and not is_meant and goes_along)
            if held.trouble is not None:
                others.append(held.trouble)
                break
    unknown = breakage.fails - {fact.id for fact in facts_of(cell.dialect)}
    missed = sorted((breakage.fails & checked) - noticed) + [f"{each} (no such fact)" for each in sorted(unknown)]
    duration = time.monotonic() - started
    return Outcome(
        cell, breakage.title, len(breakage.fails), tuple(missed), tuple(others), blocked, len(facts), duration
    )


def _shown(outcome: Outcome, number: int, of: int) -> Iterator[str]:
    cell = outcome.cell
    mark = "ok  " if outcome.is_good else "BAD "
    unjudged = f", {outcome.blocked} rest on them" if outcome.blocked else ""
    facts = f"{outcome.broken:4} of {outcome.facts} facts{unjudged}"
    place = f"[{number:3}/{of}] {mark} {cell.kind or '-':22} {cell.dialect:22}"
    yield f"{place} {facts}  {outcome.duration_s:5.1f} s  {outcome.title}"
    for name in outcome.missed[:MOST_SHOWN]:
        yield f"      not noticed  {name}"
    for name in outcome.others[:MOST_SHOWN]:
        yield f"      not meant    {name}"
    if len(outcome.others) > MOST_SHOWN:
        yield f"      … and {len(outcome.others) - MOST_SHOWN} more"
