"""The bench broker from Python, with a client we did not write at its other end."""

from __future__ import annotations

import stat
import threading
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
