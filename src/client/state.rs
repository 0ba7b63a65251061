//! The states of one client, by the words of the state machine of its family, and what moves it from one to the next.

use std::fmt;

use crate::dialect::schema::Family;
use crate::proto::Op;

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

    /// The state while this is under way.
    pub fn during(self, op: Op) -> ClientState {
        match op {
            Op::Open => ClientState::Opening,
            Op::Connect => ClientState::Connecting,
            Op::Disconnect => ClientState::Disconnecting,
            Op::Close => ClientState::Closing,
            _ => self,
        }
    }

    /// The state after this ended with this code; `before` is the state it started from.
    pub fn after(before: ClientState, op: Op, outcome: Outcome, family: Family) -> ClientState {
        match (op, outcome, family) {
            (Op::Open, Outcome::Done, _) => ClientState::Open,
            // Code 2, "identifier occupied": the old connection is untouched.
            (Op::Open, Outcome::Failed(2), _) => before,
            (Op::Open, Outcome::Failed(_), _) => ClientState::Closed,
            (Op::Connect, Outcome::Done, _) => ClientState::Connected,
            (Op::Connect, Outcome::Failed(_), Family::Qmt) => ClientState::Closed,
            (Op::Connect, Outcome::Failed(_), Family::Cmqtt) => ClientState::Open,
            (Op::Disconnect, Outcome::Done, Family::Qmt) => ClientState::Disconnected,
            (Op::Disconnect, Outcome::Done, Family::Cmqtt) => ClientState::Open,
            (Op::Close, Outcome::Done, _) => ClientState::Closed,
            (Op::Acquire, Outcome::Done, _) => ClientState::Open,
            (Op::Release | Op::Stop, Outcome::Done, _) => ClientState::Closed,
            _ => before,
        }
    }

    /// The state after the module reported the connection lost.
    pub fn after_loss(family: Family) -> ClientState {
        match family {
            Family::Qmt => ClientState::Closed,
            Family::Cmqtt => ClientState::Open,
        }
    }

    /// Whether a socket is there, as far as we know.
    pub fn is_up(self) -> bool {
        matches!(self, ClientState::Open | ClientState::Connecting | ClientState::Connected)
    }

    /// Whether a loss in this state is news: it is not while the client is being taken down.
    pub fn can_lose(self) -> bool {
        self.is_up()
    }
}

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Done,
    /// With this code.
    Failed(i32),
}

impl fmt::Display for ClientState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_connect_leaves_a_quectel_client_closed_and_a_simcom_client_acquired() {
        let after = |family| ClientState::after(ClientState::Open, Op::Connect, Outcome::Failed(1), family);
        assert_eq!(ClientState::Closed, after(Family::Qmt));
        assert_eq!(ClientState::Open, after(Family::Cmqtt));
    }

    #[test]
    fn an_occupied_identifier_changes_nothing() {
        let after = ClientState::after(ClientState::Connected, Op::Open, Outcome::Failed(2), Family::Qmt);
        assert_eq!(ClientState::Connected, after);
    }
}
