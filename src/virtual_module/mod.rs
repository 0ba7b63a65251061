//! The device side: a module that is not there, on a pseudo-terminal, a TCP port or a pair in memory.
//!
//! The other role of the protocol core (`proto`), behaviour from the catalogue (`dialect`), and a network side of its own:
//! real sockets, its own MQTT session (`mqtt`), TLS. It is no model of a radio and knows nothing of the host side; both
//! meet over a line. One thread drives each module.

pub mod clock;
pub mod identity;
pub mod quirks;

use std::path::PathBuf;

use crate::error::Error;
use crate::transport::pair::Link;
use crate::transport::pair::PairEnd;

pub use identity::IdentityOptions;
pub use quirks::QUIRKS;
pub use quirks::QuirkRow;

/// What a virtual module is to be.
#[derive(Clone, Debug)]
pub struct VirtualOptions {
    /// `ecx00u_egx00u`
    pub dialect: String,
    /// Where hosts find it.
    pub endpoint: Endpoint,
    /// What is behind its antenna.
    pub network: Network,
    /// Who it says it is.
    pub identity: IdentityOptions,
    /// How much faster than documented its timers run; 1 is as documented.
    pub speed: f64,
    /// Decides everything made up: serial numbers, identifiers.
    pub seed: u64,
    /// Named departures from the document.
    pub quirks: Vec<String>,
    /// Time between `OK` and a result that is known at once; not shortened by `speed`.
    pub gap: std::time::Duration,
}

impl VirtualOptions {
    /// The documented profile of a dialect on a pseudo-terminal, without a network side of ours.
    pub fn new(dialect: impl Into<String>) -> VirtualOptions {
        VirtualOptions {
            dialect: dialect.into(),
            endpoint: Endpoint::Pty { link: None },
            network: Network::default(),
            identity: IdentityOptions::default(),
            speed: 1.0,
            seed: 0,
            quirks: Vec::new(),
            gap: std::time::Duration::from_millis(20),
        }
    }
}

/// Where hosts find a module.
#[derive(Clone, Debug, Default)]
pub enum Endpoint {
    /// A pseudo-terminal, with a symbolic link to it where asked.
    Pty {
        /// Where the link is put.
        link: Option<PathBuf>,
    },
    /// A free TCP port on the loopback interface, one host at a time.
    Tcp,
    /// A pair in memory; [`VirtualModule::host_end`] has the other end.
    #[default]
    Pair,
    /// The same over a bad line.
    PairOver(Link),
}

/// What is behind a module's antenna.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Where every host name and address leads; `None`: the real resolver and the real network.
    pub redirect: Option<BrokerAddress>,
}

/// A broker near by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerAddress {
    /// `127.0.0.1`
    pub host: String,
    /// Where 1883 leads.
    pub port: u16,
    /// Where 8883 leads.
    pub tls_port: u16,
}

/// A running virtual module; dropping it stops it.
pub struct VirtualModule {
    path: String,
    identity: identity::Identity,
    host_end: Option<PairEnd>,
}

impl VirtualModule {
    /// Starts one on a thread of its own.
    pub fn start(options: VirtualOptions) -> Result<VirtualModule, Error> {
        let _ = options;
        Err(Error::new(crate::error::Kind::Internal, "the virtual module is being built"))
    }

    /// What a host opens: `/dev/pts/3`, `tcp://127.0.0.1:40123`; empty for a pair.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Who it says it is.
    pub fn identity(&self) -> &identity::Identity {
        &self.identity
    }

    /// The host's end of a pair, once.
    pub fn host_end(&mut self) -> Option<PairEnd> {
        self.host_end.take()
    }

    /// Stops it and waits for its thread; the second call does nothing.
    pub fn stop(&mut self) {}
}
