"""Which slot of one run stands beside which of another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from modemrig.conformance.report import Results
from modemrig.conformance.report.results import Slot
from modemrig.errors import CallerError

__all__ = ["SlotPair", "pair_slots"]


@dataclass(frozen=True, slots=True)
class SlotPair:
    """Two slots that are compared."""

    before: Slot
    """In the first file."""
    after: Slot
    """In the second."""
    by: Literal["choice", "name", "IMEI", "document"]
    """What makes them a pair."""

    @property
    def name(self) -> str:
        """``slot-1``, or ``slot-1 → slot-4``."""
        same = self.before.name == self.after.name
        return self.before.name if same else f"{self.before.name} → {self.after.name}"

    @property
    def document(self) -> str | None:
        """The document both were held against; none if neither could be asked which."""
        return self.before.dialect or self.after.dialect


def pair_slots(
    a: Results, b: Results, slot_a: str | None = None, slot_b: str | None = None
) -> tuple[tuple[SlotPair, ...], tuple[Slot, ...], tuple[Slot, ...]]:
    """Pair slots: those of the same document with the same name, else with the same IMEI, else the only ones of it.

    A slot in trouble, whose document is not known, pairs by its name with any.

    Args:
        a: the first run.
        b: the second.
        slot_a: only this slot of the first.
        slot_b: only this slot of the second; with both, these are the pair, whatever they are called.

    Returns:
        The pairs in the order of the first run, and the slots of each run that are in none.

    Raises:
        CallerError: there is no such slot, or no pair.
    """
    left_a, left_b = _chosen("A", a, slot_a), _chosen("B", b, slot_b)
    pairs: list[SlotPair] = []

    def take(by: Literal["name", "IMEI", "document"], fits: Callable[[Slot, Slot], bool]) -> None:
        for before in list(left_a):
            after = next((each for each in left_b if fits(before, each)), None)
            if after is not None:
                pairs.append(SlotPair(before, after, by))
                left_a.remove(before)
                left_b.remove(after)

    if slot_a is not None and slot_b is not None:
        before, after = left_a.pop(), left_b.pop()
        if not _may_pair(before, after):
            raise CallerError(
                f"slot {before.name} of A was held against {before.dialect}, {after.name} of B against {after.dialect}",
                remedy="compare slots of one document",
            )
        pairs.append(SlotPair(before, after, "choice"))
    else:
        only_a, only_b = _only(left_a), _only(left_b)
        take("name", lambda one, other: one.name == other.name and _may_pair(one, other))
        take("IMEI", lambda one, other: one.imei is not None and one.imei == other.imei and _may_pair(one, other))
        take("document", lambda one, other: one.dialect in only_a & only_b and one.dialect == other.dialect)
    if not pairs:
        raise CallerError(
            f"no slot of A ({_names(left_a)}) goes with one of B ({_names(left_b)})",
            remedy="choose two of one document with --slot-a NAME --slot-b NAME",
        )
    order = [slot.name for slot in a.slots]
    pairs.sort(key=lambda pair: order.index(pair.before.name))
    return tuple(pairs), tuple(left_a), tuple(left_b)


def _chosen(which: str, results: Results, name: str | None) -> list[Slot]:
    if name is None:
        return list(results.slots)
    if name not in results.slot:
        raise CallerError(f"{which} has no slot {name!r}; it has {_names(results.slots)}")
    return [results.slot[name]]


def _may_pair(one: Slot, other: Slot) -> bool:
    return one.dialect is None or other.dialect is None or one.dialect == other.dialect


def _only(slots: Sequence[Slot]) -> set[str]:
    """Documents that exactly one of the slots was held against."""
    dialects = [slot.dialect for slot in slots]
    return {dialect for dialect in dialects if dialect is not None and dialects.count(dialect) == 1}


def _names(slots: Sequence[Slot]) -> str:
    return ", ".join(f"{slot.name}: {slot.dialect or 'in trouble'}" for slot in slots) or "it has none"
