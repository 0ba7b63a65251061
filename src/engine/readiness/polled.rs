//! The two waits where there is no epoll: the reader thread sleeps in the system's own queue (kqueue on macOS), a caller in
//! poll.
//!
//! A pipe that is written once and never drained ends both for good.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;
use std::time::Duration;

use nix::fcntl::FcntlArg;
use nix::fcntl::FdFlag;
use polling::Event;
use polling::Events;
use polling::PollMode;
use polling::Poller;

use crate::engine::readiness::Interest;
use crate::engine::readiness::Line;
use crate::engine::readiness::in_poll;

const LINE: usize = 0;
const WAKE: usize = 1;

/// The wait of one port.
pub struct Readiness {
    poller: Poller,
    wake: OwnedFd,
    waker: OwnedFd,
    descriptor: RawFd,
}

impl Readiness {
    /// A wait for this descriptor, which must stay open as long as the wait is used.
    pub fn new(descriptor: RawFd) -> io::Result<Readiness> {
        let (wake, waker) = nix::unistd::pipe()?;
        for end in [&wake, &waker] {
            nix::fcntl::fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        }
        let readiness = Readiness { poller: Poller::new()?, wake, waker, descriptor };
        // SAFETY: both are deleted when the readiness is dropped, before their descriptors are.
        unsafe {
            readiness.poller.add_with_mode(&readiness.wake, Event::readable(WAKE), PollMode::Level)?;
            readiness.poller.add_with_mode(descriptor, Event::readable(LINE), PollMode::Level)?;
        }
        Ok(readiness)
    }

    /// The reader thread is woken by this from now on.
    pub fn arm(&self, interest: Interest) {
        self.modify(match interest {
            Interest::Read => Event::readable(LINE),
            Interest::ReadWrite => Event::all(LINE),
        });
    }

    /// The reader thread is not woken by the line any more.
    pub fn disarm(&self) {
        self.modify(Event::none(LINE));
    }

    /// The reader thread's wait. Whether the other end hung up is found by reading.
    pub fn wait_as_reader(&self, most: Option<Duration>) -> Line {
        // A wait that ends early is looked at again by who waits.
        let _ = self.poller.wait(&mut Events::new(), most);
        Line::Up
    }

    /// A caller's wait. Ends early on a signal to its thread.
    pub fn wait_here(&self, interest: Interest, most: Option<Duration>) -> Line {
        in_poll(self.line(), self.wake.as_fd(), interest, most)
    }

    /// Ends every wait, now and from now on.
    pub fn wake_for_good(&self) {
        // Fails only when the pipe is full, and then it is readable.
        let _ = nix::unistd::write(&self.waker, b"!");
    }

    /// Whether the reader would wake at once.
    #[cfg(test)]
    pub fn reader_is_called(&self) -> bool {
        let mut events = Events::new();
        self.poller.wait(&mut events, Some(Duration::ZERO)).expect("a poller");
        events.iter().next().is_some()
    }

    fn modify(&self, interest: Event) {
        // Fails only for a descriptor that is gone, which the next read reports.
        let _ = self.poller.modify_with_mode(self.line(), interest, PollMode::Level);
    }

    fn line(&self) -> BorrowedFd<'_> {
        // SAFETY: the port keeps its transport, which owns the descriptor, as long as anyone may wait on it.
        unsafe { BorrowedFd::borrow_raw(self.descriptor) }
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        let _ = self.poller.delete(&self.wake);
        let _ = self.poller.delete(self.line());
    }
}

impl AsRawFd for Readiness {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor
    }
}
