//! After a command that got no answer in time: whose line is whose is established anew before the next one is sent.
//!
//! A query with an answer of its own name is sent; everything before that answer belongs to the past. A module that asked
//! for a payload may still wait for bytes, and then every byte of a query would become payload: it is left alone until a
//! final result or a restart shows that it does not (decision 32).
//!
//! Two lesser doubts: a request that its own result completed may have an `OK` yet to come (FIELD F1), so one query is
//! asked, and no harm done if nothing answers it; and behind a failure another `OK` may follow at once (FIELD F5), so the
//! line is listened to for a moment.

use std::time::Duration;
use std::time::Instant;

use crate::engine::baton::Step;
use crate::engine::clock;
use crate::engine::identity::FIRST_WORDS;
use crate::engine::identity::WORDS_ONE_BY_ONE;
use crate::engine::port::Port;
use crate::engine::port::count;
use crate::engine::recover_pending::GivenUp;
use crate::engine::wait::Until;
use crate::error::Error;
use crate::error::Kind;
use crate::proto::Input;
use crate::proto::Request;
use crate::proto::TeSession;

/// How long the answer to one query is awaited before another is asked: modules drop what comes while they are busy.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a module is given for each of the words that tell it how to speak, where it may not answer at all.
const WORD_PATIENCE: Duration = Duration::from_millis(200);

/// How long a surplus final result may come behind a failure.
pub const SETTLING: Duration = Duration::from_millis(30);

/// Queries every module answers with a line of the same name. The one that was given up is not asked.
const QUERIES: [&str; 4] = ["+CMEE", "+CGATT", "+CREG", "+CFUN"];

/// Whether it is known whose line is whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Footing {
    /// It is.
    Sure,
    /// This command was completed by its own result: its final result may be yet to come.
    Doubtful {
        /// Its name.
        name: String,
    },
    /// A command was given up.
    Lost {
        /// Its name.
        name: String,
        /// The module had asked for its payload, and may still count bytes.
        counting: bool,
    },
    /// A query is on the wire.
    Asking {
        /// The name of its answer.
        marker: &'static str,
        /// The answer came.
        answered: bool,
        /// Name of the command that was given up, or may have a final result to come.
        name: String,
        /// It was given up; otherwise there was a doubt only.
        given_up: bool,
    },
}

/// What a final result is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It ends the command on the wire.
    Command,
    /// It belongs to the past, or to a query.
    Past,
    /// It ends the query: all is clear again.
    InStep,
}

impl Footing {
    /// A prompt came.
    pub fn prompt_seen(&mut self) {
        match self {
            Footing::Lost { counting, .. } => *counting = true,
            Footing::Asking { name, .. } => *self = Footing::Lost { name: std::mem::take(name), counting: true },
            Footing::Sure | Footing::Doubtful { .. } => {}
        }
    }

    /// A line of this name came; says whether it answers the query.
    pub fn line_seen(&mut self, name: &str) -> bool {
        match self {
            Footing::Asking { marker, answered, .. } if name == *marker => {
                *answered = true;
                true
            }
            _ => false,
        }
    }

    /// A final result came.
    pub fn final_seen(&mut self) -> Worth {
        match self {
            Footing::Sure => Worth::Command,
            // It was what might be yet to come.
            Footing::Doubtful { .. } => {
                *self = Footing::Sure;
                Worth::Past
            }
            Footing::Asking { answered: true, .. } => {
                *self = Footing::Sure;
                Worth::InStep
            }
            Footing::Lost { counting, .. } => {
                *counting = false;
                Worth::Past
            }
            Footing::Asking { .. } => Worth::Past,
        }
    }

    /// A final result came; where it ends a query, the session is told that all is clear again.
    pub fn final_seen_in(&mut self, te: &mut TeSession) -> Worth {
        let worth = self.final_seen();
        if worth == Worth::InStep {
            te.resynced();
        }
        worth
    }

    /// The module restarted: nothing of the past will come.
    pub fn restarted(&mut self) {
        *self = Footing::Sure;
    }
}

impl Port {
    /// Gives up the command on the wire.
    pub fn give_up_command(&self) {
        let mut protocol = self.protocol.lock();
        let Some(command) = protocol.command.take() else { return };
        let (prompted, name) = (command.record().prompted, name_of(&command.shown).to_owned());
        command.record().abandoned = true;
        protocol.owed.retain(|(_, other)| !std::sync::Arc::ptr_eq(other, &command));
        protocol.given_up = GivenUp::of(&protocol.te, command.client);
        protocol.te.abandon_command();
        protocol.footing = Footing::Lost { name, counting: prompted };
        drop(protocol);
        count(&self.counts.timeouts, 1);
    }

    /// Brings the port back in step, if it is not; the caller has the turn.
    pub fn resynchronise(&self, until: &Until<'_>) -> Result<(), Error> {
        let mut tried = 0;
        loop {
            self.may_speak()?;
            let now = clock::now();
            let footing = self.protocol.lock().footing.clone();
            let (name, counting, given_up) = match footing {
                Footing::Sure => return Ok(()),
                Footing::Doubtful { name } => (name, false, false),
                Footing::Lost { name, counting } => (name, counting, true),
                Footing::Asking { given_up: false, .. } if tried > 0 => {
                    // A module without this query has no more to say.
                    self.believe();
                    return Ok(());
                }
                Footing::Asking { name, given_up, .. } => (name, false, given_up),
            };
            if until.expired(now) {
                return Err(self.out_of_step(&name, counting, until));
            }
            if given_up && tried == 1 {
                // It may have lost that setting as well: a quiet module gives no final result.
                self.speak_up(until)?;
            }
            let patience = if counting { None } else { Some(now + PATIENCE * (1 << tried.min(4))) };
            if !counting {
                self.ask(&name, given_up, tried)?;
                tried += 1;
            }
            let slice = patience.map_or(*until, |at| until.cut(at));
            let changed = self.wait(&slice, |_| {
                let asked_to_leave = self.turn.is_recovered_elsewhere();
                match &self.protocol.lock().footing {
                    _ if asked_to_leave => Step::Done(()),
                    Footing::Sure => Step::Done(()),
                    Footing::Lost { counting: false, .. } if counting => Step::Done(()),
                    Footing::Lost { counting: true, .. } if !counting => Step::Done(()),
                    _ => Step::NotYet(None),
                }
            })?;
            if changed.is_some() && self.protocol.lock().footing == Footing::Sure {
                count(&self.counts.resynchronised, 1);
                log::warn!(target: "modemrig::engine", "{}: back in step after {name}", self.name);
                return Ok(());
            }
        }
    }

    /// Tells the module how to speak, together and word by word, though nobody knows whose final result comes next. The
    /// caller has the turn.
    pub fn speak_up(&self, until: &Until<'_>) -> Result<(), Error> {
        for words in std::iter::once(FIRST_WORDS).chain(WORDS_ONE_BY_ONE) {
            // It may be counting payload after all.
            if matches!(self.protocol.lock().footing, Footing::Lost { counting: true, .. }) {
                break;
            }
            let now = clock::now();
            self.write_line(words.as_bytes(), now)?;
            self.wait(&until.cut(now + WORD_PATIENCE), |_| match self.protocol.lock().te.pending_line() {
                None => Step::Done(()),
                Some(_) => Step::NotYet(None),
            })?;
        }
        Ok(())
    }

    /// Ends a doubt that nothing confirmed.
    fn believe(&self) {
        let mut protocol = self.protocol.lock();
        protocol.te.resynced();
        protocol.footing = Footing::Sure;
    }

    /// Listens for a moment where a surplus final result may come; the caller has the turn.
    pub fn settle(&self, until: &Until<'_>) -> Result<(), Error> {
        let Some(at) = self.protocol.lock().settles.take() else { return Ok(()) };
        self.wait(&until.cut(at), |now| if now >= at { Step::Done(()) } else { Step::NotYet(Some(at)) })?;
        // However late it is by now.
        self.catch_up(until)
    }

    fn ask(&self, name: &str, given_up: bool, tried: usize) -> Result<(), Error> {
        let usable: Vec<&'static str> = QUERIES.into_iter().filter(|query| !name.ends_with(query)).collect();
        let marker = usable[tried % usable.len()];
        let now = clock::now();
        self.protocol.lock().footing = Footing::Asking { marker, answered: false, name: name.to_owned(), given_up };
        self.write_line(format!("AT{marker}?").as_bytes(), now)
    }

    /// Writes a line that is nobody's command.
    fn write_line(&self, line: &[u8], now: Instant) -> Result<(), Error> {
        let mut bytes = Vec::new();
        {
            let mut protocol = self.protocol.lock();
            if protocol.te.pending_line().is_some() {
                protocol.te.abandon_command();
            }
            let request = Request { line: line.to_vec(), input: Input::None, awaits: None };
            if let Err(error) = protocol.te.send(request, now) {
                return Err(Error::new(Kind::Internal, format!("a query could not be sent: {error}")));
            }
            while let Some(more) = protocol.te.poll_transmit() {
                bytes.extend(more);
            }
        }
        self.forget_unsent();
        self.transmit(&bytes, now)
    }

    fn out_of_step(&self, name: &str, counting: bool, until: &Until<'_>) -> Error {
        let waited = until.waited(clock::now());
        let error = if counting {
            Error::new(Kind::Garbled, format!("the module may still wait for payload of {name}, which was given up"))
                .awaiting("a final result or a restart", waited)
                .with_remedy(
                    "nothing is sent meanwhile, it would be published; let edit/timeout end it, or cut the power",
                )
        } else {
            Error::new(Kind::NoAnswer, format!("the module has not answered since {name} was given up"))
                .awaiting("the answer to a query", waited)
                .with_remedy("check power and speed, or restart the module")
        };
        self.explain(error)
    }
}

/// `AT+QMTOPEN` of `AT+QMTOPEN=0,…`.
pub fn name_of(line: &str) -> &str {
    line.split(['=', '?', ';']).next().unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finals_before_the_answer_of_the_query_belong_to_the_past() {
        let mut footing = Footing::Asking { marker: "+CMEE", answered: false, name: "AT+CSQ".into(), given_up: true };
        footing.line_seen("+CSQ");
        assert_eq!(Worth::Past, footing.final_seen());
        footing.line_seen("+CMEE");
        assert_eq!(Worth::InStep, footing.final_seen());
        assert_eq!(Worth::Command, footing.final_seen());
    }

    #[test]
    fn a_final_result_that_was_missed_ends_the_doubt() {
        let mut footing = Footing::Doubtful { name: "AT+QMTPUBEX".into() };
        assert_eq!(Worth::Past, footing.final_seen());
        assert_eq!(Footing::Sure, footing);
    }

    #[test]
    fn a_module_that_counts_payload_is_left_alone_until_a_final_result() {
        let mut footing = Footing::Lost { name: "AT+QMTPUBEX".into(), counting: false };
        footing.prompt_seen();
        assert_eq!(Footing::Lost { name: "AT+QMTPUBEX".into(), counting: true }, footing);
        assert_eq!(Worth::Past, footing.final_seen());
        assert_eq!(Footing::Lost { name: "AT+QMTPUBEX".into(), counting: false }, footing);
    }

    #[test]
    fn a_prompt_during_a_query_stops_the_asking() {
        let name = "AT+QMTPUBEX".to_owned();
        let mut footing = Footing::Asking { marker: "+CMEE", answered: false, name, given_up: true };
        footing.prompt_seen();
        assert_eq!(Footing::Lost { name: "AT+QMTPUBEX".into(), counting: true }, footing);
    }

    #[test]
    fn a_name_ends_at_the_form() {
        assert_eq!("AT+QMTOPEN", name_of("AT+QMTOPEN=0,\"a?b\",1883"));
        assert_eq!("ATI", name_of("ATI"));
    }
}
