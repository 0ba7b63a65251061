"""Two runs of the suite, one beside the other: what changed from the first to the second. Pure; nothing is read or printed.

Verdicts, answers and times are compared on pairs of slots (``pairs``), fact by fact. Volatile parts of answers (the broker's
address, prefixes) are masked in the files already; here, the module's own IMEI and firmware are. Not here: whether times moved
beyond noise (``noise``), words (``terminal``, ``page``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from itertools import zip_longest
from typing import Literal

from modemrig.conformance.compare.noise import Judged, Pairs, judge
from modemrig.conformance.compare.pairs import SlotPair, pair_slots
from modemrig.conformance.report import Results
from modemrig.conformance.report.results import Exchange, Fact, Slot
from modemrig.conformance.report.times import Distribution, command_of
from modemrig.conformance.report.view import Cell, View
from modemrig.errors import CallerError

__all__ = ["AnswerChange", "Comparison", "Direction", "Reworded", "Timing", "VerdictChange", "compare"]

Direction = Literal["worse", "better", "otherwise"]


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """A fact with another verdict than before, on a pair of slots."""

    pair: SlotPair
    fact: Fact
    before: Cell | None
    """None where the fact was unchecked in that run."""
    after: Cell | None

    @property
    def verdicts(self) -> tuple[str, str]:
        """Before and after; ``unchecked`` where no check looked."""
        return tuple(cell.verdict if cell else "unchecked" for cell in (self.before, self.after))  # type: ignore[return-value]

    @property
    def direction(self) -> Direction:
        """Worse: it conformed and now differs or is blocked. Nothing else is held against a module."""
        before, after = self.verdicts
        if before == "conforms" and after in ("differs", "blocked"):
            return "worse"
        if before in ("differs", "blocked") and after == "conforms":
            return "better"
        return "otherwise"


@dataclass(frozen=True, slots=True)
class AnswerChange:
    """A line that a module answers in another way than before."""

    pair: SlotPair
    sent: str
    """The command line, as in the files."""
    typed: str | None
    """What was typed behind its prompt."""
    before: tuple[str, ...]
    """Lines."""
    after: tuple[str, ...]
    facts: tuple[Fact, ...]
    """Those whose check showed it."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Response times of a command in both runs, on a pair of slots."""

    pair: SlotPair
    command: str
    maximum_s: float | None
    """The documented maximum."""
    pairs: Pairs
    judged: Judged

    @property
    def before(self) -> Distribution:
        """Times of the first run."""
        return Distribution(self.command, "A", self.maximum_s, tuple(sorted(self.pairs.before_s)))

    @property
    def after(self) -> Distribution:
        """Times of the second."""
        return Distribution(self.command, "B", self.maximum_s, tuple(sorted(self.pairs.after_s)))

    @property
    def is_beyond_maximum(self) -> bool:
        """Whether it became slower and now exceeds the documented maximum."""
        return self.judged.moved > 0 and self.after.late > self.before.late


@dataclass(frozen=True, slots=True)
class Reworded:
    """A fact that says something else than before: the document's data changed, not the module."""

    before: Fact
    after: Fact


@dataclass(frozen=True)
class Comparison:
    """What changed from one run to another."""

    a: Results
    """The first run."""
    b: Results
    """The second."""
    pairs: tuple[SlotPair, ...]
    """Slots that were compared."""
    unpaired_a: tuple[Slot, ...]
    """Slots of the first run without a counterpart."""
    unpaired_b: tuple[Slot, ...]
    """Slots of the second."""
    verdicts: tuple[VerdictChange, ...]
    """In the order of the documents."""
    answers: tuple[AnswerChange, ...]
    """Each change once, however many checks showed it."""
    times: tuple[Timing, ...]
    """Every command that both runs timed; those that moved furthest first."""
    new: tuple[Fact, ...]
    """Facts of the second file alone."""
    gone: tuple[Fact, ...]
    """Facts of the first file alone."""
    reworded: tuple[Reworded, ...]
    compared: Mapping[SlotPair, int]
    """Facts with a result in both runs, by pair."""
    only_a: Mapping[SlotPair, int]
    """Facts that only the first run checked, though both know them."""
    only_b: Mapping[SlotPair, int]
    volatile: int
    """Answers left out because they changed from attempt to attempt within the first run already."""

    @cached_property
    def worse(self) -> tuple[VerdictChange, ...]:
        """Facts that conformed, and now differ or are blocked."""
        return tuple(change for change in self.verdicts if change.direction == "worse")

    @cached_property
    def better(self) -> tuple[VerdictChange, ...]:
        """Facts that differed or were blocked, and now conform."""
        return tuple(change for change in self.verdicts if change.direction == "better")

    @cached_property
    def otherwise(self) -> tuple[VerdictChange, ...]:
        """Facts whose verdict changed without being held against a module."""
        return tuple(change for change in self.verdicts if change.direction == "otherwise")

    @cached_property
    def slower(self) -> tuple[Timing, ...]:
        """Commands that became slower beyond noise."""
        return tuple(timing for timing in self.times if timing.judged.moved > 0)

    @cached_property
    def quicker(self) -> tuple[Timing, ...]:
        """Commands that became quicker beyond noise."""
        return tuple(timing for timing in self.times if timing.judged.moved < 0)

    @cached_property
    def lost(self) -> tuple[SlotPair, ...]:
        """Slots that are in trouble now, and were not."""
        return tuple(pair for pair in self.pairs if pair.after.trouble and not pair.before.trouble)

    @property
    def got_worse(self) -> bool:
        """Whether anything did: a fact, a response time, or a slot."""
        return bool(self.worse or self.slower or self.lost)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What else the runs do not share; sentences for people."""
        return tuple(_notes(self))


def compare(a: Results, b: Results, *, slot_a: str | None = None, slot_b: str | None = None) -> Comparison:
    """Compare two runs.

    Args:
        a: the run before.
        b: the run after; ``a`` again for two slots of one run.
        slot_a: only this slot of ``a``; see :func:`pair_slots` for how slots find each other.
        slot_b: only this slot of ``b``.

    Raises:
        CallerError: no two slots can be compared, or the runs have no fact in common.
    """
    pairs, unpaired_a, unpaired_b = pair_slots(a, b, slot_a, slot_b)
    documents = {pair.document for pair in pairs}
    facts_a = [fact for fact in a.facts if fact.document in documents]
    facts_b = [fact for fact in b.facts if fact.document in documents]
    view_a, view_b = View(a), View(b)
    verdicts: list[VerdictChange] = []
    compared, only_a, only_b = (dict.fromkeys(pairs, 0) for _ in range(3))
    found = _Exchanges(frozenset(fact.subject.upper() for fact in facts_b))
    for pair in pairs:
        for fact in facts_b:
            if fact.document != pair.document or fact.id not in a.fact:
                continue
            before = view_a.cells.get((fact.id, pair.before.name))
            after = view_b.cells.get((fact.id, pair.after.name))
            compared[pair] += bool(before and after)
            change = VerdictChange(pair, fact, before, after)
            if _was_run(before, a.fact[fact.id]) and _was_run(after, fact):
                if change.verdicts[0] != change.verdicts[1]:
                    verdicts.append(change)
            else:
                only_a[pair] += before is not None
                only_b[pair] += after is not None
            if before and after:
                found.add(change)
    if not any(compared.values()) and not any(pair.after.trouble for pair in pairs):
        raise CallerError("no fact was checked in both runs", remedy="run both with the same -k, --section and --slot")
    return Comparison(
        a,
        b,
        pairs,
        unpaired_a,
        unpaired_b,
        tuple(verdicts),
        tuple(found.answers()),
        tuple(found.times()) if a.speed == b.speed else (),
        tuple(fact for fact in facts_b if fact.id not in a.fact),
        tuple(fact for fact in facts_a if fact.id not in b.fact),
        tuple(
            Reworded(a.fact[fact.id], fact)
            for fact in facts_b
            if fact.id in a.fact and a.fact[fact.id].statement != fact.statement
        ),
        compared,
        only_a,
        only_b,
        found.volatile,
    )


def _was_run(cell: Cell | None, fact: Fact) -> bool:
    """Whether the run says anything of the fact: a result, or that no check looks at it."""
    return cell is not None or fact.unchecked is not None


def _notes(comparison: Comparison) -> Iterator[str]:
    a, b = comparison.a, comparison.b
    if a.speed != b.speed:
        yield f"The clocks ran {a.speed:g} and {b.speed:g} times as fast: response times are not compared."
    for name in ("rig", "broker", "modemrig"):
        before, after = getattr(a, name), getattr(b, name)
        if before != after:
            yield f"{'Version of modemrig' if name == 'modemrig' else name.capitalize()}: {before}, then {after}."
    for which, counts in (("first", comparison.only_a), ("second", comparison.only_b)):
        for pair, count in counts.items():
            if count:
                yield f"{pair.name}: {count} facts were checked in the {which} run only."
    for which, slots in (("first", comparison.unpaired_a), ("second", comparison.unpaired_b)):
        for slot in slots:
            yield f"{slot.name} ({slot.dialect or 'in trouble'}) has no counterpart: it is in the {which} run only."
    if comparison.volatile:
        yield f"{comparison.volatile} answers changed from attempt to attempt in the first run already; they are left out."


class _Exchanges:
    """Lines that both runs sent for the same fact, in the same order: the pairs of exchanges."""

    def __init__(self, subjects: frozenset[str]) -> None:
        self.volatile = 0
        self._subjects = subjects
        self._answers: dict[tuple[SlotPair, str, str | None, tuple[str, ...], tuple[str, ...]], list[Fact]] = {}
        self._times: dict[tuple[SlotPair, str, float | None], list[tuple[float, float]]] = defaultdict(list)

    def add(self, change: VerdictChange) -> None:
        """Take in the attempts of a fact."""
        assert change.before is not None
        assert change.after is not None
        pair, fact = change.pair, change.fact
        said: dict[tuple[str, str | None, int], list[tuple[tuple[str, ...], tuple[str, ...]]]] = defaultdict(list)
        for before, after in zip(change.before.attempts, change.after.attempts, strict=False):
            count: Counter[tuple[str, str | None]] = Counter()
            for one, other in _same_lines(before.exchanges, after.exchanges):
                self._time(pair, one, other)
                line = one.sent, one.typed
                said[*line, count[line]].append((_masked(one, pair.before), _masked(other, pair.after)))
                count[line] += 1
        for (sent, typed, _), answers in said.items():
            before_said, after_said = (Counter(each) for each in zip(*answers, strict=True))
            if before_said.keys() == after_said.keys():
                continue
            if len(before_said) > 1:
                self.volatile += 1
                continue
            (was,) = before_said
            now = next(answer for answer, _ in after_said.most_common() if answer != was)
            self._answers.setdefault((pair, sent, typed, was, now), []).append(fact)

    def _time(self, pair: SlotPair, one: Exchange, other: Exchange) -> None:
        """Maxima are of acknowledged requests; without one, only the same answer takes comparable time.

        A line that no fact is about (a check may send nonsense) is not timed.
        """
        command = command_of(one.sent)
        if command is None:
            return
        is_limited = one.max_response_s is not None and other.max_response_s is not None
        has_none = one.max_response_s is None and other.max_response_s is None
        if is_limited or (has_none and command in self._subjects and one.answer == other.answer):
            self._times[pair, command, other.max_response_s].append((one.response_s, other.response_s))

    def answers(self) -> Iterator[AnswerChange]:
        """Each change once."""
        for (pair, sent, typed, before, after), facts in self._answers.items():
            yield AnswerChange(pair, sent, typed, before, after, tuple(facts))

    def times(self) -> list[Timing]:
        """All commands, judged together: what moved furthest, for its noise and its maximum, comes first."""
        limited = {(pair, command) for pair, command, maximum in self._times if maximum is not None}
        rows = [
            (key, Pairs(*zip(*times, strict=True)))
            for key, times in self._times.items()
            if key[2] is not None or key[:2] not in limited
        ]
        judged = judge([pairs for _, pairs in rows])
        timings = [Timing(*key, pairs, each) for (key, pairs), each in zip(rows, judged, strict=True)]
        return sorted(
            timings,
            key=lambda each: (
                {1: 0, -1: 1, 0: 2}[each.judged.moved],
                -each.is_beyond_maximum,
                -abs(each.pairs.moved_s),
                each.command,
            ),
        )


def _answered(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Without the tries of a wait: lines that got no answer and were sent again at once, as to a module that starts."""
    return [
        each
        for each, then in zip_longest(exchanges, exchanges[1:])
        if each.answer or then is None or (each.sent, each.typed) != (then.sent, then.typed)
    ]


def _same_lines(one: Sequence[Exchange], other: Sequence[Exchange]) -> Iterator[tuple[Exchange, Exchange]]:
    one, other = _answered(one), _answered(other)
    left, right = [(each.sent, each.typed) for each in one], [(each.sent, each.typed) for each in other]
    if left == right:
        yield from zip(one, other, strict=True)
        return
    for a, b, size in SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks():
        yield from zip(one[a : a + size], other[b : b + size], strict=True)


def _masked(exchange: Exchange, slot: Slot) -> tuple[str, ...]:
    """The answer without what is the module's own: two modules, or two firmwares, say another one each time they are asked."""
    lines = exchange.answer
    for name, own in (("<imei>", slot.imei), ("<firmware>", slot.firmware)):
        if own:
            lines = tuple(line.replace(own, name) for line in lines)
    return lines
