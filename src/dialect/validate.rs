//! Whether a merged dialect makes sense in itself: every name that is used is defined, every code is a number.
//!
//! What serde can say (unknown key, wrong type) is not repeated here. Driven by `inherit.rs`.

use crate::dialect::lookup::code_range;
use crate::dialect::schema::Command;
use crate::dialect::schema::Dialect;
use crate::dialect::schema::Param;
use crate::dialect::schema::ParamType;

/// Something that is wrong: the key path, and what.
#[derive(Debug)]
pub(crate) struct Flaw {
    pub(crate) path: Vec<String>,
    pub(crate) message: String,
}

fn flaw<T>(path: &[&str], message: String) -> Result<T, Flaw> {
    Err(Flaw { path: path.iter().map(ToString::to_string).collect(), message })
}

/// Checks the dialect that the file `name` describes.
pub(crate) fn validate(dialect: &Dialect, name: &str) -> Result<(), Flaw> {
    if dialect.schema != 1 {
        return flaw(&["schema"], format!("this is schema 1, the file says {}", dialect.schema));
    }
    if dialect.id != name {
        return flaw(&["id"], format!("the file is named `{name}`, its id is `{}`", dialect.id));
    }
    if dialect.clients == 0 {
        return flaw(&["clients"], "a module has at least one client".into());
    }
    for (part, commands) in [("commands", &dialect.commands), ("surroundings", &dialect.surroundings)] {
        for (name, command) in commands {
            check_command(&[part, name], command)?;
        }
    }
    for (name, urc) in &dialect.urcs {
        for (param, content) in &urc.params {
            check_param(&["urcs", name, "params", param], content)?;
        }
    }
    for (table, rows) in &dialect.error_codes {
        check_codes(&["error_codes", table], rows.keys())?;
    }
    let mut ids = Vec::new();
    for example in &dialect.examples {
        if ids.contains(&&example.id) {
            return flaw(&["examples"], format!("two examples have the id `{}`", example.id));
        }
        ids.push(&example.id);
        for step in &example.steps {
            if step.send.is_none() && step.expect.is_empty() && step.payload.is_none() && step.payload_source.is_none()
            {
                return flaw(&["examples"], format!("a step of `{}` neither sends nor expects", example.id));
            }
        }
    }
    Ok(())
}

fn check_command(path: &[&str], command: &Command) -> Result<(), Flaw> {
    let below = |more: &[&str]| -> Vec<String> { path.iter().chain(more).map(ToString::to_string).collect() };
    let known = |behind: &String| matches!(behind.as_str(), "" | "?") || behind.starts_with('=');
    if let Some(odd) = command.answers.keys().find(|behind| !known(behind)) {
        let message = format!("behind a name stands nothing, `?` or `=…`, not `{odd}`");
        return Err(Flaw { path: below(&["answers"]), message });
    }
    if !command.answers.is_empty() && !command.forms.is_empty() {
        let message = "a command with `answers` has no `forms`: the answers say which there are".into();
        return Err(Flaw { path: below(&["answers"]), message });
    }
    for (name, param) in &command.params {
        check_param(&[path, &["params", name]].concat(), param)?;
    }
    for (param, rows) in &command.results {
        check_codes(&[path, &["results", param]].concat(), rows.keys())?;
    }
    for (key, variant) in &command.variants {
        let at = |field: &str, message: String| Err(Flaw { path: below(&["variants", key, field]), message });
        let used = [("params", &variant.params), ("repeat", &variant.repeat)];
        let query = variant.query.iter().map(|names| ("query", names));
        for (field, names) in used.into_iter().chain(query) {
            if let Some(missing) = names.iter().find(|n| command.param(n).is_none()) {
                return at(field, format!("`{missing}` is not among the parameters of the command"));
            }
        }
        if let Some(length) = &variant.payload_length
            && !variant.params.contains(length)
        {
            return at("payload_length", format!("`{length}` is not among the parameters of this variant"));
        }
        let beyond = |counts: &[usize]| counts.iter().find(|c| **c > variant.params.len()).copied();
        if variant.counts.is_empty() {
            return at("counts", "how many parameters may be given is missing".into());
        }
        if let Some(count) = beyond(&variant.counts) {
            return at("counts", format!("{count} parameters may be given, but {} are listed", variant.params.len()));
        }
        if variant.required > variant.params.len() {
            return at(
                "required",
                format!("{} are required, but {} are listed", variant.required, variant.params.len()),
            );
        }
        for (condition, counts) in &variant.counts_when {
            if !is_condition(condition, command) || beyond(counts).is_some() {
                return at(
                    "counts_when",
                    format!("`{condition}` is no `parameter=number`, or its counts are too large"),
                );
            }
        }
        if let Some(bad) = variant.forbid.iter().flatten().find(|c| !is_condition(c, command)) {
            return at("forbid", format!("`{bad}` is no `parameter=number` of this command"));
        }
    }
    let shapes = [
        ("read_reply", &command.read_reply),
        ("reply", &command.reply),
        ("result", &command.result),
        ("refusal", &command.refusal),
    ];
    for (field, shapes) in shapes {
        if let Some(missing) = shapes.iter().flatten().find(|n| *n != "\\n" && command.param(n).is_none()) {
            let message = format!("`{missing}` is not among the parameters of the command");
            return Err(Flaw { path: below(&[field]), message });
        }
    }
    Ok(())
}

fn is_condition(condition: &str, command: &Command) -> bool {
    let parts = condition.split_once('=');
    parts.is_some_and(|(name, value)| command.param(name).is_some() && value.parse::<i64>().is_ok())
}

fn check_param(path: &[&str], param: &Param) -> Result<(), Flaw> {
    if let (Some(min), Some(max)) = (param.min, param.max)
        && min > max
    {
        return flaw(path, format!("the smallest value {min} is above the largest {max}"));
    }
    if let (Some(min), Some(max)) = (param.min_len, param.max_len)
        && min > max
    {
        return flaw(path, format!("the shortest length {min} is above the longest {max}"));
    }
    if param.default.is_some() != param.default_source.is_some() {
        return flaw(path, "`default` and `default_source` belong together".into());
    }
    if param.r#type == ParamType::Int {
        if let Some(value) = param.values.keys().find(|v| v.parse::<i64>().is_err()) {
            return flaw(path, format!("`{value}` is not a number, though the parameter is"));
        }
        if let Some(default) = param.default.as_ref().filter(|d| d.parse::<i64>().is_err()) {
            return flaw(path, format!("the default `{default}` is not a number, though the parameter is"));
        }
    }
    Ok(())
}

fn check_codes<'a>(path: &[&str], codes: impl Iterator<Item = &'a String>) -> Result<(), Flaw> {
    for code in codes {
        if code_range(code).is_none() {
            let path = [path, &[code.as_str()]].concat();
            return flaw(&path, format!("a code is a number or a range like 9-255, not `{code}`"));
        }
    }
    Ok(())
}
