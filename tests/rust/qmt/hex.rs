//! Payloads as hexadecimal digits (decision 34).

use modemrig::mqtt::Kind;
use modemrig::mqtt::Qos;

use super::EC200X;
use super::ECX;
use super::LTE;
use super::Rig;
use super::STANDARD;

#[test]
fn decision_34_typed_digits_are_decoded_and_the_length_counts_bytes() {
    for dialect in LTE {
        for setting in ["\"send/mode\",0,1", "\"dataformat\",0,1,0"] {
            let mut rig = Rig::connected(dialect, &[setting]);
            rig.prompted(&rig.publish_line(1, 1, 3));
            assert!(rig.type_in(b"00aF1").is_empty(), "{dialect}: six digits are wanted");
            let expected = ["OK".to_owned(), format!("{}: 0,1,0", rig.published())];
            assert_eq!(expected[..], rig.type_in(b"b\r\n")[..], "{dialect}, {setting}");
            assert_eq!(vec![vec![0x00, 0xaf, 0x1b]], rig.payloads(), "{dialect}, {setting}");
        }
    }
}

#[test]
fn decision_34_the_longest_payload_is_1500_decoded_bytes() {
    for dialect in LTE {
        let mut rig = Rig::connected(dialect, &["\"send/mode\",0,1"]);
        rig.refused(&rig.publish_line(0, 0, 1501));
        rig.prompted(&rig.publish_line(0, 0, 1500));
        assert_eq!(2, rig.type_in(&b"a5".repeat(1500)).len(), "{dialect}");
        assert_eq!(vec![vec![0xa5; 1500]], rig.payloads(), "{dialect}");
    }
}

#[test]
fn decision_34_an_odd_or_wrong_digit_is_an_error_and_publishes_nothing() {
    for dialect in LTE {
        let mut rig = Rig::connected(dialect, &["\"send/mode\",0,1"]);
        // A line end where the last digit is missing counts as a wrong one.
        for typed in [&b"0g1122"[..], b"00112\r", b"0x1122", b"      ", b"\x1a\x1b0000"] {
            rig.prompted(&rig.publish_line(1, 1, 3));
            assert_eq!(["ERROR"], rig.type_in(typed)[..], "{dialect}: {typed:?}");
        }
        assert!(rig.payloads().is_empty(), "{dialect}");
        // The identifier is still free.
        rig.prompted(&rig.publish_line(1, 1, 1));
        assert_eq!(2, rig.type_in(b"41").len(), "{dialect}");
    }
}

#[test]
fn decision_34_send_mode_is_one_setting_and_the_last_writer_wins() {
    for dialect in LTE {
        let mut rig = Rig::new(dialect);
        rig.ok("AT+QMTCFG=\"send/mode\",0,1");
        assert_eq!(["+QMTCFG: \"dataformat\",1,0"], rig.info("AT+QMTCFG=\"dataformat\",0")[..], "{dialect}");
        rig.ok("AT+QMTCFG=\"dataformat\",0,0,1");
        assert_eq!(["+QMTCFG: \"send/mode\",0"], rig.info("AT+QMTCFG=\"send/mode\",0")[..], "{dialect}");
        rig.connect(0, "me");
        rig.publish(0, 0, b"41");
        assert_eq!(vec![b"41".to_vec()], rig.payloads(), "{dialect}: text");
    }
}

#[test]
fn decision_34_received_payloads_are_upper_case_digits_in_quotes() {
    let payload = b"\x00\xaf\"\r\n";
    for dialect in LTE {
        for (length, shown) in [(0, ""), (1, "5,")] {
            let length = format!("\"recv/mode\",0,0,{length}");
            let mut rig = Rig::connected(dialect, &["\"dataformat\",0,0,1", &length]);
            // Topics are never digits.
            rig.ask("AT+QMTSUB=0,1,\"t\",0");
            rig.arrives("t", payload, Qos::AtMostOnce);
            assert_eq!([format!("+QMTRECV: 0,0,\"t\",{shown}\"00AF220D0A\"")], rig.after(0.1)[..], "{dialect}");
            rig.arrives("t", b"", Qos::AtMostOnce);
            let empty = if shown.is_empty() { "" } else { "0," };
            assert_eq!([format!("+QMTRECV: 0,0,\"t\",{empty}\"\"")], rig.after(0.1)[..], "{dialect}");
        }
    }
}

#[test]
fn decision_34_buffered_payloads_are_digits_too_and_their_length_counts_bytes() {
    for dialect in LTE {
        let mut rig = Rig::connected(dialect, &["\"dataformat\",0,0,1", "\"recv/mode\",0,1,1"]);
        rig.ask("AT+QMTSUB=0,1,\"t\",1");
        rig.arrives("t", b"\xff\x01", Qos::AtMostOnce);
        let urc = if dialect == STANDARD { "+QMTRECV: 0,0,2" } else { "+QMTRECV: 0,0" };
        assert_eq!([urc], rig.after(0.1)[..], "{dialect}");
        assert_eq!(["+QMTRECV: 0,0,\"t\",2,\"FF01\""], rig.info("AT+QMTRECV=0,0")[..], "{dialect}");
    }
}

#[test]
fn decision_34_the_two_directions_are_apart() {
    for dialect in LTE {
        let mut rig = Rig::connected(dialect, &["\"dataformat\",0,1,0"]);
        rig.ask("AT+QMTSUB=0,1,\"t\",0");
        rig.prompted(&rig.publish_line(0, 0, 2));
        let said = rig.type_in(b"4142");
        assert!(said.contains(&"+QMTRECV: 0,0,\"t\",\"AB\"".to_owned()), "{dialect}: {said:?}");
    }
}

/// Clients without that setting are not touched, and a will is typed as it is: `send_mode` is about messages.
#[test]
fn decision_34_holds_for_messages_of_its_client_alone() {
    for dialect in [STANDARD, ECX, EC200X] {
        let mut rig = Rig::new(dialect);
        rig.ok("AT+QMTCFG=\"dataformat\",0,1,1");
        rig.prompted("AT+QMTCFG=\"willex\",0,1,0,0,\"gone\",2");
        assert_eq!(["OK"], rig.type_in(b"41")[..], "{dialect}");
        assert_eq!(["+QMTCFG: \"will\",1,0,0,\"gone\",\"41\""], rig.info("AT+QMTCFG=\"will\",0")[..], "{dialect}");
        rig.connect(1, "other");
        rig.ask("AT+QMTSUB=1,1,\"t\",0");
        rig.prompted(&rig.publish_line(0, 0, 2).replacen("=0", "=1", 1));
        assert!(rig.type_in(b"41").contains(&"+QMTRECV: 1,0,\"t\",\"41\"".to_owned()), "{dialect}");
        assert_eq!(1, rig.sent(Kind::Publish).len());
    }
}
