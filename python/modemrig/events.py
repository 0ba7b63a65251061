"""The values a caller gives and gets: what a module said, and when. Plain, frozen, comparable, picklable; no behaviour.

Times are seconds. A ``time`` counts from the moment the port was opened, as the transcript does; a name that ends in ``_s``
is a duration. Messages are not here: they come by the million, so ``Message`` lives in the extension module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from modemrig import _native

if TYPE_CHECKING:
    from modemrig.errors import ModemrigError

__all__ = [
    "AttachStep",
    "Event",
    "FileEntry",
    "Identity",
    "LateResult",
    "LostConnection",
    "PortInfo",
    "PortReport",
    "Reply",
    "Statistics",
    "Tls",
    "TranscriptEntry",
    "Will",
]


@dataclass(frozen=True, slots=True)
class Identity:
    """What a module says of itself."""

    manufacturer: str
    """``Quectel``"""
    model: str
    """``EC200U``"""
    revision: str
    """Firmware."""
    imei: str
    """Serial number of the radio; empty where the module does not say."""
    dialect: str
    """Which document describes it: one of ``modemrig.dialects()``."""


@dataclass(frozen=True, slots=True)
class LateResult:
    """The line that completes a request, before or after ``OK``: ``+QMTOPEN: 0,0``."""

    op: str
    """What it answers: ``open``, ``conn``, ``sub``, ``pub``, …"""
    name: str
    """The line's own name, ``QMTOPEN``."""
    client: int | None
    """The module's client."""
    msgid: int | None
    """Packet identifier."""
    code: int
    """Result or error code; 0 is success."""
    values: tuple[int, ...]
    """What follows: granted QoS, CONNACK return code."""
    after_s: float
    """How long it took, from the first byte written."""


class _ReplyFacts(NamedTuple):
    """A reply that has left its process."""

    line: str
    lines: tuple[str, ...]
    final: str
    result: tuple[Any, ...] | None
    exchanged: tuple[str, ...]
    elapsed_s: float
    response_s: float
    max_response_s: float | None
    error: ModemrigError | None


class Reply:
    """The answer to one command line. Its fields are made when they are asked for."""

    __slots__ = ("_source",)

    def __init__(self, source: _native.Reply | _ReplyFacts) -> None:
        self._source = source

    @property
    def line(self) -> str:
        """The command line, secrets covered."""
        return self._source.line

    @property
    def lines(self) -> tuple[str, ...]:
        """The information lines: what was asked for."""
        return self._source.lines

    @property
    def final(self) -> str:
        """The final result code, ``OK``; empty where the late result came and no final result did."""
        return self._source.final

    @property
    def result(self) -> LateResult | None:
        """The late result, for a command that has one."""
        result = self._source.result
        return None if result is None else LateResult(*result)

    @property
    def exchanged(self) -> tuple[str, ...]:
        """Every line of the exchange in wire order: ``>`` for a prompt, ``CONNECT``, final result, late result."""
        return self._source.exchanged

    @property
    def elapsed_s(self) -> float:
        """From the first byte written to the end of the wait."""
        return self._source.elapsed_s

    @property
    def response_s(self) -> float:
        """From the first byte written to the line that completed the command."""
        return self._source.response_s

    @property
    def max_response_s(self) -> float | None:
        """The documented maximum of ``response_s``, where the document has one."""
        return self._source.max_response_s

    @property
    def error(self) -> ModemrigError | None:
        """The one error the lines amount to; ``None`` if the command succeeded."""
        return self._source.error

    @property
    def ok(self) -> bool:
        """Whether the command succeeded, its late result included."""
        return self._source.error is None

    def raise_for_status(self) -> Reply:
        """Return the reply itself if the command succeeded.

        Raises:
            CommandRefused: the final result is ``ERROR`` or its like.
            RequestFailed: the late result reports a failure (or its more exact siblings, as ``BrokerRefused``).
        """
        error = self._source.error
        if error is not None:
            raise error
        return self

    def _facts(self) -> _ReplyFacts:
        return _ReplyFacts(*(getattr(self._source, name) for name in _ReplyFacts._fields))

    def __reduce__(self) -> tuple[Any, ...]:
        return Reply, (self._facts(),)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Reply):
            return NotImplemented
        return self._facts()[:-1] == other._facts()[:-1]

    def __hash__(self) -> int:
        return hash(self._facts()[:-1])

    def __repr__(self) -> str:
        exchanged = [_native.cover(line) for line in self.exchanged]  # a query shows device secrets and passwords
        return f"Reply({self.line!r}, {exchanged!r}, response_s={self.response_s:.4f})"


@dataclass(frozen=True, slots=True)
class Event:
    """Something the module said without being asked, in the vocabulary of ``modemrig decode``."""

    kind: str
    """``lost``, ``ping``, ``stored``, ``restarted``, ``urc``, …"""
    fields: Mapping[str, Any]
    """What it carries: ``{"client": 0, "code": 1}``."""
    time: float
    """When its last byte was read."""

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", MappingProxyType(dict(self.fields)))

    def __hash__(self) -> int:
        return hash((self.kind, tuple(self.fields), self.time))

    def __reduce__(self) -> tuple[Any, ...]:
        return Event, (self.kind, dict(self.fields), self.time)


@dataclass(frozen=True, slots=True)
class LostConnection:
    """A client lost its connection to the broker."""

    client: int
    """The module's client."""
    reported: str
    """What the module reported: ``+QMTSTAT``, ``+QMTPING``, a restart."""
    code: int | None
    """The documented code; ``None`` for a restart."""
    meaning: str | None
    """What the code means."""
    remedy: str | None
    """What to do."""
    time: float
    """When it was reported."""


@dataclass(frozen=True, slots=True)
class TranscriptEntry:
    """Bytes that crossed the line together; secrets are covered with ``*``."""

    time: float
    """When."""
    direction: Literal["tx", "rx"]
    """``tx``: to the module."""
    data: bytes
    """The bytes."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What happened on a port since it was opened. Everything only counts up; a new port begins at zero."""

    bytes_sent: int = 0
    """Bytes written."""
    bytes_received: int = 0
    """Bytes read."""
    commands: int = 0
    """Command lines sent; the queries that bring the port back in step do not count."""
    messages: int = 0
    """Messages received from brokers."""
    messages_dropped: int = 0
    """Messages dropped because nobody took them: the oldest go when a client's queue is full."""
    events_dropped: int = 0
    """Events dropped because an iterator did not take them."""
    stale: int = 0
    """Results that came for a request nobody waited for any more, or came twice."""
    surplus: int = 0
    """Final results (``OK``, ``ERROR``) that belong to no command."""
    ignored: int = 0
    """Lines that meant nothing: noise of a boot loader, a stray prompt, the end of a line that was damaged."""
    damaged: int = 0
    """Results and messages that could not be recovered from their line."""
    overflowed: int = 0
    """Lines given up because they had no end within 64 KiB."""
    timeouts: int = 0
    """Commands that got no answer, and requests that got no result, in time."""
    resynchronised: int = 0
    """Times it was established anew whose line is whose, after a time-out or a missing ``OK``."""
    restarts: int = 0
    """Restarts of the module, and times it switched itself off."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file on the module."""

    name: str
    """Its name there."""
    size: int | None
    """Bytes, where the module says."""


@dataclass(frozen=True, slots=True)
class AttachStep:
    """One step of ``Modem.attach``."""

    name: str
    """``sim``, ``registration``, ``pdp``, ``signal``, ``clock``."""
    said: str
    """What the module said."""
    took_s: float
    """How long it took."""


@dataclass(frozen=True, slots=True)
class PortInfo:
    """A serial port of this computer."""

    path: str
    """``/dev/ttyUSB2``"""
    description: str
    """What the adapter says of itself."""
    usb: str | None
    """USB vendor and product, ``2c7c:0901``."""
    serial_number: str | None
    """USB serial number."""
    links: tuple[str, ...]
    """The names below ``/dev/serial``, which survive a reboot."""
    holder: str | None
    """Who holds the port, where known."""


@dataclass(frozen=True, slots=True)
class PortReport:
    """What a port carries, as far as its bytes tell."""

    port: str
    """The port."""
    kind: Literal["at", "nmea", "diagnostic", "unknown", "silent"]
    """``at``: a module answers. ``nmea``, ``diagnostic``: another interface of a module. ``silent``: nothing answers."""
    baud: int | None
    """The speed at which it answers."""
    identity: Identity | None
    """Who answers."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes when the client vanishes."""

    topic: str
    """Topic."""
    payload: bytes | str
    """Any bytes the module takes; text is sent as UTF-8."""
    qos: int = 0
    """Quality of service."""
    retain: bool = False
    """Kept by the broker."""


@dataclass(frozen=True, slots=True)
class Tls:
    """A TLS connection: which of the module's contexts, and what goes into it.

    Certificates are PEM as ``bytes`` or ``str``, or the ``Path`` of a file. Without ``verify``, what is given decides: a client
    certificate means ``mutual``, an authority ``server``, neither ``none``.
    """

    context: int = 0
    """The module's TLS context."""
    ca: bytes | str | Path | None = None
    """Certificate of the authority that signed the broker's."""
    client_cert: bytes | str | Path | None = None
    """Certificate of the client."""
    client_key: bytes | str | Path | None = field(default=None, repr=False)
    """Its key; never shown."""
    verify: Literal["none", "server", "mutual"] | None = None
    """What is checked."""
    ignore_local_time: bool = True
    """Do not check validity dates against the module's clock."""
    sni: bool | None = None
    """Send the host name in the handshake; ``None`` leaves the module's setting."""
