//! AT+QMTCFG and the shape of every command: defaults, queries, ranges, counts, cases (decisions 3, 10, 11, 17, 39, 40).

use modemrig::dialect::catalogue;
use modemrig::dialect::schema::Command;
use modemrig::dialect::schema::Form;
use modemrig::dialect::schema::Param;
use modemrig::dialect::schema::ParamType;
use modemrig::dialect::schema::Variant;
use modemrig::mqtt::Kind;
use modemrig::mqtt::Level;
use modemrig::mqtt::Packet;

use super::ALL;
use super::BC35;
use super::EC200X;
use super::ECX;
use super::LTE;
use super::Rig;
use super::STANDARD;

/// What the query of a setting answers on a fresh module, and in which documents it does.
const DEFAULTS: [(&str, &str, &[&str]); 17] = [
    ("version", "3", &ALL),
    ("pdpcid", "1", &LTE),
    ("ssl", "0,0", &LTE),
    ("keepalive", "120", &ALL),
    ("session", "0", &LTE),
    ("session", "1", &[BC35]),
    ("timeout", "5,3,0", &LTE),
    ("timeout", "10,3,0", &[BC35]),
    ("will", "0", &ALL),
    ("willex", "0", &LTE),
    ("recv/mode", "0,0", &LTE),
    ("qmtping", "5", &LTE),
    ("send/mode", "0", &LTE),
    ("dataformat", "0,0", &LTE),
    ("view/mode", "0", &LTE),
    ("edit/timeout", "0", &LTE),
    // It repeats the client's number.
    ("protocol/check", "0,0", &[STANDARD]),
];

#[test]
fn decision_40_a_fresh_module_answers_the_defaults() {
    for (key, answer, documents) in DEFAULTS {
        for dialect in ALL {
            let mut rig = Rig::new(dialect);
            let line = format!("AT+QMTCFG=\"{key}\",0");
            match documents.contains(&dialect) {
                true => assert_eq!([format!("+QMTCFG: \"{key}\",{answer}")], rig.info(&line)[..], "{dialect}"),
                // Another row has it, or the document does not.
                false if DEFAULTS.iter().any(|(other, _, docs)| *other == key && docs.contains(&dialect)) => {}
                false => rig.refused(&line),
            }
        }
    }
}

#[test]
fn decision_40_the_defaults_are_what_a_client_connects_with() {
    for dialect in ALL {
        let mut rig = Rig::connected(dialect, &[]);
        let Packet::Connect(connect) = rig.sent(Kind::Connect).remove(0) else { panic!("not a CONNECT") };
        assert_eq!((Level::V31, 120), (connect.level, connect.keep_alive), "{dialect}");
        assert_eq!(dialect == BC35, connect.clean_session, "{dialect}");
        assert!(connect.will.is_none() && connect.username.is_none() && connect.password.is_none(), "{dialect}");
    }
}

#[test]
fn version_and_session_reach_the_broker() {
    for dialect in ALL {
        for (vsn, level) in [(3, Level::V31), (4, Level::V311)] {
            for clean in [0, 1] {
                let mut rig =
                    Rig::connected(dialect, &[&format!("\"version\",0,{vsn}"), &format!("\"session\",0,{clean}")]);
                let Packet::Connect(connect) = rig.sent(Kind::Connect).remove(0) else { panic!("not a CONNECT") };
                assert_eq!((level, clean == 1), (connect.level, connect.clean_session), "{dialect}");
            }
        }
    }
}

#[test]
fn user_name_and_password_reach_the_broker() {
    for dialect in ALL {
        let mut rig = Rig::new(dialect);
        rig.ask(super::OPEN);
        rig.ok("AT+QMTCONN=0,\"me\",\"user\",\"pass word\"");
        let Packet::Connect(connect) = rig.sent(Kind::Connect).remove(0) else { panic!("not a CONNECT") };
        assert_eq!(Some("user"), connect.username.as_deref(), "{dialect}");
        assert_eq!(Some(&b"pass word"[..]), connect.password.as_deref(), "{dialect}");
        // Only BC35 prints a user name without a password.
        let mut rig = Rig::new(dialect);
        rig.ask(super::OPEN);
        let said = rig.at_once("AT+QMTCONN=0,\"me\",\"user\"");
        assert_eq!([if dialect == BC35 { "OK" } else { "ERROR" }], said[..], "{dialect}");
    }
}

/// Everything that may be written comes back from the query as it was written.
#[test]
fn every_setting_is_answered_as_it_was_written() {
    for dialect in ALL {
        let command = catalogue().get(dialect).expect("built in").command("AT+QMTCFG").expect("a command");
        for (key, variant) in &command.variants {
            if key == "willex" {
                continue; // It asks for a payload: see the tests of typing.
            }
            let mut rig = Rig::new(dialect);
            let values = valid(command, variant, variant.params.len());
            rig.ok(&format!("AT+QMTCFG=\"{key}\",{values}"));
            let query = variant.query.as_ref().expect("every setting can be asked for");
            let told = rig.info(&format!("AT+QMTCFG=\"{key}\",0"));
            let written: Vec<&str> = values.split(',').collect();
            // A flag of Huawei is printed behind what can be written.
            let expected: Vec<_> = query
                .iter()
                .filter_map(|name| variant.params.iter().position(|param| param == name).map(|place| written[place]))
                .collect();
            let expected = format!("+QMTCFG: \"{key}\",{}", expected.join(","));
            assert!(told.len() == 1 && told[0].starts_with(&expected), "{dialect} {key}: {told:?} {expected}");
        }
    }
}

#[test]
fn decision_3_keys_and_names_may_be_in_either_case() {
    for dialect in ALL {
        let mut rig = Rig::new(dialect);
        for (line, key) in [("AT+QMTCFG=\"VERSION\",0,4", "version"), ("at+qmtcfg=\"Version\",0,3", "version")] {
            rig.ok(line);
            assert_eq!(1, rig.info(&format!("AT+QmtCfg=\"{key}\",0")).len(), "{dialect}");
        }
        if dialect != BC35 {
            rig.ok("AT+QMTCFG=\"SSL\",0,1,2");
            assert_eq!(["+QMTCFG: \"ssl\",1,2"], rig.info("AT+QMTCFG=\"ssl\",0")[..], "{dialect}");
            rig.ok("AT+QMTCFG=\"RECV/Mode\",0,1,1");
            assert_eq!(["+QMTCFG: \"recv/mode\",1,1"], rig.info("AT+QMTCFG=\"recv/mode\",0")[..], "{dialect}");
        }
    }
}

#[test]
fn decision_10_timeout_of_bc35_is_positional_and_of_the_others_whole() {
    let mut rig = Rig::new(BC35);
    for (written, told) in [("7", "7,3,0"), ("8,2", "8,2,0"), ("9,1,1", "9,1,1"), ("6", "6,1,1")] {
        rig.ok(&format!("AT+QMTCFG=\"timeout\",0,{written}"));
        assert_eq!([format!("+QMTCFG: \"timeout\",{told}")], rig.info("AT+QMTCFG=\"timeout\",0")[..]);
    }
    rig.refused("AT+QMTCFG=\"timeout\",0,9,,1");
    for dialect in LTE {
        let mut rig = Rig::new(dialect);
        rig.refused("AT+QMTCFG=\"timeout\",0,7");
        rig.refused("AT+QMTCFG=\"timeout\",0,7,2");
        rig.ok("AT+QMTCFG=\"timeout\",0,7,2,1");
    }
}

/// A parameter that is left out keeps its value (3.1.1 of all LTE documents).
#[test]
fn a_parameter_left_out_keeps_its_value() {
    for dialect in LTE {
        let mut rig = Rig::new(dialect);
        rig.ok("AT+QMTCFG=\"recv/mode\",0,1,1");
        rig.ok("AT+QMTCFG=\"recv/mode\",0,0");
        assert_eq!(["+QMTCFG: \"recv/mode\",0,1"], rig.info("AT+QMTCFG=\"recv/mode\",0")[..], "{dialect}");
        rig.ok("AT+QMTCFG=\"ssl\",0,1,3");
        rig.ok("AT+QMTCFG=\"ssl\",0,0");
        assert_eq!(["+QMTCFG: \"ssl\",0,3"], rig.info("AT+QMTCFG=\"ssl\",0")[..], "{dialect}");
    }
    // Without a context there is context 0 (decision 39).
    for dialect in LTE {
        let mut rig = Rig::new(dialect);
        rig.ok("AT+QMTCFG=\"ssl\",0,1");
        assert_eq!(["+QMTCFG: \"ssl\",1,0"], rig.info("AT+QMTCFG=\"ssl\",0")[..], "{dialect}");
    }
}

#[test]
fn section_4_ranges_that_differ_between_the_documents() {
    for (dialect, line, good) in [
        (STANDARD, "AT+QMTCFG=\"pdpcid\",0,15", true),
        (STANDARD, "AT+QMTCFG=\"pdpcid\",0,16", false),
        (EC200X, "AT+QMTCFG=\"pdpcid\",0,15", true),
        (ECX, "AT+QMTCFG=\"pdpcid\",0,7", true),
        (ECX, "AT+QMTCFG=\"pdpcid\",0,8", false),
        (ECX, "AT+QMTCFG=\"pdpcid\",0,0", false),
        (ECX, "AT+QMTCFG=\"edit/timeout\",0,1,180", true),
        (EC200X, "AT+QMTCFG=\"edit/timeout\",0,1,121", false),
        (STANDARD, "AT+QMTCFG=\"edit/timeout\",0,1,121", false),
        (STANDARD, "AT+QMTCFG=\"protocol/check\",0,1", true),
        (ECX, "AT+QMTCFG=\"protocol/check\",0,1", false),
        (EC200X, "AT+QMTCFG=\"protocol/check\",0,1", false),
        (BC35, "AT+QMTCFG=\"pdpcid\",0,1", false),
    ] {
        let mut rig = Rig::new(dialect);
        if good { rig.ok(line) } else { rig.refused(line) }
    }
}

#[test]
fn too_few_and_too_many_parameters_are_refused() {
    for dialect in ALL {
        let document = catalogue().get(dialect).expect("built in");
        for (name, command) in &document.commands {
            let mut rig = Rig::new(dialect);
            for variant in command.variants.values().filter(|_| command.forms.contains(&Form::Write)) {
                let key = variant.key.as_ref().map(|key| format!("\"{key}\",")).unwrap_or_default();
                let all = variant.params.len();
                let others = command.variants.values().filter(|other| other.key == variant.key);
                let counts: Vec<_> = others.flat_map(|other| other.counts.clone()).collect();
                for count in (1..=all + 1).filter(|count| !counts.contains(count)) {
                    let values = valid(command, variant, count.min(all));
                    let surplus = if count > all { ",1" } else { "" };
                    assert_eq!(
                        ["ERROR"],
                        rig.ask(&format!("{name}={key}{values}{surplus}"))[..],
                        "{dialect} {name} {key}{values}{surplus}"
                    );
                }
                rig.refused(&format!("{name}={}", key.trim_end_matches(',')));
            }
            if command.forms.contains(&Form::Write) {
                rig.refused(name);
                rig.refused(&format!("{name}="));
            }
            for (form, mark) in [(Form::Read, "?"), (Form::Test, "=?")] {
                if !command.forms.contains(&form) {
                    rig.refused(&format!("{name}{mark}"));
                }
            }
        }
    }
}

#[test]
fn every_value_out_of_range_is_refused_and_changes_nothing() {
    for dialect in ALL {
        let command = catalogue().get(dialect).expect("built in").command("AT+QMTCFG").expect("a command");
        for (key, variant) in &command.variants {
            let mut rig = Rig::new(dialect);
            let before = rig.info(&format!("AT+QMTCFG=\"{key}\",0"));
            let values = valid(command, variant, variant.params.len());
            let values: Vec<&str> = values.split(',').collect();
            for (place, name) in variant.params.iter().enumerate() {
                for wrong in wrong_values(command.param(name).expect("described")) {
                    let mut given = values.clone();
                    given[place] = &wrong;
                    rig.refused(&format!("AT+QMTCFG=\"{key}\",{}", given.join(",")));
                }
            }
            assert_eq!(before, rig.info(&format!("AT+QMTCFG=\"{key}\",0")), "{dialect} {key}");
        }
    }
}

#[test]
fn decision_11_lengths_count_utf_8_bytes_and_some_bytes_cannot_be_said() {
    for (dialect, most) in [(STANDARD, 256), (ECX, 256), (EC200X, 256), (BC35, 255)] {
        let mut rig = Rig::new(dialect);
        let fits = "é".repeat(most / 2);
        rig.ok(&format!("AT+QMTCFG=\"will\",0,1,0,0,\"t\",\"{fits}\""));
        rig.refused(&format!("AT+QMTCFG=\"will\",0,1,0,0,\"t\",\"{fits}é\""));
        for bytes in [&b"a\"b"[..], b"a\x1ab", b"a\x1bb", b"a\0b"] {
            let line = [b"AT+QMTCFG=\"will\",0,1,0,0,\"t\",\"", bytes, b"\"\r"].concat();
            rig.module.host(&line);
            assert_eq!(["ERROR"], rig.after(0.1)[..], "{dialect}: {bytes:?}");
        }
    }
}

/// A will that MQTT cannot say is a setting all the same; the command that would send it is refused (decision 41: 50).
#[test]
fn a_will_to_a_wildcard_cannot_be_connected_with() {
    for dialect in ALL {
        let mut rig = Rig::new(dialect);
        rig.ok("AT+QMTCFG=\"will\",0,1,0,0,\"a/#\",\"bye\"");
        rig.ask(super::OPEN);
        rig.refused("AT+QMTCONN=0,\"me\"");
        if dialect == BC35 {
            rig.ok("AT+CMEE=1");
            assert_eq!(["+CME ERROR: 50"], rig.ask("AT+QMTCONN=0,\"me\"")[..]);
        }
        rig.ok("AT+QMTCFG=\"will\",0,0");
        assert_eq!(["OK", "+QMTCONN: 0,0,0"], rig.ask("AT+QMTCONN=0,\"me\"")[..], "{dialect}");
    }
}

/// `protocol_check_enable` 1 holds acknowledgements against what is in flight; 0 ignores those that nothing awaits. What
/// cannot be MQTT ends a connection in any case (decision 24).
#[test]
fn protocol_check_ends_a_connection_on_an_acknowledgement_that_nothing_awaits() {
    let strays = [&b"\x40\x02\0\x07"[..], b"\x50\x02\0\x07", b"\x70\x02\0\x07", b"\x90\x03\0\x07\0", b"\xb0\x02\0\x07"];
    for stray in strays {
        for (check, expected) in [(0, &[][..]), (1, &["+QMTSTAT: 0,8"])] {
            let mut rig = Rig::connected(STANDARD, &[&format!("\"protocol/check\",0,{check}")]);
            assert_eq!(
                [format!("+QMTCFG: \"protocol/check\",0,{check}")],
                rig.info("AT+QMTCFG=\"protocol/check\",0")[..]
            );
            rig.module.network().say(stray);
            assert_eq!(expected, rig.after(0.1), "{stray:?}, check {check}");
        }
    }
}

#[test]
fn protocol_check_forgives_what_repetition_brings() {
    let mut rig = Rig::connected(STANDARD, &["\"protocol/check\",0,1", "\"timeout\",0,2,1,0"]);
    for (kind, qos) in [(Kind::Puback, 1), (Kind::Pubrec, 2), (Kind::Pubcomp, 2)] {
        // Both copies are acknowledged, the first one too late.
        rig.module.network().broker.policy.ack_rules = vec![modemrig::mqtt::AckRule {
            kind,
            client_id: None,
            action: modemrig::mqtt::AckAction::Delay(std::time::Duration::from_secs(3)),
            times: None,
        }];
        rig.publish(7, qos, b"x");
        assert_eq!(["+QMTPUBEX: 0,7,0"], rig.after(60.0)[..], "{kind:?}");
        assert!(rig.is_connected(0));
    }
}

#[test]
fn decision_24_what_is_no_mqtt_ends_the_connection_checked_or_not() {
    for dialect in ALL {
        for garbage in [&b"\xff\xff\xff\xff\xff"[..], b"\x10\x02\0\0", b"\xc0\0"] {
            let mut rig = Rig::connected(dialect, &[]);
            rig.module.network().say(garbage);
            let code = if dialect == BC35 { 1 } else { 8 };
            assert_eq!([format!("+QMTSTAT: 0,{code}")], rig.after(0.1)[..], "{dialect}: {garbage:?}");
        }
    }
}

/// Values that a setting takes: the largest number of each range, a short text; the client is 0.
fn valid(command: &Command, variant: &Variant, count: usize) -> String {
    let values = variant.params.iter().take(count).enumerate().map(|(place, name)| {
        let param = command.param(name).expect("described");
        match param.r#type {
            _ if place == 0 && param.r#type == ParamType::Int => "0".to_owned(),
            ParamType::String => "\"ab\"".to_owned(),
            ParamType::Int => {
                let largest = param.values.keys().filter_map(|value| value.parse().ok()).max();
                param.max.or(largest).unwrap_or(1).to_string()
            }
        }
    });
    values.collect::<Vec<_>>().join(",")
}

/// Values that a parameter does not take.
fn wrong_values(param: &Param) -> Vec<String> {
    let mut wrong = vec![String::new()];
    match param.r#type {
        ParamType::String => {
            wrong.push("1".to_owned());
            wrong.extend(param.max_len.map(|most| format!("\"{}\"", "x".repeat(most as usize + 1))));
            wrong.extend(param.min_len.filter(|least| *least > 0).map(|_| "\"\"".to_owned()));
        }
        ParamType::Int => {
            wrong.extend(["\"1\"".to_owned(), "x".to_owned(), "1.5".to_owned(), "-1".to_owned()]);
            let known = param.values.keys().filter_map(|value| value.parse::<i64>().ok());
            let largest = known.chain(param.max).max().unwrap_or(i64::from(u32::MAX));
            wrong.push((largest + 1).to_string());
        }
    }
    wrong
}
