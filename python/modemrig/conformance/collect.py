"""Which facts are checked on which slots: the part of collection that knows rigs and documents. Driven by ``run``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from modemrig.conformance.facts import Fact, facts_of
from modemrig.errors import ModemrigError
from modemrig.hil.bench import Bench, SlotBench
from modemrig.hil.collect import chosen_slots, option
from modemrig.rig import RigError, load_rig

UNKNOWN = Fact("unknown/0/module", "unknown", "module", "The module in the slot says which document is its own.")
"""Stands for the facts of a module that cannot be asked what it is; it is in no report."""

BENCH = pytest.StashKey[Bench]()


@dataclass(frozen=True, slots=True)
class Learned:
    """What is known of a slot before its facts are."""

    dialect: str | None
    """The document of its module; ``None`` where the module could not be asked."""
    trouble: str | None
    """Why not."""


@dataclass(frozen=True, slots=True)
class Row:
    """A test to be."""

    slot: str
    fact: Fact
    attempt: int

    @property
    def id(self) -> str:
        """What stands between the brackets of its name."""
        again = "" if self.attempt == 1 else f"-attempt-{self.attempt}"
        return f"{self.fact.id}-{self.slot}{again}"


def bench_of(config: pytest.Config) -> Bench:
    """The bench of this process; read when it is first asked for, stopped by ``run``.

    Raises:
        pytest.UsageError: the rig makes no sense.
    """
    if BENCH not in config.stash:
        try:
            rig = load_rig(option(config, "rig"), option(config, "broker"))
        except RigError as error:
            raise pytest.UsageError(str(error)) from error
        config.stash[BENCH] = Bench(rig, option(config, "rig-log"))
    return config.stash[BENCH]


def places_of(config: pytest.Config) -> list[SlotBench]:
    """The slots of ``--slot``, else all."""
    return chosen_slots(config, bench_of(config))


def learn(places: Iterable[SlotBench]) -> dict[str, Learned]:
    """Ask every module that must be asked which document is its own, all at once; those of virtual slots are known."""
    places = list(places)
    with ThreadPoolExecutor(max(1, len(places))) as pool:
        return dict(zip([place.slot.name for place in places], pool.map(_learn, places), strict=True))


def _learn(place: SlotBench) -> Learned:
    try:
        facts_of(place.dialect)
    except ModemrigError as error:
        return Learned(None, str(error))
    return Learned(place.dialect, None)


def rows(config: pytest.Config, learned: dict[str, Learned]) -> Iterator[Row]:
    """The tests of these slots, slot by slot, each time all of its facts."""
    for slot, known in learned.items():
        if known.dialect is None:
            yield Row(slot, UNKNOWN, 1)  # one test stands for all there would be; the other slots go on
            continue
        sections = config.getoption("conformance_section")
        facts = [fact for fact in facts_of(known.dialect) if fact.unchecked is None and is_in(fact, sections)]
        for attempt in range(1, config.getoption("conformance_repeat") + 1):
            for fact in facts:
                yield Row(slot, fact, attempt)


def is_in(fact: Fact, sections: list[str]) -> bool:
    """Whether a fact stands in one of these sections, or below one; ``3.3``, or ``sim7028/3.3`` for one document."""
    if not sections:
        return True
    for section in sections:
        document, _, number = section.rpartition("/")
        if document in ("", fact.document) and f"{fact.section}.".startswith(f"{number}."):
            return True
    return False


def parametrize(metafunc: pytest.Metafunc, held: dict[str, Any], learned: dict[str, Learned]) -> None:
    """Give the test its facts."""
    values = [pytest.param(held[row.slot], row.fact, row.attempt, id=row.id) for row in rows(metafunc.config, learned)]
    metafunc.parametrize(("held", "fact", "attempt"), values)
