//! A meter reader with an EC200U, as Rust programs on an AT client crate are written: the bytes are digested frame by frame,
//! `\r\nOK\r\n`, a prompt of exactly `\r\n> `, `\r\n+NAME: fields\r\n`; what does not fit is an error, not passed over.
//! Usage: ec200u_digest PORT

use std::fs::File;
use std::fs::OpenOptions;
use std::io::Read;
use std::io::Write;
use std::process::Command;
use std::process::exit;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::channel;
use std::time::Duration;
use std::time::Instant;

#[derive(Clone, Debug, PartialEq)]
enum Frame {
    Ok,
    Error,
    Prompt,
    /// An information line or a notice, without its frame.
    Line(String),
}

fn fail(step: &str, got: impl std::fmt::Debug) -> ! {
    eprintln!("{step}: not as expected: {got:?}");
    exit(1)
}

/// The first frame of these bytes and its length; `None` while it is not complete.
fn digest(bytes: &[u8]) -> Option<(Frame, usize)> {
    let inner = bytes.strip_prefix(b"\r\n")?;
    // A prompt has no end: it is one as soon as its blank is there.
    if inner.starts_with(b"> ") {
        return Some((Frame::Prompt, 4));
    }
    let end = inner.windows(2).position(|pair| pair == b"\r\n")?;
    let text = String::from_utf8_lossy(&inner[..end]).into_owned();
    let frame = match text.as_str() {
        "OK" => Frame::Ok,
        "ERROR" => Frame::Error,
        _ => Frame::Line(text),
    };
    Some((frame, end + 4))
}

struct Client {
    port: File,
    bytes: Receiver<Vec<u8>>,
    buffer: Vec<u8>,
    notices: Vec<String>,
}

impl Client {
    fn open(path: &str) -> Client {
        // The standard library has no serial lines; stty sets the port up.
        let raw = Command::new("stty").args(["-F", path, "raw", "-echo", "115200"]).status();
        if !raw.is_ok_and(|status| status.success()) {
            fail("stty", path);
        }
        let port = OpenOptions::new().read(true).write(true).open(path).unwrap_or_else(|error| fail("open", error));
        let mut reader = port.try_clone().unwrap_or_else(|error| fail("open", error));
        let (send, bytes) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let _ = send.send(buffer[..count].to_vec());
            }
        });
        Client { port, bytes, buffer: Vec::new(), notices: Vec::new() }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.port.write_all(bytes).unwrap_or_else(|error| fail("write", error));
    }

    fn frame(&mut self, until: Instant) -> Option<Frame> {
        loop {
            if let Some((frame, length)) = digest(&self.buffer) {
                self.buffer.drain(..length);
                return Some(frame);
            }
            if !self.buffer.is_empty() && !self.buffer.starts_with(b"\r") {
                fail("a frame", String::from_utf8_lossy(&self.buffer));
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.bytes.recv_timeout(left) {
                Ok(more) => self.buffer.extend(more),
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => fail("read", "the port is gone"),
            }
        }
    }

    /// Sends a command; the lines in front of `OK`.
    fn send(&mut self, command: &str, ms: u64) -> Vec<String> {
        self.write(format!("AT{command}\r\n").as_bytes());
        self.answer(command, Frame::Ok, ms)
    }

    fn answer(&mut self, command: &str, wanted: Frame, ms: u64) -> Vec<String> {
        let until = Instant::now() + Duration::from_millis(ms);
        let mut lines = Vec::new();
        loop {
            match self.frame(until) {
                Some(frame) if frame == wanted => return lines,
                Some(Frame::Line(line)) if is_notice(&line) => self.notices.push(line),
                Some(Frame::Line(line)) => lines.push(line),
                other => fail(command, (other, lines)),
            }
        }
    }

    fn notice(&mut self, wanted: &str) {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(place) = self.notices.iter().position(|notice| notice == wanted) {
                self.notices.remove(place);
                return;
            }
            match self.frame(until) {
                Some(Frame::Line(line)) => self.notices.push(line),
                other => fail(wanted, (other, &self.notices)),
            }
        }
    }
}

fn is_notice(line: &str) -> bool {
    line.starts_with("+QMT") || line.starts_with("+QIURC")
}

fn main() {
    let path = std::env::args().nth(1).unwrap_or_else(|| exit(2));
    let mut client = Client::open(&path);
    // Echo does not fit any frame: the first answer is thrown away with it.
    client.write(b"ATE0\r\n");
    let until = Instant::now() + Duration::from_secs(10);
    while !client.buffer.ends_with(b"OK\r\n") {
        match client.bytes.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(more) => client.buffer.extend(more),
            Err(error) => fail("ATE0", error),
        }
    }
    client.buffer.clear();
    client.send("", 1000);
    client.send("+CFUN=1", 15000);
    let pin = client.send("+CPIN?", 1000);
    let imei = client.send("+GSN", 300);
    if pin != ["+CPIN: READY"] || imei.len() != 1 || imei[0].len() != 15 {
        fail("SIM and IMEI", (pin, imei));
    }
    for command in ["+QCCID", "+QNWINFO", "+QCSQ", "+CEREG?", "+CGREG?"] {
        if client.send(command, 300).len() != 1 {
            fail(command, "not one line");
        }
    }
    client.send("+QICSGP=1,1,\"internet\",\"\",\"\",0", 300);
    client.send("+QMTCFG=\"version\",0,4", 300);
    client.send("+QMTCFG=\"recv/mode\",0,0,1", 300);
    client.send("+QMTOPEN=0,\"broker.example\",1883", 300);
    client.notice("+QMTOPEN: 0,0");
    client.send("+QMTCONN=0,\"meter\",\"user\",\"password\"", 5000);
    client.notice("+QMTCONN: 0,0,0");
    client.send("+QMTSUB=0,1,\"meter/5\",2", 5000);
    client.notice("+QMTSUB: 0,1,0,2");
    let payload = "{\"kWh\": 1234.5}";
    let command = format!("+QMTPUBEX=0,7,2,0,\"meter/5\",{}", payload.len());
    client.write(format!("AT{command}\r\n").as_bytes());
    client.answer(&command, Frame::Prompt, 1000);
    client.write(payload.as_bytes());
    client.answer(&command, Frame::Ok, 1000);
    client.notice("+QMTPUBEX: 0,7,0");
    let until = Instant::now() + Duration::from_secs(10);
    let message = loop {
        if let Some(place) = client.notices.iter().position(|notice| notice.starts_with("+QMTRECV: ")) {
            break client.notices.remove(place);
        }
        match client.frame(until) {
            Some(Frame::Line(line)) => client.notices.push(line),
            other => fail("+QMTRECV", other),
        }
    };
    if !message.ends_with(&format!(",\"meter/5\",{},\"{payload}\"", payload.len())) {
        fail("+QMTRECV", message);
    }
    client.send("+QMTUNS=0,8,\"meter/5\"", 5000);
    client.notice("+QMTUNS: 0,8,0");
    client.send("+QMTDISC=0", 300);
    client.notice("+QMTDISC: 0,0");
    println!("ec200u_digest: passed");
}
