//! The bench broker and Debian's mosquitto behind one face, and what the comparison of both stands on: a [`tap`] in the line, a
//! [`peer`] at packet level, a [`stage`] with a virtual module on it. The comparison itself is [`compare`].

mod compare;
mod peer;
mod scenarios;
mod stage;
mod tap;

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use modemrig::bench_broker::BenchBroker;
use modemrig::bench_broker::BenchOptions;
use modemrig::bench_broker::Certificates;
use modemrig::virtual_module::clock;

use crate::ports::free_port;

pub use peer::Peer;

pub const PATIENCE: Duration = Duration::from_secs(10);

/// Which broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rival {
    Bench,
    Mosquitto,
}

/// A running broker of either sort.
pub enum Broker {
    Bench(BenchBroker),
    Mosquitto(Mosquitto),
}

impl Broker {
    /// None where mosquitto is wanted and not installed.
    pub fn start(rival: Rival) -> Option<Broker> {
        match rival {
            Rival::Bench => {
                Some(Broker::Bench(BenchBroker::start(BenchOptions::default()).expect("free ports on loopback")))
            }
            Rival::Mosquitto => Mosquitto::start().map(Broker::Mosquitto),
        }
    }

    pub fn ports(&self) -> (u16, u16) {
        match self {
            Broker::Bench(broker) => (broker.port(), broker.tls_port()),
            Broker::Mosquitto(broker) => (broker.port, broker.tls_port),
        }
    }

    /// What the broker holds against its clients: the bench broker's record, or mosquitto's log.
    pub fn complaints(&self) -> Vec<String> {
        match self {
            Broker::Bench(broker) => broker.violations().iter().map(ToString::to_string).collect(),
            Broker::Mosquitto(broker) => {
                let log = std::fs::read_to_string(broker.folder.join("log")).expect("it logs");
                let complains = |line: &&str| {
                    ["protocol error", "malformed", "exceeded timeout"]
                        .iter()
                        .any(|word| line.to_lowercase().contains(word))
                };
                log.lines().filter(complains).map(str::to_owned).collect()
            }
        }
    }
}

/// A mosquitto of this test's own; dropping it ends it.
pub struct Mosquitto {
    process: Child,
    folder: PathBuf,
    port: u16,
    tls_port: u16,
}

impl Mosquitto {
    fn start() -> Option<Mosquitto> {
        static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let programs = ["mosquitto", "/usr/sbin/mosquitto"]; // Debian keeps it outside a user's PATH.
        let program = programs.into_iter().find(|program| {
            Command::new(program).arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
        })?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("modemrig-rival-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for its files");
        let certificates = Certificates::generate().expect("certificates");
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).expect("a file");
            path.display().to_string()
        };
        let ca = file("ca.pem", &certificates.ca_pem);
        let user =
            nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map_or("root".into(), |me| me.name);
        let log = folder.join("log").display().to_string();
        let (cert, key) =
            (file("cert.pem", &certificates.server_cert_pem), file("key.pem", &certificates.server_key_pem));
        for _ in 0..5 {
            let (port, tls_port) = (free_port(), free_port());
            let text = format!(
                "user {user}\nallow_anonymous true\npersistence false\nlog_dest file {log}\nlog_type all\n\
                 listener {tls_port} 127.0.0.1\ncafile {ca}\ncertfile {cert}\nkeyfile {key}\nlistener {port} 127.0.0.1\n"
            );
            let mut command = Command::new(program);
            command.args(["-c", &file("conf", &text)]).stdout(Stdio::null()).stderr(Stdio::null());
            let mut mosquitto =
                Mosquitto { process: command.spawn().expect("it starts"), folder: folder.clone(), port, tls_port };
            let deadline = clock::now() + PATIENCE;
            // The plain one is opened last. A look at the other would be a broken handshake in the log.
            loop {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Some(mosquitto);
                }
                if mosquitto.process.try_wait().expect("our child").is_some() {
                    std::mem::forget(mosquitto); // Nothing is left but the folder, which the next one uses.
                    break; // Somebody else took one of the ports meanwhile.
                }
                assert!(clock::now() < deadline, "mosquitto does not listen on {port}: {text}");
                thread::park_timeout(Duration::from_millis(10));
            }
        }
        panic!("mosquitto ends as soon as it is started; its files are in {}", folder.display());
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.process.kill(); // It may have ended by itself.
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
