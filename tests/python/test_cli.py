"""The command ``modemrig`` as a process: what it prints, how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import modemrig
from conftest import Command

COMMANDS = [
    "ports",
    "identify",
    "catalogue",
    "virtual",
    "control",
    "record",
    "replay",
    "decode",
    "hil",
    "conformance",
    "compare",
]
TRANSCRIPT = "\n".join(
    json.dumps(line)
    for line in [
        {"format": 1, "dialect": "ecx00u_egx00u", "echo": False},
        {"t": 0.0, "dir": "tx", "data": 'AT+QMTOPEN=0,"hub.example",1883\r'},
        {"t": 0.1, "dir": "rx", "data": "\r\nOK\r\n"},
        {"t": 0.5, "dir": "rx", "data": "\r\n+QMTOPEN: 0,0\r\n"},
    ]
)


def test_help_teaches_with_commands_that_exist(command: Command):
    done = command("--help")
    assert done.returncode == 0
    taught = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("  modemrig ")}
    assert taught <= set(COMMANDS)
    assert {"hil", "virtual", "catalogue", "ports"} <= taught


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself_with_an_example(command: Command, name: str):
    done = command(name, "--help")
    assert done.returncode == 0
    assert f"  modemrig {name}" in done.stdout.split("examples:")[1]


def test_without_words_it_says_how_it_is_used(command: Command):
    done = command()
    assert done.returncode == 2
    assert "usage: modemrig" in done.stderr


def test_version(command: Command):
    assert command("--version").stdout == f"modemrig {modemrig.__version__}\n"


def test_catalogue_lists_every_dialect(command: Command):
    done = command("catalogue")
    assert done.returncode == 0
    listed = [line.split()[0] for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert listed == modemrig.dialects()


def test_catalogue_json_is_one_object(command: Command):
    done = command("catalogue", "ecx00u_egx00u", "--json")
    document = json.loads(done.stdout)
    assert document == modemrig.catalogue("ecx00u_egx00u")
    assert document["document"]["id"] == "ecx00u_egx00u"


def test_catalogue_of_a_dialect_is_a_reference_to_read(command: Command):
    done = command("catalogue", "ecx00u_egx00u")
    assert done.returncode == 0
    assert "AT+QMTOPEN" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("catalogue", "nix"), "there is no dialect"),
        (("identify", "/dev/tty-not-there"), "/dev/tty-not-there"),
        (("decode", "not-there.jsonl"), "not-there.jsonl"),
        (("virtual", "nix"), "there is no dialect"),
        (("virtual", "ecx00u_egx00u", "--broker", "nowhere"), "host:port"),
        (("virtual", "ecx00u_egx00u", "--quirk", "no_such"), "there is no quirk"),
        (("virtual", "ecx00u_egx00u", "--fault", "no_such"), "there is no fault"),
        (("virtual", "ecx00u_egx00u", "--fault", "late_answer:ms=soon"), "0 to 3600000 ms"),
        (("control", "no-such-socket", "list"), "no virtual module answers"),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(command: Command, words: tuple[str, ...], said: str):
    done = command(*words)
    assert done.returncode == 1, done
    assert done.stderr.startswith("modemrig: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("virtual",),
        ("virtual", "ecx00u_egx00u", "--count", "0"),
        ("virtual", "ecx00u_egx00u", "--speed", "fast"),
        ("virtual", "ecx00u_egx00u", "--count", "2", "--identity", "imei=490154203237518"),
        ("identify",),
        ("nonsense",),
        ("ports", "--", "-k", "x"),
    ],
)
def test_a_word_that_makes_no_sense_is_exit_code_2(command: Command, words: tuple[str, ...]):
    done = command(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")


def test_list_of_quirks_is_name_and_title(command: Command):
    done = command("virtual", "--list-quirks")
    assert done.returncode == 0
    assert "prompt_on_own_line" in {line.split()[0] for line in done.stdout.splitlines()}


def test_decode_prints_one_json_object_for_each_event(command: Command, tmp_path: Path):
    (tmp_path / "talk.jsonl").write_text(TRANSCRIPT + "\n", encoding="utf-8")
    done = command("decode", "talk.jsonl", "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["e"] for event in events] == ["final", "open"]
    assert events[1] == {"e": "open", "client": 0, "code": 0}


def test_decode_reads_standard_input_and_prints_text(command: Command):
    done = command("decode", "-", stdin=TRANSCRIPT)
    assert done.returncode == 0, done.stderr
    assert [line.split() for line in done.stdout.splitlines()] == [["final", "ok=yes"], ["open", "client=0", "code=0"]]


def test_decode_of_something_else_names_the_line(command: Command):
    done = command("decode", "-", stdin="hello\n")
    assert done.returncode == 1
    assert "line 1" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_reader_who_goes_away_is_no_error(command: Command):
    read, write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "modemrig", "catalogue", "ecx00u_egx00u"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        env=command.environment(),
    )
    os.close(read)  # before a byte can be written: the program starts slower than this line
    os.close(write)
    _, said = process.communicate(timeout=50)
    assert said == ""
    assert process.returncode == 141


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_virtual_runs_until_it_is_told_to_end(command: Command, tmp_path: Path, number: signal.Signals):
    link = tmp_path / "module"
    process = command.start("virtual", "ecx00u_egx00u", "--link", str(link))
    try:
        said = read_until(process, "Ctrl-C")
        assert link.is_symlink()
        port = said[0].split("port ")[1].split()[0]
        with modemrig.open(port) as modem:
            assert modem.dialect == "ecx00u_egx00u"
        assert Path(said[1].split("CA file ")[1]).read_text().startswith("-----BEGIN CERTIFICATE")
        certificate, key = said[2].removesuffix("  for mutual TLS").split("certificate ")[1].split("  key ")
        assert Path(certificate).read_text().startswith("-----BEGIN CERTIFICATE")
        assert Path(key).stat().st_mode & 0o077 == 0
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (0, "")
        assert not link.is_symlink()
    finally:
        process.kill()
        process.communicate()


def test_virtual_says_what_to_type_and_whom_it_takes_a_link_from(command: Command, tmp_path: Path):
    link = tmp_path / "module"
    first = command.start("virtual", "sim7028", "--link", str(link))
    second = None
    try:
        said = read_until(first, "Ctrl-C")
        port = said[0].split("port ")[1].split()[0]
        broker = said[1].split()[1].split(":")[1]
        assert said[3] == f"type    picocom {link}  (AT, Enter; Ctrl-A Ctrl-X leaves)"
        assert said[4] == f"peer    mosquitto_pub -h 127.0.0.1 -p {broker} -t TOPIC -m TEXT"
        second = command.start("virtual", "sim7028", "--link", str(link))
        read_until(second, "Ctrl-C")
        second.send_signal(signal.SIGINT)
        _, errors = second.communicate(timeout=20)
        assert errors == f"note: {link} led to {port} and leads to this module now\n"
        # The first is still there, under the name that it has of itself.
        with modemrig.open(port) as modem:
            assert modem.dialect == "sim7028"
    finally:
        for process in filter(None, (first, second)):
            process.kill()
            process.communicate()


def test_a_module_on_tcp_is_typed_at_with_socat(command: Command):
    process = command.start("virtual", "sim7028", "--tcp", "--broker", "broker.example:1884:8884")
    try:
        said = read_until(process, "ends it")
        port = said[0].split("tcp://")[1]
        assert said[2] == f"type    socat STDIO,raw,echo=0,escape=3 TCP:{port}  (AT, Enter; Ctrl-C leaves)"
        assert said[3] == "peer    mosquitto_pub -h broker.example -p 1884 -t TOPIC -m TEXT"
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


def test_a_link_that_cannot_be_made_is_named(command: Command, tmp_path: Path):
    done = command("virtual", "sim7028", "--link", str(tmp_path / "no-folder" / "module"))
    assert (done.returncode, done.stdout) == (1, "")
    assert str(tmp_path / "no-folder" / "module") in done.stderr
    assert command("virtual", "sim7028", "--tcp", "--link", "module").returncode == 2


def test_virtual_starts_as_many_as_asked(command: Command, tmp_path: Path):
    process = command.start("virtual", "bc35g_bc28", "--count", "3", "--link", str(tmp_path / "module"))
    try:
        said = read_until(process, "Ctrl-C")
        modules = [line for line in said if line.startswith("bc35g_bc28")]
        assert len({line.split("IMEI ")[1].split()[0] for line in modules}) == 3
        assert sorted(path.name for path in tmp_path.iterdir()) == ["module-1", "module-2", "module-3"]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)


def read_until(process: subprocess.Popen[str], word: str) -> list[str]:
    """Lines a process prints up to the one that holds a word; the test's own time-out bounds it."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if word in line:
            return lines
    raise AssertionError(f"ended before it said {word!r}: {lines}, {process.stderr and process.stderr.read()}")


def test_identify_names_a_module_and_its_dialect(command: Command):
    with modemrig.VirtualModule("ecx00u_egx00u") as module:
        done = command("identify", module.path)
    assert done.returncode == 0, done.stderr
    assert "ecx00u_egx00u" in done.stdout
    assert module.imei in done.stdout


def test_ports_ends_well_with_and_without_ports(command: Command):
    assert command("ports").returncode == 0


def test_hil_without_its_extra_names_it(command: Command, tmp_path: Path):
    # An interpreter that finds the package and nothing else installed.
    program = "import sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p] + [sys.argv.pop()]\n"
    program += "from modemrig.cli import main; sys.exit(main(['hil']))"
    (tmp_path / "modemrig").symlink_to(Path(modemrig.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-S", "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 1
    assert "pip install 'modemrig[hil]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_word_of_pytest_before_the_dashes_is_shown_its_place(command: Command):
    done = command("hil", "-k", "5.1")
    assert done.returncode == 2
    assert "usage: modemrig hil" in done.stderr
    assert "modemrig hil -- -k 5.1" in done.stderr


def test_identify_names_the_line_that_ends_under_it(command: Command):
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        process = command.start("identify", target)
        try:
            server.settimeout(20)
            server.accept()[0].close()
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()
            process.communicate()
    assert process.returncode == 1
    assert target in said
    assert "check cable and power" in said


def test_a_file_that_is_no_transcript_says_so(command: Command, tmp_path: Path):
    file = tmp_path / "notes.txt"
    file.write_text("hello\n")
    done = command("decode", str(file))
    assert done.returncode == 1
    assert "notes.txt, line 1: this is no line of a transcript" in done.stderr
