//! The line of a received message: `+NAME: client,msgid,"topic"[,length],payload`. The payload holds any bytes, so its end
//! is a matter of rules: length over quotation marks over line end, and a damage rule where they contradict each other.
//!
//! Called by the framer with everything from the name on; looks, does not consume.

use std::ops::Range;

use memchr::memchr;
use memchr::memmem;

use crate::proto::Delimiter;
use crate::proto::Message;
use crate::proto::framer::Context;
use crate::proto::framer::Frame;
use crate::proto::framer::Memory;
use crate::proto::framer::Silence;
use crate::proto::framer::Step;
use crate::proto::grammar::Setting;
use crate::proto::hex::from_hex;
use crate::proto::seen::Seen;
use crate::proto::seen::begins;

/// More digits than this are no length.
const LENGTH_DIGITS: usize = 6;

/// A topic is at most 65535 bytes long; what has no end by then is no message.
const LONGEST_HEADER: usize = 70_000;

/// What the header says; `at` is the first byte behind the comma that follows the topic.
struct Header {
    client: u8,
    msgid: u16,
    topic: Range<usize>,
    at: usize,
}

/// Looks at a message line; `at` is the first byte behind the colon.
pub(super) fn look(rest: &[u8], at: usize, context: &Context<'_>, silence: Silence, memory: &mut Memory) -> Step {
    if rest.len() < memory.need && silence < Silence::Long {
        return Step::More(Silence::Long);
    }
    let header = match header(rest, at, context, silence) {
        Seen::Yes(header) => header,
        Seen::More if rest.len() < LONGEST_HEADER && silence == Silence::None => return Step::More(Silence::Short),
        Seen::More if rest.len() < LONGEST_HEADER => return Step::More(Silence::None),
        Seen::More | Seen::No => return Step::Line,
    };
    let look = Look { rest, header, context, silence };
    let at = look.header.at;
    let digits = rest[at..].iter().take(LENGTH_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let after = at + digits;
    if digits > 0 && digits <= LENGTH_DIGITS {
        let length = rest[at..after].iter().fold(0, |value, digit| value * 10 + usize::from(digit - b'0'));
        let strict = context.settings.of(Setting::Length, look.header.client);
        match (rest.get(after), rest.get(after + 1)) {
            (None, _) if silence == Silence::None => return Step::More(Silence::Short),
            (Some(b','), None) if silence == Silence::None => return Step::More(Silence::Short),
            (Some(b'\r'), None) if silence == Silence::None => return Step::More(Silence::Short),
            (Some(b','), Some(first)) if strict || *first == b'"' => {
                if let Some(step) = look.counted(after + 1, length, strict, memory) {
                    return step;
                }
            }
            // The payload may stand on the next line. No line of a module begins with a quotation mark.
            (Some(b'\r'), Some(b'\n')) => match rest.get(after + 2) {
                None if !strict && silence == Silence::None => return Step::More(Silence::Short),
                next if strict || next == Some(&b'"') => {
                    if let Some(step) = look.counted(after + 2, length, strict, memory) {
                        return step;
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }
    match rest.get(at) {
        None if silence == Silence::None => Step::More(Silence::Short),
        Some(b'"') => look.quoted(at + 1, memory),
        _ => look.bare(at, memory),
    }
}

fn header(rest: &[u8], at: usize, context: &Context<'_>, silence: Silence) -> Seen<Header> {
    let mut at = at + rest[at..].iter().take_while(|byte| **byte == b' ').count();
    let client = match number(rest, &mut at) {
        Seen::Yes(client) => client,
        Seen::More => return Seen::More,
        Seen::No => return Seen::No,
    };
    let msgid = match number(rest, &mut at) {
        Seen::Yes(msgid) => msgid,
        Seen::More => return Seen::More,
        Seen::No => return Seen::No,
    };
    let (Ok(client), Ok(msgid)) = (u8::try_from(client), u16::try_from(msgid)) else {
        return Seen::No;
    };
    match rest.get(at) {
        None => return Seen::More,
        Some(b'"') => at += 1,
        Some(_) => return Seen::No,
    }
    let closing = match topic_end(rest, at, context.settings.of(Setting::Length, client), silence) {
        Seen::Yes(closing) => closing,
        Seen::More => return Seen::More,
        Seen::No => return Seen::No,
    };
    Seen::Yes(Header { client, msgid, topic: at..closing, at: closing + 2 })
}

/// A number and the comma behind it.
fn number(rest: &[u8], at: &mut usize) -> Seen<u32> {
    let digits = rest[*at..].iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
    let end = *at + digits;
    match rest.get(end) {
        None if digits < 6 => return Seen::More,
        Some(b',') if digits > 0 => {}
        _ => return Seen::No,
    }
    let value = rest[*at..end].iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    *at = end + 1 + rest[end + 1..].iter().take_while(|byte| **byte == b' ').count();
    Seen::Yes(value)
}

/// The quotation mark that ends the topic: the first one before a comma; with length reporting on, the first one before a
/// comma and a length, if there is one in this line.
fn topic_end(rest: &[u8], start: usize, counted: bool, silence: Silence) -> Seen<usize> {
    let mut first = None;
    let mut from = start;
    loop {
        let Some(quote) = memchr(b'"', &rest[from..]).map(|found| from + found) else {
            return match (memchr(b'\n', &rest[from..]), first) {
                (None, _) => Seen::More,
                (Some(_), Some(first)) => Seen::Yes(first),
                (Some(_), None) => Seen::No,
            };
        };
        if memchr(b'\n', &rest[from..quote]).is_some() {
            return first.map_or(Seen::No, Seen::Yes);
        }
        match (rest.get(quote + 1), first) {
            // The line may end with its payload, and nothing behind that tells (FIELD F11).
            (None, Some(first)) if silence > Silence::None => return Seen::Yes(first),
            (None, _) => return Seen::More,
            (Some(b','), _) if !counted => return Seen::Yes(quote),
            (Some(b','), _) => {
                let digits = rest[quote + 2..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                match rest.get(quote + 2 + digits) {
                    None => return Seen::More,
                    Some(b',' | b'\r') if digits > 0 => return Seen::Yes(quote),
                    Some(_) => first = first.or(Some(quote)),
                }
            }
            (Some(_), _) => {}
        }
        from = quote + 1;
    }
}

struct Look<'a> {
    rest: &'a [u8],
    header: Header,
    context: &'a Context<'a>,
    silence: Silence,
}

impl Look<'_> {
    /// A payload whose length was announced. `None`: the announcement was none (only where length reporting is off).
    fn counted(&self, at: usize, length: usize, strict: bool, memory: &mut Memory) -> Option<Step> {
        let body = &self.rest[at..];
        if self.context.settings.of(Setting::Hex, self.header.client) {
            match self.hex_digits(body, length) {
                Seen::Yes((payload, used)) => return Some(self.message(payload, Delimiter::Length, at + used)),
                Seen::More if self.silence < Silence::Long => return Some(Step::More(Silence::Long)),
                _ => {}
            }
        }
        if body.is_empty() && self.silence == Silence::None {
            return Some(Step::More(Silence::Long));
        }
        let quoted = body.first() == Some(&b'"');
        let end = usize::from(quoted) + length;
        // One byte behind the payload tells; a second one where the announcement itself is in doubt.
        let need = at + end + if strict { 1 } else { 2 };
        if self.rest.len() < need {
            let patience = if strict { Silence::Long } else { Silence::Short };
            if self.silence < patience {
                memory.need = if strict { need } else { 0 };
                return Some(Step::More(patience));
            }
            // The line end may be missing; the quotation mark is where the length says (FIELD F11).
            let is_whole = quoted && body.len() == end + 1 && body[end] == b'"';
            return match strict {
                true => Some(self.cut_short(at, body)),
                false if is_whole => Some(self.message(&body[1..end], Delimiter::Length, at + end + 1)),
                false => None,
            };
        }
        let payload = &body[usize::from(quoted)..end];
        match body[end] {
            b'"' if quoted && (strict || body[end + 1] == b'\r') => {
                Some(self.message(payload, Delimiter::Length, at + end + 1))
            }
            _ if !strict => None,
            next => Some(self.uncertain(at, body, quoted, length, next)),
        }
    }

    /// The byte behind a counted payload is no closing quotation mark.
    fn uncertain(&self, at: usize, body: &[u8], quoted: bool, length: usize, next: u8) -> Step {
        let end = usize::from(quoted) + length;
        if quoted && let Some(cut) = self.line_inside(&body[..=end]) {
            return self.damaged(at + cut);
        }
        // The module restarted in the middle of its line (FIELD F7).
        match self.context.grammar.restart_in(body, end) {
            Seen::Yes(cut) => return self.damaged(at + cut),
            Seen::More if self.silence < Silence::Long => return Step::More(Silence::Long),
            _ => {}
        }
        if quoted {
            // A payload without quotation marks may begin with one.
            if length > 0 && body[length] == b'\r' && body[length - 1] == b'"' {
                return self.message(&body[..length], Delimiter::Length, at + length);
            }
        }
        if matches!(next, b'\r' | b'\n' | b'+') {
            return self.message(&body[usize::from(quoted)..end], Delimiter::Length, at + end);
        }
        match memchr(b'\n', &body[end..]) {
            Some(line_end) => self.damaged(at + end + line_end + 1),
            None if self.silence == Silence::Long => self.damaged(self.rest.len()),
            None => Step::More(Silence::Long),
        }
    }

    /// The line went silent before the announced length was there.
    fn cut_short(&self, at: usize, body: &[u8]) -> Step {
        let quoted = body.first() == Some(&b'"');
        let inner = &body[usize::from(quoted).min(body.len())..];
        let cut = self.line_inside(body).or_else(|| memmem::find(inner, b"\r\n").map(|found| found + 2));
        self.damaged(cut.map_or(self.rest.len(), |cut| (at + cut).min(self.rest.len())))
    }

    /// The end of the first quotation mark and line end that a line start follows, inside these bytes alone.
    fn line_inside(&self, body: &[u8]) -> Option<usize> {
        let mut from = 1.min(body.len());
        while let Some(found) = memmem::find(&body[from..], b"\"\r\n").map(|found| from + found) {
            let next = skip_line_ends(body, found + 3);
            if next < body.len() && !matches!(line_start(&body[next..], self.context), Seen::No) {
                return Some(found + 3);
            }
            from = found + 1;
        }
        None
    }

    /// A payload in quotation marks, without a length; `at` is the first byte behind the opening one.
    fn quoted(&self, at: usize, memory: &mut Memory) -> Step {
        let mut from = memory.scanned.max(at);
        while let Some(quote) = memchr(b'"', &self.rest[from..]).map(|found| from + found) {
            let behind = &self.rest[quote + 1..];
            let start = match behind {
                [b'\r', b'\n', ..] => &self.rest[skip_line_ends(self.rest, quote + 3)..],
                [] | [b'\r'] => &[],
                // The line end may be missing before the next line.
                [b'+', ..] => behind,
                _ => {
                    from = quote + 1;
                    continue;
                }
            };
            match line_start(start, self.context) {
                Seen::Yes(()) => return self.message(&self.rest[at..quote], Delimiter::Quotes, quote + 1),
                Seen::More if self.silence == Silence::None => {
                    memory.scanned = quote;
                    return Step::More(Silence::Short);
                }
                Seen::More => return self.message(&self.rest[at..quote], Delimiter::Silence, quote + 1),
                Seen::No => from = quote + 1,
            }
        }
        memory.scanned = self.rest.len();
        if self.silence == Silence::None {
            return Step::More(Silence::Short);
        }
        self.unclosed(at)
    }

    /// Silence, and no closing quotation mark where one should be: the best of what is left.
    fn unclosed(&self, at: usize) -> Step {
        let text = &self.rest[at..];
        for end in [&b"\"\r\n\r\n"[..], b"\"\r\n"] {
            if let Some(found) = memmem::find(text, end) {
                return self.message(&text[..found], Delimiter::Silence, at + found + 1);
            }
        }
        match memmem::find(text, b"\r\n") {
            Some(found) => self.message(&text[..found], Delimiter::Line, at + found),
            // The line has not ended: silence inside it means nothing until it is very long.
            None if self.silence < Silence::Long => Step::More(Silence::Long),
            None => self.message(text, Delimiter::Silence, at + text.len()),
        }
    }

    /// A payload up to the line end.
    fn bare(&self, at: usize, memory: &mut Memory) -> Step {
        let from = memory.scanned.max(at);
        let end = memmem::find(&self.rest[from..], b"\r\n").map(|found| from + found);
        match end {
            Some(end) => self.message(&self.rest[at..end], Delimiter::Line, end),
            None if self.silence == Silence::Long => {
                let text = &self.rest[at..];
                let text = text.strip_suffix(b"\r").unwrap_or(text);
                self.message(text, Delimiter::Silence, self.rest.len())
            }
            None => {
                memory.scanned = self.rest.len().saturating_sub(1);
                Step::More(Silence::Long)
            }
        }
    }

    /// Hexadecimal digits whose number is the announced length or twice that.
    fn hex_digits<'b>(&self, body: &'b [u8], length: usize) -> Seen<(&'b [u8], usize)> {
        let open = usize::from(body.first() == Some(&b'"'));
        let digits = body[open.min(body.len())..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let end = open + digits;
        let fits = digits == 2 * length || digits == length;
        match body.get(end) {
            None if digits <= 2 * length => Seen::More,
            Some(b'"') if open == 1 && fits => Seen::Yes((&body[1..end], end + 1)),
            Some(b'\r') if fits => Seen::Yes((&body[open..end], end)),
            _ => Seen::No,
        }
    }

    fn message(&self, payload: &[u8], delimiter: Delimiter, used: usize) -> Step {
        let hex = self.context.settings.of(Setting::Hex, self.header.client);
        let decoded = if hex { from_hex(payload) } else { None };
        let message = Message {
            client: self.header.client,
            msgid: Some(self.header.msgid),
            topic: self.rest[self.header.topic.clone()].to_vec(),
            payload: decoded.unwrap_or_else(|| payload.to_vec()),
            delimiter,
        };
        Step::Frame(Frame::Message(message), used)
    }

    fn damaged(&self, used: usize) -> Step {
        let bytes = self.rest[..used].to_vec();
        Step::Frame(Frame::Damaged { client: Some(self.header.client), bytes }, used)
    }
}

fn skip_line_ends(rest: &[u8], at: usize) -> usize {
    at + rest[at.min(rest.len())..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

/// Whether a line of the module begins here: a prefix, a word the grammar knows, a result, an echo, a due prompt.
fn line_start(rest: &[u8], context: &Context<'_>) -> Seen<()> {
    let Some(first) = rest.first() else {
        return Seen::More;
    };
    let mut undecided = false;
    if matches!(first, b'+' | b'*' | b'^') {
        let name = rest[1..].iter().take_while(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || **b == b' ').count();
        match rest.get(1 + name) {
            None => undecided = true,
            Some(b':' | b'\r') if name >= 3 => return Seen::Yes(()),
            Some(_) => {}
        }
    }
    if *first == b'>' && context.prompt_due {
        return Seen::Yes(());
    }
    if context.numeric && first.is_ascii_digit() {
        match rest.get(1) {
            None => undecided = true,
            Some(b'\r') => return Seen::Yes(()),
            Some(_) => {}
        }
    }
    let words = context.grammar.words().map(str::as_bytes).chain([&b"OK"[..], b"ERROR", b"CONNECT", b"NO CARRIER"]);
    for word in words {
        match begins(rest, word) {
            Seen::Yes(()) => return Seen::Yes(()),
            Seen::More => undecided = true,
            Seen::No => {}
        }
    }
    match context.command.map(|command| begins(rest, command)) {
        Some(Seen::Yes(())) => return Seen::Yes(()),
        Some(Seen::More) => undecided = true,
        _ => {}
    }
    if undecided { Seen::More } else { Seen::No }
}
