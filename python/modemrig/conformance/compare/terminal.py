"""A comparison as lines for a terminal: what got worse first, then what got better, then what only changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from modemrig.conformance.compare.comparison import AnswerChange, Comparison, Timing, VerdictChange
from modemrig.conformance.compare.noise import fewest_pairs
from modemrig.conformance.report.results import Results, Slot
from modemrig.conformance.report.texts import plain, plural, seconds
from modemrig.conformance.report.view import VERDICTS

__all__ = ["headline", "lines"]

SHOWN = 20
"""Entries of a list; the page has all."""
SHOWN_FACTS = 5
"""Facts new or gone."""
SHOWN_LINES = 6
"""Lines of an answer."""
SILENCE = "(no answer)"
WIDTH = 116
"""Characters of a line of an answer."""
_T = TypeVar("_T")
_RED, _GREEN, _YELLOW, _BOLD = "31", "32", "33", "1"


def headline(comparison: Comparison) -> str:
    """The verdict in one line."""
    parts = [
        *([plural(len(comparison.lost), "slot") + " lost"] if comparison.lost else []),
        *([plural(len(comparison.worse), "fact") + " got worse"] if comparison.worse else []),
        *([plural(len(comparison.slower), "command") + " slower"] if comparison.slower else []),
    ]
    return ", ".join(parts) or "Nothing got worse"


def lines(comparison: Comparison, colour: bool) -> Iterator[str]:
    """The lines.

    Args:
        comparison: of two runs.
        colour: whether the terminal shows colours.
    """

    def paint(code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[m" if colour else text

    yield from _head(comparison)
    for pair in comparison.lost:
        yield paint(_RED, f"{pair.name}: in trouble, and was not: {pair.after.trouble}")
    yield from _verdicts(comparison.worse, paint(_RED, "WORSE"), "documented facts that conformed")
    yield from _times(comparison.slower, paint(_RED, "SLOWER"))
    yield from _verdicts(comparison.better, paint(_GREEN, "BETTER"), "documented facts that now conform")
    yield from _times(comparison.quicker, paint(_GREEN, "QUICKER"))
    yield from _verdicts(comparison.otherwise, paint(_YELLOW, "CHANGED"), "not held against the module")
    yield from _answers(comparison.answers, paint(_YELLOW, "ANSWERS"))
    for word, facts in (("NEW", comparison.new), ("GONE", comparison.gone)):
        said = "facts of the second file alone" if word == "NEW" else "facts of the first file alone"
        yield from _list(
            facts, paint(_BOLD, word), said, lambda fact: [_cut(f"  {fact.id}: {_plain(fact.statement)}")], SHOWN_FACTS
        )
    yield from _list(
        comparison.reworded,
        paint(_BOLD, "REWORDED"),
        "facts that say something else now",
        lambda each: [
            f"  {each.after.id}",
            f"    {_plain(each.before.statement)}",
            f"    {_plain(each.after.statement)}",
        ],
        SHOWN_FACTS,
    )
    notes = [*comparison.notes, *_judged(comparison)]
    yield from ["", *notes] if notes else []
    yield ""
    yield paint(f"{_BOLD};{_RED if comparison.got_worse else _GREEN}", headline(comparison)) + _counts(comparison)


def _head(comparison: Comparison) -> Iterator[str]:
    for letter, results in (("A", comparison.a), ("B", comparison.b)):
        yield f"{letter}  {_run(results)}"
    rows = [
        (pair.name, _module(pair.before), _module(pair.after), plural(comparison.compared[pair], "fact") + " compared")
        for pair in comparison.pairs
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for name, before, after, compared in rows:
        yield (
            f"   {name:{widths[0]}}  {before:{widths[1]}}  →  {after:{widths[2]}}  {compared}"
            if before != after
            else f"   {name:{widths[0]}}  {before}, the same firmware  {compared}"
        )


def _run(results: Results) -> str:
    made = results.made.replace("T", " ").replace("Z", " UTC")
    return _plain(f"{made}  rig {results.rig}, {results.broker}, modemrig {results.modemrig}")


def _module(slot: Slot) -> str:
    return _plain(" ".join(filter(None, (slot.model, slot.firmware))) or "unknown module")


def _verdicts(changes: Sequence[VerdictChange], title: str, said: str) -> Iterator[str]:
    """Changes; what was expected and observed only of those that got worse."""

    def show(change: VerdictChange) -> Iterator[str]:
        was, now = (VERDICTS[verdict].one for verdict in change.verdicts)
        share = f" {change.after.share}" if change.after and change.after.share else ""
        yield f"  {change.pair.name}  {change.fact.id}  {was} → {now}{share}"
        yield f"    {_plain(change.fact.statement)}"
        worst = change.after.worst if change.after and change.direction == "worse" else None
        if worst is not None and worst.verdict in ("differs", "otherwise"):
            yield from _beside("expected", (worst.expected or "").split("\n"))
            yield from _beside("observed", (worst.observed or "").split("\n"))
        elif worst is not None and worst.reason:
            yield f"    {_plain(worst.reason)}"

    yield from _list(changes, title, said, show)


def _answers(changes: Sequence[AnswerChange], title: str) -> Iterator[str]:
    def show(change: AnswerChange) -> Iterator[str]:
        typed = f" > {change.typed}" if change.typed else ""
        yield _cut(f"  {change.pair.name}  {_plain(change.sent + typed)}")
        yield from _beside("before", change.before or [SILENCE])
        yield from _beside("now", change.after or [SILENCE])
        if len(change.facts) > 1:
            yield f"    seen by {len(change.facts)} checks, first {change.facts[0].id}"
        else:
            yield f"    seen by {change.facts[0].id}"

    yield from _list(changes, title, "lines that are answered in another way", show)


def _times(timings: Sequence[Timing], title: str) -> Iterator[str]:
    def show(timing: Timing) -> Iterator[str]:
        before, after = timing.before, timing.after
        maximum = ""
        if timing.maximum_s is not None:
            maximum = f", documented maximum {seconds(timing.maximum_s)}"
            maximum += f", exceeded {after.late} times" if timing.is_beyond_maximum else ""
        yield (
            f"  {timing.pair.name}  {timing.command}  median {seconds(before.median_s)} → {seconds(after.median_s)}"
            f" in {plural(len(before.times_s), 'pair')}{maximum}"
        )

    yield from _list(timings, title, "response times that moved beyond noise", show)


def _beside(label: str, text: Iterable[str]) -> Iterator[str]:
    shown = [_cut(f"    {label if number == 0 else '':9} {_plain(line)}") for number, line in enumerate(text)]
    yield from shown[:SHOWN_LINES]
    if len(shown) > SHOWN_LINES:
        yield f"    {'':9} … {len(shown) - SHOWN_LINES} lines more"


def _plain(text: str) -> str:
    """Without control characters: what a module said does not command the terminal."""
    return str(plain(text))


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"


def _list(
    entries: Sequence[_T], title: str, said: str, show: Callable[[_T], Iterable[str]], shown: int = SHOWN
) -> Iterator[str]:
    if not entries:
        return
    yield ""
    yield f"{title} {len(entries)}  {said}"
    for entry in entries[:shown]:
        yield from show(entry)
    if len(entries) > shown:
        yield f"  … {len(entries) - shown} more; --html FILE shows all"


def _counts(comparison: Comparison) -> str:
    better, otherwise, answers = len(comparison.better), len(comparison.otherwise), len(comparison.answers)
    return f"; {better} better, {otherwise} otherwise, {plural(answers, 'answer')} changed, {len(comparison.quicker)} quicker"


def _judged(comparison: Comparison) -> Iterator[str]:
    if comparison.times:
        fewest = fewest_pairs([len(timing.pairs.before_s) for timing in comparison.times])
        few = sum(1 for timing in comparison.times if timing.judged.chance is None)
        left_out = f"; {few} with fewer than {fewest} pairs of times are not: --repeat gives more" if few else ""
        yield f"Response times of {plural(len(comparison.times) - few, 'command')} are judged{left_out}."
