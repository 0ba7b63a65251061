"""Facts about the states of an AT+CMQTT… module: what each forbids, what leads from one to the next, and what is said of it.

Which code a refusal carries is the matter of the codes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modemrig.conformance.answer import Differs
from modemrig.conformance.document import Command, Document
from modemrig.conformance.facts import Fact, fact_id
from modemrig.conformance.kinds.behaviour import Table
from modemrig.conformance.kinds.cmqtt import NOWHERE, Service, ServiceKind
from modemrig.conformance.kinds.kind import Breakage, Kind
from modemrig.conformance.ladder import State
from modemrig.conformance.probe import Probe
from modemrig.conformance.samples import MIXED, line, small, typed
from modemrig.conformance.verdict import Basis

START, STOP, ACQUIRE, RELEASE = "AT+CMQTTSTART", "AT+CMQTTSTOP", "AT+CMQTTACCQ", "AT+CMQTTREL"
CONNECT, DISCONNECT = "AT+CMQTTCONNECT", "AT+CMQTTDISC"
SETTINGS = ("AT+CMQTTSSLCFG", "AT+CMQTTCFG")
TYPED = (
    "AT+CMQTTWILLTOPIC",
    "AT+CMQTTWILLMSG",
    "AT+CMQTTTOPIC",
    "AT+CMQTTPAYLOAD",
    "AT+CMQTTSUBTOPIC",
    "AT+CMQTTUNSUBTOPIC",
)
REQUESTS = ("AT+CMQTTPUB", "AT+CMQTTSUB", "AT+CMQTTUNSUB")

BARE: Mapping[State, tuple[str, ...]] = {
    "started": (START, "AT+CMQTTCFG"),
    "acquired": (START,),
    "connected": (START, *SETTINGS),
}
"""What is refused with ``ERROR`` alone, by state; while the service is stopped it is everything but AT+CMQTTSTART."""
TOLD: Mapping[State, tuple[str, ...]] = {
    "started": (RELEASE, CONNECT, DISCONNECT, *TYPED, *REQUESTS),
    "acquired": (STOP, ACQUIRE, DISCONNECT, *REQUESTS),
    "connected": (STOP, ACQUIRE, RELEASE, CONNECT),
}
"""What is refused with a line that says why, then ``ERROR``, by state (decision 25)."""
SAID = "AT+CMQTTSTART"
"""Section 3.2.1 says of every command what happens while the service is stopped, of this one what happens while it runs."""


class ServiceError(Kind):
    """A command in a state that forbids it."""

    name = "service-error"
    title = "A command of the MQTT service is refused where the state of service, client or connection forbids it."

    def facts(self, document: Document) -> Iterator[Fact]:
        if document.is_qmt:
            return
        for command in document.commands:
            if command.name != START:
                for form in ("read", "write", "execute"):
                    if form in command.forms:
                        yield self._fact(document, command, "idle", form, ["ERROR"], command.basis)
            for state in ("started", "acquired", "connected"):
                form = "execute" if "execute" in command.forms else "write"
                if command.name in BARE[state]:
                    basis: Basis = "documented" if command.name == SAID else "decided"
                    yield self._fact(document, command, state, form, ["ERROR"], basis)
                if command.name in TOLD[state]:
                    fields = next(iter(command.refusal or command.result), ("err",))
                    told = f"{command.name[2:]}: {','.join(f'<{name}>' for name in fields)}"
                    yield self._fact(document, command, state, form, [told, "ERROR"], "decided")

    def _fact(
        self, document: Document, command: Command, state: State, form: str, expected: list[str], basis: Basis
    ) -> Fact:
        variant = command.variants[0]
        sent = f"{command.name}?" if form == "read" else line(command, variant)
        where = "stopped" if state == "idle" else state
        because = {
            "idle": "while the service is stopped",
            "started": "while no client is acquired" if command.name != START else "while the service runs",
            "acquired": "while the client is not connected",
            "connected": "while the client is connected",
        }[state]
        if state == "acquired" and command.name in (START, STOP, ACQUIRE):
            because = "while a client is acquired"
        with_line = "" if len(expected) == 1 else " and a line that says why"
        return Fact(
            fact_id(document.id, command.section, command.short, form, f"refused-while-{where}"),
            self.name,
            command.name,
            f"the {form} form of {command.name} is refused {because}, with ERROR{with_line}",
            basis,
            needs=() if state == "idle" else ("sim",),
            about={
                "state": state,
                "line": sent,
                "typed": None if form == "read" else typed(variant),
                "expected": expected,
            },
        )

    def check(self, probe: Probe, fact: Fact) -> None:
        probe.reach(fact.about["state"])
        sent = small(probe.fill(fact.about["line"]), MIXED)
        probe.expect(probe.ask(sent, fact.about["typed"]), fact.about["expected"])

    def breakages(self, document: Document) -> Iterator[Breakage]:
        bare = frozenset(fact.id for fact in self.facts(document) if fact.about["expected"] == ["ERROR"])
        yield Breakage("the state of the service is not minded", bare, quirks=("state_ignored",))
        if bare:
            numbered = (f"reworded:from=ERROR,to='+CME ERROR: 3',line={MIXED}+CMQTT",)
            every = frozenset(fact.id for fact in self.facts(document))
            yield Breakage("refusals have a number in place of ERROR", every, faults=numbered)


TRANSITIONS = Table("cmqtt")


@TRANSITIONS(START, "starts", "AT+CMQTTSTART starts the service: read forms answer")
def _started(service: Service) -> None:
    service.reach("started")
    service.read(RELEASE)


@TRANSITIONS(STOP, "may-start-again", "after AT+CMQTTSTOP the service can be started again")
def _again(service: Service) -> None:
    probe = service.reach("started")
    service.given(STOP)
    probe.expect(probe.ask(small(START)), ["OK", "+CMQTTSTART: 0"])


@TRANSITIONS(STOP, "after-release", "AT+CMQTTSTOP stops the service once the client is released")
def _stop_after_release(service: Service) -> None:
    probe = service.reach("acquired")
    service.given(f"{RELEASE}=0")
    probe.expect(probe.ask(small(STOP)), ["OK", "+CMQTTSTOP: 0"])


@TRANSITIONS(ACQUIRE, "shown", "an acquired client is shown with its client id and kind of server")
def _acquired(service: Service) -> None:
    probe = service.reach("started")
    service.given(f'{ACQUIRE}=0,"{probe.client_id()}",1')
    service.says(ACQUIRE, f'+CMQTTACCQ: 0,"{probe.client_id()}",1')


@TRANSITIONS(ACQUIRE, "server-type-left-out", "without server_type the client is one over TCP, 0")
def _plain(service: Service) -> None:
    probe = service.reach("started")
    service.given(f'{ACQUIRE}=0,"{probe.client_id()}"')
    service.says(ACQUIRE, f'+CMQTTACCQ: 0,"{probe.client_id()}",0')


@TRANSITIONS(RELEASE, "released", "a released client is not shown any more")
def _released(service: Service) -> None:
    service.reach("acquired")
    service.given(f"{RELEASE}=0")
    service.says(ACQUIRE)


@TRANSITIONS(RELEASE, "may-be-acquired-again", "a released client can be acquired again")
def _acquired_again(service: Service) -> None:
    probe = service.reach("acquired")
    service.given(f"{RELEASE}=0")
    probe.accept(small(f'{ACQUIRE}=0,"{probe.client_id()}"'))


@TRANSITIONS(RELEASE, "after-disconnection", "AT+CMQTTREL releases the client once it is disconnected")
def _release_after_disconnection(service: Service) -> None:
    probe = service.reach("connected")
    service.done(f"{DISCONNECT}=0,60")
    probe.accept(small(f"{RELEASE}=0"))


@TRANSITIONS(
    RELEASE, "read-form-says-nothing", "the read form of AT+CMQTTREL answers OK alone while a client is acquired"
)
def _release_read(service: Service) -> None:
    service.reach("acquired")
    service.says(RELEASE)


@TRANSITIONS(
    CONNECT, "shown-without-address", "a client that is not connected is shown without address", basis="decided"
)
def _no_address(service: Service) -> None:
    service.reach("acquired")
    service.says(CONNECT, "+CMQTTCONNECT: 0")


@TRANSITIONS(
    CONNECT, "shown", "a connection is shown with the address, keepalive_time and clean_session it was made with"
)
def _shown(service: Service) -> None:
    words = service.probe.words()
    service.join(keepalive=77, clean=1)
    expected = f'+CMQTTCONNECT: 0,"tcp://{words["host"]}:{words["port"]}",77,1{words["login"]}'
    service.says(CONNECT, expected)


@TRANSITIONS(DISCONNECT, "state-connected", "disc_state is 0 while the client is connected")
def _state_connected(service: Service) -> None:
    service.reach("connected")
    service.says(DISCONNECT, "+CMQTTDISC: 0,0")


@TRANSITIONS(DISCONNECT, "state-disconnected", "disc_state is 1 after AT+CMQTTDISC")
def _state_disconnected(service: Service) -> None:
    service.reach("connected")
    service.done(f"{DISCONNECT}=0,60")
    service.says(DISCONNECT, "+CMQTTDISC: 0,1")


@TRANSITIONS(DISCONNECT, "may-connect-again", "after AT+CMQTTDISC the client can connect again without AT+CMQTTACCQ")
def _connects_again(service: Service) -> None:
    probe = service.reach("connected")
    service.done(f"{DISCONNECT}=0,60")
    service.succeeds(small(probe.fill('AT+CMQTTCONNECT=0,"tcp://{host}:{port}",60,1{login}')))


@TRANSITIONS(CONNECT, "failure-leaves-client", "a failed connection leaves the client acquired", basis="decided")
def _failure(service: Service) -> None:
    failed = service.connect(NOWHERE)
    if failed.late == "+CMQTTCONNECT: 0,0":
        raise Differs("a failure", failed.shown())
    service.says(ACQUIRE, f'+CMQTTACCQ: 0,"{service.probe.client_id()}",0')
    service.says(DISCONNECT, "+CMQTTDISC: 0,1")


@TRANSITIONS("+CMQTTCONNLOST", "state-disconnected", "after +CMQTTCONNLOST the client is disconnected: disc_state 1")
def _lost(service: Service) -> None:
    service.reach("connected")
    service.lose()
    service.says(DISCONNECT, "+CMQTTDISC: 0,1")


@TRANSITIONS("+CMQTTCONNLOST", "client-stays", "+CMQTTCONNLOST leaves the client acquired", basis="decided")
def _lost_client(service: Service) -> None:
    service.reach("connected")
    service.lose()
    service.says(ACQUIRE, f'+CMQTTACCQ: 0,"{service.probe.client_id()}",0')


@TRANSITIONS("+CMQTTCONNLOST", "may-connect-again", "after +CMQTTCONNLOST the host connects again with AT+CMQTTCONNECT")
def _lost_connects(service: Service) -> None:
    probe = service.reach("connected")
    service.lose()
    service.succeeds(small(probe.fill('AT+CMQTTCONNECT=0,"tcp://{host}:{port}",60,1{login}')))


@TRANSITIONS("AT+CMQTTSUB", "shown", "AT+CMQTTSUB? lists the topics subscribed to")
def _subscribed(service: Service) -> None:
    service.reach("connected")
    first, second = service.topic("state/first"), service.topic("state/second")
    service.subscribe(first)
    service.subscribe(second)
    listed = service.read("AT+CMQTTSUB")
    if not {first, second} <= {text.strip('"') for text in listed}:
        raise Differs(f"{first}\n{second}", "\n".join(listed))


@TRANSITIONS("AT+CMQTTUNSUB", "not-shown", "AT+CMQTTSUB? does not list a topic unsubscribed from")
def _unsubscribed(service: Service) -> None:
    service.reach("connected")
    first, second = service.topic("state/first"), service.topic("state/second")
    service.subscribe(first)
    service.subscribe(second)
    service.unsubscribe(first)
    listed = {text.strip('"') for text in service.read("AT+CMQTTSUB")}
    if first in listed or second not in listed:
        raise Differs(second, "\n".join(sorted(listed)))


class ServiceState(ServiceKind):
    """From one state to the next."""

    name = "service-state"
    title = "A command of the MQTT service leads to the state it is for, and the read forms say so."
    rows = TRANSITIONS

    def breakages(self, document: Document) -> Iterator[Breakage]:
        for title, changes in BROKEN.items():
            keys = {key for *_, broken in changes for key in broken}
            fails = frozenset(
                fact.id for fact in self.facts(document) if f"{fact.subject} {fact.about['word']}" in keys
            )
            faults = (f"reworded:from='{told}',to='{to}',line='{line}'" for told, to, line, _ in changes)
            yield Breakage(title, fails, faults=tuple(faults))


_ACQUIRED = (f"{ACQUIRE} server-type-left-out", "+CMQTTCONNLOST client-stays", f"{CONNECT} failure-leaves-client")
_DISCONNECTED = (
    f"{DISCONNECT} state-disconnected",
    "+CMQTTCONNLOST state-disconnected",
    f"{CONNECT} failure-leaves-client",
)
BROKEN: dict[str, tuple[tuple[str, str, str, tuple[str, ...]], ...]] = {
    "what the client does is shown wrong": (
        (",77,1", ",78,1", small(f"{CONNECT}?"), (f"{CONNECT} shown",)),
        ("+CMQTTDISC: 0,0", "+CMQTTDISC: 0,1", small(f"{DISCONNECT}?"), (f"{DISCONNECT} state-connected",)),
        ('",1', '",0', small(f"{ACQUIRE}?"), (f"{ACQUIRE} shown",)),
        ("state/second", "elsewhere", small("AT+CMQTTSUB?"), ("AT+CMQTTSUB shown", "AT+CMQTTUNSUB not-shown")),
    ),
    "what the client does not do is shown": (
        ("+CMQTTDISC: 0,1", "+CMQTTDISC: 0,0", small(f"{DISCONNECT}?"), _DISCONNECTED),
        ('",0', '",1', small(f"{ACQUIRE}?"), _ACQUIRED),
    ),
    "nothing can be shown": (
        ("OK", "ERROR", small(f"{ACQUIRE}?"), (f"{ACQUIRE} shown", f"{RELEASE} released", *_ACQUIRED)),
        ("OK", "ERROR", small(f"{CONNECT}?"), (f"{CONNECT} shown", f"{CONNECT} shown-without-address")),
        ("OK", "ERROR", small(f"{RELEASE}?"), (f"{START} starts", f"{RELEASE} read-form-says-nothing")),
    ),
    "a command is refused where it should go on": (
        ("OK", "ERROR", small(START), (f"{STOP} may-start-again",)),
        ("OK", "ERROR", small(STOP), (f"{STOP} after-release",)),
        ("OK", "ERROR", small(f"{RELEASE}="), (f"{RELEASE} after-disconnection",)),
        ("OK", "ERROR", small(f"{ACQUIRE}="), (f"{RELEASE} may-be-acquired-again",)),
        ("OK", "ERROR", small(f"{CONNECT}="), (f"{DISCONNECT} may-connect-again", "+CMQTTCONNLOST may-connect-again")),
    ),
}
"""What each broken module has in other words, behind which lines, and the facts that notice."""
