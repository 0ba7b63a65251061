//! The end that sends commands. One command line is pending at a time; any number of late results may be owed.
//!
//! It opens nothing and waits for nothing: `send` and `receive` in, `poll_event` and `poll_transmit` out, `next_deadline`
//! for the silence that ends what carries no length. Driven by `engine` for a port and by `transcript` for a recording.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use crate::proto::Event;
use crate::proto::ProtocolError;
use crate::proto::command_line;
use crate::proto::command_line::ParsedCommand;
use crate::proto::framer::Context;
use crate::proto::framer::Framer;
use crate::proto::framer::Silence;
use crate::proto::grammar::Asked;
use crate::proto::grammar::Grammar;
use crate::proto::grammar::Setting;
use crate::proto::request::Awaited;
use crate::proto::request::Input;
use crate::proto::request::Request;
use crate::proto::settings::Settings;
use crate::proto::te_blocks::Block;

/// Silence that ends a quoted payload without a length. Long against the gap between two bytes of one line, at 1200 baud
/// (8 ms) too; short against what a caller notices.
pub const SILENCE: Duration = Duration::from_millis(20);

/// Silence after which announced bytes are given up. Long against a busy USB bridge or a remote serial server; short
/// against every documented response time.
pub const STALL: Duration = Duration::from_secs(1);

/// What a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TeState {
    /// No command line is pending.
    Idle,
    /// The final result of the pending command line.
    AwaitResult,
    /// The prompt (or `CONNECT`), or a refusal.
    AwaitPrompt,
    /// The module asked; the caller owes the payload.
    SendPayload,
    /// A command was given up: whose answer comes next is not known until the port is resynchronised.
    Desynced,
}

/// The pending command line.
pub(super) struct Pending {
    pub line: Vec<u8>,
    pub commands: Vec<ParsedCommand>,
    pub asked: Asked,
    pub input: Input,
    pub state: TeState,
    pub awaits: Option<Awaited>,
    pub echoed: bool,
    /// Its own result line came, with or without a final result to follow.
    pub answered: bool,
}

/// Protocol state of one port.
pub struct TeSession {
    pub(super) grammar: &'static Grammar,
    pub(super) settings: Settings,
    pub(super) framer: Framer,
    pub(super) pending: Option<Pending>,
    pub(super) owed: Vec<Awaited>,
    /// A recording began before this one: results and a final result of commands not seen are taken.
    pub(super) accept_any: bool,
    pub(super) unseen_command: bool,
    pub(super) desynced: bool,
    /// The restart was reported; what boots meanwhile is noise.
    pub(super) booting: bool,
    pub(super) block: Option<Block>,
    pub(super) payload_echo: Option<Vec<u8>>,
    /// The module is known to send payloads of this client back.
    payload_shown: bool,
    /// It speaks otherwise than it was told; said once.
    pub(super) surprised: bool,
    pub(super) events: VecDeque<Event>,
    transmit: VecDeque<Vec<u8>>,
    last_bytes: Option<Instant>,
}

impl TeSession {
    /// A session on a line of which nothing is pending.
    pub fn new(grammar: &'static Grammar, settings: Settings) -> TeSession {
        TeSession {
            grammar,
            settings,
            framer: Framer::default(),
            pending: None,
            owed: Vec::new(),
            accept_any: false,
            unseen_command: false,
            desynced: false,
            booting: false,
            block: None,
            payload_echo: None,
            payload_shown: false,
            surprised: false,
            events: VecDeque::new(),
            transmit: VecDeque::new(),
            last_bytes: None,
        }
    }

    /// A session that watches a recorded talk which may have begun before the recording. With `owed`, only these requests
    /// (and those sent from now on) have results, the others are stale; without, every result is taken.
    pub fn observer(grammar: &'static Grammar, settings: Settings, owed: Option<Vec<Awaited>>) -> TeSession {
        let mut session = TeSession::new(grammar, settings);
        session.unseen_command = owed.as_ref().is_none_or(|owed| !owed.is_empty());
        session.accept_any = owed.is_none();
        session.owed = owed.unwrap_or_default();
        session
    }

    /// Sends a command line. In `Desynced` this is the engine's probe.
    ///
    /// # Errors
    /// `Busy` while one is pending; `ForbiddenByte` for a control character in the line.
    pub fn send(&mut self, request: Request, _now: Instant) -> Result<(), ProtocolError> {
        if let Some(pending) = &self.pending {
            return Err(ProtocolError::Busy { pending: pending.line.clone() });
        }
        if let Some(position) = request.line.iter().position(|byte| *byte < b' ' || *byte == 0x7F) {
            return Err(ProtocolError::ForbiddenByte { byte: request.line[position], position });
        }
        let mut bytes = request.line.clone();
        bytes.push(b'\r');
        self.transmit.push_back(bytes);
        self.begin(request);
        Ok(())
    }

    /// The payload the module asked for.
    ///
    /// # Errors
    /// `NoPayloadDue` unless the state is `AwaitPrompt` or `SendPayload`.
    pub fn payload(&mut self, bytes: Vec<u8>, _now: Instant) -> Result<(), ProtocolError> {
        let Some(pending) = &mut self.pending else {
            return Err(ProtocolError::NoPayloadDue);
        };
        match pending.state {
            TeState::SendPayload => {
                pending.state = TeState::AwaitResult;
                self.write_payload(bytes);
                self.frames(Silence::None);
                Ok(())
            }
            // The prompt is on its way; the payload waits for it.
            TeState::AwaitPrompt => {
                pending.input = Input::Prompt(bytes);
                Ok(())
            }
            _ => Err(ProtocolError::NoPayloadDue),
        }
    }

    /// Bytes from the module.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) {
        // The gap before these bytes counts even when nobody called at the deadline.
        self.handle_deadline(now);
        self.framer.push(bytes);
        self.last_bytes = Some(now);
        self.frames(Silence::None);
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next bytes to write, as one write.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmit.pop_front()
    }

    /// When silence would end something.
    pub fn next_deadline(&self) -> Option<Instant> {
        let patience = match self.framer.hold()? {
            Silence::None => return None,
            Silence::Short => SILENCE,
            Silence::Long => STALL,
        };
        self.last_bytes.map(|last| last + patience)
    }

    /// Time has passed.
    pub fn handle_deadline(&mut self, now: Instant) {
        // Ending one thing may leave another that the same silence ends.
        while self.next_deadline().is_some_and(|deadline| deadline <= now) {
            let silence = match self.framer.hold() {
                Some(silence) => silence,
                None => return,
            };
            self.frames(silence);
            if self.framer.hold() == Some(silence) {
                return;
            }
        }
    }

    /// The line will never say anything again: what is left is judged as after a very long silence.
    pub fn finish(&mut self) {
        for _ in 0..2 {
            self.frames(Silence::Long);
        }
        let rest = self.framer.take_rest();
        if !rest.is_empty() {
            self.events.push_back(Event::Ignored(rest));
        }
    }

    /// The caller gave the pending command up. Until `resynced` nobody's line is anybody's answer.
    pub fn abandon_command(&mut self) {
        if self.pending.take().is_some() {
            self.desynced = true;
            self.payload_echo = None;
        }
    }

    /// The pending command was completed by its own result line and no final result came (seen on EC800).
    pub fn finish_by_result(&mut self) {
        self.pending = None;
        self.payload_echo = None;
    }

    /// The caller gave a request up: its result will be stale.
    pub fn abandon_result(&mut self, awaited: &Awaited) {
        // One of them: messages of QoS 0 all have the same identifier.
        let place = self.owed.iter().position(|owed| owed == awaited);
        place.map(|place| self.owed.remove(place));
    }

    /// What the session waits for.
    pub fn state(&self) -> TeState {
        match &self.pending {
            _ if self.desynced => TeState::Desynced,
            Some(pending) => pending.state,
            None => TeState::Idle,
        }
    }

    /// Whose line is whose is known again.
    pub fn resynced(&mut self) {
        self.desynced = false;
        self.pending = None;
        self.payload_echo = None;
    }

    /// The pending command line, without CR.
    pub fn pending_line(&self) -> Option<&[u8]> {
        self.pending.as_ref().map(|pending| pending.line.as_slice())
    }

    /// Whether the pending command's own result line came before its final result.
    pub fn answered(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.answered)
    }

    /// What the pending command makes the module ask for.
    pub fn asked(&self) -> Asked {
        self.pending.as_ref().map_or(Asked::Nothing, |pending| pending.asked)
    }

    /// Whether the module was found to echo, or to answer in figures, though it was told not to; or was set back to what
    /// it does by itself. Said once for each time.
    pub fn take_surprise(&mut self) -> bool {
        std::mem::take(&mut self.surprised)
    }

    /// Late results still owed.
    pub fn owed(&self) -> &[Awaited] {
        &self.owed
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The settings; they also follow accepted commands by themselves.
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// A payload was written before the recording began; its echo may come.
    pub fn expect_echo(&mut self, payload: Vec<u8>) {
        self.payload_echo = Some(payload);
    }

    pub(super) fn write_payload(&mut self, bytes: Vec<u8>) {
        self.payload_shown = self.pending.iter().flat_map(|pending| &pending.commands).any(|command| {
            let input = self.grammar.client_of_input(command);
            input.is_some_and(|(_, client)| self.settings.of(Setting::TypedShown, client))
        });
        self.payload_echo = Some(bytes.clone());
        self.transmit.push_back(bytes);
    }

    fn begin(&mut self, request: Request) {
        let commands = command_line::parse_line(&request.line).unwrap_or_default();
        let asked = commands.iter().map(|command| self.grammar.asked(command)).find(|asked| *asked != Asked::Nothing);
        let asked = match asked.unwrap_or(Asked::Nothing) {
            Asked::Counted(length) if self.types_digits(&commands) => Asked::Counted(length * 2),
            asked => asked,
        };
        let sends = matches!(request.input, Input::Prompt(_) | Input::Upload(_) | Input::ManualPrompt);
        let waits = sends || !matches!(asked, Asked::Nothing | Asked::Possible);
        let state = if waits { TeState::AwaitPrompt } else { TeState::AwaitResult };
        self.owed.extend(request.awaits);
        self.events.extend(self.framer.drop_prompt().map(Event::Ignored));
        self.unseen_command = false;
        self.booting = false;
        let Request { line, input, awaits } = request;
        self.pending = Some(Pending { line, commands, asked, input, state, awaits, echoed: false, answered: false });
    }

    /// Whether what these commands ask for is typed as hexadecimal digits; a length counts bytes (decision 34).
    fn types_digits(&self, commands: &[ParsedCommand]) -> bool {
        let message = commands.iter().find_map(|command| self.grammar.client_of_input(command));
        message.is_some_and(|(is_message, client)| is_message && self.settings.of(Setting::TypedHex, client))
    }

    /// Takes frames as long as there are any; each may change how the next one is read.
    fn frames(&mut self, silence: Silence) {
        loop {
            let numeric_wanted = self.pending.is_some() || self.unseen_command;
            let pending = self.pending.as_ref();
            let result_due = pending.is_some_and(|pending| pending.state != TeState::SendPayload) || self.desynced;
            let context = Context {
                grammar: self.grammar,
                settings: &self.settings,
                command: pending.filter(|pending| !pending.echoed).map(|pending| pending.line.as_slice()),
                payload: self.payload_echo.as_deref(),
                payload_shown: self.payload_shown,
                prompt_due: prompt_due(pending, self.unseen_command || self.desynced),
                numeric: numeric_wanted && (!self.settings.verbose || pending.is_some_and(Pending::turns_numeric)),
                result_due,
            };
            let numeric = context.numeric;
            match self.framer.next(&context, silence) {
                Some(frame) => self.take(frame, numeric),
                None => return,
            }
        }
    }
}

impl Pending {
    /// `ATV0`: the answer itself may already be numeric. `ATV1`: it may still be.
    fn turns_numeric(&self) -> bool {
        self.commands.iter().any(|command| command.name == "V")
    }
}

fn prompt_due(pending: Option<&Pending>, unseen: bool) -> bool {
    match pending {
        None => unseen,
        Some(pending) => match pending.state {
            TeState::AwaitPrompt => true,
            TeState::AwaitResult => pending.asked == Asked::Possible,
            _ => false,
        },
    }
}
