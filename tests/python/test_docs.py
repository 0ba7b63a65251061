"""Every example in the documents and docstrings runs."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

from conftest import CHECKOUT

MODULES = [
    "modem",
    "client",
    "recovery",
    "sessions",
    "events",
    "errors",
    "virtual",
    "broker",
    "reference",
    "transcripts",
    "replay",
    "recorder",
]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks() -> list[object]:
    found: list[object] = []
    for name in ("README.md", "CONTRIBUTING.md", "DESIGN.md"):
        path = CHECKOUT / name
        if path.exists():
            for number, match in enumerate(BLOCK.finditer(path.read_text(encoding="utf-8")), start=1):
                found.append(pytest.param(match[1], id=f"{name}-{number}"))
    return found


@pytest.mark.parametrize("program", blocks())
def test_a_block_of_the_documents_runs(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "a block of the documents", "exec"), {"__name__": "__main__"})


def test_the_readme_has_an_example():
    assert BLOCK.search((CHECKOUT / "README.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_are_true(name: str):
    result = doctest.testmod(importlib.import_module(f"modemrig.{name}"))
    assert result.failed == 0
