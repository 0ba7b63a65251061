//! Connections of a client: keep-alive, will, takeover, refusal, and sessions that outlive a connection.

use std::time::Duration;

use crate::mqtt::AckAction;
use crate::mqtt::AckRule;
use crate::mqtt::ClientEvent;
use crate::mqtt::ClientOptions;
use crate::mqtt::Kind;
use crate::mqtt::Level;
use crate::mqtt::Policy;
use crate::mqtt::Qos;
use crate::mqtt::RequestKind;
use crate::mqtt::SessionState;
use crate::mqtt::Will;

use super::random::Random;
use super::world::LEVELS;
use super::world::SECOND;
use super::world::World;
use super::world::dropping;
use super::world::options;

#[test]
fn keep_alive_asks_when_this_end_is_silent_and_only_then() {
    let mut world = World::new(Policy::default());
    let end = world.join(ClientOptions { keep_alive: 10 * SECOND, ..options(Level::V31, "a") });
    world.pass(9 * SECOND);
    world.publish(end, 0, Qos::AtMostOnce, b"x");
    world.pass(9 * SECOND);
    assert_eq!(0, world.sent_by("a", Kind::Pingreq).len());
    world.pass(SECOND);
    assert_eq!(1, world.sent_by("a", Kind::Pingreq).len());
    world.pass(100 * SECOND);
    assert_eq!(11, world.sent_by("a", Kind::Pingreq).len());
    assert_eq!(SessionState::Connected, world.ends[end].session.state());
    assert!(!world.ends[end].session.awaits_pong());
}

#[test]
fn a_broker_that_does_not_answer_a_ping_is_given_up() {
    let mut world = World::new(dropping(Kind::Pingresp, None));
    let end =
        world.join(ClientOptions { keep_alive: 10 * SECOND, ping_timeout: 3 * SECOND, ..options(Level::V31, "a") });
    world.events(end);
    world.pass(Duration::from_millis(12_999));
    assert_eq!(Vec::<ClientEvent>::new(), world.events(end));
    world.pass(Duration::from_millis(1));
    assert_eq!(vec![ClientEvent::PingTimedOut], world.events(end));
    assert_eq!(SessionState::Failed, world.ends[end].session.state());
}

#[test]
fn a_silent_client_is_given_up_after_one_and_a_half_keep_alives_and_its_will_goes_out() {
    let mut world = World::new(Policy::default());
    let will = Will { topic: "gone".into(), payload: b"bye".to_vec(), qos: Qos::AtLeastOnce, retain: true };
    let keep_alive = 10 * SECOND;
    let end = world.join(ClientOptions { keep_alive, will: Some(will), ..options(Level::V31, "a") });
    let watcher = world.join(options(Level::V311, "w"));
    world.subscribe(watcher, "gone", Qos::AtLeastOnce);
    world.deaf = true;
    world.ends[end].session.connection_lost(); // The module's battery is out.
    world.pass(Duration::from_millis(14_999));
    assert!(world.payloads(watcher).is_empty());
    world.pass(Duration::from_millis(1));
    assert_eq!(vec![b"bye".to_vec()], world.payloads(watcher));
    world.deaf = false;
    let late = world.join(options(Level::V31, "late"));
    world.subscribe(late, "#", Qos::AtMostOnce);
    assert!(world.ends[late].messages[0].retain, "the will was to be kept");
}

#[test]
fn disconnect_forgets_the_will() {
    let mut world = World::new(Policy::default());
    let will = Will { topic: "gone".into(), payload: b"bye".to_vec(), qos: Qos::AtMostOnce, retain: false };
    let watcher = world.join(options(Level::V31, "w"));
    world.subscribe(watcher, "gone", Qos::AtMostOnce);
    let polite = world.join(ClientOptions { will: Some(will.clone()), ..options(Level::V31, "a") });
    world.ends[polite].session.disconnect(world.now).expect("it is connected");
    world.settle();
    assert!(world.payloads(watcher).is_empty());
    let rude = world.join(ClientOptions { will: Some(will), ..options(Level::V31, "b") });
    world.cut(rude);
    assert_eq!(vec![b"bye".to_vec()], world.payloads(watcher));
}

#[test]
fn the_newcomer_takes_a_client_identifier_over() {
    let mut world = World::new(Policy::default());
    let will = Will { topic: "gone".into(), payload: b"old".to_vec(), qos: Qos::AtMostOnce, retain: false };
    let watcher = world.join(options(Level::V31, "w"));
    world.subscribe(watcher, "gone", Qos::AtMostOnce);
    let old = world.join(ClientOptions { will: Some(will), ..options(Level::V31, "same") });
    let new = world.join(options(Level::V311, "same"));
    assert_eq!(
        (SessionState::Idle, SessionState::Connected),
        (world.ends[old].session.state(), world.ends[new].session.state())
    );
    assert_eq!(vec![b"old".to_vec()], world.payloads(watcher));
    assert_eq!(vec!["same", "w"], world.core.connected().collect::<Vec<_>>());
}

#[test]
fn connack_codes_and_silence_end_in_a_failed_session() {
    let mut world = World::new(Policy { refuse_with: Some(5), ..Policy::default() });
    let end = world.join(options(Level::V31, "a"));
    assert_eq!(vec![ClientEvent::Connack { session_present: false, code: 5 }], world.events(end));
    world.core.policy.refuse_with = None;
    world.core.policy.ack_rules = dropping(Kind::Connack, None).ack_rules;
    let mute = world.join(options(Level::V31, "b"));
    world.pass(5 * SECOND);
    assert_eq!(vec![ClientEvent::ConnectTimedOut], world.events(mute));
    assert_eq!(SessionState::Failed, world.ends[mute].session.state());
}

#[test]
fn a_delayed_connack_is_overtaken_by_nothing() {
    let mut world = World::new(Policy::default());
    let receiver = world.join(ClientOptions { clean_session: false, ..options(Level::V31, "r") });
    world.subscribe(receiver, "t", Qos::AtLeastOnce);
    world.cut(receiver);
    world.core.publish("t", b"kept", Qos::AtLeastOnce, false, world.now);
    let action = AckAction::Delay(2 * SECOND);
    world.core.policy.ack_rules = vec![AckRule { kind: Kind::Connack, client_id: None, action, times: None }];
    world.events(receiver);
    world.connect(receiver);
    assert_eq!(Vec::<ClientEvent>::new(), world.events(receiver));
    world.pass(2 * SECOND);
    assert!(matches!(world.events(receiver)[..], [ClientEvent::Connack { code: 0, .. }, ClientEvent::Message(_)]));
}

#[test]
fn an_unacknowledged_message_comes_again_on_the_next_connection() {
    for (level, qos) in [(Level::V31, Qos::AtLeastOnce), (Level::V311, Qos::ExactlyOnce)] {
        let mut world = World::new(Policy::default());
        let end = world.join(ClientOptions { clean_session: false, ..options(level, "a") });
        world.subscribe(end, "t", Qos::ExactlyOnce);
        world.ends[end].acknowledges = false;
        world.core.publish("t", b"sixth", qos, false, world.now);
        world.settle();
        let first = world.ends[end].messages[0].clone();
        assert!(!first.dup);
        world.cut(end);
        world.connect(end);
        let second = world.ends[end].messages[1].clone();
        assert_eq!((true, first.id, b"sixth".to_vec()), (second.dup, second.id, second.payload.clone()));
        let before = world.core.record().len();
        world.ends[end].session.acknowledge(&first, world.now);
        world.settle();
        assert_eq!(before, world.core.record().len(), "what came on the old connection is answered there or nowhere");
        world.ends[end].session.acknowledge(&second, world.now);
        world.settle();
        world.cut(end);
        world.connect(end);
        assert_eq!(2, world.ends[end].messages.len());
    }
}

#[test]
fn a_quality_2_message_whose_pubrec_was_lost_is_not_told_twice() {
    for level in LEVELS {
        let mut world = World::new(Policy::default());
        let end = world.join(ClientOptions { clean_session: false, ..options(level, "a") });
        world.subscribe(end, "t", Qos::ExactlyOnce);
        world.deaf = true;
        world.core.publish("t", b"once", Qos::ExactlyOnce, false, world.now);
        world.settle();
        world.cut(end);
        world.deaf = false;
        world.connect(end);
        assert_eq!(vec![b"once".to_vec()], world.payloads(end), "the second copy is answered and not told");
        world.core.publish("t", b"next", Qos::ExactlyOnce, false, world.now);
        world.settle();
        assert_eq!(vec![b"once".to_vec(), b"next".to_vec()], world.payloads(end));
        assert_eq!(2, world.sent_by("a", Kind::Pubcomp).len());
    }
}

#[test]
fn a_clean_session_forgets_subscriptions_and_messages_in_flight() {
    let mut world = World::new(dropping(Kind::Puback, Some(1)));
    let end = world.join(options(Level::V31, "a"));
    world.subscribe(end, "t", Qos::AtLeastOnce);
    world.publish(end, 1, Qos::AtLeastOnce, b"x");
    world.cut(end);
    world.connect(end);
    assert_eq!(0, world.ends[end].session.in_flight());
    assert_eq!(Some(vec![]), world.core.subscriptions("a"));
}

#[test]
fn a_broker_that_forgot_a_session_fails_what_was_in_flight() {
    let mut world = World::new(dropping(Kind::Puback, Some(1)));
    let end = world.join(ClientOptions { clean_session: false, ..options(Level::V311, "a") });
    world.publish(end, 1, Qos::AtLeastOnce, b"x");
    world.cut(end);
    world.core.forget_sessions();
    world.events(end);
    world.connect(end);
    let expected = vec![
        ClientEvent::Connack { session_present: false, code: 0 },
        ClientEvent::GaveUp { kind: RequestKind::Publish, id: 1 },
    ];
    assert_eq!(expected, world.events(end));
}

/// Cuts both connections again and again at random moments, with acknowledgements lost at random: at quality 2 every
/// message arrives exactly once and in order; at quality 1 at least once.
#[test]
fn reconnections_lose_and_double_nothing() {
    for (seed, level, qos) in [
        (1, Level::V31, Qos::ExactlyOnce),
        (2, Level::V311, Qos::ExactlyOnce),
        (3, Level::V31, Qos::AtLeastOnce),
        (4, Level::V311, Qos::AtLeastOnce),
    ] {
        let mut random = Random(seed);
        let mut world = World::new(Policy { window: 3, ..Policy::default() });
        let persistent = |name| ClientOptions { clean_session: false, retry_times: 1000, ..options(level, name) };
        let (sender, receiver) = (world.join(persistent("a")), world.join(persistent("b")));
        world.subscribe(receiver, "t", Qos::ExactlyOnce);
        let (mut sent, mut cuts, mut steps) = (0_u16, 0, 0);
        while sent < 400 {
            steps += 1;
            assert!(steps < 20_000, "only {sent} messages were taken; seed {seed}");
            let kind = [Kind::Puback, Kind::Pubrec, Kind::Pubrel, Kind::Pubcomp][random.below(4)];
            match random.below(12) {
                0 => {
                    let end = [sender, receiver][random.below(2)];
                    world.cut(end);
                    cuts += 1;
                    world.connect(end);
                }
                1..=3 => world.core.policy.ack_rules = dropping(kind, Some(1)).ack_rules,
                4 => world.pass(5 * SECOND),
                _ => {
                    let payload = sent.to_be_bytes();
                    let id = sent + 1;
                    if world.ends[sender].session.publish(Some(id), qos, false, "t", &payload, world.now).is_ok() {
                        sent += 1;
                    }
                    world.settle();
                }
            }
        }
        world.core.policy.ack_rules.clear();
        for _ in 0..3 {
            world.cut(receiver);
            world.connect(receiver);
            world.pass(10 * SECOND);
        }
        let mut seen: Vec<_> =
            world.payloads(receiver).iter().map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]])).collect();
        assert!(cuts > 10, "{cuts} cuts");
        assert_eq!(0, world.ends[sender].session.in_flight());
        if qos == Qos::AtLeastOnce {
            assert!(seen.len() >= 400);
            seen.sort_unstable();
            seen.dedup();
        }
        assert_eq!((0..400).collect::<Vec<_>>(), seen, "seed {seed}");
    }
}

/// Its owner may hear of the message and of the lost connection in one breath.
#[test]
fn a_message_acknowledged_behind_a_lost_connection_does_not_come_twice() {
    for level in LEVELS {
        let mut world = World::new(Policy::default());
        let end = world.join(ClientOptions { clean_session: false, ..options(level, "a") });
        world.subscribe(end, "t", Qos::ExactlyOnce);
        world.ends[end].acknowledges = false;
        world.core.publish("t", b"once", Qos::ExactlyOnce, false, world.now);
        world.settle();
        let message = world.ends[end].messages[0].clone();
        world.cut(end);
        world.ends[end].session.acknowledge(&message, world.now);
        world.ends[end].acknowledges = true;
        world.connect(end);
        assert_eq!(vec![b"once".to_vec()], world.payloads(end), "at {level:?}");
        assert_eq!(1, world.sent_by("a", Kind::Pubcomp).len(), "the exchange is finished all the same");
    }
}
