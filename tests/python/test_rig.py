"""Rig files: what they say, and what an error in them says."""

from __future__ import annotations

from pathlib import Path

import pytest

from modemrig.rig import BrokerAddress, RigError, load_rig

WHOLE = """\
[rig]
name = "bench-3"
broker = { host = "broker.lab", port = 1884, tls_port = 8884, peer_host = "127.0.0.1", user = "u", password_env = "PW" }

[[slot]]
name = "slot-1"
port = "/dev/ttyUSB2"
imei = "864300000000003"
apn = "internet"

[[slot]]
name = "slot-2"
port = "virtual:bc35g_bc28"
"""


def write(folder: Path, text: str) -> str:
    path = folder / "rig.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_rig_file_says_slots_and_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "s3cret")
    rig = load_rig(write(tmp_path, WHOLE))
    assert rig.name == "bench-3"
    assert [slot.name for slot in rig.slots] == ["slot-1", "slot-2"]
    assert rig.slots[0].imei == "864300000000003"
    assert rig.slots[1].known_dialect == "bc35g_bc28"
    assert rig.broker == BrokerAddress("broker.lab", 1884, 8884, "127.0.0.1", "u", "s3cret")
    assert "s3cret" not in repr(rig)


def test_a_real_slot_says_what_modules_like_its_own_are_known_to_do(tmp_path: Path) -> None:
    slot = '[rig]\nbroker = { host = "broker.lab" }\n[[slot]]\nname = "s"\nport = "/dev/ttyUSB2"\n'
    plain = load_rig(write(tmp_path, slot)).slots[0]
    assert plain.rules == frozenset()
    assert plain.known_dialect is None
    known = load_rig(write(tmp_path, f'{slot}profile = "bg77"\n')).slots[0]
    assert known.profile is not None
    assert known.profile.name == "bg95"
    assert {"F9", "F23"} <= known.rules
    assert known.known_dialect == "lte_standard_a"
    virtual = load_rig("virtual:bg95").slots[0]
    assert virtual.rules == known.rules
    assert load_rig("virtual:lte_standard_a").slots[0].rules == frozenset()
    for wrong, words in (("nosuch", "there is no profile 'nosuch'"), ("", "there is no profile")):
        with pytest.raises(RigError, match=words):
            load_rig(write(tmp_path, f'{slot}profile = "{wrong}"\n'))
    with pytest.raises(RigError, match="has it in its port"):
        load_rig(write(tmp_path, '[[slot]]\nname = "s"\nport = "virtual:sim7028"\nprofile = "sim7028"\n'))


def test_the_default_rig_has_a_slot_for_every_document() -> None:
    rig = load_rig("virtual")
    assert len(rig.slots) == 5
    assert all(slot.is_virtual for slot in rig.slots)


def test_speed_is_that_of_every_virtual_module_and_its_broker(tmp_path: Path) -> None:
    slot = '[[slot]]\nname = "s"\nport = "virtual:sim7028"\n'
    assert load_rig(write(tmp_path, slot)).speed == 1.0
    assert load_rig(write(tmp_path, f"[rig]\nspeed = 20\n{slot}")).speed == 20.0
    assert load_rig(write(tmp_path, f"[rig]\nspeed = 0.5\n{slot}")).speed == 0.5


def test_a_broker_on_the_command_line_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "s3cret")
    assert load_rig(write(tmp_path, WHOLE), "10.0.0.1:1883").broker == BrokerAddress("10.0.0.1", 1883)
    assert load_rig("virtual", "mosquitto").broker == "mosquitto"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[rig]\nspeed = 0\n[[slot]]\nname="s"\nport="virtual:sim7028"', 2, ["rig.speed", "factor above 0"]),
        ('[rig]\nspeed = true\n[[slot]]\nname="s"\nport="virtual:sim7028"', 2, ["rig.speed", "factor above 0"]),
        ('[rig]\nname = "a"\ncolour = 1\n[[slot]]\nname="s"\nport="virtual:sim7028"', 3, ["rig.colour", "unknown key"]),
        ('[[slot]]\nname="s"\nport="virtual:sim7028"\n[other]\nx=1', 4, ["other", "unknown key"]),
        ('[[slot]]\nname="s"\nport="virtual:nosuch"', 3, ["slot.port", "profile 'nosuch'", "sim7028"]),
        (
            '[[slot]]\nname="a"\nport="virtual:sim7028"\n[[slot]]\nname="b"\nport=7',
            6,
            ["slot.port", "a text is needed"],
        ),
        ('[[slot]]\nname="a"\nport="virtual:sim7028"\n[[slot]]\nname="a"\nport="virtual:sim7028"', 5, ["twice"]),
        ('[[slot]]\nname="s"\nport="virtual:sim7028"\nimei="12"', 4, ["slot.imei", "15 digits"]),
        ('[[slot]]\nname="s"\nport="/dev/ttyS0"\nquirks=["x"]', 4, ["slot.quirks", "real port"]),
        ('[[slot]]\nname="s"\nport="/dev/ttyS0"\nfaults=["no_answer"]', 4, ["slot.faults", "real port"]),
        ('[[slot]]\nname="s"\nport="/dev/ttyS0"\ndiffers="clients = 2"', 4, ["slot.differs", "real port"]),
        (
            '[[slot]]\nname="s"\nport="virtual:sim7028"\ndiffers="client = 2"',
            4,
            ["slot.differs", "differs.toml, line 1", "unknown field `client`"],
        ),
        ('[[slot]]\nname="s"\nport="virtual:sim7028"\nfaults=["x"]', 4, ["slot.faults", "no fault", "no_answer"]),
        (
            '[[slot]]\nname="s"\nport="virtual:sim7028"\nfaults=["no_answer:command=AT+QMTPUB"]',
            4,
            ["slot.faults", "AT+QMTPUB"],
        ),
        ('[[slot]]\nname="s"', 1, ["slot.port", "is needed"]),
        ('[[slot]]\nname="a b"\nport="virtual:sim7028"', 2, ["slot.name", "letters"]),
        (
            '[rig]\nbroker = { hots = "x" }\n[[slot]]\nname="s"\nport="virtual:sim7028"',
            2,
            ["rig.broker.hots", "unknown key"],
        ),
        ('[rig]\nbroker = { host = "x", port = 0 }\n[[slot]]\nname="s"\nport="virtual:sim7028"', 2, ["port", "65535"]),
        (
            '[rig]\nbroker = { host = "x", ca = "no.pem" }\n[[slot]]\nname="s"\nport="virtual:sim7028"',
            2,
            ["ca", "no file"],
        ),
        (
            '[rig]\nbroker = { host = "x", password_env = "NOT_THERE" }\n[[slot]]\nname="s"\nport="virtual:sim7028"',
            2,
            ["password_env", "NOT_THERE"],
        ),
        (
            '[rig.broker]\nhost = "x"\ntls_port = "8883"\n[[slot]]\nname="s"\nport="virtual:sim7028"',
            3,
            ["rig.broker.tls_port", "a port", "'8883'"],
        ),
        (
            '[rig]\nname = "r"\nbroker.host = "x"\nbroker.ca = 7\n[[slot]]\nname="s"\nport="virtual:sim7028"',
            4,
            ["rig.broker.ca", "a text"],
        ),
        (
            '[[slot]]\nname="a"\nport="/dev/ttyUSB2"\n[[slot]]\nname="b"\nport="/dev/ttyUSB2"',
            6,
            ["slot.port", "/dev/ttyUSB2 stands twice"],
        ),
        (
            '[[slot]]\nname="s"\nport="virtual:sim7028"\nquirks=["prompt_on_own_line", "nosuch"]',
            4,
            ["slot.quirks", 'no quirk "nosuch"', "prompt_on_own_line"],
        ),
        ('[[slot]]\nname="s"\nport="/dev/ttyS0"\ndialect="nosuch"', 4, ["slot.dialect", "no dialect 'nosuch'"]),
        ("[rig]\nname = 'x'", 1, ["slot", "at least one"]),
    ],
)
def test_an_error_names_file_line_and_key(tmp_path: Path, text: str, line: int, words: list[str]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(RigError) as caught:
        load_rig(path)
    message = str(caught.value)
    assert f"{path}, line {line}, " in message
    for word in words:
        assert word in message


def test_a_file_that_is_no_toml_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(RigError, match="line 2"):
        load_rig(write(tmp_path, "[rig]\nname = \n"))


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(RigError, match="No such file"):
        load_rig(str(tmp_path / "none.toml"))


def test_a_real_slot_needs_a_broker_its_network_reaches(tmp_path: Path) -> None:
    path = write(tmp_path, '[[slot]]\nname = "s"\nport = "/dev/ttyUSB2"\n')
    with pytest.raises(RigError, match=r"line 3, slot.port: /dev/ttyUSB2 is a real port.*broker = \{ host"):
        load_rig(path)
    assert load_rig(path, "192.0.2.1:1883").slots[0].port == "/dev/ttyUSB2"


def test_an_address_of_version_6_stands_in_brackets() -> None:
    assert load_rig("virtual", "[::1]:1883:8883").broker == BrokerAddress("::1", 1883, 8883)


@pytest.mark.parametrize("broker", ["", "host", "host:0", "host:99999", "a b:1"])
def test_a_broker_that_is_no_address_is_refused(broker: str) -> None:
    with pytest.raises(RigError, match="host:port"):
        load_rig("virtual", broker)
