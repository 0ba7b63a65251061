"""The matrix: every quirk alone on a module of each family, and every profile, against a host program, examples and facts.

A cell is one virtual module with a broker of its own. What is not as it must be: a step of the session that fails, a fact that
comes out otherwise undeclared, a line the host finds damaged on a module that damages none, a host out of step. Not here: the
quirks (``src/virtual_module``), what they may change (``declared``). Driven by ``modemrig conformance --field``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import partial

from modemrig import _native, families
from modemrig.conformance.cells import SPEED, each, holding
from modemrig.conformance.collect import is_in
from modemrig.conformance.facts import Fact, facts_of
from modemrig.conformance.field import declared
from modemrig.conformance.field.cell import Cell, Outcome
from modemrig.conformance.field.declared import Changes
from modemrig.conformance.field.session import Ended, in_step, play
from modemrig.conformance.field.shown import progress, table
from modemrig.conformance.held import HeldSlot
from modemrig.conformance.judge import Result
from modemrig.modem import Modem
from modemrig.reference import catalogue, dialects
from modemrig.rig import VIRTUAL

WITHIN_S = 420.0
"""A cell takes less than a minute; one that waits and waits ends here."""
SLOW_PARTS = 3
SEEN = (
    *("stale", "surplus", "ignored", "damaged", "overflowed"),
    *("resynchronised", "timeouts", "restarts", "messages_dropped"),
)
"""What the host counts of odd things."""


def run(options: argparse.Namespace) -> int:
    """Run the matrix and print it; returns 0 if everything is as it must be, else 1."""
    chosen = [slot.removeprefix(VIRTUAL) for slot in [options.rig or ""] if slot.startswith(VIRTUAL)] or None
    cells = [cell for cell in by_duration(matrix(chosen, everywhere=options.everywhere)) if _is_chosen(cell, options.k)]
    say: Callable[[str], None] = partial(print, flush=True, file=sys.stderr if options.json else sys.stdout)
    quirks, profiles = sum(not cell.is_profile for cell in cells), sum(cell.is_profile for cell in cells)
    say(f"the field: {quirks} modules with a quirk, {profiles} of a profile")
    started = time.monotonic()
    outcomes: list[Outcome] = []
    work = partial(check, sections=tuple(options.section))
    for outcome in each(work, cells, options.j):
        outcomes.append(outcome)
        say("\n".join(progress(outcome, len(outcomes), len(cells))))
        if outcome.wrong and options.fail_fast:
            break
    unseen = [] if options.section or len(outcomes) < len(cells) else list(never_seen(outcomes))
    for text in unseen:
        say(f"DECLARED AND NEVER SEEN  {text}")
    bad = sum(bool(outcome.wrong) for outcome in outcomes)
    took = time.monotonic() - started
    say("\n".join(("", *table(outcomes), "")))
    say(f"{len(outcomes) - bad} of {len(cells)} modules are as they must be, and the host with them, in {took:.0f} s")
    if options.json:
        rows = [_row(outcome) for outcome in outcomes]
        print(json.dumps({"cells": rows, "never_seen": unseen, "duration_s": round(took, 1)}, ensure_ascii=False))
    return 1 if bad or unseen or len(outcomes) < len(cells) else 0


def matrix(chosen: list[str] | None, *, everywhere: bool) -> Iterator[Cell]:
    """The cells: documented modules, every quirk on one document of its family or on all of them, every profile."""
    documents = {dialect: catalogue(dialect)["family"] for dialect in dialects()}
    for dialect in documents:
        if chosen is None or dialect in chosen:
            yield Cell("", dialect)
    for name, _, _, family, _ in _native.quirks():
        own = [dialect for dialect, of in documents.items() if family in (None, of)]
        for of in dict.fromkeys(documents[dialect] for dialect in own):
            turn = [dialect for dialect in own if documents[dialect] == of]
            # A quirk keeps its document when others come and go.
            wanted = declared.of_quirk(name, turn[0]).dialect
            first = [wanted] if wanted in turn else turn[zlib.crc32(name.encode()) % len(turn) :][:1]
            for dialect in turn if everywhere else first:
                if chosen is None or dialect in chosen:
                    changes = declared.of_quirk(name, dialect)
                    parts = SLOW_PARTS if changes.is_slow else 1
                    for part in range(parts):
                        yield Cell(name, dialect, (changes.written,), part=part, parts=parts)
    for profile in families.profiles().values():
        if chosen is None or profile.name in chosen:
            yield Cell(profile.name, profile.dialect, profile.quirks, is_profile=True)


def by_duration(cells: Iterable[Cell]) -> list[Cell]:
    """The slow ones first, so that none of them runs alone in the end."""
    return sorted(cells, key=lambda cell: not (cell.is_profile or cell.changes().is_slow))


def check(cell: Cell, sections: tuple[str, ...] = ()) -> Outcome:
    """Put a host to a module: a session, then every fact, the examples among them."""
    slot = cell.slot
    outcome = Outcome(cell, tuple(sorted(slot.rules, key=_place)))
    started = time.monotonic()
    try:
        facts = [fact for fact in facts_of(cell.dialect) if fact.unchecked is None and is_in(fact, list(sections))]
        facts = facts[cell.part :: cell.parts]
        with holding(slot, cell.dialect, SPEED) as held:
            with counting(outcome, held.probe.modem):
                judge_session(outcome, cell.changes(), list(play(held.place, held.probe.modem, held.probe.peer)))
            judge_facts(outcome, held, [fact for fact in facts if is_example(fact)])
            judge_host(outcome, cell.changes())
        with holding(cell.quick_slot, cell.dialect, SPEED) as held:
            judge_facts(outcome, held, [fact for fact in facts if not is_example(fact)])
    except Exception as error:  # the same as in a fact
        outcome.wrong.append(f"{type(error).__name__}: {error}")
    outcome.duration_s = round(time.monotonic() - started, 1)
    return outcome


def _place(rule: str) -> int:
    """F1 to F24 by their numbers, then what is no rule of the field."""
    number = rule.removeprefix("F")
    return int(number) if number.isdigit() else sys.maxsize


def is_example(fact: Fact) -> bool:
    """Whether it is about a worked example."""
    return "example" in fact.about


def judge_facts(outcome: Outcome, held: HeldSlot, facts: list[Fact]) -> None:
    """Every fact is as documented or as the quirk makes it, and the host in step behind the last."""
    changes = outcome.cell.changes()
    started = time.monotonic()
    for fact in facts:
        # Other facts have the module damage lines, fall silent and restart on purpose.
        with counting(outcome, held.probe.modem) if is_example(fact) else contextlib.nullcontext():
            result = held.check(fact)
        if held.trouble is not None:
            outcome.wrong.append(f"the slot is out at {fact.id}: {held.trouble}")
            return
        outcome.departures += held.probe.departures
        judge_fact(outcome, changes, fact, result)
        if time.monotonic() - started > WITHIN_S:
            outcome.wrong.append(f"not at its end after {WITHIN_S:g} s: {fact.id}")
            return
    try:
        in_step(held.probe.modem)
    except Exception as error:  # whatever it is, it is what the matrix is there to find
        outcome.wrong.append(f"behind the last fact: {type(error).__name__}: {error}")


@contextlib.contextmanager
def counting(outcome: Outcome, modem: Modem) -> Iterator[None]:
    """Add up what the host counts of odd things meanwhile."""
    before = modem.statistics
    yield
    after = modem.statistics
    for name in SEEN:
        if more := getattr(after, name) - getattr(before, name):
            outcome.saw[name] = outcome.saw.get(name, 0) + more


def judge_session(outcome: Outcome, changes: Changes, ended: list[Ended]) -> None:
    """Every step that was played went well, or failed as it may."""
    may_fail = dict(changes.session)
    failed = {end.step: end.error for end in ended if end.error is not None}
    outcome.steps = len(ended)
    for step, error in failed.items():
        if step in may_fail and error.startswith(may_fail[step]):
            outcome.session.append(f"{step}: {error}")
        else:
            outcome.wrong.append(f"session, {step}: {error}")
    outcome.wrong += [f"session, {step}: declared to fail, and went well" for step in may_fail if step not in failed]


def judge_fact(outcome: Outcome, changes: Changes, fact: Fact, result: Result) -> None:
    """A fact is as documented, or as the quirk makes it."""
    if result.verdict == "skipped":
        outcome.skipped += [f"{fact.about['example']['id']}: {result.reason}"] if is_example(fact) else []
    elif result.verdict in ("conforms", "as_expected"):
        outcome.examples += is_example(fact)
        outcome.as_documented += not is_example(fact)
    else:
        (outcome.blocked if result.verdict == "blocked" else outcome.differing).append(fact.id)
        if not changes.allows(fact.id, result.verdict):
            seen = result.reason or f"expected {result.expected!r}, observed {result.observed!r}"
            outcome.wrong.append(f"{result.verdict} {fact.id}: {seen}")


def judge_host(outcome: Outcome, changes: Changes) -> None:
    """The host has seen no damage where there was none."""
    if outcome.saw.get("damaged") and not changes.is_damaged:
        outcome.wrong.append(f"{outcome.saw['damaged']} lines were damaged, on a module that damages none")
    if changes.is_damaged and not outcome.saw.get("damaged"):
        outcome.wrong.append("declared to damage lines, and the host saw none")


def never_seen(outcomes: list[Outcome]) -> Iterator[str]:
    """What is declared of a quirk or a profile, and was seen on none of its modules."""
    by_name: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_name.setdefault(outcome.cell.name, []).append(outcome)
    for name, cells in by_name.items():
        if not name:
            continue
        own = declared.of_profile(name, (), cells[0].cell.dialect)[0]
        changes = own if cells[0].cell.is_profile else declared.of_quirk(name, cells[0].cell.dialect)
        differing = [fact for outcome in cells for fact in outcome.differing]
        blocked = [fact for outcome in cells for fact in outcome.blocked]
        for text in changes.unseen([outcome.cell.dialect for outcome in cells], differing, blocked):
            yield f"{name}: {text}"
    known = {"quirk": {row[0] for row in _native.quirks()}, "profile": set(families.profiles())}
    for kind, said in declared.names().items():
        for name in sorted(said - known[kind]):
            yield f"{name}: there is no such {kind}"


def _row(outcome: Outcome) -> dict[str, object]:
    row = asdict(outcome)
    cell: dict[str, object] = row.pop("cell")
    return cell | row | {"departures": dict(Counter(outcome.departures)), "is_good": not outcome.wrong}


def _is_chosen(cell: Cell, words: str | None) -> bool:
    return words is None or re.search(words, cell.name or "documented") is not None
