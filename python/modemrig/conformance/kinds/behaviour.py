"""Kinds whose facts are told one by one: a table of what a module does, each row with the function that sees it.

The rows stand with their theme (``window``, ``will``, …). A row names the command or URC it is about and what a document must
have for it, so that it finds its section, and its place, in any document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

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
    check: Callable[[Probe], None]
    """Returns, or raises as ``Kind.check``."""
    basis: Basis | Callable[[Document], Basis] = "documented"
    """Who says so; a function where the documents differ."""
    needs: tuple[str, ...] = BROKER
    key: str = ""
    """The setting of AT+QMTCFG, or the way of writing the command, that it is about: the row is only for documents with it."""
    only: Callable[[Document], bool] = everywhere
    """What else a document must have."""
    unchecked: Unchecked | None = None

    def place(self, document: Document) -> tuple[str, str] | None:
        """What it is about and the section; ``None`` where the document has no such thing."""
        if not document.is_qmt or not self.only(document):
            return None
        if self.subject.startswith("+"):
            urc = next((each for each in document.urcs if each.name == self.subject), None)
            return None if urc is None else (urc.name, urc.section)
        command = publisher(document) if self.subject == PUBLISH else document.command(self.subject)
        if command is None:
            return None
        if not self.key:
            return command.name, command.section
        variant = command.variant(self.key)
        return None if variant is None else (command.name, variant.section)


def publisher(document: Document) -> Command | None:
    """The command that publishes."""
    return document.command("AT+QMTPUBEX") or document.command("AT+QMTPUB")


class Behaviours(Kind):
    """A kind made of a table."""

    rows: ClassVar[tuple[Behaviour, ...]]

    def _placed(self, document: Document) -> Iterator[tuple[str, str, Behaviour]]:
        for row in self.rows:
            if (place := row.place(document)) is not None:
                subject, section = place
                words = [subject.removeprefix("AT+"), *([row.key] if row.key else []), self.name, row.word]
                yield fact_id(document.id, section, *words), subject, row

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
                about={"row": self.rows.index(row)},
            )

    def check(self, probe: Probe, fact: Fact) -> None:
        self.rows[fact.about["row"]].check(probe)

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
