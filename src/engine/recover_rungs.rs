//! What each rung of the ladder in `recover.rs` does. Each returns what came of it in words, or the error it met; what is
//! wrong afterwards is looked at there.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::engine::baton::Step;
use crate::engine::clock;
use crate::engine::identity;
use crate::engine::port::Port;
use crate::engine::recover::Climb;
use crate::engine::value::Value;
use crate::engine::wait::Until;
use crate::error::Error;
use crate::error::Kind;
use crate::proto::FinalResult;

/// How long one try at an answer waits before the module is asked again: it drops what comes while it boots.
const TRY: Duration = Duration::from_secs(1);
/// How long `OK` to AT+CFUN=1,1 is awaited; some firmware says it, some restarts first.
const FAREWELL: Duration = Duration::from_secs(3);
/// Between two looks at something nobody tells of.
const PAUSE: Duration = Duration::from_millis(50);
/// Behind the documented end of an input: the module's clock is not ours.
const MARGIN: Duration = Duration::from_secs(2);
/// Ends an unfinished input of a length not said beforehand (BC35-G & BC28, 3.2.9; TS 27.005, 3.5.1).
const ESC: u8 = 0x1b;

/// `port`
pub fn port(climb: &Climb<'_>, until: &Until<'_>) -> Result<String, Error> {
    let found = climb.find_port(until)?;
    Ok(format!("the module is at {found}"))
}

/// Why waiting for the end of an input is in vain.
pub fn input_never_ends(climb: &Climb<'_>) -> Option<String> {
    let port = climb.modem.shared();
    let off = !port.input_ends_by_esc() && edit_timeout(port) == Some(None);
    off.then(|| "edit/timeout is off, the module waits for ever".to_owned())
}

/// `edit/timeout` as this program knows it: its time, or that it is off.
fn edit_timeout(port: &Port) -> Option<Option<Duration>> {
    let client = port.counting_client()?;
    let facts = port.clients.get(usize::from(client))?.facts.lock();
    match (facts.known.get("edit_mode")?, facts.known.get("edit_time")) {
        (Value::Int(0), _) => Some(None),
        (_, Some(Value::Int(seconds))) => Some(Some(Duration::from_secs(u64::try_from(*seconds).ok()?))),
        _ => None,
    }
}

/// `input`
pub fn input(climb: &Climb<'_>, until: &Until<'_>) -> Result<String, Error> {
    let port = climb.modem.shared();
    let began = clock::now();
    let until = match edit_timeout(port) {
        Some(Some(time)) => until.cut(clock::now() + time + MARGIN),
        _ => *until,
    };
    let esc = port.input_ends_by_esc();
    if esc {
        port.transmit(&[ESC], clock::now())?;
    }
    let ended = port.wait(&until, |_| if port.is_counting() { Step::NotYet(None) } else { Step::Done(()) })?;
    match ended {
        Some(()) if esc => Ok("Esc ended it, and nothing was published".to_owned()),
        Some(()) => Ok("the module gave it up, and nothing was published".to_owned()),
        None => Err(Error::new(
            Kind::Garbled,
            format!("it did not end within {:.1} s", (clock::now() - began).as_secs_f64()),
        )),
    }
}

/// `resync`
pub fn resync(climb: &Climb<'_>, until: &Until<'_>) -> Result<String, Error> {
    await_answer(climb, until)?;
    let survey = climb.survey(until)?;
    Ok(format!("it answers; {survey}"))
}

/// `close`
pub fn close(climb: &Climb<'_>, until: &Until<'_>) -> Result<String, Error> {
    let survey = climb.survey(until)?;
    climb.close_clients(&survey, until)
}

/// `restart`
pub fn restart(climb: &Climb<'_>, until: &Until<'_>) -> Result<String, Error> {
    let port = climb.modem.shared();
    let before = port.counts.restarts.load(Ordering::Relaxed);
    let farewell = say_restart(port, &until.cut(clock::now() + FAREWELL))?;
    if farewell == Farewell::Refused {
        return Err(Error::new(Kind::CommandRefused, "the module refuses AT+CFUN=1,1"));
    }
    let seen = await_restart(port, before, &until.cut(halfway(until)))?;
    if !seen && farewell == Farewell::Said {
        port.declare_restarted();
    }
    await_answer(climb, until)?;
    Ok(match (seen, farewell) {
        (true, _) => "it restarted and answers".to_owned(),
        (false, Farewell::Said) => "it said OK, nothing of a restart, and answers".to_owned(),
        (false, _) => "it answers, and did not restart".to_owned(),
    })
}

/// `power`
pub fn power(climb: &Climb<'_>, until: &Until<'_>) -> Result<String, Error> {
    let port = climb.modem.shared();
    let Some(hand) = climb.aids.power else {
        return Err(Error::new(Kind::Unsupported, "no switch in its supply is known"));
    };
    let before = port.counts.restarts.load(Ordering::Relaxed);
    let left = until.deadline.map_or(climb.bounds.power, |at| at.saturating_duration_since(clock::now()));
    let said = hand(left)?;
    if !await_restart(port, before, &until.cut(halfway(until)))? && !port.has_ended() {
        // Its power was gone: whatever it was doing, it does no more.
        port.declare_restarted();
    }
    await_answer(climb, until)?;
    Ok(format!("{said}; it answers"))
}

/// What AT+CFUN=1,1 was answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Farewell {
    Said,
    Silent,
    Refused,
}

/// Sends AT+CFUN=1,1, also to a module of which nothing is heard.
fn say_restart(port: &Port, until: &Until<'_>) -> Result<Farewell, Error> {
    let order = identity::plain("AT+CFUN=1,1");
    let Some(turn) = port.await_turn(until)? else {
        return Err(Error::new(Kind::NoAnswer, "other commands did not leave the line"));
    };
    port.speak_first();
    let said = match port.execute_in_turn(order, until) {
        Ok(exchange) => match &exchange.record().final_result {
            Some((FinalResult::Ok, _)) => Farewell::Said,
            Some(_) => Farewell::Refused,
            None => Farewell::Silent,
        },
        Err(error) if matches!(error.kind, Kind::NoAnswer | Kind::PortGone) => Farewell::Silent,
        Err(error) => return Err(error),
    };
    drop(turn);
    Ok(said)
}

/// Waits until the module says that it started, or its port goes; says whether it did.
fn await_restart(port: &Port, before: u64, until: &Until<'_>) -> Result<bool, Error> {
    let seen = port.wait(until, |_| match port.counts.restarts.load(Ordering::Relaxed) == before {
        true => Step::NotYet(None),
        false => Step::Done(()),
    });
    match seen {
        Ok(seen) => Ok(seen.is_some()),
        Err(error) if error.kind == Kind::PortGone => Ok(true),
        Err(error) => Err(error),
    }
}

/// Asks until the module answers; finds its port again when that goes meanwhile.
fn await_answer(climb: &Climb<'_>, until: &Until<'_>) -> Result<(), Error> {
    let port = climb.modem.shared();
    let began = clock::now();
    loop {
        if port.has_ended() {
            climb.find_port(until)?;
        }
        let now = clock::now();
        {
            let mut protocol = port.protocol.lock();
            (protocol.revive, protocol.told) = (true, 0);
        }
        match port.begin("AT", &until.cut(now + TRY)) {
            Ok(_turn) => return Ok(()),
            Err(error) if matches!(error.kind, Kind::NoAnswer | Kind::Garbled | Kind::PortGone) => {}
            Err(error) => return Err(error),
        }
        let now = clock::now();
        if until.expired(now) || port.is_counting() {
            let error = Error::new(Kind::NoAnswer, format!("no answer within {:.1} s", (now - began).as_secs_f64()));
            return Err(error);
        }
    }
}

/// Half of the time that is left.
fn halfway(until: &Until<'_>) -> std::time::Instant {
    let now = clock::now();
    now + until.deadline.map_or(TRY, |at| at.saturating_duration_since(now) / 2)
}

/// A little of the wait, without the port.
pub fn pause(until: &Until<'_>) -> Result<(), Error> {
    let slice = until.slice(clock::now()).map_or(PAUSE, |slice| slice.min(PAUSE));
    let _ = crossbeam_channel::never::<()>().recv_timeout(slice);
    until.check()
}
