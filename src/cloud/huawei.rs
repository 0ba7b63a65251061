//! Huawei IoTDA: "MQTT CONNECT connection authentication".
//!
//! Client id `deviceId_0_signType_YYYYMMDDHH` (UTC; sign type 0: the time is not checked, 1: it is; an older form writes 2
//! for 0 where the middle names a node of a product), user name the device id. The password is the hash, in hexadecimal
//! digits, of the secret under the *time* as the key.

use time::OffsetDateTime;

use super::Credentials;
use super::Login;
use super::Method;
use super::Refusal;
use super::Verdict;
use super::demand;
use super::hash::hex;
use super::hash::unhex;
use super::text;

/// How far the time of a checked signature may be off, in hours.
const TOLERANCE: i64 = 1;

/// A device and its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Device {
    /// Device id: mostly product id, underscore, node id.
    pub device_id: String,
    /// Secret.
    pub secret: String,
}

/// What the middle of a client id says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// The device id (0).
    #[default]
    Device,
    /// Product and node, in the older form (2).
    Node,
}

/// What the device puts into its CONNECT, at a moment in seconds since 1970.
pub fn sign(device: &Device, kind: Kind, time_is_checked: bool, now: u64) -> Credentials {
    let stamp = stamp(now);
    let (kind, checked) = (if kind == Kind::Node { 2 } else { 0 }, u8::from(time_is_checked));
    Credentials {
        client_id: format!("{}_{kind}_{checked}_{stamp}", device.device_id),
        username: device.device_id.clone(),
        password: hex(&Method::Sha256.sign(stamp.as_bytes(), &device.secret)),
    }
}

/// Recomputes what a client sent.
pub fn check(devices: &[Device], login: &Login<'_>) -> Verdict {
    let mut parts = login.client_id.rsplitn(4, '_');
    let mut part = || parts.next().ok_or(Refusal::ClientId);
    let (time, checked, kind, device_id) = (part()?, part()?, part()?, part()?);
    demand(matches!(kind, "0" | "2") && matches!(checked, "0" | "1"), Refusal::ClientId)?;
    demand(time.len() == 10 && time.bytes().all(|digit| digit.is_ascii_digit()), Refusal::ClientId)?;
    demand(device_id == login.username, Refusal::ClientId)?;
    let device = devices.iter().find(|device| device.device_id == device_id).ok_or(Refusal::NotAllowed)?;
    let hash = unhex(text(login)?).ok_or(Refusal::Credentials)?;
    demand(Method::Sha256.verify(time.as_bytes(), &device.secret, &hash), Refusal::Credentials)?;
    let near = (-TOLERANCE..=TOLERANCE)
        .any(|hours| login.now.checked_add_signed(hours * 3600).is_some_and(|moment| stamp(moment) == time));
    demand(checked == "0" || near, Refusal::Credentials)
}

/// `YYYYMMDDHH` of a moment, UTC. A moment that no calendar has, some thousand years ahead, is the first of all.
fn stamp(now: u64) -> String {
    let moment = i64::try_from(now).ok().and_then(|now| OffsetDateTime::from_unix_timestamp(now).ok());
    let moment = moment.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!("{:04}{:02}{:02}{:02}", moment.year(), u8::from(moment.month()), moment.day(), moment.hour())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-01-01 00:00 UTC.
    const MOMENT: u64 = 1_704_067_200;

    fn device(secret: &str) -> Device {
        Device { device_id: "5f052390d51e3f0297e48bb1_node1".into(), secret: secret.into() }
    }

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_device_gives_its_vector() {
        let made = sign(&device(SECRET), Kind::Device, false, MOMENT);
        assert_eq!("5f052390d51e3f0297e48bb1_node1_0_0_2024010100", made.client_id);
        assert_eq!("17a5fbcc9322cd21bc9b85e20b0dfefe9e40765673637d249a8951b7b9f2047a", made.password);
    }

    #[test]
    fn what_is_signed_passes_and_what_is_changed_does_not() {
        let devices = [device(SECRET)];
        for kind in [Kind::Device, Kind::Node] {
            let made = sign(&devices[0], kind, true, MOMENT);
            let login = Login {
                level: 4,
                client_id: &made.client_id,
                username: &made.username,
                password: made.password.as_bytes(),
                now: MOMENT + 3_599,
                ..Login::default()
            };
            assert_eq!(Ok(()), check(&devices, &login));
            assert_eq!(Err(Refusal::Credentials), check(&[device("another")], &login));
            assert_eq!(Err(Refusal::NotAllowed), check(&[], &login));
            assert_eq!(Err(Refusal::Credentials), check(&devices, &Login { now: MOMENT + 7_200, ..login }), "too old");
            assert_eq!(Err(Refusal::ClientId), check(&devices, &Login { client_id: "node1", ..login }));
            assert_eq!(Err(Refusal::ClientId), check(&devices, &Login { username: "node1", ..login }));
        }
        let unchecked = sign(&devices[0], Kind::Device, false, 0);
        let login = Login {
            client_id: &unchecked.client_id,
            username: &unchecked.username,
            password: unchecked.password.as_bytes(),
            now: MOMENT,
            ..Login::default()
        };
        assert_eq!(Ok(()), check(&devices, &login), "the time of 1970 does not matter where it is not checked");
    }
}
