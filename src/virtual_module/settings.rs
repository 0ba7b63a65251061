//! Settings of keyed commands (`AT+QMTCFG="version",0,4`), stored as the catalogue describes them: no key is known here,
//! but for the few that write the same setting under two names.

use std::collections::BTreeMap;

use crate::dialect::Matched;
use crate::dialect::Value;
use crate::dialect::schema::Command;
use crate::dialect::schema::Param;
use crate::dialect::schema::ParamType;
use crate::dialect::schema::Variant;

/// Keys that write into another's setting (decisions 17 and 34): `willex` and `will` are one will, and `dataformat` and
/// `send/mode` have one `send_mode`.
const SHARED: &[(&str, &str, &str)] = &[
    ("willex", "will_fg", "will"),
    ("willex", "will_qos", "will"),
    ("willex", "will_retain", "will"),
    ("willex", "willtopic", "will"),
    ("dataformat", "send_mode", "send/mode"),
];

/// The settings of one command, for each client or context it has.
#[derive(Debug, Default)]
pub(super) struct Settings {
    values: BTreeMap<(String, String, i64), Value>,
}

impl Settings {
    /// Stores what a write form gives; a parameter that is left out keeps its value, or has its default again.
    pub(super) fn store(&mut self, call: &Matched<'_>, left_out_is_default: bool) {
        let Some((index, values)) = split(call) else { return };
        if left_out_is_default {
            for name in &call.variant.params {
                self.values.remove(&place(call.variant_name, name, index));
            }
        }
        for (name, value) in values {
            self.set(call.variant_name, name, index, value.clone());
        }
    }

    /// Forgets everything of one client or context.
    pub(super) fn forget(&mut self, index: i64) {
        self.values.retain(|(.., of), _| *of != index);
    }

    /// Sets one value.
    pub(super) fn set(&mut self, variant: &str, param: &str, index: i64, value: Value) {
        self.values.insert(place(variant, param, index), value);
    }

    /// Sets one value that nobody has set.
    pub(super) fn set_unless_set(&mut self, variant: &str, param: &str, index: i64, value: Value) {
        self.values.entry(place(variant, param, index)).or_insert(value);
    }

    /// The value in force: what was written, else the default of the document.
    pub(super) fn get(&self, command: &Command, variant: &str, param: &str, index: i64) -> Option<Value> {
        if let Some(value) = self.values.get(&place(variant, param, index)) {
            return Some(value.clone());
        }
        let known = command.param(param)?;
        let default = known.default.as_deref()?;
        match known.r#type {
            ParamType::Int => default.parse().ok().map(Value::Int),
            ParamType::String => Some(Value::from(default)),
        }
    }

    /// The line that answers a query: prefix, key, and the values the document lists.
    pub(super) fn answer(&self, call: &Matched<'_>) -> Option<Vec<u8>> {
        let (index, _) = split(call)?;
        let names = call.variant.query.as_ref()?;
        let mut line = call.command_name.trim_start_matches("AT").as_bytes().to_vec();
        line.extend_from_slice(b": ");
        let mut first = true;
        if let Some(key) = &call.variant.key {
            line.extend_from_slice(format!("\"{key}\"").as_bytes());
            first = false;
        }
        // As `split` has it: a setting with one parameter has no index.
        let own_index = call.variant.params.first().filter(|_| call.variant.params.len() > 1);
        for name in self.shown(call.command, call.variant_name, call.variant, names, index) {
            if !first {
                line.push(b',');
            }
            first = false;
            if Some(name) == own_index {
                line.extend_from_slice(index.to_string().as_bytes());
                continue;
            }
            let value = self.get(call.command, call.variant_name, name, index);
            put(&mut line, call.command.param(name), value.as_ref());
        }
        Some(line)
    }

    /// The values of a query that mean something now: none behind a flag that excludes them, and no number that was never
    /// set.
    fn shown<'a>(
        &self,
        command: &Command,
        variant_name: &str,
        variant: &Variant,
        names: &'a [String],
        index: i64,
    ) -> Vec<&'a String> {
        let mut shown = Vec::new();
        for name in names {
            let value = self.get(command, variant_name, name, index);
            let is_text = command.param(name).is_some_and(|p| p.r#type == ParamType::String);
            if value.is_none() && !is_text && variant.params.first() != Some(name) {
                break;
            }
            shown.push(name);
            let Some(Value::Int(number)) = value else { continue };
            let alone = variant.counts_when.get(&format!("{name}={number}")).is_some_and(|counts| counts == &[2]);
            if alone {
                break;
            }
        }
        shown
    }
}

/// The client or context, and the values behind it.
fn split<'a, 'b>(call: &'a Matched<'b>) -> Option<(i64, &'a [(&'b str, Value)])> {
    match call.values.split_first() {
        Some(((_, Value::Int(index)), rest)) if call.variant.params.len() > 1 => Some((*index, rest)),
        // Settings without an index, as `AT+QURCCFG="urcport","usbat"` and `AT+CMEE=1`.
        _ => Some((0, call.values.as_slice())),
    }
}

fn place(variant: &str, param: &str, index: i64) -> (String, String, i64) {
    let home =
        SHARED.iter().find(|(key, name, _)| *key == variant && *name == param).map_or(variant, |(_, _, home)| home);
    (home.to_string(), param.to_string(), index)
}

/// The line of a read form: the longest of the document's shapes whose values are all known.
pub(super) fn read_line(name: &str, command: &Command, value: impl Fn(&str) -> Option<Value>) -> Option<Vec<u8>> {
    let known = |shape: &&Vec<String>| shape.iter().all(|field| value(field).is_some());
    let shape = command.read_reply.iter().filter(known).max_by_key(|shape| shape.len())?;
    let mut line = format!("{}: ", name.trim_start_matches("AT")).into_bytes();
    for (place, field) in shape.iter().enumerate() {
        if place > 0 {
            line.push(b',');
        }
        put(&mut line, command.param(field), value(field).as_ref());
    }
    Some(line)
}

/// A value as the wire has it.
pub(super) fn put(line: &mut Vec<u8>, param: Option<&Param>, value: Option<&Value>) {
    match value {
        Some(Value::Int(number)) => line.extend_from_slice(number.to_string().as_bytes()),
        Some(Value::Text(text)) if param.is_some_and(|p| p.bare) => line.extend_from_slice(text),
        Some(Value::Text(text)) => {
            line.push(b'"');
            line.extend_from_slice(text);
            line.push(b'"');
        }
        None => line.extend_from_slice(b"\"\""),
    }
}
