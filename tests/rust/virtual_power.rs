//! Power of a virtual module (decision 50): last words, boot text, what each way to restart leaves.

use modemrig::dialect::catalogue;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::SimulatedModule;

use crate::simulated::everywhere;
use crate::simulated::fits;
use crate::simulated::is_quectel;
use crate::simulated::module;
use crate::simulated::said;

const SIMCOM: &str = "sim7028";
const OK: &str = "\r\nOK\r\n";

/// The last words of a module and its first ones, its command to switch it off, and a file command of its own.
fn power_words(dialect: &str) -> (&'static str, &'static str, &'static str) {
    if dialect == SIMCOM {
        ("AT+CPOF", "OK|NORMAL POWER DOWN", "*ATREADY: 1")
    } else {
        ("AT+QPOWD", "OK|POWERED DOWN", "RDY")
    }
}

#[test]
fn decision_50_switched_off_it_says_so_is_silent_and_starts_with_its_boot_text() {
    for dialect in catalogue().ids() {
        let (command, words, boot) = power_words(dialect);
        let mut one = module(dialect);
        assert_eq!(words, said(&mut one, command), "{dialect}");
        assert_eq!("", one.ask("AT", 600.0), "{dialect}: it is off");
        one.power_on().expect("one that is off");
        assert_eq!("", one.after(1.4), "{dialect}: it takes 1.5 s");
        assert_eq!(format!("\r\n{boot}\r\n"), one.after(5.0), "{dialect}");
        assert_eq!("AT\r\r\nOK\r\n", one.ask("AT", 0.1), "{dialect}: nothing was stored, so it echoes");
        // A command behind it on the line is not carried out.
        assert_eq!(words, said(&mut module(dialect), &format!("{command};+NOTHING")).replace("ERROR", "OK"));
        for restart in ["AT+CFUN=1,1", "AT+CRESET"] {
            let mut again = module(dialect);
            let answer = again.ask(restart, 5.0);
            assert_eq!(format!("\r\nOK\r\n\r\n{boot}\r\n"), answer, "{dialect} {restart}: no farewell");
        }
    }
    let mut at_once = module("ecx00u_egx00u");
    assert_eq!("OK", said(&mut at_once, "AT+QPOWD=0"));
    assert_eq!("", at_once.ask("AT", 5.0));
}

#[test]
fn decision_50_files_identity_and_the_stored_profile_survive_and_nothing_else() {
    for dialect in catalogue().ids() {
        let quectel = dialect != SIMCOM;
        let (off, ..) = power_words(dialect);
        let mut module = module(dialect);
        let imei = said(&mut module, "AT+CGSN");
        said(&mut module, "AT+CMEE=1");
        said(&mut module, "AT+IPR=57600");
        said(&mut module, "AT&W");
        said(&mut module, "AT+CMEE=2");
        said(&mut module, "AT+IPR=9600");
        said(&mut module, "AT+CEREG=1");
        said(&mut module, "AT+CGDCONT=3,\"IP\",\"kept\"");
        said(&mut module, if quectel { "AT+QFUPL=\"a.pem\",3,5" } else { "AT+CCERTDOWN=\"a.pem\",3" });
        assert!(said(&mut module, "abc").contains("OK"), "{dialect}");
        let setting = if quectel { "AT+QMTCFG=\"keepalive\",0,77" } else { "AT+CSSLCFG=\"authmode\",0,1" };
        assert_eq!("OK", said(&mut module, setting), "{dialect}");
        if !quectel {
            assert_eq!("OK|+CMQTTSTART: 0", said(&mut module, "AT+CMQTTSTART"));
            assert_eq!("OK", said(&mut module, "AT+CMQTTACCQ=0,\"me\",0"));
            said(&mut module, "AT+CMQTTTOPIC=0,1");
            assert_eq!("OK", said(&mut module, "t"));
        }
        said(&mut module, off);
        module.power_on().expect("one that is off");
        module.after(5.0);
        let rows: &[(&str, &str)] = match quectel {
            true => &[
                ("AT+QFLST=\"*\"", "+QFLST: \"UFS:a.pem\",3|OK"),
                ("AT+QMTCFG=\"keepalive\",0", "+QMTCFG: \"keepalive\",120|OK"),
                ("AT+QMTCONN?", "OK"),
            ],
            false => &[
                ("AT+CCERTLIST", "+CCERTLIST: \"a.pem\"|OK"),
                ("AT+CSSLCFG?", "+CSSLCFG: 0,*,0,1,*|OK"),
                ("AT+CMQTTACCQ=0,\"me\",0", "ERROR"),
                ("AT+CMQTTSTART", "OK|+CMQTTSTART: 0"),
                ("AT+CMQTTTOPIC=0,1", "+CMQTTTOPIC: 0,20|ERROR"),
            ],
        };
        let common = [
            ("AT+CGSN", imei.as_str()),
            ("AT+CMEE?", "+CMEE: 1|OK"),
            ("AT+CMEE=0", "OK"),
            ("AT+IPR?", "+IPR: 57600|OK"),
            ("AT+CEREG?", "+CEREG: 0,1|OK"),
            ("AT+CGDCONT?", "+CGDCONT: 1,\"IP\",\"\",\"\",0,0|OK"),
        ];
        for (line, expected) in common.iter().chain(rows) {
            let answer = said(&mut module, line);
            assert!(fits(expected, &answer), "{dialect} {line}: {answer:?}, not {expected:?}");
        }
    }
}

/// What survives: the stored profile, files, identity; not settings, sessions and what is staged.
#[test]
fn each_way_to_restart_leaves_profile_files_and_identity_and_nothing_else() {
    everywhere(|dialect, _| {
        let quectel = is_quectel(dialect);
        for way in ["AT+CFUN=1,1", "AT+CRESET", if quectel { "AT+QPOWD" } else { "AT+CPOF" }, "supply"] {
            let mut module = module(&dialect.id);
            module.ask("AT&W", 0.1);
            let imei = module.ask("AT+CGSN", 0.1);
            module.ask("AT+CMEE=2;+CEREG=1", 0.1);
            let (upload, list) = match quectel {
                true => ("AT+QFUPL=\"UFS:kept.pem\",5", "AT+QFLST"),
                false => ("AT+CCERTDOWN=\"kept.pem\",5", "AT+CCERTLIST"),
            };
            module.ask(upload, 0.1);
            module.host(b"12345");
            module.after(1.0);
            let files = module.ask(list, 0.1);
            assert!(files.contains("kept.pem"), "{files:?}");
            let opening: &[&str] = match quectel {
                true => &["AT+QMTCFG=\"keepalive\",0,77", "AT+QMTOPEN=0,\"a.example\",1883", "AT+QMTCONN=0,\"me\""],
                false => &["AT+CMQTTSTART", "AT+CMQTTACCQ=0,\"me\",0", "AT+CMQTTCONNECT=0,\"tcp://a.example\",60,1"],
            };
            opening.iter().for_each(|line| drop(module.ask(line, 1.0)));
            let boot = if quectel { "\r\nRDY\r\n" } else { "\r\n*ATREADY: 1\r\n" };
            match way {
                "supply" => module.power_cycle().expect("a running module"),
                line => {
                    module.host(format!("{line}\r").as_bytes());
                    let said = String::from_utf8_lossy(&module.take_output()).into_owned();
                    assert!(said.starts_with(OK), "{} {way}: {said:?}", dialect.id);
                }
            }
            if matches!(way, "AT+QPOWD" | "AT+CPOF") {
                assert_eq!("", module.ask("AT", 60.0), "{} is off", dialect.id);
                module.power_on().expect("one that is off");
            }
            // What is typed while it starts is lost.
            module.host(b"AT+CGSN\r");
            assert_eq!(boot, module.after(10.0), "{} {way}", dialect.id);
            assert_eq!(imei, module.ask("AT+CGSN", 0.1), "{} {way}", dialect.id);
            assert_eq!(files, module.ask(list, 0.1), "{} {way}", dialect.id);
            assert_eq!("\r\n+CMEE: 0\r\n\r\nOK\r\n", module.ask("AT+CMEE?", 0.1), "{} {way}", dialect.id);
            assert_eq!("\r\n+CEREG: 0,1\r\n\r\nOK\r\n", module.ask("AT+CEREG?", 0.1), "{} {way}", dialect.id);
            match quectel {
                true => {
                    assert_eq!(OK, module.ask("AT+QMTOPEN?", 0.1), "{} {way}", dialect.id);
                    let keepalive = module.ask("AT+QMTCFG=\"keepalive\",0", 0.1);
                    assert!(keepalive.contains("\"keepalive\",120"), "{} {way}: {keepalive:?}", dialect.id);
                }
                false => assert!(module.ask("AT+CMQTTACCQ=0,\"me\",0", 0.1).contains("ERROR"), "{way}: not started"),
            }
        }
    });
}

#[test]
fn a_module_starts_sooner_at_a_higher_speed() {
    let starts = |speed| {
        let mut module =
            SimulatedModule::new(&VirtualOptions { speed, ..VirtualOptions::new("lte_standard_a") }).expect("one");
        module.power_cycle().expect("a running module");
        module.until(b"RDY", std::time::Duration::from_secs(60)).expect("it starts").as_secs_f64()
    };
    let (slow, fast) = (starts(1.0), starts(10.0));
    assert!((slow / fast - 10.0).abs() < 0.1, "{slow} {fast}");
}
