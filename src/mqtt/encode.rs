//! Packets to bytes. A packet that cannot be said at a level is said as near as it can: the level's rules are applied
//! here, so that no caller can put a forbidden DUP or session-present bit on the wire.

use super::packet::Connect;
use super::packet::Kind;
use super::packet::Level;
use super::packet::Packet;
use super::packet::Publish;
use super::packet::Qos;

/// Appends the packet's bytes.
///
/// Strings longer than 65535 bytes are cut there; the sessions refuse them long before.
pub fn encode(packet: &Packet, level: Level, out: &mut Vec<u8>) {
    let mut body = Vec::new();
    let flags = match packet {
        Packet::Connect(connect) => {
            put_connect(connect, &mut body);
            0
        }
        Packet::Connack { session_present, code } => {
            body.extend([u8::from(*session_present && level == Level::V311 && *code == 0), *code]);
            0
        }
        Packet::Publish(publish) => put_publish(publish, level, &mut body),
        Packet::Puback { id } | Packet::Pubrec { id } | Packet::Pubcomp { id } | Packet::Unsuback { id } => {
            put_u16(*id, &mut body);
            0
        }
        Packet::Pubrel { id, dup } => {
            put_u16(*id, &mut body);
            request_flags(*dup, level)
        }
        Packet::Subscribe { id, dup, filters } => {
            put_u16(*id, &mut body);
            for (filter, qos) in filters {
                put_bytes(filter.as_bytes(), &mut body);
                body.push(qos.byte());
            }
            request_flags(*dup, level)
        }
        Packet::Suback { id, codes } => {
            put_u16(*id, &mut body);
            body.extend(codes);
            0
        }
        Packet::Unsubscribe { id, dup, filters } => {
            put_u16(*id, &mut body);
            for filter in filters {
                put_bytes(filter.as_bytes(), &mut body);
            }
            request_flags(*dup, level)
        }
        Packet::Pingreq | Packet::Pingresp | Packet::Disconnect => 0,
    };
    out.push((packet.kind() as u8) << 4 | flags);
    put_remaining_length(body.len(), out);
    out.append(&mut body);
}

/// How many bytes a PUBLISH of this size takes on the wire, header included.
pub fn encoded_len(topic: &str, payload: usize, qos: Qos) -> usize {
    let body = 2 + topic.len() + if qos == Qos::AtMostOnce { 0 } else { 2 } + payload;
    let mut length = Vec::new();
    put_remaining_length(body, &mut length);
    1 + length.len() + body
}

/// SUBSCRIBE, UNSUBSCRIBE and PUBREL travel at quality 1; level 4 fixes the other bits (§2.2.2).
fn request_flags(dup: bool, level: Level) -> u8 {
    if dup && level == Level::V31 { 0b1010 } else { 0b0010 }
}

fn put_connect(connect: &Connect, body: &mut Vec<u8>) {
    put_bytes(connect.level.name().as_bytes(), body);
    body.push(connect.level.byte());
    let mut flags = u8::from(connect.clean_session) << 1;
    if let Some(will) = &connect.will {
        flags |= 1 << 2 | will.qos.byte() << 3 | u8::from(will.retain) << 5;
    }
    let password = connect.username.as_ref().and(connect.password.as_ref());
    flags |= u8::from(password.is_some()) << 6 | u8::from(connect.username.is_some()) << 7;
    body.push(flags);
    put_u16(connect.keep_alive, body);
    put_bytes(connect.client_id.as_bytes(), body);
    if let Some(will) = &connect.will {
        put_bytes(will.topic.as_bytes(), body);
        put_bytes(&will.payload, body);
    }
    if let Some(username) = &connect.username {
        put_bytes(username.as_bytes(), body);
    }
    if let Some(password) = password {
        put_bytes(password, body);
    }
}

fn put_publish(publish: &Publish, level: Level, body: &mut Vec<u8>) -> u8 {
    put_bytes(publish.topic.as_bytes(), body);
    if publish.qos != Qos::AtMostOnce {
        put_u16(publish.id.unwrap_or_default(), body);
    }
    body.extend_from_slice(&publish.payload);
    let dup = publish.dup && (publish.qos != Qos::AtMostOnce || level == Level::V31);
    u8::from(dup) << 3 | publish.qos.byte() << 1 | u8::from(publish.retain)
}

fn put_u16(value: u16, out: &mut Vec<u8>) {
    out.extend(value.to_be_bytes());
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    put_u16(length, out);
    out.extend_from_slice(&bytes[..usize::from(length)]);
}

fn put_remaining_length(mut length: usize, out: &mut Vec<u8>) {
    loop {
        let low = (length & 0x7f) as u8;
        length >>= 7;
        if length == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// PUBREL's kind is named here once, so that the decoder and this file agree on which packets carry request flags.
pub(super) fn carries_request_flags(kind: Kind) -> bool {
    matches!(kind, Kind::Pubrel | Kind::Subscribe | Kind::Unsubscribe)
}
