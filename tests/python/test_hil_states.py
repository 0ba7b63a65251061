"""An example leaves the settings of a module as it found them, whatever they were."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import modemrig
from modemrig.hil import states
from modemrig.hil.brokers import RigBroker
from modemrig.hil.departures import Tolerance
from modemrig.hil.examples import prepare

BROKER = RigBroker("b", "127.0.0.1", 2001, 2002, "127.0.0.1", ca=b"CA!", client_cert=b"CERTIFICATE", client_key=b"KEY.")

# Dialect, example, settings unlike those of the factory and of the example, and the lines that ask for them.
CASES: list[tuple[str, str, list[str], list[str]]] = [
    (
        "lte_standard_a",
        "5.1",
        ['AT+QMTCFG="recv/mode",0,1,0', 'AT+QMTCFG="aliauth",0,"k","n","s3cret"'],
        ['AT+QMTCFG="recv/mode",0', 'AT+QMTCFG="aliauth",0'],
    ),
    (
        "lte_standard_a",
        "5.2",
        ['AT+QMTCFG="ssl",0,1,3', 'AT+QSSLCFG="seclevel",2,1', 'AT+QSSLCFG="cacert",2,"UFS:theirs.pem"'],
        ['AT+QMTCFG="ssl",0', 'AT+QSSLCFG="seclevel",2', 'AT+QSSLCFG="cacert",2', 'AT+QSSLCFG="ciphersuite",2'],
    ),
    ("sim7028", "4", ['AT+CGDCONT=1,"IPV6","theirs"'], ["AT+CGDCONT?"]),
    ("sim7028", "4.2", ['AT+CSSLCFG="authmode",0,2'], ["AT+CSSLCFG?"]),
    ("sim7028", "4.4", ['AT+CSSLCFG="authmode",0,1', 'AT+CSSLCFG="cacert",0,"theirs.pem"'], ["AT+CSSLCFG?"]),
]


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A slot as far as the states need one; what could not be restored is in its ``notes``."""
    dialect = request.param
    with modemrig.open(f"virtual:{dialect}") as modem:
        notes: list[str] = []
        yield SimpleNamespace(
            modem=modem,
            broker=BROKER,
            prefix="",
            document=modemrig.catalogue(dialect),
            is_qmt=dialect != "sim7028",
            tolerance=Tolerance(),
            notes=notes,
            note=lambda name, value: notes.append(f"{name}: {value}"),
        )


@pytest.mark.parametrize("place", ["lte_standard_a", "sim7028"], indirect=True)
def test_a_file_that_is_there_already_is_seen(place: Any) -> None:
    name, kept = ("5.2", "UFS:client.pem") if place.is_qmt else ("4.4", "cert.pem")
    row = next(row for row in place.document["examples"] if row["id"] == name)
    plan = prepare(row, place.document, BROKER, BROKER.tls_port, "", None)
    assert states.files_there(place, plan) == []
    place.modem.upload(kept, b"theirs")
    assert states.files_there(place, plan) == [kept]


@pytest.mark.parametrize(("place", "name", "before", "asked"), CASES, indirect=["place"])
def test_settings_are_as_they_were(place: Any, name: str, before: list[str], asked: list[str]) -> None:
    for line in before:
        assert place.modem.command(line).ok, line
    wanted = [place.modem.command(line).lines for line in asked]
    row = next(row for row in place.document["examples"] if row["id"] == name)
    plan = prepare(row, place.document, BROKER, BROKER.tls_port, "", None)
    found = states.as_found(place, plan)
    states.reach(place, plan)
    for sent in [step.send or "" for step in plan.steps]:
        if "CFG=" in sent or "CGDCONT=" in sent:
            assert place.modem.command(sent).ok or "CMQTT" in sent, sent
    assert [place.modem.command(line).lines for line in asked] != wanted, "the example changes nothing"
    states.leave(place, plan, found)
    assert [place.modem.command(line).lines for line in asked] == wanted
    assert place.notes == []
