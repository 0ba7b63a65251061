//! Every quirk there is, as data: name, one line, the rules of FIELD it shows, the family it is of, parameters. Behaviour asks
//! for it by name at its one place.
//!
//! Longer than 400 lines: it is one table.

use crate::dialect::schema::Family;
use crate::virtual_module::params::ParamKind;
use crate::virtual_module::params::ParamRow;

/// One row: what a host sees when it is on.
#[derive(Debug)]
pub struct QuirkRow {
    /// `result_before_ok`
    pub name: &'static str,
    /// In one line.
    pub title: &'static str,
    /// The rules of what real modules do that it shows (`docs/field.md`); none: no module is known to do it.
    pub field: &'static [&'static str],
    /// Whose modules can have it; `None`: all.
    pub family: Option<Family>,
    /// What can be chosen.
    pub params: &'static [ParamRow],
}

/// What a row has unless it says otherwise.
const BOTH: QuirkRow = QuirkRow { name: "", title: "", field: &[], family: None, params: &[] };
const QMT: QuirkRow = QuirkRow { family: Some(Family::Qmt), ..BOTH };
const CMQTT: QuirkRow = QuirkRow { family: Some(Family::Cmqtt), ..BOTH };

/// For quirks of single commands.
pub const COMMAND: ParamRow = ParamRow {
    name: "command",
    title: "only for this command; without it, for every one",
    kind: ParamKind::Command,
    default: None,
};

/// A time.
pub const fn ms(title: &'static str, default: &'static str) -> ParamRow {
    ParamRow {
        name: "ms",
        title,
        kind: ParamKind::Number { min: 0, max: 3_600_000, unit: "ms" },
        default: Some(default),
    }
}

/// Short payloads may be spared.
const FROM: ParamRow = ParamRow {
    name: "from",
    title: "only where the payload has so many bytes or more",
    kind: ParamKind::Number { min: 0, max: 1_000_000, unit: "bytes" },
    default: Some("0"),
};

/// Every quirk there is.
pub const QUIRKS: &[QuirkRow] = &[
    QuirkRow { name: "prompt_on_own_line", title: "The prompt is followed by a line end.", field: &["F8"], ..BOTH },
    QuirkRow {
        name: "tls_checks_host_name",
        title: "TLS levels 1 and 2 check the broker's name, too (decision 39).",
        ..BOTH
    },
    QuirkRow { name: "ctrl_z_ends_input", title: "Ctrl-Z ends an input, too, whose length was announced.", ..BOTH },
    QuirkRow {
        name: "odd_read_forms",
        title: "A read form of MQTT says one field more, and a line where there is none.",
        ..BOTH
    },
    QuirkRow { name: "timers_early", title: "Packets, typed input and the keep-alive wait half their time.", ..BOTH },
    // Of the order of OK and results, and of what is lost.
    QuirkRow {
        name: "gap",
        title: "A result follows OK this much later, if it is known so soon; the module's speed does not shorten it.",
        field: &["F23"],
        params: &[ms("how much", "250")],
        ..BOTH
    },
    QuirkRow {
        name: "result_before_ok",
        title: "The result comes first, OK behind it.",
        field: &["F1"],
        params: &[COMMAND],
        ..BOTH
    },
    QuirkRow {
        name: "ok_missing",
        title: "A command that has a result gets it without OK.",
        field: &["F1"],
        params: &[COMMAND],
        ..BOTH
    },
    QuirkRow {
        name: "urc_before_result",
        title: "A line of the network comes between OK and the result.",
        field: &["F1"],
        params: &[ParamRow { name: "text", title: "the line", kind: ParamKind::Text, default: Some("+CREG: 1") }],
        ..BOTH
    },
    QuirkRow {
        name: "failure_with_error",
        title: "A result that says the request failed is followed by ERROR, and OK waits for the others.",
        field: &["F2"],
        params: &[COMMAND],
        ..BOTH
    },
    QuirkRow {
        name: "surplus_ok",
        title: "Behind the result of a request that failed comes one OK more.",
        field: &["F5"],
        params: &[ms("how late", "0"), COMMAND],
        ..BOTH
    },
    QuirkRow { name: "result_twice", title: "A result is said twice.", field: &["F5"], params: &[COMMAND], ..BOTH },
    QuirkRow {
        name: "lines_glued",
        title: "Two lines that come together have no line end between them, where the first has no text.",
        field: &["F6"],
        ..BOTH
    },
    // Of restarts and of what a module says of its power and its network.
    QuirkRow {
        name: "boot_text",
        title: "A module that starts says more than that.",
        field: &["F7"],
        params: &[ParamRow {
            name: "style",
            title: "of which modules; without it, by the document",
            kind: ParamKind::Choice(&["lte", "bg", "bc_rom", "bc26", "neul", "sim7600", "simcom", "none"]),
            default: None,
        }],
        ..BOTH
    },
    QuirkRow {
        name: "ip_told",
        title: "A module that has found its network says which address it has: +IP.",
        field: &["F7"],
        ..QMT
    },
    QuirkRow {
        name: "pdp_loss_told",
        title: "The loss of a PDP context has a line of its own: +QIURC: \"pdpdeact\", +CMQTTNONET.",
        field: &["F7"],
        ..BOTH
    },
    QuirkRow {
        name: "power_down_word",
        title: "A module that loses its power says so first.",
        field: &["F7"],
        params: &[ParamRow {
            name: "text",
            title: "what it says; without it, POWERED DOWN or NORMAL POWER DOWN",
            kind: ParamKind::Text,
            default: None,
        }],
        ..BOTH
    },
    // Of prompts, echo and the form of answers.
    QuirkRow { name: "prompt_bare", title: "Nothing follows the sign of the prompt.", field: &["F8"], ..BOTH },
    QuirkRow {
        name: "payload_echoed",
        title: "What is typed at the prompt is shown while the echo is on.",
        field: &["F9"],
        ..BOTH
    },
    QuirkRow {
        name: "errors_numbered",
        title: "AT+CMEE is 1 from the start, and counts for every command.",
        field: &["F14"],
        ..BOTH
    },
    QuirkRow {
        name: "errors_in_words",
        title: "AT+CMEE is 2 from the start, and counts for every command.",
        field: &["F14"],
        ..BOTH
    },
    QuirkRow {
        name: "numeric_results",
        title: "Results are digits from the start, as after ATV0.",
        field: &["F14"],
        ..BOTH
    },
    // Of the settings of AT+QMTCFG.
    QuirkRow { name: "settings_unlocked", title: "Settings can be changed while the client is connected.", ..QMT },
    QuirkRow { name: "settings_shared", title: "A setting of one client is that of all.", ..QMT },
    QuirkRow { name: "settings_saved", title: "Settings survive a loss of power.", ..QMT },
    QuirkRow { name: "settings_forgotten", title: "AT+QMTCLOSE puts the settings of its client back.", ..QMT },
    QuirkRow { name: "left_out_is_default", title: "A parameter that is left out goes back to its default.", ..QMT },
    // Of command lines.
    QuirkRow {
        name: "bare_text_taken",
        title: "A text without quotation marks, or a number with them, is taken.",
        field: &["F16"],
        ..BOTH
    },
    QuirkRow {
        name: "letters_counted",
        title: "The length of a text is that of its characters, not of its bytes.",
        ..BOTH
    },
    QuirkRow { name: "upper_case_only", title: "The name of a command in small letters is not known.", ..BOTH },
    // Of AT+CMQTT… clients.
    QuirkRow { name: "nothing_forgotten", title: "What a command uses up, or forgets, stays.", ..CMQTT },
    QuirkRow {
        name: "state_ignored",
        title: "A command that its state forbids with ERROR alone is answered OK.",
        ..CMQTT
    },
    QuirkRow { name: "sub_name", title: "AT+CMQTTSUB is answered by +CMQTTSUBTOPIC.", field: &["F13"], ..CMQTT },
    QuirkRow {
        name: "rx_blank_lines",
        title: "Blank lines stand between the parts of a received message.",
        field: &["F15"],
        ..CMQTT
    },
    QuirkRow {
        name: "rx_part",
        title: "A received payload comes in parts of this length.",
        field: &["F15"],
        params: &[ParamRow {
            name: "bytes",
            title: "longest part",
            kind: ParamKind::Number { min: 1, max: 10240, unit: "bytes" },
            default: Some("100"),
        }],
        ..CMQTT
    },
    QuirkRow {
        name: "rx_back_to_back",
        title: "A received message follows the line before it without a blank line.",
        field: &["F15"],
        ..CMQTT
    },
    QuirkRow {
        name: "busy_until_acknowledged",
        title: "Until a publish has its result, nothing can be entered for the next: error 14.",
        field: &["F20"],
        ..CMQTT
    },
    QuirkRow {
        name: "lost_after_failure",
        title: "A publish or a subscription that fails costs the connection.",
        field: &["F20"],
        ..CMQTT
    },
    QuirkRow {
        name: "leftovers",
        title: "What another program left is told with its number: AT+CMQTTSTART 23, STOP 9 and 19, REL 20.",
        field: &["F17", "F20"],
        ..CMQTT
    },
    // Of AT+QMT… clients.
    QuirkRow {
        name: "state_errors_late",
        title: "A command the state forbids, other than a setting, is answered OK; its result says that it failed.",
        ..QMT
    },
    QuirkRow { name: "slots_kept", title: "Reading a stored message does not free its slot.", ..QMT },
    QuirkRow { name: "clients_mixed_up", title: "Messages of every client are shown as those of client 0.", ..QMT },
    QuirkRow { name: "resends_once_less", title: "A packet is sent again once less than retry_times says.", ..QMT },
    QuirkRow { name: "notice_always", title: "Each resend is reported, whatever timeout_notice says.", ..QMT },
    QuirkRow {
        name: "esc_sends",
        title: "Esc sends an empty message instead of none, unless AT+CMEE asks for numbers.",
        ..QMT
    },
    QuirkRow { name: "never_echoes", title: "Typed bytes are not shown, whatever view/mode says.", ..QMT },
    QuirkRow { name: "hex_ignored", title: "Payloads are text in both directions, whatever the settings say.", ..QMT },
    QuirkRow { name: "never_pings", title: "No PINGREQ is sent.", ..QMT },
    QuirkRow { name: "will_forgotten", title: "CONNECT has no will.", ..QMT },
    QuirkRow { name: "session_forgotten", title: "CONNECT always asks for a clean session.", ..QMT },
    // Of AT+QMT… in the field: order and loss.
    QuirkRow {
        name: "message_first",
        title: "The results of AT+QMTSUB and of a publish come behind the messages of the moment.",
        field: &["F3"],
        params: &[ms("how long messages go first", "100")],
        ..QMT
    },
    QuirkRow {
        name: "notice_without_count",
        title: "The notice that a packet was sent again does not say how often.",
        field: &["F4"],
        ..QMT
    },
    QuirkRow {
        name: "pubrel_notice",
        title: "The notice that a PUBREL was sent again is called +QMTPUBREL.",
        field: &["F4"],
        ..QMT
    },
    QuirkRow {
        name: "notice_last",
        title: "A request that nobody answers ends with +QMTSTAT and no line of its own.",
        field: &["F4"],
        ..QMT
    },
    QuirkRow {
        name: "stat_before_conn",
        title: "+QMTSTAT comes before the +QMTCONN of a CONNECT that failed.",
        field: &["F6"],
        ..QMT
    },
    QuirkRow {
        name: "stat_glued",
        title: "+QMTSTAT and the +QMTCONN of a CONNECT that failed are one line.",
        field: &["F6"],
        ..QMT
    },
    QuirkRow {
        name: "stat_after_open",
        title: "A connection is lost right behind its +QMTOPEN.",
        field: &["F6"],
        params: &[ParamRow {
            name: "count",
            title: "how many connections, from the start of the module on",
            kind: ParamKind::Number { min: 1, max: 1_000_000, unit: "" },
            default: Some("1"),
        }],
        ..QMT
    },
    QuirkRow {
        name: "stat_after_close",
        title: "+QMTSTAT follows +QMTCLOSE late, unless the client is opened again before.",
        field: &["F6"],
        params: &[ms("how long after it", "500")],
        ..QMT
    },
    QuirkRow {
        name: "stat_after_disc",
        title: "+QMTSTAT with 5 says that AT+QMTDISC has ended the connection.",
        field: &["F6"],
        params: &[ParamRow {
            name: "result",
            title: "whether +QMTDISC comes all the same",
            kind: ParamKind::Choice(&["kept", "left_out"]),
            default: Some("kept"),
        }],
        ..QMT
    },
    QuirkRow {
        name: "slow_close",
        title: "+QMTCLOSE comes long after OK; until then AT+QMTOPEN says that the client is in use.",
        field: &["F17"],
        params: &[ms("how long after", "3000")],
        ..QMT
    },
    QuirkRow {
        name: "disc_frees",
        title: "AT+QMTDISC frees the client: AT+QMTCLOSE has nothing to close.",
        field: &["F18"],
        params: &[ParamRow {
            name: "close",
            title: "what it answers: ERROR, or OK and no result",
            kind: ParamKind::Choice(&["error", "ok"]),
            default: Some("error"),
        }],
        ..QMT
    },
    QuirkRow {
        name: "idle_open_lost",
        title: "The other end closes a connection on which CONNECT does not come in time.",
        field: &["F19"],
        params: &[ms("how long it waits", "5000")],
        ..QMT
    },
    QuirkRow {
        name: "slow_tls",
        title: "Opening a connection with TLS takes long.",
        field: &["F22"],
        params: &[ms("how long it takes more than it must", "16000")],
        ..QMT
    },
    QuirkRow {
        name: "active_pdp_error",
        title: "AT+QIACT is answered with ERROR where the context is active already.",
        field: &["F21"],
        ..QMT
    },
    QuirkRow {
        name: "msgid_restarts",
        title: "AT+QMTSUB with a packet identifier other than 0 restarts the module.",
        field: &["F21"],
        ..QMT
    },
    QuirkRow {
        name: "recv_length_refused",
        title: "AT+QMTCFG=\"recv/mode\" with a field for the length is answered with ERROR.",
        field: &["F21"],
        ..QMT
    },
    // Forms of AT+QMT… in the field.
    QuirkRow {
        name: "recv_unquoted",
        title: "The payload of +QMTRECV stands without quotation marks.",
        field: &["F10"],
        ..QMT
    },
    QuirkRow {
        name: "recv_with_length",
        title: "+QMTRECV has the length of the payload, whatever the settings say.",
        field: &["F10"],
        ..QMT
    },
    QuirkRow {
        name: "recv_without_length",
        title: "+QMTRECV has no length, whatever the settings say.",
        field: &["F10"],
        ..QMT
    },
    QuirkRow {
        name: "recv_payload_below",
        title: "+QMTRECV ends with the length of the payload, which stands on the next line.",
        field: &["F10"],
        ..QMT
    },
    QuirkRow {
        name: "recv_index_only",
        title: "Messages are stored, whatever the settings say, and +QMTRECV says only where.",
        field: &["F10"],
        ..QMT
    },
    QuirkRow {
        name: "recv_hex",
        title: "Each client starts with hexadecimal output on; AT+QMTCFG=\"dataformat\" says so.",
        field: &["F10"],
        params: &[
            ParamRow {
                name: "case",
                title: "of the digits",
                kind: ParamKind::Choice(&["upper", "lower"]),
                default: Some("upper"),
            },
            ParamRow {
                name: "length",
                title: "what the length counts",
                kind: ParamKind::Choice(&["bytes", "digits"]),
                default: Some("bytes"),
            },
        ],
        ..QMT
    },
    QuirkRow {
        name: "no_blank_after_colon",
        title: "No blank stands behind the colon of a line.",
        field: &["F10"],
        params: &[ParamRow {
            name: "lines",
            title: "of MQTT, of the commands beside it, or all",
            kind: ParamKind::Choice(&["mqtt", "beside", "all"]),
            default: Some("mqtt"),
        }],
        ..QMT
    },
    QuirkRow {
        name: "text_ends_at_nul",
        title: "+QMTRECV shows a payload up to its first NUL, though its length is right.",
        field: &["F11"],
        ..QMT
    },
    QuirkRow {
        name: "quote_missing",
        title: "The quotation mark behind the payload of +QMTRECV is missing.",
        field: &["F11"],
        params: &[FROM],
        ..QMT
    },
    QuirkRow {
        name: "line_end_missing",
        title: "The line end of +QMTRECV is missing.",
        field: &["F11"],
        params: &[FROM],
        ..QMT
    },
    QuirkRow {
        name: "conn_two_fields",
        title: "+QMTCONN has two fields and no answer of the broker: 0 where it accepts, 2 where it refuses.",
        field: &["F12"],
        params: &[ParamRow {
            name: "when",
            title: "of which CONNECT",
            kind: ParamKind::Choice(&["success", "failure", "both"]),
            default: Some("both"),
        }],
        ..QMT
    },
    QuirkRow { name: "pub_name", title: "The result of AT+QMTPUBEX is called +QMTPUB.", field: &["F13"], ..QMT },
    QuirkRow {
        name: "will_quotes_taken",
        title: "The message of AT+QMTCFG=\"will\" may have quotation marks in it: the last of the line ends it.",
        field: &["F16"],
        ..QMT
    },
    QuirkRow {
        name: "inline_publish",
        title: "A publish may have its payload in the command line, up to the last quotation mark, instead of a length, or behind it.",
        field: &["F13"],
        params: &[ParamRow {
            name: "numbers",
            title: "what a number without quotation marks behind the topic is",
            kind: ParamKind::Choice(&["length", "payload"]),
            default: Some("length"),
        }],
        ..QMT
    },
];
