"""``modemrig record``: what a program and a module say, in a file; ``modemrig replay``: the file as a module.

Both can run the program themselves: what stands behind ``--``, with the port in place of ``{}`` and in ``MODEMRIG_PORT``. Its
words are its own: standard output belongs to it, ours go to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from types import FrameType
from typing import TYPE_CHECKING, Any

from modemrig.cli_words import add_command, end_on_signals, positive, seconds, typing_at, wait_for_ever
from modemrig.errors import ModemrigError

if TYPE_CHECKING:
    from modemrig.replay import ReplayModule

__all__ = ["add_record", "add_replay"]

_NOT_FOUND, _NOT_RUN = 127, 126  # as a shell says it
_BY_SIGNAL = 128
_CLOSES_WITHIN_S = 2.0


def add_record(commands: Any) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "record",
        "write down what a program and a module say",
        _record,
        "Stand between a program and a module: every byte crosses as it is, and a transcript is written, with passwords,\n"
        "device secrets and uploaded files covered. With a program behind -- : run it, its port in place of {} and in\n"
        "MODEMRIG_PORT, and end with its exit code. Without one: a port for any program, until Ctrl-C.",
        "  modemrig record /dev/ttyUSB2 -- ./my-host --port {}\n"
        "  modemrig record /dev/ttyUSB2 --baud 9600 --link /tmp/module    then start the program on /tmp/module\n"
        "  modemrig record virtual:bg95 --out field.jsonl -- python my_host.py {}\n"
        "  modemrig decode field.jsonl                 look through it before you send it",
    )
    parser.add_argument(
        "port", metavar="PORT", help="/dev/ttyUSB2, tcp://host:port, rfc2217://host:port, virtual:NAME, replay:FILE"
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        default=".",
        help="a new file, or a folder; default: one here, named after port and time",
    )
    parser.add_argument("--baud", type=positive, default=115_200, metavar="N", help="bits per second (default 115200)")
    _add_port_words(parser)


def add_replay(commands: Any) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "replay",
        "have a transcript answer as the recorded module did",
        _replay,
        "A transcript as a module: it answers by what is asked, in the order of the file. At the end it says what was\n"
        "asked otherwise than in the file, and what was not asked; exit code 1 if there was a mismatch. What is covered\n"
        "by * in the file fits any password. With a program behind -- : run it, its port in place of {} and in\n"
        "MODEMRIG_PORT, and end with it.",
        "  modemrig replay field.jsonl --link /tmp/module\n"
        "  modemrig replay field.jsonl -- ./my-host --port {}     a regression test\n"
        "  modemrig replay field.jsonl --times --until-finished 120 --json",
    )
    parser.add_argument("file", metavar="FILE", help="a transcript: of ours, or any of the form")
    parser.add_argument(
        "--times",
        action="store_true",
        help="at the recorded times; some programs live by the pauses of their module; default: at once",
    )
    parser.add_argument(
        "--any-payload", action="store_true", help="payloads need not be those of the file, nor as long"
    )
    parser.add_argument(
        "--until-finished",
        type=seconds,
        nargs="?",
        const=float("inf"),
        metavar="S",
        help="end when the file is through, or after S seconds (then exit code 1)",
    )
    parser.add_argument("--json", action="store_true", help="two JSON lines: the port, and at the end the report")
    _add_port_words(parser)


def _add_port_words(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--link", metavar="PATH", help="a symbolic link to the program's port")
    parser.add_argument("--tcp", action="store_true", help="a TCP port instead of a pseudo-terminal")
    parser.set_defaults(takes_a_program=True)


# --------------------------------------------------------------------------------------------------------------- record


def _record(options: argparse.Namespace) -> int:
    import modemrig

    _check(options)
    end_on_signals()
    recorder = modemrig.Recorder(options.port, options.out, baud=options.baud, link=options.link, tcp=options.tcp)
    code = 0
    try:
        port = options.link or recorder.path
        _say(f"recording {options.port} to {recorder.file}  port {recorder.path}" + _link(options))
        if options.behind_dashes:
            code = run_program(options.behind_dashes, port)
        else:
            _say("Ctrl-C ends it.")
            recorder.wait()
    except KeyboardInterrupt:
        pass
    finally:
        try:
            recorder.stop()
        except ModemrigError as error:
            _say(f"modemrig: {error}")
            code = code or 1
        _say(f"{recorder.bytes_sent} bytes sent, {recorder.bytes_received} received: {recorder.file}")
    return code


# --------------------------------------------------------------------------------------------------------------- replay


def _replay(options: argparse.Namespace) -> int:
    import logging

    import modemrig

    _check(options)
    logging.getLogger("modemrig.replay").setLevel(logging.ERROR)  # mismatches are in the report
    end_on_signals()
    with modemrig.ReplayModule(
        options.file, times=options.times, any_payload=options.any_payload, link=options.link, tcp=options.tcp
    ) as module:
        code, through = 0, True
        try:
            port = options.link or module.path
            if options.json:
                print(json.dumps({"port": port, "file": options.file, "exchanges": module.exchanges}), flush=True)
            else:
                _say(f"{options.file}  {module.exchanges} command lines  port {module.path}" + _link(options))
            if options.behind_dashes:
                code = run_program(options.behind_dashes, port)
            elif options.until_finished is not None:
                through = module.wait(options.until_finished)
                # A port that vanishes takes along what its host has not read yet.
                module.wait_closed(_CLOSES_WITHIN_S if through else 0.0)
            else:
                if not options.json:
                    _say(f"type    {typing_at(port)}\nCtrl-C ends it.")
                wait_for_ever()
        except KeyboardInterrupt:
            pass
        module.stop()
        _report(module, options.json)
        return code or int(bool(module.mismatches) or not through)


def _report(module: ReplayModule, as_json: bool) -> None:
    mismatches, left = module.mismatches, module.left
    if as_json:
        rows = [{"wrong": row.wrong, "asked": row.asked, "expected": row.expected} for row in mismatches]
        print(json.dumps({"finished": module.finished, "mismatches": rows, "left": list(left)}, ensure_ascii=False))
        return
    for row in mismatches:
        _say(f"mismatch: {row}")
    _say(f"{module.exchanges - len(left)} of {module.exchanges} command lines were asked, {_count(len(mismatches))}")
    for line in left:
        _say(f"not asked: {line}")


def _count(mismatches: int) -> str:
    return {0: "no mismatch", 1: "1 mismatch"}.get(mismatches, f"{mismatches} mismatches")


# -------------------------------------------------------------------------------------------------------------- program


def run_program(words: list[str], port: str) -> int:
    """Run a program on a port; its exit code, as a shell says it. Signals to us are signals to it."""
    words = [word.replace("{}", port) for word in words]
    try:
        process = subprocess.Popen(words, env={**os.environ, "MODEMRIG_PORT": port})
    except FileNotFoundError:
        _say(f"modemrig: there is no program {words[0]!r}")
        return _NOT_FOUND
    except OSError as error:
        _say(f"modemrig: {words[0]!r} cannot be run: {error.strerror}")
        return _NOT_RUN

    def forward(number: int, _: FrameType | None) -> None:
        # Ctrl-C at a terminal reaches the program without us.
        if number != signal.SIGINT or not _in_foreground():
            process.send_signal(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, forward) for number in numbers}
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else _BY_SIGNAL - code


def _in_foreground() -> bool:
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False


# ---------------------------------------------------------------------------------------------------------------- words


def _check(options: argparse.Namespace) -> None:
    if options.tcp and options.link:
        options.parser.error("--link is for a pseudo-terminal: leave it or --tcp out")


def _link(options: argparse.Namespace) -> str:
    return f"  link {options.link}" if options.link else ""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
