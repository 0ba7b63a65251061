"""What the page says: results counted by slot, section, document and reason. Not how it looks (``template``)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

from modemrig.conformance.report.results import Document, Fact, Result, Results, Slot
from modemrig.conformance.report.texts import plural

__all__ = ["VERDICTS", "Cell", "Coverage", "Finding", "Section", "View", "Words"]


class Words(NamedTuple):
    """A verdict in words."""

    one: str
    """Of a single fact."""
    many: str
    """Behind a number."""
    says: str
    """What it means."""


VERDICTS: dict[str, Words] = {
    "differs": Words("differs", "differ", "The module is not as its document says."),
    "otherwise": Words(
        "observed otherwise", "otherwise", "Not as another document, or we, expect. It is not held against the module."
    ),
    "blocked": Words("blocked", "blocked", "Something that had to be so beforehand was not."),
    "conforms": Words("conforms", "conform", "The module is as its document says."),
    "as_expected": Words("as expected", "as expected", "As another document, or we, expect where its own is silent."),
    "skipped": Words("skipped", "skipped", "The rig cannot do what the check needs."),
    "unchecked": Words("unchecked", "unchecked", "No check looks at it; coverage says why."),
}
"""What a fact can be on a slot, the gravest first: where attempts disagree, the gravest counts."""

_GRAVITY = {verdict: place for place, verdict in enumerate(VERDICTS)}


@dataclass(frozen=True, slots=True)
class Cell:
    """A fact on a slot: all attempts."""

    fact: Fact
    slot: Slot
    attempts: tuple[Result, ...]

    @property
    def worst(self) -> Result:
        """The attempt that counts."""
        return min(self.attempts, key=lambda result: _GRAVITY[result.verdict])

    @property
    def verdict(self) -> str:
        """Of the worst attempt."""
        return self.worst.verdict

    @property
    def share(self) -> str:
        """``in 2 of 5 attempts``; empty if all agree."""
        alike = sum(1 for result in self.attempts if result.verdict == self.verdict)
        return "" if alike == len(self.attempts) else f"in {alike} of {len(self.attempts)} attempts"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact that is not as it should be on one slot or more."""

    number: int
    """The place of the fact among all."""
    fact: Fact
    verdict: str
    bad: tuple[Cell, ...]
    rest: tuple[Cell, ...]
    """The same fact on the other slots of the document."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a document and its facts."""

    number: int
    """Its place among all sections of all documents."""
    document: str
    name: str
    """``3.3.1``"""
    subjects: tuple[str, ...]
    facts: tuple[Fact, ...]
    counts: dict[str, Counter[str]]
    """Verdicts by slot."""

    @property
    def label(self) -> str:
        """What it is about, in short."""
        return ", ".join(self.subjects[:3]) + (", …" if len(self.subjects) > 3 else "")


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a document is checked."""

    documented: int
    """Facts the document itself states."""
    checked: int
    """Of these, those some check looks at."""
    done: int
    """Of these, those a check came to its end for in this run."""
    unchecked: tuple[tuple[str, str, tuple[tuple[str, tuple[Fact, ...]], ...]], ...]
    """Reason, its sentence, and why: facts."""

    @property
    def share(self) -> float:
        """Checked of documented, per cent."""
        return 100 * self.checked / self.documented if self.documented else 100.0

    @property
    def done_share(self) -> float:
        """Done of documented, per cent."""
        return 100 * self.done / self.documented if self.documented else 100.0


class View:
    """A run, counted."""

    def __init__(self, results: Results) -> None:
        self.results = results
        attempts: dict[tuple[str, str], list[Result]] = defaultdict(list)
        for result in results.results:
            attempts[result.fact, result.slot].append(result)
        self.cells = {
            (fact, slot): Cell(results.fact[fact], results.slot[slot], tuple(found))
            for (fact, slot), found in attempts.items()
        }

    def slots_of(self, document: str) -> list[Slot]:
        """The slots that were held against a document."""
        return [slot for slot in self.results.slots if slot.dialect == document]

    def cells_of(self, fact: Fact) -> list[Cell]:
        """What was found of a fact, in the order of the slots."""
        slots = self.results.slots
        return [self.cells[fact.id, slot.name] for slot in slots if (fact.id, slot.name) in self.cells]

    def document_of(self, fact: Fact) -> Document:
        """Where a fact stands."""
        return self.results.documents[fact.document]

    @cached_property
    def counts(self) -> dict[str, Counter[str]]:
        """Verdicts by slot: of facts, not of attempts."""
        counts: dict[str, Counter[str]] = {slot.name: Counter() for slot in self.results.slots}
        for cell in self.cells.values():
            counts[cell.slot.name][cell.verdict] += 1
        for slot in self.results.slots:
            facts = (fact for fact in self.results.facts if fact.document == slot.dialect)
            counts[slot.name]["unchecked"] = sum(1 for fact in facts if fact.unchecked)
        return counts

    @cached_property
    def totals(self) -> Counter[str]:
        """Verdicts over all slots."""
        return sum(self.counts.values(), Counter())

    @property
    def headline(self) -> tuple[str, str]:
        """The verdict on the run, and it in one line."""
        differs, blocked = self.totals["differs"], self.totals["blocked"]
        if differs:
            bad = sum(1 for count in self.counts.values() if count["differs"])
            if len(self.counts) == 1:
                return "differs", f"{plural(differs, 'difference')} to the document"
            return "differs", f"{plural(differs, 'difference')} to the documents, on {bad} of {len(self.counts)} slots"
        if blocked:
            return "blocked", f"No difference was found, but {plural(blocked, 'check')} could not be made"
        if not self.totals["conforms"] + self.totals["as_expected"] + self.totals["otherwise"]:
            return "skipped", "Nothing was checked"
        return "conforms", "No difference to the documents"

    def findings(self, verdict: str) -> list[Finding]:
        """Facts with this verdict somewhere, in the order of the documents."""
        found = []
        for number, fact in enumerate(self.results.facts):
            cells = self.cells_of(fact)
            bad = tuple(cell for cell in cells if cell.verdict == verdict)
            if bad:
                found.append(
                    Finding(number, fact, verdict, bad, tuple(cell for cell in cells if cell.verdict != verdict))
                )
        return found

    def reasons(self, verdict: str) -> list[tuple[str, dict[str, list[Fact]]]]:
        """Why facts were skipped or blocked: reason, and facts by slot; the most frequent first."""
        by_reason: dict[str, dict[str, list[Fact]]] = defaultdict(lambda: defaultdict(list))
        for slot in self.results.slots:
            for fact in self.results.facts:
                cell = self.cells.get((fact.id, slot.name))
                if cell is not None and cell.verdict == verdict:
                    by_reason[cell.worst.reason or "no reason was given"][slot.name].append(fact)
        return sorted(by_reason.items(), key=lambda item: -sum(map(len, item[1].values())))

    @cached_property
    def sections(self) -> list[Section]:
        """Every section of every document that has a slot, in their order."""
        found: list[Section] = []
        in_order = sorted(self.results.facts, key=lambda fact: list(self.results.documents).index(fact.document))
        for document, facts in groupby(in_order, key=lambda fact: fact.document):
            slots = self.slots_of(document)
            for name, rows in _by_section(facts).items():
                counts: dict[str, Counter[str]] = {slot.name: Counter() for slot in slots}
                for fact in rows:
                    for cell in self.cells_of(fact):
                        counts.setdefault(cell.slot.name, Counter())[cell.verdict] += 1
                subjects = tuple(dict.fromkeys(fact.subject for fact in rows))
                found.append(Section(len(found), document, name, subjects, tuple(rows), counts))
        return found

    def sections_of(self, document: str) -> list[Section]:
        """The sections of one document."""
        return [section for section in self.sections if section.document == document]

    @property
    def documents(self) -> Iterator[tuple[str, Document]]:
        """The documents that facts come from."""
        used = {fact.document for fact in self.results.facts}
        return ((name, document) for name, document in self.results.documents.items() if name in used)

    def coverage(self, document: str) -> Coverage:
        """How much of a document is checked."""
        facts = [fact for fact in self.results.facts if fact.document == document]
        documented = [fact for fact in facts if fact.basis == "documented"]
        checked = [fact for fact in documented if fact.unchecked is None]
        ended = ("conforms", "differs")
        done = sum(1 for fact in checked if any(cell.verdict in ended for cell in self.cells_of(fact)))
        return Coverage(len(documented), len(checked), done, tuple(_unchecked(facts, self.results)))


def _by_section(facts: Iterable[Fact]) -> dict[str, list[Fact]]:
    by_section: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        by_section[fact.section].append(fact)
    return by_section


def _unchecked(
    facts: Sequence[Fact], results: Results
) -> Iterator[tuple[str, str, tuple[tuple[str, tuple[Fact, ...]], ...]]]:
    for reason, sentence in results.reasons.items():
        by_why: dict[str, list[Fact]] = defaultdict(list)
        for fact in facts:
            if fact.unchecked is not None and fact.unchecked.reason == reason:
                by_why[fact.unchecked.why].append(fact)
        if by_why:
            in_order = sorted(by_why.items(), key=lambda item: -len(item[1]))
            yield reason, sentence, tuple((why, tuple(found)) for why, found in in_order)
