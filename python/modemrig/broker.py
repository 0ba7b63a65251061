"""The bench broker: an MQTT broker as a test instrument, in this process and on this machine only.

Not a product: it forgets everything when it stops. What it can do that others cannot: refuse with a chosen code, and say
exactly which packets crossed its wire.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, Literal

from modemrig import _native
from modemrig.clouds import Device
from modemrig.errors import BadValue
from modemrig.running import Running

__all__ = ["BenchBroker", "Certificates", "RecordedPacket", "Violation"]


@dataclass(frozen=True, slots=True)
class RecordedPacket:
    """A packet that crossed the broker's wire."""

    time: float
    """When, in seconds since the broker started."""
    connection: int
    """Which connection, in the order they came."""
    client_id: str
    """Whose; empty until its CONNECT was read."""
    direction: Literal["in", "out"]
    """``in``: from a client."""
    kind: str
    """``CONNECT``, ``PUBLISH``, …"""
    fields: Mapping[str, Any]
    """What it carries, by the standard's names: ``topic``, ``payload``, ``qos``, ``id``, …; no password."""

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule of the standard that a client broke."""

    time: float
    """When, in seconds since the broker started."""
    connection: int
    """Which connection, in the order they came."""
    client_id: str
    """Whose; empty until its CONNECT was read."""
    level: Literal[3, 4] | None
    """The connection's level: 3 is MQTT 3.1, 4 is 3.1.1."""
    kind: str | None
    """``PUBLISH``, …; ``None`` for bytes that are no packet, and for silence."""
    id: int | None
    """Its packet identifier."""
    what: str
    """What is wrong."""
    statement: str
    """Where the standard says so: ``[MQTT-2.3.1-1]``, or a section."""

    def __str__(self) -> str:
        packet = " ".join(str(part) for part in (self.kind, self.id) if part is not None)
        return f"client {self.client_id!r}: {packet + ': ' if packet else ''}{self.what} {self.statement}"


@dataclass(frozen=True, slots=True)
class Certificates:
    """A certificate authority and what it signed, made on the spot, in PEM."""

    ca_pem: str
    """Certificate of the authority."""
    server_cert_pem: str
    """Certificate of the broker."""
    server_key_pem: str = field(repr=False)
    """Its key."""
    client_cert_pem: str
    """Certificate of a client."""
    client_key_pem: str = field(repr=False)
    """Its key."""

    @staticmethod
    def generate() -> Certificates:
        """Make a new authority with a server (for localhost) and a client."""
        return Certificates(*_native.generate_certificates())

    def write(self, folder: Path) -> dict[str, Path]:
        """Write the five files, keys readable by the owner only; returns their paths by field name without ``_pem``."""
        paths = {}
        for name in self.__slots__:
            path = folder / f"{name.removesuffix('_pem')}.pem"
            path.touch(mode=0o600 if "key" in name else 0o644)
            path.write_text(getattr(self, name), encoding="ascii")
            paths[name.removesuffix("_pem")] = path
        return paths


class BenchBroker(Running):
    """A running broker on free ports of this machine; use it in a ``with`` block.

    >>> import modemrig
    >>> with modemrig.BenchBroker() as broker:
    ...     broker.host
    '127.0.0.1'
    """

    def __init__(
        self,
        *,
        port: int = 0,
        tls_port: int = 0,
        users: Mapping[str, str] | None = None,
        require_client_cert: bool = False,
        refuse_with: int | None = None,
        clouds: Iterable[Device] | None = None,
        speed: float = 1.0,
    ) -> None:
        """Start it.

        Args:
            port: for plain MQTT; 0 is a free one.
            tls_port: for MQTT over TLS; 0 is a free one.
            users: passwords by user name; ``None`` lets everybody in.
            require_client_cert: refuse a TLS connection without a client certificate.
            refuse_with: answer every CONNECT with this CONNACK code.
            clouds: play the cloud platforms of these devices (``set_clouds``).
            speed: timers run this many times as fast: keep-alives, delays, patience with a client that says nothing. For
                virtual modules of the same ``speed``; a client with real timers needs 1.

        Raises:
            BadValue: ``speed`` is no factor above 0.
        """
        self._native = _native.BenchBroker(port, tls_port, speed)
        self._requires_client_cert = False
        self._rules: list[tuple[str, str | None, float | None, int | None]] = []
        if users is not None:
            self.set_users(users)
        if require_client_cert:
            self.require_client_cert = True
        if refuse_with is not None:
            self.refuse_with(refuse_with)
        if clouds is not None:
            try:
                self.set_clouds(clouds)
            except BadValue:
                self.stop()
                raise

    @property
    def host(self) -> str:
        """Its address."""
        return self._native.host()

    @property
    def port(self) -> int:
        """The port for plain MQTT."""
        return self._native.port()

    @property
    def token_url(self) -> str:
        """Where a virtual module fetches a password (``AT+QMTTENAUTH``); see ``docs/token-server.md``."""
        return self._native.token_url()

    @property
    def tls_port(self) -> int:
        """The port for MQTT over TLS."""
        return self._native.tls_port()

    @property
    def certificates(self) -> Certificates:
        """Everything its TLS side uses."""
        return Certificates(*self._native.certificates())

    @property
    def ca_pem(self) -> str:
        """Certificate of the authority that signed the broker's."""
        return self.certificates.ca_pem

    @property
    def client_cert_pem(self) -> str:
        """Certificate of a client the broker accepts."""
        return self.certificates.client_cert_pem

    @property
    def client_key_pem(self) -> str:
        """Its key."""
        return self.certificates.client_key_pem

    def ca_file(self, path: str | Path) -> Path:
        """Write the authority's certificate to a file; returns its path."""
        path = Path(path)
        path.write_text(self.ca_pem, encoding="ascii")
        return path

    def record(self) -> list[RecordedPacket]:
        """Every packet so far, in the order in which they crossed the wire."""
        return [RecordedPacket(*row) for row in self._native.record()]

    def clear_record(self) -> None:
        """Forget the packets so far."""
        self._native.clear_record()

    def violations(self) -> list[Violation]:
        """Every rule of the standard that a client broke so far.

        >>> import socket, modemrig
        >>> with modemrig.BenchBroker() as broker, socket.create_connection((broker.host, broker.port)) as client:
        ...     client.sendall(bytes([0xC0, 0]))  # PINGREQ before CONNECT
        ...     client.recv(1)
        ...     [str(each) for each in broker.violations()]
        b''
        ["client '': PINGREQ: the first packet is not CONNECT [MQTT-3.1.0-1]"]
        """
        return [Violation(*row) for row in self._native.violations()]  # type: ignore[arg-type]

    def clear_violations(self) -> None:
        """Forget the broken rules so far."""
        self._native.clear_violations()

    def refuse_with(self, code: int | None) -> None:
        """Answer every CONNECT from now on with this CONNACK code (1 to 5); ``None`` ends it."""
        self._native.refuse_with(code)

    def refuse_filters(self, filters: Iterable[str]) -> None:
        """Refuse subscriptions to these topic filters from now on (SUBACK 128; at MQTT 3.1 too), and to no others."""
        self._native.refuse_filters(list(filters))

    def set_clouds(self, devices: Iterable[Device] | None, *, others: bool = False, now_s: int | None = None) -> None:
        """Play the cloud platforms of these devices: recompute credentials, and refuse wrong ones with the right code.

        A wrong signature or an expired token gets CONNACK 4, an unknown device or a keep-alive the platform does not allow 5,
        a client id that has not the platform's form 2, a version it does not speak 1. With devices of one platform, and
        without ``others``, every client is held to that platform's rules; else the form of its CONNECT says to which.

        Args:
            devices: who may connect; ``None`` ends it.
            others: let in clients that do not look like any platform's device.
            now_s: the broker's calendar, in seconds since 1970; ``None``: this computer's.

        Raises:
            BadValue: a device is of no platform, or a moment before 1970.
        """
        if now_s is not None and not 0 <= now_s < 1 << 63:
            raise BadValue(f"now_s {now_s}: seconds since 1970")
        rows = None if devices is None else [_row(one) for one in devices]
        self._native.set_clouds(rows, others, now_s)

    def set_users(self, users: Mapping[str, str] | None) -> None:
        """Let in only these users, passwords by name; ``None`` lets everybody in."""
        self._native.set_users(None if users is None else dict(users))

    @property
    def require_client_cert(self) -> bool:
        """Whether a TLS connection without a client certificate is refused."""
        return self._requires_client_cert

    @require_client_cert.setter
    def require_client_cert(self, required: bool) -> None:
        self._native.require_client_cert(required)
        self._requires_client_cert = required

    def lose(self, kind: str, *, client_id: str | None = None, times: int | None = None) -> None:
        """Never send acknowledgements of this kind (``PUBACK``, ``SUBACK``, …) from now on, or for so many times."""
        self._add_rule((kind, client_id, None, times))

    def delay(self, kind: str, by_s: float, *, client_id: str | None = None, times: int | None = None) -> None:
        """Send acknowledgements of this kind so much later; ``speed`` shortens that."""
        self._add_rule((kind, client_id, by_s, times))

    def behave(self) -> None:
        """End every ``lose`` and ``delay``."""
        self._native.set_ack_rules([])
        self._rules.clear()

    def _add_rule(self, rule: tuple[str, str | None, float | None, int | None]) -> None:
        # The newest first: what was said last counts. Rules that ran out begin again; say behave() before.
        self._native.set_ack_rules([rule, *self._rules])
        self._rules.insert(0, rule)

    def cut(self, client_id: str) -> bool:
        """End a client's connection as a broken network does; says whether it had one."""
        return self._native.cut(client_id)

    def publish(self, topic: str, payload: bytes | str, qos: int = 0, retain: bool = False) -> int:
        """Publish as if a client had; returns how many sessions it went to."""
        return self._native.publish(topic, payload.encode() if isinstance(payload, str) else payload, qos, retain)

    @property
    def connected(self) -> list[str]:
        """The client identifiers with a connection, in order."""
        return self._native.connected()

    def forget_sessions(self) -> None:
        """Forget sessions, retained messages and queued messages, as a broker without a disk does when it restarts."""
        self._native.forget_sessions()

    def stop(self) -> None:
        """Close every connection and stop; no thread is left. Idempotent."""
        self._native.stop()

    def __repr__(self) -> str:
        return f"BenchBroker({self.host}:{self.port}, TLS {self.tls_port})"


def _row(device: object) -> tuple[str, list[str]]:
    """A device as the core takes it: its platform, and the fields of its class."""
    if not isinstance(device, Device):
        raise BadValue(f"{type(device).__name__} is no device of a platform: see modemrig.clouds")
    return type(device).__name__.lower(), list(astuple(device))
