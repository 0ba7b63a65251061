"""Programs of the field, recorded with a virtual module of their family and played their own recording: the same session.

At the recorded times, since some of them live by the pauses of their modules. The programs are those of ``test_hosts.py``.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

import modemrig
from test_hosts import PROGRAMS, Builder, Program


@dataclass(frozen=True)
class Rounds:
    """What a program said of its session with a module, and of that with the recording."""

    recorded: subprocess.CompletedProcess[str]
    replayed: subprocess.CompletedProcess[str]
    mismatches: tuple[modemrig.Mismatch, ...]
    left: tuple[str, ...]
    finished: bool


def rounds(builder: Builder, program: Program, folder: Path) -> Rounds:
    words = builder.command(program.file)

    def run(port: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*words, port], capture_output=True, text=True, timeout=60, check=False)

    file = folder / f"{program.file}.jsonl"
    with (
        modemrig.BenchBroker() as broker,
        modemrig.VirtualModule(program.profiles[0], broker=broker) as module,
        modemrig.Recorder(module.path, file) as recorder,
    ):
        recorded = run(recorder.path)
    with modemrig.ReplayModule(file, times=True) as replay:
        replayed = run(replay.path)
        return Rounds(recorded, replayed, replay.mismatches, replay.left, replay.finished)


@pytest.fixture(scope="module")
def sessions(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Rounds]]]:
    """All that are wanted, side by side: these programs sleep most of the time."""
    builder = Builder(tmp_path_factory.mktemp("programs"))
    folder = tmp_path_factory.mktemp("recorded")
    wanted = [program for program in PROGRAMS if any(f"[{program}]" in item.nodeid for item in request.session.items)]
    with ThreadPoolExecutor(max_workers=4) as pool:
        yield {program.file: pool.submit(rounds, builder, program, folder) for program in wanted}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_a_program_of_the_field_meets_its_module_again(sessions: dict[str, Future[Rounds]], program: Program) -> None:
    done = sessions[program.file].result()
    assert done.recorded.returncode == 0, done.recorded.stdout + done.recorded.stderr
    assert done.replayed.returncode == 0, done.replayed.stdout + done.replayed.stderr
    assert done.replayed.stdout == done.recorded.stdout
    # They ask until somebody answers: how often depends on the computer.
    knocks = {"AT", "ATE0"}
    assert [str(mismatch) for mismatch in done.mismatches if mismatch.asked not in knocks] == []
    assert set(done.left) <= knocks
    assert done.finished or done.left
