//! What becomes of requests when a port is recovered: each ends once, whoever waits for it.

use std::time::Instant;

use crate::dialect::grammar;
use crate::engine::port::Port;
use crate::engine::protocol::Protocol;
use crate::engine::resync::Footing;
use crate::error::Error;
use crate::proto::TeSession;
use crate::proto::command_line;
use crate::proto::grammar::Asked;

/// The command that was given up last: what the module asked for then, and of which client it was.
#[derive(Clone, Copy, Debug)]
pub struct GivenUp {
    /// What it made the module ask for.
    pub asked: Asked,
    /// The client it was about.
    pub client: Option<u8>,
}

impl GivenUp {
    /// The command that is pending, about to be given up.
    pub fn of(te: &TeSession, client: Option<u8>) -> GivenUp {
        let commands = te.pending_line().and_then(command_line::parse_line).unwrap_or_default();
        let mut asked = commands.iter().map(|command| grammar::any().asked(command));
        GivenUp { asked: asked.next_back().unwrap_or(Asked::Nothing), client }
    }
}

impl Default for GivenUp {
    fn default() -> GivenUp {
        GivenUp { asked: Asked::Nothing, client: None }
    }
}

impl Protocol {
    /// The port goes on over another line: what was pending ends with this error. Settings stay until the module is known
    /// to have restarted; only of the echo nothing is known.
    pub fn begin_anew(&mut self, why: &Error) {
        for exchange in self.command.take().iter().chain(self.owed.iter().map(|(_, exchange)| exchange)) {
            exchange.record().gone = Some(why.clone());
        }
        self.owed.clear();
        let mut settings = self.te.settings().clone();
        settings.echo = true;
        self.te = TeSession::new(grammar::any(), settings);
        self.footing = Footing::Sure;
        self.settles = None;
        self.revive = true;
    }
}

impl Port {
    /// Whether the module asked for a payload that was given up, and may still count its bytes.
    pub fn is_counting(&self) -> bool {
        matches!(self.protocol.lock().footing, Footing::Lost { counting: true, .. })
    }

    /// The client of the payload that was given up.
    pub fn counting_client(&self) -> Option<u8> {
        self.protocol.lock().given_up.client
    }

    /// Whether Esc ends the input that was given up, and sends nothing: only where no length was said beforehand.
    pub fn input_ends_by_esc(&self) -> bool {
        self.protocol.lock().given_up.asked == Asked::UntilCtrlZ
    }

    /// Whatever query is on the wire makes room for a command of the recovery.
    pub fn speak_first(&self) {
        let mut protocol = self.protocol.lock();
        if protocol.te.pending_line().is_some() {
            protocol.te.abandon_command();
        }
        drop(protocol);
        self.forget_unsent();
    }

    /// Requests of a client that was closed end as those of a lost connection.
    pub fn lose_requests(&self, client: u8, now: Instant) {
        let mut protocol = self.protocol.lock();
        let (lost, owed): (Vec<_>, Vec<_>) =
            std::mem::take(&mut protocol.owed).into_iter().partition(|(_, exchange)| exchange.client == Some(client));
        protocol.owed = owed;
        for (awaited, exchange) in &lost {
            protocol.te.abandon_result(awaited);
            exchange.record().lost.get_or_insert((None, now));
        }
        drop(protocol);
        self.happened();
    }
}
