//! The built-in files load; broken ones are errors that name file, line and key, and never a panic.

use crate::dialect::Catalogue;
use crate::dialect::LoadError;
use crate::dialect::Source;

/// A whole dialect, as small as can be.
const SMALL: &str = r#"schema = 1
id = "small"
family = "qmt"
clients = 1
modules = []
[document]
title = "Small"
[limits]
payload_len = 10
[commands."AT+X"]
title = "X."
forms = ["write"]
source = "1"
[commands."AT+X".variants]
write = { params = ["a", "b"], required = 1, counts = [1, 2] }
[commands."AT+X".params]
a = { type = "int", min = 0, max = 5 }
b = { type = "string", max_len = 3 }
[urcs]
[error_codes.T]
1 = { meaning = "one" }
"#;

fn load(files: &[(&'static str, &str)]) -> Result<Catalogue, LoadError> {
    let files: Vec<Source<'_>> = files.iter().map(|(name, text)| Source { name, text }).collect();
    Catalogue::from_sources(&files)
}

fn broken(files: &[(&'static str, &str)]) -> LoadError {
    load(files).expect_err("the file is broken")
}

/// `SMALL` with one line changed.
fn small(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from}");
    SMALL.replacen(from, to, 1)
}

#[test]
fn built_in_files_load() {
    let catalogue = Catalogue::load().unwrap_or_else(|e| panic!("{e}"));
    assert!(catalogue.ids().contains(&"ecx00u_egx00u"));
    assert!(catalogue.get("quectel").is_none(), "a shared parent is no dialect");
}

#[test]
fn unknown_key_names_file_line_and_path() {
    let error = broken(&[("small", &small("min = 0, max = 5", "min = 0, maximum = 5"))]);
    assert_eq!("small.toml", error.file);
    assert_eq!(Some(17), error.line);
    assert!(error.key.starts_with("commands.AT+X.params.a"), "{error}");
    assert!(error.message.contains("maximum"), "{error}");
}

#[test]
fn unknown_key_in_a_child_names_the_child() {
    let child = "parent = \"small\"\nid = \"child\"\n[document]\ntitle = \"C\"\n[commands.\"AT+X\"]\ncolour = 1\n";
    let error = broken(&[("small", SMALL), ("child", child)]);
    assert_eq!(("child.toml", Some(6)), (error.file.as_str(), error.line), "{error}");
}

#[test]
fn wrong_type_names_file_line_and_path() {
    let error = broken(&[("small", &small("clients = 1", "clients = \"one\""))]);
    assert_eq!(("small.toml", Some(4)), (error.file.as_str(), error.line), "{error}");
    assert_eq!("clients", error.key);
}

#[test]
fn missing_key_is_an_error() {
    let error = broken(&[("small", &small("family = \"qmt\"\n", ""))]);
    assert!(error.message.contains("family"), "{error}");
}

#[test]
fn missing_parent_is_an_error() {
    let error = broken(&[("small", &format!("parent = \"nobody\"\n{SMALL}"))]);
    assert_eq!("small.toml, key `parent`: no data file is named `nobody`", error.to_string());
}

#[test]
fn cycle_is_an_error() {
    let a = "parent = \"b\"\n[document]\n";
    let b = "parent = \"a\"\n";
    let error = broken(&[("a", a), ("b", b)]);
    assert_eq!("b.toml, key `parent`: `a` is among its own parents", error.to_string());
}

#[test]
fn bad_code_key_is_an_error() {
    let error = broken(&[("small", &small("1 = { meaning = \"one\" }", "one = { meaning = \"one\" }"))]);
    assert_eq!(("small.toml", Some(21), "error_codes.T.one"), (error.file.as_str(), error.line, error.key.as_str()));
}

#[test]
fn text_that_is_no_toml_names_its_line() {
    let error = broken(&[("small", &small("clients = 1", "clients = = 1"))]);
    assert_eq!(("small.toml", Some(4)), (error.file.as_str(), error.line), "{error}");
}

#[test]
fn undefined_parameter_is_an_error() {
    let error = broken(&[("small", &small("params = [\"a\", \"b\"]", "params = [\"a\", \"c\"]"))]);
    assert!(error.message.contains("`c` is not among"), "{error}");
    assert_eq!(("small.toml", Some(15)), (error.file.as_str(), error.line), "{error}");
}

#[test]
fn parent_that_is_no_text_is_an_error() {
    let error = broken(&[("small", &format!("parent = 3\n{SMALL}"))]);
    assert_eq!(("small.toml", Some(1)), (error.file.as_str(), error.line), "{error}");
}

#[test]
fn child_overrides_removes_and_orders() {
    let child = r#"parent = "small"
id = "child"
[document]
title = "Child"
[commands."AT+X".params]
a = { max = 9 }
c = { type = "int" }
order = ["c", "a"]
[commands."AT+X".variants]
remove = ["write"]
other = { params = ["c"], required = 1, counts = [1] }
"#;
    let catalogue = load(&[("small", SMALL), ("child", child)]).unwrap_or_else(|e| panic!("{e}"));
    let command = &catalogue.get("child").expect("is there").commands["AT+X"];
    assert_eq!(vec!["c", "a", "b"], command.params.keys().collect::<Vec<_>>());
    assert_eq!((Some(0), Some(9)), (command.params["a"].min, command.params["a"].max));
    assert_eq!(vec!["other"], command.variants.keys().collect::<Vec<_>>());
    assert_eq!(Some(5), catalogue.get("small").expect("is there").commands["AT+X"].params["a"].max);
}

#[test]
fn remove_of_what_is_not_there_is_an_error() {
    let child = "parent = \"small\"\nid = \"child\"\n[document]\ntitle = \"C\"\n[commands]\nremove = [\"AT+Y\"]\n";
    let error = broken(&[("small", SMALL), ("child", child)]);
    assert_eq!(("child.toml", Some(6), "commands"), (error.file.as_str(), error.line, error.key.as_str()));
}

#[test]
fn no_damage_makes_the_loader_panic() {
    let mut refused = 0;
    let lines: Vec<&str> = SMALL.lines().collect();
    for at in 0..lines.len() {
        let without: String =
            lines.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, l)| format!("{l}\n")).collect();
        refused += usize::from(load(&[("small", &without)]).is_err());
    }
    for (at, _) in SMALL.char_indices() {
        for by in ["", "\"", "=", "[", "\u{e9}", "9"] {
            let damaged = format!("{}{by}{}", &SMALL[..at], &SMALL[at + 1..]);
            refused += usize::from(load(&[("small", &damaged)]).is_err());
        }
    }
    assert!(refused > 1000, "{refused}");
}
