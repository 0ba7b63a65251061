//! How a port is opened, and what the module behind it says of itself.

use std::path::PathBuf;

/// How a port is opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Bits per second; real ports and RFC 2217 only.
    pub baud: u32,
    /// The dialect; detected where not given.
    pub dialect: Option<String>,
    /// Where the transcript goes; a directory gets a file named after port and time.
    pub transcript: Option<PathBuf>,
    /// The name shown in errors and in `Modem::port` (`virtual:ecx00u_egx00u`); the target where not given.
    pub shown_as: Option<String>,
    /// How many messages each client keeps for its reader before the oldest are dropped.
    pub message_queue: usize,
    /// How many events each subscriber keeps.
    pub event_queue: usize,
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions {
            baud: 115_200,
            dialect: None,
            transcript: None,
            shown_as: None,
            message_queue: 1 << 20,
            event_queue: 4096,
        }
    }
}

/// What a module says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// `Quectel`
    pub manufacturer: String,
    /// `EC200U`
    pub model: String,
    /// Firmware.
    pub revision: String,
    /// Serial number of the radio; empty where the module does not say.
    pub imei: String,
    /// Which of the five documents describes it.
    pub dialect: String,
}

/// What a port carries, as far as its bytes tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortKind {
    /// A module answers AT commands at this speed.
    At {
        /// Bits per second.
        baud: u32,
        /// Who answers.
        identity: Identity,
    },
    /// Positions (`$GNGGA…`): the module's NMEA interface.
    Nmea,
    /// Framed binary without being asked: the diagnostic interface.
    Diagnostic,
    /// Something sends, but neither AT, nor NMEA, nor a diagnostic protocol.
    Unknown,
    /// Nothing answers at any speed tried.
    Silent,
}

/// A serial port of this computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortEntry {
    /// `/dev/ttyUSB2`
    pub path: String,
    /// `Quectel EC200U`, where the adapter says so.
    pub description: String,
    /// USB vendor and product, `2c7c:0901`.
    pub usb: Option<String>,
    /// USB serial number.
    pub serial_number: Option<String>,
    /// The names below `/dev/serial`.
    pub links: Vec<String>,
    /// Who holds it, where known.
    pub holder: Option<String>,
}

/// What happened on a port since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Bytes written.
    pub bytes_sent: u64,
    /// Bytes read.
    pub bytes_received: u64,
    /// Command lines sent; the queries that bring the port back in step do not count.
    pub commands: u64,
    /// Messages received from brokers.
    pub messages: u64,
    /// Messages dropped because nobody took them: the oldest go when a client's queue is full.
    pub messages_dropped: u64,
    /// Events dropped because a subscriber did not take them.
    pub events_dropped: u64,
    /// Results that came for a request nobody waited for any more, or came twice (FIELD F5).
    pub stale: u64,
    /// Final results (`OK`, `ERROR`) that belong to no command (FIELD F5).
    pub surplus: u64,
    /// Lines that meant nothing here: noise of a boot loader, a stray prompt, the end of a line that was damaged.
    pub ignored: u64,
    /// Results and messages that could not be recovered from their line (FIELD F10, F11).
    pub damaged: u64,
    /// Lines given up because they had no end within 64 KiB.
    pub overflowed: u64,
    /// Commands that got no answer, and requests that got no result, in time.
    pub timeouts: u64,
    /// Times it was established anew whose line is whose, after a time-out or a missing `OK` (FIELD F1).
    pub resynchronised: u64,
    /// Restarts of the module, and times it switched itself off (FIELD F7).
    pub restarts: u64,
}
