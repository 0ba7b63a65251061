//! Packets of MQTT that are lost or changed between a module's session and its connection. What is no packet, or says
//! nothing of the kind, passes. Driven by [`Wire`](super::Wire), which has acknowledgements lost by itself.

use crate::mqtt::Decoder;
use crate::mqtt::Kind;
use crate::mqtt::Level;
use crate::mqtt::Packet;
use crate::mqtt::Qos;
use crate::mqtt::encode;
use crate::virtual_module::faults::Active;
use crate::virtual_module::faults::Effect;
use crate::virtual_module::faults::Faults;
use crate::virtual_module::faults::Way;

/// The effects of this file.
const EFFECTS: &[Effect] = &[Effect::LosePacket, Effect::ChangePacket];

/// The packets that `kind` names: those that acknowledge nothing; `publish_again` is one with DUP set.
pub(super) const LOSABLE: &[&str] =
    &["connect", "publish", "publish_again", "subscribe", "unsubscribe", "pingreq", "disconnect"];

/// The fields that `field` names.
pub(super) const FIELDS: &[&str] = &[
    "connect.level",
    "connect.client_id",
    "connect.clean_session",
    "connect.keep_alive",
    "connect.username",
    "connect.password",
    "connect.will",
    "connect.will_topic",
    "connect.will_payload",
    "connect.will_qos",
    "connect.will_retain",
    "publish.dup",
    "publish.qos",
    "publish.retain",
    "publish.topic",
    "publish.payload",
    "publish.id",
    "subscribe.topic",
    "subscribe.qos",
    "unsubscribe.topic",
];

impl Faults {
    /// Whether packets must be seen whole.
    pub(super) fn read_packets(&mut self) -> bool {
        self.in_force(EFFECTS).next().is_some()
    }

    /// What becomes of a packet; `None`: it passes as it is.
    pub(super) fn packet(&mut self, way: Way, level: Level, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut packet = read(level, bytes)?;
        let mut changed = false;
        for active in self.in_force(EFFECTS).filter(|active| active.is_way(way.name())) {
            if active.text("topic").is_some_and(|topic| !speaks_of(&packet, topic)) {
                continue;
            }
            if active.effect() == Effect::LosePacket && is_kind(active, &packet) {
                active.happened(1, packet.kind().name());
                return Some(Vec::new());
            }
            let Some((field, value)) = active.text("field").zip(active.text("value")) else { continue };
            let before = packet.clone();
            if change(&mut packet, field, value).is_some() && packet != before {
                changed = true;
                active.happened(1, packet.kind().name());
            }
        }
        let level = if let Packet::Connect(connect) = &packet { connect.level } else { level };
        changed.then(|| {
            let mut bytes = Vec::new();
            encode(&packet, level, &mut bytes);
            bytes
        })
    }
}

/// Whether a field can be this.
pub(super) fn fits(field: &str, value: &str) -> bool {
    match field.rsplit('.').next() {
        Some("level") => matches!(value, "3" | "4"),
        Some("qos" | "will_qos") => qos(value).is_some(),
        Some("clean_session" | "will" | "will_retain" | "dup" | "retain") => matches!(value, "0" | "1"),
        Some("keep_alive" | "id") => value.parse::<u16>().is_ok(),
        _ => true,
    }
}

/// The version of the protocol that a CONNECT speaks.
pub(super) fn level_of(bytes: &[u8]) -> Option<Level> {
    match read(Level::V311, bytes)? {
        Packet::Connect(connect) => Some(connect.level),
        _ => None,
    }
}

fn read(level: Level, bytes: &[u8]) -> Option<Packet> {
    let is_connect = bytes.first()? >> 4 == Kind::Connect as u8;
    let mut decoder = Decoder::new((!is_connect).then_some(level));
    decoder.feed(bytes);
    decoder.next_packet().ok().flatten()
}

fn is_kind(active: &Active, packet: &Packet) -> bool {
    let again = matches!(packet, Packet::Publish(publish) if publish.dup);
    match active.text("kind") {
        Some("publish_again") => again,
        Some(kind) => kind.eq_ignore_ascii_case(packet.kind().name()),
        None => false,
    }
}

/// Whether a packet has this text in a topic, or a CONNECT in its client id.
fn speaks_of(packet: &Packet, text: &str) -> bool {
    match packet {
        Packet::Connect(connect) => {
            connect.client_id.contains(text) || connect.will.as_ref().is_some_and(|will| will.topic.contains(text))
        }
        Packet::Publish(publish) => publish.topic.contains(text),
        Packet::Subscribe { filters, .. } => filters.iter().any(|(topic, _)| topic.contains(text)),
        Packet::Unsubscribe { filters, .. } => filters.iter().any(|topic| topic.contains(text)),
        _ => false,
    }
}

fn qos(value: &str) -> Option<Qos> {
    value.parse().ok().and_then(Qos::from_byte)
}

/// Gives a field another value, where the packet has it and can have this value.
fn change(packet: &mut Packet, field: &str, value: &str) -> Option<()> {
    let (kind, field) = field.split_once('.')?;
    let text = || value.to_owned();
    let some = || (!value.is_empty()).then(text);
    match packet {
        Packet::Connect(connect) if kind == "connect" => match (field, &mut connect.will) {
            ("level", _) => connect.level = if value == "3" { Level::V31 } else { Level::V311 },
            ("client_id", _) => connect.client_id = text(),
            ("clean_session", _) => connect.clean_session = value == "1",
            ("keep_alive", _) => connect.keep_alive = value.parse().ok()?,
            ("username", _) => connect.username = some(),
            ("password", _) => connect.password = some().map(String::into_bytes),
            ("will", will) if value == "0" => *will = None,
            ("will_topic", Some(will)) => will.topic = text(),
            ("will_payload", Some(will)) => will.payload = text().into_bytes(),
            ("will_qos", Some(will)) => will.qos = qos(value)?,
            ("will_retain", Some(will)) => will.retain = value == "1",
            _ => return None,
        },
        Packet::Publish(publish) if kind == "publish" => match field {
            "dup" => publish.dup = value == "1",
            "qos" => {
                publish.qos = qos(value)?;
                // A message of quality 0 has no identifier, any other has one (MQTT 3.1.1, 2.3.1).
                publish.id = (publish.qos != Qos::AtMostOnce).then_some(publish.id.unwrap_or(u16::MAX));
            }
            "retain" => publish.retain = value == "1",
            "topic" => publish.topic = text(),
            "payload" => publish.payload = text().into_bytes(),
            _ => publish.id = Some(publish.id.and(value.parse().ok())?),
        },
        Packet::Subscribe { filters, .. } if kind == "subscribe" => {
            for (topic, wanted) in filters {
                match field {
                    "qos" => *wanted = qos(value)?,
                    _ => *topic = text(),
                }
            }
        }
        Packet::Unsubscribe { filters, .. } if kind == "unsubscribe" => {
            filters.iter_mut().for_each(|topic| *topic = text());
        }
        _ => return None,
    }
    Some(())
}
