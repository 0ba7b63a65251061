//! What brings a virtual module to each code of a document: a table for the reference and for the test that walks it.

use std::sync::OnceLock;

use indexmap::IndexMap;
use serde::Deserialize;

use crate::dialect::schema::Dialect;

/// Why a code is, or is not, met on a virtual module.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// What has to happen.
    pub cause: Option<String>,
    /// The ways there, by the names of the scripts that go them: `tests/rust/codes.rs` in a simulation, `kinds/codes.py` of
    /// the conformance suite on a rig.
    #[serde(default)]
    pub tests: Vec<String>,
    /// Why nothing leads there.
    pub unreachable: Option<String>,
}

/// Every code of every document, and what brings a virtual module to it.
#[derive(Debug, Default, Deserialize)]
pub struct Causes {
    /// Tables that mean the same as another one.
    pub same: IndexMap<String, String>,
    /// Table, code, cause; `*` is every code of a table that has no row.
    #[serde(flatten)]
    pub tables: IndexMap<String, IndexMap<String, Cause>>,
}

impl Causes {
    /// The cause of a code.
    pub fn get(&self, table: &str, code: &str) -> Option<&Cause> {
        let rows = self.tables.get(self.same.get(table).map_or(table, String::as_str))?;
        rows.get(code).or_else(|| rows.get("*"))
    }
}

/// The table.
pub fn causes() -> &'static Causes {
    static CAUSES: OnceLock<Causes> = OnceLock::new();
    // A file that is broken has no rows, and the test of the table says so.
    CAUSES.get_or_init(|| toml::from_str(include_str!("data/causes.toml")).unwrap_or_default())
}

impl Dialect {
    /// Table and code of every result, parameter of a URC and error that the document lists, in its order.
    pub fn codes(&self) -> Vec<(String, String)> {
        let results = self.commands.iter().flat_map(|(name, command)| {
            let rows = command.results.iter();
            rows.flat_map(move |(param, rows)| rows.keys().map(move |code| (format!("{name} {param}"), code.clone())))
        });
        let urcs = self.urcs.iter().flat_map(|(name, urc)| {
            let params = urc.params.iter();
            params.flat_map(move |(param, known)| {
                known.values.keys().map(move |code| (format!("{name} {param}"), code.clone()))
            })
        });
        let tables = self.error_codes.iter();
        let errors = tables.flat_map(|(table, rows)| rows.keys().map(move |code| (table.clone(), code.clone())));
        results.chain(urcs).chain(errors).collect()
    }

    /// What brings a virtual module of this dialect to each of its codes.
    pub fn causes(&self) -> Vec<(String, String, &'static Cause)> {
        let known = |(table, code): (String, String)| {
            let cause = causes().get(&table, &code)?;
            Some((table, code, cause))
        };
        self.codes().into_iter().filter_map(known).collect()
    }
}
