//! AWS IoT Core: "Device communication protocols" and "Transport security".
//!
//! No formula: a device shows a client certificate over TLS, and asks by SNI for the endpoint it means.

use super::Login;
use super::Refusal;
use super::Verdict;
use super::demand;

/// Looks at how a client came.
pub fn check(login: &Login<'_>) -> Verdict {
    demand(login.tls && login.has_certificate, Refusal::NotAllowed)?;
    demand(login.server_name.is_some_and(|name| !name.is_empty()), Refusal::NotAllowed)?;
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
        assert_eq!(Ok(()), check(&login));
        assert_eq!(Err(Refusal::NotAllowed), check(&Login { has_certificate: false, ..login }));
        assert_eq!(Err(Refusal::NotAllowed), check(&Login { server_name: None, ..login }));
        assert_eq!(Err(Refusal::NotAllowed), check(&Login { keep_alive: 1201, ..login }));
        assert_eq!(Err(Refusal::ClientId), check(&Login { client_id: "", ..login }));
    }
}
