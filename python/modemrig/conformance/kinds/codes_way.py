"""A way to a code: what is done, and what it needs of a rig. Data of ``codes_qmt`` and ``codes_cmqtt``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from modemrig.conformance.document import Document
from modemrig.conformance.kinds.codes_scene import Scene
from modemrig.conformance.verdict import Basis


@dataclass(frozen=True, slots=True)
class Way:
    """A way to a code."""

    script: Callable[[Scene], object]
    needs: tuple[str, ...] = ("sim",)
    basis: Basis = "documented"
    said: str = ""
    """The cause, in words."""
    timer_s: float = 0.0
    """The longest documented wait on this way, in seconds."""
    only: Callable[[Document], bool] = lambda _: True
    """Which documents it leads anywhere in."""
