"""The notes of AT+CMQTT… documents, sentence by sentence."""

from __future__ import annotations

from modemrig.conformance.answer import Differs
from modemrig.conformance.facts import Unchecked
from modemrig.conformance.kinds.note import Broken, Checked, Row, Said
from modemrig.conformance.probe import Probe
from modemrig.conformance.samples import small

SECOND_RELEASED = "The test form prints a second client the module does not have."
SHORT_FORMS = (
    "The short forms of the examples subscribe to what AT+CMQTTSUBTOPIC staged; "
    "nothing staged, nothing is sent (decision 8)."
)
SECOND_SHOWN = "The example prints a second client the module does not have."


def _no_second_client(probe: Probe) -> None:
    probe.reach("acquired")
    probe.moved()
    probe.refuse(small("AT+CMQTTREL=1", "At"))


def _one_client_shown(probe: Probe) -> None:
    probe.reach("acquired")
    answer = probe.ask(small("AT+CMQTTCFG?", "At"))
    shown = [line for line in answer.lines if line.startswith("+CMQTTCFG:")]
    if len(shown) != 1:
        raise Differs("+CMQTTCFG: 0,<checkutf8_flag>,<optimeout_val>\nOK", answer.shown())


NOTES: dict[str, Row] = {
    "Until the service runs every other read and write form is answered with ERROR at once.": Said(
        ("CMQTTACCQ/read/refused-while-stopped", "CMQTTACCQ/write/refused-while-stopped")
    ),
    "Started twice: ERROR.": Said(("CMQTTSTART/execute/refused-while-started",)),
    "Comes after AT+CMQTTDISC and AT+CMQTTREL.": Said(("CMQTTSTOP/after-release", "CMQTTREL/after-disconnection")),
    "Stopped twice: ERROR.": Said(("CMQTTSTOP/execute/refused-while-stopped",)),
    "Comes after AT+CMQTTSTART and before everything that concerns the connection.": Said(
        ("CMQTTACCQ/write/refused-while-stopped", "CMQTTCONNECT/write/refused-while-started")
    ),
    "Comes after AT+CMQTTDISC and before AT+CMQTTSTOP.": Said(
        (
            "CMQTTREL/after-disconnection",
            "CMQTTREL/write/refused-while-connected",
            "CMQTTREL/write/refused-while-stopped",
        )
    ),
    "The read form answers OK alone, or ERROR while the service is stopped.": Said(
        ("CMQTTREL/read-form-says-nothing", "CMQTTREL/read/refused-while-stopped")
    ),
    SECOND_RELEASED: Checked(_no_second_client),
    "Comes after AT+CMQTTSTART and before AT+CMQTTCONNECT.": Said(
        (
            "CMQTTSSLCFG/before-acquiring",
            "CMQTTSSLCFG/write/refused-while-stopped",
            "CMQTTSSLCFG/write/refused-while-connected",
        )
    ),
    "Forgotten when AT+CMQTTCONNECT fails and after AT+CMQTTDISC.": Said(
        ("CMQTTSSLCFG/forgotten-when-connecting-fails", "CMQTTSSLCFG/forgotten-with-disconnection")
    ),
    "Not set: the context with the number of the client is used (3.2.8).": Said(("CMQTTSSLCFG/left-out",)),
    "The address starts with tcp:// also for TLS; TLS is chosen with server_type of AT+CMQTTACCQ.": Said(
        ("CMQTTACCQ/tls", "CMQTTACCQ/tls-only", "CMQTTCONNECT/scheme")
    ),
    "Result and final result code come in four orders: OK and result, result and ERROR, ERROR and result, ERROR alone.": Said(
        ("CMQTTCONNECT/failure-orders", "CMQTTCONNECT/write/answer")
    ),
    "Without AT+CMQTTSSLCFG the TLS context with the number of the client is used.": Said(("CMQTTSSLCFG/left-out",)),
    "The result may come before or after OK.": Said(("CMQTTDISC/write/answer",)),
    "The document prints timeout as if it were needed; it may be left out (decision 9).": Said(
        ("CMQTTDISC/timeout-left-out",)
    ),
    "Forgotten after AT+CMQTTPUB.": Said(("CMQTTTOPIC/forgotten",)),
    "Forgotten after AT+CMQTTPUB; the document's note says topic where it must mean payload.": Said(
        ("CMQTTPAYLOAD/forgotten",)
    ),
    "Topic and payload are forgotten afterwards.": Said(("CMQTTTOPIC/forgotten", "CMQTTPAYLOAD/forgotten")),
    "The topic is forgotten afterwards.": Said(("CMQTTSUB/forgotten", "CMQTTUNSUB/forgotten")),
    SHORT_FORMS: Said(("CMQTTSUBTOPIC/subscribed", "CMQTTSUB/nothing-staged")),
    "Only the list of commands and the example of 3.2.14 show it.": Unchecked(
        "elsewhere", "It is about the document: where the command stands in it."
    ),
    "While AT+CMQTTUNSUBTOPIC has staged a topic, a second argument alone is dup, not a length (decision 8).": Said(
        ("CMQTTUNSUBTOPIC/unsubscribed",)
    ),
    "Comes after AT+CMQTTACCQ and before AT+CMQTTCONNECT; forgotten with AT+CMQTTREL.": Said(
        ("CMQTTCFG/write/refused-while-started", "CMQTTCFG/write/refused-while-connected", "CMQTTCFG/forgotten")
    ),
    SECOND_SHOWN: Checked(_one_client_shown),
}

BROKEN = (
    Broken(
        "there is a second client",
        (SECOND_RELEASED, SECOND_SHOWN),
        ("reworded:from=ERROR,to=OK,line=At+CMQTTREL=1", "doubled:text=+CMQTTCFG:,line=At+CMQTTCFG?"),
    ),
)
