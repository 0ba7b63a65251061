//! The states of one client, by the words of the state machine of its family.

use std::fmt;

/// Where a client stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClientState {
    /// No socket; for SIMCom: not acquired.
    #[default]
    Closed,
    /// The socket is being opened.
    Opening,
    /// Socket open, no MQTT session; for SIMCom: acquired.
    Open,
    /// The session is being set up.
    Connecting,
    /// In session.
    Connected,
    /// The session is being ended.
    Disconnecting,
    /// Session ended, socket not yet given back.
    Disconnected,
    /// The socket is being closed.
    Closing,
}

impl ClientState {
    /// The state's one name.
    pub fn name(self) -> &'static str {
        match self {
            ClientState::Closed => "closed",
            ClientState::Opening => "opening",
            ClientState::Open => "open",
            ClientState::Connecting => "connecting",
            ClientState::Connected => "connected",
            ClientState::Disconnecting => "disconnecting",
            ClientState::Disconnected => "disconnected",
            ClientState::Closing => "closing",
        }
    }
}

impl fmt::Display for ClientState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
