//! Parent + difference = dialect: reads a file and its parents, merges them, and reads the result as a [`Dialect`].
//!
//! Not here: what a file may say (`schema.rs`) and whether it makes sense (`validate.rs`). Driven by [`Catalogue::load`].
//!
//! Each file is parsed behind as many blanks as the files before it are long. A byte position then says which file of the
//! chain it comes from, through every merge, so that an error names file, line and key.
//!
//! [`Catalogue::load`]: crate::dialect::Catalogue::load

use std::fmt;

use serde::Deserialize;
use toml::de::DeTable;
use toml::de::DeValue;

use crate::dialect::schema::Dialect;
use crate::dialect::validate;

/// A data file: its name without `.toml`, and its text.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// `ecx00u_egx00u`
    pub name: &'a str,
    /// TOML.
    pub text: &'a str,
}

/// A data file that cannot be used: which one, where, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// `ecx00u_egx00u.toml`
    pub file: String,
    /// Line, where the place is one.
    pub line: Option<usize>,
    /// Key path, `commands.AT+QMTOPEN.params`; empty at the top.
    pub key: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ", key `{}`", self.key)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for LoadError {}

/// Reads the file `name` with all its parents. `None`: it is a shared parent (no `document` of its own), not a dialect.
pub fn load(name: &str, files: &[Source<'_>]) -> Result<Option<Dialect>, LoadError> {
    let chain = Chain::of(name, files)?;
    if !chain.links.first().is_some_and(|own| own.has("document")) {
        return Ok(None);
    }
    chain.merged(name).map(Some)
}

/// Reads differences to the dialect `name`, each written as a child of what is before it: the module that differs so. What
/// stands under `profile` or `kin` is not of the dialect (`virtual_module::profiles`, `kin.rs`).
pub fn load_differing(name: &str, differences: &[Source<'_>], files: &[Source<'_>]) -> Result<Dialect, LoadError> {
    let chain = Chain::below(differences, name, files)?;
    for link in &chain.links[..differences.len()] {
        let own = DeTable::parse(&link.padded).map_err(|e| chain.error(&e, &[]))?;
        let stays = |key: &str| ["schema", "id", "parent", "family", "document"].contains(&key);
        if let Some(key) = own.get_ref().keys().find(|key| stays(key.get_ref().as_ref())) {
            let message = "a difference cannot change this".to_owned();
            return Err(chain.at(key.span(), &[key.get_ref().to_string()], message));
        }
    }
    chain.merged(name)
}

/// Puts the entries of `child` over those of `parent`.
fn merge<'i>(
    parent: &mut DeTable<'i>,
    child: DeTable<'i>,
    path: &mut Vec<String>,
    chain: &Chain<'_>,
) -> Result<(), LoadError> {
    let mut order = None;
    for (key, value) in child {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("remove", DeValue::Array(names)) => {
                for name in names.iter() {
                    let text = chain.name(name, path)?;
                    if !parent.contains_key(text) {
                        let message = format!("`remove` names `{text}`, which the parent does not have");
                        return Err(chain.at(name.span(), path, message));
                    }
                    parent.remove(text);
                }
            }
            ("order", DeValue::Array(_)) => order = Some(value),
            _ => merge_entry(parent, key, value, path, chain)?,
        }
    }
    if let Some(order) = order {
        reorder(parent, &order, path, chain)?;
    }
    Ok(())
}

/// Tables merge, anything else replaces, in its old place.
fn merge_entry<'i>(
    parent: &mut DeTable<'i>,
    key: Key<'i>,
    value: toml::Spanned<DeValue<'i>>,
    path: &mut Vec<String>,
    chain: &Chain<'_>,
) -> Result<(), LoadError> {
    let name = key.get_ref().to_string();
    let span = value.span();
    match value.into_inner() {
        DeValue::Table(new) => {
            // A fresh table is merged into an empty one: its `order` counts there too.
            let (at, mut table) = match parent.get_mut(name.as_str()) {
                Some(old) => {
                    let at = old.span();
                    match std::mem::replace(old.get_mut(), DeValue::Boolean(false)) {
                        DeValue::Table(table) => (at, table),
                        _ => (span, DeTable::new()),
                    }
                }
                None => (span, DeTable::new()),
            };
            path.push(name);
            merge(&mut table, new, path, chain)?;
            path.pop();
            replace(parent, key, toml::Spanned::new(at, DeValue::Table(table)));
        }
        new => replace(parent, key, toml::Spanned::new(span, new)),
    }
    Ok(())
}

/// Writes an entry, in its old place where it has one. The key is replaced too: its position says which file spoke last.
fn replace<'i>(table: &mut DeTable<'i>, key: Key<'i>, value: toml::Spanned<DeValue<'i>>) {
    if !table.contains_key(key.get_ref().as_ref()) {
        table.insert(key, value);
        return;
    }
    let mut slot = Some((key, value));
    for (k, v) in std::mem::take(table) {
        match slot.take_if(|(key, _)| *key.get_ref() == *k.get_ref()) {
            Some((key, value)) => table.insert(key, value),
            None => table.insert(k, v),
        };
    }
}

/// Brings the entries named in `order` to the front, in that order.
fn reorder<'i>(
    table: &mut DeTable<'i>,
    order: &toml::Spanned<DeValue<'i>>,
    path: &[String],
    chain: &Chain<'_>,
) -> Result<(), LoadError> {
    let DeValue::Array(names) = order.get_ref() else { return Ok(()) };
    let mut rest = std::mem::take(table);
    for name in names.iter() {
        let text = chain.name(name, path)?;
        let Some((key, value)) = rest.remove_entry(text) else {
            let message = format!("`order` names `{text}`, which is not here or is named twice");
            return Err(chain.at(name.span(), path, message));
        };
        table.insert(key, value);
    }
    table.extend(rest);
    Ok(())
}

type Key<'i> = toml::Spanned<toml::de::DeString<'i>>;

/// A file and its parents, the file itself first, each padded to its place.
struct Chain<'a> {
    links: Vec<Link<'a>>,
    /// How many of the links are differences to a dialect, and no files of it.
    differences: usize,
}

struct Link<'a> {
    source: Source<'a>,
    start: usize,
    padded: String,
}

impl Link<'_> {
    fn has(&self, key: &str) -> bool {
        DeTable::parse(&self.padded).is_ok_and(|table| table.get_ref().contains_key(key))
    }
}

impl<'a> Chain<'a> {
    fn of(name: &str, files: &[Source<'a>]) -> Result<Chain<'a>, LoadError> {
        Chain::followed(Vec::new(), 0, name, files)
    }

    /// Files that are in no list, the last the youngest, and the dialect they differ from with its parents.
    fn below(sources: &[Source<'a>], name: &str, files: &[Source<'a>]) -> Result<Chain<'a>, LoadError> {
        let (mut own, mut start) = (Vec::new(), 0);
        for source in sources.iter().rev() {
            own.push(Link { source: *source, start, padded: format!("{}{}", " ".repeat(start), source.text) });
            start += behind(source.text);
        }
        let mut chain = Chain::followed(own, start, name, files)?;
        chain.differences = sources.len();
        Ok(chain)
    }

    fn followed(
        mut links: Vec<Link<'a>>,
        mut start: usize,
        name: &str,
        files: &[Source<'a>],
    ) -> Result<Chain<'a>, LoadError> {
        let mut wanted = name.to_string();
        loop {
            let by = links.last().map_or(wanted.as_str(), |l| l.source.name).to_string();
            let fail =
                |message: String| LoadError { file: format!("{by}.toml"), line: None, key: "parent".into(), message };
            if links.iter().any(|l| l.source.name == wanted) {
                return Err(fail(format!("`{wanted}` is among its own parents")));
            }
            let Some(source) = files.iter().find(|f| f.name == wanted) else {
                return Err(fail(format!("no data file is named `{wanted}`")));
            };
            let padded = format!("{}{}", " ".repeat(start), source.text);
            links.push(Link { source: *source, start, padded });
            start += behind(source.text);
            let chain = Chain { links, differences: 0 };
            let table = DeTable::parse(&chain.links[chain.links.len() - 1].padded).map_err(|e| chain.error(&e, &[]))?;
            let parent = match table.get_ref().get("parent") {
                None => None,
                Some(parent) => Some(chain.name(parent, &["parent".to_string()])?.to_string()),
            };
            links = chain.links;
            match parent {
                None => return Ok(Chain { links, differences: 0 }),
                Some(parent) => wanted = parent,
            }
        }
    }

    /// The dialect that they are together.
    fn merged(&self, name: &str) -> Result<Dialect, LoadError> {
        let mut tables = Vec::with_capacity(self.links.len());
        for (place, link) in self.links.iter().enumerate() {
            let mut table = DeTable::parse(&link.padded).map_err(|e| self.error(&e, &[]))?;
            if place < self.differences {
                for key in ["profile", "kin"] {
                    table.get_mut().remove(key);
                }
            }
            tables.push(table);
        }
        let span = tables.first().map(toml::Spanned::span).unwrap_or_default();
        let mut merged = DeTable::new();
        // The eldest first.
        for table in tables.into_iter().rev() {
            merge(&mut merged, table.into_inner(), &mut Vec::new(), self)?;
        }
        let table = toml::Spanned::new(span, merged);
        let dialect = Dialect::deserialize(toml::Deserializer::from(table)).map_err(|e| self.error(&e, &[]))?;
        validate::validate(&dialect, name).map_err(|flaw| self.flaw(name, flaw))?;
        Ok(dialect)
    }

    /// The text of a name in an array, or why it is none.
    fn name<'v>(&self, value: &'v toml::Spanned<DeValue<'_>>, path: &[String]) -> Result<&'v str, LoadError> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text.as_ref()),
            other => {
                let message = format!("expected a name in quotation marks, found {}", other.type_str());
                Err(self.at(value.span(), path, message))
            }
        }
    }

    /// The error of the TOML reader, in our words.
    fn error(&self, error: &toml::de::Error, path: &[String]) -> LoadError {
        let text = error.to_string();
        let key = text.lines().find_map(|l| l.strip_prefix("in `")?.strip_suffix('`')).unwrap_or("");
        let path: Vec<String> = if key.is_empty() { path.to_vec() } else { vec![key.to_string()] };
        match error.span() {
            Some(span) => self.at(span, &path, error.message().to_string()),
            None => LoadError {
                file: self.file(0).0,
                line: None,
                key: path.join("."),
                message: error.message().to_string(),
            },
        }
    }

    fn at(&self, span: std::ops::Range<usize>, path: &[String], message: String) -> LoadError {
        let (file, line) = self.file(span.start);
        LoadError { file, line: Some(line), key: path.join("."), message }
    }

    /// What the check of the merged dialect found; the line is that of the last key of its path, where a file holds it.
    fn flaw(&self, name: &str, flaw: validate::Flaw) -> LoadError {
        for link in &self.links {
            let Ok(table) = DeTable::parse(&link.padded) else { continue };
            if let Some(at) = place(table.get_ref(), &flaw.path) {
                return self.at(at..at, &flaw.path, flaw.message);
            }
        }
        LoadError { file: format!("{name}.toml"), line: None, key: flaw.path.join("."), message: flaw.message }
    }

    /// The file at a byte position, and the line in it.
    fn file(&self, at: usize) -> (String, usize) {
        let link = self.links.iter().rev().find(|l| at >= l.start).or(self.links.first());
        match link {
            None => (String::new(), 1),
            Some(link) => {
                let until = (at - link.start).min(link.source.text.len());
                let line = 1 + link.source.text.as_bytes()[..until].iter().filter(|b| **b == b'\n').count();
                (format!("{}.toml", link.source.name), line)
            }
        }
    }
}

/// Where the next text of a chain starts; the end of this one still belongs to this one.
fn behind(text: &str) -> usize {
    text.len() + 1
}

/// The byte position of the key at the end of `path`.
fn place(table: &DeTable<'_>, path: &[String]) -> Option<usize> {
    let (first, rest) = path.split_first()?;
    let (key, value) = table.get_key_value(first.as_str())?;
    match (rest.is_empty(), value.get_ref()) {
        (true, _) => Some(key.span().start),
        (false, DeValue::Table(inner)) => place(inner, rest),
        (false, _) => None,
    }
}
