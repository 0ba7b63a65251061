//! The host side: ports, threads, locks. [`Modem`] is a module on a port, [`Client`] one of the clients inside it.
//!
//! Any handle may be used from any thread and cloned freely. Every call that waits takes a [`Wait`]: a time-out and an
//! interruption hook. Nothing here knows Python.

pub mod client;
pub mod clock;
pub mod lock;
pub mod messages;
pub mod modem;
pub mod options;
pub mod receipt;
pub mod reply;
pub mod value;
pub mod wait;

pub use client::Client;
pub use client::Credentials;
pub use client::Outgoing;
pub use messages::ConnectionLost;
pub use messages::Received;
pub use messages::Subscription;
pub use messages::TimedEvent;
pub use modem::AttachReport;
pub use modem::FileEntry;
pub use modem::Modem;
pub use modem::TlsFiles;
pub use modem::TlsVerify;
pub use modem::identify;
pub use modem::ports;
pub use options::Counters;
pub use options::Identity;
pub use options::OpenOptions;
pub use options::PortEntry;
pub use options::PortKind;
pub use receipt::Receipt;
pub use reply::LateResult;
pub use reply::Reply;
pub use value::Value;
pub use wait::Interrupt;
pub use wait::Interrupted;
pub use wait::Wait;
