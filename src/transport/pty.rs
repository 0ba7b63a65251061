//! A pseudo-terminal whose other end a host opens like a serial port; the module's end of it.
//!
//! It is no terminal for programs: nothing is spawned in it. The module keeps one descriptor of the host's end open (the
//! holder), so that the settings survive a host that leaves, reads never fail with EIO, and nothing spins on a hang-up.
//! Whoever drives it polls two descriptors: the terminal's, and that of the watch which tells when hosts come and go.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::fcntl::open;
use nix::pty::PtyMaster;
use nix::pty::grantpt;
use nix::pty::posix_openpt;
use nix::pty::ptsname_r;
use nix::pty::unlockpt;
use nix::sys::inotify::AddWatchFlags;
use nix::sys::inotify::InitFlags;
use nix::sys::inotify::Inotify;
use nix::sys::stat::Mode;
use nix::sys::termios::FlushArg;
use nix::sys::termios::SetArg;
use nix::sys::termios::cfmakeraw;
use nix::sys::termios::tcflush;
use nix::sys::termios::tcgetattr;
use nix::sys::termios::tcsetattr;

use crate::transport::Transport;

mod ioctl {
    nix::ioctl_none_bad!(allow_others, nix::libc::TIOCNXCL);
}

/// What a host did with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// It opened the port.
    Opened,
    /// It closed the port; nobody has it open now.
    Closed,
}

/// The module's end of a pseudo-terminal.
pub struct PtyEnd {
    terminal: PtyMaster,
    /// The host's end, kept open by us.
    holder: OwnedFd,
    watch: Inotify,
    path: String,
    link: Option<PathBuf>,
}

impl PtyEnd {
    /// Makes a pseudo-terminal in raw mode and, where asked, a symbolic link to the host's end.
    ///
    /// The path is known to nobody before the terminal is raw: a line written to a fresh terminal would come back as input.
    pub fn open(link: Option<&Path>) -> io::Result<PtyEnd> {
        let terminal = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)?;
        grantpt(&terminal)?;
        unlockpt(&terminal)?;
        let path = ptsname_r(&terminal)?;
        let holder = open(path.as_str(), OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC, Mode::empty())?;
        set_raw(&holder)?;
        // Behind the opening of the holder, which is no host.
        let watch = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        watch.add_watch(path.as_str(), AddWatchFlags::IN_OPEN | AddWatchFlags::IN_CLOSE)?;
        if let Some(link) = link {
            publish(Path::new(&path), link)?;
        }
        Ok(PtyEnd { terminal, holder, watch, path, link: link.map(Path::to_path_buf) })
    }

    /// Where a host opens it: `/dev/pts/3`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The descriptor that becomes readable when a host opens or closes its end.
    pub fn watch_fd(&self) -> RawFd {
        self.watch.as_fd().as_raw_fd()
    }

    /// Who came and went since the last call, in order. Never blocks.
    pub fn visits(&self) -> io::Result<Vec<Visit>> {
        let mut visits = Vec::new();
        loop {
            match self.watch.read_events() {
                Ok(events) => visits.extend(events.into_iter().filter_map(|event| {
                    if event.mask.contains(AddWatchFlags::IN_OPEN) {
                        return Some(Visit::Opened);
                    }
                    event.mask.intersects(AddWatchFlags::IN_CLOSE).then_some(Visit::Closed)
                })),
                Err(Errno::EAGAIN) => return Ok(visits),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A host has left: forgets what it did not read, makes the terminal raw again and lets the next host in.
    ///
    /// What the host wrote is kept: the next one may have written already.
    pub fn host_left(&self) -> io::Result<()> {
        // The holder is a host's end, so what is unread there is its input.
        tcflush(&self.holder, FlushArg::TCIFLUSH)?;
        // A host that ends without giving up its exclusive access would lock every other one out (root passes).
        // SAFETY: the descriptor is open as long as `self`, and the request takes no argument.
        unsafe { ioctl::allow_others(self.holder.as_raw_fd()) }?;
        set_raw(&self.holder)
    }
}

impl AsRawFd for PtyEnd {
    fn as_raw_fd(&self) -> RawFd {
        self.terminal.as_raw_fd()
    }
}

impl Transport for PtyEnd {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(nix::unistd::read(&self.terminal, buffer)?)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(nix::unistd::write(&self.terminal, bytes)?)
    }
}

impl Drop for PtyEnd {
    fn drop(&mut self) {
        // Only our own link: somebody may have put another there meanwhile.
        if let Some(link) = &self.link
            && fs::read_link(link).is_ok_and(|target| target == Path::new(&self.path))
        {
            let _ = fs::remove_file(link);
        }
    }
}

fn set_raw(end: &OwnedFd) -> io::Result<()> {
    let mut settings = tcgetattr(end)?;
    cfmakeraw(&mut settings);
    Ok(tcsetattr(end, SetArg::TCSANOW, &settings)?)
}

/// Puts the link in place in one step; one that stands there already is replaced, anything else is left alone.
fn publish(target: &Path, link: &Path) -> io::Result<()> {
    match fs::symlink_metadata(link) {
        Ok(there) if !there.file_type().is_symlink() => {
            let message = format!("{} exists and is no symbolic link", link.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, message));
        }
        _ => {}
    }
    let mut name = OsString::from(link.as_os_str());
    name.push(format!(".{}.new", std::process::id()));
    let fresh = PathBuf::from(name);
    symlink(target, &fresh)?;
    fs::rename(&fresh, link).inspect_err(|_| {
        let _ = fs::remove_file(&fresh);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::io::Write;

    fn host(path: &str) -> fs::File {
        fs::OpenOptions::new().read(true).write(true).open(path).expect("the host's end opens")
    }

    #[test]
    fn a_fresh_terminal_is_raw_and_carries_every_byte() {
        let end = PtyEnd::open(None).expect("a pseudo-terminal");
        let mut port = host(end.path());
        port.write_all(b"AT\r\n\x03\x1a\x00\xff").expect("room");
        let mut seen = [0; 32];
        let count = end.read(&mut seen).expect("the bytes are there");
        assert_eq!(b"AT\r\n\x03\x1a\x00\xff", &seen[..count]);
        end.write(b"\r\n> ").expect("room");
        let count = port.read(&mut seen).expect("the prompt is there");
        assert_eq!(b"\r\n> ", &seen[..count]);
    }

    #[test]
    fn hosts_that_come_and_go_are_noticed_and_no_unread_line_reaches_the_next() {
        let end = PtyEnd::open(None).expect("a pseudo-terminal");
        assert_eq!(Vec::<Visit>::new(), end.visits().expect("no visit yet"));
        let port = host(end.path());
        end.write(b"for the first host").expect("room");
        drop(port);
        assert_eq!(vec![Visit::Opened, Visit::Closed], end.visits().expect("two visits"));
        end.host_left().expect("reset");
        let mut next = host(end.path());
        end.write(b"for the second").expect("room");
        let mut seen = [0; 64];
        let count = next.read(&mut seen).expect("the line is there");
        assert_eq!(b"for the second", &seen[..count]);
    }

    #[test]
    fn what_the_host_wrote_before_it_left_is_kept() {
        let end = PtyEnd::open(None).expect("a pseudo-terminal");
        let mut port = host(end.path());
        port.write_all(b"AT+QPOWD\r").expect("room");
        drop(port);
        end.host_left().expect("reset");
        let mut seen = [0; 64];
        let count = end.read(&mut seen).expect("the bytes are there");
        assert_eq!(b"AT+QPOWD\r", &seen[..count]);
        let nothing = end.read(&mut seen).expect_err("no end of file without a host");
        assert_eq!(io::ErrorKind::WouldBlock, nothing.kind());
    }

    #[test]
    fn a_link_leads_to_the_port_and_goes_with_it() {
        let link = std::env::temp_dir().join(format!("modemrig-pty-{}", std::process::id()));
        let end = PtyEnd::open(Some(&link)).expect("a pseudo-terminal");
        assert_eq!(Path::new(end.path()), fs::read_link(&link).expect("a link"));
        let again = PtyEnd::open(Some(&link)).expect("a link is replaced");
        drop(end);
        assert_eq!(Path::new(again.path()), fs::read_link(&link).expect("another's link stays"));
        drop(again);
        assert!(fs::symlink_metadata(&link).is_err());
    }
}
