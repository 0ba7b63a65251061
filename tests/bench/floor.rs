//! The floor of the benchmarks: a bare loop on a pseudo-terminal, and the module at its other end.
//!
//! Not a test and not part of the package: `tests/bench/run.py` starts it as separate processes.
//!
//! ```text
//! floor respond            a module on a new pseudo-terminal: prints its path, answers every command line until killed
//! floor loop PATH COUNT    bare round trips, write + read: prints the nanoseconds of each, one a line
//! floor flood COUNT        like respond; on each line of standard input it writes COUNT messages as fast as it can
//! floor drain PATH BYTES   bare reads: prints the seconds BYTES took, from the first byte on
//! ```

use std::env;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::time::Instant;

use nix::fcntl::OFlag;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;
use nix::poll::poll;
use nix::pty::PtyMaster;
use nix::pty::grantpt;
use nix::pty::posix_openpt;
use nix::pty::ptsname_r;
use nix::pty::unlockpt;
use nix::sys::termios;

const ANSWER: &[u8] = b"\r\n+CSQ: 24,99\r\n\r\nOK\r\n";
const OK: &[u8] = b"\r\nOK\r\n";
const MESSAGE: &[u8] = b"+QMTRECV: 0,0,\"topic/pub\",30,\"This is test data, hello MQTT.\"\r\n";

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["respond"] => respond(0),
        ["flood", count] => respond(count.parse().expect("COUNT is a number")),
        ["loop", path, count] => round_trips(path, count.parse().expect("COUNT is a number")),
        ["drain", path, bytes] => drain(path, bytes.parse().expect("BYTES is a number")),
        _ => panic!("usage: floor respond | loop PATH COUNT | flood COUNT | drain PATH BYTES"),
    }
}

/// Answers command lines for ever; with a count, floods the line once for every line of standard input.
fn respond(flood: usize) {
    let mut master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY).expect("a pseudo-terminal");
    grantpt(&master).expect("grantpt");
    unlockpt(&master).expect("unlockpt");
    let path = ptsname_r(&master).expect("a name");
    // Held open so that the line survives its hosts.
    let _holder = open_raw(&path);
    println!("{path}");
    let mut trigger = std::io::stdin();
    let mut buffer = [0; 65536];
    let mut line = Vec::new();
    loop {
        let mut ready = vec![PollFd::new(master.as_fd(), PollFlags::POLLIN)];
        if flood > 0 {
            ready.push(PollFd::new(trigger.as_fd(), PollFlags::POLLIN));
        }
        poll(&mut ready, PollTimeout::NONE).expect("poll");
        let triggered = ready.get(1).and_then(PollFd::any).unwrap_or(false);
        let incoming = ready[0].any().unwrap_or(false);
        if incoming {
            let read = master.read(&mut buffer).expect("the line");
            answer(&mut master, &mut line, &buffer[..read]);
        }
        if triggered {
            if trigger.read(&mut buffer[..1]).expect("standard input") == 0 {
                return;
            }
            let block = MESSAGE.repeat(1000);
            for _ in 0..flood / 1000 {
                master.write_all(&block).expect("the line");
            }
        }
    }
}

fn answer(master: &mut PtyMaster, line: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        line.push(byte);
        if byte == b'\r' {
            let reply = if line.starts_with(b"AT+CSQ") { ANSWER } else { OK };
            master.write_all(reply).expect("the line");
            line.clear();
        }
    }
}

fn round_trips(path: &str, count: usize) {
    let mut port = open_raw(path);
    let mut buffer = [0; 256];
    for _ in 0..count {
        let begin = now();
        port.write_all(b"AT+CSQ\r").expect("the line");
        let mut got = 0;
        while !buffer[..got].ends_with(b"OK\r\n") {
            got += port.read(&mut buffer[got..]).expect("the line");
        }
        println!("{}", begin.elapsed().as_nanos());
    }
}

fn drain(path: &str, bytes: usize) {
    let mut port = open_raw(path);
    println!("ready");
    let mut buffer = vec![0; 65536];
    let mut got = port.read(&mut buffer).expect("the line");
    let begin = now();
    while got < bytes {
        got += port.read(&mut buffer).expect("the line");
    }
    println!("{}", begin.elapsed().as_secs_f64());
}

fn open_raw(path: &str) -> File {
    let port = OpenOptions::new().read(true).write(true).open(path).expect("the slave end");
    let mut settings = termios::tcgetattr(&port).expect("terminal settings");
    termios::cfmakeraw(&mut settings);
    settings.control_chars[termios::SpecialCharacterIndices::VMIN as usize] = 1;
    settings.control_chars[termios::SpecialCharacterIndices::VTIME as usize] = 0;
    termios::tcsetattr(&port, termios::SetArg::TCSANOW, &settings).expect("terminal settings");
    port
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures")]
fn now() -> Instant {
    Instant::now()
}
