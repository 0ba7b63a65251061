//! A network in memory with simulated time: a scripted broker, and ways for a connection to go wrong.
//!
//! The broker is the core of the bench broker with its [`Policy`](crate::mqtt::Policy); what no broker does is a [`Way`].
//! Whoever simulates a module owns the network and moves its time.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;

use crate::mqtt::BrokerCore;
use crate::mqtt::ConnectionId;
use crate::mqtt::Output;
use crate::mqtt::Peer;
use crate::mqtt::Policy;
use crate::virtual_module::network::OpenFault;
use crate::virtual_module::network::Target;
use crate::virtual_module::network::bearer::Bearer;
use crate::virtual_module::network::bearer::Connection;
use crate::virtual_module::network::bearer::Dialled;
use crate::virtual_module::network::bearer::Ticket;

/// What becomes of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// It leads to the scripted broker.
    Broker,
    /// The name is not resolved.
    NotResolved,
    /// Nobody takes it.
    Refused,
    /// Nobody answers; the module's patience ends it.
    NoAnswer,
    /// TLS fails.
    TlsFails,
    /// A peer takes it, answers the first bytes with this, and then nothing, whatever it is sent.
    Says(Vec<u8>),
    /// It leads to the broker until the module has received so many bytes; then the peer closes it.
    ClosedAfter(usize),
    /// The same; then it is reset.
    ResetAfter(usize),
    /// It leads to the broker until the module has sent so many bytes; then its socket refuses to write.
    RefusesWriteAfter(usize),
}

/// The far end of the simulated connections.
pub struct SimulatedNetwork {
    /// The broker where [`Way::Broker`] leads.
    pub broker: BrokerCore,
    /// What becomes of the next connections, in order; when none is left they lead to the broker.
    pub ways: VecDeque<Way>,
    now: Instant,
    pipes: BTreeMap<u64, Pipe>,
    next_id: u64,
    attempts: VecDeque<(Ticket, Attempt)>,
}

/// One connection in memory.
struct Pipe {
    way: Way,
    to_module: VecDeque<u8>,
    received: usize,
    sent: usize,
    /// The peer has closed its direction.
    ended: bool,
    /// What the module writes stays in its socket.
    stalled: bool,
}

/// How an attempt to connect ends.
enum Attempt {
    Fails(OpenFault),
    Arrives(u64),
}

impl SimulatedNetwork {
    /// A network with a broker that nobody has spoken to, its timers as fast as the module's.
    pub(in crate::virtual_module) fn new(speed: f64, now: Instant) -> SimulatedNetwork {
        SimulatedNetwork {
            broker: BrokerCore::new(Policy { speed, ..Policy::default() }, now),
            ways: VecDeque::new(),
            now,
            pipes: BTreeMap::new(),
            next_id: 0,
            attempts: VecDeque::new(),
        }
    }

    /// The time of its broker; what a test needs to call the broker itself.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The peer closes every connection, or, `reset`, resets it.
    pub fn end_all(&mut self, reset: bool) {
        for pipe in self.pipes.values_mut() {
            let after = pipe.received + pipe.to_module.len();
            pipe.way = if reset { Way::ResetAfter(after) } else { Way::ClosedAfter(after) };
        }
    }

    /// From now on the module's sockets refuse what it writes.
    pub fn refuse_writes(&mut self) {
        for pipe in self.pipes.values_mut() {
            pipe.way = Way::RefusesWriteAfter(pipe.sent);
        }
    }

    /// Every peer says this now, whatever the broker thinks of it.
    pub fn say(&mut self, bytes: &[u8]) {
        self.pipes.values_mut().for_each(|pipe| pipe.to_module.extend(bytes));
    }

    /// From now on nothing that is sent arrives, in either direction.
    pub fn silence(&mut self) {
        for pipe in self.pipes.values_mut() {
            pipe.way = Way::Says(Vec::new());
        }
    }

    /// From now on the peer takes nothing: what the module writes stays in its socket.
    pub fn stall(&mut self) {
        self.pipes.values_mut().for_each(|pipe| pipe.stalled = true);
    }

    pub(in crate::virtual_module) fn next_deadline(&self) -> Option<Instant> {
        self.broker.next_deadline()
    }

    /// Moves everything that is due; whether something moved.
    pub(in crate::virtual_module) fn turn(&mut self, now: Instant) -> bool {
        self.now = now;
        self.broker.handle_deadline(now);
        let mut moved = false;
        while let Some((ConnectionId(id), output)) = self.broker.poll_output() {
            let Some(pipe) = self.pipes.get_mut(&id) else { continue };
            moved = true;
            match output {
                Output::Bytes(_) | Output::Close if matches!(pipe.way, Way::Says(_)) => {}
                Output::Bytes(bytes) => pipe.to_module.extend(bytes),
                Output::Close => pipe.ended = true,
            }
        }
        moved
    }

    fn arrive(&mut self, way: Way) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let said = if let Way::Says(bytes) = &way { bytes.clone().into() } else { VecDeque::new() };
        if !matches!(way, Way::Says(_)) {
            self.broker.accept(ConnectionId(id), Peer::default(), self.now);
        }
        self.pipes.insert(id, Pipe { way, to_module: said, received: 0, sent: 0, ended: false, stalled: false });
        id
    }

    fn end(&mut self, id: u64) {
        if self.pipes.remove(&id).is_some() {
            self.broker.closed(ConnectionId(id), self.now);
        }
    }
}

/// The module's way into a simulated network.
pub(in crate::virtual_module) struct Simulated(pub(in crate::virtual_module) Arc<Mutex<SimulatedNetwork>>);

impl Bearer for Simulated {
    fn dial(
        &mut self,
        ticket: Ticket,
        route: Option<(String, u16)>,
        _target: &Target,
        _timeout: Duration,
        _now: Instant,
    ) -> io::Result<()> {
        let mut network = self.0.lock();
        let way = match route {
            None => Way::NotResolved,
            Some(_) => network.ways.pop_front().unwrap_or(Way::Broker),
        };
        let attempt = match way {
            Way::NotResolved => Attempt::Fails(OpenFault::NotResolved),
            Way::Refused => Attempt::Fails(OpenFault::Refused),
            Way::TlsFails => Attempt::Fails(OpenFault::Tls),
            Way::NoAnswer => return Ok(()),
            way => Attempt::Arrives(network.arrive(way)),
        };
        network.attempts.push_back((ticket, attempt));
        Ok(())
    }

    fn dialled(&mut self) -> Option<(Ticket, Dialled)> {
        let (ticket, attempt) = self.0.lock().attempts.pop_front()?;
        Some((
            ticket,
            match attempt {
                Attempt::Fails(fault) => Err(fault),
                Attempt::Arrives(id) => Ok(Box::new(Line { id, network: self.0.clone() })),
            },
        ))
    }
}

struct Line {
    id: u64,
    network: Arc<Mutex<SimulatedNetwork>>,
}

impl Connection for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut network = self.network.lock();
        let Some(pipe) = network.pipes.get_mut(&self.id) else { return Ok(0) };
        let most = match pipe.way {
            Way::ClosedAfter(most) | Way::ResetAfter(most) => most.saturating_sub(pipe.received),
            Way::Says(_) if pipe.sent == 0 => 0,
            _ => usize::MAX,
        };
        let count = buffer.len().min(pipe.to_module.len()).min(most);
        if count > 0 {
            for (place, byte) in buffer.iter_mut().zip(pipe.to_module.drain(..count)) {
                *place = byte;
            }
            pipe.received += count;
            return Ok(count);
        }
        match pipe.way {
            Way::ClosedAfter(_) if most == 0 => Ok(0),
            Way::ResetAfter(_) if most == 0 => Err(io::ErrorKind::ConnectionReset.into()),
            _ if pipe.ended => Ok(0),
            _ => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut network = self.network.lock();
        let now = network.now;
        let Some(pipe) = network.pipes.get_mut(&self.id) else { return Err(io::ErrorKind::BrokenPipe.into()) };
        if let Way::RefusesWriteAfter(most) = pipe.way
            && pipe.sent + bytes.len() > most
        {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if pipe.stalled {
            return Ok(());
        }
        pipe.sent += bytes.len();
        if !matches!(pipe.way, Way::Says(_)) {
            network.broker.receive(ConnectionId(self.id), bytes, now);
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn wants_write(&self) -> bool {
        self.network.lock().pipes.get(&self.id).is_some_and(|pipe| pipe.stalled)
    }

    fn is_secured(&self) -> bool {
        true
    }

    fn close(&mut self) {
        self.network.lock().end(self.id);
    }

    fn abort(&mut self) {
        self.network.lock().end(self.id);
    }

    fn watch(&mut self, _reads: bool) {}
}

impl Drop for Line {
    fn drop(&mut self) {
        self.network.lock().end(self.id);
    }
}
