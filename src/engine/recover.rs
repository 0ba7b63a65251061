//! Brings a port and its module back to where commands are answered and clients are what they are taken for: a ladder of
//! rungs, each bounded, the gentlest first, climbed no further than needed. What it did is the result, and is in the log.
//!
//! The rungs are data ([`LADDER`]); what each does is in `recover_rungs.rs`, how a port is found again in `recover_port.rs`,
//! what the module says of its clients in `recover_clients.rs`. Sessions are made again by their owner (the bindings).

use std::time::Duration;
use std::time::Instant;

use crate::client::ClientState;
use crate::engine::clock;
use crate::engine::modem::Modem;
use crate::engine::recover_rungs;
use crate::engine::wait::Until;
use crate::engine::wait::Wait;
use crate::error::Error;
use crate::error::Fault;
use crate::error::Kind;

/// How long each rung may take.
#[derive(Clone, Copy, Debug)]
pub struct RecoverBounds {
    /// Until the port is found again; a module that restarts is off the USB bus for 5 to 20 s.
    pub port: Duration,
    /// Until a module that counts payload gives it up by itself, where the time of its edit/timeout is not known.
    pub input: Duration,
    /// Until a query is answered.
    pub resync: Duration,
    /// Until the results of closing have come.
    pub close: Duration,
    /// Until the module answers behind AT+CFUN=1,1.
    pub restart: Duration,
    /// Until it answers behind a power cycle, the switching included.
    pub power: Duration,
}

impl Default for RecoverBounds {
    fn default() -> RecoverBounds {
        RecoverBounds {
            port: Duration::from_secs(30),
            input: Duration::from_secs(10),
            resync: Duration::from_secs(5),
            close: Duration::from_secs(10),
            restart: Duration::from_secs(40),
            power: Duration::from_secs(60),
        }
    }
}

impl RecoverBounds {
    fn all(&self) -> Duration {
        [self.port, self.input, self.resync, self.close, self.restart, self.power].iter().sum()
    }
}

/// Cuts the power and gives it back, within this time; says what it did.
pub type PowerHand<'a> = &'a (dyn Fn(Duration) -> Result<String, Error> + Sync);
/// Names the ports the module may be behind now.
pub type PortSeeker<'a> = &'a (dyn Fn() -> Result<Vec<String>, Error> + Sync);

/// What the caller can do that this package cannot.
#[derive(Clone, Copy, Default)]
pub struct RecoverAids<'a> {
    /// A switch in the module's supply.
    pub power: Option<PowerHand<'a>>,
    /// Where to look for the module, beside the names it was opened by.
    pub ports: Option<PortSeeker<'a>>,
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// It did what it is for.
    Done,
    /// It did not.
    Failed,
    /// It could not be tried, and would have been.
    Skipped,
}

/// One step of a recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryStep {
    /// `port`, `input`, `resync`, `close`, `restart`, `power`
    pub name: &'static str,
    /// What was tried, in words.
    pub tried: &'static str,
    /// How it went.
    pub outcome: StepOutcome,
    /// What came of it, in words.
    pub said: String,
    /// How long it took.
    pub took: Duration,
}

/// What a recovery did, and how it left things.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// In order.
    pub steps: Vec<RecoveryStep>,
    /// Where the module is now.
    pub port: String,
    /// Its clients.
    pub clients: Vec<ClientState>,
    /// How long it took in all.
    pub took: Duration,
    /// Why it failed; `None`: the module answers and its clients are what they are taken for.
    pub error: Option<Error>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// Nobody asked yet.
    Unsure,
    /// The port is gone.
    Gone,
    /// The module asked for a payload and may still count it; whatever is sent would be published.
    Counting,
    /// The module does not answer.
    Silent,
    /// It answers, but clients are not what they are taken for.
    Wedged,
}

/// One rung.
pub(crate) struct Rung {
    pub name: &'static str,
    pub tried: &'static str,
    /// What it helps against.
    against: &'static [Trouble],
    bound: fn(&RecoverBounds) -> Duration,
    /// Why it cannot be tried.
    lacks: fn(&Climb<'_>) -> Option<String>,
    climb: fn(&Climb<'_>, &Until<'_>) -> Result<String, Error>,
}

/// The gentlest first.
const LADDER: [Rung; 6] = [
    Rung {
        name: "port",
        tried: "look for the port, under the names it had and where the caller says, until the module's serial number answers",
        against: &[Trouble::Gone],
        bound: |bounds| bounds.port,
        lacks: |climb| climb.lacks_names(),
        climb: recover_rungs::port,
    },
    Rung {
        name: "input",
        tried: "send nothing until the module gives the unfinished payload up; Esc where the document lets it end one",
        against: &[Trouble::Counting],
        bound: |bounds| bounds.input,
        lacks: recover_rungs::input_never_ends,
        climb: recover_rungs::input,
    },
    Rung {
        name: "resync",
        tried: "ask until an answer is surely that of the question, then compare the clients",
        against: &[Trouble::Unsure],
        bound: |bounds| bounds.resync,
        lacks: |_| None,
        climb: recover_rungs::resync,
    },
    Rung {
        name: "close",
        tried: "close the clients and wait for their results",
        against: &[Trouble::Wedged],
        bound: |bounds| bounds.close,
        lacks: |_| None,
        climb: recover_rungs::close,
    },
    Rung {
        name: "restart",
        tried: "AT+CFUN=1,1, then wait until the module answers",
        against: &[Trouble::Silent, Trouble::Wedged],
        bound: |bounds| bounds.restart,
        lacks: |_| None,
        climb: recover_rungs::restart,
    },
    Rung {
        name: "power",
        tried: "cut the power and give it back, then wait until the module answers",
        against: &[Trouble::Gone, Trouble::Counting, Trouble::Silent, Trouble::Wedged],
        bound: |bounds| bounds.power,
        lacks: |climb| climb.aids.power.is_none().then(|| "no switch in its supply is known (power=)".to_owned()),
        climb: recover_rungs::power,
    },
];

/// A recovery under way.
pub(crate) struct Climb<'a> {
    pub modem: &'a Modem,
    pub bounds: RecoverBounds,
    pub aids: RecoverAids<'a>,
    /// Every client is to be closed, not only those in trouble.
    pub all_clients: bool,
}

impl Modem {
    /// Brings port and module back. `at_least` names a rung (`close`, `restart`, `power`) that is taken even where nothing
    /// is seen to be wrong. The time is that of all rungs together; without it, the sum of their bounds.
    ///
    /// A command another thread has on the wire ends with [`Kind::NoAnswer`], what it had in flight on a port that was gone
    /// with [`Kind::PortGone`]; what waits for its turn is sent afterwards. Other handles of the modem go on.
    ///
    /// # Errors
    /// `Interrupted`, `PortClosed`, `BadValue`. That nothing helped is [`Recovery::error`].
    pub fn recover(
        &self,
        bounds: RecoverBounds,
        at_least: Option<&str>,
        aids: RecoverAids<'_>,
        wait: Wait<'_>,
    ) -> Result<Recovery, Error> {
        let demanded = at_least.map(rung_named).transpose()?;
        let until = wait.until(bounds.all());
        let port = self.shared();
        let _ours = loop {
            if let Some(ours) = port.begin_recovering() {
                break ours;
            }
            if until.expired(clock::now()) {
                let error = Error::new(Kind::NoAnswer, "another thread is recovering the module");
                return Err(port.explain(error.awaiting("its end", until.waited(clock::now()))));
            }
            recover_rungs::pause(&until)?;
        };
        let climb = Climb { modem: self, bounds, aids, all_clients: demanded.is_some() };
        climb.climb(demanded, &until)
    }
}

fn rung_named(name: &str) -> Result<usize, Error> {
    LADDER.iter().position(|rung| rung.name == name).ok_or_else(|| {
        let known: Vec<_> = LADDER.iter().map(|rung| rung.name).collect();
        Error::new(Kind::BadValue, format!("at_least cannot be {name:?}; allowed: {}", known.join(", ")))
    })
}

impl Climb<'_> {
    fn climb(&self, demanded: Option<usize>, until: &Until<'_>) -> Result<Recovery, Error> {
        let began = clock::now();
        let name = &self.modem.shared().name;
        let mut trouble = self.first_look()?;
        let mut steps = Vec::new();
        for (place, rung) in LADDER.iter().enumerate() {
            let wanted = rung.against.contains(&trouble)
                || (demanded == Some(place) && matches!(trouble, Trouble::None | Trouble::Wedged | Trouble::Silent));
            if !wanted || until.expired(clock::now()) {
                continue;
            }
            if let Some(why) = (rung.lacks)(self) {
                log::warn!(target: "modemrig::recovery", "{name}: {}: not tried, {why}", rung.name);
                steps.push(rung.step(StepOutcome::Skipped, why, Duration::ZERO));
                continue;
            }
            let step = self.take(rung, until)?;
            trouble = self.look(&step, trouble, until)?;
            steps.push(step);
        }
        let error = (trouble != Trouble::None).then(|| self.failure(trouble, &steps));
        let took = clock::now().saturating_duration_since(began);
        match &error {
            None => log::info!(target: "modemrig::recovery", "{name}: recovered within {:.1} s", took.as_secs_f64()),
            Some(error) => log::error!(target: "modemrig::recovery", "{name}: {error}"),
        }
        let clients = (0..self.modem.clients()).filter_map(|index| self.modem.client(index).ok());
        let clients = clients.map(|client| client.state()).collect();
        Ok(Recovery { steps, port: self.modem.shared().present_name(), clients, took, error })
    }

    /// Takes one rung.
    fn take(&self, rung: &Rung, until: &Until<'_>) -> Result<RecoveryStep, Error> {
        let name = &self.modem.shared().name;
        let began: Instant = clock::now();
        log::info!(target: "modemrig::recovery", "{name}: {}: {}", rung.name, rung.tried);
        let outcome = (rung.climb)(self, &until.cut(began + (rung.bound)(&self.bounds)));
        let took = clock::now().saturating_duration_since(began);
        let (outcome, said) = match outcome {
            Ok(said) => (StepOutcome::Done, said),
            Err(error) if is_end(&error) => return Err(error),
            Err(error) => (StepOutcome::Failed, error.message.clone()),
        };
        // Asking does nothing to the module; whatever else is done to it should be noticed.
        let asked = rung.against == [Trouble::Unsure] && outcome == StepOutcome::Done;
        let level = if asked { log::Level::Info } else { log::Level::Warn };
        log::log!(target: "modemrig::recovery", level, "{name}: {}: {said} ({:.1} s)", rung.name, took.as_secs_f64());
        Ok(rung.step(outcome, said, took))
    }

    /// What can be seen without asking.
    fn first_look(&self) -> Result<Trouble, Error> {
        let port = self.modem.shared();
        match port.still_open() {
            Err(error) if error.kind == Kind::PortClosed => Err(error),
            Err(_) => Ok(Trouble::Gone),
            Ok(()) if port.is_counting() => Ok(Trouble::Counting),
            Ok(()) => Ok(Trouble::Unsure),
        }
    }

    /// What is wrong behind a step.
    fn look(&self, step: &RecoveryStep, before: Trouble, until: &Until<'_>) -> Result<Trouble, Error> {
        let seen = self.first_look()?;
        if seen != Trouble::Unsure {
            return Ok(seen);
        }
        // To have the port, or the end of an input, is not yet to have an answer.
        if matches!(step.name, "port" | "input") {
            return Ok(if step.outcome == StepOutcome::Done { Trouble::Unsure } else { before });
        }
        if step.outcome == StepOutcome::Failed && before != Trouble::Wedged {
            return Ok(Trouble::Silent);
        }
        let cut = until.cut(clock::now() + self.bounds.resync);
        match self.survey(&cut) {
            Ok(survey) if survey.in_trouble().is_empty() => Ok(Trouble::None),
            Ok(_) => Ok(Trouble::Wedged),
            Err(error) if is_end(&error) => Err(error),
            Err(_) => self.first_look().map(|seen| if seen == Trouble::Unsure { Trouble::Silent } else { seen }),
        }
    }

    fn failure(&self, trouble: Trouble, steps: &[RecoveryStep]) -> Error {
        let (what, remedy, fault) = match trouble {
            Trouble::Gone => {
                ("its port is gone", "check cable and power, and say where else to look (ports=)", Fault::Link)
            }
            Trouble::Counting => (
                "the module may still wait for payload, and nothing is sent meanwhile: it would be published",
                "let edit/timeout end it, or cut the power (power= has it done)",
                Fault::Link,
            ),
            Trouble::Wedged => (
                "the module answers, but its clients cannot be brought into a known state",
                "cut the power (power= has it done)",
                Fault::Module,
            ),
            _ => ("the module does not answer", "check power and speed; power= has the power cut", Fault::Link),
        };
        let tried: Vec<String> = steps
            .iter()
            .map(|step| match step.outcome {
                StepOutcome::Skipped => format!("{} not tried ({})", step.name, step.said),
                _ => format!("{} ({}, {:.1} s)", step.name, step.said, step.took.as_secs_f64()),
            })
            .collect();
        let tried = if tried.is_empty() { "nothing, for want of time".to_owned() } else { tried.join("; ") };
        let message = format!("recovery failed: {what}; tried: {tried}");
        let mut error = Error::new(Kind::RecoveryFailed, message).with_remedy(remedy);
        error.fault = fault;
        self.modem.shared().explain(error)
    }
}

impl Rung {
    fn step(&self, outcome: StepOutcome, said: String, took: Duration) -> RecoveryStep {
        RecoveryStep { name: self.name, tried: self.tried, outcome, said, took }
    }
}

/// An error that ends a recovery, whatever is left to try.
fn is_end(error: &Error) -> bool {
    matches!(error.kind, Kind::Interrupted | Kind::PortClosed)
}
