"""The bench broker from Python, with a client we did not write at its other end."""

from __future__ import annotations

import queue
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest

import modemrig


@pytest.fixture
def broker() -> Iterator[modemrig.BenchBroker]:
    with modemrig.BenchBroker() as broker:
        yield broker


@contextmanager
def peer(
    broker: modemrig.BenchBroker, client_id: str, password: str | None = None, **tls: str
) -> Iterator[tuple[paho.Client, list[int]]]:
    """A connected client, and the CONNACK codes it got."""
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv311)
    answered = threading.Event()
    codes: list[int] = []

    def on_connect(
        _client: object, _data: object, _flags: object, reason: paho.ReasonCode, _properties: object
    ) -> None:
        codes.append(reason.value)
        answered.set()

    client.on_connect = on_connect
    if password is not None:
        client.username_pw_set("someone", password)
    if tls:
        client.tls_set(**tls)
    client.connect(broker.host, broker.tls_port if tls else broker.port)
    client.loop_start()
    try:
        assert answered.wait(10)
        yield client, codes
    finally:
        client.disconnect()
        client.loop_stop()


def test_it_records_who_said_what(broker: modemrig.BenchBroker):
    with peer(broker, "somebody") as (client, codes):
        client.publish("a/b", b"\x00\xff", qos=1).wait_for_publish(10)
        assert codes == [0]
        assert broker.connected == ["somebody"]
    kinds = [(packet.direction, packet.kind) for packet in broker.record()]
    assert kinds[:4] == [("in", "CONNECT"), ("out", "CONNACK"), ("in", "PUBLISH"), ("out", "PUBACK")]
    publish = broker.record()[2]
    assert (publish.client_id, publish["topic"], publish["payload"], publish["qos"]) == (
        "somebody",
        "a/b",
        b"\x00\xff",
        1,
    )
    assert broker.record()[0]["level"] == 4
    broker.clear_record()
    assert broker.record() == []


LEVELS = {3: paho.MQTTv31, 4: paho.MQTTv311}


class Other:
    """A client of paho-mqtt with everything it hears."""

    def __init__(self, level: int, client_id: str, *, clean: bool = True, will_qos: int | None = None) -> None:
        self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=clean, protocol=LEVELS[level]
        )
        if will_qos is not None:
            self.client.will_set(f"will/{client_id}", b"gone", qos=will_qos, retain=True)
        self.heard: queue.Queue[tuple[str, bytes, int, bool]] = queue.Queue()
        self.flags: queue.Queue[tuple[int, bool]] = queue.Queue()
        self.granted: queue.Queue[list[int]] = queue.Queue()
        self.client.on_message = lambda _c, _d, m: self.heard.put((m.topic, m.payload, m.qos, m.retain))
        self.client.on_connect = lambda _c, _d, f, reason, _p: self.flags.put((reason.value, f.session_present))
        self.client.on_subscribe = lambda _c, _d, _m, codes, _p: self.granted.put([code.value for code in codes])

    def connect(self, broker: modemrig.BenchBroker, **tls: str) -> bool:
        """Connects; says whether the broker remembered it."""
        if tls:
            self.client.tls_set(**tls)
        self.client.connect(broker.host, broker.tls_port if tls else broker.port)
        self.client.loop_start()
        code, present = self.flags.get(timeout=10)
        assert code == 0
        return present

    def subscribe(self, topic: str, qos: int) -> None:
        self.client.subscribe(topic, qos)
        assert self.granted.get(timeout=10) == [qos]

    def leave(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.mark.parametrize("way", ["plain", "tls", "mutual"])
@pytest.mark.parametrize("level", [3, 4])
def test_paho_exchanges_everything_at_both_levels_and_breaks_no_rule(
    broker: modemrig.BenchBroker, level: int, way: str, tmp_path: Path
):
    files = broker.certificates.write(tmp_path)
    tls = {} if way == "plain" else {"ca_certs": str(files["ca"])}
    if way == "mutual":
        broker.require_client_cert = True
        tls |= {"certfile": str(files["client_cert"]), "keyfile": str(files["client_key"])}
    one, other = Other(level, "one"), Other(level, "other", will_qos=1)
    assert not one.connect(broker, **tls)
    other.connect(broker, **tls)
    one.subscribe("t/+", 2)
    for qos in (0, 1, 2):
        for payload in (b"", b"\x00\xff", bytes(70_000)):
            other.client.publish("t/x", payload, qos=qos).wait_for_publish(10)
            assert one.heard.get(timeout=10) == ("t/x", payload, qos, False)
    other.client.publish("kept", b"value", qos=1, retain=True).wait_for_publish(10)
    one.subscribe("kept", 1)
    assert one.heard.get(timeout=10) == ("kept", b"value", 1, True)
    one.subscribe("will/#", 2)
    broker.cut("other")
    assert one.heard.get(timeout=10) == ("will/other", b"gone", 1, False)
    one.client.unsubscribe("t/+")
    one.leave()
    other.leave()
    assert [str(each) for each in broker.violations()] == []


@pytest.mark.parametrize("level", [3, 4])
def test_paho_finds_its_session_and_its_messages_again(broker: modemrig.BenchBroker, level: int):
    one = Other(level, "one", clean=False)
    assert not one.connect(broker)
    one.subscribe("t/#", 2)
    one.leave()
    for qos in (0, 1, 2):
        broker.publish("t/x", f"quality {qos}", qos)
    again = Other(level, "one", clean=False)
    assert again.connect(broker) is (level == 4), "3.1 has no such flag"
    assert [again.heard.get(timeout=10)[1:3] for _ in range(2)] == [(b"quality 1", 1), (b"quality 2", 2)]
    again.client.publish("t/mark", b"mark", qos=1).wait_for_publish(10)
    assert again.heard.get(timeout=10)[0] == "t/mark", "quality 0 was not kept"
    # The link goes in the middle of a publish; paho connects again by itself and finishes it.
    broker.lose("PUBACK", times=1)
    sent = again.client.publish("t/late", b"late", qos=1)
    assert again.heard.get(timeout=10)[0] == "t/late"
    broker.cut("one")
    sent.wait_for_publish(20)
    assert sent.is_published()
    again.leave()
    assert [str(each) for each in broker.violations()] == []


def test_it_refuses_with_the_code_it_is_told(broker: modemrig.BenchBroker):
    broker.refuse_with(3)
    with peer(broker, "somebody") as (_, codes):
        assert codes[0] != 0
    broker.refuse_with(None)
    with peer(broker, "somebody") as (_, codes):
        assert codes == [0]


def test_it_lets_in_only_its_users_and_shows_no_password(broker: modemrig.BenchBroker):
    broker.set_users({"someone": "very-secret"})
    with peer(broker, "nobody") as (_, codes):
        assert codes[0] != 0
    with peer(broker, "somebody", password="very-secret") as (_, codes):
        assert codes == [0]
    assert "very-secret" not in repr(broker.record())


def test_it_speaks_tls_and_can_insist_on_a_certificate(broker: modemrig.BenchBroker, tmp_path: Path):
    files = broker.certificates.write(tmp_path)
    authority = broker.ca_file(tmp_path / "authority.pem")
    assert authority.read_text() == broker.ca_pem == files["ca"].read_text()
    assert stat.S_IMODE(files["client_key"].stat().st_mode) == 0o600
    with peer(broker, "tls", ca_certs=str(authority)) as (_, codes):
        assert codes == [0]
    broker.require_client_cert = True
    mutual = {"ca_certs": str(authority), "certfile": str(files["client_cert"]), "keyfile": str(files["client_key"])}
    with peer(broker, "mutual", **mutual) as (_, codes):
        assert codes == [0]


def test_it_publishes_by_itself_and_keeps_what_is_retained(broker: modemrig.BenchBroker):
    broker.publish("kept", "value", retain=True)
    received: list[bytes] = []
    arrived = threading.Event()
    with peer(broker, "somebody") as (client, _):
        client.on_message = lambda _client, _data, message: (received.append(message.payload), arrived.set())
        client.subscribe("#")
        assert arrived.wait(10)
    assert received == [b"value"]


def test_it_cuts_a_connection(broker: modemrig.BenchBroker):
    gone = threading.Event()
    with peer(broker, "somebody") as (client, _):
        client.on_disconnect = lambda *_: gone.set()
        assert broker.cut("somebody") is True
        assert gone.wait(10)
    assert broker.cut("nobody") is False


def test_a_lost_acknowledgement_never_comes_and_a_delayed_one_does(broker: modemrig.BenchBroker):
    with peer(broker, "somebody") as (client, _):
        broker.lose("PUBACK", times=1)
        lost = client.publish("a", b"1", qos=1)
        kept = client.publish("a", b"2", qos=1)
        kept.wait_for_publish(10)
        assert not lost.is_published()
        broker.behave()
        broker.delay("PUBACK", 0.2)
        late = client.publish("a", b"3", qos=1)
        assert not late.is_published()
        late.wait_for_publish(10)


def test_a_nonsense_wish_is_a_bad_value(broker: modemrig.BenchBroker):
    with pytest.raises(modemrig.BadValue, match="NONSENSE"):
        broker.lose("NONSENSE")
    with pytest.raises(modemrig.BadValue, match="qos"):
        broker.publish("a", b"", qos=3)


def test_speed_is_that_of_a_module_and_its_broker():
    with modemrig.open("virtual:ecx00u_egx00u", speed=50) as modem:
        client = modem.client()
        client.configure(keepalive_s=100)
        with client.session(modem.broker.host, modem.broker.port, "fast"):
            deadline = time.monotonic() + 30  # at speed 1 a ping comes after 100 s
            while "PINGREQ" not in (row.kind for row in modem.broker.record()):
                assert time.monotonic() < deadline
                modem.command("+CSQ")
        assert not modem.broker.violations()
    with pytest.raises(modemrig.BadValue, match="speed 0"):
        modemrig.BenchBroker(speed=0)
    with pytest.raises(modemrig.BadValue, match="virtual modules"):
        modemrig.open("/dev/ttyUSB2", speed=2)


def test_stop_is_idempotent_and_frees_the_ports(broker: modemrig.BenchBroker):
    port, tls_port = broker.port, broker.tls_port
    broker.stop()
    broker.stop()
    with modemrig.BenchBroker(port=port, tls_port=tls_port) as again:
        assert (again.port, again.tls_port) == (port, tls_port)


def test_certificates_are_new_each_time_and_hide_their_keys():
    first, second = modemrig.Certificates.generate(), modemrig.Certificates.generate()
    assert first.ca_pem != second.ca_pem
    assert "PRIVATE" not in repr(first)
    assert "BEGIN PRIVATE KEY" in first.client_key_pem
