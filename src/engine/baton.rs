//! Who reads the port, and how everyone waits.
//!
//! A reader thread owns the receiving side, called the baton. A caller who waits for an answer takes the baton and reads in
//! the thread's place, so that an answer wakes one thread and not two; everyone else waits for the signal, which counts
//! things that happened.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use crate::engine::clock;
use crate::engine::port::Port;
use crate::engine::readiness::Interest;
use crate::engine::readiness::Line;
use crate::engine::wait::INTERRUPT_SLICE;
use crate::engine::wait::Until;
use crate::error::Error;
use crate::transport::Transport;

/// How long `close` waits for the reader and for a caller who reads in its place.
const JOIN: Duration = Duration::from_secs(1);
/// How often a caller who reads in place looks whether it was asked to leave: a recovery needs the wire, and the line
/// itself may say nothing.
const GLANCE: Duration = Duration::from_millis(200);
/// The first buffer; it grows to the second on a line that fills it, so that an idle port costs little memory.
const SMALL: usize = 4 * 1024;
const LARGE: usize = 64 * 1024;

/// The receiving side, or the place where it is missing.
pub struct Baton {
    receiver: Option<Receiver>,
    /// The reader thread runs.
    reading: bool,
    /// The line was let go; there will be no receiver any more.
    let_go: bool,
}

impl Baton {
    /// The receiving side of a port that nobody reads yet.
    pub fn new(receiver: Receiver) -> Baton {
        Baton { receiver: Some(receiver), reading: false, let_go: false }
    }
}

/// The receiving side of the port; whoever holds it reads.
pub struct Receiver {
    line: Arc<dyn Transport>,
    buffer: Vec<u8>,
}

impl Receiver {
    /// The receiving side of this line.
    pub fn new(line: Arc<dyn Transport>) -> Receiver {
        Receiver { line, buffer: vec![0; SMALL] }
    }
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
                // What came between the look and the baton was read by its last holder: the line may say nothing more.
                Some(borrowed) if *self.signal.lock() != seen => drop(borrowed),
                Some(mut borrowed) => {
                    let wake = borrowed.read_here(shorter(slice, Some(GLANCE)));
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

    /// Reads everything that has come so far, or waits until whoever reads has done so.
    pub fn catch_up(&self, until: &Until<'_>) -> Result<(), Error> {
        while !until.expired(clock::now()) {
            self.still_open()?;
            let before = self.counts.bytes_received.load(Ordering::Relaxed);
            let Some(mut borrowed) = self.take_baton() else {
                let mut baton = self.baton.lock();
                if baton.receiver.is_none() && !self.has_ended() {
                    self.baton_bell.wait(&mut baton, Some(INTERRUPT_SLICE));
                }
                drop(baton);
                until.check()?;
                continue;
            };
            let read = borrowed.read_here(Some(Duration::ZERO));
            drop(borrowed);
            if let Err(error) = read {
                self.end(error);
            }
            if self.counts.bytes_received.load(Ordering::Relaxed) == before {
                break;
            }
        }
        self.still_open()
    }

    fn take_baton(&self) -> Option<Borrowed<'_>> {
        let receiver = self.baton.lock().receiver.take()?;
        self.readiness().disarm();
        Some(Borrowed { port: self, receiver: Some(receiver) })
    }

    // ---- reading, by whoever holds the baton ----

    /// The reader thread: sleeps, reads, routes, until the port ends.
    pub fn read_until_ended(&self) {
        let mut deadline = None;
        while !self.has_ended() {
            let now = clock::now();
            let line = self.readiness().wait_as_reader(deadline.map(|at: Instant| at.saturating_duration_since(now)));
            let Some(mut receiver) = self.await_baton() else { break };
            let read = self.receive(&mut receiver, line);
            deadline = self.protocol.lock().next_deadline();
            self.readiness().arm(self.interest());
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
                if count == receiver.buffer.len() && count < LARGE {
                    receiver.buffer.resize(count * 2, 0);
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if line == Line::HungUp {
                    return Err(self.gone("it was unplugged, or the other end closed it"));
                }
                self.digest(&[], clock::now())?;
            }
            Err(error) => return Err(self.gone(&error.to_string())),
        }
        Ok(())
    }

    /// Waits, bounded, until nobody reads any more, and lets the line go; nothing more will be said.
    pub fn let_go(&self) {
        if self.put_down() {
            self.talk.lock().finish();
        }
    }

    /// Waits, bounded, until nobody reads any more, and lets the line go; says whether it is gone.
    pub(super) fn put_down(&self) -> bool {
        let deadline = clock::now() + JOIN;
        let mut baton = self.baton.lock();
        while !baton.let_go && (baton.reading || baton.receiver.is_none()) {
            let now = clock::now();
            if now >= deadline {
                log::error!(target: "modemrig::engine", "{}: the reader did not end in time", self.name);
                return false;
            }
            self.baton_bell.wait(&mut baton, Some(deadline - now));
        }
        baton.let_go = true;
        let receiver = baton.receiver.take();
        self.baton_bell.ring();
        drop(baton);
        drop(receiver);
        true
    }

    /// Another line to read from; nobody reads yet.
    pub(super) fn take_up(&self, line: Arc<dyn Transport>) {
        let mut baton = self.baton.lock();
        baton.receiver = Some(Receiver::new(line));
        baton.let_go = false;
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
        let line = self.port.readiness().wait_here(self.port.interest(), most);
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
        port.readiness().arm(if deadline.is_some() { Interest::ReadWrite } else { port.interest() });
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
