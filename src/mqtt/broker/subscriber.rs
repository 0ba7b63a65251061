//! What the broker remembers of one client: its subscriptions and the messages on their way to it. Not its connection.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::time::Instant;

use crate::mqtt::packet::Packet;
use crate::mqtt::packet::Publish;
use crate::mqtt::packet::Qos;
use crate::mqtt::requests::again;
use crate::mqtt::topic::filter_matches;

use super::ConnectionId;

/// One client's session, with or without a connection.
#[derive(Debug, Default)]
pub(super) struct Subscriber {
    /// Forgotten when its connection ends.
    pub clean: bool,
    /// Where it is now.
    pub connection: Option<ConnectionId>,
    /// Filters and the quality granted.
    pub subscriptions: BTreeMap<String, Qos>,
    /// Quality 2 messages from the client that are not released.
    pub received: BTreeSet<u16>,
    /// Messages lost because too many waited.
    pub lost: u64,
    waiting: VecDeque<Publish>,
    in_flight: VecDeque<InFlight>,
    last_id: u16,
}

#[derive(Debug)]
struct InFlight {
    /// PUBLISH, or PUBREL once PUBREC has come.
    packet: Packet,
    sent: Instant,
}

impl Subscriber {
    /// The highest quality its subscriptions grant this topic.
    pub fn wants(&self, topic: &str) -> Option<Qos> {
        self.subscriptions.iter().filter(|(filter, _)| filter_matches(filter, topic)).map(|(_, qos)| *qos).max()
    }

    /// Puts a message of quality 1 or 2 into the queue.
    pub fn enqueue(&mut self, publish: Publish, limit: usize) {
        if self.waiting.len() >= limit {
            self.lost += 1;
            return;
        }
        self.waiting.push_back(publish);
    }

    /// The next message the window has room for, now in flight.
    pub fn start_next(&mut self, window: usize, now: Instant) -> Option<Packet> {
        if self.in_flight.len() >= window {
            return None;
        }
        let mut publish = self.waiting.pop_front()?;
        publish.id = Some(self.free_id());
        let packet = Packet::Publish(publish);
        self.in_flight.push_back(InFlight { packet: packet.clone(), sent: now });
        Some(packet)
    }

    /// Everything in flight once more: the client is back.
    pub fn resume(&mut self, now: Instant) -> Vec<Packet> {
        self.in_flight
            .iter_mut()
            .map(|entry| {
                entry.sent = now;
                again(&entry.packet)
            })
            .collect()
    }

    /// What was sent before `limit` and has had no answer.
    pub fn overdue(&mut self, limit: Instant, now: Instant) -> Vec<Packet> {
        let late = self.in_flight.iter_mut().filter(|entry| entry.sent <= limit);
        late.map(|entry| {
            entry.sent = now;
            again(&entry.packet)
        })
        .collect()
    }

    /// When the oldest message in flight was sent.
    pub fn oldest_sent(&self) -> Option<Instant> {
        self.in_flight.iter().map(|entry| entry.sent).min()
    }

    /// PUBACK: a quality 1 message has arrived.
    pub fn puback(&mut self, id: u16) {
        self.finish(id, |packet| matches!(packet, Packet::Publish(publish) if publish.qos == Qos::AtLeastOnce));
    }

    /// PUBCOMP: a quality 2 message is done.
    pub fn pubcomp(&mut self, id: u16) {
        self.finish(id, |packet| matches!(packet, Packet::Pubrel { .. }));
    }

    /// PUBREC: a quality 2 message has arrived; from now on only PUBREL is sent.
    pub fn pubrec(&mut self, id: u16, now: Instant) {
        let is_it = |packet: &Packet| matches!(packet, Packet::Publish(publish) if publish.qos == Qos::ExactlyOnce && publish.id == Some(id));
        if let Some(entry) = self.in_flight.iter_mut().find(|entry| is_it(&entry.packet)) {
            entry.packet = Packet::Pubrel { id, dup: false };
            entry.sent = now;
        }
    }

    fn finish(&mut self, id: u16, is_it: impl Fn(&Packet) -> bool) {
        self.in_flight.retain(|entry| entry.packet.id() != Some(id) || !is_it(&entry.packet));
    }

    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.in_flight.iter().any(|entry| entry.packet.id() == Some(self.last_id)) {
                return self.last_id;
            }
        }
    }
}
