//! Named departures from a document, off unless asked for: a table of those that exist ([`QUIRKS`]), and those of one module.
//! Unlike a fault a quirk has neither occasion nor end: it is how the module is, until it is put straight. Behaviour asks
//! [`Quirks::has`] at its one place.

mod table;

use std::fmt;

use crate::dialect::schema::Dialect;
use crate::error::Error;
use crate::error::Kind;
use crate::virtual_module::params;
use crate::virtual_module::params::Values;

pub use table::QUIRKS;
pub use table::QuirkRow;

/// A quirk with its parameters, as it was asked for.
#[derive(Clone, Debug)]
pub struct Quirk {
    row: &'static QuirkRow,
    values: Values,
}

impl Quirk {
    /// Takes a quirk as it is written, for a module of this dialect. The error says what there is.
    pub fn parse(text: &str, dialect: &Dialect) -> Result<Quirk, Error> {
        let (name, rest) = params::split(text);
        let row = row(name)?;
        if row.family.is_some_and(|family| family != dialect.family) {
            let of = |row: &&QuirkRow| row.family.is_none_or(|family| family == dialect.family);
            let names: Vec<&str> = QUIRKS.iter().filter(of).map(|row| row.name).collect();
            return Err(Error::new(Kind::BadValue, format!("quirk {name}: no module of {} has it", dialect.id))
                .with_remedy(format!("one of: {}", names.join(", "))));
        }
        Ok(Quirk { row, values: Values::parse(format!("quirk {name}"), row.params, rest, dialect)? })
    }

    /// Whether it takes the place of another: of the same name, and for the same command where it has one.
    fn replaces(&self, other: &Quirk) -> bool {
        self.row.name == other.row.name && self.values.text("command") == other.values.text("command")
    }
}

impl fmt::Display for Quirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.row.name, self.values)
    }
}

/// Says what is wrong with a quirk as it is written, if anything is, for modules of this dialect.
pub fn check(dialect: &str, quirk: &str) -> Result<(), Error> {
    Quirk::parse(quirk, super::dialect(dialect)?).map(drop)
}

/// Whether there is such a quirk; the error lists those that exist.
pub(super) fn known(name: &str) -> Result<(), Error> {
    row(name).map(|_| ())
}

fn row(name: &str) -> Result<&'static QuirkRow, Error> {
    QUIRKS.iter().find(|row| row.name == name).ok_or_else(|| {
        let all: Vec<&str> = QUIRKS.iter().map(|row| row.name).collect();
        Error::new(Kind::BadValue, format!("there is no quirk {name:?}"))
            .with_remedy(format!("one of: {}", all.join(", ")))
    })
}

/// Those that are on.
#[derive(Clone, Debug, Default)]
pub(super) struct Quirks(Vec<Quirk>);

impl Quirks {
    /// One more; or the same with other parameters.
    pub(super) fn add(&mut self, quirk: Quirk) {
        self.0.retain(|old| !quirk.replaces(old));
        self.0.push(quirk);
    }

    /// Those of this name, or all, are no more.
    pub(super) fn remove(&mut self, name: Option<&str>) {
        self.0.retain(|quirk| name.is_some_and(|name| quirk.row.name != name));
    }

    /// As they would be written.
    pub(super) fn list(&self) -> Vec<String> {
        self.0.iter().map(Quirk::to_string).collect()
    }

    /// Whether it is on.
    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Whether it is on for this command (`AT+QMTOPEN`).
    pub(super) fn has_for(&self, name: &str, command: &str) -> bool {
        let meant = |quirk: &Quirk| quirk.values.text("command").is_none_or(|wanted| wanted == command);
        self.0.iter().any(|quirk| quirk.row.name == name && meant(quirk))
    }

    /// A parameter of it, as text, while it is on.
    pub(super) fn text(&self, name: &str, param: &str) -> Option<&str> {
        self.find(name)?.values.text(param)
    }

    /// A parameter of it that is a number, while it is on.
    pub(super) fn number(&self, name: &str, param: &str) -> Option<i64> {
        self.find(name)?.values.number(param)
    }

    fn find(&self, name: &str) -> Option<&Quirk> {
        debug_assert!(QUIRKS.iter().any(|row| row.name == name), "no row of the table is named {name}");
        self.0.iter().find(|quirk| quirk.row.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lte() -> &'static Dialect {
        crate::virtual_module::dialect("lte_standard_a").expect("a dialect")
    }

    #[test]
    fn a_quirk_says_what_is_wrong_with_it() {
        let fault = |text: &str| Quirk::parse(text, lte()).expect_err(text).to_string();
        assert!(fault("nonsense").contains("there is no quirk"), "{}", fault("nonsense"));
        assert!(fault("settings_shared:ms=1").contains("has no parameter"), "{}", fault("settings_shared:ms=1"));
        assert!(fault("state_ignored").contains("no module of lte_standard_a"), "{}", fault("state_ignored"));
    }

    #[test]
    fn a_quirk_replaces_itself_and_is_removed_by_name() {
        let mut quirks = Quirks::default();
        for text in ["settings_shared", "settings_saved", "settings_shared"] {
            quirks.add(Quirk::parse(text, lte()).expect("a quirk"));
        }
        assert_eq!(["settings_saved", "settings_shared"], quirks.list()[..]);
        quirks.remove(Some("settings_saved"));
        assert!(quirks.has("settings_shared") && !quirks.has("settings_saved"));
        quirks.remove(None);
        assert!(quirks.list().is_empty());
    }
}
