//! Every fact of the five vendor documents is in the catalogue's JSON, or in the committed list of errata with its reason.
//!
//! The documents are not part of the project: where `../shared/seeds` is absent the test says so and passes. The matcher
//! itself is tested below without them: what is not in the catalogue is found missing.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use modemrig::dialect::catalogue;

use crate::seed_facts::Fact;
use crate::seed_facts::facts;
use crate::seed_known::Known;
use crate::seed_repair::repair;

/// Number of the document, dialect, and whether its text is clean: in a damaged one a row and its parameter may stand apart.
const SEEDS: [(&str, &str, bool); 5] = [
    ("000", "lte_standard_a", true),
    ("001", "bc35g_bc28", false),
    ("002", "sim7028", false),
    ("003", "ecx00u_egx00u", true),
    ("004", "ec200x_ec600x_eg912y", false),
];

#[test]
fn every_fact_of_the_documents_is_in_the_catalogue() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/seeds");
    let Ok(entries) = fs::read_dir(&folder) else {
        println!("skipped: the vendors' documents are not at {}", folder.display());
        return;
    };
    let files: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
    let errata = errata();
    let mut used = HashSet::new();
    let mut missing = Vec::new();
    for (seed, id, is_clean) in SEEDS {
        let named = |p: &&PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&format!("{seed}_")));
        let (Some(file), Some(dialect)) = (files.iter().find(named), catalogue().get(id)) else {
            println!("skipped: document {seed} or dialect {id} is not here");
            continue;
        };
        let text = fs::read(file).expect("a listed file can be read");
        let known = Known::new(&dialect.to_json(), is_clean);
        let text = String::from_utf8_lossy(&text);
        let all = if seed == "002" { facts(&repair(&text)) } else { facts(&text) };
        assert!(all.len() > 100, "{id}: only {} facts were found; the reader is broken", all.len());
        let mut count = 0;
        for (line, fact) in &all {
            if known.holds(fact) {
                count += 1;
            } else if errata.contains_key(&(seed.to_string(), *line, fact.to_string())) {
                used.insert((seed.to_string(), *line, fact.to_string()));
            } else {
                missing.push(format!("{seed} line {line}: {fact}"));
            }
        }
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for (_, fact) in &all {
            *kinds.entry(fact.to_string().split(' ').next().unwrap_or_default().to_string()).or_default() += 1;
        }
        println!("{id}: {count} of {} facts are in the catalogue: {kinds:?}", all.len());
        let checked = |key: &&(String, usize, String)| key.0 == seed;
        let unused: Vec<_> = errata.keys().filter(checked).filter(|k| !used.contains(*k)).collect();
        assert!(unused.is_empty(), "errata that are none: {unused:#?}");
    }
    assert!(missing.is_empty(), "{} facts are not in the catalogue:\n{}", missing.len(), missing.join("\n"));
}

/// Seed, line and fact, with the reason.
fn errata() -> BTreeMap<(String, usize, String), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/errata.toml");
    let text = fs::read_to_string(path).expect("the list of errata is committed");
    let table: toml::Table = text.parse().expect("the list of errata is TOML");
    let mut found = BTreeMap::new();
    for (seed, groups) in table {
        for group in groups.as_array().expect("a seed has a list of groups") {
            let reason = group["reason"].as_str().expect("each group has a reason").to_string();
            assert!(reason.len() > 10, "a reason says something");
            for entry in group["facts"].as_array().expect("each group has facts") {
                let (line, fact) = entry.as_str().and_then(|e| e.split_once(' ')).expect("an entry is `line fact`");
                let key = (seed.clone(), line.parse().expect("the line is a number"), fact.to_string());
                found.insert(key, reason.clone());
            }
        }
    }
    found
}

fn known() -> Known {
    Known::new(&catalogue().get("ecx00u_egx00u").expect("is built in").to_json(), true)
}

fn of(owner: &str) -> Option<String> {
    Some(owner.to_string())
}

/// The facts of a text that the catalogue does not hold.
fn unknown_in(text: &str) -> Vec<String> {
    let known = known();
    facts(text).into_iter().filter(|(_, fact)| !known.holds(fact)).map(|(_, fact)| fact.to_string()).collect()
}

#[test]
fn matcher_finds_what_is_there() {
    let text = "<cid>\tInteger type. Range: 1–7. Default value: 1.\n\
        <vsn>\tInteger type. <u>3</u> MQTT v3.1 4 MQTT v3.1.1\n\
        <b>AT+QMTOPEN=&lt;client_idx&gt;,&lt;host_name&gt;,&lt;port&gt;</b>\tOK <b>+QMTOPEN: &lt;client_idx&gt;,&lt;result&gt;</b>\n\
        Maximum Response Time\t120 s\n\
        AT+QMTDISC=0\n\
        +QMTDISC: 0,0 //Closed";
    assert_eq!(Vec::<String>::new(), unknown_in(text));
    assert!(facts(text).len() >= 14, "{:?}", facts(text));
}

#[test]
fn matcher_misses_what_is_not_there() {
    for (line, expected) in [
        ("<cidd>\tInteger type.", "parameter cidd"),
        ("<cid>\tInteger type. Range: 1–8.", "range 1-8 of cid"),
        ("<cid>\tDefault value: 2.", "default 2 of cid"),
        ("<vsn>\tVersion. <u>4</u> MQTT v3.1.1", "underlined 4 of vsn"),
        ("<vsn>\tVersion. 5 MQTT v5", "code 5 of vsn"),
        ("Maximum Response Time\t121 s", "size 121000 ms"),
        ("The maximum size is 99 bytes.", "size 99 bytes"),
        ("AT+QMTNOSUCH", "command AT+QMTNOSUCH"),
        ("AT+QMTCLOSE?", "command AT+QMTCLOSE?"),
        ("AT+QMTOPEN=<client_idx>,<port>", "command AT+QMTOPEN=client_idx,port"),
        ("AT+QMTCFG=\"versions\",<client_idx>[,<vsn>]", "command AT+QMTCFG=versions,client_idx,vsn"),
        ("+QMTSTAT: <client_idx>,<result>", "reply +QMTSTAT: client_idx,result"),
        ("AT+QMTDISC=1", "example AT+QMTDISC=1"),
        ("+QMTDISC: 0,1", "example +QMTDISC: 0,1"),
    ] {
        let unknown = unknown_in(line);
        assert!(unknown.contains(&expected.to_string()), "{line}: {unknown:?}");
    }
    let foreign = Fact::Range { owner: of("retry_times"), low: 1, high: 7 };
    assert!(!known().holds(&foreign), "a range belongs to its parameter");
}
