"""Cloud platforms: what a virtual module signs is recomputed here apart from the product's own formulas, and what a broker that
plays the platform refuses."""

from __future__ import annotations

import base64
import calendar
import hmac
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

import modemrig
from modemrig.hil.brokers import RigBroker
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
        ({}, 2),
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


def connack(
    broker: modemrig.BenchBroker, name: str, user: str, password: str, *, level: int = 4, keep_alive: int = 120
) -> int:
    """The CONNACK code for a CONNECT made here, byte by byte."""
    text = [len(part).to_bytes(2, "big") + part for part in (each.encode() for each in (name, user, password))]
    protocol = b"\x00\x04MQTT\x04" if level == 4 else b"\x00\x06MQIsdp\x03"
    rest = protocol + b"\xc2" + keep_alive.to_bytes(2, "big") + b"".join(text)
    length, size = b"", len(rest)
    while size > 127:
        length, size = length + bytes([size % 128 | 0x80]), size // 128
    with socket.create_connection((broker.host, broker.port), timeout=20) as client:
        client.sendall(b"\x10" + length + bytes([size]) + rest)
        answer = b""
        while len(answer) < 4:
            more = client.recv(4 - len(answer))
            assert more, "closed without a word"
            answer += more
    assert answer[:2] == b"\x20\x02"
    return answer[3]


def signed(key: str | bytes, message: str, method: str = "sha256") -> str:
    return hmac.new(key.encode() if isinstance(key, str) else key, message.encode(), method).hexdigest()


def onenet_token(res: str, et: int, method: str = "sha256") -> str:
    message = f"{et}\n{method}\n{res}\n2018-10-31"
    sign = base64.b64encode(hmac.new(base64.b64decode(KEY), message.encode(), method).digest()).decode()
    return urlencode({"version": "2018-10-31", "res": res, "et": et, "method": method, "sign": sign})


NOW = 1_704_067_200
"""2024-01-01 00:00 UTC, the broker's calendar."""
DEVICES: dict[str, modemrig.clouds.Device] = {
    "alibaba": modemrig.Alibaba("a14Xib5kdYd", "light1983432", "oLyaKqVxtRvjH284LdhqVgVUx1UPy6zq"),
    "onenet": modemrig.OneNet("123123", "mydev", KEY),
    "huawei": modemrig.Huawei("5f052390d51e3f0297e48bb1_node1", SECRET),
    "tencent": modemrig.Tencent("1A17RZR3XX", "dev001", "AAECAwQFBgcICQoLDA0ODw=="),
}
ALIBABA_USER = "light1983432&a14Xib5kdYd"
ALIBABA_KEY = "oLyaKqVxtRvjH284LdhqVgVUx1UPy6zq"
PUBLISHED = "b2488041f64f425016b467ee1c94959ebd592ad1"
HUAWEI = "5f052390d51e3f0297e48bb1_node1"
TENCENT = "1A17RZR3XXdev001"
TENCENT_USER = f"{TENCENT};12010126;Ab3d5;{NOW + 1}"
TENCENT_KEY = base64.b64decode("AAECAwQFBgcICQoLDA0ODw==")
STAMPED = "SN1928339|securemode=3,signmethod=hmacsha1,timestamp=1539421321846|"
PLAIN = "clientIdSN1928339deviceNamelight1983432productKeya14Xib5kdYd"
PRODUCT = "products/123123"


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize(
    ("platform", "code", "name", "user", "password", "more"),
    [
        ("alibaba", 0, STAMPED, ALIBABA_USER, PUBLISHED, {}),
        ("alibaba", 0, STAMPED, ALIBABA_USER, PUBLISHED.upper(), {"level": 3, "keep_alive": 30}),
        ("alibaba", 0, "SN1928339|securemode=3|", ALIBABA_USER, signed(ALIBABA_KEY, PLAIN, "md5"), {}),
        ("alibaba", 4, STAMPED.replace("846|", "847|"), ALIBABA_USER, PUBLISHED, {}),
        ("alibaba", 4, STAMPED, ALIBABA_USER, "", {}),
        ("alibaba", 2, STAMPED.replace("securemode=3", "securemode=2"), ALIBABA_USER, PUBLISHED, {}),
        ("alibaba", 2, STAMPED.replace("hmacsha1", "rot13"), ALIBABA_USER, PUBLISHED, {}),
        ("alibaba", 5, STAMPED, "other&a14Xib5kdYd", PUBLISHED, {}),
        ("alibaba", 5, STAMPED, ALIBABA_USER, PUBLISHED, {"keep_alive": 29}),
        ("alibaba", 5, STAMPED, ALIBABA_USER, PUBLISHED, {"keep_alive": 1201}),
        ("onenet", 0, "mydev", "123123", onenet_token(PRODUCT, NOW + 1), {"keep_alive": 10}),
        ("onenet", 0, "mydev", "123123", onenet_token(f"{PRODUCT}/devices/mydev", NOW + 1, "md5"), {}),
        ("onenet", 4, "mydev", "123123", onenet_token(PRODUCT, NOW), {}),
        ("onenet", 4, "mydev", "123123", onenet_token(PRODUCT, NOW).replace(f"et={NOW}", f"et={NOW + 9}"), {}),
        ("onenet", 4, "mydev", "123123", onenet_token(f"{PRODUCT}/devices/other", NOW + 1), {}),
        ("onenet", 4, "mydev", "123123", "version=2018-10-31", {}),
        ("onenet", 5, "other", "123123", onenet_token(PRODUCT, NOW + 1), {}),
        ("onenet", 1, "mydev", "123123", onenet_token(PRODUCT, NOW + 1), {"level": 3}),
        ("onenet", 5, "mydev", "123123", onenet_token(PRODUCT, NOW + 1), {"keep_alive": 9}),
        ("onenet", 5, "mydev", "123123", onenet_token(PRODUCT, NOW + 1), {"keep_alive": 1801}),
        ("huawei", 0, f"{HUAWEI}_0_1_2024010100", HUAWEI, signed("2024010100", SECRET), {}),
        ("huawei", 0, f"{HUAWEI}_2_1_2023123123", HUAWEI, signed("2023123123", SECRET), {}),
        ("huawei", 0, f"{HUAWEI}_0_0_1980010600", HUAWEI, signed("1980010600", SECRET), {}),
        ("huawei", 4, f"{HUAWEI}_0_1_2024010102", HUAWEI, signed("2024010102", SECRET), {}),
        ("huawei", 4, f"{HUAWEI}_0_0_2024010100", HUAWEI, signed(SECRET, "2024010100"), {}),
        ("huawei", 2, f"{HUAWEI}_1_0_2024010100", HUAWEI, signed("2024010100", SECRET), {}),
        ("huawei", 5, "p_n_0_0_2024010100", "p_n", signed("2024010100", SECRET), {}),
        ("tencent", 0, TENCENT, TENCENT_USER, f"{signed(TENCENT_KEY, TENCENT_USER)};hmacsha256", {"keep_alive": 0}),
        ("tencent", 0, TENCENT, TENCENT_USER, f"{signed(TENCENT_KEY, TENCENT_USER, 'sha1')};hmacsha1", {}),
        ("tencent", 4, TENCENT, TENCENT_USER, f"{signed(TENCENT_KEY, TENCENT_USER)};hmacsha1", {}),
        ("tencent", 4, TENCENT, TENCENT_USER[:-1], f"{signed(TENCENT_KEY, TENCENT_USER[:-1])};hmacsha256", {}),
        ("tencent", 2, f"x{TENCENT}", TENCENT_USER, f"{signed(TENCENT_KEY, TENCENT_USER)};hmacsha256", {}),
        ("tencent", 5, TENCENT, TENCENT_USER, f"{signed(TENCENT_KEY, TENCENT_USER)};hmacsha256", {"keep_alive": 901}),
    ],
)
def test_credentials_made_apart_from_ours_are_taken_and_wrong_ones_refused_with_their_code(
    platform: str, code: int, name: str, user: str, password: str, more: dict[str, int], alone: bool
):
    with modemrig.BenchBroker() as broker:
        broker.set_clouds([DEVICES[platform]] if alone else DEVICES.values(), now_s=NOW)
        assert connack(broker, name, user, password, **more) == code


@pytest.mark.parametrize("dialect", ["lte_standard_a", "ecx00u_egx00u", "ec200x_ec600x_eg912y", "bc35g_bc28"])
def test_a_cloud_example_of_a_document_connects_with_its_secret_and_with_no_other(dialect: str):
    (example,) = (
        each for each in modemrig.catalogue(dialect)["examples"] if isinstance(cloud_device(each), modemrig.Alibaba)
    )
    device = cloud_device(example)
    assert isinstance(device, modemrig.Alibaba)
    lines = [step["send"] for step in example["steps"] if "send" in step]
    wanted = [line for line in lines if re.match(r'AT\+(QMTCFG="aliauth",0,|QMTOPEN=0|QMTCONN=0)', line)]
    for known, code in ((device, 0), (replace(device, device_secret=SECRET), 4)):
        with modemrig.BenchBroker() as bench, modemrig.VirtualModule(dialect, broker=bench) as module:
            rig = RigBroker("bench", bench.host, bench.port, bench.tls_port, bench.host, bench=bench)
            with rig.playing(known), modemrig.open(module.path) as modem:
                for line in wanted:
                    last = modem.command(line)
                assert f"+QMTCONN: 0,0,{code}" in last.exchanged
                (answer,) = (row for row in bench.record() if row.kind == "CONNACK")
                assert answer["code"] == code


def test_a_module_is_told_of_a_device_by_one_name(caplog: pytest.LogCaptureFixture):
    caplog.set_level(1)
    device = modemrig.Huawei("prod_node_1", SECRET)
    with (
        modemrig.BenchBroker(clouds=[device]) as broker,
        modemrig.VirtualModule("lte_standard_a", broker=broker) as module,
        modemrig.open(module.path) as modem,
    ):
        client = modem.client(0)
        for told, key in (
            (modemrig.Alibaba("pk", "dn", SECRET), "aliauth"),
            (modemrig.OneNet("pid", "dn", KEY), "onenet"),
            (device, "hwauth"),
        ):
            client.configure(cloud=told)
            asked = modem.command(f'+QMTCFG="{key}",0')
            assert re.search(SECRET + "|" + re.escape(KEY), str(asked.lines)), "a program gets what the module says"
            assert not re.search(SECRET + "|" + re.escape(KEY), repr(asked)), "a person does not"
            assert [SECRET, KEY][key == "onenet"] in client.setting(key).values()
        client.open("cloud.example", 1883)
        client.connect("node_1")
        written = "".join(str(entry) for entry in modem.transcript())
        for secret in (SECRET, KEY):
            assert secret not in written
            assert secret not in caplog.text
        for told in (modemrig.Tencent("a", "b", KEY), modemrig.Aws()):
            with pytest.raises(modemrig.Unsupported):
                client.configure(cloud=told)
        with pytest.raises(modemrig.BadValue) as wrong:
            client.configure(cloud=SECRET)
        assert SECRET not in str(wrong.value)


@pytest.mark.parametrize("dialect", ["bc35g_bc28", "sim7028"])
def test_a_module_that_cannot_sign_for_a_platform_is_not_told_of_it(dialect: str):
    with (
        modemrig.BenchBroker() as broker,
        modemrig.VirtualModule(dialect, broker=broker) as module,
        modemrig.open(module.path) as modem,
        pytest.raises(modemrig.Unsupported),
    ):
        modem.client(0).configure(cloud=modemrig.OneNet("pid", "dn", KEY))


def test_a_fetched_password_by_an_implementation_apart_from_ours(caplog: pytest.LogCaptureFixture):
    caplog.set_level(1)
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
            shown = repr(token)
            assert token.result.code == 0
            (line,) = modem.command("+QMTTENAUTH?").lines
            password = line.removeprefix("+QMTTENAUTH: ").strip('"')
            shown += repr(modem.command("+QMTTENAUTH?"))
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
                assert secret not in shown
                assert secret not in caplog.text


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


def test_what_is_no_device_and_no_moment_is_refused():
    with modemrig.BenchBroker() as broker:
        for devices, options in (([SECRET], {}), ([], {"now_s": -1})):
            with pytest.raises(modemrig.BadValue):
                broker.set_clouds(devices, **options)
    with pytest.raises(modemrig.BadValue):
        modemrig.BenchBroker(clouds=[None])
