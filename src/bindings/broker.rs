//! The bench broker for Python.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3::types::PyDict;

use crate::bench_broker::BenchBroker;
use crate::bench_broker::BenchOptions;
use crate::bench_broker::Certificates;
use crate::bench_broker::Clouds;
use crate::bindings::logging;
use crate::bindings::wait;
use crate::cloud::alibaba;
use crate::cloud::aws;
use crate::cloud::huawei;
use crate::cloud::onenet;
use crate::cloud::tencent;
use crate::error::Error;
use crate::error::Kind;
use crate::mqtt;
use crate::mqtt::AckAction;
use crate::mqtt::AckRule;
use crate::mqtt::Packet;
use crate::mqtt::Policy;
use crate::mqtt::Qos;

/// Authority, server certificate and key, client certificate and key.
type CertificatesTuple = (String, String, String, String, String);
/// `(time, connection, client_id, direction, kind, fields)`
type PacketTuple<'py> = (f64, u64, String, &'static str, &'static str, Bound<'py, PyDict>);
/// `(time, connection, client_id, level, kind, id, what, statement)`
type ViolationTuple = (f64, u64, String, Option<u8>, Option<&'static str>, Option<u16>, &'static str, &'static str);
/// `(kind, client_id, delay_s, times)`; without a delay the acknowledgement is lost.
type RuleTuple = (String, Option<String>, Option<f64>, Option<u32>);

/// A running broker.
#[pyclass(frozen, module = "modemrig._native", name = "BenchBroker")]
pub struct NativeBroker {
    broker: BenchBroker,
}

#[pymethods]
impl NativeBroker {
    #[new]
    #[pyo3(signature = (port=0, tls_port=0, speed=1.0))]
    fn start(py: Python<'_>, port: u16, tls_port: u16, speed: f64) -> PyResult<NativeBroker> {
        logging::install(py)?;
        let policy = Policy { speed, ..Policy::default() };
        let options = BenchOptions { port, tls_port, policy, ..BenchOptions::default() };
        let broker = wait::brief(py, || BenchBroker::start(options).map_err(|error| no_start(&error)))?;
        Ok(NativeBroker { broker })
    }

    fn host(&self) -> &'static str {
        self.broker.host()
    }

    fn port(&self) -> u16 {
        self.broker.port()
    }

    fn tls_port(&self) -> u16 {
        self.broker.tls_port()
    }

    fn certificates(&self) -> CertificatesTuple {
        certificates_tuple(self.broker.certificates().clone())
    }

    fn record<'py>(&self, py: Python<'py>) -> PyResult<Vec<PacketTuple<'py>>> {
        let record = py.detach(|| self.broker.record());
        record
            .into_iter()
            .map(|row| {
                let direction = match row.direction {
                    mqtt::Direction::In => "in",
                    mqtt::Direction::Out => "out",
                };
                let fields = fields(py, &row.packet)?;
                Ok((row.at.as_secs_f64(), row.connection.0, row.client_id, direction, row.packet.kind().name(), fields))
            })
            .collect()
    }

    fn clear_record(&self, py: Python<'_>) {
        py.detach(|| self.broker.clear_record());
    }

    fn violations(&self, py: Python<'_>) -> Vec<ViolationTuple> {
        let rows = py.detach(|| self.broker.violations());
        rows.into_iter()
            .map(|row| {
                let (statement, what) = (row.statement(), row.rule.text());
                let level = row.level.map(mqtt::Level::byte);
                let kind = row.kind.map(mqtt::Kind::name);
                (row.at.as_secs_f64(), row.connection.0, row.client_id, level, kind, row.id, what, statement)
            })
            .collect()
    }

    fn clear_violations(&self, py: Python<'_>) {
        py.detach(|| self.broker.clear_violations());
    }

    #[pyo3(signature = (code))]
    fn refuse_with(&self, py: Python<'_>, code: Option<u8>) {
        py.detach(|| self.broker.refuse_with(code));
    }

    fn refuse_filters(&self, py: Python<'_>, filters: Vec<String>) {
        py.detach(|| self.broker.refuse_filters(filters));
    }

    #[pyo3(signature = (users))]
    fn set_users(&self, py: Python<'_>, users: Option<BTreeMap<String, String>>) {
        let users = users.map(|users| users.into_iter().map(|(name, word)| (name, word.into_bytes())).collect());
        py.detach(|| self.broker.set_users(users));
    }

    fn token_url(&self) -> String {
        self.broker.token_url()
    }

    #[pyo3(signature = (devices, others, now))]
    fn set_clouds(
        &self,
        py: Python<'_>,
        devices: Option<Vec<(String, Vec<String>)>>,
        others: bool,
        now: Option<u64>,
    ) -> PyResult<()> {
        wait::brief(py, || {
            let clouds = devices.map(|devices| clouds(devices, others)).transpose()?;
            self.broker.set_clouds(clouds, now);
            Ok(())
        })
    }

    fn require_client_cert(&self, py: Python<'_>, required: bool) {
        py.detach(|| self.broker.require_client_cert(required));
    }

    fn set_ack_rules(&self, py: Python<'_>, rules: Vec<RuleTuple>) -> PyResult<()> {
        wait::brief(py, || {
            let rules = rules.into_iter().map(ack_rule).collect::<Result<_, _>>()?;
            self.broker.set_ack_rules(rules);
            Ok(())
        })
    }

    fn cut(&self, py: Python<'_>, client_id: &str) -> bool {
        py.detach(|| self.broker.cut(client_id))
    }

    fn publish(&self, py: Python<'_>, topic: &str, payload: &[u8], qos: u8, retain: bool) -> PyResult<usize> {
        wait::brief(py, || {
            let qos = Qos::from_byte(qos).ok_or_else(|| bad(format!("qos must be 0, 1 or 2, not {qos}")))?;
            Ok(self.broker.publish(topic, payload, qos, retain))
        })
    }

    fn connected(&self, py: Python<'_>) -> Vec<String> {
        py.detach(|| self.broker.connected())
    }

    fn forget_sessions(&self, py: Python<'_>) {
        py.detach(|| self.broker.forget_sessions());
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.broker.stop());
        logging::drain(py);
    }
}

/// Certificates made on the spot.
#[pyfunction]
pub fn generate_certificates(py: Python<'_>) -> PyResult<CertificatesTuple> {
    let made = wait::brief(py, || Certificates::generate().map_err(|error| no_start(&error)))?;
    Ok(certificates_tuple(made))
}

fn certificates_tuple(certificates: Certificates) -> CertificatesTuple {
    let Certificates { ca_pem, server_cert_pem, server_key_pem, client_cert_pem, client_key_pem } = certificates;
    (ca_pem, server_cert_pem, server_key_pem, client_cert_pem, client_key_pem)
}

fn ack_rule((kind, client_id, delay_s, times): RuleTuple) -> Result<AckRule, Error> {
    let kind = mqtt::Kind::from_name(&kind).ok_or_else(|| bad(format!("there is no packet {kind:?}")))?;
    let action = match delay_s {
        None => AckAction::Drop,
        Some(seconds) => AckAction::Delay(
            Duration::try_from_secs_f64(seconds).map_err(|_| bad(format!("a delay of {seconds} s makes no sense")))?,
        ),
    };
    Ok(AckRule { kind, client_id, action, times })
}

/// What a packet carries, by the standard's names; a password is only said to be there.
fn fields<'py>(py: Python<'py>, packet: &Packet) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    if let Some(id) = packet.id() {
        fields.set_item("id", id)?;
    }
    match packet {
        Packet::Connect(connect) => {
            fields.set_item("level", connect.level.byte())?;
            fields.set_item("client_id", &connect.client_id)?;
            fields.set_item("clean_session", connect.clean_session)?;
            fields.set_item("keep_alive", connect.keep_alive)?;
            fields.set_item("username", connect.username.as_deref())?;
            fields.set_item("has_password", connect.password.is_some())?;
            if let Some(will) = &connect.will {
                fields.set_item("will_topic", &will.topic)?;
                fields.set_item("will_payload", PyBytes::new(py, &will.payload))?;
                fields.set_item("will_qos", will.qos.byte())?;
                fields.set_item("will_retain", will.retain)?;
            }
        }
        Packet::Connack { session_present, code } => {
            fields.set_item("session_present", session_present)?;
            fields.set_item("code", code)?;
        }
        Packet::Publish(publish) => {
            fields.set_item("dup", publish.dup)?;
            fields.set_item("qos", publish.qos.byte())?;
            fields.set_item("retain", publish.retain)?;
            fields.set_item("topic", &publish.topic)?;
            fields.set_item("payload", PyBytes::new(py, &publish.payload))?;
        }
        Packet::Pubrel { dup, .. } => fields.set_item("dup", dup)?,
        Packet::Subscribe { dup, filters, .. } => {
            fields.set_item("dup", dup)?;
            let filters: Vec<(&str, u8)> = filters.iter().map(|(filter, qos)| (filter.as_str(), qos.byte())).collect();
            fields.set_item("filters", filters)?;
        }
        Packet::Suback { codes, .. } => {
            fields.set_item("codes", codes.iter().map(|&c| u32::from(c)).collect::<Vec<_>>())?
        }
        Packet::Unsubscribe { dup, filters, .. } => {
            fields.set_item("dup", dup)?;
            fields.set_item("filters", filters)?;
        }
        Packet::Puback { .. }
        | Packet::Pubrec { .. }
        | Packet::Pubcomp { .. }
        | Packet::Unsuback { .. }
        | Packet::Pingreq
        | Packet::Pingresp
        | Packet::Disconnect => {}
    }
    Ok(fields)
}

fn bad(message: String) -> Error {
    Error::new(Kind::BadValue, message)
}

fn no_start(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::InvalidInput => bad(error.to_string()),
        _ => Error::new(Kind::Internal, format!("the bench broker does not start: {error}")),
    }
}

/// Devices by platform; each with the fields of its Python class.
fn clouds(devices: Vec<(String, Vec<String>)>, others: bool) -> Result<Clouds, Error> {
    let mut clouds = Clouds { others, ..Clouds::default() };
    for (platform, fields) in devices {
        match (platform.as_str(), <[String; 3]>::try_from(fields)) {
            ("alibaba", Ok([product_key, device_name, device_secret])) => {
                clouds.alibaba.push(alibaba::Device { product_key, device_name, device_secret });
            }
            ("onenet", Ok([product_id, device_name, access_key])) => {
                clouds.onenet.push(onenet::Device { product_id, device_name, access_key });
            }
            ("tencent", Ok([product_id, device_name, device_secret])) => {
                clouds.tencent.push(tencent::Device { product_id, device_name, device_secret });
            }
            ("huawei", Err(fields)) if fields.len() == 2 => {
                let mut fields = fields.into_iter();
                if let (Some(device_id), Some(secret)) = (fields.next(), fields.next()) {
                    clouds.huawei.push(huawei::Device { device_id, secret });
                }
            }
            ("aws", Err(fields)) if fields.len() == 1 => {
                let server_name = fields.into_iter().next().filter(|name| !name.is_empty());
                clouds.aws = Some(aws::Endpoint { server_name });
            }
            (other, _) => return Err(bad(format!("there is no platform {other:?} with these fields"))),
        }
    }
    Ok(clouds)
}
