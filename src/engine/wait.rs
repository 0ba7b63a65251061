//! How long a caller waits, and who may interrupt the wait.

use std::time::Duration;
use std::time::Instant;

use crate::engine::clock;
use crate::error::Error;
use crate::error::Kind;

/// How often an interruption hook is asked during a wait.
pub const INTERRUPT_SLICE: Duration = Duration::from_millis(50);

/// The caller wants out (Ctrl-C).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

/// Asked every [`INTERRUPT_SLICE`] during a long wait, on the waiting thread, with no lock held.
pub trait Interrupt {
    /// `Err` ends the wait; the operation reports [`Kind::Interrupted`].
    fn check(&self) -> Result<(), Interrupted>;
}

/// How long to wait, and who may interrupt.
#[derive(Clone, Copy, Default)]
pub struct Wait<'a> {
    /// `None`: the documented maximum and a margin; for iterators: for ever.
    pub timeout: Option<Duration>,
    /// The interruption hook.
    pub interrupt: Option<&'a dyn Interrupt>,
}

impl<'a> Wait<'a> {
    /// A wait of at most this long.
    pub fn at_most(timeout: Duration) -> Wait<'a> {
        Wait { timeout: Some(timeout), interrupt: None }
    }

    /// The same wait, which this hook may end.
    pub fn interrupted_by(self, interrupt: &'a dyn Interrupt) -> Wait<'a> {
        Wait { interrupt: Some(interrupt), ..self }
    }

    /// The instant the wait ends; `documented` is taken where the caller gave no time.
    pub(crate) fn until(self, documented: Duration) -> Until<'a> {
        let began = clock::now();
        let timeout = self.timeout.unwrap_or(documented);
        Until { began, deadline: began.checked_add(timeout), interrupt: self.interrupt, given: self.timeout.is_some() }
    }

    /// The instant the wait ends; without a time it never does.
    pub(crate) fn until_or_never(self) -> Until<'a> {
        let began = clock::now();
        let deadline = self.timeout.and_then(|timeout| began.checked_add(timeout));
        Until { began, deadline, interrupt: self.interrupt, given: self.timeout.is_some() }
    }
}

/// A wait under way.
#[derive(Clone, Copy)]
pub(crate) struct Until<'a> {
    pub(crate) began: Instant,
    pub(crate) deadline: Option<Instant>,
    pub(crate) interrupt: Option<&'a dyn Interrupt>,
    /// The caller gave the time; it is not the documented one.
    pub(crate) given: bool,
}

impl<'a> Until<'a> {
    /// How long this slice of the wait may block; `None`: until something happens.
    pub(crate) fn slice(&self, now: Instant) -> Option<Duration> {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(now));
        match (left, self.interrupt) {
            (Some(left), Some(_)) => Some(left.min(INTERRUPT_SLICE)),
            (Some(left), None) => Some(left),
            (None, Some(_)) => Some(INTERRUPT_SLICE),
            (None, None) => None,
        }
    }

    /// Whether the time is over.
    pub(crate) fn expired(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Asks the interruption hook. Call with no lock held.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.interrupt.map(|hook| hook.check()) {
            Some(Err(Interrupted)) => Err(Error::new(Kind::Interrupted, "the wait was interrupted")),
            _ => Ok(()),
        }
    }

    /// The same hook, another deadline; never later than the present one.
    pub(crate) fn cut(&self, deadline: Instant) -> Until<'a> {
        Until { deadline: Some(self.deadline.map_or(deadline, |own| own.min(deadline))), ..*self }
    }

    /// Waited so far.
    pub(crate) fn waited(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }
}
