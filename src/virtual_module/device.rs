//! What every part of a virtual module shares: dialect, identity, settings, files, the way to the host and to the network.
//!
//! It does nothing by itself; `module` drives it, and the services work on it.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use std::time::Instant;

use crate::dialect::Matched;
use crate::dialect::Value;
use crate::dialect::schema::Command;
use crate::dialect::schema::Dialect;
use crate::proto::FinalResult;
use crate::proto::PayloadEnd;
use crate::virtual_module::clock;
use crate::virtual_module::clock::Speed;
use crate::virtual_module::conditions::Conditions;
use crate::virtual_module::conditions::UNTOLD;
use crate::virtual_module::faults::Effect;
use crate::virtual_module::faults::Faults;
use crate::virtual_module::files::Files;
use crate::virtual_module::identity::Identity;
use crate::virtual_module::network::LinkEvent;
use crate::virtual_module::network::Links;
use crate::virtual_module::network::Target;
use crate::virtual_module::qmt::cloud::CloudSigning;
use crate::virtual_module::quirks::Quirks;
use crate::virtual_module::replies::Replies;
use crate::virtual_module::replies::Shown;
use crate::virtual_module::settings::Settings;
use crate::virtual_module::surroundings::radio::Radio;

/// One command as the host wrote it, past every rule that needs no state.
pub(super) enum Call<'a> {
    /// `AT+X?`
    Read(&'a str, &'a Command),
    /// `AT+X=…` or `AT+X`
    Write(Matched<'a>),
}

impl Call<'_> {
    /// `AT+QMTOPEN`
    pub(super) fn name(&self) -> &str {
        match self {
            Call::Read(name, _) => name,
            Call::Write(matched) => matched.command_name,
        }
    }
}

/// What becomes of a command.
pub(super) enum Answer {
    /// `OK`.
    Done,
    /// `OK`, and a result of its own follows.
    Accepted,
    /// An error, now.
    Refused(Refusal),
    /// Something must be typed first.
    Typed(Typed),
    /// `OK`, and then this.
    Power(Power),
    /// Nothing: the module falls over it and starts anew.
    Crashed,
}

/// Input that a command asks for.
pub(super) struct Typed {
    pub(super) end: PayloadEnd,
    pub(super) echo: bool,
    pub(super) timeout: Option<Duration>,
    pub(super) asks: Asks,
}

/// How a module asks for input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// `> `
    Prompt,
    /// `CONNECT`
    Connect,
}

/// How typed input ended.
pub(super) enum Ended {
    With(Vec<u8>),
    Cancelled,
    TimedOut,
}

/// What a command does to the whole module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power {
    Restart,
    Off {
        /// It has the time to say so.
        in_good_order: bool,
    },
}

/// Why a command is refused; the numbers are those of 3GPP TS 27.007 (decision 41).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    State = 3,
    Unknown = 4,
    NoSim = 10,
    NoNetwork = 30,
    Parameter = 50,
    Cancelled = 52,
    WindowFull = 159,
    /// Of the makers' own numbers for files; 3GPP has none.
    NoSpace = 420,
}

/// What the numbers are called (3GPP TS 27.007 §9.2), for commands that no document describes. That a command is unknown is
/// not among them: modules say `ERROR` to that.
const GENERAL: [(i64, &str); 5] = [
    (Refusal::State as i64, "operation not allowed"),
    (Refusal::NoSim as i64, "SIM not inserted"),
    (Refusal::NoNetwork as i64, "no network service"),
    (Refusal::Parameter as i64, "incorrect parameters"),
    (Refusal::NoSpace as i64, "no space"),
];

/// The MQTT side of a family.
pub(super) trait Service: Send {
    /// Carries out a command of the document.
    fn call(&mut self, device: &mut Device, call: &Call<'_>) -> Answer;
    /// The input it asked for has ended.
    fn typed(&mut self, device: &mut Device, ended: Ended) -> Answer;
    /// Something happened on a client's connection.
    fn link(&mut self, device: &mut Device, client: u8, event: LinkEvent);
    /// The host has been told of a state.
    fn shown(&mut self, shown: Shown);
    /// When `due` must be called at the latest.
    fn next_deadline(&self) -> Option<Instant> {
        None
    }
    /// Does what its time has come for.
    fn due(&mut self, _device: &mut Device) {}
    /// The network, or one PDP context of it, is gone.
    fn network_down(&mut self, device: &mut Device, context: Option<i64>);
    /// The module restarts: nothing is left.
    fn restart(&mut self);
}

/// Everything the parts of a module share.
pub(super) struct Device {
    pub(super) dialect: &'static Dialect,
    pub(super) identity: Identity,
    pub(super) speed: Speed,
    pub(super) quirks: Quirks,
    pub(super) replies: Replies,
    pub(super) links: Links,
    pub(super) faults: Faults,
    pub(super) files: Files,
    pub(super) radio: Radio,
    pub(super) conditions: Conditions,
    /// The conditions as faults have changed them.
    pub(super) around: Conditions,
    pub(super) cloud: CloudSigning,
    /// The speed of the line after power-up, where it has one.
    pub(super) baud: Option<u32>,
    /// Where a password is fetched when the host does not say.
    pub(super) token_url: Option<String>,
    /// A payload, or the message of a will, that stood in the command line with bytes that no text has.
    pub(super) inline: Option<Vec<u8>>,
    /// Seconds that the module's calendar is ahead of the world's.
    clock_ahead: i64,
    /// What a fault adds to that.
    pub(super) clock_fault: i64,
    /// Whether the network has told it the time since it was switched on.
    knows_time: bool,
    /// Messages that found no room, for each client, since the module was started.
    pub(super) dropped: BTreeMap<u8, u64>,
    settings: BTreeMap<String, Settings>,
    /// The time of this turn.
    pub(super) now: Instant,
    /// What the world's calendar showed, in seconds since 1970, and when.
    calendar: (u64, Instant),
}

impl Device {
    pub(super) fn new(
        dialect: &'static Dialect,
        identity: Identity,
        speed: Speed,
        quirks: Quirks,
        replies: Replies,
        links: Links,
    ) -> Device {
        let now = clock::now();
        Device {
            dialect,
            identity,
            speed,
            quirks,
            replies,
            links,
            faults: Faults::default(),
            files: Files::default(),
            radio: Radio::default(),
            conditions: Conditions::default(),
            around: Conditions::default(),
            cloud: CloudSigning::default(),
            baud: None,
            token_url: None,
            inline: None,
            clock_ahead: 0,
            clock_fault: 0,
            knows_time: false,
            dropped: BTreeMap::new(),
            settings: BTreeMap::new(),
            now,
            calendar: (clock::wall().as_secs(), now),
        }
    }

    /// The settings of a command.
    pub(super) fn settings_mut(&mut self, command: &str) -> &mut Settings {
        self.settings.entry(command.to_owned()).or_default()
    }

    /// A setting in force: written, or the document's default.
    pub(super) fn setting(&self, command: &str, variant: &str, param: &str, index: i64) -> Option<Value> {
        let known = self.dialect.command(command)?;
        match self.settings.get(command) {
            Some(settings) => settings.get(known, variant, param, index),
            None => Settings::default().get(known, variant, param, index),
        }
    }

    /// The same, where it is a number.
    pub(super) fn setting_int(&self, command: &str, variant: &str, param: &str, index: i64) -> Option<i64> {
        match self.setting(command, variant, param, index)? {
            Value::Int(number) => Some(number),
            Value::Text(_) => None,
        }
    }

    /// Answers the query of a keyed command, or stores what it sets.
    pub(super) fn query_or_store(&mut self, call: &Matched<'_>) -> Answer {
        if call.is_query {
            if let Some(line) = self.settings_mut(call.command_name).answer(call) {
                self.replies.info(line);
            }
        } else {
            let left_out_is_default = self.quirks.has("left_out_is_default");
            self.settings_mut(call.command_name).store(call, left_out_is_default);
        }
        Answer::Done
    }

    /// How long a time-out of so many seconds takes.
    pub(super) fn timer(&self, seconds: u64) -> Duration {
        self.speed.seconds(seconds) / if self.quirks.has("timers_early") { 2 } else { 1 }
    }

    /// Activates a PDP context, as opening a connection does; whether that was possible.
    pub(super) fn activate(&mut self, context: i64) -> bool {
        let refused = !self.radio.is_active(context) && self.faults.happens(Effect::RefusePdp, "a PDP context");
        !refused && self.radio.activate(context)
    }

    /// Starts to open a connection.
    pub(super) fn open(&mut self, client: u8, target: Target, timeout: Duration) -> io::Result<()> {
        self.links.open(&mut self.faults, client, target, timeout, self.now)
    }

    /// Messages of a client that found no room.
    pub(super) fn dropped(&self, client: u8) -> u64 {
        self.dropped.get(&client).copied().unwrap_or_default()
    }

    /// AT+IPR shows the speed that the line has.
    pub(super) fn set_baud(&mut self) {
        if let Some(baud) = self.baud {
            self.settings_mut("AT+IPR").set("write", "rate", 0, Value::Int(i64::from(baud)));
        }
    }

    /// Settings that no document lets survive a restart.
    pub(super) fn forget_settings(&mut self) {
        let saves = self.quirks.has("settings_saved");
        self.settings.retain(|command, _| saves && self.dialect.commands.contains_key(command));
        self.set_baud();
    }

    /// Begins anew at an instant at which the world's calendar shows this.
    pub(super) fn set_calendar(&mut self, seconds: u64, at: Instant) {
        (self.calendar, self.now) = ((seconds, at), at);
        self.supply();
        self.search();
    }

    /// Seconds since 1970 by the module's calendar.
    pub(super) fn clock_now(&self) -> u64 {
        self.world_now().saturating_add_signed(self.clock_ahead.saturating_add(self.clock_fault))
    }

    fn world_now(&self) -> u64 {
        let (shown, then) = self.calendar;
        shown + self.now.saturating_duration_since(then).as_secs()
    }

    /// Sets the module's calendar.
    pub(super) fn set_clock(&mut self, seconds: u64) {
        let ahead = i128::from(seconds) - i128::from(self.world_now());
        self.clock_ahead = i64::try_from(ahead).unwrap_or_default();
    }

    /// The network tells the time, if it does.
    pub(super) fn hear_the_time(&mut self) {
        if self.conditions.network_time {
            (self.clock_ahead, self.knows_time) = (self.conditions.clock_error_s, true);
        }
    }

    /// The time by what the network told last.
    pub(super) fn network_time(&self) -> Option<u64> {
        self.knows_time.then(|| self.world_now().saturating_add_signed(self.conditions.clock_error_s))
    }

    /// Begins to look for a network.
    pub(super) fn search(&mut self) {
        self.radio.search(self.now + self.speed.span(self.conditions.registration_delay));
    }

    /// It is supplied with power: its calendar begins where nobody has told it the time.
    pub(super) fn supply(&mut self) {
        self.knows_time = false;
        self.set_clock(UNTOLD);
    }

    /// The final result of a refusal, in the form the host chose; only a document that has the numbers uses them for its
    /// commands (decision 41), or a module whose quirk it is.
    pub(super) fn refusal(&self, refusal: Refusal) -> FinalResult {
        match self.first_error_form() {
            0 => self.error(refusal as i64),
            _ => self.general_error(refusal as i64),
        }
    }

    /// The same for a command beside MQTT, where 3GPP TS 27.007 §9.2 has the numbers.
    pub(super) fn general_refusal(&self, refusal: Refusal) -> FinalResult {
        self.general_error(refusal as i64)
    }

    /// The same for any number.
    pub(super) fn general_error(&self, number: i64) -> FinalResult {
        match (self.error(number), GENERAL.iter().find(|(known, _)| *known == number)) {
            (FinalResult::Error, Some((_, words))) => match self.error_form() {
                1 => FinalResult::Cme(number.to_string()),
                2 => FinalResult::Cme((*words).to_owned()),
                _ => FinalResult::Error,
            },
            (result, _) => result,
        }
    }

    /// `AT+CMEE`: 0 none, 1 numbers, 2 words.
    pub(super) fn error_form(&self) -> i64 {
        self.setting_int("AT+CMEE", "write", "n", 0).unwrap_or_default()
    }

    /// What it is before a host sets it.
    pub(super) fn first_error_form(&self) -> i64 {
        match () {
            () if self.quirks.has("errors_numbered") => 1,
            () if self.quirks.has("errors_in_words") => 2,
            () => 0,
        }
    }

    /// The same for any number.
    pub(super) fn error(&self, number: i64) -> FinalResult {
        const TABLE: &str = "CME 27.007";
        let known = self.dialect.meaning(TABLE, number);
        match (self.error_form(), known) {
            (1, Some(_)) => FinalResult::Cme(number.to_string()),
            (2, Some(row)) => FinalResult::Cme(row.meaning.clone()),
            _ => FinalResult::Error,
        }
    }
}
