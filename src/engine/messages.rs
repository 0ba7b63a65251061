//! Bounded queues from the reader to any number of takers; what they had to drop is counted.

use std::time::Duration;

use crate::engine::wait::Wait;
use crate::error::Error;
use crate::proto::Event;
use crate::proto::Message;

/// A message from the broker and when it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The message.
    pub message: Message,
    /// When its last byte was read, since the port was opened (the time base of the transcript).
    pub at: Duration,
}

/// An event and when it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedEvent {
    /// The event.
    pub event: Event,
    /// Since the port was opened.
    pub at: Duration,
}

/// A client lost its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLost {
    /// The client.
    pub client: u8,
    /// What the module reported: `+QMTSTAT`, `+QMTPING`, `RDY`.
    pub reported: String,
    /// The documented code; `None` for a restart.
    pub code: Option<i32>,
    /// What the code means.
    pub meaning: Option<String>,
    /// What to do.
    pub remedy: Option<String>,
    /// Since the port was opened.
    pub at: Duration,
}

/// What one subscriber has not yet taken.
pub struct Subscription {}

impl Subscription {
    /// Takes up to `most` events; waits for the first; empty when the time is over.
    pub fn take(&self, most: usize, wait: Wait<'_>) -> Result<Vec<TimedEvent>, Error> {
        let _ = (most, wait);
        todo!("queues")
    }

    /// How many were dropped because nobody took them.
    pub fn dropped(&self) -> u64 {
        todo!("queues")
    }
}
