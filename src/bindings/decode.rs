//! Transcripts for Python: an iterator of JSON texts, one for each event.

use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Cursor;
use std::path::PathBuf;

use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::bindings::wait;
use crate::error::Error;
use crate::error::Kind;
use crate::transcript;
use crate::transcript::Decoded;
use crate::transcript::FormatError;

type Source = Box<dyn BufRead + Send>;

/// Iterates over the events of a transcript.
#[pyclass(frozen, module = "modemrig._native")]
pub struct Decoder {
    /// What stands before the number of a broken line.
    name: String,
    decoded: Mutex<Decoded<Source>>,
}

#[pymethods]
impl Decoder {
    /// Of a file.
    #[staticmethod]
    fn of_file(py: Python<'_>, path: PathBuf) -> PyResult<Decoder> {
        let name = path.display().to_string();
        let file = py.detach(|| File::open(path))?;
        Decoder::new(py, name, Box::new(BufReader::new(file)))
    }

    /// Of text that is already here.
    #[staticmethod]
    fn of_text(py: Python<'_>, name: String, text: String) -> PyResult<Decoder> {
        Decoder::new(py, name, Box::new(Cursor::new(text)))
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<String>> {
        wait::brief(py, || match self.decoded.lock().next() {
            None => Ok(None),
            Some(Ok(event)) => Ok(Some(event.to_string())),
            Some(Err(error)) => Err(broken(&self.name, &error)),
        })
    }
}

impl Decoder {
    fn new(py: Python<'_>, name: String, source: Source) -> PyResult<Decoder> {
        let decoded = wait::brief(py, || transcript::decode(source).map_err(|error| broken(&name, &error)))?;
        Ok(Decoder { name, decoded: Mutex::new(decoded) })
    }
}

/// The events that one line of a module amounts to, as JSON texts.
#[pyfunction]
pub fn decode_line(py: Python<'_>, line: &[u8]) -> Vec<String> {
    py.detach(|| transcript::decode_line(line).iter().map(ToString::to_string).collect())
}

/// A line with its secrets covered.
#[pyfunction]
pub fn cover(py: Python<'_>, line: &str) -> String {
    py.detach(|| transcript::redact::cover(line))
}

fn broken(name: &str, error: &FormatError) -> Error {
    Error::new(Kind::BadValue, format!("{name}, line {}: {}", error.line, error.reason))
}
