//! SIM7028: subscriptions, and the messages they bring: their blocks of lines, when they come, how long they may be. Each test
//! names the decision (docs/decisions.md) or the section of the document it proves.

use std::time::Duration;

use modemrig::mqtt::Kind;
use modemrig::mqtt::Packet;
use modemrig::mqtt::Qos;

use crate::sim7028_host::CONNECT;
use crate::sim7028_host::Sim;
use crate::sim7028_host::block;

/// 3.2.13, 3.2.14: a topic typed at the prompt; refused by the broker; what AT+CMQTTSUB? lists.
#[test]
fn section_3_2_13_subscriptions_are_listed_as_long_as_the_broker_has_them() {
    let mut sim = Sim::acquired().connect("AT+CMQTTCONNECT=0,\"tcp://h\",60,0");
    sim.talk(&[("AT+CMQTTSUB=0,1,1", ">"), ("a", "OK|+CMQTTSUB: 0,0"), ("AT+CMQTTSUB=0,3,2", ">")]);
    sim.talk(&[("b/+", "OK|+CMQTTSUB: 0,0"), ("AT+CMQTTSUB=0,1,0", ">"), ("a", "OK|+CMQTTSUB: 0,0")]);
    sim.talk(&[("AT+CMQTTSUB?", "+CMQTTSUB:\nb/+\na|OK")]);
    // Decision 9: dup may be left out.
    sim.talk(&[("AT+CMQTTUNSUB=0,1", ">"), ("a", "OK|+CMQTTUNSUB: 0,0"), ("AT+CMQTTSUB?", "+CMQTTSUB:\nb/+|OK")]);
    sim.talk(&[("AT+CMQTTUNSUB=0,4,1", ">"), ("none", "OK|+CMQTTUNSUB: 0,0")]);
    // Stored by the broker, and no longer.
    sim.talk(&[("AT+CMQTTDISC=0", "OK|+CMQTTDISC: 0,0")]);
    sim = sim.connect("AT+CMQTTCONNECT=0,\"tcp://h\",60,0");
    sim.talk(&[("AT+CMQTTSUB?", "+CMQTTSUB:\nb/+|OK"), ("AT+CMQTTDISC=0", "OK|+CMQTTDISC: 0,0")]);
    sim.module.network().broker.forget_sessions();
    sim = sim.connect("AT+CMQTTCONNECT=0,\"tcp://h\",60,0");
    sim.talk(&[("AT+CMQTTSUB?", "+CMQTTSUB:|OK")]);
}

/// Decision 8: AT+CMQTTSUB=0[,dup] is for what AT+CMQTTSUBTOPIC staged; the second argument of AT+CMQTTUNSUB=0,x is dup
/// only while AT+CMQTTUNSUBTOPIC has staged a topic.
#[test]
fn decision_8_forms_left_over_from_other_series() {
    let mut sim = Sim::connected();
    let empty = ("AT+CMQTTSUB=0", "OK|+CMQTTSUB: 0,0");
    sim.talk(&[empty, ("AT+CMQTTSUB=0,0", "OK|+CMQTTSUB: 0,0"), ("AT+CMQTTSUB=0,2", "ERROR")]);
    assert!(sim.sent(Kind::Subscribe).is_empty());
    let stage = [("AT+CMQTTSUBTOPIC=0,1,2", ">"), ("s", "OK")];
    sim.talk(&stage);
    // A topic typed at the prompt does not touch the staged one.
    sim.talk(&[
        ("AT+CMQTTSUB=0,1,0", ">"),
        ("t", "OK|+CMQTTSUB: 0,0"),
        ("AT+CMQTTSUB=0,1", "OK|+CMQTTSUB: 0,0"),
        empty,
    ]);
    let asked: Vec<_> = sim
        .sent(Kind::Subscribe)
        .into_iter()
        .map(|packet| if let Packet::Subscribe { filters, .. } = packet { filters } else { Vec::new() })
        .collect();
    let filter = |name: &str, qos| vec![(name.to_owned(), qos)];
    assert_eq!(vec![filter("t", Qos::AtMostOnce), filter("s", Qos::ExactlyOnce)], asked);

    sim.talk(&[("AT+CMQTTUNSUB=0,0", "ERROR"), ("AT+CMQTTUNSUB=0,1", ">"), ("t", "OK|+CMQTTUNSUB: 0,0")]);
    sim.talk(&[("AT+CMQTTUNSUBTOPIC=0,1", ">"), ("s", "OK"), ("AT+CMQTTUNSUB=0,9", "ERROR")]);
    sim.talk(&[("AT+CMQTTUNSUB=0,1,0", ">"), ("x", "OK|+CMQTTUNSUB: 0,0")]);
    sim.talk(&[("AT+CMQTTUNSUB=0,0", "OK|+CMQTTUNSUB: 0,0"), ("AT+CMQTTUNSUB=0,0", "ERROR")]);
    sim.talk(&[("AT+CMQTTSUB?", "+CMQTTSUB:|OK")]);
    // Used up by a refusal too, and by the end of the client.
    sim.talk(&stage);
    sim.talk(&[("AT+CMQTTDISC=0", "OK|+CMQTTDISC: 0,0"), ("AT+CMQTTSUB=0", "+CMQTTSUB: 0,11|ERROR")]);
    sim = sim.connect(CONNECT);
    sim.talk(&[empty]);
    assert_eq!(2, sim.sent(Kind::Subscribe).len());
}

/// Decision 38, 3.3.2: the topic whole, the payload in parts of 1500 bytes, of any content; none where it is empty.
#[test]
fn decision_38_messages_of_every_size_arrive_whole() {
    let long: Vec<u8> = (0..10240u32).map(|at| (at % 256) as u8).collect();
    let cases: [(&[u8], &[usize]); 7] = [
        (b"", &[]),
        (b"\r\n+CMQTTRXEND: 0\r\n", &[18]),
        (b"\x00\xff\x1a\x1b", &[4]),
        (&long[..1500], &[1500]),
        (&long[..1501], &[1500, 1]),
        (&long[..3000], &[1500, 1500]),
        (&long, &[1500, 1500, 1500, 1500, 1500, 1500, 1240]),
    ];
    let mut sim = Sim::subscribed();
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
        for (payload, parts) in cases {
            sim.publish("t", payload, qos);
            sim.module.advance(Duration::from_millis(100));
            assert_eq!(block("t", payload, parts), sim.module.take_output(), "{} bytes at {qos:?}", payload.len());
        }
    }
    assert_eq!((7, 7), (sim.sent(Kind::Puback).len(), sim.sent(Kind::Pubcomp).len()), "each is acknowledged");
}

/// 3.3.2 counts topics to 1024 and payloads to 10240: what is longer is dropped, acknowledged, and disturbs nothing.
#[test]
fn section_3_3_2_a_message_beyond_the_counts_is_dropped() {
    let mut sim = Sim::connected();
    sim.talk(&[("AT+CMQTTSUB=0,1,1", ">"), ("#", "OK|+CMQTTSUB: 0,0")]);
    let topic = "x".repeat(1024);
    sim.publish(&topic, b"longest topic", Qos::AtLeastOnce);
    sim.module.advance(Duration::from_millis(100));
    assert_eq!(block(&topic, b"longest topic", &[13]), sim.module.take_output());
    sim.publish(&"x".repeat(1025), b"one more", Qos::AtLeastOnce);
    sim.publish("t", &[0; 10241], Qos::AtLeastOnce);
    sim.then(1.0, "");
    sim.publish("t", b"next", Qos::AtLeastOnce);
    sim.module.advance(Duration::from_millis(100));
    assert_eq!(block("t", b"next", &[4]), sim.module.take_output());
    assert_eq!(4, sim.sent(Kind::Puback).len());
}

/// A message that arrives while a command runs waits: behind the prompt, among the bytes, and until OK.
#[test]
fn section_3_4_a_message_waits_until_what_is_typed_has_its_result() {
    let mut sim = Sim::subscribed();
    sim.talk(&[("AT+CMQTTPAYLOAD=0,2", ">")]);
    sim.publish("t", b"1", Qos::AtLeastOnce);
    sim.then(5.0, "");
    assert_eq!("", sim.type_in(b"h"));
    sim.publish("t", b"2", Qos::AtMostOnce);
    sim.then(5.0, "");
    sim.module.host(b"i");
    sim.module.advance(Duration::from_millis(100));
    let expected = [b"\r\nOK\r\n".to_vec(), block("t", b"1", &[1]), block("t", b"2", &[1])].concat();
    assert_eq!(String::from_utf8_lossy(&expected), String::from_utf8_lossy(&sim.module.take_output()));
    // The loss of the connection waits as well, and what was being typed finds none.
    sim.talk(&[("AT+CMQTTSUB=0,1,1", ">")]);
    sim.module.network().end_all(false);
    sim.then(5.0, "");
    sim.talk(&[("u", "+CMQTTSUB: 0,11|ERROR|+CMQTTCONNLOST: 0,1"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
}

/// Decision 14 and 3.2.12 at the largest sizes: what the module publishes comes back to it.
#[test]
fn section_3_2_12_the_largest_message_goes_out_and_comes_back() {
    let (topic, payload) = ("é".repeat(512), "ß".repeat(5120));
    let mut sim = Sim::connected();
    sim.talk(&[("AT+CMQTTSUB=0,1024,1", ">"), (&topic, "OK|+CMQTTSUB: 0,0")]);
    sim.talk(&[("AT+CMQTTTOPIC=0,1024", ">"), (&topic, "OK"), ("AT+CMQTTPAYLOAD=0,10240", ">"), (&payload, "OK")]);
    sim.module.host(b"AT+CMQTTPUB=0,1,60\r");
    sim.module.advance(Duration::from_millis(100));
    let said = sim.module.take_output();
    let came = block(&topic, payload.as_bytes(), &[1500, 1500, 1500, 1500, 1500, 1500, 1240]);
    assert!(said.windows(came.len()).any(|window| window == came), "{} bytes", said.len());
}

/// Decision 25: a subscription that the broker refuses failed on the network.
#[test]
fn decision_25_a_refused_subscription_is_not_listed() {
    let mut sim = Sim::connected();
    sim.lose(Kind::Suback, Some(1));
    sim.talk(&[("AT+CMQTTSUB=0,1,1", ">"), ("t", "OK")]);
    let Some(Packet::Subscribe { id, .. }) = sim.sent(Kind::Subscribe).pop() else { panic!("no SUBSCRIBE") };
    let [high, low] = id.to_be_bytes();
    sim.module.network().say(&[0x90, 3, high, low, 0x80]);
    sim.then(0.1, "+CMQTTSUB: 0,1");
    sim.talk(&[("AT+CMQTTSUB?", "+CMQTTSUB:|OK"), ("AT+CMQTTDISC?", "+CMQTTDISC: 0,0|OK")]);
}

/// Decision 44: a host that leaves in the middle of typing leaves nothing behind but what it had finished.
#[test]
fn decision_44_a_host_that_leaves_while_typing() {
    let mut sim = Sim::subscribed();
    sim.talk(&[("AT+CMQTTTOPIC=0,1", ">"), ("t", "OK"), ("AT+CMQTTPAYLOAD=0,9", ">")]);
    sim.type_in(b"half");
    sim.publish("t", b"nobody sees it", Qos::AtMostOnce);
    sim.module.host_leaves();
    sim.module.take_output();
    sim.module.host_comes();
    sim.talk(&[
        ("AT", "OK"),
        ("AT+CMQTTDISC?", "+CMQTTDISC: 0,0|OK"),
        ("AT+CMQTTPUB=0,0,60", "OK|+CMQTTPUB: 0,0|+CMQTTRXSTART: 0,1,0\n+CMQTTRXTOPIC: 0,1\nt\n+CMQTTRXEND: 0"),
    ]);
}

/// V.250 section 6.2.3: what nobody asked for comes behind a command line that is being typed, unless its writer pauses.
#[test]
fn a_message_does_not_come_among_the_characters_of_a_command_line() {
    let mut sim = Sim::subscribed();
    assert_eq!("", sim.type_in(b"AT+CMQTT"));
    sim.publish("t", b"1", Qos::AtMostOnce);
    sim.then(4.0, "");
    sim.module.host(b"DISC?\r");
    sim.module.advance(Duration::from_millis(100));
    let expected = [b"\r\n+CMQTTDISC: 0,0\r\n\r\nOK\r\n".to_vec(), block("t", b"1", &[1])].concat();
    assert_eq!(String::from_utf8_lossy(&expected), String::from_utf8_lossy(&sim.module.take_output()));
    assert_eq!("", sim.type_in(b"AT+CMQTT"));
    sim.publish("t", b"2", Qos::AtMostOnce);
    sim.module.advance(Duration::from_secs(5));
    assert_eq!(block("t", b"2", &[1]), sim.module.take_output());
    sim.talk(&[("DISC?\r", "+CMQTTDISC: 0,0|OK")]);
}
