"""Recovery of modules: each situation of the field, made with faults, power and ports, for each family."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import modemrig
from modemrig import RecoveryPlan
from modemrig.rig import load_rig
from recovering import FAMILIES, QUICK, SOON_S, World, names, stuck, until


@pytest.fixture(params=FAMILIES)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(request.param, stack)


def test_a_module_that_is_well_is_left_alone(world: World):
    with world.session() as session:
        recovery = world.modem.recover(QUICK)
        assert names(recovery) == [("resync", "done")]
        assert recovery.clients[0] == "connected"
        assert recovery.port == world.module.path
        session.publish("t", b"x", qos=1).wait()
        assert session.recoveries == ()
    assert world.connects() == ["slot-1"]


def test_a_recovery_of_a_module_that_is_well_ends_nobody_s_request(world: World):
    with world.session() as session:
        world.broker.delay("PUBACK", 0.5)
        receipt = session.publish("t", b"x", qos=1)
        assert names(world.modem.recover(QUICK)) == [("resync", "done")]
        assert not receipt.done
        receipt.wait()


HOST = """
import os, sys, modemrig
client = modemrig.open(sys.argv[1]).client(0)
client.open("broker.lab", 1883)
client.connect("slot-1")
os._exit(0)
"""


def test_a_session_left_by_a_host_that_died_is_closed_and_begun_anew(world: World):
    path = world.module.path
    world.modem.close()
    subprocess.run([sys.executable, "-c", HOST, path], check=True, timeout=50)
    assert world.broker.connected == ["slot-1"], "the module kept it"
    with modemrig.open(path) as modem:
        recovery = modem.recover(QUICK)
        assert names(recovery) == [("resync", "done"), ("close", "done")], recovery
        assert "left in use" in recovery.steps[0].said
        assert set(recovery.clients) == {"closed"}
        with modem.client(0).session("broker.lab", 1883, "slot-1", recover=QUICK) as session:
            session.publish("t", b"x", qos=1).wait()
            assert session.recoveries == ()


def test_a_session_left_by_a_host_that_died_is_no_hindrance_to_the_next(world: World):
    path = world.module.path
    world.modem.close()
    subprocess.run([sys.executable, "-c", HOST, path], check=True, timeout=50)
    with (
        modemrig.open(path) as modem,
        modem.client(0).session("broker.lab", 1883, "slot-1", recover=QUICK) as session,
    ):
        session.publish("t", b"x", qos=1).wait()


def test_a_silent_module_is_restarted_and_then_its_power_is_cut(world: World):
    with world.session() as session:
        world.module.inject("no_answer")
        cuts = []

        def cut() -> None:
            cuts.append(1)
            world.module.clear("no_answer")
            world.module.power_cycle()

        plan = RecoveryPlan(power=cut, resync_s=0.5, restart_s=1, power_s=SOON_S)
        recovery = world.modem.recover(plan)
        assert names(recovery) == [("resync", "failed"), ("restart", "failed"), ("power", "done")], recovery
        assert cuts == [1]
        assert recovery.clients[0] == "closed"
        session.publish("t", b"behind", qos=1).wait()
        assert world.connects() == ["slot-1", "slot-1"]


def test_a_client_that_answers_error_to_everything_is_restarted(world: World):
    command = "AT+QMT" if world.dialect != "sim7028" else "AT+CMQTT"
    with world.session() as session:
        world.module.inject("error", line=command)

        def cut() -> None:
            world.module.clear("error")
            world.module.power_cycle()

        recovery = world.modem.recover(RecoveryPlan(power=cut, resync_s=2, restart_s=5, power_s=SOON_S))
        assert [name for name, _ in names(recovery)] == ["resync", "close", "restart", "power"][: len(recovery.steps)]
        world.module.clear("error")
        session.publish("t", b"behind", qos=1).wait()


def test_a_stuck_payload_is_named_and_never_padded(world: World):
    with world.session(False):
        stuck(world)
        sent = world.modem.statistics.bytes_sent
        with pytest.raises(modemrig.RecoveryFailed, match="may still wait for payload") as caught:
            world.modem.recover(QUICK)
        assert caught.value.recovery
        assert names(caught.value.recovery) == [("input", "failed"), ("power", "skipped")]
        assert world.modem.statistics.bytes_sent == sent, "not a byte"
        world.module.power_cycle()
        until(lambda: world.modem.statistics.restarts == 1)
    assert world.arrived("t") == []


def test_edit_timeout_ends_a_stuck_payload():
    with ExitStack() as stack:
        world = World("lte_standard_a", stack, speed=10)
        with world.session(False):
            pass
        world.modem.client(0).configure(**{"edit/timeout": (1, 10)})
        with world.session(False):
            stuck(world)
            recovery = world.modem.recover(RecoveryPlan())
            assert names(recovery) == [("input", "done"), ("resync", "done")], recovery
        assert world.arrived("t") == []


def test_a_port_that_comes_back_under_another_name_is_found_where_the_caller_says():
    looked = []
    with modemrig.BenchBroker() as broker, ExitStack() as stack:
        module = modemrig.VirtualModule("lte_standard_a", broker=broker, tcp=True, seed=7)
        modem = stack.enter_context(modemrig.open(module.path))
        client = modem.client(0)
        module.stop()
        until(lambda: modem.closed)
        other = stack.enter_context(modemrig.VirtualModule("lte_standard_a", broker=broker, tcp=True, seed=8))
        same = stack.enter_context(modemrig.VirtualModule("lte_standard_a", broker=broker, seed=7))

        def ports() -> list[str]:
            looked.append(1)
            return [other.path, same.path] if len(looked) > 1 else [other.path]

        recovery = modem.recover(RecoveryPlan(ports=ports, port_s=SOON_S))
        assert names(recovery) == [("port", "done"), ("resync", "done")]
        assert recovery.port == same.path
        assert modem.command("+CGSN").lines == (same.imei,)
        with client.session("h", 1883, "slot-1") as session:
            session.publish("t", b"x", qos=1).wait()
        assert not modem.closed


def test_another_module_under_the_old_name_is_not_taken(tmp_path: Path):
    link = tmp_path / "module"
    with modemrig.BenchBroker() as broker:
        module = modemrig.VirtualModule("bc35g_bc28", broker=broker, link=link, seed=1)
        with modemrig.open(link) as modem:
            module.stop()
            until(lambda: modem.closed)
            with modemrig.VirtualModule("bc35g_bc28", broker=broker, link=link, seed=2) as other:
                with pytest.raises(modemrig.RecoveryFailed, match=f"another module, {other.imei}") as caught:
                    modem.recover(RecoveryPlan(port_s=3))
                assert caught.value.recovery
                assert names(caught.value.recovery) == [("port", "failed"), ("power", "skipped")]


def test_ctrl_c_ends_a_recovery():
    with ExitStack() as stack:
        world = World("bc35g_bc28", stack)
        world.module.inject("no_answer")
        timer = threading.Timer(0.4, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            world.modem.recover(RecoveryPlan(resync_s=SOON_S, restart_s=SOON_S))
        timer.join()
        world.module.clear("no_answer")
        assert names(world.modem.recover(QUICK)) == [("resync", "done")]


def test_a_switch_that_hangs_or_fails_ends_its_step_only(world: World):
    hangs = threading.Event()
    world.module.inject("no_answer")
    for power, word in ((hangs.wait, "took longer"), (lambda: [][0], "out of range")):
        with pytest.raises(modemrig.RecoveryFailed, match=word):
            world.modem.recover(RecoveryPlan(power=power, resync_s=0.2, restart_s=0.4, power_s=0.5))
    hangs.set()
    world.module.clear("no_answer")


def test_a_program_switches_the_power(tmp_path: Path):
    switch = tmp_path / "switch"
    switch.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/said\n[ "$1" != broken ]\n')
    switch.chmod(0o755)
    modemrig.PowerCommand(f"{switch} {{action}}", off_s=0.01).power_cycle()
    modemrig.PowerCommand(f"{switch} both").power_cycle()
    assert (tmp_path / "said").read_text().split() == ["off", "on", "both"]
    with pytest.raises(OSError, match="failed with 1"):
        modemrig.PowerCommand(f"{switch} broken").power_cycle()
    with pytest.raises(modemrig.BadValue):
        modemrig.PowerCommand("switch 'off")
    with pytest.raises(modemrig.BadValue):
        RecoveryPlan(resync_s=0)
    with pytest.raises(modemrig.BadValue):
        RecoveryPlan(attempts=0)


def test_a_virtual_module_of_its_own_is_its_own_switch():
    with modemrig.open("virtual:sim7028") as modem:
        recovery = modem.recover(at_least="power")
        assert names(recovery) == [("resync", "done"), ("power", "done")]
        assert modem.statistics.restarts == 1
        with pytest.raises(modemrig.BadValue, match="at_least"):
            modem.recover(at_least="prayer")  # type: ignore[arg-type]
    with pytest.raises(modemrig.PortClosed):
        modem.recover()


def test_a_rig_names_the_program_that_switches_the_power(tmp_path: Path):
    rig = tmp_path / "rig.toml"
    slot = '[rig]\nbroker = { host = "b" }\n[[slot]]\nname = "a"\nport = "/dev/ttyUSB2"\n'
    rig.write_text(slot + 'power = "hub {action}"\n')
    assert load_rig(str(rig)).slots[0].power == "hub {action}"
    rig.write_text(slot + 'power = "hub \'"\n')
    with pytest.raises(modemrig.CallerError, match=r"line 6, slot.power"):
        load_rig(str(rig))
    rig.write_text('[[slot]]\nname = "a"\nport = "virtual:sim7028"\npower = "hub"\n')
    with pytest.raises(modemrig.CallerError, match="its own switch"):
        load_rig(str(rig))
