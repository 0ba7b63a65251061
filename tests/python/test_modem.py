"""The library on a virtual module: a person's first hour with it."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import pytest

import modemrig

QMT = ["lte_standard_a", "ecx00u_egx00u", "ec200x_ec600x_eg912y", "bc35g_bc28"]


@pytest.mark.parametrize("dialect", modemrig.dialects())
def test_a_module_of_each_document_is_recognised(dialect: str):
    with modemrig.open(f"virtual:{dialect}") as modem:
        assert modem.dialect == dialect
        assert modem.identity.dialect == dialect
        assert modem.identity.manufacturer
        assert len(modem.identity.imei) == 15
        assert modem.port == f"virtual:{dialect}"


def test_a_raw_command_answers_with_its_lines(modem: modemrig.Modem):
    reply = modem.command("+CSQ")
    assert reply.final == "OK"
    assert reply.ok
    assert reply.lines[0].startswith("+CSQ: ")
    assert reply.exchanged == (*reply.lines, "OK")
    assert 0 < reply.response_s <= reply.elapsed_s
    assert modem.command("AT+CSQ").lines == reply.lines


def test_a_reply_survives_pickling(modem: modemrig.Modem):
    reply = modem.command("+CSQ")
    assert pickle.loads(pickle.dumps(reply)) == reply


def test_an_error_is_an_answer_unless_it_is_checked(modem: modemrig.Modem):
    reply = modem.command("+QMTNONSENSE=1")
    assert not reply.ok
    assert reply.final in ("ERROR", "+CME ERROR: 4", "+CME ERROR: 100") or reply.final.startswith("+CME ERROR")
    with pytest.raises(modemrig.CommandRefused) as caught:
        reply.raise_for_status()
    assert caught.value.last_lines
    with pytest.raises(modemrig.CommandRefused):
        modem.command("+QMTNONSENSE=1", check=True)


def test_several_commands_in_one_call(modem: modemrig.Modem):
    assert [reply.final for reply in modem.commands(["+CSQ", "+CSQ", "I"])] == ["OK", "OK", "OK"]


def test_a_catalogued_command_takes_documented_names(modem: modemrig.Modem):
    reply = modem.run("QMTOPEN", client_idx=0, host_name="hub.example", port=1883)
    assert reply.result is not None
    assert (reply.result.op, reply.result.client, reply.result.code) == ("open", 0, 0)
    assert modem.client(0).state == "open"


def test_a_bad_value_is_refused_before_the_wire(modem: modemrig.Modem):
    sent = modem.statistics.bytes_sent
    with pytest.raises(modemrig.BadValue) as caught:
        modem.run("QMTOPEN", client_idx=6, host_name="hub.example", port=1883)
    assert "client_idx" in str(caught.value)
    assert caught.value.source
    assert modem.statistics.bytes_sent == sent


def test_a_value_of_a_wrong_type_names_the_parameter(modem: modemrig.Modem):
    with pytest.raises(TypeError, match="client_idx"):
        modem.run("QMTOPEN", client_idx=object(), host_name="hub.example", port=1883)


def test_a_command_the_dialect_has_not_is_unsupported(modem: modemrig.Modem):
    with pytest.raises(modemrig.Unsupported):
        modem.run("CMQTTSTART")


@pytest.mark.parametrize("dialect", modemrig.dialects())
def test_what_is_published_comes_back(dialect: str):
    payload = b"\x00 any bytes\r\nOK\r\n\xff"
    if dialect == "sim7028":  # the only document that wants UTF-8
        payload = "\x00 any text\r\nOK\r\n\u00fc".encode()
    with modemrig.open(f"virtual:{dialect}") as modem:
        client = modem.client(0)
        client.configure(keepalive_s=60, will=modemrig.Will("a/gone", b"bye", qos=1))
        with client.session(modem.broker.host, modem.broker.port, client_id="slot-1") as session:
            assert session.state == "connected"
            granted = session.subscribe({"a/cmd": 1})
            assert granted["a/cmd"] in (1, None)
            receipt = session.publish("a/cmd", payload, qos=1)
            receipt.wait(10)
            assert receipt.done
            message = next(session.messages(timeout_s=10))
        assert (message.topic, message.payload, message.client) == ("a/cmd", payload, 0)
        assert client.state == "closed"
        kinds = [packet.kind for packet in modem.broker.record() if packet.direction == "in"]
        assert kinds[0] == "CONNECT"
        assert "PUBLISH" in kinds


def test_a_batch_is_published_in_order(modem: modemrig.Modem):
    with modem.client(0).session(modem.broker.host, modem.broker.port, client_id="slot-1") as session:
        session.subscribe({"n": 1})
        receipts = session.publish_many([("n", str(number), 1) for number in range(20)])
        for receipt in receipts:
            receipt.wait(10)
        messages = session.messages(timeout_s=10)
        assert [int(next(messages).payload) for _ in range(20)] == list(range(20))


def test_leaving_the_message_loop_loses_nothing(modem: modemrig.Modem):
    with modem.client(0).session(modem.broker.host, modem.broker.port, client_id="slot-1") as session:
        session.subscribe({"n": 1})
        for receipt in session.publish_many([("n", str(number), 1) for number in range(10)]):
            receipt.wait(10)
        first = next(session.messages(timeout_s=10))
        rest = [next(modem.client(0).messages(timeout_s=10)) for _ in range(9)]
        assert [int(message.payload) for message in [first, *rest]] == list(range(10))
        assert session.dropped == 0


def test_settings_are_read_as_they_were_written(modem: modemrig.Modem):
    client = modem.client(0)
    client.configure(pkt_timeout=7, keepalive_s=33)
    assert client.setting("pkt_timeout") == 7
    assert client.setting("keepalive_s") == 33
    settings = client.settings()
    assert set(settings) <= set(modem.setting_names())


@pytest.mark.parametrize("dialect", ["ecx00u_egx00u", "sim7028"])
def test_tls_with_a_client_certificate(dialect: str):
    with modemrig.open(f"virtual:{dialect}") as modem:
        broker = modem.broker
        broker.require_client_cert = True
        tls = modemrig.Tls(0, broker.ca_pem, broker.client_cert_pem, broker.client_key_pem)
        with modem.client(0).session("hub.example", 8883, client_id="slot-1", tls=tls) as session:
            assert session.state == "connected"


def test_a_refusing_broker_is_named(modem: modemrig.Modem):
    modem.broker.refuse_with(5)
    client = modem.client(0)
    client.open(modem.broker.host, modem.broker.port)
    with pytest.raises(modemrig.BrokerRefused) as caught:
        client.connect("slot-1")
    assert caught.value.fault == "network"
    assert caught.value.meaning


def test_a_name_that_does_not_resolve_fails_to_open(modem: modemrig.Modem):
    with pytest.raises(modemrig.OpenFailed) as caught:
        modem.client(0).open("nowhere.invalid", 1883)
    assert caught.value.code is not None
    assert caught.value.meaning


def test_a_lost_connection_is_reported_once(modem: modemrig.Modem):
    client = modem.client(0)
    client.open(modem.broker.host, modem.broker.port)
    client.connect("slot-1")
    modem.broker.stop()
    lost = client.connection_lost(timeout_s=10)
    assert lost is not None
    assert (lost.client, lost.reported) == (0, "+QMTSTAT")
    assert client.connection_lost(timeout_s=0) is None


def test_the_transcript_holds_what_was_said_and_no_password(modem: modemrig.Modem, tmp_path: Path):
    path = tmp_path / "talk.jsonl"
    with modemrig.open("virtual:ecx00u_egx00u", transcript=path) as modem:
        client = modem.client(0)
        client.open(modem.broker.host, modem.broker.port)
        client.connect("slot-1", "someone", "very-secret")
        entries = modem.transcript()
        assert modem.transcript_path == path
        assert "very-secret" not in repr(modem)
    assert any(entry.direction == "tx" and b"AT+QMTCONN" in entry.data for entry in entries)
    assert b"very-secret" not in b"".join(entry.data for entry in entries)
    text = path.read_text(encoding="utf-8")
    assert "AT+QMTCONN" in text
    assert "very-secret" not in text
    events = list(modemrig.decode(path))
    assert {"e": "open", "client": 0, "code": 0} in events


def test_a_broker_may_be_shared_and_given(tmp_path: Path):
    with modemrig.BenchBroker() as broker, modemrig.open("virtual:ecx00u_egx00u", broker=broker) as modem:
        assert modem.broker is broker


def test_a_real_port_has_no_broker_of_ours():
    with pytest.raises(modemrig.BadValue, match="virtual"):
        modemrig.open("/dev/ttyUSB0", broker="127.0.0.1:1883")


def test_a_file_is_uploaded_once(modem: modemrig.Modem):
    assert modem.upload("a.pem", b"x" * 700) is True
    assert modem.upload("a.pem", b"x" * 700) is False
    assert [(file.name.removeprefix("UFS:"), file.size) for file in modem.files()] == [("a.pem", 700)]
    modem.delete_file("a.pem")
    assert modem.files() == []


def test_attach_says_what_each_step_found(modem: modemrig.Modem):
    steps = modem.attach(apn="internet", timeout_s=20)
    names = [step.name for step in steps]
    assert names[0] == "sim"
    assert {"registration", "pdp", "signal", "clock"} <= set(names)


def test_a_module_on_tcp_is_a_module(tmp_path: Path):
    with modemrig.VirtualModule("ecx00u_egx00u", tcp=True) as module:
        assert module.path.startswith("tcp://")
        with modemrig.open(module.path) as modem:
            assert modem.command("+CSQ").ok


@pytest.mark.parametrize("dialect", modemrig.dialects())
def test_a_will_is_written_and_switched_off_by_its_documented_names(dialect: str):
    if dialect == "sim7028":
        pytest.skip("its will has no setting of its own")
    with modemrig.open(f"virtual:{dialect}") as modem:
        client = modem.client(0)
        names = modem.setting_names()["will"]
        client.configure(will_fg=0)
        assert client.setting("will_qos") is None
        client.configure(**dict(zip(names, [1, 2, 0, "a/gone", "bye"], strict=True)))
        assert [client.setting(name) for name in names] == [1, 2, 0, "a/gone", "bye"]
        client.configure(will_fg=0)
        assert client.setting("will_fg") == 0


@pytest.mark.parametrize("dialect", modemrig.dialects())
def test_a_payload_is_any_bytes_and_nothing_else(dialect: str):
    payloads = [b"\xff\x80", bytes(range(256)), bytearray(b"\x00"), memoryview(b"\r\nOK\r\n"), "gr\u00fc\u00dfe"]
    with modemrig.open(f"virtual:{dialect}") as modem, modem.client(0).session("broker.lab", 1883, "any") as session:
        session.subscribe({"any/#": 1})
        for payload in payloads:
            session.publish("any/1", payload, qos=1).wait()
        expected = [payload.encode() if isinstance(payload, str) else bytes(payload) for payload in payloads]
        messages = session.messages(timeout_s=5)
        assert [next(messages).payload for _ in payloads] == expected
        for wrong in (5, None, ["x"]):
            with pytest.raises(TypeError, match="a payload is bytes or str"):
                session.publish("any/1", wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("dialect", ["ecx00u_egx00u", "sim7028"])
def test_a_topic_or_qos_nobody_can_publish_with_is_refused_before_the_wire(dialect: str):
    with modemrig.open(f"virtual:{dialect}") as modem, modem.client(0).session("broker.lab", 1883, "bad") as session:
        sent = modem.statistics.bytes_sent
        for topic in ("", "a/+", "a/#", 'a"b', "a\rAT", "a\0"):
            with pytest.raises(modemrig.BadValue, match="topic cannot be"):
                session.publish(topic, b"x")
        for qos in (-1, 3, 300):
            with pytest.raises(modemrig.BadValue, match=f"qos cannot be {qos}; allowed: 0-2"):
                session.publish("t", b"x", qos=qos)
            with pytest.raises(modemrig.BadValue, match=f"qos cannot be {qos}; allowed: 0-2"):
                session.subscribe({"t": qos})
        with pytest.raises(TypeError, match="QoS by topic filter"):
            session.subscribe(["t"])  # type: ignore[arg-type]
        with pytest.raises(modemrig.BadValue, match="client -1 does not exist"):
            modem.client(-1)
        assert modem.statistics.bytes_sent == sent


@pytest.mark.parametrize("baud", [0, -1, 2**40])
def test_a_speed_that_is_none_is_refused(baud: int):
    with pytest.raises(modemrig.BadValue, match=f"baud cannot be {baud}"):
        modemrig.open("/dev/null", baud=baud)


def test_a_broker_that_is_not_there_comes_with_a_remedy():
    with (
        modemrig.VirtualModule("ecx00u_egx00u", broker="127.0.0.1:9") as module,
        modemrig.open(module.path) as modem,
        pytest.raises(modemrig.OpenFailed) as failed,
    ):
        modem.client(0).open("broker.lab", 1883)
    assert failed.value.code is not None
    assert failed.value.meaning
    assert "check host and port" in str(failed.value.remedy)


@pytest.mark.parametrize("dialect", ["ecx00u_egx00u", "sim7028"])
def test_a_second_connect_fails_at_once_and_harms_nothing(dialect: str):
    with modemrig.open(f"virtual:{dialect}") as modem, modem.client(0).session("broker.lab", 1883, "once") as session:
        with pytest.raises(modemrig.ModuleError, match="connected"):
            session.client.connect("again", timeout_s=10)
        session.publish("t", b"x", qos=1).wait()


@pytest.mark.parametrize("wrong", [{"port": 70000}, {"port": -1}, {"port": 1883, "tls": -1}])
def test_a_port_or_context_out_of_range_is_refused_before_the_wire(
    modem: modemrig.Modem, wrong: dict[str, int]
) -> None:
    before = modem.statistics.commands
    with pytest.raises(modemrig.BadValue, match="allowed"):
        modem.client(0).open("broker.example", **wrong)
    assert modem.statistics.commands == before


def test_a_tls_context_that_cannot_work_is_refused_before_the_wire(modem: modemrig.Modem) -> None:
    before = modem.statistics.commands
    for index, what, words in [
        (-1, {}, "no TLS context -1"),
        (300, {}, "no TLS context 300"),
        (0, {"client_cert": "x"}, "ca is not given"),
        (0, {"ca": "/etc/ssl/ca.pem"}, "ca holds no certificate in PEM"),
        (0, {"verify": "most"}, "verify must be"),
    ]:
        with pytest.raises(modemrig.BadValue, match=words):
            modem.tls_context(index, **what)
    assert modem.statistics.commands == before


def test_a_client_id_longer_than_mqtt_can_say_is_refused_before_the_wire(modem: modemrig.Modem) -> None:
    client = modem.client(0)
    client.open(modem.broker.host, modem.broker.port)
    with pytest.raises(modemrig.BadValue, match="65535"):
        client.connect("x" * 70000)


def test_an_occupied_client_says_to_close_it_first() -> None:
    with modemrig.open("virtual:ecx00u_egx00u") as modem:
        modem.command('AT+QMTOPEN=0,"broker.example",1883')
        reply = modem.command('AT+QMTOPEN=0,"broker.example",1883')
        assert reply.error is not None
        assert reply.error.code == 2
        assert "close the client" in (reply.error.remedy or "")


def test_statistics_count_up_and_are_what_the_stub_says(modem: modemrig.Modem) -> None:
    before = modem.statistics
    with pytest.raises(dataclasses.FrozenInstanceError):
        before.commands = 0  # type: ignore[misc]
    names = [field.name for field in dataclasses.fields(modemrig.Statistics)]
    assert list(modem._native.statistics()) == names
    modem.command("+CSQ")
    after = modem.statistics
    assert (after.commands, after.bytes_sent) == (before.commands + 1, before.bytes_sent + len("AT+CSQ\r"))
    assert after.bytes_received > before.bytes_received
    quiet = [name for name in names if name not in ("commands", "bytes_sent", "bytes_received")]
    assert [getattr(after, name) for name in quiet] == [getattr(before, name) for name in quiet]
