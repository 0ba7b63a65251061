//! A yes, a no, or not enough bytes to tell.

/// Whether something stands here.
pub(super) enum Seen<T> {
    /// It does.
    Yes(T),
    /// Cannot be told from these bytes.
    More,
    /// It does not.
    No,
}

/// Whether this line, up to CR, begins here.
pub(super) fn begins(rest: &[u8], line: &[u8]) -> Seen<()> {
    begins_until(rest, line, b'\r')
}

/// Whether this text and the byte behind it begin here.
pub(super) fn begins_until(rest: &[u8], text: &[u8], end: u8) -> Seen<()> {
    match rest.get(text.len()) {
        Some(byte) if *byte == end && rest.starts_with(text) => Seen::Yes(()),
        Some(_) => Seen::No,
        None if text.starts_with(rest) => Seen::More,
        None => Seen::No,
    }
}
