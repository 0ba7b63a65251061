"""Kinds whose facts are written one by one: a table of statements, each with the steps that check it.

For what a document says in words, which no catalogue of parameters can generate. A statement holds for every document of the
family that has its command. Not here: the statements (``cmqtt_*``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from modemrig.conformance.document import Document
from modemrig.conformance.facts import Fact, Unchecked, fact_id
from modemrig.conformance.kinds.kind import Kind
from modemrig.conformance.probe import Probe
from modemrig.conformance.verdict import Basis


@dataclass(frozen=True, slots=True)
class Case:
    """A statement and its check."""

    subject: str
    """The command or URC it is about; documents without it have no such fact."""
    word: str
    """Last word of its id."""
    statement: str
    basis: Basis
    needs: tuple[str, ...]
    unchecked: Unchecked | None
    check: Callable[[Any], None] | None
    """Takes what ``CaseKind.side`` makes of a probe."""


class Table:
    """The cases of a kind. Calling it makes a decorator: the function below is the check.

    >>> table = Table("cmqtt")
    >>> @table("AT+CMQTTSTOP", "ends-service", "AT+CMQTTSTOP ends the service")
    ... def _(probe): ...
    >>> [case.word for case in table.cases]
    ['ends-service']
    """

    def __init__(self, family: str) -> None:
        self.family = family
        self.cases: list[Case] = []

    def __call__(
        self,
        subject: str,
        word: str,
        statement: str,
        *,
        basis: Basis = "documented",
        needs: tuple[str, ...] = ("sim",),
    ) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
        """A case, checked by the function below."""

        def take(check: Callable[[Any], None]) -> Callable[[Any], None]:
            self.cases.append(Case(subject, word, statement, basis, needs, None, check))
            return check

        return take

    def unchecked(self, subject: str, word: str, statement: str, why: Unchecked, basis: Basis = "documented") -> None:
        """A case nobody can check, and why."""
        self.cases.append(Case(subject, word, statement, basis, (), why, None))


class CaseKind(Kind):
    """A kind with a table."""

    table: ClassVar[Table]

    def facts(self, document: Document) -> Iterator[Fact]:
        if document.family != self.table.family:
            return
        for case in self.table.cases:
            section = section_of(document, case.subject)
            if section is not None:
                yield Fact(
                    fact_id(document.id, section, case.subject.removeprefix("AT").removeprefix("+"), case.word),
                    self.name,
                    case.subject,
                    case.statement,
                    case.basis,
                    needs=case.needs,
                    unchecked=case.unchecked,
                    about={"word": case.word},
                )

    def check(self, probe: Probe, fact: Fact) -> None:
        key = (fact.subject, fact.about["word"])
        case = next(each for each in self.table.cases if (each.subject, each.word) == key)
        assert case.check is not None, fact.id
        case.check(self.side(probe))

    def side(self, probe: Probe) -> Any:
        """What the checks take."""
        return probe

    def checked(self, document: Document, *words: str) -> frozenset[str]:
        """Ids of the facts that are checked; with words, of those alone."""
        facts = [fact for fact in self.facts(document) if fact.unchecked is None]
        return frozenset(fact.id for fact in facts if not words or fact.about["word"] in words)


def section_of(document: Document, subject: str) -> str | None:
    """Where the document describes a command or URC; ``None`` where it has none."""
    command = document.command(subject)
    if command is not None:
        return command.section
    return next((urc.section for urc in document.urcs if urc.name == subject), None)
