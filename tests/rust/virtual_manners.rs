//! However a host writes what it means (F16), every module understands it: in pieces, in small letters, with blanks, with CR or
//! CR LF, with line ends where nobody asked for them. A whole session written in each manner has the very same answers.

use std::time::Duration;

use modemrig::dialect::Dialect;
use modemrig::virtual_module::simulation::SimulatedModule;

use crate::simulated::everywhere;
use crate::simulated::is_quectel;
use crate::simulated::module;

/// What is typed: a command line, or what it asks for.
#[derive(Clone, Copy)]
enum Typed<'a> {
    Line(&'a str),
    Payload(&'a str),
}

use Typed::Line;
use Typed::Payload;

/// Pieces, each written by itself, a moment apart.
type Pieces = Vec<Vec<u8>>;

/// Name, and how it writes.
type Manner = (&'static str, fn(Typed<'_>) -> Pieces);

const MANNERS: &[Manner] = &[
    ("letter by letter", |typed| plain(typed).concat().into_iter().map(|byte| vec![byte]).collect()),
    ("cut in the middle", |typed| {
        let bytes = plain(typed).concat();
        let (head, tail) = bytes.split_at(bytes.len() / 2);
        vec![head.to_vec(), tail.to_vec()]
    }),
    ("small letters", |typed| lines(typed, |line| outside_texts(line, |c| c.to_lowercase().to_string()))),
    ("mixed letters", |typed| {
        lines(typed, |line| outside_texts(line, |c| if c == 'T' { "t".into() } else { c.to_string() }))
    }),
    ("blanks behind each mark", |typed| {
        lines(typed, |line| outside_texts(line, |c| if "=,".contains(c) { format!("{c} ") } else { c.to_string() }))
    }),
    ("blanks around each mark", |typed| {
        lines(typed, |line| outside_texts(line, |c| if "=,".contains(c) { format!(" {c}  ") } else { c.to_string() }))
    }),
    ("blanks around the line", |typed| lines(typed, |line| format!("  {line} "))),
    ("a semicolon behind the line", |typed| lines(typed, |line| format!("{line};"))),
    ("CR LF", |typed| ended(typed, &[b"\r\n"])),
    ("CR, and LF a moment later", |typed| ended(typed, &[b"\r", b"\n"])),
    ("CR CR LF", |typed| ended(typed, &[b"\r\r\n"])),
    ("CR LF CR LF", |typed| ended(typed, &[b"\r\n\r\n"])),
    ("CR LF before the line", |typed| lines(typed, |line| format!("\r\n{line}"))),
    ("Ctrl-Z before the line", |typed| lines(typed, |line| format!("\x1a{line}"))),
    ("Esc before the line", |typed| lines(typed, |line| format!("\x1b{line}"))),
    ("letters taken back", |typed| lines(typed, |line| format!("AX\x08T{}", &line[2..]))),
    ("CR LF behind the payload", |typed| payloads(typed, &[b"\r\n"])),
    ("CR LF a moment behind the payload", |typed| payloads(typed, &[b"", b"\r\n"])),
    ("CR behind the payload", |typed| payloads(typed, &[b"\r"])),
    ("CR and LF each a moment behind the payload", |typed| payloads(typed, &[b"", b"\r", b"\n"])),
    ("Ctrl-Z behind the payload", |typed| payloads(typed, &[b"\x1a"])),
    ("CR LF on both", |typed| match typed {
        Line(_) => ended(typed, &[b"\r\n"]),
        Payload(_) => payloads(typed, &[b"\r\n"]),
    }),
];

fn plain(typed: Typed<'_>) -> Pieces {
    ended(typed, &[b"\r"])
}

/// A line with these ends; a payload as it is.
fn ended(typed: Typed<'_>, ends: &[&[u8]]) -> Pieces {
    match typed {
        Payload(text) => vec![text.as_bytes().to_vec()],
        Line(line) => with(line, ends),
    }
}

fn with(text: &str, ends: &[&[u8]]) -> Pieces {
    let mut pieces: Pieces = ends.iter().map(|end| end.to_vec()).collect();
    pieces[0].splice(..0, text.bytes());
    pieces
}

fn lines(typed: Typed<'_>, change: impl Fn(&str) -> String) -> Pieces {
    match typed {
        Line(line) => plain(Line(&change(line))),
        payload => plain(payload),
    }
}

fn payloads(typed: Typed<'_>, ends: &[&[u8]]) -> Pieces {
    match typed {
        Payload(text) => with(text, ends),
        line => plain(line),
    }
}

fn outside_texts(line: &str, change: impl Fn(char) -> String) -> String {
    let mut quoted = false;
    let parts = line.chars().map(|c| {
        quoted ^= c == '"';
        if quoted { c.to_string() } else { change(c) }
    });
    parts.collect()
}

fn session(dialect: &Dialect) -> Vec<Typed<'static>> {
    if !is_quectel(dialect) {
        return vec![
            Line("AT+CMQTTSTART"),
            Line("AT+CMQTTACCQ=0,\"me\",0"),
            Line("AT+CMQTTWILLTOPIC=0,4"),
            Payload("gone"),
            Line("AT+CMQTTWILLMSG=0,3,1"),
            Payload("bye"),
            Line("AT+CMQTTCONNECT=0,\"tcp://a.example:1883\",60,1,\"user\",\"secret word\""),
            Line("AT+CMQTTSUB=0,3,1"),
            Payload("a/b"),
            Line("AT+CMQTTTOPIC=0,3"),
            Payload("a/b"),
            Line("AT+CMQTTPAYLOAD=0,6"),
            Payload("AT+CSQ"),
            Line("AT+CMQTTPUB=0,1,60"),
            Line("AT+CMQTTDISC?"),
            Line("AT+CMQTTUNSUB=0,3,0"),
            Payload("a/b"),
            Line("AT+CMQTTDISC=0,60"),
            Line("AT+CMQTTREL=0"),
            Line("AT+CMQTTSTOP"),
        ];
    }
    let mut session = vec![
        Line("AT+QMTCFG=\"keepalive\",0,60"),
        Line("AT+QMTCFG=\"will\",0,1,1,0,\"gone\",\"b, c\""),
        Line("AT+QMTOPEN=0,\"a.example\",1883"),
        Line("AT+QMTOPEN?"),
        Line("AT+QMTCONN=0,\"me\",\"user\",\"secret word\""),
        Line("AT+QMTSUB=0,1,\"a/b\",1"),
    ];
    if dialect.command("AT+QMTPUBEX").is_some() {
        session.extend([Line("AT+QMTPUBEX=0,2,1,0,\"a/b\",6"), Payload("AT+CSQ")]);
    } else {
        session.extend([Line("AT+QMTPUB=0,2,1,0,\"a/b\",6"), Payload("AT+CSQ")]);
    }
    session.extend([
        Line("AT+QMTCONN?"),
        Line("AT+QMTUNS=0,3,\"a/b\""),
        Line("AT+QMTDISC=0"),
        Line("AT+QMTCLOSE=0"),
        Line("AT+QMTCONN=0,\"me\""),
    ]);
    session
}

/// What is said in a whole session that is written like this.
fn said(module: &mut SimulatedModule, session: &[Typed<'_>], write: fn(Typed<'_>) -> Pieces) -> Vec<String> {
    let mut said = Vec::new();
    for typed in session {
        for piece in write(*typed) {
            module.host(&piece);
            module.advance(Duration::from_millis(3));
        }
        said.push(module.after(1.0));
    }
    said
}

#[test]
fn every_module_understands_a_session_written_in_any_manner() {
    everywhere(|dialect, simulated| {
        let session = session(dialect);
        let wanted = said(simulated, &session, plain);
        assert!(wanted.concat().contains("AT+CSQ"), "{}: the message came back: {wanted:?}", dialect.id);
        assert!(wanted.iter().rev().skip(1).all(|said| !said.contains("ERROR")), "{}: {wanted:?}", dialect.id);
        for (manner, write) in MANNERS {
            let found = said(&mut module(&dialect.id), &session, *write);
            assert_eq!(wanted, found, "{}: {manner}", dialect.id);
        }
    });
}

/// A program that does not wait: everything is in one write, with line ends behind the payloads.
#[test]
fn every_module_understands_a_publish_in_one_write() {
    everywhere(|dialect, simulated| {
        let session = session(dialect);
        let publish = session.iter().position(|typed| matches!(typed, Payload("AT+CSQ"))).expect("one");
        said(simulated, &session[..publish - 1], plain);
        let (Line(line), Payload(payload)) = (session[publish - 1], session[publish]) else { panic!("a publish") };
        for end in ["", "\r\n"] {
            simulated.host(format!("{line}\r\n{payload}{end}AT+CGMI\r\n").as_bytes());
            let said = simulated.after(1.0);
            assert!(said.starts_with("\r\n> \r\nOK\r\n"), "{}: {said:?}", dialect.id);
            assert_eq!(2, said.matches("OK").count(), "{}: {said:?}", dialect.id);
        }
    });
}

/// Keys are not told apart by their letters.
#[test]
fn every_quectel_module_takes_keys_in_capital_letters() {
    everywhere(|dialect, simulated| {
        if is_quectel(dialect) {
            simulated.ask("AT+QMTCFG=\"KEEPALIVE\",0,61", 0.1);
            let read = simulated.ask("AT+QMTCFG=\"Keepalive\",0", 0.1);
            assert!(read.ends_with(",61\r\n\r\nOK\r\n"), "{}: {read:?}", dialect.id);
        }
    });
}
