//! What lines of the module change in what we know of its clients. Applied when the protocol lock is free again.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::client::ClientState;
use crate::client::Outcome;
use crate::dialect::schema::Family;
use crate::engine::messages::ConnectionLost;
use crate::engine::port::Port;
use crate::engine::verdict;
use crate::proto::Op;

/// Why a client lost its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The connection ended.
    Connection,
    /// The bearer ended: SIMCom's service with it (`+CMQTTNONET`).
    Bearer,
    /// The module restarted.
    Restart,
}

/// A change of a client's state.
pub enum Change {
    Ended { client: u8, op: Op, outcome: Outcome },
    Refused { client: u8 },
    Freed { client: u8, msgid: u16 },
    Stored { client: u8 },
    Lost { client: u8, code: Option<i32>, reported: String, cause: Cause },
}

impl Port {
    /// Which commands the module has; Quectel's as long as it has not said who it is.
    pub fn family(&self) -> Family {
        self.dialect.get().map_or(Family::Qmt, |dialect| dialect.family)
    }

    /// Applies a change.
    pub fn change(&self, change: Change, now: Instant) {
        let family = self.family();
        match change {
            Change::Ended { client, op, outcome } => {
                let Some(slot) = self.clients.get(usize::from(client)) else { return };
                let mut facts = slot.facts.lock();
                facts.state = ClientState::after(facts.before, op, outcome, family);
                facts.before = facts.state;
                if facts.state == ClientState::Connected {
                    facts.lost = None;
                    slot.lost.store(false, Ordering::Release);
                }
                if facts.state == ClientState::Closed {
                    facts.window.clear();
                }
            }
            Change::Refused { client } => {
                let Some(slot) = self.clients.get(usize::from(client)) else { return };
                let mut facts = slot.facts.lock();
                facts.state = facts.before;
            }
            Change::Freed { client, msgid } => {
                let Some(slot) = self.clients.get(usize::from(client)) else { return };
                slot.facts.lock().window.give_back(msgid);
            }
            Change::Stored { client } => {
                let Some(slot) = self.clients.get(usize::from(client)) else { return };
                slot.stored.store(true, Ordering::Release);
                slot.messages.wake();
            }
            Change::Lost { client, code, reported, cause } => {
                let Some(slot) = self.clients.get(usize::from(client)) else { return };
                let row = code.and_then(|code| verdict::loss_row(self.dialect.get().copied(), &reported, code));
                let loss = ConnectionLost {
                    client,
                    reported,
                    code,
                    meaning: row.map(|row| row.meaning.clone()),
                    remedy: row.and_then(|row| row.remedy.clone()),
                    at: self.at(now),
                };
                let mut facts = slot.facts.lock();
                // A SIMCom client stays acquired: `+CMQTTNONET` and `+CMQTTCONNLOST` may tell of one end.
                let is_told = family == Family::Cmqtt && facts.state == ClientState::Open && facts.lost.is_some();
                let news = facts.state.can_lose() && !is_told;
                facts.state =
                    if cause == Cause::Restart { ClientState::Closed } else { ClientState::after_loss(family) };
                if cause == Cause::Bearer && family == Family::Cmqtt {
                    facts.state = ClientState::Closed;
                    facts.ours = false;
                    facts.acquired = false;
                }
                facts.before = facts.state;
                facts.window.clear();
                if cause == Cause::Restart {
                    // Nothing of ours is left on it: settings are not kept over power-down.
                    facts.ours = false;
                    facts.acquired = false;
                    facts.found.clear();
                    facts.known.clear();
                    facts.unknown.clear();
                }
                if news {
                    facts.lost = Some(loss.clone());
                    slot.lost.store(true, Ordering::Release);
                }
                drop(facts);
                if news {
                    slot.losses.put(VecDeque::from([loss]));
                    slot.messages.wake();
                }
            }
        }
    }
}
