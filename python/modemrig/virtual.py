"""A virtual module: the other end of the line, without hardware.

It speaks the dialect of its document on a pseudo-terminal, and real MQTT over TCP and TLS on its network side.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import Any

from modemrig import _native
from modemrig.broker import BenchBroker
from modemrig.conditions import CloudSigning, Conditions, VirtualIdentity, changed
from modemrig.errors import BadValue
from modemrig.families import find
from modemrig.running import Running

__all__ = ["InjectedFault", "Traffic", "VirtualModule"]


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """A fault of a virtual module, and how far it is."""

    fault: str
    """Name and parameters, as they would be written: ``late_answer:ms=500,count=1``."""
    happened: int
    """How often it has happened."""
    left: int | None
    """How often it will happen yet; ``None``: until it is cleared."""

    @property
    def name(self) -> str:
        """``late_answer``"""
        return self.fault.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Traffic:
    """What crossed a virtual module's network; of TLS all of it, not what it carries."""

    connections: int
    """TCP connections made."""
    segments_sent: int
    """Writes to the network, each a TCP segment or more."""
    sent: int
    """Bytes of them, without the headers of TCP and IP."""
    segments_received: int
    """Reads from the network."""
    received: int
    """Bytes of them."""


class VirtualModule(Running):
    """A running virtual module; use it in a ``with`` block.

    >>> import modemrig
    >>> with modemrig.BenchBroker() as broker, modemrig.VirtualModule("bc35g_bc28", broker=broker) as module:
    ...     with modemrig.open(module.path) as modem:
    ...         modem.dialect
    'bc35g_bc28'
    """

    def __init__(
        self,
        dialect: str,
        *,
        differs: str | None = None,
        broker: BenchBroker | str | None = None,
        redirect: bool = True,
        link: str | os.PathLike[str] | None = None,
        tcp: bool = False,
        imei: str | None = None,
        model: str | None = None,
        identity: VirtualIdentity | None = None,
        conditions: Conditions | None = None,
        signing: CloudSigning | None = None,
        speed: float = 1.0,
        baud: int | None = None,
        seed: int = 0,
        quirks: Iterable[str] = (),
        faults: Iterable[str] = (),
    ) -> None:
        """Start it.

        Args:
            dialect: a document, one of ``modemrig.dialects()``, or a family of modules that follow one, as they are met in the
                field: one of ``modemrig.profiles()``.
            differs: how it differs from that document, as firmware does: TOML in the form of a dialect's data file that holds
                only what differs, ``[commands."AT+QMTCFG".params]`` ``pkt_timeout = { max = 59 }``. The host knows nothing
                of it.
            broker: where every host name leads: a ``BenchBroker``, ``"host:port"``, or ``"host:port:tls_port"``. Without one,
                names are resolved as this computer does it.
            redirect: ``False`` uses the real resolver in spite of ``broker``.
            link: a symbolic link to the port.
            tcp: listen on a TCP port instead of a pseudo-terminal; ``path`` is then ``tcp://…``. Always so where the
                system is not Linux.
            imei: its serial number, 15 digits with a valid check digit; by default made from the seed.
            model: what it says it is; by default the first the document names.
            identity: more of what it says of itself; ``imei`` and ``model`` count more.
            conditions: what is around it: registration, signal, SIM, clock, names; by default all is well.
            signing: how it signs for cloud platforms.
            speed: timers run this many times as fast.
            baud: bytes take the time of a UART of this speed (8N1), which ``AT+IPR`` changes; a host that has set another
                speed understands nothing. ``None``: they take no time, and any speed will do.
            seed: of whatever is random.
            quirks: named departures from the document, beside those of the profile, each as ``"prompt_on_own_line"`` or
                ``"gap:ms=250"``; ``modemrig virtual --list-quirks`` lists them.
            faults: what goes wrong from the start, each as ``"late_answer"`` or ``"late_answer:ms=500,count=1"``;
                ``modemrig virtual --list-faults`` lists them.

        Raises:
            Unsupported: there is no such dialect or profile.
            BadValue: ``differs`` cannot be used, with its line and key; there is no such quirk or fault, or not with this
                parameter; a value of the identity or of the conditions is out of its range.
        """
        if not 0 <= seed < 2**64:
            raise BadValue(f"seed {seed}: a whole number from 0 to 2**64 - 1")
        if baud is not None and not 0 < baud < 2**32:
            raise BadValue(f"baud {baud}: bits per second, above 0 and below 2**32")
        self.profile = find(dialect)
        """The family it is of, where it was started as one."""
        self.dialect = dialect if self.profile is None else self.profile.dialect
        """The document it follows."""
        self._conditions = conditions or Conditions()
        self._changing = threading.Lock()  # of conditions: the control socket changes some, its owner others
        who = identity or VirtualIdentity()
        address = None
        if redirect and broker is not None:
            address = _address(broker)
        self._native = _native.VirtualModule(
            dialect,
            differs,
            address,
            None if link is None else os.fspath(link),
            tcp or not sys.platform.startswith("linux"),
            (imei or who.imei, model or who.model, who.revision, who.imsi, who.iccid),
            astuple(self._conditions),
            astuple(signing or CloudSigning()),
            broker.token_url if redirect and isinstance(broker, BenchBroker) else None,
            speed,
            baud,
            seed,
            list(quirks),
            list(faults),
        )

    @property
    def path(self) -> str:
        """The port to open."""
        return self._native.path()

    @property
    def imei(self) -> str:
        """Its serial number."""
        return self._native.imei()

    @property
    def conditions(self) -> Conditions:
        """What is around it."""
        return self._conditions

    def set_conditions(self, **changes: Any) -> None:
        """Change what is around it; the module is in it when this returns.

        >>> import modemrig
        >>> with modemrig.VirtualModule("bc35g_bc28") as module, modemrig.open(module.path) as modem:
        ...     module.set_conditions(registration="denied")
        ...     modem.command("+CEREG?").lines
        ('+CEREG: 0,3',)

        Args:
            changes: fields of ``Conditions``.

        Raises:
            BadValue: there is no such field, or it cannot be this.
        """
        with self._changing:
            conditions = changed(self._conditions, changes)
            self._native.set_conditions(astuple(conditions))
            self._conditions = conditions

    def power_off(self) -> None:
        """Cut its power, without a word; of what it knew only files and what ``AT&W`` stored are left."""
        self._native.power("off")

    def power_on(self) -> None:
        """Give it power again; it starts, and says so. Nothing happens to one that runs."""
        self._native.power("on")

    def power_cycle(self) -> None:
        """Cut its power and give it back at once."""
        self._native.power("cycle")

    def inject(self, fault: str, **parameters: str | int) -> None:
        """Have something go wrong from now on; the module acts by it when this returns.

        >>> import modemrig
        >>> with modemrig.VirtualModule("bc35g_bc28") as module:
        ...     module.inject("late_answer", ms=500, count=1)
        ...     module.faults
        [InjectedFault(fault='late_answer:ms=500,count=1', happened=0, left=1)]

        Args:
            fault: its name, or name and parameters in one text.
            parameters: of the fault.

        Raises:
            BadValue: there is no such fault, or not with this parameter; the error says what there is.
        """
        self._native.inject(_worded(fault, parameters))

    def clear(self, fault: str | None = None) -> None:
        """End the faults of a name, or all of them."""
        self._native.clear(fault)

    @property
    def faults(self) -> list[InjectedFault]:
        """What was asked for and not cleared; a fault that is used up stays here, with nothing left."""
        return [InjectedFault(*row) for row in self._native.faults()]

    def quirk(self, quirk: str, **parameters: str | int) -> None:
        """Have it depart from its document from now on; the same quirk with other parameters takes the place of the first.

        >>> import modemrig
        >>> with modemrig.VirtualModule("bc35g_bc28") as module:
        ...     module.quirk("prompt_on_own_line")
        ...     module.quirks
        ['prompt_on_own_line']

        Args:
            quirk: its name, or name and parameters in one text.
            parameters: of the quirk.

        Raises:
            BadValue: no module of this family has such a quirk, or not with this parameter; the error says what there is.
        """
        self._native.quirk(_worded(quirk, parameters))

    def clear_quirk(self, quirk: str | None = None) -> None:
        """Put the quirks of a name straight, or all of them."""
        self._native.clear_quirk(quirk)

    @property
    def quirks(self) -> list[str]:
        """The quirks it has, as they would be written."""
        return self._native.quirks()

    def dropped_messages(self, client: int = 0) -> int:
        """How many messages found the five slots of a client taken (``recv/mode``) and were dropped.

        Raises:
            BadValue: no module has a client of this number.
        """
        if not 0 <= client <= 255:
            raise BadValue(f"client {client}: modules have 0 to 5")
        return self._native.dropped_messages(client)

    @property
    def traffic(self) -> Traffic:
        """What crossed its network since it was started."""
        return Traffic(*self._native.traffic())

    def stop(self) -> None:
        """Stop it: the port vanishes, connections close, no thread is left. Idempotent."""
        self._native.stop()

    def __repr__(self) -> str:
        name = self.profile.name if self.profile else self.dialect
        return f"VirtualModule({name!r}, path={self.path!r})"


def _worded(name: str, parameters: dict[str, str | int]) -> str:
    """A fault or a quirk as one text."""
    words = [f"{key}={_quoted(value)}" for key, value in parameters.items()]
    return name + ("," if ":" in name else ":") * bool(words) + ",".join(words)


def _quoted(value: str | int) -> str:
    text = str(value)
    if "'" in text:
        raise BadValue(f"a parameter has no apostrophe: {text!r}")
    return f"'{text}'" if "," in text else text


def _address(broker: BenchBroker | str) -> tuple[str, int, int | None]:
    """Host, plain port and TLS port of a broker."""
    if isinstance(broker, BenchBroker):
        return broker.host, broker.port, broker.tls_port
    host, *ports = broker.split(":") if broker.count(":") <= 2 else [broker]
    if not host or not 1 <= len(ports) <= 2 or not all(port.isdecimal() and 0 < int(port) < 65536 for port in ports):
        raise BadValue(f"a broker is given as host:port or host:port:tls_port, not {broker!r}")
    return host, int(ports[0]), int(ports[1]) if len(ports) == 2 else None
