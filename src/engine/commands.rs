//! One command line at a time: send it, hand over its payload, wait for its end, and for the late result it is owed.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::baton::Step;
use crate::engine::clock;
use crate::engine::exchange::Exchange;
use crate::engine::exchange::Progress;
use crate::engine::identity;
use crate::engine::port::Port;
use crate::engine::port::count;
use crate::engine::resync::Footing;
use crate::engine::resync::name_of;
use crate::engine::turn::OurTurn;
use crate::engine::wait::Until;
use crate::error::Error;
use crate::error::Kind;
use crate::proto::Awaited;
use crate::proto::Input;
use crate::proto::Op;
use crate::proto::Request;

/// How long the line that explains a refusal may come behind it.
const EXPLANATION: Duration = Duration::from_millis(100);

/// How long a module that just restarted is given for its first answer, before it is asked again.
const BOOTING: Duration = Duration::from_secs(2);

/// A command line ready to be sent.
#[derive(Clone)]
pub struct Order {
    /// `AT+…`, without CR.
    pub line: Vec<u8>,
    /// The same with its secrets covered.
    pub shown: String,
    /// What is written when the module asks.
    pub input: Input,
    /// The late result that completes it.
    pub awaited: Option<Awaited>,
    /// What it does to a client when it ends well.
    pub effect: Option<Op>,
    /// The client it is about.
    pub client: Option<u8>,
}

/// How far to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Until the wire is free again.
    Accepted,
    /// Until the late result, if one is owed.
    Complete,
}

impl Port {
    /// Waits for our turn and for the port to be in step.
    pub fn begin(&self, shown: &str, until: &Until<'_>) -> Result<OurTurn<'_>, Error> {
        let Some(turn) = self.await_turn(until).map_err(|error| self.explain(error))? else {
            let error = Error::new(Kind::NoAnswer, format!("{shown} was not sent: other commands had the line"))
                .awaiting("the end of the commands before it", until.waited(clock::now()));
            return Err(self.explain(error));
        };
        self.settle(until)?;
        self.resynchronise(until)?;
        self.revive(until)?;
        Ok(turn)
    }

    /// A module that restarted, or was found to speak otherwise than it was told, is told again how to speak; the one who
    /// has the turn does it.
    fn revive(&self, until: &Until<'_>) -> Result<(), Error> {
        loop {
            if !self.protocol.lock().revive || !self.is_introduced() {
                return Ok(());
            }
            let now = clock::now();
            let try_until = until.cut(now + BOOTING);
            match identity::tell_how_to_speak(self, &try_until) {
                // It may have restarted again meanwhile: then the answer did not come.
                Ok(exchange) if exchange.record().final_result.is_none() => {}
                Ok(_) => {
                    let mut protocol = self.protocol.lock();
                    protocol.revive = false;
                    protocol.told += 1;
                    return Ok(());
                }
                Err(error) if error.kind == Kind::NoAnswer && !until.expired(clock::now()) => {
                    self.resynchronise(until)?
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The module has said who it is; before that, opening speaks to it.
    fn is_introduced(&self) -> bool {
        self.dialect.get().is_some()
    }

    /// Sends a command line and waits for what it is owed.
    pub fn execute(&self, order: Order, until: &Until<'_>, goal: Goal) -> Result<Arc<Exchange>, Error> {
        let turn = self.begin(&order.shown, until)?;
        let exchange = self.execute_in_turn(order, until)?;
        drop(turn);
        if goal == Goal::Complete {
            match exchange.was_refused() {
                true => self.await_explanation(&exchange, until)?,
                false => self.await_result(&exchange, until)?,
            }
        }
        Ok(exchange)
    }

    /// Sends a command line and waits for its final result; the caller has the turn.
    pub fn execute_in_turn(&self, order: Order, until: &Until<'_>) -> Result<Arc<Exchange>, Error> {
        let exchange =
            Arc::new(Exchange::new(order.shown, order.awaited.map(|awaited| awaited.op), order.effect, order.client));
        self.start(order.line, order.input, order.awaited, &exchange)?;
        let ended = self.wait(until, |now| match exchange.progress(now) {
            Progress::Pending(again) => Step::NotYet(again),
            Progress::Accepted | Progress::Complete => Step::Done(()),
        });
        match ended {
            Ok(Some(())) => {
                self.close_without_final(&exchange);
                Ok(exchange)
            }
            Ok(None) => {
                self.give_up_command();
                let error = Error::new(Kind::NoAnswer, format!("no answer to {}", exchange.shown))
                    .awaiting(awaited_by(&exchange), until.waited(clock::now()))
                    .with_remedy("the port is brought back in step before the next command");
                Err(self.explain(error))
            }
            Err(error) => {
                self.give_up_command();
                Err(self.explain(error))
            }
        }
    }

    fn start(
        &self,
        line: Vec<u8>,
        input: Input,
        awaited: Option<Awaited>,
        exchange: &Arc<Exchange>,
    ) -> Result<(), Error> {
        self.may_speak()?;
        let now = clock::now();
        if let (Some(client), Some(op)) = (exchange.client, exchange.effect)
            && let Some(slot) = self.clients.get(usize::from(client))
        {
            let mut facts = slot.facts.lock();
            facts.before = facts.state;
            facts.state = facts.state.during(op);
        }
        let mut bytes = Vec::new();
        {
            let mut protocol = self.protocol.lock();
            protocol.forget_lost(now);
            let sent = protocol.te.send(Request { line, input, awaits: awaited }, now);
            sent.map_err(|error| Error::new(Kind::BadValue, format!("{} cannot be sent: {error}", exchange.shown)))?;
            exchange.record().sent = Some(now);
            protocol.command = Some(Arc::clone(exchange));
            protocol.owed.extend(awaited.map(|awaited| (awaited, Arc::clone(exchange))));
            while let Some(more) = protocol.te.poll_transmit() {
                bytes.extend(more);
            }
        }
        count(&self.counts.commands, 1);
        self.transmit(&bytes, now)
    }

    /// A request whose own result came without `OK` is complete (FIELD F1); `OK` may be yet to come.
    fn close_without_final(&self, exchange: &Arc<Exchange>) {
        let mut protocol = self.protocol.lock();
        if protocol.command.as_ref().is_some_and(|command| Arc::ptr_eq(command, exchange)) {
            protocol.command = None;
            protocol.te.finish_by_result();
            protocol.footing = Footing::Doubtful { name: name_of(&exchange.shown).to_owned() };
        }
    }

    /// Waits for the late result of an accepted request.
    pub fn await_result(&self, exchange: &Arc<Exchange>, until: &Until<'_>) -> Result<(), Error> {
        let ended = self.wait(until, |now| match exchange.progress(now) {
            Progress::Complete => Step::Done(()),
            Progress::Accepted => Step::NotYet(exchange.record().aftermath()),
            Progress::Pending(again) => Step::NotYet(again),
        });
        match ended {
            Ok(Some(())) => Ok(()),
            Ok(None) => {
                self.give_up_result(exchange);
                let error = Error::new(Kind::NoAnswer, format!("no result of {}", exchange.shown))
                    .awaiting(awaited_by(exchange), until.waited(clock::now()));
                Err(self.explain(error))
            }
            Err(error) => {
                self.give_up_result(exchange);
                Err(self.explain(error))
            }
        }
    }

    /// Nobody waits for the late result any more: it will be stale.
    pub fn give_up_result(&self, exchange: &Arc<Exchange>) {
        if self.forget_result(exchange) {
            exchange.record().abandoned = true;
            count(&self.counts.timeouts, 1);
        }
    }

    /// Gives up the publishes of a client whose results are overdue; says whether there were any.
    pub fn give_up_overdue(&self, client: u8, patience: Duration) -> bool {
        let now = clock::now();
        let is_overdue = |exchange: &Exchange| {
            let sent = exchange.record().sent;
            exchange.client == Some(client)
                && exchange.op == Some(Op::Publish)
                && sent.is_some_and(|sent| sent + patience <= now)
        };
        let overdue: Vec<_> = {
            let protocol = self.protocol.lock();
            protocol.owed.iter().filter(|(_, exchange)| is_overdue(exchange)).cloned().collect()
        };
        for (awaited, exchange) in &overdue {
            self.give_up_result(exchange);
            if let (Some(slot), Some(msgid)) = (self.clients.get(usize::from(client)), awaited.msgid) {
                slot.facts.lock().window.give_back(msgid);
            }
        }
        !overdue.is_empty()
    }

    fn forget_result(&self, exchange: &Arc<Exchange>) -> bool {
        let mut protocol = self.protocol.lock();
        let Some(position) = protocol.owed.iter().position(|(_, other)| Arc::ptr_eq(other, exchange)) else {
            return false;
        };
        let (awaited, _) = protocol.owed.remove(position);
        protocol.te.abandon_result(&awaited);
        true
    }

    /// A refusal may be explained by a line that follows it (`ERROR`, then `+CMQTTCONNECT: 0,<err>`).
    fn await_explanation(&self, exchange: &Arc<Exchange>, until: &Until<'_>) -> Result<(), Error> {
        let owed = self.protocol.lock().owed.iter().any(|(_, other)| Arc::ptr_eq(other, exchange));
        if owed && exchange.record().result.is_none() {
            let patience = until.cut(clock::now() + EXPLANATION);
            let explained = self.wait(&patience, |_| match exchange.record().result.is_some() {
                true => Step::Done(()),
                false => Step::NotYet(None),
            });
            self.forget_result(exchange);
            explained?;
        }
        Ok(())
    }
}

/// What an exchange that did not end was waiting for.
fn awaited_by(exchange: &Exchange) -> String {
    let record = exchange.record();
    match (&record.final_result, exchange.op) {
        (None, _) if record.prompted => "the final result behind the payload".to_owned(),
        (None, _) => "a final result".to_owned(),
        (Some(_), Some(op)) => format!("the result of {op:?}").to_lowercase(),
        (Some(_), None) => "nothing".to_owned(),
    }
}
