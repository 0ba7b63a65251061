//! The only clock of a replayed module. Everything else takes time as an argument.

use std::time::Instant;

/// Monotonic time.
#[allow(clippy::disallowed_methods)] // This is the place.
pub fn now() -> Instant {
    Instant::now()
}
