//! The one wait at the boundary: detached from the interpreter, ended by data, deadline, `close()` or Ctrl-C.
//!
//! The engine cuts a long wait into slices of 50 ms and asks the hook given here between them, with no lock held; the hook
//! attaches for a moment and lets Python run its signal handlers.

use std::time::Duration;

use parking_lot::Mutex;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::bindings::errors;
use crate::bindings::logging;
use crate::engine::Interrupt;
use crate::engine::Interrupted;
use crate::engine::Wait;
use crate::error::Error;
use crate::error::Kind;

/// Lets Python's signal handlers run; keeps what they raised.
#[derive(Default)]
struct Signals {
    raised: Mutex<Option<PyErr>>,
}

impl Interrupt for Signals {
    fn check(&self) -> Result<(), Interrupted> {
        Python::attach(|py| py.check_signals()).map_err(|raised| {
            *self.raised.lock() = Some(raised);
            Interrupted
        })
    }
}

/// Runs a call that may wait, detached; `timeout_s` of `None` leaves the time to the engine.
pub fn blocking<T: Send>(
    py: Python<'_>,
    timeout_s: Option<f64>,
    call: impl FnOnce(Wait<'_>) -> Result<T, Error> + Send,
) -> PyResult<T> {
    let timeout = timeout(timeout_s)?;
    let signals = Signals::default();
    let outcome = py.detach(|| call(Wait { timeout, interrupt: Some(&signals) }));
    logging::drain(py);
    outcome.map_err(|error| match error.kind {
        Kind::Interrupted => signals.raised.into_inner().unwrap_or_else(|| PyKeyboardInterrupt::new_err(())),
        _ => errors::exception(py, error),
    })
}

/// Runs a call that takes locks or talks to the system but has no time-out of its own.
pub fn brief<T: Send>(py: Python<'_>, call: impl FnOnce() -> Result<T, Error> + Send) -> PyResult<T> {
    let outcome = py.detach(call);
    logging::drain(py);
    outcome.map_err(|error| errors::exception(py, error))
}

/// Seconds as Python gives them; infinity is no time-out.
fn timeout(seconds: Option<f64>) -> PyResult<Option<Duration>> {
    match seconds {
        None => Ok(None),
        Some(seconds) if seconds == f64::INFINITY => Ok(Some(Duration::MAX)),
        Some(seconds) => Duration::try_from_secs_f64(seconds).map(Some).map_err(|_| {
            PyValueError::new_err(format!("timeout_s must be a number of seconds of at least 0, not {seconds}"))
        }),
    }
}
