"""The states of a module's MQTT client, as a ladder: which command leads a step up, and what must answer.

Data for ``probe``; both families have one. The words are those of the data files (``setup`` of an example).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["idle", "opened", "connected", "started", "acquired"]


@dataclass(frozen=True, slots=True)
class Rung:
    """A step up."""

    state: State
    """What it leads to."""
    line: str
    """``{client}``, ``{host}``, ``{port}``, ``{client_id}``, ``{login}``: what the probe fills in."""
    answer: tuple[str, ...]


LADDERS: dict[str, tuple[Rung, ...]] = {
    "qmt": (
        Rung("opened", 'AT+QMTOPEN={client},"{host}",{port}', ("OK", "+QMTOPEN: {client},0")),
        Rung("connected", 'AT+QMTCONN={client},"{client_id}"{login}', ("OK", "+QMTCONN: {client},0,0")),
    ),
    "cmqtt": (
        Rung("started", "AT+CMQTTSTART", ("OK", "+CMQTTSTART: 0")),
        Rung("acquired", 'AT+CMQTTACCQ={client},"{client_id}"', ("OK",)),
        Rung(
            "connected",
            'AT+CMQTTCONNECT={client},"tcp://{host}:{port}",60,1{login}',
            ("OK", "+CMQTTCONNECT: {client},0"),
        ),
    ),
}

MOVES = (
    *("AT+QMTOPEN=", "AT+QMTCLOSE=", "AT+QMTCONN=", "AT+QMTDISC="),
    *("AT+CMQTTSTART", "AT+CMQTTSTOP", "AT+CMQTTACCQ=", "AT+CMQTTREL=", "AT+CMQTTCONNECT=", "AT+CMQTTDISC="),
    *(
        "AT+CMQTTSSLCFG=",
        "AT+CMQTTCFG=",
        "AT+CMQTTWILLTOPIC=",
        "AT+CMQTTWILLMSG=",
        "AT+CMQTTTOPIC=",
        "AT+CMQTTPAYLOAD=",
    ),
    *("AT+CMQTTSUBTOPIC=", "AT+CMQTTUNSUBTOPIC=", "AT+CMQTTSUB=", "AT+CMQTTUNSUB="),
    *("AT+CFUN", "AT+QPOWD", "AT+CPOF", "AT+CRESET", "AT+QIDEACT", "AT+CGACT", "AT+CGATT"),
)
"""How commands begin after which a client may be in another state than before, or keep what was entered."""
