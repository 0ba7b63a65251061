"""Reading a rig file: every key is checked, and an error names file, line and key. What a rig is stands in ``rig``."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from modemrig.conditions import CloudSigning, Conditions, VirtualIdentity, changed
from modemrig.errors import BadValue, CallerError
from modemrig.families import find, profiles
from modemrig.recovery import PowerCommand
from modemrig.rig import OWN_BROKERS, VIRTUAL, BrokerAddress, Rig, RigError, Slot, broker_address

_AROUND: dict[str, Any] = {"identity": VirtualIdentity(), "conditions": Conditions(), "signing": CloudSigning()}
"""Tables of a virtual slot, and what they are without a word in them."""


def read(path: str, broker: str | BrokerAddress | None) -> Rig:
    """Read a rig file.

    Args:
        path: the file.
        broker: overrules the rig's broker.

    Raises:
        RigError: naming file, line and key.
    """
    if "://" in path:
        raise RigError(f"--rig {path}: rigs are files, or 'virtual'; {path.split(':')[0]}:// is not supported yet")
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise RigError(f"{path}: {error.strerror}; a rig file describes [rig] and [[slot]]") from error
    except UnicodeDecodeError as error:
        raise RigError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RigError(f"{path}: {error}") from error
    return _Reader(path, text).rig(document, broker)


class _Reader:
    """Checks a parsed rig file, and knows where in the text a key stands."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()
        self.folder = Path(path).resolve().parent

    def rig(self, document: dict[str, Any], broker: str | BrokerAddress | None) -> Rig:
        self.known("", 0, document, {"rig", "slot"})
        head = self.value("", 0, document, "rig", dict, {})
        self.known("rig", 0, head, {"name", "broker", "speed"})
        rows = self.value("", 0, document, "slot", list, [])
        if not rows or not all(isinstance(row, dict) for row in rows):
            raise self.error("", 0, "slot", "a rig has at least one [[slot]]")
        slots = tuple(self.slot(number, row) for number, row in enumerate(rows))
        for number, slot in enumerate(slots):
            if slot.name in {other.name for other in slots[:number]}:
                raise self.error("slot", number, "name", f"{slot.name!r} stands twice")
            if not slot.is_virtual and slot.port in {other.port for other in slots[:number]}:
                raise self.error("slot", number, "port", f"{slot.port} stands twice")
        name = self.value("rig", 0, head, "name", str, Path(self.path).stem)
        chosen = self.broker(head) if broker is None else broker
        for number, slot in enumerate(slots):
            if isinstance(chosen, str) and not slot.is_virtual:
                raise self.error(
                    "slot",
                    number,
                    "port",
                    f"{slot.port} is a real port, and no network outside reaches the broker {chosen!r} on this machine; "
                    'write [rig] broker = { host = "…" }, the broker as the module sees it, or pass --broker host:port',
                )
        speed = head.get("speed", 1.0)
        if type(speed) not in (int, float) or not 0 < speed < float("inf"):
            raise self.error("rig", 0, "speed", f"a factor above 0 is needed, not {speed!r}")
        if "speed" in head and not any(slot.is_virtual for slot in slots):
            raise self.error("rig", 0, "speed", "only the clocks of virtual modules can run faster; this rig has none")
        return Rig(name, slots, chosen, float(speed))

    def slot(self, number: int, row: dict[str, Any]) -> Slot:
        from modemrig import _native
        from modemrig.reference import dialects

        self.known(
            "slot",
            number,
            row,
            {
                "name",
                "port",
                "dialect",
                "baud",
                "imei",
                "apn",
                "profile",
                "differs",
                "quirks",
                "faults",
                "power",
                *_AROUND,
            },
        )

        def get(key: str, kind: type, default: Any = None) -> Any:
            return self.value("slot", number, row, key, kind, default)

        def fail(key: str, message: str) -> RigError:
            return self.error("slot", number, key, message)

        name, port = get("name", str), get("port", str)
        for key, value in (("name", name), ("port", port)):
            if not value:
                raise fail(key, "is needed")
        if not re.fullmatch(r"[\w.+-]+", name):
            raise fail(
                "name", f"{name!r}: letters, digits and - _ . + only, it becomes part of test ids and file names"
            )
        dialect = get("dialect", str)
        named = port.removeprefix(VIRTUAL) if port.startswith(VIRTUAL) else dialect
        if port.startswith(VIRTUAL) and named not in dialects() and find(named or "") is None:
            known = ", ".join([*dialects(), *profiles()])
            raise fail("port", f"there is no dialect or profile {named!r}; there are {known}")
        if dialect is not None and dialect not in dialects():
            raise fail("dialect", f"there is no dialect {dialect!r}; there are {', '.join(dialects())}")
        profile = get("profile", str)
        if profile is not None and port.startswith(VIRTUAL):
            raise fail("profile", f'a virtual module of a profile has it in its port: "{VIRTUAL}{profile}"')
        if profile is not None and find(profile) is None:
            raise fail("profile", f"there is no profile {profile!r}; there are {', '.join(profiles())}")
        imei = get("imei", str)
        if imei is not None and not re.fullmatch(r"\d{15}", imei):
            raise fail("imei", f"{imei!r}: an IMEI has 15 digits")
        baud = get("baud", int, 115_200)
        if baud <= 0:
            raise fail("baud", f"{baud}: a number of bits per second above 0")
        differs = get("differs", str)
        if differs and not port.startswith(VIRTUAL):
            raise fail("differs", f"{port} is a real port; only a virtual module differs on demand")
        if differs:
            try:
                _native.check_differs(named, differs)
            except CallerError as error:
                raise fail("differs", str(error)) from None
        quirks, faults = get("quirks", list, []), get("faults", list, [])
        for key, values in (("quirks", quirks), ("faults", faults)):
            if not all(isinstance(value, str) for value in values):
                raise fail(key, "a list of names")
            if values and not port.startswith(VIRTUAL):
                raise fail(key, f"{port} is a real port; only virtual modules have {key} on demand")
        for key, values, check in (("quirks", quirks, _native.check_quirk), ("faults", faults, _native.check_fault)):
            for value in values:
                try:
                    check(named, value)
                except CallerError as error:
                    raise fail(key, str(error)) from None
        power = get("power", str)
        if power is not None:
            if port.startswith(VIRTUAL):
                raise fail("power", "a virtual module is its own switch")
            try:
                PowerCommand(power)
            except BadValue as error:
                raise fail("power", str(error)) from None
        around = {}
        for key, plain in _AROUND.items():
            row_of = get(key, dict, {})
            if row_of and not port.startswith(VIRTUAL):
                raise fail(key, f"{port} is a real port; only a virtual module's {key} can be chosen")
            try:
                around[key] = changed(plain, row_of)
            except BadValue as error:
                raise fail(key, str(error)) from None
        return Slot(
            name,
            port,
            dialect,
            baud,
            imei,
            get("apn", str),
            differs,
            tuple(quirks),
            tuple(faults),
            known_as=profile,
            power=power,
            **around,
        )

    def broker(self, head: dict[str, Any]) -> str | BrokerAddress:
        row = head.get("broker", "bench")
        if isinstance(row, str):
            try:
                return row if row in OWN_BROKERS else broker_address("broker", row)
            except RigError as error:
                raise self.error("rig", 0, "broker", str(error)) from None
        if not isinstance(row, dict):
            raise self.error("rig", 0, "broker", "a name or a table { host = … }")
        texts = {"host", "peer_host", "user", "password_env", "ca", "client_cert", "client_key"}
        numbers = {"port", "tls_port"}
        for key, value in row.items():
            if key not in texts | numbers:
                raise self.error("rig.broker", 0, key, f"unknown key; known are {', '.join(sorted(texts | numbers))}")
            if key in texts and not isinstance(value, str):
                raise self.error("rig.broker", 0, key, f"a text is needed, not {value!r}")
            if key in numbers and (type(value) is not int or not 0 < value < 65536):
                raise self.error("rig.broker", 0, key, f"a port from 1 to 65535 is needed, not {value!r}")
        if not row.get("host"):
            raise self.error("rig.broker", 0, "host", "is needed: the broker as the module sees it")
        password = None
        if "password_env" in row:
            password = os.environ.get(row["password_env"])
            if password is None:
                raise self.error("rig.broker", 0, "password_env", f"the environment has no {row['password_env']}")
        files = {}
        for key in ("ca", "client_cert", "client_key"):
            if key in row:
                files[key] = self.folder / row[key]
                if not files[key].is_file():
                    raise self.error("rig.broker", 0, key, f"there is no file {files[key]}")
        plain = {key: row[key] for key in ("host", "port", "tls_port", "peer_host", "user") if key in row}
        return BrokerAddress(**plain, password=password, **files)

    def known(self, table: str, number: int, row: dict[str, Any], keys: set[str]) -> None:
        for key in row:
            if key not in keys:
                raise self.error(table, number, key, f"unknown key; known are {', '.join(sorted(keys))}")

    def value(self, table: str, number: int, row: dict[str, Any], key: str, kind: type, default: Any) -> Any:
        value = row.get(key, default)
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            wanted = {str: "a text", int: "a number", list: "a list", dict: "a table"}[kind]
            raise self.error(table, number, key, f"{wanted} is needed, not {value!r}")
        return value

    def error(self, table: str, number: int, key: str, message: str) -> RigError:
        full = f"{table}.{key}" if table else key
        return RigError(f"{self.path}, line {self.line(table, number, key)}, {full}: {message}")

    def line(self, table: str, number: int, key: str) -> int:
        """Where the key stands, else its table, else the first line; a table may also be written into one line."""
        current, found = "", 1
        counts: dict[str, int] = {}
        parent, _, inline = table.rpartition(".")
        for position, line in enumerate(self.lines, 1):
            if header := re.match(r"\s*\[+\s*([\w.-]+)\s*\]+", line):
                current = header[1]
                counts[current] = counts.get(current, -1) + 1
                if current == (table or key):
                    found = position if counts[current] == number else found
                continue
            here = current == table and counts.get(current, 0) == number
            if here and _names(key, line):
                return position
            if parent and current == parent and (_names(f"{inline}.{key}", line) or _names(inline, line)):
                return position
        return found


def _names(key: str, line: str) -> bool:
    return re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line) is not None
