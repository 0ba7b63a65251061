//! Messages for the host: in the URC, or in five slots (decisions 35 and 36).

use modemrig::mqtt::Kind;
use modemrig::mqtt::Qos;

use super::ALL;
use super::BC35;
use super::LTE;
use super::Rig;
use super::STANDARD;

/// A client with slots, subscribed to `t`, the length shown or not.
fn buffered(dialect: &'static str, with_length: bool) -> Rig {
    let mut rig = Rig::connected(dialect, &[&format!("\"recv/mode\",0,1,{}", u8::from(with_length))]);
    assert_eq!(["OK", "+QMTSUB: 0,1,0,2"], rig.ask("AT+QMTSUB=0,1,\"t\",2")[..]);
    rig
}

#[test]
fn decision_35_the_payload_stands_raw_between_quotation_marks() {
    let payload = b"a\"b\r\nOK\r\n\0\xff,";
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &[]);
        rig.ask("AT+QMTSUB=0,1,\"a/+\",2");
        rig.arrives("a/b", payload, Qos::AtMostOnce);
        rig.module.after(0.1);
        rig.arrives("a/b", payload, Qos::AtMostOnce);
        rig.module.advance(std::time::Duration::from_millis(100));
        let line = [&b"\r\n+QMTRECV: 0,0,\"a/b\",\""[..], payload, b"\"\r\n"].concat();
        assert_eq!(line, rig.module.take_output(), "{dialect}");
    }
}

#[test]
fn decision_35_the_length_precedes_the_payload_on_request() {
    for dialect in LTE {
        let mut rig = Rig::connected(dialect, &["\"recv/mode\",0,0,1"]);
        rig.ask("AT+QMTSUB=0,1,\"t\",0");
        for (payload, shown) in [("", "0,\"\""), ("häh", "4,\"häh\"")] {
            rig.arrives("t", payload.as_bytes(), Qos::AtMostOnce);
            assert_eq!([format!("+QMTRECV: 0,0,\"t\",{shown}")], rig.after(0.1)[..], "{dialect}");
        }
    }
}

#[test]
fn decision_35_the_identifier_is_the_brokers_and_0_at_quality_0() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &[]);
        rig.ask("AT+QMTSUB=0,1,\"t\",2");
        for (qos, ack) in
            [(Qos::AtMostOnce, None), (Qos::AtLeastOnce, Some(Kind::Puback)), (Qos::ExactlyOnce, Some(Kind::Pubcomp))]
        {
            rig.arrives("t", b"x", qos);
            let said = rig.after(0.1);
            let id: u16 = said[0].split(',').nth(1).expect("a field").parse().expect("a number");
            assert_eq!(1, said.len());
            assert_eq!(qos == Qos::AtMostOnce, id == 0, "{dialect}: {said:?}");
            let acknowledged = ack.map(|kind| rig.sent(kind).last().and_then(modemrig::mqtt::Packet::id));
            assert_eq!(ack.map(|_| Some(id)), acknowledged, "{dialect}");
        }
    }
}

#[test]
fn decision_36_slots_are_announced_flagged_and_read_one_by_one_and_all_at_once() {
    for dialect in LTE {
        for with_length in [false, true] {
            let mut rig = buffered(dialect, with_length);
            let shown = |payload: &str| match with_length {
                true => format!(",\"t\",{},\"{payload}\"", payload.len()),
                false => format!(",\"t\",\"{payload}\""),
            };
            for (slot, payload) in ["a", "bb", "ccc", "dddd", "eeeee"].iter().enumerate() {
                rig.arrives("t", payload.as_bytes(), Qos::AtMostOnce);
                let length =
                    if with_length && dialect == STANDARD { format!(",{}", payload.len()) } else { String::new() };
                assert_eq!([format!("+QMTRECV: 0,{slot}{length}")], rig.after(0.1)[..], "{dialect}");
            }
            assert_eq!(["+QMTRECV: 0,1,1,1,1,1"], rig.info("AT+QMTRECV?")[..], "{dialect}");
            for (slot, payload) in [(3, "dddd"), (1, "bb")] {
                let read = rig.info(&format!("AT+QMTRECV=0,{slot}"));
                assert_eq!([format!("+QMTRECV: 0,0{}", shown(payload))], read[..], "{dialect}");
                assert!(rig.info(&format!("AT+QMTRECV=0,{slot}")).is_empty(), "{dialect}: read is free");
            }
            assert_eq!(["+QMTRECV: 0,1,0,1,0,1"], rig.info("AT+QMTRECV?")[..], "{dialect}");
            // The lowest free slot first.
            rig.arrives("t", b"new", Qos::AtMostOnce);
            assert!(rig.after(0.1)[0].starts_with("+QMTRECV: 0,1"), "{dialect}");
            let all: Vec<_> =
                ["a", "new", "ccc", "eeeee"].map(|payload| format!("+QMTRECV: 0,0{}", shown(payload))).into();
            assert_eq!(all, rig.info("AT+QMTRECV=0"), "{dialect}: in the order of slots");
            assert!(rig.info("AT+QMTRECV=0").is_empty(), "{dialect}: nothing stored");
            assert_eq!(["+QMTRECV: 0,0,0,0,0,0"], rig.info("AT+QMTRECV?")[..], "{dialect}");
            rig.refused("AT+QMTRECV=0,5");
            rig.refused("AT+QMTRECV=6");
        }
    }
}

#[test]
fn decision_36_a_sixth_message_is_dropped_counted_and_not_acknowledged() {
    for dialect in LTE {
        for (qos, ack) in
            [(Qos::AtLeastOnce, Kind::Puback), (Qos::ExactlyOnce, Kind::Pubrec), (Qos::AtMostOnce, Kind::Puback)]
        {
            let mut rig = buffered(dialect, false);
            for payload in ["a", "b", "c", "d", "e", "lost"] {
                rig.arrives("t", payload.as_bytes(), qos);
            }
            assert_eq!(5, rig.after(0.1).len(), "{dialect}: no URC for the sixth");
            assert_eq!(1, rig.module.dropped_messages(0), "{dialect}: counted");
            let expected = if qos == Qos::AtMostOnce { 0 } else { 5 };
            assert_eq!(expected, rig.sent(ack).len(), "{dialect}, {qos:?}");
            assert!(!rig.info("AT+QMTRECV=0").concat().contains("lost"), "{dialect}");
            if qos == Qos::AtMostOnce {
                continue;
            }
            // Its sender still has it for the next connection of this session.
            assert_eq!(["OK", "+QMTCLOSE: 0,0"], rig.ask("AT+QMTCLOSE=0")[..]);
            rig.connect(0, "me");
            rig.after(0.1);
            let read = rig.info("AT+QMTRECV=0");
            assert!(read.len() == 1 && read[0].contains("lost"), "{dialect}, {qos:?}: {read:?}");
        }
    }
}

#[test]
fn decision_36_slots_are_emptied_by_every_end_of_a_connection() {
    for dialect in LTE {
        for end in ["AT+QMTCLOSE=0", "AT+QMTDISC=0", "stat"] {
            let mut rig = buffered(dialect, false);
            rig.arrives("t", b"x", Qos::AtMostOnce);
            rig.after(0.1);
            match end {
                "stat" => {
                    rig.module.network().end_all(false);
                    rig.after(0.1);
                }
                command => drop(rig.ask(command)),
            }
            rig.refused("AT+QMTRECV=0");
            assert!(rig.info("AT+QMTRECV?").is_empty(), "{dialect}, {end}");
            rig.connect(0, "me");
            assert_eq!(["+QMTRECV: 0,0,0,0,0,0"], rig.info("AT+QMTRECV?")[..], "{dialect}, {end}");
        }
    }
}

#[test]
fn decision_36_without_buffering_there_is_nothing_to_read() {
    for dialect in LTE {
        let mut rig = Rig::connected(dialect, &[]);
        rig.ask("AT+QMTSUB=0,1,\"t\",0");
        rig.arrives("t", b"x", Qos::AtMostOnce);
        assert_eq!(["+QMTRECV: 0,0,\"t\",\"x\""], rig.after(0.1)[..], "{dialect}");
        assert!(rig.info("AT+QMTRECV=0").is_empty(), "{dialect}");
        assert!(rig.info("AT+QMTRECV=0,0").is_empty(), "{dialect}");
    }
    let mut rig = Rig::connected(BC35, &[]);
    rig.refused("AT+QMTRECV=0");
    rig.refused("AT+QMTRECV?");
    rig.refused("AT+QMTCFG=\"recv/mode\",0,1");
}

#[test]
fn decision_37_results_of_subscribing_and_unsubscribing_print_what_was_granted() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &[]);
        assert_eq!(["OK", "+QMTSUB: 0,1,0,0,2,1"], rig.ask("AT+QMTSUB=0,1,\"a\",0,\"b/#\",2,\"c\",1")[..], "{dialect}");
        assert_eq!(["OK", "+QMTUNS: 0,2,0"], rig.ask("AT+QMTUNS=0,2,\"a\",\"b/#\"")[..], "{dialect}");
        rig.arrives("c", b"x", Qos::AtMostOnce);
        rig.arrives("a", b"x", Qos::AtMostOnce);
        assert_eq!(["+QMTRECV: 0,0,\"c\",\"x\""], rig.after(0.1)[..], "{dialect}");
        for wrong in [
            "AT+QMTSUB=0,1,\"a\"",
            "AT+QMTSUB=0,1,\"a\",0,\"b\"",
            "AT+QMTSUB=0,1,\"a\",3",
            "AT+QMTUNS=0,1",
            "AT+QMTSUB=0,1,\"a#\",0",
        ] {
            rig.refused(wrong);
        }
    }
}

#[test]
fn decision_37_a_refused_topic_is_granted_128() {
    for dialect in ALL {
        for level in [3, 4] {
            let mut rig = Rig::connected(dialect, &[&format!("\"version\",0,{level}")]);
            rig.lose(Kind::Suback, None);
            rig.ok("AT+QMTSUB=0,1,\"a\",1,\"b\",0,\"c\",2");
            rig.module.network().say(b"\x90\x05\0\x01\x01\x80\x00");
            assert_eq!(["+QMTSUB: 0,1,0,1,128,0"], rig.after(0.1)[..], "{dialect}, level {level}");
        }
    }
}

/// What was not acknowledged may be sent again; by then there may be room.
#[test]
fn decision_36_a_dropped_message_is_taken_when_it_comes_again() {
    for dialect in LTE {
        let mut rig = buffered(dialect, false);
        rig.module.network().broker.policy.resend_after = Some(std::time::Duration::from_secs(10));
        for payload in ["a", "b", "c", "d", "e", "again"] {
            rig.arrives("t", payload.as_bytes(), Qos::AtLeastOnce);
        }
        assert_eq!(5, rig.after(0.1).len(), "{dialect}");
        assert!(rig.after(10.0).is_empty(), "{dialect}: still no room");
        assert_eq!(2, rig.module.dropped_messages(0), "{dialect}: each time is counted");
        assert_eq!(1, rig.info("AT+QMTRECV=0,2").len());
        assert!(rig.after(10.0)[0].starts_with("+QMTRECV: 0,2"), "{dialect}");
        assert!(rig.info("AT+QMTRECV=0,2")[0].contains("again"), "{dialect}");
        assert_eq!(6, rig.sent(Kind::Puback).len(), "{dialect}");
    }
}
