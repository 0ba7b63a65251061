//! Waiting for a descriptor: the reader thread in one wait, a caller who reads in its place in another.
//!
//! On Linux by epoll (`epoll`), elsewhere by what the system has (`polled`); both look the same. With
//! `--cfg modemrig_portable` the second is built on Linux too, so that its tests run somewhere.

#[cfg(all(target_os = "linux", not(modemrig_portable)))]
mod epoll;
#[cfg(any(not(target_os = "linux"), modemrig_portable))]
mod polled;

use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;

#[cfg(all(target_os = "linux", not(modemrig_portable)))]
pub use epoll::Readiness;
#[cfg(any(not(target_os = "linux"), modemrig_portable))]
pub use polled::Readiness;

/// What a descriptor is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Bytes to read.
    Read,
    /// Bytes to read, or room to write.
    ReadWrite,
}

/// Whether the other end hung up while we waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// It is there.
    Up,
    /// It is gone; what it sent before may still be read.
    HungUp,
}

/// Waits in poll for a line, or for the end of all waits.
fn in_poll(line: BorrowedFd<'_>, wake: BorrowedFd<'_>, interest: Interest, most: Option<Duration>) -> Line {
    let timeout =
        most.map_or(PollTimeout::NONE, |most| PollTimeout::try_from(most_ms(most)).unwrap_or(PollTimeout::MAX));
    let flags = match interest {
        Interest::Read => PollFlags::POLLIN,
        Interest::ReadWrite => PollFlags::POLLIN | PollFlags::POLLOUT,
    };
    let mut set = [PollFd::new(line, flags), PollFd::new(wake, PollFlags::POLLIN)];
    match nix::poll::poll(&mut set, timeout) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Line::Up,
        Err(_) => return Line::HungUp,
    }
    let lost = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    let hung_up = set[0].revents().is_some_and(|flags| flags.intersects(lost));
    if hung_up { Line::HungUp } else { Line::Up }
}

/// Milliseconds, rounded up, so that a wait never ends a little before its time and spins.
fn most_ms(most: Duration) -> i32 {
    i32::try_from(most.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;
    use crate::transport::Transport;
    use crate::transport::pair::Link;
    use crate::transport::pair::pair;

    #[test]
    fn a_wake_ends_both_waits_for_good() {
        let (host, _module) = pair(Link::Perfect).expect("a pair");
        let readiness = Readiness::new(host.as_raw_fd()).expect("descriptors");
        readiness.wake_for_good();
        for _ in 0..2 {
            assert_eq!(Line::Up, readiness.wait_as_reader(None));
            assert_eq!(Line::Up, readiness.wait_here(Interest::Read, None));
        }
    }

    #[test]
    fn a_disarmed_line_does_not_wake_the_reader_and_an_armed_one_does() {
        let (host, module) = pair(Link::Perfect).expect("a pair");
        let readiness = Readiness::new(host.as_raw_fd()).expect("descriptors");
        module.write(b"x").expect("room");
        readiness.disarm();
        assert!(!readiness.reader_is_called(), "disarmed");
        readiness.arm(Interest::Read);
        assert!(readiness.reader_is_called(), "armed");
        assert_eq!(Line::Up, readiness.wait_as_reader(None));
    }

    #[test]
    fn a_hang_up_is_seen_by_a_caller() {
        let (host, module) = pair(Link::Perfect).expect("a pair");
        let readiness = Readiness::new(host.as_raw_fd()).expect("descriptors");
        drop(module);
        assert_eq!(Line::HungUp, readiness.wait_here(Interest::Read, None));
    }

    #[test]
    fn a_wait_is_rounded_up() {
        assert_eq!(1, most_ms(Duration::from_nanos(1001)));
        assert_eq!(0, most_ms(Duration::ZERO));
        assert_eq!(i32::MAX, most_ms(Duration::MAX));
    }
}
