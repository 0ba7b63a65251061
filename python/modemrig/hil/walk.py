"""A worked example, walked through on a slot: every line of it, what others see of it, and everything put back behind it.

Driven by ``test_examples`` and by the conformance suite; the example is made ready in ``examples``.
"""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

from modemrig.errors import NoAnswer, Unsupported
from modemrig.events import Event, Reply
from modemrig.hil import departures, states
from modemrig.hil.departures import Departure
from modemrig.hil.examples import Received, Step, cloud_device, is_mutual, prepare
from modemrig.hil.peer import Peer
from modemrig.hil.wire import Line, differences
from modemrig.modem import Modem

MESSAGE_WITHIN_S = 10.0
TROUBLE = ("lost", "ping", "restarted")
"""What a module says unasked when something went wrong."""
MESSAGE_LINES = (b"+QMTRECV:", b"+CMQTTRXSTART:")


class Unlike(AssertionError):
    """A step did not go as printed."""

    def __init__(self, where: str, expected: str, observed: str, shown: str) -> None:
        super().__init__(f"{where}\n{shown}")
        self.expected = expected
        self.observed = observed


class FilesThere(Exception):
    """Files are on the module that the example would overwrite."""


class Walker(states.Place, Protocol):
    """A slot on which an example can be walked through."""

    @property
    def apn(self) -> str | None:
        """The network's."""

    def judge_time(self, reply: Reply) -> None:
        """Record how long an answer took, and hold it against the documented maximum."""


def walk(place: Walker, example: dict[str, Any], peer: Peer, transcript: str = "") -> None:
    """Walk through an example.

    Raises:
        Unlike: a step did not go as printed.
        StateError: the module could not be brought to where the example starts.
        FilesThere: it would overwrite what is on the module.
    """
    mutual = is_mutual(example)
    with place.broker.demanding_certificates(mutual) as tls_port, place.broker.playing(cloud_device(example)):
        plan = prepare(example, place.document, place.broker, tls_port, place.prefix, place.apn)
        if there := states.files_there(place, plan):
            raise FilesThere(
                f"{', '.join(there)} on the module would be overwritten; if nobody needs it, modem.delete_file()"
            )
        with contextlib.ExitStack() as stack:
            peer.forget(plan.topics, plan.client_ids)
            stack.callback(peer.forget, plan.topics, plan.client_ids)
            stack.callback(states.leave, place, plan, states.as_found(place, plan))
            states.reach(place, plan)
            peer.subscribe(list(dict.fromkeys(step.published[0] for step in plan.steps if step.published)))
            if "F10" in place.tolerance and place.is_qmt:
                # As its hosts do, which look for the form of messages before the first comes.
                with contextlib.suppress(Unsupported):
                    place.modem.client(0).setting("dataformat")
            unasked = place.modem.events(timeout_s=0.0)
            for number, step in enumerate(plan.steps, 1):
                where = f"step {number} of {len(plan.steps)}" + (f"; transcript: {transcript}" if transcript else "")
                _Walk(place, step, where).go(peer)
            trouble = [event for event in unasked if event.kind in TROUBLE and not _is_known(place, event)]
            if trouble:
                shown = f"no example speaks of these: {trouble}"
                raise Unlike(f"behind the last of {len(plan.steps)} steps", "nothing more", str(trouble), shown)


def _is_known(place: Walker, event: Event) -> bool:
    """Whether modules like this one say such a thing where no example does; noted, if so."""
    if event.kind != "lost" or departures.STAT not in place.tolerance:
        return False
    place.note(departures.NOTED, departures.STAT.shown)
    return True


class _Walk:
    """One step."""

    def __init__(self, place: Walker, step: Step, where: str) -> None:
        self._place = place
        self._step = step
        self._where = where
        self._modem: Modem = place.modem
        self._seen: dict[Departure, None] = {}
        self._since = self._modem.clock_s
        self._stale = _stale(self._modem)

    def go(self, peer: Peer) -> None:
        step = self._step
        if step.peer is not None:
            topic, payload, qos = step.peer
            peer.publish(topic, payload, qos)
        if step.send is not None:
            self._say(step.send, step)
        if step.published is not None:
            peer.expect(*step.published, self._where)
        for expected in step.received:
            self._expect_message(expected)
        if self._place.tolerance:
            self._note_forms()
        for departure in self._seen:
            self._place.note(departures.NOTED, departure.shown)

    def _say(self, line: str, step: Step) -> None:
        try:
            reply = states.ask(self._place, line, step.payload, printed=step.expect)
        except NoAnswer as silence:
            self._understand(line, _heard(silence), silence)
            return
        self._understand(line, list(reply.exchanged))
        self._place.judge_time(reply)

    def _understand(self, line: str, came: list[str], silence: NoAnswer | None = None) -> None:
        """The lines are the printed ones, up to what this module is known to do."""
        step = self._step
        lines, undone = self._place.tolerance.undo(line, step.expect, came)
        difference = differences(step.expect, lines)
        if difference is None:
            self._seen |= dict.fromkeys(undone)
            return
        if silence is not None:
            raise silence
        typed = "" if step.payload is None else f"\n  typed {step.payload!r}"
        shown = self._place.broker.cover(f"  sent  {line}{typed}\n{differences(step.expect, came)}")
        raise Unlike(self._where, "\n".join(step.expect), "\n".join(came), shown)

    def _expect_message(self, expected: Received) -> None:
        place, others = self._place, []
        wanted_payloads = [expected.payload]
        if departures.IN_HEX in place.tolerance:
            wanted_payloads += [expected.payload.hex().encode(), expected.payload.hex().upper().encode()]
        for message in self._modem.client(expected.client).messages(MESSAGE_WITHIN_S):
            if message.topic != expected.topic or message.payload not in wanted_payloads:
                others.append(message)
                continue
            has_length = message.delimiter == "length"
            length = departures.WITH_LENGTH if has_length else departures.WITHOUT_LENGTH
            length_is_right = has_length == expected.has_length or length in place.tolerance
            if not has_length and departures.LENGTH_REFUSED in place.tolerance:
                length, length_is_right = departures.LENGTH_REFUSED, True
            if not length_is_right or expected.msgid not in (None, message.msgid):
                raise Unlike(self._where, str(expected), repr(message), f"  {message!r}, expected {expected}")
            if has_length != expected.has_length:
                self._seen[length] = None
            if message.payload != expected.payload:
                self._seen[departures.IN_HEX] = None
            return
        wanted = f"{expected.topic!r} {expected.payload!r} within {MESSAGE_WITHIN_S:g} s"
        shown = f"  expected  {wanted}\n  received  {others or 'nothing'}"
        raise Unlike(self._where, wanted, str(others or "nothing"), shown)

    def _note_forms(self) -> None:
        """What is read like the printed form all the same."""
        tolerance, step = self._place.tolerance, self._step
        spoken = self._modem.transcript(self._since)
        written = b"".join(entry.data for entry in spoken if entry.direction == "rx")
        is_prompted = ">" in step.expect
        forms = [form for form in departures.FORMS if form.rule != "F8" or is_prompted]
        self._seen |= dict.fromkeys(tolerance.forms(written, of=forms))
        if is_prompted and step.payload and departures.PAYLOAD_ECHOED in tolerance:
            behind_prompt = written.partition(b"\r\n>")[2].lstrip()
            if behind_prompt.startswith(step.payload):
                self._seen[departures.PAYLOAD_ECHOED] = None
        if step.received and step.send and departures.MESSAGE_FIRST in tolerance:
            result = Line.parse(step.expect[-1]).name.encode()
            before, _, _ = written.partition(result)
            if any(name in before for name in MESSAGE_LINES):
                self._seen[departures.MESSAGE_FIRST] = None
        if _stale(self._modem) > self._stale and departures.STALE in tolerance:
            self._seen[departures.STALE] = None


def _stale(modem: Modem) -> int:
    counted = modem.statistics
    return counted.stale + counted.surplus


def _heard(silence: NoAnswer) -> list[str]:
    """The lines of the module in what was said last."""
    said = list(silence.last_lines)
    asked = max((at for at, line in enumerate(said) if line.startswith("> ")), default=-1)
    return [line.removeprefix("< ") for line in said[asked + 1 :] if line.startswith("< ")]
