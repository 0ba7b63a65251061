"""``modemrig replay``: a recorded session of a third program, played to that program and to our own host."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

import modemrig
from conftest import Command
from test_cli import read_until
from test_record import BEHIND, PASSWORD, WITHIN_S

HEADER = {"format": 1, "dialect": "ecx00u_egx00u"}
TALK = [
    ("tx", "AT+CSQ\r"),
    ("rx", "\r\n+CSQ: 24,99\r\n\r\nOK\r\n"),
    ("tx", 'AT+QMTOPEN=0,"hub.example",1883\r'),
    ("rx", "\r\nOK\r\n"),
    ("rx", "\r\n+QMTOPEN: 0,0\r\n"),
    ("tx", 'AT+QMTCONN=0,"dev","user","****"\r'),
    ("rx", "\r\nOK\r\n\r\n+QMTCONN: 0,0,0\r\n"),
]


def log(talk: Iterable[tuple[str, str]] = TALK) -> list[str]:
    """A transcript whose pieces are 0.3 s apart."""
    lines = [{"t": 0.3 * number, "dir": dir, "data": data} for number, (dir, data) in enumerate(talk)]
    return [json.dumps(HEADER), *map(json.dumps, lines)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "field.jsonl"
    file.write_text("\n".join(log()) + "\n", encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A session of a program that knows nothing of ours, and what that program printed."""
    folder = tmp_path_factory.mktemp("recorded")
    done = Command(folder)("record", "virtual:ecx00u_egx00u", "--out", "field.jsonl", "--", *BEHIND, PASSWORD)
    assert done.returncode == 0, done
    return folder / "field.jsonl", done.stdout


@pytest.mark.parametrize("password", [PASSWORD, "another one, of another length"])
@pytest.mark.parametrize("words", [[], ["--times"]])
def test_the_same_program_has_the_same_session(
    command: Command, recorded: tuple[Path, str], password: str, words: list[str]
):
    file, printed = recorded
    done = command("replay", str(file), *words, "--", *BEHIND, password)
    assert (done.returncode, done.stdout) == (0, printed), done
    assert "no mismatch" in done.stderr
    assert "not asked" not in done.stderr


def test_our_own_host_has_the_session_too(recorded: tuple[Path, str]):
    file, _ = recorded
    with modemrig.ReplayModule(file) as module, modemrig.open(module.path, timeout_s=WITHIN_S) as modem:
        codes = []
        for line in ('+QMTOPEN=0,"hub.example",1883', '+QMTCONN=0,"dev","user","mine"', '+QMTSUB=0,1,"a/b",1'):
            result = modem.command(line).result
            assert result is not None
            codes.append(result.code)
        sent = modem.command('+QMTPUBEX=0,2,1,0,"a/b",5', payload=b"21.5C").result
        assert sent is not None
        assert [*codes, sent.code] == [0, 0, 0, 0]
        assert modem.command("+QMTDISC=0").result is not None
        assert module.wait(20)
        assert module.mismatches == ()
        assert any(line.startswith("AT+QMTUNS") for line in module.left), "commands that we left out are told"


def test_a_log_is_a_test_of_a_host(file: Path):
    with modemrig.ReplayModule(file) as module, modemrig.open(module.path, timeout_s=WITHIN_S) as modem:
        assert modem.command("+CSQ").lines == ("+CSQ: 24,99",)
        assert modem.command('+QMTOPEN=0,"hub.example",1883').final == "OK"
        assert not module.finished
        assert modem.command('+QMTCONN=0,"dev","user","s3cret"').final == "OK"
        assert module.wait(20)
        assert module.finished
        assert (module.mismatches, module.left, module.exchanges) == ((), (), 3)


def test_what_is_asked_otherwise_is_told_without_the_hosts_secrets(file: Path):
    with modemrig.ReplayModule(file) as module, modemrig.open(module.path, timeout_s=WITHIN_S) as modem:
        assert modem.command('+QMTCONN=0,"other","user","s3cret"').final == "ERROR"
        (mismatch,) = module.mismatches
        assert (mismatch.wrong, mismatch.expected) == ("unknown", "AT+CSQ")
        assert mismatch.asked == 'AT+QMTCONN=0,"other","user","******"'
        assert str(mismatch).startswith("AT+QMTCONN")
        assert "s3cret" not in repr(mismatch)
        assert not module.wait(0.01)


def test_times_are_as_recorded():
    with modemrig.ReplayModule(log(), times=True) as module, modemrig.open(module.path, timeout_s=WITHIN_S) as modem:
        began = time.monotonic()
        modem.command('+QMTOPEN=0,"hub.example",1883')
        assert time.monotonic() - began >= 0.59


def test_open_takes_a_file_in_a_modules_place(file: Path):
    with modemrig.open(f"replay:{file}", timeout_s=WITHIN_S) as modem:
        assert modem.port == f"replay:{file}"
        assert modem.command("+CSQ").lines == ("+CSQ: 24,99",)
    with pytest.raises(modemrig.BadValue, match="replay:FILE"):
        modemrig.open("replay:")
    with pytest.raises(modemrig.BadValue, match="broker="):
        modemrig.open(f"replay:{file}", broker="127.0.0.1:1883")


def test_a_recording_of_a_replay_is_the_same_talk(file: Path, tmp_path: Path):
    with (
        modemrig.Recorder(f"replay:{file}", tmp_path / "again.jsonl") as recorder,
        modemrig.open(recorder.path, timeout_s=WITHIN_S) as modem,
    ):
        modem.command("+CSQ")
    with (
        modemrig.ReplayModule(tmp_path / "again.jsonl") as module,
        modemrig.open(module.path, timeout_s=WITHIN_S) as modem,
    ):
        assert modem.command("+CSQ").lines == ("+CSQ: 24,99",)
        assert module.mismatches == ()


@pytest.mark.parametrize("times", [False, True])
@pytest.mark.parametrize("name", ["ecx00u_egx00u", "bc35g_bc28", "sim7028", "bg95", "ec801e", "sim7600", "a76xx"])
def test_a_transcript_of_our_own_host_is_replayed_to_it(tmp_path: Path, name: str, times: bool):
    def session(target: str, transcript: Path | None) -> tuple[str, list[bytes]]:
        with modemrig.open(target, transcript=transcript, timeout_s=WITHIN_S) as modem:
            client = modem.client(0)
            with client.session("hub.example", 1883, client_id="dev", username="u", password=PASSWORD) as session:
                session.subscribe({"a/b": 1})
                session.publish("a/b", b"21.5C", qos=1).wait()
                payloads = []
                for message in session.messages(timeout_s=10):
                    payloads.append(message.payload)
                    break
            return modem.identity.imei, payloads

    first = session(f"virtual:{name}", tmp_path / "own.jsonl")
    assert PASSWORD not in (tmp_path / "own.jsonl").read_text(encoding="utf-8")
    with modemrig.ReplayModule(tmp_path / "own.jsonl", times=times) as module:
        assert session(module.path, None) == first
        assert module.mismatches == ()
        # On a slow machine the first words are said twice.
        assert [line for line in module.left if not line.startswith("ATE0")] == []


def test_a_mismatch_is_exit_code_1_and_a_report(command: Command, file: Path):
    done = command("replay", str(file), "--json", "--", *BEHIND, "x", "AT+CSQ", "AT+CSQ", "AT+CGSN")
    assert done.returncode == 0, done
    done = command("replay", str(file), "--json", "--", *BEHIND, "x", "AT+CSQ", "AT+CPIN?")
    assert done.returncode == 1
    first, *_, last = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert first["exchanges"] == 3
    assert last["mismatches"] == [
        {"wrong": "unknown", "asked": "AT+CPIN?", "expected": 'AT+QMTOPEN=0,"hub.example",1883'}
    ]
    assert last["left"] == ['AT+QMTOPEN=0,"hub.example",1883', 'AT+QMTCONN=0,"dev","user","****"']
    text = command("replay", str(file), "--", *BEHIND, "x", "AT+CPIN?")
    assert text.stderr.count("AT+CPIN? is not in the file") == 1
    assert "mismatch: AT+CPIN? is not in the file: answered ERROR; the file had AT+CSQ next" in text.stderr
    assert "0 of 3 command lines were asked, 1 mismatch\nnot asked: AT+CSQ\n" in text.stderr


def test_it_ends_when_the_file_is_through_or_the_time_is(command: Command, file: Path):
    process = command.start("replay", str(file), "--json", "--until-finished", "40")
    try:
        said = json.loads(read_until(process, "port")[0])
        with modemrig.open(said["port"], timeout_s=WITHIN_S) as modem:
            for line in ("+CSQ", '+QMTOPEN=0,"hub.example",1883', '+QMTCONN=0,"dev","user","x"'):
                modem.command(line)
        out, errors = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, errors
    assert json.loads(out)["finished"] is True
    assert command("replay", str(file), "--until-finished", "0.1").returncode == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_until_it_is_told_to_end(command: Command, file: Path, tmp_path: Path, number: signal.Signals):
    process = command.start("replay", str(file), "--link", str(tmp_path / "module"), "--json")
    try:
        read_until(process, "port")
        assert (tmp_path / "module").is_symlink()
        process.send_signal(number)
        out, errors = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert json.loads(out)["mismatches"] == []
    assert not (tmp_path / "module").is_symlink()


def test_a_damaged_file_is_named_by_its_line(command: Command, tmp_path: Path):
    whole = "\n".join(log())
    (tmp_path / "cut.jsonl").write_text(whole[:-20], encoding="utf-8")
    for name in ("replay", "decode"):
        done = command(name, "cut.jsonl")
        assert done.returncode == 1
        assert "cut.jsonl, line 8: the file is damaged here: it is cut off" in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1
    assert "open" in command("decode", "cut.jsonl").stdout, "what stands before it is printed"
    (tmp_path / "bytes.jsonl").write_bytes(whole.encode() + b'\n{"t": 9, "dir": "rx", "data": "\xff"}\n')
    assert "line 9: the file is damaged here: it is not UTF-8" in command("decode", "bytes.jsonl").stderr
    assert command("replay", "not-there.jsonl").returncode == 1
    with pytest.raises(modemrig.BadValue, match="line 1"):
        modemrig.ReplayModule(["hello"])


def test_stopping_leaves_what_was_noted(file: Path):
    module = modemrig.ReplayModule(file)
    with modemrig.open(module.path, timeout_s=WITHIN_S) as modem:
        modem.command("+QMTDISC=0")
    module.stop()
    module.stop()
    assert [mismatch.wrong for mismatch in module.mismatches] == ["unknown"]
    assert repr(module) == f"ReplayModule({str(file)!r}, path={module.path!r})"


def test_a_replay_on_tcp(file: Path):
    with modemrig.ReplayModule(file, tcp=True) as module, modemrig.open(module.path, timeout_s=WITHIN_S) as modem:
        assert module.path.startswith("tcp://127.0.0.1:")
        assert modem.command("+CSQ").final == "OK"


def test_the_program_sees_a_port_that_vanishes(file: Path):
    module = modemrig.ReplayModule(file)
    wait = f"import os; line = os.open({module.path!r}, os.O_RDWR | os.O_NOCTTY); print('open', flush=True)\n"
    wait += "try:\n    data = os.read(line, 1)\nexcept OSError:\n    data = b''\nprint(len(data))"
    process = subprocess.Popen([sys.executable, "-c", wait], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        module.stop()
        out, _ = process.communicate(timeout=20)
        assert out == "0\n"
    finally:
        process.kill()
        process.communicate()
