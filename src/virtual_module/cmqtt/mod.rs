//! SIMCom's MQTT service, `AT+CMQTT…`: a service that is started, a client that is acquired, and a connection.
//!
//! Which command is legal in which state is the table [`RULES`] (decision 25). What goes over the network is in
//! `connection`, what is typed and published in `messages`. Driven by `module` through [`Service`].

mod connection;
mod messages;

use crate::dialect::Matched;
use crate::dialect::Value;
use crate::dialect::schema::Command;
use crate::virtual_module::cmqtt::connection::Address;
use crate::virtual_module::cmqtt::messages::Staged;
use crate::virtual_module::cmqtt::messages::Typing;
use crate::virtual_module::device::Answer;
use crate::virtual_module::device::Call;
use crate::virtual_module::device::Device;
use crate::virtual_module::device::Ended;
use crate::virtual_module::device::Refusal;
use crate::virtual_module::device::Service;
use crate::virtual_module::network::LinkEvent;
use crate::virtual_module::replies::Shown;
use crate::virtual_module::settings::read_line;

/// The module has one client.
const CLIENT: u8 = 0;

/// Longest time for a request where the document has no default, seconds.
const OPTIMEOUT_S: u64 = 120;

const START: &str = "AT+CMQTTSTART";
const STOP: &str = "AT+CMQTTSTOP";
const ACQUIRE: &str = "AT+CMQTTACCQ";
const RELEASE: &str = "AT+CMQTTREL";
const CONNECT: &str = "AT+CMQTTCONNECT";
const DISCONNECT: &str = "AT+CMQTTDISC";
const PUBLISH: &str = "AT+CMQTTPUB";
const SUBSCRIBE: &str = "AT+CMQTTSUB";
const UNSUBSCRIBE: &str = "AT+CMQTTUNSUB";

/// What a command ends with, by the table `CMQTT err`.
mod err {
    pub(super) const OK: i32 = 0;
    pub(super) const FAILED: i32 = 1;
    pub(super) const NOT_UTF8: i32 = 2;
    pub(super) const SOCKET_CONNECT: i32 = 3;
    pub(super) const NETWORK_OPEN: i32 = 7;
    pub(super) const NETWORK_CLOSED: i32 = 9;
    pub(super) const NO_CONNECTION: i32 = 11;
    pub(super) const PARAMETER: i32 = 12;
    pub(super) const BUSY: i32 = 14;
    pub(super) const SEND: i32 = 16;
    pub(super) const TIMED_OUT: i32 = 17;
    pub(super) const TOPIC_EMPTY: i32 = 18;
    pub(super) const CLIENT_USED: i32 = 19;
    pub(super) const NOT_ACQUIRED: i32 = 20;
    pub(super) const NOT_RELEASED: i32 = 21;
    pub(super) const PACKET: i32 = 24;
    pub(super) const DNS: i32 = 25;
    pub(super) const CLOSED_BY_SERVER: i32 = 26;
    /// CONNACK codes 1 to 5 are 27 to 31.
    pub(super) const CONNACK: i32 = 26;
    pub(super) const HANDSHAKE: i32 = 32;
    pub(super) const CERTIFICATE: i32 = 33;
    pub(super) const DISCONNECT: i32 = 35;
}

/// Service, client and connection are one line of states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The service does not run.
    Stopped,
    /// The service runs, no client is acquired.
    Started,
    /// A client is acquired, not connected.
    Acquired,
    /// A connection is being made or ended.
    Busy,
    /// Connected.
    Connected,
    /// The connection is lost, and the host has not been told.
    Lost,
}

/// What a write or execute form does in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// It runs.
    Go,
    /// `ERROR`
    No,
    /// Its own line with this code, then `ERROR`.
    Why(i32),
}

use Rule::Go;
use Rule::No;
use Rule::Why;

/// Command, and its rule while Stopped, Started, Acquired, Busy, Connected, Lost.
const RULES: &[(&str, [Rule; 6])] = &[
    (START, [Go, No, No, No, No, No]),
    (STOP, [No, Go, UNRELEASED, UNRELEASED, UNRELEASED, UNRELEASED]),
    (ACQUIRE, [No, Go, USED, USED, USED, USED]),
    (RELEASE, [No, UNACQUIRED, Go, BUSY, BUSY, BUSY]),
    ("AT+CMQTTSSLCFG", [No, Go, Go, No, No, No]),
    ("AT+CMQTTCFG", [No, No, Go, No, No, No]),
    ("AT+CMQTTWILLTOPIC", TYPED),
    ("AT+CMQTTWILLMSG", TYPED),
    (CONNECT, [No, UNACQUIRED, Go, BUSY, USED, BUSY]),
    (DISCONNECT, ONLINE),
    ("AT+CMQTTTOPIC", TYPED),
    ("AT+CMQTTPAYLOAD", TYPED),
    ("AT+CMQTTSUBTOPIC", TYPED),
    ("AT+CMQTTUNSUBTOPIC", TYPED),
    (PUBLISH, ONLINE),
    (SUBSCRIBE, ONLINE),
    (UNSUBSCRIBE, ONLINE),
];

const BUSY: Rule = Why(err::BUSY);
const USED: Rule = Why(err::CLIENT_USED);
const UNACQUIRED: Rule = Why(err::NOT_ACQUIRED);
const UNRELEASED: Rule = Why(err::NOT_RELEASED);
const OFFLINE: Rule = Why(err::NO_CONNECTION);

/// What is typed is kept by the client, connected or not.
const TYPED: [Rule; 6] = [No, UNACQUIRED, Go, Go, Go, Go];
/// What needs a connection.
const ONLINE: [Rule; 6] = [No, UNACQUIRED, OFFLINE, BUSY, Go, OFFLINE];

/// What is set for the acquired client; forgotten with AT+CMQTTREL.
#[derive(Clone, Debug)]
struct Client {
    id: String,
    /// 0 TCP, 1 TLS
    server_type: i64,
    check_utf8: bool,
    /// Seconds.
    optimeout: u64,
}

/// A command whose result is awaited from the network.
#[derive(Debug)]
struct Pending {
    command: &'static str,
    /// Of the packet whose answer completes it.
    id: u16,
    /// A topic that is being subscribed to, or unsubscribed from.
    topic: Option<String>,
}

/// The service.
pub(super) struct Cmqtt {
    state: State,
    client: Option<Client>,
    /// What was set for the client before, where a quirk keeps it.
    released: Option<Client>,
    /// AT+CMQTTSSLCFG; not set: the context with the client's number.
    tls_context: Option<i64>,
    address: Option<Address>,
    staged: Staged,
    typing: Option<Typing>,
    pending: Option<Pending>,
    /// What AT+CMQTTSUB? lists.
    subscriptions: Vec<String>,
}

impl Cmqtt {
    pub(super) fn new() -> Cmqtt {
        Cmqtt {
            state: State::Stopped,
            client: None,
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
    fn refuse(&self, device: &mut Device, command: &str, code: i32) -> Answer {
        let name = command.trim_start_matches("AT");
        device.replies.info(match command {
            STOP => format!("{name}: {code}"),
            _ => format!("{name}: {CLIENT},{code}"),
        });
        Answer::Refused(Refusal::State)
    }

    /// The result that follows `OK`.
    fn result(&mut self, device: &mut Device, command: &str, code: i32) {
        device.replies.urc(format!("{}: {CLIENT},{code}", command.trim_start_matches("AT")), device.now);
    }

    /// The command whose result is awaited from the network.
    fn awaits(&self) -> Option<&'static str> {
        self.pending.as_ref().map(|pending| pending.command)
    }

    /// Something that is not a request of MQTT is under way.
    fn begin(&mut self, command: &'static str) -> Answer {
        self.state = State::Busy;
        self.pending = Some(Pending { command, id: 0, topic: None });
        Answer::Accepted
    }

    fn write(&mut self, device: &mut Device, call: &Matched<'_>) -> Answer {
        let now = device.now;
        match call.command_name {
            START if device.activate(1) => {
                self.state = State::Started;
                device.replies.urc(format!("+CMQTTSTART: {}", err::OK), now);
                Answer::Accepted
            }
            START => {
                device.replies.urc(format!("+CMQTTSTART: {}", err::NETWORK_OPEN), now);
                Answer::Accepted
            }
            STOP => {
                *self = Cmqtt::new();
                device.replies.urc(format!("+CMQTTSTOP: {}", err::OK), now);
                Answer::Accepted
            }
            ACQUIRE => {
                let id = call.text("clientid").unwrap_or_default();
                let Ok(id) = String::from_utf8(id.to_vec()) else {
                    return self.refuse(device, call.command_name, err::NOT_UTF8);
                };
                let server_type = call.int("server_type").unwrap_or_default();
                let default = |name| device.dialect.default_of(name);
                let check_utf8 = default("checkutf8_flag").is_none_or(|flag| flag == 1);
                let optimeout = default("optimeout_val").map_or(OPTIMEOUT_S, i64::unsigned_abs);
                let plain = Client { id: id.clone(), server_type, check_utf8, optimeout };
                let kept = self.released.take().map(|before| Client { id, server_type, ..before });
                self.client = Some(kept.unwrap_or(plain));
                self.state = State::Acquired;
                Answer::Done
            }
            RELEASE => {
                device.links.forget(CLIENT);
                let before = std::mem::replace(self, Cmqtt { state: State::Started, ..Cmqtt::new() });
                self.tls_context = before.tls_context;
                if device.quirks.has("nothing_forgotten") {
                    (self.staged, self.released) = (before.staged, before.client);
                }
                Answer::Done
            }
            "AT+CMQTTSSLCFG" => {
                self.tls_context = call.int("ssl_ctx_index");
                Answer::Done
            }
            "AT+CMQTTCFG" => {
                if let Some(client) = &mut self.client {
                    if let Some(flag) = call.int("checkutf8_flag") {
                        client.check_utf8 = flag == 1;
                    }
                    if let Some(seconds) = call.int("optimeout_val") {
                        client.optimeout = seconds.unsigned_abs();
                    }
                }
                Answer::Done
            }
            CONNECT => self.connect(device, call),
            DISCONNECT => self.disconnect(device, call),
            PUBLISH => self.publish(device, call),
            SUBSCRIBE if call.variant_name == "staged" => self.subscribe_staged(device, call),
            UNSUBSCRIBE if self.staged.names_unsubscribe(call) => self.unsubscribe_staged(device, call),
            _ => self.ask(call),
        }
    }

    fn read(&self, device: &mut Device, name: &str, command: &Command) {
        if name == SUBSCRIBE {
            device.replies.info("+CMQTTSUB:");
            self.subscriptions.iter().for_each(|topic| device.replies.info(topic));
        } else if let Some(line) = read_line(name, command, |field| self.field(command, field)) {
            device.replies.info(line);
        }
    }

    /// What a read form shows under this name.
    fn field(&self, command: &Command, name: &str) -> Option<Value> {
        let connected = || self.address.as_ref().filter(|_| self.state == State::Connected);
        let client = self.client.as_ref();
        Some(match name {
            "client_index" | "session_id" | "index" => Value::Int(i64::from(CLIENT)),
            "clientid" => Value::from(client?.id.as_str()),
            "server_type" => Value::Int(client?.server_type),
            "ssl_ctx_index" => Value::Int(self.tls_context.or(default_of(command, name)).unwrap_or_default()),
            "disc_state" => Value::Int(i64::from(self.state != State::Connected)),
            "checkutf8_flag" => Value::Int(client.map_or(default_of(command, name)?, |c| i64::from(c.check_utf8))),
            "optimeout_val" => Value::Int(client.map_or(default_of(command, name)?, |c| c.optimeout as i64)),
            _ => connected()?.field(name)?,
        })
    }

    fn rule(&self, command: &str) -> Rule {
        let column = match self.state {
            State::Stopped => 0,
            State::Started => 1,
            State::Acquired => 2,
            State::Busy => 3,
            State::Connected => 4,
            State::Lost => 5,
        };
        RULES.iter().find(|(name, _)| *name == command).map_or(No, |(_, row)| row[column])
    }
}

/// The default of a parameter that is a number.
fn default_of(command: &Command, param: &str) -> Option<i64> {
    command.param(param)?.default.as_deref()?.parse().ok()
}

impl Service for Cmqtt {
    fn call(&mut self, device: &mut Device, call: &Call<'_>) -> Answer {
        let matched = match call {
            Call::Read(..) if self.state == State::Stopped && !device.quirks.has("state_ignored") => {
                return Answer::Refused(Refusal::State);
            }
            Call::Read(name, command) => {
                self.read(device, name, command);
                return Answer::Done;
            }
            Call::Write(matched) => matched,
        };
        match self.rule(matched.command_name) {
            Go => self.write(device, matched),
            No if device.quirks.has("state_ignored") => {
                let name = matched.command_name;
                match name {
                    START | STOP => device.replies.urc(format!("{}: 0", name.trim_start_matches("AT")), device.now),
                    CONNECT | DISCONNECT | PUBLISH | SUBSCRIBE | UNSUBSCRIBE => self.result(device, name, err::OK),
                    _ => return Answer::Done,
                }
                Answer::Accepted
            }
            No => Answer::Refused(Refusal::State),
            Why(code) => {
                self.use_up(device, matched);
                self.refuse(device, matched.command_name, code)
            }
        }
    }

    fn typed(&mut self, device: &mut Device, ended: Ended) -> Answer {
        let (Some(typing), Ended::With(bytes)) = (self.typing.take(), ended) else {
            return Answer::Refused(Refusal::Cancelled);
        };
        // The connection may have gone while the host was typing.
        match self.rule(&typing.command) {
            Go => self.take(device, typing, bytes),
            No => Answer::Refused(Refusal::State),
            Why(code) => self.refuse(device, &typing.command, code),
        }
    }

    fn link(&mut self, device: &mut Device, _client: u8, event: LinkEvent) {
        self.network_did(device, event);
    }

    fn shown(&mut self, shown: Shown) {
        // A connection may be lost before the host has been told of it: both are told, one behind the other.
        if let Shown::Cmqtt(state) = shown
            && matches!(self.state, State::Busy | State::Connected | State::Lost)
        {
            self.state = state;
        }
    }

    fn network_down(&mut self, device: &mut Device, _context: Option<i64>) {
        self.lose_network(device);
    }

    fn restart(&mut self) {
        *self = Cmqtt::new();
    }
}
