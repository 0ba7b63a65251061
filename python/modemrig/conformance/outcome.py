"""What a verdict is to pytest: passed, failed or skipped, with words; and the properties of a test case in a JUnit file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from modemrig.conformance.document import load
from modemrig.conformance.facts import Fact
from modemrig.conformance.judge import Result
from modemrig.conformance.verdict import BAD

TAIL = 12
"""Lines of the transcript in the text of a failure."""


def tell(result: Result) -> None:
    """End the test as the verdict says."""
    if result.verdict in BAD:
        pytest.fail(failure_text(result), pytrace=False)
    if result.verdict == "skipped":
        pytest.skip(result.reason or "")


def failure_text(result: Result) -> str:
    """What differs, where the document says so, and the end of what was said; short."""
    fact = result.fact
    lines = [fact.id, f"  fact      {fact.statement}"]
    if fact.document in fact.id and fact.document != "unknown":
        document = load(fact.document)
        version = f", version {document.version}" if document.version else ""
        lines.append(f"  document  {document.title}{version}, section {fact.section}")
    if result.verdict == "blocked":
        lines.append(f"  blocked   {result.reason}")
    else:
        lines += _beside("expected", result.expected or "") + _beside("observed", result.observed or "")
    if result.transcript:
        lines.append("  transcript")
        spoken = [_spoken(*each) for each in result.transcript]
        cut = [f"    … {len(spoken) - TAIL} before"] if len(spoken) > TAIL else []
        lines += [*cut, *spoken[-TAIL:]]
    return "\n".join(lines)


def _beside(label: str, text: str) -> list[str]:
    first, *more = text.split("\n")
    return [f"  {label:9} {first}", *(f"{'':12}{line}" for line in more)]


def _spoken(time_s: float, direction: str, text: str) -> str:
    shown = repr(text)[1:-1]
    return f"    {time_s:10.4f}  {direction}  {shown if len(shown) <= 100 else shown[:97] + '…'}"


def properties(fact: Fact, slot: Mapping[str, Any], result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a JUnit file says of a test case beside its verdict; ``slot`` and ``result`` as in ``results.json``."""
    for name in ("fact", "section", "document", "kind", "basis"):
        yield name, fact.id if name == "fact" else str(getattr(fact, name))
    yield "verdict", result["verdict"]
    yield "slot", result["slot"]
    yield "attempt", str(result["attempt"])
    yield "module", " ".join(slot[name] for name in ("manufacturer", "model") if slot[name]) or "not known"
    for name in ("firmware", "imei"):
        yield name, slot[name] or "not known"
    if result["data_bytes"] is not None:
        yield "data_bytes", str(result["data_bytes"])
    for exchange in result["exchanges"]:
        command = re.split(r"[=?]", exchange["sent"], maxsplit=1)[0]
        maximum = exchange["max_response_s"]
        yield "response", f"{command} {exchange['response_s']:.6f}{'' if maximum is None else f' {maximum:g}'}"
