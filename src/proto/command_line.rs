//! A command line taken apart: commands between `;`, names, forms, arguments. Pure text work, used by both ends; it does
//! not know which commands exist.

use std::borrow::Cow;

/// How a command is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// `+X=?`
    Test,
    /// `+X?`
    Read,
    /// `+X=…`
    Write,
    /// `+X`
    Execute,
}

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arg {
    /// Nothing between two commas.
    Empty,
    /// A decimal number.
    Number(i64),
    /// Between quotation marks, without them.
    Text(Vec<u8>),
    /// Anything else, blanks around it removed.
    Bare(Vec<u8>),
}

/// One command of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedCommand {
    /// Upper case: `+QMTOPEN`, or the letters of a basic command: `E`, `&F`.
    pub name: String,
    /// How it is written; a basic command is `Execute` with its number as argument.
    pub form: Form,
    /// The arguments, in order.
    pub args: Vec<Arg>,
    /// The text behind the equals sign, untouched.
    pub raw: Vec<u8>,
}

impl Arg {
    /// The number, if it is one.
    pub fn number(&self) -> Option<i64> {
        match self {
            Arg::Number(value) => Some(*value),
            _ => None,
        }
    }

    /// The bytes of a quoted or bare text.
    pub fn text(&self) -> Option<&[u8]> {
        match self {
            Arg::Text(bytes) | Arg::Bare(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The value as it would stand on the wire, without quotation marks.
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Arg::Empty => Cow::Borrowed(b""),
            Arg::Number(value) => Cow::Owned(value.to_string().into_bytes()),
            Arg::Text(bytes) | Arg::Bare(bytes) => Cow::Borrowed(bytes),
        }
    }

    /// Whether it is this key; keys are case-insensitive.
    pub fn is_key(&self, key: &str) -> bool {
        self.text().is_some_and(|text| text.eq_ignore_ascii_case(key.as_bytes()))
    }
}

impl ParsedCommand {
    /// The last argument of an inline publish: everything between the quotation mark that opens argument `index` and the
    /// last one of the line, inner quotation marks included. Without quotation marks: the rest of the line.
    pub fn inline_payload(&self, index: usize) -> Option<&[u8]> {
        let mut at = 0;
        for _ in 0..index {
            at = argument_end(&self.raw, at) + 1;
        }
        let rest = trim(self.raw.get(at..)?);
        match rest.strip_prefix(b"\"") {
            Some(inner) => Some(&inner[..memchr::memrchr(b'"', inner).unwrap_or(inner.len())]),
            None => Some(rest),
        }
    }
}

/// Takes a command line apart; `line` is what follows `AT`, without CR. `None`: not a command line at all.
pub fn parse(line: &[u8]) -> Option<Vec<ParsedCommand>> {
    let mut commands = Vec::new();
    let mut at = 0;
    while at < line.len() {
        match line[at] {
            b' ' | b';' => at += 1,
            first if is_extended(first) => {
                let end = command_end(line, at);
                commands.push(extended(&line[at..end])?);
                at = end;
            }
            first if first.is_ascii_alphabetic() || first == b'&' => {
                let (command, end) = basic(line, at)?;
                commands.push(command);
                at = end;
            }
            _ => return None,
        }
    }
    Some(commands)
}

/// Takes a whole line apart, `AT` included, in either case.
pub fn parse_line(line: &[u8]) -> Option<Vec<ParsedCommand>> {
    let line = trim(line);
    let head = line.get(..2)?;
    if !head.eq_ignore_ascii_case(b"AT") {
        return None;
    }
    parse(&line[2..])
}

/// The fields of an information line or URC behind its colon.
pub fn fields(text: &[u8]) -> Vec<Arg> {
    let mut args = Vec::new();
    let mut at = 0;
    loop {
        let end = argument_end(text, at);
        args.push(argument(&text[at..end]));
        if end >= text.len() {
            return args;
        }
        at = end + 1;
    }
}

fn is_extended(byte: u8) -> bool {
    matches!(byte, b'+' | b'*' | b'^' | b'$' | b'%' | b'#')
}

/// Where the command that begins at `at` ends: at a `;` outside quotation marks, or with the line.
fn command_end(line: &[u8], at: usize) -> usize {
    let mut quoted = false;
    for (index, byte) in line.iter().enumerate().skip(at) {
        match byte {
            b'"' => quoted = !quoted,
            b';' if !quoted => return index,
            _ => {}
        }
    }
    line.len()
}

fn extended(text: &[u8]) -> Option<ParsedCommand> {
    let name_len =
        text.iter().skip(1).take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')).count() + 1;
    let name = String::from_utf8(text[..name_len].to_ascii_uppercase()).ok()?;
    let rest = trim(&text[name_len..]);
    let command = |form, args, raw: &[u8]| ParsedCommand { name, form, args, raw: raw.to_vec() };
    match rest.first() {
        None => Some(command(Form::Execute, Vec::new(), b"")),
        Some(b'?') if rest.len() == 1 => Some(command(Form::Read, Vec::new(), b"")),
        Some(b'=') => {
            let raw = &rest[1..];
            match trim(raw) {
                b"?" => Some(command(Form::Test, Vec::new(), b"")),
                _ => Some(command(Form::Write, fields(raw), raw)),
            }
        }
        Some(_) => None,
    }
}

/// A basic command: letters and a number (`E0`, `&F`, `I`), or an S register, which is kept as `S` with its text.
fn basic(line: &[u8], at: usize) -> Option<(ParsedCommand, usize)> {
    let letters = if line[at] == b'&' { 2 } else { 1 };
    let name = String::from_utf8(line.get(at..at + letters)?.to_ascii_uppercase()).ok()?;
    if name == "S" || name == "D" {
        let end = command_end(line, at);
        let raw = line[at + 1..end].to_vec();
        return Some((ParsedCommand { name, form: Form::Execute, args: vec![Arg::Bare(raw.clone())], raw }, end));
    }
    let mut end = at + letters;
    while line.get(end).is_some_and(u8::is_ascii_digit) {
        end += 1;
    }
    let digits = &line[at + letters..end];
    let args = if digits.is_empty() { Vec::new() } else { vec![argument(digits)] };
    Some((ParsedCommand { name, form: Form::Execute, args, raw: digits.to_vec() }, end))
}

/// Index of the comma that ends the argument beginning at `at`, or the length of the text.
fn argument_end(text: &[u8], at: usize) -> usize {
    let mut quoted = false;
    for (index, byte) in text.iter().enumerate().skip(at) {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => return index,
            _ => {}
        }
    }
    text.len()
}

fn argument(text: &[u8]) -> Arg {
    let text = trim(text);
    if text.is_empty() {
        return Arg::Empty;
    }
    if text.len() >= 2 && text[0] == b'"' && text[text.len() - 1] == b'"' {
        return Arg::Text(text[1..text.len() - 1].to_vec());
    }
    match std::str::from_utf8(text).ok().and_then(|digits| digits.parse().ok()) {
        Some(number) if text[0] != b'+' => Arg::Number(number),
        _ => Arg::Bare(text.to_vec()),
    }
}

fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::Arg;
    use super::Form;
    use super::parse;

    #[test]
    fn a_compound_line_is_cut_outside_quotes_only() {
        let commands = parse(b"E0;+QSSLCFG=\"a;b\", 2,,4;+csq").expect("well formed");
        assert_eq!(vec!["E", "+QSSLCFG", "+CSQ"], commands.iter().map(|c| c.name.as_str()).collect::<Vec<_>>());
        let expected = vec![Arg::Text(b"a;b".to_vec()), Arg::Number(2), Arg::Empty, Arg::Number(4)];
        assert_eq!(expected, commands[1].args);
        assert_eq!(Form::Execute, commands[2].form);
    }

    #[test]
    fn basic_commands_may_be_run_together() {
        let commands = parse(b"e0V1&F+CMEE=1").expect("well formed");
        assert_eq!(vec!["E", "V", "&F", "+CMEE"], commands.iter().map(|c| c.name.as_str()).collect::<Vec<_>>());
    }

    #[test]
    fn an_inline_payload_keeps_its_inner_quotes() {
        let commands = parse(b"+QMTPUBEX=0,3,1,0,\"a\",\"{\"k\":\"v\",\"s\":\"x, y\"}\"").expect("well formed");
        assert_eq!(Some(&b"{\"k\":\"v\",\"s\":\"x, y\"}"[..]), commands[0].inline_payload(5));
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(None, parse(b"+CSQ!"));
        assert_eq!(None, parse(b"?"));
    }
}
