"""The parts of the suite that need no module: lines, comparison, examples made ready."""

from __future__ import annotations

import queue
from pathlib import Path

import pytest

import modemrig
from modemrig.hil.bench import Bench
from modemrig.hil.brokers import RigBroker, start_broker
from modemrig.hil.examples import Plan, Received, is_mutual, prepare, upload_checksum, uses_tls
from modemrig.hil.peer import Peer
from modemrig.hil.wire import Line, differences, same
from modemrig.rig import BrokerAddress, Rig, RigError, Slot

BROKER = RigBroker("b", "10.0.0.9", 2001, 2002, "10.0.0.9", ca=b"CA!", client_cert=b"CERTIFICATE", client_key=b"KEY.")


def plan(dialect: str, example: str, prefix: str = "") -> Plan:
    document = modemrig.catalogue(dialect)
    row = next(row for row in document["examples"] if row["id"] == example)
    return prepare(row, document, BROKER, BROKER.tls_port, prefix, None)


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ("+QMTOPEN: 0,0", "+QMTOPEN:0, 0"),
        ('+QMTOPEN: 0,"h",1', "+QMTOPEN: 0,h,1"),
        ("+CSQ: <rssi>,<ber>", "+CSQ: 24,99"),
        ("OK", "OK"),
    ],
)
def test_blanks_and_quotation_marks_do_not_count(expected: str, got: str) -> None:
    assert same(expected, got)


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ("+QMTOPEN: 0,0", "+QMTOPEN: 0,1"),
        ("+QMTOPEN: 0,0", "+QMTOPEN: 0"),
        ("OK", "ERROR"),
        ("+CSQ: <rssi>", "+CSQ: 1,2"),
    ],
)
def test_values_count(expected: str, got: str) -> None:
    assert not same(expected, got)


def test_the_order_of_prompt_ok_and_result_counts() -> None:
    assert differences([">", "OK", "+QMTPUBEX: 0,0,0"], [">", "OK", "+QMTPUBEX: 0,0,0"]) is None
    shown = differences([">", "OK", "+QMTPUBEX: 0,0,0"], [">", "+QMTPUBEX: 0,0,0", "OK"])
    assert shown is not None
    assert shown.count("≠") == 2


def test_a_missing_line_is_a_difference() -> None:
    assert differences(["OK", "+QMTOPEN: 0,0"], ["OK"]) is not None
    assert differences(["OK"], ["OK", "+QMTOPEN: 0,0"]) is not None


def test_a_comma_in_a_topic_does_not_split_it() -> None:
    assert Line.parse('+QMTRECV: 0,0,"a,b",2,"hi"').fields == ("0", "0", "a,b", "2", "hi")


def test_the_checksum_is_the_exclusive_or_of_byte_pairs() -> None:
    assert upload_checksum(b"\x01\x02\x03\x04") == "206"
    assert upload_checksum(b"\x01\x02\x03") == "202"


def test_host_and_port_become_the_brokers() -> None:
    sent = [step.send for step in plan("ecx00u_egx00u", "5.1").steps]
    assert 'AT+QMTOPEN=0,"10.0.0.9",2001' in sent
    assert 'AT+QMTCONN=0,"clientExample"' in sent
    assert any('+QMTOPEN: 0,"10.0.0.9",2001' in step.expect for step in plan("ecx00u_egx00u", "5.1").steps)
    assert any(s and '"tcp://10.0.0.9:2002"' in s for s in (step.send for step in plan("sim7028", "4.2").steps))


def test_a_shared_broker_gets_prefixed_names_and_recomputed_lengths() -> None:
    lte = plan("lte_standard_a", "5.1", "ab-")
    sent = [step.send for step in lte.steps]
    assert 'AT+QMTSUB=0,1,"ab-topic/example",2' in sent
    assert 'AT+QMTCONN=0,"ab-clientExample"' in sent
    assert Received(0, "ab-topic/pub", b"This is test data, hello MQTT.", 0, True) in lte.steps[14].received
    sim = plan("sim7028", "4.1", "ab-")
    typed = {step.send: step.payload for step in sim.steps if step.payload}
    assert typed["AT+CMQTTTOPIC=0,12"] == b"ab-simcommsg"
    assert typed["AT+CMQTTSUB=0,12,1"] == b"ab-simcommsg"
    assert typed["AT+CMQTTWILLTOPIC=0,13"] == b"ab-simcomwill"
    assert len(typed["AT+CMQTTPAYLOAD=0,60"]) == 60
    assert [r.topic for step in sim.steps for r in step.received] == ["ab-simcommsg"]


def test_a_topic_that_begins_with_a_dollar_sign_keeps_it() -> None:
    sent = [step.send for step in plan("lte_standard_a", "5.2", "ab-").steps]
    assert 'AT+QMTSUB=0,1,"$aws/ab-things/M26_0206/shadow/update/accepted",1' in sent


def test_a_broker_with_users_gets_their_names_and_the_password_is_covered_for_people() -> None:
    document = modemrig.catalogue("sim7028")
    row = next(row for row in document["examples"] if row["id"] == "3.2.8")
    broker = RigBroker("b", "10.0.0.9", 2001, None, "10.0.0.9", "bob", "s3cret")
    connect, asked = prepare(row, document, broker, None, "", None).steps
    assert connect.send == 'AT+CMQTTCONNECT=0,"tcp://10.0.0.9:2001",20,1,"bob","s3cret"'
    assert asked.expect == ['+CMQTTCONNECT: 0,"tcp://10.0.0.9:2001",20,1,"bob","s3cret"', "OK"]
    assert broker.cover(asked.expect[0]).endswith('"bob","******"')
    assert "s3cret" not in repr(broker)


def test_slots_of_a_rig_never_share_a_prefix() -> None:
    slots = tuple(Slot(f"slot-{number}", "virtual:sim7028") for number in range(400))
    bench = Bench(Rig("r", slots), "log")
    assert len({place.prefix for place in bench.slots}) == len({place.peer_id for place in bench.slots}) == 400


def test_a_slot_that_has_the_broker_for_itself_needs_no_prefix() -> None:
    slot = Slot("s", "virtual:sim7028")
    assert Bench(Rig("r", (slot,)), "log").slots[0].prefix == ""
    assert Bench(Rig("r", (slot,), BrokerAddress("broker.lab")), "log").slots[0].prefix != ""


def test_a_module_in_two_slots_is_said() -> None:
    bench = Bench(Rig("r", (Slot("a", "virtual:sim7028"), Slot("b", "virtual:sim7028"))), "log")
    bench.claim("864300000000003", "a")
    bench.claim("864300000000003", "a")
    with pytest.raises(RigError, match=r"slot b: .*864300000000003, is the one of slot a"):
        bench.claim("864300000000003", "b")


def test_uploads_carry_the_certificates_in_use() -> None:
    steps = [step for step in plan("ecx00u_egx00u", "5.2").steps if step.send and "QFUPL" in step.send]
    assert [step.send for step in steps] == [
        'AT+QFUPL="UFS:cacert.pem",3,100',
        'AT+QFUPL="UFS:client.pem",11,100',
        'AT+QFUPL="UFS:user_key.pem",4,100',
    ]
    assert steps[0].payload == b"CA!"
    assert f"+QFUPL: 3,{upload_checksum(b'CA!')}" in steps[0].expect


def test_what_is_published_must_arrive() -> None:
    nb = plan("bc35g_bc28", "6.1")
    published = [step.published for step in nb.steps if step.published]
    assert published == [("topic/pub", "这是测试数据, hello MQTT.".encode())]
    assert [s.published for s in plan("sim7028", "4.1").steps if s.published] == [("simcommsg", b"0123456789" * 6)]


def test_every_example_of_every_document_can_be_made_ready() -> None:
    made = 0
    for dialect in modemrig.dialects():
        document = modemrig.catalogue(dialect)
        for row in document["examples"]:
            ready = prepare(row, document, BROKER, BROKER.tls_port, "0a-", None)
            assert len(ready.steps) == len(row["steps"])
            assert not any(
                port in str(step.send) for step in ready.steps for port in (":1883", ",1883", ":8883", ",8883")
            )
            made += 1
    assert made >= 27


def test_tls_and_mutual_tls_are_seen() -> None:
    rows = {(d, r["id"]): r for d in modemrig.dialects() for r in modemrig.catalogue(d)["examples"]}
    assert not uses_tls(rows["lte_standard_a", "5.1"])
    assert uses_tls(rows["lte_standard_a", "5.2"])
    assert is_mutual(rows["lte_standard_a", "5.2"])
    assert uses_tls(rows["sim7028", "4.3"])
    assert not is_mutual(rows["sim7028", "4.3"])
    assert is_mutual(rows["sim7028", "4.4"])


def test_the_link_at_the_top_is_the_packaged_suite() -> None:
    checkout = Path(__file__).parents[2]
    assert (checkout / "hil").is_symlink()
    assert (checkout / "hil").resolve() == checkout / "python" / "modemrig" / "hil"


def test_the_peer_of_a_fast_rig_stays_connected(tmp_path: Path) -> None:
    # At 60 times the patience with a keep-alive of 60 s is one and a half, and that with a missing CONNECT half a second.
    with start_broker("bench", tmp_path, 60.0) as broker, Peer(broker, "idle") as peer:
        assert broker.bench is not None
        with pytest.raises(queue.Empty):
            peer.received.get(timeout=3.0)
        assert broker.bench.violations() == []
        assert broker.bench.connected == ["idle"]
