//! A client's session and the broker's core, joined in memory, in simulated time: what the tests beside it stand on.

use std::time::Duration;
use std::time::Instant;

use crate::mqtt::AckAction;
use crate::mqtt::AckRule;
use crate::mqtt::BrokerCore;
use crate::mqtt::ClientEvent;
use crate::mqtt::ClientOptions;
use crate::mqtt::ClientSession;
use crate::mqtt::ConnectionId;
use crate::mqtt::Direction;
use crate::mqtt::IncomingMessage;
use crate::mqtt::Kind;
use crate::mqtt::Level;
use crate::mqtt::Output;
use crate::mqtt::Packet;
use crate::mqtt::Peer;
use crate::mqtt::Policy;
use crate::mqtt::Qos;

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const LEVELS: [Level; 2] = [Level::V31, Level::V311];

/// One client's end.
pub(super) struct End {
    pub session: ClientSession,
    pub connection: Option<ConnectionId>,
    pub events: Vec<ClientEvent>,
    pub messages: Vec<IncomingMessage>,
    pub acknowledges: bool,
}

/// A broker and its clients; bytes cross at once, time passes when told.
pub(super) struct World {
    pub core: BrokerCore,
    pub now: Instant,
    pub ends: Vec<End>,
    pub connections: u64,
    /// Bytes to the broker vanish, as on a radio link that is gone.
    pub deaf: bool,
}

impl World {
    #[allow(clippy::disallowed_methods)] // A first instant can only come from the clock; from here on time is simulated.
    pub fn new(policy: Policy) -> World {
        let now = Instant::now();
        World { core: BrokerCore::new(policy, now), now, ends: Vec::new(), connections: 0, deaf: false }
    }

    pub fn join(&mut self, options: ClientOptions) -> usize {
        let session = ClientSession::new(options);
        self.ends.push(End { session, connection: None, events: Vec::new(), messages: Vec::new(), acknowledges: true });
        let end = self.ends.len() - 1;
        self.connect(end);
        end
    }

    pub fn connect(&mut self, end: usize) {
        self.connections += 1;
        let id = ConnectionId(self.connections);
        self.ends[end].connection = Some(id);
        self.core.accept(id, Peer::default(), self.now);
        self.ends[end].session.connect(self.now).expect("an idle session connects");
        self.settle();
    }

    /// The network between this client and the broker is gone; both ends notice.
    pub fn cut(&mut self, end: usize) {
        if let Some(id) = self.ends[end].connection.take() {
            self.core.closed(id, self.now);
        }
        self.ends[end].session.connection_lost();
        self.settle();
    }

    pub fn settle(&mut self) {
        loop {
            let mut moved = false;
            for end in &mut self.ends {
                while let Some(bytes) = end.session.poll_transmit() {
                    moved = true;
                    if let (Some(id), false) = (end.connection, self.deaf) {
                        self.core.receive(id, &bytes, self.now);
                    }
                }
            }
            while let Some((id, output)) = self.core.poll_output() {
                moved = true;
                let Some(end) = self.ends.iter_mut().find(|end| end.connection == Some(id)) else { continue };
                match output {
                    Output::Bytes(bytes) => end.session.receive(&bytes, self.now),
                    Output::Close => {
                        end.connection = None;
                        end.session.connection_lost();
                    }
                }
            }
            for end in &mut self.ends {
                while let Some(event) = end.session.poll_event() {
                    moved = true;
                    if let ClientEvent::Message(message) = &event {
                        end.messages.push(message.clone());
                        if end.acknowledges {
                            end.session.acknowledge(message, self.now);
                        }
                    }
                    end.events.push(event);
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// Lets time pass, from deadline to deadline.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let sessions = self.ends.iter().filter_map(|end| end.session.next_deadline());
            let Some(next) = sessions.chain(self.core.next_deadline()).min().filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            for end in &mut self.ends {
                end.session.handle_deadline(self.now);
            }
            self.core.handle_deadline(self.now);
            self.settle();
        }
        self.now = end;
    }

    pub fn publish(&mut self, end: usize, id: u16, qos: Qos, payload: &[u8]) {
        let id = (qos != Qos::AtMostOnce).then_some(id);
        self.ends[end].session.publish(id, qos, false, "t", payload, self.now).expect("it may be published");
        self.settle();
    }

    pub fn subscribe(&mut self, end: usize, filter: &str, qos: Qos) {
        self.ends[end].session.subscribe(None, vec![(filter.into(), qos)], self.now).expect("it may be subscribed");
        self.settle();
    }

    pub fn payloads(&self, end: usize) -> Vec<Vec<u8>> {
        self.ends[end].messages.iter().map(|message| message.payload.clone()).collect()
    }

    pub fn events(&mut self, end: usize) -> Vec<ClientEvent> {
        std::mem::take(&mut self.ends[end].events)
    }

    /// First bytes of the packets of one kind that a client has sent.
    pub fn sent_by(&self, client: &str, kind: Kind) -> Vec<Packet> {
        let is_it = |entry: &&crate::mqtt::RecordedPacket| {
            entry.client_id == client && entry.direction == Direction::In && entry.packet.kind() == kind
        };
        self.core.record().filter(is_it).map(|entry| entry.packet.clone()).collect()
    }
}

pub(super) fn options(level: Level, client_id: &str) -> ClientOptions {
    ClientOptions { level, client_id: client_id.into(), keep_alive: Duration::ZERO, ..ClientOptions::default() }
}

pub(super) fn dropping(kind: Kind, times: Option<u32>) -> Policy {
    let rule = AckRule { kind, client_id: None, action: AckAction::Drop, times };
    Policy { ack_rules: vec![rule], ..Policy::default() }
}

pub(super) fn is_dup(packet: &Packet) -> bool {
    match packet {
        Packet::Publish(publish) => publish.dup,
        Packet::Pubrel { dup, .. } | Packet::Subscribe { dup, .. } | Packet::Unsubscribe { dup, .. } => *dup,
        _ => false,
    }
}
