//! Opening, connecting, disconnecting, closing, and what becomes of a connection; each code by its cause (decisions 18 to 24).

use std::time::Duration;

use crate::dialect::Matched;
use crate::dialect::Value;
use crate::mqtt::ClientEvent;
use crate::mqtt::ClientOptions;
use crate::mqtt::Level;
use crate::mqtt::Qos;
use crate::mqtt::Will;
use crate::virtual_module::device::Answer;
use crate::virtual_module::device::Device;
use crate::virtual_module::device::Refusal;
use crate::virtual_module::network::LinkEvent;
use crate::virtual_module::network::LostBy;
use crate::virtual_module::network::OpenFault;
use crate::virtual_module::network::Target;
use crate::virtual_module::qmt::CFG;
use crate::virtual_module::qmt::Client;
use crate::virtual_module::qmt::Qmt;
use crate::virtual_module::qmt::State;
use crate::virtual_module::qmt::cloud::credentials;
use crate::virtual_module::qmt::later::Later;
use crate::virtual_module::qmt::later::span_of;
use crate::virtual_module::qmt::publish::refusal;
use crate::virtual_module::qmt::say;
use crate::virtual_module::qmt::setting;
use crate::virtual_module::qmt::setting_int;
use crate::virtual_module::qmt::worded;
use crate::virtual_module::replies::Shown;
use crate::virtual_module::tls_contexts::security;

/// Results of QMTOPEN.
mod open {
    pub(super) const FAILED: i32 = -1;
    pub(super) const OK: i32 = 0;
    pub(super) const WRONG_PARAMETER: i32 = 1;
    pub(super) const PDP: i32 = 3;
    pub(super) const DNS: i32 = 4;
    pub(super) const NETWORK: i32 = 5;
}

/// Codes of +QMTSTAT.
mod stat {
    pub(super) const PEER_CLOSED: i32 = 1;
    pub(super) const PING: i32 = 2;
    pub(super) const CONNECT: i32 = 3;
    pub(super) const CONNACK: i32 = 4;
    pub(super) const DISCONNECTED: i32 = 5;
    pub(super) const SEND: i32 = 6;
    pub(super) const NETWORK: i32 = 7;
    pub(super) const OWN: i32 = 8;
}

impl Qmt {
    pub(super) fn open(&mut self, device: &mut Device, index: u8, call: &Matched<'_>) -> Answer {
        let host = call.text("host_name").unwrap_or_default().to_vec();
        let port = call.int("port").unwrap_or_default();
        let timeout = call.command.max_response.as_ref().and_then(|most| most.ms).unwrap_or(120_000);
        let timeout = device.speed.span(Duration::from_millis(timeout));
        let context = setting_int(device, index, "pdpcid", 1).unwrap_or(1);
        let failure = match (host_name(&host), u16::try_from(port)) {
            (Some(host), Ok(port)) if port != 0 => {
                let client = self.client(index);
                (client.host, client.port) = (host.clone(), i64::from(port));
                if !device.activate(context) {
                    open::PDP
                } else {
                    match tls(device, index) {
                        Err(()) => open::FAILED,
                        Ok(security) => {
                            let slow = span_of(device, "slow_tls").filter(|_| security.is_some());
                            let target = Target { host, port, security };
                            self.begin(index, State::Opening);
                            match slow {
                                Some(span) => self.plan(device, index, span, Later::Dial(target, timeout)),
                                None => self.dial(device, index, target, timeout),
                            }
                            return Answer::Accepted;
                        }
                    }
                }
            }
            _ => open::WRONG_PARAMETER,
        };
        self.opened(device, index, failure);
        Answer::Accepted
    }

    /// Starts to make the connection.
    pub(super) fn dial(&mut self, device: &mut Device, index: u8, target: Target, timeout: Duration) {
        if device.open(index, target, timeout).is_err() {
            self.opened(device, index, open::NETWORK);
        }
    }

    /// TCP is closed without DISCONNECT, so that the broker publishes the will (decision 22).
    pub(super) fn close(&mut self, device: &mut Device, index: u8) -> Answer {
        if self.owes(index, State::Opening) {
            say(device, format!("+QMTOPEN: {index},{}", open::FAILED));
        }
        self.fail_connect(device, index);
        self.forget(device, index);
        if device.quirks.has("settings_forgotten") {
            device.settings_mut(CFG).forget(i64::from(index));
        }
        self.begin(index, State::Closing);
        let line = format!("+QMTCLOSE: {index},0");
        let slow = span_of(device, "slow_close");
        match slow {
            Some(span) => self.plan(device, index, span, Later::LineThen(line, State::Closed)),
            None => self.tell(device, index, line, State::Closed),
        }
        if let Some(span) = span_of(device, "stat_after_close") {
            let line = format!("+QMTSTAT: {index},{}", stat::PEER_CLOSED);
            self.plan(device, index, slow.unwrap_or_default() + span, Later::Line(line));
        }
        Answer::Accepted
    }

    pub(super) fn connect(&mut self, device: &mut Device, index: u8, call: &Matched<'_>) -> Answer {
        let text = |place: usize| match call.values.get(place) {
            Some((_, Value::Text(bytes))) => String::from_utf8(bytes.clone()).map(Some),
            _ => Ok(None),
        };
        let (Ok(Some(client_id)), Ok(username)) = (text(1), text(2)) else {
            return Answer::Refused(Refusal::Parameter);
        };
        let password = match call.values.get(3) {
            Some((_, Value::Text(bytes))) => Some(bytes.clone()),
            _ => None,
        };
        // A user name that the host gives counts more than one the module would make.
        let made = self.client(index).platform.filter(|_| username.is_none());
        let made = made.and_then(|platform| credentials(device, index, platform, &client_id));
        let (client_id, username, password) = match made {
            Some(made) => (made.client_id, Some(made.username), Some(made.password.into_bytes())),
            None => (client_id, username, password),
        };
        let number = |key, place, default| setting_int(device, index, key, place).unwrap_or(default).unsigned_abs();
        let keep_alive = number("keepalive", 1, 120);
        let packet_timeout = device.timer(number("timeout", 1, 5));
        let options = ClientOptions {
            // NB-IoT modules number the versions 0 and 1, too.
            level: if matches!(number("version", 1, 3), 1 | 4) { Level::V311 } else { Level::V31 },
            client_id,
            clean_session: number("session", 1, 0) == 1 || device.quirks.has("session_forgotten"),
            keep_alive: device.timer(if device.quirks.has("never_pings") { 0 } else { keep_alive }),
            keep_alive_s: u16::try_from(keep_alive).ok(),
            will: will(device, index).filter(|_| !device.quirks.has("will_forgotten")),
            username,
            password,
            packet_timeout,
            retry_times: u32::try_from(number("timeout", 2, 3))
                .unwrap_or(0)
                .saturating_sub(u32::from(device.quirks.has("resends_once_less"))),
            ping_timeout: setting_int(device, index, "qmtping", 1)
                .map_or(packet_timeout, |seconds| device.timer(seconds.unsigned_abs())),
            window: usize::from(device.dialect.limits.window.unwrap_or(u8::MAX)),
            strict: setting_int(device, index, "protocol/check", 1) == Some(1),
            ..ClientOptions::default()
        };
        match device.links.connect(index, options, device.now) {
            Ok(()) => {
                self.begin(index, State::Connecting);
                Answer::Accepted
            }
            Err(refused) => Answer::Refused(refusal(&refused)),
        }
    }

    pub(super) fn disconnect(&mut self, device: &mut Device, index: u8) -> Answer {
        match device.links.part(index, None, device.now) {
            Ok(()) => {
                self.begin(index, State::Disconnecting);
                Answer::Accepted
            }
            Err(_) => Answer::Refused(Refusal::State),
        }
    }

    pub(super) fn network_did(&mut self, device: &mut Device, index: u8, event: LinkEvent) {
        match event {
            LinkEvent::Opened => self.opened(device, index, open::OK),
            LinkEvent::OpenFailed(fault) => {
                let code = match fault {
                    OpenFault::NotResolved => open::DNS,
                    OpenFault::Refused => open::NETWORK,
                    OpenFault::TimedOut | OpenFault::Tls => open::FAILED,
                };
                self.opened(device, index, code);
            }
            LinkEvent::Parted => {
                // The broker closes the socket in its own time; nobody is told of that (decision 21).
                self.forget(device, index);
                let line = format!("+QMTDISC: {index},0");
                if !device.quirks.has("stat_after_disc") {
                    return self.tell(device, index, line, State::Disconnected);
                }
                if device.quirks.text("stat_after_disc", "result") != Some("left_out") {
                    say(device, line);
                }
                let line = format!("+QMTSTAT: {index},{}", stat::DISCONNECTED);
                self.tell(device, index, line, State::Disconnected);
            }
            LinkEvent::Lost(by) => self.lost(device, index, by),
            LinkEvent::Mqtt(ClientEvent::Connack { code: 0, .. }) => {
                self.client(index).told = true;
                let retcode = if has_two_fields(device, "success") { "" } else { ",0" };
                let line = format!("+QMTCONN: {index},0{retcode}");
                self.tell(device, index, line, State::Connected);
            }
            LinkEvent::Mqtt(ClientEvent::Connack { code, .. }) => {
                self.client(index).told = true;
                let result = if has_two_fields(device, "failure") { "2".to_owned() } else { format!("0,{code}") };
                self.end_with(device, index, format!("+QMTCONN: {index},{result}"), stat::CONNACK);
            }
            LinkEvent::Mqtt(ClientEvent::ConnectTimedOut) => self.end(device, index, stat::CONNACK),
            LinkEvent::Mqtt(ClientEvent::PingTimedOut) => self.ping_failed(device, index),
            LinkEvent::Mqtt(ClientEvent::ProtocolError(_)) => {
                let known = device.dialect.meaning("QMTSTAT err_code", i64::from(stat::OWN));
                let own = known.is_some_and(|row| row.meaning != "reserved");
                self.end(device, index, if own { stat::OWN } else { stat::PEER_CLOSED });
            }
            LinkEvent::Mqtt(event) => self.answered(device, index, event),
            LinkEvent::Answered(outcome) => self.token_answered(device, outcome),
        }
    }

    /// The bearer is gone under a connection, or under one that is being made.
    pub(super) fn lose_network(&mut self, device: &mut Device, index: u8) {
        let opens = self.owes(index, State::Opening);
        if !opens && !device.links.has(index) {
            return;
        }
        device.links.cut(index);
        match opens {
            true => self.opened(device, index, open::NETWORK),
            false => self.end(device, index, stat::NETWORK),
        }
    }

    /// A command has begun whose result is still to come.
    fn begin(&mut self, index: u8, state: State) {
        let client = self.client(index);
        (client.state, client.told) = (state, false);
        client.begun = client.begun.wrapping_add(1);
    }

    /// Whether the command that led to this state has no result yet.
    fn owes(&mut self, index: u8, state: State) -> bool {
        let client = self.client(index);
        client.state == state && !client.told
    }

    /// A line behind which the client is in another state.
    pub(super) fn tell(&mut self, device: &mut Device, index: u8, line: impl Into<Vec<u8>>, state: State) {
        let begun = self.client(index).begun;
        let line = worded(device, line);
        device.replies.urc_then(line, Shown::Qmt(index, state, begun), device.now);
    }

    /// A CONNECT whose answer will not come.
    fn fail_connect(&mut self, device: &mut Device, index: u8) {
        if self.owes(index, State::Connecting) {
            self.client(index).told = true;
            say(device, format!("+QMTCONN: {index},2"));
        }
    }

    fn opened(&mut self, device: &mut Device, index: u8, code: i32) {
        let state = if code == open::OK { State::Open } else { State::Closed };
        if code != open::OK {
            self.forget(device, index);
        }
        let client = self.client(index);
        (client.state, client.told) = (State::Opening, true);
        self.tell(device, index, format!("+QMTOPEN: {index},{code}"), state);
        if code == open::OK {
            if let Some(span) = span_of(device, "idle_open_lost") {
                self.plan(device, index, span, Later::Lose);
            }
            let loses = device.quirks.has("stat_after_open");
            if loses && self.lost_opens < device.quirks.number("stat_after_open", "count").unwrap_or(1) {
                self.lost_opens += 1;
                self.plan(device, index, Duration::ZERO, Later::Lose);
            }
        }
    }

    pub(super) fn lost(&mut self, device: &mut Device, index: u8, by: LostBy) {
        let code = match by {
            LostBy::PeerClosed | LostBy::PeerReset => stat::PEER_CLOSED,
            LostBy::SendingPing => stat::PING,
            LostBy::SendingConnect => stat::CONNECT,
            LostBy::SendingRequest | LostBy::Parting => stat::SEND,
        };
        if self.owes(index, State::Disconnecting) {
            let (result, code) = match by {
                // The server was quicker than DISCONNECT.
                LostBy::PeerClosed | LostBy::PeerReset => (0, stat::DISCONNECTED),
                _ => (-1, code),
            };
            say(device, format!("+QMTDISC: {index},{result}"));
            return self.end(device, index, code);
        }
        self.end(device, index, code);
    }

    /// The connection is over: +QMTSTAT says why, and the client is closed. A CONNECT whose answer will not come has failed.
    pub(super) fn end(&mut self, device: &mut Device, index: u8, code: i32) {
        if self.owes(index, State::Connecting) {
            return self.end_with(device, index, format!("+QMTCONN: {index},2"), code);
        }
        self.forget(device, index);
        self.tell(device, index, format!("+QMTSTAT: {index},{code}"), State::Closed);
    }

    /// The same with a result of AT+QMTCONN.
    fn end_with(&mut self, device: &mut Device, index: u8, result: String, code: i32) {
        self.forget(device, index);
        self.client(index).told = true;
        let reason = format!("+QMTSTAT: {index},{code}");
        if device.quirks.has("stat_glued") {
            let both = [worded(device, reason), worded(device, result)].concat();
            return self.tell(device, index, both, State::Closed);
        }
        let (first, last) = if device.quirks.has("stat_before_conn") { (reason, result) } else { (result, reason) };
        say(device, first);
        self.tell(device, index, last, State::Closed);
    }

    /// No PINGRESP came: +QMTPING where the document has it, with what it says follows; else +QMTSTAT (decision 23).
    fn ping_failed(&mut self, device: &mut Device, index: u8) {
        let Some(urc) = device.dialect.urcs.get("+QMTPING") else { return self.end(device, index, stat::PING) };
        self.forget(device, index);
        let line = format!("+QMTPING: {index},1");
        self.tell(device, index, line, State::Closed);
        for name in &urc.followed_by {
            say(device, format!("{name}: {index},0"));
        }
    }

    /// Socket, slots and identifiers of a client are given back.
    fn forget(&mut self, device: &mut Device, index: u8) {
        device.links.close(index);
        let Client { slots, written, .. } = self.client(index);
        slots.clear();
        written.clear();
    }
}

/// Whether +QMTCONN of a CONNECT that the broker answered so has two fields.
fn has_two_fields(device: &Device, outcome: &str) -> bool {
    let when = device.quirks.text("conn_two_fields", "when").unwrap_or("both");
    device.quirks.has("conn_two_fields") && (when == "both" || when == outcome)
}

/// A host name that could be one.
fn host_name(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    (!text.is_empty() && text.chars().all(fits)).then(|| text.to_owned())
}

/// The security of a client's connection; `Err`: its context makes none.
fn tls(device: &Device, index: u8) -> Result<Option<crate::virtual_module::tls_contexts::Security>, ()> {
    if setting_int(device, index, "ssl", 1) != Some(1) {
        return Ok(None);
    }
    let context = setting_int(device, index, "ssl", 2).unwrap_or(0);
    security(device, context).map(Some).map_err(|_| ())
}

/// What AT+QMTCFG="will" or "willex" set.
fn will(device: &Device, index: u8) -> Option<Will> {
    if setting_int(device, index, "will", 1) != Some(1) {
        return None;
    }
    let text = |place| match setting(device, index, "will", place) {
        Some(Value::Text(bytes)) => bytes,
        _ => Vec::new(),
    };
    Some(Will {
        topic: String::from_utf8(text(4)).ok()?,
        payload: text(5),
        qos: Qos::from_byte(setting_int(device, index, "will", 2)? as u8)?,
        retain: setting_int(device, index, "will", 3) == Some(1),
    })
}
