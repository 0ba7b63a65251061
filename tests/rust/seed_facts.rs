//! What a vendor document says, taken from its text: parameters, ranges, defaults, codes, sizes, commands and replies.
//!
//! It knows the layout of the documents (tables with a parameter at the start of a row, HTML and Markdown left over from
//! the conversion), and nothing about what is true. `seeds.rs` looks each fact up in the catalogue.

use std::fmt;

/// One fact of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// `<client_idx>` occurs.
    Param(String),
    /// A range, of the parameter whose row it is.
    Range { owner: Option<String>, low: i64, high: i64 },
    /// A default said in words.
    Default { owner: Option<String>, value: i64 },
    /// A default said by underlining.
    Underline { owner: Option<String>, value: i64 },
    /// An enumerated value or code.
    Code { owner: Option<String>, code: i64 },
    /// A number with a unit: milliseconds or bytes.
    Size { value: i64, unit: &'static str },
    /// `AT+X` with its form, key and parameters.
    Command { name: String, form: char, key: Option<String>, params: Vec<String> },
    /// `+X:` with its key and parameters; `is_test`: the ranges stand in place of the parameters.
    Reply { name: String, key: Option<String>, params: Vec<String>, is_test: bool },
    /// A line of an example.
    Example(String),
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |owner: &Option<String>| owner.as_ref().map(|o| format!(" of {o}")).unwrap_or_default();
        match self {
            Fact::Param(name) => write!(f, "parameter {name}"),
            Fact::Range { owner, low, high } => write!(f, "range {low}-{high}{}", of(owner)),
            Fact::Default { owner, value } => write!(f, "default {value}{}", of(owner)),
            Fact::Underline { owner, value } => write!(f, "underlined {value}{}", of(owner)),
            Fact::Code { owner, code } => write!(f, "code {code}{}", of(owner)),
            Fact::Size { value, unit } => write!(f, "size {value} {unit}"),
            Fact::Command { name, form, key, params } => {
                let form = match form {
                    'T' => "=?",
                    'R' => "?",
                    'W' => "=",
                    _ => "",
                };
                write!(f, "command {name}{form}{}", listed(key, params))
            }
            Fact::Reply { name, key, params, .. } => write!(f, "reply {name}: {}", listed(key, params)),
            Fact::Example(line) => write!(f, "example {line}"),
        }
    }
}

fn listed(key: &Option<String>, params: &[String]) -> String {
    key.iter().chain(params).map(String::as_str).collect::<Vec<_>>().join(",")
}

/// All facts of a text, each with its line number from 1.
pub fn facts(text: &str) -> Vec<(usize, Fact)> {
    let mut found = Vec::new();
    let mut owner: Option<String> = None;
    for (index, raw) in text.lines().enumerate() {
        let underlined = between(raw, "<u>", "</u>").into_iter().filter_map(|t| t.trim().parse().ok());
        let underlined: Vec<i64> = underlined.collect();
        let line = plain(raw);
        if is_table_of_contents(&line) {
            continue;
        }
        let heads_notes = ["#", "备注", "NOTE", "参数"].iter().any(|h| line.starts_with(h));
        if heads_notes || line.starts_with("AT+") {
            owner = None;
        }
        if let Some(name) = row_owner(&line) {
            owner = Some(name);
        }
        let mut add = |fact: Fact| found.push((index + 1, fact));
        names(&line).into_iter().for_each(|name| add(Fact::Param(name)));
        for (low, high) in ranges(&line) {
            add(Fact::Range { owner: owner.clone(), low, high });
        }
        for value in defaults(&line) {
            add(Fact::Default { owner: owner.clone(), value });
        }
        for value in underlined {
            add(Fact::Underline { owner: owner.clone(), value });
        }
        if owner.is_some() {
            for code in codes(&line) {
                add(Fact::Code { owner: owner.clone(), code });
            }
        }
        if line.starts_with("<Input") {
            add(Fact::Example(line.clone()));
        } else {
            sizes(&line).into_iter().for_each(|(value, unit)| add(Fact::Size { value, unit }));
        }
        talk(&line).into_iter().for_each(&mut add);
    }
    found
}

/// The line without HTML and Markdown; `\u{1}` where a paragraph ends.
fn plain(raw: &str) -> String {
    let mut line = raw.trim().to_string();
    for tag in ["p", "li", "ol", "ul", "br", "td", "th", "tr", "table", "tbody", "thead", "pre", "img", "div"] {
        line = without_tag(&line, tag, "\u{1}");
    }
    for tag in ["b", "u", "i", "code", "sup", "sub", "strong", "em", "span"] {
        line = without_tag(&line, tag, "");
    }
    line = line.replace("**", "").replace('`', "");
    for (from, to) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
        ("&quot;", "\""),
        ("\\_", "_"),
        ("\\$", "$"),
        ("“", "\""),
        ("”", "\""),
        ("–", "-"),
        ("~", "-"),
        ("～", "-"),
        ("，", ","),
        ("：", ":"),
        ("；", ";"),
        ("（", "("),
        ("）", ")"),
        // Read so by the scanner.
        ("=\"?", "=?"),
    ] {
        line = line.replace(from, to);
    }
    line.trim_matches(|c: char| c == '\u{1}' || c.is_whitespace()).to_string()
}

/// The line with every `<tag …>` and `</tag>` replaced.
fn without_tag(line: &str, tag: &str, by: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('<') {
        let inner = rest[start + 1..].trim_start_matches('/');
        let is_tag = inner.strip_prefix(tag).is_some_and(|after| {
            after.starts_with(['>', '/'])
                || after.starts_with(" style")
                || after.starts_with(" c")
                || after.starts_with(" r")
                || after.starts_with(" src")
        });
        match rest[start..].find('>').filter(|_| is_tag) {
            Some(end) => {
                out.push_str(&rest[..start]);
                out.push_str(by);
                rest = &rest[start + end + 1..];
            }
            None => {
                out.push_str(&rest[..=start]);
                rest = &rest[start + 1..];
            }
        }
    }
    out + rest
}

/// `3.3.1. AT+QMTCFG ..... 9`: a heading that stands elsewhere again.
fn is_table_of_contents(line: &str) -> bool {
    line.contains(".....")
        || (line.starts_with(|c: char| c.is_ascii_digit())
            && line.ends_with(|c: char| c.is_ascii_digit())
            && line.contains(". ")
            && line.contains(" AT+"))
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    text.split(open).skip(1).filter_map(|part| part.split_once(close).map(|(inner, _)| inner)).collect()
}

/// The names in angle brackets, as the catalogue writes them.
fn names(line: &str) -> Vec<String> {
    // Not parameters: the notation of the first chapter, keys to press, addresses.
    const NOTATION: [&str; 12] =
        ["cr", "lf", "...", "..", ".", "cmd", "cmds", "response", "esc", "ctrl+z", "optional", ""];
    let mut found = Vec::new();
    for part in line.split('<').skip(1) {
        let Some((inner, _)) = part.split_once('>') else { continue };
        let name = inner.trim().to_lowercase().replace([' ', '-'], "_");
        let is_name = name.len() <= 30
            && !NOTATION.contains(&name.as_str())
            && !name.starts_with("http")
            && !name.starts_with("input_")
            && !matches!(name.as_str(), "p1" | "p2" | "p3");
        if is_name && name.chars().all(|c| c.is_alphanumeric() || c == '_') {
            found.push(name);
        }
    }
    found
}

/// The parameter at the start of a row.
fn row_owner(line: &str) -> Option<String> {
    let rest = line.strip_prefix('<')?;
    let (inner, rest) = rest.split_once('>')?;
    let name = names(&format!("<{inner}>")).pop()?;
    // One conversion took the name for a tag and closed it.
    let rest = rest.strip_prefix("</").and_then(|r| r.split_once('>')).map_or(rest, |(_, after)| after);
    (rest.is_empty() || rest.starts_with(['\t', ' ', '\u{1}'])).then_some(name)
}

/// `1-65535`; not a date, not a telephone number, not a piece of a longer chain.
fn ranges(line: &str) -> Vec<(i64, i64)> {
    let chars: Vec<char> = line.chars().collect();
    let mut found = Vec::new();
    for at in (0..chars.len()).filter(|i| chars[*i] == '-') {
        let digits_before =
            chars[..at].iter().rev().skip_while(|c| **c == ' ').take_while(|c| c.is_ascii_digit()).count();
        let gap_before = chars[..at].iter().rev().take_while(|c| **c == ' ').count();
        let gap_after = chars[at + 1..].iter().take_while(|c| **c == ' ').count();
        let start_after = at + 1 + gap_after;
        let digits_after = chars[start_after..].iter().take_while(|c| c.is_ascii_digit()).count();
        if digits_before == 0 || digits_after == 0 {
            continue;
        }
        let start = at - gap_before - digits_before;
        let end = start_after + digits_after;
        let touches = |c: Option<&char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || "-_./:".contains(*c));
        let before = start.checked_sub(1).and_then(|i| chars.get(i));
        let chained =
            chars.get(end) == Some(&'-') || before.is_some_and(|c| "-_".contains(*c) || c.is_ascii_alphabetic());
        if chained || touches(chars.get(end)) && chars.get(end) != Some(&'.') && chars.get(end) != Some(&':') {
            continue;
        }
        let number = |from: usize, to: usize| chars[from..to].iter().collect::<String>().parse::<i64>().ok();
        if let (Some(low), Some(high)) = (number(start, start + digits_before), number(start_after, end))
            && low < high
        {
            found.push((low, high));
        }
    }
    found
}

fn defaults(line: &str) -> Vec<i64> {
    let mut found = Vec::new();
    for mark in ["Default value:", "Default:", "默认值:", "默认值为"] {
        for part in line.split(mark).skip(1) {
            let digits: String = part.trim_start().chars().take_while(char::is_ascii_digit).collect();
            found.extend(digits.parse::<i64>());
        }
    }
    found
}

/// Integers that stand alone before a word: `0 At most once 1 At least once`.
fn codes(line: &str) -> Vec<i64> {
    let text = line.replace(['\t', '\u{1}'], " ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut found = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let Ok(code) = word.parse::<i64>() else { continue };
        let starts_text = |w: &&str| {
            w.chars().next().is_some_and(|c| c.is_ascii_uppercase() || ('\u{4e00}'..='\u{9fff}').contains(&c))
        };
        let after_word = index.checked_sub(1).map(|i| words[i]);
        let counts = ["字", "秒", "毫", "条", "倍", "个", "次", "或"];
        let is_count = words.get(index + 1).is_some_and(|w| counts.iter().any(|c| w.starts_with(c)));
        let is_amount = is_count || after_word.is_some_and(|w| w.ends_with([':', '=', '、']) || w.ends_with("QoS"));
        if words.get(index + 1).is_some_and(starts_text) && !is_amount {
            found.push(code);
        }
    }
    found
}

/// Times in milliseconds and lengths in bytes.
fn sizes(line: &str) -> Vec<(i64, &'static str)> {
    let chars: Vec<char> = line.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let length = chars[at..].iter().take_while(|c| c.is_ascii_digit()).count();
        if length == 0 {
            at += 1;
            continue;
        }
        let before = at.checked_sub(1).map(|i| chars[i]);
        let number: Option<i64> = chars[at..at + length].iter().collect::<String>().parse().ok();
        at += length;
        let rest: String = chars[at..].iter().collect();
        let rest = rest.trim_start();
        if before.is_some_and(|c| c.is_ascii_alphanumeric() || ".-,".contains(c)) {
            continue;
        }
        let word: String = rest.chars().take_while(|c| c.is_ascii_alphabetic()).collect();
        let Some(number) = number else { continue };
        if word == "ms" || rest.starts_with("毫秒") {
            found.push((number, "ms"));
        } else if word == "s" || rest.starts_with('秒') {
            found.push((number * 1000, "ms"));
        } else if word == "bytes" || word == "byte" || rest.starts_with("字节") {
            found.push((number, "bytes"));
        }
    }
    found
}

/// Commands, replies and lines of examples.
fn talk(line: &str) -> Vec<Fact> {
    let mut found = Vec::new();
    let starts: Vec<usize> =
        line.char_indices().map(|(i, _)| i).filter(|i| line[*i..].starts_with("AT+") || is_reply(line, *i)).collect();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(line.len());
        let whole = &line[*start..end];
        let piece = whole.split(['\t', '\u{1}']).next().unwrap_or(whole);
        let name_end = piece[3..].find(|c: char| !c.is_ascii_alphanumeric()).map_or(piece.len(), |e| e + 3);
        let (name, rest) = piece.split_at(name_end);
        if name.len() < 5 || name.chars().any(|c| c.is_ascii_lowercase()) {
            continue;
        }
        let rest = &rest[..arguments_end(rest)];
        let params = names(rest);
        let is_first = line[..*start].trim_matches(['>', ' ', '[']).is_empty();
        let whole_rest = piece.strip_prefix(name).unwrap_or_default();
        let is_syntax = whole_rest.contains('<') || whole_rest.contains("(range") || whole_rest.contains("(list");
        if is_first && !is_syntax && !has_prose(whole_rest) && rest.starts_with(['=', '?', ':']) {
            found.push(Fact::Example(piece.trim().to_string()));
        }
        if piece.starts_with('+') {
            if params.is_empty() {
                continue;
            }
            let is_test =
                rest.contains("(range") || rest.contains("(list") || rest.contains("支持") || rest.contains('(');
            let key = key_of(rest.trim_start_matches([':', ' ']));
            found.push(Fact::Reply { name: name.into(), key, params, is_test });
            continue;
        }
        let form = rest.chars().next().unwrap_or(' ');
        let fact = |form, key, params| Fact::Command { name: name.into(), form, key, params };
        if rest.starts_with("=?") {
            found.push(fact('T', None, Vec::new()));
        } else if form == '?' {
            found.push(fact('R', None, Vec::new()));
        } else if form == '=' && rest.contains('<') {
            found.push(fact('W', key_of(&rest[1..]), params));
        } else {
            found.push(fact(' ', None, Vec::new()));
        }
    }
    found
}

/// Where the arguments end and prose begins: letters stand only inside quotation marks, angle brackets or parentheses.
fn arguments_end(rest: &str) -> usize {
    let mut close = None;
    let mut last = 0;
    for (at, c) in rest.char_indices() {
        match (close, c) {
            (Some(end), c) => {
                if c == end {
                    close = None;
                }
            }
            (None, '"') => close = Some('"'),
            (None, '<') => close = Some('>'),
            (None, '(') => close = Some(')'),
            (None, ' ') => continue,
            (None, c) if "=?:[],.-_".contains(c) || c.is_ascii_digit() => {}
            // The plural of `<client_idx>s`.
            (None, 's') if rest[..at].ends_with('>') => {}
            (None, _) => break,
        }
        last = at + c.len_utf8();
    }
    last
}

fn is_reply(line: &str, at: usize) -> bool {
    let rest = &line[at..];
    let known = ["+QMT", "+CMQTT", "+QFUPL"].iter().any(|p| rest.starts_with(p));
    known
        && !line[..at].ends_with("AT")
        && rest.find(':').is_some_and(|c| rest[1..c].chars().all(|c| c.is_ascii_uppercase()))
}

/// The quoted word that selects a variant.
fn key_of(rest: &str) -> Option<String> {
    let (key, _) = rest.strip_prefix('"')?.split_once('"')?;
    Some(key.to_string())
}

/// Chinese before any comment is prose.
fn has_prose(rest: &str) -> bool {
    let code = rest.split("//").next().unwrap_or(rest);
    code.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}
