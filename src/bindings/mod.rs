//! The Python boundary: signature, call, map. The only layer that names pyo3; `python/modemrig/_native.pyi` is its manual.
//!
//! Classes are frozen and methods take `&self`; whatever may block or take a lock runs detached from the interpreter; every
//! wait goes through [`wait`], every error through [`errors`]. No thread of ours ever attaches to Python: `log` records
//! reach Python's `logging` only from the threads that called in.

use pyo3::prelude::*;

/// `modemrig._native`
#[pymodule(gil_used = false)]
mod _native {
    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
