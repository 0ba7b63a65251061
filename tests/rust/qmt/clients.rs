//! Six clients on one port know nothing of each other (STATE-MACHINES 2.8), and BC35 has one (2.9, decision 41).

use modemrig::mqtt::Kind;
use modemrig::mqtt::Packet;
use modemrig::mqtt::Qos;

use super::BC35;
use super::LTE;
use super::Rig;

#[test]
fn six_clients_have_settings_of_their_own() {
    for dialect in LTE {
        let mut rig = Rig::new(dialect);
        for client in 0..6 {
            rig.ok(&format!("AT+QMTCFG=\"keepalive\",{client},{}", 100 + client));
            rig.ok(&format!("AT+QMTCFG=\"version\",{client},{}", 3 + client % 2));
            rig.ok(&format!("AT+QMTCFG=\"will\",{client},1,0,0,\"w{client}\",\"m{client}\""));
        }
        for client in 0..6 {
            let told = rig.info(&format!("AT+QMTCFG=\"keepalive\",{client}"));
            assert_eq!([format!("+QMTCFG: \"keepalive\",{}", 100 + client)], told[..], "{dialect}");
            rig.connect(client, &format!("id{client}"));
        }
        for (client, packet) in rig.sent(Kind::Connect).into_iter().enumerate() {
            let Packet::Connect(connect) = packet else { panic!("not a CONNECT") };
            assert_eq!(100 + client, usize::from(connect.keep_alive), "{dialect}");
            assert_eq!(Some(format!("w{client}")), connect.will.map(|will| will.topic), "{dialect}");
            assert_eq!(client % 2 == 1, connect.level == modemrig::mqtt::Level::V311, "{dialect}");
        }
    }
}

#[test]
fn six_clients_have_connections_slots_and_subscriptions_of_their_own() {
    for dialect in LTE {
        let mut rig = Rig::new(dialect);
        for client in 0..6 {
            rig.ok(&format!("AT+QMTCFG=\"recv/mode\",{client},{},1", client % 2));
            rig.connect(client, &format!("id{client}"));
            rig.ask(&format!("AT+QMTSUB={client},1,\"t{client}\",1"));
        }
        for client in 0..6 {
            rig.arrives(&format!("t{client}"), b"x", Qos::AtMostOnce);
            let said = rig.after(0.1);
            let stored = client % 2 == 1;
            assert_eq!(1, said.len(), "{dialect}");
            assert_eq!(stored, !said[0].contains("\"x\""), "{dialect}: {said:?}");
            assert!(said[0].starts_with(&format!("+QMTRECV: {client},0")), "{dialect}: {said:?}");
        }
        let flags: Vec<_> = (0..6).map(|client| format!("+QMTRECV: {client},{},0,0,0,0", client % 2)).collect();
        assert_eq!(flags, rig.info("AT+QMTRECV?"), "{dialect}: one line for each connected client");
        assert_eq!(["+QMTRECV: 3,0,\"t3\",1,\"x\""], rig.info("AT+QMTRECV=3")[..], "{dialect}");
        // One closes, one disconnects: the others stay.
        rig.ask("AT+QMTCLOSE=2");
        rig.ask("AT+QMTDISC=4");
        let connected: Vec<_> = [0, 1, 3, 5].map(|client| format!("+QMTCONN: {client},3")).into();
        assert_eq!(connected, rig.info("AT+QMTCONN?"), "{dialect}");
        assert_eq!(5, rig.info("AT+QMTOPEN?").len(), "{dialect}: the disconnected one holds its connection");
    }
}

/// `pdpcid` is the client's own: a context that goes takes its clients along, and no others.
#[test]
fn a_pdp_context_takes_down_its_own_clients() {
    for dialect in LTE {
        let mut rig = Rig::new(dialect);
        rig.ok("AT+CGDCONT=2,\"IP\",\"apn\"");
        rig.ok("AT+QMTCFG=\"pdpcid\",1,2");
        rig.connect(0, "a");
        rig.connect(1, "b");
        let said = rig.ask("AT+QIDEACT=2");
        assert!(said.contains(&"+QMTSTAT: 1,7".to_owned()), "{dialect}: {said:?}");
        assert_eq!(["+QMTCONN: 0,3"], rig.info("AT+QMTCONN?")[..], "{dialect}");
        // Opening activates it again (2.8).
        rig.connect(1, "b");
    }
}

#[test]
fn the_same_client_id_again_makes_the_broker_drop_the_older_client() {
    for dialect in LTE {
        let mut rig = Rig::connected(dialect, &[]);
        rig.ask("AT+QMTOPEN=1,\"broker.example\",1883");
        let said = rig.ask("AT+QMTCONN=1,\"me\"");
        assert_eq!("OK", said[0]);
        let mut rest = said[1..].to_vec();
        rest.sort();
        assert_eq!(["+QMTCONN: 1,0,0", "+QMTSTAT: 0,1"], rest[..], "{dialect}");
        assert_eq!(["+QMTCONN: 1,3"], rig.info("AT+QMTCONN?")[..], "{dialect}");
    }
}

#[test]
fn timers_of_one_client_do_not_move_those_of_another() {
    for dialect in LTE {
        let mut rig = Rig::new(dialect);
        for client in 0..6 {
            rig.ok(&format!("AT+QMTCFG=\"timeout\",{client},{},1,1", client + 1));
            rig.connect(client, &format!("id{client}"));
        }
        rig.lose(Kind::Suback, None);
        for client in 0..6 {
            rig.ok(&format!("AT+QMTSUB={client},9,\"t\",0"));
        }
        let said = rig.after(60.0);
        for client in 0..6 {
            let own: Vec<_> = said.iter().filter(|line| line.starts_with(&format!("+QMTSUB: {client},"))).collect();
            assert_eq!([&format!("+QMTSUB: {client},9,1,1"), &format!("+QMTSUB: {client},9,2")], own[..], "{dialect}");
        }
        let place = |line: &str| said.iter().position(|said| said == line).expect("said");
        assert!(place("+QMTSUB: 0,9,2") < place("+QMTSUB: 5,9,1,1"), "{dialect}: {said:?}");
    }
}

#[test]
fn decision_41_bc35_says_its_errors_as_numbers_on_request() {
    let mut rig = Rig::new(BC35);
    rig.refused("AT+QMTCONN=0,\"id\"");
    rig.ok("AT+CMEE=1");
    for (line, number) in [
        ("AT+QMTCONN=0,\"id\"", 3),
        ("AT+QMTCLOSE=0", 3),
        ("AT+NOSUCH=1", 4),
        ("AT+QMTRECV=0", 4),
        ("AT+QMTCFG=\"nosuch\",0", 4),
        ("AT+QMTCFG=\"recv/mode\",0,1", 4),
        ("AT+QMTCFG=\"version\",0,5", 50),
        ("AT+QMTCFG=\"version\"", 50),
        ("AT+QMTCFG=\"version\",0,3,1", 50),
        ("AT+QMTOPEN=1,\"h\",1883", 50),
        ("AT+QMTOPEN=0,\"h\"", 50),
    ] {
        assert_eq!([format!("+CME ERROR: {number}")], rig.ask(line)[..], "{line}");
    }
    rig.connect(0, "me");
    for (line, number) in [
        ("AT+QMTCFG=\"version\",0,4", 3),
        ("AT+QMTPUB=0,0,1,0,\"t\",1", 50),
        ("AT+QMTPUB=0,1,1,0,\"t\",0", 50),
        ("AT+QMTPUB=0,1,1,0,\"t\",1025", 50),
        ("AT+QMTPUB=0,1,1,0,\"t/#\",1", 50),
        ("AT+QMTSUB=0,0,\"t\",1", 50),
    ] {
        assert_eq!([format!("+CME ERROR: {number}")], rig.ask(line)[..], "{line}");
    }
    rig.lose(Kind::Puback, None);
    rig.publish(7, 1, b"x");
    assert_eq!(["+CME ERROR: 50"], rig.ask("AT+QMTPUB=0,7,1,0,\"t\",1")[..], "in flight");
    rig.ok("AT+CMEE=0");
    rig.refused("AT+QMTPUB=0,7,1,0,\"t\",1");
}

#[test]
fn decision_41_errors_of_the_lte_documents_stay_error() {
    for dialect in LTE {
        for form in [1, 2] {
            let mut rig = Rig::new(dialect);
            rig.ok(&format!("AT+CMEE={form}"));
            for line in
                ["AT+QMTCONN=0,\"id\"", "AT+QMTCFG=\"nosuch\",0", "AT+QMTOPEN=9,\"h\",1", "AT+QMTPUBEX=0,0,1,0,\"t\",1"]
            {
                rig.refused(line);
            }
        }
    }
}
