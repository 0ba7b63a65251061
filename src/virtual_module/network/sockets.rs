//! Connections of the real network: TCP, with TLS on top where wanted.
//!
//! Names are resolved and connections made on short-lived threads, which report through a channel and wake the poller.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use crossbeam_channel::unbounded;
use polling::Event;
use polling::PollMode;
use polling::Poller;

use crate::transport::net::DialError;
use crate::transport::net::Socket as Wire;
use crate::transport::net::Stream;
use crate::transport::net::Traffic;
use crate::transport::net::dial;
use crate::virtual_module::network::OpenFault;
use crate::virtual_module::network::Target;
use crate::virtual_module::network::bearer::Bearer;
use crate::virtual_module::network::bearer::Connection;
use crate::virtual_module::network::bearer::Dialled;
use crate::virtual_module::network::bearer::Ticket;
use crate::virtual_module::tls_contexts::Security;

/// The poller's key of client 0; the line to the host has the ones below.
const FIRST_KEY: usize = 16;

struct Attempt {
    ticket: Ticket,
    target: Target,
    outcome: Result<TcpStream, DialError>,
}

/// The real network.
pub(in crate::virtual_module) struct Sockets {
    poller: Arc<Poller>,
    dialled: (Sender<Attempt>, Receiver<Attempt>),
    traffic: Arc<Traffic>,
}

impl Sockets {
    /// Connections that this poller watches, and what crosses them counted.
    pub(in crate::virtual_module) fn new(poller: Arc<Poller>, traffic: Arc<Traffic>) -> Sockets {
        Sockets { poller, dialled: unbounded(), traffic }
    }
}

impl Bearer for Sockets {
    fn dial(
        &mut self,
        ticket: Ticket,
        route: Option<(String, u16)>,
        target: &Target,
        timeout: Duration,
        _now: Instant,
    ) -> io::Result<()> {
        let report = self.dialled.0.clone();
        let poller = self.poller.clone();
        let target = target.clone();
        let done = move |outcome| {
            // The module may have stopped meanwhile; then nobody wants to know.
            let _ = report.send(Attempt { ticket, target, outcome });
            let _ = poller.notify();
        };
        match route {
            Some((host, port)) => drop(dial(&host, port, timeout, done)?),
            None => {
                done(Err(DialError::NotResolved(io::Error::new(io::ErrorKind::NotFound, "a name that leads nowhere"))))
            }
        }
        Ok(())
    }

    fn dialled(&mut self) -> Option<(Ticket, Dialled)> {
        let Attempt { ticket, target, outcome } = self.dialled.1.try_recv().ok()?;
        let counted = outcome.map(|socket| Wire::counted(socket, self.traffic.clone()));
        let stream = match counted {
            Ok(socket) => match &target.security {
                None => Stream::plain(socket).map_err(|_| OpenFault::Refused),
                Some(Security::Tls(config)) => {
                    Stream::client(socket, config.clone(), &target.host).map_err(|_| OpenFault::Tls)
                }
                Some(Security::Unspoken(hello)) => Stream::plain(socket)
                    .and_then(|mut stream| stream.write(hello).map(|()| stream))
                    .map_err(|_| OpenFault::Tls),
            },
            Err(DialError::NotResolved(_)) => Err(OpenFault::NotResolved),
            Err(DialError::Refused(_)) => Err(OpenFault::Refused),
            Err(DialError::TimedOut) => Err(OpenFault::TimedOut),
        };
        let socket = stream.and_then(|stream| {
            let interest = Event::new(FIRST_KEY + usize::from(ticket.client), true, false);
            // SAFETY: `Socket` deletes it from the poller before the stream is dropped.
            let added = unsafe { self.poller.add_with_mode(stream.as_raw_fd(), interest, PollMode::Level) };
            let socket = Socket { stream, poller: self.poller.clone(), key: interest.key, interest: (true, false) };
            added.map(|()| Box::new(socket) as Box<dyn Connection>).map_err(|_| OpenFault::Refused)
        });
        Some((ticket, socket))
    }
}

struct Socket {
    stream: Stream,
    poller: Arc<Poller>,
    key: usize,
    /// What the poller watches for: reading, writing.
    interest: (bool, bool),
}

impl Connection for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }

    fn wants_write(&self) -> bool {
        self.stream.wants_write()
    }

    fn is_secured(&self) -> bool {
        self.stream.is_tls() && !self.stream.is_handshaking()
    }

    fn close(&mut self) {
        self.stream.close();
    }

    fn abort(&mut self) {
        self.stream.abort();
    }

    fn watch(&mut self, reads: bool) {
        let wanted = (reads, self.stream.wants_write());
        if self.interest != wanted {
            self.interest = wanted;
            // A descriptor the poller refuses is noticed when it is read at the next deadline.
            let _ = self.poller.modify_with_mode(self.fd(), Event::new(self.key, wanted.0, wanted.1), PollMode::Level);
        }
    }
}

impl Socket {
    fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor belongs to `stream` and is open.
        unsafe { BorrowedFd::borrow_raw(self.stream.as_raw_fd()) }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Fails only where it was never added.
        let _ = self.poller.delete(self.fd());
    }
}
