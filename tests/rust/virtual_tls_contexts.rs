//! TLS contexts of virtual modules as settings: which one counts, when it is read, what forgets it.

use modemrig::dialect::schema::Family;
use modemrig::transport::tls::ClientTls;
use modemrig::transport::tls::Verify;

use crate::tls_host::CHAIN;
use crate::tls_host::Calendar;
use crate::tls_host::Context;
use crate::tls_host::Ends;
use crate::tls_host::MUTUAL;
use crate::tls_host::connect_secured;
use crate::tls_host::host_to;
use crate::tls_host::open;
use crate::tls_host::quectel;
use crate::tls_host::trust_bench;
use crate::tls_host::type_context;
use crate::tls_host::upload;
use crate::tls_servers::Shows;
use crate::tls_servers::TlsServer;
use crate::tls_servers::file;
use crate::virtual_host::Host;
use crate::virtual_host::Silent;

const LTE: &str = "lte_standard_a";
const SIM: &str = "sim7028";

/// Decision 38: TLS changes no port. The one that an address leaves out is 1883.
#[test]
fn decision_38_the_default_port_stays_1883_with_tls() {
    let server = TlsServer::start(&Shows::GOOD);
    let mut host = Host::with(SIM, |options| {
        let redirect = options.network.redirect.as_mut().expect("a broker");
        // What speaks TLS is where 1883 leads; nobody is where 8883 leads.
        (redirect.port, redirect.tls_port) = (server.port, Silent::new().port());
    });
    host.ok("ATE0");
    type_context(&mut host, Family::Cmqtt, 0, &CHAIN);
    host.result("AT+CMQTTSTART", "+CMQTTSTART: 0");
    host.ok("AT+CMQTTACCQ=0,\"id\",1");
    // No AT+CMQTTSSLCFG either: the context has the client's number (3.2.8).
    host.result("AT+CMQTTCONNECT=0,\"tcp://broker.example\",60,1", "+CMQTTCONNECT: 0,0");
    server.next().expect("TLS on 1883");
}

#[test]
fn a_context_that_nobody_configured_checks_nothing_and_0_is_the_one_nobody_names() {
    let server = TlsServer::start(&Shows { cert: "self-signed", key: "self-signed.key", ..Shows::GOOD });
    for dialect in quectel() {
        let mut host = host_to(dialect, server.port, Calendar::Told);
        // Context 0 checks; context 5 was never touched.
        type_context(&mut host, Family::Qmt, 0, &CHAIN);
        host.ok("AT+QMTCFG=\"ssl\",0,1,5");
        host.result("AT+QMTOPEN=0,\"broker.example\",8883", "+QMTOPEN: 0,0");
        server.next().expect("nothing is checked");
        host.result("AT+QMTCLOSE=0", "+QMTCLOSE: 0,0");
        host.ok("AT+QMTCFG=\"ssl\",1,1");
        host.result("AT+QMTOPEN=1,\"broker.example\",8883", "+QMTOPEN: 1,-1");
        server.next().expect_err("context 0 checks");
    }
}

#[test]
fn a_context_is_read_when_a_client_opens_and_two_clients_may_share_it() {
    let server_stays = Shows { client_ca: Some("ca"), ..Shows::GOOD };
    for dialect in quectel() {
        let mut host = Host::on(dialect);
        trust_bench(&mut host, dialect, 1);
        connect_secured(&mut host, 0, "first");
        connect_secured(&mut host, 1, "second");
        // The context is changed under both: what is open stays open.
        type_context(&mut host, Family::Qmt, 1, &Context { ca: Some("other-ca"), ..CHAIN });
        host.result("AT+QMTSUB=0,1,\"t\",0", "+QMTSUB: 0,1,0,0");
        host.typed("AT+QMTPUBEX=1,0,0,0,\"t\",1", b"x");
        host.until("\r\n+QMTRECV: 0,0,\"t\",\"x\"\r\n");
        // The next open sees it, of a client that was open as of one that was not.
        host.result("AT+QMTCLOSE=1", "+QMTCLOSE: 1,0");
        for client in 1..=2 {
            host.ok(&format!("AT+QMTCFG=\"ssl\",{client},1,1"));
            host.result(&format!("AT+QMTOPEN={client},\"broker.example\",8883"), &format!("+QMTOPEN: {client},-1"));
        }
        assert_eq!(vec!["first".to_owned()], host.broker.connected());
    }
    // A file that is deleted is missed at the next open, not before.
    let server = TlsServer::start(&server_stays);
    let mut host = host_to(SIM, server.port, Calendar::Told);
    type_context(&mut host, Family::Cmqtt, 1, &MUTUAL);
    open(&mut host, Family::Cmqtt, 1, 8883, Ends::Open);
    host.ok("AT+CCERTDELE=\"client.key.pem\"");
    host.result("AT+CMQTTDISC=0,60", "+CMQTTDISC: 0,0");
    host.ok("AT+CMQTTSSLCFG=0,1");
    host.result("AT+CMQTTCONNECT=0,\"tcp://broker.example:8883\",60,1", "+CMQTTCONNECT: 0,33");
    // That failure forgot the choice (3.2.5): context 0 checks nothing.
    host.result("AT+CMQTTCONNECT=0,\"tcp://broker.example:8883\",60,1", "+CMQTTCONNECT: 0,0");
}

#[test]
fn settings_are_forgotten_at_a_restart_and_files_are_not() {
    let server = TlsServer::start(&Shows { client_ca: Some("ca"), requires: true, ..Shows::GOOD });
    let mut host = host_to(LTE, server.port, Calendar::Told);
    type_context(&mut host, Family::Qmt, 1, &MUTUAL);
    host.ok("AT+CFUN=1,1");
    host.until("\r\nRDY\r\n");
    host.ok("ATE0");
    assert!(host.ok("AT+QSSLCFG=\"seclevel\",1").contains("+QSSLCFG: \"seclevel\",1,0"));
    assert!(host.ok("AT+QFLST=\"client.pem\"").contains("\"UFS:client.pem\""));
    open(&mut host, Family::Qmt, 1, 8883, Ends::Tls);
    server.next().expect_err("no certificate is shown any more");
    for (key, file) in [("cacert", "ca"), ("clientcert", "client"), ("clientkey", "client.key")] {
        host.ok(&format!("AT+QSSLCFG=\"{key}\",1,\"UFS:{file}.pem\""));
    }
    host.ok("AT+QSSLCFG=\"seclevel\",1,2");
    open(&mut host, Family::Qmt, 1, 8883, Ends::Open);
}

#[test]
fn an_address_is_no_name_to_send() {
    let server = TlsServer::start(&Shows::GOOD);
    let mut host = host_to(LTE, server.port, Calendar::Told);
    type_context(&mut host, Family::Qmt, 1, &Context { sni: true, ..CHAIN });
    host.ok("AT+QMTCFG=\"ssl\",0,1,1");
    for (name, sent) in [("127.0.0.1", None), ("10.1.2.3", None), ("hub.example", Some("hub.example".to_owned()))] {
        let port = if name == "127.0.0.1" { server.port } else { 8883 };
        host.result(&format!("AT+QMTOPEN=0,\"{name}\",{port}"), "+QMTOPEN: 0,0");
        assert_eq!(sent, server.next().expect("it is open").sni, "{name}");
        host.result("AT+QMTCLOSE=0", "+QMTCLOSE: 0,0");
    }
}

#[test]
fn a_file_whose_upload_broke_off_is_not_there() {
    let server = TlsServer::start(&Shows::GOOD);
    let mut host = host_to(LTE, server.port, Calendar::Told);
    let whole = file("ca");
    // One second to send it in, and half of it comes.
    let said = host.run(&format!("AT+QFUPL=\"UFS:ca.pem\",{},1", whole.len()));
    assert!(said.ends_with("\r\nCONNECT\r\n"), "{said:?}");
    host.write(&whole[..whole.len() / 2]);
    host.until("ERROR");
    assert!(!host.run("AT+QFLST=\"ca.pem\"").contains("+QFLST"));
    for line in ["\"cacert\",1,\"UFS:ca.pem\"", "\"seclevel\",1,1"] {
        host.ok(&format!("AT+QSSLCFG={line}"));
    }
    open(&mut host, Family::Qmt, 1, 8883, Ends::NoFile);
    upload(&mut host, Family::Qmt, "ca.pem", whole);
    open(&mut host, Family::Qmt, 1, 8883, Ends::Open);
}

/// Files come from anybody; whatever is in them, the settings either stand or are refused.
/// A file of a context.
type Part = fn(&mut ClientTls) -> &mut Option<Vec<u8>>;

#[test]
fn no_damage_to_a_file_makes_tls_settings_panic() {
    let good = ClientTls {
        verify: Verify::Mutual,
        ca: Some(file("ca.der").to_vec()),
        client_cert: Some(file("client").to_vec()),
        client_key: Some(file("client.key").to_vec()),
        ..ClientTls::default()
    };
    good.build().expect("good settings");
    let parts: [Part; 3] = [|tls| &mut tls.ca, |tls| &mut tls.client_cert, |tls| &mut tls.client_key];
    let mut refused = 0;
    for part in parts {
        let length = part(&mut good.clone()).as_ref().map_or(0, Vec::len);
        for place in 0..length {
            for damage in [0x00, 0x01, 0x80, 0xff] {
                let mut tls = good.clone();
                if let Some(content) = part(&mut tls) {
                    content[place] ^= damage;
                    content.truncate(if damage == 0 { place } else { length });
                }
                refused += usize::from(tls.build().is_err());
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}
