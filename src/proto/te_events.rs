//! From frames to events: the second half of `TeSession`. Here the pending command decides what a line is.

use crate::proto::Event;
use crate::proto::FinalResult;
use crate::proto::Op;
use crate::proto::command_line;
use crate::proto::command_line::Form;
use crate::proto::command_line::ParsedCommand;
use crate::proto::framer::Frame;
use crate::proto::grammar::Asked;
use crate::proto::grammar::LineKind;
use crate::proto::grammar::ReadRule;
use crate::proto::grammar::WordKind;
use crate::proto::lines;
use crate::proto::lines::Line;
use crate::proto::lines::Outcome;
use crate::proto::request::Input;
use crate::proto::te::TeSession;
use crate::proto::te::TeState;

impl TeSession {
    pub(super) fn take(&mut self, frame: Frame, numeric: bool) {
        match frame {
            Frame::CommandEcho => {
                if let Some(pending) = &mut self.pending {
                    pending.echoed = true;
                }
                // Payloads will come back as well.
                self.surprised |= !std::mem::replace(&mut self.settings.echo, true);
                self.events.push_back(Event::Echo);
            }
            Frame::PayloadEcho => {
                self.payload_echo = None;
                self.events.push_back(Event::Echo);
            }
            Frame::Prompt => self.prompt(),
            Frame::Message(message) => self.events.push_back(Event::Message(message)),
            Frame::Damaged { client, bytes } => {
                let name = self.grammar.message_name().unwrap_or_default().trim_start_matches('+').to_string();
                self.events.push_back(Event::Damaged { name, client, bytes });
            }
            Frame::Line(text) => self.line(&text, numeric),
            Frame::Figure(digit) => {
                self.surprised |= std::mem::replace(&mut self.settings.verbose, false);
                self.line(&[digit], true);
            }
            Frame::Overflow(bytes) => self.events.push_back(Event::Overflowed(bytes)),
            Frame::Body(bytes) => self.body(bytes),
            Frame::LostBody => self.block_damaged(Vec::new()),
        }
    }

    fn prompt(&mut self) {
        self.events.push_back(Event::Prompt);
        let Some(pending) = &mut self.pending else {
            return;
        };
        match std::mem::replace(&mut pending.input, Input::None) {
            Input::Prompt(bytes) => {
                pending.state = TeState::AwaitResult;
                pending.asked = Asked::Nothing;
                self.write_payload(bytes);
            }
            other => {
                pending.input = other;
                pending.state = TeState::SendPayload;
            }
        }
    }

    fn connect(&mut self) -> bool {
        let Some(pending) = &mut self.pending else {
            return false;
        };
        let upload = matches!(pending.asked, Asked::File(_)) || matches!(pending.input, Input::Upload(_));
        if !upload || pending.state != TeState::AwaitPrompt {
            return false;
        }
        self.events.push_back(Event::Connect);
        match std::mem::replace(&mut pending.input, Input::None) {
            Input::Upload(bytes) | Input::Prompt(bytes) => {
                pending.state = TeState::AwaitResult;
                self.write_payload(bytes);
            }
            _ => pending.state = TeState::SendPayload,
        }
        true
    }

    fn line(&mut self, text: &[u8], numeric: bool) {
        let text = text.trim_ascii();
        if text.is_empty() {
            return;
        }
        if let Some(result) = lines::final_result(text, numeric) {
            return self.final_result(result, text);
        }
        if (text == b"CONNECT" || numeric && text == b"1") && self.connect() {
            return;
        }
        if let Some(kind) = lines::word(text, self.grammar) {
            return self.word(kind, text);
        }
        let grammar = self.grammar;
        let line = Line::read(text, grammar);
        if line.name.is_empty() {
            return self.plain(text);
        }
        if let Some(event) = self.claimed(&line) {
            self.events.push_back(event);
            return;
        }
        self.unsolicited(&line);
    }

    fn final_result(&mut self, result: FinalResult, text: &[u8]) {
        self.booting = false;
        match self.pending.take() {
            Some(pending) => {
                self.payload_echo = None;
                match result {
                    FinalResult::Ok => self.follow(&pending.commands),
                    // Refused, with the reason perhaps behind it: owed until the caller gives it up.
                    _ if self.may_be_explained(&pending.commands) => {}
                    // Refused: its result will never come (one that already came is no longer owed).
                    _ => {
                        let place = self.owed.iter().position(|owed| Some(*owed) == pending.awaits);
                        place.map(|place| self.owed.remove(place));
                    }
                }
            }
            None if self.unseen_command && !self.desynced => {
                self.unseen_command = false;
                self.payload_echo = None;
            }
            None => {
                self.events.push_back(Event::Ignored(text.to_vec()));
                return;
            }
        }
        self.events.push_back(Event::Final(result));
    }

    fn may_be_explained(&self, commands: &[ParsedCommand]) -> bool {
        commands.iter().any(|command| self.grammar.command(&command.name).is_some_and(|rule| rule.explained))
    }

    /// A line without a prefix: part of the answer, or nothing that is known.
    fn plain(&mut self, text: &[u8]) {
        let answers = self.pending.as_ref().is_some_and(|pending| pending.state != TeState::SendPayload);
        // The echo of a command line that is not the pending one: an earlier owner's, or one given up.
        let echo = command_line::parse_line(text).is_some_and(|commands| !commands.is_empty() || text.len() == 2);
        let event = if answers && !self.desynced && !echo && !lines::is_boot_text(text) {
            Event::Info { name: String::new(), line: text.to_vec() }
        } else {
            Event::Ignored(text.to_vec())
        };
        self.events.push_back(event);
    }

    fn word(&mut self, kind: WordKind, text: &[u8]) {
        let name = || String::from_utf8_lossy(text).into_owned();
        match kind {
            WordKind::Restarted => self.restarted(text, name()),
            WordKind::Gone => {
                self.forget_everything();
                self.events.push_back(Event::Gone);
            }
            WordKind::Noise => self.events.push_back(Event::Urc { name: name(), line: text.to_vec() }),
        }
    }

    fn restarted(&mut self, text: &[u8], name: String) {
        if self.booting {
            self.events.push_back(Event::Urc { name, line: text.to_vec() });
            return;
        }
        self.forget_everything();
        self.settings.restarted();
        self.booting = true;
        self.events.push_back(Event::Restarted);
    }

    fn forget_everything(&mut self) {
        self.pending = None;
        self.owed.clear();
        self.block = None;
        self.payload_echo = None;
        self.unseen_command = false;
        self.desynced = false;
    }

    /// The information response of the pending command: same prefix and the shape that command's answer has.
    fn claimed(&self, line: &Line<'_>) -> Option<Event> {
        let pending = self.pending.as_ref()?;
        let command = pending.commands.iter().find(|command| command.name == line.name)?;
        let info = || Event::Info { name: line.name.to_string(), line: line.text.to_vec() };
        let numbers = line.numbers();
        match command.form {
            Form::Test => Some(info()),
            Form::Read => {
                let rule = self.grammar.command(line.name).map_or(ReadRule::Info, |rule| rule.read);
                match (rule, numbers.as_deref()) {
                    (ReadRule::State, Some([client, state @ 1..=4])) => {
                        Some(Event::State { client: u8::try_from(*client).ok()?, state: *state as u8 })
                    }
                    (ReadRule::State, _) => None,
                    (ReadRule::Slots, Some([client, flags @ ..])) if flags.len() > 2 => Some(Event::Slots {
                        client: u8::try_from(*client).ok()?,
                        used: flags.iter().zip(0u8..).filter(|(flag, _)| **flag != 0).map(|(_, slot)| slot).collect(),
                    }),
                    (ReadRule::Slots, _) => None,
                    (ReadRule::Text, Some(_)) => None,
                    (_, Some(_)) if self.owes(line) => None,
                    (_, numbers) if line.kind == Some(LineKind::Registration) => {
                        let second = numbers.map_or_else(
                            || line.fields.get(1).is_some_and(|field| field.number().is_some()),
                            |numbers| numbers.len() > 1,
                        );
                        second.then(info)
                    }
                    _ => Some(info()),
                }
            }
            Form::Write | Form::Execute => match line.kind {
                None | Some(LineKind::Noise | LineKind::Registration) => Some(info()),
                Some(_) => None,
            },
        }
    }

    fn owes(&self, line: &Line<'_>) -> bool {
        let Some(outcome) = line.outcome() else {
            return false;
        };
        self.owed.iter().any(|owed| owed.fits(outcome.op, outcome.client, outcome.msgid))
    }

    fn unsolicited(&mut self, line: &Line<'_>) {
        let urc = |line: &Line<'_>| Event::Urc { name: line.name.to_string(), line: line.text.to_vec() };
        match line.kind {
            Some(LineKind::Result { .. } | LineKind::Retry(_)) => match line.outcome() {
                Some(outcome) => self.outcome(line, outcome),
                None => self.line_damaged(line),
            },
            Some(LineKind::Lost) => match (line.client(), line.numbers().as_deref()) {
                (Some(client), Some([_, code, ..])) => {
                    let code = *code;
                    self.events.push_back(Event::Lost { client, code });
                }
                _ => self.line_damaged(line),
            },
            Some(LineKind::Ping) => match (line.client(), line.numbers().as_deref()) {
                (Some(client), Some([_, result, ..])) => {
                    let result = *result;
                    self.events.push_back(Event::Ping { client, result });
                }
                _ => self.line_damaged(line),
            },
            Some(LineKind::Message) => self.stored(line),
            Some(LineKind::BlockStart | LineKind::BlockTopic | LineKind::BlockPayload | LineKind::BlockEnd) => {
                self.block_line(line);
            }
            Some(LineKind::BearerLost(text)) if memchr::memmem::find(line.text, text.as_bytes()).is_some() => {
                self.events.push_back(Event::BearerLost);
            }
            Some(LineKind::Restarted) => self.restarted(line.text, line.name.to_string()),
            Some(_) => self.events.push_back(urc(line)),
            // An unknown prefix while a command runs: some answers carry another name (`AT+CICCID`, `+ICCID:`).
            None if self.pending.is_some() && !self.desynced => {
                self.events.push_back(Event::Info { name: line.name.to_string(), line: line.text.to_vec() });
            }
            None => self.events.push_back(urc(line)),
        }
    }

    fn outcome(&mut self, line: &Line<'_>, outcome: Outcome) {
        let Outcome { op, client, msgid, code, values, notice } = outcome;
        let name = line.bare_name();
        let place = self.owed.iter().position(|owed| owed.fits(op, client, msgid));
        let grammar = self.grammar;
        // A command answers for itself even where no result was announced: `+CMQTTACCQ: 0,19` before ERROR. The commands
        // of typed input share one operation, so there the name counts.
        let fits = |command: &ParsedCommand| {
            let awaited = grammar.awaited(command).filter(|(awaited, _)| awaited.fits(op, client, msgid));
            awaited.is_some() && (op != Op::Input || command.name == line.name)
        };
        let own = self.pending.as_ref().and_then(|pending| pending.commands.iter().find(|command| fits(command)));
        // Staging a topic answers under its own name, which elsewhere names the result of subscribing.
        let staged = self.pending.as_ref().is_some_and(|pending| {
            pending.commands.iter().any(|command| {
                command.name == line.name && grammar.command(line.name).is_some_and(|rule| rule.op == Some(Op::Input))
            })
        });
        let op = if staged { Op::Input } else { op };
        let own = own.is_some() || staged;
        let answered = self.pending.as_ref().is_some_and(|pending| pending.answered);
        let expected = place.is_some() || self.accept_any || own && !answered;
        if !expected {
            self.events.push_back(Event::Stale { op, name, client, msgid });
            return;
        }
        if notice {
            let count = values.first().and_then(|count| u16::try_from(*count).ok());
            let (client, msgid) = (client.unwrap_or_default(), msgid.unwrap_or_default());
            self.events.push_back(Event::Retry { op, name, client, msgid, count });
            return;
        }
        if let Some(place) = place {
            self.owed.remove(place);
        }
        if let Some(pending) = self.pending.as_mut().filter(|_| own) {
            pending.answered = true;
        }
        self.events.push_back(Event::Result { op, name, client, msgid, code, values });
    }

    fn stored(&mut self, line: &Line<'_>) {
        let event = match line.numbers().as_deref() {
            Some([client, index]) => stored_event(*client, *index, None),
            Some([client, index, len]) => stored_event(*client, *index, Some(*len)),
            _ => None,
        };
        match event {
            Some(event) => self.events.push_back(event),
            None => self.line_damaged(line),
        }
    }

    pub(super) fn line_damaged(&mut self, line: &Line<'_>) {
        let event = Event::Damaged { name: line.bare_name(), client: line.client(), bytes: line.text.to_vec() };
        self.events.push_back(event);
    }

    /// Settings follow what the module accepted.
    fn follow(&mut self, commands: &[ParsedCommand]) {
        for command in commands {
            match (command.name.as_str(), command.raw.as_slice()) {
                ("E", raw) => self.settings.echo = raw == b"1",
                ("V", raw) => self.settings.verbose = raw == b"1",
                // Back to what the module does by itself: mostly echo on.
                ("&F" | "Z", _) => {
                    self.settings.echo = true;
                    self.surprised = true;
                }
                _ => {}
            }
            if command.form == Form::Write {
                for (what, client, on) in self.grammar.setting(command) {
                    self.settings.set(what, client, on);
                }
            }
        }
    }
}

fn stored_event(client: i32, index: i32, len: Option<i32>) -> Option<Event> {
    Some(Event::Stored {
        client: u8::try_from(client).ok()?,
        index: u8::try_from(index).ok()?,
        payload_len: len.and_then(|len| u32::try_from(len).ok()),
    })
}
