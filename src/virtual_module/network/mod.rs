//! What is behind the antenna: for each client a connection and an MQTT session, on real sockets or on simulated ones.
//!
//! It knows no AT: it tells what happened, and the service decides which line that is. Nor does it know sockets: those are
//! below it, behind [`bearer`].
//!
//! Longer than 400 lines: what may become of a link, from dialling to its end, is one state machine. Its parts that stand
//! alone are the files beside it.

mod bearer;
mod carry;
mod exchange;
pub(super) mod simulated;
mod sockets;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::time::Duration;
use std::time::Instant;

use crate::mqtt::ClientEvent;
use crate::mqtt::ClientOptions;
use crate::mqtt::ClientSession;
use crate::mqtt::IncomingMessage;
use crate::mqtt::Qos;
use crate::mqtt::Refused;
use crate::mqtt::RequestKind;
use crate::mqtt::SessionState;
use crate::virtual_module::BrokerAddress;
use crate::virtual_module::faults::Effect;
use crate::virtual_module::faults::Faults;
use crate::virtual_module::faults::Wire;
use crate::virtual_module::network::bearer::Connection;
use crate::virtual_module::network::bearer::Dialled;
use crate::virtual_module::network::bearer::Ticket;
use crate::virtual_module::network::carry::Faulty;
use crate::virtual_module::network::carry::carry;
use crate::virtual_module::network::carry::send;
use crate::virtual_module::network::exchange::Exchange;
use crate::virtual_module::tls_contexts::Security;

pub(super) use crate::virtual_module::network::bearer::Bearer;
pub(super) use crate::virtual_module::network::exchange::ExchangeFault;
pub(super) use crate::virtual_module::network::exchange::Outcome;
pub(super) use crate::virtual_module::network::sockets::Sockets;

/// What happened on a client's connection.
#[derive(Debug)]
pub(super) enum LinkEvent {
    /// TCP, and TLS where wanted, is there.
    Opened,
    /// It could not be opened.
    OpenFailed(OpenFault),
    /// What the MQTT session says.
    Mqtt(ClientEvent),
    /// The connection is gone.
    Lost(LostBy),
    /// DISCONNECT has left.
    Parted,
    /// What was asked beside MQTT is answered, or is not.
    Answered(Outcome),
}

/// Whom an exchange beside MQTT belongs to: no client.
const NOBODY: u8 = u8::MAX;

/// Why a connection could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OpenFault {
    NotResolved,
    Refused,
    TimedOut,
    Tls,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LostBy {
    /// The peer closed it.
    PeerClosed,
    /// The peer reset it.
    PeerReset,
    /// The socket refused CONNECT.
    SendingConnect,
    /// The socket refused PINGREQ.
    SendingPing,
    /// The socket refused anything else.
    SendingRequest,
    /// DISCONNECT did not leave in time.
    Parting,
}

impl LostBy {
    fn is_by_sending(self) -> bool {
        matches!(self, LostBy::SendingConnect | LostBy::SendingPing | LostBy::SendingRequest)
    }
}

/// Where a connection is to lead.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Option<Security>,
}

enum Stage {
    /// Whether the connection is to be secured.
    Dialling {
        secured: bool,
    },
    Handshaking(Box<dyn Connection>),
    Open(Box<dyn Connection>),
}

struct Link {
    generation: u64,
    stage: Stage,
    deadline: Instant,
    /// Tells when DISCONNECT has left.
    parting: bool,
    /// When it must have.
    part_by: Option<Instant>,
    /// Faults of this connection.
    wire: Wire,
    /// What the socket refused between two turns.
    refused: Option<LostBy>,
}

/// The connections of all clients.
pub(super) struct Links {
    redirect: Option<BrokerAddress>,
    /// Where 80 leads behind a redirection: to the bench's token server.
    http_port: u16,
    /// Whether names are resolved.
    pub(super) resolves: bool,
    bearer: Box<dyn Bearer>,
    links: BTreeMap<u8, Link>,
    sessions: BTreeMap<u8, ClientSession>,
    exchange: Option<Exchange>,
    generation: u64,
    /// Clients whose connection the module itself gave up since the last `pump`: what that told of them is over.
    given_up: BTreeSet<u8>,
    /// A connection has more to read than one turn allows; no poller tells of bytes that TLS has decrypted already.
    more: bool,
    /// Whether the last `pump` read at all.
    reads: bool,
}

impl Links {
    pub(super) fn new(redirect: Option<BrokerAddress>, bearer: Box<dyn Bearer>) -> Links {
        Links {
            redirect,
            http_port: 80,
            resolves: true,
            bearer,
            links: BTreeMap::new(),
            sessions: BTreeMap::new(),
            exchange: None,
            generation: 0,
            given_up: BTreeSet::new(),
            more: false,
            reads: true,
        }
    }

    /// Whether `pump` should be called again at once.
    pub(super) fn has_more(&self) -> bool {
        self.more
    }

    /// Whether the last `pump` was not allowed to read.
    pub(super) fn is_paused(&self) -> bool {
        !self.reads
    }

    /// Starts to open a connection; `Opened` or `OpenFailed` follows, unless it is closed before.
    pub(super) fn open(
        &mut self,
        faults: &mut Faults,
        client: u8,
        target: Target,
        timeout: Duration,
        now: Instant,
    ) -> io::Result<()> {
        self.close(client);
        self.generation += 1;
        let ticket = Ticket { client, generation: self.generation };
        let route = self.route(faults, &target);
        self.bearer.dial(ticket, route, &target, timeout, now)?;
        let link = Link {
            generation: self.generation,
            stage: Stage::Dialling { secured: target.security.is_some() },
            deadline: now + timeout,
            parting: false,
            part_by: None,
            wire: Wire::default(),
            refused: None,
        };
        self.links.insert(client, link);
        Ok(())
    }

    /// Starts to ask something of a peer over a connection of its own; `Answered` follows.
    pub(super) fn ask(
        &mut self,
        faults: &mut Faults,
        target: Target,
        question: Vec<u8>,
        timeout: Duration,
        now: Instant,
    ) -> io::Result<()> {
        self.generation += 1;
        let ticket = Ticket { client: NOBODY, generation: self.generation };
        let route = self.route(faults, &target);
        self.bearer.dial(ticket, route, &target, timeout, now)?;
        let deadline = now + timeout;
        let answer = Vec::new();
        self.exchange = Some(Exchange { generation: self.generation, deadline, question, line: None, answer });
        Ok(())
    }

    /// Where 80 leads, if names lead to a bench.
    pub(super) fn lead_http_to(&mut self, port: u16) {
        self.http_port = port;
    }

    /// Whether an answer is awaited beside MQTT.
    pub(super) fn is_asking(&self) -> bool {
        self.exchange.is_some()
    }

    /// Where a target leads, unless a fault has its name lead nowhere.
    fn route(&self, faults: &mut Faults, target: &Target) -> Option<(String, u16)> {
        let unresolved = address(&target.host).is_none() && faults.happens(Effect::Unresolved, &target.host);
        if unresolved { None } else { self.lead(&target.host, target.port) }
    }

    /// Where a name leads: to the broker near by, but for loopback and for names that must not resolve.
    fn lead(&self, host: &str, port: u16) -> Option<(String, u16)> {
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        if name == "invalid" || name.ends_with(".invalid") {
            return None;
        }
        let literal = address(&name);
        if literal.is_none() && !self.resolves {
            return None;
        }
        let stays = name == "localhost" || literal.as_ref().is_some_and(IpAddr::is_loopback);
        match &self.redirect {
            Some(broker) if !stays => Some((
                broker.host.clone(),
                match port {
                    1883 => broker.port,
                    8883 => broker.tls_port,
                    80 => self.http_port,
                    other => other,
                },
            )),
            _ => Some((literal.map_or(name, |address| address.to_string()), port)),
        }
    }

    /// Closes a connection without goodbye of MQTT; nothing more is told of it.
    pub(super) fn close(&mut self, client: u8) {
        self.given_up.insert(client);
        self.end(client, |line| line.close());
    }

    /// The network is gone: the connection ends as if the wire were cut.
    pub(super) fn cut(&mut self, client: u8) {
        self.given_up.insert(client);
        self.end(client, |line| line.abort());
    }

    /// Whether what `pump` told of a client still concerns it.
    pub(super) fn concerns(&self, client: u8) -> bool {
        !self.given_up.contains(&client)
    }

    fn end(&mut self, client: u8, how: impl FnOnce(&mut dyn Connection)) {
        if let Some(mut link) = self.links.remove(&client) {
            if let Stage::Handshaking(line) | Stage::Open(line) = &mut link.stage {
                how(line.as_mut());
            }
            if let Some(session) = self.sessions.get_mut(&client) {
                session.connection_lost();
                // What it had to say of this connection is not said on the next.
                while session.poll_event().is_some() {}
            }
        }
    }

    /// Power is gone: nothing is left, no session either.
    pub(super) fn cut_all(&mut self) {
        for client in self.links.keys().copied().collect::<Vec<_>>() {
            self.cut(client);
        }
        self.sessions.clear();
        self.exchange = None;
    }

    /// Sends CONNECT. The session of the same client id goes on where a stored session is wanted.
    pub(super) fn connect(&mut self, client: u8, options: ClientOptions, now: Instant) -> Result<(), Refused> {
        let Some(Link { stage: Stage::Open(_), .. }) = self.links.get(&client) else {
            return Err(Refused::NotConnected);
        };
        let goes_on = |old: &ClientSession| {
            !options.clean_session
                && old.options().client_id == options.client_id
                && old.options().level == options.level
        };
        match self.sessions.get_mut(&client).filter(|old| goes_on(old)) {
            Some(session) => session.set_options(options),
            None => drop(self.sessions.insert(client, ClientSession::new(options))),
        }
        self.sessions.get_mut(&client).map_or(Err(Refused::NotConnected), |session| session.connect(now))
    }

    /// The MQTT session of a client that has a connection.
    pub(super) fn session(&mut self, client: u8) -> Option<&mut ClientSession> {
        self.links.get(&client)?;
        self.sessions.get_mut(&client)
    }

    /// Acknowledges a message, also where its connection has ended since: else one of quality 2 would come twice.
    pub(super) fn acknowledge(&mut self, client: u8, message: &IncomingMessage, now: Instant) {
        if let Some(session) = self.sessions.get_mut(&client) {
            session.acknowledge(message, now);
        }
    }

    /// Sends DISCONNECT; `Parted` follows once it has left, or `Lost` when it has not left in time.
    pub(super) fn part(&mut self, client: u8, within: Option<Duration>, now: Instant) -> Result<(), Refused> {
        let session = self.session(client).ok_or(Refused::NotConnected)?;
        session.disconnect(now)?;
        if let Some(link) = self.links.get_mut(&client) {
            link.parting = true;
            link.part_by = within.map(|span| now + span);
        }
        Ok(())
    }

    /// Nothing of a client's session is taken up again.
    pub(super) fn forget(&mut self, client: u8) {
        self.close(client);
        self.sessions.remove(&client);
    }

    /// Whether there is a connection, however far it has come.
    pub(super) fn has(&self, client: u8) -> bool {
        self.links.contains_key(&client)
    }

    /// When `pump` must be called at the latest. While nothing is read nothing is due: what an answer that lies unread in
    /// the socket would end cannot be late.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let opening = self.links.values().filter(|l| !matches!(l.stage, Stage::Open(_))).map(|l| l.deadline);
        let sessions = self.links.keys().filter_map(|client| self.sessions.get(client)?.next_deadline());
        let sessions = sessions.filter(|_| self.reads);
        let late = self.links.values().filter_map(|link| link.wire.next_deadline()).filter(|_| self.reads);
        let parting = self.links.values().filter_map(|link| link.part_by);
        let exchange = self.exchange.as_ref().map(|exchange| exchange.deadline);
        opening.chain(sessions).chain(late).chain(parting).chain(exchange).min()
    }

    /// Moves everything that can be moved; `reads`: whether messages may be fetched.
    pub(super) fn pump(&mut self, faults: &mut Faults, reads: bool, now: Instant) -> Vec<(u8, LinkEvent)> {
        let mut events = Vec::new();
        self.more = false;
        self.reads = reads;
        self.given_up.clear();
        while let Some((ticket, outcome)) = self.bearer.dialled() {
            self.dialled(faults, ticket, outcome, &mut events);
        }
        for client in self.links.keys().copied().collect::<Vec<_>>() {
            let before = events.len();
            self.pump_one(faults, client, reads, now, &mut events);
            let ended = |event: &(u8, LinkEvent)| matches!(event.1, LinkEvent::Lost(_) | LinkEvent::OpenFailed(_));
            if events[before..].iter().any(ended) {
                self.end(client, |line| line.close());
            }
        }
        if let Some(outcome) = self.exchange.as_mut().and_then(|exchange| exchange.go_on(now)) {
            self.answered(outcome, &mut events);
        }
        events
    }

    fn answered(&mut self, outcome: Outcome, events: &mut Vec<(u8, LinkEvent)>) {
        self.exchange = None;
        events.push((NOBODY, LinkEvent::Answered(outcome)));
    }

    fn dialled(&mut self, faults: &mut Faults, ticket: Ticket, outcome: Dialled, events: &mut Vec<(u8, LinkEvent)>) {
        let Ticket { client, generation } = ticket;
        if client == NOBODY {
            let current = self.exchange.as_mut().filter(|exchange| exchange.generation == generation);
            if let Some(outcome) = current.and_then(|exchange| exchange.dialled(faults, outcome)) {
                self.answered(outcome, events);
            }
            return;
        }
        let Some(link) = self.links.get_mut(&client).filter(|link| link.generation == generation) else { return };
        let Stage::Dialling { secured } = link.stage else { return };
        match outcome {
            Ok(line) if secured => link.stage = Stage::Handshaking(line),
            Ok(line) => {
                link.stage = Stage::Open(line);
                events.push((client, LinkEvent::Opened));
            }
            Err(fault) => {
                self.links.remove(&client);
                events.push((client, LinkEvent::OpenFailed(fault)));
            }
        }
    }

    fn pump_one(
        &mut self,
        faults: &mut Faults,
        client: u8,
        reads: bool,
        now: Instant,
        events: &mut Vec<(u8, LinkEvent)>,
    ) {
        let Some(link) = self.links.get_mut(&client) else { return };
        if !matches!(link.stage, Stage::Open(_)) && link.deadline <= now {
            return events.push((client, LinkEvent::OpenFailed(OpenFault::TimedOut)));
        }
        if let Stage::Handshaking(line) = &mut link.stage {
            let outcome = line.read(&mut [0; 1]);
            let waits = matches!(&outcome, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
            if !waits {
                // Nobody speaks before the client does, so anything read here is the end: an error, or a legacy answer.
                return events.push((client, LinkEvent::OpenFailed(OpenFault::Tls)));
            }
            if line.is_secured() {
                let agreed = std::mem::replace(&mut link.stage, Stage::Dialling { secured: true });
                link.stage = match agreed {
                    Stage::Handshaking(line) => Stage::Open(line),
                    other => other,
                };
                events.push((client, LinkEvent::Opened));
            }
        }
        let mut nobody = None;
        let session = match self.sessions.get_mut(&client) {
            Some(session) => session,
            // Open, and CONNECT has not been asked for.
            None => nobody.insert(ClientSession::new(ClientOptions::default())),
        };
        if let Some(refused) = link.refused.take() {
            return events.push((client, LinkEvent::Lost(refused)));
        }
        if let Stage::Open(line) = &mut link.stage {
            let (end, more) = carry(line.as_mut(), session, &mut Faulty { wire: &mut link.wire, faults, now }, reads);
            self.more |= more;
            while let Some(event) = session.poll_event() {
                let event = match event {
                    // Taken for sent, but the socket refused it (decision 37).
                    ClientEvent::Published { id, qos: Qos::AtMostOnce } if end.is_some_and(LostBy::is_by_sending) => {
                        ClientEvent::GaveUp { kind: RequestKind::Publish, id }
                    }
                    other => other,
                };
                events.push((client, LinkEvent::Mqtt(event)));
            }
            let refused = end == Some(LostBy::SendingRequest);
            let waits = line.wants_write() || link.wire.is_stuck();
            if link.parting && !refused && !waits && session.state() == SessionState::Disconnected {
                (link.parting, link.part_by) = (false, None);
                events.push((client, LinkEvent::Parted));
            }
            if link.part_by.is_some_and(|deadline| deadline <= now) {
                return events.push((client, LinkEvent::Lost(LostBy::Parting)));
            }
            if let Some(end) = end {
                return events.push((client, LinkEvent::Lost(end)));
            }
        }
        watch(link, reads);
    }

    /// Sends what a service had to say to the last events, without waiting for the next turn: CONNECT behind an opened
    /// socket, acknowledgements behind messages.
    pub(super) fn flush(&mut self, faults: &mut Faults, client: u8, now: Instant) {
        let (Some(link), Some(session)) = (self.links.get_mut(&client), self.sessions.get_mut(&client)) else { return };
        if let Stage::Open(line) = &mut link.stage {
            link.refused = send(line.as_mut(), session, &mut Faulty { wire: &mut link.wire, faults, now }, false);
            self.more |= link.refused.is_some();
        }
        watch(link, self.reads);
    }
}

/// The address that a host is given by, where it is none by name.
fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Has the connection watched for what it needs now.
fn watch(link: &mut Link, reads: bool) {
    if let Stage::Handshaking(line) | Stage::Open(line) = &mut link.stage {
        line.watch(reads);
    }
}
