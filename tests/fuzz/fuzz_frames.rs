//! `cargo run --release --example fuzz_frames -- [SEED [COUNT]]`: random MQTT frames for as long as wanted, with figures.
//! The integration tests run five million of them; this is for more, and for running a failing seed again.

mod frames;
#[path = "../rust/random.rs"]
mod random;
mod sessions;

use std::time::Instant;

#[allow(clippy::disallowed_methods)] // It measures real time.
fn now() -> Instant {
    Instant::now()
}

fn number(place: usize, otherwise: u64) -> u64 {
    let Some(word) = std::env::args().nth(place) else { return otherwise };
    word.replace('_', "").parse().unwrap_or_else(|_| {
        eprintln!("fuzz_frames [SEED [COUNT]]: {word:?} is no number");
        std::process::exit(2)
    })
}

fn main() {
    let (seed, count) = (number(1, 1), number(2, 5_000_000));
    let start = now();
    let tally = frames::run(seed, count);
    let seconds = start.elapsed().as_secs_f64();
    println!("seed {seed}: {} frames, {} bytes in {seconds:.1} s", tally.frames, tally.bytes);
    println!("accepted: {:?}", tally.accepted);
    println!("cut off: {}; refused by {} rules: {:?}", tally.incomplete, tally.refused.len(), tally.refused);
    let start = now();
    let survived = sessions::run_client(seed, count / 10, start);
    let connections = sessions::run_broker(seed, count / 10, start);
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "sessions: {} frames at each end in {seconds:.1} s; {survived} survived, {connections} connections",
        count / 10
    );
}
