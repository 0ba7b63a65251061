//! What real modules do beside the documents (FIELD F8 to F23: forms, state, timing), against a live engine.

use std::time::Duration;

use modemrig::client::ClientState;
use modemrig::engine::Wait;
use modemrig::error::Kind;
use modemrig::proto::FinalResult;

use crate::engine_field::CMQTT;
use crate::engine_field::OK;
use crate::engine_field::QMT;
use crate::engine_field::connected;
use crate::engine_field::me;
use crate::engine_field::message;
use crate::engine_field::reply;
use crate::engine_field::wait;
use crate::engine_field::willing;
use crate::engine_port::Rule;
use crate::engine_port::is_in_step;
use crate::engine_port::module;
use crate::engine_port::rule;

const ERROR: &str = "\r\nERROR\r\n";

#[test]
fn f8_every_form_of_the_prompt_gets_the_payload_and_none_inside_a_message_does() {
    let done = format!("{OK}\r\n+QMTPUBEX: 0,7,0\r\n");
    for prompt in ["\r\n>", "\r\n> ", "\r\n>\r\n", "\r\n> \r\n"] {
        let rules = [rule("AT+QMTPUBEX=", &done).prompted(prompt)];
        for (modem, port, reply) in reply(QMT, &rules, "AT+QMTPUBEX=0,7,1,0,\"t\",5", Some(b"21.5C")) {
            assert!(reply.error.is_none(), "{prompt:?}: {reply:?}");
            assert_eq!(vec![b"21.5C".to_vec()], port.payloads(), "{prompt:?}");
            assert_eq!(0, modem.statistics().ignored, "{prompt:?}");
        }
    }
    // The sign inside a message that comes before the prompt is payload of that message.
    let hostile = "\r\n+QMTRECV: 0,0,\"t\",6,\"\r\n> \r\n\"\r\n\r\n> ";
    let port = module(vec![rule("AT+QMTPUBEX=", &done).prompted(hostile)]);
    let modem = port.open(QMT);
    modem.command("AT+QMTCFG=\"recv/mode\",0,0,1", None, wait()).expect("accepted");
    modem.command_exactly("AT+QMTPUBEX=0,7,1,0,\"t\",5", b"21.5C", wait()).expect("a result").check().expect("done");
    let taken = modem.client(0).expect("six").take_messages(2, wait()).expect("open");
    assert_eq!(b"\r\n> \r\n".to_vec(), taken[0].message.payload);
}

#[test]
fn f9_an_echoed_payload_that_imitates_answers_is_no_answer() {
    for payload in
        ["\r\nERROR\r\n", "\r\nOK\r\n\r\n+QMTPUBEX: 0,7,2\r\n", "> ", "\r\n+QMTSTAT: 0,1\r\n", "\r\nRDY\r\n", "0\r"]
    {
        let line = format!("AT+QMTPUBEX=0,7,1,0,\"t\",{}", payload.len());
        // The module does not do as it was told: the echo of the line says that the payload will come back as well.
        let rules = vec![
            rule("AT+QMTPUBEX=", &format!("{payload}{OK}\r\n+QMTPUBEX: 0,7,0\r\n")).prompted_behind_echo("\r\n> "),
        ];
        for rules in [rules.clone(), rules.into_iter().map(Rule::in_bytes).collect()] {
            let port = module(rules);
            let modem = port.open(QMT);
            let reply = modem.command_exactly(&line, payload.as_bytes(), wait()).expect("a result");
            assert!(reply.error.is_none(), "{payload:?}: {reply:?}");
            is_in_step(&modem, payload);
            let statistics = modem.statistics();
            assert_eq!((0, 0, 0), (statistics.restarts, statistics.stale, statistics.surplus), "{payload:?}");
            let told = port.heard().iter().filter(|line| *line == "ATE0Q0V1").count();
            assert_eq!(2, told, "it was told again not to echo");
        }
    }
}

#[test]
fn f10_every_form_of_a_message_is_delivered_by_a_live_engine() {
    let with_length = "AT+QMTCFG=\"recv/mode\",0,0,1";
    let hex = "AT+QMTCFG=\"dataformat\",0,0,1";
    for (settings, tail, payload) in [
        (&[][..], "\"off\"", "off"),
        (&[], "off", "off"),
        (&[], "\"\"", ""),
        (&[], "3,\"one\"", "one"),
        (&[], "\"a\"b\r\nc\",1\"", "a\"b\r\nc\",1"),
        (&[with_length], "3,\"one\"", "one"),
        (&[with_length], "3,one", "one"),
        (&[with_length], "5\r\nhello", "hello"),
        (&[with_length], "10,\"\"\r\n\r\nOK\r\n>\"", "\"\r\n\r\nOK\r\n>"),
        (&[with_length], "\"none after all\"", "none after all"),
        (&[hex], "\"00fF0D\"", "\0\u{ff}\r"),
        (&[with_length, hex], "3,00FF0D", "\0\u{ff}\r"),
    ] {
        for space in [" ", ""] {
            let port = module(Vec::new());
            let modem = port.open(QMT);
            for line in settings {
                modem.command(line, None, wait()).expect("accepted");
            }
            let wire = format!("\r\n+QMTRECV:{space}0,0,\"t\",{tail}\r\n");
            let expected: Vec<u8> = payload.chars().map(|c| u32::from(c) as u8).collect();
            let client = modem.client(0).expect("six");
            for pieces in [vec![wire.as_bytes()], wire.as_bytes().chunks(1).collect()] {
                // Nothing follows: silence may have to end it.
                port.say(pieces);
                let taken = client.take_messages(2, wait()).expect("open");
                assert_eq!(
                    vec![expected.clone()],
                    taken.into_iter().map(|it| it.message.payload).collect::<Vec<_>>(),
                    "{wire:?}"
                );
            }
            is_in_step(&modem, &wire);
        }
    }
    // The notice of a stored message: it is fetched.
    let fetched = "\r\n+QMTRECV: 0,0,\"t\",\"stored\"\r\n\r\nOK\r\n";
    let (_modem, port, client) = connected(QMT, vec![rule("AT+QMTRECV=0", fetched)]);
    port.say([&b"\r\n+QMTRECV: 0,2\r\n"[..]]);
    assert_eq!(b"stored".to_vec(), client.take_messages(2, wait()).expect("connected")[0].message.payload);
}

#[test]
fn f10_and_f11_a_damaged_line_is_told_and_nothing_behind_it_is_lost() {
    for (line, damaged) in [
        ("\r\n+QMTRECV: 0,0,\"t\",12,\"ab\"\r\n", 1),
        ("\r\n+QMTRECV: 0,0,\"t\",3,\"one\r\n", 0),
        ("\r\n+QMTRECV: 0,0,\"t\",3,\"one", 0),
    ] {
        let port = module(Vec::new());
        let modem = port.open(QMT);
        modem.command("AT+QMTCFG=\"recv/mode\",0,0,1", None, wait()).expect("accepted");
        let events = modem.subscribe();
        port.say([line.as_bytes(), b"\r\n+QMTSTAT: 0,1\r\n"]);
        let mut seen = Vec::new();
        while !seen.contains(&"lost".to_owned()) {
            for event in events.take(8, wait()).expect("open") {
                seen.push(modemrig::transcript::event_json(&event.event)["e"].as_str().expect("a kind").to_owned());
            }
        }
        assert_eq!(damaged, modem.statistics().damaged, "{line:?}");
        assert_eq!(1 - damaged, modem.statistics().messages, "{line:?}");
        is_in_step(&modem, line);
    }
}

#[test]
fn f12_a_connection_result_of_two_fields_is_a_result() {
    for (result, code) in [("0,0", Some(0)), ("0,2", Some(2))] {
        let answer = format!("{OK}\r\n+QMTCONN: {result}\r\n");
        for (_modem, _port, reply) in reply(QMT, &[rule("AT+QMTCONN=", &answer)], "AT+QMTCONN=0,\"me\"", None) {
            assert_eq!(code, reply.result.as_ref().map(|result| result.code));
            assert_eq!(code != Some(0), reply.error.is_some(), "{result}");
        }
    }
}

#[test]
fn f13_results_under_another_name_complete_their_request() {
    for (dialect, name, line, payload, result) in [
        (QMT, "AT+QMTPUBEX=", "AT+QMTPUBEX=0,7,1,0,\"t\",2", Some(&b"hi"[..]), "+QMTPUB: 0,7,0"),
        (QMT, "AT+QMTPUB=", "AT+QMTPUB=0,7,1,0,\"t\",\"{\"k\":1}\"", None, "+QMTPUB: 0,7,0"),
        (CMQTT, "AT+CMQTTSUB=", "AT+CMQTTSUB=0,1,1", Some(&b"a"[..]), "+CMQTTSUBTOPIC: 0,0"),
    ] {
        let answer = rule(name, &format!("{OK}\r\n{result}\r\n"));
        let answer = if payload.is_some() { answer.prompted("\r\n>") } else { answer };
        for (modem, _port, reply) in reply(dialect, &[answer], line, payload) {
            assert_eq!(Some(0), reply.result.map(|result| result.code), "{line}");
            assert_eq!(0, modem.statistics().stale, "{line}");
        }
    }
}

#[test]
fn f14_errors_in_words_and_results_in_figures() {
    for (_modem, _port, reply) in
        reply(QMT, &[rule("AT+CPIN?", "\r\n+CME ERROR: SIM not inserted\r\n")], "AT+CPIN?", None)
    {
        let error = reply.error.expect("refused");
        assert_eq!((Kind::CommandRefused, Some("SIM not inserted")), (error.kind, error.meaning.as_deref()));
    }
    // A module that fell back to figures: understood, and told again.
    for (answer, accepted) in [("0\r", true), ("4\r", false), ("+X: 1\r\n0\r", true)] {
        for (modem, port, reply) in reply(QMT, &[rule("AT+X=1", answer)], "AT+X=1", None) {
            assert_eq!(accepted, reply.final_result == Some(FinalResult::Ok), "{answer:?}: {reply:?}");
            assert_eq!(0, modem.statistics().timeouts, "{answer:?}");
            assert_eq!(2, port.heard().iter().filter(|line| *line == "ATE0Q0V1").count(), "{answer:?}");
        }
    }
}

#[test]
fn f15_received_blocks_with_blank_lines_in_parts_and_back_to_back() {
    for blank in ["", "\r\n"] {
        let block = format!(
            "\r\n+CMQTTRXSTART: 0,1,4\r\n{blank}+CMQTTRXTOPIC: 0,1\r\nt\r\n{blank}+CMQTTRXPAYLOAD: 0,2\r\n\r\n\r\n{blank}\
             +CMQTTRXPAYLOAD: 0,2\r\nOK\r\n{blank}+CMQTTRXEND: 0\r\n"
        );
        let port = module(Vec::new());
        let modem = port.open(CMQTT);
        let wire = block.repeat(3);
        port.say(wire.as_bytes().chunks(1));
        let client = modem.client(0).expect("one");
        let mut payloads = Vec::new();
        while payloads.len() < 3 {
            payloads.extend(client.take_messages(8, wait()).expect("open").into_iter().map(|it| it.message.payload));
        }
        assert_eq!(vec![b"\r\nOK".to_vec(); 3], payloads);
        is_in_step(&modem, "blocks");
    }
    // The end of one block glued to a result.
    let glued = "\r\n+CMQTTRXSTART: 0,1,1\r\n+CMQTTRXTOPIC: 0,1\r\nt\r\n+CMQTTRXPAYLOAD: 0,1\r\nx\r\n+CMQTTRXEND: 0+CMQTTPUB: 0,0\r\n";
    for (modem, _port, reply) in
        reply(CMQTT, &[rule("AT+CMQTTPUB=", &format!("{OK}{glued}"))], "AT+CMQTTPUB=0,1,60", None)
    {
        assert_eq!((Some(0), 1), (reply.result.map(|result| result.code), modem.statistics().messages));
    }
}

#[test]
fn f17_a_session_that_another_program_left_is_closed_first_and_opened_again() {
    let open = |code| rule("AT+QMTOPEN=", &format!("{OK}\r\n+QMTOPEN: 0,{code}\r\n"));
    // Opened too early once more: closing takes its time.
    for occupied in 1..3 {
        let rules = std::iter::repeat_with(|| open(2)).take(occupied).chain(willing()).collect();
        let port = module(rules);
        let client = port.open(QMT).client(0).expect("six");
        client.open("h", 1883, None, wait()).expect("opened in the end");
        let lines = port.heard();
        assert_eq!(occupied, lines.iter().filter(|line| *line == "AT+QMTCLOSE=0").count());
        assert_eq!(occupied + 1, lines.iter().filter(|line| line.starts_with("AT+QMTOPEN")).count());
    }
    let left = vec![
        rule("AT+CMQTTSTART", &format!("\r\n+CMQTTSTART: 23\r\n{ERROR}")),
        rule("AT+CMQTTACCQ=", &format!("\r\n+CMQTTACCQ: 0,19\r\n{ERROR}")),
        rule("AT+CMQTTACCQ=", OK),
    ];
    let (_modem, port, client) = connected(CMQTT, left);
    assert_eq!(ClientState::Connected, client.state());
    let released = port.heard().iter().filter(|line| *line == "AT+CMQTTREL=0").count();
    assert_eq!(1, released, "{:?}", port.heard());
}

#[test]
fn f18_closing_what_a_disconnection_freed_is_no_failure() {
    // Refused; or accepted, and no result ever: bounded.
    for answer in [ERROR, OK] {
        let (modem, _port, client) = connected(QMT, vec![rule("AT+QMTCLOSE=", answer)]);
        client.disconnect(wait()).expect("disconnected");
        client.close(wait()).expect("nothing is open");
        assert_eq!(ClientState::Closed, client.state());
        is_in_step(&modem, answer);
    }
}

#[test]
fn f19_a_connection_that_the_broker_dropped_before_connect_is_one_error_and_can_be_opened_again() {
    let refused = rule("AT+QMTCONN=", ERROR);
    let port = module(std::iter::once(refused).chain(willing()).collect());
    let modem = port.open(QMT);
    let client = modem.client(0).expect("six");
    client.open("h", 1883, None, wait()).expect("opened");
    port.say([&b"\r\n+QMTSTAT: 0,1\r\n"[..]]);
    assert_eq!(Some(1), client.connection_lost(wait()).expect("open").expect("a loss").code);
    assert_eq!(Kind::ConnectionLost, client.connect(&me(), wait()).expect_err("nothing is open").kind);
    client.open("h", 1883, None, wait()).expect("opened again");
    client.connect(&me(), wait()).expect("connected");
}

#[test]
fn f20_a_busy_client_is_asked_again_and_what_is_over_already_is_no_failure() {
    let busy = |name: &'static str| rule(name, &format!("\r\n{}: 0,14\r\n{ERROR}", &name[2..name.len() - 1]));
    let rules = vec![
        busy("AT+CMQTTTOPIC="),
        rule("AT+CMQTTTOPIC=", OK).prompted("\r\n>"),
        busy("AT+CMQTTREL="),
        rule("AT+CMQTTREL=", &format!("\r\n+CMQTTREL: 0,20\r\n{ERROR}")),
        rule("AT+CMQTTDISC=", &format!("\r\n+CMQTTDISC: 0,11\r\n{ERROR}")),
        rule("AT+CMQTTSTOP", &format!("\r\n+CMQTTSTOP: 19\r\n{ERROR}")),
    ];
    let (modem, _port, client) = connected(CMQTT, rules);
    client.publish(&message(b"x", 1), wait()).expect("taken at the second try").wait(wait()).expect("acknowledged");
    client.close(wait()).expect("all of it is over");
    is_in_step(&modem, "leftovers");
}

#[test]
fn f20_a_loss_right_behind_a_failed_publish_is_one_error_and_one_loss() {
    let failed = format!("\r\n+CMQTTPUB: 0,6\r\n{ERROR}\r\n+CMQTTCONNLOST: 0,1\r\n");
    let (modem, _port, client) = connected(CMQTT, vec![rule("AT+CMQTTPUB=", &failed)]);
    let error = client.publish(&message(b"x", 1), wait()).expect_err("failed");
    assert_eq!(Some(6), error.code, "{error}");
    assert_eq!(Some(1), client.connection_lost(wait()).expect("open").expect("a loss").code);
    assert!(client.connection_lost(Wait::at_most(Duration::ZERO)).expect("open").is_none());
    is_in_step(&modem, &failed);
}

#[test]
fn f20_the_result_of_a_publish_that_was_waited_for_in_vain_is_not_the_next_ones() {
    let (_modem, port, client) = connected(CMQTT, vec![rule("AT+CMQTTPUB=", OK), rule("AT+CMQTTPUB=", OK)]);
    let first = client.publish(&message(b"1", 1), wait()).expect("taken");
    let short = Wait::at_most(Duration::from_millis(50));
    assert_eq!(Kind::NoAnswer, client.publish(&message(b"2", 1), short).expect_err("the first is not done").kind);
    port.say([&b"\r\n+CMQTTPUB: 0,0\r\n"[..]]);
    first.wait(wait()).expect("its own result");
    let second = client.publish(&message(b"2", 1), wait()).expect("taken");
    assert!(second.result().is_none());
    port.say([&b"\r\n+CMQTTPUB: 0,0\r\n"[..]]);
    second.wait(wait()).expect("its own result");
}

#[test]
fn f21_old_firmware_that_refuses_lengths_is_read_by_quotation_marks_and_not_asked_again() {
    let refused = rule("AT+QMTCFG=\"recv/mode\"", ERROR);
    let (_modem, port, client) = connected(QMT, vec![refused]);
    port.say([&b"\r\n+QMTRECV: 0,0,\"t\",\"a\"b\"\r\n"[..]]);
    assert_eq!(b"a\"b".to_vec(), client.take_messages(1, wait()).expect("connected")[0].message.payload);
    client.close(wait()).expect("closed");
    client.open("h", 1883, None, wait()).expect("opened again");
    assert_eq!(1, port.heard().iter().filter(|line| line.contains("recv/mode")).count(), "{:?}", port.heard());
}

#[test]
fn f21_firmware_that_refuses_every_setting_is_used_without_them() {
    let (modem, port, client) = connected(QMT, vec![rule("AT+QMTCFG=", ERROR)]);
    port.say([&b"\r\n+QMTRECV: 0,0,\"t\",\"x\"\r\n"[..]]);
    assert_eq!(b"x".to_vec(), client.take_messages(1, wait()).expect("connected")[0].message.payload);
    client.close(wait()).expect("closed");
    let asked = || port.heard().iter().filter(|line| line.starts_with("AT+QMTCFG")).count();
    let before = asked();
    client.open("h", 1883, None, wait()).expect("opened again");
    assert_eq!(before, asked(), "{:?}", port.heard());
    is_in_step(&modem, "no settings");
}

#[test]
fn f21_a_context_that_is_active_already_is_no_failure() {
    let rules = vec![
        rule("AT+CPIN?", "\r\n+CPIN: READY\r\n\r\nOK\r\n"),
        rule("AT+CEREG?", "\r\n+CEREG: 0,1\r\n\r\nOK\r\n"),
        rule("AT+QIACT?", OK),
        rule("AT+QIACT?", "\r\n+QIACT: 1,1,1,\"10.0.0.1\"\r\n\r\nOK\r\n"),
        rule("AT+QIACT=1", ERROR),
    ];
    let modem = module(rules).open(QMT);
    let report = modem.attach(None, wait()).expect("attached");
    assert!(report.steps.iter().any(|(step, said, _)| step == "pdp" && said == "active"), "{report:?}");
}

#[test]
fn f22_a_slow_tls_handshake_is_waited_for() {
    let longest = Duration::from_secs(45);
    for dialect in modemrig::dialect::catalogue().dialects() {
        let dialling =
            if dialect.clients == 1 && dialect.id.starts_with("sim") { "AT+CMQTTCONNECT" } else { "AT+QMTOPEN" };
        // Where the document prints no time, the host has one of its own that is longer than any.
        if let Some(deadline) = dialect.deadline(dialling, &|_| None).filter(|_| dialect.command(dialling).is_some()) {
            assert!(deadline > longest, "{}: {deadline:?}", dialect.id);
        }
    }
}

#[test]
fn f23_a_result_may_come_at_once_with_ok_behind_a_read_boundary_or_much_later() {
    let result = "\r\n+QMTOPEN: 0,0\r\n";
    for pieces in [vec![format!("{OK}{result}")], vec![OK.to_owned(), result.to_owned()]] {
        let pieces = pieces.into_iter().map(String::into_bytes).collect();
        let port = module(vec![rule("AT+QMTOPEN=", "").cut(pieces)]);
        let modem = port.open(QMT);
        modem.command("AT+QMTOPEN=0,\"h\",1883", None, wait()).expect("a result").check().expect("opened");
    }
    // Later: commands run meanwhile, and nothing is given up.
    let port = module(vec![rule("AT+QMTOPEN=", OK)]);
    let modem = port.open(QMT);
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| modem.command("AT+QMTOPEN=0,\"h\",1883", None, wait()));
        while !port.heard().iter().any(|line| line.starts_with("AT+QMTOPEN")) {
            std::thread::yield_now();
        }
        for _ in 0..100 {
            is_in_step(&modem, "meanwhile");
        }
        port.say([result.as_bytes()]);
        opening.join().expect("no panic").expect("a result").check().expect("opened");
    });
    assert_eq!(0, modem.statistics().timeouts);
}
