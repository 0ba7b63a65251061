//! What the network side of a module stands on: a way to connections, real ones (`sockets`) or made up (`simulated`).
//!
//! It knows no MQTT. [`Links`](super::Links) drives it and never waits in it.

use std::io;
use std::time::Duration;
use std::time::Instant;

use crate::virtual_module::network::OpenFault;
use crate::virtual_module::network::Target;

/// Names an attempt to connect; an answer to an older one of the same client counts no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::virtual_module) struct Ticket {
    pub(in crate::virtual_module) client: u8,
    pub(in crate::virtual_module) generation: u64,
}

/// How an attempt to connect ended.
pub(in crate::virtual_module) type Dialled = Result<Box<dyn Connection>, OpenFault>;

/// A way to connections.
pub(in crate::virtual_module) trait Bearer: Send {
    /// Starts to connect to `route`, name and port; `None` leads nowhere. The outcome comes by [`Bearer::dialled`].
    fn dial(
        &mut self,
        ticket: Ticket,
        route: Option<(String, u16)>,
        target: &Target,
        timeout: Duration,
        now: Instant,
    ) -> io::Result<()>;

    /// The next attempt that has ended. A connection that is to be secured is still agreeing on it.
    fn dialled(&mut self) -> Option<(Ticket, Dialled)>;
}

/// A connection, plain or secured; dropping it ends it.
pub(in crate::virtual_module) trait Connection: Send {
    /// Reads what there is. `WouldBlock`: nothing now. `Ok(0)`: the other end has closed.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
    /// Takes all the bytes; what the line does not take now waits inside.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Writes what waits, as far as the line takes it.
    fn flush(&mut self) -> io::Result<()>;
    /// Whether bytes wait for the line.
    fn wants_write(&self) -> bool;
    /// Whether security has been agreed on.
    fn is_secured(&self) -> bool;
    /// Says goodbye as the transport does, and closes.
    fn close(&mut self);
    /// Ends as if the wire were cut.
    fn abort(&mut self);
    /// Has its driver woken when there is something to read, if that is wanted, and when what waits can be written.
    fn watch(&mut self, reads: bool);
}
