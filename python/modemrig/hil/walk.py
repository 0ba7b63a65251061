"""A worked example, walked through on a slot: every line of it, what others see of it, and everything put back behind it.

Driven by ``test_examples`` and by the conformance suite; the example is made ready in ``examples``.
"""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

from modemrig.events import Reply
from modemrig.hil import states
from modemrig.hil.examples import Received, Step, cloud_device, is_mutual, prepare
from modemrig.hil.peer import Peer
from modemrig.hil.wire import differences

MESSAGE_WITHIN_S = 10.0
TROUBLE = ("lost", "ping", "restarted")
"""What a module says unasked when something went wrong."""


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
            unasked = place.modem.events(timeout_s=0.0)
            for number, step in enumerate(plan.steps, 1):
                where = f"step {number} of {len(plan.steps)}" + (f"; transcript: {transcript}" if transcript else "")
                _walk_step(place, step, where, peer)
            trouble = [event for event in unasked if event.kind in TROUBLE]
            if trouble:
                shown = f"no example speaks of these: {trouble}"
                raise Unlike(f"behind the last of {len(plan.steps)} steps", "nothing more", str(trouble), shown)


def _walk_step(place: Walker, step: Step, where: str, peer: Peer) -> None:
    if step.peer is not None:
        topic, payload, qos = step.peer
        peer.publish(topic, payload, qos)
    if step.send is not None:
        reply = place.modem.command(step.send, step.payload)
        difference = differences(step.expect, list(reply.exchanged))
        if difference is not None:
            typed = "" if step.payload is None else f"\n  typed {step.payload!r}"
            shown = place.broker.cover(f"  sent  {reply.line}{typed}\n{difference}")
            raise Unlike(where, "\n".join(step.expect), "\n".join(reply.exchanged), shown)
        place.judge_time(reply)
    if step.published is not None:
        peer.expect(*step.published, where)
    for expected in step.received:
        _expect_message(place, where, expected)


def _expect_message(place: Walker, where: str, expected: Received) -> None:
    others = []
    for message in place.modem.client(expected.client).messages(MESSAGE_WITHIN_S):
        if (message.topic, message.payload) == (expected.topic, expected.payload):
            has_length = message.delimiter == "length"
            if has_length != expected.has_length or expected.msgid not in (None, message.msgid):
                raise Unlike(where, str(expected), repr(message), f"  {message!r}, expected {expected}")
            return
        others.append(message)
    wanted = f"{expected.topic!r} {expected.payload!r} within {MESSAGE_WITHIN_S:g} s"
    raise Unlike(where, wanted, str(others or "nothing"), f"  expected  {wanted}\n  received  {others or 'nothing'}")
