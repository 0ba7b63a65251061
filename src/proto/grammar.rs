//! What the framer and the sessions must be told: which lines are results, messages, noise; which commands ask for a
//! payload; which settings change the wire. No vendor is named here: `dialect::grammar` fills it.

use crate::proto::Awaited;
use crate::proto::Op;
use crate::proto::command_line::Arg;
use crate::proto::command_line::Form;
use crate::proto::command_line::ParsedCommand;
use crate::proto::lines::begins_as_boot_text;
use crate::proto::seen::Seen;
use crate::proto::seen::begins;
use crate::proto::seen::begins_until;

/// All a session knows of the commands it carries.
#[derive(Debug)]
pub struct Grammar {
    /// Sorted by name, for binary search.
    rules: Vec<LineRule>,
    words: Vec<WordRule>,
    commands: Vec<CommandRule>,
    settings: Vec<SettingRule>,
    /// The name of the message line, tried before anything else: it is the hot path.
    message: Option<&'static str>,
}

/// A line known by its prefix.
#[derive(Clone, Copy, Debug)]
pub struct LineRule {
    /// With its leading sign, without the colon: `+QMTOPEN`.
    pub name: &'static str,
    /// What the line is.
    pub kind: LineKind,
}

/// What a line with a known prefix is, unless the pending command claims it as its information response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// A late result.
    Result {
        /// What it completes.
        op: Op,
        /// Its fields.
        shape: Shape,
    },
    /// A progress notice of its own name: client, msgid, 1 [, count].
    Retry(Op),
    /// Connection of a client gone: client, code.
    Lost,
    /// Keep-alive failed: client, result.
    Ping,
    /// A received message, or the notice of a stored one.
    Message,
    /// First line of a received block: client, topic length, payload length.
    BlockStart,
    /// Header of the topic: client, length; the topic follows.
    BlockTopic,
    /// Header of a payload part: client, length; the part follows.
    BlockPayload,
    /// Last line of a received block: client.
    BlockEnd,
    /// The bearer is gone, if the line holds this text (empty: always); otherwise noise.
    BearerLost(&'static str),
    /// The module restarted.
    Restarted,
    /// Registration: unsolicited the line has one figure; as an answer a second one follows.
    Registration,
    /// Known noise.
    Noise,
}

/// Fields of a late result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `code[,text]`
    Code,
    /// `client,code[,value…]`
    ClientCode,
    /// The same, where code 1 is a progress notice.
    ClientCodeNotice,
    /// `client,msgid,result[,value…]`; result 1 is a progress notice.
    ClientMsgid,
}

/// A line that is a word, without a prefix.
#[derive(Clone, Copy, Debug)]
pub struct WordRule {
    /// The whole line.
    pub text: &'static str,
    /// What it means.
    pub kind: WordKind,
}

/// What a word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordKind {
    /// The module restarted.
    Restarted,
    /// The module switched itself off.
    Gone,
    /// Known noise.
    Noise,
}

/// A command the sessions must know something about.
#[derive(Clone, Copy, Debug)]
pub struct CommandRule {
    /// `+QMTPUB`
    pub name: &'static str,
    /// What its result line completes; `None` where it has none.
    pub op: Option<Op>,
    /// Whether an accepted command is always followed by its result line; otherwise only a refusal has one.
    pub late: bool,
    /// Whether the result line may also come behind a refusal, and explains it.
    pub explained: bool,
    /// Which argument is the packet identifier.
    pub msgid_arg: Option<usize>,
    /// What it asks for.
    pub input: InputRule,
    /// What the lines of its read form are.
    pub read: ReadRule,
}

/// What a command asks for after its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputRule {
    /// Nothing.
    None,
    /// Counted bytes, when at least `least` arguments are given; the argument at `at` is the length.
    Counted {
        /// Index of the length.
        at: usize,
        /// Fewest arguments that make the module ask.
        least: usize,
    },
    /// As `Counted` with all `full` arguments; with one less the last may be something else than a length, and only the
    /// module knows.
    CountedOr {
        /// Place of the length.
        at: usize,
        /// Arguments of the full form.
        full: usize,
    },
    /// As `Counted`, when the first argument is this key.
    Keyed {
        /// The key, lower case.
        key: &'static str,
        /// Index of the length.
        at: usize,
    },
    /// A publish: counted when the argument at `at` is a number, inline when it is a text, else up to Ctrl-Z.
    Publish {
        /// Index of the length.
        at: usize,
    },
    /// A file behind `CONNECT`; the argument at `at` is the length.
    File {
        /// Index of the length.
        at: usize,
    },
}

/// What the lines of a read form are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadRule {
    /// Information lines.
    Info,
    /// Information lines that hold a text; a line of figures alone is a late result.
    Text,
    /// `client,state` with a state of 1 to 4.
    State,
    /// `client,0|1,…`, one figure per slot.
    Slots,
}

/// A setting that changes what the module sends.
#[derive(Clone, Copy, Debug)]
pub struct SettingRule {
    /// `+QMTCFG`
    pub command: &'static str,
    /// First argument, lower case.
    pub key: &'static str,
    /// Index of the argument that holds 0 or 1; the client is the argument at 1.
    pub at: usize,
    /// What it switches.
    pub what: Setting,
}

/// What a [`SettingRule`] switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The length stands before the payload.
    Length,
    /// The payload is hexadecimal.
    Hex,
    /// The host types the payload as hexadecimal digits.
    TypedHex,
    /// The module shows what the host types as payload.
    TypedShown,
}

impl InputRule {
    /// Which argument announces how long the input is.
    pub fn length_at(&self) -> Option<usize> {
        match self {
            InputRule::None => None,
            InputRule::Counted { at, .. }
            | InputRule::CountedOr { at, .. }
            | InputRule::Keyed { at, .. }
            | InputRule::Publish { at }
            | InputRule::File { at } => Some(*at),
        }
    }
}

impl Setting {
    /// How many there are.
    pub(super) const COUNT: usize = 4;
}

/// What a command line makes the module ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing.
    Nothing,
    /// This many bytes behind a prompt.
    Counted(usize),
    /// Bytes up to Ctrl-Z behind a prompt.
    UntilCtrlZ,
    /// A file of this length behind `CONNECT`.
    File(usize),
    /// The command is unknown: a prompt is possible.
    Possible,
}

/// One of two things stands here.
fn either(one: Seen<()>, other: Seen<()>) -> Seen<()> {
    match (one, other) {
        (Seen::Yes(()), _) | (_, Seen::Yes(())) => Seen::Yes(()),
        (Seen::More, _) | (_, Seen::More) => Seen::More,
        _ => Seen::No,
    }
}

impl Grammar {
    /// Builds a grammar; the order of the rules does not matter.
    pub fn new(
        mut rules: Vec<LineRule>,
        words: Vec<WordRule>,
        commands: Vec<CommandRule>,
        settings: Vec<SettingRule>,
    ) -> Grammar {
        rules.sort_by_key(|rule| rule.name);
        let message = rules.iter().find(|rule| rule.kind == LineKind::Message).map(|rule| rule.name);
        Grammar { rules, words, commands, settings, message }
    }

    /// What a line with this prefix is.
    pub fn line(&self, name: &[u8]) -> Option<LineKind> {
        let found = self.rules.binary_search_by(|rule| rule.name.as_bytes().cmp(name));
        found.ok().map(|index| self.rules[index].kind)
    }

    /// What a line without a prefix means.
    pub fn word(&self, line: &[u8]) -> Option<WordKind> {
        self.words.iter().find(|word| word.text.as_bytes() == line).map(|word| word.kind)
    }

    /// The texts of all words.
    pub fn words(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.words.iter().map(|word| word.text)
    }

    /// Where, before `end`, at the beginning or behind a line end, a line begins that says the module restarted or
    /// switched itself off.
    pub(super) fn restart_in(&self, bytes: &[u8], end: usize) -> Seen<usize> {
        let mut undecided = false;
        let inside = &bytes[..end.saturating_sub(1).min(bytes.len())];
        let starts = memchr::memchr_iter(b'\n', inside).map(|found| found + 1);
        for start in std::iter::once(0).chain(starts) {
            match self.restart_at(&bytes[start..]) {
                Seen::Yes(()) => return Seen::Yes(start),
                Seen::More => undecided = true,
                Seen::No => {}
            }
        }
        if undecided { Seen::More } else { Seen::No }
    }

    fn restart_at(&self, rest: &[u8]) -> Seen<()> {
        let words = self.words.iter().filter(|word| word.kind != WordKind::Noise);
        let words = words.map(|word| begins(rest, word.text.as_bytes()));
        let lines = self.rules.iter().filter(|rule| rule.kind == LineKind::Restarted);
        let lines = lines.map(|rule| begins_until(rest, rule.name.as_bytes(), b':'));
        words.chain(lines).chain([begins_as_boot_text(rest)]).reduce(either).unwrap_or(Seen::No)
    }

    /// Whether a received block goes on here, behind line ends.
    pub(super) fn block_goes_on(&self, rest: &[u8]) -> Seen<()> {
        let ends = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let is_block = |kind| matches!(kind, LineKind::BlockTopic | LineKind::BlockPayload | LineKind::BlockEnd);
        let rules = self.rules.iter().filter(|rule| is_block(rule.kind));
        let seen = rules.map(|rule| begins_until(&rest[ends..], rule.name.as_bytes(), b':'));
        seen.reduce(either).unwrap_or(Seen::No)
    }

    /// What is known of a command.
    pub fn command(&self, name: &str) -> Option<&CommandRule> {
        self.commands.iter().find(|rule| rule.name == name)
    }

    /// Prefix of the message line.
    pub fn message_name(&self) -> Option<&'static str> {
        self.message
    }

    /// Name of the first line of a received block, without its sign.
    pub fn block_name(&self) -> String {
        let start = self.rules.iter().find(|rule| rule.kind == LineKind::BlockStart);
        start.map_or_else(String::new, |rule| rule.name.trim_start_matches('+').to_string())
    }

    /// The result line that may answer this command, and whether it always comes once the command is accepted.
    pub fn awaited(&self, command: &ParsedCommand) -> Option<(Awaited, bool)> {
        let rule = self.command(&command.name)?;
        let op = rule.op.filter(|_| matches!(command.form, Form::Write | Form::Execute))?;
        let number = |at: usize| command.args.get(at).and_then(Arg::number);
        let client = number(0).and_then(|n| u8::try_from(n).ok());
        let msgid = rule.msgid_arg.and_then(number).and_then(|n| u16::try_from(n).ok());
        Some((Awaited { op, client, msgid }, rule.late))
    }

    /// What this command makes the module ask for.
    pub fn asked(&self, command: &ParsedCommand) -> Asked {
        let Some(rule) = self.command(&command.name) else {
            let known = command.form != Form::Write && command.form != Form::Execute;
            return if known || !command.name.starts_with('+') { Asked::Nothing } else { Asked::Possible };
        };
        if command.form != Form::Write {
            return Asked::Nothing;
        }
        let number = |at: usize| command.args.get(at).and_then(Arg::number).and_then(|n| usize::try_from(n).ok());
        match rule.input {
            InputRule::None => Asked::Nothing,
            InputRule::Counted { at, least } if command.args.len() >= least => {
                number(at).map_or(Asked::Possible, Asked::Counted)
            }
            InputRule::Counted { .. } => Asked::Nothing,
            InputRule::CountedOr { at, full } if command.args.len() >= full => {
                number(at).map_or(Asked::Possible, Asked::Counted)
            }
            InputRule::CountedOr { .. } => Asked::Possible,
            InputRule::Keyed { key, at } if command.args.first().is_some_and(|arg| arg.is_key(key)) => {
                number(at).map_or(Asked::Nothing, Asked::Counted)
            }
            InputRule::Keyed { .. } => Asked::Nothing,
            InputRule::Publish { at } if command.args.len() == at => Asked::UntilCtrlZ,
            InputRule::Publish { at } => number(at).map_or(Asked::Nothing, Asked::Counted),
            InputRule::File { at } => Asked::File(number(at).unwrap_or(0)),
        }
    }

    /// Whether the input this command asks for is a message, and whose client's; `None` where it asks for none.
    pub fn client_of_input(&self, command: &ParsedCommand) -> Option<(bool, u8)> {
        if self.asked(command) == Asked::Nothing {
            return None;
        }
        let is_message = matches!(self.command(&command.name)?.input, InputRule::Publish { .. });
        let client = command.args.iter().find_map(Arg::number)?;
        Some((is_message, u8::try_from(client).ok()?))
    }

    /// The setting an accepted command changes: what, for which client, to which value.
    pub fn setting(&self, command: &ParsedCommand) -> impl Iterator<Item = (Setting, u8, bool)> + '_ {
        let args: Vec<_> = command.args.iter().map(Arg::number).collect();
        let key = command.args.first().cloned();
        let name = command.name.clone();
        self.settings.iter().filter_map(move |rule| {
            let fits = rule.command == name && key.as_ref().is_some_and(|key| key.is_key(rule.key));
            let client = args.get(1).copied().flatten().and_then(|n| u8::try_from(n).ok())?;
            let value = args.get(rule.at).copied().flatten()?;
            fits.then_some((rule.what, client, value == 1))
        })
    }
}
