"""What is around a virtual module, who it is, and its power: at the start, while it runs, from a rig file, by control."""

from __future__ import annotations

from pathlib import Path

import pytest

import modemrig
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
