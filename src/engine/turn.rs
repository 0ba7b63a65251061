//! Whose turn it is to have a command line on the wire: first come, first served; but a recovery comes first, and whoever
//! has the line then is asked to leave it.

use std::collections::VecDeque;
use std::thread::ThreadId;
use std::time::Duration;

use crate::engine::baton::Step;
use crate::engine::lock::Lock;
use crate::engine::lock::Rank;
use crate::engine::port::Port;
use crate::engine::wait::Until;
use crate::error::Error;
use crate::error::Kind;

/// How often a recovery looks whether the one before it has put another line on the wire instead of leaving.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// The queue for the wire.
pub struct Turn {
    line: Lock<Line>,
}

#[derive(Default)]
struct Line {
    next: u64,
    holder: Option<u64>,
    waiting: VecDeque<u64>,
    recovering: Option<ThreadId>,
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

/// The port is being recovered by this thread, until dropped.
pub struct Recovering<'a> {
    port: &'a Port,
}

impl Port {
    /// Waits for our turn; `None` when the time is over before it comes.
    pub fn await_turn(&self, until: &Until<'_>) -> Result<Option<OurTurn<'_>>, Error> {
        let number = self.turn.enter();
        let place = OurTurn { port: self, number };
        let came = self.wait_aside(until, |now| match self.turn.take(number) {
            true => Step::Done(()),
            false if self.turn.is_recovered_here() => {
                self.give_up_command();
                self.happened();
                Step::NotYet(Some(now + ASK_AGAIN))
            }
            false => Step::NotYet(None),
        })?;
        Ok(came.map(|()| place))
    }

    /// Takes the port for this thread's recovery: its commands come first, and whoever is at it leaves. `None`: another
    /// thread recovers it.
    pub fn begin_recovering(&self) -> Option<Recovering<'_>> {
        let begun = {
            let mut line = self.turn.line.lock();
            let free = line.recovering.is_none();
            if free {
                line.recovering = Some(std::thread::current().id());
            }
            free
        };
        begun.then(|| Recovering { port: self })
    }

    /// The error of a thread whose line is needed for another one's recovery.
    pub fn may_speak(&self) -> Result<(), Error> {
        if self.turn.is_recovered_elsewhere() {
            return Err(Error::new(Kind::NoAnswer, "the module is being recovered")
                .with_remedy("nothing was sent; try again when the recovery is over"));
        }
        Ok(())
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

    /// Takes the turn, if it is ours.
    fn take(&self, number: u64) -> bool {
        let mut line = self.line.lock();
        let ours = match line.recovering {
            Some(thread) => thread == std::thread::current().id(),
            None => line.waiting.front() == Some(&number),
        };
        let free = ours && line.holder.is_none();
        if free {
            line.holder = Some(number);
            line.waiting.retain(|other| *other != number);
        }
        free
    }

    /// Leaves the line; says whether somebody else waits.
    fn leave(&self, number: u64) -> bool {
        let mut line = self.line.lock();
        line.waiting.retain(|other| *other != number);
        if line.holder == Some(number) {
            line.holder = None;
        }
        !line.waiting.is_empty()
    }

    fn is_recovered_here(&self) -> bool {
        self.line.lock().recovering == Some(std::thread::current().id())
    }

    /// Another thread recovers the port: whoever has the line is to leave it.
    pub fn is_recovered_elsewhere(&self) -> bool {
        self.line.lock().recovering.is_some_and(|thread| thread != std::thread::current().id())
    }
}

impl Drop for OurTurn<'_> {
    fn drop(&mut self) {
        if self.port.turn.leave(self.number) {
            self.port.happened();
        }
    }
}

impl Drop for Recovering<'_> {
    fn drop(&mut self) {
        self.port.turn.line.lock().recovering = None;
        self.port.happened();
    }
}
