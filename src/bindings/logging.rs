//! Rust's log records on their way to Python's `logging`.
//!
//! Any thread may log; none of ours takes the interpreter lock for it. Records wait in a bounded queue and are handed over
//! by the next Python thread that returns from a call. What does not fit is counted and reported.

use std::sync::LazyLock;
use std::sync::Once;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crossbeam_channel::Receiver;
use crossbeam_channel::Sender;
use log::Level;
use log::LevelFilter;
use log::Log;
use log::Metadata;
use log::Record;
use pyo3::prelude::*;

/// Records that may wait; an idle program with busy ports must not grow.
const WAITING: usize = 1024;

struct Entry {
    level: Level,
    target: String,
    message: String,
}

struct Waiting {
    sender: Sender<Entry>,
    receiver: Receiver<Entry>,
    dropped: AtomicU64,
}

static QUEUE: LazyLock<Waiting> = LazyLock::new(|| {
    let (sender, receiver) = crossbeam_channel::bounded(WAITING);
    Waiting { sender, receiver, dropped: AtomicU64::new(0) }
});

struct Collector;

impl Log for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("modemrig")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let entry = Entry {
            level: record.level(),
            target: record.target().replace("::", "."),
            message: record.args().to_string(),
        };
        if QUEUE.sender.try_send(entry).is_err() {
            QUEUE.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

/// Starts collecting at the level Python's `modemrig` logger has now. Called by whatever starts a thread of ours.
pub fn install(py: Python<'_>) -> PyResult<()> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // Another logger can only be there if this library is embedded in a Rust program, which then has the say.
        let _ = log::set_logger(&Collector);
    });
    let level: u32 =
        py.import("logging")?.call_method1("getLogger", ("modemrig",))?.call_method0("getEffectiveLevel")?.extract()?;
    log::set_max_level(match level {
        0..=9 => LevelFilter::Trace,
        10..=19 => LevelFilter::Debug,
        20..=29 => LevelFilter::Info,
        30..=39 => LevelFilter::Warn,
        40..=50 => LevelFilter::Error,
        _ => LevelFilter::Off,
    });
    Ok(())
}

/// Hands waiting records to Python. A logging handler that raises must not hide the result of the call it rides on.
pub fn drain(py: Python<'_>) {
    if QUEUE.receiver.is_empty() {
        return;
    }
    if let Err(failure) = hand_over(py) {
        failure.write_unraisable(py, None);
    }
}

fn hand_over(py: Python<'_>) -> PyResult<()> {
    let get_logger = py.import("logging")?.getattr("getLogger")?;
    // At most what can wait at once: a handler that causes records must not keep us here.
    for entry in QUEUE.receiver.try_iter().take(WAITING) {
        let level = match entry.level {
            Level::Error => 40,
            Level::Warn => 30,
            Level::Info => 20,
            Level::Debug => 10,
            Level::Trace => 5,
        };
        get_logger.call1((entry.target,))?.call_method1("log", (level, "%s", entry.message))?;
    }
    let dropped = QUEUE.dropped.swap(0, Ordering::Relaxed);
    if dropped > 0 {
        get_logger.call1(("modemrig",))?.call_method1("warning", ("%d log records were dropped", dropped))?;
    }
    Ok(())
}
