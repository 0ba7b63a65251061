//! What the owner of a module has to do with it: how it is made of its options, and the orders it gets while it runs.

use crate::dialect::grammar::grammar;
use crate::dialect::schema::Family;
use crate::error::Error;
use crate::error::Kind;
use crate::virtual_module::VirtualOptions;
use crate::virtual_module::clock::Speed;
use crate::virtual_module::cmqtt::Cmqtt;
use crate::virtual_module::control::Order;
use crate::virtual_module::device::Device;
use crate::virtual_module::device::Service;
use crate::virtual_module::differing_dialect;
use crate::virtual_module::faults::Fault;
use crate::virtual_module::faults::Line;
use crate::virtual_module::identity::Identity;
use crate::virtual_module::module::Module;
use crate::virtual_module::module::State;
use crate::virtual_module::network::Bearer;
use crate::virtual_module::network::Links;
use crate::virtual_module::profiles;
use crate::virtual_module::qmt::Qmt;
use crate::virtual_module::qmt::token::http_port;
use crate::virtual_module::quirks::Quirk;
use crate::virtual_module::quirks::Quirks;
use crate::virtual_module::replies::Replies;
use crate::virtual_module::surroundings::Surroundings;
use std::collections::VecDeque;
use std::time::Instant;

impl Module {
    /// The module that these options describe, on this network; and who it says it is.
    pub(in crate::virtual_module) fn build(
        options: &VirtualOptions,
        bearer: Box<dyn Bearer>,
    ) -> Result<(Module, Identity), Error> {
        let dialect = differing_dialect(&options.dialect, options.differs.as_deref())?;
        let speed = Speed::new(options.speed).ok_or_else(|| {
            Error::new(Kind::BadValue, format!("speed {}: a factor from 0.000001 to 1000000", options.speed))
        })?;
        let mut quirks = Quirks::default();
        let profile = profiles::find(&options.dialect);
        let besides = profile.map(|profile| profile.quirks.as_slice()).unwrap_or_default();
        for text in besides.iter().chain(&options.quirks) {
            quirks.add(Quirk::parse(text, dialect)?);
        }
        let faults = options.faults.iter().map(|text| Fault::parse(text, dialect));
        let faults = faults.collect::<Result<Vec<_>, Error>>()?;
        let who = profile.map_or_else(|| options.identity.clone(), |profile| profile.identity(&options.identity));
        let identity = Identity::new(dialect, &who, options.seed).map_err(|fault| Error::new(Kind::BadValue, fault))?;
        let links = Links::new(options.network.redirect.clone(), bearer);
        let replies = Replies::new(options.gap, grammar(dialect.family));
        let mut device = Device::new(dialect, identity.clone(), speed, quirks, replies, links);
        faults.into_iter().for_each(|fault| device.faults.inject(fault));
        device.conditions = options.conditions.clone();
        device.cloud = options.cloud;
        if options.baud == Some(0) {
            return Err(Error::new(Kind::BadValue, "baud 0: bits per second above 0"));
        }
        device.baud = options.baud;
        device.set_baud();
        device.token_url = options.token_url.clone();
        if let Some(port) = options.token_url.as_deref().and_then(http_port) {
            device.links.lead_http_to(port);
        }
        if let Some(fault) = device.conditions.fault() {
            return Err(Error::new(Kind::BadValue, fault));
        }
        device.supply();
        device.search();
        let service: Box<dyn Service> = match dialect.family {
            Family::Qmt => Box::new(Qmt::new(dialect.clients)),
            Family::Cmqtt => Box::new(Cmqtt::new(dialect.clients)),
        };
        Ok((Module::new(device, service, options.seed), identity))
    }

    fn new(mut device: Device, service: Box<dyn Service>, seed: u64) -> Module {
        let surroundings = Surroundings::new(&mut device);
        Module {
            device,
            service,
            surroundings,
            state: State::Running,
            rest: VecDeque::new(),
            asker: None,
            late: None,
            line: Line::new(seed),
            frozen: None,
            unheard: Vec::new(),
            power: None,
            host_is_slow: false,
        }
    }

    /// The owner wants something; `now` is the time of the order.
    pub(in crate::virtual_module) fn order(&mut self, order: Order, now: Instant) -> Result<(), Error> {
        self.device.now = now;
        match order {
            Order::Inject(fault) => self.device.faults.inject(fault),
            Order::Clear(name) => self.device.faults.clear(name.as_deref()),
            Order::Quirk(quirk) => self.device.quirks.add(quirk),
            Order::ClearQuirk(name) => self.device.quirks.remove(name.as_deref()),
            // Who asked may be gone.
            Order::Quirks(answer) => drop(answer.send(self.device.quirks.list())),
            Order::Conditions(conditions) => {
                if let Some(fault) = conditions.fault() {
                    return Err(Error::new(Kind::BadValue, fault));
                }
                self.device.conditions = conditions;
            }
            Order::Supply(supply) => self.supply(supply),
            // Who asked may be gone.
            Order::Faults(answer) => drop(answer.send(self.device.faults.list())),
            Order::Dropped(client, answer) => drop(answer.send(self.device.dropped(client))),
        }
        Ok(())
    }
}
