"""One of the MQTT clients inside a module, and the session it holds. The same for every dialect.

Handles are cheap, may be used from any thread, and all handles to one client share its queue of messages.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from modemrig import clouds
from modemrig.errors import LinkError, ModemrigError
from modemrig.events import LateResult, LostConnection, Tls, Will
from modemrig.recovery import Recovery, RecoveryPlan
from modemrig.sessions import Keeper

if TYPE_CHECKING:
    from modemrig import _native
    from modemrig._native import Message
    from modemrig.modem import Modem

__all__ = ["Client", "Receipt", "Session"]

Payload = bytes | bytearray | memoryview | str


class Receipt:
    """The promise of the result of one publish. Dropping it forgets the result, not the publish."""

    __slots__ = ("_native",)

    def __init__(self, native: _native.Receipt) -> None:
        self._native = native

    def wait(self, timeout_s: float | None = None) -> LateResult:
        """Wait for the result; the same answer every time. Without a time: the documented maximum.

        Raises:
            RequestFailed: the module gave up on the packet.
            NoAnswer: nothing came in time.
        """
        return LateResult(*self._native.wait(timeout_s))

    @property
    def done(self) -> bool:
        """Whether the result is there."""
        return self._native.outcome() != (None, None)

    @property
    def result(self) -> LateResult | None:
        """The result; ``None`` while it is awaited, and when the publish failed."""
        result, _ = self._native.outcome()
        return None if result is None else LateResult(*result)

    @property
    def error(self) -> ModemrigError | None:
        """Why the publish failed; ``None`` while its result is awaited, and when it succeeded."""
        return self._native.outcome()[1]

    @property
    def msgid(self) -> int:
        """The packet identifier; 0 for QoS 0."""
        return self._native.msgid()

    def __repr__(self) -> str:
        result, error = self._native.outcome()
        state = "failed" if error else "pending" if result is None else "done"
        return f"Receipt(msgid={self.msgid}, {state})"


class Client:
    """A client inside the module; get one with ``modem.client(index)``."""

    def __init__(self, modem: Modem, native: _native.Client) -> None:
        self._modem = modem
        self._native = native

    @property
    def index(self) -> int:
        """Its number on the wire."""
        return self._native.index()

    @property
    def modem(self) -> Modem:
        """The module it is in."""
        return self._modem

    @property
    def state(self) -> str:
        """Where it stands, as far as the module's lines tell: ``closed``, ``open``, ``connected``, …"""
        return self._native.state()

    def configure(self, *, timeout_s: float | None = None, **settings: Any) -> None:
        """Write settings; all are checked before the first is written.

        A setting goes by its documented key (``timeout=(5, 3, 0)``), by a documented parameter (``pkt_timeout=5``), or by a
        name that every dialect knows: ``version="3.1.1"``, ``keepalive_s=60``, ``clean_session=True``, ``packet_timeout_s``,
        ``will=Will(…)``. ``cloud=Alibaba(…)`` (or ``OneNet``, ``Huawei``) has the module make credentials for a platform by
        itself; ``connect`` then gets the client id only, with OneNet and Huawei the name of the device.

        Raises:
            BadValue: a value no document allows.
            Unsupported: the module's dialect has no such setting.
        """
        if "cloud" in settings:
            key, values = clouds.setting(settings.pop("cloud"))
            settings[key] = values
        wire = {name: _wire(value) for name, value in settings.items()}
        self._native.configure(wire, timeout_s)
        self._modem._told.settings.setdefault(self.index, {}).update(wire)

    def settings(self, *, timeout_s: float | None = None) -> dict[str, dict[str, Any]]:
        """Ask the module for every setting it can be asked for: parameters by documented key."""
        return self._native.settings(timeout_s)

    def setting(self, name: str, *, timeout_s: float | None = None) -> Any:
        """Ask for one setting by documented key (its parameters), or for one value by parameter or common name.

        A value that does not apply now, as the QoS of a will that is switched off, is ``None``.
        """
        values = self._native.setting(name, timeout_s)
        if not values and name not in self._modem.setting_names():
            return None
        return values[name] if list(values) == [name] else values

    def open(self, host: str, port: int, tls: Tls | int | None = None, *, timeout_s: float | None = None) -> None:
        """Open the socket to the broker, named as the module's network sees it.

        Args:
            host: name or address.
            port: TCP port.
            tls: what the TLS context gets, or the index of one that is set up already.
            timeout_s: by default the documented maximum.

        Raises:
            OpenFailed: with the documented meaning of the module's code.
        """
        if isinstance(tls, Tls):
            self._modem.tls_context(
                tls.context,
                ca=tls.ca,
                client_cert=tls.client_cert,
                client_key=tls.client_key,
                verify=tls.verify,
                ignore_local_time=tls.ignore_local_time,
                sni=tls.sni,
            )
            tls = tls.context
        self._native.open(host, port, tls, timeout_s)

    def connect(
        self,
        client_id: str,
        username: str | None = None,
        password: str | None = None,
        *,
        timeout_s: float | None = None,
    ) -> None:
        """Start the MQTT session.

        Raises:
            BrokerRefused: with the CONNACK code and its meaning.
        """
        self._native.connect(client_id, username, password, timeout_s)

    def subscribe(self, topics: Mapping[str, int], *, timeout_s: float | None = None) -> dict[str, int | None]:
        """Subscribe to ``{topic filter: qos}``; returns the granted QoS, ``None`` where the module does not say.

        Raises:
            BrokerRefused: a topic filter was refused (128).
        """
        if not isinstance(topics, Mapping):
            raise TypeError(f"topics is a dictionary of QoS by topic filter, not {type(topics).__name__}")
        return dict(self._native.subscribe(list(topics.items()), timeout_s))

    def unsubscribe(self, topics: Iterable[str], *, timeout_s: float | None = None) -> None:
        """End subscriptions."""
        self._native.unsubscribe([topics] if isinstance(topics, str) else list(topics), timeout_s)

    def publish(
        self, topic: str, payload: Payload, qos: int = 0, retain: bool = False, *, timeout_s: float | None = None
    ) -> Receipt:
        """Hand a message to the module and return without waiting for the broker.

        Up to five may be in flight; with five it waits for room. The payload may hold any bytes; text is sent as UTF-8.
        """
        return Receipt(self._native.publish(topic, _bytes(payload), qos, retain, timeout_s))

    def publish_many(self, messages: Iterable[Iterable[Any]], *, timeout_s: float | None = None) -> list[Receipt]:
        """Publish a batch of ``(topic, payload[, qos[, retain]])`` in one call, the window always full.

        Returns one receipt for each message, in order, once the last was handed over.
        """
        return [Receipt(native) for native in self._native.publish_many([_outgoing(*m) for m in messages], timeout_s)]

    def messages(self, timeout_s: float | None = None) -> Iterator[Message]:
        """Iterate over incoming messages; ends when none came for ``timeout_s``, and never without it.

        Leaving the loop loses nothing: the next iterator goes on where this one stopped.

        Raises:
            ConnectionLost: the connection is gone, and every message before that was handed out.
        """
        return self._native.messages(timeout_s)

    @property
    def dropped(self) -> int:
        """How many messages were dropped because nobody took them in time."""
        return self._native.dropped()

    def connection_lost(self, timeout_s: float | None = None) -> LostConnection | None:
        """Wait until the connection is lost; ``None`` when the time is over. Each loss is reported once."""
        lost = self._native.connection_lost(timeout_s)
        return None if lost is None else LostConnection(*lost)

    def disconnect(self, *, timeout_s: float | None = None) -> None:
        """End the MQTT session."""
        self._native.disconnect(timeout_s)

    def close(self, *, timeout_s: float | None = None) -> None:
        """Give the socket back; harmless where nothing is open."""
        self._native.close(timeout_s)

    def session(
        self,
        host: str,
        port: int,
        client_id: str,
        *,
        username: str | None = None,
        password: str | None = None,
        tls: Tls | int | None = None,
        timeout_s: float | None = None,
        recover: bool | RecoveryPlan = False,
    ) -> Session:
        """A session as a context manager: opened and connected inside, disconnected and closed behind it.

        With ``recover`` a session that is lost (with the connection, by a restart of the module, with its port, or because the
        module does not answer) is made again: ``Modem.recover`` brings the module back, settings, TLS contexts and the network
        are told again, the client connects with the same client id and subscribes again. The thread that notices does it,
        in the call it makes or in the iterator it waits in; others wait for it. Messages that had come stay, and the iterator
        goes on. Each is in ``session.recoveries``. A module that falls silent is noticed when something is asked of it: who
        only waits for messages cannot tell it from a quiet broker.

        What is sent again, and what is not:

        - Subscribing and unsubscribing are done again: twice does no harm.
        - A message that ``publish`` took to the module is never sent again. Its receipt ends once: with its result, or with
          ``ConnectionLost``, ``ModuleRestarted`` or ``PortGone``, and then it may have arrived, or not.
        - ``publish`` itself raises what went wrong, behind the recovery, and does not repeat it: only the caller knows whether
          twice would be worse than never. While the session is known to be lost, it is made again before anything is sent.
        - What others published meanwhile comes only where the broker stored it (``clean_session=False``).

        Args:
            host: the broker, as the module's network sees it.
            port: its TCP port.
            client_id: who connects.
            username: where the broker wants one.
            password: where the broker wants one.
            tls: as in ``open``.
            timeout_s: for opening, and again for connecting; by default the documented maxima.
            recover: ``True``, or a plan: what may be tried, how often and for how long.

        Raises:
            RecoveryFailed: by any call, once the attempts of the plan are used up; the session stays lost.
        """
        return Session(self, host, port, client_id, username, password, tls, timeout_s, recover)

    def __repr__(self) -> str:
        return f"Client({self.index}, {self.state}, port={self._modem.port!r})"


class Session:
    """What a client can do while it is connected; made by ``client.session(…)``."""

    def __init__(
        self,
        client: Client,
        host: str,
        port: int,
        client_id: str,
        username: str | None,
        password: str | None,
        tls: Tls | int | None,
        timeout_s: float | None,
        recover: bool | RecoveryPlan = False,
    ) -> None:
        self.client = client
        """The client that holds the session."""
        self._where = (host, port, tls)
        self._who = (client_id, username, password)
        self._timeout_s = timeout_s
        self._keeper: Keeper | None = None
        self.subscribe = client.subscribe
        self.unsubscribe = client.unsubscribe
        self.publish = client.publish
        self.publish_many = client.publish_many
        self.messages = client.messages
        self.connection_lost = client.connection_lost
        if recover:
            plan = RecoveryPlan() if recover is True else recover
            self._keeper = keeper = Keeper(client, plan, lambda: self._connect(keep_messages=True))
            self.subscribe = keeper.subscribe
            self.unsubscribe = keeper.unsubscribe
            self.publish = keeper.publish
            self.publish_many = keeper.publish_many
            self.messages = keeper.messages

    @property
    def state(self) -> str:
        """The client's state."""
        return self.client.state

    @property
    def dropped(self) -> int:
        """How many messages were dropped because nobody took them in time."""
        return self.client.dropped

    @property
    def recoveries(self) -> tuple[Recovery, ...]:
        """What was done to keep the session, oldest first; the last one may have failed. Empty without ``recover``."""
        return () if self._keeper is None else tuple(self._keeper.recoveries)

    def __enter__(self) -> Session:
        if self._keeper is None:
            self._connect()
        else:
            self._keeper.begin()
        return self

    def _connect(self, *, keep_messages: bool = False) -> None:
        host, port, tls = self._where
        self.client.open(host, port, tls, timeout_s=self._timeout_s)
        try:
            self.client._native.connect(*self._who, self._timeout_s, keep_messages)
        except BaseException:
            with contextlib.suppress(ModemrigError):
                self.client.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._keeper is not None:
            self._keeper.end()
        # A link that is gone can give nothing back; and what went wrong inside matters more than what then fails here.
        tolerated: type[Exception] = LinkError if error is None else ModemrigError
        with contextlib.suppress(tolerated):
            try:
                if self.client.state == "connected":
                    self.client.disconnect()
            except ModemrigError:
                # The connection may have been lost in the meantime: then there is nothing to end.
                if self.client.state == "connected":
                    raise
        with contextlib.suppress(tolerated):
            self.client.close()

    def __repr__(self) -> str:
        host, port, _ = self._where
        return f"Session({host!r}, {port}, client_id={self._who[0]!r}, {self.state})"


def _bytes(payload: Payload) -> bytes:
    if isinstance(payload, str):
        return payload.encode()
    try:
        # Not bytes(payload): of a number that would be so many zero bytes.
        return bytes(memoryview(payload))
    except TypeError:
        raise TypeError(f"a payload is bytes or str, not {type(payload).__name__}") from None


def _outgoing(topic: str, payload: Payload, qos: int = 0, retain: bool = False) -> tuple[str, bytes, int, bool]:
    return topic, _bytes(payload), qos, retain


def _wire(value: Any) -> Any:
    """A setting as the engine takes it."""
    if isinstance(value, Will):
        return (value.topic, _bytes(value.payload), value.qos, value.retain)
    return value
