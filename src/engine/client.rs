//! One of the clients inside a module; the same operations for every dialect.
//!
//! What the families do differently is in `qmt.rs` and `cmqtt.rs`, settings in `settings.rs`, publishing in `publish.rs`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use indexmap::IndexMap;

use crate::client::ClientState;
use crate::dialect;
use crate::dialect::Dialect;
use crate::dialect::grammar;
use crate::dialect::schema::Family;
use crate::engine::commands::Order;
use crate::engine::messages::ConnectionLost;
use crate::engine::messages::Received;
use crate::engine::modem::Modem;
use crate::engine::orders::bad_value;
use crate::engine::port::Port;
use crate::engine::slot::ClientSlot;
use crate::engine::value::Value;
use crate::engine::wait::Until;
use crate::engine::wait::Wait;
use crate::error::Error;
use crate::error::Kind;

/// A client inside the module; a cheap handle.
#[derive(Clone)]
pub struct Client {
    pub(crate) modem: Modem,
    pub(crate) index: u8,
}

/// Who connects.
#[derive(Clone, Default)]
pub struct Credentials {
    /// Client identifier.
    pub client_id: String,
    /// User name.
    pub username: Option<String>,
    /// Password; never shown.
    pub password: Option<String>,
}

/// A message to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Topic name.
    pub topic: String,
    /// Any bytes.
    pub payload: Vec<u8>,
    /// Quality of service.
    pub qos: i64,
    /// Kept by the broker.
    pub retain: bool,
}

/// Parameters of one setting by name; a value the module does not report is absent.
pub type Setting = IndexMap<String, Value>;

impl Client {
    /// Its number on the wire.
    pub fn index(&self) -> u8 {
        self.index
    }

    /// Where it stands, as far as the module's lines tell.
    pub fn state(&self) -> ClientState {
        self.slot().facts.lock().state
    }

    /// Opens the socket to the broker; with `tls`, through this TLS context. (SIMCom modules dial while connecting.)
    pub fn open(&self, host: &str, port: u16, tls: Option<u8>, wait: Wait<'_>) -> Result<(), Error> {
        match self.family() {
            Family::Qmt => self.qmt_open(host, port, tls, wait),
            Family::Cmqtt => self.cmqtt_open(host, port, tls, wait),
        }
    }

    /// Starts the MQTT session.
    pub fn connect(&self, credentials: &Credentials, wait: Wait<'_>) -> Result<(), Error> {
        self.slot().messages.clear();
        self.reconnect(credentials, wait)
    }

    /// The same; messages of the session before that nobody took yet stay.
    pub fn reconnect(&self, credentials: &Credentials, wait: Wait<'_>) -> Result<(), Error> {
        self.slot().stored.store(false, Ordering::Release);
        match self.family() {
            Family::Qmt => self.qmt_connect(credentials, wait),
            Family::Cmqtt => self.cmqtt_connect(credentials, wait),
        }
    }

    /// Subscribes; returns the granted QoS of each topic, 128 for a refused one; `None` where the module does not say.
    pub fn subscribe(&self, topics: &[(String, i64)], wait: Wait<'_>) -> Result<Vec<(String, Option<u8>)>, Error> {
        match self.family() {
            Family::Qmt => self.qmt_subscribe(topics, wait),
            Family::Cmqtt => self.cmqtt_subscribe(topics, wait),
        }
    }

    /// Unsubscribes.
    pub fn unsubscribe(&self, topics: &[String], wait: Wait<'_>) -> Result<(), Error> {
        match self.family() {
            Family::Qmt => self.qmt_unsubscribe(topics, wait),
            Family::Cmqtt => self.cmqtt_unsubscribe(topics, wait),
        }
    }

    /// Takes up to `most` messages; waits for the first; empty when the time is over. `ConnectionLost` once the queue is
    /// empty and the connection is gone. Messages in the module's own slots are fetched.
    pub fn take_messages(&self, most: usize, wait: Wait<'_>) -> Result<Vec<Received>, Error> {
        let until = wait.until_or_never();
        let (port, slot) = (self.port(), self.slot());
        loop {
            let taken = slot.messages.take(most, &until, || {
                port.has_ended() || slot.lost.load(Ordering::Acquire) || slot.stored.load(Ordering::Acquire)
            })?;
            if !taken.is_empty() {
                return Ok(taken.into());
            }
            port.still_open()?;
            if slot.stored.swap(false, Ordering::AcqRel) {
                self.fetch_stored(&until)?;
                continue;
            }
            let lost = slot.facts.lock().lost.clone();
            return match lost {
                Some(loss) => Err(port.explain(loss_error(&loss))),
                None => Ok(Vec::new()),
            };
        }
    }

    /// How many messages were dropped because nobody took them.
    pub fn dropped(&self) -> u64 {
        self.slot().messages.dropped()
    }

    /// Waits until the connection is lost; `None` when the time is over. Each loss is reported once.
    pub fn connection_lost(&self, wait: Wait<'_>) -> Result<Option<ConnectionLost>, Error> {
        let until = wait.until_or_never();
        let port = self.port();
        let mut taken = self.slot().losses.take(1, &until, || port.has_ended())?;
        if taken.is_empty() {
            port.still_open()?;
        }
        Ok(taken.pop_front())
    }

    /// Ends the MQTT session.
    pub fn disconnect(&self, wait: Wait<'_>) -> Result<(), Error> {
        match self.family() {
            Family::Qmt => self.qmt_disconnect(wait),
            Family::Cmqtt => self.cmqtt_disconnect(wait),
        }
    }

    /// Closes the socket; harmless where nothing is open. For SIMCom: releases the client and, with the last one, stops the service.
    pub fn close(&self, wait: Wait<'_>) -> Result<(), Error> {
        match self.family() {
            Family::Qmt => self.qmt_close(wait),
            Family::Cmqtt => self.cmqtt_close(wait),
        }
    }

    // ---- what the other files of this type use ----

    pub(crate) fn port(&self) -> &Arc<Port> {
        self.modem.shared()
    }

    pub(crate) fn dialect(&self) -> &'static Dialect {
        self.modem.dialect
    }

    pub(crate) fn family(&self) -> Family {
        self.modem.dialect.family
    }

    pub(crate) fn slot(&self) -> &ClientSlot {
        // `Modem::client` refuses an index beyond the dialect's clients, and no dialect has more than CLIENTS.
        &self.port().clients[usize::from(self.index) % crate::engine::port::CLIENTS]
    }

    /// How long to wait for this command.
    pub(crate) fn until<'a>(&self, name: &str, wait: Wait<'a>) -> Until<'a> {
        wait.until(self.port().patience(name, Some(self.index)))
    }

    /// A checked command line of ours; the client's number comes first, the rest as given.
    pub(crate) fn order(
        &self,
        name: &str,
        variant: &str,
        arguments: &[dialect::Value],
        payload: Option<&[u8]>,
    ) -> Result<Order, Error> {
        let mut all = vec![dialect::Value::Int(self.index.into())];
        all.extend_from_slice(arguments);
        let line = dialect::check(self.dialect(), name, variant, &all).map_err(|error| bad_value(&error))?;
        Order::of_line(line, payload, grammar::any())
    }
}

/// A lost connection as an error.
pub(crate) fn loss_error(loss: &ConnectionLost) -> Error {
    let code = loss.code.map(|code| format!(": {}, code {code}", loss.reported));
    let why = code.unwrap_or_else(|| format!(": {}", loss.reported));
    let mut error = Error::new(Kind::ConnectionLost, format!("client {} lost its connection{why}", loss.client));
    if let Some(code) = loss.code {
        error = error.with_code(code.into());
    }
    if let Some(meaning) = &loss.meaning {
        error = error.with_meaning(meaning);
    }
    match &loss.remedy {
        Some(remedy) => error.with_remedy(remedy),
        None => error,
    }
}

/// A text as a value of the catalogue.
pub(crate) fn text(text: &str) -> dialect::Value {
    dialect::Value::from(text)
}

/// A number as a value of the catalogue.
pub(crate) fn int(number: impl Into<i64>) -> dialect::Value {
    dialect::Value::Int(number.into())
}
