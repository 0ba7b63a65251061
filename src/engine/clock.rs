//! The host side's only clock. Everything else takes time as an argument.

use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// Monotonic time.
#[allow(clippy::disallowed_methods)] // This is the place.
pub fn now() -> Instant {
    Instant::now()
}

/// Wall-clock time since 1970, for the header of a transcript and for nothing else.
pub fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
