"""Settings that outlive a connection: asked for before the first line that changes one, and put back behind the check.

It knows AT+QMTCFG, whose settings last until power-down; what other settings there are ends with their client. Driven by
``probe``.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from modemrig.conformance.answer import Answer
from modemrig.conformance.document import Document
from modemrig.hil.wire import fields_of

SETTINGS = re.compile(r'AT\+QMTCFG="(?P<key>[^"]+)",(?P<client>\d+),', re.IGNORECASE)
"""Lines that change a setting which outlives a connection."""


class AsFound:
    """The settings of a module as they were when the run began, and those that a check has changed since."""

    def __init__(self, document: Document, ask: Callable[[str], Answer]) -> None:
        self._document = document
        self._ask = ask
        self._found: dict[str, str] = {}
        """The query of a setting, and the line that puts it back."""
        self._changed: set[str] = set()

    @property
    def are_changed(self) -> bool:
        """Whether there is something to put back."""
        return bool(self._changed)

    def note(self, line: str) -> None:
        """A line is about to be written: ask how the setting was that it changes."""
        found = SETTINGS.match(line)
        if found is None:
            return
        key, client = found["key"].lower(), found["client"]
        setting = f'AT+QMTCFG="{key}",{client}'
        if setting not in self._found:
            answer = self._ask(setting)
            information = [each for each in answer.lines if each.startswith("+QMTCFG:")]
            if answer.final != "OK" or not information:
                return  # a module that cannot say how it was cannot be put back; a fact of its own says so
            values = fields_of(information[0])[1:]
            self._found[setting] = self._restoring(setting, key, values)
        self._changed.add(setting)

    def put_back(self) -> None:
        """Write what was changed as it was."""
        for setting in sorted(self._changed):
            self._ask(self._found[setting])
        self._changed.clear()

    def _restoring(self, setting: str, key: str, values: list[str]) -> str:
        """The line that puts a setting back to the values its query printed."""
        variant = self._document.setting(key)
        assert variant is not None or not values
        if variant is not None and values:
            parameters = dict(zip(variant.query or (), values, strict=False))
            known = self._document.command("AT+QMTCFG")
            assert known is not None
            # What was never set is not shown; any value does where it has to be written.
            usual = {name: str(known.params[name].default or known.params[name].min or 0) for name in variant.params}
            given = [parameters.get(name, usual[name]) for name in variant.params[1:]]
            for condition, counts in variant.counts_when.items():
                name, _, value = condition.partition("=")
                if parameters.get(name) == value:
                    given = given[: counts[0] - 1]
            return ",".join([setting, *given])
        return setting
