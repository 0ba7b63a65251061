"""The stub of the extension module says what the binary does, and the facade's types hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from conftest import CHECKOUT


def test_stub_and_binary_agree(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "modemrig._native"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_passes_mypy_strict():
    done = subprocess.run(
        [sys.executable, "-m", "mypy"], cwd=CHECKOUT, capture_output=True, text=True, timeout=55, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_whatever_takes_a_time_says_that_it_waits():
    text = (CHECKOUT / "python/modemrig/_native.pyi").read_text(encoding="utf-8")
    takes_time = [part for part in text.split("def ")[1:] if "timeout_s: float" in part.split("->")[0]]
    silent = {part.split("(")[0] for part in takes_time if "Waits" not in part}
    assert silent == {"messages", "events"}, "these make iterators; it is their __next__ that waits"
