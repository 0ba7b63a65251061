//! AWS IoT Core: "Device communication protocols" and "Transport security".
//!
//! No formula: a device shows a client certificate over TLS. Endpoints of several accounts, of own domains and of private
//! networks also want to be asked for by name (SNI); an ordinary one does not. A client that names an application protocol
//! (ALPN), as port 443 needs it, must name the one of certificates.

use super::Login;
use super::Refusal;
use super::Verdict;
use super::demand;

/// MQTT with a client certificate; `mqtt` alone is for other ways to authenticate.
const PROTOCOL: &[u8] = b"x-amzn-mqtt-ca";

/// What an endpoint demands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// The name clients must ask for; `None`: they need not ask.
    pub server_name: Option<String>,
}

/// Looks at how a client came.
pub fn check(endpoint: &Endpoint, login: &Login<'_>) -> Verdict {
    demand(login.tls && login.has_certificate, Refusal::NotAllowed)?;
    let name = endpoint.server_name.as_deref();
    demand(name.is_none_or(|name| login.server_name == Some(name)), Refusal::NotAllowed)?;
    demand(login.protocol.is_none_or(|protocol| protocol == PROTOCOL), Refusal::NotAllowed)?;
    demand(!login.client_id.is_empty(), Refusal::ClientId)?;
    // 0 is taken as the longest.
    demand(login.keep_alive <= 1200, Refusal::NotAllowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_and_server_name_are_demanded() {
        let login = Login {
            level: 4,
            client_id: "M26_0206",
            keep_alive: 120,
            tls: true,
            has_certificate: true,
            server_name: Some("a1.iot.example"),
            ..Login::default()
        };
        let named = Endpoint { server_name: Some("a1.iot.example".into()) };
        let unnamed = Endpoint::default();
        assert_eq!(Ok(()), check(&named, &login));
        let silent = Login { server_name: None, ..login };
        assert_eq!(Err(Refusal::NotAllowed), check(&named, &silent));
        assert_eq!(Ok(()), check(&unnamed, &silent));
        assert_eq!(Err(Refusal::NotAllowed), check(&named, &Login { server_name: Some("b.example"), ..login }));
        assert_eq!(Err(Refusal::NotAllowed), check(&unnamed, &Login { has_certificate: false, ..login }));
        assert_eq!(Err(Refusal::NotAllowed), check(&unnamed, &Login { keep_alive: 1201, ..login }));
        assert_eq!(Ok(()), check(&unnamed, &Login { protocol: Some(PROTOCOL), ..login }));
        assert_eq!(Err(Refusal::NotAllowed), check(&unnamed, &Login { protocol: Some(b"mqtt"), ..login }));
        assert_eq!(Err(Refusal::ClientId), check(&unnamed, &Login { client_id: "", ..login }));
    }
}
