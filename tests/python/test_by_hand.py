"""A person at a terminal: the worked examples typed into ``modemrig virtual``, with nothing of ours on the host's side.

``socat`` sends whole lines; ``picocom`` is typed at key by key, each key awaited on the screen before the next. Both are
skipped where the program is not installed.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.publish
import pytest

import modemrig
from conftest import Command

WITHIN_S = 20.0
EXAMPLES = [
    ("lte_standard_a", "5.1"),
    ("ecx00u_egx00u", "5.1"),
    ("ec200x_ec600x_eg912y", "5.1"),
    ("bc35g_bc28", "6.1"),
    ("sim7028", "4.1"),
]
CTRL_Z = "\x1a"
DELETE = "\x7f"  # what the backspace key sends


class Terminal:
    """A terminal program, its keyboard and its screen."""

    def __init__(self, keyboard: int, screen: int, enter: str) -> None:
        self.keyboard, self.screen, self.enter = keyboard, screen, enter
        self.seen = ""
        self._bytes = b""

    def write(self, text: str) -> None:
        os.write(self.keyboard, text.encode())

    def line(self, text: str) -> None:
        """Type a command line, and Enter."""
        self.write(text + self.enter)

    def until(self, text: str, since: int) -> int:
        """Read on until the screen shows this; where it ends."""
        deadline = time.monotonic() + WITHIN_S
        while (at := self.seen.find(text, since)) < 0:
            ready, _, _ = select.select([self.screen], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"waited for {text!r}; the screen shows {self.seen[since:]!r}"
            self._bytes += os.read(self.screen, 4096)
            self.seen = self._bytes.decode(errors="replace").replace("\r\n", "\n")
        return at + len(text)


class Keyboard(Terminal):
    """The same, typed key by key: each is seen before the next."""

    def line(self, text: str) -> None:
        for number, key in enumerate(text):
            since = len(self.seen)
            if number == len(text) // 2:  # a slip of the finger
                self.write("?" + DELETE)
                since = self.until("?\b \b", since)
            self.write(key)
            self.until(key, since)
        self.write(self.enter)


@pytest.fixture
def module(command: Command, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Path, int]]:
    """A virtual module as the command line runs it: the link to its port, and the port of its broker."""
    process = command.start("virtual", request.getfixturevalue("dialect"), "--link", str(tmp_path / "module"))
    try:
        assert process.stdout is not None
        said = ""
        while "Ctrl-C" not in said:
            said += (line := process.stdout.readline())
            assert line, f"ended: {said} {process.stderr and process.stderr.read()}"
        broker = re.search(r"127\.0\.0\.1:(\d+) plain", said)
        assert broker, said
        yield tmp_path / "module", int(broker[1])
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 0


@pytest.fixture
def socat(module: tuple[Path, int]) -> Iterator[Terminal]:
    if not shutil.which("socat"):
        pytest.skip("socat is not installed")
    words = ["socat", "STDIO", f"FILE:{module[0]},raw,echo=0,crnl"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        yield Terminal(process.stdin.fileno(), process.stdout.fileno(), "\n")
        process.terminate()


@pytest.fixture
def picocom(module: tuple[Path, int]) -> Iterator[Terminal]:
    if not shutil.which("picocom"):
        pytest.skip("picocom is not installed")
    terminal, its_side = pty.openpty()
    words = ["picocom", "--nolock", "--baud", "115200", str(module[0])]
    with subprocess.Popen(words, stdin=its_side, stdout=its_side, start_new_session=True) as process:
        os.close(its_side)
        try:
            keyboard = Keyboard(terminal, terminal, "\r")
            keyboard.until("Terminal ready\n", 0)
            yield keyboard
            keyboard.write("\x01\x18")  # C-a C-x
            keyboard.until("Thanks for using picocom", 0)
        finally:
            process.terminate()
            os.close(terminal)


@pytest.mark.parametrize(("dialect", "example"), EXAMPLES)
@pytest.mark.parametrize("program", ["socat", "picocom"])
def test_a_worked_example_by_hand(
    request: pytest.FixtureRequest, module: tuple[Path, int], dialect: str, example: str, program: str
):
    terminal: Terminal = request.getfixturevalue(program)
    steps = next(row for row in modemrig.catalogue(dialect)["examples"] if row["id"] == example)["steps"]
    assert len(steps) > 10
    since = 0
    for step in steps:
        if "send" in step:
            since = len(terminal.seen)
            terminal.line(step["send"])
        if "peer" in step:
            message = step["peer"]["publish"]
            paho.mqtt.publish.single(message["topic"], message["payload"], hostname="127.0.0.1", port=module[1])
        at = since
        for expected in step["expect"]:
            # A message may come before the result of its publish (decision 14): only what one command says is in order.
            start = at if "send" in step else since
            at = terminal.until("> " if expected == ">" else expected + "\n", start)
            if expected == ">":
                terminal.write(typed(step))


def typed(step: dict[str, Any]) -> str:
    """What is typed at a prompt: Ctrl-Z ends what has no announced length."""
    return str(step["payload"]) + ("" if re.search(r",\d+$", step["send"]) else CTRL_Z)
