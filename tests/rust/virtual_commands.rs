//! The commands beside MQTT (decision 42) byte for byte, as a host finds them on the line; what each way to restart leaves. Their
//! forms and ranges, one by one, are in `virtual_surroundings`.

use modemrig::dialect::catalogue;
use modemrig::dialect::schema::Dialect;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::SimulatedModule;

fn module(dialect: &str) -> SimulatedModule {
    let mut module = SimulatedModule::new(&VirtualOptions::new(dialect)).expect("a built-in dialect");
    module.host(b"ATE0\r");
    module.take_output();
    module
}

fn everywhere(mut test: impl FnMut(&'static Dialect, &mut SimulatedModule)) {
    for dialect in catalogue().dialects() {
        test(dialect, &mut module(&dialect.id));
    }
}

fn is_quectel(dialect: &Dialect) -> bool {
    dialect.command("AT+QMTOPEN").is_some()
}

/// A line, and everything that is said to it.
type Row = (&'static str, &'static str);

const OK: &str = "\r\nOK\r\n";
const ERROR: &str = "\r\nERROR\r\n";

/// Decision 42 for everybody, by TS 27.007 and V.250, each line typed behind the one before.
const COMMON: &[Row] = &[
    ("AT", OK),
    ("AT+CMEE?", "\r\n+CMEE: 0\r\n\r\nOK\r\n"),
    ("AT+CMEE=?", "\r\n+CMEE: (0-2)\r\n\r\nOK\r\n"),
    ("AT+CMEE=3", ERROR),
    ("AT+CMEE=1", OK),
    ("AT+CMEE?", "\r\n+CMEE: 1\r\n\r\nOK\r\n"),
    ("AT&W", OK),
    ("AT+CMEE=0", OK),
    ("ATZ", OK),
    ("AT+CMEE?", "\r\n+CMEE: 1\r\n\r\nOK\r\n"),
    ("AT&F", "\r\nOK\r\n"),
    ("ATE0", "ATE0\r\r\nOK\r\n"),
    ("AT+CMEE?", "\r\n+CMEE: 0\r\n\r\nOK\r\n"),
    ("AT&W0", OK),
    ("ATZ0", OK),
    ("AT&F1", ERROR),
    ("ATZ1", ERROR),
    ("ATE2", ERROR),
    ("ATV0", "0\r"),
    ("AT+CMEE?", "+CMEE: 0\r\n0\r"),
    ("AT+XYZ", "4\r"),
    ("ATV1", OK),
    ("ATQ1", ""),
    ("AT", ""),
    ("AT+XYZ", ""),
    ("ATQ0", OK),
    ("ATE1", OK),
    ("AT", "AT\r\r\nOK\r\n"),
    ("ATE", "ATE\r\r\nOK\r\n"),
    ("AT", OK),
    ("at", OK),
    ("aT+cMeE?", "\r\n+CMEE: 0\r\n\r\nOK\r\n"),
    ("AT+CPIN?", "\r\n+CPIN: READY\r\n\r\nOK\r\n"),
    ("AT+CFUN?", "\r\n+CFUN: 1\r\n\r\nOK\r\n"),
    ("AT+CFUN=?", "\r\n+CFUN: (0,1,4),(0,1)\r\n\r\nOK\r\n"),
    ("AT+CFUN=2", ERROR),
    ("AT+CSQ", "\r\n+CSQ: 24,99\r\n\r\nOK\r\n"),
    ("AT+CREG?", "\r\n+CREG: 0,1\r\n\r\nOK\r\n"),
    ("AT+CGREG?", "\r\n+CGREG: 0,1\r\n\r\nOK\r\n"),
    ("AT+CREG=2", OK),
    ("AT+CREG?", "\r\n+CREG: 2,1,\"1A2B\",\"01C3D4E5\",7\r\n\r\nOK\r\n"),
    ("AT+CREG=3", ERROR),
    ("AT+CREG=0", OK),
    ("AT+CEREG=1", OK),
    ("AT+COPS?", "\r\n+COPS: 0,0,\"modemrig\",7\r\n\r\nOK\r\n"),
    ("AT+CGDCONT=1,\"IP\",\"a.apn\"", OK),
    ("AT+CGDCONT=3,\"ipv6\",\"six\"", OK),
    ("AT+CGDCONT=4,\"PPP\",\"x\"", ERROR),
    ("AT+CGDCONT?", "\r\n+CGDCONT: 1,\"IP\",\"a.apn\",\"\",0,0\r\n+CGDCONT: 3,\"IPV6\",\"six\",\"\",0,0\r\n\r\nOK\r\n"),
    ("AT+CGACT=1,3", OK),
    ("AT+CGACT?", "\r\n+CGACT: 1,0\r\n+CGACT: 3,1\r\n\r\nOK\r\n"),
    ("AT+CGPADDR=3", "\r\n+CGPADDR: 3,\"10.64.0.4\"\r\n\r\nOK\r\n"),
    ("AT+CGACT=0,3", OK),
    ("AT+CGDCONT=3", OK),
    ("AT+CGACT?", "\r\n+CGACT: 1,0\r\n\r\nOK\r\n"),
    ("AT+CGATT=0", OK),
    ("AT+CGATT?", "\r\n+CGATT: 0\r\n\r\nOK\r\n"),
    ("AT+CGACT=1,1", ERROR),
    ("AT+CGATT=1", OK),
    ("AT+CFUN=4", "\r\nOK\r\n\r\n+CEREG: 0\r\n"),
    ("AT+CSQ", "\r\n+CSQ: 99,99\r\n\r\nOK\r\n"),
    ("AT+COPS?", "\r\n+COPS: 0\r\n\r\nOK\r\n"),
    ("AT+CGATT?", "\r\n+CGATT: 0\r\n\r\nOK\r\n"),
    ("AT+CFUN=0;+CPIN?", ERROR),
    ("AT+CFUN=1", "\r\nOK\r\n\r\n+CEREG: 1\r\n"),
    ("AT+CEREG?", "\r\n+CEREG: 1,1\r\n\r\nOK\r\n"),
    ("AT+CCLK=\"nonsense\"", ERROR),
    ("AT+CCLK=\"26/13/01,00:00:00+00\"", ERROR),
    ("AT+CCLK=\"26/02/03,04:05:06+00\"", OK),
    ("AT+CCLK?", "\r\n+CCLK: \"26/02/03,04:05:06+00\"\r\n\r\nOK\r\n"),
    ("AT+IPR?", "\r\n+IPR: 115200\r\n\r\nOK\r\n"),
    ("AT+IPR=9600", OK),
    ("AT+IPR?", "\r\n+IPR: 9600\r\n\r\nOK\r\n"),
    ("AT+IPR=9601", ERROR),
    // V.250 5.2.1: basic commands stand side by side, an extended one ends with a semicolon.
    ("ATE0V1", OK),
    ("ATE0Q0+CMEE=2;+CMEE?", "\r\n+CMEE: 2\r\n\r\nOK\r\n"),
    ("AT+CMEE=0;E0;+CMEE?", "\r\n+CMEE: 0\r\n\r\nOK\r\n"),
    ("AT+CEREG=0;+XYZ;+CMEE=2", ERROR),
    ("AT+CMEE?", "\r\n+CMEE: 0\r\n\r\nOK\r\n"),
    ("AT+CEREG?", "\r\n+CEREG: 0,1\r\n\r\nOK\r\n"),
    ("AT+CMEE=1", OK),
    ("AT+CMEE=9;+CMEE=2", "\r\n+CME ERROR: 50\r\n"),
    (" AT +CMEE= 0 ; +CMEE?", "\r\n+CMEE: 0\r\n\r\nOK\r\n"),
];

const QUECTEL: &[Row] = &[
    ("AT+QICSGP=1,1,\"apn\",\"\",\"\",1", OK),
    ("AT+QICSGP=1", "\r\n+QICSGP: 1,\"apn\",\"\",\"\",1\r\n\r\nOK\r\n"),
    ("AT+QICSGP=0", ERROR),
    ("AT+QIACT=1", OK),
    ("AT+QIACT?", "\r\n+QIACT: 1,1,1,\"10.64.0.2\"\r\n\r\nOK\r\n"),
    ("AT+QIDEACT=1", OK),
    ("AT+QIACT?", OK),
    ("AT+QIACT=16", ERROR),
    ("AT+QLTS=3", ERROR),
    ("AT+QIDNSCFG=1,\"192.0.2.1\",\"192.0.2.2\"", OK),
    ("AT+QIDNSCFG=1", "\r\n+QIDNSCFG: 1,\"192.0.2.1\",\"192.0.2.2\"\r\n\r\nOK\r\n"),
    ("AT+QURCCFG=\"urcport\"", "\r\n+QURCCFG: \"urcport\",\"usbat\"\r\n\r\nOK\r\n"),
    ("AT+QURCCFG=\"urcport\",\"uart1\"", OK),
    ("AT+QURCCFG=\"urcport\"", "\r\n+QURCCFG: \"urcport\",\"uart1\"\r\n\r\nOK\r\n"),
    ("AT+QURCCFG=\"urcport\",\"moon\"", ERROR),
    ("AT+CICCID", ERROR),
    ("AT+CCERTLIST", ERROR),
];

const SIMCOM: &[Row] = &[
    ("AT+QICSGP=1", ERROR),
    ("AT+QCCID", ERROR),
    ("AT+QPOWD", ERROR),
    ("AT+CSSLCFG=\"authmode\",0,2", OK),
    ("AT+CSSLCFG=\"authmode\",0,3", ERROR),
    ("AT+CSSLCFG=\"authmode\",2,0", ERROR),
    ("AT+CSSLCFG=\"seclevel\",0,0", ERROR),
    ("AT+CCERTLIST", OK),
    ("AT+CCERTDELE=\"none.pem\"", ERROR),
];

#[test]
fn decision_42_commands_beside_mqtt_are_answered_byte_for_byte() {
    everywhere(|dialect, module| {
        let own = if is_quectel(dialect) { QUECTEL } else { SIMCOM };
        for (line, said) in COMMON.iter().chain(own) {
            assert_eq!(*said, module.ask(line, 0.1), "{} {line}", dialect.id);
        }
    });
}

#[test]
fn decision_42_identity_is_said_by_every_name() {
    everywhere(|dialect, module| {
        let said = |module: &mut SimulatedModule, line: &str| {
            let said = module.ask(line, 0.1);
            let text = said.strip_prefix("\r\n").and_then(|rest| rest.strip_suffix("\r\n\r\nOK\r\n"));
            text.unwrap_or_else(|| panic!("{} {line}: {said:?}", dialect.id)).to_owned()
        };
        let about = said(module, "ATI");
        for (name, other) in [("AT+CGMI", "AT+GMI"), ("AT+CGMM", "AT+GMM"), ("AT+CGMR", "AT+GMR")] {
            let value = said(module, name);
            assert!(about.contains(&value), "{} {name}: {value:?} is not in {about:?}", dialect.id);
            assert_eq!(value, said(module, other));
        }
        let imei = said(module, "AT+CGSN");
        assert_eq!((15, imei.clone()), (imei.len(), said(module, "AT+GSN")));
        assert_eq!(format!("+CGSN: \"{imei}\""), said(module, "AT+CGSN=1"), "TS 27.007 5.4");
        assert!(said(module, "AT+CGSN=2").starts_with(&format!("+CGSN: \"{}", &imei[..14])));
        let imsi = said(module, "AT+CIMI");
        assert!(imsi.len() == 15 && imsi.bytes().all(|byte| byte.is_ascii_digit()), "{imsi}");
        let card = if is_quectel(dialect) { "AT+QCCID" } else { "AT+CICCID" };
        assert!(said(module, card).contains("ICCID: 8986") || said(module, card).contains("QCCID: 8986"));
    });
}

/// Cut anywhere, with CR or CR LF, a line is the same line (F16).
#[test]
fn a_command_line_may_come_in_any_pieces() {
    let line = b"AT+CEREG=2;+CEREG?;E0V1\r";
    everywhere(|dialect, module| {
        module.host(line);
        let expected = module.after(0.1);
        assert!(expected.contains("+CEREG: 2,1,\""), "{expected:?}");
        for cut in 0..=line.len() {
            for end in [&b""[..], b"\n"] {
                module.host(&line[..cut]);
                assert!(module.after(3.0).is_empty() || cut == line.len(), "{} at {cut}", dialect.id);
                module.host(&line[cut..]);
                module.host(end);
                let late = module.after(0.1);
                assert!(late == expected || cut == line.len() && late.is_empty(), "{} at {cut}: {late:?}", dialect.id);
            }
        }
    });
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
