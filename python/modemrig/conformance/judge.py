"""From a fact and a probe to a result: runs the check, decides the verdict by the fact's basis, keeps what was said."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

from modemrig.conformance.answer import Answer, Blocked, Differs
from modemrig.conformance.data_cost import network_bytes
from modemrig.conformance.facts import Fact
from modemrig.conformance.needs import why_missing
from modemrig.conformance.probe import Probe
from modemrig.conformance.verdict import Verdict
from modemrig.errors import ModemrigError
from modemrig.transcripts import cover
from modemrig.virtual import Traffic

UPLOADS = ("AT+QFUPL", "AT+CCERTDOWN")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of the check of one fact on one slot."""

    fact: Fact
    slot: str
    attempt: int
    verdict: Verdict
    reason: str | None
    """Why it was skipped or blocked."""
    expected: str | None
    observed: str | None
    """Of a difference, readable."""
    started_s: float
    """Since the port was opened."""
    duration_s: float
    data_bytes: int | None
    """What crossed the network with the headers of TCP and IP, counted at a virtual module; see ``data_cost``."""
    exchanges: tuple[dict[str, Any], ...]
    transcript: tuple[tuple[float, str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """As it stands in ``results.json``."""
        row = {name: getattr(self, name) for name in self.__slots__}
        return row | {"fact": self.fact.id}


def judge(probe: Probe, fact: Fact, attempt: int = 1) -> Result:
    """Check a fact.

    Raises:
        LinkError: the port is gone.
        Exception: whatever else goes wrong here is our fault, and shows.
    """
    from modemrig.conformance.kinds import KINDS

    name = probe.place.slot.name
    missing = next((need for need in fact.needs if probe.lacks(need)), None)
    if missing is not None:
        return Result(fact, name, attempt, "skipped", why_missing(missing), None, None, 0.0, 0.0, 0, (), ())
    used = probe.hurried() if "time" in fact.needs else probe
    used.begin()
    begun, started = used.modem.clock_s, time.monotonic()
    traffic = _traffic(used)
    went_well, verdict, reason, expected, observed = True, "conforms", None, None, None
    try:
        KINDS[fact.kind].check(used, fact)
    except Differs as difference:
        verdict, expected, observed = "differs", difference.expected, difference.observed
    except (Blocked, ModemrigError, ConnectionError, TimeoutError) as trouble:
        verdict, reason = "blocked", str(trouble)
    finally:
        went_well = verdict == "conforms"
        duration = time.monotonic() - started
        exchanges = tuple(_exchange(used, each) for each in used.exchanges)
        transcript = used.finish(went_well=went_well)
    if fact.basis != "documented":
        verdict = {"conforms": "as_expected", "differs": "otherwise"}.get(verdict, verdict)
    return Result(
        fact,
        name,
        attempt,
        verdict,  # type: ignore[arg-type]
        reason and masked(used, reason),
        expected and masked(used, expected),
        observed and masked(used, observed),
        round(begun, 6),
        round(duration, 6),
        _spent(used, traffic),
        exchanges,
        tuple((round(entry.time, 6), entry.direction, entry.data.decode("latin-1")) for entry in transcript),
    )


def not_checked(fact: Fact, slot: str, attempt: int, verdict: Verdict, reason: str) -> Result:
    """The result of a check that did not come to its end."""
    return Result(fact, slot, attempt, verdict, reason, None, None, 0.0, 0.0, None, (), ())


def masked(probe: Probe, text: str) -> str:
    """The text without what is another one in every run: the broker's host and ports, the slot's prefix; and no secret."""
    broker = probe.broker
    text = broker.cover(cover(text))
    for port in (broker.port, broker.tls_port):
        if port is not None:
            text = re.sub(rf"(?<=[:,]){port}\b", "<port>", text)
    text = text.replace(broker.host, "<host>")
    return text.replace(probe.place.prefix, "<prefix>") if probe.place.prefix else text


def _exchange(probe: Probe, answer: Answer) -> dict[str, Any]:
    return {
        "sent": masked(probe, answer.sent),
        "typed": None if answer.typed is None else shown(answer.sent, answer.typed),
        "answer": [masked(probe, line) for line in answer.lines],
        "response_s": round(answer.response_s, 6),
        "max_response_s": answer.max_response_s,
    }


def shown(sent: str, typed: bytes) -> str:
    """What was typed behind a command line; of a file, which may be a key, only how long it was."""
    return "*" * len(typed) if sent.upper().startswith(UPLOADS) else typed.decode("latin-1")


def _traffic(probe: Probe) -> Traffic | None:
    return None if probe.place.module is None else probe.place.module.traffic


def _spent(probe: Probe, before: Traffic | None) -> int | None:
    after = _traffic(probe)
    return None if before is None or after is None else network_bytes(before, after)
