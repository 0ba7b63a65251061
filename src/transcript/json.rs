//! An event as one JSON object, in the vocabulary of `tests/data/wire-shapes.toml`. Keys that family of lines does not
//! have are absent, never null.

use serde_json::Map;
use serde_json::Value;

use crate::proto::Event;
use crate::proto::FinalResult;
use crate::proto::Op;
use crate::proto::command_line;
use crate::proto::command_line::Arg;
use crate::transcript::format::latin1;

/// The JSON object of an event.
pub fn event_json(event: &Event) -> Value {
    match event {
        Event::Echo => object("echo").into(),
        Event::Prompt => object("prompt").into(),
        Event::Connect => object("connect").into(),
        Event::BearerLost => object("bearer_lost").into(),
        Event::Restarted => object("restarted").into(),
        Event::Gone => object("gone").into(),
        Event::Final(result) => final_json(result),
        Event::Info { name, line } => info_json(name, line),
        Event::Result { .. } => result_json(event),
        Event::Retry { op, name, client, msgid, count } => object("retry")
            .with("cmd", name.as_str())
            .with("client", *client)
            // The notice of a CONNECT names no packet.
            .maybe("msgid", (*op != Op::Connect).then_some(*msgid))
            .maybe("count", *count)
            .into(),
        Event::Stale { name, client, msgid, .. } => {
            object("stale").with("cmd", name.as_str()).maybe("client", *client).maybe("msgid", *msgid).into()
        }
        Event::Message(message) => object("msg")
            .with("client", message.client)
            .with("topic", latin1(&message.topic))
            .with("payload", latin1(&message.payload))
            // QoS 0 has no packet identifier; the wire shows 0.
            .maybe("msgid", message.msgid.filter(|msgid| *msgid != 0))
            .into(),
        Event::Stored { client, index, payload_len } => {
            object("stored").with("client", *client).with("index", *index).maybe("payload_len", *payload_len).into()
        }
        Event::Slots { client, used } => object("slots").with("client", *client).with("used", used.clone()).into(),
        Event::State { client, state } => object("state").with("client", *client).with("state", *state).into(),
        Event::Lost { client, code } => object("lost").with("client", *client).with("code", *code).into(),
        Event::Ping { client, result } => object("ping").with("client", *client).with("result", *result).into(),
        Event::Urc { name, .. } => object("urc").with("name", name.as_str()).into(),
        Event::Ignored(bytes) => object("ignored").with("data", latin1(bytes)).into(),
        Event::Overflowed(bytes) => object("overflowed").with("data", latin1(bytes)).into(),
        Event::Damaged { name, client, .. } => {
            object("damaged").with("cmd", name.as_str()).maybe("client", *client).into()
        }
    }
}

/// The object a command that got no answer is printed as.
pub(super) fn timeout_json() -> Value {
    object("timeout").into()
}

fn final_json(result: &FinalResult) -> Value {
    match result {
        FinalResult::Ok => object("final").with("ok", true).into(),
        FinalResult::Error => object("final").with("ok", false).into(),
        FinalResult::Cme(code) => object("final").with("ok", false).with("cme", code.as_str()).into(),
        FinalResult::Cms(code) => object("final").with("ok", false).with("cms", code.as_str()).into(),
    }
}

/// The open connection is shown by its fields, any other information line by its name.
fn info_json(name: &str, line: &[u8]) -> Value {
    let fields = line.get(name.len() + 1..).map(command_line::fields).unwrap_or_default();
    match (name, fields.as_slice()) {
        ("+QMTOPEN", [Arg::Number(client), Arg::Text(host), Arg::Number(port)]) => {
            object("info").with("client", *client).with("host", latin1(host)).with("port", *port).into()
        }
        _ => object("info").with("name", name).into(),
    }
}

fn result_json(event: &Event) -> Value {
    let Event::Result { op, name, client, msgid, code, values } = event else {
        return Value::Null;
    };
    // One family numbers the outcome of a packet (`result`), the other the cause of a failure (`code`).
    let numbered = name.starts_with("QMT");
    let key = if numbered { "result" } else { "code" };
    let whose = |kind: &'static str| object(kind).maybe("client", *client);
    match op {
        Op::Open => whose("open").with("code", *code).into(),
        Op::Close => whose("close").with(key, *code).into(),
        Op::Disconnect => whose("disc").with(key, *code).into(),
        Op::Connect => {
            let ret = values.first().copied().filter(|_| numbered);
            whose("conn").with(key, *code).maybe("ret", ret).into()
        }
        Op::Subscribe => {
            let granted = (numbered && *code == 0).then(|| values.clone());
            whose("sub").maybe("msgid", *msgid).with(key, *code).maybe("granted", granted).into()
        }
        Op::Unsubscribe => whose("uns").maybe("msgid", *msgid).with(key, *code).into(),
        Op::Publish => whose("pub").maybe("msgid", *msgid).with(key, *code).into(),
        Op::Start => object("start").with("code", *code).into(),
        Op::Stop => object("stop").with("code", *code).into(),
        Op::Acquire => whose("accq").with("code", *code).into(),
        Op::Release => whose("rel").with("code", *code).into(),
        Op::Input => object("input").with("cmd", name.as_str()).maybe("client", *client).with("code", *code).into(),
        Op::Token => whose("token").with(key, *code).into(),
        Op::Upload => object("upload").with("code", *code).into(),
    }
}

/// An object whose first key is `e`.
struct Object(Map<String, Value>);

fn object(kind: &str) -> Object {
    let mut map = Map::new();
    map.insert("e".to_string(), kind.into());
    Object(map)
}

impl Object {
    fn with(mut self, key: &str, value: impl Into<Value>) -> Object {
        self.0.insert(key.to_string(), value.into());
        self
    }

    fn maybe(self, key: &str, value: Option<impl Into<Value>>) -> Object {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Value {
        Value::Object(object.0)
    }
}
