//! A transcript as a module: what is answered, when, and what is noted. Without line and clock; the time is the test's.
//!
//! Longer than 400 lines: one talk after the other, each a test that stands for itself.

use std::fs;
use std::path::Path;
use std::time::Duration;
use std::time::Instant;

use modemrig::engine::clock;
use modemrig::replay::Player;
use modemrig::replay::ReplayOptions;
use modemrig::replay::Script;
use modemrig::replay::Wrong;
use serde_json::Value;
use serde_json::json;

/// A host on a replayed file.
struct Play {
    player: Player,
    begin: Instant,
    now: Instant,
}

fn script(header: &Value, talk: &[(f64, &str, &str)], any_payload: bool) -> Script {
    let mut file = format!("{header}\n");
    for (t, dir, data) in talk {
        file.push_str(&format!("{}\n", json!({"t": t, "dir": dir, "data": data})));
    }
    Script::read(file.as_bytes(), any_payload).expect("a transcript")
}

fn play_as(header: &Value, talk: &[(f64, &str, &str)], options: ReplayOptions) -> Play {
    let begin = clock::now();
    let mut player = Player::new(script(header, talk, options.any_payload), options);
    player.host_came(begin);
    Play { player, begin, now: begin }
}

fn play(talk: &[(f64, &str, &str)]) -> Play {
    play_as(&json!({"format": 1}), talk, ReplayOptions::default())
}

impl Play {
    /// Types this; what comes at once.
    fn at_once(&mut self, bytes: &str) -> String {
        self.player.receive(&latin1(bytes), self.now);
        self.heard()
    }

    /// Types this; everything that comes until nothing is due.
    fn types(&mut self, bytes: &str) -> String {
        let mut said = self.at_once(bytes);
        for _ in 0..1000 {
            let Some(due) = self.player.next_deadline() else { break };
            self.now = self.now.max(due);
            self.player.handle_deadline(self.now);
            said += &self.heard();
        }
        said
    }

    fn asks(&mut self, line: &str) -> String {
        self.types(&format!("{line}\r"))
    }

    /// What comes in this time.
    fn after(&mut self, ms: u64) -> String {
        self.now += Duration::from_millis(ms);
        self.player.handle_deadline(self.now);
        self.heard()
    }

    fn heard(&mut self) -> String {
        let mut said = Vec::new();
        while let Some(bytes) = self.player.poll_transmit() {
            said.extend(bytes);
        }
        said.into_iter().map(char::from).collect()
    }

    fn wrong(&self) -> Vec<Wrong> {
        self.player.mismatches().iter().map(|mismatch| mismatch.wrong).collect()
    }
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u32::from(c) as u8).collect()
}

const OK: &str = "\r\nOK\r\n";

const SESSION: &[(f64, &str, &str)] = &[
    (0.0, "tx", "ATE0\r"),
    (0.1, "rx", "ATE0\r\r\nOK\r\n"),
    (1.0, "tx", "AT+CREG?\r"),
    (1.1, "rx", "\r\n+CREG: 0,2\r\n\r\nOK\r\n"),
    (2.0, "tx", "AT+CREG?\r"),
    (2.1, "rx", "\r\n+CREG: 0,1\r\n\r\nOK\r\n"),
    (3.0, "tx", "AT+QMTOPEN=0,\"hub.example\",1883\r"),
    (3.1, "rx", "\r\nOK\r\n"),
    (4.6, "rx", "\r\n+QMTOPEN: 0,0\r\n"),
    (5.0, "tx", "AT+QMTCONN=0,\"dev\",\"user\",\"******\"\r"),
    (5.1, "rx", "\r\nOK\r\n"),
    (5.6, "rx", "\r\n+QMTCONN: 0,0,0\r\n"),
    (6.0, "tx", "AT+QMTPUBEX=0,1,1,0,\"a/up\",5\r"),
    (6.1, "rx", "\r\n> "),
    (6.2, "tx", "21.5C"),
    (6.3, "rx", "\r\nOK\r\n"),
    (6.9, "rx", "\r\n+QMTPUBEX: 0,1,0\r\n"),
    (36.9, "rx", "\r\n+QMTRECV: 0,0,\"a/cmd\",\"on\"\r\n"),
    (40.0, "tx", "AT+QMTDISC=0\r"),
    (40.1, "rx", "\r\nOK\r\n\r\n+QMTDISC: 0,0\r\n"),
];

#[test]
fn a_host_that_asks_the_same_hears_the_same() {
    let mut play = play(SESSION);
    assert_eq!(format!("ATE0\r{OK}"), play.asks("ATE0"));
    assert_eq!(format!("\r\n+CREG: 0,2\r\n{OK}"), play.asks("AT+CREG?"));
    assert_eq!(format!("\r\n+CREG: 0,1\r\n{OK}"), play.asks("AT+CREG?"));
    assert_eq!(format!("{OK}\r\n+QMTOPEN: 0,0\r\n"), play.asks("at+qmtopen = 0, \"hub.example\", 1883"));
    assert_eq!(format!("{OK}\r\n+QMTCONN: 0,0,0\r\n"), play.asks("AT+QMTCONN=0,\"dev\",\"user\",\"another password\""));
    assert_eq!("\r\n> ", play.asks("AT+QMTPUBEX=0,1,1,0,\"a/up\",5"));
    assert_eq!(format!("{OK}\r\n+QMTPUBEX: 0,1,0\r\n\r\n+QMTRECV: 0,0,\"a/cmd\",\"on\"\r\n"), play.types("21.5C"));
    assert!(!play.player.is_finished());
    assert_eq!(format!("{OK}\r\n+QMTDISC: 0,0\r\n"), play.asks("AT+QMTDISC=0"));
    assert!(play.player.is_finished());
    assert_eq!(Vec::<Wrong>::new(), play.wrong());
    assert_eq!(Vec::<String>::new(), play.player.left());
}

#[test]
fn without_the_times_pauses_shrink_to_20_ms_and_with_them_they_are_as_recorded() {
    let mut quick = play(SESSION);
    quick.asks("ATE0");
    assert_eq!(OK, quick.at_once("AT+QMTOPEN=0,\"hub.example\",1883\r"));
    assert_eq!("", quick.after(19));
    assert_eq!("\r\n+QMTOPEN: 0,0\r\n", quick.after(1));

    let times = ReplayOptions { times: true, ..ReplayOptions::default() };
    let mut exact = play_as(&json!({"format": 1}), SESSION, times);
    assert_eq!("", exact.at_once("ATE0\r"));
    assert_eq!("", exact.after(99));
    assert_eq!(format!("ATE0\r{OK}"), exact.after(1), "the echo came with the answer");
    assert_eq!("", exact.at_once("AT+QMTOPEN=0,\"hub.example\",1883\r"));
    assert_eq!(OK, exact.after(100));
    assert_eq!("", exact.after(1499));
    assert_eq!("\r\n+QMTOPEN: 0,0\r\n", exact.after(1));
}

#[test]
fn a_host_that_goes_on_earlier_gets_what_is_outstanding_first() {
    let times = ReplayOptions { times: true, ..ReplayOptions::default() };
    let mut play = play_as(&json!({"format": 1}), SESSION, times);
    play.asks("ATE0");
    play.at_once("AT+QMTPUBEX=0,1,1,0,\"a/up\",5\r");
    assert_eq!("\r\n> ", play.after(100));
    play.at_once("21.5C");
    assert_eq!(OK, play.after(100));
    let outstanding = "\r\n+QMTPUBEX: 0,1,0\r\n\r\n+QMTRECV: 0,0,\"a/cmd\",\"on\"\r\n";
    assert_eq!(outstanding, play.at_once("AT+QMTDISC=0\r"), "the message of 30 s later comes at its place");
    assert_eq!(format!("{OK}\r\n+QMTDISC: 0,0\r\n"), play.after(100));
}

#[test]
fn a_command_sent_while_another_runs_waits_for_its_turn() {
    let times = ReplayOptions { times: true, ..ReplayOptions::default() };
    let mut play = play_as(&json!({"format": 1}), SESSION, times);
    play.asks("ATE0");
    assert_eq!("", play.at_once("AT+CREG?\rAT+CREG?\r"));
    assert_eq!(format!("\r\n+CREG: 0,2\r\n{OK}"), play.after(100));
    assert_eq!(format!("\r\n+CREG: 0,1\r\n{OK}"), play.after(100));
}

#[test]
fn what_tells_no_state_may_be_asked_again_and_what_changes_something_may_not() {
    let mut play = play(SESSION);
    play.asks("ATE0");
    play.asks("AT+CREG?");
    for _ in 0..3 {
        assert_eq!(format!("\r\n+CREG: 0,1\r\n{OK}"), play.asks("AT+CREG?"));
    }
    play.asks("AT+QMTOPEN=0,\"hub.example\",1883");
    assert_eq!("\r\nERROR\r\n", play.asks("AT+QMTOPEN=0,\"hub.example\",1883"));
    assert_eq!(vec![Wrong::Again], play.wrong());
    let said = play.player.mismatches()[0].to_string();
    assert!(said.contains("QMTOPEN") && said.contains("QMTCONN=0,\"dev\",\"user\",\"******\" next"), "{said}");
}

#[test]
fn the_state_of_the_service_may_be_asked_again_until_something_changes() {
    let mut play =
        play(&[(0.0, "tx", "AT+QMTOPEN?\r"), (0.1, "rx", OK), (1.0, "tx", "AT+QMTCLOSE=0\r"), (1.1, "rx", OK)]);
    assert_eq!(OK, play.asks("AT+QMTOPEN?"));
    assert_eq!(OK, play.asks("AT+QMTOPEN?"));
    assert_eq!(OK, play.asks("AT+QMTCLOSE=0"));
    assert_eq!("\r\nERROR\r\n", play.asks("AT+QMTOPEN?"));
    assert_eq!(vec![Wrong::Again], play.wrong());
}

#[test]
fn what_the_file_does_not_have_is_refused_and_noted_with_what_it_had_next() {
    let mut play = play(SESSION);
    play.asks("ATE0");
    assert_eq!("\r\nERROR\r\n", play.asks("AT+QMTCONN=0,\"other\",\"user\",\"hush hush\""));
    assert_eq!(vec![Wrong::Unknown], play.wrong());
    let mismatch = &play.player.mismatches()[0];
    assert_eq!("AT+QMTCONN=0,\"other\",\"user\",\"*********\"", mismatch.asked, "the host's own secret is covered");
    assert_eq!(Some("AT+CREG?"), mismatch.expected.as_deref());
}

#[test]
fn commands_may_be_left_out_and_are_told_and_one_that_comes_late_is_noted() {
    let mut play = play(SESSION);
    play.asks("ATE0");
    assert_eq!(format!("{OK}\r\n+QMTCONN: 0,0,0\r\n"), play.asks("AT+QMTCONN=0,\"dev\",\"user\",\"x\""));
    assert_eq!(Vec::<Wrong>::new(), play.wrong());
    assert_eq!(5, play.player.left().len());
    assert_eq!(format!("{OK}\r\n+QMTOPEN: 0,0\r\n"), play.asks("AT+QMTOPEN=0,\"hub.example\",1883"));
    assert_eq!(vec![Wrong::Order], play.wrong());
    assert_eq!(Vec::from(["AT+CREG?", "AT+CREG?"]), play.player.left()[..2]);
}

#[test]
fn another_payload_is_noted_unless_any_will_do() {
    let mut strict = play(SESSION);
    strict.asks("ATE0");
    strict.asks("AT+QMTPUBEX=0,1,1,0,\"a/up\",5");
    assert!(strict.types("22.0C").starts_with(OK));
    assert_eq!(vec![Wrong::Payload], strict.wrong());
    assert_eq!("\r\nERROR\r\n", strict.asks("AT+QMTPUBEX=0,1,1,0,\"a/up\",4"));

    let options = ReplayOptions { any_payload: true, ..ReplayOptions::default() };
    let mut open = play_as(&json!({"format": 1}), SESSION, options);
    open.asks("ATE0");
    assert_eq!("\r\n> ", open.asks("AT+QMTPUBEX=0,1,1,0,\"a/up\",7"));
    assert!(open.types("1234567").starts_with(OK));
    assert_eq!(Vec::<Wrong>::new(), open.wrong());
}

#[test]
fn a_covered_upload_takes_another_file_of_another_length() {
    let mut play = play(&[
        (0.0, "tx", "AT+QFUPL=\"k.pem\",8\r"),
        (0.1, "rx", "\r\nCONNECT\r\n"),
        (0.2, "tx", "********"),
        (0.3, "rx", "\r\n+QFUPL: 8,41f2\r\n\r\nOK\r\n"),
    ]);
    assert_eq!("\r\nCONNECT\r\n", play.asks("AT+QFUPL=\"k.pem\",11"));
    assert_eq!(format!("\r\n+QFUPL: 8,41f2\r\n{OK}"), play.types("AT\rPRIVATE!\n"));
    assert_eq!(Vec::<Wrong>::new(), play.wrong());
}

#[test]
fn a_payload_up_to_ctrl_z_and_one_of_an_unknown_command_end_as_recorded() {
    let mut play = play(&[
        (0.0, "tx", "AT+QMTPUB=0,1,1,0,\"a\"\r"),
        (0.1, "rx", "\r\n> "),
        (0.2, "tx", "21"),
        (0.3, "tx", "\u{1a}"),
        (0.4, "rx", "\r\nOK\r\n\r\n+QMTPUB: 0,1,0\r\n"),
        (1.0, "tx", "AT+QISEND=0,4\r"),
        (1.1, "rx", "\r\n> "),
        (1.2, "tx", "AT\r\n"),
        (1.3, "rx", "\r\nSEND OK\r\n"),
        (2.0, "tx", "AT+QMTPUB=0,1,1,0,\"a\"\r"),
        (2.1, "rx", "\r\n> "),
        (2.2, "tx", "x\u{1b}"),
        (2.3, "rx", OK),
    ]);
    assert_eq!("\r\n> ", play.asks("AT+QMTPUB=0,1,1,0,\"a\""));
    assert_eq!(format!("{OK}\r\n+QMTPUB: 0,1,0\r\n"), play.types("21\u{1a}"));
    assert_eq!("\r\n> ", play.asks("AT+QISEND=0,4"));
    assert_eq!("\r\nSEND OK\r\n", play.types("AT\r\n"));
    assert_eq!("\r\n> ", play.asks("AT+QMTPUB=0,1,1,0,\"a\""));
    assert_eq!(OK, play.types("y\u{1b}"), "cancelled, whatever was typed");
    assert_eq!(Vec::<Wrong>::new(), play.wrong());
    assert!(play.player.is_finished());
}

#[test]
fn a_payload_typed_as_digits_is_twice_as_long() {
    let mut play = play_as(
        &json!({"format": 1, "dialect": "ecx00u_egx00u"}),
        &[
            (0.0, "tx", "AT+QMTCFG=\"send/mode\",0,1\r"),
            (0.1, "rx", OK),
            (1.0, "tx", "AT+QMTPUBEX=0,1,1,0,\"a\",3\r"),
            (1.1, "rx", "\r\n> "),
            (1.2, "tx", "414243"),
            (1.3, "rx", OK),
            (2.0, "tx", "AT+CSQ\r"),
            (2.1, "rx", "\r\n+CSQ: 24,99\r\n\r\nOK\r\n"),
        ],
        ReplayOptions::default(),
    );
    play.asks("AT+QMTCFG=\"send/mode\",0,1");
    assert_eq!("\r\n> ", play.asks("AT+QMTPUBEX=0,1,1,0,\"a\",3"));
    assert_eq!("", play.types("414"));
    assert_eq!(OK, play.types("243"));
    assert_eq!(format!("\r\n+CSQ: 24,99\r\n{OK}"), play.asks("AT+CSQ"));
    assert_eq!(Vec::<Wrong>::new(), play.wrong());
}

#[test]
fn echo_is_the_hosts_wish_whatever_the_recorded_host_wished() {
    let mut silent = play(SESSION);
    assert_eq!(format!("AT+CREG?\r\r\n+CREG: 0,2\r\n{OK}"), silent.asks("AT+CREG?"), "echo is on until ATE0");
    assert_eq!(format!("ATE0\r{OK}"), silent.asks("ATE0"));
    assert_eq!(format!("\r\n+CREG: 0,1\r\n{OK}"), silent.asks("AT+CREG?"));
    assert_eq!(OK, silent.asks("ATE1"), "the file has no ATE1");
    assert_eq!(format!("AT+CREG?\r\r\n+CREG: 0,1\r\n{OK}"), silent.asks("AT+CREG?"));
    assert_eq!(Vec::<Wrong>::new(), silent.wrong());
}

#[test]
fn a_restart_in_the_file_brings_its_echo_back() {
    let mut play = play(&[
        (0.0, "tx", "AT+CFUN=1,1\r"),
        (0.1, "rx", "\r\nOK\r\n"),
        (5.0, "rx", "\r\nRDY\r\n"),
        (6.0, "tx", "AT\r"),
        (6.1, "rx", "AT\r\r\nOK\r\n"),
    ]);
    assert_eq!(format!("{OK}\r\nRDY\r\n"), play.asks("AT+CFUN=1,1"));
    assert_eq!(format!("AT\r{OK}"), play.asks("AT"));
}

#[test]
fn an_echoed_payload_is_the_hosts_own() {
    let mut play = play(&[
        (0.0, "tx", "AT+QMTPUBEX=0,1,1,0,\"a/up\",5\r"),
        (0.1, "rx", "AT+QMTPUBEX=0,1,1,0,\"a/up\",5\r\r\n> "),
        (0.2, "tx", "21.5C"),
        (0.3, "rx", "21.5C\r\nOK\r\n"),
    ]);
    assert_eq!("AT+QMTPUBEX=0,1,1,0,\"a/up\",5\r\r\n> ", play.asks("AT+QMTPUBEX=0,1,1,0,\"a/up\",5"));
    assert_eq!(format!("22.0C{OK}"), play.types("22.0C"));
}

#[test]
fn set_up_and_identity_are_answered_though_the_file_has_them_not() {
    let identity =
        json!({"manufacturer": "Quectel", "model": "EC200U", "revision": "EC200UR1", "imei": "861234567890123"});
    let header = json!({"format": 1, "dialect": "ecx00u_egx00u", "identity": identity});
    let talk = [(0.0, "tx", "AT+QMTDISC=0\r"), (0.1, "rx", OK)];
    let mut known = play_as(&header, &talk, ReplayOptions::default());
    assert_eq!(OK, known.asks("ATE0Q0V1"));
    assert_eq!(format!("\r\nQuectel\r\nEC200U\r\nRevision: EC200UR1\r\n{OK}"), known.asks("ATI"));
    assert_eq!(format!("\r\n861234567890123\r\n{OK}"), known.asks("AT+CGSN"));
    assert_eq!(OK, known.asks("AT+CMEE=2"));
    assert_eq!("\r\nERROR\r\n", known.asks("AT+CPIN?"), "what the file does not have is not made up");
    assert_eq!(vec![Wrong::Unknown], known.wrong());

    let mut learned =
        play(&[(0.0, "tx", "ATI\r"), (0.1, "rx", "\r\nQuectel\r\nEC800E\r\nRevision: EC800ER01A01\r\n\r\nOK\r\n")]);
    assert_eq!(format!("\r\nEC800E\r\n{OK}"), learned.asks("AT+CGMM"));
    assert_eq!(format!("\r\nEC800ER01A01\r\n{OK}"), learned.asks("AT+CGMR"));

    let mut simcom = play(&[(0.0, "tx", "AT+CMQTTSTART\r"), (0.1, "rx", OK)]);
    assert!(simcom.asks("ATI").contains("Manufacturer: SIMCOM"));
}

#[test]
fn the_first_host_hears_what_was_said_before_the_first_command() {
    let mut play = play(&[
        (7.0, "rx", "\r\nRDY\r\n"),
        (9.0, "rx", "\r\n+CPIN: READY\r\n"),
        (12.0, "tx", "AT\r"),
        (12.1, "rx", OK),
    ]);
    assert_eq!("\r\nRDY\r\n", play.heard());
    assert_eq!("\r\n+CPIN: READY\r\n", play.types(""), "a little later");
    assert_eq!(OK, play.asks("AT"));
    play.player.host_left();
    play.player.host_came(play.now);
    assert_eq!("", play.types(""), "once");
    assert!(play.now - play.begin <= Duration::from_millis(40));
}

#[test]
fn a_host_that_leaves_in_the_middle_of_a_line_spoils_nothing() {
    let mut play = play(SESSION);
    play.asks("ATE0");
    play.at_once("AT+CRE");
    play.player.host_left();
    play.player.host_came(play.now);
    assert_eq!(format!("\r\n+CREG: 0,2\r\n{OK}"), play.asks("AT+CREG?"));
}

#[test]
fn an_echo_comes_when_it_came_and_at_once_to_one_who_types() {
    let talk = [(0.0, "tx", "AT+CSQ\r"), (0.1, "rx", "AT+CSQ\r"), (0.3, "rx", "\r\n+CSQ: 24,99\r\n\r\nOK\r\n")];
    let times = ReplayOptions { times: true, ..ReplayOptions::default() };
    let mut play = play_as(&json!({"format": 1}), &talk, times);
    assert_eq!("AT", play.at_once("AT"));
    assert_eq!("+CSQ", play.at_once("+CSQ"));
    assert_eq!("", play.at_once("\r"));
    assert_eq!("\r", play.after(100));
    assert_eq!("", play.after(199));
    assert_eq!(format!("\r\n+CSQ: 24,99\r\n{OK}"), play.after(1));
    assert_eq!(format!("AT+CSQ\r\r\n+CSQ: 24,99\r\n{OK}"), play.asks("AT+CSQ"));
    assert_eq!("AT+NO\r\r\nERROR\r\n", play.at_once("AT+NO\r"));
}

#[test]
fn a_line_that_came_before_the_echo_is_said_before_the_command() {
    let mut play = play(&[
        (0.0, "tx", "AT+CSQ\r"),
        (0.1, "rx", "AT+CSQ\r\r\n+CSQ: 24,99\r\n\r\nOK\r\n"),
        (1.0, "tx", "AT+CGATT?\r"),
        (1.1, "rx", "\r\n+X: 1\r\nAT+CGA"),
        (1.2, "rx", "TT?\r\r\n+CGATT: 1\r\n\r\nOK\r\n"),
    ]);
    assert_eq!(format!("AT+CSQ\r\r\n+CSQ: 24,99\r\n{OK}\r\n+X: 1\r\n"), play.asks("AT+CSQ"));
    assert_eq!(format!("AT+CGATT?\r\r\n+CGATT: 1\r\n{OK}"), play.asks("AT+CGATT?"));
}

#[test]
fn nothing_unsolicited_comes_into_a_line_that_is_being_typed() {
    let mut play = play(SESSION);
    play.asks("ATE0");
    assert_eq!(OK, play.at_once("AT+QMTOPEN=0,\"hub.example\",1883\r"));
    assert_eq!("\r\n+QMTOPEN: 0,0\r\n", play.at_once("AT+QMTCO"), "before its first character");
    assert_eq!(OK, play.at_once("NN=0,\"dev\",\"user\",\"p\"\r"));
}

#[test]
fn commands_sent_ahead_get_each_its_own_answer() {
    let mut play = play(&[
        (0.0, "tx", "AT+CSQ\rAT+CGATT?\r"),
        (0.2, "rx", "AT+CSQ\r\r\n+CSQ: 24,99\r\n\r\nOK\r\nAT+CGATT?\r\r\n+CGATT: 1\r\n\r\nOK\r\n"),
        (1.0, "tx", "AT+COPS?\r"),
        // Nobody answers, and the host asks again.
        (3.0, "tx", "AT+COPS?\r"),
        (3.1, "rx", "AT+COPS?\r\r\n+COPS: 0\r\n\r\nOK\r\n"),
    ]);
    assert_eq!(format!("AT+CSQ\r\r\n+CSQ: 24,99\r\n{OK}"), play.asks("AT+CSQ"));
    assert_eq!(format!("AT+CGATT?\r\r\n+CGATT: 1\r\n{OK}"), play.asks("AT+CGATT?"));
    assert_eq!("AT+COPS?\r", play.asks("AT+COPS?"));
    assert_eq!(format!("AT+COPS?\r\r\n+COPS: 0\r\n{OK}"), play.asks("AT+COPS?"));
}

#[test]
fn a_file_without_header_and_with_a_clock_that_runs_backwards_is_played() {
    let file = [
        (5.0, "tx", "AT\r"),
        (4.0, "rx", OK),
        (f64::MAX, "rx", "\r\n+X: 1\r\n"),
        (0.0, "tx", "AT+Y\r"),
        (0.0, "rx", OK),
    ];
    let lines: Vec<String> =
        file.iter().map(|(t, dir, data)| json!({"t": t, "dir": dir, "data": data}).to_string()).collect();
    let script = Script::read(lines.join("\n").as_bytes(), false).expect("a transcript");
    let begin = clock::now();
    let mut play = Play { player: Player::new(script, ReplayOptions::default()), begin, now: begin };
    assert_eq!(format!("{OK}\r\n+X: 1\r\n"), play.asks("AT"));
    assert_eq!(OK, play.asks("AT+Y"));
}

#[test]
fn a_broken_line_is_named() {
    let error = Script::read(&b"{\"format\":1}\n{\"t\":0,\"dir\":\"tx\",\"da"[..], false).expect_err("a broken line");
    assert_eq!(2, error.line);
}

#[test]
fn the_outcome_is_the_same_wherever_the_bytes_were_cut() {
    let whole = script(&json!({"format": 1}), SESSION, false);
    let bytes: usize = SESSION.iter().map(|(_, _, data)| data.len()).sum();
    for cut in 1..bytes {
        let mut talk: Vec<(f64, &str, &str)> = Vec::new();
        let mut before = 0;
        for (t, dir, data) in SESSION {
            let at = cut.saturating_sub(before).min(data.len());
            before += data.len();
            talk.extend([(*t, *dir, &data[..at]), (*t, *dir, &data[at..])]);
        }
        talk.retain(|(_, _, data)| !data.is_empty());
        assert_eq!(whole.exchanges, script(&json!({"format": 1}), &talk, false).exchanges, "cut at {cut}");
    }
    let single: Vec<(f64, &str, &str)> = SESSION
        .iter()
        .flat_map(|(t, dir, data)| (0..data.len()).map(move |at| (*t, *dir, &data[at..at + 1])))
        .collect();
    assert_eq!(whole.exchanges, script(&json!({"format": 1}), &single, false).exchanges, "byte by byte");
}

/// The shapes known from the field: file header, what the host sent, what the module said.
fn shapes(table: &str) -> Vec<(Value, Value)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/wire-shapes.toml");
    let text = fs::read_to_string(path).expect("the file of shapes");
    let file: toml::Table = text.parse().expect("the file of shapes is TOML");
    let rows = file[table].as_array().expect("rows").iter();
    let rows = rows.map(|row| serde_json::to_value(row).expect("TOML has a JSON form"));
    rows.map(|row| {
        let mut header = json!({"format": 1, "family": row["family"]});
        header.as_object_mut().expect("an object").extend(row["set"].as_object().cloned().unwrap_or_default());
        (header, row)
    })
    .collect()
}

#[test]
fn every_shape_of_the_field_comes_back_byte_for_byte() {
    let mut played = 0;
    for (header, row) in shapes("vector") {
        let Some(tx) = row["tx"].as_str() else { continue };
        let rx = row["rx"].as_str().expect("bytes");
        let count = rx.chars().count();
        for cut in 0..=count {
            let (one, two): (String, String) = (rx.chars().take(cut).collect(), rx.chars().skip(cut).collect());
            let talk = [(0.0, "tx", tx), (0.1, "rx", one.as_str()), (0.1, "rx", two.as_str())];
            let mut play = play_as(&header, &talk, ReplayOptions::default());
            let before = play.types("");
            assert_eq!(rx, before + &play.types(tx), "{} cut at {cut}", row["id"]);
            assert_eq!(Vec::<Wrong>::new(), play.wrong(), "{}", row["id"]);
        }
        played += 1;
    }
    assert!(played > 50, "{played}");
}

#[test]
fn what_hosts_of_the_field_send_is_found_again() {
    for (header, row) in shapes("host") {
        let Some(tx) = row["tx"].as_str() else { continue };
        let prompt = tx.contains("CMQTTTOPIC") || tx.contains('\u{1b}');
        let (line, rest) = tx.split_at(if prompt { tx.find('\r').expect("a line") + 1 } else { tx.len() });
        let talk = match prompt {
            true => vec![(0.0, "tx", line), (0.1, "rx", "\r\n> "), (0.2, "tx", rest), (0.3, "rx", OK)],
            false => vec![(0.0, "tx", tx), (0.1, "rx", OK)],
        };
        let mut play = play_as(&header, &talk, ReplayOptions::default());
        let said =
            talk.iter().filter(|(_, dir, _)| *dir == "tx").map(|(_, _, data)| play.types(data)).collect::<String>();
        assert!(said.ends_with(OK), "{}: {said:?}", row["id"]);
        assert_eq!(Vec::<Wrong>::new(), play.wrong(), "{}", row["id"]);
        assert!(play.player.left().is_empty(), "{}: {:?}", row["id"], play.player.left());
    }
}

#[test]
fn a_file_of_two_hosts_is_played_to_one_after_the_other() {
    let half = |begin: f64, code: &'static str| {
        [
            (begin, "tx", "ATE0\r"),
            (begin + 0.1, "rx", "ATE0\r\r\nOK\r\n"),
            (begin + 1.0, "tx", "AT+QMTOPEN=0,\"hub\",1883\r"),
            (begin + 1.1, "rx", code),
        ]
    };
    let talk = [half(0.0, "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n"), half(60.0, "\r\nOK\r\n\r\n+QMTOPEN: 0,2\r\n")].concat();
    let mut play = play(&talk);
    for code in ["0,0", "0,2"] {
        assert!(play.asks("ATE0").ends_with(OK));
        assert_eq!(format!("{OK}\r\n+QMTOPEN: {code}\r\n"), play.asks("AT+QMTOPEN=0,\"hub\",1883"));
        play.player.host_left();
        play.player.host_came(play.now);
    }
    assert!(play.player.is_finished() && play.player.left().is_empty());
    assert_eq!(Vec::<Wrong>::new(), play.wrong());
}

#[test]
fn no_file_and_no_host_brings_it_down() {
    // Words that mean something to it, in any order, in any pieces, both ways.
    const WORDS: &[&str] = &[
        "AT",
        "ATE0\r",
        "ATE1\r",
        "AT+CSQ\r",
        "AT+QMTPUBEX=0,1,1,0,\"a\",3\r",
        "AT+QMTPUB=0,1,1,0,\"a\"\r",
        "AT+QISEND=0,4\r",
        "AT+QFUPL=\"k\",5\r",
        "\r\nOK\r\n",
        "\r\nERROR\r\n",
        "\r\n> ",
        ">",
        "\r\nCONNECT\r\n",
        "\r",
        "\n",
        "\u{1a}",
        "\u{1b}",
        "\u{8}",
        "+QMTPUBEX: 0,1,0\r\n",
        "abc",
        "***",
        "\u{ff}",
        "0\r",
        ";",
        "\"",
    ];
    let mut seed = 1_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for _ in 0..2000 {
        let talk: Vec<(f64, &str, &str)> = (0..random(40))
            .map(|_| (random(50) as f64 / 10.0, ["tx", "rx"][random(2)], WORDS[random(WORDS.len())]))
            .collect();
        let options = ReplayOptions { times: random(2) == 0, any_payload: random(2) == 0 };
        let recorded: usize = talk.iter().map(|(_, _, data)| data.chars().count()).sum();
        let mut play = play_as(&json!({"format": 1, "echo": random(2) == 0}), &talk, options);
        let mut said = 0;
        for _ in 0..random(60) {
            said += play.at_once(WORDS[random(WORDS.len())]).len() + play.after(random(300) as u64).len();
            match random(20) {
                0 => play.player.host_left(),
                1 => play.player.host_came(play.now),
                _ => {}
            }
        }
        said += play.types("").len();
        assert!(play.player.next_deadline().is_none(), "it comes to its end");
        assert!(play.player.left().len() <= play.player.exchanges());
        // What it says is the file, repeated answers, refusals and echoes: no more than this.
        assert!(said <= (recorded + 200) * 130, "{said} of {recorded}");
    }
}
