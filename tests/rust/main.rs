//! The one integration binary: what several layers do together.

#[cfg(feature = "virtual")]
mod bench_broker;
#[cfg(feature = "virtual")]
mod codes;
mod engine_clients;
mod engine_commands;
mod engine_field;
mod engine_field_forms;
#[cfg(feature = "virtual")]
mod engine_formats;
mod engine_lifecycle;
mod engine_port;
mod engine_properties;
#[cfg(feature = "virtual")]
mod engine_quirks;
#[cfg(feature = "virtual")]
mod engine_quirks_qmt;
mod engine_recovery;
mod engine_script;
mod engine_setup;
#[cfg(feature = "virtual")]
mod engine_tls;
#[cfg(feature = "virtual")]
mod engine_virtual;
mod engine_wire;
mod field;
#[cfg(feature = "virtual")]
mod field_table;
mod fuzz;
mod layers;
#[cfg(feature = "virtual")]
mod mosquitto;
#[cfg(feature = "virtual")]
mod mosquitto_clients;
mod naive;
#[cfg(feature = "virtual")]
mod ports;
mod proto_naive;
mod proto_properties;
#[cfg(feature = "virtual")]
mod qmt;
mod random;
#[cfg(all(feature = "virtual", target_os = "linux", not(modemrig_portable)))]
mod record;
mod replay;
mod replay_line;
#[cfg(feature = "virtual")]
mod rivals;
mod seed_facts;
mod seed_known;
mod seed_repair;
mod seeds;
#[cfg(feature = "virtual")]
mod sim7028_connection;
#[cfg(feature = "virtual")]
mod sim7028_host;
#[cfg(feature = "virtual")]
mod sim7028_messages;
#[cfg(feature = "virtual")]
mod sim7028_service;
#[cfg(feature = "virtual")]
mod sim7028_transfer;
#[cfg(feature = "virtual")]
mod simulated;
#[cfg(feature = "virtual")]
mod simulation;
#[cfg(feature = "virtual")]
mod speed;
mod strict;
mod te_session;
#[cfg(feature = "virtual")]
mod tls_host;
#[cfg(feature = "virtual")]
mod tls_servers;
mod vectors;
#[cfg(feature = "virtual")]
mod virtual_clouds;
#[cfg(feature = "virtual")]
mod virtual_cmqtt;
#[cfg(feature = "virtual")]
mod virtual_commands;
#[cfg(feature = "virtual")]
mod virtual_conditions;
#[cfg(feature = "virtual")]
mod virtual_differs;
#[cfg(feature = "virtual")]
mod virtual_examples;
mod virtual_faults;
mod virtual_faults_network;
#[cfg(feature = "virtual")]
mod virtual_foreign;
#[cfg(feature = "virtual")]
mod virtual_fuzz;
#[cfg(feature = "virtual")]
mod virtual_host;
#[cfg(feature = "virtual")]
mod virtual_host_shapes;
#[cfg(feature = "virtual")]
mod virtual_line;
#[cfg(feature = "virtual")]
mod virtual_manners;
#[cfg(feature = "virtual")]
mod virtual_network;
#[cfg(feature = "virtual")]
mod virtual_power;
#[cfg(feature = "virtual")]
mod virtual_profiles;
#[cfg(feature = "virtual")]
mod virtual_profiles_qmt;
#[cfg(feature = "virtual")]
mod virtual_profiles_simcom;
#[cfg(feature = "virtual")]
mod virtual_qmt;
#[cfg(feature = "virtual")]
mod virtual_quirks;
#[cfg(feature = "virtual")]
mod virtual_quirks_cmqtt;
#[cfg(feature = "virtual")]
mod virtual_quirks_lines;
#[cfg(feature = "virtual")]
mod virtual_quirks_qmt;
#[cfg(feature = "virtual")]
mod virtual_surroundings;
mod virtual_tls;
#[cfg(feature = "virtual")]
mod virtual_tls_contexts;
#[cfg(feature = "virtual")]
mod virtual_tls_sessions;
