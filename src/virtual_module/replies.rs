//! What the module says: the replies of the running command line, and behind them, in order, the lines nobody asked for.
//!
//! A result that follows `OK` keeps its distance (the gap), because hosts in the field need it (F23). No unsolicited line
//! comes into a running command or into typed input. A line may carry a change of state that counts from the moment the host
//! can see it. Where quirks have result and `OK` come in another order, or not at all (F1, F2, F5), is decided here too.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use crate::proto::Awaited;
use crate::proto::FinalResult;
use crate::proto::Grammar;
use crate::proto::Op;
use crate::proto::TaSession;
use crate::proto::Told;
use crate::virtual_module::cmqtt;
use crate::virtual_module::qmt;
use crate::virtual_module::quirks::Quirks;

/// Unsolicited bytes that wait for a host that does not read. Beyond this the sockets are no longer read, so that a broker
/// holds its messages back.
const HIGH_WATER: usize = 256 * 1024;

/// A line that waits for its moment.
struct Late {
    due: Instant,
    form: Form,
    bytes: Vec<u8>,
    then: Option<Shown>,
    /// What it tells of a request.
    told: Option<Told>,
}

impl Late {
    fn new(form: Form, bytes: Vec<u8>, due: Instant) -> Late {
        Late { due, form, bytes, then: None, told: None }
    }

    /// The command whose result it is, if it is one: `AT+QMTOPEN`.
    fn command(&self) -> String {
        let name = self.bytes.split(|byte| *byte == b':').next().unwrap_or_default();
        format!("AT{}", String::from_utf8_lossy(name))
    }

    /// Whether the next line may follow without a line end: where a text ends, nobody could tell.
    fn is_glued_to(&self, next: &Late) -> bool {
        let is_line = |late: &Late| late.form == Form::Line && late.bytes.starts_with(b"+");
        is_line(self) && is_line(next) && !self.bytes.contains(&b'"')
    }
}

/// How a late line is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// CR LF before and behind.
    Line,
    /// As it stands.
    Raw,
    /// `OK`, though nothing ends.
    SurplusOk,
}

/// A state that counts once the host has been told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Client, state, and which of its commands that belongs to.
    Qmt(u8, qmt::State, u32),
    /// Client and state.
    Cmqtt(u8, cmqtt::State),
}

/// The running command line, as far as its end is concerned: its last command.
#[derive(Default)]
pub(super) struct Running {
    /// `AT+QMTOPEN`
    pub(super) command: String,
    /// The result of its own that completes it.
    pub(super) awaited: Option<Awaited>,
    /// The longest that this result takes.
    pub(super) patience: Duration,
}

impl Running {
    /// Whether this line ends the wait for the result, and whether it has failed then.
    fn ends_by(&self, late: &Late) -> Option<bool> {
        let awaited = self.awaited?;
        match late.told? {
            Told::Result { op, client, msgid, failed } => awaited.fits(op, client, msgid).then_some(failed),
            // A request of a connection that is gone has no other result; what was to end has ended.
            Told::Lost(client) => {
                (awaited.client == Some(client)).then_some(!matches!(awaited.op, Op::Disconnect | Op::Close))
            }
        }
    }
}

/// Replies and unsolicited lines of one module.
pub(super) struct Replies {
    pub(super) session: TaSession,
    grammar: &'static Grammar,
    gap: Duration,
    late: VecDeque<Late>,
    late_bytes: usize,
    /// No result before this.
    hold_until: Option<Instant>,
    running: Running,
    /// Late lines that were there before the running command.
    older: usize,
    /// The running command line owes a result.
    owes: bool,
    /// It has said already that it failed.
    failed: bool,
    /// It ends when its result is there, at the latest then.
    ends_with_result: Option<Instant>,
    /// How many information lines had a field more.
    with_a_field: Option<usize>,
    /// Information lines have no blank behind their colon.
    pub(super) tight: bool,
}

impl Replies {
    pub(super) fn new(gap: Duration, grammar: &'static Grammar) -> Replies {
        Replies {
            session: TaSession::new(true),
            grammar,
            gap,
            late: VecDeque::new(),
            late_bytes: 0,
            hold_until: None,
            running: Running::default(),
            older: 0,
            owes: false,
            failed: false,
            ends_with_result: None,
            with_a_field: None,
            tight: false,
        }
    }

    /// A command line begins.
    pub(super) fn begin(&mut self, running: Running) {
        self.running = running;
        self.older = self.late.len();
        (self.owes, self.failed) = (false, false);
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
        self.failed |= matches!(Told::by(line.as_ref(), self.grammar), Some(Told::Result { failed: true, .. }));
        let colon = memchr::memmem::find(line.as_ref(), b": ").filter(|_| self.tight && line.as_ref()[0] == b'+');
        if let Some(colon) = colon {
            let (prefix, fields) = line.as_ref().split_at(colon + 1);
            return self.session.reply_line(&[prefix, &fields[1..]].concat());
        }
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
    pub(super) fn end(&mut self, result: &FinalResult, quirks: &Quirks, now: Instant) {
        let owes = std::mem::take(&mut self.owes);
        let command = &self.running.command;
        let waits = quirks.has_for("result_before_ok", command) || quirks.has_for("failure_with_error", command);
        match result {
            FinalResult::Ok if owes && waits && self.running.awaited.is_some() => {
                self.ends_with_result = Some(now + self.running.patience);
            }
            FinalResult::Ok if owes => self.accept(quirks, now),
            FinalResult::Ok => self.session.reply_final(result, now),
            _ => {
                self.session.reply_final(result, now);
                if self.failed && self.running.awaited.is_some() {
                    let command = std::mem::take(&mut self.running.command);
                    self.spare_ok(&command, quirks, now);
                }
            }
        }
    }

    /// `OK`, and behind it the result, at its distance.
    fn accept(&mut self, quirks: &Quirks, now: Instant) {
        let gap = quirks.number("gap", "ms").map(|ms| Duration::from_millis(ms.unsigned_abs()));
        let due = now + gap.unwrap_or(self.gap);
        self.hold_until = Some(due);
        for late in self.late.iter_mut().skip(self.older) {
            late.due = late.due.max(due);
        }
        self.interpose(quirks, now);
        self.end_accepted(quirks, now);
    }

    fn end_accepted(&mut self, quirks: &Quirks, now: Instant) {
        if quirks.has_for("ok_missing", &self.running.command) {
            self.session.end_command(now);
        } else {
            self.session.reply_final(&FinalResult::Ok, now);
        }
    }

    /// Has a line about something else come before the result.
    fn interpose(&mut self, quirks: &Quirks, now: Instant) {
        if let Some(text) = quirks.text("urc_before_result", "text") {
            let place = self.older.min(self.late.len());
            self.late.insert(place, Late::new(Form::Line, text.into(), now));
            self.late_bytes += text.len();
        }
    }

    /// Behind the result of a failed request some modules have an `OK` to spare.
    fn spare_ok(&mut self, command: &str, quirks: &Quirks, now: Instant) {
        if quirks.has_for("surplus_ok", command) {
            let ms = quirks.number("surplus_ok", "ms").unwrap_or_default().unsigned_abs();
            let late = Late::new(Form::SurplusOk, Vec::new(), now + Duration::from_millis(ms));
            let place = self.late.iter().position(|other| other.due >= late.due);
            self.late.insert(place.unwrap_or(self.late.len()), late);
        }
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
        let told = if form == Form::Line { Told::by(&bytes, self.grammar) } else { None };
        self.late_bytes += bytes.len();
        self.late.push_back(Late { then, told, ..Late::new(form, bytes, due) });
    }

    /// Gives what is due to the line; the states that count from now on.
    pub(super) fn release(&mut self, quirks: &Quirks, now: Instant) -> Vec<Shown> {
        let mut shown = Vec::new();
        self.end_with_result(quirks, now, &mut shown);
        while self.may_interrupt(now) && self.due(now) > 0 {
            self.say(self.due(now), quirks, now, &mut shown);
        }
        shown
    }

    /// How many late lines are due, the first of all and those right behind it.
    fn due(&self, now: Instant) -> usize {
        self.late.iter().take_while(|late| late.due <= now).count()
    }

    /// Ends the command line that waited for its result, if that is there.
    fn end_with_result(&mut self, quirks: &Quirks, now: Instant, shown: &mut Vec<Shown>) {
        let Some(latest) = self.ends_with_result else { return };
        let due = self.due(now);
        let (place, failed) = match self.own_result() {
            Some((place, failed)) if place < due => (place, failed),
            None if latest <= now => (due, false),
            _ => return,
        };
        let is_error = failed && quirks.has_for("failure_with_error", &self.running.command);
        if is_error {
            // What belongs to the failure comes together.
            self.say(due, quirks, now, shown);
            self.session.reply_final(&FinalResult::Error, now);
        } else if place < due && quirks.has_for("result_before_ok", &self.running.command) {
            self.interpose(quirks, now);
            let more = usize::from(quirks.has("urc_before_result"));
            self.say(place + 1 + more, quirks, now, shown);
            self.end_accepted(quirks, now);
        } else {
            self.accept(quirks, now);
        }
        self.ends_with_result = None;
        if is_error {
            let command = std::mem::take(&mut self.running.command);
            self.spare_ok(&command, quirks, now);
        }
    }

    /// Where the result of the running command line is among the late lines, and whether it failed.
    fn own_result(&self) -> Option<(usize, bool)> {
        let mut own = self.late.iter().enumerate().skip(self.older);
        own.find_map(|(place, late)| Some((place, self.running.ends_by(late)?)))
    }

    /// Says the first so many of the late lines.
    fn say(&mut self, count: usize, quirks: &Quirks, now: Instant, shown: &mut Vec<Shown>) {
        let mut is_open = false;
        for left in (0..count).rev() {
            let Some(late) = self.late.pop_front() else { return };
            self.older = self.older.saturating_sub(1);
            self.late_bytes -= late.bytes.len();
            shown.extend(late.then);
            let is_result = matches!(late.told, Some(Told::Result { .. }));
            let command = if is_result { late.command() } else { String::new() };
            match late.form {
                Form::Line => {
                    let next = self.late.front().filter(|_| left > 0 && quirks.has("lines_glued"));
                    let glued = next.is_some_and(|next| late.is_glued_to(next));
                    let copies = 1 + usize::from(is_result && quirks.has_for("result_twice", &command));
                    for copy in 1..=copies {
                        let ends = copy < copies || !glued;
                        let begin: &[u8] = if is_open { b"" } else { b"\r\n" };
                        let end: &[u8] = if ends { b"\r\n" } else { b"" };
                        [begin, &late.bytes, end].into_iter().for_each(|bytes| self.session.reply_raw(bytes));
                        is_open = !ends;
                    }
                }
                Form::Raw => self.session.reply_raw(&late.bytes),
                Form::SurplusOk => self.session.surplus_ok(),
            }
            if matches!(late.told, Some(Told::Result { failed: true, .. })) && self.ends_with_result.is_none() {
                self.spare_ok(&command, quirks, now);
            }
        }
    }

    /// Whether a line that nobody asked for may come now: not into a command, nor among the characters of the next one.
    fn may_interrupt(&self, now: Instant) -> bool {
        !self.session.busy() && self.session.typing_until().is_none_or(|until| until <= now)
    }

    /// Nobody listens: what waits is lost, but what it says has happened.
    pub(super) fn drop_late(&mut self) -> Vec<Shown> {
        (self.late_bytes, self.older, self.ends_with_result) = (0, 0, None);
        self.late.drain(..).filter_map(|late| late.then).collect()
    }

    /// When a line or an input is due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let typing = self.session.typing_until();
        let line = self.late.front().filter(|_| !self.session.busy());
        let line = line.map(|late| typing.map_or(late.due, |until| until.max(late.due)));
        let end = self.ends_with_result.map(|latest| match self.own_result() {
            Some((place, _)) => self.late.iter().take(place + 1).map(|late| late.due).max().unwrap_or(latest),
            None => latest,
        });
        [line, end, self.session.next_deadline()].into_iter().flatten().min()
    }

    /// Whether so much waits that nothing more should be fetched from the network.
    pub(super) fn is_full(&self) -> bool {
        self.late_bytes > HIGH_WATER
    }
}
