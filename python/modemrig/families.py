"""Families of modules as they are met in the field: a document, and what its modules do besides.

>>> import modemrig
>>> modemrig.profiles()["ec20x"].dialect
'lte_standard_a'

A profile is a data file (``src/virtual_module/profiles``); ``VirtualModule("ec20x")`` is a module of that family.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from modemrig import _native

__all__ = ["Profile", "profiles"]


@dataclass(frozen=True, slots=True)
class Profile:
    """A family of modules."""

    name: str
    """``bg95``"""
    title: str
    """The family, in one line."""
    also: tuple[str, ...]
    """Other names it goes by: ``bg77``."""
    dialect: str
    """The document its modules follow as far as they do."""
    model: str
    """What ``AT+CGMM`` says."""
    quirks: tuple[str, ...]
    """How it departs from the document: ``gap:ms=250``; ``modemrig virtual --list-quirks`` explains each."""
    unsupported: dict[str, str]
    """Examples of the document that the family does not support, each with the reason."""


def profiles() -> dict[str, Profile]:
    """The profiles known, by name, in the order of their documents."""
    return {profile.name: profile for profile in _all()}


def find(name: str) -> Profile | None:
    """The profile of this name, or that also goes by it."""
    return next((profile for profile in _all() if name in (profile.name, *profile.also)), None)


@cache
def _all() -> tuple[Profile, ...]:
    rows = _native.profiles()
    return tuple(
        Profile(name, title, tuple(also), dialect, model, tuple(quirks), dict(unsupported))
        for name, title, also, dialect, model, quirks, unsupported in rows
    )
