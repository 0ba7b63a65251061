"""What the vendors' documents say, as data.

>>> import modemrig
>>> "ecx00u_egx00u" in modemrig.dialects()
True
>>> document = modemrig.catalogue("ecx00u_egx00u")
>>> document["clients"]
6
"""

from __future__ import annotations

import json
from typing import Any

from modemrig import _native

__all__ = ["catalogue", "dialects"]


def dialects() -> list[str]:
    """The dialects known, in the order of the documents."""
    return _native.dialects()


def catalogue(dialect: str) -> dict[str, Any]:
    """One document: commands, parameters, ranges, times, results, URCs, error codes, worked examples.

    An absent key means that the document says nothing.

    Raises:
        Unsupported: there is no such dialect; lists those that are known.
    """
    document: dict[str, Any] = json.loads(_native.catalogue_json(dialect))
    return document
