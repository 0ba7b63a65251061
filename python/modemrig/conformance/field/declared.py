"""What a quirk or a profile changes of what the suite sees, as ``changes.toml`` declares it.

That is: facts that come out otherwise, facts that cannot be judged, lines the host finds damaged. What is not declared must
stay as documented, and what is declared must show. A quirk that a kind of fact breaks its modules with (``Kind.breakages``)
needs no declaration of those facts: they are known.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from modemrig import _native
from modemrig.conformance.document import load
from modemrig.conformance.facts import facts_of
from modemrig.conformance.kinds import KINDS

FILE = Path(__file__).with_name("changes.toml")
KEYS = {"with", "dialect", "why", "differs", "blocked", "may", "damaged", "session", "slow"}


class DeclarationError(ValueError):
    """The file of changes makes no sense."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What may, and must, be otherwise."""

    differs: tuple[str, ...] = ()
    """Facts that differ: patterns of ids, as the shell has them."""
    blocked: tuple[str, ...] = ()
    """Facts that cannot be judged."""
    may: tuple[str, ...] = ()
    """Facts that may differ or not be judged, by what else happens at the moment; these need not show."""
    known: frozenset[str] = frozenset()
    """Facts that the self-test sees failing with this quirk, or that repeat such a one."""
    is_damaged: bool = False
    """Whether the module damages lines."""
    is_slow: bool = False
    """Whether it costs time."""
    session: tuple[tuple[str, str], ...] = ()
    """Steps of a session that fail, and how: ``("subscribe", "ModuleRestarted")``."""
    written: str = ""
    """The quirk with parameters, as the matrix has it."""
    dialect: str | None = None
    """The document on whose module it shows; ``None``: any."""

    def allows(self, fact: str, verdict: str) -> bool:
        """Whether a fact may come out so."""
        if verdict == "blocked" and self.known:
            return True  # as in the self-test: it rests on what is broken
        patterns = (*(self.blocked if verdict == "blocked" else self.differs), *self.may)
        return fact in self.known or any(fnmatchcase(fact, pattern) for pattern in patterns)

    def unseen(self, dialects: Iterable[str], differing: Iterable[str], blocked: Iterable[str]) -> list[str]:
        """What is declared of these documents and was on no module of them."""
        documents = set(dialects)
        missing = []
        for word, patterns, facts in (
            ("differs", self.differs, set(differing)),
            ("blocked", self.blocked, set(blocked)),
        ):
            for pattern in patterns:
                document = pattern.partition("/")[0]
                is_of_these = document == "*" or document in documents
                if is_of_these and not any(fnmatchcase(fact, pattern) for fact in facts):
                    missing.append(f"{word} {pattern}")
        return missing


def of_quirk(quirk: str, dialect: str) -> Changes:
    """Of a quirk as it is written, for modules of a document."""
    name = quirk.partition(":")[0]
    changes = _changes(_read()["quirk"].get(name, {}), f"quirk.{name}", quirk)
    return replace(changes, known=_known(name, dialect))


def of_profile(name: str, quirks: Iterable[str], dialect: str) -> tuple[Changes, Changes]:
    """What the file says of a profile itself, and that with what its quirks may change."""
    own = _changes(_read()["profile"].get(name, {}), f"profile.{name}", "")
    parts = [own, *(of_quirk(quirk, dialect) for quirk in quirks)]
    return own, Changes(
        differs=tuple(pattern for part in parts for pattern in part.differs),
        blocked=tuple(pattern for part in parts for pattern in part.blocked),
        may=tuple(pattern for part in parts for pattern in part.may),
        known=frozenset().union(*(part.known for part in parts)),
        is_damaged=any(part.is_damaged for part in parts),
        session=tuple(step for part in parts for step in part.session),
    )


def names() -> dict[str, set[str]]:
    """The quirks and profiles the file speaks of."""
    return {table: set(rows) for table, rows in _read().items()}


@cache
def _read() -> dict[str, dict[str, Any]]:
    text = tomllib.loads(FILE.read_text(encoding="utf-8"))
    if unknown := set(text) - {"quirk", "profile"}:
        raise DeclarationError(f"{FILE.name}: unknown table {unknown.pop()}")
    return {"quirk": text.get("quirk", {}), "profile": text.get("profile", {})}


def _changes(row: dict[str, Any], where: str, quirk: str) -> Changes:
    if unknown := set(row) - KEYS:
        raise DeclarationError(
            f"{FILE.name}, {where}: unknown key {unknown.pop()}; known are {', '.join(sorted(KEYS))}"
        )
    says_something = {"differs", "blocked", "may", "damaged", "session"} & set(row)
    if says_something and not row.get("why"):
        raise DeclarationError(f"{FILE.name}, {where}: why?")
    return Changes(
        differs=tuple(row.get("differs", ())),
        blocked=tuple(row.get("blocked", ())),
        may=tuple(row.get("may", ())),
        is_damaged=bool(row.get("damaged", False)),
        is_slow=bool(row.get("slow", False)),
        session=tuple(row.get("session", {}).items()),
        written=row.get("with", quirk),
        dialect=row.get("dialect"),
    )


@cache
def _known(name: str, dialect: str) -> frozenset[str]:
    """The facts of this document that the self-test sees failing on a module with this quirk and nothing else broken."""
    document = load(dialect)
    ways = [
        breakage
        for kind in KINDS.values()
        for breakage in kind.breakages(document)
        if {quirk.partition(":")[0] for quirk in breakage.quirks} == {name}
        and not breakage.differs
        and not breakage.faults
    ]
    found = {fact for way in ways for fact in way.fails}
    if not found:
        return frozenset()
    also = tuple(end for way in ways for end in way.also)
    # Examples show the quirk too, unless it is one that modules have: those the walk knows.
    is_met_in_the_field = any(rules for quirk, _, rules, _, _ in _native.quirks() if quirk == name)
    for fact in facts_of(dialect):
        if fact.id.endswith(also) or (KINDS[fact.kind].repeats and not is_met_in_the_field):
            found.add(fact.id)
    return frozenset(found)
