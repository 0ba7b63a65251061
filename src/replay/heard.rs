//! The marks in a module's words that say whose turn it is: final results, prompts, `CONNECT`. Bytes in any pieces.

/// What a byte completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Nothing of interest.
    Nothing,
    /// A final result.
    Final,
    /// `>` at a line start, or a line `CONNECT`.
    Prompt,
}

/// A line longer than this is none of those looked for.
const LONGEST: usize = 64;

/// The line so far.
#[derive(Debug)]
pub struct Heard {
    line: Vec<u8>,
    /// Result codes are digits (ATV0).
    numeric: bool,
}

impl Heard {
    /// Nothing heard yet.
    pub fn new(numeric: bool) -> Heard {
        Heard { line: Vec::new(), numeric }
    }

    /// What comes now answers something else.
    pub fn begin(&mut self) {
        self.line.clear();
    }

    /// The next byte.
    pub fn byte(&mut self, byte: u8) -> Mark {
        match byte {
            b'\r' | b'\n' => {
                let line = std::mem::take(&mut self.line);
                self.line_ended(&line, byte)
            }
            b'>' if self.line.is_empty() => {
                self.line.push(byte);
                Mark::Prompt
            }
            _ => {
                if self.line.len() < LONGEST {
                    self.line.push(byte);
                }
                Mark::Nothing
            }
        }
    }

    fn line_ended(&mut self, line: &[u8], end: u8) -> Mark {
        let is_digit = self.numeric && end == b'\r' && matches!(line, [b'0'..=b'9']);
        match line {
            b"CONNECT" => Mark::Prompt,
            [b'1'] if is_digit => Mark::Prompt,
            _ if is_digit => Mark::Final,
            b"" => Mark::Nothing,
            // The whole line with its end is one piece: the line feed behind the carriage return is waited for.
            _ if end == b'\r' && is_final(line) => {
                self.line = [line, b"\r"].concat();
                Mark::Nothing
            }
            _ => match line.strip_suffix(b"\r").is_some_and(is_final) || is_final(line) {
                true => Mark::Final,
                false => Mark::Nothing,
            },
        }
    }
}

fn is_final(line: &[u8]) -> bool {
    matches!(line, b"OK" | b"ERROR" | b"NO CARRIER" | b"SEND OK" | b"SEND FAIL")
        || line.starts_with(b"+CME ERROR")
        || line.starts_with(b"+CMS ERROR")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(numeric: bool, text: &str) -> Vec<(usize, Mark)> {
        let mut heard = Heard::new(numeric);
        let marks = text.bytes().enumerate().map(|(at, byte)| (at, heard.byte(byte)));
        marks.filter(|(_, mark)| *mark != Mark::Nothing).collect()
    }

    #[test]
    fn a_final_result_is_a_whole_line() {
        assert_eq!(vec![(5, Mark::Final)], marks(false, "\r\nOK\r\n"));
        assert_eq!(vec![(9, Mark::Final)], marks(false, "\r\r\nERROR\r\n"));
        assert_eq!(vec![(16, Mark::Final)], marks(false, "\r\n+CME ERROR: 4\r\n\r\n+X: OK\r\n"));
        assert!(marks(false, "\r\nOKAY\r\n+X: OK\r\nOK").is_empty());
        assert!(marks(false, "0\r").is_empty());
        assert_eq!(vec![(1, Mark::Final)], marks(true, "0\r"));
    }

    #[test]
    fn a_prompt_stands_at_a_line_start() {
        assert_eq!(vec![(2, Mark::Prompt)], marks(false, "\r\n> "));
        assert_eq!(vec![(9, Mark::Prompt)], marks(false, "\r\nCONNECT\r\n"));
        assert!(marks(false, "+X: a>b\r\n").is_empty());
    }
}
