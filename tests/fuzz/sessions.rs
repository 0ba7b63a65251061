//! Random and damaged frames at both ends of MQTT: a session whose broker has gone mad, a broker whose clients have. No
//! panic, no endless loop, no timer that is due for ever; and behind it the broker still serves a client that behaves.

use std::time::Duration;
use std::time::Instant;

use modemrig::mqtt::BrokerCore;
use modemrig::mqtt::ClientEvent;
use modemrig::mqtt::ClientOptions;
use modemrig::mqtt::ClientSession;
use modemrig::mqtt::ConnectionId;
use modemrig::mqtt::Level;
use modemrig::mqtt::Output;
use modemrig::mqtt::Packet;
use modemrig::mqtt::Peer;
use modemrig::mqtt::Policy;
use modemrig::mqtt::Qos;
use modemrig::mqtt::SessionState;
use modemrig::mqtt::encode;

use super::frames;
use super::random::Random;

/// More of anything for one frame is a loop.
const BOUND: usize = 10_000;

/// Feeds a client's session `count` frames, over as many connections as it takes. Answers how many it survived connected.
pub fn run_client(seed: u64, count: u64, start: Instant) -> u64 {
    let mut random = Random::new(seed);
    let mut now = start;
    let (mut fed, mut survived) = (0, 0);
    while fed < count {
        let level = *random.pick(&frames::LEVELS);
        let options = ClientOptions {
            level,
            client_id: "c".into(),
            clean_session: random.below(2) == 0,
            keep_alive: Duration::from_secs(random.below(3) as u64 * 10),
            ..ClientOptions::default()
        };
        let mut session = ClientSession::new(options);
        for _ in 0..4 {
            session.connection_lost();
            session.connect(now).expect("an idle session connects");
            if random.below(8) > 0 {
                feed_client(&mut session, &[0x20, 2, 0, 0], now);
            }
            for _ in 0..random.below(64) {
                if session.state() == SessionState::Connected && random.below(2) == 0 {
                    request(&mut random, &mut session, now);
                }
                fed += 1;
                feed_client(&mut session, &frame(&mut random, level, false), now);
                survived += u64::from(session.state() == SessionState::Connected);
                now += Duration::from_millis(random.below(3000) as u64);
                let mut turns = 0;
                while let Some(next) = session.next_deadline().filter(|next| *next <= now) {
                    session.handle_deadline(now);
                    drain_client(&mut session, now);
                    turns += 1;
                    assert!(turns < BOUND, "the session's timer of {:?} before now stays due", now - next);
                }
            }
        }
    }
    survived
}

fn request(random: &mut Random, session: &mut ClientSession, now: Instant) {
    let qos = *random.pick(&[Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce]);
    // Refused when the window is full: that is its answer.
    let _ = match random.below(3) {
        0 => session.publish(None, qos, false, "a", b"x", now),
        1 => session.subscribe(Some(1 + random.below(5) as u16), vec![("a/#".into(), qos)], now),
        _ => session.unsubscribe(Some(1 + random.below(5) as u16), vec!["a/#".into()], now),
    };
}

fn feed_client(session: &mut ClientSession, bytes: &[u8], now: Instant) {
    session.receive(bytes, now);
    drain_client(session, now);
}

fn drain_client(session: &mut ClientSession, now: Instant) {
    let mut events = 0;
    while let Some(event) = session.poll_event() {
        if let ClientEvent::Message(message) = &event {
            session.acknowledge(message, now);
        }
        events += 1;
        assert!(events < BOUND, "{event:?} again and again");
    }
    drop(session.poll_transmit());
    assert!(session.poll_transmit().is_none(), "nothing happened since");
}

/// Feeds a broker `count` frames from several clients. Answers how many connections it took.
pub fn run_broker(seed: u64, count: u64, start: Instant) -> u64 {
    let mut random = Random::new(seed);
    let policy =
        Policy { queue_limit: 50, record_limit: 100, resend_after: Some(Duration::from_secs(20)), ..Policy::default() };
    let mut core = BrokerCore::new(policy, start);
    let mut now = start;
    let mut next_id = 0;
    let mut clients: Vec<(ConnectionId, Level)> = Vec::new();
    for _ in 0..count {
        if clients.len() < 3 || random.below(64) == 0 && clients.len() < 6 {
            next_id += 1;
            let (id, level) = (ConnectionId(next_id), *random.pick(&frames::LEVELS));
            core.accept(id, Peer::default(), now);
            if random.below(8) > 0 {
                core.receive(id, &encoded(&Packet::Connect(frames::connect(&mut random, level)), level), now);
            }
            clients.push((id, level));
        }
        let (id, level) = *random.pick(&clients);
        core.receive(id, &frame(&mut random, level, true), now);
        if random.below(100) == 0 {
            core.closed(id, now);
            clients.retain(|(other, _)| *other != id);
        }
        drain_broker(&mut core, &mut clients);
        now += Duration::from_millis(random.below(500) as u64);
        let mut turns = 0;
        while let Some(next) = core.next_deadline().filter(|next| *next <= now) {
            core.handle_deadline(now);
            drain_broker(&mut core, &mut clients);
            turns += 1;
            assert!(turns < BOUND, "the broker's timer of {:?} before now stays due", now - next);
        }
        if random.below(1000) == 0 {
            core.forget_sessions();
        }
    }
    still_serves(&mut core, now);
    next_id
}

fn drain_broker(core: &mut BrokerCore, clients: &mut Vec<(ConnectionId, Level)>) {
    let mut outputs = 0;
    while let Some((id, output)) = core.poll_output() {
        if output == Output::Close {
            clients.retain(|(other, _)| *other != id);
        }
        outputs += 1;
        assert!(outputs < BOUND, "{output:?} again and again");
    }
}

fn still_serves(core: &mut BrokerCore, now: Instant) {
    let id = ConnectionId(u64::MAX);
    core.accept(id, Peer::default(), now);
    core.receive(id, b"\x10\x13\0\x04MQTT\x04\x02\0\0\0\x07behaves\x82\x06\0\x01\0\x01t\0\x30\x04\0\x01t!", now);
    let mut heard = Vec::new();
    while let Some((to, output)) = core.poll_output() {
        match output {
            Output::Bytes(bytes) if to == id => heard.extend(bytes),
            Output::Close => assert_ne!(to, id, "a client that behaves is kept"),
            Output::Bytes(_) => {}
        }
    }
    assert!(heard.starts_with(b"\x20\x02\0\0\x90\x03\0\x01\0") && heard.ends_with(b"\x30\x04\0\x01t!"), "{heard:02x?}");
}

/// Mostly what this role sends, whole; sometimes damaged, from the other role, or noise.
fn frame(random: &mut Random, level: Level, from_client: bool) -> Vec<u8> {
    let packet = loop {
        let packet = frames::packet(random, level);
        if random.below(50) == 0 || sends(&packet, from_client) {
            break packet;
        }
    };
    let mut bytes = encoded(&packet, level);
    if random.below(20) == 0 {
        frames::mutate(random, &mut bytes);
    }
    if random.below(200) == 0 {
        bytes.extend((0..random.below(20)).map(|_| random.next() as u8));
    }
    bytes
}

fn sends(packet: &Packet, client: bool) -> bool {
    match packet {
        Packet::Publish(_) | Packet::Puback { .. } | Packet::Pubrec { .. } => true,
        Packet::Pubrel { .. } | Packet::Pubcomp { .. } => true,
        Packet::Subscribe { .. } | Packet::Unsubscribe { .. } | Packet::Pingreq => client,
        Packet::Suback { .. } | Packet::Unsuback { .. } | Packet::Pingresp => !client,
        Packet::Connect(_) | Packet::Connack { .. } | Packet::Disconnect => false,
    }
}

fn encoded(packet: &Packet, level: Level) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(packet, level, &mut bytes);
    bytes
}
