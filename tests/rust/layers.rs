//! The import rule: who may know whom. `src/lib.rs` has the picture, `DESIGN.md` the reasons.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// A layer and the layers it may name. `error` is a value type open to every layer that reports faults.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("proto", &[]),
    ("mqtt", &[]),
    ("transport", &[]),
    ("cloud", &[]),
    ("error", &["proto"]),
    ("dialect", &["proto"]),
    ("client", &["proto", "dialect"]),
    ("transcript", &["proto", "dialect"]),
    ("engine", &["proto", "dialect", "client", "transcript", "transport", "error"]),
    ("virtual_module", &["proto", "dialect", "transport", "mqtt", "cloud", "error"]),
    ("replay", &["proto", "dialect", "transcript", "transport", "error"]),
    ("bench_broker", &["transport", "mqtt", "cloud", "error"]),
    (
        "bindings",
        &[
            "proto",
            "dialect",
            "client",
            "transcript",
            "transport",
            "engine",
            "virtual_module",
            "replay",
            "bench_broker",
            "mqtt",
            "cloud",
            "error",
        ],
    ),
];

#[test]
fn no_layer_names_one_it_may_not_know() {
    let mut faults = Vec::new();
    for file in rust_files(&source_root()) {
        let text = fs::read_to_string(&file).expect("a source file is UTF-8");
        faults.extend(faults_in(&layer_of(&file), &file, &text));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn only_the_bindings_name_pyo3() {
    let offenders: Vec<_> = rust_files(&source_root())
        .into_iter()
        .filter(|file| layer_of(file) != "bindings" && layer_of(file) != "lib")
        .filter(|file| fs::read_to_string(file).expect("UTF-8").lines().any(|line| code(line).contains("pyo3")))
        .collect();
    assert_eq!(Vec::<PathBuf>::new(), offenders);
}

#[test]
fn the_rule_finds_a_forbidden_edge() {
    let faults = |text: &str| faults_in("virtual_module", Path::new("a.rs"), text).len();
    assert_eq!(1, faults("use crate::engine::Modem;"));
    assert_eq!(1, faults("let m = crate::client::state::X;"));
    assert_eq!(1, faults("use crate::{proto, mqtt};"));
    assert_eq!(1, faults("use super::super::engine::X;"));
    assert_eq!(0, faults("use crate::proto::Event; // not crate::engine"));
}

fn faults_in(layer: &str, file: &Path, text: &str) -> Vec<String> {
    let allowed = MAY_IMPORT.iter().find(|(name, _)| *name == layer).map(|(_, allowed)| *allowed);
    let mut faults = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = code(line);
        let place = || format!("{}:{}", file.display(), number + 1);
        if line.contains("crate::{") || line.contains("super::super::") {
            faults.push(format!("{}: an import that hides its edge: {}", place(), line.trim()));
        }
        let Some(allowed) = allowed else { continue };
        for rest in line.split("crate::").skip(1) {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let is_layer = MAY_IMPORT.iter().any(|(known, _)| *known == name);
            if is_layer && name != layer && !allowed.contains(&name.as_str()) {
                faults.push(format!("{}: {layer} -> {name}: {}", place(), line.trim()));
            }
        }
    }
    faults
}

/// The line without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or("")
}

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// First folder or file name below `src`: `src/proto/te.rs` is in `proto`.
fn layer_of(file: &Path) -> String {
    let below = file.strip_prefix(source_root()).expect("the file lies below src");
    let first = below.components().next().expect("a file has a name");
    Path::new(first.as_os_str()).file_stem().expect("a name").to_string_lossy().into_owned()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
