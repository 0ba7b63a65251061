"""Bringing a module to the state an example starts from, and back: nothing open, service stopped, settings as found."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Protocol

from modemrig.errors import CommandRefused
from modemrig.events import Reply
from modemrig.hil.brokers import RigBroker
from modemrig.hil.departures import NOTED, Tolerance, alike
from modemrig.hil.examples import Plan
from modemrig.hil.wire import arguments, fields_of, split_fields
from modemrig.modem import Modem

WILL_DO = "0123456789"
"""Topic and payload of a message that only has to be there."""
AGAIN_WITHIN_S = 10.0
ASK_AGAIN_AFTER_S = 0.2


class Place(Protocol):
    """A slot in use."""

    @property
    def modem(self) -> Modem:
        """The module, open."""

    @property
    def broker(self) -> RigBroker:
        """The rig's broker."""

    @property
    def prefix(self) -> str:
        """In front of client ids and topics where others share the broker."""

    @property
    def document(self) -> dict[str, Any]:
        """The catalogue of the module's document."""

    @property
    def is_qmt(self) -> bool:
        """Whether the module speaks AT+QMT…; else AT+CMQTT…"""

    @property
    def tolerance(self) -> Tolerance:
        """What its module may do otherwise."""

    def note(self, name: str, value: object) -> None:
        """A fact for whoever reports."""


class StateError(AssertionError):
    """The module could not be brought to the state an example starts from."""


def ask(place: Place, line: str, payload: bytes | None = None, *, printed: list[str] | None = None) -> Reply:
    """Send a line; again, where the module says "not yet" as others like it do, but not for long."""
    deadline = time.monotonic() + AGAIN_WITHIN_S
    was_noted = False
    while True:
        reply = place.modem.command(line, payload)
        came = list(reply.exchanged)
        is_over = reply.ok or (printed is not None and alike(printed, came)) or time.monotonic() > deadline
        reason = None if is_over else place.tolerance.not_yet(line, came)
        if reason is None:
            return reply
        if not was_noted:
            place.note(NOTED, reason.shown)
            was_noted = True
        next(place.modem.events(timeout_s=ASK_AGAIN_AFTER_S), None)


def as_found(place: Place, plan: Plan) -> dict[str, str]:
    """What the lines of a plan will change, asked beforehand: the setting, and the line that puts it back. An idle module."""
    to_idle(place)
    lines: dict[str, str] = {}
    for sent in [line for line, _ in _lines(place, plan)] + [step.send or "" for step in plan.steps]:
        name, words = arguments(sent)
        if name == "AT+CGDCONT" and len(words) > 1:
            setting, values = f"{name}={words[0]}", _row(place, name, words[0])
            lines.setdefault(setting, ",".join([setting, *values[:2]]))
        elif name == "AT+CSSLCFG" and len(words) > 2:
            setting, values = f"{name}={words[0]},{words[1]}", _row(place, name, words[1])
            position = _position(place, name, words[0].strip('"'))
            if position < len(values):
                lines.setdefault(setting, f"{setting},{values[position]}")
        elif name in ("AT+QMTCFG", "AT+QSSLCFG") and len(words) > 2:
            setting = f"{name}={words[0]},{words[1]}"
            reply = place.modem.command(setting)
            if reply.ok and reply.lines:
                # The answer repeats the key, that of AT+QSSLCFG also the number of the context.
                values = split_fields(reply.lines[0])[1 if name == "AT+QMTCFG" else 2 :]
                lines.setdefault(setting, ",".join([setting, *values]))
    return lines


def files_there(place: Place, plan: Plan) -> list[str]:
    """Files of the plan that are on the module already, which the plan would overwrite and delete."""
    if not plan.files:
        return []
    there = {file.name.removeprefix("UFS:") for file in place.modem.files()}
    return [name for name in plan.files if name.removeprefix("UFS:") in there]


def reach(place: Place, plan: Plan) -> None:
    """Bring an idle module to the plan's state."""
    modem = place.modem
    for name, content in plan.uploads.items():
        modem.upload(name, content)
    for line, payload in _lines(place, plan):
        reply = ask(place, line, payload)
        if not reply.ok:
            answer = place.broker.cover(str(list(reply.exchanged)))
            raise StateError(f"cannot reach {plan.setup!r}: {reply.line} was answered {answer}")


def leave(place: Place, plan: Plan, found: dict[str, str]) -> None:
    """Take the example down: close, put back what it changed, delete what it uploaded."""
    modem = place.modem
    to_idle(place)
    for setting, line in found.items():
        came = list(modem.command(line).exchanged)
        # What a module refuses because it cannot do it was not changed either.
        if place.tolerance.undo(line, ["OK"], came)[0] != ["OK"]:
            place.note("not restored", setting)
    for name in plan.files:
        # An example that failed early uploaded nothing.
        with contextlib.suppress(CommandRefused):
            modem.delete_file(name)


def to_idle(place: Place) -> None:
    """Close whatever is open. What is closed already says ERROR, and that is fine."""
    modem = place.modem
    if not place.is_qmt:
        # A module may have more clients than its document.
        for client in range(len(modem.clients)):
            ask(place, f"AT+CMQTTDISC={client},60")
            ask(place, f"AT+CMQTTREL={client}")
        ask(place, "AT+CMQTTSTOP")
    elif modem.command("AT+QMTOPEN?").lines:
        modem.command("AT+QMTDISC=0")
        # There is firmware that frees the client with that; its close would never be answered (F18).
        if "F18" not in place.tolerance or modem.command("AT+QMTOPEN?").lines:
            modem.command("AT+QMTCLOSE=0")


def _row(place: Place, name: str, number: str) -> list[str]:
    """What the read form says of one context, behind its number."""
    for line in place.modem.command(f"{name}?").lines:
        row = fields_of(line)
        if row[0] == number:
            return row[1:]
    return []


def _position(place: Place, name: str, key: str) -> int:
    """Where the read form prints the value of a key, behind the number of the context."""
    command = next(each for each in place.document["surroundings"] if each["name"] == name)
    variant = next(each for each in command["variants"] if (each["key"] or "").lower() == key.lower())
    return int(command["read_reply"][0].index(variant["params"][-1])) - 1


def _lines(place: Place, plan: Plan) -> list[tuple[str, bytes | None]]:
    """Command lines and typed input that lead from nothing to the state."""
    broker, client_id = place.broker, f"{place.prefix}example"
    user = "" if broker.user is None else f',"{broker.user}","{broker.password or ""}"'
    topic = (place.prefix + WILL_DO).encode()
    if place.is_qmt:
        ladder: list[tuple[str, str, bytes | None]] = [
            ("opened", f'AT+QMTOPEN=0,"{broker.host}",{broker.port}', None),
            ("connected", f'AT+QMTCONN=0,"{client_id}"{user}', None),
        ]
    else:
        address = f"tcp://{broker.host}:{broker.port}"
        ladder = [
            ("started", "AT+CMQTTSTART", None),
            ("acquired", f'AT+CMQTTACCQ=0,"{client_id}"', None),
            ("connected", f'AT+CMQTTCONNECT=0,"{address}",60,1{user}', None),
            ("staged", f"AT+CMQTTTOPIC=0,{len(topic)}", topic),
            ("staged", f"AT+CMQTTPAYLOAD=0,{len(WILL_DO)}", WILL_DO.encode()),
        ]
    names = [name for name, _, _ in ladder]
    # SIM7028 4.2 says in words, and in no line, that nothing may be checked.
    unchecked = 'AT+CSSLCFG="authmode",0,0'
    is_silent = not place.is_qmt and plan.needs_tls and not any("CSSLCFG" in (step.send or "") for step in plan.steps)
    before: list[tuple[str, bytes | None]] = [(unchecked, None)] if is_silent else []
    if plan.setup not in names:
        return before
    last = len(names) - names[::-1].index(plan.setup)
    return before + [(line, payload) for _, line, payload in ladder[:last]]
