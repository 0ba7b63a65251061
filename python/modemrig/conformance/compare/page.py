"""A comparison as one page: the look of the report, no script, no other file."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from modemrig.conformance.compare.comparison import Comparison, VerdictChange
from modemrig.conformance.compare.noise import BUSY_S, FALSE_ALARMS, LEAST_S, LEAST_SCATTERS, LEAST_SHARE, fewest_pairs
from modemrig.conformance.compare.terminal import SILENCE, headline
from modemrig.conformance.report.times import Axis
from modemrig.conformance.report.view import VERDICTS
from modemrig.conformance.report.write import TEMPLATE, engine, replace

__all__ = ["render", "write_page"]

_OWN = Path(__file__).with_name("template")
_ENDED = frozenset({"conforms", "differs", "as_expected", "otherwise"})
"""Verdicts of checks that came to their end."""


def write_page(comparison: Comparison, path: str | os.PathLike[str]) -> Path:
    """Write the page; a file of that name is replaced.

    Raises:
        OSError: it cannot be written.
    """
    return replace(Path(path), render(comparison))


def render(comparison: Comparison) -> str:
    """The page."""
    from markupsafe import Markup

    style = "".join((folder / name).read_text(encoding="utf-8") for folder, name in _STYLES)
    seen, made = _by_end(comparison.otherwise)
    times = comparison.times
    return (
        engine(_OWN, TEMPLATE)
        .get_template("compare.html")
        .render(
            comparison=comparison,
            runs=[("Before", comparison.a), ("Now", comparison.b)],
            headline=headline(comparison),
            verdicts=VERDICTS,
            silence=SILENCE,
            observed=seen,
            checked=made,
            axis=Axis(row for timing in times for row in (timing.before, timing.after)),
            moved=[timing for timing in times if timing.judged.moved],
            still=[timing for timing in times if not timing.judged.moved],
            judged=sum(1 for timing in times if timing.judged.chance is not None),
            fewest=fewest_pairs([len(timing.pairs.before_s) for timing in times]),
            least_s=LEAST_S,
            least_scatters=LEAST_SCATTERS,
            busy_s=BUSY_S,
            least_share=LEAST_SHARE,
            false_alarms=FALSE_ALARMS,
            style=Markup(style),
        )
    )


_STYLES = ((TEMPLATE, "page.css"), (_OWN, "compare.css"))


def _by_end(
    changes: Iterable[VerdictChange],
) -> tuple[list[VerdictChange], dict[tuple[str, str], list[VerdictChange]]]:
    """Changes of what was observed, and, by both verdicts, those that only say whether a check came to its end."""
    observed: list[VerdictChange] = []
    checked: dict[tuple[str, str], list[VerdictChange]] = defaultdict(list)
    for change in changes:
        if _ENDED.issuperset(change.verdicts):
            observed.append(change)
        else:
            checked[change.verdicts].append(change)
    return observed, dict(sorted(checked.items(), key=lambda each: -len(each[1])))
