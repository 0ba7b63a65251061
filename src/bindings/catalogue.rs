//! The catalogue for Python: its JSON form and its printed reference, both as text.

use pyo3::prelude::*;

use crate::bindings::wait;
use crate::dialect::Dialect;
use crate::dialect::catalogue;
use crate::error::Error;
use crate::error::Kind;

/// The dialects known, in the order of the documents.
#[pyfunction]
pub fn dialects(py: Python<'_>) -> Vec<&'static str> {
    py.detach(|| catalogue().ids())
}

/// One document as JSON text.
#[pyfunction]
pub fn catalogue_json(py: Python<'_>, dialect: &str) -> PyResult<String> {
    wait::brief(py, || Ok(known(dialect)?.to_json().to_string()))
}

/// One document as a person reads it.
#[pyfunction]
pub fn reference(py: Python<'_>, dialect: &str) -> PyResult<String> {
    wait::brief(py, || Ok(known(dialect)?.reference()))
}

/// The dialect with this id, or an error that lists those that are known.
fn known(dialect: &str) -> Result<&'static Dialect, Error> {
    catalogue().get(dialect).ok_or_else(|| {
        Error::new(Kind::Unsupported, format!("there is no dialect {dialect:?}"))
            .with_remedy(format!("known are {}", catalogue().ids().join(", ")))
    })
}
