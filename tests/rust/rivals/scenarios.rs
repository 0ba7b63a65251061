//! What is done with either broker, by name: messages, sessions, wills, and links that break at every packet.

use modemrig::dialect::schema::Family;
use modemrig::mqtt::Kind;
use modemrig::mqtt::Qos;

use super::Peer;
use super::stage::Stage;
use super::tap::Cut;

/// In the order of their numbers.
const QUALITIES: [Qos; 3] = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce];

type Act = Box<dyn Fn(&mut Stage) + Send + Sync>;

/// Something to do with either broker.
pub struct Scenario {
    pub name: String,
    pub secure: bool,
    /// What only one sort of module can do.
    pub only: Option<Family>,
    pub act: Act,
}

fn scenario(name: impl Into<String>, act: impl Fn(&mut Stage) + Send + Sync + 'static) -> Scenario {
    Scenario { name: name.into(), secure: false, only: None, act: Box::new(act) }
}

/// All of them.
pub fn scenarios() -> Vec<Scenario> {
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
                // SIM7028 has no retained will, and no way to close without DISCONNECT.
                let only = (retain || end == End::Close).then_some(Family::Qmt);
                all.push(Scenario { only, ..scenario(name, move |stage| will(stage, qos, retain, end)) });
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
    stage.publish(3, "t/x", "one", qos, false, &["one"]);
    stage.publish(4, "t/x", "two", qos, true, &["two"]);
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
    stage.hears(&["zero"]);
    stage.disconnect();
    for payload in ["one", "two", "three"] {
        peer.publish("t/x", payload, qos, false);
    }
    stage.connect(false);
    if qos != Qos::AtMostOnce {
        stage.hears(&["one", "two", "three"]);
    }
    peer.publish("t/x", "four", qos, false);
    stage.hears(&["four"]);
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
        stage.hears(&["a", "b"]);
    }
    let mut cleaner = stage.peer("cleaner");
    cleaner.publish("keep/a", "", qos, true);
    stage.hears_empty("keep/a");
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
        let mark = format!("mark {count}");
        peer.publish("mark", &mark, Qos::AtMostOnce, false);
        stage.hears(&[&mark]);
        stage.unsubscribe(gone);
    }
    peer.publish("o/a", "after all", qos, false);
    peer.publish("mark", "end", Qos::AtMostOnce, false);
    stage.hears(&["end"]);
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
        stage.hears(&[&format!("end {round}")]);
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
    stage.will("gone/module", "bye", qos, retain);
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
    stage.lost_publish_ends(qos);
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
    stage.is_lost();
    stage.connect(false);
    peer.publish("t/x", "mark", qos, false);
    stage.hears(&["mark"]);
    stage.disconnect();
    stage.left(peer);
}

/// Another client with the module's name.
fn takeover(stage: &mut Stage, clean: bool) {
    let mut watcher = stage.peer("watcher");
    watcher.subscribe(&[("gone/#", Qos::ExactlyOnce)]);
    stage.will("gone/module", "bye", Qos::AtLeastOnce, false);
    stage.connect(clean);
    stage.subscribe("t/+", Qos::AtLeastOnce);
    let mut thief = Peer::connect(&stage.broker, stage.level(), "module", clean);
    stage.is_lost();
    watcher.publish("t/x", "for the session", Qos::AtLeastOnce, false);
    thief.sync();
    stage.left(thief);
    watcher.publish("t/x", "while nobody is there", Qos::AtLeastOnce, false);
    stage.connect(clean);
    stage.publish(9, "other", "mark", Qos::AtLeastOnce, false, &[]);
    stage.disconnect();
    stage.left(watcher);
}
