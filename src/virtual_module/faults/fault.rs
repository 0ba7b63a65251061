//! One fault as it was asked for: a row of the table and its parameters, checked. Written `late_answer:ms=500,count=1`; a
//! text with a comma in it stands between apostrophes.

use std::fmt;
use std::time::Duration;

use crate::dialect::schema::Dialect;
use crate::error::Error;
use crate::error::Kind;
use crate::virtual_module::faults::packets;
use crate::virtual_module::faults::table::Effect;
use crate::virtual_module::faults::table::FAULTS;
use crate::virtual_module::faults::table::FaultRow;
use crate::virtual_module::faults::table::ParamKind;
use crate::virtual_module::faults::table::ParamRow;

/// A fault with its parameters.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(super) row: &'static FaultRow,
    /// In the order of the row's parameters; the default where nothing was given.
    values: Vec<Option<String>>,
}

impl Fault {
    /// Takes a fault as it is written, for a module of this dialect. The error says what there is.
    pub fn parse(text: &str, dialect: &Dialect) -> Result<Fault, Error> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let pairs = pairs(rest).ok_or_else(|| bad(format!("fault {text:?}: an apostrophe has no end")))?;
        let given = pairs.iter().map(|pair| {
            let wrong = || bad(format!("fault {text:?}: {pair:?} is no key=value"));
            pair.split_once('=').ok_or_else(wrong)
        });
        let given = given.collect::<Result<Vec<_>, Error>>()?;
        Fault::new(name.trim(), &given, dialect)
    }

    fn new(name: &str, given: &[(&str, &str)], dialect: &Dialect) -> Result<Fault, Error> {
        let row = row(name)?;
        let mut values: Vec<Option<String>> = row.params.iter().map(|param| param.default.map(str::to_owned)).collect();
        for (key, value) in given {
            let key = key.trim();
            let place = row.params.iter().position(|param| param.name == key).ok_or_else(|| {
                let all: Vec<&str> = row.params.iter().map(|param| param.name).collect();
                bad(format!("fault {name} has no parameter {key:?}")).with_remedy(format!("it has: {}", all.join(", ")))
            })?;
            values[place] = Some(checked(row, &row.params[place], value, dialect)?);
        }
        let fault = Fault { row, values };
        let value = given.iter().find(|(key, _)| key.trim() == "value").map(|(_, value)| *value);
        if let (Some(field), Some(value)) = (fault.text("field"), value.filter(|_| row.effect == Effect::ChangePacket))
            && !packets::fits(field, value)
        {
            return Err(bad(format!("fault {name}: {field} cannot be {value:?}")));
        }
        Ok(fault)
    }

    /// `late_answer`
    pub fn name(&self) -> &'static str {
        self.row.name
    }

    pub(in crate::virtual_module) fn effect(&self) -> Effect {
        self.row.effect
    }

    /// A parameter as text.
    pub(in crate::virtual_module) fn text(&self, param: &str) -> Option<&str> {
        let place = self.row.params.iter().position(|known| known.name == param)?;
        self.values[place].as_deref()
    }

    /// A parameter that is a number.
    pub(in crate::virtual_module) fn number(&self, param: &str) -> Option<i64> {
        self.text(param)?.parse().ok()
    }

    /// A parameter in milliseconds; real ones, which the module's speed does not shorten.
    pub(in crate::virtual_module) fn span(&self, param: &str) -> Duration {
        Duration::from_millis(self.number(param).unwrap_or_default().unsigned_abs())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row.name)?;
        let mut mark = ':';
        for (param, value) in self.row.params.iter().zip(&self.values) {
            let Some(value) = value else { continue };
            let quote = if value.contains(',') { "'" } else { "" };
            write!(f, "{mark}{}={quote}{value}{quote}", param.name)?;
            mark = ',';
        }
        Ok(())
    }
}

/// Whether there is such a fault; the error lists those that exist.
pub(in crate::virtual_module) fn known(name: &str) -> Result<(), Error> {
    row(name).map(|_| ())
}

fn row(name: &str) -> Result<&'static FaultRow, Error> {
    FAULTS.iter().find(|row| row.name == name).ok_or_else(|| {
        let all: Vec<&str> = FAULTS.iter().map(|row| row.name).collect();
        bad(format!("there is no fault {name:?}")).with_remedy(format!("one of: {}", all.join(", ")))
    })
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

/// A value as the fault keeps it.
fn checked(row: &FaultRow, param: &ParamRow, value: &str, dialect: &Dialect) -> Result<String, Error> {
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
        bad(format!("fault {}: {}={value} is not in {}", row.name, param.name, param.kind.allowed()))
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
