//! The module's only clock, and how fast it runs. Everything else on this side takes time as an argument.
//!
//! Instants are always real; only spans given by a document or a setting are shortened. A deadline is absolute, so that
//! nothing adds up.

use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// Monotonic time.
#[allow(clippy::disallowed_methods)] // This is the place.
pub fn now() -> Instant {
    Instant::now()
}

/// Seconds since 1970, for the module's calendar.
pub fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A span that nobody waits for; the most that is added to a moment, which has an end of its own.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// How much faster than documented time passes in a module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed(f64);

impl Speed {
    /// A factor from a millionth to a million; 1 is as documented. `None` for anything else.
    pub fn new(factor: f64) -> Option<Speed> {
        (1e-6..=1e6).contains(&factor).then_some(Speed(factor))
    }

    /// The factor.
    pub fn factor(self) -> f64 {
        self.0
    }

    /// The real length of a documented span.
    pub fn span(self, documented: Duration) -> Duration {
        Duration::try_from_secs_f64(documented.as_secs_f64() / self.0).unwrap_or(FOREVER).min(FOREVER)
    }

    /// The same for whole seconds, as settings give them.
    pub fn seconds(self, documented: u64) -> Duration {
        self.span(Duration::from_secs(documented))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_shrink_with_speed_and_nonsense_is_refused() {
        let speed = Speed::new(20.0).expect("a factor");
        assert_eq!(Duration::from_millis(250), speed.seconds(5));
        let slow = Speed::new(1e-6).expect("a factor");
        assert_eq!(FOREVER, slow.seconds(u64::from(u32::MAX)));
        assert!(now().checked_add(FOREVER).is_some());
        assert_eq!(None, Speed::new(0.0));
        assert_eq!(None, Speed::new(f64::NAN));
    }
}
