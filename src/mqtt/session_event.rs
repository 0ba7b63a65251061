//! What a client's session says to its owner: events, messages, refusals. Plain values; the session makes them.

use std::fmt;

use super::packet::Qos;

/// What a session tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// The broker's answer to CONNECT. Any code but 0 leaves the session `Failed`.
    Connack {
        /// Level 4: the broker remembers this client.
        session_present: bool,
        /// 0: accepted.
        code: u8,
    },
    /// No CONNACK in time; the session is `Failed`.
    ConnectTimedOut,
    /// The broker's answer to SUBSCRIBE.
    Suback {
        /// Of the request.
        id: u16,
        /// One for each filter.
        codes: Vec<u8>,
    },
    /// The broker's answer to UNSUBSCRIBE.
    Unsuback {
        /// Of the request.
        id: u16,
    },
    /// A message has left for good: at once at quality 0, after the last acknowledgement otherwise.
    Published {
        /// As given to `publish`; 0 when none was.
        id: u16,
        /// Its quality.
        qos: Qos,
    },
    /// A packet was sent again.
    Resent {
        /// What for.
        kind: RequestKind,
        /// Of the request.
        id: u16,
        /// Which repetition: 1 is the first.
        count: u32,
    },
    /// A request was sent often enough; it is forgotten and the connection lives on.
    GaveUp {
        /// What for.
        kind: RequestKind,
        /// Of the request.
        id: u16,
    },
    /// A message for this client. At quality 1 and 2 the owner owes `acknowledge`.
    Message(IncomingMessage),
    /// No PINGRESP in time; the session is `Failed`.
    PingTimedOut,
    /// The broker broke the protocol; the session is `Failed`.
    ProtocolError(String),
}

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// A message.
    Publish,
    /// Topics wanted.
    Subscribe,
    /// Topics no longer wanted.
    Unsubscribe,
}

/// A message from the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingMessage {
    /// Where it was published.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// Its quality.
    pub qos: Qos,
    /// Whether the broker had kept it.
    pub retain: bool,
    /// Whether it may have come before.
    pub dup: bool,
    /// The broker's packet identifier; none at quality 0.
    pub id: Option<u16>,
    /// Which connection it came on: an acknowledgement goes nowhere else.
    pub(super) connection: u32,
}

/// Why a session does not do what was asked. Nothing has been sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no MQTT connection.
    NotConnected,
    /// There is one already, or one is being made.
    AlreadyConnected,
    /// Quality 1 and 2 and requests need an identifier other than 0.
    IdZero,
    /// The identifier still awaits an answer.
    IdInUse(u16),
    /// As many messages as the window allows await an answer.
    WindowFull(usize),
    /// A topic or filter that MQTT does not know.
    InvalidTopic(String),
    /// No topic at all.
    NoTopic,
    /// Longer than MQTT can say.
    TooLarge(usize),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::NotConnected => write!(f, "the client is not connected to a broker"),
            Refused::AlreadyConnected => write!(f, "the client is connected or connecting already"),
            Refused::IdZero => write!(f, "packet identifier 0 is allowed at QoS 0 only"),
            Refused::IdInUse(id) => write!(f, "packet identifier {id} still awaits its acknowledgement"),
            Refused::WindowFull(window) => write!(f, "{window} messages already await their acknowledgement"),
            Refused::InvalidTopic(topic) => write!(f, "{topic:?} is no topic MQTT knows"),
            Refused::NoTopic => write!(f, "no topic was given"),
            Refused::TooLarge(size) => write!(f, "{size} bytes are more than MQTT can carry"),
        }
    }
}

impl std::error::Error for Refused {}
