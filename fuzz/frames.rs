//! libFuzzer's bytes through the codec: as a client of either level, and as a broker. What must hold is the same as for the
//! random frames of the tests.

#![no_main]

#[path = "../tests/fuzz/frames.rs"]
#[allow(dead_code)] // Its generators are for where nobody else makes the bytes.
mod frames;
#[path = "../tests/rust/random.rs"]
#[allow(dead_code)] // As above.
mod random;

use modemrig::mqtt::Level;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut tally = frames::Tally::default();
    for role in [Some(Level::V31), Some(Level::V311), None] {
        frames::check(role, bytes, &mut tally);
    }
});
