//! What faults make of a module as a whole: a command that is ignored, refused or kept back, a freeze, a restart; and the way
//! of every byte between host and module through the faults of the line. Without a fault in force nothing is changed.

use std::time::Duration;

use crate::proto::FinalResult;
use crate::proto::command_line::ParsedCommand;
use crate::virtual_module::device::Device;
use crate::virtual_module::device::Power;
use crate::virtual_module::faults::Asked;
use crate::virtual_module::faults::Effect;
use crate::virtual_module::faults::Fault;
use crate::virtual_module::module::Module;
use crate::virtual_module::module::State;
use crate::virtual_module::surroundings::lose_context;

/// Bytes that a frozen module keeps, as a UART's buffer does.
const UNHEARD: usize = 64 * 1024;

impl Module {
    /// Bytes of the host.
    pub(in crate::virtual_module) fn receive(&mut self, bytes: &[u8]) {
        if !matches!(self.state, State::Running) {
            return;
        }
        let heard = self.line.hear(&mut self.device.faults, bytes);
        if self.frozen.is_none() {
            self.device.replies.session.receive(&heard, self.device.now);
        } else if self.unheard.len() < UNHEARD {
            self.unheard.extend(heard);
        }
    }

    /// Hears and says nothing for a while.
    fn freeze(&mut self, length: Duration) {
        let until = self.device.now + length;
        self.speak();
        self.line.freeze(until);
        self.frozen = self.frozen.max(Some(until));
    }

    /// Goes on after having been frozen.
    pub(super) fn thaw(&mut self) {
        if self.frozen.take_if(|until| *until <= self.device.now).is_some() {
            let unheard = std::mem::take(&mut self.unheard);
            self.device.replies.session.receive(&unheard, self.device.now);
        }
    }

    /// Has everything said pass the faults of the line.
    pub(super) fn speak(&mut self) {
        while let Some((part, bytes)) = self.device.replies.session.poll_part() {
            self.line.say(&mut self.device.faults, part, &bytes, self.device.now);
        }
    }

    /// Bytes for the host, if it is time for some.
    pub(in crate::virtual_module) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.speak();
        self.line.poll(self.device.now)
    }

    /// Faults that need no occasion.
    pub(super) fn break_down(&mut self) {
        let Device { faults, radio, .. } = &mut self.device;
        let can = |fault: &Fault| fault.number("context").is_none_or(|context| radio.is_active(context));
        let Some(fault) = faults.at_once(&[Effect::Freeze, Effect::Restart, Effect::LosePdp], can) else { return };
        match (fault.effect(), fault.number("context")) {
            (Effect::Freeze, _) => self.freeze(fault.span("ms")),
            (_, Some(context)) => lose_context(&mut self.device, self.service.as_mut(), context),
            _ => self.power = Some(Power::Restart),
        }
    }

    /// A command's name, as the catalogue writes it.
    pub(super) fn name_of<'a>(&self, parsed: &'a ParsedCommand) -> &'a str {
        self.device.dialect.entry(&parsed.name).map_or(parsed.name.as_str(), |(name, _)| name)
    }

    /// Whether a fault keeps the module from carrying out this command now.
    pub(super) fn goes_wrong(&mut self, parsed: &ParsedCommand) -> bool {
        let name = self.name_of(parsed);
        let effects = [Effect::Ignore, Effect::Delay, Effect::Refuse, Effect::Freeze];
        let Some(fault) = self.device.faults.on_command(&effects, name, &self.line.asked().line) else { return false };
        match fault.effect() {
            Effect::Freeze => {
                self.freeze(fault.span("ms"));
                self.late = Some((self.device.now, parsed.clone()));
            }
            Effect::Delay => self.late = Some((self.device.now + fault.span("ms"), parsed.clone())),
            Effect::Refuse => {
                let number = fault.number("cme").unwrap_or_default();
                let is_mqtt = self.device.dialect.commands.contains_key(name);
                self.end(if is_mqtt { self.device.error(number) } else { self.device.general_error(number) });
            }
            _ => {
                self.rest.clear();
                self.device.replies.session.end_command(self.device.now);
            }
        }
        true
    }

    /// Carries out the command that a fault kept back, once it is time.
    pub(super) fn catch_up(&mut self) {
        if let Some((_, command)) = self.late.take_if(|(due, _)| *due <= self.device.now && self.frozen.is_none())
            && self.carried_out(&command)
        {
            self.go_on();
        }
    }

    /// A fault behind the answer to the running command line.
    pub(super) fn break_down_behind(&mut self) {
        let Asked { commands, line } = self.line.asked();
        let faults = &mut self.device.faults;
        if commands.iter().any(|command| faults.on_command(&[Effect::Restart], command, line).is_some()) {
            self.power = Some(Power::Restart);
        }
    }
    /// A fault that has the late result of the running command line come before this final result.
    pub(super) fn turn_around(&mut self, result: &FinalResult) {
        let Asked { commands, line } = self.line.asked();
        let Some(command) = commands.last().filter(|_| self.device.replies.owes_result() && *result == FinalResult::Ok)
        else {
            return;
        };
        if self.device.faults.on_command(&[Effect::Reorder], command, line).is_some() {
            let result = format!("{}: ", command.trim_start_matches("AT"));
            self.speak();
            self.line.hold_final_result(result);
        }
    }
}
