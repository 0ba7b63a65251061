//! What real modules do beside what the documents say, one test for each rule that the host's parser answers for. Each talk
//! is decoded in one piece and byte by byte.

use modemrig::transcript::decode;
use serde_json::Value;
use serde_json::json;

/// Events of a talk: the header's settings, then lines that begin with `>` (host) or `<` (module).
fn talk(header: Value, lines: &[(&str, &str)]) -> Vec<Value> {
    let whole = events(&header, lines, usize::MAX);
    assert_eq!(whole, events(&header, lines, 1), "byte by byte");
    whole
}

fn events(header: &Value, lines: &[(&str, &str)], piece: usize) -> Vec<Value> {
    let mut head = json!({"format": 1});
    head.as_object_mut().expect("an object").extend(header.as_object().expect("an object").clone());
    let mut file = format!("{head}\n");
    for (index, (dir, text)) in lines.iter().enumerate() {
        let t = index as f64;
        let chars: Vec<char> = text.chars().collect();
        for part in chars.chunks(piece.min(chars.len().max(1))) {
            let data: String = part.iter().collect();
            file.push_str(&format!("{}\n", json!({"t": t, "dir": dir, "data": data})));
        }
    }
    let all = decode(file.as_bytes()).expect("a header").map(|event| event.expect("well formed"));
    all.filter(|event| event["e"] != "ignored").collect()
}

fn message(topic: &str, payload: &str) -> Value {
    json!({"e": "msg", "client": 0, "topic": topic, "payload": payload})
}

fn ok() -> Value {
    json!({"e": "final", "ok": true})
}

const TIMEOUT: &str = r#"{"e":"timeout"}"#;

fn timeout() -> Value {
    serde_json::from_str(TIMEOUT).expect("JSON")
}

#[test]
fn f1_a_result_without_a_final_result_completes_its_command() {
    let found = talk(
        json!({}),
        &[
            ("tx", "AT+QMTPUBEX=0,7,1,0,\"t\",\"x\"\r"),
            ("rx", "\r\n+QMTPUBEX: 0,7,0\r\n"),
            ("tx", "AT\r"),
            ("rx", "\r\nOK\r\n"),
        ],
    );
    assert_eq!(vec![json!({"e": "pub", "client": 0, "msgid": 7, "result": 0}), ok()], found);
}

#[test]
fn f4_a_retry_notice_may_be_the_last_word_before_the_connection_is_lost() {
    let found = talk(
        json!({}),
        &[("tx", "AT+QMTSUB=0,9,\"t\",1\r"), ("rx", "\r\nOK\r\n\r\n+QMTSUB: 0,9,1\r\n\r\n+QMTSTAT: 0,1\r\n")],
    );
    let retry = json!({"e": "retry", "cmd": "QMTSUB", "client": 0, "msgid": 9});
    assert_eq!(vec![ok(), retry, json!({"e": "lost", "client": 0, "code": 1})], found);
}

#[test]
fn f5_a_surplus_ok_is_ignored() {
    let found =
        talk(json!({}), &[("tx", "AT+CMQTTSUB=0,8,1\r"), ("rx", "\r\n+CMQTTSUB: 0,12\r\n\r\nERROR\r\n\r\nOK\r\n")]);
    assert_eq!(vec![json!({"e": "sub", "client": 0, "code": 12}), json!({"e": "final", "ok": false})], found);
}

#[test]
fn f7_boot_text_ends_everything_that_was_pending() {
    let found = talk(
        json!({}),
        &[("tx", "AT+QMTOPEN=0,\"h\",1883\r"), ("rx", "\r\nOK\r\n\r\nRDY\r\n\r\nAPP RDY\r\n\r\n+CPIN: READY\r\n")],
    );
    let urc = |name: &str| json!({"e": "urc", "name": name});
    assert_eq!(vec![ok(), json!({"e": "restarted"}), urc("APP RDY"), urc("+CPIN")], found);
    let found = talk(json!({}), &[("rx", "\r\n+QIURC: \"pdpdeact\",1\r\n\r\nNORMAL POWER DOWN\r\n")]);
    assert_eq!(vec![json!({"e": "bearer_lost"}), json!({"e": "gone"})], found);
}

#[test]
fn f8_every_form_of_the_prompt_and_none_where_none_is_due() {
    for prompt in ["\r\n>", "\r\n> ", "\r\n>\r\n"] {
        let lines = [
            ("tx", "AT+QMTPUBEX=0,7,1,0,\"t\",5\r\n"),
            ("rx", prompt),
            ("tx", "21.5C"),
            ("rx", "\r\nOK\r\n\r\n+QMTPUBEX: 0,7,0\r\n"),
        ];
        let done = json!({"e": "pub", "client": 0, "msgid": 7, "result": 0});
        assert_eq!(vec![json!({"e": "prompt"}), ok(), done], talk(json!({}), &lines), "{prompt:?}");
    }
    let found = talk(json!({}), &[("tx", "AT+CSQ\r"), ("rx", "\r\n> \r\n+CSQ: 1,99\r\n\r\nOK\r\n")]);
    assert_eq!(vec![json!({"e": "info", "name": "+CSQ"}), ok()], found[found.len() - 2..]);
    assert!(!found.contains(&json!({"e": "prompt"})));
}

#[test]
fn f9_a_payload_is_echoed_behind_every_prompt() {
    for (prompt, payload) in [("> ", " x"), (">\r\n", "\r\nERROR\r\n"), ("> ", "\r\n+QMTSTAT: 0,1\r\n"), (">", "> ")] {
        let line = format!("AT+QMTPUB=0,7,1,0,\"t\",{}\r", payload.len());
        let prompt = format!("{line}\r\n{prompt}");
        let answer = format!("{payload}\r\nOK\r\n\r\n+QMTPUB: 0,7,0\r\n");
        let lines = [("tx", line.as_str()), ("rx", prompt.as_str()), ("tx", payload), ("rx", answer.as_str())];
        let (echo, done) = (json!({"e": "echo"}), json!({"e": "pub", "client": 0, "msgid": 7, "result": 0}));
        let expected = vec![echo.clone(), json!({"e": "prompt"}), echo, ok(), done];
        assert_eq!(expected, talk(json!({"echo": true}), &lines), "{payload:?}");
    }
}

#[test]
fn f10_every_form_of_a_message() {
    let off = json!({});
    let on = json!({"len": true});
    let hex = json!({"hex": true});
    let both = json!({"len": true, "hex": true});
    for (header, tail, payload) in [
        (&off, "\"off\"", "off"),
        (&off, "off", "off"),
        (&off, "\"\"", ""),
        (&off, "", ""),
        (&off, "42", "42"),
        (&off, "\"a\"b\r\nc\",1\"", "a\"b\r\nc\",1"),
        (&off, "3,\"one\"", "one"),
        (&off, "1,5", "1,5"),
        (&on, "3,\"one\"", "one"),
        (&on, "3,one", "one"),
        (&on, "5\r\nhello", "hello"),
        (&on, "3\r\n\"one\"", "one"),
        (&on, "3,\"a\"", "\"a\""),
        (&on, "10,\"\"\r\n+QMT: 1\"", "\"\r\n+QMT: 1"),
        (&on, "10,\"\"\r\n\r\nOK\r\n>\"", "\"\r\n\r\nOK\r\n>"),
        (&on, "\"no length after all\"", "no length after all"),
        (&hex, "\"00fF0D\"", "\u{0}\u{FF}\r"),
        (&both, "3,\"00FF0D\"", "\u{0}\u{FF}\r"),
        (&both, "6,\"00FF0D\"", "\u{0}\u{FF}\r"),
        (&both, "3,00FF0D", "\u{0}\u{FF}\r"),
    ] {
        for space in [" ", ""] {
            let wire = format!("\r\n+QMTRECV:{space}0,0,\"t\",{tail}\r\n\r\n+QMTSTAT: 0,1\r\n");
            let expected = vec![message("t", payload), json!({"e": "lost", "client": 0, "code": 1})];
            assert_eq!(expected, talk(header.clone(), &[("rx", &wire)]), "{wire:?}");
            let last = format!("\r\n+QMTRECV:{space}0,0,\"t\",{tail}\r\n");
            assert_eq!(vec![message("t", payload)], talk(header.clone(), &[("rx", &last)]), "{last:?}");
        }
    }
}

#[test]
fn f10_silence_in_the_file_ends_a_payload_that_could_go_on() {
    let found = talk(json!({}), &[("rx", "\r\n+QMTRECV: 0,0,\"t\",\"a\"\r\n"), ("rx", "b\"\r\n")]);
    assert_eq!(vec![message("t", "a")], found);
    let found = talk(json!({}), &[("rx", "\r\n+QMTRECV: 0,0,\"t\",\"a\"\r\nb\"\r\n")]);
    assert_eq!(vec![message("t", "a\"\r\nb")], found);
}

#[test]
fn f10_a_line_start_inside_an_announced_length_is_damage() {
    for rest in ["\r\n\r\n+QMTSTAT: 0,1\r\n", "\r\n+QMTSTAT: 0,1\r\n\r\n+QMTRECV: 0,0,\"t\",1,\"x\"\r\n"] {
        let wire = format!("\r\n+QMTRECV: 0,0,\"t\",12,\"ab\"{rest}");
        let found = talk(json!({"len": true}), &[("rx", &wire)]);
        assert_eq!(json!({"e": "damaged", "cmd": "QMTRECV", "client": 0}), found[0]);
        assert_eq!(json!({"e": "lost", "client": 0, "code": 1}), found[1]);
    }
    // The announced bytes never come: said at the end, and what came is not lost.
    let found = talk(json!({"len": true}), &[("rx", "\r\n+QMTRECV: 0,0,\"t\",99,\"ab\"\r\n\r\n+QMTSTAT: 0,1\r\n")]);
    let damaged = json!({"e": "damaged", "cmd": "QMTRECV", "client": 0});
    assert_eq!(vec![damaged, json!({"e": "lost", "client": 0, "code": 1})], found);
}

#[test]
fn f11_missing_ends() {
    let lost = json!({"e": "lost", "client": 0, "code": 1});
    for wire in [
        "\r\n+QMTRECV: 0,0,\"t\",3,\"one\r\n\r\n+QMTSTAT: 0,1\r\n",
        "\r\n+QMTRECV: 0,0,\"t\",3,\"one\"+QMTSTAT: 0,1\r\n",
        "\r\n+QMTRECV: 0,0,\"t\",3,\"one+QMTSTAT: 0,1\r\n",
    ] {
        assert_eq!(vec![message("t", "one"), lost.clone()], talk(json!({"len": true}), &[("rx", wire)]), "{wire:?}");
    }
}

#[test]
fn f13_results_under_another_name() {
    let lines = [
        ("tx", "AT+QMTPUBEX=0,7,1,0,\"t\",\"{\"k\":1}\"\r"),
        ("rx", "\r\nOK\r\n\r\n+QMTPUB: 0,7,0\r\n"),
        ("tx", "AT+CMQTTSUB=0,1,1\r"),
        ("rx", "\r\n>"),
        ("tx", "t"),
        ("rx", "\r\nOK\r\n\r\n+CMQTTSUBTOPIC: 0,0\r\n"),
    ];
    let published = json!({"e": "pub", "client": 0, "msgid": 7, "result": 0});
    let subscribed = json!({"e": "sub", "client": 0, "code": 0});
    assert_eq!(vec![ok(), published, json!({"e": "prompt"}), ok(), subscribed], talk(json!({}), &lines));
}

#[test]
fn f14_error_numbers_error_texts_and_figures() {
    let refused = |cme: &str| json!({"e": "final", "ok": false, "cme": cme});
    let found = talk(json!({}), &[("tx", "AT+CPIN?\r"), ("rx", "\r\n+CME ERROR: SIM not inserted\r\n")]);
    assert_eq!(vec![refused("SIM not inserted")], found);
    let found = talk(json!({}), &[("tx", "ATV0\r"), ("rx", "0\r"), ("tx", "AT+CSQ\r"), ("rx", "+CSQ: 1,99\r\n0\r")]);
    assert_eq!(vec![ok(), json!({"e": "info", "name": "+CSQ"}), ok()], found);
}

#[test]
fn f15_received_blocks_with_blank_lines_and_back_to_back() {
    let block = |blank: &str| {
        format!(
            "\r\n+CMQTTRXSTART: 0,1,4\r\n{blank}+CMQTTRXTOPIC: 0,1\r\nt\r\n{blank}+CMQTTRXPAYLOAD: 0,2\r\n\r\n\r\n{blank}\
             +CMQTTRXPAYLOAD: 0,2\r\nOK\r\n{blank}+CMQTTRXEND: 0\r\n"
        )
    };
    for blank in ["", "\r\n"] {
        let wire = block(blank).repeat(2);
        let expected = message("t", "\r\nOK");
        assert_eq!(vec![expected.clone(), expected], talk(json!({}), &[("rx", &wire)]));
    }
    let cut = "\r\n+CMQTTRXSTART: 0,1,4\r\n+CMQTTRXTOPIC: 0,1\r\nt\r\n+CMQTTRXPAYLOAD: 0,2\r\nab\r\n";
    let found = talk(json!({}), &[("rx", &format!("{cut}{}", block("")))]);
    let damaged = json!({"e": "damaged", "cmd": "CMQTTRXSTART", "client": 0});
    assert_eq!(vec![damaged, message("t", "\r\nOK")], found);
}

#[test]
fn f18_an_accepted_command_without_its_result_is_a_timeout() {
    assert_eq!(vec![ok(), timeout()], talk(json!({}), &[("tx", "AT+QMTCLOSE=0\r"), ("rx", "\r\nOK\r\n")]));
    assert_eq!(vec![timeout(), timeout()], talk(json!({}), &[("tx", "AT\r"), ("tx", "AT\r")]));
    let due = [("tx", "AT+QMTPUBEX=0,7,1,0,\"t\",5\r"), ("rx", "\r\n> "), ("tx", "21")];
    assert_eq!(vec![json!({"e": "prompt"})], talk(json!({}), &due));
}

#[test]
fn settings_follow_what_the_module_accepted() {
    let set = |value: u8| format!("AT+QMTCFG=\"recv/mode\",0,0,{value}\r");
    let received = "\r\n+QMTRECV: 0,0,\"t\",5\r\nhello\r\n";
    let (on, off) = (set(1), set(0));
    let found = talk(json!({}), &[("tx", &on), ("rx", "\r\nOK\r\n"), ("rx", received)]);
    assert_eq!(vec![ok(), message("t", "hello")], found);
    let found = talk(json!({"len": true}), &[("tx", &off), ("rx", "\r\nERROR\r\n"), ("rx", received)]);
    assert_eq!(message("t", "hello"), found[1]);
    let hex = "AT+QMTCFG=\"dataformat\",0,0,1\r";
    let found = talk(json!({}), &[("tx", hex), ("rx", "\r\nOK\r\n\r\n+QMTRECV: 0,0,\"t\",\"4142\"\r\n")]);
    assert_eq!(vec![ok(), message("t", "AB")], found);
}

#[test]
fn answers_of_queries_are_told_from_results_by_their_shape() {
    let slots = json!({"e": "slots", "client": 0, "used": [0, 2]});
    let query = [("tx", "AT+QMTRECV?\r"), ("rx", "\r\n+QMTRECV: 0,1,0,1,0,0\r\n\r\nOK\r\n")];
    assert_eq!(vec![slots, ok()], talk(json!({}), &query));
    let late = [("tx", "AT+QMTOPEN?\r"), ("rx", "\r\n+QMTOPEN: 0,0\r\n\r\n+QMTOPEN: 1,\"h\",1\r\n\r\nOK\r\n")];
    let info = json!({"e": "info", "client": 1, "host": "h", "port": 1});
    assert_eq!(vec![json!({"e": "open", "client": 0, "code": 0}), info, ok()], talk(json!({}), &late));
    let registration = [("tx", "AT+CEREG?\r"), ("rx", "\r\n+CEREG: 5\r\n\r\n+CEREG: 0,5\r\n\r\nOK\r\n")];
    let (urc, answer) = (json!({"e": "urc", "name": "+CEREG"}), json!({"e": "info", "name": "+CEREG"}));
    assert_eq!(vec![urc, answer, ok()], talk(json!({}), &registration));
    let upload = [
        ("tx", "AT+QFUPL=\"ca.pem\",4\r"),
        ("rx", "\r\nCONNECT\r\n"),
        ("tx", "\r\nOK"),
        ("rx", "+QFUPL: 4,ab\r\n\r\nOK\r\n"),
    ];
    assert_eq!(vec![json!({"e": "connect"}), json!({"e": "info", "name": "+QFUPL"}), ok()], talk(json!({}), &upload));
}

#[test]
fn a_broken_file_is_named_by_its_line() {
    let file = "{\"format\":1}\n\n{\"t\":0,\"dir\":\"rx\",\"data\":\"\\r\\nOK\\r\\n\"}\nnonsense\n";
    let found: Vec<_> = decode(file.as_bytes()).expect("a header").collect();
    assert_eq!(4, found.last().and_then(|last| last.as_ref().err()).expect("an error").line);
    assert_eq!(1, decode(&b"{\"format\": 2}\n"[..]).err().expect("an unknown version").line);
    let wide = "{\"t\":0,\"dir\":\"rx\",\"data\":\"\u{20AC}\"}\n";
    assert!(decode(wide.as_bytes()).is_err());
}
