//! SIM7028: service, client and connection; which command runs in which state, what is cleared by what, in which order the
//! lines come. Each test names the decision (docs/decisions.md) or the section of the document it proves.

use modemrig::dialect::catalogue;
use modemrig::mqtt::Kind;
use modemrig::mqtt::Packet;
use modemrig::mqtt::Qos;
use modemrig::mqtt::Will;
use modemrig::virtual_module::simulation::Way;

use crate::sim7028_host::CONNECT;
use crate::sim7028_host::Sim;
use crate::sim7028_host::wire;

/// Commands of the state table; the name is what stands before the equals sign.
const COMMANDS: [&str; 17] = [
    "AT+CMQTTSTART",
    "AT+CMQTTSTOP",
    "AT+CMQTTACCQ=0,\"again\"",
    "AT+CMQTTREL=0",
    "AT+CMQTTSSLCFG=0,1",
    "AT+CMQTTCFG=\"optimeout\",0,60",
    "AT+CMQTTWILLTOPIC=0,1",
    "AT+CMQTTWILLMSG=0,1,0",
    CONNECT,
    "AT+CMQTTDISC=0,60",
    "AT+CMQTTTOPIC=0,1",
    "AT+CMQTTPAYLOAD=0,1",
    "AT+CMQTTSUBTOPIC=0,1,0",
    "AT+CMQTTUNSUBTOPIC=0,1",
    "AT+CMQTTPUB=0,0,60",
    "AT+CMQTTSUB=0,1,0",
    "AT+CMQTTUNSUB=0,1,0",
];

/// Rows: `+` runs, `-` is ERROR alone, a number is the command's own line with that code, then ERROR.
const STATES: [(&str, &str); 7] = [
    ("stopped", "+ - - - - - - - - - - - - - - - -"),
    ("started", "- + + 20 + - 20 20 20 20 20 20 20 20 20 20 20"),
    ("acquired", "- 21 19 + + + + + + 11 + + + + 11 11 11"),
    ("connecting", "- 21 19 14 - - + + 14 14 + + + + 14 14 14"),
    ("connected", "- 21 19 14 - - + + 19 + + + + + 18 + +"),
    ("disconnecting", "- 21 19 14 - - + + 14 14 + + + + 14 14 14"),
    ("lost", "- 21 19 14 - - + + 14 11 + + + + 11 11 11"),
];

fn in_state(state: &str) -> Sim {
    match state {
        "stopped" => Sim::new(),
        "started" => Sim::started(),
        "acquired" => Sim::acquired(),
        "connecting" => {
            let mut sim = Sim::acquired();
            sim.ways([Way::NoAnswer]);
            sim.talk(&[(CONNECT, "OK")]);
            sim
        }
        "connected" => Sim::connected(),
        "disconnecting" => {
            let mut sim = Sim::connected();
            sim.module.network().stall();
            sim.talk(&[("AT+CMQTTDISC=0", "OK")]);
            sim
        }
        // What follows a result keeps its distance: long enough here that the host can speak in between.
        _ => {
            let mut sim = Sim::with(|options| options.gap = std::time::Duration::from_secs(5)).into_connected();
            sim.talk(&[("AT+CMQTTTOPIC=0,1", ">"), ("t", "OK"), ("AT+CMQTTPUB=0,0,60", "OK")]);
            sim.module.network().end_all(false);
            sim.module.advance(std::time::Duration::ZERO);
            sim
        }
    }
}

impl Sim {
    /// For a module whose results take long.
    fn into_connected(mut self) -> Sim {
        for line in ["AT+CMQTTSTART", "AT+CMQTTACCQ=0,\"me\"", CONNECT] {
            assert!(self.module.ask(line, 10.0).contains("\r\nOK\r\n"), "{line}");
        }
        self
    }
}

#[test]
fn decision_25_every_command_is_answered_by_the_state_of_service_and_client() {
    for (state, row) in STATES {
        assert_eq!(COMMANDS.len(), row.split(' ').count(), "{state}");
        for (command, rule) in COMMANDS.iter().zip(row.split(' ')) {
            let said = in_state(state).send(command);
            let name = command.split('=').next().unwrap_or_default().trim_start_matches("AT");
            let client = if name == "+CMQTTSTOP" { "" } else { "0," };
            match rule {
                "+" => assert!(said.starts_with("\r\nOK\r\n") || said == "\r\n> ", "{state}: {command}: {said:?}"),
                "-" => assert_eq!("\r\nERROR\r\n", said, "{state}: {command}"),
                code => {
                    assert_eq!(wire(&format!("{name}: {client}{code}|ERROR")), said, "{state}: {command}");
                }
            }
        }
    }
}

/// 3.2.1: "any other write or read command returns ERROR at once"; what the read forms say in the other states.
#[test]
fn section_3_2_read_forms_in_every_state() {
    let forms = ["ACCQ", "REL", "SSLCFG", "CONNECT", "DISC", "SUB", "CFG"];
    let rows = [
        ("stopped", ["ERROR"; 7]),
        (
            "started",
            [
                "OK",
                "OK",
                "+CMQTTSSLCFG: 0,0|OK",
                "+CMQTTCONNECT: 0|OK",
                "+CMQTTDISC: 0,1|OK",
                "+CMQTTSUB:|OK",
                "+CMQTTCFG: 0,1,120|OK",
            ],
        ),
        (
            "acquired",
            [
                "+CMQTTACCQ: 0,\"me\",0|OK",
                "OK",
                "+CMQTTSSLCFG: 0,0|OK",
                "+CMQTTCONNECT: 0|OK",
                "+CMQTTDISC: 0,1|OK",
                "+CMQTTSUB:|OK",
                "+CMQTTCFG: 0,1,120|OK",
            ],
        ),
        (
            "connected",
            [
                "+CMQTTACCQ: 0,\"me\",0|OK",
                "OK",
                "+CMQTTSSLCFG: 0,0|OK",
                "+CMQTTCONNECT: 0,\"tcp://broker.example\",60,1|OK",
                "+CMQTTDISC: 0,0|OK",
                "+CMQTTSUB:|OK",
                "+CMQTTCFG: 0,1,120|OK",
            ],
        ),
    ];
    for (state, answers) in rows {
        let mut sim = in_state(state);
        for (form, answer) in forms.iter().zip(answers) {
            assert_eq!(wire(answer), sim.send(&format!("AT+CMQTT{form}?")), "{state}: {form}");
        }
    }
}

/// Also what contradicts the single client stands as printed; and it stands there while the service is stopped.
#[test]
fn decision_7_test_replies_are_those_of_the_document() {
    let replies = [
        ("START", "OK"),
        ("STOP", "OK"),
        ("ACCQ", "+CMQTTACCQ: (0-0),(1-256)[,(0-1)]|OK"),
        ("REL", "+CMQTTREL: (0-1)|OK"),
        ("SSLCFG", "+CMQTTSSLCFG: (0,0),(0-1)|OK"),
        ("WILLTOPIC", "+CMQTTWILLTOPIC: (0-0),(1-1024)|OK"),
        ("WILLMSG", "+CMQTTWILLMSG: (0-0),(1-1024),(0-2)|OK"),
        ("CONNECT", "+CMQTTCONNECT: (0-0),(1-128),(1-64800),(0-1)[,<user_name>,<pass_word>]|OK"),
        ("DISC", "+CMQTTDISC: (0-0),(0, 60-180)|OK"),
        ("TOPIC", "+CMQTTTOPIC: (0-0),(1-1024)|OK"),
        ("PAYLOAD", "+CMQTTPAYLOAD: (0-0),(1-10240)|OK"),
        ("PUB", "+CMQTTPUB: (0-0),(0-2),(60-180),(0-1),(0-1)|OK"),
        ("SUB", "+CMQTTSUB: (0-0),(1-1024),(0-2),(0-1)|OK"),
        ("UNSUB", "+CMQTTUNSUB: (0-0),(1-1024),(0-2),(0-1)|OK"),
        ("CFG", "+CMQTTCFG: \"checkUTF8\",(0-0),(0-1)\n+CMQTTCFG: \"optimeout\",(0-0)|OK"),
    ];
    for mut sim in [Sim::new(), Sim::connected()] {
        for (name, reply) in replies {
            sim.talk(&[(&format!("AT+CMQTT{name}=?"), reply)]);
        }
    }
}

/// 3.2.1, 3.2.2: what precedes OK or ERROR and what follows it; started or stopped twice is ERROR alone.
#[test]
fn section_3_2_1_start_and_stop_have_the_printed_line_orders() {
    Sim::new().talk(&[
        ("AT+CMQTTSTOP", "ERROR"),
        ("AT+CMQTTSTART", "OK|+CMQTTSTART: 0"),
        ("AT+CMQTTSTART", "ERROR"),
        ("AT+CMQTTSTOP", "OK|+CMQTTSTOP: 0"),
        ("AT+CMQTTSTOP", "ERROR"),
        ("AT+CMQTTSTART", "OK|+CMQTTSTART: 0"),
        ("AT+CMQTTACCQ=0,\"me\"", "OK"),
        ("AT+CMQTTSTOP", "+CMQTTSTOP: 21|ERROR"),
        ("AT+CMQTTREL=0", "OK"),
        ("AT+CMQTTREL=0", "+CMQTTREL: 0,20|ERROR"),
        ("AT+CMQTTSTOP", "OK|+CMQTTSTOP: 0"),
    ]);
    let mut sim = Sim::new();
    sim.talk(&[("AT+CGATT=0", "OK"), ("AT+CMQTTSTART", "OK|+CMQTTSTART: 7"), ("AT+CMQTTACCQ?", "ERROR")]);
    sim.talk(&[("AT+CGATT=1", "OK"), ("AT+CMQTTSTART", "OK|+CMQTTSTART: 0")]);
}

#[test]
fn section_3_2_3_a_client_id_has_1_to_256_bytes_and_is_utf_8() {
    let id = |length: usize| format!("AT+CMQTTACCQ=0,\"{}\",1", "x".repeat(length));
    let mut sim = Sim::started();
    sim.talk(&[(&id(0), "ERROR"), (&id(257), "ERROR"), ("AT+CMQTTACCQ=0,\"a\",2", "ERROR")]);
    sim.talk(&[("AT+CMQTTACCQ=1,\"a\"", "ERROR"), ("AT+CMQTTACCQ=0,a", "ERROR"), ("AT+CMQTTACCQ=0", "ERROR")]);
    sim.module.host(b"AT+CMQTTACCQ=0,\"\xff\"\r");
    sim.then(0.1, "+CMQTTACCQ: 0,2|ERROR");
    sim.talk(&[(&id(256), "OK"), ("AT+CMQTTREL=0", "OK")]);
    // Length in bytes, not in characters (decision 11).
    sim.talk(&[(&format!("AT+CMQTTACCQ=0,\"{}\"", "é".repeat(129)), "ERROR")]);
    sim.talk(&[(&format!("AT+CMQTTACCQ=0,\"{}\"", "é".repeat(128)), "OK")]);
}

/// 3.2.5: after START and before CONNECT; cleared by a CONNECT that fails, and by DISC.
#[test]
fn section_3_2_5_the_choice_of_a_tls_context_has_its_window_and_its_end() {
    let mut sim = Sim::new();
    let (one, zero) = ("+CMQTTSSLCFG: 0,1|OK", "+CMQTTSSLCFG: 0,0|OK");
    sim.talk(&[("AT+CMQTTSSLCFG=0,1", "ERROR"), ("AT+CMQTTSTART", "OK|+CMQTTSTART: 0")]);
    for wrong in ["AT+CMQTTSSLCFG=0,2", "AT+CMQTTSSLCFG=1,0", "AT+CMQTTSSLCFG=0", "AT+CMQTTSSLCFG=0,-1"] {
        sim.talk(&[(wrong, "ERROR")]);
    }
    sim.talk(&[("AT+CMQTTSSLCFG=0,1", "OK"), ("AT+CMQTTSSLCFG?", one)]);
    // Neither acquiring nor releasing a client touches it.
    sim.talk(&[("AT+CMQTTACCQ=0,\"me\"", "OK"), ("AT+CMQTTREL=0", "OK"), ("AT+CMQTTACCQ=0,\"me\"", "OK")]);
    sim.talk(&[("AT+CMQTTSSLCFG?", one)]);
    sim.ways([Way::Refused]);
    sim.talk(&[(CONNECT, "OK|+CMQTTCONNECT: 0,3"), ("AT+CMQTTSSLCFG?", zero)]);
    sim.talk(&[("AT+CMQTTSSLCFG=0,1", "OK"), (CONNECT, "OK|+CMQTTCONNECT: 0,0"), ("AT+CMQTTSSLCFG?", one)]);
    sim.talk(&[("AT+CMQTTSSLCFG=0,0", "ERROR"), ("AT+CMQTTDISC=0", "OK|+CMQTTDISC: 0,0"), ("AT+CMQTTSSLCFG?", zero)]);
    // A connection that is lost is neither.
    sim.talk(&[("AT+CMQTTSSLCFG=0,1", "OK"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
    sim.module.network().end_all(false);
    sim.then(1.0, "+CMQTTCONNLOST: 0,1");
    sim.talk(&[("AT+CMQTTSSLCFG?", one)]);
}

/// 3.2.15: after ACCQ and before CONNECT, until REL.
#[test]
fn section_3_2_15_settings_last_until_the_client_is_released() {
    let set = "+CMQTTCFG: 0,0,24|OK";
    let mut sim = Sim::started();
    sim.talk(&[("AT+CMQTTCFG=\"checkUTF8\",0,0", "ERROR"), ("AT+CMQTTACCQ=0,\"me\"", "OK")]);
    for wrong in [
        "\"checkUTF8\",0,2",
        "\"checkUTF8\",1,0",
        "\"checkUTF8\",0",
        "\"optimeout\",0,19",
        "\"optimeout\",0,121",
        "\"optimeout\",0.24",
        "\"opttimeout\",0,24",
        "optimeout,0,24",
    ] {
        sim.talk(&[(&format!("AT+CMQTTCFG={wrong}"), "ERROR")]);
    }
    sim.talk(&[("AT+CMQTTCFG?", "+CMQTTCFG: 0,1,120|OK")]);
    // Decision 3: keys in either case.
    sim.talk(&[("AT+CMQTTCFG=\"CHECKutf8\",0,0", "OK"), ("at+cmqttcfg=\"OPTIMEOUT\",0,24", "OK")]);
    sim.talk(&[("AT+CMQTTCFG?", set), (CONNECT, "OK|+CMQTTCONNECT: 0,0"), ("AT+CMQTTCFG?", set)]);
    sim.talk(&[("AT+CMQTTCFG=\"optimeout\",0,30", "ERROR"), ("AT+CMQTTDISC=0", "OK|+CMQTTDISC: 0,0")]);
    sim.talk(&[("AT+CMQTTCFG?", set), (CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
    sim.module.network().end_all(true);
    sim.then(1.0, "+CMQTTCONNLOST: 0,2");
    sim.talk(&[("AT+CMQTTCFG?", set), ("AT+CMQTTREL=0", "OK"), ("AT+CMQTTCFG?", "+CMQTTCFG: 0,1,120|OK")]);
}

/// 3.2.9, decision 9: the time-out may be left out; 0 and 60 to 180 are times, 1 to 59 are not.
#[test]
fn decision_9_the_time_of_a_disconnection() {
    for wrong in ["0,1", "0,59", "0,181", "0,-1", "1", "1,60", "0,60,1", "", "0,\"60\""] {
        Sim::connected().talk(&[(&format!("AT+CMQTTDISC={wrong}"), "ERROR"), ("AT+CMQTTDISC?", "+CMQTTDISC: 0,0|OK")]);
    }
    for right in ["0", "0,0", "0,60", "0,180"] {
        let mut sim = Sim::connected();
        sim.talk(&[(&format!("AT+CMQTTDISC={right}"), "OK|+CMQTTDISC: 0,0"), ("AT+CMQTTDISC?", "+CMQTTDISC: 0,1|OK")]);
        assert_eq!(vec![Packet::Disconnect], sim.sent(Kind::Disconnect));
        sim.talk(&[("AT+CMQTTDISC=0", "+CMQTTDISC: 0,11|ERROR"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
    }
}

/// 3.2.9: a peer that takes nothing more; the time ends it with 35, and without one it lasts until the peer goes.
#[test]
fn section_3_2_9_a_disconnection_ends_in_its_time() {
    let patient = "AT+CMQTTCONNECT=0,\"tcp://h\",64800,1";
    let mut sim = Sim::acquired().connect(patient);
    sim.module.network().stall();
    sim.talk(&[("AT+CMQTTDISC=0,60", "OK")]);
    sim.then(59.8, "");
    sim.then(0.2, "+CMQTTDISC: 0,35");
    sim.talk(&[("AT+CMQTTACCQ?", "+CMQTTACCQ: 0,\"me\",0|OK"), (patient, "OK|+CMQTTCONNECT: 0,0")]);
    sim.module.network().stall();
    sim.talk(&[("AT+CMQTTDISC=0,0", "OK")]);
    sim.then(1000.0, "");
    sim.module.network().end_all(false);
    sim.then(1.0, "+CMQTTDISC: 0,0");
    sim.talk(&[("AT+CMQTTREL=0", "OK")]);
    let mut sim = Sim::connected();
    sim.module.network().refuse_writes();
    sim.talk(&[("AT+CMQTTDISC=0", "OK|+CMQTTDISC: 0,35"), ("AT+CMQTTREL=0", "OK")]);
}

/// 3.2.8: `tcp://host[:port]`, up to 128 bytes; keep-alive 1 to 64800; clean session is wanted; names and passwords 1 to 256.
#[test]
fn section_3_2_8_what_connect_takes() {
    let bad_address = [
        "broker.example:1883",
        "tcp:/broker.example",
        "TCP://broker.example",
        "ssl://broker.example:8883",
        "mqtt://broker.example",
        "tcp://",
        "tcp://:1883",
        "tcp://broker.example:",
        "tcp://broker.example:0",
        "tcp://broker.example:65536",
        "tcp://broker.example:x",
        "tcp://broker.example/topic",
        "",
    ];
    let mut sim = Sim::acquired();
    for address in bad_address {
        sim.talk(&[(&format!("AT+CMQTTCONNECT=0,\"{address}\",60,1"), "ERROR")]);
    }
    let address = |length: usize| format!("tcp://{}", "h".repeat(length - 6));
    let text = |length: usize| "u".repeat(length);
    for rest in [
        "\"tcp://h\",0,1".to_owned(),
        "\"tcp://h\",64801,1".to_owned(),
        "\"tcp://h\",60,2".to_owned(),
        "\"tcp://h\",60".to_owned(),
        "\"tcp://h\",,1".to_owned(),
        "tcp://h,60,1".to_owned(),
        format!("\"{}\",60,1", address(129)),
        format!("\"tcp://h\",60,1,\"{}\"", text(257)),
        "\"tcp://h\",60,1,\"\"".to_owned(),
        format!("\"tcp://h\",60,1,\"u\",\"{}\"", text(257)),
        "\"tcp://h\",60,1,,\"p\"".to_owned(),
        "\"tcp://h\",60,1,\"u\",\"p\",1".to_owned(),
    ] {
        sim.talk(&[(&format!("AT+CMQTTCONNECT=0,{rest}"), "ERROR")]);
    }
    assert!(sim.sent(Kind::Connect).is_empty());
    for rest in [
        "\"tcp://h\",1,1".to_owned(),
        "\"tcp://h:65535\",64800,0".to_owned(),
        format!("\"{}\",60,1", address(128)),
        format!("\"tcp://h\",60,1,\"{}\"", text(256)),
        format!("\"tcp://h\",60,1,\"u\",\"{}\"", "p".repeat(256)),
    ] {
        sim.talk(&[(&format!("AT+CMQTTCONNECT=0,{rest}"), "OK|+CMQTTCONNECT: 0,0")]);
        sim.talk(&[("AT+CMQTTCONNECT?", &format!("+CMQTTCONNECT: 0,{rest}|OK"))]);
        sim.talk(&[("AT+CMQTTDISC=0", "OK|+CMQTTDISC: 0,0")]);
        sim.talk(&[("AT+CMQTTCONNECT?", "+CMQTTCONNECT: 0|OK")]);
    }
}

/// 3.2.6 to 3.2.8: what CONNECT carries.
#[test]
fn section_3_2_8_connect_says_what_was_set() {
    let mut sim = Sim::acquired();
    sim.talk(&[("AT+CMQTTWILLTOPIC=0,3", ">"), ("a/b", "OK"), ("AT+CMQTTWILLMSG=0,4,2", ">"), ("gone", "OK")]);
    sim.talk(&[("AT+CMQTTCONNECT=0,\"tcp://h\",64800,0,\"us\",\"pw\"", "OK|+CMQTTCONNECT: 0,0")]);
    let Some(Packet::Connect(connect)) = sim.sent(Kind::Connect).pop() else { panic!("no CONNECT") };
    assert_eq!(("me", false, 64800), (connect.client_id.as_str(), connect.clean_session, connect.keep_alive));
    assert_eq!((Some("us"), Some(&b"pw"[..])), (connect.username.as_deref(), connect.password.as_deref()));
    let will = Will { topic: "a/b".into(), payload: b"gone".to_vec(), qos: Qos::ExactlyOnce, retain: false };
    assert_eq!(Some(will), connect.will);
}

/// STATE-MACHINES 3.1: a will needs topic and message, may be typed while connected for the next connection, outlives
/// disconnection, and goes with the client.
#[test]
fn section_3_1_a_will_lasts_until_the_client_is_released() {
    let mut sim = Sim::acquired();
    let mut wills = Vec::new();
    let again = [("AT+CMQTTDISC=0", "OK|+CMQTTDISC: 0,0"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")];
    sim.talk(&[("AT+CMQTTWILLTOPIC=0,1", ">"), ("w", "OK"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
    sim.talk(&[("AT+CMQTTWILLMSG=0,3,1", ">"), ("bye", "OK")]);
    sim.talk(&again);
    sim.talk(&again);
    sim.talk(&[("AT+CMQTTDISC=0", "OK|+CMQTTDISC: 0,0"), ("AT+CMQTTREL=0", "OK"), ("AT+CMQTTACCQ=0,\"me\"", "OK")]);
    sim.talk(&[(CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
    for packet in sim.sent(Kind::Connect) {
        let Packet::Connect(connect) = packet else { continue };
        wills.push(connect.will.map(|will| String::from_utf8_lossy(&will.payload).into_owned()));
    }
    assert_eq!(vec![None, Some("bye".to_owned()), Some("bye".to_owned()), None], wills);
}

#[test]
fn a_will_whose_topic_has_wildcards_is_an_invalid_parameter_of_the_connection() {
    let mut sim = Sim::acquired();
    sim.talk(&[("AT+CMQTTWILLTOPIC=0,3", ">"), ("a/#", "OK"), ("AT+CMQTTWILLMSG=0,1,0", ">"), ("x", "OK")]);
    sim.talk(&[(CONNECT, "OK|+CMQTTCONNECT: 0,12"), ("AT+CMQTTREL=0", "OK")]);
}

/// Decision 25: each failure of CONNECT by its cause, behind OK; the client stays acquired and can try again.
#[test]
fn decision_25_a_connection_that_fails_leaves_the_client_acquired() {
    let cases = [
        (Way::NotResolved, 25, 0.0),
        (Way::Refused, 3, 0.0),
        (Way::TlsFails, 32, 0.0),
        (Way::NoAnswer, 17, 120.0),
        (Way::Says(Vec::new()), 17, 120.0),
        (Way::Says(b"\x90\x03\x00\x01\x00".to_vec()), 24, 0.0),
        (Way::ClosedAfter(0), 26, 0.0),
        (Way::ResetAfter(2), 26, 0.0),
    ];
    for (way, code, after) in cases {
        let mut sim = Sim::acquired();
        sim.ways([way.clone()]);
        sim.module.host(format!("{CONNECT}\r").as_bytes());
        let line = format!("+CMQTTCONNECT: 0,{code}\r\n");
        let took = sim.module.until(line.as_bytes(), std::time::Duration::from_secs(200));
        assert!(took.is_some_and(|took| (after..after + 1.0).contains(&took.as_secs_f64())), "{way:?}: {took:?}");
        assert_eq!(wire(&format!("OK|+CMQTTCONNECT: 0,{code}")), sim.module.after(0.1), "{way:?}");
        sim.talk(&[("AT+CMQTTDISC=0", "+CMQTTDISC: 0,11|ERROR"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
    }
}

/// Decision 25: the service stays started and the client acquired, whatever the cause; what is under way fails first.
#[test]
fn decision_25_a_lost_connection_is_told_behind_what_it_ended() {
    type Lose = fn(&mut Sim);
    let causes: [(&str, Lose, i32, i32); 5] = [
        ("closed", |sim| sim.module.network().end_all(false), 26, 1),
        ("reset", |sim| sim.module.network().end_all(true), 26, 2),
        (
            "network",
            |sim| sim.talk(&[("AT+CGATT=0", "OK|+CMQTTPUB: 0,9|+CMQTTCONNLOST: 0,3"), ("AT+CGATT=1", "OK")]),
            9,
            3,
        ),
        ("silent", |sim| sim.module.network().silence(), 17, 1),
        ("unwritable", |sim| sim.module.network().refuse_writes(), 16, 2),
    ];
    for (name, lose, code, cause) in causes {
        let mut sim = Sim::connected();
        sim.lose(Kind::Puback, None);
        sim.talk(&[("AT+CMQTTTOPIC=0,1", ">"), ("t", "OK"), ("AT+CMQTTPUB=0,1,180", "OK")]);
        lose(&mut sim);
        if name != "network" {
            // A silent peer is noticed 60 s of keep-alive and 120 s of `optimeout` later.
            sim.then(185.0, &format!("+CMQTTPUB: 0,{code}|+CMQTTCONNLOST: 0,{cause}"));
        }
        sim.talk(&[("AT+CMQTTSTART", "ERROR"), ("AT+CMQTTACCQ?", "+CMQTTACCQ: 0,\"me\",0|OK")]);
        sim.talk(&[("AT+CMQTTPUB=0,0,60", "+CMQTTPUB: 0,11|ERROR"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
    }
}

/// 3.2.8, decision 23's pacing: PINGREQ after `keepalive_time` without a packet, and the lost one is told as a lost
/// connection once `optimeout` has passed.
#[test]
fn section_3_2_8_keep_alive_from_its_least_to_its_most() {
    for seconds in [1, 60, 64800] {
        let mut sim = Sim::acquired().connect(&format!("AT+CMQTTCONNECT=0,\"tcp://h\",{seconds},1"));
        sim.then(f64::from(seconds) - 0.2, "");
        assert_eq!(0, sim.sent(Kind::Pingreq).len(), "{seconds}");
        sim.then(0.2, "");
        assert_eq!(1, sim.sent(Kind::Pingreq).len(), "{seconds}");
        sim.then(f64::from(seconds) * 9.0, "");
        assert_eq!(10, sim.sent(Kind::Pingreq).len(), "{seconds}");
    }
    // Anything sent puts it off.
    let mut sim = Sim::connected();
    for _ in 0..10 {
        sim.then(50.0, "");
        sim.talk(&[("AT+CMQTTTOPIC=0,1", ">"), ("t", "OK"), ("AT+CMQTTPUB=0,0,60", "OK|+CMQTTPUB: 0,0")]);
    }
    assert!(sim.sent(Kind::Pingreq).is_empty());
}

#[test]
fn section_3_3_2_a_broker_that_answers_no_ping_is_a_lost_connection_after_optimeout() {
    let mut sim = Sim::acquired();
    sim.talk(&[("AT+CMQTTCFG=\"optimeout\",0,20", "OK"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
    sim.lose(Kind::Pingresp, Some(1));
    // The lost answer of the first ping is not made up for by the second: it comes too late for that.
    sim.then(79.8, "");
    sim.then(0.3, "+CMQTTCONNLOST: 0,1");
    sim.talk(&[("AT+CMQTTACCQ?", "+CMQTTACCQ: 0,\"me\",0|OK"), (CONNECT, "OK|+CMQTTCONNECT: 0,0")]);
}

/// 1.4.4: 559 characters behind the AT, or 39 commands; beyond, none of them is carried out.
#[test]
fn section_1_4_4_a_command_line_has_559_characters_and_39_commands() {
    let commands = |count: usize| format!("AT{}", vec!["+CSQ"; count].join(";"));
    let mut sim = Sim::new();
    assert_eq!(39, sim.send(&commands(39)).matches("+CSQ: ").count());
    sim.talk(&[(&commands(40), "ERROR"), ("AT+CMQTTSTART", "OK|+CMQTTSTART: 0")]);
    let long = |length: usize| {
        let head = "+CMQTTACCQ=0,\"me\";+CSQ=?";
        format!("AT{head}{}", " ".repeat(length - head.len()))
    };
    sim.talk(&[(&format!("{};+CSQ=?", long(553)), "ERROR"), ("AT+CMQTTACCQ?", "OK")]);
    assert!(sim.send(&format!("{};+CSQ=?", long(552))).ends_with("\r\nOK\r\n"), "559 characters");
    sim.talk(&[("AT+CMQTTACCQ?", "+CMQTTACCQ: 0,\"me\",0|OK")]);
}

/// Decision 6: what the damaged copy prints is no command.
#[test]
fn decision_6_damaged_spellings_are_errors() {
    let mut sim = Sim::acquired();
    for line in [
        "AT+CMQTTTPUB=0,0,60",
        "AT+CMQTTTTSUB=0,9,0",
        "AT+CMQTTTREL=0",
        "AT+CMQTTTDISC=0",
        "AT+CMQTTTTOPIC=0,9",
        "AT+CMQTTSSSLCFG=0,0",
        "AT+CSSLFCFG=\"authmode\",0,1",
        "AT+SSLFCFG=\"authmode\",0,1",
        "AT+CMQTT开始",
        "AT+CMQTTSTART=1",
        "AT+CMQTTREL",
        "AT+CMQTTACCQ=0, a12mmmm ,0",
    ] {
        sim.talk(&[(line, "ERROR")]);
    }
}

/// Decision 12: the names that the translation lost.
#[test]
fn decision_12_parameters_have_their_names_back() {
    let dialect = catalogue().get("sim7028").expect("built in");
    let commands: [(&str, &[&str]); 15] = [
        ("START", &[]),
        ("STOP", &[]),
        ("ACCQ", &["client_index", "clientid", "server_type"]),
        ("REL", &["client_index"]),
        ("SSLCFG", &["session_id", "ssl_ctx_index"]),
        ("WILLTOPIC", &["client_index", "req_length"]),
        ("WILLMSG", &["client_index", "req_length", "qos"]),
        ("CONNECT", &["client_index", "server_addr", "keepalive_time", "clean_session", "user_name", "pass_word"]),
        ("DISC", &["client_index", "timeout"]),
        ("TOPIC", &["client_index", "req_length"]),
        ("PAYLOAD", &["client_index", "req_length"]),
        ("PUB", &["client_index", "qos", "pub_timeout", "retained", "dup"]),
        ("SUB", &["client_index", "reqlength", "qos", "dup"]),
        ("UNSUB", &["client_index", "reqlength", "dup"]),
        ("CFG", &["index", "checkutf8_flag"]),
    ];
    for (name, params) in commands {
        let command = dialect.command(&format!("AT+CMQTT{name}")).expect(name);
        let (_, variant) = command.variants.first().expect(name);
        assert_eq!(params, variant.params, "{name}");
    }
    let said = |name: &str| dialect.urcs[name].shapes[0].join(",");
    assert_eq!("client_index,cause", said("+CMQTTCONNLOST"));
    assert_eq!("client_index,topic_total_len,payload_total_len", said("+CMQTTRXSTART"));
    assert_eq!("client_index,sub_topic_len,\\n,sub_topic", said("+CMQTTRXTOPIC"));
    assert_eq!("client_index,sub_payload_len,\\n,sub_payload", said("+CMQTTRXPAYLOAD"));
}

#[test]
fn the_reference_says_what_a_virtual_module_does_where_the_document_is_silent() {
    let limits = &catalogue().get("sim7028").expect("built in").virtual_limits;
    for subject in ["TLS", "Command lines", "Messages"] {
        assert!(limits.contains_key(subject), "{subject}: its own and those of all");
    }
}
