//! modemrig: drives the MQTT service inside cellular modules over their AT interface, and tests those modules.
//!
//! The layers, from the bottom; an arrow means "may import":
//!
//! ```text
//!  bindings ──► everything                      the only user of pyo3
//!  engine ───► proto dialect client transport transcript      threads, locks, ports: the host side
//!  virtual_module ─► proto dialect transport mqtt cloud       the device side
//!  replay ───► proto dialect transcript transport             a transcript that plays a module
//!  bench_broker ───► transport mqtt cloud                     the broker as a test instrument
//!  transcript ─► proto dialect                                recorded talk, and what it says
//!  client ───► proto dialect                                  state of the module's own clients
//!  dialect ──► proto                                          the five documents as data
//!  proto, mqtt, transport, cloud ─► nothing of ours           sans-IO AT, sans-IO MQTT, bytes, formulas
//! ```

#[cfg(feature = "virtual")]
pub mod bench_broker;
#[cfg(feature = "python")]
mod bindings;
pub mod client;
#[cfg(feature = "cloud")]
pub mod cloud;
pub mod dialect;
#[cfg(feature = "engine")]
pub mod engine;
pub mod error;
pub mod mqtt;
pub mod proto;
#[cfg(feature = "engine")]
pub mod replay;
pub mod transcript;
#[cfg(feature = "engine")]
pub mod transport;
#[cfg(feature = "virtual")]
pub mod virtual_module;
