//! What a host makes of quirks of `AT+QMT…` where a plain session does not show it: what it delivers, what it says of a
//! failure, and how it goes on.

use std::time::Duration;

use modemrig::bench_broker::BenchBroker;
use modemrig::bench_broker::BenchOptions;
use modemrig::client::ClientState;
use modemrig::engine::Client;
use modemrig::engine::Credentials;
use modemrig::engine::Modem;
use modemrig::engine::OpenOptions;
use modemrig::engine::Outgoing;
use modemrig::engine::Wait;
use modemrig::error::Error;
use modemrig::error::Kind;
use modemrig::mqtt::AckAction;
use modemrig::mqtt::AckRule;
use modemrig::virtual_module::BrokerAddress;
use modemrig::virtual_module::Endpoint;
use modemrig::virtual_module::Network;
use modemrig::virtual_module::VirtualModule;
use modemrig::virtual_module::VirtualOptions;

const LTE: &str = "lte_standard_a";
const ECX: &str = "ecx00u_egx00u";
const BC35: &str = "bc35g_bc28";

struct Rig {
    broker: BenchBroker,
    module: VirtualModule,
    modem: Modem,
}

/// Longer than any step takes on a loaded machine.
fn wait() -> Wait<'static> {
    Wait::at_most(Duration::from_secs(20))
}

fn rig(dialect: &str, quirks: &[&str]) -> Rig {
    let broker = BenchBroker::start(BenchOptions::default()).expect("a broker");
    let address = BrokerAddress { host: broker.host().into(), port: broker.port(), tls_port: broker.tls_port() };
    let mut module = VirtualModule::start(VirtualOptions {
        endpoint: Endpoint::Pair,
        network: Network { redirect: Some(address) },
        quirks: quirks.iter().map(|quirk| (*quirk).to_owned()).collect(),
        ..VirtualOptions::new(dialect)
    })
    .expect("a virtual module");
    let line = module.host_end().expect("the other end of a pair");
    let modem = Modem::over(Box::new(line), OpenOptions::default(), wait()).expect("an open port");
    Rig { broker, module, modem }
}

impl Rig {
    fn client(&self) -> Client {
        self.modem.client(0).expect("every module has one")
    }

    fn connected(&self) -> Client {
        let client = self.client();
        client.open("broker.lab", 1883, None, wait()).expect("open");
        self.connect(&client).expect("connected");
        client
    }

    fn connect(&self, client: &Client) -> Result<(), Error> {
        client.connect(&Credentials { client_id: "me".into(), ..Credentials::default() }, wait())
    }
}

fn message(payload: &[u8]) -> Outgoing {
    Outgoing { topic: "t".into(), payload: payload.to_vec(), qos: 1, retain: false }
}

/// Publishes to itself; what is delivered.
fn returned(client: &Client, payload: &[u8]) -> Vec<u8> {
    client.subscribe(&[("t".into(), 1)], wait()).expect("subscribed");
    client.publish(&message(payload), wait()).expect("sent").wait(wait()).expect("acknowledged");
    client.take_messages(1, wait()).expect("open").remove(0).message.payload
}

#[test]
fn a_payload_on_the_line_below_its_length_is_delivered_also_where_no_length_was_asked_for() {
    for payload in [&b"plain"[..], b"7", b"a \"b\"\r\nOK\r\n"] {
        let rig = rig(BC35, &["recv_payload_below"]);
        assert_eq!(payload, returned(&rig.connected(), payload), "{}", payload.escape_ascii());
    }
    let rig = rig(BC35, &["recv_unquoted"]);
    assert_eq!(b"42", returned(&rig.connected(), b"42").as_slice());
}

/// What the module cut away is not made up: the host says that the line was damaged, and is in step again.
#[test]
fn a_text_that_ends_at_a_nul_is_damage_and_no_more() {
    let rig = rig(LTE, &["text_ends_at_nul"]);
    let client = rig.connected();
    client.subscribe(&[("t".into(), 1)], wait()).expect("subscribed");
    for payload in [&b"ab\0and what stands behind it"[..], b"whole"] {
        client.publish(&message(payload), wait()).expect("sent").wait(wait()).expect("acknowledged");
    }
    let delivered = client.take_messages(1, wait()).expect("open").remove(0).message.payload;
    assert_eq!(b"whole", delivered.as_slice());
    assert!(rig.modem.statistics().damaged >= 1, "{:?}", rig.modem.statistics());
}

#[test]
fn a_module_that_takes_the_length_for_the_payload_is_found_out() {
    let rig = rig(BC35, &["inline_publish:numbers=payload"]);
    let client = rig.connected();
    let error = client.publish(&message(b"hello"), wait()).expect_err("it published 5");
    assert_eq!(Kind::Garbled, error.kind, "{error}");
    assert!(error.message.contains("without asking for the payload"), "{error}");
    client.subscribe(&[("t".into(), 1)], wait()).expect("the port is in step");
    assert_eq!(ClientState::Connected, client.state());
}

#[test]
fn a_module_that_falls_over_a_packet_identifier_is_subscribed_without_one_behind_its_restart() {
    for dialect in [ECX, LTE] {
        // What an LTE document does not allow, modules of the field do.
        let differs = "[commands.\"AT+QMTSUB\".params]\nmsgid = { min = 0 }";
        let broker = BenchBroker::start(BenchOptions::default()).expect("a broker");
        let address = BrokerAddress { host: broker.host().into(), port: broker.port(), tls_port: broker.tls_port() };
        let mut module = VirtualModule::start(VirtualOptions {
            endpoint: Endpoint::Pair,
            differs: Some(differs.into()),
            network: Network { redirect: Some(address) },
            quirks: vec!["msgid_restarts".into()],
            ..VirtualOptions::new(dialect)
        })
        .expect("a virtual module");
        let line = module.host_end().expect("the other end of a pair");
        let modem = Modem::over(Box::new(line), OpenOptions::default(), wait()).expect("an open port");
        let rig = Rig { broker, module, modem };
        let first = rig.connected().subscribe(&[("t".into(), 1)], wait()).expect_err(dialect);
        assert_eq!(Kind::ModuleRestarted, first.kind, "{dialect}: {first}");
        assert_eq!(b"hello", returned(&rig.connected(), b"hello").as_slice(), "{dialect}");
        assert_eq!(vec!["me"], rig.broker.connected());
    }
}

/// A restart that had another reason does not cost a module its subscriptions, where its document wants an identifier.
#[test]
fn a_restart_by_chance_leaves_subscriptions_as_they_were() {
    let rig = rig(LTE, &["msgid_restarts"]);
    let first = rig.connected().subscribe(&[("t".into(), 1)], wait()).expect_err("restarted");
    assert_eq!(Kind::ModuleRestarted, first.kind, "{first}");
    rig.module.clear_quirk(Some("msgid_restarts")).expect("a quirk");
    assert_eq!(b"hello", returned(&rig.connected(), b"hello").as_slice());
}

#[test]
fn an_idle_connection_that_is_lost_is_told_and_opened_again() {
    let rig = rig(LTE, &["idle_open_lost:ms=300"]);
    let client = rig.client();
    client.open("broker.lab", 1883, None, wait()).expect("open");
    let loss = client.connection_lost(wait()).expect("open").expect("lost");
    assert_eq!(("+QMTSTAT", Some(1)), (loss.reported.as_str(), loss.code));
    let error = rig.connect(&client).expect_err("nothing to connect over");
    assert_eq!((Kind::ConnectionLost, Some(1)), (error.kind, error.code), "{error}");
    let client = rig.connected();
    assert_eq!(ClientState::Connected, client.state());
}

#[test]
fn a_close_that_takes_long_is_waited_for() {
    let rig = rig(LTE, &["slow_close:ms=700"]);
    let client = rig.connected();
    let reply = rig.modem.command("AT+QMTCLOSE=0", None, wait()).expect("an answer");
    assert!(reply.response >= Duration::from_millis(500), "{reply:?}");
    assert_eq!(
        (ClientState::Closed, ["OK", "+QMTCLOSE: 0,0"]),
        (client.state(), [&reply.exchanged[0], &reply.exchanged[1]].map(String::as_str))
    );
    rig.connected().close(wait()).expect("closed");
    assert_eq!(b"hello", returned(&rig.connected(), b"hello").as_slice());
}

#[test]
fn a_request_without_a_final_line_of_its_own_ends_with_its_connection() {
    let rig = rig(LTE, &["notice_last", "notice_without_count", "notice_always"]);
    let client = rig.client();
    client.configure(&[("pkt_timeout".into(), 1.into()), ("retry_times".into(), 1.into())], wait()).expect("set");
    let client = rig.connected();
    rig.broker.set_ack_rules(vec![AckRule {
        kind: modemrig::mqtt::Kind::Puback,
        client_id: None,
        action: AckAction::Drop,
        times: None,
    }]);
    let receipt = client.publish(&message(b"lost"), wait()).expect("sent");
    let error = receipt.wait(wait()).expect_err("nobody acknowledges it");
    assert_eq!((Kind::ConnectionLost, 1), (error.kind, receipt.retries()), "{error}");
    rig.broker.set_ack_rules(Vec::new());
    assert_eq!(b"hello", returned(&rig.connected(), b"hello").as_slice());
}
