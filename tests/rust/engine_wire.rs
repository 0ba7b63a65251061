//! Every shape known from the field through a live engine, whole and cut at every byte: the port answers what the shape says,
//! and reply, error, events, messages and statistics must be those its `expect` describes. Each request has one outcome,
//! and the command behind it gets its own answer.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use modemrig::dialect::any_grammar;
use modemrig::engine::Modem;
use modemrig::engine::Statistics;
use modemrig::engine::Wait;
use modemrig::error::Kind;
use modemrig::proto::FinalResult;
use modemrig::proto::command_line::parse_line;
use modemrig::proto::grammar::Asked;
use modemrig::transcript::event_json;
use parking_lot::Mutex;
use serde_json::Value;

use crate::engine_port::Heard;
use crate::engine_port::Says;
use crate::engine_port::ScriptedPort;
use crate::engine_port::is_in_step;
use crate::engine_port::ordinary;
use crate::engine_port::says;
use crate::engine_script::SOON;

const OK: &str = "\r\nOK\r\n";

/// Cuts of one shape that share an engine: shapes that wait are many engines that wait together.
const CUTS_PER_ENGINE: usize = 4;
const THREADS: usize = 32;

/// A shape and the request it is the answer to.
struct Shape {
    id: String,
    dialect: &'static str,
    /// The command line, without CR; none where the module speaks unasked.
    line: Option<String>,
    /// What is typed at its prompt.
    payload: Option<Vec<u8>>,
    /// The shape begins behind the payload, not behind the line.
    behind_payload: bool,
    rx: Vec<u8>,
    expect: Vec<Value>,
    set: Value,
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    value.as_str().map(|text| text.chars().map(|c| u32::from(c) as u8).collect())
}

fn shapes() -> Vec<Shape> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/wire-shapes.toml");
    let file: toml::Table = fs::read_to_string(path).expect("the file").parse().expect("TOML");
    let rows = file["vector"].as_array().expect("shapes");
    rows.iter().map(|row| shape(&serde_json::to_value(row).expect("TOML has a JSON form"))).collect()
}

fn shape(row: &Value) -> Shape {
    let expect = row["expect"].as_array().expect("events").clone();
    let dialect = match (row["dialect"].as_str(), row["family"].as_str()) {
        (Some("simcom"), _) => "sim7028",
        (_, Some("bc")) => "bc35g_bc28",
        (_, Some("bg9x")) => "lte_standard_a",
        _ => "ecx00u_egx00u",
    };
    let tx = bytes(&row["tx"]).map(|tx| String::from_utf8(tx).expect("a command line").trim_end().to_owned());
    let implied = tx.is_none().then(|| implied(row, &expect)).flatten();
    let behind_payload = implied.is_some();
    let line = tx.or(implied);
    let asked = line.as_deref().map(|line| {
        let commands = parse_line(line.as_bytes()).expect("a command line");
        commands.iter().map(|command| any_grammar().asked(command)).find(|asked| *asked != Asked::Nothing)
    });
    let payload = match asked.flatten() {
        Some(Asked::Counted(length)) => Some(bytes(&row["set"]["sent"]).unwrap_or_else(|| vec![b'x'; length])),
        _ => None,
    };
    let (id, rx) = (row["id"].as_str().expect("an id").to_owned(), bytes(&row["rx"]).expect("bytes"));
    Shape { id, dialect, line, payload, behind_payload, rx, expect, set: row["set"].clone() }
}

/// The request that a shape without one answers: its payload was typed before the shape begins.
fn implied(row: &Value, expect: &[Value]) -> Option<String> {
    let publish = |name: &str, msgid: &Value, length: usize| format!("AT+{name}=0,{msgid},1,0,\"t\",{length}");
    if let Some(sent) = bytes(&row["set"]["sent"]) {
        return Some(match row["dialect"].as_str() {
            Some("simcom") => format!("AT+CMQTTTOPIC=0,{}", sent.len()),
            _ => publish("QMTPUB", &Value::from(7), sent.len()),
        });
    }
    if let Some(pending) = row["set"]["pending"].get(0) {
        return Some(publish(pending["cmd"].as_str().expect("a name"), &pending["msgid"], 5));
    }
    let done = expect.iter().find(|event| event["e"] == "pub")?;
    Some(publish("QMTPUB", &done["msgid"], 5))
}

impl Shape {
    fn events<'a>(&'a self, kinds: &'a [&str]) -> impl Iterator<Item = &'a Value> {
        self.expect.iter().filter(move |event| kinds.contains(&event["e"].as_str().expect("a kind")))
    }

    fn count(&self, kind: &str) -> u64 {
        self.events(&[kind]).count() as u64
    }

    fn is_set(&self, key: &str) -> bool {
        self.set[key] == true
    }

    /// The module: answers the request with the shape, cut in these pieces, and everything else in the ordinary way.
    fn script(&self, pieces: Arc<Mutex<Vec<Vec<u8>>>>) -> impl FnMut(Heard<'_>) -> Says + Send + 'static {
        let (line, length) = (self.line.clone(), self.payload.as_ref().map(Vec::len));
        let (behind_payload, asks) = (self.behind_payload, self.count("prompt") > 0);
        // A request that is over but for its result had its OK before.
        let accepted = self.behind_payload && self.count("stale") > 0 && self.count("final") == 0;
        let is_publish = self.line.as_deref().is_some_and(|line| line.contains("PUB"));
        let mut modes = (false, false);
        move |heard| {
            let line_heard = match heard {
                Heard::Line(line) => line.to_owned(),
                Heard::Payload if behind_payload => {
                    let ok = accepted.then(|| OK.as_bytes().to_vec());
                    return Says { pieces: ok.into_iter().chain(pieces.lock().iter().cloned()).collect(), takes: None };
                }
                // The shape ended with the prompt.
                Heard::Payload if is_publish => return says(&format!("{OK}\r\n+QMTPUB: 0,7,0\r\n")),
                Heard::Payload => return says(OK),
            };
            let (echo, numeric) = &mut modes;
            let echoed = if *echo { format!("{line_heard}\r") } else { String::new() };
            if Some(&line_heard) == line.as_ref() {
                if behind_payload {
                    return says(&format!("{echoed}\r\n> ")).then_takes(length.unwrap_or(0));
                }
                let takes = length.filter(|_| asks);
                return Says { pieces: pieces.lock().clone(), takes };
            }
            match line_heard.as_str() {
                "ATE1" => *echo = true,
                "ATE0Q0V1" => modes = (false, false),
                "ATV0" => {
                    *numeric = true;
                    return says("0\r");
                }
                "AT+COPS?" if *numeric => return says("+COPS: 0\r\n0\r"),
                _ => {}
            }
            let answer = ordinary(&line_heard);
            Says { pieces: std::iter::once(echoed.into_bytes()).chain(answer.pieces).collect(), takes: None }
        }
    }

    fn prepare(&self, modem: &Modem) {
        let settings = [
            ("echo", "ATE1"),
            ("len", "AT+QMTCFG=\"recv/mode\",0,0,1"),
            ("hex", "AT+QMTCFG=\"dataformat\",0,0,1"),
            ("v0", "ATV0"),
        ];
        for (key, line) in settings {
            if self.is_set(key) {
                let reply = modem.command(line, None, Wait::at_most(SOON)).expect("an answer");
                assert_eq!(Some(FinalResult::Ok), reply.final_result, "{}: {line}", self.id);
            }
        }
    }

    /// One request, answered in these pieces, and everything that came of it.
    fn play(&self, modem: &Modem, port: &ScriptedPort, pieces: &Mutex<Vec<Vec<u8>>>, cut: Vec<Vec<u8>>) {
        let what = format!("{} in {:?}", self.id, cut.iter().map(Vec::len).take(3).collect::<Vec<_>>());
        let (events, before) = (modem.subscribe(), modem.statistics());
        pieces.lock().clone_from(&cut);
        match &self.line {
            Some(line) => self.request(modem, line, &what),
            None => port.say(cut.iter().map(Vec::as_slice)),
        }
        port.until_read();
        is_in_step(modem, &what);
        let seen: Vec<Value> = events
            .take(1000, Wait::at_most(std::time::Duration::ZERO))
            .expect("open")
            .iter()
            .map(|event| event_json(&event.event))
            .filter(|event| event["e"] != "ignored")
            .collect();
        let unasked = [
            "lost",
            "stale",
            "retry",
            "restarted",
            "gone",
            "bearer_lost",
            "urc",
            "stored",
            "slots",
            "state",
            "damaged",
            "ping",
        ];
        let expected: Vec<Value> = self.events(&unasked).cloned().collect();
        assert_eq!(expected, seen, "{what}");
        self.messages(modem, &what);
        self.statistics(&before, &modem.statistics(), &what);
    }

    fn request(&self, modem: &Modem, line: &str, what: &str) {
        let wait = Wait::at_most(SOON);
        let reply = match &self.payload {
            Some(payload) => modem.command_exactly(line, payload, wait),
            None => modem.command(line, None, wait),
        };
        let reply = reply.unwrap_or_else(|error| panic!("{what}: {error}"));
        let expected_final = match self.events(&["final"]).next() {
            Some(event) if event["ok"] == true => Some(FinalResult::Ok),
            Some(event) => Some(match event["cme"].as_str() {
                Some(cme) => FinalResult::Cme(cme.to_owned()),
                None => FinalResult::Error,
            }),
            None if self.count("prompt") > 0 || self.count("stale") > 0 => Some(FinalResult::Ok),
            None => None,
        };
        assert_eq!(expected_final, reply.final_result, "{what}: {:?}", reply.exchanged);
        let results = ["open", "close", "disc", "start", "stop", "accq", "rel", "input", "conn", "sub", "uns", "pub"];
        let expected = self.events(&results).next();
        let number = |event: &Value, keys: &[&str]| keys.iter().find_map(|key| event[*key].as_i64());
        if let Some(expected) = expected {
            let result = reply.result.as_ref().unwrap_or_else(|| panic!("{what}: no result in {:?}", reply.exchanged));
            assert_eq!(number(expected, &["code", "result"]), Some(result.code.into()), "{what}");
            let same = |ours: Option<i64>, key: &str| expected[key].is_null() || ours == expected[key].as_i64();
            assert!(
                same(result.client.map(Into::into), "client") && same(result.msgid.map(Into::into), "msgid"),
                "{what}"
            );
            let more: Vec<i64> = match (&expected["granted"], &expected["ret"]) {
                (Value::Array(granted), _) => granted.iter().filter_map(Value::as_i64).collect(),
                (_, ret) => ret.as_i64().into_iter().collect(),
            };
            assert_eq!(more, result.values.iter().map(|value| i64::from(*value)).collect::<Vec<_>>(), "{what}");
        }
        let refused = expected_final.is_some_and(|result| result != FinalResult::Ok);
        let failed = expected.is_some_and(|event| {
            number(event, &["code", "result"]) != Some(0) || event["ret"].as_i64().is_some_and(|code| code != 0)
        });
        // What ends a connection has reached its end when the connection is lost.
        let lost = self.count("lost") > 0 && expected.is_none() && !line.contains("DISC") && !line.contains("CLOSE");
        assert_eq!(refused || failed || lost, reply.error.is_some(), "{what}: {:?}", reply.error);
        if let Some(error) = reply.error.filter(|_| !lost) {
            assert!(!matches!(error.kind, Kind::NoAnswer | Kind::ConnectionLost | Kind::Garbled), "{what}: {error}");
        }
    }

    fn messages(&self, modem: &Modem, what: &str) {
        let expected: Vec<(Vec<u8>, Vec<u8>)> = self
            .events(&["msg"])
            .map(|event| (bytes(&event["topic"]).expect("a topic"), bytes(&event["payload"]).expect("a payload")))
            .collect();
        if expected.is_empty() {
            return;
        }
        let client = modem.client(0).expect("every module has one");
        let taken = client.take_messages(100, Wait::at_most(SOON)).unwrap_or_else(|error| panic!("{what}: {error}"));
        let taken: Vec<_> = taken.into_iter().map(|it| (it.message.topic, it.message.payload)).collect();
        assert_eq!(expected, taken, "{what}");
    }

    fn statistics(&self, before: &Statistics, after: &Statistics, what: &str) {
        let restarts = self.count("restarted") + self.count("gone");
        // A request, the one behind it, and first words where the module restarted.
        let commands = u64::from(self.line.is_some()) + 1 + restarts;
        let missing_ok = self.line.is_some()
            && self.count("final") + self.count("prompt") == 0
            && !(self.behind_payload && self.count("stale") > 0);
        for (name, expected, before, after) in [
            ("commands", commands, before.commands, after.commands),
            ("messages", self.count("msg"), before.messages, after.messages),
            ("messages dropped", 0, before.messages_dropped, after.messages_dropped),
            ("events dropped", 0, before.events_dropped, after.events_dropped),
            ("stale", self.count("stale"), before.stale, after.stale),
            ("surplus", 0, before.surplus, after.surplus),
            ("damaged", self.count("damaged"), before.damaged, after.damaged),
            ("overflowed", 0, before.overflowed, after.overflowed),
            ("timeouts", 0, before.timeouts, after.timeouts),
            ("resynchronised", u64::from(missing_ok), before.resynchronised, after.resynchronised),
            ("restarts", restarts, before.restarts, after.restarts),
        ] {
            assert_eq!(expected, after - before, "{what}: {name}");
        }
    }
}

/// Whole, in two at every byte, and byte by byte.
fn cuts(rx: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let halves = (1..rx.len()).map(|at| vec![rx[..at].to_vec(), rx[at..].to_vec()]);
    let single = rx.iter().map(|byte| vec![*byte]).collect();
    [vec![rx.to_vec()], single].into_iter().chain(halves).collect()
}

#[test]
fn every_shape_has_its_outcome_in_a_live_engine_however_it_is_cut() {
    let shapes = shapes();
    let mut jobs: Vec<(&Shape, Vec<Vec<Vec<u8>>>)> = Vec::new();
    for shape in &shapes {
        let cuts = cuts(&shape.rx);
        jobs.extend(cuts.chunks(CUTS_PER_ENGINE).map(|chunk| (shape, chunk.to_vec())));
    }
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some((shape, cuts)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let pieces = Arc::new(Mutex::new(Vec::new()));
                    let port = ScriptedPort::new(shape.script(Arc::clone(&pieces)));
                    let modem = port.open(shape.dialect);
                    shape.prepare(&modem);
                    for cut in cuts {
                        shape.play(&modem, &port, &pieces, cut.clone());
                    }
                    done.lock().insert(shape.id.clone());
                }
            });
        }
    });
    assert_eq!(shapes.len(), done.lock().len());
    assert!(shapes.len() > 80, "only {} shapes", shapes.len());
}
