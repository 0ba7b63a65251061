//! A virtual module for Python: started, asked for its port, stopped.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::bindings::logging;
use crate::bindings::wait;
use crate::cloud::Method;
use crate::dialect::schema::Family;
use crate::error::Error;
use crate::error::Kind;
use crate::virtual_module::BrokerAddress;
use crate::virtual_module::CloudSigning;
use crate::virtual_module::Conditions;
use crate::virtual_module::Endpoint;
use crate::virtual_module::FAULTS;
use crate::virtual_module::IdentityOptions;
use crate::virtual_module::Network;
use crate::virtual_module::QUIRKS;
use crate::virtual_module::Registration;
use crate::virtual_module::Sim;
use crate::virtual_module::VirtualModule;
use crate::virtual_module::VirtualOptions;
use crate::virtual_module::differing_dialect;
use crate::virtual_module::faults;
use crate::virtual_module::params::ParamRow;
use crate::virtual_module::profiles;
use crate::virtual_module::quirks;

/// The port for MQTT over TLS where nobody names another.
const TLS_PORT: u16 = 8883;

/// IMEI, model, revision, IMSI, ICCID.
type IdentityTuple = (Option<String>, Option<String>, Option<String>, Option<String>, Option<String>);
/// Registration and its delay in seconds, rssi, ber, network time and its error in seconds, SIM, PDP, DNS.
type ConditionsTuple = (String, f64, Option<u8>, Option<u8>, bool, i64, String, bool, bool);
/// Hash, timestamp, lifetime in seconds.
type SigningTuple = (String, bool, u64);

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
        differs: Option<String>,
        broker: Option<(String, u16, Option<u16>)>,
        link: Option<PathBuf>,
        tcp: bool,
        identity: IdentityTuple,
        conditions: ConditionsTuple,
        signing: SigningTuple,
        token_url: Option<String>,
        speed: f64,
        baud: Option<u32>,
        seed: u64,
        quirks: Vec<String>,
        faults: Vec<String>,
    ) -> PyResult<NativeVirtualModule> {
        logging::install(py)?;
        let redirect =
            broker.map(|(host, port, tls_port)| BrokerAddress { host, port, tls_port: tls_port.unwrap_or(TLS_PORT) });
        let plain = VirtualOptions::new(dialect);
        let options = VirtualOptions {
            differs,
            // A module whose clocks run faster does not dawdle either; a slower one as always.
            gap: plain.gap.div_f64(if speed.is_finite() { speed.max(1.0) } else { 1.0 }),
            endpoint: if tcp { Endpoint::Tcp } else { Endpoint::Pty { link } },
            network: Network { redirect },
            identity: identity_options(identity),
            conditions: wait::brief(py, || around(conditions))?,
            cloud: wait::brief(py, || cloud_signing(&signing))?,
            token_url,
            speed,
            baud,
            seed,
            quirks,
            faults,
            ..plain
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

    fn set_conditions(&self, py: Python<'_>, conditions: ConditionsTuple) -> PyResult<()> {
        wait::brief(py, || self.module.lock().set_conditions(around(conditions)?))
    }

    fn power(&self, py: Python<'_>, what: &str) -> PyResult<()> {
        wait::brief(py, || {
            let module = self.module.lock();
            match what {
                "off" => module.power_off(),
                "on" => module.power_on(),
                "cycle" => module.power_cycle(),
                _ => Err(Error::new(Kind::BadValue, format!("power {what:?}: one of off, on, cycle"))),
            }
        })
    }

    fn inject(&self, py: Python<'_>, fault: &str) -> PyResult<()> {
        wait::brief(py, || self.module.lock().inject(fault))
    }

    fn clear(&self, py: Python<'_>, name: Option<&str>) -> PyResult<()> {
        wait::brief(py, || self.module.lock().clear(name))
    }

    fn faults(&self, py: Python<'_>) -> PyResult<Vec<(String, u64, Option<u64>)>> {
        let faults = wait::brief(py, || self.module.lock().faults())?;
        Ok(faults.into_iter().map(|status| (status.fault.to_string(), status.happened, status.left)).collect())
    }

    fn quirk(&self, py: Python<'_>, quirk: &str) -> PyResult<()> {
        wait::brief(py, || self.module.lock().quirk(quirk))
    }

    fn clear_quirk(&self, py: Python<'_>, name: Option<&str>) -> PyResult<()> {
        wait::brief(py, || self.module.lock().clear_quirk(name))
    }

    fn quirks(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        wait::brief(py, || self.module.lock().quirks())
    }

    fn dropped_messages(&self, py: Python<'_>, client: u8) -> PyResult<u64> {
        wait::brief(py, || self.module.lock().dropped_messages(client))
    }

    fn traffic(&self, py: Python<'_>) -> (u64, u64, u64, u64, u64) {
        py.detach(|| {
            let module = self.module.lock();
            let traffic = module.traffic();
            let counts = [
                &traffic.connections,
                &traffic.segments_sent,
                &traffic.sent,
                &traffic.segments_received,
                &traffic.received,
            ];
            counts.map(|count| count.load(Ordering::Relaxed)).into()
        })
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.module.lock().stop());
        logging::drain(py);
    }
}

fn identity_options((imei, model, revision, imsi, iccid): IdentityTuple) -> IdentityOptions {
    IdentityOptions { imei, model, revision, imsi, iccid }
}

fn around(conditions: ConditionsTuple) -> Result<Conditions, Error> {
    let (registration, delay_s, rssi, ber, network_time, clock_error_s, sim, pdp, dns) = conditions;
    let registration_delay = Duration::try_from_secs_f64(delay_s)
        .map_err(|_| Error::new(Kind::BadValue, format!("registration_delay_s {delay_s}: 0 or more seconds")))?;
    Ok(Conditions {
        registration: chosen("registration", &registration, &Registration::NAMES)?,
        registration_delay,
        rssi,
        ber,
        network_time,
        clock_error_s,
        sim: chosen("sim", &sim, &Sim::NAMES)?,
        pdp,
        dns,
    })
}

fn cloud_signing((method, timestamp, lifetime_s): &SigningTuple) -> Result<CloudSigning, Error> {
    let method = chosen("method", method, &Method::NAMES)?;
    Ok(CloudSigning { method, timestamp: *timestamp, lifetime: Duration::from_secs(*lifetime_s) })
}

/// What a name stands for.
fn chosen<T: Copy>(what: &str, name: &str, names: &[(&str, T)]) -> Result<T, Error> {
    names.iter().find(|(known, _)| *known == name).map(|(_, value)| *value).ok_or_else(|| {
        let all: Vec<&str> = names.iter().map(|(known, _)| *known).collect();
        Error::new(Kind::BadValue, format!("{what} {name:?}: one of {}", all.join(", ")))
    })
}

/// A parameter of the tables: name, title, what it may be, default.
type ParamInfo = (&'static str, &'static str, String, Option<&'static str>);
/// A fault of the table: name, title, parameters.
type FaultInfo = (&'static str, &'static str, Vec<ParamInfo>);
/// A quirk of the table: name, title, rules of the field, family, parameters.
type QuirkInfo = (&'static str, &'static str, Vec<&'static str>, Option<&'static str>, Vec<ParamInfo>);

fn params(rows: &'static [ParamRow]) -> Vec<ParamInfo> {
    rows.iter().map(|row| (row.name, row.title, row.kind.allowed(), row.default)).collect()
}

/// Every fault there is.
#[pyfunction(name = "faults")]
pub fn list_faults() -> Vec<FaultInfo> {
    FAULTS.iter().map(|row| (row.name, row.title, params(row.params))).collect()
}

/// Every quirk there is.
#[pyfunction(name = "quirks")]
pub fn list_quirks() -> Vec<QuirkInfo> {
    let family = |family: &Family| match family {
        Family::Qmt => "qmt",
        Family::Cmqtt => "cmqtt",
    };
    QUIRKS
        .iter()
        .map(|row| (row.name, row.title, row.field.to_vec(), row.family.as_ref().map(family), params(row.params)))
        .collect()
}

/// A profile: name, title, other names, dialect, model, quirks, examples that it does not support and why.
type ProfileInfo = (&'static str, String, Vec<String>, String, String, Vec<String>, Vec<(String, String)>);

/// Every profile there is.
#[pyfunction(name = "profiles")]
pub fn list_profiles() -> Vec<ProfileInfo> {
    let row = |profile: &profiles::Profile| {
        let unsupported = profile.unsupported.iter().map(|row| (row.example.clone(), row.why.clone())).collect();
        let (title, also, dialect) = (profile.title.clone(), profile.also.clone(), profile.dialect.clone());
        (profile.name, title, also, dialect, profile.model.clone(), profile.quirks.clone(), unsupported)
    };
    profiles::PROFILES.iter().map(row).collect()
}

/// Says what is wrong with a quirk, if anything is, for modules of a dialect.
#[pyfunction]
pub fn check_quirk(py: Python<'_>, dialect: &str, quirk: &str) -> PyResult<()> {
    wait::brief(py, || quirks::check(dialect, quirk))
}

/// Says what is wrong with a fault, if anything is, for modules of a dialect.
#[pyfunction]
pub fn check_fault(py: Python<'_>, dialect: &str, fault: &str) -> PyResult<()> {
    wait::brief(py, || faults::check(dialect, fault))
}

/// Says what is wrong with a difference, if anything is, for modules of a dialect.
#[pyfunction]
pub fn check_differs(py: Python<'_>, dialect: &str, difference: &str) -> PyResult<()> {
    wait::brief(py, || differing_dialect(dialect, Some(difference)).map(drop))
}
