//! What is behind the antenna: for each client a connection and an MQTT session, on real sockets.
//!
//! It knows no AT: it tells what happened, and the service decides which line that is. Names are resolved and connections
//! made on short-lived threads, which report through a channel and wake the loop.
//!
//! Longer than 400 lines: the stages of a connection share its fields, and apart they would have to hand them round.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::unbounded;
use polling::Event;
use polling::PollMode;
use polling::Poller;

use crate::mqtt::ClientEvent;
use crate::mqtt::ClientOptions;
use crate::mqtt::ClientSession;
use crate::mqtt::Refused;
use crate::mqtt::SessionState;
use crate::transport::net::DialError;
use crate::transport::net::Stream;
use crate::transport::net::dial;
use crate::virtual_module::BrokerAddress;
use crate::virtual_module::carry::carry;
use crate::virtual_module::carry::send;
use crate::virtual_module::tls_contexts::Security;

/// The poller's key of client 0; the line to the host has the ones below.
pub(super) const FIRST_KEY: usize = 16;

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
}

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
}

/// Where a connection is to lead.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Option<Security>,
}

struct Dialled {
    client: u8,
    generation: u64,
    outcome: Result<TcpStream, DialError>,
}

enum Stage {
    Dialling(Target),
    Handshaking(Stream),
    Open(Stream),
}

struct Link {
    generation: u64,
    stage: Stage,
    deadline: Instant,
    /// What the poller watches for: reading, writing.
    interest: (bool, bool),
    /// Tells when DISCONNECT has left.
    parting: bool,
    /// What the socket refused between two turns.
    refused: Option<LostBy>,
}

/// The connections of all clients.
pub(super) struct Links {
    redirect: Option<BrokerAddress>,
    poller: Arc<Poller>,
    links: BTreeMap<u8, Link>,
    sessions: BTreeMap<u8, ClientSession>,
    dialled: (Sender<Dialled>, Receiver<Dialled>),
    generation: u64,
    /// Clients whose connection the module itself gave up since the last `pump`: what that told of them is over.
    given_up: BTreeSet<u8>,
    /// A connection has more to read than one turn allows; no poller tells of bytes that TLS has decrypted already.
    more: bool,
    /// Whether the last `pump` read at all.
    reads: bool,
}

impl Links {
    pub(super) fn new(redirect: Option<BrokerAddress>, poller: Arc<Poller>) -> Links {
        Links {
            redirect,
            poller,
            links: BTreeMap::new(),
            sessions: BTreeMap::new(),
            dialled: unbounded(),
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
    pub(super) fn open(&mut self, client: u8, target: Target, timeout: Duration, now: Instant) -> io::Result<()> {
        self.close(client);
        self.generation += 1;
        let generation = self.generation;
        let report = self.dialled.0.clone();
        let poller = self.poller.clone();
        let done = move |outcome| {
            // The module may have stopped meanwhile; then nobody wants to know.
            let _ = report.send(Dialled { client, generation, outcome });
            let _ = poller.notify();
        };
        match self.route(&target.host, target.port) {
            Some((host, port)) => drop(dial(&host, port, timeout, done)?),
            None => {
                done(Err(DialError::NotResolved(io::Error::new(io::ErrorKind::NotFound, "a name that leads nowhere"))))
            }
        }
        let link = Link {
            generation,
            stage: Stage::Dialling(target),
            deadline: now + timeout,
            interest: (true, false),
            parting: false,
            refused: None,
        };
        self.links.insert(client, link);
        Ok(())
    }

    /// Where a name leads: to the broker near by, but for loopback and for names that must not resolve.
    fn route(&self, host: &str, port: u16) -> Option<(String, u16)> {
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        if name == "invalid" || name.ends_with(".invalid") {
            return None;
        }
        let literal = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let stays = name == "localhost" || literal.as_ref().is_ok_and(IpAddr::is_loopback);
        match &self.redirect {
            Some(broker) if !stays => Some((
                broker.host.clone(),
                match port {
                    1883 => broker.port,
                    8883 => broker.tls_port,
                    other => other,
                },
            )),
            _ => Some((literal.map_or(name, |address| address.to_string()), port)),
        }
    }

    /// Closes a connection without goodbye of MQTT; nothing more is told of it.
    pub(super) fn close(&mut self, client: u8) {
        self.given_up.insert(client);
        self.end(client, Stream::close);
    }

    /// The network is gone: the connection ends as if the wire were cut.
    pub(super) fn cut(&mut self, client: u8) {
        self.given_up.insert(client);
        self.end(client, Stream::abort);
    }

    /// Whether what `pump` told of a client still concerns it.
    pub(super) fn concerns(&self, client: u8) -> bool {
        !self.given_up.contains(&client)
    }

    fn end(&mut self, client: u8, how: impl FnOnce(&mut Stream)) {
        if let Some(mut link) = self.links.remove(&client) {
            if let Stage::Handshaking(stream) | Stage::Open(stream) = &mut link.stage {
                forget(&self.poller, stream);
                how(stream);
            }
            if let Some(session) = self.sessions.get_mut(&client) {
                session.connection_lost();
            }
        }
    }

    /// Power is gone: nothing is left, no session either.
    pub(super) fn cut_all(&mut self) {
        for client in self.links.keys().copied().collect::<Vec<_>>() {
            self.cut(client);
        }
        self.sessions.clear();
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

    /// Sends DISCONNECT; `Parted` follows once it has left.
    pub(super) fn part(&mut self, client: u8, now: Instant) -> Result<(), Refused> {
        let session = self.session(client).ok_or(Refused::NotConnected)?;
        session.disconnect(now)?;
        if let Some(link) = self.links.get_mut(&client) {
            link.parting = true;
        }
        Ok(())
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
        opening.chain(sessions).min()
    }

    /// Moves everything that can be moved; `reads`: whether messages may be fetched.
    pub(super) fn pump(&mut self, reads: bool, now: Instant) -> Vec<(u8, LinkEvent)> {
        let mut events = Vec::new();
        self.more = false;
        self.reads = reads;
        self.given_up.clear();
        while let Ok(dialled) = self.dialled.1.try_recv() {
            self.dialled(dialled, &mut events);
        }
        for client in self.links.keys().copied().collect::<Vec<_>>() {
            let before = events.len();
            self.pump_one(client, reads, now, &mut events);
            let ended = |event: &(u8, LinkEvent)| matches!(event.1, LinkEvent::Lost(_) | LinkEvent::OpenFailed(_));
            if events[before..].iter().any(ended) {
                self.end(client, Stream::close);
            }
        }
        events
    }

    fn dialled(&mut self, dialled: Dialled, events: &mut Vec<(u8, LinkEvent)>) {
        let Dialled { client, generation, outcome } = dialled;
        let Some(link) = self.links.get_mut(&client).filter(|link| link.generation == generation) else { return };
        let Stage::Dialling(target) = &link.stage else { return };
        let stream = match outcome {
            Ok(socket) => match &target.security {
                None => Stream::plain(socket).map_err(|_| OpenFault::Refused),
                Some(Security::Tls(config)) => {
                    Stream::client(socket, config.clone(), &target.host).map_err(|_| OpenFault::Tls)
                }
                Some(Security::Legacy(hello)) => Stream::plain(socket)
                    .and_then(|mut stream| stream.write(hello).map(|()| stream))
                    .map_err(|_| OpenFault::Tls),
            },
            Err(DialError::NotResolved(_)) => Err(OpenFault::NotResolved),
            Err(DialError::Refused(_)) => Err(OpenFault::Refused),
            Err(DialError::TimedOut) => Err(OpenFault::TimedOut),
        };
        let secured = target.security.is_some();
        let watched = stream.and_then(|stream| {
            let interest = Event::new(FIRST_KEY + usize::from(client), true, false);
            // SAFETY: every way out of `links` passes through `forget` before the stream is dropped.
            let added = unsafe { self.poller.add_with_mode(stream.as_raw_fd(), interest, PollMode::Level) };
            added.map(|()| stream).map_err(|_| OpenFault::Refused)
        });
        match watched {
            Ok(stream) if secured => link.stage = Stage::Handshaking(stream),
            Ok(stream) => {
                link.stage = Stage::Open(stream);
                events.push((client, LinkEvent::Opened));
            }
            Err(fault) => {
                self.links.remove(&client);
                events.push((client, LinkEvent::OpenFailed(fault)));
            }
        }
    }

    fn pump_one(&mut self, client: u8, reads: bool, now: Instant, events: &mut Vec<(u8, LinkEvent)>) {
        let Some(link) = self.links.get_mut(&client) else { return };
        if !matches!(link.stage, Stage::Open(_)) && link.deadline <= now {
            return events.push((client, LinkEvent::OpenFailed(OpenFault::TimedOut)));
        }
        if let Stage::Handshaking(stream) = &mut link.stage {
            let outcome = stream.read(&mut [0; 1]);
            let waits = matches!(&outcome, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
            if !waits {
                // Nobody speaks before the client does, so anything read here is the end: an error, or a legacy answer.
                return events.push((client, LinkEvent::OpenFailed(OpenFault::Tls)));
            }
            if stream.is_tls() && !stream.is_handshaking() {
                let Stage::Handshaking(stream) = std::mem::replace(&mut link.stage, Stage::Dialling(Target::nowhere()))
                else {
                    return;
                };
                link.stage = Stage::Open(stream);
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
        if let Stage::Open(stream) = &mut link.stage {
            let (end, more) = carry(stream, session, reads, now);
            self.more |= more;
            while let Some(event) = session.poll_event() {
                events.push((client, LinkEvent::Mqtt(event)));
            }
            if link.parting && !stream.wants_write() && session.state() == SessionState::Disconnected {
                link.parting = false;
                events.push((client, LinkEvent::Parted));
            }
            if let Some(end) = end {
                return events.push((client, LinkEvent::Lost(end)));
            }
        }
        watch(&self.poller, client, link, reads);
    }

    /// Sends what a service had to say to the last events, without waiting for the next turn: CONNECT behind an opened
    /// socket, acknowledgements behind messages.
    pub(super) fn flush(&mut self, client: u8) {
        let (Some(link), Some(session)) = (self.links.get_mut(&client), self.sessions.get_mut(&client)) else { return };
        if let Stage::Open(stream) = &mut link.stage {
            link.refused = send(stream, session, false);
            self.more |= link.refused.is_some();
        }
        watch(&self.poller, client, link, self.reads);
    }
}

impl Target {
    fn nowhere() -> Target {
        Target { host: String::new(), port: 0, security: None }
    }
}

/// Has the poller watch for what the connection needs now.
fn watch(poller: &Poller, client: u8, link: &mut Link, reads: bool) {
    if let Stage::Handshaking(stream) | Stage::Open(stream) = &link.stage
        && link.interest != (reads, stream.wants_write())
    {
        link.interest = (reads, stream.wants_write());
        let interest = Event::new(FIRST_KEY + usize::from(client), link.interest.0, link.interest.1);
        // SAFETY: the descriptor belongs to `stream` and is open.
        let fd = unsafe { BorrowedFd::borrow_raw(stream.as_raw_fd()) };
        // A descriptor the poller refuses is noticed when it is read at the next deadline.
        let _ = poller.modify_with_mode(fd, interest, PollMode::Level);
    }
}

fn forget(poller: &Poller, stream: &Stream) {
    // SAFETY: the descriptor belongs to `stream` and is open.
    let fd = unsafe { BorrowedFd::borrow_raw(stream.as_raw_fd()) };
    // It may never have been added.
    let _ = poller.delete(fd);
}
