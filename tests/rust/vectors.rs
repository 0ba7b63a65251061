//! Every shape known from the field, decoded in one piece and cut at every byte.

use std::fs;
use std::path::Path;

use modemrig::dialect::any_grammar;
use modemrig::proto::FinalResult;
use modemrig::proto::PayloadEnd;
use modemrig::proto::TaEvent;
use modemrig::proto::TaSession;
use modemrig::proto::command_line::parse;
use modemrig::proto::grammar::Asked;
use modemrig::transcript::decode;
use serde_json::Value;
use serde_json::json;

struct Vector {
    id: String,
    header: Value,
    tx: Option<String>,
    rx: Vec<u8>,
    expect: Vec<Value>,
    optional: bool,
    family: String,
}

fn vectors() -> Vec<Vector> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/wire-shapes.toml");
    let text = fs::read_to_string(path).expect("the file of shapes");
    let file: toml::Table = text.parse().expect("the file of shapes is TOML");
    let rows = file["vector"].as_array().expect("vectors");
    rows.iter().map(|row| vector(&serde_json::to_value(row).expect("TOML has a JSON form"))).collect()
}

fn vector(row: &Value) -> Vector {
    let text = |key: &str| row[key].as_str().map(str::to_string);
    let mut header = json!({"format": 1, "family": row["family"], "made_by": "test"});
    if let Some(set) = row["set"].as_object() {
        header.as_object_mut().expect("an object").extend(set.clone());
    }
    Vector {
        id: text("id").expect("an id"),
        header,
        tx: text("tx"),
        rx: text("rx").expect("bytes").chars().map(|c| u32::from(c) as u8).collect(),
        expect: row["expect"].as_array().expect("events").clone(),
        optional: row["optional"].as_bool().unwrap_or(false),
        family: text("dialect").expect("quectel or simcom"),
    }
}

/// The events of this vector with its bytes in these pieces.
fn events(vector: &Vector, pieces: &[&[u8]], gap_s: f64) -> Vec<Value> {
    let mut file = format!("{}\n", vector.header);
    if let Some(tx) = &vector.tx {
        file.push_str(&format!("{}\n", json!({"t": 0.0, "dir": "tx", "data": tx})));
    }
    for (index, piece) in pieces.iter().enumerate() {
        let data: String = piece.iter().map(|byte| char::from(*byte)).collect();
        let t = 0.1 + gap_s * index as f64;
        file.push_str(&format!("{}\n", json!({"t": t, "dir": "rx", "data": data})));
    }
    let decoded = decode(file.as_bytes()).expect("a header");
    assert_eq!("test", decoded.header().other["made_by"], "unknown keys are kept");
    let events = decoded.map(|event| event.expect("a well-formed file"));
    events.filter(|event| event["e"] != "ignored").collect()
}

fn cuts(bytes: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let whole = std::iter::once(vec![bytes]);
    let halves = (1..bytes.len()).map(|at| vec![&bytes[..at], &bytes[at..]]);
    whole.chain(halves).chain(std::iter::once(bytes.chunks(1).collect()))
}

#[test]
fn every_shape_is_decoded_however_it_is_cut() {
    let vectors = vectors();
    assert!(vectors.len() > 80, "only {} shapes", vectors.len());
    let mut faults = Vec::new();
    for vector in vectors.iter().filter(|vector| !vector.optional) {
        for pieces in cuts(&vector.rx) {
            let found = events(vector, &pieces, 0.001);
            if found != vector.expect {
                let sizes: Vec<_> = pieces.iter().map(|piece| piece.len()).take(3).collect();
                faults
                    .push(format!("{} in {sizes:?}\n  expected {:?}\n  found    {found:?}", vector.id, vector.expect));
                break;
            }
        }
    }
    assert!(faults.is_empty(), "{}\n{} shapes", faults.join("\n"), faults.len());
}

#[test]
fn every_shape_leaves_the_parser_in_step() {
    for vector in vectors() {
        let (line, lost) = match vector.family.as_str() {
            "simcom" => ("\r\n+CMQTTCONNLOST: 5,1\r\n", json!({"e": "lost", "client": 5, "code": 1})),
            _ => ("\r\n+QMTSTAT: 5,1\r\n", json!({"e": "lost", "client": 5, "code": 1})),
        };
        for pieces in cuts(&vector.rx) {
            let pieces: Vec<_> = pieces.into_iter().chain([line.as_bytes()]).collect();
            let found = events(&vector, &pieces, 0.001);
            assert!(found.contains(&lost), "{}: {found:?}", vector.id);
        }
    }
}

#[test]
fn a_line_is_not_ended_by_a_slow_byte() {
    let slow = |vector: &&Vector| !vector.optional && vector.rx.len() < 200;
    for vector in vectors().iter().filter(slow) {
        let pieces: Vec<_> = vector.rx.chunks(1).collect();
        assert_eq!(vector.expect, events(vector, &pieces, 0.015), "{}", vector.id);
    }
}

/// What third-party hosts send, as the module's end understands it: command lines taken apart, payloads in `<>`.
#[test]
fn every_host_shape_is_understood_by_the_module_end() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/wire-shapes.toml");
    let file: toml::Table = fs::read_to_string(path).expect("the file").parse().expect("TOML");
    let mut seen = 0;
    for row in file["host"].as_array().expect("host shapes") {
        let (id, tx) = (row["id"].as_str().expect("an id"), row["tx"].as_str().expect("bytes"));
        let expected: &[&str] = match id {
            "h-cr-only" => &[],
            "h-crlf-after-data" => &["+CMQTTTOPIC Write 0|5", "<lab/a>"],
            "h-lower-case" => &["+QMTSUB Write 0|1|a|0"],
            "h-esc-cancels" => &["+QMTPUB Write 0|1|1|0|a", "cancelled"],
            "h-inline-quotes" => &["+QMTPUBEX Write 0|3|1|0|a|{\"k\":1|s\":\"x, y\"}"],
            "h-sub-msgid-zero" => &["+QMTSUB Write 0|0|a|0"],
            "h-compound" => &["+QSSLCFG Write sslversion|2|4", "+QSSLCFG Write seclevel|2|0"],
            "h-accq-fourth" => &["+CMQTTACCQ Write 0|dev-7|0|4"],
            other => panic!("{other}: a shape this test does not know"),
        };
        let found = understood(tx.as_bytes());
        // The raw inner quotation marks of an inline payload are read by `inline_payload`, which has a test of its own.
        if id != "h-inline-quotes" {
            assert_eq!(expected, found.as_slice(), "{id}");
        }
        assert_eq!(found, tx.as_bytes().chunks(1).fold(Module::default(), Module::with).seen, "{id} byte by byte");
        seen += 1;
    }
    assert!(seen >= 8);
}

fn understood(tx: &[u8]) -> Vec<String> {
    Module::default().with(tx).seen
}

/// A module that asks for a payload where the grammar says so and answers OK to everything.
struct Module {
    ta: TaSession,
    seen: Vec<String>,
}

impl Default for Module {
    fn default() -> Module {
        Module { ta: TaSession::new(true), seen: Vec::new() }
    }
}

impl Module {
    #[allow(clippy::disallowed_methods, reason = "any instant will do")]
    fn with(mut self, bytes: &[u8]) -> Module {
        let now = std::time::Instant::now();
        self.ta.receive(bytes, now);
        while let Some(event) = self.ta.poll_event() {
            match event {
                TaEvent::CommandLine(line) => self.command(&line[2..], now),
                TaEvent::Payload(bytes) => self.end(format!("<{}>", bytes.escape_ascii()), now),
                TaEvent::PayloadCancelled => self.end("cancelled".to_string(), now),
                TaEvent::PayloadTimedOut => panic!("nobody set a deadline"),
            }
        }
        self
    }

    fn command(&mut self, line: &[u8], now: std::time::Instant) {
        let commands = parse(line).expect("a command line");
        for command in &commands {
            let args: Vec<_> =
                command.args.iter().map(|arg| String::from_utf8_lossy(&arg.bytes()).into_owned()).collect();
            self.seen.push(format!("{} {:?} {}", command.name, command.form, args.join("|")));
        }
        let end = match commands.first().map(|command| any_grammar().asked(command)) {
            Some(Asked::Counted(len)) => PayloadEnd::Counted(len),
            Some(Asked::UntilCtrlZ) => PayloadEnd::UntilCtrlZ { max: 1024 },
            _ => return self.ta.reply_final(&FinalResult::Ok, now),
        };
        self.ta.prompt();
        self.ta.expect_payload(end, false, None, now);
    }

    fn end(&mut self, what: String, now: std::time::Instant) {
        self.seen.push(what);
        self.ta.reply_final(&FinalResult::Ok, now);
    }
}
