//! How long an answer may take: the catalogue's times, with the settings this client has.

use std::time::Duration;

use crate::engine::port::Port;
use crate::engine::value::Value;

/// For commands of which no document prints a time and that wait for no network.
const UNDOCUMENTED: Duration = Duration::from_secs(10);

/// For those that do: the longest `optimeout` of SIM7028 (section 3.2.15), and a margin. A TLS handshake over NB-IoT takes
/// up to 45 s (FIELD F22).
const UNDOCUMENTED_NETWORK: Duration = Duration::from_secs(125);

impl Port {
    /// The documented maximum of a command for this client.
    pub fn documented_maximum(&self, name: &str, client: Option<u8>) -> Option<Duration> {
        let dialect = self.dialect.get()?;
        dialect.documented_maximum(name, &|setting| self.known_setting(client, setting))
    }

    /// How long the host waits where the caller gave no time.
    pub fn patience(&self, name: &str, client: Option<u8>) -> Duration {
        let dialect = self.dialect.get();
        let deadline =
            dialect.and_then(|dialect| dialect.deadline(name, &|setting| self.known_setting(client, setting)));
        let networked =
            dialect.and_then(|dialect| dialect.command(name)).is_some_and(|command| !command.result.is_empty());
        deadline.unwrap_or(if networked { UNDOCUMENTED_NETWORK } else { UNDOCUMENTED })
    }

    fn known_setting(&self, client: Option<u8>, setting: &str) -> Option<i64> {
        let slot = self.clients.get(usize::from(client?))?;
        match slot.facts.lock().known.get(setting) {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        }
    }
}
