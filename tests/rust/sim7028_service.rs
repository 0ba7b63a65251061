//! SIM7028: service, client and connection; which command runs in which state, what is cleared by what, in which order the
//! lines come. Each test names the decision (docs/decisions.md) or the section of the document it proves.

use modemrig::dialect::catalogue;
use modemrig::mqtt::Kind;
use modemrig::mqtt::Qos;
use modemrig::virtual_module::simulation::Way;

use crate::random::Random;
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

/// Whatever comes in whatever order, with a network that fails in between: each line has one final result or one prompt, and
/// what the read forms say of service, client and connection fits together.
#[test]
fn any_sequence_of_commands_has_one_answer_for_each() {
    let mut steps_connected = 0;
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let mut sim = Sim::new();
        for step in 0..80 {
            match random.below(12) {
                0 => sim.module.network().end_all(seed % 2 == 0),
                1 => sim.lose(*random.pick(&LOSSES), Some(1)),
                2 => sim.module.advance(std::time::Duration::from_secs(130)),
                3 => sim.publish("x", b"message", Qos::AtLeastOnce),
                _ => {}
            }
            sim.module.take_output();
            // Half of them lead towards a connection: else most walks would end before one.
            let command = match random.below(2) {
                0 => random.pick(&[COMMANDS[0], COMMANDS[2], CONNECT]),
                _ => random.pick(&COMMANDS),
            };
            let mut said = sim.send(command);
            let prompts = said.matches("\r\n> ").count();
            if prompts == 1 {
                said += &sim.send("x");
            }
            let finals = said.matches("\r\nOK\r\n").count() + said.matches("\r\nERROR\r\n").count();
            assert_eq!(1, finals, "seed {seed}, step {step}: {command}: {said:?}");
            let states = ["ACCQ", "DISC", "CONNECT"].map(|name| sim.send(&format!("AT+CMQTT{name}?")));
            let [client, connected, address] =
                [("+CMQTTACCQ: ", &states[0]), ("+CMQTTDISC: 0,0", &states[1]), ("+CMQTTCONNECT: 0,", &states[2])]
                    .map(|(text, said)| said.contains(text));
            assert!(connected == address && (client || !connected), "seed {seed}, step {step}: {states:?}");
            steps_connected += usize::from(connected);
        }
    }
    assert!(steps_connected > 500, "{steps_connected} of 4800: it went everywhere");
}

/// Acknowledgements that the network loses.
const LOSSES: [Kind; 4] = [Kind::Connack, Kind::Puback, Kind::Suback, Kind::Unsuback];
