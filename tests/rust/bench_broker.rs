//! The bench broker over real sockets: plain, TLS, mutual TLS, and that stopping leaves nothing.

use std::collections::BTreeMap;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use modemrig::bench_broker::BenchBroker;
use modemrig::bench_broker::BenchOptions;
use modemrig::bench_broker::CertificateOptions;
use modemrig::bench_broker::Certificates;
use modemrig::mqtt::ClientEvent;
use modemrig::mqtt::ClientOptions;
use modemrig::mqtt::ClientSession;
use modemrig::mqtt::Level;
use modemrig::mqtt::Qos;
use modemrig::transport::net::DialError;
use modemrig::transport::net::Stream;
use modemrig::transport::net::dial;
use modemrig::transport::net::dial_now;
use modemrig::transport::net::tls_error;
use modemrig::transport::tls::CertificateClock;
use modemrig::transport::tls::ClientTls;
use modemrig::transport::tls::TlsSettingsError;
use modemrig::transport::tls::Verify;
use modemrig::transport::tls::Versions;

const PATIENCE: Duration = Duration::from_secs(10);

/// A client on a real socket, driven by the test's thread.
struct Client {
    stream: Stream,
    session: ClientSession,
}

impl Client {
    fn over(stream: Stream, level: Level, client_id: &str) -> io::Result<Client> {
        let options = ClientOptions { level, client_id: client_id.into(), ..ClientOptions::default() };
        let mut client = Client { stream, session: ClientSession::new(options) };
        client.session.connect(now()).expect("a fresh session");
        client.await_event(|event| matches!(event, ClientEvent::Connack { code: 0, .. }))?;
        Ok(client)
    }

    fn plain(broker: &BenchBroker, level: Level, client_id: &str) -> Client {
        let socket = dial_now(broker.host(), broker.port(), PATIENCE).expect("the broker listens");
        Client::over(Stream::plain(socket).expect("a socket"), level, client_id).expect("the broker lets it in")
    }

    /// Carries bytes until this event; errors are the connection's.
    fn await_event(&mut self, wanted: impl Fn(&ClientEvent) -> bool) -> io::Result<ClientEvent> {
        let deadline = now() + PATIENCE;
        let mut buffer = [0; 4096];
        loop {
            if !self.stream.is_handshaking()
                && let Some(bytes) = self.session.poll_transmit()
            {
                self.stream.write(&bytes)?;
            }
            self.stream.flush()?;
            while let Some(event) = self.session.poll_event() {
                if let ClientEvent::Message(message) = &event {
                    self.session.acknowledge(message, now());
                }
                if wanted(&event) {
                    if let Some(bytes) = self.session.poll_transmit() {
                        self.stream.write(&bytes)?;
                    }
                    return Ok(event);
                }
            }
            let was_handshaking = self.stream.is_handshaking();
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.session.receive(&buffer[..count], now()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let handshake_ended = was_handshaking && !self.stream.is_handshaking();
                    if !handshake_ended && !readable(&self.stream, deadline) {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn subscribe(&mut self, filter: &str, qos: Qos) {
        self.session.subscribe(None, vec![(filter.into(), qos)], now()).expect("it is connected");
        self.await_event(|event| matches!(event, ClientEvent::Suback { .. })).expect("SUBACK");
    }

    fn publish(&mut self, topic: &str, qos: Qos, payload: &[u8]) {
        self.session.publish(None, qos, false, topic, payload, now()).expect("it is connected");
        self.await_event(|event| matches!(event, ClientEvent::Published { .. })).expect("the acknowledgement");
    }

    fn message(&mut self) -> Vec<u8> {
        match self.await_event(|event| matches!(event, ClientEvent::Message(_))).expect("a message") {
            ClientEvent::Message(message) => message.payload,
            other => panic!("{other:?}"),
        }
    }
}

#[allow(clippy::disallowed_methods)] // A test over real sockets lives in real time.
fn now() -> Instant {
    Instant::now()
}

fn readable(source: &impl AsFd, deadline: Instant) -> bool {
    let mut fds = [nix::poll::PollFd::new(source.as_fd(), nix::poll::PollFlags::POLLIN)];
    let wait = u16::try_from(deadline.saturating_duration_since(now()).as_millis()).unwrap_or(u16::MAX);
    nix::poll::poll(&mut fds, wait).is_ok_and(|count| count > 0)
}

fn start() -> BenchBroker {
    BenchBroker::start(BenchOptions::default()).expect("free ports on loopback")
}

/// A TLS connection with one exchange on it; the error is what a module would have to report.
fn connect_tls(broker: &BenchBroker, tls: &ClientTls, host: &str) -> io::Result<Client> {
    let socket = dial_now(broker.host(), broker.tls_port(), PATIENCE).expect("the broker listens");
    let stream = Stream::client(socket, tls.build().expect("settings"), host)?;
    Client::over(stream, Level::V31, "tls")
}

fn pem(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

fn server_check(certificates: &Certificates) -> ClientTls {
    ClientTls { verify: Verify::Server, ca: pem(&certificates.ca_pem), ..ClientTls::default() }
}

fn mutual_check(certificates: &Certificates) -> ClientTls {
    ClientTls {
        verify: Verify::Mutual,
        client_cert: pem(&certificates.client_cert_pem),
        client_key: pem(&certificates.client_key_pem),
        ..server_check(certificates)
    }
}

#[test]
fn messages_cross_at_every_quality_between_both_levels() {
    let broker = start();
    let mut receiver = Client::plain(&broker, Level::V311, "receiver");
    let mut sender = Client::plain(&broker, Level::V31, "sender");
    receiver.subscribe("t/#", Qos::ExactlyOnce);
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce] {
        let payload = [&[0, b'\r', b'\n', 0xff, qos.byte()][..], &[7; 200_000]].concat();
        sender.publish("t/x", qos, &payload);
        assert!(payload == receiver.message(), "{qos:?}");
    }
    let names: Vec<_> = broker.record().iter().map(|entry| entry.packet.kind().name()).collect();
    assert_eq!(["CONNECT", "CONNACK"], names[..2]);
    assert!(names.contains(&"PUBCOMP"));
}

#[test]
fn tls_carries_messages_with_and_without_a_client_certificate() {
    let broker = start();
    let certificates = broker.certificates();
    for versions in [Versions::Tls12, Versions::Tls13, Versions::Tls12And13] {
        for tls in [ClientTls::default(), server_check(certificates), mutual_check(certificates)] {
            let tls = ClientTls { versions, ..tls };
            let mut client = connect_tls(&broker, &tls, "broker.invalid").expect("the broker lets it in");
            client.subscribe("t", Qos::AtLeastOnce);
            client.publish("t", Qos::AtLeastOnce, &[9; 100_000]);
        }
    }
}

#[test]
fn a_client_certificate_can_be_required_and_no_longer() {
    let broker = start();
    let certificates = broker.certificates().clone();
    broker.require_client_cert(true);
    assert!(connect_tls(&broker, &server_check(&certificates), "localhost").is_err());
    connect_tls(&broker, &mutual_check(&certificates), "localhost").expect("it shows the right one");
    let stranger = Certificates::generate().expect("certificates");
    let other = ClientTls { ca: pem(&certificates.ca_pem), ..mutual_check(&stranger) };
    assert!(connect_tls(&broker, &other, "localhost").is_err(), "signed by somebody else");
    broker.require_client_cert(false);
    connect_tls(&broker, &server_check(&certificates), "localhost").expect("no longer");
}

#[test]
fn the_levels_check_what_the_documents_say_and_no_more() {
    let certificates_with = |options: CertificateOptions| Certificates::generate_with(&options).expect("certificates");
    let expired = certificates_with(CertificateOptions { not_after: (2021, 1, 1), ..CertificateOptions::default() });
    let names = vec!["elsewhere.example".to_owned()];
    let elsewhere = certificates_with(CertificateOptions { server_names: names, ..CertificateOptions::default() });
    let stranger = certificates_with(CertificateOptions::default());
    let broker_with = |certificates: &Certificates| {
        let options = BenchOptions { certificates: Some(certificates.clone()), ..BenchOptions::default() };
        BenchBroker::start(options).expect("free ports")
    };
    let ignoring = |tls| ClientTls { clock: CertificateClock::Ignored, ..tls };
    let at = |seconds, tls| ClientTls { clock: CertificateClock::At(seconds), ..tls };
    let named = |tls| ClientTls { check_host_name: true, ..tls };
    let pinned = ClientTls { ca: pem(&elsewhere.server_cert_pem), ..server_check(&elsewhere) };
    let cases = [
        ("nothing is checked", &expired, ClientTls::default(), true),
        ("the wrong CA", &elsewhere, server_check(&stranger), false),
        ("the wrong CA, dates ignored", &expired, ignoring(server_check(&stranger)), false),
        ("no host name", &elsewhere, server_check(&elsewhere), true),
        ("a host name on demand", &elsewhere, named(server_check(&elsewhere)), false),
        ("expired", &expired, server_check(&expired), false),
        ("expired, dates ignored", &expired, ignoring(server_check(&expired)), true),
        ("expired, the clock set back", &expired, at(1_600_000_000, server_check(&expired)), true),
        ("a clock in 1980", &elsewhere, at(315_964_800, server_check(&elsewhere)), false),
        ("a clock in 1980, dates ignored", &elsewhere, ignoring(server_check(&elsewhere)), true),
        ("the server's own certificate as CA", &elsewhere, pinned, true),
    ];
    for (what, certificates, tls, expected) in cases {
        let broker = broker_with(certificates);
        match connect_tls(&broker, &tls, "localhost") {
            Ok(_) => assert!(expected, "{what}: must be refused"),
            Err(error) => {
                assert!(!expected, "{what}: {error}");
                assert!(tls_error(&error).is_some(), "{what}: {error:?} names no TLS error");
            }
        }
    }
}

#[test]
fn sni_is_sent_only_when_switched_on() {
    let broker = start();
    let seen: std::sync::Arc<parking_lot::Mutex<Vec<Option<String>>>> = Default::default();
    let names = seen.clone();
    broker.change_policy(|policy| {
        policy.check = Some(Box::new(move |request| {
            names.lock().push(request.peer.server_name.clone());
            0
        }));
    });
    for sni in [false, true] {
        connect_tls(&broker, &ClientTls { sni, ..ClientTls::default() }, "broker.example").expect("let in");
    }
    assert_eq!(vec![None, Some("broker.example".to_owned())], *seen.lock());
}

#[test]
fn settings_that_make_no_tls_say_why() {
    let certificates = Certificates::generate().expect("certificates");
    let other = Certificates::generate().expect("certificates");
    let error = |tls: ClientTls| tls.build().expect_err("it must be refused");
    assert_eq!(
        TlsSettingsError::Missing("CA certificate"),
        error(ClientTls { verify: Verify::Server, ..ClientTls::default() })
    );
    let garbage = ClientTls { ca: pem("no certificate"), ..server_check(&certificates) };
    assert!(matches!(error(garbage), TlsSettingsError::Unusable("CA certificate", _)));
    let no_key = ClientTls { client_key: None, ..mutual_check(&certificates) };
    assert_eq!(TlsSettingsError::Missing("client key"), error(no_key));
    let wrong_key = ClientTls { client_key: pem(&other.client_key_pem), ..mutual_check(&certificates) };
    assert_eq!(TlsSettingsError::KeyMismatch, error(wrong_key));
    let suites = ClientTls { cipher_suites: Some(vec![0x0035]), ..ClientTls::default() };
    assert_eq!(TlsSettingsError::NoCipherSuite, error(suites));
}

#[test]
fn a_stalled_tls_peer_delays_nobody() {
    let broker = start();
    let _stalled = TcpStream::connect((broker.host(), broker.tls_port())).expect("it listens");
    connect_tls(&broker, &ClientTls::default(), "localhost").expect("the next is served");
}

#[test]
fn refusals_and_users_can_be_changed_while_it_runs() {
    let broker = start();
    let connack = |client_id: &str| {
        let socket = dial_now(broker.host(), broker.port(), PATIENCE).expect("it listens");
        let options = ClientOptions {
            client_id: client_id.into(),
            username: Some("anna".into()),
            password: Some(b"geheim".to_vec()),
            ..ClientOptions::default()
        };
        let stream = Stream::plain(socket).expect("a socket");
        let mut client = Client { stream, session: ClientSession::new(options) };
        client.session.connect(now()).expect("a fresh session");
        match client.await_event(|event| matches!(event, ClientEvent::Connack { .. })) {
            Ok(ClientEvent::Connack { code, .. }) => code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(0, connack("a"));
    for code in 1..=5 {
        broker.refuse_with(Some(code));
        assert_eq!(code, connack("a"));
    }
    broker.refuse_with(None);
    broker.set_users(Some(BTreeMap::from([("anna".to_owned(), b"other".to_vec())])));
    assert_eq!(4, connack("a"));
    broker.set_users(Some(BTreeMap::from([("anna".to_owned(), b"geheim".to_vec())])));
    assert_eq!(0, connack("a"));
}

#[test]
fn a_cut_connection_ends_at_the_client_and_stop_ends_all() {
    let broker = start();
    let mut first = Client::plain(&broker, Level::V31, "first");
    let mut second = Client::plain(&broker, Level::V311, "second");
    assert_eq!(vec!["first", "second"], broker.connected());
    assert!(broker.cut("first"));
    assert!(!broker.cut("nobody"));
    let end = |client: &mut Client| client.await_event(|_| false).expect_err("the connection ends").kind();
    assert_eq!(io::ErrorKind::UnexpectedEof, end(&mut first));
    assert!(broker.wait_until(PATIENCE, |core| core.connected().eq(["second"])));
    broker.stop();
    assert!(matches!(end(&mut second), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset));
    let refused = dial_now(broker.host(), broker.port(), PATIENCE);
    assert!(matches!(refused, Err(DialError::Refused(_))), "{refused:?}");
    broker.stop();
}

#[test]
fn dialling_tells_an_unknown_name_from_a_closed_port() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = dial("broker.invalid", 1883, PATIENCE, move |outcome| drop(sender.send(outcome))).expect("a thread");
    let outcome = receiver.recv_timeout(Duration::from_secs(60)).expect("the resolver answers");
    assert!(matches!(outcome, Err(DialError::NotResolved(_))), "{outcome:?}");
    thread.join().expect("it ends");
}

/// Alone in a process of its own: threads and descriptors of other tests would be counted too.
#[test]
fn twenty_starts_and_stops_leave_no_thread_and_no_descriptor() {
    const CHILD: &str = "MODEMRIG_TEST_CHILD";
    if !cfg!(target_os = "linux") {
        return eprintln!("skipped: threads and descriptors are counted in /proc");
    }
    if std::env::var_os(CHILD).is_none() {
        let name = "bench_broker::twenty_starts_and_stops_leave_no_thread_and_no_descriptor";
        let executable = std::env::current_exe().expect("this test has a file");
        let output = Command::new(executable).args(["--exact", name, "--nocapture"]).env(CHILD, "1").output();
        let output = output.expect("the child runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("1 passed"), "{text}{errors}");
        return;
    }
    let count = |folder: &str| std::fs::read_dir(folder).expect("/proc").count();
    let round = || {
        let broker = start();
        let mut plain = Client::plain(&broker, Level::V31, "plain");
        plain.publish("t", Qos::ExactlyOnce, b"x");
        let secure = connect_tls(&broker, &server_check(broker.certificates()), "localhost").expect("let in");
        broker.stop();
        drop((plain, secure));
    };
    round();
    let before = (count("/proc/self/task"), count("/proc/self/fd"));
    for _ in 0..20 {
        round();
    }
    assert_eq!(before, (count("/proc/self/task"), count("/proc/self/fd")));
}
