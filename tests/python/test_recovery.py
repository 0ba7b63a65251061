"""Recovery on virtual modules: each situation of the field, made with faults, power and ports, for each family."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import modemrig
from modemrig import RecoveryPlan
from modemrig.rig import load_rig

FAMILIES = ("lte_standard_a", "bc35g_bc28", "sim7028")
QUICK = RecoveryPlan(
    port_s=5, input_s=1, resync_s=2, close_s=10, restart_s=2, power_s=20, pause_s=0.05, longest_pause_s=0.2
)
"""For modules that answer at once or never."""
SOON_S = 20.0


class World:
    """A virtual module, its broker, and the host on it."""

    def __init__(self, dialect: str, stack: ExitStack, **options: object) -> None:
        self.dialect = dialect
        self.broker = stack.enter_context(modemrig.BenchBroker())
        self.module = stack.enter_context(
            modemrig.VirtualModule(dialect, broker=self.broker, **options)  # type: ignore[arg-type]
        )
        self.modem = stack.enter_context(modemrig.open(self.module.path))

    def session(self, plan: RecoveryPlan | bool = QUICK) -> modemrig.Session:
        return self.modem.client(0).session("broker.lab", 1883, "slot-1", recover=plan)

    def connects(self) -> list[str]:
        return [packet["client_id"] for packet in self.broker.record() if packet.kind == "CONNECT"]

    def arrived(self, topic: str) -> list[bytes]:
        """What the module published there, by the broker's record."""
        packets = [packet for packet in self.broker.record() if packet.kind == "PUBLISH" and packet.direction == "in"]
        return [packet["payload"] for packet in packets if packet["topic"] == topic]


@pytest.fixture(params=FAMILIES)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(request.param, stack)


def names(recovery: modemrig.Recovery) -> list[tuple[str, str]]:
    return [(step.name, step.outcome) for step in recovery.steps]


def first(messages: Iterator[modemrig.Message]) -> modemrig.Message:
    for message in messages:
        return message
    raise AssertionError("no message came")


def test_a_module_that_is_well_is_left_alone(world: World):
    with world.session() as session:
        recovery = world.modem.recover(QUICK)
        assert names(recovery) == [("resync", "done")]
        assert recovery.clients[0] == "connected"
        assert recovery.port == world.module.path
        session.publish("t", b"x", qos=1).wait()
        assert session.recoveries == ()
    assert world.connects() == ["slot-1"]


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


def test_a_restart_in_mid_session_is_recovered_from_and_messages_flow_on(world: World):
    world.modem.client(0).configure(keepalive_s=77)
    with world.session() as session:
        session.subscribe({"a/cmd": 1, "a/gone": 0})
        session.unsubscribe(["a/gone"])
        world.broker.publish("a/cmd", b"before")
        messages = session.messages(SOON_S)
        assert first(messages).payload == b"before"
        taken = threading.Thread(target=lambda: got.append(next(messages)))
        got: list[modemrig.Message] = []
        taken.start()
        world.module.power_cycle()
        until(lambda: len(session.recoveries) == 1)
        world.broker.publish("a/cmd", b"behind")
        taken.join(SOON_S)
        assert [message.payload for message in got] == [b"behind"]
        [recovery] = session.recoveries
        assert ("session", "done") in names(recovery)
        assert recovery.cause
        assert recovery.attempts == 1
        assert world.modem.client(0).setting("keepalive_s") == 77
    packets = world.broker.record()
    connects = [packet for packet in packets if packet.kind == "CONNECT"]
    assert [packet["keep_alive"] for packet in connects] == [77, 77], "what was configured is told again"
    filters = [packet["filters"] for packet in packets if packet.kind == "SUBSCRIBE"]
    assert len(filters) == (2 if world.dialect != "sim7028" else 3), filters


def until(what: Callable[[], bool]) -> None:
    """Waits, bounded, until something is so."""
    waited = threading.Event()
    for _ in range(int(SOON_S / 0.01)):
        if what():
            return
        waited.wait(0.01)
    raise AssertionError("it never came to be")


def test_a_lost_connection_is_made_again_and_what_was_in_flight_ends_once(world: World):
    with world.session() as session:
        session.subscribe({"a/cmd": 1})
        world.broker.lose("puback")
        receipt = session.publish("a/out", b"once", qos=1)
        until(lambda: world.arrived("a/out") != [])
        world.broker.behave()
        assert world.broker.cut("slot-1")
        with pytest.raises((modemrig.ConnectionLost, modemrig.RequestFailed)) as lost:
            receipt.wait()
        session.publish("a/cmd", b"behind", qos=1).wait()
        assert first(session.messages(SOON_S)).payload == b"behind"
        assert type(receipt.error) is lost.type, "the same answer every time"
        assert len(session.recoveries) == 1
    sent = [packet for packet in world.broker.record() if packet.kind == "PUBLISH" and packet.direction == "in"]
    assert [packet["dup"] for packet in sent if packet["payload"] == b"once"][:1] == [False]
    fresh = [packet for packet in sent if packet["payload"] == b"once" and not packet["dup"]]
    assert len(fresh) == 1, "only the module repeats it, as MQTT has it"


def test_a_frozen_module_is_waited_for_and_the_session_goes_on(world: World):
    with world.session() as session:
        world.module.inject("freeze", ms=1500)
        with pytest.raises(modemrig.NoAnswer):
            session.publish("t", b"lost?", timeout_s=0.3)
        session.publish("t", b"behind", qos=1).wait()
        [recovery] = session.recoveries
        assert recovery.steps[0].name == "resync"


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


def test_a_client_wedged_at_the_start_is_recovered_too(world: World):
    command = "AT+QMTOPEN" if world.dialect != "sim7028" else "AT+CMQTTSTART"
    world.module.inject("error", command=command, count=2)
    with world.session() as session:
        session.publish("t", b"x", qos=1).wait()
        [recovery] = session.recoveries
        assert "CommandRefused" in recovery.cause or "refused" in recovery.cause


def stuck(world: World) -> None:
    """The module waits for the rest of a payload."""
    line = '+QMTPUBEX=0,1,1,0,"t",30' if world.dialect == "lte_standard_a" else '+QMTPUB=0,1,1,0,"t",30'
    if world.dialect == "sim7028":
        line = "+CMQTTPAYLOAD=0,30"
    with pytest.raises(modemrig.NoAnswer):
        world.modem.command(line, b"short", exact=True, timeout_s=0.3)


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


def test_power_ends_a_stuck_payload_and_the_session_goes_on(world: World):
    plan = RecoveryPlan(power=world.module, input_s=0.3, power_s=SOON_S)
    with world.session(plan) as session:
        stuck(world)
        with pytest.raises(modemrig.ModemrigError):
            session.publish("t", b"unsure", timeout_s=0.5)
        session.publish("t", b"behind", qos=1).wait()
        assert ("power", "done") in names(session.recoveries[0])
    assert world.arrived("t") == [b"behind"]


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


@pytest.mark.parametrize("dialect", FAMILIES)
def test_a_port_that_comes_back_under_another_device_is_found_by_its_link(dialect: str, tmp_path: Path):
    link = tmp_path / "by-id"
    with modemrig.BenchBroker() as broker:
        module = modemrig.VirtualModule(dialect, broker=broker, link=link, seed=7)
        held = os.openpty()  # so that the number of the pseudo-terminal is not given again
        with modemrig.open(link) as modem, modem.client(0).session("h", 1883, "slot-1", recover=QUICK) as session:
            session.subscribe({"a/cmd": 1})
            events = modem.events(SOON_S)
            before, old = modem.clock_s, module.path
            receipt = None
            broker.lose("puback")
            receipt = session.publish("a/out", b"x", qos=1)
            module.stop()
            until(lambda: modem.closed)
            broker.behave()
            with modemrig.VirtualModule(dialect, broker=broker, link=link, seed=7) as module:
                assert module.path != old
                with pytest.raises(modemrig.PortGone):
                    receipt.wait()
                session.publish("a/cmd", b"behind", qos=1).wait()
                message = first(session.messages(SOON_S))
                assert message.payload == b"behind"
                assert message.time > before, "one clock for the whole life of the modem"
                assert names(session.recoveries[0])[:2] == [("port", "done"), ("resync", "done")]
                assert session.recoveries[0].port == os.fspath(link)
                assert isinstance(receipt.error, modemrig.PortGone), "one outcome, also behind the recovery"
                module.set_conditions(registration="denied")
                module.set_conditions(registration="home")
                module.power_cycle()
                assert any(event.kind == "restarted" for event in events), "subscriptions of events go on"
        for descriptor in held:
            os.close(descriptor)


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


def test_where_nothing_helps_the_error_says_what_was_tried():
    with ExitStack() as stack:
        nothing_helps(World("sim7028", stack))


def nothing_helps(world: World) -> None:
    plan = RecoveryPlan(
        power=lambda: None, resync_s=0.3, restart_s=0.5, power_s=0.6, attempts=2, pause_s=0.05, port_s=1
    )
    with world.session(plan) as session:
        world.module.inject("no_answer")
        with pytest.raises(modemrig.NoAnswer) as caught:
            session.publish("t", b"x", timeout_s=0.3)
        failure = caught.value.__cause__
        assert isinstance(failure, modemrig.RecoveryFailed)
        for word in ("2 attempts", "resync: ", "restart: ", "power: "):
            assert word in str(failure)
        assert session.recoveries == (failure.recovery,)
        assert session.recoveries[0].attempts == 2
        with pytest.raises(modemrig.RecoveryFailed):
            session.publish("t", b"y")
        world.module.clear("no_answer")
        world.module.power_cycle()


def test_without_recover_everything_stays_as_it_is(world: World):
    with world.session(False) as session:
        session.subscribe({"a/cmd": 1})
        assert world.broker.cut("slot-1")
        with pytest.raises(modemrig.ConnectionLost):
            first(session.messages(SOON_S))
        assert session.recoveries == ()
        assert session.state != "connected"


def test_threads_have_one_outcome_for_each_publish_while_the_module_restarts():
    with ExitStack() as stack:
        world = World("lte_standard_a", stack)
        with world.session() as session:
            session.subscribe({"a/#": 1})
            outcomes: list[tuple[bytes, object]] = []
            halfway = threading.Event()

            def work(number: int) -> None:
                for count in range(20):
                    payload = b"%d-%d" % (number, count)
                    try:
                        outcomes.append((payload, session.publish(f"a/{number}", payload, qos=1).wait()))
                    except modemrig.ModemrigError as error:
                        outcomes.append((payload, error))
                    if count == 5:
                        halfway.set()

            threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
            for thread in threads:
                thread.start()
            assert halfway.wait(SOON_S)
            world.module.power_cycle()
            for thread in threads:
                thread.join(2 * SOON_S)
                assert not thread.is_alive()
            assert len(outcomes) == 60
            assert len({payload for payload, _ in outcomes}) == 60
            told = [payload for payload, outcome in outcomes if not isinstance(outcome, modemrig.ModemrigError)]
            arrived = [payload for number in range(3) for payload in world.arrived(f"a/{number}")]
            assert set(told) <= set(arrived), "what was acknowledged did arrive"
            assert len(arrived) == len(set(arrived)), "and nothing twice"
            assert len(told) >= 40
            assert len(session.recoveries) == 1


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


def test_a_recovery_of_a_module_that_is_well_ends_nobody_s_request(world: World):
    with world.session() as session:
        world.broker.delay("PUBACK", 0.5)
        receipt = session.publish("t", b"x", qos=1)
        assert names(world.modem.recover(QUICK)) == [("resync", "done")]
        assert not receipt.done
        receipt.wait()


def test_a_port_that_goes_with_the_power_is_found_again(tmp_path: Path):
    link = tmp_path / "module"
    with modemrig.BenchBroker() as broker, ExitStack() as stack:
        first_life = stack.enter_context(modemrig.VirtualModule("bc35g_bc28", broker=broker, link=link, seed=3))

        def cut() -> None:
            first_life.stop()
            stack.enter_context(modemrig.VirtualModule("bc35g_bc28", broker=broker, link=link, seed=3))

        plan = RecoveryPlan(power=cut, resync_s=0.3, restart_s=0.4, power_s=SOON_S)
        with modemrig.open(link) as modem, modem.client(0).session("h", 1883, "slot-1", recover=plan) as session:
            first_life.inject("no_answer")
            with pytest.raises(modemrig.NoAnswer):
                session.publish("t", b"x", timeout_s=0.2)
            assert ("power", "done") in names(session.recoveries[0])
            session.publish("t", b"y", qos=1).wait()


@pytest.mark.parametrize("profile", ["ec200u", "ec801e", "bg95", "bc95", "sim7600", "a76xx"])
def test_families_of_the_field_are_recovered_by_the_same_calls(profile: str):
    with ExitStack() as stack:
        world = World(profile, stack)
        assert names(world.modem.recover(QUICK)) == [("resync", "done")]
        plan = RecoveryPlan(power=world.module)
        with world.session(plan) as session:
            assert names(world.modem.recover(QUICK)) == [("resync", "done")]
            session.subscribe({"a/cmd": 1})
            world.module.inject("restart")
            until(lambda: world.modem.statistics.restarts == 1)
            session.publish("a/cmd", b"behind", qos=1).wait()
            assert first(session.messages(SOON_S)).payload == b"behind"
            assert len(session.recoveries) == 1
