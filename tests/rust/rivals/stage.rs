//! A virtual module on a broker of either sort, a tap between them, and the list of what happened. The same verbs for both
//! sorts of module, so that a scenario is written once.

use std::time::Duration;

use modemrig::dialect::schema::Family;
use modemrig::mqtt::Level;
use modemrig::mqtt::Qos;
use modemrig::virtual_module::BrokerAddress;
use modemrig::virtual_module::Network;

use crate::virtual_host::Host;

use super::Broker;
use super::Peer;
use super::Rival;
use super::tap::Tap;

/// Ends of connections, as the hosts are told.
const ENDED: &[&str] = &["+QMTSTAT: 0,1", "+QMTCLOSE: ", "+QMTDISC: ", "+CMQTTCONNLOST: ", "+CMQTTDISC: "];

/// Whose commands, at which level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Speaker {
    pub dialect: &'static str,
    pub level: Level,
}

/// Level 3 is a Quectel module's only: SIM7028 speaks 3.1.1.
pub const SPEAKERS: [Speaker; 3] = [
    Speaker { dialect: "lte_standard_a", level: Level::V31 },
    Speaker { dialect: "lte_standard_a", level: Level::V311 },
    Speaker { dialect: "sim7028", level: Level::V311 },
];

impl Speaker {
    pub fn family(self) -> Family {
        if self.dialect == "sim7028" { Family::Cmqtt } else { Family::Qmt }
    }
}

/// A module, its broker, and the tap between them; what happened, row by row.
pub struct Stage {
    pub broker: Broker,
    pub tap: Tap,
    pub host: Host,
    pub rows: Vec<String>,
    speaker: Speaker,
    secure: bool,
    connections: usize,
}

impl Stage {
    /// None where the broker is not installed.
    pub fn new(rival: Rival, speaker: Speaker, secure: bool) -> Option<Stage> {
        let broker = Broker::start(rival)?;
        let (port, tls_port) = broker.ports();
        let tap = if secure { Tap::start(tls_port, None) } else { Tap::start(port, Some(speaker.level)) };
        let address = BrokerAddress { host: "127.0.0.1".into(), port: tap.port(), tls_port: tap.port() };
        let mut host = Host::with(speaker.dialect, |options| {
            options.network = Network { redirect: Some(address) };
            options.gap = Duration::ZERO;
        });
        host.ok("ATE0");
        match speaker.family() {
            Family::Qmt => {
                host.ok(&format!("AT+QMTCFG=\"version\",0,{}", speaker.level.byte()));
                host.ok(&format!("AT+QMTCFG=\"ssl\",0,{},0", u8::from(secure)));
            }
            Family::Cmqtt => {
                host.result("AT+CMQTTSTART", "+CMQTTSTART: 0");
                host.ok(&format!("AT+CMQTTACCQ=0,\"module\",{}", u8::from(secure)));
            }
        }
        Some(Stage { broker, tap, host, speaker, secure, connections: 0, rows: Vec::new() })
    }

    pub fn level(&self) -> Level {
        self.speaker.level
    }

    pub fn family(&self) -> Family {
        self.speaker.family()
    }

    /// A command, and everything up to the last of these words, whatever their order.
    pub fn at(&mut self, line: &str, words: &[&str]) {
        let said = self.host.ok(line);
        self.wait(said, words);
    }

    /// Messages with these payloads come to the host.
    pub fn hears(&mut self, payloads: &[&str]) {
        let shown: Vec<String> = payloads.iter().map(|payload| self.shown(payload)).collect();
        self.wait(String::new(), &shown.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// An empty message on this topic comes to the host.
    pub fn hears_empty(&mut self, topic: &str) {
        let words = match self.family() {
            Family::Qmt => format!("\"{topic}\",\"\""),
            Family::Cmqtt => format!("+CMQTTRXSTART: 0,{},0", topic.len()),
        };
        self.wait(String::new(), &[&words]);
    }

    /// The connection is lost, and the host is told.
    pub fn is_lost(&mut self) {
        self.wait(String::new(), &[self.lost()]);
    }

    pub fn connect(&mut self, clean: bool) {
        self.connections += 1;
        let (clean, port) = (u8::from(clean), if self.secure { 8883 } else { 1883 });
        match self.family() {
            Family::Qmt => {
                self.at(&format!("AT+QMTCFG=\"session\",0,{clean}"), &[]);
                self.at(&format!("AT+QMTOPEN=0,\"broker.example\",{port}"), &["+QMTOPEN: 0,0"]);
                self.at("AT+QMTCONN=0,\"module\"", &["+QMTCONN: 0,0,0"]);
            }
            Family::Cmqtt => {
                let line = format!("AT+CMQTTCONNECT=0,\"tcp://broker.example:{port}\",120,{clean}");
                self.at(&line, &["+CMQTTCONNECT: 0,0"]);
            }
        }
    }

    /// The next connection has a will.
    pub fn will(&mut self, topic: &str, payload: &str, qos: Qos, retain: bool) {
        let (qos, retain) = (qos.byte(), u8::from(retain));
        match self.family() {
            Family::Qmt => {
                self.at(&format!("AT+QMTCFG=\"will\",0,1,{qos},{retain},\"{topic}\",\"{payload}\""), &[]);
            }
            Family::Cmqtt => {
                self.types(&format!("AT+CMQTTWILLTOPIC=0,{}", topic.len()), topic);
                self.types(&format!("AT+CMQTTWILLMSG=0,{},{qos}", payload.len()), payload);
            }
        }
    }

    pub fn subscribe(&mut self, filter: &str, qos: Qos) {
        let qos = qos.byte();
        match self.family() {
            Family::Qmt => self.at(&format!("AT+QMTSUB=0,1,\"{filter}\",{qos}"), &["+QMTSUB: 0,1,0,"]),
            Family::Cmqtt => {
                let said = self.types(&format!("AT+CMQTTSUB=0,{},{qos}", filter.len()), filter);
                self.wait(said, &["+CMQTTSUB: 0,0"]);
            }
        }
    }

    pub fn unsubscribe(&mut self, filter: &str) {
        match self.family() {
            Family::Qmt => self.at(&format!("AT+QMTUNS=0,2,\"{filter}\""), &["+QMTUNS: 0,2,0"]),
            Family::Cmqtt => {
                let said = self.types(&format!("AT+CMQTTUNSUB=0,{},0", filter.len()), filter);
                self.wait(said, &["+CMQTTUNSUB: 0,0"]);
            }
        }
    }

    /// The module publishes; everything up to its result, and these payloads coming back.
    pub fn publish(&mut self, id: u16, topic: &str, payload: &str, qos: Qos, retain: bool, back: &[&str]) {
        let (said, result) = self.typed(id, topic, payload, qos, retain);
        let shown: Vec<String> = back.iter().map(|payload| self.shown(payload)).collect();
        let words: Vec<&str> = shown.iter().map(String::as_str).chain([result.as_str()]).collect();
        self.wait(said, &words);
    }

    /// The module publishes into a line that breaks.
    pub fn publish_lost(&mut self, topic: &str, payload: &str, qos: Qos) {
        let (said, _) = self.typed(LOST_ID, topic, payload, qos, false);
        self.wait(said, &[self.lost()]);
    }

    /// What was published into a broken line has its result, on this connection if not on the one before. SIM7028 has
    /// given it up with the connection.
    pub fn lost_publish_ends(&mut self, qos: Qos) {
        let result = format!("+QMTPUBEX: 0,{LOST_ID},0");
        let owed = self.family() == Family::Qmt && qos != Qos::AtMostOnce;
        if owed && !self.rows.iter().any(|row| row.contains(&result)) {
            self.wait(String::new(), &[&result]);
        }
    }

    pub fn disconnect(&mut self) {
        match self.family() {
            Family::Qmt => self.at("AT+QMTDISC=0", &["+QMTDISC: 0,0"]),
            Family::Cmqtt => self.at("AT+CMQTTDISC=0,60", &["+CMQTTDISC: 0,0"]),
        }
        self.tap.until_ended(self.connections);
    }

    pub fn peer(&self, name: &str) -> Peer {
        Peer::connect(&self.broker, self.level(), name, true)
    }

    pub fn left(&mut self, peer: Peer) {
        self.rows.extend(peer.leave());
    }

    /// What came of it: lines of the host, messages of the peers, packets in the tap.
    pub fn end(mut self) -> Vec<String> {
        if !self.secure {
            self.rows.extend(self.tap.rows());
        }
        self.rows.extend(self.broker.complaints().into_iter().map(|text| format!("complaint {text}")));
        self.rows
    }

    fn shown(&self, payload: &str) -> String {
        match self.family() {
            Family::Qmt => format!("\"{payload}\""),
            Family::Cmqtt => format!("\r\n{payload}\r\n+CMQTTRXEND: 0\r\n"),
        }
    }

    fn lost(&self) -> &'static str {
        match self.family() {
            Family::Qmt => "+QMTSTAT: 0,1",
            Family::Cmqtt => "+CMQTTCONNLOST: 0,",
        }
    }

    /// A command with a prompt, and what is typed at it; everything said up to OK.
    fn types(&mut self, line: &str, input: &str) -> String {
        let asked = self.host.run(line);
        assert!(asked.ends_with("\r\n> "), "{line} was answered {asked:?}");
        self.host.write(input.as_bytes());
        asked + &self.host.until("\r\nOK\r\n")
    }

    fn typed(&mut self, id: u16, topic: &str, payload: &str, qos: Qos, retain: bool) -> (String, String) {
        let id = if qos == Qos::AtMostOnce { 0 } else { id };
        let (length, retain, qos) = (payload.len(), u8::from(retain), qos.byte());
        match self.family() {
            Family::Qmt => {
                let line = format!("AT+QMTPUBEX=0,{id},{qos},{retain},\"{topic}\",{length}");
                (self.types(&line, payload), format!("+QMTPUBEX: 0,{id},0"))
            }
            Family::Cmqtt => {
                let mut said = self.types(&format!("AT+CMQTTTOPIC=0,{}", topic.len()), topic);
                said += &self.types(&format!("AT+CMQTTPAYLOAD=0,{length}"), payload);
                said += &self.host.ok(&format!("AT+CMQTTPUB=0,{qos},60,{retain}"));
                (said, "+CMQTTPUB: 0,0".to_owned())
            }
        }
    }

    /// Everything up to the last of these words, beside the command that led to `said`.
    fn wait(&mut self, mut said: String, words: &[&str]) {
        while let Some(missing) = words.iter().find(|word| !said.contains(*word)) {
            said += &self.host.until(missing);
        }
        // To the end of the line; two lines may come in either order.
        if !said.ends_with("\r\n") {
            said += &self.host.until("\r\n");
        }
        let lines = said.split("\r\n").filter(|line| !["", "OK", "> "].contains(line));
        let mut lines: Vec<String> = lines.map(|line| format!("host {line}")).collect();
        lines.sort();
        self.rows.append(&mut lines);
        if !ENDED.iter().any(|word| said.contains(word)) && !self.secure {
            self.tap.until_answered();
        }
    }
}

/// The identifier of what is published into a broken line.
const LOST_ID: u16 = 7;
