//! What a host does to get a network: SIM, functionality, registration, attachment, PDP contexts, clock, power.

use time::Date;
use time::Month;
use time::OffsetDateTime;

use crate::dialect::Matched;
use crate::dialect::Value;
use crate::dialect::schema::Family;
use crate::virtual_module::conditions::Conditions;
use crate::virtual_module::conditions::Registration;
use crate::virtual_module::conditions::Sim;
use crate::virtual_module::device::Answer;
use crate::virtual_module::device::Call;
use crate::virtual_module::device::Device;
use crate::virtual_module::device::Power;
use crate::virtual_module::device::Refusal;
use crate::virtual_module::device::Service;
use crate::virtual_module::surroundings::radio::Context;
use crate::virtual_module::surroundings::radio::Radio;

/// How a signal that is not known is shown (TS 27.007 §8.5).
const UNKNOWN: u8 = 99;

/// Carries out a command of this file.
pub(super) fn call(device: &mut Device, service: &mut dyn Service, call: &Call<'_>) -> Answer {
    match call {
        Call::Read(name, _) => read(device, name),
        Call::Write(matched) => write(device, service, matched),
    }
}

fn read(device: &mut Device, name: &str) -> Answer {
    let radio = &device.radio;
    let prefix = name.trim_start_matches("AT");
    let lines: Vec<String> = match name {
        "AT+CPIN" if radio.functionality == 0 => return Answer::Refused(Refusal::State),
        "AT+CPIN" => match device.conditions.sim {
            Sim::Ready => vec!["+CPIN: READY".into()],
            Sim::PinRequired => vec!["+CPIN: SIM PIN".into()],
            Sim::Absent => return Answer::Refused(Refusal::NoSim),
        },
        "AT+CFUN" => vec![format!("+CFUN: {}", radio.functionality)],
        "AT+CREG" | "AT+CGREG" | "AT+CEREG" => {
            let reports = device.setting_int(name, "write", "n", 0).unwrap_or_default();
            vec![format!("{prefix}: {reports},{}{}", radio.stat, cell(radio, reports))]
        }
        "AT+COPS" if radio.is_registered() => vec!["+COPS: 0,0,\"modemrig\",7".into()],
        "AT+COPS" => vec!["+COPS: 0".into()],
        "AT+CGATT" => vec![format!("+CGATT: {}", i64::from(radio.is_up()))],
        "AT+CGDCONT" => {
            let line =
                |(cid, c): (&i64, &Context)| format!("+CGDCONT: {cid},\"{}\",\"{}\",\"\",0,0", c.pdp_type, c.apn);
            radio.contexts.iter().map(line).collect()
        }
        "AT+CGACT" => radio.contexts.iter().map(|(cid, c)| format!("+CGACT: {cid},{}", i64::from(c.active))).collect(),
        "AT+QIACT" => {
            let active = radio.contexts.iter().filter(|(_, c)| c.active);
            active.map(|(cid, _)| format!("+QIACT: {cid},1,1,\"{}\"", Radio::address(*cid))).collect()
        }
        "AT+CCLK" => vec![format!("+CCLK: \"{}\"", calendar(device.clock_now(), Style::Short))],
        _ => return Answer::Refused(Refusal::Unknown),
    };
    for line in lines {
        device.replies.info(line);
    }
    Answer::Done
}

fn write(device: &mut Device, service: &mut dyn Service, call: &Matched<'_>) -> Answer {
    let number = |name: &str| call.int(name);
    match call.command_name {
        "AT+CSQ" => {
            let Conditions { rssi, ber, .. } = device.around;
            let hears = device.radio.functionality == 1 && device.around.registration != Registration::Searching;
            let shown = |value: Option<u8>| value.filter(|_| hears).unwrap_or(UNKNOWN);
            device.replies.info(format!("+CSQ: {},{}", shown(rssi), shown(ber)));
        }
        "AT+CFUN" => return functionality(device, service, number("fun").unwrap_or(1), number("rst") == Some(1)),
        "AT+CGATT" => {
            let attaches = number("state") == Some(1);
            if attaches && !device.radio.is_registered() {
                return Answer::Refused(Refusal::NoNetwork);
            }
            device.radio.attached = attaches;
            if !attaches {
                device.radio.deactivate_all();
                service.network_down(device, None);
            }
        }
        "AT+CGDCONT" => return define(device, call),
        "AT+QICSGP" => return context_settings(device, call),
        "AT+CGACT" | "AT+QIACT" | "AT+QIDEACT" => return activate(device, service, call),
        "AT+CGPADDR" => {
            let asked = cids(call);
            let contexts = device.radio.contexts.iter().filter(|(cid, _)| asked.is_empty() || asked.contains(cid));
            let address = |(cid, c): (&i64, &Context)| match c.active {
                true => format!("+CGPADDR: {cid},\"{}\"", Radio::address(*cid)),
                false => format!("+CGPADDR: {cid}"),
            };
            for line in contexts.map(address).collect::<Vec<_>>() {
                device.replies.info(line);
            }
        }
        "AT+CCLK" => match call.text("time").and_then(seconds) {
            Some(wanted) => device.set_clock(wanted),
            None => return Answer::Refused(Refusal::Parameter),
        },
        // The time the network told last; nothing where it told none.
        "AT+QLTS" => match device.network_time() {
            Some(time) => device.replies.info(format!("+QLTS: \"{},0\"", calendar(time, Style::Long))),
            None => device.replies.info("+QLTS: \"\""),
        },
        "AT+CRESET" => return Answer::Power(Power::Restart),
        "AT+QPOWD" | "AT+CPOF" => {
            // Switched off at once it has no time for a word.
            let in_good_order = number("n") != Some(0);
            return Answer::Power(Power::Off { in_good_order });
        }
        // Registration reports, name servers: kept and given back.
        _ => return device.query_or_store(call),
    }
    Answer::Done
}

fn functionality(device: &mut Device, service: &mut dyn Service, level: i64, restarts: bool) -> Answer {
    if restarts {
        return Answer::Power(Power::Restart);
    }
    if level == 1 && device.radio.functionality != 1 {
        device.search();
    }
    device.radio.functionality = level;
    look_around(device, service);
    Answer::Done
}

/// Takes in what is around: a registration that came or went is reported where that is asked for, and who loses the network
/// loses contexts and connections.
pub(in crate::virtual_module) fn look_around(device: &mut Device, service: &mut dyn Service) {
    let had_pdp = device.radio.has_pdp();
    device.around = device.faults.around(&device.conditions, device.now);
    device.links.resolves = device.around.dns;
    device.clock_fault = device.faults.clock_error(device.now);
    if device.radio.look(&device.around, device.now) {
        for name in ["AT+CREG", "AT+CGREG", "AT+CEREG"] {
            let reports = device.setting_int(name, "write", "n", 0).unwrap_or_default();
            if reports > 0 {
                let prefix = name.trim_start_matches("AT");
                let line = format!("{prefix}: {}{}", device.radio.stat, cell(&device.radio, reports));
                device.replies.urc(line, device.now);
            }
        }
        if device.radio.is_registered() {
            if device.quirks.has("ip_told") {
                device.replies.urc(format!("+IP: {}", Radio::address(1)), device.now);
            }
            device.hear_the_time();
        }
    }
    if had_pdp && !device.radio.has_pdp() {
        tell_loss(device, None);
        device.radio.deactivate_all();
        service.network_down(device, None);
    }
}

/// The network ends a PDP context.
pub(in crate::virtual_module) fn lose_context(device: &mut Device, service: &mut dyn Service, context: i64) {
    tell_loss(device, Some(context));
    drop_context(device, service, context);
}

fn drop_context(device: &mut Device, service: &mut dyn Service, context: i64) {
    device.radio.deactivate(context);
    service.network_down(device, Some(context));
}

/// Some modules say that a PDP context is gone, or all of them, before they say what that means for their clients.
fn tell_loss(device: &mut Device, context: Option<i64>) {
    if !device.quirks.has("pdp_loss_told") {
        return;
    }
    let active = device.radio.contexts.iter().filter(|(cid, c)| c.active && context.is_none_or(|lost| lost == **cid));
    let lines: Vec<String> = match device.dialect.family {
        Family::Qmt => active.map(|(cid, _)| format!("+QIURC: \"pdpdeact\",{cid}")).collect(),
        Family::Cmqtt => active.take(1).map(|_| "+CMQTTNONET".to_owned()).collect(),
    };
    for line in lines {
        device.replies.urc(line, device.now);
    }
}

/// An area, a cell and LTE, as a report with the cell needs them.
fn cell(radio: &Radio, reports: i64) -> &'static str {
    if reports == 2 && radio.is_registered() { ",\"1A2B\",\"01C3D4E5\",7" } else { "" }
}

/// Defines a PDP context, or removes it where only its number is given (TS 27.007 §10.1.1).
fn define(device: &mut Device, call: &Matched<'_>) -> Answer {
    let Some(cid) = call.int("cid") else { return Answer::Refused(Refusal::Parameter) };
    if call.values.len() == 1 {
        device.radio.contexts.remove(&cid);
        return Answer::Done;
    }
    let context = device.radio.contexts.entry(cid).or_default();
    let text = |name: &str| call.text(name).map(|text| String::from_utf8_lossy(text).into_owned());
    context.pdp_type = text("pdp_type").unwrap_or_else(|| context.pdp_type.clone()).to_ascii_uppercase();
    context.apn = text("apn").unwrap_or_default();
    Answer::Done
}

fn context_settings(device: &mut Device, call: &Matched<'_>) -> Answer {
    if !call.is_query {
        let cid = call.int("context_id").unwrap_or(1);
        let context = device.radio.contexts.entry(cid).or_default();
        context.apn = call.text("apn").map(|apn| String::from_utf8_lossy(apn).into_owned()).unwrap_or_default();
    }
    device.query_or_store(call)
}

fn activate(device: &mut Device, service: &mut dyn Service, call: &Matched<'_>) -> Answer {
    let (wanted, turns_on) = match call.command_name {
        "AT+QIACT" => (vec![call.int("context_id").unwrap_or(1)], true),
        "AT+QIDEACT" => (vec![call.int("context_id").unwrap_or(1)], false),
        _ => (cids(call), call.int("state") == Some(1)),
    };
    // Without a number all the defined ones are meant (TS 27.007 §10.1.10).
    let wanted = if wanted.is_empty() { device.radio.contexts.keys().copied().collect() } else { wanted };
    for context in wanted {
        let is_done = call.command_name == "AT+QIACT" && device.radio.is_active(context);
        if is_done && device.quirks.has("active_pdp_error") {
            return Answer::Refused(Refusal::State);
        }
        if turns_on && !device.activate(context) {
            return Answer::Refused(Refusal::NoNetwork);
        }
        if !turns_on {
            drop_context(device, service, context);
        }
    }
    Answer::Done
}

fn cids(call: &Matched<'_>) -> Vec<i64> {
    let cid = |(name, value): &(&str, Value)| match value {
        Value::Int(number) if *name == "cid" => Some(*number),
        _ => None,
    };
    call.values.iter().filter_map(cid).collect()
}

/// How a moment is written.
enum Style {
    /// `yy/MM/dd,hh:mm:ss+zz`
    Short,
    /// `yyyy/MM/dd,hh:mm:ss+zz`
    Long,
}

/// A moment in UTC. One that no calendar has, some thousand years ahead, is the first of all.
fn calendar(seconds: u64, style: Style) -> String {
    let moment = i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let moment = moment.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (month, day) = (u8::from(moment.month()), moment.day());
    let (hour, minute, second) = moment.to_hms();
    let rest = format!("/{month:02}/{day:02},{hour:02}:{minute:02}:{second:02}+00");
    match style {
        Style::Short => format!("{:02}{rest}", moment.year() % 100),
        Style::Long => format!("{}{rest}", moment.year()),
    }
}

/// The moment a host writes; years from 70 on are of the last century, as a module without network time shows 1970 or 1980.
fn seconds(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let digits = |digits: &&str| digits.bytes().all(|digit| digit.is_ascii_digit());
    let field = |from: usize| text.get(from..from + 2).filter(digits)?.parse::<u8>().ok();
    let separated = [(2, '/'), (5, '/'), (8, ','), (11, ':'), (14, ':')];
    if !separated.iter().all(|(at, mark)| text.get(*at..).is_some_and(|rest| rest.starts_with(*mark))) {
        return None;
    }
    let (year, month, day) = (field(0)?, field(3)?, field(6)?);
    let (hour, minute, second) = (field(9)?, field(12)?, field(15)?);
    let zone = match text.get(17..) {
        None | Some("") => 0,
        Some(quarters) if quarters.len() == 3 && quarters.starts_with(['+', '-']) => quarters.parse::<i64>().ok()?,
        Some(_) => return None,
    };
    let year = i32::from(year) + if year >= 70 { 1900 } else { 2000 };
    if !(-96..=96).contains(&zone) {
        return None;
    }
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    let local = date.with_hms(hour, minute, second).ok()?.assume_utc().unix_timestamp();
    u64::try_from(local - zone * 900).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_written_and_read_is_the_same() {
        for moment in [0, 951_826_645, 1_763_700_000, 4_102_444_799 - 3_155_760_000] {
            let written = calendar(moment, Style::Short);
            assert_eq!(Some(moment), seconds(written.as_bytes()), "{written}");
        }
        assert_eq!(Some(1_700_000_000), seconds(b"23/11/14,22:13:20+00"));
        assert_eq!(Some(1_700_000_000), seconds(b"23/11/15,06:13:20+32"));
        assert_eq!(None, seconds(b"23/13/15,06:13:20"));
        for wrong in [
            "23/02/29,00:00:00",
            "23/11/15,06:13:20+97",
            "23/11/15,06:13:20 +8",
            "23/11/15,-1:13:20",
            "+3/11/15,06:13:20",
            "nonsense nonsense",
            "",
            "23",
            "23/11/15,06",
            "é3/11/15,06:13:20",
        ] {
            assert_eq!(None, seconds(wrong.as_bytes()), "{wrong}");
        }
    }
}
