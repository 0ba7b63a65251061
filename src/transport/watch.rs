//! A poller's eye on one descriptor that may change: what it is watched for, and that it is forgotten before it is closed.

use std::os::fd::BorrowedFd;
use std::os::fd::RawFd;

use polling::Event;
use polling::PollMode;
use polling::Poller;

/// What a poller watches of a line.
#[derive(Debug)]
pub struct Watch {
    key: usize,
    /// Descriptor, for reading, for writing.
    watched: Option<(RawFd, bool, bool)>,
}

impl Watch {
    /// Watches nothing yet; its events will carry this key.
    pub fn new(key: usize) -> Watch {
        Watch { key, watched: None }
    }

    /// Changes what is watched: a descriptor, for reading, for writing. The caller keeps it open until it is watched no more:
    /// `None` comes before every close.
    pub fn set(&mut self, poller: &Poller, wanted: Option<(RawFd, bool, bool)>) {
        if self.watched == wanted {
            return;
        }
        if let Some((old, ..)) = self.watched
            && wanted.is_none_or(|(fd, ..)| fd != old)
        {
            // SAFETY: a watched descriptor is open, by the rule above.
            let _ = poller.delete(unsafe { BorrowedFd::borrow_raw(old) });
            self.watched = None;
        }
        if let Some((fd, reads, writes)) = wanted {
            let interest = Event::new(self.key, reads, writes);
            let outcome = match self.watched {
                // SAFETY: as above.
                Some(_) => poller.modify_with_mode(unsafe { BorrowedFd::borrow_raw(fd) }, interest, PollMode::Level),
                // SAFETY: as above; every way out passes through `delete`.
                None => unsafe { poller.add_with_mode(fd, interest, PollMode::Level) },
            };
            self.watched = outcome.is_ok().then_some((fd, reads, writes));
        }
    }
}
