//! A virtual module for Python: started, asked for its port, stopped.

use std::path::PathBuf;

use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::bindings::logging;
use crate::bindings::wait;
use crate::virtual_module::BrokerAddress;
use crate::virtual_module::Endpoint;
use crate::virtual_module::IdentityOptions;
use crate::virtual_module::Network;
use crate::virtual_module::QUIRKS;
use crate::virtual_module::VirtualModule;
use crate::virtual_module::VirtualOptions;

/// The port for MQTT over TLS where nobody names another.
const TLS_PORT: u16 = 8883;

/// A running virtual module.
#[pyclass(frozen, module = "modemrig._native", name = "VirtualModule")]
pub struct NativeVirtualModule {
    path: String,
    imei: String,
    /// Locked to stop it, which joins its thread; that thread never needs the interpreter.
    module: Mutex<VirtualModule>,
}

#[pymethods]
impl NativeVirtualModule {
    #[new]
    #[allow(clippy::too_many_arguments)] // The facade gives them names.
    fn start(
        py: Python<'_>,
        dialect: String,
        broker: Option<(String, u16, Option<u16>)>,
        link: Option<PathBuf>,
        tcp: bool,
        imei: Option<String>,
        model: Option<String>,
        speed: f64,
        seed: u64,
        quirks: Vec<String>,
    ) -> PyResult<NativeVirtualModule> {
        logging::install(py)?;
        let redirect =
            broker.map(|(host, port, tls_port)| BrokerAddress { host, port, tls_port: tls_port.unwrap_or(TLS_PORT) });
        let options = VirtualOptions {
            endpoint: if tcp { Endpoint::Tcp } else { Endpoint::Pty { link } },
            network: Network { redirect },
            identity: IdentityOptions { imei, model },
            speed,
            seed,
            quirks,
            faults: Vec::new(),
            ..VirtualOptions::new(dialect)
        };
        let module = wait::brief(py, || VirtualModule::start(options))?;
        Ok(NativeVirtualModule {
            path: module.path().to_owned(),
            imei: module.identity().imei.clone(),
            module: Mutex::new(module),
        })
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn imei(&self) -> &str {
        &self.imei
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.module.lock().stop());
        logging::drain(py);
    }
}

/// Name and title of each quirk.
#[pyfunction]
pub fn quirks() -> Vec<(&'static str, &'static str)> {
    QUIRKS.iter().map(|row| (row.name, row.title)).collect()
}
