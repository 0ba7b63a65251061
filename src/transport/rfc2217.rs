//! `rfc2217://host:port`: a serial port behind a Telnet server with COM-PORT-OPTION (RFC 2217), the client's half.
//!
//! Only what a module needs: binary both ways, the speed, 8N1, no flow control. Answers of the server are read and dropped;
//! whether it took the speed shows when the module answers.

use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::RawFd;
use std::time::Duration;

use parking_lot::Mutex;

use crate::transport::Transport;
use crate::transport::tcp;
use crate::transport::tcp::TcpLine;

const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const SB: u8 = 250;
const SE: u8 = 240;
const BINARY: u8 = 0;
const SUPPRESS_GO_AHEAD: u8 = 3;
const COM_PORT: u8 = 44;
const SET_BAUDRATE: u8 = 1;
const SET_DATASIZE: u8 = 2;
const SET_PARITY: u8 = 3;
const SET_STOPSIZE: u8 = 4;
const SET_CONTROL: u8 = 5;

/// A serial port on another machine.
pub struct RemotePort {
    line: TcpLine,
    decoder: Mutex<Decoder>,
    /// Escaped bytes the socket has not taken yet.
    unsent: Mutex<Vec<u8>>,
}

/// Connects and asks for a raw line of this speed.
pub fn connect(address: &str, baud: u32, timeout: Duration) -> io::Result<RemotePort> {
    let port = RemotePort {
        line: tcp::connect(address, timeout)?,
        decoder: Mutex::new(Decoder::default()),
        unsent: Mutex::new(Vec::new()),
    };
    let mut opening = Vec::new();
    for (verb, option) in
        [(WILL, BINARY), (DO, BINARY), (WILL, SUPPRESS_GO_AHEAD), (DO, SUPPRESS_GO_AHEAD), (WILL, COM_PORT)]
    {
        opening.extend_from_slice(&[IAC, verb, option]);
    }
    opening.extend(subnegotiation(SET_BAUDRATE, &baud.to_be_bytes()));
    // 8 bits, no parity (1), one stop bit (1), no flow control (1), DTR on (8).
    for (command, value) in [(SET_DATASIZE, 8), (SET_PARITY, 1), (SET_STOPSIZE, 1), (SET_CONTROL, 1), (SET_CONTROL, 8)]
    {
        opening.extend(subnegotiation(command, &[value]));
    }
    port.send_raw(&opening)?;
    Ok(port)
}

fn subnegotiation(command: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![IAC, SB, COM_PORT, command];
    for &byte in value {
        bytes.push(byte);
        if byte == IAC {
            bytes.push(IAC);
        }
    }
    bytes.extend_from_slice(&[IAC, SE]);
    bytes
}

impl RemotePort {
    fn send_raw(&self, bytes: &[u8]) -> io::Result<()> {
        let mut unsent = self.unsent.lock();
        unsent.extend_from_slice(bytes);
        self.drain(&mut unsent)
    }

    /// Writes what the socket takes; what is left is no error.
    fn drain(&self, unsent: &mut Vec<u8>) -> io::Result<()> {
        while !unsent.is_empty() {
            match self.line.write(unsent) {
                Ok(count) => drop(unsent.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl AsRawFd for RemotePort {
    fn as_raw_fd(&self) -> RawFd {
        self.line.as_raw_fd()
    }
}

impl Transport for RemotePort {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.line.read(buffer)?;
            if count == 0 {
                return Ok(0);
            }
            let mut answers = Vec::new();
            let kept = self.decoder.lock().decode(&mut buffer[..count], &mut answers);
            if !answers.is_empty() {
                self.send_raw(&answers)?;
            }
            if kept > 0 {
                return Ok(kept);
            }
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut unsent = self.unsent.lock();
        self.drain(&mut unsent)?;
        if !unsent.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        for &byte in bytes {
            unsent.push(byte);
            if byte == IAC {
                unsent.push(IAC);
            }
        }
        self.drain(&mut unsent)?;
        Ok(bytes.len())
    }

    fn unsent(&self) -> bool {
        let mut unsent = self.unsent.lock();
        // A failing socket shows in the next read.
        let _ = self.drain(&mut unsent);
        !unsent.is_empty()
    }

    fn set_baud(&self, baud: u32) -> io::Result<()> {
        self.send_raw(&subnegotiation(SET_BAUDRATE, &baud.to_be_bytes()))
    }

    fn has_baud(&self) -> bool {
        true
    }
}

/// Takes the Telnet commands out of a stream, in any pieces.
#[derive(Default)]
struct Decoder {
    state: State,
}

#[derive(Clone, Copy, Default)]
enum State {
    #[default]
    Bytes,
    Command,
    Option(u8),
    Subnegotiation,
    SubnegotiationCommand,
}

impl Decoder {
    /// Moves the line's own bytes to the front and says how many there are.
    fn decode(&mut self, buffer: &mut [u8], answers: &mut Vec<u8>) -> usize {
        let mut kept = 0;
        for position in 0..buffer.len() {
            let byte = buffer[position];
            self.state = match (self.state, byte) {
                (State::Bytes, IAC) => State::Command,
                (State::Bytes, _) | (State::Command, IAC) => {
                    buffer[kept] = byte;
                    kept += 1;
                    State::Bytes
                }
                (State::Command, DO | DONT | WILL | WONT) => State::Option(byte),
                (State::Command, SB) => State::Subnegotiation,
                (State::Command, _) => State::Bytes,
                (State::Option(verb), option) => {
                    answers.extend(refusal(verb, option));
                    State::Bytes
                }
                (State::Subnegotiation, IAC) => State::SubnegotiationCommand,
                (State::SubnegotiationCommand, SE) => State::Bytes,
                (State::Subnegotiation | State::SubnegotiationCommand, _) => State::Subnegotiation,
            };
        }
        kept
    }
}

/// What we asked for ourselves needs no second answer; everything else is refused.
fn refusal(verb: u8, option: u8) -> Vec<u8> {
    let ours = matches!(option, BINARY | SUPPRESS_GO_AHEAD | COM_PORT);
    match verb {
        DO if !ours => vec![IAC, WONT, option],
        WILL if !ours => vec![IAC, DONT, option],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telnet_commands_vanish_from_the_stream_at_any_cut() {
        let wire = [b'O', IAC, WILL, 1, b'K', IAC, IAC, IAC, SB, COM_PORT, 101, 0, IAC, SE, b'\r'];
        for cut in 0..=wire.len() {
            let mut decoder = Decoder::default();
            let (mut seen, mut answers) = (Vec::new(), Vec::new());
            for piece in [&wire[..cut], &wire[cut..]] {
                let mut buffer = piece.to_vec();
                let kept = decoder.decode(&mut buffer, &mut answers);
                seen.extend_from_slice(&buffer[..kept]);
            }
            assert_eq!(vec![b'O', b'K', IAC, b'\r'], seen, "cut at {cut}");
            assert_eq!(vec![IAC, DONT, 1], answers);
        }
    }

    #[test]
    fn a_speed_with_a_byte_of_all_ones_is_escaped() {
        let expected = vec![IAC, SB, COM_PORT, SET_BAUDRATE, 0, 0, IAC, IAC, 1, IAC, SE];
        assert_eq!(expected, subnegotiation(SET_BAUDRATE, &0xff01_u32.to_be_bytes()));
    }
}
