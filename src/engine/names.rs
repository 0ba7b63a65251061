//! Which setting a name means: a documented key, a documented parameter, or a friendly name. One small table; the rest is
//! the catalogue's.

use indexmap::IndexMap;

use crate::dialect::Dialect;
use crate::dialect::schema::Command;
use crate::dialect::schema::Family;
use crate::dialect::schema::Variant;
use crate::engine::orders::is_client;
use crate::engine::value::Value;
use crate::error::Error;
use crate::error::Kind;

/// Friendly names and the documented parameters they stand for, the first that the dialect has.
const FRIENDLY: &[(&str, &[&str])] = &[
    ("keepalive_s", &["keep_alive_time", "keepalive_time"]),
    ("version", &["vsn"]),
    ("packet_timeout_s", &["pkt_timeout"]),
    ("retries", &["retry_times"]),
    ("retry_notice", &["timeout_notice"]),
    ("pdp_context", &["cid"]),
    ("receive_mode", &["msg_recv_mode", "msg_rcv_mode"]),
    ("payload_length_shown", &["msg_len_enable"]),
    ("ping_timeout_s", &["qmtping_interval"]),
    ("edit_timeout_s", &["edit_time", "edit_timeout"]),
    ("check_utf8", &["checkutf8_flag"]),
    ("operation_timeout_s", &["optimeout_val"]),
];

/// Protocol levels as people write them.
const VERSIONS: &[(&str, i64)] = &[("3.1", 3), ("3.1.1", 4)];

/// Parameters of AT+CMQTTCONNECT that are settings elsewhere.
pub const WISHES: &[&str] = &["keepalive_time", "clean_session"];

/// The command that holds a family's settings.
pub fn settings_command(family: Family) -> &'static str {
    match family {
        Family::Qmt => "AT+QMTCFG",
        Family::Cmqtt => "AT+CMQTTCFG",
    }
}

/// What a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A whole setting, by key.
    Key(String),
    /// One parameter of a setting.
    Param {
        /// The setting.
        key: String,
        /// The parameter.
        param: String,
    },
    /// A parameter of a later command (SIMCom).
    Wish(String),
    /// The will, as topic, payload, QoS, retain.
    Will,
}

/// Finds what a name means for this dialect; `value` tells the friendly `will` from the documented one.
pub fn meaning(dialect: &Dialect, name: &str, value: Option<&Value>) -> Result<Meaning, Error> {
    let command = settings(dialect)?;
    let name = name.to_ascii_lowercase();
    let friendly_will = !matches!(value, Some(Value::List(values)) if matches!(values.first(), Some(Value::Int(_))))
        && !matches!(value, Some(Value::Int(_)) | None);
    if name == "will" && (friendly_will || dialect.family == Family::Cmqtt) {
        return Ok(Meaning::Will);
    }
    let is_version = name == "version" && matches!(value, Some(Value::Text(_)));
    let friendly = FRIENDLY.iter().filter(|(friendly, _)| *friendly == name && (name != "version" || is_version));
    let documented = friendly.flat_map(|(_, documented)| documented.iter().copied());
    for candidate in documented.chain([name.as_str()]) {
        if let Some(found) = by_param(dialect, command, candidate) {
            return Ok(found);
        }
    }
    let key = command
        .variants
        .keys()
        .find(|key| key.to_ascii_lowercase() == name || key.replace('/', "_").to_ascii_lowercase() == name);
    match key {
        Some(key) => Ok(Meaning::Key(key.clone())),
        None => Err(unknown(dialect, command, &name)),
    }
}

fn by_param(dialect: &Dialect, command: &Command, param: &str) -> Option<Meaning> {
    // A key and its parameter may share a name; the key is the more general word.
    if command.variants.keys().any(|key| key.eq_ignore_ascii_case(param)) {
        return None;
    }
    let has = |variant: &Variant| variant.params.iter().any(|known| known == param && !is_client(known));
    if let Some((key, _)) = command.variants.iter().find(|(_, variant)| has(variant)) {
        return Some(Meaning::Param { key: key.clone(), param: param.to_owned() });
    }
    let wish = dialect.family == Family::Cmqtt && WISHES.contains(&param);
    wish.then(|| Meaning::Wish(param.to_owned()))
}

/// The command whose variants are the settings.
pub fn settings(dialect: &Dialect) -> Result<&Command, Error> {
    let name = settings_command(dialect.family);
    dialect.command(name).ok_or_else(|| Error::new(Kind::Internal, format!("{} has no {name}", dialect.id)))
}

/// The value a friendly spelling stands for.
pub fn plain_value(param: &str, value: &Value) -> Value {
    match value {
        Value::Text(text) if param == "vsn" => {
            let known = VERSIONS.iter().find(|(spelling, _)| spelling == text);
            known.map_or_else(|| value.clone(), |(_, level)| Value::Int(*level))
        }
        other => other.clone(),
    }
}

fn unknown(dialect: &Dialect, command: &Command, name: &str) -> Error {
    let keys: Vec<&str> = command.variants.keys().map(String::as_str).collect();
    let friendly: Vec<&str> = FRIENDLY
        .iter()
        .filter(|(_, documented)| documented.iter().any(|param| by_param(dialect, command, param).is_some()))
        .map(|(friendly, _)| *friendly)
        .collect();
    let elsewhere = FRIENDLY.iter().any(|(friendly, _)| *friendly == name);
    let kind = if elsewhere || documented_elsewhere(name) { Kind::Unsupported } else { Kind::BadValue };
    Error::new(kind, format!("{} has no setting {name}; it has {}", dialect.id, keys.join(", ")))
        .with_remedy(format!("friendly names: {}, clean_session, will", friendly.join(", ")))
        .with_source(format!("{}, {}", dialect.document.title, command.source))
}

/// Whether any dialect has a setting or parameter of this name.
fn documented_elsewhere(name: &str) -> bool {
    crate::dialect::catalogue().dialects().iter().filter_map(|dialect| settings(dialect).ok()).any(|command| {
        command.variants.keys().any(|key| key.eq_ignore_ascii_case(name))
            || command.params.keys().any(|param| param.eq_ignore_ascii_case(name))
    })
}

/// Every setting and the parameters behind it, without the client's number.
pub fn setting_names(dialect: &Dialect) -> IndexMap<String, Vec<String>> {
    let Ok(command) = settings(dialect) else { return IndexMap::new() };
    let params = |variant: &Variant| variant.params.iter().filter(|param| !is_client(param)).cloned().collect();
    command.variants.iter().map(|(key, variant)| (key.clone(), params(variant))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::catalogue;

    fn found(dialect: &str, name: &str, value: Option<Value>) -> Result<Meaning, Kind> {
        let dialect = catalogue().get(dialect).expect("is built in");
        meaning(dialect, name, value.as_ref()).map_err(|error| error.kind)
    }

    fn param(key: &str, param: &str) -> Result<Meaning, Kind> {
        Ok(Meaning::Param { key: key.into(), param: param.into() })
    }

    #[test]
    fn friendly_names_documented_parameters_and_keys_all_lead_to_a_setting() {
        assert_eq!(param("keepalive", "keep_alive_time"), found("ecx00u_egx00u", "keepalive_s", Some(60.into())));
        assert_eq!(param("timeout", "pkt_timeout"), found("ecx00u_egx00u", "pkt_timeout", Some(6.into())));
        assert_eq!(param("version", "vsn"), found("ecx00u_egx00u", "version", Some("3.1.1".into())));
        assert_eq!(Ok(Meaning::Key("version".into())), found("ecx00u_egx00u", "version", Some(4.into())));
        assert_eq!(
            Ok(Meaning::Key("recv/mode".into())),
            found("ecx00u_egx00u", "recv_mode_", None).or(found("ecx00u_egx00u", "recv/mode", None))
        );
        assert_eq!(Ok(Meaning::Wish("keepalive_time".into())), found("sim7028", "keepalive_s", Some(60.into())));
    }

    #[test]
    fn a_will_is_told_by_what_it_begins_with() {
        let friendly = Value::List(vec!["t".into(), Value::Bytes(vec![0]), 1.into(), 0.into()]);
        let documented = Value::List(vec![1.into(), 0.into(), 0.into(), "t".into(), "m".into()]);
        assert_eq!(Ok(Meaning::Will), found("ecx00u_egx00u", "will", Some(friendly)));
        assert_eq!(Ok(Meaning::Key("will".into())), found("ecx00u_egx00u", "will", Some(documented)));
    }

    #[test]
    fn what_another_dialect_has_is_unsupported_and_nonsense_is_a_bad_value() {
        assert_eq!(Err(Kind::Unsupported), found("bc35g_bc28", "pdp_context", Some(1.into())));
        assert_eq!(Err(Kind::BadValue), found("bc35g_bc28", "nonsense", Some(1.into())));
    }

    #[test]
    fn every_setting_of_every_dialect_is_found_by_its_key_and_by_each_parameter() {
        for dialect in catalogue().dialects() {
            for (key, params) in setting_names(dialect) {
                assert!(meaning(dialect, &key, None).is_ok(), "{} {key}", dialect.id);
                for param in params {
                    assert!(meaning(dialect, &param, None).is_ok(), "{} {key} {param}", dialect.id);
                }
            }
        }
    }
}
