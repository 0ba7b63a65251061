//! A client's session and the broker's core, joined in memory, in simulated time.

use std::time::Duration;
use std::time::Instant;

use crate::mqtt::AckAction;
use crate::mqtt::AckRule;
use crate::mqtt::BrokerCore;
use crate::mqtt::ClientEvent;
use crate::mqtt::ClientOptions;
use crate::mqtt::ClientSession;
use crate::mqtt::ConnectionId;
use crate::mqtt::Direction;
use crate::mqtt::IncomingMessage;
use crate::mqtt::Kind;
use crate::mqtt::Level;
use crate::mqtt::Output;
use crate::mqtt::Packet;
use crate::mqtt::Peer;
use crate::mqtt::Policy;
use crate::mqtt::Qos;
use crate::mqtt::Refused;
use crate::mqtt::RequestKind;
use crate::mqtt::SessionState;
use crate::mqtt::Will;

use super::random::Random;

const SECOND: Duration = Duration::from_secs(1);
const LEVELS: [Level; 2] = [Level::V31, Level::V311];

/// One client's end.
struct End {
    session: ClientSession,
    connection: Option<ConnectionId>,
    events: Vec<ClientEvent>,
    messages: Vec<IncomingMessage>,
    acknowledges: bool,
}

/// A broker and its clients; bytes cross at once, time passes when told.
struct World {
    core: BrokerCore,
    now: Instant,
    ends: Vec<End>,
    connections: u64,
    /// Bytes to the broker vanish, as on a radio link that is gone.
    deaf: bool,
}

impl World {
    #[allow(clippy::disallowed_methods)] // A first instant can only come from the clock; from here on time is simulated.
    fn new(policy: Policy) -> World {
        let now = Instant::now();
        World { core: BrokerCore::new(policy, now), now, ends: Vec::new(), connections: 0, deaf: false }
    }

    fn join(&mut self, options: ClientOptions) -> usize {
        let session = ClientSession::new(options);
        self.ends.push(End {
            session,
            connection: None,
            events: Vec::new(),
            messages: Vec::new(),
            acknowledges: true,
        });
        let end = self.ends.len() - 1;
        self.connect(end);
        end
    }

    fn connect(&mut self, end: usize) {
        self.connections += 1;
        let id = ConnectionId(self.connections);
        self.ends[end].connection = Some(id);
        self.core.accept(id, Peer::default(), self.now);
        self.ends[end].session.connect(self.now).expect("an idle session connects");
        self.settle();
    }

    /// The network between this client and the broker is gone; both ends notice.
    fn cut(&mut self, end: usize) {
        if let Some(id) = self.ends[end].connection.take() {
            self.core.closed(id, self.now);
        }
        self.ends[end].session.connection_lost();
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            let mut moved = false;
            for end in &mut self.ends {
                while let Some(bytes) = end.session.poll_transmit() {
                    moved = true;
                    if let (Some(id), false) = (end.connection, self.deaf) {
                        self.core.receive(id, &bytes, self.now);
                    }
                }
            }
            while let Some((id, output)) = self.core.poll_output() {
                moved = true;
                let Some(end) = self.ends.iter_mut().find(|end| end.connection == Some(id)) else { continue };
                match output {
                    Output::Bytes(bytes) => end.session.receive(&bytes, self.now),
                    Output::Close => {
                        end.connection = None;
                        end.session.connection_lost();
                    }
                }
            }
            for end in &mut self.ends {
                while let Some(event) = end.session.poll_event() {
                    moved = true;
                    if let ClientEvent::Message(message) = &event {
                        end.messages.push(message.clone());
                        if end.acknowledges {
                            end.session.acknowledge(message, self.now);
                        }
                    }
                    end.events.push(event);
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// Lets time pass, from deadline to deadline.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let sessions = self.ends.iter().filter_map(|end| end.session.next_deadline());
            let Some(next) = sessions.chain(self.core.next_deadline()).min().filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            for end in &mut self.ends {
                end.session.handle_deadline(self.now);
            }
            self.core.handle_deadline(self.now);
            self.settle();
        }
        self.now = end;
    }

    fn publish(&mut self, end: usize, id: u16, qos: Qos, payload: &[u8]) {
        let id = (qos != Qos::AtMostOnce).then_some(id);
        self.ends[end].session.publish(id, qos, false, "t", payload, self.now).expect("it may be published");
        self.settle();
    }

    fn subscribe(&mut self, end: usize, filter: &str, qos: Qos) {
        self.ends[end].session.subscribe(None, vec![(filter.into(), qos)], self.now).expect("it may be subscribed");
        self.settle();
    }

    fn payloads(&self, end: usize) -> Vec<Vec<u8>> {
        self.ends[end].messages.iter().map(|message| message.payload.clone()).collect()
    }

    fn events(&mut self, end: usize) -> Vec<ClientEvent> {
        std::mem::take(&mut self.ends[end].events)
    }

    /// First bytes of the packets of one kind that a client has sent.
    fn sent_by(&self, client: &str, kind: Kind) -> Vec<Packet> {
        let is_it = |entry: &&crate::mqtt::RecordedPacket| {
            entry.client_id == client && entry.direction == Direction::In && entry.packet.kind() == kind
        };
        self.core.record().filter(is_it).map(|entry| entry.packet.clone()).collect()
    }
}

fn options(level: Level, client_id: &str) -> ClientOptions {
    ClientOptions { level, client_id: client_id.into(), keep_alive: Duration::ZERO, ..ClientOptions::default() }
}

fn dropping(kind: Kind, times: Option<u32>) -> Policy {
    let rule = AckRule { kind, client_id: None, action: AckAction::Drop, times };
    Policy { ack_rules: vec![rule], ..Policy::default() }
}

fn is_dup(packet: &Packet) -> bool {
    match packet {
        Packet::Publish(publish) => publish.dup,
        Packet::Pubrel { dup, .. } | Packet::Subscribe { dup, .. } | Packet::Unsubscribe { dup, .. } => *dup,
        _ => false,
    }
}

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
    assert_eq!(Err(Refused::InvalidTopic("a/#".into())), session.publish(None, Qos::AtMostOnce, false, "a/#", b"", now));
    assert_eq!(Err(Refused::NoTopic), session.subscribe(None, vec![], now));
    assert_eq!(Err(Refused::InvalidTopic("a#".into())), session.unsubscribe(None, vec!["a#".into()], now));
    assert_eq!(Err(Refused::AlreadyConnected), session.connect(now));
    assert_eq!(None, session.poll_transmit());
    world.cut(end);
    let session = &mut world.ends[end].session;
    assert_eq!(Err(Refused::NotConnected), session.publish(None, Qos::AtMostOnce, false, "t", b"", now));
}

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
    let end = world.join(ClientOptions { keep_alive: 10 * SECOND, ping_timeout: 3 * SECOND, ..options(Level::V31, "a") });
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
    assert_eq!((SessionState::Idle, SessionState::Connected), (
        world.ends[old].session.state(),
        world.ends[new].session.state()
    ));
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
        let (mut sent, mut cuts) = (0_u16, 0);
        while sent < 400 {
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
