//! `speed`: a virtual module and the bench broker behind it with timers that run as fast as each other.

use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use modemrig::bench_broker::BenchBroker;
use modemrig::bench_broker::BenchOptions;
use modemrig::dialect::catalogue;
use modemrig::mqtt::Kind;
use modemrig::mqtt::Policy;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::SimulatedModule;

use crate::virtual_host::Host;

const FAST: f64 = 50.0;

/// Opens a connection with a keep-alive of 60 s of the document.
fn connect(module: &mut SimulatedModule) {
    let quectel = module.ask("AT+QMTCONN?", 0.1).contains("OK");
    // More patience with PINGRESP than the broker has with the module, in the one or the other way the document has.
    module.ask("AT+QMTCFG=\"qmtping\",0,60", 0.1);
    module.ask("AT+QMTCFG=\"timeout\",0,60,3,0", 0.1);
    let lines: &[(&str, &str)] = match quectel {
        true => &[
            ("AT+QMTCFG=\"keepalive\",0,60", "OK"),
            ("AT+QMTOPEN=0,\"a.example\",1883", "+QMTOPEN: 0,0"),
            ("AT+QMTCONN=0,\"me\"", "+QMTCONN: 0,0,0"),
        ],
        false => &[
            ("AT+CMQTTSTART", "+CMQTTSTART: 0"),
            ("AT+CMQTTACCQ=0,\"me\",0", "OK"),
            ("AT+CMQTTCONNECT=0,\"tcp://a.example\",60,1", "+CMQTTCONNECT: 0,0"),
        ],
    };
    for (line, result) in lines {
        let said = module.ask(line, 0.1);
        assert!(said.contains(result), "{line}: {said:?}");
    }
}

#[test]
fn a_module_at_speed_50_pings_50_times_as_often_and_stays_in_at_a_broker_of_that_speed() {
    for dialect in catalogue().ids() {
        let mut module =
            SimulatedModule::new(&VirtualOptions { speed: FAST, ..VirtualOptions::new(dialect) }).expect("a speed");
        connect(&mut module);
        module.network().broker.clear_record();
        module.after(60.0 / FAST * 10.5);
        let network = module.network();
        let pings = network.broker.record().filter(|row| row.packet.kind() == Kind::Pingreq).count();
        assert_eq!(10, pings, "{dialect}");
        assert_eq!(vec!["me"], network.broker.connected().collect::<Vec<_>>(), "{dialect}");
        assert_eq!(0, network.broker.violations().len(), "{dialect}");
    }
}

#[test]
fn a_broker_at_speed_50_drops_who_is_silent_for_one_and_a_half_keep_alives_of_the_document() {
    for dialect in catalogue().ids() {
        let mut module =
            SimulatedModule::new(&VirtualOptions { speed: FAST, ..VirtualOptions::new(dialect) }).expect("a speed");
        connect(&mut module);
        module.network().silence();
        let gone = |module: &mut SimulatedModule| module.network().broker.connected().next().is_none();
        module.after(90.0 / FAST - 0.15);
        assert!(!gone(&mut module), "{dialect}: not yet");
        module.after(0.15);
        assert!(gone(&mut module), "{dialect}");
        let texts: Vec<_> = module.network().broker.violations().map(ToString::to_string).collect();
        assert!(
            matches!(&texts[..], [text] if text.contains("one and a half times the keep-alive")),
            "{dialect}: {texts:?}"
        );
    }
}

/// A way to the broker that lets the CONNECT through and nothing that the module says after it.
fn silenced_behind_connect(broker: u16) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let way = move || -> std::io::Result<()> {
        let (mut module, _) = listener.accept()?;
        let mut broker = TcpStream::connect(("127.0.0.1", broker))?;
        let (mut to_module, mut from_broker) = (module.try_clone()?, broker.try_clone()?);
        let back = move || {
            let outcome = std::io::copy(&mut from_broker, &mut to_module);
            let _ = to_module.shutdown(Shutdown::Both); // It may have closed already.
            outcome
        };
        let back = thread::Builder::new().name("way-back".into()).spawn(back)?;
        let mut buffer = [0; 1024];
        let count = module.read(&mut buffer)?;
        broker.write_all(&buffer[..count])?;
        while module.read(&mut buffer)? > 0 {}
        drop(back.join());
        Ok(())
    };
    thread::Builder::new().name("way-in".into()).spawn(way).expect("a thread");
    port
}

#[test]
fn a_silenced_module_is_dropped_by_the_broker_and_says_so_in_seconds() {
    let mut host = Host::faster("lte_standard_a", FAST);
    host.broker.change_policy(|policy| policy.speed = FAST);
    let way = silenced_behind_connect(host.broker.port());
    host.ok("AT+QMTCFG=\"keepalive\",0,60");
    host.ok("AT+QMTCFG=\"qmtping\",0,60"); // more patience with PINGRESP than the broker has with the module
    host.result(&format!("AT+QMTOPEN=0,\"127.0.0.1\",{way}"), "+QMTOPEN: 0,0");
    host.result("AT+QMTCONN=0,\"silenced\"", "+QMTCONN: 0,0,0");
    host.until("\r\n+QMTSTAT: 0,1\r\n");
    assert!(host.broker.wait_until(Duration::from_secs(5), |core| core.connected().next().is_none()));
    let texts: Vec<_> = host.broker.violations().iter().map(ToString::to_string).collect();
    assert!(matches!(&texts[..], [text] if text.contains("\"silenced\"")), "{texts:?}");
    host.broker.clear_violations(); // the module is not to blame
}

#[test]
fn a_speed_that_is_no_factor_starts_no_broker() {
    for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let options = BenchOptions { policy: Policy { speed, ..Policy::default() }, ..BenchOptions::default() };
        let error = BenchBroker::start(options).expect_err("no factor above 0");
        assert_eq!(std::io::ErrorKind::InvalidInput, error.kind(), "{speed}");
    }
}
