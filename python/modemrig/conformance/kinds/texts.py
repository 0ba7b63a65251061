"""Facts about the length of texts: the shortest and the longest that are taken, and what is refused beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from modemrig.conformance.document import Command, Document, Param, Variant
from modemrig.conformance.facts import Fact
from modemrig.conformance.kinds.kind import Breakage, difference
from modemrig.conformance.kinds.lines import Lines, Refused, Taken, written_params
from modemrig.conformance.samples import written

BEGINNINGS = {"server_addr": "tcp://"}
"""How a text must begin to be one of its kind."""
ENDINGS = {"host_name": ".invalid", "server_addr": ".invalid"}
"""How a name must end that no resolver knows (RFC 6761)."""


def text_of(param: Param, length: int, letter: str = "x") -> str:
    """A text of so many letters that stands for this parameter."""
    head, tail = BEGINNINGS.get(param.name, ""), ENDINGS.get(param.name, "")
    middle = length - len(head) - len(tail)
    if middle < 1:
        return letter * length
    # A label of a host name has at most 63 letters (RFC 1035).
    body = "".join("." if tail and place % 50 == 49 and place < middle - 1 else letter for place in range(middle))
    return f"{head}{body}{tail}"


class _Length(Lines):
    """Facts about a text of one length beside a limit."""

    end: ClassVar[Literal["min", "max"]]
    step: ClassVar[int]
    words: ClassVar[str]

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant, param in written_params(document, "string"):
            limit = param.min_len if self.end == "min" else param.max_len
            if (
                limit is None
                or limit + self.step < 0
                or (self.end == "min" and param.name in BEGINNINGS and not self.step)
            ):
                continue
            length = limit + self.step
            yield self._about(document, command, variant, param, length)

    def _about(self, document: Document, command: Command, variant: Variant, param: Param, length: int) -> Fact:
        return self.fact(
            document,
            command,
            variant,
            (param.name, self.name),
            statement=f"{param.name} of {command.name} {self.words} {length} bytes long",
            about=written(command, variant, {param.name: param.wire(text_of(param, length))}, count=max(variant.counts))
            | {"param": param.name, "length": length},
        )

    def _differs(self, facts: list[Fact], by: int) -> str:
        return difference(
            {
                ("commands", fact.subject, "params", fact.about["param"], f"{self.end}_len"): fact.about["length"] + by
                for fact in facts
            }
        )


class Shortest(_Length, Taken):
    """The shortest text is taken."""

    name = "shortest"
    title = "A text of the smallest documented length is taken."
    end, step, words = "min", 0, "may be"

    def breakages(self, document: Document) -> Iterator[Breakage]:
        if facts := list(self.facts(document)):
            yield Breakage("a text must be longer", frozenset(fact.id for fact in facts), self._differs(facts, 1))


class Longest(_Length, Taken):
    """The longest text is taken."""

    name = "longest"
    title = "A text of the largest documented length is taken."
    end, step, words = "max", 0, "may be"

    def breakages(self, document: Document) -> Iterator[Breakage]:
        if facts := list(self.facts(document)):
            yield Breakage("every text is one byte shorter", frozenset(f.id for f in facts), self._differs(facts, -1))


class TooShort(_Length, Refused):
    """A text that is too short is refused."""

    name = "too-short"
    title = "A text shorter than documented is refused."
    end, step, words = "min", -1, "cannot be"

    def breakages(self, document: Document) -> Iterator[Breakage]:
        # A virtual module cannot connect to nothing, whatever its document says.
        if facts := [fact for fact in self.facts(document) if fact.about["param"] not in BEGINNINGS]:
            yield Breakage("empty texts are taken", frozenset(fact.id for fact in facts), self._differs(facts, 0))


class TooLong(_Length, Refused):
    """A text that is too long is refused."""

    name = "too-long"
    title = "A text one byte longer than documented is refused."
    end, step, words = "max", 1, "cannot be"

    def breakages(self, document: Document) -> Iterator[Breakage]:
        if facts := list(self.facts(document)):
            yield Breakage("every text may be longer", frozenset(fact.id for fact in facts), self._differs(facts, 0))


class Bytes(Refused):
    """Lengths count bytes, not letters."""

    name = "bytes"
    title = "Lengths of texts count bytes, not letters."

    def facts(self, document: Document) -> Iterator[Fact]:
        for command, variant, param in written_params(document, "string"):
            if param.max_len is not None and param.unit == "bytes" and param.name not in ENDINGS:
                letters = param.max_len * 3 // 4  # fewer than the limit, and more bytes by far
                yield self.fact(
                    document,
                    command,
                    variant,
                    (param.name, self.name),
                    statement=f"{param.name} of {command.name} cannot be {letters} letters of two bytes each",
                    about=written(command, variant, {param.name: param.wire("é" * letters)}),
                )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        if facts := list(self.facts(document)):
            yield Breakage("letters are counted", frozenset(fact.id for fact in facts), quirks=("letters_counted",))
