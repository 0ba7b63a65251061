//! Client operations of the Quectel family: AT+QMTOPEN, QMTCONN, QMTSUB, QMTUNS, QMTDISC, QMTCLOSE, QMTRECV.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::client::ClientState;
use crate::client::Purpose;
use crate::dialect;
use crate::dialect::grammar;
use crate::engine::baton::Step;
use crate::engine::client::Client;
use crate::engine::client::Credentials;
use crate::engine::client::Setting;
use crate::engine::client::int;
use crate::engine::client::loss_error;
use crate::engine::client::text;
use crate::engine::clock;
use crate::engine::commands::Goal;
use crate::engine::commands::Order;
use crate::engine::reply::LateResult;
use crate::engine::value::Value;
use crate::engine::wait::Until;
use crate::engine::wait::Wait;
use crate::error::Error;
use crate::error::Kind;
use crate::proto::Setting as What;

/// `+QMTOPEN: n,2`: the identifier is occupied (all four documents).
const OCCUPIED: i64 = 2;

/// How long a close is waited for where some firmware sends no result any more: after a disconnection (FIELD F18).
const CLOSE_AFTER_DISCONNECT: Duration = Duration::from_secs(3);

/// How long the result of closing what a program before us left is waited for, and how often it is tried (FIELD F17).
const CLOSE_LEFT_OVER: Duration = Duration::from_secs(10);
const TRIES_LEFT_OVER: usize = 3;

impl Client {
    pub(crate) fn qmt_open(&self, host: &str, port: u16, tls: Option<u8>, wait: Wait<'_>) -> Result<(), Error> {
        let until = self.until("AT+QMTOPEN", wait);
        let order = self.order("AT+QMTOPEN", "write", &[text(host), int(port)], None)?;
        self.choose_tls(tls, &until)?;
        self.ask_for_lengths(&until)?;
        self.learn_formats(&until)?;
        let mut opened = self.late(order.clone(), &until);
        for _ in 0..TRIES_LEFT_OVER {
            let stale = matches!(&opened, Err(error) if error.code == Some(OCCUPIED)) && !self.slot().facts.lock().ours;
            if !stale || until.expired(clock::now()) {
                break;
            }
            // A program before us left it open: the module keeps its clients when only the host restarts (FIELD F17).
            log::info!(target: "modemrig::engine", "{}: client {} was still open; closing it first", self.port().name, self.index);
            self.close_left_over(&until)?;
            opened = self.late(order.clone(), &until);
        }
        opened?;
        self.slot().facts.lock().ours = true;
        Ok(())
    }

    /// Closes what another program left, and waits for the result: a client opened too early is still occupied. Whether
    /// it worked is seen when it is opened again.
    fn close_left_over(&self, until: &Until<'_>) -> Result<(), Error> {
        let order = self.order("AT+QMTCLOSE", "write", &[], None)?;
        match self.ended(order, &until.cut(clock::now() + CLOSE_LEFT_OVER)) {
            Err(error) if matches!(error.kind, Kind::CommandRefused | Kind::RequestFailed | Kind::NoAnswer) => {
                log::info!(target: "modemrig::engine", "{}: closing client {}: {error}", self.port().name, self.index);
                Ok(())
            }
            other => other,
        }
    }

    /// TLS or not is a setting of the client; it is written only when it must change.
    fn choose_tls(&self, tls: Option<u8>, until: &Until<'_>) -> Result<(), Error> {
        let has_tls = self.dialect().variant_for("AT+QMTCFG", "ssl").is_some();
        match (tls, has_tls) {
            (None, false) => Ok(()),
            (Some(_), false) => Err(crate::engine::orders::unsupported(self.dialect(), "TLS")),
            (Some(context), true) => self.write_setting("ssl", &[Value::Int(1), Value::Int(context.into())], until),
            (None, true) => {
                // Firmware that does not know the setting has no TLS to switch off.
                if self.is_unknown("ssl") {
                    return Ok(());
                }
                match self.known_or_read("ssl", "ssl_enable", until) {
                    Ok(Some(Value::Int(1))) => self.write_setting("ssl", &[Value::Int(0)], until),
                    other => self.unless_unknown("ssl", other.map(|_| ())),
                }
            }
        }
    }

    /// Received messages announce the length of their payload, so that it may hold anything. A setting the caller made
    /// stays; old firmware that refuses it is read by quotation marks (FIELD F21).
    fn ask_for_lengths(&self, until: &Until<'_>) -> Result<(), Error> {
        let has_lengths = self.dialect().variant_for("AT+QMTCFG", "recv/mode").is_some();
        // Written before, by the caller or here.
        let chosen = self.slot().facts.lock().found.contains_key("recv/mode");
        if !has_lengths || chosen || self.is_unknown("recv/mode") {
            return Ok(());
        }
        self.unless_unknown("recv/mode", self.write_setting("recv/mode", &[Value::Int(0), Value::Int(1)], until))
    }

    /// The module refused this setting before: firmware older than the document.
    fn is_unknown(&self, key: &str) -> bool {
        self.slot().facts.lock().unknown.iter().any(|unknown| unknown == key)
    }

    /// A setting that the module refuses is done without, and not asked for again.
    fn unless_unknown(&self, key: &str, done: Result<(), Error>) -> Result<(), Error> {
        match done {
            Err(error) if error.kind == Kind::CommandRefused => {
                log::info!(target: "modemrig::engine", "{}: no {key}: {error}", self.port().name);
                self.slot().facts.lock().unknown.push(key.to_owned());
                Ok(())
            }
            other => other,
        }
    }

    /// What is asked for counts for the protocol, too; what is written it sees by itself.
    pub(crate) fn heed(&self, found: &Setting) {
        let what = [
            ("msg_len_enable", What::Length),
            ("recv_mode", What::Hex),
            ("send_mode", What::TypedHex),
            ("view_mode", What::TypedShown),
        ];
        let mut protocol = self.port().protocol.lock();
        for (param, what) in what {
            if let Some(Value::Int(number)) = found.get(param) {
                protocol.te.settings_mut().set(what, self.index, *number == 1);
            }
        }
    }

    /// A program before us may have left payloads in hexadecimal or their echo on: settings last until power-down.
    fn learn_formats(&self, until: &Until<'_>) -> Result<(), Error> {
        for (key, param) in [("dataformat", "recv_mode"), ("view/mode", "view_mode")] {
            if self.dialect().variant_for("AT+QMTCFG", key).is_some() && !self.is_unknown(key) {
                self.unless_unknown(key, self.known_or_read(key, param, until).map(|_| ()))?;
            }
        }
        Ok(())
    }

    pub(crate) fn qmt_connect(&self, credentials: &Credentials, wait: Wait<'_>) -> Result<(), Error> {
        let until = self.until("AT+QMTCONN", wait);
        let mut arguments = vec![text(&credentials.client_id)];
        match (&credentials.username, &credentials.password) {
            (None, None) => {}
            (username, password) => {
                arguments.push(text(username.as_deref().unwrap_or_default()));
                arguments.push(text(password.as_deref().unwrap_or_default()));
            }
        }
        let order = self.order("AT+QMTCONN", "write", &arguments, None)?;
        self.late(order, &until).map_err(|error| self.why_closed(error))?;
        self.slot().facts.lock().ours = true;
        Ok(())
    }

    /// A refusal whose reason was told before: the connection that was opened is gone (FIELD F6, F19).
    fn why_closed(&self, error: Error) -> Error {
        let facts = self.slot().facts.lock();
        let is_closed = error.kind == Kind::CommandRefused && facts.state == ClientState::Closed;
        let lost = facts.lost.clone().filter(|_| is_closed);
        drop(facts);
        lost.map_or(error, |loss| self.port().explain(loss_error(&loss)))
    }

    pub(crate) fn qmt_subscribe(
        &self,
        topics: &[(String, i64)],
        wait: Wait<'_>,
    ) -> Result<Vec<(String, Option<u8>)>, Error> {
        let until = self.until("AT+QMTSUB", wait);
        let wanted = topics.iter().flat_map(|(topic, qos)| [text(topic), int(*qos)]).collect();
        let result = self.subscribed(wanted, &until)?;
        let granted = result.values.iter().map(|value| u8::try_from(*value).ok()).chain(std::iter::repeat(None));
        Ok(topics.iter().map(|(topic, _)| topic.clone()).zip(granted).collect())
    }

    pub(crate) fn qmt_unsubscribe(&self, topics: &[String], wait: Wait<'_>) -> Result<(), Error> {
        let until = self.until("AT+QMTUNS", wait);
        self.numbered("AT+QMTUNS", topics.iter().map(|topic| text(topic)).collect(), &until)?;
        Ok(())
    }

    /// One firmware restarts at a subscription with a packet identifier of ours (FIELD F21). After such a restart the module
    /// chooses it, unless it refuses to: then the restart had another reason.
    fn subscribed(&self, wanted: Vec<dialect::Value>, until: &Until<'_>) -> Result<LateResult, Error> {
        let falls = &self.slot().falls_over_ids;
        if falls.load(Ordering::Relaxed) {
            match self.unnumbered("AT+QMTSUB", &wanted, until) {
                Err(error) if error.kind == Kind::CommandRefused => falls.store(false, Ordering::Relaxed),
                other => return other,
            }
        }
        let done = self.numbered("AT+QMTSUB", wanted, until);
        if matches!(&done, Err(error) if error.kind == Kind::ModuleRestarted) {
            falls.store(true, Ordering::Relaxed);
        }
        done
    }

    /// A request with 0 for its packet identifier, which not every document allows.
    fn unnumbered(&self, name: &str, arguments: &[dialect::Value], until: &Until<'_>) -> Result<LateResult, Error> {
        let mut all = vec![int(1)];
        all.extend_from_slice(arguments);
        let order = self.order(name, "write", &all, None)?;
        let written = format!("{name}={},1,", self.index);
        let rest = order.line.strip_prefix(written.as_bytes()).unwrap_or_default();
        let line = [format!("{name}={},0,", self.index).as_bytes(), rest].concat();
        self.late(Order::of_line(line, None, grammar::any())?, until)
    }

    /// A request with a packet identifier of its own.
    fn numbered(&self, name: &str, mut arguments: Vec<dialect::Value>, until: &Until<'_>) -> Result<LateResult, Error> {
        let taken = self.slot().facts.lock().window.take(Purpose::Other);
        let msgid = taken.ok_or_else(|| Error::new(Kind::Internal, "no packet identifier is free"))?;
        arguments.insert(0, int(msgid));
        let done = self.order(name, "write", &arguments, None).and_then(|order| self.late(order, until));
        self.slot().facts.lock().window.give_back(msgid);
        done
    }

    pub(crate) fn qmt_disconnect(&self, wait: Wait<'_>) -> Result<(), Error> {
        let until = self.until("AT+QMTDISC", wait);
        let order = self.order("AT+QMTDISC", "write", &[], None)?;
        self.ended(order, &until)
    }

    pub(crate) fn qmt_close(&self, wait: Wait<'_>) -> Result<(), Error> {
        let until = self.until("AT+QMTCLOSE", wait);
        self.qmt_close_now(&until)
    }

    fn qmt_close_now(&self, until: &Until<'_>) -> Result<(), Error> {
        let order = self.order("AT+QMTCLOSE", "write", &[], None)?;
        let (before, ours) = {
            let facts = self.slot().facts.lock();
            (facts.state, facts.ours)
        };
        // Its connection is over: disconnected, or lost.
        let over = before == ClientState::Disconnected || before == ClientState::Closed && ours;
        let until = if over { until.cut(clock::now() + CLOSE_AFTER_DISCONNECT) } else { *until };
        let closed = match self.ended(order, &until) {
            // Nothing was open, or the firmware freed the client with the disconnection (FIELD F18).
            Err(error) if matches!(error.kind, Kind::CommandRefused | Kind::RequestFailed) && !before.is_up() => Ok(()),
            Err(error) if error.kind == Kind::NoAnswer && over => Ok(()),
            other => other,
        };
        if closed.is_ok() {
            let mut facts = self.slot().facts.lock();
            facts.state = ClientState::Closed;
            facts.before = ClientState::Closed;
            facts.ours = false;
        }
        closed
    }

    /// Fetches what waits in the module's slots; it arrives as messages.
    pub(crate) fn fetch_stored(&self, until: &Until<'_>) -> Result<(), Error> {
        let order = self.order("AT+QMTRECV", "write", &[], None)?;
        let patience = Wait { timeout: None, interrupt: until.interrupt };
        let exchange = self.port().execute(order, &self.until("AT+QMTRECV", patience), Goal::Complete)?;
        match self.port().verdict(&exchange) {
            // The connection went meanwhile, and the slots with it.
            Some(error) if error.kind == Kind::CommandRefused => Ok(()),
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Sends an order and waits for its late result; a failure is the error.
    pub(crate) fn late(&self, order: Order, until: &Until<'_>) -> Result<LateResult, Error> {
        let port = self.port();
        let exchange = port.execute(order, until, Goal::Complete)?;
        if let Some(error) = port.verdict(&exchange) {
            return Err(error);
        }
        let result = exchange.record().result.as_ref().map(|(result, _)| result.clone());
        result.ok_or_else(|| {
            port.explain(Error::new(Kind::NoAnswer, format!("{} ended without its result", exchange.shown)))
        })
    }

    /// Sends an order whose purpose is to end something: that it has ended otherwise is as good.
    pub(crate) fn ended(&self, order: Order, until: &Until<'_>) -> Result<(), Error> {
        let port = self.port();
        let exchange = port.execute(order, until, Goal::Complete)?;
        port.verdict(&exchange).map_or(Ok(()), Err)
    }

    /// Waits for a place in the window of five; `None` when the time is over.
    pub(crate) fn await_window(&self, until: &Until<'_>) -> Result<Option<u16>, Error> {
        let slot = self.slot();
        self.port().wait_aside(until, |_| match slot.facts.lock().window.take(Purpose::Publish) {
            Some(msgid) => Step::Done(msgid),
            None => Step::NotYet(None),
        })
    }
}
