//! What is typed at a prompt: too much, too little, too slowly, cancelled, echoed (decisions 17, 26, 31 to 33).

use modemrig::mqtt::Qos;

use super::ALL;
use super::BC35;
use super::ECX;
use super::LTE;
use super::Rig;
use super::STANDARD;
use super::is_about;

/// BC35's publish without a length.
const VARIABLE: &str = "AT+QMTPUB=0,0,0,0,\"t\"";

#[test]
fn decision_26_prompt_data_ok_result() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &[]);
        assert_eq!("\r\n> ", rig.module.ask(&rig.publish_line(1, 1, 2), 10.0), "{dialect}: nothing else until then");
        rig.module.host(b"x");
        assert_eq!("", rig.module.after(10.0));
        rig.module.host(b"y");
        assert_eq!("\r\nOK\r\n", rig.module.after(0.0), "{dialect}");
        let result = format!("\r\n{}: 0,1,0\r\n", rig.published());
        assert_eq!(result, rig.module.after(0.1), "{dialect}");
    }
}

#[test]
fn decision_31_a_length_of_0_or_beyond_the_limit_is_refused() {
    for dialect in ALL {
        let limit = if dialect == BC35 { 1024 } else { 1500 };
        let mut rig = Rig::connected(dialect, &[]);
        for length in [0, limit + 1, 100_000] {
            rig.refused(&rig.publish_line(0, 0, length));
        }
        rig.refused(&rig.publish_line(0, 0, 1).replace(",1", ",-1"));
        let longest = vec![b'x'; limit];
        let expected = ["OK".to_owned(), format!("{}: 0,0,0", rig.published())];
        assert_eq!(expected[..], rig.publish(0, 0, &longest)[..], "{dialect}");
        assert_eq!(vec![longest], rig.payloads(), "{dialect}");
    }
}

#[test]
fn decision_31_any_byte_is_data_in_counted_input() {
    let all: Vec<u8> = (0..=255).collect();
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &[]);
        // The first byte is a line feed, too: this host ends its lines with CR alone.
        for payload in [&all[..], b"\n", b"\r\n", b"\x1a\x1b", b"AT\r\nOK\r\n> "] {
            assert_eq!(2, rig.publish(0, 0, payload).len(), "{dialect}: {payload:?}");
            assert_eq!(payload, rig.payloads().pop().expect("a message"), "{dialect}");
        }
    }
}

#[test]
fn decision_31_surplus_is_dropped_and_a_line_end_behind_the_data_is_silent() {
    for dialect in ALL {
        for surplus in [&b"\r\n"[..], b"\r", b"\n", b"zzz", b"zzz\r\n", b"zzz\r\nmore\r\n\r\n", b"AT+CSQ", b"\x1a"] {
            let mut rig = Rig::connected(dialect, &[]);
            rig.prompted(&rig.publish_line(0, 0, 2));
            let expected = ["OK".to_owned(), format!("{}: 0,0,0", rig.published())];
            assert_eq!(expected[..], rig.type_in(&[b"xy", surplus].concat())[..], "{dialect}: {surplus:?}");
            assert_eq!(vec![b"xy".to_vec()], rig.payloads());
            rig.ok("AT");
        }
    }
}

#[test]
fn decision_31_a_command_at_a_line_start_behind_the_data_is_carried_out() {
    for dialect in ALL {
        for command in ["\r\nAT+CPIN?\r", "zzz\r\nmore\r\nat+cpin?\r", "zz\nAT+CPIN?\r"] {
            let mut rig = Rig::connected(dialect, &[]);
            rig.prompted(&rig.publish_line(0, 0, 2));
            let said = rig.type_in(&[b"xy", command.as_bytes()].concat());
            let result = format!("{}: 0,0,0", rig.published());
            assert_eq!(["OK", "+CPIN: READY", "OK", &result], said[..], "{dialect}: {command:?}");
        }
    }
}

#[test]
fn decision_31_behind_ok_input_is_commands_again() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &[]);
        rig.publish(0, 0, b"xy");
        assert_eq!(["+CPIN: READY", "OK"], rig.type_in(b"AT+CPIN?\r")[..], "{dialect}");
    }
}

#[test]
fn decision_31_the_line_feed_of_the_command_is_no_payload() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &[]);
        let line = format!("{}\r\n", rig.publish_line(0, 0, 2));
        // At once, and behind the prompt once this host is known to end lines with CR LF.
        rig.module.host(line.as_bytes());
        rig.type_in(b"xy");
        rig.module.host(line.trim_end_matches('\n').as_bytes());
        rig.after(0.1);
        rig.type_in(b"\nzw");
        assert_eq!(vec![b"xy".to_vec(), b"zw".to_vec()], rig.payloads(), "{dialect}");
    }
}

#[test]
fn decision_32_without_edit_timeout_input_is_awaited_for_ever() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &["\"keepalive\",0,0"]);
        rig.prompted(&rig.publish_line(0, 0, 2));
        rig.module.host(b"x");
        assert!(rig.after(86_400.0).is_empty(), "{dialect}");
        assert_eq!(2, rig.type_in(b"y").len(), "{dialect}");
    }
}

#[test]
fn decision_32_edit_timeout_counts_from_the_prompt_and_publishes_nothing() {
    for (dialect, most) in [(STANDARD, 120), (ECX, 180), (super::EC200X, 120)] {
        for seconds in [1, most] {
            let mut rig = Rig::connected(dialect, &[&format!("\"edit/timeout\",0,1,{seconds}")]);
            rig.prompted(&rig.publish_line(1, 1, 4));
            // Typing does not prolong it.
            rig.module.after(f64::from(seconds) * 0.9);
            rig.module.host(b"xyz");
            let took = rig.until("\r\nERROR\r\n", 600).expect("an end");
            assert!(is_about(f64::from(seconds) * 0.1, took), "{dialect}: {took} s after the last byte");
            assert!(rig.payloads().is_empty(), "{dialect}");
            assert_eq!(["ERROR"], rig.after(60.0)[..], "{dialect}: no result");
            // The identifier was never used.
            assert_eq!(2, rig.publish(1, 1, b"x").len(), "{dialect}");
        }
        let mut rig = Rig::new(dialect);
        rig.refused(&format!("AT+QMTCFG=\"edit/timeout\",0,1,{}", most + 1));
        rig.refused("AT+QMTCFG=\"edit/timeout\",0,1,0");
        // The time wants to be given with the switch, both ways.
        rig.refused("AT+QMTCFG=\"edit/timeout\",0,1");
        rig.ok("AT+QMTCFG=\"edit/timeout\",0,0,9");
        rig.connect(0, "me");
        rig.prompted(&rig.publish_line(1, 1, 4));
        assert!(rig.after(600.0).iter().all(|line| line != "ERROR"), "{dialect}: switched off");
    }
}

#[test]
fn decision_32_edit_timeout_is_divided_by_speed_and_ends_a_will_too() {
    for dialect in LTE {
        let mut rig = Rig::faster(dialect, 10.0);
        rig.ok("AT+QMTCFG=\"edit/timeout\",0,1,30");
        rig.prompted("AT+QMTCFG=\"willex\",0,1,0,0,\"gone\",3");
        let took = rig.until("\r\nERROR\r\n", 60).expect("an end");
        assert!(is_about(3.0, took), "{dialect}: {took} s");
        assert_eq!(["ERROR"], rig.after(0.0)[..]);
        assert_eq!(["+QMTCFG: \"will\",0"], rig.info("AT+QMTCFG=\"will\",0")[..], "{dialect}: nothing is stored");
    }
}

#[test]
fn decision_33_ctrl_z_sends_and_esc_cancels() {
    let mut rig = Rig::connected(BC35, &[]);
    for (typed, payload) in [(&b"two\r\nlines\x1a"[..], &b"two\r\nlines"[..]), (b"\x1a", b""), (b"a\x1a\r\n", b"a")] {
        rig.prompted(VARIABLE);
        assert_eq!(["OK", "+QMTPUB: 0,0,0"], rig.type_in(typed)[..], "{typed:?}");
        assert_eq!(payload, rig.payloads().pop().expect("a message"));
    }
    let count = rig.payloads().len();
    rig.prompted(VARIABLE);
    assert_eq!(["ERROR"], rig.type_in(b"nothing\x1b")[..]);
    rig.ok("AT+CMEE=1");
    rig.prompted(VARIABLE);
    assert_eq!(["+CME ERROR: 52"], rig.type_in(b"\x1b")[..], "decision 41");
    assert_eq!(count, rig.payloads().len(), "nothing is sent");
    rig.ok("AT");
}

#[test]
fn decision_33_at_1024_bytes_it_is_sent_and_the_rest_up_to_ctrl_z_is_dropped() {
    let longest = vec![b'x'; 1024];
    // The rest comes with the data, or only behind the result.
    for late in [false, true] {
        let mut rig = Rig::connected(BC35, &[]);
        rig.prompted(VARIABLE);
        let rest = b"rest\r\nof it\x1aAT+CPIN?\r";
        let said = if late {
            let said = rig.type_in(&longest);
            assert_eq!(["OK", "+QMTPUB: 0,0,0"], said[..]);
            rig.type_in(rest)
        } else {
            rig.type_in(&[&longest[..], rest].concat())
        };
        let of_command = ["+CPIN: READY".to_owned(), "OK".to_owned()];
        assert!(of_command.iter().all(|line| said.contains(line)), "late {late}: {said:?}");
        assert_eq!(vec![longest.clone()], rig.payloads(), "late {late}");
    }
    // Whoever forgets Ctrl-Z is heard again.
    let mut rig = Rig::connected(BC35, &[]);
    rig.prompted(VARIABLE);
    rig.type_in(&longest);
    rig.ok("AT");
    rig.prompted(VARIABLE);
    assert_eq!(2, rig.type_in(&[&longest[..1023], b"\x1a"].concat()).len());
}

#[test]
fn view_mode_echoes_what_is_typed_and_ate_does_not() {
    for dialect in LTE {
        for (view, shown) in [(0, ""), (1, "x\0y")] {
            let mut rig = Rig::connected(dialect, &[&format!("\"view/mode\",0,{view}")]);
            rig.prompted(&rig.publish_line(0, 0, 3));
            rig.module.host(b"x\0yzz\r\n");
            assert_eq!(format!("{shown}\r\nOK\r\n"), rig.module.after(0.0), "{dialect}: the surplus is not echoed");
            rig.after(0.1);
            // ATE is about command lines.
            rig.ok("ATE1");
            let line = rig.publish_line(0, 0, 3);
            assert_eq!(format!("{line}\r\r\n> "), rig.module.ask(&line, 0.0), "{dialect}");
            rig.module.host(b"x\0y");
            assert_eq!(format!("{shown}\r\nOK\r\n"), rig.module.after(0.0), "{dialect}");
        }
    }
}

#[test]
fn decision_17_willex_takes_the_first_bytes_and_ends_with_ok() {
    for dialect in LTE {
        let mut rig = Rig::new(dialect);
        rig.prompted("AT+QMTCFG=\"willex\",0,1,1,0,\"gone\",4");
        assert_eq!(["OK"], rig.type_in(b"b\0\r\nsurplus\r\n")[..], "{dialect}: OK is the end");
        assert_eq!(["+QMTCFG: \"willex\",1,1,0,\"gone\",4"], rig.info("AT+QMTCFG=\"willex\",0")[..], "{dialect}");
        rig.connect(0, "me");
        rig.connect(1, "watcher");
        rig.ask("AT+QMTSUB=1,1,\"gone\",1");
        rig.module.host(b"AT+QMTCLOSE=0\r");
        let said = rig.module.after(0.1);
        assert!(said.contains("+QMTRECV: 1,") && said.contains(",\"gone\",\"b\0\r\n\"\r\n"), "{dialect}: {said:?}");
    }
}

#[test]
fn decision_17_will_and_willex_write_one_will() {
    for dialect in LTE {
        let mut rig = Rig::new(dialect);
        rig.ok("AT+QMTCFG=\"will\",0,1,2,1,\"a\",\"four\"");
        assert_eq!(["+QMTCFG: \"willex\",1,2,1,\"a\",4"], rig.info("AT+QMTCFG=\"willex\",0")[..], "{dialect}");
        rig.prompted("AT+QMTCFG=\"willex\",0,1,0,0,\"b\",3");
        rig.type_in(b"xyz");
        assert_eq!(["+QMTCFG: \"will\",1,0,0,\"b\",\"xyz\""], rig.info("AT+QMTCFG=\"will\",0")[..], "{dialect}");
        rig.ok("AT+QMTCFG=\"willex\",0,0");
        assert_eq!(["+QMTCFG: \"will\",0"], rig.info("AT+QMTCFG=\"will\",0")[..], "{dialect}");
        assert_eq!(["+QMTCFG: \"willex\",0"], rig.info("AT+QMTCFG=\"willex\",0")[..], "{dialect}");
    }
}

#[test]
fn decision_17_willex_of_length_0_asks_for_nothing_where_it_is_allowed() {
    for dialect in LTE {
        let mut rig = Rig::new(dialect);
        let line = "AT+QMTCFG=\"willex\",0,1,0,1,\"gone\",0";
        if dialect == ECX {
            rig.refused(line);
            rig.refused("AT+QMTCFG=\"willex\",0,1,0,1,\"gone\",257");
            continue;
        }
        rig.ok("AT+QMTCFG=\"will\",0,1,0,0,\"old\",\"old\"");
        rig.ok(line);
        assert_eq!(["+QMTCFG: \"will\",1,0,1,\"gone\",\"\""], rig.info("AT+QMTCFG=\"will\",0")[..], "{dialect}");
        rig.connect(0, "me");
        rig.connect(1, "watcher");
        rig.ask("AT+QMTSUB=1,1,\"gone\",0");
        assert!(rig.ask("AT+QMTCLOSE=0").contains(&"+QMTRECV: 1,0,\"gone\",\"\"".to_owned()), "{dialect}");
    }
}

#[test]
fn a_will_reaches_the_broker_with_its_quality_and_retain_flag() {
    for dialect in ALL {
        for (qos, retain) in [(0, 0), (1, 1), (2, 0)] {
            let mut rig = Rig::connected(dialect, &[&format!("\"will\",0,1,{qos},{retain},\"gone\",\"bye\"")]);
            let modemrig::mqtt::Packet::Connect(connect) = rig.sent(modemrig::mqtt::Kind::Connect).remove(0) else {
                panic!("not a CONNECT");
            };
            let will = connect.will.expect("a will");
            assert_eq!(("gone", &b"bye"[..]), (&*will.topic, &*will.payload), "{dialect}");
            assert_eq!((Qos::from_byte(qos), retain == 1), (Some(will.qos), will.retain), "{dialect}");
        }
    }
}
