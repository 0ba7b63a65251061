//! One exchange: a command line, what came back, and the late result that completes it.
//!
//! The sender waits on it, the reader fills it; nothing here waits.

use std::time::Duration;
use std::time::Instant;

use crate::engine::lock::Held;
use crate::engine::lock::Lock;
use crate::engine::lock::Rank;
use crate::engine::reply::LateResult;
use crate::engine::reply::final_text;
use crate::engine::reply::text_of;
use crate::engine::verdict;
use crate::error::Error;
use crate::proto::FinalResult;
use crate::proto::Op;

/// How long a request outlives the loss of its client, or a refusal its explanation: what belongs to one failure comes
/// together, in any order (FIELD F2, F6).
pub const AFTERMATH: Duration = Duration::from_millis(500);

/// How long a late result waits for the `OK` that some firmware sends behind it and some never (FIELD F1).
pub const OK_BEHIND_RESULT: Duration = Duration::from_millis(300);

/// A command line and everything that came of it.
pub struct Exchange {
    /// The command line, secrets covered.
    pub shown: String,
    /// What the late result answers; `None` for a command that ends with its final result.
    pub op: Option<Op>,
    /// What it does to a client when it ends well.
    pub effect: Option<Op>,
    /// The client it is about.
    pub client: Option<u8>,
    record: Lock<Record>,
}

/// What came so far.
#[derive(Clone, Default)]
pub struct Record {
    /// When the first byte was written.
    pub sent: Option<Instant>,
    /// In the order of the wire.
    pub pieces: Vec<Piece>,
    /// The final result, and when it came.
    pub final_result: Option<(FinalResult, Instant)>,
    /// The late result, and when it came.
    pub result: Option<(LateResult, Instant)>,
    /// The client was lost meanwhile: the code, and when.
    pub lost: Option<(Option<i32>, Instant)>,
    /// The module restarted meanwhile.
    pub restarted: bool,
    /// The module sent the command line back.
    pub echoed: bool,
    /// The module asked for the payload.
    pub prompted: bool,
    /// Times the module reported to have sent the packet again.
    pub retries: u16,
    /// The waiter gave up.
    pub abandoned: bool,
    /// The port was gone meanwhile, and goes on over another line.
    pub gone: Option<Error>,
}

/// One thing in the order of the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// An information line.
    Line(Vec<u8>),
    /// The prompt.
    Prompt,
    /// `CONNECT`
    Connect,
    /// The final result.
    Final,
    /// The late result's line.
    Result(String),
}

/// How far an exchange has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing more will come.
    Complete,
    /// The wire is free for the next command line; the late result is owed.
    Accepted,
    /// Still under way; look again at the instant, if there is one.
    Pending(Option<Instant>),
}

impl Exchange {
    /// A command line about to be sent.
    pub fn new(shown: String, op: Option<Op>, effect: Option<Op>, client: Option<u8>) -> Exchange {
        Exchange { shown, op, effect, client, record: Lock::new(Rank::Exchange, Record::default()) }
    }

    /// What came so far.
    pub fn record(&self) -> Held<'_, Record> {
        self.record.lock()
    }

    /// Whether its final result was a refusal.
    pub fn was_refused(&self) -> bool {
        matches!(&self.record.lock().final_result, Some((result, _)) if *result != FinalResult::Ok)
    }

    /// Whether the loss of its client ended it, and no result came with the loss.
    pub fn is_lost(&self, now: Instant) -> bool {
        let record = self.record.lock();
        record.result.is_none() && record.aftermath().is_some_and(|end| end <= now)
    }

    /// How far it has come.
    pub fn progress(&self, now: Instant) -> Progress {
        self.record.lock().progress(self.op.is_some(), now)
    }
}

impl Record {
    fn progress(&self, has_result: bool, now: Instant) -> Progress {
        if self.is_cut_short() {
            return Progress::Complete;
        }
        let refused = matches!(&self.final_result, Some((result, _)) if *result != FinalResult::Ok);
        if refused || (self.final_result.is_some() && (!has_result || self.result.is_some())) {
            return Progress::Complete;
        }
        let grace = match (&self.result, self.lost) {
            (Some((_, at)), _) => Some(*at + OK_BEHIND_RESULT),
            (None, Some((_, at))) if has_result => Some(at + AFTERMATH),
            _ => None,
        };
        match grace {
            Some(end) if end <= now => Progress::Complete,
            Some(end) if self.final_result.is_none() => Progress::Pending(Some(end)),
            _ if self.final_result.is_some() => Progress::Accepted,
            _ => Progress::Pending(None),
        }
    }

    /// Whether nothing will come any more, whatever is missing.
    pub fn is_cut_short(&self) -> bool {
        self.restarted || self.abandoned || self.gone.is_some()
    }

    /// A copy, unless all went well.
    pub fn failed_copy(&self) -> Option<Record> {
        let accepted = matches!(&self.final_result, Some((FinalResult::Ok, _)) | None);
        let good = match &self.result {
            Some((result, _)) => verdict::failure_code(result).is_none(),
            None => self.final_result.is_some() && self.lost.is_none() && !self.abandoned,
        };
        let fine = accepted && good && !self.restarted && self.gone.is_none();
        (!fine).then(|| self.clone())
    }

    /// When to look again at a request that was accepted.
    pub fn aftermath(&self) -> Option<Instant> {
        self.lost.map(|(_, at)| at + AFTERMATH)
    }

    /// Information lines.
    pub fn lines(&self) -> Vec<String> {
        self.pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Line(line) => Some(text_of(line)),
                _ => None,
            })
            .collect()
    }

    /// Every line in the order of the wire.
    pub fn exchanged(&self) -> Vec<String> {
        let final_line = || self.final_result.as_ref().map(|(result, _)| final_text(result)).unwrap_or_default();
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Line(line) => text_of(line),
                Piece::Prompt => ">".to_owned(),
                Piece::Connect => "CONNECT".to_owned(),
                Piece::Final => final_line(),
                Piece::Result(line) => line.clone(),
            })
            .collect()
    }

    /// When the line came that completed it.
    pub fn completed_at(&self) -> Option<Instant> {
        let result = self.result.as_ref().map(|(_, at)| *at);
        result.or(self.final_result.as_ref().map(|(_, at)| *at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::clock;

    fn owing(op: Op) -> Exchange {
        Exchange::new("AT+QMTOPEN".into(), Some(op), Some(op), Some(0))
    }

    fn late(code: i32) -> LateResult {
        LateResult {
            op: Op::Open,
            name: "QMTOPEN".into(),
            client: Some(0),
            msgid: None,
            code,
            values: Vec::new(),
            after: Duration::ZERO,
        }
    }

    #[test]
    fn it_completes_on_its_result_in_either_order_with_ok() {
        let now = clock::now();
        let exchange = owing(Op::Open);
        assert_eq!(Progress::Pending(None), exchange.progress(now));
        exchange.record().final_result = Some((FinalResult::Ok, now));
        assert_eq!(Progress::Accepted, exchange.progress(now));
        exchange.record().result = Some((late(0), now));
        assert_eq!(Progress::Complete, exchange.progress(now));

        let exchange = owing(Op::Open);
        exchange.record().result = Some((late(0), now));
        assert_eq!(Progress::Pending(Some(now + OK_BEHIND_RESULT)), exchange.progress(now));
        assert_eq!(Progress::Complete, exchange.progress(now + OK_BEHIND_RESULT));
        exchange.record().final_result = Some((FinalResult::Ok, now));
        assert_eq!(Progress::Complete, exchange.progress(now));
    }

    #[test]
    fn a_lost_client_ends_a_request_after_its_aftermath() {
        let now = clock::now();
        let exchange = owing(Op::Connect);
        exchange.record().final_result = Some((FinalResult::Ok, now));
        exchange.record().lost = Some((Some(1), now));
        assert_eq!(Progress::Accepted, exchange.progress(now));
        assert_eq!(Progress::Complete, exchange.progress(now + AFTERMATH));
    }

    #[test]
    fn a_refusal_ends_it_at_once() {
        let now = clock::now();
        let exchange = owing(Op::Open);
        exchange.record().final_result = Some((FinalResult::Error, now));
        assert_eq!(Progress::Complete, exchange.progress(now));
    }
}
