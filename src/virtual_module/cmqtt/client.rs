//! One client of the service: acquired, configured, its states, and what it does with a command that its state allows.

use crate::dialect::Matched;
use crate::dialect::Value;
use crate::dialect::schema::Command;
use crate::mqtt::Level;
use crate::virtual_module::cmqtt::ACQUIRE;
use crate::virtual_module::cmqtt::CONNECT;
use crate::virtual_module::cmqtt::DISCONNECT;
use crate::virtual_module::cmqtt::OPTIMEOUT_S;
use crate::virtual_module::cmqtt::PAYLOAD;
use crate::virtual_module::cmqtt::PUBLISH;
use crate::virtual_module::cmqtt::RELEASE;
use crate::virtual_module::cmqtt::SUBSCRIBE;
use crate::virtual_module::cmqtt::State;
use crate::virtual_module::cmqtt::TOPIC;
use crate::virtual_module::cmqtt::UNSUBSCRIBE;
use crate::virtual_module::cmqtt::connection::Address;
use crate::virtual_module::cmqtt::err;
use crate::virtual_module::cmqtt::messages::Staged;
use crate::virtual_module::cmqtt::messages::Typing;
use crate::virtual_module::cmqtt::refuse;
use crate::virtual_module::device::Answer;
use crate::virtual_module::device::Device;

/// What is set for the acquired client; forgotten with AT+CMQTTREL.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) id: String,
    /// 0 TCP, 1 TLS
    pub(super) server_type: i64,
    pub(super) level: Level,
    pub(super) check_utf8: bool,
    /// Seconds.
    pub(super) optimeout: u64,
    /// Received messages come in one line, with their length or without (`argtopic` of the A76xx).
    pub(super) one_line: Option<bool>,
}

/// A command whose result is awaited from the network.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) command: &'static str,
    /// Of the packet whose answer completes it.
    pub(super) id: u16,
    /// Topics that are being subscribed to, or unsubscribed from.
    pub(super) topics: Vec<String>,
}

/// A client.
pub(super) struct Client {
    pub(super) index: u8,
    pub(super) state: State,
    pub(super) held: Option<Held>,
    /// What was set for the client before, where a quirk keeps it.
    pub(super) released: Option<Held>,
    /// AT+CMQTTSSLCFG; not set: the context with the client's number.
    pub(super) tls_context: Option<i64>,
    pub(super) address: Option<Address>,
    pub(super) staged: Staged,
    pub(super) typing: Option<Typing>,
    pub(super) pending: Option<Pending>,
    /// What AT+CMQTTSUB? lists.
    pub(super) subscriptions: Vec<String>,
}

impl Client {
    pub(super) fn new(index: u8) -> Client {
        Client {
            index,
            state: State::Stopped,
            held: None,
            released: None,
            tls_context: None,
            address: None,
            staged: Staged::default(),
            typing: None,
            pending: None,
            subscriptions: Vec::new(),
        }
    }

    /// Refused with a reason: the command's own line, then `ERROR`.
    pub(super) fn refuse(&self, device: &mut Device, command: &str, code: i32) -> Answer {
        refuse(device, self.index, command, code)
    }

    /// The result that follows `OK`.
    pub(super) fn result(&mut self, device: &mut Device, command: &str, code: i32) {
        let name = match command {
            SUBSCRIBE if device.quirks.has("sub_name") => "+CMQTTSUBTOPIC",
            _ => command.trim_start_matches("AT"),
        };
        device.replies.urc(format!("{name}: {},{code}", self.index), device.now);
    }

    /// The command whose result is awaited from the network.
    pub(super) fn awaits(&self) -> Option<&'static str> {
        self.pending.as_ref().map(|pending| pending.command)
    }

    /// Whether a quirk keeps this command back: nothing is typed, and nothing released, before a publish is acknowledged.
    pub(super) fn is_kept_back(&self, device: &Device, command: &str) -> bool {
        self.awaits() == Some(PUBLISH)
            && matches!(command, TOPIC | PAYLOAD | RELEASE)
            && device.quirks.has("busy_until_acknowledged")
    }

    /// Something that is not a request of MQTT is under way.
    pub(super) fn begin(&mut self, command: &'static str) -> Answer {
        self.state = State::Busy;
        self.pending = Some(Pending { command, id: 0, topics: Vec::new() });
        Answer::Accepted
    }

    /// Carries out a command that the state allows.
    pub(super) fn write(&mut self, device: &mut Device, call: &Matched<'_>) -> Answer {
        match call.command_name {
            ACQUIRE => return self.acquire(device, call),
            RELEASE => {
                device.links.forget(self.index);
                let fresh = Client { state: State::Started, tls_context: self.tls_context, ..Client::new(self.index) };
                let before = std::mem::replace(self, fresh);
                if device.quirks.has("nothing_forgotten") {
                    (self.staged, self.released) = (before.staged, before.held);
                }
            }
            "AT+CMQTTSSLCFG" => self.tls_context = call.int("ssl_ctx_index"),
            "AT+CMQTTCFG" => self.configure(call),
            CONNECT => return self.connect(device, call),
            DISCONNECT => return self.disconnect(device, call),
            PUBLISH if call.variant_name != "named" => return self.publish(device, call),
            SUBSCRIBE if call.variant_name == "staged" => return self.subscribe_staged(device, call),
            SUBSCRIBE if call.variant_name == "named" => return self.subscribe_named(device, call),
            UNSUBSCRIBE if call.variant_name == "named" => return self.unsubscribe_named(device, call),
            UNSUBSCRIBE if self.staged.names_unsubscribe(call) => return self.unsubscribe_staged(device, call),
            _ => return self.ask(call),
        }
        Answer::Done
    }

    fn acquire(&mut self, device: &mut Device, call: &Matched<'_>) -> Answer {
        let id = call.text("clientid").unwrap_or_default();
        let Ok(id) = String::from_utf8(id.to_vec()) else {
            return self.refuse(device, ACQUIRE, err::NOT_UTF8);
        };
        let server_type = call.int("server_type").unwrap_or_default();
        let default = |name| device.dialect.default_of(name);
        let check_utf8 = default("checkutf8_flag").is_none_or(|flag| flag == 1);
        let optimeout = default("optimeout_val").map_or(OPTIMEOUT_S, i64::unsigned_abs);
        let level = level(call.int("mqtt_version").or(default("mqtt_version")));
        let plain = Held { id: id.clone(), server_type, level, check_utf8, optimeout, one_line: None };
        let kept = self.released.take().map(|before| Held { id, server_type, ..before });
        self.held = Some(kept.unwrap_or(plain));
        self.state = State::Acquired;
        Answer::Done
    }

    fn configure(&mut self, call: &Matched<'_>) {
        let Some(held) = &mut self.held else { return };
        if let Some(flag) = call.int("checkutf8_flag") {
            held.check_utf8 = flag == 1;
        }
        if let Some(seconds) = call.int("optimeout_val") {
            held.optimeout = seconds.unsigned_abs();
        }
        if let Some(version) = call.int("mqtt_version") {
            held.level = level(Some(version));
        }
        if let Some(flag) = call.int("topic_len_flag") {
            held.one_line = Some(flag == 1);
        }
    }

    /// What a read form shows under this name.
    pub(super) fn field(&self, command: &Command, name: &str) -> Option<Value> {
        let connected = || self.address.as_ref().filter(|_| self.state == State::Connected);
        let held = self.held.as_ref();
        let default = || default_of(command, name);
        Some(match name {
            "client_index" | "session_id" | "index" => Value::Int(i64::from(self.index)),
            // A dialect whose client has a default shows clients that nobody acquired.
            "clientid" => match held {
                Some(held) => Value::from(held.id.as_str()),
                None => Value::from(command.param(name)?.default.as_deref()?),
            },
            "server_type" => Value::Int(held.map_or(default()?, |held| held.server_type)),
            "ssl_ctx_index" => Value::Int(self.tls_context.or(default()).unwrap_or_default()),
            "disc_state" => Value::Int(i64::from(self.state != State::Connected)),
            "checkutf8_flag" => Value::Int(held.map_or(default()?, |held| i64::from(held.check_utf8))),
            "optimeout_val" => Value::Int(held.map_or(default()?, |held| held.optimeout as i64)),
            _ => connected()?.field(name)?,
        })
    }
}

/// `<mqtt_version>`: 3 is MQTT 3.1. The document of the SIM7028 names none; 3.1.1 is what its commands can say.
fn level(version: Option<i64>) -> Level {
    if version == Some(3) { Level::V31 } else { Level::V311 }
}

/// The default of a parameter that is a number.
fn default_of(command: &Command, param: &str) -> Option<i64> {
    command.param(param)?.default.as_deref()?.parse().ok()
}
