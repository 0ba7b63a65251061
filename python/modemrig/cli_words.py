"""What commands share: how one is declared, the types of its words, how it waits and ends."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["add_command", "end_on_signals", "factor", "positive", "seconds", "typing_at", "wait_for_ever"]


def add_command(
    commands: Any, name: str, summary: str, run: Callable[[argparse.Namespace], int], text: str, examples: str
) -> argparse.ArgumentParser:
    """Declare a command of ``modemrig``: what the list says of it, what its own help says, and examples."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=text,
        epilog=f"examples:\n{examples}",
    )
    parser.set_defaults(run=run, parser=parser, takes_words_for_pytest=False, takes_a_program=False)
    return parser


def positive(word: str) -> int:
    """A whole number of at least 1."""
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is not a number of at least 1")
    return int(word)


def seconds(word: str) -> float:
    """A time."""
    return _number(word, "a number of seconds above 0")


def factor(word: str) -> float:
    """A factor."""
    return _number(word, "a factor above 0")


def _number(word: str, what: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{word!r} is not {what}")
    return number


def typing_at(path: str) -> str:
    """What a person enters in another terminal to type at the module."""
    if path.startswith("tcp://"):
        return f"socat STDIO,raw,echo=0,escape=3 TCP:{path.removeprefix('tcp://')}  (AT, Enter; Ctrl-C leaves)"
    return f"picocom {path}  (AT, Enter; Ctrl-A Ctrl-X leaves)"


def end_on_signals() -> None:
    """Make SIGTERM, and a terminal that is closed, end the program as Ctrl-C does: modules stopped, links removed."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup sets it
        signal.signal(signal.SIGHUP, interrupt)


def wait_for_ever() -> NoReturn:
    """Wait for Ctrl-C, which is raised."""
    import sys
    import threading

    never = threading.Event()
    try:
        while True:
            never.wait()
    except KeyboardInterrupt:
        if sys.stdout.isatty():
            print()  # behind the terminal's ^C
        raise
