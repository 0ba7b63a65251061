//! How the host sets a module up, whatever it starts as and whatever it loses; and what each count of the statistics counts.

use std::sync::Arc;
use std::time::Duration;

use modemrig::engine::Modem;
use modemrig::engine::OpenOptions;
use modemrig::engine::Statistics;
use modemrig::engine::Wait;
use modemrig::error::Kind;
use parking_lot::Mutex;

use crate::engine_field::QMT;
use crate::engine_field::connected;
use crate::engine_field::message;
use crate::engine_field::wait;
use crate::engine_field::willing;
use crate::engine_port::Heard;
use crate::engine_port::Says;
use crate::engine_port::ScriptedPort;
use crate::engine_port::is_in_step;
use crate::engine_port::module;
use crate::engine_port::ordinary;
use crate::engine_port::rule;

/// How a module speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mode {
    echo: bool,
    numeric: bool,
    quiet: bool,
    /// A command answers for itself in the mode before it.
    late: bool,
    /// It refuses basic commands run together.
    one_by_one: bool,
    /// It echoes whatever it is told.
    stubborn: bool,
}

impl Mode {
    /// What it becomes by this line; `None`: refused.
    fn told(self, line: &str) -> Option<Mode> {
        let (echo, numeric, quiet) = (self.echo, self.numeric, self.quiet);
        let (echo, numeric, quiet) = match line {
            "ATE0Q0V1" if self.one_by_one => return None,
            "ATE0Q0V1" => (false, false, false),
            "ATE0" => (false, numeric, quiet),
            "ATE1" => (true, numeric, quiet),
            "ATV1" => (echo, false, quiet),
            "ATV0" => (echo, true, quiet),
            "ATQ0" => (echo, numeric, false),
            "AT&F" => (true, false, false),
            _ => return Some(self),
        };
        Some(Mode { echo: echo || self.stubborn, numeric, quiet, ..self })
    }

    /// An ordinary answer as this mode writes it.
    fn writes(self, answer: &str, accepted: bool) -> String {
        let mut text = String::new();
        for line in answer.split("\r\n").filter(|line| !line.is_empty() && *line != "OK") {
            text.push_str(&if self.numeric { format!("{line}\r\n") } else { format!("\r\n{line}\r\n") });
        }
        text.push_str(match (self.quiet, self.numeric, accepted) {
            (true, ..) => "",
            (_, true, true) => "0\r",
            (_, true, false) => "4\r",
            (_, false, true) => "\r\nOK\r\n",
            (_, false, false) => "\r\nERROR\r\n",
        });
        text
    }
}

/// A module that speaks in this mode; the mode can be changed behind the host's back.
fn speaking(mode: Mode) -> (ScriptedPort, Arc<Mutex<Mode>>) {
    let shared = Arc::new(Mutex::new(mode));
    let own = Arc::clone(&shared);
    let port = ScriptedPort::new(move |heard| {
        let Heard::Line(line) = heard else { return Says::default() };
        let mut mode = own.lock();
        let before = *mode;
        let told = before.told(line);
        *mode = told.unwrap_or(before);
        let said = ordinary(line).pieces.concat();
        let said = String::from_utf8(said).expect("text");
        let answering =
            if before.late { Mode { quiet: before.quiet, numeric: before.numeric, ..*mode } } else { *mode };
        let echo = if before.echo { format!("{line}\r") } else { String::new() };
        let text = format!("{echo}{}", answering.writes(&said, told.is_some()));
        Says { pieces: vec![text.into_bytes()], takes: None }
    });
    (port, shared)
}

#[test]
fn a_module_is_set_up_whatever_it_starts_as() {
    let choices = [false, true];
    let mut seen = 0;
    std::thread::scope(|scope| {
        for bits in 0..32_usize {
            let [echo, numeric, quiet, late, one_by_one] = [0, 1, 2, 3, 4].map(|bit| choices[bits >> bit & 1]);
            seen += 1;
            scope.spawn(move || {
                let start = Mode { echo, numeric, quiet, late, one_by_one, stubborn: false };
                let (port, mode) = speaking(start);
                let modem = port.open(QMT);
                assert_eq!("861234567890123", modem.identity().imei, "{start:?}");
                is_in_step(&modem, &format!("{start:?}"));
                let told = *mode.lock();
                assert_eq!((false, false, false), (told.echo, told.numeric, told.quiet), "{start:?}");
            });
        }
    });
    assert_eq!(32, seen);
}

#[test]
fn a_setting_that_the_module_lost_is_told_again() {
    let lost = [
        Mode { echo: true, ..Mode::default() },
        Mode { numeric: true, ..Mode::default() },
        Mode { echo: true, numeric: true, ..Mode::default() },
    ];
    for lost in lost {
        let (port, mode) = speaking(Mode::default());
        let modem = port.open(QMT);
        *mode.lock() = lost;
        is_in_step(&modem, &format!("{lost:?}"));
        is_in_step(&modem, &format!("{lost:?}, told again"));
        assert_eq!(Mode::default(), *mode.lock());
        let statistics = modem.statistics();
        assert_eq!((0, 0), (statistics.timeouts, statistics.resynchronised), "{lost:?}");
    }
}

#[test]
fn a_module_that_fell_silent_but_for_its_lines_is_told_to_answer() {
    let (port, mode) = speaking(Mode::default());
    let modem = port.open(QMT);
    mode.lock().quiet = true;
    let error = modem.command("+COPS?", None, Wait::at_most(Duration::from_millis(100))).expect_err("no final result");
    assert_eq!(Kind::NoAnswer, error.kind);
    is_in_step(&modem, "quiet");
    assert_eq!((Mode::default(), 1, 1), (*mode.lock(), modem.statistics().timeouts, modem.statistics().resynchronised));
}

#[test]
fn a_reset_to_the_factorys_settings_is_made_good_before_the_next_command() {
    let (port, mode) = speaking(Mode::default());
    let modem = port.open(QMT);
    modem.command("AT&F", None, wait()).expect("an answer");
    assert!(mode.lock().echo);
    is_in_step(&modem, "reset");
    assert_eq!(["AT&F", "ATE0Q0V1", "AT+COPS?"], port.heard()[port.heard().len() - 3..]);
}

#[test]
fn a_caller_who_wants_echo_or_figures_keeps_them() {
    for (line, wanted) in
        [("ATE1", Mode { echo: true, ..Mode::default() }), ("ATV0", Mode { numeric: true, ..Mode::default() })]
    {
        let (port, mode) = speaking(Mode::default());
        let modem = port.open(QMT);
        modem.command(line, None, wait()).expect("an answer");
        port.forget_heard();
        is_in_step(&modem, line);
        is_in_step(&modem, line);
        assert_eq!((wanted, vec!["AT+COPS?".to_owned(); 2]), (*mode.lock(), port.heard()));
    }
}

#[test]
fn a_module_that_echoes_whatever_it_is_told_is_told_a_few_times_and_taken_as_it_is() {
    let (port, _mode) = speaking(Mode { echo: true, stubborn: true, ..Mode::default() });
    let modem = port.open(QMT);
    for _ in 0..10 {
        is_in_step(&modem, "stubborn");
    }
    let told = port.heard().iter().filter(|line| *line == "ATE0Q0V1").count();
    assert!((2..=4).contains(&told), "told {told} times");
}

#[test]
fn what_is_lost_at_power_down_is_set_again_when_it_is_needed() {
    let answer = "\r\nOK\r\n\r\n+QMTPUBEX: 0,1,0\r\n";
    let (modem, port, client) = connected(QMT, vec![rule("AT+QMTPUBEX=", answer).prompted("\r\n> ")]);
    let settings = || port.heard().iter().filter(|line| line.contains("\"recv/mode\",0,0,1")).count();
    assert_eq!(1, settings());
    port.say([&b"\r\nRDY\r\n"[..]]);
    client.connection_lost(wait()).expect("open").expect("a loss");
    client.open("broker.lab", 1883, None, wait()).expect("opened anew");
    client.connect(&crate::engine_field::me(), wait()).expect("connected anew");
    assert_eq!(2, settings());
    assert_eq!(2, port.heard().iter().filter(|line| *line == "ATE0Q0V1").count());
    client.publish(&message(b"x", 1), wait()).expect("taken").wait(wait()).expect("acknowledged");
    is_in_step(&modem, "power");
}

// ---- statistics ----

/// The counts that changed, but for bytes and commands.
fn changed(before: &Statistics, after: &Statistics) -> Vec<(&'static str, u64)> {
    let counts = |it: &Statistics| {
        [
            ("messages", it.messages),
            ("messages_dropped", it.messages_dropped),
            ("events_dropped", it.events_dropped),
            ("stale", it.stale),
            ("surplus", it.surplus),
            ("ignored", it.ignored),
            ("damaged", it.damaged),
            ("overflowed", it.overflowed),
            ("timeouts", it.timeouts),
            ("resynchronised", it.resynchronised),
            ("restarts", it.restarts),
        ]
    };
    let pairs = counts(before).into_iter().zip(counts(after));
    pairs.filter(|((_, was), (_, is))| was != is).map(|((name, was), (_, is))| (name, is - was)).collect()
}

fn modem_on(port: &ScriptedPort, options: OpenOptions) -> Modem {
    let options = OpenOptions { dialect: Some(QMT.into()), ..options };
    Modem::over(Box::new(port.clone()), options, wait()).expect("the script answers")
}

#[test]
fn each_line_moves_its_own_count_and_no_other() {
    let endless = "a".repeat(64 * 1024);
    for (wire, expected) in [
        ("\r\n+QMTRECV: 0,0,\"t\",\"x\"\r\n\r\n+CREG: 1\r\n", vec![("messages", 1)]),
        ("\r\n+QMTSUB: 0,77,0,1\r\n", vec![("stale", 1)]),
        ("\r\nOK\r\n", vec![("surplus", 1)]),
        ("\r\n+CME ERROR: 50\r\n", vec![("surplus", 1)]),
        ("\r\nnonsense\r\n", vec![("ignored", 1)]),
        ("\r\n+QMTSUB: 0,x\r\n", vec![("damaged", 1)]),
        (endless.as_str(), vec![("overflowed", 1)]),
        ("\r\nRDY\r\n", vec![("restarts", 1)]),
        ("\r\nPOWERED DOWN\r\n", vec![("restarts", 1)]),
        ("\r\n+CREG: 1\r\n\r\n+QMTSTAT: 0,1\r\n", vec![]),
    ] {
        let port = module(Vec::new());
        let modem = port.open(QMT);
        let before = modem.statistics();
        port.say([wire.as_bytes()]);
        port.until_read();
        let after = modem.statistics();
        let shown = &wire[..wire.len().min(60)];
        assert_eq!(expected, changed(&before, &after), "{shown:?}");
        assert_eq!(wire.len() as u64, after.bytes_received - before.bytes_received, "{shown:?}");
        assert_eq!((before.bytes_sent, before.commands), (after.bytes_sent, after.commands), "{shown:?}");
    }
}

#[test]
fn what_nobody_takes_is_dropped_and_counted() {
    let port = module(Vec::new());
    let modem = modem_on(&port, OpenOptions { message_queue: 2, event_queue: 1, ..OpenOptions::default() });
    let before = modem.statistics();
    port.say(["\r\n+QMTRECV: 0,0,\"t\",1,\"x\"\r\n".repeat(5).as_bytes(), b"\r\n+CREG: 1\r\n"]);
    port.until_read();
    assert_eq!(vec![("messages", 5), ("messages_dropped", 3)], changed(&before, &modem.statistics()));
    let (_events, before) = (modem.subscribe(), modem.statistics());
    port.say([&b"\r\n+CREG: 1\r\n\r\n+CREG: 2\r\n\r\n+CREG: 1\r\n"[..]]);
    port.until_read();
    assert_eq!(vec![("events_dropped", 2)], changed(&before, &modem.statistics()));
}

#[test]
fn a_time_out_a_late_answer_and_the_step_back_are_counted_each() {
    let port = module(vec![rule("AT+SLOW", ""), rule("AT+CMEE?", "\r\nOK\r\n\r\n+CMEE: 0\r\n\r\nOK\r\n")]);
    let modem = port.open(QMT);
    let before = modem.statistics();
    is_in_step(&modem, "before");
    let after = modem.statistics();
    assert_eq!(
        (1, "AT+COPS?\r".len() as u64),
        (after.commands - before.commands, after.bytes_sent - before.bytes_sent)
    );
    modem.command("+SLOW", None, Wait::at_most(Duration::from_millis(20))).expect_err("no answer");
    assert_eq!(vec![("timeouts", 1)], changed(&after, &modem.statistics()));
    let before = modem.statistics();
    is_in_step(&modem, "after");
    // The late OK took the place of the query's own.
    let seen = changed(&before, &modem.statistics());
    assert!(
        seen.contains(&("resynchronised", 1))
            && seen.iter().all(|(name, _)| ["resynchronised", "stale"].contains(name)),
        "{seen:?}"
    );
    assert_eq!(1, modem.statistics().commands - before.commands, "queries of the engine do not count");
    // A result that never comes.
    let port = module([rule("AT+QMTOPEN=", "\r\nOK\r\n")].into_iter().chain(willing()).collect());
    let modem = port.open(QMT);
    let before = modem.statistics();
    modem.command("AT+QMTOPEN=0,\"h\",1883", None, Wait::at_most(Duration::from_millis(20))).expect_err("no result");
    assert_eq!(vec![("timeouts", 1)], changed(&before, &modem.statistics()));
}
