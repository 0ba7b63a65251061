//! A module on a port.

use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;

use crate::dialect::schema::Dialect;
use crate::engine::client::Client;
use crate::engine::messages::Subscription;
use crate::engine::options::Counters;
use crate::engine::options::Identity;
use crate::engine::options::OpenOptions;
use crate::engine::options::PortEntry;
use crate::engine::options::PortKind;
use crate::engine::reply::Reply;
use crate::engine::value::Value;
use crate::engine::wait::Wait;
use crate::error::Error;
use crate::transport::Transport;

/// A module on a port; closing the last handle closes the port.
#[derive(Clone)]
pub struct Modem {}

/// A file on the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Name on the module.
    pub name: String,
    /// Bytes, where the module says.
    pub size: Option<u64>,
}

/// What a TLS context checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsVerify {
    /// Nothing.
    #[default]
    None,
    /// The broker's certificate chain. No level checks the host name.
    Server,
    /// The chain, and the broker checks ours.
    Mutual,
}

/// The certificates of a TLS context, in PEM; uploaded where the module does not have them yet.
#[derive(Clone, Default)]
pub struct TlsFiles {
    /// Certificate of the authority.
    pub ca: Option<Vec<u8>>,
    /// Certificate of the client.
    pub client_cert: Option<Vec<u8>>,
    /// Key of the client.
    pub client_key: Option<Vec<u8>>,
    /// What is checked.
    pub verify: TlsVerify,
    /// Do not check validity dates against the module's clock.
    pub ignore_local_time: bool,
    /// Send the host name in the handshake; `None` leaves the module's setting.
    pub sni: Option<bool>,
}

/// What `attach` found and did, step by step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachReport {
    /// Step (`sim`, `registration`, `pdp`, `signal`, `clock`), what the module said, and how long it took.
    pub steps: Vec<(String, String, Duration)>,
}

/// The serial ports of this computer.
pub fn ports() -> Result<Vec<PortEntry>, Error> {
    todo!("ports")
}

/// Says what a port carries: tries the speeds of the field, and knows an NMEA or a diagnostic interface by its bytes.
pub fn identify(target: &str, wait: Wait<'_>) -> Result<PortKind, Error> {
    let _ = (target, wait);
    todo!("identify")
}

impl Modem {
    /// Opens `/dev/ttyUSB2`, `tcp://host:port` or `rfc2217://host:port`. (`virtual:…` is the bindings' business.)
    pub fn open(target: &str, options: OpenOptions, wait: Wait<'_>) -> Result<Modem, Error> {
        let _ = (target, options, wait);
        todo!("open")
    }

    /// Opens on a line that is already there.
    pub fn over(transport: Box<dyn Transport>, options: OpenOptions, wait: Wait<'_>) -> Result<Modem, Error> {
        let _ = (transport, options, wait);
        todo!("open")
    }

    /// What the module says of itself, asked when the port was opened.
    pub fn identity(&self) -> Identity {
        todo!("open")
    }

    /// The document that describes it.
    pub fn dialect(&self) -> &'static Dialect {
        todo!("open")
    }

    /// The port's name.
    pub fn port(&self) -> &str {
        todo!("open")
    }

    /// Where the transcript is written.
    pub fn transcript_path(&self) -> Option<PathBuf> {
        todo!("open")
    }

    /// The last of what was said, in the transcript's form: one JSON line each, secrets covered.
    pub fn transcript(&self) -> Vec<String> {
        todo!("open")
    }

    /// Sends any command line (`+CSQ` or `AT+CSQ`), and a payload at its prompt. `ERROR` is a reply, not an `Err`: see
    /// [`Reply::check`]. A command the catalogue gives a late result completes on it. Without a time in `wait`: the documented one.
    pub fn command(&self, line: &str, payload: Option<&[u8]>, wait: Wait<'_>) -> Result<Reply, Error> {
        let _ = (line, payload, wait);
        todo!("commands")
    }

    /// Several command lines in one call, one after the other; stops at the first without an answer.
    pub fn commands(&self, lines: &[&str], wait: Wait<'_>) -> Result<Vec<Reply>, Error> {
        let _ = (lines, wait);
        todo!("commands")
    }

    /// Runs a catalogued command (`QMTSUB`) with parameters by their documented names, checked before anything is written.
    pub fn run(
        &self,
        name: &str,
        parameters: &[(String, Value)],
        payload: Option<&[u8]>,
        wait: Wait<'_>,
    ) -> Result<Reply, Error> {
        let _ = (name, parameters, payload, wait);
        todo!("commands")
    }

    /// One of the module's clients.
    pub fn client(&self, index: u8) -> Result<Client, Error> {
        let _ = index;
        todo!("clients")
    }

    /// How many clients the module has.
    pub fn clients(&self) -> u8 {
        todo!("clients")
    }

    /// Puts a file on the module, unless the same content is already there. Says whether it was written.
    pub fn upload(&self, name: &str, content: &[u8], wait: Wait<'_>) -> Result<bool, Error> {
        let _ = (name, content, wait);
        todo!("files")
    }

    /// Deletes a file on the module.
    pub fn delete_file(&self, name: &str, wait: Wait<'_>) -> Result<(), Error> {
        let _ = (name, wait);
        todo!("files")
    }

    /// The files on the module.
    pub fn files(&self, wait: Wait<'_>) -> Result<Vec<FileEntry>, Error> {
        let _ = wait;
        todo!("files")
    }

    /// Sets up a TLS context of the module, uploading what it needs.
    pub fn tls_context(&self, index: u8, files: &TlsFiles, wait: Wait<'_>) -> Result<(), Error> {
        let _ = (index, files, wait);
        todo!("files")
    }

    /// Brings the module to where MQTT can start: SIM, registration, PDP, signal, clock; each step with a named error.
    pub fn attach(&self, apn: Option<&str>, wait: Wait<'_>) -> Result<AttachReport, Error> {
        let _ = (apn, wait);
        todo!("attach")
    }

    /// Everything unsolicited from now on: URCs, lost connections, restarts, stored messages, damaged lines.
    pub fn subscribe(&self) -> Subscription {
        todo!("events")
    }

    /// What happened since the port was opened.
    pub fn counters(&self) -> Counters {
        todo!("counters")
    }

    /// Leaves the module as found (clients closed, settings restored; bounded) and closes the port.
    pub fn close_gracefully(&self, wait: Wait<'_>) -> Result<(), Error> {
        let _ = wait;
        todo!("close")
    }

    /// Closes the port at once: every waiter wakes with [`Kind::PortClosed`](crate::error::Kind::PortClosed). Idempotent.
    pub fn close(&self) {
        todo!("close")
    }

    /// Whether the port is closed or gone.
    pub fn is_closed(&self) -> bool {
        todo!("close")
    }

    /// The settings a configured client would have: documented keys, each with its parameters.
    pub fn setting_names(&self) -> IndexMap<String, Vec<String>> {
        todo!("settings")
    }
}
