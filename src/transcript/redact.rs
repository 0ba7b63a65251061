//! Secrets out of the recorded bytes: each byte of a password, device secret or uploaded file becomes `*`, nothing moves.
//!
//! Which parameters are secret is the catalogue's word, all dialects together, because a port is recorded before its
//! dialect is known. It works on the byte stream of both directions, in any pieces; a piece that might still turn out to
//! be secret is held back until its line is complete, so `flush` must be called when the recording ends.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem;

use crate::dialect;
use crate::dialect::schema::Command;
use crate::proto::command_line;
use crate::proto::command_line::Arg;

/// Secrets shorter than this are covered where they stand in a line, but not looked for anywhere else: they would cover
/// half of the talk.
const SHORTEST_VALUE: usize = 6;

/// A line longer than this holds no secret of ours; it is let go.
const LONGEST_LINE: usize = 16 * 1024;

/// A line that may carry a secret.
#[derive(Debug)]
struct Place {
    /// `+QMTCFG`
    name: String,
    /// The first, quoted argument, lower case.
    key: Option<String>,
    /// Index of the secret among the arguments of the command.
    sent: Vec<usize>,
    /// Index of the secret among the fields of the answer.
    answered: Vec<usize>,
    /// How many fields such an answer has, where several shapes share the prefix.
    fields: Option<usize>,
    /// What stands there in another answer of as many fields, and is no secret: result codes.
    plain: Vec<String>,
}

static PLACES: LazyLock<Vec<Place>> = LazyLock::new(|| {
    let mut places = Vec::new();
    for dialect in dialect::catalogue().dialects() {
        for (name, command) in dialect.commands.iter().chain(&dialect.surroundings) {
            let names = std::iter::once(name).chain(&command.also);
            places.extend(names.flat_map(|name| places_of(name, command)));
        }
    }
    places
});

fn places_of(name: &str, command: &Command) -> Vec<Place> {
    let secret = |param: &String| command.params.get(param).is_some_and(|param| param.secret);
    let positions = |params: &[String], shift: usize| -> Vec<usize> {
        params.iter().enumerate().filter(|(_, param)| secret(param)).map(|(at, _)| at + shift).collect()
    };
    let bare = name.trim_start_matches("AT");
    let mut places = Vec::new();
    for variant in command.variants.values() {
        let shift = usize::from(variant.key.is_some());
        let sent = positions(&variant.params, shift);
        let answered = variant.query.as_ref().map(|query| positions(query, shift)).unwrap_or_default();
        if !sent.is_empty() || !answered.is_empty() {
            let key = variant.key.as_ref().map(|key| key.to_ascii_lowercase());
            places.push(Place { name: bare.to_string(), key, sent, answered, fields: None, plain: Vec::new() });
        }
    }
    for shape in command.read_reply.iter().chain(&command.result) {
        let answered = positions(shape, 0);
        if !answered.is_empty() {
            places.push(Place {
                name: bare.to_string(),
                key: None,
                sent: Vec::new(),
                answered,
                fields: Some(shape.len()),
                plain: codes_in(command, shape.len()),
            });
        }
    }
    places
}

/// The codes of results of so many fields.
fn codes_in(command: &Command, fields: usize) -> Vec<String> {
    let shapes = command.result.iter().filter(|shape| shape.len() == fields);
    let params = shapes.flatten().filter_map(|param| command.results.get(param));
    params.flat_map(|codes| codes.keys().cloned()).collect()
}

/// Covers secrets in the two byte streams of one port.
#[derive(Debug, Default)]
pub struct Redactor {
    /// Values seen in command lines, and uploaded files: covered wherever they come back.
    values: Vec<Vec<u8>>,
    sent: Stream,
    received: Stream,
    /// Bytes of an announced upload still to come.
    upload: usize,
    uploaded: Vec<u8>,
}

impl Redactor {
    /// Nothing seen yet.
    pub fn new() -> Redactor {
        Redactor::default()
    }

    /// One that knows what this one knows, and what the host has half written, but has not heard the module yet.
    pub fn listening_anew(&self) -> Redactor {
        Redactor { values: self.values.clone(), sent: self.sent.clone(), ..Redactor::default() }
    }

    /// Bytes of the host; what may be recorded of them now.
    pub fn tx(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for byte in bytes {
            if self.upload > 0 && !(self.uploaded.is_empty() && *byte == b'\n') {
                self.upload -= 1;
                self.uploaded.push(*byte);
                out.push(b'*');
                if self.upload == 0 {
                    self.values.push(std::mem::take(&mut self.uploaded));
                }
                continue;
            }
            if let Some(line) = self.sent.take(*byte, &mut out) {
                self.learn(&line);
            }
        }
        self.sent.let_go(&mut out);
        out
    }

    /// Bytes of the module; what may be recorded of them now.
    pub fn rx(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut covered = Vec::new();
        for byte in bytes {
            self.received.take(*byte, &mut covered);
        }
        self.received.let_go(&mut covered);
        self.received.values(&self.values, &covered, false)
    }

    /// The recording ends: what was held back, of the host and of the module.
    pub fn flush(&mut self) -> (Vec<u8>, Vec<u8>) {
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        self.sent.end(&mut sent);
        self.received.end(&mut received);
        let received = self.received.values(&self.values, &received, true);
        (sent, received)
    }

    /// A complete command line: its secrets will be looked for, and an upload it announces is covered.
    fn learn(&mut self, line: &[u8]) {
        for range in secret_ranges(line) {
            let value = &line[range];
            if value.len() >= SHORTEST_VALUE && !self.values.iter().any(|known| known == value) {
                self.values.push(value.to_vec());
            }
        }
        for command in command_line::parse_line(line).unwrap_or_default() {
            if matches!(command.name.as_str(), "+QFUPL" | "+CCERTDOWN") {
                let len = command.args.get(1).and_then(Arg::number).and_then(|len| usize::try_from(len).ok());
                self.upload = len.unwrap_or(0);
                self.uploaded.clear();
            }
        }
    }
}

/// A line with its secrets covered; for error messages and logs.
pub fn redact_line(line: &[u8]) -> Vec<u8> {
    let mut covered = line.to_vec();
    for range in secret_ranges(line) {
        covered[range].fill(b'*');
    }
    covered
}

/// The same for text; what people read in place of a reply.
pub fn cover(line: &str) -> String {
    String::from_utf8_lossy(&redact_line(line.as_bytes())).into_owned()
}

/// One direction: the line so far, and how much of it is out.
#[derive(Clone, Debug, Default)]
struct Stream {
    line: Vec<u8>,
    out: usize,
    /// Output that may be the beginning of a value.
    held: Vec<u8>,
}

impl Stream {
    /// Takes one byte; at a line end everything goes out, covered, and the line comes back.
    fn take(&mut self, byte: u8, out: &mut Vec<u8>) -> Option<Vec<u8>> {
        if !matches!(byte, b'\r' | b'\n') {
            self.line.push(byte);
            if self.line.len() >= LONGEST_LINE {
                self.end(out);
            }
            return None;
        }
        let line = self.end(out);
        out.push(byte);
        (!line.is_empty()).then_some(line)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Vec<u8> {
        let line = std::mem::take(&mut self.line);
        let from = std::mem::take(&mut self.out);
        out.extend(&redact_line(&line)[from..]);
        line
    }

    /// Lets go of what certainly is no secret: a line that names no place.
    fn let_go(&mut self, out: &mut Vec<u8>) {
        if !names_place(&self.line) {
            out.extend(&self.line[self.out..]);
            self.out = self.line.len();
        }
    }

    /// Covers known values; the end is held back while it may be the beginning of one.
    fn values(&mut self, values: &[Vec<u8>], bytes: &[u8], last: bool) -> Vec<u8> {
        let mut text = std::mem::take(&mut self.held);
        text.extend(bytes);
        for value in values {
            let places: Vec<_> = memmem::find_iter(&text, value).collect();
            for place in places {
                text[place..place + value.len()].fill(b'*');
            }
        }
        if !last {
            let held = values.iter().map(|value| overlap(&text, value)).max().unwrap_or(0);
            self.held = text.split_off(text.len() - held);
        }
        text
    }
}

/// Length of the longest end of `text` that is a beginning of `value`, shorter than it.
fn overlap(text: &[u8], value: &[u8]) -> usize {
    let most = text.len().min(value.len().saturating_sub(1));
    (1..=most).rev().find(|len| text.ends_with(&value[..*len])).unwrap_or(0)
}

fn names_place(line: &[u8]) -> bool {
    let upper = line.to_ascii_uppercase();
    PLACES.iter().any(|place| memmem::find(&upper, place.name.as_bytes()).is_some())
}

/// Where the secrets stand in a command line, its echo, or an answer.
fn secret_ranges(line: &[u8]) -> Vec<Range<usize>> {
    let upper = line.to_ascii_uppercase();
    let mut ranges = Vec::new();
    for place in PLACES.iter() {
        for found in memmem::find_iter(&upper, place.name.as_bytes()) {
            let at = found + place.name.len();
            let wanted = match line.get(at) {
                Some(b'=') => &place.sent,
                Some(b':') => &place.answered,
                _ => continue,
            };
            let args = argument_ranges(line, at + 1);
            let key = args.first().map(|range| line[range.clone()].to_ascii_lowercase());
            let fits = place.key.as_ref().is_none_or(|wanted| key.as_deref() == Some(wanted.as_bytes()));
            let fits = fits && place.fields.is_none_or(|fields| fields == args.len());
            if fits {
                let is_secret =
                    |range: &Range<usize>| !place.plain.iter().any(|code| code.as_bytes() == &line[range.clone()]);
                ranges.extend(wanted.iter().filter_map(|index| args.get(*index).cloned()).filter(is_secret));
            }
        }
    }
    ranges
}

/// The arguments from `at` on, without blanks and quotation marks, up to a `;` or the end.
fn argument_ranges(line: &[u8], at: usize) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = at;
    let mut quoted = false;
    for index in at..=line.len() {
        let byte = line.get(index).copied();
        if byte == Some(b'"') {
            quoted = !quoted;
        }
        // A quotation mark left open hides the rest of the line: better too much covered than too little.
        if byte.is_none() || !quoted && matches!(byte, Some(b',' | b';')) {
            let text = &line[start..index];
            let before = text.iter().take_while(|byte| matches!(byte, b' ' | b'"')).count();
            let after = text.iter().skip(before).rev().take_while(|byte| matches!(byte, b' ' | b'"')).count();
            ranges.push(start + before..index - after);
            start = index + 1;
            if byte == Some(b';') {
                break;
            }
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::Redactor;
    use super::redact_line;

    /// Both directions, in pieces of this size; the result as text.
    fn run(sent: &str, received: &str, piece: usize) -> (String, String) {
        let mut redactor = Redactor::new();
        let mut out = (Vec::new(), Vec::new());
        sent.as_bytes().chunks(piece).for_each(|bytes| out.0.extend(redactor.tx(bytes)));
        received.as_bytes().chunks(piece).for_each(|bytes| out.1.extend(redactor.rx(bytes)));
        let rest = redactor.flush();
        out.0.extend(rest.0);
        out.1.extend(rest.1);
        (String::from_utf8(out.0).expect("ASCII"), String::from_utf8(out.1).expect("ASCII"))
    }

    #[test]
    fn a_password_its_echo_and_its_return_are_covered_in_any_pieces() {
        let sent = "AT+QMTCONN=0,\"dev\",\"user\",\"s3cret!\"\r";
        let received = "AT+QMTCONN=0,\"dev\",\"user\",\"s3cret!\"\r\r\nOK\r\n\r\n+X: s3cret!\r\n+QMTCONN: 0,0,0\r\n";
        for piece in 1..received.len() {
            let (tx, rx) = run(sent, received, piece);
            assert_eq!("AT+QMTCONN=0,\"dev\",\"user\",\"*******\"\r", tx, "pieces of {piece}");
            let expected =
                "AT+QMTCONN=0,\"dev\",\"user\",\"*******\"\r\r\nOK\r\n\r\n+X: *******\r\n+QMTCONN: 0,0,0\r\n";
            assert_eq!(expected, rx, "pieces of {piece}");
        }
    }

    #[test]
    fn a_device_secret_is_covered_where_the_module_shows_it() {
        let line = b"+QMTCFG: \"aliauth\",\"key\",\"device\",\"abc\"";
        assert_eq!(b"+QMTCFG: \"aliauth\",\"key\",\"device\",\"***\"".to_vec(), redact_line(line));
        let line = b"at+qmtcfg=\"ALIAUTH\", 0,\"key\",\"device\",\"abc\";+CSQ";
        assert_eq!(b"at+qmtcfg=\"ALIAUTH\", 0,\"key\",\"device\",\"***\";+CSQ".to_vec(), redact_line(line));
    }

    #[test]
    fn other_families_have_their_secrets_covered_too() {
        for (line, expected) in [
            ("+QMTTENAUTH: 0,\"pw;x\"", "+QMTTENAUTH: 0,\"****\""),
            ("+QMTTENAUTH: pw", "+QMTTENAUTH: **"),
            ("+QMTTENAUTH: 5", "+QMTTENAUTH: 5"),
            ("AT+QMTENAUTH=\"p\",\"d\",\"c\",\"se,t\",60", "AT+QMTENAUTH=\"p\",\"d\",\"c\",\"****\",60"),
            ("AT+CMQTTCONNECT=0,\"tcp://h\",60,1,\"u\",\"p\"", "AT+CMQTTCONNECT=0,\"tcp://h\",60,1,\"u\",\"*\""),
        ] {
            assert_eq!(expected.as_bytes(), redact_line(line.as_bytes()));
        }
    }

    #[test]
    fn an_uploaded_file_and_its_echo_are_covered() {
        for piece in 1..30 {
            let (tx, rx) = run("AT+QFUPL=\"k.pem\",8\rPRIV\r\nKEAT\r", "CONNECT\r\nPRIV\r\nKE\r\nOK\r\n", piece);
            assert_eq!("AT+QFUPL=\"k.pem\",8\r********AT\r", tx);
            assert_eq!("CONNECT\r\n********\r\nOK\r\n", rx);
        }
    }
}
