"""Results as a run writes them, made up: the size and the variety of a full run, without the run. Used by the report's tests.

Not a fixture of what modules do: verdicts, times and lines are drawn from a seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import modemrig

KINDS = {
    "test-form": "The test form answers as printed.",
    "read-form": "The read form answers with the shape that is documented.",
    "default": "A setting has its documented value after power-up.",
    "minimum": "The smallest documented value is accepted.",
    "maximum": "The largest documented value is accepted.",
    "below": "One less than the smallest value is refused.",
    "above": "One more than the largest value is refused.",
    "value": "A documented value is accepted.",
    "unknown-value": "A value that is not documented is refused.",
    "too-few": "A line with too few parameters is refused.",
    "too-many": "A line with too many parameters is refused.",
    "type": "A parameter of the wrong type is refused.",
    "query": "A setting reads back as it was set.",
    "response-time": "The answer comes within the documented maximum.",
    "urc": "A URC has its documented shape.",
    "error-code": "A code is given for its documented cause.",
}
REASONS = {
    "unreachable": "Nothing leads there: the document reserves it, or a module that works never says it.",
    "unseen": "No answer, no packet and no time differs with it.",
    "repeated": "The document says it again elsewhere; it is checked there.",
    "advice": "It tells people what to do, not what a module does.",
    "damaged": "The document contradicts itself, or the copy at hand lost it.",
    "elsewhere": "It is about something beside the module: the network, the broker, another document.",
}
HOSTILE = '<script>alert("firmware")</script>\x1b[31m\x00é</td>'
"""What a module might send to whoever reads its report."""
DOCUMENTS = ("lte_standard_a", "ecx00u_egx00u", "ec200x_ec600x_eg912y", "bc35g_bc28", "sim7028")


def made_results(*, facts: int = 6000, second_slots: int = 1, good: bool = False, attempts: int = 1) -> dict[str, Any]:
    """A results file.

    Args:
        facts: about how many, over all five documents.
        second_slots: how many more modules of the first document there are, with another firmware each.
        good: whether every check ended well.
        attempts: results for each fact and slot.
    """
    draw = random.Random(4)
    made = [fact for document in DOCUMENTS for fact in _facts(document, facts // len(DOCUMENTS), draw)]
    slots = [_slot(document, document, number) for number, document in enumerate(DOCUMENTS)]
    slots += [_slot(f"slot-{n + 6}", DOCUMENTS[0], n + 5, f"EC200AAUHAR01A1{n}M16") for n in range(second_slots)]
    clock = dict.fromkeys([slot["name"] for slot in slots], 0.4)
    found = []
    for fact in made:
        for slot in slots:
            if slot["dialect"] == fact["document"] and fact["unchecked"] is None:
                found += [_result(fact, slot, n + 1, clock, draw, good) for n in range(attempts)]
    return {
        "format": "modemrig-conformance",
        "version": 1,
        "modemrig": "0.3.0",
        "made": "2026-11-21T10:40:00Z",
        "rig": "virtual",
        "broker": "bench broker",
        "speed": 1.0,
        "selection": {"k": "", "section": [], "slot": [], "offline": False, "repeat": attempts},
        "duration_s": max(clock.values()),
        "documents": {
            name: {key: modemrig.catalogue(name)["document"].get(key) for key in ("title", "version", "date")}
            for name in DOCUMENTS
        },
        "kinds": KINDS,
        "reasons": REASONS,
        "slots": slots,
        "facts": made,
        "results": found,
    }


def _slot(name: str, dialect: str, number: int, firmware: str = "VIRTUAL01A02M08") -> dict[str, Any]:
    module = modemrig.catalogue(dialect)["modules"][0]
    return {
        "name": name,
        "port": f"virtual:{dialect}",
        "dialect": dialect,
        "manufacturer": "SIMCOM" if dialect == "sim7028" else "Quectel",
        "model": module["model"].removesuffix(" Series"),
        "firmware": firmware,
        "imei": f"86012304567{number:04}",
        "trouble": None,
    }


def _facts(document: str, wanted: int, draw: random.Random) -> Iterator[dict[str, Any]]:
    """Facts in the order of the document: a few of every command, padded with values until there are enough."""
    catalogue = modemrig.catalogue(document)
    seen: set[str] = set()
    rows = list(_statements(catalogue))
    rounds = 0
    while len(seen) < wanted:
        for section, subject, words, kind, statement in rows:
            id_ = "/".join([document, *(word.replace("/", "-").replace(" ", "-") for word in (section, *words))])
            id_ += f"/{rounds}" if rounds else ""
            if id_ in seen or len(seen) >= wanted:
                continue
            seen.add(id_)
            basis = draw.choices(("documented", "inherited", "decided"), (85, 9, 6))[0]
            unchecked = None
            if draw.random() < 0.04:
                reason = draw.choice(list(REASONS))
                why = draw.choice(
                    ["No cause leads there on a bench.", "The document reserves the value.", "It is said in 3.2."]
                )
                unchecked = {"reason": reason, "why": why}
            needs = [draw.choice(["broker_control", "fault:puback_lost", "sim", "tls", "power", "time"])]
            yield {
                "id": id_,
                "document": document,
                "section": section,
                "subject": subject,
                "kind": kind,
                "basis": basis,
                "statement": statement,
                "needs": needs if draw.random() < 0.1 else [],
                "unchecked": unchecked,
            }
        rounds += 1


def _statements(catalogue: dict[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...], str, str]]:
    for command in [*catalogue["commands"], *catalogue["surroundings"]]:
        name, section = command["name"], command["source"]
        word = name.removeprefix("AT+")
        yield section, name, (word, "test"), "test-form", f"{name}=? answers as printed"
        yield section, name, (word, "response"), "response-time", f"{name} answers within its documented maximum"
        for variant in command["variants"]:
            for param in variant["params"]:
                at = (word, variant["key"], param)
                for kind, says in (
                    ("minimum", "may be as small as documented"),
                    ("maximum", "may be as large as documented"),
                    ("below", "may not be smaller than documented"),
                    ("above", "may not be larger than documented"),
                    ("type", "must be of its documented type"),
                    ("query", "reads back as it was set"),
                    ("default", "has its documented value after power-up"),
                    ("unknown-value", "may not be a value that is not listed"),
                ):
                    yield section, name, (*at, kind), kind, f"{param} of {name} {says}"
            yield (
                section,
                name,
                (word, variant["key"], "too-few"),
                "too-few",
                f"{name} with a parameter too few is refused",
            )
            yield (
                section,
                name,
                (word, variant["key"], "too-many"),
                "too-many",
                f"{name} with a parameter too many is refused",
            )
    for urc in catalogue["urcs"]:
        yield urc["source"], urc["name"], (urc["name"][1:], "shape"), "urc", f"{urc['name']} has its documented shape"


def _result(
    fact: dict[str, Any], slot: dict[str, Any], attempt: int, clock: dict[str, float], draw: random.Random, good: bool
) -> dict[str, Any]:
    documented = fact["basis"] == "documented"
    verdict, luck = ("conforms" if documented else "as_expected"), draw.random()
    reason = expected = observed = None
    second = slot["name"].startswith("slot-")
    if not good:
        if luck < (0.02 if second else 0.004):
            verdict = "differs" if documented else "otherwise"
            expected, observed = draw.choice(_DIFFERENCES)
        elif luck < (0.028 if second else 0.006):
            verdict, reason = "blocked", draw.choice(["no CONNACK within 5 s", "the module restarted during the check"])
    if verdict in ("conforms", "as_expected") and fact["needs"] and draw.random() < 0.5:
        verdict, reason = "skipped", f"only a virtual module goes wrong on request ({fact['needs'][0]})"
    started = clock[slot["name"]]
    exchanges, transcript = [], []
    if verdict != "skipped":
        for sent, answer, usual, limit in _talk(fact, draw):
            response = usual * draw.lognormvariate(0, 0.5) * (1.6 if second else 1.0)
            if limit and not good and draw.random() < 0.0004:
                response = limit * 1.3
            now = clock[slot["name"]]
            transcript += [[round(now, 6), "tx", sent + "\r"], [round(now + 2e-5, 6), "rx", sent + "\r"]]
            lines = "".join(f"\r\n{line}\r\n" for line in answer)
            transcript.append([round(now + response, 6), "rx", lines])
            exchanges.append(
                {
                    "sent": sent,
                    "typed": None,
                    "answer": answer,
                    "response_s": round(response, 6),
                    "max_response_s": limit,
                }
            )
            clock[slot["name"]] = now + response + 0.0005
    return {
        "fact": fact["id"],
        "slot": slot["name"],
        "attempt": attempt,
        "verdict": verdict,
        "reason": reason,
        "expected": expected,
        "observed": observed,
        "started_s": round(started, 6),
        "duration_s": round(clock[slot["name"]] - started, 6),
        "data_bytes": draw.choice([0, 0, 0, 58, 204]),
        "exchanges": exchanges,
        "transcript": transcript,
    }


def _talk(fact: dict[str, Any], draw: random.Random) -> Iterator[tuple[str, list[str], float, float | None]]:
    """Command, answer, usual time, documented maximum."""
    client = draw.randrange(6)
    if fact["needs"]:
        yield f'AT+QMTOPEN={client},"<host>",<port>', ["OK", f"+QMTOPEN: {client},0"], 0.004, 75.0
        yield f'AT+QMTCONN={client},"<prefix>-{client}"', ["OK", f"+QMTCONN: {client},0,0"], 0.003, 15.0
        if draw.random() < 0.3:
            payload = "".join(draw.choices("abcdef0123456789", k=1500))
            yield f'AT+QMTPUBEX={client},1,1,0,"<prefix>/up",1500', [">", "OK", f"+QMTPUBEX: {client},1,0"], 0.005, 15.0
            yield payload, ["OK"], 0.002, None
    name = fact["subject"] if fact["subject"].startswith("AT") else "AT+QMTRECV"
    refused = fact["kind"] in ("below", "above", "type", "unknown-value", "too-few", "too-many")
    setting = f'{name}="{fact["kind"]}",{client},{draw.randrange(200)}'
    yield setting, ["ERROR"] if refused else ["OK"], 0.0006, None if refused else 0.3
    if draw.random() < 0.5:
        yield f'{name}="{fact["kind"]}",{client}', [f'{name[2:]}: "{fact["kind"]}",3', "OK"], 0.0005, 0.3


_DIFFERENCES = (
    ("ERROR", "OK"),
    ('+QMTCFG: "timeout",60,3,0\nOK', '+QMTCFG: "timeout",5,3,0\nOK'),
    ('+QMTCFG: "version",(0-5),(3,4)\n+QMTCFG: "pdpcid",(0-5),(1-15)\n+QMTCFG: "ssl",(0-5),(0,1),(0-5)\nOK',
     '+QMTCFG: "version",(0-5),(3,4)\n+QMTCFG: "ssl",(0-5),(0,1),(0-5)\nOK'),
    ("+QMTPUBEX: 0,1,0", "nothing within 15 s"),
    ("at most 300 ms", "412 ms"),
    ('+QMTRECV: 0,0,"<prefix>/cmd",5,"hello"', HOSTILE),
    ("\r\n> ", "> \x1a\t\r\n"),
)  # fmt: skip
