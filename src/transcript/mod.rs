//! Recorded talk: the file format, what is hidden in it, and what it says.
//!
//! A transcript is JSON Lines: one header object, then `{"t": seconds, "dir": "tx"|"rx", "data": "…"}`, bytes as latin-1
//! text. [`decode`] reads any file of that form, not only our own. Nothing here opens a file or a port.

mod decode;
mod format;
mod json;
mod places;
pub mod redact;

pub use decode::Decoded;
pub use decode::decode;
pub use decode::decode_line;
pub use decode::grammar_of;
pub use format::Direction;
pub use format::Entry;
pub use format::FormatError;
pub use format::Header;
pub use format::PendingRequest;
pub use format::Reader;
pub use format::latin1;
pub use format::latin1_bytes;
pub use json::event_json;
pub use redact::Redactor;
