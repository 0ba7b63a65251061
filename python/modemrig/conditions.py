"""What is around a virtual module, who it is, and how it signs: plain values, given at the start or changed while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeVar, get_args

from modemrig.errors import BadValue

__all__ = ["CloudSigning", "Conditions", "VirtualIdentity", "as_word", "changed"]

Registration = Literal["home", "roaming", "denied", "searching"]
Sim = Literal["ready", "absent", "pin_required"]
Method = Literal["md5", "sha1", "sha256"]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What is around a virtual module."""

    registration: Registration = "home"
    """What the network makes of it."""
    registration_delay_s: float = 0.0
    """How long it looks for the network after its radio was switched on, in seconds; shortened by ``speed``."""
    rssi: int | None = 24
    """Strength of the signal as ``AT+CSQ`` has it, 0 to 31; ``None``: unknown."""
    ber: int | None = None
    """Bit error rate as ``AT+CSQ`` has it, 0 to 7; ``None``: unknown."""
    network_time: bool = True
    """Whether the network tells the time when the module registers. Without, its calendar begins on 1980-01-06."""
    clock_error_s: int = 0
    """Seconds that the time the network tells is wrong by."""
    sim: Sim = "ready"
    """The card."""
    pdp: bool = True
    """Whether the network gives a PDP context."""
    dns: bool = True
    """Whether names are resolved."""

    def __post_init__(self) -> None:
        _check_ranges(self)


@dataclass(frozen=True, slots=True)
class VirtualIdentity:
    """What a virtual module says of itself; what is ``None`` is made from dialect and seed."""

    imei: str | None = None
    """15 digits, the last a check digit."""
    model: str | None = None
    """One the document names, or any other name."""
    revision: str | None = None
    """Its firmware, as ``AT+CGMR`` has it."""
    imsi: str | None = None
    """Up to 15 digits."""
    iccid: str | None = None
    """19 or 20 digits, the last a check digit."""


@dataclass(frozen=True, slots=True)
class CloudSigning:
    """How a virtual module signs for cloud platforms, where the documents leave it open."""

    method: Method = "sha256"
    """The hash for Alibaba and OneNET."""
    timestamp: bool = True
    """Whether the moment goes into what is signed for Alibaba."""
    lifetime_s: int = 365 * 86_400
    """How long a token for OneNET holds, in seconds."""

    def __post_init__(self) -> None:
        _check_ranges(self)


_RANGES = {
    "rssi": (0, 31),
    "ber": (0, 7),
    "clock_error_s": (-4_000_000_000, 4_000_000_000),
    "lifetime_s": (1, 4_000_000_000),
}
"""Numbers that more than a look at their type decides about."""


def _check_ranges(values: object) -> None:
    for name, (least, most) in _RANGES.items():
        value = getattr(values, name, None)
        if isinstance(value, int) and not least <= value <= most:
            raise BadValue(f"{name} {value}: {least} to {most}")


T = TypeVar("T", Conditions, VirtualIdentity, CloudSigning)

_CHOICES: dict[str, tuple[str, ...]] = {
    "registration": get_args(Registration),
    "sim": get_args(Sim),
    "method": get_args(Method),
}
_WORDS = {"true": True, "yes": True, "false": False, "no": False}


def changed(values: T, changes: Mapping[str, Any]) -> T:
    """Values with some of them changed; texts are read as a command line gives them (``rssi=9``, ``dns=no``).

    Raises:
        BadValue: there is no such value, or it cannot be this.
    """
    known = {field.name: field.type for field in fields(values)}
    return replace(values, **{name: _read(name, value, known) for name, value in changes.items()})


def as_word(value: Any) -> str:
    """A value as ``changed`` reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _read(name: str, value: Any, known: Mapping[str, Any]) -> Any:
    if name not in known:
        raise BadValue(f"there is no value {name!r} here; there are {', '.join(known)}")
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise BadValue(f"{name} {value!r}: one of {', '.join(_CHOICES[name])}")
        return value
    kind = str(known[name]).split(" ")[0]
    if value is None or (value == "unknown" and "None" in str(known[name])):
        if "None" in str(known[name]):
            return None
        raise BadValue(f"{name} is needed")
    if kind == "bool":
        read = _WORDS.get(value.lower()) if isinstance(value, str) else value
        if not isinstance(read, bool):
            raise BadValue(f"{name} {value!r}: yes or no")
        return read
    if kind == "str":
        return _text(name, value)
    try:
        read = float(value) if kind == "float" else int(value)
    except (TypeError, ValueError):
        raise BadValue(f"{name} {value!r}: a number") from None
    if isinstance(value, bool) or (kind == "float" and not 0 <= read < 1e9):
        raise BadValue(f"{name} {value!r}: a number of seconds, 0 or more")
    return read


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise BadValue(f"{name} {value!r}: a text")
    return value
