//! The host side of TLS: what it refuses before the wire, and what it says when a module's open fails.

use std::time::Duration;

use modemrig::bench_broker::BenchBroker;
use modemrig::bench_broker::BenchOptions;
use modemrig::dialect::catalogue;
use modemrig::dialect::schema::Family;
use modemrig::engine::Credentials;
use modemrig::engine::Modem;
use modemrig::engine::OpenOptions;
use modemrig::engine::TlsFiles;
use modemrig::engine::TlsVerify;
use modemrig::engine::Wait;
use modemrig::error::Error;
use modemrig::error::Kind;
use modemrig::virtual_module::BrokerAddress;
use modemrig::virtual_module::Conditions;
use modemrig::virtual_module::Endpoint;
use modemrig::virtual_module::Network;
use modemrig::virtual_module::VirtualModule;
use modemrig::virtual_module::VirtualOptions;

use crate::tls_host::DIALECTS;
use crate::tls_servers::file;

fn wait() -> Wait<'static> {
    Wait::at_most(Duration::from_secs(20))
}

fn rig(dialect: &str, conditions: Conditions) -> (BenchBroker, VirtualModule, Modem) {
    let broker = BenchBroker::start(BenchOptions::default()).expect("a broker");
    let address = BrokerAddress { host: broker.host().into(), port: broker.port(), tls_port: broker.tls_port() };
    let module = VirtualModule::start(VirtualOptions {
        endpoint: Endpoint::Pty { link: None },
        network: Network { redirect: Some(address) },
        conditions,
        ..VirtualOptions::new(dialect)
    });
    let module = module.expect("a virtual module");
    let modem = Modem::open(module.path(), OpenOptions::default(), wait()).expect("an open port");
    (broker, module, modem)
}

fn files(ca: &[u8], verify: TlsVerify) -> TlsFiles {
    TlsFiles {
        ca: Some(ca.to_vec()),
        client_cert: Some(file("client").to_vec()),
        client_key: Some(file("client.key").to_vec()),
        verify,
        ignore_local_time: false,
        sni: None,
    }
}

/// Opens and connects through context 0, which must fail.
fn failure(modem: &Modem) -> Error {
    let client = modem.client(0).expect("there is one");
    let credentials = Credentials { client_id: "me".into(), ..Credentials::default() };
    client
        .open("broker.lab", 8883, Some(0), wait())
        .and_then(|()| client.connect(&credentials, wait()))
        .expect_err("TLS fails")
}

#[test]
fn an_open_that_fails_for_tls_says_what_the_code_means_and_what_to_look_at() {
    for dialect in DIALECTS {
        let cmqtt = catalogue().get(dialect).expect("is built in").family == Family::Cmqtt;
        let blind = Conditions { network_time: false, ..Conditions::default() };
        // A stranger's authority; the right one by a calendar of 1980; a file that is gone.
        for (conditions, stranger, deleted) in
            [(Conditions::default(), true, false), (blind, false, false), (Conditions::default(), false, true)]
        {
            let (broker, _module, modem) = rig(dialect, conditions);
            let ca =
                if stranger { file("other-ca").to_vec() } else { broker.certificates().ca_pem.clone().into_bytes() };
            modem.tls_context(0, &files(&ca, TlsVerify::Server), wait()).expect("a good context");
            if deleted {
                for file in modem.files(wait()).expect("listed") {
                    modem.delete_file(&file.name, wait()).unwrap_or_else(|error| panic!("{dialect}: {error}"));
                }
            }
            let error = failure(&modem);
            let code = match (cmqtt, deleted) {
                (false, _) => -1,
                (true, false) => 32,
                (true, true) => 33,
            };
            assert_eq!((Kind::OpenFailed, Some(code)), (error.kind, error.code), "{dialect}: {error}");
            assert!(error.meaning.is_some() && error.source.is_some(), "{dialect}: {error}");
            let remedy = error.remedy.clone().unwrap_or_default();
            let words: &[&str] =
                if code == 33 { &["certificate", "files"] } else { &["clock", "authority", "certificate"] };
            assert!(words.iter().all(|word| remedy.contains(word)), "{dialect}: {remedy}");
        }
    }
}

#[test]
fn a_context_that_cannot_work_is_refused_with_the_reason_and_nothing_is_written() {
    let good = || files(file("ca"), TlsVerify::Mutual);
    let rows: [(u8, TlsFiles, &[&str]); 10] = [
        (9, good(), &["ssl_ctx", "9", "allowed"]),
        (0, TlsFiles { ca: None, ..good() }, &["ca is not given"]),
        (0, TlsFiles { client_cert: None, ..good() }, &["client_cert is not given"]),
        (0, TlsFiles { client_key: None, ..good() }, &["client_key is not given"]),
        (0, TlsFiles { ca: Some(file("ca.cut").to_vec()), ..good() }, &["ca is cut off"]),
        (0, TlsFiles { ca: Some(b"/etc/ssl/ca.pem".to_vec()), ..good() }, &["ca holds no certificate"]),
        (0, TlsFiles { ca: Some(Vec::new()), ..good() }, &["ca is empty"]),
        (
            0,
            TlsFiles { client_cert: Some(file("client.key").to_vec()), ..good() },
            &["client_cert holds a private key"],
        ),
        (0, TlsFiles { client_key: Some(file("client").to_vec()), ..good() }, &["client_key holds a certificate"]),
        (
            0,
            TlsFiles { client_key: Some(file("rsa2048.encrypted.key").to_vec()), ..good() },
            &["client_key is encrypted", "password"],
        ),
    ];
    for dialect in ["ecx00u_egx00u", "sim7028"] {
        let (_broker, _module, modem) = rig(dialect, Conditions::default());
        let before = modem.statistics().bytes_sent;
        for (index, files, words) in &rows {
            let error = modem.tls_context(*index, files, wait()).expect_err("it cannot work");
            assert_eq!(Kind::BadValue, error.kind, "{dialect}: {error}");
            let text = error.to_string();
            assert!(words.iter().all(|word| text.contains(word)), "{dialect}: {text}");
            assert!(!text.contains("BEGIN"), "{dialect}: a file is in the message: {text}");
        }
        assert_eq!(before, modem.statistics().bytes_sent, "{dialect}");
    }
}
