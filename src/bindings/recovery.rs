//! A recovery, and the two things only the caller can do for it: cutting the power, and saying where to look. Both are called
//! on the caller's own thread.

use std::time::Duration;

use parking_lot::Mutex;
use pyo3::exceptions::PyException;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::bindings::errors;
use crate::bindings::wait;
use crate::engine::Modem;
use crate::engine::RecoverAids;
use crate::engine::RecoverBounds;
use crate::engine::Recovery;
use crate::engine::StepOutcome;
use crate::error::Error;
use crate::error::Kind;

/// `(name, tried, outcome, said, duration)`
type StepTuple = (&'static str, &'static str, &'static str, String, f64);
/// `(steps, port, clients, duration, error)`
pub type RecoveryTuple<'py> = (Vec<StepTuple>, String, Vec<&'static str>, f64, Option<Bound<'py, PyAny>>);
/// Seconds: port, input, resync, close, restart, power.
pub type BoundsTuple = (f64, f64, f64, f64, f64, f64);

/// Recovers the modem; what only a `BaseException` says (Ctrl-C in a hand) is raised as it is.
pub fn recover<'py>(
    py: Python<'py>,
    modem: &Modem,
    bounds: BoundsTuple,
    at_least: Option<&str>,
    power: Option<Py<PyAny>>,
    ports: Option<Py<PyAny>>,
    timeout_s: Option<f64>,
) -> PyResult<RecoveryTuple<'py>> {
    let seconds = |value: f64| {
        Duration::try_from_secs_f64(value)
            .map_err(|_| PyValueError::new_err(format!("a bound is a number of seconds of at least 0, not {value}")))
    };
    let bounds = RecoverBounds {
        port: seconds(bounds.0)?,
        input: seconds(bounds.1)?,
        resync: seconds(bounds.2)?,
        close: seconds(bounds.3)?,
        restart: seconds(bounds.4)?,
        power: seconds(bounds.5)?,
    };
    let raised: Mutex<Option<PyErr>> = Mutex::default();
    let hand = power.map(|hand| {
        let raised = &raised;
        move |within: Duration| {
            Python::attach(|py| hand.call1(py, (within.as_secs_f64(),))?.extract::<String>(py))
                .map_err(|error| told(error, raised, "the power was not switched"))
        }
    });
    let seeker = ports.map(|seeker| {
        let raised = &raised;
        move || {
            Python::attach(|py| seeker.call0(py)?.extract::<Vec<String>>(py))
                .map_err(|error| told(error, raised, "nobody knows where to look"))
        }
    });
    let outcome = wait::blocking(py, timeout_s, |wait| {
        let aids = RecoverAids {
            power: hand.as_ref().map(|hand| hand as &(dyn Fn(Duration) -> Result<String, Error> + Sync)),
            ports: seeker.as_ref().map(|seeker| seeker as &(dyn Fn() -> Result<Vec<String>, Error> + Sync)),
        };
        modem.recover(bounds, at_least, aids, wait)
    });
    match (outcome, raised.lock().take()) {
        (Err(_), Some(raised)) => Err(raised),
        (outcome, _) => tuple(py, outcome?),
    }
}

fn tuple<'py>(py: Python<'py>, recovery: Recovery) -> PyResult<RecoveryTuple<'py>> {
    let steps = recovery.steps.into_iter().map(|step| {
        let outcome = match step.outcome {
            StepOutcome::Done => "done",
            StepOutcome::Failed => "failed",
            StepOutcome::Skipped => "skipped",
        };
        (step.name, step.tried, outcome, step.said, step.took.as_secs_f64())
    });
    let clients = recovery.clients.into_iter().map(|state| state.name()).collect();
    let error = recovery.error.map(|error| errors::object(py, &error)).transpose()?;
    Ok((steps.collect(), recovery.port, clients, recovery.took.as_secs_f64(), error))
}

/// An exception of a hand as the error of its step; one that is no `Exception` ends everything.
fn told(error: PyErr, raised: &Mutex<Option<PyErr>>, what: &str) -> Error {
    Python::attach(|py| {
        if error.is_instance_of::<PyException>(py) {
            return Error::new(Kind::Unsupported, format!("{what}: {}", error.value(py)));
        }
        *raised.lock() = Some(error);
        Error::new(Kind::Interrupted, "interrupted")
    })
}
