"""Facts from the notes of a document: every sentence is checked by facts of other kinds, checked here, or says why it is not.

A row stands for a sentence, in whatever documents it is; a test fails for a sentence without a row. Not here: the rows
(``notes_cmqtt``, and one such file for each further family).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from modemrig.conformance.document import Document
from modemrig.conformance.facts import Fact, Unchecked, fact_id
from modemrig.conformance.kinds import notes_cmqtt, notes_qmt
from modemrig.conformance.kinds.kind import Breakage, Kind
from modemrig.conformance.kinds.note import Checked, Row, Said
from modemrig.conformance.probe import Probe

WORDS = 6
"""So many words of a sentence make the end of its id."""


NOTES: Mapping[str, Row] = {**notes_cmqtt.NOTES, **notes_qmt.NOTES}
"""Every sentence that is known, of all families."""
BROKEN = (*notes_cmqtt.BROKEN, *notes_qmt.BROKEN)


class Note(Kind):
    """A sentence of a document."""

    name = "note"
    title = "What the document adds in a sentence is so."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command in document.commands:
            for note in command.notes:
                row = NOTES.get(note)
                if row is None or isinstance(row, Said):
                    continue
                slug = "-".join(re.findall(r"[\w+]+", note)[:WORDS]).lower()
                yield Fact(
                    fact_id(document.id, command.section, command.short, "note", slug),
                    self.name,
                    command.name,
                    note,
                    row.basis if isinstance(row, Checked) else "documented",
                    needs=row.needs if isinstance(row, Checked) else (),
                    unchecked=row if isinstance(row, Unchecked) else None,
                    about={"note": note},
                )

    def check(self, probe: Probe, fact: Fact) -> None:
        row = NOTES[fact.about["note"]]
        assert isinstance(row, Checked), fact.id
        row.check(probe)

    def breakages(self, document: Document) -> Iterator[Breakage]:
        for broken in BROKEN:
            fails = frozenset(fact.id for fact in self.facts(document) if fact.about["note"] in broken.notes)
            if fails:
                yield Breakage(broken.title, fails, faults=broken.faults)
