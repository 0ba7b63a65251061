"""What brings a module with AT+QMT… to each of its codes, way by way; the names are those of ``causes.toml``.

A way that only a decision links to its code is ``decided``: the document prints the code's meaning, and no more.
"""

from __future__ import annotations

from modemrig.clouds import Tencent
from modemrig.conformance.document import Document
from modemrig.conformance.kinds.codes_scene import CONNACK, NOBODY, NONSENSE, Scene, closed_port
from modemrig.conformance.kinds.codes_way import Way

SECRET = "AAAA"
DEVICE = Tencent("codes", "device", SECRET)
CONTROL = ("sim", "broker_control")
CLOCK = ("sim", "broker_control", "time")
AROUND = ("sim", "conditions")
REFUSAL = ("sim", "fault:link_cut")


def opened(scene: Scene, host: str | None = None, port: int | None = None) -> Scene:
    """Ask for a connection."""
    address = f'"{host or scene.broker.host}",{port or scene.broker.port}'
    scene.say(f"AT+QMTOPEN=0,{address}")
    return scene


def connected(scene: Scene, port: int | None = None, login: str | None = None) -> Scene:
    """Open, and log in."""
    opened(scene, port=port)
    return log_in(scene, login)


def log_in(scene: Scene, login: str | None = None) -> Scene:
    """Log in on an open connection."""
    scene.say(f'AT+QMTCONN=0,"{scene.name}"{scene.login if login is None else login}')
    return scene


def subscribed(scene: Scene) -> Scene:
    """Subscribe to the topic."""
    scene.say(f'AT+QMTSUB=0,1,"{scene.topic}",1')
    return scene


def unsubscribed(scene: Scene) -> Scene:
    """Unsubscribe from the topic."""
    scene.say(f'AT+QMTUNS=0,1,"{scene.topic}"')
    return scene


def published(scene: Scene, qos: int, msgid: int = 1, *, at_once: bool = False) -> Scene:
    """Publish to the topic."""
    command = "AT+QMTPUBEX" if scene.probe.document.command("AT+QMTPUBEX") else "AT+QMTPUB"
    scene.say(f'{command}=0,{msgid if qos else 0},{qos},0,"{scene.topic}",2', b"hi", at_once=at_once)
    return scene


def notices(scene: Scene) -> Scene:
    """Packets that are sent again are told of."""
    scene.given('AT+QMTCFG="timeout",0,5,3,1')
    return scene


def tls(scene: Scene, context: int = 0) -> Scene:
    """Use TLS with this context."""
    scene.given(f'AT+QMTCFG="ssl",0,1,{context}')
    return scene


def token(scene: Scene, url: str) -> Scene:
    """Have a password fetched."""
    device = f'"{DEVICE.product_id}","{DEVICE.device_name}","{DEVICE.product_id}@{DEVICE.device_name}"'
    scene.say(f'AT+QMTTENAUTH={device},"{SECRET}",60,"{url}"')
    return scene


def tokens_at(scene: Scene, port: int) -> Scene:
    """Have a password fetched from this port."""
    return token(scene, f"http://{scene.broker.host}:{port}/token")


def http(status: str, body: str) -> bytes:
    """An answer of a token server."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


def without_certificate(scene: Scene, context: int = 0) -> Scene:
    """Have a TLS context trust a certificate that is not there."""
    for key, value in (("seclevel", "1"), ("cacert", '"UFS:nowhere.pem"')):
        setting = f'AT+QSSLCFG="{key}",{context}'
        before = next((line for line in scene.say(setting).lines if line.startswith("+")), None)
        if before is not None:
            scene.owned.callback(scene.say, f"{setting},{before.rpartition(',')[2]}")
        scene.given(f"{setting},{value}")
    return scene


def full_window(scene: Scene) -> Scene:
    """As many messages as may be wait for their acknowledgement, and one more is published."""
    for number in range(1, scene.probe.document.limits["window"] + 2):
        published(scene, 1, number, at_once=True)
    return scene


def given_up(scene: Scene) -> Scene:
    """Close the client while it is opening."""
    scene.say(f'AT+QMTOPEN=0,"{scene.broker.host}",{scene.silent()}', at_once=True)
    scene.say("AT+QMTCLOSE=0")
    return scene


def network_goes(scene: Scene) -> Scene:
    """The network is lost while the client is opening."""
    scene.say(f'AT+QMTOPEN=0,"{scene.broker.host}",{scene.silent()}', at_once=True)
    return scene.around(registration="searching")


def left(scene: Scene) -> None:
    """The broker closes while DISCONNECT waits in the module's socket."""
    connected(scene).unsent("waits").say("AT+QMTDISC=0", at_once=True)
    scene.probe.bench_broker.cut(scene.name)


def pings(scene: Scene) -> Scene:
    """Keep-alive as short as may be."""
    scene.given('AT+QMTCFG="keepalive",0,10')
    return scene


def detached(scene: Scene) -> None:
    """Attach where there is no network."""
    scene.owned.callback(scene.say, "AT+CGATT=1")
    scene.numbered().around(registration="searching")
    scene.given("AT+CGATT=0")
    scene.say("AT+CGATT=1")


def has_tls(document: Document) -> bool:
    """Whether the module can use TLS."""
    return document.setting("ssl") is not None


def has_no_ping(document: Document) -> bool:
    """Whether +QMTSTAT tells of an unanswered PINGREQ; elsewhere +QMTPING does (decision 23)."""
    return all(urc.name != "+QMTPING" for urc in document.urcs)


WAYS: dict[str, Way] = {
    "token_given": Way(
        lambda s: token(s.plays(DEVICE), s.probe.bench_broker.token_url),
        CONTROL,
        "decided",
        "the server knows the device",
    ),
    "token_unresolved": Way(lambda s: token(s, f"http://{NOBODY}/token"), said="the name is reserved"),
    "token_refused": Way(lambda s: tokens_at(s, closed_port(s.broker.host)), CONTROL, said="the port is closed"),
    "token_without_pdp": Way(
        lambda s: tokens_at(s.around(pdp=False), s.odd()), AROUND, "decided", "there is no PDP context"
    ),
    "token_denied": Way(
        lambda s: tokens_at(s, s.odd(http("403 Forbidden", "{}"), "closes")), CONTROL, "decided", "HTTP status 403"
    ),
    "token_garbled": Way(
        lambda s: tokens_at(s, s.odd(http("200 OK", "none"), "closes")), CONTROL, "decided", "the answer is no JSON"
    ),
    "token_empty": Way(
        lambda s: tokens_at(s, s.odd(http("200 OK", '{"password":""}'), "closes")),
        CONTROL,
        "decided",
        "no password in it",
    ),
    "token_unsent": Way(
        lambda s: tokens_at(s.unsent("refuses"), s.odd()),
        ("sim", "fault:unsent"),
        said="the socket refuses the request",
    ),
    "token_unanswered": Way(lambda s: tokens_at(s, s.odd()), CLOCK, timer_s=195, said="nobody answers"),
    "open_unanswered": Way(lambda s: opened(s, port=s.silent()), CLOCK, "decided", "nobody answers", timer_s=120),
    "open_without_tls": Way(
        lambda s: opened(tls(s), port=s.odd(NONSENSE, "closes")),
        CONTROL,
        "decided",
        "the server speaks no TLS",
        only=has_tls,
    ),
    "open_without_certificate": Way(
        lambda s: opened(without_certificate(tls(s)), port=s.broker.tls_port),
        ("sim", "tls"),
        "decided",
        "the certificate is not there",
        only=has_tls,
    ),
    "open_given_up": Way(given_up, CONTROL, "decided", "the client is closed meanwhile"),
    "open_done": Way(lambda s: opened(s), said="the broker takes the connection"),
    "open_nonsense": Way(lambda s: opened(s, "codes here"), basis="decided", said="no host is called so"),
    "open_twice": Way(lambda s: opened(s.reach("opened")), said="the client is open"),
    "open_connected": Way(lambda s: opened(s.reach("connected")), said="the client is connected"),
    "open_without_pdp": Way(lambda s: opened(s.around(pdp=False)), AROUND, said="the network gives none"),
    "open_unresolved": Way(lambda s: opened(s, NOBODY), said="the name is reserved"),
    "open_without_dns": Way(lambda s: opened(s.around(dns=False), "codes.example"), AROUND, said="no name is resolved"),
    "open_refused": Way(lambda s: opened(s, port=closed_port(s.broker.host)), CONTROL, "decided", "the port is closed"),
    "open_without_network": Way(network_goes, (*CONTROL, "conditions"), said="the network is lost meanwhile"),
    "close_done": Way(lambda s: s.reach("opened").say("AT+QMTCLOSE=0"), said="the client is open"),
    "conn_accepted": Way(lambda s: connected(s), said="the broker accepts"),
    "conn_unanswered": Way(lambda s: connected(s.loses("CONNACK")), CLOCK, "decided", "no CONNACK comes", timer_s=60),
    "conn_closed": Way(
        lambda s: connected(s, s.odd(then="closes")), CONTROL, "decided", "the broker closes in place of CONNACK"
    ),
    "conn_reset": Way(
        lambda s: connected(s, s.odd(then="resets")), CONTROL, "decided", "the broker resets in place of CONNACK"
    ),
    "conn_version": Way(lambda s: connected(s.refused_with(1)), CONTROL, said="CONNACK 1"),
    "conn_client_id": Way(lambda s: connected(s.refused_with(2)), CONTROL, said="CONNACK 2"),
    "conn_unavailable": Way(lambda s: connected(s.refused_with(3)), CONTROL, said="CONNACK 3"),
    "conn_password": Way(
        lambda s: connected(s.users(), login=',"somebody","wrong"'), CONTROL, said="the password is wrong"
    ),
    "conn_unauthorised": Way(lambda s: connected(s.users(), login=""), CONTROL, said="the user name is missing"),
    "disc_unsent": Way(
        lambda s: connected(s).unwritable().say("AT+QMTDISC=0"), REFUSAL, said="the socket refuses DISCONNECT"
    ),
    "disc_done": Way(lambda s: connected(s).say("AT+QMTDISC=0"), said="the client is connected"),
    "sub_done": Way(lambda s: subscribed(connected(s)), said="SUBACK comes"),
    "sub_resent": Way(
        lambda s: subscribed(connected(notices(s.loses("SUBACK")))), CLOCK, said="no SUBACK comes", timer_s=12
    ),
    "sub_given_up": Way(lambda s: subscribed(connected(s.loses("SUBACK"))), CLOCK, said="no SUBACK comes", timer_s=60),
    "sub_refused": Way(
        lambda s: subscribed(connected(s.refuses_topic())), CONTROL, said="the broker refuses the topic"
    ),
    "uns_done": Way(lambda s: unsubscribed(connected(s)), said="UNSUBACK comes"),
    "uns_resent": Way(
        lambda s: unsubscribed(connected(notices(s.loses("UNSUBACK")))), CLOCK, said="no UNSUBACK comes", timer_s=12
    ),
    "uns_given_up": Way(
        lambda s: unsubscribed(connected(s.loses("UNSUBACK"))), CLOCK, said="no UNSUBACK comes", timer_s=60
    ),
    "pub_done": Way(lambda s: published(connected(s), 1), said="QoS 1, PUBACK comes"),
    "pub_at_most_once": Way(lambda s: published(connected(s), 0), said="QoS 0"),
    "pub_exactly_once": Way(lambda s: published(connected(s), 2), said="QoS 2, PUBREC and PUBCOMP come"),
    "pub_resent": Way(
        lambda s: published(connected(notices(s.loses("PUBACK"))), 1), CLOCK, said="no PUBACK comes", timer_s=12
    ),
    "pub_given_up": Way(
        lambda s: published(connected(s.loses("PUBACK")), 1), CLOCK, said="no PUBACK comes", timer_s=60
    ),
    "pub_half_way": Way(
        lambda s: published(connected(s.loses("PUBCOMP")), 2), CLOCK, "decided", "no PUBCOMP comes", timer_s=60
    ),
    "pub_unsent": Way(
        lambda s: published(connected(s).unwritable(), 0), REFUSAL, "decided", "the socket refuses a message of QoS 0"
    ),
    "ping_unanswered": Way(
        lambda s: connected(pings(s.loses("PINGRESP"))), CLOCK, said="no PINGRESP comes", timer_s=130
    ),
    "stat_peer": Way(lambda s: connected(s, s.odd(CONNACK, "closes")), CONTROL, said="the broker closes"),
    "stat_reset": Way(
        lambda s: published(connected(s, s.odd(CONNACK, "resets")), 0), CONTROL, said="the broker resets"
    ),
    "stat_same_id": Way(lambda s: connected(s).same_id(), said="another client has the same id"),
    "stat_ping": Way(
        lambda s: connected(pings(s)).unwritable(), (*REFUSAL, "time"), said="the socket refuses PINGREQ", timer_s=30
    ),
    "stat_no_pong": Way(
        lambda s: connected(pings(s.loses("PINGRESP"))), CLOCK, said="no PINGRESP comes", timer_s=130, only=has_no_ping
    ),
    "stat_connect": Way(lambda s: log_in(opened(s).unwritable()), REFUSAL, said="the socket refuses CONNECT"),
    "stat_connack": Way(lambda s: connected(s.refused_with(5)), CONTROL, "decided", "CONNACK 5"),
    "stat_disconnect": Way(left, (*CONTROL, "fault:unsent"), "decided", "the broker closes while DISCONNECT waits"),
    "stat_publish": Way(
        lambda s: published(connected(s).unwritable(), 1, at_once=True), REFUSAL, said="the socket refuses a message"
    ),
    "stat_subscribe": Way(
        lambda s: s_at_once(connected(s).unwritable(), "SUB", ",1"), REFUSAL, said="the socket refuses SUBSCRIBE"
    ),
    "stat_unsubscribe": Way(
        lambda s: s_at_once(connected(s).unwritable(), "UNS"), REFUSAL, said="the socket refuses UNSUBSCRIBE"
    ),
    "stat_network": Way(lambda s: connected(s).around(registration="searching"), AROUND, said="the network is lost"),
    "stat_denied": Way(
        lambda s: connected(s).around(registration="denied"), AROUND, said="the network refuses the module"
    ),
    "stat_pdp": Way(lambda s: connected(s).around(pdp=False), AROUND, said="the PDP context is lost"),
    "stat_own": Way(
        lambda s: connected(s, s.odd(CONNACK + NONSENSE)), CONTROL, "decided", "the broker breaks the protocol"
    ),
    "cme_state": Way(lambda s: log_in(s.numbered()), basis="documented", said="the client is closed"),
    "cme_unknown": Way(lambda s: s.numbered().say("AT+QMTCODES=1"), basis="decided", said="no command is called so"),
    "cme_network": Way(
        detached,
        AROUND,
        "decided",
        "no network",
    ),
    "cme_parameter": Way(lambda s: s.numbered().say('AT+QMTOPEN=9,"codes",1'), said="a number is out of range"),
    "cme_cancelled": Way(
        lambda s: cancelled(connected(s).numbered()), said="Esc ends the input of a message", basis="documented"
    ),
    "cme_window": Way(
        lambda s: full_window(connected(s.loses("PUBACK")).numbered()), CONTROL, "decided", "the window is full"
    ),
}
"""By name. Ways that only a simulation has are missing: their code is reached by another, or not checked."""


def s_at_once(scene: Scene, verb: str, more: str = "") -> None:
    """A request that no result will follow."""
    scene.say(f'AT+QMT{verb}=0,1,"{scene.topic}"{more}', at_once=True)


def cancelled(scene: Scene) -> None:
    """Begin a message, and cancel it."""
    scene.probe.modem.command(f'AT+QMTPUB=0,0,0,0,"{scene.topic}"', b"hi\x1b", exact=True)
