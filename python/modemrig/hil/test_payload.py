"""Any bytes go out and come back, at every quality of service, through the host API that hides the dialect."""

from typing import Any

import pytest

from modemrig.hil.bench import SlotBench

AWKWARD = {
    "text": b"hello MQTT",
    "line-ends-and-results": b"a\r\nOK\r\n\r\nERROR\r\n+QMTSTAT: 0,1\r\n> \r\n",
    "quotes": b'{"a": "b, c", "d": "\\""}',
    "every-byte": bytes(range(256)),
    "control-z-and-escape": b"\x1a\x1b\x00\xff\x1a",
}
UTF8_ONLY = ("every-byte", "control-z-and-escape")


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("name", AWKWARD)
def test_payload_goes_out_and_comes_back(slot: SlotBench, name: str, qos: int) -> None:
    payload, topic = AWKWARD[name], f"{slot.prefix}payload/{name}"
    peer = slot.peer()
    peer.subscribe([topic])
    client = slot.modem.client(0)
    settings: dict[str, Any] = {"clean_session": True}
    if any(c["name"] == "AT+CMQTTCFG" for c in slot.document["commands"]) and name in UTF8_ONLY:
        settings["checkutf8_flag"] = 0
    elif any(v["key"] == "recv/mode" for c in slot.document["commands"] for v in c["variants"]):
        settings["recv/mode"] = (0, 1)
    client.configure(**settings)
    user, password = slot.broker.user, slot.broker.password
    client_id = f"{slot.prefix}payload"
    with client.session(slot.broker.host, slot.broker.port, client_id, username=user, password=password) as session:
        session.subscribe({topic: 2})
        session.publish(topic, payload, qos=qos).wait()
        peer.expect(topic, payload, f"transcript: {slot.transcript_path}")
        message = next(session.messages(timeout_s=10.0), None)
        assert message is not None, f"nothing came back; transcript: {slot.transcript_path}"
        assert (message.topic, message.payload) == (topic, payload), f"transcript: {slot.transcript_path}"
