//! Named departures from a document, off unless asked for. The table holds those that exist; a name that is not in it is
//! refused. Behaviour asks [`Quirks::has`].

use crate::error::Error;
use crate::error::Kind;

/// One row: what a host sees when it is on.
#[derive(Clone, Copy, Debug)]
pub struct QuirkRow {
    /// `result_before_ok`
    pub name: &'static str,
    /// In one line.
    pub title: &'static str,
}

/// Every quirk there is.
pub const QUIRKS: &[QuirkRow] = &[
    QuirkRow { name: "prompt_on_own_line", title: "The prompt is followed by a line end (F8)." },
    QuirkRow { name: "tls_checks_host_name", title: "TLS levels 1 and 2 check the broker's name, too (decision 39)." },
    QuirkRow { name: "ctrl_z_ends_input", title: "Ctrl-Z ends an input, too, whose length was announced." },
    QuirkRow {
        name: "odd_read_forms",
        title: "A read form of MQTT says one field more, and a line where there is none.",
    },
    QuirkRow { name: "timers_early", title: "Packets, typed input and the keep-alive wait half their time." },
    // Of the settings of AT+QMTCFG.
    QuirkRow { name: "settings_unlocked", title: "Settings can be changed while the client is connected." },
    QuirkRow { name: "settings_shared", title: "A setting of one client is that of all." },
    QuirkRow { name: "settings_saved", title: "Settings survive a loss of power." },
    QuirkRow { name: "settings_forgotten", title: "AT+QMTCLOSE puts the settings of its client back." },
    QuirkRow { name: "left_out_is_default", title: "A parameter that is left out goes back to its default." },
    // Of command lines.
    QuirkRow { name: "bare_text_taken", title: "A text without quotation marks, or a number with them, is taken." },
    QuirkRow { name: "letters_counted", title: "The length of a text is that of its characters, not of its bytes." },
    QuirkRow { name: "upper_case_only", title: "The name of a command in small letters is not known." },
    // Of AT+CMQTT… clients.
    QuirkRow { name: "nothing_forgotten", title: "What a command uses up, or forgets, stays." },
    QuirkRow { name: "state_ignored", title: "A command that its state forbids with ERROR alone is answered OK." },
    // Of AT+QMT… clients.
    QuirkRow {
        name: "state_errors_late",
        title: "A command the state forbids, other than a setting, is answered OK; its result says that it failed.",
    },
    QuirkRow { name: "slots_kept", title: "Reading a stored message does not free its slot." },
    QuirkRow { name: "clients_mixed_up", title: "Messages of every client are shown as those of client 0." },
    QuirkRow { name: "resends_once_less", title: "A packet is sent again once less than retry_times says." },
    QuirkRow { name: "notice_always", title: "Each resend is reported, whatever timeout_notice says." },
    QuirkRow {
        name: "esc_sends",
        title: "Esc sends an empty message instead of none, unless AT+CMEE asks for numbers.",
    },
    QuirkRow { name: "never_echoes", title: "Typed bytes are not shown, whatever view/mode says." },
    QuirkRow { name: "hex_ignored", title: "Payloads are text in both directions, whatever the settings say." },
    QuirkRow { name: "never_pings", title: "No PINGREQ is sent." },
    QuirkRow { name: "will_forgotten", title: "CONNECT has no will." },
    QuirkRow { name: "session_forgotten", title: "CONNECT always asks for a clean session." },
];

/// Those that are on.
#[derive(Clone, Debug, Default)]
pub struct Quirks(Vec<&'static str>);

impl Quirks {
    /// Takes names; the error lists those that exist.
    pub fn new(names: &[String]) -> Result<Quirks, Error> {
        let known = |name: &String| {
            QUIRKS.iter().map(|row| row.name).find(|known| known == name).ok_or_else(|| {
                let all: Vec<&str> = QUIRKS.iter().map(|row| row.name).collect();
                Error::new(Kind::BadValue, format!("there is no quirk {name:?}"))
                    .with_remedy(format!("one of: {}", all.join(", ")))
            })
        };
        Ok(Quirks(names.iter().map(known).collect::<Result<_, Error>>()?))
    }

    /// Whether it is on.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }
}
