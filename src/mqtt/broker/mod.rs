//! A broker's core: every connection, session, retained message and timer, without a socket or a clock.
//!
//! It is an instrument for tests, not a product: one address space, no persistence, and [`Policy`] lets a test make it
//! misbehave. Whoever drives it names connections, carries bytes, and asks for [`BrokerCore::poll_output`] after each call.

mod conduct;
mod connection;
pub mod policy;
mod subscriber;

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use super::packet::Kind;
use super::packet::Level;
use super::packet::Packet;
use super::packet::Publish;
use super::packet::Qos;
use super::rule::Rule;
pub use conduct::Violation;
use connection::Connection;
use connection::Phase;
use policy::AckAction;
use policy::Policy;
use subscriber::Subscriber;

/// Names a connection; the driver chooses, and never uses one twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// How a connection came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// Over TLS.
    pub tls: bool,
    /// The certificate the client showed, DER.
    pub certificate: Option<Vec<u8>>,
    /// The server name the client asked for.
    pub server_name: Option<String>,
    /// The application protocol agreed on.
    pub alpn: Option<Vec<u8>>,
}

/// What the driver must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write these.
    Bytes(Vec<u8>),
    /// Close once everything before is written. The core has forgotten the connection.
    Close,
}

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From a client.
    In,
    /// To a client.
    Out,
}

/// A packet that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedPacket {
    /// Since the broker began.
    pub at: Duration,
    /// On which connection.
    pub connection: ConnectionId,
    /// Whose, once its CONNECT has come.
    pub client_id: String,
    /// Which way.
    pub direction: Direction,
    /// What.
    pub packet: Packet,
}

/// The broker without its sockets.
pub struct BrokerCore {
    /// What a test asks of it; may be changed at any time.
    pub policy: Policy,
    start: Instant,
    connections: BTreeMap<ConnectionId, Connection>,
    subscribers: BTreeMap<String, Subscriber>,
    retained: BTreeMap<String, Publish>,
    delayed: BTreeMap<(Instant, u64), (ConnectionId, Packet)>,
    delayed_count: u64,
    output: VecDeque<(ConnectionId, Output)>,
    record: VecDeque<RecordedPacket>,
    violations: VecDeque<Violation>,
    assigned_ids: u64,
}

impl BrokerCore {
    /// A broker nobody has spoken to.
    pub fn new(policy: Policy, now: Instant) -> BrokerCore {
        BrokerCore {
            policy,
            start: now,
            connections: BTreeMap::new(),
            subscribers: BTreeMap::new(),
            retained: BTreeMap::new(),
            delayed: BTreeMap::new(),
            delayed_count: 0,
            output: VecDeque::new(),
            record: VecDeque::new(),
            violations: VecDeque::new(),
            assigned_ids: 0,
        }
    }

    /// A connection is there; its CONNECT is awaited.
    pub fn accept(&mut self, id: ConnectionId, peer: Peer, now: Instant) {
        let deadline = now + self.policy.span(self.policy.connect_timeout);
        self.connections.insert(id, Connection::new(peer, self.policy.max_packet, deadline));
    }

    /// Takes what came.
    pub fn receive(&mut self, id: ConnectionId, bytes: &[u8], now: Instant) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.decoder.feed(bytes);
        }
        while let Some(connection) = self.connections.get_mut(&id) {
            match connection.decoder.next_packet() {
                Ok(None) => return,
                Ok(Some(packet)) => self.take(id, packet, now),
                Err(error) => return self.undecodable(id, &error, now),
            }
        }
    }

    /// The connection has ended without DISCONNECT, unless that had come.
    pub fn closed(&mut self, id: ConnectionId, now: Instant) {
        self.end(id, now);
    }

    /// Ends a client's connection as a broken network does: its will is published. Answers whether it had one.
    pub fn cut(&mut self, client_id: &str, now: Instant) -> bool {
        let connection = self.subscribers.get(client_id).and_then(|subscriber| subscriber.connection);
        connection.is_some_and(|id| {
            self.close(id, now);
            true
        })
    }

    /// Publishes a message as if a client had. Answers how many sessions it went to.
    pub fn publish(&mut self, topic: &str, payload: &[u8], qos: Qos, retain: bool, now: Instant) -> usize {
        let (topic, payload) = (topic.to_owned(), payload.to_vec());
        self.route(Publish { dup: false, qos, retain, topic, id: None, payload }, now)
    }

    /// Forgets sessions without a connection, and every retained message.
    pub fn forget_sessions(&mut self) {
        self.subscribers.retain(|_, subscriber| subscriber.connection.is_some());
        self.retained.clear();
    }

    /// What to write or close next.
    pub fn poll_output(&mut self) -> Option<(ConnectionId, Output)> {
        self.output.pop_front()
    }

    /// When `handle_deadline` must be called at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        let connections = self.connections.values().filter_map(|connection| connection.deadline);
        let resends = self.resend_after().into_iter().flat_map(|wait| {
            let connected = self.subscribers.values().filter(|subscriber| subscriber.connection.is_some());
            connected.filter_map(move |subscriber| subscriber.oldest_sent().map(|sent| sent + wait))
        });
        let delayed = self.delayed.keys().next().map(|(due, _)| *due);
        connections.chain(resends).chain(delayed).min()
    }

    /// Does what is due by now: ends silent connections, sends what was held back.
    pub fn handle_deadline(&mut self, now: Instant) {
        let late = |connection: &Connection| connection.deadline.is_some_and(|deadline| deadline <= now);
        let silent: Vec<_> = self.connections.iter().filter(|(_, one)| late(one)).map(|(id, _)| *id).collect();
        for id in silent {
            // Who never got its CONNACK, on purpose, has nothing to keep alive.
            if self.connections.get(&id).is_some_and(|one| one.phase == Phase::Connected && !one.muted) {
                self.blame(id, Rule::KeepAlive, None, None, now);
            }
            self.close(id, now);
        }
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let (id, packet) = entry.remove();
            self.write(id, packet, now);
        }
        if let Some(limit) = self.resend_after().and_then(|wait| now.checked_sub(wait)) {
            self.resend(limit, now);
        }
    }

    /// Every packet so far, oldest first, as far as the policy keeps them.
    pub fn record(&self) -> impl ExactSizeIterator<Item = &RecordedPacket> {
        self.record.iter()
    }

    /// Forgets the packets so far.
    pub fn clear_record(&mut self) {
        self.record.clear();
    }

    /// Every rule of the standard that a client broke, oldest first, as far as the policy keeps records. The broker goes on,
    /// or closes the connection, as the standard wants it.
    pub fn violations(&self) -> impl ExactSizeIterator<Item = &Violation> {
        self.violations.iter()
    }

    /// Forgets the broken rules so far.
    pub fn clear_violations(&mut self) {
        self.violations.clear();
    }

    /// Client identifiers with a connection, in order.
    pub fn connected(&self) -> impl Iterator<Item = &str> {
        self.subscribers.iter().filter(|(_, one)| one.connection.is_some()).map(|(client_id, _)| client_id.as_str())
    }

    /// A session's subscriptions, filter and quality; none when there is no such session.
    pub fn subscriptions(&self, client_id: &str) -> Option<Vec<(String, Qos)>> {
        let subscriber = self.subscribers.get(client_id)?;
        Some(subscriber.subscriptions.iter().map(|(filter, qos)| (filter.clone(), *qos)).collect())
    }

    /// Messages lost because a session's queue was full.
    pub fn lost(&self) -> u64 {
        self.subscribers.values().map(|subscriber| subscriber.lost).sum()
    }

    fn resend_after(&self) -> Option<Duration> {
        self.policy.resend_after.map(|wait| self.policy.span(wait))
    }

    fn resend(&mut self, limit: Instant, now: Instant) {
        let mut again = Vec::new();
        for subscriber in self.subscribers.values_mut() {
            if let Some(id) = subscriber.connection {
                again.extend(subscriber.overdue(limit, now).into_iter().map(|packet| (id, packet)));
            }
        }
        for (id, packet) in again {
            self.write(id, packet, now);
        }
    }

    /// Sends a message to whoever wants it, and keeps it when it says so. Answers to how many sessions.
    fn route(&mut self, publish: Publish, now: Instant) -> usize {
        if publish.retain {
            if publish.payload.is_empty() {
                self.retained.remove(&publish.topic);
            } else {
                let kept = Publish { dup: false, id: None, ..publish.clone() };
                self.retained.insert(publish.topic.clone(), kept);
            }
        }
        let wanted = |(client_id, one): (&String, &Subscriber)| {
            one.wants(&publish.topic).map(|granted| (client_id.clone(), granted))
        };
        let receivers: Vec<_> = self.subscribers.iter().filter_map(wanted).collect();
        let count = receivers.len();
        for (client_id, granted) in receivers {
            self.deliver(&client_id, &publish, granted, false, now);
        }
        count
    }

    /// Hands one message to one session. `retain` is true only for what was kept before the subscription.
    fn deliver(&mut self, client_id: &str, publish: &Publish, granted: Qos, retain: bool, now: Instant) {
        let Some(subscriber) = self.subscribers.get_mut(client_id) else { return };
        let qos = publish.qos.min(granted);
        let message = Publish { dup: false, qos, retain, id: None, ..publish.clone() };
        if qos != Qos::AtMostOnce {
            subscriber.enqueue(message, self.policy.queue_limit);
            self.pump(client_id, now);
        } else if let Some(id) = subscriber.connection {
            self.write(id, Packet::Publish(message), now);
        }
    }

    /// Sends what the window of a connected session has room for.
    fn pump(&mut self, client_id: &str, now: Instant) {
        loop {
            let Some(subscriber) = self.subscribers.get_mut(client_id) else { return };
            let Some(id) = subscriber.connection else { return };
            let Some(packet) = subscriber.start_next(self.policy.window, now) else { return };
            self.write(id, packet, now);
        }
    }

    /// Sends an acknowledgement, unless the policy drops it or holds it back.
    fn acknowledge(&mut self, id: ConnectionId, packet: Packet, now: Instant) {
        let Some(connection) = self.connections.get(&id) else { return };
        match self.policy.ack_action(packet.kind(), &connection.client_id) {
            None => self.write(id, packet, now),
            Some(AckAction::Drop) => self.mute_without_connack(id, &packet),
            Some(AckAction::Delay(wait)) => self.hold_back(id, packet, now + self.policy.span(wait)),
        }
    }

    /// A client that never gets its CONNACK gets nothing else either.
    fn mute_without_connack(&mut self, id: ConnectionId, dropped: &Packet) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.muted |= matches!(dropped, Packet::Connack { .. });
        }
    }

    fn hold_back(&mut self, id: ConnectionId, packet: Packet, due: Instant) {
        self.delayed_count += 1;
        self.delayed.insert((due, self.delayed_count), (id, packet));
    }

    fn write(&mut self, id: ConnectionId, packet: Packet, now: Instant) {
        let connack = |(_, (owner, packet)): &(&(Instant, u64), &(ConnectionId, Packet))| {
            *owner == id && matches!(packet, Packet::Connack { .. })
        };
        if let Some(((due, _), _)) = self.delayed.iter().find(connack) {
            let due = *due;
            return self.hold_back(id, packet, due); // Nothing may overtake a CONNACK.
        }
        let Some(connection) = self.connections.get_mut(&id).filter(|connection| !connection.muted) else { return };
        connection.conduct.outgoing(&packet);
        let level = connection.decoder.level().unwrap_or(Level::V311);
        let mut bytes = Vec::new();
        super::encode::encode(&packet, level, &mut bytes);
        self.output.push_back((id, Output::Bytes(bytes)));
        self.note(id, Direction::Out, packet, now);
    }

    fn note(&mut self, id: ConnectionId, direction: Direction, packet: Packet, now: Instant) {
        let client_id = self.connections.get(&id).map(|connection| connection.client_id.clone()).unwrap_or_default();
        if self.record.len() >= self.policy.record_limit {
            self.record.pop_front();
        }
        let at = now.saturating_duration_since(self.start);
        self.record.push_back(RecordedPacket { at, connection: id, client_id, direction, packet });
    }

    /// Takes note of a rule that a client broke.
    fn blame(&mut self, id: ConnectionId, rule: Rule, kind: Option<Kind>, packet: Option<u16>, now: Instant) {
        let Some(connection) = self.connections.get(&id) else { return };
        if self.violations.len() >= self.policy.record_limit {
            self.violations.pop_front();
        }
        self.violations.push_back(Violation {
            at: now.saturating_duration_since(self.start),
            connection: id,
            client_id: connection.client_id.clone(),
            level: connection.decoder.level(),
            kind,
            id: packet,
            rule,
        });
    }

    /// Closes a connection from this end.
    fn close(&mut self, id: ConnectionId, now: Instant) {
        self.output.push_back((id, Output::Close));
        self.end(id, now);
    }

    /// Forgets a connection, publishes its will if it still has one, and forgets its session if that was clean.
    fn end(&mut self, id: ConnectionId, now: Instant) {
        let Some(connection) = self.connections.remove(&id) else { return };
        self.delayed.retain(|_, (owner, _)| *owner != id);
        if connection.phase == Phase::AwaitConnect {
            return;
        }
        if let Some(subscriber) = self.subscribers.get_mut(&connection.client_id)
            && subscriber.connection == Some(id)
        {
            subscriber.connection = None;
            if subscriber.clean {
                self.subscribers.remove(&connection.client_id);
            }
        }
        if let Some(will) = connection.will {
            let super::packet::Will { topic, payload, qos, retain } = will;
            self.route(Publish { dup: false, qos, retain, topic, id: None, payload }, now);
        }
    }
}
