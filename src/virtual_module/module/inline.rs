//! What stands raw in a command line, quotation marks and all: the message of a will, and one that is published in the
//! command line itself: `AT+QMTPUB=0,1,1,0,"topic","payload"`. Its payload is everything up
//! to the last quotation mark of the line, so that the line cannot be taken apart as others are. A quirk; no document has it.

use crate::dialect::schema::Command;
use crate::proto::command_line;
use crate::proto::command_line::Arg;
use crate::proto::command_line::Form;
use crate::proto::command_line::ParsedCommand;

const COMMANDS: [&str; 2] = ["+QMTPUB", "+QMTPUBEX"];

/// Arguments before the payload.
const BEFORE: usize = 5;

/// The command of such a line, without its payload, and the payload; `line` is what follows `AT`. Where `numbers` is set a
/// payload may be a number, that would else be a length.
pub(super) fn publish(line: &[u8], numbers: bool) -> Option<(ParsedCommand, Vec<u8>)> {
    let (name, raw) = line.split_at(memchr::memchr(b'=', line)?);
    let name = name.trim_ascii().to_ascii_uppercase();
    let name = COMMANDS.into_iter().find(|known| known.as_bytes() == name)?;
    let raw = &raw[1..];
    let args = command_line::fields(raw);
    // Some have the length in front of it, too.
    let is_counted = matches!(args.get(BEFORE)?, Arg::Number(_)) && args.len() > BEFORE + 1;
    let is_payload = match args.get(BEFORE)? {
        Arg::Text(_) | Arg::Bare(_) => true,
        Arg::Number(_) => numbers || is_counted,
        Arg::Empty => false,
    };
    let args = args.into_iter().take(BEFORE).collect();
    let command = ParsedCommand { name: name.to_owned(), form: Form::Write, args, raw: raw.to_vec() };
    let payload = command.inline_payload(BEFORE + usize::from(is_counted)).filter(|_| is_payload)?.to_vec();
    Some((command, payload))
}

/// `AT+QMTCFG="will"` whose message has quotation marks in it: everything between that which opens it and the last of the
/// line.
pub(super) fn will(line: &[u8]) -> Option<(ParsedCommand, Vec<u8>)> {
    let (name, raw) = line.split_at(memchr::memchr(b'=', line)?);
    let raw = &raw[1..];
    let args = command_line::fields(raw);
    let is_meant =
        name.trim_ascii().eq_ignore_ascii_case(b"+QMTCFG") && args.len() > BEFORE + 1 && args[0].is_key("will");
    if !is_meant {
        return None;
    }
    let args: Vec<Arg> = args.into_iter().take(BEFORE + 1).collect();
    let mut command = ParsedCommand { name: "+QMTCFG".to_owned(), form: Form::Write, args, raw: raw.to_vec() };
    let message = command.inline_payload(BEFORE + 1).filter(|text| is_quoted(text, raw))?.to_vec();
    // No rule for texts allows a quotation mark; what stands in its place here is as long.
    let checked = message.iter().map(|byte| if *byte == b'"' { b'\'' } else { *byte });
    command.args.push(Arg::Text(checked.collect()));
    Some((command, message))
}

/// Whether this is the end of the line, between quotation marks.
fn is_quoted(text: &[u8], line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    line.strip_suffix(b"\"").and_then(|rest| rest.strip_suffix(text)).is_some_and(|rest| rest.ends_with(b"\""))
}

/// Whether the command takes no message without a length.
pub(super) fn needs_length(command: &Command) -> bool {
    !command.variants.values().any(|variant| variant.counts.contains(&BEFORE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(line: &str, numbers: bool) -> Option<String> {
        let (command, payload) = publish(line.as_bytes(), numbers)?;
        assert_eq!(BEFORE, command.args.len());
        String::from_utf8(payload).ok()
    }

    #[test]
    fn a_payload_goes_from_its_quotation_mark_to_the_last_of_the_line() {
        for (line, found) in [
            ("+QMTPUBEX=0,3,1,0,\"a\",\"{\"k\":1,\"s\":\"x, y\"}\"", Some("{\"k\":1,\"s\":\"x, y\"}")),
            ("+QMTPUB=0,0,0,0,\"a,b\",\"21;5\"", Some("21;5")),
            ("+qmtpub = 0,0,0,0,\"a\",\"\"", Some("")),
            ("+QMTPUB=0,0,0,0,\"a\",\"no end", Some("no end")),
            ("+QMTPUB=0,0,0,0,\"a\",21.5C", Some("21.5C")),
            ("+QMTPUB=0,0,0,0,\"a\",21", None),
            ("+QMTPUB=0,0,0,0,a,9,{\"a\":1,5}", Some("{\"a\":1,5}")),
            ("+QMTPUB=0,0,0,0,\"a\",5,\"21.5C\"", Some("21.5C")),
            ("+QMTPUB=0,0,0,0,\"a\"", None),
            ("+QMTPUB=0,0,0,0,\"a\",", None),
            ("+QMTPUB?", None),
            ("+QMTSUB=0,1,\"a\",0,\"b\",0", None),
        ] {
            assert_eq!(found.map(str::to_owned), payload(line, false), "{line}");
        }
        let message = |line: &str| will(line.as_bytes()).map(|(_, message)| String::from_utf8(message).expect("text"));
        let set = |rest: &str| message(&format!("+QMTCFG=\"will\",0,1,1,0,\"t\",{rest}"));
        assert_eq!(Some("{\"a\":\"b, c\"}".to_owned()), set("\"{\"a\":\"b, c\"}\" "));
        assert_eq!(None, set("5"), "a number");
        assert_eq!(None, set("\"m\",0"), "one field too many");
        assert_eq!(Some("21".to_owned()), payload("+QMTPUB=0,0,0,0,\"a\",21", true));
    }
}
