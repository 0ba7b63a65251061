//! Ports for programs that must be told one before they listen (mosquitto, openssl): below those that the system gives to
//! listeners who take any, so that no other test gets one in between.

use std::net::TcpListener;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

/// First of the ports tried, and how many there are; systems give away 32768 and above, or 49152 and above.
const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

/// A port of this machine that nobody listens at; never the same twice in a process.
pub fn free_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    // Two runs at once begin at different places.
    let begin = std::process::id().wrapping_mul(97);
    (0..COUNT)
        .find_map(|_| {
            let port = FIRST + begin.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
            let port = u16::try_from(port).ok()?;
            TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(port)
        })
        .expect("a free port")
}
