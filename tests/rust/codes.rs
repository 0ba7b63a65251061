//! Every code of every document is reached by a real cause on the network or in the state, by each of its ways, or has a
//! reason why none leads there (decisions 18 to 25, 41): the table is `src/dialect/data/causes.toml`, a script for each
//! way is here. Most of this file is that one list of scripts, which is why it is long.

use std::collections::BTreeSet;

use modemrig::dialect::Dialect;
use modemrig::dialect::catalogue;
use modemrig::dialect::causes;
use modemrig::mqtt::AckAction;
use modemrig::mqtt::AckRule;
use modemrig::mqtt::Connect;
use modemrig::mqtt::ConnectionId;
use modemrig::mqtt::Kind;
use modemrig::mqtt::Level;
use modemrig::mqtt::Packet;
use modemrig::mqtt::Peer;
use modemrig::mqtt::encode;
use modemrig::virtual_module::Conditions;
use modemrig::virtual_module::Registration;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::SimulatedModule;
use modemrig::virtual_module::simulation::Way;

const QMT_OPEN: &str = "AT+QMTOPEN=0,\"a.example\",1883";
const QMT_CONN: &str = "AT+QMTCONN=0,\"me\"";
const SIM_CONNECT: &str = "AT+CMQTTCONNECT=0,\"tcp://a.example\",60,1";
const TOKEN: &str = "AT+QMTTENAUTH=\"P\",\"d\",\"P@d\",\"AAAA\",60,\"http://tokens.example/token\"";

/// A module, and what it has said.
struct Play {
    module: SimulatedModule,
    said: String,
    /// `QMTPUBEX`, `QMTPUB`
    publish: &'static str,
}

impl Play {
    fn new(dialect: &Dialect, conditions: Conditions) -> Play {
        let options = VirtualOptions { conditions, ..VirtualOptions::new(&dialect.id) };
        let module = SimulatedModule::new(&options).expect("a built-in dialect");
        let publish = if dialect.command("AT+QMTPUBEX").is_some() { "QMTPUBEX" } else { "QMTPUB" };
        let mut play = Play { module, said: String::new(), publish };
        play.say("ATE0");
        play
    }

    fn say(&mut self, line: &str) -> &mut Play {
        self.said += &self.module.ask(line, 1.0);
        self
    }

    fn wait(&mut self, seconds: f64) -> &mut Play {
        self.said += &self.module.after(seconds);
        self
    }

    fn way(&mut self, way: Way) -> &mut Play {
        self.module.network().ways.push_back(way);
        self
    }

    fn set(&mut self, conditions: Conditions) -> &mut Play {
        self.module.set_conditions(conditions).expect("conditions that can be");
        self
    }

    fn refused_with(&mut self, code: u8) -> &mut Play {
        self.module.network().broker.policy.refuse_with = Some(code);
        self
    }

    fn lose(&mut self, kind: Kind) -> &mut Play {
        let rule = AckRule { kind, client_id: None, action: AckAction::Drop, times: None };
        self.module.network().broker.policy.ack_rules.push(rule);
        self
    }

    fn open(&mut self) -> &mut Play {
        self.say(QMT_OPEN)
    }

    fn connected(&mut self) -> &mut Play {
        self.open().say(QMT_CONN)
    }

    fn publish(&mut self, id: u16, qos: u8) -> &mut Play {
        let line = format!("AT+{}=0,{id},{qos},0,\"t\",2", self.publish);
        self.say(&line).say_raw(b"hi")
    }

    fn say_raw(&mut self, bytes: &[u8]) -> &mut Play {
        self.module.host(bytes);
        self.wait(1.0)
    }

    fn acquired(&mut self) -> &mut Play {
        self.say("AT+CMQTTSTART").say("AT+CMQTTACCQ=0,\"me\",0")
    }

    fn sim_connected(&mut self) -> &mut Play {
        self.acquired().say(SIM_CONNECT)
    }

    fn typed(&mut self, line: &str, input: &[u8]) -> &mut Play {
        self.say(line).say_raw(input)
    }

    fn sim_published(&mut self) -> &mut Play {
        self.typed("AT+CMQTTTOPIC=0,1", b"t").typed("AT+CMQTTPAYLOAD=0,2", b"hi").say("AT+CMQTTPUB=0,1,60")
    }

    fn users(&mut self) -> &mut Play {
        let users = [("me".to_owned(), b"word".to_vec())].into();
        self.module.network().broker.policy.users = Some(users);
        self
    }

    fn version_4_only(&mut self) -> &mut Play {
        self.module.network().broker.policy.levels = vec![Level::V311];
        self
    }

    fn version_3_only(&mut self) -> &mut Play {
        self.module.network().broker.policy.levels = vec![Level::V31];
        self
    }

    /// A broker for devices whose client id has the form of Alibaba's.
    fn for_devices(&mut self) -> &mut Play {
        let check = |request: &modemrig::mqtt::ConnectRequest<'_>| if request.client_id.contains('|') { 0 } else { 2 };
        self.module.network().broker.policy.check = Some(Box::new(check));
        self
    }

    /// The socket refuses what the module writes.
    fn unwritable(&mut self) -> &mut Play {
        self.module.network().refuse_writes();
        self
    }

    /// A second client connects with the id of the first; the broker closes the first.
    fn another_with_the_same_id(&mut self) -> &mut Play {
        let connect = Connect {
            level: Level::V311,
            client_id: "me".into(),
            clean_session: true,
            keep_alive: 0,
            will: None,
            username: None,
            password: None,
        };
        let mut bytes = Vec::new();
        encode(&Packet::Connect(connect), Level::V311, &mut bytes);
        let mut network = self.module.network();
        let (id, now) = (ConnectionId(u64::MAX), network.now());
        network.broker.accept(id, Peer::default(), now);
        network.broker.receive(id, &bytes, now);
        drop(network);
        self
    }

    fn token(&mut self, status: &str, body: &str) -> &mut Play {
        self.way(Way::Says(format!("HTTP/1.1 {status}\r\n\r\n{body}").into_bytes())).say(TOKEN);
        self.module.network().end_all(false);
        self.wait(1.0)
    }
}

fn without_pdp() -> Conditions {
    Conditions { pdp: false, ..Conditions::default() }
}

fn denied() -> Conditions {
    Conditions { registration: Registration::Denied, ..Conditions::default() }
}

fn without_network() -> Conditions {
    Conditions { registration: Registration::Searching, ..Conditions::default() }
}

/// Whether a document has what a script needs.
fn applies(script: &str, dialect: &Dialect) -> bool {
    match script {
        "open_without_tls" | "open_without_certificate" => dialect.variant_for("AT+QMTCFG", "ssl").is_some(),
        // The others have +QMTPING for it (decision 23).
        "stat_no_pong" => !dialect.urcs.contains_key("+QMTPING"),
        _ => true,
    }
}

/// A script makes one cause happen; what the module says then must hold the code.
type Script = fn(&mut Play) -> &mut Play;

const SCRIPTS: &[(&str, Script)] = &[
    ("token_given", |p| p.token("200 OK", "{\"password\":\"w\"}")),
    ("token_unresolved", |p| p.way(Way::NotResolved).say(TOKEN)),
    ("token_nowhere", |p| p.say("AT+QMTTENAUTH=\"P\",\"d\",\"P@d\",\"AAAA\"")),
    ("token_refused", |p| p.way(Way::Refused).say(TOKEN)),
    ("token_without_pdp", |p| p.set(without_pdp()).say(TOKEN)),
    ("token_denied", |p| p.token("403 Forbidden", "{}")),
    ("token_unsent", |p| p.way(Way::RefusesWriteAfter(0)).say(TOKEN)),
    ("token_garbled", |p| p.token("200 OK", "none")),
    ("token_empty", |p| p.token("200 OK", "{\"password\":\"\"}")),
    ("token_unanswered", |p| p.way(Way::NoAnswer).say(TOKEN).wait(195.0)),
    ("open_unanswered", |p| p.way(Way::NoAnswer).open().wait(120.0)),
    ("open_without_tls", |p| p.say("AT+QMTCFG=\"ssl\",0,1,0").way(Way::TlsFails).open()),
    ("open_without_certificate", |p| {
        p.say("AT+QMTCFG=\"ssl\",0,1,0").say("AT+QSSLCFG=\"seclevel\",0,1");
        p.say("AT+QSSLCFG=\"cacert\",0,\"UFS:nowhere.pem\"").open()
    }),
    ("open_given_up", |p| p.way(Way::NoAnswer).open().say("AT+QMTCLOSE=0")),
    ("open_done", |p| p.open()),
    ("open_nonsense", |p| p.say("AT+QMTOPEN=0,\"no host\",1883")),
    ("open_twice", |p| p.open().open()),
    ("open_connected", |p| p.connected().open()),
    ("open_without_pdp", |p| p.set(without_pdp()).open()),
    ("open_unresolved", |p| p.way(Way::NotResolved).open()),
    ("open_invalid", |p| p.say("AT+QMTOPEN=0,\"a.invalid\",1883")),
    ("open_without_dns", |p| p.set(Conditions { dns: false, ..Conditions::default() }).open()),
    ("open_refused", |p| p.way(Way::Refused).open()),
    ("open_without_network", |p| p.way(Way::NoAnswer).open().set(without_network()).wait(1.0)),
    ("close_done", |p| p.open().say("AT+QMTCLOSE=0")),
    ("conn_accepted", |p| p.connected()),
    ("conn_unanswered", |p| p.way(Way::Says(Vec::new())).connected().wait(10.0)),
    ("conn_closed", |p| p.way(Way::ClosedAfter(1)).connected()),
    ("conn_reset", |p| p.way(Way::ResetAfter(1)).connected()),
    ("conn_version", |p| p.version_4_only().connected()),
    ("conn_client_id", |p| p.for_devices().connected()),
    ("conn_unavailable", |p| p.refused_with(3).connected()),
    ("conn_password", |p| p.users().open().say("AT+QMTCONN=0,\"me\",\"me\",\"wrong\"")),
    ("conn_unauthorised", |p| p.users().connected()),
    ("disc_unsent", |p| p.connected().unwritable().say("AT+QMTDISC=0")),
    ("disc_done", |p| p.connected().say("AT+QMTDISC=0")),
    ("sub_done", |p| p.connected().say("AT+QMTSUB=0,1,\"t\",1")),
    ("sub_resent", |p| p.lose(Kind::Suback).notices().connected().say("AT+QMTSUB=0,1,\"t\",1").wait(12.0)),
    ("sub_given_up", |p| p.lose(Kind::Suback).connected().say("AT+QMTSUB=0,1,\"t\",1").wait(60.0)),
    ("sub_refused", |p| {
        p.module.network().broker.policy.refused_filters.insert("t".into());
        p.connected().say("AT+QMTSUB=0,1,\"t\",1")
    }),
    ("uns_done", |p| p.connected().say("AT+QMTUNS=0,1,\"t\"")),
    ("uns_resent", |p| p.lose(Kind::Unsuback).notices().connected().say("AT+QMTUNS=0,1,\"t\"").wait(12.0)),
    ("uns_given_up", |p| p.lose(Kind::Unsuback).connected().say("AT+QMTUNS=0,1,\"t\"").wait(60.0)),
    ("pub_done", |p| p.connected().publish(1, 1)),
    ("pub_at_most_once", |p| p.connected().publish(0, 0)),
    ("pub_exactly_once", |p| p.connected().publish(1, 2)),
    ("pub_resent", |p| p.lose(Kind::Puback).notices().connected().publish(1, 1).wait(12.0)),
    ("pub_given_up", |p| p.lose(Kind::Puback).connected().publish(1, 1).wait(60.0)),
    ("pub_half_way", |p| p.lose(Kind::Pubcomp).connected().publish(1, 2).wait(60.0)),
    ("pub_unsent", |p| p.connected().unwritable().publish(0, 0)),
    ("ping_unanswered", |p| p.lose(Kind::Pingresp).connected().wait(130.0)),
    ("stat_peer", |p| {
        p.connected();
        p.module.network().end_all(true);
        p.wait(1.0)
    }),
    ("stat_reset", |p| {
        p.connected();
        p.module.network().end_all(true);
        p.wait(1.0)
    }),
    ("stat_same_id", |p| p.connected().another_with_the_same_id().wait(1.0)),
    ("stat_ping", |p| p.connected().unwritable().wait(130.0)),
    ("stat_no_pong", |p| p.lose(Kind::Pingresp).connected().wait(130.0)),
    ("stat_connect", |p| p.way(Way::RefusesWriteAfter(0)).connected()),
    ("stat_connack", |p| p.refused_with(5).connected()),
    ("stat_disconnect", |p| {
        p.connected();
        p.module.network().stall();
        p.module.host(b"AT+QMTDISC=0\r");
        p.module.network().end_all(false);
        p.wait(1.0)
    }),
    ("stat_publish", |p| p.connected().unwritable().publish(1, 1)),
    ("stat_subscribe", |p| p.connected().unwritable().say("AT+QMTSUB=0,1,\"t\",1")),
    ("stat_unsubscribe", |p| p.connected().unwritable().say("AT+QMTUNS=0,1,\"t\"")),
    ("stat_network", |p| p.connected().set(without_network()).wait(1.0)),
    ("stat_denied", |p| p.connected().set(denied()).wait(1.0)),
    ("stat_pdp", |p| p.connected().set(without_pdp()).wait(1.0)),
    ("stat_own", |p| {
        p.connected();
        p.module.network().say(b"\xff\xff\xff\xff\xff");
        p.wait(1.0)
    }),
    ("cme_state", |p| p.say("AT+CMEE=1").say(QMT_CONN)),
    ("cme_unknown", |p| p.say("AT+CMEE=1").say("AT+QMTWHAT")),
    ("cme_network", |p| p.say("AT+CMEE=1").set(without_network()).say("AT+CGATT=0").say("AT+CGATT=1")),
    ("cme_parameter", |p| p.say("AT+CMEE=1").say("AT+QMTOPEN=9,\"a\",1")),
    ("cme_cancelled", |p| p.connected().say("AT+CMEE=1").typed("AT+QMTPUB=0,0,0,0,\"t\"", b"hi\x1b")),
    ("cme_window", |p| {
        p.lose(Kind::Puback).connected().say("AT+CMEE=1");
        (1..=6).fold(p, |p, id| p.publish(id, 1))
    }),
    ("sim_done", |p| p.sim_connected()),
    ("sim_subscription", |p| {
        p.module.network().broker.policy.refused_filters.insert("t".into());
        p.sim_connected().typed("AT+CMQTTSUB=0,1,1", b"t")
    }),
    ("sim_utf8", |p| p.sim_connected().typed("AT+CMQTTTOPIC=0,2", b"\xff\xfe")),
    ("sim_utf8_payload", |p| p.sim_connected().typed("AT+CMQTTPAYLOAD=0,2", b"\xff\xfe")),
    ("sim_utf8_will", |p| p.acquired().typed("AT+CMQTTWILLTOPIC=0,2", b"\xff\xfe")),
    ("sim_utf8_last_words", |p| p.acquired().typed("AT+CMQTTWILLMSG=0,2,0", b"\xff\xfe")),
    ("sim_refused", |p| p.way(Way::Refused).sim_connected()),
    ("sim_start", |p| p.set(without_pdp()).say("AT+CMQTTSTART")),
    ("sim_network", |p| p.acquired().set(without_network()).say(SIM_CONNECT)),
    ("sim_network_meanwhile", |p| p.way(Way::NoAnswer).sim_connected().set(without_network()).wait(1.0)),
    ("sim_offline", |p| p.acquired().typed("AT+CMQTTTOPIC=0,1", b"t").say("AT+CMQTTPUB=0,1,60")),
    ("sim_offline_subscription", |p| p.acquired().typed("AT+CMQTTSUB=0,1,1", b"t")),
    ("sim_topic", |p| p.sim_connected().typed("AT+CMQTTTOPIC=0,1", b"#").say("AT+CMQTTPUB=0,1,60")),
    ("sim_will", |p| {
        p.acquired().typed("AT+CMQTTWILLTOPIC=0,1", b"#").typed("AT+CMQTTWILLMSG=0,2,0", b"hi").say(SIM_CONNECT)
    }),
    ("sim_busy", |p| p.lose(Kind::Puback).sim_connected().sim_published().sim_published()),
    ("sim_connected_release", |p| p.sim_connected().say("AT+CMQTTREL=0")),
    ("sim_unsent", |p| p.sim_connected().unwritable().sim_published()),
    ("sim_connect_unsent", |p| p.way(Way::RefusesWriteAfter(0)).sim_connected()),
    ("sim_unanswered", |p| p.way(Way::NoAnswer).sim_connected().wait(130.0)),
    ("sim_no_connack", |p| p.way(Way::Says(Vec::new())).sim_connected().wait(130.0)),
    ("sim_no_suback", |p| p.lose(Kind::Suback).sim_connected().typed("AT+CMQTTSUB=0,1,1", b"t").wait(130.0)),
    ("sim_no_unsuback", |p| p.lose(Kind::Unsuback).sim_connected().typed("AT+CMQTTUNSUB=0,1", b"t").wait(130.0)),
    ("sim_no_puback", |p| p.lose(Kind::Puback).sim_connected().sim_published().wait(130.0)),
    ("sim_empty", |p| p.sim_connected().say("AT+CMQTTPUB=0,1,60")),
    ("sim_used", |p| p.acquired().say("AT+CMQTTACCQ=0,\"me\",0")),
    ("sim_connected_twice", |p| p.sim_connected().say(SIM_CONNECT)),
    ("sim_unacquired", |p| p.say("AT+CMQTTSTART").say("AT+CMQTTREL=0")),
    ("sim_unreleased", |p| p.acquired().say("AT+CMQTTSTOP")),
    ("sim_packet", |p| p.way(Way::Says(b"\xff\xff\xff\xff\xff".to_vec())).sim_connected()),
    ("sim_unresolved", |p| p.way(Way::NotResolved).sim_connected()),
    ("sim_without_dns", |p| p.set(Conditions { dns: false, ..Conditions::default() }).sim_connected()),
    ("sim_closed", |p| p.way(Way::ClosedAfter(0)).sim_connected()),
    ("sim_reset", |p| p.way(Way::ResetAfter(0)).sim_connected()),
    ("sim_version", |p| p.other_version().sim_connected()),
    ("sim_client_id", |p| p.for_devices().sim_connected()),
    ("sim_unavailable", |p| p.refused_with(3).sim_connected()),
    ("sim_password", |p| p.users().acquired().say("AT+CMQTTCONNECT=0,\"tcp://a.example\",60,1,\"me\",\"wrong\"")),
    ("sim_unauthorised", |p| p.users().sim_connected()),
    ("sim_handshake", |p| p.way(Way::TlsFails).say("AT+CMQTTSTART").say("AT+CMQTTACCQ=0,\"me\",1").say(SIM_CONNECT)),
    ("sim_unusable", |p| {
        p.typed("AT+CCERTDOWN=\"ca.pem\",4", b"none").say("AT+CMQTTSTART").say("AT+CMQTTACCQ=0,\"me\",1");
        p.say("AT+CSSLCFG=\"authmode\",0,1").say("AT+CSSLCFG=\"cacert\",0,\"ca.pem\"").say(SIM_CONNECT)
    }),
    ("sim_certificate", |p| {
        p.say("AT+CMQTTSTART").say("AT+CMQTTACCQ=0,\"me\",1").say("AT+CSSLCFG=\"authmode\",0,1");
        p.say("AT+CSSLCFG=\"cacert\",0,\"nowhere.pem\"").say(SIM_CONNECT)
    }),
    ("sim_disconnect", |p| p.sim_connected().unwritable().say("AT+CMQTTDISC=0,60")),
    ("lost_closed", |p| {
        p.sim_connected();
        p.module.network().end_all(false);
        p.wait(1.0)
    }),
    ("lost_no_pong", |p| p.lose(Kind::Pingresp).sim_connected().wait(200.0)),
    ("lost_reset", |p| {
        p.sim_connected();
        p.module.network().end_all(true);
        p.wait(1.0)
    }),
    ("lost_protocol", |p| {
        p.sim_connected();
        p.module.network().say(b"\xff\xff\xff\xff\xff");
        p.wait(1.0)
    }),
    ("lost_network", |p| p.sim_connected().set(without_network()).wait(1.0)),
    ("lost_denied", |p| p.sim_connected().set(denied()).wait(1.0)),
    ("lost_pdp", |p| p.sim_connected().set(without_pdp()).wait(1.0)),
];

impl Play {
    /// Retransmissions are reported.
    fn notices(&mut self) -> &mut Play {
        self.say("AT+QMTCFG=\"timeout\",0,5,3,1")
    }

    /// The broker speaks the version that this module does not.
    fn other_version(&mut self) -> &mut Play {
        let mut probe = Play::new(catalogue().get("sim7028").expect("built in"), Conditions::default());
        probe.sim_connected();
        let network = probe.module.network();
        let level = network.broker.record().find_map(|row| match &row.packet {
            Packet::Connect(connect) => Some(connect.level),
            _ => None,
        });
        drop(network);
        if level == Some(Level::V31) { self.version_4_only() } else { self.version_3_only() }
    }
}

/// What a line with this code looks like.
fn line_of(table: &str, code: &str) -> Vec<String> {
    let (name, param) = table.split_once(' ').expect("a name and a parameter");
    let name = name.trim_start_matches("AT");
    match (name, param) {
        ("CMQTT", _) => {
            // Not +CMQTTCONNLOST, whose numbers mean something else.
            let verbs =
                ["ACCQ", "REL", "WILLTOPIC", "WILLMSG", "TOPIC", "PAYLOAD", "CONNECT", "DISC", "PUB", "SUB", "UNSUB"];
            let services = ["START", "STOP"].map(|verb| format!("+CMQTT{verb}: {code}\r\n"));
            verbs.iter().map(|verb| format!("+CMQTT{verb}: 0,{code}\r\n")).chain(services).collect()
        }
        ("CMQTTCONNLOST", _) => vec![format!("+CMQTTCONNLOST: 0,{code}\r\n")],
        ("QMTSTAT", _) => vec![format!("+QMTSTAT: 0,{code}\r\n")],
        ("CME", _) => vec![format!("+CME ERROR: {code}\r\n")],
        ("+QMTTENAUTH", _) => vec![format!("+QMTTENAUTH: {code}\r\n"), format!("+QMTTENAUTH: {code},\"")],
        (_, "ret_code" | "retcode") => vec![format!("{name}: 0,0,{code}\r\n")],
        (_, "value") => vec![format!("{name}: 0,1,0,{code}\r\n")],
        ("+QMTCONN", _) => vec![format!("{name}: 0,{code}\r\n"), format!("{name}: 0,{code},")],
        ("+QMTSUB" | "+QMTUNS" | "+QMTPUB" | "+QMTPUBEX", _) => {
            // A message of quality 0 has the number 0.
            [1, 0]
                .iter()
                .flat_map(|id| [format!("{name}: 0,{id},{code}\r\n"), format!("{name}: 0,{id},{code},")])
                .collect()
        }
        _ => vec![format!("{name}: 0,{code}\r\n")],
    }
}

#[test]
fn every_code_of_every_document_has_a_cause_with_a_script_or_a_reason_why_it_has_none() {
    let table = causes();
    let mut known = BTreeSet::new();
    for dialect in catalogue().dialects() {
        for (name, code) in dialect.codes() {
            let row = table.get(&name, &code);
            let row = row.unwrap_or_else(|| panic!("{}: no row for {code} of {name}", dialect.id));
            match (&row.cause, row.tests.as_slice(), &row.unreachable) {
                (Some(_), tests @ [_, ..], None) => {
                    for test in tests {
                        assert!(SCRIPTS.iter().any(|(script, _)| script == test), "{name} {code}: no script {test}");
                    }
                    let reached = tests.iter().any(|test| applies(test, dialect));
                    assert!(reached, "{}: no script reaches {name} {code}", dialect.id);
                }
                (None, [], Some(_)) => {}
                _ => panic!("{name} {code}: a cause and its tests, or why it is unreachable"),
            }
            known.insert((name, code));
        }
    }
    for (name, rows) in &table.tables {
        for (code, row) in rows {
            if code == "*" {
                let rest = known.iter().any(|(table, code)| table == name && !rows.contains_key(code));
                assert!(rest && row.unreachable.is_some(), "{name}: the rest of the codes has one reason, or rows");
            } else {
                assert!(known.contains(&(name.clone(), code.clone())), "no document has {code} of {name}");
            }
        }
    }
    for name in table.same.keys() {
        assert!(known.iter().any(|(table, _)| table == name), "no document has {name}");
    }
    let rows = table.tables.values().flat_map(|rows| rows.values());
    let used: BTreeSet<&str> = rows.flat_map(|row| &row.tests).map(String::as_str).collect();
    for (script, _) in SCRIPTS {
        assert!(used.contains(script), "no row names the script {script}");
    }
}

#[test]
fn every_code_that_can_be_reached_is_reached_by_its_cause_in_every_dialect_that_has_it() {
    let mut faults = Vec::new();
    for dialect in catalogue().dialects() {
        for (name, code, cause) in dialect.causes() {
            for test in cause.tests.iter().filter(|test| applies(test, dialect)) {
                let (_, script) = SCRIPTS.iter().find(|(script, _)| script == test).expect("see the other test");
                let mut play = Play::new(dialect, Conditions::default());
                play.said.clear();
                script(&mut play);
                if !line_of(&name, &code).iter().any(|line| play.said.contains(line.as_str())) {
                    faults.push(format!("{} {name} {code} ({test}): {:?}", dialect.id, play.said));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}
