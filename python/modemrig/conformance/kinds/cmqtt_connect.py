"""Facts about how an AT+CMQTT… module connects: names, keep-alive, kind of session, address, TLS, and the will."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from modemrig.conformance.answer import Blocked, Differs
from modemrig.conformance.document import Document
from modemrig.conformance.kinds.behaviour import Table
from modemrig.conformance.kinds.cmqtt import Service, ServiceKind
from modemrig.conformance.kinds.kind import Breakage
from modemrig.conformance.probe import HEARD_WITHIN_S
from modemrig.hil.peer import Peer
from modemrig.hil.wire import split_fields

SEEN = ("sim", "broker_control")
"""Packets are seen in the bench broker's record."""
LOOPBACK = f"127.{random.randrange(1, 255)}.{random.randrange(1, 255)}.{random.randrange(1, 255)}"
"""An address of this machine where nobody else listens on the standard port."""
STANDARD_PORT = 1883

ODD_KEEPALIVE = 4321
KEEPALIVES = (1, 600, 64800)
"""Seconds."""
CONNECTS = Table("cmqtt")

# -- CONNECT ---------------------------------------------------------------------------------------------------------------


@CONNECTS("AT+CMQTTACCQ", "client-id", "the client id of AT+CMQTTACCQ is the one in CONNECT", needs=SEEN)
def _client_id(service: Service) -> None:
    _named(service, f"{service.probe.client_id()}-named")


@CONNECTS("AT+CMQTTACCQ", "longest-client-id", "a client id of the greatest length goes out whole", needs=SEEN)
def _longest_client_id(service: Service) -> None:
    command = service.probe.document.command("AT+CMQTTACCQ")
    assert command is not None
    _named(service, service.probe.client_id().ljust(command.params["clientid"].max_len or 0, "x"))


def _named(service: Service, name: str) -> None:
    """A client acquired with this name connects with it."""
    service.join(acquire=f'AT+CMQTTACCQ=0,"{name}"')
    packets = service.probe.bench_broker.record()[service.mark :]
    if name not in (rows := [row["client_id"] for row in packets if row.kind == "CONNECT"]):
        raise Differs(name, "\n".join(rows))


@CONNECTS("AT+CMQTTACCQ", "plain", "a client of server_type 0 speaks MQTT over TCP", needs=SEEN)
def _plain(service: Service) -> None:
    service.join(acquire=service.probe.fill('AT+CMQTTACCQ=0,"{client_id}",0'))
    service.packet("CONNECT")


@CONNECTS("AT+CMQTTACCQ", "tls", "a client of server_type 1 speaks MQTT over TLS", needs=("sim", "tls"))
def _tls(service: Service) -> None:
    probe = service.reach("started")
    service.given(probe.fill('AT+CMQTTACCQ=0,"{client_id}",1'))
    words = probe.words()
    service.succeeds(
        f'AT+CMQTTCONNECT=0,"tcp://{words["host"]}:{probe.broker.tls_port}",{ODD_KEEPALIVE},1{words["login"]}'
    )


@CONNECTS("AT+CMQTTACCQ", "tls-only", "a client of server_type 1 does not speak MQTT over TCP", needs=SEEN)
def _tls_only(service: Service) -> None:
    answer = service.connect(acquire=service.probe.fill('AT+CMQTTACCQ=0,"{client_id}",1'))
    if answer.late == "+CMQTTCONNECT: 0,0" or service.packets("CONNECT"):
        raise Differs("no connection without TLS", answer.shown())


@CONNECTS("AT+CMQTTCONNECT", "level", "the client speaks MQTT 3.1.1", basis="decided", needs=SEEN)
def _level(service: Service) -> None:
    service.join()
    service.carries("CONNECT", level=4)


def _keepalive(seconds: int) -> None:
    @CONNECTS(
        "AT+CMQTTCONNECT", f"keep-alive-{seconds}", f"keepalive_time {seconds} is the keep-alive in CONNECT", needs=SEEN
    )
    def _(service: Service) -> None:
        service.join(keepalive=seconds)
        service.carries("CONNECT", keep_alive=seconds)


for _seconds in KEEPALIVES:
    _keepalive(_seconds)


def _clean(value: int) -> None:
    @CONNECTS("AT+CMQTTCONNECT", f"clean-session-{value}", f"clean_session {value} is the flag in CONNECT", needs=SEEN)
    def _(service: Service) -> None:
        try:
            service.join(clean=value)
            service.carries("CONNECT", clean_session=value == 1)
        finally:
            if not value:
                service.probe.settle()
                with Peer(service.probe.broker, service.probe.client_id()):
                    pass  # a clean session takes the place of the stored one


for _value in (0, 1):
    _clean(_value)


@CONNECTS("AT+CMQTTCONNECT", "user-name", "user name and password go out in CONNECT", needs=SEEN)
def _user(service: Service) -> None:
    service.join(login=',"somebody","secret"', acquire=service.named("-user"))
    service.carries("CONNECT", username="somebody", has_password=True)


@CONNECTS("AT+CMQTTCONNECT", "user-name-alone", "a user name may go out without a password", needs=SEEN)
def _user_alone(service: Service) -> None:
    service.join(login=',"somebody"', acquire=service.named("-user"))
    service.carries("CONNECT", username="somebody", has_password=False)


@CONNECTS("AT+CMQTTCONNECT", "no-user-name", "without user name and password neither goes out", needs=SEEN)
def _nobody(service: Service) -> None:
    service.join(login="", acquire=service.named("-user"))
    service.carries("CONNECT", username=None, has_password=False)


def _longest_name(param: str, word: str) -> None:
    @CONNECTS(
        "AT+CMQTTCONNECT", word, f"a {param} of the greatest length is the one that the server checks", needs=SEEN
    )
    def _(service: Service) -> None:
        probe = service.probe
        command = probe.document.command("AT+CMQTTCONNECT")
        assert command is not None
        # Not both: the line would be longer than a line may be.
        names = {"user_name": "somebody", "pass_word": "secret"}
        names[param] = "n" * (command.params[param].max_len or 0)
        user, password = names.values()
        try:
            probe.bench_broker.set_users({user: password})
            answer = service.connect(login=f',"{user}","{password}"', acquire=service.named("-user"))
        finally:
            probe.bench_broker.set_users(None)
        if answer.is_refused and not answer.late:
            raise Blocked(f"a {param} of that length is not taken: {answer.shown()!r}")
        if answer.late != "+CMQTTCONNECT: 0,0":
            raise Differs("OK\n+CMQTTCONNECT: 0,0", answer.shown())


_longest_name("user_name", "longest-user-name")
_longest_name("pass_word", "longest-password")


@CONNECTS("AT+CMQTTCONNECT", "password", "the password is the one the server checks: another is refused", needs=SEEN)
def _password(service: Service) -> None:
    probe = service.probe
    try:
        probe.bench_broker.set_users({"somebody": "right"})
        answer = service.connect(login=',"somebody","wrong"', acquire=service.named("-user"))
        if answer.late == "+CMQTTCONNECT: 0,0":
            raise Differs("a refusal", answer.shown())
        service.succeeds(probe.fill('AT+CMQTTCONNECT=0,"tcp://{host}:{port}",60,1,"somebody","right"'))
    finally:
        probe.bench_broker.set_users(None)


def _returns(service: Service, clean: int) -> list[str]:
    """Topics of what a client gets that was published while it was away."""
    probe = service.probe
    connect = f'AT+CMQTTCONNECT=0,"tcp://{{host}}:{{port}}",60,{clean}{{login}}'
    try:
        service.join(clean=clean)
        topic = service.topic("away")
        service.subscribe(topic, 1)
        service.done("AT+CMQTTDISC=0,60")
        probe.peer.publish(topic, b"while you were away", 1)
        since = probe.now()
        service.done(probe.fill(connect))
        # A message behind it shows that everything before it has come.
        last = service.topic("last")
        service.subscribe(last, 1)
        probe.peer.publish(last, b"last", 1)
        probe.await_line("last", since=since)
        return probe.heard(since)
    finally:
        probe.settle()
        with Peer(probe.broker, probe.client_id()):
            pass  # a clean session takes the place of the stored one


@CONNECTS(
    "AT+CMQTTCONNECT",
    "session-kept",
    "with clean_session 0 a message published meanwhile comes after the next connection",
)
def _session_kept(service: Service) -> None:
    if "while you were away" not in (heard := _returns(service, 0)):
        raise Differs("while you were away", "\n".join(heard))


@CONNECTS("AT+CMQTTCONNECT", "session-forgotten", "with clean_session 1 nothing comes of what was published meanwhile")
def _session_forgotten(service: Service) -> None:
    if "while you were away" in (heard := _returns(service, 1)):
        raise Differs("no message of before", "\n".join(heard))


@CONNECTS(
    "AT+CMQTTCONNECT",
    "default-port",
    "an address without a port means port 1883",
    needs=("sim", "broker_control", "conditions"),
)
def _default_port(service: Service) -> None:
    probe = service.reach("acquired")
    try:
        listening = socket.create_server((LOOPBACK, STANDARD_PORT))
    except OSError as error:
        raise Blocked(f"port {STANDARD_PORT} of {LOOPBACK} is not free: {error.strerror}") from None
    with listening, ThreadPoolExecutor(1) as pool:
        listening.settimeout(HEARD_WITHIN_S)
        # It closes without a word, so that AT+CMQTTCONNECT fails at once.
        came = pool.submit(lambda: listening.accept()[0].close())
        answer = probe.ask(f'AT+CMQTTCONNECT=0,"tcp://{LOOPBACK}",60,1')
    if came.exception() is not None:
        raise Differs(f"a connection to port {STANDARD_PORT}", answer.shown())


@CONNECTS("AT+CMQTTCONNECT", "scheme", "an address must begin with tcp://")
def _scheme(service: Service) -> None:
    probe = service.reach("acquired")
    words = probe.words()
    answer = probe.ask(f'AT+CMQTTCONNECT=0,"{words["host"]}:{words["port"]}",60,1')
    if answer.late == "+CMQTTCONNECT: 0,0":
        raise Differs("a refusal", answer.shown())


@CONNECTS("AT+CMQTTDISC", "timeout-left-out", "the time-out of AT+CMQTTDISC may be left out", basis="decided")
def _no_timeout(service: Service) -> None:
    service.reach("connected")
    service.succeeds("AT+CMQTTDISC=0")


@CONNECTS(
    "AT+CMQTTSSLCFG",
    "left-out",
    "without AT+CMQTTSSLCFG the TLS context with the number of the client is used, 0",
    needs=("sim", "tls"),
)
def _default_context(service: Service) -> None:
    probe = service.reach("started")
    found = [split_fields(line.partition(": ")[2]) for line in service.read("AT+CSSLCFG")]
    service.given(probe.fill('AT+CMQTTACCQ=0,"{client_id}",1'))
    try:
        service.given('AT+CSSLCFG="authmode",0,0')
        # With this the other context cannot be used: it would check the server, and there is nothing to do so with.
        service.given('AT+CSSLCFG="authmode",1,1')
        service.given('AT+CSSLCFG="cacert",1,"no-such-file.pem"')
        words = probe.words()
        service.succeeds(
            f'AT+CMQTTCONNECT=0,"tcp://{words["host"]}:{probe.broker.tls_port}",{ODD_KEEPALIVE},1{words["login"]}'
        )
    finally:
        for context, _, authmode, _, cacert, *_ in found:
            probe.ask(f'AT+CSSLCFG="authmode",{context},{authmode}')
            probe.ask(f'AT+CSSLCFG="cacert",{context},{cacert}')


@CONNECTS(
    "AT+CMQTTCONNECT",
    "same-client-id",
    "another client with the same client id ends the connection",
    basis="inherited",
)
def _same(service: Service) -> None:
    service.reach("connected")
    service.lose()


# -- the will --------------------------------------------------------------------------------------------------------------


def _will(qos: int) -> None:
    @CONNECTS(
        "AT+CMQTTWILLMSG",
        f"quality-{qos}",
        f"topic, message and quality {qos} of the will go out in CONNECT",
        needs=SEEN,
    )
    def _(service: Service) -> None:
        service.reach("acquired")
        service.enter("AT+CMQTTWILLTOPIC", service.topic("will"))
        service.enter("AT+CMQTTWILLMSG", b"gone", qos)
        service.done(service.probe.fill('AT+CMQTTCONNECT=0,"tcp://{host}:{port}",60,1{login}'))
        service.carries("CONNECT", will_topic=service.topic("will"), will_payload=b"gone", will_qos=qos)


for _qos in (0, 1, 2):
    _will(_qos)


@CONNECTS("AT+CMQTTWILLMSG", "not-retained", "the will is not retained", basis="decided", needs=SEEN)
def _will_retained(service: Service) -> None:
    service.reach("acquired")
    service.enter("AT+CMQTTWILLTOPIC", service.topic("will"))
    service.enter("AT+CMQTTWILLMSG", b"gone", 1)
    service.done(service.probe.fill('AT+CMQTTCONNECT=0,"tcp://{host}:{port}",60,1{login}'))
    service.carries("CONNECT", will_retain=False)


@CONNECTS("AT+CMQTTWILLTOPIC", "no-will", "a topic without a message is no will", basis="decided", needs=SEEN)
def _half_will(service: Service) -> None:
    service.reach("acquired")
    service.enter("AT+CMQTTWILLTOPIC", service.topic("will"))
    service.done(service.probe.fill('AT+CMQTTCONNECT=0,"tcp://{host}:{port}",60,1{login}'))
    service.carries("CONNECT", will_topic=None)


@CONNECTS("AT+CMQTTWILLMSG", "published", "the will is published when the connection is lost")
def _published(service: Service) -> None:
    probe = service.reach("acquired")
    topic = service.topic("will")
    probe.peer.subscribe([topic])
    service.enter("AT+CMQTTWILLTOPIC", topic)
    service.enter("AT+CMQTTWILLMSG", b"gone", 1)
    service.done(probe.fill('AT+CMQTTCONNECT=0,"tcp://{host}:{port}",60,1{login}'))
    service.lose()
    service.arrives(topic, b"gone")


@CONNECTS("AT+CMQTTWILLMSG", "longest", "a will of the greatest lengths goes out whole", needs=SEEN)
def _longest_will(service: Service) -> None:
    probe = service.reach("acquired")
    topic = service.topic("will").ljust(service.longest("AT+CMQTTWILLTOPIC"), "t")
    message = b"m" * service.longest("AT+CMQTTWILLMSG")
    service.enter("AT+CMQTTWILLTOPIC", topic)
    service.enter("AT+CMQTTWILLMSG", message, 1)
    service.done(probe.fill('AT+CMQTTCONNECT=0,"tcp://{host}:{port}",60,1{login}'))
    service.carries("CONNECT", will_topic=topic, will_payload=message)


class ServiceConnect(ServiceKind):
    """How it connects."""

    name = "service-connect"
    title = "The MQTT service connects as it is told: names, keep-alive, kind of session, address, TLS, and the will."
    rows = CONNECTS

    def breakages(self, document: Document) -> Iterator[Breakage]:
        for title, faults in BROKEN.items():
            words = {word for words in faults.values() for word in words}
            yield Breakage(title, self.ids(document, *words), faults=tuple(faults))


def _changed(field: str, value: object, client_id: str = "") -> str:
    return f"packet_changed:field=connect.{field},value={value}{f',topic={client_id}' if client_id else ''}"


_NAMES = ("user-name", "user-name-alone", "no-user-name", "longest-user-name", "longest-password", "password")
_WILLS = ("quality-0", "quality-1", "quality-2", "not-retained", "published", "longest")
BROKEN: dict[str, dict[str, tuple[str, ...]]] = {
    "no will goes out, and another client id and keep-alive": {
        _changed("will", 0): _WILLS,
        _changed("keep_alive", 100): tuple(f"keep-alive-{seconds}" for seconds in KEEPALIVES),
        _changed("client_id", "other", "-named"): ("client-id",),
        _changed("client_id", "other", "xxxx"): ("longest-client-id",),
    },
    "the will is retained, every session begins clean, and another user comes with MQTT 3.1": {
        _changed("will_retain", 1): ("not-retained",),
        _changed("clean_session", 1): ("clean-session-0", "session-kept"),
        _changed("username", "nobody", "-user"): _NAMES,
        _changed("level", 3): ("level",),
    },
    # No other check connects with this keep-alive.
    "connections over TLS are refused": {f"reworded:from=OK,to=ERROR,line=',{ODD_KEEPALIVE},1'": ("tls", "left-out")},
}
"""What each broken module does, and the facts that notice."""
