//! The shapes that hosts of the field send (`[[host]]` of wire-shapes.toml), whole and cut at every byte, to the modules of each
//! document and each profile of the family: what a host writes does not depend on where its writes end.

use std::fs;
use std::path::Path;

use modemrig::dialect::catalogue;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::profiles::PROFILES;
use modemrig::virtual_module::simulation::SimulatedModule;

use crate::simulated::quiet;
use crate::simulated::said;
use crate::virtual_quirks::acquired;
use crate::virtual_quirks::online;

/// A shape, what its modules must be ready for, and what they say to it.
struct Shape {
    id: &'static str,
    ready: fn(&mut SimulatedModule),
    /// Whether this module answers so; blanks behind colons do not count.
    says: fn(module: &str, lines: &[&str]) -> bool,
}

const SHAPES: [Shape; 8] = [
    Shape { id: "h-cr-only", ready: |_| {}, says: |_, lines| lines == ["OK"] },
    Shape { id: "h-crlf-after-data", ready: in_session, says: |_, lines| lines == [">", "OK"] },
    Shape { id: "h-lower-case", ready: online, says: |_, lines| lines == ["OK", "+QMTSUB:0,1,0,0"] },
    Shape {
        id: "h-esc-cancels",
        ready: online,
        says: |_, lines| !lines.iter().any(|line| line.starts_with("+QMTPUB")) && finals(lines) == 1,
    },
    Shape {
        id: "h-inline-quotes",
        ready: online,
        says: |module, lines| match module {
            "bg95" => lines == ["OK", "+QMTPUB:0,3,0"],
            _ => finals(lines) == 1,
        },
    },
    Shape {
        id: "h-sub-msgid-zero",
        ready: online,
        says: |module, lines| match module {
            "ec801e" => lines == ["OK", "+QMTSUB:0,0,0,0"],
            _ => finals(lines) == 1,
        },
    },
    Shape {
        id: "h-compound",
        ready: |_| {},
        says: |module, lines| lines == ["OK"] || lines == ["ERROR"] && !has_tls(module),
    },
    Shape {
        id: "h-accq-fourth",
        ready: |module| drop(module.ask("AT+CMQTTSTART", 1.0)),
        says: |module, lines| match module {
            "sim7600" => lines == ["OK"],
            _ => finals(lines) == 1,
        },
    },
];

fn in_session(module: &mut SimulatedModule) {
    acquired(module);
    module.ask("AT+CMQTTCONNECT=0,\"tcp://a.example\",60,1", 1.0);
}

/// Whether the module's document has TLS contexts of Quectel's.
fn has_tls(module: &str) -> bool {
    let dialect =
        PROFILES.iter().find(|profile| profile.name == module).map_or(module, |profile| profile.dialect.as_str());
    catalogue().get(dialect).is_some_and(|dialect| dialect.command("AT+QSSLCFG").is_some())
}

fn finals(lines: &[&str]) -> usize {
    lines.iter().filter(|line| matches!(**line, "OK" | "ERROR") || line.starts_with("+CME ERROR")).count()
}

/// All modules there are, and whether their commands are Quectel's.
fn modules() -> Vec<(String, bool)> {
    let is_quectel = |dialect: &str| catalogue().get(dialect).is_some_and(|it| it.command("AT+QMTOPEN").is_some());
    let documents = catalogue().dialects().iter().map(|dialect| (dialect.id.clone(), is_quectel(&dialect.id)));
    let profiles = PROFILES.iter().map(|profile| (profile.name.to_owned(), is_quectel(&profile.dialect)));
    documents.chain(profiles).collect()
}

fn cuts(tx: &[u8]) -> Vec<Vec<&[u8]>> {
    let halves = (1..tx.len()).map(|at| vec![&tx[..at], &tx[at..]]);
    [vec![tx], tx.chunks(1).collect()].into_iter().chain(halves).collect()
}

#[test]
fn f16_every_host_shape_is_taken_by_every_module_of_its_family_however_it_is_cut() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/wire-shapes.toml");
    let file: toml::Table = fs::read_to_string(path).expect("the file").parse().expect("TOML");
    let rows = file["host"].as_array().expect("host shapes");
    assert_eq!(SHAPES.len(), rows.len(), "a shape this test does not know");
    let (modules, mut wrong, mut seen) = (modules(), Vec::new(), 0);
    for row in rows {
        let text = |key: &str| row[key].as_str().expect("a text");
        let shape = SHAPES.iter().find(|shape| shape.id == text("id")).expect("a shape this test does not know");
        let tx: Vec<u8> = text("tx").chars().map(|c| u32::from(c) as u8).collect();
        for (name, quectel) in &modules {
            if text("dialect") != "both" && quectel != &(text("dialect") == "quectel") {
                continue;
            }
            for pieces in cuts(&tx) {
                let mut module = quiet(&VirtualOptions::new(name));
                (shape.ready)(&mut module);
                module.take_output();
                pieces.iter().for_each(|piece| module.host(piece));
                let answer = module.after(2.0).replace(": ", ":");
                let lines: Vec<&str> = answer.split("\r\n").map(str::trim).filter(|line| !line.is_empty()).collect();
                if !(shape.says)(name, &lines) {
                    wrong.push(format!("{} to {name} in {} pieces: {lines:?}", shape.id, pieces.len()));
                    break;
                }
                // Where nothing was asked for, what was to be payload stands in front of the next line.
                module.ask("", 0.1);
                let next = said(&mut module, "AT");
                if next != "OK" {
                    wrong.push(format!("{} to {name}: then AT is answered {next:?}", shape.id));
                    break;
                }
                seen += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 500, "only {seen}");
}
