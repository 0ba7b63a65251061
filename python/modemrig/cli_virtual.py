"""``modemrig virtual``: modules that are not there, until Ctrl-C; ``modemrig control``: what goes wrong with one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modemrig.cli_words import add_command, end_on_signals, factor, positive, typing_at, wait_for_ever

__all__ = ["add_control", "add_virtual"]


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
        "  modemrig virtual ecx00u_egx00u              then, elsewhere: picocom /dev/pts/5\n"
        "  modemrig virtual sim7028 --count 4\n"
        "  modemrig virtual bc35g_bc28 --broker 127.0.0.1:1883 --link /tmp/module\n"
        "  modemrig virtual lte_standard_a --quirk prompt_on_own_line --fault late_answer:ms=3000,command=AT+CSQ\n"
        "  modemrig virtual --profile ec20x             as the family is met in the field\n"
        "  modemrig virtual --list-profiles, --list-quirks, --list-faults\n"
        "  modemrig virtual sim7028 --control /tmp/ctl  then, elsewhere: modemrig control /tmp/ctl inject no_answer",
    )
    parser.add_argument("dialect", nargs="?", metavar="DIALECT", help="one of 'modemrig catalogue'")
    parser.add_argument("--count", type=positive, default=1, metavar="N", help="how many modules (default 1)")
    parser.add_argument(
        "--broker", default="bench", metavar="B", help="bench: one of our own (default); or host:port of another"
    )
    parser.add_argument("--link", metavar="PATH", help="a symbolic link to the port; PATH-1, PATH-2, … with --count")
    parser.add_argument("--no-redirect", action="store_true", help="host names lead where the real resolver says")
    parser.add_argument("--tcp", action="store_true", help="listen on a TCP port instead of a pseudo-terminal")
    parser.add_argument(
        "--speed", type=factor, default=1.0, metavar="F", help="run timers, also our broker's, F times as fast"
    )
    parser.add_argument(
        "--baud", type=positive, metavar="N", help="pace the line as a UART of this speed (default: no)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of whatever is random (default 0)")
    for word, what in (
        ("--condition", _conditions_help()),
        ("--identity", "what it says of itself: imei=…, model=…, revision=…, imsi=…, iccid=…"),
        ("--signing", "how it signs for cloud platforms: method=sha1, timestamp=no, lifetime_s=3600"),
    ):
        parser.add_argument(word, action="append", default=[], metavar="KEY=VALUE", type=_pair, help=what)
    parser.add_argument(
        "--differs", type=Path, metavar="FILE", help="how it differs from the document: TOML, as a dialect's data file"
    )
    parser.add_argument(
        "--quirk",
        action="append",
        default=[],
        metavar="Q",
        help="a departure from the document: NAME or NAME:KEY=VALUE,…",
    )
    parser.add_argument(
        "--profile", metavar="P", help="a family as it is met in the field, instead of a document: bg95, sim7600, …"
    )
    parser.add_argument("--list-profiles", action="store_true", help="list the profiles with their quirks, and end")
    parser.add_argument("--list-quirks", action="store_true", help="list the quirks with their parameters, and end")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="F", help="what goes wrong: NAME or NAME:KEY=VALUE,…"
    )
    parser.add_argument("--list-faults", action="store_true", help="list the faults with their parameters, and end")
    parser.add_argument("--json", action="store_true", help="with a list: JSON instead of text")
    parser.add_argument(
        "--control",
        metavar="PATH",
        help="make a socket for 'modemrig control' (PATH-1, PATH-2, … with --count), or 127.0.0.1:PORT",
    )


def _conditions_help() -> str:
    return (
        "what is around it: registration=home|roaming|denied|searching, registration_delay_s=20, rssi=9, ber=unknown, "
        "network_time=no, clock_error_s=3600, sim=ready|absent|pin_required, pdp=no, dns=no"
    )


def _virtual(options: argparse.Namespace) -> int:
    import contextlib
    import tempfile

    import modemrig
    from modemrig import _native
    from modemrig.conditions import changed

    if options.list_profiles:
        _print_profiles(options.json)
        return 0
    if options.list_quirks:
        keys = ("name", "title", "field", "family")
        _print_rows([(dict(zip(keys, row, strict=False)), params) for *row, params in _native.quirks()], options.json)
        return 0
    if options.list_faults:
        _print_rows(
            [({"name": name, "title": title}, params) for name, title, params in _native.faults()], options.json
        )
        return 0
    if options.dialect and options.profile:
        options.parser.error(f"--profile {options.profile} says which dialect: leave it or {options.dialect} out")
    options.dialect = options.dialect or options.profile
    if options.dialect is None:
        options.parser.error(f"say which dialect: {', '.join(modemrig.dialects())}, or --profile")
    if options.tcp and options.link:
        options.parser.error("--link is for a pseudo-terminal: leave it or --tcp out")
    if options.count > 1 and (own := {"imei", "imsi", "iccid"} & dict(options.identity).keys()):
        options.parser.error(f"--identity {min(own)}= is of one module: leave it or --count {options.count} out")

    end_on_signals()
    with contextlib.ExitStack() as stack, contextlib.suppress(KeyboardInterrupt):
        broker: modemrig.BenchBroker | str | None = None
        if not options.no_redirect:
            broker = options.broker
            if broker == "bench":
                broker = stack.enter_context(modemrig.BenchBroker(speed=options.speed))
        paths = []
        places = zip(_links(options.link, options.count), _links(options.control, options.count), strict=True)
        for number, (link, control) in enumerate(places):
            _tell_of_another(link)
            module = stack.enter_context(
                modemrig.VirtualModule(
                    options.dialect,
                    differs=options.differs and options.differs.read_text(encoding="utf-8"),
                    broker=broker,
                    redirect=not options.no_redirect,
                    link=link,
                    tcp=options.tcp,
                    speed=options.speed,
                    baud=options.baud,
                    seed=options.seed + number,  # no two with the same serial number
                    identity=changed(modemrig.VirtualIdentity(), dict(options.identity)),
                    conditions=changed(modemrig.Conditions(), dict(options.condition)),
                    signing=changed(modemrig.CloudSigning(), dict(options.signing)),
                    quirks=tuple(options.quirk),
                    faults=tuple(options.fault),
                )
            )
            paths.append(link or module.path)
            line = f"{options.dialect}  IMEI {module.imei}  port {module.path}" + (f"  link {link}" if link else "")
            if control:
                from modemrig.control import ControlSocket

                line += f"  control {stack.enter_context(ControlSocket(module, control)).path}"
            print(line)
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
        print(f"type    {typing_at(paths[0])}")
        if broker is not None:
            host, port = (broker.host, broker.port) if not isinstance(broker, str) else broker.split(":")[:2]
            print(f"peer    mosquitto_pub -h {host} -p {port} -t TOPIC -m TEXT")
        print("Ctrl-C ends it.", flush=True)
        wait_for_ever()
    return 0


def _tell_of_another(link: str | None) -> None:
    """Say so where the link leads somewhere already: it may be another module's, still running."""
    import sys
    from pathlib import Path

    if link and Path(link).is_symlink() and Path(link).exists():
        print(f"note: {link} led to {Path(link).readlink()} and leads to this module now", file=sys.stderr)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r}: write KEY=VALUE")
    return key, value


def _print_rows(rows: list[tuple[dict[str, Any], list[tuple[str, str, str, str | None]]]], as_json: bool) -> None:
    """A table of faults or quirks, each row with its parameters."""
    import json
    import textwrap

    if as_json:
        keys = ("name", "title", "allowed", "default")
        described = [
            {**row, "parameters": [dict(zip(keys, each, strict=True)) for each in params]} for row, params in rows
        ]
        print(json.dumps(described, ensure_ascii=False))
        return
    for row, params in rows:
        rules = f" ({', '.join(row['field'])})" if row.get("field") else ""
        family = {"qmt": " [Quectel]", "cmqtt": " [SIMCom]"}.get(row.get("family") or "", "")
        print(f"{row['name']:24} {row['title']}{rules}{family}")
        for param, what, allowed, default in params:
            words = f"{param if default is None else f'{param}={default}':24} {what} ({allowed})"
            print(textwrap.fill(words, 116, initial_indent=" " * 4, subsequent_indent=" " * 29))


def _print_profiles(as_json: bool) -> None:
    import json
    import textwrap
    from dataclasses import asdict

    from modemrig.families import profiles

    if as_json:
        print(json.dumps([asdict(profile) for profile in profiles().values()], ensure_ascii=False))
        return
    for profile in profiles().values():
        also = f" (also {', '.join(profile.also)})" if profile.also else ""
        print(f"{profile.name:10} {profile.title}{also}")
        print(f"{'':10} {profile.dialect}, model {profile.model}")
        if profile.quirks:
            words = ", ".join(profile.quirks)
            print(
                textwrap.fill(words, 116, initial_indent=" " * 11, subsequent_indent=" " * 11, break_on_hyphens=False)
            )


def add_control(commands: Any) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "control",
        "have something go wrong with a running virtual module",
        _control,
        "Tell a module that 'modemrig virtual … --control PATH' runs what goes wrong from now on.",
        "  modemrig control /tmp/ctl inject no_answer:command=AT+CSQ,count=1\n"
        "  modemrig control /tmp/ctl inject \"urc_in_answer:at=5,text='+CREG: 1,2'\"\n"
        "  modemrig control /tmp/ctl list\n"
        "  modemrig control /tmp/ctl clear no_answer\n"
        "  modemrig control /tmp/ctl quirk prompt_on_own_line\n"
        "  modemrig control /tmp/ctl set registration=searching\n"
        "  modemrig control /tmp/ctl power cycle\n"
        "  modemrig control /tmp/ctl status --json",
    )
    parser.add_argument("path", metavar="PATH", help="the socket, or 127.0.0.1:PORT")
    parser.add_argument(
        "action",
        metavar="ACTION",
        help="inject FAULT…, clear [FAULT…], quirk QUIRK…, unquirk [QUIRK…], list, set KEY=VALUE…, power off|on|cycle, status",
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="of the action")
    parser.add_argument("--json", action="store_true", help="the answer as one JSON object")


def _control(options: argparse.Namespace) -> int:
    import json

    from modemrig.conditions import as_word
    from modemrig.control import ask

    answer = ask(options.path, [options.action, *options.words])
    if options.json:
        print(json.dumps(answer, ensure_ascii=False))
        return 0
    for key, value in answer.items():
        if key == "conditions":
            print("\n".join(f"{name:20} {as_word(each)}" for name, each in value.items()))
        elif key not in ("faults", "quirks"):
            print(f"{key:20} {value}")
    for row in answer["faults"]:
        left = "until cleared" if row["left"] is None else f"{row['left']} left"
        print(f"{row['fault']}  happened {row['happened']}, {left}")
    for quirk in answer["quirks"]:
        print(f"{quirk}  a quirk")
    return 0


def _links(link: str | None, count: int) -> Iterator[str | None]:
    for number in range(1, count + 1):
        yield link if link is None or count == 1 else f"{link}-{number}"
