//! What a module says when it has started, and when it goes. The documents print nothing of it; the texts are those of modules
//! of each kind.

use crate::dialect::schema::Family;
use crate::virtual_module::device::Device;

/// The styles of `boot_text`, and the lines of each.
const STYLES: &[(&str, &[&str])] = &[
    ("lte", &["RDY", "+CFUN: 1", "+CPIN: READY", "+QUSIM: 1", "+QIND: SMS DONE", "+QIND: PB DONE"]),
    ("bg", &["RDY", "APP RDY"]),
    ("bc_rom", &["Leaving the BROM", "RDY"]),
    ("bc26", &["Leaving the BROM", "RDY", "+CFUN: 1", "+CPIN: READY"]),
    ("neul", &["REBOOT_CAUSE_APPLICATION_AT", "Neul", "OK"]),
    ("sim7600", &["RDY", "+CPIN: READY", "SMS DONE", "PB DONE"]),
    ("simcom", &["*ATREADY: 1", "+CPIN: READY", "SMS DONE", "PB DONE"]),
    ("none", &[]),
];

/// What a boot ROM prints of the registers it finds, without blank lines.
const BOOT_ROM: &str = "\r\nF1: 0000 0000\r\nV0: 0000 0000 [0001]\r\n00: 0006 000C\r\n01: 0000 0000\r\nU0: 0000 0001 [0000]\r\n\
                        T0: 0000 00B4";

/// What a module says when it has started.
pub(in crate::virtual_module) fn boot_text(device: &Device) -> Vec<u8> {
    let is_on = device.quirks.has("boot_text");
    let style = device.quirks.text("boot_text", "style").unwrap_or(match device.dialect.family {
        Family::Qmt => "lte",
        Family::Cmqtt => "simcom",
    });
    let lines = STYLES.iter().find(|(known, _)| *known == style).map(|(_, lines)| *lines).unwrap_or_default();
    let lines = if is_on { lines } else { &lines[..1] };
    let rom = if matches!(style, "bc_rom" | "bc26") { BOOT_ROM } else { "" };
    let lines: String = lines.iter().map(|line| format!("\r\n{line}\r\n")).collect();
    format!("{rom}{lines}").into()
}

/// What a module says last.
pub(in crate::virtual_module) fn power_down_word(device: &Device) -> &str {
    device.quirks.text("power_down_word", "text").unwrap_or(match device.dialect.family {
        Family::Qmt => "POWERED DOWN",
        Family::Cmqtt => "NORMAL POWER DOWN",
    })
}
