//! The commands beside MQTT (decision 42) as V.250 and 3GPP TS 27.007 have a host use them: forms, values, command lines.

use modemrig::dialect::catalogue;
use modemrig::dialect::schema::Form;
use modemrig::dialect::schema::ParamType;

const SIMCOM: &str = "sim7028";

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

use crate::simulated::fits;
use crate::simulated::module;
use crate::simulated::said;

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
