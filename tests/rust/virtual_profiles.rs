//! The profiles: who their modules are, that they take all that their documents' modules take, and what programs in the field
//! say to them beside MQTT.

use modemrig::dialect::catalogue;
use modemrig::virtual_module::profiles::PROFILES;

use crate::simulated::fits;
use crate::simulated::module;
use crate::simulated::said;

/// Profiles, what a program sends, what is answered. `*` stands for any text.
const EXCHANGES: &[(&[&str], &str, &str)] = &[
    (QUECTEL, "AT+CSQ", "+CSQ: *|OK"),
    (QUECTEL, "AT+QCSQ", "+QCSQ: \"*|OK"),
    (QUECTEL, "AT+QNWINFO", "+QNWINFO: \"*|OK"),
    (QUECTEL, "AT+QENG=\"servingcell\"", "+QENG: \"servingcell\",*|OK"),
    (QUECTEL, "AT+QSPN", "+QSPN: *|OK"),
    (QUECTEL, "AT+COPS=0", "OK"),
    (QUECTEL, "AT+COPS?", "+COPS: 0,0,\"*|OK"),
    (QUECTEL, "AT+QCFG=\"nwscanmode\",0", "OK"),
    (QUECTEL, "AT+QCFG=\"NWSCANSEQ\",020301", "OK"),
    (QUECTEL, "AT+QCFG=\"iotopmode\",2,1", "OK"),
    (QUECTEL, "AT+QCFG=\"band\",0,4,80000", "OK"),
    (QUECTEL, "AT+QCFG=\"nwscanmode\"", "+QCFG: \"nwscanmode\",0|OK"),
    (QUECTEL, "AT+QSCLK=1", "OK"),
    (QUECTEL, "AT+QSCLK=0", "OK"),
    (QUECTEL, "AT+CPSMS=0", "OK"),
    (QUECTEL, "AT+CEDRXS=0,5", "OK"),
    (QUECTEL, "AT+CTZU=1", "OK"),
    (QUECTEL, "AT+CTZR=0", "OK"),
    (QUECTEL, "AT+CMGF=1", "OK"),
    (QUECTEL, "AT+CNMI=2,1,0,0,0", "OK"),
    (QUECTEL, "AT+CSCS=\"GSM\"", "OK"),
    (QUECTEL, "AT+CBC", "+CBC: *|OK"),
    (QUECTEL, "AT+QINISTAT", "+QINISTAT: 7|OK"),
    (QUECTEL, "AT+QINDCFG=\"all\",0", "OK"),
    (QUECTEL, "AT+QSIMSTAT?", "+QSIMSTAT: 0,1|OK"),
    (QUECTEL, "AT+IFC=0,0", "OK"),
    (QUECTEL, "AT&D0", "OK"),
    (QUECTEL, "ATX4", "OK"),
    (QUECTEL, "ATH", "OK"),
    (QUECTEL, "AT&V", "&C*|OK"),
    (QUECTEL, "AT+GSN", "*|OK"),
    (QUECTEL, "AT+CGSN=1", "+CGSN: \"*|OK"),
    (QUECTEL, "AT+QCCID", "+QCCID: *|OK"),
    (QUECTEL, "AT+CCID", "+QCCID: *|OK"),
    (QUECTEL, "AT+ICCID", "+QCCID: *|OK"),
    (QUECTEL, "AT+QGMR", "*|OK"),
    (QUECTEL, "AT+QURCCFG=\"urcport\",\"uart1\"", "OK"),
    (QUECTEL, "AT+CGATT?", "+CGATT: 1|OK"),
    (QUECTEL, "AT+CEREG?", "+CEREG: 0,1|OK"),
    (QUECTEL, "AT+QICSGP=1,1,\"internet\",\"\",\"\",0", "OK"),
    (QUECTEL, "AT+COPS=3,0", "OK"),
    (QUECTEL, "AT+CEREG=5", "OK"),
    (QUECTEL, "AT+CEREG=0", "OK"),
    (QUECTEL, "AT+CPMS=\"ME\",\"ME\",\"ME\"", "+CPMS: *|OK"),
    (QUECTEL, "AT+CMGD=1,4", "OK"),
    (QUECTEL, "AT+CPAS", "+CPAS: 0|OK"),
    (QUECTEL, "AT+QIGETERROR", "+QIGETERROR: 0,*|OK"),
    (QUECTEL, "AT+QISTATE?", "OK"),
    (QUECTEL, "AT+QTEMP", "+QTEMP: *|OK"),
    (QUECTEL, "ATS0=0", "OK"),
    (QUECTEL, "AT+QSSLCFG=\"checkhost\",2,0", "OK"),
    (QUECTEL, "AT+QSSLCFG=\"negotiatetime\",2", "+QSSLCFG: \"negotiatetime\",2,300|OK"),
    (QUECTEL, "AT+NOSUCH?", "ERROR"),
    (&["ec801e"], "AT+CGMR", "EC801E*|OK"),
    (&["ec801e"], "AT+QSCLKEX=1,10,30", "OK"),
    (LTE, "AT+QSSLCFG=\"sslversion\",2,4;+QSSLCFG=\"ciphersuite\",2,0xFFFF;+QSSLCFG=\"seclevel\",2,0", "OK"),
    (LTE, "AT+QMTCFG=\"dataformat\",0,0,1", "OK"),
    (LTE, "AT+QMTCFG=\"SSL\",0,0", "OK"),
    (LTE, "AT+QMTPUBEX=?", "*|OK"),
    (LTE, "AT+QMTPUB=?", "*|OK"),
    (LTE, "AT+QMTRECV?", "*OK"),
    (&["bg95"], "AT+QNWINFO", "+QNWINFO: \"eMTC\",*|OK"),
    (&["bg95"], "AT+QGMR", "BG95*|OK"),
    (NB_IOT, "AT+NCONFIG=AUTOCONNECT,TRUE", "OK"),
    (NB_IOT, "AT+NCONFIG?", "+NCONFIG: AUTOCONNECT,TRUE|*|OK"),
    (NB_IOT, "AT+NBAND?", "+NBAND: 5|OK"),
    (NB_IOT, "AT+NBAND=5,8", "OK"),
    (NB_IOT, "AT+CSCON=1", "OK"),
    (NB_IOT, "AT+NUESTATS", "Signal power:*|OK"),
    (NB_IOT, "AT+QREGSWT=2", "OK"),
    (NB_IOT, "AT+NCCID", "+*|OK"),
];

const QUECTEL: &[&str] = &["ec200u", "ec600s", "ec20x", "ec801e", "bg95", "bc95", "bc20"];
const LTE: &[&str] = &["ec200u", "ec600s", "ec20x", "ec801e", "bg95"];
const NB_IOT: &[&str] = &["bc95", "bc20"];
const INLINE: &[&str] = &["bg95", "bc95", "bc20"];

#[test]
fn what_programs_say_beside_mqtt_is_answered() {
    let mut wrong = Vec::new();
    for profile in QUECTEL {
        let mut module = module(profile);
        for (_, line, expected) in EXCHANGES.iter().filter(|(whose, ..)| whose.contains(profile)) {
            let answer = said(&mut module, line);
            // These leave the blank behind a colon out.
            let expected = if *profile == "bc95" { expected.replace(": ", ":") } else { (*expected).to_owned() };
            if !fits(&expected, &answer) {
                wrong.push(format!("{profile}: {line} -> {answer:?}, not {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The shapes that programs in the field send, on a connected client: `tests/data/wire-shapes.toml`, `[[host]]`, and more.
const SESSION: &[(&[&str], &str, &str)] = &[
    (LTE, "AT+QMTSUB=0,0,\"a\",0", "OK|+QMTSUB: 0,0,0,0"),
    (QUECTEL, "at+qmtsub= 0,1,\"b\",0", "OK|+QMTSUB: 0,1,0,0"),
    (QUECTEL, "AT+QMTUNS=0,2,b", "OK|+QMTUNS: 0,2,0"),
    (INLINE, "AT+QMTPUB=0,0,0,0,\"c\",\"{\"k\":1,\"s\":\"x, y\"}\"", "OK|+QMTPUB: 0,0,0"),
    (&["bg95"], "AT+QMTPUBEX=0,3,1,0,\"c\",\"{\"k\":1,\"s\":\"x, y\"}\"", "OK|+QMTPUB: 0,3,0"),
    (QUECTEL, "AT+QMTPUB=0,4,1,0,c", ">"),
    (QUECTEL, "21.5\u{1a}", "OK|+QMTPUB: 0,4,0"),
    (LTE, "AT+QMTPUBEX=0,0,0,0,c,4", ">"),
    (LTE, "21.5\u{1a}", "OK|+QMTPUB*: 0,0,0"),
    (QUECTEL, "AT+QMTCONN?", "+QMTCONN: 0,3|OK"),
    (QUECTEL, "AT+QMTDISC=0", "OK|+QMTDISC: 0,0*"),
];

#[test]
fn what_programs_say_in_a_session_is_taken() {
    let mut wrong = Vec::new();
    for profile in QUECTEL {
        let mut module = module(profile);
        for line in ["ATE0", "AT+QMTOPEN=0,\"broker.example\",\"1883\"", "AT+QMTCONN=0,7"] {
            assert!(module.ask(line, 2.0).contains("OK"), "{profile}: {line}");
        }
        for (_, line, expected) in SESSION.iter().filter(|(whose, ..)| whose.contains(profile)) {
            let answer = module.ask(line, 2.0).replace("\r\n\r\n", "|").replace("\r\n", "");
            if !fits(expected, answer.trim()) {
                wrong.push(format!("{profile}: {line} -> {answer:?}, not {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_host_finds_the_document_by_what_a_module_says_of_itself() {
    for profile in PROFILES.iter() {
        let mut module = module(profile.name);
        let answer = said(&mut module, "ATI");
        let lines: Vec<&str> = answer.split('|').collect();
        let found = catalogue().detect(&lines).dialect.map(|dialect| dialect.id.as_str());
        assert_eq!(Some(profile.dialect.as_str()), found, "{}: {lines:?}", profile.name);
    }
}

#[test]
fn a_profile_keeps_every_command_of_its_document() {
    for profile in PROFILES.iter() {
        let document = catalogue().get(&profile.dialect).expect("built in");
        let mut module = module(profile.name);
        for (name, command) in document.commands.iter().filter(|(_, command)| !command.test_reply.is_empty()) {
            let answer = said(&mut module, &format!("{name}=?"));
            assert!(answer.ends_with("|OK"), "{}: {name}=? -> {answer}, not {:?}", profile.name, command.test_reply);
        }
    }
}
