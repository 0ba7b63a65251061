"""What can go wrong, sorted by whose fault it is.

``except modemrig.NetworkError`` is a decision about whom to call; the class below it says what happened. Every error
carries its facts as attributes, so that a station can put them into a database without taking the sentence apart.
The extension module raises these classes and no others of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from modemrig.recovery import Recovery

__all__ = [
    "BadValue",
    "BrokerRefused",
    "Bug",
    "CallerError",
    "CommandRefused",
    "ConnectionLost",
    "Garbled",
    "LinkError",
    "ModemrigError",
    "ModuleError",
    "ModuleRestarted",
    "NetworkError",
    "NoAnswer",
    "OpenFailed",
    "PortBusy",
    "PortClosed",
    "PortForbidden",
    "PortGone",
    "PortMissing",
    "RecoveryFailed",
    "RequestFailed",
    "Unsupported",
]

Fault = Literal["caller", "module", "network", "link", "bug"]

_FACTS = ("awaited", "waited_s", "code", "meaning", "remedy", "source", "last_lines", "port")


class ModemrigError(Exception):
    """Any error of this package.

    ``str(error)`` is one sentence with what is known; passwords never appear in it, nor in ``last_lines``.
    """

    fault: Fault = "bug"
    """Whose fault: the calling program, the module, the network behind it, the line to it, or this package."""

    def __init__(
        self,
        message: str = "",
        *,
        awaited: str | None = None,
        waited_s: float | None = None,
        code: int | None = None,
        meaning: str | None = None,
        remedy: str | None = None,
        source: str | None = None,
        last_lines: Iterable[str] = (),
        port: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        """What happened, without the facts below."""
        self.awaited = awaited
        """What was awaited."""
        self.waited_s = waited_s
        """For how long, in seconds."""
        self.code = code
        """The code the module gave."""
        self.meaning = meaning
        """The documented meaning of the code."""
        self.remedy = remedy
        """What the document, or this package, says to do."""
        self.source = source
        """Document and section."""
        self.last_lines = tuple(last_lines)
        """The last lines exchanged: ``> `` sent, ``< `` received."""
        self.port = port
        """The port."""

    def __str__(self) -> str:
        parts = [self.message]
        if self.awaited is not None and self.waited_s is not None:
            parts.append(f"awaited {self.awaited} for {self.waited_s:.3f} s")
        parts += [part for part in (self.meaning, self.remedy) if part]
        text = "; ".join(parts)
        if self.source:
            text += f" ({self.source})"
        if self.port:
            text += f" [{self.port}]"
        return text

    def __repr__(self) -> str:
        facts = "".join(f", {name}={value!r}" for name, value in self._facts().items() if name != "last_lines")
        return f"{type(self).__name__}({self.message!r}{facts})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self._facts())

    def _facts(self) -> dict[str, Any]:
        return {name: value for name in _FACTS if (value := getattr(self, name)) not in (None, ())}


def _rebuild(kind: type[ModemrigError], message: str, facts: dict[str, Any]) -> ModemrigError:
    return kind(message, **facts)


class CallerError(ModemrigError):
    """The program asked for something that cannot be."""

    fault = "caller"


class BadValue(CallerError, ValueError):
    """A value no document allows; refused before it reached the wire."""


class Unsupported(CallerError):
    """The module's dialect has no such command, setting or ability."""


class ModuleError(ModemrigError):
    """The module refused or failed."""

    fault = "module"


class CommandRefused(ModuleError):
    """The module answered ``ERROR`` or its like."""


class RequestFailed(ModuleError):
    """The module accepted the command, and its result says that it failed."""


class ModuleRestarted(ModuleError):
    """The module restarted, and the request went with it."""


class NetworkError(ModemrigError):
    """The broker, or the way to it."""

    fault = "network"


class BrokerRefused(NetworkError):
    """The broker refused the connection or the request."""


class ConnectionLost(NetworkError):
    """The connection to the broker is gone."""


class OpenFailed(NetworkError):
    """The socket to the broker could not be opened."""


class LinkError(ModemrigError):
    """The line between this computer and the module."""

    fault = "link"


class PortMissing(LinkError):
    """There is no such port."""


class PortForbidden(LinkError):
    """This user may not use the port."""


class PortBusy(LinkError):
    """Another program holds the port."""


class PortGone(LinkError):
    """The port vanished while in use."""


class NoAnswer(LinkError, TimeoutError):
    """Nothing came in time."""


class PortClosed(LinkError):
    """The port was closed by this program."""


class Garbled(LinkError):
    """What came makes no sense, or it is no longer known whose answer a line is."""


class RecoveryFailed(LinkError):
    """Nothing that was tried brought the module back; the message says what was."""

    recovery: Recovery | None = None
    """What was tried, step by step."""


class Bug(ModemrigError):
    """A rule of this package is broken; please report it with the transcript."""

    fault = "bug"
