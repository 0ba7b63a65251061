//! What happens at the same time: URCs and typed input, losses and requests in flight, results and their OK.

use std::time::Duration;

use modemrig::mqtt::Kind;
use modemrig::mqtt::Qos;

use super::ALL;
use super::BC35;
use super::LTE;
use super::Rig;
use super::is_about;

/// Between OK and a result that is known at once (F23).
const GAP: f64 = 0.02;

#[test]
fn decision_26_a_result_keeps_its_distance_from_ok() {
    for dialect in ALL {
        let mut rig = Rig::new(dialect);
        for (line, result) in [
            (super::OPEN, "+QMTOPEN: 0,0"),
            ("AT+QMTCONN=0,\"me\"", "+QMTCONN: 0,0,0"),
            ("AT+QMTSUB=0,1,\"t\",0", "+QMTSUB: 0,1,0,0"),
            ("AT+QMTUNS=0,1,\"t\"", "+QMTUNS: 0,1,0"),
            ("AT+QMTDISC=0", "+QMTDISC: 0,0"),
            ("AT+QMTCLOSE=0", "+QMTCLOSE: 0,0"),
        ] {
            rig.ok(line);
            let took = rig.until(result, 10).expect("a result");
            assert!(is_about(GAP, took), "{dialect}: {line}: {took} s");
            assert_eq!([result], rig.after(0.0)[..]);
        }
        // A refusal is at once, and alone.
        assert_eq!("\r\nERROR\r\n", rig.module.ask("AT+QMTDISC=0", 1.0), "{dialect}");
    }
}

#[test]
fn what_arrives_while_a_payload_is_typed_waits_for_its_end() {
    for dialect in LTE {
        let mut rig = Rig::connected(dialect, &[]);
        rig.connect(1, "other");
        rig.ask("AT+QMTSUB=0,1,\"a\",1");
        rig.ask("AT+QMTSUB=1,1,\"a\",0");
        rig.prompted(&rig.publish_line(0, 0, 3));
        rig.arrives("a", b"1", Qos::AtMostOnce);
        rig.module.host(b"x");
        rig.arrives("a", b"2", Qos::AtMostOnce);
        rig.module.network().broker.policy.refuse_with = None;
        assert_eq!("", rig.module.after(30.0), "{dialect}: nothing comes into the input");
        rig.module.host(b"yz");
        let said = rig.after(0.1);
        assert_eq!("OK", said[0], "{dialect}: {said:?}");
        let mut rest = said[1..].to_vec();
        rest.sort();
        let urcs = [
            "+QMTPUBEX: 0,0,0",
            "+QMTRECV: 0,0,\"a\",\"1\"",
            "+QMTRECV: 0,0,\"a\",\"2\"",
            "+QMTRECV: 1,0,\"a\",\"1\"",
            "+QMTRECV: 1,0,\"a\",\"2\"",
        ];
        assert_eq!(urcs, rest[..], "{dialect}");
        assert_eq!(vec![b"xyz".to_vec()], rig.payloads());
    }
}

#[test]
fn a_retransmission_falls_due_while_another_payload_is_typed() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &["\"timeout\",0,2,1,1"]);
        rig.lose(Kind::Puback, None);
        rig.publish(1, 1, b"a");
        rig.prompted(&rig.publish_line(2, 1, 2));
        assert_eq!("", rig.module.after(10.0), "{dialect}");
        assert_eq!(2, rig.sent(Kind::Publish).len(), "{dialect}: the network is not held up");
        rig.module.host(b"xy");
        let name = rig.published();
        let said = rig.after(0.1);
        assert_eq!(["OK".to_owned(), format!("{name}: 0,1,1,1"), format!("{name}: 0,1,2")], said[..], "{dialect}");
    }
}

/// A connection that is lost under typed input: the input is taken to its end, then refused; +QMTSTAT follows (decision 31).
#[test]
fn decision_31_input_for_a_connection_that_is_lost_is_taken_and_refused() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &[]);
        rig.prompted(&rig.publish_line(1, 1, 4));
        rig.module.host(b"xy");
        rig.module.network().end_all(false);
        assert_eq!("", rig.module.after(5.0), "{dialect}: the host goes on typing");
        rig.module.host(b"zw\r\n");
        assert_eq!(["ERROR", "+QMTSTAT: 0,1"], rig.after(1.0)[..], "{dialect}: and no result");
        assert!(rig.payloads().is_empty());
        rig.connect(0, "me");
        let name = rig.published();
        assert_eq!(["OK".to_owned(), format!("{name}: 0,1,0")], rig.publish(1, 1, b"x")[..], "{dialect}");
    }
    let mut rig = Rig::connected(BC35, &[]);
    rig.ok("AT+CMEE=1");
    rig.prompted("AT+QMTPUB=0,0,0,0,\"t\"");
    rig.module.network().end_all(false);
    rig.after(1.0);
    assert_eq!(["+CME ERROR: 3", "+QMTSTAT: 0,1"], rig.type_in(b"x\x1a")[..]);
}

#[test]
fn a_loss_of_one_client_is_told_behind_the_input_of_another() {
    for dialect in LTE {
        let mut rig = Rig::connected(dialect, &[]);
        rig.connect(1, "other");
        rig.prompted(&rig.publish_line(1, 1, 2));
        let now = rig.module.network().now();
        rig.module.network().broker.cut("other", now);
        assert_eq!("", rig.module.after(5.0), "{dialect}");
        assert_eq!(["OK", "+QMTSTAT: 1,1", "+QMTPUBEX: 0,1,0"], rig.type_in(b"xy")[..], "{dialect}");
    }
}

/// Requests in flight have no result of their own when their connection ends: what ended it is the answer (decision 29).
#[test]
fn decision_29_requests_in_flight_end_with_their_connection_without_a_line() {
    for dialect in ALL {
        for (end, lines) in [
            ("AT+QMTCLOSE=0", &["OK", "+QMTCLOSE: 0,0"][..]),
            ("AT+QMTDISC=0", &["OK", "+QMTDISC: 0,0"]),
            ("stat", &["+QMTSTAT: 0,1"]),
        ] {
            let mut rig = Rig::connected(dialect, &["\"session\",0,1", "\"timeout\",0,2,2,1"]);
            for kind in [Kind::Puback, Kind::Suback] {
                let rule = modemrig::mqtt::AckRule {
                    kind,
                    client_id: None,
                    action: modemrig::mqtt::AckAction::Drop,
                    times: None,
                };
                rig.module.network().broker.policy.ack_rules.push(rule);
            }
            for msgid in 1..=5 {
                rig.publish(msgid, 1, b"x");
            }
            rig.ok("AT+QMTSUB=0,6,\"t\",0");
            let said = match end {
                "stat" => {
                    rig.module.network().end_all(false);
                    rig.after(60.0)
                }
                command => [rig.ask(command), rig.after(60.0)].concat(),
            };
            assert_eq!(lines, said, "{dialect}: {end}");
            // A clean session begins with all identifiers and the whole window.
            rig.ask("AT+QMTCLOSE=0");
            rig.lose_nothing();
            rig.connect(0, "me");
            assert!(rig.after(60.0).is_empty(), "{dialect}: {end}");
            for msgid in 1..=5 {
                let expected = ["OK".to_owned(), format!("{}: 0,{msgid},0", rig.published())];
                assert_eq!(expected[..], rig.publish(msgid, 1, b"x")[..], "{dialect}: {end}");
            }
        }
    }
}

/// A stored session takes its messages along: sent again behind the next CONNACK, each has its one final result there.
#[test]
fn decision_29_messages_of_a_stored_session_have_their_result_on_the_next_connection() {
    for dialect in ALL {
        for level in [3, 4] {
            let mut rig = Rig::connected(dialect, &["\"session\",0,0", &format!("\"version\",0,{level}")]);
            rig.lose(Kind::Puback, None);
            for msgid in 1..=2 {
                rig.publish(msgid, 1, b"x");
            }
            rig.module.network().end_all(true);
            assert_eq!(["+QMTSTAT: 0,1"], rig.after(600.0)[..], "{dialect}");
            rig.lose_nothing();
            rig.ask(super::OPEN);
            let name = rig.published();
            let said = rig.ask("AT+QMTCONN=0,\"me\"");
            let results = [format!("{name}: 0,1,0"), format!("{name}: 0,2,0")];
            assert_eq!(["OK", "+QMTCONN: 0,0,0", &results[0], &results[1]], said[..], "{dialect}, level {level}");
            let marked: Vec<_> = rig.sent(Kind::Publish).iter().map(super::is_dup).collect();
            assert_eq!([false, false, true, true], marked[..], "{dialect}, level {level}");
            assert!(rig.after(600.0).is_empty());
        }
    }
}

/// At level 4 the broker says when it has forgotten the session: the messages are given up there and then.
#[test]
fn decision_29_messages_of_a_session_that_the_broker_forgot_are_given_up() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &["\"session\",0,0", "\"version\",0,4"]);
        rig.lose(Kind::Puback, None);
        rig.publish(1, 1, b"x");
        assert_eq!(["OK", "+QMTCLOSE: 0,0"], rig.ask("AT+QMTCLOSE=0")[..]);
        rig.module.network().broker.forget_sessions();
        rig.ask(super::OPEN);
        let said = rig.ask("AT+QMTCONN=0,\"me\"");
        assert_eq!(["OK", "+QMTCONN: 0,0,0", &format!("{}: 0,1,2", rig.published())], said[..], "{dialect}");
    }
}

/// Publish and close in one go: the message leaves first, and says so (decision 37).
#[test]
fn decision_37_a_message_is_written_before_the_next_command_runs() {
    for dialect in ALL {
        for (end, result) in [("AT+QMTCLOSE=0", "+QMTCLOSE: 0,0"), ("AT+QMTDISC=0", "+QMTDISC: 0,0")] {
            let mut rig = Rig::connected(dialect, &[]);
            rig.prompted(&rig.publish_line(0, 0, 2));
            let name = rig.published();
            let said = rig.type_in(format!("xy\r\n{end}\r").as_bytes());
            assert_eq!(["OK", "OK", &format!("{name}: 0,0,0"), result], said[..], "{dialect}: {end}");
            assert_eq!(vec![b"xy".to_vec()], rig.payloads(), "{dialect}: {end}");
        }
    }
}

/// Quality 0 is reported as soon as it is written; a socket that refuses it was not written to (decisions 24 and 37).
#[test]
fn decision_37_a_message_that_the_socket_refuses_is_no_success() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &[]);
        rig.module.network().refuse_writes();
        let said = rig.publish(0, 0, b"x");
        assert_eq!(["OK", &format!("{}: 0,0,2", rig.published()), "+QMTSTAT: 0,6"], said[..], "{dialect}");
        rig.connect(0, "me");
        assert!(rig.after(60.0).is_empty(), "{dialect}: nothing of it comes later");
    }
}

/// A socket that fails between two commands of a host that does not wait: nothing of the old connection is said on the next.
#[test]
fn decision_29_results_do_not_outlive_their_connection() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &["\"session\",0,0"]);
        rig.ask("AT+QMTSUB=0,1,\"t\",1");
        rig.module.network().refuse_writes();
        rig.arrives("t", b"its acknowledgement is refused", Qos::AtLeastOnce);
        let line = rig.publish_line(0, 0, 1);
        rig.module.host(format!("{line}\rx").as_bytes());
        let said = rig.after(1.0);
        assert_eq!(Some("+QMTSTAT: 0,6"), said.last().map(String::as_str), "{dialect}: {said:?}");
        rig.module.network().broker.forget_sessions();
        rig.connect(0, "me");
        assert!(rig.after(1.0).is_empty(), "{dialect}");
    }
}

#[test]
fn commands_of_several_clients_on_one_line_have_one_ok_and_all_results() {
    for dialect in LTE {
        let mut rig = Rig::new(dialect);
        let said = rig.ask("AT+QMTOPEN=0,\"a.example\",1883;+QMTOPEN=1,\"b.example\",1883");
        assert_eq!(["OK", "+QMTOPEN: 0,0", "+QMTOPEN: 1,0"], said[..], "{dialect}");
        let said = rig.ask("AT+QMTCONN=0,\"a\";+QMTCONN=1,\"b\"");
        assert_eq!(["OK", "+QMTCONN: 0,0,0", "+QMTCONN: 1,0,0"], said[..], "{dialect}");
        // Two payloads for one line: a prompt for each.
        rig.prompted("AT+QMTPUBEX=0,0,0,0,\"t\",2;+QMTPUBEX=1,0,0,0,\"t\",2");
        rig.module.host(b"ab");
        assert_eq!("\r\n> ", rig.module.after(0.0), "{dialect}");
        assert_eq!(["OK", "+QMTPUBEX: 0,0,0", "+QMTPUBEX: 1,0,0"], rig.type_in(b"cd")[..], "{dialect}");
    }
}

/// What the host closed the port on is forgotten; clients and their messages live on (decision 44).
#[test]
fn a_host_that_leaves_while_typing_leaves_no_half_a_message() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &[]);
        rig.prompted(&rig.publish_line(1, 1, 4));
        rig.module.host(b"xy");
        rig.module.host_leaves();
        rig.module.host_comes();
        rig.module.advance(Duration::from_secs(1));
        rig.module.take_output();
        rig.ok("AT");
        assert!(rig.is_connected(0), "{dialect}");
        assert!(rig.payloads().is_empty(), "{dialect}");
        assert_eq!(2, rig.publish(1, 1, b"whole").len(), "{dialect}");
    }
}

#[test]
fn what_arrives_while_a_command_runs_waits_for_its_ok() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &[]);
        rig.ask("AT+QMTSUB=0,1,\"t\",0");
        rig.module.inject("late_answer:command=AT+CSQ,ms=2000").expect("a fault");
        rig.module.host(b"AT+CSQ\r");
        rig.arrives("t", b"x", Qos::AtMostOnce);
        assert_eq!("", rig.module.after(1.9), "{dialect}");
        let said = rig.after(0.2);
        assert_eq!(["OK", "+QMTRECV: 0,0,\"t\",\"x\""], said[1..], "{dialect}: {said:?}");
    }
}

/// A connection may end under a will that is typed; the will is a setting and stays (decision 17).
#[test]
fn decision_17_a_will_typed_while_its_connection_ends_is_kept() {
    for dialect in LTE {
        let mut rig = Rig::new(dialect);
        rig.ask(super::OPEN);
        rig.prompted("AT+QMTCFG=\"willex\",0,1,0,0,\"gone\",3");
        rig.module.network().end_all(false);
        assert_eq!("", rig.module.after(1.0), "{dialect}");
        assert_eq!(["OK", "+QMTSTAT: 0,1"], rig.type_in(b"bye")[..], "{dialect}");
        assert_eq!(["+QMTCFG: \"will\",1,0,0,\"gone\",\"bye\""], rig.info("AT+QMTCFG=\"will\",0")[..], "{dialect}");
    }
}

#[test]
fn keep_alive_goes_on_while_a_payload_is_typed() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &["\"keepalive\",0,20"]);
        rig.prompted(&rig.publish_line(0, 0, 2));
        assert_eq!("", rig.module.after(300.0), "{dialect}");
        assert_eq!(15, rig.sent(Kind::Pingreq).len(), "{dialect}");
        assert_eq!(2, rig.type_in(b"xy").len(), "{dialect}");
    }
}
