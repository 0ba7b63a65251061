//! When two command lines are the same, though two hosts wrote them: case of the names, blanks and line end do not count,
//! and what was covered in the recording fits whatever stands at its place.

use crate::proto::command_line;
use crate::proto::command_line::Arg;
use crate::proto::command_line::Form;
use crate::proto::command_line::ParsedCommand;

/// A recorded command line, as far as another host's must agree with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// These bytes.
    Same(Vec<u8>),
    /// Any bytes, or none.
    Any,
}

/// A part of a command line in its normal form.
enum Part {
    /// Names and signs: upper case, and never covered.
    Sign(Vec<u8>),
    /// An argument: of which command, which one, and its bytes.
    Value(usize, usize, Vec<u8>),
}

impl Pattern {
    /// Of a recorded line. Arguments that `open` names (command, argument) fit any value; so does each run of `*` in one.
    pub fn new(line: &[u8], open: impl Fn(usize, usize) -> bool) -> Pattern {
        let mut pieces = Vec::new();
        for part in normal(line) {
            match part {
                Part::Sign(bytes) => same(&mut pieces, &bytes),
                Part::Value(command, argument, _) if open(command, argument) => any(&mut pieces),
                Part::Value(_, _, bytes) => {
                    for run in bytes.chunk_by(|a, b| (*a == b'*') == (*b == b'*')) {
                        match run.first() {
                            Some(b'*') => any(&mut pieces),
                            _ => same(&mut pieces, run),
                        }
                    }
                }
            }
        }
        Pattern(pieces)
    }

    /// Whether a host's line in its normal form is this one.
    pub fn fits(&self, line: &[u8]) -> bool {
        let mut rest = line;
        let last = self.0.len().saturating_sub(1);
        for (number, piece) in self.0.iter().enumerate() {
            let Piece::Same(text) = piece else { continue };
            if number == 0 {
                match rest.strip_prefix(text.as_slice()) {
                    Some(behind) => rest = behind,
                    None => return false,
                }
            } else if number == last {
                return rest.ends_with(text);
            } else {
                match memchr::memmem::find(rest, text) {
                    Some(at) => rest = &rest[at + text.len()..],
                    None => return false,
                }
            }
        }
        rest.is_empty() || self.0.last() == Some(&Piece::Any)
    }
}

fn same(pieces: &mut Vec<Piece>, bytes: &[u8]) {
    match pieces.last_mut() {
        Some(Piece::Same(before)) => before.extend(bytes),
        _ => pieces.push(Piece::Same(bytes.to_vec())),
    }
}

fn any(pieces: &mut Vec<Piece>) {
    if pieces.last() != Some(&Piece::Any) {
        pieces.push(Piece::Any);
    }
}

/// The normal form of a host's line.
pub fn normal_form(line: &[u8]) -> Vec<u8> {
    let bytes = |part| match part {
        Part::Sign(bytes) | Part::Value(_, _, bytes) => bytes,
    };
    normal(line).into_iter().flat_map(bytes).collect()
}

fn normal(line: &[u8]) -> Vec<Part> {
    let line = line.trim_ascii();
    let Some(commands) = command_line::parse_line(line) else {
        // No command line as we know them: what stands before its arguments is the name.
        let name = line.iter().take_while(|byte| !matches!(byte, b'=' | b' ')).count();
        return vec![Part::Sign(line[..name].to_ascii_uppercase()), Part::Value(0, 0, line[name..].to_vec())];
    };
    let mut parts = vec![Part::Sign(b"AT".to_vec())];
    for (number, command) in commands.iter().enumerate() {
        if number > 0 {
            parts.push(Part::Sign(b";".to_vec()));
        }
        parts.push(Part::Sign(command.name.clone().into_bytes()));
        arguments(number, command, &mut parts);
    }
    parts
}

fn arguments(number: usize, command: &ParsedCommand, parts: &mut Vec<Part>) {
    let sign = |text: &str| Part::Sign(text.as_bytes().to_vec());
    match command.form {
        Form::Test => parts.push(sign("=?")),
        Form::Read => parts.push(sign("?")),
        Form::Write => parts.push(sign("=")),
        Form::Execute => {}
    }
    for (place, argument) in command.args.iter().enumerate() {
        if place > 0 {
            parts.push(sign(","));
        }
        let bytes = match argument {
            Arg::Text(text) => [b"\"", text.as_slice(), b"\""].concat(),
            other => other.bytes().into_owned(),
        };
        parts.push(Part::Value(number, place, bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(recorded: &str, asked: &str) -> bool {
        Pattern::new(recorded.as_bytes(), |_, _| false).fits(&normal_form(asked.as_bytes()))
    }

    #[test]
    fn case_of_the_name_blanks_and_line_end_do_not_count() {
        assert!(fits("AT+QMTOPEN=0,\"hub\",1883", "at+qmtopen= 0, \"hub\" ,1883\r\n"));
        assert!(fits("ATE0Q0V1", "ate0q0v1"));
        assert!(fits("AT", "at "));
        for other in ["AT+QMTOPEN=0,\"HUB\",1883", "AT+QMTOPEN=0,hub,1883", "AT+QMTOPEN=0,\"hub\"", "AT+QMTOPEN?", "AT"]
        {
            assert!(!fits("AT+QMTOPEN=0,\"hub\",1883", other), "{other}");
        }
        assert!(!fits("AT", "AT+CSQ"));
    }

    #[test]
    fn what_was_covered_fits_any_secret_of_any_length() {
        let recorded = "AT+QMTCONN=0,\"dev\",\"user\",\"******\"";
        for secret in ["s3cret", "", "a much longer one", "*", "with \"marks\", and commas"] {
            assert!(fits(recorded, &format!("AT+QMTCONN=0,\"dev\",\"user\",\"{secret}\"")), "{secret}");
        }
        assert!(!fits(recorded, "AT+QMTCONN=0,\"dev\",\"else\",\"s3cret\""));
        assert!(!fits(recorded, "AT+QMTCONN=0,\"dev\",\"user\""));
        assert!(fits("AT+X=\"***\",\"b\",\"****\"", "AT+X=\"p\",\"b\",\"q\""));
        assert!(!fits("AT+X=\"***\",\"b\",\"****\"", "AT+X=\"p\",\"c\",\"q\""));
        assert!(!fits("AT*PSSTK=1", "AT+PSSTK=1"), "a name is never covered");
    }

    #[test]
    fn an_open_argument_fits_any_value() {
        let pattern = Pattern::new(b"AT+QFUPL=\"k.pem\",1674,60", |command, argument| (command, argument) == (0, 1));
        assert!(pattern.fits(b"AT+QFUPL=\"k.pem\",9,60"));
        assert!(!pattern.fits(b"AT+QFUPL=\"c.pem\",9,60"));
    }

    #[test]
    fn a_line_that_is_no_command_line_is_compared_as_it_is() {
        assert!(fits("AT+CSQ!", "at+csq!"));
        assert!(!fits("AT+CSQ!", "AT+CSQ"));
    }
}
