//! PINGREQ: when it is sent, and what becomes of one that is not answered (decision 23).

use modemrig::mqtt::Kind;
use modemrig::mqtt::Packet;

use super::ALL;
use super::BC35;
use super::EC200X;
use super::ECX;
use super::LTE;
use super::Rig;
use super::STANDARD;
use super::is_about;

/// What is said when PINGRESP does not come.
fn report(dialect: &str) -> &'static [&'static str] {
    match dialect {
        STANDARD => &["+QMTPING: 0,1", "+QMTCLOSE: 0,0"],
        BC35 => &["+QMTSTAT: 0,2"],
        _ => &["+QMTPING: 0,1"],
    }
}

#[test]
fn decision_23_a_ping_follows_keep_alive_time_without_outgoing_traffic() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &["\"keepalive\",0,60"]);
        let Packet::Connect(connect) = rig.sent(Kind::Connect).remove(0) else { panic!("not a CONNECT") };
        assert_eq!(60, connect.keep_alive, "{dialect}");
        let begin = rig.sent_at(Kind::Connect)[0];
        rig.ask("AT+QMTSUB=0,1,\"t\",0");
        let subscribed = rig.sent_at(Kind::Subscribe)[0];
        rig.after(30.0);
        // What comes in is no traffic of ours; what goes out is.
        rig.arrives("t", b"x", modemrig::mqtt::Qos::AtMostOnce);
        rig.after(29.0);
        assert_eq!(0, rig.sent(Kind::Pingreq).len(), "{dialect}");
        rig.after(1.0);
        let pinged = rig.sent_at(Kind::Pingreq);
        assert!(pinged.len() == 1 && is_about(subscribed + 60.0, pinged[0]), "{dialect}: {begin} {pinged:?}");
        rig.after(20.0);
        rig.publish(0, 0, b"x");
        let published = rig.sent_at(Kind::Publish)[0];
        rig.after(180.0);
        let pinged = rig.sent_at(Kind::Pingreq);
        let expected = [published + 60.0, published + 120.0, published + 180.0];
        let fits = pinged[1..].iter().zip(expected).all(|(at, wanted)| is_about(wanted, *at));
        assert!(fits && pinged.len() >= 3, "{dialect}: {pinged:?}");
    }
}

#[test]
fn decision_23_zero_never_pings() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &["\"keepalive\",0,0"]);
        let Packet::Connect(connect) = rig.sent(Kind::Connect).remove(0) else { panic!("not a CONNECT") };
        assert_eq!(0, connect.keep_alive);
        assert!(rig.after(86_400.0).is_empty(), "{dialect}");
        assert_eq!(0, rig.sent(Kind::Pingreq).len(), "{dialect}");
        assert!(rig.is_connected(0), "{dialect}");
    }
}

#[test]
fn decision_23_the_longest_keep_alive_holds() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &["\"keepalive\",0,3600"]);
        assert!(rig.after(7300.0).is_empty(), "{dialect}");
        assert_eq!(2, rig.sent(Kind::Pingreq).len(), "{dialect}");
        rig.ask("AT+QMTCLOSE=0");
        rig.refused("AT+QMTCFG=\"keepalive\",0,3601");
    }
}

#[test]
fn decision_23_an_unanswered_ping_closes_the_client_after_qmtping() {
    for (dialect, settings, patience) in [
        (STANDARD, &[][..], 5.0),
        (STANDARD, &["\"qmtping\",0,60"], 60.0),
        (ECX, &[], 5.0),
        (ECX, &["\"qmtping\",0,17"], 17.0),
        (EC200X, &[], 5.0),
        (EC200X, &["\"qmtping\",0,60"], 60.0),
        // Without QMTPING in the document one pkt_timeout counts.
        (BC35, &["\"timeout\",0,8,3,1"], 8.0),
    ] {
        let settings = [&["\"keepalive\",0,30"], settings].concat();
        let mut rig = Rig::connected(dialect, &settings);
        let connected = rig.sent_at(Kind::Connect)[0];
        rig.lose(Kind::Pingresp, None);
        rig.until(report(dialect)[0], 600).expect("a report");
        let now = rig.module.elapsed().as_secs_f64();
        assert!(is_about(connected + 30.0 + patience, now), "{dialect}: {connected} {now}");
        assert_eq!(report(dialect), rig.after(600.0), "{dialect}");
        // A ping is not resent for its own sake; silence may last until the next is due.
        let pings = (patience / 30.0_f64).ceil();
        assert_eq!(pings, rig.sent(Kind::Pingreq).len() as f64, "{dialect}");
        assert!(rig.info("AT+QMTCONN?").is_empty(), "{dialect}: closed");
        rig.refused("AT+QMTCLOSE=0");
        rig.lose_nothing();
        rig.connect(0, "me");
    }
}

/// Keep-alive may be shorter than the patience for its answer: the first unanswered ping counts.
#[test]
fn decision_23_a_second_ping_gives_the_first_no_more_time() {
    for dialect in LTE {
        let mut rig = Rig::connected(dialect, &["\"keepalive\",0,2", "\"qmtping\",0,5"]);
        let connected = rig.sent_at(Kind::Connect)[0];
        // The broker's own patience is one and a half keep-alive times of silence, which there is not.
        rig.lose(Kind::Pingresp, None);
        rig.until(report(dialect)[0], 600).expect("a report");
        let now = rig.module.elapsed().as_secs_f64();
        assert!(is_about(connected + 7.0, now), "{dialect}: {connected} {now}");
    }
}

#[test]
fn decision_23_a_late_answer_in_time_is_good() {
    for dialect in LTE {
        let mut rig = Rig::connected(dialect, &["\"keepalive\",0,30", "\"qmtping\",0,20"]);
        rig.module.network().broker.policy.ack_rules = vec![modemrig::mqtt::AckRule {
            kind: Kind::Pingresp,
            client_id: None,
            action: modemrig::mqtt::AckAction::Delay(std::time::Duration::from_secs(19)),
            times: None,
        }];
        assert!(rig.after(600.0).is_empty(), "{dialect}");
        assert!(rig.is_connected(0), "{dialect}");
    }
}

#[test]
fn speed_divides_keep_alive_and_the_patience_for_its_answer() {
    for dialect in ALL {
        let mut rig = Rig::faster(dialect, 10.0);
        rig.ok("AT+QMTCFG=\"keepalive\",0,60");
        rig.connect(0, "me");
        rig.lose(Kind::Pingresp, None);
        rig.until(report(dialect)[0], 600).expect("a report");
        let now = rig.module.elapsed().as_secs_f64() - rig.sent_at(Kind::Connect)[0];
        let patience = if dialect == BC35 { 1.0 } else { 0.5 };
        assert!(is_about(6.0 + patience, now), "{dialect}: {now}");
        // What is promised to the broker stays as written.
        let Packet::Connect(connect) = rig.sent(Kind::Connect).remove(0) else { panic!("not a CONNECT") };
        assert_eq!(60, connect.keep_alive, "{dialect}");
    }
}
