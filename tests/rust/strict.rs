//! The bench broker's record of broken rules, over raw sockets: every rule of the table is broken once, and found.

use std::collections::BTreeSet;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use modemrig::bench_broker::BenchBroker;
use modemrig::bench_broker::BenchOptions;
use modemrig::mqtt::AckAction;
use modemrig::mqtt::AckRule;
use modemrig::mqtt::Decoder;
use modemrig::mqtt::Kind;
use modemrig::mqtt::Level;
use modemrig::mqtt::Packet;
use modemrig::mqtt::Qos;
use modemrig::mqtt::Rule;
use modemrig::mqtt::encode;

use crate::rivals::Broker;
use crate::rivals::Peer;
use crate::rivals::Rival;

const PATIENCE: Duration = Duration::from_secs(10);

/// What a careless client, or its broker, does.
enum Step {
    /// CONNECT with a clean session, and CONNACK.
    Connect(Level),
    /// CONNECT that keeps the session, and CONNACK.
    Stay(Level),
    /// The same connection again, from the socket on.
    Again,
    /// These bytes.
    Says(&'static [u8]),
    /// The broker has sent a packet of this sort.
    Hears(Kind),
    /// The broker publishes to topic `t` at this quality.
    Published(Qos),
    /// The broker loses acknowledgements of this sort.
    Loses(Kind),
}
use Step::*;

const V3: Level = Level::V31;
const V4: Level = Level::V311;
const Q1: Qos = Qos::AtLeastOnce;
const Q2: Qos = Qos::ExactlyOnce;
const SUBSCRIBE: &[u8] = b"\x82\x06\0\x09\0\x01t\x02";
const PUBLISH_1: &[u8] = b"\x32\x05\0\x01t\0\x01";
const PUBLISH_2: &[u8] = b"\x34\x05\0\x01t\0\x01";

fn cases() -> Vec<(Rule, &'static str, Vec<Step>)> {
    use Kind::*;
    let subscribed = |level: Level, more: Vec<Step>| {
        let mut steps = vec![Step::Connect(level), Says(SUBSCRIBE), Hears(Suback)];
        steps.extend(more);
        steps
    };
    let connected = |level: Level, bytes: &'static [u8]| vec![Step::Connect(level), Says(bytes)];
    vec![
        (Rule::ReservedType, "§2.2.1", connected(V4, b"\xf0\0")),
        (Rule::LengthTooLong, "§2.2.3", connected(V4, b"\x30\xff\xff\xff\xff\x01")),
        (Rule::LengthPadded, "§2.2.3", connected(V4, b"\xc0\x80\0")),
        (Rule::TooShort, "[MQTT-4.8.0-1]", connected(V4, b"\x30\x03\0\x09a")),
        (Rule::TooLong, "[MQTT-4.8.0-1]", connected(V4, b"\xc0\x01\0")),
        (Rule::FlagsNotZero, "[MQTT-2.2.2-2]", connected(V4, b"\xe1\0")),
        (Rule::FlagsNotTwo, "[MQTT-2.2.2-2]", connected(V4, b"\x80\x06\0\x01\0\x01a\0")),
        (Rule::DupOfRequest, "[MQTT-2.2.2-2]", connected(V4, b"\x8a\x06\0\x01\0\x01a\0")),
        (Rule::NotUtf8, "[MQTT-1.5.3-1]", connected(V4, b"\x30\x03\0\x01\xff")),
        (Rule::NotUtf8, "3.1 §2.5", connected(V3, b"\x30\x05\0\x03\xed\xa0\x80")),
        (Rule::Nul, "[MQTT-1.5.3-2]", connected(V4, b"\x30\x03\0\x01\0")),
        (Rule::IdZero, "[MQTT-2.3.1-1]", connected(V4, b"\x32\x05\0\x01a\0\0")),
        (Rule::IdZero, "3.1 §2.4", connected(V3, b"\x82\x06\0\0\0\x01a\0")),
        (Rule::ConnectLevel, "[MQTT-3.1.2-2]", vec![Says(b"\x10\x0d\0\x04MQTT\x05\x02\0\0\0\x01c")]),
        (Rule::ConnectReserved, "[MQTT-3.1.2-3]", vec![Says(b"\x10\x0d\0\x04MQTT\x04\x03\0\0\0\x01c")]),
        (Rule::WillFlags, "[MQTT-3.1.2-11]", vec![Says(b"\x10\x0d\0\x04MQTT\x04\x2a\0\0\0\x01c")]),
        (Rule::WillQos, "[MQTT-3.1.2-14]", vec![Says(b"\x10\x13\0\x04MQTT\x04\x1e\0\0\0\x01c\0\x01w\0\x01x")]),
        (Rule::WillTopic, "[MQTT-3.3.2-2]", vec![Says(b"\x10\x13\0\x04MQTT\x04\x06\0\0\0\x01c\0\x01#\0\x01x")]),
        (Rule::PasswordAlone, "[MQTT-3.1.2-22]", vec![Says(b"\x10\x10\0\x04MQTT\x04\x42\0\0\0\x01c\0\x01p")]),
        (Rule::PresentInRefusal, "[MQTT-3.2.2-4]", connected(V4, b"\x20\x02\x01\x05")),
        (Rule::ConnackReserved, "§3.2.2.1", connected(V4, b"\x20\x02\x02\0")),
        (Rule::PublishQos, "[MQTT-3.3.1-4]", connected(V4, b"\x36\x05\0\x01a\0\x01")),
        (Rule::PublishDup, "[MQTT-3.3.1-2]", connected(V4, b"\x38\x03\0\x01a")),
        (Rule::TopicWildcard, "[MQTT-3.3.2-2]", connected(V4, b"\x30\x03\0\x01#")),
        (Rule::TopicWildcard, "3.1 §3.3", connected(V3, b"\x30\x05\0\x03a/+")),
        (Rule::SubscribeEmpty, "[MQTT-3.8.3-3]", connected(V4, b"\x82\x02\0\x01")),
        (Rule::SubscribeQos, "[MQTT-3-8.3-4]", connected(V4, b"\x82\x06\0\x01\0\x01a\x03")),
        (Rule::FilterForm, "[MQTT-4.7.1-2], [MQTT-4.7.1-3], [MQTT-4.7.3-1]", connected(V4, b"\xa2\x06\0\x01\0\x02a#")),
        (Rule::UnsubscribeEmpty, "[MQTT-3.10.3-2]", connected(V4, b"\xa2\x02\0\x01")),
        (Rule::SubackCode, "[MQTT-3.9.3-2]", connected(V4, b"\x90\x03\0\x01\x03")),
        (Rule::ConnectFirst, "[MQTT-3.1.0-1]", vec![Says(b"\xc0\0")]),
        (Rule::ConnectTwice, "[MQTT-3.1.0-2]", connected(V4, b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01c")),
        (Rule::ClientIdEmpty, "[MQTT-3.1.3-7]", vec![Says(b"\x10\x0c\0\x04MQTT\x04\0\0\0\0\0")]),
        (Rule::ClientIdEmpty, "3.1 §3.1", vec![Says(b"\x10\x0e\0\x06MQIsdp\x03\x02\0\0\0\0")]),
        (
            Rule::ClientIdLength,
            "3.1 §3.1",
            vec![Says(b"\x10\x26\0\x06MQIsdp\x03\x02\0\0\0\x18aaaaaaaaaaaaaaaaaaaaaaaa")],
        ),
        (Rule::ServerPacket, "[MQTT-4.8.0-1]", connected(V4, b"\xd0\0")),
        (Rule::AfterDisconnect, "[MQTT-3.14.4-2]", connected(V4, b"\xe0\0\xc0\0")),
        (Rule::KeepAlive, "[MQTT-3.1.2-23]", vec![Says(b"\x10\x0d\0\x04MQTT\x04\x02\0\x01\0\x01c")]),
        (
            Rule::IdInUse,
            "[MQTT-2.3.1-2]",
            vec![Step::Connect(V4), Loses(Puback), Says(PUBLISH_1), Says(b"\x32\x05\0\x01u\0\x01")],
        ),
        (
            Rule::IdInUse,
            "3.1 §2.4",
            vec![Step::Connect(V3), Says(PUBLISH_2), Hears(Pubrec), Says(b"\x82\x06\0\x01\0\x01t\0")],
        ),
        (Rule::DupMissing, "[MQTT-3.3.1-1]", vec![Step::Connect(V4), Loses(Puback), Says(PUBLISH_1), Says(PUBLISH_1)]),
        (Rule::DupMissing, "3.1 §2.1", vec![Step::Connect(V3), Loses(Suback), Says(SUBSCRIBE), Says(SUBSCRIBE)]),
        (
            Rule::DupMissing,
            "[MQTT-3.3.1-1]",
            vec![Stay(V4), Says(PUBLISH_2), Hears(Pubrec), Again, Stay(V4), Says(PUBLISH_2)],
        ),
        (Rule::DupAtFirst, "[MQTT-3.3.1-1]", connected(V4, b"\x3a\x05\0\x01t\0\x01")),
        (Rule::DupAtFirst, "3.1 §2.1", connected(V3, b"\x8a\x06\0\x09\0\x01t\x02")),
        (Rule::AckUnknown, "[MQTT-2.3.1-6]", connected(V4, b"\x40\x02\0\x07")),
        (Rule::AckUnknown, "3.1 §4.1", connected(V3, b"\x50\x02\0\x07")),
        // The wrong acknowledgement for the quality.
        (
            Rule::AckUnknown,
            "[MQTT-2.3.1-6]",
            subscribed(V4, vec![Published(Q2), Hears(Publish), Says(b"\x40\x02\0\x01")]),
        ),
        (
            Rule::AckOrder,
            "[MQTT-4.6.0-2], [MQTT-4.6.0-3]",
            subscribed(V4, vec![Published(Q1), Published(Q1), Hears(Publish), Hears(Publish), Says(b"\x40\x02\0\x02")]),
        ),
        // Quality 2 in the wrong order: the last step before the second.
        (
            Rule::CompletionUnknown,
            "[MQTT-4.3.3-2]",
            subscribed(V4, vec![Published(Q2), Hears(Publish), Says(b"\x70\x02\0\x01")]),
        ),
        (Rule::ReleaseUnknown, "[MQTT-4.3.3-1]", connected(V4, b"\x62\x02\0\x07")),
        (
            Rule::ReleaseUnknown,
            "[MQTT-4.3.3-1]",
            vec![Stay(V4), Loses(Pubrec), Says(PUBLISH_2), Says(b"\x62\x02\0\x01")],
        ),
        (
            Rule::ReleaseOrder,
            "[MQTT-4.6.0-4]",
            vec![
                Step::Connect(V4),
                Says(PUBLISH_2),
                Says(b"\x34\x05\0\x01t\0\x02"),
                Hears(Pubrec),
                Hears(Pubrec),
                Says(b"\x62\x02\0\x02"),
            ],
        ),
        (
            Rule::PublishAfterRelease,
            "[MQTT-4.3.3-1]",
            vec![
                Step::Connect(V4),
                Loses(Pubcomp),
                Says(PUBLISH_2),
                Hears(Pubrec),
                Says(b"\x62\x02\0\x01\x3c\x05\0\x01t\0\x01"),
            ],
        ),
    ]
}

/// A socket and what the broker has sent on it.
struct Raw {
    socket: TcpStream,
    decoder: Decoder,
}

impl Raw {
    fn open(port: u16) -> Raw {
        let socket = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Raw { socket, decoder: Decoder::new(Some(Level::V31)) }
    }

    fn says(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("the broker listens");
    }

    fn hears(&mut self, kind: Kind) {
        let mut buffer = [0; 1024];
        loop {
            while let Some(packet) = self.decoder.next_packet().expect("the broker keeps the rules") {
                if packet.kind() == kind {
                    return;
                }
            }
            let count = self.socket.read(&mut buffer).expect("the broker answers");
            assert!(count > 0, "the broker closed before {}", kind.name());
            self.decoder.feed(&buffer[..count]);
        }
    }

    /// Whether the broker closes the connection, soon or when asked for a sign of life.
    fn is_closed(&mut self, ask: bool) -> bool {
        if ask {
            let _ = self.socket.write_all(b"\xc0\0"); // It may be closed already: the read says so.
        }
        let mut buffer = [0; 1024];
        loop {
            while let Ok(Some(packet)) = self.decoder.next_packet() {
                if packet.kind() == Kind::Pingresp {
                    return false;
                }
            }
            match self.socket.read(&mut buffer) {
                Ok(count) if count > 0 => self.decoder.feed(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("neither an answer nor an end"),
                _ => return true,
            }
        }
    }

    fn connects(&mut self, level: Level, clean_session: bool) {
        let connect = modemrig::mqtt::Connect {
            level,
            client_id: "careless".into(),
            clean_session,
            keep_alive: 0,
            will: None,
            username: None,
            password: None,
        };
        let mut bytes = Vec::new();
        encode(&Packet::Connect(connect), level, &mut bytes);
        self.says(&bytes);
        self.hears(Kind::Connack);
    }
}

#[test]
fn every_rule_of_the_table_is_found_with_its_statement() {
    let mut found = BTreeSet::new();
    for (index, (rule, statement, steps)) in cases().into_iter().enumerate() {
        let broker = BenchBroker::start(BenchOptions::default()).expect("free ports");
        let mut raw = Raw::open(broker.port());
        for step in steps {
            match step {
                Connect(level) => raw.connects(level, true),
                Stay(level) => raw.connects(level, false),
                Again => raw = Raw::open(broker.port()),
                Says(bytes) => raw.says(bytes),
                Hears(kind) => raw.hears(kind),
                Published(qos) => drop(broker.publish("t", b"x", qos, false)),
                Loses(kind) => {
                    let rule = AckRule { kind, client_id: None, action: AckAction::Drop, times: None };
                    broker.set_ack_rules(vec![rule]);
                }
            }
        }
        assert!(broker.wait_until(PATIENCE, |core| core.violations().len() > 0), "case {index}, {rule:?}: none found");
        let violations = broker.violations();
        let named: Vec<_> = violations.iter().map(|one| (one.rule, one.statement())).collect();
        assert_eq!(vec![(rule, statement)], named, "case {index}");
        assert!(violations[0].to_string().ends_with(&format!("{} {statement}", rule.text())), "{}", violations[0]);
        found.insert(rule);
    }
    assert_eq!(Vec::<Rule>::new(), Rule::all().filter(|rule| !found.contains(rule)).collect::<Vec<_>>());
}

/// Repetitions with DUP, after a lost acknowledgement and on the next connection, are the standard's own means.
#[test]
fn what_the_standard_allows_is_no_violation() {
    let broker = BenchBroker::start(BenchOptions::default()).expect("free ports");
    let lose = |kind| {
        broker.set_ack_rules(vec![AckRule { kind, client_id: None, action: AckAction::Drop, times: Some(1) }]);
    };
    for level in [V3, V4] {
        let mut raw = Raw::open(broker.port());
        raw.connects(level, false);
        raw.says(SUBSCRIBE);
        raw.hears(Kind::Suback);
        lose(Kind::Puback);
        raw.says(PUBLISH_1);
        raw.says(b"\x3a\x05\0\x01t\0\x01");
        raw.hears(Kind::Puback);
        lose(Kind::Pubrec);
        raw.says(b"\x34\x05\0\x01t\0\x05");
        raw.says(b"\x3c\x05\0\x01t\0\x05");
        raw.hears(Kind::Pubrec);
        let mut raw = Raw::open(broker.port());
        raw.connects(level, false);
        raw.says(b"\x3c\x05\0\x01t\0\x05");
        raw.hears(Kind::Pubrec);
        lose(Kind::Pubcomp);
        raw.says(b"\x62\x02\0\x05");
        let mut raw = Raw::open(broker.port());
        raw.connects(level, false);
        raw.says(b"\x62\x02\0\x05");
        raw.hears(Kind::Pubcomp);
        raw.says(b"\xe0\0");
        assert!(broker.wait_until(PATIENCE, |core| core.connected().next().is_none()));
        broker.forget_sessions();
    }
    assert_eq!(Vec::<String>::new(), broker.violations().iter().map(ToString::to_string).collect::<Vec<_>>());
}

/// Broken rules after which one broker closes the connection and the other does not: rule, last packet, who closes, why.
const TOLERATED: &[(Rule, Kind, Rival, &str)] = &[
    (
        Rule::LengthPadded,
        Kind::Pingreq,
        Rival::Bench,
        "3.1.1 §2.2.3 has an algorithm and no statement; mosquitto follows it",
    ),
    (Rule::TooLong, Kind::Pingreq, Rival::Bench, "mosquitto does not look behind the end of PINGREQ"),
    (Rule::PublishDup, Kind::Publish, Rival::Bench, "mosquitto 2.0 forgives DUP at quality 0"),
    (Rule::SubackCode, Kind::Suback, Rival::Bench, "mosquitto speaks to bridges, which are sent what servers send"),
    (Rule::ServerPacket, Kind::Pingresp, Rival::Bench, "mosquitto speaks to bridges, which are sent what servers send"),
    (Rule::AckUnknown, Kind::Puback, Rival::Mosquitto, "the bench broker goes on, so that a test sees what follows"),
    (
        Rule::CompletionUnknown,
        Kind::Pubcomp,
        Rival::Mosquitto,
        "the bench broker goes on, so that a test sees what follows",
    ),
];

/// [MQTT-4.8.0-1] wants the connection closed; both brokers forgive something, and 3.1 mostly says nothing.
#[test]
fn mosquitto_closes_for_the_same_broken_rules_but_for_those_known() {
    let Some(mosquitto) = Broker::start(Rival::Mosquitto) else {
        return eprintln!("skipped: mosquitto is not installed");
    };
    let bench = Broker::start(Rival::Bench).expect("it is ours");
    let mut found = BTreeSet::new();
    for (rule, _, steps) in cases() {
        // Acknowledgements are lost on the bench broker only.
        if steps.iter().any(|step| matches!(step, Loses(_))) {
            continue;
        }
        let [ours, theirs] = [&bench, &mosquitto].map(|broker| {
            let port = broker.ports().0;
            let mut raw = Raw::open(port);
            for step in &steps {
                match step {
                    Connect(level) => raw.connects(*level, true),
                    Stay(level) => raw.connects(*level, false),
                    Again => raw = Raw::open(port),
                    Says(bytes) => raw.says(bytes),
                    Hears(kind) => raw.hears(*kind),
                    Published(qos) => Peer::connect(broker, V4, "publisher", true).publish("t", "x", *qos, false),
                    Loses(_) => {}
                }
            }
            raw.is_closed(rule != Rule::KeepAlive)
        });
        if ours != theirs {
            let last = steps.iter().rev().find_map(|step| match step {
                Says(bytes) => Kind::from_byte(bytes[0] >> 4),
                _ => None,
            });
            found.insert((rule, last, ours));
        }
    }
    let known = TOLERATED.iter().map(|(rule, last, closes, _)| (*rule, Some(*last), *closes == Rival::Bench));
    assert_eq!(
        known.collect::<BTreeSet<_>>(),
        found,
        "rule, last packet, whether the bench broker is the one that closes"
    );
}
