//! The network side of a virtual module against brokers that behave badly: what the host is told, and that it is told once.

use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::channel;
use std::thread::Builder;
use std::thread::JoinHandle;
use std::time::Duration;

use modemrig::mqtt::Level;
use modemrig::mqtt::Packet;
use modemrig::mqtt::Publish;
use modemrig::mqtt::Qos;
use modemrig::mqtt::encode;

use crate::virtual_host::Host;

const LTE: &str = "lte_standard_a";
const SIM: &str = "sim7028";

/// A broker for one connection: it reads CONNECT, accepts, and then does this.
struct Accepts {
    port: u16,
    thread: JoinHandle<()>,
}

impl Accepts {
    fn and_then(act: impl FnOnce(TcpStream) + Send + 'static) -> Accepts {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let serve = move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let count = stream.read(&mut [0; 512]).expect("CONNECT");
            assert!(count > 0);
            stream.write_all(&[0x20, 2, 0, 0]).expect("CONNACK");
            act(stream);
        };
        Accepts { port, thread: Builder::new().name("broker".into()).spawn(serve).expect("a thread") }
    }

    fn end(self) {
        self.thread.join().expect("the broker did not panic");
    }
}

/// Which lines with this prefix are there.
fn lines<'a>(said: &'a str, prefix: &str) -> Vec<&'a str> {
    said.split("\r\n").filter(|line| line.starts_with(prefix)).collect()
}

#[test]
fn a_connection_lost_right_behind_its_acceptance_has_one_result_and_one_status() {
    let broker = Accepts::and_then(drop);
    let mut host = Host::on(LTE);
    host.result(&format!("AT+QMTOPEN=0,\"127.0.0.1\",{}", broker.port), "+QMTOPEN: 0,0");
    host.ok("AT+QMTCONN=0,\"id\"");
    let said = host.until("\r\n+QMTSTAT: 0,1\r\n");
    assert_eq!(vec!["+QMTCONN: 0,0,0"], lines(&said, "+QMTCONN"));
    // Nothing follows: the next answer is the next command's, and the client is closed.
    assert_eq!("\r\nOK\r\n", host.ok("AT+QMTCONN?"));
    host.refused("AT+QMTCLOSE=0");
    broker.end();
}

#[test]
fn a_sim7028_client_lost_right_behind_its_acceptance_can_connect_again() {
    let broker = Accepts::and_then(drop);
    let mut host = Host::on(SIM);
    host.result("AT+CMQTTSTART", "+CMQTTSTART: 0");
    host.ok("AT+CMQTTACCQ=0,\"id\"");
    host.result(&format!("AT+CMQTTCONNECT=0,\"tcp://127.0.0.1:{}\",60,1", broker.port), "+CMQTTCONNECT: 0,0");
    host.until("\r\n+CMQTTCONNLOST: 0,1\r\n");
    broker.end();
    assert!(host.ok("AT+CMQTTDISC?").contains("+CMQTTDISC: 0,1"), "not connected");
    host.result("AT+CMQTTCONNECT=0,\"tcp://broker.example:1883\",60,1", "+CMQTTCONNECT: 0,0");
}

#[test]
fn closing_behind_a_result_that_is_on_its_way_adds_no_second_one() {
    let mut host = Host::on(LTE);
    host.ok("AT+CFUN=4");
    // Both lines at once: the result of the first is known, and keeps its distance from OK, when the second is read.
    host.write(b"AT+QMTOPEN=0,\"broker.example\",1883\rAT+QMTCLOSE=0\r");
    let said = host.until("\r\n+QMTCLOSE: 0,0\r\n");
    assert_eq!(vec!["+QMTOPEN: 0,3"], lines(&said, "+QMTOPEN"));
    assert_eq!("\r\nOK\r\n", host.ok("AT+QMTOPEN?"), "closed");
}

/// Writes messages until the connection takes no more, and says after each how many bytes it has written.
fn flood(mut stream: TcpStream, total: usize) -> (Receiver<usize>, JoinHandle<()>) {
    let (report, progress) = channel();
    let mut message = Vec::new();
    let publish = Publish {
        dup: false,
        qos: Qos::AtMostOnce,
        retain: false,
        topic: "t".into(),
        id: None,
        payload: vec![b'x'; 4096],
    };
    encode(&Packet::Publish(publish), Level::V31, &mut message);
    let write = move || {
        let mut written = 0;
        while written < total && stream.write_all(&message).is_ok() {
            written += message.len();
            // Nobody listens any more once the test is over.
            let _ = report.send(written);
        }
    };
    (progress, Builder::new().name("flood".into()).spawn(write).expect("a thread"))
}

#[test]
fn a_host_that_reads_nothing_makes_the_broker_wait_instead_of_the_module_grow() {
    const TOTAL: usize = 64 * 1024 * 1024;
    // More than sockets, line and module keep between them.
    const MOST: usize = 24 * 1024 * 1024;
    let (hand_over, connection) = channel();
    let broker = Accepts::and_then(move |stream| hand_over.send(stream).expect("the test takes it"));
    let mut host = Host::on(LTE);
    host.result(&format!("AT+QMTOPEN=0,\"127.0.0.1\",{}", broker.port), "+QMTOPEN: 0,0");
    host.result("AT+QMTCONN=0,\"id\"", "+QMTCONN: 0,0,0");
    broker.end();
    let stream = connection.recv_timeout(Duration::from_secs(10)).expect("the broker's end");
    let (progress, writer) = flood(stream, TOTAL);
    let mut written = 0;
    // Standing still for a second is waiting; a busy machine pauses for less.
    let ended = loop {
        match progress.recv_timeout(Duration::from_secs(1)) {
            Ok(so_far) => written = so_far,
            Err(end) => break end,
        }
    };
    assert_eq!(RecvTimeoutError::Timeout, ended, "all {written} bytes were taken");
    assert!(written < MOST, "{written} bytes were taken");
    // The host reads: everything that was held back moves on.
    let mut seen = 0;
    while seen < written {
        host.until("+QMTRECV: 0,0,\"t\",\"");
        seen += 4096;
    }
    assert!(progress.try_recv().is_ok(), "the broker went on");
    drop(host);
    writer.join().expect("the writer did not panic");
}
