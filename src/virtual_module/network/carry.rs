//! One connection's share of a turn: bytes from the connection to the MQTT session and back. `network` owns both.

use std::io;
use std::time::Instant;

use crate::mqtt::ClientSession;
use crate::mqtt::SessionState;
use crate::virtual_module::faults::Faults;
use crate::virtual_module::faults::Passed;
use crate::virtual_module::faults::Way;
use crate::virtual_module::faults::Wire;
use crate::virtual_module::network::LostBy;
use crate::virtual_module::network::bearer::Connection;

/// Read at most this much of one connection before the others have their turn.
const READ_AT_ONCE: usize = 64 * 1024;

/// A connection's faults, and the time of this turn.
pub(super) struct Faulty<'a> {
    pub(super) wire: &'a mut Wire,
    pub(super) faults: &'a mut Faults,
    pub(super) now: Instant,
}

impl Faulty<'_> {
    fn pass(&mut self, way: Way, bytes: &[u8]) -> Passed {
        self.wire.carry(self.faults, way, bytes, self.now)
    }
}

/// Carries bytes both ways and does what is due; how the connection ended, if it did, and whether there is more to read.
pub(super) fn carry(
    line: &mut dyn Connection,
    session: &mut ClientSession,
    faulty: &mut Faulty<'_>,
    reads: bool,
) -> (Option<LostBy>, bool) {
    if !reads {
        // While nothing is read, nothing can be late.
        return (send(line, session, faulty, false), false);
    }
    let now = faulty.now;
    let mut ended = faulty.wire.ends(faulty.faults);
    let (late, late_out) = faulty.wire.due(now);
    session.receive(&late, now);
    if !late_out.is_empty() && line.write(&late_out).is_err() {
        ended = Some(LostBy::SendingRequest);
    }
    let mut taken = 0;
    let mut buffer = [0; 16 * 1024];
    while ended.is_none() && taken < READ_AT_ONCE {
        match line.read(&mut buffer) {
            Ok(0) => ended = Some(LostBy::PeerClosed),
            Ok(count) => {
                let (bytes, end) = faulty.pass(Way::In, &buffer[..count]);
                session.receive(&bytes, now);
                taken += count;
                ended = end;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => ended = Some(LostBy::PeerReset),
        }
    }
    let awaited_pong = session.awaits_pong();
    session.handle_deadline(now);
    let pings = !awaited_pong && session.awaits_pong();
    match ended {
        Some(end) => (Some(end), false),
        None => (send(line, session, faulty, pings), taken >= READ_AT_ONCE),
    }
}

/// Writes what waits and what the session has for the broker; how the connection ended, if it did.
pub(super) fn send(
    line: &mut dyn Connection,
    session: &mut ClientSession,
    faulty: &mut Faulty<'_>,
    pings: bool,
) -> Option<LostBy> {
    let mut outcome = line.flush();
    while let Some(bytes) = session.poll_transmit() {
        let (bytes, end) = faulty.pass(Way::Out, &bytes);
        outcome = outcome.and_then(|()| line.write(&bytes));
        match end {
            Some(LostBy::SendingRequest) => outcome = Err(io::ErrorKind::BrokenPipe.into()),
            Some(end) => return Some(end),
            None => {}
        }
    }
    match outcome {
        Ok(()) => None,
        Err(_) if pings => Some(LostBy::SendingPing),
        Err(_) if session.state() == SessionState::AwaitConnack => Some(LostBy::SendingConnect),
        Err(_) => Some(LostBy::SendingRequest),
    }
}
