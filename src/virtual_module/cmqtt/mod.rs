//! SIMCom's MQTT service, `AT+CMQTT…`: a service that is started, clients that are acquired, and their connections.
//!
//! Which command is legal in which state is the table [`RULES`] (decision 25). How many clients there are says the dialect;
//! one of them is in `client`, what goes over its network in `connection`, what is typed and published in `messages`. Driven
//! by `module` through [`Service`].

mod client;
mod connection;
mod messages;

use crate::dialect::Matched;
use crate::dialect::schema::Command;
use crate::virtual_module::cmqtt::client::Client;
use crate::virtual_module::device::Answer;
use crate::virtual_module::device::Call;
use crate::virtual_module::device::Device;
use crate::virtual_module::device::Ended;
use crate::virtual_module::device::Refusal;
use crate::virtual_module::device::Service;
use crate::virtual_module::network::LinkEvent;
use crate::virtual_module::replies::Shown;
use crate::virtual_module::settings::read_line;

/// Longest time for a request where the document has no default, seconds.
const OPTIMEOUT_S: u64 = 120;

const START: &str = "AT+CMQTTSTART";
const STOP: &str = "AT+CMQTTSTOP";
const ACQUIRE: &str = "AT+CMQTTACCQ";
const RELEASE: &str = "AT+CMQTTREL";
const CONNECT: &str = "AT+CMQTTCONNECT";
const DISCONNECT: &str = "AT+CMQTTDISC";
const TOPIC: &str = "AT+CMQTTTOPIC";
const PAYLOAD: &str = "AT+CMQTTPAYLOAD";
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
    pub(super) const NETWORK_OPENED: i32 = 23;
    pub(super) const PACKET: i32 = 24;
    pub(super) const DNS: i32 = 25;
    pub(super) const CLOSED_BY_SERVER: i32 = 26;
    /// CONNACK codes 1 to 5 are 27 to 31.
    pub(super) const CONNACK: i32 = 26;
    pub(super) const HANDSHAKE: i32 = 32;
    pub(super) const CERTIFICATE: i32 = 33;
    pub(super) const DISCONNECT: i32 = 35;
}

/// Service, client and connection are one line of states; what is further along it is the larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    (TOPIC, TYPED),
    (PAYLOAD, TYPED),
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

/// The service.
pub(super) struct Cmqtt {
    clients: Vec<Client>,
    /// Whose input is being typed.
    typist: usize,
}

impl Cmqtt {
    pub(super) fn new(clients: u8) -> Cmqtt {
        Cmqtt { clients: (0..clients.max(1)).map(Client::new).collect(), typist: 0 }
    }

    /// How far the service is: as far as its furthest client.
    fn state(&self) -> State {
        self.clients.iter().map(|client| client.state).max().unwrap_or(State::Stopped)
    }

    /// Every client as new, in this state.
    fn begin(&mut self, state: State) {
        self.clients = self.clients.iter().map(|client| Client { state, ..Client::new(client.index) }).collect();
    }

    fn start(&mut self, device: &mut Device, call: &Matched<'_>) -> Answer {
        let context = call.int("cid");
        let code = if device.activate(context.unwrap_or(1)) { err::OK } else { err::NETWORK_OPEN };
        if code == err::OK {
            self.begin(State::Started);
        }
        device.replies.urc(result_of_service(START, code, context), device.now);
        Answer::Accepted
    }

    fn stop(&mut self, device: &mut Device, call: &Matched<'_>) -> Answer {
        self.begin(State::Stopped);
        device.replies.urc(result_of_service(STOP, err::OK, call.int("cid")), device.now);
        Answer::Accepted
    }

    /// A line for each client; AT+CMQTTSUB? has one for each topic.
    fn read(&self, device: &mut Device, name: &str, command: &Command) {
        if name == SUBSCRIBE {
            device.replies.info("+CMQTTSUB:");
            let topics = self.clients.iter().flat_map(|client| &client.subscriptions);
            topics.for_each(|topic| device.replies.info(topic));
            return;
        }
        for client in &self.clients {
            if let Some(line) = read_line(name, command, |field| client.field(command, field)) {
                device.replies.info(line);
            }
        }
    }
}

/// `+CMQTTSTART: 0`, with the PDP context where one was named.
fn result_of_service(command: &str, code: i32, context: Option<i64>) -> String {
    let name = command.trim_start_matches("AT");
    match context {
        Some(context) => format!("{name}: {code},{context}"),
        None => format!("{name}: {code}"),
    }
}

/// Refused with a reason: the command's own line, then `ERROR`.
fn refuse(device: &mut Device, client: u8, command: &str, code: i32) -> Answer {
    let name = command.trim_start_matches("AT");
    device.replies.info(match command {
        START | STOP => format!("{name}: {code}"),
        _ => format!("{name}: {client},{code}"),
    });
    Answer::Refused(Refusal::State)
}

fn rule(state: State, command: &str) -> Rule {
    let column = match state {
        State::Stopped => 0,
        State::Started => 1,
        State::Acquired => 2,
        State::Busy => 3,
        State::Connected => 4,
        State::Lost => 5,
    };
    RULES.iter().find(|(name, _)| *name == command).map_or(No, |(_, row)| row[column])
}

/// What is left over from another program is told with its number, where a quirk does: the service runs already, or does
/// not, a client is still there, or not.
fn leftover(device: &Device, state: State, command: &str) -> Option<i32> {
    let code = match (command, state) {
        (START, State::Stopped) => return None,
        (START, _) => err::NETWORK_OPENED,
        (STOP, State::Stopped) => err::NETWORK_CLOSED,
        (RELEASE, State::Stopped) => err::NOT_ACQUIRED,
        (STOP, state) if state > State::Started => err::CLIENT_USED,
        _ => return None,
    };
    device.quirks.has("leftovers").then_some(code)
}

/// The number of the client a command is for.
fn index_of(call: &Matched<'_>) -> usize {
    let number = ["client_index", "session_id", "index"].iter().find_map(|name| call.int(name));
    number.and_then(|number| usize::try_from(number).ok()).unwrap_or_default()
}

impl Service for Cmqtt {
    fn call(&mut self, device: &mut Device, call: &Call<'_>) -> Answer {
        let matched = match call {
            Call::Read(..) if self.state() == State::Stopped && !device.quirks.has("state_ignored") => {
                return Answer::Refused(Refusal::State);
            }
            Call::Read(name, command) => {
                self.read(device, name, command);
                return Answer::Done;
            }
            Call::Write(matched) => matched,
        };
        let (name, index) = (matched.command_name, index_of(matched));
        let concerns_all = matches!(name, START | STOP);
        let state = self.state();
        let Some(client) = self.clients.get_mut(index) else { return Answer::Refused(Refusal::Parameter) };
        let state = if concerns_all { state } else { client.state };
        let rule = match leftover(device, state, name) {
            Some(code) => Why(code),
            None if client.is_kept_back(device, name) => BUSY,
            None => rule(state, name),
        };
        match rule {
            Go if name == START => self.start(device, matched),
            Go if name == STOP => self.stop(device, matched),
            Go => {
                let answer = client.write(device, matched);
                if matches!(answer, Answer::Typed(_)) {
                    self.typist = index;
                }
                answer
            }
            No if device.quirks.has("state_ignored") => {
                match name {
                    START | STOP => device.replies.urc(result_of_service(name, err::OK, None), device.now),
                    CONNECT | DISCONNECT | PUBLISH | SUBSCRIBE | UNSUBSCRIBE => client.result(device, name, err::OK),
                    _ => return Answer::Done,
                }
                Answer::Accepted
            }
            No => Answer::Refused(Refusal::State),
            Why(code) => {
                client.use_up(device, matched);
                refuse(device, client.index, name, code)
            }
        }
    }

    fn typed(&mut self, device: &mut Device, ended: Ended) -> Answer {
        let Some(client) = self.clients.get_mut(self.typist) else { return Answer::Refused(Refusal::Cancelled) };
        let (Some(typing), Ended::With(bytes)) = (client.typing.take(), ended) else {
            return Answer::Refused(Refusal::Cancelled);
        };
        // The connection may have gone while the host was typing.
        match rule(client.state, &typing.command) {
            Go => client.take(device, typing, bytes),
            No => Answer::Refused(Refusal::State),
            Why(code) => refuse(device, client.index, &typing.command, code),
        }
    }

    fn link(&mut self, device: &mut Device, client: u8, event: LinkEvent) {
        if let Some(client) = self.clients.get_mut(usize::from(client)) {
            client.network_did(device, event);
        }
    }

    fn shown(&mut self, shown: Shown) {
        // A connection may be lost before the host has been told of it: both are told, one behind the other.
        if let Shown::Cmqtt(client, state) = shown
            && let Some(client) = self.clients.get_mut(usize::from(client))
            && matches!(client.state, State::Busy | State::Connected | State::Lost)
        {
            client.state = state;
        }
    }

    fn network_down(&mut self, device: &mut Device, _context: Option<i64>) {
        for client in &mut self.clients {
            client.lose_network(device);
        }
    }

    fn restart(&mut self) {
        self.begin(State::Stopped);
    }
}
