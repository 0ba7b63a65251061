//! What a command does to a module, as far as its spelling and its recorded answer tell: whether it may be asked again.

use crate::proto::command_line::Form;
use crate::proto::command_line::ParsedCommand;
use crate::replay::script::Answer;

/// What a command does to the module, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing: identity, signal, registration, lists of values, and set-up that can be repeated. May be asked again at any time.
    None,
    /// It asks for state of the MQTT service or for a setting: the answer holds until something changes.
    Asks,
    /// It changes something, or may: answered as often as it was recorded.
    Changes,
}

/// Commands without arguments that only tell something.
const TELL: &[&str] = &[
    "+CGMI", "+GMI", "+CGMM", "+GMM", "+CGMR", "+GMR", "+QGMR", "+CGSN", "+GSN", "+CIMI", "+QCCID", "+CCID", "+ICCID",
    "+CSQ", "+QCSQ", "+CESQ", "+CGPADDR", "+QNWINFO",
];

/// Settings of the line and of what it reports; the same value again changes nothing.
const SET_UP: &[&str] =
    &["+CMEE", "+IPR", "+IFC", "+ICF", "+CREG", "+CGREG", "+CEREG", "+CTZR", "+CTZU", "+QURCCFG", "+CGSN"];

/// Letters of basic commands that set up the line or tell something.
const BASIC: &[&str] = &["E", "V", "Q", "X", "I", "&C", "&D", "&K"];

/// Of a command line that was answered so.
pub fn effect(commands: &[ParsedCommand], answer: &Answer) -> Effect {
    commands.iter().map(|command| effect_of(command, answer)).max().unwrap_or(Effect::None)
}

fn effect_of(command: &ParsedCommand, answer: &Answer) -> Effect {
    let name = command.name.as_str();
    match command.form {
        Form::Test => Effect::None,
        Form::Read if name.starts_with("+QMT") || name.starts_with("+CMQTT") => Effect::Asks,
        Form::Read => Effect::None,
        Form::Execute if TELL.contains(&name) || BASIC.contains(&name) => Effect::None,
        Form::Write if SET_UP.contains(&name) => Effect::None,
        // A setting without a new value is a question, and its answer has a line of its own.
        Form::Write if name.ends_with("CFG") && has_line_of(answer, name) => Effect::Asks,
        Form::Write | Form::Execute => Effect::Changes,
    }
}

fn has_line_of(answer: &Answer, name: &str) -> bool {
    let said: Vec<u8> = answer.said.iter().flat_map(|said| said.bytes.iter().copied()).collect();
    let wanted = [name.as_bytes(), b":"].concat();
    said.split(|byte| matches!(byte, b'\r' | b'\n')).any(|line| line.starts_with(&wanted))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::proto::command_line::parse_line;
    use crate::replay::script::Said;

    #[test]
    fn what_may_be_asked_again_is_known_by_its_form_and_its_answer() {
        let of = |line: &str, said: &str| {
            let said = vec![Said { at: Duration::ZERO, bytes: said.as_bytes().to_vec() }];
            effect(&parse_line(line.as_bytes()).expect("a command line"), &Answer { said, ..Answer::default() })
        };
        let none =
            ["AT", "ATE0Q0V1", "ATI", "AT+CGSN", "AT+CSQ", "AT+CEREG?", "AT+QMTOPEN=?", "AT+CMEE=2", "AT+CGSN=1"];
        for line in none {
            assert_eq!(Effect::None, of(line, "\r\nOK\r\n"), "{line}");
        }
        assert_eq!(Effect::Asks, of("AT+QMTCONN?", "\r\n+QMTCONN: 0,3\r\n\r\nOK\r\n"));
        assert_eq!(Effect::Asks, of("AT+QMTCFG=\"version\",0", "\r\n+QMTCFG: \"version\",3\r\n\r\nOK\r\n"));
        for line in
            ["AT+QMTCFG=\"version\",0,4", "AT+QMTDISC=0", "AT+QMTRECV=0,0", "AT+CFUN=1,1", "AT&F", "AT+CSQ;+QPOWD"]
        {
            assert_eq!(Effect::Changes, of(line, "\r\nOK\r\n"), "{line}");
        }
    }
}
