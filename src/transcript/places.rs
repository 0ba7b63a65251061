//! Where secrets stand in a line: the catalogue's word, all dialects together, because a port is recorded before its dialect
//! is known; and a table of what no document of ours has, but hosts send on the same line.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem;

use crate::dialect;
use crate::dialect::schema::Command;

/// A line that may carry a secret.
#[derive(Debug)]
struct Place {
    /// `+QMTCFG`
    name: String,
    /// The first, quoted argument, lower case.
    key: Option<String>,
    /// Index of the secret among the arguments of the command.
    sent: Vec<usize>,
    /// Index of the secret among the fields of the answer.
    answered: Vec<usize>,
    /// How many fields such an answer has, where several shapes share the prefix.
    fields: Option<usize>,
    /// What stands there in another answer of as many fields, and is no secret: result codes.
    plain: Vec<String>,
}

/// Secrets outside the catalogue: command, key, places among its arguments and among the fields of its answer.
type Foreign = (&'static str, Option<&'static str>, &'static [usize], &'static [usize]);

const FOREIGN: &[Foreign] = &[
    // 3GPP TS 27.007: PIN and PUK, facility passwords, the password of a PDP context (SIMCom has it before the user).
    ("+CPIN", None, &[0, 1], &[]),
    ("+CLCK", None, &[2], &[]),
    ("+CPWD", None, &[1, 2], &[]),
    ("+CGAUTH", None, &[2, 3], &[2, 3]),
    // The same for the IP stacks of both makers, the password of a private key, accounts of file servers.
    ("+CSTT", None, &[2], &[2]),
    ("+CSSLCFG", Some("password"), &[2], &[]),
    ("+QFTPCFG", Some("account"), &[2], &[]),
    ("+CFTPSLOGIN", None, &[3], &[]),
];

/// Commands behind whose line a file comes, perhaps a private key; the argument that says how long it is.
pub(super) const UPLOADS: &[(&str, usize)] = &[
    ("+QFUPL", 1),
    ("+CCERTDOWN", 1),
    ("+QFWRITE", 1),
    ("+QSECWRITE", 1),
    ("+CFTRANRX", 1),
    ("+FSWRITE", 2),
    ("+CFSWFILE", 3),
];

static PLACES: LazyLock<Vec<Place>> = LazyLock::new(|| {
    let mut places = Vec::new();
    for dialect in dialect::catalogue().dialects() {
        for (name, command) in dialect.commands.iter().chain(&dialect.surroundings) {
            let names = std::iter::once(name).chain(&command.also);
            places.extend(names.flat_map(|name| places_of(name, command)));
        }
    }
    places.extend(FOREIGN.iter().map(|(name, key, sent, answered)| Place {
        name: (*name).to_string(),
        key: key.map(str::to_string),
        sent: sent.to_vec(),
        answered: answered.to_vec(),
        fields: None,
        plain: Vec::new(),
    }));
    places
});

fn places_of(name: &str, command: &Command) -> Vec<Place> {
    let secret = |param: &String| command.params.get(param).is_some_and(|param| param.secret);
    let positions = |params: &[String], shift: usize| -> Vec<usize> {
        params.iter().enumerate().filter(|(_, param)| secret(param)).map(|(at, _)| at + shift).collect()
    };
    let bare = name.trim_start_matches("AT");
    let mut places = Vec::new();
    for variant in command.variants.values() {
        let shift = usize::from(variant.key.is_some());
        let sent = positions(&variant.params, shift);
        let answered = variant.query.as_ref().map(|query| positions(query, shift)).unwrap_or_default();
        if !sent.is_empty() || !answered.is_empty() {
            let key = variant.key.as_ref().map(|key| key.to_ascii_lowercase());
            places.push(Place { name: bare.to_string(), key, sent, answered, fields: None, plain: Vec::new() });
        }
    }
    for shape in command.read_reply.iter().chain(&command.result) {
        let answered = positions(shape, 0);
        if !answered.is_empty() {
            places.push(Place {
                name: bare.to_string(),
                key: None,
                sent: Vec::new(),
                answered,
                fields: Some(shape.len()),
                plain: codes_in(command, shape.len()),
            });
        }
    }
    places
}

/// The codes of results of so many fields.
fn codes_in(command: &Command, fields: usize) -> Vec<String> {
    let shapes = command.result.iter().filter(|shape| shape.len() == fields);
    let params = shapes.flatten().filter_map(|param| command.results.get(param));
    params.flat_map(|codes| codes.keys().cloned()).collect()
}

/// Whether a line, or the beginning of one, names a command that may carry a secret.
pub(super) fn names_place(line: &[u8]) -> bool {
    let upper = line.to_ascii_uppercase();
    PLACES.iter().any(|place| memmem::find(&upper, place.name.as_bytes()).is_some())
}

/// Where the secrets stand in a command line, its echo, or an answer.
pub(super) fn secret_ranges(line: &[u8]) -> Vec<Range<usize>> {
    let upper = line.to_ascii_uppercase();
    let mut ranges = Vec::new();
    for place in PLACES.iter() {
        for found in memmem::find_iter(&upper, place.name.as_bytes()) {
            let at = found + place.name.len();
            let wanted = match line.get(at) {
                Some(b'=') => &place.sent,
                Some(b':') => &place.answered,
                _ => continue,
            };
            let args = argument_ranges(line, at + 1);
            let key = args.first().map(|range| line[range.clone()].to_ascii_lowercase());
            let fits = place.key.as_ref().is_none_or(|wanted| key.as_deref() == Some(wanted.as_bytes()));
            let fits = fits && place.fields.is_none_or(|fields| fields == args.len());
            if fits {
                let is_secret =
                    |range: &Range<usize>| !place.plain.iter().any(|code| code.as_bytes() == &line[range.clone()]);
                ranges.extend(wanted.iter().filter_map(|index| args.get(*index).cloned()).filter(is_secret));
            }
        }
    }
    ranges
}

/// The arguments from `at` on, without blanks and quotation marks, up to a `;` or the end.
fn argument_ranges(line: &[u8], at: usize) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = at;
    let mut quoted = false;
    for index in at..=line.len() {
        let byte = line.get(index).copied();
        if byte == Some(b'"') {
            quoted = !quoted;
        }
        // A quotation mark left open hides the rest of the line: better too much covered than too little.
        if byte.is_none() || !quoted && matches!(byte, Some(b',' | b';')) {
            let text = &line[start..index];
            let before = text.iter().take_while(|byte| matches!(byte, b' ' | b'"')).count();
            let after = text.iter().skip(before).rev().take_while(|byte| matches!(byte, b' ' | b'"')).count();
            ranges.push(start + before..index - after);
            start = index + 1;
            if byte == Some(b';') {
                break;
            }
        }
    }
    ranges
}
