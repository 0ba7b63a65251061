//! The one door from an [`Error`] to a Python exception. The classes are Python's own: `modemrig.errors`.

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use pyo3::types::PyTuple;

use crate::error::Error;
use crate::error::Fault;
use crate::error::Kind;

/// The exception for an error, with every fact it carries.
pub fn exception(py: Python<'_>, error: Error) -> PyErr {
    if error.kind == Kind::Interrupted {
        return PyKeyboardInterrupt::new_err(error.message.clone());
    }
    match object(py, &error) {
        Ok(exception) => PyErr::from_value(exception),
        Err(failure) => failure,
    }
}

/// The exception as an object that is not raised yet.
pub fn object<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    let class = classes(py)?.getattr(class_name(error.kind))?;
    let facts = PyDict::new(py);
    facts.set_item("awaited", error.awaited.as_deref())?;
    facts.set_item("waited_s", error.waited.map(|waited| waited.as_secs_f64()))?;
    facts.set_item("code", error.code)?;
    facts.set_item("meaning", error.meaning.as_deref())?;
    facts.set_item("remedy", error.remedy.as_deref())?;
    facts.set_item("source", error.source.as_deref())?;
    facts.set_item("last_lines", PyTuple::new(py, &error.last_lines)?)?;
    facts.set_item("port", error.port.as_deref())?;
    let exception = class.call((error.message.as_str(),), Some(&facts))?;
    if error.fault != error.kind.fault() {
        exception.setattr("fault", fault_name(error.fault))?;
    }
    Ok(exception)
}

fn classes(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    static CLASSES: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    CLASSES.get_or_try_init(py, || py.import("modemrig.errors").map(Bound::unbind)).map(|module| module.bind(py))
}

fn class_name(kind: Kind) -> &'static str {
    match kind {
        Kind::BadValue => "BadValue",
        Kind::Unsupported => "Unsupported",
        Kind::Interrupted => "CallerError",
        Kind::CommandRefused => "CommandRefused",
        Kind::RequestFailed => "RequestFailed",
        Kind::ModuleRestarted => "ModuleRestarted",
        Kind::BrokerRefused => "BrokerRefused",
        Kind::ConnectionLost => "ConnectionLost",
        Kind::OpenFailed => "OpenFailed",
        Kind::PortMissing => "PortMissing",
        Kind::PortForbidden => "PortForbidden",
        Kind::PortBusy => "PortBusy",
        Kind::PortGone => "PortGone",
        Kind::NoAnswer => "NoAnswer",
        Kind::PortClosed => "PortClosed",
        Kind::Garbled => "Garbled",
        Kind::RecoveryFailed => "RecoveryFailed",
        Kind::Internal => "Bug",
    }
}

fn fault_name(fault: Fault) -> &'static str {
    match fault {
        Fault::Caller => "caller",
        Fault::Module => "module",
        Fault::Network => "network",
        Fault::Link => "link",
        Fault::Bug => "bug",
    }
}
