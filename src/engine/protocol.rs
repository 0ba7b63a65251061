//! What a port knows of the talk under way: the session, the command on the wire, the results owed, and what is in doubt.
//!
//! Behind the port's protocol lock; who changes what is in `router`, `commands`, `resync` and `recover_pending`.

use std::sync::Arc;
use std::time::Instant;

use crate::engine::exchange::Exchange;
use crate::engine::recover_pending::GivenUp;
use crate::engine::resync::Footing;
use crate::proto::Awaited;
use crate::proto::Grammar;
use crate::proto::Op;
use crate::proto::Settings;
use crate::proto::TeSession;

/// Protocol state of the port and who waits for what.
pub struct Protocol {
    /// The sans-IO session.
    pub te: TeSession,
    /// The command line on the wire.
    pub command: Option<Arc<Exchange>>,
    /// Late results owed.
    pub owed: Vec<(Awaited, Arc<Exchange>)>,
    /// Whether it is known whose line is whose.
    pub footing: Footing,
    /// The module restarted, or lost a setting, and has not been told again how to speak.
    pub revive: bool,
    /// How often it was told again, since it last did as told.
    pub told: u8,
    /// Until then a surplus final result may come.
    pub settles: Option<Instant>,
    /// The command that was given up last.
    pub given_up: GivenUp,
}

impl Protocol {
    /// A port nobody has spoken on: it may echo.
    pub fn new(grammar: &'static Grammar) -> Protocol {
        let mut settings = Settings::default();
        settings.echo = true;
        Protocol {
            te: TeSession::new(grammar, settings),
            command: None,
            owed: Vec::new(),
            footing: Footing::Sure,
            revive: false,
            told: 0,
            settles: None,
            given_up: GivenUp::default(),
        }
    }

    /// When the session wants to be asked again.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.te.next_deadline()
    }

    /// The request whose result a line about these is.
    pub fn owed_to(&mut self, op: Op, client: Option<u8>, msgid: Option<u16>) -> Option<Arc<Exchange>> {
        let fits = |awaited: &Awaited| {
            awaited.op == op
                && (client.is_none() || awaited.client.is_none() || awaited.client == client)
                && (msgid.is_none() || awaited.msgid.is_none() || awaited.msgid == msgid)
        };
        let position = self.owed.iter().position(|(awaited, _)| fits(awaited))?;
        Some(Arc::clone(&self.owed[position].1))
    }

    /// Requests that the loss of their client ended without a result have none to come: theirs would be another's.
    pub fn forget_lost(&mut self, now: Instant) {
        let te = &mut self.te;
        self.owed.retain(|(awaited, exchange)| {
            let over = exchange.is_lost(now);
            if over {
                te.abandon_result(awaited);
            }
            !over
        });
    }

    /// Nothing is owed to this request any more.
    pub fn forget(&mut self, exchange: &Arc<Exchange>) {
        self.owed.retain(|(_, other)| !Arc::ptr_eq(other, exchange));
    }
}
