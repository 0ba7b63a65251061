"""Text of a module made readable, and safe, for a page: control characters shown, differences between two texts marked.

Whatever a module sent is foreign: everything here is escaped before it becomes markup.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Any

from markupsafe import Markup, escape

NONE = "\N{EN DASH}"
"""What stands where there is nothing to say."""

__all__ = ["plain", "plural", "seconds", "side_by_side", "visible"]

_TOKENS = {"\r": r"\r", "\n": r"\n", "\t": r"\t"}


def visible(text: str) -> Markup:
    """The text as markup, with what does not print (control characters, marks that turn the writing) as marked escapes."""
    parts: list[str] = []
    for part in re.split(r"([^\x20-\x7e])", text):
        if part and not part.isprintable():
            parts.append(Markup('<span class="c">{}</span>').format(_token(part)))
        else:
            parts.append(escape(part))
    return Markup("").join(parts)


def plain(value: Any) -> Any:
    """The same as text without markup. Other values are left alone: this is what a template does with all it prints."""
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "".join(each if each.isprintable() else _token(each) for each in value)


def _token(character: str) -> str:
    code = ord(character)
    return _TOKENS.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def side_by_side(expected: str, observed: str) -> tuple[Markup, Markup]:
    """Both texts as lines of markup, with what only one of them has in ``<mark>``."""
    left, right = expected.split("\n"), observed.split("\n")
    shown: tuple[list[Markup], list[Markup]] = ([], [])
    for what, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if what == "equal":
            shown[0].extend(_line(each) for each in left[a:b])
            shown[1].extend(_line(each) for each in right[c:d])
            continue
        pairs = min(b - a, d - c)
        for one, other in zip(left[a : a + pairs], right[c : c + pairs], strict=True):
            start, end = _in_common(one, other)
            shown[0].append(_line(one, start, len(one) - end))
            shown[1].append(_line(other, start, len(other) - end))
        shown[0].extend(_line(each, 0, len(each)) for each in left[a + pairs : b])
        shown[1].extend(_line(each, 0, len(each)) for each in right[c + pairs : d])
    return Markup("").join(shown[0]), Markup("").join(shown[1])


def _in_common(one: str, other: str) -> tuple[int, int]:
    """How many characters two lines share at the front, and at the back. Next to nothing in common counts as nothing."""
    shorter = min(len(one), len(other))
    start = next((n for n in range(shorter) if one[n] != other[n]), shorter)
    end = next((n for n in range(shorter - start) if one[-1 - n] != other[-1 - n]), shorter - start)
    return (start, end) if start + end > 3 else (0, 0)


def _line(text: str, start: int = 0, end: int = 0) -> Markup:
    marked = Markup("<mark>{}</mark>").format(visible(text[start:end])) if end > start else Markup("")
    return Markup('<span class="l">{}{}{}\n</span>').format(
        visible(text[:start]), marked, visible(text[max(start, end) :])
    )


def seconds(value: float | None) -> str:
    """A duration as people say it: ``0.62 ms``, ``412 ms``, ``120 s``, ``5 min 3 s``."""
    if value is None:
        return NONE
    if value < 0.00995:
        return f"{value * 1e3:.{2 if value < 0.000995 else 1}f} ms"
    if value < 0.9995:
        return f"{value * 1e3:.0f} ms"
    if value < 300:
        return f"{value:.3g} s"
    return f"{value // 60:.0f} min {value % 60:.0f} s"


def plural(number: int, one: str, many: str | None = None) -> str:
    """``1 difference``, ``1,204 differences``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
