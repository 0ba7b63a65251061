"""The command ``modemrig``: what a person at a terminal, or a Makefile, asks for. Everything it does is in the library.

Exit codes: 0 done, 1 an error that one line says, 2 a word of the command line that makes no sense, 130 Ctrl-C. ``hil`` and
``conformance`` end with pytest's codes, ``compare`` as diff does: 1 something got worse, 2 an error. ``record`` and ``replay``
end with the code of the program they run; ``replay`` with 1 where something was asked otherwise than recorded.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from modemrig.cli_compare import add_compare
from modemrig.cli_conformance import add_conformance
from modemrig.cli_record import add_record, add_replay
from modemrig.cli_virtual import add_control, add_virtual
from modemrig.cli_words import add_command, seconds
from modemrig.errors import ModemrigError

if TYPE_CHECKING:
    from modemrig.events import Identity

__all__ = ["main"]

_INTERRUPTED = 130
_BROKEN_PIPE = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    words, behind_dashes = _split_at_dashes(words)
    parser = _parser()
    options, unknown = parser.parse_known_args(words)
    if unknown:
        said = f"{options.parser.prog} -- {' '.join(unknown)}"
        hint = f"; words for pytest stand behind --: {said}" if options.takes_words_for_pytest else ""
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    if behind_dashes and not (options.takes_words_for_pytest or options.takes_a_program):
        parser.error("only hil, conformance, record and replay take words behind --")
    options.behind_dashes = behind_dashes
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        code = run(options)
        sys.stdout.flush()
    except ModemrigError as error:
        print(f"modemrig: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _BROKEN_PIPE
    except OSError as error:
        print(f"modemrig: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    return code


def _split_at_dashes(words: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in words:
        return words, []
    place = words.index("--")
    return words[:place], words[place + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="modemrig",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Drive and test the MQTT service inside cellular modules.",
        epilog="""\
first steps, without any hardware:
  modemrig hil                              run every documented example on five virtual modules
  modemrig virtual ecx00u_egx00u            a module on a pseudo-terminal, for any terminal program
  modemrig catalogue                        the dialects; 'modemrig catalogue ID' is a reference to read

with a module on a port:
  modemrig ports                            what is plugged in, and who holds it
  modemrig identify /dev/ttyUSB2            is this the AT interface, at which speed, which module
  modemrig hil --rig rig.toml               run the suite on the rig you describe
  modemrig record /dev/ttyUSB2 -- PROGRAM   write down what a program and a module say; secrets are covered
  modemrig replay FILE -- PROGRAM           have the file answer in the module's place

'modemrig COMMAND --help' says more about each.""",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_ports(commands)
    _add_identify(commands)
    _add_catalogue(commands)
    add_virtual(commands)
    add_control(commands)
    add_record(commands)
    add_replay(commands)
    _add_decode(commands)
    _add_hil(commands)
    add_conformance(commands)
    add_compare(commands)
    return parser


class _Version(argparse.Action):
    """Prints the version; an action, so that the extension module is loaded only when asked."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        import modemrig

        print(f"modemrig {modemrig.__version__}")
        parser.exit()


# ---------------------------------------------------------------------------------------------------------------- ports


def _add_ports(commands: Any) -> None:
    add_command(
        commands,
        "ports",
        "list the serial ports of this computer",
        _ports,
        "List the serial ports of this computer, what the adapters say of themselves, and who holds each port.\n"
        "The names below /dev/serial survive a reboot; use them in rig files.",
        "  modemrig ports",
    )


def _ports(_: argparse.Namespace) -> int:
    import modemrig

    found = modemrig.ports()
    if not found:
        print("modemrig: no serial port found; is the module powered and its USB cable in?", file=sys.stderr)
    for port in found:
        facts = [port.description, port.usb and f"[{port.usb}]", port.holder and f"held by {port.holder}"]
        print(f"{port.path:16} {'  '.join(fact for fact in facts if fact)}".rstrip())
        for link in port.links:
            print(f"{'':16} {link}")
    return 0


# ------------------------------------------------------------------------------------------------------------- identify


def _add_identify(commands: Any) -> None:
    parser = add_command(
        commands,
        "identify",
        "say what is behind a port",
        _identify,
        "Try the usual speeds and say what answers: a module with its identity and dialect, or another interface of\n"
        "one (NMEA, diagnostic). Exits with 0 when a module answers AT, with 1 otherwise.",
        "  modemrig identify /dev/ttyUSB2\n  modemrig identify tcp://10.0.0.5:4001",
    )
    parser.add_argument("port", metavar="PORT", help="/dev/ttyUSB2, tcp://host:port, rfc2217://host:port")
    parser.add_argument("--timeout", type=seconds, metavar="S", help="how long to try in all, in seconds")


_NOT_AT = {
    "nmea": "an NMEA interface: it sends positions; the AT interface of the same module is another port",
    "diagnostic": "a diagnostic interface: binary frames; the AT interface of the same module is another port",
    "unknown": "something sends, but no AT answer, no NMEA and no diagnostic frames",
    "silent": "nothing answers at any speed tried; is the module on, and is this its AT interface?",
}


def _identify(options: argparse.Namespace) -> int:
    import modemrig

    report = modemrig.identify(options.port, timeout_s=options.timeout)
    if report.identity is None:
        print(f"{report.port}: {_NOT_AT.get(report.kind, report.kind)}")
        return 1
    print(f"{report.port}: a module answers at {report.baud} bits per second")
    _print_identity(report.identity)
    return 0


def _print_identity(identity: Identity) -> None:
    for name in ("manufacturer", "model", "revision", "imei", "dialect"):
        print(f"  {name:12} {getattr(identity, name) or 'not known'}")


# ------------------------------------------------------------------------------------------------------------ catalogue


def _add_catalogue(commands: Any) -> None:
    parser = add_command(
        commands,
        "catalogue",
        "print what a vendor's document says",
        _catalogue,
        "Without ID: list the dialects. With ID: a reference of its commands, ranges, times, codes and examples,\n"
        "each with the section of the document it comes from.",
        "  modemrig catalogue\n  modemrig catalogue sim7028 | less\n"
        "  modemrig catalogue ecx00u_egx00u --json | jq '.commands[].name'",
    )
    parser.add_argument("id", nargs="?", metavar="ID", help="a dialect; without it, the list")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")


def _catalogue(options: argparse.Namespace) -> int:
    import json

    import modemrig
    from modemrig import _native

    if options.id is not None:
        print(_native.catalogue_json(options.id) if options.json else _native.reference(options.id).rstrip("\n"))
        return 0
    documents = [modemrig.catalogue(dialect) for dialect in modemrig.dialects()]
    if options.json:
        print(json.dumps([document["document"] for document in documents], ensure_ascii=False))
        return 0
    for document in documents:
        about = document["document"]
        version = f", version {about['version']}" if about.get("version") else ""
        print(f"{about['id']:22} {about['title']}{version}")
        print(f"{'':22} {_count(document, 'commands')}, {_count(document, 'examples')}")
    return 0


def _count(document: dict[str, Any], what: str) -> str:
    number = len(document[what])
    return f"{number} {what if number != 1 else what.removesuffix('s')}"


# --------------------------------------------------------------------------------------------------------------- decode


def _add_decode(commands: Any) -> None:
    parser = add_command(
        commands,
        "decode",
        "print the events in a transcript",
        _decode,
        "Print what happened in a transcript, event by event: finals, results, messages, lost connections.",
        "  modemrig decode slot-1.jsonl\n  modemrig decode slot-1.jsonl --json | jq 'select(.e == \"msg\")'\n"
        "  modemrig decode -                           from standard input",
    )
    parser.add_argument("file", metavar="FILE", help="a transcript; - is standard input")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of text")


def _decode(options: argparse.Namespace) -> int:
    import json

    from modemrig.transcripts import decode_texts

    for text in decode_texts(_lines_of_stdin(sys.stdin.buffer) if options.file == "-" else options.file):
        if options.json:
            print(text)
        else:
            event = json.loads(text)
            fields = "  ".join(f"{name}={_shown(value)}" for name, value in event.items() if name != "e")
            print(f"{event['e']:12} {fields}".rstrip())
    return 0


def _lines_of_stdin(stream: IO[bytes]) -> list[str]:
    return stream.read().decode("utf-8").splitlines()


def _shown(value: Any) -> str:
    if isinstance(value, str):
        text = repr(value)
        return text if len(text) <= 100 else f"{text[:80]}… ({len(value)} bytes)"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


# ------------------------------------------------------------------------------------------------------------------ hil


def _add_hil(commands: Any) -> None:
    parser = add_command(
        commands,
        "hil",
        "run the hardware-in-the-loop suite",
        _hil,
        "Run every documented example, and more, on the modules of a rig. What stands behind -- goes to pytest; the\n"
        "exit code is pytest's: 0 all passed, 1 some failed, 5 nothing selected.",
        "  modemrig hil                                five virtual modules, one for each document\n"
        "  modemrig hil --rig virtual:sim7028          one virtual module\n"
        "  modemrig hil --rig rig.toml --slot slot-1   a slot of your rig\n"
        "  modemrig hil --broker 127.0.0.1:1883        another broker\n"
        "  modemrig hil -- -k 5.1 -x --junitxml=result.xml",
    )
    parser.add_argument("--rig", metavar="RIG", help="virtual (default), virtual:DIALECT, or a rig file")
    parser.add_argument("--broker", metavar="B", help="bench, mosquitto, or host:port; default: what the rig says")
    parser.add_argument("--slot", metavar="NAME", action="append", default=[], help="only this slot (may be repeated)")
    parser.set_defaults(takes_words_for_pytest=True)


def _hil(options: argparse.Namespace) -> NoReturn:
    from importlib.util import find_spec

    missing = [name for name, module in (("pytest", "pytest"), ("paho-mqtt", "paho")) if find_spec(module) is None]
    if missing:
        raise ModemrigError(
            f"the suite needs {' and '.join(missing)}, which come with the extra: pip install 'modemrig[hil]'"
        )
    # The suite brings its own settings, so that a pytest.ini of the folder it is started in changes nothing; what pytest
    # remembers between runs (--last-failed) stays in that folder.
    import modemrig.hil

    settings = Path(modemrig.hil.__file__).with_name("pytest.ini")
    words = ["--pyargs", "modemrig.hil", "-c", str(settings), "-o", f"cache_dir={Path.cwd() / '.pytest_cache'}"]
    for name in ("rig", "broker"):
        value = getattr(options, name)
        if value is not None:
            words += [f"--{name}", value]
    for slot in options.slot:
        words += ["--slot", slot]
    # pytest wants a fresh interpreter (it rewrites modules as they are imported), and signals and exit code to itself.
    # -P: what lies in the current folder is not the package.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "pytest", *words, *options.behind_dashes])


if __name__ == "__main__":
    sys.exit(main())
