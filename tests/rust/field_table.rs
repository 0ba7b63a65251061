//! The table of what modules in the field do (`tests/data/field.toml`) holds what the code has: every rule, its quirks, its tests,
//! its shapes; and `docs/field.md` is the table for people. `MODEMRIG_WRITE=1` writes that page (`make field-page`).

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use modemrig::virtual_module::QUIRKS;
use serde::Deserialize;

const RULES: usize = 24;

#[derive(Deserialize)]
struct Table {
    rule: Vec<Rule>,
}

/// A row.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    id: String,
    title: String,
    text: String,
    quirks: Vec<String>,
    tests: Vec<String>,
    shapes: Vec<String>,
    /// Why something is not there.
    note: Option<String>,
}

#[test]
fn every_rule_has_a_row_with_quirks_tests_and_shapes_or_says_why_not() {
    let rules = table();
    let ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    let expected: Vec<String> = (1..=RULES).map(|number| format!("F{number}")).collect();
    assert_eq!(expected, ids);
    let mut faults = Vec::new();
    for rule in &rules {
        let is_whole = !rule.quirks.is_empty() && !rule.shapes.is_empty();
        if rule.tests.is_empty() || rule.text.is_empty() || (!is_whole && rule.note.is_none()) {
            faults.push(format!("{}: something is missing, and no note says why", rule.id));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_quirks_of_the_table_are_those_of_the_code() {
    let in_table: BTreeSet<(String, String)> = table()
        .into_iter()
        .flat_map(|rule| rule.quirks.into_iter().map(move |quirk| (rule.id.clone(), quirk)))
        .collect();
    let in_code: BTreeSet<(String, String)> =
        QUIRKS.iter().flat_map(|row| row.field.iter().map(|rule| (rule.to_string(), row.name.to_string()))).collect();
    let only_in = |a: &BTreeSet<_>, b: &BTreeSet<_>| a.difference(b).cloned().collect::<Vec<(String, String)>>();
    assert_eq!(only_in(&in_table, &in_code), [], "in tests/data/field.toml, and not in the table of quirks");
    assert_eq!(only_in(&in_code, &in_table), [], "in the table of quirks, and not in tests/data/field.toml");
}

#[test]
fn the_tests_of_the_table_are_there() {
    let mut faults = Vec::new();
    for rule in table() {
        for named in &rule.tests {
            if !is_there(named) {
                faults.push(format!("{}: there is no test {named}", rule.id));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(!is_there("tests/rust/field.rs: f1_of_a_test_that_nobody_wrote"));
    assert!(!is_there("tests/rust/no_such_file.rs: f5_a_surplus_ok_is_ignored"));
    assert!(!is_there("tests/rust/field.rs: talk"), "no test, though it is a function");
}

#[test]
fn every_shape_belongs_to_a_rule() {
    let text = fs::read_to_string(root().join("tests/data/wire-shapes.toml")).expect("the file of shapes");
    let file: toml::Table = text.parse().expect("TOML");
    let known: BTreeSet<String> = ["vector", "host"]
        .iter()
        .flat_map(|table| file[*table].as_array().expect("rows"))
        .map(|row| row["id"].as_str().expect("an id").to_string())
        .collect();
    let named: BTreeSet<String> = table().into_iter().flat_map(|rule| rule.shapes).collect();
    assert_eq!(named.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "shapes that are not there");
    assert_eq!(known.difference(&named).collect::<Vec<_>>(), Vec::<&String>::new(), "shapes of no rule");
}

#[test]
fn the_page_for_people_is_made_of_the_table() {
    let path = root().join("docs/field.md");
    let page = page(&table());
    if std::env::var_os("MODEMRIG_WRITE").is_some() {
        fs::write(&path, &page).expect("docs can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/field.md is not that of tests/data/field.toml: make field-page");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn table() -> Vec<Rule> {
    let text = fs::read_to_string(root().join("tests/data/field.toml")).expect("the table");
    toml::from_str::<Table>(&text).expect("a table of rules").rule
}

/// Whether `FILE: FUNCTION` names a test.
fn is_there(named: &str) -> bool {
    let Some((file, name)) = named.split_once(": ") else { return false };
    let Ok(text) = fs::read_to_string(root().join(file)) else { return false };
    if file.ends_with(".py") {
        return name.starts_with("test_") && text.contains(&format!("\ndef {name}("));
    }
    let mut before = "";
    text.lines().any(|line| {
        let is_it = line.trim_start().starts_with(&format!("fn {name}(")) && before.trim() == "#[test]";
        before = line;
        is_it
    })
}

/// The table for people.
fn page(rules: &[Rule]) -> String {
    let mut page = String::from(
        "# What modules in the field do\n\n\
         Real modules do more than their documents say, and something else. The host bears all of it without being told; the virtual\n\
         module shows each of it as a *quirk* (`modemrig virtual --quirk NAME`, `--list-quirks`) and as *profiles* that bundle them\n\
         (`--profile bg95`, `--list-profiles`). `modemrig conformance --field` puts the host to every quirk alone and to every\n\
         profile. This page is made of `tests/data/field.toml`, which a test holds against the code.\n",
    );
    for rule in rules {
        write!(page, "\n## {}: {}\n\n{}\n", rule.id, rule.title, rule.text).expect("a string takes it");
        if let Some(note) = &rule.note {
            write!(page, "\n*{note}*\n").expect("a string takes it");
        }
        if !rule.quirks.is_empty() {
            page.push_str("\n| quirk | |\n|---|---|\n");
        }
        for name in &rule.quirks {
            let title = QUIRKS.iter().find(|row| row.name == name).map_or("", |row| row.title);
            writeln!(page, "| `{name}` | {} |", title.replace('|', "\\|")).expect("a string takes it");
        }
        let tests: Vec<String> = rule.tests.iter().map(|test| format!("- `{test}`")).collect();
        write!(page, "\nTests:\n\n{}\n", tests.join("\n")).expect("a string takes it");
        if !rule.shapes.is_empty() {
            let shapes: Vec<String> = rule.shapes.iter().map(|shape| format!("`{shape}`")).collect();
            write!(page, "\nShapes on the wire: {}.\n", shapes.join(", ")).expect("a string takes it");
        }
    }
    page
}
