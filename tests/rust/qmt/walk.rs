//! Random hosts over random networks: whatever they do, every accepted command has exactly one final result, or ends with its
//! connection; nothing is said into typed input; messages come to connected clients only (decisions 18 to 31).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use modemrig::mqtt::AckAction;
use modemrig::mqtt::AckRule;
use modemrig::mqtt::Kind;
use modemrig::mqtt::Qos;
use modemrig::virtual_module::simulation::Way;

use super::ALL;
use super::BC35;
use super::Rig;
use super::STANDARD;
use crate::random::Random;

const WALKS: u64 = 60;
const STEPS: usize = 120;

/// What a host believes, from the lines it has read.
#[derive(Default)]
struct Ledger {
    /// Accepted commands without a final result: client, name, identifier.
    owed: BTreeMap<(u8, String, u32), u32>,
    /// Messages that a stored session may have taken along to the next connection.
    carried: BTreeSet<(u8, u32)>,
    connected: BTreeSet<u8>,
    /// LTE Standard reports a lost heartbeat with two lines.
    close_follows: BTreeSet<u8>,
}

impl Ledger {
    fn accepted(&mut self, client: u8, name: &str, msgid: u32) {
        *self.owed.entry((client, name.to_owned(), msgid)).or_default() += 1;
    }

    fn read(&mut self, line: &str) {
        let (name, rest) = line.split_once(": ").unwrap_or_else(|| panic!("what is {line:?}?"));
        let name = name.trim_start_matches("+QMT");
        let mut fields = rest.split(',').map(|field| field.parse::<i64>().unwrap_or(i64::MAX));
        let mut field = || fields.next().unwrap_or_else(|| panic!("too short: {line:?}"));
        let client = field() as u8;
        match name {
            "OPEN" | "CONN" | "DISC" => {
                let code = field();
                self.settled(client, name, 0, line);
                match name {
                    "CONN" if code == 0 && field() == 0 => drop(self.connected.insert(client)),
                    "DISC" => self.ended(client),
                    _ => {}
                }
            }
            "CLOSE" if self.close_follows.remove(&client) => {}
            "CLOSE" => {
                self.settled(client, name, 0, line);
                self.ended(client);
            }
            "SUB" | "UNS" | "PUB" | "PUBEX" => {
                let (msgid, code) = (field() as u32, field());
                let carried = name.starts_with("PUB") && self.carried.contains(&(client, msgid));
                let owed = self.owed.contains_key(&(client, name.to_owned(), msgid));
                assert!(owed || carried, "nobody asked: {line}");
                match code {
                    1 => assert!(field() > 0),
                    _ if owed => self.settled(client, name, msgid, line),
                    _ => drop(self.carried.remove(&(client, msgid))),
                }
            }
            "RECV" => assert!(self.connected.contains(&client), "to nobody: {line}"),
            "STAT" => self.ended(client),
            "PING" => self.ended(client),
            other => panic!("what is {other}?"),
        }
    }

    fn settled(&mut self, client: u8, name: &str, msgid: u32, line: &str) {
        let key = (client, name.to_owned(), msgid);
        let left = self.owed.get_mut(&key).unwrap_or_else(|| panic!("nobody asked, or twice: {line}"));
        *left -= 1;
        if *left == 0 {
            self.owed.remove(&key);
        }
    }

    /// The connection is over, and with it what was in flight.
    fn ended(&mut self, client: u8) {
        self.connected.remove(&client);
        self.owed.retain(|(owner, name, msgid), _| {
            let goes = *owner == client && matches!(name.as_str(), "SUB" | "UNS" | "PUB" | "PUBEX");
            if goes && name.starts_with("PUB") {
                self.carried.insert((client, *msgid));
            }
            !goes
        });
    }
}

struct Walk {
    rig: Rig,
    random: Random,
    ledger: Ledger,
    clients: usize,
    /// The last identifier of a host that uses none twice.
    fresh: Option<u32>,
    /// What both ends said, for whoever looks into a failure.
    talk: Rc<RefCell<Vec<String>>>,
}

impl Walk {
    fn new(dialect: &'static str, seed: u64, talk: Rc<RefCell<Vec<String>>>) -> Walk {
        let mut rig = Rig::new(dialect);
        // Its network falls silent; and a careless host uses an identifier again that was given up.
        let careless = seed.is_multiple_of(2);
        rig.forgiven = match careless {
            true => &["silent for more than", "a repetition without DUP", "again after its PUBREL", "that is in use"],
            false => &["silent for more than"],
        };
        let mut random = Random::new(seed);
        let clients = if dialect == BC35 { 1 } else { 2 };
        for client in 0..clients {
            for setting in [
                format!("\"version\",{client},{}", 3 + random.below(2)),
                format!("\"session\",{client},{}", random.below(2)),
                format!("\"keepalive\",{client},{}", [0, 7, 60][random.below(3)]),
                format!("\"timeout\",{client},{},{},{}", 1 + random.below(9), random.below(4), random.below(2)),
            ] {
                rig.ok(&format!("AT+QMTCFG={setting}"));
            }
        }
        Walk { rig, random, ledger: Ledger::default(), clients, fresh: (!careless).then_some(0), talk }
    }

    fn step(&mut self) {
        match self.random.below(10) {
            0..=5 => self.command(),
            6 | 7 => self.wait(),
            8 => self.trouble(),
            _ => {
                let qos = *self.random.pick(&[Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce]);
                self.rig.arrives("t", b"from outside", qos);
            }
        }
    }

    fn command(&mut self) {
        let client = self.random.below(self.clients) as u8;
        let msgid = match &mut self.fresh {
            Some(last) => {
                *last += 1;
                *last
            }
            None => self.random.below(8) as u32,
        };
        let publish = self.rig.publish_name();
        let (name, line) = match self.random.below(12) {
            0 => ("OPEN", format!("AT+QMTOPEN={client},\"broker.example\",1883")),
            1 | 2 => ("CONN", format!("AT+QMTCONN={client},\"me{client}\"")),
            3 => ("DISC", format!("AT+QMTDISC={client}")),
            4 => ("CLOSE", format!("AT+QMTCLOSE={client}")),
            5 | 6 => ("SUB", format!("AT+QMTSUB={client},{msgid},\"t\",{}", self.random.below(3))),
            7 => ("UNS", format!("AT+QMTUNS={client},{msgid},\"t\"")),
            _ => {
                let name = publish.trim_start_matches("AT+QMT");
                (name, format!("{publish}={client},{msgid},{},0,\"t\",3", self.random.below(3)))
            }
        };
        let msgid = if matches!(name, "OPEN" | "CONN" | "DISC" | "CLOSE") { 0 } else { msgid };
        // A host that opens before it connects comes further.
        if name == "CONN" && self.random.below(2) == 0 {
            let open = format!("AT+QMTOPEN={client},\"broker.example\",1883");
            self.send(&open, client, "OPEN", 0);
            self.wait();
        }
        self.send(&line, client, name, msgid);
    }

    /// Sends a command, types what it asks for, and reads what was said at once.
    fn send(&mut self, line: &str, client: u8, name: &str, msgid: u32) {
        self.talk.borrow_mut().push(format!("{:?} {line}", self.rig.module.elapsed()));
        let mut said = self.rig.module.ask(line, 0.0);
        if said.ends_with("\r\n> ") {
            self.read(&said[..said.len() - 4]);
            let pause = Duration::from_millis(*self.random.pick(&[0, 0, 100, 20_000]));
            self.rig.module.advance(pause);
            assert!(self.rig.module.take_output().is_empty(), "into typed input");
            let surplus = *self.random.pick(&["", "\r\n", "zz\r\n"]);
            self.rig.module.host(format!("abc{surplus}").as_bytes());
            said = String::from_utf8(self.rig.module.take_output()).expect("text");
        }
        let lines = super::lines(&said);
        self.talk.borrow_mut().push(format!("  at once {lines:?}"));
        let place =
            lines.iter().position(|line| line == "OK" || line == "ERROR").unwrap_or_else(|| panic!("no end: {said:?}"));
        lines[..place].iter().for_each(|line| self.note(line));
        if lines[place] == "OK" {
            self.ledger.accepted(client, name, msgid);
        }
        lines[place + 1..].iter().for_each(|line| self.note(line));
    }

    fn wait(&mut self) {
        let seconds = *self.random.pick(&[0.0, 0.01, 0.03, 0.5, 3.0, 30.0]);
        let said = self.rig.module.after(seconds);
        self.read(&said);
    }

    fn read(&mut self, said: &str) {
        super::lines(said).iter().for_each(|line| self.note(line));
    }

    fn note(&mut self, line: &str) {
        self.talk.borrow_mut().push(format!("    {line}"));
        if self.rig.dialect == STANDARD && line.starts_with("+QMTPING: ") {
            let client = line.as_bytes()["+QMTPING: ".len()] - b'0';
            self.ledger.close_follows.insert(client);
        }
        self.ledger.read(line);
    }

    fn trouble(&mut self) {
        let bytes = self.random.below(60);
        let kinds =
            [Kind::Connack, Kind::Puback, Kind::Pubrec, Kind::Pubcomp, Kind::Suback, Kind::Unsuback, Kind::Pingresp];
        let kind = *self.random.pick(&kinds);
        let action = match self.random.below(2) {
            0 => AckAction::Drop,
            _ => AckAction::Delay(Duration::from_secs(self.random.below(12) as u64)),
        };
        let way = match self.random.below(7) {
            0 => Way::NotResolved,
            1 => Way::Refused,
            2 => Way::NoAnswer,
            3 => Way::ClosedAfter(bytes),
            4 => Way::ResetAfter(bytes),
            5 => Way::RefusesWriteAfter(bytes),
            _ => Way::Says(Vec::new()),
        };
        let (what, times) = (self.random.below(8), 1 + self.random.below(4) as u32);
        self.talk.borrow_mut().push(format!("{what}: {kind:?} {action:?} {way:?} {times}"));
        let mut network = self.rig.module.network();
        let now = network.now();
        match what {
            0 => network.end_all(bytes.is_multiple_of(2)),
            1 => network.refuse_writes(),
            2 => network.silence(),
            3 => drop(network.broker.cut("me0", now)),
            4 => network.ways.push_back(way),
            5 => network.broker.policy.refuse_with = bytes.is_multiple_of(3).then_some(1 + bytes as u8 % 5),
            _ => network.broker.policy.ack_rules.push(AckRule { kind, client_id: None, action, times: Some(times) }),
        }
    }

    /// All troubles are over, and all patience.
    fn settle(&mut self) {
        {
            let mut network = self.rig.module.network();
            network.broker.policy.ack_rules.clear();
            network.broker.policy.refuse_with = None;
            network.ways.clear();
        }
        let said = self.rig.module.after(1000.0);
        self.read(&said);
        assert!(self.ledger.owed.is_empty(), "without a result: {:?}", self.ledger.owed);
    }
}

#[test]
fn decisions_18_to_31_every_accepted_command_has_one_end() {
    for dialect in ALL {
        for seed in 0..WALKS {
            let talk = Rc::new(RefCell::new(Vec::new()));
            let mut walk = Walk::new(dialect, seed, talk.clone());
            let walked = std::panic::catch_unwind(AssertUnwindSafe(|| {
                for _ in 0..STEPS {
                    walk.step();
                }
                walk.settle();
            }));
            let talk = talk.borrow();
            let end = talk.len().saturating_sub(25);
            assert!(walked.is_ok(), "{dialect}, seed {seed}, after\n{}", talk[end..].join("\n"));
        }
    }
}
