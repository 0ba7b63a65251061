//! The thread of a virtual module: waits for its line, its sockets, its timers and its owner, and lets the module do the rest.
//!
//! No timer wakes it while nothing is due. Everything it owns ends with it.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Instant;

use polling::Event;
use polling::Events;
use polling::PollMode;
use polling::Poller;

use crate::transport::host_line::HostLine;
use crate::transport::host_line::Input;
use crate::transport::pty::Visit;
use crate::transport::watch::Watch;
use crate::virtual_module::clock;
use crate::virtual_module::control::Orders;
use crate::virtual_module::module::Module;
use crate::virtual_module::uart::Uart;

/// Keys of the poller; those of the clients begin at `network::FIRST_KEY`.
const LINE: usize = 0;
const VISITS: usize = 1;

/// Bytes that a host does not read; beyond this no more of its input is taken, and nothing more is fetched for it from the
/// network, so that a broker holds its messages back.
const UNREAD: usize = 64 * 1024;

/// What a module's thread owns.
pub(super) struct Board {
    line: HostLine,
    /// The speed of the line, where it has one.
    uart: Option<Uart>,
    module: Module,
    orders: Orders,
    poller: Arc<Poller>,
    stop: Arc<AtomicBool>,
    /// The poller's eye on the line's descriptor.
    watch: Watch,
    /// The host's end of a line in memory is gone for good.
    line_ended: bool,
}

impl Board {
    pub(super) fn new(
        line: HostLine,
        uart: Option<Uart>,
        module: Module,
        orders: Orders,
        poller: Arc<Poller>,
        stop: Arc<AtomicBool>,
    ) -> io::Result<Board> {
        if let Some(fd) = line.visit_fd() {
            // SAFETY: the descriptor belongs to `line`, which outlives the watch: `run` deletes it before the line is dropped.
            unsafe { poller.add_with_mode(fd, Event::readable(VISITS), PollMode::Level)? };
        }
        Ok(Board { line, uart, module, orders, poller, stop, watch: Watch::new(LINE), line_ended: false })
    }

    /// Runs until it is told to stop, or until its line cannot be waited for.
    pub(super) fn run(mut self) {
        if let Err(error) = self.turns() {
            log::error!(target: "modemrig::virtual_module", "the module at {} stops: {error}", self.line.path());
        }
        self.module.device.links.cut_all();
        self.watch.set(&self.poller, None);
        if let Some(fd) = self.line.visit_fd() {
            // SAFETY: the descriptor belongs to `line` and is open.
            let _ = self.poller.delete(unsafe { BorrowedFd::borrow_raw(fd) });
        }
    }

    fn turns(&mut self) -> io::Result<()> {
        let mut events = Events::new();
        while !self.stop.load(Ordering::Acquire) {
            self.orders.drain(|order| self.module.order(order, clock::now()));
            self.greet_hosts()?;
            self.listen()?;
            self.turn();
            if !self.line.is_present() {
                self.module.nobody_listens();
            }
            let wanted = self.line.data_fd().filter(|_| !self.line_ended);
            let reads = self.takes_more();
            self.watch.set(&self.poller, wanted.map(|fd| (fd, reads, self.line.unsent() > 0)));
            let paced = self.uart.as_ref().and_then(Uart::next_deadline);
            let due = self.module.next_deadline().into_iter().chain(paced).min();
            let timeout = due.map(|deadline| deadline.saturating_duration_since(clock::now()));
            events.clear();
            self.poller.wait(&mut events, timeout)?;
        }
        Ok(())
    }

    fn greet_hosts(&mut self) -> io::Result<()> {
        loop {
            let visits = self.line.visits()?;
            if visits.is_empty() {
                return Ok(());
            }
            let last = visits.len() - 1;
            for (number, visit) in visits.into_iter().enumerate() {
                match visit {
                    Visit::Opened => {
                        self.line.host_came();
                        self.module.host_came();
                    }
                    // The terminal belongs to the next host already: setting it up again would pull it from under its
                    // feet.
                    Visit::Closed if number < last => self.module.host_left(),
                    Visit::Closed => self.host_left()?,
                }
            }
        }
    }

    fn listen(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        while !self.line_ended && self.takes_more() {
            match self.line.read(&mut buffer)? {
                Input::Bytes(count) => {
                    match &mut self.uart {
                        Some(uart) => uart.hear(&buffer[..count], clock::now()),
                        None => self.module.receive(&buffer[..count]),
                    }
                    self.turn();
                }
                Input::Nothing => break,
                Input::Ended => {
                    // A network line waits for its next host, a pair has none.
                    self.line_ended = self.line.visit_fd().is_none();
                    self.host_left()?;
                    break;
                }
            }
        }
        Ok(())
    }

    fn host_left(&mut self) -> io::Result<()> {
        // The poller forgets the descriptor before it is closed.
        self.watch.set(&self.poller, None);
        self.line.host_left()?;
        if let Some(uart) = &mut self.uart {
            uart.host_left();
        }
        self.module.host_left();
        Ok(())
    }

    fn turn(&mut self) {
        let now = clock::now();
        if let Some(uart) = &mut self.uart {
            uart.host_has(self.line.baud());
            self.module.receive(&uart.heard(now));
        }
        self.module.turn(now);
        self.speak(now);
        self.module.host_is_slow = self.unread() >= UNREAD;
    }

    fn speak(&mut self, now: Instant) {
        while let Some(bytes) = self.module.poll_transmit() {
            match &mut self.uart {
                Some(uart) => uart.say(&bytes, now),
                None => self.line.write(&bytes),
            }
        }
        if let Some(uart) = &mut self.uart {
            self.line.write(&uart.said(now));
            let rate = self.module.device.setting_int("AT+IPR", "write", "rate", 0);
            if let Some(rate) = rate.and_then(|rate| u32::try_from(rate).ok()) {
                uart.wants(rate);
            }
        }
        self.line.flush();
    }

    /// Bytes that the host has not read.
    fn unread(&self) -> usize {
        self.line.unsent() + self.uart.as_ref().map_or(0, Uart::unsaid)
    }

    /// Whether more of the host's input is taken.
    fn takes_more(&self) -> bool {
        self.unread() < UNREAD && self.uart.as_ref().is_none_or(Uart::has_room)
    }
}
