//! From what a caller wants to a command line ready to be sent: raw text, or a catalogued command with named parameters.

use crate::dialect;
use crate::dialect::BadValue;
use crate::dialect::Dialect;
use crate::dialect::schema::Command;
use crate::dialect::schema::ParamType;
use crate::dialect::schema::Variant;
use crate::engine::commands::Order;
use crate::engine::reply::text_of;
use crate::engine::value::Value;
use crate::error::Error;
use crate::error::Kind;
use crate::proto::Grammar;
use crate::proto::Input;
use crate::proto::command_line;
use crate::proto::grammar::Asked;
use crate::transcript::redact::redact_line;

/// Ends a payload whose length was not announced.
const CTRL_Z: u8 = 0x1a;

impl Order {
    /// Any command line; `AT` in front may be left out.
    pub fn raw(text: &str, payload: Option<&[u8]>, grammar: &Grammar) -> Result<Order, Error> {
        Order::of_line(line_of(text), payload, grammar)
    }

    /// The same with a payload that is typed as it is: shorter or longer than announced, without the Ctrl-Z that ends it.
    pub fn typed_exactly(text: &str, payload: &[u8], grammar: &Grammar) -> Order {
        Order { input: Input::Prompt(payload.to_vec()), ..Order::with(line_of(text), grammar).0 }
    }

    /// A command line that asks for nothing and is owed nothing but its final result.
    pub fn bare(line: &str) -> Order {
        let line = line.to_owned();
        Order {
            line: line.clone().into_bytes(),
            shown: line,
            input: Input::None,
            awaited: None,
            effect: None,
            client: None,
        }
    }

    /// A whole command line.
    pub fn of_line(line: Vec<u8>, payload: Option<&[u8]>, grammar: &Grammar) -> Result<Order, Error> {
        let (order, asked) = Order::with(line, grammar);
        let input = input_of(&order.shown, asked, payload)?;
        Ok(Order { input, ..order })
    }

    /// A command line without its payload, and what payload it will ask for.
    fn with(line: Vec<u8>, grammar: &Grammar) -> (Order, Asked) {
        let shown = text_of(&redact_line(&line));
        let commands = command_line::parse_line(&line).unwrap_or_default();
        let asked = commands.iter().map(|command| grammar.asked(command)).find(|asked| *asked != Asked::Nothing);
        let found = commands.iter().filter_map(|command| grammar.awaited(command)).next_back();
        let late = found.filter(|(_, late)| *late).map(|(awaited, _)| awaited);
        let effect = found.map(|(awaited, _)| awaited.op);
        let client = found.and_then(|(awaited, _)| awaited.client);
        let order = Order { line, shown, input: Input::None, awaited: late, effect, client };
        (order, asked.unwrap_or(Asked::Nothing))
    }
}

fn line_of(text: &str) -> Vec<u8> {
    let text = text.trim_matches([' ', '\r', '\n']);
    let starts = text.get(..2).is_some_and(|head| head.eq_ignore_ascii_case("AT"));
    if starts { text.to_owned() } else { format!("AT{text}") }.into_bytes()
}

/// What is written at the prompt. A wrong length would leave the module counting.
fn input_of(shown: &str, asked: Asked, payload: Option<&[u8]>) -> Result<Input, Error> {
    let refused = |message: String| Err(Error::new(Kind::BadValue, format!("{shown}: {message}")));
    match (asked, payload) {
        (Asked::Nothing | Asked::Possible, None) => Ok(Input::None),
        (Asked::Nothing, Some(_)) => refused("the module asks for no payload here, but one is given".to_owned()),
        (Asked::Possible, Some(payload)) => Ok(Input::Prompt(payload.to_vec())),
        (Asked::Counted(0), None) => Ok(Input::Prompt(Vec::new())),
        (Asked::Counted(length), None) => {
            refused(format!("the module will ask for {length} bytes; give them as payload"))
        }
        (Asked::Counted(length), Some(payload)) if payload.len() != length => {
            refused(format!("the payload is {} bytes long, {length} are announced", payload.len()))
        }
        (Asked::Counted(_), Some(payload)) => Ok(Input::Prompt(payload.to_vec())),
        (Asked::UntilCtrlZ, Some(payload)) if payload.iter().any(|byte| matches!(byte, 0x1a | 0x1b)) => {
            refused("a payload without an announced length cannot hold Ctrl-Z or Esc".to_owned())
        }
        (Asked::UntilCtrlZ, Some(payload)) => {
            let mut bytes = payload.to_vec();
            bytes.push(CTRL_Z);
            Ok(Input::Prompt(bytes))
        }
        (Asked::UntilCtrlZ, None) => refused("the module will ask for a payload; give one".to_owned()),
        (Asked::File(length), Some(payload)) if length != 0 && payload.len() != length => {
            refused(format!("the file is {} bytes long, {length} are announced", payload.len()))
        }
        (Asked::File(_), Some(payload)) => Ok(Input::Upload(payload.to_vec())),
        (Asked::File(_), None) => refused("the module will ask for a file; give it as payload".to_owned()),
    }
}

/// A command line of a catalogued command, its parameters given by name, checked before anything is written.
pub fn catalogued(dialect: &Dialect, name: &str, parameters: &[(String, Value)]) -> Result<Vec<u8>, Error> {
    let Some((name, command)) = dialect.entry(name) else {
        return Err(unsupported(dialect, &format!("a command {name}")));
    };
    let given = flattened(parameters);
    let key = given.iter().find(|(name, _)| name == "key" || name == "setting").map(|(_, value)| value);
    let variant = choose(dialect, name, command, &given, key)?;
    let arguments = arrange(dialect, name, command, &variant, &given)?;
    dialect::check(dialect, name, &variant.0, &arguments).map_err(|error| bad_value(&error))
}

/// The variant by its name, and how it is written.
type Named<'a> = (String, &'a Variant);

/// Lists of the repeated group (`topics = [("t", 1), …]`) become single values.
fn flattened(parameters: &[(String, Value)]) -> Vec<(String, Value)> {
    parameters.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()
}

fn choose<'a>(
    dialect: &Dialect,
    name: &str,
    command: &'a Command,
    given: &[(String, Value)],
    key: Option<&Value>,
) -> Result<Named<'a>, Error> {
    if let Some(Value::Text(key)) = key {
        let found = command.variants.iter().find(|(known, _)| known.eq_ignore_ascii_case(key));
        return found.map(|(known, variant)| (known.clone(), variant)).ok_or_else(|| {
            let known: Vec<_> = command.variants.keys().map(String::as_str).collect();
            Error::new(Kind::BadValue, format!("{name} has no setting {key:?}; it has {}", known.join(", ")))
                .with_source(format!("{}, {}", dialect.document.title, command.source))
        });
    }
    let fits = |variant: &Variant| {
        given.iter().all(|(given, _)| {
            variant.params.iter().any(|known| is_named(known, given)) || group_name(variant).as_deref() == Some(given)
        })
    };
    let best = command.variants.iter().find(|(_, variant)| variant.key.is_none() && fits(variant));
    let best = best.or_else(|| command.variants.iter().find(|(_, variant)| fits(variant)));
    let best = best.or_else(|| command.variants.iter().find(|(_, variant)| variant.key.is_none()));
    best.map(|(known, variant)| (known.clone(), variant)).ok_or_else(|| {
        let known: Vec<_> = command.variants.keys().map(String::as_str).collect();
        let given: Vec<_> = given.iter().map(|(name, _)| name.as_str()).collect();
        Error::new(
            Kind::BadValue,
            format!("{name} takes no {}; say which setting with key=, one of {}", given.join(", "), known.join(", ")),
        )
        .with_source(format!("{}, {}", dialect.document.title, command.source))
    })
}

/// Documented names in any case, with `_` for blanks and hyphens.
fn is_named(known: &str, given: &str) -> bool {
    known.eq_ignore_ascii_case(given)
}

/// `topics` for a group that begins with `topic`.
fn group_name(variant: &Variant) -> Option<String> {
    variant.repeat.first().map(|first| format!("{}s", first.trim_end_matches(|c: char| c.is_ascii_digit())))
}

fn arrange(
    dialect: &Dialect,
    name: &str,
    command: &Command,
    (variant_name, variant): &Named<'_>,
    given: &[(String, Value)],
) -> Result<Vec<dialect::Value>, Error> {
    let source = variant.source.as_ref().unwrap_or(&command.source);
    let refuse = |message: String| {
        let way = if variant.key.is_some() { format!("{name} {variant_name:?}") } else { name.to_owned() };
        Err(Error::new(Kind::BadValue, format!("{way}: {message}"))
            .with_source(format!("{}, {source}", dialect.document.title)))
    };
    let group = group_name(variant);
    let list = given.iter().find(|(name, _)| Some(name) == group.as_ref()).map(|(_, value)| value);
    for (given, _) in given {
        let known = variant.params.iter().any(|known| is_named(known, given))
            || Some(given) == group.as_ref()
            || matches!(given.as_str(), "key" | "setting");
        if !known {
            return refuse(format!("there is no parameter {given}; there are {}", variant.params.join(", ")));
        }
    }
    let mut arguments = Vec::new();
    let mut missing = None;
    for param in &variant.params {
        if list.is_some() && variant.repeat.contains(param) {
            break;
        }
        match given.iter().find(|(name, _)| is_named(param, name)) {
            Some((_, value)) => {
                if let Some(missing) = missing {
                    return refuse(format!("{param} needs {missing} before it"));
                }
                arguments.push(wire_value(command, param, value));
            }
            // The only client there is needs no name.
            None if arguments.is_empty() && missing.is_none() && is_client(param) && dialect.clients == 1 => {
                arguments.push(dialect::Value::Int(0));
            }
            None => missing = missing.or(Some(param)),
        }
    }
    if let Some(list) = list {
        for item in members(list) {
            for (param, value) in variant.repeat.iter().zip(members(&item)) {
                arguments.push(wire_value(command, param, &value));
            }
        }
    }
    if arguments.len() < variant.required
        && let Some(missing) = missing
    {
        return refuse(format!("{missing} is missing"));
    }
    Ok(arguments)
}

/// Whether a parameter names the client: the documents have five words for it.
pub fn is_client(param: &str) -> bool {
    matches!(param, "client_idx" | "tcp_connectid" | "client_index" | "session_id" | "index")
}

fn members(value: &Value) -> Vec<Value> {
    match value {
        Value::List(values) => values.clone(),
        other => vec![other.clone()],
    }
}

/// The value in the type the document wants, where that loses nothing.
pub fn wire_value(command: &Command, param: &str, value: &Value) -> dialect::Value {
    let wants_text = command.param(param).is_some_and(|param| param.r#type == ParamType::String);
    match value {
        Value::Int(number) if wants_text => dialect::Value::Text(number.to_string().into_bytes()),
        Value::Int(number) => dialect::Value::Int(*number),
        Value::Text(text) => dialect::Value::Text(text.clone().into_bytes()),
        Value::Bytes(bytes) => dialect::Value::Text(bytes.clone()),
        Value::List(_) => dialect::Value::Text(value.to_string().into_bytes()),
    }
}

/// A refused value as an error.
pub fn bad_value(refused: &BadValue) -> Error {
    Error::new(
        Kind::BadValue,
        format!("{}: {} cannot be {}; allowed: {}", refused.command, refused.parameter, refused.value, refused.allowed),
    )
    .with_source(format!("{}, {}", refused.document, refused.section))
}

/// What this dialect does not have.
pub fn unsupported(dialect: &Dialect, what: &str) -> Error {
    Error::new(Kind::Unsupported, format!("{} does not have {what}", dialect.id))
        .with_source(dialect.document.title.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::catalogue;

    fn line(name: &str, parameters: &[(&str, Value)]) -> Result<String, String> {
        let dialect = catalogue().get("ecx00u_egx00u").expect("is built in");
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let line = catalogued(dialect, name, &parameters).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(line).expect("ASCII"))
    }

    #[test]
    fn parameters_come_by_name_in_any_order_and_lists_repeat() {
        let topics =
            Value::List(vec![Value::List(vec!["a".into(), 1.into()]), Value::List(vec!["b".into(), 2.into()])]);
        let made = line("QMTSUB", &[("topics", topics), ("msgid", 7.into()), ("client_idx", 0.into())]);
        assert_eq!(Ok("AT+QMTSUB=0,7,\"a\",1,\"b\",2".to_owned()), made);
    }

    #[test]
    fn a_setting_is_chosen_by_its_parameters_or_by_key() {
        let by_parameter = line("QMTCFG", &[("client_idx", 0.into()), ("keep_alive_time", 60.into())]);
        assert_eq!(Ok("AT+QMTCFG=\"keepalive\",0,60".to_owned()), by_parameter);
        let by_key = line("QMTCFG", &[("key", "keepalive".into()), ("client_idx", 0.into())]);
        assert_eq!(Ok("AT+QMTCFG=\"keepalive\",0".to_owned()), by_key);
    }

    #[test]
    fn a_wrong_value_names_parameter_range_document_and_section() {
        let text = line("QMTOPEN", &[("client_idx", 0.into()), ("host_name", "h".into()), ("port", 70000.into())])
            .expect_err("no such port");
        for word in ["port", "70000", "1-65535", "3.3.2"] {
            assert!(text.contains(word), "{text}");
        }
    }

    #[test]
    fn an_unknown_or_missing_parameter_is_named() {
        let unknown = line("QMTOPEN", &[("client_idx", 0.into()), ("hots_name", "h".into())]).expect_err("unknown");
        assert!(unknown.contains("hots_name") && unknown.contains("host_name"), "{unknown}");
        let missing = line("QMTOPEN", &[("client_idx", 0.into()), ("port", 1.into())]).expect_err("missing");
        assert!(missing.contains("host_name"), "{missing}");
    }

    #[test]
    fn a_payload_of_the_wrong_length_never_reaches_the_wire() {
        let raw = |payload: Option<&[u8]>| {
            Order::raw("+QMTPUBEX=0,1,1,0,\"t\",5", payload, dialect::grammar::any()).map(|order| order.input)
        };
        assert!(raw(Some(b"four")).is_err());
        assert!(raw(None).is_err());
        assert_eq!(Ok(Input::Prompt(b"fives".to_vec())), raw(Some(b"fives")).map_err(|_| ()));
    }
}
