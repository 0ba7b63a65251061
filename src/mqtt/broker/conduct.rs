//! How a client behaves on one connection, held against the standard's rules about identifiers, repetitions, and the order
//! of acknowledgements. What a single packet can break is the decoder's; what it means for the session is the core's.
//!
//! Only what this connection proves is held against a client: after a link was lost, either end may repeat itself.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::fmt;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::time::Duration;

use crate::mqtt::packet::Kind;
use crate::mqtt::packet::Level;
use crate::mqtt::packet::Packet;
use crate::mqtt::packet::Publish;
use crate::mqtt::packet::Qos;
use crate::mqtt::rule::Rule;

use super::ConnectionId;

/// A rule of the standard that a client broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Since the broker began.
    pub at: Duration,
    /// On which connection.
    pub connection: ConnectionId,
    /// Whose, once its CONNECT has come.
    pub client_id: String,
    /// The connection's level, once its CONNECT has come.
    pub level: Option<Level>,
    /// Which packet; none where it is none, or where it is silence.
    pub kind: Option<Kind>,
    /// Its identifier, where it has one.
    pub id: Option<u16>,
    /// Which rule.
    pub rule: Rule,
}

impl Violation {
    /// Where the standard of the connection's level says so.
    pub fn statement(&self) -> &'static str {
        self.rule.statement(self.level.unwrap_or(Level::V311))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {:?}, connection {}, {:.3} s: ", self.client_id, self.connection.0, self.at.as_secs_f64())?;
        if let Some(kind) = self.kind {
            write!(f, "{}", kind.name())?;
            if let Some(id) = self.id {
                write!(f, " {id}")?;
            }
            write!(f, ": ")?;
        }
        write!(f, "{} {}", self.rule.text(), self.statement())
    }
}

/// What one connection has seen of its client.
#[derive(Debug, Default)]
pub(super) struct Conduct {
    /// Its CONNECT has come.
    pub introduced: bool,
    /// It asked for a clean session: nothing can be left from another connection.
    pub fresh: bool,
    /// The client's requests without their last answer, each by what it asks.
    open: BTreeMap<u16, u64>,
    /// Identifiers the client has used here.
    used: BTreeSet<u16>,
    /// PUBACK, PUBREC and PUBCOMP the client owes, in the order in which it should send them.
    owed: VecDeque<(Kind, u16)>,
    /// PUBREC was sent, PUBREL is awaited.
    releases: VecDeque<u16>,
    /// PUBREL has come, PUBCOMP is not sent.
    released: BTreeSet<u16>,
}

impl Conduct {
    /// Judges a packet of the client. `held`: the session holds this identifier as one of quality 2 that is not released.
    pub fn incoming(&mut self, packet: &Packet, level: Level, held: bool) -> Option<Rule> {
        match packet {
            Packet::Publish(publish) => publish.id.and_then(|id| self.request(id, packet, publish.dup, level, held)),
            Packet::Subscribe { id, dup, .. } | Packet::Unsubscribe { id, dup, .. } => {
                self.request(*id, packet, *dup, level, false)
            }
            Packet::Puback { id } | Packet::Pubrec { id } => self.acknowledged(packet.kind(), *id),
            Packet::Pubcomp { id } => {
                self.acknowledged(Kind::Pubcomp, *id).filter(|rule| *rule == Rule::AckUnknown)?;
                Some(Rule::CompletionUnknown)
            }
            Packet::Pubrel { id, .. } => self.release(*id, level),
            _ => None,
        }
    }

    /// Takes note of what the broker sends.
    pub fn outgoing(&mut self, packet: &Packet) {
        match packet {
            Packet::Publish(publish) => {
                let answer = if publish.qos == Qos::ExactlyOnce { Kind::Pubrec } else { Kind::Puback };
                self.owed.extend(publish.id.map(|id| (answer, id)));
            }
            Packet::Pubrel { id, .. } => self.owed.push_back((Kind::Pubcomp, *id)),
            Packet::Pubrec { id } if !self.releases.contains(id) => self.releases.push_back(*id),
            Packet::Puback { id } | Packet::Suback { id, .. } | Packet::Unsuback { id } => drop(self.open.remove(id)),
            Packet::Pubcomp { id } => {
                self.open.remove(id);
                self.released.remove(id);
            }
            _ => {}
        }
    }

    fn request(&mut self, id: u16, packet: &Packet, dup: bool, level: Level, held: bool) -> Option<Rule> {
        let is_publish = packet.kind() == Kind::Publish;
        if self.released.contains(&id) {
            return Some(if is_publish { Rule::PublishAfterRelease } else { Rule::IdInUse });
        }
        let asked = fingerprint(packet);
        let was_used = !self.used.insert(id);
        let must_say_dup = is_publish || level == Level::V31;
        match self.open.insert(id, asked) {
            Some(before) if before != asked => Some(Rule::IdInUse),
            Some(_) if must_say_dup && !dup => Some(Rule::DupMissing),
            None if held && !dup => Some(Rule::DupMissing),
            None if dup && self.fresh && !was_used => Some(Rule::DupAtFirst),
            _ => None,
        }
    }

    fn acknowledged(&mut self, kind: Kind, id: u16) -> Option<Rule> {
        let Some(index) = self.owed.iter().position(|owed| *owed == (kind, id)) else { return Some(Rule::AckUnknown) };
        let overtaken = self.owed.iter().take(index).any(|(earlier, _)| *earlier == kind);
        self.owed.remove(index);
        overtaken.then_some(Rule::AckOrder)
    }

    fn release(&mut self, id: u16, level: Level) -> Option<Rule> {
        let Some(index) = self.releases.iter().position(|awaited| *awaited == id) else {
            let unanswered = self.open.contains_key(&id) && !self.released.contains(&id);
            return (unanswered || self.fresh && !self.used.contains(&id)).then_some(Rule::ReleaseUnknown);
        };
        self.releases.remove(index);
        self.released.insert(id);
        (index > 0 && level == Level::V311).then_some(Rule::ReleaseOrder)
    }
}

/// What a request asks, whether or not it asks again.
fn fingerprint(packet: &Packet) -> u64 {
    let mut hasher = DefaultHasher::new();
    packet.kind().hash(&mut hasher);
    match packet {
        Packet::Publish(Publish { qos, retain, topic, payload, .. }) => (qos, retain, topic, payload).hash(&mut hasher),
        Packet::Subscribe { filters, .. } => filters.hash(&mut hasher),
        Packet::Unsubscribe { filters, .. } => filters.hash(&mut hasher),
        _ => {}
    }
    hasher.finish()
}
