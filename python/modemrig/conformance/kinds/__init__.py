"""Every kind of fact there is. A new kind is a class in a file of its theme, and a row here."""

from modemrig.conformance.kinds.cmqtt_states import ServiceError, ServiceState
from modemrig.conformance.kinds.forms import TestForm
from modemrig.conformance.kinds.kind import Kind
from modemrig.conformance.kinds.ranges import Maximum

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        # forms
        TestForm(),
        # values
        Maximum(),
        # behaviour of AT+CMQTT… modules
        ServiceError(),
        ServiceState(),
    )
}
"""By name, in the order in which reports explain them."""
