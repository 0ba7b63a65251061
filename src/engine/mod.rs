//! The host side: ports, threads, locks. [`Modem`] is a module on a port, [`Client`] one of the clients inside it.
//!
//! Any handle may be used from any thread and cloned freely. Every call that waits takes a [`Wait`]: a time-out and an
//! interruption hook. Nothing here knows Python.

mod attach;
pub mod client;
pub mod clock;
mod closing;
mod cmqtt;
mod commands;
mod deadlines;
mod dial;
mod exchange;
pub mod files;
mod identity;
mod line_text;
pub mod lock;
pub mod messages;
pub mod modem;
mod names;
pub mod options;
mod orders;
mod port;
pub mod ports;
mod publish;
mod qmt;
mod reader;
mod readiness;
pub mod receipt;
pub mod reply;
mod resync;
mod router;
mod settings;
mod slot;
mod talk;
pub mod tls;
mod trace;
mod turn;
pub mod value;
mod verdict;
pub mod wait;

pub use attach::AttachReport;
pub use client::Client;
pub use client::Credentials;
pub use client::Outgoing;
pub use files::FileEntry;
pub use messages::ConnectionLost;
pub use messages::Received;
pub use messages::Subscription;
pub use messages::TimedEvent;
pub use modem::Modem;
pub use options::Counters;
pub use options::Identity;
pub use options::OpenOptions;
pub use options::PortEntry;
pub use options::PortKind;
pub use ports::identify;
pub use ports::ports;
pub use receipt::Receipt;
pub use reply::LateResult;
pub use reply::Reply;
pub use tls::TlsFiles;
pub use tls::TlsVerify;
pub use value::Value;
pub use wait::Interrupt;
pub use wait::Interrupted;
pub use wait::Wait;
