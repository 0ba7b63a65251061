"""The first process of a run: takes in what the checks found, shows how far they are, writes the results, sums up."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from modemrig.conformance import collect
from modemrig.conformance.data_cost import as_text
from modemrig.conformance.gather import Gathered
from modemrig.conformance.outcome import properties
from modemrig.conformance.progress import Progress
from modemrig.conformance.summary import write_summary
from modemrig.hil.collect import option
from modemrig.rig import RigError

SHOWN_WHOLE = 20
"""Failures that are printed with all they have to say; of more only a line each."""
_COLOURS = {
    "conforms": "green",
    "as_expected": "green",
    "differs": "red",
    "blocked": "red",
    "otherwise": "yellow",
    "skipped": "yellow",
}


class Watch:
    """Registered as a plugin."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._bench = collect.bench_of(config)
        self._places = collect.places_of(config)
        self._is_shared = bool(getattr(config.option, "tx", None))
        self._offline: bool = config.getoption("conformance_offline")
        self._folder = config.getoption("conformance_report")
        try:
            if self._folder is not None:
                Path(self._folder).mkdir(parents=True, exist_ok=True)
            # Workers start brokers of their own; here one is started to see that it can be.
            if not self._offline and not (self._is_shared and self._bench.rig.broker == "bench"):
                self._bench.start_broker()
        except (RigError, OSError) as error:
            raise pytest.UsageError(str(error)) from error
        self._begun = time.monotonic()
        self._tests = 0
        self._gathered: Gathered | None = None
        self._progress: Progress | None = None
        self._written: Path | None = None
        self._shares_seen: set[int] = set()
        self._rows: dict[str, collect.Row] = {}
        self._results: dict[str, dict[str, Any]] = {}
        """By the name of the test, until it is over."""

    @property
    def gathered(self) -> Gathered:
        """What was found by now."""
        if self._gathered is None:
            from modemrig.conformance.run import learned_of

            learned = learned_of(self._config)
            blank = dict.fromkeys(("manufacturer", "model", "firmware", "imei"))
            self._gathered = Gathered(
                self._about(),
                {
                    place.slot.name: {
                        "name": place.slot.name,
                        "port": place.slot.port,
                        "dialect": learned[place.slot.name].dialect,
                        **blank,
                        "trouble": learned[place.slot.name].trouble,
                    }
                    for place in self._places
                },
            )
        return self._gathered

    # -- the run ----------------------------------------------------------------------------------------------------------

    def pytest_report_header(self) -> list[str]:
        """Say which rig."""
        rig = self._bench.rig
        lines = [f"rig: {rig.name}, {len(self._places)} of {len(rig.slots)} slots"]
        return [
            *lines,
            *(f"  {place.slot.name}: {place.slot.port}" for place in self._places),
            f"broker: {self._broker}",
        ]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Take over from what pytest prints of its own progress."""
        self._begun = time.monotonic()
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.showfspath = reporter.showfspath and self._is_verbose
            self._progress = Progress(reporter, [place.slot.name for place in self._places], self._is_verbose)
        shared = session.config.pluginmanager.get_plugin("terminaldistreporter")
        if shared is not None and not self._is_verbose:
            # pytest-xdist has no option for it, and counts the tests of one worker as those of all.
            shared.setstatus = shared.ensure_show_status = lambda *_, **__: None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Without workers: what will run."""
        self._expect([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        """With workers: what one of them will run; one that takes another's place runs no more than that one."""
        if id(node.gateway.spec) not in self._shares_seen:
            self._shares_seen.add(id(node.gateway.spec))
            self._expect(ids)

    def _expect(self, ids: Sequence[str]) -> None:
        self._tests += len(ids)
        if self._progress is not None:
            for name in ids:
                if (row := self._row(name)) is not None:
                    self._progress.expect(row.slot)

    def _row(self, nodeid: str) -> collect.Row | None:
        if not self._rows:
            from modemrig.conformance.run import learned_of

            self._rows = {row.id: row for row in collect.rows(self._config, learned_of(self._config))}
        return self._rows.get(nodeid.partition("[")[2].removesuffix("]"))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Iterator[None]:
        """Say what all workers together ran, and that --fail-fast is a failure and no interruption."""
        try:
            return (yield)
        except KeyboardInterrupt as error:
            if self._is_shared and session.testsfailed and self._config.getoption("maxfail") and error.args:
                raise session.Failed(*error.args) from None
            raise
        finally:
            session.testscollected = self._tests

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        """Take in a result."""
        if hasattr(report, "modemrig"):
            result = self.gathered.add(report.modemrig)
            del report.modemrig
        elif report.when == "???" and (row := self._row(report.nodeid)) is not None:  # its worker died
            result = self.gathered.lost(row.fact, row.slot, row.attempt, str(report.longrepr))
        else:
            result = None
        if result is not None:
            report.modemrig_verdict = result["verdict"]
            self._results[report.nodeid] = result
            if self._progress is not None and (row := self._row(report.nodeid)) is not None:
                self._progress.add(row.slot, row.fact, result["verdict"])
        if report.when == "teardown" and (result := self._results.pop(report.nodeid, None)) is not None:
            row = self._row(report.nodeid)
            if row is not None:
                report.user_properties.extend(properties(row.fact, self.gathered.slots[row.slot], result))

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, Any] | None:
        """Show a verdict of its own where pytest has none; say nothing of each fact unless asked."""
        verdict = getattr(report, "modemrig_verdict", None)
        if verdict is None:
            return None
        said = {"as_expected": "observed as expected", "otherwise": "observed otherwise"}.get(verdict, verdict)
        category = {"failed": "failed", "skipped": "skipped"}.get(report.outcome, "passed")
        if verdict == "otherwise":
            category = said
        return category, "", (said.upper(), {_COLOURS[verdict]: True}) if self._is_verbose else ""

    # -- its end ----------------------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the report."""
        if self._progress is not None:
            self._progress.close()
        if session.testsfailed > SHOWN_WHOLE:
            self._config.option.tbstyle = "no"  # the summary has a line for each, the report everything
        if self._folder is not None and self._tests and not self._config.option.collectonly:
            from modemrig.conformance.report import write_report

            self._written = write_report(self.gathered.to_json(time.monotonic() - self._begun), Path(self._folder))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Sum up."""
        if self.gathered.results:
            write_summary(terminalreporter, self.gathered, self._written)
        if self._config.getoption("conformance_data"):
            terminalreporter.section("data")
            patience = self._config.getoption("conformance_patience")
            for line in as_text(self.gathered.facts, self.gathered.results, patience=patience):
                terminalreporter.write_line(line)

    # -- words ------------------------------------------------------------------------------------------------------------

    @property
    def _is_verbose(self) -> bool:
        return bool(self._config.option.verbose > 0)

    @property
    def _broker(self) -> str:
        wanted = self._bench.rig.broker
        if isinstance(wanted, str):
            return "bench broker" if wanted == "bench" else wanted
        return f"{wanted.host}:{wanted.port}"

    def _about(self) -> dict[str, Any]:
        return {
            "rig": self._bench.rig.name,
            "broker": self._broker,
            "speed": self._bench.rig.speed,
            "selection": {
                "k": self._config.option.keyword or "",
                "section": list(self._config.getoption("conformance_section")),
                "slot": list(option(self._config, "slot")),
                "offline": self._offline,
                "repeat": self._config.getoption("conformance_repeat"),
            },
        }
