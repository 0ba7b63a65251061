//! The simulated module: time is the test's, and the same seed and script give the same bytes.

use std::time::Duration;

use modemrig::dialect::catalogue;
use modemrig::mqtt::Kind;
use modemrig::mqtt::Qos;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::SimulatedModule;
use modemrig::virtual_module::simulation::Way;

use crate::simulated::quiet;

fn module(dialect: &str, seed: u64) -> SimulatedModule {
    let options = VirtualOptions { seed, ..VirtualOptions::new(dialect) };
    quiet(&options)
}

fn connected(dialect: &str) -> SimulatedModule {
    let mut module = module(dialect, 0);
    assert!(module.ask("AT+QMTOPEN=0,\"broker.example\",1883", 1.0).contains("+QMTOPEN: 0,0"));
    assert!(module.ask("AT+QMTCONN=0,\"me\"", 1.0).contains("+QMTCONN: 0,0,0"));
    module
}

/// Serial numbers, clock, a failure of every sort, a message: everything a module makes up or is told.
fn talk(dialect: &str, seed: u64) -> Vec<u8> {
    let mut module = module(dialect, seed);
    module.network().ways.extend([Way::Refused, Way::NoAnswer, Way::Broker]);
    let mut said = Vec::new();
    for line in ["ATI", "AT+CGSN", "AT+CIMI", "AT+CSQ", "AT+CCLK?"] {
        said.extend(module.ask(line, 0.5).into_bytes());
    }
    let opens: [&str; 6] = match catalogue().get(dialect).expect("built in").command("AT+QMTOPEN") {
        Some(_) => ["AT+QMTOPEN=0,\"a.example\",1883"; 3].into_iter().chain(["AT+QMTCONN=0,\"me\""; 3]),
        None => ["AT+CMQTTSTART", "AT+CMQTTACCQ=0,\"me\",0", "AT+CMQTTSTOP"]
            .into_iter()
            .chain(["AT+CMQTTCONNECT=0,\"tcp://a.example\",60,1"; 3]),
    }
    .collect::<Vec<_>>()
    .try_into()
    .expect("six");
    for line in opens {
        said.extend(module.ask(line, 200.0).into_bytes());
    }
    let now = module.network().now();
    module.network().broker.publish("a", b"b", Qos::AtMostOnce, true, now);
    module.network().end_all(true);
    said.extend(module.after(5.0).into_bytes());
    said
}

#[test]
fn the_same_seed_and_script_give_the_same_bytes_and_another_seed_another_module() {
    for dialect in catalogue().ids() {
        let said = talk(dialect, 7);
        assert_eq!(String::from_utf8_lossy(&said), String::from_utf8_lossy(&talk(dialect, 7)), "{dialect}");
        assert_ne!(said, talk(dialect, 8), "{dialect}: the seed decides the serial numbers");
        assert!(said.windows(9).any(|bytes| bytes == b"26/01/01,"), "{dialect}: the calendar is simulated");
    }
}

#[test]
fn an_hour_of_keep_alive_passes_at_once_with_a_ping_every_two_minutes() {
    let mut module = connected("ecx00u_egx00u");
    assert_eq!("", module.after(3600.0));
    let network = module.network();
    let pings = network.broker.record().filter(|row| row.packet.kind() == Kind::Pingreq).count();
    assert_eq!(30, pings, "keep_alive_time is 120 s (3.3.1), PINGREQ after that time without traffic (decision 23)");
}

#[test]
fn speed_shortens_the_spans_of_the_document() {
    let options = VirtualOptions { speed: 20.0, ..VirtualOptions::new("lte_standard_a") };
    let mut module = SimulatedModule::new(&options).expect("a built-in dialect");
    module.network().ways.push_back(Way::NoAnswer);
    module.host(b"AT+QMTOPEN=0,\"a.example\",1883\r");
    let took = module.until(b"+QMTOPEN: 0,-1", Duration::from_secs(200)).expect("a result");
    let documented = Duration::from_secs(120);
    assert!(took >= documented / 20 && took < documented / 20 + Duration::from_millis(100), "{took:?}");
}

#[test]
fn a_peer_that_ends_the_connection_is_reported_however_it_does() {
    for reset in [false, true] {
        let mut module = connected("ec200x_ec600x_eg912y");
        module.network().end_all(reset);
        assert_eq!("\r\n+QMTSTAT: 0,1\r\n", module.after(1.0), "decision 24");
    }
}
