//! A transcript cut into exchanges: what the host wrote, and what the module said from then to the host's next word.
//!
//! It reads what any host and any module wrote, in any pieces: the host's bytes go through the module's end of the protocol,
//! as they did when they were typed, and the module's through a search for four marks (echo, prompt, final result, `CONNECT`).
//! Nothing else of the module's words is understood; they are said again as they are. Who says them is `player`.

use std::io::BufRead;
use std::time::Duration;

use crate::proto::Grammar;
use crate::proto::PayloadEnd;
use crate::proto::command_line;
use crate::replay::cutter::Cutter;
use crate::replay::effect::Effect;
use crate::replay::effect::effect;
use crate::replay::pattern::Pattern;
use crate::transcript::Entry;
use crate::transcript::FormatError;
use crate::transcript::Header;
use crate::transcript::Reader;
use crate::transcript::grammar_of;

/// Bytes of the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Time since the host's last byte.
    pub at: Duration,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What the module said to a command line or a payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// In order.
    pub said: Vec<Said>,
    /// When the echo was complete; `None`: at once, or there was none.
    pub echo_at: Option<Duration>,
    /// The piece with which it is the host's turn again: final result or prompt. `None`: it was the host's turn all the time.
    pub ends: Option<usize>,
}

/// What the host typed at a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// The payload; `None`: cancelled.
    pub payload: Option<Vec<u8>>,
    /// The module showed it.
    pub echoed: bool,
    /// What came of it.
    pub answer: Answer,
}

/// A command line and everything that followed it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// The line, as it was written.
    pub line: Vec<u8>,
    /// What fits it.
    pub pattern: Pattern,
    /// The module echoed it.
    pub echoed: bool,
    /// What the module said to it.
    pub answer: Answer,
    /// The module asked for a payload that ends so.
    pub prompt: Option<PayloadEnd>,
    /// The payload.
    pub typed: Option<Typed>,
    /// What it does to the module.
    pub effect: Effect,
}

/// A transcript that can be played.
#[derive(Clone, Debug)]
pub struct Script {
    /// Of the file.
    pub header: Header,
    /// What the module said before the host's first word, since the beginning.
    pub before: Vec<Said>,
    /// In the order of the file.
    pub exchanges: Vec<Exchange>,
    /// What the header's dialect makes of command lines.
    pub grammar: &'static Grammar,
}

impl Script {
    /// Reads a transcript. With `any_payload` command lines fit though they announce another length.
    ///
    /// # Errors
    /// A line that is no line of a transcript.
    pub fn read(source: impl BufRead, any_payload: bool) -> Result<Script, FormatError> {
        let reader = Reader::new(source)?;
        let header = reader.header().clone();
        let entries = reader.collect::<Result<Vec<Entry>, FormatError>>()?;
        Ok(Script::cut(header, &entries, any_payload))
    }

    /// Cuts a recorded talk.
    pub fn cut(header: Header, entries: &[Entry], any_payload: bool) -> Script {
        let grammar = grammar_of(&header);
        let (before, exchanges) = Cutter::cut(grammar, header.v0, entries);
        let mut script = Script { header, before, exchanges, grammar };
        script.classify(any_payload);
        script
    }

    fn classify(&mut self, any_payload: bool) {
        let mut echoed = self.header.echo;
        for exchange in &mut self.exchanges {
            // To what nobody answered nothing is known of the echo.
            echoed = exchange.echoed || echoed && exchange.answer.said.is_empty();
            exchange.echoed = echoed;
            let commands = command_line::parse_line(&exchange.line).unwrap_or_default();
            let payload = exchange.typed.as_ref().and_then(|typed| typed.payload.as_deref());
            let is_open = any_payload || payload.is_some_and(is_covered);
            exchange.pattern = Pattern::new(&exchange.line, |command, argument| {
                let rule = commands.get(command).and_then(|command| self.grammar.command(&command.name));
                is_open && rule.and_then(|rule| rule.input.length_at()) == Some(argument)
            });
            exchange.effect = effect(&commands, &exchange.answer);
        }
    }
}

/// Whether a recorded payload was covered.
pub fn is_covered(payload: &[u8]) -> bool {
    !payload.is_empty() && payload.iter().all(|byte| *byte == b'*')
}
