//! The radio as far as a host sees it: functionality, attachment, PDP contexts. The network is always there; what the host
//! switches off is off.

use std::collections::BTreeMap;

/// State of the radio.
#[derive(Debug)]
pub(in crate::virtual_module) struct Radio {
    /// `AT+CFUN`: 0, 1 or 4.
    pub(super) functionality: i64,
    /// `AT+CGATT`.
    pub(super) attached: bool,
    /// PDP contexts that are defined.
    pub(super) contexts: BTreeMap<i64, Context>,
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
        Radio { functionality: 1, attached: true, contexts: BTreeMap::from([(1, Context::default())]) }
    }
}

impl Radio {
    /// Whether there is a network at all.
    pub(super) fn is_registered(&self) -> bool {
        self.functionality == 1
    }

    /// Activates a PDP context, as opening a connection does; whether that was possible.
    pub(in crate::virtual_module) fn activate(&mut self, context: i64) -> bool {
        if !self.is_registered() || !self.attached {
            return false;
        }
        self.contexts.entry(context).or_default().active = true;
        true
    }

    /// Whether the network is there and attached to.
    pub(in crate::virtual_module) fn is_up(&self) -> bool {
        self.is_registered() && self.attached
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
