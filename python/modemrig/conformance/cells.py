"""Virtual modules by the hundred, each in a rig of its own: what the self-test and the matrix of the field share."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

from modemrig.conformance.collect import Learned
from modemrig.conformance.held import HeldSlot
from modemrig.hil.bench import Bench
from modemrig.rig import Rig, Slot

SPEED = 10.0
"""Clocks of the modules, where nothing needs true times."""
PROCESSES = 12 * (os.cpu_count() or 1)
"""Most of a module's time is waiting."""

Job = TypeVar("Job")
Outcome = TypeVar("Outcome")


@contextlib.contextmanager
def holding(slot: Slot, dialect: str, speed: float = SPEED) -> Iterator[HeldSlot]:
    """A virtual slot with a bench broker of its own, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="modemrig-cell-") as folder:
        bench = Bench(Rig("cell", (slot,), speed=speed), folder)
        held = HeldSlot(bench.slots[0], Learned(dialect, None), offline=False, patience=False)
        try:
            yield held
        finally:
            held.close()
            bench.stop()


def each(work: Callable[[Job], Outcome], jobs: Iterable[Job], processes: int | None = None) -> Iterator[Outcome]:
    """What comes of every job, as it comes; leaving the loop cancels those that have not begun."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes or PROCESSES, mp_context=context, initializer=_in_silence) as pool:
        waiting = [pool.submit(work, job) for job in jobs]
        try:
            for future in as_completed(waiting):
                yield future.result()
        finally:
            for future in waiting:
                future.cancel()


def _in_silence() -> None:
    """What the library warns of is what such a module is there for."""
    logging.getLogger("modemrig").addHandler(logging.NullHandler())
