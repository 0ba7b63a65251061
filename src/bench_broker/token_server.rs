//! The bench's token server: answers a module that fetches its password over HTTP (`AT+QMTTENAUTH`). Request and answer are
//! ours, described in `docs/token-server.md`; no platform's server is imitated.
//!
//! One thread, one connection after the other, loopback only.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use serde_json::json;

use crate::bench_broker::clock;
use crate::cloud::tencent::Device;
use crate::cloud::tencent::Request;
use crate::cloud::tencent::issue;

/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long it waits where no connection can be taken.
const BREATH: Duration = Duration::from_millis(50);

/// Largest request.
const MOST: usize = 16 * 1024;

/// Who may fetch a password, and by which calendar.
#[derive(Default)]
pub(super) struct Holders {
    pub(super) devices: Vec<Device>,
    /// Seconds since 1970; `None`: this computer's calendar.
    pub(super) now: Option<u64>,
}

/// A running token server; dropping it stops it.
pub(super) struct TokenServer {
    port: u16,
    holders: Arc<Mutex<Holders>>,
    stopping: Arc<AtomicBool>,
    /// Who is being served, so that `stop` need not wait for it.
    served: Arc<Mutex<Option<TcpStream>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl TokenServer {
    /// Listens on a free port.
    pub(super) fn start() -> io::Result<TokenServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let holders = Arc::new(Mutex::new(Holders::default()));
        let stopping = Arc::new(AtomicBool::new(false));
        let served = Arc::new(Mutex::new(None));
        let (shared, stop, client_now) = (holders.clone(), stopping.clone(), served.clone());
        let thread = thread::Builder::new().name("bench-tokens".to_owned()).spawn(move || {
            for client in listener.incoming() {
                *client_now.lock() = client.as_ref().ok().and_then(|client| client.try_clone().ok());
                // Looked at behind that: either this sees the stop, or the stop sees the client.
                if stop.load(Ordering::Acquire) {
                    return;
                }
                match client {
                    // A client that breaks off has only itself to tell.
                    Ok(client) => drop(serve(client, &shared)),
                    // No descriptor is left: some other connection must end first.
                    Err(_) => thread::park_timeout(BREATH),
                }
                *client_now.lock() = None;
            }
        })?;
        Ok(TokenServer { port, holders, stopping, served, thread: Mutex::new(Some(thread)) })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn set_holders(&self, holders: Holders) {
        *self.holders.lock() = holders;
    }

    /// Ends the thread and frees the port.
    pub(super) fn stop(&self) {
        let Some(thread) = self.thread.lock().take() else { return };
        self.stopping.store(true, Ordering::Release);
        if let Some(client) = &*self.served.lock() {
            let _ = client.shutdown(Shutdown::Both); // Fails only for one that is gone.
        }
        // A connection of our own ends the wait for one.
        let _ = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)), PATIENCE);
        let _ = thread.join(); // A panic has been printed where it happened.
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn serve(mut client: TcpStream, holders: &Mutex<Holders>) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    let mut asked = Vec::new();
    let end = clock::now() + PATIENCE;
    let (status, answer) = loop {
        match take(&asked) {
            Taken::More if clock::now() >= end => break refusal(408, "the request takes too long"),
            Taken::More if asked.len() < MOST => {}
            Taken::More | Taken::Malformed(_) if asked.len() >= MOST => break refusal(413, "the request is too large"),
            Taken::More => break refusal(400, "the request is not complete"),
            Taken::Malformed(why) => break refusal(400, why),
            Taken::Whole(body) => break answer(body, &holders.lock()),
        }
        let mut buffer = [0; 4096];
        match client.read(&mut buffer)? {
            0 => break refusal(400, "the request is not complete"),
            count => asked.extend_from_slice(&buffer[..count]),
        }
    };
    let body = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    client.write_all(format!("{head}{body}").as_bytes())
}

enum Taken<'a> {
    More,
    Whole(&'a [u8]),
    Malformed(&'static str),
}

/// The body of a request, once it is there.
fn take(asked: &[u8]) -> Taken<'_> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(asked) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Taken::More,
        Err(_) => return Taken::Malformed("this is no HTTP"),
    };
    // Whatever the path: a module may be told of another server's, which leads here.
    if request.method != Some("POST") {
        return Taken::Malformed("only POST is answered");
    }
    let length = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.trim().parse::<usize>().ok());
    match length.filter(|length| *length <= MOST) {
        None => Taken::Malformed("Content-Length is missing or too large"),
        Some(length) => asked.get(head..head + length).map_or(Taken::More, Taken::Whole),
    }
}

fn answer(body: &[u8], holders: &Holders) -> (&'static str, Value) {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return refusal(400, "the body is no JSON") };
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let request = || {
        Some(Request {
            product_id: text("product_id")?,
            device_name: text("device_name")?,
            client_id: text("client_id")?,
            days: body["days"].as_u64()?,
            time: body["time"].as_u64()?,
            signature: text("signature")?,
        })
    };
    let Some(request) = request() else { return refusal(400, "a field is missing or of the wrong type") };
    match issue(&holders.devices, &request, holders.now.unwrap_or_else(clock::wall)) {
        Some(password) => ("200 OK", json!({ "password": password })),
        None => refusal(403, "no such device, or a wrong signature"),
    }
}

fn refusal(status: u16, why: &str) -> (&'static str, Value) {
    let line = match status {
        403 => "403 Forbidden",
        408 => "408 Request Timeout",
        413 => "413 Content Too Large",
        _ => "400 Bad Request",
    };
    (line, json!({ "error": why }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(server: &TokenServer, request: &[u8]) -> String {
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).expect("it listens");
        client.write_all(request).expect("room");
        client.shutdown(Shutdown::Write).expect("open");
        let mut said = String::new();
        client.read_to_string(&mut said).expect("an answer");
        said
    }

    #[test]
    fn what_is_no_request_of_ours_is_refused_with_a_reason_and_the_server_goes_on() {
        let server = TokenServer::start().expect("a free port");
        for (request, status) in [
            (&b"\x00\x01nonsense\r\n\r\n"[..], "400"),
            (b"GET /token HTTP/1.1\r\n\r\n", "400"),
            (b"POST /token HTTP/1.1\r\n\r\n{}", "400"),
            (b"POST /token HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", "400"),
            (b"POST /token HTTP/1.1\r\nContent-Length: 9\r\n\r\n{}", "400"),
            (b"POST /token HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n{}", "400"),
            (b"", "400"),
        ] {
            let said = ask(&server, request);
            assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{request:?}: {said}");
            assert!(said.contains("\"error\""), "{said}");
        }
        server.stop();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).is_err(), "the port is free");
    }

    #[test]
    fn a_client_that_says_nothing_does_not_hold_up_the_stop() {
        let server = TokenServer::start().expect("a free port");
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).expect("it listens");
        client.write_all(b"POST /token").expect("room");
        let begun = clock::now();
        server.stop();
        assert!(clock::now() - begun < PATIENCE, "it waited for the client");
    }
}
