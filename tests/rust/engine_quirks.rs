//! The host survives every quirk there is, without being told of it: each row of the table, in each of its forms, on each
//! document of its family, and every profile, through whole sessions, failures and losses. What must fail under a quirk is a row of
//! [`EXPECTED`], with the step and the words of its error.
//!
//! `QUIRK=gap cargo test engine_quirks` plays those that begin so, `SEED=7` draws others to come together. Longer than 400 lines:
//! the tables are read beside the scenes they speak of.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use modemrig::bench_broker::BenchBroker;
use modemrig::bench_broker::BenchOptions;
use modemrig::client::ClientState;
use modemrig::dialect::catalogue;
use modemrig::dialect::schema::Family;
use modemrig::engine::Client;
use modemrig::engine::Credentials;
use modemrig::engine::Modem;
use modemrig::engine::OpenOptions;
use modemrig::engine::Outgoing;
use modemrig::engine::Statistics;
use modemrig::engine::Wait;
use modemrig::error::Error;
use modemrig::error::Kind;
use modemrig::virtual_module::BrokerAddress;
use modemrig::virtual_module::Conditions;
use modemrig::virtual_module::Endpoint;
use modemrig::virtual_module::Network;
use modemrig::virtual_module::QUIRKS;
use modemrig::virtual_module::QuirkRow;
use modemrig::virtual_module::VirtualModule;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::params::ParamKind;
use modemrig::virtual_module::profiles::PROFILES;

use crate::random::Random;

/// Timers of the modules run so much faster.
const SPEED: f64 = 5.0;

/// Between `OK` and a result, where no quirk says otherwise: there are thousands.
const GAP: Duration = Duration::from_millis(1);

/// Modules at a time: they wait more than they do.
const WORKERS: usize = 32;

/// Stands between quirks that come together.
const AND: &str = " + ";

/// Quirks that come together, drawn for each document.
const DRAWN: usize = 40;

/// Together these leave nothing by which the end of a message could be told, where the document has no length.
const CONTRARY: &[(&str, &str)] = &[("line_end_missing", "recv_payload_below")];

/// Forms of a quirk beside its name alone and each of its words: numbers that matter.
const FORMS: &[(&str, &[&str])] = &[
    ("gap", &["gap:ms=0"]),
    ("urc_before_result", &["urc_before_result:text='+QIND: PB DONE'", "urc_before_result:text='RING'"]),
    ("power_down_word", &["power_down_word:text='NORMAL POWER DOWN'"]),
];

/// What must fail: quirk, document, scene (`*`: each), and the step and words of its error. No host could do better there.
const EXPECTED: &[(&str, &str, &str, &str)] = &[
    // Nothing on the line tells of it: the next command does, and `recover` mends it.
    ("boot_text:style=none", "*", "losses", "the power failed: not told"),
    ("state_ignored", "*", "failures", "AT+CMQTTREL=0: did not fail"),
    // The length is published: this firmware takes no other payload than that of the command line.
    ("inline_publish:numbers=payload", "*", "*", "publish 0: Garbled"),
    ("msgid_restarts", "*", "*", "subscribe: ModuleRestarted"),
    // The connection is gone before the session begins.
    ("stat_after_open", "*", "*", "connect: ConnectionLost"),
    // Without length and quotation mark a message ends with its line.
    ("quote_missing", "bc35g_bc28", "*", "message 2: "),
    ("recv_unquoted", "bc35g_bc28", "*", "message 2: "),
];

/// Errors that are of another kind under a quirk: step and kind. The scene goes on.
const OTHERWISE: &[(&str, &str, Kind)] = &[
    // The line has no CONNACK code.
    ("conn_two_fields", "connect", Kind::RequestFailed),
    ("conn_two_fields:when=both", "connect", Kind::RequestFailed),
    ("conn_two_fields:when=failure", "connect", Kind::RequestFailed),
];

/// Quirk, scene, and whether the statistics tell of it.
type Counted = (&'static str, &'static str, fn(&Statistics) -> bool);

/// What a host's statistics say of a quirk behind these scenes.
const COUNTED: &[Counted] =
    &[("result_twice", "session", |seen| seen.stale >= 5), ("surplus_ok", "failures", |seen| seen.surplus >= 1)];

/// One thing after the other that a host does, and what must come of it.
type Scene = fn(&mut Rig) -> Result<(), String>;

const SCENES: &[(&str, Scene)] =
    &[("session", session), ("failures", failures), ("losses", losses), ("echo", under_echo)];

/// Quirks under which a scene is played, where those are not all: with the echo on, what is typed is shown or not.
const ONLY: &[(&str, &[&str])] =
    &[("echo", &["", "payload_echoed", "numeric_results", "prompt_on_own_line", "recv_unquoted"])];

/// A module, the broker behind it, and the host.
struct Rig<'a> {
    broker: &'a BenchBroker,
    module: VirtualModule,
    modem: Modem,
    family: Family,
    /// As it was asked for.
    quirk: &'a str,
    /// The client's name at the broker.
    id: String,
}

/// Longer than any step takes on a loaded machine.
fn wait() -> Wait<'static> {
    Wait::at_most(Duration::from_secs(10))
}

fn said(step: &str, error: &Error) -> String {
    format!("{step}: {:?}: {error} {:?}", error.kind, error.last_lines)
}

impl Rig<'_> {
    fn client(&self) -> Client {
        self.modem.client(0).expect("every module has one")
    }

    /// Whether answers are those of what was asked: a query is answered by its own line.
    fn in_step(&self, behind: &str) -> Result<(), String> {
        for line in ["AT+CMEE?", "AT+CFUN?"] {
            let reply = self.modem.command(line, None, wait()).and_then(|reply| reply.check());
            let reply = reply.map_err(|error| said(&format!("{line} behind {behind}"), &error))?;
            let prefix = format!("{}:", &line[2..line.len() - 1]);
            if reply.lines.len() != 1 || !reply.lines[0].starts_with(&prefix) {
                return Err(format!("{line} behind {behind} is answered {:?}", reply.exchanged));
            }
        }
        Ok(())
    }

    fn connected(&self) -> Result<(), String> {
        let client = self.client();
        client.open("broker.lab", 1883, None, wait()).map_err(|error| said("open", &error))?;
        let me = Credentials { client_id: self.id.clone(), ..Credentials::default() };
        client.connect(&me, wait()).map_err(|error| said("connect", &error))?;
        match client.state() {
            ClientState::Connected => Ok(()),
            other => Err(format!("connect: the client is {other}")),
        }
    }

    /// Publishes with each quality and gets each message once.
    fn exchanged(&self, topic: &str) -> Result<(), String> {
        let client = self.client();
        client.subscribe(&[(format!("{topic}/#"), 2)], wait()).map_err(|error| said("subscribe", &error))?;
        let payloads: [&[u8]; 4] =
            [b"plain", b"{\"k\":\"v\",\"s\":\"x, y\"}", b"line\r\nOK\r\n> +QMTSTAT: 0,1\r\nmore", b"7"];
        for (number, payload) in payloads.iter().enumerate() {
            let (qos, step) = (number as i64 % 3, format!("publish {number}"));
            let message =
                Outgoing { topic: format!("{topic}/{number}"), payload: payload.to_vec(), qos, retain: false };
            let receipt = client.publish(&message, wait()).map_err(|error| said(&step, &error))?;
            receipt.wait(wait()).map_err(|error| said(&step, &error))?;
            let taken = client.take_messages(8, wait()).map_err(|error| said(&format!("message {number}"), &error))?;
            let taken: Vec<_> = taken.into_iter().map(|it| (it.message.topic, it.message.payload)).collect();
            if taken != [(message.topic.into_bytes(), message.payload)] {
                return Err(format!("message {number}: {taken:?}"));
            }
        }
        client.unsubscribe(&[format!("{topic}/#")], wait()).map_err(|error| said("unsubscribe", &error))
    }

    fn left(&self) -> Result<(), String> {
        let client = self.client();
        client.disconnect(wait()).map_err(|error| said("disconnect", &error))?;
        client.close(wait()).map_err(|error| said("close", &error))?;
        match client.state() {
            ClientState::Closed => Ok(()),
            other => Err(format!("close: the client is {other}")),
        }
    }

    /// No message came a second time.
    fn nothing_is_left(&self) -> Result<(), String> {
        match self.client().take_messages(8, Wait::at_most(Duration::ZERO)) {
            Ok(taken) if taken.is_empty() => Ok(()),
            Ok(taken) => Err(format!("once more: {taken:?}")),
            Err(error) => Err(said("once more", &error)),
        }
    }

    /// Whether this failed, with the right error.
    fn fails(&self, step: &str, outcome: Result<(), Error>, kind: Kind) -> Result<(), String> {
        let row = OTHERWISE.iter().find(|(quirk, of, _)| *quirk == self.quirk && *of == step);
        match outcome {
            Err(error) if error.kind == row.map_or(kind, |(.., kind)| *kind) => Ok(()),
            Err(error) => Err(said(step, &error)),
            Ok(()) => Err(format!("{step}: did not fail")),
        }
    }

    /// A command line as a program writes it that knows its module.
    fn raw(&self, line: &str, payload: Option<&[u8]>) -> Result<(), String> {
        let reply = self.modem.command(line, payload, wait()).and_then(|reply| reply.check());
        reply.map(drop).map_err(|error| said(line, &error))
    }
}

fn session(rig: &mut Rig) -> Result<(), String> {
    for round in ["a", "b"] {
        rig.connected()?;
        rig.exchanged(round)?;
        rig.left()?;
        rig.in_step("a session")?;
        rig.nothing_is_left()?;
    }
    raw_session(rig)?;
    rig.in_step("a session of command lines")
}

/// Somebody had the echo on: payloads that imitate answers, and their echo, mislead nobody.
fn under_echo(rig: &mut Rig) -> Result<(), String> {
    rig.raw("ATE1", None)?;
    rig.connected()?;
    rig.raw("ATE1", None)?;
    rig.exchanged("e")?;
    rig.left()?;
    rig.in_step("the echo")
}

fn raw_session(rig: &Rig) -> Result<(), String> {
    let lines: Vec<(String, Option<&[u8]>)> = match rig.family {
        Family::Qmt => {
            let publish = rig.modem.dialect().command("AT+QMTPUBEX").map_or("AT+QMTPUB", |_| "AT+QMTPUBEX");
            vec![
                ("AT+QMTOPEN=0,\"broker.lab\",1883".into(), None),
                (format!("AT+QMTCONN=0,\"{}\"", rig.id), None),
                ("AT+QMTSUB=0,5,\"raw\",1".into(), None),
                (format!("{publish}=0,6,1,0,\"else\",3"), Some(b"abc")),
                ("AT+QMTUNS=0,7,\"raw\"".into(), None),
                ("AT+QMTDISC=0".into(), None),
            ]
        }
        Family::Cmqtt => vec![
            ("AT+CMQTTSTART".into(), None),
            (format!("AT+CMQTTACCQ=0,\"{}\",0", rig.id), None),
            ("AT+CMQTTCONNECT=0,\"tcp://broker.lab\",60,1".into(), None),
            ("AT+CMQTTSUB=0,3,1".into(), Some(b"raw")),
            ("AT+CMQTTTOPIC=0,4".into(), Some(b"else")),
            ("AT+CMQTTPAYLOAD=0,3".into(), Some(b"abc")),
            ("AT+CMQTTPUB=0,1,60".into(), None),
            ("AT+CMQTTUNSUB=0,3,0".into(), Some(b"raw")),
            ("AT+CMQTTDISC=0,60".into(), None),
            ("AT+CMQTTREL=0".into(), None),
            ("AT+CMQTTSTOP".into(), None),
        ],
    };
    for (line, payload) in lines {
        rig.raw(&line, payload)?;
    }
    // What a client is afterwards is its module's affair.
    if rig.family == Family::Qmt {
        let closed = rig.modem.command("AT+QMTCLOSE=0", None, Wait::at_most(Duration::from_secs(2)));
        closed.map(drop).or_else(|error| match error.kind {
            Kind::NoAnswer => Ok(()),
            _ => Err(said("AT+QMTCLOSE=0", &error)),
        })?;
    }
    Ok(())
}

fn failures(rig: &mut Rig) -> Result<(), String> {
    let client = rig.client();
    let me = Credentials { client_id: rig.id.clone(), ..Credentials::default() };
    // Refused at once, with a reason or without: nothing is open.
    let name = if rig.family == Family::Qmt { "AT+QMTDISC=0" } else { "AT+CMQTTREL=0" };
    match rig.modem.command(name, None, wait()).and_then(|reply| reply.check()) {
        Err(error) if matches!(error.kind, Kind::CommandRefused | Kind::RequestFailed) => {}
        Err(error) => return Err(said(name, &error)),
        Ok(_) => return Err(format!("{name}: did not fail")),
    }
    rig.in_step("a refused command")?;
    // Refused by the broker.
    rig.broker.refuse_with(Some(5));
    client.open("broker.lab", 1883, None, wait()).map_err(|error| said("open", &error))?;
    let refused = client.connect(&me, wait());
    rig.broker.refuse_with(None);
    rig.fails("connect", refused, Kind::BrokerRefused)?;
    rig.in_step("a refused connect")?;
    client.close(wait()).map_err(|error| said("close", &error))?;
    // A name that leads nowhere.
    let outcome = client.open("nowhere.invalid", 1883, None, wait()).and_then(|()| client.connect(&me, wait()));
    rig.fails("open", outcome, Kind::OpenFailed)?;
    rig.in_step("a failed open")?;
    client.close(wait()).map_err(|error| said("close", &error))?;
    rig.connected()?;
    // Refused by the broker, where the module tells.
    rig.broker.refuse_filters(["forbidden".to_owned()]);
    let subscribed = client.subscribe(&[("forbidden".into(), 1)], wait());
    rig.broker.refuse_filters([]);
    match (rig.family, subscribed) {
        (Family::Qmt, Ok(granted)) if granted[0].1 == Some(128) => {}
        (Family::Cmqtt, Err(error)) if error.kind == Kind::RequestFailed => {}
        (_, Ok(granted)) => return Err(format!("subscribe: granted {granted:?}")),
        (_, Err(error)) => return Err(said("subscribe", &error)),
    }
    rig.in_step("a refused subscription")?;
    // Some brokers, and so some modules, end a connection for that.
    if client.state() != ClientState::Connected {
        rig.connected()?;
    }
    rig.exchanged("c")?;
    rig.left()
}

fn losses(rig: &mut Rig) -> Result<(), String> {
    let client = rig.client();
    let lost = |what: &str| match client.connection_lost(wait()) {
        Ok(Some(_)) if client.state() != ClientState::Connected => Ok(()),
        Ok(Some(_)) => Err(format!("{what}: still connected")),
        Ok(None) => Err(format!("{what}: not told")),
        Err(error) => Err(said(what, &error)),
    };
    rig.connected()?;
    if !rig.broker.cut(&rig.id) {
        return Err("the broker knows no such client".into());
    }
    lost("the broker is gone")?;
    client.close(wait()).map_err(|error| said("close behind a loss", &error))?;
    rig.connected()?;
    let set = |conditions| rig.module.set_conditions(conditions).map_err(|error| error.to_string());
    set(Conditions { pdp: false, ..Conditions::default() })?;
    lost("the bearer is gone")?;
    set(Conditions::default())?;
    rig.in_step("the loss of the bearer")?;
    client.close(wait()).map_err(|error| said("close behind the bearer", &error))?;
    rig.connected()?;
    rig.module.power_cycle().map_err(|error| error.to_string())?;
    lost("the power failed")?;
    // What was told of the same end twice is no second loss.
    match client.connection_lost(Wait::at_most(Duration::ZERO)) {
        Ok(None) => {}
        other => return Err(format!("a second loss: {other:?}")),
    }
    rig.in_step("a restart")?;
    rig.connected()?;
    rig.exchanged("d")?;
    rig.left()
}

/// How a quirk can be written: its name alone, each word of a choice, and what [`FORMS`] adds.
fn forms(row: &QuirkRow) -> Vec<String> {
    let mut forms = vec![row.name.to_owned()];
    for param in row.params {
        if let ParamKind::Choice(words) = param.kind {
            forms.extend(words.iter().map(|word| format!("{}:{}={word}", row.name, param.name)));
        }
    }
    let more = FORMS.iter().filter(|(name, _)| *name == row.name).flat_map(|(_, more)| *more);
    forms.extend(more.map(|form| (*form).to_owned()));
    forms
}

/// One run: quirk, or several with [`AND`] between them, document or profile, scene.
type Job = (String, &'static str, &'static str, Scene);

fn play(broker: &BenchBroker, (quirk, dialect, name, scene): &Job, id: usize) -> Result<Statistics, String> {
    let address = BrokerAddress { host: broker.host().into(), port: broker.port(), tls_port: broker.tls_port() };
    let mut module = VirtualModule::start(VirtualOptions {
        endpoint: Endpoint::Pair,
        network: Network { redirect: Some(address) },
        quirks: quirk.split(AND).filter(|quirk| !quirk.is_empty()).map(str::to_owned).collect(),
        speed: SPEED,
        gap: GAP,
        ..VirtualOptions::new(*dialect)
    })
    .map_err(|error| error.to_string())?;
    let line = module.host_end().expect("the other end of a pair");
    let options = OpenOptions { shown_as: Some(format!("{dialect} {quirk} {name}")), ..OpenOptions::default() };
    let modem = Modem::over(Box::new(line), options, wait()).map_err(|error| said("open the port", &error))?;
    let family = modem.dialect().family;
    let mut rig = Rig { broker, module, modem, family, quirk, id: format!("me-{id}") };
    scene(&mut rig)?;
    let seen = rig.modem.statistics();
    rig.modem.close();
    rig.module.stop();
    Ok(seen)
}

/// Plays them all, many at a time.
fn played(jobs: &[Job]) -> Vec<(&Job, Result<Statistics, String>)> {
    let next = AtomicUsize::new(0);
    let outcomes = parking_lot::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let broker = BenchBroker::start(BenchOptions::default()).expect("a broker");
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = play(&broker, job, next.load(Ordering::Relaxed));
                    outcomes.lock().push((job, outcome));
                }
            });
        }
    });
    outcomes.into_inner()
}

#[test]
fn a_host_survives_every_quirk_on_every_document_and_every_profile() {
    let mut jobs: Vec<Job> = Vec::new();
    let wanted = std::env::var("QUIRK").unwrap_or_default();
    // Those with a gap of their own take longest: they come first.
    for profile in PROFILES.iter().filter(|profile| profile.name.starts_with(&wanted)) {
        jobs.extend(SCENES.iter().map(|(name, scene)| (String::new(), profile.name, *name, *scene)));
    }
    for dialect in catalogue().dialects() {
        let of = |row: &&QuirkRow| row.family.is_none_or(|family| family == dialect.family);
        let all = std::iter::once(String::new()).chain(QUIRKS.iter().filter(of).flat_map(forms));
        for quirk in all.filter(|quirk| quirk.starts_with(&wanted)) {
            let plays = |scene: &str| ONLY.iter().all(|(of, quirks)| *of != scene || quirks.contains(&quirk.as_str()));
            let scenes = SCENES.iter().filter(|(name, _)| plays(name));
            jobs.extend(scenes.map(|(name, scene)| (quirk.clone(), dialect.id.as_str(), *name, *scene)));
        }
    }
    let mut faults: Vec<String> = Vec::new();
    for ((quirk, dialect, scene, _), outcome) in played(&jobs) {
        let is = |known: &str, what: &str| known == "*" || known == what;
        let expected = EXPECTED.iter().find(|(known, on, of, _)| known == quirk && is(on, dialect) && is(of, scene));
        let name = quirk.split(':').next().unwrap_or_default();
        let mut counted = COUNTED.iter().filter(|(known, of, _)| *known == name && of == scene);
        let fault = match (outcome, expected) {
            (Err(fault), Some((.., words))) if fault.contains(words) => None,
            (Err(fault), _) => Some(fault),
            (Ok(_), Some((.., words))) => Some(format!("did not fail ({words})")),
            (Ok(seen), None) => {
                counted.any(|(.., shows)| !shows(&seen)).then(|| format!("not in the statistics: {seen:?}"))
            }
        };
        faults.extend(fault.map(|fault| format!("{quirk:28} {scene} {dialect}: {fault}")));
    }
    faults.sort();
    assert!(faults.is_empty(), "{} of {} runs:\n{}", faults.len(), jobs.len(), faults.join("\n"));
}

/// Real modules have more than one: any few of the field's come together.
#[test]
fn a_host_survives_quirks_that_come_together() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(5);
    let mut random = Random::new(seed);
    let mut jobs: Vec<Job> = Vec::new();
    for dialect in catalogue().dialects() {
        let of = |row: &&QuirkRow| row.family.is_none_or(|family| family == dialect.family) && !row.field.is_empty();
        let survived = |form: &String| {
            EXPECTED.iter().all(|(known, ..)| form != known) && OTHERWISE.iter().all(|(known, ..)| form != known)
        };
        let all: Vec<String> = QUIRKS.iter().filter(of).flat_map(forms).filter(survived).collect();
        for _ in 0..DRAWN {
            let drawn: Vec<&str> = (0..2 + random.below(4)).map(|_| random.pick(&all).as_str()).collect();
            let (name, scene) = *random.pick(&SCENES[..3]);
            if CONTRARY.iter().any(|(one, other)| drawn.contains(one) && drawn.contains(other)) {
                continue;
            }
            jobs.push((drawn.join(AND), dialect.id.as_str(), name, scene));
        }
    }
    let fault = |((quirks, dialect, scene, _), outcome): (&Job, Result<Statistics, String>)| {
        outcome.err().map(|fault| format!("{quirks} {scene} {dialect}: {fault}"))
    };
    let faults: Vec<String> = played(&jobs).into_iter().filter_map(fault).collect();
    assert!(faults.is_empty(), "{} of {} runs:\n{}", faults.len(), jobs.len(), faults.join("\n"));
}
