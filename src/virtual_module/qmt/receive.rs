//! Messages from the broker: in the URC, or in one of five slots that the host reads (decisions 34 to 36).

use crate::mqtt::IncomingMessage;
use crate::proto::hex::to_hex;
use crate::virtual_module::device::Answer;
use crate::virtual_module::device::Device;
use crate::virtual_module::qmt::Qmt;
use crate::virtual_module::qmt::setting_int;

/// Slots of a client.
pub(super) const SLOTS: usize = 5;

/// The stored messages of one client.
#[derive(Default)]
pub(super) struct Slots {
    messages: [Option<IncomingMessage>; SLOTS],
}

impl Slots {
    /// `0,1,0,0,0`
    pub(super) fn flags(&self) -> String {
        self.messages.each_ref().map(|slot| if slot.is_some() { "1" } else { "0" }).join(",")
    }

    pub(super) fn clear(&mut self) {
        self.messages = Default::default();
    }

    /// Takes the lowest free slot.
    fn store(&mut self, message: IncomingMessage) -> Option<usize> {
        let free = self.messages.iter().position(Option::is_none);
        self.messages[free?] = Some(message);
        free
    }
}

impl Qmt {
    /// The URC first, then the acknowledgement; a message without room is neither reported nor acknowledged.
    pub(super) fn received(&mut self, device: &mut Device, index: u8, message: IncomingMessage) {
        let now = device.now;
        if setting_int(device, index, "recv/mode", 1) == Some(1) {
            let length = message.payload.len();
            let Some(slot) = self.client(index).slots.store(message.clone()) else {
                *device.dropped.entry(index).or_default() += 1;
                return;
            };
            let with_length = has_length(device, index) && stored_urc_has_length(device);
            let length = if with_length { format!(",{length}") } else { String::new() };
            device.replies.urc(format!("+QMTRECV: {index},{slot}{length}"), now);
        } else {
            let line = Look::of(device, index).line(&message);
            device.replies.urc(line, now);
        }
        device.links.acknowledge(index, &message, now);
    }

    /// `AT+QMTRECV=n` prints and frees all slots in order, `=n,id` one.
    pub(super) fn read_slots(&mut self, device: &mut Device, index: u8, slot: Option<i64>) -> Answer {
        let look = Look::of(device, index);
        for (number, stored) in self.client(index).slots.messages.iter_mut().enumerate() {
            if slot.is_none_or(|wanted| wanted == number as i64)
                && let Some(message) = stored.take()
            {
                device.replies.info(look.line(&message));
            }
        }
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
        let hex = setting_int(device, index, "dataformat", 2) == Some(1);
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
