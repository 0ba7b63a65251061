"""Facts about worked examples: each of them works on the module as printed, step by step.

How an example is made ready and walked through is the other suite's (``modemrig.hil``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from modemrig.conformance.answer import Answer, Blocked, Differs
from modemrig.conformance.document import Document
from modemrig.conformance.facts import Fact, fact_id
from modemrig.conformance.kinds.kind import Breakage, Kind
from modemrig.conformance.probe import Probe
from modemrig.errors import NoAnswer
from modemrig.events import Reply
from modemrig.hil.brokers import RigBroker
from modemrig.hil.departures import NOTED, Tolerance
from modemrig.hil.examples import is_mutual, uses_tls
from modemrig.hil.states import StateError
from modemrig.hil.walk import FilesThere, Unlike, walk
from modemrig.modem import Modem

NAME = 7
"""Names of so many letters stand nowhere but in the example."""
OWN_ENDS = ("=0,120",)
"""Arguments that only examples use."""


class Example(Kind):
    """Every worked example."""

    name = "example"
    title = "Each worked example goes as printed."
    repeats = True

    def facts(self, document: Document) -> Iterator[Fact]:
        for example in document.examples:
            tls = ("tls",) if uses_tls(dict(example)) else ()
            certificates = ("certificates",) if is_mutual(dict(example)) else ()
            yield Fact(
                fact_id(document.id, example["source"], self.name, str(example["id"])),
                self.name,
                "examples",
                f"the example goes as printed: {example['title']}",
                needs=("sim", *tls, *certificates),
                about={"example": dict(example)},
            )

    def check(self, probe: Probe, fact: Fact) -> None:
        probe.reach("idle")
        try:
            walk(ProbeWalker(probe), fact.about["example"], probe.peer)
        except Unlike as difference:
            raise Differs(difference.expected, difference.observed) from None
        except (StateError, FilesThere) as trouble:
            raise Blocked(str(trouble)) from None
        except NoAnswer as trouble:
            raise Differs("the printed answer", str(trouble)) from None
        except AssertionError as difference:
            raise Differs("what the example publishes arrives", str(difference)) from None

    def breakages(self, document: Document) -> Iterator[Breakage]:
        found = {fact.id: next(_own_words(fact.about["example"]), None) for fact in self.facts(document)}
        broken = {name: fault for name, fault in found.items() if fault is not None}
        faults = tuple(dict.fromkeys(broken.values()))
        yield Breakage("what the examples show comes in other words", frozenset(broken), faults=faults)


def _own_words(example: dict[str, Any]) -> Iterator[str]:
    """Faults that change what this example alone shows: names and payloads in its answers, results of its own lines."""
    for step in example["steps"]:
        shown = [line for line in step.get("expect", ()) if not line.endswith("OK") and line.isascii()]
        for line in shown:
            names = [text for text in re.findall(r'"([^"]*)"|(\d{30,})', line) for text in text if len(text) >= NAME]
            if names and not line.startswith("+QMTOPEN") and "=?" not in step.get("send", "") and "tcp:" not in line:
                yield f"reworded:from='{names[-1][:30]}',to='{'x' * len(names[-1][:30])}'"
    for step in example["steps"]:
        sent = step.get("send", "")
        result = step.get("expect", ("",))[-1]
        if sent.endswith(OWN_ENDS) and result.startswith("+"):
            yield f"reworded:from='{result}',to='{result},7',line='{sent}'"


class ProbeWalker:
    """A probe as the slot on which an example is walked through."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    @property
    def modem(self) -> Modem:
        """The module, open."""
        return self._probe.modem

    @property
    def broker(self) -> RigBroker:
        """The rig's broker."""
        return self._probe.broker

    @property
    def prefix(self) -> str:
        """In front of client ids and topics."""
        return self._probe.place.prefix

    @property
    def document(self) -> dict[str, Any]:
        """The catalogue of the document."""
        return self._probe.place.document

    @property
    def is_qmt(self) -> bool:
        """Which family."""
        return self._probe.document.is_qmt

    @property
    def apn(self) -> str | None:
        """The network's."""
        return self._probe.place.apn

    @property
    def tolerance(self) -> Tolerance:
        """What the module may do otherwise."""
        return self._probe.tolerance

    def note(self, name: str, value: object) -> None:
        """A departure is kept; what could not be put back is a difference.

        Raises:
            Differs: something could not.
        """
        if name == NOTED:
            self._probe.departures.append(str(value))
            return
        raise Differs("everything as it was found", f"{name}: {value}")

    def judge_time(self, reply: Reply) -> None:
        """Keep the exchange; times are facts of their own."""
        maximum = reply.max_response_s if reply.ok else None
        self._probe.exchanges.append(Answer(reply.line, None, reply.exchanged, reply.response_s, maximum, False))
