//! The line between a virtual module and its hosts: pseudo-terminal and TCP, hosts that come and go.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use modemrig::virtual_module::Endpoint;
use modemrig::virtual_module::VirtualModule;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::clock;
use nix::libc;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;

const SOON: Duration = Duration::from_secs(10);

fn module(endpoint: Endpoint) -> VirtualModule {
    VirtualModule::start(VirtualOptions { endpoint, ..VirtualOptions::new("ecx00u_egx00u") }).expect("a module")
}

/// A host that does nothing to the terminal's settings, as `cat` and `echo` do.
fn open(path: &str) -> File {
    let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
    OpenOptions::new().read(true).write(true).custom_flags(flags).open(path).expect("the port")
}

/// Reads until the text has come.
fn until(port: &mut (impl Read + AsFd), text: &str) -> String {
    until_any(port, &[text])
}

fn until_any(port: &mut (impl Read + AsFd), texts: &[&str]) -> String {
    let deadline = clock::now() + SOON;
    let mut seen = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let said = String::from_utf8_lossy(&seen).into_owned();
        if texts.iter().any(|text| said.contains(text)) {
            return said;
        }
        match port.read(&mut buffer) {
            Ok(count) if count > 0 => seen.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() != ErrorKind::WouldBlock => panic!("{error}; came {said:?}"),
            _ => {
                let left = deadline.saturating_duration_since(clock::now());
                assert!(!left.is_zero(), "waited for {texts:?}; came {said:?}");
                let wait = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
                let _ = nix::poll::poll(&mut [PollFd::new(port.as_fd(), PollFlags::POLLIN)], wait);
            }
        }
    }
}

#[test]
fn a_terminal_that_sets_nothing_up_can_talk_to_a_module() {
    let module = module(Endpoint::Pty { link: None });
    let mut port = open(module.path());
    port.write_all(b"AT\r").expect("written");
    assert_eq!("AT\r\r\nOK\r\n", until(&mut port, "OK\r\n"), "echo of the module, none of the terminal");
    port.write_all(b"\x03\rATE0\r").expect("Ctrl-C is a byte like any other");
    until(&mut port, "OK\r\n");
}

#[test]
fn decision_44_a_second_host_is_answered_though_the_first_left_in_the_middle_of_a_command() {
    let module = module(Endpoint::Pty { link: None });
    for _ in 0..5 {
        let mut first = open(module.path());
        first.write_all(b"AT+QMTO").expect("written");
        drop(first);
        let mut second = open(module.path());
        let deadline = clock::now() + SOON;
        loop {
            // The module notices by itself that the first host left; until then the two halves are one wrong command.
            second.write_all(b"AT+CGSN\r").expect("written");
            let said = until_any(&mut second, &["OK\r\n", "ERROR\r\n"]);
            if said.contains("8600") {
                break;
            }
            assert!(clock::now() < deadline, "{said:?}");
        }
    }
}

#[test]
fn a_link_leads_to_the_port_and_goes_with_the_module() {
    let folder = std::env::temp_dir().join(format!("modemrig-link-{}", std::process::id()));
    let mut module = module(Endpoint::Pty { link: Some(folder.clone()) });
    assert_eq!(Path::new(module.path()), fs::read_link(&folder).expect("a link"));
    let mut port = open(folder.to_str().expect("UTF-8"));
    port.write_all(b"AT\r").expect("written");
    until(&mut port, "OK\r\n");
    module.stop();
    assert!(fs::symlink_metadata(&folder).is_err(), "the link is gone");
}

#[test]
fn a_tcp_port_takes_one_host_after_the_other() {
    let module = module(Endpoint::Tcp);
    let address = module.path().strip_prefix("tcp://").expect("a TCP path").to_owned();
    for _ in 0..3 {
        let mut host = TcpStream::connect(&address).expect("connected");
        host.set_nonblocking(true).expect("set");
        host.write_all(b"AT\r").expect("written");
        until(&mut host, "OK\r\n");
    }
}

#[test]
fn stopping_ends_the_port_and_can_be_done_twice() {
    let mut module = module(Endpoint::Tcp);
    let address = module.path().strip_prefix("tcp://").expect("a TCP path").to_owned();
    module.stop();
    module.stop();
    assert!(TcpStream::connect(&address).is_err());
}
