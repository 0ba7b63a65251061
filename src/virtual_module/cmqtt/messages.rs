//! What is typed at the prompt, published, subscribed to, and received.

use std::time::Duration;
use std::time::Instant;

use crate::dialect::Matched;
use crate::mqtt::ClientEvent;
use crate::mqtt::ClientSession;
use crate::mqtt::IncomingMessage;
use crate::mqtt::Publish;
use crate::mqtt::Qos;
use crate::mqtt::Refused;
use crate::mqtt::RequestKind;
use crate::mqtt::Will;
use crate::proto::PayloadEnd;
use crate::virtual_module::cmqtt::PUBLISH;
use crate::virtual_module::cmqtt::SUBSCRIBE;
use crate::virtual_module::cmqtt::UNSUBSCRIBE;
use crate::virtual_module::cmqtt::client::Client;
use crate::virtual_module::cmqtt::client::Pending;
use crate::virtual_module::cmqtt::err;
use crate::virtual_module::device::Answer;
use crate::virtual_module::device::Asks;
use crate::virtual_module::device::Device;
use crate::virtual_module::device::Refusal;
use crate::virtual_module::device::Typed;

/// Longest part of a payload in one +CMQTTRXPAYLOAD, where the document has no maximum (decision 38).
const PART: i64 = 1500;

/// What was typed and waits to be used.
#[derive(Debug, Default)]
pub(super) struct Staged {
    will_topic: Option<String>,
    will_message: Option<(Vec<u8>, Qos)>,
    topic: Option<String>,
    payload: Option<Vec<u8>>,
    /// AT+CMQTTSUBTOPIC; several are subscribed to at once.
    subscribe: Vec<(String, Qos)>,
    /// AT+CMQTTUNSUBTOPIC
    unsubscribe: Vec<String>,
}

impl Staged {
    /// A will needs both topic and message.
    pub(super) fn will(&self) -> Option<Will> {
        let (topic, (payload, qos)) = (self.will_topic.clone()?, self.will_message.clone()?);
        Some(Will { topic, payload, qos, retain: false })
    }

    /// Whether this AT+CMQTTUNSUB means the staged topic, not a length (decision 8).
    pub(super) fn names_unsubscribe(&self, call: &Matched<'_>) -> bool {
        !self.unsubscribe.is_empty() && call.values.len() <= 2
    }

    /// What a command uses up is forgotten with it, successful or not (3.2.10 to 3.2.14).
    fn used_by(&mut self, call: &Matched<'_>) {
        match call.command_name {
            PUBLISH => (self.topic, self.payload) = (None, None),
            SUBSCRIBE if call.variant_name == "staged" => self.subscribe.clear(),
            UNSUBSCRIBE if self.names_unsubscribe(call) => self.unsubscribe.clear(),
            _ => {}
        }
    }
}

/// What is being typed: the command, and the quality it named.
#[derive(Debug)]
pub(super) struct Typing {
    pub(super) command: String,
    qos: Qos,
    /// A message whose payload it is; its topic stood in the command.
    message: Option<Publish>,
}

impl Client {
    /// Asks for the announced number of bytes.
    pub(super) fn ask(&mut self, call: &Matched<'_>) -> Answer {
        let length = call.variant.payload_length.as_deref().and_then(|name| call.int(name));
        let Some(length) = length.and_then(|length| usize::try_from(length).ok()) else {
            return Answer::Refused(Refusal::Parameter);
        };
        let message = (call.command_name == PUBLISH).then(|| topic_of(call)).flatten().map(|topic| Publish {
            dup: call.int("dup") == Some(1),
            qos: quality(call),
            retain: call.int("retained") == Some(1),
            topic,
            id: None,
            payload: Vec::new(),
        });
        self.typing = Some(Typing { command: call.command_name.to_owned(), qos: quality(call), message });
        Answer::Typed(Typed { end: PayloadEnd::Counted(length), echo: false, timeout: None, asks: Asks::Prompt })
    }

    /// The bytes are there.
    pub(super) fn take(&mut self, device: &mut Device, typing: Typing, bytes: Vec<u8>) -> Answer {
        let Typing { command, qos, message } = typing;
        if let Some(message) = message {
            let patience = self.patience(device);
            return self.request(device, PUBLISH, Vec::new(), patience, |session, now| {
                session.publish_packet(Publish { payload: bytes, ..message }, now)
            });
        }
        let checked = self.held.as_ref().is_none_or(|held| held.check_utf8);
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
            "AT+CMQTTSUBTOPIC" => {
                self.staged.subscribe.retain(|(staged, _)| *staged != text);
                self.staged.subscribe.push((text, qos));
            }
            "AT+CMQTTUNSUBTOPIC" => {
                self.staged.unsubscribe.retain(|staged| *staged != text);
                self.staged.unsubscribe.push(text);
            }
            SUBSCRIBE => return self.subscribe(device, vec![(text, qos)]),
            UNSUBSCRIBE if device.quirks.has("nothing_forgotten") => {
                if self.staged.unsubscribe.is_empty() {
                    self.staged.unsubscribe.push(text);
                }
                return self.unsubscribe(device, self.staged.unsubscribe.clone());
            }
            UNSUBSCRIBE => return self.unsubscribe(device, vec![text]),
            _ => self.store_message(&command, text.into_bytes(), qos),
        }
        Answer::Done
    }

    /// What a command uses up is forgotten, whatever becomes of it.
    pub(super) fn use_up(&mut self, device: &Device, call: &Matched<'_>) {
        if !device.quirks.has("nothing_forgotten") {
            self.staged.used_by(call);
        }
    }

    fn store_message(&mut self, command: &str, bytes: Vec<u8>, qos: Qos) {
        match command {
            "AT+CMQTTWILLMSG" => self.staged.will_message = Some((bytes, qos)),
            _ => self.staged.payload = Some(bytes),
        }
    }

    /// Topic and payload are used up, whatever becomes of them (3.2.12). Without a payload the message is empty.
    pub(super) fn publish(&mut self, device: &mut Device, call: &Matched<'_>) -> Answer {
        let (topic, payload) = (self.staged.topic.clone(), self.staged.payload.clone().unwrap_or_default());
        self.use_up(device, call);
        if self.pending.is_some() {
            return self.refuse(device, PUBLISH, err::BUSY);
        }
        let Some(topic) = topic else { return self.refuse(device, PUBLISH, err::TOPIC_EMPTY) };
        let qos = quality(call);
        let flag = |name: &str| call.int(name) == Some(1);
        let message = Publish { dup: flag("dup"), qos, retain: flag("retained"), topic, id: None, payload };
        let patience = device.timer(call.int("pub_timeout").unwrap_or(60).unsigned_abs());
        self.request(device, PUBLISH, Vec::new(), patience, |session, now| session.publish_packet(message, now))
    }

    // `dup` of AT+CMQTTSUB and AT+CMQTTUNSUB goes nowhere: MQTT 3.1.1 forbids the flag there (§3.8.1, §3.10.1).

    fn subscribe(&mut self, device: &mut Device, filters: Vec<(String, Qos)>) -> Answer {
        let (patience, topics) = (self.patience(device), filters.iter().map(|(topic, _)| topic.clone()).collect());
        self.request(device, SUBSCRIBE, topics, patience, |session, now| session.subscribe(None, filters, now))
    }

    fn unsubscribe(&mut self, device: &mut Device, topics: Vec<String>) -> Answer {
        let (patience, filters) = (self.patience(device), topics.clone());
        self.request(device, UNSUBSCRIBE, topics, patience, |session, now| session.unsubscribe(None, filters, now))
    }

    /// The topic stands in the command itself (`argtopic` of the A76xx).
    pub(super) fn subscribe_named(&mut self, device: &mut Device, call: &Matched<'_>) -> Answer {
        match topic_of(call) {
            Some(topic) => self.subscribe(device, vec![(topic, quality(call))]),
            None => self.refuse(device, SUBSCRIBE, err::NOT_UTF8),
        }
    }

    pub(super) fn unsubscribe_named(&mut self, device: &mut Device, call: &Matched<'_>) -> Answer {
        match topic_of(call) {
            Some(topic) => self.unsubscribe(device, vec![topic]),
            None => self.refuse(device, UNSUBSCRIBE, err::NOT_UTF8),
        }
    }

    /// One at a time; the answer may take as long as `patience`.
    fn request(
        &mut self,
        device: &mut Device,
        command: &'static str,
        topics: Vec<String>,
        patience: Duration,
        send: impl FnOnce(&mut ClientSession, Instant) -> Result<u16, Refused>,
    ) -> Answer {
        if self.pending.is_some() {
            return self.refuse(device, command, err::BUSY);
        }
        let now = device.now;
        let sent = device.links.session(self.index).map_or(Err(Refused::NotConnected), |session| {
            let mut options = session.options().clone();
            options.packet_timeout = patience;
            session.set_options(options);
            send(session, now)
        });
        let code = match sent {
            Ok(id) => {
                self.pending = Some(Pending { command, id, topics });
                return Answer::Accepted;
            }
            Err(Refused::InvalidTopic(_)) => err::PARAMETER,
            Err(Refused::NotConnected) => err::NO_CONNECTION,
            Err(_) => err::FAILED,
        };
        self.refuse(device, command, code)
    }

    /// How long the answer to a request may take (`optimeout`).
    fn patience(&self, device: &Device) -> Duration {
        device.timer(self.held.as_ref().map_or(120, |held| held.optimeout))
    }

    /// `AT+CMQTTSUB=0`: what AT+CMQTTSUBTOPIC staged; nothing staged, nothing is sent (decision 8).
    pub(super) fn subscribe_staged(&mut self, device: &mut Device, call: &Matched<'_>) -> Answer {
        let staged = self.staged.subscribe.clone();
        self.use_up(device, call);
        if staged.is_empty() {
            self.result(device, SUBSCRIBE, err::OK);
            return Answer::Accepted;
        }
        self.subscribe(device, staged)
    }

    /// `AT+CMQTTUNSUB=0,<dup>` while a topic is staged (decision 8).
    pub(super) fn unsubscribe_staged(&mut self, device: &mut Device, call: &Matched<'_>) -> Answer {
        let second = call.values.get(1).map(|(name, _)| call.int(name));
        if !matches!(second, None | Some(Some(0 | 1))) {
            return Answer::Refused(Refusal::Parameter);
        }
        let staged = self.staged.unsubscribe.clone();
        self.use_up(device, call);
        self.unsubscribe(device, staged)
    }

    /// What the broker says to a request, and what it sends.
    pub(super) fn answered(&mut self, device: &mut Device, event: ClientEvent) {
        match event {
            ClientEvent::Message(message) => self.received(device, &message),
            ClientEvent::Published { id, .. } => self.done(device, PUBLISH, id, err::OK),
            ClientEvent::Suback { id, codes } => {
                let refused = codes.iter().any(|code| *code >= 0x80);
                self.done(device, SUBSCRIBE, id, if refused { err::FAILED } else { err::OK });
            }
            ClientEvent::Unsuback { id } => self.done(device, UNSUBSCRIBE, id, err::OK),
            ClientEvent::GaveUp { kind, id } => {
                let command = match kind {
                    RequestKind::Publish => PUBLISH,
                    RequestKind::Subscribe => SUBSCRIBE,
                    RequestKind::Unsubscribe => UNSUBSCRIBE,
                };
                self.done(device, command, id, err::TIMED_OUT);
            }
            _ => {}
        }
    }

    /// A request is answered, or has not been in time. What a stored session took up again is not the pending one: the
    /// host has long had its result.
    fn done(&mut self, device: &mut Device, command: &'static str, id: u16, code: i32) {
        let Some(pending) = self.pending.take_if(|pending| pending.command == command && pending.id == id) else {
            return;
        };
        if code == err::OK {
            self.subscriptions.retain(|known| !pending.topics.contains(known));
            if command == SUBSCRIBE {
                self.subscriptions.extend(pending.topics);
            }
        }
        self.result(device, command, code);
        if code != err::OK && command != UNSUBSCRIBE && device.quirks.has("lost_after_failure") {
            self.lost_by_policy(device);
        }
    }

    /// The block of lines first, then the acknowledgement. A message beyond what the URCs can say is dropped, and
    /// acknowledged all the same: else the broker would bring it again with every connection.
    fn received(&mut self, device: &mut Device, message: &IncomingMessage) {
        let now = device.now;
        let (topic, payload) = (message.topic.len(), message.payload.len());
        if fits(device, "topic_total_len", topic) && fits(device, "payload_total_len", payload) {
            let block = block(device, self, message);
            device.replies.urc_raw(block, now);
        } else {
            log::warn!(target: "modemrig::virtual_module", "a message of {payload} bytes, topic of {topic}, is dropped: too long");
        }
        device.links.acknowledge(self.index, message, now);
    }
}

fn quality(call: &Matched<'_>) -> Qos {
    call.int("qos").and_then(|qos| Qos::from_byte(qos as u8)).unwrap_or(Qos::AtMostOnce)
}

fn topic_of(call: &Matched<'_>) -> Option<String> {
    String::from_utf8(call.text("topic")?.to_vec()).ok()
}

/// Whether +CMQTTRXSTART can say this length.
fn fits(device: &Device, param: &str, length: usize) -> bool {
    most(device, "+CMQTTRXSTART", param).is_none_or(|most| length as i64 <= most)
}

/// The largest value of a parameter of a URC.
fn most(device: &Device, urc: &str, param: &str) -> Option<i64> {
    device.dialect.urcs.get(urc)?.params.get(param)?.max
}

/// A received message as this client shows it.
fn block(device: &Device, client: &Client, message: &IncomingMessage) -> Vec<u8> {
    let (index, topic, payload) = (client.index, message.topic.as_bytes(), message.payload.as_slice());
    if let Some(length) = client.held.as_ref().and_then(|held| held.one_line) {
        let length = if length { format!("{},", payload.len()) } else { String::new() };
        let head = format!("\r\n+CMQTTRECV: {index},\"{}\",{length}\"", message.topic);
        return [head.as_bytes(), payload, b"\"\r\n"].concat();
    }
    parts(device, index, topic, payload)
}

/// `+CMQTTRXSTART`, the topic whole, the payload in parts, `+CMQTTRXEND`; an empty payload has no part (decision 38).
fn parts(device: &Device, index: u8, topic: &[u8], payload: &[u8]) -> Vec<u8> {
    let before = if device.quirks.has("rx_back_to_back") { "" } else { "\r\n" };
    let between = if device.quirks.has("rx_blank_lines") { "\r\n" } else { "" };
    let mut bytes = format!("{before}+CMQTTRXSTART: {index},{},{}\r\n", topic.len(), payload.len()).into_bytes();
    let mut part = |name: &str, content: &[u8]| {
        bytes.extend(format!("{between}{name}: {index},{}\r\n", content.len()).into_bytes());
        bytes.extend_from_slice(content);
        bytes.extend_from_slice(b"\r\n");
    };
    part("+CMQTTRXTOPIC", topic);
    let longest = most(device, "+CMQTTRXPAYLOAD", "sub_payload_len").unwrap_or(PART);
    let longest = device.quirks.number("rx_part", "bytes").unwrap_or(longest).max(1);
    payload.chunks(longest.unsigned_abs() as usize).for_each(|content| part("+CMQTTRXPAYLOAD", content));
    bytes.extend(format!("{between}+CMQTTRXEND: {index}\r\n").into_bytes());
    bytes
}
