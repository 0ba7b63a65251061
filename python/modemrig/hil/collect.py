"""Which tests run on which slots: the part of collection that knows rigs. Driven by the plugin's hooks."""

from __future__ import annotations

import os
from typing import Any

import pytest

from modemrig.errors import ModemrigError
from modemrig.hil.bench import Bench, SlotBench
from modemrig.rig import RigError, load_rig

DEFAULTS = {"rig": "virtual", "rig-log": "rig-log", "slot": []}


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
    """Command line before environment before ini file before the default."""
    given = given_option(config, name)
    return DEFAULTS.get(name) if given is None else given


def given_option(config: pytest.Config, name: str) -> Any:
    """The same without the default; ``None`` where nobody said anything."""
    ini = name.replace("-", "_")
    given = config.getoption(f"--{name}")
    if given is not None:
        return given
    said: Any = os.environ.get(f"MODEMRIG_{ini.upper()}")
    if said and name == "slot":
        said = said.split()
    return said or config.getini(ini) or None


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
            # One test stands for all there would be; the other slots go on.
            place.trouble = error
            values = [place, None] if "example" in metafunc.fixturenames else [place]
            pairs.append(pytest.param(*values, id=f"unknown-{place.slot.name}"))
            continue
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
    names = option(config, "slot")
    unknown = sorted(set(names) - {place.slot.name for place in bench.slots})
    if unknown:
        known = ", ".join(place.slot.name for place in bench.slots)
        raise pytest.UsageError(f"--slot {unknown[0]}: the rig has {known}")
    return [place for place in bench.slots if not names or place.slot.name in names]


def slot_scheduler(config: pytest.Config, log: Any) -> Any:
    """A scheduler of pytest-xdist that keeps the tests of a slot on one worker; none where no rig was asked for."""
    if not any(given_option(config, name) for name in ("rig", "broker")):
        return None
    try:
        rig = load_rig(option(config, "rig"), option(config, "broker"))
    except RigError:
        return None  # the workers say what is wrong with it
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-not-found,import-untyped,unused-ignore]

    # The slot's name ends the id of its tests; one name may be the end of another.
    names = sorted((slot.name for slot in rig.slots), key=len, reverse=True)

    class SlotScheduling(LoadScopeScheduling):  # type: ignore[misc,unused-ignore]
        def _split_scope(self, nodeid: str) -> str:
            return next((name for name in names if nodeid.endswith((f"-{name}]", f"[{name}]"))), nodeid)

    return SlotScheduling(config, log)
