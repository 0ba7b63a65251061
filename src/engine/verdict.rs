//! The one error an exchange amounts to: codes looked up in the catalogue, however many lines the module made of it.

use std::time::Instant;

use crate::dialect::Dialect;
use crate::dialect::schema::CodeRow;
use crate::dialect::schema::Family;
use crate::engine::exchange::Exchange;
use crate::engine::exchange::Record;
use crate::engine::port::Port;
use crate::engine::reply::LateResult;
use crate::engine::reply::Reply;
use crate::engine::reply::final_text;
use crate::engine::resync::name_of;
use crate::error::Error;
use crate::error::Kind;
use crate::proto::FinalResult;
use crate::proto::Op;

/// Result 0, 1 and 2 of QMTCONN come with a CONNACK code behind them, which is what matters.
const CONNECT_NAME: &str = "QMTCONN";

/// CONNACK refusals in the error table of SIMCom (`CMQTT err` 27 to 31).
const SIMCOM_REFUSALS: std::ops::RangeInclusive<i32> = 27..=31;

/// `CMQTT err` where TLS fails, and where it lacks a file (decision 25).
const SIMCOM_HANDSHAKE: i32 = 32;
const SIMCOM_NO_CERTIFICATE: i32 = 33;

/// Codes of `CMQTT err` that mean the way to the broker: socket, name, TLS handshake, certificates, network.
const SIMCOM_NO_WAY: [i32; 5] = [3, 9, 25, SIMCOM_HANDSHAKE, SIMCOM_NO_CERTIFICATE];

/// How a loss is reported.
pub fn loss_name(family: Family) -> &'static str {
    match family {
        Family::Qmt => "+QMTSTAT",
        Family::Cmqtt => "+CMQTTCONNLOST",
    }
}

/// What the code of a loss means.
pub fn loss_row<'a>(dialect: Option<&'a Dialect>, reported: &str, code: i32) -> Option<&'a CodeRow> {
    let place = match reported {
        "+QMTSTAT" => "QMTSTAT err_code",
        "+CMQTTCONNLOST" => "CMQTTCONNLOST cause",
        _ => return None,
    };
    dialect?.meaning(place, i64::from(code))
}

/// The code of a failure; `None` where the result is a good one.
pub fn failure_code(result: &LateResult) -> Option<i32> {
    if result.code != 0 {
        return Some(result.code);
    }
    if result.name == CONNECT_NAME {
        return result.values.first().copied().filter(|code| *code != 0);
    }
    None
}

impl Port {
    /// Makes the reply of an exchange that has come to its end.
    pub fn reply(&self, exchange: &Exchange, now: Instant) -> Reply {
        let error = self.verdict(exchange);
        let max_response = self.documented_maximum(name_of(&exchange.shown), exchange.client);
        let record = exchange.record();
        let sent = record.sent.unwrap_or(now);
        Reply {
            line: exchange.shown.clone(),
            lines: record.lines(),
            final_result: record.final_result.as_ref().map(|(result, _)| result.clone()),
            result: record.result.as_ref().map(|(result, _)| result.clone()),
            exchanged: record.exchanged(),
            elapsed: now.saturating_duration_since(sent),
            response: record.completed_at().unwrap_or(now).saturating_duration_since(sent),
            max_response,
            error,
        }
    }

    /// The error an exchange amounts to, if it is one.
    pub fn verdict(&self, exchange: &Exchange) -> Option<Error> {
        // A copy, and only of a failure: what follows takes locks of a lower rank.
        let failed = exchange.record().failed_copy()?;
        let error = self.judge(exchange, &failed)?;
        Some(self.explain(error))
    }

    fn judge(&self, exchange: &Exchange, record: &Record) -> Option<Error> {
        let shown = &exchange.shown;
        if let Some(error) = &record.gone {
            return Some(error.clone());
        }
        if record.restarted {
            let error = Error::new(Kind::ModuleRestarted, format!("the module restarted during {shown}"));
            return Some(error.with_remedy("configure and open its clients anew"));
        }
        if let Some((result, _)) = &record.result {
            return failure_code(result).map(|code| self.result_error(exchange, result, code));
        }
        match &record.final_result {
            Some((FinalResult::Ok, _)) => {}
            Some((refusal, _)) => return Some(self.refusal_error(exchange, refusal)),
            None if record.lost.is_some() => {}
            None => return Some(Error::new(Kind::NoAnswer, format!("no answer to {shown}"))),
        }
        let op = exchange.op?;
        match record.lost {
            // What was to be ended has ended.
            Some(_) if matches!(op, Op::Disconnect | Op::Close) => None,
            Some((code, _)) => {
                let error = Error::new(Kind::ConnectionLost, format!("the connection was lost during {shown}"));
                Some(self.with_loss(error, code))
            }
            None if record.abandoned => Some(Error::new(Kind::NoAnswer, format!("no result of {shown}"))),
            None => None,
        }
    }

    fn with_loss(&self, error: Error, code: Option<i32>) -> Error {
        let Some(code) = code else { return error };
        let row = loss_row(self.dialect.get().copied(), loss_name(self.family()), code);
        with_row(error.with_code(code.into()), row)
    }

    fn result_error(&self, exchange: &Exchange, result: &LateResult, code: i32) -> Error {
        let refused_by_broker = result.name == CONNECT_NAME && result.code == 0;
        let places: &[String] = &match (self.family(), refused_by_broker) {
            (Family::Cmqtt, _) => vec!["CMQTT err".to_owned()],
            // 001 writes it in one word.
            (Family::Qmt, true) => vec![format!("AT+{CONNECT_NAME} ret_code"), format!("AT+{CONNECT_NAME} retcode")],
            (Family::Qmt, false) => vec![format!("{} result", name_of(&exchange.shown))],
        };
        let kind = match (result.op, self.family()) {
            _ if refused_by_broker => Kind::BrokerRefused,
            (Op::Open, Family::Qmt) => Kind::OpenFailed,
            (_, Family::Cmqtt) if SIMCOM_REFUSALS.contains(&code) => Kind::BrokerRefused,
            (Op::Connect, Family::Cmqtt) if SIMCOM_NO_WAY.contains(&code) => Kind::OpenFailed,
            _ => Kind::RequestFailed,
        };
        let line = crate::engine::line_text::late(result);
        let error = Error::new(kind, format!("{} failed: {line}", exchange.shown)).with_code(code.into());
        let row =
            self.dialect.get().and_then(|dialect| places.iter().find_map(|place| dialect.meaning(place, code.into())));
        let mut error = with_row(error, row);
        if error.remedy.is_none()
            && let Some(remedy) = usual_remedy(kind, code, self.family())
        {
            error = error.with_remedy(remedy);
        }
        self.with_source(error, exchange)
    }

    fn refusal_error(&self, exchange: &Exchange, refusal: &FinalResult) -> Error {
        let mut error =
            Error::new(Kind::CommandRefused, format!("{} was refused: {}", exchange.shown, final_text(refusal)));
        if let FinalResult::Cme(text) | FinalResult::Cms(text) = refusal {
            let code = text.trim().parse::<i64>().ok();
            let dialect = self.dialect.get();
            let tables = ["CME 27.007", "CME 27.005"];
            let row = code.and_then(|code| tables.iter().find_map(|table| dialect?.meaning(table, code)));
            error = match (code, row) {
                (Some(code), row) => with_row(error.with_code(code), row),
                (None, _) => error.with_meaning(text.trim()),
            };
        }
        let state = exchange.client.and_then(|client| self.clients.get(usize::from(client)));
        if let (Some(slot), true) = (state, exchange.op.is_some()) {
            error = error.with_remedy(format!("the client is {}; see what it may do there", slot.facts.lock().state));
        }
        self.with_source(error, exchange)
    }

    fn with_source(&self, error: Error, exchange: &Exchange) -> Error {
        let Some(dialect) = self.dialect.get() else { return error };
        match dialect.command(name_of(&exchange.shown)) {
            Some(command) => error.with_source(format!("{}, {}", dialect.document.title, command.source)),
            None => error,
        }
    }
}

/// What to look at where the document names no remedy.
fn usual_remedy(kind: Kind, code: i32, family: Family) -> Option<&'static str> {
    match kind {
        // +QMTOPEN: n,2: the module kept a client that this program did not open (F17).
        Kind::OpenFailed if family == Family::Qmt && code == 2 => {
            Some("close the client, wait for the result, and open it again")
        }
        // Decision 19: the code for no answer in time and for every failure of TLS.
        Kind::OpenFailed if (family, code) == (Family::Qmt, -1) => Some(
            "nobody answered in time, or TLS failed: check host and port, and with TLS the files of the context (the broker's \
             authority, and certificate and key that belong together and that the broker trusts) and the module's clock, which \
             counts from 1980 until it is told the time",
        ),
        Kind::OpenFailed if (family, code) == (Family::Cmqtt, SIMCOM_HANDSHAKE) => Some(
            "TLS failed: check the files of the context (the broker's authority, and certificate and key that belong together \
             and that the broker trusts) and the module's clock, which counts from 1980 until it is told the time",
        ),
        Kind::OpenFailed if (family, code) == (Family::Cmqtt, SIMCOM_NO_CERTIFICATE) => Some(
            "the TLS context checks certificates, and one that it needs is not named or not on the module: set the context up \
             with its files",
        ),
        Kind::OpenFailed => Some("check host and port as the module's network sees them"),
        Kind::BrokerRefused => Some("check client id, user name and password, and whom the broker lets in"),
        _ => None,
    }
}

fn with_row(error: Error, row: Option<&CodeRow>) -> Error {
    match row {
        Some(CodeRow { meaning, remedy: Some(remedy) }) => error.with_meaning(meaning).with_remedy(remedy),
        Some(CodeRow { meaning, remedy: None }) => error.with_meaning(meaning),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn result(name: &str, code: i32, values: Vec<i32>) -> LateResult {
        LateResult {
            op: Op::Connect,
            name: name.into(),
            client: Some(0),
            msgid: None,
            code,
            values,
            after: Duration::ZERO,
        }
    }

    #[test]
    fn a_connack_refusal_is_a_failure_though_the_result_is_zero() {
        assert_eq!(Some(5), failure_code(&result("QMTCONN", 0, vec![5])));
        assert_eq!(None, failure_code(&result("QMTCONN", 0, vec![0])));
        assert_eq!(None, failure_code(&result("QMTCONN", 0, vec![])));
        assert_eq!(Some(2), failure_code(&result("QMTCONN", 2, vec![])));
        assert_eq!(None, failure_code(&result("QMTSUB", 0, vec![1])));
    }
}
