//! The module's MQTT session against Debian's mosquitto: a broker by other authors, so that both our ends cannot share
//! one misreading of the standard. Skips, saying so, where it is not installed.

use std::io;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use modemrig::mqtt::ClientEvent;
use modemrig::mqtt::ClientOptions;
use modemrig::mqtt::ClientSession;
use modemrig::mqtt::Level;
use modemrig::mqtt::Qos;
use modemrig::mqtt::RequestKind;
use modemrig::transport::net::Stream;
use modemrig::transport::net::dial_now;

const PATIENCE: Duration = Duration::from_secs(10);

/// A mosquitto of this test's own; dropping it ends it.
struct Mosquitto {
    process: Child,
    port: u16,
}

impl Mosquitto {
    /// None where it is not installed.
    fn start() -> Option<Mosquitto> {
        let port = crate::ports::free_port();
        let programs = ["mosquitto", "/usr/sbin/mosquitto"]; // Debian keeps it outside a user's PATH.
        let process = programs.into_iter().find_map(|program| {
            let mut command = Command::new(program);
            command.args(["-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
        })?;
        let mosquitto = Mosquitto { process, port };
        let deadline = now() + PATIENCE;
        while dial_now("127.0.0.1", port, PATIENCE).is_err() {
            assert!(now() < deadline, "mosquitto does not listen on port {port}");
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Some(mosquitto)
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.process.kill(); // It may have ended by itself.
        let _ = self.process.wait();
    }
}

struct Client {
    stream: Stream,
    session: ClientSession,
    seen: Vec<ClientEvent>,
}

impl Client {
    fn connect(broker: &Mosquitto, options: ClientOptions) -> Client {
        let mut client = Client { stream: stream(broker), session: ClientSession::new(options), seen: Vec::new() };
        client.session.connect(now()).expect("a fresh session");
        client.await_event(|event| matches!(event, ClientEvent::Connack { code: 0, .. }));
        client
    }

    fn reconnect(&mut self, broker: &Mosquitto) {
        self.stream = stream(broker);
        self.session.connection_lost();
        self.session.connect(now()).expect("it is idle");
        self.await_event(|event| matches!(event, ClientEvent::Connack { code: 0, .. }));
    }

    fn send(&mut self) {
        if let Some(bytes) = self.session.poll_transmit() {
            self.stream.write(&bytes).expect("the broker keeps the connection");
        }
    }

    fn await_event(&mut self, wanted: impl Fn(&ClientEvent) -> bool) -> ClientEvent {
        let deadline = now() + PATIENCE;
        let mut buffer = [0; 4096];
        loop {
            while let Some(event) = self.session.poll_event() {
                if let ClientEvent::Message(message) = &event {
                    self.session.acknowledge(message, now());
                }
                self.seen.push(event.clone());
                if wanted(&event) {
                    self.send();
                    return event;
                }
            }
            self.send();
            match self.stream.read(&mut buffer) {
                Ok(0) => panic!("mosquitto closed the connection; so far: {:?}", self.seen),
                Ok(count) => self.session.receive(&buffer[..count], now()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    assert!(now() < deadline, "nothing came; so far: {:?}", self.seen);
                    self.wait();
                    self.session.handle_deadline(now());
                }
                Err(error) => panic!("{error}; so far: {:?}", self.seen),
            }
        }
    }

    /// Until bytes come or the session's next deadline, at most a moment.
    fn wait(&self) {
        let mut fds = [nix::poll::PollFd::new(std::os::fd::AsFd::as_fd(&self.stream), nix::poll::PollFlags::POLLIN)];
        let next = self.session.next_deadline().map(|next| next.saturating_duration_since(now()).as_millis() + 1);
        let wait = next.unwrap_or(500).min(500) as u16;
        nix::poll::poll(&mut fds, wait).expect("poll works");
    }
}

#[allow(clippy::disallowed_methods)] // A test over real sockets lives in real time.
fn now() -> Instant {
    Instant::now()
}

fn stream(broker: &Mosquitto) -> Stream {
    Stream::plain(dial_now("127.0.0.1", broker.port, PATIENCE).expect("it listens")).expect("a socket")
}

fn options(level: Level, client_id: &str) -> ClientOptions {
    ClientOptions { level, client_id: client_id.into(), ..ClientOptions::default() }
}

#[test]
fn mosquitto_takes_our_session_at_both_levels_and_all_qualities() {
    let Some(broker) = Mosquitto::start() else { return eprintln!("skipped: mosquitto is not installed") };
    for level in [Level::V31, Level::V311] {
        let mut client = Client::connect(&broker, options(level, "all"));
        client.session.subscribe(Some(1), vec![("t/+".into(), Qos::ExactlyOnce)], now()).expect("connected");
        let granted = client.await_event(|event| matches!(event, ClientEvent::Suback { .. }));
        assert_eq!(ClientEvent::Suback { id: 1, codes: vec![2] }, granted);
        for (id, qos) in [(None, Qos::AtMostOnce), (Some(65_535), Qos::AtLeastOnce), (Some(4242), Qos::ExactlyOnce)] {
            let payload = [0, b'\r', b'\n', 0xff, qos.byte()];
            client.session.publish(id, qos, false, "t/x", &payload, now()).expect("connected");
            let event = client.await_event(|event| matches!(event, ClientEvent::Message(_)));
            let ClientEvent::Message(message) = event else { panic!("{event:?}") };
            assert_eq!((payload.to_vec(), qos), (message.payload, message.qos));
            let published = |event: &ClientEvent| matches!(event, ClientEvent::Published { .. });
            if !client.seen.iter().any(published) {
                client.await_event(published);
            }
            client.seen.clear();
        }
        client.session.unsubscribe(Some(2), vec!["t/+".into()], now()).expect("connected");
        client.await_event(|event| *event == ClientEvent::Unsuback { id: 2 });
    }
}

/// The broker never sees the first transmission, so the repetition with its DUP bit is what it judges.
#[test]
fn mosquitto_takes_our_repetitions_at_both_levels() {
    let Some(broker) = Mosquitto::start() else { return eprintln!("skipped: mosquitto is not installed") };
    for level in [Level::V31, Level::V311] {
        let packet_timeout = Duration::from_millis(300);
        let mut client = Client::connect(&broker, ClientOptions { packet_timeout, ..options(level, "again") });
        client.session.subscribe(Some(1), vec![("t".into(), Qos::ExactlyOnce)], now()).expect("connected");
        drop(client.session.poll_transmit().expect("the first transmission, lost here"));
        client.await_event(|event| matches!(event, ClientEvent::Suback { .. }));
        client.session.publish(Some(2), Qos::ExactlyOnce, false, "t", b"x", now()).expect("connected");
        drop(client.session.poll_transmit().expect("the first transmission, lost here"));
        client.await_event(|event| matches!(event, ClientEvent::Published { id: 2, .. }));
        client.session.unsubscribe(Some(3), vec!["t".into()], now()).expect("connected");
        drop(client.session.poll_transmit().expect("the first transmission, lost here"));
        client.await_event(|event| *event == ClientEvent::Unsuback { id: 3 });
        for (kind, id) in [(RequestKind::Subscribe, 1), (RequestKind::Publish, 2), (RequestKind::Unsubscribe, 3)] {
            assert!(client.seen.contains(&ClientEvent::Resent { kind, id, count: 1 }), "{kind:?} at {level:?}");
        }
    }
}

#[test]
fn a_session_resumes_with_mosquitto_after_a_lost_connection() {
    let Some(broker) = Mosquitto::start() else { return eprintln!("skipped: mosquitto is not installed") };
    for level in [Level::V31, Level::V311] {
        let name = format!("resume-{level:?}");
        let mut client = Client::connect(&broker, ClientOptions { clean_session: false, ..options(level, &name) });
        client.session.subscribe(Some(1), vec![(name.clone(), Qos::ExactlyOnce)], now()).expect("connected");
        client.await_event(|event| matches!(event, ClientEvent::Suback { .. }));
        client.session.publish(Some(2), Qos::ExactlyOnce, false, &name, b"once", now()).expect("connected");
        client.send(); // It leaves; whatever the broker says to it is lost with the connection.
        client.seen.clear();
        client.reconnect(&broker);
        client.await_event(|event| matches!(event, ClientEvent::Published { id: 2, .. }));
        let messages =
            |client: &Client| client.seen.iter().filter(|event| matches!(event, ClientEvent::Message(_))).count();
        if messages(&client) == 0 {
            client.await_event(|event| matches!(event, ClientEvent::Message(_)));
        }
        // A message of its own behind it: had the first come twice, the copy would be here before the mark.
        client.session.publish(Some(3), Qos::ExactlyOnce, false, &name, b"mark", now()).expect("connected");
        client.await_event(|event| matches!(event, ClientEvent::Message(message) if message.payload == b"mark"));
        assert_eq!(2, messages(&client), "at {level:?}: {:?}", client.seen);
    }
}
