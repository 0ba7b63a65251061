//! What a client does in its own time, apart from timers of MQTT: lines that come later than they could, a connection that
//! is made late or let go. All of it is quirks of the field; it ends with the command that began it.

use std::time::Duration;
use std::time::Instant;

use crate::virtual_module::device::Device;
use crate::virtual_module::network::LostBy;
use crate::virtual_module::network::Target;
use crate::virtual_module::qmt::Qmt;
use crate::virtual_module::qmt::State;

/// What is to happen.
pub(super) enum Later {
    /// This line is said.
    Line(String),
    /// This line is said, and behind it the client is in this state.
    LineThen(String, State),
    /// The connection is made, in so long at most.
    Dial(Target, Duration),
    /// The other end closes the connection.
    Lose,
}

/// When, to which client, and behind which of its commands.
pub(super) struct Planned {
    due: Instant,
    index: u8,
    begun: u32,
    later: Later,
}

impl Qmt {
    /// Has something happen to a client so much later, unless a newer command changes its state first.
    pub(super) fn plan(&mut self, device: &Device, index: u8, span: Duration, later: Later) {
        let begun = self.client(index).begun;
        self.planned.push(Planned { due: device.now + span, index, begun, later });
    }

    pub(super) fn next_planned(&self) -> Option<Instant> {
        self.planned.iter().map(|planned| planned.due).min()
    }

    /// Does what is due, in the order of the moments and, where they are the same, of the plans.
    pub(super) fn do_planned(&mut self, device: &mut Device) {
        let now = device.now;
        let mut due: Vec<Planned> = self.planned.extract_if(.., |planned| planned.due <= now).collect();
        due.sort_by_key(|planned| planned.due);
        for Planned { index, begun, later, .. } in due {
            if self.client(index).begun != begun {
                continue;
            }
            match later {
                Later::Line(line) => super::say(device, line),
                Later::LineThen(line, state) => self.tell(device, index, line, state),
                Later::Dial(target, timeout) => self.dial(device, index, target, timeout),
                Later::Lose if device.links.has(index) => self.lost(device, index, LostBy::PeerClosed),
                Later::Lose => {}
            }
        }
    }
}

/// The time that a quirk's parameter says; real time, which the module's speed does not shorten.
pub(super) fn span_of(device: &Device, quirk: &str) -> Option<Duration> {
    let ms = device.quirks.has(quirk).then(|| device.quirks.number(quirk, "ms").unwrap_or_default());
    ms.map(|ms| Duration::from_millis(ms.unsigned_abs()))
}
