"""Clients that break the standard are found: by the bench broker, and by the suite with either of its brokers."""

from __future__ import annotations

import socket

import pytest

import modemrig
from modemrig.hil.brokers import find_mosquitto

pytest_plugins = ["pytester"]

CONNECT = bytes([0x10, 16, 0, 4]) + b"MQTT" + bytes([4, 2, 0, 0, 0, 4]) + b"rude"
"""Level 4, clean session, no keep-alive, client id ``rude``."""


def says(broker: modemrig.BenchBroker, *packets: bytes) -> None:
    """A client that says these, one behind the other, and waits until the broker has closed."""
    with socket.create_connection((broker.host, broker.port), timeout=10) as client:
        client.sendall(b"".join(packets))
        while client.recv(4096):
            pass


def test_a_violation_names_client_packet_rule_and_statement() -> None:
    with modemrig.BenchBroker() as broker:
        says(broker, CONNECT, bytes([0x40, 2, 0, 7]), bytes([0x36, 5, 0, 1, 0x61, 0, 1]))
        unknown, malformed = broker.violations()
        assert (unknown.client_id, unknown.level, unknown.kind, unknown.id) == ("rude", 4, "PUBACK", 7)
        assert unknown.statement == "[MQTT-2.3.1-6]"
        assert str(unknown) == "client 'rude': PUBACK 7: an acknowledgement nobody waits for [MQTT-2.3.1-6]"
        assert (malformed.kind, malformed.what, malformed.statement) == ("PUBLISH", "QoS 3", "[MQTT-3.3.1-4]")
        assert unknown.connection == malformed.connection
        assert 0.0 <= unknown.time <= malformed.time
        broker.clear_violations()
        assert broker.violations() == []


def test_a_polite_client_breaks_no_rule() -> None:
    with modemrig.BenchBroker() as broker:
        says(broker, CONNECT, bytes([0xE0, 0]))
        assert broker.violations() == []


RUDE = """
import socket
from modemrig.hil import test_violations as last

def test_before(slot):
    name = (slot.prefix + "rude").encode()
    connect = bytes([0x10, 12 + len(name), 0, 4]) + b"MQTT" + bytes([4, 2, 0, 0, 0, len(name)]) + name
    with socket.create_connection((slot.broker.host, slot.broker.port), timeout=10) as client:
        client.sendall(connect + (bytes([0x82, 2, 0, 1]) if slot.dialect == "sim7028" else bytes([0xE0, 0])))
        while client.recv(4096):
            pass

def test_last(slot):
    last.test_no_rule_of_mqtt_was_broken(slot)
"""


@pytest.mark.parametrize("broker", ["bench", "mosquitto"])
def test_the_suite_fails_the_slot_whose_client_broke_a_rule_and_no_other(
    pytester: pytest.Pytester, broker: str
) -> None:
    if broker == "mosquitto" and find_mosquitto() is None:
        pytest.skip("mosquitto is not installed")
    pytester.makepyfile(test_rude=RUDE)
    result = pytester.runpytest_subprocess("--rig", "virtual", "--broker", broker)
    slots = len(modemrig.dialects())
    result.assert_outcomes(passed=2 * slots - 1, failed=1)
    result.stdout.fnmatch_lines([f"*slot sim7028 ({'bench broker' if broker == 'bench' else broker})*", "*rude*"])
