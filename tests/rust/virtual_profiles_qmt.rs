//! What programs in the field say to Quectel's MQTT commands, as their modules take it: settings, blanks, quotation marks and
//! identifiers of many kinds. Whole programs are in `tests/hosts`.

use modemrig::mqtt::Packet;
use modemrig::virtual_module::simulation::SimulatedModule;

use crate::simulated::fits;
use crate::simulated::module;
use crate::simulated::said;

const LTE: &[&str] = &["ec200u", "ec600s", "ec20x", "ec801e", "bg95"];
const NB_IOT: &[&str] = &["bc95", "bc20"];
const ALL: &[&str] = &["ec200u", "ec600s", "ec20x", "ec801e", "bg95", "bc95", "bc20"];

/// Profiles, a line, what is answered. `*` stands for any text.
type Row = (&'static [&'static str], &'static str, &'static str);

/// While a client is closed.
const SETTINGS: &[Row] = &[
    (ALL, "AT+QMTCFG=\"version\",0,4", "OK"),
    (ALL, "AT+QMTCFG=\"VERSION\",0,4", "OK"),
    (ALL, "AT+QMTCFG= \"version\", 0, 4 ", "OK"),
    (ALL, "at+qmtcfg=\"keepalive\",0,3600", "OK"),
    (ALL, "AT+QMTCFG=\"session\",0,1", "OK"),
    (ALL, "AT+QMTCFG=\"timeout\",0,30,3,0", "OK"),
    (ALL, "AT+QMTCFG=\"will\",0", "+QMTCFG: \"will\",0|OK"),
    (ALL, "AT+QMTCFG=\"will\",0,1,1,0,\"gone\",\"{\"serial\":\"7\",\"link\":0}\"", "OK"),
    (LTE, "AT+QMTCFG=\"pdpcid\",0", "+QMTCFG: \"pdpcid\",1|OK"),
    (LTE, "AT+QMTCFG=\"pdpcid\",0,1", "OK"),
    (LTE, "AT+QMTCFG=\"recv/mode\",0,1", "OK"),
    (LTE, "AT+QMTCFG=\"recv/mode\",0,0,1", "OK"),
    (LTE, "AT+QMTCFG=\"recv/mode\",1,1,0", "OK"),
    (LTE, "AT+QMTCFG=\"qmtping\",0,60", "OK"),
    (LTE, "AT+QMTCFG=\"send/mode\",1,0", "OK"),
    (LTE, "AT+QMTCFG=\"dataformat\",1,0,0", "OK"),
    (LTE, "AT+QMTCFG=\"SSL\",0,1,2", "OK"),
    (LTE, "AT+QMTCFG=\"ssl\",0,0", "OK"),
    (LTE, "AT+QSSLCFG=\"ciphersuite\",0,\"0xFFFF\"", "OK"),
    (ALL, "AT+CESQ", "+CESQ:*99,99,255,255,20,60|OK"),
    (ALL, "AT+CGCONTRDP=1", "+CGCONTRDP:*1,5,*|OK"),
    (NB_IOT, "AT+QGACT=1,1,\"apn\",\"internet\"", "OK"),
    (NB_IOT, "AT+QCGDEFCONT=\"IP\",\"internet\"", "OK"),
    (NB_IOT, "AT+QMTCFG=\"version\",0,1", "OK"),
    (NB_IOT, "AT+QMTCFG=\"echomode\",0,0", "OK"),
    (NB_IOT, "AT+QMTCFG=\"SHOWRECVLEN\",0,1", "OK"),
    (NB_IOT, "AT+QMTCFG=\"dataformat\",0,0,0", "OK"),
];

/// Ways to open, to connect and to leave, one after the other.
const SESSION: &[Row] = &[
    (ALL, "AT+QMTOPEN=0, hub.example, 1883", "OK|+QMTOPEN: 0,0"),
    (ALL, "AT+QMTCLOSE=0 ", "OK|+QMTCLOSE: 0,0"),
    (ALL, "AT+QMTOPEN=0,\"hub.example\",\"1883\"", "OK|+QMTOPEN: 0,0"),
    (ALL, "AT+QMTCONN=0,0", "OK|+QMTCONN: 0,0,0"),
    (ALL, "AT+QMTCONN?", "+QMTCONN: 0,3|OK"),
    (ALL, "AT+QMTDISC=0", "OK|+QMTDISC: 0,0*"),
    (ALL, "AT+QMTOPEN=0,\"hub.example\",1883 ", "OK|+QMTOPEN: 0,0"),
    (ALL, "AT+QMTCONN=0, \"dev-7\", \"u\", \"s3\"", "OK|+QMTCONN: 0,0,0"),
    (ALL, "AT+QMTSUB=0,1,\"a\",1", "OK|+QMTSUB: 0,1,0,1"),
    (ALL, "AT+QMTSUB=0,1,b/c,2", "OK|+QMTSUB: 0,1,0,2"),
    (ALL, "AT+QMTUNS=0,1,b/c", "OK|+QMTUNS: 0,1,0"),
    (LTE, "AT+QMTSUB=0,0,\"a\",0", "OK|+QMTSUB: 0,0,0,0"),
    (LTE, "AT+QMTUNS=0,0,\"a\"", "OK|+QMTUNS: 0,0,0"),
    (NB_IOT, "AT+QMTUNS=0,9,\"a\"", "OK|+QMTUNS: 0,9,0"),
];

/// What asks for a payload, how it is typed, the line that says that it left, and what the broker got.
const TYPED: &[(&[&str], &str, &str, &str, &str)] = &[
    (ALL, "AT+QMTPUB=0,0,0,0,\"t\"", "21.5\x1a", "OK|+QMTPUB: 0,0,0", "21.5"),
    (ALL, "AT+QMTPUB=0,0,0,0,t", "21.5\x1a", "OK|+QMTPUB: 0,0,0", "21.5"),
    (ALL, "AT+QMTPUB=0,7,1,0,\"t\",4", "21.5", "OK|+QMTPUB: 0,7,0", "21.5"),
    (LTE, "AT+QMTPUB=0,0,1,0,\"t\",4", "21.5", "OK|+QMTPUB: 0,0,0", "21.5"),
    (
        &["ec200u", "ec600s", "ec20x", "ec801e"],
        "AT+QMTPUBEX=0,0,1,0,\"t\",4",
        "21.5\x1a",
        "OK|+QMTPUBEX: 0,0,0",
        "21.5",
    ),
    (&["ec200u", "ec600s", "ec20x", "ec801e"], "AT+QMTPUBEX=0,0,0,0,t,\"4\"", "21.5", "OK|+QMTPUBEX: 0,0,0", "21.5"),
    (&["bg95"], "AT+QMTPUBEX=0,7,1,0,\"t\",4", "21.5", "OK|+QMTPUB: 0,7,0", "21.5"),
];

/// Messages in the command line.
const INLINE: &[(&[&str], &str, &str, &str)] = &[
    (NB_IOT, "AT+QMTPUB=0,0,0,0,t,9,{\"a\":1.5}", "OK|+QMTPUB: 0,0,0", "{\"a\":1.5}"),
    (&["bg95", "bc95", "bc20"], "AT+QMTPUB=0,7,1,0,\"t\",\"21.5\"", "OK|+QMTPUB: 0,7,0", "21.5"),
    (
        &["bg95", "bc95", "bc20"],
        "AT+QMTPUB=0,0,0,0,\"t\",{\"a\":1,\"b\":\"x\"}",
        "OK|+QMTPUB: 0,0,0",
        "{\"a\":1,\"b\":\"x\"}",
    ),
    (&["bg95", "bc95", "bc20"], "AT+QMTPUB=0,0,0,1,\"t\",\"{\\\"a\\\":1}\"", "OK|+QMTPUB: 0,0,0", "{\\\"a\\\":1}"),
    (
        &["bg95"],
        "AT+QMTPUBEX=0,1,1,0,\"t\",\"{\"k\":1,\"s\":\"x, y\"}\"",
        "OK|+QMTPUB: 0,1,0",
        "{\"k\":1,\"s\":\"x, y\"}",
    ),
    (&["bg95"], "AT+QMTPUBEX=0,0,0,0,\"t\",\"\"", "OK|+QMTPUB: 0,0,0", ""),
];

fn answered(module: &mut SimulatedModule, line: &str) -> String {
    let said = module.ask(line, 2.0);
    said.split("\r\n").filter(|line| !line.is_empty()).collect::<Vec<_>>().join("|")
}

/// The payload that the broker got last.
fn got(module: &mut SimulatedModule) -> String {
    let network = module.network();
    let payloads = network.broker.record().filter_map(|row| match &row.packet {
        Packet::Publish(publish) => Some(String::from_utf8_lossy(&publish.payload).into_owned()),
        _ => None,
    });
    payloads.last().unwrap_or_default()
}

#[test]
fn lines_of_programs_in_the_field_are_taken() {
    let mut wrong = Vec::new();
    for profile in ALL {
        let mut device = module(profile);
        let mut expect = |line: &str, expected: &str, answer: String| {
            if !fits(expected, &answer) {
                wrong.push(format!("{profile}: {line} -> {answer:?}, not {expected:?}"));
            }
        };
        for (_, line, expected) in SETTINGS.iter().filter(|row| row.0.contains(profile)) {
            expect(line, expected, said(&mut device, line));
        }
        let mut device = module(profile);
        for (_, line, expected) in SESSION.iter().filter(|row| row.0.contains(profile)) {
            let answer = answered(&mut device, line);
            expect(line, expected, answer);
        }
        for (_, line, typed, expected, payload) in TYPED.iter().filter(|row| row.0.contains(profile)) {
            expect(line, "> ", answered(&mut device, line));
            device.host(typed.as_bytes());
            let answer = answered(&mut device, "");
            expect(line, expected, answer);
            expect(line, payload, got(&mut device));
        }
        for (_, line, expected, payload) in INLINE.iter().filter(|row| row.0.contains(profile)) {
            let answer = answered(&mut device, line);
            expect(line, expected, answer);
            assert_eq!(*payload, got(&mut device), "{profile}: {line}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The settings of NB-IoT modules do what they say.
#[test]
fn a_length_and_hexadecimal_digits_are_shown_where_a_setting_asks_for_them() {
    let mut device = module("bc20");
    for line in [
        "AT+QMTCFG=\"showrecvlen\",0,1",
        "AT+QMTCFG=\"dataformat\",0,1,1",
        "AT+QMTCFG=\"version\",0,1",
        "AT+QMTOPEN=0,\"hub.example\",1883",
        "AT+QMTCONN=0,\"dev-7\"",
        "AT+QMTSUB=0,1,\"t\",0",
    ] {
        assert!(answered(&mut device, line).starts_with("OK"), "{line}");
    }
    assert_eq!("> ", answered(&mut device, "AT+QMTPUB=0,0,0,0,\"t\",2"));
    device.host(b"6f6B");
    assert_eq!("OK|+QMTPUB: 0,0,0|+QMTRECV: 0,0,\"t\",2,\"6F6B\"", answered(&mut device, ""));
    let network = device.network();
    let levels: Vec<_> = network
        .broker
        .record()
        .filter_map(|row| match &row.packet {
            Packet::Connect(connect) => Some(connect.level),
            _ => None,
        })
        .collect();
    assert_eq!(vec![modemrig::mqtt::Level::V311], levels);
}

/// Sketches restart a module and wait for its SIM and its address.
#[test]
fn a_bc26_that_is_restarted_says_when_its_card_and_its_network_are_there() {
    let mut device = module("bc20");
    let said = device.ask("AT+QRST=1", 20.0);
    let at = |text: &str| said.find(text).unwrap_or_else(|| panic!("{text}: {said}"));
    let places = ["RDY", "+CPIN: READY", "+IP: 10.64.0.2"].map(at);
    assert!(places.is_sorted(), "{said}");
    assert!(answered(&mut device, "ATE0").ends_with("OK"));
    assert!(answered(&mut device, "AT+CGPADDR=1").starts_with("+CGPADDR: 1"));
}

/// What a stored message looks like, and how it is read: by its slot.
#[test]
fn a_bg95_says_where_a_message_is_and_gives_it_with_its_length() {
    let mut device = module("bg95");
    for line in [
        "AT+QMTCFG=\"recv/mode\",0,1,1",
        "AT+QMTOPEN=0,\"hub.example\",1883",
        "AT+QMTCONN=0,\"dev-7\"",
        "AT+QMTSUB=0,1,\"t\",0",
    ] {
        assert!(answered(&mut device, line).starts_with("OK"), "{line}");
    }
    let publish = "AT+QMTPUBEX=0,0,0,0,\"t\",\"one\"";
    assert_eq!("OK|+QMTPUB: 0,0,0|+QMTRECV: 0,0", answered(&mut device, publish));
    assert_eq!("OK|+QMTPUB: 0,0,0|+QMTRECV: 0,1", answered(&mut device, publish));
    assert_eq!("+QMTRECV: 0,1,1,0,0,0|OK", answered(&mut device, "AT+QMTRECV?"));
    assert_eq!("+QMTRECV: 0,0,\"t\",3,\"one\"|OK", answered(&mut device, "AT+QMTRECV=0,1"));
    assert_eq!("+QMTRECV: 0,1,0,0,0,0|OK", answered(&mut device, "AT+QMTRECV?"));
}
