//! Client operations of the SIMCom family: START, ACCQ, SSLCFG, CFG, WILLTOPIC, WILLMSG, CONNECT, TOPIC, PAYLOAD, PUB, SUB,
//! UNSUB, DISC, REL, STOP, behind the same face as Quectel's.
//!
//! The module dials while connecting, so `open` starts the service and keeps the address; what belongs to an acquired client
//! (settings, will) is kept until `connect` acquires it.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use crate::client::ClientState;
use crate::engine::baton::Step;
use crate::engine::client::Client;
use crate::engine::client::Credentials;
use crate::engine::client::Outgoing;
use crate::engine::client::int;
use crate::engine::client::text;
use crate::engine::clock;
use crate::engine::commands::Goal;
use crate::engine::commands::Order;
use crate::engine::exchange::Exchange;
use crate::engine::exchange::Progress;
use crate::engine::identity::plain;
use crate::engine::receipt::Receipt;
use crate::engine::settings;
use crate::engine::value::Value;
use crate::engine::wait::Until;
use crate::engine::wait::Wait;
use crate::error::Error;
use crate::error::Kind;
use crate::proto::FinalResult;

/// `CMQTT err` 14: the client is busy, and 23: the service runs already, 19: the client is used (table of SIM7028, 4.2).
const BUSY: i64 = 14;
const RUNNING: i64 = 23;
const USED: i64 = 19;

/// How often a busy client is asked again: it is busy until a publish is acknowledged (FIELD F20).
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// Keep-alive where nobody asked for one; the command wants a value and the document names no default.
pub(crate) const KEEP_ALIVE_S: i64 = 120;
/// `pub_timeout` of AT+CMQTTPUB: the smallest it takes.
const PUB_TIMEOUT_S: i64 = 60;

/// The setting that says whether payloads must be UTF-8; it can be written without a connection only.
const UTF8_CHECK: &str = "checkUTF8";

impl Client {
    pub(crate) fn cmqtt_open(&self, host: &str, port: u16, tls: Option<u8>, wait: Wait<'_>) -> Result<(), Error> {
        let until = self.until("AT+CMQTTSTART", wait);
        // Checked now although it is sent with CONNECT: the caller is here now.
        let address = address_of(host, port);
        self.order("AT+CMQTTCONNECT", "write", &[text(&address), int(KEEP_ALIVE_S), int(0)], None)?;
        if let Some(context) = tls {
            self.order("AT+CMQTTSSLCFG", "write", &[int(context)], None)?;
        }
        let mut facts = self.slot().facts.lock();
        if facts.state == ClientState::Connected {
            return Err(Error::new(Kind::RequestFailed, format!("client {} is connected", self.index))
                .with_remedy("disconnect it first"));
        }
        facts.address = Some((host.to_owned(), port, tls));
        drop(facts);
        self.start_service(&until)?;
        let mut facts = self.slot().facts.lock();
        facts.state = ClientState::Open;
        facts.before = ClientState::Open;
        Ok(())
    }

    /// Starts the service; one that runs already is as good (FIELD F17).
    pub(crate) fn start_service(&self, until: &Until<'_>) -> Result<(), Error> {
        if self.slot().facts.lock().ours {
            return Ok(());
        }
        let order = Order::raw("AT+CMQTTSTART", None, crate::dialect::grammar::any())?;
        let exchange = self.port().execute(order, until, Goal::Complete)?;
        let error = match self.port().verdict(&exchange) {
            Some(error) if error.code == Some(RUNNING) => None,
            // ERROR alone: started already; a service that runs answers its read forms.
            Some(error) if error.kind == Kind::CommandRefused && self.service_runs(until)? => {
                log::debug!(target: "modemrig::engine", "{}: the service ran already: {error}", self.port().name);
                None
            }
            other => other,
        };
        self.slot().facts.lock().ours = error.is_none();
        error.map_or(Ok(()), Err)
    }

    fn service_runs(&self, until: &Until<'_>) -> Result<bool, Error> {
        let exchange = self.port().execute(plain("AT+CMQTTACCQ?"), until, Goal::Complete)?;
        let runs = matches!(exchange.record().final_result, Some((FinalResult::Ok, _)));
        Ok(runs)
    }

    pub(crate) fn cmqtt_connect(&self, credentials: &Credentials, wait: Wait<'_>) -> Result<(), Error> {
        if self.state() == ClientState::Connected {
            return Err(Error::new(Kind::RequestFailed, format!("client {} is connected", self.index))
                .with_remedy("disconnect it first"));
        }
        let until = self.until("AT+CMQTTCONNECT", wait);
        let (address, wishes, acquired) = {
            let facts = self.slot().facts.lock();
            (facts.address.clone(), facts.wishes.clone(), facts.acquired)
        };
        let Some((host, port, tls)) = address else {
            return Err(Error::new(Kind::RequestFailed, format!("client {} has no address", self.index))
                .with_remedy("open it first"));
        };
        let number = |name: &str, otherwise: i64| match wishes.get(name) {
            Some(Value::Int(number)) => *number,
            _ => otherwise,
        };
        let mut arguments = vec![
            text(&address_of(&host, port)),
            int(number("keepalive_time", KEEP_ALIVE_S)),
            int(number("clean_session", 0)),
        ];
        match (&credentials.username, &credentials.password) {
            (None, None) => {}
            (username, None) => arguments.push(text(username.as_deref().unwrap_or_default())),
            (username, Some(password)) => {
                arguments.push(text(username.as_deref().unwrap_or_default()));
                arguments.push(text(password));
            }
        }
        let connect = self.order("AT+CMQTTCONNECT", "write", &arguments, None)?;
        let acquire = self.order("AT+CMQTTACCQ", "write", &[text(&credentials.client_id), int(tls.is_some())], None)?;
        if acquired {
            self.release(&until)?;
        }
        self.acquire(acquire, &until)?;
        if let Some(context) = tls {
            let order = self.order("AT+CMQTTSSLCFG", "write", &[int(context)], None)?;
            self.accepted(order, &until)?;
        }
        self.apply_wishes(&wishes, &until)?;
        if !wishes.contains_key(UTF8_CHECK) {
            self.allow_any_bytes(&until)?;
        }
        let exchange = self.port().execute(connect, &until, Goal::Complete)?;
        self.port().verdict(&exchange).map_or(Ok(()), Err)
    }

    fn acquire(&self, order: Order, until: &Until<'_>) -> Result<(), Error> {
        let done = match self.accepted(order.clone(), until) {
            Err(error) if error.code == Some(USED) => {
                // A program before us left it: the module keeps its clients when only the host restarts (FIELD F17).
                let leave = self.order("AT+CMQTTDISC", "write", &[], None)?;
                let left = self.ended(leave, until);
                log::info!(target: "modemrig::engine", "{}: client {} was still acquired: {left:?}", self.port().name, self.index);
                self.release(until)?;
                self.accepted(order, until)
            }
            other => other,
        };
        done?;
        let mut facts = self.slot().facts.lock();
        facts.acquired = true;
        facts.state = ClientState::Open;
        facts.before = ClientState::Open;
        Ok(())
    }

    /// A payload may hold any bytes, unless whoever configures the client wants them checked.
    fn allow_any_bytes(&self, until: &Until<'_>) -> Result<(), Error> {
        match self.write_setting(UTF8_CHECK, &[Value::Int(0)], until) {
            Err(error) if error.kind == Kind::CommandRefused => {
                log::info!(target: "modemrig::engine", "{}: payloads of client {} must be UTF-8: {error}", self.port().name, self.index);
                Ok(())
            }
            other => other,
        }
    }

    fn apply_wishes(&self, wishes: &IndexMap<String, Value>, until: &Until<'_>) -> Result<(), Error> {
        for (name, value) in wishes {
            if name == "will" {
                self.write_will(value, until)?;
            } else if let Value::List(values) = value {
                self.write_setting(name, values, until)?;
            }
        }
        Ok(())
    }

    fn write_will(&self, will: &Value, until: &Until<'_>) -> Result<(), Error> {
        let Some((topic, payload, qos, _)) = settings::will_parts(will)? else { return Ok(()) };
        let order = self.typed("AT+CMQTTWILLTOPIC", topic.as_bytes(), &[])?;
        self.accepted(order, until)?;
        let order = self.typed("AT+CMQTTWILLMSG", &payload, &[int(qos)])?;
        self.accepted(order, until)
    }

    /// A will as it will be written, checked.
    pub(crate) fn checked_will(&self, will: &Value) -> Result<Value, Error> {
        if let Some((topic, payload, qos, retain)) = settings::will_parts(will)? {
            self.typed("AT+CMQTTWILLTOPIC", topic.as_bytes(), &[])?;
            self.typed("AT+CMQTTWILLMSG", &payload, &[int(qos)])?;
            if retain != 0 {
                return Err(crate::engine::orders::unsupported(self.dialect(), "a retained will"));
            }
        }
        Ok(will.clone())
    }

    /// Checks a parameter of AT+CMQTTCONNECT before it is kept.
    pub(crate) fn check_wish(&self, param: &str, value: &Value) -> Result<(), Error> {
        let number = match value {
            Value::Int(number) => *number,
            _ if param == "will" => return Ok(()),
            other => return Err(Error::new(Kind::BadValue, format!("{param} cannot be {other}; allowed: a number"))),
        };
        let keep_alive = if param == "keepalive_time" { number } else { KEEP_ALIVE_S };
        let clean = if param == "clean_session" { number } else { 0 };
        self.order("AT+CMQTTCONNECT", "write", &[text("tcp://host"), int(keep_alive), int(clean)], None).map(|_| ())
    }

    /// A command that asks for these bytes: their length stands behind the client's number.
    fn typed(&self, name: &str, bytes: &[u8], more: &[crate::dialect::Value]) -> Result<Order, Error> {
        let length = int(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        let arguments: Vec<_> = std::iter::once(length).chain(more.iter().cloned()).collect();
        self.order(name, "write", &arguments, Some(bytes))
    }

    /// Sends an order that ends with its final result; a failure is the error.
    pub(crate) fn accepted(&self, order: Order, until: &Until<'_>) -> Result<(), Error> {
        let exchange = self.port().execute(order, until, Goal::Complete)?;
        self.port().verdict(&exchange).map_or(Ok(()), Err)
    }

    pub(crate) fn cmqtt_subscribe(
        &self,
        topics: &[(String, i64)],
        wait: Wait<'_>,
    ) -> Result<Vec<(String, Option<u8>)>, Error> {
        let until = self.until("AT+CMQTTSUB", wait);
        let orders: Result<Vec<Order>, Error> =
            topics.iter().map(|(topic, qos)| self.typed("AT+CMQTTSUB", topic_bytes(topic)?, &[int(*qos)])).collect();
        for order in orders? {
            self.when_not_busy(&until, || self.late(order.clone(), &until).map(|_| ()))?;
        }
        // The module reports no granted QoS.
        Ok(topics.iter().map(|(topic, _)| (topic.clone(), None)).collect())
    }

    pub(crate) fn cmqtt_unsubscribe(&self, topics: &[String], wait: Wait<'_>) -> Result<(), Error> {
        let until = self.until("AT+CMQTTUNSUB", wait);
        let orders: Result<Vec<Order>, Error> =
            topics.iter().map(|topic| self.typed("AT+CMQTTUNSUB", topic_bytes(topic)?, &[int(0)])).collect();
        for order in orders? {
            self.when_not_busy(&until, || self.late(order.clone(), &until).map(|_| ()))?;
        }
        Ok(())
    }

    /// Whether a message could be published, without sending anything.
    pub(crate) fn cmqtt_check(&self, message: &Outgoing) -> Result<(), Error> {
        self.publish_orders(message).map(|_| ())
    }

    fn publish_orders(&self, message: &Outgoing) -> Result<Vec<Order>, Error> {
        let mut orders = vec![self.typed("AT+CMQTTTOPIC", topic_bytes(&message.topic)?, &[])?];
        // Without a payload the message is empty (decision 38).
        if !message.payload.is_empty() {
            orders.push(self.typed("AT+CMQTTPAYLOAD", &message.payload, &[])?);
        }
        let publish = [int(message.qos), int(PUB_TIMEOUT_S), int(message.retain)];
        orders.push(self.order("AT+CMQTTPUB", "write", &publish, None)?);
        Ok(orders)
    }

    /// Topic, payload and publish belong together: nobody else's command comes between them.
    pub(crate) fn cmqtt_publish(&self, message: &Outgoing, until: &Until<'_>) -> Result<Receipt, Error> {
        let orders = self.publish_orders(message)?;
        self.await_last_publish(until)?;
        let mut receipt = None;
        self.when_not_busy(until, || {
            let turn = self.port().begin("AT+CMQTTTOPIC", until)?;
            let mut last: Option<Arc<Exchange>> = None;
            for order in &orders {
                let exchange = self.port().execute_in_turn(order.clone(), until)?;
                let refused = {
                    let record = exchange.record();
                    record.is_cut_short()
                        || matches!(&record.final_result, Some((result, _)) if *result != FinalResult::Ok)
                };
                if refused && let Some(error) = self.port().verdict(&exchange) {
                    return Err(error);
                }
                last = Some(exchange);
            }
            drop(turn);
            receipt = last;
            Ok(())
        })?;
        let Some(exchange) = receipt else { return Err(Error::new(Kind::Internal, "a publish without commands")) };
        self.slot().facts.lock().publishing = Some(Arc::clone(&exchange));
        self.receipt(exchange, 0, until)
    }

    /// The family has no window: the next publish waits for the result of the last.
    fn await_last_publish(&self, until: &Until<'_>) -> Result<(), Error> {
        let Some(last) = self.slot().facts.lock().publishing.clone() else { return Ok(()) };
        let port = self.port();
        let ended = port.wait(until, |now| match last.progress(now) {
            Progress::Complete => Step::Done(()),
            Progress::Accepted => Step::NotYet(last.record().aftermath()),
            Progress::Pending(again) => Step::NotYet(again),
        })?;
        if ended.is_none() && !port.give_up_overdue(self.index, port.patience("AT+CMQTTPUB", Some(self.index))) {
            // Its result has no identifier: it would be taken for that of the next one.
            let error = Error::new(Kind::NoAnswer, "the last message was not acknowledged")
                .awaiting("the result of the publish before", until.waited(clock::now()))
                .with_remedy("look at the receipt of the earlier message");
            return Err(port.explain(error));
        }
        self.slot().facts.lock().publishing = None;
        Ok(())
    }

    /// Tries again while the module says that the client is busy.
    pub(crate) fn when_not_busy(
        &self,
        until: &Until<'_>,
        mut attempt: impl FnMut() -> Result<(), Error>,
    ) -> Result<(), Error> {
        loop {
            match attempt() {
                Err(error) if error.code == Some(BUSY) && !until.expired(clock::now()) => {
                    let pause = until.cut(clock::now() + BUSY_PAUSE);
                    self.port().wait(&pause, |_| Step::<()>::NotYet(None))?;
                }
                other => return other,
            }
        }
    }
}

/// `tcp://host:port`, also for TLS (decision 38).
fn address_of(host: &str, port: u16) -> String {
    format!("tcp://{host}:{port}")
}

/// The bytes typed as a topic. They could not become a command, but no topic may hold them (MQTT 3.1.1, 1.5.3 and 4.7.3).
fn topic_bytes(topic: &str) -> Result<&[u8], Error> {
    if topic.bytes().any(|byte| matches!(byte, 0 | b'\r' | b'\n' | 0x1a | 0x1b | b'"')) {
        return Err(Error::new(
            Kind::BadValue,
            format!("topic cannot be {topic:?}; allowed: text without quotation mark, CR, LF, NUL, Ctrl-Z or Esc"),
        ));
    }
    Ok(topic.as_bytes())
}
