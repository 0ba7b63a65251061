//! The broker's rules, packet by packet, against raw frames.

use std::time::Duration;
use std::time::Instant;

use crate::mqtt::AckAction;
use crate::mqtt::AckRule;
use crate::mqtt::BrokerCore;
use crate::mqtt::Connect;
use crate::mqtt::ConnectionId;
use crate::mqtt::Decoder;
use crate::mqtt::Kind;
use crate::mqtt::Level;
use crate::mqtt::Output;
use crate::mqtt::Packet;
use crate::mqtt::Peer;
use crate::mqtt::Policy;
use crate::mqtt::Publish;
use crate::mqtt::Qos;
use crate::mqtt::encode;

/// A broker spoken to in bytes.
struct Raw {
    core: BrokerCore,
    now: Instant,
    connections: u64,
}

/// What came back on one connection.
#[derive(Debug, PartialEq)]
struct Answer {
    packets: Vec<Packet>,
    closed: bool,
}

impl Raw {
    #[allow(clippy::disallowed_methods)] // A first instant can only come from the clock; from here on time is simulated.
    fn new(policy: Policy) -> Raw {
        let now = Instant::now();
        Raw { core: BrokerCore::new(policy, now), now, connections: 0 }
    }

    fn open(&mut self) -> ConnectionId {
        self.connections += 1;
        self.core.accept(ConnectionId(self.connections), Peer::default(), self.now);
        ConnectionId(self.connections)
    }

    fn say(&mut self, id: ConnectionId, level: Level, packet: &Packet) -> Answer {
        let mut bytes = Vec::new();
        encode(packet, level, &mut bytes);
        self.say_bytes(id, level, &bytes)
    }

    fn say_bytes(&mut self, id: ConnectionId, level: Level, bytes: &[u8]) -> Answer {
        self.core.receive(id, bytes, self.now);
        self.answer(id, level)
    }

    fn answer(&mut self, id: ConnectionId, level: Level) -> Answer {
        let mut decoder = Decoder::new(Some(level));
        let mut answer = Answer { packets: Vec::new(), closed: false };
        while let Some((to, output)) = self.core.poll_output() {
            match output {
                Output::Bytes(bytes) if to == id => decoder.feed(&bytes),
                Output::Close if to == id => answer.closed = true,
                _ => {}
            }
        }
        while let Some(packet) = decoder.next_packet().expect("a broker's packets are in order") {
            answer.packets.push(packet);
        }
        answer
    }

    fn connected(&mut self, level: Level, client_id: &str) -> ConnectionId {
        let id = self.open();
        assert_eq!(accepted(0), self.say(id, level, &connect(level, client_id, true)));
        id
    }
}

fn connect(level: Level, client_id: &str, clean_session: bool) -> Packet {
    Packet::Connect(Connect {
        level,
        client_id: client_id.into(),
        clean_session,
        keep_alive: 0,
        will: None,
        username: None,
        password: None,
    })
}

fn accepted(code: u8) -> Answer {
    Answer { packets: vec![Packet::Connack { session_present: false, code }], closed: code != 0 }
}

fn message(topic: &str, qos: Qos, id: Option<u16>, retain: bool) -> Packet {
    Packet::Publish(Publish { dup: false, qos, retain, topic: topic.into(), id, payload: b"x".to_vec() })
}

fn subscribe(filter: &str, qos: Qos) -> Packet {
    Packet::Subscribe { id: 1, dup: false, filters: vec![(filter.into(), qos)] }
}

#[test]
fn an_unknown_level_is_answered_with_code_1() {
    let mut raw = Raw::new(Policy::default());
    let id = raw.open();
    assert_eq!(accepted(1), raw.say_bytes(id, Level::V311, b"\x10\x0d\0\x04MQTT\x05\x02\0\0\0\x01c"));
    let mut only_4 = Raw::new(Policy { levels: vec![Level::V311], ..Policy::default() });
    let id = only_4.open();
    assert_eq!(accepted(1), only_4.say(id, Level::V31, &connect(Level::V31, "c", true)));
}

#[test]
fn an_empty_client_identifier_is_for_clean_sessions_of_level_4() {
    let mut raw = Raw::new(Policy::default());
    for (level, clean, code) in [(Level::V31, true, 2), (Level::V311, false, 2), (Level::V311, true, 0)] {
        let id = raw.open();
        assert_eq!(accepted(code), raw.say(id, level, &connect(level, "", clean)), "{level:?} {clean}");
    }
    let id = raw.open();
    assert_eq!(accepted(0), raw.say(id, Level::V31, &connect(Level::V31, &"c".repeat(64), true)), "longer than 23");
}

#[test]
fn session_present_is_told_at_level_4_only() {
    for level in [Level::V31, Level::V311] {
        let mut raw = Raw::new(Policy::default());
        let id = raw.open();
        raw.say(id, level, &connect(level, "c", false));
        raw.say(id, level, &Packet::Disconnect);
        let id = raw.open();
        let session_present = level == Level::V311;
        let answer = raw.say(id, level, &connect(level, "c", false));
        assert_eq!(vec![Packet::Connack { session_present, code: 0 }], answer.packets);
    }
}

#[test]
fn users_are_told_which_of_name_and_password_is_wrong_in_the_code() {
    let users = [("anna".to_owned(), b"geheim".to_vec())].into_iter().collect();
    let mut raw = Raw::new(Policy { users: Some(users), ..Policy::default() });
    for (username, password, code) in [
        (None, None, 5),
        (Some("anna"), None, 4),
        (Some("anna"), Some("x"), 4),
        (Some("bob"), Some("geheim"), 4),
        (Some("anna"), Some("geheim"), 0),
    ] {
        let Packet::Connect(mut packet) = connect(Level::V31, "c", true) else { unreachable!("it is a CONNECT") };
        packet.username = username.map(str::to_owned);
        packet.password = password.map(|password: &str| password.as_bytes().to_vec());
        let id = raw.open();
        assert_eq!(accepted(code), raw.say(id, Level::V31, &Packet::Connect(packet)), "{username:?} {password:?}");
    }
    assert!(!format!("{:?}", raw.core.policy).contains("geheim"));
}

#[test]
fn a_credential_check_sees_the_connect_and_chooses_the_code() {
    let check = Box::new(|request: &crate::mqtt::ConnectRequest<'_>| u8::from(request.client_id != "good") * 3);
    let mut raw = Raw::new(Policy { check: Some(check), ..Policy::default() });
    for (client_id, code) in [("good", 0), ("bad", 3)] {
        let id = raw.open();
        assert_eq!(accepted(code), raw.say(id, Level::V311, &connect(Level::V311, client_id, true)));
    }
}

#[test]
fn the_first_packet_is_connect_and_no_other_is() {
    let closed = Answer { packets: vec![], closed: true };
    let mut raw = Raw::new(Policy::default());
    let id = raw.open();
    assert_eq!(closed, raw.say(id, Level::V31, &Packet::Pingreq));
    let id = raw.connected(Level::V31, "c");
    assert_eq!(closed, raw.say(id, Level::V31, &connect(Level::V31, "c", true)));
    let id = raw.connected(Level::V31, "c");
    assert_eq!(closed, raw.say(id, Level::V31, &Packet::Suback { id: 1, codes: vec![0] }), "a client sends no SUBACK");
}

#[test]
fn a_connection_without_connect_is_ended_in_time() {
    let mut raw = Raw::new(Policy { connect_timeout: Duration::from_secs(3), ..Policy::default() });
    let id = raw.open();
    assert_eq!(Some(raw.now + Duration::from_secs(3)), raw.core.next_deadline());
    raw.now += Duration::from_secs(3);
    raw.core.handle_deadline(raw.now);
    assert!(raw.answer(id, Level::V31).closed);
}

#[test]
fn speed_shortens_every_span_of_the_broker() {
    for (speed, factor) in [(1.0, 1), (20.0, 20), (0.0, 1), (f64::NAN, 1)] {
        let held = AckRule {
            kind: Kind::Pingresp,
            client_id: None,
            action: AckAction::Delay(Duration::from_secs(8)),
            times: Some(1),
        };
        let resend_after = Some(Duration::from_secs(40));
        let mut raw = Raw::new(Policy { speed, ack_rules: vec![held], resend_after, ..Policy::default() });
        let due = |raw: &Raw| raw.core.next_deadline().map(|at| at - raw.now);
        let scaled = |seconds: u64| Some(Duration::from_secs(seconds) / factor);
        let id = raw.open();
        assert_eq!(scaled(30), due(&raw), "patience before CONNECT");
        let Packet::Connect(connect) = connect(Level::V31, "c", true) else { unreachable!() };
        raw.say(id, Level::V31, &Packet::Connect(Connect { keep_alive: 60, ..connect }));
        assert_eq!(scaled(90), due(&raw), "one and a half keep-alives");
        raw.say(id, Level::V31, &Packet::Pingreq);
        assert_eq!(scaled(8), due(&raw), "an acknowledgement that is held back");
        raw.now = raw.core.next_deadline().expect("a deadline");
        raw.core.handle_deadline(raw.now);
        assert_eq!(vec![Packet::Pingresp], raw.answer(id, Level::V31).packets);
        raw.say(id, Level::V31, &subscribe("t", Qos::AtLeastOnce));
        raw.core.publish("t", b"x", Qos::AtLeastOnce, false, raw.now);
        assert_eq!(scaled(40), due(&raw), "a message that is not acknowledged");
    }
}

#[test]
fn dup_on_requests_is_allowed_at_level_3_and_ends_level_4() {
    for (bytes, what) in [
        (&b"\x8a\x06\0\x01\0\x01a\0"[..], "SUBSCRIBE"),
        (&b"\xaa\x05\0\x01\0\x01a"[..], "UNSUBSCRIBE"),
        (&b"\x6a\x02\0\x01"[..], "PUBREL"),
    ] {
        for (level, closed) in [(Level::V31, false), (Level::V311, true)] {
            let mut raw = Raw::new(Policy::default());
            let id = raw.connected(level, "c");
            let answer = raw.say_bytes(id, level, bytes);
            assert_eq!((closed, usize::from(!closed)), (answer.closed, answer.packets.len()), "{what} at {level:?}");
        }
    }
}

#[test]
fn a_packet_over_the_limit_ends_the_connection() {
    let mut raw = Raw::new(Policy { max_packet: 100, ..Policy::default() });
    let id = raw.connected(Level::V311, "c");
    let packet = |size| {
        let publish = Publish {
            dup: false,
            qos: Qos::AtMostOnce,
            retain: false,
            topic: "t".into(),
            id: None,
            payload: vec![0; size],
        };
        Packet::Publish(publish)
    };
    assert!(!raw.say(id, Level::V311, &packet(95)).closed, "100 bytes exactly");
    assert!(raw.say(id, Level::V311, &packet(96)).closed);
}

#[test]
fn the_window_holds_back_what_is_not_acknowledged() {
    let mut raw = Raw::new(Policy { window: 3, queue_limit: 5, ..Policy::default() });
    let id = raw.connected(Level::V311, "c");
    raw.say(id, Level::V311, &subscribe("t", Qos::AtLeastOnce));
    for _ in 0..10 {
        raw.core.publish("t", b"x", Qos::AtLeastOnce, false, raw.now);
    }
    let ids = |answer: &Answer| answer.packets.iter().filter_map(Packet::id).collect::<Vec<_>>();
    assert_eq!(vec![1, 2, 3], ids(&raw.answer(id, Level::V311)));
    assert_eq!(2, raw.core.lost(), "three in flight, five waiting");
    assert_eq!(vec![4], ids(&raw.say(id, Level::V311, &Packet::Puback { id: 2 })));
    assert_eq!(Vec::<u16>::new(), ids(&raw.say(id, Level::V311, &Packet::Puback { id: 2 })), "it was answered before");
}

#[test]
fn unacknowledged_messages_come_again_on_the_same_connection_when_wanted() {
    let mut raw = Raw::new(Policy { resend_after: Some(Duration::from_secs(4)), ..Policy::default() });
    let id = raw.connected(Level::V31, "c");
    raw.say(id, Level::V31, &subscribe("t", Qos::AtLeastOnce));
    raw.core.publish("t", b"x", Qos::AtLeastOnce, false, raw.now);
    raw.answer(id, Level::V31);
    raw.now = raw.core.next_deadline().expect("a repetition is planned");
    raw.core.handle_deadline(raw.now);
    let answer = raw.answer(id, Level::V31);
    assert!(
        matches!(&answer.packets[..], [Packet::Publish(publish)] if publish.dup && publish.id == Some(1)),
        "{answer:?}"
    );
}

#[test]
fn retained_messages_are_kept_replaced_and_cleared() {
    let mut raw = Raw::new(Policy::default());
    let sender = raw.connected(Level::V31, "s");
    raw.say(sender, Level::V31, &message("k/1", Qos::AtMostOnce, None, true));
    raw.say(sender, Level::V31, &message("k/2", Qos::AtLeastOnce, Some(1), true));
    raw.say(sender, Level::V31, &message("$k/3", Qos::AtMostOnce, None, true));
    let reader = raw.connected(Level::V31, "r");
    let answer = raw.say(reader, Level::V31, &subscribe("#", Qos::AtMostOnce));
    let topics: Vec<_> = answer.packets[1..]
        .iter()
        .map(|packet| match packet {
            Packet::Publish(publish) => (publish.topic.as_str(), publish.retain, publish.qos),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(vec![("k/1", true, Qos::AtMostOnce), ("k/2", true, Qos::AtMostOnce)], topics);
    raw.core.receive(sender, b"\x31\x05\0\x03k/1", raw.now);
    let live = raw.answer(reader, Level::V31);
    assert!(
        matches!(&live.packets[..], [Packet::Publish(publish)] if !publish.retain),
        "a living message is not a kept one"
    );
    let answer = raw.say(reader, Level::V31, &subscribe("#", Qos::AtMostOnce));
    assert_eq!(2, answer.packets.len(), "SUBACK and k/2");
}

#[test]
fn overlapping_subscriptions_deliver_once_at_the_best_quality() {
    let mut raw = Raw::new(Policy::default());
    let id = raw.connected(Level::V311, "c");
    raw.say(id, Level::V311, &subscribe("a/+", Qos::AtMostOnce));
    raw.say(id, Level::V311, &subscribe("a/#", Qos::AtLeastOnce));
    assert_eq!(1, raw.core.publish("a/b", b"x", Qos::ExactlyOnce, false, raw.now));
    let answer = raw.answer(id, Level::V311);
    assert!(matches!(&answer.packets[..], [Packet::Publish(publish)] if publish.qos == Qos::AtLeastOnce), "{answer:?}");
    raw.say(id, Level::V311, &Packet::Unsubscribe { id: 2, dup: false, filters: vec!["a/#".into()] });
    raw.core.publish("a/b", b"x", Qos::ExactlyOnce, false, raw.now);
    let answer = raw.answer(id, Level::V311);
    assert!(matches!(&answer.packets[..], [Packet::Publish(publish)] if publish.qos == Qos::AtMostOnce), "{answer:?}");
}

#[test]
fn the_record_keeps_the_newest_packets() {
    let mut raw = Raw::new(Policy { record_limit: 4, ..Policy::default() });
    let id = raw.connected(Level::V31, "c");
    for _ in 0..5 {
        raw.say(id, Level::V31, &Packet::Pingreq);
    }
    assert_eq!(4, raw.core.record().len());
    assert!(raw.core.record().all(|entry| entry.client_id == "c" && entry.packet != connect(Level::V31, "c", true)));
}
