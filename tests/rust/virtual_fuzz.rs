//! Hosts gone mad: noise, damaged command lines, out-of-range values, payloads nobody asked for, a network that fails in
//! between, on all five modules in simulated time. No panic, no endless loop, no echo of a quotation mark that eats the
//! line for ever: behind it `AT` is answered `OK`.

use std::time::Duration;

use modemrig::dialect::catalogue;
use modemrig::dialect::schema::Command;
use modemrig::dialect::schema::Dialect;
use modemrig::dialect::schema::Family;
use modemrig::dialect::schema::ParamType;
use modemrig::mqtt::Packet;
use modemrig::mqtt::Qos;
use modemrig::mqtt::RecordedPacket;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::SimulatedModule;
use modemrig::virtual_module::simulation::Way;

use crate::random::Random;

/// Modules of a dialect, each with a seed of its own.
const MODULES: u64 = 60;
/// What happens to each before it is looked at.
const ACTS: usize = 400;
/// More input than any prompt can ask for (a SIM7028 file has at most 10240 bytes, a QMT payload 10240).
const ENOUGH: usize = 12;

#[test]
fn whatever_a_host_types_the_module_answers_at_afterwards() {
    std::thread::scope(|scope| {
        for dialect in catalogue().dialects() {
            scope.spawn(move || {
                let mut connected = 0;
                for seed in 0..MODULES {
                    connected += torment(dialect, seed);
                }
                // Else only the front door was fuzzed.
                assert!(connected > MODULES as usize, "{}: {connected} connections", dialect.id);
            });
        }
    });
}

/// Whatever the host and the network do, a seed and a script decide every byte of the module.
#[test]
fn the_same_seed_and_the_same_script_give_the_same_bytes() {
    let said = |dialect: &'static Dialect, seed: u64| {
        let mut random = Random::new(seed);
        let faults = vec!["noise:direction=out,percent=1".into()];
        let options = VirtualOptions { seed, faults, ..VirtualOptions::new(dialect.id.as_str()) };
        let mut module = SimulatedModule::new(&options).expect("a built-in dialect");
        (0..ACTS).flat_map(|_| act(dialect, &mut random, &mut module, &mut Vec::new())).collect::<Vec<u8>>()
    };
    for dialect in catalogue().dialects() {
        for seed in 0..3 {
            let first = said(dialect, seed);
            assert!(first.len() > ACTS, "{}: hardly a word", dialect.id);
            assert!(first == said(dialect, seed), "{}, seed {seed}", dialect.id);
        }
    }
}

/// Answers how often a client of the module was connected.
fn torment(dialect: &'static Dialect, seed: u64) -> usize {
    let mut random = Random::new(seed * 31 + 7);
    let options = VirtualOptions { seed, ..VirtualOptions::new(dialect.id.as_str()) };
    let mut module = SimulatedModule::new(&options).expect("a built-in dialect");
    let mut script = Vec::new();
    for _ in 0..ACTS {
        act(dialect, &mut random, &mut module, &mut script);
    }
    module.host_comes();
    module.network().ways.clear();
    let mut said = String::new();
    for attempt in 0..ENOUGH {
        module.host(b"\x1b\r");
        // The longest span a host can ask for is that of an upload, 65535 s.
        module.after(if attempt == 2 { 70_000.0 } else { 200.0 });
        // It may have been told to be quiet, or to speak in numbers.
        module.ask("ATQ0V1", 1.0);
        said = module.ask("AT", 1.0);
        if said.ends_with("\r\nOK\r\n") {
            let network = module.network();
            let let_in = |row: &&RecordedPacket| matches!(row.packet, Packet::Connack { code: 0, .. });
            return network.broker.record().filter(let_in).count();
        }
        module.host(&[b'x'; 1024]);
    }
    let tail = &script[script.len().saturating_sub(12)..];
    panic!("{}, seed {seed}: AT was answered {said:?}; the last lines: {tail:?}", dialect.id);
}

/// Something happens to the module; what it said.
fn act(dialect: &Dialect, random: &mut Random, module: &mut SimulatedModule, script: &mut Vec<String>) -> Vec<u8> {
    match random.below(24) {
        0 => {
            let noise: Vec<u8> = (0..random.below(60)).map(|_| random.next() as u8).collect();
            host(module, script, &noise);
        }
        1 => host(
            module,
            script,
            random.pick::<&str>(&["\x1a", "\x1b", "\r", "\n", "+++", "A/", "\"", "\0", "\x08"]).as_bytes(),
        ),
        2 => {
            let payload = vec![*random.pick(b"ab\"\r\n,1"); random.below(300)];
            host(module, script, &payload);
        }
        3 => {
            let way = match random.below(7) {
                0 => Way::NotResolved,
                1 => Way::Refused,
                2 => Way::NoAnswer,
                3 => Way::Says((0..random.below(40)).map(|_| random.next() as u8).collect()),
                4 => Way::ClosedAfter(random.below(30)),
                5 => Way::ResetAfter(random.below(30)),
                _ => Way::RefusesWriteAfter(random.below(60)),
            };
            module.network().ways.push_back(way);
        }
        4 => match random.below(8) {
            0 => module.network().end_all(random.below(2) == 0),
            1 => module.network().silence(),
            2 => module.network().refuse_writes(),
            3 => module.host_leaves(),
            _ => module.host_comes(),
        },
        5 => {
            let qos = *random.pick(&[Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce]);
            let payload: Vec<u8> = (0..random.below(2000)).map(|_| random.next() as u8).collect();
            let mut network = module.network();
            let now = network.now();
            network.broker.publish(random.pick::<&str>(&["a", "topic/example", "ü\"\r\n"]), &payload, qos, false, now);
        }
        6 | 7 => module.advance(Duration::from_millis(random.below(30_000) as u64)),
        8 => {
            for line in connect_lines(dialect) {
                typed(random, module, script, line, 60);
                module.advance(Duration::from_secs(3));
            }
        }
        9..=14 => example(dialect, random, module, script),
        _ => {
            let names: Vec<_> = dialect.commands.iter().chain(&dialect.surroundings).collect();
            let (name, command) = *random.pick(&names);
            let line = command_line(random, name, command);
            typed(random, module, script, &line, 12);
        }
    }
    module.take_output()
}

/// What brings the first client to a broker.
fn connect_lines(dialect: &Dialect) -> &'static [&'static str] {
    match dialect.family {
        Family::Qmt => &["AT+QMTOPEN=0,\"broker.example\",1883", "AT+QMTCONN=0,\"me\"", "AT+QMTSUB=0,1,\"a\",2"],
        Family::Cmqtt => {
            &["AT+CMQTTSTART", "AT+CMQTTACCQ=0,\"me\"", "AT+CMQTTCONNECT=0,\"tcp://broker.example:1883\",60,1"]
        }
    }
}

/// A step of a worked example, so that something is connected now and then.
fn example(dialect: &Dialect, random: &mut Random, module: &mut SimulatedModule, script: &mut Vec<String>) {
    let example = random.pick(&dialect.examples);
    let first = random.below(3);
    for step in example.steps.iter().skip(first).take(1 + random.below(8)) {
        if let Some(line) = &step.send {
            typed(random, module, script, line, 30);
        }
        if let Some(payload) = &step.payload {
            host(module, script, payload.as_bytes());
            host(module, script, b"\x1a");
        }
        module.advance(Duration::from_secs(1));
    }
}

/// Sends the line, one time in `whole` damaged.
fn typed(random: &mut Random, module: &mut SimulatedModule, script: &mut Vec<String>, line: &str, whole: usize) {
    let mut bytes = line.as_bytes().to_vec();
    if random.below(whole) == 0 && !bytes.is_empty() {
        let at = random.below(bytes.len());
        match random.below(5) {
            0 => bytes[at] = random.next() as u8,
            1 => drop(bytes.remove(at)),
            2 => bytes.insert(at, *random.pick(b"\",;=?\\ \x080")),
            3 => bytes.truncate(at),
            _ => bytes.extend_from_within(at..),
        }
    }
    if random.below(3) > 0 {
        bytes.push(b'\r');
    } else {
        bytes.extend(b"\r\n");
    }
    for piece in random.pieces(&bytes) {
        host(module, script, piece);
    }
    module.advance(Duration::from_millis(random.below(1500) as u64));
}

fn host(module: &mut SimulatedModule, script: &mut Vec<String>, bytes: &[u8]) {
    script.push(String::from_utf8_lossy(bytes).into_owned());
    module.host(bytes);
}

/// A form of a command with values in range, at its edges, outside, and nonsense.
fn command_line(random: &mut Random, name: &str, command: &Command) -> String {
    match random.below(8) {
        0 => return format!("{name}=?"),
        1 => return format!("{name}?"),
        2 => return name.to_owned(),
        _ => {}
    }
    let variants: Vec<_> = command.variants.values().collect();
    if variants.is_empty() {
        return format!("{name}={}", random.below(20));
    }
    let variant = *random.pick(&variants);
    let mut values: Vec<String> = variant.key.iter().map(|key| format!("\"{key}\"")).collect();
    let count = if random.below(4) == 0 { random.below(8) } else { *random.pick(&variant.counts) };
    for name in variant.params.iter().chain(variant.repeat.iter().cycle().take(24)).take(count) {
        let param = command.params.get(name);
        values.push(match param.map(|param| param.r#type) {
            _ if random.below(16) == 0 => nonsense(random),
            Some(ParamType::Int) => {
                number(random, param.and_then(|param| param.min), param.and_then(|param| param.max))
            }
            _ => text(random, param.and_then(|param| param.max_len)),
        });
    }
    format!("{name}={}", values.join(","))
}

fn number(random: &mut Random, min: Option<i64>, max: Option<i64>) -> String {
    let (min, max) = (min.unwrap_or(0), max.unwrap_or(3));
    // Mostly the first client, the first context, the first flag: so that things meet.
    let value = *random.pick(&[min, min, min, 0, 0, 1, 1, max, max + 1, min - 1, 65_536, i64::MAX]);
    value.to_string()
}

fn text(random: &mut Random, max_len: Option<u32>) -> String {
    let most = max_len.unwrap_or(64) as usize;
    let text = match random.below(8) {
        0 => String::new(),
        1 => "x".repeat(most.min(2000)),
        2 => "x".repeat((most + 1).min(2000)),
        3 => "a/+/#".to_owned(),
        4 => "tcp://broker.example:1883".to_owned(),
        5 => "ü€".to_owned(),
        _ => random.pick(&["a", "topic/example", "broker.example", "me"]).to_string(),
    };
    format!("\"{text}\"")
}

fn nonsense(random: &mut Random) -> String {
    random.pick(&["", "\"", "-1", "1.5", "0x10", "99999999999999999999", "\"\"\"", "\\22", "=", "?", "abc"]).to_string()
}
