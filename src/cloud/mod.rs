//! What the cloud platforms that the documents name want to see in a CONNECT: how a device makes its credentials, and how a
//! broker recomputes them. Formulas only, no socket, no clock, no AT.
//!
//! One file per platform; the rules come from the platforms' public documentation, named at the top of each. The virtual
//! module signs, the bench broker checks. That both share one reading is held in check by published vectors and by an
//! implementation apart from this one in the Python tests.

pub mod alibaba;
pub mod aws;
pub mod hash;
pub mod huawei;
pub mod onenet;
pub mod tencent;

use std::fmt;

pub use hash::Method;

/// What a device puts into its CONNECT.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Client identifier.
    pub client_id: String,
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Credentials { client_id, username, password: _ } = self;
        f.debug_struct("Credentials").field("client_id", client_id).field("username", username).finish_non_exhaustive()
    }
}

/// A CONNECT, as a platform looks at it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Login<'a> {
    /// Version of the protocol: 3 or 4.
    pub level: u8,
    /// Client identifier.
    pub client_id: &'a str,
    /// User name.
    pub username: &'a str,
    /// Password.
    pub password: &'a [u8],
    /// Seconds.
    pub keep_alive: u16,
    /// It leaves a will.
    pub has_will: bool,
    /// It came over TLS.
    pub tls: bool,
    /// It came with a certificate that the broker's authority signed.
    pub has_certificate: bool,
    /// The server name it asked for.
    pub server_name: Option<&'a str>,
    /// The application protocol that was agreed on (ALPN).
    pub protocol: Option<&'a [u8]>,
    /// Seconds since 1970 by the broker's clock.
    pub now: u64,
}

/// Why a CONNECT is refused; the number is the CONNACK code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The platform does not speak this version.
    Level = 1,
    /// The client identifier has not the platform's form.
    ClientId = 2,
    /// Wrong signature, or a token that has expired.
    Credentials = 4,
    /// An unknown device, or something the platform does not allow it.
    NotAllowed = 5,
}

/// What a platform says to a CONNECT.
pub type Verdict = Result<(), Refusal>;

/// Refuses what is not so.
fn demand(holds: bool, refusal: Refusal) -> Verdict {
    if holds { Ok(()) } else { Err(refusal) }
}

/// The password as text; no platform has others.
fn text<'a>(login: &Login<'a>) -> Result<&'a str, Refusal> {
    std::str::from_utf8(login.password).map_err(|_| Refusal::Credentials)
}
