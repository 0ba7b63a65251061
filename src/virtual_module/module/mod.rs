//! One virtual module without its line: command lines in, replies out, clients and timers driven. `board` owns the
//! descriptors and calls it. What faults make of it is in `faulty`, what quirks make of its words in `quirky`.
//!
//! Longer than 400 lines: a command's way from its line to its final result is best read in one piece.

mod faulty;
mod inline;
mod owner;
mod quirky;

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use crate::dialect::Dialect;
use crate::dialect::Given;
use crate::dialect::Lengths;
use crate::dialect::Matched;
use crate::dialect::match_variant;
use crate::dialect::match_variant_by;
use crate::dialect::schema;
use crate::proto::FinalResult;
use crate::proto::PayloadEnd;
use crate::proto::TaEvent;
use crate::proto::command_line;
use crate::proto::command_line::Arg;
use crate::proto::command_line::Form;
use crate::proto::command_line::ParsedCommand;
use crate::virtual_module::control::Supply;
use crate::virtual_module::device::Answer;
use crate::virtual_module::device::Asks;
use crate::virtual_module::device::Call;
use crate::virtual_module::device::Device;
use crate::virtual_module::device::Ended;
use crate::virtual_module::device::Power;
use crate::virtual_module::device::Refusal;
use crate::virtual_module::device::Service;
use crate::virtual_module::device::Typed;
use crate::virtual_module::faults::Asked;
use crate::virtual_module::faults::Line;
use crate::virtual_module::surroundings;
use crate::virtual_module::surroundings::Surroundings;
use crate::virtual_module::surroundings::look_around;

/// How long a module takes to start; the documents print nothing, real ones take some seconds.
const BOOT: Duration = Duration::from_millis(1500);

/// Who asked for typed input.
#[derive(Clone, Copy)]
enum Asker {
    Service,
    Surroundings,
}

/// Whether the module runs.
enum State {
    Running,
    Booting(Instant),
    /// It switched itself off.
    Off,
    /// It has no power.
    Unsupplied,
}

/// One module.
pub(super) struct Module {
    pub(super) device: Device,
    service: Box<dyn Service>,
    surroundings: Surroundings,
    state: State,
    /// The rest of the running command line.
    rest: VecDeque<ParsedCommand>,
    asker: Option<Asker>,
    /// A command that a fault keeps back until then.
    late: Option<(Instant, ParsedCommand)>,
    power: Option<Power>,
    /// What is said, on its way to the line.
    line: Line,
    /// Nothing is heard or said until then.
    frozen: Option<Instant>,
    /// What was heard meanwhile.
    unheard: Vec<u8>,
    /// So much waits for the host to read it that nothing more is fetched from the network.
    pub(super) host_is_slow: bool,
}

impl Module {
    /// Does everything that can be done now; `now` is the time of this turn.
    pub(super) fn turn(&mut self, now: Instant) {
        self.device.now = now;
        match self.state {
            State::Running => {}
            State::Booting(until) if until <= now => self.booted(),
            State::Booting(_) | State::Off | State::Unsupplied => return,
        }
        self.break_down();
        self.thaw();
        look_around(&mut self.device, self.service.as_mut());
        self.device.replies.session.handle_deadline(now);
        self.service.due(&mut self.device);
        self.catch_up();
        loop {
            // A module that is about to switch itself off takes no further command.
            // One at a time: what a command has for the network leaves before the next one runs.
            if self.power.is_none()
                && let Some(event) = self.device.replies.session.poll_event()
            {
                self.host_did(event);
            }
            let reads = self.may_fetch();
            let mut touched = BTreeSet::new();
            for (client, event) in self.device.links.pump(&mut self.device.faults, reads, now) {
                if self.device.links.concerns(client) {
                    self.service.link(&mut self.device, client, event);
                    touched.insert(client);
                }
            }
            // Not by another `pump`: a broker that never pauses would never let this turn end.
            for client in touched {
                self.device.links.flush(&mut self.device.faults, client, now);
            }
            for shown in self.device.replies.release(&self.device.quirks, now) {
                self.service.shown(shown);
            }
            self.speak();
            if self.line.died() {
                self.power = Some(Power::Restart);
            }
            if let Some(power) = self.power.take() {
                self.say_farewell(power);
                return self.switch(power);
            }
            // A reply may have freed commands that the session kept.
            match self.device.replies.session.poll_event() {
                Some(event) => self.host_did(event),
                None => return,
            }
        }
    }

    /// Whether messages may be fetched from the network.
    fn may_fetch(&self) -> bool {
        !(self.host_is_slow || self.device.replies.is_full() || self.frozen.is_some())
    }

    /// When `turn` must be called at the latest.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        match self.state {
            State::Booting(until) => Some(until),
            State::Off | State::Unsupplied => None,
            State::Running if self.device.links.has_more() => Some(self.device.now),
            // What was held back may go on: no descriptor tells of that.
            State::Running if self.device.links.is_paused() && self.may_fetch() => Some(self.device.now),
            State::Running => {
                let late = self.late.as_ref().map(|(due, _)| *due).filter(|_| self.frozen.is_none());
                let timers = [
                    late,
                    self.device.radio.next_deadline(),
                    self.service.next_deadline(),
                    self.frozen,
                    self.line.next_deadline(),
                    self.device.faults.next_deadline(),
                    self.device.replies.next_deadline(),
                    self.device.links.next_deadline(),
                ];
                timers.into_iter().flatten().min()
            }
        }
    }

    /// The host closed the port: what was begun is forgotten, what it had sent is kept (decision 44).
    pub(super) fn host_left(&mut self) {
        self.line.host_left();
        self.device.replies.session.reset(true);
        self.rest.clear();
        self.asker = None;
        self.late = None;
        for shown in self.device.replies.drop_late() {
            self.service.shown(shown);
        }
    }

    /// A host opened the port; on a module that switched itself off it is also the finger on the power key.
    pub(super) fn host_came(&mut self) {
        if matches!(self.state, State::Off) {
            self.boot();
        }
    }

    /// Nobody listens: lines that nobody asked for are lost.
    pub(super) fn nobody_listens(&mut self) {
        for shown in self.device.replies.drop_late() {
            self.service.shown(shown);
        }
    }

    fn host_did(&mut self, event: TaEvent) {
        match event {
            TaEvent::CommandLine(line) => self.command_line(&line),
            TaEvent::Payload(bytes) => self.typed(Ended::With(bytes)),
            TaEvent::PayloadCancelled => self.typed(Ended::Cancelled),
            TaEvent::PayloadTimedOut => self.typed(Ended::TimedOut),
        }
    }

    fn command_line(&mut self, typed: &[u8]) {
        let line = &typed[2.min(typed.len())..];
        // What is said from here on, behind the echo, answers this line.
        self.speak();
        let is_small = |part: &[u8]| part.iter().any(u8::is_ascii_lowercase);
        let name = line.split(|byte| matches!(byte, b'=' | b'?')).next().unwrap_or_default();
        let is_unknown = self.device.quirks.has("upper_case_only") && name.starts_with(b"+") && is_small(name);
        let parsed = self.parsed(line).filter(|_| !is_unknown);
        let names = parsed.iter().flatten().map(|command| self.name_of(command).to_owned());
        self.line.begin(Asked { commands: names.collect(), line: typed.to_vec() });
        let running = self.running(parsed.as_deref().unwrap_or_default());
        self.device.replies.begin(running);
        let limits = &self.device.dialect.limits;
        let too_long = limits.line_len.is_some_and(|most| line.len() > most as usize);
        match parsed {
            Some(commands) if !too_long && limits.line_commands.is_none_or(|most| commands.len() <= most as usize) => {
                self.rest = commands.into();
                self.go_on();
            }
            _ => self.end(FinalResult::Error),
        }
    }

    /// The commands of a line. A quirk has one whose payload, with whatever is in it, is the rest of the line.
    fn parsed(&mut self, line: &[u8]) -> Option<Vec<ParsedCommand>> {
        self.device.inline = None;
        let quirks = &self.device.quirks;
        if quirks.has("inline_publish") {
            let numbers = quirks.text("inline_publish", "numbers") == Some("payload");
            if let Some((command, payload)) = inline::publish(line, numbers) {
                self.device.inline = Some(payload);
                return Some(vec![command]);
            }
        }
        if quirks.has("will_quotes_taken")
            && let Some((command, message)) = inline::will(line)
        {
            self.device.inline = Some(message);
            return Some(vec![command]);
        }
        command_line::parse(line)
    }

    /// Carries out what is left of the command line, up to the first error or input.
    fn go_on(&mut self) {
        while let Some(command) = self.rest.pop_front() {
            if self.goes_wrong(&command) || !self.carried_out(&command) {
                return;
            }
        }
        self.end(FinalResult::Ok);
    }

    fn carried_out(&mut self, command: &ParsedCommand) -> bool {
        let (asker, answer) = self.command(command);
        self.answered(asker, answer)
    }

    /// Whether the next command of the line may run.
    fn answered(&mut self, asker: Asker, answer: Answer) -> bool {
        match answer {
            Answer::Done => true,
            Answer::Accepted => {
                self.device.replies.owe_result();
                true
            }
            Answer::Refused(refusal) => {
                self.end(match asker {
                    Asker::Service => self.device.refusal(refusal),
                    Asker::Surroundings => self.device.general_refusal(refusal),
                });
                false
            }
            Answer::Typed(typed) => {
                self.asker = Some(asker);
                self.ask(&typed);
                false
            }
            Answer::Power(power) => {
                self.power = Some(power);
                true
            }
            Answer::Crashed => {
                self.power = Some(Power::Restart);
                false
            }
        }
    }

    fn ask(&mut self, typed: &Typed) {
        let deadline = typed.timeout.map(|timeout| self.device.now + self.device.timer(timeout.as_secs()));
        let echo = self.shows(typed);
        let Device { replies, now, quirks, .. } = &mut self.device;
        let ctrl_z = quirks.has("ctrl_z_ends_input") && typed.asks == Asks::Prompt;
        match typed.asks {
            Asks::Connect => replies.session.reply_connect(),
            Asks::Prompt => replies.session.prompt_as(quirky::prompt(quirks)),
        }
        let end = match typed.end {
            PayloadEnd::Counted(count) if ctrl_z => PayloadEnd::CountedOrCtrlZ(count),
            end => end,
        };
        replies.session.expect_payload(end, echo, deadline, *now);
    }

    fn typed(&mut self, ended: Ended) {
        let Some(asker) = self.asker.take() else { return };
        let answer = match asker {
            Asker::Service => self.service.typed(&mut self.device, ended),
            Asker::Surroundings => self.surroundings.typed(&mut self.device, ended),
        };
        if self.answered(asker, answer) {
            self.go_on();
        }
    }

    fn end(&mut self, result: FinalResult) {
        self.rest.clear();
        self.break_down_behind();
        self.turn_around(&result);
        let Device { replies, quirks, now, .. } = &mut self.device;
        replies.end(&result, quirks, *now);
    }

    fn command(&mut self, parsed: &ParsedCommand) -> (Asker, Answer) {
        let dialect = self.device.dialect;
        let Some((name, command)) = dialect.entry(&parsed.name) else {
            return (Asker::Surroundings, Answer::Refused(Refusal::Unknown));
        };
        let asker = if dialect.commands.contains_key(name) { Asker::Service } else { Asker::Surroundings };
        // The service words its own lines, that may have a payload.
        let tight = self.device.quirks.text("no_blank_after_colon", "lines").is_some_and(|lines| lines != "mqtt");
        self.device.replies.tight = tight && matches!(asker, Asker::Surroundings);
        if !command.answers.is_empty() {
            let Some(lines) = command.answer(&behind_the_name(parsed)) else {
                return (asker, Answer::Refused(Refusal::Unknown));
            };
            let mut parts = lines.splitn(2, |line| line == "OK");
            parts.next().unwrap_or_default().iter().for_each(|line| self.device.replies.info(line));
            let Some(behind) = parts.next() else { return (asker, Answer::Done) };
            behind.iter().for_each(|line| self.device.replies.urc(line.as_str(), self.device.now));
            return (asker, Answer::Accepted);
        }
        let form = match parsed.form {
            Form::Test => schema::Form::Test,
            Form::Read => schema::Form::Read,
            Form::Write => schema::Form::Write,
            Form::Execute => schema::Form::Execute,
        };
        if !command.forms.contains(&form) {
            return (asker, Answer::Refused(Refusal::Unknown));
        }
        let call = match form {
            schema::Form::Test => {
                for line in &command.test_reply {
                    self.device.replies.info(line);
                }
                return (asker, Answer::Done);
            }
            schema::Form::Read => Call::Read(name, command),
            schema::Form::Write | schema::Form::Execute => {
                let texts: Vec<_> = parsed.args.iter().map(Arg::bytes).collect();
                let mut given: Vec<Given<'_>> = parsed
                    .args
                    .iter()
                    .zip(&texts)
                    .map(|(arg, bytes)| Given { quoted: matches!(arg, Arg::Text(_)), bytes })
                    .collect();
                if self.device.inline.is_some() && name.starts_with("AT+QMTPUB") {
                    // Stands for the length of what is there already, where a length there must be.
                    given.extend(inline::needs_length(command).then_some(Given::bare(b"1")));
                }
                let takes_any = self.device.quirks.has("bare_text_taken");
                let letters = self.device.quirks.has("letters_counted");
                let lengths = if letters { Lengths::Letters } else { Lengths::Bytes };
                match match_variant_by(lengths, dialect, name, &given)
                    .or_else(|bad| otherwise_quoted(dialect, name, &given, takes_any).ok_or(bad))
                {
                    Ok(matched) => Call::Write(matched),
                    // Decision 41 tells an unknown key from a bad value.
                    Err(bad) if bad.is_about_key() && given.first().is_some_and(|key| key.quoted) => {
                        return (asker, Answer::Refused(Refusal::Unknown));
                    }
                    Err(_) => return (asker, Answer::Refused(Refusal::Parameter)),
                }
            }
        };
        let answer = match asker {
            Asker::Service if form == schema::Form::Read && self.device.quirks.has("odd_read_forms") => {
                self.device.replies.add_a_field();
                let answer = self.service.call(&mut self.device, &call);
                if self.device.replies.as_documented() == 0 && matches!(answer, Answer::Done) {
                    self.device.replies.info(format!("{}: 0,0", name.trim_start_matches("AT")));
                }
                answer
            }
            Asker::Service => self.service.call(&mut self.device, &call),
            Asker::Surroundings => self.surroundings.call(&mut self.device, self.service.as_mut(), &call),
        };
        self.device.inline = None;
        (asker, answer)
    }

    /// A hand at the supply.
    fn supply(&mut self, supply: Supply) {
        match supply {
            Supply::Off => {
                self.power_fails();
                self.state = State::Unsupplied;
            }
            Supply::On if !matches!(self.state, State::Off | State::Unsupplied) => {}
            Supply::On => {
                self.device.supply();
                self.boot();
            }
            Supply::Cycle => {
                self.power_fails();
                self.device.supply();
                self.boot();
            }
        }
    }

    /// Without a word, but for modules that see it coming.
    fn power_fails(&mut self) {
        let power = Power::Off { in_good_order: false };
        if matches!(self.state, State::Running) {
            self.say_farewell(power);
        }
        self.switch(power);
    }

    fn say_farewell(&mut self, power: Power) {
        let says = power == Power::Off { in_good_order: true };
        let always = matches!(power, Power::Off { .. }) && self.device.quirks.has("power_down_word");
        if says || always {
            let word = surroundings::power_down_word(&self.device).as_bytes().to_vec();
            self.device.replies.session.urc(&word);
            self.speak();
        }
    }

    fn boot(&mut self) {
        self.state = State::Booting(self.device.now + self.device.speed.span(BOOT));
    }

    fn switch(&mut self, power: Power) {
        self.device.links.cut_all();
        self.service.restart();
        self.line.power_lost(self.device.now);
        self.frozen = None;
        self.unheard.clear();
        self.device.replies.drop_late();
        self.surroundings.restart(&mut self.device);
        self.rest.clear();
        self.asker = None;
        self.late = None;
        match power {
            Power::Restart => self.boot(),
            Power::Off { .. } => self.state = State::Off,
        }
    }

    fn booted(&mut self) {
        self.state = State::Running;
        self.device.replies.session.reset(false);
        let text = surroundings::boot_text(&self.device);
        self.device.replies.urc_raw(text, self.device.now);
    }
}

/// What is written behind a command's name: `?`, `="band",1`.
fn behind_the_name(parsed: &ParsedCommand) -> String {
    match parsed.form {
        Form::Test => "=?".into(),
        Form::Read => "?".into(),
        Form::Write => format!("={}", String::from_utf8_lossy(parsed.raw.trim_ascii())),
        Form::Execute => String::new(),
    }
}

/// The arguments as they are meant where the last ones are empty, some lack their quotation marks, or one has some it should
/// not have.
fn otherwise_quoted<'a>(dialect: &'a Dialect, name: &str, given: &[Given<'_>], wanted: bool) -> Option<Matched<'a>> {
    if !wanted {
        return None;
    }
    let filled = given.iter().rposition(|one| one.quoted || !one.bytes.is_empty()).map_or(0, |last| last + 1);
    let given = &given[..filled];
    // All that is no number.
    let is_number = |bytes: &[u8]| bytes.strip_prefix(b"-").unwrap_or(bytes).iter().all(u8::is_ascii_digit);
    let mut texts = given.to_vec();
    let is_signed = |bytes: &[u8]| bytes.strip_prefix(b"-").is_some_and(is_number);
    texts.iter_mut().for_each(|given| given.quoted |= !is_number(given.bytes) && !is_signed(given.bytes));
    let at_once = [given, &texts].into_iter().find_map(|meant| match_variant(dialect, name, meant).ok());
    at_once.or_else(|| {
        (0..given.len()).find_map(|place| {
            let mut meant = texts.clone();
            meant[place].quoted = !meant[place].quoted;
            if !meant[place].quoted && !is_number(meant[place].bytes) {
                meant[place].bytes = b"1";
            }
            match_variant(dialect, name, &meant).ok()
        })
    })
}
