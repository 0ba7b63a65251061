"""The one test of the suite: a fact holds on a slot. Which facts, and on which slots, is in ``collect``."""

from __future__ import annotations

from modemrig.conformance.facts import Fact
from modemrig.conformance.held import HeldSlot
from modemrig.conformance.outcome import tell


def test_fact(held: HeldSlot, fact: Fact, attempt: int) -> None:
    """The module in the slot is as its document says."""
    tell(held.check(fact, attempt))
