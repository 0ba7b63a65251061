//! What is around a virtual module, and power: registration, signal, SIM, clock, as TS 27.007 has a host see them.

use std::time::Duration;

use modemrig::dialect::catalogue;
use modemrig::virtual_module::Conditions;
use modemrig::virtual_module::Registration;
use modemrig::virtual_module::Sim;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::SimulatedModule;

use crate::simulated::quiet;

fn module(dialect: &str, conditions: Conditions) -> SimulatedModule {
    let options = VirtualOptions { conditions, ..VirtualOptions::new(dialect) };
    quiet(&options)
}

fn everywhere(mut test: impl FnMut(&str, bool)) {
    for dialect in catalogue().ids() {
        let quectel = catalogue().get(dialect).is_some_and(|d| d.command("AT+QMTOPEN").is_some());
        test(dialect, quectel);
    }
}

/// Opens a connection and an MQTT session.
fn connect(module: &mut SimulatedModule, quectel: bool) {
    let lines: &[(&str, &str)] = match quectel {
        true => &[("AT+QMTOPEN=0,\"a.example\",1883", "+QMTOPEN: 0,0"), ("AT+QMTCONN=0,\"me\"", "+QMTCONN: 0,0,0")],
        false => &[
            ("AT+CMQTTSTART", "+CMQTTSTART: 0"),
            ("AT+CMQTTACCQ=0,\"me\",0", "OK"),
            ("AT+CMQTTCONNECT=0,\"tcp://a.example\",60,1", "+CMQTTCONNECT: 0,0"),
        ],
    };
    for (line, result) in lines {
        let said = module.ask(line, 1.0);
        assert!(said.contains(result), "{line}: {said:?}");
    }
}

#[test]
fn registration_by_its_number_and_its_report() {
    let cases = [
        (Registration::Home, 1, true),
        (Registration::Searching, 2, false),
        (Registration::Denied, 3, false),
        (Registration::Roaming, 5, true),
    ];
    everywhere(|dialect, _| {
        for (registration, stat, attached) in cases {
            let mut module = module(dialect, Conditions { registration, ..Conditions::default() });
            assert_eq!(format!("\r\n+CEREG: 0,{stat}\r\n\r\nOK\r\n"), module.ask("AT+CEREG?", 0.1), "{dialect}");
            let expected = format!("\r\n+CGATT: {}\r\n\r\nOK\r\n", u8::from(attached));
            assert_eq!(expected, module.ask("AT+CGATT?", 0.1), "{dialect} {registration:?}");
        }
    });
}

#[test]
fn registration_that_takes_time_is_reported_when_it_comes_sooner_at_a_higher_speed() {
    for (speed, takes) in [(1.0, 30.0), (10.0, 3.0)] {
        let conditions = Conditions { registration_delay: Duration::from_secs(30), ..Conditions::default() };
        let options = VirtualOptions { conditions, speed, ..VirtualOptions::new("lte_standard_a") };
        let mut module = SimulatedModule::new(&options).expect("conditions that can be");
        module.host(b"ATE0;+CREG=2;+CEREG=1\r");
        assert_eq!("\r\nOK\r\n", module.after(takes - 0.1).trim_start_matches("ATE0;+CREG=2;+CEREG=1\r"));
        let report = "\r\n+CREG: 1,\"1A2B\",\"01C3D4E5\",7\r\n\r\n+CEREG: 1\r\n";
        assert_eq!(report, module.after(0.2), "speed {speed}");
    }
}

#[test]
fn who_loses_the_network_loses_the_connection_and_is_told() {
    everywhere(|dialect, quectel| {
        for away in [
            Conditions { registration: Registration::Searching, ..Conditions::default() },
            Conditions { pdp: false, ..Conditions::default() },
        ] {
            let mut module = module(dialect, Conditions::default());
            module.ask("AT+CEREG=1", 0.1);
            connect(&mut module, quectel);
            module.set_conditions(away.clone()).expect("conditions that can be");
            let said = module.after(1.0);
            let lost = if quectel { "+QMTSTAT: 0,7" } else { "+CMQTTCONNLOST: 0,3" };
            assert!(said.contains(lost), "{dialect}: {said:?}");
            assert_eq!(away.registration == Registration::Searching, said.contains("+CEREG: 2"), "{dialect}: {said:?}");
        }
    });
}

#[test]
fn signal_is_unknown_without_a_network() {
    let heard = Conditions { rssi: Some(9), ber: Some(3), ..Conditions::default() };
    let deaf = Conditions { registration: Registration::Searching, ..heard.clone() };
    assert!(module("sim7028", heard).ask("AT+CSQ", 0.1).contains("+CSQ: 9,3\r"));
    assert!(module("sim7028", deaf).ask("AT+CSQ", 0.1).contains("+CSQ: 99,99\r"));
    let options = VirtualOptions {
        conditions: Conditions { rssi: Some(32), ..Conditions::default() },
        ..VirtualOptions::new("sim7028")
    };
    assert!(SimulatedModule::new(&options).is_err(), "TS 27.007 8.5 ends at 31");
}

#[test]
fn a_module_without_a_card_says_so_by_its_number_or_its_name() {
    everywhere(|dialect, _| {
        let mut module = module(dialect, Conditions { sim: Sim::Absent, ..Conditions::default() });
        assert_eq!("\r\nERROR\r\n", module.ask("AT+CPIN?", 0.1), "{dialect}");
        module.ask("AT+CMEE=1", 0.1);
        assert_eq!("\r\n+CME ERROR: 10\r\n", module.ask("AT+CPIN?", 0.1), "{dialect}");
        module.ask("AT+CMEE=2", 0.1);
        assert_eq!("\r\n+CME ERROR: SIM not inserted\r\n", module.ask("AT+CPIN?", 0.1), "{dialect}");
        assert!(module.ask("AT+CEREG?", 0.1).contains("+CEREG: 0,0"), "{dialect}");
    });
}

#[test]
fn the_clock_is_the_networks_or_begins_in_1980() {
    let mut told = module("ecx00u_egx00u", Conditions { clock_error_s: 3600, ..Conditions::default() });
    assert!(told.ask("AT+CCLK?", 0.1).contains("+CCLK: \"26/01/01,01:00:0"));
    assert!(told.ask("AT+QLTS", 0.1).contains("+QLTS: \"2026/01/01,01:00:0"));
    let mut untold = module("ecx00u_egx00u", Conditions { network_time: false, ..Conditions::default() });
    assert!(untold.ask("AT+CCLK?", 86_400.0).contains("+CCLK: \"80/01/06,00:00:0"));
    assert!(untold.ask("AT+CCLK?", 0.1).contains("+CCLK: \"80/01/07,00:00:0"), "it goes on");
    assert!(untold.ask("AT+QLTS", 0.1).contains("+QLTS: \"\"\r"), "nobody told it the time");
    untold.ask("AT+CCLK=\"26/06/01,12:00:00+00\"", 0.1);
    assert!(untold.ask("AT+CCLK?", 0.1).contains("+CCLK: \"26/06/01,12:00:0"));
    untold.ask("AT+CFUN=1,1", 5.0);
    untold.host(b"ATE0\r");
    assert!(untold.ask("AT+CCLK?", 0.1).contains("26/06/01,12:00:0"), "a restart leaves the clock running");
    untold.power_cycle().expect("a running module");
    untold.after(5.0);
    assert!(untold.ask("AT+CCLK?", 0.1).contains("80/01/06"), "a loss of power does not");
}

#[test]
fn without_a_name_server_only_addresses_are_reached() {
    let mut module = module("bc35g_bc28", Conditions { dns: false, ..Conditions::default() });
    assert!(module.ask("AT+QMTOPEN=0,\"a.example\",1883", 1.0).contains("+QMTOPEN: 0,4"), "decision 19");
    assert!(module.ask("AT+QMTOPEN=0,\"192.0.2.1\",1883", 1.0).contains("+QMTOPEN: 0,0"));
}

#[test]
fn power_is_cut_without_a_word_and_what_is_stored_comes_back() {
    everywhere(|dialect, quectel| {
        let mut module = module(dialect, Conditions::default());
        module.ask("AT&W", 0.1);
        module.ask("AT+CMEE=2", 0.1);
        connect(&mut module, quectel);
        module.power_off().expect("a running module");
        assert_eq!("", module.after(600.0), "{dialect}");
        assert_eq!("", module.ask("AT", 5.0), "{dialect}: no power, no answer");
        module.power_on().expect("one without power");
        let boot = if quectel { "\r\nRDY\r\n" } else { "\r\n*ATREADY: 1\r\n" };
        assert_eq!(boot, module.after(5.0), "{dialect}: echo is off, since the profile is stored");
        let cmee = module.ask("AT+CMEE?", 0.1);
        assert!(cmee.contains("+CMEE: 0"), "{dialect}: not stored, so not kept: {cmee:?}");
        connect(&mut module, quectel);
    });
}

/// Decision 24: +QMTSTAT n,7; decision 25: CONNLOST 3. Told once, whoever took the network away, and the client can come back.
#[test]
fn every_way_to_lose_the_network_is_told_once_and_the_client_comes_back() {
    type Way = (&'static str, fn(&mut SimulatedModule), fn(&mut SimulatedModule));
    fn around(module: &mut SimulatedModule, conditions: Conditions) {
        module.set_conditions(conditions).expect("conditions that can be");
    }
    let ways: [Way; 7] = [
        ("radio off", |m| m.host(b"AT+CFUN=4\r"), |m| m.host(b"AT+CFUN=1\r")),
        ("minimum", |m| m.host(b"AT+CFUN=0\r"), |m| m.host(b"AT+CFUN=1\r")),
        ("detached", |m| m.host(b"AT+CGATT=0\r"), |m| m.host(b"AT+CGATT=1\r")),
        ("context off", |m| m.host(b"AT+CGACT=0,1\r"), |m| m.host(b"AT+CGACT=1,1\r")),
        (
            "card gone",
            |m| around(m, Conditions { sim: Sim::Absent, ..Conditions::default() }),
            |m| around(m, Conditions::default()),
        ),
        (
            "denied",
            |m| around(m, Conditions { registration: Registration::Denied, ..Conditions::default() }),
            |m| around(m, Conditions::default()),
        ),
        (
            "no context",
            |m| around(m, Conditions { pdp: false, ..Conditions::default() }),
            |m| around(m, Conditions::default()),
        ),
    ];
    everywhere(|dialect, quectel| {
        for (name, take_away, give_back) in ways {
            let mut module = module(dialect, Conditions::default());
            connect(&mut module, quectel);
            module.take_output();
            take_away(&mut module);
            let said = module.after(300.0);
            let lost = if quectel { "\r\n+QMTSTAT: 0,7\r\n" } else { "\r\n+CMQTTCONNLOST: 0,3\r\n" };
            assert_eq!(1, said.matches(lost).count(), "{dialect}, {name}: {said:?}");
            assert_eq!(1, said.matches("\r\n+").count(), "{dialect}, {name}: nothing else is told: {said:?}");
            let refused = if quectel { "AT+QMTPUBEX=0,0,0,0,\"t\",1" } else { "AT+CMQTTPUB=0,0,60" };
            assert!(module.ask(refused, 1.0).ends_with("ERROR\r\n"), "{dialect}, {name}");
            give_back(&mut module);
            module.after(5.0);
            match quectel {
                true => connect(&mut module, true),
                // It is acquired still (decision 25).
                false => {
                    let said = module.ask("AT+CMQTTCONNECT=0,\"tcp://a.example\",60,1", 1.0);
                    assert!(said.contains("+CMQTTCONNECT: 0,0"), "{dialect}, {name}: {said:?}");
                }
            }
        }
    });
}

#[test]
fn losing_the_network_in_the_middle_of_a_request_or_of_typing_gives_one_result_and_the_port_stays_usable() {
    everywhere(|dialect, quectel| {
        let mut module = module(dialect, Conditions::default());
        connect(&mut module, quectel);
        let topic = "AT+CMQTTTOPIC=0,3";
        let forms = [r#"AT+QMTPUBEX=0,1,1,0,"t",3"#, r#"AT+QMTPUB=0,1,1,0,"t",3"#, topic];
        let asks = |line: &&str| module.ask(line, 0.1).ends_with("> ");
        assert!(forms.iter().any(asks), "{dialect}: none of them asks for input");
        let gone = Conditions { registration: Registration::Searching, ..Conditions::default() };
        module.set_conditions(gone).expect("conditions that can be");
        let silent = module.after(5.0);
        assert!(!silent.contains("ERROR"), "{dialect}: {silent:?}");
        module.host(b"abc");
        let said = silent + &module.after(300.0);
        let lost = if quectel { "+QMTSTAT: 0,7" } else { "+CMQTTCONNLOST: 0,3" };
        assert_eq!(1, said.matches(lost).count(), "{dialect}: {said:?}");
        assert_eq!(
            1,
            said.matches("\r\nERROR\r\n").count() + said.matches("\r\nOK\r\n").count(),
            "{dialect}: {said:?}"
        );
        assert_eq!("\r\nOK\r\n", module.ask("AT", 0.1), "{dialect}");
    });
}

#[test]
fn power_that_goes_while_typing_or_starting_leaves_nothing_half_done() {
    everywhere(|dialect, quectel| {
        let mut module = module(dialect, Conditions::default());
        module.ask("AT&W", 0.1);
        let upload = if quectel { "AT+QFUPL=\"UFS:half.pem\",9" } else { "AT+CCERTDOWN=\"half.pem\",9" };
        module.ask(upload, 0.1);
        module.host(b"1234");
        for _ in 0..3 {
            module.power_cycle().expect("a running module");
            module.host(b"AT+CM");
            module.after(0.5);
        }
        let boot = if quectel { "\r\nRDY\r\n" } else { "\r\n*ATREADY: 1\r\n" };
        assert_eq!(boot, module.after(60.0), "{dialect}: it started once");
        assert_eq!("\r\nOK\r\n", module.ask("AT", 0.1), "{dialect}: what was typed before is gone");
        let list = module.ask(if quectel { "AT+QFLST" } else { "AT+CCERTLIST" }, 0.1);
        assert!(!list.contains("half"), "{dialect}: {list:?}");
    });
}
