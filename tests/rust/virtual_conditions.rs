//! What is around a virtual module, and power: registration, signal, SIM, clock, as TS 27.007 has a host see them.

use std::time::Duration;

use modemrig::dialect::catalogue;
use modemrig::virtual_module::Conditions;
use modemrig::virtual_module::Registration;
use modemrig::virtual_module::Sim;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::SimulatedModule;

fn module(dialect: &str, conditions: Conditions) -> SimulatedModule {
    let options = VirtualOptions { conditions, ..VirtualOptions::new(dialect) };
    let mut module = SimulatedModule::new(&options).expect("conditions that can be");
    module.host(b"ATE0\r");
    module.take_output();
    module
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
