"""Every kind of fact there is. A new kind is a class in a file of its theme, and a row here."""

from modemrig.conformance.kinds.buffers import Buffer
from modemrig.conformance.kinds.clients import Clients
from modemrig.conformance.kinds.cmqtt_answers import ServiceFailure, ServicePrompt, ServiceResult
from modemrig.conformance.kinds.cmqtt_connect import ServiceConnect
from modemrig.conformance.kinds.cmqtt_limits import LineLimit
from modemrig.conformance.kinds.cmqtt_memory import ServiceMemory
from modemrig.conformance.kinds.cmqtt_messages import ServiceMessage
from modemrig.conformance.kinds.cmqtt_packets import ServicePacket
from modemrig.conformance.kinds.cmqtt_states import ServiceError, ServiceState
from modemrig.conformance.kinds.cmqtt_times import ServiceResponse, ServiceTime
from modemrig.conformance.kinds.codes import Codes
from modemrig.conformance.kinds.counts import Between, Count, CountWhen, Forbidden, TooFew, TooMany
from modemrig.conformance.kinds.defaults import Default
from modemrig.conformance.kinds.examples import Example
from modemrig.conformance.kinds.forms import ReadForm, Spelling, TestForm
from modemrig.conformance.kinds.keepalive import KeepAlive
from modemrig.conformance.kinds.kind import Kind
from modemrig.conformance.kinds.notes import Note
from modemrig.conformance.kinds.payloads import Payload
from modemrig.conformance.kinds.prompts import Input, Prompt
from modemrig.conformance.kinds.ranges import Above, Below, LargestClient, Maximum, Minimum, UnknownClient
from modemrig.conformance.kinds.results import Result
from modemrig.conformance.kinds.retransmission import Retransmission
from modemrig.conformance.kinds.sessions import Retained, Session, Subscription
from modemrig.conformance.kinds.settings import Kept, Locked, NotSaved, Outlasting, Query
from modemrig.conformance.kinds.settings_seen import Cloud, Tls
from modemrig.conformance.kinds.states import StateError, StateLine
from modemrig.conformance.kinds.texts import Bytes, Longest, Shortest, TooLong, TooShort
from modemrig.conformance.kinds.timing import ResponseTime
from modemrig.conformance.kinds.unsolicited import UrcShape
from modemrig.conformance.kinds.values import LetterCase, UnknownKey, UnknownValue, Value, WrongType
from modemrig.conformance.kinds.wills import WillOfAClient
from modemrig.conformance.kinds.window import Window
from modemrig.conformance.kinds.wire import OnTheWire

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        # forms
        TestForm(),
        ReadForm(),
        Spelling(),
        # values
        Minimum(),
        Maximum(),
        Below(),
        Above(),
        LargestClient(),
        UnknownClient(),
        Value(),
        UnknownValue(),
        WrongType(),
        UnknownKey(),
        LetterCase(),
        # texts
        Shortest(),
        Longest(),
        TooShort(),
        TooLong(),
        Bytes(),
        # numbers of parameters
        Count(),
        TooFew(),
        TooMany(),
        Between(),
        CountWhen(),
        Forbidden(),
        # settings
        Query(),
        Default(),
        Kept(),
        Locked(),
        Outlasting(),
        NotSaved(),
        # behaviour of AT+QMT… modules
        StateError(),
        StateLine(),
        Result(),
        UrcShape(),
        ResponseTime(),
        Prompt(),
        Input(),
        Payload(),
        Window(),
        Buffer(),
        Clients(),
        OnTheWire(),
        Subscription(),
        Retained(),
        Session(),
        WillOfAClient(),
        Retransmission(),
        KeepAlive(),
        # behaviour of AT+CMQTT… modules
        ServiceError(),
        ServiceState(),
        ServiceResult(),
        ServiceFailure(),
        ServicePrompt(),
        ServiceMemory(),
        ServiceMessage(),
        ServiceConnect(),
        ServicePacket(),
        ServiceResponse(),
        ServiceTime(),
        LineLimit(),
        # what documents add in a sentence
        Note(),
        # codes
        Codes(),
        # settings that the server sees
        Tls(),
        Cloud(),
        # worked examples
        Example(),
    )
}
"""By name, in the order in which reports explain them."""
