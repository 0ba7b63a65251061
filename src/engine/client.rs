//! One of the clients inside a module; the same operations for every dialect.

use indexmap::IndexMap;

use crate::client::ClientState;
use crate::engine::messages::ConnectionLost;
use crate::engine::messages::Received;
use crate::engine::receipt::Receipt;
use crate::engine::value::Value;
use crate::engine::wait::Wait;
use crate::error::Error;

/// A client inside the module; a cheap handle.
#[derive(Clone)]
pub struct Client {}

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
    pub qos: u8,
    /// Kept by the broker.
    pub retain: bool,
}

/// Parameters of one setting by name; a value the module does not report is absent.
pub type Setting = IndexMap<String, Value>;

impl Client {
    /// Its number on the wire.
    pub fn index(&self) -> u8 {
        todo!("clients")
    }

    /// Where it stands, as far as the module's lines tell.
    pub fn state(&self) -> ClientState {
        todo!("clients")
    }

    /// Writes settings: by key (`timeout = (5, 3, 0)`), by documented parameter (`pkt_timeout = 5`) or by friendly name
    /// (`keepalive_s`, `version = "3.1.1"`, `clean_session`, `packet_timeout_s`, `will = (topic, payload, qos, retain)`).
    /// All are checked before the first is written. Settings of an SIMCom client that are parameters of later commands are kept.
    pub fn configure(&self, settings: &[(String, Value)], wait: Wait<'_>) -> Result<(), Error> {
        let _ = (settings, wait);
        todo!("settings")
    }

    /// Every setting the module can be asked for, by documented key.
    pub fn settings(&self, wait: Wait<'_>) -> Result<IndexMap<String, Setting>, Error> {
        let _ = wait;
        todo!("settings")
    }

    /// One setting by key, or one value by parameter or friendly name (a `Setting` with one entry).
    pub fn setting(&self, name: &str, wait: Wait<'_>) -> Result<Setting, Error> {
        let _ = (name, wait);
        todo!("settings")
    }

    /// Opens the socket to the broker; with `tls`, through this TLS context. (SIMCom modules dial while connecting.)
    pub fn open(&self, host: &str, port: u16, tls: Option<u8>, wait: Wait<'_>) -> Result<(), Error> {
        let _ = (host, port, tls, wait);
        todo!("clients")
    }

    /// Starts the MQTT session.
    pub fn connect(&self, credentials: &Credentials, wait: Wait<'_>) -> Result<(), Error> {
        let _ = (credentials, wait);
        todo!("clients")
    }

    /// Subscribes; returns the granted QoS of each topic, 128 for a refused one; `None` where the module does not say.
    pub fn subscribe(&self, topics: &[(String, u8)], wait: Wait<'_>) -> Result<Vec<(String, Option<u8>)>, Error> {
        let _ = (topics, wait);
        todo!("clients")
    }

    /// Unsubscribes.
    pub fn unsubscribe(&self, topics: &[String], wait: Wait<'_>) -> Result<(), Error> {
        let _ = (topics, wait);
        todo!("clients")
    }

    /// Hands one message to the module and returns without waiting for the broker; waits for room in the window of five.
    pub fn publish(&self, message: &Outgoing, wait: Wait<'_>) -> Result<Receipt, Error> {
        let _ = (message, wait);
        todo!("publish")
    }

    /// A whole batch in one call, the window always full. With `Ok`, one receipt for each message, in order; the call
    /// returns when the last was handed over.
    pub fn publish_many(&self, messages: &[Outgoing], wait: Wait<'_>) -> Result<Vec<Receipt>, Error> {
        let _ = (messages, wait);
        todo!("publish")
    }

    /// Takes up to `most` messages; waits for the first; empty when the time is over. `ConnectionLost` once the queue is
    /// empty and the connection is gone.
    pub fn take_messages(&self, most: usize, wait: Wait<'_>) -> Result<Vec<Received>, Error> {
        let _ = (most, wait);
        todo!("messages")
    }

    /// How many messages were dropped because nobody took them.
    pub fn dropped(&self) -> u64 {
        todo!("messages")
    }

    /// Waits until the connection is lost; `None` when the time is over. Each loss is reported once.
    pub fn connection_lost(&self, wait: Wait<'_>) -> Result<Option<ConnectionLost>, Error> {
        let _ = wait;
        todo!("messages")
    }

    /// Ends the MQTT session.
    pub fn disconnect(&self, wait: Wait<'_>) -> Result<(), Error> {
        let _ = wait;
        todo!("clients")
    }

    /// Closes the socket; harmless where nothing is open. For SIMCom: releases the client and, with the last one, stops the service.
    pub fn close(&self, wait: Wait<'_>) -> Result<(), Error> {
        let _ = wait;
        todo!("clients")
    }
}
