//! A module on a port: opening, commands, files, the end. Its clients are in `client.rs`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::dialect::Dialect;
use crate::dialect::grammar;
use crate::engine::client::Client;
use crate::engine::clock;
use crate::engine::commands::Goal;
use crate::engine::commands::Order;
use crate::engine::dial;
use crate::engine::identity;
use crate::engine::messages::Subscription;
use crate::engine::options::Identity;
use crate::engine::options::OpenOptions;
use crate::engine::options::Statistics;
use crate::engine::orders;
use crate::engine::port::Port;
use crate::engine::reader::OpenPort;
use crate::engine::reply::Reply;
use crate::engine::resync::name_of;
use crate::engine::value::Value;
use crate::engine::wait::Until;
use crate::engine::wait::Wait;
use crate::error::Error;
use crate::error::Kind;
use crate::transcript::Header;
use crate::transport::Transport;

/// A module on a port; closing the last handle closes the port.
#[derive(Clone)]
pub struct Modem {
    pub(crate) open: Arc<OpenPort>,
    pub(crate) dialect: &'static Dialect,
    pub(crate) identity: Arc<Identity>,
    /// The module echoed what it was sent before we switched that off.
    pub(crate) echo_found: bool,
}

impl Modem {
    /// Opens `/dev/ttyUSB2`, `tcp://host:port` or `rfc2217://host:port`. (`virtual:…` is the bindings' business.)
    pub fn open(target: &str, options: OpenOptions, wait: Wait<'_>) -> Result<Modem, Error> {
        let until = wait.until(identity::OPENING);
        let line = dial::dial(target, &options, &until)?;
        let shown_as = options.shown_as.clone().unwrap_or_else(|| target.to_owned());
        let modem = Modem::start(line, OpenOptions { shown_as: Some(shown_as), ..options }, &until)?;
        modem.remember_port(target);
        Ok(modem)
    }

    /// Opens on a line that is already there.
    pub fn over(transport: Box<dyn Transport>, options: OpenOptions, wait: Wait<'_>) -> Result<Modem, Error> {
        Modem::start(Arc::from(transport), options, &wait.until(identity::OPENING))
    }

    fn start(line: Arc<dyn Transport>, options: OpenOptions, until: &Until<'_>) -> Result<Modem, Error> {
        let name = options.shown_as.clone().unwrap_or_else(|| "a line in memory".to_owned());
        let open = OpenPort::start(line, name, options)?;
        let met = identity::meet(&open.port, until)?;
        log::info!(target: "modemrig::engine", "{}: {} {}, dialect {}",
            open.port.name, met.identity.manufacturer, met.identity.model, met.dialect.id);
        open.port.talk.lock().header(&header(&met));
        Ok(Modem {
            open: Arc::new(open),
            dialect: met.dialect,
            identity: Arc::new(met.identity),
            echo_found: met.echo_found,
        })
    }

    pub(crate) fn shared(&self) -> &Arc<Port> {
        &self.open.port
    }

    /// What the module says of itself, asked when the port was opened.
    pub fn identity(&self) -> Identity {
        Identity::clone(&self.identity)
    }

    /// The document that describes it.
    pub fn dialect(&self) -> &'static Dialect {
        self.dialect
    }

    /// The port's name.
    pub fn port(&self) -> &str {
        &self.shared().name
    }

    /// Where the transcript is written.
    pub fn transcript_path(&self) -> Option<PathBuf> {
        self.shared().talk.lock().path().map(PathBuf::from)
    }

    /// The last of what was said, in the transcript's form: one JSON line each, secrets covered. `since` is a time of
    /// [`Modem::elapsed`] between two exchanges.
    pub fn transcript(&self, since: Duration) -> Vec<String> {
        self.shared().talk.lock().entries(since)
    }

    /// Time since the port was opened, as in the transcript.
    pub fn elapsed(&self) -> Duration {
        self.shared().at(clock::now())
    }

    /// Sends any command line (`+CSQ` or `AT+CSQ`), and a payload at its prompt. `ERROR` is a reply, not an `Err`: see
    /// [`Reply::check`]. A command the catalogue gives a late result completes on it. Without a time in `wait`: the documented one.
    pub fn command(&self, line: &str, payload: Option<&[u8]>, wait: Wait<'_>) -> Result<Reply, Error> {
        let order = Order::raw(line, payload, grammar::any())?;
        self.run_order(order, wait)
    }

    /// The same with a payload that is typed exactly as it is: shorter or longer than announced, without the Ctrl-Z that
    /// would end it. What becomes of the module is the caller's affair: too short a payload leaves it waiting for the rest.
    pub fn command_exactly(&self, line: &str, payload: &[u8], wait: Wait<'_>) -> Result<Reply, Error> {
        self.run_order(Order::typed_exactly(line, payload, grammar::any()), wait)
    }

    /// Several command lines in one call, one after the other; stops at the first without an answer. The time is that of
    /// each.
    pub fn commands(&self, lines: &[&str], wait: Wait<'_>) -> Result<Vec<Reply>, Error> {
        lines.iter().map(|line| self.command(line, None, wait)).collect()
    }

    /// Runs a catalogued command (`QMTSUB`) with parameters by their documented names, checked before anything is written.
    pub fn run(
        &self,
        name: &str,
        parameters: &[(String, Value)],
        payload: Option<&[u8]>,
        wait: Wait<'_>,
    ) -> Result<Reply, Error> {
        let line = orders::catalogued(self.dialect, name, parameters)?;
        let order = Order::of_line(line.clone(), payload, grammar::any())?;
        let mut reply = self.run_order(order, wait)?;
        // Where the document prints a second spelling, a module may know only that one (decision 1).
        let (known, others) = self.dialect.entry(name).map_or(("", &[][..]), |(known, row)| (known, &row.also[..]));
        for other in others {
            if reply.error.as_ref().is_none_or(|error| error.kind != Kind::CommandRefused) {
                break;
            }
            let respelled = [other.as_bytes(), &line[known.len()..]].concat();
            reply = self.run_order(Order::of_line(respelled, payload, grammar::any())?, wait)?;
        }
        Ok(reply)
    }

    fn run_order(&self, order: Order, wait: Wait<'_>) -> Result<Reply, Error> {
        let port = self.shared();
        let until = wait.until(port.patience(name_of(&order.shown), order.client));
        let exchange = port.execute(order, &until, Goal::Complete)?;
        Ok(port.reply(&exchange, clock::now()))
    }

    /// One of the module's clients.
    pub fn client(&self, index: impl Into<i64>) -> Result<Client, Error> {
        let index = index.into();
        if let Some(index) = u8::try_from(index).ok().filter(|index| *index < self.clients()) {
            return Ok(Client { modem: self.clone(), index });
        }
        let last = self.clients().saturating_sub(1);
        let message = format!("client {index} does not exist; {} numbers its clients 0 to {last}", self.dialect.id);
        Err(Error::new(Kind::BadValue, message).with_source(self.dialect.document.title.clone()))
    }

    /// How many clients the module has.
    pub fn clients(&self) -> u8 {
        self.dialect.clients
    }

    /// Everything unsolicited from now on: URCs, lost connections, restarts, stored messages, damaged lines.
    pub fn subscribe(&self) -> Subscription {
        Subscription { queue: self.shared().subscribe(), port: Arc::clone(self.shared()) }
    }

    /// What happened since the port was opened.
    pub fn statistics(&self) -> Statistics {
        self.shared().statistics()
    }

    /// Closes the port at once: every waiter wakes with [`Kind::PortClosed`]. Idempotent.
    pub fn close(&self) {
        self.open.close();
    }

    /// Whether the port is closed or gone.
    pub fn is_closed(&self) -> bool {
        self.shared().has_ended()
    }
}

/// First line of the transcript: who was there, and how the line was set when the talk began.
fn header(met: &identity::Met) -> Header {
    let mut header =
        Header { dialect: Some(met.dialect.id.clone()), echo: met.echo_found, redacted: true, ..Header::default() };
    let identity = serde_json::json!({
        "manufacturer": met.identity.manufacturer,
        "model": met.identity.model,
        "revision": met.identity.revision,
        "imei": met.identity.imei,
    });
    header.other.insert("identity".to_owned(), identity);
    header
}
