//! The check from both ends: what the host may write, and what the module makes of a line.

use crate::dialect::BadValue;
use crate::dialect::Dialect;
use crate::dialect::Given;
use crate::dialect::Value;
use crate::dialect::catalogue;
use crate::dialect::check;
use crate::dialect::match_variant;

fn dialect() -> &'static Dialect {
    catalogue().get("ecx00u_egx00u").expect("is built in")
}

fn line(name: &str, variant: &str, args: &[Value]) -> String {
    let line = check(dialect(), name, variant, args).unwrap_or_else(|e| panic!("{e}"));
    String::from_utf8(line).expect("is ASCII here")
}

fn refused(name: &str, variant: &str, args: &[Value]) -> BadValue {
    match check(dialect(), name, variant, args) {
        Ok(line) => panic!("was let through: {}", line.escape_ascii()),
        Err(bad) => bad,
    }
}

fn v(number: i64) -> Value {
    Value::Int(number)
}

/// Splits the part behind the equals sign as a module does.
fn arguments(text: &str) -> Vec<Given<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        if let Some(inner) = rest.strip_prefix('"') {
            let end = inner.find('"').expect("quotes come in pairs");
            found.push(Given::quoted(&inner.as_bytes()[..end]));
            rest = &inner[end + 1..];
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            found.push(Given::bare(&rest.as_bytes()[..end]));
            rest = &rest[end..];
        }
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return found,
        }
    }
}

fn match_line(dialect: &'static Dialect, line: &str) -> Result<crate::dialect::Matched<'static>, BadValue> {
    match line.split_once('=') {
        Some((name, rest)) => match_variant(dialect, name, &arguments(rest)),
        None => match_variant(dialect, line, &[]),
    }
}

#[test]
fn line_is_written_as_documented() {
    assert_eq!("AT+QMTCFG=\"version\",0,4", line("AT+QMTCFG", "version", &[v(0), v(4)]));
    assert_eq!("AT+QMTCFG=\"recv/mode\",0", line("AT+QMTCFG", "RECV/MODE", &[v(0)]));
    assert_eq!("AT+QMTOPEN=0,\"broker\",1883", line("QMTOPEN", "write", &[v(0), "broker".into(), v(1883)]));
    let two = [v(0), v(1), "a".into(), v(0), "b".into(), v(2)];
    assert_eq!("AT+QMTSUB=0,1,\"a\",0,\"b\",2", line("AT+QMTSUB", "write", &two));
    assert_eq!("ATE0", line("ATE", "execute", &[v(0)]));
    assert_eq!("AT", line("AT", "execute", &[]));
    assert_eq!("AT+QSSLCFG=\"ciphersuite\",2,0xFFFF", line("AT+QSSLCFG", "ciphersuite", &[v(2), "0xFFFF".into()]));
}

#[test]
fn value_out_of_range_names_parameter_value_range_document_and_section() {
    let bad = refused("AT+QMTOPEN", "write", &[v(0), "broker".into(), v(65536)]);
    let expected = BadValue {
        command: "AT+QMTOPEN".into(),
        parameter: "port".into(),
        value: "65536".into(),
        allowed: "1-65535".into(),
        document: "ECx00U&EGx00U Series MQTT Application Note".into(),
        section: "3.3.2".into(),
    };
    assert_eq!(expected, bad);
    assert_eq!("0-5", refused("AT+QMTOPEN", "write", &[v(6), "broker".into(), v(1)]).allowed);
    assert_eq!("3 or 4", refused("AT+QMTCFG", "version", &[v(0), v(5)]).allowed);
}

#[test]
fn text_that_could_start_a_command_is_refused() {
    for bad in ["a\"b", "a\rAT+CFUN=0", "a\nb", "a\0", "a\u{1a}", "a\u{1b}", "a\u{8}", "a\u{7f}"] {
        let bad = refused("AT+QMTOPEN", "write", &[v(0), bad.into(), v(1883)]);
        assert_eq!("host_name", bad.parameter);
        assert!(!bad.value.contains(['\r', '\n', '\0']), "{bad}");
    }
}

#[test]
fn length_counts_bytes() {
    let fifty = "\u{e9}".repeat(50);
    line("AT+QMTOPEN", "write", &[v(0), fifty.clone().into(), v(1883)]);
    let bad = refused("AT+QMTOPEN", "write", &[v(0), format!("{fifty}x").into(), v(1883)]);
    assert_eq!("at most 100 bytes, not 101", bad.allowed);
}

#[test]
fn wrong_type_is_refused() {
    assert_eq!("port", refused("AT+QMTOPEN", "write", &[v(0), "broker".into(), "1883".into()]).parameter);
    assert_eq!("host_name", refused("AT+QMTOPEN", "write", &[v(0), v(1), v(1883)]).parameter);
}

#[test]
fn number_of_parameters_is_checked() {
    let bad = refused("AT+QMTCFG", "timeout", &[v(0), v(5)]);
    assert_eq!(("number of parameters", "2"), (bad.parameter.as_str(), bad.value.as_str()));
    assert!(bad.allowed.starts_with("1 or 4"), "{bad}");
    refused("AT+QMTSUB", "write", &[v(0), v(1), "a".into(), v(0), "b".into()]);
    refused("AT+QMTCONN", "write", &[v(0), "id".into(), "user".into()]);
}

#[test]
fn will_needs_all_or_nothing() {
    line("AT+QMTCFG", "will", &[v(0), v(0)]);
    line("AT+QMTCFG", "will", &[v(0), v(1), v(0), v(0), "t".into(), "m".into()]);
    refused("AT+QMTCFG", "will", &[v(0), v(1)]);
    refused("AT+QMTCFG", "will", &[v(0), v(0), v(0), v(0), "t".into(), "m".into()]);
}

#[test]
fn msgid_zero_needs_qos_zero() {
    let publish = |msgid, qos| [v(0), v(msgid), v(qos), v(0), "t".into(), v(5)];
    line("AT+QMTPUBEX", "write", &publish(0, 0));
    line("AT+QMTPUBEX", "write", &publish(7, 0));
    assert_eq!("msgid", refused("AT+QMTPUBEX", "write", &publish(0, 1)).parameter);
    assert_eq!("msgid", refused("AT+QMTPUBEX", "write", &publish(0, 2)).parameter);
}

#[test]
fn payload_length_without_a_printed_range_has_that_of_the_input() {
    let publish = |length| [v(0), v(1), v(1), v(0), "t".into(), v(length)];
    line("AT+QMTPUBEX", "write", &publish(1500));
    assert_eq!("1-1500", refused("AT+QMTPUBEX", "write", &publish(1501)).allowed);
    refused("AT+QMTPUBEX", "write", &publish(0));
}

#[test]
fn secret_is_never_shown() {
    let secret = [v(0), "key".into(), "name".into(), "hush\rhush".into()];
    let bad = refused("AT+QMTCFG", "aliauth", &secret);
    assert_eq!(("device_secret", "***"), (bad.parameter.as_str(), bad.value.as_str()));
}

#[test]
fn unknown_command_and_key_are_refused() {
    assert_eq!("command", refused("AT+QMTNOSUCH", "write", &[]).parameter);
    assert_eq!("key", refused("AT+QMTCFG", "protocol/check", &[v(0)]).parameter);
}

#[test]
fn line_longer_than_the_module_takes_is_refused() {
    let dialect = catalogue().get("sim7028").expect("is built in");
    let connect = |pass: usize| {
        let long = "x".repeat(256);
        let address = format!("tcp://{}", "a".repeat(122));
        let args = [v(0), address.as_str().into(), v(60), v(1), long.as_str().into(), Value::Text(vec![b'x'; pass])];
        check(dialect, "AT+CMQTTCONNECT", "write", &args)
    };
    let longest = connect(1).map(|line| line.len()).unwrap_or_else(|e| panic!("{e}"));
    let room = 559 + 2 - longest;
    assert_eq!(Some(561), connect(1 + room).ok().map(|line| line.len()));
    let bad = connect(2 + room).expect_err("is one too long");
    assert_eq!(("command line", "at most 559 characters"), (bad.parameter.as_str(), bad.allowed.as_str()));
    assert!(!bad.to_string().contains("xxx"), "{bad}");
}

#[test]
fn module_finds_variant_and_values() {
    let matched = match_line(dialect(), "at+qmtcfg=\"SSL\",0,1,2").unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(("AT+QMTCFG", "ssl", false), (matched.command_name, matched.variant_name, matched.is_query));
    assert_eq!(Some(2), matched.int("ssl_ctx_idx"));
    let query = match_line(dialect(), "AT+QMTCFG=\"ssl\",0").unwrap_or_else(|e| panic!("{e}"));
    assert!(query.is_query);
    let sub = match_line(dialect(), "AT+QMTSUB=0,1,\"a\",0,\"b\",2").unwrap_or_else(|e| panic!("{e}"));
    let names: Vec<&str> = sub.values.iter().map(|(name, _)| *name).collect();
    assert_eq!(vec!["client_idx", "msgid", "topic", "qos", "topic", "qos"], names);
    assert_eq!(Some(&b"a"[..]), sub.text("topic"));
}

#[test]
fn module_refuses_what_the_host_would_refuse() {
    for (line, parameter) in [
        ("AT+QMTOPEN=6,\"h\",1", "client_idx"),
        ("AT+QMTOPEN=0,h,1", "host_name"),
        ("AT+QMTOPEN=0,\"h\",\"1\"", "port"),
        ("AT+QMTOPEN=0,\"h\",+1", "port"),
        ("AT+QMTOPEN=0,\"h\",", "port"),
        ("AT+QMTOPEN=0,\"h\"", "number of parameters"),
        ("AT+QMTCFG=\"nosuch\",0", "key"),
        ("AT+QMTCFG=0", "key"),
        ("AT+QMTPUBEX=0,0,1,0,\"t\",5", "msgid"),
        ("AT+NOSUCH=1", "command"),
    ] {
        match match_line(dialect(), line) {
            Ok(_) => panic!("{line} was let through"),
            Err(bad) => assert_eq!(parameter, bad.parameter, "{line}"),
        }
    }
}

#[test]
fn every_line_the_examples_send_passes_the_check() {
    let mut sent = 0;
    for dialect in catalogue().dialects() {
        for example in &dialect.examples {
            for line in example.steps.iter().filter_map(|s| s.send.as_deref()) {
                sent += 1;
                let (name, form) = match line.strip_suffix("=?").or(line.strip_suffix('?')) {
                    Some(name) => (name, true),
                    None => (line, false),
                };
                if form {
                    assert!(dialect.command(name).is_some(), "{} {}: {line}", dialect.id, example.id);
                } else if let Err(bad) = match_line(dialect, line) {
                    panic!("{} {}: {line}: {bad}", dialect.id, example.id);
                }
            }
        }
    }
    assert!(sent > 90, "{sent}");
}

#[test]
fn documented_payloads_have_the_announced_length() {
    for dialect in catalogue().dialects() {
        for example in &dialect.examples {
            for step in example.steps.iter().filter(|s| s.payload.is_some()) {
                let line = step.send.as_deref().expect("a payload is asked for by a command");
                let matched = match_line(dialect, line).unwrap_or_else(|e| panic!("{e}"));
                if let Some(length) = matched.variant.payload_length.as_deref().and_then(|name| matched.int(name)) {
                    let payload = step.payload.as_deref().unwrap_or_default();
                    assert_eq!(length, payload.len() as i64, "{} {}: {line}", dialect.id, example.id);
                }
            }
        }
    }
}

#[test]
fn test_replies_show_the_ranges_of_the_parameters() {
    // Every range printed in a test reply of QMTCFG is that of the parameter in its place.
    for dialect in catalogue().dialects() {
        let Some(command) = dialect.command("AT+QMTCFG") else { continue };
        assert_eq!(command.variants.len(), command.test_reply.len(), "{}", dialect.id);
        for (reply, (key, variant)) in command.test_reply.iter().zip(&command.variants) {
            let body = reply
                .strip_prefix(&format!("+QMTCFG: \"{key}\","))
                .unwrap_or_else(|| panic!("{}: {reply}", dialect.id));
            for (group, name) in groups(body).iter().zip(&variant.params) {
                let Some(inside) = group.strip_prefix('(') else { continue };
                let param = command.param(name).expect("is checked on loading");
                if let Some((low, high)) = inside.split_once('-') {
                    assert_eq!(
                        (param.min, param.max),
                        (low.parse().ok(), high.parse().ok()),
                        "{}: {reply} {name}",
                        dialect.id
                    );
                } else {
                    let values: Vec<&str> = param.values.keys().map(String::as_str).collect();
                    let range: Vec<String> =
                        (param.min.unwrap_or(0)..=param.max.unwrap_or(-1)).map(|n| n.to_string()).collect();
                    let listed: Vec<&str> = inside.split(',').collect();
                    assert!(listed == values || listed == range, "{}: {reply} {name}", dialect.id);
                }
            }
        }
    }
}

/// `(0-5),"topic",<name>,(0,1)`: each opening parenthesis, bracket or quotation mark with what it encloses.
fn groups(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let close = match first {
            '(' => ')',
            '<' => '>',
            _ => '"',
        };
        let end = 1 + rest[1..].find(close).expect("groups are closed");
        found.push(&rest[..end]);
        rest = rest[end + 1..].trim_start_matches(',');
    }
    found
}
