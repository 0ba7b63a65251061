//! MQTT over the TLS of virtual modules: whole sessions, what becomes of them when TLS breaks, and contexts that change.

use std::io::Read;
use std::io::Write;
use std::time::Duration;

use modemrig::bench_broker::BenchBroker;
use modemrig::dialect::catalogue;
use modemrig::dialect::schema::Family;
use modemrig::mqtt::Packet;
use modemrig::mqtt::Qos;
use modemrig::virtual_module::clock;

use crate::tls_host::CHAIN;
use crate::tls_host::Calendar;
use crate::tls_host::Context;
use crate::tls_host::DIALECTS;
use crate::tls_host::Ends;
use crate::tls_host::MUTUAL;
use crate::tls_host::PLAIN;
use crate::tls_host::connect_secured;
use crate::tls_host::family;
use crate::tls_host::host_to;
use crate::tls_host::open;
use crate::tls_host::quectel;
use crate::tls_host::trust_bench;
use crate::tls_host::type_context;
use crate::tls_servers::Foreign;
use crate::tls_servers::Shows;
use crate::tls_servers::TlsServer;
use crate::virtual_host::Host;
use crate::virtual_host::Silent;

const SIM: &str = "sim7028";
const SOON: Duration = Duration::from_secs(10);

/// A module whose every client must show its certificate.
fn mutual(dialect: &str) -> Host {
    let mut host = Host::on(dialect);
    host.broker.require_client_cert(true);
    trust_bench(&mut host, dialect, 1);
    host
}

fn gone(broker: &BenchBroker, client_id: &str) -> bool {
    broker.wait_until(SOON, |core| core.connected().all(|id| id != client_id))
}

#[test]
fn a_quectel_session_over_mutual_tls_is_like_any_other() {
    for dialect in quectel() {
        let mut host = mutual(dialect);
        host.ok("AT+QMTCFG=\"will\",0,1,1,0,\"gone\",\"bye\"");
        connect_secured(&mut host, 0, "secured");
        host.result("AT+QMTSUB=0,1,\"t/+\",2", "+QMTSUB: 0,1,0,2");
        for qos in 0..=2u8 {
            let id = u8::from(qos > 0) * (qos + 1);
            host.typed(&format!("AT+QMTPUBEX=0,{id},{qos},0,\"t/x\",5"), b"hello");
            let lines = [format!("\r\n+QMTPUBEX: 0,{id},0\r\n"), "\"t/x\",\"hello\"\r\n".to_owned()];
            // Result and message come in either order; both before a mark of our own.
            let mut said = host.until("\"t/x\",\"hello\"\r\n");
            if !said.contains(&lines[0]) {
                said.push_str(&host.until(&lines[0]));
            }
            assert!(lines.iter().all(|line| said.contains(line)), "{dialect}: {said:?}");
        }
        host.result("AT+QMTUNS=0,5,\"t/+\"", "+QMTUNS: 0,5,0");
        host.result("AT+QMTDISC=0", "+QMTDISC: 0,0");
        assert!(gone(&host.broker, "secured"));
        host.result("AT+QMTCLOSE=0", "+QMTCLOSE: 0,0");
        // Closing without goodbye of MQTT: the will is published, over TLS as well (decision 22).
        connect_secured(&mut host, 0, "secured");
        connect_secured(&mut host, 1, "watcher");
        host.result("AT+QMTSUB=1,1,\"gone\",0", "+QMTSUB: 1,1,0,0");
        host.result("AT+QMTCLOSE=0", "+QMTCLOSE: 0,0");
        host.until("\r\n+QMTRECV: 1,0,\"gone\",\"bye\"\r\n");
    }
}

#[test]
fn a_sim7028_session_over_mutual_tls_is_like_any_other() {
    let mut host = mutual(SIM);
    host.result("AT+CMQTTSTART", "+CMQTTSTART: 0");
    host.ok("AT+CMQTTACCQ=0,\"secured\",1");
    host.ok("AT+CMQTTSSLCFG=0,1");
    host.typed("AT+CMQTTWILLTOPIC=0,4", b"gone");
    host.typed("AT+CMQTTWILLMSG=0,3,1", b"bye");
    host.result("AT+CMQTTCONNECT=0,\"tcp://broker.example:8883\",60,1", "+CMQTTCONNECT: 0,0");
    host.typed("AT+CMQTTSUB=0,3,2", b"t/x");
    host.until("\r\n+CMQTTSUB: 0,0\r\n");
    for qos in 0..=2 {
        host.typed("AT+CMQTTTOPIC=0,3", b"t/x");
        host.typed("AT+CMQTTPAYLOAD=0,5", b"hello");
        host.ok(&format!("AT+CMQTTPUB=0,{qos},60"));
        let mut said = host.until("\r\n+CMQTTRXEND: 0\r\n");
        if !said.contains("\r\n+CMQTTPUB: 0,0\r\n") {
            said.push_str(&host.until("\r\n+CMQTTPUB: 0,0\r\n"));
        }
        assert!(said.contains("+CMQTTRXPAYLOAD: 0,5\r\nhello"), "{said:?}");
    }
    host.result("AT+CMQTTDISC=0,60", "+CMQTTDISC: 0,0");
    assert!(gone(&host.broker, "secured"));
    let wills: Vec<_> = host
        .broker
        .record()
        .into_iter()
        .filter_map(|recorded| match recorded.packet {
            Packet::Connect(connect) => connect.will.map(|will| (will.topic, will.payload)),
            _ => None,
        })
        .collect();
    assert_eq!(vec![("gone".to_owned(), b"bye".to_vec())], wills);
}

#[test]
fn messages_of_64_kib_come_through_tls_whole() {
    let payload: Vec<u8> = (0..65_536u32).map(|i| b'a' + (i % 26) as u8).collect();
    for dialect in quectel() {
        let mut host = mutual(dialect);
        host.ok("AT+QMTCFG=\"recv/mode\",0,0,1");
        connect_secured(&mut host, 0, "large");
        host.result("AT+QMTSUB=0,1,\"large\",1", "+QMTSUB: 0,1,0,1");
        for _ in 0..3 {
            assert_eq!(1, host.broker.publish("large", &payload, Qos::AtLeastOnce, false));
        }
        for _ in 0..3 {
            host.until(",\"large\",65536,\"");
            let said = host.until("\"\r\n");
            assert_eq!(payload.len() + 3, said.len(), "{dialect}");
            assert!(said.as_bytes().starts_with(&payload), "{dialect}");
        }
    }
    let mut host = mutual(SIM);
    connect_sim(&mut host, 1);
    host.typed("AT+CMQTTSUB=0,5,1", b"large");
    host.until("\r\n+CMQTTSUB: 0,0\r\n");
    // +CMQTTRXSTART cannot say 65536: that message is dropped, and what comes behind it is whole.
    for payload in [&payload[..], &payload[..10240]] {
        assert_eq!(1, host.broker.publish("large", payload, Qos::AtLeastOnce, false));
    }
    host.until("\r\n+CMQTTRXSTART: 0,5,10240\r\n");
    let said = host.until("\r\n+CMQTTRXEND: 0\r\n");
    assert_eq!(10240usize.div_ceil(1500), said.matches("+CMQTTRXPAYLOAD: 0,").count());
}

/// The longest payload a document allows, through TLS to the broker.
#[test]
fn the_longest_publish_goes_through_tls_whole() {
    for dialect in quectel() {
        let length = catalogue().get(dialect).expect("is built in").limits.payload_len as usize;
        let payload = vec![b'z'; length];
        let mut host = mutual(dialect);
        connect_secured(&mut host, 0, "large");
        host.typed(&format!("AT+QMTPUBEX=0,1,1,0,\"large\",{length}"), &payload);
        host.until("\r\n+QMTPUBEX: 0,1,0\r\n");
    }
    let mut host = mutual(SIM);
    connect_sim(&mut host, 1);
    host.typed("AT+CMQTTTOPIC=0,5", b"large");
    host.typed("AT+CMQTTPAYLOAD=0,10240", &[b'z'; 10240]);
    host.ok("AT+CMQTTPUB=0,1,60");
    host.until("\r\n+CMQTTPUB: 0,0\r\n");
}

fn connect_sim(host: &mut Host, context: u8) {
    host.result("AT+CMQTTSTART", "+CMQTTSTART: 0");
    host.ok("AT+CMQTTACCQ=0,\"id\",1");
    host.ok(&format!("AT+CMQTTSSLCFG=0,{context}"));
    host.result("AT+CMQTTCONNECT=0,\"tcp://broker.example:8883\",60,1", "+CMQTTCONNECT: 0,0");
}

/// What a server does to a connection once CONNECT is accepted.
#[derive(Clone, Copy, Debug)]
enum Breaks {
    /// It closes TCP in the middle of a record.
    MidRecord,
    /// It closes TCP between two records, without goodbye of TLS.
    Unsaid,
    /// It says goodbye as TLS does.
    Said,
    /// It sends a record that was tampered with.
    Damaged,
}

/// Decisions 24 and 25: however TLS ends, the host is told once, with the code of its cause.
#[test]
fn a_link_that_breaks_under_tls_is_reported_by_its_cause() {
    // A record of application data of 100 bytes; that it decrypts to nothing is not seen before its end.
    const HEAD: [u8; 5] = [23, 3, 3, 0, 100];
    for (breaks, code) in [(Breaks::MidRecord, 1), (Breaks::Unsaid, 1), (Breaks::Said, 1), (Breaks::Damaged, 2)] {
        let server = TlsServer::and_then(&Shows::GOOD, move |stream| {
            assert!(stream.read(&mut [0; 512]).is_ok_and(|count| count > 0), "CONNECT");
            stream.write_all(&[0x20, 2, 0, 0]).expect("CONNACK");
            // The host has been told that it is connected when PINGREQ, or anything, comes: the first byte of the next packet.
            let _ = stream.read(&mut [0; 512]);
            let outcome = match breaks {
                Breaks::MidRecord => stream.sock.write_all(&[&HEAD[..], &[7; 40]].concat()),
                Breaks::Damaged => stream.sock.write_all(&[&HEAD[..], &[7; 100]].concat()),
                Breaks::Unsaid => Ok(()),
                Breaks::Said => {
                    stream.conn.send_close_notify();
                    stream.flush()
                }
            };
            outcome.expect("the module reads");
            if matches!(breaks, Breaks::Damaged) {
                let _ = stream.sock.read(&mut [0; 64]); // Its alert: the module closes.
            }
        });
        for dialect in DIALECTS {
            eprintln!("{breaks:?} on {dialect}");
            let family = family(dialect);
            let mut host = host_to(dialect, server.port, Calendar::Told);
            type_context(&mut host, family, 1, &CHAIN);
            open(&mut host, family, 1, 8883, Ends::Open);
            match family {
                Family::Qmt => {
                    host.result("AT+QMTCONN=0,\"id\"", "+QMTCONN: 0,0,0");
                    host.typed("AT+QMTPUBEX=0,0,0,0,\"t\",1", b"x");
                    let said = host.until("\r\n+QMTSTAT: ") + &host.until("\r\n");
                    assert!(said.ends_with("+QMTSTAT: 0,1\r\n"), "closed or reset by the other end: {said:?}");
                    assert_eq!("\r\nOK\r\n", host.ok("AT+QMTOPEN?"), "it is told once, and closed");
                }
                Family::Cmqtt => {
                    host.typed("AT+CMQTTTOPIC=0,1", b"t");
                    host.ok("AT+CMQTTPUB=0,0,60");
                    let said = host.until("\r\n+CMQTTCONNLOST: ") + &host.until("\r\n");
                    assert!(said.ends_with(&format!("+CMQTTCONNLOST: 0,{code}\r\n")), "{said:?}");
                    assert!(host.ok("AT+CMQTTDISC?").contains("+CMQTTDISC: 0,1"));
                }
            }
            server.next().expect("it was open");
        }
    }
}

/// Decision 19: an open that nobody answers ends with -1 at the documented maximum, by the module's clock; SIM7028: 17.
#[test]
fn a_tls_server_that_stalls_ends_the_open_at_the_documented_maximum() {
    const SPEED: f64 = 300.0;
    for (dialect, context) in
        DIALECTS.into_iter().flat_map(|dialect| [(dialect, PLAIN), (dialect, Context { version: 1, ..PLAIN })])
    {
        let silent = Silent::new();
        let mut host = Host::faster(dialect, SPEED);
        let family = family(dialect);
        type_context(&mut host, family, 1, &context);
        let maximum = match family {
            Family::Qmt => {
                let command = catalogue().get(dialect).expect("is built in").command("AT+QMTOPEN").expect("is there");
                let maximum = command.max_response.as_ref().and_then(|most| most.ms).expect("it is printed");
                Duration::from_millis(maximum)
            }
            // optimeout (3.2.15).
            Family::Cmqtt => Duration::from_secs(120),
        };
        let began = clock::now();
        match family {
            Family::Qmt => {
                host.ok("AT+QMTCFG=\"ssl\",0,1,1");
                host.result(&format!("AT+QMTOPEN=0,\"127.0.0.1\",{}", silent.port()), "+QMTOPEN: 0,-1");
            }
            Family::Cmqtt => {
                host.result("AT+CMQTTSTART", "+CMQTTSTART: 0");
                host.ok("AT+CMQTTACCQ=0,\"id\",1");
                host.ok("AT+CMQTTSSLCFG=0,1");
                let line = format!("AT+CMQTTCONNECT=0,\"tcp://127.0.0.1:{}\",60,1", silent.port());
                host.result(&line, "+CMQTTCONNECT: 0,17");
            }
        }
        let took = clock::now() - began;
        assert!(took >= maximum.div_f64(SPEED), "{dialect}: {took:?}");
    }
}

#[test]
fn six_clients_hold_six_sessions_over_tls_at_once() {
    for dialect in quectel() {
        let mut host = mutual(dialect);
        // A result may come before the next OK.
        let mut said = String::new();
        for client in 0..6 {
            said += &host.ok(&format!("AT+QMTCFG=\"ssl\",{client},1,1"));
            said += &host.ok(&format!("AT+QMTOPEN={client},\"broker.example\",8883"));
        }
        for client in 0..6 {
            let line = format!("\r\n+QMTOPEN: {client},0\r\n");
            if !said.contains(&line) {
                said.push_str(&host.until(&line));
            }
        }
        for client in 0..6 {
            host.result(&format!("AT+QMTCONN={client},\"id{client}\""), &format!("+QMTCONN: {client},0,0"));
            host.result(&format!("AT+QMTSUB={client},1,\"all\",1"), &format!("+QMTSUB: {client},1,0,1"));
        }
        assert_eq!(6, host.broker.publish("all", b"everybody", Qos::AtLeastOnce, false));
        let mut said = String::new();
        while (0..6).any(|client| !said.contains(&format!("+QMTRECV: {client},"))) {
            said.push_str(&host.until(",\"all\",\"everybody\"\r\n"));
        }
        for client in 0..6 {
            host.result(&format!("AT+QMTDISC={client}"), &format!("+QMTDISC: {client},0"));
        }
        assert!(host.broker.wait_until(SOON, |core| core.connected().count() == 0));
    }
}

/// A broker by other authors agrees that the session is one.
#[test]
fn a_session_over_mutual_tls_with_mosquitto() {
    let Some(broker) = Foreign::mosquitto("server", "server.key", "ca", &["require_certificate true"]) else {
        return eprintln!("skipped: mosquitto is not installed");
    };
    for dialect in DIALECTS {
        let family = family(dialect);
        let mut host = host_to(dialect, broker.port, Calendar::Told);
        type_context(&mut host, family, 1, &MUTUAL);
        open(&mut host, family, 1, 8883, Ends::Open);
        match family {
            Family::Qmt => {
                host.result("AT+QMTCONN=0,\"secured\"", "+QMTCONN: 0,0,0");
                host.result("AT+QMTSUB=0,1,\"t\",2", "+QMTSUB: 0,1,0,2");
                host.typed("AT+QMTPUBEX=0,2,2,0,\"t\",5", b"hello");
                host.until(",\"t\",\"hello\"\r\n");
                host.result("AT+QMTDISC=0", "+QMTDISC: 0,0");
            }
            Family::Cmqtt => {
                host.typed("AT+CMQTTSUB=0,1,2", b"t");
                host.until("\r\n+CMQTTSUB: 0,0\r\n");
                host.typed("AT+CMQTTTOPIC=0,1", b"t");
                host.typed("AT+CMQTTPAYLOAD=0,5", b"hello");
                host.ok("AT+CMQTTPUB=0,2,60");
                let mut said = host.until("+CMQTTRXPAYLOAD: 0,5\r\nhello");
                said += &host.until("\r\n+CMQTTRXEND: 0\r\n");
                // The broker may pass the message on before it completes the publish.
                if !said.contains("+CMQTTPUB: 0,0") {
                    host.until("\r\n+CMQTTPUB: 0,0\r\n");
                }
                host.result("AT+CMQTTDISC=0,60", "+CMQTTDISC: 0,0");
            }
        }
    }
}
