"""``modemrig virtual``: modules that are not there, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator
from typing import Any, NoReturn

from modemrig.cli_words import add_command, factor, positive

__all__ = ["add_virtual"]


def add_virtual(commands: Any) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "virtual",
        "run virtual modules until Ctrl-C",
        _virtual,
        "Run virtual modules, each on a pseudo-terminal of its own, with a real MQTT broker behind them. Any program\n"
        "that opens a serial port can talk to one. Every host name a module dials leads to the broker (port 1883 to\n"
        "its plain port, 8883 to its TLS port), so the documents' examples run as printed.",
        "  modemrig virtual ecx00u_egx00u              then, elsewhere: tio /dev/pts/5\n"
        "  modemrig virtual sim7028 --count 4\n"
        "  modemrig virtual bc35g_bc28 --broker 127.0.0.1:1883 --link /tmp/module\n"
        "  modemrig virtual lte_standard_a --quirk prompt_on_own_line",
    )
    parser.add_argument("dialect", nargs="?", metavar="DIALECT", help="one of 'modemrig catalogue'")
    parser.add_argument("--count", type=positive, default=1, metavar="N", help="how many modules (default 1)")
    parser.add_argument(
        "--broker", default="bench", metavar="B", help="bench: one of our own (default); or host:port of another"
    )
    parser.add_argument("--link", metavar="PATH", help="a symbolic link to the port; PATH-1, PATH-2, … with --count")
    parser.add_argument("--no-redirect", action="store_true", help="host names lead where the real resolver says")
    parser.add_argument("--tcp", action="store_true", help="listen on a TCP port instead of a pseudo-terminal")
    parser.add_argument("--speed", type=factor, default=1.0, metavar="F", help="run timers F times as fast (default 1)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of whatever is random (default 0)")
    parser.add_argument("--quirk", action="append", default=[], metavar="NAME", help="a departure from the document")
    parser.add_argument("--list-quirks", action="store_true", help="list the quirks, and end")


def _virtual(options: argparse.Namespace) -> int:
    import contextlib
    import tempfile
    from pathlib import Path

    import modemrig
    from modemrig import _native

    if options.list_quirks:
        for name, title in _native.quirks():
            print(f"{name:28} {title}")
        return 0
    if options.dialect is None:
        options.parser.error(f"say which dialect: {', '.join(modemrig.dialects())}")

    _end_on_sigterm()
    with contextlib.ExitStack() as stack, contextlib.suppress(KeyboardInterrupt):
        broker: modemrig.BenchBroker | str | None = None
        if not options.no_redirect:
            broker = options.broker
            if broker == "bench":
                broker = stack.enter_context(modemrig.BenchBroker())
        for number, link in enumerate(_links(options.link, options.count)):
            module = stack.enter_context(
                modemrig.VirtualModule(
                    options.dialect,
                    broker=broker,
                    redirect=not options.no_redirect,
                    link=link,
                    tcp=options.tcp,
                    speed=options.speed,
                    seed=options.seed + number,  # no two with the same serial number
                    quirks=tuple(options.quirk),
                )
            )
            print(f"{options.dialect}  IMEI {module.imei}  port {module.path}" + (f"  link {link}" if link else ""))
        if isinstance(broker, modemrig.BenchBroker):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="modemrig-"))
            files = broker.certificates.write(Path(folder))
            print(
                f"broker  {broker.host}:{broker.port} plain  {broker.host}:{broker.tls_port} TLS  CA file {files['ca']}"
            )
            print(f"client  certificate {files['client_cert']}  key {files['client_key']}  for mutual TLS")
        elif broker is not None:
            print(f"broker  {broker}")
        else:
            print("broker  whatever the real resolver finds")
        print("Ctrl-C ends it.", flush=True)
        _wait_for_ever()
    return 0


def _links(link: str | None, count: int) -> Iterator[str | None]:
    for number in range(1, count + 1):
        yield link if link is None or count == 1 else f"{link}-{number}"


def _end_on_sigterm() -> None:
    """Make SIGTERM end the program as Ctrl-C does: modules stopped, links removed."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def _wait_for_ever() -> NoReturn:
    import threading

    never = threading.Event()
    while True:
        never.wait()
