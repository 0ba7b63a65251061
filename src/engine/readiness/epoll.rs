//! The two waits on Linux: the reader thread sleeps in epoll, a caller who reads in its place in poll.
//!
//! The caller takes the descriptor out of the reader's epoll set first, so that an answer wakes one thread and not two.
//! Neither wait has a time-out of its own; the wake descriptor is written once, when the port closes, and never drained.

use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::RawFd;
use std::time::Duration;

use nix::sys::epoll::Epoll;
use nix::sys::epoll::EpollCreateFlags;
use nix::sys::epoll::EpollEvent;
use nix::sys::epoll::EpollFlags;
use nix::sys::epoll::EpollTimeout;
use nix::sys::eventfd::EfdFlags;
use nix::sys::eventfd::EventFd;

use crate::engine::readiness::Interest;
use crate::engine::readiness::Line;
use crate::engine::readiness::in_poll;
use crate::engine::readiness::most_ms;

const LINE: u64 = 0;
const WAKE: u64 = 1;

/// The wait of one port.
pub struct Readiness {
    epoll: Epoll,
    wake: EventFd,
    descriptor: RawFd,
}

impl Readiness {
    /// A wait for this descriptor, which must stay open as long as the wait is used.
    pub fn new(descriptor: RawFd) -> io::Result<Readiness> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        epoll.add(&wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        let readiness = Readiness { epoll, wake, descriptor };
        readiness.epoll.add(readiness.line(), EpollEvent::new(EpollFlags::EPOLLIN, LINE))?;
        Ok(readiness)
    }

    /// The reader thread is woken by this from now on.
    pub fn arm(&self, interest: Interest) {
        let flags = match interest {
            Interest::Read => EpollFlags::EPOLLIN,
            Interest::ReadWrite => EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT,
        };
        self.modify(flags);
    }

    /// The reader thread is not woken by the line any more (but by a hang-up).
    pub fn disarm(&self) {
        self.modify(EpollFlags::empty());
    }

    /// The reader thread's wait.
    pub fn wait_as_reader(&self, most: Option<Duration>) -> Line {
        let timeout =
            most.map_or(EpollTimeout::NONE, |most| EpollTimeout::try_from(most_ms(most)).unwrap_or(EpollTimeout::MAX));
        let mut events = [EpollEvent::empty(); 2];
        let count = self.epoll.wait(&mut events, timeout).unwrap_or(0);
        let lost = EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
        let hung_up = events[..count].iter().any(|event| event.data() == LINE && event.events().intersects(lost));
        if hung_up { Line::HungUp } else { Line::Up }
    }

    /// A caller's wait. Ends early on a signal to its thread.
    pub fn wait_here(&self, interest: Interest, most: Option<Duration>) -> Line {
        in_poll(self.line(), self.wake.as_fd(), interest, most)
    }

    /// Ends every wait, now and from now on.
    pub fn wake_for_good(&self) {
        // Fails only when the counter is full, and then it is set.
        let _ = self.wake.write(1);
    }

    /// Whether the reader would wake at once.
    #[cfg(test)]
    pub fn reader_is_called(&self) -> bool {
        let mut events = [EpollEvent::empty(); 2];
        self.epoll.wait(&mut events, EpollTimeout::ZERO).expect("epoll") > 0
    }

    fn modify(&self, flags: EpollFlags) {
        // Fails only for a descriptor that is gone, which the next read reports.
        let _ = self.epoll.modify(self.line(), &mut EpollEvent::new(flags, LINE));
    }

    fn line(&self) -> BorrowedFd<'_> {
        // SAFETY: the port keeps its transport, which owns the descriptor, as long as anyone may wait on it.
        unsafe { BorrowedFd::borrow_raw(self.descriptor) }
    }
}

impl AsRawFd for Readiness {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::pair::Link;
    use crate::transport::pair::pair;

    #[test]
    fn a_hang_up_is_seen_by_the_reader_too() {
        let (host, module) = pair(Link::Perfect).expect("a pair");
        let readiness = Readiness::new(host.as_raw_fd()).expect("descriptors");
        drop(module);
        assert_eq!(Line::HungUp, readiness.wait_as_reader(None));
    }
}
