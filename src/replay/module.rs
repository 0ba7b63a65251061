//! The thread of a replayed module: waits for its line and its times, and lets the player do the rest.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread::Builder;
use std::thread::JoinHandle;
use std::time::Instant;

use parking_lot::Condvar;
use parking_lot::Mutex;
use polling::Event;
use polling::Events;
use polling::PollMode;
use polling::Poller;

use crate::error::Error;
use crate::error::Kind;
use crate::replay::clock;
use crate::replay::player::Player;
use crate::replay::player::ReplayOptions;
use crate::replay::report::Mismatch;
use crate::replay::script::Script;
use crate::transport::host_line::HostLine;
use crate::transport::host_line::Input;
use crate::transport::pair::Link;
use crate::transport::pair::PairEnd;
use crate::transport::pty::Visit;
use crate::transport::watch::Watch;

const LINE: usize = 0;
const VISITS: usize = 1;

/// Bytes that a host does not read; beyond this no more of its input is taken.
const UNREAD: usize = 64 * 1024;

/// Where hosts find a replayed module.
#[derive(Clone, Debug, Default)]
pub enum ReplayEndpoint {
    /// A pseudo-terminal, with a symbolic link to it where asked.
    Pty {
        /// Where the link is put.
        link: Option<PathBuf>,
    },
    /// A free TCP port on the loopback interface, one host at a time.
    Tcp,
    /// A pair in memory; [`ReplayModule::host_end`] has the other end.
    #[default]
    Pair,
}

/// How far a replay is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayState {
    /// What was not as in the file.
    pub mismatches: Vec<Mismatch>,
    /// Command lines of the file that nobody has asked.
    pub left: Vec<String>,
    /// How many exchanges the file has.
    pub exchanges: usize,
    /// The file is through.
    pub finished: bool,
}

/// What the thread and its owner share.
struct Shared {
    player: Mutex<Player>,
    /// Something was asked or said.
    moved: Condvar,
    stop: AtomicBool,
    poller: Poller,
}

/// A transcript that answers on a line; dropping it stops it.
pub struct ReplayModule {
    path: String,
    host_end: Option<PairEnd>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl ReplayModule {
    /// Starts one on a thread of its own.
    pub fn start(script: Script, options: ReplayOptions, endpoint: &ReplayEndpoint) -> Result<ReplayModule, Error> {
        let failed = |error: io::Error| Error::new(Kind::PortForbidden, format!("no line to the host: {error}"));
        let mut host_end = None;
        let line = match endpoint {
            ReplayEndpoint::Pty { link } => HostLine::pty(link.as_deref()),
            ReplayEndpoint::Tcp => HostLine::tcp(),
            ReplayEndpoint::Pair => HostLine::pair(Link::Perfect).map(|(line, end)| {
                host_end = Some(end);
                line
            }),
        };
        let line = line.map_err(failed)?;
        let path = line.path().to_owned();
        let shared = Arc::new(Shared {
            player: Mutex::new(Player::new(script, options)),
            moved: Condvar::new(),
            stop: AtomicBool::new(false),
            poller: Poller::new().map_err(failed)?,
        });
        let thread = Turns::new(line, Arc::clone(&shared)).map_err(failed)?;
        let thread = Builder::new()
            .name("replay".to_owned())
            .spawn(move || thread.run())
            .map_err(|error| Error::new(Kind::Internal, format!("no thread for the replay: {error}")))?;
        Ok(ReplayModule { path, host_end, shared, thread: Some(thread) })
    }

    /// What a host opens: `/dev/pts/3`, `tcp://127.0.0.1:40123`; empty for a pair.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The host's end of a pair, once.
    pub fn host_end(&mut self) -> Option<PairEnd> {
        self.host_end.take()
    }

    /// How far it is.
    pub fn state(&self) -> ReplayState {
        let player = self.shared.player.lock();
        ReplayState {
            mismatches: player.mismatches().to_vec(),
            left: player.left(),
            exchanges: player.exchanges(),
            finished: player.is_finished(),
        }
    }

    /// Waits until the file is through, or until then; whether it is.
    pub fn wait_finished(&self, until: Instant) -> bool {
        self.wait_for(until, Player::is_finished)
    }

    /// Waits until no host has the port open, or until then; whether none has.
    pub fn wait_closed(&self, until: Instant) -> bool {
        self.wait_for(until, |player| !player.has_host())
    }

    fn wait_for(&self, until: Instant, is_so: impl Fn(&Player) -> bool) -> bool {
        let mut player = self.shared.player.lock();
        while !is_so(&player) {
            if self.shared.moved.wait_until(&mut player, until).timed_out() {
                return is_so(&player);
            }
        }
        true
    }

    /// Stops it and waits for its thread; the second call does nothing.
    pub fn stop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.shared.stop.store(true, Ordering::Release);
        // A poller that cannot be woken is one whose thread has ended.
        let _ = self.shared.poller.notify();
        if thread.join().is_err() {
            log::error!(target: "modemrig::replay", "the thread of the replay at {} panicked", self.path);
        }
    }
}

impl Drop for ReplayModule {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What the thread owns.
struct Turns {
    line: HostLine,
    watch: Watch,
    shared: Arc<Shared>,
    line_ended: bool,
}

impl Turns {
    fn new(line: HostLine, shared: Arc<Shared>) -> io::Result<Turns> {
        if let Some(fd) = line.visit_fd() {
            // SAFETY: the descriptor belongs to `line`, which outlives the watch: `run` deletes it before the line is dropped.
            unsafe { shared.poller.add_with_mode(fd, Event::readable(VISITS), PollMode::Level)? };
        }
        Ok(Turns { line, watch: Watch::new(LINE), shared, line_ended: false })
    }

    fn run(mut self) {
        if self.line.is_present() {
            // A pair has its host from the start.
            self.shared.player.lock().host_came(clock::now());
        }
        if let Err(error) = self.turns() {
            log::error!(target: "modemrig::replay", "the replay at {} stops: {error}", self.line.path());
        }
        self.watch.set(&self.shared.poller, None);
        if let Some(fd) = self.line.visit_fd() {
            // SAFETY: the descriptor belongs to `line` and is open.
            let _ = self.shared.poller.delete(unsafe { BorrowedFd::borrow_raw(fd) });
        }
    }

    fn turns(&mut self) -> io::Result<()> {
        let mut events = Events::new();
        while !self.shared.stop.load(Ordering::Acquire) {
            self.greet_hosts()?;
            self.listen()?;
            self.shared.player.lock().handle_deadline(clock::now());
            let due = self.speak();
            let wanted = self.line.data_fd().filter(|_| !self.line_ended);
            let reads = self.line.unsent() < UNREAD;
            self.watch.set(&self.shared.poller, wanted.map(|fd| (fd, reads, self.line.unsent() > 0)));
            let timeout = due.map(|deadline| deadline.saturating_duration_since(clock::now()));
            events.clear();
            self.shared.poller.wait(&mut events, timeout)?;
        }
        Ok(())
    }

    fn greet_hosts(&mut self) -> io::Result<()> {
        loop {
            let visits = self.line.visits()?;
            if visits.is_empty() {
                return Ok(());
            }
            let last = visits.len() - 1;
            for (number, visit) in visits.into_iter().enumerate() {
                match visit {
                    Visit::Opened => {
                        self.line.host_came();
                        self.shared.player.lock().host_came(clock::now());
                    }
                    // The terminal belongs to the next host already.
                    Visit::Closed if number < last => self.shared.player.lock().host_left(),
                    Visit::Closed => self.host_left()?,
                }
            }
        }
    }

    fn listen(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        while !self.line_ended && self.line.unsent() < UNREAD {
            match self.line.read(&mut buffer)? {
                Input::Bytes(count) => {
                    self.shared.player.lock().receive(&buffer[..count], clock::now());
                    self.speak();
                }
                Input::Nothing => break,
                Input::Ended => {
                    // A network line waits for its next host, a pair has none.
                    self.line_ended = self.line.visit_fd().is_none();
                    self.host_left()?;
                    break;
                }
            }
        }
        Ok(())
    }

    fn host_left(&mut self) -> io::Result<()> {
        // The poller forgets the descriptor before it is closed.
        self.watch.set(&self.shared.poller, None);
        self.line.host_left()?;
        self.shared.player.lock().host_left();
        Ok(())
    }

    /// Writes what the player has to say; when it has more.
    fn speak(&mut self) -> Option<Instant> {
        let mut player = self.shared.player.lock();
        while let Some(bytes) = player.poll_transmit() {
            self.line.write(&bytes);
        }
        let due = player.next_deadline();
        drop(player);
        self.line.flush();
        self.shared.moved.notify_all();
        due
    }
}
