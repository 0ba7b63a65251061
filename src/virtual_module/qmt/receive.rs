//! Messages from the broker: in the URC, or in one of the document's slots that the host reads (decisions 34 to 36).

use std::collections::BTreeMap;

use crate::dialect::Value;
use crate::mqtt::IncomingMessage;
use crate::proto::hex::to_hex;
use crate::virtual_module::device::Answer;
use crate::virtual_module::device::Device;
use crate::virtual_module::qmt::CFG;
use crate::virtual_module::qmt::Qmt;
use crate::virtual_module::qmt::first_of;
use crate::virtual_module::qmt::say;
use crate::virtual_module::qmt::setting_int;
use crate::virtual_module::qmt::worded;

/// The stored messages of one client.
#[derive(Default)]
pub(super) struct Slots(BTreeMap<u8, IncomingMessage>);

impl Slots {
    /// Whether a slot holds a message.
    pub(super) fn holds(&self, slot: u8) -> bool {
        self.0.contains_key(&slot)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes the lowest free slot of so many.
    fn store(&mut self, message: IncomingMessage, slots: u8) -> Option<u8> {
        let free = (0..slots).find(|slot| !self.holds(*slot))?;
        self.0.insert(free, message);
        Some(free)
    }
}

impl Qmt {
    /// The URC first, then the acknowledgement; a message without room is neither reported nor acknowledged.
    pub(super) fn received(&mut self, device: &mut Device, index: u8, message: IncomingMessage) {
        let now = device.now;
        let shown = if device.quirks.has("clients_mixed_up") { 0 } else { index };
        if is_stored(device, index) {
            let length = message.payload.len();
            let slots = device.dialect.limits.slots.unwrap_or_default();
            let Some(slot) = self.client(index).slots.store(message.clone(), slots) else {
                *device.dropped.entry(index).or_default() += 1;
                return;
            };
            let only_index = device.quirks.has("recv_index_only");
            let with_length = !only_index && asks_length(device, index) && stored_urc_has_length(device);
            let length = if with_length { format!(",{length}") } else { String::new() };
            say(device, format!("+QMTRECV: {shown},{slot}{length}"));
        } else {
            let line = worded(device, line(device, index, shown, &message));
            match is_cut(device, "line_end_missing", &message) {
                true => device.replies.urc_raw([b"\r\n", line.as_slice()].concat(), now),
                false => device.replies.urc(line, now),
            }
        }
        device.links.acknowledge(index, &message, now);
    }

    /// `AT+QMTRECV=n` prints and frees all slots in order, `=n,id` one.
    pub(super) fn read_slots(&mut self, device: &mut Device, index: u8, slot: Option<i64>) -> Answer {
        let meant = |number: &u8, _: &mut IncomingMessage| slot.is_none_or(|wanted| wanted == i64::from(*number));
        let slots = &mut self.client(index).slots.0;
        let kept = if device.quirks.has("slots_kept") { slots.clone() } else { BTreeMap::new() };
        for (_, message) in slots.extract_if(.., meant) {
            let line = worded(device, line(device, index, index, &message));
            device.replies.info(line);
        }
        slots.extend(kept);
        Answer::Done
    }
}

/// Whether messages of a client go into its slots.
fn is_stored(device: &Device, index: u8) -> bool {
    let has_slots = device.dialect.limits.slots.is_some_and(|slots| slots > 0);
    setting_int(device, index, "recv/mode", 1) == Some(1) || (has_slots && device.quirks.has("recv_index_only"))
}

/// Whether the host has asked for lengths.
fn asks_length(device: &Device, index: u8) -> bool {
    first_of(device, index, &[("recv/mode", 2), ("showrecvlen", 1)]) == Some(1)
}

fn has_length(device: &Device, index: u8) -> bool {
    let quirks = &device.quirks;
    let asked = asks_length(device, index);
    (asked && !quirks.has("recv_without_length")) || quirks.has("recv_with_length") || quirks.has("recv_payload_below")
}

/// Whether the document has a URC of a slot and a length.
fn stored_urc_has_length(device: &Device) -> bool {
    let shapes = device.dialect.urcs.get("+QMTRECV").map(|urc| urc.shapes.as_slice()).unwrap_or_default();
    shapes.iter().any(|shape| shape.len() == 3 && shape[1] == "recv_id")
}

/// Whether a quirk cuts the line of a message of this length.
fn is_cut(device: &Device, quirk: &str, message: &IncomingMessage) -> bool {
    let from = device.quirks.number(quirk, "from").unwrap_or_default();
    device.quirks.has(quirk) && message.payload.len() as i64 >= from
}

/// A module that starts with hexadecimal output says so when asked: the setting is written where nobody has.
pub(super) fn start_with_hex(device: &mut Device, index: u8) {
    let known = device.dialect.command(CFG).and_then(|command| command.variants.get("dataformat"));
    let Some(name) = known.and_then(|variant| variant.params.get(2)).cloned() else { return };
    if device.quirks.has("recv_hex") {
        let settings = device.settings_mut(CFG);
        settings.set_unless_set("dataformat", &name, i64::from(index), Value::Int(1));
    }
}

/// `+QMTRECV: n,msgid,"topic"[,len],"payload"`: the payload raw or as digits, its length that of the message; `shown` is the
/// client that the line names. Quirks have other forms of it (F10, F11).
fn line(device: &Device, index: u8, shown: u8, message: &IncomingMessage) -> Vec<u8> {
    let quirks = &device.quirks;
    let hex = setting_int(device, index, "dataformat", 2) == Some(1) && !quirks.has("hex_ignored");
    let mut payload = if hex { to_hex(&message.payload) } else { message.payload.clone() };
    if hex && quirks.text("recv_hex", "case") == Some("lower") {
        payload.make_ascii_lowercase();
    }
    let counts_digits = hex && quirks.text("recv_hex", "length") == Some("digits");
    let length = if counts_digits { payload.len() } else { message.payload.len() };
    if quirks.has("text_ends_at_nul") && !hex {
        payload.truncate(memchr::memchr(0, &payload).unwrap_or(payload.len()));
    }
    let id = message.id.unwrap_or(0);
    let mut line = format!("+QMTRECV: {shown},{id},\"{}\",", message.topic).into_bytes();
    if has_length(device, index) {
        line.extend(length.to_string().into_bytes());
        line.extend_from_slice(if quirks.has("recv_payload_below") { b"\r\n" } else { b"," });
    }
    let is_quoted = !quirks.has("recv_unquoted");
    line.extend(is_quoted.then_some(b'"'));
    line.extend(payload);
    line.extend((is_quoted && !is_cut(device, "quote_missing", message)).then_some(b'"'));
    line
}
