//! Kin of the dialects: modules that no document describes, and programs in the field drive by one all the same. A file in
//! `data/kin/` says which models, whose dialect they speak, and how theirs differs. Kin are no dialects: they have no document,
//! nothing is held against them, and no list of dialects names them.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::dialect::Catalogue;
use crate::dialect::Dialect;
use crate::dialect::Source;

/// Every file.
const FILES: &[Source<'static>] = &[Source { name: "simcom_lte", text: include_str!("data/kin/simcom_lte.toml") }];

/// Modules of one kind.
#[derive(Debug)]
pub struct Kin {
    /// The file, as a difference to the dialect.
    pub source: Source<'static>,
    /// What the names of its models begin with: `SIM7600`.
    pub models: Vec<String>,
    /// What they speak: a dialect, but for the difference. It has the dialect's id.
    pub dialect: Dialect,
}

#[derive(Deserialize)]
struct File {
    kin: Head,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    dialect: String,
    models: Vec<String>,
}

/// All kin.
///
/// # Panics
///
/// When a built-in file is broken. A test loads every file, so a build that passes its tests cannot.
pub static KIN: LazyLock<Vec<Kin>> = LazyLock::new(|| {
    let read = |source: &Source<'static>| {
        let Head { dialect, models } = match toml::from_str::<File>(source.text) {
            Ok(file) => file.kin,
            Err(error) => panic!("the built-in kin {}: {error}", source.name),
        };
        match Catalogue::load_differing(&dialect, &[*source]) {
            Ok(dialect) => Kin { source: *source, models, dialect },
            Err(error) => panic!("the built-in kin {}: {error}", source.name),
        }
    };
    FILES.iter().map(read).collect()
});

/// The kin of this name.
pub fn find(name: &str) -> Option<&'static Kin> {
    KIN.iter().find(|kin| kin.source.name == name)
}

/// The kin that one of these model names, in capitals and without signs, is of.
pub(crate) fn of_model(names: &[String]) -> Option<&'static Kin> {
    KIN.iter().find(|kin| kin.models.iter().any(|model| names.iter().any(|name| name.starts_with(model))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kin_have_the_id_and_the_document_of_their_dialect() {
        for kin in KIN.iter() {
            let dialect = crate::dialect::catalogue().get(&kin.dialect.id).expect("a dialect");
            assert_eq!(dialect.document.title, kin.dialect.document.title);
            assert!(find(kin.source.name).is_some() && !kin.models.is_empty());
        }
    }
}
