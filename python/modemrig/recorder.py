"""A recorder between any program and a module: every byte crosses as it is, and a transcript is written, secrets covered.

>>> import modemrig, tempfile
>>> with tempfile.TemporaryDirectory() as folder, modemrig.Recorder("virtual:sim7028", folder) as recorder:
...     with modemrig.open(recorder.path) as modem:
...         modem.dialect
'sim7028'
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from modemrig import _native
from modemrig.errors import BadValue
from modemrig.running import Running

__all__ = ["Recorder"]


class Recorder(Running):
    """A recording under way; use it in a ``with`` block. The program opens ``path`` in place of the module's port."""

    def __init__(
        self,
        port: str | os.PathLike[str],
        out: str | os.PathLike[str] = ".",
        *,
        baud: int = 115_200,
        link: str | os.PathLike[str] | None = None,
        tcp: bool = False,
        timeout_s: float = 5.0,
    ) -> None:
        """Open the module's port, and make one for the program.

        Args:
            port: the module's: ``/dev/ttyUSB2``, ``tcp://host:port``, ``rfc2217://host:port``, ``virtual:<name>`` for a virtual
                module with a bench broker, or ``replay:<file>``.
            out: the file, which must not exist, or a folder that gets one named after port and time.
            baud: bits per second of the module's port, until the program sets another speed on its own.
            link: a symbolic link to the program's port.
            tcp: the program's port is a TCP port instead of a pseudo-terminal. Always so where the system is not Linux.
            timeout_s: how long the module's port may take to be opened.

        Raises:
            PortMissing, PortForbidden, PortBusy: naming the port, who holds it, and what to do.
            BadValue: the file exists, or cannot be written.
        """
        if not 0 < baud < 2**32:
            raise BadValue(f"baud {baud}: bits per second, above 0 and below 2**32")
        target = shown = os.fspath(port)
        with contextlib.ExitStack() as stack:
            if target.startswith("virtual:"):
                from modemrig.broker import BenchBroker
                from modemrig.virtual import VirtualModule

                broker = stack.enter_context(BenchBroker())
                target = stack.enter_context(VirtualModule(target.partition(":")[2], broker=broker)).path
            elif target.startswith("replay:"):
                from modemrig.replay import replayed

                target = stack.enter_context(replayed(target)).path
            self._native = _native.Recorder(
                target,
                os.fspath(out),
                baud,
                None if link is None else os.fspath(link),
                tcp or not sys.platform.startswith("linux"),
                shown,
                timeout_s,
            )
            self._owned = stack.pop_all()

    @property
    def path(self) -> str:
        """The port that the program opens."""
        return self._native.path()

    @property
    def file(self) -> Path:
        """The transcript; complete when the recorder has stopped."""
        return Path(self._native.file())

    @property
    def bytes_sent(self) -> int:
        """Bytes of the program so far."""
        return self._native.counts()[0]

    @property
    def bytes_received(self) -> int:
        """Bytes of the module so far."""
        return self._native.counts()[1]

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait while the recording goes on.

        Args:
            timeout_s: at most so long; ``None``: for ever.

        Raises:
            PortGone: the module's port has vanished; the file is complete.
        """
        self._native.wait(timeout_s)

    def stop(self) -> None:
        """Pass on and write what is on its way, and end; takes at most two seconds. Idempotent.

        Raises:
            PortGone: the module's port had vanished before; the file is complete.
            Bug: the file could not be written to its end.
        """
        try:
            self._native.stop()
        finally:
            self._owned.close()

    def __repr__(self) -> str:
        return f"Recorder(path={self.path!r}, file={str(self.file)!r})"
