//! Whose turn it is to have a command line on the wire: first come, first served.

use std::collections::VecDeque;

use crate::engine::baton::Step;
use crate::engine::lock::Lock;
use crate::engine::lock::Rank;
use crate::engine::port::Port;
use crate::engine::wait::Until;
use crate::error::Error;

/// The queue for the wire.
pub struct Turn {
    line: Lock<Line>,
}

#[derive(Default)]
struct Line {
    next: u64,
    waiting: VecDeque<u64>,
}

impl Default for Turn {
    fn default() -> Turn {
        Turn { line: Lock::new(Rank::Turn, Line::default()) }
    }
}

/// It is our turn, until dropped.
pub struct OurTurn<'a> {
    port: &'a Port,
    number: u64,
}

impl Port {
    /// Waits for our turn; `None` when the time is over before it comes.
    pub fn await_turn(&self, until: &Until<'_>) -> Result<Option<OurTurn<'_>>, Error> {
        let number = self.turn.enter();
        let place = OurTurn { port: self, number };
        let came = self.wait_aside(until, |_| match self.turn.is_first(number) {
            true => Step::Done(()),
            false => Step::NotYet(None),
        })?;
        Ok(came.map(|()| place))
    }
}

impl Turn {
    fn enter(&self) -> u64 {
        let mut line = self.line.lock();
        line.next += 1;
        let number = line.next;
        line.waiting.push_back(number);
        number
    }

    fn is_first(&self, number: u64) -> bool {
        self.line.lock().waiting.front() == Some(&number)
    }

    /// Leaves the line; says whether somebody else waits.
    fn leave(&self, number: u64) -> bool {
        let mut line = self.line.lock();
        line.waiting.retain(|other| *other != number);
        !line.waiting.is_empty()
    }
}

impl Drop for OurTurn<'_> {
    fn drop(&mut self) {
        if self.port.turn.leave(self.number) {
            self.port.happened();
        }
    }
}
