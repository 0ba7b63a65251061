//! AT+QMTTENAUTH: a password for Tencent Cloud, fetched over HTTP from a token server. The document says that it is fetched,
//! and how it can fail; what is asked and answered is ours (`docs/token-server.md`).

use std::time::Duration;

use serde_json::Value as Json;
use serde_json::json;

use crate::cloud::tencent;
use crate::cloud::tencent::Request;
use crate::dialect::Matched;
use crate::virtual_module::device::Answer;
use crate::virtual_module::device::Device;
use crate::virtual_module::device::Refusal;
use crate::virtual_module::network::ExchangeFault;
use crate::virtual_module::network::Outcome;
use crate::virtual_module::network::Target;
use crate::virtual_module::qmt::Qmt;

/// Results of AT+QMTTENAUTH.
mod code {
    pub(super) const FETCHED: i32 = 0;
    pub(super) const DNS: i32 = 1;
    pub(super) const SOCKET: i32 = 2;
    pub(super) const REFUSED: i32 = 3;
    pub(super) const SENDING: i32 = 4;
    pub(super) const ANSWER: i32 = 5;
    pub(super) const TIME: i32 = 6;
}

/// Where the password is fetched when the host names no address and the module was given none: nowhere.
const NOWHERE: &str = "http://token.invalid/token";

/// Days that a password holds when the host asks for no other number: the largest the document prints.
const DAYS: i64 = 60;

impl Qmt {
    pub(super) fn fetch_token(&mut self, device: &mut Device, call: &Matched<'_>) -> Answer {
        let text = |name: &str| String::from_utf8(call.text(name).unwrap_or_default().to_vec()).unwrap_or_default();
        let named = tencent::Device {
            product_id: text("product_id"),
            device_name: text("device_name"),
            device_secret: text("device_secret"),
        };
        let url = match text("url") {
            given if !given.is_empty() => given,
            _ => device.token_url.clone().unwrap_or_else(|| NOWHERE.to_owned()),
        };
        let days = call.int("expire").unwrap_or(DAYS).unsigned_abs();
        let request = Request::signed(&named, &text("client_id"), days, device.clock_now());
        let (Some(request), Some((host, port, path))) = (request, parts(&url)) else {
            return Answer::Refused(Refusal::Parameter);
        };
        if device.links.is_asking() {
            return Answer::Refused(Refusal::State);
        }
        if !device.activate(1) {
            self.token_answered(device, Err(ExchangeFault::NotConnected));
            return Answer::Accepted;
        }
        let most = call.command.max_response.as_ref().and_then(|most| most.ms).unwrap_or(195_000);
        let question = question(&request, &host, port, &path);
        let target = Target { host, port, security: None };
        let timeout = device.speed.span(Duration::from_millis(most));
        let Device { links, faults, now, .. } = device;
        if links.ask(faults, target, question, timeout, *now).is_err() {
            self.token_answered(device, Err(ExchangeFault::NotConnected));
        }
        Answer::Accepted
    }

    pub(super) fn token_answered(&mut self, device: &mut Device, outcome: Outcome) {
        let fetched = match outcome {
            Ok(answer) => password(&answer),
            Err(ExchangeFault::NotResolved) => Err(code::DNS),
            Err(ExchangeFault::NotConnected) => Err(code::SOCKET),
            Err(ExchangeFault::NotSent) => Err(code::SENDING),
            Err(ExchangeFault::BrokenOff) => Err(code::ANSWER),
            Err(ExchangeFault::TimedOut) => Err(code::TIME),
        };
        let line = match fetched {
            Ok(password) => {
                let line = format!("+QMTTENAUTH: {},\"{password}\"", code::FETCHED);
                self.password = Some(password);
                line
            }
            Err(code) => format!("+QMTTENAUTH: {code}"),
        };
        device.replies.urc(line, device.now);
    }
}

/// The port of an address.
pub(in crate::virtual_module) fn http_port(url: &str) -> Option<u16> {
    parts(url).map(|(_, port, _)| port)
}

/// Host, port and path of an address; only plain HTTP is spoken.
fn parts(url: &str) -> Option<(String, u16, String)> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    if rest.contains("://") {
        return None;
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, "token"));
    // The colons of an IPv6 address stand in brackets.
    let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, 80),
    };
    (!host.is_empty() && port != 0).then(|| (host.to_owned(), port, format!("/{path}")))
}

fn question(request: &Request, host: &str, port: u16, path: &str) -> Vec<u8> {
    let Request { product_id, device_name, client_id, days, time, signature } = request;
    let body = json!({
        "product_id": product_id, "device_name": device_name, "client_id": client_id, "days": days, "time": time,
        "signature": signature,
    });
    let body = body.to_string();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    [head.into_bytes(), body.into_bytes()].concat()
}

/// The password of an answer, or the result code that says what is wrong with it.
fn password(answer: &[u8]) -> Result<String, i32> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(head)) = response.parse(answer) else { return Err(code::ANSWER) };
    if response.code != Some(200) {
        return Err(code::REFUSED);
    }
    let body: Json = serde_json::from_slice(&answer[head..]).map_err(|_| code::ANSWER)?;
    let password = body["password"].as_str().filter(|text| !text.is_empty() && text.chars().all(is_plain));
    password.map(str::to_owned).ok_or(code::ANSWER)
}

/// What a quoted string on the line can carry.
fn is_plain(character: char) -> bool {
    !character.is_control() && character != '"'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_plain_http_with_or_without_their_parts() {
        let expected = |host: &str, port, path: &str| Some((host.to_owned(), port, path.to_owned()));
        assert_eq!(expected("a.example", 80, "/token"), parts("http://a.example"));
        assert_eq!(expected("a.example", 8080, "/x/y"), parts("a.example:8080/x/y"));
        assert_eq!(expected("[::1]", 80, "/token"), parts("http://[::1]"));
        assert_eq!(expected("[::1]", 8080, "/x"), parts("http://[::1]:8080/x"));
        for wrong in ["https://a.example", "http://", "http://a:0", "http://a:99999/", ""] {
            assert_eq!(None, parts(wrong), "{wrong}");
        }
    }

    #[test]
    fn an_answer_is_a_password_or_the_code_of_what_is_wrong() {
        let answer = |status: &str, body: &str| format!("HTTP/1.1 {status}\r\nA: b\r\n\r\n{body}").into_bytes();
        assert_eq!(Ok("p;1".to_owned()), password(&answer("200 OK", "{\"password\":\"p;1\"}")));
        assert_eq!(Err(code::REFUSED), password(&answer("403 Forbidden", "{}")));
        for wrong in ["", "{}", "{\"password\":\"\"}", "{\"password\":\"a\\\"b\"}", "{\"password\":\"a\\nb\"}"] {
            assert_eq!(Err(code::ANSWER), password(&answer("200 OK", wrong)), "{wrong}");
        }
        assert_eq!(Err(code::ANSWER), password(b"SSH-2.0"));
        assert_eq!(Err(code::ANSWER), password(b""));
    }
}
