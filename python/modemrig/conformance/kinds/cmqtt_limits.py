"""Facts about the command line of a module: how long it may be and how many commands it may hold, where a document says so."""

from __future__ import annotations

from collections.abc import Iterator

from modemrig.conformance.answer import Differs
from modemrig.conformance.document import Document
from modemrig.conformance.facts import Fact, fact_id
from modemrig.conformance.kinds.kind import Breakage, Kind
from modemrig.conformance.probe import Probe

SECTION = "1.4.4"
"""Where the documents of this family speak of the command line."""


class LineLimit(Kind):
    """The longest line, the most commands, and one beyond."""

    name = "line-limit"
    title = (
        "A command line takes as many characters and commands as documented; of a longer one nothing is carried out."
    )

    def facts(self, document: Document) -> Iterator[Fact]:
        forms = [f"+{command.short}=?" for command in document.commands if "test" in command.forms]
        length, count = document.limits.get("line_len"), document.limits.get("line_commands")
        if length is None or count is None:
            return
        lines = {
            "most-characters": (_padded(forms, length, count), f"a line may have {length} characters behind AT"),
            "too-many-characters": (
                _padded(forms, length + 1, count),
                f"a line of {length + 1} characters is refused whole",
            ),
            "most-commands": (";".join([forms[0]] * count), f"a line may hold {count} commands"),
            "too-many-commands": (
                ";".join([forms[0]] * (count + 1)),
                f"a line of {count + 1} commands is refused whole",
            ),
        }
        for word, (line, statement) in lines.items():
            yield Fact(
                fact_id(document.id, SECTION, "line", word),
                self.name,
                "command line",
                statement,
                about={"line": f"AT{line}", "refused": word.startswith("too-many"), "count": line.count(";") + 1},
            )

    def check(self, probe: Probe, fact: Fact) -> None:
        answer = probe.ask(fact.about["line"])
        if fact.about["refused"]:
            probe.expect(answer, ["ERROR"])
        elif answer.final != "OK":
            raise Differs("OK", answer.shown())

    def breakages(self, document: Document) -> Iterator[Breakage]:
        facts = list(self.facts(document))
        if facts:
            length, count = document.limits["line_len"], document.limits["line_commands"]
            for step, word, title in ((-1, "most", "one less"), (1, "too-many", "one more")):
                yield Breakage(
                    f"a command line takes {title} than documented, of characters and of commands",
                    frozenset(fact.id for fact in facts if fact.id.rpartition("/")[2].startswith(word)),
                    f"[limits]\nline_len = {length + step}\nline_commands = {count + step}\n",
                )


def _padded(forms: list[str], length: int, most: int) -> str:
    """Test forms in a row, so many that the line has exactly this length."""
    sizes = {len(form) + 1: form for form in forms}
    for long in sorted(sizes, reverse=True):
        for short in sizes:
            for count in range(most + 1):
                rest = length + 1 - count * short
                if rest >= 0 and rest % long == 0 and rest // long + count <= most:
                    return ";".join([sizes[long]] * (rest // long) + [sizes[short]] * count)
    raise AssertionError(f"no line of {length} characters of these commands")
