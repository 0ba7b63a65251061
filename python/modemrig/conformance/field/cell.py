"""A cell of the matrix, a quirk or a profile on a module of a document, and what it showed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from modemrig.conformance.field import declared
from modemrig.conformance.field.declared import Changes
from modemrig.rig import VIRTUAL, Slot

GAP = "gap"
GAP_OF_FACTS_MS = 20
"""Sessions and examples have the whole gap."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A quirk, or a profile, on a module of a document."""

    name: str
    """``result_before_ok``, ``bg95``; empty: the documented module."""
    dialect: str
    quirks: tuple[str, ...] = ()
    """As they are written, with parameters."""
    is_profile: bool = False
    part: int = 0
    """Of a slow module each of several checks its share of the facts."""
    parts: int = 1

    @property
    def slot(self) -> Slot:
        """The slot it needs."""
        if self.is_profile:
            return Slot("field", VIRTUAL + self.name)
        return Slot("field", VIRTUAL + self.dialect, quirks=self.quirks)

    @property
    def quick_slot(self) -> Slot:
        """The same for hundreds of facts: a gap of half a second behind each command would make them last for minutes."""
        short = [quirk for quirk in self.quirks if quirk.partition(":")[0] == GAP]
        return replace(self.slot, quirks=(*self.slot.quirks, f"{GAP}:ms={GAP_OF_FACTS_MS}")) if short else self.slot

    def changes(self) -> Changes:
        """What may be otherwise."""
        if self.is_profile:
            return declared.of_profile(self.name, self.quirks, self.dialect)[1]
        return declared.of_quirk(self.quirks[0], self.dialect) if self.quirks else Changes()


@dataclass(slots=True)
class Outcome:
    """What a cell showed."""

    cell: Cell
    rules: tuple[str, ...]
    """Of the field, that its quirks show."""
    session: list[str] = field(default_factory=list)
    """Steps that failed, with their errors, though they may."""
    steps: int = 0
    """Of the session that were played."""
    examples: int = 0
    """That went as printed, or departed in known ways."""
    skipped: list[str] = field(default_factory=list)
    """Examples the family does not support."""
    departures: list[str] = field(default_factory=list)
    """One for each step of an example that departed."""
    as_documented: int = 0
    """Facts."""
    differing: list[str] = field(default_factory=list)
    """Facts that are as the quirk makes them."""
    blocked: list[str] = field(default_factory=list)
    """Facts that cannot be judged."""
    saw: dict[str, int] = field(default_factory=dict)
    """What the host counted of odd things, in the session and the examples."""
    wrong: list[str] = field(default_factory=list)
    """What is not as it must be."""
    duration_s: float = 0.0
