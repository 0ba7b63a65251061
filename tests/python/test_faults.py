"""Faults of a virtual module from Python, from the command line and from a rig file."""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import modemrig
from conftest import Command
from modemrig import _native
from modemrig.control import ControlSocket, ask
from modemrig.hil.bench import Bench
from modemrig.rig import load_rig
from test_cli import read_until

DIALECT = "ecx00u_egx00u"


def test_a_fault_is_injected_counted_and_cleared():
    with modemrig.VirtualModule(DIALECT) as module, modemrig.open(module.path) as modem:
        module.inject("error", command="AT+CSQ")
        for _ in range(2):
            assert not modem.command("+CSQ").ok
        (fault,) = module.faults
        assert (fault.name, fault.happened, fault.left) == ("error", 2, None)
        assert fault.fault == "error:cme=4,command=AT+CSQ"
        module.clear("error")
        assert module.faults == []
        assert modem.command("+CSQ").lines


def test_a_fault_from_the_start_happens_as_often_as_asked():
    faults = ["no_answer:command=AT+CGMR,count=1"]
    with modemrig.VirtualModule(DIALECT, faults=faults) as module, modemrig.open(module.path) as modem:
        with pytest.raises(modemrig.NoAnswer):
            modem.command("+CGMR", timeout_s=1)
        assert modem.command("+CGMR").lines
        assert [(each.happened, each.left) for each in module.faults] == [(1, 0)]


def test_a_fault_that_happens_says_so_in_the_log(caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", "modemrig")
    with modemrig.VirtualModule(DIALECT) as module, modemrig.open(module.path) as modem:
        module.inject("error:command=AT+CSQ,count=1")
        assert not modem.command("+CSQ").ok
        assert modem.command("+CSQ").ok
    said = [row.getMessage() for row in caplog.records if row.name == "modemrig.virtual_module"]
    assert [line for line in said if "fault" in line] == ["fault error:cme=4,command=AT+CSQ,count=1 happens to AT+CSQ"]


@pytest.mark.parametrize("dialect", ["ecx00u_egx00u", "sim7028"])
def test_with_a_wrong_clock_no_certificate_is_valid_yet(dialect: str):
    with (
        modemrig.BenchBroker() as broker,
        modemrig.VirtualModule(dialect, broker=broker, faults=["clock_wrong:seconds=-3000000000"]) as module,
        modemrig.open(module.path) as modem,
    ):
        tls = modemrig.Tls(ca=broker.ca_pem, verify="server", ignore_local_time=False)
        client = modem.client(0)
        with pytest.raises((modemrig.OpenFailed, modemrig.RequestFailed)), client.session("b.lab", 8883, "me", tls=tls):
            pass
        module.clear()
        client.close()
        with client.session("b.lab", 8883, "me", tls=tls) as session:
            session.publish("t", b"x", qos=1).wait()


@pytest.mark.parametrize("dialect", ["ecx00u_egx00u", "sim7028"])
def test_a_full_file_system_takes_no_certificate(dialect: str):
    with (
        modemrig.VirtualModule(dialect, faults=["file_system_full:count=1"]) as module,
        modemrig.open(module.path) as modem,
    ):
        with pytest.raises(modemrig.CommandRefused):
            modem.upload("ca.pem", b"-----")
        modem.upload("ca.pem", b"-----")
        assert [file.name.removeprefix("UFS:") for file in modem.files()] == ["ca.pem"]


def test_a_text_with_commas_arrives_whole():
    with modemrig.VirtualModule(DIALECT) as module:
        module.inject("urc_in_answer:at=4", text='+CREG: 1,"1A2B"')
        assert module.faults[0].fault == "urc_in_answer:at=4,text='+CREG: 1,\"1A2B\"'"
        module.inject(module.faults[0].fault)
        assert module.faults[0] == module.faults[1]


@pytest.mark.parametrize(
    ("fault", "parameters", "said"),
    [
        ("nothing", {}, "there is no fault 'nothing'; one of: no_answer"),
        ("no_answer", {"ms": 3}, "no parameter 'ms'; it has: command, line, count"),
        ("no_answer", {"count": 0}, "count=0 is not in 1 to 1000000"),
        ("late_answer", {"ms": "soon"}, "ms=soon is not in 0 to 3600000 ms"),
        ("noise", {"direction": "up"}, "out | in | both"),
        ("no_answer", {"command": "AT+CMQTTPUB"}, "a command of the dialect"),
        ("urc_in_answer", {"text": "it's"}, "apostrophe"),
        ("urc_in_answer:text='x", {}, "apostrophe"),
        ("no_answer:count", {}, "is no key=value"),
    ],
)
def test_what_there_is_not_is_refused_and_what_there_is_is_named(fault: str, parameters: dict[str, str], said: str):
    with modemrig.VirtualModule(DIALECT) as module:
        with pytest.raises(modemrig.BadValue) as caught:
            module.inject(fault, **parameters)
        assert said.replace("'", '"') in str(caught.value).replace("'", '"')
        with pytest.raises(modemrig.BadValue, match="there is no fault"):
            module.clear("nothing")
        assert module.faults == []


def test_a_module_that_has_stopped_says_so():
    with modemrig.VirtualModule(DIALECT) as module:
        pass
    with pytest.raises(modemrig.PortClosed, match="stopped"):
        module.inject("no_answer")


def test_the_list_of_faults_explains_each(command: Command):
    done = command("virtual", "--list-faults")
    assert done.returncode == 0, done.stderr
    listed = {line.split()[0] for line in done.stdout.splitlines() if not line.startswith(" ")}
    rows = json.loads(command("virtual", "--list-faults", "--json").stdout)
    assert listed == {row["name"] for row in rows} == {name for name, *_ in _native.faults()}
    for row in rows:
        assert row["title"].endswith("."), row
        for param in row["parameters"]:
            assert set(param) == {"name", "title", "allowed", "default"}
            assert f"    {param['name']}" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120


@contextmanager
def running(command: Command, *words: str) -> Iterator[list[str]]:
    """``modemrig virtual`` as a process, until the block ends; what it printed."""
    process = command.start("virtual", DIALECT, *words)
    try:
        yield read_until(process, "Ctrl-C")
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")


def test_the_command_line_controls_a_running_module(command: Command, tmp_path: Path):
    path = tmp_path / "control"
    fault = "error:command=AT+CSQ,count=1"
    with running(command, "--control", str(path), "--fault", "no_answer:command=AT+CGMR,count=1") as said:
        assert f"control {path}" in said[0]
        assert path.stat().st_mode & 0o077 == 0
        port = said[0].split("port ")[1].split()[0]
        done = command("control", str(path), "inject", fault)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[-1] == "error:cme=4,command=AT+CSQ,count=1  happened 0, 1 left"
        with modemrig.open(port) as modem:
            assert not modem.command("+CSQ").ok
            assert modem.command("+CSQ").lines
        status = json.loads(command("control", str(path), "status", "--json").stdout)
        assert (status["dialect"], status["port"]) == (DIALECT, port)
        assert [row["fault"].partition(":")[0] for row in status["faults"]] == ["no_answer", "error"]
        assert status["faults"][1]["happened"] == 1
        assert command("control", str(path), "clear").stdout == ""
        for words, told in [(("inject", "x"), "there is no fault"), (("jump",), "inject"), (("inject",), "what?")]:
            refused = command("control", str(path), *words)
            assert refused.returncode == 1
            assert refused.stderr.startswith("modemrig: "), refused.stderr
            assert told in refused.stderr
    assert not path.exists()


def test_control_is_possible_over_tcp_on_this_computer_only():
    with modemrig.VirtualModule(DIALECT) as module:
        with ControlSocket(module, "127.0.0.1:0") as control:
            assert ask(control.path, ["inject", "no_answer"])["faults"][0]["fault"] == "no_answer"
            assert [each.name for each in module.faults] == ["no_answer"]
            path = control.path
        with pytest.raises(modemrig.PortMissing):
            ask(path, ["list"])
        with pytest.raises(modemrig.BadValue, match="127"):
            ControlSocket(module, "0.0.0.0:7000")


def test_nonsense_on_the_control_socket_is_answered_and_harms_nothing(tmp_path: Path):
    path = str(tmp_path / "control")
    with modemrig.VirtualModule(DIALECT) as module, ControlSocket(module, path):
        for nonsense in [b"hello\n", b"{}\n", b"[]\n", b"[1]\n", b"\xff\n"]:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(10)
                connection.connect(path)
                connection.sendall(nonsense)
                assert "error" in json.loads(connection.makefile().readline()), nonsense
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(path)  # and goes away
        assert ask(path, ["status"])["imei"] == module.imei


def test_a_socket_of_a_program_that_ended_is_replaced_and_any_other_file_stays(tmp_path: Path):
    stale, file = tmp_path / "stale", tmp_path / "file"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as old:
        old.bind(str(stale))
    file.write_text("precious")
    with modemrig.VirtualModule(DIALECT) as module:
        with ControlSocket(module, str(stale)):
            assert ask(str(stale), ["list"]) == {"faults": [], "quirks": []}
            with pytest.raises(modemrig.BadValue, match="no control socket"):
                ControlSocket(module, str(stale))
        with pytest.raises(modemrig.BadValue, match="no control socket"):
            ControlSocket(module, str(file))
        for nowhere in (tmp_path / "missing" / "control", tmp_path / ("long" * 40)):
            with pytest.raises(modemrig.BadValue, match="no control socket"):
                ControlSocket(module, str(nowhere))
    assert file.read_text() == "precious"


def test_a_rig_file_gives_a_slot_its_faults(tmp_path: Path):
    rig = tmp_path / "rig.toml"
    rig.write_text(f'[[slot]]\nname = "s"\nport = "virtual:{DIALECT}"\nfaults = ["error:command=AT+CSQ,count=1"]\n')
    slots = load_rig(str(rig))
    assert slots.slots[0].faults == ("error:command=AT+CSQ,count=1",)
    bench = Bench(slots, tmp_path / "log")
    try:
        with modemrig.open(bench.start_module(slots.slots[0]).path) as modem:
            assert not modem.command("+CSQ").ok
            assert modem.command("+CSQ").lines
    finally:
        bench.stop()


def test_nonsense_and_a_silent_visitor_do_no_harm_to_the_control_socket():
    with modemrig.VirtualModule(DIALECT) as module:
        control = ControlSocket(module, "127.0.0.1:0")
        host, _, port = control.path.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as visitor:
            visitor.sendall(b"[" * 60_000 + b"\n")
            assert b"one line of JSON" in visitor.recv(4096)
        assert ask(control.path, ["list"]) == {"faults": [], "quirks": []}
        with socket.create_connection((host, int(port)), timeout=10) as visitor:
            visitor.sendall(b"[")
            close = threading.Thread(target=control.close, daemon=True)
            close.start()
            close.join(5)
            assert not close.is_alive(), "it waits for a visitor who says no more"


def test_a_quirk_comes_and_goes_while_the_module_runs(tmp_path):
    socket_path = str(tmp_path / "ctl")
    with modemrig.VirtualModule("lte_standard_a") as module, ControlSocket(module, socket_path):
        with modemrig.open(module.path) as modem:
            assert modem.command('AT+QMTCFG="keepalive",1,60').ok
            module.quirk("settings_shared")
            assert modem.command('AT+QMTCFG="keepalive",2,70').ok
            assert modem.command('AT+QMTCFG="keepalive",3').lines == ('+QMTCFG: "keepalive",70',)
            assert ask(socket_path, ["quirk", "left_out_is_default"])["quirks"] == [
                "settings_shared",
                "left_out_is_default",
            ]
            assert ask(socket_path, ["unquirk", "settings_shared"])["quirks"] == ["left_out_is_default"]
            assert modem.command('AT+QMTCFG="keepalive",1').lines == ('+QMTCFG: "keepalive",60',)
            module.clear_quirk()
            assert module.quirks == []
        with pytest.raises(modemrig.BadValue, match="no quirk"):
            module.quirk("nosuch")
        with pytest.raises(modemrig.BadValue, match="no module of lte_standard_a"):
            module.quirk("state_ignored")
        with pytest.raises(modemrig.BadValue, match="no parameter"):
            module.quirk("settings_shared", ms=5)
