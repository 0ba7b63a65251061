"""Bringing a module to the state an example starts from, and back: nothing open, service stopped, settings as found."""

from __future__ import annotations

from typing import Any

from modemrig.hil.bench import SlotBench
from modemrig.hil.examples import Plan

WILL_DO = "0123456789"
"""Topic and payload of a message that only has to be there."""


class StateError(AssertionError):
    """The module could not be brought to the state an example starts from."""


def reach(place: SlotBench, plan: Plan) -> dict[str, dict[str, Any]]:
    """Bring the module to the example's state; returns the settings as they were found."""
    modem = place.modem
    to_idle(place)
    found = modem.client(0).settings() if place.is_qmt else {}
    for name, content in plan.uploads.items():
        modem.upload(name, content)
    for line, payload in _lines(place, plan):
        reply = modem.command(line, payload)
        if not reply.ok:
            raise StateError(f"cannot reach {plan.setup!r}: {reply.line} was answered {list(reply.exchanged)}")
    return found


def leave(place: SlotBench, plan: Plan, found: dict[str, dict[str, Any]]) -> None:
    """Take the example down: close, restore settings, delete what it uploaded."""
    modem = place.modem
    to_idle(place)
    if found:
        client = modem.client(0)
        for key, values in client.settings().items():
            if values != found[key]:
                changed: dict[str, Any] = {key: tuple(found[key].values())}
                client.configure(**changed)
    names = list(plan.uploads)
    names += [step.send.split('"')[1] for step in plan.steps if step.send and step.send.startswith("AT+QFUPL=")]
    for name in dict.fromkeys(names):
        modem.delete_file(name)


def to_idle(place: SlotBench) -> None:
    """Close whatever is open. What is closed already says ERROR, and that is fine."""
    modem = place.modem
    if not place.is_qmt:
        for line in ("AT+CMQTTDISC=0,60", "AT+CMQTTREL=0", "AT+CMQTTSTOP"):
            modem.command(line)
    elif modem.command("AT+QMTOPEN?").lines:
        modem.command("AT+QMTDISC=0")
        modem.command("AT+QMTCLOSE=0")


def _lines(place: SlotBench, plan: Plan) -> list[tuple[str, bytes | None]]:
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
    if plan.setup not in names:
        return []
    last = len(names) - names[::-1].index(plan.setup)
    return [(line, payload) for _, line, payload in ladder[:last]]
