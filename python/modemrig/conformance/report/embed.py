"""Facts and transcripts as the page carries them: compact JSON, gzip, base64. A script of the page unpacks them on demand.

Transcripts are cut into pieces of some hundred facts, so that opening one does not unpack all.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from typing import Any

from modemrig.conformance.report.results import Result
from modemrig.conformance.report.view import VERDICTS, Section, View

__all__ = ["embedded_facts", "embedded_results", "packed"]

PIECE = 500_000
"""Characters of JSON in a piece of transcripts, about: a page unpacks that in some ten milliseconds."""
_LETTERS = dict(zip(VERDICTS, "dobcesu", strict=True))
_BASES = ("documented", "inherited", "decided")


def packed(value: Any) -> str:
    """JSON, gzip, base64. The same value gives the same text."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode("ascii")


def embedded_facts(view: View, pieces: list[int]) -> dict[str, Any]:
    """All facts with their verdicts, as rows of numbers into lists of words.

    Args:
        view: the run.
        pieces: for each piece of :func:`embedded_results`, the first fact that is no longer in it.
    """
    results = view.results
    documents = list(dict.fromkeys(section.document for section in view.sections))
    slots = [slot.name for slot in results.slots]
    kinds, subjects, needs, reasons = list(results.kinds), _Words(), _Words(), list(results.reasons)
    section_of = {(section.document, section.name): section for section in view.sections}
    slots_of = {document: view.slots_of(document) for document in documents}
    rows = []
    for fact in results.facts:
        section = section_of[fact.document, fact.section]
        found = {cell.slot.name: _LETTERS[cell.verdict] for cell in view.cells_of(fact)}
        rest = "u" if fact.unchecked else "-"
        row: list[Any] = [
            section.number,
            subjects.number(fact.subject),
            kinds.index(fact.kind),
            _BASES.index(fact.basis),
            fact.id.removeprefix(_start(section)),
            fact.statement,
            "".join(found.get(slot.name, rest) for slot in slots_of[fact.document]),
            [needs.number(need) for need in fact.needs],
        ]
        if fact.unchecked:
            row += [reasons.index(fact.unchecked.reason), fact.unchecked.why]
        rows.append(row)
    return {
        "verdicts": [[_LETTERS[verdict], verdict, word.one] for verdict, word in VERDICTS.items()],
        "slots": slots,
        "documents": [
            {"id": document, "slots": [slots.index(slot.name) for slot in slots_of[document]]} for document in documents
        ],
        "sections": [
            [documents.index(section.document), section.name, section.label, _start(section)]
            for section in view.sections
        ],
        "kinds": [[kind, results.kinds[kind]] for kind in kinds],
        "reasons": [[reason, results.reasons[reason]] for reason in reasons],
        "subjects": subjects.words,
        "needs": needs.words,
        "pieces": pieces,
        "facts": rows,
    }


def embedded_results(view: View) -> Iterator[tuple[int, list[Any]]]:
    """Pieces: the first fact that is no longer in it, and for each of its facts a list of what was found on each slot."""
    piece: list[Any] = []
    size = 0
    for number, fact in enumerate(view.results.facts):
        row = [
            [view.results.slots.index(cell.slot), *[_attempt(result) for result in cell.attempts]]
            for cell in view.cells_of(fact)
        ]
        piece.append(row)
        size += sum(
            60 + sum(16 + len(line.data) for line in result.transcript)
            for cell in view.cells_of(fact)
            for result in cell.attempts
        )
        if size > PIECE:
            yield number + 1, piece
            piece, size = [], 0
    yield len(view.results.facts), piece


def _attempt(result: Result) -> list[Any]:
    """Verdict, reason, duration in seconds, expected, observed, traffic in bytes, and the transcript.

    The transcript is one flat list: microseconds since the line before, then the line with its direction in front.
    """
    lines: list[Any] = []
    before = result.transcript[0].t if result.transcript else 0.0
    for line in result.transcript:
        lines += [round((line.t - before) * 1e6), (">" if line.dir == "tx" else "<") + line.data]
        before = line.t
    return [
        _LETTERS[result.verdict],
        result.reason,
        round(result.duration_s, 4),
        result.expected,
        result.observed,
        result.data_bytes,
        lines,
    ]


def _start(section: Section) -> str:
    """What the ids of the section's facts begin with."""
    start = f"{section.document}/{section.name.replace('/', '-').replace(' ', '-')}/"
    return start if all(fact.id.startswith(start) for fact in section.facts) else ""


class _Words:
    """Words, each kept once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, word: str) -> int:
        return self._numbers.setdefault(word, len(self._numbers))

    @property
    def words(self) -> list[str]:
        return list(self._numbers)
