//! What a bench broker is told to do on purpose: whom to refuse, which acknowledgements to lose or hold back, how much
//! to keep in flight. A test sets it; the core only asks.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::mqtt::packet::Kind;
use crate::mqtt::packet::Level;

/// A CONNECT, as a credential check sees it.
#[derive(Clone, Debug)]
pub struct ConnectRequest<'a> {
    /// Version of the protocol.
    pub level: Level,
    /// Who the client says it is.
    pub client_id: &'a str,
    /// Seconds.
    pub keep_alive: u16,
    /// User name.
    pub username: Option<&'a str>,
    /// Password.
    pub password: Option<&'a [u8]>,
    /// It leaves a will.
    pub has_will: bool,
    /// How it came.
    pub peer: &'a super::Peer,
}

/// Decides about a CONNECT; the answer is the CONNACK code, 0 to let it in.
pub type CredentialCheck = Box<dyn Fn(&ConnectRequest<'_>) -> u8 + Send>;

/// What happens to an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckAction {
    /// It is never sent.
    Drop,
    /// It is sent this much later.
    Delay(Duration),
}

/// A rule about the broker's acknowledgements: CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, PINGRESP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AckRule {
    /// Which sort.
    pub kind: Kind,
    /// Which client; none: every one.
    pub client_id: Option<String>,
    /// What happens.
    pub action: AckAction,
    /// How many more times; none: for ever.
    pub times: Option<u32>,
}

/// Everything a test can ask of the broker.
pub struct Policy {
    /// Versions let in; others get CONNACK 1.
    pub levels: Vec<Level>,
    /// Every CONNECT is refused with this code.
    pub refuse_with: Option<u8>,
    /// User names and passwords; none: anybody. Without credentials CONNACK 5, with wrong ones 4.
    pub users: Option<BTreeMap<String, Vec<u8>>>,
    /// Asked after the users: a cloud platform's rule.
    pub check: Option<CredentialCheck>,
    /// Filters nobody may subscribe; SUBACK answers 0x80, which 3.1 does not know and brokers send all the same.
    pub refused_filters: BTreeSet<String>,
    /// Applied in order; the first that fits counts.
    pub ack_rules: Vec<AckRule>,
    /// Most messages of quality 1 and 2 a client is sent before it acknowledges.
    pub window: usize,
    /// Most messages kept for a client beyond the window; further ones are lost and counted.
    pub queue_limit: usize,
    /// Largest packet a client may send.
    pub max_packet: usize,
    /// Most packets recorded; the oldest go first.
    pub record_limit: usize,
    /// How long a connection may be silent before its CONNECT.
    pub connect_timeout: Duration,
    /// Send unacknowledged messages again on the same connection after this time (3.1 allows it); none: only on the next.
    pub resend_after: Option<Duration>,
    /// How much faster than written every span passes: these, delays of acknowledgements, and a client's keep-alive. For
    /// clients whose own timers run as fast. What is no factor above 0 counts as 1.
    pub speed: f64,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            levels: vec![Level::V31, Level::V311],
            refuse_with: None,
            users: None,
            check: None,
            refused_filters: BTreeSet::new(),
            ack_rules: Vec::new(),
            window: 16,
            queue_limit: 100_000,
            max_packet: 16 * 1024 * 1024,
            record_limit: 100_000,
            connect_timeout: Duration::from_secs(30),
            resend_after: None,
            speed: 1.0,
        }
    }
}

impl fmt::Debug for Policy {
    /// Names the users and not their passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("levels", &self.levels)
            .field("refuse_with", &self.refuse_with)
            .field("users", &self.users.as_ref().map(|users| users.keys().collect::<Vec<_>>()))
            .field("check", &self.check.is_some())
            .field("ack_rules", &self.ack_rules)
            .field("window", &self.window)
            .field("speed", &self.speed)
            .finish_non_exhaustive()
    }
}

/// A span that nobody waits for; the most that is added to a moment.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Policy {
    /// The real length of a span.
    pub(super) fn span(&self, written: Duration) -> Duration {
        let speed = if self.speed.is_finite() && self.speed > 0.0 { self.speed } else { 1.0 };
        Duration::try_from_secs_f64(written.as_secs_f64() / speed).unwrap_or(FOREVER).min(FOREVER)
    }

    /// The CONNACK code for a client whose packet is in order.
    pub(super) fn code_for(&self, request: &ConnectRequest<'_>) -> u8 {
        if let Some(code) = self.refuse_with {
            return code;
        }
        if let Some(users) = &self.users {
            let Some(name) = request.username else { return 5 };
            let expected = users.get(name).map(Vec::as_slice);
            if expected.is_none() || expected != Some(request.password.unwrap_or_default()) {
                return 4;
            }
        }
        self.check.as_ref().map_or(0, |check| check(request))
    }

    /// What happens to this acknowledgement; uses up the rule that says so.
    pub(super) fn ack_action(&mut self, kind: Kind, client_id: &str) -> Option<AckAction> {
        let fits = |rule: &&mut AckRule| {
            rule.kind == kind
                && rule.times != Some(0)
                && rule.client_id.as_ref().is_none_or(|wanted| wanted == client_id)
        };
        let rule = self.ack_rules.iter_mut().find(fits)?;
        if let Some(times) = &mut rule.times {
            *times -= 1;
        }
        Some(rule.action)
    }
}
