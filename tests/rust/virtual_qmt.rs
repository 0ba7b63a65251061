//! Quectel's dialects on a virtual module: each rule by the decision that makes it (docs/decisions.md).

use modemrig::dialect::catalogue;
use modemrig::mqtt::AckAction;
use modemrig::mqtt::AckRule;
use modemrig::mqtt::Kind;
use modemrig::mqtt::Qos;

use crate::virtual_host::Host;
use crate::virtual_host::Silent;

const LTE: &str = "lte_standard_a";
const ECX: &str = "ecx00u_egx00u";
const BC35: &str = "bc35g_bc28";

fn in_state(state: &str, silent: &Silent) -> Host {
    let mut host = Host::on(LTE);
    let open_silent = format!("AT+QMTOPEN=0,\"127.0.0.1\",{}", silent.port());
    match state {
        "closed" => {}
        "opening" => {
            host.ok("AT+QMTCFG=\"ssl\",0,1,0");
            host.ok(&open_silent);
        }
        "open" => host.result("AT+QMTOPEN=0,\"broker.example\",1883", "+QMTOPEN: 0,0"),
        "connecting" => {
            host.result(&open_silent, "+QMTOPEN: 0,0");
            host.ok("AT+QMTCONN=0,\"id\"");
        }
        "connected" => host.connect("id"),
        _ => {
            host.connect("id");
            host.result("AT+QMTDISC=0", "+QMTDISC: 0,0");
        }
    }
    host
}

#[test]
fn decision_18_an_open_client_is_occupied_and_closing_one_that_opens_ends_both() {
    let mut host = Host::on(LTE);
    host.connect("id");
    host.result("AT+QMTOPEN=0,\"broker.example\",1883", "+QMTOPEN: 0,2");
    assert!(host.ok("AT+QMTCONN?").contains("+QMTCONN: 0,3"), "the connection is untouched");
    let silent = Silent::new();
    let mut opening = in_state("opening", &silent);
    opening.ok("AT+QMTCLOSE=0");
    opening.until("\r\n+QMTOPEN: 0,-1\r\n");
    opening.until("\r\n+QMTCLOSE: 0,0\r\n");
}

#[test]
fn decision_19_opening_fails_with_the_code_of_its_cause() {
    let mut host = Host::on(LTE);
    host.result("AT+QMTOPEN=0,\"nosuch.invalid\",1883", "+QMTOPEN: 0,4");
    let closed = Silent::new().port();
    host.result(&format!("AT+QMTOPEN=0,\"127.0.0.1\",{closed}"), "+QMTOPEN: 0,5");
    host.result("AT+QMTOPEN=0,\"no host\",1883", "+QMTOPEN: 0,1");
    // TLS with a plain server, and a context whose certificate is missing.
    host.ok("AT+QMTCFG=\"ssl\",0,1,0");
    let plain = host.broker.port();
    host.result(&format!("AT+QMTOPEN=0,\"127.0.0.1\",{plain}"), "+QMTOPEN: 0,-1");
    host.ok("AT+QSSLCFG=\"seclevel\",0,1");
    host.result("AT+QMTOPEN=0,\"broker.example\",8883", "+QMTOPEN: 0,-1");
    host.ok("AT+CFUN=4");
    host.ok("AT+QMTCFG=\"ssl\",0,0,0");
    host.result("AT+QMTOPEN=0,\"broker.example\",1883", "+QMTOPEN: 0,3");
}

#[test]
fn decision_20_a_refused_connect_names_the_code_and_closes_the_client() {
    for code in 1..=5 {
        let mut host = Host::on(ECX);
        host.broker.refuse_with(Some(code));
        host.result("AT+QMTOPEN=0,\"broker.example\",1883", "+QMTOPEN: 0,0");
        host.result("AT+QMTCONN=0,\"id\"", &format!("+QMTCONN: 0,0,{code}"));
        host.until("\r\n+QMTSTAT: 0,4\r\n");
        assert_eq!("\r\nOK\r\n", host.ok("AT+QMTCONN?"), "closed");
    }
}

#[test]
fn decision_20_without_connack_the_client_closes_after_pkt_timeout() {
    let silent = Silent::new();
    let mut host = Host::faster(ECX, 20.0);
    host.result(&format!("AT+QMTOPEN=0,\"127.0.0.1\",{}", silent.port()), "+QMTOPEN: 0,0");
    host.result("AT+QMTCONN=0,\"id\"", "+QMTCONN: 0,2");
    host.until("\r\n+QMTSTAT: 0,4\r\n");
}

#[test]
fn decision_22_closing_sends_no_disconnect_so_the_will_is_published() {
    let mut host = Host::on(LTE);
    host.ok("AT+QMTCFG=\"will\",0,1,1,0,\"gone\",\"bye\"");
    host.connect("id");
    host.result("AT+QMTOPEN=1,\"broker.example\",1883", "+QMTOPEN: 1,0");
    host.result("AT+QMTCONN=1,\"watcher\"", "+QMTCONN: 1,0,0");
    host.result("AT+QMTSUB=1,1,\"gone\",0", "+QMTSUB: 1,1,0,0");
    host.result("AT+QMTCLOSE=0", "+QMTCLOSE: 0,0");
    host.until("\r\n+QMTRECV: 1,0,\"gone\",\"bye\"\r\n");
}

#[test]
fn decision_23_a_keep_alive_without_answer_is_reported_as_the_document_says() {
    for (dialect, lines) in
        [(LTE, &["+QMTPING: 0,1", "+QMTCLOSE: 0,0"][..]), (ECX, &["+QMTPING: 0,1"]), (BC35, &["+QMTSTAT: 0,2"])]
    {
        let mut host = Host::faster(dialect, 50.0);
        host.ok("AT+QMTCFG=\"keepalive\",0,5");
        host.connect("id");
        host.broker.set_ack_rules(vec![rule(Kind::Pingresp, None)]);
        for line in lines {
            host.until(&format!("\r\n{line}\r\n"));
        }
    }
}

#[test]
fn decision_24_a_connection_that_the_peer_closes_is_reported_with_1() {
    let mut host = Host::on(ECX);
    host.connect("id");
    assert!(host.broker.cut("id"));
    host.until("\r\n+QMTSTAT: 0,1\r\n");
    host.refused("AT+QMTPUBEX=0,0,0,0,\"t\",1");
    host.connect("id");
}

#[test]
fn decision_27_retransmissions_are_reported_on_request_and_end_with_2() {
    let mut host = Host::faster(ECX, 20.0);
    host.ok("AT+QMTCFG=\"timeout\",0,2,2,1");
    host.connect("id");
    host.broker.set_ack_rules(vec![rule(Kind::Puback, None)]);
    host.typed("AT+QMTPUBEX=0,7,1,0,\"t\",1", b"x");
    for line in ["+QMTPUBEX: 0,7,1,1", "+QMTPUBEX: 0,7,1,2", "+QMTPUBEX: 0,7,2"] {
        host.until(&format!("\r\n{line}\r\n"));
    }
    assert!(host.ok("AT+QMTCONN?").contains("+QMTCONN: 0,3"), "the client stays connected");
}

#[test]
fn decision_36_five_slots_the_lowest_free_first_and_a_sixth_message_finds_no_room() {
    let mut host = Host::on(LTE);
    host.ok("AT+QMTCFG=\"recv/mode\",0,1,1");
    host.connect("id");
    host.result("AT+QMTSUB=0,1,\"t\",1", "+QMTSUB: 0,1,0,1");
    host.result("AT+QMTOPEN=1,\"broker.example\",1883", "+QMTOPEN: 1,0");
    host.result("AT+QMTCONN=1,\"marker\"", "+QMTCONN: 1,0,0");
    host.result("AT+QMTSUB=1,1,\"marker\",0", "+QMTSUB: 1,1,0,0");
    for (slot, payload) in ["a", "bb", "ccc", "dddd", "eeeee"].iter().enumerate() {
        host.broker.publish("t", payload.as_bytes(), Qos::AtLeastOnce, false);
        host.until(&format!("\r\n+QMTRECV: 0,{slot},{}\r\n", payload.len()));
    }
    host.broker.publish("t", b"lost", Qos::AtLeastOnce, false);
    // The broker writes, and the module reads, the first client first: once this has come, the other has been there.
    host.broker.publish("marker", b"x", Qos::AtMostOnce, false);
    host.until("\r\n+QMTRECV: 1,0,\"marker\",\"x\"\r\n");
    assert!(host.ok("AT+QMTRECV?").contains("+QMTRECV: 0,1,1,1,1,1"));
    assert!(host.ok("AT+QMTRECV=0,1").contains(",\"t\",2,\"bb\""));
    assert!(host.ok("AT+QMTRECV?").contains("+QMTRECV: 0,1,0,1,1,1"));
    let all = host.ok("AT+QMTRECV=0");
    assert_eq!(4, all.matches("+QMTRECV: ").count(), "{all:?}");
    assert!(!all.contains("lost"));
    assert_eq!("\r\nOK\r\n", host.ok("AT+QMTRECV=0"));
    // Not acknowledged, so the broker still has it for the next connection of this session.
    let acknowledged = host.broker.record().iter().filter(|packet| packet.packet.kind() == Kind::Puback).count();
    assert_eq!(5, acknowledged);
}

#[test]
fn six_clients_are_connected_at_once_and_keep_their_messages_apart() {
    let mut host = Host::on(ECX);
    for client in 0..6 {
        host.result(&format!("AT+QMTOPEN={client},\"broker.example\",1883"), &format!("+QMTOPEN: {client},0"));
        host.result(&format!("AT+QMTCONN={client},\"id{client}\""), &format!("+QMTCONN: {client},0,0"));
        host.result(&format!("AT+QMTSUB={client},1,\"t{client}\",0"), &format!("+QMTSUB: {client},1,0,0"));
    }
    host.refused("AT+QMTOPEN=6,\"broker.example\",1883");
    for client in (0..6).rev() {
        host.broker.publish(&format!("t{client}"), b"x", Qos::AtMostOnce, false);
        host.until(&format!("\r\n+QMTRECV: {client},0,\"t{client}\",\"x\"\r\n"));
    }
    assert_eq!(6, host.ok("AT+QMTCONN?").matches(",3\r\n").count());
}

#[test]
fn a_stored_session_gets_what_came_while_it_was_away() {
    let mut host = Host::on(ECX);
    host.ok("AT+QMTCFG=\"session\",0,0");
    host.connect("keeps");
    host.result("AT+QMTSUB=0,1,\"t\",1", "+QMTSUB: 0,1,0,1");
    host.result("AT+QMTDISC=0", "+QMTDISC: 0,0");
    host.result("AT+QMTCLOSE=0", "+QMTCLOSE: 0,0");
    host.broker.publish("t", b"kept", Qos::AtLeastOnce, false);
    host.connect("keeps");
    host.until(",\"t\",\"kept\"\r\n");
}

#[test]
fn a_command_comes_in_pieces_in_lower_case_with_blanks_and_several_on_a_line() {
    let mut host = Host::on(ECX);
    for piece in ["at+q", "mtcfg= \"VERSION\"", ",0, 4", "\r\n"] {
        host.write(piece.as_bytes());
    }
    host.until("\r\nOK\r\n");
    assert!(host.ok("AT+QMTCFG=\"version\",0").contains("+QMTCFG: \"version\",4"));
    let said = host.ok("AT+QMTCFG=\"keepalive\",0,77;+QMTCFG=\"keepalive\",0");
    assert!(said.contains("+QMTCFG: \"keepalive\",77"), "{said:?}");
    assert_eq!(1, said.matches("OK").count(), "one final result");
    let said = host.refused("AT+QMTCFG=\"keepalive\",0,9999;+QMTCFG=\"keepalive\",0");
    assert!(!said.contains("+QMTCFG"), "what stands behind an error does not run: {said:?}");
}

#[test]
fn every_test_form_of_every_document_is_answered_literally() {
    for dialect in catalogue().dialects() {
        let mut host = Host::on(&dialect.id);
        for (name, command) in &dialect.commands {
            if command.forms.contains(&modemrig::dialect::schema::Form::Test) {
                let lines: String = command.test_reply.iter().map(|line| format!("\r\n{line}\r\n")).collect();
                // Further lines of a reply follow the first without an empty line.
                let said = host.ok(&format!("{name}=?")).replace("\r\n\r\n", "\r\n");
                assert_eq!(format!("{lines}\r\nOK\r\n").replace("\r\n\r\n", "\r\n"), said, "{} {name}", dialect.id);
            }
        }
    }
}

#[test]
fn a_restart_ends_every_client_and_every_setting() {
    let mut host = Host::faster(ECX, 20.0);
    host.ok("AT+QMTCFG=\"version\",0,4");
    host.connect("id");
    host.ok("AT+CFUN=1,1");
    host.until("\r\nRDY\r\n");
    host.write(b"ATE0\r");
    host.until("\r\nOK\r\n");
    assert_eq!("\r\nOK\r\n", host.ok("AT+QMTCONN?"));
    assert!(host.ok("AT+QMTCFG=\"version\",0").contains("+QMTCFG: \"version\",3"));
}

#[test]
fn an_upload_is_answered_with_its_size_and_checksum_and_listed() {
    let mut host = Host::on(ECX);
    let said = host.run("AT+QFUPL=\"UFS:a.pem\",5,10");
    assert!(said.ends_with("\r\nCONNECT\r\n"), "{said:?}");
    host.write(&[1, 2, 3, 4, 5]);
    host.until("+QFUPL: 5,706\r\n");
    host.until("\r\nOK\r\n");
    assert!(host.ok("AT+QFLST=\"*\"").contains("+QFLST: \"UFS:a.pem\",5"));
    host.ok("AT+QFDEL=\"UFS:a.pem\"");
    host.refused("AT+QFDEL=\"UFS:a.pem\"");
}

fn rule(kind: Kind, times: Option<u32>) -> AckRule {
    AckRule { kind, client_id: None, action: AckAction::Drop, times }
}
