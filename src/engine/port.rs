//! One open port: the state its threads share, who reads it, and how everyone waits.
//!
//! A reader thread owns the receiving side, called the baton. A caller who waits for an answer takes the baton and reads in
//! the thread's place, so that an answer wakes one thread and not two; everyone else waits for the signal, which counts
//! things that happened. The order of the locks is in `lock.rs`.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::Weak;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use indexmap::IndexMap;

use crate::dialect::Dialect;
use crate::dialect::grammar;
use crate::engine::clock;
use crate::engine::lock::Bell;
use crate::engine::lock::Lock;
use crate::engine::lock::Rank;
use crate::engine::messages::Queue;
use crate::engine::messages::TimedEvent;
use crate::engine::options::Counters;
use crate::engine::options::OpenOptions;
use crate::engine::readiness::Interest;
use crate::engine::readiness::Line;
use crate::engine::readiness::Readiness;
use crate::engine::router::Protocol;
use crate::engine::slot::ClientSlot;
use crate::engine::talk::Talk;
use crate::engine::trace;
use crate::engine::trace::Direction;
use crate::engine::turn::Turn;
use crate::engine::value::Value;
use crate::engine::wait::Until;
use crate::error::Error;
use crate::error::Kind;
use crate::transport::Transport;

/// Clients a module can have; the documents know one or six.
pub const CLIENTS: usize = 6;
/// How long `close` waits for the reader and for a caller who reads in its place.
const JOIN: Duration = Duration::from_secs(1);
/// Lines of the talk an error carries.
const TAIL: usize = 8;

/// The shared state of an open port.
pub struct Port {
    /// Its name in errors.
    pub name: String,
    /// When it was opened; all times count from here.
    pub origin: Instant,
    /// How it was opened.
    pub options: OpenOptions,
    /// Known once the module has said who it is.
    pub dialect: OnceLock<&'static Dialect>,
    /// Protocol state and what is awaited.
    pub protocol: Lock<Protocol>,
    /// Whose turn it is to have a command line on the wire.
    pub turn: Turn,
    /// The clients inside the module.
    pub clients: [ClientSlot; CLIENTS],
    /// Settings of TLS contexts as they were before this program changed them: context, command and key, value.
    pub found_tls: Lock<IndexMap<(u8, (String, String)), Value>>,
    /// What was said.
    pub talk: Lock<Talk>,
    /// Counts of what happened.
    pub counts: Counts,
    subscribers: Lock<Vec<Weak<Queue<TimedEvent>>>>,
    transmit: Lock<Transmit>,
    baton: Lock<Baton>,
    baton_bell: Bell,
    signal: Lock<u64>,
    signal_bell: Bell,
    readiness: Readiness,
    ended: OnceLock<Error>,
}

/// Counts that any thread may add to.
#[derive(Default)]
pub struct Counts {
    /// Bytes written.
    pub bytes_sent: AtomicU64,
    /// Bytes read.
    pub bytes_received: AtomicU64,
    /// Command lines sent.
    pub commands: AtomicU64,
    /// Messages received.
    pub messages: AtomicU64,
    /// Messages dropped.
    pub messages_dropped: AtomicU64,
    /// Events dropped.
    pub events_dropped: AtomicU64,
    /// Stale results.
    pub stale: AtomicU64,
    /// Ignored lines.
    pub ignored: AtomicU64,
    /// Damaged lines.
    pub damaged: AtomicU64,
    /// Commands without an answer.
    pub timeouts: AtomicU64,
    /// Resynchronisations.
    pub resynchronised: AtomicU64,
    /// Restarts.
    pub restarts: AtomicU64,
}

/// Adds to a count.
pub fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

struct Transmit {
    line: Option<Arc<dyn Transport>>,
    unsent: Vec<u8>,
}

struct Baton {
    receiver: Option<Receiver>,
    /// The reader thread runs.
    reading: bool,
    /// The line was let go; a second close has nothing to wait for.
    let_go: bool,
}

/// The receiving side of the port; whoever holds it reads.
pub struct Receiver {
    pub(crate) line: Arc<dyn Transport>,
    pub(crate) buffer: Vec<u8>,
}

/// Who reads while a caller waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// The caller, if nobody else does.
    InPlace,
    /// Somebody else.
    Elsewhere,
}

/// What a waiting caller found.
pub enum Step<T> {
    /// What it waited for.
    Done(T),
    /// Not yet; look again at the instant even if nothing happens.
    NotYet(Option<Instant>),
}

impl Port {
    /// A port on an open line; its reader thread is started by `reader.rs`.
    pub fn new(line: Arc<dyn Transport>, name: String, options: OpenOptions, talk: Talk) -> std::io::Result<Port> {
        let readiness = Readiness::new(line.as_raw_fd())?;
        let clients = std::array::from_fn(|_| ClientSlot::new(&options));
        let receiver = Receiver { line: Arc::clone(&line), buffer: vec![0; 4096] };
        Ok(Port {
            name,
            origin: talk.origin(),
            options,
            dialect: OnceLock::new(),
            protocol: Lock::new(Rank::Protocol, Protocol::new(grammar::any())),
            turn: Turn::default(),
            clients,
            found_tls: Lock::new(Rank::Client, IndexMap::new()),
            talk: Lock::new(Rank::Trace, talk),
            counts: Counts::default(),
            subscribers: Lock::new(Rank::Queue, Vec::new()),
            transmit: Lock::new(Rank::Transmit, Transmit { line: Some(line), unsent: Vec::new() }),
            baton: Lock::new(Rank::Baton, Baton { receiver: Some(receiver), reading: false, let_go: false }),
            baton_bell: Bell::default(),
            signal: Lock::new(Rank::Signal, 0),
            signal_bell: Bell::default(),
            readiness,
            ended: OnceLock::new(),
        })
    }

    /// Time since the port was opened.
    pub fn at(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.origin)
    }

    // ---- waiting ----

    /// Something happened: every waiter looks again.
    pub fn happened(&self) {
        *self.signal.lock() += 1;
        self.signal_bell.ring();
    }

    /// Waits for something the module will say: until `look` is done, the time is over (`None`), the hook interrupts or
    /// the port ends. Reads the port meanwhile when nobody else with a command does.
    pub fn wait<T>(&self, until: &Until<'_>, look: impl FnMut(Instant) -> Step<T>) -> Result<Option<T>, Error> {
        self.wait_while(Reading::InPlace, until, look)
    }

    /// Waits for something another thread may do; never reads, because nothing on the line would end that wait.
    pub fn wait_aside<T>(&self, until: &Until<'_>, look: impl FnMut(Instant) -> Step<T>) -> Result<Option<T>, Error> {
        self.wait_while(Reading::Elsewhere, until, look)
    }

    fn wait_while<T>(
        &self,
        reading: Reading,
        until: &Until<'_>,
        mut look: impl FnMut(Instant) -> Step<T>,
    ) -> Result<Option<T>, Error> {
        loop {
            let seen = *self.signal.lock();
            let now = clock::now();
            let again = match look(now) {
                Step::Done(value) => return Ok(Some(value)),
                Step::NotYet(again) => again,
            };
            self.still_open()?;
            if until.expired(now) {
                return Ok(None);
            }
            let slice = shorter(until.slice(now), again.map(|at| at.saturating_duration_since(now)));
            let baton = if reading == Reading::InPlace { self.take_baton() } else { None };
            match baton {
                Some(mut borrowed) => {
                    let wake = borrowed.read_here(slice);
                    drop(borrowed);
                    if let Err(error) = wake {
                        self.end(error);
                    }
                }
                None => {
                    let mut signal = self.signal.lock();
                    if *signal == seen && !self.has_ended() {
                        self.signal_bell.wait(&mut signal, slice);
                    }
                }
            }
            until.check()?;
        }
    }

    fn take_baton(&self) -> Option<Borrowed<'_>> {
        let receiver = self.baton.lock().receiver.take()?;
        self.readiness.disarm();
        Some(Borrowed { port: self, receiver: Some(receiver) })
    }

    // ---- reading, by whoever holds the baton ----

    /// The reader thread: sleeps, reads, routes, until the port ends.
    pub fn read_until_ended(&self) {
        let mut deadline = None;
        while !self.has_ended() {
            let now = clock::now();
            let line = self.readiness.wait_as_reader(deadline.map(|at: Instant| at.saturating_duration_since(now)));
            let Some(mut receiver) = self.await_baton() else { break };
            let read = self.receive(&mut receiver, line);
            deadline = self.protocol.lock().next_deadline();
            self.readiness.arm(self.interest());
            self.return_baton(receiver);
            if let Err(error) = read {
                self.end(error);
            }
        }
        self.reader_ended();
    }

    /// The reader thread is about to start; said before it does, so that a close right away waits for it.
    pub fn announce_reader(&self) {
        self.baton.lock().reading = true;
    }

    /// There is no reader thread any more.
    pub fn reader_ended(&self) {
        let mut baton = self.baton.lock();
        baton.reading = false;
        self.baton_bell.ring();
    }

    fn await_baton(&self) -> Option<Receiver> {
        let mut baton = self.baton.lock();
        loop {
            if self.has_ended() {
                return None;
            }
            match baton.receiver.take() {
                Some(receiver) => return Some(receiver),
                None => self.baton_bell.wait(&mut baton, None),
            }
        }
    }

    fn return_baton(&self, receiver: Receiver) {
        let mut baton = self.baton.lock();
        baton.receiver = Some(receiver);
        self.baton_bell.ring();
    }

    /// Writes what is left, reads once, routes what came.
    fn receive(&self, receiver: &mut Receiver, line: Line) -> Result<(), Error> {
        self.transmit_more(&[])?;
        match receiver.line.read(&mut receiver.buffer) {
            Ok(0) => return Err(self.gone("the other end closed the line")),
            Ok(count) => {
                let now = clock::now();
                self.digest(&receiver.buffer[..count], now)?;
                if count == receiver.buffer.len() && count < 64 * 1024 {
                    receiver.buffer.resize(count * 2, 0);
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                if line == Line::HungUp {
                    return Err(self.gone("it was unplugged, or the other end closed it"));
                }
                self.digest(&[], clock::now())?;
            }
            Err(error) => return Err(self.gone(&error.to_string())),
        }
        Ok(())
    }

    // ---- writing ----

    /// Writes these bytes, or keeps what the line does not take for whoever reads.
    pub fn transmit(&self, bytes: &[u8], now: Instant) -> Result<(), Error> {
        count(&self.counts.bytes_sent, bytes.len() as u64);
        self.talk.lock().put(now, Direction::Sent, bytes);
        self.transmit_more(bytes)
    }

    fn transmit_more(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut transmit = self.transmit.lock();
        transmit.unsent.extend_from_slice(bytes);
        let Some(line) = transmit.line.clone() else { return Ok(()) };
        while !transmit.unsent.is_empty() {
            match line.write(&transmit.unsent) {
                Ok(count) => drop(transmit.unsent.drain(..count)),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    drop(transmit);
                    return Err(self.gone(&error.to_string()));
                }
            }
        }
        Ok(())
    }

    fn interest(&self) -> Interest {
        let transmit = self.transmit.lock();
        let left = !transmit.unsent.is_empty() || transmit.line.as_ref().is_some_and(|line| line.unsent());
        if left { Interest::ReadWrite } else { Interest::Read }
    }

    /// Throws away what was not written yet, of a command that was given up.
    pub fn forget_unsent(&self) -> usize {
        std::mem::take(&mut self.transmit.lock().unsent).len()
    }

    // ---- subscribers ----

    /// A queue for everything unsolicited from now on.
    pub fn subscribe(&self) -> Arc<Queue<TimedEvent>> {
        let queue = Arc::new(Queue::new(self.options.event_queue, usize::MAX));
        self.subscribers.lock().push(Arc::downgrade(&queue));
        queue
    }

    /// Gives everyone these events.
    pub fn tell(&self, events: Vec<TimedEvent>) {
        if events.is_empty() {
            return;
        }
        let mut queues = Vec::new();
        self.subscribers.lock().retain(|queue| match queue.upgrade() {
            Some(queue) => {
                queues.push(queue);
                true
            }
            None => false,
        });
        for queue in queues {
            count(&self.counts.events_dropped, queue.put(events.iter().cloned().collect()));
        }
    }

    // ---- the end ----

    /// Whether the port is closed or gone.
    pub fn has_ended(&self) -> bool {
        self.ended.get().is_some()
    }

    /// The error the port ended with.
    pub fn still_open(&self) -> Result<(), Error> {
        match self.ended.get() {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// Ends the port, whatever the reason, and wakes everyone. The first reason counts.
    pub fn end(&self, reason: Error) {
        if self.ended.set(reason).is_err() {
            return;
        }
        self.readiness.wake_for_good();
        drop(self.baton.lock());
        self.baton_bell.ring();
        self.happened();
        for client in &self.clients {
            client.wake();
        }
        let subscribers: Vec<_> = self.subscribers.lock().iter().filter_map(Weak::upgrade).collect();
        for queue in subscribers {
            queue.wake();
        }
        self.transmit.lock().line = None;
    }

    /// Waits, bounded, until nobody reads any more, and lets the line go.
    pub fn let_go(&self) {
        let deadline = clock::now() + JOIN;
        let mut baton = self.baton.lock();
        if baton.let_go {
            return;
        }
        while baton.reading || baton.receiver.is_none() {
            let now = clock::now();
            if now >= deadline {
                log::error!(target: "modemrig::engine", "{}: the reader did not end in time", self.name);
                return;
            }
            self.baton_bell.wait(&mut baton, Some(deadline - now));
        }
        let buffer = std::mem::take(&mut baton.receiver);
        baton.let_go = true;
        drop(baton);
        drop(buffer);
        self.talk.lock().finish();
    }

    fn gone(&self, why: &str) -> Error {
        Error::new(Kind::PortGone, format!("{} is gone: {why}", self.name))
            .with_remedy("check cable and power, then open it again")
            .on_port(self.name.clone(), self.tail())
    }

    /// The last lines of the talk, secrets covered.
    pub fn tail(&self) -> Vec<String> {
        let records = self.talk.lock().records();
        trace::tail(&records, TAIL)
    }

    /// Adds the port and the last lines to an error.
    pub fn explain(&self, error: Error) -> Error {
        error.on_port(self.name.clone(), self.tail())
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts = &self.counts;
        Counters {
            bytes_sent: read(&counts.bytes_sent),
            bytes_received: read(&counts.bytes_received),
            commands: read(&counts.commands),
            messages: read(&counts.messages),
            messages_dropped: read(&counts.messages_dropped),
            events_dropped: read(&counts.events_dropped),
            stale: read(&counts.stale),
            ignored: read(&counts.ignored),
            damaged: read(&counts.damaged),
            timeouts: read(&counts.timeouts),
            resynchronised: read(&counts.resynchronised),
            restarts: read(&counts.restarts),
        }
    }
}

/// The baton in the hands of a caller; given back when dropped.
struct Borrowed<'a> {
    port: &'a Port,
    receiver: Option<Receiver>,
}

impl Borrowed<'_> {
    /// Waits for the line and reads once.
    fn read_here(&mut self, slice: Option<Duration>) -> Result<(), Error> {
        let Some(receiver) = &mut self.receiver else { return Ok(()) };
        let now = clock::now();
        let deadline = self.port.protocol.lock().next_deadline();
        let most = shorter(slice, deadline.map(|at| at.saturating_duration_since(now)));
        let line = self.port.readiness.wait_here(self.port.interest(), most);
        if self.port.has_ended() {
            return Ok(());
        }
        self.port.receive(receiver, line)
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let port = self.port;
        // The reader thread does not know of a deadline that arose while a caller read; room to write wakes it at once.
        let deadline = port.protocol.lock().next_deadline();
        port.readiness.arm(if deadline.is_some() { Interest::ReadWrite } else { port.interest() });
        if let Some(receiver) = self.receiver.take() {
            port.return_baton(receiver);
        }
    }
}

fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
