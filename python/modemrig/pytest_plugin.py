"""The pytest plugin: options, markers, a slot as a fixture, a summary per slot. No logic: that is in ``modemrig.hil``.

It costs nothing where no test asks for a slot: the rig is read when the first test that takes the fixture ``slot`` is
collected.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import pytest

if TYPE_CHECKING:
    from modemrig.hil.bench import Bench, SlotBench
    from modemrig.modem import Modem

OPTIONS = {
    "rig": ("RIG", "virtual (a slot for each document; the default), virtual:DIALECT, or a rig file"),
    "broker": ("BROKER", "bench, mosquitto, host:port or host:port:tls_port; default: what the rig says"),
    "slot": ("NAME", "only this slot; may be given again"),
    "rig-log": ("DIR", "where transcripts go; default: rig-log in the folder pytest was started in"),
}
"""Name, placeholder and help; each has a twin in the ini file and in the environment (MODEMRIG_RIG, …)."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the group ``rig``."""
    group = parser.getgroup("rig", "rigs of cellular modules")
    for name, (placeholder, text) in OPTIONS.items():
        ini = name.replace("-", "_")
        group.addoption(
            f"--{name}",
            metavar=placeholder,
            action="append" if name == "slot" else "store",
            help=f"{text} (ini: {ini}, environment: MODEMRIG_{ini.upper()})",
        )
        kind: Literal["args", "string"] = "args" if name == "slot" else "string"
        parser.addini(ini, text, type=kind, default=[] if name == "slot" else "")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "dialect(*names): only on slots whose module speaks one of these dialects")


@pytest.hookimpl(trylast=True)  # so that the slot ends the id of a test, whatever else it takes
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes ``slot`` once on every chosen slot."""
    if "slot" in metafunc.fixturenames:
        from modemrig.hil.collect import parametrize

        try:
            parametrize(metafunc)
        except pytest.UsageError as error:
            # Raised here it would count as a broken test file; it ends the run once collection is over.
            if not hasattr(metafunc.config, "_modemrig_refused"):
                metafunc.config._modemrig_refused = str(error)  # type: ignore[attr-defined]
            for name in {"slot", "example"} & set(metafunc.fixturenames):
                metafunc.parametrize(name, [], indirect=name == "slot")


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    """End the run with one line, and exit code 4, where the rig or an option makes no sense."""
    refused = getattr(config, "_modemrig_refused", None)
    if refused is not None:
        raise pytest.UsageError(refused)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say which rig, now that it is known."""
    bench: Bench | None = getattr(config, "_modemrig_bench", None)
    return [] if bench is None else bench.described()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop what was started for the rig."""
    bench: Bench | None = getattr(session.config, "_modemrig_bench", None)
    if bench is not None:
        bench.stop()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print a line for every slot."""
    reports = [
        report for kind in ("passed", "failed", "error", "skipped") for report in terminalreporter.stats.get(kind, [])
    ]
    if any(name == "slot" for report in reports for name, _ in getattr(report, "user_properties", [])):
        from modemrig.hil.summary import write_summary

        write_summary(terminalreporter, reports)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With pytest-xdist: all tests of a slot run on one worker, so that no two of them share a module."""
    from modemrig.hil.collect import slot_scheduler

    return slot_scheduler(config, log)


@pytest.fixture
def slot(request: pytest.FixtureRequest) -> Iterator[SlotBench]:
    """The slot a test runs on: its module, its broker, and a device at the far side of the broker."""
    place: SlotBench = request.param
    try:
        was_told = place.trouble_told
        if trouble := place.use(request.node):
            # Once is enough for people; the exit code knows too.
            (pytest.skip if was_told else _fail)(f"slot {place.slot.name} is out: {trouble}")
        yield place
    finally:
        place.leave()


def _fail(reason: str) -> NoReturn:
    pytest.fail(reason, pytrace=False)


@pytest.fixture
def modem(slot: SlotBench) -> Modem:
    """The module in the slot, opened; closed and left as found behind the test."""
    return slot.modem


@pytest.fixture
def transcript_path(slot: SlotBench) -> Path:
    """The file with every byte of this test."""
    return slot.transcript_path
