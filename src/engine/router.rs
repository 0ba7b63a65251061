//! Event to pending command, client or subscribers. Runs on whoever reads; takes no time and waits for nobody.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::client::Outcome;
use crate::dialect::schema::Family;
use crate::engine::changes::Cause;
use crate::engine::changes::Change;
use crate::engine::exchange::Piece;
use crate::engine::line_text;
use crate::engine::messages::Received;
use crate::engine::messages::TimedEvent;
use crate::engine::port::CLIENTS;
use crate::engine::port::Port;
use crate::engine::port::count;
use crate::engine::protocol::Protocol;
use crate::engine::reply::LateResult;
use crate::engine::resync::Footing;
use crate::engine::resync::SETTLING;
use crate::engine::resync::Worth;
use crate::engine::trace::Direction;
use crate::engine::verdict;
use crate::error::Error;
use crate::proto::Event;
use crate::proto::FinalResult;
use crate::proto::Op;

/// How the loss of every client with the bearer is reported.
const BEARER_GONE: &str = "the bearer is gone";

/// What one read amounts to, applied when the protocol lock is free again.
#[derive(Default)]
struct Batch {
    messages: [VecDeque<Received>; CLIENTS],
    events: Vec<TimedEvent>,
    changes: Vec<Change>,
    transmit: Vec<Vec<u8>>,
    happened: bool,
    message_count: u64,
}

impl Port {
    /// Feeds bytes (none: only the time) to the session and routes what it reports.
    pub fn digest(&self, bytes: &[u8], now: Instant) -> Result<(), Error> {
        if !bytes.is_empty() {
            count(&self.counts.bytes_received, bytes.len() as u64);
            self.talk.lock().put(now, Direction::Received, bytes);
        }
        let mut batch = Batch::default();
        {
            let mut protocol = self.protocol.lock();
            if !bytes.is_empty() {
                protocol.te.receive(bytes, now);
            }
            if protocol.te.next_deadline().is_some_and(|deadline| deadline <= now) {
                protocol.te.handle_deadline(now);
            }
            while let Some(event) = protocol.te.poll_event() {
                self.route(&mut protocol, event, now, &mut batch);
            }
            // Told twice and still the same: it is taken as it is.
            protocol.revive |= protocol.te.take_surprise() && protocol.told < 2;
            while let Some(bytes) = protocol.te.poll_transmit() {
                batch.transmit.push(bytes);
            }
        }
        self.apply(batch, now)
    }

    fn apply(&self, batch: Batch, now: Instant) -> Result<(), Error> {
        // Messages first: a loss in the same read ends them.
        if batch.message_count > 0 {
            count(&self.counts.messages, batch.message_count);
            for (slot, messages) in self.clients.iter().zip(batch.messages) {
                count(&self.counts.messages_dropped, slot.messages.put(messages));
            }
        }
        for change in batch.changes {
            self.change(change, now);
        }
        self.tell(batch.events);
        if batch.happened {
            self.happened();
        }
        for bytes in batch.transmit {
            self.transmit(&bytes, now)?;
        }
        Ok(())
    }

    fn route(&self, protocol: &mut Protocol, event: Event, now: Instant, batch: &mut Batch) {
        let at = self.at(now);
        match event {
            Event::Message(message) => {
                if let Some(command) = &protocol.command
                    && command.shown.starts_with("AT+QMTRECV")
                {
                    command.record().pieces.push(Piece::Line(line_text::message(&message)));
                }
                batch.message_count += 1;
                match batch.messages.get_mut(usize::from(message.client)) {
                    Some(messages) => messages.push_back(Received { message, at }),
                    None => batch.events.push(TimedEvent { event: Event::Message(message), at }),
                }
                return;
            }
            Event::Echo => {
                if let Some(command) = &protocol.command {
                    command.record().echoed = true;
                }
                return;
            }
            Event::Prompt | Event::Connect => {
                protocol.footing.prompt_seen();
                if let Some(command) = &protocol.command {
                    let mut record = command.record();
                    record.prompted = true;
                    record.pieces.push(if event == Event::Prompt { Piece::Prompt } else { Piece::Connect });
                }
                batch.happened = true;
                return;
            }
            Event::Final(result) => {
                if protocol.footing.final_seen_in(&mut protocol.te) == Worth::Command {
                    self.finish(protocol, result, now, batch);
                }
                batch.happened = true;
                return;
            }
            // The answer to a query of ours is news to nobody.
            Event::Info { ref name, .. } | Event::Urc { ref name, .. } if protocol.footing.line_seen(name) => return,
            Event::Info { ref line, .. } => {
                if let Some(command) = &protocol.command {
                    command.record().pieces.push(Piece::Line(line.clone()));
                    return;
                }
            }
            Event::Slots { .. } | Event::State { .. } => {
                if let Some(command) = &protocol.command {
                    command.record().pieces.push(Piece::Line(line_text::answer(&event)));
                }
            }
            Event::Result { op, ref name, client, msgid, code, ref values } => {
                let late = LateResult {
                    op,
                    name: name.clone(),
                    client,
                    msgid,
                    code,
                    values: values.clone(),
                    after: std::time::Duration::ZERO,
                };
                self.late(protocol, late, now, batch);
                return;
            }
            Event::Retry { op, client, msgid, .. } => {
                if let Some(exchange) = protocol.owed_to(op, Some(client), Some(msgid)) {
                    let mut record = exchange.record();
                    record.retries += 1;
                    record.pieces.push(Piece::Result(line_text::retry(&event)));
                }
            }
            Event::Stale { op, client, msgid, .. } => {
                count(&self.counts.stale, 1);
                self.abandoned_result(op, client, msgid, batch);
            }
            Event::Lost { client, code } => {
                self.lose(protocol, client, Some(code), verdict::loss_name(self.family()), now, batch);
            }
            Event::Ping { client, result } => {
                self.lose(protocol, client, Some(result), "+QMTPING", now, batch);
            }
            Event::BearerLost => {
                for client in 0..CLIENTS as u8 {
                    self.lose(protocol, client, None, BEARER_GONE, now, batch);
                }
            }
            Event::Restarted | Event::Gone => self.restarted(protocol, &event, batch),
            Event::Urc { .. } => {}
            Event::Ignored(ref bytes) => {
                // A final result nobody waits for: of a command that was given up, or a surplus one (FIELD F5).
                match (is_final(bytes), &protocol.footing) {
                    (false, _) => count(&self.counts.ignored, 1),
                    (true, Footing::Sure) => count(&self.counts.surplus, 1),
                    (true, _) => {
                        count(&self.counts.stale, 1);
                        protocol.footing.final_seen_in(&mut protocol.te);
                        batch.happened = true;
                    }
                }
            }
            Event::Overflowed(_) => count(&self.counts.overflowed, 1),
            Event::Damaged { .. } => count(&self.counts.damaged, 1),
            Event::Stored { client, .. } => batch.changes.push(Change::Stored { client }),
        }
        batch.events.push(TimedEvent { event, at });
    }

    /// The command line on the wire ended.
    fn finish(&self, protocol: &mut Protocol, result: FinalResult, now: Instant, batch: &mut Batch) {
        let Some(command) = protocol.command.take() else {
            count(&self.counts.surplus, 1);
            return;
        };
        let accepted = result == FinalResult::Ok;
        if !protocol.revive && !protocol.te.settings().echo {
            protocol.told = 0;
        }
        {
            let mut record = command.record();
            record.pieces.push(Piece::Final);
            record.final_result = Some((result, now));
            if !accepted && record.result.is_some() {
                protocol.settles = Some(now + SETTLING);
            }
        }
        // SIM7028, 3.2.8: the reason may come behind the refusal; `connect` waits for it.
        if !accepted && (command.op != Some(Op::Connect) || self.family() != Family::Cmqtt) {
            protocol.forget(&command);
        }
        let Some(client) = command.client else { return };
        if !accepted {
            batch.changes.push(Change::Refused { client });
        } else if command.op.is_none()
            && let Some(op) = command.effect
        {
            batch.changes.push(Change::Ended { client, op, outcome: Outcome::Done });
        }
    }

    /// A late result came.
    fn late(&self, protocol: &mut Protocol, mut late: LateResult, now: Instant, batch: &mut Batch) {
        protocol.forget_lost(now);
        let owed = protocol.owed_to(late.op, late.client, late.msgid);
        let pending = protocol.command.as_ref().filter(|command| {
            command.effect == Some(late.op) && (late.client.is_none() || command.client == late.client)
        });
        let Some(exchange) = owed.or_else(|| pending.map(Arc::clone)) else {
            count(&self.counts.stale, 1);
            return;
        };
        protocol.forget(&exchange);
        let client = late.client.or(exchange.client);
        let outcome = match verdict::failure_code(&late) {
            None => Outcome::Done,
            Some(code) => {
                protocol.settles = Some(now + SETTLING);
                Outcome::Failed(code)
            }
        };
        if let Some(client) = client {
            let op = late.op;
            batch.changes.push(Change::Ended { client, op, outcome });
        }
        if let (Some(client), Some(msgid)) = (client, late.msgid) {
            batch.changes.push(Change::Freed { client, msgid });
        }
        let mut record = exchange.record();
        late.after = record.sent.map(|sent| now.saturating_duration_since(sent)).unwrap_or_default();
        record.pieces.push(Piece::Result(line_text::late(&late)));
        record.result = Some((late, now));
        batch.happened = true;
    }

    /// A result came that its waiter gave up on: what it tells of the client is true all the same.
    fn abandoned_result(&self, op: Op, client: Option<u8>, msgid: Option<u16>, batch: &mut Batch) {
        if let (Some(client), Some(msgid)) = (client, msgid)
            && matches!(op, Op::Publish | Op::Subscribe | Op::Unsubscribe)
        {
            batch.changes.push(Change::Freed { client, msgid });
            batch.happened = true;
        }
    }

    fn lose(
        &self,
        protocol: &mut Protocol,
        client: u8,
        code: Option<i32>,
        reported: &str,
        now: Instant,
        batch: &mut Batch,
    ) {
        for exchange in protocol.command.iter().chain(protocol.owed.iter().map(|(_, exchange)| exchange)) {
            // Opening ends with its own result: what is lost then is the connection before it (FIELD F6).
            let opening = exchange.op == Some(Op::Open) && code.is_some();
            if exchange.client == Some(client) && exchange.op.is_some() && !opening {
                exchange.record().lost.get_or_insert((code, now));
            }
        }
        let cause = if reported == BEARER_GONE { Cause::Bearer } else { Cause::Connection };
        batch.changes.push(Change::Lost { client, code, reported: reported.to_owned(), cause });
        batch.happened = true;
    }

    /// The module is known to have restarted though it did not say so.
    pub fn declare_restarted(&self) {
        let mut batch = Batch::default();
        {
            let mut protocol = self.protocol.lock();
            let fresh = Protocol::new(crate::dialect::grammar::any());
            protocol.te = fresh.te;
            self.restarted(&mut protocol, &Event::Restarted, &mut batch);
        }
        // Nothing is in it that could fail: it has no bytes to write.
        let _ = self.apply(batch, crate::engine::clock::now());
    }

    fn restarted(&self, protocol: &mut Protocol, event: &Event, batch: &mut Batch) {
        count(&self.counts.restarts, 1);
        for exchange in protocol.command.take().iter().chain(protocol.owed.iter().map(|(_, exchange)| exchange)) {
            exchange.record().restarted = true;
        }
        protocol.owed.clear();
        protocol.footing.restarted();
        protocol.revive = true;
        protocol.te.settings_mut().echo = true;
        let reported = if *event == Event::Gone { "the module switched itself off" } else { "the module restarted" };
        for client in 0..CLIENTS as u8 {
            batch.changes.push(Change::Lost {
                client,
                code: None,
                reported: reported.to_owned(),
                cause: Cause::Restart,
            });
        }
        batch.happened = true;
    }
}

fn is_final(line: &[u8]) -> bool {
    matches!(line, [b'0' | b'3'..=b'8'])
        || line == b"OK"
        || line == b"ERROR"
        || line.starts_with(b"+CME ERROR")
        || line.starts_with(b"+CMS ERROR")
}
