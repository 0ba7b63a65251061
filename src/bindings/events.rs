//! What a module says without being asked: messages and events, and the iterators that hand them out.
//!
//! Many messages are taken from the engine under one release of the interpreter lock; those not yet handed out wait in the
//! client's [`Inbox`], so that leaving an iterator loses nothing.

use std::collections::VecDeque;
use std::hash::DefaultHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3::types::PyDict;
use pyo3::types::PyString;
use pyo3::types::PyTuple;

use crate::bindings::wait;
use crate::engine::Client;
use crate::engine::Received;
use crate::engine::Subscription;
use crate::engine::TimedEvent;
use crate::proto::Delimiter;
use crate::proto::Event;
use crate::proto::FinalResult;
use crate::proto::Op;

/// More than this under one release of the interpreter lock gains nothing.
const BATCH: usize = 256;

/// A message from the broker: a value of its own, so that a million a second can be made.
#[pyclass(frozen, module = "modemrig", name = "Message")]
pub struct PyMessage {
    #[pyo3(get)]
    client: u8,
    #[pyo3(get)]
    topic: Py<PyString>,
    #[pyo3(get)]
    payload: Py<PyBytes>,
    #[pyo3(get)]
    msgid: Option<u16>,
    #[pyo3(get)]
    time: f64,
    #[pyo3(get)]
    delimiter: &'static str,
}

#[pymethods]
impl PyMessage {
    #[classattr]
    #[pyo3(name = "__match_args__")]
    const MATCH_ARGS: (&'static str, &'static str, &'static str) = ("client", "topic", "payload");

    #[new]
    #[pyo3(signature = (client, topic, payload, msgid=None, time=0.0, delimiter="length"))]
    fn new(
        client: u8,
        topic: Py<PyString>,
        payload: Py<PyBytes>,
        msgid: Option<u16>,
        time: f64,
        delimiter: &str,
    ) -> PyResult<PyMessage> {
        let delimiter = DELIMITERS.iter().find(|known| **known == delimiter).ok_or_else(|| {
            pyo3::exceptions::PyValueError::new_err(format!("delimiter: one of {DELIMITERS:?}, not {delimiter:?}"))
        })?;
        Ok(PyMessage { client, topic, payload, msgid, time, delimiter })
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let Ok(other) = other.cast::<PyMessage>() else { return Ok(py.NotImplemented()) };
        let other = other.get();
        let equal = self.client == other.client
            && self.msgid == other.msgid
            && self.time == other.time
            && self.delimiter == other.delimiter
            && self.payload.as_bytes(py) == other.payload.as_bytes(py)
            && self.topic.bind(py).as_any().eq(other.topic.bind(py))?;
        equal.into_py_any(py)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<u64> {
        let mut hasher = DefaultHasher::new();
        (self.client, self.msgid, self.payload.as_bytes(py), self.topic.bind(py).hash()?).hash(&mut hasher);
        Ok(hasher.finish())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let payload = self.payload.bind(py);
        let length = payload.as_bytes().len();
        let shown = match length {
            0..=48 => payload.repr()?.to_string(),
            _ => format!("{}… {length} bytes", PyBytes::new(py, &payload.as_bytes()[..40]).repr()?),
        };
        Ok(format!("Message(client={}, topic={}, payload={shown})", self.client, self.topic.bind(py).repr()?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let py = slf.py();
        let this = slf.get();
        let state =
            (this.client, this.topic.clone_ref(py), this.payload.clone_ref(py), this.msgid, this.time, this.delimiter);
        Ok((slf.get_type().into_any(), state.into_pyobject(py)?))
    }
}

const DELIMITERS: [&str; 4] = ["length", "quotes", "silence", "line"];

fn delimiter_name(delimiter: Delimiter) -> &'static str {
    match delimiter {
        Delimiter::Length => DELIMITERS[0],
        Delimiter::Quotes => DELIMITERS[1],
        Delimiter::Silence => DELIMITERS[2],
        Delimiter::Line => DELIMITERS[3],
    }
}

/// Messages taken from the engine and not yet handed out; one for each client of a modem.
#[derive(Default)]
pub struct Inbox {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Received>,
    /// The last topic and its Python string: a stream of messages mostly has one.
    topic: Option<(Vec<u8>, Py<PyString>)>,
}

impl Inbox {
    /// The next message that is already here. The lock is never held while Python code can run.
    fn next(&self, py: Python<'_>) -> Option<PyResult<PyMessage>> {
        let mut waiting = self.waiting.lock();
        let received = waiting.messages.pop_front()?;
        let known = match &waiting.topic {
            Some((bytes, text)) if *bytes == received.message.topic => Some(text.clone_ref(py)),
            _ => None,
        };
        drop(waiting);
        let topic = match known {
            Some(text) => text,
            None => match text(py, &received.message.topic) {
                Ok(text) => {
                    let text = text.unbind();
                    let replaced =
                        self.waiting.lock().topic.replace((received.message.topic.clone(), text.clone_ref(py)));
                    drop(replaced);
                    text
                }
                Err(failure) => return Some(Err(failure)),
            },
        };
        Some(Ok(PyMessage {
            client: received.message.client,
            topic,
            payload: PyBytes::new(py, &received.message.payload).unbind(),
            msgid: received.message.msgid,
            time: received.at.as_secs_f64(),
            delimiter: delimiter_name(received.message.delimiter),
        }))
    }

    fn add(&self, received: Vec<Received>) {
        self.waiting.lock().messages.extend(received);
    }
}

/// Text that keeps every byte: what is not UTF-8 becomes lone surrogates, as `os.fsdecode` does it.
fn text<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(PyString::new(py, text)),
        Err(_) => {
            Ok(PyBytes::new(py, bytes).call_method1("decode", ("utf-8", "surrogateescape"))?.cast_into::<PyString>()?)
        }
    }
}

/// Iterates over the messages of a client; ends when none came for `timeout_s`.
#[pyclass(frozen, module = "modemrig._native")]
pub struct Messages {
    client: Client,
    inbox: Arc<Inbox>,
    timeout_s: Option<f64>,
}

impl Messages {
    /// Messages of this client.
    pub fn new(client: Client, inbox: Arc<Inbox>, timeout_s: Option<f64>) -> Messages {
        Messages { client, inbox, timeout_s }
    }
}

#[pymethods]
impl Messages {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<PyMessage> {
        loop {
            if let Some(message) = self.inbox.next(py) {
                return message;
            }
            let taken = wait::blocking(py, Some(self.timeout_s.unwrap_or(f64::INFINITY)), |wait| {
                self.client.take_messages(BATCH, wait)
            })?;
            if taken.is_empty() {
                return Err(PyStopIteration::new_err(()));
            }
            self.inbox.add(taken);
        }
    }
}

/// Iterates over the events of a port; ends when none came for `timeout_s`. Each is `(kind, fields, time)`.
#[pyclass(frozen, module = "modemrig._native")]
pub struct Events {
    subscription: Subscription,
    waiting: Mutex<VecDeque<TimedEvent>>,
    timeout_s: Option<f64>,
}

impl Events {
    /// Events of this subscription.
    pub fn new(subscription: Subscription, timeout_s: Option<f64>) -> Events {
        Events { subscription, waiting: Mutex::default(), timeout_s }
    }
}

#[pymethods]
impl Events {
    #[getter]
    fn dropped(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.subscription.dropped())
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<(&'static str, Bound<'py, PyDict>, f64)> {
        loop {
            let next = self.waiting.lock().pop_front();
            if let Some(event) = next {
                let (kind, fields) = fields(py, &event.event)?;
                return Ok((kind, fields, event.at.as_secs_f64()));
            }
            let timeout_s = Some(self.timeout_s.unwrap_or(f64::INFINITY));
            let taken = wait::blocking(py, timeout_s, |wait| self.subscription.take(BATCH, wait))?;
            if taken.is_empty() {
                return Err(PyStopIteration::new_err(()));
            }
            self.waiting.lock().extend(taken);
        }
    }
}

/// Kind and fields of an event, in the vocabulary of `modemrig decode`.
fn fields<'py>(py: Python<'py>, event: &Event) -> PyResult<(&'static str, Bound<'py, PyDict>)> {
    let fields = PyDict::new(py);
    let kind = match event {
        Event::Echo => "echo",
        Event::Prompt => "prompt",
        Event::Connect => "connect",
        Event::Final(result) => {
            fields.set_item("ok", *result == FinalResult::Ok)?;
            if let FinalResult::Cme(code) = result {
                fields.set_item("cme", code)?;
            }
            "final"
        }
        Event::Info { name, line } => {
            fields.set_item("name", name)?;
            fields.set_item("line", text(py, line)?)?;
            "info"
        }
        Event::Result { op, client, msgid, code, values, .. } => {
            set_present(&fields, "client", *client)?;
            set_present(&fields, "msgid", *msgid)?;
            fields.set_item("code", code)?;
            fields.set_item("values", PyTuple::new(py, values)?)?;
            op_name(*op)
        }
        Event::Retry { op, client, msgid, count, .. } => {
            fields.set_item("cmd", op_name(*op))?;
            fields.set_item("client", client)?;
            fields.set_item("msgid", msgid)?;
            set_present(&fields, "count", *count)?;
            "retry"
        }
        Event::Stale { op, client, msgid, .. } => {
            fields.set_item("cmd", op_name(*op))?;
            set_present(&fields, "client", *client)?;
            set_present(&fields, "msgid", *msgid)?;
            "stale"
        }
        Event::Message(message) => {
            fields.set_item("client", message.client)?;
            set_present(&fields, "msgid", message.msgid)?;
            fields.set_item("topic", text(py, &message.topic)?)?;
            fields.set_item("payload", PyBytes::new(py, &message.payload))?;
            "msg"
        }
        Event::Stored { client, index, payload_len } => {
            fields.set_item("client", client)?;
            fields.set_item("index", index)?;
            set_present(&fields, "payload_len", *payload_len)?;
            "stored"
        }
        Event::Slots { client, used } => {
            fields.set_item("client", client)?;
            fields.set_item("used", PyTuple::new(py, used)?)?;
            "slots"
        }
        Event::State { client, state } => {
            fields.set_item("client", client)?;
            fields.set_item("state", state)?;
            "state"
        }
        Event::Lost { client, code } => {
            fields.set_item("client", client)?;
            fields.set_item("code", code)?;
            "lost"
        }
        Event::Ping { client, result } => {
            fields.set_item("client", client)?;
            fields.set_item("result", result)?;
            "ping"
        }
        Event::BearerLost => "bearer_lost",
        Event::Restarted => "restarted",
        Event::Gone => "gone",
        Event::Urc { name, line } => {
            fields.set_item("name", name)?;
            fields.set_item("line", text(py, line)?)?;
            "urc"
        }
        Event::Ignored(bytes) => {
            fields.set_item("bytes", PyBytes::new(py, bytes))?;
            "ignored"
        }
        Event::Overflowed(bytes) => {
            fields.set_item("bytes", PyBytes::new(py, bytes))?;
            "overflowed"
        }
        Event::Damaged { name, client, bytes } => {
            fields.set_item("cmd", name)?;
            set_present(&fields, "client", *client)?;
            fields.set_item("bytes", PyBytes::new(py, bytes))?;
            "damaged"
        }
    };
    Ok((kind, fields))
}

fn set_present<'py, T: IntoPyObject<'py>>(fields: &Bound<'py, PyDict>, name: &str, value: Option<T>) -> PyResult<()> {
    value.map_or(Ok(()), |value| fields.set_item(name, value))
}

/// An operation by the word of `modemrig decode`.
pub fn op_name(op: Op) -> &'static str {
    match op {
        Op::Open => "open",
        Op::Close => "close",
        Op::Connect => "conn",
        Op::Disconnect => "disc",
        Op::Subscribe => "sub",
        Op::Unsubscribe => "uns",
        Op::Publish => "pub",
        Op::Start => "start",
        Op::Stop => "stop",
        Op::Acquire => "accq",
        Op::Release => "rel",
        Op::Input => "input",
        Op::Token => "token",
        Op::Upload => "upload",
    }
}
