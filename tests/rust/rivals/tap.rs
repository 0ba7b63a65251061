//! A line between a module and a broker that writes down every packet, and can be cut at any of them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;

use parking_lot::Condvar;
use parking_lot::Mutex;

use modemrig::mqtt::Connect;
use modemrig::mqtt::Decoder;
use modemrig::mqtt::Kind;
use modemrig::mqtt::Level;
use modemrig::mqtt::Packet;
use modemrig::mqtt::Publish;
use modemrig::virtual_module::clock;

use super::PATIENCE;

/// Where the tap cuts the line: at the next packet of this sort from this side, before or behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    pub from_module: bool,
    pub kind: Kind,
    pub delivered: bool,
}

/// A line between a module and a broker that writes down what passes.
pub struct Tap {
    shared: Arc<TapShared>,
    port: u16,
}

struct TapShared {
    broker: u16,
    rows: Mutex<Vec<String>>,
    /// A packet passed, or an end.
    changed: Condvar,
    /// Numbers of the connections that one end has closed.
    ended: Mutex<BTreeSet<usize>>,
    directions_ended: Mutex<BTreeMap<usize, usize>>,
    cut: Mutex<Option<Cut>>,
    stopping: AtomicBool,
    sockets: Mutex<Vec<TcpStream>>,
}

impl Tap {
    /// In front of a port of the broker; `level` is what the client will speak, none where it cannot be read: TLS.
    pub fn start(broker: u16, level: Option<Level>) -> Tap {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(TapShared {
            broker,
            rows: Mutex::default(),
            changed: Condvar::new(),
            ended: Mutex::default(),
            directions_ended: Mutex::default(),
            cut: Mutex::new(None),
            stopping: AtomicBool::new(false),
            sockets: Mutex::default(),
        });
        let taps = shared.clone();
        let serve = move || {
            for (number, client) in listener.incoming().enumerate() {
                let Ok(client) = client else { return };
                if taps.stopping.load(Ordering::Acquire) {
                    return;
                }
                taps.clone().relay(number + 1, client, level);
            }
        };
        thread::Builder::new().name("tap".into()).spawn(serve).expect("a thread");
        Tap { shared, port }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn cut_at(&self, cut: Cut) {
        *self.shared.cut.lock() = Some(cut);
    }

    /// Waits until both ends of so many connections have closed them.
    pub fn until_ended(&self, count: usize) {
        let deadline = clock::now() + PATIENCE;
        let mut rows = self.shared.rows.lock();
        while self.shared.directions_ended.lock().values().filter(|ends| **ends == 2).count() < count {
            let late = self.shared.changed.wait_until(&mut rows, deadline).timed_out();
            assert!(!late, "fewer than {count} connections are over within {PATIENCE:?}: {rows:#?}");
        }
    }

    /// Waits until everything on the newest connection is answered, in both directions.
    pub fn until_answered(&self) {
        let deadline = clock::now() + PATIENCE;
        let mut rows = self.shared.rows.lock();
        loop {
            let newest = rows.iter().map(|row| &row[..1]).max().unwrap_or("1").to_owned();
            // Identifiers of one sort of packet, in the order in which they passed.
            let ids = |start: &str, word: &str| {
                let start = format!("{newest}{start} ");
                let of = rows.iter().filter(|row| row.starts_with(&start) && row.contains(word));
                of.filter_map(|row| {
                    row[start.len()..].split(' ').find_map(|part| part.trim_start_matches("id=").parse().ok())
                })
                .collect::<BTreeSet<u16>>()
            };
            let over = newest.parse().is_ok_and(|number| self.shared.ended.lock().contains(&number));
            let answered = [("<", ">"), (">", "<")].iter().all(|(ask, answer)| {
                let ids = |side: &str, kind: &str, word: &str| ids(&format!("{side} {kind}"), word);
                ids(ask, "PUBLISH", " qos=1 ").is_subset(&ids(answer, "PUBACK", ""))
                    && ids(ask, "PUBLISH", " qos=2 ").is_subset(&ids(answer, "PUBREC", ""))
                    && ids(answer, "PUBREC", "").is_subset(&ids(ask, "PUBREL", ""))
                    && ids(ask, "PUBREL", "").is_subset(&ids(answer, "PUBCOMP", ""))
            });
            if over || answered {
                return;
            }
            let late = self.shared.changed.wait_until(&mut rows, deadline).timed_out();
            assert!(!late, "something has no answer within {PATIENCE:?}: {rows:#?}");
        }
    }

    /// Every row so far, one direction of one connection behind the other.
    pub fn rows(&self) -> Vec<String> {
        let mut rows = self.shared.rows.lock().clone();
        rows.sort_by_key(|row| row[..2].to_owned()); // Stable: `1<` and `1>` keep their own order.
        rows
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        for socket in self.shared.sockets.lock().drain(..) {
            let _ = socket.shutdown(Shutdown::Both); // It may have ended.
        }
        let _ = TcpStream::connect(("127.0.0.1", self.port)); // Wakes the listener, which then ends.
    }
}

impl TapShared {
    fn relay(self: Arc<TapShared>, number: usize, client: TcpStream, level: Option<Level>) {
        let broker = TcpStream::connect(("127.0.0.1", self.broker)).expect("the broker listens");
        for socket in [&client, &broker] {
            socket.set_nodelay(true).expect("a socket");
        }
        self.sockets.lock().extend([&client, &broker].map(|socket| socket.try_clone().expect("a socket")));
        for from_module in [true, false] {
            let ends = [&client, &broker].map(|socket| socket.try_clone().expect("a socket"));
            let [module, broker] = ends;
            let (from, to) = if from_module { (module, broker) } else { (broker, module) };
            let shared = self.clone();
            let decoder = level.map(|level| Decoder::new((!from_module).then_some(level)));
            let run = move || shared.carry(number, from_module, from, to, decoder);
            thread::Builder::new().name(format!("tap-{number}")).spawn(run).expect("a thread");
        }
    }

    fn carry(
        &self,
        number: usize,
        from_module: bool,
        mut from: TcpStream,
        mut to: TcpStream,
        mut decoder: Option<Decoder>,
    ) {
        let mark = format!("{number}{}", if from_module { '>' } else { '<' });
        let mut buffer = [0; 16 * 1024];
        let mut waiting = Vec::new();
        loop {
            // Only the first end of a connection is somebody's doing; the other follows from it.
            let count = from.read(&mut buffer).unwrap_or(0);
            if count == 0 {
                self.note(number, format!("{mark} ends"));
                // The other direction ends when the other end has seen it.
                let _ = to.shutdown(Shutdown::Write);
                return self.ended_at(number);
            }
            let Some(decoder) = &mut decoder else {
                let _ = to.write_all(&buffer[..count]); // A broken line shows at the next read.
                continue;
            };
            decoder.feed(&buffer[..count]);
            waiting.extend_from_slice(&buffer[..count]);
            while let Some(packet) = decoder.next_packet().unwrap_or_else(|error| panic!("{mark} {error}")) {
                let bytes: Vec<u8> = waiting.drain(..waiting.len() - decoder.pending()).collect();
                // Written down first: what it leads to comes behind it.
                self.note(number, format!("{mark} {}", describe(&packet, &bytes)));
                let cut = self.cut.lock().take_if(|cut| cut.from_module == from_module && cut.kind == packet.kind());
                if cut.is_some() {
                    // From here on nothing passes in either direction.
                    self.note(number, format!("{mark} ends: cut"));
                }
                if cut.map_or_else(|| !self.ended.lock().contains(&number), |cut| cut.delivered) {
                    let _ = to.write_all(&bytes); // A broken line shows at the next read.
                }
                if cut.is_some() {
                    for socket in [&from, &to] {
                        let _ = socket.shutdown(Shutdown::Both);
                    }
                    return self.ended_at(number);
                }
            }
        }
    }

    fn ended_at(&self, number: usize) {
        let rows = self.rows.lock(); // Else a waiter could miss it.
        *self.directions_ended.lock().entry(number).or_default() += 1;
        self.changed.notify_all();
        drop(rows);
    }

    fn note(&self, number: usize, row: String) {
        let mut rows = self.rows.lock();
        // Behind DISCONNECT both ends close, in no order.
        let over = |one: &String| {
            one.starts_with(&number.to_string()) && one[2..].starts_with(" ends")
                || row[2..].starts_with(" ends") && *one == format!("{number}> DISCONNECT")
        };
        if row[2..].starts_with(" ends") {
            self.ended.lock().insert(number);
        }
        if !rows.iter().any(over) {
            rows.push(row);
        }
        self.changed.notify_all();
    }
}

/// A packet in a line, every field of it; the level-3 liberties of CONNACK as the bytes they are.
fn describe(packet: &Packet, bytes: &[u8]) -> String {
    let name = packet.kind().name();
    match packet {
        Packet::Connect(connect) => {
            let Connect { level, client_id, clean_session, keep_alive, will, .. } = connect;
            let level = level.byte();
            format!("{name} level={level} id={client_id} clean={clean_session} keep_alive={keep_alive} will={will:?}")
        }
        Packet::Connack { code, .. } => format!("{name} flags={} code={code}", bytes[2]),
        Packet::Publish(publish) => format!("{name} {}", message(publish)),
        Packet::Pubrel { id, dup } => format!("{name} {id} dup={}", u8::from(*dup)),
        Packet::Subscribe { id, filters, .. } => format!("{name} {id} {filters:?}"),
        Packet::Suback { id, codes } => format!("{name} {id} {codes:?}"),
        Packet::Unsubscribe { id, filters, .. } => format!("{name} {id} {filters:?}"),
        other => other.id().map_or(name.to_owned(), |id| format!("{name} {id}")),
    }
}

/// A message in a line, every field of it.
pub fn message(publish: &Publish) -> String {
    let Publish { dup, qos, retain, topic, id, payload } = publish;
    let id = id.map_or(String::new(), |id| format!(" id={id}"));
    let flags = format!("qos={} retain={} dup={}", qos.byte(), u8::from(*retain), u8::from(*dup));
    format!("{topic} {:?} {flags}{id}", String::from_utf8_lossy(payload))
}
