//! Alibaba Cloud IoT Platform: "MQTT connections", the password of the one-device-one-secret way.
//!
//! The client id says how it was signed: `id|securemode=3,signmethod=hmacsha1,timestamp=…|`, securemode 2 over TLS and 3
//! over TCP, the timestamp in milliseconds and optional, the method HMAC-MD5 where none is named. The user name is
//! `deviceName&productKey`. The password is the hash, in hexadecimal digits, of the parameters in alphabetic order, name and
//! value, without separators.

use super::Credentials;
use super::Login;
use super::Method;
use super::Refusal;
use super::Verdict;
use super::demand;
use super::hash::hex;
use super::hash::unhex;
use super::text;

/// A device's three names.
#[derive(Clone, PartialEq, Eq)]
pub struct Device {
    /// ProductKey
    pub product_key: String,
    /// DeviceName
    pub device_name: String,
    /// DeviceSecret
    pub device_secret: String,
}

/// How a device signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signing {
    /// The hash.
    pub method: Method,
    /// Milliseconds since 1970, where one is sent.
    pub timestamp: Option<u64>,
    /// The connection is secured.
    pub tls: bool,
}

/// What the device puts into its CONNECT; `id` is its own choice.
pub fn sign(device: &Device, id: &str, signing: Signing) -> Credentials {
    let securemode = if signing.tls { 2 } else { 3 };
    let timestamp = signing.timestamp.map(|stamp| format!(",timestamp={stamp}")).unwrap_or_default();
    let stamp = signing.timestamp.map(|stamp| stamp.to_string());
    Credentials {
        client_id: format!("{id}|securemode={securemode},signmethod=hmac{}{timestamp}|", signing.method.name()),
        username: format!("{}&{}", device.device_name, device.product_key),
        password: hex(&signing.method.sign(device.device_secret.as_bytes(), &content(device, id, stamp.as_deref()))),
    }
}

/// Recomputes what a client sent.
pub fn check(devices: &[Device], login: &Login<'_>) -> Verdict {
    let (id, rest) = login.client_id.split_once('|').ok_or(Refusal::ClientId)?;
    let named = rest.strip_suffix('|').ok_or(Refusal::ClientId)?;
    let (mut method, mut securemode, mut timestamp) = (Method::Md5, None, None);
    for pair in named.split(',') {
        match pair.split_once('=').ok_or(Refusal::ClientId)? {
            ("securemode", value) => securemode = Some(value),
            ("signmethod", value) => {
                method = value.strip_prefix("hmac").and_then(Method::named).ok_or(Refusal::ClientId)?;
            }
            ("timestamp", value) => timestamp = Some(value),
            _ => {} // Others are the platform's own affair.
        }
    }
    demand(!id.is_empty() && id.len() <= 64, Refusal::ClientId)?;
    demand(securemode == Some(if login.tls { "2" } else { "3" }), Refusal::ClientId)?;
    let device = devices
        .iter()
        .find(|device| login.username == format!("{}&{}", device.device_name, device.product_key))
        .ok_or(Refusal::NotAllowed)?;
    let hash = unhex(text(login)?).ok_or(Refusal::Credentials)?;
    let content = content(device, id, timestamp);
    demand(method.verify(device.device_secret.as_bytes(), &content, &hash), Refusal::Credentials)?;
    demand((30..=1200).contains(&login.keep_alive), Refusal::NotAllowed)
}

fn content(device: &Device, id: &str, timestamp: Option<&str>) -> String {
    let Device { product_key, device_name, .. } = device;
    let stamp = timestamp.map(|stamp| format!("timestamp{stamp}")).unwrap_or_default();
    format!("clientId{id}deviceName{device_name}productKey{product_key}{stamp}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(secret: &str) -> Device {
        Device { product_key: "a1Zd7n5yTt8".into(), device_name: "device1".into(), device_secret: secret.into() }
    }

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn the_published_vector_is_reproduced() {
        let device = Device {
            product_key: "a14Xib5kdYd".into(),
            device_name: "light1983432".into(),
            device_secret: "oLyaKqVxtRvjH284LdhqVgVUx1UPy6zq".into(),
        };
        let signing = Signing { method: Method::Sha1, timestamp: Some(1_539_421_321_846), tls: false };
        let credentials = sign(&device, "SN1928339", signing);
        assert_eq!("b2488041f64f425016b467ee1c94959ebd592ad1", credentials.password);
        assert_eq!("light1983432&a14Xib5kdYd", credentials.username);
        assert_eq!("SN1928339|securemode=3,signmethod=hmacsha1,timestamp=1539421321846|", credentials.client_id);
    }

    #[test]
    fn every_method_gives_its_vector_with_and_without_a_timestamp() {
        let password = |method, timestamp| {
            sign(&device(SECRET), "a1Zd7n5yTt8.device1", Signing { method, timestamp, tls: true }).password
        };
        let stamp = Some(1_700_000_000_000);
        assert_eq!("f0f2eae9d36af4bbf786f031a757c3e0", password(Method::Md5, stamp));
        assert_eq!("fd4ce95596da663f969ee6c0e543a9d1cb98c492", password(Method::Sha1, stamp));
        let sha256 = "7ed144ad4074bec5f34a957b3a36be9ccb6d6bdb72f53b4096d35c801e6c5e91";
        assert_eq!(sha256, password(Method::Sha256, stamp));
        let unstamped = "74c74fa56c8c013b124e01bdc6b2f004b72a34e701976be602029f9d0388b24a";
        assert_eq!(unstamped, password(Method::Sha256, None));
    }

    #[test]
    fn what_is_signed_passes_and_what_is_changed_does_not() {
        let devices = [device(SECRET)];
        for (_, method) in Method::NAMES {
            for (tls, timestamp) in [(false, None), (true, Some(7))] {
                let made = sign(&devices[0], "me", Signing { method, timestamp, tls });
                let login = Login {
                    level: 3,
                    client_id: &made.client_id,
                    username: &made.username,
                    password: made.password.as_bytes(),
                    keep_alive: 120,
                    tls,
                    ..Login::default()
                };
                assert_eq!(Ok(()), check(&devices, &login));
                assert_eq!(Err(Refusal::Credentials), check(&[device("another")], &login));
                assert_eq!(Err(Refusal::NotAllowed), check(&[], &login));
                assert_eq!(Err(Refusal::ClientId), check(&devices, &Login { tls: !tls, ..login }));
                assert_eq!(Err(Refusal::ClientId), check(&devices, &Login { client_id: "me", ..login }));
                assert_eq!(Err(Refusal::NotAllowed), check(&devices, &Login { keep_alive: 29, ..login }));
                assert_eq!(Err(Refusal::NotAllowed), check(&devices, &Login { keep_alive: 1201, ..login }));
            }
        }
    }
}
