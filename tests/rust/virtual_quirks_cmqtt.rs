//! The quirks of SIMCom's MQTT service: each does what its title says, and without it the module does otherwise. Rules of
//! what real modules do are in docs/field.md.

use modemrig::mqtt::AckAction;
use modemrig::mqtt::AckRule;
use modemrig::mqtt::Kind;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::SimulatedModule;

use crate::simulated::quiet;
use crate::simulated::said;

/// Quirk as it is written, and whether exactly what its title says is seen.
pub type Proof = (&'static str, fn(&mut SimulatedModule) -> bool);

pub const PROOFS: &[Proof] = &[
    ("sub_name", |module| {
        connected(module);
        subscribed(module) == "OK|+CMQTTSUBTOPIC: 0,0"
    }),
    ("rx_blank_lines", |module| {
        connected(module);
        subscribed(module);
        own_message(module, b"hello")
            == "\r\n+CMQTTRXSTART: 0,1,5\r\n\r\n+CMQTTRXTOPIC: 0,1\r\nt\r\n\r\n+CMQTTRXPAYLOAD: 0,5\r\nhello\r\n\
                \r\n+CMQTTRXEND: 0\r\n"
    }),
    ("rx_part:bytes=3", |module| {
        connected(module);
        subscribed(module);
        own_message(module, b"hello")
            == "\r\n+CMQTTRXSTART: 0,1,5\r\n+CMQTTRXTOPIC: 0,1\r\nt\r\n+CMQTTRXPAYLOAD: 0,3\r\nhel\r\n\
                +CMQTTRXPAYLOAD: 0,2\r\nlo\r\n+CMQTTRXEND: 0\r\n"
    }),
    ("rx_back_to_back", |module| {
        connected(module);
        subscribed(module);
        own_message(module, b"hello")
            == "+CMQTTRXSTART: 0,1,5\r\n+CMQTTRXTOPIC: 0,1\r\nt\r\n+CMQTTRXPAYLOAD: 0,5\r\nhello\r\n+CMQTTRXEND: 0\r\n"
    }),
    ("busy_until_acknowledged", |module| {
        connected(module);
        unanswered(module, Kind::Puback);
        entered(module, b"x");
        said(module, "AT+CMQTTPUB=0,1,60");
        let busy = said(module, "AT+CMQTTTOPIC=0,1");
        module.host(b"t\r");
        // Given up by the module: the next can be entered.
        module.after(61.0);
        let free = said(module, "AT+CMQTTTOPIC=0,1");
        (busy.as_str(), free.as_str()) == ("+CMQTTTOPIC: 0,14|ERROR", "> ")
    }),
    ("lost_after_failure", |module| {
        connected(module);
        unanswered(module, Kind::Puback);
        entered(module, b"x");
        said(module, "AT+CMQTTPUB=0,1,60");
        let lost = module.after(61.0);
        lost == "\r\n+CMQTTPUB: 0,17\r\n\r\n+CMQTTCONNLOST: 0,1\r\n"
            && said(module, "AT+CMQTTDISC?") == "+CMQTTDISC: 0,1|OK"
    }),
    ("lost_after_failure", |module| {
        connected(module);
        module.network().broker.policy.refused_filters.insert("t".into());
        let lost = module.ask("AT+CMQTTSUB=0,1,1", 0.1) + &typed(module, b"t");
        lost.ends_with("\r\n+CMQTTSUB: 0,1\r\n\r\n+CMQTTCONNLOST: 0,1\r\n")
    }),
    ("leftovers", |module| {
        let stopped = [said(module, "AT+CMQTTSTOP"), said(module, "AT+CMQTTREL=0")];
        said(module, "AT+CMQTTSTART");
        let started = said(module, "AT+CMQTTSTART");
        said(module, "AT+CMQTTACCQ=0,\"me\",0");
        let acquired = [said(module, "AT+CMQTTACCQ=0,\"me\",0"), said(module, "AT+CMQTTSTOP")];
        stopped == ["+CMQTTSTOP: 9|ERROR", "+CMQTTREL: 0,20|ERROR"]
            && started == "+CMQTTSTART: 23|ERROR"
            && acquired == ["+CMQTTACCQ: 0,19|ERROR", "+CMQTTSTOP: 19|ERROR"]
    }),
];

#[test]
fn what_a_quirk_of_the_service_changes_is_what_its_title_says() {
    for (quirk, shows) in PROOFS {
        let module = |quirks| quiet(&VirtualOptions { quirks, ..VirtualOptions::new("sim7028") });
        assert!(shows(&mut module(vec![(*quirk).to_owned()])), "{quirk}");
        assert!(!shows(&mut module(Vec::new())), "{quirk}: without it");
    }
}

fn connected(module: &mut SimulatedModule) {
    module.ask("AT+CMQTTSTART", 1.0);
    module.ask("AT+CMQTTACCQ=0,\"me\",0", 1.0);
    let said = module.ask("AT+CMQTTCONNECT=0,\"tcp://a.example\",3600,1", 1.0);
    assert!(said.contains("+CMQTTCONNECT: 0,0"), "{said}");
}

/// What is said behind the prompt.
fn typed(module: &mut SimulatedModule, input: &[u8]) -> String {
    module.take_output();
    module.host(input);
    module.after(1.0)
}

fn subscribed(module: &mut SimulatedModule) -> String {
    module.ask("AT+CMQTTSUB=0,1,1", 0.1);
    typed(module, b"t").split("\r\n").filter(|line| !line.is_empty()).collect::<Vec<_>>().join("|")
}

fn entered(module: &mut SimulatedModule, payload: &[u8]) {
    module.ask("AT+CMQTTTOPIC=0,1", 0.1);
    typed(module, b"t");
    module.ask(&format!("AT+CMQTTPAYLOAD=0,{}", payload.len()), 0.1);
    typed(module, payload);
}

/// A message of its own as it comes back, without what the publish is answered.
fn own_message(module: &mut SimulatedModule, payload: &[u8]) -> String {
    entered(module, payload);
    let said = module.ask("AT+CMQTTPUB=0,0,60", 1.0);
    said.replace("\r\nOK\r\n", "").replace("\r\n+CMQTTPUB: 0,0\r\n", "")
}

fn unanswered(module: &mut SimulatedModule, kind: Kind) {
    let rule = AckRule { kind, client_id: None, action: AckAction::Drop, times: None };
    module.network().broker.policy.ack_rules.push(rule);
}
