//! What the broker does with each packet of one connection.

use std::time::Duration;
use std::time::Instant;

use crate::mqtt::decode::DecodeError;
use crate::mqtt::decode::Decoder;
use crate::mqtt::packet::Connect;
use crate::mqtt::packet::Kind;
use crate::mqtt::packet::Level;
use crate::mqtt::packet::Packet;
use crate::mqtt::packet::Publish;
use crate::mqtt::packet::Qos;
use crate::mqtt::packet::Will;
use crate::mqtt::rule::Rule;
use crate::mqtt::topic::filter_matches;

use super::BrokerCore;
use super::ConnectionId;
use super::Direction;
use super::Peer;
use super::conduct::Conduct;
use super::policy::ConnectRequest;
use super::subscriber::Subscriber;

/// Longest client identifier 3.1 knows, in characters.
const MAX_CLIENT_ID: usize = 23;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    AwaitConnect,
    Connected,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub decoder: Decoder,
    pub peer: Peer,
    pub phase: Phase,
    pub client_id: String,
    pub will: Option<Will>,
    /// Its CONNACK was dropped on purpose.
    pub muted: bool,
    /// One and a half times the keep-alive (3.1.1 §3.1.2.10); none: it may be silent for ever.
    pub patience: Option<Duration>,
    pub deadline: Option<Instant>,
    pub conduct: Conduct,
}

impl Connection {
    pub fn new(peer: Peer, max_packet: usize, deadline: Instant) -> Connection {
        Connection {
            decoder: Decoder::new(None).with_limit(max_packet),
            peer,
            phase: Phase::AwaitConnect,
            client_id: String::new(),
            will: None,
            muted: false,
            patience: None,
            deadline: Some(deadline),
            conduct: Conduct::default(),
        }
    }
}

/// A subscription's code in SUBACK where it is refused (3.1.1, 3.9.3).
const REFUSED: u8 = 0x80;

impl BrokerCore {
    /// Bytes that are no packet end the connection; an unknown version is told so first.
    pub(super) fn undecodable(&mut self, id: ConnectionId, error: &DecodeError, now: Instant) {
        match error {
            DecodeError::UnknownLevel { .. } => self.blame(id, Rule::ConnectLevel, Some(Kind::Connect), None, now),
            DecodeError::Malformed { kind, rule } => self.blame(id, *rule, *kind, None, now),
            DecodeError::TooLarge { .. } => {} // This broker's limit, not the standard's.
        }
        let waits = self.connections.get(&id).is_some_and(|connection| connection.phase == Phase::AwaitConnect);
        if waits && matches!(error, DecodeError::UnknownLevel { .. }) {
            self.write(id, Packet::Connack { session_present: false, code: 1 }, now);
        }
        self.close(id, now);
    }

    pub(super) fn take(&mut self, id: ConnectionId, packet: Packet, now: Instant) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.phase == Phase::Connected {
            connection.deadline = connection.patience.map(|patience| now + patience);
        }
        match (connection.phase, &packet) {
            (Phase::AwaitConnect, Packet::Connect(connect)) if !connection.conduct.introduced => {
                connection.client_id.clone_from(&connect.client_id);
                connection.conduct.introduced = true;
                connection.conduct.fresh = connect.clean_session;
            }
            (_, Packet::Connect(_)) => return self.turn_out(id, Rule::ConnectTwice, &packet, now),
            // Who was refused, and does not know yet, may have sent more.
            (Phase::AwaitConnect, _) if connection.conduct.introduced => return self.close(id, now),
            (Phase::AwaitConnect, _) => return self.turn_out(id, Rule::ConnectFirst, &packet, now),
            (Phase::Connected, _) => {}
        }
        let level = connection.decoder.level().unwrap_or(Level::V311);
        let client_id = connection.client_id.clone();
        let one = self.subscribers.get(&client_id);
        let held = packet.id().is_some_and(|id| one.is_some_and(|one| one.received.contains(&id)));
        if let Some(rule) = connection.conduct.incoming(&packet, level, held) {
            self.blame(id, rule, Some(packet.kind()), packet.id(), now);
        }
        self.note(id, Direction::In, packet.clone(), now);
        match packet {
            Packet::Connect(connect) => self.connect(id, connect, now),
            Packet::Publish(publish) => self.published(id, &client_id, publish, now),
            Packet::Pubrel { id: packet, .. } => {
                self.session(&client_id, |one| one.received.remove(&packet));
                self.acknowledge(id, Packet::Pubcomp { id: packet }, now);
            }
            Packet::Puback { id } => {
                self.session(&client_id, |one| one.puback(id));
                self.pump(&client_id, now);
            }
            Packet::Pubrec { id: packet } => {
                self.session(&client_id, |one| one.pubrec(packet, now));
                self.acknowledge(id, Packet::Pubrel { id: packet, dup: false }, now);
            }
            Packet::Pubcomp { id } => {
                self.session(&client_id, |one| one.pubcomp(id));
                self.pump(&client_id, now);
            }
            Packet::Subscribe { id: packet, filters, .. } => self.subscribe(id, &client_id, packet, filters, now),
            Packet::Unsubscribe { id: packet, filters, .. } => {
                self.session(&client_id, |one| {
                    for filter in &filters {
                        one.subscriptions.remove(filter);
                    }
                });
                self.acknowledge(id, Packet::Unsuback { id: packet }, now);
            }
            Packet::Pingreq => self.acknowledge(id, Packet::Pingresp, now),
            Packet::Disconnect => {
                let Some(connection) = self.connections.get_mut(&id) else { return };
                connection.will = None;
                if connection.decoder.pending() > 0 {
                    self.blame(id, Rule::AfterDisconnect, None, None, now);
                }
                self.close(id, now);
            }
            Packet::Connack { .. } | Packet::Suback { .. } | Packet::Unsuback { .. } | Packet::Pingresp => {
                self.turn_out(id, Rule::ServerPacket, &packet, now);
            }
        }
    }

    /// Ends the connection of a client that broke this rule.
    fn turn_out(&mut self, id: ConnectionId, rule: Rule, packet: &Packet, now: Instant) {
        self.blame(id, rule, Some(packet.kind()), None, now);
        self.close(id, now);
    }

    fn connect(&mut self, id: ConnectionId, connect: Connect, now: Instant) {
        let anonymous = connect.client_id.is_empty() && !may_be_anonymous(&connect);
        // 3.1 wants CONNACK 2 for it; brokers let it in all the same, and cloud platforms rely on that.
        let long = connect.level == Level::V31 && connect.client_id.chars().count() > MAX_CLIENT_ID;
        for (rule, broken) in [(Rule::ClientIdEmpty, anonymous), (Rule::ClientIdLength, long)] {
            if broken {
                self.blame(id, rule, Some(Kind::Connect), None, now);
            }
        }
        let code = self.connack_code(id, &connect);
        if code != 0 {
            self.acknowledge(id, Packet::Connack { session_present: false, code }, now);
            return self.close_refused(id, now);
        }
        let client_id = if connect.client_id.is_empty() { self.assigned_id() } else { connect.client_id };
        if let Some(old) = self.subscribers.get(&client_id).and_then(|one| one.connection) {
            self.close(old, now); // The newcomer wins, and the old one's will goes out (3.1.1 §3.1.4).
        }
        if connect.clean_session {
            self.subscribers.remove(&client_id);
        }
        let session_present = self.subscribers.contains_key(&client_id);
        let subscriber = self.subscribers.entry(client_id.clone()).or_default();
        subscriber.clean = connect.clean_session;
        subscriber.connection = Some(id);
        let resumed = subscriber.resume(now);
        let patience = self.policy.span(Duration::from_millis(1500 * u64::from(connect.keep_alive)));
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.phase = Phase::Connected;
            connection.client_id.clone_from(&client_id);
            connection.will = connect.will;
            connection.patience = (!patience.is_zero()).then_some(patience);
            connection.deadline = connection.patience.map(|patience| now + patience);
        }
        self.acknowledge(id, Packet::Connack { session_present, code: 0 }, now);
        for packet in resumed {
            self.write(id, packet, now);
        }
        self.pump(&client_id, now);
    }

    fn connack_code(&self, id: ConnectionId, connect: &Connect) -> u8 {
        if !self.policy.levels.contains(&connect.level) {
            return 1;
        }
        if connect.client_id.is_empty() && !may_be_anonymous(connect) {
            return 2;
        }
        let Some(connection) = self.connections.get(&id) else { return 3 };
        self.policy.code_for(&ConnectRequest {
            level: connect.level,
            client_id: &connect.client_id,
            keep_alive: connect.keep_alive,
            username: connect.username.as_deref(),
            password: connect.password.as_deref(),
            has_will: connect.will.is_some(),
            peer: &connection.peer,
        })
    }

    /// A refused client is closed after its CONNACK, also when that is held back.
    fn close_refused(&mut self, id: ConnectionId, now: Instant) {
        let held_back = self.delayed.values().any(|(owner, _)| *owner == id);
        if !held_back {
            return self.close(id, now);
        }
        let due = self.delayed.iter().filter(|(_, (owner, _))| *owner == id).map(|((due, _), _)| *due).max();
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.deadline = due.map(|due| due + Duration::from_millis(1));
        }
    }

    fn published(&mut self, id: ConnectionId, client_id: &str, mut publish: Publish, now: Instant) {
        let packet = publish.id.take();
        publish.dup = false;
        match (publish.qos, packet) {
            (Qos::AtLeastOnce, Some(packet)) => {
                self.route(publish, now);
                self.acknowledge(id, Packet::Puback { id: packet }, now);
            }
            (Qos::ExactlyOnce, Some(packet)) => {
                // Passed on when it first comes; the identifier is kept until PUBREL (3.1.1 §4.3.3, method B).
                if self.session(client_id, |one| one.received.insert(packet)) == Some(true) {
                    self.route(publish, now);
                }
                self.acknowledge(id, Packet::Pubrec { id: packet }, now);
            }
            _ => {
                self.route(publish, now);
            }
        }
    }

    fn subscribe(&mut self, id: ConnectionId, client_id: &str, packet: u16, filters: Vec<(String, Qos)>, now: Instant) {
        let refused = |filter: &String| self.policy.refused_filters.contains(filter);
        let code = |(filter, qos): &(String, Qos)| if refused(filter) { REFUSED } else { qos.byte() };
        let codes = filters.iter().map(code).collect();
        let filters: Vec<_> = filters.into_iter().filter(|(filter, _)| !refused(filter)).collect();
        self.session(client_id, |one| one.subscriptions.extend(filters.iter().cloned()));
        self.acknowledge(id, Packet::Suback { id: packet, codes }, now);
        for (filter, granted) in filters {
            let matching = |publish: &&Publish| filter_matches(&filter, &publish.topic);
            let kept: Vec<_> = self.retained.values().filter(matching).cloned().collect();
            for publish in kept {
                self.deliver(client_id, &publish, granted, true, now);
            }
        }
    }

    fn session<T>(&mut self, client_id: &str, change: impl FnOnce(&mut Subscriber) -> T) -> Option<T> {
        self.subscribers.get_mut(client_id).map(change)
    }

    fn assigned_id(&mut self) -> String {
        self.assigned_ids += 1;
        format!("auto-{}", self.assigned_ids)
    }
}

/// An empty identifier asks for one (3.1.1, clean sessions only); 3.1 knows no such thing.
fn may_be_anonymous(connect: &Connect) -> bool {
    connect.level == Level::V311 && connect.clean_session
}
