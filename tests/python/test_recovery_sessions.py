"""Sessions that are made again when they are lost, for each family: nothing twice, nothing without an outcome."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import modemrig
from modemrig import RecoveryPlan
from recovering import FAMILIES, QUICK, SOON_S, World, first, names, stuck, until


@pytest.fixture(params=FAMILIES)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(request.param, stack)


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


def test_a_client_wedged_at_the_start_is_recovered_too(world: World):
    command = "AT+QMTOPEN" if world.dialect != "sim7028" else "AT+CMQTTSTART"
    world.module.inject("error", command=command, count=2)
    with world.session() as session:
        session.publish("t", b"x", qos=1).wait()
        [recovery] = session.recoveries
        assert "CommandRefused" in recovery.cause or "refused" in recovery.cause


def test_power_ends_a_stuck_payload_and_the_session_goes_on(world: World):
    plan = RecoveryPlan(power=world.module, input_s=0.3, power_s=SOON_S)
    with world.session(plan) as session:
        stuck(world)
        with pytest.raises(modemrig.ModemrigError):
            session.publish("t", b"unsure", timeout_s=0.5)
        session.publish("t", b"behind", qos=1).wait()
        assert ("power", "done") in names(session.recoveries[0])
    assert world.arrived("t") == [b"behind"]


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
        before = world.modem.statistics.restarts
        world.module.power_cycle()
        until(lambda: world.modem.statistics.restarts > before)


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
