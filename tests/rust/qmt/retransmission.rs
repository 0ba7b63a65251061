//! Packets that are not acknowledged: when they are sent again, how that is told, and how it ends (decision 27).

use modemrig::mqtt::Kind;

use super::ALL;
use super::BC35;
use super::Rig;
use super::is_about;
use super::is_dup;

/// A request, the acknowledgement it lacks, the packet that is repeated, and whether DUP is for level 3 alone.
const REQUESTS: [(&str, Kind, Kind, bool); 5] = [
    ("SUB", Kind::Suback, Kind::Subscribe, true),
    ("UNS", Kind::Unsuback, Kind::Unsubscribe, true),
    ("PUB 1", Kind::Puback, Kind::Publish, false),
    ("PUB 2", Kind::Pubrec, Kind::Publish, false),
    ("PUB 2", Kind::Pubcomp, Kind::Pubrel, true),
];

/// Makes a request with identifier 7; the name of its result.
fn request(rig: &mut Rig, what: &str) -> &'static str {
    match what {
        "SUB" => rig.ok("AT+QMTSUB=0,7,\"t\",1"),
        "UNS" => rig.ok("AT+QMTUNS=0,7,\"t\""),
        _ => {
            let qos = if what == "PUB 2" { 2 } else { 1 };
            rig.prompted(&rig.publish_line(7, qos, 1));
            rig.module.host(b"x");
            assert_eq!(["OK"], rig.after(0.0)[..]);
        }
    }
    match what {
        "SUB" => "+QMTSUB",
        "UNS" => "+QMTUNS",
        _ => rig.published(),
    }
}

/// What it is answered when all goes well.
fn success(what: &str, name: &str) -> String {
    format!("{name}: 0,7,0{}", if what == "SUB" { ",1" } else { "" })
}

fn at_level(dialect: &'static str, level: u8, timeout: &str) -> Rig {
    Rig::connected(dialect, &[&format!("\"version\",0,{level}"), &format!("\"timeout\",0,{timeout}")])
}

#[test]
fn decision_27_each_resend_is_reported_on_request_and_result_2_ends_it() {
    for dialect in ALL {
        for level in [3, 4] {
            for (what, lost, repeated, level_3_only) in REQUESTS {
                let case = format!("{dialect}, level {level}, {what} without {lost:?}");
                let mut rig = at_level(dialect, level, "2,2,1");
                rig.lose(lost, None);
                let name = request(&mut rig, what);
                for (resend, seconds) in [(1, 2.0), (2, 2.0)] {
                    let took = rig.until(&format!("\r\n{name}: 0,7,1,{resend}\r\n"), 60).expect(&case);
                    assert!(is_about(seconds, took), "{case}: resend {resend} after {took} s");
                    assert_eq!([format!("{name}: 0,7,1,{resend}")], rig.after(0.0)[..], "{case}");
                }
                let took = rig.until(&format!("\r\n{name}: 0,7,2\r\n"), 60).expect(&case);
                assert!(is_about(2.0, took), "{case}: given up after {took} s");
                assert_eq!([format!("{name}: 0,7,2")], rig.after(60.0)[..], "{case}: one final line");
                let marked: Vec<bool> = rig.sent(repeated).iter().map(is_dup).collect();
                let again = level == 3 || !level_3_only;
                assert_eq!([false, again, again], marked[..], "{case}: DUP");
                assert!(rig.is_connected(0), "{case}: the client stays connected");
                // The identifier and its slot are free; a broker that never answered cannot know.
                rig.forgiven = &["a repetition without DUP", "again after its PUBREL"];
                rig.lose_nothing();
                let name = request(&mut rig, what);
                assert_eq!([success(what, name)], rig.after(0.1)[..], "{case}");
            }
        }
    }
}

#[test]
fn decision_27_without_notice_there_is_the_final_line_alone() {
    for dialect in ALL {
        for (what, lost, repeated, _) in REQUESTS {
            let mut rig = at_level(dialect, 4, "3,3,0");
            rig.lose(lost, None);
            let name = request(&mut rig, what);
            let took = rig.until(&format!("{name}: 0,7,2"), 60).expect("an end");
            assert!(is_about(3.0 * 4.0, took), "{dialect}, {what}: 1 + retry_times transmissions: {took} s");
            assert_eq!([format!("{name}: 0,7,2")], rig.after(60.0)[..], "{dialect}, {what}");
            assert_eq!(4, rig.sent(repeated).len(), "{dialect}, {what}");
        }
    }
}

#[test]
fn decision_27_no_retries_mean_one_transmission_and_ten_mean_eleven() {
    for dialect in ALL {
        for (what, lost, repeated, _) in REQUESTS {
            for retries in [0, 10] {
                let mut rig = at_level(dialect, 3, &format!("1,{retries},1"));
                rig.lose(lost, None);
                let name = request(&mut rig, what);
                let said = rig.after(60.0);
                let mut expected: Vec<_> = (1..=retries).map(|count| format!("{name}: 0,7,1,{count}")).collect();
                expected.push(format!("{name}: 0,7,2"));
                assert_eq!(expected, said, "{dialect}, {what}");
                assert_eq!(retries + 1, rig.sent(repeated).len(), "{dialect}, {what}");
            }
        }
    }
}

#[test]
fn decision_27_a_late_acknowledgement_still_ends_well() {
    for dialect in ALL {
        for level in [3, 4] {
            for (what, lost, repeated, _) in REQUESTS {
                let case = format!("{dialect}, level {level}, {what} without {lost:?}");
                let mut rig = at_level(dialect, level, "2,3,1");
                rig.lose(lost, Some(2));
                let name = request(&mut rig, what);
                let said = rig.after(60.0);
                let ends = [format!("{name}: 0,7,1,1"), format!("{name}: 0,7,1,2"), success(what, name)];
                assert_eq!(ends[..], said[..], "{case}");
                assert_eq!(3, rig.sent(repeated).len(), "{case}");
                if repeated == Kind::Pubrel {
                    assert_eq!(1, rig.sent(Kind::Publish).len(), "{case}: what PUBREC confirmed is not sent again");
                }
            }
        }
    }
}

/// Both halves of a quality 2 exchange share `retry_times`, so that the host's patience (decision 28) holds for it too.
#[test]
fn decision_27_the_two_halves_of_quality_2_share_their_retries() {
    for dialect in ALL {
        let mut rig = at_level(dialect, 4, "2,3,1");
        rig.lose(Kind::Pubrec, Some(2));
        let name = request(&mut rig, "PUB 2");
        assert_eq!([format!("{name}: 0,7,1,1")], rig.after(2.0)[..]);
        rig.module.network().broker.policy.ack_rules.push(modemrig::mqtt::AckRule {
            kind: Kind::Pubcomp,
            client_id: None,
            action: modemrig::mqtt::AckAction::Drop,
            times: None,
        });
        let said = rig.after(60.0);
        assert_eq!([format!("{name}: 0,7,1,2"), format!("{name}: 0,7,1,3"), format!("{name}: 0,7,2")], said[..]);
        assert_eq!((3, 2), (rig.sent(Kind::Publish).len(), rig.sent(Kind::Pubrel).len()), "{dialect}");
    }
}

#[test]
fn decision_27_an_acknowledgement_behind_result_2_is_silent() {
    for dialect in ALL {
        for (what, lost, ..) in REQUESTS {
            let mut rig = at_level(dialect, 4, "1,0,0");
            rig.module.network().broker.policy.ack_rules = vec![modemrig::mqtt::AckRule {
                kind: lost,
                client_id: None,
                action: modemrig::mqtt::AckAction::Delay(std::time::Duration::from_secs(5)),
                times: None,
            }];
            let name = request(&mut rig, what);
            assert_eq!([format!("{name}: 0,7,2")], rig.after(60.0)[..], "{dialect}, {what}");
            assert!(rig.is_connected(0));
        }
    }
}

/// The printed maximum is `pkt_timeout` × `retry_times`; what is given up takes one `pkt_timeout` more (decision 28).
#[test]
fn decision_28_the_defaults_of_the_documents_count() {
    for dialect in ALL {
        let timeout = if dialect == BC35 { 10.0 } else { 5.0 };
        let mut rig = Rig::connected(dialect, &[]);
        rig.lose(Kind::Suback, None);
        let name = request(&mut rig, "SUB");
        let took = rig.until(&format!("{name}: 0,7,2"), 120).expect("an end");
        assert!(is_about(timeout * 4.0, took), "{dialect}: {took} s");
    }
}

#[test]
fn speed_divides_the_packet_timeout() {
    for dialect in ALL {
        let mut rig = Rig::faster(dialect, 10.0);
        rig.connect(0, "me");
        rig.lose(Kind::Puback, None);
        let name = request(&mut rig, "PUB 1");
        let took = rig.until(&format!("{name}: 0,7,2"), 120).expect("an end");
        assert!(is_about(if dialect == BC35 { 4.0 } else { 2.0 }, took), "{dialect}: {took} s");
    }
}
