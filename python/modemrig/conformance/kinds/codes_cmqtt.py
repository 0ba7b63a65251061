"""What brings a module with AT+CMQTT… to each of its codes, way by way; the names are those of ``causes.toml``.

A way that only a decision links to its code is ``decided``: the document prints the code's meaning, and no more.
"""

from __future__ import annotations

from modemrig.conformance.kinds.codes_qmt import AROUND, CLOCK, CONTROL, REFUSAL
from modemrig.conformance.kinds.codes_scene import CONNACK, NOBODY, NONSENSE, NOT_UTF8, Scene, closed_port
from modemrig.conformance.kinds.codes_way import Way

TLS = ("sim", "tls")


def acquired(scene: Scene, server_type: int = 0) -> Scene:
    """Acquire the client."""
    scene.reach("started").given(f'AT+CMQTTACCQ=0,"{scene.name}",{server_type}')
    return scene


def joined(scene: Scene, host: str | None = None, port: int | None = None, login: str | None = None) -> Scene:
    """Connect an acquired client."""
    scene.since = scene.probe.now()
    address = f"tcp://{host or scene.broker.host}:{port or scene.broker.port}"
    scene.say(f'AT+CMQTTCONNECT=0,"{address}",{scene.number},1{scene.login if login is None else login}')
    return scene


def connected(scene: Scene, host: str | None = None, port: int | None = None, login: str | None = None) -> Scene:
    """Acquire and connect the client."""
    return joined(acquired(scene), host, port, login)


def typed(scene: Scene, line: str, text: bytes | str, *more: int) -> Scene:
    """Type at the prompt of a command."""
    data = text.encode() if isinstance(text, str) else text
    scene.say(",".join([f"{line}=0", str(len(data)), *map(str, more)]), data)
    return scene


def subscribed(scene: Scene) -> Scene:
    """Subscribe to the topic."""
    return typed(scene, "AT+CMQTTSUB", scene.topic, 1)


def staged(scene: Scene, topic: str | None = None) -> Scene:
    """Enter a message."""
    typed(scene, "AT+CMQTTTOPIC", topic or scene.topic)
    return typed(scene, "AT+CMQTTPAYLOAD", "hi")


def published(scene: Scene, topic: str | None = None, *, at_once: bool = False) -> Scene:
    """Enter a message, and publish it."""
    staged(scene, topic).say("AT+CMQTTPUB=0,1,67", at_once=at_once)
    return scene


def busy(scene: Scene) -> None:
    """Publish while a message waits for its acknowledgement, which comes later."""
    scene.owned.callback(scene.heard, r"\+CMQTTPUB: ?0,0")
    published(connected(scene.delays("PUBACK")), at_once=True)
    published(scene, at_once=True)


def checking(scene: Scene) -> Scene:
    """Have texts checked."""
    scene.given('AT+CMQTTCFG="checkUTF8",0,1')
    return scene


def context(scene: Scene, key: str, value: str, number: int = 0) -> Scene:
    """Change a setting of a TLS context, and put it back."""
    row = next((line for line in scene.say("AT+CSSLCFG?").lines if line.startswith(f"+CSSLCFG: {number},")), "")
    command = next(each for each in scene.probe.place.document["surroundings"] if each["name"] == "AT+CSSLCFG")
    fields = [field.strip() for field in row.partition(": ")[2].split(",")]
    names = command["read_reply"][0]
    parameter = next(each for each in command["variants"] if (each["key"] or "").lower() == key.lower())["params"][-1]
    if row and parameter in names:
        scene.owned.callback(scene.say, f'AT+CSSLCFG="{key}",{number},{fields[names.index(parameter)]}')
    scene.given(f'AT+CSSLCFG="{key}",{number},{value}')
    return scene


def unusable(scene: Scene) -> Scene:
    """Trust a file that holds no certificate."""
    scene.given('AT+CCERTDOWN="codes.pem",4', b"none")
    scene.owned.callback(scene.say, 'AT+CCERTDELE="codes.pem"')
    return context(context(scene, "authmode", "1"), "cacert", '"codes.pem"')


def missing(scene: Scene, number: int = 0) -> Scene:
    """Trust a file that is not there."""
    return context(context(scene, "authmode", "1", number), "cacert", '"nowhere.pem"', number)


def secured(scene: Scene, number: int | None = None) -> Scene:
    """Connect with TLS, with this context if one is chosen."""
    acquired(scene, 1)
    if number is not None:
        scene.given(f"AT+CMQTTSSLCFG=0,{number}")
    return joined(scene, port=scene.broker.tls_port)


def meanwhile(scene: Scene) -> Scene:
    """The network is lost while the client connects."""
    acquired(scene).say(f'AT+CMQTTCONNECT=0,"tcp://{scene.broker.host}:{scene.silent()}",67,1', at_once=True)
    return scene.around(registration="searching")


def unsubscribed(scene: Scene) -> Scene:
    """Unsubscribe from the topic."""
    return typed(scene, "AT+CMQTTUNSUB", scene.topic)


def will(scene: Scene) -> Scene:
    """A will whose topic has a wildcard."""
    return typed(typed(acquired(scene), "AT+CMQTTWILLTOPIC", "codes/#"), "AT+CMQTTWILLMSG", "hi", 1)


WAYS: dict[str, Way] = {
    "sim_done": Way(connected, said="the broker accepts"),
    "sim_subscription": Way(
        lambda s: subscribed(connected(s.refuses_topic())), CONTROL, "decided", "the broker refuses a subscription"
    ),
    "sim_utf8": Way(lambda s: typed(checking(acquired(s)), "AT+CMQTTTOPIC", NOT_UTF8), said="the topic is none"),
    "sim_utf8_payload": Way(
        lambda s: typed(checking(acquired(s)), "AT+CMQTTPAYLOAD", NOT_UTF8),
        basis="decided",
        said="the payload is none",
    ),
    "sim_utf8_will": Way(
        lambda s: typed(checking(acquired(s)), "AT+CMQTTWILLTOPIC", NOT_UTF8), said="the topic of the will is none"
    ),
    "sim_utf8_last_words": Way(
        lambda s: typed(checking(acquired(s)), "AT+CMQTTWILLMSG", NOT_UTF8, 1), basis="decided", said="the will is none"
    ),
    "sim_refused": Way(lambda s: connected(s, port=closed_port(s.broker.host)), CONTROL, said="the port is closed"),
    "sim_start": Way(
        lambda s: s.reach("idle").around(pdp=False).say("AT+CMQTTSTART"), AROUND, said="there is no PDP context"
    ),
    "sim_network": Way(
        lambda s: joined(acquired(s).around(registration="searching")), AROUND, "decided", "there is no network"
    ),
    "sim_network_meanwhile": Way(meanwhile, (*CONTROL, "conditions"), "decided", "the network is lost meanwhile"),
    "sim_offline": Way(lambda s: published(acquired(s)), said="a message before the connection"),
    "sim_offline_subscription": Way(lambda s: subscribed(acquired(s)), said="a subscription before the connection"),
    "sim_topic": Way(lambda s: published(connected(s), "codes/#"), basis="decided", said="the topic has a wildcard"),
    "sim_will": Way(lambda s: joined(will(s)), basis="decided", said="the topic of the will has a wildcard"),
    "sim_busy": Way(busy, CONTROL, "decided", "a message still waits for its acknowledgement"),
    "sim_connected_release": Way(
        lambda s: connected(s).say("AT+CMQTTREL=0"), basis="decided", said="the client to be released is connected"
    ),
    "sim_unsent": Way(lambda s: published(connected(s).unwritable()), REFUSAL, said="the socket refuses a message"),
    "sim_connect_unsent": Way(lambda s: connected(s.unwritable()), REFUSAL, said="the socket refuses CONNECT"),
    "sim_unanswered": Way(lambda s: connected(s, port=s.silent()), CLOCK, said="nobody answers", timer_s=130),
    "sim_no_connack": Way(lambda s: connected(s, port=s.odd()), CLOCK, said="no CONNACK comes", timer_s=130),
    "sim_no_suback": Way(
        lambda s: subscribed(connected(s.loses("SUBACK"))), CLOCK, said="no SUBACK comes", timer_s=130
    ),
    "sim_no_unsuback": Way(
        lambda s: unsubscribed(connected(s.loses("UNSUBACK"))), CLOCK, said="no UNSUBACK comes", timer_s=130
    ),
    "sim_no_puback": Way(lambda s: published(connected(s.loses("PUBACK"))), CLOCK, said="no PUBACK comes", timer_s=130),
    "sim_empty": Way(lambda s: connected(s).say("AT+CMQTTPUB=0,1,67"), said="nothing was entered"),
    "sim_used": Way(lambda s: acquired(s).say(f'AT+CMQTTACCQ=0,"{s.name}",0'), said="the client is acquired"),
    "sim_connected_twice": Way(lambda s: joined(connected(s)), basis="decided", said="the client is connected"),
    "sim_unacquired": Way(lambda s: s.reach("started").say("AT+CMQTTREL=0"), said="the client to be released is not"),
    "sim_unreleased": Way(lambda s: acquired(s).say("AT+CMQTTSTOP"), said="the service is to stop"),
    "sim_packet": Way(lambda s: connected(s, port=s.odd(NONSENSE)), CONTROL, "decided", "the broker answers nonsense"),
    "sim_unresolved": Way(lambda s: connected(s, NOBODY), said="the name is reserved"),
    "sim_without_dns": Way(
        lambda s: connected(s.around(dns=False), "codes.example"), AROUND, said="no name is resolved"
    ),
    "sim_closed": Way(lambda s: connected(s, port=s.odd(then="closes")), CONTROL, said="the broker closes"),
    "sim_reset": Way(
        lambda s: connected(s, port=s.odd(then="resets")), CONTROL, "decided", "the broker resets in place of CONNACK"
    ),
    "sim_version": Way(lambda s: connected(s.refused_with(1)), CONTROL, said="CONNACK 1"),
    "sim_client_id": Way(lambda s: connected(s.refused_with(2)), CONTROL, said="CONNACK 2"),
    "sim_unavailable": Way(lambda s: connected(s.refused_with(3)), CONTROL, said="CONNACK 3"),
    "sim_password": Way(
        lambda s: connected(s.users(), login=',"somebody","wrong"'), CONTROL, said="the password is wrong"
    ),
    "sim_unauthorised": Way(lambda s: connected(s.users(), login=""), CONTROL, said="the user name is missing"),
    "sim_handshake": Way(
        lambda s: joined(acquired(s, 1), port=s.odd(NONSENSE, "closes")), CONTROL, said="the server speaks no TLS"
    ),
    "sim_unusable": Way(lambda s: secured(unusable(s)), TLS, "decided", "the file holds no certificate"),
    "sim_certificate": Way(lambda s: secured(missing(s)), TLS, said="the file is not there"),
    "sim_disconnect": Way(
        lambda s: connected(s).unwritable().say("AT+CMQTTDISC=0,67"), REFUSAL, said="the socket refuses DISCONNECT"
    ),
    "lost_closed": Way(lambda s: connected(s, port=s.odd(CONNACK, "closes")), CONTROL, said="the broker closes"),
    "lost_no_pong": Way(lambda s: connected(s.loses("PINGRESP")), CLOCK, "decided", "no PINGRESP comes", timer_s=200),
    "lost_reset": Way(
        lambda s: published(connected(s, port=s.odd(CONNACK, "resets")), at_once=True),
        CONTROL,
        said="the broker resets",
    ),
    "lost_protocol": Way(
        lambda s: connected(s, port=s.odd(CONNACK + NONSENSE)), CONTROL, "decided", "the broker breaks the protocol"
    ),
    "lost_network": Way(lambda s: connected(s).around(registration="searching"), AROUND, said="the network is lost"),
    "lost_denied": Way(
        lambda s: connected(s).around(registration="denied"), AROUND, said="the network refuses the module"
    ),
    "lost_pdp": Way(lambda s: connected(s).around(pdp=False), AROUND, said="the PDP context is lost"),
}
"""By name."""
