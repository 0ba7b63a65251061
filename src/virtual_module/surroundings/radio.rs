//! The radio as far as a host sees it: functionality, registration, attachment, PDP contexts. What is around it is in
//! `conditions`; what the host switches off is off.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::virtual_module::conditions::Conditions;
use crate::virtual_module::conditions::Sim;

/// State of the radio.
#[derive(Debug)]
pub(in crate::virtual_module) struct Radio {
    /// `AT+CFUN`: 0, 1 or 4.
    pub(super) functionality: i64,
    /// `AT+CGATT`.
    pub(super) attached: bool,
    /// PDP contexts that are defined.
    pub(super) contexts: BTreeMap<i64, Context>,
    /// Registration, by the numbers of TS 27.007 §7.2.
    pub(super) stat: i64,
    /// When the search for a network ends.
    found_at: Option<Instant>,
    /// The network gives PDP contexts.
    gives_pdp: bool,
}

/// A PDP context.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) pdp_type: String,
    pub(super) apn: String,
    pub(super) active: bool,
}

impl Default for Context {
    fn default() -> Context {
        Context { pdp_type: "IP".into(), apn: String::new(), active: false }
    }
}

impl Default for Radio {
    fn default() -> Radio {
        Radio {
            functionality: 1,
            attached: true,
            contexts: BTreeMap::from([(1, Context::default())]),
            stat: 0,
            found_at: None,
            gives_pdp: true,
        }
    }
}

impl Radio {
    /// Begins to look for a network.
    pub(in crate::virtual_module) fn search(&mut self, until: Instant) {
        self.found_at = Some(until);
    }

    /// Takes in what is around; whether the registration is another one now.
    pub(super) fn look(&mut self, conditions: &Conditions, now: Instant) -> bool {
        self.found_at.take_if(|until| *until <= now);
        self.gives_pdp = conditions.pdp;
        let stat = match self.functionality {
            1 if conditions.sim != Sim::Ready => 0,
            1 if self.found_at.is_some() => 2,
            1 => conditions.registration.stat(),
            _ => 0,
        };
        std::mem::replace(&mut self.stat, stat) != stat
    }

    /// When the search ends.
    pub(in crate::virtual_module) fn next_deadline(&self) -> Option<Instant> {
        self.found_at
    }

    /// Whether there is a network at all.
    pub(super) fn is_registered(&self) -> bool {
        matches!(self.stat, 1 | 5)
    }

    /// Whether a PDP context can be had.
    pub(super) fn has_pdp(&self) -> bool {
        self.is_registered() && self.attached && self.gives_pdp
    }

    /// Activates a PDP context, as opening a connection does; whether that was possible.
    pub(in crate::virtual_module) fn activate(&mut self, context: i64) -> bool {
        if !self.has_pdp() {
            return false;
        }
        self.contexts.entry(context).or_default().active = true;
        true
    }

    /// Whether the network is there and attached to.
    pub(in crate::virtual_module) fn is_up(&self) -> bool {
        self.is_registered() && self.attached
    }

    pub(in crate::virtual_module) fn is_active(&self, context: i64) -> bool {
        self.contexts.get(&context).is_some_and(|context| context.active)
    }

    pub(super) fn deactivate(&mut self, context: i64) {
        if let Some(context) = self.contexts.get_mut(&context) {
            context.active = false;
        }
    }

    pub(super) fn deactivate_all(&mut self) {
        for context in self.contexts.values_mut() {
            context.active = false;
        }
    }

    /// The address of a context: private, and another one for each.
    pub(super) fn address(context: i64) -> String {
        format!("10.64.0.{}", 1 + context)
    }
}
