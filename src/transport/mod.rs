//! Bytes across a line: serial ports, TCP, RFC 2217, pairs in memory. Non-blocking; whoever drives one polls its descriptor.
//!
//! Nothing here knows AT.

pub mod holder;
pub mod host_line;
#[cfg(feature = "virtual")]
pub mod net;
pub mod pair;
pub mod pty;
pub mod rfc2217;
pub mod serial;
pub mod tcp;
#[cfg(feature = "virtual")]
pub mod tls;
pub mod watch;

use std::io;
use std::os::fd::AsRawFd;

/// A line to a module (or, for the module's end, to a host). Never blocks; any thread may call any method.
pub trait Transport: AsRawFd + Send + Sync {
    /// Reads what there is. `WouldBlock`: nothing now. `Ok(0)`: the other end is gone.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes what the line takes now. `WouldBlock`: nothing now.
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Whether bytes are left over that `write` took and the line did not; tries again to get rid of them.
    fn unsent(&self) -> bool {
        false
    }

    /// Changes the speed, where the line has one.
    fn set_baud(&self, baud: u32) -> io::Result<()> {
        let _ = baud;
        Ok(())
    }

    /// Whether the line has a speed at all.
    fn has_baud(&self) -> bool {
        false
    }
}

/// Why a line could not be opened.
#[derive(Debug)]
pub enum OpenFault {
    /// There is no such port.
    Missing,
    /// The user may not; the group that may.
    Forbidden {
        /// Group of the device file.
        group: Option<String>,
    },
    /// Another program has it.
    Busy(Option<holder::Holder>),
    /// Anything else.
    Other(io::Error),
}
