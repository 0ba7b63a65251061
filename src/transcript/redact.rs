//! Secrets out of the recorded bytes: each byte of a password, device secret or uploaded file becomes `*`, nothing moves.
//!
//! Where they stand is said by `places`. It works on the byte stream of both directions, in any pieces; a piece that might
//! still turn out to be secret is held back until its line is complete, so `flush` must be called when the recording ends.

use memchr::memmem;

use crate::proto::command_line;
use crate::proto::command_line::Arg;
use crate::transcript::places::UPLOADS;
use crate::transcript::places::names_place;
use crate::transcript::places::secret_ranges;

/// Secrets shorter than this are covered where they stand in a line, but not looked for anywhere else: they would cover
/// half of the talk.
const SHORTEST_VALUE: usize = 6;

/// A line longer than this holds no secret of ours; it is let go.
const LONGEST_LINE: usize = 16 * 1024;

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
    refused: Refused,
}

/// Whether the module has refused an upload of which nothing has come.
#[derive(Clone, Copy, Debug, Default)]
enum Refused {
    #[default]
    No,
    Yes,
    /// And the host may have begun a command: its first letter, which is held back.
    Begun(u8),
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
            match self.refused {
                // The module has refused the upload; a host that goes on with a command does not send it.
                Refused::Yes if matches!(byte, b'A' | b'a') => self.refused = Refused::Begun(*byte),
                Refused::Begun(first) if matches!(byte, b'T' | b't') => {
                    self.upload = 0;
                    self.refused = Refused::No;
                    self.sent_byte(first, &mut out);
                    self.sent_byte(*byte, &mut out);
                }
                Refused::Begun(first) => {
                    self.refused = Refused::No;
                    self.sent_byte(first, &mut out);
                    self.sent_byte(*byte, &mut out);
                }
                Refused::Yes | Refused::No => self.sent_byte(*byte, &mut out),
            }
        }
        self.sent.let_go(&mut out);
        out
    }

    fn sent_byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        if self.upload == 0 || self.uploaded.is_empty() && byte == b'\n' {
            if let Some(line) = self.sent.take(byte, out) {
                self.learn(&line);
            }
            return;
        }
        if !matches!(byte, b'\r' | b'\n') {
            self.refused = Refused::No;
        }
        self.upload -= 1;
        self.uploaded.push(byte);
        out.push(b'*');
        if self.upload == 0 {
            // Blanks around it are no secret, and line ends are everywhere.
            let file = std::mem::take(&mut self.uploaded).trim_ascii().to_vec();
            if file.len() >= SHORTEST_VALUE {
                self.values.push(file);
            }
        }
    }

    /// Bytes of the module; what may be recorded of them now.
    pub fn rx(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut covered = Vec::new();
        for byte in bytes {
            if let Some(line) = self.received.take(*byte, &mut covered)
                && (line == b"ERROR" || line.starts_with(b"+CME ERROR"))
                && self.upload > 0
                && self.uploaded.is_empty()
            {
                self.refused = Refused::Yes;
            }
        }
        self.received.let_go(&mut covered);
        self.received.values(&self.values, &covered, false)
    }

    /// The recording ends: what was held back, of the host and of the module.
    pub fn flush(&mut self) -> (Vec<u8>, Vec<u8>) {
        let (mut sent, mut received) = (Vec::new(), Vec::new());
        if matches!(self.refused, Refused::Begun(_)) {
            sent.push(b'*');
        }
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
            if let Some((_, at)) = UPLOADS.iter().find(|(name, _)| *name == command.name) {
                let len = command.args.get(*at).and_then(Arg::number).and_then(|len| usize::try_from(len).ok());
                self.upload = len.unwrap_or(0);
                self.uploaded.clear();
                self.refused = Refused::No;
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
    fn an_upload_that_was_refused_hides_no_commands_but_a_file_that_comes_all_the_same() {
        for piece in 1..12 {
            for (then, expected) in [("AT+CSQ\r", "AT+CSQ\r"), ("ABCDE", "*****"), ("-----", "*****"), ("A", "*")] {
                let mut redactor = Redactor::new();
                let mut out = redactor.tx(b"AT+QFUPL=\"k.pem\",500\r");
                redactor.rx(b"\r\n+CME ERROR: 407\r\n");
                then.as_bytes().chunks(piece).for_each(|bytes| out.extend(redactor.tx(bytes)));
                out.extend(redactor.flush().0);
                assert_eq!(format!("AT+QFUPL=\"k.pem\",500\r{expected}"), String::from_utf8_lossy(&out));
            }
        }
    }

    #[test]
    fn a_short_file_is_covered_where_it_is_sent_and_nowhere_else() {
        let (tx, rx) = run("AT+QFUPL=\"k\",3\r\nOK", "CONNECT\r\n\r\nOK\r\n", 4);
        assert_eq!(("AT+QFUPL=\"k\",3\r\n**", "CONNECT\r\n\r\nOK\r\n"), (tx.as_str(), rx.as_str()));
    }

    #[test]
    fn secrets_that_no_document_of_ours_has_are_covered_too() {
        for (line, expected) in [
            ("AT+CPIN=\"1234\"", "AT+CPIN=\"****\""),
            ("AT+CPIN=1234", "AT+CPIN=****"),
            ("+CPIN: READY", "+CPIN: READY"),
            ("AT+CLCK=\"SC\",1,\"1234\"", "AT+CLCK=\"SC\",1,\"****\""),
            ("AT+CPWD=\"SC\",\"1234\",\"56789\"", "AT+CPWD=\"SC\",\"****\",\"*****\""),
            ("AT+CGAUTH=1,1,\"me\",\"pw\"", "AT+CGAUTH=1,1,\"**\",\"**\""),
            ("+CGAUTH: 1,1,\"me\",\"pw\"", "+CGAUTH: 1,1,\"**\",\"**\""),
            ("AT+QICSGP=1,1,\"apn\",\"me\",\"pw\",1", "AT+QICSGP=1,1,\"apn\",\"me\",\"**\",1"),
            ("AT+CSSLCFG=\"password\",0,\"pw\"", "AT+CSSLCFG=\"password\",0,\"**\""),
            ("AT+CSSLCFG=\"cacert\",0,\"ca.pem\"", "AT+CSSLCFG=\"cacert\",0,\"ca.pem\""),
        ] {
            assert_eq!(expected.as_bytes(), redact_line(line.as_bytes()), "{line}");
        }
        let (tx, _) = run("AT+CFTRANRX=\"c:/k.pem\",4\rPRIVAT\r", "", 3);
        assert_eq!("AT+CFTRANRX=\"c:/k.pem\",4\r****AT\r", tx);
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
