//! A port that is gone is found again, under its own name or another, and goes on over a new line: the same handles, queues,
//! counts and transcript. Whether it is the same module is known by its serial number (IMEI) before it is taken.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::clock;
use crate::engine::dial;
use crate::engine::modem::Modem;
use crate::engine::port::Port;
use crate::engine::ports;
use crate::engine::reader;
use crate::engine::recover::Climb;
use crate::engine::recover_rungs;
use crate::engine::wait::Until;
use crate::error::Error;
use crate::error::Kind;
use crate::transport::Transport;

/// How long one port is tried; a module answers `AT` within 20 ms (decision 42), and may be booting.
const TRY: Duration = Duration::from_millis(600);
/// USB vendors of the modules the documents describe: Quectel, SIMCom, and Qualcomm's default. Nobody else's port is
/// written to unless the caller names it.
const VENDORS: [&str; 3] = ["2c7c:", "1e0e:", "05c6:"];
/// Digits of an IMEI.
const IMEI_DIGITS: usize = 15;

impl Modem {
    /// Remembers by which names the port can be found again.
    pub(crate) fn remember_port(&self, target: &str) {
        let mut names = vec![target.to_owned()];
        if !target.contains("://") {
            let device = fs::canonicalize(target).map(|path| path.to_string_lossy().into_owned());
            let links = device.ok().and_then(|device| ports::links().remove(&device));
            names.extend(links.unwrap_or_default().into_iter().filter(|link| link != target));
        }
        *self.shared().names.lock() = names;
    }
}

impl Climb<'_> {
    /// Why the port cannot be looked for.
    pub fn lacks_names(&self) -> Option<String> {
        let nameless = self.modem.shared().names.lock().is_empty() && self.aids.ports.is_none();
        nameless.then(|| "the line was given, not opened by a name, and nobody says where to look (ports=)".to_owned())
    }

    /// Looks for the module until it is found; the port goes on there.
    pub fn find_port(&self, until: &Until<'_>) -> Result<String, Error> {
        let port = self.modem.shared();
        port.put_down();
        let mut last = Vec::new();
        loop {
            last.clear();
            for name in self.candidates()? {
                match self.try_port(&name, until) {
                    Ok(line) => {
                        port.go_on(&line)?;
                        let mut names = port.names.lock();
                        names.retain(|known| *known != name);
                        names.insert(0, name.clone());
                        return Ok(name);
                    }
                    Err(error) if matches!(error.kind, Kind::Interrupted | Kind::PortClosed) => return Err(error),
                    Err(error) => last.push(error.message.clone()),
                }
            }
            if let Err(error) = port.still_open()
                && error.kind == Kind::PortClosed
            {
                return Err(error);
            }
            // A look that is cut short would only say that nobody answers.
            if until.expired(clock::now() + TRY) {
                let looked = if last.is_empty() { "there is no port to look at".to_owned() } else { last.join("; ") };
                return Err(Error::new(Kind::PortMissing, format!("not found: {looked}")));
            }
            recover_rungs::pause(until)?;
        }
    }

    /// Names in the order they are tried: those it had, the caller's, ports of module makers.
    fn candidates(&self) -> Result<Vec<String>, Error> {
        let mut names = self.modem.shared().names.lock().clone();
        let serial = names.iter().any(|name| !name.contains("://"));
        if let Some(seek) = self.aids.ports {
            names.extend(seek()?);
        }
        if serial && !self.modem.identity.imei.is_empty() {
            let makers = |usb: &Option<String>| {
                usb.as_deref().is_some_and(|usb| VENDORS.iter().any(|vendor| usb.starts_with(vendor)))
            };
            let found = ports::ports().unwrap_or_default();
            let free = found.into_iter().filter(|entry| makers(&entry.usb) && entry.holder.is_none());
            names.extend(free.map(|entry| entry.path));
        }
        let mut seen = std::collections::HashSet::new();
        names.retain(|name| seen.insert(name.clone()));
        Ok(names)
    }

    /// An open line to the module we look for, or why it is not there.
    fn try_port(&self, name: &str, until: &Until<'_>) -> Result<Arc<dyn Transport>, Error> {
        let until = until.cut(clock::now() + TRY * 2);
        let line = dial::dial(name, &self.modem.shared().options, &until)?;
        let answer = |question: &[u8]| {
            let until = until.cut(clock::now() + TRY);
            ports::send(&line, question);
            ports::listen(&line, &until, ports::is_answer)
        };
        if !ports::is_answer(&answer(b"AT\r")?) {
            return Err(Error::new(Kind::NoAnswer, format!("{name} does not answer")));
        }
        let wanted = &self.modem.identity.imei;
        if wanted.is_empty() {
            return Ok(line);
        }
        let said = answer(b"AT+CGSN\r")?;
        match serial_number(&said) {
            Some(found) if found == *wanted => Ok(line),
            Some(found) => Err(Error::new(Kind::PortMissing, format!("{name} is another module, {found}"))),
            None => Err(Error::new(Kind::NoAnswer, format!("{name} does not say its serial number"))),
        }
    }
}

impl Port {
    /// Where the port is now; its name where it was given as an open line.
    pub fn present_name(&self) -> String {
        self.names.lock().first().cloned().unwrap_or_else(|| self.name.clone())
    }

    /// Goes on over another line to the same module. What was pending ends with the error the port ended with; settings of
    /// the protocol stay, because the module may have kept them, until it is seen that it restarted.
    fn go_on(self: &Arc<Port>, line: &Arc<dyn Transport>) -> Result<(), Error> {
        let why = self.still_open().err().unwrap_or_else(|| self.gone("its line was given up"));
        self.protocol.lock().begin_anew(&why);
        for slot in &self.clients {
            let mut facts = slot.facts.lock();
            facts.window.clear();
            facts.publishing = None;
        }
        self.go_on_over(line)?;
        let started = reader::start_reader(self);
        self.happened();
        started.map_err(|error| Error::new(Kind::Internal, format!("{}: no reader: {error}", self.name)))
    }
}

/// The first fifteen digits in a row.
fn serial_number(said: &[u8]) -> Option<String> {
    let mut runs = said.split(|byte| !byte.is_ascii_digit());
    let run = runs.find(|run| run.len() == IMEI_DIGITS)?;
    Some(String::from_utf8_lossy(run).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_found_in_any_answer() {
        let wanted = Some("861234567890123".to_owned());
        assert_eq!(wanted, serial_number(b"AT+CGSN\r\r\n861234567890123\r\n\r\nOK\r\n"));
        assert_eq!(wanted, serial_number(b"\r\n+CGSN: \"861234567890123\"\r\n\r\nOK\r\n"));
        assert_eq!(None, serial_number(b"\r\n+QIND: 12345\r\n\r\nOK\r\n"));
    }
}
