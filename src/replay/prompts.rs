//! How the payload ends that a command line asks for; told by the line itself and by settings that came before it.

use std::collections::BTreeSet;

use crate::proto::Grammar;
use crate::proto::PayloadEnd;
use crate::proto::Setting;
use crate::proto::command_line::ParsedCommand;
use crate::proto::grammar::Asked;

/// What one host has set.
#[derive(Clone, Debug)]
pub struct Prompts {
    grammar: &'static Grammar,
    /// Clients whose messages are typed as hexadecimal digits, two for each byte.
    digits: BTreeSet<u8>,
}

/// What a command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Nothing.
    None,
    /// Perhaps something: the command is not known.
    Possible,
    /// A payload that ends so.
    Certain(PayloadEnd),
}

impl Prompts {
    /// Nothing is set.
    pub fn new(grammar: &'static Grammar) -> Prompts {
        Prompts { grammar, digits: BTreeSet::new() }
    }

    /// What the next command line asks for.
    pub fn of(&mut self, commands: &[ParsedCommand]) -> Prompt {
        for (what, client, value) in commands.iter().flat_map(|command| self.grammar.setting(command)) {
            match (what, value) {
                (Setting::TypedHex, true) => drop(self.digits.insert(client)),
                (Setting::TypedHex, false) => drop(self.digits.remove(&client)),
                _ => {}
            }
        }
        let asked = commands.iter().map(|command| self.grammar.asked(command)).find(|asked| *asked != Asked::Nothing);
        match asked.unwrap_or(Asked::Nothing) {
            Asked::Nothing => Prompt::None,
            Asked::Possible => Prompt::Possible,
            Asked::Counted(count) if self.types_digits(commands) => Prompt::Certain(PayloadEnd::Counted(count * 2)),
            Asked::Counted(count) | Asked::File(count) => Prompt::Certain(PayloadEnd::Counted(count)),
            Asked::UntilCtrlZ => Prompt::Certain(PayloadEnd::UntilCtrlZ { max: usize::MAX }),
        }
    }

    fn types_digits(&self, commands: &[ParsedCommand]) -> bool {
        let message = commands.iter().find_map(|command| self.grammar.client_of_input(command));
        message.is_some_and(|(is_message, client)| is_message && self.digits.contains(&client))
    }
}
