//! What came of a command: its lines, its final result, its late result, and how long each took.

use std::fmt;
use std::time::Duration;

use crate::error::Error;
use crate::proto::FinalResult;
use crate::proto::Op;
use crate::transcript::redact::cover;

/// The answer to one command line.
#[derive(Clone)]
pub struct Reply {
    /// The command line, secrets covered.
    pub line: String,
    /// Information lines.
    pub lines: Vec<String>,
    /// The final result; `None` where the module sent a late result and no final result.
    pub final_result: Option<FinalResult>,
    /// The late result, for a command that has one.
    pub result: Option<LateResult>,
    /// Every line of the exchange in wire order: `>` for a prompt, `CONNECT`, the final result, the late result.
    pub exchanged: Vec<String>,
    /// From the first byte written to the end of the wait.
    pub elapsed: Duration,
    /// From the first byte written to the line that completed the command.
    pub response: Duration,
    /// The documented maximum.
    pub max_response: Option<Duration>,
    /// What `raise_for_status` raises: the one error the lines amount to.
    pub error: Option<Error>,
}

impl fmt::Debug for Reply {
    /// Secrets covered: a query shows device secrets and passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exchanged: Vec<String> = self.exchanged.iter().map(|line| cover(line)).collect();
        f.debug_struct("Reply")
            .field("line", &self.line)
            .field("exchanged", &exchanged)
            .field("result", &self.result)
            .field("response", &self.response)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl Reply {
    /// The final result as the module writes it; empty where none came.
    pub fn final_text(&self) -> String {
        self.final_result.as_ref().map(final_text).unwrap_or_default()
    }

    /// The reply, or the one error its lines amount to.
    pub fn check(self) -> Result<Reply, Error> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }
}

/// A late result, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateResult {
    /// What it answers.
    pub op: Op,
    /// `QMTOPEN`
    pub name: String,
    /// The module's client.
    pub client: Option<u8>,
    /// Packet identifier.
    pub msgid: Option<u16>,
    /// Result or error code.
    pub code: i32,
    /// What follows: granted QoS, CONNACK return code.
    pub values: Vec<i32>,
    /// How long it took, from the first byte written.
    pub after: Duration,
}

/// A final result as the module writes it in the verbose form.
pub fn final_text(result: &FinalResult) -> String {
    match result {
        FinalResult::Ok => "OK".to_owned(),
        FinalResult::Error => "ERROR".to_owned(),
        FinalResult::Cme(code) => format!("+CME ERROR: {code}"),
        FinalResult::Cms(code) => format!("+CMS ERROR: {code}"),
    }
}

/// Text of bytes from the wire: UTF-8 where they are, latin-1 where they are not, so that no byte is lost.
pub fn text_of(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}
