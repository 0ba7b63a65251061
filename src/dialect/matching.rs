//! The inverse of the check, for the module's end: arguments from the wire to a variant and typed values.
//!
//! Driven by the virtual module with what `proto` split from a command line. The rules are those of `check.rs`.

use crate::dialect::check::BadValue;
use crate::dialect::check::Lengths;
use crate::dialect::check::Place;
use crate::dialect::check::Value;
use crate::dialect::schema::Command;
use crate::dialect::schema::Dialect;
use crate::dialect::schema::ParamType;
use crate::dialect::schema::Variant;

/// An argument as it stood on the wire, without its quotation marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given<'a> {
    /// Whether it stood in quotation marks.
    pub quoted: bool,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl<'a> Given<'a> {
    /// `"text"`
    pub fn quoted(bytes: &'a [u8]) -> Given<'a> {
        Given { quoted: true, bytes }
    }

    /// `12`
    pub fn bare(bytes: &'a [u8]) -> Given<'a> {
        Given { quoted: false, bytes }
    }
}

/// A command that passed every rule that needs no state.
#[derive(Clone, Debug)]
pub struct Matched<'a> {
    /// `AT+QMTCFG`, as the catalogue writes it.
    pub command_name: &'a str,
    /// The command.
    pub command: &'a Command,
    /// `version`, `write`
    pub variant_name: &'a str,
    /// The way of writing it.
    pub variant: &'a Variant,
    /// Parameter names and values, in the order of the wire; those of a repeated group come again.
    pub values: Vec<(&'a str, Value)>,
    /// Whether it only asks for the present values.
    pub is_query: bool,
}

impl Matched<'_> {
    /// The first value of this name, where it is a number.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.values.iter().find(|(n, _)| *n == name).and_then(|(_, v)| match v {
            Value::Int(number) => Some(*number),
            Value::Text(_) => None,
        })
    }

    /// The first value of this name, where it is a text.
    pub fn text(&self, name: &str) -> Option<&[u8]> {
        self.values.iter().find(|(n, _)| *n == name).and_then(|(_, v)| match v {
            Value::Text(text) => Some(text.as_slice()),
            Value::Int(_) => None,
        })
    }
}

/// Finds the way of writing that these arguments are, and checks them; `given` is everything behind the equals sign.
///
/// The name may be any spelling the document prints, in either case; keys too (decision 3). The error is that of the
/// variant that was meant: the one named by its key, else the first that takes so many arguments, else the first.
pub fn match_variant<'a>(dialect: &'a Dialect, name: &str, given: &[Given<'_>]) -> Result<Matched<'a>, BadValue> {
    match_variant_by(Lengths::Bytes, dialect, name, given)
}

/// The same for a module that counts the lengths of texts so.
pub fn match_variant_by<'a>(
    lengths: Lengths,
    dialect: &'a Dialect,
    name: &str,
    given: &[Given<'_>],
) -> Result<Matched<'a>, BadValue> {
    let Some((name, command)) = dialect.entry(name) else {
        return Err(BadValue {
            command: name.into(),
            parameter: "command".into(),
            value: name.into(),
            allowed: "a command of the document".into(),
            document: dialect.document.title.clone(),
            section: "the list of commands".into(),
        });
    };
    let key = given.first().filter(|g| g.quoted).map(|g| g.bytes);
    let mut refusal: Option<(bool, BadValue)> = None;
    for (variant_name, variant) in &command.variants {
        let place = Place { dialect, name, command, variant, lengths };
        let rest = match (&variant.key, key) {
            (Some(wanted), Some(key)) if wanted.as_bytes().eq_ignore_ascii_case(key) => &given[1..],
            (Some(_), _) => continue,
            (None, _) => given,
        };
        match values(&place, rest) {
            Ok(values) => {
                let fewest = variant.counts.iter().min().copied();
                let is_query = variant.query.is_some() && fewest == Some(values.len());
                return Ok(Matched { command_name: name, command, variant_name, variant, values, is_query });
            }
            Err(error) => {
                let fits = place.layout(rest.len()).is_some();
                if refusal.as_ref().is_none_or(|(best, _)| fits && !best) {
                    refusal = Some((fits, error));
                }
            }
        }
    }
    Err(refusal.map(|(_, error)| error).unwrap_or_else(|| unknown_key(dialect, name, command, key)))
}

fn values<'a>(place: &Place<'a>, given: &[Given<'_>]) -> Result<Vec<(&'a str, Value)>, BadValue> {
    let Some(names) = place.layout(given.len()) else {
        return Err(place.bad_count(given.len(), &place.variant.counts, ""));
    };
    let mut values = Vec::with_capacity(given.len());
    for (name, given) in names.iter().zip(given) {
        let value = typed(place, name, given);
        values.push(value.ok_or_else(|| {
            let shown = given.bytes.escape_ascii().to_string();
            let secret = place.command.param(name).is_some_and(|p| p.secret);
            let shown = if secret { "***".into() } else { shown };
            place.bad(name, shown, "a number without, a text with quotation marks".into())
        })?);
    }
    place.check_values(&values)?;
    Ok(names.into_iter().zip(values).collect())
}

/// The value, or `None` where it is written as another type.
fn typed(place: &Place<'_>, name: &str, given: &Given<'_>) -> Option<Value> {
    let param = place.command.param(name);
    match param.map(|p| (p.r#type, p.bare)) {
        Some((ParamType::String, true)) => Some(Value::Text(given.bytes.to_vec())),
        Some((ParamType::String, false)) => given.quoted.then(|| Value::Text(given.bytes.to_vec())),
        Some((ParamType::Int, _)) | None => {
            let text = std::str::from_utf8(given.bytes).ok()?.trim();
            let number = (!given.quoted && !text.starts_with('+')).then(|| text.parse().ok()).flatten();
            number.map(Value::Int)
        }
    }
}

fn unknown_key(dialect: &Dialect, name: &str, command: &Command, key: Option<&[u8]>) -> BadValue {
    BadValue {
        command: name.into(),
        parameter: "key".into(),
        value: key.map_or("missing".into(), |k| k.escape_ascii().to_string()),
        allowed: command.variants.keys().cloned().collect::<Vec<_>>().join(", "),
        document: dialect.document.title.clone(),
        section: command.source.clone(),
    }
}
