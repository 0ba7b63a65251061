//! Any talk, in any pieces, with any unsolicited lines between complete lines: the session says what a naive framer says
//! that sees the whole talk at once.

use std::time::Instant;

use modemrig::dialect::any_grammar;
use modemrig::proto::Event;
use modemrig::proto::FinalResult;
use modemrig::proto::Input;
use modemrig::proto::Request;
use modemrig::proto::Settings;
use modemrig::proto::TeSession;
use modemrig::proto::command_line::parse_line;

use crate::naive;
use crate::naive::Said;
use crate::random::Random;

/// Talks; each is played whole, byte by byte and in random pieces.
const TALKS: u64 = 6000;

enum Step {
    Host(String),
    Module(Vec<u8>),
}

#[allow(clippy::disallowed_methods, reason = "any instant will do as an origin")]
fn origin() -> Instant {
    Instant::now()
}

/// A line nobody asked for, or a message that imitates one.
fn unasked(random: &mut Random) -> Vec<u8> {
    let payloads: [&[u8]; 8] = [
        b"",
        b"x",
        b"\r\nOK\r\n",
        b"\"\r\n+QMTSTAT: 0,1\r\n",
        b"> ",
        b"\r\nRDY\r\nx",
        b"\0\xFF\r",
        b"0\r\n+QMTSUB: 0,1,0,1",
    ];
    let payload = *random.pick(&payloads);
    match random.below(8) {
        0 => format!("\r\n+QMTSTAT: {},1\r\n", random.below(6)).into_bytes(),
        1 => format!("\r\n+CREG: {}\r\n", random.below(6)).into_bytes(),
        2 => b"\r\nhello there\r\n".to_vec(),
        3 => format!("\r\n+QMTSUB: 0,{},0,1\r\n", 60_000 + random.below(9)).into_bytes(),
        4 => {
            let mut wire = b"\r\n+CMQTTRXSTART: 0,1,".to_vec();
            wire.extend(format!("{}\r\n+CMQTTRXTOPIC: 0,1\r\nt\r\n", payload.len()).into_bytes());
            for piece in random.pieces(payload) {
                wire.extend(format!("+CMQTTRXPAYLOAD: 0,{}\r\n", piece.len()).into_bytes());
                wire.extend(piece);
                wire.extend(b"\r\n");
            }
            wire.extend(b"+CMQTTRXEND: 0\r\n");
            wire
        }
        _ => {
            let mut wire = format!("\r\n+QMTRECV: 0,{},\"t\",{},\"", random.below(3), payload.len()).into_bytes();
            wire.extend(payload);
            wire.extend(b"\"\r\n");
            wire
        }
    }
}

/// A talk: commands, their answers in any order with their results, unsolicited lines between complete lines.
fn talk(random: &mut Random) -> Vec<Step> {
    let mut steps = vec![Step::Host("AT+QMTCFG=\"recv/mode\",0,0,1".into()), Step::Module(b"\r\nOK\r\n".to_vec())];
    let mut results: Vec<Vec<u8>> = Vec::new();
    for msgid in 1..2 + random.below(8) {
        let client = random.below(6);
        let (line, result) = match random.below(7) {
            0 => ("AT+CSQ".to_owned(), None),
            1 => (format!("AT+QMTSUB=0,{msgid},\"a\",1"), Some(format!("+QMTSUB: 0,{msgid},0,1"))),
            2 => (format!("AT+QMTUNS=0,{msgid},\"a\""), Some(format!("+QMTUNS: 0,{msgid},2"))),
            3 => (format!("AT+QMTPUBEX=0,{msgid},1,0,\"t\",\"x\""), Some(format!("+QMTPUBEX: 0,{msgid},0"))),
            4 => (format!("AT+QMTOPEN={client},\"h\",1883"), Some(format!("+QMTOPEN: {client},3"))),
            5 => (format!("AT+QMTCLOSE={client}"), Some(format!("+QMTCLOSE: {client},0"))),
            _ => ("AT+CMEE?".to_owned(), None),
        };
        let mut answer: Vec<Vec<u8>> = Vec::new();
        let refused = random.below(5) == 0;
        if line == "AT+CSQ" || line == "AT+CMEE?" {
            let name = line[2..].trim_end_matches('?');
            answer.push(format!("\r\n{name}: 1\r\n").into_bytes());
        }
        answer.push(if refused {
            random.pick(&[&b"\r\nERROR\r\n"[..], b"\r\n+CME ERROR: 50\r\n"]).to_vec()
        } else {
            b"\r\nOK\r\n".to_vec()
        });
        if let Some(result) = result {
            let notice = random.below(4) == 0 && line.starts_with("AT+QMTSUB");
            let notice = notice.then(|| format!("\r\n+QMTSUB: 0,{msgid},1\r\n").into_bytes());
            let wire = format!("\r\n{result}\r\n").into_bytes();
            // Before OK, behind it, much later, twice, or never.
            match random.below(6) {
                0 => answer.insert(0, wire),
                1 => results.extend([wire.clone(), wire]),
                2 => results.push(wire),
                3 => {}
                _ => answer.extend(notice.into_iter().chain([wire])),
            }
        }
        steps.push(Step::Host(line));
        let mut wire = Vec::new();
        for part in answer {
            while random.below(3) == 0 {
                wire.extend(unasked(random));
            }
            if random.below(4) == 0 && !results.is_empty() {
                let at = random.below(results.len());
                wire.extend(results.remove(at));
            }
            wire.extend(part);
        }
        while random.below(3) == 0 {
            wire.extend(unasked(random));
        }
        // Now and then one OK too many, or the module starts anew.
        match random.below(12) {
            0 => wire.extend(b"\r\nOK\r\n"),
            1 => wire.extend(b"\r\nPOWERED DOWN\r\n"),
            2 => {
                wire.extend(b"\r\nRDY\r\n");
                steps.push(Step::Module(std::mem::take(&mut wire)));
                steps.push(Step::Host("AT+QMTCFG=\"recv/mode\",0,0,1".into()));
                wire.extend(b"\r\nOK\r\n");
            }
            _ => {}
        }
        steps.push(Step::Module(wire));
    }
    steps
}

fn word(event: &Event) -> Option<String> {
    let text = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
    let key = |name: &str, client: Option<u8>, msgid: Option<u16>| {
        let numbers: Vec<String> =
            client.map(|n| n.to_string()).into_iter().chain(msgid.map(|n| n.to_string())).collect();
        format!("+{name} {}", numbers.join(","))
    };
    Some(match event {
        Event::Final(FinalResult::Ok) => "final OK".to_owned(),
        Event::Final(FinalResult::Error) => "final ERROR".to_owned(),
        Event::Final(FinalResult::Cme(code)) => format!("final +CME ERROR: {code}"),
        Event::Info { line, .. } => format!("info {}", text(line)),
        Event::Urc { line, .. } => format!("urc {}", text(line)),
        Event::Ignored(line) => format!("ignored {}", text(line)),
        Event::Restarted => "restarted".to_owned(),
        Event::Gone => "gone".to_owned(),
        Event::Lost { client, code } => format!("lost {client},{code}"),
        Event::Stale { name, client, msgid, .. } => format!("stale {}", key(name, *client, *msgid)),
        Event::Retry { name, client, msgid, .. } => format!("retry {}", key(name, Some(*client), Some(*msgid))),
        Event::Result { name, client, msgid, code, values, .. } => {
            let numbers = client
                .map(i32::from)
                .into_iter()
                .chain(msgid.map(i32::from))
                .chain([*code])
                .chain(values.iter().copied());
            let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
            format!("result +{name}: {}", numbers.join(","))
        }
        Event::Message(message) => match message.msgid {
            None => format!("message: {}{}", text(&message.topic), text(&message.payload)),
            Some(msgid) => {
                let (payload, length) = (text(&message.payload), message.payload.len());
                format!("+QMTRECV: {},{msgid},\"{}\",{length},\"{payload}\"", message.client, text(&message.topic))
            }
        },
        other => format!("{other:?}"),
    })
}

fn session(steps: &[Step], mut cut: impl FnMut(&[u8]) -> Vec<Vec<u8>>) -> Vec<String> {
    let (mut te, now) = (TeSession::new(any_grammar(), Settings::default()), origin());
    let mut found = Vec::new();
    for step in steps {
        match step {
            Step::Host(line) => {
                let commands = parse_line(line.as_bytes()).expect("a command line");
                let awaits =
                    commands.iter().find_map(|command| any_grammar().awaited(command)).map(|(awaited, _)| awaited);
                let request = Request { line: line.clone().into_bytes(), input: Input::None, awaits };
                te.send(request, now).unwrap_or_else(|error| panic!("{line}: {error}"));
                while te.poll_transmit().is_some() {}
            }
            Step::Module(bytes) => cut(bytes).iter().for_each(|piece| te.receive(piece, now)),
        }
        found.extend(std::iter::from_fn(|| te.poll_event()).filter_map(|event| word(&event)));
    }
    te.finish();
    found.extend(std::iter::from_fn(|| te.poll_event()).filter_map(|event| word(&event)));
    found
}

#[test]
fn any_talk_in_any_pieces_says_what_a_naive_framer_says() {
    let mut seen = 0;
    for seed in 0..TALKS {
        let mut random = Random::new(seed);
        let steps = talk(&mut random);
        let said: Vec<Said<'_>> = steps
            .iter()
            .map(|step| match step {
                Step::Host(line) => Said::Host(line),
                Step::Module(bytes) => Said::Module(bytes),
            })
            .collect();
        let expected = naive::events(&said);
        let shown = || -> Vec<String> {
            steps
                .iter()
                .map(|step| match step {
                    Step::Host(line) => format!("> {line}"),
                    Step::Module(bytes) => format!("< {}", bytes.escape_ascii()),
                })
                .collect()
        };
        assert_eq!(expected, session(&steps, |bytes| vec![bytes.to_vec()]), "seed {seed}: {:#?}", shown());
        assert_eq!(
            expected,
            session(&steps, |bytes| bytes.chunks(1).map(<[u8]>::to_vec).collect()),
            "seed {seed}: {:#?}",
            shown()
        );
        let pieces = session(&steps, |bytes| random.pieces(bytes).into_iter().map(<[u8]>::to_vec).collect());
        assert_eq!(expected, pieces, "seed {seed}: {:#?}", shown());
        seen += expected.len();
    }
    assert!(seen > 10 * TALKS as usize, "only {seen} events");
}
