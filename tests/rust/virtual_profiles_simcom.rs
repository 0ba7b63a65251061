//! Full sessions with the SIMCom profiles, in the manners of programs in the field: one waits byte by byte for a text, one
//! waits a fixed time and looks for it in all that came, one compares whole lines. What they send is what such programs send;
//! the scripts are ours.
//!
//! Longer than 400 lines: most of it is the table of sessions.

use std::time::Duration;

use modemrig::bench_broker::BenchBroker;
use modemrig::bench_broker::BenchOptions;
use modemrig::client::ClientState;
use modemrig::engine::Credentials;
use modemrig::engine::Modem;
use modemrig::engine::OpenOptions;
use modemrig::engine::Outgoing;
use modemrig::engine::TlsFiles;
use modemrig::engine::TlsVerify;
use modemrig::engine::Value;
use modemrig::engine::Wait;
use modemrig::error::Error;
use modemrig::virtual_module::BrokerAddress;
use modemrig::virtual_module::Endpoint;
use modemrig::virtual_module::Network;
use modemrig::virtual_module::VirtualModule;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::SimulatedModule;

use crate::virtual_host::Host;

/// How a program finds out that a step is done.
#[derive(Clone, Copy)]
enum Manner {
    /// It reads byte by byte until the text is there.
    Bytes,
    /// It waits so many seconds, then looks whether the text is in what came.
    Pause(f64),
    /// It reads lines, and one of them must be the text; a prompt is a text of its own.
    Lines,
}

use Manner::Bytes;
use Manner::Lines;
use Manner::Pause;

/// What is written (a command line unless it ends with a line end itself or begins with `<`, which types what follows as it
/// is), and what must come of it; empty: whatever comes.
type Step = (&'static str, &'static str);

const BOTH: &[&str] = &["sim7600", "a76xx"];

/// Manner, profiles, session.
const SESSIONS: &[(&str, Manner, &[&str], &[Step])] = &[
    (
        "Arduino, matching bytes; the topic of a subscription typed at once",
        Bytes,
        BOTH,
        &[
            ("AT", "OK\r\n"),
            ("AT+CPIN?", "+CPIN: READY"),
            ("ATE0", "OK\r\n"),
            ("AT+CMEE=0", "OK\r\n"),
            ("AT+CTZR=0", "OK\r\n"),
            ("AT+CTZU=1", "OK\r\n"),
            ("AT+CGDCONT=1,\"IP\",\"iot\"", "OK\r\n"),
            ("AT+CGACT=1,1", "OK\r\n"),
            ("AT+CMQTTSTART", "+CMQTTSTART: 0"),
            ("AT+CMQTTACCQ=0,\"me\",0", "OK\r\n"),
            ("AT+CMQTTWILLTOPIC=0,4", ">"),
            ("<gone", "OK\r\n"),
            ("AT+CMQTTWILLMSG=0,3,1", ">"),
            ("<bye", "OK\r\n"),
            ("AT+CMQTTCONNECT=0,\"tcp://broker.example:1883\",60,1", "+CMQTTCONNECT: 0,0"),
            ("AT+CMQTTDISC?", "+CMQTTDISC: 0,0"),
            ("AT+CMQTTSUB=0,3,1", ">"),
            ("<a/b", "+CMQTTSUB: 0,0"),
            ("AT+CMQTTTOPIC=0,3", ">"),
            ("<a/b", "OK\r\n"),
            ("AT+CMQTTPAYLOAD=0,5", ">"),
            ("<hello", "OK\r\n"),
            ("AT+CMQTTPUB=0,1,60,0,0", "+CMQTTRXEND: 0"),
            ("AT+CMQTTUNSUB=0,3,0", ">"),
            ("<a/b", "+CMQTTUNSUB: 0,0"),
            ("AT+CMQTTDISC=0,60", "+CMQTTDISC: 0,0"),
            ("AT+CMQTTREL=0", "OK\r\n"),
            ("AT+CMQTTSTOP", "+CMQTTSTOP: 0"),
        ],
    ),
    (
        "Arduino, everything torn down first; line ends behind what is typed",
        Bytes,
        BOTH,
        &[
            ("AT+CMQTTDISC=0,120", "ERROR\r\n"),
            ("AT+CMQTTDISC=1,120", "ERROR\r\n"),
            ("AT+CMQTTREL=0,120", "ERROR\r\n"),
            ("AT+CMQTTREL=1,120", "ERROR\r\n"),
            ("AT+CMQTTSTOP", "ERROR\r\n"),
            ("AT+CMQTTSTART", "+CMQTTSTART: 0"),
            ("AT+CSSLCFG=\"authmode\",0,0", "OK\r\n"),
            ("AT+CMQTTREL=0", "ERROR\r\n"),
            ("AT+CMQTTACCQ=0,\"me\",0", "OK\r\n"),
            ("AT+CMQTTCFG=\"version\",0,4", "OK\r\n"),
            ("AT+CMQTTCONNECT=0,\"tcp://broker.example:1883\",60,1,\"user\",\"pass\"", "+CMQTTCONNECT: 0,0"),
            ("AT+CMQTTSUB=0,3,0,0", ">"),
            ("<a/b\r\n", "+CMQTTSUB: 0,0"),
            ("AT+CMQTTTOPIC=0,3", ">"),
            ("<a/b\r\n", "OK\r\n"),
            ("AT+CMQTTPAYLOAD=0,5", ">"),
            ("<hello\r\n", "OK\r\n"),
            ("AT+CMQTTPUB=0,0,60,0", "+CMQTTRXEND: 0"),
            ("AT+CMQTTUNSUBTOPIC=0,3", ">"),
            ("<a/b\r\n", "OK\r\n"),
            ("AT+CMQTTUNSUB=0,0", "+CMQTTUNSUB: 0,0"),
            ("AT+CMQTTDISC=0,120", "+CMQTTDISC: 0,0"),
            ("AT+CMQTTREL=0", "OK\r\n"),
            ("AT+CMQTTSTOP", "+CMQTTSTOP: 0"),
        ],
    ),
    (
        "STM32, fixed times, asking before each step what is so already",
        Pause(0.5),
        BOTH,
        &[
            ("ATE0\r\n", "OK"),
            ("AT+CSQ\r\n", "+CSQ: "),
            ("AT+CPIN?\r\n", "+CPIN: READY"),
            ("AT+CREG?\r\n", "+CREG: 0,1"),
            ("ATI\r\n", "Manufacturer: SIMCOM INCORPORATED"),
            ("AT+CICCID\r\n", "+ICCID: "),
            ("AT+CGREG?\r\n", "+CGREG: 0,1"),
            ("AT+CMQTTSTART\r\n", "+CMQTTSTART: 0"),
            ("AT+CMQTTACCQ?\r\n", "+CMQTTACCQ: 0,\"\",0\r\n"),
            ("AT+CMQTTACCQ=0,\"farm\",0\r\n", "OK"),
            ("AT+CMQTTACCQ?\r\n", "+CMQTTACCQ: 0,\"farm\",0\r\n"),
            ("AT+CMQTTCONNECT?\r\n", "+CMQTTCONNECT: 0\r\n"),
            ("AT+CMQTTCONNECT=0,\"tcp://broker.example:1883\",20,1,\"u\",\"p\"\r\n", "+CMQTTCONNECT: 0,0"),
            ("AT+CMQTTCONNECT?\r\n", "+CMQTTCONNECT: 0,\"tcp://broker.example:1883\",20,1,\"u\",\"p\"\r\n"),
            ("AT+CMQTTSUBTOPIC=0,003,1\r\n", ">"),
            ("<a/b", "OK"),
            ("AT+CMQTTSUB=0\r\n", "+CMQTTSUB: 0,0"),
            ("AT+CMQTTTOPIC=0,3\r\n", ">"),
            ("<a/b\r\n", "OK"),
            ("AT+CMQTTPAYLOAD=0,5\r\n", ">"),
            ("<hello", "OK"),
            ("AT+CMQTTPUB=0,1,60\r\n", "+CMQTTPUB: 0,0"),
            ("AT+CMQTTDISC?\r\n", "+CMQTTDISC: 0,0"),
            ("AT+CMQTTUNSUB=0,3,1\r\n", ">"),
            ("<a/b", "+CMQTTUNSUB: 0,0"),
            ("AT+CMQTTDISC=0,120\r\n", "+CMQTTDISC: 0,0"),
            ("AT+CMQTTREL=0\r\n", "OK"),
            ("AT+CMQTTSTOP\r\n", "OK"),
        ],
    ),
    (
        "MicroPython, a second for each answer, line ends behind everything",
        Pause(1.0),
        BOTH,
        &[
            ("AT+CGDCONT=1,\"IP\",\"\"\r\n", "OK"),
            ("AT+CGATT=1\r\n", "OK"),
            ("AT+NETOPEN\r\n", "+NETOPEN: 0"),
            ("AT+IPADDR\r\n", "+IPADDR: "),
            ("AT+SIMCOMATI\r\n", "Model: "),
            ("AT+CMQTTSTART\r\n", "+CMQTTSTART: 0"),
            ("AT+CMQTTREL=0\r\n", ""),
            ("AT+CMQTTACCQ=0,\"me\",0\r\n", "OK"),
            ("AT+CMQTTCFG=\"version\",0,3\r\n", "OK"),
            ("AT+CMQTTCONNECT=0,\"tcp://broker.example:1883\",60,1\r\n", "+CMQTTCONNECT: 0,0"),
            ("AT+CMQTTSUB=0,3,0,0\r\n", ">"),
            ("<a/b\r\n\r\n", "OK"),
            ("AT+CMQTTTOPIC=0,3\r\n", ">"),
            ("<a/b\r\n\r\n", "OK"),
            ("AT+CMQTTPAYLOAD=0,9\r\n", ">"),
            ("<RunTime:1\r\n\r\n", "OK"),
            ("AT+CMQTTPUB=0,0,60,0,0\r\n", "RunTime:1\r\n"),
            ("AT+CMQTTUNSUBTOPIC=0,3\r\n", ">"),
            ("<a/b\r\n\r\n", "OK"),
            ("AT+CMQTTUNSUB=0\r\n", "+CMQTTUNSUB: 0,0"),
            ("AT+CMQTTDISC=0,0\r\n", "+CMQTTDISC: 0,0"),
            ("AT+CMQTTREL=0\r\n", "OK"),
            ("AT+CMQTTSTOP\r\n", "+CMQTTSTOP: 0"),
        ],
    ),
    (
        "Python, whole lines; a client id, an address and a length that were quoted otherwise; blanks and small letters",
        Lines,
        BOTH,
        &[
            ("ATE0", "OK"),
            ("at+cmqttstart", "+CMQTTSTART: 0"),
            ("AT+CMQTTACCQ=0,me", "OK"),
            ("AT+CMQTTWILLTOPIC=0, 4", ">"),
            ("<gone", "OK"),
            ("AT+CMQTTWILLMSG=0,\"3\",1", ">"),
            ("<bye", "OK"),
            ("AT+CMQTTCONNECT=0,tcp://broker.example:1883,60,1,u,p", "+CMQTTCONNECT: 0,0"),
            ("AT+CMQTTSUBTOPIC=0,3,1", ">"),
            ("<a/b", "OK"),
            ("AT+CMQTTSUB=0,1", "+CMQTTSUB: 0,0"),
            ("AT+CMQTTTOPIC=0,3", ">"),
            ("<a/b", "OK"),
            ("AT+CMQTTPAYLOAD=0,13", ">"),
            ("<{\"value\":123}", "OK"),
            ("AT+CMQTTPUB=0,2,1,1", "{\"value\":123}"),
            ("AT+CMQTTUNSUBTOPIC=0,3", ">"),
            ("<a/b", "OK"),
            ("AT+CMQTTUNSUB=0,1", "+CMQTTUNSUB: 0,0"),
            ("AT+CMQTTDISC=0", "+CMQTTDISC: 0,0"),
            ("AT+CMQTTREL=0", "OK"),
            ("AT+CMQTTSTOP", "+CMQTTSTOP: 0"),
        ],
    ),
    (
        "events of an object; credentials left empty, Ctrl-Z behind what is typed",
        Lines,
        BOTH,
        &[
            ("AT+CMQTTSTART", "+CMQTTSTART: 0"),
            ("AT+CMQTTACCQ=0,\"me\",0", "OK"),
            ("AT+CMQTTCONNECT=0,\"tcp://broker.example:1883\",60,0,,", "+CMQTTCONNECT: 0,0"),
            ("AT+CMQTTSUB=0,3,2", ">"),
            ("<a/b\x1a\r\n", "+CMQTTSUB: 0,0"),
            ("AT+CMQTTTOPIC=0,3", ">"),
            ("<a/b\x1a\r\n", "OK"),
            ("AT+CMQTTPAYLOAD=0,5", ">"),
            ("<hello\x1a\r\n", "OK"),
            ("AT+CMQTTPUB=0,1,60,0", "hello"),
            ("AT+CMQTTUNSUB=0,3", ">"),
            ("<a/b\x1a\r\n", "+CMQTTUNSUB: 0,0"),
            ("AT+CMQTTDISC=0,60", "+CMQTTDISC: 0,0"),
            ("AT+CMQTTREL=0", "OK"),
            ("AT+CMQTTSTOP", "+CMQTTSTOP: 0"),
        ],
    ),
    (
        "two clients, each with a broker of its own",
        Lines,
        BOTH,
        &[
            ("AT+CMQTTSTART", "+CMQTTSTART: 0"),
            ("AT+CMQTTACCQ=0,\"data\",0", "OK"),
            ("AT+CMQTTACCQ=1,\"telemetry\",0", "OK"),
            ("AT+CMQTTACCQ?", "+CMQTTACCQ: 1,\"telemetry\",0"),
            ("AT+CMQTTCONNECT=0,\"tcp://one.example:1883\",60,1", "+CMQTTCONNECT: 0,0"),
            ("AT+CMQTTCONNECT=1,\"tcp://two.example:1883\",60,1", "+CMQTTCONNECT: 1,0"),
            ("AT+CMQTTSUB=1,1,1", ">"),
            ("<t", "+CMQTTSUB: 1,0"),
            ("AT+CMQTTTOPIC=0,1", ">"),
            ("<t", "OK"),
            ("AT+CMQTTPAYLOAD=0,2", ">"),
            ("<hi", "OK"),
            ("AT+CMQTTPUB=0,1,60", "+CMQTTRXPAYLOAD: 1,2"),
            ("AT+CMQTTSTOP", "ERROR"),
            ("AT+CMQTTDISC=0,60", "+CMQTTDISC: 0,0"),
            ("AT+CMQTTDISC?", "+CMQTTDISC: 1,0"),
            ("AT+CMQTTREL=0", "OK"),
            ("AT+CMQTTDISC=1,60", "+CMQTTDISC: 1,0"),
            ("AT+CMQTTREL=1", "OK"),
            ("AT+CMQTTSTOP", "+CMQTTSTOP: 0"),
        ],
    ),
    (
        "several topics staged, subscribed to at once",
        Lines,
        BOTH,
        &[
            ("AT+CMQTTSTART", "+CMQTTSTART: 0"),
            ("AT+CMQTTACCQ=0,\"me\",0", "OK"),
            ("AT+CMQTTCONNECT=0,\"tcp://broker.example:1883\",60,1", "+CMQTTCONNECT: 0,0"),
            ("AT+CMQTTSUBTOPIC=0,1,1", ">"),
            ("<a", "OK"),
            ("AT+CMQTTSUBTOPIC=0,1,1", ">"),
            ("<b", "OK"),
            ("AT+CMQTTSUB=0", "+CMQTTSUB: 0,0"),
            ("AT+CMQTTSUB?", "b"),
            ("AT+CMQTTTOPIC=0,1", ">"),
            ("<a", "OK"),
            ("AT+CMQTTPAYLOAD=0,2", ">"),
            ("<hi", "OK"),
            ("AT+CMQTTPUB=0,0,60", "hi"),
            ("AT+CMQTTUNSUBTOPIC=0,1", ">"),
            ("<a", "OK"),
            ("AT+CMQTTUNSUBTOPIC=0,1", ">"),
            ("<b", "OK"),
            ("AT+CMQTTUNSUB=0,0", "+CMQTTUNSUB: 0,0"),
            ("AT+CMQTTSUB?", "OK"),
            ("AT+CMQTTDISC=0,120", "+CMQTTDISC: 0,0"),
            ("AT+CMQTTREL=0", "OK"),
            ("AT+CMQTTSTOP", "+CMQTTSTOP: 0"),
        ],
    ),
    (
        "the version of MQTT with the client; the connection asked for first",
        Lines,
        BOTH,
        &[
            ("AT+CMQTTSTART", "+CMQTTSTART: 0"),
            ("AT+CMQTTACCQ=0,\"me\",0,3", "OK"),
            ("AT+CMQTTDISC?", "+CMQTTDISC: 0,1"),
            ("AT+CMQTTCONNECT=0,\"tcp://broker.example:1883\",60,1", "+CMQTTCONNECT: 0,0"),
            ("AT+CMQTTSUB=0,1,1", ">"),
            ("<t", "+CMQTTSUB: 0,0"),
            ("AT+CMQTTDISC=0,120", "+CMQTTDISC: 0,0"),
            ("AT+CMQTTREL=0", "OK"),
            ("AT+CMQTTSTOP", "+CMQTTSTOP: 0"),
        ],
    ),
    (
        "topics in the commands, messages in one line",
        Bytes,
        &["a76xx"],
        &[
            ("ATE0", "OK\r\n"),
            ("AT+CMQTTSTART=1", "+CMQTTSTART: 0"),
            ("AT+CMQTTACCQ=0,\"me\",0", "OK\r\n"),
            ("AT+CMQTTCFG=\"checkUTF8\",0,0", "OK\r\n"),
            ("AT+CMQTTCFG=\"argtopic\",0,1,1", "OK\r\n"),
            ("AT+CMQTTCONNECT=0,\"tcp://broker.example:1883\",60,1", "+CMQTTCONNECT: 0,0"),
            ("AT+CMQTTSUB=0,\"a/b\",1,0", "+CMQTTSUB: 0,0"),
            ("AT+CMQTTPUB=0,\"a/b\",0,5", ">"),
            ("<hello", "+CMQTTRECV: 0,\"a/b\",5,\"hello\"\r\n"),
            ("AT+CMQTTUNSUB=0,\"a/b\",0", "+CMQTTUNSUB: 0,0"),
            ("AT+CMQTTDISC=0,120", "+CMQTTDISC: 0,0"),
            ("AT+CMQTTREL=0", "OK\r\n"),
            ("AT+CMQTTSTOP", "+CMQTTSTOP: 0"),
        ],
    ),
];

/// Longest a program waits for one answer, seconds.
const PATIENCE: u64 = 9;

#[test]
fn programs_in_the_field_have_full_sessions_with_the_simcom_profiles() {
    for (title, manner, profiles, steps) in SESSIONS {
        for profile in *profiles {
            let mut module = SimulatedModule::new(&VirtualOptions::new(*profile)).expect("a profile");
            for (sent, awaited) in *steps {
                let came = answered(&mut module, *manner, sent, awaited);
                assert!(came.is_ok(), "{profile}: {title}: {sent:?}: {awaited:?} is not in {:?}", came.err());
            }
        }
    }
}

/// Sends and waits as the program does; the error is what came instead.
fn answered(module: &mut SimulatedModule, manner: Manner, sent: &str, awaited: &str) -> Result<(), String> {
    module.take_output();
    match sent.strip_prefix('<') {
        Some(typed) => module.host(typed.as_bytes()),
        None => module.host(format!("{}\r\n", sent.trim_end()).as_bytes()),
    }
    match manner {
        Bytes => {
            let found = module.until(awaited.as_bytes(), Duration::from_secs(PATIENCE));
            // What follows in the same breath is thrown away with the next command.
            let rest = String::from_utf8_lossy(&module.take_output()).into_owned();
            module.after(0.1);
            found.map(drop).ok_or(rest)
        }
        Pause(seconds) => {
            let came = module.after(seconds);
            if came.contains(awaited) { Ok(()) } else { Err(came) }
        }
        Lines => {
            let came = module.after(1.0);
            let mut lines = came.split("\r\n").map(str::trim);
            if lines.any(|line| line == awaited) { Ok(()) } else { Err(came) }
        }
    }
}

/// Answered OK within a second, with this line where one is named.
const BESIDE: &[(&str, &str)] = &[
    ("AT", ""),
    ("AT+CMEE=2", ""),
    ("AT+CPSI?", "+CPSI: LTE,Online,"),
    ("AT+CNMP=38", ""),
    ("AT+CNMP?", "+CNMP: 2"),
    ("AT+CTZU=1", ""),
    ("AT+CCLK?", "+CCLK: \""),
    ("AT+COPS?", "+COPS: 0,"),
    ("AT+COPS=0", ""),
    ("AT+CGATT?", "+CGATT: 1"),
    ("AT+CGACT=1,1", ""),
    ("AT+CGPADDR=1", "+CGPADDR: 1,"),
    ("AT+CGPADDR", "+CGPADDR: 1,"),
    ("AT+CEREG?", "+CEREG: 0,1"),
    ("AT+CEREG=2", ""),
    ("AT+CGAUTH=1,1,\"u\",\"p\"", ""),
    ("AT+NETOPEN?", "+NETOPEN: 1"),
    ("AT+NETCLOSE", ""),
    ("AT+CDNSGIP=\"broker.example\"", "+CDNSGIP: 1,"),
    ("AT+CNTP=\"pool.ntp.org\",0", ""),
    ("AT+CNTP", ""),
    ("AT+CMGF=1", ""),
    ("AT+CGPS=0", ""),
    ("AT+CFUN=1", ""),
    ("AT+CFUN?", "+CFUN: 1"),
    ("AT+CPIN=\"0000\"", ""),
    ("AT+CCID", "+ICCID: "),
    ("AT+CGSN", "86"),
    ("AT+CIMI", "00101"),
    ("AT+CBC", "+CBC: "),
    ("AT+CSCLK=0", ""),
    ("AT+CSSLCFG=\"sslversion\",0,4", ""),
    ("AT+CSSLCFG=\"authmode\",9,3", ""),
    ("AT+CSSLCFG=\"ignorelocaltime\",0,1", ""),
    ("AT+CSSLCFG=\"negotiatetime\",0,120", ""),
    ("AT+CSSLCFG=\"ignorecertCN\",0,1", ""),
    ("AT+CSSLCFG=\"enableSNI\",0,1", ""),
    ("AT+CSSLCFG=\"cacert\",1,\"\"", ""),
    ("AT+CSSLCFG?", "+CSSLCFG: 9,"),
    ("AT+CMQTTCNCTTIMEOUT=0,10", ""),
    ("AT&W", ""),
    ("AT&D0", ""),
    ("ATH", ""),
];

#[test]
fn what_programs_say_beside_mqtt_is_answered_within_a_second() {
    for profile in BOTH {
        let mut module = SimulatedModule::new(&VirtualOptions::new(*profile)).expect("a profile");
        module.ask("ATE0", 1.0);
        for (line, awaited) in BESIDE {
            let said = module.ask(line, 1.0);
            assert!(said.contains("\r\nOK\r\n") && said.contains(awaited), "{profile}: {line}: {said:?}");
        }
    }
}

/// A certificate is stored, the context chosen before the client is acquired; each way of checking reaches the broker.
#[test]
fn a_client_over_tls_checks_what_its_context_says() {
    for (profile, prompt) in [("sim7600", "\r\n>"), ("a76xx", "\r\n>\r\n")] {
        let mut host = Host::with(profile, |_| {});
        host.ok("ATE0");
        let certificates = host.broker.certificates();
        let files = [
            ("ca.pem", certificates.ca_pem.clone()),
            ("cert.pem", certificates.client_cert_pem.clone()),
            ("key.pem", certificates.client_key_pem.clone()),
        ];
        for (name, content) in files {
            host.write(format!("AT+CCERTDOWN=\"{name}\",{}\r\n", content.len()).as_bytes());
            host.until(prompt);
            host.write(content.as_bytes());
            host.until("\r\nOK\r\n");
        }
        for (key, name) in [("cacert", "ca.pem"), ("clientcert", "cert.pem"), ("clientkey", "key.pem")] {
            host.ok(&format!("AT+CSSLCFG=\"{key}\",2,\"{name}\""));
        }
        for mode in 0..=3 {
            host.ok(&format!("AT+CSSLCFG=\"authmode\",2,{mode}"));
            host.write(b"AT+CMQTTSTART\r\n");
            host.until("+CMQTTSTART: 0\r\n");
            host.ok("AT+CMQTTSSLCFG=1,2");
            host.ok("AT+CMQTTACCQ=1,\"me\",1");
            host.write(b"AT+CMQTTCONNECT=1,\"tcp://broker.example:8883\",60,1\r\n");
            host.until("+CMQTTCONNECT: 1,0\r\n");
            host.write(b"AT+CMQTTDISC=1,60\r\n");
            host.until("+CMQTTDISC: 1,0\r\n");
            host.ok("AT+CMQTTREL=1");
            host.write(b"AT+CMQTTSTOP\r\n");
            host.until("+CMQTTSTOP: 0\r\n");
        }
    }
}

/// Longer than any step takes on a loaded machine.
fn wait() -> Wait<'static> {
    Wait::at_most(Duration::from_secs(20))
}

/// A module on a pseudo-terminal, and what is behind it.
fn on_a_port(profile: &str) -> (BenchBroker, VirtualModule) {
    let broker = BenchBroker::start(BenchOptions::default()).expect("a broker");
    let address = BrokerAddress { host: broker.host().into(), port: broker.port(), tls_port: broker.tls_port() };
    let module = VirtualModule::start(VirtualOptions {
        endpoint: Endpoint::Pty { link: None },
        network: Network { redirect: Some(address) },
        ..VirtualOptions::new(profile)
    });
    (broker, module.expect("a virtual module"))
}

/// A session of our own host, both clients at once; the module is met, not described.
fn session(modem: &Modem, profile: &str) {
    assert_eq!(("sim7028", 2), (modem.dialect().id.as_str(), modem.clients()), "{profile}");
    let step = |what: &str, outcome: Result<(), Error>| {
        outcome.unwrap_or_else(|error| panic!("{profile}, {what}: {error} {:?}", error.last_lines));
    };
    let clients = [0, 1].map(|index| modem.client(index).expect("two clients"));
    for (index, client) in clients.iter().enumerate() {
        let me = Credentials { client_id: format!("slot-{index}"), ..Credentials::default() };
        step("open", client.open("broker.lab", 1883, None, wait()));
        step("connect", client.connect(&me, wait()));
        step("subscribe", client.subscribe(&[(format!("up/{index}"), 1)], wait()).map(|_| ()));
    }
    for (index, client) in clients.iter().enumerate() {
        // Longer than one part of a received payload.
        for (qos, payload) in [(0, b"plain".to_vec()), (1, vec![b'x'; 3001]), (2, b"line\r\nOK\r\n> more".to_vec())] {
            let message = Outgoing { topic: format!("up/{index}"), payload: payload.clone(), qos, retain: false };
            let receipt = client.publish(&message, wait()).unwrap_or_else(|error| panic!("{profile}: {error}"));
            step("publish", receipt.wait(wait()).map(|_| ()));
            let mut taken = client.take_messages(8, wait()).unwrap_or_else(|error| panic!("{profile}: {error}"));
            assert_eq!(1, taken.len(), "{profile}, client {index}, QoS {qos}");
            assert_eq!(payload, taken.remove(0).message.payload, "{profile}, client {index}, QoS {qos}");
        }
        step("unsubscribe", client.unsubscribe(&[format!("up/{index}")], wait()));
        // The service goes on for the other client.
        step("disconnect", client.disconnect(wait()));
        step("close", client.close(wait()));
    }
    let stopped = modem.command("AT+CMQTTDISC?", None, wait()).expect("an answer").exchanged;
    assert_eq!(["ERROR"], stopped[..], "{profile}: nobody uses the service, and it runs");
    assert!(clients.iter().all(|client| client.state() == ClientState::Closed), "{profile}");
}

#[test]
fn our_host_drives_both_clients_of_a_module_that_no_document_describes() {
    for profile in BOTH {
        let (broker, module) = on_a_port(profile);
        let modem = Modem::open(module.path(), OpenOptions::default(), wait()).expect("an open port");
        session(&modem, profile);
        modem.close_gracefully(wait()).expect("left");
        assert!(broker.connected().is_empty(), "{profile}");
    }
}

/// A program before us left service, client and connection: 23 or ERROR, 19, and a publish without result.
#[test]
fn our_host_starts_afresh_on_what_another_left() {
    for profile in BOTH {
        let (_broker, module) = on_a_port(profile);
        let before = Modem::open(module.path(), OpenOptions::default(), wait()).expect("an open port");
        for (index, name) in [(0, "left"), (1, "left too")] {
            let client = before.client(index).expect("two clients");
            client.open("broker.lab", 1883, None, wait()).expect("open");
            let me = Credentials { client_id: name.into(), ..Credentials::default() };
            client.connect(&me, wait()).expect("connected");
        }
        before.close();
        // Saying which document it follows takes no client away.
        let options = OpenOptions { dialect: Some("sim7028".into()), ..OpenOptions::default() };
        let modem = Modem::open(module.path(), options, wait()).expect("free again");
        session(&modem, profile);
    }
}

/// Settings, a will and TLS of the second client, with a context the document's module does not have.
#[test]
fn our_host_configures_and_secures_the_second_client() {
    for profile in BOTH {
        let (broker, module) = on_a_port(profile);
        broker.require_client_cert(true);
        let modem = Modem::open(module.path(), OpenOptions::default(), wait()).expect("an open port");
        let certificates = broker.certificates();
        let files = TlsFiles {
            ca: Some(certificates.ca_pem.clone().into_bytes()),
            client_cert: Some(certificates.client_cert_pem.clone().into_bytes()),
            client_key: Some(certificates.client_key_pem.clone().into_bytes()),
            verify: TlsVerify::Mutual,
            ignore_local_time: true,
            sni: None,
        };
        modem.tls_context(5, &files, wait()).unwrap_or_else(|error| panic!("{profile}: {error}"));
        let client = modem.client(1).expect("two clients");
        let will = Value::List(vec!["gone".into(), "bye".into(), 1.into(), 0.into()]);
        client.configure(&[("will".into(), will), ("keepalive_s".into(), 60.into())], wait()).expect("kept");
        client.configure(&[("optimeout".into(), Value::List(vec![30.into()]))], wait()).expect("kept");
        client.open("broker.lab", 8883, Some(5), wait()).unwrap_or_else(|error| panic!("{profile}: {error}"));
        let me = Credentials { client_id: "second".into(), ..Credentials::default() };
        client.connect(&me, wait()).unwrap_or_else(|error| panic!("{profile}: {error} {:?}", error.last_lines));
        let settings = client.settings(wait()).unwrap_or_else(|error| panic!("{profile}: {error}"));
        assert_eq!(Some(&Value::Int(30)), settings["optimeout"].get("optimeout_val"), "{profile}: {settings:?}");
        assert!(broker.cut("second"), "{profile}");
        client.connection_lost(wait()).expect("open").expect("lost");
        assert_ne!(ClientState::Connected, client.state(), "{profile}");
    }
}
