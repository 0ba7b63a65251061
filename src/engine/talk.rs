//! What is said on a port: the ring at hand, and the transcript file when one was asked for. Secrets are covered before
//! anything leaves this file.

use std::fs::File;
use std::io;
use std::io::BufWriter;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use crate::engine::clock;
use crate::engine::trace::Direction;
use crate::engine::trace::Record;
use crate::engine::trace::Ring;
use crate::transcript;
use crate::transcript::Entry;
use crate::transcript::Header;
use crate::transcript::redact::Redactor;

/// The record of a port.
pub struct Talk {
    origin: Instant,
    /// What was sent is covered in it already, what was received is not yet.
    ring: Ring,
    redactor: Redactor,
    file: Option<Transcript>,
    path: Option<PathBuf>,
}

struct Transcript {
    out: BufWriter<File>,
    /// What was said before the module had said who it is: the header comes first in the file.
    waiting: Option<Vec<Entry>>,
    last: Duration,
    failed: bool,
}

impl Talk {
    /// A record that begins now, of a port of this name; `to` is a file, or a folder that gets one.
    pub fn new(port: &str, to: Option<&Path>) -> io::Result<Talk> {
        let mut talk =
            Talk { origin: clock::now(), ring: Ring::default(), redactor: Redactor::new(), file: None, path: None };
        if let Some(to) = to {
            let path = if to.is_dir() { to.join(file_name(port)) } else { to.to_path_buf() };
            let out = BufWriter::new(File::create(&path)?);
            talk.file = Some(Transcript { out, waiting: Some(Vec::new()), last: Duration::ZERO, failed: false });
            talk.path = Some(path);
        }
        Ok(talk)
    }

    /// When it began.
    pub fn origin(&self) -> Instant {
        self.origin
    }

    /// Bytes went.
    pub fn put(&mut self, now: Instant, direction: Direction, bytes: &[u8]) {
        let at = now.saturating_duration_since(self.origin);
        match direction {
            Direction::Sent => {
                let covered = self.redactor.tx(bytes);
                self.ring.put(at, direction, &covered);
                if let Some(file) = &mut self.file {
                    file.put(at, direction, covered);
                }
            }
            Direction::Received => {
                self.ring.put(at, direction, bytes);
                if let Some(file) = &mut self.file {
                    file.put(at, direction, self.redactor.rx(bytes));
                }
            }
        }
    }

    /// The module has said who it is: the transcript gets its header.
    pub fn header(&mut self, header: &Header) {
        if let Some(file) = &mut self.file {
            file.header(header);
        }
    }

    /// The newest records, secrets covered: all since this time, and at least so many.
    pub fn records(&self, since: Duration, least: usize) -> Vec<Record> {
        let mut redactor = self.redactor.listening_anew();
        let mut shown: Vec<Record> = self.ring.records(since, least);
        for record in shown.iter_mut().filter(|record| record.direction == Direction::Received) {
            record.bytes = redactor.rx(&record.bytes);
        }
        let (sent, received) = redactor.flush();
        let at = shown.last().map(|record| record.at).unwrap_or_default();
        for (direction, bytes) in [(Direction::Sent, sent), (Direction::Received, received)] {
            let length = bytes.len();
            shown.push(Record { at, direction, bytes, length });
        }
        shown.retain(|record| !record.bytes.is_empty());
        shown
    }

    /// The newest records, from this time on, in the transcript's form.
    pub fn entries(&self, since: Duration) -> Vec<String> {
        let records = self.records(since, 0).into_iter().filter(|record| record.at >= since);
        let entries = records.map(|record| entry(record.at, record.direction, record.bytes));
        entries.map(|entry| entry.to_line().trim_end().to_owned()).collect()
    }

    /// Where the transcript is.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Nothing more will be said.
    pub fn finish(&mut self) {
        if let Some(mut file) = self.file.take() {
            file.finish(&mut self.redactor);
        }
    }
}

impl Transcript {
    fn put(&mut self, at: Duration, direction: Direction, covered: Vec<u8>) {
        self.last = at;
        self.entry(entry(at, direction, covered));
    }

    fn entry(&mut self, entry: Entry) {
        if entry.data.is_empty() {
            return;
        }
        match &mut self.waiting {
            Some(waiting) => waiting.push(entry),
            None => self.write(&entry.to_line()),
        }
    }

    fn header(&mut self, header: &Header) {
        if let Some(waiting) = self.waiting.take() {
            self.write(&header.to_line());
            for entry in waiting {
                self.write(&entry.to_line());
            }
        }
    }

    fn write(&mut self, line: &str) {
        if let Err(error) = self.out.write_all(line.as_bytes())
            && !std::mem::replace(&mut self.failed, true)
        {
            log::error!(target: "modemrig::engine", "the transcript cannot be written: {error}");
        }
    }

    fn finish(&mut self, redactor: &mut Redactor) {
        self.header(&Header { redacted: true, ..Header::default() });
        let (sent, received) = redactor.flush();
        self.entry(entry(self.last, Direction::Sent, sent));
        self.entry(entry(self.last, Direction::Received, received));
        if let Err(error) = self.out.flush()
            && !self.failed
        {
            log::error!(target: "modemrig::engine", "the transcript cannot be written: {error}");
        }
    }
}

fn entry(at: Duration, direction: Direction, data: Vec<u8>) -> Entry {
    let dir = match direction {
        Direction::Sent => transcript::Direction::Tx,
        Direction::Received => transcript::Direction::Rx,
    };
    Entry { t: at.as_secs_f64(), dir, data }
}

/// `ttyUSB2-1763699999123.jsonl`
pub fn file_name(port: &str) -> String {
    let stem: String = port.rsplit('/').next().unwrap_or(port).chars().map(safe).collect();
    format!("{stem}-{}.jsonl", clock::wall().as_millis())
}

fn safe(letter: char) -> char {
    if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '_' }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_port_and_time() {
        let name = file_name("virtual:ecx00u_egx00u");
        assert!(name.starts_with("virtual_ecx00u_egx00u-") && name.ends_with(".jsonl"), "{name}");
    }
}
