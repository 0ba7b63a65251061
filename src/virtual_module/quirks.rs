//! Named departures from a document, off unless asked for. The table holds those that exist; a name that is not in it is
//! refused. Behaviour asks [`Quirks::has`].

use crate::error::Error;
use crate::error::Kind;

/// One row: what a host sees when it is on.
#[derive(Clone, Copy, Debug)]
pub struct QuirkRow {
    /// `result_before_ok`
    pub name: &'static str,
    /// In one line.
    pub title: &'static str,
}

/// Every quirk there is.
pub const QUIRKS: &[QuirkRow] = &[
    QuirkRow { name: "prompt_on_own_line", title: "The prompt is followed by a line end (F8)." },
    QuirkRow { name: "tls_checks_host_name", title: "TLS levels 1 and 2 check the broker's name, too (decision 39)." },
];

/// Those that are on.
#[derive(Clone, Debug, Default)]
pub struct Quirks(Vec<&'static str>);

impl Quirks {
    /// Takes names; the error lists those that exist.
    pub fn new(names: &[String]) -> Result<Quirks, Error> {
        let known = |name: &String| {
            QUIRKS.iter().map(|row| row.name).find(|known| known == name).ok_or_else(|| {
                let all: Vec<&str> = QUIRKS.iter().map(|row| row.name).collect();
                Error::new(Kind::BadValue, format!("there is no quirk {name:?}"))
                    .with_remedy(format!("one of: {}", all.join(", ")))
            })
        };
        Ok(Quirks(names.iter().map(known).collect::<Result<_, Error>>()?))
    }

    /// Whether it is on.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }
}
