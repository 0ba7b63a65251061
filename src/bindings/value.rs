//! Python values into [`Value`]s and back. What a value may be is the catalogue's business, not this file's.

use indexmap::IndexMap;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBool;
use pyo3::types::PyByteArray;
use pyo3::types::PyBytes;
use pyo3::types::PyDict;
use pyo3::types::PyInt;
use pyo3::types::PyList;
use pyo3::types::PyString;
use pyo3::types::PyTuple;

use crate::engine::Value;

/// Named values in the order given.
pub fn named(values: &Bound<'_, PyDict>) -> PyResult<Vec<(String, Value)>> {
    values
        .iter()
        .map(|(name, value)| {
            let name: String = name.extract()?;
            let value = from_python(&value).map_err(|_| {
                let given = value.get_type();
                PyTypeError::new_err(format!("{name}: int, bool, str, bytes, or a list of these, not {given}"))
            })?;
            Ok((name, value))
        })
        .collect()
}

fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    if let Ok(flag) = value.cast::<PyBool>() {
        Ok(Value::Int(i64::from(flag.is_true())))
    } else if value.is_instance_of::<PyInt>() {
        Ok(Value::Int(value.extract()?))
    } else if let Ok(text) = value.cast::<PyString>() {
        Ok(Value::Text(text.extract()?))
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        Ok(Value::Bytes(bytes.as_bytes().to_vec()))
    } else if let Ok(bytes) = value.cast::<PyByteArray>() {
        Ok(Value::Bytes(bytes.to_vec()))
    } else if value.is_instance_of::<PyTuple>() || value.is_instance_of::<PyList>() {
        value.try_iter()?.map(|item| from_python(&item?)).collect::<PyResult<_>>().map(Value::List)
    } else {
        Err(PyTypeError::new_err(()))
    }
}

/// A value as Python sees it.
pub fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Int(number) => number.into_pyobject(py)?.into_any(),
        Value::Text(text) => PyString::new(py, text).into_any(),
        Value::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        Value::List(values) => {
            let items = values.iter().map(|value| to_python(py, value)).collect::<PyResult<Vec<_>>>()?;
            PyTuple::new(py, items)?.into_any()
        }
    })
}

/// Named values as a dictionary.
pub fn dictionary<'py>(py: Python<'py>, values: &IndexMap<String, Value>) -> PyResult<Bound<'py, PyDict>> {
    let result = PyDict::new(py);
    for (name, value) in values {
        result.set_item(name, to_python(py, value)?)?;
    }
    Ok(result)
}
