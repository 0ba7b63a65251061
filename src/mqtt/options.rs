//! How a client behaves, and the CONNECT that follows from it. Not what it does: that is the session.

use std::time::Duration;

use super::MAX_REMAINING_LENGTH;
use super::packet::Connect;
use super::packet::Level;
use super::packet::Packet;
use super::packet::Will;
use super::session_event::Refused;
use super::topic::valid_topic;

/// How a client behaves. Times are as the session sees them: a virtual module that runs fast divides them first.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Version of the protocol.
    pub level: Level,
    /// Who the client says it is.
    pub client_id: String,
    /// Whether both ends forget an earlier session.
    pub clean_session: bool,
    /// Longest silence of this end before it asks for a sign of life; zero: never.
    pub keep_alive: Duration,
    /// What CONNECT promises as keep-alive, in seconds; `None`: `keep_alive` rounded up.
    pub keep_alive_s: Option<u16>,
    /// What the broker publishes when this client vanishes.
    pub will: Option<Will>,
    /// User name.
    pub username: Option<String>,
    /// Password; sent only with a user name.
    pub password: Option<Vec<u8>>,
    /// How long an acknowledgement, or CONNACK, may take.
    pub packet_timeout: Duration,
    /// How often a packet is sent again before it is given up.
    pub retry_times: u32,
    /// How long PINGRESP may take.
    pub ping_timeout: Duration,
    /// Most messages of quality 1 and 2 in flight.
    pub window: usize,
    /// Whether an acknowledgement that nothing awaits ends the connection; else it is ignored.
    pub strict: bool,
    /// Largest packet accepted from the broker.
    pub max_packet: usize,
}

impl Default for ClientOptions {
    /// The documents' defaults: 3.1, clean, 120 s, 5 s a packet, three retries, window 5.
    fn default() -> ClientOptions {
        ClientOptions {
            level: Level::V31,
            client_id: String::new(),
            clean_session: true,
            keep_alive: Duration::from_secs(120),
            keep_alive_s: None,
            will: None,
            username: None,
            password: None,
            packet_timeout: Duration::from_secs(5),
            retry_times: 3,
            ping_timeout: Duration::from_secs(5),
            window: 5,
            strict: false,
            max_packet: MAX_REMAINING_LENGTH,
        }
    }
}

impl ClientOptions {
    /// The CONNECT these options make, if MQTT can say it.
    pub(super) fn connect_packet(&self) -> Result<Packet, Refused> {
        let strings = [Some(&self.client_id), self.username.as_ref(), self.will.as_ref().map(|will| &will.topic)];
        let bytes = [self.password.as_ref(), self.will.as_ref().map(|will| &will.payload)];
        let lengths = strings.into_iter().flatten().map(String::len).chain(bytes.into_iter().flatten().map(Vec::len));
        if let Some(length) = lengths.max().filter(|length| *length > usize::from(u16::MAX)) {
            return Err(Refused::TooLarge(length));
        }
        if let Some(will) = self.will.as_ref().filter(|will| !valid_topic(&will.topic)) {
            return Err(Refused::InvalidTopic(will.topic.clone()));
        }
        Ok(Packet::Connect(Connect {
            level: self.level,
            client_id: self.client_id.clone(),
            clean_session: self.clean_session,
            keep_alive: self.keep_alive_s.unwrap_or_else(|| whole_seconds(self.keep_alive)),
            will: self.will.clone(),
            username: self.username.clone(),
            password: self.password.clone(),
        }))
    }
}

fn whole_seconds(time: Duration) -> u16 {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    u16::try_from(seconds).unwrap_or(u16::MAX)
}
