"""The manual of the boundary between Python and the Rust core.

Nothing here is public but ``Message`` and ``__version__``; the modules beside this file give the rest its names. Rules:

- Every class is frozen and may be used from any thread. Results are tuples, in the order of the fields of the class in
  ``events.py``, ``broker.py`` they fill.
- *Waits*: the method releases the interpreter lock and waits. It ends with the answer, when ``timeout_s`` is over
  (``NoAnswer``; an iterator just ends), when the port is closed in another thread (``PortClosed``), or within 50 ms of Ctrl-C,
  when Python's signal handlers raise. ``timeout_s=None`` means the documented maximum and a margin; for iterators and
  ``connection_lost`` it means for ever.
- *Brief*: the method releases the interpreter lock because it takes a lock or talks to the system.
- Methods without a word are reads of a value.
- No thread of the core ever calls into Python; the two hands of a recovery are called by the thread that recovers. Log records
  wait in a queue and reach ``logging`` (``modemrig.*``) when a Python thread returns from a call; so a record of an idle port
  comes late, never lost in silence.
- Errors are the classes of ``modemrig.errors``. A value of the wrong Python type is a ``TypeError``.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, final

from modemrig.errors import ModemrigError

__all__ = [
    "BenchBroker",
    "Client",
    "Decoder",
    "Events",
    "Message",
    "Messages",
    "Modem",
    "Receipt",
    "Recorder",
    "ReplayModule",
    "Reply",
    "VirtualModule",
    "__version__",
    "catalogue_json",
    "check_differs",
    "check_fault",
    "check_quirk",
    "cover",
    "decode_line",
    "dialects",
    "faults",
    "generate_certificates",
    "identify",
    "ports",
    "profiles",
    "quirks",
    "reference",
]

__version__: str

_Identity = tuple[str, str, str, str, str]
_Late = tuple[str, str, int | None, int | None, int, tuple[int, ...], float]
_Mismatch = tuple[str, str, str | None, str]
_Step = tuple[str, str, Literal["done", "failed", "skipped"], str, float]
_Kind = Literal["at", "nmea", "diagnostic", "unknown", "silent"]

class _Statistics(TypedDict):
    bytes_sent: int
    """Bytes written."""
    bytes_received: int
    """Bytes read."""
    commands: int
    """Command lines sent; the queries that bring the port back in step do not count."""
    messages: int
    """Messages received from brokers."""
    messages_dropped: int
    """Messages dropped because nobody took them: the oldest go when a client's queue is full."""
    events_dropped: int
    """Events dropped because an iterator did not take them."""
    stale: int
    """Results that came for a request nobody waited for any more, or came twice."""
    surplus: int
    """Final results (``OK``, ``ERROR``) that belong to no command."""
    ignored: int
    """Lines that meant nothing: noise of a boot loader, a stray prompt, the end of a line that was damaged."""
    damaged: int
    """Results and messages that could not be recovered from their line."""
    overflowed: int
    """Lines given up because they had no end within 64 KiB."""
    timeouts: int
    """Commands that got no answer, and requests that got no result, in time."""
    resynchronised: int
    """Times it was established anew whose line is whose, after a time-out or a missing ``OK``."""
    restarts: int
    """Restarts of the module, and times it switched itself off."""

@final
class Message:
    """A message from the broker; frozen, comparable, hashable, picklable.

    ``time`` is when its last byte was read, in seconds since the port was opened. ``delimiter`` says how the end of the payload
    was found: ``length`` is certain; ``quotes``, ``silence`` and ``line`` are what is left where the module gives no length.
    A topic that is not UTF-8 has lone surrogates, as ``os.fsdecode`` makes them.
    """

    __match_args__ = ("client", "topic", "payload")
    def __new__(
        cls,
        client: int,
        topic: str,
        payload: bytes,
        msgid: int | None = None,
        time: float = 0.0,
        delimiter: str = "length",
    ) -> Message: ...
    @property
    def client(self) -> int: ...
    @property
    def topic(self) -> str: ...
    @property
    def payload(self) -> bytes: ...
    @property
    def msgid(self) -> int | None: ...
    @property
    def time(self) -> float: ...
    @property
    def delimiter(self) -> str: ...
    def __hash__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Reply:
    """The core's reply; a property makes its Python object each time it is read."""

    @property
    def line(self) -> str: ...
    @property
    def lines(self) -> tuple[str, ...]: ...
    @property
    def final(self) -> str: ...
    @property
    def result(self) -> _Late | None: ...
    @property
    def exchanged(self) -> tuple[str, ...]: ...
    @property
    def elapsed_s(self) -> float: ...
    @property
    def response_s(self) -> float: ...
    @property
    def max_response_s(self) -> float | None: ...
    @property
    def error(self) -> ModemrigError | None: ...

@final
class Modem:
    """An open port. Dropping the last handle closes it without ceremony."""

    def __new__(
        cls,
        target: str,
        *,
        baud: int = 115200,
        dialect: str | None = None,
        timeout_s: float | None = None,
        transcript: str | None = None,
        shown_as: str | None = None,
    ) -> Modem:
        """Waits. Starts the port's reader thread, which never holds the interpreter lock."""

    def identity(self) -> _Identity: ...
    def dialect(self) -> str: ...
    def port(self) -> str: ...
    def transcript_path(self) -> Path | None: ...
    def transcript(self, since: float) -> list[str]:
        """Brief. JSON lines, from this time on."""

    def elapsed(self) -> float:
        """Seconds since the port was opened."""

    def command(self, line: str, payload: bytes | None = None, timeout_s: float | None = None) -> Reply:
        """Waits. The waiting thread reads the port itself; ``ERROR`` is a reply."""

    def command_exactly(self, line: str, payload: bytes, timeout_s: float | None = None) -> Reply:
        """Waits. The payload is typed as it is, whatever was announced."""

    def commands(self, lines: Sequence[str], timeout_s: float | None = None) -> list[Reply]:
        """Waits, once for all of them."""

    def run(
        self, name: str, parameters: dict[str, Any], payload: bytes | None = None, timeout_s: float | None = None
    ) -> Reply:
        """Waits. Checks every value first."""

    def client(self, index: int) -> Client: ...
    def clients(self) -> int: ...
    def upload(self, name: str, content: bytes, timeout_s: float | None = None) -> bool:
        """Waits."""

    def delete_file(self, name: str, timeout_s: float | None = None) -> None:
        """Waits."""

    def files(self, timeout_s: float | None = None) -> list[tuple[str, int | None]]:
        """Waits."""

    def tls_context(
        self,
        index: int,
        ca: bytes | None,
        client_cert: bytes | None,
        client_key: bytes | None,
        verify: str,
        ignore_local_time: bool,
        sni: bool | None,
        timeout_s: float | None = None,
    ) -> None:
        """Waits."""

    def attach(self, apn: str | None = None, timeout_s: float | None = None) -> list[tuple[str, str, float]]:
        """Waits."""

    def events(self, timeout_s: float | None = None) -> Events:
        """Subscribes at once; a bounded queue collects from now on."""

    def statistics(self) -> _Statistics:
        """Counts since the port was opened; each only grows. The fields are explained in ``events.Statistics``."""

    def recover(
        self,
        bounds: tuple[float, float, float, float, float, float],
        at_least: str | None = None,
        power: Callable[[float], str] | None = None,
        ports: Callable[[], list[str]] | None = None,
        timeout_s: float | None = None,
    ) -> tuple[list[_Step], str, list[str], float, ModemrigError | None]:
        """Waits. Climbs the ladder; ``(steps, port, states of the clients, seconds, why it failed)``.

        ``bounds`` are the seconds of the rungs ``port``, ``input``, ``resync``, ``close``, ``restart`` and ``power``. ``power``
        gets the seconds it may take and says what it did, ``ports`` names ports; both are called on the calling thread, and
        an ``Exception`` of theirs ends the step. ``at_least`` names a rung to be taken even where nothing is seen to be wrong.
        A command that another thread has on the wire ends with ``NoAnswer``; what had no result when the port went ends with
        ``PortGone``; what waits for its turn is sent afterwards.
        """

    def setting_names(self) -> dict[str, list[str]]: ...
    def close_gracefully(self, timeout_s: float | None = None) -> None:
        """Waits. Gives back what was taken, then closes."""

    def close(self) -> None:
        """Brief. Wakes every waiter, joins the reader. Idempotent."""

    def is_closed(self) -> bool: ...

@final
class Client:
    """A handle to a client of the module. All handles to one client share one inbox of messages."""

    def index(self) -> int: ...
    def state(self) -> str: ...
    def configure(self, settings: dict[str, Any], timeout_s: float | None = None) -> None:
        """Waits. Checks every value first."""

    def settings(self, timeout_s: float | None = None) -> dict[str, dict[str, Any]]:
        """Waits."""

    def setting(self, name: str, timeout_s: float | None = None) -> dict[str, Any]:
        """Waits."""

    def open(self, host: str, port: int, tls: int | None = None, timeout_s: float | None = None) -> None:
        """Waits."""

    def connect(
        self,
        client_id: str,
        username: str | None = None,
        password: str | None = None,
        timeout_s: float | None = None,
        keep_messages: bool = False,
    ) -> None:
        """Waits. Messages of an earlier session that nobody took yet are dropped, unless they are kept."""

    def subscribe(
        self, topics: Sequence[tuple[str, int]], timeout_s: float | None = None
    ) -> list[tuple[str, int | None]]:
        """Waits."""

    def unsubscribe(self, topics: Sequence[str], timeout_s: float | None = None) -> None:
        """Waits."""

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool, timeout_s: float | None = None) -> Receipt:
        """Waits until the module took the payload; not for the broker."""

    def publish_many(
        self, messages: Sequence[tuple[str, bytes, int, bool]], timeout_s: float | None = None
    ) -> list[Receipt]:
        """Waits, once for the batch."""

    def messages(self, timeout_s: float | None = None) -> Messages: ...
    def dropped(self) -> int: ...
    def connection_lost(
        self, timeout_s: float | None = None
    ) -> tuple[int, str, int | None, str | None, str | None, float] | None:
        """Waits."""

    def disconnect(self, timeout_s: float | None = None) -> None:
        """Waits."""

    def close(self, timeout_s: float | None = None) -> None:
        """Waits."""

@final
class Receipt:
    """The promise of the result of one publish."""

    def wait(self, timeout_s: float | None = None) -> _Late:
        """Waits."""

    def outcome(self) -> tuple[_Late | None, ModemrigError | None]: ...
    def msgid(self) -> int: ...

@final
class Messages:
    """Takes messages in batches under one release of the interpreter lock; what it has not handed out stays in the inbox."""

    def __iter__(self) -> Iterator[Message]: ...
    def __next__(self) -> Message:
        """Waits, unless a message is there."""

@final
class Events:
    """Events of one subscription, as ``(kind, fields, time)``."""

    @property
    def dropped(self) -> int: ...
    def __iter__(self) -> Iterator[tuple[str, dict[str, Any], float]]: ...
    def __next__(self) -> tuple[str, dict[str, Any], float]:
        """Waits, unless an event is there."""

_Conditions = tuple[str, float, int | None, int | None, bool, int, str, bool, bool]
"""Registration and its delay in seconds, rssi, ber, network time and its error in seconds, SIM, PDP, DNS."""

@final
class VirtualModule:
    """A running virtual module; dropping it stops it. Its thread never holds the interpreter lock."""

    def __new__(
        cls,
        dialect: str,
        differs: str | None,
        broker: tuple[str, int, int | None] | None,
        link: str | None,
        tcp: bool,
        identity: tuple[str | None, str | None, str | None, str | None, str | None],
        conditions: _Conditions,
        signing: tuple[str, bool, int],
        token_url: str | None,
        speed: float,
        baud: int | None,
        seed: int,
        quirks: Sequence[str],
        faults: Sequence[str],
    ) -> VirtualModule:
        """Brief. ``identity``: IMEI, model, revision, IMSI, ICCID. ``signing``: hash, timestamp, lifetime in seconds."""

    def set_conditions(self, conditions: _Conditions) -> None:
        """Brief. The module is in them when this returns."""

    def power(self, what: Literal["off", "on", "cycle"]) -> None:
        """Brief."""

    def path(self) -> str: ...
    def imei(self) -> str: ...
    def inject(self, fault: str) -> None:
        """Brief. ``late_answer:ms=500,count=1``: the module acts by it when this returns."""

    def clear(self, name: str | None) -> None:
        """Brief. ``None`` clears all."""

    def faults(self) -> list[tuple[str, int, int | None]]:
        """Brief. Fault, how often it has happened, how often it will happen yet."""

    def quirk(self, quirk: str) -> None:
        """Brief. ``gap:ms=250``: the module has it when this returns."""

    def clear_quirk(self, name: str | None) -> None:
        """Brief. ``None`` clears all."""

    def quirks(self) -> list[str]:
        """Brief. As they would be written."""

    def dropped_messages(self, client: int) -> int:
        """Brief. Messages that found the client's five slots taken."""

    def traffic(self) -> tuple[int, int, int, int, int]:
        """Brief. Connections; segments and bytes sent; segments and bytes received."""

    def stop(self) -> None:
        """Brief. Joins the thread. Idempotent."""

@final
class BenchBroker:
    """A running broker; dropping it stops it. Its thread never holds the interpreter lock."""

    def __new__(cls, port: int = 0, tls_port: int = 0, speed: float = 1.0) -> BenchBroker:
        """Brief."""

    def host(self) -> str: ...
    def port(self) -> int: ...
    def tls_port(self) -> int: ...
    def certificates(self) -> tuple[str, str, str, str, str]: ...
    def record(self) -> list[tuple[float, int, str, Literal["in", "out"], str, dict[str, Any]]]: ...
    def clear_record(self) -> None: ...
    def violations(self) -> list[tuple[float, int, str, int | None, str | None, int | None, str, str]]: ...
    def clear_violations(self) -> None: ...
    def refuse_with(self, code: int | None) -> None: ...
    def refuse_filters(self, filters: Sequence[str]) -> None: ...
    def set_users(self, users: dict[str, str] | None) -> None: ...
    def token_url(self) -> str: ...
    def set_clouds(
        self, devices: Sequence[tuple[str, Sequence[str]]] | None, others: bool, now: int | None
    ) -> None: ...
    def require_client_cert(self, required: bool) -> None: ...
    def set_ack_rules(self, rules: Sequence[tuple[str, str | None, float | None, int | None]]) -> None: ...
    def cut(self, client_id: str) -> bool: ...
    def publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> int: ...
    def connected(self) -> list[str]: ...
    def forget_sessions(self) -> None: ...
    def stop(self) -> None:
        """Brief. Joins the thread. Idempotent."""

@final
class ReplayModule:
    """A transcript that answers as its module did; dropping it stops it. Its thread never holds the interpreter's lock."""

    def __new__(
        cls, file: str, text: str | None, times: bool, any_payload: bool, link: str | None, tcp: bool
    ) -> ReplayModule:
        """Brief. ``text`` is the transcript, named ``file``; where it is ``None`` the file is read.

        Raises ``BadValue`` with the number of a broken line, ``OSError`` for a file that cannot be read.
        """

    def path(self) -> str: ...
    def state(self) -> tuple[list[_Mismatch], list[str], int, bool]:
        """Brief. Mismatches, the lines that were not asked, the number of exchanges, whether the file is through."""

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits until the file is through, ``None``: for ever. Whether it is."""

    def wait_closed(self, timeout_s: float | None = None) -> bool:
        """Waits until no host has the port open, ``None``: for ever. Whether none has."""

    def stop(self) -> None:
        """Brief: joins a thread that ends at once. Idempotent."""

@final
class Recorder:
    """A recording under way; dropping it ends it. Its thread never holds the interpreter lock."""

    def __new__(
        cls,
        target: str,
        out: str,
        baud: int,
        link: str | None,
        tcp: bool,
        shown_as: str | None,
        timeout_s: float | None = None,
    ) -> Recorder:
        """Waits until the port is open. ``out`` is a new file or a folder; ``shown_as`` is the port's name in the file."""

    def path(self) -> str: ...
    def file(self) -> Path: ...
    def counts(self) -> tuple[int, int]:
        """Brief. Bytes of the program and of the module so far."""

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits for an end that nobody asked for, ``None``: for ever; whether it came. ``PortGone``: the port has vanished."""

    def stop(self) -> None:
        """Brief: at most two seconds, in which the module's last words are written. Idempotent.

        ``PortGone``: the port had vanished before; ``Bug``: the file could not be written.
        """

@final
class Decoder:
    """Iterates over the events of a transcript, each as JSON text; reads as it goes."""

    @staticmethod
    def of_file(path: str) -> Decoder: ...
    @staticmethod
    def of_text(name: str, text: str) -> Decoder: ...
    def __iter__(self) -> Iterator[str]: ...
    def __next__(self) -> str: ...

def dialects() -> list[str]: ...
def catalogue_json(dialect: str) -> str: ...
def reference(dialect: str) -> str: ...
def ports() -> list[tuple[str, str, str | None, str | None, list[str], str | None]]:
    """Brief."""

def identify(target: str, timeout_s: float | None = None) -> tuple[_Kind, int | None, _Identity | None]:
    """Waits."""

def decode_line(line: bytes) -> list[str]: ...
def cover(line: str) -> str:
    """A line with its secrets covered."""

def faults() -> list[tuple[str, str, list[tuple[str, str, str, str | None]]]]:
    """Name, title and parameters of each fault; of a parameter name, title, what it may be, default."""

def check_differs(dialect: str, difference: str) -> None:
    """Brief. Raises what ``VirtualModule`` would."""

def check_fault(dialect: str, fault: str) -> None:
    """Brief. Raises what ``VirtualModule`` would."""

def check_quirk(dialect: str, quirk: str) -> None:
    """Brief. Raises what ``VirtualModule`` would."""

def profiles() -> list[tuple[str, str, list[str], str, str, list[str], list[tuple[str, str]]]]:
    """Name, title, other names, dialect, model, quirks, and examples it does not support with the reason, of each profile."""

def quirks() -> list[tuple[str, str, list[str], str | None, list[tuple[str, str, str, str | None]]]]:
    """Name, title, rules of the field, family (``qmt``, ``cmqtt``, ``None``: both) and parameters of each quirk."""

def generate_certificates() -> tuple[str, str, str, str, str]: ...
