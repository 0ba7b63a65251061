"""modemrig drives the MQTT service inside cellular modules over their AT interface, and tests those modules.

    import modemrig
    with modemrig.open("virtual:ecx00u_egx00u") as modem:
        print(modem.identity)
        print(modem.command("+CSQ").lines)

Nothing is loaded until it is used: this import reads one small file.
"""

from __future__ import annotations

__version__ = "0.1.0"
