//! The host's end while it drives a port: whose answer is whose, what is written by itself, what silence ends.

use std::time::Duration;
use std::time::Instant;

use modemrig::dialect::any_grammar;
use modemrig::proto::Awaited;
use modemrig::proto::Delimiter;
use modemrig::proto::Event;
use modemrig::proto::FinalResult;
use modemrig::proto::Input;
use modemrig::proto::Op;
use modemrig::proto::ProtocolError;
use modemrig::proto::Request;
use modemrig::proto::Settings;
use modemrig::proto::TeSession;
use modemrig::proto::TeState;
use modemrig::proto::grammar::Asked;
use modemrig::proto::te::SILENCE;
use modemrig::proto::te::STALL;

#[allow(clippy::disallowed_methods, reason = "any instant will do as an origin")]
fn session() -> (TeSession, Instant) {
    (TeSession::new(any_grammar(), Settings::default()), Instant::now())
}

fn send(te: &mut TeSession, line: &str, input: Input, awaits: Option<Awaited>, now: Instant) {
    te.send(Request { line: line.as_bytes().to_vec(), input, awaits }, now).expect("nothing is pending");
    assert_eq!(Some(format!("{line}\r").into_bytes()), te.poll_transmit());
}

fn publish(msgid: u16) -> Option<Awaited> {
    Some(Awaited { op: Op::Publish, client: Some(0), msgid: Some(msgid) })
}

fn events(te: &mut TeSession, bytes: &[u8], now: Instant) -> Vec<Event> {
    te.receive(bytes, now);
    std::iter::from_fn(|| te.poll_event()).collect()
}

fn published(msgid: u16) -> Event {
    let (client, msgid) = (Some(0), Some(msgid));
    Event::Result { op: Op::Publish, name: "QMTPUBEX".to_string(), client, msgid, code: 0, values: Vec::new() }
}

fn stale(msgid: u16) -> Event {
    Event::Stale { op: Op::Publish, name: "QMTPUBEX".to_string(), client: Some(0), msgid: Some(msgid) }
}

#[test]
fn the_payload_is_written_at_the_prompt_and_not_before() {
    let (mut te, now) = session();
    send(&mut te, "AT+QMTPUBEX=0,7,1,0,\"t\",2", Input::Prompt(b"hi".to_vec()), publish(7), now);
    assert_eq!(TeState::AwaitPrompt, te.state());
    assert_eq!(Vec::<Event>::new(), events(&mut te, b"\r\n", now));
    assert_eq!(None, te.poll_transmit());
    assert_eq!(vec![Event::Prompt], events(&mut te, b"> ", now));
    assert_eq!(Some(b"hi".to_vec()), te.poll_transmit());
    assert_eq!(TeState::AwaitResult, te.state());
    let rest = events(&mut te, b"\r\nOK\r\n\r\n+QMTPUBEX: 0,7,0\r\n\r\n+QMTPUBEX: 0,7,0\r\n", now);
    assert_eq!(vec![Event::Final(FinalResult::Ok), published(7), stale(7)], rest);
    assert_eq!(TeState::Idle, te.state());
}

#[test]
fn a_refused_command_takes_its_payload_and_its_request_with_it() {
    let (mut te, now) = session();
    send(&mut te, "AT+QMTPUBEX=0,7,1,0,\"t\",2", Input::Prompt(b"hi".to_vec()), publish(7), now);
    assert_eq!(vec![Event::Final(FinalResult::Error)], events(&mut te, b"\r\nERROR\r\n", now));
    assert_eq!((None, TeState::Idle), (te.poll_transmit(), te.state()));
    assert_eq!(vec![stale(7)], events(&mut te, b"\r\n+QMTPUBEX: 0,7,0\r\n", now));
}

#[test]
fn a_prompt_nobody_waited_for_does_not_answer_the_next_command() {
    let (mut te, now) = session();
    events(&mut te, b"\r\n> ", now);
    send(&mut te, "AT+QMTPUBEX=0,7,1,0,\"t\",2", Input::Prompt(b"hi".to_vec()), publish(7), now);
    let seen = events(&mut te, b"\r\n", now);
    assert!(!seen.contains(&Event::Prompt), "{seen:?}");
    assert_eq!(None, te.poll_transmit());
    assert_eq!(vec![Event::Prompt], events(&mut te, b">", now));
}

#[test]
fn a_file_is_written_at_connect() {
    let (mut te, now) = session();
    send(&mut te, "AT+QFUPL=\"ca.pem\",4", Input::Upload(b"\r\nOK".to_vec()), None, now);
    assert_eq!(vec![Event::Connect], events(&mut te, b"\r\nCONNECT\r\n", now));
    assert_eq!(Some(b"\r\nOK".to_vec()), te.poll_transmit());
    let seen = events(&mut te, b"+QFUPL: 4,5f44\r\n\r\nOK\r\n", now);
    let info = Event::Info { name: "+QFUPL".to_string(), line: b"+QFUPL: 4,5f44".to_vec() };
    assert_eq!(vec![info, Event::Final(FinalResult::Ok)], seen);
}

#[test]
fn an_abandoned_command_answers_nobody() {
    let (mut te, now) = session();
    send(&mut te, "AT+COPS?", Input::None, None, now);
    let busy = te.send(Request { line: b"AT".to_vec(), input: Input::None, awaits: None }, now);
    assert_eq!(Err(ProtocolError::Busy { pending: b"AT+COPS?".to_vec() }), busy);
    te.abandon_command();
    assert_eq!(TeState::Desynced, te.state());
    let seen = events(&mut te, b"\r\nOK\r\n", now);
    assert_eq!(vec![Event::Ignored(b"OK".to_vec())], seen);
    te.resynced();
    assert_eq!(TeState::Idle, te.state());
}

#[test]
fn a_command_line_cannot_smuggle_in_another() {
    let (mut te, now) = session();
    let line = b"AT+QMTSUB=0,1,\"a\rAT+QPOWD\",0".to_vec();
    let refused = te.send(Request { line, input: Input::None, awaits: None }, now);
    assert_eq!(Err(ProtocolError::ForbiddenByte { byte: b'\r', position: 16 }), refused);
    assert_eq!(None, te.poll_transmit());
}

#[test]
fn silence_ends_a_quoted_payload_without_a_length_and_nothing_sooner() {
    let (mut te, now) = session();
    assert_eq!(Vec::<Event>::new(), events(&mut te, b"\r\n+QMTRECV: 0,0,\"t\",\"off\"\r\n", now));
    assert_eq!(Some(now + SILENCE), te.next_deadline());
    te.handle_deadline(now + SILENCE - Duration::from_millis(1));
    assert_eq!(None, te.poll_event());
    te.handle_deadline(now + SILENCE);
    match te.poll_event() {
        Some(Event::Message(message)) => {
            assert_eq!((&b"off"[..], Delimiter::Silence), (message.payload.as_slice(), message.delimiter));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(None, te.next_deadline());
}

#[test]
fn announced_bytes_that_never_come_are_given_up_and_the_next_line_is_read() {
    let (mut te, now) = session();
    te.settings_mut().len = true;
    send(&mut te, "AT+CSQ", Input::None, None, now);
    let wire = b"\r\n+QMTRECV: 0,0,\"t\",500,\"cut\"\r\n\r\n+CSQ: 9,99\r\n\r\nOK\r\n";
    assert_eq!(Vec::<Event>::new(), events(&mut te, wire, now));
    assert_eq!(Some(now + STALL), te.next_deadline());
    te.handle_deadline(now + STALL);
    let seen: Vec<_> = std::iter::from_fn(|| te.poll_event()).collect();
    assert!(matches!(seen[0], Event::Damaged { client: Some(0), .. }), "{seen:?}");
    assert_eq!(Some(&Event::Final(FinalResult::Ok)), seen.last());
}

#[test]
fn a_restart_ends_every_request() {
    let (mut te, now) = session();
    send(&mut te, "AT+QMTPUBEX=0,7,1,0,\"t\",2", Input::ManualPrompt, publish(7), now);
    assert_eq!(vec![Event::Restarted], events(&mut te, b"\r\nRDY\r\n", now));
    assert_eq!((TeState::Idle, 0), (te.state(), te.owed().len()));
}

/// QMTCFG "send/mode" and "dataformat" are one setting (decision 34): a length counts bytes, digits are typed.
#[test]
fn what_is_asked_for_counts_digits_once_the_client_types_them() {
    for line in ["AT+QMTCFG=\"send/mode\",1,1", "AT+QMTCFG=\"dataformat\",1,1,0"] {
        let (mut te, now) = session();
        send(&mut te, line, Input::None, None, now);
        events(&mut te, b"\r\nOK\r\n", now);
        for (client, digits) in [(0, 3), (1, 6)] {
            send(&mut te, &format!("AT+QMTPUBEX={client},0,0,0,\"t\",3"), Input::ManualPrompt, None, now);
            assert_eq!(Asked::Counted(digits), te.asked());
            events(&mut te, b"\r\nERROR\r\n", now);
        }
        // The message of a will is typed as it is.
        send(&mut te, "AT+QMTCFG=\"willex\",1,1,0,0,\"w\",3", Input::ManualPrompt, None, now);
        assert_eq!(Asked::Counted(3), te.asked());
    }
}

/// QMTCFG "view/mode": what comes back of a payload is no answer, whatever it looks like.
#[test]
fn a_payload_that_is_shown_is_no_answer() {
    let (mut te, now) = session();
    send(&mut te, "AT+QMTCFG=\"view/mode\",0,1", Input::None, None, now);
    events(&mut te, b"\r\nOK\r\n", now);
    send(&mut te, "AT+QMTPUBEX=0,7,1,0,\"t\",6", Input::Prompt(b"\r\nOK\r\n".to_vec()), publish(7), now);
    assert_eq!(vec![Event::Prompt], events(&mut te, b"\r\n> ", now));
    assert_eq!(Some(b"\r\nOK\r\n".to_vec()), te.poll_transmit());
    assert_eq!(vec![Event::Echo], events(&mut te, b"\r\nOK\r\n", now));
    assert_eq!(vec![Event::Final(FinalResult::Ok)], events(&mut te, b"\r\nOK\r\n", now));
}

/// Lines with nothing but numbers, or with nothing at all, may be glued to what follows them (FIELD F6).
#[test]
fn lines_without_a_line_end_between_them_are_two() {
    let (mut te, now) = session();
    let lost = |client, code| Event::Lost { client, code };
    assert_eq!(
        vec![Event::BearerLost, lost(0, 3)],
        events(&mut te, b"\r\n+CMQTTNONET+CMQTTCONNLOST: 0,3\r\n", now),
        "a word of the network"
    );
    let stored = Event::Stored { client: 0, index: 2, payload_len: None };
    assert_eq!(
        vec![stored, lost(0, 1)],
        events(&mut te, b"\r\n+QMTRECV: 0,2+QMTSTAT: 0,1\r\n", now),
        "a stored message"
    );
    let registered = Event::Urc { name: "+CREG".into(), line: b"+CREG: 1".to_vec() };
    assert_eq!(vec![registered, stale(7)], events(&mut te, b"\r\n+CREG: 1+QMTPUBEX: 0,7,0\r\n", now));
    let noise = |line: &str| Event::Urc { name: "+QIND".into(), line: line.into() };
    assert_eq!(
        vec![noise("+QIND: PB DONE"), stale(7)],
        events(&mut te, b"\r\n+QIND: PB DONE+QMTPUBEX: 0,7,0\r\n", now)
    );
    let text = "+QIND: \"a+QMTPUBEX: 0,7,0\"";
    assert_eq!(vec![noise(text)], events(&mut te, format!("\r\n{text}\r\n").as_bytes(), now));
}

/// A message without the length that was asked for, and without the line end behind it: silence ends it (FIELD F11).
#[test]
fn a_message_that_lacks_both_length_and_line_end_is_ended_by_silence() {
    let (mut te, now) = session();
    te.settings_mut().set(modemrig::proto::Setting::Length, 0, true);
    assert_eq!(Vec::<Event>::new(), events(&mut te, b"\r\n+QMTRECV: 0,0,\"t\",\"x\"", now));
    te.handle_deadline(now + SILENCE);
    match te.poll_event() {
        Some(Event::Message(message)) => {
            assert_eq!((&b"t"[..], &b"x"[..]), (message.topic.as_slice(), message.payload.as_slice()));
            assert_eq!(Delimiter::Silence, message.delimiter);
        }
        other => panic!("{other:?}"),
    }
}

/// A length nobody asked for, and no line end behind: the quotation mark is where the length says (FIELD F11).
#[test]
fn a_message_with_an_unasked_length_and_without_a_line_end_has_its_length() {
    let (mut te, now) = session();
    assert_eq!(Vec::<Event>::new(), events(&mut te, b"\r\n+QMTRECV: 0,0,\"t\",3,\"a\"b\"", now));
    te.handle_deadline(now + SILENCE);
    match te.poll_event() {
        Some(Event::Message(message)) => {
            assert_eq!((&b"a\"b"[..], Delimiter::Length), (message.payload.as_slice(), message.delimiter));
        }
        other => panic!("{other:?}"),
    }
}
