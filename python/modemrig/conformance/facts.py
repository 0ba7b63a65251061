"""A fact: one statement of a document that is true or false of a module. Made by the kinds, judged by ``judge``.

Not here: how a fact is checked (``kinds``) and what it needs of a rig (``needs``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from modemrig.conformance.document import load
from modemrig.conformance.verdict import Basis

REASONS = {
    "unreachable": "Nothing leads there: the document reserves it, or a module that works never says it.",
    "unseen": "No answer, no packet and no time differs with it.",
    "repeated": "The document says it again elsewhere; it is checked there.",
    "advice": "It tells people what to do, not what a module does.",
    "damaged": "The document contradicts itself, or the copy at hand lost it.",
    "elsewhere": "It is about something beside the module: the network, the broker, another document.",
}
"""Why a fact is not checked. There is no other reason; in particular none of time."""


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Why a fact is not checked."""

    reason: str
    """One of ``REASONS``."""
    why: str
    """In a sentence, for this fact."""

    def __post_init__(self) -> None:
        assert self.reason in REASONS, self.reason


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement of a document."""

    id: str
    """``lte_standard_a/3.3.1/QMTCFG/timeout/pkt_timeout/maximum``: document, section, what it is about, and what of it."""
    kind: str
    """Name of its kind."""
    subject: str
    """``AT+QMTCFG``, ``+QMTSTAT``, or ``clients``."""
    statement: str
    """What must be true, in a sentence."""
    basis: Basis = "documented"
    """Only a documented fact can be held against a real module."""
    needs: tuple[str, ...] = ()
    """What a rig must have for the check; see ``needs``."""
    unchecked: Unchecked | None = None
    """Why it is not checked, where it is not."""
    about: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """For its kind: variant, parameter, value."""

    @property
    def document(self) -> str:
        """``lte_standard_a``"""
        return self.id.split("/", 1)[0]

    @property
    def section(self) -> str:
        """``3.3.1``"""
        return self.id.split("/", 2)[1]


def fact_id(document: str, section: str, *words: str) -> str:
    """The id of a fact; a slash or a blank within a word becomes a hyphen."""
    return "/".join([document, *(word.replace("/", "-").replace(" ", "-") for word in (section, *words))])


@cache
def facts_of(dialect: str) -> tuple[Fact, ...]:
    """Every fact of a document, by section.

    Raises:
        Unsupported: there is no such dialect.
    """
    from modemrig.conformance.kinds import KINDS

    document = load(dialect)
    found = [fact for kind in KINDS.values() for fact in kind.facts(document)]
    seen: dict[str, Fact] = {}
    for fact in found:
        assert fact.id not in seen, f"two facts are called {fact.id}"
        seen[fact.id] = fact
    return tuple(sorted(found, key=lambda fact: (_numbers(fact.section), fact.id)))


def _numbers(section: str) -> tuple[tuple[int, str], ...]:
    """Sections in the order of a table of contents; what has no number comes last."""
    return tuple((int(part), "") if part.isdecimal() else (10_000, part) for part in section.split("."))
