//! `tcp://host:port`: a module behind a plain TCP bridge.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::net::ToSocketAddrs;
use std::os::fd::AsRawFd;
use std::os::fd::RawFd;
use std::time::Duration;

use crate::transport::Transport;

/// A TCP connection to a module.
pub struct TcpLine {
    stream: TcpStream,
}

/// Resolves and connects; blocks for at most `timeout` for each address.
pub fn connect(address: &str, timeout: Duration) -> io::Result<TcpLine> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for candidate in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&candidate, timeout) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                return Ok(TcpLine { stream });
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl AsRawFd for TcpLine {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

impl Transport for TcpLine {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.stream).read(buffer)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        (&self.stream).write(bytes)
    }
}
