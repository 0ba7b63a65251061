//! Requests of a client against a broker: acknowledged, repeated, given up, refused.

use std::time::Duration;

use crate::mqtt::ClientEvent;
use crate::mqtt::ClientOptions;
use crate::mqtt::Kind;
use crate::mqtt::Level;
use crate::mqtt::Policy;
use crate::mqtt::Qos;
use crate::mqtt::Refused;
use crate::mqtt::RequestKind;
use crate::mqtt::SessionState;

use super::world::LEVELS;
use super::world::SECOND;
use super::world::World;
use super::world::dropping;
use super::world::is_dup;
use super::world::options;

#[test]
fn a_message_arrives_once_at_each_quality_and_level() {
    for (from, to) in [(Level::V31, Level::V311), (Level::V311, Level::V31)] {
        for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
            let mut world = World::new(Policy::default());
            let (sender, receiver) = (world.join(options(from, "a")), world.join(options(to, "b")));
            world.subscribe(receiver, "t", Qos::ExactlyOnce);
            world.events(sender);
            world.publish(sender, 4242, qos, b"\0\r\n\xff");
            let id = if qos == Qos::AtMostOnce { 0 } else { 4242 };
            assert_eq!(vec![ClientEvent::Published { id, qos }], world.events(sender));
            let seen = &world.ends[receiver].messages;
            assert_eq!(1, seen.len());
            assert_eq!((b"\0\r\n\xff".to_vec(), qos, "t"), (seen[0].payload.clone(), seen[0].qos, &*seen[0].topic));
            assert_eq!(0, world.ends[sender].session.in_flight());
        }
    }
}

#[test]
fn a_lost_acknowledgement_is_made_good_by_repetition() {
    for level in LEVELS {
        for (kind, qos, copies) in [
            (Kind::Puback, Qos::AtLeastOnce, 2),
            (Kind::Pubrec, Qos::ExactlyOnce, 1),
            (Kind::Pubcomp, Qos::ExactlyOnce, 1),
        ] {
            let mut world = World::new(dropping(kind, Some(1)));
            let (sender, receiver) = (world.join(options(level, "a")), world.join(options(level, "b")));
            world.subscribe(receiver, "t", Qos::ExactlyOnce);
            // The receiver's own PUBREC and PUBCOMP are not the broker's: the rule hits the sender only.
            world.events(sender);
            world.publish(sender, 7, qos, b"x");
            assert_eq!(Vec::<ClientEvent>::new(), world.events(sender), "{kind:?} is lost");
            world.pass(5 * SECOND);
            let expected = [
                ClientEvent::Resent { kind: RequestKind::Publish, id: 7, count: 1 },
                ClientEvent::Published { id: 7, qos },
            ];
            assert_eq!(expected.to_vec(), world.events(sender));
            assert_eq!(copies, world.ends[receiver].messages.len(), "{kind:?} at {level:?}");
            let marked: Vec<_> = world.sent_by("a", Kind::Publish).iter().map(is_dup).collect();
            assert_eq!(if kind == Kind::Pubcomp { vec![false] } else { vec![false, true] }, marked);
            let released: Vec<_> = world.sent_by("a", Kind::Pubrel).iter().map(is_dup).collect();
            if kind == Kind::Pubcomp {
                assert_eq!(vec![false, level == Level::V31], released, "DUP on PUBREL is for level 3");
            }
        }
    }
}

#[test]
fn requests_are_repeated_with_dup_at_level_3_only() {
    for level in LEVELS {
        let mut world = World::new(dropping(Kind::Suback, Some(2)));
        let end = world.join(options(level, "a"));
        world.events(end);
        world.subscribe(end, "t", Qos::AtLeastOnce);
        world.pass(10 * SECOND);
        let id = u16::MAX;
        let resent = |count| ClientEvent::Resent { kind: RequestKind::Subscribe, id, count };
        assert_eq!(vec![resent(1), resent(2), ClientEvent::Suback { id, codes: vec![1] }], world.events(end));
        let marked: Vec<_> = world.sent_by("a", Kind::Subscribe).iter().map(is_dup).collect();
        assert_eq!(vec![false, level == Level::V31, level == Level::V31], marked);
    }
}

#[test]
fn a_request_is_given_up_after_its_repetitions_and_the_connection_lives() {
    let mut world = World::new(dropping(Kind::Puback, None));
    let end = world.join(ClientOptions { retry_times: 2, ..options(Level::V31, "a") });
    world.events(end);
    world.publish(end, 9, Qos::AtLeastOnce, b"x");
    world.pass(Duration::from_millis(14_999));
    let kind = RequestKind::Publish;
    let resent = |count| ClientEvent::Resent { kind, id: 9, count };
    assert_eq!(vec![resent(1), resent(2)], world.events(end));
    world.pass(Duration::from_millis(1));
    assert_eq!(vec![ClientEvent::GaveUp { kind, id: 9 }], world.events(end));
    assert_eq!(3, world.sent_by("a", Kind::Publish).len());
    assert_eq!((SessionState::Connected, 0), (world.ends[end].session.state(), world.ends[end].session.in_flight()));
    world.core.policy.ack_rules.clear();
    world.publish(end, 9, Qos::AtLeastOnce, b"y");
    assert_eq!(vec![ClientEvent::Published { id: 9, qos: Qos::AtLeastOnce }], world.events(end));
}

#[test]
fn no_repetition_means_one_transmission() {
    let mut world = World::new(dropping(Kind::Unsuback, None));
    let end = world.join(ClientOptions { retry_times: 0, ..options(Level::V311, "a") });
    world.events(end);
    world.ends[end].session.unsubscribe(Some(3), vec!["t".into()], world.now).expect("it may");
    world.settle();
    world.pass(5 * SECOND);
    assert_eq!(vec![ClientEvent::GaveUp { kind: RequestKind::Unsubscribe, id: 3 }], world.events(end));
    assert_eq!(1, world.sent_by("a", Kind::Unsubscribe).len());
}

#[test]
fn the_sixth_message_in_flight_is_refused() {
    let mut world = World::new(dropping(Kind::Puback, None));
    let end = world.join(options(Level::V31, "a"));
    for id in 1..=5 {
        world.publish(end, id, Qos::AtLeastOnce, b"x");
    }
    let now = world.now;
    let session = &mut world.ends[end].session;
    assert_eq!(Err(Refused::WindowFull(5)), session.publish(Some(6), Qos::AtLeastOnce, false, "t", b"x", now));
    assert_eq!(Err(Refused::WindowFull(5)), session.publish(Some(6), Qos::ExactlyOnce, false, "t", b"x", now));
    assert_eq!(Ok(0), session.publish(None, Qos::AtMostOnce, false, "t", b"x", now), "quality 0 has no window");
    assert_eq!(Err(Refused::IdInUse(3)), session.subscribe(Some(3), vec![("t".into(), Qos::AtMostOnce)], now));
}

#[test]
fn what_mqtt_cannot_say_is_refused_before_the_wire() {
    let mut world = World::new(Policy::default());
    let end = world.join(options(Level::V31, "a"));
    let now = world.now;
    let session = &mut world.ends[end].session;
    assert_eq!(Err(Refused::IdZero), session.publish(Some(0), Qos::AtLeastOnce, false, "t", b"", now));
    assert_eq!(
        Err(Refused::InvalidTopic("a/#".into())),
        session.publish(None, Qos::AtMostOnce, false, "a/#", b"", now)
    );
    assert_eq!(Err(Refused::NoTopic), session.subscribe(None, vec![], now));
    assert_eq!(Err(Refused::InvalidTopic("a#".into())), session.unsubscribe(None, vec!["a#".into()], now));
    assert_eq!(Err(Refused::AlreadyConnected), session.connect(now));
    assert_eq!(None, session.poll_transmit());
    world.cut(end);
    let session = &mut world.ends[end].session;
    assert_eq!(Err(Refused::NotConnected), session.publish(None, Qos::AtMostOnce, false, "t", b"", now));
}
