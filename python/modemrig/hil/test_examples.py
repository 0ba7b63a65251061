"""Every worked example of the module's document, step by step, against a real broker and another device on it."""

import contextlib
from typing import Any

import pytest

from modemrig.hil import states
from modemrig.hil.bench import SlotBench
from modemrig.hil.examples import Plan, Received, Step, cloud_device, is_mutual, prepare, uses_tls
from modemrig.hil.peer import Peer
from modemrig.hil.wire import differences

MESSAGE_WITHIN_S = 10.0
TROUBLE = ("lost", "ping", "restarted")
"""What a module says unasked when something went wrong."""


def test_example(slot: SlotBench, example: dict[str, Any]) -> None:
    if uses_tls(example) and slot.broker.tls_port is None:
        pytest.skip("the rig names no tls_port of its broker")
    if is_mutual(example) and not (slot.broker.ca and slot.broker.client_cert and slot.broker.client_key):
        pytest.skip("the rig names no ca, client_cert and client_key of its broker")
    platform = cloud_device(example)
    with slot.broker.demanding_certificates(is_mutual(example)) as tls_port, slot.broker.playing(platform):
        plan = prepare(example, slot.document, slot.broker, tls_port, slot.prefix, slot.slot.apn)
        slot.note("section", example["source"])
        if there := states.files_there(slot, plan):
            pytest.skip(
                f"{', '.join(there)} on the module would be overwritten; if nobody needs it, modem.delete_file()"
            )
        peer = slot.peer()
        with contextlib.ExitStack() as stack:
            peer.forget(plan.topics, plan.client_ids)
            stack.callback(peer.forget, plan.topics, plan.client_ids)
            stack.callback(states.leave, slot, plan, states.as_found(slot, plan))
            states.reach(slot, plan)
            peer.subscribe(list(dict.fromkeys(step.published[0] for step in plan.steps if step.published)))
            unasked = slot.modem.events(timeout_s=0.0)
            for number, step in enumerate(plan.steps, 1):
                run_step(slot, plan, number, step, peer)
            trouble = [event for event in unasked if event.kind in TROUBLE]
            assert not trouble, f"no example speaks of these; transcript: {slot.transcript_path}"


def run_step(slot: SlotBench, plan: Plan, number: int, step: Step, peer: Peer) -> None:
    where = f"step {number} of {len(plan.steps)}; transcript: {slot.transcript_path}"
    if step.peer is not None:
        topic, payload, qos = step.peer
        peer.publish(topic, payload, qos)
    if step.send is not None:
        reply = slot.modem.command(step.send, step.payload)
        difference = differences(step.expect, list(reply.exchanged))
        if difference is not None:
            typed = "" if step.payload is None else f"\n  typed {step.payload!r}"
            shown = slot.broker.cover(f"{where}\n  sent  {reply.line}{typed}\n{difference}")
            pytest.fail(shown, pytrace=False)
        slot.judge_time(reply)
    if step.published is not None:
        peer.expect(*step.published, where)
    for expected in step.received:
        expect_message(slot, where, expected)


def expect_message(slot: SlotBench, where: str, expected: Received) -> None:
    others = []
    for message in slot.modem.client(expected.client).messages(MESSAGE_WITHIN_S):
        if (message.topic, message.payload) == (expected.topic, expected.payload):
            assert (message.delimiter == "length") == expected.has_length, f"{where}: {message!r}, expected {expected}"
            assert expected.msgid is None or message.msgid == expected.msgid, (
                f"{where}: {message!r}, expected {expected}"
            )
            return
        others.append(message)
    pytest.fail(
        f"{where}\n  expected  {expected.topic!r} {expected.payload!r} within {MESSAGE_WITHIN_S:g} s\n"
        f"  received  {others or 'nothing'}",
        pytrace=False,
    )
