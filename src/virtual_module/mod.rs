//! The device side: a module that is not there, on a pseudo-terminal, a TCP port or a pair in memory.
//!
//! The other role of the protocol core (`proto`), behaviour from the catalogue (`dialect`), and a network side of its own:
//! real sockets, its own MQTT session (`mqtt`), TLS. It is no model of a radio and knows nothing of the host side; both
//! meet over a line. One thread drives each module.

mod board;
pub mod clock;
mod cmqtt;
pub mod conditions;
mod control;
mod device;
pub mod faults;
mod files;
pub mod identity;
mod module;
mod network;
pub mod params;
pub mod profiles;
mod qmt;
pub mod quirks;
mod replies;
mod settings;
pub mod simulation;
mod surroundings;
mod tls_contexts;
mod uart;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread::Builder;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use polling::Poller;

use crate::dialect::Catalogue;
use crate::dialect::Source;
use crate::dialect::catalogue;
use crate::dialect::schema::Dialect;
use crate::error::Error;
use crate::error::Kind;
use crate::transport::host_line::HostLine;
use crate::transport::net::Traffic;
use crate::transport::pair::Link;
use crate::transport::pair::PairEnd;
use crate::virtual_module::control::Order;
use crate::virtual_module::control::Supply;

pub use conditions::Conditions;
pub use conditions::Registration;
pub use conditions::Sim;
pub use faults::FAULTS;
pub use faults::FaultStatus;
pub use identity::IdentityOptions;
pub use qmt::cloud::CloudSigning;
pub use quirks::QUIRKS;
pub use quirks::QuirkRow;

/// What a virtual module is to be.
#[derive(Clone, Debug)]
pub struct VirtualOptions {
    /// A document, `ecx00u_egx00u`, or a profile of modules that follow one, `bg95`.
    pub dialect: String,
    /// How the module differs from its document: TOML in the form of a data file (`src/dialect/data`) that holds only what
    /// differs, `[commands."AT+QMTCFG".params]` and so on. A host knows nothing of it.
    pub differs: Option<String>,
    /// Where hosts find it.
    pub endpoint: Endpoint,
    /// What is behind its antenna.
    pub network: Network,
    /// What else is around it.
    pub conditions: Conditions,
    /// How it signs for cloud platforms.
    pub cloud: CloudSigning,
    /// Where AT+QMTTENAUTH fetches a password when the host does not say: `http://127.0.0.1:40321/token`.
    pub token_url: Option<String>,
    /// Who it says it is.
    pub identity: IdentityOptions,
    /// How much faster than documented its timers run; 1 is as documented.
    pub speed: f64,
    /// Bytes take the time of a UART of this speed, which AT+IPR changes, and a host of another speed understands nothing;
    /// `None`: they take none.
    pub baud: Option<u32>,
    /// Decides everything made up: serial numbers, identifiers.
    pub seed: u64,
    /// Named departures from the document, beside those of the profile: `prompt_on_own_line`, with parameters as faults have them.
    pub quirks: Vec<String>,
    /// Faults in force from the start: `late_answer:ms=500,count=1`.
    pub faults: Vec<String>,
    /// Time between `OK` and a result that is known at once, as it is: `speed` does not shorten it.
    pub gap: std::time::Duration,
}

impl VirtualOptions {
    /// The documented profile of a dialect on a pseudo-terminal, without a network side of ours.
    pub fn new(dialect: impl Into<String>) -> VirtualOptions {
        VirtualOptions {
            dialect: dialect.into(),
            differs: None,
            endpoint: Endpoint::Pty { link: None },
            network: Network::default(),
            conditions: Conditions::default(),
            cloud: CloudSigning::default(),
            token_url: None,
            identity: IdentityOptions::default(),
            speed: 1.0,
            baud: None,
            seed: 0,
            quirks: Vec::new(),
            faults: Vec::new(),
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

/// The dialect that a module of this document or profile follows, but for a difference. Each one is kept for good, once:
/// whatever describes a module refers to it.
pub(crate) fn differing_dialect(name: &str, difference: Option<&str>) -> Result<&'static Dialect, Error> {
    static KEPT: Mutex<BTreeMap<(String, String), &'static Dialect>> = Mutex::new(BTreeMap::new());
    let plain = dialect(name)?;
    let asked = difference.filter(|text| !text.trim().is_empty());
    let mut differences: Vec<Source<'_>> = Vec::new();
    for shared in profiles::find(name).into_iter().flat_map(profiles::Profile::differences) {
        differences.push(shared);
    }
    differences.extend(asked.map(|text| Source { name: "differs", text }));
    if differences.is_empty() {
        return Ok(plain);
    }
    let mut kept = KEPT.lock();
    let key = (name.to_owned(), asked.unwrap_or_default().to_owned());
    if let Some(known) = kept.get(&key) {
        return Ok(known);
    }
    let differing = Catalogue::load_differing(&plain.id, &differences)
        .map_err(|error| Error::new(Kind::BadValue, format!("a difference to {name} cannot be used: {error}")))?;
    let differing: &'static Dialect = Box::leak(Box::new(differing));
    kept.insert(key, differing);
    Ok(differing)
}

/// The dialect of this name, or of the profile of this name; the error lists those that exist.
fn dialect(name: &str) -> Result<&'static Dialect, Error> {
    let id = profiles::find(name).map_or(name, |profile| &profile.dialect);
    catalogue().get(id).ok_or_else(|| {
        let profiles: Vec<&str> = profiles::PROFILES.iter().map(|profile| profile.name).collect();
        Error::new(Kind::Unsupported, format!("there is no dialect or profile {name:?}")).with_remedy(format!(
            "one of: {}, {}",
            catalogue().ids().join(", "),
            profiles.join(", ")
        ))
    })
}

/// A running virtual module; dropping it stops it.
pub struct VirtualModule {
    path: String,
    identity: identity::Identity,
    host_end: Option<PairEnd>,
    dialect: &'static Dialect,
    control: control::Control,
    traffic: Arc<Traffic>,
    poller: Arc<Poller>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl VirtualModule {
    /// Starts one on a thread of its own.
    pub fn start(options: VirtualOptions) -> Result<VirtualModule, Error> {
        let failed = |error: io::Error| Error::new(Kind::PortForbidden, format!("no line to the host: {error}"));
        let mut host_end = None;
        let line = match &options.endpoint {
            Endpoint::Pty { link } => HostLine::pty(link.as_deref()),
            Endpoint::Tcp => HostLine::tcp(),
            Endpoint::Pair => HostLine::pair(Link::Perfect).map(|(line, end)| {
                host_end = Some(end);
                line
            }),
            Endpoint::PairOver(link) => HostLine::pair(*link).map(|(line, end)| {
                host_end = Some(end);
                line
            }),
        }
        .map_err(failed)?;
        let poller = Arc::new(Poller::new().map_err(failed)?);
        let traffic = Arc::new(Traffic::default());
        let sockets = network::Sockets::new(poller.clone(), traffic.clone());
        let (module, identity) = module::Module::build(&options, Box::new(sockets))?;
        let dialect = module.device.dialect;
        let stop = Arc::new(AtomicBool::new(false));
        let path = line.path().to_owned();
        let (control, orders) = control::channel(poller.clone());
        let uart = options.baud.map(|baud| uart::Uart::new(baud, options.seed));
        let board = board::Board::new(line, uart, module, orders, poller.clone(), stop.clone()).map_err(failed)?;
        let thread = Builder::new()
            .name(format!("virtual-{}", dialect.id))
            .spawn(move || board.run())
            .map_err(|error| Error::new(Kind::Internal, format!("no thread for the module: {error}")))?;
        Ok(VirtualModule { path, identity, host_end, dialect, control, traffic, poller, stop, thread: Some(thread) })
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

    /// A fault from now on, written as in [`VirtualOptions::faults`]; the module acts by it when this returns.
    pub fn inject(&self, fault: &str) -> Result<(), Error> {
        self.control.give(Order::Inject(faults::Fault::parse(fault, self.dialect)?))
    }

    /// The faults of this name, or all of them, are over. One that has no fault of this name in force has nothing to do.
    pub fn clear(&self, name: Option<&str>) -> Result<(), Error> {
        name.map_or(Ok(()), faults::known)?;
        self.control.give(Order::Clear(name.map(str::to_owned)))
    }

    /// The faults that were asked for and not cleared, with how often each has happened.
    pub fn faults(&self) -> Result<Vec<FaultStatus>, Error> {
        let (answer, faults) = crossbeam_channel::bounded(1);
        self.control.give(Order::Faults(answer))?;
        Ok(faults.try_recv().unwrap_or_default())
    }

    /// A departure from the document from now on, written as in [`VirtualOptions::quirks`]; the same one with other parameters
    /// takes the place of the first.
    pub fn quirk(&self, quirk: &str) -> Result<(), Error> {
        self.control.give(Order::Quirk(quirks::Quirk::parse(quirk, self.dialect)?))
    }

    /// The quirks of this name, or all of them, are no more.
    pub fn clear_quirk(&self, name: Option<&str>) -> Result<(), Error> {
        name.map_or(Ok(()), quirks::known)?;
        self.control.give(Order::ClearQuirk(name.map(str::to_owned)))
    }

    /// The quirks it has, as they would be written.
    pub fn quirks(&self) -> Result<Vec<String>, Error> {
        let (answer, quirks) = crossbeam_channel::bounded(1);
        self.control.give(Order::Quirks(answer))?;
        Ok(quirks.try_recv().unwrap_or_default())
    }

    /// Something else is around it from now on.
    pub fn set_conditions(&self, conditions: Conditions) -> Result<(), Error> {
        self.control.give(Order::Conditions(conditions))
    }

    /// Its power is cut, without a word: connections break, and of what it knew only files and the stored profile are left.
    pub fn power_off(&self) -> Result<(), Error> {
        self.control.give(Order::Supply(Supply::Off))
    }

    /// It has power again, and starts; nothing happens to one that runs.
    pub fn power_on(&self) -> Result<(), Error> {
        self.control.give(Order::Supply(Supply::On))
    }

    /// Its power is cut and comes back at once.
    pub fn power_cycle(&self) -> Result<(), Error> {
        self.control.give(Order::Supply(Supply::Cycle))
    }

    /// Messages of a client that found all five slots taken and were dropped, since the module was started (decision 36).
    pub fn dropped_messages(&self, client: u8) -> Result<u64, Error> {
        let (answer, dropped) = crossbeam_channel::bounded(1);
        self.control.give(Order::Dropped(client, answer))?;
        Ok(dropped.try_recv().unwrap_or_default())
    }

    /// What it sent and received over its network since it was started.
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Stops it and waits for its thread; the second call does nothing.
    pub fn stop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.stop.store(true, Ordering::Release);
        // A poller that cannot be woken is one whose thread has ended.
        let _ = self.poller.notify();
        if thread.join().is_err() {
            log::error!(target: "modemrig::virtual_module", "the thread of the module at {} panicked", self.path);
        }
    }
}

impl Drop for VirtualModule {
    fn drop(&mut self) {
        self.stop();
    }
}
