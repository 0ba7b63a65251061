//! A module on a port, as Python holds it. `modemrig.Modem` wraps this class and gives the results their names.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::bindings::client::NativeClient;
use crate::bindings::errors;
use crate::bindings::events::Events;
use crate::bindings::events::Inbox;
use crate::bindings::logging;
use crate::bindings::recovery;
use crate::bindings::recovery::BoundsTuple;
use crate::bindings::recovery::RecoveryTuple;
use crate::bindings::reply::PyReply;
use crate::bindings::value;
use crate::bindings::wait;
use crate::engine;
use crate::engine::Identity;
use crate::engine::Modem;
use crate::engine::OpenOptions;
use crate::engine::PortEntry;
use crate::engine::PortKind;
use crate::engine::TlsFiles;
use crate::engine::TlsVerify;
use crate::error::Error;
use crate::error::Kind;

/// `(manufacturer, model, revision, imei, dialect)`
type IdentityTuple = (String, String, String, String, String);
/// `(path, description, usb, serial_number, links, holder)`
type PortTuple = (String, String, Option<String>, Option<String>, Vec<String>, Option<String>);
/// `(kind, baud, identity)`
type KindTuple = (&'static str, Option<u32>, Option<IdentityTuple>);

/// A module on a port.
#[pyclass(frozen, module = "modemrig._native", name = "Modem")]
pub struct NativeModem {
    modem: Modem,
    /// One for each client, so that every handle to a client takes from the same place.
    inboxes: Vec<Arc<Inbox>>,
}

#[pymethods]
impl NativeModem {
    #[new]
    #[pyo3(signature = (target, *, baud=115_200, dialect=None, timeout_s=None, transcript=None, shown_as=None))]
    fn open(
        py: Python<'_>,
        target: &str,
        baud: i64,
        dialect: Option<String>,
        timeout_s: Option<f64>,
        transcript: Option<PathBuf>,
        shown_as: Option<String>,
    ) -> PyResult<NativeModem> {
        logging::install(py)?;
        let Some(baud) = u32::try_from(baud).ok().filter(|baud| *baud > 0) else {
            let message = format!("baud cannot be {baud}; allowed: bits per second, at least 1");
            return Err(errors::exception(py, Error::new(Kind::BadValue, message)));
        };
        let options = OpenOptions { baud, dialect, transcript, shown_as, ..OpenOptions::default() };
        let modem = wait::blocking(py, timeout_s, |wait| Modem::open(target, options, wait))?;
        let inboxes = (0..modem.clients()).map(|_| Arc::default()).collect();
        Ok(NativeModem { modem, inboxes })
    }

    fn identity(&self, py: Python<'_>) -> IdentityTuple {
        identity_tuple(py.detach(|| self.modem.identity()))
    }

    fn dialect(&self) -> &'static str {
        &self.modem.dialect().id
    }

    fn port(&self) -> &str {
        self.modem.port()
    }

    fn transcript_path(&self, py: Python<'_>) -> Option<PathBuf> {
        py.detach(|| self.modem.transcript_path())
    }

    fn transcript(&self, py: Python<'_>, since: f64) -> Vec<String> {
        // A time before the opening is the opening.
        let since = Duration::try_from_secs_f64(since).unwrap_or_default();
        py.detach(|| self.modem.transcript(since))
    }

    fn elapsed(&self) -> f64 {
        self.modem.elapsed().as_secs_f64()
    }

    #[pyo3(signature = (line, payload=None, timeout_s=None))]
    fn command(&self, py: Python<'_>, line: &str, payload: Option<&[u8]>, timeout_s: Option<f64>) -> PyResult<PyReply> {
        wait::blocking(py, timeout_s, |wait| self.modem.command(line, payload, wait)).map(PyReply::from)
    }

    #[pyo3(signature = (line, payload, timeout_s=None))]
    fn command_exactly(&self, py: Python<'_>, line: &str, payload: &[u8], timeout_s: Option<f64>) -> PyResult<PyReply> {
        wait::blocking(py, timeout_s, |wait| self.modem.command_exactly(line, payload, wait)).map(PyReply::from)
    }

    #[pyo3(signature = (lines, timeout_s=None))]
    fn commands(&self, py: Python<'_>, lines: Vec<String>, timeout_s: Option<f64>) -> PyResult<Vec<PyReply>> {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let replies = wait::blocking(py, timeout_s, |wait| self.modem.commands(&lines, wait))?;
        Ok(replies.into_iter().map(PyReply::from).collect())
    }

    #[pyo3(signature = (name, parameters, payload=None, timeout_s=None))]
    fn run(
        &self,
        py: Python<'_>,
        name: &str,
        parameters: &Bound<'_, PyDict>,
        payload: Option<&[u8]>,
        timeout_s: Option<f64>,
    ) -> PyResult<PyReply> {
        let parameters = value::named(parameters)?;
        wait::blocking(py, timeout_s, |wait| self.modem.run(name, &parameters, payload, wait)).map(PyReply::from)
    }

    fn client(&self, py: Python<'_>, index: i64) -> PyResult<NativeClient> {
        let client = wait::brief(py, || self.modem.client(index))?;
        let inbox = self.inboxes.get(usize::from(client.index())).cloned().unwrap_or_default();
        Ok(NativeClient::new(client, inbox))
    }

    fn clients(&self) -> u8 {
        self.modem.clients()
    }

    #[pyo3(signature = (name, content, timeout_s=None))]
    fn upload(&self, py: Python<'_>, name: &str, content: &[u8], timeout_s: Option<f64>) -> PyResult<bool> {
        wait::blocking(py, timeout_s, |wait| self.modem.upload(name, content, wait))
    }

    #[pyo3(signature = (name, timeout_s=None))]
    fn delete_file(&self, py: Python<'_>, name: &str, timeout_s: Option<f64>) -> PyResult<()> {
        wait::blocking(py, timeout_s, |wait| self.modem.delete_file(name, wait))
    }

    #[pyo3(signature = (timeout_s=None))]
    fn files(&self, py: Python<'_>, timeout_s: Option<f64>) -> PyResult<Vec<(String, Option<u64>)>> {
        let files = wait::blocking(py, timeout_s, |wait| self.modem.files(wait))?;
        Ok(files.into_iter().map(|file| (file.name, file.size)).collect())
    }

    #[pyo3(signature = (index, ca, client_cert, client_key, verify, ignore_local_time, sni, timeout_s=None))]
    #[allow(clippy::too_many_arguments)] // The facade gives them names.
    fn tls_context(
        &self,
        py: Python<'_>,
        index: i64,
        ca: Option<Vec<u8>>,
        client_cert: Option<Vec<u8>>,
        client_key: Option<Vec<u8>>,
        verify: &str,
        ignore_local_time: bool,
        sni: Option<bool>,
        timeout_s: Option<f64>,
    ) -> PyResult<()> {
        let verify = match verify {
            "none" => TlsVerify::None,
            "server" => TlsVerify::Server,
            "mutual" => TlsVerify::Mutual,
            other => return wait::brief(py, || Err(bad_verify(other))),
        };
        let Ok(index) = u8::try_from(index) else { return wait::brief(py, || Err(bad_context(index))) };
        let files = TlsFiles { ca, client_cert, client_key, verify, ignore_local_time, sni };
        wait::blocking(py, timeout_s, |wait| self.modem.tls_context(index, &files, wait))
    }

    #[pyo3(signature = (apn=None, timeout_s=None))]
    fn attach(
        &self,
        py: Python<'_>,
        apn: Option<&str>,
        timeout_s: Option<f64>,
    ) -> PyResult<Vec<(String, String, f64)>> {
        let report = wait::blocking(py, timeout_s, |wait| self.modem.attach(apn, wait))?;
        Ok(report.steps.into_iter().map(|(step, said, took)| (step, said, took.as_secs_f64())).collect())
    }

    #[pyo3(signature = (timeout_s=None))]
    fn events(&self, py: Python<'_>, timeout_s: Option<f64>) -> Events {
        Events::new(py.detach(|| self.modem.subscribe()), timeout_s)
    }

    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let statistics = py.detach(|| self.modem.statistics());
        let result = PyDict::new(py);
        for (name, count) in [
            ("bytes_sent", statistics.bytes_sent),
            ("bytes_received", statistics.bytes_received),
            ("commands", statistics.commands),
            ("messages", statistics.messages),
            ("messages_dropped", statistics.messages_dropped),
            ("events_dropped", statistics.events_dropped),
            ("stale", statistics.stale),
            ("surplus", statistics.surplus),
            ("ignored", statistics.ignored),
            ("damaged", statistics.damaged),
            ("overflowed", statistics.overflowed),
            ("timeouts", statistics.timeouts),
            ("resynchronised", statistics.resynchronised),
            ("restarts", statistics.restarts),
        ] {
            result.set_item(name, count)?;
        }
        Ok(result)
    }

    fn setting_names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let result = PyDict::new(py);
        for (key, parameters) in py.detach(|| self.modem.setting_names()) {
            result.set_item(key, parameters)?;
        }
        Ok(result)
    }

    #[pyo3(signature = (bounds, at_least=None, power=None, ports=None, timeout_s=None))]
    #[allow(clippy::too_many_arguments)] // The facade gives them names.
    fn recover<'py>(
        &self,
        py: Python<'py>,
        bounds: BoundsTuple,
        at_least: Option<&str>,
        power: Option<Py<PyAny>>,
        ports: Option<Py<PyAny>>,
        timeout_s: Option<f64>,
    ) -> PyResult<RecoveryTuple<'py>> {
        recovery::recover(py, &self.modem, bounds, at_least, power, ports, timeout_s)
    }

    #[pyo3(signature = (timeout_s=None))]
    fn close_gracefully(&self, py: Python<'_>, timeout_s: Option<f64>) -> PyResult<()> {
        wait::blocking(py, timeout_s, |wait| self.modem.close_gracefully(wait))
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.modem.close());
        logging::drain(py);
    }

    fn is_closed(&self, py: Python<'_>) -> bool {
        py.detach(|| self.modem.is_closed())
    }
}

/// The serial ports of this computer.
#[pyfunction]
pub fn ports(py: Python<'_>) -> PyResult<Vec<PortTuple>> {
    let entries = wait::brief(py, engine::ports)?;
    Ok(entries
        .into_iter()
        .map(|PortEntry { path, description, usb, serial_number, links, holder }| {
            (path, description, usb, serial_number, links, holder)
        })
        .collect())
}

/// What a port carries.
#[pyfunction]
#[pyo3(signature = (target, timeout_s=None))]
pub fn identify(py: Python<'_>, target: &str, timeout_s: Option<f64>) -> PyResult<KindTuple> {
    logging::install(py)?;
    Ok(match wait::blocking(py, timeout_s, |wait| engine::identify(target, wait))? {
        PortKind::At { baud, identity } => ("at", Some(baud), Some(identity_tuple(identity))),
        PortKind::Nmea => ("nmea", None, None),
        PortKind::Diagnostic => ("diagnostic", None, None),
        PortKind::Unknown => ("unknown", None, None),
        PortKind::Silent => ("silent", None, None),
    })
}

fn identity_tuple(identity: Identity) -> IdentityTuple {
    let Identity { manufacturer, model, revision, imei, dialect } = identity;
    (manufacturer, model, revision, imei, dialect)
}

fn bad_context(given: i64) -> Error {
    Error::new(Kind::BadValue, format!("there is no TLS context {given}"))
}

fn bad_verify(given: &str) -> Error {
    Error::new(Kind::BadValue, format!("verify must be \"none\", \"server\" or \"mutual\", not {given:?}"))
}
