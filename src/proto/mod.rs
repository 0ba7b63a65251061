//! Sans-IO AT protocol, both roles: bytes and `now` in, events and bytes out.
//!
//! This layer opens nothing, waits for nothing and asks no clock. It knows no vendor: what is a late result, a URC, a
//! prompt or a counted body is told by a [`Grammar`], which `dialect` fills.

pub mod event;

pub use event::Delimiter;
pub use event::Event;
pub use event::FinalResult;
pub use event::Message;
pub use event::Op;
