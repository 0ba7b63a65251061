"""A session that is made again when it is lost: what it was told is told again, and every call goes on.

There is no thread of its own: whoever calls, or waits for messages, notices the loss and recovers; other threads wait for it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from modemrig.errors import (
    CallerError,
    CommandRefused,
    ConnectionLost,
    Garbled,
    ModemrigError,
    ModuleRestarted,
    NetworkError,
    NoAnswer,
    PortClosed,
    PortGone,
    RecoveryFailed,
)
from modemrig.recovery import Recovery, RecoveryPlan, RecoveryStep, Rung

if TYPE_CHECKING:
    from modemrig._native import Message
    from modemrig.client import Client, Payload, Receipt

__all__ = ["Keeper", "Told"]

_T = TypeVar("_T")
_log = logging.getLogger("modemrig.recovery")

LOST = (ConnectionLost, ModuleRestarted, PortGone)
"""The session is gone."""
DOUBTFUL = (NoAnswer, Garbled, CommandRefused)
"""It may be: the module is asked."""
_RUNGS: tuple[Rung | None, ...] = (None, None, "restart", "power")
"""What each attempt does at least; the last one stays. Closing is not among them: that would end other sessions."""
_OCCUPIED = 2
"""``+QMTOPEN: n,2``: the module still has the client."""


@dataclass
class Told:
    """What a module was told beside its session, and forgets when it restarts."""

    attached: tuple[str | None] | None = None
    """It was brought to its network, with this access point name."""
    tls: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    """TLS contexts by number."""
    settings: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Settings by client."""


class Keeper:
    """Keeps one session alive; the public face is ``Session``."""

    def __init__(self, client: Client, plan: RecoveryPlan, connect: Callable[[], None]) -> None:
        """Take the client; ``connect`` opens and connects it, keeping messages that were not taken yet."""
        self._client = client
        self._plan = plan
        self._connect = connect
        self._topics: dict[str, int] = {}
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._generation = 0
        self._given_up: RecoveryFailed | None = None
        self.recoveries: list[Recovery] = []
        """What was done so far."""

    def begin(self) -> None:
        """Open and connect; what is wrong with the module is recovered, what is wrong with the way to the broker is not."""
        try:
            self._connect()
        except CallerError:
            raise
        except NetworkError as error:
            if error.code != _OCCUPIED:
                raise
            self._regain(error, self._generation)
        except ModemrigError as error:
            self._regain(error, self._generation)

    def end(self) -> None:
        """Recover no more."""
        self._over.set()

    def subscribe(self, topics: Mapping[str, int], *, timeout_s: float | None = None) -> dict[str, int | None]:
        """As the client's; told again behind every recovery."""
        granted = self._again(lambda: self._client.subscribe(topics, timeout_s=timeout_s))
        self._topics.update(topics)
        return granted

    def unsubscribe(self, topics: Iterable[str], *, timeout_s: float | None = None) -> None:
        """As the client's."""
        names = [topics] if isinstance(topics, str) else list(topics)
        for name in names:
            self._topics.pop(name, None)
        self._again(lambda: self._client.unsubscribe(names, timeout_s=timeout_s))

    def publish(
        self, topic: str, payload: Payload, qos: int = 0, retain: bool = False, *, timeout_s: float | None = None
    ) -> Receipt:
        """As the client's; never sent twice."""
        return self._once(lambda: self._client.publish(topic, payload, qos, retain, timeout_s=timeout_s))

    def publish_many(self, messages: Iterable[Iterable[Any]], *, timeout_s: float | None = None) -> list[Receipt]:
        """As the client's; never sent twice."""
        batch = [tuple(message) for message in messages]
        return self._once(lambda: self._client.publish_many(batch, timeout_s=timeout_s))

    def messages(self, timeout_s: float | None = None) -> Iterator[Message]:
        """As the client's; goes on behind every recovery."""
        while True:
            generation = self._generation
            messages = self._client.messages(timeout_s)
            while True:
                try:
                    message = next(messages)
                except StopIteration:
                    return
                except (*LOST, NoAnswer, Garbled) as error:
                    self._regain(error, generation)
                    break
                yield message

    # ---- the loss ----

    def _again(self, request: Callable[[], _T]) -> _T:
        """A request that may be made twice."""
        generation = self._ready()
        try:
            return request()
        except (*LOST, *DOUBTFUL) as error:
            self._regain(error, generation)
            return request()

    def _once(self, request: Callable[[], _T]) -> _T:
        """A request that must not: the session is there before it is sent, and its error is its one outcome."""
        generation = self._ready()
        try:
            return request()
        except (*LOST, *DOUBTFUL) as error:
            try:
                self._regain(error, generation)
            except RecoveryFailed as failure:
                raise error from failure
            raise

    def _ready(self) -> int:
        """The session is there, as far as anyone knows; made again where it is known not to be."""
        generation = self._generation
        if self._client.state != "connected" or self._client.modem.closed:
            self._regain(ConnectionLost(f"the session of client {self._client.index} was lost"), generation)
        return self._generation

    def _regain(self, cause: ModemrigError, generation: int) -> None:
        """Make the session again, unless another thread did since this generation."""
        with self._lock:
            if self._given_up is not None:
                raise self._given_up
            if self._over.is_set():
                raise cause
            if self._generation != generation:
                return
            self._recover(cause)
            self._generation += 1

    def _recover(self, cause: ModemrigError) -> None:
        plan = self._plan
        steps: list[RecoveryStep] = []
        began = time.monotonic()
        pause_s, rung = plan.pause_s, 0
        _log.warning("client %d: its session is recovered from: %s", self._client.index, cause)
        for attempt in range(1, plan.attempts + 1):
            try:
                done = self._attempt(cause, _RUNGS[min(rung, len(_RUNGS) - 1)], steps)
            except (CallerError, PortClosed):
                raise
            except RecoveryFailed as failure:
                tried = failure.recovery.steps if failure.recovery else ()
                steps += tried
                # A port that is not found needs patience, nothing stronger.
                rung += not tried or tried[0].name != "port" or tried[0].outcome == "done"
            except NetworkError as failure:
                # The broker, or the way to it: nothing a restart of the module would help.
                self._note(steps, "session", "failed", str(failure), 0.0)
            except ModemrigError as failure:
                self._note(steps, "session", "failed", str(failure), 0.0)
                rung += 1
            else:
                took = time.monotonic() - began
                if done.steps:
                    recovery = replace(done, steps=tuple(steps), duration_s=took, cause=str(cause), attempts=attempt)
                    self.recoveries.append(recovery)
                    _log.warning("client %d: recovered: %s", self._client.index, recovery)
                return
            if attempt < plan.attempts:
                paused = time.monotonic()
                if self._over.wait(pause_s):
                    raise cause
                self._note(steps, "pause", "done", "before the next attempt", time.monotonic() - paused)
                pause_s = min(pause_s * 2, plan.longest_pause_s)
        self._give_up(cause, steps, time.monotonic() - began)

    def _attempt(self, cause: ModemrigError, at_least: Rung | None, steps: list[RecoveryStep]) -> Recovery:
        """One attempt; the steps of a recovery that had nothing to do are none."""
        client = self._client
        recovery = client.modem.recover(self._plan, at_least=at_least)
        steps += recovery.steps
        if client.state == "connected":
            if isinstance(cause, CommandRefused) and len(recovery.steps) == 1:
                return replace(recovery, steps=())  # the module is well, and meant what it said
            self._note(steps, "kept", "done", "the module still has the session", 0.0)
            return recovery
        began = time.monotonic()
        self._tell_again()
        self._connect()
        for topic, qos in self._topics.items():
            client.subscribe({topic: qos})
        said = f"connected again, {len(self._topics)} subscriptions made again"
        self._note(steps, "session", "done", said, time.monotonic() - began)
        return replace(recovery, clients=tuple(other.state for other in client.modem.clients))

    def _tell_again(self) -> None:
        """What the module may have forgotten: network, TLS contexts, settings of the client."""
        client, modem = self._client, self._client.modem
        told = modem._told
        if told.attached is not None:
            modem.attach(*told.attached)
        for index, context in told.tls.items():
            modem._native.tls_context(index, *context)
        if client.state != "closed":
            # That there was nothing to close is as good.
            with contextlib.suppress(CommandRefused):
                client.close()
        if settings := told.settings.get(client.index):
            client._native.configure(settings, None)

    def _give_up(self, cause: ModemrigError, steps: list[RecoveryStep], took: float) -> None:
        modem = self._client.modem
        states = tuple(client.state for client in modem.clients)
        recovery = Recovery(tuple(steps), modem.port, states, took, str(cause), self._plan.attempts)
        self.recoveries.append(recovery)
        self._given_up = RecoveryFailed(
            f"the session of client {self._client.index} could not be made again in {self._plan.attempts} attempts: "
            + "; ".join(f"{step.name}: {step.said}" for step in steps if step.name != "pause"),
            remedy="begin another session when the cause is gone",
            port=modem.port,
        )
        self._given_up.recovery = recovery
        raise self._given_up from cause

    @staticmethod
    def _note(steps: list[RecoveryStep], name: str, outcome: Any, said: str, duration_s: float) -> None:
        tried = {
            "session": "close the client, tell its settings again, open, connect, subscribe",
            "kept": "ask the module whether it still has the session",
            "pause": "wait",
        }
        steps.append(RecoveryStep(name, tried[name], outcome, said, duration_s))
