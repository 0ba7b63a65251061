//! A host that types at a simulated SIM7028, in tables: what is sent, and every byte of the answer. What the tests of that
//! module share.

use modemrig::mqtt::AckAction;
use modemrig::mqtt::AckRule;
use modemrig::mqtt::Direction;
use modemrig::mqtt::Kind;
use modemrig::mqtt::Packet;
use modemrig::mqtt::Qos;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::SimulatedModule;
use modemrig::virtual_module::simulation::Way;

pub const CONNECT: &str = "AT+CMQTTCONNECT=0,\"tcp://broker.example\",60,1";

/// Long enough for what is answered at once: `gap` between OK and a result is 20 ms.
const AT_ONCE: f64 = 0.1;

/// The module, with echo off.
pub struct Sim {
    pub module: SimulatedModule,
}

impl Sim {
    pub fn new() -> Sim {
        Sim::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut VirtualOptions)) -> Sim {
        let mut options = VirtualOptions::new("sim7028");
        change(&mut options);
        let module = SimulatedModule::new(&options).expect("a built-in dialect");
        let mut sim = Sim { module };
        sim.module.host(b"ATE0\r");
        sim.module.take_output();
        sim
    }

    pub fn started() -> Sim {
        Sim::new().start()
    }

    pub fn acquired() -> Sim {
        Sim::started().acquire("me")
    }

    /// Connected with a clean session, keep-alive 60 s.
    pub fn connected() -> Sim {
        Sim::acquired().connect(CONNECT)
    }

    pub fn start(mut self) -> Sim {
        self.talk(&[("AT+CMQTTSTART", "OK|+CMQTTSTART: 0")]);
        self
    }

    pub fn acquire(mut self, id: &str) -> Sim {
        self.talk(&[(&format!("AT+CMQTTACCQ=0,\"{id}\""), "OK")]);
        self
    }

    pub fn connect(mut self, line: &str) -> Sim {
        self.talk(&[(line, "OK|+CMQTTCONNECT: 0,0")]);
        self
    }

    /// Subscribes to `t` at quality 2.
    pub fn subscribed() -> Sim {
        let mut sim = Sim::connected();
        sim.talk(&[("AT+CMQTTSUB=0,1,2", ">"), ("t", "OK|+CMQTTSUB: 0,0")]);
        sim
    }

    /// Sends each line, or what is typed at a prompt, and compares what comes at once: lines between `|`, `\n` for a line
    /// that follows another of the same reply, `>` for the prompt.
    pub fn talk(&mut self, steps: &[(&str, &str)]) {
        for (send, expected) in steps {
            let said = self.send(send);
            assert_eq!(wire(expected), said, "{send}");
        }
    }

    /// Sends a line, or what is typed at a prompt; what comes at once.
    pub fn send(&mut self, text: &str) -> String {
        match text.get(..2).is_some_and(|head| head.eq_ignore_ascii_case("AT")) {
            true => self.module.ask(text, AT_ONCE),
            false => self.type_in(text.as_bytes()),
        }
    }

    /// Types bytes; what comes at once.
    pub fn type_in(&mut self, bytes: &[u8]) -> String {
        self.module.host(bytes);
        self.module.after(AT_ONCE)
    }

    /// Everything that comes within this time, compared as in `talk`.
    pub fn then(&mut self, seconds: f64, expected: &str) {
        let said = self.module.after(seconds);
        assert_eq!(wire(expected), said, "within {seconds} s");
    }

    /// What the next connections lead to.
    pub fn ways(&mut self, ways: impl IntoIterator<Item = Way>) {
        self.module.network().ways.extend(ways);
    }

    /// The broker never sends this acknowledgement, so often or always.
    pub fn lose(&mut self, kind: Kind, times: Option<u32>) {
        self.rule(kind, AckAction::Drop, times);
    }

    pub fn rule(&mut self, kind: Kind, action: AckAction, times: Option<u32>) {
        self.module.network().broker.policy.ack_rules.push(AckRule { kind, client_id: None, action, times });
    }

    /// The broker publishes.
    pub fn publish(&mut self, topic: &str, payload: &[u8], qos: Qos) {
        let mut network = self.module.network();
        let now = network.now();
        network.broker.publish(topic, payload, qos, false, now);
    }

    /// The packets of this kind that the module has sent.
    pub fn sent(&mut self, kind: Kind) -> Vec<Packet> {
        let network = self.module.network();
        let sent = network.broker.record().filter(|row| row.direction == Direction::In && row.packet.kind() == kind);
        sent.map(|row| row.packet.clone()).collect()
    }
}

/// The bytes of an answer written as in `talk`.
pub fn wire(text: &str) -> String {
    let parts = text.split('|').filter(|part| !part.is_empty());
    parts
        .map(|part| if part == ">" { "\r\n> ".into() } else { format!("\r\n{}\r\n", part.replace('\n', "\r\n")) })
        .collect()
}

/// The block of a message, its payload in parts.
pub fn block(topic: &str, payload: &[u8], parts: &[usize]) -> Vec<u8> {
    let mut bytes =
        format!("\r\n+CMQTTRXSTART: 0,{},{}\r\n+CMQTTRXTOPIC: 0,{0}\r\n{topic}\r\n", topic.len(), payload.len())
            .into_bytes();
    let mut rest = payload;
    for count in parts {
        let (part, behind) = rest.split_at(*count);
        bytes.extend(format!("+CMQTTRXPAYLOAD: 0,{count}\r\n").into_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
        rest = behind;
    }
    assert!(rest.is_empty(), "the parts add up");
    bytes.extend_from_slice(b"+CMQTTRXEND: 0\r\n");
    bytes
}
