"""``modemrig compare``: two runs of the conformance suite, what changed from one to the other, and whether it is worse."""

from __future__ import annotations

from modemrig.conformance.compare.comparison import Comparison, compare

__all__ = ["Comparison", "compare"]
