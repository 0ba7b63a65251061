//! What the TE end is asked to send, and what completes it. Plain values; `te` acts on them.

use crate::proto::Op;

/// The late result that completes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Awaited {
    /// What was asked.
    pub op: Op,
    /// The client; `None` fits any.
    pub client: Option<u8>,
    /// The packet identifier; `None` fits any.
    pub msgid: Option<u16>,
}

impl Awaited {
    /// Whether a line about these completes the request.
    pub fn fits(&self, op: Op, client: Option<u8>, msgid: Option<u16>) -> bool {
        let same = |ours: Option<u16>, theirs: Option<u16>| ours.is_none() || theirs.is_none() || ours == theirs;
        self.op == op && same(self.client.map(u16::from), client.map(u16::from)) && same(self.msgid, msgid)
    }
}

/// What follows a prompt or `CONNECT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing is expected; if the module asks all the same, `payload` answers.
    None,
    /// Written by the session at the prompt.
    Prompt(Vec<u8>),
    /// Written by the session at `CONNECT`.
    Upload(Vec<u8>),
    /// The caller calls `payload` when it sees the prompt.
    ManualPrompt,
}

/// A command line to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `AT+…`, without CR.
    pub line: Vec<u8>,
    /// What the module will ask for.
    pub input: Input,
    /// The late result that completes it.
    pub awaits: Option<Awaited>,
}
