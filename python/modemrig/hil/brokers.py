"""The broker of a rig: in this process, a private mosquitto, or one that is already there. All look the same to a test."""

from __future__ import annotations

import contextlib
import getpass
import random
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modemrig.broker import BenchBroker, Certificates
from modemrig.clouds import Device
from modemrig.rig import BrokerAddress, RigError

START_WITHIN_S = 10.0
_OWN_PORTS = (20_000, 32_000)
"""Systems give ports from 32768 or 49152 on to who takes any."""

COMPLAINT = re.compile(r"Client (?P<client>.*?) .*(protocol error|malformed|exceeded timeout|invalid)", re.IGNORECASE)
"""How mosquitto ends a client that breaks a rule. One without a name broke none: its TLS handshake failed, or was a look."""

CLOUD_CLIENT_ID = re.compile(r"\|securemode=.*: a client identifier of more than 23 characters")
"""Longer than MQTT 3.1 allows, and what Alibaba Cloud wants: the documents' own examples connect like this at level 3."""


@dataclass(slots=True)
class RigBroker:
    """Where the modules of a rig connect, and what they need for it."""

    name: str
    """For people."""
    host: str
    """As the module sees it."""
    port: int
    """Plain MQTT."""
    tls_port: int | None
    """MQTT over TLS."""
    peer_host: str
    """As this machine sees it."""
    user: str | None = None
    """User name."""
    password: str | None = field(default=None, repr=False)
    """Its password."""
    ca: bytes | None = None
    """Certificate of the authority, PEM."""
    client_cert: bytes | None = None
    """Certificate of a client, PEM."""
    client_key: bytes | None = field(default=None, repr=False)
    """Its key, PEM."""
    mutual_tls_port: int | None = None
    """A TLS port that refuses clients without a certificate, where there is one of its own."""
    bench: BenchBroker | None = None
    """The bench broker itself."""
    log: Path | None = None
    """What the broker logs."""
    _played: list[Device] = field(default_factory=list, repr=False)
    """Devices of cloud platforms, for each test that runs with one."""

    @property
    def has_certificates(self) -> bool:
        """Whether a module can be checked by its certificate, and check the broker's."""
        return bool(self.ca and self.client_cert and self.client_key)

    def complaints(self) -> list[tuple[str, str]] | None:
        """What the broker holds against its clients, each with the client id; ``None`` where it does not say."""
        if self.bench is not None:
            noted = [(each.client_id, str(each)) for each in self.bench.violations()]
            return [row for row in noted if not CLOUD_CLIENT_ID.search(row[1])]
        if self.log is not None:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
            return [(found["client"], line) for line in lines if (found := COMPLAINT.search(line))]
        return None

    def __str__(self) -> str:
        tls = f", TLS {self.tls_port}" if self.tls_port else ", no TLS"
        return f"{self.name} at {self.host}:{self.port}{tls}"

    def cover(self, text: str) -> str:
        """The text with the password covered, for whatever people read."""
        return text.replace(self.password, "*" * len(self.password)) if self.password else text

    @contextlib.contextmanager
    def demanding_certificates(self, demand: bool) -> Iterator[int | None]:
        """The TLS port to use; with ``demand`` one that refuses clients without a certificate, where we can have that."""
        if demand and self.bench is not None:
            self.bench.require_client_cert = True
            try:
                yield self.tls_port
            finally:
                self.bench.require_client_cert = False
        else:
            yield self.mutual_tls_port if demand and self.mutual_tls_port else self.tls_port

    @contextlib.contextmanager
    def playing(self, platform: Device | None) -> Iterator[None]:
        """Where the broker is ours, it recomputes the credentials of this device and refuses wrong ones meanwhile."""
        if platform is None or self.bench is None:
            yield
            return
        self._played.append(platform)
        self.bench.set_clouds(self._played, others=True)
        try:
            yield
        finally:
            self._played.remove(platform)
            self.bench.set_clouds(self._played or None, others=True)


@contextlib.contextmanager
def start_broker(wanted: str | BrokerAddress, folder: Path, speed: float = 1.0) -> Iterator[RigBroker]:
    """The broker a rig asks for; what was started for it is stopped behind the block. ``speed`` is the bench broker's."""
    if wanted == "bench":
        with BenchBroker(speed=speed) as bench:
            made = bench.certificates
            yield RigBroker(
                "bench broker", bench.host, bench.port, bench.tls_port, bench.host, **_pems(made), bench=bench
            )
    elif wanted == "mosquitto":
        with _mosquitto(folder) as broker:
            yield broker
    else:
        assert isinstance(wanted, BrokerAddress)
        read = {
            name: path.read_bytes()
            for name in ("ca", "client_cert", "client_key")
            if (path := getattr(wanted, name)) is not None
        }
        peer = wanted.peer_host or wanted.host
        yield RigBroker("broker", wanted.host, wanted.port, wanted.tls_port, peer, wanted.user, wanted.password, **read)


def find_mosquitto() -> str | None:
    """The program, also where ``sbin`` is not in the path."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")


@contextlib.contextmanager
def _mosquitto(log_folder: Path) -> Iterator[RigBroker]:
    program = find_mosquitto()
    if program is None:
        raise RigError(
            "--broker mosquitto: there is no program mosquitto here; install it (Debian: apt install mosquitto)"
        )
    log_folder.mkdir(parents=True, exist_ok=True)
    log = log_folder / "mosquitto.log"
    certificates = Certificates.generate()
    with tempfile.TemporaryDirectory(prefix="modemrig-mosquitto-") as folder:
        files = certificates.write(Path(folder))
        plain, tls, mutual = _free_ports(3)
        tls_lines = [f"cafile {files['ca']}", f"certfile {files['server_cert']}", f"keyfile {files['server_key']}"]
        lines = [
            f"user {getpass.getuser()}",
            "allow_anonymous true",
            "persistence false",
            f"log_dest file {log.resolve()}",
            "log_type all",
            f"listener {plain} 127.0.0.1",
            f"listener {tls} 127.0.0.1",
            *tls_lines,
            f"listener {mutual} 127.0.0.1",
            *tls_lines,
            "require_certificate true",
        ]
        config = Path(folder) / "mosquitto.conf"
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        process = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            _await_listening(process, (plain, tls, mutual), log)
            host = "127.0.0.1"
            pems = _pems(certificates)
            yield RigBroker("mosquitto", host, plain, tls, host, **pems, mutual_tls_port=mutual, log=log)
        finally:
            process.terminate()
            try:
                process.communicate(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def _pems(certificates: Certificates) -> dict[str, Any]:
    return {
        "ca": certificates.ca_pem.encode(),
        "client_cert": certificates.client_cert_pem.encode(),
        "client_key": certificates.client_key_pem.encode(),
    }


def _free_ports(count: int) -> list[int]:
    """Ports nobody listens on, and that the system gives to nobody who takes any before the broker has them."""
    found: list[int] = []
    for port in random.sample(range(*_OWN_PORTS), 1000):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
        if len(found) == count:
            return found
    raise RigError("no free port between {} and {} for mosquitto".format(*_OWN_PORTS))


def _await_listening(process: subprocess.Popen[bytes], ports: tuple[int, ...], log: Path) -> None:
    """Return once every port accepts; give up when the program ended or the time is over."""
    deadline = time.monotonic() + START_WITHIN_S
    for port in ports:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if process.poll() is not None:
                output = process.stdout.read().decode(errors="replace") if process.stdout else ""
                raise RigError(f"mosquitto ended with code {process.returncode}: {output.strip() or f'see {log}'}")
            if time.monotonic() > deadline:
                raise RigError(f"mosquitto did not listen within {START_WITHIN_S:g} s; see {log}")
            # A listening socket sends no word when it is ready: ask again in a moment, or at once when the program ends.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.02)
