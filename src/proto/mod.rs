//! Sans-IO AT protocol, both roles: bytes and `now` in, events and bytes out.
//!
//! This layer opens nothing, waits for nothing and asks no clock. It knows no vendor: what is a late result, a URC, a
//! prompt or a counted body is told by a [`Grammar`], which `dialect` fills.

pub mod command_line;
pub mod error;
pub mod event;
mod framer;
pub mod grammar;
pub mod hex;
mod lines;
mod received;
pub mod request;
mod seen;
pub mod settings;
pub mod ta;
#[cfg(test)]
mod ta_tests;
pub mod te;
mod te_blocks;
mod te_events;
pub mod told;

pub use error::ProtocolError;
pub use event::Delimiter;
pub use event::Event;
pub use event::FinalResult;
pub use event::Message;
pub use event::Op;
pub use grammar::Grammar;
pub use grammar::Setting;
pub use request::Awaited;
pub use request::Input;
pub use request::Request;
pub use settings::Settings;
pub use ta::Part;
pub use ta::PayloadEnd;
pub use ta::TaEvent;
pub use ta::TaSession;
pub use te::TeSession;
pub use te::TeState;
pub use told::Told;

/// Any instant will do as the beginning of a test.
#[cfg(test)]
#[allow(clippy::disallowed_methods)]
pub(crate) fn test_origin() -> std::time::Instant {
    std::time::Instant::now()
}
