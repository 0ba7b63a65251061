//! Families of modules as they are met in the field: a document, and what its modules do besides. A profile is a data file: under
//! `profile` who the module is and which quirks it has; the rest is a difference to its document, as in
//! [`VirtualOptions::differs`](super::VirtualOptions::differs). A new family is a new file and its row here.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::dialect::Source;
use crate::dialect::kin;
use crate::virtual_module::identity::IdentityOptions;

/// Every profile's file.
const FILES: &[Source<'static>] = &[
    file("ec200u", include_str!("ec200u.toml")),
    file("ec600s", include_str!("ec600s.toml")),
    file("ec20x", include_str!("ec20x.toml")),
    file("ec801e", include_str!("ec801e.toml")),
    file("bg95", include_str!("bg95.toml")),
    file("bc95", include_str!("bc95.toml")),
    file("bc20", include_str!("bc20.toml")),
    file("sim7600", include_str!("sim7600.toml")),
    file("a76xx", include_str!("a76xx.toml")),
    file("sim7028", include_str!("sim7028.toml")),
];

/// Differences that profiles share, by the names they call them; beside these the kin of the catalogue.
const SHARED: &[Source<'static>] = &[
    file("beside_quectel", include_str!("beside_quectel.toml")),
    file("beside_nb_iot", include_str!("beside_nb_iot.toml")),
    file("mqtt_lte", include_str!("mqtt_lte.toml")),
    file("mqtt_nb_iot", include_str!("mqtt_nb_iot.toml")),
    file("publish_ctrl_z", include_str!("publish_ctrl_z.toml")),
    file("beside_simcom", include_str!("beside_simcom.toml")),
];

const fn file(name: &'static str, text: &'static str) -> Source<'static> {
    Source { name, text }
}

/// A family of modules.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// `bg95`; the file's name.
    #[serde(skip)]
    pub name: &'static str,
    /// The family, in one line.
    pub title: String,
    /// Other names: `bg77`.
    #[serde(default)]
    pub also: Vec<String>,
    /// The document its modules follow as far as they do.
    pub dialect: String,
    /// What `AT+CGMM` says.
    pub model: String,
    /// What `AT+CGMR` says.
    pub revision: String,
    /// Differences it shares with others, the last counts most; its own come after them.
    #[serde(default)]
    beside: Vec<String>,
    /// How it departs from the document, each as it is written on demand: `gap:ms=250`.
    #[serde(default)]
    pub quirks: Vec<String>,
    /// Examples of the document that the family does not support, each with the reason.
    #[serde(default)]
    pub unsupported: Vec<Unsupported>,
    #[serde(skip)]
    text: &'static str,
}

/// An example of the document that a family does not support.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unsupported {
    /// `5.3`
    pub example: String,
    /// In a sentence.
    pub why: String,
}

/// Where a file has its profile.
#[derive(Deserialize)]
struct File {
    profile: Profile,
}

/// All profiles, in the order of their documents.
///
/// # Panics
///
/// When a built-in file is broken. A test loads every file, so a build that passes its tests cannot.
pub static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let read = |source: &Source<'static>| match toml::from_str::<File>(source.text) {
        Ok(file) => Profile { name: source.name, text: source.text, ..file.profile }.with_its_files(),
        Err(error) => panic!("the built-in profile {}: {error}", source.name),
    };
    FILES.iter().map(read).collect()
});

/// The profile of this name, if there is one.
pub fn find(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name || profile.also.iter().any(|other| other == name))
}

/// A difference that profiles share.
fn shared(name: &str) -> Option<Source<'static>> {
    let kin = || kin::find(name).map(|kin| kin.source);
    SHARED.iter().find(|source| source.name == name).copied().or_else(kin)
}

impl Profile {
    /// How its modules' data differ from the document's. A profile with the name of its document is the document.
    pub(super) fn differences(&self) -> impl Iterator<Item = Source<'static>> {
        let own = [file(self.name, self.text)].into_iter().filter(|own| own.name != self.dialect);
        self.beside.iter().filter_map(|name| shared(name)).chain(own)
    }

    fn with_its_files(self) -> Profile {
        if let Some(unknown) = self.beside.iter().find(|name| shared(name).is_none()) {
            panic!("the built-in profile {}: there is no shared file {unknown}", self.name);
        }
        self
    }

    /// Who its modules are, but for what the caller wants.
    pub(super) fn identity(&self, wishes: &IdentityOptions) -> IdentityOptions {
        IdentityOptions {
            model: wishes.model.clone().or_else(|| Some(self.model.clone())),
            revision: wishes.revision.clone().or_else(|| Some(self.revision.clone())),
            ..wishes.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::virtual_module::VirtualOptions;
    use crate::virtual_module::quirks::Quirk;
    use crate::virtual_module::simulation::SimulatedModule;

    #[test]
    fn every_profile_makes_a_module_that_says_who_it_is() {
        for profile in PROFILES.iter() {
            let mut module = SimulatedModule::new(&VirtualOptions::new(profile.name))
                .unwrap_or_else(|error| panic!("{}: {error}", profile.name));
            module.ask("ATE0", 1.0);
            let said = module.ask("AT+CGMM", 1.0);
            assert!(said.contains(&profile.model), "{}: {said}", profile.name);
            let dialect = crate::virtual_module::dialect(&profile.dialect).expect("a dialect");
            profile.quirks.iter().for_each(|quirk| drop(Quirk::parse(quirk, dialect).expect("a quirk")));
        }
    }

    #[test]
    fn no_two_profiles_share_a_name_and_none_is_a_dialect() {
        let names: Vec<&str> = PROFILES
            .iter()
            .flat_map(|profile| std::iter::once(profile.name).chain(profile.also.iter().map(String::as_str)))
            .collect();
        for (place, name) in names.iter().enumerate() {
            assert!(!names[..place].contains(name), "{name} stands twice");
            let is_its_own = find(name).is_some_and(|profile| profile.dialect == *name && profile.quirks.is_empty());
            assert!(crate::dialect::catalogue().get(name).is_none() || is_its_own, "{name} is a dialect");
        }
    }
}
