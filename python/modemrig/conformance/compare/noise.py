"""Whether response times moved, or only wavered: the judgement of two samples of one command.

Times are compared in **pairs**: the same line, sent for the same fact in both runs. A command's own variety (a query is quicker
than a connection) is in both halves of a pair and drops out, and a run that checked other facts gives no other answer. A pair
has three outcomes: slower, quicker, equal. If nothing changed, slower and quicker are two sides of a coin, so that the sign
test is exact, without any assumption of how times are distributed, and without a random number. Because many commands are
judged at once, Holm's correction raises what each has to show. And because a thousand pairs prove any trifle, such as a busier
computer, the typical pair must also have moved by a time, and a share, that no noise of a bench makes.

Not here: which exchanges are pairs (``comparison``), words (``terminal``, ``page``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from statistics import median

__all__ = [
    "BUSY_S",
    "FALSE_ALARMS",
    "LEAST_S",
    "LEAST_SCATTERS",
    "LEAST_SHARE",
    "Judged",
    "Pairs",
    "fewest_pairs",
    "judge",
    "sign_test",
]

FALSE_ALARMS = 0.01
"""How likely any command at all is reported, in a comparison of two runs in which none changed; at most."""
LEAST_S = 0.005
"""Seconds. A smaller move is the computer's or the adapter's: a scheduler's slice is milliseconds; a whole run shares it."""
LEAST_SCATTERS = 3
"""Times the scatter of the differences (their median absolute deviation). A module that became slower moves all pairs alike;
a busy computer delays some and not others, and moves the median by about one scatter (0.7 to 1.5 were measured)."""
BUSY_S = 0.02
"""Seconds. A greater move need not be that clean: beside three busy processes a core the same virtual modules moved by 13 ms,
and common USB adapters hold bytes back for up to 16 ms."""
LEAST_SHARE = 0.2
"""Of the time before. What took seconds wavers by more than :data:`LEAST_S`; a fifth is what an operator would notice."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Response times of one command, pair by pair."""

    before_s: tuple[float, ...]
    """In the first run."""
    after_s: tuple[float, ...]
    """In the second; the same places."""

    @property
    def moved_s(self) -> float:
        """By how much the typical pair moved: the median of the differences, above zero if slower."""
        return median(self._differences_s)

    @property
    def is_big(self) -> bool:
        """Whether the typical pair moved by more than noise of a bench does."""
        scatter_s = median(abs(each - self.moved_s) for each in self._differences_s)
        bench_s = min(BUSY_S, max(LEAST_S, LEAST_SCATTERS * scatter_s))
        return abs(self.moved_s) > max(bench_s, LEAST_SHARE * median(self.before_s))

    @property
    def _differences_s(self) -> list[float]:
        return [after - before for before, after in zip(self.before_s, self.after_s, strict=True)]


@dataclass(frozen=True, slots=True)
class Judged:
    """What is said of one command."""

    moved: int
    """1 slower, -1 quicker, 0 not beyond noise."""
    chance: float | None
    """How likely so one-sided a sample is without a change; none where there were too few pairs."""


def judge(samples: Sequence[Pairs]) -> list[Judged]:
    """Judge all commands of a comparison together.

    Args:
        samples: the pairs of each command.

    Returns:
        For each, in the same order, what is said of it.
    """
    fewest = fewest_pairs([len(pairs.before_s) for pairs in samples])
    chances = [_chance(pairs) if len(pairs.before_s) >= fewest else None for pairs in samples]
    judged = [Judged(0, chance) for chance in chances]
    known = sorted((chance, place) for place, chance in enumerate(chances) if chance is not None)
    for rank, (chance, place) in enumerate(known):
        if chance * (len(known) - rank) > FALSE_ALARMS:  # Holm: the first that fails ends it
            break
        if samples[place].is_big:
            judged[place] = Judged(1 if samples[place].moved_s > 0 else -1, chance)
    return judged


def fewest_pairs(sizes: Sequence[int]) -> int:
    """How many pairs a command needs to be judged: so many that, all of one mind, they outweigh the number of commands judged.

    A command with fewer could show nothing, and is left out of Holm's correction, which it would only make harder for others
    (Tarone). The choice knows the numbers of pairs and no times, so that it favours no outcome.

    Args:
        sizes: the number of pairs of each command.
    """
    return next(n for n in count(2) if 2.0 ** (1 - n) * sum(size >= n for size in sizes) <= FALSE_ALARMS)


def _chance(pairs: Pairs) -> float:
    both = list(zip(pairs.before_s, pairs.after_s, strict=True))
    return sign_test(sum(after > before for before, after in both), sum(after < before for before, after in both))


def sign_test(slower: int, quicker: int) -> float:
    """How likely a coin is to fall so one-sidedly, or more so, to either side: 1 if it fell evenly.

    Args:
        slower: times it fell to one side, from 0.
        quicker: to the other, from 0.
    """
    thrown, fewer = slower + quicker, min(slower, quicker)
    # The logarithm of a binomial coefficient, so that thousands of pairs are no problem; the sum is of positive terms.
    logs = (
        math.lgamma(thrown + 1) - math.lgamma(k + 1) - math.lgamma(thrown - k + 1) - thrown * math.log(2)
        for k in range(fewer + 1)
    )
    return min(1.0, 2 * math.fsum(map(math.exp, logs)))
