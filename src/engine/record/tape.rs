//! The file of a recording: its header, and every byte in both directions with its time, secrets covered.

use std::fs::File;
use std::io;
use std::io::BufWriter;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use crate::engine::clock;
use crate::engine::talk::file_name;
use crate::transcript::Direction;
use crate::transcript::Entry;
use crate::transcript::Header;
use crate::transcript::redact::Redactor;

/// The header waits for the module's first answer, which shows whether it echoes; for no more bytes than this.
const FIRST_WORDS: usize = 16 * 1024;

/// A transcript that is being written.
pub struct Tape {
    path: PathBuf,
    out: BufWriter<File>,
    origin: Instant,
    last: Duration,
    redactor: Redactor,
    /// What was said before the header is written.
    waiting: Option<FirstWords>,
    /// Bytes of the host and of the module.
    counts: (u64, u64),
    fault: Option<io::Error>,
}

/// The talk up to the first answer.
struct FirstWords {
    header: Header,
    entries: Vec<Entry>,
    /// The host's first line.
    sent: Vec<u8>,
    /// What the module said since its first byte.
    received: Vec<u8>,
}

impl FirstWords {
    /// The first command line, once it is complete; an empty one is none.
    fn line(&self) -> Option<&[u8]> {
        self.sent.split(|byte| *byte == b'\r').map(<[u8]>::trim_ascii).find(|line| !line.is_empty())
    }

    /// Whether enough was said to know if the module echoes.
    fn is_over(&self) -> bool {
        let answered = self.sent.contains(&b'\r') && self.line().is_some() && self.received.contains(&b'\n');
        answered || self.sent.len() + self.received.len() >= FIRST_WORDS
    }
}

impl Tape {
    /// A new file, never one that is there: this one, or one named after port and time in this folder.
    pub fn create(to: &Path, port: &str, header: Header) -> io::Result<Tape> {
        let path = if to.is_dir() { to.join(file_name(port)) } else { to.to_path_buf() };
        let out = BufWriter::new(File::create_new(&path)?);
        let waiting = FirstWords { header, entries: Vec::new(), sent: Vec::new(), received: Vec::new() };
        Ok(Tape {
            path,
            out,
            origin: clock::now(),
            last: Duration::ZERO,
            redactor: Redactor::new(),
            waiting: Some(waiting),
            counts: (0, 0),
            fault: None,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the host and of the module so far.
    pub fn counts(&self) -> (u64, u64) {
        self.counts
    }

    /// Bytes went.
    pub fn put(&mut self, dir: Direction, bytes: &[u8], now: Instant) {
        self.last = now.saturating_duration_since(self.origin);
        let covered = match dir {
            Direction::Tx => {
                self.counts.0 += bytes.len() as u64;
                self.redactor.tx(bytes)
            }
            Direction::Rx => {
                self.counts.1 += bytes.len() as u64;
                self.redactor.rx(bytes)
            }
        };
        self.entry(dir, covered);
        if let Some(words) = &mut self.waiting {
            match dir {
                Direction::Tx => words.sent.extend(bytes),
                Direction::Rx if words.line().is_some() => words.received.extend(bytes),
                Direction::Rx => {}
            }
            if words.is_over() {
                self.begin();
            }
        }
    }

    /// What was written so far is in the file.
    pub fn flush(&mut self) {
        let outcome = self.out.flush();
        self.check(outcome);
    }

    /// Nothing more will be said. The error is the first there was.
    pub fn finish(mut self) -> io::Result<()> {
        self.begin();
        let (sent, received) = self.redactor.flush();
        self.entry(Direction::Tx, sent);
        self.entry(Direction::Rx, received);
        self.flush();
        self.fault.map_or(Ok(()), Err)
    }

    fn begin(&mut self) {
        let Some(mut words) = self.waiting.take() else { return };
        let line = words.line().map(<[u8]>::to_vec);
        words.header.echo = line.is_some_and(|line| memchr::memmem::find(&words.received, &line).is_some());
        self.write(&words.header.to_line());
        for entry in words.entries {
            self.write(&entry.to_line());
        }
    }

    fn entry(&mut self, dir: Direction, data: Vec<u8>) {
        if data.is_empty() {
            return;
        }
        let entry = Entry { t: self.last.as_secs_f64(), dir, data };
        match &mut self.waiting {
            Some(words) => words.entries.push(entry),
            None => self.write(&entry.to_line()),
        }
    }

    fn write(&mut self, line: &str) {
        let outcome = self.out.write_all(line.as_bytes());
        self.check(outcome);
    }

    /// The talk goes on though the disk is full; its owner is told at the end.
    fn check(&mut self, outcome: io::Result<()>) {
        if let Err(error) = outcome
            && self.fault.is_none()
        {
            log::error!(target: "modemrig::engine", "{} cannot be written: {error}", self.path.display());
            self.fault = Some(error);
        }
    }
}
