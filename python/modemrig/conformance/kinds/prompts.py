"""Facts about what is typed at a prompt: the prompt itself, where input ends, what is too much of it, echo and time.

What arrives at the other end of a whole payload stands in ``payloads``.
"""

from __future__ import annotations

from collections.abc import Iterator

from modemrig.conformance.answer import Answer, Blocked, Differs
from modemrig.conformance.document import Document
from modemrig.conformance.kinds.behaviour import BROKER, PUBLISH, Behaviour, Behaviours
from modemrig.conformance.kinds.kind import Breakage
from modemrig.conformance.kinds.qmt_client import SOON_S, Client, arrives, next_at_peer, want
from modemrig.conformance.probe import Probe
from modemrig.conformance.verdict import Basis

TOPIC = "prompt"
CTRL_Z = b"\x1a"
ESC = b"\x1b"


def _one(answer: Answer) -> None:
    if answer.lines[:1] != (">",) or answer.lines.count(">") != 1:
        raise Differs("one prompt, then OK", answer.shown())


def _raw_prompt(probe: Probe) -> bytes:
    """What was received up to and with the newest prompt."""
    received = b"".join(entry.data for entry in probe.modem.transcript(probe.since) if entry.direction == "rx")
    return received[: received.rfind(b">") + 2]


def _counted(probe: Probe) -> None:
    _one(Client(probe).publish(probe.topic(TOPIC)))


def _variable(probe: Probe) -> None:
    client = Client(probe)
    _one(probe.ask(client.publish_line(probe.topic(TOPIC), None), b"hello"))


def _will(probe: Probe) -> None:
    probe.reach("idle")
    _one(probe.ask(f'AT+QMTCFG="willex",0,1,0,0,"{probe.topic(TOPIC)}",5', b"hello"))


def _no_will(probe: Probe) -> None:
    """A will without a message asks for nothing."""
    probe.reach("idle")
    probe.expect(probe.ask(f'AT+QMTCFG="willex",0,1,0,0,"{probe.topic(TOPIC)}",0'), ["OK"])


def _form(probe: Probe) -> None:
    Client(probe).publish(probe.topic(TOPIC))
    if not (got := _raw_prompt(probe)).endswith(b"\r\n> "):
        raise Differs(repr(b"\r\n> "), repr(got[-4:]))


def _none_when_refused(probe: Probe) -> None:
    client = Client(probe)
    probe.refuse(client.publish_line(probe.topic(TOPIC), 5, qos=3, msgid=1), b"hello")


def _may_be_empty(document: Document) -> bool:
    settings = document.command("AT+QMTCFG")
    length = None if settings is None else settings.params.get("will_len")
    return length is not None and length.min == 0


class Prompt(Behaviours):
    """The prompt for what is typed."""

    name = "prompt"
    title = "One prompt asks for what is typed, before anything else is said."

    rows = (
        Behaviour(PUBLISH, "counted", "one prompt asks for a message whose length was said", _counted),
        Behaviour(
            PUBLISH,
            "variable",
            "one prompt asks for a message that Ctrl-Z ends",
            _variable,
            "documented",
            BROKER,
            "variable",
        ),
        Behaviour("AT+QMTCFG", "will", "one prompt asks for the message of a will", _will, "documented", (), "willex"),
        Behaviour(
            "AT+QMTCFG",
            "no-will",
            "a will message of length 0 is not asked for",
            _no_will,
            "decided",
            (),
            "willex",
            _may_be_empty,
        ),
        Behaviour(PUBLISH, "form", "the prompt stands on a line of its own, with a blank behind it", _form, "decided"),
        Behaviour(PUBLISH, "refused", "a publish that is refused does not ask first", _none_when_refused),
    )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        yield from self.broken(document, "the prompt is followed by a line end", "form", quirks=("prompt_on_own_line",))
        yield from self.broken(
            document,
            *("the prompt comes twice", "counted", "variable", "will"),
            faults=(f"doubled:text='>',line=conformance/{TOPIC}",),
        )


# -- input -------------------------------------------------------------------------------------------------------------


def _heard(probe: Probe) -> tuple[Client, str]:
    """A connected client, and a topic to which the peer listens."""
    topic = probe.topic("input")
    probe.peer.subscribe([topic])
    return Client(probe), topic


def _surplus(probe: Probe) -> None:
    client, topic = _heard(probe)
    probe.ask(client.publish_line(topic, 5), b"12345surplus", exact=True)
    arrives(probe, topic, b"12345")


def _will_surplus(probe: Probe) -> None:
    client = Client(probe, state="idle")
    topic = probe.topic("input-will")
    probe.peer.subscribe([topic])
    probe.ask(f'AT+QMTCFG="willex",0,1,0,0,"{topic}",5', b"12345surplus", exact=True)
    client = Client(probe)
    probe.accept(f"AT+QMTCLOSE={client.index}")
    got = next_at_peer(probe, topic)
    if got is None:
        raise Blocked("no will was published")
    want("message of the will", b"12345", got)


def _ctrl_z(probe: Probe) -> None:
    client, topic = _heard(probe)
    probe.ask(client.publish_line(topic, None), b"sent by Ctrl-Z" + CTRL_Z, exact=True)
    arrives(probe, topic, b"sent by Ctrl-Z")


def _esc(probe: Probe) -> None:
    client, topic = _heard(probe)
    probe.ask(client.publish_line(topic, None), b"cancelled" + ESC, exact=True)
    if (got := next_at_peer(probe, topic, SOON_S)) is not None:
        raise Differs("nothing", repr(got))


def _esc_answer(probe: Probe) -> None:
    client, topic = _heard(probe)
    answer = probe.ask(client.publish_line(topic, None), b"cancelled" + ESC, exact=True)
    if not answer.is_refused:
        raise Differs(">\nERROR", answer.shown())


def _by_itself(probe: Probe) -> None:
    client, topic = _heard(probe)
    full = b"x" * probe.document.limits["payload_len"]
    probe.ask(client.publish_line(topic, None), full, exact=True)
    arrives(probe, topic, full)


def _beyond(probe: Probe) -> None:
    client, topic = _heard(probe)
    full = b"x" * probe.document.limits["payload_len"]
    probe.ask(client.publish_line(topic, None), full + b"beyond" + CTRL_Z, exact=True)
    arrives(probe, topic, full)


def _controls(probe: Probe) -> None:
    client, topic = _heard(probe)
    client.published(topic, b"a" + CTRL_Z + ESC + b"b")
    arrives(probe, topic, b"a" + CTRL_Z + ESC + b"b")


def _line_end(probe: Probe) -> None:
    """CR LF right behind the payload is silent, and the next command is understood."""
    client, topic = _heard(probe)
    probe.ask(client.publish_line(topic, 5), b"12345\r\n", exact=True)
    arrives(probe, topic, b"12345")
    probe.expect(probe.ask("AT"), ["OK"])


def _given_up(probe: Probe, payload: bytes) -> Answer:
    """Input that is not finished, with the longest time for it that a check waits."""
    client = Client(probe, state="idle")
    client.cfg("edit/timeout", 1, 60)
    client, topic = _heard(probe)
    return probe.ask(client.publish_line(topic, 5), payload, timeout_s=probe.seconds(60) + 5, exact=True)


def _edit_error(probe: Probe) -> None:
    answer = _given_up(probe, b"123")
    if not answer.is_refused:
        raise Differs(">\nERROR", answer.shown())


def _edit_time(probe: Probe) -> None:
    answer = _given_up(probe, b"123")
    least = 0.8 * probe.seconds(60)
    if not answer.is_refused or answer.response_s < least:
        raise Differs(f"ERROR after {probe.seconds(60):.2f} s", f"{answer.shown()}\nafter {answer.response_s:.2f} s")


def _edit_nothing(probe: Probe) -> None:
    _given_up(probe, b"123")
    if (got := next_at_peer(probe, probe.topic("input"), SOON_S)) is not None:
        raise Differs("nothing", repr(got))


def _edit_off(probe: Probe) -> None:
    """A module that waits for the rest for ever is freed by power alone."""
    client = Client(probe, state="idle")
    client.cfg("edit/timeout", 0, 60)
    client, topic = _heard(probe)
    answer = probe.ask(client.publish_line(topic, 5), b"123", timeout_s=probe.seconds(60) + 0.5, exact=True)
    if answer.is_refused:
        raise Differs("no answer before all is typed", answer.shown())
    probe.power_cycle()


def _echo(probe: Probe, mode: int) -> None:
    client = Client(probe, state="idle")
    client.cfg("view/mode", mode)
    client, topic = Client(probe), probe.topic("input-echo")
    start = probe.now()
    answer = client.publish(topic, ECHOED)
    if answer.final != "OK":
        raise Blocked(f"{answer.sent} was answered {answer.shown()!r}")
    received = b"".join(entry.data for entry in probe.modem.transcript(start) if entry.direction == "rx")
    want("what was typed is shown", bool(mode), ECHOED in received)


def _echo_off(probe: Probe) -> None:
    _echo(probe, 0)


def _echo_on(probe: Probe) -> None:
    _echo(probe, 1)


def _edit_basis(document: Document) -> Basis:
    """One document says what happens when the time is over; the others only that there is one."""
    settings = document.command("AT+QMTCFG")
    assert settings is not None
    return "documented" if any("answers ERROR" in param.title for param in settings.params.values()) else "inherited"


ECHOED = b"is it shown?"
EDIT = "edit/timeout"
VIEW = "view/mode"


class Input(Behaviours):
    """Where input ends, and what becomes of it."""

    name = "input"
    title = "Input ends where the document says, and what is too much of it is thrown away."

    rows = (
        Behaviour(
            PUBLISH,
            "surplus",
            "bytes beyond the length that was said are thrown away",
            _surplus,
            only=lambda document: document.command("AT+QMTPUBEX") is not None,
        ),
        Behaviour(
            "AT+QMTCFG",
            "surplus",
            "of a will message longer than will_len the first will_len bytes count",
            _will_surplus,
            "documented",
            BROKER,
            "willex",
        ),
        Behaviour(PUBLISH, "ctrl-z", "Ctrl-Z sends the message", _ctrl_z, "documented", BROKER, "variable"),
        Behaviour(PUBLISH, "esc", "Esc cancels the message", _esc, "documented", BROKER, "variable"),
        Behaviour(PUBLISH, "esc-answer", "Esc is answered with ERROR", _esc_answer, "decided", BROKER, "variable"),
        Behaviour(
            PUBLISH,
            "full",
            "a message of the greatest length is sent by itself",
            _by_itself,
            "documented",
            BROKER,
            "variable",
        ),
        Behaviour(
            PUBLISH,
            "beyond",
            "bytes beyond the greatest length are ignored",
            _beyond,
            "documented",
            BROKER,
            "variable",
        ),
        Behaviour(PUBLISH, "controls", "with a length said, Ctrl-Z and Esc are data", _controls, "decided"),
        Behaviour(PUBLISH, "line-end", "CR LF behind the last byte is no command", _line_end, "decided"),
        Behaviour(
            "AT+QMTCFG",
            "given-up",
            "input that is not finished in time ends with ERROR",
            _edit_error,
            _edit_basis,
            ("sim", "time"),
            EDIT,
        ),
        Behaviour(
            "AT+QMTCFG",
            "time",
            "the module waits as long as it was told",
            _edit_time,
            "documented",
            ("sim", "time"),
            EDIT,
        ),
        Behaviour(
            "AT+QMTCFG",
            "not-sent",
            "what was not finished in time is not sent",
            _edit_nothing,
            _edit_basis,
            ("sim", "time"),
            EDIT,
        ),
        Behaviour(
            "AT+QMTCFG",
            "disabled",
            "without a time the module waits for the rest",
            _edit_off,
            "documented",
            ("sim", "time", "power"),
            EDIT,
        ),
        Behaviour("AT+QMTCFG", "hidden", "with view_mode 0 typed bytes are not shown", _echo_off, key=VIEW),
        Behaviour("AT+QMTCFG", "shown", "with view_mode 1 typed bytes are shown", _echo_on, key=VIEW),
    )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        topic = "conformance/input"
        yield from self.broken(
            document,
            "other bytes are sent than were typed",
            *("surplus", "ctrl-z", "full", "beyond", "controls", "line-end"),
            subjects=("AT+QMTPUB", "AT+QMTPUBEX"),
            faults=(f"packet_changed:field=publish.payload,value=wrong,topic={topic}",),
        )
        yield from self.broken(
            document,
            *("other bytes are in the will than were typed", "surplus"),
            subjects=("AT+QMTCFG",),
            faults=(f"packet_changed:field=connect.will_payload,value=wrong,topic={topic}-will",),
        )
        yield from self.broken(document, "Esc sends what there is", "esc", "esc-answer", quirks=("esc_sends",))
        yield from self.broken(document, "typed bytes are never shown", "shown", quirks=("never_echoes",))
        yield from self.broken(
            document,
            *("typed bytes are always shown", "hidden"),
            faults=(f"reworded:from='> ',to='> {ECHOED.decode()}',line={topic}-echo",),
        )
        yield from self.broken(
            document,
            *("unfinished input ends with OK", "given-up", "time"),
            faults=(f"reworded:from=ERROR,to=OK,line={topic},command=AT+QMTPUBEX",),
        )
