//! Settings of the port itself: echo, form of results, speed; and the profile that survives a restart.

use crate::dialect::Value;
use crate::virtual_module::device::Answer;
use crate::virtual_module::device::Call;
use crate::virtual_module::device::Device;
use crate::virtual_module::device::Refusal;

/// What `AT&W` stores and `ATZ` brings back.
#[derive(Clone, Copy, Debug)]
struct Profile {
    echo: bool,
    verbose: bool,
    quiet: bool,
    cmee: i64,
    /// The speed of the line, where one was stored; only a start takes it over.
    rate: Option<i64>,
}

/// As the factory set it: by V.250 echo on, words, shown.
fn factory(device: &Device) -> Profile {
    let verbose = !device.quirks.has("numeric_results");
    Profile { echo: true, verbose, quiet: false, cmee: device.first_error_form(), rate: None }
}

/// Settings of the port.
#[derive(Debug, Default)]
pub(in crate::virtual_module) struct Port {
    /// `None`: nothing was stored.
    stored: Option<Profile>,
    quiet: bool,
}

impl Port {
    pub(super) fn call(&mut self, device: &mut Device, call: &Call<'_>) -> Answer {
        let matched = match call {
            Call::Write(matched) => matched,
            Call::Read(name, command) => {
                let Some(param) = command.read_reply.first().and_then(|shape| shape.first()) else {
                    return Answer::Refused(Refusal::Unknown);
                };
                let value = device.setting_int(name, "write", param, 0).unwrap_or_default();
                device.replies.info(format!("{}: {value}", name.trim_start_matches("AT")));
                return Answer::Done;
            }
        };
        // V.250: a letter without its number is the letter with 0.
        let on = matched.int("value").unwrap_or_default() == 1;
        match matched.command_name {
            "ATE" => device.replies.session.set_echo(on),
            "ATV" => device.replies.session.set_verbose(on),
            "ATQ" => {
                self.quiet = on;
                device.replies.session.set_quiet(on);
            }
            "ATZ" => self.restore(device),
            "AT&F" => self.apply(device, factory(device)),
            "AT&W" => {
                let session = &device.replies.session;
                let (echo, verbose) = (session.echo(), session.verbose());
                let cmee = device.setting_int("AT+CMEE", "write", "n", 0).unwrap_or_default();
                let rate = device.setting_int("AT+IPR", "write", "rate", 0);
                self.stored = Some(Profile { echo, verbose, quiet: self.quiet, cmee, rate });
            }
            _ => return device.query_or_store(matched),
        }
        Answer::Done
    }

    /// Back to the stored profile.
    pub(super) fn restore(&mut self, device: &mut Device) {
        self.apply(device, self.stored.unwrap_or_else(|| factory(device)));
    }

    /// What a start finds: the stored profile, and the speed stored with it.
    pub(super) fn start(&mut self, device: &mut Device) {
        self.restore(device);
        if let Some(rate) = self.stored.and_then(|stored| stored.rate) {
            device.settings_mut("AT+IPR").set("write", "rate", 0, Value::Int(rate));
        }
    }

    fn apply(&mut self, device: &mut Device, profile: Profile) {
        self.quiet = profile.quiet;
        device.replies.session.set_echo(profile.echo);
        device.replies.session.set_verbose(profile.verbose);
        device.replies.session.set_quiet(profile.quiet);
        device.settings_mut("AT+CMEE").set("write", "n", 0, Value::Int(profile.cmee));
    }
}
