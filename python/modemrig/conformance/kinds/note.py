"""What can be said of a sentence in a document's notes: rows of the tables that ``notes`` gathers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from modemrig.conformance.facts import Unchecked
from modemrig.conformance.probe import Probe
from modemrig.conformance.verdict import Basis


@dataclass(frozen=True, slots=True)
class Said:
    """The sentence is what facts of other kinds say: the ends of their ids, ``CMQTTTOPIC/forgotten``."""

    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """The sentence has a check of its own."""

    check: Callable[[Probe], None]
    needs: tuple[str, ...] = ("sim",)
    basis: Basis = "documented"


Row = Said | Checked | Unchecked


@dataclass(frozen=True, slots=True)
class Broken:
    """A broken module, and the sentences that are not so of it."""

    title: str
    notes: tuple[str, ...]
    faults: tuple[str, ...]
