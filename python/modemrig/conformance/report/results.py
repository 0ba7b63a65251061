"""What a run of the conformance suite found: the file ``results.json``, read and checked.

The runner writes the file; the report and ``modemrig compare`` read it with these classes. ``results.schema.json``, beside this
file, is the same format for programs that are not ours. Reading needs no other package: the classes below are the check.

A key may be added within a version, and a reader passes over keys it does not know; the version rises when one that reads the
older would misunderstand.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from modemrig.conformance.report.reading import ResultsError, reader
from modemrig.conformance.verdict import Basis, Verdict

__all__ = [
    "FORMAT",
    "VERSION",
    "Document",
    "Exchange",
    "Fact",
    "Line",
    "Result",
    "Results",
    "ResultsError",
    "Slot",
    "Unchecked",
    "load_results",
    "read_results",
]

FORMAT = "modemrig-conformance"
"""What the key ``format`` of every results file says."""
VERSION = 1
"""The version of the format these classes are."""

_VERDICTS: dict[Basis, tuple[Verdict, Verdict]] = {
    "documented": ("conforms", "differs"),
    "inherited": ("as_expected", "otherwise"),
    "decided": ("as_expected", "otherwise"),
}
"""What a check that came to its end may say, by the basis of its fact: nothing decided by us is held against a module."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document that facts come from."""

    title: str
    """As on its first page."""
    version: str | None
    """As the document counts; none where it does not say."""
    date: str | None
    """When that version was made, ``2023-10-25``; none where it does not say."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place of the rig, and what the module in it says of itself."""

    name: str
    """Unique in the run."""
    port: str
    """As the rig file has it."""
    dialect: str | None
    """The document the module was held against; none if the slot was in trouble before it was known."""
    manufacturer: str | None
    """As AT+CGMI says, like the three below."""
    model: str | None
    """Its type."""
    firmware: str | None
    """Its revision."""
    imei: str | None
    """Its serial number."""
    trouble: str | None
    """Why nothing, or no more, could be checked there."""


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Why no check looks at a fact."""

    reason: str
    """One of the named reasons: a key of ``reasons``."""
    why: str
    """A sentence."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A statement of a document that is true or false of a module."""

    id: str
    """``lte_standard_a/3.3.1/QMTCFG/timeout/pkt_timeout/maximum``."""
    document: str
    """A key of ``documents``."""
    section: str
    """Where it stands there."""
    subject: str
    """The command, URC or example it is about."""
    kind: str
    """The kind of check: a key of ``kinds``."""
    basis: Basis
    """Whether the document says it, another one does, or we decided it."""
    statement: str
    """A sentence."""
    needs: tuple[str, ...]
    """What a rig must be able to do for it."""
    unchecked: Unchecked | None
    """Given, there are no results for it."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A command and its answer."""

    sent: str
    """The command line; what changes from run to run stands as ``<host>``, ``<port>``, ``<prefix>``."""
    typed: str | None
    """What was typed behind a prompt."""
    answer: tuple[str, ...]
    """Lines of the module."""
    response_s: float
    """Until the final result code, or the result that completes the request; seconds."""
    max_response_s: float | None
    """The documented maximum; none where there is none, or the request was not acknowledged."""


class Line(NamedTuple):
    """Bytes that crossed the line together."""

    t: float
    """Seconds since the run began."""
    dir: Literal["tx", "rx"]
    """``tx`` to the module, ``rx`` from it."""
    data: str
    """The bytes as latin-1 text."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a check of one fact found on one slot."""

    fact: str
    """The id of the fact."""
    slot: str
    """The name of the slot."""
    attempt: int
    """From 1; more where checks were repeated."""
    verdict: Verdict
    """``skipped``: the rig cannot do what it needs. ``blocked``: something that had to be so beforehand was not."""
    reason: str | None
    """Why it was skipped or blocked."""
    expected: str | None
    """Readable text, lines joined by a line feed."""
    observed: str | None
    """The same of what was seen."""
    started_s: float
    """Seconds since the run began."""
    duration_s: float
    """Seconds."""
    data_bytes: int | None
    """Bytes that crossed the module's network; none where nobody counts them."""
    exchanges: tuple[Exchange, ...]
    """Commands and their answers, in order."""
    transcript: tuple[Line, ...]
    """Everything that crossed the line."""


@dataclass(frozen=True)
class Results:
    """A run of the suite."""

    modemrig: str
    """The version of the package that ran."""
    made: str
    """When it ended, UTC: ``2026-11-21T10:40:00Z``."""
    rig: str
    """The rig's name."""
    broker: str
    """The broker, in words."""
    speed: float
    """How many times as fast as documented the timers of virtual modules ran."""
    selection: Mapping[str, Any]
    """The words of the command line that chose what ran."""
    duration_s: float
    """Wall time, seconds."""
    documents: Mapping[str, Document]
    """By the id of the dialect."""
    kinds: Mapping[str, str]
    """Kinds of check, and a sentence on each."""
    reasons: Mapping[str, str]
    """Reasons a fact is unchecked for, and a sentence on each."""
    slots: tuple[Slot, ...]
    """In the order of the rig."""
    facts: tuple[Fact, ...]
    """In the order of the documents."""
    results: tuple[Result, ...]
    """In the order they came."""
    format: str = field(default=FORMAT, repr=False)
    """Always :data:`FORMAT`."""
    version: int = field(default=VERSION, repr=False)
    """Always :data:`VERSION`."""

    @cached_property
    def fact(self) -> Mapping[str, Fact]:
        """Facts by their id."""
        return {fact.id: fact for fact in self.facts}

    @cached_property
    def slot(self) -> Mapping[str, Slot]:
        """Slots by their name."""
        return {slot.name: slot for slot in self.slots}


def load_results(path: str | os.PathLike[str]) -> Results:
    """Read a results file.

    Args:
        path: the file, or the folder of a report with ``results.json`` in it.

    Raises:
        ResultsError: it holds no results, or those of a newer version, or a key is missing or wrong; the message says which.
        OSError: it cannot be read.
    """
    file = Path(path)
    if file.is_dir():
        file /= "results.json"
    try:
        raw = json.loads(file.read_bytes(), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ResultsError(f"{file}: not a results file: not JSON", remedy=_REMEDY) from None
    try:
        return read_results(raw)
    except ResultsError as error:
        raise ResultsError(f"{file}: {error.message}", remedy=error.remedy) from None


def read_results(raw: Any) -> Results:
    """Check what a results file holds and give it types.

    Args:
        raw: the file's JSON as Python objects.

    Raises:
        ResultsError: as :func:`load_results`, without the name of a file.
    """
    if not isinstance(raw, Mapping) or raw.get("format") != FORMAT:
        raise ResultsError(f"not a results file: key 'format' must be {FORMAT!r}", remedy=_REMEDY)
    version = raw.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ResultsError(f"not a results file: key 'version' is {version!r}, not a number from 1")
    if version > VERSION:
        raise ResultsError(
            f"written in version {version} of the format by modemrig {raw.get('modemrig', '?')}; this one reads {VERSION}",
            remedy="read it with that modemrig or a later one",
        )
    results: Results = reader(Results)(raw, "")
    _check_references(results)
    return results


def _no_number(word: str) -> None:
    """Refuse what Python reads, and JSON does not know: NaN, Infinity."""
    raise ValueError(word)


_REMEDY = "write one with 'modemrig conformance --report DIR'"


# ------------------------------------------------------------------------------------------------------- what must agree


def _check_references(results: Results) -> None:
    _unique("facts", "id", [fact.id for fact in results.facts])
    _unique("slots", "name", [slot.name for slot in results.slots])
    for number, fact in enumerate(results.facts):
        at = f"facts[{number}]"
        _among(f"{at}.document", fact.document, results.documents, "documents")
        _among(f"{at}.kind", fact.kind, results.kinds, "kinds")
        if fact.unchecked is not None:
            _among(f"{at}.unchecked.reason", fact.unchecked.reason, results.reasons, "reasons")
    seen = set()
    for number, result in enumerate(results.results):
        at = f"results[{number}]"
        _among(f"{at}.fact", result.fact, results.fact, "facts")
        _among(f"{at}.slot", result.slot, results.slot, "slots")
        fact = results.fact[result.fact]
        if fact.unchecked is not None:
            raise ResultsError(f"key '{at}.fact': {fact.id!r} is an unchecked fact")
        fitting = (*_VERDICTS[fact.basis], "skipped", "blocked")
        if result.verdict not in fitting:
            raise ResultsError(
                f"key '{at}.verdict' is {result.verdict!r}, but the basis of {fact.id!r} is {fact.basis!r}"
            )
        if (key := (result.fact, result.slot, result.attempt)) in seen:
            raise ResultsError(
                f"key '{at}': attempt {result.attempt} of {result.fact!r} on {result.slot!r} stands twice"
            )
        seen.add(key)


def _unique(key: str, of: str, values: list[str]) -> None:
    seen: set[str] = set()
    for number, value in enumerate(values):
        if value in seen:
            raise ResultsError(f"key '{key}[{number}].{of}': {value!r} stands twice")
        seen.add(value)


def _among(at: str, value: str, known: Mapping[str, Any], where: str) -> None:
    if value not in known:
        raise ResultsError(f"key '{at}' is {value!r}, which is not in '{where}'")
