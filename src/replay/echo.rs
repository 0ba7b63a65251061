//! The echo in a module's words: taken out, so that a replayed module can echo what its own host types, or not.

/// Bytes that may come back.
#[derive(Clone, Debug, Default)]
pub struct Echo {
    bytes: Vec<u8>,
    /// How many of them have come.
    seen: usize,
    /// Something else came instead.
    given_up: bool,
}

impl Echo {
    /// These too.
    pub fn expect(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// Nothing more of it is awaited.
    pub fn give_up(&mut self) {
        self.bytes.truncate(self.seen);
    }

    /// Whether nothing more of it is awaited.
    pub fn is_done(&self) -> bool {
        self.given_up || self.seen == self.bytes.len()
    }

    /// Whether any of it came back.
    pub fn was_seen(&self) -> bool {
        self.seen > 0 && !self.given_up
    }

    /// Takes the echo out of these bytes: what stands before it, and what behind. `None`: there is none in them.
    pub fn take<'a>(&mut self, bytes: &'a [u8]) -> Option<(Vec<u8>, &'a [u8])> {
        if self.is_done() {
            return None;
        }
        let awaited = &self.bytes[self.seen..];
        let same = awaited.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        if same == awaited.len() || same == bytes.len() {
            self.seen += same;
            return Some((Vec::new(), &bytes[same..]));
        }
        if self.seen > 0 {
            // It only began alike: what was taken for an echo was said.
            self.given_up = true;
            return Some((self.bytes[..self.seen].to_vec(), bytes));
        }
        // An unsolicited line may have come before it, and the piece may end in it.
        let at = (1..bytes.len()).find(|at| {
            let behind = &bytes[*at..];
            bytes[at - 1] == b'\n' && (behind.starts_with(awaited) || awaited.starts_with(behind))
        })?;
        let came = awaited.len().min(bytes.len() - at);
        self.seen = came;
        Some((bytes[..at].to_vec(), &bytes[at + came..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo() -> Echo {
        let mut echo = Echo::default();
        echo.expect(b"AT+CSQ\r");
        echo
    }

    #[test]
    fn it_is_taken_out_whatever_the_pieces() {
        let said = b"\r\n+X: 1\r\nAT+CSQ\r\r\n+CSQ: 24,99\r\n";
        for first in 1..said.len() {
            let mut echo = echo();
            let mut rest = Vec::new();
            for piece in [&said[..first], &said[first..]] {
                match echo.take(piece) {
                    Some((before, behind)) => rest.extend([before.as_slice(), behind].concat()),
                    None => rest.extend(piece),
                }
            }
            assert_eq!("\r\n+X: 1\r\n\r\n+CSQ: 24,99\r\n", String::from_utf8_lossy(&rest), "cut at {first}");
            assert!(echo.was_seen());
        }
    }

    #[test]
    fn what_only_begins_alike_is_given_back() {
        let mut echo = echo();
        assert_eq!(Some((Vec::new(), &b""[..])), echo.take(b"AT"));
        assert_eq!(Some((b"AT".to_vec(), &b"READY"[..])), echo.take(b"READY"));
        assert!(echo.is_done() && !echo.was_seen());
        assert_eq!(None, echo.take(b"AT+CSQ\r"));
    }

    #[test]
    fn an_answer_without_echo_is_left_alone() {
        let mut echo = echo();
        assert_eq!(None, echo.take(b"\r\n+CSQ: 24,99\r\n\r\nOK\r\n"));
        assert!(!echo.was_seen());
    }
}
