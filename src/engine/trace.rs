//! What was said last, always at hand: a ring of the latest bytes, from which errors take their tail.
//!
//! Written by whoever reads or writes the port, overwriting the oldest. Long records are kept by their head; the whole
//! talk is in the transcript file, when one was asked for.

use std::collections::VecDeque;
use std::time::Duration;

/// Most bytes of one read or write that are kept; enough for every line that is not a payload.
const KEPT: usize = 16 * 1024;
/// Most bytes kept in all.
const RING: usize = 256 * 1024;

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the module.
    Sent,
    /// From the module.
    Received,
}

/// A read or a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Since the port was opened.
    pub at: Duration,
    /// Which way.
    pub direction: Direction,
    /// The bytes, cut at [`KEPT`].
    pub bytes: Vec<u8>,
    /// How many there were.
    pub length: usize,
}

/// The latest records.
#[derive(Default)]
pub struct Ring {
    bytes: VecDeque<u8>,
    records: VecDeque<Head>,
}

#[derive(Clone, Copy)]
struct Head {
    at: Duration,
    direction: Direction,
    kept: u16,
    length: usize,
}

impl Ring {
    /// Adds a record.
    pub fn put(&mut self, at: Duration, direction: Direction, bytes: &[u8]) {
        let kept = &bytes[..bytes.len().min(KEPT)];
        while self.bytes.len() + kept.len() > RING {
            let Some(oldest) = self.records.pop_front() else { break };
            self.bytes.drain(..usize::from(oldest.kept));
        }
        self.bytes.extend(kept);
        // KEPT fits.
        self.records.push_back(Head { at, direction, kept: kept.len() as u16, length: bytes.len() });
    }

    /// The newest records, oldest of them first: all since this time, and at least so many. They begin where no line of
    /// the module is half said, since a secret is known by the beginning of its line.
    pub fn records(&self, since: Duration, least: usize) -> Vec<Record> {
        let mut end = self.bytes.len();
        let mut newest_first: Vec<Record> = Vec::new();
        for head in self.records.iter().rev() {
            let start = end - usize::from(head.kept);
            let is_enough = newest_first.len() >= least && head.at < since;
            if is_enough && head.direction == Direction::Received && self.bytes.get(end - 1) == Some(&b'\n') {
                break;
            }
            let bytes = self.bytes.range(start..end).copied().collect();
            end = start;
            newest_first.push(Record { at: head.at, direction: head.direction, bytes, length: head.length });
        }
        newest_first.reverse();
        newest_first
    }
}

/// The last lines of these records, `> ` sent and `< ` received, unprintable bytes escaped, each cut at 80 characters.
pub fn tail(records: &[Record], lines: usize) -> Vec<String> {
    let mut shown: Vec<(Direction, Vec<u8>)> = Vec::new();
    for record in records {
        for (position, piece) in record.bytes.split(|byte| matches!(byte, b'\r' | b'\n')).enumerate() {
            match shown.last_mut() {
                // A line may come in several reads.
                Some((direction, line)) if position == 0 && *direction == record.direction => {
                    line.extend_from_slice(piece)
                }
                _ => shown.push((record.direction, piece.to_vec())),
            }
        }
    }
    shown.retain(|(_, line)| !line.is_empty());
    let first = shown.len().saturating_sub(lines);
    shown[first..].iter().map(|(direction, line)| shown_line(*direction, line)).collect()
}

fn shown_line(direction: Direction, line: &[u8]) -> String {
    let sign = if direction == Direction::Sent { '>' } else { '<' };
    let text: String = line.iter().take(80).flat_map(|byte| byte.escape_ascii()).map(char::from).collect();
    let more = if line.len() > 80 { "…" } else { "" };
    format!("{sign} {}{more}", text.replace("\\\"", "\"").replace("\\'", "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_joins_lines_that_came_in_pieces() {
        let mut ring = Ring::default();
        ring.put(Duration::ZERO, Direction::Sent, b"AT+CSQ\r");
        ring.put(Duration::ZERO, Direction::Received, b"\r\n+CS");
        ring.put(Duration::ZERO, Direction::Received, b"Q: 24,99\r\n\r\nOK\r\n");
        assert_eq!(vec!["> AT+CSQ", "< +CSQ: 24,99", "< OK"], tail(&ring.records(Duration::MAX, 8), 8));
        assert_eq!(vec!["< OK"], tail(&ring.records(Duration::ZERO, 0), 1));
    }

    #[test]
    fn the_ring_keeps_the_newest_and_the_true_length() {
        let mut ring = Ring::default();
        for number in 0..200_u8 {
            ring.put(Duration::from_secs(number.into()), Direction::Received, &vec![number; 20_000]);
        }
        let records = ring.records(Duration::ZERO, 0);
        assert_eq!(RING / KEPT, records.len());
        assert_eq!(Some(199), records.last().map(|record| record.bytes[KEPT - 1]));
        assert!(records.iter().all(|record| record.length == 20_000));
    }

    #[test]
    fn the_newest_begin_where_no_line_is_half_said() {
        let mut ring = Ring::default();
        for (second, text) in [(1, "\r\nOK\r\n"), (2, "\r\n+X: se"), (3, "cret\r\n"), (4, "\r\nOK\r\n")] {
            ring.put(Duration::from_secs(second), Direction::Received, text.as_bytes());
        }
        let seconds = |since: u64, least: usize| -> Vec<u64> {
            ring.records(Duration::from_secs(since), least).iter().map(|record| record.at.as_secs()).collect()
        };
        assert_eq!(vec![4], seconds(4, 1));
        assert_eq!(vec![2, 3, 4], seconds(3, 0));
        assert_eq!(vec![2, 3, 4], seconds(9, 2));
        assert_eq!(vec![1, 2, 3, 4], seconds(1, 9));
    }

    #[test]
    fn a_shown_line_is_escaped_and_cut() {
        assert_eq!("> \\x00\"a\"", shown_line(Direction::Sent, b"\x00\"a\""));
        assert_eq!(83, shown_line(Direction::Sent, &[b'a'; 100]).chars().count());
    }
}
