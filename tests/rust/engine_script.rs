//! A module played from a script: answers to command lines, on the other end of a pair. What the engine's tests talk to.

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use modemrig::engine::Modem;
use modemrig::engine::OpenOptions;
use modemrig::engine::Wait;
use modemrig::transport::Transport;
use modemrig::transport::pair::Link;
use modemrig::transport::pair::PairEnd;
use modemrig::transport::pair::pair;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;
use parking_lot::Mutex;

/// Long enough for any machine, short enough to fail in time.
pub const SOON: Duration = Duration::from_secs(5);

/// What a scripted module does with a command line.
pub enum Answer {
    /// Writes this.
    Say(String),
    /// Writes the prompt, takes so many bytes, then writes this.
    Prompt(usize, String),
    /// Writes `CONNECT`, takes so many bytes, then writes this.
    Upload(usize, String),
    /// Writes nothing.
    Nothing,
    /// Hangs up.
    HangUp,
}

/// The module's end, and what it was told.
pub struct Script {
    pub end: Arc<PairEnd>,
    pub lines: Arc<Mutex<Vec<String>>>,
    pub payloads: Arc<Mutex<Vec<Vec<u8>>>>,
    thread: Option<JoinHandle<()>>,
}

impl Script {
    /// Writes unasked.
    pub fn say(&self, text: &str) {
        write_all(&self.end, text.as_bytes());
    }

    /// The command lines so far, without those of opening.
    pub fn heard(&self) -> Vec<String> {
        let opening = ["ATE0Q0V1", "ATI", "AT+CGSN", "AT+CGMI", "AT+CGMM", "AT+CGMR"];
        let lines = self.lines.lock();
        lines.iter().filter(|line| !opening.contains(&line.as_str())).cloned().collect()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // The host's end is gone by now, or goes with the test; the thread ends with either.
        self.end.hang_up();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic in the script");
        }
    }
}

/// A module that answers by this script, and the host on it. What the script does not know is answered OK.
pub fn opened(dialect: &str, script: impl FnMut(&str) -> Option<Answer> + Send + 'static) -> (Modem, Script) {
    opened_over(Link::Perfect, dialect, script)
}

/// The same over a worse line.
pub fn opened_over(
    link: Link,
    dialect: &str,
    script: impl FnMut(&str) -> Option<Answer> + Send + 'static,
) -> (Modem, Script) {
    let (host, module) = pair(link).expect("a pair");
    let script = play(module, script);
    let options = OpenOptions { dialect: Some(dialect.to_owned()), ..OpenOptions::default() };
    let modem = Modem::over(Box::new(host), options, Wait::at_most(SOON)).expect("the script answers");
    (modem, script)
}

/// Starts the script on a module's end.
pub fn play(end: PairEnd, mut script: impl FnMut(&str) -> Option<Answer> + Send + 'static) -> Script {
    let end = Arc::new(end);
    let lines = Arc::new(Mutex::new(Vec::new()));
    let payloads = Arc::new(Mutex::new(Vec::new()));
    let (line, told, typed) = (Arc::clone(&end), Arc::clone(&lines), Arc::clone(&payloads));
    let thread = std::thread::Builder::new().name("script".into()).spawn(move || {
        let mut input = Vec::new();
        let mut counting: Option<(usize, String)> = None;
        while read_some(&line, &mut input) {
            loop {
                if let Some((length, then)) = &counting {
                    if input.len() < *length {
                        break;
                    }
                    let rest = input.split_off(*length);
                    typed.lock().push(std::mem::replace(&mut input, rest));
                    write_all(&line, then.as_bytes());
                    counting = None;
                }
                let Some(end) = input.iter().position(|byte| *byte == b'\r') else { break };
                let rest = input.split_off(end + 1);
                let command = String::from_utf8_lossy(&std::mem::replace(&mut input, rest)[..end]).into_owned();
                told.lock().push(command.clone());
                match script(&command).unwrap_or_else(|| identify(&command)) {
                    Answer::Say(text) => write_all(&line, text.as_bytes()),
                    Answer::Prompt(length, then) => {
                        write_all(&line, b"\r\n> ");
                        counting = Some((length, then));
                    }
                    Answer::Upload(length, then) => {
                        write_all(&line, b"\r\nCONNECT\r\n");
                        counting = Some((length, then));
                    }
                    Answer::Nothing => {}
                    Answer::HangUp => {
                        line.hang_up();
                        return;
                    }
                }
            }
        }
    });
    Script { end, lines, payloads, thread: Some(thread.expect("a thread")) }
}

fn identify(command: &str) -> Answer {
    let ok = "\r\nOK\r\n";
    Answer::Say(match command {
        "ATI" => format!("\r\nQuectel\r\nEC200U\r\nRevision: EC200UCNAAR03A01M08\r\n{ok}"),
        "AT+CGSN" => format!("\r\n861234567890123\r\n{ok}"),
        "AT+CMEE?" => format!("\r\n+CMEE: 0\r\n{ok}"),
        "AT+CGATT?" => format!("\r\n+CGATT: 1\r\n{ok}"),
        _ => ok.to_owned(),
    })
}

fn read_some(end: &PairEnd, input: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 4096];
    loop {
        match end.read(&mut buffer) {
            Ok(0) => return false,
            Ok(count) => {
                input.extend_from_slice(&buffer[..count]);
                return true;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // SAFETY: the end lives as long as the borrow.
                let line = unsafe { BorrowedFd::borrow_raw(end.as_raw_fd()) };
                let mut set = [PollFd::new(line.as_fd(), PollFlags::POLLIN)];
                let _ = nix::poll::poll(&mut set, PollTimeout::NONE);
            }
            Err(_) => return false,
        }
    }
}

fn write_all(end: &PairEnd, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match end.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // SAFETY: the end lives as long as the borrow.
                let line = unsafe { BorrowedFd::borrow_raw(end.as_raw_fd()) };
                let mut set = [PollFd::new(line.as_fd(), PollFlags::POLLOUT)];
                let _ = nix::poll::poll(&mut set, PollTimeout::NONE);
            }
            Err(_) => return,
        }
    }
}
