"""What the checks of a run found, brought together where the run was started, and written down as ``results.json``.

Results come from workers as text in the reports of pytest. Not here: how a run is shown (``progress``, ``summary``), the page
for people (``report``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from modemrig.conformance.document import load
from modemrig.conformance.facts import REASONS, Fact, facts_of
from modemrig.conformance.judge import Result, not_checked

FORMAT, VERSION = "modemrig-conformance", 1
"""Of ``results.json``; see ``report/results.py``."""


def packed(slot: Mapping[str, Any], result: Result | None) -> str:
    """A result and what is known of its slot, as text that any channel carries: half a character of a module is escaped."""
    return json.dumps({"slot": slot, "result": result and result.to_json()})


@dataclass(slots=True)
class Gathered:
    """The results of a run as they come."""

    about: Mapping[str, Any]
    """Rig, broker, speed and selection."""
    slots: dict[str, dict[str, Any]]
    """Slots as they stand in ``results.json``, by name, in the order of the rig."""
    results: list[dict[str, Any]] = field(default_factory=list)
    _facts: dict[str, Fact] = field(default_factory=dict)

    def add(self, text: str) -> dict[str, Any] | None:
        """Take in what ``packed`` made; returns the result, ``None`` where there is none."""
        new = json.loads(text)
        self.slots[new["slot"]["name"]] = new["slot"]
        result: dict[str, Any] | None = new["result"]
        if result is not None and new["slot"]["dialect"] is not None:
            self.results.append(result)
        return result

    def lost(self, fact: Fact, slot: str, attempt: int, reason: str) -> dict[str, Any]:
        """Note a check whose result never came."""
        result = json.loads(json.dumps(not_checked(fact, slot, attempt, "blocked", reason).to_json()))
        self.results.append(result)
        return dict(result)

    @property
    def documents(self) -> list[str]:
        """Ids of the documents of this run."""
        return list(dict.fromkeys(slot["dialect"] for slot in self.slots.values() if slot["dialect"]))

    @property
    def facts(self) -> Mapping[str, Fact]:
        """Every fact of these documents, also those that no check was selected for, by id."""
        if not self._facts:
            self._facts = {fact.id: fact for document in self.documents for fact in facts_of(document)}
        return self._facts

    def to_json(self, duration_s: float) -> dict[str, Any]:
        """The whole run as it stands in ``results.json``."""
        import modemrig
        from modemrig.conformance.kinds import KINDS

        return {
            "format": FORMAT,
            "version": VERSION,
            "modemrig": modemrig.__version__,
            "made": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            **self.about,
            "duration_s": round(duration_s, 3),
            "documents": {document: _about(document) for document in self.documents},
            "kinds": {kind.name: kind.title for kind in KINDS.values()},
            "reasons": dict(REASONS),
            "slots": list(self.slots.values()),
            "facts": [_fact(fact) for fact in self.facts.values()],
            "results": self.results,
        }


def _about(dialect: str) -> dict[str, Any]:
    document = load(dialect)
    return {"title": document.title, "version": document.version or None, "date": document.date or None}


def _fact(fact: Fact) -> dict[str, Any]:
    names = ("id", "document", "section", "subject", "kind", "basis", "statement")
    unchecked = fact.unchecked and {"reason": fact.unchecked.reason, "why": fact.unchecked.why}
    return {**{name: getattr(fact, name) for name in names}, "needs": list(fact.needs), "unchecked": unchecked}
