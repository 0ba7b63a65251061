//! One line and what it means: final result, late result, URC, word; plain values out, no state in.
//!
//! Whether the pending command claims the line as its information response is `te`'s decision and comes first.

use crate::proto::FinalResult;
use crate::proto::Op;
use crate::proto::command_line;
use crate::proto::command_line::Arg;
use crate::proto::grammar::Grammar;
use crate::proto::grammar::LineKind;
use crate::proto::grammar::Shape;
use crate::proto::grammar::WordKind;
use crate::proto::seen::Seen;

/// A line taken apart.
pub(super) struct Line<'a> {
    /// The whole line.
    pub text: &'a [u8],
    /// `+QMTOPEN`, `*ATREADY`; empty where the line has no prefix.
    pub name: &'a str,
    /// What the grammar says of the prefix.
    pub kind: Option<LineKind>,
    /// The fields behind the colon.
    pub fields: Vec<Arg>,
}

/// A late result or a progress notice, read from its line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub op: Op,
    pub client: Option<u8>,
    pub msgid: Option<u16>,
    pub code: i32,
    pub values: Vec<i32>,
    /// The packet was sent again; the request stays pending.
    pub notice: bool,
}

impl<'a> Line<'a> {
    pub fn read(text: &'a [u8], grammar: &Grammar) -> Line<'a> {
        let prefixed = matches!(text.first(), Some(b'+' | b'*' | b'^' | b'$' | b'%' | b'#'));
        let end = memchr::memchr(b':', text).unwrap_or(text.len());
        let name = std::str::from_utf8(&text[..end]).ok().filter(|_| prefixed).unwrap_or("").trim_end();
        let kind = if name.is_empty() { None } else { grammar.line(name.as_bytes()) };
        let fields = if end < text.len() { command_line::fields(&text[end + 1..]) } else { Vec::new() };
        Line { text, name, kind, fields }
    }

    /// The prefix without its sign.
    pub fn bare_name(&self) -> String {
        self.name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).to_string()
    }

    /// The fields as numbers, if all of them are.
    pub fn numbers(&self) -> Option<Vec<i32>> {
        self.fields.iter().map(|field| field.number().and_then(|n| i32::try_from(n).ok())).collect()
    }

    /// The first field, where it can be a client.
    pub fn client(&self) -> Option<u8> {
        self.fields.first().and_then(Arg::number).and_then(|n| u8::try_from(n).ok())
    }

    /// The late result this line is; `None` where its fields do not fit the shape.
    pub fn outcome(&self) -> Option<Outcome> {
        let (op, shape) = match self.kind {
            Some(LineKind::Result { op, shape }) => (op, shape),
            Some(LineKind::Retry(op)) => (op, Shape::ClientMsgid),
            _ => return None,
        };
        let numbers = match shape {
            // A text may follow the code.
            Shape::Code => vec![self.fields.first().and_then(Arg::number).and_then(|n| i32::try_from(n).ok())?],
            _ => self.numbers()?,
        };
        let client = || u8::try_from(*numbers.first()?).ok();
        let values = |from: usize| numbers.get(from..).unwrap_or_default().to_vec();
        let outcome = match shape {
            Shape::Code => {
                Outcome { op, client: None, msgid: None, code: *numbers.first()?, values: values(1), notice: false }
            }
            Shape::ClientCode | Shape::ClientCodeNotice => {
                let code = *numbers.get(1)?;
                let notice = shape == Shape::ClientCodeNotice && code == 1;
                Outcome { op, client: Some(client()?), msgid: None, code, values: values(2), notice }
            }
            Shape::ClientMsgid => {
                let msgid = u16::try_from(*numbers.get(1)?).ok()?;
                let code = *numbers.get(2)?;
                let notice = code == 1 || matches!(self.kind, Some(LineKind::Retry(_)));
                Outcome { op, client: Some(client()?), msgid: Some(msgid), code, values: values(3), notice }
            }
        };
        Some(outcome)
    }
}

/// The final result code this line is.
pub(super) fn final_result(text: &[u8], numeric: bool) -> Option<FinalResult> {
    match text {
        b"OK" => return Some(FinalResult::Ok),
        b"ERROR" | b"NO CARRIER" | b"NO ANSWER" | b"NO DIALTONE" | b"BUSY" | b"COMMAND NOT SUPPORT" => {
            return Some(FinalResult::Error);
        }
        b"0" if numeric => return Some(FinalResult::Ok),
        b"3" | b"4" | b"6" | b"7" | b"8" if numeric => return Some(FinalResult::Error),
        _ => {}
    }
    let code = |rest: &[u8]| String::from_utf8_lossy(rest.trim_ascii()).into_owned();
    if let Some(rest) = text.strip_prefix(b"+CME ERROR:") {
        return Some(FinalResult::Cme(code(rest)));
    }
    text.strip_prefix(b"+CMS ERROR:").map(|rest| FinalResult::Cms(code(rest)))
}

/// What a line without a prefix means.
pub(super) fn word(text: &[u8], grammar: &Grammar) -> Option<WordKind> {
    grammar.word(text.trim_ascii())
}

/// Whether the memory dump of a boot loader begins here, as far as its first group tells.
pub(super) fn begins_as_boot_text(rest: &[u8]) -> Seen<()> {
    let fits = |(at, byte): (usize, &u8)| match at {
        2 => *byte == b':',
        3 => *byte == b' ',
        0 | 1 => byte.is_ascii_alphanumeric(),
        _ => byte.is_ascii_hexdigit(),
    };
    match rest.iter().take(8).enumerate().all(fits) {
        true if rest.len() >= 8 => Seen::Yes(()),
        true => Seen::More,
        false => Seen::No,
    }
}

/// Memory dump of a boot loader: two signs, a colon, groups of hexadecimal digits.
pub(super) fn is_boot_text(text: &[u8]) -> bool {
    let hex = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b' ' | b'[' | b']');
    text == b"Leaving the BROM" || text.len() >= 8 && text[2] == b':' && text[3] == b' ' && text[4..].iter().all(hex)
}
