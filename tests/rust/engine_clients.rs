//! The clients of both families against a scripted module: operations, messages, publishing, settings, leaving.

use std::time::Duration;

use modemrig::client::ClientState;
use modemrig::engine::Client;
use modemrig::engine::Credentials;
use modemrig::engine::Modem;
use modemrig::engine::Outgoing;
use modemrig::engine::Value;
use modemrig::engine::Wait;
use modemrig::error::Kind;

use crate::engine_script::Answer;
use crate::engine_script::SOON;
use crate::engine_script::Script;
use crate::engine_script::opened;

const QUECTEL: &str = "ecx00u_egx00u";
const SIMCOM: &str = "sim7028";
const OK: &str = "\r\nOK\r\n";

fn wait() -> Wait<'static> {
    Wait::at_most(SOON)
}

fn result(line: &str) -> Option<Answer> {
    Some(Answer::Say(format!("{OK}\r\n{line}\r\n")))
}

/// A Quectel module on which everything works at once.
fn willing(line: &str) -> Option<Answer> {
    let (name, rest) = line.split_once('=')?;
    let fields: Vec<&str> = rest.split(',').collect();
    match name {
        "AT+QMTOPEN" => result(&format!("+QMTOPEN: {},0", fields[0])),
        "AT+QMTCONN" => result(&format!("+QMTCONN: {},0,0", fields[0])),
        "AT+QMTSUB" => result(&format!("+QMTSUB: {},{},0,1", fields[0], fields[1])),
        "AT+QMTUNS" => result(&format!("+QMTUNS: {},{},0", fields[0], fields[1])),
        "AT+QMTDISC" => result(&format!("+QMTDISC: {},0", fields[0])),
        "AT+QMTCLOSE" => result(&format!("+QMTCLOSE: {},0", fields[0])),
        "AT+QMTPUBEX" => {
            let length = fields[5].parse().expect("a length");
            Some(Answer::Prompt(length, format!("{OK}\r\n+QMTPUBEX: {},{},0\r\n", fields[0], fields[1])))
        }
        "AT+QMTCFG" if fields.len() == 2 => {
            let values = match fields[0] {
                "\"timeout\"" => "5,3,0",
                "\"keepalive\"" => "120",
                "\"recv/mode\"" | "\"dataformat\"" => "0,0",
                _ => "0",
            };
            Some(Answer::Say(format!("\r\n+QMTCFG: {},{values}\r\n{OK}", fields[0])))
        }
        _ => None,
    }
}

fn connected(script: impl FnMut(&str) -> Option<Answer> + Send + 'static) -> (Modem, Client, Script) {
    let (modem, script) = opened(QUECTEL, script);
    let client = modem.client(0).expect("six");
    client.open("broker.lab", 1883, None, wait()).expect("opened");
    let me = Credentials { client_id: "me".into(), ..Credentials::default() };
    client.connect(&me, wait()).expect("connected");
    (modem, client, script)
}

fn message(qos: i64, payload: &[u8]) -> Outgoing {
    Outgoing { topic: "t".into(), payload: payload.to_vec(), qos, retain: false }
}

#[test]
fn a_whole_session_writes_the_documented_lines() {
    let (_modem, client, script) = connected(willing);
    assert_eq!(ClientState::Connected, client.state());
    let granted = client.subscribe(&[("a/b".into(), 1)], wait()).expect("subscribed");
    assert_eq!(vec![("a/b".to_owned(), Some(1))], granted);
    client.publish(&message(1, b"\x00\r\nOK\r\n\xff"), wait()).expect("taken").wait(wait()).expect("acknowledged");
    client.unsubscribe(&["a/b".into()], wait()).expect("unsubscribed");
    client.disconnect(wait()).expect("disconnected");
    assert_eq!(ClientState::Disconnected, client.state());
    client.close(wait()).expect("closed");
    assert_eq!(ClientState::Closed, client.state());
    let expected = vec![
        "AT+QMTCFG=\"ssl\",0",
        "AT+QMTCFG=\"recv/mode\",0",
        "AT+QMTCFG=\"recv/mode\",0,0,1",
        "AT+QMTCFG=\"dataformat\",0",
        "AT+QMTCFG=\"view/mode\",0",
        "AT+QMTOPEN=0,\"broker.lab\",1883",
        "AT+QMTCONN=0,\"me\"",
        "AT+QMTSUB=0,1,\"a/b\",1",
        "AT+QMTPUBEX=0,2,1,0,\"t\",8",
        "AT+QMTUNS=0,3,\"a/b\"",
        "AT+QMTDISC=0",
        "AT+QMTCLOSE=0",
    ];
    assert_eq!(expected, script.heard());
    assert_eq!(vec![b"\x00\r\nOK\r\n\xff".to_vec()], *script.payloads.lock());
}

#[test]
fn five_publishes_are_in_flight_and_the_sixth_waits_for_room() {
    let (_modem, client, script) = connected(|line| match line.starts_with("AT+QMTPUBEX") {
        true => Some(Answer::Prompt(1, OK.into())),
        false => willing(line),
    });
    let batch: Vec<Outgoing> = (0..5).map(|_| message(1, b"x")).collect();
    let receipts = client.publish_many(&batch, wait()).expect("all five handed over");
    assert!(receipts.iter().all(|receipt| receipt.result().is_none()));
    let error = client.publish(&message(1, b"x"), Wait::at_most(Duration::from_millis(50))).expect_err("no room");
    assert_eq!(Kind::NoAnswer, error.kind);
    script.say(&format!("\r\n+QMTPUBEX: 0,{},0\r\n", receipts[2].msgid()));
    let sixth = client.publish(&message(1, b"x"), wait()).expect("room again");
    assert!(receipts[2].wait(wait()).is_ok());
    script.say(&format!("\r\n+QMTPUBEX: 0,{},1,1\r\n\r\n+QMTPUBEX: 0,{},2\r\n", sixth.msgid(), sixth.msgid()));
    let error = sixth.wait(wait()).expect_err("given up");
    assert_eq!((Kind::RequestFailed, Some(2), 1), (error.kind, error.code, sixth.retries()));
    let ids: Vec<u16> = receipts.iter().map(|receipt| receipt.msgid()).collect();
    assert_eq!(vec![1, 2, 3, 4, 5], ids);
}

#[test]
fn messages_come_in_batches_with_any_content() {
    let (_modem, client, script) = connected(willing);
    let many: String = (0..500).map(|number| format!("\r\n+QMTRECV: 0,0,\"t/{number}\",\"m{number}\"\r\n")).collect();
    script.say(&many);
    let mut seen = Vec::new();
    while seen.len() < 500 {
        let taken = client.take_messages(64, wait()).expect("connected");
        assert!(!taken.is_empty() && taken.len() <= 64);
        seen.extend(taken);
    }
    let topics: Vec<String> = seen.iter().map(|it| String::from_utf8_lossy(&it.message.topic).into_owned()).collect();
    assert_eq!((0..500).map(|number| format!("t/{number}")).collect::<Vec<_>>(), topics);
    assert!(seen.windows(2).all(|two| two[0].at <= two[1].at));
    assert!(client.take_messages(64, Wait::at_most(Duration::from_millis(10))).expect("connected").is_empty());
}

#[test]
fn messages_in_the_modules_slots_are_fetched() {
    let (_modem, client, script) = connected(|line| match line {
        "AT+QMTRECV=0" => Some(Answer::Say(format!("\r\n+QMTRECV: 0,3,\"t\",6,\"stored\"\r\n{OK}"))),
        _ => willing(line),
    });
    script.say("\r\n+QMTRECV: 0,2\r\n");
    let taken = client.take_messages(8, wait()).expect("fetched");
    assert_eq!(vec![b"stored".to_vec()], taken.into_iter().map(|it| it.message.payload).collect::<Vec<_>>());
}

#[test]
fn a_loss_is_reported_once_with_meaning_and_ends_the_messages() {
    let (_modem, client, script) = connected(willing);
    script.say("\r\n+QMTRECV: 0,0,\"t\",\"last\"\r\n\r\n+QMTSTAT: 0,1\r\n");
    let loss = client.connection_lost(wait()).expect("open").expect("lost");
    assert_eq!((0, Some(1)), (loss.client, loss.code));
    assert!(loss.meaning.is_some() && loss.remedy.is_some());
    assert_eq!(ClientState::Closed, client.state());
    assert_eq!(1, client.take_messages(8, wait()).expect("what came before").len());
    assert_eq!(Kind::ConnectionLost, client.take_messages(8, wait()).expect_err("lost").kind);
    assert_eq!(None, client.connection_lost(Wait::at_most(Duration::from_millis(10))).expect("open"));
}

#[test]
fn a_client_left_open_by_another_program_is_closed_first() {
    let mut closed = false;
    let (modem, script) = opened(QUECTEL, move |line| {
        closed |= line.starts_with("AT+QMTCLOSE");
        match line.starts_with("AT+QMTOPEN") && !closed {
            true => result("+QMTOPEN: 0,2"),
            false => willing(line),
        }
    });
    modem.client(0).expect("six").open("h", 1883, None, wait()).expect("opened at last");
    let names: Vec<String> =
        script.heard().iter().map(|line| line.split('=').next().unwrap_or("").to_owned()).collect();
    assert_eq!(vec!["AT+QMTOPEN", "AT+QMTCLOSE", "AT+QMTOPEN"], names[names.len() - 3..]);
}

#[test]
fn a_refusing_broker_is_the_networks_fault_with_its_code() {
    let (modem, _script) = opened(QUECTEL, |line| match line.starts_with("AT+QMTCONN") {
        true => result("+QMTCONN: 0,0,5\r\n\r\n+QMTSTAT: 0,4"),
        false => willing(line),
    });
    let client = modem.client(0).expect("six");
    client.open("h", 1883, None, wait()).expect("opened");
    let me = Credentials { client_id: "me".into(), username: Some("u".into()), password: Some("p".into()) };
    let error = client.connect(&me, wait()).expect_err("refused");
    assert_eq!((Kind::BrokerRefused, Some(5)), (error.kind, error.code));
    assert!(error.meaning.is_some(), "{error}");
}

#[test]
fn one_parameter_of_several_is_changed_and_everything_is_restored_at_the_end() {
    let (modem, script) = opened(QUECTEL, willing);
    let client = modem.client(0).expect("six");
    client.configure(&[("packet_timeout_s".into(), 9.into()), ("keepalive_s".into(), 60.into())], wait()).expect("set");
    let wrote: Vec<String> = script.heard().into_iter().filter(|line| line.matches(',').count() > 1).collect();
    assert_eq!(vec!["AT+QMTCFG=\"timeout\",0,9,3,0", "AT+QMTCFG=\"keepalive\",0,60"], wrote);
    modem.close_gracefully(wait()).expect("left as found");
    let restored: Vec<String> = script.heard().into_iter().rev().take(2).collect();
    assert_eq!(vec!["AT+QMTCFG=\"timeout\",0,5,3,0", "AT+QMTCFG=\"keepalive\",0,120"], restored);
    assert!(modem.is_closed());
}

#[test]
fn settings_are_read_by_key_parameter_and_friendly_name() {
    let (modem, _script) = opened(QUECTEL, willing);
    let client = modem.client(0).expect("six");
    let all = client.settings(wait()).expect("asked");
    assert_eq!(Some(&Value::Int(3)), all["timeout"].get("retry_times"));
    assert_eq!(modem.setting_names().len(), all.len());
    let one = client.setting("keepalive_s", wait()).expect("asked");
    assert_eq!(vec![("keepalive_s".to_owned(), Value::Int(120))], one.into_iter().collect::<Vec<_>>());
    let error = client.setting("hwauth", wait()).expect_err("another document's");
    assert_eq!(Kind::Unsupported, error.kind);
}

#[test]
fn a_binary_will_goes_through_the_prompt() {
    let (modem, script) = opened(QUECTEL, |line| match line.contains("willex\",0,1") {
        true => Some(Answer::Prompt(2, OK.into())),
        false => willing(line),
    });
    let client = modem.client(0).expect("six");
    let will = Value::List(vec!["w".into(), Value::Bytes(vec![0, 0xff]), 1.into(), 0.into()]);
    client.configure(&[("will".into(), will)], wait()).expect("set");
    assert!(script.heard().contains(&"AT+QMTCFG=\"willex\",0,1,1,0,\"w\",2".to_owned()), "{:?}", script.heard());
    assert_eq!(vec![vec![0, 0xff]], *script.payloads.lock());
}

/// A SIMCom module on which everything works at once.
fn simcom(line: &str) -> Option<Answer> {
    let length = || line.split([',', '=']).nth(2).and_then(|field| field.parse().ok()).expect("a length");
    let name = line.split('=').next()?;
    match name {
        "AT+CMQTTSTART" => result("+CMQTTSTART: 0"),
        "AT+CMQTTSTOP" => result("+CMQTTSTOP: 0"),
        "AT+CMQTTCONNECT" => result("+CMQTTCONNECT: 0,0"),
        "AT+CMQTTDISC" => result("+CMQTTDISC: 0,0"),
        "AT+CMQTTPUB" => result("+CMQTTPUB: 0,0"),
        "AT+CMQTTSUB" => Some(Answer::Prompt(length(), format!("{OK}\r\n+CMQTTSUB: 0,0\r\n"))),
        "AT+CMQTTUNSUB" => Some(Answer::Prompt(length(), format!("{OK}\r\n+CMQTTUNSUB: 0,0\r\n"))),
        "AT+CMQTTTOPIC" | "AT+CMQTTPAYLOAD" | "AT+CMQTTWILLTOPIC" | "AT+CMQTTWILLMSG" => {
            Some(Answer::Prompt(length(), OK.into()))
        }
        "AT+CMQTTCFG?" => Some(Answer::Say(format!("\r\n+CMQTTCFG: 0,1,120\r\n{OK}"))),
        _ => None,
    }
}

#[test]
fn simcom_hides_its_sequence_behind_the_same_operations() {
    let (modem, script) = opened(SIMCOM, simcom);
    let client = modem.client(0).expect("one");
    let will = Value::List(vec!["w".into(), Value::Bytes(b"bye".to_vec()), 1.into(), 0.into()]);
    let settings =
        [("keepalive_s".to_owned(), 60.into()), ("check_utf8".to_owned(), 0.into()), ("will".to_owned(), will)];
    client.configure(&settings, wait()).expect("kept");
    client.open("broker.lab", 1883, None, wait()).expect("started");
    let me = Credentials { client_id: "me".into(), ..Credentials::default() };
    client.connect(&me, wait()).expect("connected");
    assert_eq!(ClientState::Connected, client.state());
    client.subscribe(&[("a".into(), 1)], wait()).expect("subscribed");
    client.publish(&message(1, b"hello"), wait()).expect("taken").wait(wait()).expect("acknowledged");
    client.publish(&message(0, b""), wait()).expect("an empty message");
    script
        .say("\r\n+CMQTTRXSTART: 0,1,2\r\n+CMQTTRXTOPIC: 0,1\r\na\r\n+CMQTTRXPAYLOAD: 0,2\r\nhi\r\n+CMQTTRXEND: 0\r\n");
    let taken = client.take_messages(8, wait()).expect("a message");
    assert_eq!(b"hi".to_vec(), taken[0].message.payload);
    client.unsubscribe(&["a".into()], wait()).expect("unsubscribed");
    client.close(wait()).expect("released and stopped");
    let expected = vec![
        "AT+CMQTTSTART",
        "AT+CMQTTACCQ=0,\"me\",0",
        "AT+CMQTTWILLTOPIC=0,1",
        "AT+CMQTTWILLMSG=0,3,1",
        "AT+CMQTTCFG=\"checkUTF8\",0,0",
        "AT+CMQTTCONNECT=0,\"tcp://broker.lab:1883\",60,0",
        "AT+CMQTTSUB=0,1,1",
        "AT+CMQTTTOPIC=0,1",
        "AT+CMQTTPAYLOAD=0,5",
        "AT+CMQTTPUB=0,1,60,0",
        "AT+CMQTTTOPIC=0,1",
        "AT+CMQTTPUB=0,0,60,0",
        "AT+CMQTTUNSUB=0,1,0",
        "AT+CMQTTDISC=0",
        "AT+CMQTTREL=0",
        "AT+CMQTTSTOP",
    ];
    assert_eq!(expected, script.heard());
}

#[test]
fn simcom_explains_a_refusal_by_the_line_beside_the_error() {
    for wire in [
        "\r\n+CMQTTCONNECT: 0,3\r\n\r\nERROR\r\n",
        "\r\nERROR\r\n\r\n+CMQTTCONNECT: 0,3\r\n",
        "\r\nOK\r\n\r\n+CMQTTCONNECT: 0,3\r\n",
    ] {
        let (modem, _script) = opened(SIMCOM, move |line| match line.starts_with("AT+CMQTTCONNECT") {
            true => Some(Answer::Say(wire.into())),
            false => simcom(line),
        });
        let client = modem.client(0).expect("one");
        client.open("h", 1883, None, wait()).expect("started");
        let me = Credentials { client_id: "me".into(), ..Credentials::default() };
        let error = client.connect(&me, wait()).expect_err("refused");
        assert_eq!((Kind::OpenFailed, Some(3)), (error.kind, error.code), "{wire:?}");
        assert!(error.meaning.is_some(), "{wire:?}: {error}");
    }
}

#[test]
fn simcom_waits_while_the_client_is_busy() {
    let mut busy = 2;
    let (modem, script) = opened(SIMCOM, move |line| {
        if line.starts_with("AT+CMQTTTOPIC") && busy > 0 {
            busy -= 1;
            return Some(Answer::Say("\r\n+CMQTTTOPIC: 0,14\r\n\r\nERROR\r\n".into()));
        }
        simcom(line)
    });
    let client = modem.client(0).expect("one");
    client.open("h", 1883, None, wait()).expect("started");
    let me = Credentials { client_id: "me".into(), ..Credentials::default() };
    client.connect(&me, wait()).expect("connected");
    client.publish(&message(1, b"x"), wait()).expect("taken at the third try");
    assert_eq!(3, script.heard().iter().filter(|line| line.starts_with("AT+CMQTTTOPIC")).count());
}

#[test]
fn a_file_is_uploaded_once_and_its_checksum_verified() {
    let mut stored = false;
    let (modem, script) = opened(QUECTEL, move |line| match line {
        "AT+QFLST=\"*\"" if stored => Some(Answer::Say(format!("\r\n+QFLST: \"UFS:ca.pem\",4\r\n{OK}"))),
        _ if line.starts_with("AT+QFUPL") => {
            stored = true;
            Some(Answer::Upload(4, format!("\r\n+QFUPL: 4,{:x}\r\n{OK}", 0x4142 ^ 0x4344)))
        }
        _ => None,
    });
    assert!(modem.upload("UFS:ca.pem", b"ABCD", wait()).expect("stored"));
    assert!(!modem.upload("UFS:ca.pem", b"ABCD", wait()).expect("there already"));
    assert_eq!(1, script.heard().iter().filter(|line| line.starts_with("AT+QFUPL")).count());
    let error = modem.upload("UFS:ca.pem", b"ABCE", wait()).expect_err("the module stored something else");
    assert_eq!(Kind::Garbled, error.kind);
}
