//! How a client of the SIMCom family is taken down: DISC, REL, STOP. What is over already is no failure.

use crate::client::ClientState;
use crate::engine::client::Client;
use crate::engine::commands::Order;
use crate::engine::wait::Until;
use crate::engine::wait::Wait;
use crate::error::Error;
use crate::error::Kind;

/// What is over already when a client is taken down: 11, no connection; 20, the client is not acquired; 9, 19 and 21, no
/// network, a client used or not released, of a service that is to be stopped (FIELD F20).
const NOT_CONNECTED: [i64; 1] = [11];
const NOT_ACQUIRED: [i64; 1] = [20];
const STOPPED: [i64; 3] = [9, 19, 21];

impl Client {
    pub(crate) fn cmqtt_disconnect(&self, wait: Wait<'_>) -> Result<(), Error> {
        let until = self.until("AT+CMQTTDISC", wait);
        let order = self.order("AT+CMQTTDISC", "write", &[], None)?;
        self.ended(order, &until)
    }

    pub(crate) fn release(&self, until: &Until<'_>) -> Result<(), Error> {
        let order = self.order("AT+CMQTTREL", "write", &[], None)?;
        over_already(self.when_not_busy(until, || self.accepted(order.clone(), until)), &NOT_ACQUIRED)?;
        self.slot().facts.lock().acquired = false;
        Ok(())
    }

    /// Whether another client of the module has been opened and not closed.
    fn others_use_the_service(&self) -> bool {
        let mut others = self.port().clients.iter().enumerate().filter(|(index, _)| *index != usize::from(self.index));
        // One lock at a time.
        others.any(|(_, slot)| slot.facts.lock().ours)
    }

    pub(crate) fn cmqtt_close(&self, wait: Wait<'_>) -> Result<(), Error> {
        let until = self.until("AT+CMQTTSTOP", wait);
        let (state, acquired, ours) = {
            let facts = self.slot().facts.lock();
            (facts.state, facts.acquired, facts.ours)
        };
        if matches!(state, ClientState::Connected | ClientState::Connecting) {
            over_already(self.cmqtt_disconnect(wait), &NOT_CONNECTED)?;
        }
        if acquired {
            self.release(&until)?;
        }
        if ours && !self.others_use_the_service() {
            let order = Order::raw("AT+CMQTTSTOP", None, crate::dialect::grammar::any())?;
            over_already(self.ended(order, &until), &STOPPED)?;
        }
        let mut facts = self.slot().facts.lock();
        facts.ours = false;
        facts.state = ClientState::Closed;
        facts.before = ClientState::Closed;
        facts.found.clear();
        Ok(())
    }
}

/// What was to be ended may have ended by itself: these codes say so.
fn over_already(ended: Result<(), Error>, codes: &[i64]) -> Result<(), Error> {
    match ended {
        Err(error) if error.kind == Kind::RequestFailed && error.code.is_some_and(|code| codes.contains(&code)) => {
            Ok(())
        }
        other => other,
    }
}
