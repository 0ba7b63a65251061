//! Every quirk shows, to the host or to the broker, and without it nothing does: one scene for each row of the table.

use modemrig::mqtt::AckAction;
use modemrig::mqtt::AckRule;
use modemrig::mqtt::Kind;
use modemrig::virtual_module::QUIRKS;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::SimulatedModule;

use crate::simulated::quiet;
use crate::simulated::said;
use crate::virtual_quirks_cmqtt;
use crate::virtual_quirks_lines;
use crate::virtual_quirks_qmt;

const LTE: &str = "lte_standard_a";
const BC35: &str = "bc35g_bc28";
const SIM: &str = "sim7028";

/// A module and all it has said.
struct Play {
    module: SimulatedModule,
    said: String,
}

impl Play {
    fn ask(&mut self, line: &str, seconds: f64) {
        self.said += &self.module.ask(line, seconds);
    }

    fn host(&mut self, bytes: &[u8]) {
        self.module.host(bytes);
    }

    fn after(&mut self, seconds: f64) {
        self.said += &self.module.after(seconds);
    }
}

/// Plays something in which the quirk shows.
type Scene = fn(&mut Play);

/// Quirk, dialect, scene; those that show only over real TLS or with a prompt alone are shown elsewhere.
const SCENES: &[(&str, &str, Scene)] = &[
    ("prompt_on_own_line", LTE, |m| publish(m, 0, "1", b"x")),
    ("settings_unlocked", LTE, |m| {
        connect(m, 0);
        m.ask("AT+QMTCFG=\"keepalive\",0,60", 0.1);
    }),
    ("settings_shared", LTE, |m| {
        m.ask("AT+QMTCFG=\"keepalive\",1,60", 0.1);
        m.ask("AT+QMTCFG=\"keepalive\",0", 0.1);
    }),
    ("settings_saved", LTE, |m| {
        m.ask("AT+QMTCFG=\"keepalive\",0,60", 0.1);
        m.ask("AT+CFUN=1,1", 10.0);
        m.ask("AT+QMTCFG=\"keepalive\",0", 0.1);
    }),
    ("settings_forgotten", LTE, |m| {
        m.ask("AT+QMTCFG=\"keepalive\",0,60", 0.1);
        m.ask("AT+QMTOPEN=0,\"a.example\",1883", 1.0);
        m.ask("AT+QMTCLOSE=0", 1.0);
        m.ask("AT+QMTCFG=\"keepalive\",0", 0.1);
    }),
    ("left_out_is_default", LTE, |m| {
        m.ask("AT+QMTCFG=\"ssl\",0,1,3", 0.1);
        m.ask("AT+QMTCFG=\"ssl\",0,1", 0.1);
        m.ask("AT+QMTCFG=\"ssl\",0", 0.1);
    }),
    ("bare_text_taken", LTE, |m| {
        m.ask("AT+QMTOPEN=0,a.example,1883", 1.0);
    }),
    ("letters_counted", LTE, |m| {
        let topic = "ä".repeat(200);
        m.ask(&format!("AT+QMTCFG=\"will\",0,1,0,0,\"{topic}\",\"\""), 0.1);
    }),
    ("upper_case_only", LTE, |m| {
        m.ask("AT+qmtcfg=\"keepalive\",0", 0.1);
    }),
    ("state_errors_late", LTE, |m| {
        m.ask("AT+QMTCONN=0,\"me\"", 1.0);
    }),
    ("slots_kept", LTE, |m| {
        m.ask("AT+QMTCFG=\"recv/mode\",0,1,0", 0.1);
        connect(m, 0);
        m.ask("AT+QMTSUB=0,1,\"t\",1", 1.0);
        publish(m, 0, "2", b"x");
        m.ask("AT+QMTRECV=0", 0.1);
        m.ask("AT+QMTRECV?", 0.1);
    }),
    ("clients_mixed_up", LTE, |m| {
        connect(m, 1);
        m.ask("AT+QMTSUB=1,1,\"t\",1", 1.0);
        publish(m, 1, "2", b"x");
    }),
    ("resends_once_less", LTE, unanswered),
    ("notice_always", LTE, unanswered),
    ("esc_sends", BC35, |m| {
        connect(m, 0);
        m.ask("AT+QMTPUB=0,0,0,0,\"t\"", 0.1);
        m.host(b"x\x1b");
        m.after(1.0);
    }),
    ("never_echoes", LTE, |m| {
        m.ask("AT+QMTCFG=\"view/mode\",0,1", 0.1);
        publish(m, 0, "1", b"x");
    }),
    ("hex_ignored", LTE, |m| {
        m.ask("AT+QMTCFG=\"dataformat\",0,0,1", 0.1);
        m.ask("AT+QMTSUB=0,1,\"t\",1", 1.0);
        connect(m, 0);
        m.ask("AT+QMTSUB=0,1,\"t\",1", 1.0);
        publish(m, 0, "2", b"x");
    }),
    ("never_pings", LTE, |m| {
        connect(m, 0);
        m.after(200.0);
    }),
    ("will_forgotten", LTE, |m| {
        m.ask("AT+QMTCFG=\"will\",0,1,1,0,\"w\",\"gone\"", 0.1);
        connect(m, 0);
    }),
    ("session_forgotten", LTE, |m| connect(m, 0)),
];

/// Quirk as it is written, dialect, and whether exactly what its title says is seen.
pub type Proof = (&'static str, &'static str, fn(&mut SimulatedModule) -> bool);

/// All proofs, by theme.
fn proofs() -> impl Iterator<Item = &'static Proof> {
    [PROOFS, virtual_quirks_lines::PROOFS].into_iter().flatten()
}

/// `gap` of `gap:ms=600`
fn name_of(quirk: &str) -> &str {
    quirk.split(':').next().unwrap_or(quirk)
}

const PROOFS: &[Proof] = &[
    ("ctrl_z_ends_input", LTE, |module| {
        online(module);
        module.ask("AT+QMTPUBEX=0,0,0,0,\"t\",5", 0.1);
        module.host(b"ab\x1a");
        module.after(0.1).contains("+QMTPUBEX: 0,0,0")
    }),
    ("ctrl_z_ends_input", SIM, |module| {
        acquired(module);
        module.ask("AT+CMQTTTOPIC=0,5", 0.1);
        module.host(b"ab\x1a");
        module.after(0.1).contains("OK")
    }),
    ("nothing_forgotten", SIM, |module| {
        acquired(module);
        connected(module);
        for (line, typed) in [("AT+CMQTTTOPIC=0,1", "t"), ("AT+CMQTTPAYLOAD=0,1", "x")] {
            module.ask(line, 0.1);
            module.host(typed.as_bytes());
        }
        assert!(said(module, "AT+CMQTTPUB=0,0,60").ends_with("+CMQTTPUB: 0,0"));
        module.after(1.0);
        said(module, "AT+CMQTTPUB=0,0,60").ends_with("+CMQTTPUB: 0,0")
    }),
    ("nothing_forgotten", SIM, |module| {
        acquired(module);
        said(module, "AT+CMQTTCFG=\"optimeout\",0,60");
        said(module, "AT+CMQTTREL=0");
        said(module, "AT+CMQTTACCQ=0,\"other\",0");
        assert_eq!("+CMQTTACCQ: 0,\"other\",0|OK", said(module, "AT+CMQTTACCQ?"));
        said(module, "AT+CMQTTCFG?") == "+CMQTTCFG: 0,1,60|OK"
    }),
    ("nothing_forgotten", SIM, |module| {
        acquired(module);
        said(module, "AT+CMQTTSSLCFG=0,1");
        module.ask("AT+CMQTTCONNECT=0,\"tcp://a.invalid\",60,1", 1.0);
        said(module, "AT+CMQTTSSLCFG?") == "+CMQTTSSLCFG: 0,1|OK"
    }),
    ("odd_read_forms", LTE, |module| {
        let idle = said(module, "AT+QMTOPEN?");
        online(module);
        let open = said(module, "AT+QMTCONN?");
        assert_eq!("+CMEE: 0|OK", said(module, "AT+CMEE?"), "no command of MQTT");
        idle == "+QMTOPEN: 0,0|OK" && open == "+QMTCONN: 0,3,0|OK"
    }),
    ("odd_read_forms", SIM, |module| {
        acquired(module);
        said(module, "AT+CMQTTACCQ?") == "+CMQTTACCQ: 0,\"me\",0,0|OK"
    }),
    ("state_ignored", SIM, |module| {
        let stopped = said(module, "AT+CMQTTSTOP");
        let (read, topic) = (said(module, "AT+CMQTTDISC?"), said(module, "AT+CMQTTTOPIC=0,1"));
        [stopped, read, topic] == ["OK|+CMQTTSTOP: 0", "+CMQTTDISC: 0,1|OK", "OK"]
    }),
    ("timers_early", LTE, |module| {
        online(module);
        module.inject("ack_lost:kind=suback").expect("a fault");
        module.ask("AT+QMTSUB=0,1,\"t\",0", 0.1);
        module.after(11.0).contains("+QMTSUB: 0,1,2")
    }),
    ("timers_early", BC35, |module| {
        module.ask("AT+QMTCFG=\"keepalive\",0,100", 0.1);
        online(module);
        module.after(51.0);
        let network = module.network();
        network.broker.record().any(|row| row.packet.kind() == modemrig::mqtt::Kind::Pingreq)
    }),
    ("timers_early", SIM, |module| {
        acquired(module);
        connected(module);
        module.ask("AT+CMQTTTOPIC=0,1", 0.1);
        module.host(b"t");
        module.inject("ack_lost:kind=puback").expect("a fault");
        module.ask("AT+CMQTTPUB=0,1,60", 0.1);
        module.after(31.0).contains("+CMQTTPUB: 0,17")
    }),
];

/// Shown over a real handshake, in `virtual_tls.rs`.
const ELSEWHERE: &[&str] = &["tls_checks_host_name"];

fn connect(play: &mut Play, client: u8) {
    play.ask(&format!("AT+QMTOPEN={client},\"a.example\",1883"), 1.0);
    play.ask(&format!("AT+QMTCONN={client},\"me\""), 1.0);
}

fn publish(play: &mut Play, client: u8, msgid: &str, payload: &[u8]) {
    if play.module.network().broker.record().next().is_none() {
        connect(play, client);
    }
    play.ask(&format!("AT+QMTPUBEX={client},{msgid},1,0,\"t\",{}", payload.len()), 0.1);
    play.host(payload);
    play.after(1.0);
}

fn unanswered(play: &mut Play) {
    let rule = AckRule { kind: Kind::Puback, client_id: None, action: AckAction::Drop, times: None };
    play.module.network().broker.policy.ack_rules.push(rule);
    publish(play, 0, "1", b"x");
    play.after(60.0);
}

/// Everything the host read and everything the broker got.
fn seen(dialect: &str, quirk: Option<&str>, scene: Scene) -> String {
    let quirks = quirk.iter().map(|name| (*name).to_owned()).collect();
    let module = quiet(&VirtualOptions { quirks, ..VirtualOptions::new(dialect) });
    let mut play = Play { module, said: String::new() };
    scene(&mut play);
    let network = play.module.network();
    let packets = network.broker.record().map(|row| format!("{:?} {:?}", row.direction, row.packet));
    let packets: Vec<String> = packets.collect();
    format!("{}\n{}", play.said, packets.join("\n"))
}

#[test]
fn every_quirk_shows_to_the_host_or_to_the_broker() {
    let mut silent = Vec::new();
    let of_cmqtt = virtual_quirks_cmqtt::PROOFS.iter().map(|(quirk, _)| *quirk);
    let proofs: Vec<&str> = proofs().map(|(quirk, ..)| *quirk).chain(of_cmqtt).collect();
    let proven = |name: &str| proofs.iter().any(|quirk| name_of(quirk) == name) || virtual_quirks_qmt::shows(name);
    for row in QUIRKS.iter().filter(|row| !ELSEWHERE.contains(&row.name) && !proven(row.name)) {
        let (_, dialect, scene) = SCENES
            .iter()
            .find(|(name, ..)| *name == row.name)
            .unwrap_or_else(|| panic!("no scene shows the quirk {}", row.name));
        if seen(dialect, None, *scene) == seen(dialect, Some(row.name), *scene) {
            silent.push(row.name);
        }
    }
    assert!(silent.is_empty(), "these quirks change nothing that anybody sees: {silent:?}");
    assert!(SCENES.iter().all(|(name, ..)| QUIRKS.iter().any(|row| row.name == *name)), "a scene of no quirk");
}

#[test]
fn what_a_quirk_changes_is_what_its_title_says() {
    for (name, dialect, shows) in proofs() {
        let module = |quirks| quiet(&VirtualOptions { quirks, ..VirtualOptions::new(*dialect) });
        assert!(shows(&mut module(vec![(*name).to_owned()])), "{name} of {dialect}");
        assert!(!shows(&mut module(Vec::new())), "{name} of {dialect}: without it");
    }
}

pub fn online(module: &mut SimulatedModule) {
    module.ask("AT+QMTOPEN=0,\"a.example\",1883", 1.0);
    module.ask("AT+QMTCONN=0,\"me\"", 1.0);
}

pub fn acquired(module: &mut SimulatedModule) {
    module.ask("AT+CMQTTSTART", 1.0);
    module.ask("AT+CMQTTACCQ=0,\"me\",0", 1.0);
}

fn connected(module: &mut SimulatedModule) {
    let said = module.ask("AT+CMQTTCONNECT=0,\"tcp://a.example\",60,1", 1.0);
    assert!(said.contains("+CMQTTCONNECT: 0,0"), "{said}");
}
