//! A virtual module and other clients against the bench broker and against Debian's mosquitto: the same scenarios, every
//! packet and every line of the host compared. What differs stands in [`KNOWN`], each with its reason; nothing else may.
//! Skips, saying so, where mosquitto is not installed.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use modemrig::mqtt::Level;

use super::Broker;
use super::Rival;
use super::scenarios::Scenario;
use super::scenarios::scenarios;
use super::stage::SPEAKERS;
use super::stage::Speaker;
use super::stage::Stage;

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

fn run(rival: Rival, speaker: Speaker, scenario: &Scenario) -> Option<Vec<String>> {
    let mut stage = Stage::new(rival, speaker, scenario.secure)?;
    (scenario.act)(&mut stage);
    Some(stage.end())
}

#[test]
fn both_brokers_do_the_same_but_for_what_is_known() {
    if Broker::start(Rival::Mosquitto).is_none() {
        return eprintln!("skipped: mosquitto is not installed");
    }
    let scenarios = scenarios();
    let can = |speaker: Speaker, scenario: &Scenario| scenario.only.is_none_or(|only| only == speaker.family());
    let all = SPEAKERS.into_iter().flat_map(|speaker| scenarios.iter().map(move |scenario| (speaker, scenario)));
    let jobs: Vec<_> = all.filter(|(speaker, scenario)| can(*speaker, scenario)).collect();
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((speaker, scenario)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let rivals = [Rival::Bench, Rival::Mosquitto];
                    let [bench, mosquitto] =
                        rivals.map(|rival| run(rival, *speaker, scenario).expect("it is installed"));
                    for (ours, theirs) in differences(&bench, &mosquitto) {
                        found.lock().push((scenario.name.clone(), *speaker, ours, theirs));
                    }
                }
            });
        }
    });
    let mut found = found.into_inner();
    found.sort();
    let mut used = BTreeSet::new();
    let mut unknown = Vec::new();
    for (name, speaker, ours, theirs) in found {
        let fits = |known: &Known| {
            name.starts_with(known.scenario)
                && known.level.is_none_or(|known| known == speaker.level)
                && ours.iter().eq(known.bench)
                && theirs.iter().eq(known.mosquitto)
        };
        match KNOWN.iter().position(fits) {
            Some(index) => drop(used.insert(index)),
            None => unknown.push(format!("{name} {speaker:?}\n    bench     {ours:?}\n    mosquitto {theirs:?}")),
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
