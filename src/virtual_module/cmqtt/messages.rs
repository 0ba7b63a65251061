//! What is typed at the prompt, published, subscribed to, and received.

use std::time::Duration;

use crate::dialect::Matched;
use crate::mqtt::ClientEvent;
use crate::mqtt::ClientSession;
use crate::mqtt::IncomingMessage;
use crate::mqtt::Qos;
use crate::mqtt::RequestKind;
use crate::mqtt::Will;
use crate::proto::PayloadEnd;
use crate::virtual_module::cmqtt::CLIENT;
use crate::virtual_module::cmqtt::Cmqtt;
use crate::virtual_module::cmqtt::err;
use crate::virtual_module::device::Answer;
use crate::virtual_module::device::Asks;
use crate::virtual_module::device::Device;
use crate::virtual_module::device::Refusal;
use crate::virtual_module::device::Typed;

const PUBLISH: &str = "AT+CMQTTPUB";
const SUBSCRIBE: &str = "AT+CMQTTSUB";
const UNSUBSCRIBE: &str = "AT+CMQTTUNSUB";

/// Longest part of a payload in one +CMQTTRXPAYLOAD (decision 38).
const PART: usize = 1500;

/// What was typed and waits to be used.
#[derive(Debug, Default)]
pub(super) struct Staged {
    will_topic: Option<String>,
    will_message: Option<(Vec<u8>, Qos)>,
    topic: Option<String>,
    payload: Option<Vec<u8>>,
    /// AT+CMQTTSUBTOPIC
    subscribe: Option<(String, Qos)>,
    /// AT+CMQTTUNSUBTOPIC
    pub(super) unsubscribe: Option<String>,
}

impl Staged {
    /// A will needs both topic and message.
    pub(super) fn will(&self) -> Option<Will> {
        let (topic, (payload, qos)) = (self.will_topic.clone()?, self.will_message.clone()?);
        Some(Will { topic, payload, qos, retain: false })
    }
}

/// What is being typed: the command, and the quality it named.
#[derive(Debug)]
pub(super) struct Typing {
    command: String,
    qos: Qos,
}

impl Cmqtt {
    /// Asks for the announced number of bytes.
    pub(super) fn ask(&mut self, call: &Matched<'_>) -> Answer {
        let length = call.variant.payload_length.as_deref().and_then(|name| call.int(name));
        let Some(length) = length.and_then(|length| usize::try_from(length).ok()) else {
            return Answer::Refused(Refusal::Parameter);
        };
        let qos = call.int("qos").and_then(|qos| Qos::from_byte(qos as u8)).unwrap_or(Qos::AtMostOnce);
        self.typing = Some(Typing { command: call.command_name.to_owned(), qos });
        Answer::Typed(Typed { end: PayloadEnd::Counted(length), echo: false, timeout: None, asks: Asks::Prompt })
    }

    /// The bytes are there.
    pub(super) fn take(&mut self, device: &mut Device, typing: Typing, bytes: Vec<u8>) -> Answer {
        let Typing { command, qos } = typing;
        let checked = self.client.as_ref().is_none_or(|client| client.check_utf8);
        let text = String::from_utf8(bytes);
        let is_message = matches!(command.as_str(), "AT+CMQTTPAYLOAD" | "AT+CMQTTWILLMSG");
        let text = match text {
            Ok(text) => text,
            Err(not_text) if is_message && !checked => {
                self.store_message(&command, not_text.into_bytes(), qos);
                return Answer::Done;
            }
            // MQTT itself knows no topic that is not UTF-8, whatever the setting says.
            Err(_) => return self.refuse(device, &command, err::NOT_UTF8),
        };
        match command.as_str() {
            "AT+CMQTTWILLTOPIC" => self.staged.will_topic = Some(text),
            "AT+CMQTTTOPIC" => self.staged.topic = Some(text),
            "AT+CMQTTSUBTOPIC" => self.staged.subscribe = Some((text, qos)),
            "AT+CMQTTUNSUBTOPIC" => self.staged.unsubscribe = Some(text),
            SUBSCRIBE => return self.subscribe(device, text, qos),
            UNSUBSCRIBE => return self.unsubscribe(device, text),
            _ => self.store_message(&command, text.into_bytes(), qos),
        }
        Answer::Done
    }

    fn store_message(&mut self, command: &str, bytes: Vec<u8>, qos: Qos) {
        match command {
            "AT+CMQTTWILLMSG" => self.staged.will_message = Some((bytes, qos)),
            _ => self.staged.payload = Some(bytes),
        }
    }

    /// Topic and payload are used up, whatever becomes of them (3.2.12). Without a payload the message is empty.
    pub(super) fn publish(&mut self, device: &mut Device, call: &Matched<'_>) -> Answer {
        if self.pending.is_some() {
            return self.refuse(device, PUBLISH, err::BUSY);
        }
        let (topic, payload) = (self.staged.topic.take(), self.staged.payload.take().unwrap_or_default());
        let Some(topic) = topic else { return self.refuse(device, PUBLISH, err::TOPIC_EMPTY) };
        let qos = call.int("qos").and_then(|qos| Qos::from_byte(qos as u8)).unwrap_or(Qos::AtMostOnce);
        let retain = call.int("retained") == Some(1);
        let timeout = device.speed.seconds(call.int("pub_timeout").unwrap_or(60).unsigned_abs());
        let now = device.now;
        let Some(session) = device.links.session(CLIENT) else {
            return self.refuse(device, PUBLISH, err::NO_CONNECTION);
        };
        wait_for(session, timeout);
        if session.publish(None, qos, retain, &topic, &payload, now).is_err() {
            return self.refuse(device, PUBLISH, err::FAILED);
        }
        self.pending = Some(PUBLISH);
        Answer::Accepted
    }

    fn subscribe(&mut self, device: &mut Device, topic: String, qos: Qos) -> Answer {
        if self.pending.is_some() {
            return self.refuse(device, SUBSCRIBE, err::BUSY);
        }
        let now = device.now;
        let patience = self.patience(device);
        let asked = device.links.session(CLIENT).map(|session| {
            wait_for(session, patience);
            session.subscribe(None, vec![(topic.clone(), qos)], now)
        });
        self.asked(device, SUBSCRIBE, topic, asked.is_some_and(|outcome| outcome.is_ok()))
    }

    fn unsubscribe(&mut self, device: &mut Device, topic: String) -> Answer {
        if self.pending.is_some() {
            return self.refuse(device, UNSUBSCRIBE, err::BUSY);
        }
        let now = device.now;
        let patience = self.patience(device);
        let asked = device.links.session(CLIENT).map(|session| {
            wait_for(session, patience);
            session.unsubscribe(None, vec![topic.clone()], now)
        });
        self.asked(device, UNSUBSCRIBE, topic, asked.is_some_and(|outcome| outcome.is_ok()))
    }

    /// How long the answer to a request may take (`optimeout`).
    fn patience(&self, device: &Device) -> Duration {
        device.speed.seconds(self.client.as_ref().map_or(120, |client| client.optimeout))
    }

    fn asked(&mut self, device: &mut Device, command: &'static str, topic: String, sent: bool) -> Answer {
        if !sent {
            return self.refuse(device, command, err::FAILED);
        }
        self.pending = Some(command);
        self.asked_topic = Some(topic);
        Answer::Accepted
    }

    /// `AT+CMQTTSUB=0`: what AT+CMQTTSUBTOPIC staged; nothing staged, nothing is sent (decision 8).
    pub(super) fn subscribe_staged(&mut self, device: &mut Device) -> Answer {
        match self.staged.subscribe.take() {
            Some((topic, qos)) => self.subscribe(device, topic, qos),
            None => {
                self.result(device, SUBSCRIBE, err::OK);
                Answer::Accepted
            }
        }
    }

    /// `AT+CMQTTUNSUB=0,<dup>` while a topic is staged (decision 8).
    pub(super) fn unsubscribe_staged(&mut self, device: &mut Device, call: &Matched<'_>) -> Answer {
        let second = call.values.get(1).and_then(|(name, _)| call.int(name));
        if !matches!(second, Some(0 | 1)) {
            return Answer::Refused(Refusal::Parameter);
        }
        match self.staged.unsubscribe.take() {
            Some(topic) => self.unsubscribe(device, topic),
            None => Answer::Refused(Refusal::State),
        }
    }

    /// What the broker says to a request, and what it sends.
    pub(super) fn answered(&mut self, device: &mut Device, event: ClientEvent) {
        match event {
            ClientEvent::Message(message) => self.received(device, &message),
            ClientEvent::Published { .. } if self.pending == Some(PUBLISH) => self.done(device, err::OK),
            ClientEvent::Suback { codes, .. } if self.pending == Some(SUBSCRIBE) => {
                let refused = codes.iter().any(|code| *code >= 0x80);
                if let (false, Some(topic)) = (refused, self.asked_topic.clone()) {
                    self.subscriptions.retain(|known| *known != topic);
                    self.subscriptions.push(topic);
                }
                self.done(device, if refused { err::FAILED } else { err::OK });
            }
            ClientEvent::Unsuback { .. } if self.pending == Some(UNSUBSCRIBE) => {
                let topic = self.asked_topic.clone();
                self.subscriptions.retain(|known| Some(known) != topic.as_ref());
                self.done(device, err::OK);
            }
            ClientEvent::GaveUp { kind, .. } => {
                let command = match kind {
                    RequestKind::Publish => PUBLISH,
                    RequestKind::Subscribe => SUBSCRIBE,
                    RequestKind::Unsubscribe => UNSUBSCRIBE,
                };
                if self.pending == Some(command) {
                    self.done(device, err::TIMED_OUT);
                }
            }
            // Answers to what a stored session resumed; the host has long had its result.
            _ => {}
        }
    }

    fn done(&mut self, device: &mut Device, code: i32) {
        self.asked_topic = None;
        if let Some(command) = self.pending.take() {
            self.result(device, command, code);
        }
    }

    /// The block of lines first, then the acknowledgement.
    fn received(&mut self, device: &mut Device, message: &IncomingMessage) {
        let now = device.now;
        device.replies.urc_raw(block(message), now);
        if let Some(session) = device.links.session(CLIENT) {
            session.acknowledge(message, now);
        }
    }
}

/// Sets how long an answer to the next request may take: a publish has a time of its own.
fn wait_for(session: &mut ClientSession, timeout: Duration) {
    let mut options = session.options().clone();
    options.packet_timeout = timeout;
    session.set_options(options);
}

/// `+CMQTTRXSTART`, the topic whole, the payload in parts, `+CMQTTRXEND`; an empty payload has no part (decision 38).
fn block(message: &IncomingMessage) -> Vec<u8> {
    let (topic, payload) = (message.topic.as_bytes(), message.payload.as_slice());
    let mut bytes = format!("\r\n+CMQTTRXSTART: {CLIENT},{},{}\r\n", topic.len(), payload.len()).into_bytes();
    let mut part = |name: &str, content: &[u8]| {
        bytes.extend(format!("{name}: {CLIENT},{}\r\n", content.len()).into_bytes());
        bytes.extend_from_slice(content);
        bytes.extend_from_slice(b"\r\n");
    };
    part("+CMQTTRXTOPIC", topic);
    payload.chunks(PART).for_each(|content| part("+CMQTTRXPAYLOAD", content));
    bytes.extend(format!("+CMQTTRXEND: {CLIENT}\r\n").into_bytes());
    bytes
}
