//! Every fault there is, as data: name, one line, parameters, and the effect that one of the mechanisms has. A new fault
//! of a known effect is a new row and nothing else.
//!
//! Longer than 400 lines: it is one table.

use crate::virtual_module::faults::packets::FIELDS;
use crate::virtual_module::faults::packets::LOSABLE;
use crate::virtual_module::faults::wire::ACKNOWLEDGEMENTS;
use crate::virtual_module::params::ParamKind;
use crate::virtual_module::params::ParamRow;

/// One fault.
#[derive(Debug)]
pub struct FaultRow {
    /// `late_answer`
    pub name: &'static str,
    /// What happens, in one line.
    pub title: &'static str,
    /// What can be chosen.
    pub params: &'static [ParamRow],
    pub(in crate::virtual_module) effect: Effect,
}

/// What a fault does; the mechanisms look for these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::virtual_module) enum Effect {
    // On a command, before it is carried out; `Freeze` and `Restart` also without any.
    Ignore,
    Delay,
    Refuse,
    Freeze,
    /// Behind the answer.
    Restart,
    // On the bytes of an answer.
    Split,
    Insert,
    Die,
    // On the lines of the module.
    Reword,
    Double,
    /// The final result waits for the late result.
    Reorder,
    // On the bytes of the line.
    GarbleEcho,
    Noise,
    Lose,
    // On packets and bytes between module and network.
    LoseAck,
    DelayAck,
    DoubleAck,
    LosePacket,
    ChangePacket,
    Unsent,
    RefuseConnect,
    Close,
    Cut,
    // On what is around the module.
    LoseRegistration,
    LoseNetwork,
    WrongClock,
    LosePdp,
    RefusePdp,
    Unresolved,
    FullFiles,
}

const COUNT: ParamRow = ParamRow {
    name: "count",
    title: "how often it happens; without it, until it is cleared",
    kind: ParamKind::Number { min: 1, max: 1_000_000, unit: "" },
    default: None,
};
const COMMAND: ParamRow = ParamRow {
    name: "command",
    title: "only for this command; without it, for every one",
    kind: ParamKind::Command,
    default: None,
};

const LINE: ParamRow = ParamRow {
    name: "line",
    title: "only for command lines with this text in them; without it, for every one",
    kind: ParamKind::Text,
    default: None,
};
const TOPIC: ParamRow = ParamRow {
    name: "topic",
    title: "only packets with this text in a topic, or in the client id of CONNECT; without it, each",
    kind: ParamKind::Text,
    default: None,
};
const PACKET_WAY: ParamRow = ParamRow {
    title: "which way: from the broker to the module, or to the broker",
    kind: ParamKind::Choice(&["in", "out", "both"]),
    default: Some("out"),
    ..DIRECTION
};

const fn ms(title: &'static str, default: &'static str) -> ParamRow {
    ParamRow {
        name: "ms",
        title,
        kind: ParamKind::Number { min: 0, max: 3_600_000, unit: "ms" },
        default: Some(default),
    }
}

const ONCE: ParamRow = ParamRow { title: "how often it happens", default: Some("1"), ..COUNT };
const DIRECTION: ParamRow = ParamRow {
    name: "direction",
    title: "which way: what the module says, what it hears, or both",
    kind: ParamKind::Choice(&["out", "in", "both"]),
    default: Some("both"),
};

const FOR: ParamRow = ParamRow {
    name: "ms",
    title: "for how long; without it, until it is cleared",
    kind: ParamKind::Number { min: 1, max: 3_600_000, unit: "ms" },
    default: None,
};
const ACK: ParamRow = ParamRow {
    name: "kind",
    title: "which acknowledgement",
    kind: ParamKind::Choice(ACKNOWLEDGEMENTS),
    default: Some("any"),
};
const ACK_WAY: ParamRow = ParamRow {
    title: "which way: from the broker to the module, or to the broker",
    kind: ParamKind::Choice(&["in", "out"]),
    default: Some("in"),
    ..DIRECTION
};

const fn bytes(name: &'static str, title: &'static str, min: i64, default: &'static str) -> ParamRow {
    ParamRow { name, title, kind: ParamKind::Number { min, max: 1_000_000, unit: "bytes" }, default: Some(default) }
}

/// Every fault there is.
pub const FAULTS: &[FaultRow] = &[
    FaultRow {
        name: "no_answer",
        title: "A command is neither carried out nor answered.",
        params: &[COMMAND, LINE, COUNT],
        effect: Effect::Ignore,
    },
    FaultRow {
        name: "late_answer",
        title: "A command is carried out, and answered, late.",
        params: &[ms("how late", "2000"), COMMAND, LINE, COUNT],
        effect: Effect::Delay,
    },
    FaultRow {
        name: "error",
        title: "A command is refused with ERROR, or +CME ERROR where AT+CMEE and the document have it.",
        params: &[
            ParamRow {
                name: "cme",
                title: "the number",
                kind: ParamKind::Number { min: 0, max: 999, unit: "" },
                default: Some("4"),
            },
            COMMAND,
            LINE,
            COUNT,
        ],
        effect: Effect::Refuse,
    },
    FaultRow {
        name: "freeze",
        title: "The module hears and says nothing for a while, then goes on with what it was sent.",
        params: &[
            ParamRow { kind: FOR.kind, ..ms("for how long", "2000") },
            ParamRow { title: "when this command comes; without it, at once", ..COMMAND },
            ONCE,
        ],
        effect: Effect::Freeze,
    },
    FaultRow {
        name: "restart",
        title: "The module restarts by itself.",
        params: &[ParamRow { title: "behind the answer to this command; without it, at once", ..COMMAND }, ONCE],
        effect: Effect::Restart,
    },
    FaultRow {
        name: "restart_in_answer",
        title: "The module restarts in the middle of an answer.",
        params: &[bytes("at", "behind so many bytes of the answer", 0, "3"), COMMAND, ONCE],
        effect: Effect::Die,
    },
    FaultRow {
        name: "split_answer",
        title: "An answer comes in two parts with a pause between them.",
        params: &[bytes("at", "bytes before the pause", 0, "3"), ms("length of the pause", "500"), COMMAND, COUNT],
        effect: Effect::Split,
    },
    FaultRow {
        name: "urc_in_answer",
        title: "A line that nobody asked for comes in the middle of an answer.",
        params: &[
            bytes("at", "bytes of the answer before it", 0, "3"),
            ParamRow {
                name: "text",
                title: "the line, without line ends",
                kind: ParamKind::Text,
                default: Some("+CREG: 1"),
            },
            COMMAND,
            COUNT,
        ],
        effect: Effect::Insert,
    },
    FaultRow {
        name: "reworded",
        title: "A line of the module, or its prompt, comes with other words.",
        params: &[
            ParamRow {
                name: "from",
                title: "what is replaced in each line that has it; without it, the whole line",
                kind: ParamKind::Text,
                default: None,
            },
            ParamRow {
                name: "to",
                title: "by what; nothing: a line of which nothing is left does not come",
                kind: ParamKind::TextOrNone,
                default: Some(""),
            },
            COMMAND,
            LINE,
            COUNT,
        ],
        effect: Effect::Reword,
    },
    FaultRow {
        name: "doubled",
        title: "A line of the module comes twice.",
        params: &[
            ParamRow { name: "text", title: "a line with this text in it; without it, each", ..LINE },
            COMMAND,
            LINE,
            COUNT,
        ],
        effect: Effect::Double,
    },
    FaultRow {
        name: "reordered",
        title: "The result line that completes a command comes before its OK.",
        params: &[COMMAND, LINE, COUNT],
        effect: Effect::Reorder,
    },
    FaultRow {
        name: "echo_garbage",
        title: "The echo comes back as other bytes.",
        params: &[COUNT],
        effect: Effect::GarbleEcho,
    },
    FaultRow {
        name: "noise",
        title: "Bytes arrive as others, as at a wrong baud rate.",
        params: &[
            DIRECTION,
            ParamRow {
                name: "percent",
                title: "how many of a hundred",
                kind: ParamKind::Number { min: 1, max: 100, unit: "%" },
                default: Some("100"),
            },
            ParamRow { title: "how many bytes in all; without it, until it is cleared", ..COUNT },
        ],
        effect: Effect::Noise,
    },
    FaultRow {
        name: "lost_bytes",
        title: "Bytes of the line are lost, again and again.",
        params: &[
            DIRECTION,
            bytes("after", "so many pass", 0, "16"),
            bytes("length", "before so many are lost", 1, "1"),
            COUNT,
        ],
        effect: Effect::Lose,
    },
    FaultRow {
        name: "ack_lost",
        title: "An acknowledgement of MQTT does not arrive.",
        params: &[ACK, ACK_WAY, COUNT],
        effect: Effect::LoseAck,
    },
    FaultRow {
        name: "ack_late",
        title: "An acknowledgement of MQTT arrives late; other packets overtake it.",
        params: &[ms("how late", "2000"), ACK, ACK_WAY, COUNT],
        effect: Effect::DelayAck,
    },
    FaultRow {
        name: "ack_doubled",
        title: "An acknowledgement of MQTT arrives twice.",
        params: &[ACK, ACK_WAY, COUNT],
        effect: Effect::DoubleAck,
    },
    FaultRow {
        name: "packet_lost",
        title: "A packet of MQTT that acknowledges nothing does not arrive.",
        params: &[
            ParamRow {
                name: "kind",
                title: "which packet; publish_again is a repetition, with DUP set",
                kind: ParamKind::Choice(LOSABLE),
                default: Some("publish"),
            },
            PACKET_WAY,
            TOPIC,
            COUNT,
        ],
        effect: Effect::LosePacket,
    },
    FaultRow {
        name: "packet_changed",
        title: "A field of a packet of MQTT arrives as another.",
        params: &[
            ParamRow {
                name: "field",
                title: "which packet and field",
                kind: ParamKind::Choice(FIELDS),
                default: Some("publish.retain"),
            },
            ParamRow {
                name: "value",
                title: "what it is then; flags are 0 or 1, connect.will can only be 0",
                kind: ParamKind::TextOrNone,
                default: Some("1"),
            },
            PACKET_WAY,
            TOPIC,
            COUNT,
        ],
        effect: Effect::ChangePacket,
    },
    FaultRow {
        name: "broker_refuses",
        title: "The broker's CONNACK refuses the connection.",
        params: &[
            ParamRow {
                name: "code",
                title: "its code",
                kind: ParamKind::Number { min: 1, max: 255, unit: "" },
                default: Some("3"),
            },
            COUNT,
        ],
        effect: Effect::RefuseConnect,
    },
    FaultRow {
        name: "broker_closes",
        title: "The broker closes the connection.",
        params: &[
            ParamRow {
                name: "at",
                title: "when it gets such a packet; now: at once, or as soon as there is a connection",
                kind: ParamKind::Choice(&["now", "connect", "subscribe", "unsubscribe", "publish", "pingreq"]),
                default: Some("now"),
            },
            ONCE,
        ],
        effect: Effect::Close,
    },
    FaultRow {
        name: "link_cut",
        title: "The link to the broker is cut behind a byte of what passes.",
        params: &[
            bytes("after", "so many bytes of MQTT pass first, counted from now", 0, "0"),
            ParamRow { title: "which bytes count: to the module, from it, or both", ..DIRECTION },
            ParamRow {
                name: "how",
                title: "what the module sees: a reset, an orderly end, nothing at all any more, or that its socket refuses what it writes",
                kind: ParamKind::Choice(&["reset", "close", "silence", "refusal"]),
                default: Some("reset"),
            },
            ONCE,
        ],
        effect: Effect::Cut,
    },
    FaultRow {
        name: "unsent",
        title: "What the module writes to its network, MQTT or HTTP, does not leave it.",
        params: &[
            ParamRow {
                name: "how",
                title: "what the module sees: its socket refuses the bytes, or keeps them until the connection ends",
                kind: ParamKind::Choice(&["refuses", "waits"]),
                default: Some("refuses"),
            },
            ParamRow { title: "how often; without it, until it is cleared", ..COUNT },
        ],
        effect: Effect::Unsent,
    },
    FaultRow {
        name: "registration_lost",
        title: "The network is there and no longer takes the module: its registration is denied.",
        params: &[FOR],
        effect: Effect::LoseRegistration,
    },
    FaultRow {
        name: "network_lost",
        title: "There is no network any more, and no signal: the module searches for one.",
        params: &[FOR],
        effect: Effect::LoseNetwork,
    },
    FaultRow {
        name: "pdp_lost",
        title: "The network ends a PDP context, as soon as it is active.",
        params: &[
            ParamRow {
                name: "context",
                title: "which one",
                kind: ParamKind::Number { min: 1, max: 16, unit: "" },
                default: Some("1"),
            },
            ONCE,
        ],
        effect: Effect::LosePdp,
    },
    FaultRow {
        name: "pdp_refused",
        title: "The network gives no PDP context to a module that wants one.",
        params: &[COUNT],
        effect: Effect::RefusePdp,
    },
    FaultRow { name: "dns_fails", title: "A host name is not resolved.", params: &[COUNT], effect: Effect::Unresolved },
    FaultRow {
        name: "clock_wrong",
        title: "The module's calendar is wrong.",
        params: &[
            ParamRow {
                name: "seconds",
                title: "by so many, ahead or, negative, behind",
                kind: ParamKind::Number { min: -4_000_000_000, max: 4_000_000_000, unit: "s" },
                default: Some("-315576000"),
            },
            FOR,
        ],
        effect: Effect::WrongClock,
    },
    FaultRow {
        name: "file_system_full",
        title: "There is no room for the file that the host would upload.",
        params: &[COUNT],
        effect: Effect::FullFiles,
    },
];
