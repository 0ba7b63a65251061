//! Five million random frames through the codec, and hundreds of thousands through both ends of MQTT. The generators stand
//! in `tests/fuzz`; the example `fuzz_frames` runs them with any seed and count.

use std::time::Instant;

use modemrig::mqtt::Kind;
use modemrig::mqtt::Rule;

#[path = "../fuzz/frames.rs"]
mod frames;
#[path = "../fuzz/sessions.rs"]
mod sessions;
use super::random;

/// In parts, so that two cores share them.
const PARTS: u64 = 2;
const FRAMES: u64 = 5_000_000;
const SESSION_FRAMES: u64 = 300_000;

#[allow(clippy::disallowed_methods)] // A first instant can only come from the clock; from here on time is simulated.
fn start() -> Instant {
    Instant::now()
}

/// Rules that no single frame breaks: the broker's record of behaviour has them.
fn is_behaviour(rule: Rule) -> bool {
    rule >= Rule::ConnectFirst || rule == Rule::ConnectLevel
}

fn frames_part(part: u64) {
    let tally = frames::run(part + 1, FRAMES / PARTS);
    println!("{tally:?}");
    for kind in Kind::ALL {
        let count = tally.accepted.get(kind.name()).copied().unwrap_or_default();
        assert!(count > 1000, "{} frames of {} were accepted: {tally:?}", count, kind.name());
    }
    let missing: Vec<_> = Rule::all().filter(|rule| !is_behaviour(*rule) && !tally.refused.contains(rule)).collect();
    assert_eq!(Vec::<Rule>::new(), missing, "rules that refused nothing");
}

#[test]
fn random_frames_never_panic_and_accepted_ones_encode_to_themselves_first_half() {
    frames_part(0);
}

#[test]
fn random_frames_never_panic_and_accepted_ones_encode_to_themselves_second_half() {
    frames_part(1);
}

#[test]
fn a_session_survives_a_broker_gone_mad() {
    let survived = sessions::run_client(3, SESSION_FRAMES, start());
    assert!(survived > SESSION_FRAMES / 4, "{survived} frames found the session connected");
}

#[test]
fn a_broker_survives_clients_gone_mad() {
    let connections = sessions::run_broker(4, SESSION_FRAMES, start());
    assert!(connections > 1000, "{connections} connections");
}
