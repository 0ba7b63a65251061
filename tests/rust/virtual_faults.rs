//! Faults on demand: every row of the table is seen from the host's side, from the start and while running, once and until
//! it is cleared. A row without a proof fails. Time is simulated, so that what is late need not be waited for.
//!
//! Longer than 400 lines: the table of proofs and what the rows of one table have in common.

use std::collections::BTreeSet;
use std::time::Duration;

use modemrig::dialect::catalogue;
use modemrig::error::Kind;
use modemrig::mqtt::Direction;
use modemrig::mqtt::Packet;
use modemrig::mqtt::Publish;
use modemrig::virtual_module::FAULTS;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::faults::FaultRow;
use modemrig::virtual_module::params::ParamKind;
use modemrig::virtual_module::simulation::SimulatedModule;

use crate::virtual_host::Host;

const DIALECT: &str = "lte_standard_a";

/// What a healthy module says to AT+CSQ.
const HEALTHY: &str = "AT+CSQ\r\r\n+CSQ: 24,99\r\n\r\nOK\r\n";

/// How one fault is seen.
struct Proof {
    /// The fault, without saying how often.
    fault: &'static str,
    /// Gives it an occasion; whether it happened.
    shows: fn(&mut SimulatedModule) -> bool,
}

const PROOFS: &[Proof] = &[
    Proof { fault: "no_answer:command=AT+CSQ", shows: |module| asked(module) == ("AT+CSQ\r".into(), String::new()) },
    Proof { fault: "late_answer:command=+csq,ms=1500", shows: |module| is_late(module, "AT+CSQ\r") },
    Proof { fault: "error:command=AT+CSQ", shows: |module| asked(module).0 == "AT+CSQ\r\r\nERROR\r\n" },
    Proof { fault: "freeze:command=AT+CSQ,ms=1500", shows: |module| is_late(module, "") },
    Proof { fault: "restart:command=AT+CSQ", shows: |module| asked(module) == (HEALTHY.into(), BOOTED.into()) },
    Proof {
        fault: "restart_in_answer:command=AT+CSQ,at=5",
        shows: |module| asked(module) == ("AT+CSQ\r\r\n+CS".into(), BOOTED.into()),
    },
    Proof { fault: "split_answer:command=AT+CSQ,at=7,ms=1500", shows: |module| is_late(module, "AT+CSQ\r\r\n+CSQ:") },
    Proof {
        fault: "urc_in_answer:command=AT+CSQ,at=4,text='+CREG: 1,2'",
        shows: |module| asked(module).0 == "AT+CSQ\r\r\n+C\r\n+CREG: 1,2\r\nSQ: 24,99\r\n\r\nOK\r\n",
    },
    Proof {
        fault: "reworded:from='24,99',to='9,99'",
        shows: |module| asked(module).0 == HEALTHY.replace("24,99", "9,99"),
    },
    Proof {
        fault: "doubled:text=+CSQ",
        shows: |module| asked(module).0 == "AT+CSQ\r\r\n+CSQ: 24,99\r\n\r\n+CSQ: 24,99\r\n\r\nOK\r\n",
    },
    Proof {
        fault: "reordered:command=AT+QMTOPEN",
        shows: |module| opening(module).ends_with("\r\r\n+QMTOPEN: 0,0\r\n\r\nOK\r\n"),
    },
    Proof { fault: "packet_lost:kind=subscribe", shows: |module| !subscribing(module).contains("+QMTSUB: 0,1,0") },
    Proof { fault: "packet_changed:field=publish.retain", shows: |module| sends(module).retain },
    Proof {
        fault: "echo_garbage",
        shows: |module| {
            let said = asked(module).0;
            said.len() >= HEALTHY.len() && said.ends_with("\r\n+CSQ: 24,99\r\n\r\nOK\r\n") && !said.contains("AT+CSQ")
        },
    },
    Proof { fault: "noise:direction=out,percent=50", shows: |module| asked(module).0 != HEALTHY },
    Proof {
        fault: "lost_bytes:direction=out,after=9,length=3",
        shows: |module| (1..HEALTHY.len()).contains(&asked(module).0.len()),
    },
    Proof { fault: "ack_lost:kind=puback", shows: |module| published(module).is_none_or(|after| after >= 5.0) },
    Proof {
        fault: "ack_late:kind=puback,ms=1500",
        shows: |module| published(module).is_some_and(|after| (1.5..2.0).contains(&after)),
    },
    Proof { fault: "ack_doubled:kind=connack", shows: |module| !connects(module) },
    Proof { fault: "broker_refuses:code=5", shows: |module| connecting(module).contains("+QMTCONN: 0,0,5\r\n") },
    Proof { fault: "broker_closes:at=subscribe", shows: |module| subscribing(module).contains("+QMTSTAT: 0,1\r\n") },
    Proof { fault: "link_cut:after=10,direction=out", shows: |module| !connects(module) },
    Proof { fault: "unsent", shows: |module| connecting(module).contains("+QMTSTAT: 0,3\r\n") },
    Proof { fault: "registration_lost", shows: |module| module.ask("AT+CEREG?", 0.1).contains(": 0,3\r\n") },
    Proof { fault: "network_lost", shows: |module| asked(module).0.contains("+CSQ: 99,99\r\n") },
    Proof { fault: "pdp_lost", shows: |module| !connects(module) },
    Proof { fault: "pdp_refused", shows: |module| opening(module).contains("+QMTOPEN: 0,3\r\n") },
    Proof { fault: "dns_fails", shows: |module| opening(module).contains("+QMTOPEN: 0,4\r\n") },
    Proof { fault: "clock_wrong", shows: |module| module.ask("AT+CCLK?", 0.1).contains("+CCLK: \"16/01/01") },
    Proof {
        fault: "file_system_full",
        shows: |module| {
            let said = module.ask("AT+QFUPL=\"a.pem\",3,5", 0.1);
            if said.contains("\r\nCONNECT\r\n") {
                module.host(b"abc");
                assert!(module.after(1.0).contains("+QFUPL: 3,"));
            }
            said.contains("\r\nERROR\r\n")
        },
    },
];

/// What a module says after it has started by itself.
const BOOTED: &str = "\r\nRDY\r\n";

#[test]
fn every_fault_has_a_proof() {
    let known: BTreeSet<&str> = FAULTS.iter().map(|row| row.name).collect();
    let proven: BTreeSet<&str> = PROOFS.iter().map(|proof| row(proof).name).collect();
    assert_eq!(known, proven);
    assert_eq!(known.len(), FAULTS.len(), "no two have one name");
}

#[test]
fn a_healthy_module_shows_none_of_the_faults() {
    let mut module = faulty(&[]);
    for proof in PROOFS {
        assert!(!(proof.shows)(&mut module), "{}", proof.fault);
    }
}

#[test]
fn every_fault_happens_from_the_start_until_it_is_cleared() {
    for proof in PROOFS {
        let mut module = faulty(&[&with(proof, "count=1000000")]);
        assert!((proof.shows)(&mut module), "{}: once", proof.fault);
        assert!((proof.shows)(&mut module), "{}: and again", proof.fault);
        module.clear(Some(row(proof).name)).expect("cleared");
        assert!(!(proof.shows)(&mut module), "{}: no more", proof.fault);
    }
}

#[test]
fn every_fault_can_be_injected_for_one_time() {
    let mut module = faulty(&[]);
    for proof in PROOFS {
        let once = if has(row(proof), "count") { "count=1" } else { "ms=1000" };
        module.inject(&with(proof, once)).expect("injected");
        assert!((proof.shows)(&mut module), "{}: once", proof.fault);
        module.advance(Duration::from_secs(60));
        module.take_output();
        let status = module.faults().pop().expect("it stays in the list");
        assert_eq!((1, Some(0)), (status.happened, status.left), "{}", proof.fault);
        assert!(!(proof.shows)(&mut module), "{}: no more", proof.fault);
        module.clear(None).expect("cleared");
        assert!(module.faults().is_empty());
    }
}

/// Decision 24: what the network takes away under a connection is +QMTSTAT 7, and opening is refused while it lasts.
#[test]
fn a_network_that_is_lost_for_a_while_ends_the_connection_and_comes_back() {
    for fault in ["registration_lost:ms=60000", "network_lost:ms=60000"] {
        let mut module = faulty(&[]);
        assert!(connects(&mut module));
        module.inject(fault).expect("injected");
        assert_eq!("\r\n+QMTSTAT: 0,7\r\n", module.after(1.0), "{fault}");
        assert!(opening(&mut module).contains("+QMTOPEN: 0,3"), "{fault}");
        module.after(60.0);
        assert!(connects(&mut module), "{fault}");
    }
    let mut module = faulty(&[]);
    assert!(connects(&mut module));
    module.inject("pdp_lost").expect("injected");
    assert_eq!("\r\n+QMTSTAT: 0,7\r\n", module.after(1.0));
    assert!(connects(&mut module), "once");
}

/// Some faults need no occasion: they happen as soon as they are there.
#[test]
fn a_restart_and_a_freeze_without_a_command_happen_at_once() {
    let mut module = faulty(&["restart"]);
    assert_eq!(BOOTED, module.after(5.0));
    module.inject("restart:count=2").expect("injected");
    assert_eq!(BOOTED.repeat(2), module.after(10.0));
    module.inject("freeze:ms=3000").expect("injected");
    assert_eq!(("".into(), HEALTHY.into()), (module.ask("AT+CSQ", 2.5), module.after(1.0)));
}

/// Section 2 of the research: bytes that the module hears wrongly are no command, and the next one is answered.
#[test]
fn bytes_that_the_module_hears_wrongly_are_no_command() {
    let mut module = faulty(&["noise:direction=in,count=3"]);
    assert!(!module.ask("AT+CSQ", 1.0).contains("+CSQ: "));
    let said = module.ask("AT+CSQ", 1.0);
    assert!(said.ends_with(HEALTHY), "{said:?}");
    module.inject("lost_bytes:direction=in,after=6,count=1").expect("injected");
    assert!(!module.ask("AT+CSQ", 1.0).contains("+CSQ: "), "without its CR");
    let mut module = faulty(&["lost_bytes:direction=out,after=9,length=3,count=1"]);
    assert_eq!("AT+CSQ\r\r\nQ: 24,99\r\n\r\nOK\r\n", module.ask("AT+CSQ", 1.0));
}

#[test]
fn the_echo_of_a_line_is_garbled_as_one_however_slowly_it_is_typed() {
    let mut module = faulty(&["echo_garbage:count=1"]);
    let garbled: String = "AT+CSQ\r"
        .bytes()
        .map(|byte| {
            module.host(&[byte]);
            module.after(0.3)
        })
        .collect();
    assert!(garbled.ends_with("\r\n+CSQ: 24,99\r\n\r\nOK\r\n"), "{garbled:?}");
    assert!(garbled.chars().zip("AT+CSQ\r".chars()).all(|(said, typed)| said != typed), "{garbled:?}");
    assert_eq!(HEALTHY, module.ask("AT+CSQ", 1.0));
}

/// What is reworded may be a part of a line, a whole one, one that vanishes, or the prompt; the rest of the answer stays.
#[test]
fn lines_are_reworded_where_they_are_meant() {
    for (fault, line, answer) in [
        ("reworded:from='+CSQ: 24,99'", "AT+CSQ", "AT+CSQ\r\r\nOK\r\n"),
        ("reworded:from=OK", "AT+CSQ", "AT+CSQ\r\r\n+CSQ: 24,99\r\n"),
        ("reworded:from=OK,to=+CSQ: 1,line=CSQ;+CGMI", "AT+CSQ", HEALTHY),
        ("reworded:from=OK,to=,line=CSQ", "AT", "AT\r\r\nOK\r\n"),
        ("reworded:to=x,command=AT+CSQ", "AT+CSQ", "AT+CSQ\r\r\nx\r\n\r\nx\r\n"),
        ("reworded:to=x,command=AT+CSQ,count=1", "AT+CSQ", "AT+CSQ\r\r\nx\r\n\r\nOK\r\n"),
        ("reworded:from=Quectel,to=Q", "AT+CGMI;+CSQ", "AT+CGMI;+CSQ\r\r\nQ\r\n+CSQ: 24,99\r\n\r\nOK\r\n"),
        ("reworded:from=Quectel", "AT+CGMI;+CSQ", "AT+CGMI;+CSQ\r\r\n+CSQ: 24,99\r\n\r\nOK\r\n"),
    ] {
        assert_eq!(answer, faulty(&[fault]).ask(line, 1.0), "{fault}");
    }
    for (fault, prompt) in [("reworded:from='> '", ""), ("reworded:from='> ',to='>'", "\r\n>")] {
        let mut module = faulty(&[fault]);
        assert!(connects(&mut module));
        let line = "AT+QMTPUBEX=0,0,0,0,\"t\",1";
        assert_eq!(format!("{line}\r{prompt}"), module.ask(line, 1.0));
        module.host(b"x");
        assert_eq!("\r\nOK\r\n\r\n+QMTPUBEX: 0,0,0\r\n", module.after(1.0));
    }
}

/// A final result that is turned around with a late result that never comes is said before the next answer.
#[test]
fn a_final_result_that_waits_is_not_lost() {
    let mut module = faulty(&["reordered", "reworded:from='+QMTOPEN: 0,0'"]);
    assert!(!opening(&mut module).contains("\n+QMTOPEN"));
    assert_eq!(HEALTHY, asked(&mut module).0);
    let mut module = faulty(&["reordered", "dns_fails"]);
    assert!(opening(&mut module).ends_with("+QMTOPEN: 0,4\r\n\r\nOK\r\n"));
    assert!(module.ask("AT+QMTOPEN?", 1.0).ends_with("\r\r\nOK\r\n"), "nothing waits behind a read form");
}

/// Each field arrives as another, and a packet that is not meant as it was.
#[test]
fn each_field_of_a_packet_can_be_changed() {
    let arrived = |fault: &str| {
        let mut module = faulty(&[fault, "packet_changed:field=connect.username,value=u"]);
        module.ask("AT+QMTCFG=\"will\",0,1,1,0,\"w\",\"gone\"", 0.1);
        assert!(connecting(&mut module).contains("+QMTOPEN: 0,0"));
        module.ask("AT+QMTSUB=0,1,\"s\",1", 1.0);
        module.ask("AT+QMTUNS=0,2,\"s\"", 1.0);
        module.ask("AT+QMTPUBEX=0,3,1,0,\"t\",1", 0.1);
        module.host(b"x");
        module.after(1.0);
        let network = module.network();
        let rows = network.broker.record().filter(|row| row.direction == Direction::In);
        rows.map(|row| format!("{:?}", row.packet)).collect::<Vec<_>>()
    };
    let plain = arrived("packet_changed:topic=nowhere");
    for (field, value, kind, shown) in [
        ("connect.level", "4", "Connect", "level: V311"),
        ("connect.client_id", "other", "Connect", "client_id: \"other\""),
        ("connect.clean_session", "1", "Connect", "clean_session: true"),
        ("connect.keep_alive", "77", "Connect", "keep_alive: 77"),
        ("connect.password", "p", "Connect", "password: Some(\"***\")"),
        ("connect.will", "0", "Connect", "will: None"),
        ("connect.will_topic", "v", "Connect", "topic: \"v\""),
        ("connect.will_payload", "", "Connect", "payload: []"),
        ("connect.will_qos", "2", "Connect", "qos: ExactlyOnce"),
        ("connect.will_retain", "1", "Connect", "retain: true"),
        ("publish.dup", "1", "Publish", "dup: true"),
        ("publish.qos", "0", "Publish", "qos: AtMostOnce"),
        ("publish.retain", "1", "Publish", "retain: true"),
        ("publish.topic", "u", "Publish", "topic: \"u\""),
        ("publish.payload", "y", "Publish", "payload: [121]"),
        ("publish.id", "9", "Publish", "id: Some(9)"),
        ("subscribe.topic", "u", "Subscribe", "filters: [(\"u\", AtLeastOnce)]"),
        ("subscribe.qos", "0", "Subscribe", "filters: [(\"s\", AtMostOnce)]"),
        ("unsubscribe.topic", "u", "Unsubscribe", "filters: [\"u\"]"),
    ] {
        let changed = arrived(&format!("packet_changed:field={field},value={value}"));
        for packet in changed.iter().filter(|packet| !packet.contains("dup: true")) {
            let is_meant = packet.starts_with(kind);
            assert_eq!(is_meant, packet.contains(shown) && !plain.contains(packet), "{field}: {packet}");
        }
        assert!(changed.iter().any(|packet| packet.contains(shown)), "{field}: {changed:?}");
    }
    let refused = faulty(&[]).inject("packet_changed:field=publish.qos,value=3").expect_err("no such quality");
    assert!(refused.to_string().contains("publish.qos cannot be \"3\""), "{refused}");
}

#[test]
fn each_sort_of_packet_can_be_lost() {
    for (kind, lines) in [
        ("connect", &["AT+QMTCONN=0,\"me\""][..]),
        ("subscribe", &["AT+QMTSUB=0,1,\"s\",1"]),
        ("unsubscribe", &["AT+QMTUNS=0,2,\"s\""]),
        ("disconnect", &["AT+QMTDISC=0"]),
        ("pingreq", &["AT"]),
    ] {
        let mut module = faulty(&[]);
        module.ask("AT+QMTCFG=\"keepalive\",0,10", 0.1);
        assert!(if kind == "connect" { opening(&mut module).contains("0,0") } else { connects(&mut module) });
        module.inject(&format!("packet_lost:kind={kind},count=1")).expect("a fault");
        lines.iter().for_each(|line| drop(module.ask(line, 12.0)));
        assert_eq!(1, module.faults()[0].happened, "{kind}");
    }
    let mut module = faulty(&["packet_lost:kind=publish_again", "ack_lost:kind=puback,count=1"]);
    assert_eq!(None, published(&mut module), "no repetition arrives");
    let mut module = faulty(&["packet_lost:topic=t", "packet_lost:kind=publish,topic=other"]);
    assert_eq!(None, published(&mut module));
    module.clear(Some("packet_lost")).expect("cleared");
    module.inject("packet_lost:topic=other").expect("a fault");
    assert!(published(&mut module).is_some());
}

#[test]
fn the_same_seed_makes_the_same_noise() {
    let noise = |seed| {
        let options =
            VirtualOptions { seed, faults: vec!["noise:direction=out".into()], ..VirtualOptions::new(DIALECT) };
        let mut module = SimulatedModule::new(&options).expect("a module");
        module.host(b"AT+CSQ\r");
        module.take_output()
    };
    assert_eq!(noise(1), noise(1));
    assert_ne!(noise(1), noise(2));
    assert_eq!(HEALTHY.len(), noise(3).len());
}

/// `command` is one of the module's own document, whatever the spelling; everything else is refused by what there is.
#[test]
fn a_fault_for_a_command_leaves_every_other_alone() {
    let mut module = faulty(&["error:command=csq"]);
    assert!(module.ask("AT+CGMI", 0.1).ends_with("OK\r\n"));
    assert!(module.ask("AT+CGMI;+CSQ", 0.1).ends_with("Quectel\r\n\r\nERROR\r\n"), "in a compound, too");
    let refused = module.inject("error:command=AT+CMQTTPUB").expect_err("a command of another maker");
    assert!(refused.to_string().contains("a command of the dialect"), "{refused}");
}

/// Decision 41: the number is said where the host asked for numbers and the document has them; the makers' own commands for
/// files have numbers of their own.
#[test]
fn decision_41_an_error_has_its_number_where_the_document_has_numbers() {
    let cases = [
        ("bc35g_bc28", 0, "AT+QMTOPEN=0,\"a.example\",1883", "\r\nERROR\r\n"),
        ("bc35g_bc28", 1, "AT+QMTOPEN=0,\"a.example\",1883", "\r\n+CME ERROR: 30\r\n"),
        ("bc35g_bc28", 2, "AT+QMTOPEN=0,\"a.example\",1883", "\r\n+CME ERROR: no network service\r\n"),
        (DIALECT, 1, "AT+QMTOPEN=0,\"a.example\",1883", "\r\nERROR\r\n"),
        (DIALECT, 1, "AT+CSQ", "\r\n+CME ERROR: 30\r\n"),
        ("sim7028", 0, "AT+CCERTDOWN=\"a.pem\",3", "\r\nERROR\r\n"),
    ];
    for (dialect, form, command, answer) in cases {
        let mut module = SimulatedModule::new(&VirtualOptions::new(dialect)).expect("a module");
        module.ask(&format!("ATE0;+CMEE={form}"), 0.1);
        for fault in ["error:cme=30,count=1", "file_system_full"] {
            module.inject(fault).expect("injected");
        }
        assert_eq!(answer, module.ask(command, 0.1), "{dialect} AT+CMEE={form}: {command}");
    }
    let mut module = faulty(&["file_system_full:count=1"]);
    module.ask("ATE0;+CMEE=1", 0.1);
    assert_eq!("\r\n+CME ERROR: 420\r\n", module.ask("AT+QFUPL=\"a.pem\",3,5", 0.1));
}

/// Every parameter at both ends of its range and in each of its words, on every document: whatever was done to a module, it
/// answers once the faults are over.
#[test]
fn no_fault_at_the_ends_of_its_ranges_makes_a_module_unusable() {
    for dialect in catalogue().ids() {
        for fault in FAULTS.iter().flat_map(extremes) {
            let mut module = SimulatedModule::new(&VirtualOptions { speed: 20.0, ..VirtualOptions::new(dialect) })
                .expect("a module");
            module.inject(&fault).unwrap_or_else(|error| panic!("{fault}: {error}"));
            for line in ["AT+QMTOPEN=0,\"a.example\",1883", "AT+QMTCONN=0,\"me\"", "AT+QMTSUB=0,1,\"t\",1"] {
                module.ask(line, 1.0);
            }
            for line in ["AT+CMQTTSTART", "AT+CMQTTACCQ=0,\"me\",0", "AT+CMQTTCONNECT=0,\"tcp://a.example\",60,1"] {
                module.ask(line, 1.0);
            }
            module.clear(None).expect("cleared");
            // The longest freeze, and the line end that a half line of before needs.
            module.ask("", 4000.0);
            let said = module.ask("AT", 1.0);
            assert!(said.ends_with("AT\r\r\nOK\r\n"), "{dialect} {fault}: {said:?}");
        }
    }
}

/// A fault with each of its parameters at an end of its range, the others as they are by default.
fn extremes(row: &'static FaultRow) -> Vec<String> {
    let mut all = vec![row.name.to_owned()];
    for param in row.params {
        let values = match param.kind {
            ParamKind::Number { min, max, .. } => vec![min.to_string(), max.to_string()],
            ParamKind::Choice(words) => words.iter().map(|word| word.to_string()).collect(),
            ParamKind::Text => vec!["OK".into(), "'RDY,'".into()],
            ParamKind::TextOrNone => vec!["0".into(), "1".into()],
            ParamKind::Command => vec!["AT".into(), "AT+CSQ".into()],
        };
        all.extend(values.into_iter().map(|value| format!("{}:{}={value}", row.name, param.name)));
    }
    all
}

/// A module with a thread, on a line: an order counts when the call that gave it returns.
#[test]
fn a_running_module_takes_orders_until_it_is_stopped() {
    let mut host = Host::on(DIALECT);
    host.module.inject("error:command=AT+CSQ,count=1").expect("injected");
    host.refused("AT+CSQ");
    host.ok("AT+CSQ");
    let status = host.module.faults().expect("runs");
    assert_eq!(("error:cme=4,command=AT+CSQ,count=1".into(), 1), (status[0].fault.to_string(), status[0].happened));
    host.module.clear(None).expect("cleared");
    host.module.stop();
    let stopped = host.module.inject("no_answer").expect_err("it has stopped");
    assert_eq!(Kind::PortClosed, stopped.kind);
}

fn row(proof: &Proof) -> &'static FaultRow {
    let name = proof.fault.split(':').next().unwrap_or_default();
    FAULTS.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("there is no fault {name}"))
}

fn has(row: &FaultRow, param: &str) -> bool {
    row.params.iter().any(|known| known.name == param)
}

/// The fault, and how often, where it has that parameter.
fn with(proof: &Proof, how: &str) -> String {
    match (has(row(proof), how.split('=').next().unwrap_or_default()), proof.fault.contains(':')) {
        (false, _) => proof.fault.into(),
        (true, true) => format!("{},{how}", proof.fault),
        (true, false) => format!("{}:{how}", proof.fault),
    }
}

fn faulty(faults: &[&str]) -> SimulatedModule {
    let faults = faults.iter().map(|fault| fault.to_string()).collect();
    SimulatedModule::new(&VirtualOptions { faults, ..VirtualOptions::new(DIALECT) }).expect("a module")
}

/// What comes to AT+CSQ soon, and what comes later.
fn asked(module: &mut SimulatedModule) -> (String, String) {
    (module.ask("AT+CSQ", 1.0), module.after(5.0))
}

/// Whether the answer comes, but only this much of it soon.
fn is_late(module: &mut SimulatedModule, soon: &str) -> bool {
    let (first, later) = asked(module);
    assert!(first == HEALTHY || first == soon, "{first:?}");
    assert_eq!(HEALTHY, format!("{first}{later}"), "whole in the end");
    first == soon
}

/// What opening says, from a context that is not active.
fn opening(module: &mut SimulatedModule) -> String {
    module.ask("AT+QMTCLOSE=0", 2.0);
    module.ask("AT+QIDEACT=1", 2.0);
    module.ask("AT+QMTOPEN=0,\"broker.example\",1883", 2.0)
}

fn connecting(module: &mut SimulatedModule) -> String {
    let said = opening(module);
    said + &module.ask("AT+QMTCONN=0,\"me\"", 2.0)
}

/// Whether the client connects, and stays so.
fn connects(module: &mut SimulatedModule) -> bool {
    let said = connecting(module);
    said.contains("+QMTCONN: 0,0,0\r\n")
        && !said.contains("+QMTSTAT")
        && module.ask("AT+QMTCONN?", 1.0).contains(": 0,3")
}

fn subscribing(module: &mut SimulatedModule) -> String {
    assert!(connects(module));
    module.ask("AT+QMTSUB=0,1,\"t\",1", 2.0)
}

/// The message that the broker gets.
fn sends(module: &mut SimulatedModule) -> Publish {
    module.network().broker.clear_record();
    published(module);
    let network = module.network();
    let arrived = network.broker.record().filter(|row| row.direction == Direction::In);
    let packets = arrived.map(|row| row.packet.clone());
    let publish = packets.filter_map(|packet| if let Packet::Publish(publish) = packet { Some(publish) } else { None });
    publish.last().expect("it was published")
}

/// Seconds until a message with QoS 1 is acknowledged, if it is.
fn published(module: &mut SimulatedModule) -> Option<f64> {
    assert!(connects(module));
    module.ask("AT+QMTPUBEX=0,1,1,0,\"t\",1", 0.0);
    module.host(b"x");
    let after = module.until(b"+QMTPUBEX: 0,1,0\r\n", Duration::from_secs(60));
    module.take_output();
    after.map(|after| after.as_secs_f64())
}
