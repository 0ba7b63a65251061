//! Messages from the broker: in the URC, or in one of the document's slots that the host reads (decisions 34 to 36).

use std::collections::BTreeMap;

use crate::mqtt::IncomingMessage;
use crate::proto::hex::to_hex;
use crate::virtual_module::device::Answer;
use crate::virtual_module::device::Device;
use crate::virtual_module::qmt::Qmt;
use crate::virtual_module::qmt::setting_int;

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
        if setting_int(device, index, "recv/mode", 1) == Some(1) {
            let length = message.payload.len();
            let slots = device.dialect.limits.slots.unwrap_or_default();
            let Some(slot) = self.client(index).slots.store(message.clone(), slots) else {
                *device.dropped.entry(index).or_default() += 1;
                return;
            };
            let with_length = has_length(device, index) && stored_urc_has_length(device);
            let length = if with_length { format!(",{length}") } else { String::new() };
            device.replies.urc(format!("+QMTRECV: {shown},{slot}{length}"), now);
        } else {
            let line = Look { index: shown, ..Look::of(device, index) }.line(&message);
            device.replies.urc(line, now);
        }
        device.links.acknowledge(index, &message, now);
    }

    /// `AT+QMTRECV=n` prints and frees all slots in order, `=n,id` one.
    pub(super) fn read_slots(&mut self, device: &mut Device, index: u8, slot: Option<i64>) -> Answer {
        let look = Look::of(device, index);
        let meant = |number: &u8, _: &mut IncomingMessage| slot.is_none_or(|wanted| wanted == i64::from(*number));
        let slots = &mut self.client(index).slots.0;
        let kept = if device.quirks.has("slots_kept") { slots.clone() } else { BTreeMap::new() };
        for (_, message) in slots.extract_if(.., meant) {
            device.replies.info(look.line(&message));
        }
        slots.extend(kept);
        Answer::Done
    }
}

fn has_length(device: &Device, index: u8) -> bool {
    setting_int(device, index, "recv/mode", 2) == Some(1)
}

/// Whether the document has a URC of a slot and a length.
fn stored_urc_has_length(device: &Device) -> bool {
    let shapes = device.dialect.urcs.get("+QMTRECV").map(|urc| urc.shapes.as_slice()).unwrap_or_default();
    shapes.iter().any(|shape| shape.len() == 3 && shape[1] == "recv_id")
}

/// How a client shows messages.
struct Look {
    index: u8,
    with_length: bool,
    hex: bool,
}

impl Look {
    fn of(device: &Device, index: u8) -> Look {
        let hex = setting_int(device, index, "dataformat", 2) == Some(1) && !device.quirks.has("hex_ignored");
        Look { index, with_length: has_length(device, index), hex }
    }

    /// `+QMTRECV: n,msgid,"topic"[,len],"payload"`: the payload raw or as digits, its length that of the message.
    fn line(&self, message: &IncomingMessage) -> Vec<u8> {
        let id = message.id.unwrap_or(0);
        let mut line = format!("+QMTRECV: {},{id},\"{}\",", self.index, message.topic).into_bytes();
        if self.with_length {
            line.extend(format!("{},", message.payload.len()).into_bytes());
        }
        line.push(b'"');
        if self.hex {
            line.extend(to_hex(&message.payload));
        } else {
            line.extend_from_slice(&message.payload);
        }
        line.push(b'"');
        line
    }
}
