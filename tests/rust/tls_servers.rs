//! Certificates good and bad, and TLS servers that show them: what the TLS tests of virtual modules dial.
//!
//! Certificates are made on the spot; those that cannot be are in `tests/data/tls`. A [`TlsServer`] is rustls, a [`Foreign`]
//! one is by other authors: OpenSSL or mosquitto.

use std::collections::BTreeMap;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::channel;
use std::thread::Builder;
use std::thread::JoinHandle;
use std::time::Duration;

use modemrig::virtual_module::clock;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::DnType;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use rcgen::date_time_ymd;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::StreamOwned;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::sign::SingleCertAndKey;

use crate::ports::free_port;

const PATIENCE: Duration = Duration::from_secs(10);

/// What every server here is called.
pub const NAME: &str = "broker.example";

/// Files by name, PEM: `x` is a certificate, `x.key` its key.
pub fn file(name: &str) -> &'static [u8] {
    static FILES: OnceLock<BTreeMap<&str, Vec<u8>>> = OnceLock::new();
    let found = FILES.get_or_init(|| make().expect("certificates")).get(name);
    found.unwrap_or_else(|| panic!("there is no {name}"))
}

/// Years from which to which a certificate holds.
type Years = (i32, i32);

const NOW: Years = (2020, 2099);

fn make() -> Result<BTreeMap<&'static str, Vec<u8>>, rcgen::Error> {
    let mut files = BTreeMap::new();
    let mut put = |name, certificate: String, key: &KeyPair| {
        files.insert(name, certificate.into_bytes());
        let key_name: &'static str = Box::leak(format!("{name}.key").into_boxed_str());
        files.insert(key_name, key.serialize_pem().into_bytes());
    };
    for (ca, leaves) in [
        (
            "ca",
            &[
                ("server", NOW, true),
                ("server-no-name", NOW, false),
                ("server-expired", (2020, 2021), true),
                ("server-future", (2090, 2099), true),
                ("client", NOW, false),
                ("client-expired", (2020, 2021), false),
            ][..],
        ),
        ("other-ca", &[("other-client", NOW, false)]),
    ] {
        let key = KeyPair::generate()?;
        let mut params = parameters(ca, NOW, false)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        put(ca, params.self_signed(&key)?.pem(), &key);
        let issuer = Issuer::new(params, key);
        for (name, years, named) in leaves {
            let key = KeyPair::generate()?;
            put(name, parameters(name, *years, *named)?.signed_by(&key, &issuer)?.pem(), &key);
        }
    }
    let key = KeyPair::generate()?;
    put("self-signed", parameters("self-signed", NOW, true)?.self_signed(&key)?.pem(), &key);
    let checked_in: [(&str, &[u8]); 14] = [
        ("rsa-ca", include_bytes!("../data/tls/ca.pem")),
        ("rsa2048", include_bytes!("../data/tls/rsa2048.pem")),
        ("rsa2048.key", include_bytes!("../data/tls/rsa2048.key")),
        ("rsa2048.pkcs1.key", include_bytes!("../data/tls/rsa2048.pkcs1.key")),
        ("rsa2048.encrypted.key", include_bytes!("../data/tls/rsa2048.encrypted.key")),
        ("rsa2048.proc-type.key", include_bytes!("../data/tls/rsa2048.proc-type.key")),
        ("sha1", include_bytes!("../data/tls/sha1.pem")),
        ("v1", include_bytes!("../data/tls/v1.pem")),
        ("rsa1024", include_bytes!("../data/tls/rsa1024.pem")),
        ("rsa1024.key", include_bytes!("../data/tls/rsa1024.key")),
        ("p521", include_bytes!("../data/tls/p521.pem")),
        ("p521.key", include_bytes!("../data/tls/p521.key")),
        ("p256", include_bytes!("../data/tls/p256.pem")),
        ("p256.sec1.key", include_bytes!("../data/tls/p256.sec1.key")),
    ];
    files.extend(checked_in.map(|(name, content)| (name, content.to_vec())));
    let both = [files["rsa-ca"].as_slice(), &files["ca"]].concat();
    files.insert("both-cas", both);
    for (name, of) in [("ca.cut", "ca"), ("client.cut", "client"), ("client.key.cut", "client.key")] {
        let half = files[of][..files[of].len() / 2].to_vec();
        files.insert(name, half);
    }
    files.insert("rubbish", b"this was never a certificate\n".to_vec());
    let der = CertificateDer::from_pem_slice(&files["ca"]).map(|der| der.to_vec()).unwrap_or_default();
    files.insert("ca.der", der);
    Ok(files)
}

fn parameters(name: &str, (from, to): Years, named: bool) -> Result<CertificateParams, rcgen::Error> {
    let names = if named { vec![NAME.to_owned(), "127.0.0.1".to_owned()] } else { Vec::new() };
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 12, 31));
    Ok(params)
}

/// Which certificate a server shows, and what it wants.
#[derive(Clone, Copy, Debug)]
pub struct Shows {
    /// Its certificate.
    pub cert: &'static str,
    /// Its key.
    pub key: &'static str,
    /// Who signs clients' certificates; then it asks for one.
    pub client_ca: Option<&'static str>,
    /// Whether it refuses a client without.
    pub requires: bool,
    /// Only these suites; empty: all.
    pub suites: &'static [u16],
    /// Only this version.
    pub version: &'static rustls::SupportedProtocolVersion,
}

impl Shows {
    /// A good server that asks nobody for anything.
    pub const GOOD: Shows = Shows {
        cert: "server",
        key: "server.key",
        client_ca: None,
        requires: false,
        suites: &[],
        version: &rustls::version::TLS12,
    };

    /// rustls checks less than usual here: bad certificates are the point.
    pub fn config(&self) -> Arc<ServerConfig> {
        let mut provider = ring::default_provider();
        provider
            .cipher_suites
            .retain(|suite| self.suites.is_empty() || self.suites.contains(&u16::from(suite.suite())));
        let provider = Arc::new(provider);
        let key = PrivateKeyDer::from_pem_slice(file(self.key)).expect("a key");
        let key = provider.key_provider.load_private_key(key).expect("a key that ring takes");
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(file(self.cert)).map(|c| c.expect("a certificate")).collect();
        let builder = ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_protocol_versions(&[self.version]).expect("a suite of this version");
        let builder = match self.client_ca {
            None => builder.with_no_client_auth(),
            Some(name) => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_slice(file(name)).expect("a certificate")).expect("an authority");
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = if self.requires { verifier } else { verifier.allow_unauthenticated() };
                builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
            }
        };
        let resolver = SingleCertAndKey::from(CertifiedKey::new(chain, key));
        Arc::new(builder.with_cert_resolver(Arc::new(resolver)))
    }
}

/// What a server saw of a client that connected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The name it was asked for.
    pub sni: Option<String>,
    /// The suite.
    pub suite: u16,
    /// Whether the client showed a certificate.
    pub certified: bool,
}

/// A server in this process, for one connection after the other; it accepts every CONNECT, or does what it is told.
pub struct TlsServer {
    pub port: u16,
    seen: Receiver<Result<Seen, String>>,
    thread: Option<JoinHandle<()>>,
}

impl TlsServer {
    pub fn start(shows: &Shows) -> TlsServer {
        TlsServer::and_then(shows, accept_connect)
    }

    /// Does this with each connection once TLS is agreed on.
    pub fn and_then(
        shows: &Shows,
        serve: impl Fn(&mut StreamOwned<ServerConnection, TcpStream>) + Send + 'static,
    ) -> TlsServer {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let config = shows.config();
        let (report, seen) = channel();
        let run = move || {
            for socket in listener.incoming() {
                let mut socket = socket.expect("a connection");
                socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
                let mut first = [0; 1];
                if socket.peek(&mut first).is_ok_and(|count| count == 1) && first == OVER {
                    return;
                }
                let mut tls = ServerConnection::new(config.clone()).expect("a server");
                let agreed = handshake(&mut tls, &mut socket);
                let _ = report.send(agreed.as_ref().map(|()| seen_of(&tls)).map_err(Clone::clone));
                if agreed.is_ok() {
                    serve(&mut StreamOwned::new(tls, socket));
                }
            }
        };
        TlsServer { port, seen, thread: Some(Builder::new().name("tls-server".into()).spawn(run).expect("a thread")) }
    }

    /// What it saw of the next client, or why there was no agreement.
    pub fn next(&self) -> Result<Seen, String> {
        self.seen.recv_timeout(PATIENCE).expect("a client")
    }

    /// Whether a client came that `next` has not told of.
    pub fn was_asked(&self) -> bool {
        self.seen.try_recv().is_ok()
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        end(self.port, self.thread.take());
    }
}

/// How a server's owner says that it is over: no TLS begins like that.
const OVER: [u8; 1] = [0];

fn end(port: u16, thread: Option<JoinHandle<()>>) {
    let _ = TcpStream::connect(("127.0.0.1", port)).and_then(|mut end| end.write_all(&OVER));
    let ended = thread.map(JoinHandle::join);
    assert!(std::thread::panicking() || ended.is_none_or(|ended| ended.is_ok()), "the server panicked");
}

fn handshake(tls: &mut ServerConnection, socket: &mut TcpStream) -> Result<(), String> {
    while tls.is_handshaking() {
        tls.complete_io(socket).map_err(|error| error.to_string())?;
    }
    while tls.wants_write() {
        tls.write_tls(socket).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn seen_of(tls: &ServerConnection) -> Seen {
    Seen {
        sni: tls.server_name().map(str::to_owned),
        suite: tls.negotiated_cipher_suite().map_or(0, |suite| suite.suite().into()),
        certified: tls.peer_certificates().is_some(),
    }
}

fn accept_connect(stream: &mut StreamOwned<ServerConnection, TcpStream>) {
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        // CONNECT, and nothing else, begins with 0x10.
        if buffer[..count][0] == 0x10 && stream.write_all(&[0x20, 2, 0, 0]).is_err() {
            return;
        }
    }
}

/// A server that knows no TLS: it waits for the client to speak, says its own, and closes.
pub struct Peer {
    port: u16,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    pub fn saying(words: &'static [u8]) -> Peer {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let run = move || {
            for socket in listener.incoming() {
                let mut socket = socket.expect("a connection");
                socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
                let mut buffer = [0; 1024];
                if socket.read(&mut buffer).is_ok_and(|count| buffer[..count] == OVER) {
                    return;
                }
                let _ = socket.write_all(words);
            }
        };
        Peer { port, thread: Some(Builder::new().name("peer".into()).spawn(run).expect("a thread")) }
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        end(self.port, self.thread.take());
    }
}

/// A server by other authors; dropping it ends it.
pub struct Foreign {
    process: Child,
    pub port: u16,
    folder: Option<PathBuf>,
}

impl Foreign {
    /// `openssl s_server` with these options; none where it is not installed.
    pub fn openssl(cert: &str, key: &str, options: &[&str]) -> Option<Foreign> {
        let folder = folder();
        let port = free_port();
        let (cert, key) = (put(&folder, "server.pem", cert), put(&folder, "server.key", key));
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-www", "-cert", &cert, "-key", &key]);
        Foreign::run(command.args(options), port, folder)
    }

    /// mosquitto with TLS by these lines of its configuration; none where it is not installed.
    pub fn mosquitto(cert: &str, key: &str, client_ca: &str, lines: &[&str]) -> Option<Foreign> {
        let folder = folder();
        let port = free_port();
        let (cert, key, ca) =
            (put(&folder, "server.pem", cert), put(&folder, "server.key", key), put(&folder, "ca.pem", client_ca));
        let lines = [
            "user root".to_owned(),
            format!("listener {port} 127.0.0.1"),
            "allow_anonymous true".to_owned(),
            format!("certfile {cert}\nkeyfile {key}\ncafile {ca}"),
            lines.join("\n"),
        ];
        let config = folder.join("mosquitto.conf");
        std::fs::write(&config, lines.join("\n")).expect("a file");
        let program = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto"].into_iter().find(|p| PathBuf::from(p).exists())?;
        Foreign::run(Command::new(program).arg("-c").arg(config), port, folder)
    }

    fn run(command: &mut Command, port: u16, folder: PathBuf) -> Option<Foreign> {
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let mut foreign = Foreign { process, port, folder: Some(folder) };
        let deadline = clock::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(foreign.process.try_wait().is_ok_and(|end| end.is_none()), "{command:?} ended");
            assert!(clock::now() < deadline, "{command:?} does not listen");
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Some(foreign)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.process.kill(); // It may have ended by itself.
        let _ = self.process.wait();
        self.folder.take().map(std::fs::remove_dir_all);
    }
}

fn put(folder: &std::path::Path, name: &str, what: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, file(what)).expect("a file");
    path.to_str().expect("a temporary path in UTF-8").to_owned()
}

fn folder() -> PathBuf {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("modemrig-tls-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}
