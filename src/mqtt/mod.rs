//! MQTT 3.1 and 3.1.1 without IO: the codec, a client's session (the module's end), and a broker's core.
//!
//! Bytes and the present time go in, bytes and events come out; nothing here opens, waits or asks a clock. The virtual
//! module drives a [`ClientSession`], the bench broker a [`BrokerCore`]; both share one [`Decoder`] and one [`encode`].
//! It is no general client: packet identifiers are the caller's, and so are the rules of retransmission, because that
//! is what a host sees of a module. MQTT 5 is not here.

pub mod broker;
mod decode;
mod encode;
mod options;
mod packet;
mod requests;
mod rule;
mod session;
mod session_event;
#[cfg(test)]
mod test;
mod topic;

pub use broker::BrokerCore;
pub use broker::ConnectionId;
pub use broker::Direction;
pub use broker::Output;
pub use broker::Peer;
pub use broker::RecordedPacket;
pub use broker::Violation;
pub use broker::policy::AckAction;
pub use broker::policy::AckRule;
pub use broker::policy::ConnectRequest;
pub use broker::policy::CredentialCheck;
pub use broker::policy::Policy;
pub use decode::DecodeError;
pub use decode::Decoder;
pub use encode::encode;
pub use encode::encoded_len;
pub use options::ClientOptions;
pub use packet::Connect;
pub use packet::Kind;
pub use packet::Level;
pub use packet::Packet;
pub use packet::Publish;
pub use packet::Qos;
pub use packet::Will;
pub use rule::Rule;
pub use session::ClientSession;
pub use session::SessionState;
pub use session_event::ClientEvent;
pub use session_event::IncomingMessage;
pub use session_event::Refused;
pub use session_event::RequestKind;
pub use topic::filter_matches;
pub use topic::valid_filter;
pub use topic::valid_topic;

/// What a remaining length can say at most: four bytes of seven bits (MQTT 3.1.1 §2.2.3).
pub const MAX_REMAINING_LENGTH: usize = 268_435_455;
