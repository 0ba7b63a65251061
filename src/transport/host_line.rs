//! The line to the host, whatever it is made of: bytes, and whether a host is there at all. Never blocks.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::fd::RawFd;
use std::path::Path;

use crate::transport::Transport;
use crate::transport::pair::Link;
use crate::transport::pair::PairEnd;
use crate::transport::pair::pair;
use crate::transport::pty::PtyEnd;
use crate::transport::pty::Visit;

/// Where hosts connect.
enum Way {
    Pty(PtyEnd),
    Pair(PairEnd),
    /// `next`: a host that came before the last one was seen to leave.
    Tcp {
        listener: TcpListener,
        host: Option<TcpStream>,
        next: Option<TcpStream>,
    },
}

/// The line to the host.
pub struct HostLine {
    way: Way,
    path: String,
    unsent: Vec<u8>,
    present: bool,
}

/// What was read.
pub enum Input {
    /// So many bytes.
    Bytes(usize),
    /// Nothing now.
    Nothing,
    /// The host is gone and will not come back.
    Ended,
}

impl HostLine {
    /// A pseudo-terminal, with a symbolic link to it where asked.
    pub fn pty(link: Option<&Path>) -> io::Result<HostLine> {
        let end = PtyEnd::open(link)?;
        let path = end.path().to_owned();
        Ok(HostLine { way: Way::Pty(end), path, unsent: Vec::new(), present: false })
    }

    /// A free TCP port on the loopback interface; one host at a time.
    pub fn tcp() -> io::Result<HostLine> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let path = format!("tcp://{}", listener.local_addr()?);
        Ok(HostLine { way: Way::Tcp { listener, host: None, next: None }, path, unsent: Vec::new(), present: false })
    }

    /// The line and the host's end of it.
    pub fn pair(link: Link) -> io::Result<(HostLine, PairEnd)> {
        let (module, host) = pair(link)?;
        Ok((HostLine { way: Way::Pair(module), path: String::new(), unsent: Vec::new(), present: true }, host))
    }

    /// What a host opens: `/dev/pts/3`, `tcp://127.0.0.1:40123`; empty for a pair.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The descriptor that carries bytes, where there is a host to carry them for.
    pub fn data_fd(&self) -> Option<RawFd> {
        match &self.way {
            Way::Pty(end) => Some(end.as_raw_fd()),
            Way::Pair(end) => Some(end.as_raw_fd()),
            Way::Tcp { host, .. } => host.as_ref().map(AsRawFd::as_raw_fd),
        }
    }

    /// The descriptor that tells of hosts that come and go.
    pub fn visit_fd(&self) -> Option<RawFd> {
        match &self.way {
            Way::Pty(end) => Some(end.watch_fd()),
            Way::Pair(_) => None,
            Way::Tcp { listener, .. } => Some(listener.as_raw_fd()),
        }
    }

    /// Who came and went.
    pub fn visits(&mut self) -> io::Result<Vec<Visit>> {
        match &mut self.way {
            Way::Pty(end) => end.visits(),
            Way::Pair(_) => Ok(Vec::new()),
            Way::Tcp { host: host @ None, next: next @ Some(_), .. } => {
                *host = next.take();
                self.present = true;
                Ok(vec![Visit::Opened])
            }
            Way::Tcp { listener, host, next } => match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    match host {
                        // One host at a time, as on a serial line; a second one is turned away.
                        Some(present) if !has_left(present) => Ok(Vec::new()),
                        Some(_) => {
                            *next = Some(stream);
                            Ok(vec![Visit::Closed])
                        }
                        None => {
                            *host = Some(stream);
                            self.present = true;
                            Ok(vec![Visit::Opened])
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Vec::new()),
                Err(error) => Err(error),
            },
        }
    }

    /// A host is there.
    pub fn host_came(&mut self) {
        self.present = true;
    }

    /// The host is gone: what it did not read is lost.
    pub fn host_left(&mut self) -> io::Result<()> {
        self.present = false;
        self.unsent.clear();
        match &mut self.way {
            Way::Pty(end) => end.host_left(),
            Way::Pair(_) => Ok(()),
            Way::Tcp { host, .. } => {
                *host = None;
                Ok(())
            }
        }
    }

    /// The host's speed, where the line shows it.
    pub fn baud(&self) -> Option<u32> {
        match &self.way {
            Way::Pty(end) => end.baud(),
            Way::Pair(_) | Way::Tcp { .. } => None,
        }
    }

    /// The speed that a host finds which sets none, where the line has one.
    pub fn set_baud(&self, baud: u32) -> io::Result<()> {
        match &self.way {
            Way::Pty(end) => end.set_baud(baud),
            Way::Pair(_) | Way::Tcp { .. } => Ok(()),
        }
    }

    /// Whether a host is there.
    pub fn is_present(&self) -> bool {
        self.present
    }

    /// Reads what there is.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Input> {
        let outcome = match &self.way {
            Way::Pty(end) => end.read(buffer),
            Way::Pair(end) => end.read(buffer),
            Way::Tcp { host: Some(host), .. } => (&*host).read(buffer),
            Way::Tcp { host: None, .. } => return Ok(Input::Nothing),
        };
        match outcome {
            Ok(0) => Ok(Input::Ended),
            Ok(count) => {
                self.present = true;
                Ok(Input::Bytes(count))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok(Input::Nothing)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
                Ok(Input::Ended)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes what the line takes; the rest waits. Without a host it is lost, as on a wire that leads nowhere.
    pub fn write(&mut self, bytes: &[u8]) {
        if self.present {
            self.unsent.extend_from_slice(bytes);
            self.flush();
        }
    }

    /// Writes what waits, as far as the line takes it.
    pub fn flush(&mut self) {
        let mut sent = 0;
        while sent < self.unsent.len() {
            let outcome = match &self.way {
                Way::Pty(end) => end.write(&self.unsent[sent..]),
                Way::Pair(end) => end.write(&self.unsent[sent..]),
                Way::Tcp { host: Some(host), .. } => (&*host).write(&self.unsent[sent..]),
                Way::Tcp { host: None, .. } => break,
            };
            match outcome {
                Ok(count) if count > 0 => sent += count,
                // A line that is gone is noticed by reading.
                _ => break,
            }
        }
        self.unsent.drain(..sent);
    }

    /// Bytes the line has not taken.
    pub fn unsent(&self) -> usize {
        self.unsent.len()
    }
}

/// Whether a host closed its end; what it sent before stays to be read.
fn has_left(host: &TcpStream) -> bool {
    match host.peek(&mut [0; 1]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}
