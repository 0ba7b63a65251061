//! The catalogue as one JSON object: what `modemrig catalogue ID --json` prints and the suite reads.
//!
//! Absent keys mean "the document says nothing". Commands that no document describes stand apart, under `surroundings`.
//! Not here: the text for people (`reference.rs`). Driven by the bindings.

use indexmap::IndexMap;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::dialect::schema::Basis;
use crate::dialect::schema::CodeRow;
use crate::dialect::schema::Command;
use crate::dialect::schema::DefaultSource;
use crate::dialect::schema::Dialect;
use crate::dialect::schema::Example;
use crate::dialect::schema::Family;
use crate::dialect::schema::Form;
use crate::dialect::schema::MaxResponse;
use crate::dialect::schema::Param;
use crate::dialect::schema::ParamType;
use crate::dialect::schema::PayloadSource;
use crate::dialect::schema::Setup;
use crate::dialect::schema::Step;
use crate::dialect::schema::Variant;

impl Dialect {
    /// The whole dialect.
    pub fn to_json(&self) -> Value {
        let document = Object::new()
            .set("id", &self.id)
            .set("title", &self.document.title)
            .maybe("version", self.document.version.as_ref())
            .maybe("date", self.document.date.as_ref());
        let limits = Object::new()
            .maybe("window", self.limits.window)
            .maybe("slots", self.limits.slots)
            .set("payload_len", self.limits.payload_len)
            .maybe("line_len", self.limits.line_len)
            .maybe("line_commands", self.limits.line_commands);
        let modules = self.modules.iter().map(|m| json!({ "series": m.series, "model": m.model }));
        let urcs = self.urcs.iter().map(|(name, urc)| {
            Object::new()
                .set("name", name)
                .set("shapes", &urc.shapes)
                .set("title", &urc.title)
                .set("source", &urc.source)
                .filled("params", params(&urc.params))
                .done()
        });
        let causes = self.causes().into_iter().map(|(table, code, cause)| {
            Object::new()
                .set("table", table)
                .set("code", code)
                .maybe("cause", cause.cause.as_ref())
                .filled("ways", strings(&cause.tests))
                .maybe("unreachable", cause.unreachable.as_ref())
                .done()
        });
        let codes = self.error_codes.iter().flat_map(|(table, rows)| code_rows("table", table, rows));
        Object::new()
            .set("document", document.done())
            .set("family", family(self.family))
            .set("modules", modules.collect::<Vec<_>>())
            .set("clients", self.clients)
            .set("limits", limits.done())
            .set("commands", commands(&self.commands))
            .set("urcs", urcs.collect::<Vec<_>>())
            .set("error_codes", codes.collect::<Vec<_>>())
            .set("examples", self.examples.iter().map(example).collect::<Vec<_>>())
            .set("surroundings", commands(&self.surroundings))
            .set("virtual_codes", causes.collect::<Vec<_>>())
            .set("virtual_limits", &self.virtual_limits)
            .done()
    }
}

fn commands(all: &IndexMap<String, Command>) -> Vec<Value> {
    all.iter().map(|(name, command)| self::command(name, command)).collect()
}

fn command(name: &str, command: &Command) -> Value {
    let variants = command.variants.iter().map(|(name, v)| variant(name, v)).collect();
    let results = command.results.iter().flat_map(|(param, rows)| code_rows("param", param, rows)).collect();
    Object::new()
        .set("name", name)
        .set("title", &command.title)
        .set("forms", command.forms.iter().map(|f| form(*f)).collect::<Vec<_>>())
        .set("max_response", command.max_response.as_ref().map_or(Value::Null, max_response))
        .set("prompt", command.prompt)
        .set("source", &command.source)
        .set("basis", basis(command.basis))
        .filled("also", strings(&command.also))
        .set("variants", Value::Array(variants))
        .set("params", Value::Array(params(&command.params)))
        .set("results", Value::Array(results))
        .filled("test_reply", strings(&command.test_reply))
        .filled("read_reply", shapes(&command.read_reply))
        .filled("reply", shapes(&command.reply))
        .filled("result_shapes", shapes(&command.result))
        .filled("refusal_shapes", shapes(&command.refusal))
        .filled("notes", strings(&command.notes))
        .done()
}

fn max_response(max: &MaxResponse) -> Value {
    Object::new().maybe("ms", max.ms).maybe("formula", max.formula.as_ref()).maybe("default_ms", max.default_ms).done()
}

fn variant(name: &str, variant: &Variant) -> Value {
    let when: Map<String, Value> = variant.counts_when.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
    let mut object = Object::new()
        .set("key", variant.key.as_deref().unwrap_or(name))
        .maybe("title", variant.title.as_ref())
        .set("params", &variant.params)
        .set("required", variant.required)
        .set("counts", &variant.counts)
        .filled("repeat", strings(&variant.repeat))
        .maybe("query", variant.query.as_ref())
        .maybe("payload_length", variant.payload_length.as_ref())
        .maybe("payload_until_ctrl_z", variant.payload_until_ctrl_z.then_some(true))
        .filled("forbid", shapes(&variant.forbid))
        .maybe("source", variant.source.as_ref());
    if !when.is_empty() {
        object = object.set("counts_when", Value::Object(when));
    }
    if variant.key.is_none() {
        // A key that is not written on the wire.
        object = object.set("keyed", false);
    }
    if variant.basis != Basis::Documented {
        object = object.set("basis", basis(variant.basis));
    }
    object.done()
}

fn params(all: &IndexMap<String, Param>) -> Vec<Value> {
    all.iter().map(|(name, param)| self::param(name, param)).collect()
}

fn param(name: &str, param: &Param) -> Value {
    let kind = match param.r#type {
        ParamType::Int => "int",
        ParamType::String => "string",
    };
    let values: Map<String, Value> = param.values.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
    let mut object = Object::new()
        .set("name", name)
        .set("type", kind)
        .maybe("title", param.title.as_ref())
        .maybe("min", param.min)
        .maybe("max", param.max);
    if !values.is_empty() {
        object = object.set("values", Value::Object(values));
    }
    object = match (param.r#type, param.default.as_ref().and_then(|d| d.parse::<i64>().ok())) {
        (ParamType::Int, Some(number)) => object.set("default", number),
        _ => object.maybe("default", param.default.as_ref()),
    };
    object = object
        .maybe("default_source", param.default_source.map(default_source))
        .maybe("unit", param.unit.as_ref())
        .maybe("min_len", param.min_len)
        .maybe("max_len", param.max_len);
    for (key, holds) in [("secret", param.secret), ("bare", param.bare)] {
        if holds {
            object = object.set(key, true);
        }
    }
    object.done()
}

/// Rows of a table; a code is a number, a range of reserved codes the text `9-255`.
fn code_rows<'a>(of: &'a str, name: &'a str, rows: &'a IndexMap<String, CodeRow>) -> impl Iterator<Item = Value> + 'a {
    rows.iter().map(move |(code, row)| {
        let code = code.parse::<i64>().map_or_else(|_| json!(code), |number| json!(number));
        Object::new()
            .set(of, name)
            .set("code", code)
            .set("meaning", &row.meaning)
            .maybe("remedy", row.remedy.as_ref())
            .done()
    })
}

fn example(example: &Example) -> Value {
    Object::new()
        .set("id", &example.id)
        .set("title", &example.title)
        .set("source", &example.source)
        .set("setup", setup(example.setup))
        .set("steps", example.steps.iter().map(step).collect::<Vec<_>>())
        .done()
}

fn step(step: &Step) -> Value {
    let peer = step.peer.as_ref().map(|peer| {
        let publish = &peer.publish;
        json!({ "publish": { "topic": publish.topic, "payload": publish.payload, "qos": publish.qos } })
    });
    Object::new()
        .maybe("send", step.send.as_ref())
        .set("expect", &step.expect)
        .maybe("payload", step.payload.as_ref())
        .maybe("payload_source", step.payload_source.map(payload_source))
        .maybe("peer", peer)
        .maybe("as_printed", step.as_printed.as_ref())
        .done()
}

fn family(family: Family) -> &'static str {
    match family {
        Family::Qmt => "qmt",
        Family::Cmqtt => "cmqtt",
    }
}

fn form(form: Form) -> &'static str {
    match form {
        Form::Test => "test",
        Form::Read => "read",
        Form::Write => "write",
        Form::Execute => "execute",
    }
}

pub(crate) fn basis(basis: Basis) -> &'static str {
    match basis {
        Basis::Documented => "documented",
        Basis::Inherited => "inherited",
        Basis::Decided => "decided",
    }
}

pub(crate) fn default_source(source: DefaultSource) -> &'static str {
    match source {
        DefaultSource::Text => "text",
        DefaultSource::Underline => "underline",
        DefaultSource::Inherited => "inherited",
        DefaultSource::Decided => "decided",
    }
}

pub(crate) fn setup(setup: Setup) -> &'static str {
    match setup {
        Setup::Idle => "idle",
        Setup::Opened => "opened",
        Setup::Started => "started",
        Setup::Acquired => "acquired",
        Setup::Connected => "connected",
        Setup::Staged => "staged",
        Setup::Certificates => "certificates",
    }
}

pub(crate) fn payload_source(source: PayloadSource) -> &'static str {
    match source {
        PayloadSource::Document => "document",
        PayloadSource::Ours => "ours",
        PayloadSource::CaCert => "ca_cert",
        PayloadSource::ClientCert => "client_cert",
        PayloadSource::ClientKey => "client_key",
    }
}

fn strings(texts: &[String]) -> Vec<Value> {
    texts.iter().map(|t| json!(t)).collect()
}

fn shapes(shapes: &[Vec<String>]) -> Vec<Value> {
    shapes.iter().map(|s| json!(s)).collect()
}

/// An object built key by key; what is absent is left out.
struct Object(Map<String, Value>);

impl Object {
    fn new() -> Object {
        Object(Map::new())
    }

    fn set(mut self, key: &str, value: impl serde::Serialize) -> Object {
        self.0.insert(key.into(), json!(value));
        self
    }

    fn maybe(self, key: &str, value: Option<impl serde::Serialize>) -> Object {
        match value {
            Some(value) => self.set(key, value),
            None => self,
        }
    }

    fn filled(self, key: &str, values: Vec<Value>) -> Object {
        if values.is_empty() { self } else { self.set(key, values) }
    }

    fn done(self) -> Value {
        Value::Object(self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::dialect::catalogue;

    #[test]
    fn json_holds_the_facts_where_the_suite_looks_for_them() {
        let json = catalogue().get("ecx00u_egx00u").expect("is built in").to_json();
        assert_eq!(
            json!({ "id": "ecx00u_egx00u", "title": "ECx00U&EGx00U Series MQTT Application Note", "version": "1.0", "date": "2021-05-24" }),
            json["document"]
        );
        let cfg = &json["commands"][0];
        assert_eq!(json!("AT+QMTCFG"), cfg["name"]);
        assert_eq!(json!({ "ms": 300 }), cfg["max_response"]);
        assert_eq!(json!("version"), cfg["variants"][0]["key"]);
        assert_eq!(json!([1, 2]), cfg["variants"][0]["counts"]);
        assert_eq!(json!({ "3": "MQTT 3.1", "4": "MQTT 3.1.1" }), cfg["params"][1]["values"]);
        assert_eq!(
            (json!(3), json!("underline")),
            (cfg["params"][1]["default"].clone(), cfg["params"][1]["default_source"].clone())
        );
        let sub =
            json["commands"].as_array().and_then(|c| c.iter().find(|c| c["name"] == "AT+QMTSUB")).expect("is there");
        assert_eq!(json!({ "formula": "pkt_timeout*retry_times", "default_ms": 15000 }), sub["max_response"]);
        assert_eq!(json!(["topic", "qos"]), sub["variants"][0]["repeat"]);
        assert_eq!(
            json!({ "table": "QMTSTAT err_code", "code": 5, "meaning": json["error_codes"][4]["meaning"], "remedy": json["error_codes"][4]["remedy"] }),
            json["error_codes"][4]
        );
        assert_eq!(json!("idle"), json["examples"][0]["setup"]);
        assert!(json["surroundings"].as_array().is_some_and(|s| s.iter().any(|c| c["name"] == "AT+QFUPL")));
    }
}
