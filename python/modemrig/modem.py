"""A module on a port: open it, ask it anything, get its clients.

The work is done in the extension module; this file gives names, defaults and one way to close.

Longer than 400 lines: half of it are the docstrings of one class.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from modemrig import _native
from modemrig.client import Client
from modemrig.errors import BadValue, ModemrigError
from modemrig.events import (
    AttachStep,
    Event,
    FileEntry,
    Identity,
    PortInfo,
    PortReport,
    Reply,
    Statistics,
    TranscriptEntry,
)
from modemrig.recovery import Power, Recovery, RecoveryPlan, Rung, climb
from modemrig.sessions import Told

if TYPE_CHECKING:
    from modemrig.broker import BenchBroker

__all__ = ["Modem", "identify", "open", "ports"]

_VIRTUAL = "virtual:"
_REPLAY = "replay:"
_CLOSE_WITHIN_S = 5.0


def open(
    target: str | os.PathLike[str],
    *,
    baud: int = 115_200,
    dialect: str | None = None,
    timeout_s: float = 5.0,
    transcript: str | os.PathLike[str] | None = None,
    broker: BenchBroker | str | None = None,
    speed: float | None = None,
    power: Power | Callable[[], object] | None = None,
) -> Modem:
    """Open a port and find out what is behind it.

    Args:
        target: ``/dev/ttyUSB2``, ``tcp://host:port``, ``rfc2217://host:port``, or ``virtual:<dialect or profile>`` for a
            virtual module of its own, or ``replay:<file>`` for a transcript that answers in a module's place.
        baud: bits per second.
        dialect: one of ``modemrig.dialects()``; by default found out from what the module says of itself.
        timeout_s: how long opening may take. What is done later takes its times from the document.
        transcript: a file for every byte in both directions; a directory gets a file named after port and time.
        broker: only for ``virtual:``: where the module's network leads, a ``BenchBroker`` or ``"host:port"``. By default a
            bench broker of its own, which is ``modem.broker``.
        speed: only for ``virtual:``: timers of the module, and of a broker of its own, run this many times as fast.
        power: what cuts the module's power and gives it back, for ``Modem.recover``: something with ``power_cycle()`` (a
            ``VirtualModule``, a ``PowerCommand``), or a function. A virtual module of its own is known.

    Returns:
        The module; use it in a ``with`` block.

    Raises:
        PortMissing, PortForbidden, PortBusy: naming the port, who holds it, and what to do.
        NoAnswer: nothing answers ``AT``.
        Unsupported: the module is in none of the documents; ``dialect=`` overrules that.

    A virtual module answers as a real one does:

    >>> import modemrig
    >>> with modemrig.open("virtual:ecx00u_egx00u") as modem:
    ...     modem.dialect, modem.command("+CSQ").final
    ('ecx00u_egx00u', 'OK')
    """
    target = os.fspath(target)
    path = None if transcript is None else os.fspath(transcript)
    if not target.startswith(_VIRTUAL):
        if broker is not None:
            raise BadValue(f"broker= is for virtual modules; the network of {target} is not ours to lead")
        if speed is not None:
            raise BadValue(
                f"speed= is for virtual modules; the clock of {target} is not ours (baud= is the line's speed)"
            )
        with contextlib.ExitStack() as stack:
            port = target
            if target.startswith(_REPLAY):
                from modemrig.replay import replayed

                port = stack.enter_context(replayed(target)).path
            native = _native.Modem(
                port, baud=baud, dialect=dialect, timeout_s=timeout_s, transcript=path, shown_as=target
            )
            return Modem(native, None, stack.pop_all(), power)
        raise AssertionError("unreachable")  # the stack suppresses nothing

    from modemrig.broker import BenchBroker
    from modemrig.virtual import VirtualModule

    speed = 1.0 if speed is None else speed
    with contextlib.ExitStack() as stack:
        if broker is None:
            broker = stack.enter_context(BenchBroker(speed=speed))
        module = stack.enter_context(VirtualModule(target.removeprefix(_VIRTUAL), broker=broker, speed=speed))
        native = _native.Modem(
            module.path, baud=baud, dialect=dialect, timeout_s=timeout_s, transcript=path, shown_as=target
        )
        own_broker = broker if isinstance(broker, BenchBroker) else None
        return Modem(native, own_broker, stack.pop_all(), module if power is None else power)
    raise AssertionError("unreachable")  # the stack suppresses nothing


class Modem:
    """A module on a port; made by ``modemrig.open``. Any thread may use it."""

    def __init__(
        self,
        native: _native.Modem,
        broker: BenchBroker | None,
        owned: contextlib.ExitStack,
        power: Power | Callable[[], object] | None = None,
    ) -> None:
        self._native = native
        self._broker = broker
        self._owned = owned
        self._power = power
        self._left = False
        self._told = Told()

    @property
    def identity(self) -> Identity:
        """What the module said of itself when it was opened."""
        return Identity(*self._native.identity())

    @property
    def dialect(self) -> str:
        """The id of the document that describes it."""
        return self._native.dialect()

    @property
    def port(self) -> str:
        """The port's name, as it was opened."""
        return self._native.port()

    @property
    def broker(self) -> BenchBroker:
        """The bench broker behind a virtual module that was opened as ``virtual:…``.

        Raises:
            CallerError: a real module's broker is known to whoever set up its network.
        """
        if self._broker is None:
            from modemrig.errors import CallerError

            raise CallerError(f"{self.port} has no bench broker of its own; only virtual:… does")
        return self._broker

    @property
    def transcript_path(self) -> Path | None:
        """Where the transcript is written."""
        return self._native.transcript_path()

    def command(
        self,
        line: str,
        payload: bytes | str | None = None,
        *,
        timeout_s: float | None = None,
        check: bool = False,
        exact: bool = False,
    ) -> Reply:
        """Send any command line, ``+CSQ`` or ``AT+CSQ``, and a payload at its prompt.

        A command with a late result completes on it. ``ERROR`` is an answer: look at ``reply.ok``, or pass ``check=True``.

        Args:
            line: the command line.
            payload: what is typed at the prompt; text is sent as UTF-8.
            timeout_s: by default what the document says.
            check: raise what ``Reply.raise_for_status`` raises.
            exact: type the payload as it is, shorter or longer than announced, and without the Ctrl-Z that would end it; to
                see what a module does. Too short a payload leaves it waiting for the rest.

        Raises:
            NoAnswer: with what was awaited and the last lines.
            PortClosed, PortGone: the port went away meanwhile.
        """
        content = payload.encode() if isinstance(payload, str) else payload
        if exact and content is not None:
            reply = Reply(self._native.command_exactly(line, content, timeout_s))
        else:
            reply = Reply(self._native.command(line, content, timeout_s))
        return reply.raise_for_status() if check else reply

    def commands(self, lines: Iterable[str], *, timeout_s: float | None = None) -> list[Reply]:
        """Send several command lines in one call, one after the other; stops at the first without an answer."""
        return [Reply(native) for native in self._native.commands(list(lines), timeout_s)]

    def run(
        self,
        name: str,
        /,
        *,
        payload: bytes | str | None = None,
        timeout_s: float | None = None,
        check: bool = True,
        **parameters: Any,
    ) -> Reply:
        """Run a catalogued command with parameters by their documented names.

        ``modem.run("QMTSUB", client_idx=0, msgid=1, topics=[("t", 2)])``. ``modemrig catalogue`` prints names and ranges.

        Raises:
            BadValue: before anything is written, with the allowed range, document and section.
            Unsupported: the dialect has no such command.
            CommandRefused, RequestFailed: unless ``check=False``.
        """
        content = payload.encode() if isinstance(payload, str) else payload
        reply = Reply(self._native.run(name, parameters, content, timeout_s))
        return reply.raise_for_status() if check else reply

    def client(self, index: int = 0) -> Client:
        """One of the module's MQTT clients."""
        return Client(self, self._native.client(index))

    @property
    def clients(self) -> tuple[Client, ...]:
        """All of them."""
        return tuple(self.client(index) for index in range(self._native.clients()))

    def upload(self, name: str, content: bytes | str | Path, *, timeout_s: float | None = None) -> bool:
        """Put a file on the module, unless the same content is there already; says whether it was written."""
        return self._native.upload(name, _content(content), timeout_s)

    def delete_file(self, name: str, *, timeout_s: float | None = None) -> None:
        """Delete a file on the module."""
        self._native.delete_file(name, timeout_s)

    def files(self, *, timeout_s: float | None = None) -> list[FileEntry]:
        """The files on the module."""
        return [FileEntry(name, size) for name, size in self._native.files(timeout_s)]

    def tls_context(
        self,
        index: int,
        *,
        ca: bytes | str | Path | None = None,
        client_cert: bytes | str | Path | None = None,
        client_key: bytes | str | Path | None = None,
        verify: Literal["none", "server", "mutual"] | None = None,
        ignore_local_time: bool = True,
        sni: bool | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Set up a TLS context of the module, uploading the certificates it does not have yet.

        Certificates and key are PEM as ``bytes`` or ``str``, or the ``Path`` of a file. Without ``verify``, what is given
        decides: a client certificate means ``mutual``, an authority ``server``, neither ``none``.

        Raises:
            BadValue: a file that is not what it is given as, before anything is written.
        """
        verify = verify or ("mutual" if client_cert else "server" if ca else "none")
        ca, client_cert, client_key = (
            None if part is None else _content(part) for part in (ca, client_cert, client_key)
        )
        self._native.tls_context(index, ca, client_cert, client_key, verify, ignore_local_time, sni, timeout_s)
        self._told.tls[index] = (ca, client_cert, client_key, verify, ignore_local_time, sni)

    def attach(self, apn: str | None = None, timeout_s: float = 180.0) -> tuple[AttachStep, ...]:
        """Bring the module to where MQTT can start: SIM, registration, PDP context, signal, clock.

        Raises:
            ModuleError, NetworkError: naming the step.
        """
        steps = tuple(AttachStep(*step) for step in self._native.attach(apn, timeout_s))
        self._told.attached = (apn,)
        return steps

    def recover(
        self, plan: RecoveryPlan | None = None, *, at_least: Rung | None = None, timeout_s: float | None = None
    ) -> Recovery:
        """Bring port and module back to where commands are answered and clients are what they are taken for.

        A ladder, the gentlest rung first, climbed no further than needed, each rung bounded by the plan:

        - ``port``: a port that is gone is looked for under the names it had and where the plan says, until a module with the
          same serial number answers; this modem, its clients and its sessions go on there.
        - ``input``: a module that waits for the rest of a payload is sent nothing (it would be published) until it gives up;
          an input whose length was not said beforehand is ended with Esc.
        - ``resync``: a query is asked until its own answer comes; then the module is asked for its clients. Those that are as
          this program takes them stay as they are.
        - ``close``: clients that another program left in use, or that stay in between, are closed, and their results awaited.
        - ``restart``: ``AT+CFUN=1,1``, until the module answers again.
        - ``power``: the power is cut and given back, where somebody can (``power=`` of ``open`` or of the plan).

        Every step is in the result, and in the log ``modemrig.recovery``. Requests of other threads end once each: a command on
        the wire with ``NoAnswer``, what had no result when the port went with ``PortGone``, what a restart ended with
        ``ModuleRestarted``; a command that waits for its turn is sent afterwards. Ctrl-C ends it.

        Args:
            plan: what may be tried, and for how long.
            at_least: a rung to be taken even where nothing is seen to be wrong; ``close`` then closes all clients.
            timeout_s: for all of it, in seconds, at least 0; by default what the rungs may take together.

        Raises:
            RecoveryFailed: nothing helped; it says what was tried, and has it as ``recovery``.
            PortClosed: the modem was closed, which is for good.
        """
        return climb(self._native, plan or RecoveryPlan(), self._power, at_least, timeout_s)

    @property
    def clock_s(self) -> float:
        """Seconds since the port was opened: the time of transcripts, messages and events."""
        return self._native.elapsed()

    def transcript(self, since: float = 0.0) -> list[TranscriptEntry]:
        """The last of what was said, oldest first; secrets are covered.

        Args:
            since: from this moment on, by ``clock_s``; of very much, only the newest 256 KiB are kept.
        """
        import json

        rows = (json.loads(line) for line in self._native.transcript(since))
        return [
            TranscriptEntry(row["t"], row["dir"], row["data"].encode("latin-1"))
            for row in rows
            if "dir" in row  # the header has none
        ]

    def events(self, timeout_s: float | None = None) -> Iterator[Event]:
        """Iterate over what the module says unasked from now on; ends when nothing came for ``timeout_s``."""
        native = self._native.events(timeout_s)
        return (Event(*event) for event in native)

    def setting_names(self) -> dict[str, list[str]]:
        """The documented keys of the settings of a client, each with its parameters."""
        return self._native.setting_names()

    @property
    def statistics(self) -> Statistics:
        """What happened on the port since it was opened; what was dropped, stale, damaged or resynchronised is counted."""
        return Statistics(**self._native.statistics())

    @property
    def closed(self) -> bool:
        """Whether the port is closed, or gone."""
        return self._native.is_closed()

    def close(self) -> None:
        """Leave the module as found, then close the port; waits in other threads end with ``PortClosed``. Idempotent."""
        if self._left:
            return
        self._left = True
        try:
            # What cannot be given back any more must not hide what the caller was doing.
            with contextlib.suppress(ModemrigError):
                self._native.close_gracefully(_CLOSE_WITHIN_S)
        finally:
            self._owned.close()

    def __enter__(self) -> Modem:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = ", closed" if self.closed else ""
        return f"Modem({self.port!r}, dialect={self.dialect!r}{state})"


def ports() -> list[PortInfo]:
    """The serial ports of this computer."""
    return [
        PortInfo(path, description, usb, serial_number, tuple(links), holder)
        for path, description, usb, serial_number, links, holder in _native.ports()
    ]


def identify(port: str | os.PathLike[str], *, timeout_s: float | None = None) -> PortReport:
    """Find out what a port carries: tries the usual speeds, and knows an NMEA or a diagnostic interface by its bytes."""
    port = os.fspath(port)
    kind, baud, identity = _native.identify(port, timeout_s)
    return PortReport(port, kind, baud, None if identity is None else Identity(*identity))


def _content(content: bytes | str | Path) -> bytes:
    if isinstance(content, Path):
        return content.read_bytes()
    return content.encode() if isinstance(content, str) else bytes(content)
