//! What modules with `AT+QMT…` do in the field, quirk for quirk and byte for byte: a script, what the document makes of it and
//! what the quirk makes of it. Where the shape is one of `tests/data/wire-shapes.toml` the scene names it, and its bytes count.
//!
//! Longer than 400 lines: it is one table.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use modemrig::mqtt::AckAction;
use modemrig::mqtt::AckRule;
use modemrig::mqtt::Kind;
use modemrig::mqtt::Packet;
use modemrig::mqtt::Qos;
use modemrig::virtual_module::QUIRKS;
use modemrig::virtual_module::VirtualOptions;
use modemrig::virtual_module::simulation::SimulatedModule;

use crate::simulated::quiet;

const LTE: &str = "lte_standard_a";
const ECX: &str = "ecx00u_egx00u";
const BC35: &str = "bc35g_bc28";

/// What is played, and what the host reads of it that counts.
type Script = fn(&mut SimulatedModule) -> String;

struct Scene {
    quirks: &'static [&'static str],
    dialect: &'static str,
    script: Script,
    documented: &'static str,
    shown: &'static str,
    /// The wire shape that `shown` is.
    shape: Option<&'static str>,
}

const fn scene(
    quirks: &'static [&'static str],
    dialect: &'static str,
    script: Script,
    documented: &'static str,
    shown: &'static str,
) -> Scene {
    Scene { quirks, dialect, script, documented, shown, shape: None }
}

/// A scene whose bytes are those of a wire shape.
const fn shape(
    id: &'static str,
    quirks: &'static [&'static str],
    dialect: &'static str,
    script: Script,
    documented: &'static str,
) -> Scene {
    Scene { quirks, dialect, script, documented, shown: "", shape: Some(id) }
}

const SCENES: &[Scene] = &[
    // F3
    scene(
        &["message_first"],
        LTE,
        |m| {
            online(m);
            subscribed(m);
            published(m, "AT+QMTPUBEX=0,0,0,0,\"yard/3/set\",2", b"hi")
        },
        "\r\nOK\r\n\r\n+QMTPUBEX: 0,0,0\r\n\r\n+QMTRECV: 0,0,\"yard/3/set\",\"hi\"\r\n",
        "\r\nOK\r\n\r\n+QMTRECV: 0,0,\"yard/3/set\",\"hi\"\r\n\r\n+QMTPUBEX: 0,0,0\r\n",
    ),
    scene(
        &["message_first:ms=50"],
        LTE,
        |m| {
            online(m);
            kept(m, b"on");
            m.ask("AT+QMTSUB=0,9,\"yard/3/set\",0", 1.0)
        },
        "\r\nOK\r\n\r\n+QMTSUB: 0,9,0,0\r\n\r\n+QMTRECV: 0,0,\"yard/3/set\",\"on\"\r\n",
        "\r\nOK\r\n\r\n+QMTRECV: 0,0,\"yard/3/set\",\"on\"\r\n\r\n+QMTSUB: 0,9,0,0\r\n",
    ),
    // F4
    scene(
        &["notice_without_count"],
        LTE,
        |m| unanswered(m, "suback", Some(1)),
        "\r\nOK\r\n\r\n+QMTSUB: 0,9,1,1\r\n\r\n+QMTSUB: 0,9,0,1\r\n",
        "\r\nOK\r\n\r\n+QMTSUB: 0,9,1\r\n\r\n+QMTSUB: 0,9,0,1\r\n",
    ),
    scene(
        &["notice_last"],
        LTE,
        |m| unanswered(m, "suback", None),
        "\r\nOK\r\n\r\n+QMTSUB: 0,9,1,1\r\n\r\n+QMTSUB: 0,9,1,2\r\n\r\n+QMTSUB: 0,9,2\r\n",
        "\r\nOK\r\n\r\n+QMTSUB: 0,9,1,1\r\n\r\n+QMTSUB: 0,9,1,2\r\n\r\n+QMTSTAT: 0,1\r\n",
    ),
    shape(
        "q-pubrel-notice",
        &["pubrel_notice"],
        BC35,
        unreleased,
        "\r\nOK\r\n\r\n+QMTPUB: 0,7,1,1\r\n\r\n+QMTPUB: 0,7,0\r\n",
    ),
    // F6
    shape(
        "q-conn-fail-two-fields",
        &["stat_before_conn"],
        BC35,
        |m| {
            m.ask(OPEN, 1.0);
            m.network().refuse_writes();
            m.ask(CONN, 1.0)
        },
        "\r\nOK\r\n\r\n+QMTCONN: 0,2\r\n\r\n+QMTSTAT: 0,3\r\n",
    ),
    shape(
        "q-conn-fail-glued",
        &["stat_glued", "no_blank_after_colon"],
        BC35,
        cut_in_connect,
        "\r\n+QMTCONN: 0,2\r\n\r\n+QMTSTAT: 0,1\r\n",
    ),
    scene(
        &["stat_glued"],
        BC35,
        cut_in_connect,
        "\r\n+QMTCONN: 0,2\r\n\r\n+QMTSTAT: 0,1\r\n",
        "\r\n+QMTSTAT: 0,1+QMTCONN: 0,2\r\n",
    ),
    scene(
        &["stat_after_open"],
        LTE,
        |m| [m.ask(OPEN, 1.0), m.ask(OPEN, 1.0)].concat(),
        "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n\r\nOK\r\n\r\n+QMTOPEN: 0,2\r\n",
        "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n\r\n+QMTSTAT: 0,1\r\n\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n",
    ),
    scene(
        &["stat_after_close:ms=900"],
        LTE,
        |m| {
            online(m);
            let said = m.ask("AT+QMTCLOSE=0", 0.8);
            [said.as_str(), "then", m.after(0.2).as_str()].concat()
        },
        "\r\nOK\r\n\r\n+QMTCLOSE: 0,0\r\nthen",
        "\r\nOK\r\n\r\n+QMTCLOSE: 0,0\r\nthen\r\n+QMTSTAT: 0,1\r\n",
    ),
    scene(
        &["stat_after_disc"],
        LTE,
        |m| {
            online(m);
            [m.ask("AT+QMTDISC=0", 1.0), m.ask("AT+QMTCLOSE=0", 1.0)].concat()
        },
        "\r\nOK\r\n\r\n+QMTDISC: 0,0\r\n\r\nOK\r\n\r\n+QMTCLOSE: 0,0\r\n",
        "\r\nOK\r\n\r\n+QMTDISC: 0,0\r\n\r\n+QMTSTAT: 0,5\r\n\r\nOK\r\n\r\n+QMTCLOSE: 0,0\r\n",
    ),
    shape("q-disc-stat5", &["stat_after_disc:result=left_out"], LTE, left, "\r\nOK\r\n\r\n+QMTDISC: 0,0\r\n"),
    // F7
    scene(
        &["ip_told", "boot_text:style=bc26"],
        BC35,
        |m| m.ask("AT+CFUN=1,1", 10.0),
        "\r\nOK\r\n\r\nRDY\r\n",
        "\r\nOK\r\n\r\nF1: 0000 0000\r\nV0: 0000 0000 [0001]\r\n00: 0006 000C\r\n01: 0000 0000\r\nU0: 0000 0001 [0000]\r\n\
         T0: 0000 00B4\r\nLeaving the BROM\r\n\r\nRDY\r\n\r\n+CFUN: 1\r\n\r\n+CPIN: READY\r\n\r\n+IP: 10.64.0.2\r\n",
    ),
    // F10
    shape(
        "q-recv-unquoted-json",
        &["recv_unquoted"],
        BC35,
        |m| arrived(m, "yard/3/set", b"{\"v\":[1,2],\"s\":\"a,b\"}"),
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",\"{\"v\":[1,2],\"s\":\"a,b\"}\"\r\n",
    ),
    scene(
        &["recv_with_length"],
        BC35,
        |m| arrived(m, "yard/3/set", b"one"),
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",\"one\"\r\n",
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",3,\"one\"\r\n",
    ),
    scene(
        &["recv_with_length", "recv_unquoted"],
        BC35,
        |m| arrived(m, "yard/3/set", b"one"),
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",\"one\"\r\n",
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",3,one\r\n",
    ),
    scene(
        &["recv_without_length"],
        LTE,
        |m| with_length(m, b"one"),
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",3,\"one\"\r\n",
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",\"one\"\r\n",
    ),
    scene(
        &["recv_without_length", "recv_unquoted"],
        LTE,
        |m| with_length(m, b"one"),
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",3,\"one\"\r\n",
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",one\r\n",
    ),
    scene(
        &["recv_payload_below"],
        LTE,
        |m| with_length(m, b"one"),
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",3,\"one\"\r\n",
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",3\r\n\"one\"\r\n",
    ),
    scene(
        &["recv_payload_below", "recv_unquoted"],
        LTE,
        |m| with_length(m, b"one"),
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",3,\"one\"\r\n",
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",3\r\none\r\n",
    ),
    shape("q-recv-index-only", &["recv_index_only"], LTE, third, "\r\n+QMTRECV: 0,0,\"yard/3/set\",\"one\"\r\n"),
    shape(
        "q-recv-read-one",
        &["recv_index_only", "recv_with_length"],
        ECX,
        |m| {
            third(m);
            m.ask("AT+QMTRECV=0,2", 0.1)
        },
        "\r\nOK\r\n",
    ),
    shape(
        "q-recv-hex",
        &["recv_hex"],
        LTE,
        |m| arrived(m, "yard/3/bin", b"\0\xFF\r\n\""),
        "\r\n+QMTRECV: 0,0,\"yard/3/bin\",\"\0\u{FF}\r\n\"\"\r\n",
    ),
    shape(
        "q-recv-hex-bare",
        &["recv_hex:case=lower", "recv_unquoted"],
        LTE,
        |m| arrived(m, "yard/3/bin", b"\0\xFF\r\n\""),
        "\r\n+QMTRECV: 0,0,\"yard/3/bin\",\"\0\u{FF}\r\n\"\"\r\n",
    ),
    scene(
        &["recv_hex:length=digits"],
        LTE,
        |m| {
            let setting = m.ask("AT+QMTCFG=\"dataformat\",0", 0.1);
            [setting, with_length(m, b"one")].concat()
        },
        "\r\n+QMTCFG: \"dataformat\",0,0\r\n\r\nOK\r\n\r\n+QMTRECV: 0,0,\"yard/3/set\",3,\"one\"\r\n",
        "\r\n+QMTCFG: \"dataformat\",0,1\r\n\r\nOK\r\n\r\n+QMTRECV: 0,0,\"yard/3/set\",6,\"6F6E65\"\r\n",
    ),
    scene(
        &["recv_hex"],
        LTE,
        |m| {
            m.ask("AT+QMTCFG=\"dataformat\",0,0,0", 0.1);
            with_length(m, b"one")
        },
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",3,\"one\"\r\n",
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",3,\"one\"\r\n",
    ),
    scene(
        &["no_blank_after_colon"],
        BC35,
        |m| {
            let open = m.ask(OPEN, 1.0);
            let read = m.ask("AT+QMTOPEN?", 0.1);
            m.ask(CONN, 1.0);
            [open, read, arrived(m, "yard: 3", b"a: b")].concat()
        },
        "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n\r\n+QMTOPEN: 0,\"hub.example\",1883\r\n\r\nOK\r\n\
         \r\n+QMTRECV: 0,0,\"yard: 3\",\"a: b\"\r\n",
        "\r\nOK\r\n\r\n+QMTOPEN:0,0\r\n\r\n+QMTOPEN:0,\"hub.example\",1883\r\n\r\nOK\r\n\
         \r\n+QMTRECV:0,0,\"yard: 3\",\"a: b\"\r\n",
    ),
    // F11
    scene(
        &["text_ends_at_nul"],
        LTE,
        |m| with_length(m, b"ab\0cd"),
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",5,\"ab\0cd\"\r\n",
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",5,\"ab\"\r\n",
    ),
    scene(
        &["quote_missing"],
        LTE,
        |m| with_length(m, b"one"),
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",3,\"one\"\r\n",
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",3,\"one\r\n",
    ),
    scene(
        &["line_end_missing"],
        LTE,
        |m| [with_length(m, b"one"), with_length(m, b"two")].concat(),
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",3,\"one\"\r\n\r\n+QMTRECV: 0,0,\"yard/3/set\",3,\"two\"\r\n",
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",3,\"one\"\r\n+QMTRECV: 0,0,\"yard/3/set\",3,\"two\"",
    ),
    scene(
        &["quote_missing:from=4", "line_end_missing:from=4"],
        LTE,
        |m| with_length(m, b"one"),
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",3,\"one\"\r\n",
        "\r\n+QMTRECV: 0,0,\"yard/3/set\",3,\"one\"\r\n",
    ),
    shape(
        "q-recv-cut-terminator",
        &["recv_with_length", "quote_missing:from=1024", "line_end_missing:from=1024"],
        BC35,
        long,
        "",
    ),
    // F12
    shape("q-conn-two-fields", &["conn_two_fields:when=success"], LTE, joined, "\r\nOK\r\n\r\n+QMTCONN: 0,0,0\r\n"),
    scene(
        &["conn_two_fields:when=failure"],
        LTE,
        |m| [joined(m), refused(m)].concat(),
        "\r\nOK\r\n\r\n+QMTCONN: 0,0,0\r\n\r\nOK\r\n\r\n+QMTCONN: 1,0,4\r\n\r\n+QMTSTAT: 1,4\r\n",
        "\r\nOK\r\n\r\n+QMTCONN: 0,0,0\r\n\r\nOK\r\n\r\n+QMTCONN: 1,2\r\n\r\n+QMTSTAT: 1,4\r\n",
    ),
    scene(
        &["conn_two_fields"],
        LTE,
        |m| [joined(m), refused(m)].concat(),
        "\r\nOK\r\n\r\n+QMTCONN: 0,0,0\r\n\r\nOK\r\n\r\n+QMTCONN: 1,0,4\r\n\r\n+QMTSTAT: 1,4\r\n",
        "\r\nOK\r\n\r\n+QMTCONN: 0,0\r\n\r\nOK\r\n\r\n+QMTCONN: 1,2\r\n\r\n+QMTSTAT: 1,4\r\n",
    ),
    // F13
    scene(
        &["pub_name"],
        LTE,
        |m| {
            online(m);
            published(m, "AT+QMTPUBEX=0,7,1,0,\"yard/3/t\",5", b"21.5C")
        },
        "\r\nOK\r\n\r\n+QMTPUBEX: 0,7,0\r\n",
        "\r\nOK\r\n\r\n+QMTPUB: 0,7,0\r\n",
    ),
    shape(
        "q-pub-inline-bc",
        &["inline_publish"],
        BC35,
        |m| {
            online(m);
            m.ask("AT+QMTPUB=0,7,1,0,\"yard/3/t\",\"21.5C\"", 1.0)
        },
        "\r\nERROR\r\n",
    ),
    // F16
    scene(
        &["will_quotes_taken"],
        LTE,
        |m| {
            let will = "AT+QMTCFG=\"will\",0,1,1,0,\"gone\",\"{\"id\":\"7\",\"up\":0}\"";
            let set = m.ask(will, 0.1);
            [set, m.ask("AT+QMTCFG=\"will\",0", 0.1), m.ask("AT+QMTCFG=\"will\",0,0", 0.1)].concat()
        },
        "\r\nERROR\r\n\r\n+QMTCFG: \"will\",0\r\n\r\nOK\r\n\r\nOK\r\n",
        "\r\nOK\r\n\r\n+QMTCFG: \"will\",1,1,0,\"gone\",\"{\"id\":\"7\",\"up\":0}\"\r\n\r\nOK\r\n\r\nOK\r\n",
    ),
    // F17
    shape(
        "q-open-occupied",
        &["slow_close:ms=900"],
        LTE,
        |m| {
            online(m);
            m.ask("AT+QMTCLOSE=0", 0.5);
            m.ask(OPEN, 0.1)
        },
        "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n",
    ),
    scene(
        &["slow_close"],
        LTE,
        |m| {
            online(m);
            let parts = [m.ask("AT+QMTCLOSE=0", 2.9), m.after(0.2), m.ask(OPEN, 0.1)];
            parts.join("then")
        },
        "\r\nOK\r\n\r\n+QMTCLOSE: 0,0\r\nthenthen\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n",
        "\r\nOK\r\nthen\r\n+QMTCLOSE: 0,0\r\nthen\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n",
    ),
    // F18
    scene(
        &["disc_frees"],
        LTE,
        |m| [left(m), m.ask("AT+QMTCLOSE=0", 1.0), m.ask(OPEN, 1.0)].concat(),
        "\r\nOK\r\n\r\n+QMTDISC: 0,0\r\n\r\nOK\r\n\r\n+QMTCLOSE: 0,0\r\n\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n",
        "\r\nOK\r\n\r\n+QMTDISC: 0,0\r\n\r\nERROR\r\n\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n",
    ),
    scene(
        &["disc_frees:close=ok"],
        LTE,
        |m| [left(m), m.ask("AT+QMTCLOSE=0", 1.0), m.ask("AT+QMTCLOSE=0", 1.0), m.ask(OPEN, 1.0)].concat(),
        "\r\nOK\r\n\r\n+QMTDISC: 0,0\r\n\r\nOK\r\n\r\n+QMTCLOSE: 0,0\r\n\r\nERROR\r\n\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n",
        "\r\nOK\r\n\r\n+QMTDISC: 0,0\r\n\r\nOK\r\n\r\nERROR\r\n\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n",
    ),
    // F19
    scene(
        &["idle_open_lost"],
        LTE,
        |m| [m.ask(OPEN, 4.9), m.after(0.2)].join("then"),
        "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\nthen",
        "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\nthen\r\n+QMTSTAT: 0,1\r\n",
    ),
    scene(
        &["idle_open_lost"],
        LTE,
        |m| [m.ask(OPEN, 4.5), m.ask(CONN, 20.0)].concat(),
        "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n\r\nOK\r\n\r\n+QMTCONN: 0,0,0\r\n",
        "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n\r\nOK\r\n\r\n+QMTCONN: 0,0,0\r\n",
    ),
    // F21
    shape(
        "q-qiact-already",
        &["active_pdp_error"],
        LTE,
        |m| {
            let first = m.ask("AT+QIACT=1", 1.0);
            assert_eq!("\r\nOK\r\n", first);
            m.ask("AT+QIACT=1", 1.0)
        },
        "\r\nOK\r\n",
    ),
    scene(
        &["msgid_restarts"],
        ECX,
        |m| {
            online(m);
            let free = m.ask("AT+QMTSUB=0,0,\"a\",0", 1.0);
            [free, m.ask("AT+QMTSUB=0,1,\"a\",0", 5.0), m.ask("AT+QMTCONN?", 0.1)].concat().replace("ATE0\r", "")
        },
        "\r\nOK\r\n\r\n+QMTSUB: 0,0,0,0\r\n\r\nOK\r\n\r\n+QMTSUB: 0,1,0,0\r\n\r\n+QMTCONN: 0,3\r\n\r\nOK\r\n",
        "\r\nOK\r\n\r\n+QMTSUB: 0,0,0,0\r\n\r\nRDY\r\nAT+QMTCONN?\r\r\nOK\r\n",
    ),
    scene(
        &["recv_length_refused"],
        LTE,
        |m| [m.ask("AT+QMTCFG=\"recv/mode\",0,0,1", 0.1), m.ask("AT+QMTCFG=\"recv/mode\",0,1", 0.1)].concat(),
        "\r\nOK\r\n\r\nOK\r\n",
        "\r\nERROR\r\n\r\nOK\r\n",
    ),
    // F22
    scene(
        &["slow_tls"],
        LTE,
        |m| {
            m.ask("AT+QMTCFG=\"ssl\",0,1,0", 0.1);
            [m.ask("AT+QMTOPEN=0,\"hub.example\",8883", 15.9), m.after(0.2)].join("then")
        },
        "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\nthen",
        "\r\nOK\r\nthen\r\n+QMTOPEN: 0,0\r\n",
    ),
    scene(
        &["slow_tls"],
        LTE,
        |m| m.ask(OPEN, 1.0),
        "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n",
        "\r\nOK\r\n\r\n+QMTOPEN: 0,0\r\n",
    ),
    scene(
        &["slow_tls"],
        LTE,
        |m| {
            m.ask("AT+QMTCFG=\"ssl\",0,1,0", 0.1);
            m.ask("AT+QMTOPEN=0,\"hub.example\",8883", 1.0);
            [m.ask("AT+QMTCLOSE=0", 1.0), m.after(30.0), m.ask("AT+QMTOPEN?", 0.1)].concat()
        },
        "\r\nOK\r\n\r\n+QMTCLOSE: 0,0\r\n\r\nOK\r\n",
        "\r\nOK\r\n\r\n+QMTOPEN: 0,-1\r\n\r\n+QMTCLOSE: 0,0\r\n\r\nOK\r\n",
    ),
];

const OPEN: &str = "AT+QMTOPEN=0,\"hub.example\",1883";
const CONN: &str = "AT+QMTCONN=0,\"dev-7\"";

/// Whether a quirk has a scene here.
pub fn shows(name: &str) -> bool {
    SCENES.iter().any(|scene| scene.quirks.iter().any(|quirk| name_of(quirk) == name))
}

fn name_of(quirk: &str) -> &str {
    quirk.split_once(':').map_or(quirk, |(name, _)| name)
}

fn online(module: &mut SimulatedModule) {
    module.ask(OPEN, 1.0);
    module.ask(CONN, 1.0);
}

fn joined(module: &mut SimulatedModule) -> String {
    module.ask(OPEN, 1.0);
    module.ask(CONN, 1.0)
}

fn left(module: &mut SimulatedModule) -> String {
    online(module);
    module.ask("AT+QMTDISC=0", 1.0)
}

fn subscribed(module: &mut SimulatedModule) {
    let said = module.ask("AT+QMTSUB=0,9,\"#\",1", 1.0);
    assert!(said.contains("QMTSUB:"), "{said}");
}

/// Types a message; what is said behind the prompt.
fn published(module: &mut SimulatedModule, line: &str, payload: &[u8]) -> String {
    let prompt = module.ask(line, 0.1);
    assert!(prompt.ends_with("> "), "{prompt}");
    module.host(payload);
    module.after(1.0)
}

/// Somebody publishes a message that the broker keeps.
fn kept(module: &mut SimulatedModule, payload: &[u8]) {
    let mut network = module.network();
    let now = network.now();
    network.broker.publish("yard/3/set", payload, Qos::AtMostOnce, true, now);
}

/// What is said of a message that somebody publishes. Bytes that are no text are shown as the characters of their numbers.
fn arrived(module: &mut SimulatedModule, topic: &str, payload: &[u8]) -> String {
    online(module);
    subscribed(module);
    {
        let mut network = module.network();
        let now = network.now();
        network.broker.publish(topic, payload, Qos::AtMostOnce, false, now);
    }
    module.take_output();
    module.advance(std::time::Duration::from_secs(1));
    module.take_output().into_iter().map(char::from).collect()
}

fn with_length(module: &mut SimulatedModule, payload: &[u8]) -> String {
    module.ask("AT+QMTCFG=\"recv/mode\",0,0,1", 0.1);
    arrived(module, "yard/3/set", payload)
}

/// What is said of the third message.
fn third(module: &mut SimulatedModule) -> String {
    for _ in 0..2 {
        arrived(module, "yard/3/set", b"one");
    }
    arrived(module, "yard/3/set", b"one")
}

/// A long message, and the end of the connection right behind it.
fn long(module: &mut SimulatedModule) -> String {
    online(module);
    subscribed(module);
    let mut packet = b"\x32\x8E\x08\0\x0Ayard/3/set\xFF\xFF".to_vec();
    packet.extend([b'z'; 1024]);
    module.network().say(&packet);
    module.network().end_all(false);
    module.after(1.0)
}

/// A subscription whose acknowledgement is lost so often.
fn unanswered(module: &mut SimulatedModule, kind: &str, times: Option<u32>) -> String {
    assert_eq!("suback", kind);
    module.ask("AT+QMTCFG=\"timeout\",0,5,2,1", 0.1);
    online(module);
    lose(module, Kind::Suback, times);
    module.ask("AT+QMTSUB=0,9,\"yard/3/set\",1", 20.0)
}

fn unreleased(module: &mut SimulatedModule) -> String {
    module.ask("AT+QMTCFG=\"timeout\",0,5,2,1", 0.1);
    online(module);
    lose(module, Kind::Pubcomp, Some(1));
    published(module, "AT+QMTPUB=0,7,2,0,\"yard/3/t\",5", b"21.5C") + &module.after(10.0)
}

fn lose(module: &mut SimulatedModule, kind: Kind, times: Option<u32>) {
    let rule = AckRule { kind, client_id: None, action: AckAction::Drop, times };
    module.network().broker.policy.ack_rules.push(rule);
}

/// The peer closes while CONNACK is awaited.
fn cut_in_connect(module: &mut SimulatedModule) -> String {
    module.ask(OPEN, 1.0);
    lose(module, Kind::Connack, None);
    module.ask(CONN, 1.0);
    module.network().end_all(false);
    module.after(1.0)
}

/// A CONNECT of client 1 that the broker refuses.
fn refused(module: &mut SimulatedModule) -> String {
    module.network().broker.policy.refuse_with = Some(4);
    module.ask("AT+QMTOPEN=1,\"hub.example\",1883", 1.0);
    module.ask("AT+QMTCONN=1,\"dev-8\"", 1.0)
}

fn played(scene: &Scene, quirks: &[&str]) -> String {
    (scene.script)(&mut with(scene.dialect, quirks))
}

/// The bytes of the wire shapes, each as the character of its number.
fn shapes() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/wire-shapes.toml");
    let file: toml::Table = fs::read_to_string(path).expect("the file of shapes").parse().expect("TOML");
    let text = |row: &toml::Value, key: &str| row[key].as_str().expect("text").to_owned();
    let rows = file["vector"].as_array().expect("vectors");
    rows.iter().map(|row| (text(row, "id"), text(row, "rx"))).collect()
}

#[test]
fn each_quirk_changes_exactly_these_bytes() {
    let shapes = shapes();
    let mut faults = Vec::new();
    for scene in SCENES {
        let shown = scene.shape.map_or(scene.shown, |id| shapes[id].as_str());
        let mut expect = |what: &str, expected: &str, found: String| {
            if found != expected {
                faults.push(format!("{:?} {what}:\n  expected {expected:?}\n  found    {found:?}", scene.quirks));
            }
        };
        // The long one is told by its shape alone.
        if !scene.documented.is_empty() {
            expect("without", scene.documented, played(scene, &[]));
        }
        expect("with", shown, played(scene, scene.quirks));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_scene_is_of_quirks_that_there_are() {
    for quirk in SCENES.iter().flat_map(|scene| scene.quirks) {
        assert!(QUIRKS.iter().any(|row| row.name == name_of(quirk)), "{quirk}");
    }
}

#[test]
fn a_quirk_comes_and_goes_while_the_module_runs() {
    let mut module = quiet(&VirtualOptions::new(LTE));
    assert!(with_length(&mut module, b"one").contains("3,\"one\""));
    module.quirk("recv_unquoted").expect("a quirk");
    assert!(arrived(&mut module, "yard/3/set", b"one").contains("3,one"));
    module.clear_quirk(Some("recv_unquoted")).expect("a quirk");
    assert!(arrived(&mut module, "yard/3/set", b"one").contains("3,\"one\""));
}

/// Every way to write it, and what the broker gets; the documented ways go on working beside it.
#[test]
fn a_publish_may_have_its_payload_in_the_command_line() {
    let documented = |module: &mut SimulatedModule| {
        let typed = [
            published(module, "AT+QMTPUB=0,1,1,0,\"a\",2", b"hi"),
            published(module, "AT+QMTPUB=0,2,1,0,\"a\"", b"until\x1a"),
        ];
        assert_eq!(["\r\nOK\r\n\r\n+QMTPUB: 0,1,0\r\n", "\r\nOK\r\n\r\n+QMTPUB: 0,2,0\r\n"].map(str::to_owned), typed);
    };
    let rows = [
        ("inline_publish", "AT+QMTPUB=0,3,1,0,\"a\",\"21.5C\"", "21.5C"),
        ("inline_publish", "at+qmtpub=0,3,1,0,\"a\",\"{\"k\":1,\"s\":\"x, y; z\"}\"", "{\"k\":1,\"s\":\"x, y; z\"}"),
        ("inline_publish", "AT+QMTPUB= 0,3,1,0,\"a\",\"\"", ""),
        ("inline_publish", "AT+QMTPUB=0,3,1,0,\"a\",21.5", "21.5"),
        ("inline_publish", "AT+QMTPUB=0,3,1,0,\"a\",{\"k\":1}", "{\"k\":1}"),
        ("inline_publish:numbers=payload", "AT+QMTPUB=0,3,1,0,\"a\",21", "21"),
    ];
    for (quirk, line, payload) in rows {
        let mut module = with(BC35, &[quirk]);
        online(&mut module);
        if quirk == "inline_publish" {
            documented(&mut module);
        }
        assert_eq!("\r\nOK\r\n\r\n+QMTPUB: 0,3,0\r\n", module.ask(line, 1.0), "{line}");
        let network = module.network();
        let last = network.broker.record().filter_map(|row| match &row.packet {
            Packet::Publish(publish) => Some(String::from_utf8(publish.payload.to_vec()).expect("text")),
            _ => None,
        });
        assert_eq!(Some(payload.to_owned()), last.last(), "{line}");
    }
}

#[test]
fn an_inline_publish_is_refused_as_any_other() {
    let mut module = with(LTE, &["inline_publish"]);
    let inline = "AT+QMTPUBEX=0,3,1,0,\"a\",\"x\"";
    assert_eq!("\r\nERROR\r\n", module.ask(inline, 1.0), "closed");
    online(&mut module);
    for wrong in [
        "AT+QMTPUBEX=0,0,1,0,\"a\",\"x\"",
        "AT+QMTPUBEX=6,3,1,0,\"a\",\"x\"",
        "AT+QMTPUBEX=0,3,1,0,\"a/#\",\"x\"",
        &format!("AT+QMTPUBEX=0,3,1,0,\"a\",\"{}\"", "x".repeat(1501)),
    ] {
        assert_eq!("\r\nERROR\r\n", module.ask(wrong, 1.0), "{wrong}");
    }
    assert_eq!("> ", published_prompt(&mut module), "nothing of a refused line is left");
    module.host(b"hi");
    module.after(1.0);
    assert_eq!("\r\nOK\r\n\r\n+QMTPUBEX: 0,3,0\r\n", module.ask(inline, 1.0));
    module.ask("AT+QMTDISC=0", 1.0);
    module.ask("AT+QMTCFG=\"dataformat\",0,1,0", 0.1);
    module.ask(OPEN, 1.0);
    module.ask(CONN, 1.0);
    assert_eq!("\r\nERROR\r\n", module.ask(inline, 1.0), "no hexadecimal digits");
    assert_eq!("\r\nOK\r\n\r\n+QMTPUBEX: 0,3,0\r\n", module.ask("AT+QMTPUBEX=0,3,1,0,\"a\",\"6F6B\"", 1.0));
}

fn published_prompt(module: &mut SimulatedModule) -> String {
    module.ask("AT+QMTPUBEX=0,4,1,0,\"a\",2", 0.1).trim_start_matches("\r\n").to_owned()
}

/// Topics without quotation marks, numbers with them, in any number of arguments (F16).
#[test]
fn texts_may_lack_their_quotation_marks_in_several_places() {
    for (line, said) in [
        ("AT+QMTUNS=0,1,topic", "+QMTUNS: 0,1,0"),
        ("AT+QMTUNS=0,1,a/b,c/+", "+QMTUNS: 0,1,0"),
        ("AT+QMTUNS=0,1,17", "+QMTUNS: 0,1,0"),
        ("AT+QMTUNS=\"0\",1,topic", "+QMTUNS: 0,1,0"),
        ("AT+QMTSUB=0,1,a,0,b,1", "+QMTSUB: 0,1,0,0,1"),
        ("AT+QMTSUB=0,1,\"a\",0,b,1", "+QMTSUB: 0,1,0,0,1"),
    ] {
        let mut module = with(LTE, &["bare_text_taken"]);
        online(&mut module);
        assert_eq!(format!("\r\nOK\r\n\r\n{said}\r\n"), module.ask(line, 1.0), "{line}");
        let mut strict = with(LTE, &[]);
        online(&mut strict);
        assert_eq!("\r\nERROR\r\n", strict.ask(line, 1.0), "{line}");
    }
}

#[test]
fn a_number_out_of_range_stays_one_where_quotation_marks_do_not_count() {
    let mut module = with(LTE, &["bare_text_taken"]);
    for line in ["AT+QMTCFG=\"keepalive\",0,-1", "AT+QMTCFG=\"keepalive\",0,3601", "AT+QMTCFG=\"timeout\",0,5,-1,0"] {
        assert_eq!("\r\nERROR\r\n", module.ask(line, 0.1), "{line}");
    }
    assert_eq!("\r\nOK\r\n", module.ask("AT+QMTCFG=\"keepalive\",0,\"60\"", 0.1));
}

fn with(dialect: &str, quirks: &[&str]) -> SimulatedModule {
    let quirks = quirks.iter().map(|quirk| (*quirk).to_owned()).collect();
    quiet(&VirtualOptions { quirks, ..VirtualOptions::new(dialect) })
}

/// Modules take 0 for any quality where their data does not forbid it; the result has the 0, and each its own.
#[test]
fn a_publish_with_0_for_its_packet_identifier_has_0_in_its_result() {
    let differs = "[commands.\"AT+QMTPUBEX\".variants]\nwrite = { forbid = [] }";
    let mut module = quiet(&VirtualOptions { differs: Some(differs.into()), ..VirtualOptions::new(LTE) });
    online(&mut module);
    for qos in 0..3 {
        let said = published(&mut module, &format!("AT+QMTPUBEX=0,0,{qos},0,\"a\",2"), b"hi");
        assert_eq!("\r\nOK\r\n\r\n+QMTPUBEX: 0,0,0\r\n", said, "QoS {qos}");
    }
    let said = published(&mut module, "AT+QMTPUBEX=0,65535,1,0,\"a\",2", b"hi");
    assert_eq!("\r\nOK\r\n\r\n+QMTPUBEX: 0,65535,0\r\n", said);
}
