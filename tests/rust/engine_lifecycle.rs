//! A port's life: closing wakes everyone, vanishing is named, idling costs nothing, a transcript holds every byte.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use modemrig::engine::Interrupt;
use modemrig::engine::Interrupted;
use modemrig::engine::Modem;
use modemrig::engine::OpenOptions;
use modemrig::engine::PortKind;
use modemrig::engine::Wait;
use modemrig::error::Fault;
use modemrig::error::Kind;
use modemrig::transport::pair::Link;
use modemrig::transport::pair::pair;

use crate::engine_script::Answer;
use crate::engine_script::SOON;
use crate::engine_script::opened;
use crate::engine_script::play;

const DIALECT: &str = "ecx00u_egx00u";

#[allow(clippy::disallowed_methods)] // A test measures the product from outside.
fn now() -> Instant {
    Instant::now()
}

/// Waits, bounded, until something is so.
fn until(what: impl Fn() -> bool) {
    let deadline = now() + SOON;
    while !what() {
        assert!(now() < deadline, "it never came to be");
        std::thread::yield_now();
    }
}

#[test]
fn close_wakes_every_waiter_at_once_and_is_idempotent() {
    let (modem, script) = opened(DIALECT, |line| line.contains("SILENT").then_some(Answer::Nothing));
    let client = modem.client(0).expect("six");
    let events = modem.subscribe();
    let forever = || Wait::default();
    std::thread::scope(|scope| {
        let in_command = scope.spawn(|| modem.command("+SILENT", None, Wait::at_most(SOON * 10)).map(|_| ()));
        let in_turn = scope.spawn(|| modem.command("+SILENT", None, Wait::at_most(SOON * 10)).map(|_| ()));
        let in_messages = scope.spawn(|| client.take_messages(1, forever()).map(|_| ()));
        let in_losses = scope.spawn(|| client.connection_lost(forever()).map(|_| ()));
        let in_events = scope.spawn(|| events.take(1, forever()).map(|_| ()));
        until(|| !script.heard().is_empty());
        let began = now();
        modem.close();
        modem.close();
        for waiter in [in_command, in_turn, in_messages, in_losses, in_events] {
            let error = waiter.join().expect("no panic").expect_err("the port is closed");
            assert_eq!(Kind::PortClosed, error.kind);
        }
        assert!(now() - began < Duration::from_millis(500), "closing took {:?}", now() - began);
    });
    assert!(modem.is_closed());
    assert_eq!(Kind::PortClosed, modem.command("+CSQ", None, Wait::default()).expect_err("closed").kind);
}

#[test]
fn the_last_handle_closes_the_port_and_its_thread() {
    let (modem, script) = opened(DIALECT, |_| None);
    let client = modem.client(0).expect("six");
    drop(modem);
    assert_eq!(0, client.dropped());
    drop(client);
    // The module's end sees the hang-up: nobody holds the line any more.
    use modemrig::transport::Transport;
    until(|| matches!(script.end.write(b"x"), Err(error) if error.kind() != std::io::ErrorKind::WouldBlock));
}

#[test]
fn a_vanishing_port_is_named_and_ends_every_wait() {
    let (modem, script) = opened(DIALECT, |line| match line {
        "AT+GO" => Some(Answer::HangUp),
        _ => None,
    });
    let error = modem.command("+GO", None, Wait::at_most(SOON)).expect_err("gone");
    assert_eq!((Kind::PortGone, Fault::Link), (error.kind, error.fault));
    assert!(error.remedy.is_some() && error.port.is_some(), "{error}");
    assert_eq!(Kind::PortGone, modem.client(0).expect("six").take_messages(1, Wait::default()).expect_err("gone").kind);
    assert_eq!(1, script.heard().len());
}

#[test]
fn a_vanishing_port_leaves_the_others_alone() {
    let (gone, script) = opened(DIALECT, |_| None);
    let (stays, _other) = opened(DIALECT, |_| None);
    script.end.hang_up();
    until(|| gone.is_closed());
    stays.command("+CSQ", None, Wait::at_most(SOON)).expect("another port");
}

struct After(AtomicBool);

impl Interrupt for After {
    fn check(&self) -> Result<(), Interrupted> {
        // The first look is free, the second interrupts: two slices.
        if self.0.swap(true, Ordering::Relaxed) { Err(Interrupted) } else { Ok(()) }
    }
}

#[test]
fn an_interruption_ends_any_wait_and_the_port_recovers() {
    let (modem, _script) = opened(DIALECT, |line| line.contains("SILENT").then_some(Answer::Nothing));
    let hook = After(AtomicBool::new(false));
    let error = modem.command("+SILENT", None, Wait::at_most(SOON).interrupted_by(&hook)).expect_err("interrupted");
    assert_eq!((Kind::Interrupted, Fault::Caller), (error.kind, error.fault));
    modem.command("+CSQ", None, Wait::at_most(SOON)).expect("back in step");
    let hook = After(AtomicBool::new(false));
    let client = modem.client(0).expect("six");
    let error = client.take_messages(1, Wait::default().interrupted_by(&hook)).expect_err("interrupted");
    assert_eq!(Kind::Interrupted, error.kind);
}

#[test]
fn a_silent_line_is_named_within_its_time() {
    let (host, module) = pair(Link::Perfect).expect("a pair");
    let _script = play(module, |_| Some(Answer::Nothing));
    let opened = Modem::over(Box::new(host), OpenOptions::default(), Wait::at_most(Duration::from_millis(300)));
    let error = opened.err().expect("nobody answers");
    assert_eq!(Kind::NoAnswer, error.kind);
    assert!(error.remedy.as_deref().is_some_and(|remedy| remedy.contains("baud")), "{error}");
}

#[test]
fn nonsense_on_a_line_is_named_as_such() {
    let (host, module) = pair(Link::Perfect).expect("a pair");
    let _script = play(module, |_| Some(Answer::Say("\u{1}\u{2}rubbish".into())));
    let opened = Modem::over(Box::new(host), OpenOptions::default(), Wait::at_most(Duration::from_millis(300)));
    assert_eq!(Kind::Garbled, opened.err().expect("rubbish").kind);
}

#[test]
fn a_module_that_nobody_described_is_unsupported_and_quoted() {
    let (host, module) = pair(Link::Perfect).expect("a pair");
    let _script =
        play(module, |line| (line == "ATI").then(|| Answer::Say("\r\nAcme\r\nRocket 9\r\n\r\nOK\r\n".into())));
    let opened = Modem::over(Box::new(host), OpenOptions::default(), Wait::at_most(SOON));
    let error = opened.err().expect("no such dialect");
    assert_eq!(Kind::Unsupported, error.kind);
    assert!(error.message.contains("Rocket 9"), "{error}");
}

#[test]
fn an_idle_port_sleeps() {
    let (modem, _script) = opened(DIALECT, |_| None);
    let waits = || {
        let mut waits = 0;
        for task in std::fs::read_dir("/proc/self/task").expect("Linux").flatten() {
            let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
            if name.trim() == "mr-idle" {
                let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
                waits += count.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or(0);
            }
        }
        waits
    };
    drop(modem);
    let (host, module) = pair(Link::Perfect).expect("a pair");
    let _other = play(module, |_| None);
    let options =
        OpenOptions { shown_as: Some("idle".into()), dialect: Some(DIALECT.into()), ..OpenOptions::default() };
    let modem = Modem::over(Box::new(host), options, Wait::at_most(SOON)).expect("it answers");
    // A wait of this length with nothing to wait for; the reader must not wake during it.
    let before = waits();
    assert!(modem.subscribe().take(1, Wait::at_most(Duration::from_millis(300))).expect("open").is_empty());
    assert!(waits() <= before + 1, "{} wakes in 300 ms", waits() - before);
}

#[test]
fn a_transcript_holds_the_talk_without_its_secrets_and_can_be_decoded() {
    let folder = std::env::temp_dir().join(format!("modemrig-transcript-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a writable folder");
    let (host, module) = pair(Link::Perfect).expect("a pair");
    let _script = play(module, |line| match line {
        "AT+CSQ" => Some(Answer::Say("\r\n+CSQ: 24,99\r\n\r\nOK\r\n".into())),
        _ => None,
    });
    let options =
        OpenOptions { dialect: Some(DIALECT.into()), transcript: Some(folder.clone()), ..OpenOptions::default() };
    let modem = Modem::over(Box::new(host), options, Wait::at_most(SOON)).expect("it answers");
    let path = modem.transcript_path().expect("a file was asked for");
    modem.command("+CSQ", None, Wait::at_most(SOON)).expect("an answer");
    modem.command("AT+QMTCONN=0,\"me\",\"user\",\"s3cret-word\"", None, Wait::at_most(Duration::from_millis(100))).ok();
    modem.close();
    let text = std::fs::read_to_string(&path).expect("the file is there");
    std::fs::remove_dir_all(&folder).expect("ours");
    assert!(!text.contains("s3cret-word"), "{text}");
    assert!(text.contains("\"redacted\":true") && text.contains(DIALECT) && text.contains("861234567890123"), "{text}");
    let events: Vec<String> = modemrig::transcript::decode(text.as_bytes())
        .expect("a header")
        .map(|event| event.expect("our own form").to_string())
        .collect();
    assert!(events.iter().any(|event| event.contains("\"+CSQ\"")), "{events:?}");
}

#[test]
fn identify_tells_an_at_interface_from_positions() {
    let (master, slave) = serialport::TTYPort::pair().expect("a pseudo-terminal");
    let path = serialport::SerialPort::name(&slave).expect("a path");
    drop(slave);
    let stop = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&stop);
    let position = "$GNGGA,092725.00,4717.11399,N,00833.91590,E,1,08,1.01*5B\r\n";
    let talker = std::thread::Builder::new().name("talker".into()).spawn(move || talk(master, position, &ended));
    let found = modemrig::engine::identify(&path, Wait::at_most(SOON * 2));
    stop.store(true, Ordering::Relaxed);
    talker.expect("a thread").join().expect("no panic");
    assert_eq!(PortKind::Nmea, found.expect("bytes came"));
}

/// Says the same again and again, as a positioning interface does.
fn talk(mut master: serialport::TTYPort, text: &str, stop: &AtomicBool) {
    use std::io::Read;
    use std::io::Write;
    serialport::SerialPort::set_timeout(&mut master, Duration::from_millis(100)).expect("a time-out");
    let mut buffer = [0; 256];
    while !stop.load(Ordering::Relaxed) {
        let _ = master.write_all(text.as_bytes());
        // The pace of the talk: the time-out of this read.
        let _ = master.read(&mut buffer);
    }
}
