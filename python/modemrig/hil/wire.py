"""Lines of a module as fields, and the comparison of an expected line with one that came (decision 13)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

PLACEHOLDER = re.compile(r"<\w+>")


@dataclass(frozen=True, slots=True)
class Line:
    """``+QMTSUB: 0,1,0,2`` as a name and its fields; a line without a colon is all name."""

    name: str
    fields: tuple[str, ...]

    @staticmethod
    def parse(text: str) -> Line:
        """Split at commas outside quotation marks, parentheses and brackets; blanks and quotation marks go."""
        text = text.strip()
        match = re.match(r"([+*^][\w ]+):\s*(.*)", text, re.DOTALL)
        if match is None:
            return Line(text, ())
        return Line(match[1], tuple(field.strip().strip('"') for field in split_fields(match[2])))


def split_fields(text: str) -> list[str]:
    """The pieces between commas that stand outside quotation marks, parentheses and brackets."""
    pieces, depth, quoted, current = [], 0, False, ""
    for char in text:
        if char == '"':
            quoted = not quoted
        elif not quoted and char in "([":
            depth += 1
        elif not quoted and char in ")]":
            depth -= 1
        if char == "," and not quoted and depth == 0:
            pieces.append(current)
            current = ""
        else:
            current += char
    return [*pieces, current]


def fields_of(line: str) -> list[str]:
    """The fields behind the colon, as written; some modules have no blank there."""
    return split_fields(line.partition(":")[2].lstrip(" "))


def same(expected: str, got: str) -> bool:
    """Whether a line says what was expected; ``<name>`` in the expected line stands for any value."""
    want, have = Line.parse(expected), Line.parse(got)
    return (
        want.name == have.name
        and len(want.fields) == len(have.fields)
        and all(w == h or PLACEHOLDER.fullmatch(w) for w, h in zip(want.fields, have.fields, strict=True))
    )


def differences(expected: list[str], got: list[str], alike: Callable[[str, str], bool] = same) -> str | None:
    """``None`` where every line came, in this order and no other; else both sides, line by line."""
    if len(expected) == len(got) and all(alike(e, g) for e, g in zip(expected, got, strict=True)):
        return None
    width = max([len(line) for line in expected] + [8])
    rows = [f"    {'expected':{width}}   received"]
    for number in range(max(len(expected), len(got))):
        want = expected[number] if number < len(expected) else ""
        have = got[number] if number < len(got) else ""
        mark = "  " if want and have and alike(want, have) else "≠ "
        rows.append(f"  {mark}{want:{width}}   {have}")
    return "\n".join(rows)


def arguments(command_line: str) -> tuple[str, list[str]]:
    """``AT+QMTSUB=0,1,"t",2`` as its name and its arguments as written, quotation marks kept."""
    name, _, rest = command_line.partition("=")
    return name, split_fields(rest) if rest and rest != "?" else []
