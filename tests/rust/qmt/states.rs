//! Which command is legal in which state, and what a state leaves behind (decisions 17, 18, 20 to 22).

use modemrig::dialect::catalogue;
use modemrig::dialect::schema::Form;
use modemrig::mqtt::Kind;
use modemrig::virtual_module::simulation::Way;

use super::ALL;
use super::BC35;
use super::LTE;
use super::OPEN;
use super::Rig;
use super::STANDARD;

/// States, and the lines of `AT+QMTCONN?` and `AT+QMTOPEN?` in them.
const STATES: [(&str, Option<u8>, bool); 8] = [
    ("closed", None, false),
    ("opening", None, false),
    ("open", Some(1), true),
    ("connecting", Some(2), true),
    ("connected", Some(3), true),
    ("disconnecting", Some(4), true),
    ("disconnected", None, true),
    ("closing", None, false),
];

/// A rule of the table: the states in which it runs (`+`), in the order of [`STATES`]; `2` is the result that the
/// identifier is occupied.
const RULES: [(&str, &str); 11] = [
    ("AT+QMTCFG=\"keepalive\",0,60", "+-+---+-"),
    ("AT+QMTCFG=\"will\",0,0", "+-+---+-"),
    ("AT+QMTCFG=\"willex\",0,0", "+-+---+-"),
    (OPEN, "+-222-+-"),
    ("AT+QMTCLOSE=0", "-++++-+-"),
    ("AT+QMTCONN=0,\"again\"", "--+-----"),
    ("AT+QMTDISC=0", "----+---"),
    ("AT+QMTSUB=0,1,\"t\",0", "----+---"),
    ("AT+QMTUNS=0,1,\"t\"", "----+---"),
    ("PUBLISH", "----+---"),
    ("AT+QMTRECV=0", "----+---"),
];

/// A module whose client 0 is in a state.
fn in_state(dialect: &'static str, state: &str) -> Rig {
    let mut rig = Rig::new(dialect);
    match state {
        "closed" => {}
        "opening" => {
            rig.module.network().ways.push_back(Way::NoAnswer);
            rig.ok(OPEN);
        }
        "open" => assert_eq!(["OK", "+QMTOPEN: 0,0"], rig.ask(OPEN)[..]),
        "connecting" => {
            rig.module.network().ways.push_back(Way::Says(Vec::new()));
            rig.ask(OPEN);
            rig.ok("AT+QMTCONN=0,\"me\"");
        }
        _ => rig.connect(0, "me"),
    }
    match state {
        // Between OK and the result.
        "disconnecting" => rig.ok("AT+QMTDISC=0"),
        "closing" => rig.ok("AT+QMTCLOSE=0"),
        "disconnected" => assert_eq!(["OK", "+QMTDISC: 0,0"], rig.ask("AT+QMTDISC=0")[..]),
        _ => {}
    }
    rig
}

#[test]
fn decisions_17_18_21_22_every_command_is_answered_by_the_state_of_its_client() {
    for dialect in ALL {
        let document = catalogue().get(dialect).expect("built in");
        for (command, row) in RULES {
            let name = command.split(['=', '?']).next().expect("a name");
            let unknown = (name == "AT+QMTRECV" || command.contains("willex")) && dialect == BC35;
            for ((state, ..), rule) in STATES.iter().zip(row.chars()).filter(|_| !unknown) {
                let mut rig = in_state(dialect, state);
                let line = if command == "PUBLISH" { rig.publish_line(0, 0, 1) } else { command.to_owned() };
                let said = rig.at_once(&line);
                let wanted = match rule {
                    '-' => "ERROR",
                    _ if command == "PUBLISH" => "> ",
                    _ => "OK",
                };
                assert_eq!([wanted], said[..], "{dialect}, {state}: {line}");
                let occupied = rig.after(0.1).contains(&"+QMTOPEN: 0,2".to_owned());
                assert_eq!(rule == '2', occupied, "{dialect}, {state}: {line}");
            }
        }
        assert!(document.command("AT+QMTRECV").is_some() || dialect == BC35);
    }
}

#[test]
fn decision_17_test_forms_and_queries_are_answered_in_every_state() {
    for dialect in ALL {
        for (state, number, open) in STATES {
            let mut rig = in_state(dialect, state);
            assert_eq!(["+QMTCFG: \"keepalive\",120"], rig.info("AT+QMTCFG=\"keepalive\",0")[..], "{dialect}, {state}");
            let line = number.map(|number| format!("+QMTCONN: 0,{number}"));
            assert_eq!(Vec::from_iter(line), rig.info("AT+QMTCONN?"), "{dialect}, {state}");
            let line = open.then(|| "+QMTOPEN: 0,\"broker.example\",1883".to_owned());
            assert_eq!(Vec::from_iter(line), rig.info("AT+QMTOPEN?"), "{dialect}, {state}");
            for (name, command) in &catalogue().get(dialect).expect("built in").commands {
                if command.forms.contains(&Form::Test) {
                    assert_eq!(command.test_reply, rig.info(&format!("{name}=?")), "{dialect}, {state}: {name}");
                }
            }
            if dialect != BC35 {
                let flags = (state == "connected").then(|| "+QMTRECV: 0,0,0,0,0,0".to_owned());
                assert_eq!(Vec::from_iter(flags), rig.info("AT+QMTRECV?"), "{dialect}, {state}");
            }
        }
    }
}

#[test]
fn decision_18_closing_ends_what_was_begun() {
    for dialect in ALL {
        let mut rig = in_state(dialect, "opening");
        assert_eq!(["OK", "+QMTOPEN: 0,-1", "+QMTCLOSE: 0,0"], rig.ask("AT+QMTCLOSE=0")[..], "{dialect}");
        let mut rig = in_state(dialect, "connecting");
        assert_eq!(["OK", "+QMTCONN: 0,2", "+QMTCLOSE: 0,0"], rig.ask("AT+QMTCLOSE=0")[..], "{dialect}");
        assert!(rig.after(600.0).is_empty(), "{dialect}: nothing is left of it");
    }
}

/// The results of two commands of a hasty host come one after the other; that of the older changes nothing any more.
#[test]
fn decision_18_a_late_result_does_not_undo_a_newer_command() {
    for dialect in ALL {
        let mut rig = Rig::new(dialect);
        rig.module.network().ways.extend([Way::NotResolved, Way::NoAnswer]);
        rig.ok(OPEN);
        rig.after(0.01);
        rig.ok("AT+QMTCLOSE=0");
        assert_eq!(["+QMTOPEN: 0,4"], rig.after(0.015)[..], "{dialect}");
        assert_eq!(["ERROR", "+QMTCLOSE: 0,0"], rig.ask(OPEN)[..], "{dialect}: it still closes");
        // A refused CONNACK is told once, whatever comes behind it.
        let mut rig = in_state(dialect, "open");
        rig.module.network().broker.policy.refuse_with = Some(5);
        rig.ok("AT+QMTCONN=0,\"me\"");
        rig.after(0.01);
        let said = rig.ask("AT+QMTCLOSE=0");
        assert_eq!(["OK", "+QMTCONN: 0,0,5", "+QMTSTAT: 0,4", "+QMTCLOSE: 0,0"], said[..], "{dialect}");
    }
}

#[test]
fn decision_18_an_occupied_client_stays_as_it_is() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &[]);
        assert_eq!(["OK", "+QMTOPEN: 0,2"], rig.ask("AT+QMTOPEN=0,\"other.example\",1884")[..]);
        assert_eq!(["+QMTOPEN: 0,\"broker.example\",1883"], rig.info("AT+QMTOPEN?")[..], "{dialect}");
        assert_eq!(["OK".to_owned(), format!("{}: 0,0,0", rig.published())], rig.publish(0, 0, b"x")[..]);
    }
}

#[test]
fn decision_19_an_open_that_nobody_answers_ends_at_the_documented_maximum() {
    for dialect in ALL {
        let mut rig = in_state(dialect, "opening");
        let took = rig.until("+QMTOPEN: 0,-1", 600).expect("a result");
        assert!(super::is_about(if dialect == BC35 { 75.0 } else { 120.0 }, took), "{dialect}: {took} s");
        assert_eq!(["+QMTOPEN: 0,-1"], rig.after(600.0)[..], "{dialect}");
        rig.connect(0, "me");
    }
}

/// STATE-MACHINES 1.2, field rule F19: it is the broker's policy, and a state of its own.
#[test]
fn a_broker_that_awaits_connect_too_long_closes() {
    for dialect in ALL {
        let mut rig = in_state(dialect, "open");
        rig.module.network().broker.policy.connect_timeout = std::time::Duration::from_secs(5);
        rig.ask("AT+QMTCLOSE=0");
        rig.ask(OPEN);
        assert_eq!(["+QMTSTAT: 0,1"], rig.after(6.0)[..], "{dialect}");
        rig.refused("AT+QMTCONN=0,\"me\"");
    }
}

#[test]
fn decision_20_connect_is_sent_once_and_ends_with_code_4() {
    for dialect in ALL {
        let patience = if dialect == BC35 { 10.0 } else { 5.0 };
        let mut rig = Rig::new(dialect);
        rig.lose(Kind::Connack, None);
        rig.ask(OPEN);
        rig.ok("AT+QMTCONN=0,\"me\"");
        let took = rig.until("+QMTCONN: 0,2", 60).expect("a result");
        assert!(super::is_about(patience, took), "{dialect}: {took} s");
        assert_eq!(["+QMTCONN: 0,2", "+QMTSTAT: 0,4"], rig.after(60.0)[..], "{dialect}");
        assert_eq!(1, rig.sent(Kind::Connect).len(), "{dialect}: decision 20");
        assert!(rig.info("AT+QMTCONN?").is_empty());
    }
}

#[test]
fn decision_21_what_the_broker_does_behind_a_disconnection_is_silent() {
    for dialect in ALL {
        let mut rig = in_state(dialect, "disconnected");
        rig.module.network().end_all(true);
        assert!(rig.after(600.0).is_empty(), "{dialect}");
        assert_eq!(1, rig.sent(Kind::Disconnect).len(), "{dialect}");
        assert_eq!(["OK", "+QMTCLOSE: 0,0"], rig.ask("AT+QMTCLOSE=0")[..], "{dialect}");
        rig.refused("AT+QMTCLOSE=0");
        let mut rig = in_state(dialect, "disconnected");
        rig.connect(0, "me");
    }
}

#[test]
fn decision_22_closing_sends_no_disconnect_and_disconnecting_withdraws_the_will() {
    for dialect in ALL {
        for (command, published) in [("AT+QMTCLOSE=0", true), ("AT+QMTDISC=0", false)] {
            let mut rig = Rig::connected(dialect, &["\"will\",0,1,0,1,\"gone\",\"bye\""]);
            assert_eq!(2, rig.ask(command).len());
            assert_eq!(!published, rig.sent(Kind::Disconnect).len() == 1, "{dialect}: {command}");
            // Kept by the broker, if it was published.
            rig.ask("AT+QMTCLOSE=0");
            rig.connect(0, "other");
            let said = rig.ask("AT+QMTSUB=0,1,\"gone\",0");
            assert_eq!(published, said.contains(&"+QMTRECV: 0,0,\"gone\",\"bye\"".to_owned()), "{dialect}: {said:?}");
        }
    }
}

/// `STAT`, `CLOSE` and `DISC` leave settings alone; a restart and power-down do not (decision 17).
#[test]
fn decision_17_settings_last_until_power_down() {
    for dialect in ALL {
        for end in ["close", "disc", "stat", "restart"] {
            let mut rig = Rig::connected(dialect, &["\"keepalive\",0,77", "\"timeout\",0,9,8,1"]);
            match end {
                "close" => assert_eq!(2, rig.ask("AT+QMTCLOSE=0").len()),
                "disc" => assert_eq!(2, rig.ask("AT+QMTDISC=0").len()),
                "stat" => {
                    rig.module.network().end_all(false);
                    assert_eq!(["+QMTSTAT: 0,1"], rig.after(0.1)[..], "{dialect}");
                }
                _ => {
                    rig.module.ask("AT+CFUN=1,1", 60.0);
                    rig.module.ask("ATE0", 0.0);
                }
            }
            let (keepalive, timeout) = match (end, dialect) {
                ("restart", BC35) => ("120", "10,3,0"),
                ("restart", _) => ("120", "5,3,0"),
                _ => ("77", "9,8,1"),
            };
            let told = [rig.info("AT+QMTCFG=\"keepalive\",0"), rig.info("AT+QMTCFG=\"timeout\",0")].concat();
            let expected = [format!("+QMTCFG: \"keepalive\",{keepalive}"), format!("+QMTCFG: \"timeout\",{timeout}")];
            assert_eq!(expected[..], told[..], "{dialect}: {end}");
        }
    }
}

#[test]
fn decision_2_a_damaged_spelling_is_no_command() {
    for line in ["AT+QMTCCLOSE=0", "AT+QMTCCLOSE=?", "AT+CSSLFCFG=?", "AT+SSLFCFG=?", "AT+SSSLCFG=?"] {
        for dialect in ALL {
            Rig::new(dialect).refused(line);
        }
    }
    for dialect in LTE {
        let mut rig = Rig::new(dialect);
        rig.refused("AT+QSSLCFG=\"secllevel\",0,2");
        rig.ok("AT+QSSLCFG=\"seclevel\",0,2");
    }
}

#[test]
fn a_client_that_the_document_does_not_have_is_refused() {
    for dialect in ALL {
        let mut rig = Rig::new(dialect);
        let beyond = catalogue().get(dialect).expect("built in").clients;
        for line in
            ["AT+QMTOPEN={},\"h\",1", "AT+QMTCFG=\"version\",{},3", "AT+QMTCFG=\"version\",{}", "AT+QMTCLOSE={}"]
        {
            rig.refused(&line.replace("{}", &beyond.to_string()));
        }
    }
    assert_eq!(6, catalogue().get(STANDARD).expect("built in").clients);
}
