//! What the TE end reports: plain values, never changed once made.
//!
//! The vocabulary is that of the transcript decoder; each variant is one kind of JSON line there.

/// What a module client is asked to do; late results, retry notices and stale results carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Open the socket (QMTOPEN).
    Open,
    /// Close the socket (QMTCLOSE).
    Close,
    /// Connect to the broker (QMTCONN, CMQTTCONNECT).
    Connect,
    /// Disconnect from the broker (QMTDISC, CMQTTDISC).
    Disconnect,
    /// Subscribe.
    Subscribe,
    /// Unsubscribe.
    Unsubscribe,
    /// Publish.
    Publish,
    /// Start the service (CMQTTSTART).
    Start,
    /// Stop the service (CMQTTSTOP).
    Stop,
    /// Acquire a client (CMQTTACCQ).
    Acquire,
    /// Release a client (CMQTTREL).
    Release,
    /// Typed input of a topic, will or payload (CMQTTTOPIC, CMQTTPAYLOAD, CMQTTWILLTOPIC, CMQTTWILLMSG).
    Input,
    /// Fetch a cloud token (QMTTENAUTH).
    Token,
    /// Upload a file (QFUPL, CCERTDOWN).
    Upload,
}

/// The final result code of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinalResult {
    /// `OK`, or `0` in the numeric form.
    Ok,
    /// `ERROR`, or `4` in the numeric form; also `NO CARRIER` and its like.
    Error,
    /// `+CME ERROR: <err>`: the number or the text behind the colon.
    Cme(String),
    /// `+CMS ERROR: <err>`.
    Cms(String),
}

/// How the end of a payload was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// A length announced before it.
    Length,
    /// The closing quotation mark before a line end.
    Quotes,
    /// The closing quotation mark and silence behind it.
    Silence,
    /// The line end.
    Line,
}

/// A message the module received from the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The module's client.
    pub client: u8,
    /// Packet identifier; `None` where the shape has none.
    pub msgid: Option<u16>,
    /// Topic name, as sent.
    pub topic: Vec<u8>,
    /// Payload, decoded when hexadecimal output is on.
    pub payload: Vec<u8>,
    /// How the end of the payload was found.
    pub delimiter: Delimiter,
}

/// One event of the TE end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The command line or the payload came back.
    Echo,
    /// The module asks for a payload.
    Prompt,
    /// `CONNECT`: the module takes a file.
    Connect,
    /// The pending command ended.
    Final(FinalResult),
    /// A line that belongs to the pending command, before its final result; `line` without line ends.
    Info {
        /// Prefix up to the colon (`+CSQ`), empty where the line has none.
        name: String,
        /// The whole line.
        line: Vec<u8>,
    },
    /// A late result: it completes a request by its own line, before or after `OK`.
    Result {
        /// What was asked.
        op: Op,
        /// Prefix without the plus sign: `QMTOPEN`.
        name: String,
        /// The client, where the line names one.
        client: Option<u8>,
        /// The packet identifier, where the line names one.
        msgid: Option<u16>,
        /// Result or error code.
        code: i32,
        /// What follows: granted QoS, CONNACK return code.
        values: Vec<i32>,
    },
    /// Progress: the packet was sent again; the request stays pending.
    Retry {
        /// What was asked.
        op: Op,
        /// Prefix without the plus sign; may differ from the command (`QMTPUBREL`).
        name: String,
        /// The client.
        client: u8,
        /// Packet identifier.
        msgid: u16,
        /// How many times it was sent again, where the line says so.
        count: Option<u16>,
    },
    /// A result nobody waits for any more.
    Stale {
        /// What it would have answered.
        op: Op,
        /// Prefix without the plus sign.
        name: String,
        /// The client, where the line names one.
        client: Option<u8>,
        /// The packet identifier, where the line names one.
        msgid: Option<u16>,
    },
    /// A message arrived.
    Message(Message),
    /// A message waits in a slot of the module.
    Stored {
        /// The client.
        client: u8,
        /// The slot.
        index: u8,
        /// Payload length, where reported.
        payload_len: Option<u32>,
    },
    /// Which slots are occupied (answer of `AT+QMTRECV?`).
    Slots {
        /// The client.
        client: u8,
        /// Occupied slots, ascending.
        used: Vec<u8>,
    },
    /// State of a client (answer of `AT+QMTCONN?`).
    State {
        /// The client.
        client: u8,
        /// 1 initialising, 2 connecting, 3 connected, 4 disconnecting.
        state: u8,
    },
    /// The connection of a client is gone (`+QMTSTAT`, `+CMQTTCONNLOST`).
    Lost {
        /// The client.
        client: u8,
        /// The documented code.
        code: i32,
    },
    /// Keep-alive failed (`+QMTPING`).
    Ping {
        /// The client.
        client: u8,
        /// The documented result.
        result: i32,
    },
    /// The bearer is gone: every client ended, the module still runs.
    BearerLost,
    /// The module restarted: every client and every pending request ended.
    Restarted,
    /// The module switched itself off.
    Gone,
    /// Another unsolicited line.
    Urc {
        /// Prefix up to the colon, or the whole line where it has none.
        name: String,
        /// The whole line.
        line: Vec<u8>,
    },
    /// Bytes that mean nothing here; reported so that nothing is lost.
    Ignored(Vec<u8>),
    /// Bytes given up because the line they began had no end.
    Overflowed(Vec<u8>),
    /// A line that could not be recovered; the parser is back in step.
    Damaged {
        /// Prefix without the plus sign.
        name: String,
        /// The client, where still readable.
        client: Option<u8>,
        /// What was there.
        bytes: Vec<u8>,
    },
}
