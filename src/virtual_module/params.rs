//! What is asked for by name and parameters, as faults and quirks are: `late_answer:ms=500,count=1`; a text with a comma in it
//! stands between apostrophes. Here is how it is written and checked; what there is stands in their tables.

use std::fmt;
use std::time::Duration;

use crate::dialect::schema::Dialect;
use crate::error::Error;
use crate::error::Kind;

/// A parameter of a fault or a quirk.
#[derive(Debug)]
pub struct ParamRow {
    /// `ms`
    pub name: &'static str,
    /// What it is, in one line.
    pub title: &'static str,
    /// What it may be.
    pub kind: ParamKind,
    /// What holds without it; `None`: the title says what that means.
    pub default: Option<&'static str>,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// A whole number.
    Number {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
        /// `ms`, `bytes`; empty where it only counts.
        unit: &'static str,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Printable text.
    Text,
    /// The same, or nothing.
    TextOrNone,
    /// A command of the module's document: `AT+QMTPUBEX`, with or without `AT`.
    Command,
}

impl ParamKind {
    /// What it may be, in words: `0 to 3600000 ms`.
    pub fn allowed(&self) -> String {
        match self {
            ParamKind::Number { min, max, unit: "" } => format!("{min} to {max}"),
            ParamKind::Number { min, max, unit } => format!("{min} to {max} {unit}"),
            ParamKind::Choice(words) => words.join(" | "),
            ParamKind::Text => "printable ASCII characters but apostrophes".into(),
            ParamKind::TextOrNone => "printable ASCII characters but apostrophes, or nothing".into(),
            ParamKind::Command => "a command of the dialect".into(),
        }
    }
}

/// The parameters of one row, as they were asked for.
#[derive(Clone, Debug)]
pub(super) struct Values {
    /// `fault late_answer`
    of: String,
    rows: &'static [ParamRow],
    /// In the order of the rows; the default where nothing was given.
    values: Vec<Option<String>>,
    /// The names of those that were given.
    given: Vec<&'static str>,
}

impl Values {
    /// Takes what stands behind the name. The error says what there is.
    pub(super) fn parse(of: String, rows: &'static [ParamRow], text: &str, dialect: &Dialect) -> Result<Values, Error> {
        let pairs = pairs(text).ok_or_else(|| bad(format!("{of}: an apostrophe has no end in {text:?}")))?;
        let mut values = Values {
            given: Vec::new(),
            of,
            rows,
            values: rows.iter().map(|row| row.default.map(str::to_owned)).collect(),
        };
        for pair in &pairs {
            let of = &values.of;
            let (key, value) = pair.split_once('=').ok_or_else(|| bad(format!("{of}: {pair:?} is no key=value")))?;
            let key = key.trim();
            let place = rows.iter().position(|row| row.name == key).ok_or_else(|| {
                let all: Vec<&str> = rows.iter().map(|row| row.name).collect();
                let has = if all.is_empty() { "it has none".to_owned() } else { format!("it has: {}", all.join(", ")) };
                bad(format!("{of} has no parameter {key:?}")).with_remedy(has)
            })?;
            let value = checked(of, &rows[place], value, dialect)?;
            values.values[place] = Some(value);
            values.given.push(rows[place].name);
        }
        Ok(values)
    }

    /// A parameter as text, where it was given.
    pub(super) fn given(&self, param: &str) -> Option<&str> {
        self.text(param).filter(|_| self.given.contains(&param))
    }

    /// A parameter as text.
    pub(super) fn text(&self, param: &str) -> Option<&str> {
        let place = self.rows.iter().position(|known| known.name == param)?;
        self.values[place].as_deref()
    }

    /// A parameter that is a number.
    pub(super) fn number(&self, param: &str) -> Option<i64> {
        self.text(param)?.parse().ok()
    }

    /// A parameter in milliseconds; real ones, which the module's speed does not shorten.
    pub(super) fn span(&self, param: &str) -> Duration {
        Duration::from_millis(self.number(param).unwrap_or_default().unsigned_abs())
    }
}

impl fmt::Display for Values {
    /// `:ms=500,count=1`; nothing where there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut mark = ':';
        for (row, value) in self.rows.iter().zip(&self.values) {
            let Some(value) = value else { continue };
            let quote = if value.contains(',') { "'" } else { "" };
            write!(f, "{mark}{}={quote}{value}{quote}", row.name)?;
            mark = ',';
        }
        Ok(())
    }
}

/// Name and parameters of what was asked for.
pub(super) fn split(text: &str) -> (&str, &str) {
    let (name, params) = text.split_once(':').unwrap_or((text, ""));
    (name.trim(), params)
}

/// The parts between commas; a comma between apostrophes is none. `None`: an apostrophe has no end.
fn pairs(text: &str) -> Option<Vec<String>> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for character in text.chars() {
        match (character, parts.last_mut()) {
            ('\'', _) => quoted = !quoted,
            (',', _) if !quoted => parts.push(String::new()),
            (_, Some(part)) => part.push(character),
            (_, None) => {}
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    (!quoted).then_some(parts)
}

/// A value as it is kept.
fn checked(of: &str, param: &ParamRow, value: &str, dialect: &Dialect) -> Result<String, Error> {
    // Blanks count in a text only.
    let value = if matches!(param.kind, ParamKind::Text | ParamKind::TextOrNone) { value } else { value.trim() };
    let kept = match param.kind {
        ParamKind::Number { min, max, .. } => {
            value.parse::<i64>().ok().filter(|number| (min..=max).contains(number)).map(|number| number.to_string())
        }
        ParamKind::Choice(words) => words.contains(&value).then(|| value.to_owned()),
        ParamKind::Text if value.is_empty() => None,
        ParamKind::Text | ParamKind::TextOrNone => {
            let fits = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'\'';
            value.bytes().all(fits).then(|| value.to_owned())
        }
        ParamKind::Command => dialect.entry(strip_at(value)).map(|(name, _)| name.to_owned()),
    };
    kept.ok_or_else(|| {
        bad(format!("{of}: {}={value} is not in {}", param.name, param.kind.allowed()))
            .with_remedy(format!("{}: {}", param.name, param.title))
    })
}

/// `+CSQ` of `AT+CSQ`, and `AT` as it is.
fn strip_at(command: &str) -> &str {
    match command.split_at_checked(2) {
        Some((at, rest)) if at.eq_ignore_ascii_case("AT") && !rest.is_empty() => rest,
        _ => command,
    }
}

fn bad(message: String) -> Error {
    Error::new(Kind::BadValue, message)
}
