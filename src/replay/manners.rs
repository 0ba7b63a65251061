//! What every module answers, though the file does not have it: a host that sets up the line or asks who is there in another
//! way than the recorded one is no mismatch. Who is there is taken from the header, from what the module said of itself in
//! other words, and in the last resort from the document.

use std::time::Instant;

use crate::dialect::Dialect;
use crate::dialect::catalogue;
use crate::dialect::schema::Family;
use crate::proto::FinalResult;
use crate::proto::TaSession;
use crate::proto::command_line;
use crate::proto::command_line::Arg;
use crate::proto::command_line::Form;
use crate::proto::command_line::ParsedCommand;
use crate::replay::script::Exchange;
use crate::replay::script::Script;
use crate::transcript::Header;

/// Who is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manners {
    family: Family,
    manufacturer: String,
    model: String,
    revision: String,
    imei: String,
}

/// Where nothing tells: 15 digits, the last a check digit, in the range for tests.
const NO_IMEI: &str = "860000000000005";

impl Manners {
    /// Of a script.
    pub fn of(script: &Script) -> Manners {
        let said = lines_of(script, &["I", "+CGMI", "+GMI", "+CGMM", "+GMM", "+CGMR", "+GMR"]);
        let detected = catalogue().detect(&said.iter().map(String::as_str).collect::<Vec<_>>());
        let header = |key: &str| named(&script.header, key);
        let dialect = script.header.dialect.as_deref().and_then(|id| catalogue().get(id)).or(detected.dialect);
        let dialect = dialect.unwrap_or_else(|| guessed(script));
        let (maker, tail) = match dialect.family {
            Family::Qmt => ("Quectel", "R01A01M08"),
            Family::Cmqtt => ("SIMCOM INCORPORATED", "V01"),
        };
        let model = header("model").or(detected.model).unwrap_or_else(|| {
            let first = dialect.modules.first().map_or("MODULE", |module| module.model.as_str());
            first.trim().trim_end_matches("Series").trim().to_owned()
        });
        let imei = lines_of(script, &["+CGSN", "+GSN"]).iter().find_map(|line| digits(line));
        Manners {
            family: dialect.family,
            manufacturer: header("manufacturer").or(detected.manufacturer).unwrap_or_else(|| maker.to_owned()),
            revision: header("revision").or(detected.revision).unwrap_or_else(|| format!("{model}{tail}")),
            imei: header("imei").or(imei).unwrap_or_else(|| NO_IMEI.to_owned()),
            model,
        }
    }

    /// Answers a command line all of whose commands are set-up of the line or questions for the identity; `false`: it is none.
    pub fn answer(&self, commands: &[ParsedCommand], session: &mut TaSession, now: Instant) -> bool {
        let Some(lines) = commands.iter().map(|command| self.lines(command)).collect::<Option<Vec<_>>>() else {
            return false;
        };
        for command in commands {
            let number = command.args.first().and_then(Arg::number).unwrap_or(0);
            match command.name.as_str() {
                "E" => session.set_echo(number != 0),
                "V" => session.set_verbose(number != 0),
                "Q" => session.set_quiet(number != 0),
                _ => {}
            }
        }
        for line in lines.iter().flatten() {
            session.reply_line(line.as_bytes());
        }
        session.reply_final(&FinalResult::Ok, now);
        true
    }

    fn lines(&self, command: &ParsedCommand) -> Option<Vec<String>> {
        let one = |text: &String| Some(vec![text.clone()]);
        match (command.name.as_str(), command.form) {
            ("E" | "V" | "Q" | "X", _) | ("+CMEE", Form::Write) => Some(Vec::new()),
            ("I", _) => Some(match self.family {
                Family::Qmt => {
                    vec![self.manufacturer.clone(), self.model.clone(), format!("Revision: {}", self.revision)]
                }
                Family::Cmqtt => vec![
                    format!("Manufacturer: {}", self.manufacturer),
                    format!("Model: {}", self.model),
                    format!("Revision: {}", self.revision),
                    format!("IMEI: {}", self.imei),
                ],
            }),
            ("+CGMI" | "+GMI", Form::Execute) => one(&self.manufacturer),
            ("+CGMM" | "+GMM", Form::Execute) => one(&self.model),
            ("+CGMR" | "+GMR", Form::Execute) => one(&self.revision),
            ("+CGSN" | "+GSN", Form::Execute) => one(&self.imei),
            _ => None,
        }
    }
}

/// What the header says of the module.
fn named(header: &Header, key: &str) -> Option<String> {
    let text = header.other.get("identity")?.get(key)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// The lines that commands of these names were answered with.
fn lines_of(script: &Script, names: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    for exchange in script.exchanges.iter().filter(|exchange| is_one(exchange, names)) {
        let said: Vec<u8> = exchange.answer.said.iter().flat_map(|said| said.bytes.clone()).collect();
        let text = String::from_utf8_lossy(&said).into_owned();
        let told = text.split(['\r', '\n']).map(str::trim).take_while(|line| !matches!(*line, "OK" | "ERROR"));
        lines.extend(told.filter(|line| !line.is_empty()).map(str::to_owned));
    }
    lines
}

fn is_one(exchange: &Exchange, names: &[&str]) -> bool {
    let commands = command_line::parse_line(&exchange.line).unwrap_or_default();
    matches!(commands.as_slice(), [command] if command.form == Form::Execute && names.contains(&command.name.as_str()))
}

/// The fifteen digits of an IMEI in a line.
fn digits(line: &str) -> Option<String> {
    let text = line.rsplit(':').next()?.trim().trim_matches('"');
    (text.len() >= 14 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.to_owned())
}

/// The document whose commands the file has.
fn guessed(script: &Script) -> &'static Dialect {
    let simcom = script.exchanges.iter().any(|exchange| exchange.line.to_ascii_uppercase().starts_with(b"AT+CMQTT"));
    let family = if simcom { Family::Cmqtt } else { Family::Qmt };
    let dialects = catalogue().dialects();
    // There is one of each family.
    dialects.iter().find(|dialect| dialect.family == family).unwrap_or(&dialects[0])
}
