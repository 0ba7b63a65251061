//! Two ends in memory (a socket pair), with a line between them that is as bad as a test wants it.

use std::io;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;

use crate::transport::Transport;

/// How bytes get across.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// As they come.
    #[default]
    Perfect,
    /// One byte a read.
    OneByteAtATime,
    /// At most this many bytes a read and a write.
    InPieces(usize),
}

/// One end.
pub struct PairEnd {
    stream: UnixStream,
    link: Link,
}

/// Two ends of one line.
pub fn pair(link: Link) -> io::Result<(PairEnd, PairEnd)> {
    let (here, there) = UnixStream::pair()?;
    here.set_nonblocking(true)?;
    there.set_nonblocking(true)?;
    Ok((PairEnd { stream: here, link }, PairEnd { stream: there, link }))
}

impl PairEnd {
    /// Ends the line in both directions, as unplugging does; the other end sees an end of file.
    pub fn hang_up(&self) {
        // Fails only when the other end hung up first.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }

    fn limit(&self, wanted: usize) -> usize {
        match self.link {
            Link::Perfect => wanted,
            Link::OneByteAtATime => wanted.min(1),
            Link::InPieces(most) => wanted.min(most.max(1)),
        }
    }
}

impl AsRawFd for PairEnd {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

impl Transport for PairEnd {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.limit(buffer.len());
        (&self.stream).read(&mut buffer[..most])
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let most = self.limit(bytes.len());
        (&self.stream).write(&bytes[..most])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_line_carries_every_byte_in_pieces() {
        let (host, module) = pair(Link::InPieces(3)).expect("a socket pair");
        let mut sent = 0;
        while sent < 8 {
            sent += host.write(&b"AT+CSQ\r\n"[sent..]).expect("room for eight bytes");
        }
        let mut seen = Vec::new();
        let mut buffer = [0; 64];
        while seen.len() < 8 {
            let count = module.read(&mut buffer).expect("the bytes are there");
            assert!(count <= 3);
            seen.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(b"AT+CSQ\r\n".to_vec(), seen);
        assert_eq!(io::ErrorKind::WouldBlock, module.read(&mut buffer).expect_err("nothing is left").kind());
    }

    #[test]
    fn a_dropped_end_is_an_end_of_file_at_the_other() {
        let (host, module) = pair(Link::Perfect).expect("a socket pair");
        drop(module);
        assert_eq!(0, host.read(&mut [0; 8]).expect("end of file"));
    }
}
