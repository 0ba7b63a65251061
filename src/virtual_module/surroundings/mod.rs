//! The commands beside MQTT with which a host brings a module up, to the depth it needs (decision 42). Their forms and
//! ranges are in the catalogue; here is what they do.

mod boot;
pub(super) mod network;
pub(super) mod port;
pub(super) mod radio;
pub(super) mod storage;

pub(super) use boot::boot_text;
pub(super) use boot::power_down_word;
pub(super) use network::look_around;
pub(super) use network::lose_context;

use crate::virtual_module::device::Answer;
use crate::virtual_module::device::Call;
use crate::virtual_module::device::Device;
use crate::virtual_module::device::Ended;
use crate::virtual_module::device::Refusal;
use crate::virtual_module::device::Service;

/// State of the commands beside MQTT that is nobody else's.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    port: port::Port,
    /// The file that is being typed.
    upload: Option<storage::Upload>,
}

impl Surroundings {
    /// As they are when a module is switched on for the first time.
    pub(super) fn new(device: &mut Device) -> Surroundings {
        let mut surroundings = Surroundings::default();
        surroundings.port.start(device);
        surroundings
    }

    /// Carries out a command.
    pub(super) fn call(&mut self, device: &mut Device, service: &mut dyn Service, call: &Call<'_>) -> Answer {
        match call.name() {
            "AT" => Answer::Done,
            "ATE" | "ATV" | "ATQ" | "ATZ" | "AT&F" | "AT&W" | "AT+IPR" | "AT+CMEE" | "AT+QURCCFG" => {
                self.port.call(device, call)
            }
            "ATI" | "AT+CGMI" | "AT+CGMM" | "AT+CGMR" | "AT+CGSN" | "AT+CIMI" | "AT+QCCID" | "AT+CICCID" => {
                identify(device, call)
            }
            "AT+QFUPL" | "AT+CCERTDOWN" => match storage::begin(device, call) {
                Ok((upload, typed)) => {
                    self.upload = Some(upload);
                    Answer::Typed(typed)
                }
                Err(refusal) => Answer::Refused(refusal),
            },
            "AT+QFDEL" | "AT+CCERTDELE" | "AT+QFLST" | "AT+CCERTLIST" => storage::call(device, call),
            "AT+QSSLCFG" | "AT+CSSLCFG" => storage::tls_setting(device, call),
            _ => network::call(device, service, call),
        }
    }

    /// The bytes of a file have ended.
    pub(super) fn typed(&mut self, device: &mut Device, ended: Ended) -> Answer {
        match (self.upload.take(), ended) {
            (Some(upload), Ended::With(content)) => storage::store(device, upload, content),
            (_, Ended::Cancelled) => Answer::Refused(Refusal::Cancelled),
            _ => Answer::Refused(Refusal::Parameter),
        }
    }

    /// What a restart leaves: files and the stored profile.
    pub(super) fn restart(&mut self, device: &mut Device) {
        self.upload = None;
        device.forget_settings();
        device.radio = radio::Radio::default();
        device.search();
        self.port.start(device);
    }
}

/// Who the module is.
fn identify(device: &mut Device, call: &Call<'_>) -> Answer {
    let Call::Write(matched) = call else { return Answer::Refused(Refusal::Unknown) };
    let identity = &device.identity;
    let lines = match (matched.command_name, matched.int("snt")) {
        ("ATI", _) => identity.lines(device.dialect.family),
        ("AT+CGMI", _) => vec![identity.manufacturer.clone()],
        ("AT+CGMM", _) => vec![identity.model.clone()],
        ("AT+CGMR", _) => vec![identity.revision.clone()],
        // TS 27.007 §5.4: with a parameter the answer has its prefix.
        ("AT+CGSN", Some(1)) => vec![format!("+CGSN: \"{}\"", identity.imei)],
        ("AT+CGSN", Some(2)) => vec![format!("+CGSN: \"{}01\"", &identity.imei[..14])],
        ("AT+CGSN", Some(3)) => vec!["+CGSN: \"01\"".to_owned()],
        ("AT+CGSN", _) => vec![identity.imei.clone()],
        ("AT+CIMI", _) => vec![identity.imsi.clone()],
        ("AT+QCCID", _) => vec![format!("+QCCID: {}", identity.iccid)],
        _ => vec![format!("+ICCID: {}", identity.iccid)],
    };
    for line in lines {
        device.replies.info(line);
    }
    Answer::Done
}
