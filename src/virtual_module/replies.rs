//! What the module says: the replies of the running command line, and behind them, in order, the lines nobody asked for.
//!
//! A result that follows `OK` keeps its distance (`gap`), because hosts in the field need it (F23). No unsolicited line comes
//! into a running command or into typed input. A line may carry a change of state that counts from the moment the host can
//! see it.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use crate::proto::FinalResult;
use crate::proto::TaSession;
use crate::virtual_module::cmqtt;
use crate::virtual_module::qmt;

/// Unsolicited bytes that wait for a host that does not read. Beyond this the sockets are no longer read, so that a broker
/// holds its messages back.
const HIGH_WATER: usize = 256 * 1024;

/// A line that waits for its moment.
struct Late {
    due: Instant,
    form: Form,
    bytes: Vec<u8>,
    then: Option<Shown>,
}

/// How a late line is framed.
enum Form {
    /// CR LF before and behind.
    Line,
    /// As it stands.
    Raw,
}

/// A state that counts once the host has been told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Client, state, and which of its commands that belongs to.
    Qmt(u8, qmt::State, u32),
    /// Client and state.
    Cmqtt(u8, cmqtt::State),
}

/// Replies and unsolicited lines of one module.
pub(super) struct Replies {
    pub(super) session: TaSession,
    gap: Duration,
    late: VecDeque<Late>,
    late_bytes: usize,
    /// No result before this.
    hold_until: Option<Instant>,
    /// Late lines that were there before the running command.
    older: usize,
    /// The running command line owes a result.
    owes: bool,
    /// How many information lines had a field more.
    with_a_field: Option<usize>,
}

impl Replies {
    pub(super) fn new(gap: Duration) -> Replies {
        Replies {
            session: TaSession::new(true),
            gap,
            late: VecDeque::new(),
            late_bytes: 0,
            hold_until: None,
            older: 0,
            owes: false,
            with_a_field: None,
        }
    }

    /// A command line begins.
    pub(super) fn begin(&mut self) {
        self.older = self.late.len();
        self.owes = false;
    }

    /// The running command line will be completed by a line of its own.
    pub(super) fn owe_result(&mut self) {
        self.owes = true;
    }

    /// Whether it will.
    pub(super) fn owes_result(&self) -> bool {
        self.owes
    }

    /// An information line of the running command.
    pub(super) fn info(&mut self, line: impl AsRef<[u8]>) {
        match &mut self.with_a_field {
            Some(lines) => {
                *lines += 1;
                self.session.reply_line(&[line.as_ref(), b",0"].concat());
            }
            None => self.session.reply_line(line.as_ref()),
        }
    }

    /// Information lines have one field more from now on.
    pub(super) fn add_a_field(&mut self) {
        self.with_a_field = Some(0);
    }

    /// And now no longer; how many there were.
    pub(super) fn as_documented(&mut self) -> usize {
        self.with_a_field.take().unwrap_or_default()
    }

    /// Ends the running command line.
    pub(super) fn end(&mut self, result: &FinalResult, now: Instant) {
        if self.owes && *result == FinalResult::Ok {
            let due = now + self.gap;
            self.hold_until = Some(due);
            for late in self.late.iter_mut().skip(self.older) {
                late.due = late.due.max(due);
            }
        }
        self.owes = false;
        self.session.reply_final(result, now);
    }

    /// A line nobody asked for, or that completes an earlier command.
    pub(super) fn urc(&mut self, line: impl Into<Vec<u8>>, now: Instant) {
        self.push(Form::Line, line.into(), None, now);
    }

    /// The same; once it is out, this state counts.
    pub(super) fn urc_then(&mut self, line: impl Into<Vec<u8>>, shown: Shown, now: Instant) {
        self.push(Form::Line, line.into(), Some(shown), now);
    }

    /// Bytes with their own line ends.
    pub(super) fn urc_raw(&mut self, bytes: Vec<u8>, now: Instant) {
        self.push(Form::Raw, bytes, None, now);
    }

    fn push(&mut self, form: Form, bytes: Vec<u8>, then: Option<Shown>, now: Instant) {
        let due = self.hold_until.map_or(now, |hold| hold.max(now));
        self.late_bytes += bytes.len();
        self.late.push_back(Late { due, form, bytes, then });
    }

    /// Gives what is due to the line; the states that count from now on.
    pub(super) fn release(&mut self, now: Instant) -> Vec<Shown> {
        let mut shown = Vec::new();
        while self.may_interrupt(now) && self.late.front().is_some_and(|late| late.due <= now) {
            let Some(late) = self.late.pop_front() else { break };
            self.late_bytes -= late.bytes.len();
            match late.form {
                Form::Line => self.session.urc(&late.bytes),
                Form::Raw => self.session.reply_raw(&late.bytes),
            }
            shown.extend(late.then);
        }
        shown
    }

    /// Whether a line that nobody asked for may come now: not into a command, nor among the characters of the next one.
    fn may_interrupt(&self, now: Instant) -> bool {
        !self.session.busy() && self.session.typing_until().is_none_or(|until| until <= now)
    }

    /// Nobody listens: what waits is lost, but what it says has happened.
    pub(super) fn drop_late(&mut self) -> Vec<Shown> {
        self.late_bytes = 0;
        self.late.drain(..).filter_map(|late| late.then).collect()
    }

    /// When a line or an input is due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let typing = self.session.typing_until();
        let line = self.late.front().filter(|_| !self.session.busy());
        let line = line.map(|late| typing.map_or(late.due, |until| until.max(late.due)));
        [line, self.session.next_deadline()].into_iter().flatten().min()
    }

    /// Whether so much waits that nothing more should be fetched from the network.
    pub(super) fn is_full(&self) -> bool {
        self.late_bytes > HIGH_WATER
    }
}
