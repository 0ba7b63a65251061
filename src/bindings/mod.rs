//! The Python boundary: signature, call, map. The only layer that names pyo3; `python/modemrig/_native.pyi` is its manual.
//!
//! Classes are frozen and methods take `&self`; whatever may block or take a lock runs detached from the interpreter; every
//! wait goes through [`wait`], every error through [`errors`]. No thread of ours ever attaches to Python: log records wait
//! for the next Python thread ([`logging`]). Results cross as tuples; `python/modemrig` gives their fields names.

use pyo3::prelude::*;

mod broker;
mod catalogue;
mod client;
mod decode;
mod errors;
mod events;
mod logging;
mod modem;
mod recovery;
mod replay;
mod reply;
mod value;
mod virtual_module;
mod wait;

/// `modemrig._native`
#[pymodule(gil_used = false)]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::bindings::broker::NativeBroker;
    #[pymodule_export]
    use crate::bindings::broker::generate_certificates;
    #[pymodule_export]
    use crate::bindings::catalogue::catalogue_json;
    #[pymodule_export]
    use crate::bindings::catalogue::dialects;
    #[pymodule_export]
    use crate::bindings::catalogue::reference;
    #[pymodule_export]
    use crate::bindings::client::NativeClient;
    #[pymodule_export]
    use crate::bindings::client::NativeReceipt;
    #[pymodule_export]
    use crate::bindings::decode::Decoder;
    #[pymodule_export]
    use crate::bindings::decode::cover;
    #[pymodule_export]
    use crate::bindings::decode::decode_line;
    #[pymodule_export]
    use crate::bindings::events::Events;
    #[pymodule_export]
    use crate::bindings::events::Messages;
    #[pymodule_export]
    use crate::bindings::events::PyMessage;
    #[pymodule_export]
    use crate::bindings::modem::NativeModem;
    #[pymodule_export]
    use crate::bindings::modem::identify;
    #[pymodule_export]
    use crate::bindings::modem::ports;
    #[pymodule_export]
    use crate::bindings::replay::NativeRecorder;
    #[pymodule_export]
    use crate::bindings::replay::NativeReplayModule;
    #[pymodule_export]
    use crate::bindings::reply::PyReply;
    #[pymodule_export]
    use crate::bindings::virtual_module::NativeVirtualModule;
    #[pymodule_export]
    use crate::bindings::virtual_module::check_differs;
    #[pymodule_export]
    use crate::bindings::virtual_module::check_fault;
    #[pymodule_export]
    use crate::bindings::virtual_module::check_quirk;
    #[pymodule_export]
    use crate::bindings::virtual_module::list_faults;
    #[pymodule_export]
    use crate::bindings::virtual_module::list_profiles;
    #[pymodule_export]
    use crate::bindings::virtual_module::list_quirks;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
