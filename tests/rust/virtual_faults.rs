//! Faults on demand: every row of the table is seen from the host's side, at start and while running, once and until it is
//! cleared. A row without a proof fails.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use modemrig::virtual_module::FAULTS;
use modemrig::virtual_module::clock;

use crate::virtual_host::Host;

const DIALECT: &str = "lte_standard_a";

/// Longer than anything a healthy module does in these tests, even on a busy machine.
const LATE: Duration = Duration::from_millis(1200);

/// How one fault is seen.
struct Proof {
    /// The fault, without `count`.
    fault: &'static str,
    /// Gives it an occasion; whether it happened.
    shows: fn(&mut Host) -> bool,
}

const PROOFS: &[Proof] = &[
    Proof { fault: "no_answer:command=AT+CSQ", shows: |host| !asked(host).contains("+CSQ: ") },
    Proof { fault: "late_answer:command=+csq,ms=1200", shows: is_late },
    Proof { fault: "error:command=AT+CSQ", shows: |host| asked(host).contains("\r\nERROR\r\n") },
    Proof { fault: "freeze:command=AT+CSQ,ms=1200", shows: is_late },
    Proof { fault: "restart:command=AT+CSQ", shows: |host| restarts(host, "+CSQ: 24,99\r\n\r\nOK\r\n") },
    Proof { fault: "restart_in_answer:command=AT+CSQ,at=5", shows: |host| restarts(host, "\r\r\n+CS\r\nRDY\r\n") },
    Proof { fault: "split_answer:command=AT+CSQ,at=7,ms=1200", shows: is_late },
    Proof {
        fault: "urc_in_answer:command=AT+CSQ,at=4,text='+CREG: 1,2'",
        shows: |host| asked(host).contains("\r\n+C\r\n+CREG: 1,2\r\nSQ: "),
    },
    Proof { fault: "echo_garbage", shows: |host| !asked(host).contains("AT+CSQ\r\r\n") },
    Proof { fault: "noise:direction=out", shows: |host| !healthy(host) },
    Proof { fault: "lost_bytes:direction=out,after=12,length=3", shows: |host| !healthy(host) },
];

#[test]
fn every_fault_has_a_proof() {
    let known: BTreeSet<&str> = FAULTS.iter().map(|row| row.name).collect();
    let proven: BTreeSet<&str> = PROOFS.iter().map(|proof| proof.fault.split(':').next().unwrap_or_default()).collect();
    assert_eq!(known, proven);
}

#[test]
fn a_healthy_module_shows_none_of_the_faults() {
    let mut host = faulty(&[]);
    for proof in PROOFS {
        assert!(!(proof.shows)(&mut host), "{}", proof.fault);
    }
}

#[test]
fn every_fault_happens_from_the_start_until_it_is_cleared() {
    let happens = |proof: &Proof| {
        let mut host = faulty(&[&counted(proof, 1_000_000)]);
        assert!((proof.shows)(&mut host), "{}: once", proof.fault);
        assert!((proof.shows)(&mut host), "{}: and again", proof.fault);
        host.module.clear(Some(name(proof))).expect("cleared");
        assert!(!(proof.shows)(&mut host), "{}: no more", proof.fault);
    };
    // Most of the time is waited for what is late.
    thread::scope(|scope| PROOFS.iter().for_each(|proof| drop(scope.spawn(move || happens(proof)))));
}

#[test]
fn every_fault_can_be_injected_for_one_time() {
    let mut host = faulty(&[]);
    for proof in PROOFS {
        host.module.inject(&counted(proof, 1)).expect("injected");
        assert!((proof.shows)(&mut host), "{}: once", proof.fault);
        let status = host.module.faults().expect("runs");
        assert_eq!((1, Some(0)), status.first().map(|s| (s.happened, s.left)).expect("a fault"), "{}", proof.fault);
        assert!(!(proof.shows)(&mut host), "{}: no more", proof.fault);
        host.module.clear(None).expect("cleared");
        assert!(host.module.faults().expect("runs").is_empty());
    }
}

fn name(proof: &Proof) -> &str {
    proof.fault.split(':').next().unwrap_or_default()
}

fn counted(proof: &Proof, count: u32) -> String {
    let mark = if proof.fault.contains(':') { ',' } else { ':' };
    format!("{}{mark}count={count}", proof.fault)
}

fn faulty(faults: &[&str]) -> Host {
    Host::with(DIALECT, |options| {
        options.speed = 50.0;
        options.faults = faults.iter().map(|fault| fault.to_string()).collect();
    })
}

/// What comes to AT+CSQ, up to the answer of the next command.
fn asked(host: &mut Host) -> String {
    host.write(b"AT+CSQ\rAT+CGMI\r");
    host.until("Quectel\r\n\r\nOK\r\n")
}

fn is_late(host: &mut Host) -> bool {
    let begin = clock::now();
    let said = asked(host);
    assert!(said.contains("\r\n+CSQ: "), "whole: {said:?}");
    clock::now() - begin >= LATE
}

fn restarts(host: &mut Host, said_first: &str) -> bool {
    host.write(b"AT+CSQ\r");
    let said = host.insist("AT+CGMI", "Quectel\r\n\r\nOK\r\n");
    assert!(!said.contains("RDY") || said.contains(said_first), "{said:?}");
    // What was insisted on is answered, too.
    host.until_silent(Duration::from_millis(300));
    said.contains("RDY")
}

fn healthy(host: &mut Host) -> bool {
    host.write(b"AT+CGMI\r");
    host.until_silent(Duration::from_millis(300)) == b"AT+CGMI\r\r\nQuectel\r\n\r\nOK\r\n"
}
