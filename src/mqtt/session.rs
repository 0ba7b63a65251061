//! A client's end of MQTT as a cellular module plays it: the host chooses the packet identifiers, how long an
//! acknowledgement may take and how often a packet is sent again, and a message is acknowledged when its owner says so.
//!
//! Not here: the socket, name resolution, TLS and what a host is told. The virtual module opens a connection, calls
//! [`ClientSession::connect`], carries bytes both ways, and calls [`ClientSession::connection_lost`] when it ends. The
//! same session may then connect again; without `clean_session` it resumes what was in flight.
//!
//! Longer than 400 lines: every method works on the same few fields, and a second file would hide the order of calls.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::time::Instant;

use super::MAX_REMAINING_LENGTH;
use super::decode::Decoder;
use super::encode::encode;
use super::encode::encoded_len;
use super::options::ClientOptions;
use super::packet::Kind;
use super::packet::Level;
use super::packet::Packet;
use super::packet::Publish;
use super::packet::Qos;
use super::requests::Overdue;
use super::requests::Requests;
use super::requests::named;
use super::session_event::ClientEvent;
use super::session_event::IncomingMessage;
use super::session_event::Refused;
use super::topic::valid_filter;
use super::topic::valid_topic;

/// Where a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// No connection.
    Idle,
    /// CONNECT is sent.
    AwaitConnack,
    /// The broker said yes.
    Connected,
    /// DISCONNECT is sent; the owner closes when it has left.
    Disconnected,
    /// The connection is of no use any more; the owner must close it and call `connection_lost`.
    Failed,
}

/// One client's MQTT session.
#[derive(Debug)]
pub struct ClientSession {
    options: ClientOptions,
    state: SessionState,
    decoder: Decoder,
    requests: Requests,
    /// Quality 2 messages from the broker that were acknowledged and not yet released.
    received: BTreeSet<u16>,
    /// What was repeated or given up on this connection: its acknowledgements may come late, or twice.
    repeated: BTreeSet<u16>,
    transmit: Vec<u8>,
    events: VecDeque<ClientEvent>,
    connack_deadline: Option<Instant>,
    ping_due: Option<Instant>,
    ping_deadline: Option<Instant>,
    connection: u32,
}

impl ClientSession {
    /// A session that has never been connected.
    pub fn new(options: ClientOptions) -> ClientSession {
        ClientSession {
            decoder: Decoder::new(Some(options.level)),
            options,
            state: SessionState::Idle,
            requests: Requests::default(),
            received: BTreeSet::new(),
            repeated: BTreeSet::new(),
            transmit: Vec::new(),
            events: VecDeque::new(),
            connack_deadline: None,
            ping_due: None,
            ping_deadline: None,
            connection: 0,
        }
    }

    /// Sends CONNECT on a fresh connection. A clean session forgets what was in flight before.
    pub fn connect(&mut self, now: Instant) -> Result<(), Refused> {
        if self.state != SessionState::Idle {
            return Err(Refused::AlreadyConnected);
        }
        let connect = self.options.connect_packet()?;
        if self.options.clean_session {
            self.requests.drain();
            self.received.clear();
        }
        self.connection = self.connection.wrapping_add(1);
        self.repeated.clear();
        self.decoder = Decoder::new(Some(self.options.level)).with_limit(self.options.max_packet);
        self.transmit.clear();
        self.connack_deadline = Some(now + self.options.packet_timeout);
        self.state = SessionState::AwaitConnack;
        self.send(&connect, now);
        Ok(())
    }

    /// Sends a message. `None` or 0 as identifier is for quality 0; `None` at quality 1 and 2 lets the session choose.
    pub fn publish(
        &mut self,
        id: Option<u16>,
        qos: Qos,
        retain: bool,
        topic: &str,
        payload: &[u8],
        now: Instant,
    ) -> Result<u16, Refused> {
        let (topic, payload) = (topic.to_owned(), payload.to_vec());
        self.publish_packet(Publish { dup: false, qos, retain, topic, id, payload }, now)
    }

    /// The same, for an owner that sets DUP itself. Quality 0 never bears it (MQTT 3.1.1 §3.3.1.1).
    pub fn publish_packet(&mut self, mut publish: Publish, now: Instant) -> Result<u16, Refused> {
        self.require_connected()?;
        if !valid_topic(&publish.topic) {
            return Err(Refused::InvalidTopic(publish.topic));
        }
        let qos = publish.qos;
        let size = encoded_len(&publish.topic, publish.payload.len(), qos);
        if size > MAX_REMAINING_LENGTH {
            return Err(Refused::TooLarge(size));
        }
        if qos == Qos::AtMostOnce {
            self.check_publish(publish.id, qos)?;
            let id = publish.id.take().unwrap_or_default();
            publish.dup = false;
            self.send(&Packet::Publish(publish), now);
            self.events.push_back(ClientEvent::Published { id, qos });
            return Ok(id);
        }
        if self.requests.publishes() >= self.options.window {
            return Err(Refused::WindowFull(self.options.window));
        }
        let id = self.requests.free_id(publish.id)?;
        publish.id = Some(id);
        self.request(Packet::Publish(publish), now);
        Ok(id)
    }

    /// Whether a message could be published now, as far as identifier and window go; for an owner whose payload comes later.
    pub fn check_publish(&self, id: Option<u16>, qos: Qos) -> Result<(), Refused> {
        self.require_connected()?;
        match id {
            // It does not travel, but two results of the same name could not be told apart.
            Some(id) if qos == Qos::AtMostOnce && self.requests.contains(id) => Err(Refused::IdInUse(id)),
            _ if qos == Qos::AtMostOnce => Ok(()),
            Some(0) => Err(Refused::IdZero),
            Some(id) if self.requests.contains(id) => Err(Refused::IdInUse(id)),
            _ if self.requests.publishes() >= self.options.window => Err(Refused::WindowFull(self.options.window)),
            _ => Ok(()),
        }
    }

    /// Asks for topics. `None` lets the session choose the identifier; the answer is the one used.
    pub fn subscribe(&mut self, id: Option<u16>, filters: Vec<(String, Qos)>, now: Instant) -> Result<u16, Refused> {
        self.require_connected()?;
        check_filters(filters.iter().map(|(filter, _)| filter))?;
        let id = self.requests.free_id(id)?;
        self.request(Packet::Subscribe { id, dup: false, filters }, now);
        Ok(id)
    }

    /// Gives topics back. `None` lets the session choose the identifier; the answer is the one used.
    pub fn unsubscribe(&mut self, id: Option<u16>, filters: Vec<String>, now: Instant) -> Result<u16, Refused> {
        self.require_connected()?;
        check_filters(filters.iter())?;
        let id = self.requests.free_id(id)?;
        self.request(Packet::Unsubscribe { id, dup: false, filters }, now);
        Ok(id)
    }

    /// Sends DISCONNECT; the owner closes the connection once the bytes have left.
    pub fn disconnect(&mut self, now: Instant) -> Result<(), Refused> {
        self.require_connected()?;
        self.send(&Packet::Disconnect, now);
        self.stop(SessionState::Disconnected);
        Ok(())
    }

    /// Tells the broker that a message has arrived. Without effect at quality 0 and on another connection than its own. Where
    /// that has ended meanwhile, only the identifier of quality 2 is kept: the broker will send the message again.
    pub fn acknowledge(&mut self, message: &IncomingMessage, now: Instant) {
        let Some(id) = message.id.filter(|_| message.connection == self.connection) else { return };
        let exactly_once = message.qos == Qos::ExactlyOnce;
        if exactly_once {
            self.received.insert(id);
        }
        if self.state == SessionState::Connected {
            self.send(&if exactly_once { Packet::Pubrec { id } } else { Packet::Puback { id } }, now);
        }
    }

    /// The connection has ended, however it did. Messages in flight wait for the next one.
    pub fn connection_lost(&mut self) {
        self.stop(SessionState::Idle);
        self.transmit.clear();
    }

    /// Takes what came from the broker.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.decoder.feed(bytes);
        while matches!(self.state, SessionState::AwaitConnack | SessionState::Connected) {
            match self.decoder.next_packet() {
                Ok(Some(packet)) => self.take(packet, now),
                Ok(None) => return,
                Err(error) => return self.fail(error.to_string()),
            }
        }
    }

    /// Does what is due by now.
    pub fn handle_deadline(&mut self, now: Instant) {
        if self.connack_deadline.is_some_and(|deadline| deadline <= now) {
            self.stop(SessionState::Failed);
            self.events.push_back(ClientEvent::ConnectTimedOut);
        }
        if self.ping_deadline.is_some_and(|deadline| deadline <= now) {
            self.stop(SessionState::Failed);
            self.events.push_back(ClientEvent::PingTimedOut);
        }
        if self.state != SessionState::Connected {
            return;
        }
        while let Some(overdue) = self.requests.overdue(now, self.options.packet_timeout, self.options.retry_times) {
            match overdue {
                Overdue::Resend(packet, count) => {
                    let (kind, id) = named(&packet);
                    self.repeated.insert(id);
                    self.send(&packet, now);
                    self.events.push_back(ClientEvent::Resent { kind, id, count });
                }
                Overdue::GiveUp(packet) => {
                    let (kind, id) = named(&packet);
                    self.repeated.insert(id);
                    self.events.push_back(ClientEvent::GaveUp { kind, id });
                }
            }
        }
        if self.ping_due.is_some_and(|due| due <= now) {
            self.send(&Packet::Pingreq, now);
            self.ping_deadline.get_or_insert(now + self.options.ping_timeout);
        }
    }

    /// Bytes for the broker, in order.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        if self.transmit.is_empty() { None } else { Some(std::mem::take(&mut self.transmit)) }
    }

    /// What happened, in order.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// When `handle_deadline` must be called at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        // No ping before CONNACK, however long that takes.
        let ping_due = self.ping_due.filter(|_| self.state == SessionState::Connected);
        [self.connack_deadline, ping_due, self.ping_deadline, self.requests.next_deadline()].into_iter().flatten().min()
    }

    /// Where the session is.
    pub fn state(&self) -> SessionState {
        self.state
    }

    /// Messages of quality 1 and 2 without their last acknowledgement.
    pub fn in_flight(&self) -> usize {
        self.requests.publishes()
    }

    /// Whether PUBREL of the message with this identifier was sent, so that PUBCOMP is what is awaited.
    pub fn is_released(&mut self, id: u16) -> bool {
        self.requests.find(id).is_some_and(|request| request.packet.kind() == Kind::Pubrel)
    }

    /// Whether PINGRESP is awaited.
    pub fn awaits_pong(&self) -> bool {
        self.ping_deadline.is_some()
    }

    /// How the session behaves.
    pub fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// Changes how it behaves; what CONNECT says counts from the next one.
    pub fn set_options(&mut self, options: ClientOptions) {
        self.options = options;
    }

    fn take(&mut self, packet: Packet, now: Instant) {
        match (self.state, packet) {
            (SessionState::AwaitConnack, Packet::Connack { session_present, code }) => {
                self.welcomed(session_present, code, now);
            }
            (SessionState::AwaitConnack, other) => self.fail(format!("{} before CONNACK", other.kind().name())),
            (_, Packet::Publish(publish)) => self.arrived(publish, now),
            (_, Packet::Puback { id }) => self.answered(id, Kind::Puback, Vec::new()),
            (_, Packet::Pubcomp { id }) => self.answered(id, Kind::Pubcomp, Vec::new()),
            (_, Packet::Suback { id, codes }) => self.answered(id, Kind::Suback, codes),
            (_, Packet::Unsuback { id }) => self.answered(id, Kind::Unsuback, Vec::new()),
            (_, Packet::Pubrec { id }) => self.half_way(id, now),
            (_, Packet::Pubrel { id, .. }) => {
                self.received.remove(&id);
                self.send(&Packet::Pubcomp { id }, now);
            }
            (_, Packet::Pingresp) => self.ping_deadline = None,
            (_, other) => self.fail(format!("{} from a broker", other.kind().name())),
        }
    }

    fn welcomed(&mut self, session_present: bool, code: u8, now: Instant) {
        self.connack_deadline = None;
        self.events.push_back(ClientEvent::Connack { session_present, code });
        if code != 0 {
            return self.stop(SessionState::Failed);
        }
        self.state = SessionState::Connected;
        if self.options.level == Level::V311 && !session_present {
            // The broker has forgotten: what was in flight can never be finished (3.1.1 §3.2.2.2).
            self.received.clear();
            for packet in self.requests.drain() {
                let (kind, id) = named(&packet);
                self.events.push_back(ClientEvent::GaveUp { kind, id });
            }
        }
        for packet in self.requests.resume(now + self.options.packet_timeout) {
            self.repeated.extend(packet.id());
            self.send(&packet, now);
        }
    }

    fn arrived(&mut self, publish: Publish, now: Instant) {
        let Publish { dup, qos, retain, topic, id, payload } = publish;
        if let Some(id) = id.filter(|id| qos == Qos::ExactlyOnce && self.received.contains(id)) {
            return self.send(&Packet::Pubrec { id }, now);
        }
        let connection = self.connection;
        self.events.push_back(ClientEvent::Message(IncomingMessage {
            topic,
            payload,
            qos,
            retain,
            dup,
            id,
            connection,
        }));
    }

    /// PUBREC: the message is with the broker, and must never be sent again.
    fn half_way(&mut self, id: u16, now: Instant) {
        let deadline = now + self.options.packet_timeout;
        let release = Packet::Pubrel { id, dup: false };
        if let Some(request) = self.requests.find(id)
            && matches!(&request.packet, Packet::Publish(publish) if publish.qos == Qos::ExactlyOnce)
        {
            request.packet = release.clone();
            request.deadline = Some(deadline);
        } else if !self.requests.contains(id) {
            self.unexpected(Kind::Pubrec, id);
        }
        // Also for a message given up long ago: else the broker would hold its identifier for ever.
        self.send(&release, now);
    }

    /// The last answer to a request. One that nobody awaits was late and means nothing any more.
    fn answered(&mut self, id: u16, answer: Kind, codes: Vec<u8>) {
        let Some(request) = self.requests.find(id) else { return self.unexpected(answer, id) };
        let event = match (&request.packet, answer) {
            (Packet::Publish(Publish { qos: qos @ Qos::AtLeastOnce, .. }), Kind::Puback) => {
                ClientEvent::Published { id, qos: *qos }
            }
            (Packet::Pubrel { .. }, Kind::Pubcomp) => ClientEvent::Published { id, qos: Qos::ExactlyOnce },
            (Packet::Subscribe { filters, .. }, Kind::Suback) if filters.len() != codes.len() => {
                let counts = format!("SUBACK with {} codes for {} filters", codes.len(), filters.len());
                return self.fail(counts);
            }
            (Packet::Subscribe { .. }, Kind::Suback) => ClientEvent::Suback { id, codes },
            (Packet::Unsubscribe { .. }, Kind::Unsuback) => ClientEvent::Unsuback { id },
            _ => return self.unexpected(answer, id),
        };
        self.requests.remove(id);
        self.events.push_back(event);
    }

    fn request(&mut self, packet: Packet, now: Instant) {
        self.send(&packet, now);
        self.requests.add(packet, now + self.options.packet_timeout);
    }

    fn send(&mut self, packet: &Packet, now: Instant) {
        encode(packet, self.options.level, &mut self.transmit);
        let silence = self.options.keep_alive;
        let pings = self.state == SessionState::Connected || packet.kind() == Kind::Connect;
        self.ping_due = (pings && !silence.is_zero()).then(|| now + silence);
    }

    /// An acknowledgement that nothing awaits: late or doubled, or a broker's mistake.
    fn unexpected(&mut self, answer: Kind, id: u16) {
        if self.options.strict && !self.repeated.contains(&id) {
            self.fail(format!("{} for packet {id}, which awaits none", answer.name()));
        }
    }

    fn fail(&mut self, why: String) {
        self.stop(SessionState::Failed);
        self.events.push_back(ClientEvent::ProtocolError(why));
    }

    fn stop(&mut self, state: SessionState) {
        self.state = state;
        self.connack_deadline = None;
        self.ping_due = None;
        self.ping_deadline = None;
        self.requests.suspend();
    }

    fn require_connected(&self) -> Result<(), Refused> {
        if self.state == SessionState::Connected { Ok(()) } else { Err(Refused::NotConnected) }
    }
}

fn check_filters<'a>(filters: impl Iterator<Item = &'a String>) -> Result<(), Refused> {
    let mut count = 0;
    for filter in filters {
        if !valid_filter(filter) {
            return Err(Refused::InvalidTopic(filter.clone()));
        }
        count += 1;
    }
    if count == 0 { Err(Refused::NoTopic) } else { Ok(()) }
}
