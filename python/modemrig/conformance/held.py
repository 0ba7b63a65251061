"""A slot for as long as a run lasts: its port is opened once, locked against others, and left as it was found.

A slot that does not open, or whose module falls silent, is out: one fact says so, the rest of them is skipped. Not here: how a
fact is checked (``probe``, ``judge``).
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from modemrig.conformance.collect import Learned
from modemrig.conformance.facts import Fact
from modemrig.conformance.judge import Result, judge, not_checked
from modemrig.conformance.probe import Probe
from modemrig.conformance.verdict import BAD
from modemrig.errors import LinkError, ModemrigError, NoAnswer
from modemrig.events import Identity
from modemrig.hil.bench import Bench, SlotBench
from modemrig.hil.lock import exclusive

TWIN_SPEED = 60.0
"""Clocks of the twin of a virtual module, on which timers of minutes take seconds."""
ASK_AGAIN = 3
"""So many times a module may leave a plain AT unanswered before its slot is out."""
ASK_FOR_S = 1.0


class HeldSlot:
    """A slot during a run."""

    def __init__(self, place: SlotBench, known: Learned, *, offline: bool, patience: bool) -> None:
        """Open nothing yet."""
        self.place = place
        self.dialect = known.dialect
        if known.dialect is not None:
            place.dialect = known.dialect
        self._offline = offline
        self._patience = patience
        self._probe: Probe | None = None
        self._owned = contextlib.ExitStack()
        self.identity: Identity | None = None
        """What the module says of itself, once it was opened."""
        self.trouble = known.trouble
        """Why the slot is out."""
        self._trouble_told = False
        self._could_open = False
        self.last: Result | None = None
        """What came of the last check; ``None`` while one is under way, or if it broke."""

    def check(self, fact: Fact, attempt: int = 1) -> Result:
        """Check a fact, or say why that cannot be."""
        self.last = None
        self.last = self._check(fact, attempt)
        return self.last

    def _check(self, fact: Fact, attempt: int) -> Result:
        if "example" in fact.about and (reason := self.place.unsupported(fact.about["example"])):
            return not_checked(fact, self.place.slot.name, attempt, "skipped", reason)
        if self.trouble is None:
            try:
                result = judge(self._opened(), fact, attempt)
                if result.verdict in BAD:
                    self._see_to_it()
                return result
            except LinkError as error:
                # A port may vanish and come back, as a module does that restarts; the next fact opens it again.
                self.close()
                if self._could_open:
                    return not_checked(fact, self.place.slot.name, attempt, "blocked", str(error))
                self.trouble = str(error)
            except ModemrigError as error:
                self.close()
                self.trouble = str(error)
        return self._out(fact, attempt)

    @property
    def probe(self) -> Probe:
        """What asks the module, its port open.

        Raises:
            ModemrigError: it does not open.
        """
        return self._opened()

    def close(self) -> None:
        """Leave the module as it was found, and the port to others."""
        owned, self._owned = self._owned, contextlib.ExitStack()
        self._probe = None
        with contextlib.suppress(ModemrigError):  # of a module that is gone nothing can be put back
            owned.close()

    def described(self) -> dict[str, Any]:
        """The slot as it stands in ``results.json``."""
        identity = self.identity
        return {
            "name": self.place.slot.name,
            "port": self.place.slot.port,
            "dialect": self.dialect,
            "manufacturer": identity and identity.manufacturer,
            "model": identity and identity.model,
            "firmware": identity and identity.revision,
            "imei": identity and identity.imei,
            "trouble": self.trouble,
        }

    def _opened(self) -> Probe:
        if self._probe is None:
            self._could_open = False
            self._open()
            self._could_open = True
        assert self._probe is not None
        return self._probe

    def _open(self) -> None:
        place = self.place
        if not place.slot.is_virtual:
            self._owned.enter_context(exclusive(place.slot.port, "modemrig conformance"))
        probe = Probe(place, offline=self._offline, patience=self._patience, twin=self._twin())
        self._owned.callback(probe.close)
        self.identity = probe.modem.identity
        place.check(self.identity)
        self._probe = probe

    def _twin(self) -> SlotBench | None:
        """The same slot in a rig of its own, with faster clocks; nothing of it starts before it is used."""
        bench = self.place.bench
        if not self.place.slot.is_virtual or bench.rig.speed >= TWIN_SPEED:
            return None
        twin = Bench(replace(bench.rig, broker="bench", speed=TWIN_SPEED), str(bench.log_folder))
        self._owned.callback(twin.stop)
        return twin.slots[bench.slots.index(self.place)]

    def _see_to_it(self) -> None:
        """After a bad verdict: is anybody there?"""
        modem = self._opened().modem
        for _ in range(ASK_AGAIN):
            try:
                modem.command("AT", timeout_s=ASK_FOR_S)
            except NoAnswer:
                continue
            except LinkError:
                break
            return
        else:
            self.trouble = f"the module fell silent: {ASK_AGAIN} times AT without an answer"
            self._trouble_told = True
            modem.close()  # it would only wait for the answers to what puts it back
        self.close()

    def _out(self, fact: Fact, attempt: int) -> Result:
        # Once is enough for people; the exit code knows too.
        name = self.place.slot.name
        if self._trouble_told:
            return not_checked(fact, name, attempt, "skipped", f"slot {name} is out")
        self._trouble_told = True
        return not_checked(fact, name, attempt, "blocked", f"slot {name} is out: {self.trouble}")
