//! The catalogue as a text that a person reads: what `modemrig catalogue ID` prints, wrapped to 100 columns.
//!
//! Not here: the machine's form (`json.rs`). Driven by the bindings. Longer than 400 lines: one short function for each section
//! of the text, in its order.

use indexmap::IndexMap;

use crate::dialect::json;
use crate::dialect::schema::Basis;
use crate::dialect::schema::CodeRow;
use crate::dialect::schema::Command;
use crate::dialect::schema::Dialect;
use crate::dialect::schema::Example;
use crate::dialect::schema::Form;
use crate::dialect::schema::Param;
use crate::dialect::schema::ParamType;
use crate::dialect::schema::Setup;
use crate::dialect::schema::Step;
use crate::dialect::schema::Variant;
use crate::dialect::text::apart;
use crate::dialect::text::columns;
use crate::dialect::text::heading;
use crate::dialect::text::syntax;
use crate::dialect::text::wrap;

impl Dialect {
    /// The whole dialect as a reference to read in a terminal.
    pub fn reference(&self) -> String {
        let mut out = self.title_page();
        out.push_str(&self.overview());
        for (name, command) in &self.commands {
            out.push_str(&command_page(name, command));
        }
        out.push_str(&self.urc_pages());
        out.push_str(&self.code_pages());
        out.push_str(&format!("\n{}", heading("EXAMPLES", '=')));
        for example in &self.examples {
            out.push_str(&example_page(example));
        }
        if !self.surroundings.is_empty() {
            out.push_str(&format!("\n{}", heading("BESIDE MQTT", '=')));
            out.push_str(&wrap(
                "",
                "What a host needs to bring a module up. The document does not describe these commands; modemrig decided how far it knows them.",
            ));
            out.push('\n');
            out.push_str(&columns(2, &self.surroundings.iter().map(surrounding).collect::<Vec<_>>()));
        }
        out.push_str(&self.virtual_code_pages());
        out.push_str(&self.virtual_limit_pages());
        out
    }

    fn title_page(&self) -> String {
        let document = &self.document;
        let version = document.version.as_ref().map_or("version not known".into(), |v| format!("version {v}"));
        let date = document.date.as_ref().map(|d| format!(", {d}")).unwrap_or_default();
        let mut series: IndexMap<&str, Vec<&str>> = IndexMap::new();
        for module in &self.modules {
            series.entry(&module.series).or_default().push(&module.model);
        }
        let models: Vec<String> = series
            .iter()
            .map(|(series, models)| match models.as_slice() {
                [one] if one == series => (*one).to_string(),
                _ => format!("{series}: {}", models.join(", ")),
            })
            .collect();
        let mut rows = vec![
            ("Document".to_string(), format!("{version}{date}")),
            ("Modules".to_string(), models.join("; ")),
            ("Clients".to_string(), format!("{} (numbered from 0)", self.clients)),
            ("Payload".to_string(), format!("at most {} bytes in one publish", self.limits.payload_len)),
        ];
        let more = [
            ("Window", self.limits.window, "publishes with qos 1 or 2 in flight, per client"),
            ("Store", self.limits.slots, "messages, per client"),
        ];
        rows.extend(more.iter().filter_map(|(name, n, what)| Some((name.to_string(), format!("{} {what}", (*n)?)))));
        if let Some(length) = self.limits.line_len {
            let commands = self.limits.line_commands.map(|n| format!(" or {n} commands")).unwrap_or_default();
            rows.push(("Line".into(), format!("at most {length} characters{commands}")));
        }
        format!("{}\n{}", heading(&format!("{} ({})", document.title, self.id), '='), columns(0, &rows))
    }

    fn overview(&self) -> String {
        let rows: Vec<(String, String)> = self
            .commands
            .iter()
            .map(|(name, c)| (name.clone(), format!("{} [{}, {}]", c.title, section(&c.source), time(c))))
            .collect();
        format!("\n{}\n{}", heading("COMMANDS", '='), columns(2, &rows))
    }

    fn urc_pages(&self) -> String {
        let mut out = format!("\n{}", heading("UNSOLICITED RESULT CODES", '='));
        for (name, urc) in &self.urcs {
            out.push_str(&format!("\n{}", apart(name, &section(&urc.source))));
            out.push_str(&wrap("  ", &urc.title));
            for shape in &urc.shapes {
                out.push_str(&syntax("    ", &line_of(&format!("{name}: "), shape)));
            }
            out.push_str(&parameters(&urc.params));
        }
        out
    }

    fn virtual_code_pages(&self) -> String {
        let mut out = format!("\n{}", heading("WHAT BRINGS A VIRTUAL MODULE TO EACH CODE", '='));
        let mut last = String::new();
        for (table, code, cause) in self.causes() {
            if table != last {
                out.push_str(&format!("\n{table}\n"));
                last = table;
            }
            let words = match (&cause.cause, &cause.unreachable) {
                (Some(cause), _) => cause.clone(),
                (None, why) => format!("never: {}", why.as_deref().unwrap_or_default()),
            };
            out.push_str(&columns(2, &[(format!("{code:>5}"), words)]));
        }
        out
    }

    fn virtual_limit_pages(&self) -> String {
        if self.virtual_limits.is_empty() {
            return String::new();
        }
        let mut out = format!("\n{}", heading("WHERE A VIRTUAL MODULE IS UNLIKE A REAL ONE", '='));
        for (subject, cases) in &self.virtual_limits {
            out.push_str(&format!("\n{subject}\n"));
            let rows: Vec<(String, String)> = cases.iter().map(|(case, what)| (case.clone(), what.clone())).collect();
            out.push_str(&columns(2, &rows));
        }
        out
    }

    fn code_pages(&self) -> String {
        if self.error_codes.is_empty() {
            return String::new();
        }
        let mut out = format!("\n{}", heading("CODES AND REMEDIES", '='));
        for (table, rows) in &self.error_codes {
            out.push_str(&format!("\n{table}\n"));
            out.push_str(&columns(2, &codes(rows)));
        }
        out
    }
}

fn command_page(name: &str, command: &Command) -> String {
    let mut out = format!("\n{}\n", "-".repeat(100));
    out.push_str(&apart(name, &section(&command.source)));
    out.push_str(&wrap("  ", &command.title));
    let forms: Vec<&str> = command.forms.iter().map(|f| form_name(*f)).collect();
    let mut rows = vec![("Forms".to_string(), forms.join(", ")), ("Answer within".to_string(), time(command))];
    if !command.also.is_empty() {
        rows.push(("Also spelled".into(), command.also.join(", ")));
    }
    if command.basis != Basis::Documented {
        rows.push(("Basis".into(), json::basis(command.basis).into()));
    }
    out.push_str(&columns(2, &rows));
    for (key, variant) in &command.variants {
        out.push_str(&variant_text(name, key, variant));
    }
    let prefix = name.strip_prefix("AT").unwrap_or(name);
    let shapes = [
        ("Read form answers", &command.read_reply),
        ("Answers", &command.reply),
        ("Ends with", &command.result),
        ("Refused with", &command.refusal),
    ];
    for (title, shapes) in shapes.into_iter().filter(|(_, shapes)| !shapes.is_empty()) {
        out.push_str(&format!("\n  {title}\n"));
        for shape in shapes {
            out.push_str(&syntax("    ", &line_of(&format!("{prefix}: "), shape)));
        }
    }
    if !command.test_reply.is_empty() {
        out.push_str("\n  Test form answers\n");
        out.extend(command.test_reply.iter().map(|line| syntax("    ", line)));
    }
    out.push_str(&parameters(&command.params));
    for (param, rows) in &command.results {
        out.push_str(&format!("\n  Codes of {param}\n"));
        out.push_str(&columns(4, &codes(rows)));
    }
    if !command.notes.is_empty() {
        out.push_str("\n  Notes\n");
        out.extend(command.notes.iter().map(|note| wrap("    - ", note)));
    }
    out
}

fn variant_text(name: &str, key: &str, variant: &Variant) -> String {
    let mut text = String::new();
    if let Some(key) = &variant.key {
        text.push_str(&format!("\"{key}\""));
    }
    let least = variant.counts.iter().min().copied().unwrap_or(variant.params.len());
    let mut open = 0;
    for (index, param) in variant.params.iter().enumerate() {
        let comma = if text.is_empty() { "" } else { "," };
        // A bracket opens wherever the parameters before it may stand alone.
        let bracket = if index >= least && variant.counts.contains(&index) { "[" } else { "" };
        open += bracket.len();
        text.push_str(&format!("{bracket}{comma}<{param}>"));
    }
    text.push_str(&"]".repeat(open));
    if !variant.repeat.is_empty() {
        let group: Vec<String> = variant.repeat.iter().map(|p| format!("<{p}>")).collect();
        text.push_str(&format!("[,{}...]", group.join(",")));
    }
    let equals = if text.is_empty() || !name.starts_with("AT+") { "" } else { "=" };
    let mut out = format!("\n{}", syntax("  ", &format!("{name}{equals}{text}")));
    if let Some(title) = &variant.title {
        out.push_str(&wrap("      ", title));
    }
    if let Some(query) = &variant.query {
        let prefix = name.strip_prefix("AT").unwrap_or(name);
        let start = match &variant.key {
            Some(_) => format!("{prefix}: \"{key}\","),
            None => format!("{prefix}: "),
        };
        out.push_str(&syntax("      ", &format!("Query answers {}", line_of(&start, query))));
    }
    if let Some(length) = &variant.payload_length {
        out.push_str(&wrap("      ", &format!("A payload of <{length}> bytes is typed at a prompt.")));
    }
    out
}

fn parameters(params: &IndexMap<String, Param>) -> String {
    if params.is_empty() {
        return String::new();
    }
    let rows: Vec<(String, String)> = params
        .iter()
        .flat_map(|(name, param)| {
            let head = (format!("<{name}>"), parameter(param));
            let values = param.values.iter().map(|(v, meaning)| (String::new(), format!("{v} = {meaning}")));
            std::iter::once(head).chain(values)
        })
        .collect();
    format!("\n  Parameters\n{}", columns(4, &rows))
}

fn parameter(param: &Param) -> String {
    let mut parts: Vec<String> = param.title.iter().cloned().collect();
    let unit = param.unit.as_ref().map(|u| format!(" {u}")).unwrap_or_default();
    let kind = match param.r#type {
        ParamType::Int => "number",
        ParamType::String => "text",
    };
    parts.push(match (param.min, param.max, param.min_len, param.max_len) {
        (Some(min), Some(max), ..) => format!("{min}-{max}{unit}."),
        (Some(min), None, ..) => format!("From {min}{unit}."),
        (None, Some(max), ..) => format!("Up to {max}{unit}."),
        (.., Some(min), Some(max)) => format!("{min}-{max} bytes."),
        (.., None, Some(max)) => format!("Up to {max} bytes."),
        (.., Some(min), None) => format!("From {min} bytes."),
        _ if param.values.is_empty() => format!("A {kind}{}.", if unit.is_empty() { unit } else { format!(",{unit}") }),
        _ => String::new(),
    });
    if let (Some(default), Some(source)) = (&param.default, param.default_source) {
        parts.push(format!("Default {default} ({}).", json::default_source(source)));
    }
    if param.secret {
        parts.push("Never shown.".into());
    }
    parts.retain(|p| !p.is_empty());
    parts.join(" ")
}

fn codes(rows: &IndexMap<String, CodeRow>) -> Vec<(String, String)> {
    let text = |row: &CodeRow| match &row.remedy {
        Some(remedy) => format!("{}. {remedy}", capital(&row.meaning)),
        None => format!("{}.", capital(&row.meaning)),
    };
    let width = rows.keys().map(String::len).max().unwrap_or(0);
    rows.iter().map(|(code, row)| (format!("{code:>width$}"), text(row))).collect()
}

fn example_page(example: &Example) -> String {
    let mut out = format!("\n{}", apart(&example.title, &section(&example.source)));
    if example.setup != Setup::Idle {
        out.push_str(&format!("  starts {}\n", json::setup(example.setup)));
    }
    out.push('\n');
    for step in &example.steps {
        out.push_str(&step_text(step));
    }
    out
}

fn step_text(step: &Step) -> String {
    let mut out = String::new();
    if let Some(peer) = &step.peer {
        let publish = &peer.publish;
        let text =
            format!("(another client publishes \"{}\" to {}, qos {})", publish.payload, publish.topic, publish.qos);
        out.push_str(&wrap("    ", &text));
    }
    if let Some(send) = &step.send {
        out.push_str(&syntax("  > ", send));
    }
    for line in &step.expect {
        out.push_str(&syntax("  < ", if line == ">" { "(prompt)" } else { line }));
        if line == ">" || line == "CONNECT" {
            out.push_str(&payload_text(step));
        }
    }
    if let Some(printed) = &step.as_printed {
        for line in printed.lines() {
            out.push_str(&syntax("    printed: ", line));
        }
    }
    out
}

fn payload_text(step: &Step) -> String {
    match (&step.payload, step.payload_source) {
        (Some(payload), _) => syntax("  > ", payload),
        (None, Some(source)) => format!("  > ({})\n", json::payload_source(source).replace('_', " ")),
        (None, None) => String::new(),
    }
}

fn surrounding((name, command): (&String, &Command)) -> (String, String) {
    let keys: Vec<&str> = command.variants.values().filter_map(|v| v.key.as_deref()).collect();
    let keys = if keys.is_empty() { String::new() } else { format!(" Keys: {}.", keys.join(", ")) };
    let forms: Vec<&str> = command.forms.iter().map(|f| form_name(*f)).collect();
    (name.clone(), format!("{}{keys} [{}]", command.title, forms.join(", ")))
}

/// `+QMTOPEN: <client_idx>,<result>`
fn line_of(start: &str, shape: &[String]) -> String {
    let mut out = String::from(start);
    let mut fresh = true;
    for name in shape {
        if name == "\\n" || name == "\n" {
            out.push_str(" <CR><LF> ");
            fresh = true;
            continue;
        }
        if !fresh {
            out.push(',');
        }
        out.push_str(&format!("<{name}>"));
        fresh = false;
    }
    out
}

/// How long an answer may take, in words.
fn time(command: &Command) -> String {
    let Some(max) = &command.max_response else { return "no time printed".into() };
    let ms =
        |ms: u64| if ms >= 1000 && ms.is_multiple_of(1000) { format!("{} s", ms / 1000) } else { format!("{ms} ms") };
    match (&max.formula, max.ms, max.default_ms) {
        (Some(formula), _, Some(default)) => format!("{} s, printed as {}", formula.replace('*', " x "), ms(default)),
        (Some(formula), _, None) => format!("{} s", formula.replace('*', " x ")),
        (None, Some(fixed), _) | (None, None, Some(fixed)) => ms(fixed),
        (None, None, None) => "no time printed".into(),
    }
}

fn section(source: &str) -> String {
    if source.starts_with(|c: char| c.is_ascii_digit()) { format!("section {source}") } else { source.into() }
}

fn form_name(form: Form) -> &'static str {
    match form {
        Form::Test => "test",
        Form::Read => "read",
        Form::Write => "write",
        Form::Execute => "execute",
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::dialect::catalogue;
    use crate::dialect::text::WIDTH;

    #[test]
    fn reference_fits_the_page_and_names_everything() {
        for dialect in catalogue().dialects() {
            let text = dialect.reference();
            let long: Vec<&str> = text.lines().filter(|l| l.chars().count() > WIDTH).collect();
            assert!(long.is_empty(), "{}: {long:#?}", dialect.id);
            assert!(!text.contains("\n\n\n"), "{}", dialect.id);
            for name in dialect.commands.keys().chain(dialect.surroundings.keys()).chain(dialect.urcs.keys()) {
                assert!(text.contains(name.as_str()), "{}: {name}", dialect.id);
            }
            for (key, _) in dialect.commands.values().flat_map(|c| &c.params) {
                assert!(text.contains(&format!("<{key}>")), "{}: {key}", dialect.id);
            }
            let words = |t: &str| t.split_whitespace().collect::<Vec<_>>().join(" ");
            for row in dialect.error_codes.values().flat_map(|t| t.values()) {
                assert!(words(&text).contains(&words(row.remedy.as_deref().unwrap_or_default())), "{}", dialect.id);
            }
        }
    }

    #[test]
    fn optional_parameters_stand_in_brackets() {
        let text = catalogue().get("ecx00u_egx00u").expect("is built in").reference();
        for line in [
            "AT+QMTCFG=\"version\",<client_idx>[,<vsn>]",
            "AT+QMTCFG=\"ssl\",<client_idx>[,<ssl_enable>[,<ssl_ctx_idx>]]",
            "AT+QMTCFG=\"timeout\",<client_idx>[,<pkt_timeout>,<retry_times>,<timeout_notice>]",
            "AT+QMTSUB=<client_idx>,<msgid>,<topic>,<qos>[,<topic>,<qos>...]",
            "AT+QMTRECV=<client_idx>[,<recv_id>]",
        ] {
            assert!(text.contains(line), "{line}");
        }
    }
}
