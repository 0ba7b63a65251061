//! The requests of a client that still await an answer, and when each is sent again. Not the session: it decides what an
//! answer means.

use std::time::Duration;
use std::time::Instant;

use super::packet::Packet;
use super::session_event::Refused;
use super::session_event::RequestKind;

/// One request on its way.
#[derive(Debug)]
pub(super) struct Request {
    /// What is sent again: PUBLISH, PUBREL, SUBSCRIBE or UNSUBSCRIBE.
    pub packet: Packet,
    /// Transmissions beyond the first, over all steps of a quality 2 exchange.
    pub resent: u32,
    /// When patience ends; `None` while there is no connection.
    pub deadline: Option<Instant>,
}

/// What a passed deadline means.
pub(super) enum Overdue {
    /// Send this again.
    Resend(Packet, u32),
    /// It was sent often enough.
    GiveUp(Packet),
}

/// In the order they were made, which is the order they are resent in (MQTT 3.1.1 §4.6).
#[derive(Debug, Default)]
pub(super) struct Requests {
    open: Vec<Request>,
    last_own_id: u16,
}

impl Requests {
    pub fn add(&mut self, packet: Packet, deadline: Instant) {
        self.open.push(Request { packet, resent: 0, deadline: Some(deadline) });
    }

    pub fn find(&mut self, id: u16) -> Option<&mut Request> {
        self.open.iter_mut().find(|request| request.packet.id() == Some(id))
    }

    pub fn contains(&self, id: u16) -> bool {
        self.open.iter().any(|request| request.packet.id() == Some(id))
    }

    pub fn remove(&mut self, id: u16) -> Option<Request> {
        let index = self.open.iter().position(|request| request.packet.id() == Some(id))?;
        Some(self.open.remove(index))
    }

    /// The identifier wanted, or one of this end's own choice, if nothing else has it.
    pub fn free_id(&mut self, wanted: Option<u16>) -> Result<u16, Refused> {
        match wanted {
            Some(0) => Err(Refused::IdZero),
            Some(id) if self.contains(id) => Err(Refused::IdInUse(id)),
            Some(id) => Ok(id),
            None => {
                // Downwards from the top: hosts count from 1.
                loop {
                    self.last_own_id = if self.last_own_id <= 1 { u16::MAX } else { self.last_own_id - 1 };
                    if !self.contains(self.last_own_id) {
                        return Ok(self.last_own_id);
                    }
                }
            }
        }
    }

    /// Messages without their last acknowledgement.
    pub fn publishes(&self) -> usize {
        self.open.iter().filter(|request| is_publish(&request.packet)).count()
    }

    /// The connection is gone: messages wait for the next, everything else is forgotten.
    pub fn suspend(&mut self) {
        self.open.retain(|request| is_publish(&request.packet));
        for request in &mut self.open {
            request.deadline = None;
        }
    }

    /// A connection with an old session is there: these must be sent, as they stand.
    pub fn resume(&mut self, deadline: Instant) -> Vec<Packet> {
        self.open
            .iter_mut()
            .map(|request| {
                request.deadline = Some(deadline);
                request.resent = 0;
                again(&request.packet)
            })
            .collect()
    }

    /// Forgets everything and says what it was.
    pub fn drain(&mut self) -> Vec<Packet> {
        self.open.drain(..).map(|request| request.packet).collect()
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        self.open.iter().filter_map(|request| request.deadline).min()
    }

    /// The first request whose patience has ended, already rescheduled or removed.
    pub fn overdue(&mut self, now: Instant, timeout: Duration, retries: u32) -> Option<Overdue> {
        let late = |request: &Request| request.deadline.is_some_and(|deadline| deadline <= now);
        let index = self.open.iter().position(late)?;
        let request = &mut self.open[index];
        if request.resent >= retries {
            return Some(Overdue::GiveUp(self.open.remove(index).packet));
        }
        request.resent += 1;
        request.deadline = Some(now + timeout);
        Some(Overdue::Resend(again(&request.packet), request.resent))
    }
}

/// The packet marked as a repetition. The encoder takes the mark off where the level forbids it.
pub(super) fn again(packet: &Packet) -> Packet {
    let mut packet = packet.clone();
    match &mut packet {
        Packet::Publish(publish) => publish.dup = true,
        Packet::Pubrel { dup, .. } | Packet::Subscribe { dup, .. } | Packet::Unsubscribe { dup, .. } => *dup = true,
        _ => {}
    }
    packet
}

/// What a packet was for, and its identifier.
pub(super) fn named(packet: &Packet) -> (RequestKind, u16) {
    let kind = match packet {
        Packet::Subscribe { .. } => RequestKind::Subscribe,
        Packet::Unsubscribe { .. } => RequestKind::Unsubscribe,
        _ => RequestKind::Publish,
    };
    (kind, packet.id().unwrap_or_default())
}

fn is_publish(packet: &Packet) -> bool {
    matches!(packet, Packet::Publish(_) | Packet::Pubrel { .. })
}
