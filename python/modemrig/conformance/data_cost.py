"""What a run costs on a SIM: bytes counted at virtual modules, with the headers around them; printed by kind and document.

A virtual module counts connections, writes and reads, and the bytes in them. Each write and read is taken as one TCP segment
that the other side acknowledges by one of its own, which is the most it can be. Not counted: looking up names (a rig file can
name an address), repetitions of a bad network, and what the module sends for itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from modemrig.conformance.facts import Fact
from modemrig.virtual import Traffic

HEADERS = 40
"""Bytes of IPv4 and TCP in front of what a segment carries (RFC 791, RFC 9293), and of a bare acknowledgement."""
CONNECTION = 8 * HEADERS
"""Three segments to open a connection, of which two carry 20 bytes of options, and four to close it."""
VIRTUAL_ONLY = ("broker_control", "power", "conditions")
"""Needs that no rig of real modules has, beside faults; nothing of these checks is ever sent over a SIM."""


def network_bytes(before: Traffic, after: Traffic) -> int:
    """What crossed the network between two moments, with headers, acknowledgements, and the opening and closing."""
    connections = after.connections - before.connections
    segments = after.segments_sent - before.segments_sent + after.segments_received - before.segments_received
    carried = after.sent - before.sent + after.received - before.received
    return carried + segments * 2 * HEADERS + connections * CONNECTION


def is_for_real(fact: Fact, *, patience: bool) -> bool:
    """Whether a rig of real modules checks it."""
    if "time" in fact.needs and not patience:
        return False
    return not any(need in VIRTUAL_ONLY or need.startswith("fault:") for need in fact.needs)


def as_text(facts: Mapping[str, Fact], results: Iterable[Mapping[str, Any]], *, patience: bool) -> Iterator[str]:
    """Lines for people.

    Args:
        facts: by id.
        results: as in ``results.json``, of a run on virtual modules.
        patience: whether real modules would be waited for.
    """
    spent: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    tls: defaultdict[str, int] = defaultdict(int)
    checked, left_out = 0, 0
    for result in results:
        fact = facts[result["fact"]]
        if not is_for_real(fact, patience=patience):
            left_out += 1
            continue
        checked += 1
        spent[fact.kind][fact.document] += result["data_bytes"] or 0
        if "tls" in fact.needs:
            tls[fact.document] += result["data_bytes"] or 0
    documents = list(dict.fromkeys(fact.document for fact in facts.values()))
    total = {document: sum(row[document] for row in spent.values()) for document in documents}
    kinds = sorted(
        (kind for kind, row in spent.items() if any(row.values())), key=lambda kind: -sum(spent[kind].values())
    )
    rows = [["kind", *documents], *([kind, *(_kilobytes(spent[kind][each]) for each in documents)] for kind in kinds)]
    rows.append(["in all, without TLS", *(_kilobytes(total[each] - tls[each]) for each in documents)])
    rows.append(["in all, with TLS", *(_kilobytes(total[each]) for each in documents)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *cells in rows:
        yield "  ".join([first.ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells, widths[1:], strict=True))])
    yield f"kB of 1000 bytes, both ways, with TCP and IP; {checked} checks that a rig of real modules makes"
    if left_out:
        yield f"not counted: {left_out} checks that only a virtual module or the bench broker makes possible"


def _kilobytes(count: int) -> str:
    return f"{count / 1000:.1f}" if count else "-"
