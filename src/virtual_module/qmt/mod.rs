//! Quectel's MQTT service, `AT+QMT…`: up to six clients, each with a socket, a session, settings and slots of its own.
//!
//! Which command is legal in which state is the table [`RULES`] (decisions 17 to 22). What goes over the network is in
//! `connection`, what is typed and published in `publish`, what arrives in `receive`. Driven by `module` through [`Service`].

pub(super) mod cloud;
mod connection;
mod later;
mod publish;
mod receive;
pub(super) mod token;

use std::collections::BTreeMap;
use std::time::Instant;

use crate::dialect::Matched;
use crate::dialect::Value;
use crate::dialect::schema::Command;
use crate::virtual_module::device::Answer;
use crate::virtual_module::device::Call;
use crate::virtual_module::device::Device;
use crate::virtual_module::device::Ended;
use crate::virtual_module::device::Refusal;
use crate::virtual_module::device::Service;
use crate::virtual_module::network::LinkEvent;
use crate::virtual_module::qmt::later::Planned;
use crate::virtual_module::qmt::publish::Typing;
use crate::virtual_module::qmt::receive::Slots;
use crate::virtual_module::qmt::receive::start_with_hex;
use crate::virtual_module::replies::Shown;
use crate::virtual_module::settings::read_line;

/// The settings of a client.
const CFG: &str = "AT+QMTCFG";

/// States of a client (decision 17).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Closed,
    Opening,
    Open,
    Connecting,
    Connected,
    Disconnecting,
    Disconnected,
    Closing,
}

/// What a write form does in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// It runs.
    Go,
    /// `ERROR`
    No,
    /// `OK`, and the result that the identifier is occupied.
    Taken,
}

use Rule::Go;
use Rule::No;
use Rule::Taken;

/// Command, and its rule in each state, in the order of [`State`].
const RULES: &[(&str, [Rule; 8])] = &[
    (CFG, [Go, No, Go, No, No, No, Go, No]),
    ("AT+QMTOPEN", [Go, No, Taken, Taken, Taken, No, Go, No]),
    ("AT+QMTCLOSE", [No, Go, Go, Go, Go, No, Go, No]),
    ("AT+QMTCONN", [No, No, Go, No, No, No, No, No]),
    ("AT+QMTDISC", [No, No, No, No, Go, No, No, No]),
    ("AT+QMTSUB", [No, No, No, No, Go, No, No, No]),
    ("AT+QMTUNS", [No, No, No, No, Go, No, No, No]),
    ("AT+QMTPUB", [No, No, No, No, Go, No, No, No]),
    ("AT+QMTPUBEX", [No, No, No, No, Go, No, No, No]),
    ("AT+QMTRECV", [No, No, No, No, Go, No, No, No]),
];

/// One client.
#[derive(Default)]
struct Client {
    state: State,
    /// The result of the command that made the state a passing one waits to be written already: nothing may add another.
    told: bool,
    /// How many commands have changed the state.
    begun: u32,
    host: String,
    port: i64,
    slots: Slots,
    /// The key of AT+QMTCFG that named a cloud platform last.
    platform: Option<&'static str>,
    /// Packet identifiers the session chose, and what the host wrote instead (0).
    written: BTreeMap<u16, u16>,
    /// How the results of messages in flight are named, by their identifiers.
    named: BTreeMap<u16, &'static str>,
}

/// The service.
pub(super) struct Qmt {
    clients: Vec<Client>,
    typing: Option<Typing>,
    /// What AT+QMTTENAUTH fetched last.
    password: Option<String>,
    planned: Vec<Planned>,
    /// Connections lost right behind their opening, by a quirk.
    lost_opens: i64,
}

impl Qmt {
    pub(super) fn new(clients: u8) -> Qmt {
        let clients = (0..clients).map(|_| Client::default()).collect();
        Qmt { clients, typing: None, password: None, planned: Vec::new(), lost_opens: 0 }
    }

    fn client(&mut self, index: u8) -> &mut Client {
        // `call` let the index through.
        &mut self.clients[usize::from(index)]
    }

    fn write(&mut self, device: &mut Device, index: u8, call: &Matched<'_>) -> Answer {
        match call.command_name {
            CFG => self.configure(device, index, call),
            "AT+QMTOPEN" => self.open(device, index, call),
            "AT+QMTCLOSE" => self.close(device, index),
            "AT+QMTCONN" => self.connect(device, index, call),
            "AT+QMTDISC" => self.disconnect(device, index),
            "AT+QMTSUB" => self.subscribe(device, index, call),
            "AT+QMTUNS" => self.unsubscribe(device, index, call),
            "AT+QMTRECV" => self.read_slots(device, index, call.int("recv_id")),
            _ => self.publish(device, index, call),
        }
    }

    /// Settings are stored as the catalogue describes them; only a will typed at a prompt needs more.
    fn configure(&mut self, device: &mut Device, index: u8, call: &Matched<'_>) -> Answer {
        if call.variant.payload_length.is_some() && call.values.len() > 2 {
            return self.ask_will(device, index, call);
        }
        let mut raw = call.clone();
        let call = match device.inline.take() {
            Some(message) => {
                raw.values.truncate(5);
                raw.values.extend(call.values.get(5).map(|(name, _)| (*name, Value::Text(message))));
                &raw
            }
            None => call,
        };
        if call.variant_name == "will" {
            let message = call.values.get(5).map(|(_, value)| value);
            if let Some(Value::Text(message)) = message {
                let length = Value::Int(message.len() as i64);
                device.settings_mut(CFG).set("willex", "will_len", i64::from(index), length);
            }
        }
        // The one that was written last counts; to clear a setting is to write empty texts.
        if let Some(key) = cloud::platform(call.variant_name) {
            self.client(index).platform = Some(key);
        }
        device.query_or_store(call)
    }

    /// What a quirk makes of a write form in this state; `None`: what the document says.
    fn answered_oddly(&mut self, device: &mut Device, index: u8, call: &Matched<'_>) -> Option<Answer> {
        let quirks = &device.quirks;
        match (call.command_name, self.client(index).state) {
            (CFG, _)
                if call.variant_name == "recv/mode" && call.values.len() > 2 && quirks.has("recv_length_refused") =>
            {
                Some(Answer::Refused(Refusal::Parameter))
            }
            ("AT+QMTCLOSE", State::Disconnected) if quirks.has("disc_frees") => {
                if quirks.text("disc_frees", "close") != Some("ok") {
                    return Some(Answer::Refused(Refusal::State));
                }
                self.client(index).state = State::Closed;
                Some(Answer::Done)
            }
            ("AT+QMTOPEN", State::Closing) if quirks.has("slow_close") => {
                say(device, format!("+QMTOPEN: {index},2"));
                Some(Answer::Accepted)
            }
            ("AT+QMTSUB", State::Connected) if call.int("msgid") != Some(0) && quirks.has("msgid_restarts") => {
                Some(Answer::Crashed)
            }
            _ => None,
        }
    }

    fn read(&mut self, device: &mut Device, name: &str, command: &Command) {
        if name == "AT+QMTTENAUTH" {
            let password = |field: &str| self.password.as_deref().filter(|_| field == "password").map(Value::from);
            return read_line(name, command, password).into_iter().for_each(|line| device.replies.info(line));
        }
        for (index, client) in self.clients.iter().enumerate() {
            // A client that is closed, or disconnected, prints no line (decision 21).
            let is_told = match name {
                "AT+QMTOPEN" if client.state == State::Disconnected => !device.quirks.has("disc_frees"),
                "AT+QMTOPEN" => !matches!(client.state, State::Closed | State::Opening | State::Closing),
                "AT+QMTCONN" => client.shown_state().is_some(),
                _ => client.state == State::Connected,
            };
            if is_told && let Some(line) = read_line(name, command, |field| client.field(index as i64, field)) {
                let line = worded(device, line);
                device.replies.info(line);
            }
        }
    }
}

impl Client {
    /// What a read form shows under this name.
    fn field(&self, index: i64, name: &str) -> Option<Value> {
        Some(match name {
            "client_idx" | "tcp_connectid" => Value::Int(index),
            "host_name" => Value::from(self.host.as_str()),
            "port" => Value::Int(self.port),
            "state" => Value::Int(self.shown_state()?),
            _ => Value::Int(i64::from(self.slots.holds(name.strip_prefix("store_status_")?.parse().ok()?))),
        })
    }

    /// The state as AT+QMTCONN? numbers it.
    fn shown_state(&self) -> Option<i64> {
        match self.state {
            State::Open => Some(1),
            State::Connecting => Some(2),
            State::Connected => Some(3),
            State::Disconnecting => Some(4),
            _ => None,
        }
    }
}

/// The value of a setting by its place behind the client's number: names differ between the documents, places do not.
fn setting(device: &Device, index: u8, key: &str, place: usize) -> Option<Value> {
    let variant = device.dialect.command(CFG)?.variants.get(key)?;
    let owner = if device.quirks.has("settings_shared") { 0 } else { i64::from(index) };
    device.setting(CFG, key, variant.params.get(place)?, owner)
}

/// The same, where it is a number.
fn setting_int(device: &Device, index: u8, key: &str, place: usize) -> Option<i64> {
    match setting(device, index, key, place)? {
        Value::Int(number) => Some(number),
        Value::Text(_) => None,
    }
}

/// The number of a setting that has these keys, the first that the document has.
fn first_of(device: &Device, index: u8, keys: &[(&str, usize)]) -> Option<i64> {
    keys.iter().find_map(|(key, place)| setting_int(device, index, key, *place))
}

/// Whether a quirk has what the state forbids refused late: not settings, which have a quirk of their own, and not where the
/// number of the error was asked for.
fn is_refused_late(device: &Device, call: &Matched<'_>) -> bool {
    device.quirks.has("state_errors_late") && call.command_name != CFG && device.error_form() == 0
}

/// A command that the state forbids, refused by its result instead of its final result code.
fn fail_late(device: &mut Device, index: u8, call: &Matched<'_>) -> Answer {
    let name = call.command_name.trim_start_matches("AT");
    let line = match (name, call.int("msgid")) {
        ("+QMTRECV", _) => return Answer::Done,
        (_, Some(id)) => format!("{name}: {index},{id},2"),
        ("+QMTCONN", _) => format!("{name}: {index},2"),
        _ => format!("{name}: {index},-1"),
    };
    say(device, line);
    Answer::Accepted
}

/// A line as this module writes it.
fn worded(device: &Device, line: impl Into<Vec<u8>>) -> Vec<u8> {
    let mut line = line.into();
    if device.quirks.text("no_blank_after_colon", "lines").is_some_and(|lines| lines != "beside")
        && let Some(colon) = memchr::memmem::find(&line, b": ")
    {
        line.remove(colon + 1);
    }
    line
}

/// Says a line nobody asked for, or that completes an earlier command.
fn say(device: &mut Device, line: impl Into<Vec<u8>>) {
    let line = worded(device, line);
    device.replies.urc(line, device.now);
}

impl Service for Qmt {
    fn call(&mut self, device: &mut Device, call: &Call<'_>) -> Answer {
        let matched = match call {
            Call::Read(name, command) => {
                self.read(device, name, command);
                return Answer::Done;
            }
            Call::Write(matched) => matched,
        };
        if matched.command_name == "AT+QMTTENAUTH" {
            return self.fetch_token(device, matched);
        }
        let Some((_, Value::Int(index))) = matched.values.first() else { return Answer::Refused(Refusal::Parameter) };
        let index = u8::try_from(*index).ok().filter(|index| usize::from(*index) < self.clients.len());
        let Some(index) = index else { return Answer::Refused(Refusal::Parameter) };
        let mut shared = matched.clone();
        let matched = if device.quirks.has("settings_shared") && matched.command_name == CFG {
            shared.values[0].1 = Value::Int(0);
            &shared
        } else {
            matched
        };
        start_with_hex(device, index);
        if matched.is_query && matched.command_name == CFG {
            if let Some(line) = device.settings_mut(CFG).answer(matched) {
                let line = worded(device, line);
                device.replies.info(line);
            }
            return Answer::Done;
        }
        let state = self.client(index).state;
        if let Some(answer) = self.answered_oddly(device, index, matched) {
            return answer;
        }
        let row = RULES.iter().find(|(name, _)| *name == matched.command_name);
        match row.map_or(No, |(_, rules)| rules[state as usize]) {
            Go => self.write(device, index, matched),
            No if matched.command_name == CFG && device.quirks.has("settings_unlocked") => {
                self.write(device, index, matched)
            }
            No if is_refused_late(device, matched) => fail_late(device, index, matched),
            No => Answer::Refused(Refusal::State),
            Taken => {
                say(device, format!("+QMTOPEN: {index},2"));
                Answer::Accepted
            }
        }
    }

    fn typed(&mut self, device: &mut Device, ended: Ended) -> Answer {
        match (self.typing.take(), ended) {
            (Some(typing), Ended::With(bytes)) => self.take(device, typing, bytes),
            (Some(typing), Ended::Cancelled) if device.quirks.has("esc_sends") && device.error_form() == 0 => {
                self.take(device, typing, Vec::new())
            }
            _ => Answer::Refused(Refusal::Cancelled),
        }
    }

    fn link(&mut self, device: &mut Device, client: u8, event: LinkEvent) {
        self.network_did(device, client, event);
    }

    fn shown(&mut self, shown: Shown) {
        // What is told behind a newer command no longer changes what that has begun.
        if let Shown::Qmt(index, state, begun) = shown
            && self.client(index).begun == begun
        {
            self.client(index).state = state;
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.next_planned()
    }

    fn due(&mut self, device: &mut Device) {
        self.do_planned(device);
    }

    fn network_down(&mut self, device: &mut Device, context: Option<i64>) {
        for index in 0..self.clients.len() as u8 {
            let own = setting_int(device, index, "pdpcid", 1).unwrap_or(1);
            if context.is_none_or(|context| context == own) {
                self.lose_network(device, index);
            }
        }
    }

    fn restart(&mut self) {
        *self = Qmt::new(self.clients.len() as u8);
    }
}
