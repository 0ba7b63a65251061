//! What a caller asked of a session that its state does not allow. Bytes from the wire are never an error of this kind:
//! what cannot be understood becomes an `Ignored` or `Damaged` event.

use std::fmt;

/// A call the state of the session does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// A command line is still pending.
    Busy {
        /// The line that waits for its final result.
        pending: Vec<u8>,
    },
    /// The module does not wait for a payload.
    NoPayloadDue,
    /// A byte that would end the command line or switch its meaning.
    ForbiddenByte {
        /// The byte.
        byte: u8,
        /// Where it stands.
        position: usize,
    },
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProtocolError::Busy { pending } => {
                let mut shown = pending.escape_ascii().to_string();
                shown.truncate(80);
                write!(f, "a command line is pending: {shown}")
            }
            ProtocolError::NoPayloadDue => write!(f, "the module does not wait for a payload"),
            ProtocolError::ForbiddenByte { byte, position } => {
                write!(f, "byte 0x{byte:02X} at position {position} cannot stand in a command line")
            }
        }
    }
}

impl std::error::Error for ProtocolError {}
