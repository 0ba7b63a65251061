//! Bytes across a line: serial ports, TCP, RFC 2217, pairs in memory. Non-blocking; whoever drives one polls its descriptor.
//!
//! Nothing here knows AT.

pub mod pair;

use std::io;
use std::os::fd::AsRawFd;

/// A line to a module (or, for the module's end, to a host). Never blocks; any thread may call any method.
pub trait Transport: AsRawFd + Send + Sync {
    /// Reads what there is. `WouldBlock`: nothing now. `Ok(0)`: the other end is gone.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes what the line takes now. `WouldBlock`: nothing now.
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;

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
