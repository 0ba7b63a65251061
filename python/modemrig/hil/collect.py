"""Which tests run on which slots: the part of collection that knows rigs. Driven by the plugin's hooks."""

from __future__ import annotations

import re
from typing import Any

import pytest

from modemrig.errors import ModemrigError
from modemrig.hil.bench import Bench, SlotBench
from modemrig.rig import RigError, load_rig


def bench_of(config: pytest.Config) -> Bench:
    """The bench of this run; read and started when it is first asked for."""
    bench: Bench | None = getattr(config, "_modemrig_bench", None)
    if bench is None:
        try:
            bench = Bench(load_rig(option(config, "rig"), option(config, "broker")), option(config, "rig-log"))
            bench.start_broker()
        except RigError as error:
            raise pytest.UsageError(str(error)) from error
        config._modemrig_bench = bench  # type: ignore[attr-defined]
    return bench


def option(config: pytest.Config, name: str) -> Any:
    """Command line before environment before ini file."""
    import os

    ini = name.replace("-", "_")
    given = config.getoption(f"--{name}")
    return given if given is not None else os.environ.get(f"MODEMRIG_{ini.upper()}") or config.getini(ini) or None


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Give a test its slots, and a test that also takes ``example`` the examples of each slot's document."""
    bench = bench_of(metafunc.config)
    places = chosen_slots(metafunc.config, bench)
    wanted = {name for mark in metafunc.definition.iter_markers("dialect") for name in mark.args}
    pairs: list[Any] = []
    for place in places:
        try:
            dialect = place.dialect
        except ModemrigError as error:
            raise pytest.UsageError(f"slot {place.slot.name}: {error}") from error
        if wanted and dialect not in wanted:
            continue
        if "example" in metafunc.fixturenames:
            pairs += [
                pytest.param(place, example, id=f"{dialect}-{example['id']}-{place.slot.name}")
                for example in place.document["examples"]
            ]
        else:
            pairs.append(pytest.param(place, id=f"{dialect}-{place.slot.name}"))
    names = ["slot", "example"] if "example" in metafunc.fixturenames else ["slot"]
    metafunc.parametrize(names, pairs, indirect=["slot"])


def chosen_slots(config: pytest.Config, bench: Bench) -> list[SlotBench]:
    """The slots of ``--slot``, else all."""
    names = config.getoption("--slot")
    unknown = sorted(set(names) - {place.slot.name for place in bench.slots})
    if unknown:
        known = ", ".join(place.slot.name for place in bench.slots)
        raise pytest.UsageError(f"--slot {unknown[0]}: the rig has {known}")
    return [place for place in bench.slots if not names or place.slot.name in names]


def slot_scheduler(config: pytest.Config, log: Any) -> Any:
    """A scheduler of pytest-xdist that keeps the tests of a slot on one worker."""
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-not-found,unused-ignore]

    class SlotScheduling(LoadScopeScheduling):  # type: ignore[misc,unused-ignore]
        def _split_scope(self, nodeid: str) -> str:
            match = re.search(r"\[(?:.*-)?([^\[\]-]+)\]$", nodeid)
            return match[1] if match else nodeid

    return SlotScheduling(config, log)
