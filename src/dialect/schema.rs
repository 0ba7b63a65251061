//! What a dialect file may say. Parse, don't validate: what is not here is an error that names file and key.
//!
//! Maps keep the order of the document. A child file is merged into its parent before it is read as a [`Dialect`]: tables
//! merge key by key, scalars and arrays replace, `remove = ["key", …]` beside the entries of a table takes entries of the
//! parent away, `order = ["key", …]` gives the document's own order. Every entry stands for a fact of *this* document unless
//! its `basis` says otherwise; sharing a line with the parent is a matter of writing, not of source.
//!
//! Longer than 400 lines: it is the one page on which the words of a data file stand.

use indexmap::IndexMap;
use serde::Deserialize;

/// One vendor document, whole.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialect {
    /// Version of this schema.
    pub schema: u32,
    /// `ecx00u_egx00u`
    pub id: String,
    /// The file this one differs from.
    pub parent: Option<String>,
    /// Which set of AT commands.
    pub family: Family,
    /// The document.
    pub document: Document,
    /// Modules it applies to.
    pub modules: Vec<ModuleRow>,
    /// How many MQTT clients a module has; they are numbered from 0.
    pub clients: u8,
    /// Numbers that belong to no single parameter.
    pub limits: Limits,
    /// The MQTT commands, by name (`AT+QMTCFG`).
    pub commands: IndexMap<String, Command>,
    /// What a host needs beside them to bring a module up (basis `decided`); same form.
    #[serde(default)]
    pub surroundings: IndexMap<String, Command>,
    /// Unsolicited result codes, by name (`+QMTSTAT`).
    pub urcs: IndexMap<String, Urc>,
    /// Error tables by name (`QMTSTAT err_code`), rows by code.
    pub error_codes: IndexMap<String, IndexMap<String, CodeRow>>,
    /// Worked examples, in the order of the document.
    #[serde(default)]
    pub examples: Vec<Example>,
    /// Where a virtual module cannot do what a real one does: subject, case, what happens instead.
    #[serde(default)]
    pub virtual_limits: IndexMap<String, IndexMap<String, String>>,
}

/// A set of AT commands.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Quectel, `AT+QMT…`
    Qmt,
    /// SIMCom, `AT+CMQTT…`
    Cmqtt,
}

/// Title page.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// `LTE Standard(A) MQTT`
    pub title: String,
    /// `1.4`; absent where the copy at hand lost it.
    pub version: Option<String>,
    /// ISO date.
    pub date: Option<String>,
}

/// A module the document names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleRow {
    /// `ECx00U`
    pub series: String,
    /// `EC200U Series`
    pub model: String,
}

/// Numbers that belong to no single parameter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Publishes with QoS above 0 in flight.
    pub window: Option<u8>,
    /// Messages the module stores per client.
    pub slots: Option<u8>,
    /// Longest payload of one publish, bytes.
    pub payload_len: u32,
    /// Longest command line, characters.
    pub line_len: Option<u32>,
    /// Largest number of commands in one line.
    pub line_commands: Option<u32>,
}

/// Where a fact or rule comes from.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// The document says it.
    #[default]
    Documented,
    /// A sibling document says it.
    Inherited,
    /// Decided by the project where the documents are silent.
    Decided,
}

/// A form of a command.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// `AT+X=?`
    Test,
    /// `AT+X?`
    Read,
    /// `AT+X=…`
    Write,
    /// `AT+X`
    Execute,
}

/// One command.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// What it does, in one line of ours.
    pub title: String,
    /// Its forms.
    pub forms: Vec<Form>,
    /// How long an answer may take; absent where the document prints none.
    pub max_response: Option<MaxResponse>,
    /// Whether the write form asks for a payload with a prompt.
    #[serde(default)]
    pub prompt: bool,
    /// Section of the document, or `decision 42`.
    pub source: String,
    /// Where the command comes from.
    #[serde(default)]
    pub basis: Basis,
    /// Other spellings the document prints and the device accepts.
    #[serde(default)]
    pub also: Vec<String>,
    /// The lines before `OK` of the test form, literally as documented.
    #[serde(default)]
    pub test_reply: Vec<String>,
    /// Shapes of the lines before `OK` of the read form: parameter names behind the prefix.
    #[serde(default)]
    pub read_reply: Vec<Vec<String>>,
    /// Shapes of the lines before `OK` of the write or execute form: parameter names behind the prefix.
    #[serde(default)]
    pub reply: Vec<Vec<String>>,
    /// Shapes of the result line that completes the command (`+QMTOPEN: <client_idx>,<result>`): parameter names.
    #[serde(default)]
    pub result: Vec<Vec<String>>,
    /// Shapes of the line before `ERROR` of a command refused with a reason, where no line comes on success.
    #[serde(default)]
    pub refusal: Vec<Vec<String>>,
    /// Ways of writing it, by name; a command with a single way has one named `write` (or `execute`).
    #[serde(default)]
    pub variants: IndexMap<String, Variant>,
    /// Its parameters.
    #[serde(default)]
    pub params: IndexMap<String, Param>,
    /// Codes a parameter of the result may carry: parameter, code, meaning.
    #[serde(default)]
    pub results: IndexMap<String, IndexMap<String, CodeRow>>,
    /// Notes worth knowing, each in a sentence of ours.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Of a command that a module answers and does nothing for: what is written behind its name (`?`, `="band"`, nothing),
    /// and the lines before `OK`; those behind a line `OK` follow it. `=*` is any other write form. Such a command has no
    /// `forms`.
    #[serde(default)]
    pub answers: IndexMap<String, Vec<String>>,
}

impl Command {
    /// The lines before `OK` for what is written behind the name, where the command has `answers`.
    pub fn answer(&self, behind: &str) -> Option<&[String]> {
        let written = self.answers.iter().find(|(known, _)| known.eq_ignore_ascii_case(behind));
        let any = || self.answers.get_key_value("=*").filter(|_| behind.starts_with('=') && behind != "=?");
        written.or_else(any).map(|(_, lines)| lines.as_slice())
    }
}

/// Longest time until the answer that completes a command.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxResponse {
    /// Milliseconds.
    pub ms: Option<u64>,
    /// In seconds, from settings: `pkt_timeout*retry_times`.
    pub formula: Option<String>,
    /// The value the document prints for the defaults, milliseconds.
    pub default_ms: Option<u64>,
}

/// One way of writing a command.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// The first, quoted argument that selects it: `version` of `AT+QMTCFG="version",…`.
    pub key: Option<String>,
    /// What it does.
    pub title: Option<String>,
    /// Parameters on the wire, in order, behind the key.
    pub params: Vec<String>,
    /// How many of them must be given.
    pub required: usize,
    /// How many may be given; the smallest of a keyed variant is the query.
    pub counts: Vec<usize>,
    /// The trailing group that may be repeated.
    #[serde(default)]
    pub repeat: Vec<String>,
    /// Parameters in the reply of the query, behind the key; absent where it cannot be queried.
    pub query: Option<Vec<String>>,
    /// Where a value decides how many parameters there must be: `{ "will_fg=1" = [6], "will_fg=0" = [2] }`.
    #[serde(default)]
    pub counts_when: IndexMap<String, Vec<usize>>,
    /// Combinations of values that are refused: `[["msgid=0", "qos=1"]]`.
    #[serde(default)]
    pub forbid: Vec<Vec<String>>,
    /// The parameter that announces the length of the payload to be typed.
    pub payload_length: Option<String>,
    /// Whether a payload is typed whose end is Ctrl-Z (Esc gives it up).
    #[serde(default)]
    pub payload_until_ctrl_z: bool,
    /// Section, where it differs from the command's.
    pub source: Option<String>,
    /// Where the variant comes from.
    #[serde(default)]
    pub basis: Basis,
}

/// Type of a parameter.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum ParamType {
    /// Digits.
    Int,
    /// In quotation marks on the wire.
    String,
}

/// One parameter.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Param {
    /// What it is, in one line of ours.
    pub title: Option<String>,
    /// Type.
    pub r#type: ParamType,
    /// Smallest value.
    pub min: Option<i64>,
    /// Largest value.
    pub max: Option<i64>,
    /// Enumerated values and their meaning; beside a range they are further values, or named ones inside it.
    #[serde(default)]
    pub values: IndexMap<String, String>,
    /// Value after power-up, as written on the wire.
    pub default: Option<String>,
    /// Where the default comes from.
    pub default_source: Option<DefaultSource>,
    /// `s`, `ms`, `bytes`
    pub unit: Option<String>,
    /// Shortest text, bytes.
    pub min_len: Option<u32>,
    /// Longest text, bytes.
    pub max_len: Option<u32>,
    /// Never shown: password, device secret, access key.
    #[serde(default)]
    pub secret: bool,
    /// Written without quotation marks although it is text, or hexadecimal (`0xFFFF`).
    #[serde(default)]
    pub bare: bool,
}

/// Where a default comes from.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum DefaultSource {
    /// Said in words.
    Text,
    /// Underlined.
    Underline,
    /// A sibling document says it.
    Inherited,
    /// Decided by the project.
    Decided,
}

/// A code and what to do about it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeRow {
    /// What it means.
    pub meaning: String,
    /// What to do.
    pub remedy: Option<String>,
}

/// An unsolicited result code.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Urc {
    /// When it comes, in one line of ours.
    pub title: String,
    /// Its shapes: parameter names behind the prefix. `\n` as a name stands for a line end inside the URC.
    pub shapes: Vec<Vec<String>>,
    /// URCs that follow it, each with the client's number and 0.
    #[serde(default)]
    pub followed_by: Vec<String>,
    /// Section.
    pub source: String,
    /// Ranges of its parameters.
    #[serde(default)]
    pub params: IndexMap<String, Param>,
}

/// A worked example.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// Stable slug, unique in the dialect, used in test ids: `5.1`, `3.2.8-connect`.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// Section.
    pub source: String,
    /// The state it starts from.
    #[serde(default)]
    pub setup: Setup,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

/// The state an example starts from; the suite brings the module there and takes it down again.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Setup {
    /// Nothing open, service stopped.
    #[default]
    Idle,
    /// Socket open (QMT).
    Opened,
    /// Service started (CMQTT).
    Started,
    /// Client acquired (CMQTT).
    Acquired,
    /// Client connected.
    Connected,
    /// Client connected, topic and payload of a message entered (CMQTT).
    Staged,
    /// Certificates of the rig's broker are on the module (CMQTT), service stopped.
    Certificates,
}

/// One step: a line the host writes, and what comes back.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Command line without CR; absent for a step in which only the peer acts or only a URC is awaited.
    pub send: Option<String>,
    /// Lines that must come, `>` for a prompt, `CONNECT` for an upload. Order of prompt, `OK` and result counts.
    #[serde(default)]
    pub expect: Vec<String>,
    /// What is typed at the prompt.
    pub payload: Option<String>,
    /// Where the payload comes from.
    pub payload_source: Option<PayloadSource>,
    /// What another client of the broker does before the lines are awaited.
    pub peer: Option<Peer>,
    /// What the document prints, where `send` or `expect` corrects it; lines joined by `\n`.
    pub as_printed: Option<String>,
}

/// Where a payload comes from.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum PayloadSource {
    /// The document prints it.
    Document,
    /// Lost in the document; ours, of the announced length.
    Ours,
    /// The CA certificate of the rig's broker; size and checksum in the step are recomputed.
    CaCert,
    /// The client certificate of the rig.
    ClientCert,
    /// The client key of the rig.
    ClientKey,
}

/// Another client of the same broker.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// It publishes this.
    pub publish: PeerPublish,
}

/// A message the other client publishes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerPublish {
    /// Topic.
    pub topic: String,
    /// Payload.
    pub payload: String,
    /// Quality of service.
    #[serde(default)]
    pub qos: u8,
}
