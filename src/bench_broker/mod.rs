//! A small MQTT broker in this process: an instrument for tests, on loopback only, with a record of every packet and
//! misbehaviour on demand. Not a product: nothing is kept on disk, nothing is tuned for many clients.
//!
//! One named thread owns the sockets and the clock; the rules are [`crate::mqtt::BrokerCore`]. Every method here takes the
//! core's lock for a moment and wakes the thread; none holds it across IO.

mod certificates;
mod clock;
mod clouds;
mod server;
mod token_server;

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

pub use certificates::CertificateOptions;
pub use certificates::Certificates;
pub use clouds::Clouds;

use crate::mqtt::AckRule;
use crate::mqtt::BrokerCore;
use crate::mqtt::CredentialCheck;
use crate::mqtt::Policy;
use crate::mqtt::Qos;
use crate::mqtt::RecordedPacket;
use crate::mqtt::Violation;
use crate::transport::tls::Versions;
use server::Server;
use server::Shared;
use token_server::Holders;
use token_server::TokenServer;

/// How a bench broker starts.
#[derive(Debug)]
pub struct BenchOptions {
    /// Port for plain MQTT; 0: a free one.
    pub port: u16,
    /// Port for MQTT over TLS; 0: a free one.
    pub tls_port: u16,
    /// Its certificates; none: made on the spot.
    pub certificates: Option<Certificates>,
    /// Whether the TLS port refuses clients without a certificate. It asks for one in any case.
    pub require_client_cert: bool,
    /// Which TLS versions it speaks.
    pub versions: Versions,
    /// Application protocols it agrees to.
    pub alpn: Vec<Vec<u8>>,
    /// Whom it refuses, what it loses, what it delays.
    pub policy: Policy,
}

impl Default for BenchOptions {
    fn default() -> BenchOptions {
        BenchOptions {
            port: 0,
            tls_port: 0,
            certificates: None,
            require_client_cert: false,
            versions: Versions::Tls12And13,
            alpn: ["mqtt", "x-amzn-mqtt-ca"].map(|name| name.as_bytes().to_vec()).to_vec(),
            policy: Policy::default(),
        }
    }
}

/// A running broker. Dropping it stops it.
pub struct BenchBroker {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    certificates: Certificates,
    tokens: TokenServer,
    port: u16,
    tls_port: u16,
}

impl BenchBroker {
    /// Binds both ports and starts the thread; when this returns, clients can connect.
    pub fn start(options: BenchOptions) -> io::Result<BenchBroker> {
        let speed = options.policy.speed;
        if !(speed.is_finite() && speed > 0.0) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("speed {speed}: a factor above 0")));
        }
        let certificates = options.certificates.clone().map_or_else(Certificates::generate, Ok)?;
        let plain = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        let secured = TcpListener::bind((Ipv4Addr::LOCALHOST, options.tls_port))?;
        let (port, tls_port) = (plain.local_addr()?.port(), secured.local_addr()?.port());
        let shared = Arc::new(Shared::new(options, &certificates)?);
        let server = Server::new(shared.clone(), plain, secured)?;
        let thread = thread::Builder::new().name("bench-broker".to_owned()).spawn(move || server.run())?;
        let tokens = TokenServer::start()?;
        Ok(BenchBroker { shared, thread: Mutex::new(Some(thread)), certificates, tokens, port, tls_port })
    }

    /// Where it listens.
    pub fn host(&self) -> &'static str {
        "127.0.0.1"
    }

    /// The plain port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The TLS port.
    pub fn tls_port(&self) -> u16 {
        self.tls_port
    }

    /// Where a module fetches a password: `http://127.0.0.1:40321/token`.
    pub fn token_url(&self) -> String {
        format!("http://{}:{}/token", self.host(), self.tokens.port())
    }

    /// What clients need for TLS.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Every packet so far, oldest first.
    pub fn record(&self) -> Vec<RecordedPacket> {
        self.shared.with_core(|core| core.record().cloned().collect())
    }

    /// Forgets the packets so far.
    pub fn clear_record(&self) {
        self.shared.with_core(BrokerCore::clear_record);
    }

    /// Every rule of the standard that a client broke so far, oldest first: identifiers, flags, order, silence.
    pub fn violations(&self) -> Vec<Violation> {
        self.shared.with_core(|core| core.violations().cloned().collect())
    }

    /// Forgets the broken rules so far.
    pub fn clear_violations(&self) {
        self.shared.with_core(BrokerCore::clear_violations);
    }

    /// Refuses every CONNECT with this code from now on; `None`: no longer.
    pub fn refuse_with(&self, code: Option<u8>) {
        self.shared.with_core(|core| core.policy.refuse_with = code);
    }

    /// Refuses subscriptions to these topic filters from now on, and to no others.
    pub fn refuse_filters(&self, filters: impl IntoIterator<Item = String>) {
        let filters = filters.into_iter().collect();
        self.shared.with_core(|core| core.policy.refused_filters = filters);
    }

    /// Lets in only these users, by password; `None`: anybody.
    pub fn set_users(&self, users: Option<BTreeMap<String, Vec<u8>>>) {
        self.shared.with_core(|core| core.policy.users = users);
    }

    /// Holds clients to the rules of cloud platforms from now on, and gives Tencent's devices their passwords; `None`: no
    /// longer. `now`: the broker's calendar, in seconds since 1970; `None`: this computer's.
    pub fn set_clouds(&self, clouds: Option<Clouds>, now: Option<u64>) {
        let devices = clouds.as_ref().map(|clouds| clouds.tencent.clone()).unwrap_or_default();
        self.tokens.set_holders(Holders { devices, now });
        let check = clouds.map(|clouds| -> CredentialCheck {
            Box::new(move |request| clouds.code(request, now.unwrap_or_else(clock::wall)))
        });
        self.shared.with_core(|core| core.policy.check = check);
    }

    /// Whether the TLS port refuses clients without a certificate from now on.
    pub fn require_client_cert(&self, required: bool) {
        self.shared.require_client_cert(required);
    }

    /// Loses or holds back acknowledgements by these rules, instead of those before.
    pub fn set_ack_rules(&self, rules: Vec<AckRule>) {
        self.shared.with_core(|core| core.policy.ack_rules = rules);
    }

    /// Changes any of what a test can ask.
    pub fn change_policy(&self, change: impl FnOnce(&mut Policy)) {
        self.shared.with_core(|core| change(&mut core.policy));
    }

    /// Forgets sessions without a connection, and retained messages.
    pub fn forget_sessions(&self) {
        self.shared.with_core(BrokerCore::forget_sessions);
    }

    /// Ends a client's connection as a broken network does; its will is published. Answers whether it had one.
    pub fn cut(&self, client_id: &str) -> bool {
        self.shared.with_core(|core| core.cut(client_id, clock::now()))
    }

    /// Publishes a message as if a client had. Answers how many sessions it went to.
    pub fn publish(&self, topic: &str, payload: &[u8], qos: Qos, retain: bool) -> usize {
        self.shared.with_core(|core| core.publish(topic, payload, qos, retain, clock::now()))
    }

    /// Client identifiers with a connection, in order.
    pub fn connected(&self) -> Vec<String> {
        self.shared.with_core(|core| core.connected().map(str::to_owned).collect())
    }

    /// Waits until the core is as wanted, at most `timeout`. Answers whether it is.
    pub fn wait_until(&self, timeout: Duration, wanted: impl FnMut(&BrokerCore) -> bool) -> bool {
        self.shared.wait_until(clock::now() + timeout, wanted)
    }

    /// Ends every connection and the thread; when this returns, the ports are free. May be called twice.
    pub fn stop(&self) {
        let Some(thread) = self.thread.lock().take() else { return };
        self.shared.stop();
        self.tokens.stop();
        let _ = thread.join(); // A panic has been printed where it happened; the sockets went with the thread.
    }
}

impl Drop for BenchBroker {
    fn drop(&mut self) {
        self.stop();
    }
}

impl std::fmt::Debug for BenchBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BenchBroker")
            .field("port", &self.port)
            .field("tls_port", &self.tls_port)
            .finish_non_exhaustive()
    }
}
