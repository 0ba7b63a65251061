//! What Quectel's clients do, on a simulated module: one file for each theme, each test by the decision that makes the rule
//! (docs/decisions.md), over every document that shares it.
//!
//! This file is what they talk with. Codes and their causes are not here but in the table of results.

mod clients;
mod hex;
mod interplay;
mod keep_alive;
mod receive;
mod retransmission;
mod settings;
mod states;
mod typing;
mod walk;
mod window;

use std::time::Duration;

use modemrig::dialect::catalogue;
use modemrig::mqtt::AckAction;
use modemrig::mqtt::AckRule;
use modemrig::mqtt::Direction;
use modemrig::mqtt::Kind;
use modemrig::mqtt::Packet;
use modemrig::mqtt::Qos;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::SimulatedModule;

pub const STANDARD: &str = "lte_standard_a";
pub const ECX: &str = "ecx00u_egx00u";
pub const EC200X: &str = "ec200x_ec600x_eg912y";
pub const BC35: &str = "bc35g_bc28";
pub const LTE: [&str; 3] = [STANDARD, ECX, EC200X];
pub const ALL: [&str; 4] = [STANDARD, ECX, EC200X, BC35];

pub const OPEN: &str = "AT+QMTOPEN=0,\"broker.example\",1883";

/// A simulated module and its host.
pub struct Rig {
    pub module: SimulatedModule,
    pub dialect: &'static str,
    /// What the broker may object to in this test, by a word of its objection.
    pub forgiven: &'static [&'static str],
}

impl Rig {
    /// A module of this dialect with echo off.
    pub fn new(dialect: &'static str) -> Rig {
        Rig::faster(dialect, 1.0)
    }

    /// The same, its timers running faster.
    pub fn faster(dialect: &'static str, speed: f64) -> Rig {
        let options = VirtualOptions { speed, ..VirtualOptions::new(dialect) };
        let mut rig =
            Rig { module: SimulatedModule::new(&options).expect("a built-in dialect"), dialect, forgiven: &[] };
        rig.module.ask("ATE0", 0.0);
        rig
    }

    /// A module with these settings (`"recv/mode",0,1`), its client 0 connected as `me`.
    pub fn connected(dialect: &'static str, settings: &[&str]) -> Rig {
        let mut rig = Rig::new(dialect);
        for setting in settings {
            rig.ok(&format!("AT+QMTCFG={setting}"));
        }
        rig.connect(0, "me");
        rig
    }

    /// Opens and connects a client.
    pub fn connect(&mut self, client: u8, id: &str) {
        let open = format!("AT+QMTOPEN={client},\"broker.example\",1883");
        assert_eq!(vec!["OK".to_owned(), format!("+QMTOPEN: {client},0")], self.ask(&open));
        let connect = format!("AT+QMTCONN={client},\"{id}\"");
        let said = self.ask(&connect);
        assert_eq!(["OK".to_owned(), format!("+QMTCONN: {client},0,0")], said[..2], "{}", self.dialect);
    }

    /// Sends a command line; the lines said at once and within a tenth of a second: answers, and results known at once.
    pub fn ask(&mut self, line: &str) -> Vec<String> {
        lines(&self.module.ask(line, 0.1))
    }

    /// Sends a command line; the lines said at once, before any result.
    pub fn at_once(&mut self, line: &str) -> Vec<String> {
        lines(&self.module.ask(line, 0.0))
    }

    /// A command that is accepted, and answers nothing else.
    pub fn ok(&mut self, line: &str) {
        assert_eq!(["OK"], self.at_once(line)[..], "{}: {line}", self.dialect);
    }

    /// A command that is refused.
    pub fn refused(&mut self, line: &str) {
        assert_eq!(["ERROR"], self.ask(line)[..], "{}: {line}", self.dialect);
    }

    /// The information lines of a command, which must be accepted.
    pub fn info(&mut self, line: &str) -> Vec<String> {
        let mut said = self.at_once(line);
        assert_eq!(Some("OK"), said.pop().as_deref(), "{}: {line}", self.dialect);
        said
    }

    /// The lines said while so many seconds pass.
    pub fn after(&mut self, seconds: f64) -> Vec<String> {
        lines(&self.module.after(seconds))
    }

    /// How long it takes until this is said, in seconds.
    pub fn until(&mut self, text: &str, most: u64) -> Option<f64> {
        self.module.until(text.as_bytes(), Duration::from_secs(most)).map(|took| took.as_secs_f64())
    }

    /// `AT+QMTPUBEX`, or what the document has instead.
    pub fn publish_name(&self) -> &'static str {
        let dialect = catalogue().get(self.dialect).expect("built in");
        if dialect.command("AT+QMTPUBEX").is_some() { "AT+QMTPUBEX" } else { "AT+QMTPUB" }
    }

    /// Its result: `+QMTPUBEX`
    pub fn published(&self) -> &'static str {
        self.publish_name().trim_start_matches("AT")
    }

    /// The command that publishes so many bytes on client 0 to topic `t`.
    pub fn publish_line(&self, msgid: u16, qos: u8, length: usize) -> String {
        format!("{}=0,{msgid},{qos},0,\"t\",{length}", self.publish_name())
    }

    /// Begins to publish; it must be asked for the payload.
    pub fn prompted(&mut self, line: &str) {
        assert_eq!("\r\n> ", self.module.ask(line, 0.0), "{}: {line}: decision 26", self.dialect);
    }

    /// Publishes on client 0 to topic `t`; the lines said within a tenth of a second.
    pub fn publish(&mut self, msgid: u16, qos: u8, payload: &[u8]) -> Vec<String> {
        self.prompted(&self.publish_line(msgid, qos, payload.len()));
        self.type_in(payload)
    }

    /// What the host types; the lines said within a tenth of a second.
    pub fn type_in(&mut self, bytes: &[u8]) -> Vec<String> {
        self.module.host(bytes);
        self.after(0.1)
    }

    /// The broker sends no such acknowledgement, so many times or for ever.
    pub fn lose(&mut self, kind: Kind, times: Option<u32>) {
        let rule = AckRule { kind, client_id: None, action: AckAction::Drop, times };
        self.module.network().broker.policy.ack_rules = vec![rule];
    }

    /// The broker sends every acknowledgement again.
    pub fn lose_nothing(&mut self) {
        self.module.network().broker.policy.ack_rules.clear();
    }

    /// Somebody else publishes a message.
    pub fn arrives(&mut self, topic: &str, payload: &[u8], qos: Qos) {
        let mut network = self.module.network();
        let now = network.now();
        network.broker.publish(topic, payload, qos, false, now);
    }

    /// Packets of this sort that the module has sent.
    pub fn sent(&mut self, kind: Kind) -> Vec<Packet> {
        let network = self.module.network();
        let is_it = |row: &&modemrig::mqtt::RecordedPacket| row.direction == Direction::In && row.packet.kind() == kind;
        network.broker.record().filter(is_it).map(|row| row.packet.clone()).collect()
    }

    /// When the module sent packets of this sort, in seconds.
    pub fn sent_at(&mut self, kind: Kind) -> Vec<f64> {
        let network = self.module.network();
        let rows = network.broker.record().filter(|row| row.direction == Direction::In && row.packet.kind() == kind);
        rows.map(|row| row.at.as_secs_f64()).collect()
    }

    /// Payloads the module has published.
    pub fn payloads(&mut self) -> Vec<Vec<u8>> {
        let published = self.sent(Kind::Publish).into_iter();
        published
            .filter_map(|packet| if let Packet::Publish(one) = packet { Some(one.payload) } else { None })
            .collect()
    }

    pub fn is_connected(&mut self, client: u8) -> bool {
        self.info("AT+QMTCONN?").contains(&format!("+QMTCONN: {client},3"))
    }
}

/// Whatever a test does, the module keeps to MQTT.
impl Drop for Rig {
    fn drop(&mut self) {
        let network = self.module.network();
        let violations = network.broker.violations().map(ToString::to_string);
        let violations: Vec<_> =
            violations.filter(|one| !self.forgiven.iter().any(|word| one.contains(word))).collect();
        assert!(violations.is_empty() || std::thread::panicking(), "{}: {violations:?}", self.dialect);
    }
}

/// The lines of what was said.
pub fn lines(said: &str) -> Vec<String> {
    said.split("\r\n").filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Whether a time is this one, to the millisecond.
pub fn is_about(expected: f64, took: f64) -> bool {
    (took - expected).abs() < 0.001
}

pub fn is_dup(packet: &Packet) -> bool {
    match packet {
        Packet::Publish(publish) => publish.dup,
        Packet::Pubrel { dup, .. } | Packet::Subscribe { dup, .. } | Packet::Unsubscribe { dup, .. } => *dup,
        _ => false,
    }
}
