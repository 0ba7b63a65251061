//! A host that types at a virtual module over a line in memory, and a bench broker behind the module. What its tests talk to.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::time::Duration;
use std::time::Instant;

use modemrig::bench_broker::BenchBroker;
use modemrig::bench_broker::BenchOptions;
use modemrig::mqtt::Rule;
use modemrig::mqtt::Violation;
use modemrig::transport::Transport;
use modemrig::transport::pair::PairEnd;
use modemrig::virtual_module::BrokerAddress;
use modemrig::virtual_module::Network;
use modemrig::virtual_module::VirtualModule;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::clock;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;

/// Long enough for any machine, short enough to fail in time.
const SOON: Duration = Duration::from_secs(10);

/// Everything that ends a command line, or asks for input.
const ENDS: &[&str] = &["\r\nOK\r\n", "\r\nERROR\r\n", "\r\n> ", "\r\nCONNECT\r\n", "+CME ERROR: "];

/// The host's end, the module and its broker.
pub struct Host {
    end: PairEnd,
    seen: Vec<u8>,
    pub broker: BenchBroker,
    pub module: VirtualModule,
}

impl Host {
    /// A module of this dialect with echo off.
    pub fn on(dialect: &str) -> Host {
        Host::faster(dialect, 1.0)
    }

    /// The same, its timers running faster.
    pub fn faster(dialect: &str, speed: f64) -> Host {
        let mut host = Host::with(dialect, |options| options.speed = speed);
        host.ok("ATE0");
        host
    }

    /// A module with other options, as it comes: with echo.
    pub fn with(dialect: &str, change: impl FnOnce(&mut VirtualOptions)) -> Host {
        let broker = BenchBroker::start(BenchOptions::default()).expect("a broker");
        let address = BrokerAddress { host: broker.host().into(), port: broker.port(), tls_port: broker.tls_port() };
        let mut options = VirtualOptions {
            endpoint: modemrig::virtual_module::Endpoint::Pair,
            network: Network { redirect: Some(address) },
            ..VirtualOptions::new(dialect)
        };
        change(&mut options);
        let mut module = VirtualModule::start(options).expect("a module");
        let end = module.host_end().expect("a pair has a host's end");
        Host { end, seen: Vec::new(), broker, module }
    }

    /// Writes bytes as they are.
    pub fn write(&self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let count = self.end.write(rest).expect("the line");
            rest = &rest[count..];
        }
    }

    /// Reads on until this text has come; everything up to its end.
    pub fn until(&mut self, text: &str) -> String {
        self.until_any(&[text])
    }

    /// Sends a command line; everything up to its final result or to the prompt.
    pub fn run(&mut self, line: &str) -> String {
        self.write(format!("{line}\r").as_bytes());
        let mut said = self.until_any(ENDS);
        if said.ends_with("+CME ERROR: ") {
            said.push_str(&self.until("\r\n"));
        }
        said
    }

    /// A command that must be accepted.
    pub fn ok(&mut self, line: &str) -> String {
        let said = self.run(line);
        assert!(said.ends_with("\r\nOK\r\n"), "{line} was answered {said:?}");
        said
    }

    /// A command that must be refused.
    pub fn refused(&mut self, line: &str) -> String {
        let said = self.run(line);
        assert!(said.ends_with("\r\nERROR\r\n"), "{line} was answered {said:?}");
        said
    }

    /// A command that is accepted and ends with this line.
    pub fn result(&mut self, line: &str, result: &str) {
        self.ok(line);
        self.until(&format!("\r\n{result}\r\n"));
    }

    /// A command that asks for input, and the input; everything up to the final result.
    pub fn typed(&mut self, line: &str, input: &[u8]) -> String {
        let said = self.run(line);
        assert!(said.ends_with("\r\n> "), "{line} was answered {said:?}");
        self.write(input);
        self.until_any(ENDS)
    }

    /// QMT: opens client 0 and connects it with this client id.
    pub fn connect(&mut self, client_id: &str) {
        self.result("AT+QMTOPEN=0,\"broker.example\",1883", "+QMTOPEN: 0,0");
        self.result(&format!("AT+QMTCONN=0,\"{client_id}\""), "+QMTCONN: 0,0,0");
    }

    /// Reads on until one of these texts has come; everything up to its end.
    pub fn until_any(&mut self, texts: &[&str]) -> String {
        let deadline = clock::now() + SOON;
        loop {
            let ends = texts.iter().filter_map(|text| find(&self.seen, text.as_bytes()));
            if let Some(end) = ends.min() {
                let rest = self.seen.split_off(end);
                let said = std::mem::replace(&mut self.seen, rest);
                return said.iter().map(|byte| char::from(*byte)).collect();
            }
            assert!(self.read_some(deadline), "waited for {texts:?}; came {:?}", String::from_utf8_lossy(&self.seen));
        }
    }

    fn read_some(&mut self, deadline: Instant) -> bool {
        let mut buffer = [0; 4096];
        loop {
            match self.end.read(&mut buffer) {
                Ok(count) if count > 0 => {
                    self.seen.extend_from_slice(&buffer[..count]);
                    return true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                _ => return false,
            }
            let left = deadline.saturating_duration_since(clock::now());
            if left.is_zero() {
                return false;
            }
            // SAFETY: the end lives as long as the borrow.
            let line = unsafe { BorrowedFd::borrow_raw(self.end.as_raw_fd()) };
            let wait = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let _ = nix::poll::poll(&mut [PollFd::new(line, PollFlags::POLLIN)], wait);
        }
    }
}

/// A server that takes connections and says nothing.
pub struct Silent(TcpListener);

impl Silent {
    pub fn new() -> Silent {
        Silent(TcpListener::bind(("127.0.0.1", 0)).expect("a port"))
    }

    pub fn port(&self) -> u16 {
        self.0.local_addr().expect("an address").port()
    }
}

/// Where the text ends, if it is there.
fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text).map(|at| at + text.len())
}

/// Whatever a test did with the module: the module broke no rule of MQTT.
impl Drop for Host {
    fn drop(&mut self) {
        // Alibaba wants a longer identifier than 3.1 allows; a TLS hello at a plain port is no MQTT.
        let wanted = |one: &Violation| one.rule == Rule::ClientIdLength || one.client_id.is_empty();
        let found: Vec<String> =
            self.broker.violations().iter().filter(|one| !wanted(one)).map(ToString::to_string).collect();
        assert!(found.is_empty() || std::thread::panicking(), "the module broke rules: {found:#?}");
    }
}
