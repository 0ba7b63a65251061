"""Bringing a module back: what is tried, what may help, and what came of it.

The ladder itself is in the extension module; ``Modem.recover`` climbs it, a session with ``recover=True`` climbs it by itself
and is made again behind it.
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from modemrig.errors import BadValue, RecoveryFailed

if TYPE_CHECKING:
    from modemrig import _native

__all__ = ["Power", "PowerCommand", "Recovery", "RecoveryPlan", "RecoveryStep", "Rung", "climb"]

Rung = Literal["close", "restart", "power"]
"""Rungs that can be asked for where nothing is seen to be wrong."""


@dataclass(frozen=True, slots=True)
class RecoveryStep:
    """One step of a recovery."""

    name: str
    """A rung of the ladder (``port``, ``input``, ``resync``, ``close``, ``restart``, ``power``), or what a session did:
    ``session`` (made again), ``kept`` (the module still had it), ``pause`` (before the next attempt)."""
    tried: str
    """What was tried, in words."""
    outcome: Literal["done", "failed", "skipped"]
    """``skipped``: it would have been tried, but could not be."""
    said: str
    """What came of it, in words."""
    duration_s: float
    """How long it took, in seconds."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a recovery did, and how it left things."""

    steps: tuple[RecoveryStep, ...]
    """In order."""
    port: str
    """Where the module is now."""
    clients: tuple[str, ...]
    """States of its clients afterwards: ``closed``, ``open``, ``connected``, …"""
    duration_s: float
    """How long it took in all, in seconds."""
    cause: str | None = None
    """The error that a session was recovered from; ``None`` where ``Modem.recover`` was called."""
    attempts: int = 1
    """How often the ladder was climbed."""

    def __str__(self) -> str:
        steps = "; ".join(f"{step.name}: {step.said} ({step.duration_s:.1f} s)" for step in self.steps)
        return f"{self.port}, {self.duration_s:.1f} s: {steps or 'nothing to do'}"


@runtime_checkable
class Power(Protocol):
    """A switch in a module's supply; a ``VirtualModule`` is one."""

    def power_cycle(self) -> object:
        """Cut the power long enough for the module to notice, and give it back."""


class PowerCommand:
    """A switch that a program works: ``PowerCommand("uhubctl -l 1-1 -p 2 -a {action}")``.

    ``{action}`` becomes ``off``, and ``off_s`` seconds later ``on``; a command without it is run once and does both.
    """

    def __init__(self, command: str, *, off_s: float = 2.0, timeout_s: float = 30.0) -> None:
        """Take the command.

        Args:
            command: split as a shell does, and run without one.
            off_s: how long the power stays off, in seconds; modules hold theirs for about a second.
            timeout_s: how long one run may take, in seconds.

        Raises:
            BadValue: it is empty, or has a quotation mark without its other half.
        """
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise BadValue(f"power {command!r}: {error}") from None
        if not words:
            raise BadValue("power: a command is needed")
        self.command = command
        """As it was given."""
        self._words = words
        self._off_s = off_s
        self._timeout_s = timeout_s

    def power_cycle(self) -> None:
        """Run it.

        Raises:
            OSError: there is no such program, or it failed; with the end of what it said.
        """
        if "{action}" not in self.command:
            return self._run(self._words)
        self._run([word.replace("{action}", "off") for word in self._words])
        threading.Event().wait(self._off_s)
        return self._run([word.replace("{action}", "on") for word in self._words])

    def _run(self, words: list[str]) -> None:
        import subprocess  # nobody else needs it

        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=self._timeout_s, check=False)
        except subprocess.TimeoutExpired:
            raise OSError(f"{words[0]} took longer than {self._timeout_s:g} s") from None
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise OSError(f"{words[0]} failed with {done.returncode}: {''.join(said)}")

    def __repr__(self) -> str:
        return f"PowerCommand({self.command!r})"


@dataclass(frozen=True, slots=True)
class RecoveryPlan:
    """What may be tried, and for how long. All times are in seconds and above 0."""

    power: Power | Callable[[], object] | None = None
    """What cuts the power and gives it back; by default what the modem was opened with. It is called in a thread of its own,
    so that a switch that hangs ends its step and nothing else."""
    ports: Iterable[str] | Callable[[], Iterable[str]] = ()
    """Where to look for a module whose port is gone, beside the names it had (the one it was opened by and those below
    ``/dev/serial``) and USB ports of module makers. A function is asked again at every look."""
    port_s: float = 30.0
    """Until the port is found again."""
    input_s: float = 10.0
    """Until a module that counts payload gives it up by itself; with a known ``edit/timeout``, that long."""
    resync_s: float = 5.0
    """Until a query is answered."""
    close_s: float = 10.0
    """Until the results of closing have come."""
    restart_s: float = 40.0
    """Until the module answers behind ``AT+CFUN=1,1``."""
    power_s: float = 60.0
    """Until it answers behind a power cycle, the switching included."""
    attempts: int = 5
    """Of a session: how often it is tried before it is given up; each attempt begins further up the ladder."""
    pause_s: float = 1.0
    """Of a session: before the second attempt; doubled before each further one."""
    longest_pause_s: float = 30.0
    """Of a session: no pause is longer."""

    def __post_init__(self) -> None:
        for name in _TIMES:
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                raise BadValue(f"{name} cannot be {value!r}; allowed: seconds, above 0")
        if self.attempts < 1:
            raise BadValue(f"attempts cannot be {self.attempts!r}; allowed: at least 1")


_TIMES = ("port_s", "input_s", "resync_s", "close_s", "restart_s", "power_s", "pause_s", "longest_pause_s")


def climb(
    native: _native.Modem, plan: RecoveryPlan, power: object, at_least: Rung | None, timeout_s: float | None
) -> Recovery:
    """Climb the ladder; ``power`` is what the modem was opened with.

    Raises:
        RecoveryFailed: nothing helped.
    """
    bounds = (plan.port_s, plan.input_s, plan.resync_s, plan.close_s, plan.restart_s, plan.power_s)
    switch = plan.power if plan.power is not None else power
    hand = None if switch is None else _hand(switch)
    where = plan.ports
    seeker = None if where == () else lambda: [str(port) for port in (where() if callable(where) else where)]
    steps, port, clients, duration_s, error = native.recover(bounds, at_least, hand, seeker, timeout_s)
    recovery = Recovery(tuple(RecoveryStep(*step) for step in steps), port, tuple(clients), duration_s)
    if error is not None:
        if isinstance(error, RecoveryFailed):
            error.recovery = recovery
        raise error
    return recovery


def _hand(switch: object) -> Callable[[float], str]:
    """Works the switch in a thread of its own, so that one that hangs ends its step and nothing else."""
    cut = switch.power_cycle if isinstance(switch, Power) else switch
    if not callable(cut):
        raise BadValue(f"power cannot be {switch!r}; allowed: something with power_cycle(), or a function")

    def hand(within_s: float) -> str:
        failures: list[BaseException] = []
        done = threading.Event()

        def work() -> None:
            try:
                cut()
            except BaseException as error:
                failures.append(error)
            finally:
                done.set()

        threading.Thread(target=work, name="mr-power", daemon=True).start()
        if not done.wait(within_s):
            raise TimeoutError(f"{switch!r} took longer than {within_s:.1f} s")
        if failures:
            raise RuntimeError(str(failures[0]) or type(failures[0]).__name__) from failures[0]
        return "the power was cut and given back"

    return hand
