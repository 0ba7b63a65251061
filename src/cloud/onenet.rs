//! China Mobile OneNET: "MQTT device access" and "token".
//!
//! Client id is the device's name, user name the product id, password a token:
//! `version=2018-10-31&res=…&et=…&method=…&sign=…` with URL-encoded values, signed over expiry, method, resource and
//! version, a line each, under the decoded access key. Level 4 only.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::percent_decode_str;
use percent_encoding::utf8_percent_encode;

use super::Credentials;
use super::Login;
use super::Method;
use super::Refusal;
use super::Verdict;
use super::demand;
use super::text;

const VERSION: &str = "2018-10-31";

/// What a value may show as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A device and the key of its product or its own.
#[derive(Clone, PartialEq, Eq)]
pub struct Device {
    /// Product id.
    pub product_id: String,
    /// Device name.
    pub device_name: String,
    /// Access key, base64.
    pub access_key: String,
}

/// What the device puts into its CONNECT; the token holds until `expires`, in seconds since 1970. `None`: the access key is
/// no base64.
pub fn sign(device: &Device, method: Method, expires: u64) -> Option<Credentials> {
    let res = format!("products/{}/devices/{}", device.product_id, device.device_name);
    Some(Credentials {
        client_id: device.device_name.clone(),
        username: device.product_id.clone(),
        password: token(&device.access_key, &res, method, expires)?,
    })
}

/// A token for a resource. `None`: the access key is no base64.
pub fn token(access_key: &str, res: &str, method: Method, expires: u64) -> Option<String> {
    let key = STANDARD.decode(access_key).ok()?;
    let sign = STANDARD.encode(method.sign(&key, &content(&expires.to_string(), method.name(), res, VERSION)));
    let encoded = |value: &str| utf8_percent_encode(value, ENCODED).to_string();
    let (res, sign) = (encoded(res), encoded(&sign));
    Some(format!("version={VERSION}&res={res}&et={expires}&method={}&sign={sign}", method.name()))
}

/// Recomputes what a client sent.
pub fn check(devices: &[Device], login: &Login<'_>) -> Verdict {
    demand(login.level == 4, Refusal::Level)?;
    let device = devices
        .iter()
        .find(|device| device.product_id == login.username && device.device_name == login.client_id)
        .ok_or(Refusal::NotAllowed)?;
    let token = text(login)?;
    let value = |name: &str| {
        let encoded = token.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let decoded = percent_decode_str(encoded.ok_or(Refusal::Credentials)?).decode_utf8();
        decoded.map(|text| text.into_owned()).map_err(|_| Refusal::Credentials)
    };
    let (version, res, et, method) = (value("version")?, value("res")?, value("et")?, value("method")?);
    let known = Method::named(&method).ok_or(Refusal::Credentials)?;
    let key = STANDARD.decode(&device.access_key).map_err(|_| Refusal::Credentials)?;
    let sign = STANDARD.decode(value("sign")?).map_err(|_| Refusal::Credentials)?;
    demand(known.verify(&key, &content(&et, &method, &res, &version), &sign), Refusal::Credentials)?;
    let product = format!("products/{}", device.product_id);
    let own = format!("{product}/devices/{}", device.device_name);
    demand(res == product || res == own, Refusal::Credentials)?;
    demand(et.parse::<u64>().is_ok_and(|expires| expires > login.now), Refusal::Credentials)?;
    demand((10..=1800).contains(&login.keep_alive), Refusal::NotAllowed)
}

fn content(et: &str, method: &str, res: &str, version: &str) -> String {
    format!("{et}\n{method}\n{res}\n{version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw=";

    #[test]
    fn every_method_gives_its_vector() {
        for (method, sign) in [
            (Method::Md5, "M3jB6jcSNUuGcvW3dFcrWA%3D%3D"),
            (Method::Sha1, "lsaPSiiGvEFFjXu5WU7a6IkScqE%3D"),
            (Method::Sha256, "tuFMd8Cc5krZO%2BRiNaW4mad5tauSFq2J89Gd70MXQPI%3D"),
        ] {
            let name = method.name();
            let expected = format!("version=2018-10-31&res=products%2F123123&et=1537255523&method={name}&sign={sign}");
            assert_eq!(Some(expected), token(KEY, "products/123123", method, 1_537_255_523));
        }
    }

    fn device(key: &str) -> Device {
        Device { product_id: "123123".into(), device_name: "mydev".into(), access_key: key.into() }
    }

    #[test]
    fn a_device_gives_its_vector() {
        let made = sign(&device(KEY), Method::Sha256, 1_893_456_000).expect("a key");
        assert_eq!(
            "version=2018-10-31&res=products%2F123123%2Fdevices%2Fmydev&et=1893456000&method=sha256\
             &sign=jjz1sR8rCXsdqXeucWcSJlqBfJepszq0KVnEUCmPmD8%3D",
            made.password
        );
        assert_eq!(("mydev", "123123"), (made.client_id.as_str(), made.username.as_str()));
        assert_eq!(None, sign(&device("no base64!"), Method::Sha256, 1).map(|made| made.password));
    }

    #[test]
    fn what_is_signed_passes_and_what_is_changed_does_not() {
        let devices = [device(KEY)];
        let made = sign(&devices[0], Method::Sha1, 1_000).expect("a key");
        let login = Login {
            level: 4,
            client_id: &made.client_id,
            username: &made.username,
            password: made.password.as_bytes(),
            keep_alive: 120,
            now: 999,
            ..Login::default()
        };
        assert_eq!(Ok(()), check(&devices, &login));
        assert_eq!(Err(Refusal::Level), check(&devices, &Login { level: 3, ..login }));
        assert_eq!(Err(Refusal::Credentials), check(&devices, &Login { now: 1_000, ..login }), "expired");
        assert_eq!(Err(Refusal::Credentials), check(&[device("AAAA")], &login), "another key");
        assert_eq!(Err(Refusal::NotAllowed), check(&devices, &Login { client_id: "other", ..login }));
        assert_eq!(Err(Refusal::NotAllowed), check(&devices, &Login { keep_alive: 9, ..login }));
        let other = token(KEY, "products/123123/devices/other", Method::Sha1, 1_000).expect("a key");
        let others = Login { password: other.as_bytes(), ..login };
        assert_eq!(Err(Refusal::Credentials), check(&devices, &others), "another device's token");
        let later = made.password.replace("et=1000", "et=2000");
        assert_eq!(Err(Refusal::Credentials), check(&devices, &Login { password: later.as_bytes(), ..login }));
    }
}
