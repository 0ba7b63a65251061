//! What was not as in the file, for a person and for a test.

use std::fmt;

use crate::transcript::latin1;
use crate::transcript::redact::redact_line;

/// What is not as in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The file does not have this command; it was refused.
    Unknown,
    /// The file has it, but less often; it was refused.
    Again,
    /// The file has it earlier; it was answered.
    Order,
    /// The payload is another one; it was answered.
    Payload,
    /// The file ends before the module answered the payload.
    Unanswered,
}

impl Wrong {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Wrong::Unknown => "unknown",
            Wrong::Again => "again",
            Wrong::Order => "order",
            Wrong::Payload => "payload",
            Wrong::Unanswered => "unanswered",
        }
    }
}

/// Something that was not as in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What is wrong.
    pub wrong: Wrong,
    /// What the host asked, secrets covered.
    pub asked: String,
    /// What the file had next, secrets covered; `None`: nothing more.
    pub expected: Option<String>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = &self.asked;
        match self.wrong {
            Wrong::Unknown => write!(f, "{asked} is not in the file: answered ERROR"),
            Wrong::Again => write!(f, "{asked} was asked more often than in the file: answered ERROR"),
            Wrong::Order => write!(f, "{asked} was asked later than in the file: answered as recorded"),
            Wrong::Payload => write!(f, "{asked} came with another payload: answered as recorded"),
            Wrong::Unanswered => write!(f, "{asked}: the file ends before the payload is answered; nothing was said"),
        }?;
        match &self.expected {
            Some(expected) => write!(f, "; the file had {expected} next"),
            None => f.write_str("; the file had nothing more"),
        }
    }
}

/// A command line for a person, secrets covered.
pub fn shown(line: &[u8]) -> String {
    latin1(&redact_line(line.trim_ascii()))
}
