"""How a module writes payloads and keeps messages, as a program sees it: digits, slots, what found no room."""

from __future__ import annotations

from typing import Any

import pytest

import modemrig

AWKWARD = b'\x00\x1a"\r\nOK\r\n\xff'


@pytest.mark.parametrize(
    "settings", [{"dataformat": (1, 1)}, {"view/mode": 1}, {"dataformat": (1, 1), "recv/mode": (1, 1)}]
)
def test_any_bytes_pass_in_every_format(modem: modemrig.Modem, settings: dict[str, Any]):
    client = modem.client(0)
    client.configure(**settings)
    with client.session("broker.lab", 1883, client_id="me") as session:
        session.subscribe({"t": 1})
        session.publish("t", AWKWARD, qos=1).wait()
        message = next(session.messages(timeout_s=10), None)
        assert message is not None
        assert message.payload == AWKWARD


def test_messages_that_find_all_five_slots_taken_are_counted():
    with (
        modemrig.BenchBroker() as broker,
        modemrig.VirtualModule("lte_standard_a", broker=broker) as module,
        modemrig.open(module.path) as modem,
    ):
        stores, shows = modem.client(0), modem.client(1)
        stores.configure(**{"recv/mode": (1, 1)})
        with (
            stores.session("broker.lab", 1883, client_id="stores") as storing,
            shows.session("broker.lab", 1883, client_id="shows") as showing,
        ):
            storing.subscribe({"t": 1})
            showing.subscribe({"t": 1})
            assert module.dropped_messages() == 0
            for number in range(7):
                broker.publish("t", str(number), qos=1)
            # Both clients are served in turn: what the second has, the first has had.
            assert [message.payload for _, message in zip(range(7), showing.messages(timeout_s=10), strict=False)]
            broker.publish("t", "last", qos=1)
            assert next(showing.messages(timeout_s=10), None) is not None
            assert module.dropped_messages(0) >= 2
            assert module.dropped_messages(1) == 0
