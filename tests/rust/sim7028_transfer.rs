//! SIM7028: what is typed at the prompts, what is published, and how long it may take. Each test names
//! the decision (docs/decisions.md) or the section of the document it proves.

use std::time::Duration;

use modemrig::mqtt::AckAction;
use modemrig::mqtt::Kind;
use modemrig::mqtt::Packet;
use modemrig::mqtt::Publish;

use crate::sim7028_host::CONNECT;
use crate::sim7028_host::Sim;
use crate::sim7028_host::block;

const TOPIC: (&str, &str) = ("AT+CMQTTTOPIC=0,1", ">");
const T: (&str, &str) = ("t", "OK");
const PAYLOAD: (&str, &str) = ("AT+CMQTTPAYLOAD=0,2", ">");
const HI: (&str, &str) = ("hi", "OK");
const PUBLISHED: &str = "OK|+CMQTTPUB: 0,0";

/// Messages the broker was sent.
fn messages(sim: &mut Sim) -> Vec<Publish> {
    let packets = sim.sent(Kind::Publish).into_iter();
    packets.filter_map(|packet| if let Packet::Publish(publish) = packet { Some(publish) } else { None }).collect()
}

/// Decision 31, 38: 0 and one above the limit are ERROR without a prompt; the limit and one are taken.
#[test]
fn decision_31_lengths_at_and_beyond_their_limits() {
    let commands = [
        ("AT+CMQTTWILLTOPIC=0,{}", 1024),
        ("AT+CMQTTWILLMSG=0,{},1", 1024),
        ("AT+CMQTTTOPIC=0,{}", 1024),
        ("AT+CMQTTPAYLOAD=0,{}", 10240),
        ("AT+CMQTTSUBTOPIC=0,{},1", 1024),
        ("AT+CMQTTUNSUBTOPIC=0,{}", 1024),
        ("AT+CMQTTSUB=0,{},1", 1024),
        ("AT+CMQTTUNSUB=0,{},0", 1024),
    ];
    for (command, most) in commands {
        let line = |length: usize| command.replace("{}", &length.to_string());
        for wrong in [line(0), line(most + 1), line(1).replace("=0,", "=1,"), format!("{},7", line(1))] {
            Sim::connected().talk(&[(&wrong, "ERROR"), ("AT", "OK")]);
        }
        for length in [1, most] {
            let mut sim = Sim::connected();
            sim.talk(&[(&line(length), ">")]);
            // Nothing ends the input but its last byte, whenever that comes.
            sim.type_in("x".repeat(length - 1).as_bytes());
            sim.then(3600.0 / 64.0, "");
            assert!(sim.type_in(b"x").starts_with("\r\nOK\r\n"), "{}", line(length));
        }
    }
}

/// Decisions 31, 38: line ends, Ctrl-Z, Esc and AT are data; what comes behind the last byte before OK is dropped, and the CR
/// LF behind the data is silent.
#[test]
fn decision_38_typed_input_is_counted_and_nothing_else() {
    let mut sim = Sim::subscribed();
    let payload = b"AT\r\n\x1a\x1b\x00\x08+++";
    sim.talk(&[TOPIC, T, ("AT+CMQTTPAYLOAD=0,11", ">")]);
    assert_eq!("\r\nOK\r\n", sim.type_in(payload));
    sim.module.host(b"AT+CMQTTPUB=0,0,60\r");
    sim.module.advance(Duration::from_secs(1));
    let said = sim.module.take_output();
    let expected = [b"\r\nOK\r\n\r\n+CMQTTPUB: 0,0\r\n".to_vec(), block("t", payload, &[11])].concat();
    assert_eq!(String::from_utf8_lossy(&expected), String::from_utf8_lossy(&said));
    // Surplus in the same piece as the data.
    sim.talk(&[TOPIC]);
    assert_eq!("\r\nOK\r\n", sim.type_in(b"tAT+CMQTTSTOP\r"));
    sim.talk(&[PAYLOAD]);
    assert_eq!("\r\nOK\r\n", sim.type_in(b"hi\r\n"));
    sim.talk(&[("AT", "OK"), ("AT+CMQTTDISC?", "+CMQTTDISC: 0,0|OK")]);
}

/// Decision 38: with the check, topics, will and payload must be UTF-8; without, a message may be any bytes, and a topic
/// still not: MQTT knows no other.
#[test]
fn decision_38_the_utf_8_check() {
    let typed = [
        ("WILLTOPIC=0,2", false),
        ("WILLMSG=0,2,1", true),
        ("TOPIC=0,2", false),
        ("PAYLOAD=0,2", true),
        ("SUBTOPIC=0,2,1", false),
        ("UNSUBTOPIC=0,2", false),
        ("SUB=0,2,1", false),
        ("UNSUB=0,2,0", false),
    ];
    for (checked, line) in [(true, "AT"), (false, "AT+CMQTTCFG=\"checkUTF8\",0,0")] {
        let mut sim = Sim::acquired();
        sim.talk(&[(line, "OK"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
        for (command, is_message) in typed {
            let name = command.split('=').next().unwrap_or_default();
            for bytes in [b"\xff\xfe", b"\xc3\x28", b"a\xe2"] {
                sim.talk(&[(&format!("AT+CMQTT{command}"), ">")]);
                let said = sim.type_in(bytes);
                let expected = match is_message && !checked {
                    true => "\r\nOK\r\n".to_owned(),
                    false => format!("\r\n+CMQTT{name}: 0,2\r\n\r\nERROR\r\n"),
                };
                assert_eq!(expected, said, "{command}, checked: {checked}");
            }
            sim.talk(&[(&format!("AT+CMQTT{command}"), ">")]);
            assert!(sim.type_in("é".as_bytes()).starts_with("\r\nOK\r\n"), "{command}");
        }
        assert_eq!(1, sim.sent(Kind::Subscribe).len());
    }
}

/// A refused input leaves what was typed before.
#[test]
fn decision_38_input_that_is_refused_changes_nothing() {
    let mut sim = Sim::connected();
    sim.talk(&[TOPIC, T, PAYLOAD, HI, PAYLOAD]);
    assert_eq!("\r\n+CMQTTPAYLOAD: 0,2\r\n\r\nERROR\r\n", sim.type_in(b"\xff\xff"));
    sim.talk(&[("AT+CMQTTPUB=0,1,60", PUBLISHED)]);
    assert_eq!(b"hi".as_slice(), messages(&mut sim)[0].payload);
}

/// 3.2.10 to 3.2.12: topic and payload are forgotten after AT+CMQTTPUB, successful or not; a line that is wrong in itself is
/// no AT+CMQTTPUB, and neither disconnection nor a new connection forgets them.
#[test]
fn section_3_2_12_topic_and_payload_are_used_up_by_a_publish() {
    let both = [TOPIC, T, PAYLOAD, HI];
    let nothing = ("AT+CMQTTPUB=0,0,60", "+CMQTTPUB: 0,18|ERROR");
    let mut sim = Sim::connected();
    sim.talk(&[nothing]);
    sim.talk(&both);
    sim.talk(&[("AT+CMQTTPUB=0,1,60", PUBLISHED), nothing]);
    // No topic: the payload is forgotten all the same.
    sim.talk(&[PAYLOAD, HI, nothing, TOPIC, T, ("AT+CMQTTPUB=0,0,60", PUBLISHED)]);
    // Wrong in itself.
    sim.talk(&both);
    for wrong in ["0,3,60", "0,0,59", "0,0,181", "1,0,60", "0,0", "0,0,60,2", "0,0,60,0,2", "0,0,60,0,0,0"] {
        sim.talk(&[(&format!("AT+CMQTTPUB={wrong}"), "ERROR")]);
    }
    sim.talk(&[("AT+CMQTTDISC=0", "OK|+CMQTTDISC: 0,0"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
    sim.talk(&[("AT+CMQTTPUB=0,2,180,1,0", PUBLISHED)]);
    // Not connected, busy, timed out.
    sim.talk(&[("AT+CMQTTDISC=0", "OK|+CMQTTDISC: 0,0")]);
    sim.talk(&both);
    sim.talk(&[("AT+CMQTTPUB=0,0,60", "+CMQTTPUB: 0,11|ERROR"), (CONNECT, "OK|+CMQTTCONNECT: 0,0"), nothing]);
    sim.lose(Kind::Puback, Some(1));
    sim.talk(&both);
    sim.talk(&[("AT+CMQTTPUB=0,1,60", "OK")]);
    sim.talk(&both);
    sim.talk(&[("AT+CMQTTPUB=0,1,60", "+CMQTTPUB: 0,14|ERROR")]);
    sim.then(60.0, "+CMQTTPUB: 0,17");
    sim.talk(&[nothing]);
    // Released with the client.
    sim.talk(&both);
    sim.talk(&[("AT+CMQTTDISC=0", "OK|+CMQTTDISC: 0,0"), ("AT+CMQTTREL=0", "OK"), ("AT+CMQTTACCQ=0,\"me\"", "OK")]);
    sim.talk(&[(CONNECT, "OK|+CMQTTCONNECT: 0,0"), nothing]);
    let sent: Vec<_> = messages(&mut sim).into_iter().map(|m| (m.qos as u8, m.retain, m.payload)).collect();
    let expected =
        [(1, false, b"hi".to_vec()), (0, false, Vec::new()), (2, true, b"hi".to_vec()), (1, false, b"hi".to_vec())];
    assert_eq!(expected.to_vec(), sent);
}

/// 3.2.12: DUP as asked for, but never at quality 0; with SUB and UNSUB MQTT 3.1.1 has no such flag.
#[test]
fn section_3_2_12_dup_is_what_the_host_says() {
    let mut sim = Sim::connected();
    for line in ["AT+CMQTTPUB=0,0,60,0,1", "AT+CMQTTPUB=0,1,60,0,1", "AT+CMQTTPUB=0,2,60,0,1", "AT+CMQTTPUB=0,1,60,0,0"]
    {
        sim.talk(&[TOPIC, T, (line, PUBLISHED)]);
    }
    assert_eq!(vec![false, true, true, false], messages(&mut sim).iter().map(|m| m.dup).collect::<Vec<_>>());
    sim.talk(&[("AT+CMQTTSUB=0,1,0,1", ">"), ("t", "OK|+CMQTTSUB: 0,0")]);
    sim.talk(&[("AT+CMQTTUNSUB=0,1,1", ">"), ("t", "OK|+CMQTTUNSUB: 0,0")]);
    assert_eq!((1, 1), (sim.sent(Kind::Subscribe).len(), sim.sent(Kind::Unsubscribe).len()));
}

#[test]
fn topics_that_mqtt_does_not_know_are_invalid_parameters() {
    let mut sim = Sim::connected();
    for topic in ["#", "+", "\0"] {
        sim.talk(&[TOPIC, (topic, "OK"), ("AT+CMQTTPUB=0,1,60", "+CMQTTPUB: 0,12|ERROR")]);
    }
    for filter in ["a#", "#a", "+a"] {
        sim.talk(&[("AT+CMQTTSUB=0,2,1", ">"), (filter, "+CMQTTSUB: 0,12|ERROR")]);
        sim.talk(&[("AT+CMQTTUNSUB=0,2,0", ">"), (filter, "+CMQTTUNSUB: 0,12|ERROR")]);
    }
    sim.talk(&[("AT+CMQTTSUB=0,3,1", ">"), ("a/#", "OK|+CMQTTSUB: 0,0")]);
    assert!(messages(&mut sim).is_empty());
}

/// 3.2.12: `pub_timeout` for a publish, at every step of quality 2; 3.2.15: `optimeout` for everything else.
#[test]
fn section_3_2_15_each_operation_has_its_time_and_ends_with_17() {
    let lost = [(Kind::Puback, 1), (Kind::Pubrec, 2), (Kind::Pubcomp, 2)];
    for (kind, qos) in lost {
        for timeout in [60, 180] {
            let mut sim = Sim::connected();
            sim.lose(kind, None);
            sim.talk(&[TOPIC, T, (&format!("AT+CMQTTPUB=0,{qos},{timeout}"), "OK")]);
            sim.then(f64::from(timeout) - 0.3, "");
            sim.then(0.3, "+CMQTTPUB: 0,17");
            assert_eq!(1, messages(&mut sim).len(), "nothing is sent twice");
        }
    }
    for (command, name, kind) in
        [("AT+CMQTTSUB=0,1,1", "SUB", Kind::Suback), ("AT+CMQTTUNSUB=0,1,0", "UNSUB", Kind::Unsuback)]
    {
        for timeout in [20, 120] {
            let mut sim = Sim::acquired();
            sim.talk(&[(&format!("AT+CMQTTCFG=\"optimeout\",0,{timeout}"), "OK"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
            sim.lose(kind, None);
            sim.talk(&[(command, ">"), ("t", "OK")]);
            sim.then(f64::from(timeout) - 0.3, "");
            sim.then(0.3, &format!("+CMQTT{name}: 0,17"));
            sim.talk(&[("AT+CMQTTSUB?", "+CMQTTSUB:|OK")]);
        }
    }
    // The time of a publish is not that of the next subscription.
    let mut sim = Sim::acquired();
    sim.talk(&[("AT+CMQTTCFG=\"optimeout\",0,20", "OK"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
    sim.lose(Kind::Suback, None);
    sim.talk(&[TOPIC, T, ("AT+CMQTTPUB=0,1,180", PUBLISHED), ("AT+CMQTTSUB=0,1,1", ">"), ("t", "OK")]);
    sim.then(20.0, "+CMQTTSUB: 0,17");
}

/// "Time without an answer": each answer of quality 2 has it anew.
#[test]
fn section_3_2_12_each_step_of_quality_2_has_the_whole_time() {
    let mut sim = Sim::connected();
    sim.rule(Kind::Pubrec, AckAction::Delay(Duration::from_secs(50)), None);
    sim.rule(Kind::Pubcomp, AckAction::Delay(Duration::from_secs(50)), None);
    sim.talk(&[TOPIC, T, ("AT+CMQTTPUB=0,2,60", "OK")]);
    sim.then(99.8, "");
    sim.then(0.2, "+CMQTTPUB: 0,0");
}

#[test]
fn section_3_2_15_times_are_shortened_by_speed() {
    let mut sim = Sim::with(|options| options.speed = 100.0).start().acquire("me");
    sim.talk(&[("AT+CMQTTCONNECT=0,\"tcp://h\",64800,1", "OK|+CMQTTCONNECT: 0,0")]);
    sim.lose(Kind::Puback, None);
    sim.lose(Kind::Suback, None);
    sim.talk(&[TOPIC, T, ("AT+CMQTTPUB=0,1,180", "OK")]);
    sim.then(1.6, "");
    sim.then(0.2, "+CMQTTPUB: 0,17");
    sim.talk(&[("AT+CMQTTSUB=0,1,1", ">"), ("t", "OK")]);
    sim.then(1.0, "");
    sim.then(0.2, "+CMQTTSUB: 0,17");
}

/// STATE-MACHINES 3.5: no window; a second operation while one is under way is refused with 14, everything that needs no
/// network is not.
#[test]
fn section_3_5_operations_do_not_overlap() {
    type Steps = &'static [(&'static str, &'static str)];
    let under_way: [(Steps, Kind, &str); 3] = [
        (&[TOPIC, T, ("AT+CMQTTPUB=0,1,60", "OK")], Kind::Puback, "+CMQTTPUB: 0,0"),
        (&[("AT+CMQTTSUB=0,1,1", ">"), ("t", "OK")], Kind::Suback, "+CMQTTSUB: 0,0"),
        (&[("AT+CMQTTUNSUB=0,1,0", ">"), ("t", "OK")], Kind::Unsuback, "+CMQTTUNSUB: 0,0"),
    ];
    for (begin, kind, result) in under_way {
        let mut sim = Sim::connected();
        sim.rule(kind, AckAction::Delay(Duration::from_secs(10)), None);
        sim.talk(begin);
        sim.talk(&[TOPIC, T, ("AT+CMQTTPUB=0,0,60", "+CMQTTPUB: 0,14|ERROR")]);
        sim.talk(&[("AT+CMQTTSUB=0,1,1", ">"), ("t", "+CMQTTSUB: 0,14|ERROR")]);
        sim.talk(&[("AT+CMQTTUNSUB=0,1,0", ">"), ("t", "+CMQTTUNSUB: 0,14|ERROR")]);
        sim.talk(&[("AT+CMQTTDISC=0", "+CMQTTDISC: 0,14|ERROR"), ("AT+CMQTTREL=0", "+CMQTTREL: 0,14|ERROR")]);
        sim.talk(&[("AT+CMQTTDISC?", "+CMQTTDISC: 0,0|OK"), PAYLOAD, HI]);
        sim.then(10.0, result);
        sim.talk(&[("AT+CMQTTDISC=0", "OK|+CMQTTDISC: 0,0")]);
    }
}

/// An answer that comes when its publish was given up does not end the next one.
#[test]
fn section_3_2_12_a_late_answer_belongs_to_its_own_publish() {
    let mut sim = Sim::connected();
    sim.rule(Kind::Puback, AckAction::Delay(Duration::from_secs(70)), Some(1));
    sim.talk(&[TOPIC, T, ("AT+CMQTTPUB=0,1,60", "OK")]);
    sim.then(60.0, "+CMQTTPUB: 0,17");
    sim.lose(Kind::Puback, Some(1));
    sim.talk(&[TOPIC, T, ("AT+CMQTTPUB=0,1,60", "OK")]);
    sim.then(59.8, "");
    sim.then(0.2, "+CMQTTPUB: 0,17");
}

/// Without clean session a publish under way is taken up again by the next connection, with DUP; the host sees nothing of
/// it, and may publish meanwhile. With clean session, or after REL, it is forgotten.
#[test]
fn section_3_5_what_a_stored_session_takes_up_again_is_not_shown() {
    for (clean, released, again) in [(0, false, true), (1, false, false), (0, true, false)] {
        let connect = format!("AT+CMQTTCONNECT=0,\"tcp://h\",64800,{clean}");
        let mut sim = Sim::acquired().connect(&connect);
        sim.lose(Kind::Puback, Some(2));
        sim.talk(&[TOPIC, T, PAYLOAD, HI, ("AT+CMQTTPUB=0,1,60", "OK")]);
        sim.module.network().end_all(false);
        sim.then(1.0, "+CMQTTPUB: 0,26|+CMQTTCONNLOST: 0,1");
        if released {
            sim.talk(&[("AT+CMQTTREL=0", "OK"), ("AT+CMQTTACCQ=0,\"me\"", "OK")]);
        }
        sim = sim.connect(&connect);
        let dups: Vec<_> = messages(&mut sim).iter().map(|message| message.dup).collect();
        assert_eq!(if again { vec![false, true] } else { vec![false] }, dups, "{clean}, {released}");
        if again {
            // The repetition is given up (its answer is lost as well) while another publish is under way.
            sim.rule(Kind::Puback, AckAction::Delay(Duration::from_secs(150)), Some(1));
            sim.talk(&[TOPIC, T, ("AT+CMQTTPUB=0,1,180", "OK")]);
            sim.then(149.8, "");
            sim.then(0.3, "+CMQTTPUB: 0,0");
        }
    }
}

/// 3.3.1: a broker that breaks the protocol is left: what is under way ends with 24, "the packet failed".
#[test]
fn section_3_3_1_a_broken_packet_ends_the_connection() {
    let mut sim = Sim::connected();
    sim.lose(Kind::Puback, None);
    sim.talk(&[TOPIC, T, ("AT+CMQTTPUB=0,1,60", "OK")]);
    sim.module.network().say(b"\x20\x02\x00\x00");
    sim.then(0.1, "+CMQTTPUB: 0,24|+CMQTTCONNLOST: 0,2");
    sim.talk(&[(CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
}

/// A restart leaves nothing: no service, client, setting, or session to be taken up again.
#[test]
fn a_restart_stops_the_service() {
    let mut sim = Sim::acquired().connect("AT+CMQTTCONNECT=0,\"tcp://h\",60,0");
    sim.lose(Kind::Puback, None);
    sim.talk(&[TOPIC, T, ("AT+CMQTTPUB=0,1,60", "OK")]);
    assert!(sim.send("AT+CRESET").contains("OK"));
    sim.module.advance(Duration::from_secs(10));
    sim.module.host(b"ATE0\r");
    sim.module.advance(Duration::from_secs(1));
    sim.module.take_output();
    sim.talk(&[("AT+CMQTTACCQ?", "ERROR")]);
    let mut sim = sim.start().acquire("me").connect("AT+CMQTTCONNECT=0,\"tcp://h\",60,0");
    assert_eq!(1, messages(&mut sim).len(), "nothing is taken up again");
    sim.talk(&[("AT+CMQTTPUB=0,0,60", "+CMQTTPUB: 0,18|ERROR")]);
}
