"""The suite as a plugin of pytest, loaded by its ini file: options, tests, workers, reports. No logic: that is beside it.

It acts in every process of a run: what only the first one does (gather, show, write) is in ``watch``.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from modemrig.conformance.collect import BENCH, UNKNOWN, Learned, bench_of, learn, parametrize, places_of
from modemrig.conformance.gather import packed
from modemrig.conformance.held import HeldSlot
from modemrig.conformance.judge import not_checked
from modemrig.conformance.schedule import Shares, SlotScheduling

HELD = pytest.StashKey[dict[str, HeldSlot]]()
LEARNED = pytest.StashKey[dict[str, Learned]]()
SHARES = pytest.StashKey[Shares]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that ``modemrig conformance`` passes on."""
    group = parser.getgroup("conformance", "the conformance suite of modemrig")
    add = group.addoption
    add("--conformance-section", metavar="S", action="append", default=[], help="only facts of this section")
    add("--conformance-repeat", metavar="N", type=int, default=1, help="check every fact N times")
    add("--conformance-offline", action="store_true", help="only what needs no network")
    add("--conformance-patience", action="store_true", help="wait for timers of minutes on real modules")
    add("--conformance-report", metavar="DIR", help="write report.html and results.json there")
    add("--conformance-data", action="store_true", help="print what the run costs on a SIM")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a rig or an option that makes no sense before anything runs; on the first process, begin to watch."""
    if not is_worker(config):
        from modemrig.conformance.watch import Watch

        config.pluginmanager.register(Watch(config), "modemrig-watch")


def is_worker(config: pytest.Config) -> bool:
    """Whether this is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")


def learned_of(config: pytest.Config) -> dict[str, Learned]:
    """The slots of this process and their documents; only the first process asks modules."""
    if LEARNED not in config.stash:
        given = getattr(config, "workerinput", {}).get("modemrig_slots")
        config.stash[LEARNED] = (
            learn(places_of(config)) if given is None else {name: Learned(*known) for name, known in given.items()}
        )
    return config.stash[LEARNED]


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of every fact on every slot."""
    if {"held", "fact"} <= set(metafunc.fixturenames):
        config = metafunc.config
        learned = learned_of(config)
        offline, patience = (config.getoption(f"conformance_{name}") for name in ("offline", "patience"))
        config.stash[HELD] = {
            place.slot.name: HeldSlot(place, learned[place.slot.name], offline=offline, patience=patience)
            for place in bench_of(config).slots
            if place.slot.name in learned
        }
        parametrize(metafunc, config.stash[HELD], learned)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where no fact was selected there is no test; pytest makes one up that is skipped."""
    items[:] = [item for item in items if isinstance(_params(item).get("held"), HeldSlot)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Put the result into the report, which goes to the first process."""
    report = yield
    params = _params(item)
    if call.when == "call" and "held" in params:
        held: HeldSlot = params["held"]
        result = held.last
        if result is None and params["fact"] is not UNKNOWN:  # the check itself is broken
            reason = f"the check broke: {call.excinfo.exconly(tryshort=True) if call.excinfo else 'without a word'}"
            result = not_checked(params["fact"], held.place.slot.name, params["attempt"], "blocked", reason)
        report.modemrig = packed(held.described(), result)
    return report


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Give a slot back behind its last test."""
    held, following = (_params(each).get("held") for each in (item, nextitem))
    if held is not None and following is not held:
        held.close()


def _params(item: pytest.Item | None) -> dict[str, Any]:
    params: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    return params


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Give back whatever is still held, also after Ctrl-C."""
    for held in session.config.stash.get(HELD, {}).values():
        held.close()
    if BENCH in session.config.stash:
        session.config.stash[BENCH].stop()


# ------------------------------------------------------------------------------------------------------- pytest-xdist


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker which slots are its own, and what is known of them."""
    config = node.config
    learned = learned_of(config)
    if SHARES not in config.stash:
        config.stash[SHARES] = Shares(list(learned), _workers(config))
    share = config.stash[SHARES].of(node)
    node.workerinput["modemrig_slots"] = {name: [learned[name].dialect, learned[name].trouble] for name in share}


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SlotScheduling:
    """Each worker runs what it collected."""
    return SlotScheduling(_workers(config))


def _workers(config: pytest.Config) -> int:
    from xdist.workermanage import parse_tx_spec_config  # type: ignore[import-not-found,import-untyped,unused-ignore]

    return len(parse_tx_spec_config(config))


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Only the one file holds tests; the package's others are not looked at."""
    return None if collection_path.is_dir() or collection_path.name == "test_conformance.py" else True
