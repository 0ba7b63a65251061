//! The packets of MQTT 3.1 and 3.1.1 as plain values. Not their bytes: `encode` and `decode` know those.

/// A version of the protocol, as the byte in CONNECT names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// MQTT 3.1: `MQIsdp`, level 3. The modules' default.
    V31,
    /// MQTT 3.1.1: `MQTT`, level 4.
    V311,
}

impl Level {
    /// The protocol name in CONNECT.
    pub fn name(self) -> &'static str {
        match self {
            Level::V31 => "MQIsdp",
            Level::V311 => "MQTT",
        }
    }

    /// The level byte in CONNECT.
    pub fn byte(self) -> u8 {
        match self {
            Level::V31 => 3,
            Level::V311 => 4,
        }
    }

    /// The level with this name and byte.
    pub fn from_wire(name: &str, byte: u8) -> Option<Level> {
        [Level::V31, Level::V311].into_iter().find(|level| level.name() == name && level.byte() == byte)
    }
}

/// How often a message arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Qos {
    /// 0: at most once, never acknowledged.
    #[default]
    AtMostOnce,
    /// 1: at least once, acknowledged by PUBACK.
    AtLeastOnce,
    /// 2: exactly once, in four steps.
    ExactlyOnce,
}

impl Qos {
    /// The number on the wire.
    pub fn byte(self) -> u8 {
        match self {
            Qos::AtMostOnce => 0,
            Qos::AtLeastOnce => 1,
            Qos::ExactlyOnce => 2,
        }
    }

    /// The quality with this number.
    pub fn from_byte(byte: u8) -> Option<Qos> {
        match byte {
            0 => Some(Qos::AtMostOnce),
            1 => Some(Qos::AtLeastOnce),
            2 => Some(Qos::ExactlyOnce),
            _ => None,
        }
    }
}

/// What the broker publishes when a client vanishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// Where to.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// How often it arrives.
    pub qos: Qos,
    /// Whether the broker keeps it for later subscribers.
    pub retain: bool,
}

/// The first packet of a client.
#[derive(Clone, PartialEq, Eq)]
pub struct Connect {
    /// The version of the protocol the client speaks.
    pub level: Level,
    /// Who the client says it is.
    pub client_id: String,
    /// Whether an earlier session is forgotten.
    pub clean_session: bool,
    /// Seconds of silence after which the broker may give the client up, less half; 0: never.
    pub keep_alive: u16,
    /// What to publish when the client vanishes.
    pub will: Option<Will>,
    /// User name.
    pub username: Option<String>,
    /// Password; never without a user name.
    pub password: Option<Vec<u8>>,
}

impl std::fmt::Debug for Connect {
    /// The password stays out of every log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect")
            .field("level", &self.level)
            .field("client_id", &self.client_id)
            .field("clean_session", &self.clean_session)
            .field("keep_alive", &self.keep_alive)
            .field("will", &self.will)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .finish()
    }
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Sent before, perhaps.
    pub dup: bool,
    /// How often it arrives.
    pub qos: Qos,
    /// To a broker: keep it. From a broker: it was kept.
    pub retain: bool,
    /// Where to.
    pub topic: String,
    /// Packet identifier; present exactly when `qos` is not 0.
    pub id: Option<u16>,
    /// What.
    pub payload: Vec<u8>,
}

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// A client asks to be let in.
    Connect(Connect),
    /// The broker's answer.
    Connack {
        /// The broker remembers this client (3.1.1 only; reserved before).
        session_present: bool,
        /// 0: accepted; 1 to 5: refused.
        code: u8,
    },
    /// A message.
    Publish(Publish),
    /// A message of quality 1 has arrived.
    Puback {
        /// Of the PUBLISH.
        id: u16,
    },
    /// A message of quality 2 has arrived.
    Pubrec {
        /// Of the PUBLISH.
        id: u16,
    },
    /// The sender will not send that message again.
    Pubrel {
        /// Of the PUBLISH.
        id: u16,
        /// Sent before, perhaps; level 3 only.
        dup: bool,
    },
    /// The identifier is free again.
    Pubcomp {
        /// Of the PUBLISH.
        id: u16,
    },
    /// A client asks for messages.
    Subscribe {
        /// Packet identifier.
        id: u16,
        /// Sent before, perhaps; level 3 only.
        dup: bool,
        /// Topic filters, each with the highest quality wanted.
        filters: Vec<(String, Qos)>,
    },
    /// The broker's answer, a code for each filter.
    Suback {
        /// Of the SUBSCRIBE.
        id: u16,
        /// 0 to 2: the quality granted; 128: refused (level 4 only).
        codes: Vec<u8>,
    },
    /// A client wants no more of these.
    Unsubscribe {
        /// Packet identifier.
        id: u16,
        /// Sent before, perhaps; level 3 only.
        dup: bool,
        /// Topic filters, as subscribed.
        filters: Vec<String>,
    },
    /// The broker's answer.
    Unsuback {
        /// Of the UNSUBSCRIBE.
        id: u16,
    },
    /// A client asks whether the broker is there.
    Pingreq,
    /// It is.
    Pingresp,
    /// A client leaves; its will is forgotten.
    Disconnect,
}

/// What sort of packet; the number is the packet type on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs)] // The names are the standard's.
pub enum Kind {
    Connect = 1,
    Connack = 2,
    Publish = 3,
    Puback = 4,
    Pubrec = 5,
    Pubrel = 6,
    Pubcomp = 7,
    Subscribe = 8,
    Suback = 9,
    Unsubscribe = 10,
    Unsuback = 11,
    Pingreq = 12,
    Pingresp = 13,
    Disconnect = 14,
}

impl Kind {
    /// All, in the order of their numbers.
    pub const ALL: [Kind; 14] = [
        Kind::Connect,
        Kind::Connack,
        Kind::Publish,
        Kind::Puback,
        Kind::Pubrec,
        Kind::Pubrel,
        Kind::Pubcomp,
        Kind::Subscribe,
        Kind::Suback,
        Kind::Unsubscribe,
        Kind::Unsuback,
        Kind::Pingreq,
        Kind::Pingresp,
        Kind::Disconnect,
    ];

    /// The sort with this number; 0 and 15 are reserved.
    pub fn from_byte(byte: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }

    /// The standard's name, in capitals.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Connect => "CONNECT",
            Kind::Connack => "CONNACK",
            Kind::Publish => "PUBLISH",
            Kind::Puback => "PUBACK",
            Kind::Pubrec => "PUBREC",
            Kind::Pubrel => "PUBREL",
            Kind::Pubcomp => "PUBCOMP",
            Kind::Subscribe => "SUBSCRIBE",
            Kind::Suback => "SUBACK",
            Kind::Unsubscribe => "UNSUBSCRIBE",
            Kind::Unsuback => "UNSUBACK",
            Kind::Pingreq => "PINGREQ",
            Kind::Pingresp => "PINGRESP",
            Kind::Disconnect => "DISCONNECT",
        }
    }

    /// The sort with this name, however it is capitalised.
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

impl Packet {
    /// What sort of packet this is.
    pub fn kind(&self) -> Kind {
        match self {
            Packet::Connect(_) => Kind::Connect,
            Packet::Connack { .. } => Kind::Connack,
            Packet::Publish(_) => Kind::Publish,
            Packet::Puback { .. } => Kind::Puback,
            Packet::Pubrec { .. } => Kind::Pubrec,
            Packet::Pubrel { .. } => Kind::Pubrel,
            Packet::Pubcomp { .. } => Kind::Pubcomp,
            Packet::Subscribe { .. } => Kind::Subscribe,
            Packet::Suback { .. } => Kind::Suback,
            Packet::Unsubscribe { .. } => Kind::Unsubscribe,
            Packet::Unsuback { .. } => Kind::Unsuback,
            Packet::Pingreq => Kind::Pingreq,
            Packet::Pingresp => Kind::Pingresp,
            Packet::Disconnect => Kind::Disconnect,
        }
    }

    /// Its packet identifier, where it has one.
    pub fn id(&self) -> Option<u16> {
        match self {
            Packet::Publish(publish) => publish.id,
            Packet::Puback { id }
            | Packet::Pubrec { id }
            | Packet::Pubrel { id, .. }
            | Packet::Pubcomp { id }
            | Packet::Subscribe { id, .. }
            | Packet::Suback { id, .. }
            | Packet::Unsubscribe { id, .. }
            | Packet::Unsuback { id } => Some(*id),
            _ => None,
        }
    }
}
