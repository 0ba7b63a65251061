//! Faults between a module and its broker, one by one: what the host is told of an acknowledgement, a refusal or a cut, by
//! the decision that gives the code. Time is simulated; every dialect where it says the same, else the one named.

use std::time::Duration;

use modemrig::dialect::catalogue;
use modemrig::mqtt::Kind;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::SimulatedModule;

use crate::simulated::quiet;

const LTE: &str = "lte_standard_a";
const SIM: &str = "sim7028";

fn module(dialect: &str, faults: &[&str]) -> SimulatedModule {
    let faults = faults.iter().map(|fault| fault.to_string()).collect();
    quiet(&VirtualOptions { faults, ..VirtualOptions::new(dialect) })
}

fn quectel() -> impl Iterator<Item = &'static str> {
    catalogue().ids().into_iter().filter(|id| *id != SIM)
}

/// Opens and connects; everything said.
fn connect(module: &mut SimulatedModule) -> String {
    let mut said = module.ask("AT+QMTOPEN=0,\"broker.example\",1883", 1.0);
    said.push_str(&module.ask("AT+QMTCONN=0,\"me\"", 30.0));
    said
}

fn connected(dialect: &str) -> SimulatedModule {
    let mut module = module(dialect, &[]);
    assert!(connect(&mut module).ends_with("+QMTCONN: 0,0,0\r\n"));
    module
}

/// Types a message; everything said until it is over.
fn publish(module: &mut SimulatedModule, qos: u8) -> String {
    let id = u8::from(qos > 0);
    let mut said = module.ask(&format!("AT+QMTPUBEX=0,{id},{qos},0,\"t\",1"), 0.1);
    if said.ends_with("> ") {
        module.host(b"x");
    }
    said.push_str(&module.after(120.0));
    said
}

/// Times that the module sent such a packet.
fn sent(module: &mut SimulatedModule, kind: Kind) -> usize {
    module.network().broker.record().filter(|row| row.packet.kind() == kind).count()
}

/// Decision 20: each CONNACK code is in the result, and +QMTSTAT 4 follows.
#[test]
fn decision_20_a_broker_that_refuses_by_any_code() {
    for dialect in quectel() {
        for code in 1..=5 {
            let mut module = module(dialect, &[&format!("broker_refuses:code={code},count=1")]);
            let said = connect(&mut module);
            assert!(
                said.ends_with(&format!("\r\n+QMTCONN: 0,0,{code}\r\n\r\n+QMTSTAT: 0,4\r\n")),
                "{dialect} {said:?}"
            );
            assert!(connect(&mut module).ends_with("+QMTCONN: 0,0,0\r\n"), "once");
        }
    }
}

/// Decision 25: the same of SIM7028, whose codes are its own.
#[test]
fn decision_25_a_broker_that_refuses_a_sim7028() {
    for (code, err) in [(1, 27), (2, 28), (3, 29), (4, 30), (5, 31)] {
        let mut module = module(SIM, &[&format!("broker_refuses:code={code}")]);
        module.ask("AT+CMQTTSTART", 1.0);
        module.ask("AT+CMQTTACCQ=0,\"me\",0", 1.0);
        let said = module.ask("AT+CMQTTCONNECT=0,\"tcp://a.example\",60,1", 2.0);
        assert!(said.ends_with(&format!("+CMQTTCONNECT: 0,{err}\r\n")), "{said:?}");
    }
}

/// Decisions 20, 27, 28: without its acknowledgement a request is repeated, or fails with 2.
#[test]
fn decision_28_every_acknowledgement_that_never_comes_ends_its_request_with_2() {
    let mut module = module(LTE, &["ack_lost:kind=connack"]);
    assert!(connect(&mut module).ends_with("+QMTCONN: 0,2\r\n\r\n+QMTSTAT: 0,4\r\n"));
    type Request = fn(&mut SimulatedModule) -> String;
    let cases: [(&str, Request, &str, Kind); 5] = [
        ("suback", |module| module.ask("AT+QMTSUB=0,1,\"t\",1", 120.0), "+QMTSUB: 0,1,2\r\n", Kind::Subscribe),
        ("unsuback", |module| module.ask("AT+QMTUNS=0,1,\"t\"", 120.0), "+QMTUNS: 0,1,2\r\n", Kind::Unsubscribe),
        ("puback", |module| publish(module, 1), "+QMTPUBEX: 0,1,2\r\n", Kind::Publish),
        ("pubrec", |module| publish(module, 2), "+QMTPUBEX: 0,1,2\r\n", Kind::Publish),
        ("pubcomp", |module| publish(module, 2), "+QMTPUBEX: 0,1,2\r\n", Kind::Pubrel),
    ];
    for (kind, request, result, repeated) in cases {
        let mut module = connected(LTE);
        module.inject(&format!("ack_lost:kind={kind}")).expect("injected");
        let said = request(&mut module);
        assert!(said.contains(result), "{kind}: {said:?}");
        assert!(sent(&mut module, repeated) > 1, "{kind} is asked for again");
        let mut module = connected(LTE);
        module.inject(&format!("ack_lost:kind={kind},count=1")).expect("injected");
        let said = request(&mut module);
        assert!(!said.contains(result) && !said.contains("QMTSTAT"), "{kind}, the next time it comes: {said:?}");
    }
}

#[test]
fn decision_23_a_pingresp_that_is_lost_ends_the_connection() {
    let mut module = connected(LTE);
    module.inject("ack_lost:kind=pingresp").expect("injected");
    let said = module.after(300.0);
    assert!(said.contains("+QMTPING: 0,1\r\n") || said.contains("+QMTSTAT: 0,2\r\n"), "{said:?}");
}

/// What comes twice is told once.
#[test]
fn an_acknowledgement_that_comes_twice_has_one_result() {
    for (kind, qos) in [("puback", 1), ("pubrec", 2), ("pubcomp", 2)] {
        let mut module = connected(LTE);
        module.inject(&format!("ack_doubled:kind={kind}")).expect("injected");
        let said = publish(&mut module, qos);
        assert_eq!(1, said.matches("+QMTPUBEX: ").count(), "{kind}: {said:?}");
        assert!(said.contains("+QMTPUBEX: 0,1,0\r\n") && !said.contains("QMTSTAT"), "{kind}: {said:?}");
    }
    for (kind, request) in [("suback", "AT+QMTSUB=0,1,\"t\",1"), ("unsuback", "AT+QMTUNS=0,1,\"t\"")] {
        let mut module = connected(LTE);
        module.inject(&format!("ack_doubled:kind={kind}")).expect("injected");
        let said = module.ask(request, 60.0);
        assert_eq!((1, false), (said.matches("0,1,0").count(), said.contains("QMTSTAT")), "{kind}: {said:?}");
    }
}

/// The module's own acknowledgement of a message: the broker sends it again, and QoS 2 still arrives once.
#[test]
fn an_acknowledgement_of_the_module_is_lost_on_its_way_to_the_broker() {
    use modemrig::mqtt::Qos;
    let mut module = connected(LTE);
    module.ask("AT+QMTSUB=0,1,\"t\",2", 1.0);
    module.inject("ack_lost:kind=puback,direction=out,count=1").expect("injected");
    let now = module.network().now();
    module.network().broker.publish("t", b"x", Qos::AtLeastOnce, false, now);
    assert!(module.after(1.0).contains("+QMTRECV: "), "it has arrived");
    assert_eq!(0, sent(&mut module, Kind::Puback));
    assert_eq!(Some(Some(0)), module.faults().first().map(|fault| fault.left));
}

/// Decision 24: who is closed by its peer is told so, whatever it was doing.
#[test]
fn decision_24_a_broker_that_closes_is_told_of_by_what_the_module_was_doing() {
    let cases: [(&str, &str); 4] = [
        ("now", "\r\n+QMTSTAT: 0,1\r\n"),
        ("subscribe", "+QMTSTAT: 0,1\r\n"),
        ("publish", "+QMTSTAT: 0,1\r\n"),
        ("pingreq", "+QMTSTAT: 0,1\r\n"),
    ];
    for (at, ends) in cases {
        let mut module = connected(LTE);
        module.inject(&format!("broker_closes:at={at}")).expect("injected");
        let said = match at {
            "subscribe" => module.ask("AT+QMTSUB=0,1,\"t\",1", 2.0),
            "publish" => publish(&mut module, 0),
            _ => module.after(200.0),
        };
        assert!(said.ends_with(ends), "{at}: {said:?}");
        assert!(connect(&mut module).ends_with("+QMTCONN: 0,0,0\r\n"), "{at}: once");
    }
    let mut module = module(LTE, &["broker_closes:at=connect"]);
    let said = connect(&mut module);
    assert!(said.ends_with("+QMTCONN: 0,2\r\n\r\n+QMTSTAT: 0,1\r\n"), "{said:?}");
}

/// Decision 24: a socket that refuses what is written is told by what that was.
#[test]
fn decision_24_a_link_that_refuses_what_is_written() {
    for dialect in quectel() {
        let refusal = "link_cut:how=refusal";
        let mut module = self::module(dialect, &[refusal]);
        assert!(connect(&mut module).ends_with("+QMTCONN: 0,2\r\n\r\n+QMTSTAT: 0,3\r\n"));
        let mut module = connected(dialect);
        module.inject(refusal).expect("a fault");
        assert!(module.ask("AT+QMTSUB=0,1,\"t\",1", 1.0).ends_with("+QMTSTAT: 0,6\r\n"));
        let mut module = connected(dialect);
        module.inject(refusal).expect("a fault");
        assert!(module.after(130.0).ends_with("+QMTSTAT: 0,2\r\n"));
    }
}

/// A cut at any byte of what goes out or comes in has one outcome: a connection, or an end that is told once.
#[test]
fn a_link_cut_at_any_byte_has_one_outcome() {
    for how in ["reset", "close", "silence"] {
        // CONNECT and PUBLISH; CONNACK and PUBACK.
        for (direction, length) in [("out", 26), ("in", 8)] {
            for after in 0..=length {
                let fault = format!("link_cut:after={after},direction={direction},how={how}");
                let mut module = module(LTE, &[&fault]);
                let said = connect(&mut module) + &publish(&mut module, 1) + &module.after(400.0);
                let ends = said.matches("+QMTSTAT").count() + said.matches("+QMTPING").count();
                assert_eq!(1, ends, "{fault}: {said:?}");
                assert!(
                    said.matches("+QMTCONN: ").count() <= 1 && said.matches("+QMTPUBEX: ").count() <= 1,
                    "{said:?}"
                );
                let again = connect(&mut module);
                assert!(again.contains("+QMTCONN: 0,0,0\r\n") && !again.contains("+QMTSTAT"), "{fault}: {again:?}");
            }
        }
    }
}

/// Late and early acknowledgements of several messages in flight go to their own.
#[test]
fn an_acknowledgement_that_is_overtaken_still_finds_its_message() {
    let mut module = connected(LTE);
    module.inject("ack_late:kind=puback,ms=2000,count=1").expect("injected");
    for id in 1..=2 {
        module.ask(&format!("AT+QMTPUBEX=0,{id},1,0,\"t\",1"), 0.1);
        module.host(b"x");
    }
    let took = module.until(b"+QMTPUBEX: 0,2,0", Duration::from_secs(1));
    assert!(took.is_some(), "the second overtakes");
    assert!(!String::from_utf8_lossy(&module.take_output()).contains("0,1,0"));
    assert!(module.until(b"+QMTPUBEX: 0,1,0", Duration::from_secs(3)).is_some());
}

/// What the module writes stays in its socket: DISCONNECT has not left when the broker closes, which is +QMTSTAT 5; and the
/// request of a token is refused (results of AT+QMTTENAUTH: 4).
#[test]
fn what_is_not_sent_is_told_of_by_what_it_was() {
    for dialect in quectel() {
        let mut module = connected(dialect);
        module.inject("unsent:how=waits").expect("a fault");
        assert_eq!("\r\nOK\r\n", module.ask("AT+QMTDISC=0", 5.0), "{dialect}");
        module.network().end_all(false);
        assert_eq!("\r\n+QMTDISC: 0,0\r\n\r\n+QMTSTAT: 0,5\r\n", module.after(1.0), "{dialect}");
    }
    let mut module = module("bc35g_bc28", &["unsent:count=1"]);
    let line = "AT+QMTTENAUTH=\"p\",\"d\",\"c\",\"czNjcmV0\",60,\"http://a.example/token\"";
    assert_eq!("\r\nOK\r\n\r\n+QMTTENAUTH: 4\r\n", module.ask(line, 1.0));
    assert_eq!(1, module.faults()[0].happened);
}
