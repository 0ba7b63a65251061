"""Words of the command line: how a command is declared, and the types of its words. Used by ``cli.py`` and its neighbours."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

__all__ = ["add_command", "factor", "positive", "seconds"]


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
    parser.set_defaults(run=run, parser=parser, takes_words_for_pytest=False)
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
