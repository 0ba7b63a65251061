"""The words of a check's outcome, and whose word a fact is. Shared by whoever judges, writes, reads and compares results."""

from __future__ import annotations

from typing import Literal

Basis = Literal["documented", "inherited", "decided"]
"""Who says so: the document, a sibling document, or modemrig."""

Verdict = Literal["conforms", "differs", "as_expected", "otherwise", "skipped", "blocked"]
"""A documented fact conforms or differs; an inherited or decided one is observed as expected or otherwise (nothing decided by
us is held against a module); skipped: the rig lacks a need; blocked: what must come first failed."""

BAD: frozenset[Verdict] = frozenset({"differs", "blocked"})
"""Verdicts with which a run fails."""
