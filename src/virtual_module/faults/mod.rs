//! Faults on demand: a table of named ones ([`FAULTS`]), those in force ([`Faults`]), and the mechanisms that have them
//! happen. A fault is data: what it does is one [`Effect`], which a mechanism looks for at its one place:
//!
//! - on a command, before it is carried out and behind its answer: `module`;
//! - on the bytes of the line, either way: [`Line`];
//! - on MQTT packets between module and network: [`Wire`];
//! - on what is around the module: [`Faults::around`], and where a name is resolved, a PDP context given, a file stored.
//!
//! Without a fault in force nothing here touches a byte. A fault that happens says so in the log.

mod fault;
mod line;
mod packets;
mod random;
mod table;
mod wire;

use std::fmt;
use std::ops::Deref;
use std::time::Instant;

use crate::error::Error;
use crate::virtual_module::conditions::Conditions;
use crate::virtual_module::conditions::Registration;

pub use fault::Fault;
pub use table::FAULTS;
pub use table::FaultRow;

pub(super) use fault::known;
pub(super) use line::Line;
pub(super) use random::Random;
pub(super) use table::Effect;
pub(super) use wire::Passed;
pub(super) use wire::Unsent;
pub(super) use wire::Way;
pub(super) use wire::Wire;

/// Says what is wrong with a fault as it is written, if anything is, for modules of this dialect.
pub fn check(dialect: &str, fault: &str) -> Result<(), Error> {
    Fault::parse(fault, super::dialect(dialect)?).map(drop)
}

/// A fault that was asked for, and how far it is.
#[derive(Clone, Debug)]
pub struct FaultStatus {
    /// Name and parameters.
    pub fault: Fault,
    /// How often it has happened.
    pub happened: u64,
    /// How often it will happen yet; `None`: until it is cleared.
    pub left: Option<u64>,
}

/// The same, for the mechanisms.
#[derive(Debug)]
pub(super) struct Active {
    status: FaultStatus,
    /// Bytes that passed; the mechanism says which.
    passed: u64,
    /// When it is over by itself, once it has begun.
    until: Option<Instant>,
}

/// A command line, or what is meant of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// Its commands, as the catalogue names them.
    pub(super) commands: Vec<String>,
    /// As it came, with `AT`.
    pub(super) line: Vec<u8>,
}

/// The faults of one module.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Active>);

impl Active {
    /// Whether it is meant for this command line, or a part of it.
    fn is_meant(&self, asked: &Asked) -> bool {
        let has = |text: &[u8]| asked.line.windows(text.len()).any(|part| part == text);
        self.text("command").is_none_or(|wanted| asked.commands.iter().any(|command| command == wanted))
            && self.text("line").is_none_or(|text| has(text.as_bytes()))
    }

    /// Whether it is meant for this direction.
    fn is_way(&self, way: &str) -> bool {
        self.text("direction").is_none_or(|wanted| wanted == way || wanted == "both")
    }

    /// How often it may happen yet.
    fn left(&self) -> Option<u64> {
        self.status.left
    }

    /// It happened so many times.
    fn happened(&mut self, times: u64, to: impl fmt::Display) {
        if times > 0 {
            self.status.happened += times;
            self.status.left = self.status.left.map(|left| left.saturating_sub(times));
            log::info!(target: "modemrig::virtual_module", "fault {} happens to {to}", self.status.fault);
        }
    }
}

impl Deref for Active {
    type Target = Fault;

    fn deref(&self) -> &Fault {
        &self.status.fault
    }
}

impl Faults {
    /// One more fault. One of the same name that is used up makes room.
    pub(super) fn inject(&mut self, fault: Fault) {
        self.0.retain(|old| old.left() != Some(0) || old.name() != fault.name());
        let left = fault.number("count").and_then(|count| u64::try_from(count).ok());
        self.0.push(Active { status: FaultStatus { fault, happened: 0, left }, passed: 0, until: None });
    }

    /// The faults of this name, or all, are over.
    pub(super) fn clear(&mut self, name: Option<&str>) {
        self.0.retain(|active| name.is_some_and(|name| active.name() != name));
    }

    /// What there is, used up or not.
    pub(super) fn list(&self) -> Vec<FaultStatus> {
        self.0.iter().map(|active| active.status.clone()).collect()
    }

    /// Those of these effects that are not used up.
    fn in_force(&mut self, effects: &[Effect]) -> impl Iterator<Item = &mut Active> {
        self.0.iter_mut().filter(|active| active.left() != Some(0) && effects.contains(&active.effect()))
    }

    /// The fault of these effects that happens to the running command now, if any.
    pub(super) fn on_command(&mut self, effects: &[Effect], command: &str, line: &[u8]) -> Option<Fault> {
        let asked = Asked { commands: vec![command.to_owned()], line: line.to_vec() };
        let active = self.in_force(effects).find(|active| active.is_meant(&asked))?;
        active.happened(1, command);
        Some(active.status.fault.clone())
    }

    /// The fault of these effects that happens without any occasion, if any; `can` it happen now.
    pub(super) fn at_once(&mut self, effects: &[Effect], can: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let active = self.in_force(effects).find(|active| active.text("command").is_none() && can(active))?;
        active.happened(1, "the module");
        Some(active.status.fault.clone())
    }

    /// Those of these effects that last for a while; they happen by being there.
    fn lasting(&mut self, effects: &[Effect], now: Instant) -> impl Iterator<Item = &Active> {
        self.in_force(effects).filter_map(move |active| {
            if active.status.happened == 0 {
                active.happened(1, "the module");
                active.until = active.number("ms").map(|_| now + active.span("ms"));
            }
            if active.until.is_some_and(|until| until <= now) {
                active.status.left = Some(0);
            }
            (active.left() != Some(0)).then_some(&*active)
        })
    }

    /// What is around the module, as faults have changed it.
    pub(super) fn around(&mut self, conditions: &Conditions, now: Instant) -> Conditions {
        let mut around = conditions.clone();
        for active in self.lasting(&[Effect::LoseRegistration, Effect::LoseNetwork], now) {
            around.registration = match active.effect() {
                Effect::LoseNetwork => Registration::Searching,
                _ => Registration::Denied,
            };
        }
        around
    }

    /// Seconds that the calendar is wrong by.
    pub(super) fn clock_error(&mut self, now: Instant) -> i64 {
        self.lasting(&[Effect::WrongClock], now).filter_map(|active| active.number("seconds")).sum()
    }

    /// When a fault that lasts for a while is over.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.0.iter().filter(|active| active.left() != Some(0)).filter_map(|active| active.until).min()
    }

    /// Whether a fault of this effect happens to something now.
    pub(super) fn happens(&mut self, effect: Effect, to: &str) -> bool {
        let Some(active) = self.in_force(&[effect]).next() else { return false };
        active.happened(1, to);
        true
    }
}
