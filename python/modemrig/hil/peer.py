"""The device at the far side of the broker: a real MQTT client of a well-kept library (paho-mqtt)."""

from __future__ import annotations

import queue
import threading
import time
from types import TracebackType
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from modemrig.hil.brokers import RigBroker

WITHIN_S = 10.0


class Peer:
    """Publishes and listens on the rig's broker, as another device would."""

    def __init__(self, broker: RigBroker, client_id: str) -> None:
        self.broker = broker
        self.received: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._subscribed: queue.Queue[tuple[int, list[bool]]] = queue.Queue()
        self._connected = threading.Event()
        self._reason: Any = None
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv311)
        if broker.user is not None:
            self._client.username_pw_set(broker.user, broker.password)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe

    def __enter__(self) -> Peer:
        address = f"{self.broker.peer_host}:{self.broker.port}"
        try:
            # The bench broker of a rig with a speed would find our pings late.
            keepalive = 60 if self.broker.bench is None else 0
            self._client.connect(self.broker.peer_host, self.broker.port, keepalive=keepalive)
        except OSError as error:
            raise ConnectionError(f"this machine does not reach {address}: {error.strerror or error}") from error
        self._client.loop_start()
        if not self._connected.wait(WITHIN_S) or self._reason != 0:
            self.__exit__(None, None, None)
            raise ConnectionError(f"{address} does not accept this machine as a client: {self._reason or 'no answer'}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def subscribe(self, topics: list[str]) -> None:
        """Listen to these topics; returns once the broker agreed."""
        if not topics:
            return
        result, mid = self._client.subscribe([(topic, 2) for topic in topics])
        if result != paho.MQTT_ERR_SUCCESS or mid is None:
            raise ConnectionError(f"the peer cannot subscribe: {paho.error_string(result)}")
        answered = None
        while answered != mid:
            try:
                answered, refused = self._subscribed.get(timeout=WITHIN_S)
            except queue.Empty:
                raise TimeoutError(f"the broker did not answer the peer's subscription to {topics}") from None
        if any(refused):
            raise ConnectionError(f"the broker refuses the peer's subscription to {topics}")

    def drain(self) -> None:
        """Forget what was received so far."""
        while not self.received.empty():
            self.received.get_nowait()

    def publish(self, topic: str, payload: bytes, qos: int = 0, retain: bool = False) -> None:
        """Publish and wait until the broker has it."""
        sent = self._client.publish(topic, payload, qos=qos, retain=retain)
        sent.wait_for_publish(WITHIN_S)
        if not sent.is_published():
            raise TimeoutError(f"the broker did not take what the peer published to {topic!r}")

    def expect(self, topic: str, payload: bytes, where: str) -> None:
        """Wait until exactly this arrives; what arrives before it is shown if it does not, and where in the test that was.

        Raises:
            AssertionError: it did not arrive in time.
        """
        deadline = time.monotonic() + WITHIN_S
        seen: list[tuple[str, bytes]] = []
        while True:
            try:
                got = self.received.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(
                    f"{where}\n  what the module published did not arrive at the other client within {WITHIN_S:g} s\n"
                    f"  expected  {topic!r} {payload!r}\n  arrived   {seen or 'nothing'}"
                ) from None
            if got == (topic, payload):
                return
            seen.append(got)

    def forget(self, topics: list[str], client_ids: list[str]) -> None:
        """Clear retained messages of these topics and stored sessions of these clients."""
        for topic in topics:
            self.publish(topic, b"", qos=1, retain=True)
        for client_id in client_ids:
            with Peer(self.broker, client_id):
                pass  # a clean session takes the place of the stored one

    def _on_connect(self, _client: Any, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._reason = reason
        self._connected.set()

    def _on_message(self, _client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        self.received.put((message.topic, bytes(message.payload)))

    def _on_subscribe(self, _client: Any, _userdata: Any, mid: int, codes: Any, _properties: Any) -> None:
        self._subscribed.put((mid, [code.is_failure for code in codes]))
