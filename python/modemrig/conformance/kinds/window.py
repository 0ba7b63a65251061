"""Facts about messages in flight: how many there may be, and that the next may be published as soon as OK came.

Acknowledgements are kept back for a moment by the bench broker.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from modemrig.conformance.answer import Answer, Blocked, Differs
from modemrig.conformance.document import Document
from modemrig.conformance.kinds.behaviour import CONTROL, PUBLISH, Behaviour, Behaviours, publisher
from modemrig.conformance.kinds.kind import Breakage
from modemrig.conformance.kinds.qmt_client import Client
from modemrig.conformance.probe import Probe
from modemrig.conformance.verdict import Basis

KEPT_BACK_S = 1.0
"""How late acknowledgements are: long enough for a window of publishes on a busy machine."""
TOPIC = "window"


@contextlib.contextmanager
def in_flight(client: Client, count: int, first: int | None = None) -> Iterator[list[Future[Answer]]]:
    """So many messages of QoS 1 are under way meanwhile; behind the block they are acknowledged.

    Args:
        client: whose.
        count: how many.
        first: the packet identifier of the first.
    """
    probe = client.probe
    speed = probe.speed if probe.place.slot.is_virtual else 1.0
    probe.bench_broker.delay("PUBACK", KEPT_BACK_S * speed, client_id=client.name)
    try:
        with ThreadPoolExecutor(count) as pool:
            client.watch()
            lines = [
                client.publish_line(probe.topic(TOPIC), 5, 1, msgid=first if n == 0 else None) for n in range(count)
            ]
            futures = [pool.submit(probe.ask, line, b"hello") for line in lines]
            try:
                client.await_packets(count, "PUBLISH", within_s=KEPT_BACK_S)
            except Differs as difference:
                raise Differs(f"{count} messages in flight", difference.observed) from None
            yield futures
    finally:
        probe.bench_broker.behave()


def _size(probe: Probe) -> int:
    return probe.document.limits["window"]


def _full(probe: Probe) -> None:
    with in_flight(Client(probe), _size(probe)) as futures:
        answers = [future.result() for future in futures]
    refused = next((answer for answer in answers if answer.final != "OK"), None)
    if refused is not None:
        raise Differs(">\nOK", refused.shown())


def _beyond(probe: Probe) -> None:
    client = Client(probe)
    with _full_window(client):
        try:
            probe.refuse(client.publish_line(probe.topic(TOPIC), 5, 1), b"hello")
        except Differs:
            sent, acknowledged = client.packets("PUBLISH"), client.packets("PUBACK", "out")
            if acknowledged and (len(sent) <= _size(probe) or sent[_size(probe)].time >= acknowledged[0].time):
                raise Blocked("the window was not full any more") from None
            raise


@contextlib.contextmanager
def _full_window(client: Client) -> Iterator[list[Future[Answer]]]:
    """A full window; that there is one is another fact."""
    try:
        with in_flight(client, _size(client.probe)) as futures:
            yield futures
    except Differs as difference:
        if "in flight" in difference.expected:
            raise Blocked(str(difference)) from None
        raise


def _freed(probe: Probe) -> None:
    client = Client(probe)
    with _full_window(client) as futures:
        for future in futures:
            future.result()
    probe.accept(client.publish_line(probe.topic(TOPIC), 5, 1), b"hello")


def _qos_0(probe: Probe) -> None:
    client = Client(probe)
    with _full_window(client):
        probe.accept(client.publish_line(probe.topic(TOPIC), 5), b"hello")


def _further(probe: Probe) -> None:
    client = Client(probe)
    with in_flight(client, 1) as futures:
        probe.accept(client.publish_line(probe.topic(TOPIC), 5), b"hello")
        if futures[0].done():
            raise Blocked("the first message was acknowledged already")


def _same_id(probe: Probe) -> None:
    client, number = Client(probe), probe.msgid()
    with in_flight(client, 1, first=number):
        probe.refuse(client.publish_line(probe.topic(TOPIC), 5, 1, msgid=number), b"hello")


def _beyond_basis(document: Document) -> Basis:
    """One document does not print what is answered beyond the window."""
    command = publisher(document)
    assert command is not None
    return "documented" if any("answered with ERROR" in note for note in command.notes) else "decided"


class Window(Behaviours):
    """How many messages may be unacknowledged."""

    name = "window"
    title = "So many messages may be in flight, and no more."

    rows = (
        Behaviour(PUBLISH, "full", "a whole window of messages may be unacknowledged", _full, needs=CONTROL),
        Behaviour(PUBLISH, "beyond", "one message more is refused", _beyond, _beyond_basis, CONTROL),
        Behaviour(PUBLISH, "freed", "an acknowledged message makes room for another", _freed, "decided", CONTROL),
        Behaviour(PUBLISH, "qos-0", "messages of QoS 0 need no room", _qos_0, "decided", CONTROL),
        Behaviour(PUBLISH, "further", "a further message may be published as soon as OK came", _further, needs=CONTROL),
        Behaviour(PUBLISH, "same-id", "a msgid that is in flight is refused", _same_id, "decided", CONTROL),
    )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        size = document.limits.get("window", 0)
        yield from self.broken(
            *(document, "the window is one smaller", "full"), differs=f"[limits]\nwindow = {size - 1}\n"
        )
        yield from self.broken(
            *(document, "the window is one larger", "beyond"), differs=f"[limits]\nwindow = {size + 1}\n"
        )
