//! What is typed at the prompt; publishing, subscribing and unsubscribing; and what the broker answers to it.

use std::time::Duration;

use crate::dialect::Matched;
use crate::dialect::Value;
use crate::mqtt::ClientEvent;
use crate::mqtt::Qos;
use crate::mqtt::Refused;
use crate::mqtt::RequestKind;
use crate::mqtt::valid_topic;
use crate::proto::PayloadEnd;
use crate::proto::hex::from_hex;
use crate::virtual_module::device::Answer;
use crate::virtual_module::device::Asks;
use crate::virtual_module::device::Device;
use crate::virtual_module::device::Refusal;
use crate::virtual_module::device::Typed;
use crate::virtual_module::network::LostBy;
use crate::virtual_module::qmt::CFG;
use crate::virtual_module::qmt::Client;
use crate::virtual_module::qmt::Qmt;
use crate::virtual_module::qmt::first_of;
use crate::virtual_module::qmt::later::Later;
use crate::virtual_module::qmt::later::span_of;
use crate::virtual_module::qmt::say;
use crate::virtual_module::qmt::setting_int;

/// What is being typed, and what becomes of it.
pub(super) enum Typing {
    /// The payload of a message.
    Message { client: u8, msgid: u16, qos: Qos, retain: bool, topic: String, result: &'static str },
    /// The message of a will; the settings that came with the command.
    Will { client: u8, settings: Vec<(String, Value)> },
}

impl Qmt {
    pub(super) fn publish(&mut self, device: &mut Device, index: u8, call: &Matched<'_>) -> Answer {
        let (Some(msgid), Some(qos)) = (
            call.int("msgid").and_then(|id| u16::try_from(id).ok()),
            call.int("qos").and_then(|qos| Qos::from_byte(qos as u8)),
        ) else {
            return Answer::Refused(Refusal::Parameter);
        };
        let Ok(topic) = String::from_utf8(call.text("topic").unwrap_or_default().to_vec()) else {
            return Answer::Refused(Refusal::Parameter);
        };
        // Refused before the prompt: nobody types in vain (decision 29).
        if !valid_topic(&topic) {
            return Answer::Refused(Refusal::Parameter);
        }
        if let Some(refusal) = self.would_refuse(device, index, msgid, qos) {
            return Answer::Refused(refusal);
        }
        let digits = if types_hex(device, index) { 2 } else { 1 };
        let retain = call.int("retain") == Some(1);
        let result = result_name(device, call.command_name);
        let typing = Typing::Message { client: index, msgid, qos, retain, topic, result };
        if let Some(payload) = device.inline.take() {
            // Where nothing announces a length nothing has checked it.
            return match payload.len() <= device.dialect.limits.payload_len as usize * digits {
                true => self.take(device, typing, payload),
                false => Answer::Refused(Refusal::Parameter),
            };
        }
        let end = match call.variant.payload_length.as_deref().and_then(|name| call.int(name)) {
            // The length counts decoded bytes (decision 34).
            Some(length) => PayloadEnd::Counted(usize::try_from(length).unwrap_or_default() * digits),
            None => PayloadEnd::UntilCtrlZ { max: device.dialect.limits.payload_len as usize },
        };
        self.typing = Some(typing);
        Answer::Typed(typed(device, index, end))
    }

    /// A will whose message is typed; without length nothing is asked for (decision 17).
    pub(super) fn ask_will(&mut self, device: &mut Device, index: u8, call: &Matched<'_>) -> Answer {
        let settings = call.values[1..].iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let length = call.variant.payload_length.as_deref().and_then(|name| call.int(name)).unwrap_or_default();
        let typing = Typing::Will { client: index, settings };
        match usize::try_from(length) {
            Ok(0) | Err(_) => self.take(device, typing, Vec::new()),
            Ok(length) => {
                self.typing = Some(typing);
                Answer::Typed(typed(device, index, PayloadEnd::Counted(length)))
            }
        }
    }

    /// The bytes are there.
    pub(super) fn take(&mut self, device: &mut Device, typing: Typing, bytes: Vec<u8>) -> Answer {
        match typing {
            Typing::Message { client, msgid, qos, retain, topic, result } => {
                let now = device.now;
                let hex = types_hex(device, client);
                // The connection may have ended while this was typed.
                let Some(session) = device.links.session(client) else { return Answer::Refused(Refusal::State) };
                let Some(bytes) = (if hex { from_hex(&bytes) } else { Some(bytes) }) else {
                    return Answer::Refused(Refusal::Parameter);
                };
                let id = (msgid != 0).then_some(msgid);
                match session.publish(id, qos, retain, &topic, &bytes, now) {
                    Ok(used) => {
                        let Client { named, written, .. } = self.client(client);
                        named.insert(used, result);
                        // Where a module takes 0 for any quality its result has the 0, too.
                        if used != msgid {
                            written.insert(used, msgid);
                        }
                        Answer::Accepted
                    }
                    Err(refused) => Answer::Refused(refusal(&refused)),
                }
            }
            Typing::Will { client, settings } => {
                let index = i64::from(client);
                let message = will_message_name(device);
                let stored = device.settings_mut(CFG);
                for (name, value) in settings {
                    stored.set("willex", &name, index, value);
                }
                stored.set("will", &message, index, Value::Text(bytes));
                Answer::Done
            }
        }
    }

    pub(super) fn subscribe(&mut self, device: &mut Device, index: u8, call: &Matched<'_>) -> Answer {
        let mut filters = Vec::new();
        for pair in call.values.get(2..).unwrap_or_default().chunks(2) {
            let [(_, Value::Text(topic)), (_, Value::Int(qos))] = pair else {
                return Answer::Refused(Refusal::Parameter);
            };
            let (Ok(topic), Some(qos)) = (String::from_utf8(topic.clone()), Qos::from_byte(*qos as u8)) else {
                return Answer::Refused(Refusal::Parameter);
            };
            filters.push((topic, qos));
        }
        let (id, now) = (msgid(call), device.now);
        let asked = device.links.session(index).map(|session| session.subscribe(id, filters, now));
        self.asked(index, id, asked)
    }

    pub(super) fn unsubscribe(&mut self, device: &mut Device, index: u8, call: &Matched<'_>) -> Answer {
        let mut filters = Vec::new();
        for (_, value) in call.values.get(2..).unwrap_or_default() {
            let Value::Text(topic) = value else { return Answer::Refused(Refusal::Parameter) };
            let Ok(topic) = String::from_utf8(topic.clone()) else { return Answer::Refused(Refusal::Parameter) };
            filters.push(topic);
        }
        let (id, now) = (msgid(call), device.now);
        let asked = device.links.session(index).map(|session| session.unsubscribe(id, filters, now));
        self.asked(index, id, asked)
    }

    /// A host that wrote 0 gets 0 back, whatever identifier the packet carried (decision 30).
    fn asked(&mut self, index: u8, id: Option<u16>, asked: Option<Result<u16, Refused>>) -> Answer {
        match asked {
            Some(Ok(used)) => {
                self.client(index).written.insert(used, id.unwrap_or(0));
                Answer::Accepted
            }
            Some(Err(refused)) => Answer::Refused(refusal(&refused)),
            None => Answer::Refused(Refusal::State),
        }
    }

    /// What the broker says to a request, and what it sends.
    pub(super) fn answered(&mut self, device: &mut Device, index: u8, event: ClientEvent) {
        let (kind, id, rest) = match event {
            ClientEvent::Message(message) => return self.received(device, index, message),
            ClientEvent::Published { id, .. } => (RequestKind::Publish, id, "0".to_owned()),
            ClientEvent::Suback { id, codes } => {
                let codes: String = codes.iter().map(|code| format!(",{code}")).collect();
                (RequestKind::Subscribe, id, format!("0{codes}"))
            }
            ClientEvent::Unsuback { id } => (RequestKind::Unsubscribe, id, "0".to_owned()),
            ClientEvent::Resent { kind, id, count } => {
                if setting_int(device, index, "timeout", 3) != Some(1) && !device.quirks.has("notice_always") {
                    return;
                }
                let count = if device.quirks.has("notice_without_count") { String::new() } else { format!(",{count}") };
                let releases = device.links.session(index).is_some_and(|session| session.is_released(id));
                if releases && device.quirks.has("pubrel_notice") {
                    return say(device, format!("+QMTPUBREL: {index},{id},1{count}"));
                }
                (kind, id, format!("1{count}"))
            }
            // The line that would end the request never comes.
            ClientEvent::GaveUp { .. } if device.quirks.has("notice_last") => {
                return self.lost(device, index, LostBy::PeerClosed);
            }
            ClientEvent::GaveUp { kind, id } => (kind, id, "2".to_owned()),
            // The connection's own events are handled where connections are.
            _ => return,
        };
        let is_final = !rest.starts_with('1');
        let named = &mut self.client(index).named;
        let name = match kind {
            RequestKind::Publish if is_final => named.remove(&id),
            RequestKind::Publish => named.get(&id).copied(),
            RequestKind::Subscribe => Some("+QMTSUB"),
            RequestKind::Unsubscribe => Some("+QMTUNS"),
        };
        // Of a message that another connection of this session took.
        let name = name.unwrap_or_else(|| result_name(device, "AT+QMTPUBEX"));
        let written = &mut self.client(index).written;
        let shown = if is_final { written.remove(&id) } else { written.get(&id).copied() };
        let shown = shown.unwrap_or(id);
        let line = format!("{name}: {index},{shown},{rest}");
        match span_of(device, "message_first").filter(|_| is_final && kind != RequestKind::Unsubscribe) {
            Some(span) => self.plan(device, index, span, Later::Line(line)),
            None => say(device, line),
        }
    }

    /// Whether a publish would be refused once its payload is typed.
    fn would_refuse(&mut self, device: &mut Device, index: u8, msgid: u16, qos: Qos) -> Option<Refusal> {
        let Some(session) = device.links.session(index) else { return Some(Refusal::State) };
        session.check_publish((msgid != 0).then_some(msgid), qos).err().as_ref().map(refusal)
    }
}

/// Whether payloads are typed as hexadecimal digits. The message of a will never is.
fn types_hex(device: &Device, index: u8) -> bool {
    first_of(device, index, &[("send/mode", 1), ("dataformat", 1)]) == Some(1) && !device.quirks.has("hex_ignored")
}

/// How a payload is typed: echoed or not (`view/mode`), and for how long at most (`edit/timeout`).
fn typed(device: &Device, index: u8, end: PayloadEnd) -> Typed {
    let limited = setting_int(device, index, "edit/timeout", 1) == Some(1);
    let seconds = setting_int(device, index, "edit/timeout", 2).filter(|_| limited);
    Typed {
        end,
        echo: first_of(device, index, &[("view/mode", 1), ("echomode", 1)]) == Some(1)
            && !device.quirks.has("never_echoes"),
        timeout: seconds.map(|seconds| Duration::from_secs(seconds.unsigned_abs())),
        asks: Asks::Prompt,
    }
}

/// What the result of a command for publishing is called.
fn result_name(device: &Device, command: &str) -> &'static str {
    let is_known = device.dialect.command("AT+QMTPUBEX").is_some();
    let has_own = command == "AT+QMTPUBEX" && is_known && !device.quirks.has("pub_name");
    if has_own { "+QMTPUBEX" } else { "+QMTPUB" }
}

/// What the document calls the message of a will.
fn will_message_name(device: &Device) -> String {
    let will = device.dialect.command(CFG).and_then(|command| command.variants.get("will"));
    will.and_then(|variant| variant.params.get(5)).cloned().unwrap_or_default()
}

fn msgid(call: &Matched<'_>) -> Option<u16> {
    call.int("msgid").and_then(|id| u16::try_from(id).ok()).filter(|id| *id != 0)
}

pub(super) fn refusal(refused: &Refused) -> Refusal {
    match refused {
        Refused::WindowFull(_) => Refusal::WindowFull,
        Refused::NotConnected | Refused::AlreadyConnected => Refusal::State,
        Refused::IdZero | Refused::IdInUse(_) | Refused::InvalidTopic(_) | Refused::NoTopic | Refused::TooLarge(_) => {
            Refusal::Parameter
        }
    }
}
