"""What a rig file describes, running: its broker, its slots, and in each slot a module. Made once for a test run."""

from __future__ import annotations

import contextlib
import hashlib
import re
from pathlib import Path
from typing import Any

import modemrig
from modemrig.events import Identity, Reply
from modemrig.hil.brokers import RigBroker, start_broker
from modemrig.hil.peer import Peer
from modemrig.modem import Modem
from modemrig.reference import catalogue
from modemrig.rig import Rig, RigError, Slot

OPEN_WITHIN_S = 15.0


class Bench:
    """The rig of this run."""

    def __init__(self, rig: Rig, log_folder: str) -> None:
        self.rig = rig
        self.log_folder = Path(log_folder)
        self.slots = [SlotBench(self, slot) for slot in rig.slots]
        self._owned = contextlib.ExitStack()
        self._broker: RigBroker | None = None

    @property
    def broker(self) -> RigBroker:
        """The broker; started when it is first asked for."""
        if self._broker is None:
            self._broker = self._owned.enter_context(start_broker(self.rig.broker, self.log_folder))
        return self._broker

    def start_broker(self) -> None:
        """Start the broker now, so that a rig without one ends the run before the first test.

        Raises:
            RigError: it cannot be started.
        """
        _ = self.broker

    def start_module(self, slot: Slot) -> str:
        """Start the virtual module of a slot; returns its port."""
        broker = self.broker
        ports = f"{broker.port}" if broker.tls_port is None else f"{broker.port}:{broker.tls_port}"
        module = modemrig.VirtualModule(
            slot.known_dialect or "",
            broker=f"{broker.peer_host}:{ports}",
            quirks=slot.quirks,
            imei=slot.imei,
            seed=self.rig.slots.index(slot),
        )
        return self._owned.enter_context(module).path

    def stop(self) -> None:
        """Stop modules and broker."""
        self._owned.close()

    def described(self) -> list[str]:
        """Rig, broker and slots, a line each."""
        lines = [f"rig: {self.rig.name}, {len(self.slots)} {'slot' if len(self.slots) == 1 else 'slots'}"]
        lines += [f"  {place.slot.name}: {place.slot.port}" for place in self.slots]
        return [*lines, f"broker: {self.broker}", f"transcripts: {self.log_folder}/"]


class SlotBench:
    """A slot in use: what a test gets as the fixture ``slot``."""

    def __init__(self, bench: Bench, slot: Slot) -> None:
        self.bench = bench
        self.slot = slot
        """The slot as the rig describes it."""
        self._port: str | None = None
        self._dialect = slot.known_dialect
        self._test: Any = None
        self._modem: Modem | None = None
        self._owned = contextlib.ExitStack()
        self.transcript_path = Path()
        """The file with every byte of the present test."""

    @property
    def port(self) -> str:
        """The port to open; the virtual module behind it is started when it is first asked for."""
        if self._port is None:
            self._port = self.bench.start_module(self.slot) if self.slot.is_virtual else self.slot.port
        return self._port

    @property
    def dialect(self) -> str:
        """Which document describes the module; a real one is asked, once."""
        if self._dialect is None:
            with modemrig.open(self.port, baud=self.slot.baud, timeout_s=OPEN_WITHIN_S) as modem:
                self._dialect = modem.dialect
        return self._dialect

    @property
    def document(self) -> dict[str, Any]:
        """The catalogue of that document."""
        return catalogue(self.dialect)

    @property
    def is_qmt(self) -> bool:
        """Whether the module speaks AT+QMT…; else AT+CMQTT…"""
        return any(command["name"] == "AT+QMTOPEN" for command in self.document["commands"])

    @property
    def broker(self) -> RigBroker:
        """The rig's broker."""
        return self.bench.broker

    @property
    def prefix(self) -> str:
        """In front of client ids and topics where slots share the broker; empty on a rig with a single slot."""
        if len(self.bench.slots) == 1:
            return ""
        return hashlib.sha256(f"{self.bench.rig.name}/{self.slot.name}".encode()).hexdigest()[:4] + "-"

    def use(self, test: Any) -> None:
        """A test begins."""
        self._test = test
        name = re.sub(r"[^\w.+-]+", "-", f"{test.path.stem}-{test.name}").strip("-")
        self.transcript_path = self.bench.log_folder / self.slot.name / f"{name}.jsonl"
        self.note("slot", self.slot.name)
        self.note("dialect", self.dialect)
        self.note("transcript", str(self.transcript_path))

    def leave(self) -> None:
        """A test ends: the module is closed as it was found."""
        self._owned.close()
        self._modem = None

    @property
    def modem(self) -> Modem:
        """The module, opened for this test with a transcript of its own."""
        if self._modem is None:
            self.transcript_path.parent.mkdir(parents=True, exist_ok=True)
            modem = modemrig.open(
                self.port,
                baud=self.slot.baud,
                dialect=self.dialect,
                timeout_s=OPEN_WITHIN_S,
                transcript=self.transcript_path,
            )
            self._modem = self._owned.enter_context(modem)
            self._check(modem.identity)
            if self.slot.apn is not None:
                modem.attach(self.slot.apn)
        return self._modem

    def peer(self) -> Peer:
        """Another device on the same broker; connected until the test ends."""
        number = hashlib.sha256(f"{self.bench.rig.name}/{self.slot.name}/peer".encode()).hexdigest()[:8]
        return self._owned.enter_context(Peer(self.broker, f"peer-{number}"))

    def note(self, name: str, value: object) -> None:
        """A fact for the summary and for JUnit."""
        self._test.user_properties.append((name, value))

    def judge_time(self, reply: Reply) -> None:
        """Record how long an answer took, and hold it against the documented maximum.

        Raises:
            AssertionError: it took longer.
        """
        command = re.split(r"[=?]", reply.line, maxsplit=1)[0]
        self.note("response", f"{command} {reply.response_s:.6f} {reply.max_response_s or ''}".rstrip())
        maximum = reply.max_response_s
        # Only acknowledged requests are held against the maximum (decision 28).
        assert maximum is None or not reply.ok or reply.response_s <= maximum, (
            f"{command} took {reply.response_s:.3f} s; documented are {maximum:g} s"
        )

    def _check(self, identity: Identity) -> None:
        self.note("module", f"{identity.manufacturer} {identity.model}")
        self.note("firmware", identity.revision)
        self.note("imei", identity.imei)
        if self.slot.imei is not None and identity.imei != self.slot.imei:
            raise RigError(
                f"slot {self.slot.name}: the rig says IMEI {self.slot.imei}, the module in it says {identity.imei}"
            )

    def __repr__(self) -> str:
        return f"<slot {self.slot.name} on {self.slot.port}>"
