"""Command lines that a module takes: of any command and way of writing it, with any value exchanged for another.

A line is a template: ``{client}``, ``{host}``, ``{port}``, ``{client_id}``, ``{topic}``, ``{msgid}`` are filled in by the probe
that sends it, so that facts can be made without a rig.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modemrig.conformance.answer import Answer, Blocked
from modemrig.conformance.document import CLIENT_PARAMS, Command, Param, Variant
from modemrig.conformance.ladder import State
from modemrig.conformance.probe import Probe

STANDS_IN: dict[str, State] = {
    "AT+QMTCFG": "idle",
    "AT+QMTTENAUTH": "idle",
    "AT+QMTOPEN": "idle",
    "AT+QMTCLOSE": "opened",
    "AT+QMTCONN": "opened",
    "AT+QMTDISC": "connected",
    "AT+QMTSUB": "connected",
    "AT+QMTUNS": "connected",
    "AT+QMTPUB": "connected",
    "AT+QMTPUBEX": "connected",
    "AT+QMTRECV": "connected",
    "AT+CMQTTSTART": "idle",
    "AT+CMQTTSTOP": "started",
    "AT+CMQTTACCQ": "started",
    "AT+CMQTTREL": "acquired",
    "AT+CMQTTSSLCFG": "acquired",
    "AT+CMQTTWILLTOPIC": "acquired",
    "AT+CMQTTWILLMSG": "acquired",
    "AT+CMQTTCONNECT": "acquired",
    "AT+CMQTTDISC": "connected",
    "AT+CMQTTTOPIC": "acquired",
    "AT+CMQTTPAYLOAD": "acquired",
    "AT+CMQTTPUB": "connected",
    "AT+CMQTTSUB": "connected",
    "AT+CMQTTSUBTOPIC": "acquired",
    "AT+CMQTTUNSUBTOPIC": "acquired",
    "AT+CMQTTUNSUB": "connected",
    "AT+CMQTTCFG": "acquired",
}
"""The state in which a module takes a command."""

STAGED: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("AT+CMQTTPUB", "write"): (
        ("AT+CMQTTTOPIC={client},{topic_len}", "{topic}"),
        ("AT+CMQTTPAYLOAD={client},5", "12345"),
    ),
    ("AT+CMQTTSUB", "staged"): (("AT+CMQTTSUBTOPIC={client},{topic_len},1", "{topic}"),),
    ("AT+CMQTTUNSUB", "staged"): (("AT+CMQTTUNSUBTOPIC={client},{topic_len}", "{topic}"),),
}
"""What must be entered first, by command and way of writing it: lines and what is typed at their prompts."""

VALUES = {
    "host_name": '"{host}"',
    "port": "{port}",
    "server_addr": '"tcp://{host}:{port}"',
    "clientid": '"{client_id}"',
    "topic": '"{topic}"',
    "willtopic": '"{topic}"',
    "will_topic": '"{topic}"',
    "msgid": "{msgid}",
    "will_fg": "1",
    "qos": "1",
}
"""Values by name, as they stand on the wire, where any other would not do."""

TYPED_LENGTH = 5
"""How much is typed where the module asks for a payload."""


def sample(param: Param) -> str:
    """A value that the module takes, as it stands on the wire."""
    if param.name in CLIENT_PARAMS:
        return "{client}"
    if param.name in VALUES:
        return VALUES[param.name]
    if param.type == "string":
        length = min(max(param.min_len or 0, 8), param.max_len or 8)
        return param.wire(next(iter(param.values), "modemrig"[:length].ljust(length, "x")))
    if param.min is None or str(param.min) in param.values:
        return param.default or next(iter(param.values), "1")
    # Neither end of the range: those are facts of their own.
    inside = param.default if param.default not in (str(param.min), str(param.max)) else None
    return inside or str(min(param.min + 1, param.max if param.max is not None else param.min + 1))


def line(
    command: Command, variant: Variant, values: Mapping[str, str] | None = None, *, count: int | None = None
) -> str:
    """A command line that the module takes, as a template.

    Args:
        command: the command.
        variant: one of its ways.
        values: values as they stand on the wire, by parameter, in place of the usual ones.
        count: how many parameters; by default all of a setting, else those that must be given.
    """
    given = values or {}
    number = count if count is not None else max(variant.counts) if variant.is_keyed else variant.required
    words = [f'"{variant.key}"'] if variant.is_keyed else []
    for name in variant.params[:number]:
        if name in given:
            words.append(given[name])
        elif name == variant.payload_length:
            words.append(str(TYPED_LENGTH))
        else:
            words.append(sample(command.params[name]))
    return f"{command.name}={','.join(words)}" if words else command.name


def fitting(command: Command, variant: Variant, values: Mapping[str, str], least: int) -> int:
    """The smallest documented number of parameters, from ``least`` on, that goes with these values."""
    counts = sorted(each for each in variant.counts if each >= max(least, variant.required)) or [least]
    for condition, allowed in variant.counts_when.items():
        name, _, value = condition.partition("=")
        if values.get(name, sample(command.params[name])) == value:
            counts = [each for each in counts if each in allowed] or sorted(allowed)
    return counts[0]


def beside(command: Command, variant: Variant, values: Mapping[str, str]) -> dict[str, str]:
    """These values, with others chosen where the usual ones are forbidden beside them."""
    given = {name: value for name, value in values.items() if name in variant.params}
    forbidden = [dict(each.split("=", 1) for each in combination) for combination in variant.forbid]
    for combination in forbidden:
        if all(given.get(name, sample(command.params[name])) == value for name, value in combination.items()):
            other = next((name for name in combination if name not in values), None)
            if other is not None:
                excluded = {each.get(other) for each in forbidden}
                given[other] = next(each for each in command.params[other].values if each not in excluded)
    return given


def written(
    command: Command, variant: Variant, values: Mapping[str, str] | None = None, *, count: int | None = None
) -> dict[str, Any]:
    """A line and what is typed behind it, as a fact carries them in ``about``.

    Args:
        command: the command.
        variant: one of its ways.
        values: values as they stand on the wire, by parameter, in place of the usual ones.
        count: how many parameters, documented or not; by default as many as needed for the values, of a setting all.
    """
    usual = {"topic": '"{topic}/subscribed"'} if command.short in ("QMTSUB", "QMTUNS") else {}
    given = beside(command, variant, {**usual, **(values or {})})
    if count is None:
        places = [variant.params.index(name) + 1 for name in given if name in variant.params]
        count = fitting(command, variant, given, max(variant.counts) if variant.is_keyed else max(places, default=0))
    return {
        "command": command.name,
        "variant": variant.key,
        "line": line(command, variant, given, count=count),
        "typed": typed(variant, given, count=count),
    }


def typed(variant: Variant, values: Mapping[str, str] | None = None, *, count: int | None = None) -> bytes | None:
    """What is typed at the prompt of such a line; ``None`` where there is none."""
    if variant.ends_with_ctrl_z:
        return b"x" * TYPED_LENGTH
    name = variant.payload_length
    if name is None or (count is not None and variant.params.index(name) >= count):
        return None
    text = (values or {}).get(name, str(TYPED_LENGTH))
    return b"x" * int(text) if text.lstrip("-").isdecimal() else b"x" * TYPED_LENGTH


def ready(probe: Probe, command: Command, variant: Variant | None = None, client: int = 0) -> None:
    """Bring the module to where it takes the command, with everything entered that must be.

    Raises:
        Blocked: it could not be brought there.
    """
    probe.reach(STANDS_IN[command.name], client)
    for template, text in STAGED.get((command.name, variant.key if variant else "write"), ()):
        answer: Answer = probe.ask(probe.fill(template, client), probe.fill(text, client).encode())
        if answer.final != "OK":
            raise Blocked(f"{answer.sent} was answered {answer.shown()!r}")


MIXED = "aT"
"""How the lines of some kinds begin; see ``small``."""


def small(line: str, head: str = "at") -> str:
    """A line with a small ``at``, which documents allow (1.4): a module can be broken for such lines, and for no other."""
    return f"{head}{line.removeprefix('AT')}"
