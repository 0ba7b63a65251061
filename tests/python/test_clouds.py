"""Cloud platforms: what a virtual module signs is recomputed here apart from the product's own formulas, and what a broker that
plays the platform refuses."""

from __future__ import annotations

import base64
import calendar
import hmac
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs

import pytest

import modemrig
from modemrig.hil.examples import cloud_device

SECRET = "0123456789abcdef0123456789abcdef"
KEY = "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw="


def connect(
    platform: Any, settings: dict[str, Any], *, dialect: str = "lte_standard_a", client_id: str = "me", **options: Any
) -> dict[str, Any]:
    """Connect a client of a module that was told of its device; what its CONNECT carried."""
    signing = modemrig.CloudSigning(**options)
    with modemrig.BenchBroker() as broker, modemrig.VirtualModule(dialect, broker=broker, signing=signing) as module:
        broker.set_clouds([platform])
        with modemrig.open(module.path) as modem:
            client = modem.client(0)
            client.configure(**settings)
            client.open("cloud.example", 1883)
            client.connect(client_id)
            (sent,) = (row for row in broker.record() if row.kind == "CONNECT")
            return dict(sent.fields)


def heard(settings: dict[str, Any], client_id: str, **options: Any) -> list[str]:
    """Client id, user name and password of the CONNECT of a module that was told of its device, read off the wire."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        port = server.getsockname()[1]
        signing = modemrig.CloudSigning(**options)
        with (
            modemrig.VirtualModule("lte_standard_a", broker=f"127.0.0.1:{port}", signing=signing) as module,
            modemrig.open(module.path) as modem,
        ):
            client = modem.client(0)
            client.configure(version="3.1.1", **settings)
            client.open("cloud.example", 1883)
            peer, _ = server.accept()
            with peer, ThreadPoolExecutor(1) as pool:
                connecting = pool.submit(client.connect, client_id)
                peer.settimeout(20)
                packet = peer.recv(4096)
                peer.sendall(b"\x20\x02\x00\x00")
                connecting.result(20)
    at = 1
    while packet[at] & 0x80:
        at += 1
    at += 1 + 10  # the remaining length; name, level, flags and keep-alive of MQTT 3.1.1
    fields = []
    while at < len(packet):
        length = int.from_bytes(packet[at : at + 2], "big")
        fields.append(packet[at + 2 : at + 2 + length].decode())
        at += 2 + length
    return fields


@pytest.mark.parametrize("method", ["md5", "sha1", "sha256"])
def test_alibaba_by_an_implementation_apart_from_ours(method: str):
    client_id, username, password = heard({"aliauth": ("pk", "dn", SECRET)}, "me", method=method)
    own_id, _, rest = client_id.partition("|")
    named = dict(pair.split("=") for pair in rest.rstrip("|").split(","))
    assert (own_id, username) == ("me", "dn&pk")
    assert named["signmethod"] == f"hmac{method}"
    assert named["securemode"] == "3"
    assert abs(int(named["timestamp"]) / 1000 - time.time()) < 60
    content = f"clientIdmedeviceNamednproductKeypktimestamp{named['timestamp']}"
    assert password == hmac.new(SECRET.encode(), content.encode(), method).hexdigest()


@pytest.mark.parametrize("method", ["md5", "sha1", "sha256"])
def test_onenet_by_an_implementation_apart_from_ours(method: str):
    client_id, username, token = heard({"onenet": ("123123", KEY)}, "mydev", method=method, lifetime_s=3600)
    assert (client_id, username) == ("mydev", "123123")
    named = {key: values[0] for key, values in parse_qs(token).items()}
    assert abs(int(named["et"]) - time.time() - 3600) < 60
    message = "\n".join(named[key] for key in ("et", "method", "res", "version"))
    digest = hmac.new(base64.b64decode(KEY), message.encode(), method).digest()
    assert named["sign"] == base64.b64encode(digest).decode()
    assert (named["method"], named["res"]) == (method, "products/123123/devices/mydev")


def test_huawei_by_an_implementation_apart_from_ours():
    for settings, kind in (({"hwauth": ("prod", SECRET)}, 0), ({"hwprodid": ("prod", SECRET, "node")}, 2)):
        client_id, username, password = heard(settings, "node")
        stamp = client_id.rpartition("_")[2]
        assert (client_id, username) == (f"prod_node_{kind}_0_{stamp}", "prod_node")
        assert abs(time.time() - calendar.timegm(time.strptime(stamp, "%Y%m%d%H"))) < 3700
        assert password == hmac.new(stamp.encode(), SECRET.encode(), "sha256").hexdigest(), "the time is the key"


def test_the_broker_refuses_as_the_platform_would():
    device = modemrig.Alibaba("pk", "dn", SECRET)
    for settings, code in [
        ({"aliauth": ("pk", "dn", "wrong")}, 4),
        ({"aliauth": ("pk", "stranger", SECRET)}, 5),
        ({"aliauth": ("pk", "dn", SECRET), "keepalive_s": 1201}, 5),
        ({}, 5),
    ]:
        with pytest.raises(modemrig.BrokerRefused) as refused:
            connect(device, settings)
        assert refused.value.code == code, settings
        assert SECRET not in str(refused.value)
    one = modemrig.OneNet("123123", "me", KEY)
    with pytest.raises(modemrig.BrokerRefused) as refused:
        connect(one, {"onenet": ("123123", KEY)})
    assert refused.value.code == 1, "OneNET speaks level 4 only"
    connect(one, {"onenet": ("123123", KEY), "version": "3.1.1"})


def test_a_fetched_password_by_an_implementation_apart_from_ours():
    tencent = modemrig.Tencent("1A17RZR3XX", "dev001", "AAECAwQFBgcICQoLDA0ODw==")
    with modemrig.BenchBroker() as broker, modemrig.VirtualModule("bc35g_bc28", broker=broker) as module:
        broker.set_clouds([tencent])
        with modemrig.open(module.path) as modem:
            token = modem.run(
                "QMTTENAUTH",
                product_id="1A17RZR3XX",
                device_name="dev001",
                client_id="1A17RZR3XX@dev001",
                device_secret="AAECAwQFBgcICQoLDA0ODw==",
            )
            assert token.result is not None
            assert token.result.code == 0
            (line,) = modem.command("+QMTTENAUTH?").lines
            password = line.removeprefix("+QMTTENAUTH: ").strip('"')
            expiry, _, digest = password.partition(";")
            message = f"1A17RZR3XX@dev001\n{expiry}".encode()
            key = base64.b64decode("AAECAwQFBgcICQoLDA0ODw==")
            assert digest == hmac.new(key, message, "sha256").hexdigest()
            assert abs(int(expiry) - time.time() - 60 * 86_400) < 60, "60 days, the largest the document prints"
            client = modem.client(0)
            client.open("cloud.example", 1883)
            client.connect("1A17RZR3XX@dev001", username="dev001", password=password)
            written = "".join(str(entry) for entry in modem.transcript())
            assert "QMTTENAUTH" in written
            for secret in (password, digest, "AAECAwQFBgcICQoLDA0ODw=="):
                assert secret not in written


def test_every_cloud_example_of_the_documents_names_its_device():
    platforms = {
        dialect: [
            type(device).__name__
            for example in modemrig.catalogue(dialect)["examples"]
            if (device := cloud_device(example))
        ]
        for dialect in modemrig.dialects()
    }
    assert platforms == {
        "lte_standard_a": ["Alibaba", "Aws"],
        "ecx00u_egx00u": ["Alibaba", "Aws"],
        "ec200x_ec600x_eg912y": ["Alibaba", "Aws"],
        "bc35g_bc28": ["Alibaba"],
        "sim7028": [],
    }


def test_secrets_of_devices_are_not_shown():
    for device in (
        modemrig.Alibaba("a", "b", SECRET),
        modemrig.OneNet("a", "b", SECRET),
        modemrig.Huawei("a", SECRET),
        modemrig.Tencent("a", "b", SECRET),
    ):
        assert SECRET not in repr(device)


@pytest.mark.parametrize("sni", [True, False])
def test_aws_wants_a_certificate_and_where_it_says_so_the_name_of_its_endpoint(sni: bool):
    with modemrig.BenchBroker() as broker, modemrig.VirtualModule("ecx00u_egx00u", broker=broker) as module:
        broker.set_clouds([modemrig.Aws("a1.iot.example")])
        with modemrig.open(module.path) as modem:
            files = {"ca": broker.ca_pem, "client_cert": broker.client_cert_pem, "client_key": broker.client_key_pem}
            modem.tls_context(2, verify="mutual", sni=sni, **files)
            client = modem.client(0)
            client.open("a1.iot.example", 8883, tls=2)
            if sni:
                client.connect("M26_0206")
                return
            with pytest.raises(modemrig.BrokerRefused) as refused:
                client.connect("M26_0206")
            assert refused.value.code == 5
