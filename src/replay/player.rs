//! Plays a script to a host: sans IO and without a clock. Bytes of the host and `now` in, bytes of the module out.
//!
//! A command line is answered by the next exchange of the file with the same line; what the file said behind an answer comes
//! behind it again. A host that goes on earlier than the recorded one gets what is outstanding first, so that the order of the
//! file is kept whatever the times. What the file does not have is refused, and noted. The line's owner is `module`.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use crate::proto::FinalResult;
use crate::proto::Part;
use crate::proto::PayloadEnd;
use crate::proto::TaEvent;
use crate::proto::TaSession;
use crate::proto::command_line;
use crate::proto::command_line::Arg;
use crate::proto::command_line::ParsedCommand;
use crate::replay::effect::Effect;
use crate::replay::manners::Manners;
use crate::replay::pattern::normal_form;
use crate::replay::prompts::Prompt;
use crate::replay::prompts::Prompts;
use crate::replay::report::Mismatch;
use crate::replay::report::Wrong;
use crate::replay::report::shown;
use crate::replay::script::Answer;
use crate::replay::script::Script;
use crate::replay::script::is_covered;

/// Where the file's times do not count, a pause is at most this long: the host sees what it saw, in several reads.
const PAUSE: Duration = Duration::from_millis(20);
/// A shorter one is how the system cut the bytes.
const CUT: Duration = Duration::from_millis(5);

/// How a script is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplayOptions {
    /// At the times of the file; else at once, with pauses of at most 20 ms.
    pub times: bool,
    /// Payloads need not be those of the file, nor as long.
    pub any_payload: bool,
}

/// Bytes that are due, and what they end.
struct Due {
    at: Instant,
    bytes: Vec<u8>,
    then: Turn,
}

/// Whose turn it is behind them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Nothing changes.
    Same,
    /// The host's next command.
    Host,
    /// The host's payload.
    Payload(PayloadEnd),
}

/// A script on the way to a host.
pub struct Player {
    script: Script,
    options: ReplayOptions,
    manners: Manners,
    prompts: Prompts,
    session: TaSession,
    /// The echo of what is being answered: it comes when it came, since hosts cut what they read by its pauses.
    echo: Vec<u8>,
    out: Vec<u8>,
    /// Which exchanges were asked for.
    asked: Vec<bool>,
    /// Behind the last one that changed something.
    next: usize,
    /// How often something has changed.
    changes: u64,
    /// The exchange that answered each line last, and how much had changed then.
    last: BTreeMap<Vec<u8>, (usize, u64)>,
    /// The exchange that waits for its payload.
    typing: Option<usize>,
    due: VecDeque<Due>,
    mismatches: Vec<Mismatch>,
    greeted: bool,
    /// A host has the port open.
    has_host: bool,
}

impl Player {
    /// Nobody has asked yet.
    pub fn new(script: Script, options: ReplayOptions) -> Player {
        let echo = script.header.echo || script.exchanges.first().is_some_and(|exchange| exchange.echoed);
        Player {
            manners: Manners::of(&script),
            prompts: Prompts::new(script.grammar),
            session: TaSession::new(echo),
            echo: Vec::new(),
            out: Vec::new(),
            asked: vec![false; script.exchanges.len()],
            next: 0,
            changes: 0,
            last: BTreeMap::new(),
            typing: None,
            due: VecDeque::new(),
            mismatches: Vec::new(),
            greeted: false,
            has_host: false,
            script,
            options,
        }
    }

    // ---- the line ----

    /// A host opened the port. The first one hears what the module said before the recorded host's first word.
    pub fn host_came(&mut self, now: Instant) {
        self.has_host = true;
        if !std::mem::replace(&mut self.greeted, true) {
            let before = Answer { said: self.script.before.clone(), ..Answer::default() };
            self.schedule(&before, Turn::Same, now);
        }
    }

    /// The host closed the port; a line that it had half typed is forgotten.
    pub fn host_left(&mut self) {
        self.has_host = false;
        self.due.clear();
        self.typing = None;
        self.session.reset(false);
    }

    /// Bytes of the host.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.greeted = true;
        let goes_on = bytes.iter().any(|byte| !matches!(byte, b'\r' | b'\n'));
        if goes_on && !self.session.busy() {
            self.say_all(now);
        }
        self.session.receive(bytes, now);
        self.turn(now);
    }

    /// Time has passed.
    pub fn handle_deadline(&mut self, now: Instant) {
        while self.due.front().is_some_and(|due| due.at <= now) && !self.host_types(now) {
            self.say_next(now);
        }
        self.turn(now);
    }

    /// When something is due.
    pub fn next_deadline(&self) -> Option<Instant> {
        let due = self.due.front()?.at;
        Some(self.session.typing_until().filter(|_| !self.session.busy()).map_or(due, |until| due.max(until)))
    }

    /// Bytes for the host.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.collect();
        self.show_echo();
        (!self.out.is_empty()).then(|| std::mem::take(&mut self.out))
    }

    /// Takes what the session has to say; an echo at its end is kept apart.
    fn collect(&mut self) {
        while let Some((part, bytes)) = self.session.poll_part() {
            if part == Part::Echo {
                self.echo.extend(bytes);
            } else {
                self.show_echo();
                self.out.extend(bytes);
            }
        }
    }

    fn show_echo(&mut self) {
        self.out.append(&mut self.echo);
    }

    // ---- what became of it ----

    /// What was not as in the file.
    pub fn mismatches(&self) -> &[Mismatch] {
        &self.mismatches
    }

    /// The command lines of the file that nobody has asked, secrets covered.
    pub fn left(&self) -> Vec<String> {
        let left = self.script.exchanges.iter().zip(&self.asked).filter(|(_, asked)| !**asked);
        left.map(|(exchange, _)| shown(&exchange.line)).collect()
    }

    /// Whether a host has the port open.
    pub fn has_host(&self) -> bool {
        self.has_host
    }

    /// How many exchanges the file has.
    pub fn exchanges(&self) -> usize {
        self.script.exchanges.len()
    }

    /// Whether the file is through: its last command that changes something was asked (of a file without one, all were), and
    /// everything was said.
    pub fn is_finished(&self) -> bool {
        let last = self.script.exchanges.iter().rposition(|exchange| exchange.effect == Effect::Changes);
        let through = last.map_or(!self.asked.contains(&false), |last| self.next > last);
        through && self.due.is_empty() && !self.session.busy()
    }

    // ---- the host's turn ----

    fn turn(&mut self, now: Instant) {
        while let Some(event) = self.session.poll_event() {
            self.collect();
            match event {
                TaEvent::CommandLine(line) => self.command(&line, now),
                TaEvent::Payload(payload) => self.payload(Some(payload), now),
                TaEvent::PayloadCancelled => self.payload(None, now),
                TaEvent::PayloadTimedOut => {}
            }
        }
    }

    fn command(&mut self, line: &[u8], now: Instant) {
        self.say_all(now);
        let commands = command_line::parse_line(line).unwrap_or_default();
        let normal = normal_form(line);
        if let Some(found) = self.find(&normal, line) {
            self.answer(found, line, &commands, now);
            self.remember(normal, found);
        } else if !self.manners.answer(&commands, &mut self.session, now) {
            let known = self.script.exchanges.iter().any(|exchange| exchange.pattern.fits(&normal));
            self.note(if known { Wrong::Again } else { Wrong::Unknown }, line);
            self.session.reply_final(&FinalResult::Error, now);
        }
    }

    /// The exchange that answers a line: the next one with it, else an earlier one that was left out, else the one that
    /// answered it last, if it may be asked again.
    fn find(&mut self, normal: &[u8], line: &[u8]) -> Option<usize> {
        let fits = |number: &usize| !self.asked[*number] && self.script.exchanges[*number].pattern.fits(normal);
        let count = self.script.exchanges.len();
        if let Some(found) = (self.next..count).find(fits) {
            return Some(found);
        }
        if let Some(found) = (0..self.next).find(fits) {
            if self.script.exchanges[found].effect == Effect::Changes {
                self.note(Wrong::Order, line);
            }
            return Some(found);
        }
        let (last, changes) = self.last.get(normal)?;
        match self.script.exchanges[*last].effect {
            Effect::None => Some(*last),
            Effect::Asks => (*changes == self.changes).then_some(*last),
            Effect::Changes => None,
        }
    }

    fn remember(&mut self, normal: Vec<u8>, found: usize) {
        self.asked[found] = true;
        if self.script.exchanges[found].effect == Effect::Changes {
            self.next = self.next.max(found + 1);
            self.changes += 1;
        }
        self.last.insert(normal, (found, self.changes));
    }

    fn answer(&mut self, found: usize, line: &[u8], commands: &[ParsedCommand], now: Instant) {
        let own = self.prompts.of(commands);
        let exchange = &self.script.exchanges[found];
        // The host's own line says how long its payload is; it may differ from the recorded one.
        let prompt = exchange.prompt.map(|recorded| match own {
            Prompt::Certain(end) => end,
            Prompt::None | Prompt::Possible => recorded,
        });
        log::debug!(target: "modemrig::replay", "{} is answered by exchange {}", shown(line), found + 1);
        self.typing = prompt.map(|_| found);
        let answer = exchange.answer.clone();
        self.set_echo(found, commands);
        self.schedule(&answer, prompt.map_or(Turn::Host, Turn::Payload), now);
    }

    /// Echo from now on: as the host wants it, and where the module changed it by itself (a restart), as it was recorded.
    fn set_echo(&mut self, found: usize, commands: &[ParsedCommand]) {
        let wish = commands.iter().rfind(|command| command.name == "E");
        let here = self.script.exchanges[found].echoed;
        let behind = self.script.exchanges.get(found + 1).map(|exchange| exchange.echoed);
        match (wish, behind) {
            (Some(command), _) => {
                self.session.set_echo(command.args.first().and_then(Arg::number).unwrap_or(0) != 0);
            }
            (None, Some(behind)) if behind != here => self.session.set_echo(behind),
            _ => {}
        }
    }

    fn payload(&mut self, payload: Option<Vec<u8>>, now: Instant) {
        self.say_all(now);
        let Some(found) = self.typing.take() else { return self.session.end_command(now) };
        let exchange = &self.script.exchanges[found];
        let line = exchange.line.clone();
        let Some(typed) = &exchange.typed else {
            self.note(Wrong::Unanswered, &line);
            return self.session.end_command(now);
        };
        let answer = typed.answer.clone();
        let is_same = match (&typed.payload, &payload) {
            (Some(recorded), Some(given)) => self.options.any_payload || is_covered(recorded) || recorded == given,
            (recorded, given) => recorded.is_none() && given.is_none(),
        };
        if !is_same {
            self.note(Wrong::Payload, &line);
        }
        self.schedule(&answer, Turn::Host, now);
    }

    fn note(&mut self, wrong: Wrong, line: &[u8]) {
        let expected = (self.next..self.script.exchanges.len()).find(|number| !self.asked[*number]);
        let expected = expected.map(|number| shown(&self.script.exchanges[number].line));
        let mismatch = Mismatch { wrong, asked: shown(line), expected };
        log::warn!(target: "modemrig::replay", "{mismatch}");
        self.mismatches.push(mismatch);
    }

    // ---- the module's turn ----

    fn schedule(&mut self, answer: &Answer, then: Turn, now: Instant) {
        let (mut at, mut before) = (now, Duration::ZERO);
        if let Some(echo_at) = answer.echo_at.filter(|_| self.options.times && !self.echo.is_empty()) {
            (at, before) = (now + echo_at, echo_at);
            let bytes = std::mem::take(&mut self.echo);
            self.due.push_back(Due { at, bytes, then: Turn::Same });
        }
        self.show_echo();
        for (number, said) in answer.said.iter().enumerate() {
            let pause = said.at.saturating_sub(before);
            before = said.at;
            at += match self.options.times {
                true => pause,
                // The answer itself comes at once.
                false if pause < CUT || answer.ends.is_some_and(|ends| number <= ends) => Duration::ZERO,
                false => pause.min(PAUSE),
            };
            let then = if answer.ends == Some(number) { then } else { Turn::Same };
            self.due.push_back(Due { at, bytes: said.bytes.clone(), then });
        }
        if answer.ends.is_none() && then != Turn::Same {
            self.hand_over(then, now);
        }
        self.handle_due(now);
    }

    fn handle_due(&mut self, now: Instant) {
        while self.due.front().is_some_and(|due| due.at <= now) {
            self.say_next(now);
        }
    }

    /// Everything that is outstanding, now.
    fn say_all(&mut self, now: Instant) {
        while !self.due.is_empty() {
            self.say_next(now);
        }
    }

    fn say_next(&mut self, now: Instant) {
        if let Some(due) = self.due.pop_front() {
            self.collect();
            self.show_echo();
            self.out.extend(&due.bytes);
            self.hand_over(due.then, now);
        }
    }

    fn hand_over(&mut self, then: Turn, now: Instant) {
        match then {
            Turn::Same => {}
            Turn::Host => self.session.end_command(now),
            Turn::Payload(end) => {
                let typed = self.typing.and_then(|number| self.script.exchanges[number].typed.as_ref());
                let echo = typed.is_some_and(|typed| typed.echoed);
                self.session.expect_payload(end, echo, None, now);
            }
        }
    }

    /// Nothing unsolicited comes between the characters of a line that is being typed.
    fn host_types(&self, now: Instant) -> bool {
        !self.session.busy() && self.session.typing_until().is_some_and(|until| until > now)
    }
}
