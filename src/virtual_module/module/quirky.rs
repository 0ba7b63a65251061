//! What quirks make of how a module asks for input, and what its answers must know of the command for theirs. In which order
//! `OK` and results come is decided in `replies`.

use std::time::Duration;

use crate::dialect::grammar::grammar;
use crate::proto::command_line::ParsedCommand;
use crate::virtual_module::device::Asks;
use crate::virtual_module::device::Typed;
use crate::virtual_module::module::Module;
use crate::virtual_module::quirks::Quirks;
use crate::virtual_module::replies::Running;

/// The longest that a result takes where the document does not say: the longest it says anywhere is two minutes.
const PATIENCE: Duration = Duration::from_secs(120);

impl Module {
    /// What a command line is about, as far as its end is concerned: the last of its commands that has a result.
    pub(super) fn running(&self, commands: &[ParsedCommand]) -> Running {
        let grammar = grammar(self.device.dialect.family);
        let awaited = |command: &ParsedCommand| grammar.awaited(command).filter(|(_, late)| *late);
        let last = commands.iter().rev().find_map(|command| Some((command, awaited(command)?.0)));
        let command = last.map(|(command, _)| command).or(commands.last());
        let Some(command) = command.map(|command| self.name_of(command)) else { return Running::default() };
        let longest = self.device.dialect.command(command).and_then(|known| known.max_response.as_ref()?.ms);
        Running {
            command: command.to_owned(),
            awaited: last.map(|(_, awaited)| awaited),
            patience: self.device.speed.span(longest.map_or(PATIENCE, Duration::from_millis)),
        }
    }

    /// Whether the host sees what it types now.
    pub(super) fn shows(&self, typed: &Typed) -> bool {
        let echoes = self.device.replies.session.echo() && self.device.quirks.has("payload_echoed");
        typed.echo || echoes && typed.asks == Asks::Prompt
    }
}

/// What a module asks with.
pub(super) fn prompt(quirks: &Quirks) -> &'static [u8] {
    match () {
        () if quirks.has("prompt_on_own_line") => b"\r\n>\r\n",
        () if quirks.has("prompt_bare") => b"\r\n>",
        () => b"\r\n> ",
    }
}
