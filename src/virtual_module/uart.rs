//! The speed of the line: bytes take the time that a UART with 8 data bits, no parity and one stop bit needs for them, and
//! arrive as others where the two ends do not agree on the speed. Off unless asked for; it owns no clock.
//!
//! The schedule is absolute, so that the rate is exact; within a millisecond bytes come together, so that no timer is finer.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use crate::virtual_module::faults::Random;

/// Bits of a byte on the line: start, eight of data, stop.
const BITS: u128 = 10;

/// The finest timer.
const TICK: Duration = Duration::from_millis(1);

/// Bytes that may wait to be heard before no more are taken from the line: the size of a UART's buffer.
const FIFO: usize = 128;

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<u8>,
    /// When the first byte since the lane was last idle began, and how many have gone since.
    begun: Option<(Instant, u64)>,
}

impl Lane {
    fn push(&mut self, bytes: &[u8], now: Instant) {
        if !bytes.is_empty() && self.waiting.is_empty() {
            self.begun = Some((now, 0));
        }
        self.waiting.extend(bytes);
    }

    /// What has arrived by now.
    fn take(&mut self, baud: u32, now: Instant) -> Vec<u8> {
        let Some((begun, gone)) = &mut self.begun else { return Vec::new() };
        let arrived = now.saturating_duration_since(*begun).as_nanos() * u128::from(baud) / BITS / 1_000_000_000;
        let count = usize::try_from(arrived - u128::from(*gone).min(arrived)).unwrap_or(usize::MAX);
        let count = count.min(self.waiting.len());
        *gone += count as u64;
        self.waiting.drain(..count).collect()
    }

    /// What comes now has another speed than what came at this one; the schedule begins anew behind that.
    fn go_on_from(&mut self, baud: u32) {
        if let Some((begun, gone)) = &mut self.begun {
            let nanos = u128::from(std::mem::take(gone)) * BITS * 1_000_000_000 / u128::from(baud);
            *begun += Duration::from_nanos(u64::try_from(nanos).unwrap_or_default());
        }
    }

    fn next_deadline(&self, baud: u32) -> Option<Instant> {
        let (begun, gone) = self.begun.filter(|_| !self.waiting.is_empty())?;
        let in_tick = u128::from(baud) * TICK.as_nanos() / BITS / 1_000_000_000;
        let wanted = u128::from(gone) + in_tick.clamp(1, self.waiting.len() as u128);
        let nanos = (wanted * BITS * 1_000_000_000).div_ceil(u128::from(baud));
        Some(begun + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

/// The module's end of the line.
#[derive(Debug)]
pub(super) struct Uart {
    baud: u32,
    /// The host's speed, where it can be known.
    host: Option<u32>,
    heard: Lane,
    said: Lane,
    chance: Random,
}

impl Uart {
    /// A line of this speed.
    pub(super) fn new(baud: u32, seed: u64) -> Uart {
        Uart { baud, host: None, heard: Lane::default(), said: Lane::default(), chance: Random::new(seed) }
    }

    /// The speed that AT+IPR wants, 0 for the host's, counts once everything said before is out.
    pub(super) fn wants(&mut self, rate: u32) {
        if self.said.waiting.is_empty() {
            let wanted = if rate == 0 { self.host.unwrap_or(self.baud) } else { rate };
            if wanted != self.baud {
                self.heard.go_on_from(std::mem::replace(&mut self.baud, wanted));
            }
        }
    }

    /// The host's speed is this; 0, the old sign for hanging up, is none.
    pub(super) fn host_has(&mut self, baud: Option<u32>) {
        self.host = baud.filter(|baud| *baud > 0);
    }

    /// Whether more may be taken from the line.
    pub(super) fn has_room(&self) -> bool {
        self.heard.waiting.len() < FIFO
    }

    /// Bytes that the host has sent.
    pub(super) fn hear(&mut self, bytes: &[u8], now: Instant) {
        self.heard.push(bytes, now);
    }

    /// Those of them that have arrived.
    pub(super) fn heard(&mut self, now: Instant) -> Vec<u8> {
        let bytes = self.heard.take(self.baud, now);
        self.understood(bytes)
    }

    /// Bytes for the host.
    pub(super) fn say(&mut self, bytes: &[u8], now: Instant) {
        self.said.push(bytes, now);
    }

    /// Those of them that are out.
    pub(super) fn said(&mut self, now: Instant) -> Vec<u8> {
        let bytes = self.said.take(self.baud, now);
        self.understood(bytes)
    }

    /// Bytes that are not out yet.
    pub(super) fn unsaid(&self) -> usize {
        self.said.waiting.len()
    }

    /// Nobody listens any more.
    pub(super) fn host_left(&mut self) {
        self.said = Lane::default();
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        [self.heard.next_deadline(self.baud), self.said.next_deadline(self.baud)].into_iter().flatten().min()
    }

    /// What bytes become between two ends that may not agree.
    fn understood(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        if self.host.is_none_or(|host| host == self.baud) {
            return bytes;
        }
        bytes.into_iter().map(|byte| self.chance.other(byte)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::virtual_module::clock;

    /// When each byte arrives, by following the deadlines.
    fn arrivals(baud: u32, count: usize) -> Vec<Duration> {
        let begin = clock::now();
        let mut uart = Uart::new(baud, 0);
        uart.say(&vec![b'x'; count], begin);
        let mut times = Vec::new();
        while let Some(next) = uart.next_deadline() {
            let came = uart.said(next);
            assert!(!came.is_empty(), "a deadline at which nothing is due");
            times.extend(came.iter().map(|_| next - begin));
        }
        times
    }

    #[test]
    fn the_rate_is_exact_at_every_speed() {
        for baud in [4800, 9600, 115_200, 921_600, 3_000_000, 12_345] {
            let count = 5000;
            let took = *arrivals(baud, count).last().expect("bytes");
            let ideal = Duration::from_secs_f64(count as f64 * 10.0 / f64::from(baud));
            assert!(took >= ideal && took < ideal + TICK, "{baud}: {took:?} of {ideal:?}");
        }
    }

    #[test]
    fn at_a_low_speed_each_byte_comes_alone_and_none_too_early() {
        let times = arrivals(9600, 10);
        assert_eq!(10, times.len());
        for (number, time) in times.iter().enumerate() {
            assert!(*time >= Duration::from_secs_f64((number + 1) as f64 * 10.0 / 9600.0), "byte {number}");
        }
    }

    #[test]
    fn ends_that_do_not_agree_understand_nothing_and_a_new_speed_waits_for_what_is_said() {
        let now = clock::now();
        let later = now + Duration::from_secs(1);
        let mut uart = Uart::new(115_200, 1);
        uart.host_has(Some(9600));
        uart.hear(b"AT\r", now);
        let heard = uart.heard(later);
        assert!(heard.iter().zip(b"AT\r").all(|(one, other)| one != other), "{heard:?}");
        uart.host_has(Some(115_200));
        uart.say(b"OK", later);
        uart.wants(9600);
        assert_eq!(b"OK".to_vec(), uart.said(later + TICK));
        uart.wants(9600);
        uart.say(b"OK", later);
        assert_ne!(b"OK".to_vec(), uart.said(later + Duration::from_secs(1)));
        uart.wants(0);
        uart.hear(b"AT", later);
        assert_eq!(b"AT".to_vec(), uart.heard(later + Duration::from_secs(1)), "0 follows the host");
    }

    #[test]
    fn what_is_on_the_line_at_a_slower_speed_does_not_wait_for_what_came_before() {
        let now = clock::now();
        let mut uart = Uart::new(115_200, 1);
        uart.hear(&[b'x'; 11_521], now);
        let second = now + Duration::from_secs(1);
        assert_eq!(11_520, uart.heard(second).len());
        uart.wants(1200);
        let due = uart.next_deadline().expect("one byte is left");
        assert!(due - second < Duration::from_millis(10), "{:?}", due - second);
        assert_eq!(1, uart.heard(due).len());
    }

    #[test]
    fn a_host_that_hangs_up_with_speed_0_has_no_speed_to_follow() {
        let now = clock::now();
        let mut uart = Uart::new(115_200, 1);
        uart.host_has(Some(0));
        uart.wants(0);
        uart.say(b"OK", now);
        let due = uart.next_deadline().expect("something to say");
        assert_eq!(b"OK".to_vec(), uart.said(due + TICK));
    }
}
