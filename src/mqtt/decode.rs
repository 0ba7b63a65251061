//! Bytes to packets, as strict as the level is.
//!
//! Level 4 (3.1.1) is taken at its word: every reserved bit counts. Level 3 allows what 3.1 allows: DUP on SUBSCRIBE,
//! UNSUBSCRIBE and PUBREL, DUP at quality 0, and in CONNECT a reserved bit, will bits without a will, and user-name bits
//! without the strings (3.1 §3.1: the remaining length takes precedence), and any reserved byte in CONNACK, which brokers
//! do fill. Everything accepted encodes to the same bytes again, but for those liberties of level 3's CONNECT and CONNACK.

use std::fmt;

use super::encode::carries_request_flags;
use super::packet::Connect;
use super::packet::Kind;
use super::packet::Level;
use super::packet::Packet;
use super::packet::Publish;
use super::packet::Qos;
use super::packet::Will;
use super::rule::Rule;
use super::topic::valid_filter;
use super::topic::valid_topic;

/// Why bytes are no packet. A decoder that said so once says so for ever: the stream has no next packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// A CONNECT of a version nobody here speaks; a broker answers it with CONNACK 1.
    UnknownLevel {
        /// Protocol name.
        name: String,
        /// Level byte.
        level: u8,
    },
    /// Longer than the receiver allows.
    TooLarge {
        /// Bytes of the packet, header included.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A rule of the standard is broken.
    Malformed {
        /// In what sort of packet; none when the first byte names none.
        kind: Option<Kind>,
        /// Which rule.
        rule: Rule,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::UnknownLevel { name, level } => {
                write!(f, "CONNECT names protocol {name:?} level {level}; known are MQIsdp 3 and MQTT 4")
            }
            DecodeError::TooLarge { size, limit } => write!(f, "a packet of {size} bytes; allowed are {limit}"),
            DecodeError::Malformed { kind: Some(kind), rule } => {
                write!(f, "malformed {}: {}", kind.name(), rule.text())
            }
            DecodeError::Malformed { kind: None, rule } => write!(f, "malformed packet: {}", rule.text()),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Cuts a stream of bytes into packets.
#[derive(Debug)]
pub struct Decoder {
    level: Option<Level>,
    limit: usize,
    buffer: Vec<u8>,
    read: usize,
    failed: Option<DecodeError>,
}

impl Decoder {
    /// Reads at this level; `None` until a CONNECT says which (a broker's end).
    pub fn new(level: Option<Level>) -> Decoder {
        Decoder { level, limit: usize::MAX, buffer: Vec::new(), read: 0, failed: None }
    }

    /// Refuses packets of more than `limit` bytes before they have arrived.
    pub fn with_limit(mut self, limit: usize) -> Decoder {
        self.limit = limit;
        self
    }

    /// Takes what came.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.read == self.buffer.len() {
            self.buffer.clear();
            self.read = 0;
        } else if self.read > 64 * 1024 {
            self.buffer.drain(..self.read);
            self.read = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole packet, if it has arrived.
    pub fn next_packet(&mut self) -> Result<Option<Packet>, DecodeError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let outcome = self.cut();
        if let Err(error) = &outcome {
            self.failed = Some(error.clone());
        }
        outcome
    }

    /// The level, once it is known.
    pub fn level(&self) -> Option<Level> {
        self.level
    }

    /// Bytes that are not yet a packet.
    pub fn pending(&self) -> usize {
        self.buffer.len() - self.read
    }

    fn cut(&mut self) -> Result<Option<Packet>, DecodeError> {
        let waiting = &self.buffer[self.read..];
        let Some(&first) = waiting.first() else { return Ok(None) };
        let Some(kind) = Kind::from_byte(first >> 4) else {
            return Err(DecodeError::Malformed { kind: None, rule: Rule::ReservedType });
        };
        let Some((length, header)) = remaining_length(kind, &waiting[1..])? else { return Ok(None) };
        let size = 1 + header + length;
        if size > self.limit {
            return Err(DecodeError::TooLarge { size, limit: self.limit });
        }
        if waiting.len() < size {
            return Ok(None);
        }
        let level = self.level.unwrap_or(Level::V311);
        let packet = Body { kind, level, rest: &waiting[1 + header..size] }.packet(first & 0x0f)?;
        if let Packet::Connect(connect) = &packet {
            self.level.get_or_insert(connect.level);
        }
        self.read += size;
        Ok(Some(packet))
    }
}

/// The length and how many bytes it took; `None` while it is cut off.
fn remaining_length(kind: Kind, bytes: &[u8]) -> Result<Option<(usize, usize)>, DecodeError> {
    let malformed = |rule| DecodeError::Malformed { kind: Some(kind), rule };
    let mut length = 0;
    for (index, &byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            if byte == 0 && index > 0 {
                return Err(malformed(Rule::LengthPadded));
            }
            return Ok(Some((length, index + 1)));
        }
    }
    if bytes.len() >= 4 {
        return Err(malformed(Rule::LengthTooLong));
    }
    Ok(None)
}

/// What follows the fixed header, and how far it has been read.
struct Body<'a> {
    kind: Kind,
    level: Level,
    rest: &'a [u8],
}

impl<'a> Body<'a> {
    fn packet(mut self, flags: u8) -> Result<Packet, DecodeError> {
        let dup = self.check_flags(flags)?;
        let packet = match self.kind {
            Kind::Connect => Packet::Connect(self.connect()?),
            Kind::Connack => self.connack()?,
            Kind::Publish => return self.publish(flags),
            Kind::Puback => Packet::Puback { id: self.id()? },
            Kind::Pubrec => Packet::Pubrec { id: self.id()? },
            Kind::Pubrel => Packet::Pubrel { id: self.id()?, dup },
            Kind::Pubcomp => Packet::Pubcomp { id: self.id()? },
            Kind::Subscribe => self.subscribe(dup)?,
            Kind::Suback => self.suback()?,
            Kind::Unsubscribe => self.unsubscribe(dup)?,
            Kind::Unsuback => Packet::Unsuback { id: self.id()? },
            Kind::Pingreq => Packet::Pingreq,
            Kind::Pingresp => Packet::Pingresp,
            Kind::Disconnect => Packet::Disconnect,
        };
        if self.rest.is_empty() { Ok(packet) } else { Err(self.malformed(Rule::TooLong)) }
    }

    /// Checks the low half of the first byte; the answer is DUP of a request.
    fn check_flags(&self, flags: u8) -> Result<bool, DecodeError> {
        if self.kind == Kind::Publish {
            return Ok(false);
        }
        if !carries_request_flags(self.kind) {
            return if flags == 0 { Ok(false) } else { Err(self.malformed(Rule::FlagsNotZero)) };
        }
        match (flags, self.level) {
            (0b0010, _) => Ok(false),
            (0b1010, Level::V31) => Ok(true),
            (0b1010, Level::V311) => Err(self.malformed(Rule::DupOfRequest)),
            _ => Err(self.malformed(Rule::FlagsNotTwo)),
        }
    }

    fn connect(&mut self) -> Result<Connect, DecodeError> {
        let name = self.string()?;
        let byte = self.byte()?;
        let Some(level) = Level::from_wire(&name, byte) else {
            return Err(DecodeError::UnknownLevel { name, level: byte });
        };
        let strict = level == Level::V311;
        let flags = self.byte()?;
        if strict && flags & 1 != 0 {
            return Err(self.malformed(Rule::ConnectReserved));
        }
        let has_will = flags & 0b100 != 0;
        if strict && !has_will && flags & 0b11_1000 != 0 {
            return Err(self.malformed(Rule::WillFlags));
        }
        let (has_username, has_password) = (flags & 0x80 != 0, flags & 0x40 != 0);
        if has_password && !has_username {
            return Err(self.malformed(Rule::PasswordAlone));
        }
        let keep_alive = self.number()?;
        let client_id = self.string()?;
        let will = if has_will {
            let Some(qos) = Qos::from_byte(flags >> 3 & 3) else { return Err(self.malformed(Rule::WillQos)) };
            let topic = self.string()?;
            if !valid_topic(&topic) {
                return Err(self.malformed(Rule::WillTopic));
            }
            Some(Will { topic, payload: self.bytes()?.to_vec(), qos, retain: flags & 0x20 != 0 })
        } else {
            None
        };
        let missing = |body: &Body<'_>| !strict && body.rest.is_empty();
        let username = if has_username && !missing(self) { Some(self.string()?) } else { None };
        let password = if has_password && !missing(self) { Some(self.bytes()?.to_vec()) } else { None };
        let clean_session = flags & 0b10 != 0;
        Ok(Connect { level, client_id, clean_session, keep_alive, will, username, password })
    }

    fn connack(&mut self) -> Result<Packet, DecodeError> {
        let (flags, code) = (self.byte()?, self.byte()?);
        // Level 3 reserves the byte, and brokers set it all the same: it is read and means nothing.
        match (flags, self.level) {
            (0, _) => Ok(Packet::Connack { session_present: false, code }),
            (1, Level::V311) if code == 0 => Ok(Packet::Connack { session_present: true, code }),
            (1, Level::V311) => Err(self.malformed(Rule::PresentInRefusal)),
            (_, Level::V311) => Err(self.malformed(Rule::ConnackReserved)),
            (_, Level::V31) => Ok(Packet::Connack { session_present: false, code }),
        }
    }

    fn publish(mut self, flags: u8) -> Result<Packet, DecodeError> {
        let Some(qos) = Qos::from_byte(flags >> 1 & 3) else { return Err(self.malformed(Rule::PublishQos)) };
        let dup = flags & 0b1000 != 0;
        if dup && qos == Qos::AtMostOnce && self.level == Level::V311 {
            return Err(self.malformed(Rule::PublishDup));
        }
        let topic = self.string()?;
        if !valid_topic(&topic) {
            return Err(self.malformed(Rule::TopicWildcard));
        }
        let id = if qos == Qos::AtMostOnce { None } else { Some(self.id()?) };
        let payload = self.rest.to_vec();
        Ok(Packet::Publish(Publish { dup, qos, retain: flags & 1 != 0, topic, id, payload }))
    }

    fn subscribe(&mut self, dup: bool) -> Result<Packet, DecodeError> {
        let id = self.id()?;
        let mut filters = Vec::new();
        while !self.rest.is_empty() {
            let filter = self.filter()?;
            let Some(qos) = Qos::from_byte(self.byte()?) else {
                return Err(self.malformed(Rule::SubscribeQos));
            };
            filters.push((filter, qos));
        }
        if filters.is_empty() {
            return Err(self.malformed(Rule::SubscribeEmpty));
        }
        Ok(Packet::Subscribe { id, dup, filters })
    }

    fn suback(&mut self) -> Result<Packet, DecodeError> {
        let id = self.id()?;
        let codes = std::mem::take(&mut self.rest).to_vec();
        // MQTT 3.1 has no code for a refusal; servers send 128 all the same, and modules that speak 3.1 report it.
        let legal = |code: &u8| *code <= 2 || *code == 0x80;
        if codes.is_empty() || !codes.iter().all(legal) {
            return Err(self.malformed(Rule::SubackCode));
        }
        Ok(Packet::Suback { id, codes })
    }

    fn unsubscribe(&mut self, dup: bool) -> Result<Packet, DecodeError> {
        let id = self.id()?;
        let mut filters = Vec::new();
        while !self.rest.is_empty() {
            filters.push(self.filter()?);
        }
        if filters.is_empty() {
            return Err(self.malformed(Rule::UnsubscribeEmpty));
        }
        Ok(Packet::Unsubscribe { id, dup, filters })
    }

    fn filter(&mut self) -> Result<String, DecodeError> {
        let filter = self.string()?;
        if valid_filter(&filter) { Ok(filter) } else { Err(self.malformed(Rule::FilterForm)) }
    }

    fn id(&mut self) -> Result<u16, DecodeError> {
        match self.number()? {
            0 => Err(self.malformed(Rule::IdZero)),
            id => Ok(id),
        }
    }

    fn string(&mut self) -> Result<String, DecodeError> {
        let bytes = self.bytes()?;
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Ok(text.to_owned()),
            Ok(_) => Err(self.malformed(Rule::Nul)),
            Err(_) => Err(self.malformed(Rule::NotUtf8)),
        }
    }

    fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = usize::from(self.number()?);
        self.take(length)
    }

    fn number(&mut self) -> Result<u16, DecodeError> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.malformed(Rule::TooShort)),
        }
    }

    fn malformed(&self, rule: Rule) -> DecodeError {
        DecodeError::Malformed { kind: Some(self.kind), rule }
    }
}
