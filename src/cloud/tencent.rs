//! Tencent Cloud IoT Hub: "Device access based on MQTT over TCP", the key way; and the tokens of the bench.
//!
//! Client id is product id and device name, one behind the other; the user name adds application, a random connection id and
//! an expiry: `…;12010126;Ab3d5;1893456000`. The password is the hash of the user name under the decoded secret, in
//! hexadecimal digits, with its method: `…;hmacsha256`. The platform knows no wills, no retained messages and no QoS 2; of
//! these a CONNECT shows the will.
//!
//! A module that fetches its password (`AT+QMTTENAUTH`) asks a server for it. What the platform's server says to it is not
//! public; the bench's [`Request`] and its password are our own, described in `docs/token-server.md`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Credentials;
use super::Login;
use super::Method;
use super::Refusal;
use super::Verdict;
use super::demand;
use super::hash::hex;
use super::hash::unhex;
use super::text;

/// The application id of the platform's guide.
const APPLICATION: &str = "12010126";

/// Seconds in a day; the expiry of a token is asked for in days.
const DAY: u64 = 86_400;

/// A device and its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Device {
    /// Product id.
    pub product_id: String,
    /// Device name.
    pub device_name: String,
    /// Secret, base64.
    pub device_secret: String,
}

impl Device {
    fn key(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.device_secret).ok()
    }

    /// The client id of a device that fetches its password: `product@device`.
    fn token_id(&self) -> String {
        format!("{}@{}", self.product_id, self.device_name)
    }
}

/// What the device puts into its CONNECT. `None`: its secret is no base64.
pub fn sign(device: &Device, method: Method, connection: &str, expires: u64) -> Option<Credentials> {
    let client_id = format!("{}{}", device.product_id, device.device_name);
    let username = format!("{client_id};{APPLICATION};{connection};{expires}");
    let hash = hex(&method.sign(&device.key()?, &username));
    Some(Credentials { client_id, username, password: format!("{hash};hmac{}", method.name()) })
}

/// What a module asks a token server for.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Product id.
    pub product_id: String,
    /// Device name.
    pub device_name: String,
    /// Client id of the coming CONNECT.
    pub client_id: String,
    /// Days that the password is to hold.
    pub days: u64,
    /// Seconds since 1970 by the module's calendar.
    pub time: u64,
    /// Hexadecimal digits of the hash of the fields before, under the secret.
    pub signature: String,
}

impl Request {
    /// A request, signed. `None`: the secret is no base64.
    pub fn signed(device: &Device, client_id: &str, days: u64, time: u64) -> Option<Request> {
        let mut request = Request {
            product_id: device.product_id.clone(),
            device_name: device.device_name.clone(),
            client_id: client_id.to_owned(),
            days,
            time,
            signature: String::new(),
        };
        request.signature = hex(&Method::Sha256.sign(&device.key()?, &request.content()));
        Some(request)
    }

    fn content(&self) -> String {
        let Request { product_id, device_name, client_id, days, time, .. } = self;
        format!("{product_id}\n{device_name}\n{client_id}\n{days}\n{time}")
    }
}

/// The password for a request, by the server's clock; `None`: the request is not this device's.
pub fn issue(devices: &[Device], request: &Request, now: u64) -> Option<String> {
    let named = |device: &&Device| device.product_id == request.product_id && device.device_name == request.device_name;
    let device = devices.iter().find(named)?;
    let (key, signature) = (device.key()?, unhex(&request.signature)?);
    let is_own = request.client_id == device.token_id();
    let is_signed = Method::Sha256.verify(&key, &request.content(), &signature);
    (is_own && is_signed).then(|| {
        let expires = now.saturating_add(request.days.saturating_mul(DAY));
        format!("{expires};{}", hex(&Method::Sha256.sign(&key, &password_content(&request.client_id, expires))))
    })
}

/// Recomputes what a client sent: the platform's form, or a password of the bench's token server.
pub fn check(devices: &[Device], login: &Login<'_>) -> Verdict {
    demand(login.keep_alive <= 900 && !login.has_will, Refusal::NotAllowed)?;
    if let Some(device) = devices.iter().find(|device| device.token_id() == login.client_id) {
        return check_token(device, login);
    }
    let mut fields = login.username.split(';');
    let named = fields.next().unwrap_or_default();
    let expires: u64 = fields.nth(2).and_then(|field| field.parse().ok()).ok_or(Refusal::Credentials)?;
    demand(named == login.client_id, Refusal::ClientId)?;
    let id = |device: &&Device| named == format!("{}{}", device.product_id, device.device_name);
    let device = devices.iter().find(id).ok_or(Refusal::NotAllowed)?;
    let (hash, method) = text(login)?.split_once(";hmac").ok_or(Refusal::Credentials)?;
    let method = Method::named(method).filter(|method| *method != Method::Md5).ok_or(Refusal::Credentials)?;
    verify(device, method, login.username, hash)?;
    demand(expires > login.now, Refusal::Credentials)
}

fn check_token(device: &Device, login: &Login<'_>) -> Verdict {
    let (expires, hash) = text(login)?.split_once(';').ok_or(Refusal::Credentials)?;
    let expires: u64 = expires.parse().map_err(|_| Refusal::Credentials)?;
    verify(device, Method::Sha256, &password_content(login.client_id, expires), hash)?;
    demand(expires > login.now, Refusal::Credentials)
}

fn verify(device: &Device, method: Method, message: &str, hash: &str) -> Verdict {
    let key = device.key().ok_or(Refusal::Credentials)?;
    let hash = unhex(hash).ok_or(Refusal::Credentials)?;
    demand(method.verify(&key, message, &hash), Refusal::Credentials)
}

fn password_content(client_id: &str, expires: u64) -> String {
    format!("{client_id}\n{expires}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(secret: &str) -> Device {
        Device { product_id: "1A17RZR3XX".into(), device_name: "dev001".into(), device_secret: secret.into() }
    }

    const SECRET: &str = "AAECAwQFBgcICQoLDA0ODw==";

    fn login(made: &Credentials) -> Login<'_> {
        Login {
            level: 4,
            client_id: &made.client_id,
            username: &made.username,
            password: made.password.as_bytes(),
            keep_alive: 120,
            now: 1_800_000_000,
            ..Login::default()
        }
    }

    #[test]
    fn both_methods_give_their_vectors() {
        for (method, password) in [
            (Method::Sha256, "a702a2512dcd508eeecae8d1b3e145856d33139ab7e0cd0b0746efeef5ab68a0;hmacsha256"),
            (Method::Sha1, "d5a5a09003f5ddcf3d9914f6aac0a7b6e975ba63;hmacsha1"),
        ] {
            let made = sign(&device(SECRET), method, "Ab3d5", 1_893_456_000).expect("a key");
            assert_eq!("1A17RZR3XXdev001;12010126;Ab3d5;1893456000", made.username);
            assert_eq!(password, made.password);
            assert_eq!(Ok(()), check(&[device(SECRET)], &login(&made)));
            assert_eq!(Err(Refusal::Credentials), check(&[device("AAAA")], &login(&made)));
            assert_eq!(Err(Refusal::NotAllowed), check(&[], &login(&made)));
            let late = Login { now: 1_893_456_000, ..login(&made) };
            assert_eq!(Err(Refusal::Credentials), check(&[device(SECRET)], &late), "expired");
            let silent = Login { keep_alive: 901, ..login(&made) };
            assert_eq!(Err(Refusal::NotAllowed), check(&[device(SECRET)], &silent));
            let parting = Login { has_will: true, ..login(&made) };
            assert_eq!(Err(Refusal::NotAllowed), check(&[device(SECRET)], &parting), "the platform knows no wills");
        }
    }

    #[test]
    fn a_password_is_issued_for_a_signed_request_and_holds_for_its_days() {
        let devices = [device(SECRET)];
        let now = 1_800_000_000;
        let request = Request::signed(&devices[0], "1A17RZR3XX@dev001", 60, now).expect("a key");
        let password = issue(&devices, &request, now).expect("a password");
        let made = Credentials { client_id: request.client_id.clone(), username: "dev001".into(), password };
        assert_eq!(Ok(()), check(&devices, &login(&made)));
        let last = Login { now: now + 60 * DAY, ..login(&made) };
        assert_eq!(Err(Refusal::Credentials), check(&devices, &last));
        let longer = Request { days: 61, ..request.clone() };
        assert_eq!(None, issue(&devices, &longer, now), "what is signed cannot be changed");
        assert_eq!(None, issue(&[device("AAAA")], &request, now));
        let stranger = Request::signed(&devices[0], "other@dev001", 60, now).expect("a key");
        assert_eq!(None, issue(&devices, &stranger, now));
    }
}
