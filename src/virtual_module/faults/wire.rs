//! Faults between a module's MQTT session and its connection: acknowledgements lost, late or doubled, a broker that refuses
//! or closes, a link that is cut at a byte; other packets lost or changed are in `packets`. They act at the module's end of the link, behind TLS, so that any broker will do.
//! One [`Wire`] for each connection; driven by `network`.

use std::time::Instant;

use crate::mqtt::Kind;
use crate::mqtt::Level;
use crate::virtual_module::faults::Effect;
use crate::virtual_module::faults::Faults;
use crate::virtual_module::faults::packets;
use crate::virtual_module::network::LostBy;

/// Longer packets than this are not gathered: no acknowledgement is near it.
const GATHERED: usize = 1024;

/// The same while a fault reads packets: nothing that a module sends is longer.
const GATHERED_WHOLE: usize = 64 * 1024;

/// Which way a packet goes, as the parameter `direction` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::virtual_module) enum Way {
    /// To the module.
    In,
    /// To the broker.
    Out,
}

/// The bytes that go on, and how the connection ended behind them, if it did.
pub(in crate::virtual_module) type Passed = (Vec<u8>, Option<LostBy>);

/// The faults of one connection.
#[derive(Debug)]
pub(in crate::virtual_module) struct Wire {
    incoming: Splitter,
    outgoing: Splitter,
    /// Packets that are late, and when they go on.
    held: Vec<(Instant, Way, Vec<u8>)>,
    /// Nothing arrives any more, either way, and nobody is told.
    silent: bool,
    /// What the module writes stays in its socket.
    stuck: bool,
    /// The version that the module speaks.
    level: Level,
}

impl Default for Wire {
    fn default() -> Wire {
        let (incoming, outgoing) = Default::default();
        Wire { incoming, outgoing, held: Vec::new(), silent: false, stuck: false, level: Level::V31 }
    }
}

impl Wire {
    /// Bytes on their way.
    pub(in crate::virtual_module) fn carry(
        &mut self,
        faults: &mut Faults,
        way: Way,
        bytes: &[u8],
        now: Instant,
    ) -> Passed {
        if self.silent {
            return (Vec::new(), None);
        }
        if way == Way::Out && !bytes.is_empty() && !self.stuck {
            match faults.unsent("MQTT") {
                Some(Unsent::Refused) => return (Vec::new(), Some(LostBy::SendingRequest)),
                Some(Unsent::Kept) => self.stuck = true,
                None => {}
            }
        }
        if way == Way::Out && self.stuck {
            return (Vec::new(), None);
        }
        let (bytes, mut end) = self.cut(faults, way, bytes);
        let splitter = match way {
            Way::In => &mut self.incoming,
            Way::Out => &mut self.outgoing,
        };
        let mut passed = Vec::with_capacity(bytes.len());
        let held = &mut self.held;
        let mut closed = false;
        let (whole, level) = (faults.read_packets(), &mut self.level);
        splitter.split(bytes, whole, |kind, packet| {
            if closed {
                return;
            }
            if kind == Some(Kind::Connect) {
                *level = packets::level_of(packet).unwrap_or(*level);
            }
            let changed = kind.filter(|_| whole).and_then(|_| faults.packet(way, *level, packet));
            let packet = changed.as_deref().unwrap_or(packet);
            match kind {
                Some(_) if packet.is_empty() => {}
                Some(kind) if way == Way::Out && closes_at(faults, kind) => closed = true,
                Some(Kind::Connack) if way == Way::In => match faults.refusal() {
                    Some(code) => acknowledge(faults, way, Kind::Connack, &[0x20, 2, 0, code], &mut passed, held, now),
                    None => acknowledge(faults, way, Kind::Connack, packet, &mut passed, held, now),
                },
                Some(kind) => acknowledge(faults, way, kind, packet, &mut passed, held, now),
                None => passed.extend(packet),
            }
        });
        if closed {
            end = Some(LostBy::PeerClosed);
        }
        (passed, end)
    }

    /// What was late and is no longer; to the module, to the broker.
    pub(in crate::virtual_module) fn due(&mut self, now: Instant) -> (Vec<u8>, Vec<u8>) {
        let (mut to_module, mut to_broker) = (Vec::new(), Vec::new());
        for (_, way, bytes) in self.held.extract_if(.., |(due, ..)| *due <= now) {
            match way {
                Way::In => to_module.extend(bytes),
                Way::Out => to_broker.extend(bytes),
            }
        }
        (to_module, to_broker)
    }

    /// Whether something waits in the module's socket that never leaves it.
    pub(in crate::virtual_module) fn is_stuck(&self) -> bool {
        self.stuck
    }

    /// When something that is late goes on.
    pub(in crate::virtual_module) fn next_deadline(&self) -> Option<Instant> {
        self.held.iter().map(|(due, ..)| *due).min()
    }

    /// Whether the connection ends without any byte that would end it.
    pub(in crate::virtual_module) fn ends(&mut self, faults: &mut Faults) -> Option<LostBy> {
        let closes = faults.in_force(&[Effect::Close]).find(|active| active.text("at") == Some("now"));
        if let Some(active) = closes {
            active.happened(1, "the connection");
            return Some(LostBy::PeerClosed);
        }
        [Way::In, Way::Out].into_iter().find_map(|way| self.cut(faults, way, &[]).1)
    }

    /// The bytes up to the one where the link is cut, if it is.
    fn cut<'a>(&mut self, faults: &mut Faults, way: Way, bytes: &'a [u8]) -> (&'a [u8], Option<LostBy>) {
        for active in faults.in_force(&[Effect::Cut]).filter(|active| active.is_way(way.name())) {
            let refuses = active.text("how") == Some("refusal");
            if refuses && (way == Way::In || bytes.is_empty()) {
                continue; // a socket refuses when something is written, not before
            }
            let after = active.number("after").unwrap_or_default().unsigned_abs();
            let left = usize::try_from(after.saturating_sub(active.passed)).unwrap_or(usize::MAX);
            if bytes.len() < left {
                active.passed += bytes.len() as u64;
                continue;
            }
            active.passed = 0;
            active.happened(1, "the link");
            let end = match active.text("how") {
                Some("silence") => None,
                Some("close") => Some(LostBy::PeerClosed),
                Some("refusal") => Some(LostBy::SendingRequest),
                _ => Some(LostBy::PeerReset),
            };
            self.silent = end.is_none();
            return (&bytes[..left], end);
        }
        (bytes, None)
    }
}

impl Way {
    pub(super) fn name(self) -> &'static str {
        match self {
            Way::In => "in",
            Way::Out => "out",
        }
    }
}

/// What becomes of bytes that do not leave the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::virtual_module) enum Unsent {
    Refused,
    Kept,
}

impl Faults {
    /// Whether what the module writes now does not leave it.
    pub(in crate::virtual_module) fn unsent(&mut self, what: &str) -> Option<Unsent> {
        let active = self.in_force(&[Effect::Unsent]).next()?;
        active.happened(1, what);
        Some(if active.text("how") == Some("waits") { Unsent::Kept } else { Unsent::Refused })
    }

    /// What the broker refuses the connection with instead of what it says.
    fn refusal(&mut self) -> Option<u8> {
        let active = self.in_force(&[Effect::RefuseConnect]).next()?;
        active.happened(1, "CONNACK");
        active.number("code").and_then(|code| u8::try_from(code).ok())
    }
}

fn closes_at(faults: &mut Faults, kind: Kind) -> bool {
    let meant = |at: &str| at.eq_ignore_ascii_case(kind.name());
    let active = faults.in_force(&[Effect::Close]).find(|active| active.text("at").is_some_and(meant));
    active.is_some_and(|active| {
        active.happened(1, kind.name());
        true
    })
}

/// Passes an acknowledgement, or what is left of it; other packets pass.
fn acknowledge(
    faults: &mut Faults,
    way: Way,
    kind: Kind,
    packet: &[u8],
    passed: &mut Vec<u8>,
    held: &mut Vec<(Instant, Way, Vec<u8>)>,
    now: Instant,
) {
    let is_it = |name: &str| name.eq_ignore_ascii_case(kind.name());
    let meant = |wanted: &str| is_it(wanted) || (wanted == "any" && ACKNOWLEDGEMENTS.iter().any(|name| is_it(name)));
    let active = faults
        .in_force(&[Effect::LoseAck, Effect::DelayAck, Effect::DoubleAck])
        .find(|active| active.is_way(way.name()) && active.text("kind").is_some_and(meant));
    let Some(active) = active else { return passed.extend(packet) };
    active.happened(1, kind.name());
    match active.effect() {
        Effect::DelayAck => held.push((now + active.span("ms"), way, packet.to_vec())),
        Effect::DoubleAck => passed.extend([packet, packet].concat()),
        _ => {}
    }
}

/// The acknowledgements that `kind` names; `any` is each of them.
pub(super) const ACKNOWLEDGEMENTS: &[&str] =
    &["any", "connack", "puback", "pubrec", "pubrel", "pubcomp", "suback", "unsuback", "pingresp"];

/// Finds the packets in a stream.
#[derive(Debug, Default)]
struct Splitter {
    /// The packet that is being gathered.
    packet: Vec<u8>,
    /// Bytes that pass without being gathered.
    passing: usize,
}

impl Splitter {
    /// Gives each whole packet with its sort; a long one comes in parts, of which only the first has a sort.
    ///
    /// `whole`: messages are gathered, too, as far as they are not huge.
    fn split(&mut self, mut bytes: &[u8], whole: bool, mut each: impl FnMut(Option<Kind>, &[u8])) {
        while !bytes.is_empty() {
            if self.passing > 0 {
                let (part, rest) = bytes.split_at(self.passing.min(bytes.len()));
                each(None, part);
                self.passing -= part.len();
                bytes = rest;
                continue;
            }
            self.packet.push(bytes[0]);
            bytes = &bytes[1..];
            let Some(missing) = missing(&self.packet) else { continue };
            if missing == 0 || is_long(&self.packet, missing, whole) {
                let packet = std::mem::take(&mut self.packet);
                each(Kind::from_byte(packet[0] >> 4), &packet);
                self.passing = missing;
            }
        }
    }
}

/// Bytes that a packet lacks, where its length is known yet. What is no length ends all sense: everything behind it passes.
fn missing(packet: &[u8]) -> Option<usize> {
    let digits = packet.get(1..)?;
    let length = digits.iter().take(4).position(|digit| digit & 0x80 == 0);
    match length {
        Some(last) => {
            let remaining = digits[..=last].iter().rev().fold(0, |sum, digit| (sum << 7) | usize::from(digit & 0x7f));
            Some((2 + last + remaining).saturating_sub(packet.len()))
        }
        None if digits.len() >= 4 => Some(usize::MAX),
        None => None,
    }
}

fn is_long(packet: &[u8], missing: usize, whole: bool) -> bool {
    let most = match whole {
        true => GATHERED_WHOLE,
        false if packet[0] >> 4 == Kind::Publish as u8 => 0,
        false => GATHERED,
    };
    packet.len().saturating_add(missing) > most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::virtual_module::clock;
    use crate::virtual_module::faults::Fault;

    /// However a stream is cut, its packets are found and its bytes are kept.
    #[test]
    fn packets_are_found_in_pieces_of_any_length() {
        let long = [&[0x30, 0xd0, 0x0f][..], &[7; 2000]].concat();
        let stream = [&[0x20, 2, 0, 0, 0x40, 2, 0, 1, 0xd0, 0][..], &long, &[0x90, 3, 0, 1, 0]].concat();
        for size in 1..stream.len() {
            let (mut splitter, mut kinds, mut passed) = (Splitter::default(), Vec::new(), Vec::new());
            for piece in stream.chunks(size) {
                splitter.split(piece, false, |kind, bytes| {
                    kinds.extend(kind);
                    passed.extend_from_slice(bytes);
                });
            }
            assert_eq!(vec![Kind::Connack, Kind::Puback, Kind::Pingresp, Kind::Publish, Kind::Suback], kinds, "{size}");
            assert_eq!(stream, passed, "{size}");
        }
    }

    #[test]
    fn a_link_cut_at_a_byte_passes_what_came_before_however_it_ends() {
        let dialect = crate::dialect::catalogue().get("lte_standard_a").expect("a dialect");
        let connack_and_more = [0x20, 2, 0, 0, 0x40, 2, 0, 1];
        for (how, ended) in [("reset", Some(LostBy::PeerReset)), ("close", Some(LostBy::PeerClosed)), ("silence", None)]
        {
            let mut faults = Faults::default();
            let fault = format!("link_cut:after=4,direction=in,how={how}");
            faults.inject(Fault::parse(&fault, dialect).expect("a fault"));
            let (passed, end) = Wire::default().carry(&mut faults, Way::In, &connack_and_more, clock::now());
            assert_eq!((&connack_and_more[..4], ended), (&passed[..], end), "{how}");
        }
    }

    #[test]
    fn what_is_no_packet_passes_untouched() {
        let nonsense = [0x90, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 0x40, 2, 0, 1];
        let (mut splitter, mut passed) = (Splitter::default(), Vec::new());
        splitter.split(&nonsense, false, |_, bytes| passed.extend_from_slice(bytes));
        splitter.split(&nonsense, false, |_, bytes| passed.extend_from_slice(bytes));
        assert_eq!([nonsense, nonsense].concat(), passed);
    }
}
