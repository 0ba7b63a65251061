//! Every fault there is, as data: name, one line, parameters, and the effect that one of the mechanisms has. A new fault
//! of a known effect is a new row and nothing else.

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

/// A parameter of a fault.
#[derive(Debug)]
pub struct ParamRow {
    /// `ms`
    pub name: &'static str,
    /// What it is, in one line.
    pub title: &'static str,
    /// What it may be.
    pub kind: ParamKind,
    /// What holds without it; `None`: the title says what that means.
    pub default: Option<&'static str>,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    /// A whole number.
    Number {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
        /// `ms`, `bytes`; empty where it only counts.
        unit: &'static str,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Printable text.
    Text,
    /// A command of the module's document: `AT+QMTPUBEX`, with or without `AT`.
    Command,
}

/// What a fault does; the mechanisms look for these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::virtual_module) enum Effect {
    // On a command, before it is carried out.
    Ignore,
    Delay,
    Refuse,
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

const fn ms(title: &'static str, default: &'static str) -> ParamRow {
    ParamRow {
        name: "ms",
        title,
        kind: ParamKind::Number { min: 0, max: 3_600_000, unit: "ms" },
        default: Some(default),
    }
}

/// Every fault there is.
pub const FAULTS: &[FaultRow] = &[
    FaultRow {
        name: "no_answer",
        title: "A command is neither carried out nor answered.",
        params: &[COMMAND, COUNT],
        effect: Effect::Ignore,
    },
    FaultRow {
        name: "late_answer",
        title: "A command is carried out, and answered, late.",
        params: &[ms("how late", "2000"), COMMAND, COUNT],
        effect: Effect::Delay,
    },
    FaultRow {
        name: "error",
        title: "A command is answered ERROR, or with +CME ERROR where AT+CMEE and the document have it, and not carried out.",
        params: &[
            ParamRow {
                name: "cme",
                title: "the number",
                kind: ParamKind::Number { min: 0, max: 999, unit: "" },
                default: Some("4"),
            },
            COMMAND,
            COUNT,
        ],
        effect: Effect::Refuse,
    },
];
