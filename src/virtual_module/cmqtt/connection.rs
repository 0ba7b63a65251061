//! Connecting, disconnecting, and what becomes of a connection; each code by its cause (decisions 19, 25).

use crate::dialect::Matched;
use crate::dialect::Value;
use crate::mqtt::ClientEvent;
use crate::mqtt::ClientOptions;
use crate::mqtt::Refused;
use crate::virtual_module::cmqtt::CONNECT;
use crate::virtual_module::cmqtt::DISCONNECT;
use crate::virtual_module::cmqtt::State;
use crate::virtual_module::cmqtt::client::Client;
use crate::virtual_module::cmqtt::err;
use crate::virtual_module::device::Answer;
use crate::virtual_module::device::Device;
use crate::virtual_module::device::Refusal;
use crate::virtual_module::network::LinkEvent;
use crate::virtual_module::network::LostBy;
use crate::virtual_module::network::OpenFault;
use crate::virtual_module::network::Target;
use crate::virtual_module::replies::Shown;
use crate::virtual_module::tls_contexts::ContextFault;
use crate::virtual_module::tls_contexts::security;

const DEFAULT_PORT: u16 = 1883;

/// Causes of +CMQTTCONNLOST.
mod cause {
    /// Also: the peer has fallen silent, and counts as gone.
    pub(super) const CLOSED: i32 = 1;
    /// Also by the module: the socket refuses what it writes, or the broker breaks the protocol.
    pub(super) const RESET: i32 = 2;
    pub(super) const NETWORK: i32 = 3;
}

/// What AT+CMQTTCONNECT was given.
#[derive(Clone, Debug)]
pub(super) struct Address {
    text: String,
    keepalive: i64,
    clean_session: i64,
    user: Option<String>,
    password: Option<Vec<u8>>,
}

impl Address {
    /// What the read form shows under this name.
    pub(super) fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            "server_addr" => Value::from(self.text.as_str()),
            "keepalive_time" => Value::Int(self.keepalive),
            "clean_session" => Value::Int(self.clean_session),
            "user_name" => Value::from(self.user.as_deref()?),
            "pass_word" => Value::Text(self.password.clone()?),
            _ => return None,
        })
    }
}

/// `tcp://host:port`; the port may be left out.
fn host_and_port(text: &str) -> Option<(String, u16)> {
    let rest = text.strip_prefix("tcp://")?;
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !rest.ends_with(']') => (host, port.parse().ok().filter(|port| *port != 0)?),
        _ => (rest, DEFAULT_PORT),
    };
    (!host.is_empty() && !host.contains('/')).then(|| (host.to_owned(), port))
}

impl Client {
    pub(super) fn connect(&mut self, device: &mut Device, call: &Matched<'_>) -> Answer {
        let string = |name: &str| call.text(name).map(|bytes| String::from_utf8(bytes.to_vec()));
        let (Some(Ok(text)), Ok(user)) = (string("server_addr"), string("user_name").transpose()) else {
            return self.refuse(device, CONNECT, err::NOT_UTF8);
        };
        let Some((host, port)) = host_and_port(&text) else { return Answer::Refused(Refusal::Parameter) };
        let Some(held) = &self.held else { return Answer::Refused(Refusal::State) };
        let timeout = device.timer(held.optimeout);
        let secured = match held.server_type {
            0 => Ok(None),
            _ => security(device, self.context_of_tls(device)).map(Some),
        };
        self.address = Some(Address {
            text,
            keepalive: call.int("keepalive_time").unwrap_or_default(),
            clean_session: call.int("clean_session").unwrap_or_default(),
            user: user.filter(|name| !name.is_empty()),
            password: call.text("pass_word").filter(|word| !word.is_empty()).map(<[u8]>::to_vec),
        });
        let failure = match secured {
            _ if !device.activate(1) => err::NETWORK_CLOSED,
            Err(ContextFault::FileMissing) => err::CERTIFICATE,
            Err(ContextFault::FileUnusable) => err::HANDSHAKE,
            Ok(security) => match device.open(self.index, Target { host, port, security }, timeout) {
                Ok(()) => return self.begin(CONNECT),
                Err(_) => err::SOCKET_CONNECT,
            },
        };
        self.connect_failed(device, failure);
        Answer::Accepted
    }

    /// The chosen TLS context, or the one with the client's number (3.2.8).
    fn context_of_tls(&self, device: &Device) -> i64 {
        let first = || device.dialect.default_of("ssl_ctx_index").unwrap_or_default();
        self.tls_context.unwrap_or_else(|| first() + i64::from(self.index))
    }

    /// Without a time-out DISCONNECT may take for ever to leave (3.2.9: no limit set).
    pub(super) fn disconnect(&mut self, device: &mut Device, call: &Matched<'_>) -> Answer {
        if self.pending.is_some() {
            return self.refuse(device, DISCONNECT, err::BUSY);
        }
        let timeout = call.int("timeout").map(i64::unsigned_abs).filter(|seconds| *seconds > 0);
        let within = timeout.map(|seconds| device.speed.seconds(seconds));
        if device.links.part(self.index, within, device.now).is_err() {
            return self.refuse(device, DISCONNECT, err::NO_CONNECTION);
        }
        self.begin(DISCONNECT)
    }

    pub(super) fn network_did(&mut self, device: &mut Device, event: LinkEvent) {
        match event {
            // This family asks nothing beside MQTT.
            LinkEvent::Answered(_) => {}
            LinkEvent::Opened => self.say_connect(device),
            LinkEvent::OpenFailed(fault) => {
                let code = match fault {
                    OpenFault::NotResolved => err::DNS,
                    OpenFault::Refused => err::SOCKET_CONNECT,
                    OpenFault::TimedOut => err::TIMED_OUT,
                    OpenFault::Tls => err::HANDSHAKE,
                };
                self.connect_failed(device, code);
            }
            LinkEvent::Parted => self.disconnected(device, err::OK),
            LinkEvent::Lost(by) if self.awaits() == Some(DISCONNECT) => match by {
                LostBy::PeerClosed | LostBy::PeerReset => self.disconnected(device, err::OK),
                _ => self.disconnected(device, err::DISCONNECT),
            },
            LinkEvent::Lost(by) if self.awaits() == Some(CONNECT) => match by {
                LostBy::PeerClosed | LostBy::PeerReset => self.connect_failed(device, err::CLOSED_BY_SERVER),
                _ => self.connect_failed(device, err::SEND),
            },
            LinkEvent::Lost(by) => {
                let (code, cause) = match by {
                    LostBy::PeerClosed => (err::CLOSED_BY_SERVER, cause::CLOSED),
                    LostBy::PeerReset => (err::CLOSED_BY_SERVER, cause::RESET),
                    _ => (err::SEND, cause::RESET),
                };
                self.lost(device, code, cause);
            }
            LinkEvent::Mqtt(ClientEvent::Connack { code: 0, session_present }) => {
                self.pending = None;
                if !session_present {
                    self.subscriptions.clear();
                }
                let line = format!("+CMQTTCONNECT: {},{}", self.index, err::OK);
                device.replies.urc_then(line, Shown::Cmqtt(self.index, State::Connected), device.now);
            }
            LinkEvent::Mqtt(ClientEvent::Connack { code, .. }) => {
                self.connect_failed(device, err::CONNACK + i32::from(code.clamp(1, 5)));
            }
            LinkEvent::Mqtt(ClientEvent::ConnectTimedOut) => self.connect_failed(device, err::TIMED_OUT),
            LinkEvent::Mqtt(ClientEvent::PingTimedOut) => self.lost(device, err::TIMED_OUT, cause::CLOSED),
            LinkEvent::Mqtt(ClientEvent::ProtocolError(_)) if self.awaits() == Some(CONNECT) => {
                self.connect_failed(device, err::PACKET);
            }
            LinkEvent::Mqtt(ClientEvent::ProtocolError(_)) => self.lost(device, err::PACKET, cause::RESET),
            LinkEvent::Mqtt(event) => self.answered(device, event),
        }
    }

    /// The bearer is gone under a connection, or under one that is being made.
    pub(super) fn lose_network(&mut self, device: &mut Device) {
        if !device.links.has(self.index) {
            return;
        }
        device.links.cut(self.index);
        match self.awaits() {
            Some(CONNECT) => self.connect_failed(device, err::NETWORK_CLOSED),
            Some(DISCONNECT) => self.disconnected(device, err::OK),
            _ => self.lost(device, err::NETWORK_CLOSED, cause::NETWORK),
        }
    }

    /// The socket is there: CONNECT.
    fn say_connect(&mut self, device: &mut Device) {
        let (Some(held), Some(address)) = (&self.held, &self.address) else { return };
        let keep_alive = address.keepalive.unsigned_abs();
        let options = ClientOptions {
            level: held.level,
            client_id: held.id.clone(),
            clean_session: address.clean_session == 1,
            keep_alive: device.timer(keep_alive),
            keep_alive_s: u16::try_from(keep_alive).ok(),
            will: self.staged.will(),
            username: address.user.clone(),
            password: address.password.clone(),
            packet_timeout: device.timer(held.optimeout),
            // The document knows no retransmission.
            retry_times: 0,
            ping_timeout: device.timer(held.optimeout),
            ..ClientOptions::default()
        };
        match device.links.connect(self.index, options, device.now) {
            Ok(()) => {}
            // The topic of the will.
            Err(Refused::InvalidTopic(_)) => self.connect_failed(device, err::PARAMETER),
            // Opened and closed in one moment.
            Err(Refused::NotConnected) => self.connect_failed(device, err::CLOSED_BY_SERVER),
            Err(_) => self.connect_failed(device, err::FAILED),
        }
    }

    /// The client stays acquired; the choice of TLS context is forgotten (3.2.5).
    fn connect_failed(&mut self, device: &mut Device, code: i32) {
        device.links.close(self.index);
        self.pending = None;
        self.forget_tls_context(device);
        self.state = State::Busy;
        let line = format!("+CMQTTCONNECT: {},{code}", self.index);
        device.replies.urc_then(line, Shown::Cmqtt(self.index, State::Acquired), device.now);
    }

    fn forget_tls_context(&mut self, device: &Device) {
        self.tls_context = self.tls_context.filter(|_| device.quirks.has("nothing_forgotten"));
    }

    fn disconnected(&mut self, device: &mut Device, code: i32) {
        device.links.close(self.index);
        self.pending = None;
        self.forget_tls_context(device);
        let line = format!("+CMQTTDISC: {},{code}", self.index);
        device.replies.urc_then(line, Shown::Cmqtt(self.index, State::Acquired), device.now);
    }

    /// The broker ends a connection over which it refused something.
    pub(super) fn lost_by_policy(&mut self, device: &mut Device) {
        self.lost(device, err::CLOSED_BY_SERVER, cause::CLOSED);
    }

    /// The connection is gone; client and service stay (decision 25). What was under way fails first.
    fn lost(&mut self, device: &mut Device, code: i32, cause: i32) {
        device.links.close(self.index);
        if let Some(pending) = self.pending.take() {
            self.result(device, pending.command, code);
        }
        self.state = State::Lost;
        let line = format!("+CMQTTCONNLOST: {},{cause}", self.index);
        device.replies.urc_then(line, Shown::Cmqtt(self.index, State::Acquired), device.now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_a_host_and_perhaps_a_port() {
        assert_eq!(Some(("a.b".to_owned(), 1883)), host_and_port("tcp://a.b"));
        assert_eq!(Some(("10.0.0.1".to_owned(), 5141)), host_and_port("tcp://10.0.0.1:5141"));
        assert_eq!(Some(("[::1]".to_owned(), 1884)), host_and_port("tcp://[::1]:1884"));
        assert_eq!(Some(("[::1]".to_owned(), 1883)), host_and_port("tcp://[::1]"));
        for wrong in ["a.b:1883", "tcp://", "tcp://:1883", "tcp://a:0", "tcp://a:99999", "tcp://a:b", "tcp://a/b"] {
            assert_eq!(None, host_and_port(wrong), "{wrong}");
        }
    }
}
