//! Random MQTT frames, and what must hold for every one: no panic, and what is accepted encodes to itself. Seeded: the same
//! seed and count give the same frames. Driven by the integration tests, by the example `fuzz_frames`, and, byte for byte,
//! by anything that has bytes ([`check`]).

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use modemrig::mqtt::Connect;
use modemrig::mqtt::DecodeError;
use modemrig::mqtt::Decoder;
use modemrig::mqtt::Kind;
use modemrig::mqtt::Level;
use modemrig::mqtt::Packet;
use modemrig::mqtt::Publish;
use modemrig::mqtt::Qos;
use modemrig::mqtt::Rule;
use modemrig::mqtt::Will;
use modemrig::mqtt::encode;

use super::random::Random;

/// What became of many frames.
#[derive(Debug, Default)]
pub struct Tally {
    pub frames: u64,
    pub bytes: u64,
    /// Packets accepted, by kind.
    pub accepted: BTreeMap<&'static str, u64>,
    /// Rules that refused one.
    pub refused: BTreeSet<Rule>,
    pub incomplete: u64,
    pub other_refusals: u64,
}

/// Decodes `count` random frames, at both levels and in both roles, and holds each to the rules of this file.
pub fn run(seed: u64, count: u64) -> Tally {
    let mut random = Random::new(seed);
    let mut tally = Tally::default();
    let mut frame = Vec::new();
    while tally.frames < count {
        frame.clear();
        let role = *random.pick(&[Some(Level::V31), Some(Level::V311), None]);
        match random.below(8) {
            0 => noise(&mut random, &mut frame),
            1 => nearly(&mut random, &mut frame),
            2 => whole(&mut random, role, &mut frame),
            _ => {
                let level = role.unwrap_or_else(|| *random.pick(&LEVELS));
                encode(&packet(&mut random, level), level, &mut frame);
                for _ in 0..=random.below(3) {
                    mutate(&mut random, &mut frame);
                }
            }
        }
        tally.frames += 1;
        tally.bytes += frame.len() as u64;
        check(role, &frame, &mut tally);
    }
    tally
}

pub const LEVELS: [Level; 2] = [Level::V31, Level::V311];

/// Decodes bytes as a stream: `Some(level)` as a client does, `None` as a broker that awaits CONNECT.
pub fn check(role: Option<Level>, bytes: &[u8], tally: &mut Tally) {
    let mut decoder = Decoder::new(role).with_limit(1 << 20);
    decoder.feed(bytes);
    let mut read = 0;
    let mut level = role.unwrap_or(Level::V311);
    loop {
        match decoder.next_packet() {
            Ok(Some(packet)) => {
                let end = bytes.len() - decoder.pending();
                let of_packet = if let Packet::Connect(connect) = &packet { connect.level } else { level };
                encodes_to_itself(&packet, of_packet, &bytes[read..end]);
                level = decoder.level().unwrap_or(level);
                read = end;
                *tally.accepted.entry(packet.kind().name()).or_default() += 1;
            }
            Ok(None) => {
                tally.incomplete += u64::from(decoder.pending() > 0);
                return;
            }
            Err(error) => {
                assert_eq!(Err(error.clone()), decoder.next_packet(), "a broken stream stays broken");
                match error {
                    DecodeError::Malformed { rule, .. } => drop(tally.refused.insert(rule)),
                    _ => tally.other_refusals += 1,
                }
                return;
            }
        }
    }
}

fn encodes_to_itself(packet: &Packet, level: Level, taken: &[u8]) {
    let mut again = Vec::new();
    encode(packet, level, &mut again);
    // Level 3 takes bits in CONNECT and CONNACK that mean nothing: there the meaning survives, not the bytes.
    if level == Level::V31 && matches!(packet.kind(), Kind::Connect | Kind::Connack) {
        let mut decoder = Decoder::new(Some(level));
        decoder.feed(&again);
        assert_eq!(Ok(Some(packet.clone())), decoder.next_packet(), "{taken:02x?}");
    } else {
        assert_eq!(taken, again, "{packet:?}");
    }
}

/// A packet that can be said comes back as it was, whole and in two pieces.
fn whole(random: &mut Random, role: Option<Level>, frame: &mut Vec<u8>) {
    let level = role.unwrap_or_else(|| *random.pick(&LEVELS));
    let original = packet(random, level);
    encode(&original, level, frame);
    let mut decoder = Decoder::new(Some(level));
    let cut = random.below(frame.len());
    decoder.feed(&frame[..cut]);
    assert_eq!(Ok(None), decoder.next_packet(), "{original:?} cut at {cut}");
    decoder.feed(&frame[cut..]);
    assert_eq!(Ok(Some(original)), decoder.next_packet());
    assert_eq!(0, decoder.pending());
}

fn noise(random: &mut Random, frame: &mut Vec<u8>) {
    let length = random.below(40);
    frame.extend((0..length).map(|_| random.next() as u8));
}

/// A header that fits a body of likely bytes.
fn nearly(random: &mut Random, frame: &mut Vec<u8>) {
    let length = random.below(24);
    frame.extend([random.next() as u8, length as u8]);
    let likely = [0, 0, 0, 1, 1, 2, 3, 4, b'a', b'/', b'#', b'+', 0x80, 0xff, 0xc3];
    frame.extend((0..length).map(|_| *random.pick(&likely)));
}

/// One small damage.
pub fn mutate(random: &mut Random, frame: &mut Vec<u8>) {
    if frame.is_empty() {
        return frame.push(random.next() as u8);
    }
    // Half of all damage is near the front, where the rules are.
    let reach = if random.below(2) == 0 { frame.len() } else { frame.len().min(16) };
    let at = random.below(reach);
    match random.below(8) {
        0 | 1 => frame[at] ^= 1 << random.below(8),
        2 => frame[at] = random.next() as u8,
        3 => frame[at] = *random.pick(&[0, 1, 2, 0x7f, 0x80, 0xff, b'+', b'#']),
        4 => drop(frame.remove(at)),
        5 => frame.insert(at, random.next() as u8),
        6 => frame.truncate(at),
        _ => {
            let piece = frame[at..].to_vec();
            frame.extend(piece);
        }
    }
}

/// A packet with nothing wrong about it at this level.
pub fn packet(random: &mut Random, level: Level) -> Packet {
    let dup = level == Level::V31 && random.below(2) == 0;
    match *random.pick(&Kind::ALL) {
        Kind::Connect => Packet::Connect(connect(random, level)),
        Kind::Connack => {
            let code = random.below(6) as u8;
            Packet::Connack { session_present: level == Level::V311 && code == 0 && random.below(2) == 0, code }
        }
        Kind::Publish => {
            let qos = quality(random);
            Packet::Publish(Publish {
                dup: (qos != Qos::AtMostOnce || level == Level::V31) && random.below(2) == 0,
                qos,
                retain: random.below(2) == 0,
                topic: words(random, &["a", "/", "b", "ü", "$SYS", " "]),
                id: (qos != Qos::AtMostOnce).then(|| id(random)),
                payload: payload(random),
            })
        }
        Kind::Puback => Packet::Puback { id: id(random) },
        Kind::Pubrec => Packet::Pubrec { id: id(random) },
        Kind::Pubrel => Packet::Pubrel { id: id(random), dup },
        Kind::Pubcomp => Packet::Pubcomp { id: id(random) },
        Kind::Subscribe => {
            let filters = (0..=random.below(3)).map(|_| (filter(random), quality(random))).collect();
            Packet::Subscribe { id: id(random), dup, filters }
        }
        Kind::Suback => {
            let codes = (0..=random.below(4)).map(|_| *random.pick(&[0, 1, 2, 0x80])).collect();
            Packet::Suback { id: id(random), codes }
        }
        Kind::Unsubscribe => {
            let filters = (0..=random.below(3)).map(|_| filter(random)).collect();
            Packet::Unsubscribe { id: id(random), dup, filters }
        }
        Kind::Unsuback => Packet::Unsuback { id: id(random) },
        Kind::Pingreq => Packet::Pingreq,
        Kind::Pingresp => Packet::Pingresp,
        Kind::Disconnect => Packet::Disconnect,
    }
}

pub fn connect(random: &mut Random, level: Level) -> Connect {
    let will = (random.below(2) == 0).then(|| Will {
        topic: words(random, &["w", "/", "x"]),
        payload: payload(random),
        qos: quality(random),
        retain: random.below(2) == 0,
    });
    let username = (random.below(2) == 0).then(|| words(random, &["user", "ö"]));
    let password = username.is_some().then(|| payload(random)).filter(|_| random.below(2) == 0);
    Connect {
        level,
        client_id: words(random, &["c", "1", "é"]),
        clean_session: random.below(2) == 0,
        keep_alive: random.below(4) as u16,
        will,
        username,
        password,
    }
}

fn filter(random: &mut Random) -> String {
    let mut levels: Vec<&str> = (0..=random.below(3)).map(|_| *random.pick(&["a", "b", "+", "", "$x"])).collect();
    if random.below(3) == 0 {
        levels.push("#");
    }
    let filter = levels.join("/");
    if filter.is_empty() { "a".to_owned() } else { filter }
}

fn quality(random: &mut Random) -> Qos {
    *random.pick(&[Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce])
}

/// Few different ones, so that they meet.
fn id(random: &mut Random) -> u16 {
    *random.pick(&[1, 2, 3, 4, 5, 255, 256, 65_534, 65_535])
}

fn words(random: &mut Random, from: &[&str]) -> String {
    (0..=random.below(4)).map(|_| *random.pick(from)).collect()
}

/// Mostly short; sometimes around the sizes where the remaining length grows by a byte.
fn payload(random: &mut Random) -> Vec<u8> {
    let length = if random.below(64) == 0 { *random.pick(&[110, 127, 128, 300, 16_384]) } else { random.below(8) };
    (0..length).map(|_| random.next() as u8).collect()
}
