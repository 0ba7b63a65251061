//! A virtual module without thread, line, socket and clock: a test moves its time, and the same seed and script give the same
//! bytes. No timer of a document is too long to be tested.
//!
//! ```
//! use modemrig::virtual_module::VirtualOptions;
//! use modemrig::virtual_module::simulation::SimulatedModule;
//!
//! let mut module = SimulatedModule::new(&VirtualOptions::new("ecx00u_egx00u")).unwrap();
//! module.host(b"ATE0\r");
//! module.take_output();
//! assert_eq!("\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n", module.ask("AT+QMTOPEN=0,\"broker.example\",1883", 1.0));
//! assert_eq!("\r\nOK\r\n\r\n+QMTCONN: 0,0,0\r\n", module.ask("AT+QMTCONN=0,\"me\"", 1.0));
//! module.network().end_all(false);                       // the peer closes
//! assert_eq!("\r\n+QMTSTAT: 0,1\r\n", module.after(1.0));
//! ```
//!
//! What connects to what is said by [`SimulatedNetwork::ways`], what the broker does by its policy.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use parking_lot::Mutex;
use parking_lot::MutexGuard;

use crate::error::Error;
use crate::virtual_module::VirtualOptions;
use crate::virtual_module::clock;
use crate::virtual_module::conditions::Conditions;
use crate::virtual_module::control::Order;
use crate::virtual_module::control::Supply;
use crate::virtual_module::faults::Fault;
use crate::virtual_module::faults::FaultStatus;
use crate::virtual_module::module::Module;
use crate::virtual_module::network::simulated::Simulated;
use crate::virtual_module::quirks::Quirk;

pub use crate::virtual_module::network::simulated::SimulatedNetwork;
pub use crate::virtual_module::network::simulated::Way;

/// Where the calendar of a simulated module starts: 2026-01-01 00:00:00 UTC, in seconds since 1970.
pub const CALENDAR_START: u64 = 1_767_225_600;

/// More turns than this without time passing: the module spins.
const TURNS: usize = 100_000;

/// A module whose time a test moves.
pub struct SimulatedModule {
    module: Module,
    network: Arc<Mutex<SimulatedNetwork>>,
    start: Instant,
    now: Instant,
    output: Vec<u8>,
}

impl SimulatedModule {
    /// A running module whose host listens. Endpoint and redirection mean nothing here: every name leads to the scripted
    /// broker, but for those that must not resolve.
    pub fn new(options: &VirtualOptions) -> Result<SimulatedModule, Error> {
        // Only spans count from here on.
        let start = clock::now();
        let network = Arc::new(Mutex::new(SimulatedNetwork::new(options.speed, start)));
        let (mut module, _) = Module::build(options, Box::new(Simulated(network.clone())))?;
        module.device.set_calendar(CALENDAR_START, start);
        let mut simulated = SimulatedModule { module, network, start, now: start, output: Vec::new() };
        simulated.settle();
        Ok(simulated)
    }

    /// Bytes of the host, now.
    pub fn host(&mut self, bytes: &[u8]) {
        self.module.receive(bytes);
        self.settle();
    }

    /// Sends a command line and lets `seconds` pass; everything the module said since the last look, as text.
    pub fn ask(&mut self, line: &str, seconds: f64) -> String {
        self.host(&[line.as_bytes(), b"\r"].concat());
        self.after(seconds)
    }

    /// Lets `seconds` pass; everything the module said since the last look, as text.
    pub fn after(&mut self, seconds: f64) -> String {
        self.advance(Duration::from_secs_f64(seconds));
        String::from_utf8_lossy(&self.take_output()).into_owned()
    }

    /// Lets time pass; whatever is due happens at its own moment.
    pub fn advance(&mut self, span: Duration) {
        let end = self.now + span;
        self.settle();
        while let Some(next) = self.next_deadline().filter(|next| *next <= end) {
            self.now = next.max(self.now);
            self.settle();
        }
        self.now = end;
        self.settle();
    }

    /// Lets time pass until the module has said this, at most `most`; how long it took, or `None` if it did not.
    pub fn until(&mut self, text: &[u8], most: Duration) -> Option<Duration> {
        let (begin, end) = (self.now, self.now + most);
        loop {
            if self.output.windows(text.len().max(1)).any(|window| window == text) {
                return Some(self.now - begin);
            }
            self.now = self.next_deadline().filter(|next| *next <= end)?.max(self.now);
            self.settle();
        }
    }

    /// What the module said since the last look.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// The network behind the module. What is changed there counts from the next call on.
    pub fn network(&mut self) -> MutexGuard<'_, SimulatedNetwork> {
        self.network.lock()
    }

    /// Time since the module began.
    pub fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// A fault from now on, written as in [`VirtualOptions::faults`].
    pub fn inject(&mut self, fault: &str) -> Result<(), Error> {
        let fault = Fault::parse(fault, self.module.device.dialect)?;
        self.order(Order::Inject(fault))
    }

    /// The faults of this name, or all of them, are over.
    pub fn clear(&mut self, name: Option<&str>) -> Result<(), Error> {
        self.order(Order::Clear(name.map(str::to_owned)))
    }

    /// A quirk from now on, written as in [`VirtualOptions::quirks`].
    pub fn quirk(&mut self, quirk: &str) -> Result<(), Error> {
        let quirk = Quirk::parse(quirk, self.module.device.dialect)?;
        self.order(Order::Quirk(quirk))
    }

    /// The quirks of this name, or all of them, are no more.
    pub fn clear_quirk(&mut self, name: Option<&str>) -> Result<(), Error> {
        self.order(Order::ClearQuirk(name.map(str::to_owned)))
    }

    /// Something else is around the module from now on.
    pub fn set_conditions(&mut self, conditions: Conditions) -> Result<(), Error> {
        self.order(Order::Conditions(conditions))
    }

    /// Its power is cut.
    pub fn power_off(&mut self) -> Result<(), Error> {
        self.order(Order::Supply(Supply::Off))
    }

    /// It has power again.
    pub fn power_on(&mut self) -> Result<(), Error> {
        self.order(Order::Supply(Supply::On))
    }

    /// Its power is cut and comes back at once.
    pub fn power_cycle(&mut self) -> Result<(), Error> {
        self.order(Order::Supply(Supply::Cycle))
    }

    /// The faults that were asked for and not cleared.
    pub fn faults(&self) -> Vec<FaultStatus> {
        self.module.device.faults.list()
    }

    /// Messages of a client that found all five slots taken and were dropped.
    pub fn dropped_messages(&self, client: u8) -> u64 {
        self.module.device.dropped(client)
    }

    /// The host closes the port.
    pub fn host_leaves(&mut self) {
        self.module.host_left();
        self.settle();
    }

    /// A host opens the port.
    pub fn host_comes(&mut self) {
        self.module.host_came();
        self.settle();
    }

    pub(super) fn order(&mut self, order: Order) -> Result<(), Error> {
        let outcome = self.module.order(order, self.now);
        self.settle();
        outcome
    }

    fn next_deadline(&self) -> Option<Instant> {
        [self.module.next_deadline(), self.network.lock().next_deadline()].into_iter().flatten().min()
    }

    /// Everything that happens now, until nothing moves.
    fn settle(&mut self) {
        self.network.lock().turn(self.now);
        for _ in 0..TURNS {
            self.module.turn(self.now);
            let before = self.output.len();
            while let Some(bytes) = self.module.poll_transmit() {
                self.output.extend(bytes);
            }
            let moved = self.network.lock().turn(self.now);
            let due = self.module.next_deadline().is_some_and(|next| next <= self.now);
            if !moved && !due && self.output.len() == before {
                return;
            }
        }
        panic!("the module spins: {:?}", String::from_utf8_lossy(&self.output));
    }
}
