//! What a line of the module tells of a request, read as a host would: for the module's end, which must know where its own
//! results stand.

use crate::proto::Op;
use crate::proto::grammar::Grammar;
use crate::proto::grammar::LineKind;
use crate::proto::lines::Line;

/// What a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A request has ended.
    Result {
        /// What was asked.
        op: Op,
        /// The client, where the line names it.
        client: Option<u8>,
        /// The packet identifier, where the line names it.
        msgid: Option<u16>,
        /// Whether it failed.
        failed: bool,
    },
    /// The connection of this client is gone.
    Lost(u8),
}

impl Told {
    /// What this line tells; `None` for progress notices, messages, and lines about something else.
    pub fn by(line: &[u8], grammar: &Grammar) -> Option<Told> {
        // Messages are long, and many.
        if grammar.message_name().is_some_and(|name| line.starts_with(name.as_bytes())) {
            return None;
        }
        let line = Line::read(line, grammar);
        if line.kind == Some(LineKind::Lost) {
            return line.client().map(Told::Lost);
        }
        let outcome = line.outcome().filter(|outcome| !outcome.notice)?;
        // A CONNACK code stands behind the result.
        let is_refused = outcome.op == Op::Connect && outcome.values.first().is_some_and(|code| *code != 0);
        let failed = outcome.code != 0 || is_refused;
        Some(Told::Result { op: outcome.op, client: outcome.client, msgid: outcome.msgid, failed })
    }
}
