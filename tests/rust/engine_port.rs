//! A port in memory that plays a module from a script, without a thread and without waiting: what the engine writes is
//! answered while it writes, and each piece of an answer is one read. Nothing is joined and nothing cut beyond that, so a
//! cut at a byte is a cut at that byte.

use std::collections::VecDeque;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use modemrig::engine::Modem;
use modemrig::engine::OpenOptions;
use modemrig::engine::Wait;
use modemrig::transport::Transport;
use parking_lot::Mutex;

use crate::engine_script::SOON;

/// What the module hears.
pub enum Heard<'a> {
    /// A command line, without CR.
    Line(&'a str),
    /// As many bytes as it asked for came.
    Payload,
}

/// What it does then.
#[derive(Clone, Default)]
pub struct Says {
    /// One read each.
    pub pieces: Vec<Vec<u8>>,
    /// Takes so many bytes of payload next, whatever they are.
    pub takes: Option<usize>,
}

/// Says this in one piece.
pub fn says(text: &str) -> Says {
    Says { pieces: vec![text.as_bytes().to_vec()], takes: None }
}

impl Says {
    /// The same, and so many bytes of payload are taken next.
    pub fn then_takes(self, count: usize) -> Says {
        Says { takes: Some(count), ..self }
    }
}

#[allow(clippy::disallowed_methods)] // A test bounds its own wait.
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

type Script = dyn FnMut(Heard<'_>) -> Says + Send;

struct State {
    script: Box<Script>,
    input: Vec<u8>,
    takes: Option<usize>,
    pieces: VecDeque<Vec<u8>>,
    heard: Vec<String>,
    payloads: Vec<Vec<u8>>,
    /// The engine asked, after the last piece, what to wait for.
    digested: bool,
}

struct Inner {
    /// Readable as long as there is a piece: one byte lies in it then.
    bell: UnixStream,
    ringer: UnixStream,
    state: Mutex<State>,
}

/// The host's end; the test keeps a copy to speak unasked.
#[derive(Clone)]
pub struct ScriptedPort(Arc<Inner>);

impl ScriptedPort {
    pub fn new(script: impl FnMut(Heard<'_>) -> Says + Send + 'static) -> ScriptedPort {
        let (bell, ringer) = UnixStream::pair().expect("a pair");
        bell.set_nonblocking(true).expect("a socket");
        let script: Box<Script> = Box::new(script);
        let (input, pieces, heard) = (Vec::new(), VecDeque::new(), Vec::new());
        ScriptedPort(Arc::new(Inner {
            bell,
            ringer,
            state: Mutex::new(State {
                script,
                input,
                takes: None,
                pieces,
                heard,
                payloads: Vec::new(),
                digested: true,
            }),
        }))
    }

    /// A modem on this port.
    pub fn open(&self, dialect: &str) -> Modem {
        let options = OpenOptions { dialect: Some(dialect.to_owned()), ..OpenOptions::default() };
        Modem::over(Box::new(self.clone()), options, Wait::at_most(SOON)).expect("the script answers")
    }

    /// The module says this unasked.
    pub fn say<'a>(&self, pieces: impl IntoIterator<Item = &'a [u8]>) {
        let mut state = self.0.state.lock();
        for piece in pieces {
            self.ring(&mut state, piece.to_vec());
        }
    }

    /// Until the engine has taken every piece and acted on it.
    pub fn until_read(&self) {
        let read = || self.0.state.lock().digested;
        let deadline = now() + SOON;
        while !read() {
            assert!(now() < deadline, "nobody reads");
            std::thread::yield_now();
        }
    }

    /// The command lines so far.
    pub fn heard(&self) -> Vec<String> {
        self.0.state.lock().heard.clone()
    }

    /// What was typed at its prompts so far.
    pub fn payloads(&self) -> Vec<Vec<u8>> {
        self.0.state.lock().payloads.clone()
    }

    /// No command line was heard yet, as far as `heard` goes.
    pub fn forget_heard(&self) {
        self.0.state.lock().heard.clear();
    }

    fn ring(&self, state: &mut State, piece: Vec<u8>) {
        if piece.is_empty() {
            return;
        }
        if state.pieces.is_empty() {
            (&self.0.ringer).write_all(b"!").expect("room for a byte");
        }
        state.pieces.push_back(piece);
        state.digested = false;
    }
}

impl AsRawFd for ScriptedPort {
    fn as_raw_fd(&self) -> RawFd {
        self.0.bell.as_raw_fd()
    }
}

impl Transport for ScriptedPort {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.state.lock();
        let Some(mut piece) = state.pieces.pop_front() else { return Err(io::ErrorKind::WouldBlock.into()) };
        let count = piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&piece[..count]);
        if count < piece.len() {
            state.pieces.push_front(piece.split_off(count));
        }
        if state.pieces.is_empty() {
            (&self.0.bell).read_exact(&mut [0])?;
        }
        Ok(count)
    }

    fn unsent(&self) -> bool {
        let mut state = self.0.state.lock();
        state.digested = state.pieces.is_empty();
        false
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state.lock();
        state.input.extend_from_slice(bytes);
        loop {
            let end = match state.takes {
                Some(count) => Some(count).filter(|count| *count <= state.input.len()),
                None => state.input.iter().position(|byte| *byte == b'\r').map(|end| end + 1),
            };
            let Some(end) = end else { return Ok(bytes.len()) };
            let rest = state.input.split_off(end);
            let unit = std::mem::replace(&mut state.input, rest);
            let said = match state.takes.take() {
                Some(_) => {
                    state.payloads.push(unit.clone());
                    (state.script)(Heard::Payload)
                }
                None => {
                    let line = String::from_utf8_lossy(&unit[..end - 1]).into_owned();
                    state.heard.push(line.clone());
                    (state.script)(Heard::Line(&line))
                }
            };
            state.takes = said.takes;
            for piece in said.pieces {
                self.ring(&mut state, piece);
            }
        }
    }
}

/// An answer of a scripted module: to lines that begin so.
#[derive(Clone)]
pub struct Rule {
    line: &'static str,
    prompt: Option<&'static str>,
    echoed: bool,
    pieces: Vec<Vec<u8>>,
}

/// Lines that begin so are answered so.
pub fn rule(line: &'static str, answer: &str) -> Rule {
    Rule { line, prompt: None, echoed: false, pieces: vec![answer.as_bytes().to_vec()] }
}

impl Rule {
    /// The prompt first; the answer follows the payload.
    pub fn prompted(self, prompt: &'static str) -> Rule {
        Rule { prompt: Some(prompt), ..self }
    }

    /// The same, and the line itself comes back before the prompt.
    pub fn prompted_behind_echo(self, prompt: &'static str) -> Rule {
        Rule { echoed: true, ..self.prompted(prompt) }
    }

    /// The answer comes in these pieces.
    pub fn cut(self, pieces: Vec<Vec<u8>>) -> Rule {
        Rule { pieces, ..self }
    }

    /// The answer comes byte by byte.
    pub fn in_bytes(self) -> Rule {
        let pieces = self.pieces.concat().chunks(1).map(<[u8]>::to_vec).collect();
        Rule { pieces, ..self }
    }
}

/// A module that answers by these rules, and in the ordinary way where none fits. A rule is used once, unless it is the
/// last of its kind.
pub fn module(mut rules: Vec<Rule>) -> ScriptedPort {
    let mut asked: Option<Rule> = None;
    ScriptedPort::new(move |heard| {
        let line = match heard {
            Heard::Payload => {
                let rule = asked.take().expect("nobody else asks");
                return Says { pieces: rule.pieces, takes: None };
            }
            Heard::Line(line) => line,
        };
        let fits = |rule: &Rule| line.starts_with(rule.line);
        let Some(first) = rules.iter().position(fits) else { return ordinary(line) };
        let is_last = rules.iter().skip(first + 1).all(|other| other.line != rules[first].line);
        let rule = if is_last { rules[first].clone() } else { rules.remove(first) };
        match rule.prompt {
            None => Says { pieces: rule.pieces, takes: None },
            Some(prompt) => {
                let commands = modemrig::proto::command_line::parse_line(line.as_bytes()).expect("a command line");
                let length =
                    commands.iter().find_map(|command| match modemrig::dialect::any_grammar().asked(command) {
                        modemrig::proto::grammar::Asked::Counted(length) => Some(length),
                        _ => None,
                    });
                let echo = if rule.echoed { format!("{line}\r") } else { String::new() };
                asked = Some(rule);
                says(&format!("{echo}{prompt}")).then_takes(length.expect("it asks for so many bytes"))
            }
        }
    })
}

/// What every script answers where it has nothing better: who it is, the queries of resynchronisation, else `OK`.
pub fn ordinary(line: &str) -> Says {
    let ok = "\r\nOK\r\n";
    says(&match line {
        "ATI" => format!("\r\nQuectel\r\nEC200U\r\nRevision: EC200UCNAAR03A01M08\r\n{ok}"),
        "AT+CGSN" => format!("\r\n861234567890123\r\n{ok}"),
        "AT+CMEE?" => format!("\r\n+CMEE: 0\r\n{ok}"),
        "AT+CGATT?" => format!("\r\n+CGATT: 1\r\n{ok}"),
        "AT+COPS?" => format!("\r\n+COPS: 0\r\n{ok}"),
        _ => ok.to_owned(),
    })
}

/// The next command gets its own answer: nothing of the past is in it, and nothing of it was lost.
pub fn is_in_step(modem: &Modem, what: &str) {
    let reply = modem.command("+COPS?", None, Wait::at_most(SOON)).unwrap_or_else(|error| panic!("{what}: {error}"));
    let numeric = reply.final_result == Some(modemrig::proto::FinalResult::Ok);
    assert!(numeric, "{what}: {reply:?}");
    assert_eq!(vec!["+COPS: 0"], reply.lines, "{what}");
    assert_eq!(2, reply.exchanged.len(), "{what}: {:?}", reply.exchanged);
}
