"""Facts about what a command of an AT+CMQTT… module answers, in which order, and what it takes at its prompt."""

from __future__ import annotations

from collections.abc import Iterator

from modemrig.conformance.answer import Answer, Differs
from modemrig.conformance.document import Document
from modemrig.conformance.facts import Fact, fact_id
from modemrig.conformance.kinds.behaviour import Table
from modemrig.conformance.kinds.cmqtt import NOWHERE, Service, ServiceKind
from modemrig.conformance.kinds.kind import Breakage, Kind
from modemrig.conformance.ladder import State
from modemrig.conformance.probe import Probe
from modemrig.conformance.samples import MIXED, line, ready, small, typed
from modemrig.hil.wire import same

RESULT_FIRST = ("AT+CMQTTDISC",)
"""The document prints the result of these before ``OK``, too."""


class ServiceResult(Kind):
    """Prompt, ``OK``, late result."""

    name = "service-result"
    title = (
        "A command of the MQTT service that goes well is answered with what is printed, in this order, each line once."
    )

    def facts(self, document: Document) -> Iterator[Fact]:
        if document.is_qmt:
            return
        for command in document.commands:
            for variant in command.variants:
                lines = [">"] if variant.payload_length else []
                lines.append("OK")
                if command.result:
                    values = ["{client}"] * (len(command.result[0]) - 1) + ["0"]
                    lines.append(f"{command.name[2:]}: {','.join(values)}")
                order = ", then ".join(f"{'the prompt' if each == '>' else each.format(client=0)}" for each in lines)
                yield Fact(
                    fact_id(document.id, variant.section, command.short, variant.key, "answer"),
                    self.name,
                    command.name,
                    f"{command.name}{f' ({variant.key})' if len(command.variants) > 1 else ''} is answered {order}",
                    variant.basis if variant.key != "staged" else "decided",
                    needs=("sim",),
                    about={
                        "variant": variant.key,
                        "line": line(command, variant),
                        "typed": typed(variant),
                        "expected": lines,
                    },
                )

    def check(self, probe: Probe, fact: Fact) -> None:
        command = probe.document.command(fact.subject)
        assert command is not None
        ready(probe, command, command.variant(fact.about["variant"]))
        expected = [probe.fill(each) for each in fact.about["expected"]]
        since = probe.now()
        answer = probe.ask(small(probe.fill(fact.about["line"]), MIXED), fact.about["typed"])
        if not (fact.subject in RESULT_FIRST and _alike(answer, expected[::-1])):
            probe.expect(answer, expected)
        # The next answer comes behind whatever there is more of this one.
        probe.ask("AT")
        heard = [each for each in probe.heard(since) if each == "OK" or each.startswith(f"{fact.subject[2:]}:")]
        if heard != [*(each for each in answer.lines if each != ">"), "OK"]:
            raise Differs("\n".join([*expected, "OK"]), "\n".join(heard))

    def breakages(self, document: Document) -> Iterator[Breakage]:
        facts = list(self.facts(document))
        if facts:
            every = frozenset(fact.id for fact in facts)
            yield Breakage("every OK comes twice", every, faults=(f"doubled:text=OK,line={MIXED}+CMQTT",))
            late = [fact for fact in facts if fact.about["expected"][-1] != "OK"]
            results = frozenset(fact.id for fact in late)
            yield Breakage("every late result comes twice", results, faults=tuple(map(_doubled, late)))


def _doubled(fact: Fact) -> str:
    """The fault that has its late result come twice."""
    return f"doubled:text='{fact.about['expected'][-1].format(client=0)}',line={small(fact.subject, MIXED)}"


def _alike(answer: Answer, expected: list[str]) -> bool:
    return len(expected) == len(answer.lines) and all(map(same, expected, answer.lines))


AWKWARD = b"a\r\nAT\r\n\x1a\x1b> OK\r\n"
"""Text with everything in it that ends a line, or input elsewhere."""
TAME = b"AT> OK/ERROR/and-then-some/"
"""The same for topics, where control characters are unwelcome (MQTT 3.1.1, 1.5.3)."""
NOT_UTF8 = b"\xff\xfe\x80 is no UTF-8 at all"
CHARACTERS = "ä€😀" * 3 + "€"


TAKES = "takes-what-was-announced"
PROMPTS = Table("cmqtt")


def _counted(command: str, *more: int, state: State = "acquired") -> None:
    """The prompt of this command takes exactly as many bytes as were announced, whatever they are."""

    @PROMPTS(command, TAKES, f"{command} takes exactly as many bytes as were announced")
    def _(service: Service) -> None:
        probe = service.reach(state)
        probe.accept(",".join([f"{command}=0", str(len(TAME)), *map(str, more)]), TAME)
        probe.expect(probe.ask("AT"), ["OK"])


_counted("AT+CMQTTWILLTOPIC")
_counted("AT+CMQTTTOPIC")
_counted("AT+CMQTTSUB", 1, state="connected")
_counted("AT+CMQTTUNSUB", 0, state="connected")


@PROMPTS(
    "AT+CMQTTWILLMSG",
    "control-characters",
    "a will may hold line ends, Ctrl-Z and Esc",
    needs=("sim", "broker_control"),
)
def _awkward_will(service: Service) -> None:
    probe = service.reach("acquired")
    service.enter("AT+CMQTTWILLTOPIC", service.topic("will"))
    probe.accept(f"AT+CMQTTWILLMSG=0,{len(AWKWARD)},1", AWKWARD)
    service.done(probe.fill('AT+CMQTTCONNECT=0,"tcp://{host}:{port}",60,1{login}'))
    with probe.given():
        service.carries("CONNECT", will_topic=service.topic("will"))
    service.carries("CONNECT", will_payload=AWKWARD)


@PROMPTS("AT+CMQTTPAYLOAD", "control-characters", "a payload may hold line ends, Ctrl-Z and Esc")
def _awkward_payload(service: Service) -> None:
    probe = service.reach("connected")
    topic = service.topic()
    probe.peer.subscribe([topic])
    service.enter("AT+CMQTTTOPIC", topic)
    probe.accept(f"AT+CMQTTPAYLOAD=0,{len(AWKWARD)}", AWKWARD)
    service.done("AT+CMQTTPUB=0,1,60")
    service.arrives(topic, AWKWARD)


@PROMPTS("AT+CMQTTPAYLOAD", "any-bytes", "with checkUTF8 0 a payload may hold any byte; it arrives as it was typed")
def _any_bytes(service: Service) -> None:
    probe = service.reach("acquired")
    service.given('AT+CMQTTCFG="checkUTF8",0,0')
    service.done(probe.fill('AT+CMQTTCONNECT=0,"tcp://{host}:{port}",60,1{login}'))
    topic, payload = service.topic(), bytes(range(256))
    probe.peer.subscribe([topic])
    service.enter("AT+CMQTTTOPIC", topic)
    probe.accept(f"AT+CMQTTPAYLOAD=0,{len(payload)}", payload)
    service.done("AT+CMQTTPUB=0,1,60")
    service.arrives(topic, payload)


TEXTS = {
    "AT+CMQTTWILLTOPIC": (),
    "AT+CMQTTWILLMSG": (1,),
    "AT+CMQTTTOPIC": (),
    "AT+CMQTTPAYLOAD": (),
}
"""What is typed and must be UTF-8, with the parameters behind the length."""


def _text(command: str, more: tuple[int, ...]) -> None:
    @PROMPTS(command, "counts-bytes", f"the length of {command} counts bytes of UTF-8, not characters")
    def _(service: Service) -> None:
        probe = service.reach("acquired")
        content = CHARACTERS.encode()
        probe.accept(",".join([f"{command}=0", str(len(content)), *map(str, more)]), content)
        probe.expect(probe.ask("AT"), ["OK"])

    @PROMPTS(command, "not-utf8", f"{command} refuses what is no UTF-8 while checkUTF8 is 1, as it is by default")
    def _(service: Service) -> None:
        probe = service.reach("acquired")
        line = ",".join([f"{command}=0", str(len(NOT_UTF8)), *map(str, more)])
        answer = probe.ask(line, NOT_UTF8)
        if not answer.is_refused:
            raise Differs("ERROR", answer.shown())


for _command, _more in TEXTS.items():
    _text(_command, _more)


@PROMPTS("AT+CMQTTCFG", "check-off", "with checkUTF8 0 a payload need not be UTF-8")
def _check_off(service: Service) -> None:
    probe = service.reach("acquired")
    service.given('AT+CMQTTCFG="checkUTF8",0,0')
    probe.accept(f"AT+CMQTTPAYLOAD=0,{len(NOT_UTF8)}", NOT_UTF8)


@PROMPTS("AT+CMQTTCFG", "check-on", "with checkUTF8 1 again a payload must be UTF-8")
def _check_on(service: Service) -> None:
    probe = service.reach("acquired")
    service.given('AT+CMQTTCFG="checkUTF8",0,0')
    service.given('AT+CMQTTCFG="checkUTF8",0,1')
    answer = probe.ask(f"AT+CMQTTPAYLOAD=0,{len(NOT_UTF8)}", NOT_UTF8)
    if not answer.is_refused:
        raise Differs("ERROR", answer.shown())


class ServicePrompt(ServiceKind):
    """What is typed."""

    name = "service-prompt"
    title = (
        "At a prompt of the MQTT service exactly the announced bytes are taken; text must be UTF-8 where that is set."
    )
    rows = PROMPTS

    def breakages(self, document: Document) -> Iterator[Breakage]:
        ids = self.ids(document, "control-characters", "any-bytes")
        yield Breakage("Ctrl-Z ends what is typed", ids, quirks=("ctrl_z_ends_input",))
        # The lengths are such that no other check types as much.
        wrong, right, tame = len(NOT_UTF8), len(CHARACTERS.encode()), len(TAME)
        for title, length, told, to, words in (
            ("what is no UTF-8 is taken", wrong, "ERROR", "OK", ("not-utf8", "check-on")),
            ("what is no UTF-8 is always refused", wrong, "OK", "ERROR", ("check-off",)),
            ("text of many bytes is refused", right, "OK", "ERROR", ("counts-bytes",)),
            ("what was typed is refused", tame, "OK", "ERROR", (TAKES,)),
        ):
            faults = (f"reworded:from={told},to={to},line='=0,{length}'",)
            yield Breakage(title, self.ids(document, *words), faults=faults)


FAILURES = Table("cmqtt")


@FAILURES("AT+CMQTTCONNECT", "failure-orders", "a connection that fails is answered in one of the five printed orders")
def _failure_orders(service: Service) -> None:
    answer = service.connect(NOWHERE)
    told = "+CMQTTCONNECT: 0,<err>"
    orders = (["OK", told], ["ERROR", told], [told, "ERROR"], ["ERROR"])
    if answer.late == "+CMQTTCONNECT: 0,0" or not any(_alike(answer, order) for order in orders):
        raise Differs("\nor\n".join("\n".join(order) for order in orders), answer.shown())


@FAILURES(
    "AT+CMQTTCONNECT",
    "fails-behind-ok",
    "a connection that fails on the network is answered OK, then the result",
    basis="decided",
)
def _failure_order(service: Service) -> None:
    answer = service.connect(NOWHERE)
    service.probe.expect(answer, ["OK", "+CMQTTCONNECT: 0,<err>"])


class ServiceFailure(ServiceKind):
    """Commands that fail."""

    name = "service-failure"
    title = "A command of the MQTT service that fails on the network is answered in a printed order."
    rows = FAILURES

    def breakages(self, document: Document) -> Iterator[Breakage]:
        yield Breakage(
            "the result of a connection that failed has one field more",
            self.ids(document),
            faults=("reworded:from='+CMQTTCONNECT: 0,',to='+CMQTTCONNECT: 0,0,',line=no-such-name",),
        )
