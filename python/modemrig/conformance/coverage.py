"""How much of a document is checked: counted from its facts, no rig is touched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from modemrig.conformance.document import load
from modemrig.conformance.facts import REASONS, Fact, facts_of


@dataclass(frozen=True, slots=True)
class Coverage:
    """The facts of a document, counted."""

    dialect: str
    facts: int
    documented: int
    """Facts that the document itself states."""
    checked: int
    """Documented facts that are checked."""
    unchecked: tuple[Fact, ...]
    """The others, documented or not."""

    @property
    def percent(self) -> float:
        """Documented facts that are checked, of a hundred."""
        return 100.0 * self.checked / self.documented if self.documented else 100.0

    @property
    def reasons(self) -> Counter[str]:
        """How many facts are unchecked for each reason."""
        return Counter(fact.unchecked.reason for fact in self.unchecked if fact.unchecked is not None)

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        document = load(self.dialect)
        return {
            "document": self.dialect,
            "title": document.title,
            "version": document.version or None,
            "facts": self.facts,
            "documented": self.documented,
            "documented_checked": self.checked,
            "percent": round(self.percent, 2),
            "unchecked": [
                {"id": fact.id, "basis": fact.basis, "reason": fact.unchecked.reason, "why": fact.unchecked.why}
                for fact in self.unchecked
                if fact.unchecked is not None
            ],
        }


@cache
def coverage(dialect: str) -> Coverage:
    """Count the facts of a document.

    Raises:
        Unsupported: there is no such dialect.
    """
    facts = facts_of(dialect)
    documented = [fact for fact in facts if fact.basis == "documented"]
    checked = [fact for fact in documented if fact.unchecked is None]
    unchecked = tuple(fact for fact in facts if fact.unchecked is not None)
    return Coverage(dialect, len(facts), len(documented), len(checked), unchecked)


def as_text(covered: list[Coverage]) -> Iterator[str]:
    """Lines for people."""
    for each in covered:
        document = load(each.dialect)
        yield f"{each.dialect}: {document.title}{f', version {document.version}' if document.version else ''}"
        yield f"  {each.facts:5} facts, {each.documented} of them documented; the others are inherited or decided"
        yield f"  {each.checked:5} documented facts checked, {each.percent:.1f} %"
        for reason, count in sorted(each.reasons.items()):
            yield f"  {count:5} not checked, {reason}: {REASONS[reason]}"
            for fact in each.unchecked:
                if fact.unchecked is not None and fact.unchecked.reason == reason:
                    yield f"          {fact.id}: {fact.unchecked.why}"
