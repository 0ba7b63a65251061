"""A module while one of its codes is brought about: lines, what broker and network do meanwhile, and odd servers.

Steps for the tables ``codes_qmt`` and ``codes_cmqtt``; no facts. Whatever a scene changes is put back when it ends.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any, Literal

from modemrig.clouds import Device
from modemrig.conformance.answer import Answer, Blocked, Differs
from modemrig.conformance.ladder import State
from modemrig.conformance.probe import Probe
from modemrig.hil.peer import Peer

NOBODY = "codes.invalid"
"""A name that nobody resolves (RFC 2606)."""
NONSENSE = b"\xff" * 5
"""No packet of MQTT: the length of it never ends."""
CONNACK = b"\x20\x02\x00\x00"
LENGTH = 67
"""Of topics and other texts; a number that tells their lines from others'."""
NOT_UTF8 = b"\xff" * LENGTH
AT_ONCE_S = 0.4
"""How long to wait for the answer to a line whose late result is not to come yet."""
LATE_S = 1.0
"""How late an acknowledgement comes."""
SOON_S = 5.0
"""How long a line may take that no timer delays, on a network."""
SOON_HERE_S = 2.0
"""The same where network and module are in this process."""
End = Literal["stays", "closes", "resets"]


class OddServer:
    """A server that answers the first bytes of a client with what it was given, and then stays silent, closes or resets."""

    def __init__(self, host: str, says: bytes = b"", then: End = "stays") -> None:
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._says = says
        self._then = then
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._clients: list[socket.socket] = []
        self._thread.start()

    def close(self) -> None:
        """End every connection, and the thread."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listener.close()
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._clients.append(client)
                with client, contextlib.suppress(OSError):
                    self._attend(client)

    def _attend(self, client: socket.socket) -> None:
        if client.recv(4096):
            client.sendall(self._says)
            if self._then == "resets":
                if self._says:
                    client.recv(4096)  # a reset throws away what was not read yet: the client has it when it goes on
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if self._then == "stays":
                while client.recv(4096):
                    pass


@contextlib.contextmanager
def full_port(host: str) -> Iterator[int]:
    """A port that answers nothing, not even a wish for a connection: as many wait there as may."""
    with socket.create_server((host, 0), backlog=0) as listener, contextlib.ExitStack() as waiting:
        port: int = listener.getsockname()[1]
        for _ in range(4):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect((host, port))
        yield port


def closed_port(host: str) -> int:
    """A port nobody listens on."""
    with socket.create_server((host, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


class Scene:
    """What a script of ``codes_*`` acts with."""

    def __init__(self, probe: Probe, owned: contextlib.ExitStack, name: str = "codes", number: int = LENGTH) -> None:
        self.probe = probe
        self.broker = probe.broker
        self.name = f"{probe.place.prefix}{name}"
        """The client id: another than elsewhere, so that a transcript tells whose line it is."""
        self.number = number
        """A time in seconds that tells lines without the client id from others'."""
        self.topic = probe.topic("codes").ljust(LENGTH, "s")
        self.since = probe.now()
        """From when on the code counts; before, others may come that are the same."""
        self.owned = owned

    @property
    def soon_s(self) -> float:
        """How long a line may take that no timer delays."""
        return SOON_HERE_S if self.probe.place.slot.is_virtual else SOON_S

    # -- lines ---------------------------------------------------------------------------------------------------------

    def say(self, line: str, typed: bytes | None = None, *, at_once: bool = False) -> Answer:
        """Write a line and what is typed at its prompt; ``at_once`` does not wait for a late result."""
        return self.probe.ask(line, typed, AT_ONCE_S if at_once else None)

    def given(self, line: str, typed: bytes | None = None) -> Answer:
        """A line that must be taken before the code can come.

        Raises:
            Blocked: it is not.
        """
        answer = self.say(line, typed)
        if answer.final != "OK":
            raise Blocked(f"{answer.sent} was answered {answer.shown()!r}")
        return answer

    def reach(self, state: State) -> Scene:
        """Bring the client to a state with the probe's own lines."""
        self.probe.reach(state)
        return self

    @property
    def login(self) -> str:
        """User name and password of the rig's broker, as they follow in a line."""
        return str(self.probe.words()["login"])

    # -- what the far side does ----------------------------------------------------------------------------------------

    def odd(self, says: bytes = b"", then: End = "stays") -> int:
        """The port of a server that does what no broker does."""
        server = OddServer(self.broker.host, says, then)
        self.owned.callback(server.close)
        return server.port

    def silent(self) -> int:
        """A port that answers nothing."""
        return self.owned.enter_context(full_port(self.broker.host))

    def refused_with(self, code: int) -> Scene:
        """The broker answers CONNECT with this code."""
        self.probe.bench_broker.refuse_with(code)
        self.owned.callback(self.probe.bench_broker.refuse_with, None)
        return self

    def users(self) -> Scene:
        """The broker lets in one user, and nobody else."""
        self.probe.bench_broker.set_users({"somebody": "right"})
        self.owned.callback(self.probe.bench_broker.set_users, None)
        return self

    def loses(self, kind: str) -> Scene:
        """The broker never sends these acknowledgements to the client."""
        self.probe.bench_broker.lose(kind, client_id=self.name)
        self.owned.callback(self.probe.bench_broker.behave)
        return self

    def delays(self, kind: str) -> Scene:
        """The broker sends these acknowledgements to the client late."""
        self.probe.bench_broker.delay(kind, LATE_S * self.probe.speed, client_id=self.name)
        self.owned.callback(self.probe.bench_broker.behave)
        return self

    def heard(self, pattern: str) -> None:
        """Wait for a line that need not come."""
        with contextlib.suppress(Differs):
            self.probe.await_line(pattern, LATE_S * 3)

    def refuses_topic(self) -> Scene:
        """The broker refuses a subscription to the topic."""
        self.probe.bench_broker.refuse_filters([self.topic])
        self.owned.callback(self.probe.bench_broker.refuse_filters, [])
        return self

    def same_id(self) -> Scene:
        """Somebody else comes with the same client id; the broker closes the first connection."""
        self.probe.moved()
        with Peer(self.broker, self.name):
            pass
        return self

    def plays(self, device: Device) -> Scene:
        """The broker is the platform of this device, meanwhile."""
        self.owned.enter_context(self.broker.playing(device))
        return self

    # -- around the module ---------------------------------------------------------------------------------------------

    def around(self, **changes: Any) -> Scene:
        """Change what is around a virtual module."""
        module = self.probe.module
        before = {name: getattr(module.conditions, name) for name in changes}
        self.probe.moved()
        module.set_conditions(**changes)
        self.owned.callback(lambda: module.set_conditions(**before))
        return self

    def unwritable(self) -> Scene:
        """The socket of the virtual module refuses what it writes, from now on."""
        self.probe.moved()
        self.owned.enter_context(self.probe.fault("link_cut:how=refusal,direction=out"))
        return self

    def unsent(self, how: str) -> Scene:
        """What the virtual module writes from now on its socket refuses, or keeps."""
        self.probe.moved()
        self.owned.enter_context(self.probe.fault(f"unsent:how={how}"))
        return self

    def numbered(self) -> Scene:
        """Errors have numbers (``AT+CMEE=1``)."""
        before = next((line for line in self.say("AT+CMEE?").lines if line.startswith("+CMEE:")), "+CMEE: 0")
        self.given("AT+CMEE=1")
        self.owned.callback(self.say, f"AT+CMEE={before.rpartition(':')[2].strip()}")
        return self
