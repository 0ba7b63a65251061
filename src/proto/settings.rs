//! The settings that change what is on the wire. They follow accepted commands; `te` does that.

use crate::proto::grammar::Setting;

/// No module has more clients.
const CLIENTS: usize = 8;

/// Settings of one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Echo of command lines and payloads (ATE1).
    pub echo: bool,
    /// Result codes as words (ATV1).
    pub verbose: bool,
    /// Received messages carry the length of their payload, for every client that has no setting of its own.
    pub len: bool,
    /// Received payloads are hexadecimal, for every client that has no setting of its own.
    pub hex: bool,
    clients: [[Option<bool>; CLIENTS]; Setting::COUNT],
}

impl Default for Settings {
    /// Echo off, words, no length, text: what the host side sets up.
    fn default() -> Settings {
        Settings { echo: false, verbose: true, len: false, hex: false, clients: Default::default() }
    }
}

impl Settings {
    /// Whether this is on for a client.
    pub fn of(&self, what: Setting, client: u8) -> bool {
        let own = self.clients[what as usize].get(usize::from(client)).copied().flatten();
        own.unwrap_or(match what {
            Setting::Length => self.len,
            Setting::Hex => self.hex,
            Setting::TypedHex | Setting::TypedShown => false,
        })
    }

    /// Switches it on or off for a client.
    pub fn set(&mut self, what: Setting, client: u8, on: bool) {
        if let Some(slot) = self.clients[what as usize].get_mut(usize::from(client)) {
            *slot = Some(on);
        }
    }

    /// After a restart: what is not saved over power-down is at its default.
    pub fn restarted(&mut self) {
        *self = Settings { echo: self.echo, verbose: self.verbose, ..Settings::default() };
    }
}
