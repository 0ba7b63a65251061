"""Response times of every command against the documented maximum: grouped, counted, and drawn as SVG on one logarithmic axis.

A maximum holds for acknowledged requests, so that refused ones are drawn only where a command has no maximum at all.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from modemrig.conformance.report.results import Results
from modemrig.conformance.report.texts import seconds

__all__ = ["Axis", "Distribution", "command_of", "distributions"]

WIDTH, HEIGHT = 720, 26
"""Units of a drawing; it is stretched to the width of its column."""
BIN = 4
"""Width of a bar."""
MARK = 9
"""Height of the marks of median and 95 %; bars end below them."""

_COMMAND = re.compile(r"AT(?:[+&^$#%*][A-Z][A-Z0-9]*|[A-Z])?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Distribution:
    """Response times of one command on one slot."""

    command: str
    slot: str
    maximum_s: float | None
    times_s: tuple[float, ...]
    """In order of size."""

    def quantile(self, share: float) -> float:
        """The time within which this share of the answers came (nearest rank)."""
        return self.times_s[max(0, math.ceil(share * len(self.times_s)) - 1)]

    @property
    def median_s(self) -> float:
        """Half of the answers came within this."""
        return self.quantile(0.5)

    @property
    def p95_s(self) -> float:
        """All but one in twenty came within this."""
        return self.quantile(0.95)

    @property
    def longest_s(self) -> float:
        """The slowest."""
        return self.times_s[-1]

    @property
    def share(self) -> float:
        """Of the documented maximum that the slowest took; 0 without one."""
        return self.longest_s / self.maximum_s if self.maximum_s else 0.0

    @property
    def late(self) -> int:
        """How many took longer than the documented maximum."""
        return sum(1 for time in self.times_s if self.maximum_s is not None and time > self.maximum_s)


def command_of(line: str) -> str | None:
    """``AT+QMTCFG`` of ``AT+QMTCFG="timeout",0``; none of what is no command line."""
    found = _COMMAND.match(line)
    return found[0].upper() if found else None


def distributions(results: Results) -> list[list[Distribution]]:
    """A list for each command, its slots in the order of the rig; commands that came closest to their maximum first.

    Lines that no fact is about (a check may send nonsense) are left out, unless the document gives them a maximum.
    """
    subjects = {fact.subject.upper() for fact in results.facts}
    times: dict[tuple[str, str], dict[float | None, list[float]]] = defaultdict(lambda: defaultdict(list))
    for result in results.results:
        for exchange in result.exchanges:
            command = command_of(exchange.sent)
            if command and (exchange.max_response_s is not None or command in subjects):
                times[command, result.slot][exchange.max_response_s].append(exchange.response_s)
    by_command: dict[str, list[Distribution]] = defaultdict(list)
    for slot in results.slots:
        for (command, name), by_maximum in times.items():
            if name == slot.name:
                maxima: list[float | None] = [*sorted(each for each in by_maximum if each is not None)]
                for maximum in maxima or [None]:
                    found = tuple(sorted(by_maximum[maximum]))
                    by_command[command].append(Distribution(command, name, maximum, found))
    return sorted(by_command.values(), key=lambda rows: (-max(row.share for row in rows), rows[0].command))


class Axis:
    """The logarithmic axis that all drawings share."""

    def __init__(self, rows: Iterable[Distribution]) -> None:
        values = [value for row in rows for value in (row.times_s[0], row.longest_s, row.maximum_s) if value]
        self.first = math.floor(math.log10(max(min(values, default=1e-3), 1e-5)))
        self.last = max(math.ceil(math.log10(max(values, default=1.0)) + 0.05), self.first + 1)

    def place(self, value_s: float) -> float:
        """Where a time lies, from 0 to 1."""
        return min(1.0, max(0.0, (math.log10(max(value_s, 1e-9)) - self.first) / (self.last - self.first)))

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """A place, in per cent, and a label for each power of ten."""
        powers = range(self.first, self.last + 1)
        return [(round(100 * self.place(10.0**power), 3), _round_number(power)) for power in powers]

    def grid(self) -> Markup:
        """Lines at the powers of ten: the inside of a symbol that every drawing uses."""
        lines = "".join(f"M{WIDTH * place / 100:g} 0V{HEIGHT}" for place, _ in self.ticks)
        return Markup('<path d="{}"/>').format(lines)

    def draw(self, row: Distribution) -> Markup:
        """Bars of the answers (height is the root of their number, so that a single one shows), median, p95 and maximum."""
        bars = {False: "", True: ""}
        counts: Counter[tuple[int, bool]] = Counter(
            (int(self.place(time) * WIDTH) // BIN, row.maximum_s is not None and time > row.maximum_s)
            for time in row.times_s
        )
        tallest = max(counts.values())
        for (place, late), count in sorted(counts.items()):
            height = 4 + (HEIGHT - MARK - 5) * math.sqrt(count / tallest) if tallest > 1 else 8
            bars[late] += f"M{place * BIN} {HEIGHT}v{-height:.1f}h{BIN - 1}v{height:.1f}z"
        said = f"{len(row.times_s)} answers, median {seconds(row.median_s)}, 95 % within {seconds(row.p95_s)}, "
        said += f"slowest {seconds(row.longest_s)}"
        said += f", documented maximum {seconds(row.maximum_s)}" if row.maximum_s else ""
        parts = [Markup('<use href="#grid" class="grid"/>')]
        if row.maximum_s:
            x = round(self.place(row.maximum_s) * WIDTH, 1)
            parts.append(Markup('<path class="beyond" d="M{} 0H{}V{}H{}z"/>').format(x, WIDTH, HEIGHT, x))
            parts.append(Markup('<path class="limit" d="M{} 0V{}"/>').format(x, HEIGHT))
        parts.append(Markup('<path class="bars" d="{}"/>').format(bars[False]))
        if bars[True]:
            parts.append(Markup('<path class="late" d="{}"/>').format(bars[True]))
        for name, value in (("p95", row.p95_s), ("median", row.median_s)):
            parts.append(
                Markup('<path class="{}" d="M{} 2V{}"/>').format(name, round(self.place(value) * WIDTH, 1), MARK)
            )
        return Markup(
            '<svg class="strip" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
            "<title>{}</title>{}</svg>"
        ).format(WIDTH, HEIGHT, said, said, Markup("").join(parts))


def _round_number(power: int) -> str:
    """A power of ten of a second, in words."""
    return f"{10.0**power:g} s" if power >= 0 else f"{10.0 ** (power + 3):g} ms"
