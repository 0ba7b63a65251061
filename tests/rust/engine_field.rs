//! What real modules do beside the documents (FIELD F1 to F7: order and loss), against a live engine: each request has one
//! outcome, and the command behind it its own answer.

use std::time::Duration;

use modemrig::client::ClientState;
use modemrig::engine::Client;
use modemrig::engine::Credentials;
use modemrig::engine::Modem;
use modemrig::engine::Outgoing;
use modemrig::engine::Reply;
use modemrig::engine::Wait;
use modemrig::error::Kind;

use crate::engine_port::Rule;
use crate::engine_port::ScriptedPort;
use crate::engine_port::is_in_step;
use crate::engine_port::module;
use crate::engine_port::rule;
use crate::engine_script::SOON;

pub const QMT: &str = "ecx00u_egx00u";
pub const CMQTT: &str = "sim7028";
pub const OK: &str = "\r\nOK\r\n";
const ERROR: &str = "\r\nERROR\r\n";

pub fn wait() -> Wait<'static> {
    Wait::at_most(SOON)
}

/// One command line against a module of these rules, in one piece and byte by byte; the module is in step afterwards.
pub fn reply(dialect: &str, rules: &[Rule], line: &str, payload: Option<&[u8]>) -> Vec<(Modem, ScriptedPort, Reply)> {
    let whole = rules.to_vec();
    let bytes = rules.iter().cloned().map(Rule::in_bytes).collect();
    let play = |rules| {
        let port = module(rules);
        let modem = port.open(dialect);
        let reply = match payload {
            Some(payload) => modem.command_exactly(line, payload, wait()),
            None => modem.command(line, None, wait()),
        };
        let reply = reply.unwrap_or_else(|error| panic!("{line}: {error}"));
        is_in_step(&modem, line);
        (modem, port, reply)
    };
    vec![play(whole), play(bytes)]
}

/// A client that is connected to a module of these rules; where none fits, everything works.
pub fn connected(dialect: &str, rules: Vec<Rule>) -> (Modem, ScriptedPort, Client) {
    let port = module(rules.into_iter().chain(willing()).collect());
    let modem = port.open(dialect);
    let client = modem.client(0).expect("every module has one");
    client.open("broker.lab", 1883, None, wait()).expect("opened");
    client.connect(&me(), wait()).expect("connected");
    (modem, port, client)
}

pub fn me() -> Credentials {
    Credentials { client_id: "me".into(), ..Credentials::default() }
}

pub fn message(payload: &[u8], qos: i64) -> Outgoing {
    Outgoing { topic: "t".into(), payload: payload.to_vec(), qos, retain: false }
}

/// A module of either family on which everything works.
pub fn willing() -> Vec<Rule> {
    let done = |line: &str| format!("{OK}\r\n{line}\r\n");
    vec![
        rule("AT+QMTOPEN=", &done("+QMTOPEN: 0,0")),
        rule("AT+QMTCONN=", &done("+QMTCONN: 0,0,0")),
        rule("AT+QMTCLOSE=", &done("+QMTCLOSE: 0,0")),
        rule("AT+QMTDISC=", &done("+QMTDISC: 0,0")),
        rule("AT+CMQTTSTART", &done("+CMQTTSTART: 0")),
        rule("AT+CMQTTSTOP", &done("+CMQTTSTOP: 0")),
        rule("AT+CMQTTCONNECT=", &done("+CMQTTCONNECT: 0,0")),
        rule("AT+CMQTTDISC=", &done("+CMQTTDISC: 0,0")),
        rule("AT+CMQTTTOPIC=", OK).prompted("\r\n>"),
        rule("AT+CMQTTPAYLOAD=", OK).prompted("\r\n>"),
        rule("AT+CMQTTPUB=", &done("+CMQTTPUB: 0,0")),
    ]
}

/// Every order of these.
fn orders<'a>(parts: &[&'a str]) -> Vec<Vec<&'a str>> {
    if parts.is_empty() {
        return vec![Vec::new()];
    }
    let with = |at: usize| {
        let rest: Vec<&str> =
            parts.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, part)| *part).collect();
        orders(&rest).into_iter().map(move |order| [vec![parts[at]], order].concat())
    };
    (0..parts.len()).flat_map(with).collect()
}

#[test]
fn f1_a_request_completes_on_its_own_result_whatever_the_order() {
    for (dialect, line, result) in [
        (QMT, "AT+QMTOPEN=0,\"h\",1883", "+QMTOPEN: 0,0"),
        (QMT, "AT+QMTCONN=0,\"me\"", "+QMTCONN: 0,0,0"),
        (QMT, "AT+QMTSUB=0,9,\"a\",1", "+QMTSUB: 0,9,0,1"),
        (QMT, "AT+QMTDISC=0", "+QMTDISC: 0,0"),
        (CMQTT, "AT+CMQTTSTART", "+CMQTTSTART: 0"),
        (CMQTT, "AT+CMQTTPUB=0,1,60", "+CMQTTPUB: 0,0"),
        (CMQTT, "AT+CMQTTDISC=0,120", "+CMQTTDISC: 0,0"),
        (CMQTT, "AT+CMQTTSTOP", "+CMQTTSTOP: 0"),
    ] {
        let result = format!("\r\n{result}\r\n");
        // Lines between that are nobody's answer: network, another client.
        let (lost, news) = ("\r\n+QMTSTAT: 3,1\r\n", "\r\n+CREG: 1\r\n");
        for answer in [format!("{OK}{result}"), format!("{result}{OK}"), format!("{news}{OK}{lost}{news}{result}")] {
            let name = line.split('=').next().expect("a name");
            for (modem, _port, reply) in reply(dialect, &[rule(name, &answer)], line, None) {
                assert_eq!(Some(0), reply.result.as_ref().map(|result| result.code), "{answer:?}");
                assert!(reply.error.is_none() && reply.final_text() == "OK", "{answer:?}: {reply:?}");
                assert_eq!((0, 0, 0), counts(&modem), "{answer:?}");
            }
        }
    }
}

/// Stale, surplus, time-outs.
fn counts(modem: &Modem) -> (u64, u64, u64) {
    let statistics = modem.statistics();
    (statistics.stale, statistics.surplus, statistics.timeouts)
}

#[test]
fn f1_an_ok_that_was_missed_and_comes_late_is_not_the_next_commands() {
    // It comes right before the answer to the query that the doubt raises; or never; or before anything is asked.
    for (query, before) in
        [("\r\nOK\r\n\r\n+CMEE: 0\r\n\r\nOK\r\n", ""), ("\r\n+CMEE: 0\r\n\r\nOK\r\n", ""), (ERROR, OK)]
    {
        let port = module(vec![rule("AT+QMTDISC=", "\r\n+QMTDISC: 0,0\r\n"), rule("AT+CMEE?", query)]);
        let modem = port.open(QMT);
        let reply = modem.command("AT+QMTDISC=0", None, wait()).expect("a result");
        assert_eq!((Some(0), None), (reply.result.map(|result| result.code), reply.final_result));
        port.say([before.as_bytes()]);
        port.until_read();
        is_in_step(&modem, query);
        let asked = port.heard().iter().any(|line| line == "AT+CMEE?");
        assert_eq!((before.is_empty(), u64::from(asked)), (asked, modem.statistics().resynchronised), "{query:?}");
    }
}

#[test]
fn f2_a_failure_of_several_lines_is_one_error_in_any_order() {
    for parts in orders(&["\r\n+QMTSTAT: 0,1\r\n", "\r\n+QMTSUB: 0,9,2\r\n", ERROR]) {
        let answer = parts.concat();
        for (modem, _port, reply) in reply(QMT, &[rule("AT+QMTSUB=", &answer)], "AT+QMTSUB=0,9,\"a\",1", None) {
            let error = reply.error.expect("one error");
            assert!(matches!(error.kind, Kind::RequestFailed | Kind::CommandRefused), "{answer:?}: {error}");
            assert_eq!(0, modem.statistics().surplus, "{answer:?}");
        }
    }
    for parts in orders(&["\r\n+CMQTTPUB: 0,6\r\n", ERROR, "\r\n+CMQTTCONNLOST: 0,1\r\n"]) {
        let answer = parts.concat();
        for (_modem, _port, reply) in reply(CMQTT, &[rule("AT+CMQTTPUB=", &answer)], "AT+CMQTTPUB=0,1,60", None) {
            assert!(reply.error.is_some(), "{answer:?}");
        }
    }
}

#[test]
fn f3_a_message_before_the_result_is_delivered_and_the_request_completes() {
    let received = "\r\n+QMTRECV: 0,0,\"a\",\"queued\"\r\n";
    let lines = [
        rule("AT+QMTSUB=", &format!("{OK}{received}\r\n+QMTSUB: 0,1,0,1\r\n")),
        rule("AT+QMTPUBEX=", &format!("{OK}{received}\r\n+QMTPUBEX: 0,2,0\r\n")).prompted("\r\n> "),
    ];
    for lines in [lines.to_vec(), lines.into_iter().map(Rule::in_bytes).collect()] {
        let (_modem, _port, client) = connected(QMT, lines);
        assert_eq!(vec![("a".to_owned(), Some(1))], client.subscribe(&[("a".into(), 1)], wait()).expect("subscribed"));
        client.publish(&message(b"own", 1), wait()).expect("taken").wait(wait()).expect("acknowledged");
        let mut payloads = Vec::new();
        while payloads.len() < 2 {
            let taken = client.take_messages(8, wait()).expect("connected");
            payloads.extend(taken.into_iter().map(|it| it.message.payload));
        }
        assert_eq!(vec![b"queued".to_vec(), b"queued".to_vec()], payloads);
    }
}

#[test]
fn f4_a_retry_notice_keeps_a_request_pending_and_may_be_the_last_word_before_the_loss() {
    for notice in ["\r\n+QMTSUB: 0,9,1\r\n", "\r\n+QMTSUB: 0,9,1,1\r\n"] {
        let done = format!("{OK}{notice}{notice}\r\n+QMTSUB: 0,9,0,1\r\n");
        for (_modem, _port, reply) in reply(QMT, &[rule("AT+QMTSUB=", &done)], "AT+QMTSUB=0,9,\"a\",1", None) {
            assert_eq!(Some(vec![1]), reply.result.map(|result| result.values), "{notice:?}");
        }
        let lost = format!("{OK}{notice}\r\n+QMTSTAT: 0,1\r\n");
        for (modem, _port, reply) in reply(QMT, &[rule("AT+QMTSUB=", &lost)], "AT+QMTSUB=0,9,\"a\",1", None) {
            assert_eq!(Some(Kind::ConnectionLost), reply.error.map(|error| error.kind), "{notice:?}");
            assert_eq!((0, 0, 0), counts(&modem));
        }
    }
}

#[test]
fn f4_what_a_loss_ended_takes_nothing_from_the_request_after_it() {
    let first = rule("AT+QMTCONN=", &format!("{OK}\r\n+QMTCONN: 0,1\r\n\r\n+QMTSTAT: 0,1\r\n"));
    let port = module(std::iter::once(first).chain(willing()).collect());
    let modem = port.open(QMT);
    let client = modem.client(0).expect("six");
    client.open("h", 1883, None, wait()).expect("opened");
    assert_eq!(Kind::ConnectionLost, client.connect(&me(), wait()).expect_err("lost").kind);
    client.open("h", 1883, None, wait()).expect("opened anew");
    client.connect(&me(), wait()).expect("the result is that of this connection");
    assert_eq!((0, 0, 0), counts(&modem));
}

#[test]
fn f5_stale_and_double_results_are_dropped_and_counted() {
    let twice = format!("{OK}\r\n+QMTSUB: 0,8,0,1\r\n\r\n+QMTSUB: 0,9,0,1\r\n\r\n+QMTSUB: 0,9,2\r\n");
    for (modem, _port, reply) in reply(QMT, &[rule("AT+QMTSUB=", &twice)], "AT+QMTSUB=0,9,\"a\",1", None) {
        assert_eq!(Some(0), reply.result.map(|result| result.code));
        assert_eq!((2, 0, 0), counts(&modem));
    }
}

#[test]
fn f5_a_surplus_ok_never_completes_the_next_command() {
    let failure = |ok: &str| vec![format!("\r\n+CMQTTSUB: 0,12\r\n{ERROR}").into_bytes(), ok.as_bytes().to_vec()];
    for cut in [failure(OK), failure(&OK.repeat(3)), vec![failure(OK).concat()]] {
        let port = module(vec![rule("AT+CMQTTSUB=", "").cut(cut.clone())]);
        let modem = port.open(CMQTT);
        let reply = modem.command_exactly("AT+CMQTTSUB=0,1,1", b"a", wait()).expect("an answer");
        assert_eq!(Some(12), reply.error.and_then(|error| error.code));
        is_in_step(&modem, "surplus");
        let surplus = String::from_utf8_lossy(&cut.concat()).matches("OK").count() as u64;
        assert_eq!((0, surplus, 0), counts(&modem), "{cut:?}");
    }
    // Behind a failure that came late, too.
    let late = vec![format!("{OK}\r\n+QMTSUB: 0,9,2\r\n").into_bytes(), OK.as_bytes().to_vec()];
    let port = module(vec![rule("AT+QMTSUB=", "").cut(late)]);
    let modem = port.open(QMT);
    modem.command("AT+QMTSUB=0,9,\"a\",1", None, wait()).expect("a result").check().expect_err("failed");
    is_in_step(&modem, "surplus");
    assert_eq!((0, 1, 0), counts(&modem));
}

#[test]
fn f6_a_lost_connection_is_told_before_after_or_glued_to_the_failure() {
    for lines in [
        "\r\n+QMTSTAT: 0,1\r\n\r\n+QMTCONN: 0,2\r\n",
        "\r\n+QMTCONN: 0,2\r\n\r\n+QMTSTAT: 0,1\r\n",
        "\r\n+QMTSTAT:0,1+QMTCONN:0,2\r\n",
        "\r\n+QMTCONN:0,2+QMTSTAT:0,1\r\n",
    ] {
        let port = module([rule("AT+QMTCONN=", &format!("{OK}{lines}"))].into_iter().chain(willing()).collect());
        let modem = port.open(QMT);
        let client = modem.client(0).expect("six");
        client.open("h", 1883, None, wait()).expect("opened");
        let error = client.connect(&me(), wait()).expect_err("failed");
        assert_eq!((Kind::RequestFailed, Some(2)), (error.kind, error.code), "{lines:?}: {error}");
        assert_eq!(ClientState::Closed, client.state(), "{lines:?}");
        is_in_step(&modem, lines);
    }
}

#[test]
fn f6_a_loss_told_late_after_closing_does_not_end_the_next_opening() {
    let answer = vec![b"\r\nOK\r\n\r\n+QMTSTAT: 0,5\r\n".to_vec(), b"\r\n+QMTOPEN: 0,0\r\n".to_vec()];
    let port = module([rule("AT+QMTOPEN=", "").cut(answer)].into_iter().chain(willing()).collect());
    let modem = port.open(QMT);
    let client = modem.client(0).expect("six");
    client.open("h", 1883, None, wait()).expect("its own result counts");
    assert_eq!(ClientState::Open, client.state());
    client.connect(&me(), wait()).expect("connected");
}

#[test]
fn f6_a_loss_right_behind_the_opening_is_known_and_5_behind_a_disconnection_is_none() {
    let (opened, disconnected) = ("+QMTOPEN: 0,0\r\n\r\n+QMTSTAT: 0,1", "+QMTSTAT: 0,5\r\n\r\n+QMTDISC: 0,0");
    let port = module(vec![rule("AT+QMTOPEN=", &format!("{OK}\r\n{opened}\r\n"))]);
    let client = port.open(QMT).client(0).expect("six");
    client.open("h", 1883, None, wait()).expect("opened");
    port.until_read();
    let lost = client.connection_lost(wait()).expect("open").expect("a loss");
    assert_eq!((Some(1), ClientState::Closed), (lost.code, client.state()));

    let (_modem, port, client) = connected(QMT, vec![rule("AT+QMTDISC=", &format!("{OK}\r\n{disconnected}\r\n"))]);
    client.disconnect(wait()).expect("that it ended is what was wanted");
    port.until_read();
    assert!(client.connection_lost(Wait::at_most(Duration::ZERO)).expect("open").is_none(), "no loss, but an end");
}

#[test]
fn f7_a_restart_at_any_byte_of_any_answer_ends_the_request_once() {
    let boots: [(&str, &str, &str); 3] = [
        (QMT, "RDY", "\r\nRDY\r\n\r\n+CFUN: 1\r\n\r\n+CPIN: READY\r\n\r\nAPP RDY\r\n"),
        (CMQTT, "ATREADY", "\r\n*ATREADY: 1\r\n\r\n+CPIN: READY\r\n\r\nSMS DONE\r\n\r\nPB DONE\r\n"),
        (
            "bc35g_bc28",
            "BROM",
            "\r\nF1: 0000 0000\r\nV0: 0000 0000 [0001]\r\n00: 0006 000C\r\nLeaving the BROM\r\n\r\nRDY\r\n",
        ),
    ];
    let qmt = [
        ("AT+X=1", "\r\n+X: 1,\"a\"\r\n\r\nOK\r\n"),
        ("AT+QMTOPEN=0,\"h\",1883", "\r\nOK\r\n\r\n+QMTSTAT: 3,1\r\n\r\n+QMTOPEN: 0,0\r\n"),
        ("AT+QMTRECV=0,1", "\r\n+QMTRECV: 0,0,\"t\",12,\"ab\r\n+QMT\"cd\"\r\n\r\nOK\r\n"),
        ("AT+QMTPUBEX=0,7,1,0,\"t\",5", "\r\n> \r\n"),
    ];
    let cmqtt = [
        ("AT+CMQTTPUB=0,1,60", "\r\nOK\r\n\r\n+CMQTTPUB: 0,0\r\n"),
        (
            "AT+X=1",
            "\r\n+CMQTTRXSTART: 0,1,4\r\n+CMQTTRXTOPIC: 0,1\r\nt\r\n+CMQTTRXPAYLOAD: 0,4\r\nabcd\r\n+CMQTTRXEND: 0\r\n\r\nOK\r\n",
        ),
    ];
    std::thread::scope(|scope| {
        for (dialect, style, boot) in boots {
            for (line, answer) in if dialect == CMQTT { &cmqtt[..] } else { &qmt[..] } {
                for some in (0..=answer.len()).collect::<Vec<_>>().chunks(6) {
                    let some = some.to_vec();
                    scope.spawn(move || {
                        for cut in some {
                            restart_at(dialect, line, &answer[..cut], boot, &format!("{style}, {line}, {cut}"));
                        }
                    });
                }
            }
        }
    });
}

fn restart_at(dialect: &str, line: &'static str, before: &str, boot: &str, what: &str) {
    let name = line.split(',').next().expect("a beginning");
    let port = module(vec![rule(name, &format!("{before}{boot}")), rule("AT+QMTCFG=", OK)]);
    let modem = port.open(dialect);
    if dialect != CMQTT {
        modem.command("AT+QMTCFG=\"recv/mode\",0,0,1", None, wait()).expect("accepted");
    }
    let reply = match line.contains("PUBEX") {
        true => modem.command_exactly(line, b"hello", wait()),
        false => modem.command(line, None, wait()),
    };
    // One outcome: what the answer amounted to before the restart, or that the module restarted.
    let reply = reply.unwrap_or_else(|error| panic!("{what}: {error}"));
    let is_whole = reply.error.is_none() && reply.final_text() == "OK";
    let restarted = reply.error.as_ref().is_some_and(|error| error.kind == Kind::ModuleRestarted);
    assert!(is_whole || restarted, "{what}: {reply:?}");
    port.until_read();
    // What the silence ends comes to its end before the next command.
    let events = modem.subscribe();
    while modem.statistics().restarts == 0 {
        assert!(!events.take(1, wait()).expect("open").is_empty(), "{what}: the restart was missed");
    }
    is_in_step(&modem, what);
    assert_eq!(1, modem.statistics().restarts, "{what}");
    assert!(port.heard().iter().filter(|line| line.ends_with("ATE0Q0V1")).count() >= 2, "{what}: told again");
}

#[test]
fn f7_switching_off_and_a_lost_bearer_end_the_clients() {
    for (dialect, line, reported) in [
        (QMT, "\r\nPOWERED DOWN\r\n", "the module switched itself off"),
        (QMT, "\r\nNORMAL POWER DOWN\r\n", "the module switched itself off"),
        (QMT, "\r\n+QIURC: \"pdpdeact\",1\r\n", "the bearer is gone"),
        (CMQTT, "\r\n+CMQTTNONET\r\n", "the bearer is gone"),
        (CMQTT, "\r\n*ATREADY: 1\r\n", "the module restarted"),
    ] {
        let (modem, port, client) = connected(dialect, Vec::new());
        port.say([line.as_bytes()]);
        let lost = client.connection_lost(wait()).expect("open").expect("a loss");
        assert_eq!((reported, None), (lost.reported.as_str(), lost.code), "{line:?}");
        assert_eq!(ClientState::Closed, client.state(), "{line:?}");
        port.forget_heard();
        client.open("broker.lab", 1883, None, wait()).expect("opened anew");
        client.connect(&me(), wait()).expect("connected anew");
        let started = port.heard().iter().any(|line| line == "AT+CMQTTSTART");
        assert_eq!(dialect == CMQTT, started, "the service ended with the bearer");
        is_in_step(&modem, line);
    }
}
