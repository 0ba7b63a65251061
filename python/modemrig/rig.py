"""Rig files: which modules sit in which slots, and which broker they talk to.

How a rig file is read stands in ``rig_file``. Nothing is opened here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from modemrig.conditions import CloudSigning, Conditions, VirtualIdentity
from modemrig.errors import CallerError
from modemrig.families import Profile, find, profiles

__all__ = ["BrokerAddress", "Rig", "RigError", "Slot", "load_rig"]

VIRTUAL = "virtual:"
OWN_BROKERS = ("bench", "mosquitto")


class RigError(CallerError):
    """A rig cannot be used as it is described; the message names file, line and key."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """A broker that is already there."""

    host: str
    """As the module's network sees it."""
    port: int = 1883
    """Plain MQTT."""
    tls_port: int | None = None
    """MQTT over TLS; without it examples with TLS are skipped."""
    peer_host: str | None = None
    """As this machine sees it; by default the same as ``host``."""
    user: str | None = None
    """User name."""
    password: str | None = field(default=None, repr=False)
    """Its password, from the environment variable the file names."""
    ca: Path | None = None
    """Certificate of the authority, PEM."""
    client_cert: Path | None = None
    """Certificate of a client the broker accepts, PEM."""
    client_key: Path | None = field(default=None, repr=False)
    """Its key, PEM."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one module."""

    name: str
    """Unique in the rig; part of every test id."""
    port: str
    """``/dev/serial/by-path/…``, ``tcp://…``, ``rfc2217://…`` or ``virtual:<dialect or profile>``."""
    dialect: str | None = None
    """By default what the module says of itself decides."""
    baud: int = 115_200
    """Bits per second."""
    imei: str | None = None
    """What must sit here; by default anything may."""
    apn: str | None = None
    """Access point name; given, the module is attached to its network first."""
    differs: str | None = None
    """How a virtual module differs from its document: TOML in the form of a dialect's data file."""
    quirks: tuple[str, ...] = ()
    """Departures of a virtual module from its document: ``gap:ms=250``."""
    faults: tuple[str, ...] = ()
    """What goes wrong with a virtual module: ``late_answer:ms=500,count=1``."""
    identity: VirtualIdentity = field(default_factory=VirtualIdentity)
    """What a virtual module says of itself; ``imei`` counts more."""
    conditions: Conditions = field(default_factory=Conditions)
    """What is around a virtual module."""
    signing: CloudSigning = field(default_factory=CloudSigning)
    """How a virtual module signs for cloud platforms."""
    power: str | None = None
    """Command that switches a real module's power, as ``PowerCommand`` takes it; ``Modem.recover`` may run it."""
    known_as: str | None = None
    """The profile of a real module, as the rig file says: what modules like it are known to do beside their document."""

    @property
    def is_virtual(self) -> bool:
        """Whether the suite makes the module itself."""
        return self.port.startswith(VIRTUAL)

    @property
    def rules(self) -> frozenset[str]:
        """The rules of ``docs/field.md`` its module goes by beside its document: those of its quirks and of its profile's.

        A profile may also say more than the document where its modules have more, as clients.
        """
        from modemrig import _native
        from modemrig.hil.departures import KIN

        profile = self.profile
        quirks = (*self.quirks, *(profile.quirks if profile else ()))
        names = {quirk.partition(":")[0] for quirk in quirks}
        rules = {rule for name, _, rules, _, _ in _native.quirks() if name in names for rule in rules}
        return frozenset(rules | {KIN} if profile and profile.name != profile.dialect else rules)

    @property
    def known_dialect(self) -> str | None:
        """The dialect, where it is known before the port is opened."""
        if not self.is_virtual and self.dialect is not None:
            return self.dialect
        return self.profile.dialect if self.profile else self.virtual_name

    @property
    def virtual_name(self) -> str | None:
        """The dialect or profile of a virtual module."""
        return self.port.removeprefix(VIRTUAL) if self.is_virtual else None

    @property
    def profile(self) -> Profile | None:
        """The family its module is of, where that is known."""
        return find(self.virtual_name or self.known_as or "")


@dataclass(frozen=True, slots=True)
class Rig:
    """The slots of a test run and their broker."""

    name: str
    """For people and for the prefix of topics."""
    slots: tuple[Slot, ...]
    """At least one."""
    broker: str | BrokerAddress = "bench"
    """``bench`` (in this process), ``mosquitto`` (started for the run), or one that is already there."""
    speed: float = 1.0
    """Timers of virtual modules and of the bench broker run this many times as fast."""


def load_rig(rig: str, broker: str | None = None) -> Rig:
    """Read a rig.

    Args:
        rig: ``virtual`` (a slot for each document), ``virtual:<dialect or profile>``, or the path of a rig file.
        broker: overrules the rig's broker: ``bench``, ``mosquitto``, ``host:port`` or ``host:port:tls_port``.

    Raises:
        RigError: naming file, line and key.
    """
    chosen = None if broker is None else broker if broker in OWN_BROKERS else broker_address("--broker", broker)
    if rig == "virtual" or rig.startswith(VIRTUAL):
        described = _virtual(rig)
        return described if chosen is None else replace(described, broker=chosen)
    from modemrig.rig_file import read

    return read(rig, chosen)


def _virtual(rig: str) -> Rig:
    from modemrig.reference import dialects

    known = dialects()
    if rig == "virtual":
        return Rig("virtual", tuple(Slot(dialect, VIRTUAL + dialect) for dialect in known))
    name = rig.removeprefix(VIRTUAL)
    if name not in known and find(name) is None:
        raise RigError(
            f"--rig {rig}: there is no dialect or profile {name!r}; there are {', '.join([*known, *profiles()])}"
        )
    return Rig("virtual", (Slot(name, rig),))


def broker_address(where: str, text: str) -> BrokerAddress:
    """A broker that is already there, as it is written: ``host:port`` or ``host:port:tls_port``.

    Raises:
        RigError: that begins with ``where``.
    """
    match = re.fullmatch(r"(?P<host>[^:\s]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})(?::(?P<tls>\d{1,5}))?", text)
    numbers = [int(n) for n in match.group("port", "tls") if n is not None] if match else []
    if match is None or not all(0 < number < 65536 for number in numbers):
        raise RigError(f"{where} {text!r}: write bench, mosquitto, host:port or host:port:tls_port")
    return BrokerAddress(match["host"].strip("[]"), numbers[0], numbers[1] if len(numbers) > 1 else None)
