//! Which dialect a module speaks, from what it says of itself (`ATI`, `AT+CGMM`).

use crate::dialect::Catalogue;
use crate::dialect::kin;
use crate::dialect::schema::Dialect;
use crate::dialect::schema::Family;

/// What was found out.
#[derive(Clone, Debug)]
pub struct Detection<'a> {
    /// The dialect; `None` where neither model nor maker is known.
    pub dialect: Option<&'a Dialect>,
    /// `Quectel`, `SIMCOM INCORPORATED`
    pub manufacturer: Option<String>,
    /// `EC200U`
    pub model: Option<String>,
    /// `EC200UCNAAR03A01M08`
    pub revision: Option<String>,
    /// How it was found.
    pub basis: DetectionBasis,
    /// Other dialects whose documents name the same model; the log should say so.
    pub also: Vec<&'a str>,
}

/// How a dialect was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DetectionBasis {
    /// A document names the model.
    Model,
    /// No document does, but the field knows it: it speaks the dialect, but for a difference.
    Kin,
    /// No document does; the nearest family of the same name was taken, the newest document first.
    Family,
    /// Only the maker is known.
    Manufacturer,
    /// Nothing is known.
    Nothing,
}

impl Catalogue {
    /// Finds the dialect from the lines of `ATI`, with those of `AT+CGMI`, `AT+CGMM` and `AT+CGMR` or without.
    ///
    /// A model that two documents name takes the newer one (decision 43).
    pub fn detect(&self, lines: &[&str]) -> Detection<'_> {
        let said = Identity::of(lines);
        let names: Vec<String> =
            [&said.model, &said.revision].into_iter().flatten().map(|t| plain(without_maker(t))).collect();
        let mut found: Vec<(usize, &Dialect)> =
            self.dialects().iter().filter_map(|d| Some((score(d, &names)?, d))).collect();
        let newest = |d: &Dialect| d.document.date.clone().unwrap_or_default();
        found.sort_by_key(|(score, d)| std::cmp::Reverse((*score, newest(d))));
        let best = found.first().map(|(score, _)| *score);
        let also = found.iter().skip(1).filter(|(s, _)| Some(*s) == best).map(|(_, d)| d.id.as_str()).collect();
        let newest_of = |wanted: &dyn Fn(&Dialect) -> bool| {
            self.dialects().iter().filter(|d| wanted(d)).max_by_key(|d| (newest(d), d.modules.len()))
        };
        let (dialect, basis) = match found.first() {
            Some((_, dialect)) => (Some(*dialect), DetectionBasis::Model),
            None if kin::of_model(&names).is_some() => {
                (kin::of_model(&names).map(|kin| &kin.dialect), DetectionBasis::Kin)
            }
            None => {
                let stems: Vec<String> = names.iter().map(|n| letters(n)).filter(|s| s.len() > 1).collect();
                let related = newest_of(&|d| d.modules.iter().any(|m| stems.contains(&letters(&plain(&m.model)))));
                let family = said.manufacturer.as_deref().and_then(family_of);
                match related {
                    Some(dialect) => (Some(dialect), DetectionBasis::Family),
                    None => match newest_of(&|d| Some(d.family) == family) {
                        Some(dialect) => (Some(dialect), DetectionBasis::Manufacturer),
                        None => (None, DetectionBasis::Nothing),
                    },
                }
            }
        };
        Detection { dialect, manufacturer: said.manufacturer, model: said.model, revision: said.revision, basis, also }
    }
}

/// How long the module name is that a document and the module agree on.
fn score(dialect: &Dialect, names: &[String]) -> Option<usize> {
    let models = dialect.modules.iter().map(|m| plain(&m.model));
    let agree = |model: &str, name: &str| {
        if name.starts_with(model) {
            return Some(2 * model.len());
        }
        // `EC600N` is what an EC600N-CN says of itself.
        (name.len() >= 5 && model.starts_with(name)).then_some(2 * name.len() - 1)
    };
    models.flat_map(|model| names.iter().filter_map(move |name| agree(&model, name)).collect::<Vec<_>>()).max()
}

/// `EC200U Series` and `EC600N-CN` as modules write them: `EC200U`, `EC600NCN`.
fn plain(text: &str) -> String {
    let upper = text.to_ascii_uppercase();
    let name = upper.trim().trim_end_matches("SERIES");
    name.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// `SIM7600G-H` of `SIMCOM_SIM7600G-H`.
fn without_maker(text: &str) -> &str {
    text.strip_prefix("SIMCOM")
        .and_then(|rest| rest.strip_prefix(['_', ' ']))
        .filter(|rest| looks_like_model(rest))
        .unwrap_or(text)
}

/// `EC` of `EC801E`.
fn letters(name: &str) -> String {
    name.chars().take_while(char::is_ascii_alphabetic).collect()
}

fn family_of(manufacturer: &str) -> Option<Family> {
    let maker = manufacturer.to_ascii_uppercase();
    let families = [("QUECTEL", Family::Qmt), ("SIMCOM", Family::Cmqtt)];
    families.into_iter().find(|(name, _)| maker.contains(name)).map(|(_, family)| family)
}

/// What a module says of itself.
struct Identity {
    manufacturer: Option<String>,
    model: Option<String>,
    revision: Option<String>,
}

impl Identity {
    /// Lines with a label (`Model: SIM7028`) say what they are; of the others the first that names a maker is the maker,
    /// and the next that looks like a name is the model.
    fn of(lines: &[&str]) -> Identity {
        let mut said = Identity { manufacturer: None, model: None, revision: None };
        for line in lines.iter().map(|l| l.trim()).filter(|l| !l.is_empty() && *l != "OK") {
            let (label, value) = match line.split_once(':') {
                Some((label, value)) => (label.trim_start_matches('+').to_ascii_lowercase(), value.trim()),
                None => (String::new(), line),
            };
            let value = value.trim_matches('"').to_string();
            match label.as_str() {
                "manufacturer" | "cgmi" | "gmi" => said.manufacturer = Some(value),
                "model" | "cgmm" | "gmm" => said.model = Some(value),
                "revision" | "cgmr" | "gmr" => said.revision = said.revision.or(Some(value)),
                "" if family_of(without_maker(&value)).is_some() => {
                    said.manufacturer = said.manufacturer.or(Some(value))
                }
                "" if looks_like_model(without_maker(&value)) && said.model.is_none() => said.model = Some(value),
                "" if looks_like_model(&value) => said.revision = said.revision.or(Some(value)),
                _ => {}
            }
        }
        said
    }
}

/// Letters, then digits: `EC200U`, `BC35-G`, `SIM7028`. An IMEI has no letters.
fn looks_like_model(text: &str) -> bool {
    let stem = letters(text).len();
    (2..=5).contains(&stem) && text[stem..].starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::catalogue;

    fn id(lines: &[&str]) -> (Option<&'static str>, DetectionBasis) {
        let found = catalogue().detect(lines);
        (found.dialect.map(|d| d.id.as_str()), found.basis)
    }

    #[test]
    fn model_line_names_the_document() {
        let ati = ["Quectel", "EC200U", "Revision: EC200UCNAAR03A01M08"];
        assert_eq!((Some("ecx00u_egx00u"), DetectionBasis::Model), id(&ati));
        let found = catalogue().detect(&ati);
        assert_eq!(Some("EC200U"), found.model.as_deref());
        assert_eq!(Some("EC200UCNAAR03A01M08"), found.revision.as_deref());
        assert_eq!(Some("Quectel"), found.manufacturer.as_deref());
    }

    #[test]
    fn model_in_two_documents_takes_the_newer() {
        let found = catalogue().detect(&["Quectel", "EC200S", "Revision: EC200SCNAAR01A01M16"]);
        assert_eq!(Some("lte_standard_a"), found.dialect.map(|d| d.id.as_str()));
        assert_eq!(vec!["ec200x_ec600x_eg912y"], found.also);
    }

    #[test]
    fn variant_in_the_revision_decides() {
        let only_in_the_old_one = ["Quectel", "EC600S", "Revision: EC600SCNLBR03A01M08"];
        assert_eq!((Some("ec200x_ec600x_eg912y"), DetectionBasis::Model), id(&only_in_the_old_one));
        let short_model = ["Quectel", "EC600N", "Revision: EC600NCNLCR03A01M08"];
        assert_eq!((Some("lte_standard_a"), DetectionBasis::Model), id(&short_model));
    }

    #[test]
    fn nb_iot_modules_are_known() {
        let neul = ["Quectel", "BC35-G", "Revision:BC35-GJAR01A07"];
        assert_eq!((Some("bc35g_bc28"), DetectionBasis::Model), id(&neul));
        let simcom = [
            "Manufacturer: SIMCOM INCORPORATED",
            "Model: SIM7028",
            "Revision: 2110B06SIM7028",
            "IMEI: 860000000000000",
        ];
        assert_eq!((Some("sim7028"), DetectionBasis::Model), id(&simcom));
        assert_eq!((Some("bc35g_bc28"), DetectionBasis::Family), id(&["Quectel", "BC95-B5"]));
        assert_eq!((Some("sim7028"), DetectionBasis::Family), id(&["Manufacturer: SIMCOM", "Model: SIM7022"]));
    }

    #[test]
    fn a_model_the_field_knows_speaks_a_dialect_but_for_a_difference() {
        let simcom = |model: &str| format!("Manufacturer: SIMCOM INCORPORATED|Model: {model}|Revision: V1");
        for said in [&simcom("SIMCOM_SIM7600G-H"), &simcom("A7670E-LASE"), &simcom("SIM7670G-MNGV"), "SIMCOM_SIM7500E"]
        {
            let lines: Vec<&str> = said.split('|').collect();
            let found = catalogue().detect(&lines);
            assert_eq!(Some(("sim7028", 2)), found.dialect.map(|d| (d.id.as_str(), d.clients)), "{said}");
            assert_eq!(DetectionBasis::Kin, found.basis, "{said}");
        }
        let found =
            catalogue().detect(&["Manufacturer: SIMCOM INCORPORATED", "Model: SIM7028", "Revision: 2110B06SIM7028"]);
        assert_eq!(Some(1), found.dialect.map(|d| d.clients));
    }

    #[test]
    fn unknown_model_falls_back_to_its_family() {
        assert_eq!(
            (Some("lte_standard_a"), DetectionBasis::Family),
            id(&["Quectel", "EC801E", "Revision: EC801ECNCGR03"])
        );
        assert_eq!(
            (Some("lte_standard_a"), DetectionBasis::Manufacturer),
            id(&["Quectel", "UG96", "Revision: UG96LA"])
        );
        assert_eq!((None, DetectionBasis::Nothing), id(&["Acme", "OK"]));
    }
}
