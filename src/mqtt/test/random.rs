//! Random frames, from a fixed seed: nothing panics, and whatever is accepted encodes to the same bytes again.

use crate::mqtt::Decoder;
use crate::mqtt::Kind;
use crate::mqtt::Level;
use crate::mqtt::Packet;
use crate::mqtt::encode;

/// xorshift64*: small, seeded, good enough to shake a parser.
pub(super) struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

const FRAMES: usize = 300_000;

#[test]
fn random_frames_never_panic_and_accepted_ones_encode_to_themselves() {
    let mut random = Random(0x6d6f_6465_6d72_6967);
    let mut accepted = [0_usize; 16];
    for _ in 0..FRAMES {
        let level = [Level::V31, Level::V311][random.below(2)];
        let frame = random_frame(&mut random);
        let mut decoder = Decoder::new(Some(level));
        decoder.feed(&frame);
        let Ok(Some(packet)) = decoder.next_packet() else { continue };
        let taken = frame.len() - decoder.pending();
        let level = if let Packet::Connect(connect) = &packet { connect.level } else { level };
        let mut bytes = Vec::new();
        encode(&packet, level, &mut bytes);
        accepted[packet.kind() as usize] += 1;
        // The liberties of level 3: there the meaning must survive, not the bytes.
        if level == Level::V31 && matches!(packet.kind(), Kind::Connect | Kind::Connack) {
            let mut again = Decoder::new(Some(level));
            again.feed(&bytes);
            assert_eq!(Ok(Some(packet)), again.next_packet(), "{frame:02x?}");
        } else {
            assert_eq!(frame[..taken], bytes, "{packet:?}");
        }
    }
    for kind in Kind::ALL {
        assert!(accepted[kind as usize] > 20, "{}: {} frames reached the end", kind.name(), accepted[kind as usize]);
    }
}

#[test]
fn golden_frames_with_a_changed_byte_never_panic() {
    let mut random = Random(7);
    let frame = b"\x10\x1b\0\x06MQIsdp\x03\xee\0\x0a\0\x01c\0\x01w\0\x01x\0\x01u\0\x01p\x82\x0e\0\x0a\0\x03a/b\x01\0\x03c/d\x02";
    for _ in 0..50_000 {
        let mut frame = frame.to_vec();
        for _ in 0..=random.below(2) {
            let index = random.below(frame.len());
            frame[index] = random.next() as u8;
        }
        let mut decoder = Decoder::new(None);
        decoder.feed(&frame);
        while let Ok(Some(_)) = decoder.next_packet() {}
    }
}

/// Mostly nearly right, else nothing would get past the first byte.
fn random_frame(random: &mut Random) -> Vec<u8> {
    let mut body = Vec::new();
    let kind = random.below(16) as u8;
    if kind == 1 && random.below(4) > 0 {
        body.extend([&b"\0\x04MQTT\x04"[..], b"\0\x06MQIsdp\x03"][random.below(2)]);
        body.extend([random.next() as u8, 0, 60]);
    }
    let strings = random.below(4);
    let id_first = matches!(kind, 4..=11);
    if id_first && random.below(8) > 0 {
        body.extend([random.below(2) as u8, random.next() as u8]);
    }
    if matches!(kind, 1 | 3 | 8 | 10) {
        for _ in 0..strings {
            let length = random.below(4);
            body.extend([0, length as u8]);
            body.extend((0..length).map(|_| b"ab/+#c\0\xff"[random.below(8).min(random.below(9))]));
            if kind == 8 {
                body.push(random.below(4) as u8);
            }
        }
    }
    for _ in 0..random.below(4) {
        body.push([0, 1, 2, random.next() as u8][random.below(4)]);
    }
    if random.below(16) == 0 {
        body.truncate(random.below(body.len() + 1));
    }
    let flags = if random.below(4) == 0 { random.below(16) as u8 } else { [0, 2, 10][random.below(3)] };
    let mut frame = vec![kind << 4 | flags, body.len() as u8];
    if random.below(64) == 0 {
        frame[1] = random.next() as u8;
    }
    frame.append(&mut body);
    frame.extend((0..random.below(3)).map(|_| random.next() as u8));
    frame
}
