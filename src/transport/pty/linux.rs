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
use std::os::unix::fs::MetadataExt;
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
use parking_lot::Mutex;

use crate::transport::Transport;
use crate::transport::pty::Visit;

mod ioctl {
    nix::ioctl_none_bad!(allow_others, nix::libc::TIOCNXCL);
    nix::ioctl_read_bad!(settings, nix::libc::TCGETS2, nix::libc::termios2);
    nix::ioctl_write_ptr_bad!(set_settings, nix::libc::TCSETS2, nix::libc::termios2);
}

/// The module's end of a pseudo-terminal.
pub struct PtyEnd {
    terminal: PtyMaster,
    /// The host's end, kept open by us.
    holder: OwnedFd,
    watch: Inotify,
    path: String,
    link: Option<PathBuf>,
    hosts: Mutex<Hosts>,
}

/// Who is at the host's end. Locked by `visits` only.
#[derive(Default)]
struct Hosts {
    /// How many have it open; a hint, since the system reports several equal events in a row as one.
    open: usize,
    /// The process that held the port's lock when we last looked.
    user: Option<u32>,
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
        let link = link.map(Path::to_path_buf);
        Ok(PtyEnd { terminal, holder, watch, path, link, hosts: Mutex::default() })
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
                Err(Errno::EAGAIN) => return Ok(self.without_refused(visits)),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Leaves out the closing of those who only looked: the port was in use, its lock refused them, and its user is still there.
    ///
    /// The system names nobody: who closed follows from who holds the lock now, who held it before, and how many were inside.
    fn without_refused(&self, visits: Vec<Visit>) -> Vec<Visit> {
        let Some(last) = visits.last().copied() else { return visits };
        let user = locked_by(&self.path);
        let mut hosts = self.hosts.lock();
        let (mut before, mut open, mut came_now) = (hosts.user, hosts.open, false);
        let mut told = Vec::with_capacity(visits.len());
        for visit in visits {
            if visit == Visit::Opened {
                (open, came_now) = (open + 1, true);
                told.push(visit);
                continue;
            }
            let is_refused = match before {
                _ if user.is_none() => false,
                // Its first command may be older than our first look at its lock.
                None => open >= 2 || came_now,
                // It may also have left and come back.
                Some(_) if before == user => open >= 2,
                Some(_) => false,
            };
            open = open.saturating_sub(1);
            if !is_refused {
                before = None;
                told.push(visit);
            }
        }
        // The last to close was refused: whatever was counted wrongly before, one is inside.
        hosts.open = if last == Visit::Closed && user.is_some() { 1 } else { open };
        hosts.user = user;
        told
    }

    /// The speed that the host has set, in bits per second.
    pub fn baud(&self) -> Option<u32> {
        // SAFETY: an all-zero `termios2` is a valid one, and the request fills it.
        let mut settings: nix::libc::termios2 = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is open as long as `self`.
        unsafe { ioctl::settings(self.terminal.as_raw_fd(), &mut settings) }.ok()?;
        Some(settings.c_ospeed)
    }

    /// The speed that a host finds which sets none, in bits per second.
    pub fn set_baud(&self, baud: u32) -> io::Result<()> {
        // SAFETY: an all-zero `termios2` is a valid one, and the request fills it.
        let mut settings: nix::libc::termios2 = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is open as long as `self`.
        unsafe { ioctl::settings(self.holder.as_raw_fd(), &mut settings) }?;
        // Any number, not only those that have a name.
        settings.c_cflag = settings.c_cflag & !(nix::libc::CBAUD | nix::libc::CBAUD << 16) | nix::libc::BOTHER;
        (settings.c_ispeed, settings.c_ospeed) = (baud, baud);
        // SAFETY: as above, and the pointer leads to whole settings.
        unsafe { ioctl::set_settings(self.holder.as_raw_fd(), &settings) }?;
        Ok(())
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

/// The process that holds the `flock` of a device file. Asking the system for the lock would refuse it to others meanwhile.
fn locked_by(path: &str) -> Option<u32> {
    let device = fs::metadata(path).ok()?;
    let (major, minor) = (nix::sys::stat::major(device.dev()), nix::sys::stat::minor(device.dev()));
    let file = format!("{major:02x}:{minor:02x}:{}", device.ino());
    // A list that changes while it is read may miss a row that was there all the time.
    (0..LOOKS).find_map(|_| locker_of(&file))
}

/// How often the list of locks is read before a lock counts as not there.
const LOOKS: usize = 3;

/// The process that holds the `flock` of a file, by the system's list.
fn locker_of(file: &str) -> Option<u32> {
    // "2: FLOCK  ADVISORY  WRITE 7469 00:1a:4 0 EOF"; who waits for a lock has an arrow before the kind.
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let mut rows = locks.lines().map(|line| line.split_whitespace().collect::<Vec<&str>>());
    let row = rows.find(|row| row.get(1) == Some(&"FLOCK") && row.get(5) == Some(&file))?;
    row.get(4)?.parse().ok()
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
    // The system's words name no file.
    let failed = |error: io::Error| io::Error::new(error.kind(), format!("the link {}: {error}", link.display()));
    symlink(target, &fresh).map_err(failed)?;
    fs::rename(&fresh, link).map_err(|error| {
        let _ = fs::remove_file(&fresh);
        failed(error)
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

    fn lock(port: fs::File) -> Result<nix::fcntl::Flock<fs::File>, Errno> {
        nix::fcntl::Flock::lock(port, nix::fcntl::FlockArg::LockExclusiveNonblock).map_err(|(_, error)| error)
    }

    #[test]
    fn one_who_is_refused_since_the_port_is_in_use_did_not_leave_it() {
        let end = PtyEnd::open(None).expect("a pseudo-terminal");
        let user = lock(host(end.path())).expect("nobody has it");
        assert_eq!(vec![Visit::Opened], end.visits().expect("a visit"));
        for _ in 0..3 {
            lock(host(end.path())).expect_err("it is in use");
            assert_eq!(vec![Visit::Opened], end.visits().expect("a look, no departure"));
        }
        drop(user);
        assert_eq!(vec![Visit::Closed], end.visits().expect("the departure"));
    }

    #[test]
    fn a_user_that_comes_back_at_once_had_left() {
        let end = PtyEnd::open(None).expect("a pseudo-terminal");
        let user = lock(host(end.path())).expect("nobody has it");
        assert_eq!(vec![Visit::Opened], end.visits().expect("a visit"));
        drop(user);
        let again = lock(host(end.path())).expect("nobody has it");
        assert_eq!(vec![Visit::Closed, Visit::Opened], end.visits().expect("out and in"));
        drop(again);
        assert_eq!(vec![Visit::Closed], end.visits().expect("out"));
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
