//! The answer to a command line. Its fields become Python objects when they are asked for: most callers look at one.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::bindings::errors;
use crate::bindings::events::op_name;
use crate::engine::LateResult;
use crate::engine::Reply;

/// `(op, name, client, msgid, code, values, after_s)`: the fields of `modemrig.LateResult`, in order.
pub type LateTuple<'py> = (&'static str, String, Option<u8>, Option<u16>, i32, Bound<'py, PyTuple>, f64);

/// A late result for `modemrig.LateResult`.
pub fn late_tuple<'py>(py: Python<'py>, late: &LateResult) -> PyResult<LateTuple<'py>> {
    Ok((
        op_name(late.op),
        late.name.clone(),
        late.client,
        late.msgid,
        late.code,
        PyTuple::new(py, &late.values)?,
        late.after.as_secs_f64(),
    ))
}

/// The engine's reply; `modemrig.Reply` wraps it and copies its facts only to be pickled or compared.
#[pyclass(frozen, module = "modemrig._native", name = "Reply")]
pub struct PyReply {
    reply: Reply,
}

impl From<Reply> for PyReply {
    fn from(reply: Reply) -> PyReply {
        PyReply { reply }
    }
}

#[pymethods]
impl PyReply {
    #[getter]
    fn line(&self) -> &str {
        &self.reply.line
    }

    #[getter]
    fn lines<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.reply.lines)
    }

    #[getter]
    fn r#final(&self) -> String {
        self.reply.final_text()
    }

    #[getter]
    fn result<'py>(&self, py: Python<'py>) -> PyResult<Option<LateTuple<'py>>> {
        self.reply.result.as_ref().map(|late| late_tuple(py, late)).transpose()
    }

    #[getter]
    fn exchanged<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.reply.exchanged)
    }

    #[getter]
    fn elapsed_s(&self) -> f64 {
        self.reply.elapsed.as_secs_f64()
    }

    #[getter]
    fn response_s(&self) -> f64 {
        self.reply.response.as_secs_f64()
    }

    #[getter]
    fn max_response_s(&self) -> Option<f64> {
        self.reply.max_response.map(|time| time.as_secs_f64())
    }

    #[getter]
    fn error<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.reply.error.as_ref().map(|error| errors::object(py, error)).transpose()
    }
}
