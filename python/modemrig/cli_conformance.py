"""``modemrig conformance``: hold modules against their documents, fact by fact."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from modemrig.cli_words import add_command, positive
from modemrig.errors import ModemrigError

if TYPE_CHECKING:
    from modemrig.rig import Rig

__all__ = ["add_conformance"]


def add_conformance(commands: Any) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "conformance",
        "hold modules against their documents, fact by fact",
        _conformance,
        "Check every fact of a module's document: each parameter at its limits, defaults, states, results, times,\n"
        "behaviour on the network. A documented fact conforms or differs; one that was inherited from another document\n"
        "or decided here is observed as expected or otherwise, and never held against a module. Slots run in parallel.\n"
        "What stands behind -- goes to pytest; the exit code is pytest's: 0 nothing differs, 1 something does, 5\n"
        "nothing selected.",
        "  modemrig conformance                                    five virtual modules, one for each document\n"
        "  modemrig conformance --rig rig.toml --report out        your rig; out/report.html, out/results.json\n"
        "  modemrig conformance --rig virtual:sim7028 --section 3.2 -k maximum\n"
        "  modemrig conformance --rig rig.toml --offline           only what needs no network\n"
        "  modemrig conformance --coverage                         what is checked, and what is not, and why\n"
        "  modemrig conformance --data                             what a run costs on a SIM\n"
        "  modemrig conformance --self-test                        does the suite notice broken modules?\n"
        "  modemrig conformance --field                            does the host bear what modules in the field do?\n"
        "  modemrig conformance -- --junitxml=result.xml",
    )
    add = parser.add_argument
    add("--rig", metavar="RIG", help="virtual (default), virtual:DIALECT, or a rig file")
    add("--broker", metavar="B", help="bench, mosquitto, or host:port; default: what the rig says")
    add("--slot", metavar="NAME", action="append", default=[], help="only this slot (may be repeated)")
    add("--section", metavar="S", action="append", default=[], help="only facts of this section: 3.3, sim7028/3.3")
    add("-k", metavar="EXPR", help="only facts whose id matches, as pytest takes it: 'QMTCFG and not minimum'")
    add("--fail-fast", action="store_true", help="end at the first difference")
    add("--repeat", metavar="N", type=positive, default=1, help="check every fact N times")
    add("--offline", action="store_true", help="only what needs no network")
    add("--patience", action="store_true", help="wait for timers of minutes on real modules")
    add("--report", metavar="DIR", help="write report.html and results.json there")
    add("-j", metavar="N", type=positive, help="so many slots at a time (default: all)")
    add(
        "--coverage",
        metavar="DIALECT",
        nargs="?",
        const="",
        help="only count: facts, facts checked, and why others are not",
    )
    add("--json", action="store_true", help="with --coverage and --field: JSON instead of text")
    add("--data", action="store_true", help="run on virtual modules and print what that costs on a SIM")
    add("--self-test", action="store_true", help="run the suite on broken virtual modules, and see that it notices")
    add(
        "--field",
        action="store_true",
        help="a session, examples and facts under every quirk alone and on every profile",
    )
    add("--everywhere", action="store_true", help="with --self-test and --field: on every document, not on one")
    parser.set_defaults(takes_words_for_pytest=True)


def _conformance(options: argparse.Namespace) -> int:
    if options.json and options.coverage is None and not options.field:
        options.parser.error("--json goes with --coverage and --field")
    if options.coverage is not None:
        return _coverage(options)
    _need_packages()
    if options.self_test:
        from modemrig.conformance.self_test import run

        return int(run(options))
    if options.field:
        from modemrig.conformance.field.matrix import run as run_field

        return int(run_field(options))
    _run(options)


def _coverage(options: argparse.Namespace) -> int:
    import json

    from modemrig.conformance.coverage import as_text, coverage

    wanted = [options.coverage] if options.coverage else _dialects(options)
    covered = [coverage(dialect) for dialect in wanted]
    if options.json:
        print(json.dumps([each.to_json() for each in covered], ensure_ascii=False))
    else:
        print("\n".join(as_text(covered)))
    return 0


def _dialects(options: argparse.Namespace) -> list[str]:
    """The documents of the chosen slots; no port is opened, and a slot that says nothing of its module may hold any."""
    import modemrig

    slots = [slot for slot in _rig(options).slots if not options.slot or slot.name in options.slot]
    known = list(dict.fromkeys(slot.known_dialect for slot in slots))
    return modemrig.dialects() if None in known else [each for each in known if each is not None]


def _rig(options: argparse.Namespace) -> Rig:
    from modemrig.rig import load_rig

    return load_rig(options.rig or os.environ.get("MODEMRIG_RIG", "virtual"), options.broker)


def _run(options: argparse.Namespace) -> NoReturn:
    import modemrig.conformance

    folder = Path(modemrig.conformance.__file__).parent
    if options.data:  # counted at virtual modules of the same documents, whatever is in the slots
        options.slot, options.rig, options.broker = _dialects(options), "virtual", None
    words = ["--pyargs", "modemrig.conformance", "-c", str(folder / "pytest.ini")]
    words += ["-o", f"cache_dir={Path.cwd() / '.pytest_cache'}"]
    for name in ("rig", "broker"):
        value = getattr(options, name)
        if value is not None:
            words += [f"--{name}", value]
    for slot in options.slot:
        words += ["--slot", slot]
    for section in options.section:
        words += ["--conformance-section", section]
    words += ["-k", options.k] if options.k else []
    words += ["-x"] if options.fail_fast else []
    words += ["--conformance-repeat", str(options.repeat)]
    words += [f"--conformance-{name}" for name in ("offline", "patience", "data") if getattr(options, name)]
    words += ["--conformance-report", options.report] if options.report is not None else []
    slots = len(options.slot) or len(_rig(options).slots)
    workers = min(slots, options.j or slots)
    words += ["-n", str(workers)] if workers > 1 else ["-p", "no:xdist"]
    # pytest wants a fresh interpreter, and signals and exit code to itself; see 'modemrig hil'.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "pytest", *words, *options.behind_dashes])


def _need_packages() -> None:
    from importlib.util import find_spec

    needed = (("pytest", "pytest"), ("pytest-xdist", "xdist"), ("paho-mqtt", "paho"))
    missing = [name for name, module in needed if find_spec(module) is None]
    if missing:
        raise ModemrigError(
            f"the suite needs {' and '.join(missing)}, which come with the extra: pip install 'modemrig[hil]'"
        )
