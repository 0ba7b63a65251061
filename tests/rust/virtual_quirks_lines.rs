//! The quirks of lines: in which order, form and number `OK`, results and prompts come, byte for byte. Played by
//! `virtual_quirks`.

use modemrig::dialect::grammar;
use modemrig::mqtt::Qos;
use modemrig::proto::Op;
use modemrig::proto::Told;
use modemrig::virtual_module::Conditions;
use modemrig::virtual_module::Registration;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::SimulatedModule;

use crate::simulated::quiet;
use crate::virtual_quirks::Proof;
use crate::virtual_quirks::acquired;
use crate::virtual_quirks::online;

const LTE: &str = "lte_standard_a";
const BC35: &str = "bc35g_bc28";
const SIM: &str = "sim7028";

const OPEN: &str = "AT+QMTOPEN=0,\"a.example\",1883";
const CONN: &str = "AT+QMTCONN=0,\"me\"";
const CONNECT: &str = "AT+CMQTTCONNECT=0,\"tcp://a.example\",60,1";

pub const PROOFS: &[Proof] = &[
    ("gap:ms=600", LTE, |module| {
        let early = module.ask(OPEN, 0.599);
        early == "\r\nOK\r\n" && module.after(0.002) == "\r\n+QMTOPEN: 0,0\r\n"
    }),
    ("gap:ms=0", SIM, |module| module.ask("AT+CMQTTSTART", 0.0) == "\r\nOK\r\n\r\n+CMQTTSTART: 0\r\n"),
    ("result_before_ok", LTE, |module| module.ask(OPEN, 1.0) == "\r\n+QMTOPEN: 0,0\r\n\r\nOK\r\n"),
    // Result and OK are there, and the module knows it: the next command of a host that saw either is taken.
    ("result_before_ok", SIM, |module| {
        let started = module.ask("AT+CMQTTSTART", 1.0) == "\r\n+CMQTTSTART: 0\r\n\r\nOK\r\n";
        module.ask("AT+CMQTTACCQ=0,\"me\",0", 1.0);
        let connected = module.ask(CONNECT, 1.0) == "\r\n+CMQTTCONNECT: 0,0\r\n\r\nOK\r\n";
        let left = module.ask("AT+CMQTTDISC=0,60", 1.0) == "\r\n+CMQTTDISC: 0,0\r\n\r\nOK\r\n";
        started && connected && left && module.ask("AT+CMQTTREL=0", 1.0) == "\r\nOK\r\n"
    }),
    ("result_before_ok:command=AT+CMQTTSTOP", SIM, |module| {
        let started = module.ask("AT+CMQTTSTART", 1.0) == "\r\nOK\r\n\r\n+CMQTTSTART: 0\r\n";
        started && module.ask("AT+CMQTTSTOP", 1.0) == "\r\n+CMQTTSTOP: 0\r\n\r\nOK\r\n"
    }),
    // A result that takes its time takes OK with it, and what the host sends meanwhile is kept.
    ("result_before_ok", BC35, |module| {
        online(module);
        module.inject("ack_lost:kind=suback").expect("a fault");
        let early = module.ask("AT+QMTSUB=0,1,\"t\",0", 1.0);
        let late = module.ask("AT", 60.0);
        early.is_empty() && late == "\r\n+QMTSUB: 0,1,2\r\n\r\nOK\r\n\r\nOK\r\n"
    }),
    // Its connection is gone: nothing else will come of it.
    ("result_before_ok", LTE, |module| {
        online(module);
        module.inject("ack_lost:kind=suback").expect("a fault");
        let early = module.ask("AT+QMTSUB=0,1,\"t\",0", 1.0);
        module.network().end_all(false);
        early.is_empty() && module.after(0.1) == "\r\n+QMTSTAT: 0,1\r\n\r\nOK\r\n"
    }),
    ("ok_missing", LTE, |module| {
        let open = module.ask(OPEN, 1.0) == "\r\n+QMTOPEN: 0,0\r\n";
        open && module.ask(CONN, 1.0) == "\r\n+QMTCONN: 0,0,0\r\n" && module.ask("AT", 0.0) == "\r\nOK\r\n"
    }),
    ("ok_missing:command=CMQTTSTART", SIM, |module| {
        let started = module.ask("AT+CMQTTSTART", 1.0) == "\r\n+CMQTTSTART: 0\r\n";
        started && module.ask("AT+CMQTTSTOP", 1.0) == "\r\nOK\r\n\r\n+CMQTTSTOP: 0\r\n"
    }),
    ("urc_before_result", LTE, |module| module.ask(OPEN, 1.0) == "\r\nOK\r\n\r\n+CREG: 1\r\n\r\n+QMTOPEN: 0,0\r\n"),
    ("urc_before_result:text='*PSUTTZ: 1,2'", SIM, |module| {
        module.ask("AT+CMQTTSTART", 1.0) == "\r\nOK\r\n\r\n*PSUTTZ: 1,2\r\n\r\n+CMQTTSTART: 0\r\n"
    }),
    ("failure_with_error", LTE, |module| {
        module.network().broker.policy.refuse_with = Some(5);
        let open = module.ask(OPEN, 1.0) == "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n";
        open && module.ask(CONN, 1.0) == "\r\n+QMTCONN: 0,0,5\r\n\r\n+QMTSTAT: 0,4\r\n\r\nERROR\r\n"
    }),
    ("failure_with_error:command=AT+CMQTTCONNECT", SIM, |module| {
        acquired(module);
        let line = "AT+CMQTTCONNECT=0,\"tcp://a.invalid\",60,1";
        module.ask(line, 1.0) == "\r\n+CMQTTCONNECT: 0,25\r\n\r\nERROR\r\n"
    }),
    ("surplus_ok", LTE, |module| {
        module.network().broker.policy.refuse_with = Some(5);
        let refused = module.ask(CONN, 1.0) == "\r\nERROR\r\n";
        module.ask(OPEN, 1.0);
        refused && module.ask(CONN, 1.0).ends_with("+QMTCONN: 0,0,5\r\n\r\nOK\r\n\r\n+QMTSTAT: 0,4\r\n")
    }),
    ("surplus_ok", SIM, |module| {
        acquired(module);
        module.ask("AT+CMQTTDISC=0,60", 1.0) == "\r\n+CMQTTDISC: 0,11\r\n\r\nERROR\r\n\r\nOK\r\n"
    }),
    ("surplus_ok:ms=50,command=AT+CMQTTCONNECT", SIM, |module| {
        acquired(module);
        let early = module.ask("AT+CMQTTCONNECT=0,\"tcp://a.invalid\",60,1", 0.049);
        let late = module.after(0.1);
        early == "\r\nOK\r\n\r\n+CMQTTCONNECT: 0,25\r\n" && late == "\r\nOK\r\n"
    }),
    ("result_twice", LTE, |module| module.ask(OPEN, 1.0) == "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n\r\n+QMTOPEN: 0,0\r\n"),
    ("result_twice:command=AT+CMQTTSTART", SIM, |module| {
        let started = module.ask("AT+CMQTTSTART", 1.0);
        let stopped = module.ask("AT+CMQTTSTOP", 1.0);
        started.ends_with("+CMQTTSTART: 0\r\n\r\n+CMQTTSTART: 0\r\n") && stopped == "\r\nOK\r\n\r\n+CMQTTSTOP: 0\r\n"
    }),
    ("lines_glued", LTE, |module| {
        module.network().broker.policy.refuse_with = Some(5);
        module.ask(OPEN, 1.0);
        module.ask(CONN, 1.0) == "\r\nOK\r\n\r\n+QMTCONN: 0,0,5+QMTSTAT: 0,4\r\n"
    }),
    ("boot_text", LTE, |module| restarts_with(module, "\r\nRDY\r\n\r\n+CFUN: 1\r\n\r\n+CPIN: READY\r\n")),
    ("boot_text:style=bc_rom", BC35, |module| {
        restarts_with(module, "\r\nF1: 0000 0000\r\nV0: 0000 0000 [0001]\r\n")
            && restarts_with_end(module, "T0: 0000 00B4\r\nLeaving the BROM\r\n\r\nRDY\r\n")
    }),
    ("boot_text:style=bg", LTE, |module| restarts_with_end(module, "\r\nRDY\r\n\r\nAPP RDY\r\n")),
    ("boot_text:style=neul", BC35, |module| restarts_with_end(module, "\r\nNeul\r\n\r\nOK\r\n")),
    ("boot_text", SIM, |module| restarts_with(module, "\r\n*ATREADY: 1\r\n\r\n+CPIN: READY\r\n\r\nSMS DONE\r\n")),
    ("boot_text:style=none", SIM, |module| module.ask("AT+CRESET", 5.0) == "\r\nOK\r\n"),
    ("pdp_loss_told", LTE, |module| {
        online(module);
        module.set_conditions(elsewhere()).expect("conditions");
        module.after(1.0) == "\r\n+QIURC: \"pdpdeact\",1\r\n\r\n+QMTSTAT: 0,7\r\n"
    }),
    ("pdp_loss_told", SIM, |module| {
        acquired(module);
        module.ask(CONNECT, 1.0);
        module.set_conditions(elsewhere()).expect("conditions");
        module.after(1.0) == "\r\n+CMQTTNONET\r\n\r\n+CMQTTCONNLOST: 0,3\r\n"
    }),
    // Not where the host itself asked for it.
    ("pdp_loss_told", LTE, |module| {
        module.ask("AT+QIACT=1", 0.1);
        module.inject("pdp_lost:context=1").expect("a fault");
        let lost = module.after(1.0);
        module.ask("AT+QIACT=1", 0.1);
        lost == "\r\n+QIURC: \"pdpdeact\",1\r\n" && module.ask("AT+QIDEACT=1", 0.1) == "\r\nOK\r\n"
    }),
    ("power_down_word", LTE, |module| {
        module.power_off().expect("off");
        module.after(1.0) == "\r\nPOWERED DOWN\r\n"
    }),
    ("power_down_word:text='NORMAL POWER DOWN'", LTE, |module| {
        module.ask("AT+QPOWD=0", 1.0) == "\r\nOK\r\n\r\nNORMAL POWER DOWN\r\n"
    }),
    ("prompt_bare", LTE, |module| {
        online(module);
        module.ask("AT+QMTPUBEX=0,0,0,0,\"t\",2", 1.0) == "\r\n>"
    }),
    ("prompt_bare", SIM, |module| {
        acquired(module);
        module.ask("AT+CMQTTTOPIC=0,1", 1.0) == "\r\n>"
    }),
    ("payload_echoed", LTE, |module| {
        online(module);
        module.ask("ATE1", 1.0);
        let line = "AT+QMTPUBEX=0,0,0,0,\"t\",4";
        let asked = module.ask(line, 1.0) == format!("{line}\r\r\n> ");
        module.host(b"OK\r\n");
        let shown = module.after(1.0) == "OK\r\n\r\nOK\r\n\r\n+QMTPUBEX: 0,0,0\r\n";
        module.ask("ATE0", 1.0);
        module.ask(line, 1.0);
        module.host(b"OK\r\n");
        asked && shown && module.after(1.0) == "\r\nOK\r\n\r\n+QMTPUBEX: 0,0,0\r\n"
    }),
    ("payload_echoed", SIM, |module| {
        acquired(module);
        module.ask("ATE1;+CMQTTTOPIC=0,1", 1.0);
        module.host(b"t");
        module.after(1.0) == "t\r\nOK\r\n"
    }),
    ("errors_numbered", LTE, |module| {
        let read = module.ask("AT+CMEE?", 0.1) == "\r\n+CMEE: 1\r\n\r\nOK\r\n";
        read && module.ask(CONN, 0.1) == "\r\n+CME ERROR: 3\r\n" && module.ask("AT+CMEE=9", 0.1).contains("ERROR: 50")
    }),
    ("errors_numbered", SIM, |module| {
        let stopped = module.ask("AT+CMQTTSTOP", 0.1) == "\r\n+CME ERROR: 3\r\n";
        module.ask("AT+CMEE=0", 0.1);
        stopped && module.ask("AT+CMQTTSTOP", 0.1) == "\r\nERROR\r\n"
    }),
    ("errors_in_words", SIM, |module| {
        let first = module.ask("AT+CMQTTSTOP", 0.1) == "\r\n+CME ERROR: operation not allowed\r\n";
        module.ask("AT+CMEE=0", 0.1);
        module.ask("AT+CRESET", 5.0);
        module.ask("ATE0", 0.1);
        first && module.ask("AT+CMQTTSTOP", 0.1) == "\r\n+CME ERROR: operation not allowed\r\n"
    }),
    ("errors_in_words", BC35, |module| module.ask(CONN, 0.1) == "\r\n+CME ERROR: operation not allowed\r\n"),
    ("numeric_results", LTE, |module| {
        let open = module.ask(OPEN, 1.0) == "0\r\r\n+QMTOPEN: 0,0\r\n";
        module.ask("ATV1", 0.1);
        let words = module.ask("AT", 0.1) == "\r\nOK\r\n";
        module.ask("AT&F", 0.1);
        module.ask("ATE0", 0.1);
        open && words && module.ask("AT+XYZ", 0.1) == "4\r"
    }),
    ("numeric_results", SIM, |module| {
        module.ask("ATV1", 0.1);
        module.ask("AT+CRESET", 5.0);
        module.ask("AT+CMQTTSTART", 1.0) == "AT+CMQTTSTART\r0\r\r\n+CMQTTSTART: 0\r\n"
    }),
];

fn restart(module: &mut SimulatedModule) -> String {
    module.ask("AT+CFUN=1,1", 5.0).replacen("\r\nOK\r\n", "", 1)
}

fn restarts_with(module: &mut SimulatedModule, text: &str) -> bool {
    restart(module).starts_with(text)
}

fn restarts_with_end(module: &mut SimulatedModule, text: &str) -> bool {
    restart(module).ends_with(text)
}

fn elsewhere() -> Conditions {
    Conditions { registration: Registration::Searching, ..Conditions::default() }
}

#[test]
fn a_line_tells_of_its_request_and_whether_it_failed() {
    let told = |line: &str| Told::by(line.as_bytes(), grammar::any());
    let result = |op, client, msgid, failed| Some(Told::Result { op, client, msgid, failed });
    assert_eq!(result(Op::Open, Some(1), None, false), told("+QMTOPEN: 1,0"));
    assert_eq!(result(Op::Connect, Some(0), None, true), told("+QMTCONN: 0,0,5"));
    assert_eq!(result(Op::Publish, Some(0), Some(7), true), told("+QMTPUBEX: 0,7,2"));
    assert_eq!(result(Op::Start, None, None, true), told("+CMQTTSTART: 23"));
    assert_eq!(Some(Told::Lost(3)), told("+QMTSTAT: 3,1"));
    for line in ["+QMTPUBEX: 0,7,1,2", "+QMTRECV: 0,0,\"t\",\"x\"", "+CREG: 1", "RDY", "+QMTOPEN: x"] {
        assert_eq!(None, told(line), "{line}");
    }
}

fn with(quirks: &[&str], speed: f64) -> SimulatedModule {
    let quirks = quirks.iter().map(|quirk| (*quirk).to_owned()).collect();
    quiet(&VirtualOptions { quirks, speed, ..VirtualOptions::new(LTE) })
}

/// Hosts need real milliseconds (F23).
#[test]
fn a_gap_is_not_shortened_by_speed_and_changes_while_the_module_runs() {
    let mut module = with(&["gap:ms=250"], 100.0);
    assert_eq!("\r\nOK\r\n", module.ask(OPEN, 0.249));
    assert_eq!("\r\n+QMTOPEN: 0,0\r\n", module.after(0.002));
    module.quirk("gap:ms=1000").expect("a quirk");
    assert_eq!("\r\nOK\r\n", module.ask(CONN, 0.999));
    assert_eq!("\r\n+QMTCONN: 0,0,0\r\n", module.after(0.002));
    module.clear_quirk(Some("gap")).expect("a quirk");
    assert_eq!("\r\nOK\r\n\r\n+QMTDISC: 0,0\r\n", module.ask("AT+QMTDISC=0", 0.021));
}

/// What waits for its result ends with its host, and with its module.
#[test]
fn a_command_that_waits_for_its_result_keeps_nobody_waiting() {
    let mut module = with(&["result_before_ok"], 1.0);
    online(&mut module);
    module.inject("ack_lost:kind=suback").expect("a fault");
    assert_eq!("", module.ask("AT+QMTSUB=0,1,\"t\",0", 1.0));
    module.host_leaves();
    module.host_comes();
    assert_eq!("\r\nOK\r\n", module.ask("AT", 1.0), "the next host is answered");
    assert_eq!("", module.ask("AT+QMTSUB=0,2,\"t\",0", 1.0));
    module.power_cycle().expect("power");
    assert_eq!("\r\nRDY\r\n", module.after(5.0));
    assert_eq!("AT\r\r\nOK\r\n", module.ask("AT", 1.0), "a started module is answered");
}

/// Each of the lines behind `OK` has its own moment; a message waits for the result it must not overtake.
#[test]
fn what_comes_while_a_result_is_held_back_follows_it() {
    let mut module = with(&["gap:ms=500", "urc_before_result"], 1.0);
    online(&mut module);
    assert_eq!("\r\nOK\r\n\r\n+CREG: 1\r\n", module.ask("AT+QMTSUB=0,1,\"t\",0", 0.1));
    let now = module.network().now();
    module.network().broker.publish("t", b"x", Qos::AtMostOnce, false, now);
    assert_eq!("\r\n+QMTSUB: 0,1,0,0\r\n\r\n+QMTRECV: 0,0,\"t\",\"x\"\r\n", module.after(0.5));
}
