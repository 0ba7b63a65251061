"""The report of a run of the conformance suite: ``results.json`` for programs and ``report.html`` for people."""

from __future__ import annotations

from modemrig.conformance.report.results import Results, ResultsError, load_results, read_results

__all__ = ["Results", "ResultsError", "load_results", "read_results"]
