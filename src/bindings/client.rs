//! One of the clients inside a module, and the promise a publish returns.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::bindings::errors;
use crate::bindings::events::Inbox;
use crate::bindings::events::Messages;
use crate::bindings::reply::LateTuple;
use crate::bindings::reply::late_tuple;
use crate::bindings::value;
use crate::bindings::wait;
use crate::engine::Client;
use crate::engine::Credentials;
use crate::engine::Outgoing;
use crate::engine::Receipt;
use crate::error::Error;
use crate::error::Kind;

/// `(client, reported, code, meaning, remedy, time)`
type LostTuple = (u8, String, Option<i32>, Option<String>, Option<String>, f64);

/// A client inside the module.
#[pyclass(frozen, module = "modemrig._native", name = "Client")]
pub struct NativeClient {
    client: Client,
    inbox: Arc<Inbox>,
}

impl NativeClient {
    /// A handle; all handles to one client share its inbox.
    pub fn new(client: Client, inbox: Arc<Inbox>) -> NativeClient {
        NativeClient { client, inbox }
    }
}

#[pymethods]
impl NativeClient {
    fn index(&self) -> u8 {
        self.client.index()
    }

    fn state(&self, py: Python<'_>) -> &'static str {
        py.detach(|| self.client.state()).name()
    }

    #[pyo3(signature = (settings, timeout_s=None))]
    fn configure(&self, py: Python<'_>, settings: &Bound<'_, PyDict>, timeout_s: Option<f64>) -> PyResult<()> {
        let settings = value::named(settings)?;
        wait::blocking(py, timeout_s, |wait| self.client.configure(&settings, wait))
    }

    #[pyo3(signature = (timeout_s=None))]
    fn settings<'py>(&self, py: Python<'py>, timeout_s: Option<f64>) -> PyResult<Bound<'py, PyDict>> {
        let result = PyDict::new(py);
        for (name, setting) in wait::blocking(py, timeout_s, |wait| self.client.settings(wait))? {
            result.set_item(name, value::dictionary(py, &setting)?)?;
        }
        Ok(result)
    }

    #[pyo3(signature = (name, timeout_s=None))]
    fn setting<'py>(&self, py: Python<'py>, name: &str, timeout_s: Option<f64>) -> PyResult<Bound<'py, PyDict>> {
        value::dictionary(py, &wait::blocking(py, timeout_s, |wait| self.client.setting(name, wait))?)
    }

    #[pyo3(signature = (host, port, tls=None, timeout_s=None))]
    fn open(&self, py: Python<'_>, host: &str, port: i64, tls: Option<i64>, timeout_s: Option<f64>) -> PyResult<()> {
        let refused = |name: &str, value: i64, allowed: &str| {
            errors::exception(py, Error::new(Kind::BadValue, format!("{name} cannot be {value}; allowed: {allowed}")))
        };
        let port = u16::try_from(port).map_err(|_| refused("port", port, "1-65535"))?;
        let tls = match tls {
            Some(context) => Some(u8::try_from(context).map_err(|_| refused("tls", context, "a TLS context"))?),
            None => None,
        };
        wait::blocking(py, timeout_s, |wait| self.client.open(host, port, tls, wait))
    }

    #[pyo3(signature = (client_id, username=None, password=None, timeout_s=None, keep_messages=false))]
    fn connect(
        &self,
        py: Python<'_>,
        client_id: String,
        username: Option<String>,
        password: Option<String>,
        timeout_s: Option<f64>,
        keep_messages: bool,
    ) -> PyResult<()> {
        let credentials = Credentials { client_id, username, password };
        wait::blocking(py, timeout_s, |wait| match keep_messages {
            true => self.client.reconnect(&credentials, wait),
            false => self.client.connect(&credentials, wait),
        })
    }

    #[pyo3(signature = (topics, timeout_s=None))]
    fn subscribe(
        &self,
        py: Python<'_>,
        topics: Vec<(String, i64)>,
        timeout_s: Option<f64>,
    ) -> PyResult<Vec<(String, Option<u8>)>> {
        wait::blocking(py, timeout_s, |wait| self.client.subscribe(&topics, wait))
    }

    #[pyo3(signature = (topics, timeout_s=None))]
    fn unsubscribe(&self, py: Python<'_>, topics: Vec<String>, timeout_s: Option<f64>) -> PyResult<()> {
        wait::blocking(py, timeout_s, |wait| self.client.unsubscribe(&topics, wait))
    }

    #[pyo3(signature = (topic, payload, qos, retain, timeout_s=None))]
    fn publish(
        &self,
        py: Python<'_>,
        topic: String,
        payload: Vec<u8>,
        qos: i64,
        retain: bool,
        timeout_s: Option<f64>,
    ) -> PyResult<NativeReceipt> {
        let message = Outgoing { topic, payload, qos, retain };
        wait::blocking(py, timeout_s, |wait| self.client.publish(&message, wait)).map(NativeReceipt::from)
    }

    #[pyo3(signature = (messages, timeout_s=None))]
    fn publish_many(
        &self,
        py: Python<'_>,
        messages: Vec<(String, Vec<u8>, i64, bool)>,
        timeout_s: Option<f64>,
    ) -> PyResult<Vec<NativeReceipt>> {
        let messages: Vec<Outgoing> = messages
            .into_iter()
            .map(|(topic, payload, qos, retain)| Outgoing { topic, payload, qos, retain })
            .collect();
        let receipts = wait::blocking(py, timeout_s, |wait| self.client.publish_many(&messages, wait))?;
        Ok(receipts.into_iter().map(NativeReceipt::from).collect())
    }

    #[pyo3(signature = (timeout_s=None))]
    fn messages(&self, timeout_s: Option<f64>) -> Messages {
        Messages::new(self.client.clone(), self.inbox.clone(), timeout_s)
    }

    fn dropped(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.client.dropped())
    }

    #[pyo3(signature = (timeout_s=None))]
    fn connection_lost(&self, py: Python<'_>, timeout_s: Option<f64>) -> PyResult<Option<LostTuple>> {
        let timeout_s = Some(timeout_s.unwrap_or(f64::INFINITY));
        let lost = wait::blocking(py, timeout_s, |wait| self.client.connection_lost(wait))?;
        Ok(lost.map(|lost| (lost.client, lost.reported, lost.code, lost.meaning, lost.remedy, lost.at.as_secs_f64())))
    }

    #[pyo3(signature = (timeout_s=None))]
    fn disconnect(&self, py: Python<'_>, timeout_s: Option<f64>) -> PyResult<()> {
        wait::blocking(py, timeout_s, |wait| self.client.disconnect(wait))
    }

    #[pyo3(signature = (timeout_s=None))]
    fn close(&self, py: Python<'_>, timeout_s: Option<f64>) -> PyResult<()> {
        wait::blocking(py, timeout_s, |wait| self.client.close(wait))
    }
}

/// The promise of the result of one publish.
#[pyclass(frozen, module = "modemrig._native", name = "Receipt")]
pub struct NativeReceipt {
    receipt: Receipt,
}

impl From<Receipt> for NativeReceipt {
    fn from(receipt: Receipt) -> NativeReceipt {
        NativeReceipt { receipt }
    }
}

#[pymethods]
impl NativeReceipt {
    #[pyo3(signature = (timeout_s=None))]
    fn wait<'py>(&self, py: Python<'py>, timeout_s: Option<f64>) -> PyResult<LateTuple<'py>> {
        late_tuple(py, &wait::blocking(py, timeout_s, |wait| self.receipt.wait(wait))?)
    }

    /// The result and the error, of which at most one is there.
    fn outcome<'py>(&self, py: Python<'py>) -> PyResult<(Option<LateTuple<'py>>, Option<Bound<'py, PyAny>>)> {
        Ok(match py.detach(|| self.receipt.result()) {
            None => (None, None),
            Some(Ok(late)) => (Some(late_tuple(py, &late)?), None),
            Some(Err(error)) => (None, Some(errors::object(py, &error)?)),
        })
    }

    fn msgid(&self, py: Python<'_>) -> u16 {
        py.detach(|| self.receipt.msgid())
    }
}
