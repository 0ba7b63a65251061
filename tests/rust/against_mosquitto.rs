//! A virtual module and other clients against the bench broker and against Debian's mosquitto: the same scenarios, every
//! packet and every line of the host compared. What differs stands in [`KNOWN`], each with its reason; nothing else may.
//! Skips, saying so, where mosquitto is not installed.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;

use modemrig::mqtt::Kind;
use modemrig::mqtt::Level;
use modemrig::mqtt::Qos;
use modemrig::virtual_module::BrokerAddress;
use modemrig::virtual_module::Network;

use crate::rivals::Broker;
use crate::rivals::Cut;
use crate::rivals::Peer;
use crate::rivals::Rival;
use crate::rivals::Tap;
use crate::virtual_host::Host;

const DIALECT: &str = "lte_standard_a";
const LEVELS: [Level; 2] = [Level::V31, Level::V311];
const QUALITIES: [Qos; 3] = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];

/// A difference that may be, and must be: where, what either broker does, and why both are right.
struct Known {
    scenario: &'static str,
    level: Option<Level>,
    bench: &'static [&'static str],
    mosquitto: &'static [&'static str],
    why: &'static str,
}

const IDENTIFIERS: &str = "mosquitto uses up an identifier for the copy of an overlapping subscription that it does not send; \
    which identifiers a broker chooses is its own affair";

const KNOWN: &[Known] = &[
    Known {
        scenario: "cut in qos2",
        level: Some(Level::V31),
        bench: &["2< PUBREL 1 dup=1"],
        mosquitto: &["2< PUBREL 1 dup=0"],
        why: "3.1 §2.1 wants DUP on a PUBREL that is sent again; mosquitto never sets it",
    },
    Known {
        scenario: "overlap",
        level: None,
        bench: &["1< PUBLISH o/a \"before o/+\" qos=1 retain=0 dup=0 id=2"],
        mosquitto: &["1< PUBLISH o/a \"before o/+\" qos=1 retain=0 dup=0 id=3"],
        why: IDENTIFIERS,
    },
    Known { scenario: "overlap", level: None, bench: &["1> PUBACK 2"], mosquitto: &["1> PUBACK 3"], why: IDENTIFIERS },
    Known {
        scenario: "overlap",
        level: None,
        bench: &["host +QMTRECV: 0,2,\"o/a\",\"before o/+\""],
        mosquitto: &["host +QMTRECV: 0,3,\"o/a\",\"before o/+\""],
        why: IDENTIFIERS,
    },
    Known {
        scenario: "takeover clean0",
        level: None,
        bench: &["watcher gone/module \"bye\" qos=1 retain=0 dup=0"],
        mosquitto: &[],
        why: "[MQTT-3.1.2-8] publishes the will of every connection that ends without DISCONNECT; mosquitto keeps it back \
              where the newcomer goes on with the session",
    },
    Known {
        scenario: "unfinished",
        level: None,
        bench: &["watcher t/x \"begun\" qos=2 retain=0 dup=0"],
        mosquitto: &[],
        why: "3.1.1 §4.3.3 lets a receiver pass a message on at PUBLISH, as the bench broker does, or at PUBREL, as mosquitto does",
    },
];

/// What stands for messages that are the same in another order.
const ORDER: &str = "in another order";

/// A module, its broker, and the tap between them; what happened, row by row.
struct Stage {
    broker: Broker,
    tap: Tap,
    host: Host,
    level: Level,
    secure: bool,
    connections: usize,
    rows: Vec<String>,
}

impl Stage {
    /// None where the broker is not installed.
    fn new(rival: Rival, level: Level, secure: bool) -> Option<Stage> {
        let broker = Broker::start(rival)?;
        let (port, tls_port) = broker.ports();
        let tap = if secure { Tap::start(tls_port, None) } else { Tap::start(port, Some(level)) };
        let address = BrokerAddress { host: "127.0.0.1".into(), port: tap.port(), tls_port: tap.port() };
        let mut host = Host::with(DIALECT, |options| {
            options.network = Network { redirect: Some(address) };
            options.gap = Duration::ZERO;
        });
        host.ok("ATE0");
        host.ok(&format!("AT+QMTCFG=\"version\",0,{}", level.byte()));
        host.ok(&format!("AT+QMTCFG=\"ssl\",0,{},0", u8::from(secure)));
        Some(Stage { broker, tap, host, level, secure, connections: 0, rows: Vec::new() })
    }

    /// A command, and everything up to the last of these words, whatever their order.
    fn at(&mut self, line: &str, words: &[&str]) {
        let said = self.host.ok(line);
        self.wait(said, words);
    }

    /// Everything up to the last of these words, beside the command that led to `said`.
    fn wait(&mut self, mut said: String, words: &[&str]) {
        while let Some(missing) = words.iter().find(|word| !said.contains(*word)) {
            said += &self.host.until(missing);
        }
        // To the end of the line; two lines may come in either order.
        if !said.ends_with("\r\n") {
            said += &self.host.until("\r\n");
        }
        let mut lines: Vec<String> =
            said.split("\r\n").filter(|line| line.starts_with('+')).map(|line| format!("host {line}")).collect();
        lines.sort();
        self.rows.append(&mut lines);
        let ended = said.contains("+QMTSTAT: 0,1") || said.contains("+QMTCLOSE: ") || said.contains("+QMTDISC: ");
        if !ended && !self.secure {
            self.tap.until_answered();
        }
    }

    fn connect(&mut self, clean: bool) {
        self.at(&format!("AT+QMTCFG=\"session\",0,{}", u8::from(clean)), &[]);
        self.connections += 1;
        let port = if self.secure { 8883 } else { 1883 };
        self.at(&format!("AT+QMTOPEN=0,\"broker.example\",{port}"), &["+QMTOPEN: 0,0"]);
        self.at("AT+QMTCONN=0,\"module\"", &["+QMTCONN: 0,0,0"]);
    }

    fn subscribe(&mut self, filter: &str, qos: Qos) {
        self.at(&format!("AT+QMTSUB=0,1,\"{filter}\",{}", qos.byte()), &["+QMTSUB: 0,1,0,"]);
    }

    fn unsubscribe(&mut self, filter: &str) {
        self.at(&format!("AT+QMTUNS=0,2,\"{filter}\""), &["+QMTUNS: 0,2,0"]);
    }

    /// The module publishes; everything up to its result and these words.
    fn publish(&mut self, id: u16, topic: &str, payload: &str, qos: Qos, retain: bool, words: &[&str]) {
        let (said, result) = self.typed(id, topic, payload, qos, retain);
        let words: Vec<&str> = words.iter().copied().chain([result.as_str()]).collect();
        self.wait(said, &words);
    }

    /// The module publishes into a line that breaks.
    fn publish_lost(&mut self, topic: &str, payload: &str, qos: Qos) {
        let (said, _) = self.typed(7, topic, payload, qos, false);
        self.wait(said, &["+QMTSTAT: 0,1"]);
    }

    fn typed(&mut self, id: u16, topic: &str, payload: &str, qos: Qos, retain: bool) -> (String, String) {
        let id = if qos == Qos::AtMostOnce { 0 } else { id };
        let (length, retain) = (payload.len(), u8::from(retain));
        let line = format!("AT+QMTPUBEX=0,{id},{},{retain},\"{topic}\",{length}", qos.byte());
        let asked = self.host.run(&line);
        assert!(asked.ends_with("\r\n> "), "{line} was answered {asked:?}");
        self.host.write(payload.as_bytes());
        (asked + &self.host.until("\r\nOK\r\n"), format!("+QMTPUBEX: 0,{id},0"))
    }

    fn disconnect(&mut self) {
        self.at("AT+QMTDISC=0", &["+QMTDISC: 0,0"]);
        self.tap.until_ended(self.connections);
    }

    fn peer(&self, name: &str) -> Peer {
        Peer::connect(&self.broker, self.level, name, true)
    }

    fn left(&mut self, peer: Peer) {
        self.rows.extend(peer.leave());
    }

    /// What came of it: lines of the host, messages of the peers, packets in the tap.
    fn end(mut self) -> Vec<String> {
        if !self.secure {
            self.rows.extend(self.tap.rows());
        }
        self.rows.extend(self.broker.complaints().into_iter().map(|text| format!("complaint {text}")));
        self.rows
    }
}

type Act = Box<dyn Fn(&mut Stage) + Send + Sync>;

/// Something to do with either broker.
struct Scenario {
    name: String,
    secure: bool,
    act: Act,
}

fn scenario(name: impl Into<String>, act: impl Fn(&mut Stage) + Send + Sync + 'static) -> Scenario {
    Scenario { name: name.into(), secure: false, act: Box::new(act) }
}

fn scenarios() -> Vec<Scenario> {
    let mut all = Vec::new();
    for qos in QUALITIES {
        let n = qos.byte();
        for secure in [false, true] {
            let way = if secure { "tls" } else { "tcp" };
            all.push(Scenario {
                secure,
                ..scenario(format!("exchange qos{n} {way}"), move |stage| exchange(stage, qos))
            });
            all.push(Scenario { secure, ..scenario(format!("queued qos{n} {way}"), move |stage| queued(stage, qos)) });
        }
        all.push(scenario(format!("retained qos{n}"), move |stage| retained(stage, qos)));
        all.push(scenario(format!("overlap qos{n}"), move |stage| overlap(stage, qos)));
        for retain in [false, true] {
            for end in [End::Close, End::Cut, End::Disc] {
                let name = format!("will qos{n} retain{} {end:?}", u8::from(retain));
                all.push(scenario(name, move |stage| will(stage, qos, retain, end)));
            }
        }
        for (kind, from_broker) in steps(qos) {
            for delivered in [false, true] {
                let place = if delivered { "behind" } else { "before" };
                let out = Cut { from_module: !from_broker, kind, delivered };
                let name = format!("cut out qos{n} {place} {}", kind.name());
                all.push(scenario(name, move |stage| cut_out(stage, qos, out)));
                let back = Cut { from_module: from_broker, kind, delivered };
                let name = format!("cut in qos{n} {place} {}", kind.name());
                all.push(scenario(name, move |stage| cut_in(stage, qos, back)));
            }
        }
    }
    all.push(scenario("forgotten", forgotten));
    all.push(scenario("unfinished", unfinished));
    all.push(scenario("wildcards", wildcards));
    for clean in [false, true] {
        let name = format!("takeover clean{}", u8::from(clean));
        all.push(scenario(name, move |stage| takeover(stage, clean)));
    }
    all
}

/// The packets of a publish, each with whether it is the receiver's.
fn steps(qos: Qos) -> Vec<(Kind, bool)> {
    match qos {
        Qos::AtMostOnce => vec![(Kind::Publish, false)],
        Qos::AtLeastOnce => vec![(Kind::Publish, false), (Kind::Puback, true)],
        Qos::ExactlyOnce => {
            vec![(Kind::Publish, false), (Kind::Pubrec, true), (Kind::Pubrel, false), (Kind::Pubcomp, true)]
        }
    }
}

fn exchange(stage: &mut Stage, qos: Qos) {
    stage.connect(true);
    stage.subscribe("t/+", qos);
    stage.publish(3, "t/x", "one", qos, false, &["\"one\""]);
    stage.publish(4, "t/x", "two", qos, true, &["\"two\""]);
    stage.unsubscribe("t/+");
    stage.publish(5, "t/x", "three", qos, false, &[]);
    stage.disconnect();
}

/// What came for a stored session while its client was away, and identifiers that go on.
fn queued(stage: &mut Stage, qos: Qos) {
    let mut peer = stage.peer("peer");
    stage.connect(false);
    stage.subscribe("t/+", qos);
    peer.publish("t/x", "zero", qos, false);
    stage.wait(String::new(), &["\"zero\""]);
    stage.disconnect();
    for payload in ["one", "two", "three"] {
        peer.publish("t/x", payload, qos, false);
    }
    stage.connect(false);
    if qos != Qos::AtMostOnce {
        stage.wait(String::new(), &["\"one\"", "\"two\"", "\"three\""]);
    }
    peer.publish("t/x", "four", qos, false);
    stage.wait(String::new(), &["\"four\""]);
    stage.disconnect();
    stage.left(peer);
}

fn forgotten(stage: &mut Stage) {
    let mut peer = stage.peer("peer");
    stage.connect(false);
    stage.subscribe("t/+", Qos::ExactlyOnce);
    stage.disconnect();
    peer.publish("t/x", "lost", Qos::AtLeastOnce, false);
    stage.connect(true);
    peer.publish("t/x", "unwanted", Qos::AtLeastOnce, false);
    stage.publish(3, "other", "mark", Qos::AtLeastOnce, false, &[]);
    stage.disconnect();
    stage.connect(false);
    stage.publish(3, "other", "mark", Qos::AtLeastOnce, false, &[]);
    stage.disconnect();
    stage.left(peer);
}

fn retained(stage: &mut Stage, qos: Qos) {
    let mut watcher = stage.peer("watcher");
    watcher.subscribe(&[("keep/#", Qos::ExactlyOnce)]);
    stage.connect(true);
    stage.publish(3, "keep/a", "first", qos, true, &[]);
    watcher.hears("first");
    stage.publish(4, "keep/a", "a", qos, true, &[]);
    stage.publish(5, "keep/b", "b", qos, true, &[]);
    watcher.hears("b");
    let mut late = stage.peer("late");
    late.subscribe(&[("keep/+", Qos::ExactlyOnce)]);
    late.hears("b");
    stage.left(late);
    for _ in 0..2 {
        stage.subscribe("keep/#", qos);
        stage.wait(String::new(), &["\"a\"", "\"b\""]);
    }
    let mut cleaner = stage.peer("cleaner");
    cleaner.publish("keep/a", "", qos, true);
    stage.wait(String::new(), &["\"keep/a\",\"\""]);
    stage.left(cleaner);
    let mut last = stage.peer("last");
    last.subscribe(&[("#", Qos::AtMostOnce)]);
    last.hears("b");
    stage.left(last);
    stage.disconnect();
    stage.left(watcher);
}

fn overlap(stage: &mut Stage, qos: Qos) {
    let mut peer = stage.peer("peer");
    stage.connect(true);
    stage.subscribe("mark", Qos::AtMostOnce);
    for (filter, qos) in [("o/#", QUALITIES[0]), ("o/+", QUALITIES[1]), ("o/a", QUALITIES[2])] {
        stage.subscribe(filter, qos);
    }
    for (count, gone) in ["o/a", "o/+", "nosuch", "o/#"].into_iter().enumerate() {
        peer.publish("o/a", &format!("before {gone}"), qos, false);
        let mark = format!("\"{count}\"");
        peer.publish("mark", mark.trim_matches('"'), Qos::AtMostOnce, false);
        stage.wait(String::new(), &[&mark]);
        stage.unsubscribe(gone);
    }
    peer.publish("o/a", "after all", qos, false);
    peer.publish("mark", "end", Qos::AtMostOnce, false);
    stage.wait(String::new(), &["\"end\""]);
    stage.disconnect();
    stage.left(peer);
}

fn wildcards(stage: &mut Stage) {
    let mut peer = stage.peer("peer");
    stage.connect(true);
    stage.subscribe("mark", Qos::AtMostOnce);
    let filters = ["w", "w/+", "w/#", "+/b", "#", "+", "/+", "+/+", "/#", "w/+/c", "w//c", "$x/#", "$x/+", "W"];
    let topics = ["w", "w/", "w/b", "w/b/c", "w//c", "/w", "/", "//", "$x/y", "W", "ü/b"];
    for (round, filter) in filters.into_iter().enumerate() {
        stage.subscribe(filter, Qos::AtMostOnce);
        for topic in topics {
            peer.publish(topic, &format!("{filter} {topic}"), Qos::AtMostOnce, false);
        }
        peer.publish("mark", &format!("end {round}"), Qos::AtMostOnce, false);
        stage.wait(String::new(), &[&format!("\"end {round}\"")]);
        stage.unsubscribe(filter);
    }
    stage.disconnect();
    stage.left(peer);
}

/// How a connection with a will ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The socket is closed without DISCONNECT (decision 22).
    Close,
    /// The network goes.
    Cut,
    /// DISCONNECT.
    Disc,
}

fn will(stage: &mut Stage, qos: Qos, retain: bool, end: End) {
    let mut watcher = stage.peer("watcher");
    watcher.subscribe(&[("gone/#", Qos::ExactlyOnce)]);
    let (number, retain) = (qos.byte(), u8::from(retain));
    stage.host.ok(&format!("AT+QMTCFG=\"will\",0,1,{number},{retain},\"gone/module\",\"bye\""));
    stage.connect(true);
    match end {
        End::Close => stage.at("AT+QMTCLOSE=0", &["+QMTCLOSE: 0,0"]),
        End::Cut => {
            stage.tap.cut_at(Cut { from_module: true, kind: Kind::Publish, delivered: false });
            stage.publish_lost("t", "x", Qos::AtLeastOnce);
        }
        End::Disc => stage.disconnect(),
    }
    if end != End::Disc {
        watcher.hears("bye");
    }
    watcher.publish("gone/mark", "mark", Qos::AtLeastOnce, false);
    watcher.hears("mark");
    stage.left(watcher);
    let mut late = stage.peer("late");
    late.subscribe(&[("gone/#", Qos::ExactlyOnce)]);
    stage.left(late);
}

/// The module publishes, the link is cut, the session goes on.
fn cut_out(stage: &mut Stage, qos: Qos, cut: Cut) {
    let mut watcher = stage.peer("watcher");
    watcher.subscribe(&[("t/#", Qos::ExactlyOnce)]);
    stage.connect(false);
    stage.tap.cut_at(cut);
    stage.publish_lost("t/x", "once", qos);
    stage.connect(false);
    // Once its result comes, on this connection if not on the one before.
    if qos != Qos::AtMostOnce && !stage.rows.iter().any(|row| row.contains("+QMTPUBEX: 0,7,0")) {
        stage.wait(String::new(), &["+QMTPUBEX: 0,7,0"]);
    }
    stage.publish(9, "t/x", "mark", Qos::AtLeastOnce, false, &[]);
    watcher.hears("mark");
    stage.disconnect();
    stage.left(watcher);
}

/// The module begins to publish at quality 2 and is never heard of again.
fn unfinished(stage: &mut Stage) {
    let mut watcher = stage.peer("watcher");
    watcher.subscribe(&[("t/#", Qos::ExactlyOnce)]);
    stage.connect(true);
    stage.tap.cut_at(Cut { from_module: false, kind: Kind::Pubrec, delivered: false });
    stage.publish_lost("t/x", "begun", Qos::ExactlyOnce);
    watcher.publish("t/mark", "mark", Qos::AtLeastOnce, false);
    watcher.hears("mark");
    stage.left(watcher);
}

/// The module is sent a message, the link is cut, the session goes on.
fn cut_in(stage: &mut Stage, qos: Qos, cut: Cut) {
    let mut peer = stage.peer("peer");
    stage.connect(false);
    stage.subscribe("t/+", qos);
    stage.tap.cut_at(cut);
    peer.publish("t/x", "once", qos, false);
    stage.wait(String::new(), &["+QMTSTAT: 0,1"]);
    stage.connect(false);
    peer.publish("t/x", "mark", qos, false);
    stage.wait(String::new(), &["\"mark\""]);
    stage.disconnect();
    stage.left(peer);
}

/// Another client with the module's name.
fn takeover(stage: &mut Stage, clean: bool) {
    let mut watcher = stage.peer("watcher");
    watcher.subscribe(&[("gone/#", Qos::ExactlyOnce)]);
    stage.host.ok("AT+QMTCFG=\"will\",0,1,1,0,\"gone/module\",\"bye\"");
    stage.connect(clean);
    stage.subscribe("t/+", Qos::AtLeastOnce);
    let mut thief = Peer::connect(&stage.broker, stage.level, "module", clean);
    stage.wait(String::new(), &["+QMTSTAT: 0,1"]);
    watcher.publish("t/x", "for the session", Qos::AtLeastOnce, false);
    thief.sync();
    stage.left(thief);
    watcher.publish("t/x", "while nobody is there", Qos::AtLeastOnce, false);
    stage.connect(clean);
    stage.publish(9, "other", "mark", Qos::AtLeastOnce, false, &[]);
    stage.disconnect();
    stage.left(watcher);
}

fn run(rival: Rival, level: Level, scenario: &Scenario) -> Option<Vec<String>> {
    let mut stage = Stage::new(rival, level, scenario.secure)?;
    (scenario.act)(&mut stage);
    Some(stage.end())
}

#[test]
fn both_brokers_do_the_same_but_for_what_is_known() {
    if Broker::start(Rival::Mosquitto).is_none() {
        return eprintln!("skipped: mosquitto is not installed");
    }
    let scenarios = scenarios();
    let jobs: Vec<_> =
        LEVELS.iter().flat_map(|level| scenarios.iter().map(move |scenario| (*level, scenario))).collect();
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((level, scenario)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let rivals = [Rival::Bench, Rival::Mosquitto];
                    let [bench, mosquitto] = rivals.map(|rival| run(rival, *level, scenario).expect("it is installed"));
                    for (ours, theirs) in differences(&bench, &mosquitto) {
                        found.lock().push((scenario.name.clone(), *level, ours, theirs));
                    }
                }
            });
        }
    });
    let mut found = found.into_inner();
    found.sort();
    let mut used = BTreeSet::new();
    let mut unknown = Vec::new();
    for (name, level, ours, theirs) in found {
        let fits = |known: &Known| {
            name.starts_with(known.scenario)
                && known.level.is_none_or(|known| known == level)
                && ours.iter().eq(known.bench)
                && theirs.iter().eq(known.mosquitto)
        };
        match KNOWN.iter().position(fits) {
            Some(index) => drop(used.insert(index)),
            None => unknown.push(format!("{name} {level:?}\n    bench     {ours:?}\n    mosquitto {theirs:?}")),
        }
    }
    println!("{} runs with either broker", jobs.len());
    assert!(unknown.is_empty(), "{} unknown differences:\n{}", unknown.len(), unknown.join("\n"));
    for (index, known) in KNOWN.iter().enumerate() {
        assert!(used.contains(&index), "{} no longer differs: {}", known.scenario, known.why);
    }
}

/// Where two lists of rows differ, stream by stream: rows that only one has, or messages in another order. How
/// acknowledgements of the two directions lie between each other is chance.
fn differences(ours: &[String], theirs: &[String]) -> Vec<(Vec<String>, Vec<String>)> {
    let stream = |row: &String| row.split(' ').next().unwrap_or_default().to_owned();
    let streams: BTreeSet<String> = ours.iter().chain(theirs).map(stream).collect();
    let mut found = Vec::new();
    for name in streams {
        let of = |rows: &[String]| rows.iter().filter(|row| stream(row) == name).cloned().collect::<Vec<_>>();
        let (ours, theirs) = (of(ours), of(theirs));
        let only = (without(&ours, &theirs), without(&theirs, &ours));
        let messages =
            |rows: &[String]| rows.iter().filter(|row| row.contains(" PUBLISH ")).cloned().collect::<Vec<_>>();
        if only != Default::default() {
            found.push(only);
        } else if messages(&ours) != messages(&theirs) {
            found.push((vec![format!("{name} {ORDER}")], vec![]));
        }
    }
    found
}

/// The rows of `of` that `others` has not, each as often as it is missing there.
fn without(of: &[String], others: &[String]) -> Vec<String> {
    let mut others: Vec<&String> = others.iter().collect();
    let mut rest = of.to_vec();
    rest.retain(|row| match others.iter().position(|other| *other == row) {
        Some(index) => {
            others.remove(index);
            false
        }
        None => true,
    });
    rest
}
