//! Credentials that a module makes by itself for a cloud platform, from what AT+QMTCFG was told of the device. The formulas
//! are in [`crate::cloud`]; here is which of a module's settings go into them.
//!
//! The documents leave open which hash, timestamp and lifetime a firmware uses: [`CloudSigning`] says it, as decided.

use std::time::Duration;

use crate::cloud::Credentials;
use crate::cloud::Method;
use crate::cloud::alibaba;
use crate::cloud::huawei;
use crate::cloud::onenet;
use crate::dialect::Value;
use crate::virtual_module::device::Device;
use crate::virtual_module::qmt::setting;
use crate::virtual_module::qmt::setting_int;

/// How a module signs, where the documents leave it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloudSigning {
    /// The hash for Alibaba and OneNET; Huawei knows one only.
    pub method: Method,
    /// Whether the moment goes into what is signed for Alibaba.
    pub timestamp: bool,
    /// How long a token for OneNET holds.
    pub lifetime: Duration,
}

impl Default for CloudSigning {
    fn default() -> CloudSigning {
        CloudSigning { method: Method::Sha256, timestamp: true, lifetime: Duration::from_secs(365 * 86_400) }
    }
}

/// The settings of a platform, and what makes credentials of them.
type Maker = fn(&Settings<'_>) -> Option<Credentials>;

/// Keys of AT+QMTCFG that name a platform's device. The one that was written last counts.
const PLATFORMS: &[(&str, Maker)] =
    &[("aliauth", alibaba_device), ("onenet", onenet_device), ("hwauth", huawei_device), ("hwprodid", huawei_node)];

/// Whether this key of AT+QMTCFG names a platform's device.
pub(super) fn platform(key: &str) -> Option<&'static str> {
    PLATFORMS.iter().map(|(known, _)| *known).find(|known| *known == key)
}

/// What a client puts into its CONNECT: of the platform it was last told of, with `id` as the host wrote it.
pub(super) fn credentials(device: &Device, index: u8, key: &'static str, id: &str) -> Option<Credentials> {
    let (_, maker) = PLATFORMS.iter().find(|(known, _)| *known == key)?;
    maker(&Settings { device, index, key, id })
}

struct Settings<'a> {
    device: &'a Device,
    index: u8,
    key: &'static str,
    id: &'a str,
}

impl Settings<'_> {
    /// A text by its place behind the client's number; an empty one is none.
    fn text(&self, place: usize) -> Option<String> {
        match setting(self.device, self.index, self.key, place)? {
            Value::Text(bytes) => String::from_utf8(bytes).ok().filter(|text| !text.is_empty()),
            Value::Int(_) => None,
        }
    }
}

fn alibaba_device(settings: &Settings<'_>) -> Option<Credentials> {
    let Settings { device, index, id, .. } = *settings;
    let named = alibaba::Device {
        product_key: settings.text(1)?,
        device_name: settings.text(2)?,
        device_secret: settings.text(3)?,
    };
    let CloudSigning { method, timestamp, .. } = device.cloud;
    let signing = alibaba::Signing {
        method,
        timestamp: timestamp.then(|| device.clock_now() * 1000),
        tls: setting_int(device, index, "ssl", 1) == Some(1),
    };
    Some(alibaba::sign(&named, id, signing))
}

/// The host's client id is the name of the device.
fn onenet_device(settings: &Settings<'_>) -> Option<Credentials> {
    let device = settings.device;
    let named = onenet::Device {
        product_id: settings.text(1)?,
        device_name: settings.id.to_owned(),
        access_key: settings.text(2)?,
    };
    onenet::sign(&named, device.cloud.method, device.clock_now() + device.cloud.lifetime.as_secs())
}

/// The host's client id names the node, unless it is a whole device id.
fn huawei_device(settings: &Settings<'_>) -> Option<Credentials> {
    let product = settings.text(1)?;
    let is_whole = settings.id.strip_prefix(&product).is_some_and(|rest| rest.starts_with('_'));
    let device_id = if is_whole { settings.id.to_owned() } else { format!("{product}_{}", settings.id) };
    let named = huawei::Device { device_id, secret: settings.text(2)? };
    Some(huawei::sign(&named, huawei::Kind::Device, time_is_checked(settings), settings.device.clock_now()))
}

fn huawei_node(settings: &Settings<'_>) -> Option<Credentials> {
    let device_id = format!("{}_{}", settings.text(1)?, settings.text(3)?);
    let named = huawei::Device { device_id, secret: settings.text(2)? };
    Some(huawei::sign(&named, huawei::Kind::Node, time_is_checked(settings), settings.device.clock_now()))
}

/// The query of the document shows whether the time is checked.
fn time_is_checked(settings: &Settings<'_>) -> bool {
    let Settings { device, index, key, .. } = *settings;
    device.setting_int(super::CFG, key, "hw_time_enable", i64::from(index)) == Some(1)
}
