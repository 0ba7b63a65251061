"""What a kind of fact is: it makes its facts of any document, checks one of them, and knows modules that break them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from modemrig.conformance.document import Document
from modemrig.conformance.facts import Fact
from modemrig.conformance.probe import Probe


@dataclass(frozen=True, slots=True)
class Breakage:
    """A broken virtual module, and the facts that notice: exactly these, in the whole suite (``--self-test``)."""

    title: str
    """What is broken, in a sentence."""
    fails: frozenset[str]
    """Ids of the facts that must fail; no other may."""
    differs: str = ""
    """Difference of the module's document to the real one, TOML as in a dialect file."""
    faults: tuple[str, ...] = ()
    """As ``modemrig virtual --fault`` takes them."""
    quirks: tuple[str, ...] = ()
    """As ``modemrig virtual --quirk`` takes them."""
    also: tuple[str, ...] = ()
    """Ends of ids of facts of other kinds that show the same in passing, and so may differ as well."""


def difference(entries: Mapping[Any, object]) -> str:
    """What a broken module's document says otherwise, for ``Breakage.differs``: values by their path.

    ``{("commands", "AT+QMTCFG", "params", "cid", "max"): 14}``
    """
    return "".join(f"{'.'.join(map(json.dumps, path))} = {_toml(value)}\n" for path, value in entries.items())


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)  # numbers, texts and truth values are written alike in both


class Kind(ABC):
    """A kind of fact. One object of each stands in ``KINDS``; it holds nothing."""

    name: ClassVar[str]
    """``maximum``: the last word of the ids of its facts, or the word that stands for it in reports."""
    title: ClassVar[str]
    """What all its facts say, in a sentence."""
    repeats: ClassVar[bool] = False
    """Whether its facts say in a row what facts of other kinds say one by one, and so fail with any of them."""

    @abstractmethod
    def facts(self, document: Document) -> Iterator[Fact]:
        """The facts of this kind in a document."""

    @abstractmethod
    def check(self, probe: Probe, fact: Fact) -> None:
        """Return if the module is as the fact says; the probe cleans up behind it.

        Raises:
            Differs: it is not; with what was expected and what was observed.
            Blocked: it could not be brought to where that shows.
        """

    @abstractmethod
    def breakages(self, document: Document) -> Iterator[Breakage]:
        """Broken modules that only facts of this kind notice: at least one for a document that has such facts.

        Together they should break every fact of the kind; a check that nothing can break proves nothing.
        """
