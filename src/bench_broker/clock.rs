//! The bench broker's only clock. Everything else takes time as an argument.

use std::time::Instant;

/// Monotonic time.
#[allow(clippy::disallowed_methods)] // This is the place.
pub fn now() -> Instant {
    Instant::now()
}
