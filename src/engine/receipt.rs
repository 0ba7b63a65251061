//! What a publish returns at once: the promise of its late result.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::engine::baton::Step;
use crate::engine::clock;
use crate::engine::exchange::Exchange;
use crate::engine::exchange::Progress;
use crate::engine::port::Port;
use crate::engine::reply::LateResult;
use crate::engine::wait::Wait;
use crate::error::Error;
use crate::error::Kind;

/// The promise of the result of one publish. Dropping it forgets the result, not the publish.
#[derive(Clone)]
pub struct Receipt {
    port: Arc<Port>,
    exchange: Arc<Exchange>,
    msgid: u16,
    /// When the module owes the result at the latest.
    due: Instant,
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").field("msgid", &self.msgid).field("command", &self.exchange.shown).finish()
    }
}

impl Receipt {
    pub(crate) fn new(port: Arc<Port>, exchange: Arc<Exchange>, msgid: u16, due: Instant) -> Receipt {
        Receipt { port, exchange, msgid, due }
    }

    /// Waits for the result; the same answer every time. Without a time: until the module owes it at the latest.
    pub fn wait(&self, wait: Wait<'_>) -> Result<LateResult, Error> {
        let left = self.due.saturating_duration_since(clock::now());
        let until = wait.until(left);
        let ended = self.port.wait(&until, |now| match self.exchange.progress(now) {
            Progress::Complete => Step::Done(()),
            Progress::Accepted => Step::NotYet(self.exchange.record().aftermath()),
            Progress::Pending(again) => Step::NotYet(again),
        })?;
        match ended {
            Some(()) => self.outcome(),
            None => {
                let now = clock::now();
                if now >= self.due {
                    self.port.give_up_result(&self.exchange);
                }
                let error = Error::new(Kind::NoAnswer, format!("no result of {}", self.exchange.shown))
                    .awaiting("the acknowledgement", until.waited(now));
                Err(self.port.explain(error))
            }
        }
    }

    /// The result, if it came.
    pub fn result(&self) -> Option<Result<LateResult, Error>> {
        match self.exchange.progress(clock::now()) {
            Progress::Complete => Some(self.outcome()),
            _ => self.port.still_open().err().map(Err),
        }
    }

    /// The packet identifier; 0 for QoS 0.
    pub fn msgid(&self) -> u16 {
        self.msgid
    }

    /// How often the module reported to have sent the packet again.
    pub fn retries(&self) -> u16 {
        self.exchange.record().retries
    }

    /// From handing the message over to its result.
    pub fn took(&self) -> Option<Duration> {
        let record = self.exchange.record();
        record.result.as_ref().map(|(result, _)| result.after)
    }

    fn outcome(&self) -> Result<LateResult, Error> {
        if let Some(error) = self.port.verdict(&self.exchange) {
            return Err(error);
        }
        let result = self.exchange.record().result.as_ref().map(|(result, _)| result.clone());
        result.ok_or_else(|| Error::new(Kind::NoAnswer, format!("{} ended without its result", self.exchange.shown)))
    }
}
