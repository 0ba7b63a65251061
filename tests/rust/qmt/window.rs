//! The window of five and packet identifiers (decisions 29 and 30).

use modemrig::mqtt::Kind;
use modemrig::mqtt::Packet;

use super::ALL;
use super::BC35;
use super::ECX;
use super::LTE;
use super::Rig;

#[test]
fn decision_29_the_sixth_publish_is_refused_instead_of_the_prompt() {
    for dialect in ALL {
        for qos in [1, 2] {
            let mut rig = Rig::connected(dialect, &[]);
            rig.lose(if qos == 1 { Kind::Puback } else { Kind::Pubrec }, None);
            for msgid in 1..=5 {
                assert_eq!(["OK"], rig.publish(msgid, qos, b"x")[..], "{dialect}");
            }
            rig.refused(&rig.publish_line(6, 1, 1));
            rig.refused(&rig.publish_line(6, 2, 1));
            // Neither quality 0 nor a subscription counts, and either goes.
            assert_eq!(["OK".to_owned(), format!("{}: 0,0,0", rig.published())], rig.publish(0, 0, b"x")[..]);
            assert_eq!(["OK", "+QMTSUB: 0,6,0,0"], rig.ask("AT+QMTSUB=0,6,\"other\",0")[..], "{dialect}");
            assert_eq!(["OK", "+QMTUNS: 0,6,0"], rig.ask("AT+QMTUNS=0,6,\"other\"")[..], "{dialect}");
        }
    }
}

#[test]
fn decision_29_a_subscription_on_its_way_takes_no_place() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &[]);
        rig.lose(Kind::Suback, None);
        for msgid in 11..=16 {
            rig.ok(&format!("AT+QMTSUB=0,{msgid},\"other\",0"));
        }
        assert_eq!(["OK".to_owned(), format!("{}: 0,1,0", rig.published())], rig.publish(1, 1, b"x")[..], "{dialect}");
    }
}

#[test]
fn decision_29_a_place_is_free_after_the_final_result_whatever_it_is() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &["\"timeout\",0,5,0,0"]);
        rig.lose(Kind::Puback, Some(5));
        for msgid in 1..=5 {
            rig.publish(msgid, 1, b"x");
        }
        rig.refused(&rig.publish_line(6, 1, 1));
        let given_up: Vec<_> = (1..=5).map(|msgid| format!("{}: 0,{msgid},2", rig.published())).collect();
        assert_eq!(given_up, rig.after(10.0), "{dialect}");
        assert_eq!(["OK".to_owned(), format!("{}: 0,6,0", rig.published())], rig.publish(6, 1, b"x")[..], "{dialect}");
        rig.prompted(&rig.publish_line(7, 1, 1));
    }
}

#[test]
fn decision_29_the_window_is_the_clients_own() {
    for dialect in LTE {
        let mut rig = Rig::connected(dialect, &[]);
        rig.connect(1, "other");
        rig.lose(Kind::Puback, None);
        for msgid in 1..=5 {
            rig.publish(msgid, 1, b"x");
        }
        rig.refused(&rig.publish_line(6, 1, 1));
        // The same identifiers are free there, too.
        for msgid in 1..=5 {
            rig.prompted(&rig.publish_line(msgid, 1, 1).replacen("=0", "=1", 1));
            assert_eq!(["OK"], rig.type_in(b"x")[..], "{dialect}");
        }
        rig.refused(&rig.publish_line(6, 1, 1).replacen("=0", "=1", 1));
    }
}

#[test]
fn decisions_29_and_41_bc35_says_159() {
    let mut rig = Rig::connected(BC35, &[]);
    rig.ok("AT+CMEE=1");
    rig.lose(Kind::Puback, None);
    for msgid in 1..=5 {
        rig.publish(msgid, 1, b"x");
    }
    assert_eq!(["+CME ERROR: 159"], rig.ask("AT+QMTPUB=0,6,1,0,\"t\",1")[..]);
    assert_eq!(["+CME ERROR: 159"], rig.ask("AT+QMTPUB=0,6,1,0,\"t\"")[..]);
}

#[test]
fn decision_30_which_identifiers_a_publish_may_have() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &[]);
        for qos in [1, 2] {
            rig.refused(&rig.publish_line(0, qos, 1));
        }
        for msgid in [0, 9, u16::MAX] {
            let expected = ["OK".to_owned(), format!("{}: 0,{msgid},0", rig.published())];
            assert_eq!(expected[..], rig.publish(msgid, 0, b"x")[..], "{dialect}: quality 0 echoes {msgid}");
        }
        let line = rig.publish_line(1, 1, 1);
        rig.refused(&line.replacen("0,1,", "0,65536,", 1));
        rig.refused(&line.replacen("0,1,", "0,-1,", 1));
        for qos in [1, 2] {
            let expected = ["OK".to_owned(), format!("{}: 0,65535,0", rig.published())];
            assert_eq!(expected[..], rig.publish(u16::MAX, qos, b"x")[..], "{dialect}: quality {qos}");
        }
        // On the wire it is the host's.
        let ids: Vec<_> = rig.sent(Kind::Publish).iter().map(Packet::id).collect();
        assert_eq!([None, None, None, Some(u16::MAX), Some(u16::MAX)], ids[..], "{dialect}");
    }
}

#[test]
fn decision_30_an_identifier_in_flight_is_taken_for_every_request() {
    for dialect in ALL {
        for lost in [Kind::Puback, Kind::Suback, Kind::Unsuback] {
            let mut rig = Rig::connected(dialect, &[]);
            rig.lose(lost, None);
            match lost {
                Kind::Puback => drop(rig.publish(7, 1, b"x")),
                Kind::Suback => rig.ok("AT+QMTSUB=0,7,\"t\",0"),
                _ => rig.ok("AT+QMTUNS=0,7,\"t\""),
            }
            // Quality 0 too: nobody could tell the results apart.
            for qos in 0..=2 {
                rig.refused(&rig.publish_line(7, qos, 1));
            }
            rig.refused("AT+QMTSUB=0,7,\"t\",0");
            rig.refused("AT+QMTUNS=0,7,\"t\"");
            rig.prompted(&rig.publish_line(8, 1, 1));
        }
    }
}

#[test]
fn decision_30_zero_asks_the_module_for_an_identifier_where_the_document_has_it() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &["\"timeout\",0,1,1,1"]);
        if dialect != ECX {
            rig.refused("AT+QMTSUB=0,0,\"t\",1");
            rig.refused("AT+QMTUNS=0,0,\"t\"");
            continue;
        }
        assert_eq!(["OK", "+QMTSUB: 0,0,0,1"], rig.ask("AT+QMTSUB=0,0,\"t\",1")[..]);
        assert_eq!(["OK", "+QMTUNS: 0,0,0"], rig.ask("AT+QMTUNS=0,0,\"t\"")[..]);
        // Two at a time have two identifiers, neither of them 0, and every line shows what the host wrote.
        rig.lose(Kind::Suback, None);
        rig.ok("AT+QMTSUB=0,0,\"a\",1");
        rig.ok("AT+QMTSUB=0,0,\"b\",1");
        let notice = "+QMTSUB: 0,0,1,1";
        assert_eq!([notice, notice, "+QMTSUB: 0,0,2", "+QMTSUB: 0,0,2"], rig.after(10.0)[..]);
        let mut ids: Vec<_> = rig.sent(Kind::Subscribe).iter().filter_map(Packet::id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(3, ids.len());
        assert!(!ids.contains(&0));
    }
}
