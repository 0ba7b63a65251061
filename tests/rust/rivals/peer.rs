//! Another client of the broker, at packet level.

use std::io::Read;
use std::io::Write;
use std::net::TcpStream;

use modemrig::mqtt::Connect;
use modemrig::mqtt::Decoder;
use modemrig::mqtt::Level;
use modemrig::mqtt::Packet;
use modemrig::mqtt::Publish;
use modemrig::mqtt::Qos;
use modemrig::mqtt::encode;

use super::Broker;
use super::PATIENCE;
use super::tap::message;

/// Another client of the broker, at packet level; it acknowledges everything at once.
pub struct Peer {
    socket: TcpStream,
    decoder: Decoder,
    level: Level,
    name: String,
    next_id: u16,
    rows: Vec<String>,
}

impl Peer {
    pub fn connect(broker: &Broker, level: Level, name: &str, clean_session: bool) -> Peer {
        let socket = TcpStream::connect(("127.0.0.1", broker.ports().0)).expect("the broker listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.set_nodelay(true).expect("a socket");
        let decoder = Decoder::new(Some(level));
        let mut peer = Peer { socket, decoder, level, name: name.into(), next_id: 0, rows: Vec::new() };
        let connect = Connect {
            level,
            client_id: name.into(),
            clean_session,
            keep_alive: 0,
            will: None,
            username: None,
            password: None,
        };
        peer.send(&Packet::Connect(connect));
        peer.until(|packet| matches!(packet, Packet::Connack { code: 0, .. }));
        peer
    }

    pub fn subscribe(&mut self, filters: &[(&str, Qos)]) {
        let id = self.id();
        let filters = filters.iter().map(|(filter, qos)| ((*filter).to_owned(), *qos)).collect();
        self.send(&Packet::Subscribe { id, dup: false, filters });
        self.until(|packet| matches!(packet, Packet::Suback { id: of, .. } if *of == id));
    }

    /// Publishes, and waits until the broker has it.
    pub fn publish(&mut self, topic: &str, payload: &str, qos: Qos, retain: bool) {
        let id = (qos != Qos::AtMostOnce).then(|| self.id());
        let (topic, payload) = (topic.to_owned(), payload.as_bytes().to_vec());
        self.send(&Packet::Publish(Publish { dup: false, qos, retain, topic, id, payload }));
        match (qos, id) {
            (Qos::AtLeastOnce, Some(id)) => self.until(|packet| *packet == Packet::Puback { id }),
            (Qos::ExactlyOnce, Some(id)) => {
                self.until(|packet| *packet == Packet::Pubrec { id });
                self.send(&Packet::Pubrel { id, dup: false });
                self.until(|packet| *packet == Packet::Pubcomp { id });
            }
            _ => self.sync(),
        }
    }

    /// Everything the broker had for this client before now is here.
    pub fn sync(&mut self) {
        self.send(&Packet::Pingreq);
        self.until(|packet| *packet == Packet::Pingresp);
    }

    /// Waits for a message with this payload.
    pub fn hears(&mut self, payload: &str) {
        let seen = format!("{payload:?}");
        if !self.rows.iter().any(|row| row.contains(&seen)) {
            let payload = payload.as_bytes().to_vec();
            self.until(move |packet| matches!(packet, Packet::Publish(publish) if publish.payload == payload));
        }
        self.sync(); // Quality 2 has more steps.
    }

    /// Leaves by DISCONNECT; every message that came.
    pub fn leave(mut self) -> Vec<String> {
        self.sync();
        self.send(&Packet::Disconnect);
        let mut rest = Vec::new();
        let _ = self.socket.read_to_end(&mut rest); // Until the broker has closed.
        std::mem::take(&mut self.rows)
    }

    fn id(&mut self) -> u16 {
        self.next_id += 1;
        self.next_id
    }

    fn send(&mut self, packet: &Packet) {
        let mut bytes = Vec::new();
        encode(packet, self.level, &mut bytes);
        self.socket.write_all(&bytes).expect("the broker keeps the connection");
    }

    fn until(&mut self, wanted: impl Fn(&Packet) -> bool) {
        let mut buffer = [0; 16 * 1024];
        loop {
            while let Some(packet) = self.decoder.next_packet().expect("the broker keeps the rules") {
                match &packet {
                    Packet::Publish(publish) => {
                        self.rows.push(format!("{} {}", self.name, message(&Publish { id: None, ..publish.clone() })));
                        match (publish.qos, publish.id) {
                            (Qos::AtLeastOnce, Some(id)) => self.send(&Packet::Puback { id }),
                            (Qos::ExactlyOnce, Some(id)) => self.send(&Packet::Pubrec { id }),
                            _ => {}
                        }
                    }
                    Packet::Pubrel { id, .. } => self.send(&Packet::Pubcomp { id: *id }),
                    _ => {}
                }
                if wanted(&packet) {
                    return;
                }
            }
            let count = self.socket.read(&mut buffer).unwrap_or(0);
            assert!(count > 0, "{} waits in vain; so far: {:#?}", self.name, self.rows);
            self.decoder.feed(&buffer[..count]);
        }
    }
}
