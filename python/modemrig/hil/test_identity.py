"""The slot holds what the rig says, and the module says who it is."""

from modemrig.hil.bench import SlotBench
from modemrig.modem import Modem


def test_module_says_who_it_is(modem: Modem, slot: SlotBench) -> None:
    identity = modem.identity
    assert identity.manufacturer
    assert identity.model
    assert identity.revision
    assert len(identity.imei) == 15, identity
    assert identity.imei.isdecimal(), identity
    assert identity.dialect == slot.dialect
    assert slot.slot.imei in (None, identity.imei)


def test_module_answers_at(modem: Modem) -> None:
    assert modem.command("AT").exchanged == ("OK",)
