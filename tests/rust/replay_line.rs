//! A replayed module on a line: pseudo-terminal, TCP and a pair, and our own host on it.

use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::Duration;

use modemrig::engine::Modem;
use modemrig::engine::OpenOptions;
use modemrig::engine::Wait;
use modemrig::engine::clock;
use modemrig::replay::ReplayEndpoint;
use modemrig::replay::ReplayModule;
use modemrig::replay::ReplayOptions;
use modemrig::replay::Script;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;
use serde_json::json;

const SOON: Duration = Duration::from_secs(10);

/// What a recorded host and its module said, 0.3 s apart.
fn script(talk: &[(&str, &str)]) -> Script {
    let mut file = format!("{}\n", json!({"format": 1, "dialect": "ecx00u_egx00u"}));
    for (number, (dir, data)) in talk.iter().enumerate() {
        file.push_str(&format!("{}\n", json!({"t": 0.3 * number as f64, "dir": dir, "data": data})));
    }
    Script::read(file.as_bytes(), false).expect("a transcript")
}

fn started(talk: &[(&str, &str)], times: bool, endpoint: &ReplayEndpoint) -> ReplayModule {
    ReplayModule::start(script(talk), ReplayOptions { times, ..ReplayOptions::default() }, endpoint).expect("a line")
}

const TALK: &[(&str, &str)] = &[
    ("tx", "AT+QMTOPEN=0,\"hub.example\",1883\r"),
    ("rx", "\r\nOK\r\n"),
    ("rx", "\r\n+QMTOPEN: 0,0\r\n"),
    ("tx", "AT+QMTPUBEX=0,1,1,0,\"a\",2\r"),
    ("rx", "\r\n> "),
    ("tx", "on"),
    ("rx", "\r\nOK\r\n"),
    ("rx", "\r\n+QMTPUBEX: 0,1,0\r\n"),
];

fn until(port: &mut (impl Read + AsFd), text: &str) -> String {
    let deadline = clock::now() + SOON;
    let mut seen = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let said = String::from_utf8_lossy(&seen).into_owned();
        if said.contains(text) {
            return said;
        }
        match port.read(&mut buffer) {
            Ok(count) if count > 0 => seen.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() != ErrorKind::WouldBlock => panic!("{error}; came {said:?}"),
            _ => {
                let left = deadline.saturating_duration_since(clock::now());
                assert!(!left.is_zero(), "waited for {text:?}; came {said:?}");
                let wait = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
                let _ = nix::poll::poll(&mut [PollFd::new(port.as_fd(), PollFlags::POLLIN)], wait);
            }
        }
    }
}

#[test]
fn our_own_host_does_with_a_replay_what_the_recorded_one_did() {
    let mut module = started(TALK, false, &ReplayEndpoint::Pair);
    let host = module.host_end().expect("a pair");
    let modem = Modem::over(Box::new(host), OpenOptions::default(), Wait::at_most(SOON)).expect("it answers");
    assert_eq!("ecx00u_egx00u", modem.dialect().id);
    let opened = modem.command("AT+QMTOPEN=0,\"hub.example\",1883", None, Wait::at_most(SOON)).expect("answered");
    assert_eq!(Some(0), opened.result.map(|result| result.code));
    assert!(!module.state().finished);
    let sent = modem.command("AT+QMTPUBEX=0,1,1,0,\"a\",2", Some(b"on"), Wait::at_most(SOON)).expect("answered");
    assert_eq!(Some(0), sent.result.map(|result| result.code));
    assert!(module.wait_finished(clock::now() + SOON));
    let state = module.state();
    assert_eq!((0, 0, 2), (state.mismatches.len(), state.left.len(), state.exchanges), "{state:?}");
}

#[test]
fn with_the_times_a_result_takes_as_long_as_it_took() {
    let mut module = started(TALK, true, &ReplayEndpoint::Pair);
    let host = module.host_end().expect("a pair");
    let modem = Modem::over(Box::new(host), OpenOptions::default(), Wait::at_most(SOON)).expect("it answers");
    let began = clock::now();
    modem.command("AT+QMTOPEN=0,\"hub.example\",1883", None, Wait::at_most(SOON)).expect("answered");
    let took = clock::now() - began;
    assert!(took >= Duration::from_millis(590), "{took:?}");
}

#[test]
fn hosts_come_and_go_on_tcp_and_an_unread_mismatch_is_told() {
    let mut module = started(TALK, false, &ReplayEndpoint::Tcp);
    let address = module.path().strip_prefix("tcp://").expect("a TCP path").to_owned();
    for (line, answer) in [("AT+QMTOPEN=0,\"hub.example\",1883\r", "+QMTOPEN: 0,0"), ("AT+QMTCLOSE=0\r", "ERROR\r\n")] {
        let mut host = TcpStream::connect(&address).expect("connected");
        host.set_nonblocking(true).expect("set");
        host.write_all(line.as_bytes()).expect("written");
        until(&mut host, answer);
        assert!(!module.wait_closed(clock::now()));
    }
    assert!(module.wait_closed(clock::now() + SOON));
    let state = module.state();
    assert_eq!(vec!["AT+QMTPUBEX=0,1,1,0,\"a\",2"], state.left);
    let said = state.mismatches[0].to_string();
    assert!(said.starts_with("AT+QMTCLOSE=0 is not in the file") && said.ends_with("\"a\",2 next"), "{said}");
    assert!(!module.wait_finished(clock::now()));
    module.stop();
    module.stop();
}

#[cfg(target_os = "linux")]
#[cfg(not(modemrig_portable))]
#[test]
fn a_program_that_sets_nothing_up_talks_to_a_replay_on_a_pseudo_terminal() {
    use std::os::unix::fs::OpenOptionsExt;
    let link = std::env::temp_dir().join(format!("modemrig-replay-{}", std::process::id()));
    let mut module = started(TALK, false, &ReplayEndpoint::Pty { link: Some(link.clone()) });
    let flags = nix::libc::O_NOCTTY | nix::libc::O_NONBLOCK;
    let mut options = std::fs::OpenOptions::new();
    let mut port = options.read(true).write(true).custom_flags(flags).open(&link).expect("the port");
    port.write_all(b"AT+QMTOPEN=0,\"hub.example\",1883\r\n").expect("written");
    assert_eq!("\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n", until(&mut port, "+QMTOPEN: 0,0\r\n"));
    port.write_all(b"AT+QMTPUBEX=0,1,1,0,\"a\",2\r\n").expect("written");
    until(&mut port, "> ");
    port.write_all(b"on").expect("written");
    until(&mut port, "+QMTPUBEX: 0,1,0\r\n");
    module.stop();
    assert!(std::fs::symlink_metadata(&link).is_err(), "the link is gone");
}
