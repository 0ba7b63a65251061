//! Packet identifiers a client has in flight: who has which, and how many publishes fit.

/// Publishes with QoS above 0 that a module takes before it wants a result (all four Quectel documents, QMTPUBEX note).
pub const WINDOW: usize = 5;

/// Identifiers in flight of one client.
#[derive(Clone, Debug, Default)]
pub struct Window {
    last: u16,
    publishes: Vec<u16>,
    others: Vec<u16>,
}

/// What an identifier is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A publish with QoS above 0: it takes a place in the window.
    Publish,
    /// A subscribe or unsubscribe.
    Other,
}

impl Window {
    /// Takes a free identifier, never 0; `None` when the window is full.
    pub fn take(&mut self, purpose: Purpose) -> Option<u16> {
        if purpose == Purpose::Publish && self.publishes.len() >= WINDOW {
            return None;
        }
        loop {
            self.last = self.last.checked_add(1).unwrap_or(1);
            if !self.publishes.contains(&self.last) && !self.others.contains(&self.last) {
                break;
            }
        }
        match purpose {
            Purpose::Publish => self.publishes.push(self.last),
            Purpose::Other => self.others.push(self.last),
        }
        Some(self.last)
    }

    /// Gives an identifier back; harmless for one that is not in flight.
    pub fn give_back(&mut self, msgid: u16) {
        self.publishes.retain(|other| *other != msgid);
        self.others.retain(|other| *other != msgid);
    }

    /// Nothing is in flight any more.
    pub fn clear(&mut self) {
        self.publishes.clear();
        self.others.clear();
    }

    /// Publishes in flight.
    pub fn publishes(&self) -> usize {
        self.publishes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_publish_has_to_wait_and_other_requests_do_not_count() {
        let mut window = Window::default();
        assert_eq!(Some(1), window.take(Purpose::Other));
        let ids: Vec<_> = (0..6).map(|_| window.take(Purpose::Publish)).collect();
        assert_eq!(vec![Some(2), Some(3), Some(4), Some(5), Some(6), None], ids);
        window.give_back(4);
        assert_eq!(Some(7), window.take(Purpose::Publish));
    }

    #[test]
    fn identifiers_come_round_past_zero_and_past_those_in_flight() {
        let mut window = Window { last: u16::MAX - 1, ..Window::default() };
        assert_eq!(Some(u16::MAX), window.take(Purpose::Publish));
        assert_eq!(Some(1), window.take(Purpose::Publish));
        window.last = u16::MAX - 1;
        assert_eq!(Some(2), window.take(Purpose::Publish));
    }
}
