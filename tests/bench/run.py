"""Compare modemrig with a floor and a peer, interleaved in one run; print ratios with their spread.

Started by ``make bench``. Needs the package, pyserial, and the program built from ``floor.rs`` (``--floor PATH``).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import serial

import modemrig

ROUND_TRIPS = 1500
MESSAGES = 200_000
MESSAGE_BYTES = len(b'+QMTRECV: 0,0,"topic/pub",30,"This is test data, hello MQTT."\r\n')
DIALECT = "ecx00u_egx00u"


def main() -> None:
    """Run the chosen number of rounds and print one row per comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--floor", type=Path, required=True, help="the program built from floor.rs")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds, at least 5 (default 7)")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    arguments = parser.parse_args()
    if arguments.rounds < 5:
        parser.error("--rounds: at least 5, a spread over fewer says nothing")
    bench = Bench(arguments.floor)
    ratios: dict[str, list[float]] = {}
    for number in range(arguments.rounds):
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr, flush=True)
        for name, ratio in bench.round(backwards=bool(number % 2)).items():
            ratios.setdefault(name, []).append(ratio)
    rows = [
        {
            "name": name,
            "ratio": round(statistics.median(values), 3),
            "spread": [round(min(values), 3), round(max(values), 3)],
        }
        for name, values in ratios.items()
    ]
    print(f"{'comparison':24} {'ratio':>8}   spread over {arguments.rounds} rounds")
    for row in rows:
        low, high = row["spread"]
        print(f"{row['name']:24} {row['ratio']:>8.3f}   {low:.3f} to {high:.3f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


class Bench:
    """The measured parties; every measurement uses a fresh pseudo-terminal and a fresh process at its other end."""

    def __init__(self, floor: Path) -> None:
        self.floor = floor

    def round(self, *, backwards: bool) -> dict[str, float]:
        """Measure every party once; each second round in the other order, so that drift cancels out."""
        parties = {
            "floor trips": self.floor_trips,
            "our trips": self.our_trips,
            "raw ingest": self.raw_ingest,
            "our ingest": self.our_ingest,
            "pyserial ingest": self.pyserial_ingest,
            "our import": lambda: import_seconds("modemrig"),
            "pyserial import": lambda: import_seconds("serial"),
        }
        names = list(parties)
        if backwards:
            names.reverse()
        measured = {name: parties[name]() for name in names}
        ours, bare = measured["our trips"], measured["floor trips"]
        return {
            "round_trip_p50": ours[50] / bare[50],
            "round_trip_p99": ours[99] / bare[99],
            "ingest_over_pyserial": measured["our ingest"] / measured["pyserial ingest"],
            "ingest_over_raw_read": measured["our ingest"] / measured["raw ingest"],
            "import_over_pyserial": measured["our import"] / measured["pyserial import"],
        }

    @contextlib.contextmanager
    def module(self, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
        """A module process and the path of its pseudo-terminal."""
        process = subprocess.Popen([self.floor, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()
            process.communicate()

    def floor_trips(self) -> dict[int, float]:
        with self.module("respond") as (_, path):
            printed = subprocess.run(
                [self.floor, "loop", path, str(ROUND_TRIPS)], check=True, capture_output=True, text=True
            ).stdout
        return percentiles([int(line) for line in printed.split()])

    def our_trips(self) -> dict[int, float]:
        with self.module("respond") as (_, path), modemrig.open(path, dialect=DIALECT) as modem:
            taken = []
            for _ in range(ROUND_TRIPS):
                begin = time.perf_counter_ns()
                modem.command("+CSQ")
                taken.append(time.perf_counter_ns() - begin)
        return percentiles(taken)

    def raw_ingest(self) -> float:
        with self.module("flood", str(MESSAGES)) as (module, path):
            reader = subprocess.Popen(
                [self.floor, "drain", path, str(MESSAGES * MESSAGE_BYTES)], stdout=subprocess.PIPE, text=True
            )
            assert reader.stdout is not None
            reader.stdout.readline()
            go(module)
            return MESSAGES / float(reader.communicate()[0])

    def our_ingest(self) -> float:
        with self.module("flood", str(MESSAGES)) as (module, path), modemrig.open(path, dialect=DIALECT) as modem:
            client = modem.client(0)
            messages = client.messages(timeout_s=10.0)
            go(module)
            next(messages)
            begin = time.perf_counter()
            count = 1
            for _ in messages:
                count += 1
                if count == MESSAGES:
                    break
            rate = MESSAGES / (time.perf_counter() - begin)
            if count != MESSAGES or client.dropped:
                raise SystemExit(f"lost messages: {count} of {MESSAGES} arrived, {client.dropped} dropped")
        return rate

    def pyserial_ingest(self) -> float:
        shape = re.compile(rb'\+QMTRECV: (\d+),(\d+),"([^"]*)",(\d+),"(.*)"')
        with self.module("flood", str(MESSAGES)) as (module, path), serial.Serial(path, 115200, timeout=10) as port:
            go(module)
            rest = port.read(1)
            begin = time.perf_counter()
            count = 0
            while count < MESSAGES:
                *lines, rest = (rest + port.read(port.in_waiting or 1)).split(b"\r\n")
                for line in lines:
                    match = shape.match(line)
                    if match:
                        client, msgid, topic, _, payload = match.groups()
                        _ = (int(client), int(msgid), topic.decode(), payload)
                        count += 1
        return MESSAGES / (time.perf_counter() - begin)


def import_seconds(package: str) -> float:
    """Median seconds of an import in fresh interpreters."""
    program = f"import time; t = time.perf_counter(); import {package}; print(time.perf_counter() - t)"
    taken = [
        float(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout)
        for _ in range(5)
    ]
    return statistics.median(taken)


def percentiles(nanoseconds: list[int]) -> dict[int, float]:
    cuts = statistics.quantiles(nanoseconds, n=100)
    return {50: cuts[49], 99: cuts[98]}


def go(module: subprocess.Popen[str]) -> None:
    assert module.stdin is not None
    module.stdin.write("\n")
    module.stdin.flush()


if __name__ == "__main__":
    main()
