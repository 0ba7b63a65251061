"""Kinds whose facts are told one by one: a table of what a module does, each row with the function that sees it.

The rows stand with their theme (``window``, ``will``, ``cmqtt_states``, …). A row names the command or URC it is about and what
a document must have for it, so that it finds its section, and its place, in any document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from modemrig.conformance.document import Command, Document
from modemrig.conformance.facts import Fact, Unchecked, fact_id
from modemrig.conformance.kinds.kind import Breakage, Kind
from modemrig.conformance.probe import Probe
from modemrig.conformance.verdict import Basis

PUBLISH = "publish"
"""Stands for the command that publishes, whatever the document calls it."""

BROKER = ("sim",)
CONTROL = ("sim", "broker_control")
CLOCK = ("sim", "broker_control", "time")


def unseen(probe: Probe) -> None:
    """The check of a fact nobody can check: never called."""
    raise AssertionError("an unchecked fact was checked")


def everywhere(document: Document) -> bool:
    """The condition of a row that holds in every document with its command."""
    return True


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a module does, and the function that sees whether it does."""

    subject: str
    """``AT+QMTSUB``, ``+QMTRECV``, or ``publish``."""
    word: str
    """The end of the fact's id."""
    statement: str
    """What must be true, in a sentence."""
    check: Callable[[Any], None]
    """Takes what ``Behaviours.side`` makes of a probe; returns, or raises as ``Kind.check``."""
    basis: Basis | Callable[[Document], Basis] = "documented"
    """Who says so; a function where the documents differ."""
    needs: tuple[str, ...] = BROKER
    key: str = ""
    """The setting of AT+QMTCFG, or the way of writing the command, that it is about: the row is only for documents with it."""
    only: Callable[[Document], bool] = everywhere
    """What else a document must have."""
    unchecked: Unchecked | None = None
    family: str = "qmt"
    """Of the documents that can have it."""

    def place(self, document: Document) -> tuple[str, str] | None:
        """What it is about and the section; ``None`` where the document has no such thing."""
        if document.family != self.family or not self.only(document):
            return None
        command = publisher(document) if self.subject == PUBLISH else document.command(self.subject)
        if command is None:
            section = section_of(document, self.subject)
            return None if section is None else (self.subject, section)
        if not self.key:
            return command.name, command.section
        variant = command.variant(self.key)
        return None if variant is None else (command.name, variant.section)


def section_of(document: Document, subject: str) -> str | None:
    """Where the document describes a command or URC; ``None`` where it has none."""
    command = document.command(subject)
    if command is not None:
        return command.section
    return next((urc.section for urc in document.urcs if urc.name == subject), None)


class Table(list[Behaviour]):
    """Rows written as functions. Calling it makes a decorator: the function below is the check.

    >>> table = Table("cmqtt")
    >>> @table("AT+CMQTTSTOP", "ends-service", "AT+CMQTTSTOP ends the service")
    ... def _(service): ...
    >>> [row.word for row in table]
    ['ends-service']
    """

    def __init__(self, family: str) -> None:
        super().__init__()
        self.family = family

    def __call__(
        self,
        subject: str,
        word: str,
        statement: str,
        *,
        basis: Basis = "documented",
        needs: tuple[str, ...] = BROKER,
    ) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
        """A row, checked by the function below."""

        def take(check: Callable[[Any], None]) -> Callable[[Any], None]:
            self.append(Behaviour(subject, word, statement, check, basis, needs, family=self.family))
            return check

        return take

    def unchecked(self, subject: str, word: str, statement: str, why: Unchecked, basis: Basis = "documented") -> None:
        """A row nobody can check, and why."""
        self.append(Behaviour(subject, word, statement, unseen, basis, (), unchecked=why, family=self.family))


def publisher(document: Document) -> Command | None:
    """The command that publishes."""
    return document.command("AT+QMTPUBEX") or document.command("AT+QMTPUB")


class Behaviours(Kind):
    """A kind made of a table."""

    rows: ClassVar[Sequence[Behaviour]]
    is_in_ids: ClassVar[bool] = True
    """Whether the kind's name stands in the ids of its facts; not where the words of its rows say enough."""

    def side(self, probe: Probe) -> Any:
        """What the checks take."""
        return probe

    def _placed(self, document: Document) -> Iterator[tuple[str, str, Behaviour]]:
        for row in self.rows:
            if (place := row.place(document)) is not None:
                subject, section = place
                words = [
                    subject.removeprefix("AT").removeprefix("+"),
                    row.key,
                    self.name if self.is_in_ids else "",
                    row.word,
                ]
                yield fact_id(document.id, section, *filter(None, words)), subject, row

    def facts(self, document: Document) -> Iterator[Fact]:
        for name, subject, row in self._placed(document):
            yield Fact(
                name,
                self.name,
                subject,
                row.statement,
                row.basis if isinstance(row.basis, str) else row.basis(document),
                () if row.unchecked else row.needs,
                row.unchecked,
                about={"row": self.rows.index(row), "word": row.word},
            )

    def check(self, probe: Probe, fact: Fact) -> None:
        self.rows[fact.about["row"]].check(self.side(probe))

    def broken(
        self,
        document: Document,
        title: str,
        *words: str,
        subjects: tuple[str, ...] = (),
        differs: str = "",
        faults: tuple[str, ...] = (),
        quirks: tuple[str, ...] = (),
        also: tuple[str, ...] = (),
    ) -> Iterator[Breakage]:
        """A broken module, if the document has a fact that must notice it: those with these words, of these subjects."""
        found = frozenset(
            name
            for name, about, _ in self._placed(document)
            if name in self.ids(document, *words) and (not subjects or about in subjects)
        )
        if found:
            yield Breakage(title, found, differs, faults, quirks, also)

    def ids(self, document: Document, *words: str) -> frozenset[str]:
        """The ids of the facts whose rows have these words, by default of all that are checked."""
        known = {row.word for row in self.rows}
        assert known.issuperset(words), f"{self.name} has no row {set(words) - known}"
        return frozenset(
            name
            for name, _, row in self._placed(document)
            if row.unchecked is None and (not words or row.word in words)
        )
