//! Any operations in any order on a live engine, each answered in any order of its lines, with unsolicited lines between and
//! in any pieces: each has the one outcome that its answer was made for, nothing hangs, and the counts agree.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use modemrig::engine::Modem;
use modemrig::engine::Wait;
use modemrig::proto::FinalResult;
use parking_lot::Mutex;

use crate::engine_port::Heard;
use crate::engine_port::Says;
use crate::engine_port::ScriptedPort;
use crate::engine_port::ordinary;
use crate::engine_port::says;
use crate::engine_script::SOON;
use crate::naive;
use crate::naive::Said;
use crate::random::Random;

const ENGINES: u64 = 120;
const OPERATIONS: usize = 40;
const THREADS: usize = 12;

/// What the module will say to the next line, and behind its payload.
#[derive(Default)]
struct Plan {
    line: String,
    prompt: Option<(Vec<u8>, usize)>,
    pieces: Vec<Vec<u8>>,
}

/// What must come of it.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    accepted: Option<FinalResult>,
    code: Option<i32>,
    lines: Vec<String>,
}

#[derive(Default)]
struct Counts {
    messages: u64,
    stale: u64,
    surplus: u64,
}

fn module(plan: Arc<Mutex<Plan>>) -> ScriptedPort {
    ScriptedPort::new(move |heard| {
        let mut plan = plan.lock();
        match heard {
            Heard::Line(line) if line == plan.line => match plan.prompt.take() {
                Some((prompt, length)) => Says { pieces: vec![prompt], takes: Some(length) },
                None => Says { pieces: std::mem::take(&mut plan.pieces), takes: None },
            },
            Heard::Line(line) => ordinary(line),
            Heard::Payload => Says { pieces: std::mem::take(&mut plan.pieces), takes: None },
        }
    })
}

fn unasked(random: &mut Random, counts: &mut Counts) -> String {
    match random.below(5) {
        0 => {
            counts.stale += 1;
            format!("\r\n+QMTUNS: 1,{},0\r\n", 50_000 + random.below(100))
        }
        1 => "\r\n+CREG: 1\r\n".to_owned(),
        2 => format!("\r\n+QMTSTAT: {},1\r\n", 3 + random.below(3)),
        _ => {
            counts.messages += 1;
            let payload = *random.pick(&["", "x", "\r\nOK\r\n", "\"\r\n+QMTSUB: 0,1,2\r\n", "\r\n> ", "\r\nRDY\r\n"]);
            format!("\r\n+QMTRECV: 0,1,\"t\",{},\"{payload}\"\r\n", payload.len())
        }
    }
}

/// One operation: its line, its payload, what the module will do, what must come of it.
fn operation(random: &mut Random, msgid: usize, counts: &mut Counts) -> (Plan, Option<Vec<u8>>, Outcome) {
    let ok = "\r\nOK\r\n".to_owned();
    let failed = random.below(5) == 0;
    let code = if failed { 2 } else { 0 };
    let mut lines = Vec::new();
    let mut payload = None;
    let (line, mut parts) = match random.below(6) {
        0 => ("AT+CFUN?".to_owned(), vec!["\r\n+CFUN: 1\r\n".to_owned(), ok]),
        1 => ("AT+CGATT?".to_owned(), vec!["\r\n+CGATT: 1\r\n".to_owned(), ok]),
        2 => (format!("AT+QMTSUB=0,{msgid},\"a\",1"), vec![ok, format!("\r\n+QMTSUB: 0,{msgid},{code}\r\n")]),
        3 => ("AT+QMTCLOSE=2".to_owned(), vec![ok, format!("\r\n+QMTCLOSE: 2,{}\r\n", -code)]),
        4 => {
            payload = Some(random.pick(&[&b"x"[..], b"\r\nERROR\r\n", b"> "]).to_vec());
            let length = payload.as_ref().map_or(0, Vec::len);
            let result = format!("\r\n+QMTPUBEX: 0,{msgid},{code}\r\n");
            (format!("AT+QMTPUBEX=0,{msgid},1,0,\"t\",{length}"), vec![ok, result])
        }
        _ => ("AT+QMTOPEN=1,\"h\",1883".to_owned(), vec!["\r\n+CME ERROR: 50\r\n".to_owned()]),
    };
    let has_result = line.starts_with("AT+QMT") && parts.len() == 2;
    if has_result && random.below(3) == 0 {
        parts.swap(0, 1);
    }
    if has_result && line.contains("SUB") && random.below(3) == 0 {
        parts.insert(1, format!("\r\n+QMTSUB: 0,{msgid},1,{}\r\n", 1 + random.below(3)));
    }
    // A notice behind the result has come too late.
    if parts.len() == 3 && parts[0].contains("SUB") {
        counts.stale += 1;
    }
    if !has_result {
        lines.extend(parts.iter().filter(|part| part.contains(": 1\r\n")).map(|part| part.trim().to_owned()));
    }
    let accepted =
        if parts.iter().any(|part| part.contains("CME")) { FinalResult::Cme("50".into()) } else { FinalResult::Ok };
    let mut wire = String::new();
    for part in &parts {
        while random.below(3) == 0 {
            wire.push_str(&unasked(random, counts));
        }
        wire.push_str(part);
    }
    // A surplus OK behind a failure; a result twice.
    if has_result && failed && random.below(2) == 0 {
        counts.surplus += 1;
        wire.push_str("\r\nOK\r\n");
    }
    // Closing has no identifier: its result is told from that of the next one by nothing.
    if has_result && !line.contains("CLOSE") && random.below(6) == 0 {
        counts.stale += 1;
        let result = parts.iter().rev().find(|part| part.contains(&format!(",{code}\r\n")));
        wire.push_str(result.expect("there is one"));
    }
    let pieces = random.pieces(wire.as_bytes()).into_iter().map(<[u8]>::to_vec).collect();
    let prompt = payload.as_ref().map(|payload| {
        let prompt = *random.pick(&["\r\n>", "\r\n> ", "\r\n>\r\n"]);
        (prompt.as_bytes().to_vec(), payload.len())
    });
    let code = has_result.then_some(if line.contains("CLOSE") { -code } else { code });
    (Plan { line, prompt, pieces }, payload, Outcome { accepted: Some(accepted), code, lines })
}

fn run(modem: &Modem, plan: &Mutex<Plan>, port: &ScriptedPort, random: &mut Random, what: &str) {
    let mut counts = Counts::default();
    for number in 1..=OPERATIONS {
        let (next, payload, expected) = operation(random, number, &mut counts);
        let line = next.line.clone();
        let shown = format!("{what}, {number}: {line} {:?}", next.pieces.concat().escape_ascii().to_string());
        *plan.lock() = next;
        let reply = match &payload {
            Some(payload) => modem.command_exactly(&line, payload, Wait::at_most(SOON)),
            None => modem.command(&line, None, Wait::at_most(SOON)),
        };
        let reply = reply.unwrap_or_else(|error| panic!("{shown}: {error} {:?}", error.last_lines));
        let code = reply.result.as_ref().map(|result| result.code);
        let found = Outcome { accepted: reply.final_result, code, lines: reply.lines };
        assert_eq!(expected, found, "{shown}");
        let failed = expected.code.is_some_and(|code| code != 0) || expected.accepted != Some(FinalResult::Ok);
        assert_eq!(failed, reply.error.is_some(), "{shown}");
    }
    port.until_read();
    let statistics = modem.statistics();
    let counted = (statistics.messages, statistics.stale, statistics.surplus);
    assert_eq!((counts.messages, counts.stale, counts.surplus), counted, "{what}");
    let never = (statistics.timeouts, statistics.damaged, statistics.restarts, statistics.resynchronised);
    assert_eq!((0, 0, 0, 0), never, "{what}");
}

#[test]
fn any_operations_in_any_order_have_one_outcome_each() {
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= ENGINES {
                        return;
                    }
                    let plan = Arc::new(Mutex::new(Plan::default()));
                    let port = module(Arc::clone(&plan));
                    let modem = port.open("ecx00u_egx00u");
                    modem.command("AT+QMTCFG=\"recv/mode\",0,0,1", None, Wait::at_most(SOON)).expect("accepted");
                    run(&modem, &plan, &port, &mut Random::new(seed), &format!("seed {seed}"));
                }
            });
        }
    });
}

/// Four threads and their own operations: nobody gets anybody else's result, and messages come in the order of the wire.
#[test]
fn operations_of_several_threads_keep_their_own_results() {
    for seed in 0..8 {
        let port = ScriptedPort::new(|heard| {
            let Heard::Line(line) = heard else { return Says::default() };
            let Some(rest) = line.strip_prefix("AT+QMTSUB=0,") else { return ordinary(line) };
            let msgid = rest.split(',').next().unwrap_or_default();
            let number: u32 = msgid.parse().unwrap_or_default();
            let received = format!("\r\n+QMTRECV: 0,0,\"t\",{},\"{msgid}\"\r\n", msgid.len());
            let result = format!("\r\n+QMTSUB: 0,{msgid},0,{}\r\n", number % 3);
            says(&match number % 3 {
                0 => format!("{result}{received}\r\nOK\r\n"),
                1 => format!("\r\nOK\r\n{received}{result}"),
                _ => format!("{received}\r\nOK\r\n{result}"),
            })
        });
        let modem = port.open("ecx00u_egx00u");
        modem.command("AT+QMTCFG=\"recv/mode\",0,0,1", None, Wait::at_most(SOON)).expect("accepted");
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let modem = &modem;
                scope.spawn(move || {
                    for number in 0..25 {
                        let msgid = 1 + seed * 1000 + thread * 100 + number;
                        let reply = modem.command(&format!("AT+QMTSUB=0,{msgid},\"a\",1"), None, Wait::at_most(SOON));
                        let result = reply.expect("a result").result.expect("its own");
                        assert_eq!((Some(msgid as u16), vec![msgid % 3]), (result.msgid, result.values));
                    }
                });
            }
        });
        port.until_read();
        let asked: Vec<String> = port
            .heard()
            .iter()
            .filter_map(|line| line.strip_prefix("AT+QMTSUB=0,"))
            .map(|rest| rest.split(',').next().unwrap_or_default().to_owned())
            .collect();
        let taken = modem.client(0).expect("six").take_messages(1000, Wait::at_most(SOON)).expect("open");
        let taken: Vec<String> =
            taken.iter().map(|it| String::from_utf8_lossy(&it.message.payload).into_owned()).collect();
        assert_eq!(asked, taken);
    }
}

/// The oracle is worth something: it finds what is inside a message to be inside a message.
#[test]
fn the_naive_framer_takes_a_payload_for_a_payload() {
    let wire = b"\r\n+QMTRECV: 0,0,\"t\",6,\"\r\nOK\r\n\"\r\n\r\nOK\r\n";
    let found = naive::events(&[Said::Host("AT"), Said::Module(wire)]);
    assert_eq!(vec!["+QMTRECV: 0,0,\"t\",6,\"\r\nOK\r\n\"".to_owned(), "final OK".to_owned()], found);
}
