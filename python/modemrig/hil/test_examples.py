"""Every worked example of the module's document, step by step, against a real broker and another device on it."""

from typing import Any

import pytest

from modemrig.hil.bench import SlotBench
from modemrig.hil.examples import is_mutual, uses_tls
from modemrig.hil.walk import FilesThere, Unlike, walk


def test_example(slot: SlotBench, example: dict[str, Any]) -> None:
    if uses_tls(example) and slot.broker.tls_port is None:
        pytest.skip("the rig names no tls_port of its broker")
    if is_mutual(example) and not slot.broker.has_certificates:
        pytest.skip("the rig names no ca, client_cert and client_key of its broker")
    if reason := slot.unsupported(example):
        pytest.skip(reason)
    slot.note("section", example["source"])
    try:
        walk(slot, example, slot.peer(), str(slot.transcript_path))
    except FilesThere as trouble:
        pytest.skip(str(trouble))
    except Unlike as difference:
        pytest.fail(str(difference), pytrace=False)
