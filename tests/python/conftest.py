"""Fixtures of the package's own tests: a module that is not there, and the command ``modemrig`` as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import modemrig

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def modem() -> Iterator[modemrig.Modem]:
    """A virtual module with its own bench broker."""
    with modemrig.open("virtual:ecx00u_egx00u") as modem:
        yield modem


class Command:
    """Runs ``modemrig`` as a user does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "modemrig", *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=50,
            cwd=self.folder,
            env=self.environment(),
            check=False,
        )

    def start(self, *words: str, **options: object) -> subprocess.Popen[str]:
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            [sys.executable, "-m", "modemrig", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self.environment(),
            **options,
        )

    @staticmethod
    def environment() -> dict[str, str]:
        # COLUMNS: argparse wraps its help to the terminal.
        return {**os.environ, "COLUMNS": "100", "PYTHONWARNINGS": "error", "NO_COLOR": "1"}


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """``modemrig`` in an empty folder."""
    return Command(tmp_path)
