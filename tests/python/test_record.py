"""``modemrig record``: a third program, the recorder, a virtual module; what the file has and what it has not."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import modemrig
from conftest import CHECKOUT, Command
from test_cli import read_until

HOST = str(CHECKOUT / "tests/python/host_program.py")
PASSWORD = "hush-4-the-broker"
WITHIN_S = 20.0  # long enough for any machine
SECRETS = (PASSWORD, "secret-of-the-device", "PRIVATE KEY")
BEHIND = [sys.executable, HOST, "{}"]
# A program that reads the port's name from its environment and ends as it is told to.
ENDS = [sys.executable, "-c", "import os, sys; print(os.environ['MODEMRIG_PORT']); sys.exit(int(sys.argv[1]))"]
# A program that waits for a signal, and says which.
WAITS = [
    sys.executable,
    "-c",
    "import signal, sys, threading\n"
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
    "print('ready', flush=True)\n"
    "threading.Event().wait(50)",
]


@pytest.fixture
def module() -> Iterator[modemrig.VirtualModule]:
    with modemrig.BenchBroker() as broker, modemrig.VirtualModule("ecx00u_egx00u", broker=broker) as module:
        yield module


def entries(file: Path) -> tuple[dict[str, object], list[dict[str, str]]]:
    header, *lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return header, lines


def said(file: Path, direction: str) -> str:
    return "".join(line["data"] for line in entries(file)[1] if line["dir"] == direction)


def test_a_program_runs_as_ever_and_the_file_has_all_but_the_secrets(
    command: Command, module: modemrig.VirtualModule, tmp_path: Path
):
    done = command("record", module.path, "--out", "field.jsonl", "--", *BEHIND, PASSWORD)
    assert done.returncode == 0, done
    assert done.stdout.endswith("the session is over\n"), "standard output is the program's"
    assert "field.jsonl" in done.stderr
    text = (tmp_path / "field.jsonl").read_text(encoding="utf-8")
    assert not [secret for secret in SECRETS if secret in text]
    header, _ = entries(tmp_path / "field.jsonl")
    assert header["redacted"] is True
    assert header["echo"] is True
    assert header["port"] == module.path
    assert header["baud"] == 115200
    sent = said(tmp_path / "field.jsonl", "tx")
    assert f'AT+QMTCONN=0,"dev","user","{"*" * len(PASSWORD)}"\r' in sent
    assert 'AT+QFUPL="k.pem",20,5\r' + "*" * 20 + "AT+QMTOPEN" in sent
    assert "21.5C" in said(tmp_path / "field.jsonl", "rx")
    decoded = command("decode", "field.jsonl", "--json")
    kinds = [json.loads(line)["e"] for line in decoded.stdout.splitlines()]
    assert {"open", "conn", "sub", "msg", "pub", "uns", "disc"} <= set(kinds)
    assert not {"damaged", "timeout", "stale"} & set(kinds)


@pytest.mark.parametrize("code", [0, 3])
def test_it_ends_with_the_programs_code_and_gives_it_its_port(
    command: Command, module: modemrig.VirtualModule, code: int
):
    done = command("record", module.path, "--link", "port", "--", *ENDS, str(code))
    assert (done.returncode, done.stdout) == (code, "port\n"), done


def test_a_program_that_is_not_there_is_named(command: Command, module: modemrig.VirtualModule, tmp_path: Path):
    done = command("record", module.path, "--", str(tmp_path / "no-such-program"))
    assert done.returncode == 127
    assert "no-such-program" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 7), (signal.SIGINT, 130)])
def test_a_signal_reaches_the_program_and_the_file_is_whole(
    command: Command, module: modemrig.VirtualModule, tmp_path: Path, number: signal.Signals, code: int
):
    process = command.start("record", module.path, "--out", "a.jsonl", "--", *WAITS)
    try:
        read_until(process, "ready")
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    # A Python program that Ctrl-C ends kills itself with that signal.
    assert process.returncode == code, errors
    assert entries(tmp_path / "a.jsonl")[0]["format"] == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_without_a_program_it_is_a_port_until_it_is_told_to_end(
    command: Command, module: modemrig.VirtualModule, tmp_path: Path, number: signal.Signals
):
    process = command.start("record", module.path, "--link", str(tmp_path / "port"), "--out", "a.jsonl")
    try:
        assert process.stderr is not None
        while "Ctrl-C" not in (line := process.stderr.readline()):
            assert line, "it ended"
        with modemrig.open(tmp_path / "port", timeout_s=WITHIN_S) as modem:
            assert modem.dialect == "ecx00u_egx00u"
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, errors
    assert not (tmp_path / "port").is_symlink()
    assert said(tmp_path / "a.jsonl", "tx").startswith("ATE0")


def test_a_file_that_is_there_is_left_alone_and_a_folder_gets_one(
    command: Command, module: modemrig.VirtualModule, tmp_path: Path
):
    (tmp_path / "mine.jsonl").write_text("mine")
    done = command("record", module.path, "--out", "mine.jsonl", "--", *ENDS, "0")
    assert done.returncode == 1
    assert "mine.jsonl" in done.stderr
    assert (tmp_path / "mine.jsonl").read_text() == "mine"
    (tmp_path / "folder").mkdir()
    assert command("record", module.path, "--out", "folder", "--", *ENDS, "0").returncode == 0
    assert [path.suffix for path in (tmp_path / "folder").iterdir()] == [".jsonl"]


def test_a_virtual_module_is_recorded_by_its_name(command: Command, tmp_path: Path):
    program = [*BEHIND, "x", "AT+CGSN"]
    done = command("record", "virtual:bc35g_bc28", "--out", "v.jsonl", "--", *program)
    assert done.returncode == 0, done.stderr
    assert entries(tmp_path / "v.jsonl")[0]["port"] == "virtual:bc35g_bc28"


def test_a_port_that_is_not_there_is_one_line(command: Command, tmp_path: Path):
    done = command("record", "/dev/ttyNOSUCHPORT0", "--", *ENDS, "0")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_module_that_vanishes_is_told_and_the_file_is_whole(tmp_path: Path):
    with modemrig.VirtualModule("ecx00u_egx00u") as module:
        recorder = modemrig.Recorder(module.path, tmp_path / "a.jsonl")
        with modemrig.open(recorder.path, timeout_s=WITHIN_S) as modem:
            modem.command("+CSQ")
    with pytest.raises(modemrig.PortGone):
        recorder.wait(20)
    with pytest.raises(modemrig.PortGone):
        recorder.stop()
    assert "+CSQ" in said(tmp_path / "a.jsonl", "rx")


def test_our_own_host_is_as_fast_through_a_recorder(tmp_path: Path):
    with (
        modemrig.Recorder("virtual:ecx00u_egx00u", tmp_path) as recorder,
        modemrig.open(recorder.path, timeout_s=WITHIN_S) as modem,
    ):
        began = time.monotonic()
        for _ in range(200):
            modem.command("+CSQ")
        took = time.monotonic() - began
        assert recorder.bytes_sent >= 200 * len("AT+CSQ\r")
    # A pass takes some tens of microseconds; this bound finds a recorder that sleeps.
    assert took < 200 * 0.05, f"{took / 200 * 1000:.1f} ms a command"
    assert list(tmp_path.iterdir()) == [recorder.file]
    assert repr(recorder) == f"Recorder(path={recorder.path!r}, file={str(recorder.file)!r})"


def test_socat_in_the_programs_place(command: Command, module: modemrig.VirtualModule, tmp_path: Path):
    import shutil

    if not shutil.which("socat"):
        pytest.skip("socat is not installed")
    shell = "printf 'AT+CGMM\\n' | socat -t 5 STDIO FILE:$MODEMRIG_PORT,raw,echo=0,crnl"
    done = command("record", module.path, "--out", "a.jsonl", "--", "sh", "-c", shell)
    assert done.returncode == 0, done
    assert "OK" in done.stdout
    assert said(tmp_path / "a.jsonl", "tx") == "AT+CGMM\r\n"
    assert said(tmp_path / "a.jsonl", "rx").endswith("OK\r\n")


def test_the_program_of_these_tests_can_fail(module: modemrig.VirtualModule):
    done = subprocess.run(
        [sys.executable, HOST, module.path, "x", "AT+NOSUCH"], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 1
    assert "ERROR" in done.stderr
