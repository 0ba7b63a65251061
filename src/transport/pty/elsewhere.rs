//! Where there are no pseudo-terminals that tell who comes and goes: none can be made, and the error says what to do.

use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::RawFd;
use std::path::Path;

use crate::transport::Transport;
use crate::transport::pty::Visit;

/// The module's end of a pseudo-terminal; there is none here.
pub enum PtyEnd {}

impl PtyEnd {
    /// Says that there are none.
    pub fn open(_link: Option<&Path>) -> io::Result<PtyEnd> {
        let message = "virtual modules have pseudo-terminals on Linux only; let this one listen on TCP";
        Err(io::Error::new(io::ErrorKind::Unsupported, message))
    }

    /// Where a host opens it.
    pub fn path(&self) -> &str {
        match *self {}
    }

    /// The descriptor that becomes readable when a host opens or closes its end.
    pub fn watch_fd(&self) -> RawFd {
        match *self {}
    }

    /// Who came and went.
    pub fn visits(&self) -> io::Result<Vec<Visit>> {
        match *self {}
    }

    /// The speed that the host has set.
    pub fn baud(&self) -> Option<u32> {
        match *self {}
    }

    /// The speed that a host finds which sets none.
    pub fn set_baud(&self, _baud: u32) -> io::Result<()> {
        match *self {}
    }

    /// A host has left.
    pub fn host_left(&self) -> io::Result<()> {
        match *self {}
    }
}

impl AsRawFd for PtyEnd {
    fn as_raw_fd(&self) -> RawFd {
        match *self {}
    }
}

impl Transport for PtyEnd {
    fn read(&self, _buffer: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }

    fn write(&self, _bytes: &[u8]) -> io::Result<usize> {
        match *self {}
    }
}
