//! One connection's share of a turn: bytes from the connection to the MQTT session and back. `network` owns both.

use std::io;
use std::time::Instant;

use crate::mqtt::ClientSession;
use crate::mqtt::SessionState;
use crate::virtual_module::network::LostBy;
use crate::virtual_module::network::bearer::Connection;

/// Read at most this much of one connection before the others have their turn.
const READ_AT_ONCE: usize = 64 * 1024;

/// Carries bytes both ways and does what is due; how the connection ended, if it did, and whether there is more to read.
pub(super) fn carry(
    line: &mut dyn Connection,
    session: &mut ClientSession,
    reads: bool,
    now: Instant,
) -> (Option<LostBy>, bool) {
    if !reads {
        // While nothing is read, nothing can be late.
        return (send(line, session, false), false);
    }
    let mut ended = None;
    let mut taken = 0;
    let mut buffer = [0; 16 * 1024];
    while taken < READ_AT_ONCE {
        match line.read(&mut buffer) {
            Ok(0) => {
                ended = Some(LostBy::PeerClosed);
                break;
            }
            Ok(count) => {
                session.receive(&buffer[..count], now);
                taken += count;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                ended = Some(LostBy::PeerReset);
                break;
            }
        }
    }
    let awaited_pong = session.awaits_pong();
    session.handle_deadline(now);
    let pings = !awaited_pong && session.awaits_pong();
    match ended {
        Some(end) => (Some(end), false),
        None => (send(line, session, pings), taken >= READ_AT_ONCE),
    }
}

/// Writes what waits and what the session has for the broker; how the connection ended, if it did.
pub(super) fn send(line: &mut dyn Connection, session: &mut ClientSession, pings: bool) -> Option<LostBy> {
    let mut outcome = line.flush();
    while let Some(bytes) = session.poll_transmit() {
        outcome = outcome.and_then(|()| line.write(&bytes));
    }
    match outcome {
        Ok(()) => None,
        Err(_) if pings => Some(LostBy::SendingPing),
        Err(_) if session.state() == SessionState::AwaitConnack => Some(LostBy::SendingConnect),
        Err(_) => Some(LostBy::SendingRequest),
    }
}
