//! Parsed lines written out again, in the plain form of the documents, for the record of an exchange.

use crate::engine::reply::LateResult;
use crate::engine::reply::text_of;
use crate::proto::Delimiter;
use crate::proto::Event;
use crate::proto::Message;

/// Slots a client has (QMTCFG "recv/mode", all three LTE documents).
const SLOTS: u8 = 5;

/// `+QMTOPEN: 0,0`
pub fn late(result: &LateResult) -> String {
    let fields = result.client.map(i64::from).into_iter().chain(result.msgid.map(i64::from));
    let fields = fields.chain([i64::from(result.code)]).chain(result.values.iter().map(|value| i64::from(*value)));
    format!("+{}: {}", result.name, joined(fields))
}

/// `+QMTPUBEX: 0,1,1,2`
pub fn retry(event: &Event) -> String {
    match event {
        Event::Retry { name, client, msgid, count, .. } => {
            let fields = [i64::from(*client), i64::from(*msgid), 1].into_iter().chain(count.map(i64::from));
            format!("+{name}: {}", joined(fields))
        }
        _ => String::new(),
    }
}

/// The answer of a read form that the session has parsed.
pub fn answer(event: &Event) -> Vec<u8> {
    let text = match event {
        Event::State { client, state } => format!("+QMTCONN: {client},{state}"),
        Event::Slots { client, used } => {
            let flags = (0..SLOTS).map(|slot| i64::from(used.contains(&slot)));
            format!("+QMTRECV: {client},{}", joined(flags))
        }
        _ => String::new(),
    };
    text.into_bytes()
}

/// `+QMTRECV: 0,0,"topic",4,"text"`
pub fn message(message: &Message) -> Vec<u8> {
    let msgid = message.msgid.map(|msgid| format!(",{msgid}")).unwrap_or_default();
    let length = match message.delimiter {
        Delimiter::Length => format!(",{}", message.payload.len()),
        _ => String::new(),
    };
    let mut line =
        format!("+QMTRECV: {}{msgid},\"{}\"{length},\"", message.client, text_of(&message.topic)).into_bytes();
    line.extend_from_slice(&message.payload);
    line.push(b'"');
    line
}

fn joined(fields: impl Iterator<Item = i64>) -> String {
    fields.map(|field| field.to_string()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Op;
    use std::time::Duration;

    #[test]
    fn lines_look_as_the_documents_print_them() {
        let result = LateResult {
            op: Op::Subscribe,
            name: "QMTSUB".into(),
            client: Some(0),
            msgid: Some(7),
            code: 0,
            values: vec![1, 2],
            after: Duration::ZERO,
        };
        assert_eq!("+QMTSUB: 0,7,0,1,2", late(&result));
        assert_eq!(b"+QMTRECV: 2,0,1,0,0,1".to_vec(), answer(&Event::Slots { client: 2, used: vec![1, 4] }));
        let event = Event::Retry { op: Op::Publish, name: "QMTPUBEX".into(), client: 0, msgid: 3, count: Some(2) };
        assert_eq!("+QMTPUBEX: 0,3,1,2", retry(&event));
    }
}
