//! The five documents as data: commands, ranges, times, results, URCs, error codes, examples.
//!
//! A file in `data/` names its parent and holds only what differs from it. [`catalogue`] is all of them, loaded and checked
//! once. The same data makes the host refuse a bad value ([`check`]), sets every deadline ([`Dialect::deadline`]), answers
//! the virtual module's test, read and write forms ([`match_variant`]), feeds the suite ([`Dialect::to_json`]) and prints
//! the reference ([`Dialect::reference`]).
//!
//! [`Dialect`]: schema::Dialect
//! [`Dialect::deadline`]: schema::Dialect::deadline
//! [`Dialect::to_json`]: schema::Dialect::to_json
//! [`Dialect::reference`]: schema::Dialect::reference

mod causes;
pub mod check;
pub mod detect;
pub mod grammar;
pub mod inherit;
pub mod json;
pub mod kin;
pub mod lookup;
pub mod matching;
pub mod reference;
pub mod schema;
mod text;
pub mod validate;

#[cfg(test)]
mod check_tests;
#[cfg(test)]
mod load_tests;

use std::sync::OnceLock;

pub use crate::dialect::causes::Cause;
pub use crate::dialect::causes::causes;
pub use crate::dialect::check::BadValue;
pub use crate::dialect::check::Lengths;
pub use crate::dialect::check::Value;
pub use crate::dialect::check::check;
pub use crate::dialect::detect::Detection;
pub use crate::dialect::grammar::any as any_grammar;
pub use crate::dialect::grammar::grammar;
pub use crate::dialect::inherit::LoadError;
pub use crate::dialect::inherit::Source;
pub use crate::dialect::matching::Given;
pub use crate::dialect::matching::Matched;
pub use crate::dialect::matching::match_variant;
pub use crate::dialect::matching::match_variant_by;
pub use crate::dialect::schema::Dialect;

/// Every data file. The dialects come in the order of the documents' numbers; shared parents are no dialects.
const FILES: &[Source<'static>] = &[
    Source { name: "common", text: include_str!("data/common.toml") },
    Source { name: "quectel", text: include_str!("data/quectel.toml") },
    Source { name: "lte_standard_a", text: include_str!("data/lte_standard_a.toml") },
    Source { name: "ecx00u_egx00u", text: include_str!("data/ecx00u_egx00u.toml") },
    Source { name: "ec200x_ec600x_eg912y", text: include_str!("data/ec200x_ec600x_eg912y.toml") },
    Source { name: "bc35g_bc28", text: include_str!("data/bc35g_bc28.toml") },
    Source { name: "simcom", text: include_str!("data/simcom.toml") },
    Source { name: "sim7028", text: include_str!("data/sim7028.toml") },
];

/// All dialects known.
#[derive(Debug)]
pub struct Catalogue {
    dialects: Vec<Dialect>,
}

impl Catalogue {
    /// Reads and checks the files that are built in.
    pub fn load() -> Result<Catalogue, LoadError> {
        Catalogue::from_sources(FILES)
    }

    /// Reads and checks these files.
    pub fn from_sources(files: &[Source<'_>]) -> Result<Catalogue, LoadError> {
        let mut dialects = Vec::new();
        for file in files {
            dialects.extend(inherit::load(file.name, files)?);
        }
        Ok(Catalogue { dialects })
    }

    /// The built-in dialect of this id, but for a difference in the form of a data file (without `parent`).
    pub fn load_differing(id: &str, differences: &[Source<'_>]) -> Result<Dialect, LoadError> {
        inherit::load_differing(id, differences, FILES)
    }

    /// `lte_standard_a`, …
    pub fn ids(&self) -> Vec<&str> {
        self.dialects.iter().map(|d| d.id.as_str()).collect()
    }

    /// The dialect with this id.
    pub fn get(&self, id: &str) -> Option<&Dialect> {
        self.dialects.iter().find(|d| d.id == id)
    }

    /// All of them.
    pub fn dialects(&self) -> &[Dialect] {
        &self.dialects
    }
}

/// The built-in catalogue, loaded on first use.
///
/// # Panics
///
/// When a built-in file is broken. A test loads every file, so a build that passes its tests cannot; whoever prefers the
/// error calls [`Catalogue::load`].
pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| match Catalogue::load() {
        Ok(catalogue) => catalogue,
        Err(error) => panic!("the built-in catalogue: {error}"),
    })
}
