//! Frames byte for byte, as the two standards print them, and frames that are none.

use crate::mqtt::Connect;
use crate::mqtt::DecodeError;
use crate::mqtt::Decoder;
use crate::mqtt::Kind;
use crate::mqtt::Level;
use crate::mqtt::Packet;
use crate::mqtt::Publish;
use crate::mqtt::Qos;
use crate::mqtt::Will;
use crate::mqtt::encode;
use crate::mqtt::encoded_len;

const BOTH: [Level; 2] = [Level::V31, Level::V311];

fn publish(qos: Qos, id: Option<u16>, dup: bool) -> Packet {
    Packet::Publish(Publish { dup, qos, retain: false, topic: "a/b".into(), id, payload: b"hi".to_vec() })
}

/// A packet and the bytes it must be at these levels.
fn golden() -> Vec<(Vec<Level>, Packet, &'static [u8])> {
    let full = |level| {
        Packet::Connect(Connect {
            level,
            client_id: "c".into(),
            clean_session: true,
            keep_alive: 10,
            will: Some(Will { topic: "w".into(), payload: b"x".to_vec(), qos: Qos::AtLeastOnce, retain: true }),
            username: Some("u".into()),
            password: Some(b"p".to_vec()),
        })
    };
    let both = || BOTH.to_vec();
    let filters = || vec![("a/b".to_owned(), Qos::AtLeastOnce), ("c/d".to_owned(), Qos::ExactlyOnce)];
    vec![
        (vec![Level::V31], full(Level::V31), b"\x10\x1b\0\x06MQIsdp\x03\xee\0\x0a\0\x01c\0\x01w\0\x01x\0\x01u\0\x01p"),
        (vec![Level::V311], full(Level::V311), b"\x10\x19\0\x04MQTT\x04\xee\0\x0a\0\x01c\0\x01w\0\x01x\0\x01u\0\x01p"),
        (both(), Packet::Connack { session_present: false, code: 0 }, b"\x20\x02\0\0"),
        (both(), Packet::Connack { session_present: false, code: 5 }, b"\x20\x02\0\x05"),
        (vec![Level::V311], Packet::Connack { session_present: true, code: 0 }, b"\x20\x02\x01\0"),
        (both(), publish(Qos::AtMostOnce, None, false), b"\x30\x07\0\x03a/bhi"),
        (both(), publish(Qos::AtLeastOnce, Some(10), false), b"\x32\x09\0\x03a/b\0\x0ahi"),
        (both(), publish(Qos::ExactlyOnce, Some(0xfffe), true), b"\x3c\x09\0\x03a/b\xff\xfehi"),
        (vec![Level::V31], publish(Qos::AtMostOnce, None, true), b"\x38\x07\0\x03a/bhi"),
        (both(), Packet::Puback { id: 1 }, b"\x40\x02\0\x01"),
        (both(), Packet::Pubrec { id: 1 }, b"\x50\x02\0\x01"),
        (both(), Packet::Pubrel { id: 1, dup: false }, b"\x62\x02\0\x01"),
        (vec![Level::V31], Packet::Pubrel { id: 1, dup: true }, b"\x6a\x02\0\x01"),
        (both(), Packet::Pubcomp { id: 1 }, b"\x70\x02\0\x01"),
        (
            both(),
            Packet::Subscribe { id: 10, dup: false, filters: filters() },
            b"\x82\x0e\0\x0a\0\x03a/b\x01\0\x03c/d\x02",
        ),
        (
            vec![Level::V31],
            Packet::Subscribe { id: 10, dup: true, filters: filters() },
            b"\x8a\x0e\0\x0a\0\x03a/b\x01\0\x03c/d\x02",
        ),
        (both(), Packet::Suback { id: 10, codes: vec![0, 2] }, b"\x90\x04\0\x0a\0\x02"),
        (vec![Level::V31, Level::V311], Packet::Suback { id: 10, codes: vec![0x80] }, b"\x90\x03\0\x0a\x80"),
        (both(), Packet::Unsubscribe { id: 10, dup: false, filters: vec!["a/b".into()] }, b"\xa2\x07\0\x0a\0\x03a/b"),
        (
            vec![Level::V31],
            Packet::Unsubscribe { id: 10, dup: true, filters: vec!["a/b".into()] },
            b"\xaa\x07\0\x0a\0\x03a/b",
        ),
        (both(), Packet::Unsuback { id: 10 }, b"\xb0\x02\0\x0a"),
        (both(), Packet::Pingreq, b"\xc0\0"),
        (both(), Packet::Pingresp, b"\xd0\0"),
        (both(), Packet::Disconnect, b"\xe0\0"),
    ]
}

fn decode(level: Option<Level>, bytes: &[u8]) -> Result<Option<Packet>, DecodeError> {
    let mut decoder = Decoder::new(level);
    decoder.feed(bytes);
    decoder.next_packet()
}

#[test]
fn packets_are_the_bytes_the_standards_print() {
    for (levels, packet, bytes) in golden() {
        for level in levels {
            let mut encoded = Vec::new();
            encode(&packet, level, &mut encoded);
            assert_eq!(bytes, encoded, "{packet:?} at {level:?}");
            assert_eq!(Ok(Some(packet.clone())), decode(Some(level), bytes), "{level:?}");
        }
    }
}

#[test]
fn packets_of_level_3_only_are_refused_at_level_4() {
    let only_3 =
        golden().into_iter().filter(|(levels, packet, _)| levels == &[Level::V31] && packet.kind() != Kind::Connect);
    let mut count = 0;
    for (_, packet, bytes) in only_3 {
        assert!(decode(Some(Level::V311), bytes).is_err(), "{packet:?}");
        count += 1;
    }
    assert_eq!(4, count);
}

#[test]
fn any_cut_of_a_stream_gives_the_same_packets() {
    for level in BOTH {
        let (mut stream, mut expected) = (Vec::new(), Vec::new());
        for (levels, packet, bytes) in golden() {
            if levels.contains(&level) {
                stream.extend_from_slice(bytes);
                expected.push(packet);
            }
        }
        for size in 1..=stream.len() {
            let mut decoder = Decoder::new(Some(level));
            let mut seen = Vec::new();
            for piece in stream.chunks(size) {
                decoder.feed(piece);
                while let Some(packet) = decoder.next_packet().expect("golden frames") {
                    seen.push(packet);
                }
            }
            assert_eq!(expected, seen, "pieces of {size}");
            assert_eq!(0, decoder.pending());
        }
    }
}

#[test]
fn the_remaining_length_takes_one_to_four_bytes() {
    for (size, header) in [(0, 2), (127, 2), (128, 3), (16_383, 3), (16_384, 4), (2_097_151, 4), (2_097_152, 5)] {
        // The body is: two bytes of length, one byte of topic, and the payload.
        let Some(payload) = usize::checked_sub(size, 3) else { continue };
        let packet = Publish {
            dup: false,
            qos: Qos::AtMostOnce,
            retain: false,
            topic: "t".into(),
            id: None,
            payload: vec![7; payload],
        };
        let mut bytes = Vec::new();
        encode(&Packet::Publish(packet.clone()), Level::V311, &mut bytes);
        assert_eq!(size + header, bytes.len());
        assert_eq!(bytes.len(), encoded_len("t", payload, Qos::AtMostOnce));
        assert_eq!(Ok(Some(Packet::Publish(packet))), decode(Some(Level::V311), &bytes));
    }
}

#[test]
fn malformed_frames_are_refused_at_both_levels() {
    let frames: &[(&str, &[u8])] = &[
        ("type 0", b"\0\0"),
        ("type 15", b"\xf0\0"),
        ("length of five bytes", b"\x30\xff\xff\xff\xff\x01"),
        ("needless length byte", b"\xc0\x80\0"),
        ("CONNACK too short", b"\x20\x01\0"),
        ("CONNACK too long", b"\x20\x03\0\0\0"),
        ("PUBACK of id 0", b"\x40\x02\0\0"),
        ("PUBACK without id", b"\x40\0"),
        ("PUBACK with flags", b"\x41\x02\0\x01"),
        ("QoS 3", b"\x36\x09\0\x03a/b\0\x0ahi"),
        ("empty topic", b"\x30\x02\0\0"),
        ("wildcard in a topic", b"\x30\x03\0\x01#"),
        ("NUL in a topic", b"\x30\x03\0\x01\0"),
        ("topic longer than the packet", b"\x30\x03\0\x09a"),
        ("topic that is not UTF-8", b"\x30\x03\0\x01\xff"),
        ("surrogate", b"\x30\x05\0\x03\xed\xa0\x80"),
        ("PUBLISH of id 0", b"\x32\x05\0\x01a\0\0"),
        ("SUBSCRIBE without filter", b"\x82\x02\0\x01"),
        ("SUBSCRIBE with flags 0", b"\x80\x06\0\x01\0\x01a\0"),
        ("SUBSCRIBE for QoS 3", b"\x82\x06\0\x01\0\x01a\x03"),
        ("SUBSCRIBE with a reserved bit", b"\x82\x06\0\x01\0\x01a\x81"),
        ("SUBSCRIBE to a broken filter", b"\x82\x07\0\x01\0\x02a#\0"),
        ("SUBSCRIBE without quality", b"\x82\x05\0\x01\0\x01a"),
        ("SUBACK without code", b"\x90\x02\0\x01"),
        ("SUBACK of 3", b"\x90\x03\0\x01\x03"),
        ("UNSUBSCRIBE without filter", b"\xa2\x02\0\x01"),
        ("PINGREQ with a body", b"\xc0\x01\0"),
        ("DISCONNECT with flags", b"\xe1\0"),
        ("password without user name", b"\x10\x0d\0\x04MQTT\x04\x42\0\0\0\x01c"),
        ("will of QoS 3", b"\x10\x13\0\x04MQTT\x04\x1e\0\0\0\x01c\0\x01w\0\x01x"),
        ("will to a wildcard", b"\x10\x13\0\x04MQTT\x04\x06\0\0\0\x01c\0\x01#\0\x01x"),
        ("CONNECT with bytes after the end", b"\x10\x0e\0\x04MQTT\x04\x02\0\0\0\x01cx"),
    ];
    for (what, bytes) in frames {
        for level in BOTH {
            let outcome = decode(Some(level), bytes);
            assert!(matches!(outcome, Err(DecodeError::Malformed { .. })), "{what} at {level:?}: {outcome:?}");
        }
    }
}

#[test]
fn reserved_bits_of_connect_count_at_level_4_only() {
    let frame = |level: Level, flags: u8| {
        let mut body = Vec::from([0, level.name().len() as u8]);
        body.extend(level.name().bytes());
        body.extend([level.byte(), flags, 0, 0, 0, 1, b'c']);
        let mut bytes = vec![0x10, body.len() as u8];
        bytes.append(&mut body);
        bytes
    };
    for (what, flags) in
        [("reserved bit", 3), ("will quality", 0x0a), ("will retain", 0x22), ("user name missing", 0x82)]
    {
        assert!(decode(None, &frame(Level::V311, flags)).is_err(), "{what}");
        let Ok(Some(Packet::Connect(connect))) = decode(None, &frame(Level::V31, flags)) else {
            panic!("{what} is allowed at level 3");
        };
        assert_eq!((None, None), (connect.will, connect.username));
    }
}

#[test]
fn session_present_is_read_at_level_4_only() {
    let present = |level| match decode(Some(level), b"\x20\x02\x01\0") {
        Ok(Some(Packet::Connack { session_present, .. })) => session_present,
        other => panic!("{other:?}"),
    };
    assert!(!present(Level::V31));
    assert!(present(Level::V311));
    assert!(decode(Some(Level::V311), b"\x20\x02\x01\x05").is_err(), "present in a refusal");
    assert!(decode(Some(Level::V31), b"\x90\x03\0\x01\x03").is_err(), "SUBACK 3 is known at no level");
}

#[test]
fn unknown_protocols_are_named() {
    for (bytes, name, level) in [
        (&b"\x10\x0d\0\x04MQTT\x05\x02\0\0\0\x01c"[..], "MQTT", 5),
        (&b"\x10\x0d\0\x04MQTT\x03\x02\0\0\0\x01c"[..], "MQTT", 3),
        (&b"\x10\x0f\0\x06MQIsdp\x04\x02\0\0\0\x01c"[..], "MQIsdp", 4),
    ] {
        assert_eq!(Err(DecodeError::UnknownLevel { name: name.into(), level }), decode(None, bytes));
    }
}

#[test]
fn a_packet_over_the_limit_is_refused_before_it_has_arrived() {
    let mut decoder = Decoder::new(Some(Level::V311)).with_limit(1000);
    decoder.feed(b"\x30\xe7\x07"); // 999 bytes follow
    assert_eq!(Err(DecodeError::TooLarge { size: 1002, limit: 1000 }), decoder.next_packet());
    assert!(decoder.next_packet().is_err(), "a broken stream stays broken");
}

#[test]
fn a_password_is_in_no_debug_text() {
    let connect = Connect {
        level: Level::V31,
        client_id: "c".into(),
        clean_session: true,
        keep_alive: 0,
        will: None,
        username: Some("u".into()),
        password: Some(b"geheim".to_vec()),
    };
    let text = format!("{connect:?}");
    assert!(text.contains("***") && !text.contains("geheim") && !text.contains("103, 101"), "{text}");
}
