//! A race timing box with a BG77, as asynchronous Rust drivers are written: the UART gives what came until it was idle, each
//! such piece is cut into lines, a prompt is the line `"> "` and nothing else, and a piece without a final result is an answer
//! of its own. Messages have a length, results are called `+QMTPUB`. Usage: bg77_chunks PORT

use std::fs::File;
use std::fs::OpenOptions;
use std::io::Read;
use std::io::Write;
use std::process::Command;
use std::process::exit;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::channel;
use std::time::Duration;
use std::time::Instant;

/// The UART has been still for so long: the piece is complete.
const IDLE: Duration = Duration::from_millis(10);

#[derive(Debug, PartialEq)]
enum FromModem {
    Ok,
    Error,
    Line(String),
    /// The piece ended without a final result.
    End,
}

struct Modem {
    port: File,
    events: Receiver<FromModem>,
    /// Messages and results that nobody waited for.
    urcs: Receiver<String>,
}

fn fail(step: &str, got: impl std::fmt::Debug) -> ! {
    eprintln!("{step}: not as expected: {got:?}");
    exit(1)
}

impl Modem {
    fn open(path: &str) -> Modem {
        // The standard library has no serial lines; stty sets the port up.
        let raw = Command::new("stty").args(["-F", path, "raw", "-echo", "115200"]).status();
        if !raw.is_ok_and(|status| status.success()) {
            fail("stty", path);
        }
        let port = OpenOptions::new().read(true).write(true).open(path).unwrap_or_else(|error| fail("open", error));
        let mut reader = port.try_clone().unwrap_or_else(|error| fail("open", error));
        let (send_bytes, bytes) = channel::<Vec<u8>>();
        std::thread::spawn(move || {
            let mut buffer = [0; 300];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                let _ = send_bytes.send(buffer[..count].to_vec());
            }
        });
        let (send_event, events) = channel();
        let (send_urc, urcs) = channel();
        std::thread::spawn(move || {
            while let Ok(mut piece) = bytes.recv() {
                while let Ok(more) = bytes.recv_timeout(IDLE) {
                    piece.extend(more);
                }
                let text = String::from_utf8(piece).unwrap_or_else(|error| fail("UTF-8", error));
                let mut open = false;
                for line in text.lines().filter(|line| !line.is_empty()) {
                    let event = match line {
                        "OK" | "RDY" | "APP RDY" | "> " => FromModem::Ok,
                        "ERROR" => FromModem::Error,
                        line if is_urc(line) => {
                            let _ = send_urc.send(line.to_owned());
                            continue;
                        }
                        line => FromModem::Line(line.to_owned()),
                    };
                    open = matches!(event, FromModem::Line(_));
                    let _ = send_event.send(event);
                }
                if open {
                    let _ = send_event.send(FromModem::End);
                }
            }
        });
        Modem { port, events, urcs }
    }

    /// Lines up to a final result or the end of a piece.
    fn read(&self, within: Duration) -> Option<(Vec<String>, FromModem)> {
        let deadline = Instant::now() + within;
        let mut lines = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left).ok()? {
                FromModem::Line(line) => lines.push(line),
                last => return Some((lines, last)),
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.port.write_all(bytes).unwrap_or_else(|error| fail("write", error));
    }

    fn try_call(&mut self, command: &str, within: Duration) -> Option<Vec<String>> {
        self.write(format!("AT{command}\r").as_bytes());
        let (lines, last) = self.read(within)?;
        (last == FromModem::Ok).then_some(lines)
    }

    fn call(&mut self, command: &str) -> Vec<String> {
        self.try_call(command, Duration::from_secs(5)).unwrap_or_else(|| fail(command, "no OK"))
    }

    /// A command whose result comes behind its OK; it may share the piece with it.
    fn request(&mut self, command: &str, result: &str) {
        self.call(command);
        self.result(command, result);
    }

    fn result(&mut self, command: &str, result: &str) {
        match self.read(Duration::from_secs(30)) {
            Some((lines, _)) if lines == [result] => {}
            other => fail(command, other),
        }
    }
}

/// What nobody asked for: messages and losses.
fn is_urc(line: &str) -> bool {
    ["+QMTRECV:", "+QMTSTAT:", "+QIURC:"].iter().any(|prefix| line.starts_with(prefix))
}

fn main() {
    let path = std::env::args().nth(1).unwrap_or_else(|| exit(2));
    let mut modem = Modem::open(&path);
    let awake = (0..20).any(|_| modem.try_call("E0", Duration::from_millis(500)).is_some());
    if !awake {
        fail("ATE0", "nothing");
    }
    let firmware = modem.call("+QGMR");
    if !firmware.first().is_some_and(|line| line.starts_with("BG77") || line.starts_with("BG95")) {
        fail("AT+QGMR", firmware);
    }
    modem.call("+CGDCONT=1,\"IP\",\"internet.iot\"");
    modem.call("+CEREG=2");
    modem.call("+QCFG=\"nwscanseq\",00");
    modem.call("+QCFG=\"iotopmode\",2,1");
    modem.call("+QCFG=\"band\",0,80000,80000");
    modem.call("+CGATT=1");
    if modem.call("+CGATT?") != ["+CGATT: 1"] {
        fail("AT+CGATT?", ());
    }
    modem.call("+CGACT=1,1");
    if modem.call("+CGACT?") != ["+CGACT: 1,1"] {
        fail("AT+CGACT?", ());
    }
    let opened = modem.call("+QMTOPEN?");
    if !opened.is_empty() {
        fail("AT+QMTOPEN? before", opened);
    }
    modem.call("+QMTCFG=\"timeout\",0,35,2,1");
    modem.call("+QMTCFG=\"keepalive\",0,70");
    modem.call("+QMTCFG=\"will\",0,1,1,0,\"box/1/will\",\"box one\"");
    modem.request("+QMTOPEN=0,\"broker.example\",1883", "+QMTOPEN: 0,0");
    if modem.call("+QMTCONN?") != ["+QMTCONN: 0,1"] {
        fail("AT+QMTCONN? before", ());
    }
    modem.request("+QMTCONN=0,\"box one\"", "+QMTCONN: 0,0,0");
    if modem.call("+QMTCONN?") != ["+QMTCONN: 0,3"] {
        fail("AT+QMTCONN? behind", ());
    }
    modem.request("+QMTSUB=0,1,\"box/1/punch\",1", "+QMTSUB: 0,1,0,1");
    let punch = "card 46283 at 31, 12:04:07";
    for (command, result) in [("0,0,0", "+QMTPUB: 0,0,0"), ("2,1,0", "+QMTPUB: 0,2,0")] {
        let command = format!("+QMTPUB=0,{command},\"box/1/punch\",{}", punch.len());
        modem.call(&command);
        modem.write(punch.as_bytes());
        match modem.read(Duration::from_secs(5)) {
            Some((lines, FromModem::Ok)) if lines.is_empty() => {}
            other => fail(&command, other),
        }
        modem.result(&command, result);
        let message = modem.urcs.recv_timeout(Duration::from_secs(10));
        if !message.as_ref().is_ok_and(|line| line.ends_with(&format!("\"box/1/punch\",\"{punch}\""))) {
            fail("+QMTRECV", message);
        }
    }
    modem.request("+QMTUNS=0,3,\"box/1/punch\"", "+QMTUNS: 0,3,0");
    modem.request("+QMTDISC=0", "+QMTDISC: 0,0");
    println!("bg77_chunks: passed");
}
