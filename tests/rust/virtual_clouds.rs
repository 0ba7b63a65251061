//! Credentials that a virtual module makes by itself, held against the platforms' rules by the bench broker
//! (`research`: the formulas are those of each platform's documentation, `src/cloud`).

use std::time::Duration;

use modemrig::bench_broker::BenchBroker;
use modemrig::bench_broker::BenchOptions;
use modemrig::bench_broker::Clouds;
use modemrig::cloud::Method;
use modemrig::cloud::alibaba;
use modemrig::cloud::huawei;
use modemrig::cloud::onenet;
use modemrig::cloud::tencent;
use modemrig::mqtt::Packet;
use modemrig::mqtt::RecordedPacket;
use modemrig::virtual_module::CloudSigning;
use modemrig::virtual_module::Conditions;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::CALENDAR_START;
use modemrig::virtual_module::simulation::SimulatedModule;
use modemrig::virtual_module::simulation::Way;

use crate::simulated::quiet;
use crate::virtual_host::Host;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const KEY: &str = "KuF3NT/jUBJ62LNBB/A8XZA9CqS3Cu79B/ABmfA1UCw=";

fn module(dialect: &str, cloud: CloudSigning) -> SimulatedModule {
    let options = VirtualOptions { cloud, ..VirtualOptions::new(dialect) };
    quiet(&options)
}

/// Types the lines, opens and connects; what CONNECT carried: client id, user name, password.
fn connect(module: &mut SimulatedModule, lines: &[&str], conn: &str) -> (String, Option<String>, Option<String>) {
    for line in lines {
        assert_eq!("\r\nOK\r\n", module.ask(line, 0.1), "{line}");
    }
    assert!(module.ask("AT+QMTOPEN=0,\"cloud.example\",1883", 1.0).contains("+QMTOPEN: 0,0"));
    assert!(module.ask(conn, 1.0).contains("+QMTCONN: 0,0,0"), "{conn}");
    let network = module.network();
    let connect = |row: &RecordedPacket| match &row.packet {
        Packet::Connect(connect) => Some(connect.clone()),
        _ => None,
    };
    let sent = network.broker.record().filter_map(connect).last().expect("a CONNECT");
    let password = sent.password.map(|bytes| String::from_utf8(bytes).expect("text"));
    (sent.client_id, sent.username, password)
}

#[test]
fn alibaba_credentials_are_made_of_the_settings_in_every_dialect_that_has_them() {
    let device = alibaba::Device {
        product_key: "a1Zd7n5yTt8".into(),
        device_name: "device1".into(),
        device_secret: SECRET.into(),
    };
    let aliauth = format!("AT+QMTCFG=\"aliauth\",0,\"a1Zd7n5yTt8\",\"device1\",\"{SECRET}\"");
    for dialect in ["lte_standard_a", "ecx00u_egx00u", "ec200x_ec600x_eg912y", "bc35g_bc28"] {
        for (_, method) in Method::NAMES {
            for stamped in [false, true] {
                let cloud = CloudSigning { method, timestamp: stamped, ..CloudSigning::default() };
                let mut module = module(dialect, cloud);
                let (id, user, password) = connect(&mut module, &[&aliauth], "AT+QMTCONN=0,\"me\"");
                // The module's clock: what it took to get here is less than the open's second.
                let at = id.split_once("timestamp=").map(|(_, rest)| rest.trim_end_matches('|').parse().expect("ms"));
                assert_eq!(stamped, at.is_some(), "{id}");
                assert!(at.is_none_or(|ms: u64| (CALENDAR_START..CALENDAR_START + 60).contains(&(ms / 1000))), "{id}");
                let signing = alibaba::Signing { method, timestamp: at, tls: false };
                let expected = alibaba::sign(&device, "me", signing);
                assert_eq!(
                    (expected.client_id, Some(expected.username), Some(expected.password)),
                    (id, user, password)
                );
            }
        }
    }
}

#[test]
fn onenet_and_huawei_credentials_are_made_of_the_settings() {
    let hours = Duration::from_secs(7200);
    let cloud = CloudSigning { method: Method::Sha1, lifetime: hours, ..CloudSigning::default() };
    let onenet_line = format!("AT+QMTCFG=\"onenet\",0,\"123123\",\"{KEY}\"");
    let (id, user, token) = connect(&mut module("ecx00u_egx00u", cloud), &[&onenet_line], "AT+QMTCONN=0,\"mydev\"");
    let et = token.as_deref().and_then(|token| token.split("et=").nth(1)?.split('&').next()?.parse().ok());
    let device = onenet::Device { product_id: "123123".into(), device_name: "mydev".into(), access_key: KEY.into() };
    let expected = onenet::sign(&device, Method::Sha1, et.expect("an expiry")).expect("a key");
    assert_eq!((expected.client_id, Some(expected.username), Some(expected.password)), (id, user, token));
    assert!((7200..7260).contains(&(et.expect("an expiry") - CALENDAR_START)));

    let device = huawei::Device { device_id: "prod_node1".into(), secret: SECRET.into() };
    for (line, conn, kind) in [
        (format!("AT+QMTCFG=\"hwauth\",0,\"prod\",\"{SECRET}\""), "AT+QMTCONN=0,\"node1\"", huawei::Kind::Device),
        (format!("AT+QMTCFG=\"hwauth\",0,\"prod\",\"{SECRET}\""), "AT+QMTCONN=0,\"prod_node1\"", huawei::Kind::Device),
        (format!("AT+QMTCFG=\"hwprodid\",0,\"prod\",\"{SECRET}\",\"node1\""), "AT+QMTCONN=0,\"x\"", huawei::Kind::Node),
    ] {
        let mut module = module("ec200x_ec600x_eg912y", CloudSigning::default());
        let (id, user, password) = connect(&mut module, &[&line], conn);
        let made = huawei::sign(&device, kind, false, CALENDAR_START);
        assert_eq!((made.client_id, Some(made.username), Some(made.password)), (id, user, password), "{line} {conn}");
    }
}

#[test]
fn the_platform_told_of_last_counts_and_a_user_name_of_the_host_counts_more() {
    let onenet_line = format!("AT+QMTCFG=\"onenet\",0,\"123123\",\"{KEY}\"");
    let aliauth = format!("AT+QMTCFG=\"aliauth\",0,\"pk\",\"dn\",\"{SECRET}\"");
    let cloud = CloudSigning::default();
    let lines = [onenet_line.as_str(), aliauth.as_str()];
    let (_, user, _) = connect(&mut module("lte_standard_a", cloud), &lines, "AT+QMTCONN=0,\"me\"");
    assert_eq!(Some("dn&pk"), user.as_deref());
    let lines = [aliauth.as_str(), onenet_line.as_str()];
    let (_, user, _) = connect(&mut module("lte_standard_a", cloud), &lines, "AT+QMTCONN=0,\"me\"");
    assert_eq!(Some("123123"), user.as_deref());
    let (id, user, password) =
        connect(&mut module("lte_standard_a", cloud), &lines, "AT+QMTCONN=0,\"me\",\"own\",\"word\"");
    assert_eq!(("me", Some("own"), Some("word")), (id.as_str(), user.as_deref(), password.as_deref()));
    let ended = [aliauth.as_str(), "AT+QMTCFG=\"aliauth\",0,\"\",\"\",\"\""];
    let none = connect(&mut module("lte_standard_a", cloud), &ended, "AT+QMTCONN=0,\"me\"");
    assert_eq!(("me".to_owned(), None, None), none, "decision 45: empty values end it");
    let none = connect(&mut module("lte_standard_a", cloud), &[], "AT+QMTCONN=0,\"me\"");
    assert_eq!(("me".to_owned(), None, None), none);
}

#[test]
fn a_broker_that_is_the_platform_lets_the_right_device_in_and_refuses_others_with_the_code_of_the_case() {
    let clouds = Clouds {
        alibaba: vec![alibaba::Device {
            product_key: "pk".into(),
            device_name: "dn".into(),
            device_secret: SECRET.into(),
        }],
        onenet: vec![onenet::Device { product_id: "123123".into(), device_name: "me".into(), access_key: KEY.into() }],
        ..Clouds::default()
    };
    let aliauth = format!("AT+QMTCFG=\"aliauth\",0,\"pk\",\"dn\",\"{SECRET}\"");
    let onenet_line = format!("AT+QMTCFG=\"onenet\",0,\"123123\",\"{KEY}\"");
    let level4 = "AT+QMTCFG=\"version\",0,4";
    let timeless = Conditions { network_time: false, ..Conditions::default() };
    let late = Conditions { clock_error_s: -366 * 86_400, ..Conditions::default() };
    for (what, lines, conditions, code) in [
        ("the device", vec![aliauth.as_str()], Conditions::default(), 0),
        ("a wrong secret", vec!["AT+QMTCFG=\"aliauth\",0,\"pk\",\"dn\",\"no\""], Conditions::default(), 4),
        ("a stranger", vec!["AT+QMTCFG=\"aliauth\",0,\"pk\",\"other\",\"no\""], Conditions::default(), 5),
        ("too rare a sign of life", vec![&aliauth, "AT+QMTCFG=\"keepalive\",0,1201"], Conditions::default(), 5),
        ("OneNET", vec![&onenet_line, level4], Conditions::default(), 0),
        ("the wrong level", vec![onenet_line.as_str()], Conditions::default(), 1),
        ("a token of last year", vec![&onenet_line, level4], late, 4),
        ("a token of 1980, for want of network time", vec![&onenet_line, level4], timeless, 4),
    ] {
        let mut host = Host::with("lte_standard_a", |options| options.conditions = conditions);
        host.broker.set_clouds(Some(clouds.clone()), None);
        host.ok("ATE0");
        for line in lines {
            host.ok(line);
        }
        host.result("AT+QMTOPEN=0,\"cloud.example\",1883", "+QMTOPEN: 0,0");
        host.ok("AT+QMTCONN=0,\"me\"");
        let said = host.until("+QMTCONN: 0,");
        let result = host.until("\r\n");
        assert_eq!(format!("0,{code}\r\n"), result, "{what}: {said}{result}");
    }
}

const TOKEN: &str = "AT+QMTTENAUTH=\"1A17RZR3XX\",\"dev001\",\"1A17RZR3XX@dev001\",\"AAECAwQFBgcICQoLDA0ODw==\"";

#[test]
fn a_password_is_fetched_shown_again_and_lets_the_device_in() {
    let device = tencent::Device {
        product_id: "1A17RZR3XX".into(),
        device_name: "dev001".into(),
        device_secret: "AAECAwQFBgcICQoLDA0ODw==".into(),
    };
    let mut host = Host::with("bc35g_bc28", |_| {});
    host.ok("ATE0");
    host.broker.set_clouds(Some(Clouds { tencent: vec![device], ..Clouds::default() }), None);
    let url = host.broker.token_url();
    assert_eq!("\r\nOK\r\n", host.ok("AT+QMTTENAUTH?"), "nothing fetched yet (001 3.2.2)");
    host.ok(&format!("{TOKEN},60,\"{url}\""));
    host.until("+QMTTENAUTH: 0,\"");
    let password = host.until("\"\r\n").trim_end_matches("\"\r\n").to_owned();
    assert_eq!(format!("\r\n+QMTTENAUTH: \"{password}\"\r\n\r\nOK\r\n"), host.ok("AT+QMTENAUTH?"), "decision 1");
    host.result("AT+QMTOPEN=0,\"cloud.example\",1883", "+QMTOPEN: 0,0");
    host.result(&format!("AT+QMTCONN=0,\"1A17RZR3XX@dev001\",\"dev001\",\"{password}\""), "+QMTCONN: 0,0,0");
    host.result("AT+QMTDISC=0", "+QMTDISC: 0,0");
    host.ok("AT+QMTCLOSE=0");
    host.until("+QMTCLOSE: 0,0");
    let wrong = TOKEN.replace("AAEC", "BAEC");
    host.result(&format!("{wrong},60,\"{url}\""), "+QMTTENAUTH: 3");
}

#[test]
fn a_token_server_of_any_name_is_the_bench_s_and_a_name_that_leads_nowhere_leads_nowhere() {
    let device = tencent::Device {
        product_id: "1A17RZR3XX".into(),
        device_name: "dev001".into(),
        device_secret: "AAECAwQFBgcICQoLDA0ODw==".into(),
    };
    let bench = BenchBroker::start(BenchOptions::default()).expect("a broker");
    bench.set_clouds(Some(Clouds { tencent: vec![device], ..Clouds::default() }), None);
    let mut host = Host::with("bc35g_bc28", |options| options.token_url = Some(bench.token_url()));
    host.ok("ATE0");
    host.ok(&format!("{TOKEN},1,\"http://tokens.example/register/device\""));
    host.until("+QMTTENAUTH: 0,\"");
    host.until("\"\r\n");
    host.result(&format!("{TOKEN},1,\"http://tokens.invalid/register/device\""), "+QMTTENAUTH: 1");
}

#[test]
fn empty_texts_clear_a_platform_and_its_query_prints_what_was_written() {
    let aliauth = format!("AT+QMTCFG=\"aliauth\",0,\"pk\",\"dn\",\"{SECRET}\"");
    let cleared = "AT+QMTCFG=\"aliauth\",0,\"\",\"\",\"\"";
    for dialect in ["lte_standard_a", "ecx00u_egx00u", "ec200x_ec600x_eg912y", "bc35g_bc28"] {
        let mut module = module(dialect, CloudSigning::default());
        assert_eq!("\r\nOK\r\n", module.ask(&aliauth, 0.1));
        let shown = format!("\r\n+QMTCFG: \"aliauth\",\"pk\",\"dn\",\"{SECRET}\"\r\n\r\nOK\r\n");
        assert_eq!(shown, module.ask("AT+QMTCFG=\"aliauth\",0", 0.1), "{dialect}: the query prints the secret");
        let plain = ("me".to_owned(), None, None);
        assert_eq!(plain, connect(&mut module, &[cleared], "AT+QMTCONN=0,\"me\""), "{dialect}");
        let nothing = "\r\n+QMTCFG: \"aliauth\",\"\",\"\",\"\"\r\n\r\nOK\r\n";
        assert_eq!(nothing, module.ask("AT+QMTCFG=\"aliauth\",0", 0.1), "{dialect}");
    }
}

#[test]
fn each_way_to_get_no_password_has_its_code() {
    let url = ",60,\"http://token.example:8080/token\"";
    let http = |status: &str, body: &str| Way::Says(format!("HTTP/1.1 {status}\r\n\r\n{body}").into_bytes());
    let fine = "{\"password\":\"secret\"}";
    for (way, code) in [
        (Way::NotResolved, 1),
        (Way::Refused, 2),
        (http("403 Forbidden", "{}"), 3),
        (Way::RefusesWriteAfter(0), 4),
        (http("200 OK", "no JSON"), 5),
        (Way::Says(b"SSH-2.0-x\r\n".to_vec()), 5),
        (Way::NoAnswer, 6),
        (http("200 OK", fine), 0),
    ] {
        let mut module = module("bc35g_bc28", CloudSigning::default());
        module.network().ways.push_back(way.clone());
        let mut said = module.ask(&format!("{TOKEN}{url}"), 1.0);
        module.network().end_all(false);
        said += &module.after(194.5);
        let result = if code == 0 { "0,\"secret\"".to_owned() } else { code.to_string() };
        assert_eq!(format!("\r\nOK\r\n\r\n+QMTTENAUTH: {result}\r\n"), said, "{way:?} (001 3.2.2)");
    }
    let mut module = module("bc35g_bc28", CloudSigning::default());
    assert_eq!("\r\nOK\r\n\r\n+QMTTENAUTH: 1\r\n", module.ask(TOKEN, 1.0), "no address is known");
    assert_eq!("\r\nERROR\r\n", module.ask(&TOKEN.replace("AAEC", "!!!!"), 1.0), "a secret that cannot be one");
}
