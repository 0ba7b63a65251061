//! What the owner of a running module tells it: orders, over a channel to the module's thread. An order has been carried
//! out when the call that gave it returns. It decides nothing; `board` drains the channel into [`Module::order`].
//!
//! [`Module::order`]: crate::virtual_module::module::Module::order

use std::sync::Arc;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::bounded;
use crossbeam_channel::unbounded;
use polling::Poller;

use crate::error::Error;
use crate::error::Kind;
use crate::virtual_module::conditions::Conditions;
use crate::virtual_module::faults::Fault;
use crate::virtual_module::faults::FaultStatus;
use crate::virtual_module::quirks::Quirk;

/// Something the owner wants.
pub(super) enum Order {
    /// A fault from now on.
    Inject(Fault),
    /// The faults of this name, or all of them, are over.
    Clear(Option<String>),
    /// A quirk from now on.
    Quirk(Quirk),
    /// The quirks of this name, or all of them, are no more.
    ClearQuirk(Option<String>),
    /// Which quirks there are.
    Quirks(Sender<Vec<String>>),
    /// Something else is around the module.
    Conditions(Conditions),
    /// Power, as a hand at the supply switches it.
    Supply(Supply),
    /// Which faults there are.
    Faults(Sender<Vec<FaultStatus>>),
    /// How many messages of a client found no room.
    Dropped(u8, Sender<u64>),
}

/// What a hand at the supply does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Supply {
    Off,
    On,
    /// Off and on again at once.
    Cycle,
}

/// An order, and who waits for it.
struct Given {
    order: Order,
    done: Sender<Result<(), Error>>,
}

/// The owner's end.
#[derive(Clone)]
pub(super) struct Control {
    orders: Sender<Given>,
    poller: Arc<Poller>,
}

/// The module's end.
pub(super) struct Orders(Receiver<Given>);

/// Both ends; the poller is the one the module's thread waits in.
pub(super) fn channel(poller: Arc<Poller>) -> (Control, Orders) {
    let (orders, taken) = unbounded();
    (Control { orders, poller }, Orders(taken))
}

impl Control {
    /// Gives an order and waits until the module acts by it. The module's thread never waits for anybody, so this is brief.
    pub(super) fn give(&self, order: Order) -> Result<(), Error> {
        let stopped = || Error::new(Kind::PortClosed, "the virtual module has stopped");
        let (done, outcome) = bounded(1);
        self.orders.send(Given { order, done }).map_err(|_| stopped())?;
        // A poller that cannot be woken is one whose thread has ended; then nobody keeps `done` either.
        let _ = self.poller.notify();
        outcome.recv().map_err(|_| stopped())?
    }
}

impl Orders {
    /// Carries out what has been ordered.
    pub(super) fn drain(&self, mut carry_out: impl FnMut(Order) -> Result<(), Error>) {
        while let Ok(Given { order, done }) = self.0.try_recv() {
            // Who gave it may be gone.
            let _ = done.send(carry_out(order));
        }
    }
}
