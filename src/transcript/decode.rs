//! What a transcript says: the recorded bytes of both directions go through the same session that drives a port, and its
//! events come out as JSON objects.

use std::collections::VecDeque;
use std::io::BufRead;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

use crate::dialect;
use crate::dialect::grammar as grammars;
use crate::dialect::schema::Family;
use crate::proto::Awaited;
use crate::proto::Event;
use crate::proto::FinalResult;
use crate::proto::Grammar;
use crate::proto::Input;
use crate::proto::Request;
use crate::proto::Settings;
use crate::proto::TeSession;
use crate::proto::TeState;
use crate::proto::command_line;
use crate::proto::grammar::Asked;
use crate::proto::ta::CTRL_Z;
use crate::proto::ta::ESC;
use crate::transcript::format::Direction;
use crate::transcript::format::Entry;
use crate::transcript::format::FormatError;
use crate::transcript::format::Header;
use crate::transcript::format::Reader;
use crate::transcript::format::latin1_bytes;
use crate::transcript::json::event_json;
use crate::transcript::json::timeout_json;

/// Reads a transcript and says what is in it, one JSON object for each event.
///
/// # Errors
/// A first line that is neither a header nor an entry. A broken line further on comes out of the iterator, which ends there.
pub fn decode<R: BufRead>(source: R) -> Result<Decoded<R>, FormatError> {
    let reader = Reader::new(source)?;
    let talk = Talk::new(reader.header());
    Ok(Decoded { reader, talk: Some(talk), ready: VecDeque::new() })
}

/// What these bytes of a module say, with no command pending: for a single line out of a log.
pub fn decode_line(bytes: &[u8]) -> Vec<Value> {
    let mut talk = Talk::new(&Header::default());
    let mut line = bytes.to_vec();
    line.extend(b"\r\n");
    talk.entry(&Entry { t: 0.0, dir: Direction::Rx, data: line });
    talk.finish();
    talk.events.into()
}

/// Iterator over the events of a transcript.
pub struct Decoded<R> {
    reader: Reader<R>,
    talk: Option<Talk>,
    ready: VecDeque<Value>,
}

impl<R: BufRead> Decoded<R> {
    /// The header of the file.
    pub fn header(&self) -> &Header {
        self.reader.header()
    }
}

impl<R: BufRead> Iterator for Decoded<R> {
    type Item = Result<Value, FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(value) = self.ready.pop_front() {
                return Some(Ok(value));
            }
            let talk = self.talk.as_mut()?;
            match self.reader.next() {
                Some(Ok(entry)) => talk.entry(&entry),
                Some(Err(error)) => {
                    self.talk = None;
                    return Some(Err(error));
                }
                None => {
                    talk.finish();
                    self.ready.append(&mut talk.events);
                    self.talk = None;
                    continue;
                }
            }
            self.ready.append(&mut talk.events);
        }
    }
}

/// The talk so far.
struct Talk {
    grammar: &'static Grammar,
    session: TeSession,
    /// What `t = 0` stands for.
    origin: Instant,
    now: Instant,
    first: Option<f64>,
    /// The host's line so far.
    line: Vec<u8>,
    after_cr: bool,
    /// The host's payload so far.
    typed: Vec<u8>,
    /// Command lines sent while another was pending.
    queue: VecDeque<Vec<u8>>,
    /// The pending command's own result, once accepted.
    awaited: Option<Awaited>,
    /// Results of accepted commands that are still to come.
    late: Vec<Awaited>,
    events: VecDeque<Value>,
}

impl Talk {
    #[allow(clippy::disallowed_methods, reason = "an origin to add recorded times to; the clock is not read again")]
    fn new(header: &Header) -> Talk {
        let grammar = grammar_of(header);
        let mut settings = Settings::default();
        settings.echo = header.echo;
        settings.len = header.len;
        settings.hex = header.hex;
        settings.verbose = !header.v0;
        let owed = header.pending.as_ref().map(|pending| {
            let request = |cmd: &str| format!("+{}", cmd.trim_start_matches("AT").trim_start_matches('+'));
            let awaited = pending.iter().filter_map(|p| {
                let op = grammar.command(&request(&p.cmd))?.op?;
                Some(Awaited { op, client: p.client, msgid: p.msgid })
            });
            awaited.collect()
        });
        let mut session = TeSession::observer(grammar, settings, owed);
        if let Some(sent) = header.sent.as_deref().and_then(latin1_bytes) {
            session.expect_echo(sent);
        }
        let origin = Instant::now();
        Talk {
            grammar,
            session,
            origin,
            now: origin,
            first: None,
            line: Vec::new(),
            after_cr: false,
            typed: Vec::new(),
            queue: VecDeque::new(),
            awaited: None,
            late: Vec::new(),
            events: VecDeque::new(),
        }
    }

    fn entry(&mut self, entry: &Entry) {
        let first = *self.first.get_or_insert(entry.t);
        let since = Duration::try_from_secs_f64(entry.t - first).unwrap_or_default();
        // A clock that runs backwards in the file stands still here.
        self.now = self.origin.checked_add(since).unwrap_or(self.now).max(self.now);
        self.session.handle_deadline(self.now);
        self.collect();
        match entry.dir {
            Direction::Tx => entry.data.iter().for_each(|byte| self.sent(*byte)),
            Direction::Rx => self.received(&entry.data),
        }
    }

    fn received(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((byte, behind)) = rest.split_first() {
            if self.queue.is_empty() {
                self.session.receive(rest, self.now);
                self.collect();
                return;
            }
            // The next command becomes the pending one in the middle of these bytes; where, only the session can tell.
            self.session.receive(&[*byte], self.now);
            self.collect();
            rest = behind;
        }
    }

    /// One byte of the host: payload where the module asked for one, else part of a command line.
    fn sent(&mut self, byte: u8) {
        let line_feed = std::mem::take(&mut self.after_cr) && byte == b'\n';
        if line_feed {
            return;
        }
        let owes = match self.session.state() {
            TeState::SendPayload => true,
            // Sent ahead of the prompt, unless it is the next command: the module may never have asked.
            TeState::AwaitPrompt => {
                self.line.is_empty() && !(self.typed.is_empty() && byte.eq_ignore_ascii_case(&b'A'))
            }
            _ => false,
        };
        if owes {
            return self.payload_byte(byte);
        }
        match byte {
            b'\r' => {
                self.after_cr = true;
                let line = std::mem::take(&mut self.line);
                self.command(line.trim_ascii().to_vec());
            }
            b'\n' if self.line.is_empty() => {}
            _ => self.line.push(byte),
        }
    }

    fn payload_byte(&mut self, byte: u8) {
        let asked = self.session.asked();
        let counted = matches!(asked, Asked::Counted(_) | Asked::File(_));
        if counted || !matches!(byte, CTRL_Z | ESC) {
            self.typed.push(byte);
        }
        let done = match asked {
            Asked::Counted(len) | Asked::File(len) => self.typed.len() >= len,
            _ => matches!(byte, CTRL_Z | ESC),
        };
        if done {
            let typed = std::mem::take(&mut self.typed);
            // The state was looked at before: the payload is due.
            let _ = self.session.payload(typed, self.now);
            self.collect();
        }
    }

    fn command(&mut self, line: Vec<u8>) {
        if command_line::parse_line(&line).is_none() {
            return;
        }
        if self.session.answered() {
            // Its own result completed it and the host went on: no final result was to come.
            self.session.finish_by_result();
            self.awaited = None;
        }
        if self.session.pending_line().is_some() {
            self.queue.push_back(line);
        } else {
            self.begin(line);
        }
    }

    fn begin(&mut self, line: Vec<u8>) {
        let commands = command_line::parse_line(&line).unwrap_or_default();
        self.typed.clear();
        self.awaited = commands
            .iter()
            .filter_map(|command| self.grammar.awaited(command))
            .find(|(_, late)| *late)
            .map(|(awaited, _)| awaited);
        let request = Request { line, input: Input::None, awaits: self.awaited };
        // Refused only for control characters, which no recorded command line holds; then nothing is pending either.
        let _ = self.session.send(request, self.now);
        self.collect();
    }

    fn collect(&mut self) {
        while self.session.poll_transmit().is_some() {}
        while let Some(event) = self.session.poll_event() {
            self.note(&event);
            self.events.push_back(event_json(&event));
        }
        if self.session.pending_line().is_none()
            && let Some(next) = self.queue.pop_front()
        {
            self.begin(next);
        }
    }

    /// Keeps count of what the module still owes.
    fn note(&mut self, event: &Event) {
        match event {
            Event::Final(FinalResult::Ok) => self.late.extend(self.awaited.take()),
            Event::Final(_) => self.awaited = None,
            Event::Result { op, client, msgid, .. } => {
                if self.awaited.is_some_and(|awaited| awaited.fits(*op, *client, *msgid)) {
                    self.awaited = None;
                } else if let Some(place) = self.late.iter().position(|late| late.fits(*op, *client, *msgid)) {
                    self.late.remove(place);
                }
            }
            Event::Lost { client, .. } | Event::Ping { client, .. } => {
                self.late.retain(|late| late.client != Some(*client));
            }
            Event::BearerLost => self.late.clear(),
            Event::Restarted | Event::Gone => {
                self.late.clear();
                self.queue.clear();
                self.awaited = None;
            }
            _ => {}
        }
    }

    fn finish(&mut self) {
        self.session.finish();
        self.collect();
        let host_owes = self.session.state() == TeState::SendPayload;
        let unanswered = self.session.pending_line().is_some() && !self.session.answered() && !host_owes;
        let count = usize::from(unanswered) + self.queue.len() + self.late.len();
        self.events.extend((0..count).map(|_| timeout_json()));
    }
}

/// The grammar of the header's dialect or family; both at once where neither tells.
pub fn grammar_of(header: &Header) -> &'static Grammar {
    let known = header.dialect.as_deref().and_then(|id| dialect::catalogue().get(id)).map(|dialect| dialect.family);
    let family = known.or(match header.family.as_deref() {
        Some("ec" | "bg9x" | "bc") => Some(Family::Qmt),
        Some("sim7600" | "a76xx" | "sim7028") => Some(Family::Cmqtt),
        _ => None,
    });
    family.map_or_else(grammars::any, grammars::grammar)
}
