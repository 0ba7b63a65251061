//! The bench broker as a cloud platform: recomputes the credentials of the devices it was told of, and refuses wrong ones with
//! the CONNACK code of the case. The formulas are in [`crate::cloud`].

use std::fmt;

use crate::cloud::Login;
use crate::cloud::Refusal;
use crate::cloud::Verdict;
use crate::cloud::alibaba;
use crate::cloud::aws;
use crate::cloud::huawei;
use crate::cloud::onenet;
use crate::cloud::tencent;
use crate::mqtt::ConnectRequest;
use crate::mqtt::Level;

#[derive(Clone, Copy)]
enum Platform {
    Alibaba,
    OneNet,
    Huawei,
    Tencent,
    Aws,
}

/// The devices that may connect, by platform.
#[derive(Clone, Default)]
pub struct Clouds {
    /// Alibaba Cloud IoT Platform.
    pub alibaba: Vec<alibaba::Device>,
    /// China Mobile OneNET.
    pub onenet: Vec<onenet::Device>,
    /// Huawei IoTDA.
    pub huawei: Vec<huawei::Device>,
    /// Tencent Cloud IoT Hub.
    pub tencent: Vec<tencent::Device>,
    /// AWS IoT Core: every client with a certificate is held to its rules.
    pub aws: Option<aws::Endpoint>,
    /// Whether clients may connect that do not look like any platform's device.
    pub others: bool,
}

impl fmt::Debug for Clouds {
    /// Counts the devices and shows no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clouds")
            .field("alibaba", &self.alibaba.len())
            .field("onenet", &self.onenet.len())
            .field("huawei", &self.huawei.len())
            .field("tencent", &self.tencent.len())
            .field("aws", &self.aws.is_some())
            .field("others", &self.others)
            .finish()
    }
}

impl Clouds {
    /// The CONNACK code for a CONNECT, at a moment in seconds since 1970.
    pub(super) fn code(&self, request: &ConnectRequest<'_>, now: u64) -> u8 {
        let login = Login {
            level: if request.level == Level::V311 { 4 } else { 3 },
            client_id: request.client_id,
            username: request.username.unwrap_or_default(),
            password: request.password.unwrap_or_default(),
            keep_alive: request.keep_alive,
            has_will: request.has_will,
            tls: request.peer.tls,
            has_certificate: request.peer.certificate.is_some(),
            server_name: request.peer.server_name.as_deref(),
            protocol: request.peer.alpn.as_deref(),
            now,
        };
        match self.verdict(&login) {
            Ok(()) => 0,
            Err(refusal) => refusal as u8,
        }
    }

    /// A broker that is one platform only, and nothing else, holds everybody to its rules. Otherwise the form of a CONNECT
    /// says which platform is meant.
    fn verdict(&self, login: &Login<'_>) -> Verdict {
        match self.only().or_else(|| self.meant(login)) {
            Some(Platform::Alibaba) => alibaba::check(&self.alibaba, login),
            Some(Platform::OneNet) => onenet::check(&self.onenet, login),
            Some(Platform::Huawei) => huawei::check(&self.huawei, login),
            Some(Platform::Tencent) => tencent::check(&self.tencent, login),
            Some(Platform::Aws) => {
                self.aws.as_ref().map_or(Err(Refusal::NotAllowed), |endpoint| aws::check(endpoint, login))
            }
            None if self.others => Ok(()),
            None => Err(Refusal::NotAllowed),
        }
    }

    fn only(&self) -> Option<Platform> {
        let played = [
            (Platform::Alibaba, !self.alibaba.is_empty()),
            (Platform::OneNet, !self.onenet.is_empty()),
            (Platform::Huawei, !self.huawei.is_empty()),
            (Platform::Tencent, !self.tencent.is_empty()),
            (Platform::Aws, self.aws.is_some()),
        ];
        let mut played = played.into_iter().filter(|(_, is_played)| *is_played);
        let only = played.next().map(|(platform, _)| platform);
        only.filter(|_| !self.others && played.next().is_none())
    }

    fn meant(&self, login: &Login<'_>) -> Option<Platform> {
        let Login { client_id, username, password, .. } = *login;
        let is_huawei =
            !username.is_empty() && client_id.strip_prefix(username).is_some_and(|rest| rest.starts_with('_'));
        let forms = [
            (Platform::Alibaba, client_id.contains("|securemode=")),
            (Platform::OneNet, password.starts_with(b"version=")),
            (Platform::Tencent, username.contains(';') || client_id.contains('@')),
            (Platform::Huawei, is_huawei),
            (Platform::Aws, self.aws.is_some() && login.has_certificate),
        ];
        forms.into_iter().find(|(_, fits)| *fits).map(|(platform, _)| platform)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Method;
    use crate::mqtt::Peer;

    const NOW: u64 = 1_800_000_000;

    fn code(clouds: &Clouds, level: Level, id: &str, username: Option<&str>, password: Option<&[u8]>) -> u8 {
        let peer = Peer::default();
        let request =
            ConnectRequest { level, client_id: id, keep_alive: 120, username, password, has_will: false, peer: &peer };
        clouds.code(&request, NOW)
    }

    #[test]
    fn each_platform_is_known_by_its_form_and_refuses_with_its_code() {
        let ali = alibaba::Device { product_key: "pk".into(), device_name: "dn".into(), device_secret: "s".into() };
        let one = onenet::Device { product_id: "1".into(), device_name: "d".into(), access_key: "AAAA".into() };
        let hw = huawei::Device { device_id: "p_n".into(), secret: "s".into() };
        let ten = tencent::Device { product_id: "P".into(), device_name: "d".into(), device_secret: "AAAA".into() };
        let signing = alibaba::Signing { method: Method::Sha1, timestamp: None, tls: false };
        let made = [
            alibaba::sign(&ali, "me", signing),
            onenet::sign(&one, Method::Md5, NOW + 1).expect("a key"),
            huawei::sign(&hw, huawei::Kind::Device, true, NOW),
            tencent::sign(&ten, Method::Sha1, "abcde", NOW + 1).expect("a key"),
        ];
        let clouds =
            Clouds { alibaba: vec![ali], onenet: vec![one], huawei: vec![hw], tencent: vec![ten], ..Clouds::default() };
        for one in made {
            let connect =
                |password: &[u8]| code(&clouds, Level::V311, &one.client_id, Some(&one.username), Some(password));
            assert_eq!(0, connect(one.password.as_bytes()), "{one:?}");
            let mut wrong = one.password.clone().into_bytes();
            let place = wrong.iter().rposition(|byte| byte.is_ascii_digit()).expect("a digit");
            wrong[place] = if wrong[place] == b'1' { b'2' } else { b'1' };
            assert_eq!(4, connect(&wrong), "{one:?}");
        }
        let alibaba = Clouds { alibaba: clouds.alibaba.clone(), ..Clouds::default() };
        let onenet = Clouds { onenet: clouds.onenet.clone(), ..Clouds::default() };
        let aws = Clouds { aws: Some(aws::Endpoint::default()), ..Clouds::default() };
        assert_eq!(2, code(&alibaba, Level::V31, "plain", None, None), "one platform: it is not of its form");
        assert_eq!(1, code(&onenet, Level::V31, "plain", None, None), "the level is looked at first");
        assert_eq!(5, code(&aws, Level::V311, "plain", None, None), "no certificate");
        assert_eq!(0, code(&Clouds { others: true, ..alibaba }, Level::V31, "plain", None, None));
        assert_eq!(5, code(&clouds, Level::V31, "plain", None, None));
        assert_eq!(0, code(&Clouds { others: true, ..clouds }, Level::V31, "plain", None, None));
    }
}
