"""What a check needs of a rig, in words a rig can be asked for. A rig that lacks one skips the check with its reason."""

from __future__ import annotations

NEEDS = {
    "sim": "the module must reach its broker: a SIM and a network, and no --offline",
    "tls": "the rig's broker has no TLS port",
    "certificates": "the rig names no ca, client_cert and client_key of its broker",
    "broker_control": "only the bench broker does as it is told (acknowledgements withheld, connections refused)",
    "power": "nothing here switches the module off and on",
    "time": "its timer takes minutes; only a virtual module's clock runs faster, --patience waits for a real one",
    "true_speed": "the clock of this rig runs faster than documented",
    "conditions": "only what is around a virtual module can be changed",
}
"""Name of a need, and why a rig without it skips. ``fault:NAME`` is a fault of a virtual module."""


def why_missing(need: str) -> str:
    """Why a rig that lacks this skips a check."""
    if need.startswith("fault:"):
        return f"only a virtual module goes wrong on request ({need.removeprefix('fault:')})"
    return NEEDS[need]
