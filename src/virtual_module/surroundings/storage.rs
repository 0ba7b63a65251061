//! Files and TLS contexts: AT+QFUPL and its like, AT+QSSLCFG, and SIMCom's commands for the same.

use std::time::Duration;

use crate::proto::PayloadEnd;
use crate::virtual_module::device::Answer;
use crate::virtual_module::device::Asks;
use crate::virtual_module::device::Call;
use crate::virtual_module::device::Device;
use crate::virtual_module::device::Refusal;
use crate::virtual_module::device::Typed;
use crate::virtual_module::faults::Effect;
use crate::virtual_module::files::checksum;
use crate::virtual_module::settings::put;

/// A file that is being typed.
#[derive(Debug)]
pub(super) struct Upload {
    name: Vec<u8>,
    /// Quectel modules say size and checksum.
    says_checksum: bool,
}

/// Asks for the bytes of a file.
pub(super) fn begin(device: &mut Device, call: &Call<'_>) -> Result<(Upload, Typed), Refusal> {
    let Call::Write(matched) = call else { return Err(Refusal::Unknown) };
    let name = matched.text("filename").unwrap_or_default().to_vec();
    if device.faults.happens(Effect::FullFiles, &String::from_utf8_lossy(&name)) {
        return Err(Refusal::NoSpace);
    }
    let says_checksum = matched.command_name == "AT+QFUPL";
    let or_default = |param: &str| {
        let default = || matched.command.param(param)?.default.as_deref()?.parse().ok();
        matched.int(param).or_else(default)
    };
    let length = matched.variant.payload_length.as_deref().and_then(or_default).ok_or(Refusal::Parameter)?;
    let timeout = or_default("timeout").and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    let typed = Typed {
        end: PayloadEnd::Counted(usize::try_from(length).map_err(|_| Refusal::Parameter)?),
        echo: false,
        // Time counts from CONNECT, in real seconds: the host sends at the speed of its line, not of our clock.
        timeout: timeout.map(|t| t.mul_f64(device.speed.factor().max(1.0))),
        asks: if says_checksum { Asks::Connect } else { Asks::Prompt },
    };
    Ok((Upload { name, says_checksum }, typed))
}

/// Keeps the bytes of a file.
pub(super) fn store(device: &mut Device, upload: Upload, content: Vec<u8>) -> Answer {
    if upload.says_checksum {
        device.replies.info(format!("+QFUPL: {},{:x}", content.len(), checksum(&content)));
    }
    device.files.put(&upload.name, content);
    Answer::Done
}

/// Lists or deletes files.
pub(super) fn call(device: &mut Device, call: &Call<'_>) -> Answer {
    let Call::Write(matched) = call else { return Answer::Refused(Refusal::Unknown) };
    let name = matched.text("filename").unwrap_or(b"*");
    match matched.command_name {
        "AT+QFDEL" | "AT+CCERTDELE" => match device.files.delete(name) {
            true => Answer::Done,
            false => Answer::Refused(Refusal::Parameter),
        },
        "AT+QFLST" => {
            for (name, size) in device.files.list(name) {
                device.replies.info(format!("+QFLST: \"UFS:{name}\",{size}"));
            }
            Answer::Done
        }
        _ => {
            for (name, _) in device.files.list(name) {
                device.replies.info(format!("+CCERTLIST: \"{name}\""));
            }
            Answer::Done
        }
    }
}

/// Settings of TLS contexts; the read form, where there is one, prints every context.
pub(super) fn tls_setting(device: &mut Device, call: &Call<'_>) -> Answer {
    let (name, command) = match call {
        Call::Write(matched) => return device.query_or_store(matched),
        Call::Read(name, command) => (*name, *command),
    };
    let Some((index, shape)) = command.read_reply.first().and_then(|shape| shape.split_first()) else {
        return Answer::Refused(Refusal::Unknown);
    };
    let contexts = command.param(index).and_then(|p| Some(p.min?..=p.max?)).unwrap_or(0..=0);
    for context in contexts {
        let mut line = format!("{}: {context}", name.trim_start_matches("AT")).into_bytes();
        for param in shape {
            let key = command
                .variants
                .iter()
                .find(|(_, v)| v.params.contains(param))
                .map_or("write", |(key, _)| key.as_str());
            let value = device.setting(name, key, param, context);
            line.push(b',');
            put(&mut line, command.param(param), value.as_ref());
        }
        device.replies.info(line);
    }
    Answer::Done
}
