//! Faults on demand: a table of named ones ([`FAULTS`]), those in force ([`Faults`]), and the mechanisms that have them
//! happen. A fault is data: what it does is one [`Effect`], which a mechanism looks for at its one place:
//!
//! - on a command before it is carried out: `module`.
//!
//! Without a fault in force nothing here touches a byte. A fault that happens says so in the log.

mod fault;
mod table;

pub use fault::Fault;
pub(super) use fault::known;
pub use table::FAULTS;
pub use table::FaultRow;
pub use table::ParamKind;
pub use table::ParamRow;

pub(super) use table::Effect;

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

/// The faults of one module.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<FaultStatus>);

impl Faults {
    /// One more fault. Those that are used up make room: the list tells of the last one of each kind.
    pub(super) fn inject(&mut self, fault: Fault) {
        self.0.retain(|old| old.left != Some(0) || old.fault.name() != fault.name());
        let left = fault.number("count").and_then(|count| u64::try_from(count).ok());
        self.0.push(FaultStatus { fault, happened: 0, left });
    }

    /// The faults of this name, or all, are over.
    pub(super) fn clear(&mut self, name: Option<&str>) {
        self.0.retain(|active| name.is_some_and(|name| active.fault.name() != name));
    }

    /// What there is, used up or not.
    pub(super) fn list(&self) -> Vec<FaultStatus> {
        self.0.clone()
    }

    /// The fault that happens to a command now, if any.
    pub(super) fn on_command(&mut self, command: &str) -> Option<Fault> {
        let effects = [Effect::Ignore, Effect::Delay, Effect::Refuse];
        let hits = |fault: &Fault| {
            effects.contains(&fault.row.effect) && fault.text("command").is_none_or(|wanted| wanted == command)
        };
        self.happens(hits, command)
    }

    /// Counts and logs the first fault in force that is meant.
    fn happens(&mut self, meant: impl Fn(&Fault) -> bool, to: &str) -> Option<Fault> {
        let active = self.0.iter_mut().find(|active| active.left != Some(0) && meant(&active.fault))?;
        active.happened += 1;
        active.left = active.left.map(|left| left - 1);
        log::info!(target: "modemrig::virtual_module", "fault {} happens to {to}", active.fault);
        Some(active.fault.clone())
    }
}
