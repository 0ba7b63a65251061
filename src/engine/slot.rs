//! What the engine keeps of one client: its state behind a lock, its messages, its losses.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use indexmap::IndexMap;

use crate::client::ClientState;
use crate::client::Window;
use crate::engine::exchange::Exchange;
use crate::engine::lock::Lock;
use crate::engine::lock::Rank;
use crate::engine::messages::ConnectionLost;
use crate::engine::messages::Queue;
use crate::engine::messages::Received;
use crate::engine::options::OpenOptions;
use crate::engine::value::Value;

/// Most bytes of messages a client keeps for its taker.
const MESSAGE_BYTES: usize = 256 << 20;
/// Losses kept for `connection_lost`.
const LOSSES: usize = 64;

/// One client.
pub struct ClientSlot {
    /// Its state.
    pub facts: Lock<Facts>,
    /// Messages not yet taken.
    pub messages: Queue<Received>,
    /// Losses not yet taken.
    pub losses: Queue<ConnectionLost>,
    /// The last connection was lost, and there is no new one.
    pub lost: AtomicBool,
    /// Messages wait in the module's own slots.
    pub stored: AtomicBool,
    /// The module restarted at a subscription whose packet identifier was not 0.
    pub falls_over_ids: AtomicBool,
}

/// What is known of a client.
#[derive(Default)]
pub struct Facts {
    /// Where it stands.
    pub state: ClientState,
    /// Where it stood before what is under way.
    pub before: ClientState,
    /// Packet identifiers in flight.
    pub window: Window,
    /// The loss that ended the last connection, until the next one.
    pub lost: Option<ConnectionLost>,
    /// This program opened it, and closes it when the port is closed.
    pub ours: bool,
    /// Settings as they were before this program changed them: key and the values behind it.
    pub found: IndexMap<String, Vec<Value>>,
    /// Values of settings as last written or read, by documented parameter: they decide how long to wait.
    pub known: IndexMap<String, Value>,
    /// Settings this module refused though its document has them; not asked for again.
    pub unknown: Vec<String>,
    /// Settings that are parameters of later commands (SIMCom): by documented name.
    pub wishes: IndexMap<String, Value>,
    /// The client is acquired (SIMCom).
    pub acquired: bool,
    /// The last publish, until its result (SIMCom).
    pub publishing: Option<Arc<Exchange>>,
    /// Where an SIMCom client will dial: host, port, TLS context.
    pub address: Option<(String, u16, Option<u8>)>,
}

impl ClientSlot {
    /// A client as it is when nothing is known.
    pub fn new(options: &OpenOptions) -> ClientSlot {
        ClientSlot {
            facts: Lock::new(Rank::Client, Facts::default()),
            messages: Queue::new(options.message_queue, MESSAGE_BYTES),
            losses: Queue::new(LOSSES, usize::MAX),
            lost: AtomicBool::new(false),
            stored: AtomicBool::new(false),
            falls_over_ids: AtomicBool::new(false),
        }
    }

    /// Wakes everyone who takes from it.
    pub fn wake(&self) {
        self.messages.wake();
        self.losses.wake();
    }
}
