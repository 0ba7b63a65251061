//! One question and its answer over a connection of its own, until the peer closes it: what a module does beside MQTT to
//! fetch something over HTTP. It knows no HTTP.

use std::io;
use std::time::Instant;

use crate::virtual_module::faults::Faults;
use crate::virtual_module::faults::Unsent;
use crate::virtual_module::network::OpenFault;
use crate::virtual_module::network::bearer::Connection;
use crate::virtual_module::network::bearer::Dialled;

/// Longest answer.
const MOST: usize = 64 * 1024;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::virtual_module) enum ExchangeFault {
    /// The name leads nowhere.
    NotResolved,
    /// There is no connection.
    NotConnected,
    /// The question could not be sent.
    NotSent,
    /// The answer broke off.
    BrokenOff,
    /// It took too long.
    TimedOut,
}

/// How an exchange ended.
pub(in crate::virtual_module) type Outcome = Result<Vec<u8>, ExchangeFault>;

/// A running exchange.
pub(super) struct Exchange {
    pub(super) generation: u64,
    pub(super) deadline: Instant,
    pub(super) question: Vec<u8>,
    pub(super) line: Option<Box<dyn Connection>>,
    pub(super) answer: Vec<u8>,
}

impl Exchange {
    /// The connection is there, or is not.
    pub(super) fn dialled(&mut self, faults: &mut Faults, outcome: Dialled) -> Option<Outcome> {
        match outcome {
            Ok(mut line) => {
                let written = match faults.unsent("HTTP") {
                    Some(Unsent::Refused) => return Some(Err(ExchangeFault::NotSent)),
                    Some(Unsent::Kept) => Ok(()),
                    None => line.write(&self.question),
                };
                if written.is_err() {
                    return Some(Err(ExchangeFault::NotSent));
                }
                self.line = Some(line);
                None
            }
            Err(OpenFault::NotResolved) => Some(Err(ExchangeFault::NotResolved)),
            Err(OpenFault::TimedOut) => Some(Err(ExchangeFault::TimedOut)),
            Err(_) => Some(Err(ExchangeFault::NotConnected)),
        }
    }

    /// Goes as far as it can now.
    pub(super) fn go_on(&mut self, now: Instant) -> Option<Outcome> {
        if self.deadline <= now {
            return Some(Err(ExchangeFault::TimedOut));
        }
        let line = self.line.as_mut()?;
        if line.flush().is_err() {
            return Some(Err(ExchangeFault::NotSent));
        }
        let mut buffer = [0; 4096];
        loop {
            match line.read(&mut buffer) {
                Ok(0) => return Some(Ok(std::mem::take(&mut self.answer))),
                Ok(count) if self.answer.len() + count <= MOST => self.answer.extend_from_slice(&buffer[..count]),
                Ok(_) => return Some(Err(ExchangeFault::BrokenOff)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Some(Err(ExchangeFault::BrokenOff)),
            }
        }
        line.watch(true);
        None
    }
}
