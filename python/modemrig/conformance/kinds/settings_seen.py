"""Facts about settings that only the server at the other end can tell: TLS and its context, and devices of cloud platforms.

Scenes and lines are those of the codes. What TLS contexts hold is another document's; here they are usable or not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from modemrig.clouds import Alibaba, Device, Huawei, OneNet
from modemrig.conformance.document import Document
from modemrig.conformance.facts import Fact, fact_id
from modemrig.conformance.kinds import codes_cmqtt as cmqtt
from modemrig.conformance.kinds import codes_qmt as qmt
from modemrig.conformance.kinds.codes_scene import NONSENSE, Scene
from modemrig.conformance.kinds.kind import Breakage, Kind
from modemrig.conformance.probe import Probe
from modemrig.conformance.verdict import Basis

JOINED = r"\+QMTCONN: ?0,0,0"
NOT_JOINED = r"ERROR|\+CME ERROR: .*|\+QMTCONN: ?0,[12]|\+QMTSTAT: ?0,\d+"
SERVED = r"\+CMQTTCONNECT: ?0,0"
NOT_SERVED = r"\+CMQTTCONNECT: ?0,[1-9]\d*"
NUMBER = 68
"""A time in seconds that only these lines have."""
SECRET = "0123456789abcdef0123456789abcdef"
ACCESS_KEY = "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw="
WRONG = "d3Jvbmc="


@dataclass(frozen=True, slots=True)
class Seen:
    """What a server sees of a setting."""

    command: str
    key: str | None
    """Which way of the command; documents without it have no such fact."""
    word: str
    statement: str
    script: Callable[[Scene], object]
    line: str
    """A regular expression for the line that tells."""
    needs: tuple[str, ...]
    basis: Basis = "documented"


class SeenKind(Kind):
    """A table of what servers see."""

    rows: ClassVar[tuple[Seen, ...]]

    def facts(self, document: Document) -> Iterator[Fact]:
        for place, row in enumerate(self.rows):
            command = document.command(row.command)
            variant = command and (command.variant(row.key) if row.key else command.variants[0])
            if command is not None and variant is not None:
                words = (command.short, *((row.key,) if row.key else ()), self.name, row.word)
                yield Fact(
                    fact_id(document.id, variant.section, *words),
                    self.name,
                    row.command,
                    row.statement,
                    row.basis,
                    row.needs,
                    about={"row": place},
                )

    def check(self, probe: Probe, fact: Fact) -> None:
        row = self.rows[fact.about["row"]]
        probe.reach("idle")
        with contextlib.ExitStack() as owned:
            scene = Scene(probe, owned, self.name, NUMBER)
            row.script(scene)
            probe.await_line(row.line, scene.soon_s, scene.since)


def late(scene: Scene) -> Scene:
    """Log in; only what comes now counts."""
    scene.since = scene.probe.now()
    return qmt.log_in(scene)


TLS = ("sim", "tls")


class Tls(SeenKind):
    """TLS where it is wanted, and there alone."""

    name = "tls"
    title = "Settings of TLS decide how the module speaks to its server."
    rows = (
        Seen(
            *("AT+QMTCFG", "ssl", "secured", "with ssl_enable 1 the client speaks TLS"),
            *(lambda s: late(qmt.opened(qmt.tls(s), port=s.broker.tls_port)), JOINED, TLS),
        ),
        Seen(
            *("AT+QMTCFG", "ssl", "secured-only", "with ssl_enable 1 the client opens nothing where TLS is not spoken"),
            *(lambda s: late(qmt.opened(qmt.tls(s), port=s.odd(NONSENSE, "closes"))), NOT_JOINED),
            ("sim", "broker_control"),
        ),
        Seen(
            *("AT+QMTCFG", "ssl", "plain-only", "with ssl_enable 0 the client does not speak TLS"),
            *(lambda s: late(qmt.opened(s, port=s.broker.tls_port)), NOT_JOINED, TLS),
        ),
        Seen(
            *(
                "AT+QMTCFG",
                "ssl",
                "context",
                "the context ssl_ctx_idx is the one that counts: with an unusable one nothing opens",
            ),
            *(
                lambda s: late(qmt.opened(qmt.tls(qmt.without_certificate(s, 1), 1), port=s.broker.tls_port)),
                NOT_JOINED,
            ),
            TLS,
        ),
        Seen(
            *("AT+QMTCFG", "ssl", "no-other-context", "no other context than ssl_ctx_idx counts"),
            *(lambda s: late(qmt.opened(qmt.tls(qmt.without_certificate(s), 1), port=s.broker.tls_port)), JOINED, TLS),
        ),
        Seen(
            *("AT+CMQTTSSLCFG", None, "context", "the chosen context counts: with an unusable one nothing connects"),
            *(lambda s: cmqtt.secured(cmqtt.missing(s, 1), 1), NOT_SERVED, TLS),
        ),
        Seen(
            *("AT+CMQTTSSLCFG", None, "no-other-context", "no other context than the chosen one counts"),
            *(lambda s: cmqtt.secured(cmqtt.missing(s), 1), SERVED, TLS),
        ),
        Seen(
            *("AT+CMQTTCONNECT", None, "context", "without AT+CMQTTSSLCFG the context of the client's number counts"),
            *(lambda s: cmqtt.secured(cmqtt.missing(s)), NOT_SERVED, TLS),
        ),
    )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        facts = frozenset(fact.id for fact in self.facts(document))
        mark = f"line='{self.name}\"'" if document.is_qmt else f"line=',{NUMBER},1'"
        told = (
            (
                ("+QMTCONN: 0,0,0", "+QMTCONN: 0,0,7"),
                ("+QMTCONN: 0,2", "+QMTCONN: 0,0,7"),
                ("+QMTSTAT: 0,", "+QMTSTAT: "),
                ("ERROR", "OK"),
            )
            if document.is_qmt
            else (("+CMQTTCONNECT: 0,0", "+CMQTTCONNECT: 0,7"), ("+CMQTTCONNECT: 0,33", "+CMQTTCONNECT: 0,0"))
        )
        if facts:
            faults = tuple(f"reworded:from='{said}',to='{other}',{mark}" for said, other in told)
            yield Breakage("what comes of TLS is told otherwise", facts, faults=faults)


def playing(scene: Scene, device: Device) -> Scene:
    """The broker is this device's platform, and no other client comes in."""
    broker = scene.probe.bench_broker
    broker.set_clouds([device])
    scene.owned.callback(broker.set_clouds, None)
    return scene


def told(device: Device, key: str, *values: str) -> Callable[[Scene], object]:
    """Tell the module of a device, and connect it to its platform."""

    def script(scene: Scene) -> None:
        playing(scene, device)
        scene.name = DEVICE  # where other slots share the broker, other client ids have a prefix
        scene.given('AT+QMTCFG="version",0,4')
        words = ",".join(f'"{value}"' for value in values)
        scene.given(f'AT+QMTCFG="{key}",0,{words}')
        qmt.connected(scene, login="")

    return script


DEVICE = "cloud"
"""The device's name; platforms that are not told of it take the client id for it."""
ALIBABA = Alibaba("product", DEVICE, SECRET)
ONENET = OneNet("123123", DEVICE, ACCESS_KEY)
HUAWEI = Huawei(f"product_{DEVICE}", SECRET)
CONTROL = ("sim", "broker_control")
REFUSED = r"\+QMTCONN: ?0,0,4"


def _platform(
    key: str, platform: str, device: Device, before: tuple[str, ...], secret: str, *after: str
) -> Iterator[Seen]:
    says = f"a device told with {key} gets in at {platform}, without user name and password"
    right, wrong = (told(device, key, *before, each, *after) for each in (secret, WRONG))
    yield Seen("AT+QMTCFG", key, "accepted", says, right, JOINED, CONTROL)
    yield Seen("AT+QMTCFG", key, "refused", f"{key} with another secret does not", wrong, REFUSED, CONTROL, "decided")


class Cloud(SeenKind):
    """Devices of cloud platforms."""

    name = "cloud"
    title = "A module that was told of its device gets in at the device's platform."
    rows = (
        *_platform("aliauth", "Alibaba Cloud", ALIBABA, ("product", DEVICE), SECRET),
        *_platform("onenet", "OneNET", ONENET, ("123123",), ACCESS_KEY),
        *_platform("hwauth", "Huawei Cloud", HUAWEI, ("product",), SECRET),
        *_platform("hwprodid", "Huawei Cloud", HUAWEI, ("product",), SECRET, DEVICE),
    )

    def breakages(self, document: Document) -> Iterator[Breakage]:
        facts = frozenset(fact.id for fact in self.facts(document))
        mark = f"line='{self.name}\"'"
        faults = tuple(f"reworded:from='+QMTCONN: 0,0,{code}',to='+QMTCONN: 0,0,{code}7',{mark}" for code in (0, 4))
        if facts:
            yield Breakage("what the platform said is told otherwise", facts, faults=faults)
