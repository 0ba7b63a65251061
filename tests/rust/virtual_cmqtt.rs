//! SIM7028 on a virtual module: each rule by the decision that makes it (docs/decisions.md).

use modemrig::mqtt::AckAction;
use modemrig::mqtt::AckRule;
use modemrig::mqtt::Kind;
use modemrig::mqtt::Qos;

use crate::virtual_host::Host;
use crate::virtual_host::Silent;

const SIM: &str = "sim7028";
const CONNECT: &str = "AT+CMQTTCONNECT=0,\"tcp://broker.example:1883\",60,1";

fn in_state(state: &str, silent: &Silent) -> Host {
    let mut host = Host::on(SIM);
    if state == "stopped" {
        return host;
    }
    host.result("AT+CMQTTSTART", "+CMQTTSTART: 0");
    if state == "started" {
        return host;
    }
    host.ok("AT+CMQTTACCQ=0,\"id\"");
    match state {
        "acquired" => {}
        "connecting" => {
            host.ok(&format!("AT+CMQTTCONNECT=0,\"tcp://127.0.0.1:{}\",60,1", silent.port()));
        }
        _ => host.result(CONNECT, "+CMQTTCONNECT: 0,0"),
    }
    host
}

fn connected() -> Host {
    in_state("connected", &Silent::new())
}

#[test]
fn decision_25_connecting_fails_with_the_code_of_its_cause() {
    let closed = Silent::new().port();
    for (address, code) in [("tcp://nosuch.invalid".to_owned(), 25), (format!("tcp://127.0.0.1:{closed}"), 3)] {
        let mut host = in_state("acquired", &Silent::new());
        let line = format!("AT+CMQTTCONNECT=0,\"{address}\",60,1");
        host.result(&line, &format!("+CMQTTCONNECT: 0,{code}"));
        // The client stays acquired and can try again.
        host.result(CONNECT, "+CMQTTCONNECT: 0,0");
    }
    for code in 1..=5 {
        let mut host = in_state("acquired", &Silent::new());
        host.broker.refuse_with(Some(code));
        host.result(CONNECT, &format!("+CMQTTCONNECT: 0,{}", 26 + code));
        host.broker.refuse_with(None);
        host.result(CONNECT, "+CMQTTCONNECT: 0,0");
    }
}

#[test]
fn decision_25_tls_fails_with_32_and_a_missing_certificate_with_33() {
    let mut host = Host::on(SIM);
    host.result("AT+CMQTTSTART", "+CMQTTSTART: 0");
    host.ok("AT+CMQTTACCQ=0,\"id\",1");
    let plain = host.broker.port();
    host.result(&format!("AT+CMQTTCONNECT=0,\"tcp://127.0.0.1:{plain}\",60,1"), "+CMQTTCONNECT: 0,32");
    host.ok("AT+CSSLCFG=\"authmode\",0,1");
    host.result("AT+CMQTTCONNECT=0,\"tcp://broker.example:8883\",60,1", "+CMQTTCONNECT: 0,33");
    let ca = host.broker.certificates().ca_pem.clone();
    let said = host.typed(&format!("AT+CCERTDOWN=\"ca.pem\",{}", ca.len()), ca.as_bytes());
    assert!(said.ends_with("\r\nOK\r\n"), "{said:?}");
    host.ok("AT+CSSLCFG=\"cacert\",0,\"ca.pem\"");
    host.result("AT+CMQTTCONNECT=0,\"tcp://broker.example:8883\",60,1", "+CMQTTCONNECT: 0,0");
}

/// 3.2.8: without AT+CMQTTSSLCFG the context with the client's number; 3.2.5: the choice ends with the connection. Context 0
/// names a certificate that is not there, context 1 checks nothing: the code tells which of them was used.
#[test]
fn section_3_2_5_the_chosen_context_is_the_one_used() {
    let tls = "AT+CMQTTCONNECT=0,\"tcp://broker.example:8883\",60,1";
    let mut host = Host::on(SIM);
    host.ok("AT+CSSLCFG=\"authmode\",0,1");
    host.ok("AT+CSSLCFG=\"authmode\",1,0");
    host.result("AT+CMQTTSTART", "+CMQTTSTART: 0");
    host.ok("AT+CMQTTSSLCFG=0,1");
    host.ok("AT+CMQTTACCQ=0,\"id\",1");
    host.result(tls, "+CMQTTCONNECT: 0,0");
    host.result("AT+CMQTTDISC=0", "+CMQTTDISC: 0,0");
    host.result(tls, "+CMQTTCONNECT: 0,33");
    host.ok("AT+CMQTTSSLCFG=0,1");
    host.result(tls, "+CMQTTCONNECT: 0,0");
}

/// Decision 38: `tcp://` also for TLS, and the port that is left out is 1883, where no TLS is spoken.
#[test]
fn decision_38_the_default_port_is_1883_over_tls_too() {
    let mut host = Host::on(SIM);
    host.result("AT+CMQTTSTART", "+CMQTTSTART: 0");
    host.ok("AT+CMQTTACCQ=0,\"id\",1");
    host.result("AT+CMQTTCONNECT=0,\"tcp://broker.example\",60,1", "+CMQTTCONNECT: 0,32");
    host.result("AT+CMQTTCONNECT=0,\"tcp://broker.example:8883\",60,1", "+CMQTTCONNECT: 0,0");
    host.result("AT+CMQTTDISC=0", "+CMQTTDISC: 0,0");
    host.ok("AT+CMQTTREL=0");
    host.ok("AT+CMQTTACCQ=0,\"id\",0");
    host.result("AT+CMQTTCONNECT=0,\"tcp://broker.example\",60,1", "+CMQTTCONNECT: 0,0");
}

#[test]
fn decision_25_a_lost_connection_leaves_the_client_acquired_and_the_service_started() {
    let mut host = connected();
    assert!(host.broker.cut("id"));
    host.until("\r\n+CMQTTCONNLOST: 0,1\r\n");
    assert!(host.ok("AT+CMQTTACCQ?").contains("+CMQTTACCQ: 0,\"id\",0"));
    host.result(CONNECT, "+CMQTTCONNECT: 0,0");
}

#[test]
fn a_publish_without_answer_fails_with_17_after_its_time() {
    let mut host = Host::faster(SIM, 100.0);
    host.result("AT+CMQTTSTART", "+CMQTTSTART: 0");
    host.ok("AT+CMQTTACCQ=0,\"id\"");
    host.result("AT+CMQTTCONNECT=0,\"tcp://broker.example\",3600,1", "+CMQTTCONNECT: 0,0");
    host.broker.set_ack_rules(vec![AckRule {
        kind: Kind::Puback,
        client_id: None,
        action: AckAction::Drop,
        times: None,
    }]);
    host.typed("AT+CMQTTTOPIC=0,1", b"t");
    host.ok("AT+CMQTTPUB=0,1,60");
    // One at a time: the client is busy meanwhile.
    host.typed("AT+CMQTTTOPIC=0,1", b"t");
    assert!(host.refused("AT+CMQTTPUB=0,1,60").contains("+CMQTTPUB: 0,14"));
    host.until("\r\n+CMQTTPUB: 0,17\r\n");
}

#[test]
fn decision_38_a_message_comes_whole_in_parts_of_1500_and_an_empty_one_has_none() {
    let mut host = connected();
    host.typed("AT+CMQTTSUB=0,3,1", b"a/b");
    host.until("\r\n+CMQTTSUB: 0,0\r\n");
    host.broker.publish("a/b", &[b'x'; 3001], Qos::AtLeastOnce, false);
    let block = host.until("+CMQTTRXEND: 0\r\n");
    assert!(block.starts_with("\r\n+CMQTTRXSTART: 0,3,3001\r\n+CMQTTRXTOPIC: 0,3\r\na/b\r\n"), "{block:?}");
    let parts: Vec<_> = block.matches("+CMQTTRXPAYLOAD: 0,").collect();
    assert_eq!(3, parts.len());
    assert!(block.ends_with("+CMQTTRXPAYLOAD: 0,1\r\nx\r\n+CMQTTRXEND: 0\r\n"));
    host.broker.publish("a/b", b"", Qos::AtMostOnce, false);
    assert_eq!(
        "\r\n+CMQTTRXSTART: 0,3,0\r\n+CMQTTRXTOPIC: 0,3\r\na/b\r\n+CMQTTRXEND: 0\r\n",
        host.until("+CMQTTRXEND: 0\r\n")
    );
}

#[test]
fn decision_38_input_must_be_utf8_unless_the_check_is_off() {
    let mut host = in_state("acquired", &Silent::new());
    let said = host.typed("AT+CMQTTPAYLOAD=0,2", b"\xff\xfe");
    assert_eq!("\r\n+CMQTTPAYLOAD: 0,2\r\n\r\nERROR\r\n", said);
    host.ok("AT+CMQTTCFG=\"checkUTF8\",0,0");
    assert_eq!("\r\nOK\r\n", host.typed("AT+CMQTTPAYLOAD=0,2", b"\xff\xfe"));
    host.ok("AT+CMQTTREL=0");
    host.ok("AT+CMQTTACCQ=0,\"id\"");
    assert!(host.ok("AT+CMQTTCFG?").contains("+CMQTTCFG: 0,1,120"), "forgotten with the client");
}

#[test]
fn decision_8_the_short_forms_use_what_was_staged() {
    let mut host = connected();
    host.result("AT+CMQTTSUB=0", "+CMQTTSUB: 0,0");
    assert_eq!(0, subscribes(&host), "nothing staged, nothing sent");
    host.typed("AT+CMQTTSUBTOPIC=0,3,1", b"a/b");
    host.result("AT+CMQTTSUB=0", "+CMQTTSUB: 0,0");
    assert_eq!(1, subscribes(&host));
    assert_eq!("\r\n+CMQTTSUB:\r\na/b\r\n\r\nOK\r\n", host.ok("AT+CMQTTSUB?"));
    host.typed("AT+CMQTTUNSUBTOPIC=0,3", b"a/b");
    host.result("AT+CMQTTUNSUB=0,1", "+CMQTTUNSUB: 0,0");
    assert_eq!("\r\n+CMQTTSUB:\r\n\r\nOK\r\n", host.ok("AT+CMQTTSUB?"));
    // Nothing staged: the second argument is a length again.
    host.typed("AT+CMQTTUNSUB=0,1", b"t");
    host.until("\r\n+CMQTTUNSUB: 0,0\r\n");
}

fn subscribes(host: &Host) -> usize {
    host.broker.record().iter().filter(|packet| packet.packet.kind() == Kind::Subscribe).count()
}

#[test]
fn topic_and_payload_are_forgotten_after_a_publish_and_a_missing_payload_is_empty() {
    let mut host = connected();
    host.typed("AT+CMQTTSUB=0,1,0", b"t");
    host.until("\r\n+CMQTTSUB: 0,0\r\n");
    host.typed("AT+CMQTTTOPIC=0,1", b"t");
    host.result("AT+CMQTTPUB=0,0,60", "+CMQTTPUB: 0,0");
    host.until("+CMQTTRXSTART: 0,1,0\r\n");
    assert!(host.refused("AT+CMQTTPUB=0,0,60").contains("+CMQTTPUB: 0,18"));
}
