"""The control socket of ``modemrig virtual``: another program tells a running virtual module what goes wrong.

A Unix socket, or a TCP port of this computer where the path is ``127.0.0.1:PORT``. One request a connection, one line each
way: a JSON list of words in (``["inject", "no_answer"]``), a JSON object out (``{"faults": …}`` or ``{"error": "…"}``).
"""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from modemrig.errors import BadValue, ModemrigError, PortMissing
from modemrig.virtual import VirtualModule

__all__ = ["ACTIONS", "ControlSocket", "ask"]

_LONGEST = 64 * 1024
_PATIENCE_S = 10.0


def _inject(module: VirtualModule, words: list[str]) -> None:
    if not words:
        raise BadValue("inject what? 'modemrig virtual --list-faults' lists the faults")
    for fault in words:
        module.inject(fault)


def _clear(module: VirtualModule, words: list[str]) -> None:
    if not words:
        module.clear()
    for name in words:
        module.clear(name)


def _quirk(module: VirtualModule, words: list[str]) -> None:
    if not words:
        raise BadValue("quirk what? 'modemrig virtual --list-quirks' lists the quirks")
    for quirk in words:
        module.quirk(quirk)


def _unquirk(module: VirtualModule, words: list[str]) -> None:
    if not words:
        module.clear_quirk()
    for name in words:
        module.clear_quirk(name)


def _set(module: VirtualModule, words: list[str]) -> None:
    pairs = [word.partition("=") for word in words]
    if not pairs or not all(equals for _, equals, _ in pairs):
        raise BadValue("set what? KEY=VALUE, as registration=denied or rssi=9")
    module.set_conditions(**{key: value for key, _, value in pairs})


def _power(module: VirtualModule, words: list[str]) -> None:
    switches = {"off": module.power_off, "on": module.power_on, "cycle": module.power_cycle}
    if len(words) != 1 or words[0] not in switches:
        raise BadValue(f"power what? {', '.join(switches)}")
    switches[words[0]]()


def _nothing(_: VirtualModule, words: list[str]) -> None:
    if words:
        raise BadValue(f"no word was expected behind it, and there is {words[0]!r}")


ACTIONS: dict[str, tuple[str, Callable[[VirtualModule, list[str]], None]]] = {
    "inject": ("FAULT…  have faults happen from now on: no_answer, late_answer:ms=500,count=1", _inject),
    "clear": ("[FAULT…]  end the faults of these names, or all", _clear),
    "list": ("the faults that were asked for, with how often each has happened, and the quirks", _nothing),
    "quirk": ("QUIRK…  have the module depart from its document: result_before_ok, gap:ms=250", _quirk),
    "unquirk": ("[QUIRK…]  put the quirks of these names straight, or all", _unquirk),
    "set": ("KEY=VALUE…  change what is around the module: registration=denied, rssi=9, dns=no", _set),
    "power": ("off, on, cycle  switch its power", _power),
    "status": ("the module: dialect, port, serial number, faults, quirks", _nothing),
}
"""What can be asked for: its help, and what it does."""


def _answer(module: VirtualModule, request: Any) -> dict[str, Any]:
    if not isinstance(request, list) or not request or not all(isinstance(word, str) for word in request):
        return {"error": "a request is a list of words"}
    action = ACTIONS.get(request[0])
    if action is None:
        return {"error": f"there is no {request[0]!r}; there are {', '.join(ACTIONS)}"}
    try:
        action[1](module, request[1:])
        faults = [{"fault": each.fault, "happened": each.happened, "left": each.left} for each in module.faults]
        quirks = module.quirks
    except ModemrigError as error:
        return {"error": str(error)}
    if request[0] == "status":
        conditions = asdict(module.conditions)
        return {
            "dialect": module.dialect,
            "profile": module.profile and module.profile.name,
            "port": module.path,
            "imei": module.imei,
            "conditions": conditions,
            "faults": faults,
            "quirks": quirks,
        }
    return {"faults": faults, "quirks": quirks}


class ControlSocket:
    """Serves the control socket of a module until it is closed; use it in a ``with`` block."""

    def __init__(self, module: VirtualModule, path: str) -> None:
        """Listen.

        Args:
            module: whom it controls.
            path: of the Unix socket that is made, or ``127.0.0.1:PORT``; port 0 is any free one.

        Raises:
            BadValue: the socket cannot be made; the error says why.
        """
        self._module = module
        self._listener, self.path = _listen(path)
        self._closing = False
        self._lock = threading.Lock()
        self._served: socket.socket | None = None
        """Who is being served, under the lock: `close` does not wait for it."""
        self._thread = threading.Thread(target=self._serve, name="modemrig-control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and remove the socket. Idempotent."""
        if self._listener.fileno() < 0:
            return
        # Closing alone does not wake a thread that waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._closing = True
            if self._served is not None:
                with suppress(OSError):  # it is gone
                    self._served.shutdown(socket.SHUT_RD)
        self._thread.join()
        self._listener.close()
        if _tcp(self.path) is None:
            Path(self.path).unlink(missing_ok=True)

    def __enter__(self) -> ControlSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._closing:
                    connection.close()
                    return
                self._served = connection
            with connection:
                try:
                    connection.settimeout(_PATIENCE_S)
                    self._one(connection)
                except OSError:
                    continue  # who asked is gone
                finally:
                    with self._lock:
                        self._served = None

    def _one(self, connection: socket.socket) -> None:
        try:
            answer = _answer(self._module, json.loads(_line(connection)))
        except (ValueError, RecursionError) as error:
            answer = {"error": f"a request is one line of JSON: {error}"}
        connection.sendall(json.dumps(answer).encode() + b"\n")


def ask(path: str, words: list[str]) -> dict[str, Any]:
    """Send a request to a control socket.

    Returns:
        What it answers; of every action ``faults`` and ``quirks``, of ``status`` also ``dialect``, ``port``, ``imei`` and
        ``conditions``.

    Raises:
        BadValue: the module refuses the request; the error says why.
        PortMissing: no module listens there.
    """
    address = _tcp(path)
    connection = socket.socket(socket.AF_UNIX if address is None else socket.AF_INET, socket.SOCK_STREAM)
    with connection:
        connection.settimeout(_PATIENCE_S)
        try:
            connection.connect(path if address is None else address)
            connection.sendall(json.dumps(words).encode() + b"\n")
            answer = json.loads(_line(connection))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise PortMissing(
                f"no virtual module answers at {path}: {reason}; 'modemrig virtual … --control {path}' makes one"
            ) from None
    if "error" in answer:
        raise BadValue(answer["error"])
    return dict(answer)


def _line(connection: socket.socket) -> bytes:
    said = b""
    while not said.endswith(b"\n") and len(said) < _LONGEST:
        piece = connection.recv(4096)
        if not piece:
            break
        said += piece
    return said


def _tcp(path: str) -> tuple[str, int] | None:
    """The address where the path is one; only this computer's own: whoever reaches it has the module in hand."""
    host, colon, port = path.rpartition(":")
    if not colon or os.sep in path or not port.isdecimal():
        return None
    if host not in ("127.0.0.1", "localhost") or int(port) > 65535:
        raise BadValue(f"a control socket is a path or 127.0.0.1:PORT, not {path!r}")
    return "127.0.0.1", int(port)


def _listen(path: str) -> tuple[socket.socket, str]:
    address = _tcp(path)
    try:
        if address is not None:
            listener = socket.create_server(address)
            return listener, f"127.0.0.1:{listener.getsockname()[1]}"
        return _listen_at(path), path
    except OSError as error:
        raise BadValue(f"no control socket can be made at {path}: {error.strerror or error}") from None


def _listen_at(path: str) -> socket.socket:
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Only this user: bind makes the file with what the mask leaves.
        mask = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(mask)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def _remove_stale(path: str) -> None:
    """Remove a socket whose program has ended; anything else stays, and binding says so."""
    try:
        if not stat.S_ISSOCK(Path(path).stat().st_mode):
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.connect(path)
    except FileNotFoundError:
        return
    except ConnectionRefusedError:
        Path(path).unlink()
