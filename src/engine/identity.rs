//! The first words on a port: echo off, results as words, who are you; and which document describes the answer.

use std::time::Duration;

use crate::dialect::Dialect;
use crate::dialect::catalogue;
use crate::dialect::grammar;
use crate::engine::clock;
use crate::engine::commands::Goal;
use crate::engine::commands::Order;
use crate::engine::exchange::Exchange;
use crate::engine::options::Identity;
use crate::engine::port::Port;
use crate::engine::wait::Until;
use crate::error::Error;
use crate::error::Kind;
use std::sync::Arc;

/// How long opening may take where the caller gives no time.
pub const OPENING: Duration = Duration::from_secs(5);

/// How long one try at a first answer waits: modules drop what comes while they are busy or asleep.
const FIRST_TRY: Duration = Duration::from_millis(400);

/// What a module is told first.
pub const FIRST_WORDS: &str = "ATE0Q0V1";
pub const WORDS_ONE_BY_ONE: [&str; 3] = ["ATE0", "ATQ0", "ATV1"];

/// Who was met.
pub struct Met {
    /// What the module says of itself.
    pub identity: Identity,
    /// The document that describes it.
    pub dialect: &'static Dialect,
    /// It echoed before we asked it not to.
    pub echo_found: bool,
}

/// Finds out who is there.
pub fn meet(port: &Port, until: &Until<'_>) -> Result<Met, Error> {
    let wanted = port.options.dialect.clone().map(|id| known_dialect(&id)).transpose()?;
    let echo_found = first_word(port, until)?;
    let mut lines = ask(port, "ATI", until)?;
    let mut detection = catalogue().detect(&borrowed(&lines));
    if detection.manufacturer.is_none() || detection.model.is_none() || detection.revision.is_none() {
        for query in ["AT+CGMI", "AT+CGMM", "AT+CGMR"] {
            lines.extend(ask(port, query, until)?);
        }
        detection = catalogue().detect(&borrowed(&lines));
    }
    let imei = ask(port, "AT+CGSN", until)?.iter().find_map(|line| digits(line)).unwrap_or_default();
    let found = detection.dialect;
    let (manufacturer, model, revision) = (detection.manufacturer, detection.model, detection.revision);
    if !detection.also.is_empty() && wanted.is_none() {
        log::info!(target: "modemrig::engine", "{}: {} is in more than one document; {} is taken, {} would do too",
            port.name, model.as_deref().unwrap_or("the model"), found.map_or("none", |dialect| dialect.id.as_str()),
            detection.also.join(", "));
    }
    // Who says which dialect does not say that the module is no kin of it.
    let kin = found.filter(|found| wanted.is_some_and(|wanted| wanted.id == found.id));
    let Some(dialect) = kin.or(wanted).or(found) else {
        let said = if lines.is_empty() { "nothing".to_owned() } else { lines.join(" | ") };
        return Err(port.explain(
            Error::new(Kind::Unsupported, format!("no document describes the module; it says of itself: {said}"))
                .with_remedy(format!("say which dialect it speaks, one of {}", catalogue().ids().join(", "))),
        ));
    };
    // Set once, here, before anyone else has the port.
    let _ = port.dialect.set(dialect);
    let identity = Identity {
        manufacturer: manufacturer.unwrap_or_default(),
        model: model.unwrap_or_default(),
        revision: revision.unwrap_or_default(),
        imei,
        dialect: dialect.id.clone(),
    };
    Ok(Met { identity, dialect, echo_found })
}

fn known_dialect(id: &str) -> Result<&'static Dialect, Error> {
    catalogue().get(id).ok_or_else(|| {
        Error::new(Kind::BadValue, format!("there is no dialect {id:?}; there are {}", catalogue().ids().join(", ")))
    })
}

/// Tells the module how to speak. Tried again until it answers; says whether it echoed.
fn first_word(port: &Port, until: &Until<'_>) -> Result<bool, Error> {
    let mut echoed = false;
    loop {
        let try_until = until.cut(clock::now() + FIRST_TRY);
        let told = port.begin(FIRST_WORDS, &try_until).and_then(|_turn| tell_how_to_speak(port, &try_until));
        match told {
            Ok(exchange) => {
                echoed |= exchange.record().echoed;
                return Ok(echoed);
            }
            Err(error) if error.kind != Kind::NoAnswer => return Err(error),
            Err(_) if until.expired(clock::now()) => return Err(silent(port, until)),
            // Asleep, busy, or quiet, which a query does not show.
            Err(_) => {
                if let Some(_turn) = port.await_turn(until)? {
                    port.speak_up(until)?;
                }
            }
        }
    }
}

fn silent(port: &Port, until: &Until<'_>) -> Error {
    let heard = port.statistics().bytes_received;
    let error = if heard == 0 {
        Error::new(Kind::NoAnswer, format!("{}: the module does not answer AT", port.name)).with_remedy(
            "check power and speed (baud); a module has several interfaces, `modemrig identify PORT` tells them apart",
        )
    } else {
        Error::new(Kind::Garbled, format!("{}: something comes ({heard} bytes), but no answer to AT", port.name))
            .with_remedy(
                "check the speed (baud), or whether this is the NMEA or diagnostic interface: `modemrig identify PORT`",
            )
    };
    port.explain(error.awaiting("OK to AT", until.waited(clock::now())))
}

fn ask(port: &Port, line: &str, until: &Until<'_>) -> Result<Vec<String>, Error> {
    let exchange: Arc<Exchange> = port.execute(plain(line), until, Goal::Accepted)?;
    let lines = exchange.record().lines();
    Ok(lines)
}

/// Echo off, final results on and in words: in one line, or one by one where the module does not take them together. Works
/// in whatever mode the module is: quiet, it answers from here on; in figures, it may answer this once more in figures. The
/// caller has the turn.
pub fn tell_how_to_speak(port: &Port, until: &Until<'_>) -> Result<Arc<Exchange>, Error> {
    let exchange = port.execute_in_turn(plain(FIRST_WORDS), until)?;
    if exchange.was_refused() {
        for word in WORDS_ONE_BY_ONE {
            port.execute_in_turn(plain(word), until)?;
        }
    }
    let mut protocol = port.protocol.lock();
    let settings = protocol.te.settings_mut();
    settings.echo = false;
    settings.verbose = true;
    drop(protocol);
    Ok(exchange)
}

/// A command line without payload, late result or secret.
pub fn plain(line: &str) -> Order {
    let order = Order::raw(line, None, grammar::any());
    // Only a payload can be refused, and there is none.
    order.unwrap_or_else(|_| Order::bare(line))
}

fn borrowed(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).collect()
}

/// The fifteen digits of an IMEI in a line (`861234567890123`, `+CGSN: "861234567890123"`).
fn digits(line: &str) -> Option<String> {
    let text = line.rsplit(':').next()?.trim().trim_matches('"');
    (text.len() >= 14 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_imei_is_found_bare_or_behind_its_name() {
        assert_eq!(Some("861234567890123".to_owned()), digits("861234567890123"));
        assert_eq!(Some("861234567890123".to_owned()), digits("+CGSN: \"861234567890123\""));
        assert_eq!(None, digits("OK"));
    }
}
