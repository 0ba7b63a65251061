//! The end that answers commands: the module's. Bytes of the host in; command lines and payloads out; replies framed as
//! ATE, ATV and ATQ say.
//!
//! It knows no command. Its driver takes a `CommandLine`, writes replies, perhaps asks for a payload, and ends with
//! `reply_final`; from the command line until then the session is busy and only keeps what may be a command later.
//!
//! Longer than 400 lines by what its modes share: a state machine read in pieces is not read.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use crate::proto::FinalResult;

/// Sends the payload where no length was announced (001 section 3.7).
pub const CTRL_Z: u8 = 0x1A;
/// Cancels it.
pub const ESC: u8 = 0x1B;

/// What a busy session keeps; a real module's UART buffer is of this order.
const KEPT: usize = 64 * 1024;

/// A command line longer than this is dropped: no document allows one near it.
const LONGEST_LINE: usize = 8 * 1024;

/// A line feed this soon behind the carriage return of a command line belongs to it, when nothing tells whether the host
/// ends its lines with CR or CR LF: two character times at 9600 baud.
const LINE_FEED_TIME: Duration = Duration::from_millis(2);

/// While a command line is being typed nothing unsolicited comes between its characters, unless its writer pauses so long.
const TYPING_PAUSE: Duration = Duration::from_secs(5);

/// V.250 section 6.2.3, S5: takes the last character of a command line back.
const BACKSPACE: u8 = 0x08;
/// What the same key of most terminals sends. Taken for the same: no command needs the character.
const DELETE: u8 = 0x7F;

/// How the typed input ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadEnd {
    /// After this many bytes, whatever they are.
    Counted(usize),
    /// After this many bytes, or at Ctrl-Z: some modules do not mean the announced length.
    CountedOrCtrlZ(usize),
    /// At Ctrl-Z; Esc cancels; at `max` bytes by itself.
    UntilCtrlZ {
        /// Most bytes taken.
        max: usize,
    },
}

/// What the host did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaEvent {
    /// A command line as it came, `AT` or `at` and all, without CR. It was echoed as it came. The session is busy until
    /// `reply_final`.
    CommandLine(Vec<u8>),
    /// The input asked for with `expect_payload`.
    Payload(Vec<u8>),
    /// The host cancelled the input with Esc.
    PayloadCancelled,
    /// The input did not end in time.
    PayloadTimedOut,
}

/// How the host ends its command lines; learned from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    Unknown,
    Cr,
    CrLf,
}

/// What a piece of output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What the host typed.
    Echo,
    /// Of the running command: information lines, prompts, the final result.
    Reply,
    /// Nobody asked for it.
    Unsolicited,
}

#[derive(Debug)]
enum Mode {
    /// Command lines.
    Command,
    /// A command runs; input is kept.
    Busy,
    /// Typed input.
    Payload { end: PayloadEnd, echo: bool, bytes: Vec<u8>, deadline: Option<Instant> },
}

/// What is typed behind an input is dropped until a command begins: `AT` at a line start (decision 31).
#[derive(Debug)]
struct Surplus {
    /// Ctrl-Z ends it (decision 33); else the final result does.
    until_ctrl_z: bool,
    at_line_start: bool,
    /// An `A` at a line start: perhaps a command.
    begun: Option<u8>,
}

impl Surplus {
    fn new(until_ctrl_z: bool) -> Option<Surplus> {
        Some(Surplus { until_ctrl_z, at_line_start: false, begun: None })
    }
}

/// Protocol state of the module's end.
#[derive(Debug)]
pub struct TaSession {
    echo: bool,
    verbose: bool,
    quiet: bool,
    mode: Mode,
    /// What comes now was typed too much.
    surplus: Option<Surplus>,
    line: Vec<u8>,
    /// When its last character came.
    typed: Option<Instant>,
    line_end: LineEnd,
    /// When the CR of the last command line came, as long as its LF may follow.
    ended_line: Option<Instant>,
    /// A prompt went out since that CR.
    prompted: bool,
    kept: VecDeque<u8>,
    /// An information line went out for this command: the next one needs no line end before it.
    in_reply: bool,
    events: VecDeque<TaEvent>,
    transmit: VecDeque<(Part, Vec<u8>)>,
}

impl TaSession {
    /// A session in command mode, words as result codes.
    pub fn new(echo: bool) -> TaSession {
        TaSession {
            echo,
            verbose: true,
            quiet: false,
            mode: Mode::Command,
            surplus: None,
            line: Vec::new(),
            typed: None,
            line_end: LineEnd::Unknown,
            ended_line: None,
            prompted: false,
            kept: VecDeque::new(),
            in_reply: false,
            events: VecDeque::new(),
            transmit: VecDeque::new(),
        }
    }

    /// Bytes from the host.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.handle_deadline(now);
        for byte in bytes {
            self.byte(*byte, now);
        }
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<TaEvent> {
        self.events.pop_front()
    }

    /// Everything to write.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        let bytes: Vec<u8> = self.transmit.drain(..).flat_map(|(_, bytes)| bytes).collect();
        (!bytes.is_empty()).then_some(bytes)
    }

    /// The next piece to write, and what it is; for a driver that treats them differently.
    pub fn poll_part(&mut self) -> Option<(Part, Vec<u8>)> {
        self.transmit.pop_front()
    }

    /// Takes what is typed from now on as input; call it after `prompt`. What the host sent ahead of the prompt counts.
    pub fn expect_payload(&mut self, end: PayloadEnd, echo: bool, deadline: Option<Instant>, now: Instant) {
        self.mode = Mode::Payload { end, echo, bytes: Vec::new(), deadline };
        self.surplus = None;
        self.replay(now);
    }

    /// When the typed input times out.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.mode {
            Mode::Payload { deadline, .. } => *deadline,
            _ => None,
        }
    }

    /// Time has passed.
    pub fn handle_deadline(&mut self, now: Instant) {
        if self.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.mode = Mode::Busy;
            self.events.push_back(TaEvent::PayloadTimedOut);
        }
    }

    /// An information line of the running command.
    pub fn reply_line(&mut self, line: &[u8]) {
        if self.verbose && !self.in_reply {
            self.say(Part::Reply, b"\r\n");
        }
        self.in_reply = true;
        self.say(Part::Reply, line);
        self.say(Part::Reply, b"\r\n");
    }

    /// The final result of the running command line; the session takes command lines again.
    pub fn reply_final(&mut self, result: &FinalResult, now: Instant) {
        match result {
            FinalResult::Ok => self.result_code(Part::Reply, "OK", "0"),
            FinalResult::Error => self.result_code(Part::Reply, "ERROR", "4"),
            FinalResult::Cme(code) => self.result_code(Part::Reply, &format!("+CME ERROR: {code}"), ""),
            FinalResult::Cms(code) => self.result_code(Part::Reply, &format!("+CMS ERROR: {code}"), ""),
        }
        self.end_command(now);
    }

    /// An `OK` that ends nothing: some modules have one to spare.
    pub fn surplus_ok(&mut self) {
        self.result_code(Part::Unsolicited, "OK", "0");
    }

    /// Ends the running command line without a result code (a fault on demand, or a restart).
    pub fn end_command(&mut self, now: Instant) {
        self.in_reply = false;
        self.mode = Mode::Command;
        match self.surplus.take() {
            Some(surplus) if surplus.until_ctrl_z => {
                self.surplus = Some(Surplus { at_line_start: true, ..surplus });
            }
            Some(Surplus { begun: Some(byte), .. }) => self.command_byte(byte, now),
            _ => {}
        }
        self.replay(now);
    }

    /// `CONNECT`: the host may send a file.
    pub fn reply_connect(&mut self) {
        self.result_code(Part::Reply, "CONNECT", "1");
        self.prompted = true;
    }

    /// The prompt for typed input.
    pub fn prompt(&mut self) {
        self.prompt_as(b"\r\n> ");
    }

    /// A prompt of another form.
    pub fn prompt_as(&mut self, prompt: &[u8]) {
        self.say(Part::Reply, prompt);
        self.prompted = true;
    }

    /// An unsolicited line.
    pub fn urc(&mut self, line: &[u8]) {
        for bytes in [b"\r\n", line, b"\r\n"] {
            self.reply_raw(bytes);
        }
    }

    /// Unsolicited bytes as they are.
    pub fn reply_raw(&mut self, bytes: &[u8]) {
        self.say(Part::Unsolicited, bytes);
    }

    /// ATE.
    pub fn set_echo(&mut self, echo: bool) {
        self.echo = echo;
    }

    /// ATV.
    pub fn set_verbose(&mut self, verbose: bool) {
        self.verbose = verbose;
    }

    /// ATQ.
    pub fn set_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
    }

    /// Whether command lines are echoed.
    pub fn echo(&self) -> bool {
        self.echo
    }

    /// Whether result codes are words.
    pub fn verbose(&self) -> bool {
        self.verbose
    }

    /// Whether a command line is being carried out.
    pub fn busy(&self) -> bool {
        !matches!(self.mode, Mode::Command)
    }

    /// Until when a command line counts as being typed, if one is begun.
    pub fn typing_until(&self) -> Option<Instant> {
        let begun = self.line.first().is_some_and(|byte| byte.eq_ignore_ascii_case(&b'A'));
        self.typed.filter(|_| begun).map(|typed| typed + TYPING_PAUSE)
    }

    /// Whether typed input is awaited.
    pub fn awaits_payload(&self) -> bool {
        matches!(self.mode, Mode::Payload { .. })
    }

    /// Forgets what was begun: a restart, or the host closed the port. Input already received is kept if asked.
    pub fn reset(&mut self, keep_input: bool) {
        self.mode = Mode::Command;
        self.surplus = None;
        self.line.clear();
        self.transmit.clear();
        self.events.clear();
        self.in_reply = false;
        self.ended_line = None;
        self.line_end = LineEnd::Unknown;
        if !keep_input {
            self.kept.clear();
        }
    }

    fn result_code(&mut self, part: Part, word: &str, digit: &str) {
        if self.quiet {
            return;
        }
        if self.verbose || digit.is_empty() {
            self.say(part, format!("\r\n{word}\r\n").as_bytes());
        } else {
            self.say(part, format!("{digit}\r").as_bytes());
        }
    }

    fn say(&mut self, part: Part, bytes: &[u8]) {
        put(&mut self.transmit, part, bytes);
    }

    /// Gives what was kept while busy to the new mode.
    fn replay(&mut self, now: Instant) {
        while !matches!(self.mode, Mode::Busy) {
            match self.kept.pop_front() {
                Some(byte) => self.byte(byte, now),
                None => return,
            }
        }
    }

    fn byte(&mut self, byte: u8, now: Instant) {
        if self.is_late_line_feed(byte, now) {
            return;
        }
        let Some(surplus) = &mut self.surplus else { return self.wanted(byte, now) };
        match (surplus.begun.take(), byte) {
            (Some(first), b'T' | b't') => {
                self.surplus = None;
                self.wanted(first, now);
                self.wanted(byte, now);
            }
            (None, b'A' | b'a') if surplus.at_line_start => surplus.begun = Some(byte),
            (_, CTRL_Z) if surplus.until_ctrl_z => self.surplus = None,
            _ => surplus.at_line_start = matches!(byte, b'\r' | b'\n'),
        }
    }

    fn wanted(&mut self, byte: u8, now: Instant) {
        match &mut self.mode {
            Mode::Command => self.command_byte(byte, now),
            // Line ends before anything was asked for belong to the command line, however many a host writes (FIELD F16).
            Mode::Busy if !self.prompted && self.kept.is_empty() && matches!(byte, b'\r' | b'\n') => {}
            Mode::Busy if self.kept.len() < KEPT => self.kept.push_back(byte),
            Mode::Busy => {}
            Mode::Payload { .. } => self.payload_byte(byte),
        }
    }

    /// The LF of a CR LF that ended the command line is never payload. Whether an LF is that one is told by what this
    /// host did before, by its coming ahead of the prompt, and in the last resort by the time between the two.
    fn is_late_line_feed(&mut self, byte: u8, now: Instant) -> bool {
        let Some(ended) = self.ended_line.take() else {
            return false;
        };
        if byte != b'\n' {
            self.line_end = LineEnd::Cr;
            return false;
        }
        let belongs = match self.line_end {
            LineEnd::CrLf => true,
            LineEnd::Cr => !self.prompted,
            LineEnd::Unknown => !self.prompted || now.saturating_duration_since(ended) <= LINE_FEED_TIME,
        };
        if belongs {
            self.line_end = LineEnd::CrLf;
        }
        belongs
    }

    fn command_byte(&mut self, byte: u8, now: Instant) {
        match byte {
            b'\r' => return self.end_line(now),
            b'\n' if self.line.is_empty() => return,
            BACKSPACE | DELETE => return self.take_back(),
            _ if self.line.len() < LONGEST_LINE => self.line.push(byte),
            _ => {}
        }
        self.typed = Some(now);
        self.echo_back(&[byte]);
    }

    /// The last character goes, however many bytes it has, from the host's screen too.
    fn take_back(&mut self) {
        if self.line.is_empty() {
            return;
        }
        while self.line.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {}
        self.echo_back(b"\x08 \x08");
    }

    fn echo_back(&mut self, bytes: &[u8]) {
        if self.echo {
            self.say(Part::Echo, bytes);
        }
    }

    fn end_line(&mut self, now: Instant) {
        let line = std::mem::take(&mut self.line);
        // An empty line is answered by nothing at all (decision 31).
        if !line.is_empty() {
            self.echo_back(b"\r");
        }
        self.ended_line = Some(now);
        self.prompted = false;
        let typed = line.as_slice();
        let Some(line) = command_in(typed).filter(|_| typed.len() < LONGEST_LINE) else {
            return;
        };
        self.in_reply = false;
        self.mode = Mode::Busy;
        self.events.push_back(TaEvent::CommandLine(line.to_vec()));
    }

    fn payload_byte(&mut self, byte: u8) {
        let Mode::Payload { end, echo, bytes, .. } = &mut self.mode else {
            return;
        };
        let until = matches!(end, PayloadEnd::UntilCtrlZ { .. });
        if until && byte == ESC {
            self.mode = Mode::Busy;
            self.surplus = Surplus::new(false);
            self.events.push_back(TaEvent::PayloadCancelled);
            return;
        }
        let sent = byte == CTRL_Z && !matches!(end, PayloadEnd::Counted(_));
        if !sent {
            bytes.push(byte);
            if *echo {
                put(&mut self.transmit, Part::Echo, &[byte]);
            }
        }
        let most = match end {
            PayloadEnd::Counted(count) | PayloadEnd::CountedOrCtrlZ(count) => *count,
            PayloadEnd::UntilCtrlZ { max } => *max,
        };
        if sent || bytes.len() >= most {
            let bytes = std::mem::take(bytes);
            self.surplus = Surplus::new(until && !sent);
            self.mode = Mode::Busy;
            self.events.push_back(TaEvent::Payload(bytes));
        }
    }
}

/// The command of a line, if it has one. What nobody types may stand in front of it: the end of an input that was refused
/// (Ctrl-Z), or what came of bytes at another speed.
fn command_in(typed: &[u8]) -> Option<&[u8]> {
    let is_noise = |byte: &u8| !(b' '..=b'~').contains(byte) && *byte != b'\t';
    let behind_noise = typed.iter().rposition(is_noise).map_or(typed, |last| &typed[last + 1..]);
    let begins = |line: &&[u8]| line.get(..2).is_some_and(|head| head.eq_ignore_ascii_case(b"AT"));
    [typed, behind_noise].into_iter().map(<[u8]>::trim_ascii).find(begins)
}

fn put(transmit: &mut VecDeque<(Part, Vec<u8>)>, part: Part, bytes: &[u8]) {
    match transmit.back_mut() {
        Some((last, said)) if *last == part => said.extend(bytes),
        _ => transmit.push_back((part, bytes.to_vec())),
    }
}
