"""Every test form answers literally as the document prints it."""

import operator

import pytest

from modemrig.hil.bench import SlotBench
from modemrig.hil.departures import NOTED
from modemrig.hil.wire import differences


def test_every_test_form_answers_as_documented(slot: SlotBench) -> None:
    wrong = []
    for command in slot.document["commands"]:
        if "test" in command["forms"] and command["basis"] == "documented":
            reply = slot.modem.command(f"{command['name']}=?")
            printed = [*command.get("test_reply", []), "OK"]
            lines, undone = slot.tolerance.undo(reply.line, printed, list(reply.exchanged))
            for departure in undone:
                slot.note(NOTED, departure.shown)
            difference = differences(printed, lines, operator.eq)
            if difference is not None:
                wrong.append(f"{command['name']}=? (section {command['source']})\n{difference}")
            slot.judge_time(reply)
    if wrong:
        pytest.fail(f"transcript: {slot.transcript_path}\n" + "\n".join(wrong), pytrace=False)
