"""What a rig file describes, running: its broker, its slots, and in each slot a module. Made once for a test run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
from pathlib import Path
from typing import Any

import modemrig
from modemrig.errors import LinkError, ModemrigError
from modemrig.events import Identity, Reply
from modemrig.hil.brokers import RigBroker, start_broker
from modemrig.hil.departures import LATE, NOTED, Tolerance
from modemrig.hil.lock import exclusive
from modemrig.hil.peer import Peer
from modemrig.modem import Modem
from modemrig.reference import catalogue
from modemrig.rig import BrokerAddress, Rig, RigError, Slot

OPEN_WITHIN_S = 15.0
OUT_AFTER = 2
"""So many times in a row a port may not open before its slot is out: the rest of its tests fails at once."""


class Bench:
    """The rig of this run."""

    def __init__(self, rig: Rig, log_folder: str) -> None:
        self.rig = rig
        self.log_folder = Path(log_folder)
        self.slots = [SlotBench(self, slot) for slot in rig.slots]
        self._owned = contextlib.ExitStack()
        self._broker: RigBroker | None = None
        self._holders: dict[str, str] = {}

    @property
    def broker(self) -> RigBroker:
        """The broker; started when it is first asked for."""
        if self._broker is None:
            started = start_broker(self.rig.broker, self.log_folder, self.rig.speed)
            self._broker = self._owned.enter_context(started)
        return self._broker

    def start_broker(self) -> None:
        """Start the broker now, so that a rig without one ends the run before the first test.

        Raises:
            RigError: it cannot be started, or is not to be reached.
        """
        broker = self.broker
        if self.has_foreign_broker:
            try:
                # A client id of its own: that of a slot's peer may be in use by another run.
                with Peer(broker, f"check-{socket.gethostname()[:8]}-{os.getpid()}"):
                    pass
            except OSError as error:
                raise RigError(f"no broker for the rig {self.rig.name!r}: {error}") from error

    @property
    def has_foreign_broker(self) -> bool:
        """Whether others may use the broker too: it was there before this run."""
        return isinstance(self.rig.broker, BrokerAddress)

    def claim(self, imei: str, slot: str) -> None:
        """Note which slot a module is in.

        Raises:
            RigError: it is in another one as well: two ports of one module.
        """
        holder = self._holders.setdefault(imei, slot)
        if holder != slot:
            raise RigError(
                f"slot {slot}: the module in it, IMEI {imei}, is the one of slot {holder}: two of its ports?"
            )

    def prefix(self, slot: Slot) -> str:
        """What keeps a slot's client ids and topics apart from those of others on the broker."""
        keys = {each.name: self._key(each) for each in self.rig.slots}
        length = next(n for n in range(4, 65) if len({key[:n] for key in keys.values()}) == len(keys))
        return keys[slot.name][:length]

    def _key(self, slot: Slot) -> str:
        # A module in a slot stays what it is from run to run; a virtual one belongs to this run.
        where = f"{socket.gethostname()}/{os.getpid() if slot.is_virtual else ''}" if self.has_foreign_broker else ""
        return hashlib.sha256(f"{where}/{self.rig.name}/{slot.name}".encode()).hexdigest()

    def start_module(self, slot: Slot) -> modemrig.VirtualModule:
        """Start the virtual module of a slot; it stops with the bench."""
        broker = self.broker
        ports = f"{broker.port}" if broker.tls_port is None else f"{broker.port}:{broker.tls_port}"
        module = modemrig.VirtualModule(
            slot.virtual_name or "",
            differs=slot.differs,
            broker=f"{broker.peer_host}:{ports}",
            quirks=slot.quirks,
            faults=slot.faults,
            imei=slot.imei,
            identity=slot.identity,
            conditions=slot.conditions,
            signing=slot.signing,
            speed=self.rig.speed,
            seed=self.rig.slots.index(slot),
        )
        return self._owned.enter_context(module)

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
        self._module: modemrig.VirtualModule | None = None
        self._dialect = slot.known_dialect
        self._test: Any = None
        self._modem: Modem | None = None
        self._owned = contextlib.ExitStack()
        self._failures = 0
        self.trouble: ModemrigError | None = None
        """Why the slot is out."""
        self.trouble_told = False
        """Whether a test failed because of it."""
        self.transcript_path = Path()
        """The file with every byte of the present test."""

    @property
    def port(self) -> str:
        """The port to open; the virtual module behind it is started when it is first asked for."""
        return self.slot.port if self.module is None else self.module.path

    @property
    def module(self) -> modemrig.VirtualModule | None:
        """The virtual module in the slot; ``None`` where the module is real."""
        if self._module is None and self.slot.is_virtual:
            self._module = self.bench.start_module(self.slot)
        return self._module

    @property
    def power(self) -> modemrig.Power | None:
        """What cuts the module's power, where the rig has it; a virtual module is its own switch."""
        return self.module if self.slot.power is None else modemrig.PowerCommand(self.slot.power)

    @property
    def dialect(self) -> str:
        """Which document describes the module; a real one is asked, once."""
        if self._dialect is None:
            with (
                self._taking_turns("asked what it is"),
                modemrig.open(self.port, baud=self.slot.baud, timeout_s=OPEN_WITHIN_S) as modem,
            ):
                self._dialect = modem.dialect
        return self._dialect

    @dialect.setter
    def dialect(self, dialect: str) -> None:
        self._dialect = dialect

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
    def apn(self) -> str | None:
        """The access point of the slot's SIM."""
        return self.slot.apn

    @property
    def tolerance(self) -> Tolerance:
        """What its module may do otherwise than the document says; a documented slot's nothing."""
        return Tolerance(self.slot.rules)

    def unsupported(self, example: dict[str, Any]) -> str | None:
        """Why modules of this family do not support an example of their document, where they do not."""
        profile = self.slot.profile
        return None if profile is None else profile.unsupported.get(str(example["id"]))

    @property
    def prefix(self) -> str:
        """In front of client ids and topics where others share the broker; empty where the slot has it for itself."""
        if len(self.bench.slots) == 1 and not self.bench.has_foreign_broker:
            return ""
        return self.bench.prefix(self.slot) + "-"

    @property
    def peer_id(self) -> str:
        """The client id of the device at the far side."""
        return f"peer-{self.bench.prefix(self.slot)}"

    def use(self, test: Any) -> ModemrigError | None:
        """A test begins; it waits until no other uses the port. Returns why it cannot begin, where the slot is out."""
        self._test = test
        name = re.sub(r"[^\w.+-]+", "-", f"{test.path.stem}-{test.name}").strip("-")
        self.transcript_path = self.bench.log_folder / self.slot.name / f"{name}.jsonl"
        self.note("slot", self.slot.name)
        if self.trouble is None:
            try:
                self._owned.enter_context(self._taking_turns(test.name))
                self.note("dialect", self.dialect)
            except ModemrigError as error:
                self.trouble = error
        self.trouble_told = self.trouble is not None
        if self.trouble is None:
            self.note("transcript", str(self.transcript_path))
        return self.trouble

    def leave(self) -> None:
        """A test ends: the module is closed as it was found."""
        self._modem = None
        self._owned.close()

    @property
    def modem(self) -> Modem:
        """The module, opened for this test with a transcript of its own."""
        if self._modem is None:
            self.transcript_path.parent.mkdir(parents=True, exist_ok=True)
            try:
                modem = modemrig.open(
                    self.port,
                    baud=self.slot.baud,
                    dialect=self.dialect,
                    timeout_s=OPEN_WITHIN_S,
                    transcript=self.transcript_path,
                    power=self.power,
                )
            except LinkError as error:
                self._failures += 1
                if self._failures == OUT_AFTER:
                    self.trouble, self.trouble_told = error, True
                raise
            self._failures = 0
            self._modem = self._owned.enter_context(modem)
            self._note_identity(modem.identity)
            self.check(modem.identity)
            if self.slot.apn is not None:
                modem.attach(self.slot.apn)
        return self._modem

    def peer(self) -> Peer:
        """Another device on the same broker; connected until the test ends."""
        return self._owned.enter_context(Peer(self.broker, self.peer_id))

    def violations(self) -> list[str] | None:
        """Rules of the MQTT standard broken on the rig's broker by now, but for what other slots did; ``None``: unknown."""
        complaints = self.broker.complaints()
        if complaints is None:
            return None
        others = tuple(other.prefix for other in self.bench.slots if other is not self)
        return [text for client_id, text in complaints if not (others and client_id.startswith(others))]

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
        is_late = maximum is not None and reply.ok and reply.response_s > maximum
        if is_late and LATE in self.tolerance:
            self.note(NOTED, LATE.shown)
            return
        assert not is_late, f"{command} took {reply.response_s:.3f} s; documented are {maximum:g} s"

    def check(self, identity: Identity) -> None:
        """Hold what a module says of itself against the rig.

        Raises:
            RigError: another one should be in the slot, or it is in two slots.
        """
        if self.slot.imei is not None and identity.imei != self.slot.imei:
            raise RigError(
                f"slot {self.slot.name}: the rig says IMEI {self.slot.imei}, the module in it says {identity.imei}"
            )
        self.bench.claim(identity.imei, self.slot.name)

    def _note_identity(self, identity: Identity) -> None:
        self.note("module", f"{identity.manufacturer} {identity.model}")
        self.note("firmware", identity.revision)
        self.note("imei", identity.imei)

    def _taking_turns(self, purpose: str) -> contextlib.AbstractContextManager[None]:
        # Nobody else knows the port of a module this run made itself.
        return contextlib.nullcontext() if self.slot.is_virtual else exclusive(self.slot.port, purpose)

    def __repr__(self) -> str:
        return f"<slot {self.slot.name} on {self.slot.port}>"
