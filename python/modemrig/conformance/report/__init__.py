"""The report of a run of the conformance suite: ``results.json`` for programs and ``report.html`` for people."""

from __future__ import annotations

from modemrig.conformance.report.results import Results, ResultsError, load_results, read_results
from modemrig.conformance.report.write import write_report

__all__ = ["Results", "ResultsError", "load_results", "read_results", "write_report"]
