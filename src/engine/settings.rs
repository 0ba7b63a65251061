//! Settings of a client: read, checked, written, remembered, restored. Which there are is the catalogue's business.

use indexmap::IndexMap;

use crate::client::ClientState;
use crate::dialect;
use crate::dialect::grammar;
use crate::dialect::schema::Family;
use crate::dialect::schema::Variant;
use crate::engine::client::Client;
use crate::engine::client::Setting;
use crate::engine::commands::Goal;
use crate::engine::commands::Order;
use crate::engine::modem::Modem;
use crate::engine::names;
use crate::engine::names::Meaning;
use crate::engine::orders::bad_value;
use crate::engine::orders::is_client;
use crate::engine::orders::wire_value;
use crate::engine::value::Value;
use crate::engine::wait::Until;
use crate::engine::wait::Wait;
use crate::error::Error;
use crate::error::Kind;
use crate::proto::command_line;
use crate::proto::command_line::Arg;

/// A setting ready to be written: key, values behind the client's number, payload at the prompt.
type Ready = (String, Vec<Value>, Option<Vec<u8>>);

impl Modem {
    /// The settings a client has: documented keys, each with its parameters.
    pub fn setting_names(&self) -> IndexMap<String, Vec<String>> {
        names::setting_names(self.dialect)
    }
}

impl Client {
    /// Writes settings: by key (`timeout = (5, 3, 0)`), by documented parameter (`pkt_timeout = 5`) or by friendly name
    /// (`keepalive_s`, `version = "3.1.1"`, `clean_session`, `packet_timeout_s`, `will = (topic, payload, qos, retain)`).
    /// All are checked before the first is written. Settings of an SIMCom client that are parameters of later commands are kept.
    pub fn configure(&self, settings: &[(String, Value)], wait: Wait<'_>) -> Result<(), Error> {
        let until = self.until(names::settings_command(self.family()), wait);
        let mut whole: IndexMap<String, Vec<Value>> = IndexMap::new();
        let mut parts: IndexMap<String, IndexMap<String, Value>> = IndexMap::new();
        let mut wishes = Vec::new();
        let mut will = None;
        for (name, value) in settings {
            match names::meaning(self.dialect(), name, Some(value))? {
                Meaning::Key(key) => drop(whole.insert(key, members(value))),
                Meaning::Param { key, param } => {
                    let value = names::plain_value(&param, value);
                    parts.entry(key).or_default().insert(param, value);
                }
                Meaning::Wish(param) => wishes.push((param, value.clone())),
                Meaning::Will => will = Some(value.clone()),
            }
        }
        let mut ready: Vec<Ready> = whole.into_iter().map(|(key, values)| (key, values, None)).collect();
        for (key, changes) in parts {
            let values = self.merged(&key, &changes, &until)?;
            ready.push((key, values, None));
        }
        if let Some(will) = will {
            match self.family() {
                Family::Qmt => ready.push(self.qmt_will(&will)?),
                Family::Cmqtt => wishes.push(("will".to_owned(), self.checked_will(&will)?)),
            }
        }
        for (key, values, payload) in &ready {
            self.setting_order(key, values, payload.as_deref())?;
        }
        for (param, value) in &wishes {
            self.check_wish(param, value)?;
        }
        self.slot().facts.lock().wishes.extend(wishes);
        for (key, values, payload) in ready {
            self.apply(&key, &values, payload.as_deref(), &until)?;
            if self.family() == Family::Cmqtt {
                // An acquired client has it now; the next connection acquires a new one.
                self.slot().facts.lock().wishes.insert(key, Value::List(values));
            }
        }
        Ok(())
    }

    /// Every setting the module can be asked for, by documented key.
    pub fn settings(&self, wait: Wait<'_>) -> Result<IndexMap<String, Setting>, Error> {
        let until = self.until(names::settings_command(self.family()), wait);
        if self.family() == Family::Cmqtt {
            return self.cmqtt_settings(&until);
        }
        let command = names::settings(self.dialect())?;
        let askable = command.variants.iter().filter(|(_, variant)| variant.query.is_some());
        askable.map(|(key, variant)| Ok((key.clone(), self.query(key, variant, &until)?))).collect()
    }

    /// One setting by key, or one value by parameter or friendly name (a `Setting` with one entry of that name).
    pub fn setting(&self, name: &str, wait: Wait<'_>) -> Result<Setting, Error> {
        let until = self.until(names::settings_command(self.family()), wait);
        let meaning = names::meaning(self.dialect(), name, None)?;
        if self.family() == Family::Cmqtt {
            let all = self.cmqtt_settings(&until)?;
            return match meaning {
                Meaning::Key(key) => Ok(all.get(&key).cloned().unwrap_or_default()),
                Meaning::Param { param, .. } | Meaning::Wish(param) => {
                    let found = all.values().find_map(|setting| setting.get(&param)).cloned();
                    Ok(found.map(|value| (name.to_owned(), value)).into_iter().collect())
                }
                Meaning::Will => Ok(all.get("will").cloned().unwrap_or_default()),
            };
        }
        match meaning {
            Meaning::Param { key, param } => {
                let value = self.read(&key, &until)?.shift_remove(&param);
                Ok(value.map(|value| (name.to_owned(), value)).into_iter().collect())
            }
            Meaning::Key(key) => self.read(&key, &until),
            Meaning::Will | Meaning::Wish(_) => self.read("will", &until),
        }
    }

    // ---- one setting ----

    fn variant(&self, key: &str) -> Result<&'static Variant, Error> {
        let name = names::settings_command(self.family());
        let found = self.dialect().variant_for(name, key).map(|(_, variant)| variant);
        found.ok_or_else(|| crate::engine::orders::unsupported(self.dialect(), &format!("the setting {key}")))
    }

    fn read(&self, key: &str, until: &Until<'_>) -> Result<Setting, Error> {
        let variant = self.variant(key)?;
        if variant.query.is_none() {
            return Err(crate::engine::orders::unsupported(self.dialect(), &format!("a query for {key}")));
        }
        self.query(key, variant, until)
    }

    /// Asks for one setting.
    fn query(&self, key: &str, variant: &Variant, until: &Until<'_>) -> Result<Setting, Error> {
        let name = names::settings_command(self.family());
        let order = self.order(name, key, &[], None)?;
        let until = self.fresh(until);
        let exchange = self.port().execute(order, &until, Goal::Complete)?;
        if let Some(error) = self.port().verdict(&exchange) {
            return Err(error);
        }
        let lines = exchange.record().lines();
        let values = lines.iter().find_map(|line| answered(line, key)).unwrap_or_default();
        let named: Setting = variant.query.iter().flatten().cloned().zip(values).collect();
        let named: Setting = named.into_iter().filter(|(param, _)| !is_client(param)).collect();
        self.slot().facts.lock().known.extend(named.clone());
        self.heed(&named);
        Ok(named)
    }

    /// A value that was read or written before, else asked for now.
    pub(crate) fn known_or_read(&self, key: &str, param: &str, until: &Until<'_>) -> Result<Option<Value>, Error> {
        let known = self.slot().facts.lock().known.get(param).cloned();
        match known {
            Some(value) => Ok(Some(value)),
            None => Ok(self.read(key, until)?.shift_remove(param)),
        }
    }

    /// All parameters of a setting, some of them changed.
    fn merged(&self, key: &str, changes: &IndexMap<String, Value>, until: &Until<'_>) -> Result<Vec<Value>, Error> {
        let variant = self.variant(key)?;
        let params: Vec<&String> = variant.params.iter().filter(|param| !is_client(param)).collect();
        // A parameter left out keeps its value only where the document lets it be left out: all are written.
        let present = match params.iter().all(|param| changes.contains_key(*param)) || variant.query.is_none() {
            true => Setting::new(),
            false => self.query(key, variant, until)?,
        };
        let mut values = Vec::new();
        for param in params {
            let value =
                changes.get(param).cloned().or_else(|| present.get(param).cloned()).or_else(|| self.fallback(param));
            match value {
                Some(value) => values.push(value),
                None => break,
            }
        }
        // What only a full form wants is left out where the document has a shorter one that holds every change.
        let needed = variant.params.iter().filter(|param| !is_client(param));
        let needed = needed.enumerate().filter(|(_, param)| changes.contains_key(*param)).map(|(at, _)| at + 1).max();
        let counts = variant.counts.iter().map(|count| count.saturating_sub(1));
        let fitting = counts.filter(|count| (needed.unwrap_or(1)..=values.len()).contains(count));
        let fitting = fitting.filter(|count| self.setting_order(key, &values[..*count], None).is_ok()).max();
        values.truncate(fitting.unwrap_or(values.len()));
        Ok(values)
    }

    /// A value for a parameter the module does not report and nobody gave: the default, else the smallest.
    fn fallback(&self, param: &str) -> Option<Value> {
        let command = names::settings(self.dialect()).ok()?;
        let param = command.param(param)?;
        let number = param.default.as_deref().and_then(|text| text.parse().ok()).or(param.min);
        let number = number.or_else(|| param.values.keys().next().and_then(|text| text.parse().ok()));
        number.map(Value::Int)
    }

    fn setting_order(&self, key: &str, values: &[Value], payload: Option<&[u8]>) -> Result<Order, Error> {
        let name = names::settings_command(self.family());
        let command = names::settings(self.dialect())?;
        let variant = self.variant(key)?;
        let params = variant.params.iter().filter(|param| !is_client(param));
        if values.is_empty() {
            return Err(Error::new(Kind::BadValue, format!("{key}: no value is given")));
        }
        let params: Vec<&String> = params.collect();
        let mut arguments = vec![dialect::Value::Int(self.index.into())];
        for (position, value) in values.iter().enumerate() {
            let param = params.get(position).map_or("", |param| param.as_str());
            arguments.push(wire_value(command, param, &names::plain_value(param, value)));
        }
        let line = dialect::check(self.dialect(), name, key, &arguments).map_err(|error| bad_value(&error))?;
        Order::of_line(line, payload, grammar::any())
    }

    /// Writes a setting and remembers it; the value found before is kept for the end.
    pub(crate) fn write_setting(&self, key: &str, values: &[Value], until: &Until<'_>) -> Result<(), Error> {
        self.apply(key, values, None, until)
    }

    fn apply(&self, key: &str, values: &[Value], payload: Option<&[u8]>, until: &Until<'_>) -> Result<(), Error> {
        if self.family() == Family::Cmqtt && !self.slot().facts.lock().acquired {
            // The command wants an acquired client: kept until there is one.
            self.slot().facts.lock().wishes.insert(key.to_owned(), Value::List(values.to_vec()));
            return Ok(());
        }
        let order = self.setting_order(key, values, payload)?;
        self.remember_found(key, until)?;
        let until = self.fresh(until);
        let exchange = self.port().execute(order, &until, Goal::Complete)?;
        if let Some(error) = self.port().verdict(&exchange) {
            return Err(error);
        }
        let variant = self.variant(key)?;
        let params = variant.params.iter().filter(|param| !is_client(param)).cloned();
        self.slot().facts.lock().known.extend(params.zip(values.iter().cloned()));
        Ok(())
    }

    fn remember_found(&self, key: &str, until: &Until<'_>) -> Result<(), Error> {
        // One will, two ways of writing it; the message of `will` comes back whole.
        let key = if key == "willex" { "will" } else { key };
        let variant = self.variant(key)?;
        if variant.query.is_none() || self.slot().facts.lock().found.contains_key(key) {
            return Ok(());
        }
        let found = self.query(key, variant, until)?;
        self.slot().facts.lock().found.insert(key.to_owned(), found.into_values().collect());
        Ok(())
    }

    /// Writes back what was found before, newest first. Needs a client without a connection.
    pub(crate) fn restore_settings(&self, until: &Until<'_>) -> Result<(), Error> {
        let found = std::mem::take(&mut self.slot().facts.lock().found);
        for (key, mut values) in found.into_iter().rev() {
            let variant = self.variant(&key)?;
            let wanted = |count: usize| variant.counts.contains(&(count + 1));
            // A query may leave out what does not apply; the write form wants all of it.
            while !wanted(values.len()) && values.len() < variant.params.len() {
                let param = variant.params.get(values.len() + 1);
                match param.and_then(|param| self.fallback(param)) {
                    Some(value) => values.push(value),
                    None => break,
                }
            }
            if values.first() == Some(&Value::Int(0)) && key == "will" {
                values.truncate(1);
            }
            let Ok(order) = self.setting_order(&key, &values, None) else { continue };
            let exchange = self.port().execute(order, &self.fresh(until), Goal::Complete)?;
            if let Some(error) = self.port().verdict(&exchange) {
                log::warn!(target: "modemrig::engine", "{}: {key} of client {} could not be restored: {error}",
                    self.port().name, self.index);
            }
        }
        Ok(())
    }

    /// Each command of several has the documented time of one, within the caller's.
    fn fresh<'a>(&self, until: &Until<'a>) -> Until<'a> {
        let name = names::settings_command(self.family());
        let own = self.until(name, Wait { timeout: None, interrupt: until.interrupt });
        match until.deadline {
            Some(deadline) if until.given => own.cut(deadline),
            _ => own,
        }
    }

    // ---- the will ----

    /// Topic, payload, QoS and retain of a friendly will.
    fn qmt_will(&self, will: &Value) -> Result<Ready, Error> {
        let Some((topic, payload, qos, retain)) = will_parts(will)? else {
            return Ok(("will".to_owned(), vec![Value::Int(0)], None));
        };
        let inline = payload.iter().all(|byte| !matches!(byte, b'"' | b'\r' | b'\n' | 0 | 0x08 | 0x1a | 0x1b | 0x7f..));
        let head = vec![Value::Int(1), Value::Int(qos), Value::Int(retain), Value::Text(topic)];
        let has_willex = self.dialect().variant_for("AT+QMTCFG", "willex").is_some();
        // An empty message between quotation marks is not what every firmware takes; a length of 0 is (decision 18).
        let written = !has_willex || (inline && !payload.is_empty());
        if written {
            let values = head.into_iter().chain([Value::Bytes(payload)]).collect();
            return Ok(("will".to_owned(), values, None));
        }
        let length = i64::try_from(payload.len()).unwrap_or(i64::MAX);
        let values = head.into_iter().chain([Value::Int(length)]).collect();
        Ok(("willex".to_owned(), values, Some(payload)))
    }

    /// Whether the client may be configured: most documents allow it without a connection only.
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(self.state(), ClientState::Closed | ClientState::Open | ClientState::Disconnected)
    }
}

/// Topic, payload, QoS, retain.
pub type WillParts = (String, Vec<u8>, i64, i64);

/// A friendly will taken apart; `None` where it says that there shall be none.
pub fn will_parts(will: &Value) -> Result<Option<WillParts>, Error> {
    let wrong = || Error::new(Kind::BadValue, format!("will cannot be {will}; allowed: topic, payload, qos, retain"));
    match will {
        Value::Int(0) => Ok(None),
        Value::List(parts) => match parts.as_slice() {
            [] => Ok(None),
            [Value::Text(topic), payload, rest @ ..] => {
                let payload = match payload {
                    Value::Bytes(bytes) => bytes.clone(),
                    Value::Text(text) => text.clone().into_bytes(),
                    _ => return Err(wrong()),
                };
                let number = |at: usize| match rest.get(at) {
                    None => Ok(0),
                    Some(Value::Int(number)) => Ok(*number),
                    Some(_) => Err(wrong()),
                };
                Ok(Some((topic.clone(), payload, number(0)?, number(1)?)))
            }
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

/// The values behind the key of `+QMTCFG: "timeout",5,3,0`.
fn answered(line: &str, key: &str) -> Option<Vec<Value>> {
    let (_, rest) = line.split_once(':')?;
    let mut fields = command_line::fields(rest.trim_start().as_bytes()).into_iter();
    fields.next().filter(|first| first.is_key(key))?;
    Some(fields.map(value_of).collect())
}

/// A field of an answer as a value.
pub fn value_of(field: Arg) -> Value {
    match field {
        Arg::Number(number) => Value::Int(number),
        Arg::Empty => Value::Text(String::new()),
        Arg::Text(bytes) | Arg::Bare(bytes) => {
            String::from_utf8(bytes).map_or_else(|error| Value::Bytes(error.into_bytes()), Value::Text)
        }
    }
}

fn members(value: &Value) -> Vec<Value> {
    match value {
        Value::List(values) => values.clone(),
        other => vec![other.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_a_query_is_parsed_behind_its_key() {
        let expected = Some(vec![Value::Int(5), Value::Int(3), Value::Int(0)]);
        assert_eq!(expected, answered("+QMTCFG: \"timeout\",5,3,0", "timeout"));
        assert_eq!(Some(vec![Value::Int(0), "a,b".into()]), answered("+QMTCFG: \"will\",0,\"a,b\"", "will"));
        assert_eq!(None, answered("+QMTCFG: \"keepalive\",60", "timeout"));
    }

    #[test]
    fn a_will_is_topic_payload_qos_and_retain() {
        let will = Value::List(vec!["t".into(), Value::Bytes(vec![0, 255]), 1.into()]);
        assert_eq!(Ok(Some(("t".to_owned(), vec![0, 255], 1, 0))), will_parts(&will).map_err(|_| ()));
        assert!(will_parts(&Value::Text("t".into())).is_err());
        assert_eq!(Ok(None), will_parts(&Value::List(vec![])).map_err(|_| ()));
    }
}
