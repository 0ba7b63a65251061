"""``modemrig compare``: what changed from one run of the conformance suite to another, and whether it got worse."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from modemrig.cli_words import add_command
from modemrig.errors import ModemrigError

__all__ = ["add_compare"]

_SAME, _WORSE, _TROUBLE = 0, 1, 2


def add_compare(commands: Any) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "compare",
        "compare two runs of 'conformance': one firmware against another",
        _compare,
        "Compare two results files: verdicts and answers that changed, response times that moved beyond noise, facts\n"
        "new or gone. The exit code is 1 if anything got worse, else 0; 2 if the files cannot be compared. Worse is:\n"
        "  - a documented fact that conformed, and now differs or is blocked;\n"
        "  - a command that answers slower, beyond noise (docs/conformance.md says how that is judged);\n"
        "  - a slot that is in trouble, and was not.\n"
        "Facts that were inherited or decided here, other answers and checks that were not made never are.\n"
        "Slots pair by document and name, else by IMEI, else where each file has only one of a document.",
        "  modemrig conformance --rig rig.toml --report old    and, with the other firmware, --report new\n"
        "  modemrig compare old/results.json new/results.json\n"
        "  modemrig compare old new --html changes.html\n"
        "  modemrig compare out out --slot-a slot-1 --slot-b slot-2      two slots of one run",
    )
    parser.add_argument("a", metavar="A.json", type=Path, help="the results before, or the folder of their report")
    parser.add_argument("b", metavar="B.json", type=Path, help="the results after")
    parser.add_argument("--slot-a", metavar="NAME", help="only this slot of A")
    parser.add_argument("--slot-b", metavar="NAME", help="only this slot of B; with --slot-a these two are the pair")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page as well, with everything in it")


def _compare(options: argparse.Namespace) -> int:
    # As diff does: 1 says something of the files, so that what went wrong with the comparison itself must be another code.
    if find_spec("jinja2") is None:
        print(
            "modemrig: the comparison needs jinja2, which comes with the extra: pip install 'modemrig[hil]'",
            file=sys.stderr,
        )
        return _TROUBLE
    try:
        from modemrig.conformance.compare import compare
        from modemrig.conformance.compare.terminal import lines
        from modemrig.conformance.report import load_results

        a = load_results(options.a)
        b = a if options.a == options.b else load_results(options.b)
        comparison = compare(a, b, slot_a=options.slot_a, slot_b=options.slot_b)
        if options.html is not None:
            from modemrig.conformance.compare.page import write_page

            write_page(comparison, options.html)
    except (ModemrigError, OSError) as error:
        print(f"modemrig: {error}", file=sys.stderr)
        return _TROUBLE
    print("\n".join(lines(comparison, colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR"))))
    if options.html is not None:
        print(f"page: {options.html}")
    return _WORSE if comparison.got_worse else _SAME
