//! Serial ports and pseudo-terminals. The serialport crate opens and configures them; waiting is the driver's own poll.
//!
//! Exclusive use is asked for twice: TIOCEXCL keeps other users out, `flock` other programs of the superuser, whom
//! TIOCEXCL lets pass.

use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::BorrowedFd;
use std::os::fd::FromRawFd;
use std::os::fd::IntoRawFd;
use std::os::fd::OwnedFd;
use std::os::fd::RawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::termios;
use nix::sys::termios::ControlFlags;
use nix::sys::termios::SetArg;
use parking_lot::Mutex;
use serialport::SerialPort as _;

use crate::transport::OpenFault;
use crate::transport::Transport;
use crate::transport::holder;

#[cfg(target_os = "linux")]
mod request {
    #![allow(missing_docs)] // The macro writes the function.
    nix::ioctl_read_bad!(exclusive_flag, nix::libc::TIOCGEXCL, nix::libc::c_int);
}

/// An open serial port.
pub struct SerialPort {
    descriptor: RawFd,
    /// Owns the descriptor; locked for changes of speed only.
    port: Mutex<serialport::TTYPort>,
}

/// Opens and configures: 8 data bits, no parity, one stop bit, no flow control, raw, for us alone.
///
/// One descriptor from the first look to the end: a port that is opened twice is also closed once, and what watches the other
/// end of a pseudo-terminal would take that for a host that left.
pub fn open(path: &str, baud: u32) -> Result<SerialPort, OpenFault> {
    let terminal = claim(path)?;
    make_raw(&terminal).map_err(|error| fault_of_errno(path, error))?;
    // SAFETY: nobody else owns the descriptor. The crate locks it and sets TIOCEXCL here.
    let mut port = unsafe { serialport::TTYPort::from_raw_fd(terminal.into_raw_fd()) };
    if !port.exclusive() {
        drop(port);
        return Err(busy(path));
    }
    configure(&mut port, baud).map_err(|error| fault_of(path, error))?;
    let descriptor = port.as_raw_fd();
    Ok(SerialPort { descriptor, port: Mutex::new(port) })
}

fn make_raw(terminal: &OwnedFd) -> nix::Result<()> {
    let mut settings = termios::tcgetattr(terminal)?;
    termios::cfmakeraw(&mut settings);
    settings.control_flags |= ControlFlags::CREAD | ControlFlags::CLOCAL;
    termios::tcsetattr(terminal, SetArg::TCSANOW, &settings)
}

fn configure(port: &mut serialport::TTYPort, baud: u32) -> serialport::Result<()> {
    port.set_data_bits(serialport::DataBits::Eight)?;
    port.set_parity(serialport::Parity::None)?;
    port.set_stop_bits(serialport::StopBits::One)?;
    port.set_flow_control(serialport::FlowControl::None)?;
    port.set_baud_rate(baud)?;
    // A pseudo-terminal has no such line.
    let _ = port.write_data_terminal_ready(true);
    Ok(())
}

impl AsRawFd for SerialPort {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor
    }
}

impl SerialPort {
    fn descriptor(&self) -> BorrowedFd<'_> {
        // SAFETY: `self.port` owns the descriptor and lives as long as `self`.
        unsafe { BorrowedFd::borrow_raw(self.descriptor) }
    }
}

impl Transport for SerialPort {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match nix::unistd::read(self.descriptor(), buffer) {
            // A terminal without VMIN answers 0 for "nothing now"; a hang-up is an error here (EIO), or seen by poll.
            Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
            Ok(count) => Ok(count),
            Err(error) => Err(error.into()),
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(nix::unistd::write(self.descriptor(), bytes)?)
    }

    fn set_baud(&self, baud: u32) -> io::Result<()> {
        self.port.lock().set_baud_rate(baud).map_err(io::Error::from)
    }

    fn has_baud(&self) -> bool {
        true
    }
}

/// Opens a port that nobody holds. Looks for a lock first: setting TIOCEXCL and failing then would leave the holder without.
fn claim(path: &str) -> Result<OwnedFd, OpenFault> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let terminal = nix::fcntl::open(Path::new(path), flags, nix::sys::stat::Mode::empty())
        .map_err(|error| fault_of_errno(path, error))?;
    let marked = is_marked(&terminal);
    let lock = match nix::fcntl::Flock::lock(terminal, nix::fcntl::FlockArg::LockExclusiveNonblock) {
        Ok(lock) => lock,
        Err((terminal, nix::errno::Errno::EWOULDBLOCK)) => {
            drop(terminal); // We are not the holder that is to be named.
            return Err(busy(path));
        }
        Err((_, error)) => return Err(OpenFault::Other(error.into())),
    };
    if marked {
        // A mark without a holder is left over from a program that died; a pseudo-terminal keeps it as long as its other end lives.
        let others = holder::holders(path).into_iter().filter(|holder| holder.pid != std::process::id());
        if let Some(holder) = others.into_iter().find(|holder| !holder.has_the_other_end) {
            return Err(OpenFault::Busy(Some(holder)));
        }
    }
    lock.unlock().map_err(|(_, error)| OpenFault::Other(error.into()))
}

/// Whether somebody has marked the port as theirs.
#[cfg(target_os = "linux")]
fn is_marked(terminal: &OwnedFd) -> bool {
    let mut exclusive: nix::libc::c_int = 0;
    // SAFETY: the descriptor is open and the pointer leads to a c_int.
    let asked = unsafe { request::exclusive_flag(terminal.as_raw_fd(), &mut exclusive) };
    asked.is_ok() && exclusive != 0
}

/// Elsewhere a port that is marked refuses to be opened in the first place.
#[cfg(not(target_os = "linux"))]
fn is_marked(_terminal: &OwnedFd) -> bool {
    false
}

fn busy(path: &str) -> OpenFault {
    let mut holders = holder::holders(path);
    let true_holder = holders.iter().position(|holder| !holder.has_the_other_end).unwrap_or(0);
    OpenFault::Busy((!holders.is_empty()).then(|| holders.swap_remove(true_holder)))
}

fn fault_of(path: &str, error: serialport::Error) -> OpenFault {
    match error.kind() {
        serialport::ErrorKind::NoDevice if Path::new(path).exists() => busy(path),
        serialport::ErrorKind::NoDevice => OpenFault::Missing,
        serialport::ErrorKind::Io(io::ErrorKind::NotFound) => OpenFault::Missing,
        serialport::ErrorKind::Io(io::ErrorKind::PermissionDenied) => forbidden(path),
        serialport::ErrorKind::Io(io::ErrorKind::ResourceBusy) => busy(path),
        _ => OpenFault::Other(io::Error::from(error)),
    }
}

fn fault_of_errno(path: &str, error: nix::errno::Errno) -> OpenFault {
    use nix::errno::Errno;
    match error {
        Errno::ENOENT | Errno::ENXIO | Errno::ENODEV | Errno::ENOTDIR => OpenFault::Missing,
        Errno::EACCES | Errno::EPERM => forbidden(path),
        Errno::EBUSY => busy(path),
        other => OpenFault::Other(other.into()),
    }
}

fn forbidden(path: &str) -> OpenFault {
    let group = std::fs::metadata(path).ok().map(|metadata| metadata.gid());
    let name = group.and_then(|gid| nix::unistd::Group::from_gid(gid.into()).ok().flatten()).map(|group| group.name);
    OpenFault::Forbidden { group: name.or(group.map(|gid| gid.to_string())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal() -> (serialport::TTYPort, String) {
        let (master, slave) = serialport::TTYPort::pair().expect("a pseudo-terminal");
        let path = slave.name().expect("a pseudo-terminal has a path");
        drop(slave);
        (master, path)
    }

    #[test]
    fn bytes_cross_a_pseudo_terminal_raw() {
        use std::io::Read;
        let (mut master, path) = terminal();
        let port = open(&path, 115_200).expect("a free port");
        assert_eq!(io::ErrorKind::WouldBlock, port.read(&mut [0; 8]).expect_err("nothing there").kind());
        let sent = b"AT\r\x00\x11\xff";
        assert_eq!(sent.len(), port.write(sent).expect("room"));
        master.set_timeout(std::time::Duration::from_secs(5)).expect("a time-out");
        let mut seen = [0; 6];
        master.read_exact(&mut seen).expect("six bytes");
        assert_eq!(sent, &seen);
    }

    #[test]
    fn a_second_opening_names_the_holder() {
        let (_master, path) = terminal();
        let _held = open(&path, 115_200).expect("a free port");
        match open(&path, 115_200) {
            Err(OpenFault::Busy(Some(holder))) => assert_eq!(std::process::id(), holder.pid),
            Err(other) => panic!("another fault: {other:?}"),
            Ok(_) => panic!("opened twice"),
        }
    }

    #[test]
    fn a_failed_opening_leaves_the_holder_its_rights_and_closing_frees_the_port() {
        let (_master, path) = terminal();
        let held = open(&path, 115_200).expect("a free port");
        for _ in 0..2 {
            assert!(matches!(open(&path, 115_200), Err(OpenFault::Busy(_))));
        }
        drop(held);
        assert!(open(&path, 115_200).is_ok());
    }

    #[test]
    fn a_missing_port_is_missing() {
        assert!(matches!(open("/dev/ttyNOSUCHPORT0", 115_200), Err(OpenFault::Missing)));
    }

    #[test]
    fn no_terminal_is_an_error_of_its_own() {
        let file = std::env::temp_dir().join(format!("modemrig-no-terminal-{}", std::process::id()));
        std::fs::write(&file, b"").expect("a writable folder");
        let opened = open(file.to_str().expect("UTF-8"), 115_200);
        std::fs::remove_file(&file).expect("the file is there");
        assert!(matches!(opened, Err(OpenFault::Other(_))));
    }
}
