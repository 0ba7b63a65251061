//! Bytes to frames: echo, prompt, line, counted body, received message. It remembers how far it looked, so that no byte is
//! scanned twice however the input is cut, and it never decides anything that a later byte could change.
//!
//! Not here: what a line means (`lines`), who waits for it (`te`). Driven by `TeSession`, one frame at a time, because the
//! meaning of the next byte depends on the event before it.

use crate::proto::Message;
use crate::proto::grammar::Grammar;
use crate::proto::grammar::LineKind;
use crate::proto::received;
use crate::proto::seen::Seen;
use crate::proto::settings::Settings;

/// A line without an end is given up at this length: longer than any documented line with a payload in hexadecimal.
const LONGEST_LINE: usize = 64 * 1024;

/// A message without an end is given up at this length: no module carries one a tenth as long.
const LONGEST_MESSAGE: usize = 1 << 20;

/// What the framer must know of the moment.
pub(super) struct Context<'a> {
    pub grammar: &'a Grammar,
    pub settings: &'a Settings,
    /// The pending command line, whose echo may come.
    pub command: Option<&'a [u8]>,
    /// The payload whose echo may come.
    pub payload: Option<&'a [u8]>,
    /// Whether its echo is sure to come.
    pub payload_shown: bool,
    /// Whether a prompt is due.
    pub prompt_due: bool,
    /// Whether a result may come as a single digit and CR.
    pub numeric: bool,
    /// Whether a result is due at all: a digit and CR alone are one, though words were agreed on.
    pub result_due: bool,
}

/// How long the line has been silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Silence {
    /// Bytes are coming.
    None,
    /// Long enough to end a payload without a length.
    Short,
    /// Long enough to give up a counted body.
    Long,
}

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    CommandEcho,
    PayloadEcho,
    Prompt,
    /// A line without its ends.
    Line(Vec<u8>),
    /// A digit and CR where words were agreed on: the module lost that setting (FIELD F14).
    Figure(u8),
    /// A line that found no end.
    Overflow(Vec<u8>),
    /// The counted bytes a header line announced.
    Body(Vec<u8>),
    /// Counted bytes that never came.
    LostBody,
    Message(Message),
    Damaged {
        client: Option<u8>,
        bytes: Vec<u8>,
    },
}

/// What a look at the beginning of the buffer found.
pub(super) enum Step {
    /// More bytes are needed; after this much silence none are expected.
    More(Silence),
    /// A frame of this many bytes.
    Frame(Frame, usize),
    /// An ordinary line.
    Line,
}

/// How far the unfinished frame has been looked at, relative to its first byte.
#[derive(Default)]
pub(super) struct Memory {
    /// No decision before this many bytes are there.
    pub need: usize,
    /// Bytes below this need no second look.
    pub scanned: usize,
}

/// The byte buffer of one port.
#[derive(Default)]
pub(super) struct Framer {
    buffer: Vec<u8>,
    start: usize,
    memory: Memory,
    /// Length of the body that comes next.
    body: Option<usize>,
    /// A prompt was just seen: one blank may belong to it.
    after_prompt: bool,
    /// The silence that would change the outcome of the last look.
    hold: Option<Silence>,
}

impl Framer {
    /// Takes bytes in.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > 4096 && self.start > self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, if it can be told.
    pub fn next(&mut self, context: &Context<'_>, silence: Silence) -> Option<Frame> {
        self.hold = None;
        loop {
            if let Some(len) = self.body {
                return self.take_body(len, context.grammar, silence);
            }
            let rest = &self.buffer[self.start..];
            let first = *rest.first()?;
            match payload_echo(rest, context) {
                Match::Whole(len) => return Some(self.emit(Frame::PayloadEcho, len)),
                Match::Part if silence < Silence::Long => {
                    self.hold = Some(Silence::Long);
                    return None;
                }
                _ => {}
            }
            if std::mem::take(&mut self.after_prompt) && first == b' ' {
                self.consume(1);
                continue;
            }
            match first {
                b'\r' if rest.len() == 1 => return None,
                b'\r' if rest[1] == b'\n' => self.consume(2),
                b'\r' | b'\n' => self.consume(1),
                b'>' if context.prompt_due => {
                    self.after_prompt = true;
                    return Some(self.emit(Frame::Prompt, 1));
                }
                _ => match self.look(context, silence) {
                    Step::Frame(frame, len) => return Some(self.emit(frame, len)),
                    Step::More(_) if self.buffer.len() - self.start > LONGEST_MESSAGE => {
                        return Some(self.overflow(LONGEST_MESSAGE));
                    }
                    Step::More(hold) => {
                        self.hold = Some(hold).filter(|hold| *hold > Silence::None);
                        return None;
                    }
                    Step::Line => match self.line(context) {
                        Some((line, len)) => return Some(self.emit(Frame::Line(line), len)),
                        None if self.buffer.len() - self.start >= LONGEST_LINE => {
                            return Some(self.overflow(LONGEST_LINE));
                        }
                        None => return None,
                    },
                },
            }
        }
    }

    /// The next `len` bytes are a body, whatever they hold.
    pub fn expect_body(&mut self, len: usize) {
        self.body = Some(len);
    }

    /// The silence that would change the outcome of the last look.
    pub fn hold(&self) -> Option<Silence> {
        self.hold
    }

    /// A prompt nobody waited for is still at the beginning of the line: it must not answer the command that is sent next.
    pub fn drop_prompt(&mut self) -> Option<Vec<u8>> {
        let rest = &self.buffer[self.start..];
        let line_ends = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if self.body.is_some() || rest.get(line_ends) != Some(&b'>') {
            return None;
        }
        self.after_prompt = true;
        self.consume(line_ends + 1);
        Some(b">".to_vec())
    }

    /// Everything not yet framed, given back; the framer is empty.
    pub fn take_rest(&mut self) -> Vec<u8> {
        let rest = self.buffer.split_off(self.start);
        *self = Framer::default();
        rest
    }

    /// Gives up what found no end.
    fn overflow(&mut self, len: usize) -> Frame {
        let bytes = self.buffer[self.start..self.start + len].to_vec();
        self.emit(Frame::Overflow(bytes), len)
    }

    fn emit(&mut self, frame: Frame, len: usize) -> Frame {
        self.consume(len);
        frame
    }

    fn consume(&mut self, len: usize) {
        self.start += len;
        self.memory = Memory::default();
    }

    /// A frame that begins with a printable byte.
    fn look(&mut self, context: &Context<'_>, silence: Silence) -> Step {
        let rest = &self.buffer[self.start..];
        if let Some(command) = context.command.filter(|command| rest.starts_with(command))
            && rest.get(command.len()) == Some(&b'\r')
        {
            return Step::Frame(Frame::CommandEcho, command.len() + 1);
        }
        if context.numeric && rest[0].is_ascii_digit() {
            match rest.get(1) {
                None => return Step::More(Silence::None),
                Some(b'\r') => return Step::Frame(Frame::Line(vec![rest[0]]), 1),
                Some(_) => {}
            }
        } else if context.result_due && rest[0].is_ascii_digit() && rest.get(1) == Some(&b'\r') {
            match rest.get(2) {
                Some(b'\n') => {}
                None if silence == Silence::None => return Step::More(Silence::Short),
                _ => return Step::Frame(Frame::Figure(rest[0]), 1),
            }
        }
        match context.grammar.message_name() {
            Some(name) if rest.starts_with(name.as_bytes()) && rest.get(name.len()) == Some(&b':') => {
                received::look(rest, name.len() + 1, context, silence, &mut self.memory)
            }
            _ => Step::Line,
        }
    }

    /// An ordinary line: its text and how many bytes it takes.
    fn line(&mut self, context: &Context<'_>) -> Option<(Vec<u8>, usize)> {
        let rest = &self.buffer[self.start..];
        let from = self.memory.scanned.min(rest.len());
        let Some(end) = memchr::memchr(b'\n', &rest[from..]).map(|found| from + found) else {
            self.memory.scanned = rest.len();
            return None;
        };
        let line = &rest[..end];
        if let Some(cut) = glued(line, context.grammar) {
            return Some((line[..cut].to_vec(), cut));
        }
        let text = line.len() - line.iter().rev().take_while(|byte| **byte == b'\r').count();
        Some((line[..text].to_vec(), end + 1))
    }

    fn take_body(&mut self, len: usize, grammar: &Grammar, silence: Silence) -> Option<Frame> {
        let rest = &self.buffer[self.start..];
        let is_body = match (rest.len() >= len).then(|| grammar.restart_in(rest, len)) {
            // What looks like a restart is payload where the block goes on behind it.
            Some(Seen::Yes(_)) => grammar.block_goes_on(&rest[len..]),
            Some(Seen::No) => Seen::Yes(()),
            Some(Seen::More) | None => Seen::More,
        };
        if let Seen::Yes(()) = is_body {
            let body = rest[..len].to_vec();
            self.body = None;
            return Some(self.emit(Frame::Body(body), len));
        }
        if matches!(is_body, Seen::More) && silence < Silence::Long {
            self.hold = Some(Silence::Long);
            return None;
        }
        self.body = None;
        // Back in step at the next line, if one began inside what was announced.
        Some(Frame::LostBody)
    }
}

/// Where a second unsolicited line begins inside `line` because the module left the line end out between two of them:
/// `+QMTSTAT:0,1+QMTCONN:0,2`. Only lines that hold nothing but numbers are looked at, and those that mean nothing where they
/// hold no text in quotation marks.
fn glued(line: &[u8], grammar: &Grammar) -> Option<usize> {
    let plus = 1 + memchr::memchr(b'+', line.get(1..)?)?;
    let (head, tail) = line.split_at(plus);
    let colon = memchr::memchr(b':', head).unwrap_or(plus);
    let fields = &head[colon..];
    match grammar.line(&head[..colon])? {
        LineKind::Noise => {
            let name = &tail[..memchr::memchr(b':', tail).unwrap_or(tail.len())];
            (!fields.contains(&b'"') && grammar.line(name).is_some()).then_some(plus)
        }
        LineKind::Result { .. }
        | LineKind::Retry(_)
        | LineKind::Lost
        | LineKind::Ping
        | LineKind::Message
        | LineKind::BlockEnd
        | LineKind::BearerLost(_)
        | LineKind::Registration => {
            let plain = fields.iter().all(|byte| matches!(byte, b':' | b'0'..=b'9' | b',' | b' ' | b'-'));
            (plain && tail.get(1).is_some_and(u8::is_ascii_uppercase)).then_some(plus)
        }
        _ => None,
    }
}

enum Match {
    Whole(usize),
    Part,
    No,
}

/// Whether the module sends our payload back. With echo on, or QMTCFG "view/mode", any payload is looked for; else (some
/// firmware shows what is typed all the same) only one that cannot be taken for an answer.
fn payload_echo(rest: &[u8], context: &Context<'_>) -> Match {
    let Some(payload) = context.payload.filter(|payload| !payload.is_empty()) else {
        return Match::No;
    };
    if !context.settings.echo && !context.payload_shown && !is_innocent(payload) {
        return Match::No;
    }
    if rest.starts_with(payload) {
        return Match::Whole(payload.len());
    }
    if payload.starts_with(rest) { Match::Part } else { Match::No }
}

fn is_innocent(payload: &[u8]) -> bool {
    let plain = payload.iter().all(|byte| *byte >= b' ');
    plain && !matches!(payload[0], b'+' | b'*' | b'^' | b'>' | b'0'..=b'9' | b'A'..=b'Z')
}
