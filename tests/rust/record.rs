//! A program, a recorder, a module: every byte crosses, and the file says what was said.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use modemrig::engine::Modem;
use modemrig::engine::RecordOptions;
use modemrig::engine::Recorder;
use modemrig::engine::Wait;
use modemrig::engine::clock;
use modemrig::error::Kind;
use modemrig::replay::ReplayEndpoint;
use modemrig::replay::ReplayModule;
use modemrig::replay::ReplayOptions;
use modemrig::replay::Script;
use modemrig::transcript::Direction;
use modemrig::transcript::Entry;
use modemrig::transcript::Header;
use modemrig::transcript::Reader;
use modemrig::transport::Transport;
use modemrig::transport::pty::PtyEnd;
use modemrig::virtual_module::Endpoint;
use modemrig::virtual_module::VirtualModule;
use modemrig::virtual_module::VirtualOptions;
use nix::libc;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;

const SOON: Duration = Duration::from_secs(20);
/// For megabytes, unoptimised, on a machine that has other things to do.
const LONG: Duration = Duration::from_secs(120);

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("modemrig-record-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Folder(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn recorder(target: &str, out: PathBuf) -> Recorder {
    let options = RecordOptions { out, ..RecordOptions::default() };
    Recorder::start(target, &options, Wait::at_most(SOON)).expect("a recorder")
}

fn virtual_module(baud: Option<u32>) -> VirtualModule {
    let endpoint = Endpoint::Pty { link: None };
    VirtualModule::start(VirtualOptions { endpoint, baud, ..VirtualOptions::new("ecx00u_egx00u") }).expect("a module")
}

/// A program that does nothing to the terminal's settings.
fn open(path: &str) -> File {
    let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
    OpenOptions::new().read(true).write(true).custom_flags(flags).open(path).expect("the port")
}

fn ready(end: &impl AsFd, flags: PollFlags, why: &str) {
    let wait = PollTimeout::try_from(SOON).unwrap_or(PollTimeout::MAX);
    let ready = nix::poll::poll(&mut [PollFd::new(end.as_fd(), flags)], wait).expect("poll");
    assert!(ready > 0, "{why}");
}

fn until(port: &mut File, text: &str) -> String {
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
            _ => ready(port, PollFlags::POLLIN, &format!("waited for {text:?}; came {said:?}")),
        }
    }
}

fn ask(port: &mut File, line: &str, answer: &str) {
    port.write_all(format!("{line}\r").as_bytes()).expect("written");
    until(port, answer);
}

fn read(file: PathBuf) -> (Header, Vec<Entry>) {
    let text = fs::read(file).expect("the file");
    let reader = Reader::new(text.as_slice()).expect("a header");
    let header = reader.header().clone();
    (header, reader.map(|entry| entry.expect("a whole line")).collect())
}

fn bytes(entries: &[Entry], dir: Direction) -> Vec<u8> {
    entries.iter().filter(|entry| entry.dir == dir).flat_map(|entry| entry.data.clone()).collect()
}

#[test]
fn what_a_program_and_a_module_say_is_passed_on_and_written_down() {
    let folder = Folder::new("talk");
    let module = virtual_module(None);
    let mut recorder = recorder(module.path(), folder.file("talk.jsonl"));
    let mut port = open(recorder.path());
    ask(&mut port, "AT", "OK\r\n");
    ask(&mut port, "AT+QMTCFG=\"aliauth\",0,\"key\",\"device\",\"s3cret-of-mine\"", "OK\r\n");
    ask(&mut port, "AT+QMTCFG=\"aliauth\",0", "s3cret-of-mine");
    ask(&mut port, "AT+QFUPL=\"k.pem\",12", "CONNECT\r\n");
    port.write_all(b"PRIVATE KEY!").expect("written");
    until(&mut port, "OK\r\n");
    drop(port);
    recorder.stop();
    assert!(recorder.fault().is_none());

    let (header, entries) = read(folder.file("talk.jsonl"));
    assert!(header.redacted && header.echo, "{header:?}");
    assert_eq!(Some(module.path()), header.other["port"].as_str());
    assert!(header.other["made_by"].as_str().is_some_and(|maker| maker.starts_with("modemrig ")));
    assert!(entries.is_sorted_by(|a, b| a.t <= b.t));
    let sent = String::from_utf8(bytes(&entries, Direction::Tx)).expect("text");
    let secret = "*".repeat(14);
    assert_eq!(
        format!(
            "AT\rAT+QMTCFG=\"aliauth\",0,\"key\",\"device\",\"{secret}\"\rAT+QMTCFG=\"aliauth\",0\rAT+QFUPL=\"k.pem\",12\r************"
        ),
        sent
    );
    assert_eq!((sent.len() as u64, bytes(&entries, Direction::Rx).len() as u64), recorder.counts());
    let text = fs::read_to_string(folder.file("talk.jsonl")).expect("the file");
    assert!(!text.contains("s3cret") && !text.contains("PRIVATE"), "{text}");
}

#[test]
fn a_recording_is_played_to_the_same_program_and_to_our_own_host() {
    let folder = Folder::new("round");
    let module = virtual_module(None);
    let mut recorder = recorder(module.path(), folder.file("a.jsonl"));
    let talk = [
        ("ATE0", "OK\r\n"),
        ("AT+QMTCFG=\"version\",0,4", "OK\r\n"),
        ("AT+QMTCFG=\"version\",0", "+QMTCFG: \"version\",4\r\n\r\nOK\r\n"),
        ("AT+QMTOPEN=0,\"no.invalid\",1883", "+QMTOPEN: 0,4\r\n"),
        ("AT+QMTCONN=0,\"dev\",\"user\",\"password\"", "ERROR\r\n"),
        ("AT+QMTOPEN?", "OK\r\n"),
    ];
    let mut port = open(recorder.path());
    for (line, answer) in talk {
        ask(&mut port, line, answer);
    }
    recorder.stop();
    for times in [false, true] {
        let script =
            Script::read(fs::read(folder.file("a.jsonl")).expect("the file").as_slice(), false).expect("whole");
        let endpoint = ReplayEndpoint::Pty { link: None };
        let options = ReplayOptions { times, ..ReplayOptions::default() };
        let replayed = ReplayModule::start(script, options, &endpoint).expect("a line");
        let mut port = open(replayed.path());
        for (line, answer) in talk {
            ask(&mut port, &line.replace("\"password\"", "\"another one\""), answer);
        }
        assert!(replayed.wait_finished(clock::now() + SOON));
        let state = replayed.state();
        assert!(state.mismatches.is_empty() && state.left.is_empty(), "{state:?}");
        drop(port);
        let modem = Modem::open(replayed.path(), Default::default(), Wait::at_most(SOON)).expect("it answers");
        assert!(modem.dialect().command("AT+QMTOPEN").is_some(), "nobody asked who it was; its commands are Quectel's");
    }
}

#[test]
fn a_megabyte_each_way_crosses_whole_though_the_readers_are_slow() {
    let folder = Folder::new("flood");
    let module = PtyEnd::open(None).expect("a pseudo-terminal");
    let mut recorder = recorder(module.path(), folder.file("flood.jsonl"));
    let port = open(recorder.path());
    // The recorder has seen the program when its first byte has crossed.
    (&port).write_all(b"A").expect("written");
    let first = read_some(&module, 1);
    assert_eq!(b"A", first.as_slice());
    let wave: Vec<u8> =
        (0..1_000_000_u32).map(|number| if number % 61 == 60 { b'\n' } else { b' ' + (number % 89) as u8 }).collect();
    let end = clock::now() + LONG;
    let (mut up, mut down) = (0, 0);
    let (mut at_module, mut at_port) = (Vec::new(), Vec::new());
    let mut buffer = [0; 4096];
    while at_module.len() < wave.len() || at_port.len() < wave.len() {
        assert!(clock::now() < end, "{} and {} bytes came", at_module.len(), at_port.len());
        // Both ends write more than they read, so that every queue fills.
        up += (&port).write(&wave[up..]).unwrap_or(0);
        down += module.write(&wave[down..]).unwrap_or(0);
        let came = module.read(&mut buffer).unwrap_or(0);
        at_module.extend_from_slice(&buffer[..came]);
        let said = (&port).read(&mut buffer).unwrap_or(0);
        at_port.extend_from_slice(&buffer[..said]);
        if came + said == 0 {
            // SAFETY: the descriptor belongs to `module`.
            let terminal = unsafe { BorrowedFd::borrow_raw(module.as_raw_fd()) };
            let mut set = [PollFd::new(terminal, PollFlags::POLLIN), PollFd::new(port.as_fd(), PollFlags::POLLIN)];
            let _ = nix::poll::poll(&mut set, PollTimeout::from(100_u8));
        }
    }
    assert!(at_module == wave && at_port == wave);
    drop(port);
    recorder.stop();
    let (_, entries) = read(folder.file("flood.jsonl"));
    assert_eq!(wave, bytes(&entries, Direction::Rx));
    assert_eq!(wave, bytes(&entries, Direction::Tx)[1..]);
}

fn read_some(end: &PtyEnd, least: usize) -> Vec<u8> {
    let deadline = clock::now() + SOON;
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while seen.len() < least {
        assert!(clock::now() < deadline, "{} bytes came", seen.len());
        match end.read(&mut buffer) {
            Ok(count) => seen.extend_from_slice(&buffer[..count]),
            Err(_) => {
                // SAFETY: the descriptor belongs to `end`.
                let fd = unsafe { BorrowedFd::borrow_raw(end.as_raw_fd()) };
                ready(&fd, PollFlags::POLLIN, "nothing came");
            }
        }
    }
    seen
}

#[test]
fn the_speed_that_the_program_sets_is_set_on_the_module() {
    let folder = Folder::new("speed");
    let module = virtual_module(Some(9600));
    let options = RecordOptions { out: folder.0.clone(), baud: 9600, ..RecordOptions::default() };
    let recorder = Recorder::start(module.path(), &options, Wait::at_most(SOON)).expect("a recorder");
    let mut port = open(recorder.path());
    ask(&mut port, "AT", "OK\r\n");
    ask(&mut port, "AT+IPR=57600", "OK\r\n");
    drop(port);
    let options = modemrig::engine::OpenOptions { baud: 57_600, ..Default::default() };
    let modem = Modem::open(recorder.path(), options, Wait::at_most(SOON)).expect("it answers at the new speed");
    assert_eq!("ecx00u_egx00u", modem.dialect().id);
    assert!(recorder.file().starts_with(&folder.0) && recorder.file().extension().is_some_and(|end| end == "jsonl"));
}

#[test]
fn a_file_that_is_there_is_never_overwritten() {
    let folder = Folder::new("again");
    let module = virtual_module(None);
    let out = folder.file("mine.jsonl");
    fs::write(&out, "mine").expect("written");
    let options = RecordOptions { out: out.clone(), ..RecordOptions::default() };
    let error = Recorder::start(module.path(), &options, Wait::at_most(SOON)).err().expect("refused");
    assert_eq!(Kind::BadValue, error.kind);
    assert!(error.to_string().contains("mine.jsonl"), "{error}");
    assert_eq!("mine", fs::read_to_string(&out).expect("the file"));
}

#[test]
fn a_module_that_vanishes_ends_the_recording_and_the_file_is_whole() {
    let folder = Folder::new("gone");
    let mut module = virtual_module(None);
    let recorder = recorder(module.path(), folder.file("gone.jsonl"));
    let mut port = open(recorder.path());
    ask(&mut port, "AT+CSQ", "OK\r\n");
    module.stop();
    assert!(recorder.wait_ended(clock::now() + SOON));
    assert_eq!(Some(Kind::PortGone), recorder.fault().map(|fault| fault.kind));
    let (_, entries) = read(folder.file("gone.jsonl"));
    assert!(bytes(&entries, Direction::Rx).ends_with(b"\r\nOK\r\n"));
}

#[test]
fn the_last_words_of_a_program_that_ends_at_once_and_their_answer_are_in_the_file() {
    let folder = Folder::new("last");
    let module = virtual_module(None);
    let mut recorder = recorder(module.path(), folder.file("last.jsonl"));
    let mut port = open(recorder.path());
    port.write_all(b"AT+CGSN\r").expect("written");
    drop(port);
    recorder.stop();
    let (_, entries) = read(folder.file("last.jsonl"));
    assert_eq!(b"AT+CGSN\r".to_vec(), bytes(&entries, Direction::Tx));
    assert!(bytes(&entries, Direction::Rx).ends_with(b"\r\nOK\r\n"), "{entries:?}");
}

#[test]
fn a_recorder_on_tcp_serves_one_program_after_the_other() {
    let folder = Folder::new("tcp");
    let module = VirtualModule::start(VirtualOptions { endpoint: Endpoint::Tcp, ..VirtualOptions::new("sim7028") })
        .expect("a module");
    let options = RecordOptions { out: folder.file("tcp.jsonl"), tcp: true, ..RecordOptions::default() };
    let mut recorder = Recorder::start(module.path(), &options, Wait::at_most(SOON)).expect("a recorder");
    for _ in 0..2 {
        let modem = Modem::open(recorder.path(), Default::default(), Wait::at_most(SOON)).expect("it answers");
        assert_eq!("sim7028", modem.dialect().id);
    }
    recorder.stop();
    let (header, entries) = read(folder.file("tcp.jsonl"));
    assert!(header.echo);
    assert!(bytes(&entries, Direction::Tx).starts_with(b"AT"));
}
