//! What the module says of its clients, against what this program takes them for; and how those in trouble are closed.
//!
//! A module keeps its clients when only the host restarts (FIELD F17), and loses them when only the module does.

use std::collections::BTreeMap;
use std::fmt;

use crate::client::ClientState;
use crate::dialect::schema::Family;
use crate::engine::changes::Cause;
use crate::engine::changes::Change;
use crate::engine::clock;
use crate::engine::commands::Goal;
use crate::engine::identity::plain;
use crate::engine::recover::Climb;
use crate::engine::wait::Until;
use crate::error::Error;
use crate::error::Kind;
use crate::proto::FinalResult;
use crate::proto::Op;
use crate::proto::command_line;

/// `state` of AT+QMTCONN?: initialising, which it is from opening to connecting.
const OPEN: i64 = 1;
/// `state` of AT+QMTCONN?: connected.
const CONNECTED: i64 = 3;
/// `CMQTT err` of what is as good as done: service not started 9, no connection 11, not acquired 20.
const HARMLESS: [i64; 3] = [9, 11, 20];

/// What one client is found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    /// As we take it.
    Same,
    /// The module has it open or connected, or stays in between, and we do not know why.
    Left,
    /// We took it for open or connected; the module has nothing there.
    Lost,
    /// The module does not say.
    Refused,
}

/// What the module says of its clients.
pub struct Survey {
    found: Vec<(u8, ClientState, Finding)>,
}

impl Survey {
    /// Clients that are to be closed.
    pub fn in_trouble(&self) -> Vec<u8> {
        let bad = |finding: &Finding| matches!(finding, Finding::Left | Finding::Refused);
        self.found.iter().filter(|(_, _, finding)| bad(finding)).map(|(index, ..)| *index).collect()
    }
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<String> = self
            .found
            .iter()
            .filter_map(|(index, state, finding)| match finding {
                Finding::Same if *state == ClientState::Closed => None,
                Finding::Same => Some(format!("client {index} is {state}")),
                Finding::Left => Some(format!("client {index} was left in use, though it is taken for {state}")),
                Finding::Lost => Some(format!("client {index} is not there any more")),
                Finding::Refused => Some(format!("nothing is said of client {index}, {state}")),
            })
            .collect();
        f.write_str(&if told.is_empty() { "all clients are closed".to_owned() } else { told.join(", ") })
    }
}

/// Lines of one read form by client, or that it was refused.
type Told = Option<BTreeMap<u8, Vec<String>>>;

impl Climb<'_> {
    /// Asks the module for its clients, and takes note of those that are gone.
    pub fn survey(&self, until: &Until<'_>) -> Result<Survey, Error> {
        let family = self.modem.dialect.family;
        let (opened, connected) = match family {
            Family::Qmt => ("+QMTOPEN", "+QMTCONN"),
            Family::Cmqtt => ("+CMQTTACCQ", "+CMQTTCONNECT"),
        };
        let (opened, connected) = (self.told(opened, until)?, self.told(connected, until)?);
        let mut found = Vec::new();
        for index in 0..self.modem.clients() {
            let state = self.modem.client(index)?.state();
            let finding = match self.is_busy(index) {
                true => Finding::Same,
                false => finding(family, state, index, &opened, &connected),
            };
            found.push((index, state, finding));
        }
        let gone: Vec<u8> =
            found.iter().filter(|(_, _, finding)| *finding == Finding::Lost).map(|(index, ..)| *index).collect();
        self.note_gone(&gone, &found);
        Ok(Survey { found })
    }

    /// A client that is gone means that the module restarted unseen, unless another one is still there.
    fn note_gone(&self, gone: &[u8], found: &[(u8, ClientState, Finding)]) {
        let alive = found.iter().any(|(_, state, finding)| *finding == Finding::Same && state.is_up());
        // An SIMCom service takes its clients along.
        let cause = match (alive, self.modem.dialect.family) {
            (false, _) => Cause::Restart,
            (true, Family::Cmqtt) => Cause::Bearer,
            (true, Family::Qmt) => Cause::Connection,
        };
        for client in gone {
            let reported = "the module knows nothing of the connection".to_owned();
            self.modem.shared().change(Change::Lost { client: *client, code: None, reported, cause }, clock::now());
        }
        if !gone.is_empty() && !alive {
            self.modem.shared().protocol.lock().te.settings_mut().restarted();
        }
        self.modem.shared().happened();
    }

    /// The read form's lines by client.
    fn told(&self, name: &str, until: &Until<'_>) -> Result<Told, Error> {
        let port = self.modem.shared();
        let exchange = port.execute(plain(&format!("AT{name}?")), until, Goal::Accepted)?;
        let record = exchange.record();
        match &record.final_result {
            Some((FinalResult::Ok, _)) => {}
            Some(_) => return Ok(None),
            None => return Err(Error::new(Kind::NoAnswer, format!("no answer to AT{name}?"))),
        }
        let lines = record.lines();
        let fields = lines.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let rows = fields.filter_map(|rest| {
            let fields = command_line::fields(rest.trim_start().as_bytes());
            let index = u8::try_from(fields.first()?.number()?).ok()?;
            let words = fields.iter().map(|field| match (field.number(), field.text()) {
                (Some(number), _) => number.to_string(),
                (None, Some(text)) => String::from_utf8_lossy(text).into_owned(),
                (None, None) => String::new(),
            });
            Some((index, words.collect()))
        });
        Ok(Some(rows.collect()))
    }

    /// Another thread's request will move the client on.
    fn is_busy(&self, index: u8) -> bool {
        let moves = |op: Op| matches!(op, Op::Open | Op::Connect | Op::Disconnect | Op::Close | Op::Acquire);
        let protocol = self.modem.shared().protocol.lock();
        !self.all_clients && protocol.owed.iter().any(|(awaited, _)| awaited.client == Some(index) && moves(awaited.op))
    }

    /// Closes the clients in trouble, or all of them where that was asked for; waits for the results.
    pub fn close_clients(&self, survey: &Survey, until: &Until<'_>) -> Result<String, Error> {
        let in_trouble = survey.in_trouble();
        let wanted: Vec<u8> = survey
            .found
            .iter()
            .filter(|(index, state, _)| {
                in_trouble.contains(index) || (self.all_clients && *state != ClientState::Closed)
            })
            .map(|(index, ..)| *index)
            .collect();
        if wanted.is_empty() {
            return Ok("there was nothing to close".to_owned());
        }
        let others_use = survey.found.iter().any(|(index, state, _)| state.is_up() && !wanted.contains(index));
        let mut first_error = None;
        for index in &wanted {
            let closed = match self.modem.dialect.family {
                Family::Qmt => self.orders(&[format!("AT+QMTCLOSE={index}")], until),
                Family::Cmqtt => {
                    let mut lines = vec![format!("AT+CMQTTDISC={index},60"), format!("AT+CMQTTREL={index}")];
                    // The service goes with its last client.
                    lines.extend((!others_use && wanted.last() == Some(index)).then(|| "AT+CMQTTSTOP".to_owned()));
                    self.orders(&lines, until)
                }
            };
            match closed {
                Ok(()) => self.forget_client(*index),
                Err(error) if error.kind == Kind::CommandRefused => first_error = first_error.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        match first_error {
            None => Ok(format!("closed: client {}", wanted.iter().map(u8::to_string).collect::<Vec<_>>().join(", "))),
            Some(error) => Err(error),
        }
    }

    /// Sends these one after the other, each with its late result; the last one's refusal is the error. That there was
    /// nothing to end is as good.
    fn orders(&self, lines: &[String], until: &Until<'_>) -> Result<(), Error> {
        let port = self.modem.shared();
        let mut last = Ok(());
        for line in lines {
            let exchange = port.execute(plain(line), until, Goal::Complete)?;
            last = match port.verdict(&exchange) {
                Some(error) if error.code.is_some_and(|code| HARMLESS.contains(&code)) => Ok(()),
                Some(error) if matches!(error.kind, Kind::CommandRefused | Kind::RequestFailed) => {
                    Err(Error::new(Kind::CommandRefused, error.message.clone()))
                }
                Some(error) => return Err(error),
                None => Ok(()),
            };
        }
        last
    }

    /// A client that is closed for certain; its requests end.
    fn forget_client(&self, client: u8) {
        let port = self.modem.shared();
        let reported = "it was closed to recover the module".to_owned();
        port.change(Change::Lost { client, code: None, reported, cause: Cause::Connection }, clock::now());
        let Some(slot) = port.clients.get(usize::from(client)) else { return };
        {
            let mut facts = slot.facts.lock();
            facts.state = ClientState::Closed;
            facts.before = ClientState::Closed;
            facts.ours = false;
            facts.acquired = false;
            facts.publishing = None;
        }
        port.lose_requests(client, clock::now());
    }
}

/// One client of one family. A read form that was refused says nothing; where both were, something is wrong, except that
/// SIMCom answers nothing else while its service is stopped.
fn finding(family: Family, state: ClientState, index: u8, opened: &Told, connected: &Told) -> Finding {
    if opened.is_none() && connected.is_none() {
        return match (family, state) {
            (Family::Qmt, _) => Finding::Refused,
            (Family::Cmqtt, ClientState::Closed) => Finding::Same,
            (Family::Cmqtt, _) => Finding::Lost,
        };
    }
    let row = |told: &Told| told.as_ref().and_then(|rows| rows.get(&index)).cloned();
    let present = match family {
        Family::Qmt => row(connected).and_then(|row| row.get(1)?.parse().ok()).or(row(opened).map(|_| OPEN)),
        Family::Cmqtt if row(connected).is_some_and(|row| row.len() > 1) => Some(CONNECTED),
        // A client without a name is not acquired; some firmware lists it all the same (SIM7600, A76xx).
        Family::Cmqtt => row(opened).filter(|row| row.get(1).is_some_and(|name| !name.is_empty())).map(|_| OPEN),
    };
    match (state, present) {
        (ClientState::Closed | ClientState::Disconnected, None) => Finding::Same,
        // The service of SIMCom is what we opened; a client is acquired by connecting.
        (ClientState::Open, None) if family == Family::Cmqtt => Finding::Same,
        (ClientState::Open, Some(OPEN)) | (ClientState::Connected, Some(CONNECTED)) => Finding::Same,
        // Only the socket can be asked for.
        (ClientState::Connected, Some(OPEN)) if connected.is_none() => Finding::Same,
        // Some firmware keeps the socket behind a disconnection (FIELD F18).
        (ClientState::Disconnected, Some(OPEN)) => Finding::Same,
        (_, None) => Finding::Lost,
        (_, Some(_)) => Finding::Left,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(rows: &[(u8, &[&str])]) -> Told {
        Some(rows.iter().map(|(index, row)| (*index, row.iter().map(|word| (*word).to_owned()).collect())).collect())
    }

    #[test]
    fn a_client_is_what_both_sides_take_it_for_or_in_trouble() {
        let qmt = |state, connected: &Told| finding(Family::Qmt, state, 0, &told(&[]), connected);
        assert_eq!(Finding::Same, qmt(ClientState::Closed, &told(&[])));
        assert_eq!(Finding::Same, qmt(ClientState::Connected, &told(&[(0, &["0", "3"])])));
        assert_eq!(Finding::Left, qmt(ClientState::Closed, &told(&[(0, &["0", "3"])])));
        assert_eq!(Finding::Left, qmt(ClientState::Connected, &told(&[(0, &["0", "2"])])));
        assert_eq!(Finding::Lost, qmt(ClientState::Connected, &told(&[(1, &["1", "3"])])));
        assert_eq!(Finding::Same, qmt(ClientState::Closed, &None), "one form is enough");
        assert_eq!(Finding::Refused, finding(Family::Qmt, ClientState::Closed, 0, &None, &None));
    }

    #[test]
    fn an_open_socket_without_a_session_was_left_too() {
        let opened = told(&[(0, &["0", "broker.lab", "1883"])]);
        assert_eq!(Finding::Left, finding(Family::Qmt, ClientState::Closed, 0, &opened, &told(&[])));
        assert_eq!(Finding::Same, finding(Family::Qmt, ClientState::Open, 0, &opened, &told(&[])));
        assert_eq!(Finding::Same, finding(Family::Qmt, ClientState::Connected, 0, &opened, &None));
    }

    #[test]
    fn a_stopped_service_has_no_clients() {
        assert_eq!(Finding::Same, finding(Family::Cmqtt, ClientState::Closed, 0, &None, &None));
        assert_eq!(Finding::Lost, finding(Family::Cmqtt, ClientState::Connected, 0, &None, &None));
        let acquired = told(&[(0, &["0", "me", "0"])]);
        assert_eq!(Finding::Left, finding(Family::Cmqtt, ClientState::Closed, 0, &acquired, &told(&[(0, &["0"])])));
        let nameless = told(&[(1, &["1", "", "0"])]);
        assert_eq!(Finding::Same, finding(Family::Cmqtt, ClientState::Closed, 1, &nameless, &told(&[(1, &["1"])])));
    }
}
