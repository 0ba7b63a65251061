//! The transcript file: header, entries, latin-1 text. Reading is strict about the form and generous about keys it does
//! not know: they are kept.

use std::fmt;
use std::io;
use std::io::BufRead;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

/// The version this code writes and reads.
const FORMAT: u32 = 1;

/// First line of a transcript. Every key but `format` may be absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the format: 1.
    pub format: u32,
    /// Catalogue id of the dialect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<String>,
    /// `any`, `ec`, `bg9x`, `bc`, `sim7600`, `a76xx`, `sim7028`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// Echo was on.
    #[serde(default)]
    pub echo: bool,
    /// Messages carried a length.
    #[serde(default)]
    pub len: bool,
    /// Payloads were hexadecimal.
    #[serde(default)]
    pub hex: bool,
    /// Result codes were numeric (ATV0).
    #[serde(default)]
    pub v0: bool,
    /// Payload the host wrote just before the first line, latin-1 text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<String>,
    /// Requests open when the recording began; with it, any other result is stale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Vec<PendingRequest>>,
    /// Secrets were replaced by `*` of the same length.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
    /// Keys of other writers, and `identity`.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A request open when the recording began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PendingRequest {
    /// `QMTPUB`, with or without `AT+`.
    pub cmd: String,
    /// The client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<u8>,
    /// The packet identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub msgid: Option<u16>,
}

impl Default for Header {
    fn default() -> Header {
        Header {
            format: FORMAT,
            dialect: None,
            family: None,
            echo: false,
            len: false,
            hex: false,
            v0: false,
            sent: None,
            pending: None,
            redacted: false,
            other: Map::new(),
        }
    }
}

impl Header {
    /// The line that begins a file, with its line end.
    pub fn to_line(&self) -> String {
        to_line(self)
    }
}

/// Which way the bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Host to module.
    Tx,
    /// Module to host.
    Rx,
}

/// Bytes of one read or write.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Seconds, monotonic, from any origin.
    pub t: f64,
    /// Which way.
    pub dir: Direction,
    /// The bytes.
    pub data: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    t: f64,
    dir: Direction,
    data: String,
}

impl Entry {
    /// The line of this entry, with its line end.
    pub fn to_line(&self) -> String {
        // Microseconds are enough and keep the lines short.
        let t = (self.t * 1e6).round() / 1e6;
        to_line(&Line { t, dir: self.dir, data: latin1(&self.data) })
    }
}

fn to_line(value: &impl Serialize) -> String {
    // Strings, numbers and maps with text keys always serialise.
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.push('\n');
    line
}

/// What is wrong with a file, and where.
#[derive(Debug)]
pub struct FormatError {
    /// Line number, from 1.
    pub line: usize,
    /// What was found.
    pub reason: String,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for FormatError {}

impl From<FormatError> for io::Error {
    fn from(error: FormatError) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}

/// Reads a transcript line by line.
pub struct Reader<R> {
    source: R,
    header: Header,
    /// The first line, where the file has no header.
    first: Option<Entry>,
    line: usize,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// A first line that is neither a header of this version nor an entry; a source that cannot be read.
    pub fn new(source: R) -> Result<Reader<R>, FormatError> {
        let mut reader = Reader { source, header: Header::default(), first: None, line: 0 };
        let Some(text) = reader.next_line()? else {
            return Ok(reader);
        };
        match reader.parse::<Header>(&text) {
            Ok(header) if header.format == FORMAT => reader.header = header,
            Ok(header) => {
                let reason = format!("format {} is not known here; this version reads {FORMAT}", header.format);
                return Err(FormatError { line: reader.line, reason });
            }
            Err(error) => match reader.entry(&text) {
                Ok(entry) => reader.first = Some(entry),
                Err(_) => return Err(error),
            },
        }
        Ok(reader)
    }

    /// The header; the default one where the file has none.
    pub fn header(&self) -> &Header {
        &self.header
    }

    fn next_line(&mut self) -> Result<Option<String>, FormatError> {
        loop {
            let mut text = String::new();
            self.line += 1;
            let read = self.source.read_line(&mut text);
            let unreadable = |error: io::Error| match error.kind() {
                io::ErrorKind::InvalidData => self.damaged("it is not UTF-8"),
                _ => FormatError { line: self.line, reason: error.to_string() },
            };
            match read.map_err(unreadable)? {
                0 => return Ok(None),
                _ if text.trim().is_empty() => {}
                _ => return Ok(Some(text)),
            }
        }
    }

    fn parse<T: for<'a> Deserialize<'a>>(&self, text: &str) -> Result<T, FormatError> {
        serde_json::from_str(text).map_err(|error| match error.is_eof() {
            true => self.damaged(&format!("it is cut off ({error})")),
            false => self.damaged(&format!("this is no line of a transcript ({error})")),
        })
    }

    /// An error that says what the rest of the file is worth: the first line tells whether it is a transcript at all.
    fn damaged(&self, what: &str) -> FormatError {
        let reason = match self.line {
            1 => what.to_string(),
            _ => format!("the file is damaged here: {what}; the lines before it are whole"),
        };
        FormatError { line: self.line, reason }
    }

    fn entry(&self, text: &str) -> Result<Entry, FormatError> {
        let Line { t, dir, data } = self.parse(text)?;
        let data = latin1_bytes(&data)
            .ok_or_else(|| self.damaged("data holds a character above U+00FF; bytes are written as latin-1 text"))?;
        Ok(Entry { t, dir, data })
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Entry, FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        match self.next_line() {
            Ok(Some(text)) => Some(self.entry(&text)),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

/// Bytes as latin-1 text: one character for each byte, of the same value.
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The bytes of a latin-1 text; `None` where a character is above U+00FF.
pub fn latin1_bytes(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}
