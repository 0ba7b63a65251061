//! The bench broker's thread: sockets on one side, the core on the other. It knows no rule of MQTT.

use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Condvar;
use parking_lot::Mutex;
use polling::Event;
use polling::Events;
use polling::PollMode;
use polling::Poller;
use rustls::ServerConfig;

use super::BenchOptions;
use super::certificates::Certificates;
use super::clock;
use crate::mqtt::BrokerCore;
use crate::mqtt::ConnectionId;
use crate::mqtt::Output;
use crate::mqtt::Peer;
use crate::transport::net::Stream;
use crate::transport::tls::ServerTls;

/// Poll keys of the listeners; connections come after them.
const PLAIN: usize = 0;
const SECURED: usize = 1;
const FIRST_CONNECTION: usize = 2;

/// How long a TLS handshake may take, or a closed connection's last bytes. A stalled peer costs a socket, never another
/// client's time.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a closed connection is kept so that its last bytes are read instead of reset.
const LINGER: Duration = Duration::from_secs(1);

/// What the broker's owner and its thread have in common.
pub(super) struct Shared {
    core: Mutex<BrokerCore>,
    /// Signalled after each turn of the thread.
    turned: Condvar,
    poller: Poller,
    stopping: AtomicBool,
    certificate_required: AtomicBool,
    tls_asking: Arc<ServerConfig>,
    tls_requiring: Arc<ServerConfig>,
}

impl Shared {
    pub fn new(options: BenchOptions, certificates: &Certificates) -> io::Result<Shared> {
        let mut tls = ServerTls {
            chain: certificates.server_cert_pem.clone().into_bytes(),
            key: certificates.server_key_pem.clone().into_bytes(),
            client_ca: Some(certificates.ca_pem.clone().into_bytes()),
            require_client_cert: false,
            versions: options.versions,
            alpn: options.alpn,
        };
        let tls_asking = tls.build().map_err(io::Error::other)?;
        tls.require_client_cert = true;
        Ok(Shared {
            core: Mutex::new(BrokerCore::new(options.policy, clock::now())),
            turned: Condvar::new(),
            poller: Poller::new()?,
            stopping: AtomicBool::new(false),
            certificate_required: AtomicBool::new(options.require_client_cert),
            tls_asking,
            tls_requiring: tls.build().map_err(io::Error::other)?,
        })
    }

    /// Reads or changes the core, and wakes the thread in case there is something to send now.
    pub fn with_core<T>(&self, act: impl FnOnce(&mut BrokerCore) -> T) -> T {
        let outcome = act(&mut self.core.lock());
        self.wake();
        outcome
    }

    pub fn wait_until(&self, deadline: Instant, mut wanted: impl FnMut(&BrokerCore) -> bool) -> bool {
        let mut core = self.core.lock();
        loop {
            if wanted(&core) {
                return true;
            }
            if self.turned.wait_until(&mut core, deadline).timed_out() {
                return wanted(&core);
            }
        }
    }

    pub fn require_client_cert(&self, required: bool) {
        self.certificate_required.store(required, Ordering::Release);
    }

    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        // It fails only when the poller is broken, and then the thread has ended with that error.
        let _ = self.poller.notify();
    }

    fn tls(&self) -> Arc<ServerConfig> {
        if self.certificate_required.load(Ordering::Acquire) {
            self.tls_requiring.clone()
        } else {
            self.tls_asking.clone()
        }
    }
}

/// The thread's own things.
pub(super) struct Server {
    shared: Arc<Shared>,
    plain: TcpListener,
    secured: TcpListener,
    connections: BTreeMap<usize, Connection>,
    next_key: usize,
}

struct Connection {
    stream: Stream,
    stage: Stage,
    /// When a handshake or a farewell has lasted long enough.
    deadline: Option<Instant>,
    polls_write: bool,
    unsent: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// TLS is being agreed on; the core knows nothing yet.
    Handshaking,
    /// The core has it.
    Open,
    /// The core has closed it; what is written still leaves.
    Closing,
    /// Everything has left; what the other end still says is not read by anybody.
    Lingering,
    /// To be dropped.
    Gone,
}

impl Server {
    pub fn new(shared: Arc<Shared>, plain: TcpListener, secured: TcpListener) -> io::Result<Server> {
        for (listener, key) in [(&plain, PLAIN), (&secured, SECURED)] {
            listener.set_nonblocking(true)?;
            // SAFETY: `run` deletes both listeners from the poller before it drops them.
            unsafe { shared.poller.add_with_mode(listener, Event::readable(key), PollMode::Level)? };
        }
        Ok(Server { shared, plain, secured, connections: BTreeMap::new(), next_key: FIRST_CONNECTION })
    }

    /// Serves until it is told to stop.
    pub fn run(mut self) {
        let shared = self.shared.clone();
        let mut events = Events::new();
        while !shared.stopping.load(Ordering::Acquire) {
            events.clear();
            let wait = self.next_deadline().map(|deadline| deadline.saturating_duration_since(clock::now()));
            match shared.poller.wait(&mut events, wait) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            }
            for event in events.iter() {
                match event.key {
                    PLAIN | SECURED => self.accept(event.key),
                    key => self.serve(key, event.readable),
                }
            }
            let now = clock::now();
            shared.core.lock().handle_deadline(now);
            self.expire(now);
            self.carry_output();
            self.bury();
            shared.turned.notify_all();
        }
        for connection in self.connections.values_mut() {
            connection.stage = Stage::Gone;
        }
        self.bury();
        // Both listeners must leave the poller before they close; errors mean that they have.
        let _ = shared.poller.delete(&self.plain);
        let _ = shared.poller.delete(&self.secured);
    }

    fn next_deadline(&self) -> Option<Instant> {
        let own = self.connections.values().filter_map(|connection| connection.deadline);
        own.chain(self.shared.core.lock().next_deadline()).min()
    }

    fn accept(&mut self, key: usize) {
        let listener = if key == SECURED { &self.secured } else { &self.plain };
        while let Ok((socket, _)) = listener.accept() {
            let stream = if key == SECURED { Stream::server(socket, self.shared.tls()) } else { Stream::plain(socket) };
            let Ok(stream) = stream else { continue }; // Gone before it was served.
            let key = self.next_key;
            // SAFETY: `bury` is the only place that drops a connection, and deletes it from the poller first.
            let added = unsafe { self.shared.poller.add_with_mode(&stream, Event::readable(key), PollMode::Level) };
            if added.is_err() {
                continue;
            }
            self.next_key += 1;
            let deadline = Some(clock::now() + PATIENCE);
            let mut connection =
                Connection { stream, stage: Stage::Handshaking, deadline, polls_write: false, unsent: Vec::new() };
            connection.introduce(key, &self.shared);
            self.connections.insert(key, connection);
        }
    }

    fn serve(&mut self, key: usize, readable: bool) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        if connection.stream.flush().is_err() {
            return connection.lose(key, &self.shared);
        }
        if readable {
            connection.read(key, &self.shared);
        }
    }

    fn expire(&mut self, now: Instant) {
        for connection in self.connections.values_mut() {
            if connection.deadline.is_some_and(|deadline| deadline <= now) {
                connection.stage = Stage::Gone;
            }
        }
    }

    /// Moves what the core wants sent to the sockets, many packets in one write.
    fn carry_output(&mut self) {
        loop {
            let mut outputs = Vec::new();
            {
                let mut core = self.shared.core.lock();
                outputs.extend(std::iter::from_fn(|| core.poll_output()));
            }
            if outputs.is_empty() {
                break;
            }
            for (ConnectionId(id), output) in outputs {
                let Some(connection) = self.connections.get_mut(&(id as usize)) else { continue };
                match output {
                    Output::Bytes(bytes) if connection.stage == Stage::Open => connection.unsent.extend(bytes),
                    Output::Bytes(_) => {}
                    Output::Close if connection.stage == Stage::Open => {
                        connection.stage = Stage::Closing;
                        connection.deadline = Some(clock::now() + PATIENCE);
                    }
                    Output::Close => {}
                }
            }
            for (key, connection) in &mut self.connections {
                connection.write(*key, &self.shared); // It may lose the connection, and the core then has more to say.
            }
        }
        for (key, connection) in &mut self.connections {
            connection.settle(*key, &self.shared);
        }
    }

    fn bury(&mut self) {
        let poller = &self.shared.poller;
        self.connections.retain(|_, connection| {
            if connection.stage != Stage::Gone {
                return true;
            }
            let _ = poller.delete(&connection.stream); // Fails only if it is not there.
            false
        });
    }
}

impl Connection {
    /// Tells the core about a connection whose handshake is over.
    fn introduce(&mut self, key: usize, shared: &Shared) {
        if self.stage != Stage::Handshaking || self.stream.is_handshaking() {
            return;
        }
        let peer = Peer {
            tls: self.stream.is_tls(),
            certificate: self.stream.peer_certificate(),
            server_name: self.stream.server_name(),
            alpn: self.stream.alpn(),
        };
        self.stage = Stage::Open;
        self.deadline = None;
        shared.core.lock().accept(ConnectionId(key as u64), peer, clock::now());
    }

    fn read(&mut self, key: usize, shared: &Shared) {
        let mut buffer = [0; 16 * 1024];
        while self.stage != Stage::Gone {
            match self.stream.read(&mut buffer) {
                Ok(0) => return self.lose(key, shared),
                Ok(count) => {
                    self.introduce(key, shared);
                    if self.stage == Stage::Open {
                        shared.core.lock().receive(ConnectionId(key as u64), &buffer[..count], clock::now());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.introduce(key, shared),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.lose(key, shared),
            }
        }
    }

    fn write(&mut self, key: usize, shared: &Shared) {
        if self.unsent.is_empty() {
            return;
        }
        let bytes = std::mem::take(&mut self.unsent);
        if self.stream.write(&bytes).is_err() {
            self.lose(key, shared);
        }
    }

    /// The other end has gone.
    fn lose(&mut self, key: usize, shared: &Shared) {
        let known = self.stage == Stage::Open;
        self.stage = Stage::Gone;
        if known {
            shared.core.lock().closed(ConnectionId(key as u64), clock::now());
        }
    }

    /// Brings the socket in line with the stage after a turn: farewells, and whether room for writing matters.
    fn settle(&mut self, key: usize, shared: &Shared) {
        if self.stage == Stage::Closing && !self.stream.wants_write() {
            self.stream.close();
            self.stage = Stage::Lingering;
            self.deadline = Some(clock::now() + LINGER);
        }
        let wants_write = self.stage != Stage::Gone && self.stream.wants_write();
        if wants_write != self.polls_write {
            let interest = Event::new(key, true, wants_write);
            if shared.poller.modify_with_mode(&self.stream, interest, PollMode::Level).is_ok() {
                self.polls_write = wants_write;
            }
        }
    }
}
