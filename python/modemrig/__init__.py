"""modemrig drives the MQTT service inside cellular modules over their AT interface, and tests those modules.

::

    import modemrig

    with modemrig.open("virtual:ecx00u_egx00u") as modem:
        print(modem.identity)
        print(modem.command("+CSQ").lines)

Nothing is loaded before it is used: this import reads one small file. Where to look: ``modemrig.open`` and ``Modem`` for a
port, ``Client`` and ``Session`` for MQTT, ``VirtualModule`` and ``BenchBroker`` to work without hardware, ``catalogue`` for
what a document says, ``ModemrigError`` for what can go wrong.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know the name; importing it from typing would be most of this import's time
if TYPE_CHECKING:
    from typing import Any

    from modemrig._native import Message as Message
    from modemrig._native import __version__ as __version__
    from modemrig.broker import BenchBroker as BenchBroker
    from modemrig.broker import Certificates as Certificates
    from modemrig.broker import RecordedPacket as RecordedPacket
    from modemrig.broker import Violation as Violation
    from modemrig.client import Client as Client
    from modemrig.client import Receipt as Receipt
    from modemrig.client import Session as Session
    from modemrig.clouds import Alibaba as Alibaba
    from modemrig.clouds import Aws as Aws
    from modemrig.clouds import Huawei as Huawei
    from modemrig.clouds import OneNet as OneNet
    from modemrig.clouds import Tencent as Tencent
    from modemrig.conditions import CloudSigning as CloudSigning
    from modemrig.conditions import Conditions as Conditions
    from modemrig.conditions import VirtualIdentity as VirtualIdentity
    from modemrig.errors import BadValue as BadValue
    from modemrig.errors import BrokerRefused as BrokerRefused
    from modemrig.errors import Bug as Bug
    from modemrig.errors import CallerError as CallerError
    from modemrig.errors import CommandRefused as CommandRefused
    from modemrig.errors import ConnectionLost as ConnectionLost
    from modemrig.errors import Garbled as Garbled
    from modemrig.errors import LinkError as LinkError
    from modemrig.errors import ModemrigError as ModemrigError
    from modemrig.errors import ModuleError as ModuleError
    from modemrig.errors import ModuleRestarted as ModuleRestarted
    from modemrig.errors import NetworkError as NetworkError
    from modemrig.errors import NoAnswer as NoAnswer
    from modemrig.errors import OpenFailed as OpenFailed
    from modemrig.errors import PortBusy as PortBusy
    from modemrig.errors import PortClosed as PortClosed
    from modemrig.errors import PortForbidden as PortForbidden
    from modemrig.errors import PortGone as PortGone
    from modemrig.errors import PortMissing as PortMissing
    from modemrig.errors import RecoveryFailed as RecoveryFailed
    from modemrig.errors import RequestFailed as RequestFailed
    from modemrig.errors import Unsupported as Unsupported
    from modemrig.events import AttachStep as AttachStep
    from modemrig.events import Event as Event
    from modemrig.events import FileEntry as FileEntry
    from modemrig.events import Identity as Identity
    from modemrig.events import LateResult as LateResult
    from modemrig.events import LostConnection as LostConnection
    from modemrig.events import PortInfo as PortInfo
    from modemrig.events import PortReport as PortReport
    from modemrig.events import Reply as Reply
    from modemrig.events import Statistics as Statistics
    from modemrig.events import Tls as Tls
    from modemrig.events import TranscriptEntry as TranscriptEntry
    from modemrig.events import Will as Will
    from modemrig.families import Profile as Profile
    from modemrig.families import profiles as profiles
    from modemrig.modem import Modem as Modem
    from modemrig.modem import identify as identify
    from modemrig.modem import open as open
    from modemrig.modem import ports as ports
    from modemrig.recorder import Recorder as Recorder
    from modemrig.recovery import Power as Power
    from modemrig.recovery import PowerCommand as PowerCommand
    from modemrig.recovery import Recovery as Recovery
    from modemrig.recovery import RecoveryPlan as RecoveryPlan
    from modemrig.recovery import RecoveryStep as RecoveryStep
    from modemrig.reference import catalogue as catalogue
    from modemrig.reference import dialects as dialects
    from modemrig.replay import Mismatch as Mismatch
    from modemrig.replay import ReplayModule as ReplayModule
    from modemrig.transcripts import decode as decode
    from modemrig.transcripts import decode_line as decode_line
    from modemrig.virtual import InjectedFault as InjectedFault
    from modemrig.virtual import Traffic as Traffic
    from modemrig.virtual import VirtualModule as VirtualModule

_HOME = {
    "_native": ("Message", "__version__"),
    "broker": ("BenchBroker", "Certificates", "RecordedPacket", "Violation"),
    "client": ("Client", "Receipt", "Session"),
    "clouds": ("Alibaba", "Aws", "Huawei", "OneNet", "Tencent"),
    "conditions": ("CloudSigning", "Conditions", "VirtualIdentity"),
    "errors": (
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
    ),
    "events": (
        "AttachStep",
        "Event",
        "FileEntry",
        "Identity",
        "LateResult",
        "LostConnection",
        "PortInfo",
        "PortReport",
        "Reply",
        "Statistics",
        "Tls",
        "TranscriptEntry",
        "Will",
    ),
    "families": ("Profile", "profiles"),
    "modem": ("Modem", "identify", "open", "ports"),
    "recovery": ("Power", "PowerCommand", "Recovery", "RecoveryPlan", "RecoveryStep"),
    "recorder": ("Recorder",),
    "reference": ("catalogue", "dialects"),
    "replay": ("Mismatch", "ReplayModule"),
    "transcripts": ("decode", "decode_line"),
    "virtual": ("InjectedFault", "Traffic", "VirtualModule"),
}
"""Which submodule a public name lives in; it is loaded when the name is first asked for."""

_SUBMODULE_OF = {name: submodule for submodule, names in _HOME.items() for name in names}

__all__ = sorted(_SUBMODULE_OF)


def __getattr__(name: str) -> Any:
    submodule = _SUBMODULE_OF.get(name)
    if submodule is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{submodule}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
