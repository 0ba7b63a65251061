//! The module's end: pieces, surplus, Ctrl-Z, framing of replies.

use crate::proto::FinalResult;
use crate::proto::PayloadEnd;
use crate::proto::TaEvent;
use crate::proto::TaSession;
use std::time::Duration;

fn events(ta: &mut TaSession) -> Vec<TaEvent> {
    std::iter::from_fn(|| ta.poll_event()).collect()
}

fn line(text: &[u8]) -> TaEvent {
    TaEvent::CommandLine([b"AT", text].concat())
}

#[test]
fn a_command_line_comes_in_pieces_in_either_case_with_either_end() {
    let now = crate::proto::test_origin();
    let mut ta = TaSession::new(true);
    for piece in [&b"\r\na"[..], b"t+c", b"sq", b"\r", b"\n"] {
        ta.receive(piece, now);
    }
    assert_eq!(vec![TaEvent::CommandLine(b"at+csq".to_vec())], events(&mut ta));
    assert_eq!(Some(b"at+csq\r".to_vec()), ta.poll_transmit());
    ta.reply_line(b"+CSQ: 21,99");
    ta.reply_final(&FinalResult::Ok, now);
    assert_eq!(Some(b"\r\n+CSQ: 21,99\r\n\r\nOK\r\n".to_vec()), ta.poll_transmit());
}

#[test]
fn surplus_behind_a_counted_payload_is_dropped_until_a_line_of_its_own() {
    let now = crate::proto::test_origin();
    let mut ta = TaSession::new(false);
    ta.receive(b"AT+X=5\r\nlab/axyz\r\nAT+CSQ\r", now);
    assert_eq!(vec![line(b"+X=5")], events(&mut ta));
    ta.prompt();
    ta.expect_payload(PayloadEnd::Counted(5), false, None, now);
    assert_eq!(vec![TaEvent::Payload(b"lab/a".to_vec())], events(&mut ta));
    assert!(ta.busy());
    ta.reply_final(&FinalResult::Ok, now);
    assert_eq!(vec![line(b"+CSQ")], events(&mut ta));
}

#[test]
fn a_payload_of_a_cr_host_may_begin_with_a_line_feed() {
    let now = crate::proto::test_origin();
    let mut ta = TaSession::new(false);
    ta.receive(b"AT\r", now);
    ta.reply_final(&FinalResult::Ok, now);
    ta.receive(b"AT+X=2\r", now);
    ta.prompt();
    ta.expect_payload(PayloadEnd::Counted(2), false, None, now);
    ta.receive(b"\nz", now);
    assert_eq!(Some(&TaEvent::Payload(b"\nz".to_vec())), events(&mut ta).last());
}

#[test]
fn ctrl_z_sends_esc_cancels_and_both_are_plain_bytes_in_counted_input() {
    let now = crate::proto::test_origin();
    for (end, typed, expected) in [
        (PayloadEnd::UntilCtrlZ { max: 9 }, &b"21\x1A"[..], TaEvent::Payload(b"21".to_vec())),
        (PayloadEnd::UntilCtrlZ { max: 9 }, b"21\x1B", TaEvent::PayloadCancelled),
        (PayloadEnd::UntilCtrlZ { max: 2 }, b"21zz\x1A", TaEvent::Payload(b"21".to_vec())),
        (PayloadEnd::Counted(3), b"2\x1A\x1B", TaEvent::Payload(b"2\x1A\x1B".to_vec())),
    ] {
        let mut ta = TaSession::new(false);
        ta.receive(b"AT+X\r", now);
        ta.prompt();
        ta.expect_payload(end, false, None, now);
        ta.receive(typed, now + Duration::from_millis(50));
        assert_eq!(vec![line(b"+X"), expected], events(&mut ta));
    }
}

#[test]
fn input_that_does_not_end_times_out() {
    let now = crate::proto::test_origin();
    let mut ta = TaSession::new(false);
    ta.receive(b"AT+X=9\r", now);
    ta.expect_payload(PayloadEnd::Counted(9), false, Some(now + Duration::from_secs(5)), now);
    ta.receive(b"abc", now + Duration::from_secs(4));
    ta.handle_deadline(now + Duration::from_secs(5));
    assert_eq!(vec![line(b"+X=9"), TaEvent::PayloadTimedOut], events(&mut ta));
}

#[test]
fn numeric_and_quiet_replies_are_framed_as_v250_says() {
    let now = crate::proto::test_origin();
    let mut ta = TaSession::new(false);
    ta.set_verbose(false);
    ta.reply_line(b"+CSQ: 1");
    ta.reply_final(&FinalResult::Ok, now);
    assert_eq!(Some(b"+CSQ: 1\r\n0\r".to_vec()), ta.poll_transmit());
    ta.set_quiet(true);
    ta.reply_final(&FinalResult::Error, now);
    assert_eq!(None, ta.poll_transmit());
}

/// V.250 section 6.2.3: each character is echoed as it comes, BS takes the last one back, and so does DEL, which most
/// terminals send.
#[test]
fn a_line_typed_by_hand_is_echoed_and_edited_character_by_character() {
    let now = crate::proto::test_origin();
    let mut ta = TaSession::new(true);
    let mut screen = Vec::new();
    for key in "\x08AT+CSX\x08Qé\x7f\r".chars() {
        let mut bytes = [0; 4];
        let key = key.encode_utf8(&mut bytes).as_bytes();
        ta.receive(key, now);
        let echo = ta.poll_transmit().unwrap_or_default();
        assert_eq!(key == b"\x08" && screen.is_empty(), echo.is_empty(), "{key:?}");
        screen.extend(echo);
    }
    assert_eq!(b"AT+CSX\x08 \x08Q\xc3\xa9\x08 \x08\r".as_slice(), screen);
    assert_eq!(vec![line(b"+CSQ")], events(&mut ta));
}

#[test]
fn nothing_unsolicited_is_due_among_the_characters_of_a_command_line() {
    let now = crate::proto::test_origin();
    let mut ta = TaSession::new(true);
    ta.receive(b"\x1b", now);
    assert_eq!(None, ta.typing_until(), "no command line");
    ta.receive(b"\rat+c", now);
    assert_eq!(Some(now + Duration::from_secs(5)), ta.typing_until(), "until its writer pauses");
    ta.receive(b"\x08\x08\x08\x08", now);
    assert_eq!(None, ta.typing_until(), "taken back");
}

#[test]
fn a_command_is_found_behind_what_nobody_types() {
    let now = crate::proto::test_origin();
    let mut ta = TaSession::new(false);
    // The payload for a prompt that never came; bytes at another speed.
    for noise in [&b"hello\x1a"[..], b"\x1a", b"\x00\xf8\x80", b"a\nb\x1b \xff"] {
        ta.receive(&[noise, b"AT+CSQ\r\n"].concat(), now);
        assert_eq!(vec![line(b"+CSQ")], events(&mut ta), "{noise:?}");
        ta.reply_final(&FinalResult::Ok, now);
    }
    ta.receive(b"hello AT+CSQ\r\nhello\x1a\r\n\x1aT\r\n", now);
    assert_eq!(Vec::<TaEvent>::new(), events(&mut ta), "words in front of it, or no command at all");
    ta.receive(b"AT+X=\"\x1aAT\"\r", now);
    assert_eq!(vec![line(b"+X=\"\x1aAT\"")], events(&mut ta), "a line that begins as a command is one");
}
