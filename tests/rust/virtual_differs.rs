//! A virtual module that differs from its document: each class of fact is the data's, so that a difference in the data is one
//! in the answer and in nothing else. What is wrong with a difference is said with its line and key.

use modemrig::dialect::catalogue;
use modemrig::mqtt::Qos;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::SimulatedModule;

use crate::simulated::module;
use crate::simulated::quiet;
use crate::simulated::said;

const LTE: &str = "lte_standard_a";
const BC35: &str = "bc35g_bc28";
const SIM: &str = "sim7028";

/// Class of fact, dialect, difference, lines before, the line that shows it; what the document and what the difference makes
/// of it.
type Row = (&'static str, &'static str, &'static str, &'static [&'static str], &'static str, [&'static str; 2]);

const OPEN: &str = "AT+QMTOPEN=0,\"a.example\",1883";
const CONN: &str = "AT+QMTCONN=0,\"me\"";
const ONLINE: &[&str] = &[OPEN, CONN];

/// A command that a module answers and does nothing for.
const BAND: &str = "[surroundings.\"AT+QBAND\"]\ntitle = \"Bands.\"\nforms = []\nsource = \"decision 42\"\nbasis = \"decided\"\n\
    answers = { '' = ['+QBAND: 3'], '?' = ['+QBAND: 1', '+QBAND: 2'], '=\"lte\"' = ['+QBAND: LTE'], '=*' = [] }";

const ROWS: &[Row] = &[
    ("answers: execute form", LTE, BAND, &[], "AT+QBAND", ["ERROR", "+QBAND: 3|OK"]),
    ("answers: read form", LTE, BAND, &[], "at+qband?", ["ERROR", "+QBAND: 1|+QBAND: 2|OK"]),
    ("answers: a write form of its own", LTE, BAND, &[], "AT+QBAND= \"LTE\"", ["ERROR", "+QBAND: LTE|OK"]),
    ("answers: any other write form", LTE, BAND, &[], "AT+QBAND=7,\"x\"", ["ERROR", "OK"]),
    (
        "answers: lines behind OK",
        SIM,
        "[surroundings.\"AT+NETOPEN\"]\ntitle = \"Opens the network.\"\nforms = []\nsource = \"decision 42\"\nbasis = \"decided\"\n\
            answers = { '' = ['OK', '+NETOPEN: 0'] }",
        &[],
        "AT+NETOPEN",
        ["ERROR", "OK|+NETOPEN: 0"],
    ),
    (
        "clients",
        SIM,
        "clients = 2\n[commands.\"AT+CMQTTACCQ\".params]\nclient_index = { max = 1 }\nclientid = { default = \"\", default_source = \"decided\" }",
        &["AT+CMQTTSTART", "AT+CMQTTACCQ=1,\"me\",0"],
        "AT+CMQTTACCQ?",
        ["OK", "+CMQTTACCQ: 0,\"\",0|+CMQTTACCQ: 1,\"me\",0|OK"],
    ),
    ("answers: a form it has not", LTE, BAND, &[], "AT+QBAND=?", ["ERROR", "ERROR"]),
    (
        "test_reply",
        LTE,
        "[commands.\"AT+QMTOPEN\"]\ntest_reply = [\"+QMTOPEN: (0-4)\"]",
        &[],
        "AT+QMTOPEN=?",
        ["+QMTOPEN: (0-5),\"hostname\",(1-65535)|OK", "+QMTOPEN: (0-4)|OK"],
    ),
    ("forms", LTE, "[commands.\"AT+QMTOPEN\"]\nforms = [\"read\", \"write\"]", &[], "AT+QMTOPEN=?", ["*|OK", "ERROR"]),
    (
        "max",
        LTE,
        "[commands.\"AT+QMTCFG\".params]\npkt_timeout = { max = 59 }",
        &[],
        "AT+QMTCFG=\"timeout\",0,60,3,0",
        ["OK", "ERROR"],
    ),
    (
        "min",
        LTE,
        "[commands.\"AT+QMTCFG\".params]\npkt_timeout = { min = 0 }",
        &[],
        "AT+QMTCFG=\"timeout\",0,0,3,0",
        ["ERROR", "OK"],
    ),
    (
        "a limit taken away",
        LTE,
        "[commands.\"AT+QMTCFG\".params.pkt_timeout]\nremove = [\"max\"]",
        &[],
        "AT+QMTCFG=\"timeout\",0,9999,3,0",
        ["ERROR", "OK"],
    ),
    (
        "a further value",
        LTE,
        "[commands.\"AT+QMTCFG\".params]\nvsn.values = { 5 = \"MQTT 5\" }",
        &[],
        "AT+QMTCFG=\"version\",0,5",
        ["ERROR", "OK"],
    ),
    (
        "a value taken away",
        LTE,
        "[commands.\"AT+QMTCFG\".params.vsn.values]\nremove = [\"4\"]",
        &[],
        "AT+QMTCFG=\"version\",0,4",
        ["OK", "ERROR"],
    ),
    (
        "default",
        LTE,
        "[commands.\"AT+QMTCFG\".params]\nvsn = { default = \"4\" }",
        &[],
        "AT+QMTCFG=\"version\",0",
        ["+QMTCFG: \"version\",3|OK", "+QMTCFG: \"version\",4|OK"],
    ),
    (
        "min_len",
        LTE,
        "[commands.\"AT+QMTCFG\".params]\nwilltopic = { min_len = 3 }",
        &[],
        "AT+QMTCFG=\"will\",0,1,0,0,\"ab\",\"\"",
        ["OK", "ERROR"],
    ),
    (
        "max_len",
        LTE,
        "[commands.\"AT+QMTCFG\".params]\nwilltopic = { max_len = 1 }",
        &[],
        "AT+QMTCFG=\"will\",0,1,0,0,\"ab\",\"\"",
        ["OK", "ERROR"],
    ),
    (
        "type",
        LTE,
        "[commands.\"AT+QMTCFG\".params]\nproduct_id = { type = \"int\" }",
        &[],
        "AT+QMTCFG=\"onenet\",0,\"a\",\"b\"",
        ["OK", "ERROR"],
    ),
    (
        "counts",
        LTE,
        "[commands.\"AT+QMTCFG\".variants]\ntimeout = { counts = [1, 3, 4] }",
        &[],
        "AT+QMTCFG=\"timeout\",0,9,9",
        ["ERROR", "OK"],
    ),
    (
        "counts_when",
        LTE,
        "[commands.\"AT+QMTCFG\".variants.will.counts_when]\n\"will_fg=1\" = [2, 6]",
        &[],
        "AT+QMTCFG=\"will\",0,1",
        ["ERROR", "OK"],
    ),
    (
        "a variant taken away",
        LTE,
        "[commands.\"AT+QMTCFG\".variants]\nremove = [\"session\"]",
        &[],
        "AT+QMTCFG=\"session\",0,1",
        ["OK", "ERROR"],
    ),
    (
        "key",
        LTE,
        "[commands.\"AT+QMTCFG\".variants]\nsession = { key = \"clean\" }",
        &[],
        "AT+QMTCFG=\"clean\",0,1",
        ["ERROR", "OK"],
    ),
    (
        "order of parameters",
        LTE,
        "[commands.\"AT+QMTCFG\".variants]\ntimeout.query = [\"retry_times\", \"pkt_timeout\"]",
        &[],
        "AT+QMTCFG=\"timeout\",0",
        ["+QMTCFG: \"timeout\",5,3,0|OK", "+QMTCFG: \"timeout\",3,5|OK"],
    ),
    (
        "forbid",
        LTE,
        "[commands.\"AT+QMTPUBEX\".variants.write]\nforbid = []",
        ONLINE,
        "AT+QMTPUBEX=0,0,1,0,\"t\",3",
        ["ERROR", "> "],
    ),
    (
        "repeat",
        LTE,
        "[commands.\"AT+QMTSUB\".variants.write]\nrepeat = []",
        ONLINE,
        "AT+QMTSUB=0,1,\"a\",0,\"b\",0",
        ["OK|+QMTSUB: 0,1,0,0,0", "ERROR"],
    ),
    ("payload_len", LTE, "[limits]\npayload_len = 1499", ONLINE, "AT+QMTPUBEX=0,0,0,0,\"t\",1500", ["> ", "ERROR"]),
    ("line_len", SIM, "[limits]\nline_len = 10", &[], "AT+CMQTTSTART", ["OK|+CMQTTSTART: 0", "ERROR"]),
    ("line_commands", SIM, "[limits]\nline_commands = 1", &[], "AT+CSQ;+CSQ", ["+CSQ: 24,99|+CSQ: 24,99|OK", "ERROR"]),
    ("clients", LTE, "clients = 5", &[], "AT+QMTCFG=\"version\",5,4", ["OK", "ERROR"]),
    (
        "a client too many for its number",
        LTE,
        "[commands.\"AT+QMTCFG\".params]\nclient_idx = { max = 6 }",
        &[],
        "AT+QMTCFG=\"version\",6,4",
        ["ERROR", "ERROR"],
    ),
    (
        "read_reply",
        LTE,
        "[commands.\"AT+QMTOPEN\"]\nread_reply = [[\"client_idx\", \"port\", \"host_name\"]]",
        ONLINE,
        "AT+QMTOPEN?",
        ["+QMTOPEN: 0,\"a.example\",1883|OK", "+QMTOPEN: 0,1883,\"a.example\"|OK"],
    ),
    (
        "read_reply",
        BC35,
        "[commands.\"AT+QMTCONN\"]\nread_reply = [[\"state\"]]",
        ONLINE,
        "AT+QMTCONN?",
        ["+QMTCONN: 0,3|OK", "+QMTCONN: 3|OK"],
    ),
    (
        "read_reply",
        SIM,
        "[commands.\"AT+CMQTTACCQ\"]\nread_reply = [[\"client_index\", \"clientid\"]]",
        &["AT+CMQTTSTART", "AT+CMQTTACCQ=0,\"me\",1"],
        "AT+CMQTTACCQ?",
        ["+CMQTTACCQ: 0,\"me\",1|OK", "+CMQTTACCQ: 0,\"me\"|OK"],
    ),
    (
        "default",
        SIM,
        "[commands.\"AT+CMQTTCFG\".params]\noptimeout_val = { default = \"60\" }",
        &["AT+CMQTTSTART", "AT+CMQTTACCQ=0,\"me\",0"],
        "AT+CMQTTCFG?",
        ["+CMQTTCFG: 0,1,120|OK", "+CMQTTCFG: 0,1,60|OK"],
    ),
    (
        "a command taken away",
        LTE,
        "[commands]\nremove = [\"AT+QMTRECV\"]",
        ONLINE,
        "AT+QMTRECV?",
        ["+QMTRECV: 0,0,0,0,0,0|OK", "ERROR"],
    ),
];

fn differing(dialect: &str, differs: &str) -> SimulatedModule {
    quiet(&VirtualOptions { differs: Some(differs.to_owned()), ..VirtualOptions::new(dialect) })
}

fn shown(mut module: SimulatedModule, before: &[&str], line: &str) -> String {
    for line in before {
        module.ask(line, 1.0);
    }
    said(&mut module, line)
}

#[test]
fn every_class_of_fact_is_the_datas() {
    for (what, dialect, differs, before, line, [documented, different]) in ROWS {
        let answers = [shown(module(dialect), before, line), shown(differing(dialect, differs), before, line)];
        for (pattern, answer) in [documented, different].into_iter().zip(&answers) {
            assert!(crate::simulated::fits(pattern, answer), "{what} of {dialect}: {line} got {answer}, not {pattern}");
        }
    }
}

#[test]
fn the_window_is_the_datas() {
    for (differs, refused) in [("", 6), ("[limits]\nwindow = 2", 3)] {
        let mut module = differing(LTE, differs);
        for line in ONLINE {
            module.ask(line, 1.0);
        }
        module.inject("ack_lost:kind=puback").expect("a fault");
        let publish = |id: u16| format!("AT+QMTPUBEX=0,{id},1,0,\"t\",1");
        let first = (1..9).find(|id| {
            let answer = module.ask(&publish(*id), 0.1);
            module.host(b"x");
            module.after(0.1);
            answer.contains("ERROR")
        });
        assert_eq!(Some(refused), first, "{differs}");
    }
}

#[test]
fn the_slots_are_the_datas() {
    for (differs, slots) in [("", 5), ("[limits]\nslots = 3", 3)] {
        let mut module = differing(LTE, differs);
        for line in ["AT+QMTCFG=\"recv/mode\",0,1,0", OPEN, CONN, "AT+QMTSUB=0,1,\"t\",0"] {
            module.ask(line, 1.0);
        }
        for _ in 0..6 {
            let now = module.network().now();
            module.network().broker.publish("t", b"x", Qos::AtMostOnce, false, now);
        }
        module.after(1.0);
        assert_eq!(6 - slots, module.dropped_messages(0), "{differs}");
        let flags = (0..5).map(|slot| if slot < slots { ",1" } else { ",0" }).collect::<String>();
        assert_eq!(format!("+QMTRECV: 0{flags}|OK"), said(&mut module, "AT+QMTRECV?"));
    }
}

#[test]
fn what_is_wrong_with_a_difference_is_said_with_line_and_key() {
    for (differs, told) in [
        (
            "[commands.\"AT+QMTCFG\"]\n\nform = []",
            "cannot be used: differs.toml, line 3, key `commands.AT+QMTCFG`: unknown field",
        ),
        ("id = \"x\"", "cannot be used: differs.toml, line 1, key `id`: a difference cannot change this"),
        ("\nparent = \"sim7028\"", "cannot be used: differs.toml, line 2, key `parent`: "),
        (
            "[commands]\nremove = [\"AT+X\"]",
            "cannot be used: differs.toml, line 2, key `commands`: `remove` names `AT+X`",
        ),
        ("commands = 3", "cannot be used: differs.toml, line 1"),
        ("[commands", "cannot be used: differs.toml, line 1"),
        (
            "[commands.\"AT+QMTCFG\".params]\npkt_timeout.min = 61",
            "key `commands.AT+QMTCFG.params.pkt_timeout`: the smallest value 61 is above the largest 60",
        ),
        (
            "[surroundings.\"AT+CSQ\"]\nforms = []\nanswers = { 'x' = [] }",
            "key `surroundings.AT+CSQ.answers`: behind a name stands nothing, `?` or `=…`, not `x`",
        ),
        ("[surroundings.\"AT+CSQ\"]\nanswers = { '' = [] }", "a command with `answers` has no `forms`"),
    ] {
        let options = VirtualOptions { differs: Some(differs.to_owned()), ..VirtualOptions::new(LTE) };
        let error = SimulatedModule::new(&options).err().expect(differs).to_string();
        assert!(error.contains(told), "{error}\nnot {told}");
    }
}

#[test]
fn the_document_stays_as_it_is() {
    let mut different = differing(LTE, "clients = 2");
    assert_eq!("ERROR", said(&mut different, "AT+QMTCFG=\"version\",2,4"));
    assert_eq!(6, catalogue().get(LTE).expect("built in").clients);
}

/// What no document allows reaches the service behind the check of values: it is refused or taken, whatever it is.
#[test]
fn no_difference_makes_a_module_panic() {
    let loose = "[commands.\"AT+QMTSUB\".variants]\nwrite = { required = 1, counts = [1, 2, 3] }\n\
        [commands.\"AT+QMTUNS\".variants]\nwrite = { required = 1, counts = [1, 2] }\n\
        [commands.\"AT+QMTCONN\".variants]\nwrite = { required = 1, counts = [1, 2] }\n\
        [commands.\"AT+QMTPUBEX\".variants]\nwrite = { required = 1, counts = [1, 2, 3, 4, 5, 6], forbid = [] }\n\
        [commands.\"AT+QMTPUBEX\".params]\nlength = { min = 0, max = 9999 }\nqos = { max = 9 }\n\
        client_idx = { max = 300 }\n[commands.\"AT+QMTCFG\".params]\nclient_idx = { min = -1, max = 300 }\n\
        will_qos = { max = 9 }\nkeep_alive_time = { min = -1, max = 99999 }";
    let mut module = differing(LTE, loose);
    for line in [
        "AT+QMTCFG=\"version\",300,4",
        "AT+QMTCFG=\"version\",-1,4",
        "AT+QMTCFG=\"keepalive\",0,99999",
        "AT+QMTCFG=\"will\",0,1,3,0,\"t\",\"\"",
        "AT+QMTCONN=0",
        OPEN,
        "AT+QMTCONN=0",
        CONN,
        "AT+QMTSUB=0",
        "AT+QMTSUB=0,1",
        "AT+QMTSUB=0,1,\"t\"",
        "AT+QMTUNS=0",
        "AT+QMTUNS=0,1",
        "AT+QMTPUBEX=0",
        "AT+QMTPUBEX=0,1,3,0,\"t\",3",
        "AT+QMTPUBEX=299,1,1,0,\"t\",3",
        "AT+QMTPUBEX=0,1,1,0,\"t\",0",
        "x\u{1a}",
    ] {
        module.ask(line, 1.0);
    }
    module.after(200.0);
    assert_eq!("OK", said(&mut module, "AT"));
}
