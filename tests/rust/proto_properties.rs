//! What must hold for any bytes, any cut and any order of calls: no panic, the same events however the bytes are cut, and
//! what one end sends is what the other end gets.

use std::time::Duration;
use std::time::Instant;

use modemrig::dialect::any_grammar;
use modemrig::proto::Awaited;
use modemrig::proto::Delimiter;
use modemrig::proto::Event;
use modemrig::proto::FinalResult;
use modemrig::proto::Input;
use modemrig::proto::Message;
use modemrig::proto::Op;
use modemrig::proto::PayloadEnd;
use modemrig::proto::Request;
use modemrig::proto::Settings;
use modemrig::proto::TaEvent;
use modemrig::proto::TaSession;
use modemrig::proto::TeSession;

use crate::random::Random;

const ROUNDS: u64 = 4000;

/// What a module may say, whole or broken, and what a hostile sender may put into a payload.
const FRAGMENTS: &[&[u8]] = &[
    b"\r\nOK\r\n",
    b"\r\nERROR\r\n",
    b"\r\n> ",
    b"\r\n>\r\n",
    b"\r\n>",
    b"0\r",
    b"4\r",
    b"\r",
    b"\n",
    b"\"",
    b"+",
    b" ",
    b",",
    b"\r\n+CME ERROR: 50\r\n",
    b"\r\nCONNECT\r\n",
    b"\r\n+QMTOPEN: 0,0\r\n",
    b"\r\n+QMTCONN: 0,0,0\r\n",
    b"+QMTSTAT:0,1+QMTCONN:0,2\r\n",
    b"\r\n+QMTRECV: 0,0,\"t\",\"off\"\r\n",
    b"\r\n+QMTRECV: 0,1,\"t\",3,\"abc\"\r\n",
    b"\r\n+QMTRECV: 0,1,\"t\",30,\"abc\"\r\n",
    b"\r\n+QMTRECV: 0,1,\"t\",4\r\nabcd\r\n",
    b"+QMTRECV: 0,2\r\n",
    b"+QMTRECV: 0,1,0,1,0,0\r\n",
    b"+QMTRECV: 0,0,\"t\",",
    b"\"\r\n",
    b"\r\n+CMQTTRXSTART: 0,1,2\r\n+CMQTTRXTOPIC: 0,1\r\nt\r\n+CMQTTRXPAYLOAD: 0,2\r\nab\r\n+CMQTTRXEND: 0\r\n",
    b"+CMQTTRXPAYLOAD: 0,9\r\n",
    b"+CMQTTRXEND: 0\r\n",
    b"\r\nRDY\r\n",
    b"\r\n*ATREADY: 1\r\n",
    b"\r\nPOWERED DOWN\r\n",
    b"AT+CSQ\r",
    b"AT+QMTPUBEX=0,7,1,0,\"t\",5\r",
    b"21.5C",
    b"\r\n+CSQ: 21,99\r\n",
    b"\r\n+QMTPUBEX: 0,7,0\r\n",
    b"\r\n+QMTPUB: 0,7,1,2\r\n",
    b"\r\n+QIURC: \"pdpdeact\",1\r\n",
    b"\0",
    b"\xFF",
    b"\x1A",
    b"at",
    b"AT",
];

const COMMANDS: &[&str] = &[
    "AT",
    "ATI",
    "ATE0",
    "ATE1",
    "ATV0",
    "ATV1",
    "AT+CSQ",
    "AT+QMTOPEN=0,\"h\",1883",
    "AT+QMTOPEN?",
    "AT+QMTCONN?",
    "AT+QMTRECV?",
    "AT+QMTPUBEX=0,7,1,0,\"t\",5",
    "AT+QMTPUB=0,7,1,0,\"t\"",
    "AT+CMQTTTOPIC=0,5",
    "AT+QFUPL=\"f\",5",
    "AT+QMTCFG=\"recv/mode\",0,0,1",
    "AT+QMTCFG=\"dataformat\",0,0,1",
    "AT+CMGS=\"1\"",
];

#[derive(Clone, Debug)]
enum Step {
    Send(&'static str, Input),
    Receive(Vec<u8>),
    Payload(Vec<u8>),
    Wait(u64),
    Abandon,
    Resynced,
}

#[allow(clippy::disallowed_methods, reason = "any instant will do as an origin")]
fn origin() -> Instant {
    Instant::now()
}

fn noise(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..1 + random.below(8) {
        match random.below(8) {
            0 => bytes.extend((0..random.below(9)).map(|_| random.next() as u8)),
            _ => bytes.extend_from_slice(random.pick::<&[u8]>(FRAGMENTS)),
        }
    }
    bytes
}

fn steps(random: &mut Random) -> Vec<Step> {
    let mut steps = Vec::new();
    for _ in 0..1 + random.below(12) {
        steps.push(match random.below(12) {
            0..=2 => {
                let inputs =
                    [Input::None, Input::ManualPrompt, Input::Prompt(noise(random)), Input::Upload(noise(random))];
                Step::Send(random.pick::<&str>(COMMANDS), random.pick(&inputs).clone())
            }
            3 => Step::Payload(noise(random)),
            4 => Step::Wait([1, 25, 1500][random.below(3)]),
            5 => Step::Abandon,
            6 => Step::Resynced,
            // Not empty: to call `receive` with nothing is to look again at what is there.
            _ => Step::Receive([noise(random), vec![b'\r']].concat()),
        });
    }
    steps
}

/// Runs the steps; `cut` says into which pieces the received bytes go.
fn run(steps: &[Step], settings: &Settings, observer: bool, mut cut: impl FnMut(&[u8]) -> Vec<Vec<u8>>) -> Vec<String> {
    let mut session = match observer {
        true => TeSession::observer(any_grammar(), settings.clone(), None),
        false => TeSession::new(any_grammar(), settings.clone()),
    };
    let mut now = origin();
    let mut seen = Vec::new();
    for step in steps {
        match step {
            Step::Send(line, input) => {
                let request = Request { line: line.as_bytes().to_vec(), input: input.clone(), awaits: None };
                seen.push(format!("{:?}", session.send(request, now).is_ok()));
            }
            Step::Receive(bytes) => cut(bytes).iter().for_each(|piece| session.receive(piece, now)),
            Step::Payload(bytes) => seen.push(format!("{:?}", session.payload(bytes.clone(), now))),
            Step::Wait(ms) => {
                now += Duration::from_millis(*ms);
                session.handle_deadline(now);
            }
            Step::Abandon => session.abandon_command(),
            Step::Resynced => session.resynced(),
        }
        seen.extend(std::iter::from_fn(|| session.poll_event()).map(|event| format!("{event:?}")));
        seen.extend(std::iter::from_fn(|| session.poll_transmit()).map(|bytes| bytes.escape_ascii().to_string()));
        seen.push(format!("{:?} {:?}", session.state(), session.settings()));
    }
    session.finish();
    seen.extend(std::iter::from_fn(|| session.poll_event()).map(|event| format!("{event:?}")));
    seen
}

#[test]
fn the_host_end_says_the_same_however_random_bytes_are_cut() {
    for seed in 0..ROUNDS {
        let mut random = Random::new(seed);
        let steps = steps(&mut random);
        let mut settings = Settings::default();
        settings.echo = random.below(2) == 0;
        settings.verbose = random.below(4) != 0;
        settings.len = random.below(2) == 0;
        settings.hex = random.below(4) == 0;
        let observer = random.below(2) == 0;
        let whole = run(&steps, &settings, observer, |bytes| vec![bytes.to_vec()]);
        let single = run(&steps, &settings, observer, |bytes| bytes.chunks(1).map(<[u8]>::to_vec).collect());
        assert_eq!(whole, single, "seed {seed}: {steps:?}");
        let pieces =
            run(&steps, &settings, observer, |bytes| random.pieces(bytes).into_iter().map(<[u8]>::to_vec).collect());
        assert_eq!(whole, pieces, "seed {seed}: {steps:?}");
    }
}

#[test]
fn the_module_end_says_the_same_however_random_bytes_are_cut() {
    for seed in 0..ROUNDS {
        let mut random = Random::new(seed);
        let plan: Vec<_> = (0..1 + random.below(10)).map(|_| (random.below(8), noise(&mut random))).collect();
        let run = |cut: &mut dyn FnMut(&[u8]) -> Vec<Vec<u8>>| {
            let now = origin();
            let mut ta = TaSession::new(true);
            let mut seen = Vec::new();
            for (action, bytes) in &plan {
                match action {
                    0 => ta.expect_payload(PayloadEnd::Counted(bytes.len()), true, None, now),
                    1 => ta.expect_payload(PayloadEnd::UntilCtrlZ { max: 20 }, false, None, now),
                    2 => ta.reply_final(&FinalResult::Ok, now),
                    3 => ta.prompt(),
                    _ => cut(bytes).iter().for_each(|piece| ta.receive(piece, now)),
                }
                seen.extend(std::iter::from_fn(|| ta.poll_event()).map(|event| format!("{event:?}")));
                seen.extend(ta.poll_transmit().map(|bytes| bytes.escape_ascii().to_string()));
            }
            seen
        };
        let whole = run(&mut |bytes| vec![bytes.to_vec()]);
        assert_eq!(whole, run(&mut |bytes| bytes.chunks(1).map(<[u8]>::to_vec).collect()), "seed {seed}");
    }
}

/// A stream built from known parts is its own oracle: the events are those of the parts, in order.
#[test]
fn a_stream_of_known_parts_gives_the_events_of_the_parts() {
    for seed in 0..ROUNDS {
        let mut random = Random::new(seed);
        let mut settings = Settings::default();
        settings.len = true;
        let mut session = TeSession::observer(any_grammar(), settings, None);
        let (mut wire, mut expected) = (Vec::new(), Vec::new());
        for _ in 0..1 + random.below(10) {
            let (bytes, event) = part(&mut random);
            wire.extend(bytes);
            expected.push(event);
        }
        for piece in random.pieces(&wire) {
            session.receive(piece, origin());
        }
        let found: Vec<_> = std::iter::from_fn(|| session.poll_event()).collect();
        assert_eq!(expected, found, "seed {seed}: {}", wire.escape_ascii());
    }
}

fn part(random: &mut Random) -> (Vec<u8>, Event) {
    let payload = noise(random);
    let topic = random.pick(&[&b"a"[..], b"yard/3/set", b"a,b", b"\xC3\xA4"]).to_vec();
    let delimiter = Delimiter::Length;
    match random.below(4) {
        0 => {
            let mut wire = b"\r\n+QMTRECV: 2,7,\"".to_vec();
            wire.extend(&topic);
            wire.extend(format!("\",{},\"", payload.len()).into_bytes());
            wire.extend(&payload);
            wire.extend(b"\"\r\n");
            (wire, Event::Message(Message { client: 2, msgid: Some(7), topic, payload, delimiter }))
        }
        1 => {
            let mut wire = format!("\r\n+CMQTTRXSTART: 0,{},{}\r\n", topic.len(), payload.len()).into_bytes();
            wire.extend(format!("+CMQTTRXTOPIC: 0,{}\r\n", topic.len()).into_bytes());
            wire.extend(&topic);
            for piece in random.pieces(&payload) {
                wire.extend(format!("\r\n+CMQTTRXPAYLOAD: 0,{}\r\n", piece.len()).into_bytes());
                wire.extend(piece);
            }
            wire.extend(b"\r\n+CMQTTRXEND: 0\r\n");
            (wire, Event::Message(Message { client: 0, msgid: None, topic, payload, delimiter }))
        }
        2 => (b"\r\n+QMTSTAT: 1,2\r\n".to_vec(), Event::Lost { client: 1, code: 2 }),
        _ => {
            let name = "QMTSUB".to_string();
            let (client, msgid) = (Some(0), Some(9));
            let event = Event::Result { op: Op::Subscribe, name, client, msgid, code: 0, values: vec![1, 128] };
            (b"\r\n+QMTSUB: 0,9,0,1,128\r\n".to_vec(), event)
        }
    }
}

/// Moves what one end wrote to the other, in random pieces.
fn carry(te: &mut TeSession, ta: &mut TaSession, random: &mut Random, now: Instant) -> bool {
    let mut moved = false;
    while let Some(bytes) = te.poll_transmit() {
        moved = true;
        random.pieces(&bytes).into_iter().for_each(|piece| ta.receive(piece, now));
    }
    while let Some(bytes) = ta.poll_transmit() {
        moved = true;
        random.pieces(&bytes).into_iter().for_each(|piece| te.receive(piece, now));
    }
    moved
}

#[test]
fn what_the_host_end_publishes_is_what_the_module_end_gets() {
    for seed in 0..ROUNDS / 3 {
        let mut random = Random::new(seed);
        let echo = random.below(2) == 0;
        let now = origin();
        let mut settings = Settings::default();
        settings.echo = echo;
        let mut te = TeSession::new(any_grammar(), settings);
        let mut ta = TaSession::new(echo);
        // The module end learns from the first lines that this host ends them with CR alone.
        ta.receive(b"AT\rAT\r", now);
        for _ in 0..2 {
            assert_eq!(Some(TaEvent::CommandLine(b"AT".to_vec())), ta.poll_event());
            ta.reply_final(&FinalResult::Ok, now);
        }
        ta.poll_transmit();
        for msgid in 1..4u16 {
            let mut payload = noise(&mut random);
            payload.push(b'.');
            let line = format!("AT+QMTPUBEX=0,{msgid},1,0,\"t\",{}", payload.len()).into_bytes();
            let awaits = Some(Awaited { op: Op::Publish, client: Some(0), msgid: Some(msgid) });
            te.send(Request { line, input: Input::Prompt(payload.clone()), awaits }, now).expect("nothing is pending");
            let mut got = None;
            while carry(&mut te, &mut ta, &mut random, now) {
                while let Some(event) = ta.poll_event() {
                    match event {
                        TaEvent::CommandLine(_) => {
                            ta.prompt_as(random.pick::<&[u8]>(&[b"\r\n> ", b"\r\n>", b"\r\n>\r\n"]));
                            ta.expect_payload(PayloadEnd::Counted(payload.len()), echo, None, now);
                        }
                        TaEvent::Payload(bytes) => {
                            got = Some(bytes);
                            ta.reply_final(&FinalResult::Ok, now);
                            ta.urc(format!("+QMTPUBEX: 0,{msgid},0").as_bytes());
                        }
                        other => panic!("seed {seed}: {other:?}"),
                    }
                }
            }
            assert_eq!(Some(&payload), got.as_ref(), "seed {seed}");
            let events: Vec<_> = std::iter::from_fn(|| te.poll_event()).collect();
            assert!(events.contains(&Event::Final(FinalResult::Ok)), "seed {seed}: {events:?}");
            let done = |event: &Event| matches!(event, Event::Result { msgid: Some(id), code: 0, .. } if *id == msgid);
            assert_eq!(1, events.iter().filter(|event| done(event)).count(), "seed {seed}: {events:?}");
            assert!(te.owed().is_empty());
        }
    }
}
