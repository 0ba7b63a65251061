"""Devices of cloud platforms: what a bench broker that plays the platform knows of them, and what a module is told.

The modules make the credentials by themselves (``AT+QMTCFG="aliauth"`` and its like); the broker recomputes them, compares in
constant time, and refuses a wrong secret, an expired token, a wrong MQTT level or keep-alive with the CONNACK code of the case.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from modemrig.errors import BadValue, Unsupported

__all__ = ["Alibaba", "Aws", "Device", "Huawei", "OneNet", "Tencent"]


@dataclass(frozen=True, slots=True)
class Alibaba:
    """A device of Alibaba Cloud IoT Platform."""

    product_key: str
    """ProductKey."""
    device_name: str
    """DeviceName."""
    device_secret: str = field(repr=False)
    """DeviceSecret."""


@dataclass(frozen=True, slots=True)
class OneNet:
    """A device of China Mobile OneNET, which speaks MQTT 3.1.1 only."""

    product_id: str
    """Product id."""
    device_name: str
    """Device name, the client id."""
    access_key: str = field(repr=False)
    """Access key of the product or the device, base64."""


@dataclass(frozen=True, slots=True)
class Huawei:
    """A device of Huawei IoTDA."""

    device_id: str
    """Device id: mostly product id, underscore, node id."""
    secret: str = field(repr=False)
    """Its secret."""


@dataclass(frozen=True, slots=True)
class Tencent:
    """A device of Tencent Cloud IoT Hub; it may also fetch its password from the bench's token server."""

    product_id: str
    """Product id."""
    device_name: str
    """Device name."""
    device_secret: str = field(repr=False)
    """Its secret, base64."""


@dataclass(frozen=True, slots=True)
class Aws:
    """An endpoint of AWS IoT Core: every client with a certificate is held to its rules (keep-alive up to 1200 s)."""

    server_name: str = ""
    """The name clients must ask for by SNI; empty: they need not ask."""


Device = Alibaba | OneNet | Huawei | Tencent | Aws
"""A device of any of them."""


def setting(device: Device) -> tuple[str, tuple[str, ...]]:
    """Key and values of the setting that tells a module of a device.

    Raises:
        Unsupported: the platform has none; says what there is instead.
        BadValue: it is no device.
    """
    match device:
        case Alibaba(product_key, device_name, device_secret):
            return "aliauth", (product_key, device_name, device_secret)
        case OneNet(product_id, _, access_key):
            return "onenet", (product_id, access_key)
        case Huawei(device_id, secret):
            # Product ids have no underscore, names of nodes may have some.
            return "hwauth", (device_id.partition("_")[0], secret)
        case Tencent():
            raise Unsupported(
                "a module is not told of a device of Tencent Cloud, it fetches a password for it",
                remedy="modem.run('QMTTENAUTH', …), then client.connect(…, password=…)",
            )
        case Aws():
            raise Unsupported(
                "AWS IoT Core knows a device by its certificate", remedy="client.open(…, tls=modemrig.Tls(…))"
            )
        case _:
            raise BadValue(f"cloud: a device of a cloud platform, not a value of type {type(device).__name__}")
