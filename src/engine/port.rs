//! One open port: the state its threads share, what is written to it, and its end. Who reads it and how everyone waits is
//! in `baton.rs`, what is done with what comes in `router.rs`; the order of the locks is in `lock.rs`.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::Weak;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use indexmap::IndexMap;

use crate::dialect::Dialect;
use crate::dialect::grammar;
use crate::engine::baton::Baton;
use crate::engine::baton::Receiver;
use crate::engine::lock::Bell;
use crate::engine::lock::Lock;
use crate::engine::lock::Rank;
use crate::engine::messages::Queue;
use crate::engine::messages::TimedEvent;
use crate::engine::options::OpenOptions;
use crate::engine::options::Statistics;
use crate::engine::protocol::Protocol;
use crate::engine::readiness::Interest;
use crate::engine::readiness::Readiness;
use crate::engine::slot::ClientSlot;
use crate::engine::talk::Talk;
use crate::engine::trace;
use crate::engine::trace::Direction;
use crate::engine::turn::Turn;
use crate::engine::value::Value;
use crate::error::Error;
use crate::error::Kind;
use crate::transport::Transport;

/// Clients a module can have; the documents know one or six.
pub const CLIENTS: usize = 6;
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
    pub found_tls: Lock<FoundTls>,
    /// What was said.
    pub talk: Lock<Talk>,
    /// Counts of what happened.
    pub counts: Counts,
    subscribers: Lock<Vec<Weak<Queue<TimedEvent>>>>,
    transmit: Lock<Transmit>,
    pub(super) baton: Lock<Baton>,
    pub(super) baton_bell: Bell,
    pub(super) signal: Lock<u64>,
    pub(super) signal_bell: Bell,
    pub(super) line_wait: Lock<Arc<Readiness>>,
    /// Names under which the port can be found again.
    pub(super) names: Lock<Vec<String>>,
    over: AtomicBool,
    reason: Lock<Option<Error>>,
}

/// Settings of TLS contexts by context, command and key.
pub type FoundTls = IndexMap<(u8, (String, String)), Value>;

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
    /// Surplus final results.
    pub surplus: AtomicU64,
    /// Ignored lines.
    pub ignored: AtomicU64,
    /// Damaged lines.
    pub damaged: AtomicU64,
    /// Lines without an end.
    pub overflowed: AtomicU64,
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

impl Port {
    /// A port on an open line; its reader thread is started by `reader.rs`.
    pub fn new(line: Arc<dyn Transport>, name: String, options: OpenOptions, talk: Talk) -> std::io::Result<Port> {
        let readiness = Readiness::new(line.as_raw_fd())?;
        let clients = std::array::from_fn(|_| ClientSlot::new(&options));
        let receiver = Receiver::new(Arc::clone(&line));
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
            baton: Lock::new(Rank::Baton, Baton::new(receiver)),
            baton_bell: Bell::default(),
            signal: Lock::new(Rank::Signal, 0),
            signal_bell: Bell::default(),
            line_wait: Lock::new(Rank::End, Arc::new(readiness)),
            names: Lock::new(Rank::End, Vec::new()),
            over: AtomicBool::new(false),
            reason: Lock::new(Rank::End, None),
        })
    }

    /// Time since the port was opened.
    pub fn at(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.origin)
    }

    // ---- writing ----

    /// Writes these bytes, or keeps what the line does not take for whoever reads.
    pub fn transmit(&self, bytes: &[u8], now: Instant) -> Result<(), Error> {
        count(&self.counts.bytes_sent, bytes.len() as u64);
        self.talk.lock().put(now, Direction::Sent, bytes);
        self.transmit_more(bytes)
    }

    pub(super) fn transmit_more(&self, bytes: &[u8]) -> Result<(), Error> {
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

    pub(super) fn interest(&self) -> Interest {
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

    // ---- another line ----

    /// The wait for the present line.
    pub(super) fn readiness(&self) -> Arc<Readiness> {
        Arc::clone(&self.line_wait.lock())
    }

    /// The port goes on over this line, read by nobody yet. The error of a port that was closed meanwhile.
    pub(super) fn go_on_over(&self, line: &Arc<dyn Transport>) -> Result<(), Error> {
        let failed = |error: std::io::Error| Error::new(Kind::Internal, format!("{}: {error}", self.name));
        let readiness = Arc::new(Readiness::new(line.as_raw_fd()).map_err(failed)?);
        self.take_up(Arc::clone(line));
        *self.line_wait.lock() = readiness;
        *self.transmit.lock() = Transmit { line: Some(Arc::clone(line)), unsent: Vec::new() };
        let mut reason = self.reason.lock();
        match &*reason {
            Some(error) if error.kind == Kind::PortClosed => {
                let closed = error.clone();
                drop(reason);
                self.transmit.lock().line = None;
                self.put_down();
                Err(closed)
            }
            _ => {
                *reason = None;
                self.over.store(false, Ordering::Release);
                Ok(())
            }
        }
    }

    // ---- the end ----

    /// Whether the port is closed or gone.
    pub fn has_ended(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// The error the port ended with.
    pub fn still_open(&self) -> Result<(), Error> {
        if !self.has_ended() {
            return Ok(());
        }
        self.reason.lock().clone().map_or(Ok(()), Err)
    }

    /// Ends the port, whatever the reason, and wakes everyone. The first reason counts, but that the program closed it is final.
    pub fn end(&self, reason: Error) {
        {
            let mut present = self.reason.lock();
            if present.is_some() {
                if reason.kind == Kind::PortClosed {
                    *present = Some(reason);
                }
                return;
            }
            *present = Some(reason);
            self.over.store(true, Ordering::Release);
        }
        self.readiness().wake_for_good();
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

    pub(super) fn gone(&self, why: &str) -> Error {
        Error::new(Kind::PortGone, format!("{} is gone: {why}", self.name))
            .with_remedy("check cable and power, then open it again")
            .on_port(self.name.clone(), self.tail())
    }

    /// The last lines of the talk, secrets covered.
    pub fn tail(&self) -> Vec<String> {
        // A line may come in several reads; that many records hold the lines of any usual talk.
        let records = self.talk.lock().records(Duration::MAX, 4 * TAIL);
        trace::tail(&records, TAIL)
    }

    /// Adds the port and the last lines to an error.
    pub fn explain(&self, error: Error) -> Error {
        error.on_port(self.name.clone(), self.tail())
    }

    /// What happened so far.
    pub fn statistics(&self) -> Statistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts = &self.counts;
        Statistics {
            bytes_sent: read(&counts.bytes_sent),
            bytes_received: read(&counts.bytes_received),
            commands: read(&counts.commands),
            messages: read(&counts.messages),
            messages_dropped: read(&counts.messages_dropped),
            events_dropped: read(&counts.events_dropped),
            stale: read(&counts.stale),
            surplus: read(&counts.surplus),
            ignored: read(&counts.ignored),
            damaged: read(&counts.damaged),
            overflowed: read(&counts.overflowed),
            timeouts: read(&counts.timeouts),
            resynchronised: read(&counts.resynchronised),
            restarts: read(&counts.restarts),
        }
    }
}
