//! The one check of values: type, range, length, characters, and how many there may be.
//!
//! The host calls [`check`] and gets the command line to write, or a refusal before anything reaches the wire. The virtual
//! module comes through `matching.rs` to the same rules and answers ERROR. Not here: states (`client`, `virtual_module`).

use std::fmt;

use crate::dialect::schema::Command;
use crate::dialect::schema::Dialect;
use crate::dialect::schema::Param;
use crate::dialect::schema::ParamType;
use crate::dialect::schema::Variant;

/// A value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Digits on the wire.
    Int(i64),
    /// Text; in quotation marks on the wire unless the parameter is `bare`.
    Text(Vec<u8>),
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.as_bytes().to_vec())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text.into_bytes())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(number) => write!(f, "{number}"),
            Value::Text(text) => write!(f, "\"{}\"", text.escape_ascii()),
        }
    }
}

/// A refused value: which, why, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadValue {
    /// `AT+QMTOPEN`
    pub command: String,
    /// `port`; `number of parameters` or `command line` where no single one is at fault.
    pub parameter: String,
    /// The value, escaped, cut at 80 characters; `***` for a secret.
    pub value: String,
    /// `1-65535`, `3 or 4`, `at most 100 bytes`
    pub allowed: String,
    /// Title of the document.
    pub document: String,
    /// Section, or the decision.
    pub section: String,
}

impl BadValue {
    /// Whether the key itself is unknown, rather than a value behind it.
    pub fn is_about_key(&self) -> bool {
        self.parameter == "key"
    }
}

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} cannot be {}; allowed: {} ({}, {})",
            self.command, self.parameter, self.value, self.allowed, self.document, self.section
        )
    }
}

impl std::error::Error for BadValue {}

/// Checks the arguments of one way of writing a command and returns the command line, without CR.
pub fn check(dialect: &Dialect, name: &str, variant: &str, args: &[Value]) -> Result<Vec<u8>, BadValue> {
    let place = Place::find(dialect, name, variant)?;
    place.check_values(args)?;
    place.line(args)
}

/// What the length of a text counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lengths {
    /// As the documents do.
    #[default]
    Bytes,
    /// Characters of UTF-8: a virtual module's quirk.
    Letters,
}

/// A command of a dialect in one of its ways of writing: where a refusal comes from.
pub(crate) struct Place<'a> {
    pub(crate) dialect: &'a Dialect,
    pub(crate) name: &'a str,
    pub(crate) command: &'a Command,
    pub(crate) variant: &'a Variant,
    pub(crate) lengths: Lengths,
}

impl<'a> Place<'a> {
    fn find(dialect: &'a Dialect, name: &str, variant: &str) -> Result<Place<'a>, BadValue> {
        let refuse = |parameter: &str, value: &str, allowed: String, section: &str| BadValue {
            command: name.into(),
            parameter: parameter.into(),
            value: value.into(),
            allowed,
            document: dialect.document.title.clone(),
            section: section.into(),
        };
        let Some((name, command)) = dialect.entry(name) else {
            let known = dialect.commands.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(refuse("command", name, known, "the list of commands"));
        };
        let found = command.variants.iter().find(|(k, _)| k.eq_ignore_ascii_case(variant));
        let Some((_, variant)) = found else {
            let known = command.variants.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(refuse("key", variant, known, &command.source));
        };
        Ok(Place { dialect, name, command, variant, lengths: Lengths::Bytes })
    }

    /// The names of `count` parameters, or `None` where there may not be so many.
    pub(crate) fn layout(&self, count: usize) -> Option<Vec<&'a str>> {
        let all = &self.variant.params;
        if self.variant.counts.contains(&count) {
            return Some(all.iter().take(count).map(String::as_str).collect());
        }
        let group = self.variant.repeat.len();
        let beyond = count.checked_sub(all.len())?;
        if group == 0 || !beyond.is_multiple_of(group) || !self.variant.counts.contains(&all.len()) {
            return None;
        }
        let again = self.variant.repeat.iter().map(String::as_str).cycle().take(beyond);
        Some(all.iter().map(String::as_str).chain(again).collect())
    }

    /// Every rule, for values in their order on the wire.
    pub(crate) fn check_values(&self, args: &[Value]) -> Result<(), BadValue> {
        let Some(names) = self.layout(args.len()) else {
            return Err(self.bad_count(args.len(), &self.variant.counts, ""));
        };
        for (name, value) in names.iter().zip(args) {
            self.check_one(name, value)?;
        }
        let holds = |condition: &str| match condition.split_once('=') {
            Some((wanted, text)) => names
                .iter()
                .zip(args)
                .any(|(name, value)| *name == wanted && matches!(value, Value::Int(n) if n.to_string() == text)),
            None => false,
        };
        for (condition, counts) in &self.variant.counts_when {
            if holds(condition) && !counts.contains(&args.len()) {
                return Err(self.bad_count(args.len(), counts, condition));
            }
        }
        for combination in &self.variant.forbid {
            if !combination.is_empty() && combination.iter().all(|c| holds(c)) {
                let (parameter, value) = combination[0].split_once('=').unwrap_or((&combination[0], ""));
                let with = combination[1..].join(" and ");
                return Err(self.bad(parameter, value.into(), format!("another value where {with}")));
            }
        }
        Ok(())
    }

    fn check_one(&self, name: &str, value: &Value) -> Result<(), BadValue> {
        let Some(param) = self.command.param(name) else { return Ok(()) };
        let refuse = |allowed: String| {
            let shown = if param.secret { "***".into() } else { shorten(&value.to_string()) };
            Err(self.bad(name, shown, allowed))
        };
        match (param.r#type, value) {
            (ParamType::Int, Value::Int(number)) => match self.admits(name, param, *number) {
                true => Ok(()),
                false => refuse(self.allowed(name, param)),
            },
            (ParamType::String, Value::Text(text)) => match flaw_of_text(param, text, self.lengths) {
                None => Ok(()),
                Some(allowed) => refuse(allowed),
            },
            (ParamType::Int, Value::Text(_)) => refuse(format!("a number, {}", self.allowed(name, param))),
            (ParamType::String, Value::Int(_)) => refuse("text".into()),
        }
    }

    /// The range of a number: its own, or that of a payload's length (decision 31).
    fn range(&self, name: &str, param: &Param) -> (Option<i64>, Option<i64>) {
        let is_length = self.variant.payload_length.as_deref() == Some(name);
        match (param.min, param.max) {
            (None, None) if is_length => (Some(1), Some(i64::from(self.dialect.limits.payload_len))),
            range => range,
        }
    }

    fn admits(&self, name: &str, param: &Param, number: i64) -> bool {
        if param.values.contains_key(&number.to_string()) {
            return true;
        }
        match self.range(name, param) {
            (None, None) => param.values.is_empty(),
            (min, max) => min.is_none_or(|m| number >= m) && max.is_none_or(|m| number <= m),
        }
    }

    fn allowed(&self, name: &str, param: &Param) -> String {
        let range = match self.range(name, param) {
            (Some(min), Some(max)) => Some(format!("{min}-{max}")),
            (Some(min), None) => Some(format!("{min} or more")),
            (None, Some(max)) => Some(format!("{max} or less")),
            (None, None) => None,
        };
        // Values inside the range are named, not added.
        let inside = |v: &str| {
            v.parse().is_ok_and(|n: i64| {
                let (min, max) = self.range(name, param);
                (min.is_some() || max.is_some()) && min.is_none_or(|m| n >= m) && max.is_none_or(|m| n <= m)
            })
        };
        let further = param.values.keys().filter(|v| !inside(v)).cloned();
        let words: Vec<String> = range.into_iter().chain(further).collect();
        if words.is_empty() { "a number".into() } else { or_list(&words) }
    }

    fn line(&self, args: &[Value]) -> Result<Vec<u8>, BadValue> {
        let mut line = self.name.as_bytes().to_vec();
        let extended = self.name.starts_with("AT+") || self.name.starts_with("AT*");
        if extended && (self.variant.key.is_some() || !self.variant.params.is_empty()) {
            line.push(b'=');
        }
        let mut first = true;
        if let Some(key) = &self.variant.key {
            line.extend_from_slice(format!("\"{key}\"").as_bytes());
            first = false;
        }
        for (name, value) in self.layout(args.len()).unwrap_or_default().iter().zip(args) {
            if !first {
                line.push(b',');
            }
            first = false;
            let bare = self.command.param(name).is_some_and(|p| p.bare);
            match value {
                Value::Int(number) => line.extend_from_slice(number.to_string().as_bytes()),
                Value::Text(text) if bare => line.extend_from_slice(text),
                Value::Text(text) => {
                    line.push(b'"');
                    line.extend_from_slice(text);
                    line.push(b'"');
                }
            }
        }
        // The prefix `AT` is not counted.
        let length = line.len() - 2;
        match self.dialect.limits.line_len {
            Some(max) if length > max as usize => {
                let allowed = format!("at most {max} characters");
                Err(self.bad("command line", format!("{length} characters long"), allowed))
            }
            _ => Ok(line),
        }
    }

    pub(crate) fn bad_count(&self, given: usize, counts: &[usize], condition: &str) -> BadValue {
        let mut words: Vec<String> = counts.iter().map(ToString::to_string).collect();
        if !self.variant.repeat.is_empty() {
            words.push(format!(
                "{} more for each further ({})",
                self.variant.repeat.len(),
                self.variant.repeat.join(", ")
            ));
        }
        let when = if condition.is_empty() { String::new() } else { format!(" where {condition}") };
        let allowed = format!("{}{when}: {}", or_list(&words), self.variant.params.join(", "));
        self.bad("number of parameters", given.to_string(), allowed)
    }

    pub(crate) fn bad(&self, parameter: &str, value: String, allowed: String) -> BadValue {
        BadValue {
            command: self.name.into(),
            parameter: parameter.into(),
            value,
            allowed,
            document: self.dialect.document.title.clone(),
            section: self.variant.source.as_ref().unwrap_or(&self.command.source).clone(),
        }
    }
}

/// Longest text MQTT can carry, bytes.
const MQTT_TEXT: u32 = 65_535;

/// What must be true of a text and is not.
fn flaw_of_text(param: &Param, text: &[u8], lengths: Lengths) -> Option<String> {
    // A quotation mark or line end would end the argument and start a command; Ctrl-Z and Esc end an input; BS and DEL take
    // back what stands before them (decision 11).
    const FORBIDDEN: [u8; 8] = [b'"', b'\r', b'\n', 0, 0x1a, 0x1b, 0x08, 0x7f];
    if text.iter().any(|b| FORBIDDEN.contains(b)) {
        return Some("text without quotation mark, CR, LF, NUL, Ctrl-Z, Esc, BS or DEL".into());
    }
    if param.bare && !text.iter().all(|b| b.is_ascii_alphanumeric() || b"._-:/+*".contains(b)) {
        return Some("letters and digits".into());
    }
    let length = match lengths {
        Lengths::Bytes => text.len(),
        // The first byte of a character of UTF-8 is no continuation.
        Lengths::Letters => text.iter().filter(|byte| **byte & 0xc0 != 0x80).count(),
    };
    let too_short = param.min_len.is_some_and(|min| length < min as usize);
    // Where the document prints no limit, that of MQTT holds (3.1.1, 1.5.3).
    let max = param.max_len.unwrap_or(MQTT_TEXT);
    if too_short || length > max as usize {
        return Some(match param.min_len {
            Some(min) => format!("{min}-{max} bytes, not {length}"),
            None => format!("at most {max} bytes, not {length}"),
        });
    }
    let known = |v: &String| v.as_bytes().eq_ignore_ascii_case(text);
    if !param.values.is_empty() && !param.values.keys().any(known) {
        return Some(or_list(&param.values.keys().cloned().collect::<Vec<_>>()));
    }
    None
}

/// `1, 2 or 3`
fn or_list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// Errors stay readable whatever was given.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}
