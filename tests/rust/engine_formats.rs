//! The host's end and a virtual module agree on how payloads are written: text, hexadecimal digits, shown while typed, stored
//! (decisions 32, 34 to 36).

use std::time::Duration;

use modemrig::bench_broker::BenchBroker;
use modemrig::bench_broker::BenchOptions;
use modemrig::engine::Client;
use modemrig::engine::Credentials;
use modemrig::engine::Modem;
use modemrig::engine::OpenOptions;
use modemrig::engine::Outgoing;
use modemrig::engine::Value;
use modemrig::engine::Wait;
use modemrig::virtual_module::BrokerAddress;
use modemrig::virtual_module::Endpoint;
use modemrig::virtual_module::Network;
use modemrig::virtual_module::VirtualModule;
use modemrig::virtual_module::VirtualOptions;

const LTE: [&str; 3] = ["lte_standard_a", "ecx00u_egx00u", "ec200x_ec600x_eg912y"];

/// Payloads that would be taken for something else, were they not told by their form.
const PAYLOADS: [&[u8]; 8] = [
    b"x",
    b"4142",
    b"\r\nOK\r\n",
    b"\r\nERROR\r\n",
    b"> ",
    b"+QMTSTAT: 0,1\r\n",
    b"\0\x1a\x1b\"\xff,\"",
    b"\r\n+QMTRECV: 0,0,\"t\",\"41\"\r\n",
];

fn wait() -> Wait<'static> {
    Wait::at_most(Duration::from_secs(20))
}

struct Rig {
    broker: BenchBroker,
    module: VirtualModule,
    modem: Modem,
}

fn rig(dialect: &str) -> Rig {
    let broker = BenchBroker::start(BenchOptions::default()).expect("a broker");
    let address = BrokerAddress { host: broker.host().into(), port: broker.port(), tls_port: broker.tls_port() };
    let module = VirtualModule::start(VirtualOptions {
        endpoint: Endpoint::Pty { link: None },
        network: Network { redirect: Some(address) },
        gap: Duration::ZERO,
        ..VirtualOptions::new(dialect)
    });
    let module = module.expect("a virtual module");
    let modem = open(&module, dialect);
    Rig { broker, module, modem }
}

fn open(module: &VirtualModule, dialect: &str) -> Modem {
    let options = OpenOptions { dialect: Some(dialect.into()), ..OpenOptions::default() };
    Modem::open(module.path(), options, wait()).expect("an open port")
}

fn connect(client: &Client) {
    client.open("broker.lab", 1883, None, wait()).expect("opened");
    let me = Credentials { client_id: "me".into(), ..Credentials::default() };
    client.connect(&me, wait()).expect("connected");
    client.subscribe(&[("t".into(), 1)], wait()).expect("subscribed");
}

/// Every payload goes out as it is and comes back as it is, at every quality.
fn carries_everything(broker: &BenchBroker, client: &Client, what: &str) {
    for (number, payload) in PAYLOADS.iter().enumerate() {
        let message = Outgoing { topic: "t".into(), payload: payload.to_vec(), qos: number as i64 % 3, retain: false };
        let receipt = client.publish(&message, wait()).unwrap_or_else(|error| panic!("{what}: {payload:?}: {error}"));
        receipt.wait(wait()).unwrap_or_else(|error| panic!("{what}: {payload:?}: {error}"));
        let taken = client.take_messages(8, wait()).unwrap_or_else(|error| panic!("{what}: {payload:?}: {error}"));
        let payloads: Vec<&[u8]> = taken.iter().map(|it| it.message.payload.as_slice()).collect();
        assert_eq!([*payload], payloads[..], "{what}");
    }
    let carried = broker.record().into_iter().filter_map(|row| match row.packet {
        modemrig::mqtt::Packet::Publish(publish) if row.direction == modemrig::mqtt::Direction::In => {
            Some(publish.payload)
        }
        _ => None,
    });
    assert_eq!(PAYLOADS.to_vec(), carried.collect::<Vec<_>>(), "{what}: as the broker sees them");
}

fn pair(first: i64, second: i64) -> Value {
    Value::List(vec![first.into(), second.into()])
}

#[test]
fn decision_34_payloads_pass_in_every_form_that_configure_offers() {
    let forms: [(&str, &[(&str, Value)]); 8] = [
        ("hex out", &[("send_mode", Value::Int(1))]),
        ("hex in", &[("recv_mode", Value::Int(1))]),
        ("hex both ways", &[("dataformat", pair(1, 1))]),
        ("hex by send/mode", &[("send/mode", Value::Int(1)), ("dataformat", pair(1, 0))]),
        ("shown", &[("view_mode", Value::Int(1))]),
        ("hex and shown", &[("dataformat", pair(1, 1)), ("view/mode", Value::Int(1))]),
        ("hex and stored", &[("dataformat", pair(1, 1)), ("recv/mode", pair(1, 1))]),
        ("hex in without lengths", &[("dataformat", pair(0, 1)), ("recv/mode", pair(0, 0))]),
    ];
    for dialect in LTE {
        for (what, settings) in &forms {
            let Rig { broker, module: _module, modem } = rig(dialect);
            let client = modem.client(0).expect("six");
            let settings: Vec<_> = settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            client.configure(&settings, wait()).unwrap_or_else(|error| panic!("{dialect}, {what}: {error}"));
            connect(&client);
            carries_everything(&broker, &client, &format!("{dialect}, {what}"));
        }
    }
}

/// Settings last until power-down: whoever comes next must not take digits for text.
#[test]
fn decisions_17_and_34_a_form_that_another_host_left_behind_is_found() {
    for dialect in LTE {
        let Rig { broker, module, modem } = rig(dialect);
        for line in ["+QMTCFG=\"dataformat\",0,1,1", "+QMTCFG=\"view/mode\",0,1"] {
            modem.command(line, None, wait()).expect("accepted");
        }
        modem.close();
        let modem = open(&module, dialect);
        let client = modem.client(0).expect("six");
        connect(&client);
        carries_everything(&broker, &client, dialect);
        // And is left as it was.
        modem.close_gracefully(wait()).expect("left");
        let modem = open(&module, dialect);
        let client = modem.client(0).expect("six");
        for (name, value) in [("send_mode", 1), ("recv_mode", 1), ("view_mode", 1), ("msg_len_enable", 0)] {
            let found = client.setting(name, wait()).expect("read");
            assert_eq!(Some(&Value::Int(value)), found.get(name), "{dialect}: {name}");
        }
    }
}

/// A will may hold any bytes where the document has `willex`; BC35's `will` is refused what it cannot carry (decision 33).
#[test]
fn decision_33_a_will_of_any_bytes_is_published_or_refused_before_the_wire() {
    for dialect in LTE.into_iter().chain(["bc35g_bc28"]) {
        for payload in PAYLOADS {
            let Rig { broker, module: _module, modem } = rig(dialect);
            let client = modem.client(0).expect("there is one");
            let will = Value::List(vec!["gone".into(), Value::Bytes(payload.to_vec()), 1.into(), 0.into()]);
            let configured = client.configure(&[("will".into(), will)], wait());
            let sayable = payload.iter().all(|byte| !matches!(byte, b'"' | b'\r' | b'\n' | 0 | 0x1a | 0x1b));
            if dialect == "bc35g_bc28" && !sayable {
                let error = configured.expect_err("it cannot be said");
                assert_eq!(modemrig::error::Kind::BadValue, error.kind, "{payload:?}: {error}");
                continue;
            }
            configured.unwrap_or_else(|error| panic!("{dialect}: {payload:?}: {error}"));
            client.open("broker.lab", 1883, None, wait()).expect("opened");
            let me = Credentials { client_id: "me".into(), ..Credentials::default() };
            client.connect(&me, wait()).expect("connected");
            let wills = broker.record().into_iter().filter_map(|row| match row.packet {
                modemrig::mqtt::Packet::Connect(connect) => connect.will.map(|will| will.payload),
                _ => None,
            });
            assert_eq!(vec![payload.to_vec()], wills.collect::<Vec<_>>(), "{dialect}");
        }
    }
}

/// The module takes messages of a stored session over the next connection (decision 29); to the host they are over.
#[test]
fn decision_29_a_host_goes_on_over_a_stored_session_with_messages_in_flight() {
    for dialect in LTE.into_iter().chain(["bc35g_bc28"]) {
        let Rig { broker, module: _module, modem } = rig(dialect);
        let client = modem.client(0).expect("there is one");
        client.configure(&[("clean_session".into(), 0.into())], wait()).expect("accepted");
        connect(&client);
        let rule = modemrig::mqtt::AckRule {
            kind: modemrig::mqtt::Kind::Puback,
            client_id: None,
            action: modemrig::mqtt::AckAction::Drop,
            times: None,
        };
        broker.set_ack_rules(vec![rule]);
        let message = |payload: &str| Outgoing { topic: "t".into(), payload: payload.into(), qos: 1, retain: false };
        let lost: Vec<_> = (0..5)
            .map(|number| client.publish(&message(&format!("before {number}")), wait()).expect("taken"))
            .collect();
        assert!(broker.cut("me"), "{dialect}");
        for receipt in lost {
            let error = receipt.wait(wait()).expect_err("its connection is gone");
            assert_eq!(modemrig::error::Kind::ConnectionLost, error.kind, "{dialect}: {error}");
        }
        broker.set_ack_rules(Vec::new());
        connect(&client);
        for number in 0..5 {
            let receipt = client.publish(&message(&format!("behind {number}")), wait());
            let receipt = receipt.unwrap_or_else(|error| panic!("{dialect}: {error} {:?}", error.last_lines));
            receipt.wait(wait()).unwrap_or_else(|error| panic!("{dialect}: {error}"));
        }
    }
}
