//! What is around a virtual module: network, signal, SIM, clock. Plain data, given at the start and changed while it runs.
//!
//! What a module makes of it is in `surroundings`; what goes wrong for a moment is a fault.

use std::time::Duration;

/// Seconds since 1970 that a module shows which was never told the time: 1980-01-06, the first day of GPS time.
pub(super) const UNTOLD: u64 = 315_964_800;

/// What is around a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// What the network makes of the module.
    pub registration: Registration,
    /// How long it looks for the network after its radio was switched on; shortened by `speed`.
    pub registration_delay: Duration,
    /// Strength of the signal, 0 to 31; `None`: not known.
    pub rssi: Option<u8>,
    /// Bit error rate, 0 to 7; `None`: not known.
    pub ber: Option<u8>,
    /// Whether the network tells the time when the module registers.
    pub network_time: bool,
    /// Seconds that the time the network tells is wrong by.
    pub clock_error_s: i64,
    /// The card.
    pub sim: Sim,
    /// Whether the network gives a PDP context.
    pub pdp: bool,
    /// Whether names are resolved.
    pub dns: bool,
}

impl Default for Conditions {
    fn default() -> Conditions {
        Conditions {
            registration: Registration::Home,
            registration_delay: Duration::ZERO,
            rssi: Some(24),
            ber: None,
            network_time: true,
            clock_error_s: 0,
            sim: Sim::Ready,
            pdp: true,
            dns: true,
        }
    }
}

impl Conditions {
    /// What is out of range, if anything.
    pub(super) fn fault(&self) -> Option<String> {
        match self {
            Conditions { rssi: Some(rssi @ 32..), .. } => Some(format!("rssi {rssi}: 0 to 31, or unknown")),
            Conditions { ber: Some(ber @ 8..), .. } => Some(format!("ber {ber}: 0 to 7, or unknown")),
            Conditions { clock_error_s: error, .. } if error.unsigned_abs() > 4_000_000_000 => {
                Some(format!("clock_error_s {error}: -4000000000 to 4000000000"))
            }
            _ => None,
        }
    }
}

/// What a network makes of a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// It is at home there.
    Home,
    /// It is a guest there.
    Roaming,
    /// It is refused.
    Denied,
    /// There is no network; the module goes on looking for one.
    Searching,
}

impl Registration {
    /// By its name.
    pub const NAMES: [(&'static str, Registration); 4] = [
        ("home", Registration::Home),
        ("roaming", Registration::Roaming),
        ("denied", Registration::Denied),
        ("searching", Registration::Searching),
    ];

    /// The number of 3GPP TS 27.007 §7.2.
    pub(super) fn stat(self) -> i64 {
        match self {
            Registration::Home => 1,
            Registration::Searching => 2,
            Registration::Denied => 3,
            Registration::Roaming => 5,
        }
    }
}

/// The card in a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sim {
    /// It can be used.
    Ready,
    /// There is none.
    Absent,
    /// It wants its PIN, which nobody enters.
    PinRequired,
}

impl Sim {
    /// By its name.
    pub const NAMES: [(&'static str, Sim); 3] =
        [("ready", Sim::Ready), ("absent", Sim::Absent), ("pin_required", Sim::PinRequired)];
}
