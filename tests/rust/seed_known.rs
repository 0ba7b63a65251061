//! The JSON of a dialect, in the form in which the facts of a document are looked up; driven by `seeds.rs`.
//!
//! In a damaged document (`is_clean` false) a row and its parameter may stand apart and a line may break: there a fact may
//! belong to any parameter, and the beginning of a command or reply is enough.

use std::collections::BTreeMap;
use std::collections::HashSet;

use serde_json::Value;

use crate::seed_facts::Fact;

/// The JSON of a dialect, in the form in which facts are looked up.
pub struct Known {
    params: BTreeMap<String, Vec<Value>>,
    /// Names of parameters of commands beside MQTT.
    mentioned: HashSet<String>,
    /// Codes by the name of their parameter.
    codes: BTreeMap<String, HashSet<i64>>,
    ranges: HashSet<(i64, i64)>,
    /// Ranges of codes that one row stands for.
    reserved: HashSet<(i64, i64)>,
    numbers: HashSet<i64>,
    commands: BTreeMap<String, Value>,
    /// Parameter lists behind a prefix, with their key.
    shapes: Vec<(String, Option<String>, Vec<String>)>,
    lines: HashSet<String>,
    is_clean: bool,
}

impl Known {
    /// Reads the JSON of a dialect.
    pub fn new(json: &Value, is_clean: bool) -> Known {
        let mut known = Known {
            params: BTreeMap::new(),
            mentioned: HashSet::new(),
            codes: BTreeMap::new(),
            ranges: HashSet::new(),
            reserved: HashSet::new(),
            numbers: HashSet::new(),
            commands: BTreeMap::new(),
            shapes: Vec::new(),
            lines: HashSet::new(),
            is_clean,
        };
        // A document may name the commands beside MQTT; it says nothing about their values.
        for command in list(&json["surroundings"]) {
            known.commands.insert(text(&command["name"]), command.clone());
            known.mentioned.extend(list(&command["params"]).map(|p| canonical(&text(&p["name"]))));
        }
        for command in list(&json["commands"]) {
            known.command(command);
        }
        for urc in list(&json["urcs"]) {
            let name = text(&urc["name"]);
            list(&urc["shapes"]).for_each(|shape| known.shapes.push((name.clone(), None, canonicals(shape))));
            list(&urc["params"]).for_each(|param| known.param(param));
        }
        for row in list(&json["error_codes"]) {
            let table = text(&row["table"]);
            // `+CME ERROR: <err>`: the tables bear the number of the standard.
            let owner = if table.starts_with("CME ") { "err" } else { table.rsplit(' ').next().unwrap_or_default() };
            known.code(owner, &row["code"]);
        }
        for limit in json["limits"].as_object().into_iter().flat_map(|o| o.values()) {
            known.numbers.extend(limit.as_i64());
        }
        for step in list(&json["examples"]).flat_map(|e| list(&e["steps"])) {
            let printed = text(&step["as_printed"]);
            let sent = text(&step["send"]);
            known.lines.extend(printed.lines().chain([sent.as_str()]).map(squeeze));
            known.lines.extend(strings(&step["expect"]).iter().map(|l| squeeze(l)));
        }
        known.lines.remove("");
        if !is_clean {
            known.lines = known.lines.iter().map(|l| l.replace('"', "")).collect();
        }
        known
    }

    fn command(&mut self, command: &Value) {
        let name = text(&command["name"]);
        let prefix = name.strip_prefix("AT").unwrap_or(&name).to_string();
        for param in list(&command["params"]) {
            self.param(param);
        }
        for row in list(&command["results"]) {
            self.code(&text(&row["param"]), &row["code"]);
        }
        for field in ["ms", "default_ms"] {
            self.numbers.extend(command["max_response"][field].as_i64());
        }
        for field in ["read_reply", "reply", "result_shapes", "refusal_shapes"] {
            list(&command[field]).for_each(|shape| self.shapes.push((prefix.clone(), None, canonicals(shape))));
        }
        for variant in list(&command["variants"]) {
            let is_keyed = variant["keyed"] != Value::Bool(false);
            let key = is_keyed.then(|| text(&variant["key"]));
            self.shapes.push((prefix.clone(), key.clone(), canonicals(&variant["query"])));
        }
        self.lines.extend(strings(&command["test_reply"]).iter().map(|l| squeeze(l)));
        for also in strings(&command["also"]) {
            self.commands.insert(also, command.clone());
        }
        self.commands.insert(name, command.clone());
    }

    fn param(&mut self, param: &Value) {
        let name = canonical(&text(&param["name"]));
        for pair in [("min", "max"), ("min_len", "max_len")] {
            let (low, high) = (param[pair.0].as_i64(), param[pair.1].as_i64());
            self.numbers.extend(low.into_iter().chain(high));
            self.ranges.extend(low.zip(high));
        }
        self.numbers.extend(param["default"].as_i64());
        if let Some(values) = param["values"].as_object() {
            let values: Vec<i64> = values.keys().filter_map(|v| v.parse().ok()).collect();
            self.codes.entry(name.clone()).or_default().extend(&values);
            self.ranges.extend(values.iter().min().copied().zip(values.iter().max().copied()));
        }
        self.params.entry(name).or_default().push(param.clone());
    }

    fn code(&mut self, owner: &str, code: &Value) {
        let codes = self.codes.entry(canonical(owner)).or_default();
        codes.extend(code.as_i64());
        if let Some((low, high)) = code.as_str().and_then(|c| c.split_once('-')) {
            let range = low.parse::<i64>().ok().zip(high.parse::<i64>().ok());
            self.ranges.extend(range);
            self.reserved.extend(range);
        }
    }

    /// Whether the catalogue says so.
    pub fn holds(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Param(name) => {
                let name = canonical(name);
                self.named(&name).next().is_some() || self.codes.contains_key(&name) || self.mentioned.contains(&name)
            }
            Fact::Range { owner, low, high } => {
                let own = |name: &String| {
                    let fits = |param: &Value| {
                        let is = |a: &str, b: &str| param[a].as_i64() == Some(*low) && param[b].as_i64() == Some(*high);
                        is("min", "max") || is("min_len", "max_len")
                    };
                    self.named(name).any(fits) || self.is_reserved(name, *low, *high)
                };
                match owner.as_ref().filter(|_| self.is_clean) {
                    Some(name) => own(name),
                    None => self.ranges.contains(&(*low, *high)),
                }
            }
            Fact::Default { owner, value } => self.has_default(owner.as_ref(), *value, &["text"]),
            Fact::Underline { owner, value } => self.has_default(owner.as_ref(), *value, &["underline"]),
            Fact::Code { owner, code } => match (self.is_clean, owner.as_ref().map(|o| canonical(o))) {
                (true, Some(name)) => self.codes.get(&name).is_some_and(|c| c.contains(code)),
                _ => self.codes.values().any(|c| c.contains(code)),
            },
            Fact::Size { value, unit } => {
                self.numbers.contains(value) || *unit == "ms" && self.numbers.contains(&(value / 1000))
            }
            Fact::Command { name, form, key, params } => self.holds_command(name, *form, key.as_deref(), params),
            Fact::Reply { name, key, params, is_test } => self.holds_reply(name, key.as_deref(), params, *is_test),
            Fact::Example(line) => self.holds_line(line),
        }
    }

    fn is_reserved(&self, name: &str, low: i64, high: i64) -> bool {
        self.codes.contains_key(&canonical(name)) && self.reserved.contains(&(low, high))
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.params.get(&canonical(name)).or_else(|| self.params.get(&canonical(stem(name)))).into_iter().flatten()
    }

    fn has_default(&self, owner: Option<&String>, value: i64, sources: &[&str]) -> bool {
        let fits = |param: &Value| {
            param["default"].as_i64() == Some(value) && sources.contains(&text(&param["default_source"]).as_str())
        };
        match owner.filter(|_| self.is_clean) {
            Some(name) => self.named(name).any(fits),
            None => self.params.values().flatten().any(fits),
        }
    }

    fn holds_command(&self, name: &str, form: char, key: Option<&str>, params: &[String]) -> bool {
        let Some(command) = self.commands.get(name) else { return false };
        let forms = strings(&command["forms"]);
        let has = |form: &str| forms.iter().any(|f| f == form);
        match form {
            'T' => has("test"),
            'R' => has("read"),
            'W' => {
                has("write")
                    && list(&command["variants"]).any(|variant| {
                        let is_keyed = variant["keyed"] != Value::Bool(false);
                        let same_key = match key.filter(|_| is_keyed) {
                            Some(key) => text(&variant["key"]).eq_ignore_ascii_case(key),
                            None => !is_keyed,
                        };
                        let once = canonicals(&variant["params"]);
                        let twice: Vec<String> = once.iter().cloned().chain(canonicals(&variant["repeat"])).collect();
                        let stems: Vec<String> = params.iter().map(|p| canonical(stem(p))).collect();
                        // A scanned line may break before its last parameters.
                        let begins = !self.is_clean && once.starts_with(&stems);
                        let exact: Vec<String> = params.iter().map(|p| canonical(p)).collect();
                        same_key && (stems == once || stems == twice || exact == once || begins)
                    })
            }
            _ => true,
        }
    }

    fn holds_reply(&self, name: &str, key: Option<&str>, params: &[String], is_test: bool) -> bool {
        let command = format!("AT{name}");
        if is_test {
            let Some(command) = self.commands.get(&command) else { return false };
            return list(&command["variants"]).any(|variant| {
                let same_key = key.is_none_or(|k| text(&variant["key"]) == k || variant["keyed"] == Value::Bool(false));
                let mut all = canonicals(&variant["params"]).into_iter().chain(canonicals(&variant["repeat"]));
                // Ranges and quoted words stand in place of some of them.
                same_key && params.iter().all(|wanted| all.any(|name| name == canonical(stem(wanted))))
            });
        }
        let params: Vec<String> = params.iter().map(|p| canonical(p)).collect();
        let same = |(prefix, k, shape): &(String, Option<String>, Vec<String>)| {
            let begins = !self.is_clean && shape.starts_with(&params);
            prefix == name && (k.as_deref() == key || k.is_none()) && (*shape == params || begins)
        };
        self.shapes.iter().any(same)
    }

    /// The line itself, with a comment behind it, or its first part where the document breaks it.
    fn holds_line(&self, line: &str) -> bool {
        // Behind a blank a scanned line may go on with a comment of which nothing is left.
        let ends = line.match_indices(' ').map(|(at, _)| at).filter(|_| !self.is_clean);
        ends.chain([line.len()]).any(|end| self.holds_exactly(&line[..end]))
    }

    fn holds_exactly(&self, line: &str) -> bool {
        let mut line = squeeze(line);
        if !self.is_clean {
            line.retain(|c| c != '"');
        }
        let fits = |known: &String| match line.strip_prefix(known.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with("//"),
            None => line.len() > 30 && known.starts_with(&line),
        };
        let form = line.strip_suffix("=?").map(|n| (n, 'T')).or(line.strip_suffix('?').map(|n| (n, 'R')));
        self.lines.iter().any(fits) || form.is_some_and(|(name, form)| self.holds_command(name, form, None, &[]))
    }
}

/// `topic` of `topic1`, `store_status` of `store_status_0`.
fn stem(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_')
}

/// Letters and digits: a line break inside a name leaves a blank there.
fn canonical(name: &str) -> String {
    name.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
}

fn canonicals(value: &Value) -> Vec<String> {
    // A line end inside a shape is no parameter.
    strings(value).iter().filter(|name| !name.starts_with(['\\', '\n'])).map(|name| canonical(name)).collect()
}

/// Without blanks; one kind of quotation mark.
fn squeeze(line: &str) -> String {
    line.replace(['”', '“'], "\"").replace("\\$", "$").chars().filter(|c| !c.is_whitespace()).collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn strings(value: &Value) -> Vec<String> {
    list(value).map(text).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}
