//! Brings a real module to where MQTT can start: SIM, APN, registration, PDP, signal, clock; each step with a named error.

use std::time::Duration;

use crate::dialect::schema::Family;
use crate::engine::baton::Step;
use crate::engine::clock;
use crate::engine::commands::Goal;
use crate::engine::identity::plain;
use crate::engine::modem::Modem;
use crate::engine::reply::Reply;
use crate::engine::wait::Until;
use crate::engine::wait::Wait;
use crate::error::Error;
use crate::error::Kind;
use crate::proto::command_line;

/// How long attaching may take where the caller gives no time: a first registration scans bands.
const ATTACHING: Duration = Duration::from_secs(180);
/// Between two looks at the registration.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The PDP context the MQTT clients use by default (QMTCFG "pdpcid").
const CONTEXT: i64 = 1;

/// What `attach` found and did, step by step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttachReport {
    /// Step (`sim`, `registration`, `pdp`, `signal`, `clock`), what the module said, and how long it took.
    pub steps: Vec<(String, String, Duration)>,
}

impl Modem {
    /// Brings the module to where MQTT can start: SIM, registration, PDP, signal, clock; each step with a named error.
    pub fn attach(&self, apn: Option<&str>, wait: Wait<'_>) -> Result<AttachReport, Error> {
        let until = wait.until(ATTACHING);
        let mut report = AttachReport::default();
        let mut step = |name: &str, found: Result<String, Error>, began| -> Result<(), Error> {
            let took = clock::now().saturating_duration_since(began);
            let said = found.map_err(|error| self.shared().explain(error))?;
            report.steps.push((name.to_owned(), said, took));
            Ok(())
        };
        let began = clock::now();
        step("sim", self.attach_sim(&until), began)?;
        if let Some(apn) = apn {
            let began = clock::now();
            step("apn", self.attach_apn(apn, &until), began)?;
        }
        let began = clock::now();
        step("registration", self.attach_registration(&until), began)?;
        let began = clock::now();
        step("pdp", self.attach_pdp(&until), began)?;
        let began = clock::now();
        step("signal", self.said("AT+CSQ", "+CSQ", &until), began)?;
        let began = clock::now();
        step("clock", self.said("AT+CCLK?", "+CCLK", &until), began)?;
        Ok(report)
    }

    fn attach_sim(&self, until: &Until<'_>) -> Result<String, Error> {
        self.until_said(until, "AT+CPIN?", "+CPIN", |said| match said {
            "READY" => Verdict::Good,
            "SIM PIN" | "SIM PUK" | "SIM PIN2" | "SIM PUK2" => Verdict::Bad(
                Error::new(Kind::RequestFailed, format!("the SIM is locked: {said}"))
                    .with_remedy("unlock it (AT+CPIN=…)"),
            ),
            _ => Verdict::Wait,
        })
        .map_err(|error| match error.kind {
            Kind::NoAnswer => Error::new(Kind::RequestFailed, format!("no SIM: {}", error.message))
                .with_remedy("insert a SIM, or check its contacts"),
            _ => error,
        })
    }

    fn attach_apn(&self, apn: &str, until: &Until<'_>) -> Result<String, Error> {
        let present = self.asked("AT+CGDCONT?", until)?;
        let wanted = |line: &str| {
            let fields = line.strip_prefix("+CGDCONT:").map(|rest| command_line::fields(rest.trim_start().as_bytes()));
            fields.is_some_and(|fields| {
                fields.first().and_then(command_line::Arg::number) == Some(CONTEXT)
                    && fields.get(2).and_then(|field| field.text().map(<[u8]>::to_vec)) == Some(apn.as_bytes().to_vec())
            })
        };
        if present.lines.iter().any(|line| wanted(line)) {
            return Ok(format!("{apn} is set"));
        }
        let values = [crate::dialect::Value::Int(CONTEXT), "IP".into(), apn.into()];
        let order = self.checked("AT+CGDCONT", "write", &values, None)?;
        self.finished(order, until)?;
        Ok(format!("{apn} was set"))
    }

    fn attach_registration(&self, until: &Until<'_>) -> Result<String, Error> {
        let mut denied = false;
        let queries = ["+CEREG", "+CGREG", "+CREG"];
        loop {
            for query in queries {
                let reply = self.asked(&format!("AT{query}?"), until)?;
                let Some(state) = reply.lines.iter().find_map(|line| registration(line, query)) else { continue };
                match state {
                    1 => return Ok("registered at home".to_owned()),
                    5 => return Ok("registered, roaming".to_owned()),
                    3 => denied = true,
                    _ => {}
                }
            }
            if !self.pause(until)? {
                let why = if denied { "the network refuses the SIM" } else { "the module found no network" };
                return Err(Error::new(Kind::OpenFailed, why)
                    .awaiting("registration", until.waited(clock::now()))
                    .with_remedy("check antenna, SIM contract, APN and the bands the module may use"));
            }
        }
    }

    fn attach_pdp(&self, until: &Until<'_>) -> Result<String, Error> {
        let by_qiact = self.dialect.family == Family::Qmt && self.dialect.command("AT+QIACT").is_some();
        let (state, switch) = match by_qiact {
            true => ("+QIACT", format!("AT+QIACT={CONTEXT}")),
            false => ("+CGACT", format!("AT+CGACT=1,{CONTEXT}")),
        };
        let is_up = |reply: &Reply| reply.lines.iter().any(|line| active(line, state));
        if is_up(&self.asked(&format!("AT{state}?"), until)?) {
            return Ok("active".to_owned());
        }
        let order = crate::engine::commands::Order::raw(&switch, None, crate::dialect::grammar::any())?;
        let switched = self.finished(order, until);
        // ERROR also means that it was active already (FIELD F21).
        match switched {
            Ok(_) => Ok("activated".to_owned()),
            Err(error) if is_up(&self.asked(&format!("AT{state}?"), until)?) => {
                log::debug!(target: "modemrig::engine", "{}: already active: {error}", self.port());
                Ok("active".to_owned())
            }
            Err(error) => {
                Err(Error::new(Kind::OpenFailed, format!("the PDP context cannot be activated: {}", error.message))
                    .with_remedy("check the APN and the contract of the SIM"))
            }
        }
    }

    fn said(&self, line: &str, name: &str, until: &Until<'_>) -> Result<String, Error> {
        let reply = self.asked(line, until)?;
        Ok(reply.lines.iter().find_map(|line| answer(line, name)).unwrap_or_default())
    }

    fn until_said(
        &self,
        until: &Until<'_>,
        line: &str,
        name: &str,
        judge: impl Fn(&str) -> Verdict,
    ) -> Result<String, Error> {
        loop {
            let reply = self.asked(line, until)?;
            let said = reply.lines.iter().find_map(|line| answer(line, name)).unwrap_or_else(|| reply.final_text());
            match judge(&said) {
                Verdict::Good => return Ok(said),
                Verdict::Bad(error) => return Err(error),
                Verdict::Wait => {}
            }
            if !self.pause(until)? {
                return Err(Error::new(Kind::NoAnswer, format!("the module says {said}")));
            }
        }
    }

    /// A query; a refusal is a reply too.
    fn asked(&self, line: &str, until: &Until<'_>) -> Result<Reply, Error> {
        let port = self.shared();
        let exchange = port.execute(plain(line), until, Goal::Complete)?;
        Ok(port.reply(&exchange, clock::now()))
    }

    /// Waits a little; `false` when the time is over.
    fn pause(&self, until: &Until<'_>) -> Result<bool, Error> {
        let pause = until.cut(clock::now() + LOOK_AGAIN);
        self.shared().wait(&pause, |_| Step::<()>::NotYet(None))?;
        Ok(!until.expired(clock::now()))
    }
}

/// What an answer means for a step.
enum Verdict {
    Good,
    Bad(Error),
    Wait,
}

/// `READY` of `+CPIN: READY`.
fn answer(line: &str, name: &str) -> Option<String> {
    Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned())
}

/// The state in `+CEREG: 0,1`, `+CEREG: 2,1,"1A2B","01C3D4E5",7` or `+CEREG: 1`.
fn registration(line: &str, name: &str) -> Option<i64> {
    let fields: Vec<_> = answer(line, name)?.split(',').map(|field| field.trim().parse::<i64>().ok()).collect();
    fields.get(1).copied().flatten().or_else(|| fields.first().copied().flatten().filter(|_| fields.len() == 1))
}

/// `+QIACT: 1,1,1,"10.0.0.1"` and `+CGACT: 1,1`: the context is active.
fn active(line: &str, name: &str) -> bool {
    let said = answer(line, name).unwrap_or_default();
    let mut fields = said.split(',').map(|field| field.trim().parse::<i64>().ok());
    fields.next() == Some(Some(CONTEXT)) && fields.next() == Some(Some(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registration_is_the_second_number_or_the_only_one() {
        assert_eq!(Some(1), registration("+CEREG: 0,1", "+CEREG"));
        assert_eq!(Some(5), registration("+CEREG: 2,5,\"1A2B\",\"01C3D4E5\",7", "+CEREG"));
        assert_eq!(Some(3), registration("+CREG: 3", "+CREG"));
        assert_eq!(None, registration("+CREG: 0,1", "+CEREG"));
    }

    #[test]
    fn a_context_is_active_by_its_own_line() {
        assert!(active("+QIACT: 1,1,1,\"10.0.0.1\"", "+QIACT"));
        assert!(!active("+CGACT: 1,0", "+CGACT"));
        assert!(!active("+CGACT: 2,1", "+CGACT"));
    }
}
