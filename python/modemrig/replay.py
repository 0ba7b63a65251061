r"""A transcript as a module: a log of the field becomes a test.

>>> import modemrig
>>> log = ['{"format": 1}', '{"t": 0, "dir": "tx", "data": "AT+CSQ\\r"}',
...        '{"t": 0.1, "dir": "rx", "data": "\\r\\n+CSQ: 24,99\\r\\n\\r\\nOK\\r\\n"}']
>>> with modemrig.ReplayModule(log) as module, modemrig.open(module.path) as modem:
...     modem.command("+CSQ").lines, module.mismatches
(('+CSQ: 24,99',), ())
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from modemrig import _native
from modemrig.errors import BadValue
from modemrig.running import Running

__all__ = ["Mismatch", "ReplayModule"]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Something that a host asked otherwise than the recorded one."""

    wrong: Literal["unknown", "again", "order", "payload", "unanswered"]
    """``unknown``: the file does not have this command; ``again``: not as often. Both were answered ``ERROR``. ``order``: the
    file has it earlier; ``payload``: with another payload. Both were answered as recorded. ``unanswered``: the file ends
    before the module answers the payload."""
    asked: str
    """The command line, secrets covered."""
    expected: str | None
    """What the file had next, secrets covered; ``None``: nothing more."""
    sentence: str = field(repr=False)
    """All of it, for a person."""

    def __str__(self) -> str:
        return self.sentence


class ReplayModule(Running):
    """A transcript that answers as the recorded module did; use it in a ``with`` block.

    A command line is answered by the next recorded exchange with the same line: case of the command, blanks and line end do
    not count, and what is covered by ``*`` in the file fits any bytes of any length. What the module said behind an answer
    comes behind it again; a host that goes on earlier than the recorded one gets it before its next answer. Identity,
    signal, registration, lists of values and set-up of the line may be asked more often than recorded, the state of the
    MQTT service until something changes; anything else is answered as often as it was recorded. ``ATE``, ``ATV``, ``ATQ``,
    ``ATI``, ``AT+CGMI``, ``AT+CGMM``, ``AT+CGMR``, ``AT+CGSN`` and ``AT+CMEE`` are answered though the file has them not.
    """

    def __init__(
        self,
        transcript: str | os.PathLike[str] | Iterable[str],
        *,
        times: bool = False,
        any_payload: bool = False,
        link: str | os.PathLike[str] | None = None,
        tcp: bool = False,
    ) -> None:
        """Start it.

        Args:
            transcript: the path of a file, or its lines; any file of the form, whoever made it.
            times: what the module said comes at its recorded times; else answers come at once, and what follows them after
                pauses of at most 20 ms.
            any_payload: payloads need not be those of the file, nor as long.
            link: a symbolic link to the port.
            tcp: listen on a TCP port instead of a pseudo-terminal; ``path`` is then ``tcp://…``. Always so where the
                system is not Linux.

        Raises:
            BadValue: the file is no transcript, or damaged; names the line.
            OSError: it cannot be read.
        """
        if isinstance(transcript, (str, os.PathLike)):
            name, text = os.fspath(transcript), None
            with Path(name).open("rb"):
                pass  # so that the error is Python's own, with the file's name
        else:
            name, text = "transcript", "\n".join(line.rstrip("\r\n") for line in transcript)
        self.transcript = name
        """The file."""
        self._native = _native.ReplayModule(
            name,
            text,
            times,
            any_payload,
            None if link is None else os.fspath(link),
            tcp or not sys.platform.startswith("linux"),
        )

    @property
    def path(self) -> str:
        """The port to open."""
        return self._native.path()

    @property
    def mismatches(self) -> tuple[Mismatch, ...]:
        """What was asked otherwise than in the file, in order; nothing, if all is well."""
        return tuple(Mismatch(*row) for row in self._native.state()[0])  # type: ignore[arg-type]

    @property
    def left(self) -> tuple[str, ...]:
        """Command lines of the file that nobody has asked, secrets covered."""
        return tuple(self._native.state()[1])

    @property
    def exchanges(self) -> int:
        """How many command lines the file has."""
        return self._native.state()[2]

    @property
    def finished(self) -> bool:
        """The last command of the file that changes something was asked, and everything was said."""
        return self._native.state()[3]

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the file is through.

        Args:
            timeout_s: at most so long; ``None``: for ever.

        Returns:
            Whether it is through.
        """
        return self._native.wait(timeout_s)

    def wait_closed(self, timeout_s: float | None = None) -> bool:
        """Wait until no host has the port open: what it was told it has read.

        Args:
            timeout_s: at most so long; ``None``: for ever.

        Returns:
            Whether none has.
        """
        return self._native.wait_closed(timeout_s)

    def stop(self) -> None:
        """Stop it: the port vanishes, no thread is left; what was noted can still be read. Idempotent."""
        self._native.stop()

    def __repr__(self) -> str:
        return f"ReplayModule({self.transcript!r}, path={self.path!r})"


def replayed(target: str) -> ReplayModule:
    """The module behind ``replay:FILE``."""
    file = target.partition(":")[2]
    if not file:
        raise BadValue("write replay:FILE, with the file of a transcript")
    return ReplayModule(file)
