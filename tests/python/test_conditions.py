"""What is around a virtual module, who it is, and its power: at the start, while it runs, from a rig file, by control."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

import modemrig
from modemrig.cli import main
from modemrig.control import ControlSocket, ask
from modemrig.rig import RigError, load_rig


def test_conditions_at_the_start_and_while_it_runs():
    conditions = modemrig.Conditions(registration="searching", rssi=9)
    with modemrig.VirtualModule("ecx00u_egx00u", conditions=conditions) as module, modemrig.open(module.path) as modem:
        assert modem.command("+CEREG?").lines == ("+CEREG: 0,2",)
        module.set_conditions(registration="roaming")
        assert modem.command("+CEREG?").lines == ("+CEREG: 0,5",)
        assert modem.command("+CSQ").lines == ("+CSQ: 9,99",)
        assert module.conditions.rssi == 9
        for wrong in ({"registration": "lost"}, {"rssi": 40}, {"colour": "red"}, {"registration_delay_s": -1}):
            with pytest.raises(modemrig.BadValue):
                module.set_conditions(**wrong)
        assert module.conditions.registration == "roaming", "a refused change changes nothing"


@pytest.mark.parametrize(
    "wrong",
    [
        "rssi=300",
        "rssi=-1",
        "ber=8",
        f"clock_error_s={10**30}",
        "registration_delay_s=nan",
        f"registration_delay_s={10**400}",
    ],
)
def test_a_number_out_of_its_range_is_one_line_and_no_traceback(wrong: str, capsys: pytest.CaptureFixture[str]):
    assert main(["virtual", "sim7028", "--condition", wrong]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"modemrig: {wrong.partition('=')[0]} ")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "wrong", [{"seed": -1}, {"seed": 2**64}, {"baud": 2**32}, {"baud": 0}, {"speed": 0}, {"speed": 1e9}]
)
def test_a_module_does_not_start_with_a_number_that_makes_no_sense(wrong: dict[str, Any]):
    with pytest.raises(modemrig.BadValue, match=next(iter(wrong))):
        modemrig.VirtualModule("sim7028", **wrong)


def test_status_shows_conditions_as_set_takes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with modemrig.VirtualModule("sim7028") as module, ControlSocket(module, str(tmp_path / "ctl")) as control:
        assert main(["control", control.path, "set", "dns=no", "rssi=unknown"]) == 0
        capsys.readouterr()
        assert main(["control", control.path, "status"]) == 0
        rows = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
        names = [field.name for field in dataclasses.fields(modemrig.Conditions)]
        before = module.conditions
        assert main(["control", control.path, "set", *(f"{name}={rows[name]}" for name in names)]) == 0
        assert (rows["dns"], rows["rssi"], module.conditions) == ("no", "unknown", before)
    assert main(["control", control.path, "status"]) == 1
    assert "Errno" not in capsys.readouterr().err


def test_a_module_says_who_it_was_made_to_be():
    who = modemrig.VirtualIdentity(imei="260531793113837", model="EC200U", revision="EC200UR09", imsi="001010000000001")
    with modemrig.VirtualModule("ecx00u_egx00u", identity=who) as module, modemrig.open(module.path) as modem:
        assert module.imei == modem.identity.imei == "260531793113837"
        assert modem.identity.revision == "EC200UR09"
        assert modem.command("+CIMI").lines == ("001010000000001",)
    for wrong in ({"imei": "123456789012345"}, {"imsi": "x"}, {"iccid": "8986"}, {"revision": "a\nb"}):
        with pytest.raises(modemrig.BadValue):
            modemrig.VirtualModule("ecx00u_egx00u", identity=modemrig.VirtualIdentity(**wrong))


def test_power_is_cut_and_comes_back():
    with modemrig.BenchBroker() as broker, modemrig.VirtualModule("sim7028", broker=broker, speed=20) as module:
        with modemrig.open(module.path) as modem:
            module.power_off()
            with pytest.raises(modemrig.NoAnswer):
                modem.command("AT", timeout_s=0.3)
        module.power_cycle()
        with modemrig.open(module.path) as modem:
            assert modem.command("AT").final == "OK"


def test_conditions_and_power_over_the_control_socket(tmp_path: Path):
    with modemrig.VirtualModule("bc35g_bc28") as module, ControlSocket(module, str(tmp_path / "ctl")) as control:
        assert ask(control.path, ["status"])["conditions"]["registration"] == "home"
        ask(control.path, ["set", "registration=denied", "rssi=unknown", "dns=no", "clock_error_s=-60"])
        assert module.conditions == modemrig.Conditions(registration="denied", rssi=None, dns=False, clock_error_s=-60)
        ask(control.path, ["power", "cycle"])
        for wrong in (["set"], ["set", "rssi"], ["set", "rssi=x"], ["set", "dns=maybe"], ["power"], ["power", "up"]):
            with pytest.raises(modemrig.BadValue):
                ask(control.path, wrong)


def test_a_rig_file_says_what_is_around_its_virtual_modules(tmp_path: Path):
    rig = tmp_path / "rig.toml"
    rig.write_text(
        '[[slot]]\nname = "a"\nport = "virtual:sim7028"\nidentity = { revision = "V7" }\n'
        'conditions = { rssi = 3, network_time = false }\nsigning = { method = "md5" }\n'
    )
    (slot,) = load_rig(str(rig)).slots
    assert slot.identity == modemrig.VirtualIdentity(revision="V7")
    assert slot.conditions == modemrig.Conditions(rssi=3, network_time=False)
    assert slot.signing == modemrig.CloudSigning(method="md5")
    for wrong in ("conditions = { rsi = 3 }", "conditions = { dns = 3 }", 'signing = { method = "none" }'):
        rig.write_text(f'[[slot]]\nname = "a"\nport = "virtual:sim7028"\n{wrong}\n')
        with pytest.raises(RigError, match=r"rig\.toml"):
            load_rig(str(rig))
