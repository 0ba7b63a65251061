//! SIM7028: connecting, what CONNECT takes and says, disconnecting, keep-alive, and how a connection is lost. Each test names the
//! decision (docs/decisions.md) or the section of the document it proves.

use std::time::Duration;

use modemrig::mqtt::Kind;
use modemrig::mqtt::Packet;
use modemrig::mqtt::Qos;
use modemrig::mqtt::Will;
use modemrig::virtual_module::simulation::Way;

use crate::sim7028_host::CONNECT;
use crate::sim7028_host::Sim;
use crate::sim7028_host::wire;

/// 3.2.9, decision 9: the time-out may be left out; 0 and 60 to 180 are times, 1 to 59 are not.
#[test]
fn decision_9_the_time_of_a_disconnection() {
    for wrong in ["0,1", "0,59", "0,181", "0,-1", "1", "1,60", "0,60,1", "", "0,\"60\""] {
        Sim::connected().talk(&[(&format!("AT+CMQTTDISC={wrong}"), "ERROR"), ("AT+CMQTTDISC?", "+CMQTTDISC: 0,0|OK")]);
    }
    for right in ["0", "0,0", "0,60", "0,180"] {
        let mut sim = Sim::connected();
        sim.talk(&[(&format!("AT+CMQTTDISC={right}"), "OK|+CMQTTDISC: 0,0"), ("AT+CMQTTDISC?", "+CMQTTDISC: 0,1|OK")]);
        assert_eq!(vec![Packet::Disconnect], sim.sent(Kind::Disconnect));
        sim.talk(&[("AT+CMQTTDISC=0", "+CMQTTDISC: 0,11|ERROR"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
    }
}

/// 3.2.9: a peer that takes nothing more; the time ends it with 35, and without one it lasts until the peer goes.
#[test]
fn section_3_2_9_a_disconnection_ends_in_its_time() {
    let patient = "AT+CMQTTCONNECT=0,\"tcp://h\",64800,1";
    let mut sim = Sim::acquired().connect(patient);
    sim.module.network().stall();
    sim.talk(&[("AT+CMQTTDISC=0,60", "OK")]);
    sim.then(59.8, "");
    sim.then(0.2, "+CMQTTDISC: 0,35");
    sim.talk(&[("AT+CMQTTACCQ?", "+CMQTTACCQ: 0,\"me\",0|OK"), (patient, "OK|+CMQTTCONNECT: 0,0")]);
    sim.module.network().stall();
    sim.talk(&[("AT+CMQTTDISC=0,0", "OK")]);
    sim.then(1000.0, "");
    sim.module.network().end_all(false);
    sim.then(1.0, "+CMQTTDISC: 0,0");
    sim.talk(&[("AT+CMQTTREL=0", "OK")]);
    let mut sim = Sim::connected();
    sim.module.network().refuse_writes();
    sim.talk(&[("AT+CMQTTDISC=0", "OK|+CMQTTDISC: 0,35"), ("AT+CMQTTREL=0", "OK")]);
}

/// 3.2.8: `tcp://host[:port]`, up to 128 bytes; keep-alive 1 to 64800; clean session is wanted; names and passwords 1 to 256.
#[test]
fn section_3_2_8_what_connect_takes() {
    let bad_address = [
        "broker.example:1883",
        "tcp:/broker.example",
        "TCP://broker.example",
        "ssl://broker.example:8883",
        "mqtt://broker.example",
        "tcp://",
        "tcp://:1883",
        "tcp://broker.example:",
        "tcp://broker.example:0",
        "tcp://broker.example:65536",
        "tcp://broker.example:x",
        "tcp://broker.example/topic",
        "",
    ];
    let mut sim = Sim::acquired();
    for address in bad_address {
        sim.talk(&[(&format!("AT+CMQTTCONNECT=0,\"{address}\",60,1"), "ERROR")]);
    }
    let address = |length: usize| format!("tcp://{}", "h".repeat(length - 6));
    let text = |length: usize| "u".repeat(length);
    for rest in [
        "\"tcp://h\",0,1".to_owned(),
        "\"tcp://h\",64801,1".to_owned(),
        "\"tcp://h\",60,2".to_owned(),
        "\"tcp://h\",60".to_owned(),
        "\"tcp://h\",,1".to_owned(),
        "tcp://h,60,1".to_owned(),
        format!("\"{}\",60,1", address(129)),
        format!("\"tcp://h\",60,1,\"{}\"", text(257)),
        "\"tcp://h\",60,1,\"\"".to_owned(),
        format!("\"tcp://h\",60,1,\"u\",\"{}\"", text(257)),
        "\"tcp://h\",60,1,,\"p\"".to_owned(),
        "\"tcp://h\",60,1,\"u\",\"p\",1".to_owned(),
    ] {
        sim.talk(&[(&format!("AT+CMQTTCONNECT=0,{rest}"), "ERROR")]);
    }
    assert!(sim.sent(Kind::Connect).is_empty());
    for rest in [
        "\"tcp://h\",1,1".to_owned(),
        "\"tcp://h:65535\",64800,0".to_owned(),
        format!("\"{}\",60,1", address(128)),
        format!("\"tcp://h\",60,1,\"{}\"", text(256)),
        format!("\"tcp://h\",60,1,\"u\",\"{}\"", "p".repeat(256)),
    ] {
        sim.talk(&[(&format!("AT+CMQTTCONNECT=0,{rest}"), "OK|+CMQTTCONNECT: 0,0")]);
        sim.talk(&[("AT+CMQTTCONNECT?", &format!("+CMQTTCONNECT: 0,{rest}|OK"))]);
        sim.talk(&[("AT+CMQTTDISC=0", "OK|+CMQTTDISC: 0,0")]);
        sim.talk(&[("AT+CMQTTCONNECT?", "+CMQTTCONNECT: 0|OK")]);
    }
}

/// 3.2.6 to 3.2.8: what CONNECT carries.
#[test]
fn section_3_2_8_connect_says_what_was_set() {
    let mut sim = Sim::acquired();
    sim.talk(&[("AT+CMQTTWILLTOPIC=0,3", ">"), ("a/b", "OK"), ("AT+CMQTTWILLMSG=0,4,2", ">"), ("gone", "OK")]);
    sim.talk(&[("AT+CMQTTCONNECT=0,\"tcp://h\",64800,0,\"us\",\"pw\"", "OK|+CMQTTCONNECT: 0,0")]);
    let Some(Packet::Connect(connect)) = sim.sent(Kind::Connect).pop() else { panic!("no CONNECT") };
    assert_eq!(("me", false, 64800), (connect.client_id.as_str(), connect.clean_session, connect.keep_alive));
    assert_eq!((Some("us"), Some(&b"pw"[..])), (connect.username.as_deref(), connect.password.as_deref()));
    let will = Will { topic: "a/b".into(), payload: b"gone".to_vec(), qos: Qos::ExactlyOnce, retain: false };
    assert_eq!(Some(will), connect.will);
}

/// STATE-MACHINES 3.1: a will needs topic and message, may be typed while connected for the next connection, outlives
/// disconnection, and goes with the client.
#[test]
fn section_3_1_a_will_lasts_until_the_client_is_released() {
    let mut sim = Sim::acquired();
    let mut wills = Vec::new();
    let again = [("AT+CMQTTDISC=0", "OK|+CMQTTDISC: 0,0"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")];
    sim.talk(&[("AT+CMQTTWILLTOPIC=0,1", ">"), ("w", "OK"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
    sim.talk(&[("AT+CMQTTWILLMSG=0,3,1", ">"), ("bye", "OK")]);
    sim.talk(&again);
    sim.talk(&again);
    sim.talk(&[("AT+CMQTTDISC=0", "OK|+CMQTTDISC: 0,0"), ("AT+CMQTTREL=0", "OK"), ("AT+CMQTTACCQ=0,\"me\"", "OK")]);
    sim.talk(&[(CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
    for packet in sim.sent(Kind::Connect) {
        let Packet::Connect(connect) = packet else { continue };
        wills.push(connect.will.map(|will| String::from_utf8_lossy(&will.payload).into_owned()));
    }
    assert_eq!(vec![None, Some("bye".to_owned()), Some("bye".to_owned()), None], wills);
}

#[test]
fn a_will_whose_topic_has_wildcards_is_an_invalid_parameter_of_the_connection() {
    let mut sim = Sim::acquired();
    sim.talk(&[("AT+CMQTTWILLTOPIC=0,3", ">"), ("a/#", "OK"), ("AT+CMQTTWILLMSG=0,1,0", ">"), ("x", "OK")]);
    sim.talk(&[(CONNECT, "OK|+CMQTTCONNECT: 0,12"), ("AT+CMQTTREL=0", "OK")]);
}

/// Decision 25: each failure of CONNECT by its cause, behind OK; the client stays acquired and can try again.
#[test]
fn decision_25_a_connection_that_fails_leaves_the_client_acquired() {
    let cases = [
        (Way::NotResolved, 25, 0.0),
        (Way::Refused, 3, 0.0),
        (Way::TlsFails, 32, 0.0),
        (Way::NoAnswer, 17, 120.0),
        (Way::Says(Vec::new()), 17, 120.0),
        (Way::Says(b"\x90\x03\x00\x01\x00".to_vec()), 24, 0.0),
        (Way::ClosedAfter(0), 26, 0.0),
        (Way::ResetAfter(2), 26, 0.0),
    ];
    for (way, code, after) in cases {
        let mut sim = Sim::acquired();
        sim.ways([way.clone()]);
        sim.module.host(format!("{CONNECT}\r").as_bytes());
        let line = format!("+CMQTTCONNECT: 0,{code}\r\n");
        let took = sim.module.until(line.as_bytes(), Duration::from_secs(200));
        assert!(took.is_some_and(|took| (after..after + 1.0).contains(&took.as_secs_f64())), "{way:?}: {took:?}");
        assert_eq!(wire(&format!("OK|+CMQTTCONNECT: 0,{code}")), sim.module.after(0.1), "{way:?}");
        sim.talk(&[("AT+CMQTTDISC=0", "+CMQTTDISC: 0,11|ERROR"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
    }
}

/// Decision 25: the service stays started and the client acquired, whatever the cause; what is under way fails first.
#[test]
fn decision_25_a_lost_connection_is_told_behind_what_it_ended() {
    type Lose = fn(&mut Sim);
    let causes: [(&str, Lose, i32, i32); 5] = [
        ("closed", |sim| sim.module.network().end_all(false), 26, 1),
        ("reset", |sim| sim.module.network().end_all(true), 26, 2),
        (
            "network",
            |sim| sim.talk(&[("AT+CGATT=0", "OK|+CMQTTPUB: 0,9|+CMQTTCONNLOST: 0,3"), ("AT+CGATT=1", "OK")]),
            9,
            3,
        ),
        ("silent", |sim| sim.module.network().silence(), 17, 1),
        ("unwritable", |sim| sim.module.network().refuse_writes(), 16, 2),
    ];
    for (name, lose, code, cause) in causes {
        let mut sim = Sim::connected();
        sim.lose(Kind::Puback, None);
        sim.talk(&[("AT+CMQTTTOPIC=0,1", ">"), ("t", "OK"), ("AT+CMQTTPUB=0,1,180", "OK")]);
        lose(&mut sim);
        if name != "network" {
            // A silent peer is noticed 60 s of keep-alive and 120 s of `optimeout` later.
            sim.then(185.0, &format!("+CMQTTPUB: 0,{code}|+CMQTTCONNLOST: 0,{cause}"));
        }
        sim.talk(&[("AT+CMQTTSTART", "ERROR"), ("AT+CMQTTACCQ?", "+CMQTTACCQ: 0,\"me\",0|OK")]);
        sim.talk(&[("AT+CMQTTPUB=0,0,60", "+CMQTTPUB: 0,11|ERROR"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
    }
}

/// 3.2.8, decision 23's pacing: PINGREQ after `keepalive_time` without a packet, and the lost one is told as a lost
/// connection once `optimeout` has passed.
#[test]
fn section_3_2_8_keep_alive_from_its_least_to_its_most() {
    for seconds in [1, 60, 64800] {
        let mut sim = Sim::acquired().connect(&format!("AT+CMQTTCONNECT=0,\"tcp://h\",{seconds},1"));
        sim.then(f64::from(seconds) - 0.2, "");
        assert_eq!(0, sim.sent(Kind::Pingreq).len(), "{seconds}");
        sim.then(0.2, "");
        assert_eq!(1, sim.sent(Kind::Pingreq).len(), "{seconds}");
        sim.then(f64::from(seconds) * 9.0, "");
        assert_eq!(10, sim.sent(Kind::Pingreq).len(), "{seconds}");
    }
    // Anything sent puts it off.
    let mut sim = Sim::connected();
    for _ in 0..10 {
        sim.then(50.0, "");
        sim.talk(&[("AT+CMQTTTOPIC=0,1", ">"), ("t", "OK"), ("AT+CMQTTPUB=0,0,60", "OK|+CMQTTPUB: 0,0")]);
    }
    assert!(sim.sent(Kind::Pingreq).is_empty());
}

#[test]
fn section_3_3_2_a_broker_that_answers_no_ping_is_a_lost_connection_after_optimeout() {
    let mut sim = Sim::acquired();
    sim.talk(&[("AT+CMQTTCFG=\"optimeout\",0,20", "OK"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
    sim.lose(Kind::Pingresp, Some(1));
    // The lost answer of the first ping is not made up for by the second: it comes too late for that.
    sim.then(79.8, "");
    sim.then(0.3, "+CMQTTCONNLOST: 0,1");
    sim.talk(&[("AT+CMQTTACCQ?", "+CMQTTACCQ: 0,\"me\",0|OK"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
}

/// Decision 25: the network is down (9) before, while and after connecting.
#[test]
fn decision_25_without_a_network() {
    let (down, up) = (("AT+CGATT=0", "OK"), ("AT+CGATT=1", "OK"));
    let mut sim = Sim::acquired();
    sim.talk(&[down, (CONNECT, "OK|+CMQTTCONNECT: 0,9"), up]);
    sim.ways([Way::NoAnswer]);
    sim.talk(&[(CONNECT, "OK"), ("AT+CGATT=0", "OK|+CMQTTCONNECT: 0,9"), up]);
    sim.lose(Kind::Suback, None);
    sim.talk(&[(CONNECT, "OK|+CMQTTCONNECT: 0,0"), ("AT+CMQTTSUB=0,1,1", ">"), ("t", "OK")]);
    sim.talk(&[("AT+CGATT=0", "OK|+CMQTTSUB: 0,9|+CMQTTCONNLOST: 0,3"), up]);
    // What is being disconnected is disconnected.
    sim.talk(&[(CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
    sim.module.network().stall();
    sim.talk(&[("AT+CMQTTDISC=0", "OK"), ("AT+CGATT=0", "OK|+CMQTTDISC: 0,0"), up]);
    // Radio off is the same; the service needs no new start.
    sim.talk(&[(CONNECT, "OK|+CMQTTCONNECT: 0,0"), ("AT+CFUN=0", "OK|+CMQTTCONNLOST: 0,3"), ("AT+CFUN=1", "OK")]);
    sim.talk(&[(CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
}

/// 3.2.15: `optimeout` also ends a connection that nobody takes, and one whose CONNECT nobody answers.
#[test]
fn section_3_2_15_connecting_has_optimeout() {
    for seconds in [20, 120] {
        for way in [Way::NoAnswer, Way::Says(Vec::new())] {
            let mut sim = Sim::acquired();
            sim.talk(&[(&format!("AT+CMQTTCFG=\"optimeout\",0,{seconds}"), "OK")]);
            sim.ways([way]);
            sim.talk(&[(CONNECT, "OK")]);
            sim.then(f64::from(seconds) - 0.3, "");
            sim.then(0.3, "+CMQTTCONNECT: 0,17");
        }
    }
}
