//! Commands of the host side against a scripted module: whose answer is whose, in any order, at any time.

use std::time::Duration;

use modemrig::engine::Wait;
use modemrig::error::Kind;
use modemrig::transport::pair::Link;

use crate::engine_script::Answer;
use crate::engine_script::SOON;
use crate::engine_script::opened;
use crate::engine_script::opened_over;

const DIALECT: &str = "ecx00u_egx00u";
const OK: &str = "\r\nOK\r\n";

fn say(text: &str) -> Option<Answer> {
    Some(Answer::Say(text.to_owned()))
}

#[test]
fn opening_finds_out_who_is_there() {
    let (modem, script) = opened(DIALECT, |_| None);
    let identity = modem.identity();
    assert_eq!(("Quectel", "EC200U"), (identity.manufacturer.as_str(), identity.model.as_str()));
    assert_eq!("861234567890123", identity.imei);
    assert!(script.heard().is_empty());
}

#[test]
fn a_reply_holds_its_lines_in_wire_order_over_any_line() {
    for link in [Link::Perfect, Link::OneByteAtATime, Link::InPieces(7)] {
        let (modem, _script) = opened_over(link, DIALECT, |line| match line {
            "AT+CSQ" => say("\r\n+CSQ: 24,99\r\n\r\nOK\r\n"),
            _ => None,
        });
        let reply = modem.command("+CSQ", None, Wait::at_most(SOON)).expect("an answer");
        assert_eq!(vec!["+CSQ: 24,99"], reply.lines);
        assert_eq!(vec!["+CSQ: 24,99", "OK"], reply.exchanged);
        assert!(reply.error.is_none());
    }
}

#[test]
fn a_request_completes_on_its_own_result_in_either_order_with_ok() {
    for wire in ["\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n", "\r\n+QMTOPEN: 0,0\r\n\r\nOK\r\n", "\r\n+QMTOPEN: 0,0\r\n"] {
        let (modem, _script) =
            opened(DIALECT, move |line| line.starts_with("AT+QMTOPEN").then(|| Answer::Say(wire.into())));
        let reply = modem.command("AT+QMTOPEN=0,\"h\",1883", None, Wait::at_most(SOON)).expect("a result");
        assert_eq!(Some(0), reply.result.map(|result| result.code), "{wire:?}");
        let next = modem.command("+CSQ", None, Wait::at_most(SOON)).expect("the next command is unharmed");
        assert_eq!("OK", next.final_text(), "{wire:?}");
    }
}

#[test]
fn a_failure_of_several_lines_is_one_error_with_its_documented_meaning() {
    let (modem, _script) = opened(DIALECT, |line| {
        line.starts_with("AT+QMTOPEN")
            .then(|| Answer::Say("\r\nOK\r\n\r\n+QMTSTAT: 0,1\r\n\r\n+QMTOPEN: 0,3\r\n".into()))
    });
    let client = modem.client(0).expect("the first");
    let error = client.open("h", 1883, None, Wait::at_most(SOON)).expect_err("result 3");
    assert_eq!((Kind::OpenFailed, Some(3)), (error.kind, error.code));
    assert!(error.meaning.is_some() && error.source.is_some(), "{error}");
    assert!(error.last_lines.iter().any(|line| line.contains("+QMTOPEN: 0,3")), "{:?}", error.last_lines);
}

#[test]
fn a_late_answer_never_becomes_the_answer_of_the_next_command() {
    let (modem, script) = opened(DIALECT, |line| match line {
        "AT+SLOW?" => Some(Answer::Nothing),
        // The answer that was given up comes right before that of the query.
        "AT+CMEE?" => say("\r\n+SLOW: 1\r\n\r\nOK\r\n\r\n+CMEE: 0\r\n\r\nOK\r\n"),
        "AT+CSQ" => say("\r\n+CSQ: 20,99\r\n\r\nOK\r\n"),
        _ => None,
    });
    let error = modem.command("+SLOW?", None, Wait::at_most(Duration::from_millis(50))).expect_err("silence");
    assert_eq!(Kind::NoAnswer, error.kind);
    assert!(error.waited.is_some());
    let reply = modem.command("+CSQ", None, Wait::at_most(SOON)).expect("back in step");
    assert_eq!(vec!["+CSQ: 20,99", "OK"], reply.exchanged);
    assert_eq!(vec!["AT+SLOW?", "AT+CMEE?", "AT+CSQ"], script.heard());
    assert_eq!(1, modem.statistics().resynchronised);
}

#[test]
fn a_module_that_may_count_payload_is_left_alone_until_it_answers() {
    // It asks, takes the four bytes, and says nothing: they stand in front of whatever is sent next.
    let (modem, script) = opened(DIALECT, |line| match line {
        _ if line.starts_with("AT+QMTPUBEX") => say("\r\n> "),
        "fourAT+CMEE?" => say("\r\n+CMEE: 0\r\n\r\nOK\r\n"),
        _ => None,
    });
    let short = Wait::at_most(Duration::from_millis(50));
    let error = modem.command("+QMTPUBEX=0,0,0,0,\"t\",4", Some(b"four"), short).expect_err("no OK");
    assert_eq!(Kind::NoAnswer, error.kind);
    let error = modem.command("+CSQ", None, short).expect_err("nothing may be sent");
    assert_eq!(Kind::Garbled, error.kind);
    assert_eq!(1, script.heard().len(), "{:?}", script.heard());
    script.say("\r\nERROR\r\n");
    modem.command("+CSQ", None, Wait::at_most(SOON)).expect("it counts no longer");
    assert_eq!("AT+CSQ", script.heard()[2]);
}

#[test]
fn a_stale_result_is_dropped_and_counted() {
    let (modem, script) = opened(DIALECT, |_| None);
    script.say("\r\n+QMTSUB: 0,77,0,1\r\n");
    let reply = modem.command("+CSQ", None, Wait::at_most(SOON)).expect("an answer");
    assert_eq!(vec!["OK"], reply.exchanged);
    assert_eq!(1, modem.statistics().stale);
}

#[test]
fn two_threads_get_their_own_answers() {
    let (modem, _script) = opened(DIALECT, |line| {
        let number = line.strip_prefix("AT+N=")?.to_owned();
        Some(Answer::Say(format!("\r\n+N: {number}\r\n\r\nOK\r\n")))
    });
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let modem = modem.clone();
            scope.spawn(move || {
                for number in 0..50 {
                    let wanted = thread * 1000 + number;
                    let reply = modem.command(&format!("+N={wanted}"), None, Wait::at_most(SOON)).expect("an answer");
                    assert_eq!(vec![format!("+N: {wanted}")], reply.lines);
                }
            });
        }
    });
}

#[test]
fn a_command_runs_while_another_thread_waits_for_a_late_result() {
    let (modem, script) = opened(DIALECT, |line| line.starts_with("AT+QMTOPEN").then(|| Answer::Say(OK.into())));
    std::thread::scope(|scope| {
        let opener = modem.clone();
        let opening = scope.spawn(move || opener.client(1).expect("six").open("h", 1883, None, Wait::at_most(SOON)));
        while !script.heard().iter().any(|line| line.starts_with("AT+QMTOPEN")) {
            std::thread::yield_now();
        }
        for _ in 0..20 {
            modem.command("+CSQ", None, Wait::at_most(SOON)).expect("the line is free");
        }
        script.say("\r\n+QMTOPEN: 1,0\r\n");
        opening.join().expect("no panic").expect("opened");
    });
}

#[test]
fn a_restart_in_mid_request_ends_it_by_name() {
    let (modem, _script) =
        opened(DIALECT, |line| line.starts_with("AT+QMTOPEN").then(|| Answer::Say("\r\nOK\r\n\r\nRDY\r\n".into())));
    let error = modem.client(0).expect("six").open("h", 1883, None, Wait::at_most(SOON)).expect_err("restarted");
    assert_eq!(Kind::ModuleRestarted, error.kind);
    assert_eq!(1, modem.statistics().restarts);
    modem.command("+CSQ", None, Wait::at_most(SOON)).expect("it runs again");
}

#[test]
fn a_wrong_value_never_reaches_the_wire() {
    let (modem, script) = opened(DIALECT, |_| None);
    let client = modem.client(0).expect("six");
    let wait = Wait::at_most(SOON);
    let topic = "a\"\r\nAT+CFUN=1,1";
    for error in [
        client.open("h", 0, None, wait).expect_err("port 0"),
        client.subscribe(&[(topic.to_owned(), 1)], wait).expect_err("a quotation mark"),
        client.subscribe(&[("t".to_owned(), 3)], wait).expect_err("QoS 3"),
        client.configure(&[("keepalive_s".to_owned(), 4000.into())], wait).expect_err("over an hour"),
    ] {
        assert_eq!(Kind::BadValue, error.kind, "{error}");
        assert!(error.source.is_some(), "{error}");
    }
    assert!(script.heard().is_empty(), "{:?}", script.heard());
}

#[test]
fn a_password_is_covered_wherever_a_line_is_shown() {
    let (modem, _script) =
        opened(DIALECT, |line| line.starts_with("AT+QMTCONN").then(|| Answer::Say("\r\nERROR\r\n".into())));
    let reply =
        modem.command("AT+QMTCONN=0,\"me\",\"user\",\"s3cret-word\"", None, Wait::at_most(SOON)).expect("ERROR");
    let error = reply.error.expect("refused");
    let shown =
        format!("{error} {:?} {} {:?}", error.last_lines, reply.line, modem.transcript(std::time::Duration::ZERO));
    assert!(!shown.contains("s3cret-word"), "{shown}");
    assert!(shown.contains("***********"), "{shown}");
}

#[test]
fn a_restarted_module_is_told_again_not_to_echo() {
    let (modem, script) = opened(DIALECT, |_| None);
    script.say("\r\nRDY\r\n");
    let deadline = SOON;
    let events = modem.subscribe();
    while modem.statistics().restarts == 0 {
        events.take(1, Wait::at_most(deadline)).expect("open");
    }
    modem.command("+CSQ", None, Wait::at_most(SOON)).expect("an answer");
    let lines = script.lines.lock().clone();
    assert_eq!(vec!["ATE0Q0V1", "AT+CSQ"], lines[lines.len() - 2..]);
}

#[test]
fn a_command_with_two_printed_spellings_is_tried_in_both() {
    let (modem, script) = opened("bc35g_bc28", |line| match line.split('=').next() {
        Some("AT+QMTTENAUTH") => say("\r\nERROR\r\n"),
        Some("AT+QMTENAUTH") => say("\r\nOK\r\n\r\n+QMTTENAUTH: 0,\"s3cret\"\r\n"),
        _ => None,
    });
    let text = |text: &str| modemrig::engine::Value::from(text);
    let parameters = [
        ("product_id".to_owned(), text("P")),
        ("device_name".to_owned(), text("D")),
        ("client_id".to_owned(), text("P@D")),
        ("device_secret".to_owned(), text("device-secret")),
    ];
    let reply = modem.run("QMTTENAUTH", &parameters, None, Wait::at_most(SOON)).expect("an answer");
    assert_eq!(Some(0), reply.result.as_ref().map(|result| result.code));
    let heard: Vec<_> =
        script.heard().iter().map(|line| line.split('=').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(vec!["AT+QMTTENAUTH", "AT+QMTENAUTH"], heard);
}
