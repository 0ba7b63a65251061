//! The host side on virtual modules of all dialects, on a pseudo-terminal, through to the bench broker and back.

use std::time::Duration;

use modemrig::bench_broker::BenchBroker;
use modemrig::bench_broker::BenchOptions;
use modemrig::client::ClientState;
use modemrig::dialect::catalogue;
use modemrig::engine::Credentials;
use modemrig::engine::Modem;
use modemrig::engine::OpenOptions;
use modemrig::engine::Outgoing;
use modemrig::engine::PortKind;
use modemrig::engine::TlsFiles;
use modemrig::engine::TlsVerify;
use modemrig::engine::Value;
use modemrig::engine::Wait;
use modemrig::error::Kind;
use modemrig::virtual_module::BrokerAddress;
use modemrig::virtual_module::Endpoint;
use modemrig::virtual_module::Network;
use modemrig::virtual_module::VirtualModule;
use modemrig::virtual_module::VirtualOptions;

/// Longer than any step takes on a loaded machine.
fn wait() -> Wait<'static> {
    Wait::at_most(Duration::from_secs(20))
}

fn rig(dialect: &str) -> (BenchBroker, VirtualModule, Modem) {
    let broker = BenchBroker::start(BenchOptions::default()).expect("a broker");
    let address = BrokerAddress { host: broker.host().into(), port: broker.port(), tls_port: broker.tls_port() };
    let module = VirtualModule::start(VirtualOptions {
        endpoint: Endpoint::Pty { link: None },
        network: Network { redirect: Some(address) },
        ..VirtualOptions::new(dialect)
    });
    let module = module.expect("a virtual module");
    let modem = Modem::open(module.path(), OpenOptions::default(), wait()).expect("an open port");
    (broker, module, modem)
}

fn me(id: &str) -> Credentials {
    Credentials { client_id: id.into(), ..Credentials::default() }
}

#[test]
fn every_dialect_is_detected_and_carries_a_whole_session() {
    for id in catalogue().ids() {
        let (broker, _module, modem) = rig(id);
        // EC200S and its like are in two documents; the newer one is taken (decision 43).
        assert_eq!(modem.dialect().family, catalogue().get(id).expect("listed").family, "{id}");
        assert!(!modem.identity().imei.is_empty(), "{id}");
        let client = modem.client(0).unwrap_or_else(|error| panic!("{id}: {error}"));
        let step = |what: &str, outcome: Result<(), modemrig::error::Error>| {
            outcome.unwrap_or_else(|error| panic!("{id}, {what}: {error} {:?}", error.last_lines));
        };
        step("configure", client.configure(&[("keepalive_s".into(), 60.into())], wait()));
        step("open", client.open("broker.lab", 1883, None, wait()));
        step("connect", client.connect(&me("slot-1"), wait()));
        assert_eq!(ClientState::Connected, client.state(), "{id}");
        step("subscribe", client.subscribe(&[("up/#".into(), 1)], wait()).map(|_| ()));
        for (qos, payload) in [(0, b"plain".to_vec()), (1, (32..=126).collect()), (2, b"line\r\nOK\r\n> more".to_vec())]
        {
            let message = Outgoing { topic: format!("up/{qos}"), payload: payload.clone(), qos, retain: false };
            let receipt = client.publish(&message, wait()).unwrap_or_else(|error| panic!("{id}: {error}"));
            step("publish", receipt.wait(wait()).map(|_| ()));
            let mut taken = client.take_messages(8, wait()).unwrap_or_else(|error| panic!("{id}: {error}"));
            assert_eq!(1, taken.len(), "{id}, QoS {qos}");
            let back = taken.remove(0).message;
            assert_eq!((format!("up/{qos}").into_bytes(), payload), (back.topic, back.payload), "{id}, QoS {qos}");
        }
        step("unsubscribe", client.unsubscribe(&["up/#".into()], wait()));
        step("disconnect", client.disconnect(wait()));
        step("close", client.close(wait()));
        assert_eq!(ClientState::Closed, client.state(), "{id}");
        step("leave", modem.close_gracefully(wait()));
        assert!(broker.connected().is_empty(), "{id}");
    }
}

#[test]
fn every_setting_of_every_dialect_is_read_and_written_by_its_documented_name() {
    for id in catalogue().ids() {
        let (_broker, _module, modem) = rig(id);
        let client = modem.client(0).expect("there is one");
        let before = client.settings(wait()).unwrap_or_else(|error| panic!("{id}: {error}"));
        for (key, params) in modem.setting_names() {
            assert!(before.contains_key(&key), "{id} {key}");
            let values: Vec<Value> = before[&key].values().cloned().collect();
            if values.len() == params.len() && values.iter().all(|value| *value != Value::Text(String::new())) {
                let outcome = client.configure(&[(key.clone(), Value::List(values))], wait());
                outcome.unwrap_or_else(|error| panic!("{id} {key}: {error}"));
            }
        }
        let after = client.settings(wait()).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(before, after, "{id}");
    }
}

#[test]
fn a_changed_setting_is_there_and_gone_after_leaving() {
    let (_broker, module, modem) = rig("ecx00u_egx00u");
    let client = modem.client(2).expect("six");
    client.configure(&[("pkt_timeout".into(), 7.into()), ("version".into(), "3.1.1".into())], wait()).expect("set");
    assert_eq!(Some(&Value::Int(7)), client.setting("packet_timeout_s", wait()).expect("read").get("packet_timeout_s"));
    assert_eq!(Some(&Value::Int(4)), client.setting("vsn", wait()).expect("read").get("vsn"));
    modem.close_gracefully(wait()).expect("left");
    let again = Modem::open(module.path(), OpenOptions::default(), wait()).expect("free again");
    let client = again.client(2).expect("six");
    assert_eq!(Some(&Value::Int(5)), client.setting("pkt_timeout", wait()).expect("read").get("pkt_timeout"));
    assert_eq!(Some(&Value::Int(3)), client.setting("vsn", wait()).expect("read").get("vsn"));
}

#[test]
fn a_will_is_published_when_the_client_vanishes() {
    for id in catalogue().ids() {
        let (broker, _module, modem) = rig(id);
        let client = modem.client(0).expect("there is one");
        let will = Value::List(vec!["gone".into(), "bye".into(), 1.into(), 0.into()]);
        client.configure(&[("will".into(), will)], wait()).unwrap_or_else(|error| panic!("{id}: {error}"));
        client.open("broker.lab", 1883, None, wait()).unwrap_or_else(|error| panic!("{id}: {error}"));
        client.connect(&me("slot-1"), wait()).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert!(broker.cut("slot-1"), "{id}");
        let loss = client.connection_lost(wait()).expect("open").expect("lost");
        assert!(loss.meaning.is_some(), "{id}: {loss:?}");
        assert_ne!(ClientState::Connected, client.state(), "{id}");
    }
}

#[test]
fn tls_with_both_certificates_carries_a_message() {
    for id in catalogue().ids() {
        if id == "bc35g_bc28" {
            continue;
        }
        let (broker, _module, modem) = rig(id);
        broker.require_client_cert(true);
        let certificates = broker.certificates();
        let files = TlsFiles {
            ca: Some(certificates.ca_pem.clone().into_bytes()),
            client_cert: Some(certificates.client_cert_pem.clone().into_bytes()),
            client_key: Some(certificates.client_key_pem.clone().into_bytes()),
            verify: TlsVerify::Mutual,
            ignore_local_time: true,
            sni: None,
        };
        modem.tls_context(0, &files, wait()).unwrap_or_else(|error| panic!("{id}: {error} {:?}", error.last_lines));
        assert!(modem.files(wait()).expect("listed").len() >= 3, "{id}");
        let client = modem.client(0).expect("there is one");
        client.open("broker.lab", 8883, Some(0), wait()).unwrap_or_else(|error| panic!("{id}: {error}"));
        client.connect(&me("slot-1"), wait()).unwrap_or_else(|error| panic!("{id}: {error} {:?}", error.last_lines));
        let message = Outgoing { topic: "t".into(), payload: b"covered".to_vec(), qos: 1, retain: false };
        client.publish(&message, wait()).expect("taken").wait(wait()).unwrap_or_else(|error| panic!("{id}: {error}"));
        let talk = modem.transcript(std::time::Duration::ZERO).join("\n");
        assert!(!talk.contains("PRIVATE KEY"), "{id}: a key is in the talk");
        modem.close_gracefully(wait()).unwrap_or_else(|error| panic!("{id}: {error}"));
    }
    let (_broker, _module, modem) = rig("bc35g_bc28");
    let error = modem.tls_context(0, &TlsFiles::default(), wait()).expect_err("the document has no TLS");
    assert_eq!(Kind::Unsupported, error.kind);
}

#[test]
fn broker_faults_are_the_networks_with_the_documented_meaning() {
    for id in catalogue().ids() {
        let (broker, _module, modem) = rig(id);
        broker.refuse_with(Some(5));
        let client = modem.client(0).expect("there is one");
        client.open("broker.lab", 1883, None, wait()).unwrap_or_else(|error| panic!("{id}: {error}"));
        let error = client.connect(&me("slot-1"), wait()).expect_err("refused");
        assert_eq!(Kind::BrokerRefused, error.kind, "{id}: {error}");
        assert!(error.code.is_some() && error.meaning.is_some() && error.source.is_some(), "{id}: {error}");
        client.close(wait()).unwrap_or_else(|error| panic!("{id}: {error}"));
        let outcome =
            client.open("nowhere.invalid", 1883, None, wait()).and_then(|()| client.connect(&me("x"), wait()));
        let error = outcome.expect_err("no such name");
        assert_eq!(Kind::OpenFailed, error.kind, "{id}: {error}");
        assert!(error.meaning.is_some(), "{id}: {error}");
    }
}

#[test]
fn a_module_is_brought_to_where_mqtt_can_start() {
    for id in catalogue().ids() {
        let (_broker, _module, modem) = rig(id);
        let report = modem.attach(Some("internet"), wait()).unwrap_or_else(|error| panic!("{id}: {error}"));
        let steps: Vec<&str> = report.steps.iter().map(|(name, _, _)| name.as_str()).collect();
        assert_eq!(vec!["sim", "apn", "registration", "pdp", "signal", "clock"], steps, "{id}");
    }
}

#[test]
fn identify_names_the_module_behind_a_port() {
    let (_broker, module, modem) = rig("ecx00u_egx00u");
    let busy = modemrig::engine::identify(module.path(), wait()).expect_err("in use");
    assert_eq!(Kind::PortBusy, busy.kind);
    modem.close();
    match modemrig::engine::identify(module.path(), wait()).expect("free") {
        PortKind::At { baud, identity } => {
            assert_eq!((115_200, "ecx00u_egx00u"), (baud, identity.dialect.as_str()));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_batch_keeps_the_window_full_and_every_message_arrives_in_order() {
    let (broker, _module, modem) = rig("ecx00u_egx00u");
    let client = modem.client(0).expect("six");
    client.open("broker.lab", 1883, None, wait()).expect("opened");
    client.connect(&me("slot-1"), wait()).expect("connected");
    client.subscribe(&[("n".into(), 1)], wait()).expect("subscribed");
    let batch: Vec<Outgoing> = (0..50)
        .map(|number| Outgoing { topic: "n".into(), payload: number.to_string().into_bytes(), qos: 1, retain: false })
        .collect();
    let receipts = client.publish_many(&batch, wait()).expect("handed over");
    for receipt in &receipts {
        receipt.wait(wait()).expect("acknowledged");
    }
    let mut seen = Vec::new();
    while seen.len() < 50 {
        let taken = client.take_messages(64, wait()).expect("connected");
        assert!(!taken.is_empty(), "only {} came", seen.len());
        seen.extend(taken.into_iter().map(|it| it.message.payload));
    }
    let expected: Vec<Vec<u8>> = (0..50).map(|number: i32| number.to_string().into_bytes()).collect();
    assert_eq!(expected, seen);
    drop(broker);
}
