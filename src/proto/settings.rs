//! The settings that change what is on the wire. They follow accepted commands; `te` does that.

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
    client_len: [Option<bool>; 8],
    client_hex: [Option<bool>; 8],
}

impl Default for Settings {
    /// Echo off, words, no length, text: what the host side sets up.
    fn default() -> Settings {
        Settings { echo: false, verbose: true, len: false, hex: false, client_len: [None; 8], client_hex: [None; 8] }
    }
}

impl Settings {
    /// Whether the messages of this client carry a length.
    pub fn len_of(&self, client: u8) -> bool {
        self.client_len.get(usize::from(client)).copied().flatten().unwrap_or(self.len)
    }

    /// Whether the payloads of this client are hexadecimal.
    pub fn hex_of(&self, client: u8) -> bool {
        self.client_hex.get(usize::from(client)).copied().flatten().unwrap_or(self.hex)
    }

    /// Sets the length report of one client.
    pub fn set_len(&mut self, client: u8, len: bool) {
        if let Some(slot) = self.client_len.get_mut(usize::from(client)) {
            *slot = Some(len);
        }
    }

    /// Sets hexadecimal output of one client.
    pub fn set_hex(&mut self, client: u8, hex: bool) {
        if let Some(slot) = self.client_hex.get_mut(usize::from(client)) {
            *slot = Some(hex);
        }
    }

    /// After a restart: what is not saved over power-down is at its default.
    pub fn restarted(&mut self) {
        *self = Settings { echo: self.echo, verbose: self.verbose, ..Settings::default() };
    }
}
