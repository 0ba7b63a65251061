"""How pytest-xdist shares a run: a worker has slots of its own, collects their facts alone, and is told to run them in turn.

The schedulers of pytest-xdist want every worker to collect everything, which for thousands of facts takes longer than checking
them; and they hand a worker all it has to do at once, so that it could not be stopped. Not here: what a slot is (``collect``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

AHEAD = 8
"""So many tests are with a worker at a time; it needs two, to know which comes next."""


class SlotScheduling:
    """A scheduler of pytest-xdist."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._collected: dict[Any, Sequence[str]] = {}
        self._waiting: dict[Any, deque[int]] = {}
        """Tests a worker has not been told of yet."""
        self._sent: dict[Any, list[int]] = {}
        """Tests it was told of, the one that runs first."""
        self._left: dict[int, deque[int]] = {}
        """What a worker that died had still to do, for the one that takes its place; by the worker's specification."""
        self._has_begun = False

    @property
    def nodes(self) -> list[Any]:
        """Every worker that is there."""
        return list(self._sent)

    @property
    def collection_is_completed(self) -> bool:
        """Whether the run can begin."""
        return self._has_begun or len(self._collected) >= self._workers

    @property
    def has_pending(self) -> bool:
        """Whether there is something left to run."""
        return any(self._sent.values()) or any(self._waiting.values())

    @property
    def tests_finished(self) -> bool:
        """Whether the workers may be told to end."""
        return self._has_begun and not self.has_pending

    def add_node(self, node: Any) -> None:
        """A worker is there."""
        self._sent[node] = []

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        """A worker knows its tests."""
        self._collected[node] = list(collection)
        spec = id(node.gateway.spec)
        self._waiting[node] = self._left.pop(spec) if spec in self._left else deque(range(len(collection)))
        if self._has_begun:
            self._send(node)

    def schedule(self) -> None:
        """Begin."""
        self._has_begun = True
        for node in self.nodes:
            self._send(node)

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        """A worker has run a test."""
        self._sent[node].remove(item_index)
        self._send(node)

    def mark_test_pending(self, item: str) -> None:
        """Of pytest-xdist's protocol, for runs that repeat what failed; such a run has a scheduler of its own."""
        raise NotImplementedError

    def remove_pending_tests_from_node(self, node: Any, indices: Sequence[int]) -> None:
        """Of pytest-xdist's protocol, called by its load-balancing schedulers alone: here no slot changes its worker."""
        raise NotImplementedError

    def remove_node(self, node: Any) -> str | None:
        """A worker is gone; returns the test it ran, if it did not come to its end."""
        sent = self._sent.pop(node)
        waiting = self._waiting.pop(node, deque())
        if not sent:
            return None
        self._left[id(node.gateway.spec)] = deque([*sent[1:], *waiting])
        return self._collected[node][sent[0]]

    def _send(self, node: Any) -> None:
        if node.shutting_down:
            return
        sent, waiting = self._sent[node], self._waiting[node]
        if waiting and len(sent) <= AHEAD // 2:
            more = [waiting.popleft() for _ in range(min(AHEAD - len(sent), len(waiting)))]
            sent += more
            node.send_runtest_some(more)
        if not waiting:
            node.shutdown()  # once it has run what it was sent


class Shares:
    """Which slots a worker has: each the same number, as far as that goes."""

    def __init__(self, slots: Sequence[str], workers: int) -> None:
        self._shares = [list(slots[number::workers]) for number in range(workers)]
        self._given: dict[int, int] = {}

    def of(self, node: Any) -> list[str]:
        """The share of a worker; one that takes another's place has the same specification, and gets the same."""
        number = self._given.setdefault(id(node.gateway.spec), len(self._given))
        return self._shares[number]
