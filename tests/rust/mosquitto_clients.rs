//! `mosquitto_pub` and `mosquitto_sub` at the bench broker: both levels, every quality, plain, TLS and mutual TLS, retained
//! messages and wills. Skips, saying so, where they are not installed.

use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use modemrig::bench_broker::BenchBroker;
use modemrig::bench_broker::BenchOptions;

const PATIENCE: Duration = Duration::from_secs(20);

/// How a client reaches the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Plain,
    Tls,
    Mutual,
}

/// The broker, and the certificates its clients need as files.
struct Bench {
    broker: BenchBroker,
    folder: PathBuf,
}

impl Bench {
    /// None where the clients are not installed.
    fn start(name: &str) -> Option<Bench> {
        Command::new("mosquitto_sub").arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
        let broker = BenchBroker::start(BenchOptions::default()).expect("free ports on loopback");
        let folder = std::env::temp_dir().join(format!("modemrig-clients-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the certificates");
        let made = broker.certificates();
        for (name, text) in
            [("ca.pem", &made.ca_pem), ("client.pem", &made.client_cert_pem), ("client.key", &made.client_key_pem)]
        {
            std::fs::write(folder.join(name), text).expect("a file");
        }
        Some(Bench { broker, folder })
    }

    fn command(&self, program: &str, way: Way, version: &str) -> Command {
        let mut command = Command::new(program);
        let port = if way == Way::Plain { self.broker.port() } else { self.broker.tls_port() };
        command.args(["-h", "localhost", "-V", version, "-p", &port.to_string()]);
        if way != Way::Plain {
            command.arg("--cafile").arg(self.folder.join("ca.pem"));
        }
        if way == Way::Mutual {
            command.arg("--cert").arg(self.folder.join("client.pem"));
            command.arg("--key").arg(self.folder.join("client.key"));
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// A subscriber that ends by itself.
    fn subscriber(&self, way: Way, version: &str, id: &str, words: &[&str]) -> Child {
        let mut command = self.command("mosquitto_sub", way, version);
        command.args(["-i", id, "-W", "20"]).args(words).spawn().expect("mosquitto_sub runs")
    }

    /// The same; when this returns the broker has its subscription. Not for one that has what it wants at once.
    fn receiver(&self, way: Way, version: &str, id: &str, words: &[&str]) -> Child {
        let child = self.subscriber(way, version, id, words);
        let subscribed = |subscriptions: Vec<_>| !subscriptions.is_empty();
        let there = self.broker.wait_until(PATIENCE, |core| core.subscriptions(id).is_some_and(subscribed));
        assert!(there, "{id}: no subscription");
        child
    }

    fn publish(&self, way: Way, version: &str, words: &[&str]) {
        let output = self.command("mosquitto_pub", way, version).args(words).output().expect("mosquitto_pub runs");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn assert_no_violation(&self) {
        let found: Vec<String> = self.broker.violations().iter().map(ToString::to_string).collect();
        assert_eq!(Vec::<String>::new(), found);
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder); // The test's verdict stands.
    }
}

fn printed(child: Child) -> String {
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const VERSIONS: [&str; 2] = ["mqttv31", "mqttv311"];
const QUALITIES: [&str; 3] = ["0", "1", "2"];

#[test]
fn mosquitto_s_clients_exchange_messages_through_it_and_break_no_rule() {
    let Some(bench) = Bench::start("exchange") else {
        return eprintln!("skipped: mosquitto_sub is not installed (Debian: mosquitto-clients)");
    };
    for way in [Way::Plain, Way::Tls, Way::Mutual] {
        bench.broker.require_client_cert(way == Way::Mutual);
        for version in VERSIONS {
            for qos in QUALITIES {
                let name = format!("{way:?}-{version}-{qos}");
                let receiver = bench.receiver(way, version, &name, &["-C", "1", "-q", qos, "-t", &name]);
                bench.publish(way, version, &["-q", qos, "-t", &name, "-m", &name]);
                assert_eq!(format!("{name}\n"), printed(receiver));
            }
        }
    }
    bench.assert_no_violation();
}

#[test]
fn what_mosquitto_pub_retains_comes_to_who_subscribes_later_until_it_is_cleared() {
    let Some(bench) = Bench::start("retained") else {
        return eprintln!("skipped: mosquitto_sub is not installed (Debian: mosquitto-clients)");
    };
    let shown = ["-F", "%t %p q%q r%r", "-q", "2"];
    for version in VERSIONS {
        for qos in QUALITIES {
            let topic = format!("kept/{version}/{qos}");
            bench.publish(Way::Plain, version, &["-r", "-q", qos, "-t", &topic, "-m", "value"]);
            let late =
                bench.subscriber(Way::Plain, version, "late", &[&shown[..], &["-C", "1", "-t", &topic]].concat());
            assert_eq!(format!("{topic} value q{qos} r1\n"), printed(late));
            bench.publish(Way::Plain, version, &["-r", "-q", qos, "-t", &topic, "-n"]);
            let words = [&shown[..], &["-C", "1", "-t", "kept/#", "-t", "mark"]].concat();
            let last = bench.receiver(Way::Plain, version, "last", &words);
            bench.publish(Way::Plain, version, &["-t", "mark", "-m", "nothing was kept"]);
            assert_eq!("mark nothing was kept q0 r0\n", printed(last));
        }
    }
    bench.assert_no_violation();
}

#[test]
fn a_will_of_mosquitto_sub_goes_out_when_its_link_is_cut_and_not_when_it_leaves() {
    let Some(bench) = Bench::start("will") else {
        return eprintln!("skipped: mosquitto_sub is not installed (Debian: mosquitto-clients)");
    };
    for version in VERSIONS {
        for qos in QUALITIES {
            for cut in [true, false] {
                let (topic, id) = (format!("will/{version}/{qos}/{cut}"), format!("dying-{qos}-{cut}"));
                let words = ["--will-topic", &topic, "--will-payload", "gone", "--will-qos", qos, "--will-retain"];
                let mut dying =
                    bench.receiver(Way::Plain, version, &id, &[&words[..], &["-t", "leave", "-C", "1"]].concat());
                if cut {
                    // Killed first, so that it does not connect again.
                    dying.kill().expect("it runs");
                    dying.wait().expect("it ends");
                } else {
                    bench.publish(Way::Plain, version, &["-q", "1", "-t", "leave", "-m", "x"]);
                    printed(dying);
                }
                assert!(bench.broker.wait_until(PATIENCE, |core| !core.connected().any(|one| one == id)));
                let words = ["-F", "%t %p q%q r%r", "-q", "2", "-C", "1", "-t", "will/#", "-t", "mark"];
                if cut {
                    let watcher = bench.subscriber(Way::Plain, version, "watcher", &words);
                    assert_eq!(format!("{topic} gone q{qos} r1\n"), printed(watcher), "{version}");
                } else {
                    let watcher = bench.receiver(Way::Plain, version, "watcher", &words);
                    bench.publish(Way::Plain, version, &["-t", "mark", "-m", "nothing"]);
                    assert_eq!("mark nothing q0 r0\n", printed(watcher), "{version}");
                }
                bench.publish(Way::Plain, version, &["-r", "-t", &topic, "-n"]);
            }
        }
    }
    bench.assert_no_violation();
}
