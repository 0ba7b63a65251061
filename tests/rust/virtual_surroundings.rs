//! The commands beside MQTT (decision 42) as V.250 and 3GPP TS 27.007 have a host use them: forms, values, command lines,
//! power. Longer than 400 lines: most are the tables of lines and answers.

use std::collections::BTreeSet;

use modemrig::dialect::catalogue;
use modemrig::dialect::schema::Form;
use modemrig::dialect::schema::ParamType;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::SimulatedModule;

const SIMCOM: &str = "sim7028";

fn module(dialect: &str) -> SimulatedModule {
    let mut module = SimulatedModule::new(&VirtualOptions::new(dialect)).expect("a module");
    module.host(b"ATE0\r");
    module.take_output();
    module
}

/// What is said to a line: the lines that are not empty, joined by `|`.
fn said(module: &mut SimulatedModule, line: &str) -> String {
    let answer = module.ask(line, 0.1);
    answer.split("\r\n").filter(|line| !line.is_empty()).collect::<Vec<_>>().join("|")
}

/// For whom a row of a table is.
#[derive(Clone, Copy, PartialEq)]
enum For {
    All,
    Quectel,
    Simcom,
}
use For::All;
use For::Quectel;
use For::Simcom;

/// In this order on one module: what is sent, what is answered. `*` stands for any text.
const EXCHANGES: &[(For, &str, &str)] = &[
    // V.250
    (All, "AT", "OK"),
    (All, "at", "OK"),
    (All, "aT", "OK"),
    (All, "AT ", "OK"),
    (All, "AT;", "OK"),
    (All, "AT=?", "ERROR"),
    (All, "AT?", "ERROR"),
    (All, "AT1", "ERROR"),
    (All, "ATE0", "OK"),
    (All, "ATE2", "ERROR"),
    (All, "ATE=0", "ERROR"),
    (All, "ATV1", "OK"),
    (All, "ATV2", "ERROR"),
    (All, "ATQ0", "OK"),
    (All, "ATQ", "OK"),
    (All, "ATQ2", "ERROR"),
    (All, "AT&W", "OK"),
    (All, "AT&W0", "OK"),
    (All, "AT&W1", "ERROR"),
    (All, "ATZ", "OK"),
    (All, "ATZ0", "OK"),
    (All, "ATZ1", "ERROR"),
    (All, "AT&F1", "ERROR"),
    (All, "AT&X", "ERROR"),
    (All, "ATX", "ERROR"),
    (All, "ATS3=13", "ERROR"),
    (All, "A/", ""),
    (All, "ATD123;", "ERROR"),
    // Identity: TS 27.007 §5
    (Quectel, "ATI", "Quectel|*|Revision: *|OK"),
    (Simcom, "ATI", "Manufacturer: *|Model: *|Revision: *|IMEI: *|OK"),
    (All, "AT+CGMI=?", "OK"),
    (All, "AT+CGMI?", "ERROR"),
    (All, "AT+CGMI=1", "ERROR"),
    (All, "AT+CGMM", "*|OK"),
    (All, "AT+GMM", "*|OK"),
    (All, "AT+CGMR", "*|OK"),
    (All, "AT+CGSN", "86*|OK"),
    (All, "AT+CGSN=1", "+CGSN: \"86*\"|OK"),
    (All, "AT+CGSN=4", "ERROR"),
    (All, "AT+CGSN=1,1", "ERROR"),
    (All, "AT+CGSN?", "ERROR"),
    (All, "AT+CGSN=?", "OK"),
    (All, "AT+CIMI", "*|OK"),
    (All, "AT+CIMI=1", "ERROR"),
    (Quectel, "AT+QCCID", "+QCCID: 89*|OK"),
    (Simcom, "AT+CICCID", "+ICCID: 89*|OK"),
    (Quectel, "AT+CICCID", "ERROR"),
    (Simcom, "AT+QCCID", "ERROR"),
    // Errors: §9.1
    (All, "AT+CMEE?", "+CMEE: 0|OK"),
    (All, "AT+CMEE=?", "+CMEE: (0-2)|OK"),
    (All, "AT+CMEE=3", "ERROR"),
    (All, "AT+CMEE=-1", "ERROR"),
    (All, "AT+CMEE=\"1\"", "ERROR"),
    (All, "AT+CMEE=1,1", "ERROR"),
    (All, "AT+CMEE=", "ERROR"),
    (All, "AT+CMEE=1", "OK"),
    (All, "AT+CMEE=9", "+CME ERROR: 50"),
    (All, "AT+CMEE=2", "OK"),
    (All, "AT+CMEE?", "+CMEE: 2|OK"),
    (All, "AT+CMEE=9", "+CME ERROR: *arameter*"),
    (All, "AT+CMEE=0", "OK"),
    // SIM, functionality, signal: §8
    (All, "AT+CPIN?", "+CPIN: READY|OK"),
    (All, "AT+CPIN=?", "OK"),
    (All, "AT+CPIN", "ERROR"),
    (All, "AT+CFUN?", "+CFUN: 1|OK"),
    (All, "AT+CFUN=?", "+CFUN: (0,1,4),(0,1)|OK"),
    (All, "AT+CFUN=2", "ERROR"),
    (All, "AT+CFUN=1,2", "ERROR"),
    (All, "AT+CFUN=1,0,0", "ERROR"),
    (All, "AT+CFUN=1,0", "OK"),
    (All, "AT+CSQ", "+CSQ: *,*|OK"),
    (All, "AT+CSQ=?", "+CSQ: (0-31,99),(0-7,99)|OK"),
    (All, "AT+CSQ?", "ERROR"),
    (All, "AT+CSQ=1", "ERROR"),
    // Registration and contexts: §7, §10.1
    (All, "AT+CREG?", "+CREG: 0,1|OK"),
    (All, "AT+CREG=2", "OK"),
    (All, "AT+CREG?", "+CREG: 2,1,\"1A2B\",\"01C3D4E5\",7|OK"),
    (All, "AT+CREG=3", "ERROR"),
    (All, "AT+CGREG=1", "OK"),
    (All, "AT+CGREG?", "+CGREG: 1,1|OK"),
    (All, "AT+CEREG=1,1", "ERROR"),
    (All, "AT+CEREG?", "+CEREG: 0,1|OK"),
    (All, "AT+CEREG", "ERROR"),
    (All, "AT+COPS?", "+COPS: 0,0,\"modemrig\",7|OK"),
    (All, "AT+COPS=0", "ERROR"),
    (All, "AT+CGATT?", "+CGATT: 1|OK"),
    (All, "AT+CGATT=?", "+CGATT: (0,1)|OK"),
    (All, "AT+CGATT=2", "ERROR"),
    (All, "AT+CGATT=0", "OK"),
    (All, "AT+CGATT?", "+CGATT: 0|OK"),
    (All, "AT+CGATT=1", "OK"),
    (All, "AT+CGDCONT=2,\"ipv6\",\"internet\"", "OK"),
    (All, "AT+CGDCONT?", "+CGDCONT: 1,\"IP\",\"\",\"\",0,0|+CGDCONT: 2,\"IPV6\",\"internet\",\"\",0,0|OK"),
    (All, "AT+CGDCONT=2", "OK"),
    (All, "AT+CGDCONT?", "+CGDCONT: 1,\"IP\",\"\",\"\",0,0|OK"),
    (All, "AT+CGDCONT=0,\"IP\",\"a\"", "ERROR"),
    (All, "AT+CGDCONT=16,\"IP\",\"a\"", "ERROR"),
    (All, "AT+CGDCONT=1,\"X25\",\"a\"", "ERROR"),
    (All, "AT+CGDCONT=1,\"IP\",\"a\",\"\",0,0,0", "ERROR"),
    (All, "AT+CGACT=1,1", "OK"),
    (All, "AT+CGACT?", "+CGACT: 1,1|OK"),
    (All, "AT+CGPADDR=1", "+CGPADDR: 1,\"10.64.0.2\"|OK"),
    (All, "AT+CGPADDR", "+CGPADDR: 1,\"10.64.0.2\"|OK"),
    (All, "AT+CGPADDR=16", "ERROR"),
    (All, "AT+CGACT=2,1", "ERROR"),
    (All, "AT+CGACT=0,1", "OK"),
    (All, "AT+CGPADDR=1", "+CGPADDR: 1|OK"),
    (Quectel, "AT+QICSGP=1,1,\"internet\",\"\",\"\",0", "OK"),
    (Quectel, "AT+QICSGP=1", "+QICSGP: 1,\"internet\",\"\",\"\",0|OK"),
    (Quectel, "AT+QICSGP=16,1,\"internet\"", "ERROR"),
    (Quectel, "AT+QICSGP=1,4,\"internet\"", "ERROR"),
    (Quectel, "AT+QICSGP=1,1", "ERROR"),
    (Quectel, "AT+QIACT=1", "OK"),
    (Quectel, "AT+QIACT?", "+QIACT: 1,1,1,\"10.64.0.2\"|OK"),
    (Quectel, "AT+QIACT=0", "ERROR"),
    (Quectel, "AT+QIACT", "ERROR"),
    (Quectel, "AT+QIDEACT=1", "OK"),
    (Quectel, "AT+QIDEACT=16", "ERROR"),
    (Quectel, "AT+QIACT?", "OK"),
    (Quectel, "AT+QIDNSCFG=1,\"192.0.2.1\",\"192.0.2.2\"", "OK"),
    (Quectel, "AT+QIDNSCFG=1", "+QIDNSCFG: 1,\"192.0.2.1\",\"192.0.2.2\"|OK"),
    (Quectel, "AT+QIDNSCFG=0", "ERROR"),
    (Quectel, "AT+QURCCFG=\"urcport\",\"uart1\"", "OK"),
    (Quectel, "AT+QURCCFG=\"URCPORT\"", "+QURCCFG: \"urcport\",\"uart1\"|OK"),
    (Quectel, "AT+QURCCFG=\"urcport\",\"lpt1\"", "ERROR"),
    (Quectel, "AT+QURCCFG=\"urc\"", "ERROR"),
    // Clock: §8.15
    (All, "AT+CCLK?", "+CCLK: \"26/01/01,00:0*+00\"|OK"),
    (All, "AT+CCLK=\"26/02/28,23:59:00+08\"", "OK"),
    (All, "AT+CCLK?", "+CCLK: \"26/02/28,21:59:00+00\"|OK"),
    (All, "AT+CCLK=\"26/13/01,00:00:00\"", "ERROR"),
    (All, "AT+CCLK=\"26/02/31,00:00:00\"", "ERROR"),
    (All, "AT+CCLK=\"26/02/28,24:00:00\"", "ERROR"),
    (All, "AT+CCLK=\"26/02/28,23:59:00+99\"", "ERROR"),
    (All, "AT+CCLK=\"26/02/28,23:59:0012\"", "ERROR"),
    (All, "AT+CCLK=\"noon\"", "ERROR"),
    (All, "AT+CCLK=1", "ERROR"),
    (All, "AT+CCLK=?", "OK"),
    (Quectel, "AT+QLTS", "+QLTS: \"2026/01/01,00:0*+00,0\"|OK"),
    (Quectel, "AT+QLTS=2", "+QLTS: \"2026/01/01,00:0*|OK"),
    (Quectel, "AT+QLTS=3", "ERROR"),
    // Port
    (All, "AT+IPR?", "+IPR: 115200|OK"),
    (All, "AT+IPR=9600", "OK"),
    (All, "AT+IPR?", "+IPR: 9600|OK"),
    (All, "AT+IPR=9601", "ERROR"),
    (All, "AT+IPR", "ERROR"),
    // Files and TLS contexts
    (Quectel, "AT+QFLST", "OK"),
    (Quectel, "AT+QFDEL=\"nothing\"", "ERROR"),
    (Quectel, "AT+QFDEL", "ERROR"),
    (Quectel, "AT+QFUPL=\"a\",0", "ERROR"),
    (Quectel, "AT+QFUPL=\"a\",1,0", "ERROR"),
    (Quectel, "AT+QFUPL=\"a\",1,1,2", "ERROR"),
    (Quectel, "AT+QFUPL=\"\",1", "ERROR"),
    (Quectel, "AT+QFUPL=\"a\",1,1,0,0", "ERROR"),
    (Quectel, "AT+QSSLCFG=\"seclevel\",5,2", "OK"),
    (Quectel, "AT+QSSLCFG=\"seclevel\",5", "+QSSLCFG: \"seclevel\",5,2|OK"),
    (Quectel, "AT+QSSLCFG=\"seclevel\",6,2", "ERROR"),
    (Quectel, "AT+QSSLCFG=\"seclevel\",0,3", "ERROR"),
    (Quectel, "AT+QSSLCFG=\"seclevel\",0,1,1", "ERROR"),
    (Simcom, "AT+CCERTLIST", "OK"),
    (Simcom, "AT+CCERTLIST?", "ERROR"),
    (Simcom, "AT+CCERTDELE=\"nothing.pem\"", "ERROR"),
    (Simcom, "AT+CCERTDELE=\"a\"", "ERROR"),
    (Simcom, "AT+CCERTDOWN=\"a.pem\",0", "ERROR"),
    (Simcom, "AT+CCERTDOWN=\"a.pem\",10241", "ERROR"),
    (Simcom, "AT+CCERTDOWN=\"a\",1", "ERROR"),
    (Simcom, "AT+CCERTDOWN=\"a.pem\"", "ERROR"),
    (Simcom, "AT+CSSLCFG=\"authmode\",1,2", "OK"),
    (Simcom, "AT+CSSLCFG=\"authmode\",2,2", "ERROR"),
    (Simcom, "AT+CSSLCFG=\"authmode\",1,3", "ERROR"),
    (Simcom, "AT+CSSLCFG=\"authmode\",1,1,1", "ERROR"),
    // Power: how it is not done
    (Quectel, "AT+QPOWD=?", "+QPOWD: (0,1)|OK"),
    (Quectel, "AT+QPOWD=2", "ERROR"),
    (Quectel, "AT+QPOWD?", "ERROR"),
    (All, "AT+CPOF=1", "ERROR"),
    (All, "AT+CRESET?", "ERROR"),
];

/// Whether a text is what `*` leaves open.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|head| text.strip_prefix(head)) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn decision_42_every_command_is_answered_as_v_250_and_ts_27_007_say() {
    let mut wrong = Vec::new();
    for dialect in catalogue().ids() {
        let mut module = module(dialect);
        let maker = if dialect == SIMCOM { Simcom } else { Quectel };
        for (whose, line, expected) in EXCHANGES.iter().filter(|(whose, ..)| [All, maker].contains(whose)) {
            let answer = said(&mut module, line);
            if !fits(expected, &answer) {
                wrong.push(format!("{dialect}: {line} -> {answer:?}, not {expected:?}"));
            }
            assert!(*whose == All || *whose == maker);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn decision_42_forms_that_a_command_has_not_and_values_out_of_range_are_error_for_each_of_them() {
    for dialect in catalogue().dialects() {
        let mut module = module(&dialect.id);
        for (name, command) in &dialect.surroundings {
            let extended = name.starts_with("AT+");
            for (form, suffix) in [(Form::Test, "=?"), (Form::Read, "?"), (Form::Execute, ""), (Form::Write, "=1")] {
                if extended && !command.forms.contains(&form) {
                    assert_eq!("ERROR", said(&mut module, &format!("{name}{suffix}")), "{} {name}", dialect.id);
                }
            }
            if extended && command.forms.contains(&Form::Test) {
                let reply: String = command.test_reply.iter().map(|line| format!("{line}|")).collect();
                assert_eq!(format!("{reply}OK"), said(&mut module, &format!("{name}=?")), "{} {name}", dialect.id);
            }
            for variant in command.variants.values().filter(|variant| !variant.params.is_empty()) {
                let most = variant.params.len();
                let key = variant.key.iter().map(|key| format!("\"{key}\","));
                let head = if extended { format!("{name}={}", key.collect::<String>()) } else { name.clone() };
                if extended && variant.repeat.is_empty() {
                    let surplus = vec!["1"; most + 1].join(",");
                    assert_eq!("ERROR", said(&mut module, &format!("{head}{surplus}")), "{} {name}", dialect.id);
                }
                let first = &command.params[&variant.params[0]];
                if first.r#type == ParamType::Int {
                    for number in [first.max.unwrap_or(98) + 1, 7_777_777] {
                        let known = first.values.contains_key(&number.to_string());
                        let in_range =
                            first.min.is_some_and(|min| min <= number) && first.max.is_none_or(|max| number <= max);
                        if !known && !in_range {
                            let line = format!("{head}{number}");
                            assert_eq!("ERROR", said(&mut module, &line), "{} {line}", dialect.id);
                        }
                    }
                }
            }
        }
        assert_eq!("OK", said(&mut module, "AT"));
    }
}

#[test]
fn v_250_at_is_answered_within_20_ms() {
    for dialect in catalogue().ids() {
        let mut module = module(dialect);
        module.host(b"AT\r");
        assert!(module.until(b"\r\nOK\r\n", std::time::Duration::from_millis(20)).is_some(), "{dialect}");
    }
}

#[test]
fn v_250_5_2_command_lines_in_every_form_a_host_may_write() {
    for dialect in catalogue().ids() {
        let mut plain = module(dialect);
        let csq = plain.ask("AT+CSQ", 0.1);
        let creg = plain.ask("AT+CREG?", 0.1);
        let lines: &[&str] = &[
            "at+csq",
            "At+Csq",
            "AT +CSQ",
            "AT+CSQ ",
            "  AT+CSQ",
            "AT;+CSQ",
            "AT+CSQ;",
            "ATE0+CSQ",
            "ATE0;+CSQ",
            "atv1q0e0+csq",
        ];
        for line in lines {
            assert_eq!(csq, module(dialect).ask(line, 0.1), "{dialect} {line}");
        }
        let both = module(dialect).ask("ATE0V1;+CSQ;+CREG?", 0.1);
        let lines =
            |text: &str| text.split("\r\n").filter(|one| !one.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let expected = [lines(&csq)[0].clone(), lines(&creg)[0].clone(), "OK".into()];
        assert_eq!(expected.to_vec(), lines(&both), "{dialect}: one final result");
        let stopped = module(dialect).ask("ATE0;+CSQ;+CSQ=9;+CREG?", 0.1);
        assert_eq!(vec![lines(&csq)[0].clone(), "ERROR".into()], lines(&stopped), "{dialect}: an error stops the rest");
        // CR LF, and CR with the LF behind the answer.
        let mut ends = module(dialect);
        ends.host(b"AT+CSQ\r\n");
        assert_eq!(csq, ends.after(0.1), "{dialect}");
        ends.host(b"\nAT+CSQ\r\n");
        assert_eq!(csq, ends.after(0.1), "{dialect}");
    }
}

#[test]
fn v_250_5_2_1_a_line_that_comes_in_pieces_with_pauses_is_the_same_line() {
    let line = b"AT+CSQ;+CREG?\r";
    for dialect in catalogue().ids() {
        let whole = module(dialect).ask("AT+CSQ;+CREG?", 0.1);
        for cut in 1..line.len() {
            let mut module = module(dialect);
            module.host(&line[..cut]);
            assert_eq!("", module.after(7.0), "{dialect}, cut at {cut}");
            module.host(&line[cut..]);
            assert_eq!(whole, module.after(0.1), "{dialect}, cut at {cut}");
        }
    }
}

#[test]
fn v_250_6_2_echo_verbosity_and_silence() {
    for dialect in catalogue().ids() {
        let mut module = module(dialect);
        assert_eq!("0\r", module.ask("ATV0", 0.1), "{dialect}");
        assert_eq!("0\r", module.ask("AT", 0.1), "{dialect}");
        assert_eq!("4\r", module.ask("AT+NOTHING", 0.1), "{dialect}");
        let csq = module.ask("AT+CSQ", 0.1);
        assert!(csq.starts_with("+CSQ: ") && csq.ends_with("\r\n0\r"), "{dialect}: {csq:?}");
        assert_eq!("", module.ask("ATQ1", 0.1), "{dialect}");
        assert_eq!("", module.ask("AT+NOTHING", 0.1), "{dialect}");
        assert_eq!("0\r", module.ask("ATQ0", 0.1), "{dialect}");
        assert_eq!("\r\nOK\r\n", module.ask("ATV1", 0.1), "{dialect}");
        assert_eq!("\r\nOK\r\n", module.ask("ATE1", 0.1), "{dialect}");
        assert_eq!("AT\r\r\nOK\r\n", module.ask("AT", 0.1), "{dialect}");
        assert_eq!("ATE\r\r\nOK\r\n", module.ask("ATE", 0.1), "{dialect}: a letter alone is 0");
        assert_eq!("\r\nOK\r\n", module.ask("AT", 0.1), "{dialect}");
    }
}

#[test]
fn a_late_result_of_a_command_before_an_error_of_the_same_line_still_comes() {
    let mut quectel = module("lte_standard_a");
    let answer = said(&mut quectel, "AT+QMTOPEN=0,\"a.example\",1883;+CSQ=9");
    assert_eq!("ERROR|+QMTOPEN: 0,0", answer);
    let mut simcom = module(SIMCOM);
    assert_eq!("ERROR|+CMQTTSTART: 0", said(&mut simcom, "AT+CMQTTSTART;+CSQ=9;+CREG?"));
}

#[test]
fn section_2_sim7028_takes_559_characters_and_39_commands() {
    let mut module = module(SIMCOM);
    let limits = &catalogue().get(SIMCOM).expect("it is there").limits;
    assert_eq!((Some(559), Some(39)), (limits.line_len, limits.line_commands));
    let commands = |count: usize| format!("AT{}", vec!["+CFUN?"; count].join(";"));
    assert_eq!(39, said(&mut module, &commands(39)).matches("+CFUN: 1").count());
    assert_eq!("ERROR", said(&mut module, &commands(40)));
    // What counts is what stands behind AT.
    let line = |length: usize| format!("AT+CSQ{}", " ".repeat(length - 5)) + ";";
    assert_eq!("OK", said(&mut module, &line(559)).rsplit('|').next().unwrap_or_default());
    assert_eq!("ERROR", said(&mut module, &line(560)));
}

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

/// Commands of real modules that no virtual one has.
const FOREIGN: &[&str] = &[
    "QIOPEN",
    "QISEND",
    "QIRD",
    "QICLOSE",
    "QISTATE",
    "QPING",
    "QNTP",
    "QHTTPCFG",
    "QHTTPURL",
    "QHTTPGET",
    "QHTTPPOST",
    "QFTPOPEN",
    "QFTPCFG",
    "QSSLOPEN",
    "QSSLSEND",
    "QSSLRECV",
    "QGPS",
    "QGPSLOC",
    "QGPSEND",
    "QCFG",
    "QNWINFO",
    "QENG",
    "QCSQ",
    "QSPN",
    "QSCLK",
    "QADC",
    "QTEMP",
    "QFOTADL",
    "QPRTPARA",
    "QFOPEN",
    "QFREAD",
    "QFWRITE",
    "QFCLOSE",
    "QLWM2M",
    "CMGF",
    "CMGS",
    "CMGR",
    "CMGL",
    "CMGD",
    "CNMI",
    "CSCA",
    "CPMS",
    "CPBR",
    "CPBW",
    "CLCC",
    "CLIP",
    "CCFC",
    "CHLD",
    "VTS",
    "CPWD",
    "CLCK",
    "CRSM",
    "CSIM",
    "CPAS",
    "CBC",
    "CGEREP",
    "CGQREQ",
    "CPSMS",
    "CEDRXS",
    "CSCLK",
    "CIPSTART",
    "CIPSEND",
    "CIPCLOSE",
    "CIPSHUT",
    "CIICR",
    "CIFSR",
    "HTTPINIT",
    "HTTPPARA",
    "HTTPACTION",
    "NETOPEN",
    "NETCLOSE",
    "CDNSGIP",
    "CNTP",
    "NSOCR",
    "NSOST",
    "NSORF",
    "NCONFIG",
    "NUESTATS",
    "NRB",
    "NBAND",
    "NPING",
    "NCDP",
    "NMGS",
    "SQNSCFG",
    "UMQTT",
    "MIPOPEN",
];

/// What a module knows of itself, as far as it can be asked.
fn everything(module: &mut SimulatedModule, dialect: &modemrig::dialect::Dialect) -> Vec<String> {
    let mut answers = Vec::new();
    for (name, command) in dialect.commands.iter().chain(&dialect.surroundings) {
        // The clock goes on by itself.
        if command.forms.contains(&Form::Read) && name != "AT+CCLK" {
            answers.push(format!("{name}? {}", said(module, &format!("{name}?"))));
        }
        for (key, variant) in &command.variants {
            if let (Some(key), true) = (&variant.key, variant.query.is_some() && !key.is_empty()) {
                answers.push(format!("{key} {}", said(module, &format!("{name}=\"{key}\",0"))));
            }
        }
    }
    answers
}

#[test]
fn two_hundred_commands_that_nobody_catalogued_get_error_and_change_nothing() {
    for dialect in catalogue().dialects() {
        // Those of other makers, and those one letter away from what the module knows.
        let own = dialect.commands.keys().chain(dialect.surroundings.keys()).filter(|name| name.starts_with("AT+"));
        let near =
            own.flat_map(|name| [format!("{name}Q"), name[..name.len() - 1].to_owned(), name.replace("AT+", "AT+X")]);
        let far = FOREIGN.iter().map(|name| format!("AT+{name}"));
        let numbered = (0..200).map(|number| format!("AT+N{number}"));
        let names: BTreeSet<String> = far
            .chain(near)
            .chain(numbered)
            .filter(|name| dialect.entry(&name[2..]).is_none() && name.len() > 4)
            .collect();
        assert!(names.len() >= 300, "{}: {}", dialect.id, names.len());
        for (errors, expected) in
            [("0", "ERROR"), ("1", if dialect.id == "bc35g_bc28" { "+CME ERROR: 4" } else { "*ERROR*" })]
        {
            let mut module = module(&dialect.id);
            said(&mut module, &format!("AT+CMEE={errors}"));
            let before = everything(&mut module, dialect);
            assert!(before.len() > 8, "{}: {before:?}", dialect.id);
            for name in &names {
                for line in [name.clone(), format!("{name}?"), format!("{name}=?"), format!("{name}=1,\"a\"")] {
                    let answer = said(&mut module, &line);
                    assert!(fits(expected, &answer), "{} with CMEE {errors}: {line} -> {answer:?}", dialect.id);
                }
            }
            assert_eq!(before, everything(&mut module, dialect), "{}", dialect.id);
            assert_eq!(0, module.network().broker.record().len());
        }
    }
}
