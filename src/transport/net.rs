//! The sockets of the virtual module and the bench broker: TCP, with TLS on top where wanted; never blocking.
//!
//! Not a line to a module: that is [`super::Transport`]. Whoever owns a [`Stream`] polls its descriptor for reading always,
//! for writing while [`Stream::wants_write`], and calls `read` and `write` when it is ready.

use std::fmt;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::net::ToSocketAddrs;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::Connection;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::pki_types::ServerName;

/// What crossed sockets: of how many connections, how many pieces and bytes each way. Of TLS all of it, not what it carries.
#[derive(Debug, Default)]
pub struct Traffic {
    /// TCP connections made.
    pub connections: AtomicU64,
    /// Writes the sockets took; with small pieces and no delay a segment each.
    pub segments_sent: AtomicU64,
    /// Bytes of them.
    pub sent: AtomicU64,
    /// Reads that brought something.
    pub segments_received: AtomicU64,
    /// Bytes of them.
    pub received: AtomicU64,
}

/// A socket, and who counts what crosses it.
pub struct Socket {
    tcp: TcpStream,
    traffic: Option<Arc<Traffic>>,
}

impl Socket {
    /// A new connection that is counted.
    pub fn counted(tcp: TcpStream, traffic: Arc<Traffic>) -> Socket {
        traffic.connections.fetch_add(1, Ordering::Relaxed);
        Socket { tcp, traffic: Some(traffic) }
    }
}

impl From<TcpStream> for Socket {
    fn from(tcp: TcpStream) -> Socket {
        Socket { tcp, traffic: None }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.tcp.read(buffer)?;
        if let Some(traffic) = self.traffic.as_ref().filter(|_| count > 0) {
            traffic.segments_received.fetch_add(1, Ordering::Relaxed);
            traffic.received.fetch_add(count as u64, Ordering::Relaxed);
        }
        Ok(count)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.tcp.write(bytes)?;
        if let Some(traffic) = self.traffic.as_ref().filter(|_| count > 0) {
            traffic.segments_sent.fetch_add(1, Ordering::Relaxed);
            traffic.sent.fetch_add(count as u64, Ordering::Relaxed);
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.tcp.flush()
    }
}

/// One TCP connection, plain or TLS, either end.
pub struct Stream {
    socket: Socket,
    tls: Option<Box<Connection>>,
    /// What the socket did not take yet; plain connections only, TLS keeps its own.
    unsent: Vec<u8>,
    ended: bool,
}

impl Stream {
    /// A plain connection.
    pub fn plain(socket: impl Into<Socket>) -> io::Result<Stream> {
        let socket = socket.into();
        prepare(&socket.tcp)?;
        Ok(Stream { socket, tls: None, unsent: Vec::new(), ended: false })
    }

    /// The client's end of a TLS connection; `host` is what SNI and a host-name check see.
    pub fn client(socket: impl Into<Socket>, config: Arc<ClientConfig>, host: &str) -> io::Result<Stream> {
        let socket = socket.into();
        let name = match ServerName::try_from(host.to_owned()) {
            Ok(name) => name,
            // A name TLS cannot carry: the peer's address takes its place, and is never sent as SNI.
            Err(_) => ServerName::IpAddress(socket.tcp.peer_addr()?.ip().into()),
        };
        let tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
        Stream::secured(socket, tls.into())
    }

    /// The server's end of a TLS connection.
    pub fn server(socket: impl Into<Socket>, config: Arc<ServerConfig>) -> io::Result<Stream> {
        let tls = ServerConnection::new(config).map_err(io::Error::other)?;
        Stream::secured(socket.into(), tls.into())
    }

    fn secured(socket: Socket, mut tls: Connection) -> io::Result<Stream> {
        prepare(&socket.tcp)?;
        tls.set_buffer_limit(None); // `write` takes everything; the owner looks at `wants_write`.
        let mut stream = Stream { socket, tls: Some(Box::new(tls)), unsent: Vec::new(), ended: false };
        stream.flush()?;
        Ok(stream)
    }

    /// Reads what there is. `WouldBlock`: nothing now. `Ok(0)`: the other end is gone. A failed handshake or a broken
    /// record is an error whose [`tls_error`] says which; the alert for it has been sent.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.socket.read(buffer) };
        loop {
            match tls.reader().read(buffer) {
                Ok(count) => return Ok(count), // 0: a proper end
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                Err(_) if self.ended => return Ok(0),
                Err(_) => {}
            }
            match tls.read_tls(&mut self.socket) {
                Ok(0) => self.ended = true,
                Ok(_) => {}
                Err(error) => return Err(error),
            }
            let outcome = tls.process_new_packets();
            while tls.wants_write() {
                match tls.write_tls(&mut self.socket) {
                    Ok(_) => {}
                    Err(_) if outcome.is_err() => break, // The alert is a courtesy; the error behind it counts.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
            outcome.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
    }

    /// Takes all the bytes; what the line does not take now waits inside, and `wants_write` says so.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.unsent.extend_from_slice(bytes),
            Some(tls) => tls.writer().write_all(bytes)?,
        }
        self.flush()
    }

    /// Writes what waits, as far as the line takes it.
    pub fn flush(&mut self) -> io::Result<()> {
        while self.wants_write() {
            let outcome = match &mut self.tls {
                Some(tls) => tls.write_tls(&mut self.socket),
                None => self.socket.write(&self.unsent),
            };
            match outcome {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) if self.tls.is_none() => drop(self.unsent.drain(..count)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Says goodbye in TLS and closes this direction; the rest of the connection ends when the stream is dropped.
    pub fn close(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        let _ = self.flush(); // The other end may be gone already; then there is nobody to say goodbye to.
        let _ = self.socket.tcp.shutdown(Shutdown::Write);
    }

    /// Ends both directions at once and without goodbye, as a network failure does: nothing waiting is delivered.
    pub fn abort(&mut self) {
        self.unsent.clear();
        let _ = self.socket.tcp.shutdown(Shutdown::Both);
    }

    /// Whether bytes wait for the line.
    pub fn wants_write(&self) -> bool {
        self.tls.as_ref().map_or(!self.unsent.is_empty(), |tls| tls.wants_write())
    }

    /// Whether a TLS handshake is still going on.
    pub fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Whether this is TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The certificate the other end showed, DER.
    pub fn peer_certificate(&self) -> Option<Vec<u8>> {
        self.tls.as_ref()?.peer_certificates()?.first().map(|certificate| certificate.to_vec())
    }

    /// The server name the client asked for; a server's end knows it.
    pub fn server_name(&self) -> Option<String> {
        match self.tls.as_deref()? {
            Connection::Server(tls) => tls.server_name().map(str::to_owned),
            Connection::Client(_) => None,
        }
    }

    /// The application protocol agreed on.
    pub fn alpn(&self) -> Option<Vec<u8>> {
        self.tls.as_ref()?.alpn_protocol().map(<[u8]>::to_vec)
    }

    /// Who is at the other end.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.tcp.peer_addr()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("socket", &self.socket.tcp).field("tls", &self.is_tls()).finish_non_exhaustive()
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.tcp.as_fd()
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.tcp.as_raw_fd()
    }
}

/// What TLS found wrong, if that is what the error is about.
pub fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Why there is no connection.
#[derive(Debug)]
pub enum DialError {
    /// The name leads nowhere.
    NotResolved(io::Error),
    /// Nobody takes the connection, or it is reset.
    Refused(io::Error),
    /// No answer in time.
    TimedOut,
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DialError::NotResolved(error) => write!(f, "the host name is not resolved: {error}"),
            DialError::Refused(error) => write!(f, "the connection is refused: {error}"),
            DialError::TimedOut => write!(f, "no answer to the connection request in time"),
        }
    }
}

impl std::error::Error for DialError {}

/// Resolves and connects on a thread of its own, because the system's resolver blocks; `done` is called there.
///
/// The thread ends by itself after `timeout` for each address at the latest (plus the resolver's own patience); joining it
/// is up to the caller.
pub fn dial(
    host: &str,
    port: u16,
    timeout: Duration,
    done: impl FnOnce(Result<TcpStream, DialError>) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let host = host.to_owned();
    thread::Builder::new().name("modemrig-dial".to_owned()).spawn(move || done(dial_now(&host, port, timeout)))
}

/// Resolves and connects in the calling thread, which it blocks.
pub fn dial_now(host: &str, port: u16, timeout: Duration) -> Result<TcpStream, DialError> {
    let addresses: Vec<_> = (host, port).to_socket_addrs().map_err(DialError::NotResolved)?.collect();
    let mut last = DialError::NotResolved(io::Error::new(io::ErrorKind::NotFound, "no address"));
    for address in addresses {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(socket) => return Ok(socket),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => last = DialError::TimedOut,
            Err(error) => last = DialError::Refused(error),
        }
    }
    Err(last)
}

fn prepare(socket: &TcpStream) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_nodelay(true) // Packets are small and answers are awaited.
}
