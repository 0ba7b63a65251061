"""A line with the speed of a UART: bytes take their time, and ends that do not agree understand nothing."""

from __future__ import annotations

import time

import pytest

import modemrig


def test_bytes_take_the_time_of_their_speed():
    with modemrig.VirtualModule("sim7028", baud=4800) as module, modemrig.open(module.path, baud=4800) as modem:
        begun = time.monotonic()
        said = modem.command("ATI").lines
        took = time.monotonic() - begun
        # Command, line ends and OK come on top, so this is less than it must take; how much longer it is nobody asserts.
        assert took >= sum(len(line) for line in said) * 10 / 4800


def test_a_host_of_another_speed_understands_nothing_until_it_finds_the_right_one():
    with modemrig.VirtualModule("ecx00u_egx00u", baud=9600) as module:
        with pytest.raises(modemrig.ModemrigError):
            modemrig.open(module.path, baud=115_200, timeout_s=1.0)
        report = modemrig.identify(module.path)
        assert report.baud == 9600


def test_the_speed_is_changed_by_command_behind_its_answer():
    with modemrig.VirtualModule("ecx00u_egx00u", baud=9600) as module:
        with modemrig.open(module.path, baud=9600) as modem:
            assert modem.command("+IPR?").lines == ("+IPR: 9600",)
            assert modem.command("+IPR=57600").final == "OK"
        with modemrig.open(module.path, baud=57_600) as modem:
            assert modem.command("+IPR?").lines == ("+IPR: 57600",)


def test_a_session_runs_at_a_slow_line():
    with (
        modemrig.BenchBroker() as broker,
        modemrig.VirtualModule("lte_standard_a", broker=broker, baud=19_200) as module,
        modemrig.open(module.path, baud=19_200) as modem,
        modem.client(0).session("broker.example", 1883, client_id="slow") as session,
    ):
        session.subscribe({"t": 1})
        payload = bytes(range(1, 256)) * 4
        session.publish("t", payload, qos=1).wait()
        assert next(iter(session.messages(timeout_s=20))).payload == payload


def test_a_speed_of_nothing_is_refused():
    with pytest.raises(modemrig.BadValue):
        modemrig.VirtualModule("sim7028", baud=0)
