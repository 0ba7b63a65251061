//! Stands between any program and a module, passes every byte on as it is, and writes down what was said.
//!
//! The program's end is a port of our own (`transport::host_line`), the module's the real one; a thread carries bytes across
//! and keeps the file (`tape`). It understands nothing of what passes; only the tape looks for secrets. The speed that the
//! program sets on its end is set on the module's.

mod tape;

use std::io;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread::Builder;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;
use parking_lot::Condvar;
use parking_lot::Mutex;

use crate::engine::clock;
use crate::engine::dial;
use crate::engine::options::OpenOptions;
use crate::engine::record::tape::Tape;
use crate::engine::wait::Wait;
use crate::error::Error;
use crate::error::Kind;
use crate::transcript::Direction;
use crate::transcript::Header;
use crate::transport::Transport;
use crate::transport::host_line::HostLine;
use crate::transport::host_line::Input;
use crate::transport::pty::Visit;

/// How long the module may take to be reached.
const OPENING: Duration = Duration::from_secs(5);
/// Bytes that one side has not taken; beyond this no more are read from the other.
const UNREAD: usize = 64 * 1024;
/// At the end: the module's last words have been said when it is silent so long, or when this much time has passed.
const SILENCE: Duration = Duration::from_millis(100);
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What is recorded, and where.
#[derive(Clone, Debug)]
pub struct RecordOptions {
    /// Speed of the module's port until the program sets another.
    pub baud: u32,
    /// The file, which must not exist, or a folder that gets one named after port and time.
    pub out: PathBuf,
    /// A symbolic link to the program's port.
    pub link: Option<PathBuf>,
    /// The program's port is a TCP port, not a pseudo-terminal.
    pub tcp: bool,
    /// The module's port as the file names it; the target where not given.
    pub shown_as: Option<String>,
}

impl Default for RecordOptions {
    fn default() -> RecordOptions {
        RecordOptions { baud: 115_200, out: PathBuf::from("."), link: None, tcp: false, shown_as: None }
    }
}

/// What the thread and its owner share.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    counts: (u64, u64),
    has_ended: bool,
    /// Why it ended by itself.
    fault: Option<Error>,
}

/// A recording; dropping it ends it, and the file is complete.
pub struct Recorder {
    path: String,
    file: PathBuf,
    shared: Arc<Shared>,
    wake: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Opens the module's port and makes one for the program.
    pub fn start(target: &str, options: &RecordOptions, wait: Wait<'_>) -> Result<Recorder, Error> {
        let until = wait.until(OPENING);
        let name = options.shown_as.clone().unwrap_or_else(|| target.to_owned());
        let module = dial::dial(target, &OpenOptions { baud: options.baud, ..OpenOptions::default() }, &until)?;
        let failed = |error: io::Error| Error::new(Kind::PortForbidden, format!("no port for the program: {error}"));
        let host = match options.tcp {
            true => HostLine::tcp(),
            false => HostLine::pty(options.link.as_deref()),
        };
        let host = host.map_err(failed)?;
        // What a program finds that sets nothing is what the module has.
        host.set_baud(options.baud).map_err(failed)?;
        let tape = Tape::create(&options.out, &name, header(&name, options.baud)).map_err(|error| {
            let path = options.out.display();
            Error::new(Kind::BadValue, format!("{path} cannot be written: {error}"))
                .with_remedy("give the name of a file that does not exist")
        })?;
        let (wake, woken) = UnixStream::pair().map_err(failed)?;
        woken.set_nonblocking(true).map_err(failed)?;
        let shared = Arc::new(Shared::default());
        let (path, file) = (host.path().to_owned(), tape.path().to_path_buf());
        let relay = Relay {
            module,
            speed: options.baud,
            hung_up: false,
            to_module: Vec::new(),
            host,
            tape,
            woken,
            name,
            shared: Arc::clone(&shared),
        };
        let thread = Builder::new()
            .name("mr-record".to_owned())
            .spawn(move || relay.run())
            .map_err(|error| Error::new(Kind::Internal, format!("no thread to record on: {error}")))?;
        Ok(Recorder { path, file, shared, wake, thread: Some(thread) })
    }

    /// What the program opens: `/dev/pts/3`, `tcp://127.0.0.1:40123`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Bytes of the program and of the module so far.
    pub fn counts(&self) -> (u64, u64) {
        self.shared.state.lock().counts
    }

    /// Waits until the recording has ended by itself, or until then; whether it has.
    pub fn wait_ended(&self, until: Instant) -> bool {
        let mut state = self.shared.state.lock();
        while !state.has_ended && !self.shared.ended.wait_until(&mut state, until).timed_out() {}
        state.has_ended
    }

    /// Why it ended by itself: the port is gone, or the file could not be written.
    pub fn fault(&self) -> Option<Error> {
        self.shared.state.lock().fault.clone()
    }

    /// Ends it: what is on its way is passed on and written, and the file is complete. Idempotent.
    pub fn stop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.shared.stop.store(true, Ordering::Release);
        // Fails only when the thread has ended.
        let _ = self.wake.write(&[0]);
        if thread.join().is_err() {
            log::error!(target: "modemrig::engine", "the thread that recorded {} panicked", self.path);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop();
    }
}

fn header(name: &str, baud: u32) -> Header {
    let mut header = Header { redacted: true, ..Header::default() };
    let made_by = concat!("modemrig ", env!("CARGO_PKG_VERSION"), " record");
    header.other.insert("port".to_owned(), name.into());
    header.other.insert("baud".to_owned(), baud.into());
    header.other.insert("made_by".to_owned(), made_by.into());
    header.other.insert("recorded_unix_s".to_owned(), clock::wall().as_secs().into());
    header
}

/// What the thread owns.
struct Relay {
    module: Arc<dyn Transport>,
    /// Of the module's port.
    speed: u32,
    /// The module's end of the line is gone.
    hung_up: bool,
    /// What the module's port has not taken.
    to_module: Vec<u8>,
    host: HostLine,
    tape: Tape,
    woken: UnixStream,
    name: String,
    shared: Arc<Shared>,
}

impl Relay {
    fn run(mut self) {
        let mut fault = None;
        while fault.is_none() && !self.shared.stop.load(Ordering::Acquire) {
            fault = self.turn(None).err();
        }
        if fault.is_none() {
            self.last_words();
        }
        let gone = fault.map(|error| Error::new(Kind::PortGone, format!("{}: the port is gone: {error}", self.name)));
        let counts = self.tape.counts();
        // The program sees its port vanish as the module's did.
        drop(self.host);
        let written = self.tape.finish();
        let written = written.map_err(|error| Error::new(Kind::Internal, format!("the file is not complete: {error}")));
        let mut state = self.shared.state.lock();
        *state = State { counts, has_ended: true, fault: gone.or(written.err()) };
        self.shared.ended.notify_all();
    }

    /// The program is gone: what it wrote is passed on, and the module may finish what it says.
    fn last_words(&mut self) {
        let end = clock::now() + LAST_WORDS;
        let mut heard = self.tape.counts();
        let mut silent_at = clock::now() + SILENCE;
        loop {
            let now = clock::now();
            let until = if self.to_module.is_empty() { end.min(silent_at) } else { end };
            if now >= until || self.turn(Some(until)).is_err() {
                return;
            }
            if std::mem::replace(&mut heard, self.tape.counts()) != self.tape.counts() {
                silent_at = clock::now() + SILENCE;
            }
        }
    }

    /// Carries what there is, then waits for more, or until then.
    fn turn(&mut self, until: Option<Instant>) -> io::Result<()> {
        self.greet_hosts()?;
        self.hear_host()?;
        self.hear_module()?;
        self.host.flush();
        self.pass_on()?;
        self.tape.flush();
        self.shared.state.lock().counts = self.tape.counts();
        self.wait(until)
    }

    fn greet_hosts(&mut self) -> io::Result<()> {
        loop {
            let visits = self.host.visits()?;
            if visits.contains(&Visit::Opened) {
                self.host.host_came();
            }
            match visits.last() {
                None => return Ok(()),
                // What it wrote is still to be read. Of one that another has followed nothing is to be cleared up: the
                // terminal is the next one's.
                Some(Visit::Closed) => self.host.host_left()?,
                Some(Visit::Opened) => {}
            }
        }
    }

    fn hear_host(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        while self.to_module.len() < UNREAD {
            match self.host.read(&mut buffer)? {
                Input::Bytes(count) => {
                    self.follow_speed();
                    self.to_module.extend_from_slice(&buffer[..count]);
                    self.pass_on()?;
                    self.tape.put(Direction::Tx, &buffer[..count], clock::now());
                }
                Input::Nothing => return Ok(()),
                Input::Ended => return self.host.host_left(),
            }
        }
        Ok(())
    }

    fn hear_module(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        while self.host.unsent() < UNREAD {
            self.follow_speed();
            match self.module.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.host.write(&buffer[..count]);
                    self.tape.put(Direction::Rx, &buffer[..count], clock::now());
                }
                // What it said before it went has been read.
                Err(error) if is_nothing(&error) && self.hung_up => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if is_nothing(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn pass_on(&mut self) -> io::Result<()> {
        while !self.to_module.is_empty() {
            match self.module.write(&self.to_module) {
                Ok(count) => drop(self.to_module.drain(..count)),
                Err(error) if is_nothing(&error) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The speed of the program's end is that of the module's.
    fn follow_speed(&mut self) {
        let Some(speed) = self.host.baud().filter(|speed| *speed > 0 && *speed != self.speed) else { return };
        self.speed = speed;
        if self.module.has_baud() {
            match self.module.set_baud(speed) {
                Ok(()) => log::info!(target: "modemrig::engine", "{}: now at {speed} bits per second", self.name),
                Err(error) => {
                    log::warn!(target: "modemrig::engine", "{}: not at {speed} bits per second: {error}", self.name)
                }
            }
        }
    }

    fn wait(&mut self, until: Option<Instant>) -> io::Result<()> {
        let wants = |reads: bool, writes: bool| match (reads, writes) {
            (true, true) => PollFlags::POLLIN | PollFlags::POLLOUT,
            (true, false) => PollFlags::POLLIN,
            (false, true) => PollFlags::POLLOUT,
            (false, false) => PollFlags::empty(),
        };
        let writes = !self.to_module.is_empty() || self.module.unsent();
        // SAFETY: the descriptors belong to lines that `self` owns, and nothing is closed while they are waited for.
        let borrow = |fd| unsafe { BorrowedFd::borrow_raw(fd) };
        let mut set = vec![PollFd::new(self.woken.as_fd(), PollFlags::POLLIN)];
        set.extend(self.host.visit_fd().map(|fd| PollFd::new(borrow(fd), PollFlags::POLLIN)));
        let (reads, to_host) = (self.to_module.len() < UNREAD, self.host.unsent() > 0);
        set.extend(self.host.data_fd().map(|fd| PollFd::new(borrow(fd), wants(reads, to_host))));
        // A module that is gone would wake us for ever while its last words wait for the program.
        let wanted = wants(self.host.unsent() < UNREAD, writes);
        let module = (!wanted.is_empty()).then(|| PollFd::new(borrow(self.module.as_raw_fd()), wanted));
        let asks_module = module.is_some();
        set.extend(module);
        let left = until.map(|until| until.saturating_duration_since(clock::now()).as_micros().div_ceil(1000));
        let timeout = left.map_or(PollTimeout::NONE, |ms| PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX));
        match nix::poll::poll(&mut set, timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let lost = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
        let module = set.last().filter(|_| asks_module).and_then(PollFd::revents);
        self.hung_up = module.is_some_and(|flags| flags.intersects(lost));
        let _ = (&self.woken).read(&mut [0; 8]);
        Ok(())
    }
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
